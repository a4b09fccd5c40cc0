"""Hugging Face ImageFolder with metadata: a row per image in ``<split>/metadata.jsonl``, images beside it."""

from __future__ import annotations

import ast
import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from labelglot.errors import LabelglotError
from labelglot.formats.rows import (
    CARD,
    OPTIONAL,
    Classes,
    RowOptions,
    RowReader,
    classes_of,
    read_card,
    row_of,
    rows_holds,
    unknown_columns,
    used,
    without,
    written_card,
)
from labelglot.plugin import (
    Content,
    Dataset,
    Document,
    File,
    Holds,
    Info,
    LabelHolds,
    Match,
    Piece,
    Pieces,
    ReadContext,
    Report,
    Sample,
    Source,
    WriteContext,
    image_size,
    merge_labels,
    split_role,
    under,
)
from labelglot.wire import json
from labelglot.wire.text import LINE, lines

METADATA = "metadata.jsonl"
UNSPLIT = "unsplit"
"""Folder of images of no split, where others have one."""

CSV_ROWS = 1 << 22


class HfImagefolder(Document):
    """Boxes, one class and one caption per image, under column names that ``datasets`` and its trainers read."""

    id = "hf-imagefolder"
    name = "Hugging Face ImageFolder (metadata.jsonl)"
    url = "https://huggingface.co/docs/datasets/image_dataset"
    documents = (".jsonl",)
    separator = b""
    geometry_bound_extra = frozenset({("hf-imagefolder", "area")})
    holds = rows_holds("hf-imagefolder").replace(info=frozenset({"licenses"}))

    class ReadOptions(RowOptions):
        """How the numbers of boxes are meant."""

    def holds_alone(self, holds: Holds) -> Holds:
        """Classes by name, because there is no card that numbers them."""
        labels = LabelHolds(names=LINE, required=False, unused=False, order="appearance")
        return holds.replace(labels=labels, info=frozenset())

    def detect(self, source: Source) -> Match | None:
        for name in source.match("*.jsonl", "metadata.csv")[:20]:
            usual = name.rpartition("/")[2].startswith("metadata.")
            if _first_row(source, name) is not None:
                return Match(0.9 if usual else 0.6, f"{name} has rows with file_name")
        return None

    def inputs(self, context: ReadContext) -> Sequence[tuple[str, str | None]]:
        source = context.source
        found = [name for name in source.match("*.jsonl", "metadata.csv") if source.focus or _first_row(source, name) is not None]
        for name in source.match("metadata.parquet"):
            message = "metadata in Parquet is not read; save it as metadata.jsonl"
            context.report.problem(f"{self.id}.parquet", message, name, severity="error", action="skipped")
        found = found or list(source.match("metadata.jsonl"))
        return [(name, _split_of(name)) for name in found]

    def read(self, context: ReadContext) -> Dataset:
        dataset = super().read(context)
        (objects, images), licenses = _card(context)
        extra: dict[str, list[str]] = {}
        for path, _ in self.inputs(context):
            row = _first_row(context.source, path, 1 << 20)
            if row is not None:
                for which, listed in unknown_columns(row, RowReader(self.id, Classes({}), context.options, ("file_name",))).items():
                    extra[which] = list(dict.fromkeys((*extra.get(which, ()), *listed)))
        info = Info(licenses=licenses, extra={self.id: extra} if extra else {})
        return dataset.replace(labels=merge_labels([objects.labels, images.labels]), info=info, labels_complete=False)

    def parse(self, data: bytes, path: str, context: ReadContext) -> Content:
        folder = path.rpartition("/")[0]
        records: list[tuple[int, str, bytes]] = []
        found = _table(data) if path.lower().endswith(".csv") else lines_of(data)
        for number, line in found:
            place = f"{path}:{number}"
            try:
                row = json.load_fields(line, place)
                name = json.load(bytes(row["file_name"]), place) if "file_name" in row else _other_name(row, place)
            except LabelglotError as error:
                context.report.problem(
                    f"{self.id}.row", error.message, place, severity="error", raw=line.decode("utf-8", "replace"), action="skipped"
                )
                continue
            if not isinstance(name, str) or not name:
                context.report.problem(f"{self.id}.row", "the row names no image", place, severity="error", action="skipped")
                continue
            records.append((number, name, line))
        self._unlisted([name for _, name, _ in records], folder, context)
        return Content(records, None, shared=_card(context)[0], names=[name for _, name, _ in records])

    def _unlisted(self, names: Sequence[str], folder: str, context: ReadContext) -> None:
        """Report images beside the metadata that it does not list."""
        others = {name.rpartition("/")[0] for name in context.source.match("*.jsonl", "metadata.csv")} - {folder}
        listed = {under(folder, name) for name in names}
        beside = [
            image for image in context.images.paths
            if image.rpartition("/")[0] == folder and image not in listed and image.rpartition("/")[0] not in others
        ]  # fmt: skip
        if beside and names:
            message = f"{len(beside)} images beside the metadata are not in it"
            context.report.problem(f"{self.id}.unlisted", message, folder or None, raw=beside[0], action="not read")

    def decode(
        self, record: Any, path: str, split: str | None, shared: tuple[Classes, Classes], context: ReadContext, report: Report
    ) -> Sample | None:
        number, name, data = record
        place = f"{path}:{number}"
        row: dict[str, Any] = json.load(data, place, dict)
        folder = path.rpartition("/")[0]
        where = context.place(name, folder)
        key = where.path
        if split is not None or folder == UNSPLIT:
            key = key.removeprefix(f"{folder}/")
        size = None if where.image is None else image_size(where.image)
        reader = RowReader(self.id, shared[0], context.options, ("file_name",), shared[1])
        fields = reader.fields(row, size, place, key, report)
        return Sample(path=key, uri=where.uri, image=where.image, splits=(split,) if split else (), **fields)

    def document_path(self, split: str | None, context: WriteContext) -> str:
        return context.document(under(_folder(split, context), METADATA), per_split=True)

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[Piece]:
        row = row_of(sample, context, self.id, names=context.single is not None)
        yield Piece(self.document_path(sample.split, context), json.dump({"file_name": sample.path, **row}) + b"\n")
        yield from (Piece(f"#{column}", b"1") for column in used(row))

    def encode_record(self, sample: Sample, context: WriteContext, ordinal: int) -> bytes:
        return json.dump(row_of(sample, context, self.id))

    def frame(self, split: str | None, context: WriteContext) -> tuple[bytes, bytes]:
        return b"", b""

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        unused = [column for column in OPTIONAL if f"#{column}" not in pieces]
        for path in dict.fromkeys(self.document_path(split, context) for split in context.splits or (None,)):
            yield File(path, _rows(pieces.stream(path), unused))
        if context.single is None:
            yield File(CARD, written_card(context, "label" if "#label" in pieces and "#objects" not in pieces else "objects"))

    def image_path(self, sample: Sample, context: WriteContext) -> str | None:
        return under(_folder(sample.split, context), sample.path)


def lines_of(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(line number from 1, line) of each line that is not empty."""
    for number, line in enumerate(json.unmark(data).split(b"\n"), 1):
        if line.strip():
            yield number, line.strip()


def _table(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The rows of a CSV as JSON; cells are JSON, Python literals, or text."""
    reader = csv.reader(io.StringIO(data.decode("utf-8-sig", "replace").replace("\0", ""), newline=""))
    try:
        header = next(reader, [])
        for cells in reader:
            if any(cells):
                row = {name: cell if name.endswith("file_name") else _cell(cell) for name, cell in zip(header, cells, strict=False)}
                yield reader.line_num, json.dump(row)
    except csv.Error as error:
        yield reader.line_num, str(error).encode()


def _cell(text: str) -> Any:
    if not text.strip():
        return None
    try:
        return json.load(text.encode(), "")
    except LabelglotError:
        pass
    try:
        value = ast.literal_eval(text) if text.lstrip()[:1] in "[{(" else text
        json.dump(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError, OverflowError):
        return text
    return value


def _other_name(row: Mapping[str, Any], place: str) -> Any:
    """The file of the first column like ``image_file_name``."""
    found = next((value for name, value in row.items() if name.endswith("_file_name")), None)
    return None if found is None else json.load(bytes(found), place)


def _first_row(source: Source, path: str, limit: int = 1 << 16) -> Mapping[str, Any] | None:
    """The first row, as far as its beginning tells; ``None`` if it names no file."""
    head = source.head(path, limit)
    if path.lower().endswith(".csv"):
        row = json.peek(next(iter(_table(head)), (0, b""))[1])
    else:
        row = json.peek(next(iter(lines_of(head)), (0, b""))[1])
    named = isinstance(row, Mapping) and any(name == "file_name" or name.endswith("_file_name") for name in row)
    return row if named else None


def _split_of(path: str) -> str | None:
    """The folder nearest to the file that is some kind of train, val or test."""
    parts = path.split("/")[:-1]
    return parts[-1] if parts and split_role(parts[-1]) is not None else None


def _folder(split: str | None, context: WriteContext) -> str:
    return split or ("" if set(context.splits) <= {None} else UNSPLIT)


def _card(context: ReadContext) -> tuple[tuple[Classes, Classes], tuple[str, ...]]:
    """The classes of objects and of images, and the licences: from the dataset card, names else from ``classes.txt``."""
    features, licenses = read_card(context, "hf-imagefolder")
    objects, images = classes_of(features)
    if not objects.labels and context.source.exists("classes.txt"):
        objects = images = Classes(dict(enumerate(line for _, line in lines(context.source.read("classes.txt")))))
    return (objects, images), licenses


def _rows(stream: Iterator[bytes], unused: Sequence[str]) -> Iterator[bytes]:
    """The rows of a document without the columns that no row of the dataset uses."""
    if not unused:
        yield from stream
        return
    rest = b""
    for block in stream:
        *whole, rest = (rest + block).split(b"\n")
        for line in whole:
            yield json.dump(without(json.load(line, METADATA, dict), unused)) + b"\n"


__all__ = ["HfImagefolder"]
