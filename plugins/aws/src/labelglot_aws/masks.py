"""Semantic segmentation: a picture of colours per image, and what each colour means. Number 0 is the background."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from labelglot.geometry import decode_string, encode_string, from_bitmap, to_bitmap
from labelglot.images import decode_color, encode_color
from labelglot.plugin import LabelglotError, Mask

BACKGROUND = {"class-name": "BACKGROUND", "hex-color": "#ffffff", "confidence": 0.0}
_WHITE = 0xFFFFFF
_STEP = 0x2B5F3D
"""Odd, so that multiples of it are different colours, and neighbours are far apart."""


def read_masks(data: bytes, meaning: Mapping[str, Any]) -> Iterator[tuple[str, Any, Mask]]:
    """Class, confidence and mask of each colour that is in the picture. Raises LabelglotError if it is none."""
    colors = decode_color(data)
    height, width = colors.shape
    for number, entry in meaning.items():
        name = class_of(number, entry)
        if name is None:
            continue
        try:
            color = int(str(entry.get("hex-color")).removeprefix("#"), 16)
        except ValueError as error:
            raise LabelglotError(f"a colour is not written as #rrggbb: {entry.get('hex-color')!r:.40}") from error
        mask = colors == color
        if mask.any():
            yield name, entry.get("confidence"), Mask(width=width, height=height, rle=encode_string(from_bitmap(mask)))


def class_of(number: str, entry: Any) -> str | None:
    """The class of an entry of ``internal-color-map``; ``None`` for the background and for what is no entry."""
    name = entry.get("class-name") if isinstance(entry, dict) else None
    return name if isinstance(name, str) and not (number == "0" and name.upper() == "BACKGROUND") else None


def paint(masks: Sequence[Mask], colors: Sequence[int], size: tuple[int, int]) -> bytes:
    """The picture of masks that do not overlap, one colour each, on white."""
    import numpy as np

    width, height = size
    picture: Any = np.full((height, width), _WHITE, dtype=np.int32)
    for mask, color in zip(masks, colors, strict=True):
        if (mask.width, mask.height) != size:
            raise LabelglotError("the masks of one image are not of one size")
        picture[to_bitmap(decode_string(mask.rle), height, width).astype(bool)] = color
    return encode_color(picture)


def color_of(number: int) -> int:
    """A colour for a number, as 0xRRGGBB; different for the first millions of numbers, and not white."""
    color = number * _STEP & _WHITE
    return color if color != _WHITE else 0
