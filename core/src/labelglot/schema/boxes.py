"""Objects of one image that are alike but for class, box and id, as columns: these cost a fraction of the objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any, cast

from labelglot.schema.annotation import Annotation
from labelglot.schema.shape import Box

BARE = Annotation()


class Boxes(Sequence[Annotation]):
    """A sequence of objects, each of which is made when it is asked for.

    ``labels``, ``boxes``, ``ids`` (``None``: no object has one): of each. ``like``: what else is said of every one of them.
    They stand in the place of a sample's annotations on the way from a :class:`~labelglot.schema.dataset.ColumnDecoder`
    to a writer that ``takes_boxes``, and nowhere else.
    """

    __slots__ = ("boxes", "ids", "labels", "like")

    def __init__(
        self, labels: Sequence[str], boxes: Sequence[Box], ids: Sequence[int | str] | None = None, like: Annotation = BARE
    ) -> None:
        self.labels, self.boxes, self.ids, self.like = labels, boxes, ids, like

    def __len__(self) -> int:
        return len(self.boxes)

    def __iter__(self) -> Iterator[Annotation]:
        replace = self.like.replace
        ids = repeat(None) if self.ids is None else self.ids
        return (replace(label=label, box=box, id=id_) for label, box, id_ in zip(self.labels, self.boxes, ids, strict=False))

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            ids = None if self.ids is None else self.ids[place]
            return Boxes(self.labels[place], self.boxes[place], ids, self.like)
        return self.like.replace(
            label=self.labels[place], box=self.boxes[place], id=None if self.ids is None else self.ids[place]
        )

    def as_annotations(self) -> tuple[Annotation, ...]:
        """These columns as what a sample expects."""
        return cast("tuple[Annotation, ...]", self)


NOWHERE: Box = (0.0, 0.0, 0.0, 0.0)


def labels_and_boxes(annotations: Sequence[Annotation] | None) -> tuple[Sequence[str], Sequence[Box]]:
    """Class and box of each object; ``""`` and :data:`NOWHERE` for one that has none."""
    if isinstance(annotations, Boxes):
        return annotations.labels, annotations.boxes
    listed = annotations or ()
    return [a.label or "" for a in listed], [a.box or NOWHERE for a in listed]


__all__ = ["BARE", "NOWHERE", "Boxes", "labels_and_boxes"]
