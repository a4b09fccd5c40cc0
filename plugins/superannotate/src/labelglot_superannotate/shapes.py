"""One instance: its geometry by type, and what is said about it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from labelglot.geometry import corners
from labelglot.plugin import (
    Annotation,
    Box,
    Cuboid,
    Ellipse,
    Keypoints,
    LabelglotError,
    Points,
    Polygon,
    Polyline,
    Ring,
    RotatedBox,
    Shape,
    is_finite,
)


class _Box(msgspec.Struct):
    x1: float
    y1: float
    x2: float
    y2: float


class _Turned(_Box):
    x3: float
    y3: float
    x4: float
    y4: float


class _XY(msgspec.Struct):
    x: float
    y: float


class _Faces(msgspec.Struct):
    f1: _XY
    f2: _XY
    r1: _XY
    r2: _XY


class _Point(_XY):
    id: int | None = None


class _Edge(msgspec.Struct):
    from_: int = msgspec.field(name="from")
    to: int


class _Ellipse(msgspec.Struct):
    cx: float
    cy: float
    rx: float
    ry: float
    angle: float = 0.0


class Geometry(NamedTuple):
    """What an instance draws; one of the three."""

    box: Box | None = None
    shape: Shape | None = None
    keypoints: Keypoints | None = None


FIELDS: Mapping[str, tuple[str, ...]] = {
    "bbox": ("points",), "rbbox": ("points",), "polygon": ("points", "exclude"), "polyline": ("points",),
    "point": ("x", "y"), "ellipse": ("cx", "cy", "rx", "ry", "angle"), "cuboid": ("points",),
    "template": ("points", "connections"),
}  # fmt: skip
"""For each type the fields its geometry is in."""


def read_geometry(kind: str, raw: Mapping[str, Any]) -> Geometry:
    """Raises :class:`LabelglotError` for what is no geometry of this kind."""
    try:
        made = _read(kind, raw)
    except msgspec.ValidationError as error:
        raise LabelglotError(str(error)) from error
    if not is_finite(made.box or made.shape or made.keypoints):
        raise LabelglotError("a coordinate is not finite")
    return made


def _read(kind: str, raw: Mapping[str, Any]) -> Geometry:
    points = raw.get("points")
    if kind == "bbox":
        b = msgspec.convert(points, _Box)
        return Geometry(box=(b.x1, b.y1, b.x2, b.y2))
    if kind == "rbbox":
        t = msgspec.convert(points, _Turned)
        return Geometry(shape=RotatedBox(corners=(t.x1, t.y1, t.x2, t.y2, t.x3, t.y3, t.x4, t.y4)))
    if kind == "polygon":
        holes = msgspec.convert(raw.get("exclude") or [], list[list[float]])
        return Geometry(shape=Polygon(parts=((_ring(points), *map(_ring, holes)),)))
    if kind == "polyline":
        return Geometry(shape=Polyline(points=_ring(points)))
    if kind == "point":
        p = msgspec.convert(raw, _XY)
        return Geometry(shape=Points(points=(p.x, p.y)))
    if kind == "ellipse":
        e = msgspec.convert(raw, _Ellipse)
        return Geometry(shape=Ellipse(cx=e.cx, cy=e.cy, rx=e.rx, ry=e.ry, angle=math.radians(e.angle)))
    if kind == "cuboid":
        c = msgspec.convert(points, _Faces)
        front, rear = ((a.x, a.y, b.x, b.y) for a, b in ((c.f1, c.f2), (c.r1, c.r2)))
        return Geometry(shape=Cuboid(corners=corners(front) + corners(rear)))
    listed = msgspec.convert(points, list[_Point])
    if not listed:
        raise LabelglotError("a template without points")
    return Geometry(keypoints=Keypoints(points=tuple(v for p in listed for v in (p.x, p.y))))


def _ring(numbers: Any) -> Ring:
    ring = tuple(msgspec.convert(numbers, list[float]))
    if not ring or len(ring) % 2:
        raise LabelglotError(f"{len(ring)} numbers are no list of points")
    return ring


def read_template(raw: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...]] | None:
    """Names of the points of a template, from the labels of its points, and the edges; ``None`` if there are no names."""
    labels = raw.get("pointLabels")
    try:
        ids = [p.id for p in msgspec.convert(raw.get("points"), list[_Point])]
        edges = msgspec.convert(raw.get("connections") or [], list[_Edge])
    except msgspec.ValidationError:
        return None
    named = labels if isinstance(labels, dict) else {}
    names = [named.get(str(i)) for i in range(len(ids))]
    if not ids or not any(isinstance(name, str) for name in names):
        return None
    place = {id_: i for i, id_ in enumerate(ids)}
    whole = tuple(name if isinstance(name, str) else str(i + 1) for i, name in enumerate(names))
    return whole, tuple((place[e.from_], place[e.to]) for e in edges if e.from_ in place and e.to in place)


def draw(a: Annotation, names: Sequence[str], edges: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """The geometry of an object that is no mask. ``names`` and ``edges``: of its keypoints."""
    shape = a.shape
    if isinstance(shape, Polygon):
        outer, *holes = shape.parts[0] if shape.parts else ((),)
        return {"type": "polygon", "points": outer, **({"exclude": holes} if holes else {})}
    if isinstance(shape, RotatedBox):
        keys = ("x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4")
        return {"type": "rbbox", "points": dict(zip(keys, shape.corners, strict=True))}
    if isinstance(shape, Polyline):
        return {"type": "polyline", "points": shape.points}
    if isinstance(shape, Points):
        return {"type": "point", "x": shape.points[0], "y": shape.points[1]}
    if isinstance(shape, Ellipse):
        turn = round(math.degrees(shape.angle), 9)
        return {"type": "ellipse", "cx": shape.cx, "cy": shape.cy, "rx": shape.rx, "ry": shape.ry, "angle": turn}
    if isinstance(shape, Cuboid):
        c = shape.corners
        ends = {"f1": c[0:2], "f2": c[4:6], "r1": c[8:10], "r2": c[12:14]}
        return {"type": "cuboid", "points": {name: {"x": x, "y": y} for name, (x, y) in ends.items()}}
    if a.keypoints is not None:
        xy = a.keypoints.points
        count = len(a.keypoints)
        links = [(i + 1, j + 1) for i, j in edges if i < count and j < count]
        return {
            "type": "template",
            "points": [{"id": i + 1, "x": xy[2 * i], "y": xy[2 * i + 1]} for i in range(count)],
            "connections": [{"id": n, "from": i, "to": j} for n, (i, j) in enumerate(links, 1)],
            "pointLabels": {str(i): names[i] for i in range(min(count, len(names)))},
        }
    assert a.box is not None
    return {"type": "bbox", "points": dict(zip(("x1", "y1", "x2", "y2"), a.box, strict=True))}


__all__ = ["FIELDS", "Geometry", "draw", "read_geometry", "read_template"]
