"""Move geometries: scale them, bring them to the precision a target writes, compare them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any, cast

from labelglot.geometry import clip_ring, contains, ring_bounds
from labelglot.holds import Holds
from labelglot.schema.shape import Box, Ellipse, Mask, Polygon
from labelglot.tolerance import ABSOLUTE, close_numbers


def map_points(value: Any, sx: float, sy: float) -> Any:
    """A geometry with x and y scaled. Masks stay as they are."""
    if isinstance(value, tuple):
        return (value[0] * sx, value[1] * sy, value[2] * sx, value[3] * sy)
    if isinstance(value, Ellipse):
        return value.replace(cx=value.cx * sx, cy=value.cy * sy, rx=value.rx * sx, ry=value.ry * sy)
    if isinstance(value, Mask):
        return value
    return map_rings(value, lambda ring: tuple(v * (sy if i % 2 else sx) for i, v in enumerate(ring)))


def cut_at(value: Any, edge: Box) -> Any:
    """The part of a box or polygon inside ``edge``, ``None`` if there is none; other geometries stay as they are."""
    loose = (edge[0] - ABSOLUTE, edge[1] - ABSOLUTE, edge[2] + ABSOLUTE, edge[3] + ABSOLUTE)
    if isinstance(value, tuple):
        x0, y0, x1, y1 = value
        if contains(loose, (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))):
            return value
        cut = (max(x0, edge[0]), max(y0, edge[1]), min(x1, edge[2]), min(y1, edge[3]))
        return cut if cut[2] > cut[0] and cut[3] > cut[1] else None
    if not isinstance(value, Polygon) or all(contains(loose, ring_bounds(part[0])) for part in value.parts if part[0]):
        return value
    parts = []
    for outer, *holes in value.parts:
        ring = clip_ring(outer, edge)
        if len(ring) >= 6:
            inner = (clip_ring(hole, edge) for hole in holes)
            parts.append((ring, *(hole for hole in inner if len(hole) >= 6)))
    return Polygon(parts=tuple(parts)) if parts else None


def map_rings(value: Any, function: Callable[[tuple[float, ...]], tuple[float, ...]]) -> Any:
    """A geometry with every ring of points through a function."""
    if isinstance(value, Polygon):
        return value.replace(parts=tuple(tuple(function(ring) for ring in part) for part in value.parts))
    if hasattr(value, "corners"):
        return value.replace(corners=function(value.corners))
    return value.replace(points=function(value.points))


def numbers(value: Any) -> tuple[float, ...]:
    """All coordinates of a geometry in order."""
    if isinstance(value, tuple):
        return value
    if isinstance(value, Polygon):
        return tuple(v for part in value.parts for ring in part for v in ring)
    if isinstance(value, Ellipse):
        return (value.cx, value.cy, value.rx, value.ry, value.angle)
    return tuple(value.corners if hasattr(value, "corners") else value.points)


def is_finite(value: Any) -> bool:
    """Whether all coordinates of a geometry are numbers; of a mask there are none."""
    return isinstance(value, Mask) or all(map(isfinite, numbers(value)))


def near(a: Sequence[float] | None, b: Sequence[float] | None) -> bool:
    """Whether both are there and the same up to arithmetic noise."""
    return a is not None and b is not None and close_numbers(a, b)


def respell(value: Any, holds: Holds, size: tuple[int, int] | None) -> Any:
    """A geometry as it reads back after the target wrote it. ``size``: of the image, ``None`` for fractions."""
    boxes, points = holds.boxes, holds.points
    if isinstance(value, tuple):
        return boxes.read_box(boxes.write_box(cast(Any, value), size), size)
    if isinstance(value, Ellipse):
        x, y = points.read_points(points.write_points((value.cx, value.cy), size), size)
        return value.replace(cx=x, cy=y, rx=points.quantise(value.rx), ry=points.quantise(value.ry))
    return map_rings(value, lambda ring: points.read_points(points.write_points(ring, size), size))


def has_room(value: Any, holds: Holds, size: tuple[int, int] | None) -> bool:
    """Whether the target has room for all numbers of a geometry. ``size`` as for :func:`respell`."""
    if isinstance(value, tuple):
        return holds.boxes.has_room(holds.boxes.write_box(cast(Any, value), size))
    return isinstance(value, Mask) or holds.points.has_room(holds.points.write_points(_places(value), size))


def _places(value: Any) -> tuple[float, ...]:
    return (value.cx, value.cy) if isinstance(value, Ellipse) else numbers(value)


__all__ = ["cut_at", "has_room", "is_finite", "map_points", "map_rings", "near", "numbers", "respell"]
