"""WIDER FACE bounding box lists."""

from labelglot_wider_face.wider_face import WiderFace

__all__ = ["WiderFace"]
