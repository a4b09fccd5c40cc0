"""Between outlines and masks.

Polygons are filled by COCO's rule: the outline is sampled five times finer, and a pixel column changes where the
outline crosses the middle of it. Integer corners (1,1) (4,1) (4,3) (1,3) give exactly 3 x 2 pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

from labelglot.errors import UnsafeInput
from labelglot.geometry.box import Box, Ring
from labelglot.geometry.rle import MAX_PIXELS, Counts, merge, to_bitmap

_FINE = 5


def rasterise(rings: Sequence[Ring], height: int, width: int) -> Counts:
    """Counts of the union of rings on a (height, width) image. Raises :class:`UnsafeInput` for an absurd size."""
    if height * width > MAX_PIXELS:
        raise UnsafeInput(f"a mask of {width} x {height} pixels is too large")
    masks = [_ring(ring, height, width) for ring in rings]
    return masks[0] if len(masks) == 1 else merge(masks, "union")


def _ring(ring: Ring, height: int, width: int) -> Counts:
    xs = [int(_FINE * x + 0.5) for x in ring[::2]]
    ys = [int(_FINE * y + 0.5) for y in ring[1::2]]
    crossings: list[int] = []
    previous: tuple[int, int] | None = None
    for u, v in _outline(xs, ys):
        if previous is not None and u != previous[0]:
            crossing = _crossing(u, v, previous, height, width)
            if crossing is not None:
                crossings.append(crossing)
        previous = (u, v)
    crossings.append(height * width)
    crossings.sort()
    runs: list[int] = []
    last = 0
    for place in crossings:
        runs.append(place - last)
        last = place
    merged: list[int] = [runs[0]]
    i = 1
    while i < len(runs):
        if runs[i] > 0:
            merged.append(runs[i])
            i += 1
        else:
            i += 1
            if i < len(runs):
                merged[-1] += runs[i]
                i += 1
    return tuple(merged)


def _outline(xs: list[int], ys: list[int]) -> list[tuple[int, int]]:
    """All fine-grid points of the closed outline, edge by edge, always walked along the longer axis."""
    out: list[tuple[int, int]] = []
    n = len(xs)
    for j in range(n):
        x0, y0, x1, y1 = xs[j], ys[j], xs[(j + 1) % n], ys[(j + 1) % n]
        dx, dy = abs(x1 - x0), abs(y1 - y0)
        flip = (dx >= dy and x0 > x1) or (dx < dy and y0 > y1)
        if flip:
            x0, y0, x1, y1 = x1, y1, x0, y0
        slope = ((y1 - y0) / dx if dx else 0.0) if dx >= dy else (x1 - x0) / dy
        steps = range(max(dx, dy), -1, -1) if flip else range(max(dx, dy) + 1)
        if dx >= dy:
            out += [(t + x0, int(y0 + slope * t + 0.5)) for t in steps]
        else:
            out += [(int(x0 + slope * t + 0.5), t + y0) for t in steps]
    return out


def _crossing(u: int, v: int, previous: tuple[int, int], height: int, width: int) -> int | None:
    """Position in the column-major image where the outline steps from one pixel column's middle to the next."""
    fine = u if u < previous[0] else u - 1
    x = (fine + 0.5) / _FINE - 0.5
    if x != int(x) or x < 0 or x > width - 1:
        return None
    low = min(v, previous[1])
    y = (low + 0.5) / _FINE - 0.5
    y = 0.0 if y < 0 else float(height) if y > height else y
    row = -int(-y) if y == int(y) else int(y) + 1
    return int(x) * height + row


def box_to_counts(box: Box, height: int, width: int) -> Counts:
    """Mask of a box by the same rule."""
    x0, y0, x1, y1 = box
    return rasterise([(x0, y0, x1, y0, x1, y1, x0, y1)], height, width)


def rings_from_counts(counts: Sequence[int], height: int, width: int) -> list[tuple[Ring, tuple[Ring, ...]]]:
    """Exact outlines of a mask along pixel edges: (outer ring, its holes) per connected part.

    Pixels that touch only at a corner are separate parts, so that rings never touch themselves and filling them
    gives the same mask back.
    """
    import numpy as np

    bitmap = to_bitmap(counts, height, width)
    padded = np.pad(bitmap, 1)
    above = padded[1:, 1:-1] & ~padded[:-1, 1:-1]
    below = padded[:-1, 1:-1] & ~padded[1:, 1:-1]
    left = padded[1:-1, 1:] & ~padded[1:-1, :-1]
    right = padded[1:-1, :-1] & ~padded[1:-1, 1:]
    # Each boundary edge keeps the mask on its right hand, so outer rings run clockwise and holes the other way.
    following: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for y, x in np.argwhere(above).tolist():
        following.setdefault((x, y), []).append((x + 1, y))
    for y, x in np.argwhere(below).tolist():
        following.setdefault((x + 1, y), []).append((x, y))
    for y, x in np.argwhere(left).tolist():
        following.setdefault((x, y + 1), []).append((x, y))
    for y, x in np.argwhere(right).tolist():
        following.setdefault((x, y), []).append((x, y + 1))
    outers: list[Ring] = []
    holes: list[Ring] = []
    for start in sorted(following, key=lambda p: (p[1], p[0])):
        while following[start]:
            ring = _walk(start, following)
            (outers if _twice_area(ring) > 0 else holes).append(_corners(ring))
    return _assign(outers, holes)


def _walk(start: tuple[int, int], following: dict[tuple[int, int], list[tuple[int, int]]]) -> list[tuple[int, int]]:
    ring = [start]
    at = following[start].pop()
    before = start
    while at != start:
        ring.append(at)
        choices = following[at]
        if len(choices) == 1:
            onward = choices.pop()
        else:
            dx, dy = at[0] - before[0], at[1] - before[1]
            # Turn right (clockwise on screen) where two parts meet at a corner: stay with the pixel at hand.
            right = (at[0] - dy, at[1] + dx)
            onward = right if right in choices else choices[0]
            choices.remove(onward)
        before, at = at, onward
    return ring


def _twice_area(ring: list[tuple[int, int]]) -> int:
    return sum(ring[i - 1][0] * y - x * ring[i - 1][1] for i, (x, y) in enumerate(ring))


def _corners(ring: list[tuple[int, int]]) -> Ring:
    n = len(ring)
    out: list[float] = []
    for i, (x, y) in enumerate(ring):
        (px, py), (qx, qy) = ring[i - 1], ring[(i + 1) % n]
        if (x - px) * (qy - y) != (y - py) * (qx - x):
            out += [float(x), float(y)]
    return tuple(out)


def _assign(outers: list[Ring], holes: list[Ring]) -> list[tuple[Ring, tuple[Ring, ...]]]:
    """Give each hole to the smallest outer ring around it."""
    from labelglot.geometry.ring import ring_area

    members: list[list[Ring]] = [[] for _ in outers]
    order = sorted(range(len(outers)), key=lambda i: ring_area(outers[i]))
    for hole in holes:
        x, y = _inner_point(hole)
        for i in order:
            if is_inside(x, y, outers[i]):
                members[i].append(hole)
                break
    return [(outer, tuple(found)) for outer, found in zip(outers, members, strict=True)]


def _inner_point(ring: Ring) -> tuple[float, float]:
    """The middle of a pixel just inside a hole's topmost, leftmost corner."""
    y, x = min(zip(ring[1::2], ring[::2], strict=True))
    return x + 0.5, y + 0.5


def is_inside(x: float, y: float, ring: Ring) -> bool:
    """Whether a point is inside a ring (of an odd number of its turns)."""
    inside = False
    xs, ys = ring[::2], ring[1::2]
    for i in range(len(xs)):
        if (ys[i] > y) != (ys[i - 1] > y) and x < xs[i] + (y - ys[i]) * (xs[i - 1] - xs[i]) / (ys[i - 1] - ys[i]):
            inside = not inside
    return inside
