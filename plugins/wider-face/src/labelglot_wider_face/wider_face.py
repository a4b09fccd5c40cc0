"""WIDER FACE: one text file per split; for each image its path, the number of faces, and a row per face."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, Literal, NamedTuple

from labelglot.formats.base import seen_from
from labelglot.images import SourceImage, is_image
from labelglot.plugin import (
    PIXELS_XYWH,
    Annotation,
    Content,
    Document,
    Holds,
    LabelHolds,
    Match,
    Naming,
    Options,
    ReadContext,
    Report,
    Sample,
    Source,
    Tag,
    WriteContext,
    number,
    under,
)
from labelglot.storage import clean_foreign
from labelglot.wire.text import LINE, WORD, lines, spell
from pydantic import Field

FACE = "face"
README = ("blur", "expression", "illumination", "ignore", "occluded", "pose")
DATUMARO = ("blur", "expression", "illumination", "occluded", "pose", "ignore")
"""Columns behind the box, in the data set's order and in that of Datumaro and CVAT. ``ignore`` is called invalid."""
_NAME = re.compile(r"wider_face(?:_(.+?))?_(bbx_gt|filelist)\.txt", re.IGNORECASE)
_EVENT = re.compile(r"\d+--(.+)")
_WORDS = {"True": 1, "False": 0}


class Block(NamedTuple):
    """An image with its rows and their line numbers; ``None``: only its name is listed."""

    name: str
    line: int
    rows: tuple[tuple[int, str], ...] | None


class Shared(NamedTuple):
    """What all blocks of a list need: the order of its columns, and where its images are."""

    columns: tuple[str, ...]
    folders: tuple[str, ...]


class WiderFace(Document):
    """Boxes with six attributes, 0 where nothing is said. Objects are faces unless a word behind the row says otherwise."""

    id = "wider-face"
    name = "WIDER FACE"
    url = "http://shuoyang1213.me/WIDERFACE/"
    documents = (".txt",)
    separator = b""
    holds = Holds(
        geometry=(frozenset({"box"}),),
        boxes=PIXELS_XYWH,
        labels=LabelHolds(unused=False, order="appearance", names=WORD),
        flags={name: frozenset({"bool" if name == "ignore" else "int"}) for name in README},
        defaults={name: False if name == "ignore" else 0 for name in README},
        size=False,
        splits="any",
        naming=Naming(pattern=LINE, scope="split"),
    )

    class ReadOptions(Options):
        """Options of the reader."""

        columns: Literal["auto", "readme", "datumaro"] = Field(
            default="auto",
            title="Order of columns",
            description="readme: invalid, occlusion, pose; datumaro: occlusion, pose, invalid, as CVAT and Datumaro write; "
            "auto: the latter where coordinates are written as 1.0 or values as True, False or -",
        )
        events: bool = Field(
            default=False,
            title="Events",
            description="the event in the folder's name (0--Parade) becomes a class of the image",
        )

    def detect(self, source: Source) -> Match | None:
        files = source.match("*.txt")
        named = [path for path in files if _NAME.fullmatch(path.rpartition("/")[2])]
        if named:
            return Match(0.95, f"{named[0]} is called like a list of WIDER FACE")
        for path in files[:20]:
            first = [line for _, line in lines(source.head(path, 1024))][:3]
            if len(first) == 3 and is_image(first[0]) and first[1].isdigit() and len(_row(first[2])) >= 10:
                return Match(0.75, f"{path}: a path, a number, and rows of ten numbers")
        return None

    def inputs(self, context: ReadContext) -> Sequence[tuple[str, str | None]]:
        files = context.source.match("*.txt")
        named = [(path, found[1]) for path in files if (found := _NAME.fullmatch(path.rpartition("/")[2]))]
        return named or [
            (path, None) for path in files if any(is_image(x) for _, x in lines(context.source.head(path)))
        ]

    def parse(self, data: bytes, path: str, context: ReadContext) -> Content:
        name = _NAME.fullmatch(path.rpartition("/")[2])
        if name and name[2].lower() == "filelist":
            blocks = [Block(line, at, None) for at, line in lines(data)]
        else:
            blocks = list(_blocks(data, path, context.report))
        chosen = context.options.columns
        rows = (row for block in blocks for _, row in block.rows or ())
        datumaro = chosen == "datumaro" or (chosen == "auto" and any(map(_is_datumaro, rows)))
        base = path.rpartition("/")[0].rpartition("wider_face_split")[0].rstrip("/")
        root = "WIDER" if name is None or name[1] is None else f"WIDER_{name[1]}"
        folders = tuple(under(base, folder) for folder in (f"{root}/images", root, "images", ""))
        return Content(blocks, shared=Shared(DATUMARO if datumaro else README, folders))

    def decode(
        self, record: Block, path: str, split: str | None, shared: Shared, context: ReadContext, report: Report
    ) -> Sample | None:
        name = record.name.replace("\\", "/")
        own = seen_from("", name) or next(iter(clean_foreign(name)), None)
        if own is None:
            report.problem("wider-face.name", f"{name!r} names no image", f"{path}:{record.line}", action="skipped")
            return None
        image = next((place for folder in shared.folders if (place := under(folder, own)) in context.images), None)
        if image is None:
            loose = context.images.find(own)
            of_split = loose is not None and any(part.startswith("WIDER") for part in loose.split("/"))
            image = loose if loose is not None and f"/{loose}".endswith(f"/{own}") and not of_split else None
        found = None
        if record.rows is not None:
            found = (_annotation(row, shared.columns, f"{path}:{at}", own, report) for at, row in record.rows)
        event = _EVENT.fullmatch(own.partition("/")[0]) if context.options.events else None
        return Sample(
            path=own,
            image=None if image is None else SourceImage(context.source, image),
            splits=() if split is None else (split,),
            tags=(Tag(label=event[1]),) if event else (),
            annotations=None if found is None else tuple(a for a in found if a is not None),
        )

    def document_path(self, split: str | None, context: WriteContext) -> str:
        name = "wider_face" if split is None else f"wider_face_{split}"
        return context.document(f"wider_face_split/{name}_bbx_gt.txt", per_split=True)

    def image_path(self, sample: Sample, context: WriteContext) -> str:
        root = "WIDER" if sample.split is None else f"WIDER_{sample.split}"
        return f"{root}/images/{sample.path}"

    def frame(self, split: str | None, context: WriteContext) -> tuple[bytes, bytes]:
        return b"", b""

    def encode_record(self, sample: Sample, context: WriteContext, ordinal: int) -> bytes:
        rows = [_spell(a, context) for a in sample.annotations or ()] or ["0 " * 10]
        return "\n".join([sample.path, str(len(sample.annotations or ())), *rows, ""]).encode()


def _row(line: str) -> list[str]:
    """The fields of a line that begins with four numbers; none if it does not."""
    cells = line.split()
    try:
        return cells if len(cells) >= 4 and [float(cell) for cell in cells[:4]] else []
    except ValueError:
        return []


def _is_datumaro(line: str) -> bool:
    cells = _row(line)
    return any(cell.endswith(".0") for cell in cells[:4]) or any(cell in ("True", "False", "-") for cell in cells[4:10])


def _blocks(data: bytes, path: str, report: Report) -> Iterator[Block]:
    """The images of a list. The count may be missing, or wrong; all rows behind a path are its own."""
    listed = list(lines(data))
    at = 0
    while at < len(listed):
        line, name = listed[at]
        at += 1
        count = None
        if at < len(listed) and listed[at][1].isascii() and listed[at][1].isdigit():
            count = int(listed[at][1][:9])
            at += 1
        rows: list[tuple[int, str]] = []
        while at < len(listed) and _row(listed[at][1]) and not (len(rows) == count and is_image(listed[at][1])):
            rows.append(listed[at])
            at += 1
        if not count and len(rows) == 1 and not any(float(cell) for cell in _row(rows[0][1])[:4]):
            rows = []
        elif len(rows) != (count or 0):
            report.problem(
                "wider-face.count", f"{count} faces are announced, {len(rows)} rows follow", f"{path}:{line}", key=name,
                action="the rows count",
            )  # fmt: skip
        yield Block(name, line, tuple(rows))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _annotation(line: str, columns: Sequence[str], place: str, key: str, report: Report) -> Annotation | None:
    cells = line.split()
    try:
        box = tuple(map(float, cells[:4]))
        rest = cells[4:]
        score = float(rest.pop()) if len(rest) == 1 and _is_number(rest[0]) else None
        word = rest.pop() if len(rest) in (1, 7) else FACE
        said = {n: _WORDS[c] if c in _WORDS else number(c) for n, c in zip(columns, rest, strict=False) if c != "-"}
        if not all(map(isfinite, (*box, *said.values(), score or 0))) or len(rest) not in (0, 6):
            raise ValueError
    except ValueError:
        report.problem(
            "wider-face.row", "not a box of four numbers with six values behind it", place, severity="error", key=key,
            raw=line, action="skipped",
        )  # fmt: skip
        return None
    if box[2] <= 0 or box[3] <= 0:
        report.problem("wider-face.empty", "a box without area", place, severity="info", key=key, raw=line)
    attributes: dict[str, Any] = {n: True if n == "ignore" else int(v) for n, v in said.items() if v}
    return Annotation(label=word, box=PIXELS_XYWH.read_box(box, None), score=score, attributes=attributes)


def _spell(annotation: Annotation, context: WriteContext) -> str:
    box = PIXELS_XYWH.write_box(annotation.box or (0, 0, 0, 0), None)
    said: Mapping[str, Any] = annotation.attributes
    name = context.name(annotation.label)
    return " ".join([*map(spell, box), *(str(int(said.get(n, 0))) for n in README), "" if name == FACE else name])
