"""VoTT JSON: an export with a map of assets, or a working folder with one ``-asset.json`` per image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

import msgspec
from labelglot.geometry import corners, from_xywh, ring_bounds
from labelglot.plugin import (
    PIXELS_XYWH,
    Annotation,
    Box,
    Content,
    Document,
    Holds,
    Info,
    Label,
    LabelglotError,
    LabelHolds,
    Match,
    Points,
    Polygon,
    Polyline,
    ReadContext,
    Report,
    Ring,
    Sample,
    Source,
    WriteContext,
    make_labels,
)
from labelglot.wire import json

from labelglot_vott.splits import SPLITS, split_of

ENDING, ASSET = "-export.json", "-asset.json"
VERSION = "2.2.0"
NOT_VISITED, VISITED, TAGGED = 0, 1, 2
IMAGE, VIDEO, FRAME, RECORDS = 1, 2, 3, 4
HEAD = 1 << 14


class _Head(msgspec.Struct):
    """What is needed of an asset to find its image."""

    name: str | None = None
    path: str | None = None
    type: int = IMAGE


class _RecordHead(msgspec.Struct):
    asset: _Head


class _Tag(msgspec.Struct):
    name: str
    color: str | None = None


class _Bounds(msgspec.Struct):
    left: float
    top: float
    width: float
    height: float


class _Point(msgspec.Struct):
    x: float
    y: float


class _Region(msgspec.Struct):
    id: str | int | None = None
    type: str | None = None
    tags: list[str] | None = None
    boundingBox: _Bounds | None = None
    points: list[_Point] | None = None


ASSET_FIELDS = ("id", "name", "path", "size", "state", "type", "timestamp", "parent", "format")


class Record(NamedTuple):
    """One asset, encoded. ``name``: the image it means, ``uri``: its path as written if that leads elsewhere."""

    name: str
    uri: str | None
    place: str
    data: bytes


class VottJson(Document):
    """Regions with any number of tags; images that nobody visited are told from those without regions."""

    id = "vott-json"
    name = "VoTT JSON"
    url = "https://github.com/microsoft/VoTT"
    holds = Holds(
        geometry=(frozenset({"box", "polygon", "polyline", "points"}),),
        boxes=PIXELS_XYWH,
        polygon_parts=False,
        several_points=False,
        polygon_holes=False,
        labels=LabelHolds(color=True, required=False),
        ids="str",
        sample_ids="str",
        sample_ids_required=True,
        uri=True,
        splits=SPLITS,
        sequence=True,
        timestamp=True,
        unlabelled=True,
        info=frozenset({"name"}),
        extra=frozenset({"vott-json"}),
    )
    geometry_bound_extra = frozenset({("vott-json", "boundingBox"), ("vott-json", "points"), ("vott-json", "type")})

    def detect(self, source: Source) -> Match | None:
        names = source.match("*.json")
        for name in sorted(names, key=lambda n: not n.lower().endswith((ENDING, ASSET)))[:20]:
            value = json.peek(source.head(name, HEAD))
            if _is_export(value):
                return Match(0.95, f"{name} has assets with regions")
            if _is_asset(value):
                return Match(0.95, f"{name} is an asset with regions")
        return None

    def inputs(self, context: ReadContext) -> Sequence[tuple[str, str | None]]:
        names = context.source.match("*.json")
        heads = {name: json.peek(context.source.head(name, HEAD)) for name in names}
        exports = [name for name in names if _is_export(heads[name])]
        assets = [name for name in names if _is_asset(heads[name])]
        return [(name, split_of(name, ENDING)) for name in exports or assets or names]

    def parse(self, data: bytes, path: str, context: ReadContext) -> Content:
        fields = json.load_fields(data, path)
        if "asset" in fields:
            records = [("", f"{path}#", bytes(json.unmark(data)))]
            return self._content(records, None, None, context)
        if "assets" not in fields:
            raise LabelglotError("it has no assets", path)
        assets = json.load_fields(bytes(fields["assets"]), f"{path}#assets")
        records = [(key, f"{path}#assets.{key}", bytes(raw)) for key, raw in assets.items()]
        tags = json.load_items(fields.get("tags"), dict[str, Any], f"{path}#tags", context.report, "vott-json.tag")
        found = [json.load_item(tag, _Tag, f"{path}#tags", context.report, "vott-json.tag") for tag in tags if tag]
        extras = [json.rest(tag, ("name", "color")) for tag in tags if tag]
        labels = make_labels(
            Label(key=tag.name, name=tag.name, color=tag.color, extra={self.id: extra} if extra else {})
            for tag, extra in zip(found, extras, strict=True)
            if tag is not None
        )
        name = None
        if "name" in fields:
            name = json.load_item(fields["name"], str, f"{path}#name", context.report, "vott-json.name")
        extra = json.rest(fields, ("name", "tags", "assets"))
        if extra.get("version") == VERSION:
            del extra["version"]
        return self._content(records, labels, Info(name=name or None, extra={self.id: extra} if extra else {}), context)

    def _content(
        self,
        found: Sequence[tuple[str, str, bytes]],
        labels: Sequence[Label] | None,
        info: Info | None,
        context: ReadContext,
    ) -> Content:
        heads: list[tuple[str, bytes, _Head]] = []
        for key, place, data in found:
            record = json.load_item(data, _RecordHead, place, context.report, "vott-json.asset")
            if record is None:
                continue
            head = record.asset
            if head.type in (VIDEO, RECORDS):
                context.report.problem(
                    "vott-json.media", f"{head.name} is no image", place, key=head.name, action="skipped"
                )  # fmt: skip
                continue
            if not head.name and not head.path:
                head.name = key
            heads.append((place, data, head))
        records = list(_named(heads))
        return Content(records, labels, info, names=[record.name for record in records])

    def decode(
        self, record: Record, path: str, split: str | None, shared: Any, context: ReadContext, report: Report
    ) -> Sample | None:
        where = context.place(record.name, path.rpartition("/")[0])
        fields: dict[str, Any] = json.load(record.data, record.place, dict)
        asset: dict[str, Any] = fields["asset"]
        reader = _Reader(record.place, where.path, report)
        regions = fields.get("regions")
        annotations = tuple(reader.regions(regions))
        state = asset.get("state")
        extra = json.rest(fields, ("asset", "regions"))
        if extra.get("version") == VERSION:
            del extra["version"]
        rest = json.rest(asset, ASSET_FIELDS)
        parent = asset.get("parent")
        sequence = parent.get("name") if isinstance(parent, dict) else None
        if isinstance(parent, dict) and (further := json.rest(parent, ("name",))):
            rest["parent"] = further
        sample = Sample(
            path=where.path,
            id=reader.typed(asset, "id", str),
            image=where.image,
            uri=record.uri or where.uri,
            size=reader.size(asset.get("size")),
            splits=(split,) if split else (),
            sequence=sequence if isinstance(sequence, str) else None,
            timestamp=reader.timestamp(asset),
            annotations=None if state == NOT_VISITED and not regions else annotations,
        )
        for name, derived in (("state", _state(sample)), ("type", _type(sample)), ("format", _format(sample.path))):
            if asset.get(name, derived) != derived:
                rest[name] = asset[name]
        if rest:
            extra["asset"] = rest
        return sample.replace(extra={self.id: extra}) if extra else sample

    def document_path(self, split: str | None, context: WriteContext) -> str:
        return context.document(f"{split or 'vott'}{ENDING}", per_split=True)

    def frame(self, split: str | None, context: WriteContext) -> tuple[bytes, bytes]:
        tags = [
            {"name": label.name, **({"color": label.color} if label.color else {}), **label.extra.get(self.id, {})}
            for label in context.labels
        ]
        head = {
            "name": context.info.name or "", "version": VERSION, **context.info.extra.get(self.id, {}), "tags": tags,
        }  # fmt: skip
        return json.dump(head)[:-1] + b',"assets":{', b"}}\n"

    def encode_record(self, sample: Sample, context: WriteContext, ordinal: int) -> bytes:
        extra = dict(sample.extra.get(self.id, {}))
        further = dict(extra.pop("asset", {}))
        asset: dict[str, Any] = {
            "format": _format(sample.path),
            "id": sample.id,
            "name": sample.path if sample.uri is not None else quote(sample.path.rpartition("/")[2]),
            "path": quote(sample.path) if sample.uri is None else sample.uri,
            "state": _state(sample),
            "type": _type(sample),
        }
        if sample.size is not None:
            asset["size"] = {"width": sample.size[0], "height": sample.size[1]}
        if sample.timestamp is not None:
            asset["timestamp"] = sample.timestamp
        parent = further.pop("parent", {})
        if sample.sequence is not None or parent:
            asset["parent"] = {**({} if sample.sequence is None else {"name": sample.sequence}), **parent}
        record = {
            "asset": {**asset, **further},
            "regions": list(_regions(sample.annotations or (), context)),
            "version": VERSION,
            **extra,
        }
        return json.dump(sample.id) + b":" + json.dump(record)


def _is_export(value: Any) -> bool:
    assets = value.get("assets") if isinstance(value, dict) else None
    if not isinstance(assets, dict):
        return False
    return all(isinstance(v, dict) and "asset" in v for v in assets.values()) and (bool(assets) or "tags" in value)


def _is_asset(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("asset"), dict) and "regions" in value


def _named(heads: Sequence[tuple[str, bytes, _Head]]) -> Iterator[Record]:
    """Records with the image each asset means.

    A path inside the folder says it best; a path on another machine does not count, unless it takes it to tell two
    images of one name apart.
    """
    counts: dict[str, int] = {}
    for _, _, head in heads:
        if head.name and _foreign(head.path):
            counts[head.name] = counts.get(head.name, 0) + 1
    for place, data, head in heads:
        name, path = head.name, head.path
        if path and not _foreign(path):
            yield Record(unquote(path), None, place, data)
        elif name and counts.get(name, 1) == 1:
            yield Record(_decoded(name, path), path or None, place, data)
        else:
            yield Record(unquote(path.removeprefix("file:")) if path else name or "", path or None, place, data)


def _foreign(path: str | None) -> bool:
    return not path or "\\" in path or path.startswith("/") or ":" in path.partition("/")[0]


def _decoded(name: str, path: str | None) -> str:
    """A name that is percent-encoded, as its path always is, in clear."""
    return unquote(name) if path and path.endswith("/" + name) else name


def _state(sample: Sample) -> int:
    return NOT_VISITED if sample.annotations is None else TAGGED if sample.annotations else VISITED


def _type(sample: Sample) -> int:
    return IMAGE if sample.timestamp is None and sample.sequence is None else FRAME


def _format(path: str) -> str:
    name, _, suffix = path.rpartition("/")[2].rpartition(".")
    return suffix if name else ""


class _Reader:
    """Reads one asset, reporting what does not fit."""

    def __init__(self, place: str, key: str, report: Report) -> None:
        self.place, self.key, self.report = place, key, report

    def typed(self, fields: dict[str, Any], name: str, kind: type[str]) -> str | None:
        value = fields.get(name)
        if value is None or isinstance(value, kind):
            return value
        self._problem(f"vott-json.{name}", f"{name} is no {kind.__name__}", f"asset.{name}", value, "left out")
        return None

    def size(self, value: Any) -> tuple[int, int] | None:
        if value is None:
            return None
        numbers = [value.get("width"), value.get("height")] if isinstance(value, dict) else []
        whole = [int(n) for n in numbers if isinstance(n, int | float) and isfinite(n) and n == int(n) > 0]
        if len(whole) == 2:
            return whole[0], whole[1]
        self._problem("vott-json.size", "it is no size of an image", "asset.size", value, "left out")
        return None

    def timestamp(self, asset: dict[str, Any]) -> float | None:
        value = asset.get("timestamp")
        if value is None:
            return None
        if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
            return float(value)
        self._problem("vott-json.timestamp", "it is no time", "asset.timestamp", value, "left out")
        return None

    def regions(self, items: Any) -> Iterator[Annotation]:
        """The objects, one for each tag of a region."""
        if items is not None and not isinstance(items, list):
            self._skip("vott-json.regions", "the regions are no list", "regions", items)
            return
        for position, item in enumerate(items or ()):
            place = f"regions[{position}]"
            region = json.load_item(item, _Region, f"{self.place}.{place}", self.report, "vott-json.region")
            annotation = None if region is None else self._region(region, item, place)
            if annotation is None or region is None:
                continue
            yield from (annotation.replace(label=tag) for tag in region.tags or (None,))

    def _region(self, region: _Region, item: dict[str, Any], place: str) -> Annotation | None:
        ring: Ring = tuple(v for p in region.points or () for v in (p.x, p.y))
        b = region.boundingBox
        box = from_xywh(b.left, b.top, b.width, b.height) if b else ring_bounds(ring) if len(ring) > 2 else None
        if not all(map(isfinite, (*ring, *(box or ())))):
            self._skip("vott-json.number", "a coordinate is not finite", place, item)
            return None
        extra = json.rest(item, ("id", "type", "tags", "boundingBox", "points"))
        kind = region.type
        shape = _shape(kind, ring)
        if shape is None and box is None:
            self._skip("vott-json.region", f"a region of type {kind} without points or box", place, item)
            return None
        if shape is not None:
            if box is not None and not _close(box, _bounds(ring)):
                extra["boundingBox"] = item["boundingBox"]
            box = None
        elif kind != "RECTANGLE" and kind is not None:
            if kind != "SQUARE":
                self._problem("vott-json.type", f"region type {kind} is read as a box", place, item, "kept")
            extra["type"] = kind
        if box is not None and ring and not _close(ring, corners(box)):
            extra["points"] = item["points"]
        return Annotation(
            id=None if region.id is None else str(region.id),
            box=box,
            shape=shape,
            extra={"vott-json": extra} if extra else {},
        )

    def _skip(self, code: str, message: str, place: str, raw: Any) -> None:
        self.report.problem(
            code, message, f"{self.place}.{place}", severity="error", key=self.key, raw=raw, action="skipped"
        )

    def _problem(self, code: str, message: str, place: str, raw: Any, action: str) -> None:
        self.report.problem(code, message, f"{self.place}.{place}", key=self.key, raw=raw, action=action)


def _shape(kind: str | None, ring: Ring) -> Polygon | Polyline | Points | None:
    if not ring:
        return None
    if kind == "POLYGON":
        return Polygon.of(ring)
    if kind == "POLYLINE":
        return Polyline(points=ring)
    return Points(points=ring) if kind == "POINT" else None


def _bounds(ring: Ring) -> Box:
    xs, ys = ring[::2], ring[1::2]
    return (min(xs), min(ys), max(xs), max(ys))


def _close(a: Ring, b: Ring) -> bool:
    return len(a) == len(b) and all(abs(x - y) <= 1e-6 for x, y in zip(a, b, strict=True))


def _regions(annotations: Sequence[Annotation], context: WriteContext) -> Iterator[dict[str, Any]]:
    """Regions; objects that follow one another and differ in nothing but the label are one with several tags."""
    before: Annotation | None = None
    region: dict[str, Any] = {}
    for annotation in annotations:
        name = None if annotation.label is None else context.name(annotation.label)
        bare = annotation.replace(label=None)
        if (
            name is not None
            and before is not None
            and before.id is not None
            and before.id == bare.id
            and before == bare
            and region["tags"]
        ):
            region["tags"].append(name)
            continue
        if region:
            yield region
        before, region = bare, _region(annotation, [] if name is None else [name])
    if region:
        yield region


def _region(annotation: Annotation, tags: list[str]) -> dict[str, Any]:
    shape = annotation.shape
    if isinstance(shape, Polygon):
        kind, ring = "POLYGON", shape.parts[0][0]
    elif isinstance(shape, Polyline | Points):
        kind, ring = "POLYLINE" if isinstance(shape, Polyline) else "POINT", shape.points
    else:
        kind, ring = "RECTANGLE", corners(annotation.box or (0.0, 0.0, 0.0, 0.0))
    left, top, right, bottom = annotation.box or _bounds(ring)
    if not isfinite(sum(ring) + left + top + right + bottom):
        raise LabelglotError(f"a coordinate of object {annotation.id} is not finite")
    return {
        **({} if annotation.id is None else {"id": annotation.id}),
        "type": kind,
        "tags": tags,
        "boundingBox": {"height": bottom - top, "width": right - left, "left": left, "top": top},
        "points": [{"x": x, "y": y} for x, y in zip(ring[::2], ring[1::2], strict=True)],
        **annotation.extra.get("vott-json", {}),
    }
