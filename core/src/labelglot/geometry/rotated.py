"""Rotated boxes: four corners in written order. Angles are radians, clockwise on screen because y points down."""

from __future__ import annotations

import math

from labelglot.geometry.box import Ring
from labelglot.geometry.ring import clip_half_plane, points, ring_area, signed_area


def corners_from_center(cx: float, cy: float, w: float, h: float, angle: float) -> Ring:
    """Corners of a box turned about its centre: what was top left, top right, bottom right, bottom left."""
    cos, sin = math.cos(angle), math.sin(angle)
    offsets = ((-w / 2, -h / 2), (w / 2, -h / 2), (w / 2, h / 2), (-w / 2, h / 2))
    return tuple(v for x, y in offsets for v in (cx + x * cos - y * sin, cy + x * sin + y * cos))


def corners_from_pivot(x: float, y: float, w: float, h: float, angle: float) -> Ring:
    """Corners of a box turned about its unrotated top-left corner (Label Studio's convention)."""
    cos, sin = math.cos(angle), math.sin(angle)
    offsets = ((0.0, 0.0), (w, 0.0), (w, h), (0.0, h))
    return tuple(v for dx, dy in offsets for v in (x + dx * cos - dy * sin, y + dx * sin + dy * cos))


def upside_down(ring: Ring, height: float) -> Ring:
    """A ring between an image and its reflection in the water: y counts from the other edge, the points run backwards.

    For files whose y points up, in both directions: what was turned counter-clockwise about the lower left corner there
    is turned clockwise about the top left one here.
    """
    return tuple(v for x, y in reversed(points(ring)) for v in (x, height - y))


def center_from_corners(ring: Ring) -> tuple[float, float, float, float, float]:
    """(cx, cy, w, h, angle) of four corners; the angle is that of the first edge, in (-pi, pi]."""
    x0, y0, x1, y1, x2, y2, x3, y3 = ring
    w, h = math.hypot(x1 - x0, y1 - y0), math.hypot(x2 - x1, y2 - y1)
    angle = math.atan2(y1 - y0, x1 - x0) if w > 0 else math.atan2(x1 - x2, y2 - y1)
    return ((x0 + x1 + x2 + x3) / 4, (y0 + y1 + y2 + y3) / 4, w, h, angle)


def is_rotated_box(ring: Ring, tolerance: float = 1e-6) -> bool:
    """Whether four corners form a rectangle, up to ``tolerance`` pixels."""
    if len(ring) != 8:
        return False
    x0, y0, x1, y1, x2, y2, x3, y3 = ring
    parallel = abs(x1 - x0 - (x2 - x3)) <= tolerance and abs(y1 - y0 - (y2 - y3)) <= tolerance
    diagonals = abs(math.hypot(x2 - x0, y2 - y0) - math.hypot(x3 - x1, y3 - y1)) <= tolerance
    return parallel and diagonals


def convex_hull(ring: Ring) -> Ring:
    """The convex hull, clockwise on screen (Andrew's monotone chain)."""
    pts = sorted(set(points(ring)))
    if len(pts) < 3:
        return tuple(v for p in pts for v in p)

    def half(seq: list[tuple[float, float]]) -> list[tuple[float, float]]:
        out: list[tuple[float, float]] = []
        for x, y in seq:
            while len(out) > 1:
                (ax, ay), (bx, by) = out[-2], out[-1]
                if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0:
                    break
                out.pop()
            out.append((x, y))
        return out[:-1]

    return tuple(v for p in half(pts) + half(pts[::-1]) for v in p)


def min_area_rect(ring: Ring) -> Ring:
    """Corners of the rectangle of least area around some points; the first wins among equals."""
    hull = points(convex_hull(ring))
    if len(hull) < 3:
        xs, ys = ring[::2], ring[1::2]
        return (min(xs), min(ys), max(xs), min(ys), max(xs), max(ys), min(xs), max(ys))
    best: tuple[float, Ring] | None = None
    for i, (x1, y1) in enumerate(hull):
        x0, y0 = hull[i - 1]
        length = math.hypot(x1 - x0, y1 - y0)
        if length == 0:
            continue
        ux, uy = (x1 - x0) / length, (y1 - y0) / length
        along = [x * ux + y * uy for x, y in hull]
        across = [-x * uy + y * ux for x, y in hull]
        a0, a1, b0, b1 = min(along), max(along), min(across), max(across)
        area = (a1 - a0) * (b1 - b0)
        if best is None or area < best[0] - 1e-9:
            corners = ((a0, b0), (a1, b0), (a1, b1), (a0, b1))
            best = (area, tuple(v for a, b in corners for v in (a * ux - b * uy, a * uy + b * ux)))
    assert best is not None
    return best[1]


def rotated_iou(a: Ring, b: Ring) -> float:
    """Intersection over union of two convex quadrilaterals, 0..1."""
    clipped = a
    pts = points(b if signed_area(b) > 0 else tuple(v for p in reversed(points(b)) for v in p))
    for i, (x1, y1) in enumerate(pts):
        x0, y0 = pts[i - 1]
        clipped = clip_half_plane(clipped, -(y1 - y0), x1 - x0, x0 * (y1 - y0) - y0 * (x1 - x0))
    inter = ring_area(clipped) if len(clipped) >= 6 else 0.0
    total = ring_area(a) + ring_area(b) - inter
    return inter / total if total > 0 else 0.0
