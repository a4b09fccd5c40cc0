"""The geometry of an object, by ``geometryType``."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from labelglot.conventions import Rotation
from labelglot.geometry import decode_string, encode_string, is_rotated_box, mask_bounds, paste, signed_area, to_bitmap
from labelglot.geometry.rle import MAX_PIXELS
from labelglot.images import decode, encode_gray
from labelglot.plugin import (
    Annotation,
    Box,
    Convention,
    Cuboid,
    Keypoints,
    LabelglotError,
    Mask,
    Points,
    Polygon,
    Polyline,
    Ring,
    RotatedBox,
    Shape,
    is_finite,
    place_keypoints,
)
from labelglot.tolerance import close_numbers

from labelglot_supervisely.meta import Graph

BOXES = Convention(inclusive=True, ordered=True)
TURNED = Rotation(form="corners", degrees=False, lowest=-3.141592653589793)
KINDS = (
    "rectangle", "oriented_bbox", "polygon", "multipolygon", "bitmap", "alpha_mask", "line", "point", "cuboid", "graph",
)  # fmt: skip
FIELDS = ("points", "parts", "bitmap", "alpha_mask", "nodes", "angle", "faces")
FACES = [[0, 1, 2, 3], [0, 4, 5, 1], [4, 0, 3, 6]]
"""Corners of the three faces of a cuboid that are seen; the eighth corner is hidden."""

Point = tuple[float, float]


class _Rings(msgspec.Struct):
    exterior: list[Point]
    interior: list[list[Point]] = []

    def part(self) -> tuple[Ring, ...]:
        return tuple(_flat(ring) for ring in (self.exterior, *self.interior))


class _Bitmap(msgspec.Struct):
    data: str
    origin: Point


class _Node(msgspec.Struct):
    loc: Point
    disabled: bool = False


class Geometry(NamedTuple):
    """What an object draws; one of the three."""

    box: Box | None = None
    shape: Shape | None = None
    keypoints: Keypoints | None = None


def _flat(points: Sequence[Point]) -> Ring:
    return tuple(v for point in points for v in point)


def kind_of(raw: Mapping[str, Any], shape: str | None) -> str | None:
    """The kind of an object. Where it does not say, its fields do, or the ``shape`` of its class."""
    stated = raw.get("geometryType")
    if isinstance(stated, str):
        return stated
    for field, kind in (("bitmap", "bitmap"), ("nodes", "graph"), ("parts", "multipolygon"), ("faces", "cuboid"), ("angle", "oriented_bbox")):
        if field in raw:
            return kind
    if shape in KINDS:
        return shape
    points = raw.get("points")
    exterior = points.get("exterior") if isinstance(points, dict) else None
    number = len(exterior) if isinstance(exterior, list) else 0
    return {0: None, 1: "point", 2: "rectangle"}.get(number, "polygon")


def read_geometry(kind: str, raw: Mapping[str, Any], graph: Graph, size: tuple[int, int] | None) -> Geometry:
    """Raises :class:`LabelglotError` for what is no geometry of this kind."""
    try:
        made = _read(kind, raw, graph, size)
    except (msgspec.ValidationError, binascii.Error, zlib.error) as error:
        raise LabelglotError(f"a {kind}: {error}") from error
    if not is_finite(made.box or made.shape or made.keypoints):
        raise LabelglotError("a coordinate is not finite")
    return made


def _read(kind: str, raw: Mapping[str, Any], graph: Graph, size: tuple[int, int] | None) -> Geometry:
    points = raw.get("points")
    if kind in ("bitmap", "alpha_mask"):
        return Geometry(shape=_read_bitmap(msgspec.convert(raw.get(kind) or raw.get("bitmap"), _Bitmap), size))
    if kind == "graph":
        nodes = msgspec.convert(raw.get("nodes"), dict[str, _Node])
        found = [(id_, *node.loc, 1 if node.disabled else 2) for id_, node in nodes.items()]
        return Geometry(keypoints=place_keypoints(graph.ids, found))
    if kind == "multipolygon":
        return Geometry(shape=Polygon(parts=tuple(part.part() for part in msgspec.convert(raw.get("parts"), list[_Rings]))))
    if kind == "cuboid":
        return Geometry(shape=Cuboid(corners=_read_cuboid(msgspec.convert(points, list[Point]), raw.get("faces"))))
    if kind == "oriented_bbox":
        corners = points if isinstance(points, list) else msgspec.convert(points, _Rings).exterior
        angle = msgspec.convert(raw.get("angle", 0.0), float)
        return Geometry(shape=RotatedBox(corners=TURNED.read(_box(msgspec.convert(corners, list[Point])), angle)))
    rings = msgspec.convert(points, _Rings)
    if not rings.exterior:
        raise LabelglotError(f"a {kind} without points")
    if kind == "rectangle":
        return Geometry(box=_box(rings.exterior))
    if kind == "polygon":
        return Geometry(shape=Polygon(parts=(rings.part(),)))
    if kind == "line":
        return Geometry(shape=Polyline(points=_flat(rings.exterior)))
    return Geometry(shape=Points(points=_flat(rings.exterior)))


def _box(corners: Sequence[Point]) -> Box:
    """The box of two corners, in any order. The last pixel belongs to it, so that an empty one ends before it begins."""
    if len(corners) != 2:
        raise LabelglotError(f"a rectangle has {len(corners)} corners")
    (x0, y0), (x1, y1) = corners
    if x1 < x0 - 1 or y1 < y0 - 1:
        x0, x1, y0, y1 = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
    return BOXES.read_box((x0, y0, x1, y1), None)


def _read_bitmap(bitmap: _Bitmap, size: tuple[int, int] | None) -> Mask:
    """A crop pasted where its origin is; what sticks out of the image is cut off."""
    if size is None:
        raise LabelglotError("a mask in an image of unknown size")
    data = base64.b64decode(bitmap.data)
    if data[:1] == b"\x78":  # most are compressed once more
        data = zlib.decompressobj().decompress(data, 4 * MAX_PIXELS)
    import numpy as np

    pixels = np.asarray(decode(data))
    values: Any = pixels
    if pixels.ndim == 3:
        values = pixels[..., 3] if pixels.shape[2] == 4 else pixels.any(axis=2)
    x, y = (_whole(v) for v in bitmap.origin)
    return Mask(width=size[0], height=size[1], rle=encode_string(paste(values, x, y, size[1], size[0])))


def _whole(value: float) -> int:
    if not abs(value) < 1 << 31:
        raise LabelglotError("the origin of a mask is not finite")
    return round(value)


def _read_cuboid(points: Sequence[Point], faces: Any) -> Ring:
    """Front face and back face. Corners of the back follow from the sides; one may be hidden, then it is completed."""
    listed = msgspec.convert(faces, list[list[int]]) if faces is not None else FACES
    front = listed[0] if listed else []
    if len(front) != 4 or any(not 0 <= i < len(points) for face in listed for i in face):
        raise LabelglotError("the faces of a cuboid do not name its corners")
    behind: dict[int, int] = {}
    for side in listed[1:]:
        for a, b in zip(side, (*side[1:], *side[:1]), strict=True):
            for at, other in ((a, b), (b, a)):
                if at in front and other not in front:
                    behind[at] = other
    spare = [i for i in range(len(points)) if i not in front and i not in behind.values()]
    back: list[Point | None] = [points[behind[i]] if i in behind else None for i in front]
    if back.count(None) != 1:
        raise LabelglotError("the sides of a cuboid do not show three corners of its back")
    hidden = back.index(None)
    one, two, far = (back[(hidden + i) % 4] for i in (1, 3, 2))
    assert one is not None and two is not None and far is not None
    back[hidden] = points[spare[0]] if len(spare) == 1 else (one[0] + two[0] - far[0], one[1] + two[1] - far[1])
    return _flat([points[i] for i in front]) + _flat([p for p in back if p is not None])


def draw(a: Annotation, nodes: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """The kind of an object and its fields. ``nodes``: ids of the nodes of its class."""
    shape = a.shape
    if isinstance(shape, Polygon):
        parts = [_rings(part) for part in shape.parts]
        return ("polygon", {"points": parts[0]}) if len(parts) == 1 else ("multipolygon", {"parts": parts})
    if isinstance(shape, RotatedBox):
        if not is_rotated_box(shape.corners, 1e-3):
            return "polygon", {"points": _rings((shape.corners,))}
        *box, angle = TURNED.write(shape.corners)
        x0, y0, x1, y1 = (round(v, 9) for v in BOXES.write_box((box[0], box[1], box[2], box[3]), None))
        return "oriented_bbox", {"points": [[x0, y0], [x1, y1]], "angle": angle}
    if isinstance(shape, Mask):
        return "bitmap", {"bitmap": _write_bitmap(shape)}
    if isinstance(shape, Polyline):
        return "line", {"points": _rings((shape.points,))}
    if isinstance(shape, Points):
        return "point", {"points": _rings((shape.points,))}
    if isinstance(shape, Cuboid):
        return "cuboid", _write_cuboid(shape.corners)
    if a.keypoints is not None:
        return "graph", {"nodes": _nodes(a.keypoints, nodes)}
    assert a.box is not None
    x0, y0, x1, y1 = BOXES.write_box(a.box, None)
    return "rectangle", {"points": {"exterior": [[x0, y0], [x1, y1]], "interior": []}}


def doubt(a: Annotation) -> str | None:
    """What is not written as it is, because a turned rectangle is all there is."""
    if not isinstance(a.shape, RotatedBox):
        return None
    if not is_rotated_box(a.shape.corners, 1e-3):
        return "four corners are no rectangle, they are written as a polygon"
    if signed_area(a.shape.corners) < 0:
        return "the corners of a turned box run counter-clockwise, they come back the other way round"
    return None


def _rings(part: Sequence[Ring]) -> dict[str, Any]:
    outer, *holes = [_pairs(ring) for ring in part] or [[]]
    return {"exterior": outer, "interior": holes}


def _pairs(ring: Ring) -> list[list[float]]:
    return [[x, y] for x, y in zip(ring[::2], ring[1::2], strict=True)]


def _nodes(keypoints: Keypoints, ids: Sequence[str]) -> dict[str, Any]:
    seen = keypoints.visibility or (2,) * len(keypoints)
    return {
        ids[i] if i < len(ids) else str(i + 1): {"loc": loc, **({"disabled": True} if seen[i] == 1 else {})}
        for i, loc in enumerate(_pairs(keypoints.points))
        if seen[i]
    }


def _write_bitmap(mask: Mask) -> dict[str, Any]:
    counts = decode_string(mask.rle)
    x0, y0, x1, y1 = map(int, mask_bounds(counts, mask.height) or (0, 0, 1, 1))
    crop = to_bitmap(counts, mask.height, mask.width)[y0:y1, x0:x1]
    packed = zlib.compress(encode_gray(crop * 255))
    return {"data": base64.b64encode(packed).decode("ascii"), "origin": [x0, y0]}


def _write_cuboid(corners: Ring) -> dict[str, Any]:
    """Seven corners and three faces; the hidden corner only if it does not follow from the others."""
    points = _pairs(corners)
    front, (a, b, c, d) = points[:4], points[4:]
    hidden = (b[0] + d[0] - a[0], b[1] + d[1] - a[1])
    listed = [*front, a, b, d] if close_numbers(hidden, c) else [*front, a, b, d, c]
    return {"points": listed, "faces": FACES}


__all__ = ["BOXES", "FIELDS", "KINDS", "Geometry", "doubt", "draw", "kind_of", "read_geometry"]
