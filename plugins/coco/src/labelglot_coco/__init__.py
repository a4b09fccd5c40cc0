"""COCO family: instances, keypoints, results."""

from labelglot_coco.coco import Coco, CocoKeypoints
from labelglot_coco.results import CocoResults

__all__ = ["Coco", "CocoKeypoints", "CocoResults"]
