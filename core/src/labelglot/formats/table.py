"""Base of formats that are a table: one row per object, one file per split."""

from __future__ import annotations

import csv
import io
import itertools
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from labelglot.errors import LabelglotError
from labelglot.formats.base import File, Format, Piece, Pieces, ReadContext, WriteContext, in_pixels
from labelglot.report import Report
from labelglot.schema import Dataset, Label, Records, Sample


class Row(NamedTuple):
    """A row with its place: ``number`` is the line in the file, counted from 1."""

    number: int
    cells: tuple[str, ...]


class Group(NamedTuple):
    """The rows of one image in one table."""

    table: str
    image: str
    rows: tuple[Row, ...]


class Table(Format):
    """Rows of objects. Subclasses state ``header`` and write ``image_of``, ``decode`` and ``rows``.

    Images keep the order of their first row. A table is one split, named by :meth:`split_of`.
    """

    documents: ClassVar[tuple[str, ...]] = (".csv",)
    suffix: ClassVar[str] = ".csv"
    delimiter: ClassVar[str] = ","
    header: ClassVar[tuple[str, ...]] = ()
    has_header: ClassVar[bool] = True
    newline: ClassVar[str] = "\n"
    quoting: ClassVar[int] = csv.QUOTE_MINIMAL

    def tables(self, context: ReadContext) -> Sequence[str]:
        """The files to read."""
        return context.source.match(f"*{self.suffix}")

    def split_of(self, table: str) -> str | None:
        """The split a table stands for: its file name says it, or its folder."""
        return None

    def folders(self, table: str) -> Sequence[str]:
        """Where the images of a table may be besides its own folder; to be given to :meth:`ReadContext.place` too."""
        return ()

    def delimiter_of(self, head: bytes) -> str:
        """What separates the cells of a table that begins with these bytes."""
        return self.delimiter

    def columns_of(self, cells: Sequence[str]) -> Mapping[str, int]:
        """Position of each column by the name the reader knows it by, from the header row."""
        return {name.strip(): i for i, name in enumerate(cells)}

    def labels(self, context: ReadContext) -> Sequence[Label | str] | None:
        """The class table if there is one, else ``None``: classes are collected in order of appearance."""
        return None

    def header_for(self, context: WriteContext) -> Sequence[str]:
        """The header row to write; empty if there is none."""
        return self.header if self.has_header else ()

    def finish(self, dataset: Dataset, columns: Mapping[str, Mapping[str, int]], context: ReadContext) -> Dataset:
        """The dataset with what the headers say of it as a whole. ``columns``: those of each table."""
        return dataset

    @abstractmethod
    def image_of(self, cells: Sequence[str], columns: Mapping[str, int]) -> str | None:
        """Name of the image a row belongs to; ``None``: the row cannot be used."""

    @abstractmethod
    def decode(self, group: Group, columns: Mapping[str, int], context: ReadContext, report: Report) -> Sample | None:
        """One sample of the rows of one image."""

    @abstractmethod
    def rows(self, sample: Sample, context: WriteContext) -> Iterable[Sequence[object]]:
        """The rows of one sample."""

    def table_path(self, split: str | None, context: WriteContext) -> str:
        """File that holds a split."""
        return context.document(f"{split or 'annotations'}{self.suffix}", per_split=True)

    def read(self, context: ReadContext) -> Dataset:
        groups: list[Group] = []
        columns: dict[str, Mapping[str, int]] = {}
        for table in self.tables(context):
            found, names = self._read_table(table, context)
            groups += found
            columns[table] = names
        images = ((group.table.rpartition("/")[0], group.image, self.folders(group.table)) for group in groups)
        context.reserve(images, addresses=self.holds)
        labels = self.labels(context)
        dataset = Dataset(Records(groups, _GroupDecoder(self, context, columns)), labels or ())
        return self.finish(dataset if labels is not None else dataset.replace(labels_complete=False), columns, context)

    def _read_table(self, table: str, context: ReadContext) -> tuple[list[Group], Mapping[str, int]]:
        rows: dict[str, list[Row]] = {}
        names: Mapping[str, int] = {name: i for i, name in enumerate(self.header)}
        shared: dict[str, str] = {}
        stream = io.TextIOWrapper(context.source.open(table), encoding="utf-8-sig", errors="replace", newline="")
        with stream:
            reader = csv.reader(stream, delimiter=self.delimiter_of(context.source.head(table)))
            try:
                for number, cells in enumerate(reader, 1):
                    if number == 1 and self.is_header(cells):
                        names = self.columns_of(cells)
                        continue
                    if not any(cells):
                        continue
                    image = self.image_of(cells, names)
                    if image is None:
                        context.report.problem(
                            f"{self.id}.row", "the row names no image", f"{table}:{reader.line_num}", raw=",".join(cells),
                            action="skipped",
                        )  # fmt: skip
                        continue
                    rows.setdefault(image, []).append(Row(reader.line_num, tuple(shared.setdefault(cell, cell) for cell in cells)))
            except csv.Error as error:
                context.report.problem(
                    f"{self.id}.csv", str(error), f"{table}:{reader.line_num}", severity="error", action="skipped"
                )
        return [Group(table, image, tuple(found)) for image, found in rows.items()], names

    def is_header(self, cells: Sequence[str]) -> bool:
        """Whether the first row names columns."""
        return self.has_header

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece]:
        yield Piece(self.table_path(sample.split, context), self.spell(self.rows(sample, context)).encode())

    def spell(self, rows: Iterable[Sequence[object]]) -> str:
        """Rows as lines of text."""
        text = io.StringIO()
        writer = csv.writer(text, delimiter=self.delimiter, lineterminator=self.newline, quoting=self.quoting)  # type: ignore[arg-type]
        writer.writerows(rows)
        return text.getvalue()

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        paths = [self.table_path(split, context) for split in context.splits] or [self.table_path(None, context)]
        for path in dict.fromkeys([*paths, *pieces.slots()]):
            yield File(path, self._document(path, context, pieces))

    def _document(self, path: str, context: WriteContext, pieces: Pieces) -> Iterator[bytes]:
        header = self.header_for(context)
        if header:
            yield self.spell([header]).encode()
        yield from pieces.stream(path)


class _GroupDecoder:
    def __init__(self, format: Table, context: ReadContext, columns: dict[str, Mapping[str, int]]) -> None:
        self.format, self.context, self.columns = format, context, columns

    def __call__(self, record: Group, ordinal: int, report: Report) -> Sample | None:
        try:
            sample = self.format.decode(record, self.columns[record.table], self.context, report)
        except LabelglotError as error:
            report.problem(f"{self.format.id}.record", error.message, error.place or record.table, action="skipped")
            return None
        return None if sample is None else in_pixels(sample)


def first_rows(head: bytes, delimiter: str = ",", most: int = 8) -> list[list[str]]:
    """The first rows of a table from its first bytes, without one that is cut off. For :meth:`Format.detect`."""
    lines = head.decode("utf-8-sig", "replace").replace("\0", "").splitlines(keepends=True)
    if len(lines) > 1 and not lines[-1].endswith(("\n", "\r")):
        lines.pop()
    try:
        rows = [row for row in itertools.islice(csv.reader(lines, delimiter=delimiter), most) if row]
    except csv.Error:
        return []
    return rows


def number(text: str) -> Any:
    """A cell as int where it is written as one, else float. Raises ValueError."""
    try:
        return int(text)
    except ValueError:
        return float(text)


__all__ = ["Group", "Row", "Table", "first_rows", "number"]
