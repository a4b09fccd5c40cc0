"""YOLO family: detection, segmentation, oriented boxes, pose, classification, Darknet."""
