"""What projection does to objects in columns: whole columns at once, never object by object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, chain
from typing import Any, NamedTuple

from msgspec.structs import replace

from labelglot.projection.alike import follow_all
from labelglot.schema.columns import Boxes, Columns

_DROPPED: tuple[object, ...] = (None, {}, ())
_COLUMNS = frozenset(("box", "id", "shape", "extra"))


class Make(NamedTuple):
    """Which columns there are, and what all objects share: columns of the same make are of one outline."""

    like: int
    boxes: bool
    shapes: bool
    ids: type | None
    extras: tuple[str, ...] | None


def make_of(columns: Columns) -> Make:
    """The make of columns that are not empty; ``like`` must live as long as it is compared."""
    ids, extras = columns.ids, columns.extras
    return Make(
        id(columns.like), columns.boxes is not None, columns.shapes is not None, None if ids is None else type(ids[0]),
        None if extras is None else tuple(extras[0]),
    )  # fmt: skip


def following(several: Sequence[Columns]) -> list[bool | None]:
    """For each whether its boxes follow from the shapes beside them; ``None``: some do."""
    boxes = Boxes.joined(columns.boxes for columns in several if columns.boxes is not None)
    found = follow_all(boxes, list(chain.from_iterable(columns.shapes or () for columns in several)))
    ends = list(accumulate(map(len, several)))
    parts = (found[start:end] for start, end in zip([0, *ends], ends, strict=False))
    return [part[0] if part.count(part[0]) == len(part) else None for part in parts]


def changed(columns: Columns, changes: Mapping[str, Any], names: Mapping[str, str]) -> Columns | None:
    """The objects after the same changes to each, and with classes of other ``names``; ``None`` if a column would change
    otherwise than by being dropped.
    """
    gone = changes.keys() & _COLUMNS
    for name in gone:
        if changes[name] not in _DROPPED:
            return None
    if not changes:
        like, boxes, ids, shapes, extras = columns.like, columns.boxes, columns.ids, columns.shapes, columns.extras
    elif "label" in changes:
        return None
    else:
        like = replace(columns.like, **changes)
        boxes = None if "box" in gone else columns.boxes
        ids = None if "id" in gone else columns.ids
        shapes = None if "shape" in gone else columns.shapes
        extras = None if "extra" in gone else columns.extras
    labels = [names.get(label, label) for label in columns.labels] if names else columns.labels
    return Columns(labels, boxes, ids, like, shapes, extras)


def with_ids(columns: Columns, ids: Sequence[int | str]) -> Columns:
    """The objects with these ids."""
    return Columns(columns.labels, columns.boxes, ids, columns.like, columns.shapes, columns.extras)


def with_boxes(columns: Columns, boxes: Boxes) -> Columns:
    """The objects with these boxes."""
    return Columns(columns.labels, boxes, columns.ids, columns.like, columns.shapes, columns.extras)


__all__ = ["Make", "changed", "following", "make_of", "with_boxes", "with_ids"]
