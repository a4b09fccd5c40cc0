"""Pictures whose pixels are classes, as numbers or colours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from labelglot.geometry import encode_string, from_bitmap
from labelglot.images import decode
from labelglot.plugin import Mask

from labelglot_masks.tables import BACKGROUND, IGNORE, Entry

if TYPE_CHECKING:
    import numpy.typing as npt

VOID = 255


class Picture(NamedTuple):
    """The values of a picture: numbers, or colours as 0xRRGGBB. ``nothing``: where it is transparent."""

    values: npt.NDArray[Any]
    colors: bool
    nothing: Any = None


def open_picture(data: bytes) -> Picture:
    """A picture of any depth. Grey and palette pictures hold numbers; RGB ones with equal channels may. Raises
    :class:`LabelglotError` if it cannot be decoded.
    """
    import numpy as np

    image = decode(data)
    values = np.asarray(image)
    if values.ndim == 2:
        return Picture(values.astype(np.int64), False)
    nothing = values[:, :, -1] == 0 if values.shape[2] in (2, 4) else None
    if values.shape[2] == 2:
        return Picture(values[:, :, 0].astype(np.int64), False, nothing)
    wide = values.astype(np.int64)
    return Picture(wide[:, :, 0] << 16 | wide[:, :, 1] << 8 | wide[:, :, 2], True, nothing)


def regions(values: npt.NDArray[Any], skip: Any = None) -> Iterator[tuple[int, Mask]]:
    """Each value with its mask, in the order of their first pixels, row by row."""
    import numpy as np

    height, width = values.shape
    found, first = np.unique(values, return_index=True)
    for value in found[np.argsort(first)]:
        bitmap = values == value
        if skip is not None:
            bitmap = bitmap & ~skip
        if bitmap.any():
            yield int(value), Mask(width=width, height=height, rle=encode_string(from_bitmap(bitmap)))


class Meaning(NamedTuple):
    """The classes of a picture's values; those without are named after the value. ``unknown``: values without class."""

    names: Mapping[int, str]
    unknown: frozenset[int]
    picture: Picture


def interpret(picture: Picture, table: Sequence[Entry]) -> Meaning:
    """What the values of a picture mean. The background, and black or 0 without class, is left out of ``names``."""
    import numpy as np

    seen = [int(v) for v in np.unique(picture.values)]
    by_number = {entry.value: entry.name for entry in table}
    by_color: dict[int, str] = {}
    for entry in table:
        if entry.color is not None:
            by_color.setdefault(entry.color, entry.name)
    if picture.colors:
        grey = all(v >> 16 == v >> 8 & 255 == v & 255 for v in seen)
        numbers = [v & 255 for v in seen]
        known = sum(v in by_color for v in seen)
        if grey and not (by_color and known == len(seen)) and all(n in by_number or n in (0, VOID) for n in numbers):
            return interpret(Picture(picture.values & 255, False, picture.nothing), table)
        swapped = [(v & 255) << 16 | (v & 0xFF00) | v >> 16 for v in seen]
        if known < len(seen) and by_color and all(v in by_color for v in swapped):
            v = picture.values
            return interpret(Picture((v & 255) << 16 | (v & 0xFF00) | v >> 16, True, picture.nothing), table)
        names = {v: by_color.get(v, f"#{v:06x}") for v in seen if v in by_color or v != 0}
        unknown = frozenset(v for v in names if v not in by_color)
    else:
        names = {v: by_number.get(v, IGNORE if v == VOID else f"class_{v}") for v in seen if v in by_number or v != 0}
        unknown = frozenset(v for v in names if v not in by_number and v != VOID)
    return Meaning({v: name for v, name in names.items() if name != BACKGROUND}, unknown, picture)
