"""Which annotations belong to which image: at once for whole numbers, as nearly all documents have them."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import NamedTuple

import msgspec


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


BATCH = 20_000
"""Annotations taken apart at a time, so that memory does not grow with the document."""


FEW = 1000
"""Below so many annotations it takes longer to import numpy than to do without."""


class Grouped(NamedTuple):
    """For each image: the positions of its annotations in the document, and their highest id.

    ``numbered``: the ids of all annotations are 1, 2, 3... in the order of the document. ``categories``: if every
    annotation has a category, a box, and nothing besides but an outline: the categories by first appearance in the order
    of images, each with whether any of its objects is a crowd.
    """

    places: list[array[int]]
    highest: list[int]
    numbered: bool
    categories: dict[int, bool] | None


def group(annotations: Sequence[msgspec.Raw], images: Sequence[int | str]) -> Grouped | None:
    """The annotations of each image, by its id. ``None`` if anything needs a closer look.

    That is: an id that is missing, given twice or no whole number, or an image that is not listed.
    """
    if not all(type(id_) is int for id_ in images):
        return None
    if not annotations:
        return Grouped([array("I") for _ in images], [0] * len(images), True, {})
    if not images:
        return None
    if len(annotations) < FEW:
        return _group_few(annotations, images)
    import numpy as np

    number = len(annotations)
    try:
        listed = np.fromiter(images, np.int64, len(images))
        found = _columns(annotations)
    except (OverflowError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    named, ids, categories, crowds = (np.frombuffer(column, np.int64) for column in found)
    sorter = np.argsort(listed, kind="stable")
    places = np.searchsorted(listed, named, sorter=sorter)
    image = sorter[np.minimum(places, len(listed) - 1)]
    numbered = bool((ids == np.arange(1, number + 1)).all())
    if (listed[image] != named).any() or not (numbered or (np.diff(np.sort(ids)) > 0).all()):
        return None
    order = np.argsort(image, kind="stable").astype(np.uint32)
    ends = np.cumsum(np.bincount(image, minlength=len(listed)))
    starts = ends - np.bincount(image, minlength=len(listed))
    highest = np.zeros(len(listed), np.int64)
    filled = np.flatnonzero(ends > starts)
    highest[filled] = np.maximum(np.maximum.reduceat(ids[order], starts[filled]), 0)
    data = order.tobytes()
    members = [array("I", data[4 * a : 4 * b]) for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
    seen = None
    if len(categories) == number:
        used, first = np.unique(categories[order], return_index=True)
        crowded = set(categories[crowds != 0].tolist())
        seen = {int(used[i]): int(used[i]) in crowded for i in np.argsort(first)}
    return Grouped(members, highest.tolist(), numbered, seen)


def _group_few(annotations: Sequence[msgspec.Raw], images: Sequence[int | str]) -> Grouped | None:
    try:
        array("q", images)  # type: ignore[type-var]
        named, ids, categories, crowds = _columns(annotations)
    except (OverflowError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    members: dict[int | str, array[int]] = {id_: array("I") for id_ in images}
    if len(set(ids)) < len(ids) or not members.keys() >= set(named):
        return None
    for place, image in enumerate(named):
        members[image].append(place)
    highest = [max((ids[place] for place in places), default=0) for places in members.values()]
    seen: dict[int, bool] | None = None
    if len(categories) == len(ids):
        seen = {}
        for place in (place for places in members.values() for place in places):
            seen[categories[place]] = seen.get(categories[place], False) or crowds[place] != 0
    numbered = ids.tolist() == list(range(1, len(ids) + 1))
    return Grouped(list(members.values()), [max(0, id_) for id_ in highest], numbered, seen)


def _columns(annotations: Sequence[msgspec.Raw]) -> tuple[array[int], array[int], array[int], array[int]]:
    """Image, id, category and crowd flag of all annotations; the last two empty if one annotation is not plain.

    Raises MsgspecError if one has no image or id that is a whole number.
    """
    plain = msgspec.json.Decoder(list[Plain])
    keys = msgspec.json.Decoder(list[Key])
    columns = (array("q"), array("q"), array("q"), array("q"))
    named, ids, categories, crowds = columns
    for start in range(0, len(annotations), BATCH):
        batch = b"[" + b",".join(annotations[start : start + BATCH]) + b"]"
        if len(categories) == start:
            try:
                items = plain.decode(batch)
            except msgspec.MsgspecError:
                del categories[:], crowds[:]
            else:
                named.extend([item.image_id for item in items])
                ids.extend([item.id for item in items])
                categories.extend([item.category_id for item in items])
                crowds.extend([item.iscrowd for item in items])
                continue
        found = keys.decode(batch)
        named.extend([item.image_id for item in found])
        ids.extend([item.id for item in found])
    return columns
