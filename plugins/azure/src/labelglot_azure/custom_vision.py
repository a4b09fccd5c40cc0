"""Azure Custom Vision: images, tags and regions as the training API gives and takes them.

Read: the array of a "get tagged images" response, in camelCase or as the Python SDK dumps it; the batch of a "create
images" request; the list of files of Microsoft's courses. Written: the array.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, Literal, NamedTuple

import msgspec
from labelglot.images import BytesImage
from labelglot.plugin import (
    TEXT,
    Annotation,
    Content,
    Convention,
    Document,
    Holds,
    Label,
    LabelglotError,
    LabelHolds,
    Match,
    Options,
    ReadContext,
    Report,
    Sample,
    Source,
    Tag,
    TagHolds,
    WriteContext,
    decode_objects,
    image_size,
    leads_to,
    make_labels,
    numbers,
)
from labelglot.wire import json
from pydantic import Field

DOCUMENT = "tagged-images.json"
FRACTIONS = Convention(unit="relative", form="xywh")
HEAD = 1 << 15
_SIDES = ("left", "top", "width", "height")
_IMAGE = ("id", "name", "width", "height", "originalImageUri", "url", "tags", "tagIds", "regions", "predictions", "metadata", "contents")  # fmt: skip
_SNAKE = re.compile(r"_([a-z])")


class _Named(msgspec.Struct):
    """How an image is named: as itself, or by an address."""

    name: str | None = None
    filename: str | None = None
    original: str | None = msgspec.field(default=None, name="originalImageUri")
    snake: str | None = msgspec.field(default=None, name="original_image_uri")
    url: str | None = None


class _Region(msgspec.Struct):
    left: float
    top: float
    width: float
    height: float
    tagName: str | None = None
    tagId: str | int | None = None
    regionId: str | int | None = None


class Record(NamedTuple):
    """All entries of one image, encoded, each with its place."""

    name: str
    entries: tuple[tuple[str, bytes], ...]


class Shared(NamedTuple):
    """``names``: name of a tag by its id. ``everywhere``: ids of the tags all images of a batch get."""

    names: Mapping[str, str]
    everywhere: tuple[str, ...]
    attributes: Mapping[str, str]


class AzureCustomVision(Document):
    """Boxes with a tag, or tags of whole images."""

    id = "azure-custom-vision"
    name = "Azure Custom Vision regions"
    aliases = ("custom-vision",)
    url = "https://learn.microsoft.com/rest/api/customvision/get-tagged-images"
    holds = Holds(
        geometry=(frozenset({"box"}),),
        boxes=FRACTIONS,
        labels=LabelHolds(ids="str", unused=False, order="appearance"),
        ids="str",
        sample_ids="str",
        sample_attributes=TEXT,
        uri=True,
        extra=frozenset({"azure-custom-vision"}),
    )
    separator = b",\n"

    class WriteOptions(Options):
        """What the project is about."""

        task: Literal["detection", "classification"] = Field(
            default="detection", title="Task", description="detection: regions; classification: tags of images"
        )

    def holds_with(self, options: Any) -> Holds:
        return self.holds if options.task == "detection" else self.holds.replace(geometry=(), tags=TagHolds(repeated=False))

    def detect(self, source: Source) -> Match | None:
        found = [(_confidence(json.peek(source.head(name, HEAD))), name) for name in source.match("*.json")[:20]]
        best = max(found, default=(0.0, ""), key=lambda each: each[0])
        return Match(best[0], f"{best[1]} lists images with regions or tags") if best[0] else None

    def inputs(self, context: ReadContext) -> Sequence[tuple[str, str | None]]:
        names = context.source.match("*.json")
        found = [name for name in names if _confidence(json.peek(context.source.head(name, HEAD)))]
        return [(name, None) for name in found or names]

    def parse(self, data: bytes, path: str, context: ReadContext) -> Content:
        report = context.report
        data = json.unmark(data).lstrip()
        top: Mapping[str, msgspec.Raw] = {} if data[:1] == b"[" else json.load_fields(data, path)
        listed = next((name for name in ("images", "files", "results") if name in top), "")
        if data[:1] != b"[" and not listed:
            raise LabelglotError("it has no list of images or files", path)
        place = f"{path}#{listed}"
        found: dict[str, list[tuple[str, bytes]]] = {}
        for position, part in enumerate(json.load_parts(bytes(top[listed]) if listed else data, place)):
            where = f"{place}[{position}]"
            named = json.load_item(part, _Named, where, report, f"{self.id}.image")
            if named is None:
                continue
            name = named.name or named.filename or named.original or named.snake or named.url
            if name:
                found.setdefault(name, []).append((where, bytes(part)))
            else:
                report.problem(
                    f"{self.id}.image", "the image has no name and no address", where, severity="error",
                    raw=bytes(part).decode("utf-8", "replace"), action="skipped",
                )  # fmt: skip
        tags: Any = json.load(bytes(top["tags"]), f"{path}#tags") if "tags" in top else []
        given = [tag for tag in tags if isinstance(tag, dict) and isinstance(tag.get("name"), str)] if isinstance(tags, list) else []
        names = {str(tag["id"]): tag["name"] for tag in given if "id" in tag}
        everywhere: Any = json.load(bytes(top.get("tagIds", b"[]")), path)
        attributes: Any = json.load(bytes(top.get("metadata", b"{}")), path)
        shared = Shared(
            names, tuple(map(str, everywhere)) if isinstance(everywhere, list) else (), _texts(attributes)
        )  # fmt: skip
        records = [Record(name, tuple(entries)) for name, entries in found.items()]
        return Content(records, self._labels(given, records, shared), shared=shared, names=list(found))

    def _labels(self, given: Sequence[Mapping[str, Any]], records: Sequence[Record], shared: Shared) -> Sequence[Label]:
        ids: dict[str, str | None] = {tag["name"]: str(tag["id"]) if "id" in tag else None for tag in given}
        for record in records:
            for place, data in record.entries:
                try:
                    entry = _entry(json.load(data, place, dict[str, Any]))
                except LabelglotError:
                    continue  # reported when it is decoded
                for item in (*_dicts(entry.get("tags")), *_dicts(entry.get("regions")), *_dicts(entry.get("predictions"))):
                    name, id_ = item.get("tagName"), item.get("tagId")
                    name = shared.names.get(str(id_), str(id_)) if name is None and id_ is not None else name
                    if isinstance(name, str) and ids.get(name) is None:
                        ids[name] = id_ if isinstance(id_, str) else None
                for id_ in (*shared.everywhere, *_items(entry.get("tagIds"))):
                    ids.setdefault(shared.names.get(str(id_), str(id_)), str(id_))
        taken: dict[str, str] = {}
        return make_labels(
            Label(key=name, name=name, id=id_ if id_ is None or taken.setdefault(id_, name) == name else None)
            for name, id_ in ids.items()
        )

    def decode(
        self, record: Record, path: str, split: str | None, shared: Shared, context: ReadContext, report: Report
    ) -> Sample | None:
        where = context.place(record.name, path.rpartition("/")[0])
        made = [self._sample(json.load(data, p, dict[str, Any]), p, where.path, shared, report) for p, data in record.entries]
        first = made[0]
        if len(made) > 1:
            report.problem(
                f"{self.id}.duplicate", f"{record.name} is listed {len(made)} times", record.entries[1][0],
                severity="info", key=where.path, action="merged",
            )  # fmt: skip
            first = first.replace(
                annotations=tuple(a for sample in made for a in sample.annotations or ()),
                tags=tuple(tag for sample in made for tag in sample.tags),
                attributes={k: v for sample in reversed(made) for k, v in sample.attributes.items()},
            )
        image = where.image or first.image
        real = None if image is None else image_size(image)
        if first.size is not None and real is not None and real != first.size:
            # The service trains on smaller copies, whose size it gives; fractions fit both.
            first = first.replace(size=None, extra=_and(first.extra, self.id, {"size": list(first.size)}))
        size = real or first.size
        annotations = tuple(_scaled(a, size) for a in first.annotations or ())
        return first.replace(
            path=where.path, uri=first.uri or where.uri, image=image, size=size, annotations=annotations,
            units="relative" if size is None else "pixels",
        )  # fmt: skip

    def _sample(self, written: dict[str, Any], place: str, path: str, shared: Shared, report: Report) -> Sample:
        entry = _entry(written)
        items = [(f"{place}.regions[{i}]", item) for i, item in enumerate(_list(entry, "regions", place, self.id, report))]
        items += [(f"{place}.predictions[{i}]", item) for i, item in enumerate(_list(entry, "predictions", place, self.id, report))]
        annotations = decode_objects(items, lambda item: self._region(item, shared), report, f"{self.id}.region", path)
        extra = json.rest(entry, _IMAGE)
        listed = [item for item in _list(entry, "tags", place, self.id, report) if isinstance(item, dict)]
        seen = {a.label for a in annotations}
        tags: list[Tag] = []
        for item in listed:
            name, id_ = item.get("tagName"), item.get("tagId")
            name = shared.names.get(str(id_), str(id_)) if name is None and id_ is not None else name
            rest = json.rest(item, ("tagId", "tagName"))
            if not isinstance(name, str):
                report.problem(f"{self.id}.tag", "a tag without name", place, key=path, raw=item, action="skipped")
            elif name in seen:
                extra.setdefault("tags", {}).update({name: rest} if rest else {})
            else:
                tags.append(Tag(label=name, extra={self.id: rest} if rest else {}))
        for id_ in (*shared.everywhere, *_list(entry, "tagIds", place, self.id, report)):
            name = shared.names.get(str(id_), str(id_))
            tags += [Tag(label=name)] if name not in seen else []
        if not extra.get("tags", True):
            del extra["tags"]
        size = _size(entry.get("width"), entry.get("height"))
        if size is None:
            extra |= {name: entry[name] for name in ("width", "height") if name in entry}
        metadata = _texts(entry.get("metadata"))
        address = entry.get("originalImageUri") or entry.get("url")
        id_ = entry.get("id")
        return Sample(
            path=path, id=str(id_) if isinstance(id_, str | int) else None, uri=address if isinstance(address, str) else None,
            image=_embedded(entry.get("contents"), path), size=size, tags=tuple(tags),
            annotations=annotations, attributes={**shared.attributes, **metadata}, extra={self.id: extra} if extra else {},
        )  # fmt: skip

    def _region(self, item: Any, shared: Shared) -> Annotation:
        values = dict(item) if isinstance(item, dict) else item
        inner = values.pop("boundingBox", None) if isinstance(values, dict) else None
        if isinstance(inner, dict):
            values |= inner
        try:
            found = msgspec.convert(values, _Region)
        except msgspec.ValidationError as error:
            raise LabelglotError(str(error)) from error
        x, y, w, h = numbers((found.left, found.top, found.width, found.height))
        label = found.tagName
        if label is None and found.tagId is not None:
            label = shared.names.get(str(found.tagId), str(found.tagId))
        if label is None:
            raise LabelglotError("a region without tag")
        score = values.pop("probability", None)
        extra = json.rest(values, ("tagName", "tagId", "regionId", *_SIDES))
        return Annotation(
            label=label, box=FRACTIONS.read_box((x, y, w, h), None), id=None if found.regionId is None else str(found.regionId),
            score=float(score) if isinstance(score, int | float) and isfinite(score) else None,
            extra={self.id: extra} if extra else {},
        )  # fmt: skip

    def document_path(self, split: str | None, context: WriteContext) -> str:
        return context.document(DOCUMENT)

    def frame(self, split: str | None, context: WriteContext) -> tuple[bytes, bytes]:
        return b"[\n", b"\n]\n"

    def encode_record(self, sample: Sample, context: WriteContext, ordinal: int) -> bytes:
        extra = dict(sample.extra.get(self.id, {}))
        more: Mapping[str, Any] = extra.pop("tags", {})
        stated = extra.pop("size", sample.size)
        entry: dict[str, Any] = {} if sample.id is None else {"id": sample.id}
        if sample.uri is None or not leads_to(sample.uri, sample.path, False):
            entry["name"] = sample.path
        if stated is not None:
            entry["width"], entry["height"] = stated
        if sample.uri is not None:
            entry["originalImageUri"] = sample.uri
        if context.options.task == "classification":
            entry["tags"] = [{**_tag(tag.label, context), **tag.extra.get(self.id, {})} for tag in sample.tags]
        else:
            used = dict.fromkeys(a.label for a in sample.annotations or ())
            entry["tags"] = [{**_tag(key, context), **more.get(context.name(key), {})} for key in used]
            entry["regions"] = [self._encode(a, sample, context) for a in sample.annotations or ()]
        if sample.attributes:
            entry["metadata"] = sample.attributes
        return json.dump({**entry, **extra})

    def _encode(self, a: Annotation, sample: Sample, context: WriteContext) -> Mapping[str, Any]:
        size = sample.size if sample.units == "pixels" else None
        sides = numbers(FRACTIONS.write_box(a.box or (0.0, 0.0, 0.0, 0.0), size))
        named = {} if a.id is None else {"regionId": a.id}
        place = dict(zip(_SIDES, sides, strict=True))
        return {**named, **_tag(a.label, context), **place, **a.extra.get(self.id, {})}


def _entry(written: Mapping[str, Any]) -> dict[str, Any]:
    """An image in the words of a response: camelCase, and regions apart from tags."""
    entry: dict[str, Any] = {name: value if name == "metadata" else _camel(value) for name, value in _keys(written)}
    if "filename" in entry:
        entry.setdefault("name", entry.pop("filename"))
        listed = _dicts(entry.get("tags"))
        entry["regions"] = [{"tagName": item.get("tag"), **_without(item, "tag")} for item in listed if "left" in item]
        entry["tags"] = [{"tagName": item.get("tag"), **_without(item, "tag")} for item in listed if "left" not in item]
    return entry


def _keys(value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, item in value.items():
        yield _SNAKE.sub(lambda found: found[1].upper(), name), item


def _camel(value: Any, depth: int = 3) -> Any:
    """Regions and tags with their keys in camelCase; what lies deeper is not of this format."""
    if isinstance(value, list) and depth:
        return [_camel(item, depth - 1) for item in value]
    return {name: _camel(item, depth - 1) for name, item in _keys(value)} if isinstance(value, dict) and depth else value


def _without(item: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return {key: value for key, value in item.items() if key != name}


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in _items(value) if isinstance(item, dict)]


def _size(width: Any, height: Any) -> tuple[int, int] | None:
    return (width, height) if all(type(v) is int and 0 < v < 1 << 31 for v in (width, height)) else None


def _list(entry: Mapping[str, Any], name: str, place: str, owner: str, report: Report) -> list[Any]:
    value = entry.get(name)
    if value is not None and not isinstance(value, list):
        report.problem(f"{owner}.{name}", "a list was expected", f"{place}.{name}", severity="error", raw=value, action="skipped")
    return value if isinstance(value, list) else []


def _texts(value: Any) -> dict[str, str]:
    """Metadata: pairs of texts; anything else as text, too."""
    return {k: v if isinstance(v, str) else json.dump(v).decode() for k, v in value.items()} if isinstance(value, dict) else {}


def _embedded(contents: Any, path: str) -> BytesImage | None:
    if not isinstance(contents, str):
        return None
    try:
        return BytesImage(path, base64.b64decode(contents))
    except (binascii.Error, ValueError):
        return None


def _scaled(a: Annotation, size: tuple[int, int] | None) -> Annotation:
    if size is None or a.box is None:
        return a
    x0, y0, x1, y1 = a.box
    return a.replace(box=(x0 * size[0], y0 * size[1], x1 * size[0], y1 * size[1]))


def _and(extra: Mapping[str, Any], owner: str, more: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**extra, owner: {**extra.get(owner, {}), **more}}


def _tag(key: str | None, context: WriteContext) -> dict[str, Any]:
    label = context.by_key[key or ""]
    return {"tagName": label.name} if label.id is None else {"tagId": label.id, "tagName": label.name}


def _confidence(value: Any) -> float:
    """How much the beginning of a document looks like this format."""
    files = _dicts(value.get("files")) if isinstance(value, dict) else []
    if any("tag" in tag and "left" in tag for file in files for tag in _dicts(file.get("tags"))):
        return 0.95
    images = value if isinstance(value, list) else value.get("images") or value.get("results") if isinstance(value, dict) else []
    entries = [_entry(image) for image in _dicts(images)]
    regions = [region for entry in entries for region in _dicts(entry.get("regions"))]
    if any(("tagName" in region or "tagId" in region) and "left" in region for region in regions):
        return 0.95
    if any("originalImageUri" in entry or any("boundingBox" in p for p in _dicts(entry.get("predictions"))) for entry in entries):
        return 0.95
    if any("tagName" in tag for entry in entries for tag in _dicts(entry.get("tags"))):
        return 0.9
    return 0.5 if any({"tags", "regions"} <= entry.keys() for entry in entries) else 0.0
