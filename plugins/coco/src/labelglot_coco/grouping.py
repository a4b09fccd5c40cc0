"""Which annotations belong to which image: at once for whole numbers, as nearly all documents have them."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import NamedTuple

import msgspec


class _Key(msgspec.Struct, gc=False):
    image_id: int
    id: int


class Grouped(NamedTuple):
    """For each image: the positions of its annotations in the document, and their highest id.

    ``numbered``: the ids of all annotations are 1, 2, 3... in the order of the document.
    """

    places: list[array[int]]
    highest: list[int]
    numbered: bool


def group(annotations: msgspec.Raw, images: Sequence[int | str]) -> Grouped | None:
    """The annotations of each image, by its id. ``None`` if anything needs a closer look.

    That is: an id that is missing, given twice or no whole number, or an image that is not listed.
    """
    if not all(type(id_) is int for id_ in images):
        return None
    try:
        keys = msgspec.json.decode(annotations, type=list[_Key])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    import numpy as np

    number = len(keys)
    try:
        listed = np.fromiter(images, np.int64, len(images))
        named = np.fromiter((key.image_id for key in keys), np.int64, number)
        ids = np.fromiter((key.id for key in keys), np.int64, number)
    except OverflowError:
        return None
    del keys
    if not number:
        return Grouped([array("I") for _ in images], [0] * len(images), True)
    if not len(listed):
        return None
    sorter = np.argsort(listed, kind="stable")
    found = np.searchsorted(listed, named, sorter=sorter)
    image = sorter[np.minimum(found, len(listed) - 1)]
    if (listed[image] != named).any() or len(np.unique(ids)) != number:
        return None
    order = np.argsort(image, kind="stable").astype(np.uint32)
    ends = np.cumsum(np.bincount(image, minlength=len(listed)))
    starts = ends - np.bincount(image, minlength=len(listed))
    highest = np.zeros(len(listed), np.int64)
    filled = np.flatnonzero(ends > starts)
    highest[filled] = np.maximum(np.maximum.reduceat(ids[order], starts[filled]), 0)
    data = order.tobytes()
    places = [array("I", data[4 * a : 4 * b]) for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
    return Grouped(places, highest.tolist(), bool((ids == np.arange(1, number + 1)).all()))
