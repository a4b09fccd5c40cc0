"""Rings of points: flat x0, y0, x1, y1, ... not closed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from labelglot.geometry.box import Box, Ring
from labelglot.tolerance import close

Affine = Sequence[Sequence[float]]


def points(ring: Ring) -> tuple[tuple[float, float], ...]:
    """The points of a ring."""
    return tuple(zip(ring[::2], ring[1::2], strict=True))


def signed_area(ring: Ring) -> float:
    """Area in square pixels; positive if the ring runs clockwise on screen (y is down)."""
    xs, ys = ring[::2], ring[1::2]
    total = 0.0
    for i in range(len(xs)):
        total += xs[i - 1] * ys[i] - xs[i] * ys[i - 1]
    return total / 2


def ring_area(ring: Ring) -> float:
    """Area in square pixels, whatever the direction."""
    return abs(signed_area(ring))


def ring_bounds(ring: Ring) -> Box:
    """The upright box around a ring. Raises ValueError for an empty one."""
    xs, ys = ring[::2], ring[1::2]
    return (min(xs), min(ys), max(xs), max(ys))


def clip_half_plane(ring: Ring, a: float, b: float, c: float) -> Ring:
    """The part of a ring where a*x + b*y + c >= 0 (Sutherland and Hodgman)."""
    result: list[float] = []
    pts = points(ring)
    for i, (x1, y1) in enumerate(pts):
        x0, y0 = pts[i - 1]
        d0, d1 = a * x0 + b * y0 + c, a * x1 + b * y1 + c
        if (d0 >= 0) != (d1 >= 0):
            t = d0 / (d0 - d1)
            result += [x0 + t * (x1 - x0), y0 + t * (y1 - y0)]
        if d1 >= 0:
            result += [x1, y1]
    return tuple(result)


def clip_ring(ring: Ring, box: Box) -> Ring:
    """The part of a ring inside a box; empty if none is."""
    x0, y0, x1, y1 = box
    for a, b, c in ((1.0, 0.0, -x0), (-1.0, 0.0, x1), (0.0, 1.0, -y0), (0.0, -1.0, y1)):
        ring = clip_half_plane(ring, a, b, c)
    return ring


def affine(ring: Ring, matrix: Affine) -> Ring:
    """A ring through a 2x3 or 3x3 matrix (rows; the last row of a 3x3 is taken as 0, 0, 1)."""
    (a, b, c), (d, e, f) = matrix[0], matrix[1]
    return tuple(v for x, y in points(ring) for v in (a * x + b * y + c, d * x + e * y + f))


MOST_PAIRS = 250_000
"""Pairs of points looked at for a bridge; of longer rings only every second, third... point."""


def bridge(rings: Sequence[Ring]) -> Ring:
    """One ring of several, each joined to those before it where they are nearest, by an edge there and back.

    The edges enclose nothing, so filling the ring fills the same area.
    """
    joined = list(points(rings[0]))
    for ring in rings[1:]:
        added = points(ring)
        if not joined or not added:
            joined = joined or list(added)
            continue
        step = 1 + int(math.sqrt(len(joined) * len(added) / MOST_PAIRS))
        _, i, j = min(
            ((x - u) ** 2 + (y - v) ** 2, i, j)
            for i, (x, y) in enumerate(joined)
            if i % step == 0
            for j, (u, v) in enumerate(added)
            if j % step == 0
        )
        joined[i + 1 : i + 1] = [*added[j:], *added[: j + 1], joined[i]]
    return tuple(v for point in joined for v in point)


def is_self_crossing(ring: Ring) -> bool:
    """Whether two edges that are not neighbours cross."""
    pts = points(ring)
    n = len(pts)
    edges = [(pts[i], pts[(i + 1) % n]) for i in range(n)]
    for i in range(n):
        for j in range(i + 2, n):
            if (i == 0 and j == n - 1) or not _cross(*edges[i], *edges[j]):
                continue
            return True
    return False


def is_inside(x: float, y: float, ring: Ring) -> bool:
    """Whether a point lies in a ring, by the even-odd rule."""
    inside = False
    xs, ys = ring[::2], ring[1::2]
    for i in range(len(xs)):
        if (ys[i] > y) != (ys[i - 1] > y) and x < xs[i] + (y - ys[i]) * (xs[i - 1] - xs[i]) / (ys[i - 1] - ys[i]):
            inside = not inside
    return inside


def is_upright(ring: Ring) -> bool:
    """Whether four corners are those of an upright box, the first two on a level."""
    if len(ring) != 8:
        return False
    ax, ay, bx, by, cx, cy, dx, dy = ring
    return close(ay, by) and close(bx, cx) and close(cy, dy) and close(dx, ax)


def nest(rings: Sequence[Ring]) -> tuple[tuple[Ring, ...], ...]:
    """Parts (outer ring, its holes) of rings that are filled by the even-odd rule: a ring inside another is a hole of it,
    one inside a hole is a part again. The order is kept.
    """
    if len(rings) == 1:
        return ((rings[0],),)
    areas = [ring_area(ring) for ring in rings]
    bounds = [ring_bounds(ring) if ring else (0.0, 0.0, 0.0, 0.0) for ring in rings]
    around = [[j for j in range(len(rings)) if _lies_in(i, j, rings, areas, bounds)] for i in range(len(rings))]
    holes: dict[int, list[Ring]] = {i: [] for i in range(len(rings)) if len(around[i]) % 2 == 0}
    for i, outer in enumerate(around):
        if i in holes:
            continue
        owners = [j for j in outer if j in holes]
        if owners:
            holes[min(owners, key=areas.__getitem__)].append(rings[i])
        else:
            holes[i] = []
    return tuple((rings[i], *holes[i]) for i in sorted(holes))


def _lies_in(i: int, j: int, rings: Sequence[Ring], areas: Sequence[float], bounds: Sequence[Box]) -> bool:
    a, b = bounds[i], bounds[j]
    if areas[i] >= areas[j] or a[0] < b[0] or a[1] < b[1] or a[2] > b[2] or a[3] > b[3]:
        return False
    return all(is_inside(x, y, rings[j]) for x, y in points(rings[i]))


def _cross(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float], d: tuple[float, float]) -> bool:
    def side(p: tuple[float, float], q: tuple[float, float], r: tuple[float, float]) -> float:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    return side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0


def ellipse_to_ring(cx: float, cy: float, rx: float, ry: float, angle: float, n: int) -> Ring:
    """``n`` points on an ellipse, starting on its first axis; ``angle`` in radians clockwise on screen."""
    cos, sin = math.cos(angle), math.sin(angle)
    result: list[float] = []
    for i in range(n):
        t = 2 * math.pi * i / n
        x, y = rx * math.cos(t), ry * math.sin(t)
        result += [cx + x * cos - y * sin, cy + x * sin + y * cos]
    return tuple(result)
