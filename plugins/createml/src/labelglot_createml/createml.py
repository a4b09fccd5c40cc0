"""Apple Create ML JSON: a list of images in one file beside them, boxes by their centre and size in pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, Literal, NamedTuple

import msgspec
from labelglot import native
from labelglot.plugin import (
    Annotation,
    Box,
    Columns,
    Content,
    Convention,
    Dataset,
    Document,
    Holds,
    LabelglotError,
    LabelHolds,
    Match,
    Naming,
    ReadContext,
    Records,
    Report,
    Sample,
    Source,
    Tag,
    TagHolds,
    WriteContext,
    as_columns,
    image_size,
    labels_and_boxes,
)
from labelglot.wire import json
from pydantic import Field

from labelglot_createml.frame import Frame

DOCUMENT = "_annotations.createml.json"
NAMES = ("image", "imagefilename", "filename", "imageURL")
LISTS = ("annotations", "annotation")
OBJECT = ("label", "coordinates")
COORDINATES = ("x", "y", "width", "height")
SLACK = 0.5
"""Pixels by which a box may leave the image before its anchor is doubted."""


class _Named(msgspec.Struct):
    """The name of the image, under any of the keys in use."""

    image: str | None = None
    imagefilename: str | None = None
    filename: str | None = None
    imageURL: str | None = None


class _Coordinates(msgspec.Struct, gc=False):
    x: float
    y: float
    width: float
    height: float


class _Object(msgspec.Struct, kw_only=True):
    label: str | int | float | None = None
    coordinates: _Coordinates


class _Item(msgspec.Struct, gc=False):
    label: str
    coordinates: _Coordinates


class Record(NamedTuple):
    """All that a document says about one image: (position in the list, encoded entry), in general one.

    No entry at all: an image beside the document that is not listed.
    """

    name: str
    folder: str
    entries: tuple[tuple[int, bytes], ...]


class CreateMl(Document):
    """Boxes with labels, and in another kind of file image-level labels. Nothing else."""

    id = "createml"
    name = "Apple Create ML JSON"
    aliases = ("create-ml",)
    url = "https://developer.apple.com/documentation/createml/building-an-object-detector-data-source"
    holds = Holds(
        geometry=(frozenset({"box"}),),
        boxes=Convention(form="center"),
        labels=LabelHolds(unused=False, order="appearance"),
        size=False,
        naming=Naming(folders=False),
        extra=frozenset({"createml"}),
    )
    separator = b",\n"
    takes_columns = True

    class ReadOptions(Frame):
        """How x, y, width, height are meant, and which images there are."""

        unlisted: bool = Field(
            default=False,
            title="Unlisted images",
            description="also take images beside the JSON that it does not list, as images nobody looked at",
        )

    class WriteOptions(Frame):
        """How x, y, width, height are written, and for which task."""

        task: Literal["detection", "classification"] = Field(
            default="detection",
            title="Task",
            description="detection: boxes; classification: the labels of the image as a whole",
        )

    def holds_with(self, options: Any) -> Holds:
        if options.task == "classification":
            return self.holds.replace(geometry=(), tags=TagHolds(labels="many"))
        if options.units == "normalized":
            return self.holds.replace(boxes=Convention(unit="relative", form="center"))
        return self.holds

    def evidence(self, source: Source, path: str) -> Match | None:
        return _evidence(path, json.peek(source.head(path, 1 << 14)))

    def parse(self, data: bytes, path: str, context: ReadContext) -> Content:
        found: dict[str, list[tuple[int, bytes]]] = {}
        for position, part in enumerate(json.load_parts(data, path)):
            place = f"{path}#[{position}]"
            named = json.load_item(part, _Named, place, context.report, "createml.image")
            if named is None:
                continue
            name = named.image or named.imagefilename or named.filename or named.imageURL
            if not name:
                context.report.problem(
                    "createml.image", "the entry names no image", place, severity="error",
                    raw=bytes(part).decode("utf-8", "replace"), action="skipped",
                )  # fmt: skip
                continue
            found.setdefault(name, []).append((position, bytes(part)))
        folder = path.rpartition("/")[0]
        return Content([Record(name, folder, tuple(entries)) for name, entries in found.items()], names=tuple(found))

    def read(self, context: ReadContext) -> Dataset:
        dataset = super().read(context)
        if not context.options.unlisted or not isinstance(dataset.samples, Records):
            return dataset
        listed = dataset.samples
        records = [record for _, record in listed.records]
        known = {_place(record, context).image for record in records}
        folders = {record.folder for record in records}
        further = [
            (0, Record(path, folder, ()))
            for path in context.images.paths
            if (folder := path.rpartition("/")[0]) in folders and context.image(path) not in known
        ]
        return dataset.replace(samples=Records([*listed.records, *further], listed.decode))

    def decode(
        self, record: Record, path: str, split: str | None, shared: Any, context: ReadContext, report: Report
    ) -> Sample | None:
        if not record.entries:
            return Sample(path=record.name, image=context.image(record.name))
        where = _place(record, context)
        options: Frame = context.options
        size = None if where.image is None else image_size(where.image)
        reader = _Reader(options, size, where.path, report)
        extra: dict[str, Any] = {}
        for position, data in record.entries:
            place = f"{path}#[{position}]"
            entry: dict[str, Any] = json.load(data, place, dict)
            reader.entry(entry, place)
            extra.update(json.rest(entry, (*NAMES, *LISTS)))
        if len(record.entries) > 1:
            report.problem(
                "createml.duplicate", f"{record.name} is listed {len(record.entries)} times", f"{path}#[{position}]",
                severity="info", key=where.path, action="merged",
            )  # fmt: skip
        reader.doubts(f"{path}#[{record.entries[0][0]}]")
        return Sample(
            path=where.path,
            image=where.image,
            uri=where.uri,
            size=None if options.units == "normalized" else size,
            units="relative" if options.units == "normalized" else "pixels",
            tags=tuple(reader.tags),
            annotations=None if reader.objects is None else tuple(reader.objects),
            extra={"createml": extra} if extra else {},
        )

    def document_path(self, split: str | None, context: WriteContext) -> str:
        return context.document(DOCUMENT)

    def frame(self, split: str | None, context: WriteContext) -> tuple[bytes, bytes]:
        return b"[\n", b"\n]\n"

    def encode_record(self, sample: Sample, context: WriteContext, ordinal: int) -> bytes:
        options: CreateMl.WriteOptions = context.options
        items: list[Any]
        if options.task == "classification":
            items = [context.name(tag.label) for tag in sample.tags]
        else:
            found, columns = sample.annotations or (), as_columns(sample.annotations)
            spelled_columns = None if columns is None or not options.plain else _spell_columns(columns, context)
            if spelled_columns is not None and not sample.extra:
                return b'{"image":%b,"annotations":[%b]}' % (json.dump(sample.path), spelled_columns)
            names, (keys, boxes) = context.once(_names), labels_and_boxes(found)
            try:
                spelled = _centred(boxes) if options.plain else list(map(_Framed(options, sample), boxes))
                items = [_Item(names[key], place) for key, place in zip(keys, spelled, strict=True)]
                if any(a.extra for a in found) if columns is None else not columns.only_boxes:
                    items = [_with_extra(a, item) if a.extra else item for a, item in zip(found, items, strict=True)]
            except (OverflowError, ValueError) as error:
                raise LabelglotError(f"a box of {sample.path} is not finite") from error
        return json.dump({"image": sample.path, "annotations": items, **sample.extra.get("createml", {})})


def _place(record: Record, context: ReadContext) -> Any:
    return context.place(record.name, record.folder)


class _Reader:
    """Takes the objects of one image. ``objects`` stays ``None`` if no entry has a list of them."""

    def __init__(self, options: Frame, size: tuple[int, int] | None, key: str, report: Report) -> None:
        self.options, self.size, self.key, self.report = options, size, key, report
        self.height = 1.0 if options.units == "normalized" else float(size[1]) if size else None
        self.objects: list[Annotation] | None = None
        self.tags: list[Tag] = []
        self.largest = 0.0
        self.numbers = 0

    def entry(self, entry: dict[str, Any], place: str) -> None:
        """Take the objects of one entry of the document."""
        items = next((entry[key] for key in LISTS if entry.get(key) is not None), None)
        if items is None:
            return
        self.objects = self.objects or []
        if not isinstance(items, list):
            self._skip("createml.annotations", "the objects are no list", place, items)
            return
        for position, item in enumerate(items):
            if isinstance(item, str):
                self.tags.append(Tag(label=item))
                continue
            annotation = self._object(item, f"{place}.annotations[{position}]")
            if annotation is not None:
                self.objects.append(annotation)

    def _object(self, item: Any, place: str) -> Annotation | None:
        found = json.load_item(item, _Object, place, self.report, "createml.object")
        if found is None:
            return None
        c = found.coordinates
        if self.height is None and self.options.needs_height:
            self._skip("createml.height", "y counts from the bottom of an image of unknown height", place, item)
            return None
        box = self.options.read(c.x, c.y, c.width, c.height, self.height or 0.0)
        if not all(map(isfinite, box)):
            self._skip("createml.number", "a coordinate is not finite", place, item)
            return None
        self.numbers += 1
        self.largest = max(self.largest, abs(c.x), abs(c.y), c.width, c.height)
        return Annotation.trusted(
            label=None if found.label is None else str(found.label), box=box, extra=_unknown(item)
        )

    def doubts(self, place: str) -> None:
        """Say so if the numbers look as if they were meant otherwise; nothing is changed."""
        if self.options.units == "normalized" or not self.numbers:
            return
        if 0 < self.largest <= 1:
            self.report.problem(
                "createml.units", "no coordinate is above 1, as in a file with fractions of the image", place,
                key=self.key, action="read as pixels; choose with units=normalized",
            )  # fmt: skip
        if (self.options.anchor, self.options.origin) != ("center", "top-left"):
            return
        boxes = [a.box for a in self.objects or () if a.box is not None]
        outside = sum(_leaves(box, self.size) for box in boxes)
        if outside and not any(_leaves(_as_corner(box), self.size) for box in boxes):
            self.report.problem(
                "createml.anchor",
                f"{outside} of {len(boxes)} boxes leave the image, none would if x, y were the top-left corner",
                place, key=self.key, action="read as centre; choose with anchor=top-left",
            )  # fmt: skip

    def _skip(self, code: str, message: str, place: str, raw: Any) -> None:
        self.report.problem(code, message, place, severity="error", key=self.key, raw=raw, action="skipped")


def _as_corner(box: Box) -> Box:
    """The box if what was read as its centre is its top-left corner."""
    x0, y0, x1, y1 = box
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    return (x, y, x + x1 - x0, y + y1 - y0)


def _leaves(box: Box, size: tuple[int, int] | None) -> bool:
    width, height = size or (float("inf"), float("inf"))
    return box[0] < -SLACK or box[1] < -SLACK or box[2] > width + SLACK or box[3] > height + SLACK


def _unknown(item: dict[str, Any]) -> dict[str, Any]:
    """What an object says besides label and coordinates."""
    coordinates = item["coordinates"]
    if len(item) == 2 and len(coordinates) == 4:
        return {}
    rest = json.rest(item, OBJECT)
    inner = json.rest(coordinates, COORDINATES)
    if inner:
        rest["coordinates"] = inner
    return {"createml": rest} if rest else {}


def _evidence(name: str, value: Any) -> Match | None:
    """What the beginning of a document says about its format."""
    if not isinstance(value, list):
        return None
    if name.lower().endswith("createml.json"):
        return Match(0.95, f"{name} is called as Create ML exports are")
    listed = [item for item in value if isinstance(item, dict) and any(isinstance(item.get(n), str) for n in NAMES)]
    lists = [item[key] for item in listed for key in LISTS if isinstance(item.get(key), list)]
    if any(isinstance(o, dict) and isinstance(o.get("coordinates"), dict) for objects in lists for o in objects):
        return Match(0.95, f"{name} lists images with annotations that have coordinates")
    if any(isinstance(o, str) for objects in lists for o in objects):
        return Match(0.6, f"{name} lists images with labels")
    if lists and not any(lists):
        return Match(0.5, f"{name} lists images without objects")
    return None


GRID = 1e9
"""Steps per pixel in which numbers are written: finer than any tolerance, free of the noise of adding and halving."""


def _names(context: WriteContext) -> Mapping[str, str]:
    """The name of each class, by key."""
    return {label.key: label.name for label in context.labels}


def _spelled_names(context: WriteContext) -> Mapping[str, bytes]:
    """The name of each class as JSON, by key."""
    return {key: json.dump(name) for key, name in _names(context).items()}


def _spell_columns(columns: Columns, context: WriteContext) -> bytes | None:
    """The text of objects that are boxes and nothing else, with commas between; ``None`` for others, or if that is not compiled."""
    names = context.once(_spelled_names)
    if columns.boxes is None or not columns.only_boxes or not names.keys() >= set(columns.labels):
        return None
    numbers = native.centres(columns.boxes.numbers, GRID)
    if numbers is None:
        return None
    labels = [names[label] for label in columns.labels]
    text = native.fill(_OBJECT, (labels, *(numbers[i::4] for i in range(4))), len(labels))
    return None if text is None else text[:-1]


_OBJECT = (b'{"label":', b',"coordinates":{"x":', b',"y":', b',"width":', b',"height":', b"}},")


def _centred(boxes: Sequence[Box]) -> list[_Coordinates]:
    grid, half = GRID, GRID / 2
    return [
        _Coordinates(
            round((x0 + x1) * half) / grid, round((y0 + y1) * half) / grid, round((x1 - x0) * grid) / grid, round((y1 - y0) * grid) / grid
        )
        for x0, y0, x1, y1 in boxes
    ]


class _Framed:
    """Boxes of one sample in another frame than centre and pixels."""

    def __init__(self, options: Frame, sample: Sample) -> None:
        self.options, self.height, self.grid = options, 1.0, GRID
        self.scale = (1.0, 1.0)
        if options.units == "normalized":
            self.grid = GRID * 1000
            if sample.units == "pixels" and sample.size is not None:
                self.scale = (1 / sample.size[0], 1 / sample.size[1])
        elif options.needs_height:
            if sample.size is None:
                raise LabelglotError(
                    f"{sample.path}: to count pixels from the bottom, the image's height must be known"
                )
            self.height = float(sample.size[1])

    def __call__(self, box: Box) -> _Coordinates:
        (x0, y0, x1, y1), (sx, sy) = box, self.scale
        numbers = self.options.write((x0 * sx, y0 * sy, x1 * sx, y1 * sy), self.height)
        return _Coordinates(*(round(n * self.grid) / self.grid for n in numbers))


def _with_extra(annotation: Annotation, item: _Item) -> dict[str, Any]:
    """One object with the fields that were not understood when it was read."""
    extra = annotation.extra.get("createml", {})
    inner = {**msgspec.structs.asdict(item.coordinates), **extra.get("coordinates", {})}
    return {**extra, "label": item.label, "coordinates": inner}
