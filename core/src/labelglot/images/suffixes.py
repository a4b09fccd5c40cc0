"""File name suffixes of images that training tools accept."""

from collections.abc import Iterable

IMAGE_SUFFIXES = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".jpe",
        ".png",
        ".bmp",
        ".gif",
        ".tif",
        ".tiff",
        ".webp",
        ".dng",
        ".heic",
        ".heif",
        ".avif",
        ".jp2",
        ".mpo",
        ".pfm",
        ".ppm",
        ".pgm",
        ".pbm",
    ]
)


def images_of(paths: Iterable[str]) -> list[str]:
    """Those of some paths that have the suffix of an image."""
    return [path for path in paths if (end := path[path.rfind(".") :]) in IMAGE_SUFFIXES or end.lower() in IMAGE_SUFFIXES]


def is_image(path: str) -> bool:
    """Whether a path has the suffix of an image."""
    dot = path.rfind(".")
    return dot >= 0 and path[dot:].lower() in IMAGE_SUFFIXES
