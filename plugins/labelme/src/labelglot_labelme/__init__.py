"""LabelMe JSON (``labelme``)."""

from labelglot_labelme.labelme import LabelMe

__all__ = ["LabelMe"]
