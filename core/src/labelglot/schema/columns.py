"""Objects of one image that are alike, column by column: a column costs a fraction of the objects."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from math import isfinite
from operator import attrgetter, lt
from typing import Any, cast

from msgspec.structs import replace

from labelglot import native
from labelglot.schema.annotation import Annotation
from labelglot.schema.base import Extra
from labelglot.schema.shape import Box, Shape

BARE = Annotation()
NOWHERE: Box = (0.0, 0.0, 0.0, 0.0)

_besides = attrgetter(*(name for name in Annotation.__struct_fields__ if name not in ("label", "box", "id")))
_NOTHING = _besides(BARE)


class Boxes(Sequence[Box]):
    """Boxes as numbers side by side: xmin, ymin, xmax, ymax of the first, then of the second..."""

    __slots__ = ("numbers",)

    def __init__(self, numbers: array[float]) -> None:
        self.numbers = numbers

    @classmethod
    def of(cls, boxes: Iterable[Box]) -> Boxes:
        """The same boxes, side by side."""
        return cls(array("d", chain.from_iterable(boxes)))

    @classmethod
    def joined(cls, several: Iterable[Boxes]) -> Boxes:
        """All boxes of several, one after the other."""
        numbers = array("d")
        for boxes in several:
            numbers += boxes.numbers
        return cls(numbers)

    @property
    def extent(self) -> Box | None:
        """The smallest box around all of them; ``None`` if one has no width or no height or is not finite, or if there is none."""
        return native.extent(self.numbers) or _extent(self.numbers)

    def __len__(self) -> int:
        return len(self.numbers) // 4

    def __iter__(self) -> Iterator[Box]:
        each = iter(self.numbers)
        return zip(each, each, each, each, strict=True)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            start, stop, step = place.indices(len(self))
            return Boxes(self.numbers[4 * start : 4 * stop]) if step == 1 else Boxes.of(list(self)[place])
        at = 4 * range(len(self))[place]
        return tuple(self.numbers[at : at + 4])


def _extent(numbers: array[float]) -> Box | None:
    x0, y0, x1, y1 = (numbers[side::4] for side in range(4))
    if not numbers or not all(map(lt, x0, x1)) or not all(map(lt, y0, y1)):
        return None
    found = (min(x0), min(y0), max(x1), max(y1))
    return found if all(map(isfinite, found)) else None


class Columns(Sequence[Annotation]):
    """A sequence of objects, each of which is made when it is asked for. There is at least one.

    ``labels``, and where they are no ``None``: ``boxes``, ``ids`` (of one type), ``shapes`` (all of one kind; polygons of one
    ring each), ``extras`` (with the same owners) are those of each object, ``like`` is what else is said of every one of
    them. They stand in the place of a sample's annotations on the way from a
    :class:`~labelglot.schema.dataset.ColumnDecoder` to a writer that ``takes_columns``, and nowhere else.
    """

    __slots__ = ("boxes", "extras", "ids", "labels", "like", "shapes")

    def __init__(
        self, labels: Sequence[str], boxes: Boxes | None, ids: Sequence[int | str] | None = None,
        like: Annotation = BARE, shapes: Sequence[Shape] | None = None, extras: Sequence[Extra] | None = None,
    ) -> None:  # fmt: skip
        self.labels, self.boxes, self.ids, self.like, self.shapes, self.extras = labels, boxes, ids, like, shapes, extras

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[Annotation]:
        like = self.like
        rows = zip(
            self.labels,
            repeat(like.box) if self.boxes is None else self.boxes,
            repeat(like.id) if self.ids is None else self.ids,
            repeat(like.shape) if self.shapes is None else self.shapes,
            repeat(like.extra) if self.extras is None else self.extras,
            strict=False,
        )
        return (replace(like, label=label, box=box, id=id_, shape=shape, extra=extra) for label, box, id_, shape, extra in rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __getitem__(self, place: Any) -> Any:
        if not isinstance(place, slice):
            at = range(len(self))[place]
            return next(iter(self[at : at + 1]))
        ids, boxes, shapes, extras = (
            None if column is None else column[place] for column in (self.ids, self.boxes, self.shapes, self.extras)
        )
        return Columns(self.labels[place], boxes, ids, self.like, shapes, extras)  # type: ignore[arg-type]

    @property
    def plain(self) -> bool:
        """Whether nothing is said of any object but class, box, id and shape."""
        return self.extras is None and _besides(self.like) == _NOTHING

    @property
    def only_boxes(self) -> bool:
        """Whether each object has a class, a box, perhaps an id, and nothing else is said of any."""
        return self.boxes is not None and self.shapes is None and self.plain

    def as_annotations(self) -> tuple[Annotation, ...]:
        """These columns as what a sample expects."""
        return cast("tuple[Annotation, ...]", self)


def as_columns(annotations: Sequence[Annotation] | None) -> Columns | None:
    """The annotations of a sample if they are columns."""
    return annotations if isinstance(annotations, Columns) else None


def labels_and_boxes(annotations: Sequence[Annotation] | None) -> tuple[Sequence[str], Sequence[Box]]:
    """Class and box of each object; ``""`` and :data:`NOWHERE` for one that has none."""
    if isinstance(annotations, Columns) and annotations.boxes is not None:
        return annotations.labels, annotations.boxes
    listed = annotations or ()
    return [a.label or "" for a in listed], [a.box or NOWHERE for a in listed]


__all__ = ["BARE", "NOWHERE", "Boxes", "Columns", "as_columns", "labels_and_boxes"]
