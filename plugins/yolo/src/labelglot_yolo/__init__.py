"""YOLO family: detection, segmentation, oriented boxes, pose, classification, Darknet."""

from labelglot_yolo.yolo import Yolo
from labelglot_yolo.yolo_cls import YoloCls
from labelglot_yolo.yolo_darknet import YoloDarknet
from labelglot_yolo.yolo_obb import YoloObb
from labelglot_yolo.yolo_pose import YoloPose
from labelglot_yolo.yolo_seg import YoloSeg

__all__ = ["Yolo", "YoloCls", "YoloDarknet", "YoloObb", "YoloPose", "YoloSeg"]
