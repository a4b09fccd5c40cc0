"""CSV of the TensorFlow object detection tutorials: a row for each box, what ``generate_tfrecord.py`` reads."""

from __future__ import annotations

import csv
import io
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from labelglot import native
from labelglot.images import SourceImage
from labelglot.plugin import (
    Annotation,
    Box,
    Boxes,
    Dataset,
    File,
    Group,
    Holds,
    Info,
    LabelglotError,
    LabelHolds,
    Match,
    Naming,
    Options,
    Piece,
    Pieces,
    ReadContext,
    Records,
    Report,
    Row,
    Sample,
    Source,
    Table,
    WriteContext,
    image_size,
    labels_and_boxes,
    under,
)
from labelglot.storage import clean_foreign, safe_relative
from labelglot.wire.text import spell_rows
from pydantic import Field

from labelglot_tensorflow.classes import LABEL_MAP, OWNER, LabelMaps, label_map
from labelglot_tensorflow.splits import SPLIT_NAMES, split_of, stem_for

COLUMNS = ("filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax")
_CORNERS = COLUMNS[4:]
_ALIASES = {"label": "class", "class_name": "class"}
_LABELS = "labels"
_ENDS = ("_labels", "_annotations")
_IMAGES = "images"
_NAMES = r"[^\0]*"
_SPECIAL = frozenset(',"\r\n')


class Listed(NamedTuple):
    """An image as a table lists it, and the file found for it."""

    table: str
    split: str | None
    name: str
    file: str | None
    rows: tuple[Row, ...]


class TfodCsv(Table):
    """Boxes in a table, classes by name; all classes and their numbers in a label map beside it."""

    id = "tfod-csv"
    name = "TensorFlow Object Detection CSV"
    aliases = ("tensorflow-csv",)
    url = "https://github.com/datitran/raccoon_dataset"
    header = COLUMNS
    takes_columns = True
    holds = Holds(
        geometry=(frozenset({"box"}),), required=frozenset({"box"}),
        labels=LabelHolds(ids="int", ids_required=True, first_id=1, names=_NAMES), empty=False, splits="any",
        split_names=rf"(?!.*(?:{'|'.join(_ENDS)})$){SPLIT_NAMES}", naming=Naming(scope="split"),
        extra=frozenset({"tfod-csv", OWNER}),
    )  # fmt: skip

    class ReadOptions(Options):
        """Options of the reader."""

        empty_images: bool = Field(
            False, title="Empty images", description="take images that no row names as reviewed and empty"
        )

    def holds_alone(self, holds: Holds) -> Holds:
        """One table without a label map beside it has no classes but those of its rows."""
        return holds.replace(labels=LabelHolds(names=_NAMES, unused=False, order="appearance"))

    def detect(self, source: Source) -> Match | None:
        found = [name for name in source.match("*.csv") if self._is_ours(source.head(name))]
        return Match(0.95, f"{found[0]} has the columns {', '.join(COLUMNS)}") if found else None

    def tables(self, context: ReadContext) -> Sequence[str]:
        source = context.source
        names = [source.focus] if source.focus is not None else source.match("*.csv")
        return [name for name in names if self._is_ours(source.head(name))]

    def _is_ours(self, head: bytes) -> bool:
        return self._columns(head).keys() >= set(COLUMNS)

    def _columns(self, head: bytes) -> Mapping[str, int]:
        text = head.decode("utf-8-sig", "replace")
        try:
            return self.columns_of(next(csv.reader(io.StringIO(text), delimiter=self.delimiter_of(head)), ()))
        except csv.Error:
            return {}

    def delimiter_of(self, head: bytes) -> str:
        line = head.decode("utf-8-sig", "replace").partition("\n")[0]
        return max(",;\t", key=line.count)

    def columns_of(self, cells: Sequence[str]) -> Mapping[str, int]:
        names = [cell.strip().lower() for cell in cells]
        found: dict[str, int] = {}
        for position, name in enumerate(names):
            name = name if "class" in names else _ALIASES.get(name, name)
            kept = name if name in COLUMNS else cells[position]
            found[f"{kept}.{position}" if kept in found else kept] = position
        return found

    def split_of(self, table: str) -> str | None:
        folder, _, base = table.rpartition("/")
        stem = base.rpartition(".")[0]
        return split_of(folder, next((stem.removesuffix(end) for end in _ENDS if stem.endswith(end)), stem))

    def image_of(self, cells: Sequence[str], columns: Mapping[str, int]) -> str | None:
        return cells[columns["filename"]] or None if columns["filename"] < len(cells) else None

    def read(self, context: ReadContext) -> Dataset:
        tables = self.tables(context)
        if not tables:
            raise LabelglotError(f"no table with the columns {', '.join(COLUMNS)} in it", context.source.where)
        groups: list[Group] = []
        columns: dict[str, Mapping[str, int]] = {}
        for table in tables:
            found, columns[table] = self._read_table(table, context)
            groups += found
        listed = _with_files(groups, {table: self.split_of(table) for table in tables}, context)
        if context.options.empty_images:
            listed += self._empty(listed, tables[0], context)
        maps = LabelMaps(context, self.id)
        labels = maps.found.get(maps.near(tables[0]) or "", [])
        names = list(dict.fromkeys(name for table in tables for name in columns[table]))
        info = None if names == list(COLUMNS) else Info(extra={self.id: {"columns": names}})
        return Dataset(Records(listed, _Decoder(self, context, columns)), labels, info, labels_complete=False)

    def _empty(self, listed: Sequence[Listed], table: str, context: ReadContext) -> list[Listed]:
        used = {image.file for image in listed}
        found = []
        for path in context.images.paths:
            if path not in used:
                folder, _, name = path.rpartition("/")
                found.append(Listed(table, split_of(folder, ""), name, path, ()))
        return found

    def decode(self, group: Group, columns: Mapping[str, int], context: ReadContext, report: Report) -> Sample | None:
        path, uri = _name(group.image)
        annotations = []
        sizes: dict[tuple[int, int] | None, None] = {}
        for position, row in enumerate(group.rows):
            place = f"{group.table}:{row.number}"
            try:
                cells = {name: row.cells[at] for name, at in columns.items() if at < len(row.cells)}
                box = _box(cells)
            except (KeyError, ValueError) as error:
                report.problem(
                    f"{self.id}.number", f"the row has no box: {error}", place, severity="error", key=path,
                    object=position, raw=",".join(row.cells), action="skipped",
                )  # fmt: skip
                continue
            sizes.setdefault(_size(cells))
            if box[0] > box[2] or box[1] > box[3]:
                message = "the box ends before it begins; are the columns shifted?"
                report.problem(f"{self.id}.inverted", message, place, key=path, object=position, raw=box)
            more = {name: cell for name, cell in cells.items() if name not in COLUMNS and cell}
            annotations.append(
                Annotation(label=cells["class"] or None, box=box, extra={self.id: more} if more else {})
            )
        if group.rows and not annotations:
            return None
        size = next((size for size in sizes if size is not None), None)
        if len(sizes) > 1:
            message = "the rows of one image give it different sizes"
            report.problem(f"{self.id}.size", message, group.table, key=path, action=f"taken as {size}")
        return Sample(path=path, uri=uri, size=size, annotations=tuple(annotations))

    def rows(self, sample: Sample, context: WriteContext) -> Iterable[Sequence[object]]:
        width, height = sample.size or (0, 0)
        for a in sample.annotations or ():
            corners = (value if value % 1 else int(value) for value in a.box or ())
            values = dict(zip(COLUMNS, (sample.path, width, height, context.name(a.label), *corners), strict=True))
            more = a.extra.get(self.id, {})
            yield [values.get(column, more.get(column, "")) for column in _columns_of(context)]

    def table_path(self, split: str | None, context: WriteContext) -> str:
        return _table_path(split, context)

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece]:
        tables = context.once(_tables)
        if tables.more:
            text = "".join(f"{','.join(_cell(str(cell)) for cell in row)}\n" for row in self.rows(sample, context))
            yield Piece(self.table_path(sample.split, context), text.encode())
            return
        width, height = sample.size or (0, 0)
        start = f"{_cell(sample.path)},{width},{height},"
        labels, boxes = labels_and_boxes(sample.annotations)
        names = tables.names
        if isinstance(boxes, Boxes):
            cells = [names[label] for label in labels]
            rows = native.fill((start.encode(), b",", b"\n"), (cells, boxes.numbers), len(cells), shorter=True)
            if rows is not None:
                yield Piece(tables.paths[sample.split], rows)
                return
        lines = [f"{start}{names[label]},{corners}\n" for label, corners in zip(labels, spell_rows(boxes), strict=True)]
        yield Piece(tables.paths[sample.split], "".join(lines).encode())

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        header = f"{','.join(map(_cell, _columns_of(context)))}\n".encode()
        for path in dict.fromkeys(self.table_path(split, context) for split in context.splits or (None,)):
            yield File(path, itertools.chain((header,), pieces.stream(path)))
        if context.single is None:
            yield File(LABEL_MAP, label_map(context.labels))

    def image_path(self, sample: Sample, context: WriteContext) -> str | None:
        return under(_images_of(sample.split), sample.path)


class _Tables(NamedTuple):
    """What is the same for all images. ``more``: there are columns besides the usual ones; ``names``: the cell with the
    name of each class, by key; ``paths``: of the table of each split.
    """

    more: bool
    names: Mapping[str, str]
    paths: Mapping[str | None, str]


def _tables(context: WriteContext) -> _Tables:
    names = {"": "", **{label.key: _cell(label.name) for label in context.labels}}
    paths = {split: _table_path(split, context) for split in (*context.splits, None)}
    return _Tables(_columns_of(context) is not COLUMNS, names, paths)


def _columns_of(context: WriteContext) -> Sequence[str]:
    """The columns to write: those of the tables read, if they had more."""
    columns = context.info.extra.get(TfodCsv.id, {}).get("columns", COLUMNS)
    return columns if set(COLUMNS) <= set(columns) else COLUMNS


def _table_path(split: str | None, context: WriteContext) -> str:
    name = _LABELS if split is None else f"{stem_for(split, '')}_{_LABELS}"
    return context.document(f"{name}.csv", per_split=True)


class _Decoder:
    """Makes a sample of the rows of an image and the file found for it."""

    def __init__(self, format: TfodCsv, context: ReadContext, columns: Mapping[str, Mapping[str, int]]) -> None:
        self.format, self.context, self.columns = format, context, columns

    def __call__(self, record: Listed, ordinal: int, report: Report) -> Sample | None:
        group = Group(record.table, record.name, record.rows)
        try:
            sample = self.format.decode(group, self.columns[record.table], self.context, report)
        except LabelglotError as error:
            where = f"{record.table}:{record.rows[0].number}" if record.rows else record.table
            report.problem(f"{self.format.id}.record", error.message, where, severity="error", action="skipped")
            return None
        if sample is None:
            return None
        splits = () if record.split is None else (record.split,)
        return self._with_image(sample.replace(splits=splits), record, report)

    def _with_image(self, sample: Sample, record: Listed, report: Report) -> Sample:
        if record.file is None:
            return sample
        code = self.format.id
        if record.file.rpartition("/")[2] != sample.path.rpartition("/")[2]:
            message = f"the image is called {record.file}"
            report.problem(f"{code}.image", message, record.table, key=sample.path, raw=record.name, action="taken")
        image = SourceImage(self.context.source, record.file)
        actual = image_size(image)
        size = sample.size
        if actual is not None and size != actual:
            turned = size is not None and actual == size[::-1]
            if size is not None:
                message = f"the table says {size[0]} x {size[1]}, the image is {actual[0]} x {actual[1]}"
                action = "size of the image taken" if turned else "kept as the table says"
                report.problem(f"{code}.size", message, record.table, key=sample.path, action=action)
            size = actual if size is None or turned else size
        return sample.replace(image=image, size=size)


def _with_files(groups: Sequence[Group], splits: Mapping[str, str | None], context: ReadContext) -> list[Listed]:
    """The images of all tables with their files. A file that one of them names exactly is never another's."""
    images = context.images
    if not images.paths:
        return [Listed(g.table, splits[g.table], g.image, None, g.rows) for g in groups]
    unsplit = {g.image for g in groups if splits[g.table] is None}
    exact: list[str | None] = []
    loose: dict[str, set[str]] = {}
    for g in groups:
        candidates = _candidates(g, splits[g.table], g.image in unsplit)
        path = next((path for path in candidates if path in images), None)
        exact.append(path)
    claimed = set(exact)
    others = {split for split in splits.values() if split is not None}
    files = list(exact)
    for i, g in enumerate(groups):
        if exact[i] is None:
            found = images.find(g.image, _folders(g.table, splits[g.table]))
            if found is not None and found not in claimed and _belongs(found, g, splits[g.table], others):
                files[i] = found
                loose.setdefault(found, set()).add(g.image)
    return [
        Listed(g.table, splits[g.table], g.image, None if len(loose.get(file or "", ())) > 1 else file, g.rows)
        for g, file in zip(groups, files, strict=True)
    ]


def _images_of(split: str | None) -> str:
    return _IMAGES if split is None else f"{_IMAGES}/{split}"


def _folders(table: str, split: str | None) -> list[str]:
    folder = table.rpartition("/")[0]
    around = dict.fromkeys((folder, folder.rpartition("/")[0]))
    inner = dict.fromkeys((_images_of(split), _IMAGES))
    return [folder, *(under(up, name) for up in around for name in inner)]


def _candidates(group: Group, split: str | None, unsplit: bool) -> list[str]:
    """Where exactly an image may be, best first. Where an image without split has the same name, the common folder
    is its own.
    """
    name = next(iter(clean_foreign(group.image)), "")
    folders = _folders(group.table, split)
    if split is not None and unsplit:
        folders = [folder for folder in folders if not folder.endswith(_IMAGES)]
    return [under(folder, name) for folder in folders if name]


def _belongs(path: str, group: Group, split: str | None, others: set[str]) -> bool:
    """Whether an image found somewhere is not in the folder of another split."""
    around = path.removesuffix(group.image).split("/")
    return split in around or not others & set(around)


def _name(written: str) -> tuple[str, str | None]:
    """The path of an image, and its name as written if that is no path inside a dataset."""
    try:
        path = safe_relative(written)
    except LabelglotError:
        for path in clean_foreign(written):
            return path, written
        raise LabelglotError(f"{written!r} names no image") from None
    return path, None if path == written else written


def _box(cells: Mapping[str, str]) -> Box:
    box = tuple(float(cells[name]) for name in _CORNERS)
    if not all(map(math.isfinite, box)):
        raise ValueError("a coordinate is no number")
    return box[0], box[1], box[2], box[3]


def _size(cells: Mapping[str, str]) -> tuple[int, int] | None:
    try:
        width, height = (float(cells[name]) for name in ("width", "height"))
    except (KeyError, ValueError):
        return None
    known = math.isfinite(width) and math.isfinite(height) and width >= 1 and height >= 1
    return (int(width), int(height)) if known else None


@lru_cache(maxsize=4096)
def _cell(text: str) -> str:
    """Text as a cell, in quotes where it must be."""
    return '"' + text.replace('"', '""') + '"' if _SPECIAL & set(text) else text
