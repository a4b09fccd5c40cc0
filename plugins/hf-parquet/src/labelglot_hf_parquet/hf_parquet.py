"""Hugging Face datasets as Parquet files with images inside, as ``push_to_hub`` writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from labelglot.errors import LabelglotError, SourceError
from labelglot.formats.rows import (
    CARD,
    OPTIONAL,
    Classes,
    RowOptions,
    RowReader,
    classes_of,
    columns,
    features_of,
    read_card,
    row_of,
    rows_holds,
    unknown_columns,
    used,
    without,
    written_card,
)
from labelglot.images import ImageHandle, LazyImage
from labelglot.plugin import (
    Dataset,
    File,
    Format,
    Holds,
    Info,
    Match,
    Piece,
    Pieces,
    ReadContext,
    Records,
    Report,
    Sample,
    Source,
    WriteContext,
    image_size,
    merge_labels,
    split_of_path,
)
from labelglot.storage import clean_foreign, safe_relative
from labelglot.wire import json

from labelglot_hf_parquet.tables import MAGIC, Kept, fitting, frame, frames, group, kind_of, opened, plain, write

if TYPE_CHECKING:
    import pyarrow as pa


FOLDER = "data"
UNSPLIT = "data"
_SHARD = re.compile(r"-\d{5}-of-\d{5}$")
_SUFFIXES = ((b"\xff\xd8", ".jpg"), (b"\x89PNG", ".png"), (b"GIF8", ".gif"), (b"BM", ".bmp"), (b"RIFF", ".webp"))
_LONGEST = 1 << 63

_rows = Kept()
_images = Kept()


class Layout(NamedTuple):
    """What the columns of a file are. ``image``: column of the picture; ``bytes``/``path``: its parts, dotted; ``light``:
    all columns without bytes; ``groups``: number of row groups; ``features``: as the library describes them; ``token``:
    tells this file from others, also of the same name.
    """

    image: str | None
    bytes: str | None
    path: str | None
    light: tuple[str, ...]
    unread: tuple[str, ...]
    groups: int
    features: Mapping[str, Any]
    token: str


class Row(NamedTuple):
    """A row: its file, group, place in the group, and the path it is given."""

    file: int
    group: int
    row: int
    path: str


class HfParquet(Format):
    """Boxes, one class and one caption per image, images inside."""

    id = "hf-parquet"
    name = "Hugging Face Parquet (images inside)"
    url = "https://huggingface.co/docs/datasets/image_dataset"
    documents = (".parquet",)
    embeds_images = True
    geometry_bound_extra = frozenset({("hf-parquet", "area")})
    holds = rows_holds("hf-parquet").replace(info=frozenset({"licenses"}))

    class ReadOptions(RowOptions):
        """How the numbers of boxes are meant."""

    def holds_alone(self, holds: Holds) -> Holds:
        """The licences stand in the card beside the files."""
        return holds.replace(info=frozenset())

    def detect(self, source: Source) -> Match | None:
        for name in source.match("*.parquet")[:5]:
            try:
                layout = _layout(source, name)
            except LabelglotError:
                continue
            if layout.image is None:
                continue
            known = layout.features or any(column.startswith("objects.") for column in layout.light)
            return Match(0.9 if known else 0.6, f"{name} has a column of images with their bytes")
        return None

    def read(self, context: ReadContext) -> Dataset:
        source, report = context.source, context.report
        card, licenses = read_card(context, self.id)
        files: list[tuple[str, Layout, str | None]] = []
        records: list[Row] = []
        classes: list[tuple[Classes, Classes]] = []
        extra: dict[str, list[str]] = {}
        taken: set[tuple[str | None, str]] = set()
        for name in source.match("*.parquet"):
            try:
                layout = _layout(source, name)
                split = _split_of(name)
                files.append((name, layout, split))
                objects, images = classes_of(layout.features or card)
                classes.append((objects, images))
                reader = _reader(objects, images, layout, context.options)
                records += _listed(len(files) - 1, name, layout, split, source, taken)
                for row in _light(source, name, 0, layout)[:1] if layout.groups else ():
                    for which, found in unknown_columns(row, reader).items():
                        extra[which] = list(dict.fromkeys((*extra.get(which, ()), *found)))
            except LabelglotError as error:
                report.problem(f"{self.id}.file", error.message, error.place or name, severity="error", action="skipped")
                continue
            if layout.unread:
                message = f"the bytes in {', '.join(layout.unread)} are not read"
                report.problem(f"{self.id}.column", message, name, action="left out")
        if not files:
            raise LabelglotError("no Parquet file in it can be read", source.where)
        labels = merge_labels(each.labels for pair in classes for each in pair)
        info = Info(licenses=licenses, extra={self.id: extra} if extra else {})
        decode = _Decode(self, context, files, classes)
        return Dataset(Records(records, decode), labels, info, labels_complete=False)

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[Piece]:
        row = row_of(sample, context, self.id)
        numbers = (row["image_id"], *(n for n in row["objects"]["id"]))
        if any(isinstance(n, int) and not -_LONGEST <= n < _LONGEST for n in numbers):
            raise LabelglotError("an id does not fit into 64 bits")
        data = sample.image.read() if context.images and sample.image is not None else None
        yield Piece(_stem(sample.split), frame({"image": {"bytes": data, "path": sample.path}, **row}))
        yield from (Piece(f"#{column}", b"1") for column in used(row))

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        unused = [column for column in OPTIONAL if f"#{column}" not in pieces]
        if "label" in unused and context.labels:
            unused = [column for column in unused if column != "objects"]
        stems = list(dict.fromkeys(map(_stem, context.splits))) or [UNSPLIT]
        schema = _schema(context, unused, lambda: (row for stem in stems for row in frames(pieces.stream(stem))))
        for stem in stems:
            path = context.document(f"{FOLDER}/{stem}-00000-of-00001.parquet", per_split=True)
            yield File(path, write((_fitted(without(row, unused), schema) for row in frames(pieces.stream(stem))), schema))
        if context.single is None and context.info.licenses:
            yield File(CARD, written_card(context))


class _Decode:
    """Makes a sample of a row."""

    def __init__(
        self, format: HfParquet, context: ReadContext, files: Sequence[tuple[str, Layout, str | None]],
        classes: Sequence[tuple[Classes, Classes]],
    ) -> None:  # fmt: skip
        self.format, self.context, self.files, self.classes = format, context, files, classes

    def __call__(self, record: Row, ordinal: int, report: Report) -> Sample | None:
        name, layout, split = self.files[record.file]
        source = self.context.source
        place = f"{name}#{record.group}.{record.row}"
        try:
            row = dict(_light(source, name, record.group, layout)[record.row])
        except (LabelglotError, IndexError) as error:
            report.problem("hf-parquet.row", str(error), place, severity="error", key=record.path, action="skipped")
            return None
        written = row.pop(layout.image, None) if layout.image else None
        image: ImageHandle | None = None
        text = written.get("path") if isinstance(written, Mapping) else written
        if layout.bytes is not None and _has_bytes(source, name, record.group, record.row, layout, report):
            image = LazyImage(record.path, partial(_bytes, source, name, record.group, record.row, layout.bytes, layout.token))
        elif isinstance(text, str) and text:
            image = self.context.image(text)
        size = None if image is None else image_size(image)
        reader = _reader(*self.classes[record.file], layout, self.context.options)
        objects = row.get("objects")
        if isinstance(objects, str):
            try:
                row["objects"] = json.load(objects.encode(), f"{place}#objects")
            except LabelglotError as error:
                report.problem("hf-parquet.objects", error.message, place, severity="error", action="skipped")
                row["objects"] = None
        fields = reader.fields(row, size, place, record.path, report)
        uri = text if isinstance(text, str) and text != record.path and _is_foreign(text) else None
        return Sample(path=record.path, uri=uri, image=image, splits=(split,) if split else (), **fields)


def _reader(objects: Classes, images: Classes, layout: Layout, options: RowOptions) -> RowReader:
    return RowReader("hf-parquet", objects, options, tuple(filter(None, [layout.image])), images)


def _layout(source: Source, path: str) -> Layout:
    """The columns of a file. Raises :class:`SourceError` if it is no Parquet file."""
    import pyarrow as pa

    if source.head(path, 4) != MAGIC:
        raise SourceError("it does not begin like a Parquet file", path)
    with opened(source, path) as file:
        schema, groups = file.schema_arrow, file.num_row_groups
    image = data = name = None
    light: list[str] = []
    unread: list[str] = []
    for field in schema:
        inner = {child.name: child.type for child in field.type} if pa.types.is_struct(field.type) else {}
        if "bytes" in inner and "path" in inner:
            if image is None:
                image, data, name = field.name, f"{field.name}.bytes", f"{field.name}.path"
                light.append(name)
            else:
                unread.append(field.name)
        elif pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type):
            if image is None and field.name in ("image", "img", "bytes", "image_bytes"):
                image, data = field.name, field.name
            else:
                unread.append(field.name)
        elif image is None and field.name == "image" and pa.types.is_string(field.type):
            image = name = field.name
            light.append(name)
        elif inner:
            light += [f"{field.name}.{child}" for child in inner]
        else:
            light.append(field.name)
    about = (schema.metadata or {}).get(b"huggingface")
    features: Mapping[str, Any] = {}
    if about is not None:
        try:
            found = json.load(about, path, dict)
        except LabelglotError:
            found = {}
        features = features_of(found.get("info"))
    return Layout(image, data, name, tuple(light), tuple(unread), groups, features, source.fingerprint_token(path))


def _light(source: Source, path: str, number: int, layout: Layout) -> list[dict[str, Any]]:
    """The rows of a group without the bytes of images."""

    def load() -> list[dict[str, Any]]:
        wanted = layout.light or ((layout.bytes,) if layout.bytes else ())
        found = group(source, path, number, wanted).to_pylist()
        return [{str(k): plain(v) for k, v in row.items()} for row in found]

    key = (source.where, path, layout.token, number)
    rows: list[dict[str, Any]] = _rows.get(key, load)
    return rows


def _bytes(source: Source, path: str, number: int, row: int, column: str, token: str) -> bytes:
    """The bytes of one image."""
    key = (source.where, path, token, number, column)
    found = _images.get(key, lambda: group(source, path, number, [column]).column(0))
    value = found[row].as_py() if row < len(found) else None
    value = value.get("bytes") if isinstance(value, Mapping) else value
    if not isinstance(value, bytes):
        raise SourceError("the image is not there", f"{path}#{number}.{row}")
    return value


def _has_bytes(source: Source, path: str, number: int, row: int, layout: Layout, report: Report) -> bool:
    try:
        return bool(_bytes(source, path, number, row, layout.bytes or "", layout.token))
    except LabelglotError as error:
        if "not there" not in error.message:
            report.problem("hf-parquet.image", error.message, error.place, severity="error", action="kept without image")
        return False


def _listed(
    file: int, path: str, layout: Layout, split: str | None, source: Source, taken: set[tuple[str | None, str]]
) -> Iterator[Row]:
    """The rows of a file, each with a path of its own."""
    number = 0
    for at in range(layout.groups):
        for row, values in enumerate(_light(source, path, at, layout)):
            image = values.get(layout.image or "")
            written = image.get("path") if isinstance(image, Mapping) else image
            name = _path(written) or _numbered(source, path, at, row, layout, split, number)
            if (split, name) in taken:
                name = _numbered(source, path, at, row, layout, split, number)
                while (split, name) in taken:
                    name = f"_{name}"
            taken.add((split, name))
            yield Row(file, at, row, name)
            number += 1


def _path(written: Any) -> str | None:
    """A path inside the dataset: as it is, or the last part of one of another machine."""
    if not isinstance(written, str) or not written:
        return None
    return next(iter(clean_foreign(written)[-1:]), None) if _is_foreign(written) else safe_relative(written)


def _is_foreign(text: str) -> bool:
    try:
        return "://" in text or safe_relative(text) != text
    except LabelglotError:
        return True


def _numbered(
    source: Source, path: str, at: int, row: int, layout: Layout, split: str | None, number: int
) -> str:
    """``train_17.jpg``, for a row without a usable path."""
    suffix = ""
    if layout.bytes is not None:
        try:
            data = _bytes(source, path, at, row, layout.bytes, layout.token)
            suffix = next((suffix for magic, suffix in _SUFFIXES if data.startswith(magic)), "")
        except LabelglotError:
            pass
    return f"{split or 'image'}_{number}{suffix}"


def _split_of(path: str) -> str | None:
    folder, _, base = path.rpartition("/")
    stem = _SHARD.sub("", base.removesuffix(".parquet"))
    return split_of_path(f"{folder}/{stem}" if folder else stem)


def _stem(split: str | None) -> str:
    return split or UNSPLIT


_INTEGER = {"_type": "Value", "dtype": "int64"}
_FLOAT = {"_type": "Value", "dtype": "float64"}
_TEXT = {"_type": "Value", "dtype": "string"}


def _schema(context: WriteContext, unused: Sequence[str], rows: Any) -> pa.Schema:
    """The schema of all files, with the description that the library reads classes from."""
    import pyarrow as pa

    names = {"_type": "ClassLabel", "names": [label.name for label in context.labels]}
    class_ = names if context.labels else _INTEGER
    further = columns(context, "hf-parquet", "columns")
    inner = columns(context, "hf-parquet", "object_columns")
    found: dict[str, list[Any]] = {f"{name}": [] for name in further} | {f"objects.{name}": [] for name in inner}
    if found:
        for row in rows():
            for name, values in found.items():
                outer, dot, nested = name.partition(".")
                values += row["objects"][nested] if dot and outer == "objects" else [row[name]]
    kinds = {name: kind_of(values) for name, values in found.items()}
    boxes = pa.list_(pa.list_(pa.float64(), 4))
    objects = {
        "id": (pa.int64(), _INTEGER), "bbox": (boxes.value_type, {"_type": "Sequence", "feature": _FLOAT, "length": 4}),
        "area": (pa.float64(), _FLOAT), "category": (pa.int64(), class_), "score": (pa.float64(), _FLOAT),
        "iscrowd": (pa.int64(), _INTEGER), **{name: (kinds[f"objects.{name}"], None) for name in inner},
    }  # fmt: skip
    objects = {name: each for name, each in objects.items() if f"objects.{name}" not in unused}
    struct = pa.struct([(name, pa.list_(kind)) for name, (kind, _) in objects.items()])
    table: dict[str, tuple[pa.DataType, Any]] = {
        "image": (pa.struct([("bytes", pa.binary()), ("path", pa.string())]), {"_type": "Image"}),
        "image_id": (pa.int64(), _INTEGER), "width": (pa.int64(), _INTEGER), "height": (pa.int64(), _INTEGER),
        "label": (pa.int64(), class_), "text": (pa.string(), _TEXT),
        "objects": (struct, {"_type": "Sequence", "feature": {n: f or _feature(k) for n, (k, f) in objects.items()}}),
        **{name: (kinds[name], None) for name in further},
    }  # fmt: skip
    table = {name: each for name, each in table.items() if name not in unused}
    features = {name: feature or _feature(kind) for name, (kind, feature) in table.items()}
    about = json.dump({"info": {"features": features}})
    return pa.schema([(name, kind) for name, (kind, _) in table.items()], metadata={b"huggingface": about})


def _feature(kind: pa.DataType) -> Any:
    """A type as the library describes it."""
    import pyarrow as pa

    if pa.types.is_list(kind):
        return {"_type": "Sequence", "feature": _feature(kind.value_type)}
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    if pa.types.is_floating(kind):
        return _FLOAT
    if pa.types.is_boolean(kind):
        return {"_type": "Value", "dtype": "bool"}
    return _INTEGER if pa.types.is_integer(kind) else _TEXT


def _fitted(row: dict[str, Any], schema: pa.Schema) -> dict[str, Any]:
    """A row whose further columns suit the types that were found for them."""
    for field in schema:
        if field.name == "objects":
            inner = row["objects"]
            for child in field.type:
                inner[child.name] = [fitting(value, child.type.value_type) for value in inner[child.name]]
        elif field.name != "image":
            row[field.name] = fitting(row[field.name], field.type)
    return row


__all__ = ["HfParquet"]
