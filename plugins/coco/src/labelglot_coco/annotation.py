"""One COCO annotation: JSON object <-> canonical object.

Boxes are x, y, width, height in continuous pixels (no +1). A polygon segmentation is a list of rings that are united;
a mask is a run-length encoding, column-major, ``size`` height first. What only COCO knows (``area`` as stored, unknown
fields, how a mask was spelled) rides in ``extra["coco"]``.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from itertools import repeat
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
from labelglot import native
from labelglot.errors import LabelglotError
from labelglot.formats.base import UNREAD
from labelglot.geometry import decode_string, encode_string, mask_area, ring_area
from labelglot.plugin import Annotation, Box, Columns, Keypoints, Label, Mask, Polygon, Report, Ring, Tag

OWNER = "coco"
BOUND = frozenset({(OWNER, key) for key in ("area", "bbox", "segmentation", "num_keypoints")})
"""Entries of ``extra["coco"]`` that are wrong once the geometry changed."""

Number = int | float


class Fields(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """An annotation with the fields that most files have; anything else takes the slower way."""

    image_id: int | str
    category_id: int | str | None = None
    id: int | str | None = None
    bbox: list[float] | msgspec.UnsetType | None = msgspec.UNSET
    area: Number | msgspec.UnsetType | None = msgspec.UNSET
    iscrowd: int | bool | msgspec.UnsetType | None = msgspec.UNSET
    segmentation: list[tuple[float, ...]] | dict[str, Any] | msgspec.UnsetType | None = msgspec.UNSET
    keypoints: list[float] | msgspec.UnsetType | None = msgspec.UNSET
    num_keypoints: int | msgspec.UnsetType | None = msgspec.UNSET
    attributes: dict[str, Any] | msgspec.UnsetType | None = msgspec.UNSET
    score: float | None = None
    track_id: int | str | None = None
    text: str | None = None


class LooseFields(Fields, forbid_unknown_fields=True, gc=False):
    """The same, with a segmentation that may be anything."""

    segmentation: Any = msgspec.UNSET  # type: ignore[assignment]


_decoder = msgspec.json.Decoder(Fields)
_known = frozenset(field.encode_name for field in msgspec.structs.fields(Fields))
UNSET = msgspec.UNSET


class Classes(NamedTuple):
    """What an annotation needs to know of the categories: label key and number of keypoints by id."""

    keys: Mapping[int | str, str]
    keypoints: Mapping[int | str, int]


def classes_of(labels: Sequence[Label]) -> Classes:
    """What annotations need to know of a table of classes."""
    ids = {label.id: label.key for label in labels if label.id is not None}
    counts = {label.id: len(label.keypoints or ()) for label in labels if label.id is not None and label.keypoints}
    return Classes(ids, counts)


class Misfit(LabelglotError):
    """An annotation of which nothing can be made; ``code`` says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def fields(raw: bytes | msgspec.Raw, place: str) -> tuple[Fields, dict[str, Any]]:
    """The known fields of an encoded annotation, and the unknown ones. Raises :class:`Misfit`."""
    try:
        return _decoder.decode(raw), {}
    except (msgspec.MsgspecError, UnicodeDecodeError):
        pass
    from labelglot.wire.json import load

    values: Any = load(bytes(raw), place)
    if not isinstance(values, dict):
        raise Misfit("coco.annotation", f"an object was expected, found {type(values).__name__}")
    unknown = {key: value for key, value in values.items() if key not in _known}
    known = {key: value for key, value in values.items() if key in _known}
    try:
        return msgspec.convert(known, LooseFields), unknown
    except msgspec.ValidationError as error:
        raise Misfit("coco.annotation", str(error)) from error


def decode(
    raw: bytes | msgspec.Raw, classes: Classes, keypoints: bool, keep_id: bool, place: str, report: Report, key: str
) -> Annotation | Tag:
    """The object (or, without any geometry, the image-level label) of an annotation.

    ``keypoints``: whether the format reads keypoints; otherwise they ride along as unknown fields. ``keep_id``: false
    for an id that an earlier annotation has. Raises :class:`Misfit` if nothing can be made of it.
    """
    found, extra = fields(raw, place)
    label = None
    if found.category_id is not None:
        label = classes.keys.get(found.category_id)
        if label is None:
            raise Misfit("coco.category", f"category {found.category_id!r} is not declared in categories")
    id_ = found.id if keep_id else None
    text = found.text
    if text is None and isinstance(extra.get("caption"), str):
        text, extra["text"] = extra.pop("caption"), "caption"
    box, bag = _box(found, report, place, key)
    extra.update(bag)
    shape = None
    segmentation = found.segmentation
    if segmentation is UNSET:
        extra["without"] = ["segmentation"]
    elif segmentation:
        shape = _shape(segmentation, extra, report, place, key)
    elif segmentation is None:
        extra["segmentation"] = None
    points = None
    if found.keypoints is not UNSET:
        if keypoints:
            points = _keypoints(found.keypoints, classes.keypoints.get(found.category_id or 0), extra)
        else:
            extra["keypoints"] = found.keypoints
    if found.num_keypoints is not UNSET and (not keypoints or found.num_keypoints != _seen(points)):
        extra["num_keypoints"] = found.num_keypoints
    if found.area is not UNSET:
        extra["area"] = found.area
    attributes: dict[str, Any] = {}
    if found.attributes is not UNSET:
        attributes = plain_attributes(found.attributes or {}, extra)
        if not found.attributes:
            extra["attributes"] = found.attributes
    crowd = found.iscrowd
    if crowd is UNSET:
        extra.setdefault("without", []).append("iscrowd")
    elif crowd:
        attributes["crowd"] = True
    if box is None and shape is None and points is None:
        if found.bbox is UNSET and segmentation is UNSET and found.keypoints is UNSET and label is not None:
            return _tag(found, label, extra, attributes)
        raise Misfit("coco.geometry", "it has neither a box nor a segmentation that can be read")
    return Annotation(
        label=label, box=box, shape=shape, keypoints=points, text=text, id=id_, track=found.track_id,
        score=found.score, attributes=attributes, extra={OWNER: extra} if extra else {},
    )  # fmt: skip


def _tag(found: Fields, label: str, extra: dict[str, Any], attributes: dict[str, Any]) -> Tag:
    """Datumaro writes an image-level label as an annotation without geometry."""
    extra.pop("without", None)
    # A negative number is the one this writer gives, because labels have no ids; it says nothing.
    if found.id is not None and not (isinstance(found.id, int) and found.id < 0):
        extra["id"] = found.id
    attributes.pop("crowd", None)
    return Tag(label=label, score=found.score, attributes=attributes, extra={OWNER: extra} if extra else {})


def _box(found: Fields, report: Report, place: str, key: str) -> tuple[Box | None, dict[str, Any]]:
    written = found.bbox
    if written is UNSET or not written:
        if written is UNSET or found.segmentation or found.keypoints:
            return None, {}
        raise Misfit("coco.bbox", f"bbox is {'null' if written is None else 'empty'}, expected [x, y, width, height]")
    if len(written) != 4:
        raise Misfit("coco.bbox", f"bbox has {len(written)} numbers, expected [x, y, width, height]")
    x, y, w, h = written
    if not (math.isfinite(x) and math.isfinite(y) and math.isfinite(w) and math.isfinite(h)):
        raise Misfit("coco.number", f"bbox {written} is not finite")
    if w <= 0 or h <= 0:
        report.problem("coco.box-empty", f"bbox {written} has no area", place, key=key, object=found.id)
    right, bottom = x + w, y + h
    if span(x, right) != w or span(y, bottom) != h:
        return (x, y, right, bottom), {"bbox": [x, y, w, h]}
    return (x, y, right, bottom), {}


def span(low: float, high: float) -> float:
    """Width of what lies between two edges, without the noise of the subtraction: ``low + span`` is ``high``."""
    width = high - low
    # Twice as fast as rounding; up to a million, 9 decimals are a whole number that a float holds.
    tidy = int(width * 1e9 + 0.5) / 1e9 if 0 <= width < 1e6 else round(width, 9)
    return tidy if low + tidy == high else width


def _shape(value: Any, extra: dict[str, Any], report: Report, place: str, key: str) -> Polygon | Mask | None:
    if isinstance(value, dict):
        return _mask(value, extra)
    if not isinstance(value, list):
        raise Misfit("coco.segmentation", f"a list or a run-length encoding was expected, found {value!r:.40}")
    if value in ([[]], [()]):
        extra["segmentation"] = [[]]
        return None
    if value and isinstance(value[0], dict):
        return _mask(value[0], extra)
    parts: list[tuple[Ring, ...]] = []
    for number, ring in enumerate(value):
        problem = _ring_problem(ring)
        if problem:
            report.problem(
                "coco.polygon", problem, f"{place}.segmentation[{number}]", key=key, raw=ring, action="part left out"
            )
        else:
            parts.append((ring if type(ring) is tuple else tuple(map(float, ring)),))
    return Polygon(parts=tuple(parts)) if parts else None


_SHORT = "a polygon of {} numbers, expected x, y of at least 3 points"


def _ring_problem(ring: Any) -> str | None:
    if type(ring) is tuple:
        return None if len(ring) >= 6 and not len(ring) % 2 else _SHORT.format(len(ring))
    if not isinstance(ring, list) or not all(type(v) in (int, float) for v in ring):
        return "a polygon is a flat list of numbers"
    if len(ring) < 6 or len(ring) % 2:
        return _SHORT.format(len(ring))
    return None if all(map(math.isfinite, ring)) else "a coordinate is not finite"


def _mask(value: dict[str, Any], extra: dict[str, Any]) -> Mask:
    size, counts = value.get("size"), value.get("counts")
    if not (isinstance(size, list) and len(size) == 2 and all(type(v) is int and 0 <= v < 1 << 31 for v in size)):
        raise Misfit("coco.rle", f"size of a mask is {size!r:.40}, expected [height, width]")
    height, width = size
    if isinstance(counts, str):
        text = counts[2:-1].replace("\\\\", "\\") if counts[:2] in ("b'", 'b"') else counts
        try:
            decode_string(text, height * width)
        except LabelglotError as error:
            raise Misfit("coco.rle", error.message) from error
        return Mask(width=width, height=height, rle=text)
    if not isinstance(counts, list) or not all(type(v) is int and v >= 0 for v in counts):
        raise Misfit("coco.rle", f"counts of a mask are {counts!r:.40}, expected a string or whole numbers")
    if sum(counts) != height * width:
        raise Misfit("coco.rle", f"the runs of a mask add up to {sum(counts)}, its size asks for {height * width}")
    extra["rle"] = "counts"
    return Mask(width=width, height=height, rle=encode_string(counts))


def _keypoints(values: list[float] | None, expected: int | None, extra: dict[str, Any]) -> Keypoints | None:
    if not values:
        extra["keypoints"] = values
        return None
    if not all(map(math.isfinite, values)):
        raise Misfit("coco.number", "a keypoint is not finite")
    pairs = len(values) % 2 == 0 and (len(values) % 3 != 0 or (expected is not None and len(values) == 2 * expected))
    if pairs:
        return Keypoints(points=tuple(values), visibility=tuple(2 for _ in values[::2]))
    if len(values) % 3:
        raise Misfit("coco.keypoints", f"{len(values)} numbers are no list of x, y, visibility")
    points = tuple(v for i in range(0, len(values), 3) for v in values[i : i + 2])
    return Keypoints(points=points, visibility=tuple(int(v) if v == int(v) else v for v in values[2::3]))


def _seen(points: Keypoints | None) -> int:
    return 0 if points is None else sum(1 for v in points.visibility or (2,) * len(points) if v > 0)


_SIMPLE = (bool, int, float, str, type(None))


def plain_attributes(values: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    """Attributes whose values the schema has; others go to ``extra["attributes"]``."""
    kept: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, _SIMPLE):
            kept[name] = value
        elif isinstance(value, list) and all(isinstance(item, str) for item in value):
            kept[name] = tuple(value)
        else:
            extra.setdefault("attributes", {})[name] = value
    return kept


class Written(msgspec.Struct, gc=False):
    """A plain annotation as it is written: a class, a box, and nothing besides but an outline and its area."""

    id: int | str | None
    image_id: int | str | None
    category_id: int | str
    bbox: tuple[float, float, float, float]
    area: Any
    segmentation: Sequence[Ring] | msgspec.Raw
    iscrowd: int = 0


_MORE = attrgetter("keypoints", "text", "track", "score", "attributes")
_NO_MORE: tuple[object, ...] = (None, None, None, None, {})


def encode_plain(a: Annotation, image_id: int | str | None, ids: Mapping[str, int]) -> Written | None:
    """What :func:`encode` makes of a plain annotation; ``None`` if it is none. ``ids``: number of each class, by key."""
    box, shape, extra = a.box, a.shape, a.extra
    if box is None or _MORE(a) != _NO_MORE or (shape is not None and type(shape) is not Polygon):
        return None
    category_id = ids.get(a.label or "")
    if category_id is None:
        return None
    own: Mapping[str, Any] = extra.get(OWNER, {})
    if shape is UNREAD and len(own) == 3:
        raw = msgspec.Raw(own["segmentation"])
        return Written(a.id, image_id, category_id, own["bbox"], own["area"], raw)
    x, y, right, bottom = box
    width, height = span(x, right), span(y, bottom)
    area = own.get("area") if extra else _area(shape, width, height)
    if area is None or len(own) > 1:
        return None
    rings = () if shape is None else [part[0] for part in shape.parts]
    return Written(a.id, image_id, category_id, (x, y, width, height), area, rings)


def encode_columns(found: Columns, image_id: int | str | None, ids: Mapping[str, int]) -> list[Written] | None:
    """What :func:`encode_plain` makes of objects in columns; ``None`` if they are not plain."""
    categories: list[int] = [ids.get(label) for label in found.labels]  # type: ignore[misc]
    if found.boxes is None or None in categories:
        return None
    numbers = repeat(None) if found.ids is None else found.ids
    if _keeps_text(found):
        return [
            Written(number, image_id, category, own["bbox"], own["area"], msgspec.Raw(own["segmentation"]))
            for number, category, bag in zip(numbers, categories, found.extras or (), strict=False) for own in (bag[OWNER],)
        ]  # fmt: skip
    if not found.only_boxes:
        return None
    made = []
    for number, category, (x, y, right, bottom) in zip(numbers, categories, found.boxes, strict=False):
        width, height = span(x, right), span(y, bottom)
        made.append(Written(number, image_id, category, (x, y, width, height), abs(width * height), ()))
    return made


def spell_columns(several: Sequence[tuple[int | str | None, Columns]], ids: Mapping[str, int]) -> bytes | None:
    """The text of what :func:`encode_columns` makes of the objects of some images, with commas between; ``None`` if that is not
    plain or not compiled. ``several``: the id of each image and its objects.
    """
    images: list[Any] = []
    categories: list[Any] = []
    numbers: list[Any] = []
    kept: list[Any] = []
    edges = array("d")
    for image_id, found in several:
        if found.boxes is None or found.ids is None or type(image_id) is not int or type(found.ids[0]) is not int:
            return None
        images += [image_id] * len(found.labels)
        categories += map(ids.get, found.labels)
        numbers += found.ids
        if _keeps_text(found):
            kept += [bag[OWNER] for bag in found.extras or ()]
        elif found.only_boxes:
            edges += found.boxes.numbers
        else:
            return None
    measured = native.spans(edges)
    if measured is None or None in categories or (kept and edges):
        return None
    boxes: Any
    areas: Any
    boxes, areas = measured
    outlines = [b"[]"] * len(areas)
    if kept:
        boxes, areas, outlines = ([own[name] for own in kept] for name in ("bbox", "area", "segmentation"))
    text = native.fill(_ANNOTATION, (numbers, images, categories, boxes, areas, outlines), len(numbers))
    return None if text is None else text[:-1]


def _keeps_text(found: Columns) -> bool:
    """Whether the polygons are still encoded, and everything else is plain."""
    extras = found.extras
    return (
        found.like.shape is UNREAD and extras is not None and len(extras[0].get(OWNER, ())) == 3 and _MORE(found.like) == _NO_MORE
    )


_ANNOTATION = (
    b'{"id":', b',"image_id":', b',"category_id":', b',"bbox":[', b'],"area":', b',"segmentation":', b',"iscrowd":0},'
)  # fmt: skip


def encode(a: Annotation, image_id: Any, category_id: Any, keypoints: bool, compressed: bool) -> dict[str, Any]:
    """The JSON object of an annotation, with area and crowd flag as every reader expects them."""
    extra = a.extra.get(OWNER, {}) if a.extra else {}
    without = extra.get("without", ()) if extra else ()
    record: dict[str, Any] = {"id": a.id, "image_id": image_id}
    if category_id is not None:
        record["category_id"] = category_id
    box, shape, attributes = a.box, a.shape, a.attributes
    width = height = 0.0
    if box is not None:
        x, y, right, bottom = box
        width, height = span(x, right), span(y, bottom)
        record["bbox"] = extra.get("bbox") or [x, y, width, height]
    if "area" in extra:
        if extra["area"] is not None:
            record["area"] = extra["area"]
    else:
        record["area"] = _area(shape, width, height)
    if isinstance(shape, Polygon):
        record["segmentation"] = _outline(shape, a.extra)
    elif isinstance(shape, Mask):
        plain = not compressed or extra.get("rle") == "counts"
        counts = list(decode_string(shape.rle)) if plain else shape.rle
        record["segmentation"] = {"size": [shape.height, shape.width], "counts": counts}
    elif "segmentation" not in without:
        record["segmentation"] = extra.get("segmentation", [])
    crowd = bool(attributes.get("crowd"))
    if crowd or "iscrowd" not in without:
        record["iscrowd"] = int(crowd)
    if attributes:
        rest = {name: value for name, value in attributes.items() if name != "crowd"}
        if rest:
            record["attributes"] = {**rest, **(extra.get("attributes") or {})}
    if a.score is not None:
        record["score"] = a.score
    if a.track is not None:
        record["track_id"] = a.track
    if a.text is not None:
        record[extra.get("text", "text")] = a.text
    if keypoints and a.keypoints is not None:
        points, seen = a.keypoints.points, a.keypoints.visibility or (2,) * len(a.keypoints)
        record["keypoints"] = [v for i, s in enumerate(seen) for v in (points[2 * i], points[2 * i + 1], s)]
        record["num_keypoints"] = _seen(a.keypoints)
    if len(extra) > ("area" in extra):
        for name, value in extra.items():
            if name not in _OWN and name not in record:
                record[name] = value
    return record


def _outline(shape: Polygon, extra: Mapping[str, Any]) -> Sequence[Ring] | msgspec.Raw:
    """The rings of a polygon, or the text it was read as."""
    return msgspec.Raw(extra[OWNER]["segmentation"]) if shape is UNREAD else [part[0] for part in shape.parts]


_OWN = frozenset({"without", "rle", "area", "bbox", "text"})


def _area(shape: Any, width: float, height: float) -> float:
    if isinstance(shape, Mask):
        return float(mask_area(decode_string(shape.rle)))
    if isinstance(shape, Polygon):
        return sum(ring_area(part[0]) for part in shape.parts)
    return abs(width * height)
