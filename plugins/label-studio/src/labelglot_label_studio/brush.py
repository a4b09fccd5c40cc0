"""Label Studio's brush strokes: the RGBA values of an image, packed in runs of bits; alpha says what is painted.

A stream of bits, highest first: 32 for the number of values, 5 for the size of a value less 1, four times 4 for the
sizes of run lengths less 1. Then, until all values are there: a flag, 2 bits that choose the size, the run length less
1 in that size, and one value to repeat (flag 1) or as many values as the run is long (flag 0).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from labelglot.geometry import decode_string, encode_string, from_bitmap, to_row_major
from labelglot.geometry.rle import MAX_PIXELS
from labelglot.plugin import LabelglotError, Mask

if TYPE_CHECKING:
    import numpy.typing as npt

VALUE_BITS = 8
RUN_BITS = (3, 4, 8, 16)
CHANNELS = 4
OPAQUE = 255


def decode(packed: Sequence[int], limit: int) -> npt.NDArray[Any]:
    """The values of a packed stream. Raises :class:`LabelglotError` if it is cut off or holds more than ``limit``."""
    import numpy as np

    try:
        data = bytes(packed)
    except (TypeError, ValueError) as error:
        raise LabelglotError("the brush strokes are no list of bytes") from error
    bits = (np.unpackbits(np.frombuffer(data, dtype=np.uint8)) + ord("0")).tobytes().decode()
    place = 0

    def take(count: int) -> int:
        nonlocal place
        place += count
        if place > len(bits):
            raise LabelglotError("the brush strokes end too early")
        return int(bits[place - count : place], 2)

    number, size = take(32), take(5) + 1
    runs = [take(4) + 1 for _ in RUN_BITS]
    if number > limit:
        raise LabelglotError(f"the brush strokes hold {number} values, the image has {limit}")
    values: list[int] = []
    lengths: list[int] = []
    total = 0
    while total < number:
        repeated = take(1)
        length = take(runs[take(2)]) + 1
        total += length
        if repeated:
            values.append(take(size))
            lengths.append(length)
        else:
            values += [take(size) for _ in range(length)]
            lengths += [1] * length
    return np.repeat(np.array(values, dtype=np.uint32), lengths)[:number]


def read_mask(packed: Sequence[int], width: int, height: int) -> Mask:
    """The mask of brush strokes on an image. Raises :class:`LabelglotError` if they do not fit it."""
    if width * height > MAX_PIXELS:
        raise LabelglotError(f"a mask of {width} x {height} pixels is too large to unpack")
    limit = width * height * CHANNELS
    values = decode(packed, limit)
    if values.size != limit:
        raise LabelglotError(f"the brush strokes hold {values.size} values, {width} x {height} pixels have {limit}")
    alpha = values.reshape(height, width, CHANNELS)[:, :, CHANNELS - 1]
    return Mask(width=width, height=height, rle=encode_string(from_bitmap(alpha > 0)))


def write_mask(mask: Mask) -> list[int]:
    """The packed stream of a mask: all four channels full where it is set."""
    total = mask.width * mask.height
    counts = to_row_major(decode_string(mask.rle, total), mask.height, mask.width)
    bits = [f"{total * CHANNELS:032b}", f"{VALUE_BITS - 1:05b}", *(f"{size - 1:04b}" for size in RUN_BITS)]
    for position, count in enumerate(counts):
        value = f"{OPAQUE * (position % 2):0{VALUE_BITS}b}"
        left = count * CHANNELS
        while left:
            run = min(left, 1 << RUN_BITS[-1])
            choice = next(i for i, size in enumerate(RUN_BITS) if run <= 1 << size)
            bits.append(f"1{choice:02b}{run - 1:0{RUN_BITS[choice]}b}{value}")
            left -= run
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))
