"""VisDrone: a text file per image (DET), or per sequence (VID and MOT, read only)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from labelglot.images import SourceImage
from labelglot.plugin import (
    PIXELS_XYWH,
    Annotation,
    Dataset,
    File,
    Holds,
    LabelHolds,
    Match,
    Mirrored,
    Naming,
    Pair,
    Pieces,
    ReadContext,
    Records,
    Report,
    Sample,
    Source,
    WriteContext,
    in_pixels,
    split_role,
    with_suffix,
)
from labelglot.wire.text import LINE, lines

from labelglot_visdrone.rows import CLASSES, DET, VIDEO, read_row, values, write_row

NAMES = "classes.txt"
_SPLIT = re.compile(r"VisDrone\d*-[A-Za-z]+-(\w[\w-]*)")
_VIDEO = re.compile(r"(?:(.*)/)?annotations/([^/]+)\.txt", re.IGNORECASE)
_FRAME = re.compile(r"(?:(.*)/)?sequences/([^/]+)/([0-9]{1,8})\.\w+")
LAST_FRAME = 10**8


class Frame(NamedTuple):
    """A frame of a sequence with the rows about it."""

    path: str
    image: str | None
    splits: tuple[str, ...]
    sequence: str
    number: int
    file: str
    rows: tuple[tuple[int, str], ...] | None


class VisDrone(Mirrored):
    """Boxes in twelve classes, with truncation and occlusion levels; rows of flag 0 are to be ignored.

    Other classes get the numbers from 12 and a list ``classes.txt``, which the benchmark does not know.
    """

    id = "visdrone"
    name = "VisDrone"
    url = "https://github.com/VisDrone/VisDrone-Dataset"
    image_folder = "images"
    file_folder = "annotations"
    holds = Holds(
        geometry=(frozenset({"box"}),),
        boxes=PIXELS_XYWH,
        labels=LabelHolds(unused=False, order="appearance", names=LINE),
        flags={"ignore": frozenset({"bool"}), "truncated": frozenset({"int"}), "occluded": frozenset({"int"})},
        defaults={"ignore": False, "truncated": 0, "occluded": 0},
        size=False,
        naming=Naming(unique="stem", suffix=False),
    )

    def detect(self, source: Source) -> Match | None:
        files = self.annotation_files(source)
        named = any("visdrone" in part.lower() for path in files[:1] for part in (source.name, *path.split("/")))
        for path in files[:: max(1, len(files) // 8)][:8]:
            line = next((line for _, line in lines(source.head(path, 1024))), "")
            row = values(line)
            if row is not None and len(row) in (DET, VIDEO) and "annotations" in path.lower().split("/"):
                usual = (
                    row[-3] in range(12) and row[-2] in (-1, 0, 1) and row[-1] in (-1, 0, 1, 2) and row[-4] in (0, 1)
                )
                score = (0.95 if named else 0.8) if usual else 0.5
                return Match(score, f"{path}: rows of {len(row)} numbers, the last three a category and two levels")
        return None

    def is_annotation(self, source: Source, path: str) -> bool:
        row = next((values(line) for _, line in lines(source.head(path, 1024))), None)
        return row is not None and len(row) in (DET, VIDEO)

    def split_of(self, folder: str) -> str | None:
        named = _SPLIT.fullmatch(folder)
        return named[1] if named else folder if split_role(folder) is not None else None

    def pairs(self, context: ReadContext) -> Sequence[Pair]:
        names = _names(context)
        return [pair._replace(more=names) for pair in super().pairs(context)]

    def read(self, context: ReadContext) -> Dataset:
        frames = self._frames(context)
        if not frames:
            return super().read(context)
        return Dataset(Records(frames, _Decode(context.source, _names(context))), (), labels_complete=False)

    def parse(self, data: bytes, pair: Pair, report: Report) -> Mapping[str, Any]:
        return {"annotations": _objects(lines(data), DET, pair.more, pair.annotation or "", pair.path or "", report)}

    def encode_file(self, sample: Sample, context: WriteContext) -> bytes:
        return "".join(write_row(a, context) for a in sample.annotations or ()).encode()

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        foreign = [label.name for label in context.labels if label.name not in CLASSES]
        if foreign:
            yield File(NAMES, "".join(f"{name}\n" for name in (*CLASSES, *foreign)).encode())

    def _frames(self, context: ReadContext) -> list[Frame]:
        """The frames of sequences: the files whose rows have ten numbers, or that have a folder of images of their name."""
        images: dict[tuple[str, str], dict[int, str]] = {}
        for path in context.images.paths:
            shown = _FRAME.fullmatch(path)
            if shown and self.image_folder not in (shown[1] or "").split("/"):
                images.setdefault((shown[1] or "", shown[2]), {})[int(shown[3])] = path
        found: list[Frame] = []
        for path in self.annotation_files(context.source):
            named = _VIDEO.fullmatch(path)
            first = next((values(line) for _, line in lines(context.source.head(path, 1024))), None)
            head, sequence = (named[1] or "", named[2]) if named else ("", with_suffix(path.rpartition("/")[2], ""))
            if (head, sequence) in images or (first is not None and len(first) == VIDEO):
                found += self._sequence(path, head, sequence, images.pop((head, sequence), {}), context)
        for (head, sequence), left in images.items():
            splits = self._splits(head)
            found += [Frame(f"{sequence}/{n:07d}", image, splits, sequence, n, "", None) for n, image in left.items()]
        return [_called(frame) for frame in found]

    def _splits(self, head: str) -> tuple[str, ...]:
        split = self.split_of(head.rpartition("/")[2])
        return (split,) if split is not None else ()

    def _sequence(
        self, path: str, head: str, sequence: str, images: Mapping[int, str], context: ReadContext
    ) -> Iterable[Frame]:
        rows: dict[int, list[tuple[int, str]]] = {number: [] for number in images}
        for at, line in lines(context.source.read(path)):
            try:
                number = int(line.partition(",")[0])
                if not 0 <= number <= LAST_FRAME:
                    raise ValueError
            except ValueError:
                context.report.problem(
                    "visdrone.row", "no frame number", f"{path}:{at}", severity="error", raw=line, action="skipped"
                )
                continue
            rows.setdefault(number, []).append((at, line))
        for number, found in sorted(rows.items()):
            name = f"{sequence}/{number:07d}"
            yield Frame(name, images.get(number), self._splits(head), sequence, number, path, tuple(found))


def _called(frame: Frame) -> Frame:
    """A frame called like its image, if there is one."""
    if frame.image is None:
        return frame
    return frame._replace(path=f"{frame.sequence}/{frame.image.rpartition('/')[2]}")


def _names(context: ReadContext) -> tuple[str, ...]:
    """Names of the categories: of the list, else the benchmark's."""
    listed = context.source.match(NAMES)
    if not listed:
        return CLASSES
    return tuple(name for _, name in lines(context.source.read(listed[0])))


def _objects(
    rows: Iterable[tuple[int, str]], fields: int, names: Sequence[str], file: str, key: str, report: Report
) -> tuple[Annotation, ...]:
    found = (read_row(line, fields, names, f"{file}:{at}", key, report) for at, line in rows)
    return tuple(a for a in found if a is not None)


class _Decode:
    """Turns the rows of a frame into a sample."""

    def __init__(self, source: Source, names: Sequence[str]) -> None:
        self.source, self.names = source, names

    def __call__(self, record: Frame, ordinal: int, report: Report) -> Sample | None:
        found = None
        if record.rows is not None:
            found = _objects(record.rows, VIDEO, self.names, record.file, record.path, report)
        image = None if record.image is None else SourceImage(self.source, record.image)
        return in_pixels(
            Sample(
                path=record.path, image=image, splits=record.splits, sequence=record.sequence, frame=record.number,
                annotations=found,
            )
        )  # fmt: skip
