"""Pascal VOC family: detection XML, ImageNet localisation, rotated boxes, segmentation masks."""

from labelglot_voc.imagenet_loc import ImagenetLoc
from labelglot_voc.voc import Voc
from labelglot_voc.voc_rotated import VocRotated
from labelglot_voc.voc_seg import VocSeg

__all__ = ["ImagenetLoc", "Voc", "VocRotated", "VocSeg"]
