"""Open Images boxes, image labels and masks."""

from labelglot_open_images.open_images import OpenImages

__all__ = ["OpenImages"]
