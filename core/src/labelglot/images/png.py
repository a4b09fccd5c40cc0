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
    import numpy as np

    height, width = bitmap.shape
    rows = np.zeros((height, width + 1), dtype=np.uint8)
    rows[:, 1:] = bitmap
    return _png(rows, width, 0)


def encode_color(colors: npt.NDArray[Any]) -> bytes:
    """An RGB PNG of a (height, width) array of colours as numbers, 0xRRGGBB."""
    import numpy as np

    height, width = colors.shape
    rows = np.zeros((height, 3 * width + 1), dtype=np.uint8)
    for channel in range(3):
        rows[:, 1 + channel :: 3] = colors >> (16 - 8 * channel) & 0xFF
    return _png(rows, width, 2)


def _png(rows: npt.NDArray[Any], width: int, kind: int) -> bytes:
    """A PNG of rows of 8-bit channels, each led by its filter byte."""
    header = struct.pack(">IIBBBBB", width, len(rows), 8, kind, 0, 0, 0)
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


def decode_color(data: bytes) -> npt.NDArray[Any]:
    """The (height, width) colours of an image as numbers, 0xRRGGBB; alpha is ignored, grey is a colour."""
    import numpy as np

    rgb = np.asarray(decode(data).convert("RGB")).astype(np.int32)
    return np.asarray(rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2])
