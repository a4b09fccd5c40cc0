"""What is compared: the pairs of formats, and the other converters with the command of each pair they have.

A peer is a declaration: name, requirement, and for each pair the arguments. To compare one more, add it to :data:`PEERS`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.data import Kind


@dataclass(frozen=True)
class Pair:
    """A conversion that is measured."""

    id: str
    input: Kind
    target: str
    """Identifier of labelglot, and of the counter in ``outputs``."""
    suffix: str = ""
    """Of the output where it is one file."""
    thousands: int = 118
    """Thousands of images at full size; other sizes are scaled."""
    images: bool = False
    """Image files are copied into the output."""

    def arguments(self, source: Path, out: Path) -> list[str]:
        """Of labelglot. The others are told the format and do not read their output again, so neither does it."""
        images = "copy" if self.images else "none"
        formats = ["--from", self.input.removesuffix("-images"), "--to", self.target]
        return ["convert", str(source), str(out), *formats, "--images", images, "--no-verify", "-q"]


PAIRS = (
    Pair("coco-tfod-csv", "coco", "tfod-csv", ".csv"),
    Pair("coco-cvat-images", "coco", "cvat-images", ".xml"),
    Pair("coco-createml", "coco", "createml", ".json"),
    Pair("coco-coco", "coco", "coco", ".json"),
    Pair("voc-coco", "voc", "coco", ".json"),
    Pair("yolo-coco", "yolo", "coco", ".json"),
    Pair("voc-tfrecord", "voc-images", "tfrecord", thousands=5, images=True),
    Pair("coco-yolo-zip", "coco", "yolo", ".zip"),
    Pair("coco-yolo", "coco", "yolo"),
    Pair("coco-voc", "coco", "voc"),
)
"""In the order of the runs: those that make many files last, when what was removed before lies far back, see ``Bench.close``."""

GROWTH = ("coco-tfod-csv", "coco-yolo-zip", "voc-coco")
"""The pairs of ``--growth``."""


@dataclass(frozen=True)
class Source:
    """What a command may name of its input."""

    folder: Path
    names: Path
    """A line for each class, in order."""

    @property
    def document(self) -> Path:
        return self.folder / "annotations" / "instances_train.json"


Arguments = Callable[[Source, Path], Sequence[str | Path]]


@dataclass(frozen=True)
class Peer:
    """Another converter."""

    name: str
    requirement: str
    pairs: Mapping[str, Arguments]
    program: str = ""
    """In ``bin`` of its environment; the name if not given."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """What to know of a pair, by its identifier, or of all under ``""``."""
    optional: bool = False
    """Measured only if asked for by name."""

    def command(self, pair: str, bin_: Path, source: Source, out: Path) -> list[str]:
        return [str(bin_ / (self.program or self.name)), *map(str, self.pairs[pair](source, out))]


def _panlabel(source: str, target: str, *more: str) -> Arguments:
    def arguments(given: Source, out: Path) -> Sequence[str | Path]:
        read = given.document if source == "coco" else given.folder
        return ["convert", "--from", source, "--to", target, "-i", read, "-o", out, "--allow-lossy", *more]

    return arguments


def _labelformat(source: str, target: str, read: Callable[[Source], Sequence[str | Path]], *write: str) -> Arguments:
    def arguments(given: Source, out: Path) -> Sequence[str | Path]:
        to = [out / write[1] if len(write) > 1 else out]
        formats = ["--task", "object-detection", "--input-format", source, "--output-format", target]
        return ["convert", *formats, *read(given), write[0], *to]

    return arguments


def _document(source: Source) -> Sequence[str | Path]:
    return ["--input-file", source.document]


def _voc_folder(source: Source) -> Sequence[str | Path]:
    return ["--input-folder", source.folder / "Annotations", "--category-names", ",".join(source.names.read_text().splitlines())]


def _data_yaml(source: Source) -> Sequence[str | Path]:
    return ["--input-file", source.folder / "data.yaml", "--input-split", "train"]


def _globox(source: str, target: str, *, numbers: bool = False) -> Arguments:
    def arguments(given: Source, out: Path) -> Sequence[str | Path]:
        read: Path = given.document
        more: list[str | Path] = ["-R", given.names] if numbers else []
        if source == "yolov5":
            read = given.folder / "labels" / "train"
            more += ["-d", given.folder / "images" / "train", "-m", given.names]
        elif source == "pascalvoc":
            read = given.folder / "Annotations"
        if target == "coco" and source != "coco":
            more.append("-A")
        return ["-q", "convert", "--format", source, "--save_fmt", target, *more, read, out]

    return arguments


def _datumaro(source: str, target: str) -> Arguments:
    """By its library: its command line asks for packages for training, and starts no faster."""
    code = "import sys; from datumaro import Dataset; Dataset.import_from(sys.argv[1], sys.argv[2]).export(sys.argv[4], sys.argv[3])"
    return lambda given, out: ["-c", code, given.folder, source, target, out]


PEERS = (
    Peer(
        "panlabel", "panlabel==0.7.0",
        {
            "coco-yolo": _panlabel("coco", "yolo"), "coco-voc": _panlabel("coco", "voc"),
            "coco-tfod-csv": _panlabel("coco", "tfod"), "coco-cvat-images": _panlabel("coco", "cvat"),
            "coco-createml": _panlabel("coco", "create-ml"), "coco-coco": _panlabel("coco", "coco"),
            "voc-coco": _panlabel("voc", "coco"), "yolo-coco": _panlabel("yolo", "coco", "--split", "train"),
            "voc-tfrecord": _panlabel("voc", "tfrecord"),
        },
        notes={"": "a native program; boxes only", "coco-yolo": "6 decimals", "voc-tfrecord": "never writes image bytes"},
    ),
    Peer(
        "labelformat", "labelformat==0.1.17",
        {
            "coco-yolo": _labelformat("coco", "yolov8", _document, "--output-file", "data.yaml"),
            "coco-voc": _labelformat("coco", "pascalvoc", _document, "--output-folder"),
            "coco-cvat-images": _labelformat("coco", "cvat", _document, "--output-folder"),
            "coco-coco": _labelformat("coco", "coco", _document, "--output-file"),
            "voc-coco": _labelformat("pascalvoc", "coco", _voc_folder, "--output-file"),
            "yolo-coco": _labelformat("yolov8", "coco", _data_yaml, "--output-file"),
        },
        notes={"": "boxes only in the task object-detection"},
    ),
    Peer(
        "globox", "globox==2.9.0",
        {
            "coco-yolo": _globox("coco", "yolov5", numbers=True), "coco-voc": _globox("coco", "pascalvoc"),
            "coco-cvat-images": _globox("coco", "cvat"), "coco-coco": _globox("coco", "coco"),
            "voc-coco": _globox("pascalvoc", "coco"), "yolo-coco": _globox("yolov5", "coco"),
        },
        notes={"": "boxes only", "coco-yolo": "no data.yaml; class numbers come from a file it is given"},
    ),
    Peer(
        "datumaro", "datumaro==1.13.12",
        {
            "coco-yolo": _datumaro("coco_instances", "yolo"), "coco-voc": _datumaro("coco_instances", "voc_detection"),
            "coco-cvat-images": _datumaro("coco_instances", "cvat"), "coco-coco": _datumaro("coco_instances", "coco_instances"),
            "voc-coco": _datumaro("voc_detection", "coco_instances"), "yolo-coco": _datumaro("yolo", "coco_instances"),
        },
        program="python", optional=True,
        notes={"coco-cvat-images": "a box and a polygon for each object, as two shapes"},
    ),
)  # fmt: skip


class NotInstalled(Exception):
    """A peer that could not be installed; the text says why."""


def environment(peer: Peer, cache: Path, given: Path | None = None) -> Path:
    """The ``bin`` folder where the peer is installed, from the package index if it is not yet.

    ``given``: a folder with an environment for each peer, used as they are.
    """
    if given is not None:
        found = given / peer.name / "bin"
        if not (found / (peer.program or peer.name)).exists():
            raise NotInstalled(f"not in {given}")
        return found
    home = cache / "environments" / peer.requirement.replace("==", "-")
    if not (home / "bin" / (peer.program or peer.name)).exists() or not (home / "complete").exists():
        shutil.rmtree(home, ignore_errors=True)
        uv = shutil.which("uv")
        make = [uv, "venv", "-q", "--python", sys.executable] if uv else [sys.executable, "-m", "venv"]
        python = str(home / "bin" / "python")
        install = [uv, "pip", "install", "-q", "--python", python] if uv else [python, "-m", "pip", "install", "-q"]
        # Not the environment of the project, which uv would otherwise install into.
        plain = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT")}
        for command in ([*make, str(home)], [*install, peer.requirement]):
            done = subprocess.run(command, env=plain, capture_output=True, text=True, check=False)
            if done.returncode:
                raise NotInstalled(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "installation failed")
        (home / "complete").touch()
    return home / "bin"
