"""A large document: its annotations in runs of text, cut by guess and proven by decoding.

If the text between two guessed places is the inside of a list of annotations, and the document with :data:`HOLE` in the place
of all of them is one whose list of annotations holds just that, then both together are what the document says: JSON can be
read in one way only. Where a guess is wrong something does not decode, and the document is taken apart in the ordinary way.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Collection, Sequence
from itertools import chain
from typing import Any, NamedTuple

import msgspec
from labelglot import native

from labelglot_coco.grouping import Columns
from labelglot_coco.plain import BARE, HUGE, ODD, OUTLINED, BoxedFields, marks_of

LARGE = 16 << 20
"""Bytes of a document from which on this pays."""

RUN = 1 << 19
"""Bytes of a run: so few that its objects stay in the cache of the processor."""

TAIL = 32 << 20
"""Bytes at the end of a document in which the list of annotations is expected to end."""

HOLE = b"0"
"""Stands for all annotations: nothing that could be one, and proof that their place was in the right list."""

_START = re.compile(rb'"annotations"\s*:\s*\[')
_END = re.compile(rb'\]\s*(?:,\s*"(?:categories|images|info|licenses)"\s*:|\}\s*\Z)')
_BETWEEN = re.compile(rb"\}\s*,\s*\{")
_boxed = msgspec.json.Decoder(list[BoxedFields])
_raw = msgspec.json.Decoder(list[msgspec.Raw])


class Cut(NamedTuple):
    """A document with :data:`HOLE` for its annotations, and where in it these are: begin and end of each run."""

    rest: bytes
    runs: list[tuple[int, int]]


def cut(data: bytes) -> Cut | None:
    """A document in UTF-8 cut apart by guess; ``None`` if it is not large, or looks otherwise."""
    start = _START.search(data) if len(data) >= LARGE else None
    end = None if start is None else _END.search(data, max(start.end(), len(data) - TAIL))
    if start is None or end is None:
        return None
    place, stop = start.end(), end.start()
    rest = data[:place] + HOLE + data[stop:]
    runs = []
    while stop - place > RUN and (between := _BETWEEN.search(data, place + RUN, stop)):
        runs.append((place, between.start() + 1))
        place = between.end() - 1
    return Cut(rest, [*runs, (place, stop)])


class Texts(Sequence[bytes]):
    """Encoded annotations of a document: those at some ``places``. ``begins``, ``ends``: where in it the text of each is.

    A pickled one holds its texts alone.
    """

    __slots__ = ("begins", "data", "ends", "places")

    def __init__(self, data: bytes, begins: Sequence[int], ends: Sequence[int], places: Sequence[int]) -> None:
        self.data, self.begins, self.ends, self.places = data, begins, ends, places

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (tuple(self),)

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return Texts(self.data, self.begins, self.ends, self.places[place])
        at = self.places[place]
        return self.data[self.begins[at] : self.ends[at]]

    def part(self, places: Sequence[int]) -> Texts:
        """Those at some places of the document, in order."""
        return Texts(self.data, self.begins, self.ends, places)

    def joined(self) -> bytes:
        """All of them with a comma between."""
        places = self.places
        if places and places[-1] - places[0] == len(places) - 1:
            return self.data[self.begins[places[0]] : self.ends[places[-1]]]
        return b",".join(self)


def look(data: bytes, known: Collection[int | str], only_boxes: bool, runs: Sequence[tuple[int, int]]) -> Columns | None:
    """What there is to know of the annotations of some runs that follow each other, and where they are, or with ``only_boxes``
    what is wanted of them. ``None`` if they need a closer look.

    Raises what :func:`columns` raises.
    """
    found = native.index(data, runs[0][0], runs[-1][1], _NUMBERS, 2, 3, b"bbox", (b"area", b"segmentation"))
    if found is None:
        return columns(data, known, runs) if only_boxes else None
    begins, ends, (images, ids, categories, crowds), corners, (areas, outlines), usual = found
    import numpy as np

    crowded = np.frombuffer(crowds, np.int64)
    flags = (crowded != 0).astype(np.uint8).tobytes()
    if not only_boxes:
        return Columns(images, ids, categories, flags, usual, begins=begins, ends=ends)
    area, outline = np.frombuffer(areas, np.uint8), np.frombuffer(outlines, np.uint8)
    if not usual or (outline == native.OTHER).any() or (area > native.NUMBER).any():
        return columns(data, known, runs)
    marks = np.where(outline == native.NESTED, OUTLINED, BARE).astype(np.uint8)
    table = np.frombuffer(corners).reshape(-1, 4)
    sound = (table[:, 2:] > 0).all(axis=1) & (np.abs(table) < HUGE).all(axis=1)
    named = np.frombuffer(categories, np.int64)
    strange = [number for number in np.unique(named).tolist() if number not in known]
    odd = ~sound | (outline == native.OBJECT) | (area == native.MISSING) | (crowded != 0) | np.isin(named, strange)
    marks[odd] = ODD
    table[:, 2:] += table[:, :2]
    texts = {place: data[begins[place] : ends[place]] for place in np.flatnonzero(odd).tolist()}
    return Columns(images, ids, categories, flags, True, corners, marks.tobytes(), texts)


_NUMBERS = (b"image_id", b"id", b"category_id", b"iscrowd")


def columns(data: bytes, known: Collection[int | str], runs: Sequence[tuple[int, int]]) -> Columns:
    """What is wanted of the annotations of some runs. ``known``: ids of the categories.

    Raises MsgspecError if one of them is no list of annotations, or not of plain ones; TypeError for an id that is no
    whole number, OverflowError for one that is too large.
    """
    import numpy as np

    images, ids, categories, corners = array("q"), array("q"), array("q"), array("d")
    crowds, marks = bytearray(), bytearray()
    odd: dict[int, bytes] = {}
    whole, classes = memoryview(data), frozenset(known)
    for start, stop in runs:
        text = b"".join((b"[", whole[start:stop], b"]"))
        found = _boxed.decode(text)
        before = len(ids)
        named = [item.category_id for item in found]
        boxes = array("d", chain.from_iterable([item.bbox for item in found]))
        images.extend([item.image_id for item in found])  # type: ignore[misc]
        ids.extend([item.id for item in found])  # type: ignore[misc]
        categories.extend(named)  # type: ignore[arg-type]
        crowds.extend([1 if item.iscrowd else 0 for item in found])
        seen = np.frombuffer(bytearray(marks_of(found)), np.uint8)
        table = np.frombuffer(boxes).reshape(-1, 4)
        sound = (table[:, 2:] > 0).all(axis=1) & (np.abs(table) < HUGE).all(axis=1)
        seen[~sound] = ODD
        table[:, 2:] += table[:, :2]
        corners.extend(boxes)
        if not classes.issuperset(named):
            seen[[category not in classes for category in named]] = ODD
        places = np.flatnonzero(seen == ODD).tolist()
        if places:
            texts = _raw.decode(text)
            odd.update((before + place, bytes(texts[place])) for place in places)
        marks.extend(seen.tobytes())
    return Columns(images, ids, categories, bytes(crowds), True, corners, bytes(marks), odd)


__all__ = ["HOLE", "LARGE", "Cut", "Texts", "cut", "look"]
