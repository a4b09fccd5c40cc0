"""Ultralytics segmentation: ``class x1 y1 ... xn yn``, one ring per line, fractions of the image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from labelglot.plugin import Annotation, Holds, Label, Polygon, WriteContext
from pydantic import Field

from labelglot_yolo.card import Card
from labelglot_yolo.family import COMMON, Chosen, Ultralytics, clip_option, fractions
from labelglot_yolo.lines import Found, Line, segmentation


class YoloSeg(Ultralytics):
    """Polygons of one ring. A box becomes a polygon of four points: trainers refuse files that have both."""

    id = "yolo-seg"
    name = "YOLO segmentation (Ultralytics)"
    aliases = ("yolov8-seg", "yolo11-seg")
    task = "segment"
    holds = COMMON.replace(
        geometry=(frozenset({"polygon"}),), polygon_parts=False, polygon_holes=False, join_parts=True
    )  # fmt: skip

    class ReadOptions(Ultralytics.ReadOptions):
        """Options of the reader."""

        boxes_as_polygons: bool = Field(
            False, title="Boxes as polygons", description="read box lines among the polygons as polygons of four points"
        )

    class WriteOptions(Ultralytics.WriteOptions):
        """Options of the writer."""

        parts: Literal["bridge", "split"] = Field(
            "bridge",
            title="Parts",
            description="polygons of several parts: join them by bridges of no width, as trainers' converters do, or make "
            "an object of each",
        )
        clip: bool = clip_option()

    def holds_with(self, options: Any) -> Holds:
        return super().holds_with(options).replace(join_parts=options.parts == "bridge")

    def decoder(self, given: Card | None, keys: Sequence[Label] | None, options: Any) -> Any:
        chosen = Chosen(segmentation, given.points if given is not None else None)
        return _BoxesAsPolygons(chosen) if options.boxes_as_polygons else chosen

    def numbers(self, annotation: Annotation, size: tuple[int, int] | None, context: WriteContext) -> tuple[float, ...]:
        assert isinstance(annotation.shape, Polygon)
        ring = annotation.shape.parts[0][0] if annotation.shape.parts else ()
        return fractions(_three_points(ring), size)


def _three_points(ring: tuple[float, ...]) -> tuple[float, ...]:
    """A ring with its last point repeated until it has three: a line of fewer would be a box."""
    while 0 < len(ring) < 6:
        ring += ring[-2:]
    return ring or (0.0,) * 6


class _BoxesAsPolygons(NamedTuple):
    inner: Chosen

    def __call__(self, line: Line, label: int) -> Found:
        from labelglot.geometry import corners

        found = self.inner(line, label)
        box = found.pop("box", None)
        if box is not None:
            found.setdefault("shape", Polygon.of(corners(box)))
        return found
