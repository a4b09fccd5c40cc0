"""Udacity's self-driving car tables: Autti's (blanks, no header, occlusion, lights) and CrowdAI's (commas, header)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from labelglot.images import is_image
from labelglot.plugin import (
    Annotation,
    Dataset,
    Group,
    Holds,
    LabelHolds,
    Match,
    Options,
    Piece,
    ReadContext,
    Report,
    Sample,
    Source,
    Table,
    WriteContext,
    first_rows,
    split_of_path,
)
from labelglot.wire.text import LINE
from pydantic import Field

from labelglot_csv_trainers.boxes import WHOLE, check, corners, whole
from labelglot_csv_trainers.images import Unlisted, with_unlisted

CROWDAI = ("xmin", "ymin", "xmax", "ymax", "Frame", "Label", "Preview URL")
AUTTI = ("Frame", "xmin", "ymin", "xmax", "ymax", "occluded", "Label", "state")
_AUTTI_LINE = re.compile(r'"?.*?\.\w+"?([ ,\t;])-?\d+(?:\1-?\d+){3}\1[01]\1\S')
_SPECIAL = re.compile(r'[\s"]')


class Udacity(Table):
    """Boxes in whole pixels."""

    id = "udacity"
    name = "Udacity self-driving car CSV (Autti, CrowdAI)"
    url = "https://github.com/udacity/self-driving-car/tree/master/annotations"
    header = AUTTI
    holds = Holds(
        geometry=(frozenset({"box"}),), boxes=WHOLE, size=False, empty=False,
        labels=LabelHolds(names=LINE, unused=False, order="appearance"),
        flags={"occluded": frozenset({"bool"}), "state": frozenset({"str"})}, defaults={"occluded": False},
    )  # fmt: skip

    class ReadOptions(Unlisted):
        """Which images there are."""

    class WriteOptions(Options):
        """Which of the two tables to write."""

        table: Literal["autti", "crowdai"] = Field(
            "autti", title="Table", description="autti: with occlusion and state of lights; crowdai: with a header"
        )

    def holds_with(self, options: Any) -> Holds:
        if options.table == "autti":
            return self.holds
        return self.holds.replace(flags={}, defaults={}, extra=frozenset({"udacity"}))

    def detect(self, source: Source) -> Match | None:
        for name in source.match("*.csv")[:20]:
            head = source.head(name)
            if _is_crowdai(next(iter(first_rows(head)), ())):
                return Match(0.95, f"{name} has the header of CrowdAI's table")
            lines = [line for line in head.decode("utf-8-sig", "replace").splitlines()[:5] if line]
            if lines and all(_AUTTI_LINE.match(line) for line in (lines[:-1] or lines)):
                return Match(0.9, f"{name} has rows of frame, corners, occlusion and label")
        return None

    def delimiter_of(self, head: bytes) -> str:
        line = re.sub(r'"[^"]*"', '""', head.decode("utf-8-sig", "replace").partition("\n")[0])
        return max(", ;\t", key=line.count)

    def is_header(self, cells: Sequence[str]) -> bool:
        return _is_crowdai(cells) or (len(cells) > 4 and not is_image(cells[0]) and corners(cells[1:5]) is None)

    def columns_of(self, cells: Sequence[str]) -> Mapping[str, int]:
        """CrowdAI's first header gave the corners in a wrong order; they are always xmin, ymin, xmax, ymax."""
        names = CROWDAI if _is_crowdai(cells) else self.header
        return {name: i for i, name in enumerate(names)}

    def image_of(self, cells: Sequence[str], columns: Mapping[str, int]) -> str | None:
        return cells[columns["Frame"]] or None if columns["Frame"] < len(cells) else None

    def finish(self, dataset: Dataset, columns: Mapping[str, Mapping[str, int]], context: ReadContext) -> Dataset:
        return with_unlisted(dataset, columns, self, context)

    def decode(self, group: Group, columns: Mapping[str, int], context: ReadContext, report: Report) -> Sample | None:
        where = context.place(group.image, group.table.rpartition("/")[0])
        annotations = []
        for row in group.rows:
            place = f"{group.table}:{row.number}"
            cells = {name: row.cells[i].strip() for name, i in columns.items() if i < len(row.cells)}
            box = corners([cells.get(name, "") for name in CROWDAI[:4]])
            if box is None:
                report.problem(
                    f"{self.id}.number", "the row has no four corners", place, severity="error", key=where.path,
                    raw=",".join(row.cells), action="skipped",
                )  # fmt: skip
                continue
            check(box, place, where.path, report, self.id)
            attributes: dict[str, bool | str] = {}
            if cells.get("occluded", "0") not in ("0", ""):
                attributes["occluded"] = True
            if cells.get("state"):
                attributes["state"] = cells["state"]
            link = cells.get("Preview URL")
            annotations.append(
                Annotation(
                    label=cells.get("Label") or None, box=box, attributes=dict(attributes),
                    extra={self.id: {"Preview URL": link}} if link else {},
                )
            )  # fmt: skip
        if group.rows and not annotations:
            return None
        split = split_of_path(group.table)
        return Sample(
            path=where.path, uri=where.uri, image=where.image, splits=(split,) if split else (),
            annotations=tuple(annotations),
        )  # fmt: skip

    def table_path(self, split: str | None, context: WriteContext) -> str:
        return context.document("labels.csv")

    def header_for(self, context: WriteContext) -> Sequence[str]:
        return CROWDAI if context.options.table == "crowdai" else ()

    def rows(self, sample: Sample, context: WriteContext) -> Iterable[Sequence[object]]:
        for a in sample.annotations or ():
            link = a.extra.get(self.id, {}).get("Preview URL", "")
            yield (*whole(a.box), sample.path, context.name(a.label), link)

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[Any]:
        if context.options.table == "crowdai":
            yield from super().encode(sample, context, ordinal)
            return
        lines = []
        for a in sample.annotations or ():
            numbers = " ".join(map(str, whole(a.box)))
            frame = _quoted(sample.path) if _SPECIAL.search(sample.path) else sample.path
            state = a.attributes.get("state")
            lines.append(
                f"{frame} {numbers} {int(bool(a.attributes.get('occluded')))} {_quoted(context.name(a.label))}"
                + (f" {_quoted(str(state))}" if state else "")
            )
        yield Piece(self.table_path(sample.split, context), "".join(f"{line}\n" for line in lines).encode())


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _is_crowdai(cells: Sequence[str]) -> bool:
    names = [cell.strip().lower() for cell in cells]
    return names[:1] == ["xmin"] and {"frame", "label"} <= set(names)


__all__ = ["Udacity"]
