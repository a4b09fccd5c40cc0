"""KITTI object detection."""

from labelglot_kitti.kitti import Kitti

__all__ = ["Kitti"]
