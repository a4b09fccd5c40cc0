"""Rows of VisDrone: box, flag, category, truncation, occlusion; in videos a frame and a target before them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from labelglot.plugin import PIXELS_XYWH, Annotation, Report, WriteContext
from labelglot.wire.text import spell

CLASSES = (
    "ignored regions", "pedestrian", "people", "bicycle", "car", "van", "truck", "tricycle", "awning-tricycle", "bus",
    "motor", "others",
)  # fmt: skip
"""What the categories mean, from 0."""
DET, VIDEO = 8, 10
"""Fields of a row."""


def values(line: str) -> list[float] | None:
    """The numbers of a row; one comma at its end is tolerated. ``None`` if something else is among them."""
    try:
        found = [float(cell) for cell in line.strip().removesuffix(",").split(",")]
    except ValueError:
        return None
    return found if all(map(isfinite, found)) else None


def read_row(line: str, fields: int, names: Sequence[str], place: str, key: str, report: Report) -> Annotation | None:
    """The object of a row of ``fields`` numbers; ``None`` and a problem if it has others."""
    row = values(line)
    if row is None or len(row) != fields or row[-3] < 0 or abs(row[-3]) > 1e9:
        report.problem(
            "visdrone.row", f"not {fields} numbers, the third last a category", place, severity="error", key=key,
            raw=line, action="skipped",
        )  # fmt: skip
        return None
    left, top, width, height, flag, category, truncation, occlusion = row[-8:]
    if width <= 0 or height <= 0:
        report.problem("visdrone.empty", "a box without area", place, key=key, raw=line)
    levels = (("truncated", int(truncation)), ("occluded", int(occlusion)))
    attributes: dict[str, Any] = {name: level for name, level in levels if level > 0}
    if flag == 0:
        attributes["ignore"] = True
    number = int(category)
    return Annotation(
        label=names[number] if number < len(names) else f"class_{number}",
        box=PIXELS_XYWH.read_box((left, top, width, height), None),
        score=None if flag in (0, 1) else flag,
        track=int(row[1]) if fields == VIDEO and row[1] != -1 else None,
        attributes=attributes,
    )


def numbers(context: WriteContext) -> Mapping[str, int]:
    """The category of each class: the benchmark's, and numbers behind them for classes that it does not know."""
    foreign = [label for label in context.labels if label.name not in CLASSES]
    known = {label.key: CLASSES.index(label.name) for label in context.labels if label.name in CLASSES}
    return {**known, **{label.key: i for i, label in enumerate(foreign, len(CLASSES))}}


def write_row(annotation: Annotation, context: WriteContext) -> str:
    """The row of an object in an image."""
    box = PIXELS_XYWH.write_box(annotation.box or (0, 0, 0, 0), None)
    said = annotation.attributes
    rest = (
        0 if said.get("ignore") is True else 1,
        context.once(numbers)[annotation.label or ""],
        *(said.get(name, 0) for name in ("truncated", "occluded")),
    )
    return f"{','.join(map(spell, box))},{','.join(map(str, rest))}\n"
