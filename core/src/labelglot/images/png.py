"""Bitmaps of masks as PNG files: written the same everywhere, read whatever their depth."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any

from labelglot.errors import LabelglotError
from labelglot.images.probe import decode

if TYPE_CHECKING:
    import numpy.typing as npt

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def encode_gray(bitmap: npt.NDArray[Any]) -> bytes:
    """An 8-bit grey PNG of a (height, width) array of whole numbers 0..255 or booleans."""
    height, width = bitmap.shape
    return _encode(bitmap.reshape(height, width, 1), 0)


def encode_rgb(values: npt.NDArray[Any]) -> bytes:
    """An 8-bit RGB PNG of a (height, width, 3) array of whole numbers 0..255."""
    return _encode(values, 2)


def _encode(values: npt.NDArray[Any], colour_type: int) -> bytes:
    import numpy as np

    height, width, channels = values.shape
    rows = np.zeros((height, 1 + width * channels), dtype=np.uint8)
    rows[:, 1:] = values.reshape(height, width * channels)
    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b""))
    return SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def decode_gray(data: bytes) -> npt.NDArray[Any]:
    """The (height, width) values of an image with one channel. Raises :class:`LabelglotError` for any other."""
    import numpy as np

    values = np.asarray(decode(data))
    if values.ndim != 2:
        raise LabelglotError("the image of a mask has more than one channel")
    return values
