"""Images as handles: what they are, how to open them, how to find them."""

from labelglot.images.handle import BytesImage, ImageHandle, LazyImage, PartImage, SourceImage
from labelglot.images.lookup import ImageIndex
from labelglot.images.png import decode_gray, encode_gray, encode_rgb
from labelglot.images.probe import ImageInfo, decode, probe
from labelglot.images.suffixes import IMAGE_SUFFIXES, is_image

__all__ = [
    "IMAGE_SUFFIXES", "BytesImage", "ImageHandle", "ImageIndex", "ImageInfo", "LazyImage", "PartImage", "SourceImage",
    "decode", "decode_gray", "encode_gray", "encode_rgb", "is_image", "probe",
]  # fmt: skip
