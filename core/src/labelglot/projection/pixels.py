"""Masks of one sample brought into one picture in which each pixel belongs to one object at the most."""

from __future__ import annotations

from collections.abc import Sequence
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
