"""Semantic masks as pictures, and Cityscapes."""

from labelglot_masks.cityscapes import Cityscapes
from labelglot_masks.semantic import SemanticMasks

__all__ = ["Cityscapes", "SemanticMasks"]
