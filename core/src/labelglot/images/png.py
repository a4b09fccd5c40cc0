"""Bitmaps of masks as PNG files: written the same everywhere, read whatever their depth."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any

from labelglot.errors import LabelglotError
from labelglot.images.probe import decode

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def encode_gray(bitmap: npt.NDArray[Any]) -> bytes:
    """A grey PNG of a (height, width) array of booleans or whole numbers: 8 bits deep, or 16 where one is above 255."""
    if bitmap.size and bitmap.max() > 255:
        return _encode(bitmap.astype(">u2").view("u1").reshape(*bitmap.shape, 2), 0, 16)
    return _encode(bitmap[:, :, None], 0)


def encode_palette(values: npt.NDArray[Any], palette: Sequence[tuple[int, int, int]]) -> bytes:
    """A PNG of a (height, width) array of whole numbers 0..255, each shown in its colour of the palette."""
    return _encode(values[:, :, None], 3, palette=b"".join(map(bytes, palette)))


def encode_rgb(values: npt.NDArray[Any]) -> bytes:
    """An 8-bit RGB PNG of a (height, width, 3) array of whole numbers 0..255."""
    return _encode(values, 2)


def encode_color(colors: npt.NDArray[Any]) -> bytes:
    """An RGB PNG of a (height, width) array of colours as numbers, 0xRRGGBB."""
    import numpy as np

    return _encode(np.stack([colors >> 16 & 0xFF, colors >> 8 & 0xFF, colors & 0xFF], axis=2), 2)


def encode_alpha(bitmap: npt.NDArray[Any]) -> bytes:
    """An RGBA PNG: white where a (height, width) array of booleans is set, else transparent."""
    import numpy as np

    values = np.where(np.asarray(bitmap, dtype=bool), 255, 0)
    return _encode(np.repeat(values[:, :, None], 4, axis=2), 6)


def _encode(values: npt.NDArray[Any], color_type: int, depth: int = 8, palette: bytes = b"") -> bytes:
    """A PNG of a (height, width, bytes of a pixel) array; ``color_type`` as PNG numbers them: 0 grey, 2 RGB, 3 palette,
    6 RGBA.
    """
    import numpy as np

    height, width, channels = values.shape
    rows = np.zeros((height, 1 + width * channels), dtype=np.uint8)
    rows[:, 1:] = values.reshape(height, width * channels)
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    colors = ((b"PLTE", palette),) if palette else ()
    chunks = ((b"IHDR", header), *colors, (b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b""))
    return SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def decode_alpha(data: bytes) -> npt.NDArray[Any]:
    """Where the image of a mask is set, as (height, width) booleans: by its alpha channel if it has one that says
    anything, else by any channel that is not 0.
    """
    import numpy as np

    image = decode(data)
    values = np.asarray(image.convert("RGBA") if image.mode in ("P", "PA") else image)
    if values.ndim == 2:
        return np.asarray(values != 0)
    if values.shape[2] in (2, 4):
        alpha = values[:, :, -1] != 0
        if not alpha.all():
            return np.asarray(alpha)
        values = values[:, :, :-1]
    return np.asarray(values.any(axis=2))


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
