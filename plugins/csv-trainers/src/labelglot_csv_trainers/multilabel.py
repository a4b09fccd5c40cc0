"""One-hot classification tables: a column per class, a row per image, 0 or 1 in the cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from labelglot.errors import LabelglotError
from labelglot.images import is_image
from labelglot.plugin import (
    Dataset,
    Group,
    Holds,
    LabelHolds,
    Match,
    Naming,
    Options,
    ReadContext,
    Report,
    Sample,
    Source,
    Table,
    Tag,
    TagHolds,
    WriteContext,
    first_rows,
    merge_labels,
    split_of_path,
)
from labelglot.wire.text import LINE
from pydantic import Field

from labelglot_csv_trainers.images import FOLDERS, file_of

FILE = ("filename", "file_name", "image_name", "image", "image_id", "id", "img", "path", "name")
TABLE = "_classes.csv"
_WORDS = {"": 0.0, "true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0, "nan": 0.0}


class MultilabelCsv(Table):
    """Classes of images, each once and in the order of the columns."""

    id = "multilabel-csv"
    name = "Classification CSV (one-hot)"
    url = "https://roboflow.com/formats/multi-label-classification-csv"
    header = ("filename",)
    holds = Holds(
        labels=LabelHolds(names=LINE), tags=TagHolds(order="labels"), size=False, naming=Naming(pattern=LINE)
    )

    class ReadOptions(Options):
        """What the cells mean."""

        negatives: bool = Field(
            False, title="Negatives", description="read 0 as 'verified not to be there' rather than as nothing said"
        )
        scores: bool = Field(False, title="Scores", description="read fractions as scores of classes")
        unlabeled: str = Field(
            "", title="Unlabeled column", description="a column that only says that no class applies; it is passed over"
        )

    class WriteOptions(Options):
        """What is written."""

        negatives: bool = Field(
            False, title="Negatives", description="write 0 only for classes verified not to be there, else leave the cell empty"
        )

    def holds_with(self, options: Any) -> Holds:
        return self.holds.replace(tags=TagHolds(order="labels", negative=True)) if options.negatives else self.holds

    def detect(self, source: Source) -> Match | None:
        for name in source.match("*.csv")[:20]:
            if _is_one_hot(first_rows(source.head(name, 1 << 16))):
                roboflow = name.rpartition("/")[2] == TABLE
                return Match(0.9 if roboflow else 0.75, f"{name} has a column of images, and 0 or 1 for each class")
        return None

    def tables(self, context: ReadContext) -> Sequence[str]:
        names = context.source.match("*.csv")
        found = [n for n in names if _is_one_hot(first_rows(context.source.head(n, 1 << 16))) or n.endswith(TABLE)]
        return found or names

    def columns_of(self, cells: Sequence[str]) -> Mapping[str, int]:
        names = [cell.strip() for cell in cells]
        twice = [name for i, name in enumerate(names[1:], 1) if name in names[1:i]]
        if twice:
            raise LabelglotError(f"the class {twice[0]!r} has two columns")
        return {name: i for i, name in enumerate(names) if i and name}

    def folders(self, table: str) -> Sequence[str]:
        return FOLDERS

    def image_of(self, cells: Sequence[str], columns: Mapping[str, int]) -> str | None:
        return cells[0].strip() or None

    def finish(self, dataset: Dataset, columns: Mapping[str, Mapping[str, int]], context: ReadContext) -> Dataset:
        passed = context.options.unlabeled
        labels = merge_labels([name for name in table if name != passed] for table in columns.values())
        return dataset.replace(labels=labels, labels_complete=True)

    def decode(self, group: Group, columns: Mapping[str, int], context: ReadContext, report: Report) -> Sample | None:
        place = file_of(group.image, group.table.rpartition("/")[0], context)
        tags: dict[str, Tag] = {}
        expected = 1 + max(columns.values(), default=0)
        for row in group.rows:
            line = f"{group.table}:{row.number}"
            if len(row.cells) != expected and any(cell.strip() for cell in row.cells[1:]):
                message = f"{len(row.cells)} cells where the header has {expected}"
                report.problem(
                    f"{self.id}.row", message, line, severity="error", key=place.path, raw=",".join(row.cells),
                    action="its classes are skipped",
                )  # fmt: skip
                continue
            for name, at in columns.items():
                if name == context.options.unlabeled or at >= len(row.cells):
                    continue
                tag = self._tag(name, row.cells[at].strip(), context.options, line, place.path, report)
                if tag is not None:
                    tags[name] = tag
        split = split_of_path(group.table)
        return Sample(
            path=place.path, uri=place.uri, image=place.image, splits=(split,) if split else (),
            tags=tuple(tags[name] for name in columns if name in tags), annotations=(),
        )  # fmt: skip

    def _tag(self, name: str, cell: str, options: Any, line: str, key: str, report: Report) -> Tag | None:
        value = _value(cell)
        if value is None:
            report.problem(
                f"{self.id}.cell", f"{name} is {cell!r}, neither 0 nor 1", line, severity="error", key=key,
                action="skipped",
            )  # fmt: skip
            return None
        if 0 < value < 1:
            if options.scores:
                return Tag(label=name, score=value)
            report.problem(f"{self.id}.fraction", f"{name} is {cell}", line, key=key, action="taken as 1 from 0.5 on")
        if value >= 0.5:
            return Tag(label=name)
        return Tag(label=name, negative=True) if options.negatives and cell else None

    def table_path(self, split: str | None, context: WriteContext) -> str:
        return context.document(TABLE)

    def header_for(self, context: WriteContext) -> Sequence[str]:
        return (*self.header, *(label.name for label in context.labels))

    def rows(self, sample: Sample, context: WriteContext) -> Iterable[Sequence[object]]:
        said = {tag.label: 0 if tag.negative else 1 for tag in sample.tags}
        missing = "" if context.options.negatives else 0
        yield (sample.path, *(said.get(label.key, missing) for label in context.labels))


def _value(cell: str) -> float | None:
    """0 to 1; CelebA's -1 is 0."""
    try:
        value = _WORDS[cell.lower()] if cell.lower() in _WORDS else float(cell)
    except ValueError:
        return None
    return max(value, 0.0) if -1 <= value <= 1 else None


def _is_one_hot(rows: Sequence[Sequence[str]]) -> bool:
    """A header that begins with a file column, then rows of 0 and 1."""
    if len(rows) < 2 or len(rows[0]) < 2 or rows[0][0].strip().lower() not in FILE or is_image(rows[0][0]):
        return False
    return all(len(row) == len(rows[0]) and all(_value(cell.strip()) in (0, 1) for cell in row[1:]) for row in rows[1:])


__all__ = ["MultilabelCsv"]
