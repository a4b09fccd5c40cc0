"""Run-length encoded masks, COCO's way: column by column from the top left, the first run counts zeros."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from labelglot.errors import LabelglotError, UnsafeInput
from labelglot.geometry.box import Box

if TYPE_CHECKING:
    import numpy.typing as npt

Counts = tuple[int, ...]

MAX_PIXELS = 1 << 28
"""Largest mask that is ever unpacked to a bitmap."""


def encode_string(counts: Sequence[int]) -> str:
    """COCO's compressed string: differences to the count two before, 5 bits a character, sign in the last group."""
    out = bytearray()
    for i, count in enumerate(counts):
        x = count - counts[i - 2] if i > 2 else count
        while True:
            group = x & 0x1F
            x >>= 5
            more = x != (-1 if group & 0x10 else 0)
            out.append((group | 0x20 if more else group) + 48)
            if not more:
                break
    return out.decode("ascii")


def decode_string(text: str | bytes, total: int | None = None) -> Counts:
    """The counts of a compressed string. Raises :class:`LabelglotError` if it is malformed or, given ``total``, if the
    runs do not add up to it.
    """
    data = text.encode("ascii", "replace") if isinstance(text, str) else text
    counts: list[int] = []
    place, end = 0, len(data)
    while place < end:
        x = shift = 0
        while True:
            if place >= end or shift > 60:
                raise LabelglotError("the compressed run-length string ends in the middle of a number")
            c = data[place] - 48
            place += 1
            if not 0 <= c < 64:
                raise LabelglotError(f"character {chr(c + 48)!r} does not belong into a compressed run-length string")
            x |= (c & 0x1F) << shift
            shift += 5
            if not c & 0x20:
                if c & 0x10:
                    x |= -1 << shift
                break
        if len(counts) > 2:
            x += counts[-2]
        if x < 0:
            raise LabelglotError("the compressed run-length string holds a negative run")
        counts.append(x)
    if total is not None and sum(counts) != total:
        raise LabelglotError(f"the runs of a mask add up to {sum(counts)}, its size asks for {total}")
    return tuple(counts)


def mask_area(counts: Sequence[int]) -> int:
    """Number of pixels set."""
    return sum(counts[1::2])


def mask_bounds(counts: Sequence[int], height: int) -> Box | None:
    """The box around the pixels set (maximum exclusive), ``None`` for an empty mask. Nothing is unpacked."""
    x0 = y0 = 1 << 62
    x1 = y1 = -1
    place = 0
    for i, run in enumerate(counts):
        if i % 2 and run:
            first, last = place, place + run - 1
            cx0, cx1 = first // height, last // height
            x0, x1 = min(x0, cx0), max(x1, cx1)
            if cx0 == cx1:
                y0, y1 = min(y0, first % height), max(y1, last % height)
            else:
                y0, y1 = 0, height - 1
        place += run
    return None if x1 < 0 else (float(x0), float(y0), float(x1 + 1), float(y1 + 1))


def from_bitmap(bitmap: npt.NDArray[Any]) -> Counts:
    """Counts of a (height, width) array; anything but 0 is set."""
    import numpy as np

    flat = np.asfortranarray(bitmap).ravel(order="F").astype(bool)
    if not flat.size:
        return ()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(np.concatenate(([0], edges, [flat.size]))).tolist()
    return tuple([0, *runs] if flat[0] else runs)


def to_bitmap(counts: Sequence[int], height: int, width: int) -> npt.NDArray[Any]:
    """A (height, width) array of booleans. Raises :class:`UnsafeInput` for a mask too large to unpack."""
    import numpy as np

    if height * width > MAX_PIXELS or height < 0 or width < 0:
        raise UnsafeInput(f"a mask of {width} x {height} pixels is too large to unpack")
    if sum(counts) != height * width:
        raise LabelglotError(
            f"the runs of a mask add up to {sum(counts)}, its size {width} x {height} asks for {height * width}"
        )
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape((height, width), order="F")


def from_row_major(counts: Sequence[int], height: int, width: int) -> Counts:
    """Column-major counts of row-major ones."""
    return from_bitmap(to_bitmap(counts, width, height).T)


def to_row_major(counts: Sequence[int], height: int, width: int) -> Counts:
    """Row-major counts of column-major ones."""
    return from_bitmap(to_bitmap(counts, height, width).T)


def crop(counts: Sequence[int], height: int, width: int, x: int, y: int, w: int, h: int) -> Counts:
    """Counts of the window at (x, y) of size (w, h)."""
    return from_bitmap(window(counts, height, width, x, y, w, h))


def window(counts: Sequence[int], height: int, width: int, x: int, y: int, w: int, h: int) -> npt.NDArray[Any]:
    """The window at (x, y) of size (w, h) as an array of booleans; only its columns are unpacked."""
    import numpy as np

    if height * width > MAX_PIXELS or height < 0 or width < 0:
        raise UnsafeInput(f"a mask of {width} x {height} pixels is too large to unpack")
    edges = np.cumsum([0, *counts])
    if edges[-1] != height * width:
        raise LabelglotError(
            f"the runs of a mask add up to {edges[-1]}, its size {width} x {height} asks for {height * width}"
        )
    x0, x1 = max(x, 0), min(x + w, width)
    runs = np.diff(np.clip(edges, x0 * height, max(x0, x1) * height))
    values = np.arange(len(counts)) % 2 == 1
    columns = np.repeat(values, runs).reshape((height, max(x1 - x0, 0)), order="F")
    return columns[max(y, 0) : max(y + h, 0)]


def paste(bitmap: npt.NDArray[Any], x: int, y: int, height: int, width: int) -> Counts:
    """Counts of a full (height, width) mask with ``bitmap`` at (x, y); what sticks out is cut off."""
    import numpy as np

    if height * width > MAX_PIXELS:
        raise UnsafeInput(f"a mask of {width} x {height} pixels is too large to unpack")
    h, w = bitmap.shape
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + w, width), min(y + h, height)
    if x1 <= x0 or y1 <= y0:
        return (height * width,) if height * width else ()
    inside = np.zeros((x1 - x0, y1 - y0 + 2), dtype=np.int8)
    inside[:, 1:-1] = (bitmap[y0 - y : y1 - y, x0 - x : x1 - x] != 0).T
    steps = np.diff(inside, axis=1)
    column, row = np.nonzero(steps == 1)
    starts = (column + x0) * height + row + y0
    column, row = np.nonzero(steps == -1)
    ends = (column + x0) * height + row + y0
    apart = starts[1:] != ends[:-1]
    starts = starts[np.concatenate(([True], apart))] if starts.size else starts
    ends = ends[np.concatenate((apart, [True]))] if ends.size else ends
    edges = np.column_stack((starts, ends)).ravel()
    runs = np.diff(np.concatenate(([0], edges, [height * width]))).tolist()
    return tuple(runs if runs[-1] else runs[:-1])


def mirror(counts: Sequence[int], height: int, width: int) -> Counts:
    """The mask mirrored left to right."""
    return from_bitmap(to_bitmap(counts, height, width)[:, ::-1])


def turn(counts: Sequence[int], height: int, width: int, quarters: int) -> Counts:
    """The mask turned by quarter turns clockwise on screen."""
    import numpy as np

    return from_bitmap(np.rot90(to_bitmap(counts, height, width), -quarters))


def stack(
    masks: Iterable[tuple[Hashable, Sequence[int]]], height: int, width: int
) -> list[tuple[npt.NDArray[Any], dict[Hashable, int]]]:
    """As few layers as it takes for no two masks of a layer to overlap, for formats in which a pixel is of one mask.

    A layer is a (height, width) array of numbers, 0 where no mask is, and the number of each mask by its key; a key
    comes once in a layer.
    """
    import numpy as np

    layers: list[tuple[npt.NDArray[Any], dict[Hashable, int]]] = []
    for key, counts in masks:
        bitmap = to_bitmap(counts, height, width)
        layer = next((layer for layer in layers if key not in layer[1] and not layer[0][bitmap].any()), None)
        if layer is None:
            layer = (np.zeros((height, width), dtype=np.int32), {})
            layers.append(layer)
        layer[1][key] = len(layer[1]) + 1
        layer[0][bitmap] = len(layer[1])
    return layers


def merge(masks: Iterable[Sequence[int]], how: Literal["union", "intersection", "difference"] = "union") -> Counts:
    """Combine masks of one size run by run. ``difference``: the first without all others."""
    result: Counts | None = None
    for mask in masks:
        result = tuple(mask) if result is None else _merge(result, mask, how)
    return result or ()


def _merge(a: Sequence[int], b: Sequence[int], how: str) -> Counts:
    out: list[int] = []
    state = False
    run = 0
    i = j = 0
    left_a, left_b = (a[0] if a else 0), (b[0] if b else 0)
    while i < len(a) and j < len(b):
        step = min(left_a, left_b)
        on_a, on_b = bool(i % 2), bool(j % 2)
        value = (on_a or on_b) if how == "union" else (on_a and on_b) if how == "intersection" else (on_a and not on_b)
        if step:
            if value == state:
                run += step
            else:
                out.append(run)
                state, run = value, step
        left_a -= step
        left_b -= step
        while not left_a and i < len(a):
            i += 1
            left_a = a[i] if i < len(a) else 0
        while not left_b and j < len(b):
            j += 1
            left_b = b[j] if j < len(b) else 0
    out.append(run)
    return tuple(out)
