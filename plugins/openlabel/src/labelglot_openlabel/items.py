"""``object_data``: geometry and attributes of an object as lists of items, by kind."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from labelglot.conventions import Rotation
from labelglot.geometry import decode_string, encode_string, from_bitmap, is_rotated_box, to_bitmap
from labelglot.images import decode_alpha, encode_gray
from labelglot.plugin import (
    Annotation,
    Convention,
    Keypoints,
    LabelglotError,
    Mask,
    Points,
    Polygon,
    Polyline,
    Ring,
    RotatedBox,
    is_finite,
)
from labelglot.schema import Attribute

OWNER = "openlabel"
CENTRED = Convention(form="center")
CORNER = Convention(form="xywh")
TURNED = Rotation(degrees=False, lowest=-3.141592653589793)
ABSOLUTE, RELATIVE = "MODE_POLY2D_ABSOLUTE", "MODE_POLY2D_RELATIVE"
SCORES = ("confidence", "score")
PLAIN: Mapping[str, tuple[type, ...]] = {"boolean": (bool,), "num": (int, float), "text": (str,), "vec": (list,)}
"""Kinds of items that are attributes, and what their values are."""
LOOSE = "point"
"""Name of points that have none."""
VISIBILITY = "visibility"


class Read(NamedTuple):
    """What the items of an object are. ``shapes``: geometries by kind of item; ``left``: items that are kept as they are;
    ``names``: of keypoints; ``details``: what else is said of items, by kind and name; of geometries, in order.
    """

    shapes: list[dict[str, Any]]
    attributes: dict[str, Attribute]
    score: float | None
    left: dict[str, list[Any]]
    names: tuple[str, ...]
    details: dict[str, Any]
    wrong: list[tuple[str, Any]]


class Camera(NamedTuple):
    """The stream an image belongs to. ``first``: items of no camera belong to it too; ``others``: that are cameras."""

    name: str | None
    first: bool = True
    others: frozenset[str] = frozenset()

    def shows(self, item: Mapping[str, Any]) -> bool:
        where = item.get("coordinate_system")
        return where == self.name or (self.first and where not in self.others)


def read_items(data: Mapping[str, Any], camera: Camera, boxes: Convention, size: tuple[int, int] | None) -> Read:
    """The items of ``object_data`` that belong to a camera."""
    read = Read([], {}, None, {}, (), {}, [])
    found: dict[str, list[Any]] = {"box": [], "shape": [], "line": []}
    areas: list[dict[str, Any]] = []
    points: list[dict[str, Any]] = []
    for kind, listed in data.items():
        for item in listed if isinstance(listed, list) else ():
            if not isinstance(item, dict):
                read.wrong.append((f"an item of {kind} is no object", item))
                continue
            if kind not in PLAIN and not camera.shows(item):
                continue
            try:
                read = _take(kind, item, read, found, areas, points, boxes, size)
            except (LabelglotError, msgspec.ValidationError, binascii.Error, ValueError) as error:
                read.wrong.append((f"{kind}: {error}", item))
    if areas:
        found["shape"].insert(0, Polygon(parts=_parts(areas)))
    read.shapes.extend(_together(found, points, read))
    for kind in [kind for kind, listed in read.details.items() if not any(listed)]:
        del read.details[kind]
    names = tuple(str(point.get("name", "")) for point in points)
    return read._replace(names=names if points and any(name != LOOSE for name in names) else ())


def _take(
    kind: str, item: dict[str, Any], read: Read, found: dict[str, list[Any]], areas: list[dict[str, Any]],
    points: list[dict[str, Any]], boxes: Convention, size: tuple[int, int] | None,
) -> Read:  # fmt: skip
    val: Any = item.get("val")
    name = item.get("name", "")
    plain = kind in PLAIN and isinstance(val, PLAIN[kind])
    if plain and isinstance(name, str):
        listed = kind == "vec"
        if not listed or all(isinstance(v, str) for v in val):
            read.attributes[name] = tuple(val) if listed else val
            _note(kind, item, ("name", "val"), read)
            return read
    if kind == "bbox":
        found["box"].append(_finite(boxes.read_box(msgspec.convert(val, tuple[float, float, float, float]), None)))
    elif kind == "rbbox":
        numbers = msgspec.convert(val, tuple[float, float, float, float, float])
        found["shape"].append(_finite(RotatedBox(corners=TURNED.read(numbers[:4], numbers[4]))))
    elif kind == "poly2d" and item.get("mode", ABSOLUTE) in (ABSOLUTE, RELATIVE):
        ring = _finite(Polyline(points=_ring(val, item.get("mode") == RELATIVE))).points
        if item.get("closed", True):
            areas.append({**item, "ring": ring})
        else:
            found["line"].append(Polyline(points=ring))
    elif kind == "point2d":
        points.append({**item, "val": _finite(Points(points=msgspec.convert(val, tuple[float, float]))).points})
    elif kind == "image":
        found["shape"].append(_read_mask(val, size))
    else:
        read.left.setdefault(kind, []).append(item)
        return read
    return _described(kind, item, read)


def _finite(made: Any) -> Any:
    if not is_finite(made):
        raise LabelglotError("a coordinate is not finite")
    return made


def _described(kind: str, item: dict[str, Any], read: Read) -> Read:
    """Attributes of a geometry: they are the object's, but for the score; of a point, they are its visibility."""
    known: tuple[str, ...] = ("name", "val", "mode", "closed", "hierarchy", "mime_type", "encoding", "id")
    inside = item.get("attributes")
    rest: dict[str, list[Any]] = {}
    for sort, listed in inside.items() if isinstance(inside, dict) else ():
        for each in listed if isinstance(listed, list) else ():
            name, val = (each.get("name"), each.get("val")) if isinstance(each, dict) else (None, None)
            if kind == "point2d" and name == VISIBILITY and isinstance(val, int | float):
                continue
            if sort == "num" and name in SCORES and isinstance(val, int | float) and kind != "point2d" and read.score in (None, val):
                read = read._replace(score=float(val))
                if name != SCORES[0]:
                    rest.setdefault(sort, []).append(each)
            else:
                rest.setdefault(sort, []).append(each)
    detail = {**{k: v for k, v in item.items() if k not in (*known, "attributes")}, **({"attributes": rest} if rest else {})}
    if item.get("name", "shape") != "shape" and kind != "point2d":
        detail["name"] = item["name"]
    read.details.setdefault(kind, []).append(detail)
    return read


def _note(kind: str, item: Mapping[str, Any], known: Sequence[str], read: Read) -> None:
    detail = {key: value for key, value in item.items() if key not in known}
    if detail:
        read.details.setdefault(kind, {})[str(item.get("name", ""))] = detail


def _ring(val: Any, relative: bool) -> Ring:
    numbers = msgspec.convert(val, list[float])
    if not numbers or len(numbers) % 2:
        raise LabelglotError(f"{len(numbers)} numbers are no points")
    if relative:
        for i in range(2, len(numbers)):
            numbers[i] += numbers[i - 2]
    return tuple(numbers)


def _parts(areas: Sequence[Mapping[str, Any]]) -> tuple[tuple[Ring, ...], ...]:
    """Outer rings with their holes: ``hierarchy`` names the ring that is around another."""
    parents = []
    for area in areas:
        hierarchy = area.get("hierarchy")
        parent = hierarchy[3] if isinstance(hierarchy, list) and len(hierarchy) == 4 else -1
        parents.append(parent if isinstance(parent, int) and 0 <= parent < len(areas) else -1)
    depth = [_depth(i, parents) for i in range(len(areas))]
    outer = [i for i in range(len(areas)) if depth[i] % 2 == 0]
    holes = {i: [areas[j]["ring"] for j in range(len(areas)) if parents[j] == i and depth[j] % 2] for i in outer}
    return tuple((areas[i]["ring"], *holes[i]) for i in outer)


def _depth(i: int, parents: Sequence[int]) -> int:
    """How many rings are around one. A circle of parents ends somewhere."""
    depth = 0
    while parents[i] >= 0 and depth <= len(parents):
        i, depth = parents[i], depth + 1
    return depth


def _read_mask(val: Any, size: tuple[int, int] | None) -> Mask:
    bitmap = decode_alpha(base64.b64decode(msgspec.convert(val, str)))
    height, width = bitmap.shape
    if size is not None and size != (width, height):
        raise LabelglotError(f"a mask of {width} x {height} in an image of {size[0]} x {size[1]}")
    return Mask(width=width, height=height, rle=encode_string(from_bitmap(bitmap)))


def _together(found: Mapping[str, list[Any]], points: Sequence[Mapping[str, Any]], read: Read) -> list[dict[str, Any]]:
    """Geometries of one object: the first of each kind belong together, further ones are the same object once more."""
    boxes, shapes = found["box"], [*found["shape"], *found["line"]]
    made: list[dict[str, Any]] = []
    if points:
        ring = tuple(v for point in points for v in point["val"])
        if any(point.get("name") != LOOSE for point in points):
            seen = [_visibility(point) for point in points]
            known = None if None in seen else tuple(v for v in seen if v is not None)
            made.append({"keypoints": Keypoints(points=ring, visibility=known)})
        else:
            shapes = [*shapes, Points(points=ring)]
    for i in range(max(len(boxes), len(shapes))):
        each: dict[str, Any] = {} if i or not made else made.pop(0)
        if i < len(boxes):
            each["box"] = boxes[i]
        if i < len(shapes):
            each["shape"] = shapes[i]
        made.insert(i, each)
    return made


def _visibility(point: Mapping[str, Any]) -> int | float | None:
    inside = point.get("attributes")
    listed = inside.get("num") if isinstance(inside, dict) else None
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict) and each.get("name") == VISIBILITY and isinstance(each.get("val"), int | float):
            found: int | float = each["val"]
            return found
    return None


def write_items(a: Annotation, names: Sequence[str], details: Mapping[str, Any], left: Mapping[str, Any]) -> dict[str, Any]:
    """``object_data`` of an object. ``names``: of its keypoints; ``details`` and ``left``: see :class:`Read`."""
    data: dict[str, list[Any]] = {}
    if a.box is not None:
        data["bbox"] = [{"name": "shape", "val": [round(v, 9) + 0.0 for v in CENTRED.write_box(a.box, None)]}]
    shape = a.shape
    if isinstance(shape, RotatedBox) and is_rotated_box(shape.corners, 1e-3):
        *numbers, angle = TURNED.write(shape.corners)
        data["rbbox"] = [{"name": "shape", "val": [*(round(v, 9) + 0.0 for v in numbers), angle]}]
    elif isinstance(shape, RotatedBox):
        data["poly2d"] = _write_rings(((shape.corners,),))
    elif isinstance(shape, Polygon):
        data["poly2d"] = _write_rings(shape.parts)
    elif isinstance(shape, Polyline):
        data["poly2d"] = [{"name": "shape", "val": shape.points, "mode": ABSOLUTE, "closed": False}]
    elif isinstance(shape, Mask):
        png = encode_gray(to_bitmap(decode_string(shape.rle), shape.height, shape.width) * 255)
        text = base64.b64encode(png).decode("ascii")
        data["image"] = [{"name": "shape", "val": text, "mime_type": "image/png", "encoding": "base64"}]
    elif isinstance(shape, Points):
        data["point2d"] = [{"name": LOOSE, "val": [x, y]} for x, y in zip(shape.points[::2], shape.points[1::2], strict=True)]
    if a.keypoints is not None:
        data["point2d"] = _write_keypoints(a.keypoints, names)
    score = [] if a.score is None else [{"name": SCORES[0], "val": a.score}]
    geometry = next((kind for kind in data if kind != "point2d"), None)
    if score and geometry is not None:
        data[geometry][0]["attributes"] = {"num": score}
    for name, value in a.attributes.items():
        kind = "boolean" if isinstance(value, bool) else "vec" if isinstance(value, tuple) else "text" if isinstance(value, str) else "num"
        data.setdefault(kind, []).append({"name": name, "val": value})
    if score and geometry is None:
        data.setdefault("num", []).append({"name": BARE_SCORE, "val": a.score})
    return _with(data, details, left)


BARE_SCORE = "labelglot.score"
"""Item of an object without a geometry that could carry its score."""


def _with(data: dict[str, list[Any]], details: Mapping[str, Any], left: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The items with what else was said of them, and those that were not understood."""
    for kind, known in details.items():
        for i, item in enumerate(data.get(kind, ())):
            detail = known.get(item["name"]) if isinstance(known, dict) else None
            if isinstance(known, list | tuple) and i < len(known):
                detail = known[i]
            if not isinstance(detail, dict):
                continue
            inside = {**item.get("attributes", {})}
            more = detail.get("attributes")
            for sort, listed in more.items() if isinstance(more, dict) else ():
                inside[sort] = [*inside.get(sort, []), *(listed if isinstance(listed, list) else [])]
            item.update({k: v for k, v in detail.items() if k not in ("val", "attributes")})
            if inside:
                item["attributes"] = inside
    for kind, listed in left.items():
        data.setdefault(kind, []).extend(listed if isinstance(listed, list) else [])
    return data


def _write_rings(parts: Sequence[Sequence[Ring]]) -> list[dict[str, Any]]:
    """One item for each ring. Where there are holes, ``hierarchy``: the next and the previous ring beside it, its first
    hole, the ring around it.
    """
    items: list[dict[str, Any]] = []
    outers, at = [], 0
    for part in parts:
        outers.append(at)
        at += len(part)
    nested = any(len(part) > 1 for part in parts)
    for number, part in enumerate(parts):
        place = outers[number]
        for i, ring in enumerate(part):
            item = {"name": "shape", "val": ring, "mode": ABSOLUTE, "closed": True}
            beside = outers if not i else range(place + 1, place + len(part))
            own = number if not i else i - 1
            after = beside[own + 1] if own + 1 < len(beside) else -1
            before = beside[own - 1] if own else -1
            if nested:
                item["hierarchy"] = [after, before, -1 if i or len(part) == 1 else place + 1, place if i else -1]
            items.append(item)
    return items


def _write_keypoints(keypoints: Keypoints, names: Sequence[str]) -> list[dict[str, Any]]:
    items = []
    for i in range(len(keypoints)):
        item: dict[str, Any] = {
            "name": names[i] if i < len(names) else str(i + 1), "val": list(keypoints.points[2 * i : 2 * i + 2]), "id": i,
        }  # fmt: skip
        if keypoints.visibility is not None:
            item["attributes"] = {"num": [{"name": VISIBILITY, "val": keypoints.visibility[i]}]}
        items.append(item)
    return items


__all__ = ["BARE_SCORE", "CENTRED", "CORNER", "OWNER", "PLAIN", "Camera", "Read", "read_items", "write_items"]
