"""VoTT CSV: a row per tag of a region, reduced to corners in pixels."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any

from labelglot.plugin import (
    Annotation,
    Group,
    Holds,
    LabelHolds,
    Match,
    Naming,
    Options,
    ReadContext,
    Report,
    Row,
    Sample,
    Source,
    Table,
    WriteContext,
)
from pydantic import Field

from labelglot_vott.splits import SPLITS, split_of

HEADER = ("image", "xmin", "ymin", "xmax", "ymax", "label")
ENDING = "-export.csv"


class VottCsv(Table):
    """Boxes with a label. An image without any is a row without coordinates."""

    id = "vott-csv"
    name = "VoTT CSV"
    url = "https://github.com/microsoft/VoTT"
    header = HEADER
    quoting = csv.QUOTE_NONNUMERIC
    holds = Holds(
        geometry=(frozenset({"box"}),),
        labels=LabelHolds(unused=False, order="appearance", names=r"(?s:.+)"),
        size=False,
        splits=SPLITS,
        naming=Naming(folders=False),
    )

    class WriteOptions(Options):
        """How images without objects are treated."""

        empty_rows: bool = Field(
            default=True,
            title="Rows of empty images",
            description="write a row without coordinates for each image without objects; false leaves these images "
            "out, as VoTT does",
        )

    def holds_with(self, options: Any) -> Holds:
        return self.holds if options.empty_rows else self.holds.replace(empty=False)

    def detect(self, source: Source) -> Match | None:
        found = [name for name in source.match("*.csv")[:20] if _is_header(_first_row(source, name))]
        if not found:
            return None
        named = [name for name in found if name.lower().endswith(ENDING)]
        return Match(0.95 if named else 0.85, f"{(named or found)[0]} has the header of a VoTT export")

    def tables(self, context: ReadContext) -> Sequence[str]:
        names = context.source.match("*.csv")
        return [name for name in names if _is_header(_first_row(context.source, name))] or names

    def table_path(self, split: str | None, context: WriteContext) -> str:
        return context.document(f"{split or 'vott'}{ENDING}", per_split=True)

    def is_header(self, cells: Sequence[str]) -> bool:
        return _is_header(cells)

    def image_of(self, cells: Sequence[str], columns: Mapping[str, int]) -> str | None:
        place = columns.get("image", 0)
        return cells[place] or None if place < len(cells) else None

    def decode(self, group: Group, columns: Mapping[str, int], context: ReadContext, report: Report) -> Sample | None:
        place = context.place(group.image, group.table.rpartition("/")[0])
        found = (_annotation(row, columns, f"{group.table}:{row.number}", place.path, report) for row in group.rows)
        split = split_of(group.table, ENDING)
        return Sample(
            path=place.path,
            uri=place.uri,
            image=place.image,
            splits=(split,) if split else (),
            annotations=tuple(a for a in found if a is not None),
        )

    def rows(self, sample: Sample, context: WriteContext) -> Iterable[Sequence[object]]:
        if not sample.annotations:
            yield (sample.path, "", "", "", "", "")
        for a in sample.annotations or ():
            yield (sample.path, *map(_plain, a.box or ()), context.name(a.label))


def _annotation(row: Row, columns: Mapping[str, int], place: str, key: str, report: Report) -> Annotation | None:
    cells = {name: row.cells[i] for name, i in columns.items() if i < len(row.cells)}
    corners = [cells.get(name, "").strip() for name in HEADER[1:5]]
    if not any(corners):
        return None
    try:
        x0, y0, x1, y1 = map(float, corners)
    except ValueError:
        x0 = y0 = x1 = y1 = float("nan")
    if not isfinite(x0 + y0 + x1 + y1):
        report.problem(
            "vott-csv.number", f"the corners are {', '.join(corners)}", place, severity="error", key=key,
            raw=",".join(row.cells), action="skipped",
        )  # fmt: skip
        return None
    return Annotation.trusted(label=cells.get("label") or None, box=(x0, y0, x1, y1))


def _plain(value: float) -> float:
    """Whole numbers without point, as VoTT writes them."""
    return int(value) if abs(value) < 1e15 and value == int(value) else value


def _first_row(source: Source, name: str) -> list[str]:
    text = source.head(name, 1024).decode("utf-8-sig", "replace")
    return next(csv.reader(text.splitlines()[:1]), [])


def _is_header(cells: Sequence[str]) -> bool:
    """A column of row numbers in front, as pandas adds one, is tolerated."""
    names = [cell.strip() for cell in cells]
    return tuple(names) == HEADER or tuple(names[1:]) == HEADER
