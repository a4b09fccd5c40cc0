"""keras-retinanet CSV: ``path,x1,y1,x2,y2,class`` without header, and ``class,id`` in a second table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from labelglot.images import is_image
from labelglot.plugin import (
    Annotation,
    Dataset,
    File,
    Group,
    Holds,
    Label,
    LabelHolds,
    Match,
    Pieces,
    Problem,
    ReadContext,
    Report,
    Sample,
    Source,
    Table,
    WriteContext,
    first_rows,
    merge_labels,
    split_of_path,
)
from labelglot.wire.text import LINE

from labelglot_csv_trainers.boxes import SPLITS, WHOLE, check, corners, whole

CLASSES = "classes.csv"
MOST_CLASSES = 1 << 20


class RetinanetCsv(Table):
    """Boxes in whole pixels; an image without any is a row of empty cells."""

    id = "retinanet-csv"
    name = "keras-retinanet CSV"
    url = "https://github.com/fizyr/keras-retinanet"
    header = ("path", "x1", "y1", "x2", "y2", "class")
    has_header = False
    holds = Holds(
        geometry=(frozenset({"box"}),), boxes=WHOLE, size=False, splits=SPLITS,
        labels=LabelHolds(ids="int", ids_required=True, first_id=0, names=LINE),
    )  # fmt: skip

    def holds_alone(self, holds: Holds) -> Holds:
        """One table without the table of classes beside it."""
        return holds.replace(labels=LabelHolds(names=LINE, unused=False, order="appearance"))

    def detect(self, source: Source) -> Match | None:
        tables = source.match("*.csv")[:50]
        found = [name for name in tables if _is_table(source.head(name))]
        if not found:
            return None
        if not is_image(first_rows(source.head(found[0]))[0][0]):
            return Match(0.4, f"{found[0]} has rows of path, corners and class below a header that keras-retinanet does not take")
        if any(_is_classes(source.head(name)) for name in tables):
            return Match(0.9, f"{found[0]} has rows of path, corners and class, and there is a table of classes")
        return Match(0.75, f"{found[0]} has rows of path, corners and class, without header")

    def tables(self, context: ReadContext) -> Sequence[str]:
        source = context.source
        return [name for name in source.match("*.csv") if source.focus or not _is_classes(source.head(name))]

    def split_of(self, table: str) -> str | None:
        return split_of_path(table, ends=("_annotations", "_labels"))

    def is_header(self, cells: Sequence[str]) -> bool:
        return any(cells[1:5]) and not _corner_cells(cells)

    def columns_of(self, cells: Sequence[str]) -> Mapping[str, int]:
        return {name: i for i, name in enumerate(self.header)}

    def labels(self, context: ReadContext) -> Sequence[Label | str] | None:
        found = [name for name in context.source.companions() if name.lower().endswith(".csv")]
        return merge_labels(list(_classes(name, context)) for name in found if _is_classes(context.source.head(name)))

    def finish(self, dataset: Dataset, columns: Mapping[str, Mapping[str, int]], context: ReadContext) -> Dataset:
        return dataset.replace(labels_complete=False)

    def image_of(self, cells: Sequence[str], columns: Mapping[str, int]) -> str | None:
        return cells[0] or None

    def decode(self, group: Group, columns: Mapping[str, int], context: ReadContext, report: Report) -> Sample | None:
        where = context.place(group.image, group.table.rpartition("/")[0])
        annotations = []
        for row in group.rows:
            place = f"{group.table}:{row.number}"
            cells = [cell.strip() for cell in row.cells]
            if not any(cells[1:]):
                continue
            box = corners(cells[1:5]) if len(cells) >= 6 else None
            if box is None:
                report.problem(
                    f"{self.id}.number", "the row has no four corners and a class", place, severity="error",
                    key=where.path, raw=",".join(row.cells), action="skipped",
                )  # fmt: skip
                continue
            check(box, place, where.path, report, self.id)
            annotations.append(Annotation(label=cells[5] or None, box=box))
        split = self.split_of(group.table)
        return Sample(
            path=where.path, uri=where.uri, image=where.image, splits=(split,) if split else (),
            annotations=tuple(annotations),
        )  # fmt: skip

    def rows(self, sample: Sample, context: WriteContext) -> Iterable[Sequence[object]]:
        if not sample.annotations:
            yield (sample.path, "", "", "", "", "")
        for a in sample.annotations or ():
            yield (sample.path, *whole(a.box), context.name(a.label))

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[Any]:
        yield from super().encode(sample, context, ordinal)
        for position, a in enumerate(sample.annotations or ()):
            if a.box is not None and (a.box[2] <= a.box[0] or a.box[3] <= a.box[1]):
                message = "keras-retinanet refuses boxes that end where they begin, or before"
                yield Problem(f"{self.id}.box", message, object=position)

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        yield from super().assemble(context, pieces)
        if context.single is None:
            yield File(CLASSES, self.spell([(label.name, label.id) for label in context.labels]).encode())


def _corner_cells(cells: Sequence[str]) -> bool:
    return len(cells) >= 5 and corners(cells[1:5]) is not None


def _is_table(head: bytes) -> bool:
    """A first row of names is tolerated."""
    rows = first_rows(head)
    if len(rows) > 1 and not is_image(rows[0][0]):
        rows = rows[1:]
    return bool(rows) and all(
        len(row) == 6 and is_image(row[0]) and (_corner_cells(row) or not any(row[1:])) for row in rows
    )


def _is_classes(head: bytes) -> bool:
    rows = first_rows(head)
    return bool(rows) and all(len(row) == 2 and (_is_id(row[1]) or _is_id(row[0])) for row in rows) and not any(
        is_image(cell) for row in rows for cell in row
    )


def _is_id(text: str) -> bool:
    return text.strip().isdecimal() and len(text) < 19


def _classes(path: str, context: ReadContext) -> Iterator[Label]:
    """The classes of a table, in written order."""
    names: set[str] = set()
    rows = first_rows(context.source.head(path, 1 << 24), most=MOST_CLASSES)
    swapped = all(_is_id(row[0]) for row in rows) and not all(_is_id(row[-1]) for row in rows)
    if swapped:
        context.report.problem("retinanet-csv.classes", "the number stands before the class", path, action="read so")
    for number, row in enumerate(rows, 1):
        name, id_ = (row[-1].strip(), row[0]) if swapped else (row[0].strip(), row[-1])
        if len(row) != 2 or not _is_id(id_) or not name or name in names:
            message = "the class stands there twice" if name in names else "the row is no class and number"
            context.report.problem(
                "retinanet-csv.classes", message, f"{path}:{number}", severity="error", raw=",".join(row), action="skipped"
            )
            continue
        names.add(name)
        yield Label(key=name, name=name, id=int(id_))


__all__ = ["RetinanetCsv"]
