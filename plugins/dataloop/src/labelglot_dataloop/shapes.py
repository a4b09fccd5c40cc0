"""Shapes of Dataloop annotations: ``coordinates`` that depend on the ``type``. Pixels; points have a ``z`` of 0.

- ``box`` = two corners in any order; a third entry is a turn in degrees about the centre (a full turn keeps a rotated
  box that stands upright apart from a box); four corners are read, too.
- ``segment`` = polygon: a ring inside another is a hole, else a part of its own. ``polyline``, ``point``, ``ellipse``.
- ``binary`` = mask, an RGBA image in the text. ``cube`` = cuboid. ``pose`` = the object to which points belong.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from labelglot.conventions import Rotation
from labelglot.geometry import (
    contains,
    decode_string,
    encode_string,
    from_bitmap,
    is_inside,
    is_rotated_box,
    ring_bounds,
    signed_area,
    to_bitmap,
)
from labelglot.images import decode_alpha, encode_alpha, from_data_url, to_data_url
from labelglot.plugin import (
    Annotation,
    Box,
    Cuboid,
    Ellipse,
    LabelglotError,
    Mask,
    Points,
    Polygon,
    Polyline,
    Ring,
    RotatedBox,
    Shape,
)
from labelglot.wire.json import closed_again, coordinate, fields, finite, opened, read_points, write_points

TURNED = Rotation(form="corners")
TURN = 360.0
DECIMALS = 9
"""Of turned boxes: finer than any tolerance, free of the noise of sines."""
CORNERS = ("front_tl", "front_tr", "front_br", "front_bl", "back_tl", "back_tr", "back_br", "back_bl")


class Drawn(NamedTuple):
    """Type and coordinates of an annotation. ``rings``: of each part, where their places would not tell."""

    type: str
    coordinates: Any = None
    rings: list[int] | None = None
    doubt: str | None = None


def read_shape(
    type: str, value: Any, rings: Any, size: tuple[int, int] | None
) -> tuple[Box | None, Shape | None, dict[str, Any]]:
    """Box or shape, and what else the coordinates say. Raises :class:`LabelglotError` if they make none."""
    if type == "box":
        return (*_box(value), {})
    if type == "segment":
        return None, _polygon(value, rings), {}
    if type == "polyline":
        return None, Polyline(points=_rings(value)[0]), {}
    if type == "point":
        return None, Points(points=read_points([value])), {}
    if type == "ellipse":
        about = fields(value)
        cx, cy = read_points([about.get("center")])
        rx, ry = (coordinate(about.get(name), name) for name in ("rx", "ry"))
        return (
            None,
            Ellipse(cx=cx, cy=cy, rx=rx, ry=ry, angle=math.radians(finite(about.get("angle") or 0, "angle"))),
            {},
        )
    if type == "cube":
        about = fields(value)
        rest = {k: v for k, v in about.items() if k not in CORNERS and (k != "angle" or v)}
        return None, Cuboid(corners=read_points([about.get(name) for name in CORNERS])), rest
    if type == "binary":
        text = fields(value).get("data", value)
        if not isinstance(text, str):
            raise LabelglotError("the bitmap is no text")
        bitmap = decode_alpha(from_data_url(text if text.startswith("data:") else f"data:image/png;base64,{text}"))
        height, width = bitmap.shape
        if size not in (None, (width, height)):
            raise LabelglotError(f"a mask of {width} x {height} pixels on an image of {size}")
        return None, Mask(width=width, height=height, rle=encode_string(from_bitmap(bitmap))), {}
    return None, None, {} if value is None else {"coordinates": value}


def _box(value: Any) -> tuple[Box | None, Shape | None]:
    listed = value if isinstance(value, list) else []
    turn = next((finite(each, "the angle") for each in listed if not isinstance(each, dict)), 0.0)
    ring = read_points([each for each in listed if isinstance(each, dict)])
    if len(ring) < 4:
        raise LabelglotError("a box needs two corners")
    box = (min(ring[::2]), min(ring[1::2]), max(ring[::2]), max(ring[1::2]))
    if len(ring) == 8 and not turn and set(ring[::2]) != {box[0], box[2]}:
        return None, RotatedBox(corners=ring) if is_rotated_box(ring, 1e-3) else Polygon.of(ring)
    return (None, RotatedBox(corners=TURNED.read(box, turn))) if turn else (box, None)


def _rings(value: Any) -> list[Ring]:
    """Lists of points; some exports leave the outer list away."""
    listed = value if isinstance(value, list) else []
    if listed and isinstance(listed[0], dict):
        listed = [listed]
    rings = [read_points(ring) for ring in listed]
    if not rings or not all(rings):
        raise LabelglotError("there are no points")
    return rings


def _polygon(value: Any, counts: Any) -> Polygon:
    rings = [opened(ring) for ring in _rings(value)]
    if isinstance(counts, list) and all(isinstance(n, int) and n > 0 for n in counts) and sum(counts) == len(rings):
        at, parts = 0, []
        for count in counts:
            parts.append(tuple(rings[at : at + count]))
            at += count
        return Polygon(parts=tuple(parts))
    return Polygon(parts=_parts(rings))


def _parts(rings: Sequence[Ring]) -> tuple[tuple[Ring, ...], ...]:
    """A ring inside an earlier outline is a hole of it; any other begins a part."""
    parts: list[list[Ring]] = []
    for ring in rings:
        around = next(
            (p for p in parts if contains(ring_bounds(p[0]), ring_bounds(ring)) and is_inside(ring[0], ring[1], p[0])),
            None,
        )
        if around is None:
            parts.append([ring])
        else:
            around.append(ring)
    return tuple(map(tuple, parts))


def draw(a: Annotation, kept: Mapping[str, Any]) -> Drawn:
    """An object as Dataloop writes it. ``kept``: what the coordinates said besides when they were read."""
    shape = a.shape
    if isinstance(shape, RotatedBox):
        return _turned(shape)
    if isinstance(shape, Polygon):
        rings = [closed_again(ring) for part in shape.parts for ring in part]
        told = _parts([opened(ring) for ring in rings]) == shape.parts
        return Drawn(
            "segment", [_points(ring) for ring in rings], None if told else [len(part) for part in shape.parts]
        )
    if isinstance(shape, Polyline):
        return Drawn("polyline", [_points(shape.points)])
    if isinstance(shape, Points):
        return Drawn("point", _points(shape.points[:2])[0])
    if isinstance(shape, Ellipse):
        numbers = {"rx": finite(shape.rx), "ry": finite(shape.ry), "angle": math.degrees(finite(shape.angle))}
        return Drawn("ellipse", {"center": _points((shape.cx, shape.cy))[0], **numbers})
    if isinstance(shape, Cuboid):
        return Drawn("cube", {"angle": 0, **kept, **dict(zip(CORNERS, write_points(shape.corners), strict=True))})
    if isinstance(shape, Mask):
        bitmap = to_bitmap(decode_string(shape.rle, shape.width * shape.height), shape.height, shape.width)
        return Drawn("binary", to_data_url(encode_alpha(bitmap)))
    if a.box is None:
        return Drawn("pose", kept.get("coordinates"))
    x0, y0, x1, y1 = a.box
    return Drawn("box", _points((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))))


def _turned(shape: RotatedBox) -> Drawn:
    ring, doubt = shape.corners, None
    if not is_rotated_box(ring, 1e-3):
        return Drawn("segment", [_points(ring)], doubt="its corners form no rectangle")
    if signed_area(ring) < 0:
        ring = (*ring[:2], *ring[6:8], *ring[4:6], *ring[2:4])
        doubt = "its corners run anticlockwise, which cannot be told from the other way round"
    *corners, turn = (round(v, DECIMALS) for v in TURNED.write(ring))
    return Drawn("box", [*_points(tuple(corners)), turn % TURN or TURN], doubt=doubt)


def _points(ring: Ring) -> list[Any]:
    return write_points(ring, z=0)
