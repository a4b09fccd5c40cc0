"""Upright boxes: (x0, y0, x1, y1) in continuous pixels, maximum exclusive. They may be inverted: they are data."""

from __future__ import annotations

import math

Box = tuple[float, float, float, float]
Ring = tuple[float, ...]


def from_xywh(x: float, y: float, w: float, h: float) -> Box:
    """Box of its top-left corner and size."""
    return (x, y, x + w, y + h)


def from_center(cx: float, cy: float, w: float, h: float) -> Box:
    """Box of its centre and size."""
    return (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)


def to_xywh(box: Box) -> Box:
    """Top-left corner and size."""
    return (box[0], box[1], box[2] - box[0], box[3] - box[1])


def to_center(box: Box) -> Box:
    """Centre and size."""
    return ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1])


def is_valid(box: Box) -> bool:
    """Finite, with positive width and height."""
    return all(map(math.isfinite, box)) and box[2] > box[0] and box[3] > box[1]


def box_area(box: Box) -> float:
    """Area in square pixels; 0 for an empty or inverted box."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def box_iou(a: Box, b: Box) -> float:
    """Intersection over union, 0..1."""
    inter = box_area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))
    total = box_area(a) + box_area(b) - inter
    return inter / total if total > 0 else 0.0


def contains(outer: Box, inner: Box | None) -> bool:
    """Whether a box lies in another, edges included; nothing (``None``) lies anywhere."""
    return inner is None or (
        outer[0] <= inner[0] and outer[1] <= inner[1] and inner[2] <= outer[2] and inner[3] <= outer[3]
    )


def clip_box(box: Box, width: float, height: float) -> Box:
    """The part of a box inside the image."""
    return (
        min(max(box[0], 0.0), width),
        min(max(box[1], 0.0), height),
        min(max(box[2], 0.0), width),
        min(max(box[3], 0.0), height),
    )


def corners(box: Box) -> Ring:
    """Its four corners, clockwise on screen from the top left."""
    x0, y0, x1, y1 = box
    return (x0, y0, x1, y0, x1, y1, x0, y1)
