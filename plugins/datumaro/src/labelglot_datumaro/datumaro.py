"""Datumaro JSON: one document per subset with categories and items, an annotation for each geometry.

Annotations of one class with the same ``group`` (but 0) are parts of one object: its box, its polygons, its points.
Some attributes have a meaning by convention: ``is_crowd``, ``score``, ``track_id``, and ``rotation`` of a box in degrees.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

import msgspec
from labelglot.conventions import settle
from labelglot.geometry import is_rotated_box
from labelglot.plugin import (
    ANY_VALUE,
    PIXELS_XYWH,
    Annotation,
    Content,
    Cuboid,
    Document,
    Ellipse,
    File,
    Holds,
    Info,
    Keypoints,
    Label,
    LabelglotError,
    LabelHolds,
    Mask,
    Match,
    Naming,
    Piece,
    Points,
    Polygon,
    Polyline,
    Problem,
    ReadContext,
    Report,
    RotatedBox,
    Rotation,
    Sample,
    Source,
    Tag,
    TagHolds,
    WriteContext,
    numbers,
    set_apart,
    skewed_boxes,
    split_role,
    under,
    with_suffix,
)
from labelglot.storage import clean_foreign
from labelglot.wire import json
from labelglot.wire.rle import read_mask, write_mask

from labelglot_datumaro.categories import OWNER, read_labels, rest_of, write_categories

HEAD = 1 << 16
FOLDER, IMAGES, DEFAULT = "annotations", "images", "default"
TURN = Rotation(form="xywh", decimals=9)
LEAST = {"polygon": 6, "polyline": 4, "points": 2}
"""Numbers without which a geometry encloses or leads nothing."""
_INFO = ("name", "description", "version", "url")
_ITEM = ("id", "annotations", "attr", "image")
_ANNOTATION = (
    "id", "type", "attributes", "group", "object_id", "label_id", "z_order", "bbox", "points", "visibility", "rle", "caption",
)  # fmt: skip


class _Image(msgspec.Struct, gc=False):
    path: str | None = None
    size: list[float] | None = None


class _Key(msgspec.Struct, gc=False):
    """What must be known of an item before it is decoded."""

    id: str | int
    image: _Image | None = None
    media: _Image | None = None


class _Annotation(msgspec.Struct, gc=False):
    """What must be right about an annotation for it to be read."""

    type: str
    id: int | str | None = None
    attributes: dict[str, Any] | None = None
    group: int | None = None
    object_id: int | str | None = None
    label_id: int | None = None
    z_order: int | None = None
    bbox: list[float] | None = None
    points: list[Any] | None = None
    visibility: list[int] | None = None
    rle: dict[str, Any] | None = None
    caption: str | None = None


class Item(NamedTuple):
    """An item, still encoded. ``name``: where its image lies; ``path``: identity."""

    position: int
    name: str
    path: str
    size: tuple[int, int] | None
    raw: bytes


class Datumaro(Document):
    """Datumaro's own format, version 1.0 and before."""

    id = "datumaro"
    name = "Datumaro JSON"
    aliases = ("datumaro-json", "geti")
    url = "https://open-edge-platform.github.io/datumaro/latest/docs/data-formats/formats/datumaro.html"
    geometry_bound_extra = frozenset({(OWNER, "rotation")})
    computed_extra = frozenset({(OWNER, "group")})
    holds = Holds(
        geometry=(
            frozenset({"box", "rotated_box"}),
            frozenset({"polygon", "mask", "polyline", "points", "ellipse", "cuboid"}),
            frozenset({"keypoints"}),
        ),
        boxes=PIXELS_XYWH,
        polygon_holes=False,
        ellipses="upright",
        keypoint_visibility="stated",
        labels=LabelHolds(ids="index", required=False, parent=True, color=True, keypoints=True, skeleton=True),
        attributes=ANY_VALUE,
        flags={"crowd": frozenset({"bool"})},
        score=True,
        track="any",
        tags=TagHolds(captions="many", score=True, attributes=ANY_VALUE),
        sample_ids="any",
        splits="any",
        split_names=rf"(?!(?i:{DEFAULT})$){Holds().split_names}",
        frame=True,
        sample_attributes=ANY_VALUE,
        naming=Naming(unique="stem", scope="split"),
        info=frozenset({"name", "description", "version", "url"}),
        extra=frozenset({OWNER}),
    )

    def detect(self, source: Source) -> Match | None:
        best: Match | None = None
        for path in source.match("*.json")[:20]:
            match = _evidence(path, json.peek(source.head(path, HEAD)))
            if match is not None and (best is None or match.confidence > best.confidence):
                best = match
        return best

    def inputs(self, context: ReadContext) -> Sequence[tuple[str, str | None]]:
        source = context.source
        if source.focus is not None:
            return [(source.focus, subset_of(source.focus))]
        names = source.match("*.json")
        found = [path for path in names if _evidence(path, json.peek(source.head(path, HEAD))) is not None]
        return [(path, subset_of(path)) for path in found or names]

    def folders(self, path: str, split: str | None) -> Sequence[str]:
        folder = path.rpartition("/")[0]
        base = folder.rpartition("/")[0] if folder.rpartition("/")[2] == FOLDER else folder
        return (under(base, f"{IMAGES}/{split or DEFAULT}"),)

    def parse(self, data: bytes, path: str, context: ReadContext) -> Content:
        top = json.load_fields(data, path)
        if "items" not in top:
            raise LabelglotError("it has no items", path)
        parts = json.load_parts(bytes(top.pop("items")), f"{path}#items")
        about = json.rest(top, ())
        categories, infos = json.fields(about.pop("categories", None)), json.fields(about.pop("infos", None))
        items: list[Item] = []
        taken: set[str] = set()
        for position, part in enumerate(parts):
            place = f"{path}#items[{position}]"
            key = json.load_item(part, _Key, place, context.report, "datumaro.item")
            if key is None:
                continue
            image = key.image or key.media or _Image()
            name = image.path or f"{key.id}.jpg"
            identity = next(iter(clean_foreign(f"{key.id}{name[len(with_suffix(name, '')) :]}")), None)
            if identity is None:
                context.report.problem(
                    "datumaro.item", f"{key.id!r} names no image", place, severity="error", action="skipped"
                )
                continue
            apart = set_apart(identity, taken)
            if apart != identity:
                context.report.problem("datumaro.name", f"a second item is called {key.id!r}", place, action=f"called {apart}")
            items.append(Item(position, name, apart, _size(image.size), bytes(part)))
        labels = read_labels(categories)
        said: dict[str, Any] = {name: text for name in _INFO if isinstance(text := infos.get(name), str)}
        rest = {name: value for name, value in infos.items() if name not in said}
        plain = {"dm_format_version": "1.0", "media_type": 2}
        head = {name: value for name, value in about.items() if plain.get(name) != value}
        more = {"infos": rest, "categories": rest_of(categories), "root": head}
        extra = {name: value for name, value in more.items() if value}
        info = Info(**said, extra={OWNER: extra} if extra else {})
        keys = tuple((label.key, bool(label.keypoints)) for label in labels)
        return Content(items, labels, info, shared=keys, names=[item.name for item in items])

    def decode(
        self, record: Item, path: str, split: str | None, shared: Any, context: ReadContext, report: Report
    ) -> Sample | None:
        place = f"{path}#items[{record.position}]"
        values: dict[str, Any] = json.load(record.raw, place, dict)
        found = context.place(record.name, path.rpartition("/")[0], self.folders(path, split))
        reader = _Reader(shared, record.path, report)
        reader.annotations(values.get("annotations"), place)
        extra = {**json.rest(values, _ITEM), **({"others": reader.others} if reader.others else {})}
        about, odd = json.attributes(values.get("attr"))
        id_, frame = about.pop("id", None), about.pop("frame", None)
        if type(frame) is not int and frame is not None:
            odd["frame"], frame = frame, None
        if isinstance(id_, bool | float | tuple):
            odd["id"], id_ = id_, None
        if odd:
            extra["attr"] = odd
        video = json.fields(values.get("video_frame"))
        index, film = video.get("frame_index"), video.get("video_path")
        return Sample(
            path=record.path, id=id_, uri=found.uri, image=found.image, size=record.size,
            splits=(split,) if split is not None else (), tags=tuple(reader.tags), annotations=tuple(reader.objects),
            frame=frame if frame is not None else index if type(index) is int else None,
            sequence=film if isinstance(film, str) and film else None, attributes=about,
            extra={OWNER: extra} if extra else {},
        )  # fmt: skip

    def document_path(self, split: str | None, context: WriteContext) -> str:
        return context.document(f"{FOLDER}/{split or DEFAULT}.json", per_split=True)

    def image_path(self, sample: Sample, context: WriteContext) -> str | None:
        return f"{IMAGES}/{sample.split or DEFAULT}/{sample.path}"

    def frame(self, split: str | None, context: WriteContext) -> tuple[bytes, bytes]:
        info = context.info
        extra = info.extra.get(OWNER, {})
        said = {name: text for name in _INFO if (text := getattr(info, name)) is not None}
        head = {
            "dm_format_version": "1.0", "media_type": 2, **extra.get("root", {}),
            "infos": {**extra.get("infos", {}), **said},
            "categories": write_categories(context.labels, extra.get("categories", {})),
        }  # fmt: skip
        return json.dump(head)[:-1] + b',"items":[', b"]}\n"

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece | Problem]:
        yield from skewed_boxes(sample, self.id)
        yield from super().encode(sample, context, ordinal)

    def encode_record(self, sample: Sample, context: WriteContext, ordinal: int) -> bytes:
        extra = dict(sample.extra.get(OWNER, {}))
        image: dict[str, Any] = {"path": sample.path}
        if sample.size is not None:
            image["size"] = [sample.size[1], sample.size[0]]
        about: dict[str, Any] = {**sample.attributes, **extra.pop("attr", {})}
        for name, value in (("id", sample.id), ("frame", sample.frame)):
            if value is not None and (name != "frame" or "video_frame" not in extra):
                about[name] = value
        annotations = _write_annotations(sample, context, extra.pop("others", []))
        record: dict[str, Any] = {"id": with_suffix(sample.path, ""), **({"attr": about} if about else {}), "image": image}
        record["annotations"] = annotations
        return json.dump({**record, **{name: value for name, value in extra.items() if name not in record}})


class _Reader:
    """Takes the annotations of one item. ``classes``: key of each class, and whether its points have names."""

    def __init__(self, classes: Sequence[tuple[str, bool]], key: str, report: Report) -> None:
        self.classes, self.key, self.report = classes, key, report
        self.tags: list[Tag] = []
        self.objects: list[Annotation] = []
        self.others: list[Any] = []
        self.groups: dict[tuple[Any, ...], list[int]] = {}

    def annotations(self, items: Any, place: str) -> None:
        """Take all of them, in order."""
        if not isinstance(items, list):
            if items is not None:
                self._skip("the annotations are no list", place, items)
            return
        for position, item in enumerate(items):
            at = f"{place}.annotations[{position}]"
            found = json.load_item(item, _Annotation, at, self.report, "datumaro.annotation")
            if found is None:
                continue
            try:
                self._take(found, item, position, at)
            except LabelglotError as error:
                self._skip(error.message, at, item)

    def _take(self, found: _Annotation, item: dict[str, Any], position: int, place: str) -> None:
        extra = json.rest(item, _ANNOTATION)
        if found.id is not None and found.id != position:
            extra["id"] = found.id
        if found.z_order:
            extra["z_order"] = found.z_order
        if found.group:
            extra["group"] = found.group
        attributes, odd = json.attributes(found.attributes)
        if odd:
            extra["attributes"] = odd
        score: Any = attributes.pop("score") if type(attributes.get("score")) in (int, float) else None
        named = False
        label = None
        if found.label_id is not None:
            if not 0 <= found.label_id < len(self.classes):
                raise LabelglotError(f"there is no class {found.label_id}")
            label, named = self.classes[found.label_id]
        if found.type in ("label", "caption"):
            text = found.caption if found.type == "caption" else None
            if text is None and (label is None or found.type == "caption"):
                raise LabelglotError(f"a {found.type} that says nothing")
            label = label if text is None else None
            self.tags.append(Tag(label=label, text=text, score=score, attributes=attributes, extra=_bag(extra)))
            return
        if type(attributes.get("is_crowd")) is bool:
            attributes["crowd"] = attributes.pop("is_crowd")
        track: Any = attributes.pop("track_id") if type(attributes.get("track_id")) in (int, str) else None
        if found.object_id is not None and found.object_id != -1:
            extra["object_id"] = found.object_id
            track = found.object_id if track is None else track
        geometry = _geometry(found, attributes, extra, named)
        if len(found.points or ()) < LEAST.get(found.type, 0):
            self.report.problem("datumaro.short", f"a {found.type} of too few points", place, key=self.key)
        if geometry is None:
            self.others.append(item)
            self.report.problem(
                "datumaro.type", f"annotations of type {found.type!r} are not understood", place, severity="info", key=self.key,
                action="kept for this format alone",
            )  # fmt: skip
            return
        made = Annotation(label=label, track=track, score=score, attributes=attributes, extra=_bag(extra), **geometry)
        self._add(made, found.group or 0)

    def _add(self, made: Annotation, group: int) -> None:
        """Put it to the object it is a part of, or make it one of its own."""
        members = self.groups.setdefault((group, made.label, made.track), [])
        for number in members if group else ():
            whole = _joined(self.objects[number], made)
            if whole is not None:
                self.objects[number] = whole
                return
        members.append(len(self.objects))
        self.objects.append(made)

    def _skip(self, message: str, place: str, raw: Any) -> None:
        self.report.problem(
            "datumaro.annotation", message, place, severity="error", key=self.key, raw=raw, action="skipped"
        )


def _geometry(found: _Annotation, attributes: dict[str, Any], extra: dict[str, Any], named: bool) -> dict[str, Any] | None:
    """The field of an annotation that a geometry fills; ``None`` for a type that is not understood."""
    kind = found.type
    if kind == "bbox":
        return _box(numbers(found.bbox or (), 4), attributes, extra)
    if kind == "mask":
        return {"shape": read_mask(found.rle)}
    if kind == "cuboid_2d":
        pairs = found.points or []
        flat = [v for pair in pairs for v in pair] if all(isinstance(pair, list) for pair in pairs) else pairs
        return {"shape": Cuboid(corners=numbers(flat, 16))}
    if kind == "ellipse":
        x0, y0, x1, y1 = numbers(found.points or (), 4)
        return {"shape": Ellipse(cx=(x0 + x1) / 2, cy=(y0 + y1) / 2, rx=abs(x1 - x0) / 2, ry=abs(y1 - y0) / 2)}
    if kind not in LEAST:
        return None
    ring = numbers(found.points or ())
    if not ring or len(ring) % 2:
        raise LabelglotError(f"a {kind} of {len(ring)} numbers")
    if kind == "polygon":
        return {"shape": Polygon.of(ring)}
    if kind == "polyline":
        return {"shape": Polyline(points=ring)}
    marked = attributes.pop("keypoints") if type(attributes.get("keypoints")) is bool else named
    seen = tuple(found.visibility) if found.visibility else (2,) * (len(ring) // 2)
    if not marked:
        if found.visibility and set(seen) != {2}:
            extra["visibility"] = found.visibility
        return {"shape": Points(points=ring)}
    if len(seen) != len(ring) // 2 or not set(seen) <= {0, 1, 2}:
        raise LabelglotError(f"the visibility {found.visibility} is not 0, 1 or 2 for each of {len(ring) // 2} points")
    return {"keypoints": Keypoints(points=ring, visibility=seen)}


def _box(values: Sequence[float], attributes: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    turn = attributes.get("rotation")
    if type(turn) not in (int, float) or not isfinite(turn):  # type: ignore[arg-type]
        return {"box": PIXELS_XYWH.read_box(values, None)}
    del attributes["rotation"]
    if not turn:
        extra["rotation"] = turn
        return {"box": PIXELS_XYWH.read_box(values, None)}
    return {"shape": RotatedBox(corners=TURN.read(values, turn))}  # type: ignore[arg-type]


def _joined(a: Annotation, b: Annotation) -> Annotation | None:
    """Two parts as one object, ``None`` if they contradict each other or are two of a kind."""
    if any(a.attributes.get(name, value) != value for name, value in b.attributes.items()):
        return None
    for name in ("box", "keypoints", "score"):
        if getattr(a, name) is not None and getattr(b, name) is not None and (name != "score" or a.score != b.score):
            return None
    shape = b.shape if a.shape is None else a.shape
    if a.shape is not None and b.shape is not None:
        if not isinstance(a.shape, Polygon) or not isinstance(b.shape, Polygon):
            return None
        shape = Polygon(parts=a.shape.parts + b.shape.parts)
    if isinstance(shape, RotatedBox) and (a.box is not None or b.box is not None):
        return None
    bags = [dict(x.extra.get(OWNER, {})) for x in (a, b)]
    for bag in bags:
        bag.pop("id", None)
    if bags[0].get("z_order", 0) != bags[1].get("z_order", 0):
        return None
    return a.replace(
        box=b.box if a.box is None else a.box, shape=shape, keypoints=b.keypoints if a.keypoints is None else a.keypoints,
        score=b.score if a.score is None else a.score, attributes={**a.attributes, **b.attributes},
        extra=_bag({**bags[1], **bags[0]}),
    )  # fmt: skip


def _write_annotations(sample: Sample, context: WriteContext, others: Sequence[Any]) -> list[Any]:
    made: list[dict[str, Any]] = []
    for tag in sample.tags:
        bag = dict(tag.extra.get(OWNER, {}))
        about: dict[str, Any] = {"id": bag.pop("id", len(made)), "type": "label" if tag.text is None else "caption"}
        attributes = {**tag.attributes, **bag.pop("attributes", {})}
        if tag.score is not None:
            attributes["score"] = tag.score
        about |= {"attributes": attributes, "group": bag.pop("group", 0)}
        about |= {"label_id": context.index[tag.label or ""]} if tag.text is None else {"caption": tag.text}
        made.append({**about, **bag})
    taken = {a.extra.get(OWNER, {}).get("group", 0) for a in sample.annotations or ()}
    free = (number for number in range(1, len(taken) + len(sample.annotations or ()) + 2) if number not in taken)
    for a in sample.annotations or ():
        bag = dict(a.extra.get(OWNER, {}))
        parts = list(_parts(a, None if a.label is None else context.by_key[a.label], bag))
        group = bag.pop("group", 0) or (next(free) if len(parts) > 1 else 0)
        attributes = {"is_crowd" if name == "crowd" and type(value) is bool else name: value for name, value in a.attributes.items()}
        attributes |= bag.pop("attributes", {})
        attributes |= {name: value for name, value in (("score", a.score), ("track_id", a.track)) if value is not None}
        if bag.get("object_id") is not None and bag["object_id"] == a.track:
            attributes.pop("track_id", None)
        for kind, fields, further in parts:
            made.append(
                {
                    "id": bag.get("id", len(made)), "type": kind, "attributes": {**attributes, **further}, "group": group,
                    "label_id": None if a.label is None else context.index[a.label], "z_order": bag.get("z_order", 0),
                    **fields, **{name: value for name, value in bag.items() if name not in ("id", "z_order", "rotation")},
                }
            )  # fmt: skip
    return [*made, *others]


def _parts(
    a: Annotation, label: Label | None, bag: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Each geometry of an object: type, fields, and attributes that belong to it."""
    if a.box is not None:
        further = {"rotation": bag["rotation"]} if "rotation" in bag else {}
        yield "bbox", {"bbox": PIXELS_XYWH.write_box(a.box, None)}, further
    named = label is not None and bool(label.keypoints)
    shape = a.shape
    if isinstance(shape, RotatedBox) and is_rotated_box(shape.corners, 1e-3):
        x, y, w, h, turn = TURN.write(shape.corners)
        yield "bbox", {"bbox": [x, y, w, h]}, {"rotation": turn or 360.0}
    elif isinstance(shape, RotatedBox):
        yield "polygon", {"points": shape.corners}, {}
    elif isinstance(shape, Polygon):
        for part in shape.parts:
            yield "polygon", {"points": part[0]}, {}
    elif isinstance(shape, Mask):
        yield "mask", {"rle": write_mask(shape)}, {}
    elif isinstance(shape, Polyline):
        yield "polyline", {"points": shape.points}, {}
    elif isinstance(shape, Points):
        yield "points", {"points": shape.points}, {"keypoints": False} if named else {}
    elif isinstance(shape, Ellipse):
        box = (shape.cx - shape.rx, shape.cy - shape.ry, shape.cx + shape.rx, shape.cy + shape.ry)
        yield "ellipse", {"points": settle(box)}, {}
    elif isinstance(shape, Cuboid):
        xy = shape.corners
        yield "cuboid_2d", {"points": [[x, y] for x, y in zip(xy[::2], xy[1::2], strict=True)]}, {}
    if a.keypoints is not None:
        fields = {"points": a.keypoints.points, "visibility": a.keypoints.visibility}
        yield "points", fields, {} if named else {"keypoints": True}


def _bag(extra: dict[str, Any]) -> dict[str, Any]:
    return {OWNER: extra} if extra else {}


def _size(value: list[float] | None) -> tuple[int, int] | None:
    """(width, height) of [height, width]."""
    if value is None or len(value) != 2 or not all(isfinite(v) and v == int(v) and 0 < v < 1 << 31 for v in value):
        return None
    return int(value[1]), int(value[0])


def subset_of(path: str) -> str | None:
    """The subset a document stands for: its name, if it lies where they belong or is that of a split."""
    folder, _, name = path.rpartition("/")
    stem = name.rpartition(".")[0]
    placed = folder.rpartition("/")[2] == FOLDER
    return stem if stem != DEFAULT and (placed or split_role(stem) is not None) else None


def _evidence(path: str, value: Any) -> Match | None:
    """What the beginning of a document says about its format."""
    if not isinstance(value, dict) or not isinstance(value.get("categories", {}), dict):
        return None
    if "dm_format_version" in value:
        return Match(0.95, f"{path} has a dm_format_version")
    kinds = json.fields(value.get("categories")).keys() & {"label", "mask", "points"}
    items = value.get("items")
    first = items[0] if isinstance(items, list) and items else None
    if isinstance(first, dict) and "id" in first and "categories" in value:
        return Match(0.95, f"{path} has categories by kind, and items")
    if kinds and value.keys() <= {"infos", "categories", "items"}:
        return Match(0.8, f"{path} has categories by kind")
    return None
