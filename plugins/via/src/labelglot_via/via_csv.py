"""VIA 1.x/2.x CSV: a row per region, shape and attributes as JSON in its cells."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from labelglot.plugin import (
    NO_VALUE,
    Annotation,
    Content,
    Dataset,
    Document,
    Holds,
    LabelglotError,
    LabelHolds,
    Match,
    ReadContext,
    Report,
    Sample,
    Source,
    WriteContext,
)
from labelglot.storage import clean_foreign
from labelglot.wire import json

from labelglot_via.regions import (
    HOLDS,
    RegionReader,
    ViaReadOptions,
    ViaWriteOptions,
    choose_class,
    file_size,
    spell_file,
    spell_region,
)

HEADER = (
    "filename", "file_size", "file_attributes", "region_count", "region_id", "region_shape_attributes",
    "region_attributes",
)  # fmt: skip


class Row(NamedTuple):
    """Line, shape and attributes of a region, as JSON."""

    line: int
    shape: str
    attributes: str


class Record(NamedTuple):
    """All rows of an image."""

    name: str
    size: str
    attributes: str
    line: int
    rows: tuple[Row, ...]


class Shared(NamedTuple):
    """``closed``: polygons repeat their first point, as VIA 1 writes them."""

    label_key: str | None
    closed: bool


class ViaCsv(Document):
    """The same regions as in ``via``, without project."""

    id = "via-csv"
    name = "VIA 2 CSV (VGG Image Annotator)"
    url = "https://www.robots.ox.ac.uk/~vgg/software/via/"
    documents = (".csv",)
    separator = b""
    holds = HOLDS.replace(
        labels=LabelHolds(names=HOLDS.labels.names, required=False, unused=False, order="appearance"),
        extra=frozenset({"via-csv"}),
    )
    geometry_bound_extra = frozenset({("via-csv", "shape_attributes")})

    class ReadOptions(ViaReadOptions):
        """Which of the attributes is the class."""

    class WriteOptions(ViaWriteOptions):
        """Which attribute is the class."""

    def holds_with(self, options: Any) -> Holds:
        return self.holds.replace(flags={options.label_key: NO_VALUE})

    def detect(self, source: Source) -> Match | None:
        found = next((name for name in source.match("*.csv")[:20] if _delimiter(source.head(name, 512))), None)
        return None if found is None else Match(0.95, f"{found} has the header of a VIA export")

    def inputs(self, context: ReadContext) -> Sequence[tuple[str, str | None]]:
        names = context.source.match("*.csv")
        found = [name for name in names if _delimiter(context.source.head(name, 512))]
        return [(name, None) for name in found or names]

    def read(self, context: ReadContext) -> Dataset:
        return super().read(context).replace(labels_complete=False)

    def parse(self, data: bytes, path: str, context: ReadContext) -> Content:
        found: dict[str, Record] = {}
        rows: dict[str, list[Row]] = {}
        attributes: list[dict[str, Any]] = []
        delimiter = _delimiter(data[:512])
        if delimiter is None:
            raise LabelglotError("its first line is not the header of a VIA export", path)
        for line, cells in _rows(data, delimiter, path, context.report):
            cells = _repaired(cells, delimiter)
            place = f"{path}:{line}"
            if len(cells) < len(HEADER) or not cells[0]:
                context.report.problem(
                    "via-csv.row", "the row is no region of an image", place, severity="error",
                    raw=delimiter.join(cells), action="skipped",
                )  # fmt: skip
                continue
            name, size, of_image, _, _, shape, values = cells[:7]
            found.setdefault(name, Record(name, size, of_image, line, ()))
            rows.setdefault(name, []).append(Row(line, shape, values))
            attributes.append(_decoded(values) or {})
        label_key = context.options.label_key or choose_class(attributes, {})
        shared = Shared(label_key, data[:16].lstrip(b"\xef\xbb\xbf").startswith(b"#"))
        records = [record._replace(rows=tuple(rows[name])) for name, record in found.items()]
        return Content(records, None, None, shared, names=tuple(found))

    def decode(
        self, record: Record, path: str, split: str | None, shared: Shared, context: ReadContext, report: Report
    ) -> Sample | None:
        where = context.place(record.name, path.rpartition("/")[0])
        reader = RegionReader(self.id, shared.label_key, {}, where.path, report, shared.closed)
        extra: dict[str, Any] = {} if where.uri is None else {"filename": record.name}
        of_image = _decoded(record.attributes)
        if of_image is None:
            report.problem(
                "via-csv.attributes", "the attributes of the image are no JSON", f"{path}:{record.line}",
                key=where.path, raw=record.attributes, action="left out",
            )  # fmt: skip
        tags, attributes, nested = reader.tags(of_image or {})
        if nested:
            extra["file_attributes"] = nested
        if record.size != "-1" and (where.image is None or record.size != str(file_size(where.image))):
            extra["size"] = record.size
        return Sample(
            path=where.path, uri=where.uri, image=where.image, tags=tags, attributes=attributes,
            annotations=tuple(_annotations(record.rows, path, reader)), extra={self.id: extra} if extra else {},
        )  # fmt: skip

    def document_path(self, split: str | None, context: WriteContext) -> str:
        return context.document("via_region_data.csv")

    def frame(self, split: str | None, context: WriteContext) -> tuple[bytes, bytes]:
        return (",".join(HEADER) + "\n").encode(), b""

    def encode_record(self, sample: Sample, context: WriteContext, ordinal: int) -> bytes:
        extra = sample.extra.get(self.id, {})
        written = extra.get("filename")
        name = written if written is not None and sample.path in clean_foreign(written) else sample.path
        size = extra.get("size", -1 if sample.image is None else file_size(sample.image))
        values = spell_file(sample.tags, sample.attributes, extra.get("file_attributes"), context, self.id)
        start = f"{_name(name)},{size},{_quoted(values)}"
        key = context.options.label_key
        regions = [spell_region(a, context, self.id, key) for a in sample.annotations or ()]
        lines = [f"{start},{len(regions)},{i},{_quoted(s)},{_quoted(v)}\n" for i, (s, v) in enumerate(regions)]
        return "".join(lines or [f'{start},0,0,"{{}}","{{}}"\n']).encode()


def _delimiter(head: bytes) -> str | None:
    """What stands between the names of the header; ``None`` if it is another header. Spreadsheets write ``;``."""
    line = next(iter(head.decode("utf-8-sig", "replace").splitlines()), "").lstrip("#").replace('"', "").strip()
    return next((mark for mark in ",;" if line.rstrip(mark) == mark.join(HEADER)), None)


def _rows(data: bytes, delimiter: str, path: str, report: Report) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each row after the header that is not blank."""
    reader = csv.reader(io.StringIO(data.decode("utf-8-sig", "replace"), newline=""), delimiter=delimiter)
    first = True
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            report.problem("via-csv.row", str(error), f"{path}:{reader.line_num}", severity="error", action="skipped")
            continue
        if any(cells) and not first:
            yield reader.line_num, cells
        first = False


def _repaired(cells: list[str], delimiter: str) -> list[str]:
    """The cells of a row whose unquoted file name holds the delimiter: the name ends before a number and an object."""
    if len(cells) <= len(HEADER):
        return cells
    for i in range(1, len(cells) - 1):
        if cells[i].strip().lstrip("-").isdigit() and cells[i + 1].lstrip().startswith("{"):
            return [delimiter.join(cells[:i]), *cells[i:]]
    return cells


def _decoded(text: str) -> dict[str, Any] | None:
    """The object in a cell; ``None`` if there is no JSON in it."""
    try:
        return json.load(text.encode("utf-8", "replace"), "", dict[str, Any]) if text.strip() else {}
    except LabelglotError:
        return None


def _annotations(rows: Sequence[Row], path: str, reader: RegionReader) -> Iterator[Annotation]:
    for row in rows:
        place = f"{path}:{row.line}"
        shape, attributes = _decoded(row.shape), _decoded(row.attributes)
        if shape is None:
            reader.report.problem(
                "via-csv.region", "the shape is no JSON", place, severity="error", key=reader.key, raw=row.shape,
                action="skipped",
            )  # fmt: skip
        elif shape:
            yield from reader.region(shape, row.attributes if attributes is None else attributes, place)


def _name(text: str) -> str:
    """A file name as VIA writes it, without quotes unless it needs them."""
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\r\n') else text


def _quoted(value: Any) -> str:
    return '"' + json.dump(value).decode().replace('"', '""') + '"'
