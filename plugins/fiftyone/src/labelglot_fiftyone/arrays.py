"""Values as MongoDB spells them in JSON, and the arrays that FiftyOne packs into them."""

from __future__ import annotations

import base64
import binascii
import io
import math
import zlib
from typing import TYPE_CHECKING, Any

from labelglot.geometry import encode_string, from_bitmap, paste
from labelglot.plugin import LabelglotError, Mask

if TYPE_CHECKING:
    import numpy.typing as npt

Array = Any
LARGEST = 1 << 28
"""Bytes of an unpacked array at the most."""
DEEPEST = 30
_NUMBERS = {"$numberInt": int, "$numberLong": int, "$numberDouble": float, "$numberDecimal": float}


def plain(value: Any, depth: int = 0) -> Any:
    """A value without MongoDB's wrappings (``{"$oid": ...}``); packed arrays stay as they are."""
    if isinstance(value, list) and depth < DEEPEST:
        return [plain(item, depth + 1) for item in value]
    if not isinstance(value, dict) or depth >= DEEPEST:
        return value
    if len(value) == 1:
        ((name, inner),) = value.items()
        if name in ("$oid", "$date", "$uuid"):
            return inner if isinstance(inner, str | int | float) else plain(inner, depth + 1)
        if name in _NUMBERS:
            try:
                return _NUMBERS[name](inner)
            except (TypeError, ValueError, OverflowError):
                return None
        if name == "$binary":
            return value
    return {name: plain(item, depth + 1) for name, item in value.items()}


def unpack(value: Any) -> npt.NDArray[Any]:
    """The array in ``{"$binary": {"base64": ...}}``: zlib around NumPy's own file format. Raises LabelglotError."""
    import numpy as np

    inner = value.get("$binary") if isinstance(value, dict) else None
    text = inner.get("base64") if isinstance(inner, dict) else inner
    if not isinstance(text, str):
        raise LabelglotError("a mask is no packed array")
    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(base64.b64decode(text), LARGEST)
        if unpacker.unconsumed_tail:
            raise LabelglotError(f"a packed array of more than {LARGEST} bytes")
        stream = io.BytesIO(data)
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(stream)
    except (zlib.error, binascii.Error, ValueError, TypeError, EOFError, SyntaxError, RecursionError, MemoryError) as error:
        raise LabelglotError(f"a packed array is damaged: {error}") from error
    body = data[stream.tell() :]
    if dtype.hasobject or dtype.kind not in "biuf" or math.prod(shape) * dtype.itemsize != len(body):
        raise LabelglotError("a packed array whose shape does not fit its data")
    flat: npt.NDArray[Any] = np.frombuffer(body, dtype=dtype)
    return flat.reshape(shape, order="F" if fortran else "C")


def on_image(bitmap: npt.NDArray[Any], box: tuple[float, float, float, float], size: tuple[int, int]) -> Mask:
    """The mask on an image of ``size`` (width, height) of a bitmap that is stretched over ``box`` (x, y, width, height in
    fractions), to whole pixels.
    """
    import numpy as np

    width, height = size
    if bitmap.ndim != 2 or not bitmap.size:
        raise LabelglotError("a mask that is no picture")
    x, y, w, h = box
    if not all(abs(v) < 100 for v in box):
        raise LabelglotError("the box of a mask is far outside the image")
    left, top = round(x * width), round(y * height)
    wide, high = max(1, round((x + w) * width) - left), max(1, round((y + h) * height) - top)
    if wide * high > LARGEST:
        raise LabelglotError("a mask larger than any image")
    rows = np.arange(high) * bitmap.shape[0] // high
    columns = np.arange(wide) * bitmap.shape[1] // wide
    counts = paste(bitmap[rows][:, columns] != 0, left, top, height, width)
    return Mask(width=width, height=height, rle=encode_string(counts))


def of_value(picture: npt.NDArray[Any], value: int) -> Mask:
    """Where a picture of class numbers has a value."""
    height, width = picture.shape
    return Mask(width=width, height=height, rle=encode_string(from_bitmap(picture == value)))
