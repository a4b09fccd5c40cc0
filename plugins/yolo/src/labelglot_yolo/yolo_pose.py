"""Ultralytics pose: a box line followed by K keypoints of D numbers, ``class cx cy w h x1 y1 v1 ... xK yK vK``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from labelglot.errors import LabelglotError
from labelglot.plugin import RELATIVE_CENTER, Annotation, Keypoints, Label, LabelHolds, WriteContext
from labelglot.wire.text import spell, spell_row
from pydantic import Field

from labelglot_yolo import lines
from labelglot_yolo.card import Card, point_shape
from labelglot_yolo.family import COMMON, Ultralytics, fractions
from labelglot_yolo.lines import Found, Line, detection


class YoloPose(Ultralytics):
    """Boxes with keypoints. All lines have as many points as the class with the most; ``-0 -0 0`` fills them up."""

    id = "yolo-pose"
    name = "YOLO pose (Ultralytics)"
    aliases = ("yolov8-pose", "yolo11-pose")
    task = "pose"
    survey = "full"
    holds = COMMON.replace(
        geometry=(frozenset({"box"}), frozenset({"keypoints"})), required=frozenset({"box"}),
        labels=LabelHolds(ids="index", duplicates=True, keypoints=True, keypoint_flip=True),
    )  # fmt: skip

    class ReadOptions(Ultralytics.ReadOptions):
        """Options of the reader."""

        kpt_shape: str | None = Field(
            None, title="Keypoint shape", description="K,D where the YAML has no kpt_shape: K points of D = 2 or 3 numbers"
        )

    def decoder(self, given: Card | None, keys: Sequence[Label] | None, options: Any) -> Any:
        shape = given.points if given is not None else None
        if options.kpt_shape is not None:
            shape = point_shape(options.kpt_shape.split(","), "kpt_shape", self.id, None)
        if shape is None:
            raise LabelglotError(
                "kpt_shape is not stated", given.place if given is not None else None,
                "give it as --from-option kpt_shape=17,3",
            )  # fmt: skip
        own = {int(label.id or 0): len(label.keypoints) for label in keys or () if label.keypoints is not None}
        return _Pose(*shape, own)

    def describe(self, label: Label, given: Card | None) -> Label:
        if given is None:
            return label
        number = int(label.id or 0)
        names = given.point_names.get(number)
        count = len(names) if names is not None else given.points[0] if given.points is not None else 0
        flip = given.flips[number] if number in given.flips else _flip_of(given.flip, count)
        return label.replace(keypoints=names, keypoint_flip=flip)

    def numbers(self, annotation: Annotation, size: tuple[int, int] | None, context: WriteContext) -> tuple[float, ...]:
        assert annotation.box is not None
        box = RELATIVE_CENTER.write_box(annotation.box, size)
        return box if annotation.keypoints is None else (*box, *fractions(annotation.keypoints.points, size))

    def spell(
        self, annotations: Sequence[Annotation], numbers: Sequence[tuple[float, ...]], context: WriteContext
    ) -> Sequence[str]:
        return [self._spell(a, row, context) for a, row in zip(annotations, numbers, strict=True)]

    def _spell(self, annotation: Annotation, numbers: tuple[float, ...], context: WriteContext) -> str:
        spelled = spell_row(numbers).split(" ")
        keypoints = annotation.keypoints
        count = 0 if keypoints is None else len(keypoints)
        seen = None if keypoints is None else keypoints.visibility
        cells = spelled[:4]
        for i in range(count):
            cells += [*spelled[4 + 2 * i : 6 + 2 * i], lines.UNSEEN if seen is None else spell(seen[i])]
        return " ".join(cells + [lines.NO_POINT, lines.NO_POINT, "0"] * (_most(context) - count))

    def refused(self, numbers: Sequence[float]) -> bool:
        return super().refused(numbers) or numbers[2] < 0 or numbers[3] < 0

    def task_keys(self, context: WriteContext) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        keys: dict[str, Any] = {"kpt_shape": [_most(context), 3]}
        own: dict[str, Any] = {}
        names = {i: list(x.keypoints) for i, x in enumerate(context.labels) if x.keypoints is not None}
        if names:
            keys["kpt_names"] = names
        flips = [label.keypoint_flip for label in context.labels if label.keypoint_flip is not None]
        if flips:
            longest = max(flips, key=len)
            flip = (*longest, *range(len(longest), _most(context)))
            keys["flip_idx"] = list(flip)
            other = {
                i: None if label.keypoint_flip is None else list(label.keypoint_flip)
                for i, label in enumerate(context.labels)
                if label.keypoint_flip != _flip_of(flip, len(flip) if label.keypoints is None else len(label.keypoints))
            }
            if other:
                own["flip_idx"] = other
        return keys, own


@lru_cache(maxsize=1)
def _most(context: WriteContext) -> int:
    """K: points of the class that has most."""
    named = (len(label.keypoints) for label in context.labels if label.keypoints is not None)
    return max([1, *named, *context.keypoints.values()])


def _flip_of(flip: tuple[int, ...] | None, count: int) -> tuple[int, ...] | None:
    """The part of ``flip_idx`` that concerns a class of ``count`` points, if it stays among them."""
    own = None if flip is None else flip[:count]
    return own if own is not None and len(own) == count and all(i < count for i in own) else None


class _Pose(NamedTuple):
    points: int
    dimensions: int
    own: Mapping[int, int]

    def __call__(self, line: Line, label: int) -> Found:
        if lines.keypoints(line, self.points, self.dimensions):
            return lines.pose(line, self.points, self.dimensions, self.own.get(label))
        found = detection(line)(line)
        if "box" in found:
            found["keypoints"] = Keypoints(points=(0.0,) * (2 * self.points), visibility=(0,) * self.points)
        return found
