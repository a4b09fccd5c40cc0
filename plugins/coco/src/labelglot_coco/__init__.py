"""COCO family: instances, keypoints, results."""
