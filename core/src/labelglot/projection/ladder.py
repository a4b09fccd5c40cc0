"""The geometry ladder: how one kind of geometry becomes another, and in which order kinds are tried.

Down: mask -> polygon -> rotated box -> box. Up (only where a target takes nothing else): box -> rotated box ->
polygon -> mask. A box is never guessed from less than two points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labelglot import geometry as g
from labelglot.errors import LabelglotError
from labelglot.holds import GeometryKind
from labelglot.schema.shape import (
    Box,
    Cuboid,
    Ellipse,
    Keypoints,
    Mask,
    Points,
    Polygon,
    Ring,
    RotatedBox,
    Shape,
)

Geometry = Box | Shape | Keypoints
Size = tuple[int, int]

STEPS: Mapping[str, Sequence[GeometryKind]] = {
    "mask": ("polygon", "rotated_box", "box"),
    "polygon": ("mask", "rotated_box", "box"),
    "rotated_box": ("polygon", "mask", "box"),
    "ellipse": ("polygon", "mask", "rotated_box", "box"),
    "polyline": ("box",),
    "points": ("box",),
    "cuboid": ("box",),
    "keypoints": ("points", "box"),
    "box": ("rotated_box", "polygon", "mask"),
}
"""For each kind, what it may become, best first."""

ELLIPSE_POINTS = 64


def convert(geometry: Geometry, kind: GeometryKind, size: Size | None, relative: bool) -> Geometry | None:
    """``geometry`` as another kind, or ``None`` if that cannot be said (an empty mask has no box, a damaged one nothing).

    ``size``: image (width, height), needed for masks. ``relative``: coordinates are fractions, in which turns and
    circles have no meaning.
    """
    try:
        return _convert(geometry, kind, size, relative)
    except LabelglotError:
        return None


def _convert(geometry: Geometry, kind: GeometryKind, size: Size | None, relative: bool) -> Geometry | None:
    if kind == "box":
        return bounds(geometry)
    if kind == "mask":
        return _mask(geometry, size) if size is not None and not relative else None
    if kind == "polygon":
        return _polygon(geometry)
    if kind == "rotated_box":
        return None if relative and not isinstance(geometry, tuple) else _rotated(geometry)
    if kind == "points" and isinstance(geometry, Keypoints):
        return Points.trusted(points=_seen(geometry)) if _seen(geometry) else None
    return None


def bounds(geometry: Geometry) -> Box | None:
    """The upright box around a geometry; ``None`` if it has no extent (empty mask, fewer than two points)."""
    if isinstance(geometry, tuple):
        return geometry
    if isinstance(geometry, Mask):
        return g.mask_bounds(g.decode_string(geometry.rle), geometry.height)
    if isinstance(geometry, Ellipse):
        return _ring_bounds(_ellipse_ring(geometry))
    if isinstance(geometry, Polygon):
        if len(geometry.parts) == 1:
            return _ring_bounds(geometry.parts[0][0])
        return _ring_bounds(tuple(v for part in geometry.parts for v in part[0]) if geometry.parts else ())
    if isinstance(geometry, RotatedBox | Cuboid):
        return _ring_bounds(geometry.corners)
    if isinstance(geometry, Keypoints):
        return _ring_bounds(_seen(geometry))
    return _ring_bounds(geometry.points)


def _ring_bounds(ring: Ring) -> Box | None:
    if len(ring) < 4:
        return None
    xs, ys = ring[::2], ring[1::2]
    return (min(xs), min(ys), max(xs), max(ys))


def _seen(keypoints: Keypoints) -> Ring:
    """The points that are labelled."""
    if keypoints.visibility is None:
        return keypoints.points
    p = keypoints.points
    return tuple(v for i, seen in enumerate(keypoints.visibility) if seen for v in p[2 * i : 2 * i + 2])


def _ellipse_ring(ellipse: Ellipse) -> Ring:
    return g.ellipse_to_ring(ellipse.cx, ellipse.cy, ellipse.rx, ellipse.ry, ellipse.angle, ELLIPSE_POINTS)


def _polygon(geometry: Geometry) -> Polygon | None:
    if isinstance(geometry, tuple):
        return Polygon.trusted(parts=((g.corners(geometry),),))
    if isinstance(geometry, RotatedBox):
        return Polygon.trusted(parts=((geometry.corners,),))
    if isinstance(geometry, Ellipse):
        return Polygon.trusted(parts=((_ellipse_ring(geometry),),))
    if isinstance(geometry, Mask):
        contours = g.rings_from_counts(g.decode_string(geometry.rle), geometry.height, geometry.width)
        return Polygon.trusted(parts=tuple((outer, *holes) for outer, holes in contours)) if contours else None
    return None


def _mask(geometry: Geometry, size: Size | None) -> Mask | None:
    polygon = geometry if isinstance(geometry, Polygon) else _polygon(geometry)
    if polygon is None or size is None or not polygon.parts:
        return None
    width, height = size
    if width <= 0 or height <= 0 or any(len(ring) < 6 for part in polygon.parts for ring in part):
        return None
    pieces = [rasterise(part, width, height) for part in polygon.parts]
    counts = pieces[0] if len(pieces) == 1 else g.merge(pieces, "union")
    return Mask.trusted(width=width, height=height, rle=g.encode_string(counts))


def rasterise(part: Sequence[Ring], width: int, height: int) -> tuple[int, ...]:
    """Run lengths of one polygon part (outer ring, then holes), by COCO's rule."""
    outer = g.rasterise([part[0]], height, width)
    if len(part) == 1:
        return outer
    holes = g.merge([g.rasterise([hole], height, width) for hole in part[1:]], "union")
    return g.merge([outer, holes], "difference")


def _rotated(geometry: Geometry) -> RotatedBox | None:
    if isinstance(geometry, tuple):
        return RotatedBox.trusted(corners=g.corners(geometry))
    if isinstance(geometry, Ellipse):
        e = geometry
        ring = g.corners_from_center(e.cx, e.cy, 2 * e.rx, 2 * e.ry, e.angle)
        return RotatedBox.trusted(corners=ring, angle=e.angle)
    polygon = geometry if isinstance(geometry, Polygon) else _polygon(geometry)
    if polygon is None or not polygon.parts:
        return None
    points = tuple(v for part in polygon.parts for v in part[0])
    if len(points) == 8 and g.is_rotated_box(points, 1e-6):
        return RotatedBox.trusted(corners=points)
    return RotatedBox.trusted(corners=g.min_area_rect(points)) if len(points) >= 6 else None


def kind_of(geometry: Geometry) -> GeometryKind:
    """The kind of a geometry as ``Holds`` names it."""
    if isinstance(geometry, tuple):
        return "box"
    if isinstance(geometry, Keypoints):
        return "keypoints"
    return geometry.kind


__all__ = ["STEPS", "Geometry", "bounds", "convert", "kind_of", "rasterise"]
