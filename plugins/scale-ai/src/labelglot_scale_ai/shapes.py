"""Annotations of Scale's image tasks: ``box``, ``polygon``, ``line``, ``point``, ``ellipse``. Pixels.

- A turned box has its corners in ``vertices``; ``left``, ``top``, ``width``, ``height`` are of the box before its turn.
- An ellipse has the ends of its axes: two and two of them lie opposite each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from labelglot.conventions import Rotation
from labelglot.plugin import (
    PIXELS_XYWH,
    Annotation,
    Box,
    Ellipse,
    LabelglotError,
    Points,
    Polygon,
    Polyline,
    Ring,
    RotatedBox,
    Shape,
)
from labelglot.tolerance import close
from labelglot.wire.json import closed_again, coordinate, finite, opened, read_points, write_points

TURNED = Rotation(form="xywh", degrees=False)
FIELDS: Mapping[str, tuple[str, ...]] = {
    "box": ("left", "top", "width", "height", "rotation", "vertices"),
    "polygon": ("vertices",),
    "line": ("vertices",),
    "point": ("x", "y"),
    "ellipse": ("vertices",),
}
OF_TASK = {
    "annotation": "box",
    "polygonannotation": "polygon",
    "lineannotation": "line",
    "pointannotation": "point",
    "cuboidannotation": "cuboid",
}
"""The one type of annotation of older tasks."""
READ_DECIMALS = 8
"""Of ellipses that are read: coarser than they are written, so that what was read once is read the same again."""
DECIMALS = 9
"""Of computed numbers: finer than any tolerance, free of the noise of sines."""


def type_of(item: Mapping[str, Any], task: Any) -> str:
    """Type of an annotation: as it says, as its task says, or by its fields."""
    stated = item.get("type")
    if isinstance(stated, str):
        return stated
    if isinstance(task, str) and task in OF_TASK:
        return OF_TASK[task]
    if "left" in item:
        return "box"
    return "polygon" if "vertices" in item else "point"


def read_shape(kind: str, item: Mapping[str, Any]) -> tuple[Box | None, Shape | None]:
    """Box or shape of an annotation. Raises :class:`LabelglotError` if it makes none."""
    if kind == "box":
        if item.get("vertices") is not None:
            ring = read_points(item["vertices"])
            if len(ring) == 8:
                return None, RotatedBox(corners=ring)
        numbers = [coordinate(item.get(name), name) for name in ("left", "top", "width", "height")]
        turn = finite(item.get("rotation") or 0, "rotation")
        return (
            (None, RotatedBox(corners=TURNED.read(numbers, turn)))
            if turn
            else (PIXELS_XYWH.read_box(numbers, None), None)
        )
    if kind == "point":
        return None, Points(points=(coordinate(item.get("x"), "x"), coordinate(item.get("y"), "y")))
    ring = read_points(item.get("vertices"))
    if not ring:
        raise LabelglotError("an annotation without vertices")
    if kind == "ellipse":
        return None, _ellipse(ring)
    return None, Polyline(points=ring) if kind == "line" else Polygon.of(opened(ring))


def _ellipse(ring: Ring) -> Ellipse:
    if len(ring) != 8:
        raise LabelglotError("an ellipse needs the four ends of its axes")
    cx, cy = sum(ring[::2]) / 4, sum(ring[1::2]) / 4
    ends = list(zip(ring[::2], ring[1::2], strict=True))
    x, y = ends[0]
    opposite = next((i for i in (2, 1, 3) if close(ends[i][0] + x, 2 * cx) and close(ends[i][1] + y, 2 * cy)), 2)
    u, v = ends[1 if opposite != 1 else 2]
    rx, ry = math.hypot(x - cx, y - cy), math.hypot(u - cx, v - cy)
    angle = math.atan2(y - cy, x - cx) if rx >= ry else math.atan2(v - cy, u - cx) - math.pi / 2
    angle = angle + math.tau if angle <= -math.pi else angle
    cx, cy, rx, ry, angle = (round(value, READ_DECIMALS) for value in (cx, cy, rx, ry, angle))
    return Ellipse(cx=cx, cy=cy, rx=rx, ry=ry, angle=angle)


def write_shape(a: Annotation) -> dict[str, Any]:
    """Type and geometry of an object; nothing of one without geometry."""
    shape = a.shape
    if isinstance(shape, RotatedBox):
        left, top, width, height, turn = (round(finite(v), DECIMALS) for v in TURNED.write(shape.corners))
        box = {"left": left, "top": top, "width": width, "height": height}
        return {"type": "box", **box, "rotation": turn, "vertices": write_points(shape.corners)}
    if isinstance(shape, Polygon):
        return {"type": "polygon", "vertices": write_points(closed_again(shape.parts[0][0]))}
    if isinstance(shape, Polyline):
        return {"type": "line", "vertices": write_points(shape.points)}
    if isinstance(shape, Points):
        return {"type": "point", **write_points(shape.points[:2])[0]}
    if isinstance(shape, Ellipse):
        e, cos, sin = shape, math.cos(finite(shape.angle)), math.sin(finite(shape.angle))
        axes = ((e.rx * cos, e.rx * sin), (-e.ry * sin, e.ry * cos))
        ends = (*axes, *((-dx, -dy) for dx, dy in axes))
        return {
            "type": "ellipse",
            "vertices": write_points(round(finite(v), DECIMALS) for dx, dy in ends for v in (e.cx + dx, e.cy + dy)),
        }
    if a.box is None:
        return {}
    left, top, width, height = (finite(v) for v in PIXELS_XYWH.write_box(a.box, None))
    return {"type": "box", "left": left, "top": top, "width": width, "height": height}
