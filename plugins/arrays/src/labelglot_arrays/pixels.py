"""Raw pixels of a file as images, and images as raw pixels."""

from __future__ import annotations

import io
from functools import partial
from typing import Literal

from labelglot.errors import LabelglotError, SourceError
from labelglot.images import ImageHandle, ImageInfo, LazyImage, decode, encode_gray
from labelglot.plugin import Problem, Source
from labelglot.storage import Packed, random_access

Mode = Literal["gray", "planes"]
"""``gray``: a byte per pixel, row by row; ``planes``: all of red, then green, then blue."""


class PixelImage(LazyImage):
    """A PNG made of pixels in a file when it is asked for. The size is known without that."""

    def __init__(
        self, source: Source, path: str, offset: int, size: tuple[int, int], name: str, mode: Mode, packed: Packed = ""
    ) -> None:
        super().__init__(name, partial(_png, source, path, offset, size, mode, packed))
        self.size = size

    def info(self) -> ImageInfo:
        width, height = self.size
        return ImageInfo(width, height, width, height, 1, "image/png")

    def __getstate__(self) -> dict[str, object]:
        return {**super().__getstate__(), "size": self.size}


def length(size: tuple[int, int], mode: Mode) -> int:
    """Bytes of the pixels of an image."""
    return size[0] * size[1] * (1 if mode == "gray" else 3)


def _png(source: Source, path: str, offset: int, size: tuple[int, int], mode: Mode, packed: Packed) -> bytes:
    import numpy as np

    wanted = length(size, mode)
    access = random_access(source, path, packed)
    with access.stream as stream:
        stream.seek(offset)
        data = stream.read(max(0, min(wanted, access.size - offset)))
    if len(data) != wanted:
        raise SourceError("the file ends before the pixels of this image do", f"{source.where}/{path}")
    pixels = np.frombuffer(data, dtype=np.uint8)
    if mode == "gray":
        return encode_gray(pixels.reshape(size[1], size[0]))
    from PIL import Image

    out = io.BytesIO()
    planes = pixels.reshape(3, size[1], size[0]).transpose(1, 2, 0)
    Image.fromarray(np.ascontiguousarray(planes)).save(out, "PNG")
    return out.getvalue()


def pixels_of(image: ImageHandle, mode: Mode, owner: str) -> tuple[bytes, tuple[int, int], Problem | None]:
    """The pixels of an image, its size, and what of it they cannot hold."""
    import numpy as np

    picture = decode(image.read())
    lost = None
    if mode == "gray":
        if picture.mode not in ("L", "1"):
            lost = Problem(f"{owner}.pixels", f"an image of mode {picture.mode} becomes grey", action="converted")
        return picture.convert("L").tobytes(), picture.size, lost
    if picture.mode not in ("RGB", "L", "1") and not (picture.mode == "P" and "transparency" not in picture.info):
        lost = Problem(f"{owner}.pixels", f"an image of mode {picture.mode} becomes red, green and blue", action="converted")
    planes = np.asarray(picture.convert("RGB")).transpose(2, 0, 1)
    return np.ascontiguousarray(planes).tobytes(), picture.size, lost


def needed(image: ImageHandle | None) -> ImageHandle:
    """The image of a sample that would not be here without one."""
    if image is None:
        raise LabelglotError("the image is not at hand")
    return image
