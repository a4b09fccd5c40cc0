"""Tracks of videos: ``videorectangle`` results, taken apart into a rectangle for each frame. Read only.

A sequence lists key frames, counted from 1; between two of them all numbers change evenly. A key frame that is not
``enabled`` is the last one before a gap; after the last key frame of all, the object stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from labelglot.plugin import LabelglotError, Report
from labelglot.wire.json import fields, finite, rest

from labelglot_label_studio.config import OWNER

KIND = "videorectangle"
NUMBERS = ("x", "y", "width", "height", "rotation")
MOST = 100_000
"""Frames of a track at the most; whoever says more is not believed."""


def is_video(results: Sequence[Any]) -> bool:
    """Whether some result is about a video."""
    return any(fields(item).get("type") == KIND for item in results)


def by_frame(results: Sequence[Any], place: str, report: Report) -> dict[int, list[dict[str, Any]]]:
    """The results of each frame that shows something, as those of an image; the first frame is 0."""
    found: dict[int, list[dict[str, Any]]] = {}
    further = [item for item in results if fields(item).get("type") != KIND]
    for position, item in enumerate(results):
        if fields(item).get("type") != KIND:
            continue
        value = fields(item.get("value"))
        labels = value.get("labels", [])
        common = {**rest(item, ("value", "type")), "type": "rectanglelabels"}
        try:
            for frame, numbers in _frames(value):
                found.setdefault(frame - 1, []).append({**common, "value": {**numbers, "rectanglelabels": labels}})
        except LabelglotError as error:
            report.problem(
                f"{OWNER}.video", error.message, f"{place}[{position}]", severity="error", raw=item, action="skipped"
            )
    for items in found.values():
        ids = {item.get("id") for item in items}
        regions = {fields(item).get("id") for item in results if fields(item).get("type") == KIND}
        items += [item for item in further if fields(item).get("id") in ids or fields(item).get("id") not in regions]
    return dict(sorted(found.items()))


def _frames(value: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, float]]]:
    """Number and rectangle of each frame."""
    listed = value.get("sequence")
    keys = sorted((_key(each) for each in listed), key=lambda key: key[0]) if isinstance(listed, list) else []
    if not keys:
        raise LabelglotError("a track without key frames")
    last = value.get("framesCount")
    end = (
        int(last)
        if isinstance(last, int | float) and not isinstance(last, bool) and last == last and last < MOST * 2
        else keys[-1][0]
    )
    if max(end, keys[-1][0]) - keys[0][0] >= MOST:
        raise LabelglotError(f"a track of more than {MOST} frames")
    for (start, numbers, enabled), (stop, after, _) in zip(keys, [*keys[1:], (end + 1, None, True)], strict=True):
        yield start, numbers
        for frame in range(start + 1, stop if enabled else start):
            share = (frame - start) / (stop - start)
            goal = numbers if after is None else after
            yield frame, {name: numbers[name] + (goal[name] - numbers[name]) * share for name in NUMBERS}


def _key(each: Any) -> tuple[int, dict[str, float], bool]:
    about = fields(each)
    frame = about.get("frame")
    if isinstance(frame, bool) or not isinstance(frame, int) or frame < 1:
        raise LabelglotError(f"{frame!r} is no number of a frame")
    numbers = {name: finite(about.get(name) or 0 if name == "rotation" else about.get(name), name) for name in NUMBERS}
    return frame, numbers, about.get("enabled") is not False
