"""Pascal VOC family: detection XML, ImageNet localisation, rotated boxes, segmentation masks."""
