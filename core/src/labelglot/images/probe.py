"""What an image is, from its header alone; and one safe decoder for all."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from labelglot import native
from labelglot.errors import LabelglotError, UnsafeInput

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 1 << 28


class ImageInfo(NamedTuple):
    """``width``/``height`` as displayed (after EXIF rotation), as stored, the EXIF ``orientation`` 1..8, the type."""

    width: int
    height: int
    stored_width: int
    stored_height: int
    orientation: int
    media_type: str


def _info(width: int, height: int, orientation: int, media_type: str) -> ImageInfo:
    turned = orientation >= 5
    return ImageInfo(height if turned else width, width if turned else height, width, height, orientation, media_type)


SHORT_HEAD = 1 << 10
"""Bytes in which the size of an image without EXIF stands; more cost as much again where many files are only looked at."""

HEAD = 1 << 13
"""Bytes in which the size of nearly every image stands."""


def probe(stream: BinaryIO) -> ImageInfo:
    """Size, orientation and media type from the header. Raises :class:`LabelglotError` if it is no image."""
    data = b""
    for more in (HEAD, 1 << 18, -1):
        data += stream.read(more)
        found = probe_head(data)
        if found is not None:
            return found
    return _by_pillow(data)


def probe_head(data: bytes) -> ImageInfo | None:
    """The same from the first bytes of a file; ``None`` if they are too few, or of a type that is not known by its header.

    Raises :class:`LabelglotError` if the header is damaged.
    """
    try:
        if data[:2] == b"\xff\xd8":
            size = native.jpeg(data)
            return _jpeg(data) if size is None or 0 in size else _info(*size, 1, "image/jpeg")
        if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) >= 24:
            width, height = struct.unpack_from(">II", data, 16)
            return _info(width, height, 1, "image/png")
        if data[:6] in (b"GIF87a", b"GIF89a"):
            width, height = struct.unpack_from("<HH", data, 6)
            return _info(width, height, 1, "image/gif")
        if data[:2] == b"BM" and len(data) >= 26:
            width, height = struct.unpack_from("<ii", data, 18)
            return _info(width, abs(height), 1, "image/bmp")
    except struct.error as error:
        raise LabelglotError(f"the image header is damaged: {error}") from error
    return None


_frame = struct.Struct(">HH").unpack_from


def _jpeg(data: bytes) -> ImageInfo | None:
    """Walk the segments up to the frame header; EXIF comes before it."""
    place, orientation, end = 2, 1, len(data)
    while place + 10 <= end and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = _frame(data, place + 5)
            return _info(width, height, orientation, "image/jpeg") if width and height else None
        after = place + 2 + (data[place + 2] << 8) + data[place + 3]
        if marker == 0xE1:
            if after > end:
                return None
            if data[place + 4 : place + 10] == b"Exif\0\0":
                orientation = _orientation(data[place + 10 : after])
        place = after
    return None


def _orientation(tiff: bytes) -> int:
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 8:
        return 1
    (offset,) = struct.unpack(order + "I", tiff[4:8])
    if offset + 2 > len(tiff):
        return 1
    (count,) = struct.unpack(order + "H", tiff[offset : offset + 2])
    for i in range(count):
        entry = tiff[offset + 2 + 12 * i : offset + 14 + 12 * i]
        if len(entry) < 12:
            break
        tag, _, _, value = struct.unpack(order + "HHIH", entry[:10])
        if tag == 0x0112:
            return value if 1 <= value <= 8 else 1
    return 1


def _by_pillow(data: bytes) -> ImageInfo:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            orientation = image.getexif().get(0x0112, 1)
            known = orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1
            return _info(image.width, image.height, known, Image.MIME.get(image.format or "", "image/unknown"))
    except Exception as error:
        raise LabelglotError(f"it is no image that can be read: {error}") from error


def decode(data: bytes, max_pixels: int = MAX_PIXELS) -> Image:
    """The upright image. Raises :class:`UnsafeInput` beyond ``max_pixels``, :class:`LabelglotError` if damaged."""
    from PIL import Image, ImageOps

    info = probe(io.BytesIO(data))
    if info.width * info.height > max_pixels:
        raise UnsafeInput(f"an image of {info.width} x {info.height} pixels is too large to decode")
    try:
        image: Any = Image.open(io.BytesIO(data))
        image.load()
        return ImageOps.exif_transpose(image) or image
    except Exception as error:
        raise LabelglotError(f"the image is damaged: {error}") from error
