"""DOTA text: four corners in pixels, a class and a difficulty in each line; two lines about the image before them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite
from typing import Any

from labelglot.plugin import (
    Annotation,
    Holds,
    LabelHolds,
    Match,
    Mirrored,
    Naming,
    Options,
    Pair,
    ReadContext,
    Report,
    RotatedBox,
    Sample,
    Source,
    WriteContext,
)
from labelglot.wire.text import WORD, lines, spell
from pydantic import Field

_HEADER = re.compile(r"(imagesource|gsd)\s*:\s*(.*)", re.IGNORECASE)
HEADERS = ("imagesource", "gsd")


class Dota(Mirrored):
    """Rotated boxes as four corners in the order written; quadrilaterals that are no rectangles stay as they are.

    ``extra``: of an image, ``imagesource`` and ``gsd`` as text; of an object, a ``difficult`` other than 0 and 1.
    """

    id = "dota"
    name = "DOTA"
    url = "https://captain-whu.github.io/DOTA/"
    image_folder = "images"
    file_folder = "labelTxt"
    file_folders = ("labelTxt-v2.0", "labelTxt-v1.5", "labelTxt-v1.0", "annfiles", "annotations", "labels")
    holds = Holds(
        geometry=(frozenset({"rotated_box"}),),
        labels=LabelHolds(unused=False, order="appearance", names=WORD),
        flags={"difficult": frozenset({"bool"})},
        defaults={"difficult": False},
        size=False,
        naming=Naming(unique="stem", suffix=False),
        extra=frozenset({"dota"}),
    )

    class ReadOptions(Options):
        """Options of the reader."""

        labels: str = Field(
            default="",
            title="Folder of labels",
            description="the folder to read where there are several versions of the labels, such as labelTxt-v1.5",
        )

    def files_to_read(self, context: ReadContext) -> list[str]:
        files, chosen = self.annotation_files(context.source), context.options.labels
        return [path for path in files if chosen in path.split("/")[:-1]] if chosen else files

    def detect(self, source: Source) -> Match | None:
        files = self.annotation_files(source)
        folder = next(
            (part for path in files for part in path.split("/")[:-1] if part.lower().startswith("labeltxt")), ""
        )
        for path in files[:: max(1, len(files) // 8)][:8]:
            first = next((line for _, line in lines(source.head(path, 1024))), "")
            if _HEADER.match(first):
                return Match(0.95, f"{path} begins with {first.partition(':')[0]}")
            if self.is_annotation(source, path) or (folder and _object(first) is not None):
                return Match(0.95 if folder else 0.75, f"{path}: eight numbers and a class in each line")
        return Match(0.5, f"a folder {folder}, but no object in it") if folder else None

    def is_annotation(self, source: Source, path: str) -> bool:
        first = next((line for _, line in lines(source.head(path, 1024))), "")
        found = _object(first)
        return bool(_HEADER.match(first)) or (
            "," not in first and found is not None and re.fullmatch(r"-?[\d.]+", found.label or "") is None
        )

    def parse(self, data: bytes, pair: Pair, report: Report) -> Mapping[str, Any]:
        about: dict[str, str] = {}
        found: list[Annotation] = []
        for at, line in lines(data):
            header = _HEADER.fullmatch(line)
            annotation = None if header else _object(line)
            if header:
                about[header[1].lower()] = header[2]
            elif annotation is not None:
                found.append(annotation)
            else:
                report.problem(
                    "dota.line", "not eight finite numbers and a class", f"{pair.annotation}:{at}", severity="error", key=pair.path,
                    raw=line, action="skipped",
                )  # fmt: skip
        return {"annotations": tuple(found), "extra": {"dota": about} if about else {}}

    def encode_file(self, sample: Sample, context: WriteContext) -> bytes:
        about = sample.extra.get("dota", {})
        head = [f"{name}:{about[name]}\n" for name in HEADERS if isinstance(about.get(name), str)]
        return "".join([*head, *(_line(a, context) for a in sample.annotations or ())]).encode()


def _object(line: str) -> Annotation | None:
    """The object of a line: the first eight tokens are numbers, the last is the difficulty unless it is the ninth."""
    tokens = line.split()
    try:
        ring = tuple(map(float, tokens[:8]))
    except ValueError:
        return None
    if len(tokens) < 9 or not all(map(isfinite, ring)):
        return None
    name, level = (tokens[8], "0") if len(tokens) == 9 else (" ".join(tokens[8:-1]), tokens[-1])
    return Annotation(
        label=name,
        shape=RotatedBox(corners=ring),
        attributes={} if level == "0" else {"difficult": True},
        extra={} if level in ("0", "1") else {"dota": {"difficult": level}},
    )


def _line(annotation: Annotation, context: WriteContext) -> str:
    shape = annotation.shape
    corners = shape.corners if isinstance(shape, RotatedBox) else ()
    level = "0"
    if annotation.attributes.get("difficult") is True:
        own = annotation.extra.get("dota", {}).get("difficult")
        level = own if isinstance(own, str) and re.fullmatch(WORD, own) else "1"
    return f"{' '.join(map(spell, corners))} {context.name(annotation.label)} {level}\n"
