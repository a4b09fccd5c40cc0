"""Which annotations belong to which image: at once for whole numbers, as nearly all documents have them."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from labelglot.wire.json import stretch

from labelglot_coco.plain import BoxColumns

if TYPE_CHECKING:
    import numpy.typing as npt


class Key(msgspec.Struct, gc=False):
    """An annotation with whole numbers for ids."""

    image_id: int
    id: int


class Plain(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """An annotation with a class and a box, and nothing besides but an outline."""

    image_id: int
    id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    iscrowd: int = 0
    area: msgspec.Raw = msgspec.Raw()
    segmentation: msgspec.Raw = msgspec.Raw()


BATCH = 2000
"""Annotations taken apart at a time: so few that they stay in the cache of the processor."""


FEW = 1000
"""Below so many annotations it takes longer to import numpy than to do without."""


SPREAD = 50_000
"""From so many annotations on it pays to look at them in several processes."""


class Grouped(NamedTuple):
    """Which annotations belong to which image.

    ``order``: positions of annotations in the document, image by image; ``starts``: where in it those of each image begin,
    and where the last one's end. ``highest``: for each image the highest id of an annotation, 0 if there is none.
    ``numbered``: the ids of all annotations are 1, 2, 3... in the order of the document. ``categories``: if every
    annotation has a category, a box, and nothing besides but an outline: the categories by first appearance in the order
    of images, each with whether any of its objects is a crowd. ``boxes``: what is wanted of the annotations, in the order of
    images, if that is all.
    """

    order: array[int]
    starts: array[int]
    highest: list[int]
    numbered: bool
    categories: dict[int, bool] | None
    boxes: BoxColumns | None = None


def joined(members: Iterable[Sequence[int]]) -> tuple[array[int], array[int]]:
    """``order`` and ``starts`` of the positions of each image's annotations."""
    order, starts = array("I"), array("I", [0])
    for mine in members:
        order.extend(mine)
        starts.append(len(order))
    return order, starts


Spread = Callable[[Callable[[range], "Columns"], Sequence[range], Callable[[], object]], "list[Columns]"]
BROKEN = (OverflowError, RecursionError, TypeError, msgspec.MsgspecError, UnicodeDecodeError)
"""What is raised for annotations that need a closer look."""


def look_at(
    data: bytes, annotations: Sequence[msgspec.Raw], spread: Spread, processes: int, meanwhile: Callable[[], object]
) -> list[Columns] | None:
    """The columns of all annotations of the document ``data``, in pieces. ``None`` if an id is missing or no whole number.

    ``spread``, ``meanwhile``: see :meth:`labelglot.formats.base.ReadContext.spread`.
    """
    number = len(annotations)
    pieces = max(1, min(processes, number // SPREAD))
    ranges = [range(number * i // pieces, number * (i + 1) // pieces) for i in range(pieces)]
    try:
        return spread(partial(_columns, data, annotations), ranges, meanwhile)
    except BROKEN:
        return None


def group(found: Sequence[Columns], images: Sequence[int | str]) -> Grouped | None:
    """The annotations of each image, by its id. ``None`` if anything needs a closer look.

    That is: an id of an image that is no whole number or not listed, or one of an annotation that is given twice.
    """
    number = sum(len(columns.ids) for columns in found)
    if not all(type(id_) is int for id_ in images):
        return None
    if not number:
        return Grouped(array("I"), array("I", [0] * (len(images) + 1)), [0] * len(images), True, {})
    if not images:
        return None
    if number < FEW:
        return _group_few(found[0], images)
    import numpy as np

    try:
        listed = np.fromiter(images, np.int64, len(images))
    except OverflowError:
        return None
    plain = all(each.plain for each in found)
    ids, categories = (
        np.concatenate([np.frombuffer(column, np.int64) for column in columns])
        for columns in ([c.ids for c in found], [c.categories for c in found])
    )
    image = _places(listed, np.concatenate([np.frombuffer(c.images, np.int64) for c in found]))
    numbered = bool((ids == np.arange(1, number + 1)).all())
    if image is None or not (numbered or (np.diff(np.sort(ids)) > 0).all()):
        return None
    order = np.argsort(image, kind="stable").astype(np.uint32)
    starts = np.concatenate([np.zeros(1, np.uint32), np.cumsum(np.bincount(image, minlength=len(listed))).astype(np.uint32)])
    highest = np.zeros(len(listed), np.int64)
    filled = np.flatnonzero(starts[1:] > starts[:-1])
    highest[filled] = np.maximum(np.maximum.reduceat(ids[order], starts[filled].astype(np.int64)), 0)
    seen = None
    if plain:
        first = _first(categories[order])
        crowds = np.frombuffer(b"".join([c.crowds for c in found]), np.uint8)
        crowded = set(categories[crowds != 0].tolist())
        seen = {id_: id_ in crowded for id_ in first}
    boxes = _boxes(found, ids, categories, order) if plain and found[0].marks else None
    return Grouped(array("I", order.tobytes()), array("I", starts.tobytes()), highest.tolist(), numbered, seen, boxes)


FAR = 16
"""How many times as high as their number numbers may be, so that a table of them all is no waste."""


def _places(listed: npt.NDArray[Any], named: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
    """For each number its place in a list; ``None`` if one is not in it."""
    import numpy as np

    if listed.min() >= 0 and listed.max() < FAR * len(listed):
        table = np.full(int(listed.max()) + 1, -1, np.int32)
        table[listed] = np.arange(len(listed))
        if named.min() < 0 or named.max() >= len(table):
            return None
        found = table[named]
        return None if (found < 0).any() else found
    sorter = np.argsort(listed, kind="stable")
    found = sorter[np.minimum(np.searchsorted(listed, named, sorter=sorter), len(listed) - 1)]
    return None if (listed[found] != named).any() else found


def _first(numbers: npt.NDArray[Any]) -> list[int]:
    """The different numbers, by first appearance."""
    import numpy as np

    if numbers.min() >= 0 and numbers.max() < FAR * len(numbers):
        first = np.full(int(numbers.max()) + 1, len(numbers), np.int64)
        first[numbers[::-1]] = np.arange(len(numbers) - 1, -1, -1)
        used = np.flatnonzero(first < len(numbers))
        return [int(id_) for id_ in used[np.argsort(first[used])]]
    used, places = np.unique(numbers, return_index=True)
    return [int(id_) for id_ in used[np.argsort(places)]]


def _group_few(found: Columns, images: Sequence[int | str]) -> Grouped | None:
    named, ids, categories, crowds, *_ = found
    members: dict[int | str, array[int]] = {id_: array("I") for id_ in images}
    if len(set(ids)) < len(ids) or not members.keys() >= set(named):
        return None
    for place, image in enumerate(named):
        members[image].append(place)
    highest = [max((ids[place] for place in places), default=0) for places in members.values()]
    seen: dict[int, bool] | None = None
    if found.plain:
        seen = {}
        for place in (place for places in members.values() for place in places):
            seen[categories[place]] = seen.get(categories[place], False) or crowds[place] != 0
    numbered = ids.tolist() == list(range(1, len(ids) + 1))
    return Grouped(*joined(members.values()), [max(0, id_) for id_ in highest], numbered, seen)


class Columns(NamedTuple):
    """Image, id, category and crowd flag of annotations; the last two are only there if all of them are ``plain``.

    ``corners``, ``marks``, ``odd``: see :class:`~labelglot_coco.annotation.BoxColumns`, the last by position here; where nothing
    else is wanted of them. ``begins``, ``ends``: where in the document the text of each is, where that is to be read later.
    """

    images: array[int]
    ids: array[int]
    categories: array[int]
    crowds: bytes
    plain: bool
    corners: array[float] = array("d")
    marks: bytes = b""
    odd: Mapping[int, bytes] = {}
    begins: array[int] = array("q")
    ends: array[int] = array("q")


def _columns(data: bytes, annotations: Sequence[msgspec.Raw], places: range) -> Columns:
    """The columns of the annotations at some places. Raises MsgspecError if one has no image or id that is a whole number."""
    images, ids, categories = array("q"), array("q"), array("q")
    crowds = bytearray()
    usual = True
    for start in range(places.start, places.stop, BATCH):
        items = annotations[start : min(start + BATCH, places.stop)]
        text = stretch(data, items[0], items[-1]) if len(annotations) >= FEW else None
        batch = b"".join((b"[", b",".join(items) if text is None else text, b"]"))
        if usual:
            try:
                found = _plain.decode(batch)
            except msgspec.MsgspecError:
                usual = False
            else:
                images.extend([item.image_id for item in found])
                ids.extend([item.id for item in found])
                categories.extend([item.category_id for item in found])
                crowds.extend([1 if item.iscrowd else 0 for item in found])
                continue
        keys = _keys.decode(batch)
        images.extend([item.image_id for item in keys])
        ids.extend([item.id for item in keys])
    return Columns(images, ids, categories, bytes(crowds), usual)


_plain = msgspec.json.Decoder(list[Plain])
_keys = msgspec.json.Decoder(list[Key])


def _boxes(found: Sequence[Columns], ids: npt.NDArray[Any], categories: npt.NDArray[Any], order: npt.NDArray[Any]) -> BoxColumns:
    """The columns in another order."""
    import numpy as np

    corners = np.concatenate([np.frombuffer(c.corners, np.float64) for c in found]).reshape(-1, 4)[order]
    marks = np.frombuffer(b"".join([c.marks for c in found]), np.uint8)[order]
    own, classes = (array("q", column[order].tobytes()) for column in (ids, categories))
    starts = accumulate([0, *(len(c.ids) for c in found)])
    odd = {start + place: text for c, start in zip(found, starts, strict=False) for place, text in c.odd.items()}
    return BoxColumns(own, classes, array("d", corners.tobytes()), marks.tobytes(), odd)
