"""Classification tables: a row per image with its class, under whatever names people give the columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from labelglot.images import is_image
from labelglot.plugin import (
    Dataset,
    Group,
    Holds,
    Info,
    LabelHolds,
    Match,
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
    split_of_path,
)
from labelglot.wire.text import LINE, lines
from pydantic import Field

from labelglot_csv_trainers.images import FOLDERS, file_of

FILE = ("filename", "file_name", "file", "image", "image_name", "image_id", "id", "path", "img", "name")
LABEL = ("label", "label_name", "class", "class_name", "category", "target", "species", "breed", "labels")
SPLIT = ("split", "set", "subset", "fold")
SCORE = ("score", "confidence")
_NOT_OURS = {"x", "y", "xmin", "xmax", "x1", "x2", "x_min", "bbox", "boxes", "segmentation", "left", "latitude"}
NAMES = rf"(?!(?i:nan)$){LINE}"


class MulticlassCsv(Table):
    """Classes of images; an image with several has several rows, one without has an empty cell."""

    id = "multiclass-csv"
    name = "Classification CSV (one label per row)"
    url = "https://www.kaggle.com/docs/datasets"
    header = ("filename", "label", "split")
    holds = Holds(
        labels=LabelHolds(names=NAMES, unused=False, order="appearance"), tags=TagHolds(), size=False, splits="any",
        extra=frozenset({"multiclass-csv"}),
    )  # fmt: skip

    class ReadOptions(Options):
        """Which columns are which, where the names do not tell."""

        file_column: str = Field("", title="File column", description="column of the image's name")
        label_column: str = Field("", title="Label column", description="column of the class")
        split_column: str = Field("", title="Split column", description="column of the split")
        order: Literal["appearance", "sorted"] = Field(
            "appearance", title="Order of classes", description="as they first appear, or sorted by name"
        )
        label_separator: str = Field(
            "", title="Label separator", description="what stands between several classes in one cell, e.g. '|'"
        )

    class WriteOptions(Options):
        """Further columns."""

        scores: bool = Field(False, title="Scores", description="write the score of each class in a column of its own")

    def holds_with(self, options: Any) -> Holds:
        return self.holds.replace(tags=TagHolds(score=True)) if options.scores else self.holds

    def detect(self, source: Source) -> Match | None:
        best: Match | None = None
        for name in source.match("*.csv")[:20]:
            head = source.head(name)
            rows = first_rows(head, self.delimiter_of(head))
            found = _looks(rows, name)
            if found is not None and (best is None or found.confidence > best.confidence):
                best = found
        return best

    def delimiter_of(self, head: bytes) -> str:
        line = head.decode("utf-8-sig", "replace").partition("\n")[0]
        return max(",;\t", key=line.count)

    def is_header(self, cells: Sequence[str]) -> bool:
        return not is_image(cells[0].strip()) if cells else False

    def columns_of(self, cells: Sequence[str]) -> Mapping[str, int]:
        columns: dict[str, int] = {}
        for i, cell in enumerate(cells):
            name = cell.strip()
            columns[f"{name}.{i}" if name in columns else name] = i
        return columns

    def folders(self, table: str) -> Sequence[str]:
        return FOLDERS

    def image_of(self, cells: Sequence[str], columns: Mapping[str, int]) -> str | None:
        at = _column(columns, FILE, "")
        at = next(iter(columns.values()), 0) if at is None else at
        return cells[at] or None if at < len(cells) else None

    def finish(self, dataset: Dataset, columns: Mapping[str, Mapping[str, int]], context: ReadContext) -> Dataset:
        names = list(dict.fromkeys(name for table in columns.values() for name in table if name))
        known = {*self.header, *FILE, *LABEL, *SPLIT, *SCORE}
        more = [name for name in names if name.lower() not in known]
        if more:
            dataset = dataset.replace(info=Info(extra={self.id: {"columns": more}}))
        if context.options.order == "sorted":
            dataset = dataset.complete()
            dataset = dataset.replace(labels=sorted(dataset.labels, key=lambda label: label.name))
        if context.source.exists("classes.txt"):
            listed = [line for _, line in lines(context.source.read("classes.txt"))]
            return dataset.map(Named(listed))
        return dataset

    def decode(self, group: Group, columns: Mapping[str, int], context: ReadContext, report: Report) -> Sample | None:
        options = context.options
        file = _column(columns, FILE, options.file_column)
        label, split = _column(columns, LABEL, options.label_column), _column(columns, SPLIT, options.split_column)
        score = _column(columns, SCORE, "")
        if label is None:
            label = next((i for i in columns.values() if i != file and i != split), None)
        place = file_of(group.image, group.table.rpartition("/")[0], context)
        tags: list[Tag] = []
        splits: dict[str, None] = {}
        extra: dict[str, str] = {}
        for row in group.rows:
            cells = row.cells
            more = {
                name: cells[i] for name, i in columns.items()
                if name and i not in (file, label, split) and i < len(cells) and cells[i]
            }  # fmt: skip
            if split is not None and split < len(cells) and cells[split].strip():
                splits.setdefault(cells[split].strip())
            found = _labels(cells, label, options.label_separator)
            number = _number(cells, score)
            if number is not None and found:
                more = {name: value for name, value in more.items() if columns[name] != score}
            tags += (Tag(label=name, score=number, extra={self.id: more} if more else {}) for name in found)
            if not found:
                extra.update(more)
        if not splits:
            splits = dict.fromkeys(filter(None, [split_of_path(group.table)]))
        if len(splits) > 1:
            message = f"the rows of one image put it into {', '.join(splits)}"
            report.problem(f"{self.id}.split", message, f"{group.table}:{group.rows[0].number}", key=place.path)
        return Sample(
            path=place.path, uri=place.uri, image=place.image, splits=tuple(splits), tags=tuple(tags), annotations=(),
            extra={self.id: extra} if extra else {},
        )  # fmt: skip

    def table_path(self, split: str | None, context: WriteContext) -> str:
        return context.document("labels.csv")

    def header_for(self, context: WriteContext) -> Sequence[str]:
        return (*self.header, *(("score",) if context.options.scores else ()), *self._more(context))

    def _more(self, context: WriteContext) -> list[str]:
        """Columns of the tables read that no one here understands."""
        return list(context.info.extra.get(self.id, {}).get("columns", ()))

    def rows(self, sample: Sample, context: WriteContext) -> Iterable[Sequence[object]]:
        more = self._more(context)
        if not sample.tags:
            yield self._row(sample, "", "", sample.extra, more, context)
        for tag in sample.tags:
            score = "" if tag.score is None else tag.score
            yield self._row(sample, context.name(tag.label), score, tag.extra, more, context)

    def _row(
        self, sample: Sample, label: str, score: object, extra: Mapping[str, Any], more: list[str], context: WriteContext
    ) -> Sequence[object]:
        bag = extra.get(self.id, {})
        scores = (score,) if context.options.scores else ()
        return (sample.path, label, sample.split or "", *scores, *(bag.get(name, "") for name in more))


class Named:
    """Gives classes written as numbers the names of a list."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)

    def __call__(self, sample: Sample) -> Sample:
        return sample.replace(tags=tuple(tag.replace(label=self._name(tag.label)) for tag in sample.tags))

    def _name(self, label: str | None) -> str | None:
        if label is None or not label.isdecimal() or len(label) > 9 or int(label) >= len(self.names):
            return label
        return self.names[int(label)]


def _column(columns: Mapping[str, int], usual: Sequence[str], chosen: str) -> int | None:
    if chosen:
        return columns.get(chosen)
    lower = {name.lower(): i for name, i in reversed(list(columns.items()))}
    return next((lower[name] for name in usual if name in lower), None)


def _labels(cells: Sequence[str], at: int | None, separator: str) -> list[str]:
    if at is None or at >= len(cells):
        return []
    text = cells[at]
    names = [name.strip() for name in (text.split(separator) if separator else [text])]
    return [name for name in names if name and name.lower() != "nan"]


def _number(cells: Sequence[str], at: int | None) -> float | None:
    try:
        value = float(cells[at]) if at is not None and at < len(cells) else None
    except ValueError:
        return None
    return value if value is not None and abs(value) < float("inf") else None


def _looks(rows: Sequence[Sequence[str]], table: str) -> Match | None:
    """Whether the first rows are a table of ours."""
    if not rows:
        return None
    header = [cell.strip().lower() for cell in rows[0]]
    columns = {name: i for i, name in reversed(list(enumerate(header)))}
    file, label = _column(columns, FILE, ""), _column(columns, LABEL, "")
    if len(rows) > 1 and file is not None and label is not None and not _NOT_OURS & set(header) and file != label:
        files = [row[file].strip() for row in rows[1:] if file < len(row)]
        if files and all(map(is_image, files)):
            return Match(0.75, f"{table} has a column of images and one of classes")
        return Match(0.4, f"{table} has columns {header[file]} and {header[label]}")
    two = all(len(row) == 2 and is_image(row[0].strip()) and row[1].strip() and not _is_number(row[1]) for row in rows)
    return Match(0.45, f"{table} has rows of an image and a word, without header") if two else None


def _is_number(text: str) -> bool:
    return text.strip().replace(".", "").isdecimal()


__all__ = ["MulticlassCsv"]
