"""Images as handles: what they are, how to open them, how to find them."""

from labelglot.images.data_url import from_data_url, is_data_url, to_data_url
from labelglot.images.handle import BytesImage, ImageHandle, LazyImage, PartImage, SourceImage, look_at
from labelglot.images.lookup import ImageIndex
from labelglot.images.png import (
    decode_alpha,
    decode_color,
    decode_gray,
    encode_alpha,
    encode_color,
    encode_gray,
    encode_palette,
    encode_rgb,
)
from labelglot.images.probe import ImageInfo, decode, probe
from labelglot.images.suffixes import IMAGE_SUFFIXES, images_of, is_image

__all__ = [
    "IMAGE_SUFFIXES",
    "BytesImage",
    "ImageHandle",
    "ImageIndex",
    "ImageInfo",
    "LazyImage",
    "PartImage",
    "SourceImage",
    "decode",
    "decode_alpha",
    "decode_color",
    "decode_gray",
    "encode_alpha",
    "encode_color",
    "encode_gray",
    "encode_palette",
    "encode_rgb",
    "from_data_url",
    "images_of",
    "is_data_url",
    "is_image",
    "look_at",
    "probe",
    "to_data_url",
]  # fmt: skip
