"""Ultralytics oriented boxes: ``class x1 y1 x2 y2 x3 y3 x4 y4``, the corners as fractions of the image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labelglot.plugin import Annotation, Label, RotatedBox, WriteContext

from labelglot_yolo.card import Card
from labelglot_yolo.family import COMMON, Chosen, Ultralytics, fractions
from labelglot_yolo.lines import oriented


class YoloObb(Ultralytics):
    """Rotated boxes by their four corners, in the order written; no angle is stated."""

    id = "yolo-obb"
    name = "YOLO oriented boxes (Ultralytics)"
    aliases = ("yolov8-obb", "yolo11-obb")
    task = "obb"
    holds = COMMON.replace(geometry=(frozenset({"rotated_box"}),))

    def decoder(self, given: Card | None, keys: Sequence[Label] | None, options: Any) -> Chosen:
        return Chosen(oriented)

    def numbers(self, annotation: Annotation, size: tuple[int, int] | None, context: WriteContext) -> tuple[float, ...]:
        assert isinstance(annotation.shape, RotatedBox)
        return fractions(annotation.shape.corners, size)
