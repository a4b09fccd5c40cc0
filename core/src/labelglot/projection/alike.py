"""Look at many objects at once: which of them have the same parts, which boxes follow from the shape beside them.

The objects of a dataset are mostly alike. To find that out column by column costs a fraction of asking each of them,
and what becomes of one is then known for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, TypeGuard

from labelglot import native
from labelglot.projection import ladder
from labelglot.projection.coordinates import near
from labelglot.schema.annotation import Annotation
from labelglot.schema.columns import Boxes
from labelglot.schema.shape import Box, Polygon, RotatedBox, Shape
from labelglot.tolerance import ABSOLUTE

_PARTS = attrgetter(
    "label", "box", "shape", "id", "extra", "attributes", "keypoints", "text", "track", "group", "parent", "score", "layer"
)


def deviating(annotations: Sequence[Annotation]) -> set[int] | None:
    """Positions of the objects that are not of the same :func:`~labelglot.projection.objects.outline` as the first.

    ``None`` if the first is none of the usual ones: it has keypoints, a text, a score or the like.
    """
    labels, boxes, shapes, ids, extras, attributes, *rest = zip(*map(_PARTS, annotations), strict=True)
    if any(column[0] is not None for column in rest) or type(shapes[0]) is RotatedBox:
        return None
    number = len(annotations)
    found: set[int] = set()
    for column in rest:
        if column.count(None) < number:
            found.update(i for i, value in enumerate(column) if value is not None)
    for column in (labels, boxes):
        if column.count(None) not in (0, number):
            first = column[0] is None
            found.update(i for i, value in enumerate(column) if (value is None) is not first)
    for column in (shapes, ids):
        kinds = list(map(type, column))
        if kinds.count(kinds[0]) < number:
            found.update(i for i, kind in enumerate(kinds) if kind is not kinds[0])
    names = extras[0].keys()
    if extras.count(extras[0]) < number:
        found.update(i for i, bag in enumerate(extras) if bag.keys() != names)
    if any(attributes):
        said = _spoken(attributes[0])
        found.update(i for i, each in enumerate(attributes) if _spoken(each) != said)
    if type(shapes[0]) is Polygon:
        if not is_ring(shapes[0]):
            return None
        if any(shape is not shapes[0] for shape in shapes):
            found.update(i for i, shape in enumerate(shapes) if type(shape) is Polygon and not is_ring(shape))
    return found


def _spoken(attributes: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(attributes), tuple(map(type, attributes.values()))


def is_ring(shape: Shape | None) -> TypeGuard[Polygon]:
    """Whether a shape is a polygon of one ring."""
    return type(shape) is Polygon and len(shape.parts) == 1 and len(shape.parts[0]) == 1


def follows(box: Box, shape: Shape) -> bool:
    """Whether a box is the extent of a shape, up to arithmetic noise."""
    if type(shape) is Polygon and len(shape.parts) == 1 and len(ring := shape.parts[0][0]) >= 4:
        xs, ys = ring[::2], ring[1::2]
        left, top, right, bottom = box
        if (
            -ABSOLUTE <= min(xs) - left <= ABSOLUTE and -ABSOLUTE <= max(xs) - right <= ABSOLUTE
            and -ABSOLUTE <= min(ys) - top <= ABSOLUTE and -ABSOLUTE <= max(ys) - bottom <= ABSOLUTE
        ):  # fmt: skip
            return True
    return near(ladder.bounds(shape), box)


MANY = 100
"""From so many objects on it pays to ask numpy."""


def follow(boxes: Sequence[Box], shapes: Sequence[Shape]) -> list[bool]:
    """:func:`follows` for many objects."""
    rings = [shape.parts[0][0] for shape in shapes if is_ring(shape)]
    if len(boxes) < MANY or len(rings) < len(shapes):
        return list(map(follows, boxes, shapes))
    import numpy as np

    lengths = np.fromiter(map(len, rings), np.int64, len(rings))
    if lengths.min() < 4 or (lengths & 1).any():
        return list(map(follows, boxes, shapes))
    flat = np.fromiter(chain.from_iterable(rings), np.float64, int(lengths.sum()))
    starts = (np.cumsum(lengths) - lengths) // 2
    edges = np.fromiter(chain.from_iterable(boxes), np.float64, 4 * len(boxes)).reshape(-1, 4)
    extents = [
        reduce.reduceat(flat[axis::2], starts) for reduce in (np.minimum, np.maximum) for axis in (0, 1)
    ]
    close: list[bool] = (np.abs(np.stack(extents, axis=1) - edges) <= ABSOLUTE).all(axis=1).tolist()  # type: ignore[assignment]
    return close if all(close) else [same or follows(boxes[i], shapes[i]) for i, same in enumerate(close)]


def follow_all(boxes: Boxes, shapes: Sequence[Shape]) -> list[bool]:
    """:func:`follow` for shapes of one kind, polygons of one ring each."""
    if shapes and type(shapes[0]) is Polygon:
        rings = [shape.parts[0][0] for shape in shapes]  # type: ignore[union-attr]
        enclosed = native.enclose(boxes.numbers, rings, ABSOLUTE)
        if enclosed is not None:
            return [same or follows(boxes[i], shapes[i]) for i, same in enumerate(enclosed)] if False in enclosed else enclosed
    return follow(boxes, shapes)


def without(numbers: Iterable[int], lengths: Sequence[int]) -> list[bool]:
    """For each of consecutive groups of so many things, whether it has none of these ``numbers``, counted over all."""
    left = sorted(numbers, reverse=True)
    found = []
    end = 0
    for length in lengths:
        end += length
        found.append(not left or left[-1] >= end)
        while left and left[-1] < end:
            left.pop()
    return found


__all__ = ["deviating", "follow", "follow_all", "follows", "is_ring", "without"]
