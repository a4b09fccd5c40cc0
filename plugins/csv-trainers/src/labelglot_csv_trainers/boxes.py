"""Corners in whole pixels, as all of these trainers read them."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from labelglot.plugin import PIXELS, Box, Report

WHOLE = PIXELS.replace(integer=True, nonempty=True)
VOC = PIXELS.replace(first=1, inclusive=True)
SPLITS = frozenset({"train", "val", "test"})


def corners(cells: Sequence[str]) -> Box | None:
    """The box of four cells, whole or not; ``None`` if they are no four finite numbers."""
    try:
        x0, y0, x1, y1 = map(float, cells)
    except ValueError:
        return None
    return (x0, y0, x1, y1) if isfinite(x0 + y0 + x1 + y1) else None


def whole(box: Box | None) -> tuple[int, ...]:
    """The corners of a box as the file spells them."""
    return tuple(map(int, WHOLE.write_box(box, None))) if box is not None else ()


def check(box: Box, place: str, key: str, report: Report, owner: str) -> None:
    """Report a box that is empty or upside down."""
    if box[2] <= box[0] or box[3] <= box[1]:
        report.problem(f"{owner}.box", "the box ends where it begins, or before", place, key=key, raw=box)
