"""Annotations of which nothing needs a closer look, many at a time and column by column.

Nearly all are like that; what is not is left to :func:`labelglot_coco.annotation.decode`.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec
from labelglot import native
from labelglot.formats.base import UNREAD
from labelglot.plugin import Annotation, Boxes, Columns, Polygon

from labelglot_coco.annotation import OWNER, UNSET, Number, span


class PlainFields(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A plain annotation."""

    image_id: int | str
    category_id: int | str
    bbox: tuple[float, float, float, float]
    segmentation: tuple[tuple[float, ...], ...] | dict[str, msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET
    id: int | str | None = None
    area: Number | msgspec.UnsetType = msgspec.UNSET
    iscrowd: int | msgspec.UnsetType = msgspec.UNSET


class _Ring(msgspec.Struct, array_like=True, gc=False):
    """A ring of which no number is read."""


class Outline(msgspec.Struct, array_like=True, gc=False):
    """A polygon of which is only read that it is there; ``first`` is unset for an empty one."""

    first: _Ring | msgspec.UnsetType = msgspec.UNSET


class BoxedFields(PlainFields, forbid_unknown_fields=True, gc=False):
    """The same, with an outline that nobody asks for. Holds nothing of the document."""

    segmentation: Outline | dict[str, Any] | msgspec.UnsetType = msgspec.UNSET  # type: ignore[assignment]


class KeptFields(PlainFields, forbid_unknown_fields=True, gc=False):
    """The same, with an outline that is written again as it is."""

    segmentation: msgspec.Raw = msgspec.Raw()  # type: ignore[assignment]


Outlines = Literal["read", "kept", "noted"]
"""What becomes of outlines: numbers, the text they were written as, or just the fact that there is one."""

_decoders: Mapping[Outlines, msgspec.json.Decoder[Any]] = {
    "read": msgspec.json.Decoder(list[PlainFields]), "kept": msgspec.json.Decoder(list[KeptFields]),
    "noted": msgspec.json.Decoder(list[BoxedFields]),
}  # fmt: skip
_rings = msgspec.json.Decoder(tuple[tuple[float, ...], ...])

BARE, OUTLINED, ODD, SEVERAL, TOLD = 0, 1, 2, 3, 4
"""Marks: what else there is about an object of which class, box and id are known. Nothing, a polygon of one ring, what
:func:`~labelglot_coco.annotation.decode` has to look at, a polygon of several. ``TOLD`` is added to those of the objects that
have extras of their own.
"""

HUGE = 1e9
"""Pixels; a box beyond them is looked at more closely."""

_SOMETHING: dict[str, Any] = {OWNER: {"area": 0}}
"""Stands for what only COCO knows of an object, where nobody asks for it."""

LIKE = (Annotation(extra=_SOMETHING), Annotation(shape=UNREAD, extra=_SOMETHING))
"""What else there is about an object of which only class, box and id are wanted, by its mark."""

TELLING = (Annotation(), Annotation(shape=UNREAD))
"""The same where extras are wanted as they were."""


class Plain(NamedTuple):
    """Objects column by column. ``marks``: of each, ``ODD`` for one that needs a closer look. ``extras`` is ``None`` where
    all that counts is that there are some, ``shapes`` where all that is known of outlines is the mark.
    """

    labels: Sequence[str | None]
    boxes: Boxes
    ids: Sequence[int | str | None]
    marks: bytes
    shapes: Sequence[Polygon | None] | None
    extras: Sequence[dict[str, Any]] | None

    def objects(self, start: int, stop: int) -> list[Annotation | None]:
        """Some of the objects, ``None`` for each that needs a closer look."""
        marks = self.marks[start:stop]
        shapes = [UNREAD if mark & OUTLINED else None for mark in marks] if self.shapes is None else self.shapes[start:stop]
        extras = [_SOMETHING] * len(marks) if self.extras is None else self.extras[start:stop]
        rows = zip(self.labels[start:stop], self.boxes[start:stop], self.ids[start:stop], marks, shapes, extras, strict=True)
        return [
            None if mark == ODD else Annotation(label=label, box=box, shape=shape, id=id_, extra=extra)
            for label, box, id_, mark, shape, extra in rows
        ]

    def columns(self, start: int, stop: int) -> Columns | None:
        """The same in columns; ``None`` if the objects are not alike."""
        marks, ids = self.marks[start:stop], self.ids[start:stop]
        if not marks or marks.count(marks[0]) < len(marks) or marks[0] in (ODD, SEVERAL, SEVERAL | TOLD):
            return None
        kinds = set(map(type, ids))
        if len(kinds) > 1:
            return None
        outlined = bool(marks[0] & OUTLINED)
        shapes = self.shapes[start:stop] if outlined and self.shapes is not None else None
        if shapes is not None and shapes[0] is UNREAD:
            shapes = None
        like = (LIKE if self.extras is None else TELLING)[outlined and shapes is None]
        return Columns(
            self.labels[start:stop],  # type: ignore[arg-type]
            self.boxes[start:stop],
            None if ids[0] is None else ids,  # type: ignore[arg-type]
            like,
            shapes,  # type: ignore[arg-type]
            self.extras[start:stop] if self.extras is not None and marks[0] & TOLD else None,
        )


def decode_plain(text: bytes, keys: Mapping[int | str, str], outlines: Outlines, extras: bool) -> Plain | None:
    """The objects of annotations (``text``: with commas between them); ``None`` if some are not even of the usual fields.

    ``extras``: whether what only COCO knows is wanted as it was, otherwise there is only something in its place. A polygon
    that is kept as text is :data:`UNREAD`, and its text in the extras.
    """
    try:
        found = _decoders[outlines].decode(b"[" + text + b"]")
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    labels = [keys.get(item.category_id) for item in found]
    boxes, sound = _boxes(found)
    if outlines == "kept":
        return _keep(found, labels, boxes, sound)
    shapes, marks = _read(found) if outlines == "read" else (None, bytearray(marks_of(found)))
    if None in labels or False in sound:
        for place, label in enumerate(labels):
            if label is None or not sound[place]:
                marks[place] = ODD
    told = None
    if extras:
        told = [_told(item, marks, place) for place, item in enumerate(found)]
    elif outlines == "read" and not _calm(found):
        for place, item in enumerate(found):
            if item.area is UNSET or item.iscrowd not in _CALM:
                marks[place] = ODD
    return Plain(labels, boxes, [item.id for item in found], bytes(marks), shapes, told)


def _boxes(found: Sequence[PlainFields]) -> tuple[Boxes, list[bool]]:
    """The boxes, and of each whether it has an extent and is no further away than boxes are."""
    sizes = [item.bbox for item in found]
    measured = native.edges(sizes, HUGE)
    if measured is not None:
        return Boxes(measured[0]), measured[1]
    sound = [0 < w < HUGE and 0 < h < HUGE and -HUGE < x < HUGE and -HUGE < y < HUGE for x, y, w, h in sizes]
    return Boxes.of([(x, y, x + w, y + h) for x, y, w, h in sizes]), sound


def _calm(found: Sequence[PlainFields]) -> bool:
    """Whether each object has an area and says that it is no crowd."""
    return [item.iscrowd for item in found].count(0) == len(found) and UNSET not in [item.area for item in found]


def _told(item: Any, marks: bytearray, place: int) -> dict[str, Any]:
    """What only COCO knows of an object; it is marked if there is something."""
    x, y, w, h = item.bbox
    if item.iscrowd != 0 or item.segmentation is UNSET or span(x, x + w) != w or span(y, y + h) != h:
        marks[place] = ODD
    if item.area is UNSET or marks[place] == ODD:
        return {}
    marks[place] |= TOLD
    return {OWNER: {"area": item.area}}


def _read(found: Sequence[PlainFields]) -> tuple[list[Polygon | None], bytearray]:
    """The outlines, and marks of them."""
    outlines = [item.segmentation for item in found]
    lengths = [len(rings[0]) if type(rings) is tuple and len(rings) == 1 else 0 for rings in outlines]
    if min(lengths, default=0) >= 6 and not any(length & 1 for length in lengths):
        return [Polygon(parts=(rings,)) for rings in outlines], bytearray([OUTLINED]) * len(found)  # type: ignore[arg-type]
    shapes: list[Polygon | None] = []
    marks = bytearray()
    for rings in outlines:
        if rings is UNSET or rings == ():
            shapes.append(None)
            marks.append(BARE)
        elif type(rings) is dict or not _are_rings(rings):
            shapes.append(None)
            marks.append(ODD)
        else:
            shapes.append(Polygon(parts=tuple([(ring,) for ring in rings])))  # type: ignore[misc,arg-type]
            marks.append(OUTLINED if len(rings) == 1 else SEVERAL)
    return shapes, marks


def _keep(found: Sequence[KeptFields], labels: Sequence[str | None], boxes: Boxes, sound: Sequence[bool]) -> Plain:
    """Objects with the texts of their polygons."""
    texts = [bytes(item.segmentation) for item in found]
    ids = [item.id for item in found]
    if (
        None not in labels and False not in sound and _calm(found)
        and ONE_RING.issuperset([text.translate(None, _NUMBERS) for text in texts])
    ):  # fmt: skip
        extras = [
            {OWNER: {"area": item.area, "bbox": item.bbox, "segmentation": text}}
            for item, text in zip(found, texts, strict=True)
        ]
        return Plain(labels, boxes, ids, bytes([OUTLINED | TOLD]) * len(ids), [UNREAD] * len(ids), extras)
    marks = bytearray()
    shapes: list[Polygon | None] = []
    extras = []
    for item, label, text, fits in zip(found, labels, texts, sound, strict=True):
        if label is None or item.iscrowd != 0 or not fits:
            shapes.append(None)
            marks.append(ODD)
            extras.append({})
        elif item.area is not UNSET and text.translate(None, _NUMBERS) in ONE_RING:
            shapes.append(UNREAD)
            marks.append(OUTLINED | TOLD)
            extras.append({OWNER: {"area": item.area, "bbox": item.bbox, "segmentation": text}})
        else:
            read = PlainFields(item.image_id, item.category_id, item.bbox, _rings_of(text), item.id, item.area, 0)
            (shape,), mark = _read([read])
            shapes.append(shape)
            # Its outline is not encoded as those of the others are.
            marks.append(SEVERAL if mark[0] == OUTLINED else mark[0])
            extras.append(_told(read, marks, len(marks) - 1))
    return Plain(labels, boxes, ids, bytes(marks), shapes, extras)


_NUMBERS = b"0123456789+-.eE "
ONE_RING = frozenset(b"[[" + b"," * commas + b"]]" for commas in range(5, 1000, 2))
"""What is left of the text of a polygon of one ring, of three points to 500, without its numbers."""


def _rings_of(text: bytes) -> Any:
    """The rings of a polygon; an object if it is none."""
    if text in (b"", b"[]"):
        return () if text else UNSET
    try:
        return _rings.decode(text)
    except msgspec.MsgspecError:
        return {}


def mark_of(item: BoxedFields) -> int:
    """What else there is about an object of which no outline was read."""
    outline = item.segmentation
    if type(outline) is dict or item.area is UNSET or item.iscrowd not in _CALM:
        return ODD
    return BARE if outline is UNSET or outline.first is UNSET else OUTLINED  # type: ignore[union-attr]


def marks_of(items: Sequence[BoxedFields]) -> bytes:
    """:func:`mark_of` each of many objects; with fewer questions where none of them is odd."""
    outlines = [item.segmentation for item in items]
    if not _calm(items) or set(map(type, outlines)) != {Outline}:
        return bytes(map(mark_of, items))
    return bytes([BARE if outline.first is UNSET else OUTLINED for outline in outlines])  # type: ignore[union-attr]


_CALM = (0, UNSET)
"""Values of the crowd flag of an object that is none."""


def _are_rings(segmentation: Any) -> bool:
    return all(len(ring) >= 6 and not len(ring) & 1 for ring in segmentation)


class BoxColumns(NamedTuple):
    """Class, box and id of annotations, column by column: all that is wanted of them.

    ``corners``: xmin, ymin, xmax, ymax of each, one after the other. ``marks``: of each. ``odd``: by their position in the
    document the text of those that need a closer look.
    """

    ids: array[int]
    categories: array[int]
    corners: array[float]
    marks: bytes
    odd: Mapping[int, bytes]

    def part(self, start: int, stop: int) -> BoxColumns:
        """Some of them."""
        return BoxColumns(
            self.ids[start:stop], self.categories[start:stop], self.corners[4 * start : 4 * stop], self.marks[start:stop], self.odd
        )

    def plain(self, keys: Mapping[int | str, str]) -> Plain:
        """The objects, ``ODD`` where one needs a closer look."""
        labels = [keys.get(category) for category in self.categories]
        return Plain(labels, Boxes(self.corners), self.ids, self.marks, None, None)

    def columns(self, keys: Mapping[int | str, str]) -> Columns | None:
        """The objects in columns; ``None`` if they are not alike."""
        marks = self.marks
        if not marks or marks[0] == ODD or marks.count(marks[0]) < len(marks):
            return None
        return Columns([keys[category] for category in self.categories], Boxes(self.corners), self.ids, LIKE[marks[0]])


__all__ = [
    "BARE", "HUGE", "ODD", "OUTLINED", "SEVERAL", "TOLD", "BoxColumns", "BoxedFields", "Outlines", "Plain", "decode_plain", "marks_of",
]  # fmt: skip
