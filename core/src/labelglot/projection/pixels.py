"""Masks of one sample brought into one picture in which each pixel belongs to one object, or class, at the most."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

from labelglot import geometry as g
from labelglot.errors import LabelglotError
from labelglot.projection.losses import LossSink
from labelglot.schema.annotation import Annotation
from labelglot.schema.shape import Mask


def one_per_pixel(
    annotations: Sequence[Annotation],
    trace: Sequence[int],
    size: tuple[int, int] | None,
    lose: LossSink,
    bound: frozenset[tuple[str, str]] = frozenset(),
) -> tuple[tuple[Annotation, ...], tuple[int, ...]]:
    """The objects that stay, their masks without what later ones cover, and the positions they came from.

    ``size``: (width, height) of the picture, by default that of the first mask; masks of another size cannot be in it.
    ``trace``: the position in the source of each of ``annotations``. ``bound``: extras tied to geometry.
    """
    import numpy as np

    masks = [(i, a.shape) for i, a in enumerate(annotations) if isinstance(a.shape, Mask)]
    if not masks:
        return tuple(annotations), tuple(trace)
    width, height = size or (masks[0][1].width, masks[0][1].height)
    picture: Any = None
    areas: dict[int, int] = {}
    gone: set[int] = set()
    for i, mask in masks:
        try:
            if (mask.width, mask.height) != (width, height):
                raise LabelglotError(f"a mask of {mask.width} x {mask.height} on an image of {width} x {height}")
            bitmap = g.to_bitmap(g.decode_string(mask.rle), height, width)
        except LabelglotError as error:
            gone.add(i)
            lose("mask.unfit", "annotation", trace[i], error.message, "error")
            continue
        if picture is None:
            picture = np.zeros((height, width), dtype=np.uint32)
        areas[i] = int(np.count_nonzero(bitmap))
        picture[bitmap] = i + 1
    left = np.bincount(picture.ravel(), minlength=len(annotations) + 1) if picture is not None else ()
    kept, places = [], []
    for i, a in enumerate(annotations):
        if i in areas and not left[i + 1]:
            detail = "later objects cover all of it" if areas[i] else "its mask has no pixel"
            lose("mask.covered" if areas[i] else "mask.empty", "annotation", trace[i], detail, "warning")
            gone.add(i)
        if i in gone:
            continue
        if i in areas and left[i + 1] != areas[i]:
            rle = g.encode_string(g.from_bitmap(picture == i + 1))
            lose("mask.overlap", "shape", trace[i], "without what later objects cover", "warning")
            before, a = a, a.with_geometry(a.box, Mask(width=width, height=height, rle=rle), a.keypoints, bound)
            for owner in before.extra:
                if before.extra[owner] != a.extra.get(owner):
                    lose(f"extra.{owner}", f"extra.{owner}", trace[i], "facts about the old geometry", "info")
        kept.append(a)
        places.append(trace[i])
    return tuple(kept), tuple(places)


def joined_last(
    annotations: Sequence[Annotation], trace: Sequence[int], classes: Container[str], lose: LossSink
) -> tuple[tuple[Annotation, ...], tuple[int, ...]]:
    """All objects of each of some classes as one region, behind all others and so on top of them."""
    order = list(range(len(annotations)))
    changed: dict[int, Annotation] = {}
    first: dict[tuple[str | None, int, int], int] = {}
    for i, a in enumerate(annotations):
        if a.label not in classes or not isinstance(a.shape, Mask):
            continue
        key = (a.label, a.shape.width, a.shape.height)
        order.remove(i)
        if first.setdefault(key, i) == i:
            changed[i] = a
            continue
        total = a.shape.width * a.shape.height
        into = changed[first[key]]
        assert isinstance(into.shape, Mask)
        union = g.merge([g.decode_string(m.rle, total) for m in (into.shape, a.shape)], "union")
        changed[first[key]] = into.replace(shape=into.shape.replace(rle=g.encode_string(union)))
        lose("mask.joined", "annotation", trace[i], "becomes part of the region of its class", "warning")
    for i, a in changed.items():
        if a.shape != annotations[i].shape:
            lose("mask.joined", "shape", trace[i], "the region of its class", "warning")
    order += changed
    return tuple(changed.get(i, annotations[i]) for i in order), tuple(trace[i] for i in order)


BACKGROUND = "background"
"""The class of what no object covers."""


def one_per_class(
    annotations: Sequence[Annotation], trace: Sequence[int], size: tuple[int, int], lose: LossSink
) -> tuple[tuple[Annotation, ...], tuple[int, ...]]:
    """The same, with all objects of a class as one region: the first of them stands for it.

    Regions come in the order of their first pixels, row by row. The background is none.
    """
    import numpy as np

    width, height = size
    numbers: dict[str | None, int] = {}
    painted: dict[int, list[tuple[int, Any]]] = {}
    picture: Any = None
    for i, a in enumerate(annotations):
        mask = a.shape
        try:
            if not isinstance(mask, Mask) or (mask.width, mask.height) != size:
                raise LabelglotError(f"a mask that does not fit an image of {width} x {height}")
            bitmap = g.to_bitmap(g.decode_string(mask.rle), height, width)
        except LabelglotError as error:
            lose("mask.unfit", "annotation", trace[i], error.message, "error")
            continue
        if not bitmap.any():
            lose("mask.empty", "annotation", trace[i], "its mask has no pixel", "warning")
            continue
        number = 0 if a.label == BACKGROUND else numbers.setdefault(a.label, len(numbers) + 1)
        if picture is None:
            # Not before a mask has shown that the declared size is one that can be.
            picture = np.zeros((height, width), dtype=np.uint32)
        picture[bitmap] = number
        painted.setdefault(number, []).append((i, mask))
    found = []
    for number, objects in painted.items():
        region = picture == number
        first, mask = objects[0]
        left = bool(number) and bool(region.any())
        if left:
            rle = g.encode_string(g.from_bitmap(region))
            a = annotations[first]
            if rle != mask.rle:
                lose("mask.joined", "shape", trace[first], "the region of its class", "warning")
                a = a.replace(shape=Mask(width=width, height=height, rle=rle))
            found.append((int(np.argmax(region.ravel())), a, trace[first]))
        for i, _ in objects[left:]:
            what = "becomes part of the region of its class" if left else "later objects cover all of it"
            text = what if number else "it is the background"
            lose("mask.joined" if left else "mask.covered", "annotation", trace[i], text, "warning")
    found.sort(key=lambda item: item[0])
    return tuple(a for _, a, _ in found), tuple(place for _, _, place in found)
