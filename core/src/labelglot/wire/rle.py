"""Masks and colours as many JSON formats write them: ``{"size": [height, width], "counts": ...}`` and ``[r, g, b]``."""

from __future__ import annotations

from typing import Any

from labelglot.errors import LabelglotError
from labelglot.geometry import decode_string, encode_string
from labelglot.schema.label import color_rgb
from labelglot.schema.shape import Mask
from labelglot.wire.json import fields


def read_mask(value: object) -> Mask:
    """A run-length encoding, column by column; ``counts`` as compressed text or as a list of runs.

    Raises :class:`LabelglotError` if the runs do not fit the size.
    """
    size, counts = fields(value).get("size"), fields(value).get("counts")
    if not (isinstance(size, list) and len(size) == 2 and all(type(v) is int and 0 <= v < 1 << 31 for v in size)):
        raise LabelglotError(f"size of a mask is {size!r:.40}, expected [height, width]")
    height, width = size
    if isinstance(counts, str):
        decode_string(counts, height * width)
        return Mask(width=width, height=height, rle=counts)
    if not isinstance(counts, list) or not all(type(v) is int and v >= 0 for v in counts):
        raise LabelglotError(f"counts of a mask are {counts!r:.40}, expected text or whole numbers")
    if sum(counts) != height * width:
        raise LabelglotError(f"the runs of a mask add up to {sum(counts)}, its size asks for {height * width}")
    return Mask(width=width, height=height, rle=encode_string(counts))


def write_mask(mask: Mask) -> dict[str, Any]:
    """The inverse of :func:`read_mask`, with compressed text."""
    return {"size": [mask.height, mask.width], "counts": mask.rle}


def read_color(value: object) -> str | None:
    """``#rrggbb`` of red, green, blue from 0 to 255; text as it is; ``None`` for anything else."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, list) and len(value) == 3 and all(type(v) is int and 0 <= v < 256 for v in value):
        return "#{:02x}{:02x}{:02x}".format(*value)
    return None


def write_color(color: str) -> list[int] | str:
    """The inverse of :func:`read_color`: a colour that is not written ``#rrggbb`` stays text."""
    values = color_rgb(color)
    return list(values) if values is not None and read_color(list(values)) == color else color
