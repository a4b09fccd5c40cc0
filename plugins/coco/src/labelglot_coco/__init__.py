"""COCO family: instances, keypoints, results, captions, panoptic segmentation, LVIS."""

from labelglot_coco.captions import CocoCaptions
from labelglot_coco.coco import Coco, CocoKeypoints
from labelglot_coco.lvis import Lvis
from labelglot_coco.panoptic import CocoPanoptic
from labelglot_coco.results import CocoResults

__all__ = ["Coco", "CocoCaptions", "CocoKeypoints", "CocoPanoptic", "CocoResults", "Lvis"]
