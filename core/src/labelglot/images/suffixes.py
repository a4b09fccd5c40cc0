"""File name suffixes of images that training tools accept."""

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


def is_image(path: str) -> bool:
    """Whether a path has the suffix of an image."""
    dot = path.rfind(".")
    return dot >= 0 and path[dot:].lower() in IMAGE_SUFFIXES
