"""CVAT XML 1.1: for images and for video."""

from labelglot_cvat.images import CvatImages

__all__ = ["CvatImages"]
