"""One object in an image, or one statement about an image as a whole."""

from __future__ import annotations

from typing import Self

from labelglot.schema.base import Attribute, Extra, Id
from labelglot.schema.record import Record
from labelglot.schema.shape import Box, Keypoints, Shape


class Origin(Record, frozen=True, eq=False, gc=False, kw_only=True):
    """Where a derived sample or annotation comes from. Reserved for steps; nothing in core fills it yet."""

    key: str
    matrix: tuple[float, ...] | None = None
    region: Box | None = None


class Annotation(Record, frozen=True, eq=False, gc=False, kw_only=True):
    """One object. It can carry a box, one shape, keypoints and text at once.

    Coordinates are in the sample's frame (see ``labelglot.schema.shape``). ``label`` is a label's key, ``group``
    joins the pieces of one thing, ``parent`` is another annotation's id, ``layer`` names a label set or annotator.
    Well-known attribute keys: ``crowd``, ``ignore``, ``difficult``, ``truncated``, ``occluded``, ``outside``,
    ``visible_fraction``, ``weight``, each with its original scale. ``uid`` is opaque and survives all processing, apart
    from the source's ``id``; equality ignores it.
    """

    label: str | None = None
    box: Box | None = None
    shape: Shape | None = None
    keypoints: Keypoints | None = None
    text: str | None = None
    id: Id | None = None
    track: Id | None = None
    group: Id | None = None
    parent: Id | None = None
    score: float | None = None
    layer: str | None = None
    attributes: dict[str, Attribute] = {}
    extra: Extra = {}
    uid: str | None = None
    origin: Origin | None = None

    def with_geometry(
        self,
        box: Box | None = None,
        shape: Shape | None = None,
        keypoints: Keypoints | None = None,
        bound: frozenset[tuple[str, str]] = frozenset(),
    ) -> Self:
        """The same object with another geometry; as-written facts that depend on it are dropped.

        ``bound`` names extra entries tied to geometry as (format id, key), e.g. ``("coco", "area")``; a format lists
        its own in ``Format.geometry_bound_extra``.
        """
        extra = {
            owner: {k: v for k, v in bag.items() if (owner, k) not in bound} if isinstance(bag, dict) else bag
            for owner, bag in self.extra.items()
        }
        kept = {owner: bag for owner, bag in extra.items() if bag or not self.extra[owner]}
        return self.replace(box=box, shape=shape, keypoints=keypoints, extra=kept)


class Tag(Record, frozen=True, eq=False, gc=False, kw_only=True):
    """A statement about the whole image: a class (or its verified absence), or a caption (``text``)."""

    label: str | None = None
    text: str | None = None
    negative: bool = False
    score: float | None = None
    layer: str | None = None
    attributes: dict[str, Attribute] = {}
    extra: Extra = {}
    uid: str | None = None
    origin: Origin | None = None
