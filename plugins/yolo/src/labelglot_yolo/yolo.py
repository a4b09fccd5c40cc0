"""Ultralytics detection: ``class cx cy w h``, fractions of the image. YOLOv5 to v12 and 26, v6, v7, v9, v10."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labelglot.plugin import RELATIVE_CENTER, Annotation, Label, WriteContext, labels_and_boxes

from labelglot_yolo.card import Card
from labelglot_yolo.family import COMMON, Chosen, Ultralytics, clip_option
from labelglot_yolo.lines import detection


class Yolo(Ultralytics):
    """Boxes."""

    id = "yolo"
    name = "YOLO detection (Ultralytics)"
    aliases = ("yolov5", "yolov6", "yolov7", "yolov8", "yolov9", "yolov10", "yolo11", "yolo12", "ultralytics")
    task = "detect"
    takes_columns = True
    holds = COMMON.replace(geometry=(frozenset({"box"}),))

    class WriteOptions(Ultralytics.WriteOptions):
        """Options of the writer."""

        clip: bool = clip_option()

    def decoder(self, given: Card | None, keys: Sequence[Label] | None, options: Any) -> Chosen:
        return Chosen(detection, given.points if given is not None else None)

    def numbers(self, annotation: Annotation, size: tuple[int, int] | None, context: WriteContext) -> tuple[float, ...]:
        assert annotation.box is not None
        return RELATIVE_CENTER.write_box(annotation.box, size)

    def all_numbers(
        self, annotations: Sequence[Annotation], size: tuple[int, int] | None, context: WriteContext
    ) -> Sequence[tuple[float, ...]]:
        return RELATIVE_CENTER.write_boxes(labels_and_boxes(annotations)[1], size)

    def refused(self, numbers: Sequence[float]) -> bool:
        return super().refused(numbers) or numbers[2] < 0 or numbers[3] < 0
