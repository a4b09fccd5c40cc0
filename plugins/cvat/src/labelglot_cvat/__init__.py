"""CVAT XML 1.1: for images and for video."""

from labelglot_cvat.images import CvatImages
from labelglot_cvat.video import CvatVideo

__all__ = ["CvatImages", "CvatVideo"]
