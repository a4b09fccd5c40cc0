"""Masks of pixel projects: a colour image beside the JSON; an object is all pixels of its colours.

A pixel has one colour, but a colour may belong to several objects: where masks overlap, what they share gets a colour
of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from labelglot.geometry import decode_string, encode_string, from_bitmap, to_bitmap
from labelglot.images import decode_color, encode_color
from labelglot.plugin import LabelglotError, Mask

STEP = 15
"""Colours are counted in steps, as SuperAnnotate does: #00000f, #00001e..."""


class ColorImage:
    """A colour image that is read."""

    def __init__(self, data: bytes) -> None:
        self.colors = decode_color(data)

    def mask(self, colors: Iterable[str]) -> Mask:
        """The mask of all pixels of some colours, as ``#RRGGBB``."""
        import numpy as np

        try:
            wanted = [int(color.removeprefix("#")[:6], 16) for color in colors]
        except ValueError as error:
            raise LabelglotError(f"a colour is not written as #RRGGBB: {error}") from error
        height, width = self.colors.shape
        return Mask(width=width, height=height, rle=encode_string(from_bitmap(np.isin(self.colors, wanted))))


def paint(masks: Sequence[Mask], size: tuple[int, int]) -> tuple[bytes, list[list[str]]]:
    """The image of some masks, and the colours of each."""
    import numpy as np

    width, height = size
    areas: Any = np.zeros((height, width), dtype=np.int64)
    owners: list[tuple[int, ...]] = [()]
    for number, mask in enumerate(masks):
        if (mask.width, mask.height) != size:
            raise LabelglotError("a mask is not as large as the image")
        bitmap = to_bitmap(decode_string(mask.rle), height, width)
        inside = areas[bitmap]
        found, place = np.unique(inside, return_inverse=True)
        areas[bitmap] = len(owners) + place.reshape(inside.shape)
        owners += [(*owners[int(area)], number) for area in found]
    left = sorted((int(area) for area in np.unique(areas) if area), key=owners.__getitem__)
    if len(left) * STEP > 0xFFFFFF:
        raise LabelglotError("there are more masks than colours")
    colors = np.zeros(len(owners), dtype=np.int64)
    parts: list[list[str]] = [[] for _ in masks]
    for position, area in enumerate(left, 1):
        colors[area] = position * STEP
        for number in owners[area]:
            parts[number].append(f"#{position * STEP:06x}")
    return encode_color(colors[areas]), parts


__all__ = ["ColorImage", "paint"]
