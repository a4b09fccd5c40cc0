"""How formats spell coordinates. A format states its convention; the arithmetic lives here, once.

The canonical frame is continuous pixels from the top-left corner with exclusive maximum. ``size=None`` means that the
canonical values are fractions of the image already (the size is unknown and both sides are relative).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Literal

from labelglot.geometry.rotated import center_from_corners, corners_from_center, corners_from_pivot
from labelglot.schema.base import Frozen
from labelglot.schema.shape import Box, Ring

Size = tuple[int, int]


def settle(numbers: tuple[float, ...]) -> tuple[float, ...]:
    """Numbers without the noise that arithmetic leaves in their last digits, so that a second trip writes the same.

    Twelve decimals; fewer where a number is so large that a float has no more to give.
    """
    least, largest = (min(numbers), max(numbers)) if numbers else (0.0, 0.0)
    if least >= 0 and largest < 100.0:
        try:
            return tuple([int(v * 1e12 + 0.5) / 1e12 for v in numbers])
        except ValueError:  # NaN hides from min and max
            return numbers
    largest = max(largest, -least)
    if largest < 100.0:
        return tuple([round(v, 12) + 0.0 for v in numbers])
    if not math.isfinite(largest):
        return numbers
    places = 13 - int(math.log10(largest))
    return tuple([round(v, places) + 0.0 for v in numbers])


def _settle_all(boxes: Sequence[Box]) -> list[Box]:
    """:func:`settle` for each of many boxes."""
    if boxes and min(map(min, boxes)) >= 0 and max(map(max, boxes)) < 100.0:
        try:
            return [
                (int(a * 1e12 + 0.5) / 1e12, int(b * 1e12 + 0.5) / 1e12, int(c * 1e12 + 0.5) / 1e12, int(d * 1e12 + 0.5) / 1e12)
                for a, b, c, d in boxes
            ]
        except ValueError:  # NaN hides from min and max
            pass
    return [settle(box) for box in boxes]  # type: ignore[misc]


class Convention(Frozen):
    """The coordinates of one format.

    - ``form``: how a box is written: two corners, corner and size, or centre and size.
    - ``unit``: pixels, fractions of the size (``relative``), or percent.
    - ``first``: the number of the first pixel (1 for 1-based files); pixels only.
    - ``inclusive``: the maximum names the last pixel inside rather than the edge after it; pixels only.
    - ``ordered``: the corners come in any order, so that an inverted box cannot be told from an upright one.
    - ``y_first``: y before x (TensorFlow, Gemini).
    - ``grid``: whole steps per unit the format can write: 0 = as many as floats have; ``decimals`` = fixed decimals;
      ``integer`` = whole numbers; ``single`` = 32-bit floats; ``steps`` = that many numbered steps over the unit, from
      0 to ``steps - 1``, so that its end is one step away (tokens of language models); for ``relative`` corners.
    - ``nonempty``: a box that has an extent is not rounded to none; it stays one step wide.
    - ``lowest``, ``highest``: the smallest and the largest number there is room for, as written (fixed columns; a number that
      stands for "none"). Geometry with a number beyond is lost, and reported; of keypoints only the point, see ``Holds``.
    """

    form: Literal["corners", "xywh", "center"] = "corners"
    unit: Literal["pixels", "relative", "percent"] = "pixels"
    first: int = 0
    inclusive: bool = False
    ordered: bool = False
    y_first: bool = False
    decimals: int | None = None
    integer: bool = False
    single: bool = False
    nonempty: bool = False
    steps: int | None = None
    lowest: float | None = None
    highest: float | None = None

    @property
    def needs_size(self) -> bool:
        return self.unit != "pixels"

    @property
    def exact(self) -> bool:
        """Whether every float can be written."""
        return self.decimals is None and not self.integer and not self.single and not self.ordered and self.steps is None

    @cached_property
    def noisy(self) -> bool:
        """Whether writing takes more arithmetic than a shift, and no grid of the format takes the noise away."""
        grid = self.decimals is not None or self.integer or self.single or self.steps is not None
        return (self.unit != "pixels" or self.form != "corners") and not grid

    def quantise(self, value: float) -> float:
        """The nearest value the format can write."""
        if self.integer:
            return float(round(value))
        if self.decimals is not None:
            return round(value, self.decimals)
        if self.steps is not None and math.isfinite(value):
            return min(max(round(value * self.steps), 0), self.steps - 1) / self.steps
        if self.single:
            try:
                return float(struct.unpack("<f", struct.pack("<f", value))[0])
            except OverflowError:
                return value
        return value

    def has_room(self, written: Iterable[float]) -> bool:
        """Whether all numbers, as written, are within ``lowest`` and ``highest``."""
        low, high = self.lowest, self.highest
        return all((low is None or low <= v) and (high is None or v <= high) for v in written)

    def write_box(self, box: Box, size: Size | None) -> tuple[float, float, float, float]:
        """The four numbers of a box as the format writes them, free of noise (see :func:`settle`)."""
        if self.plain:
            return self._write_plain((box,), size)[0]
        x0, y0, x1, y1 = box
        if self.ordered:
            x0, x1, y0, y1 = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
        sx, sy = self._scale(size)
        x0, y0, x1, y1 = x0 * sx, y0 * sy, x1 * sx, y1 * sy
        if self.unit == "pixels":
            last = self.first - (1 if self.inclusive else 0)
            x0, y0, x1, y1 = x0 + self.first, y0 + self.first, x1 + last, y1 + last
        q = self.quantise
        if self.form == "corners":
            a, b, c, d = q(x0), q(y0), self._beyond(q(x0), x0, x1), self._beyond(q(y0), y0, y1)
        elif self.form == "xywh":
            extra = 1 if self.unit == "pixels" and self.inclusive else 0
            a, b, c, d = q(x0), q(y0), self._extent(x1 - x0 + extra), self._extent(y1 - y0 + extra)
        else:
            a, b, c, d = q((x0 + x1) / 2), q((y0 + y1) / 2), self._extent(x1 - x0), self._extent(y1 - y0)
        if self.noisy:
            a, b, c, d = settle((a, b, c, d))
        return (b, a, d, c) if self.y_first else (a, b, c, d)

    @cached_property
    def plain(self) -> bool:
        """Whether numbers are written with all their digits, and none is moved for the sake of another."""
        return self.exact and not self.nonempty

    def write_boxes(self, boxes: Sequence[Box], size: Size | None) -> list[tuple[float, float, float, float]]:
        """:meth:`write_box` of all boxes of an image, which is faster than one by one."""
        return self._write_plain(boxes, size) if self.plain else [self.write_box(box, size) for box in boxes]

    def _write_plain(self, boxes: Sequence[Box], size: Size | None) -> list[tuple[float, float, float, float]]:
        far = 0
        if self.unit != "pixels":
            sx, sy = self._scale(size)
            boxes = [(x0 * sx, y0 * sy, x1 * sx, y1 * sy) for x0, y0, x1, y1 in boxes]
        elif self.first or self.inclusive:
            low, far = self.first, -1 if self.inclusive else 0
            boxes = [(x0 + low, y0 + low, x1 + low + far, y1 + low + far) for x0, y0, x1, y1 in boxes]
        if self.form == "center":
            boxes = [((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0) for x0, y0, x1, y1 in boxes]
        elif self.form == "xywh":
            boxes = [(x0, y0, x1 - x0 - far, y1 - y0 - far) for x0, y0, x1, y1 in boxes]
        if self.noisy:
            boxes = _settle_all(boxes)
        return [(b, a, d, c) for a, b, c, d in boxes] if self.y_first else list(boxes)

    def _beyond(self, start: float, low: float, high: float) -> float:
        """The maximum of a side from ``low`` to ``high`` whose minimum is written as ``start``."""
        end = self.quantise(high)
        least = 1 if self.inclusive else 0
        if self.nonempty and low + 1e-9 < high + least and end + least <= start:
            return start + self._step - least
        return end

    def _extent(self, value: float) -> float:
        """A width or height as the format writes it."""
        written = self.quantise(value)
        return self._step if self.nonempty and written <= 0 < value else written

    @property
    def _step(self) -> float:
        return 1.0 if self.integer or self.decimals is None else 10.0**-self.decimals

    def read_box(self, numbers: Sequence[float], size: Size | None) -> Box:
        """The canonical box of four numbers."""
        a, b, c, d = numbers
        if self.y_first:
            a, b, c, d = b, a, d, c
        if self.form == "xywh":
            extra = 1 if self.unit == "pixels" and self.inclusive else 0
            c, d = a + c - extra, b + d - extra
        elif self.form == "center":
            a, b, c, d = a - c / 2, b - d / 2, a + c / 2, b + d / 2
        if self.unit == "pixels":
            last = self.first - (1 if self.inclusive else 0)
            return (a - self.first, b - self.first, c - last, d - last)
        sx, sy = self._scale(size)
        return (a / sx, b / sy, c / sx, d / sy)

    def write_points(self, ring: Ring, size: Size | None) -> tuple[float, ...]:
        """Flat x, y numbers as the format writes them (y, x if ``y_first``). Points have no inclusive edge."""
        sx, sy = self._scale(size)
        shift = self.first if self.unit == "pixels" else 0
        if self.unit == "pixels" and self.exact and not self.y_first:
            return tuple([v + shift for v in ring]) if shift else ring
        q = self.quantise
        pairs = ((q(x * sx + shift), q(y * sy + shift)) for x, y in zip(ring[::2], ring[1::2], strict=True))
        flat = tuple(v for x, y in pairs for v in ((y, x) if self.y_first else (x, y)))
        return settle(flat) if self.noisy else flat

    def read_points(self, numbers: Iterable[float], size: Size | None) -> Ring:
        """The inverse of :meth:`write_points`. Raises ValueError on an odd count."""
        flat = tuple(numbers)
        sx, sy = self._scale(size)
        shift = self.first if self.unit == "pixels" else 0
        pairs = zip(flat[::2], flat[1::2], strict=True)
        if self.y_first:
            return tuple(v for y, x in pairs for v in ((x - shift) / sx, (y - shift) / sy))
        if not shift and sx == 1 and sy == 1:
            return tuple(v for pair in pairs for v in pair)
        return tuple(v for x, y in pairs for v in ((x - shift) / sx, (y - shift) / sy))

    def _scale(self, size: Size | None) -> tuple[float, float]:
        if self.unit == "pixels":
            return 1.0, 1.0
        whole = 100.0 if self.unit == "percent" else 1.0
        return (whole, whole) if size is None else (whole / size[0], whole / size[1])


TURN_DECIMALS = 10
"""Of an angle: what is behind them is noise of the arithmetic, too little to move a corner by a millionth of a pixel."""


class Rotation(Frozen):
    """How a format writes a rotated box: four numbers of the box before it is turned, and an angle.

    - ``form``: centre and size, the top-left corner and size, or two corners - of the unturned box.
    - ``pivot``: the point that stays where it is: the centre, or the top-left corner (Label Studio).
    - ``degrees``: else radians. ``clockwise``: as seen on the screen, else counter-clockwise.
    - ``lowest``: angles are written from here to one full turn further.
    - ``decimals``: places behind the point that are written; ``None``: all but the noise of the arithmetic.
    """

    form: Literal["center", "xywh", "corners"] = "center"
    pivot: Literal["center", "top_left"] = "center"
    degrees: bool = True
    clockwise: bool = True
    lowest: float = 0.0
    decimals: int | None = None

    def write(self, corners: Ring) -> tuple[float, float, float, float, float]:
        """The numbers of a box with these four corners (x, y each, in order; a rectangle), and its angle.

        Where the corners run counter-clockwise on the screen (an inverted box), the height is negative.
        """
        cx, cy, w, h, turn = center_from_corners(corners)
        x0, y0, x1, y1, x2, y2, *_ = corners
        if (x1 - x0) * (y2 - y1) < (y1 - y0) * (x2 - x1):
            h = -h
        x, y = (corners[0], corners[1]) if self.pivot == "top_left" else (cx - w / 2, cy - h / 2)
        angle = turn if self.clockwise else -turn
        angle = math.degrees(angle) if self.degrees else angle
        whole = 360.0 if self.degrees else math.tau
        angle = (angle - self.lowest) % whole + self.lowest
        if self.form == "center":
            numbers = (x + w / 2, y + h / 2, w, h)
        else:
            numbers = (x, y, w, h) if self.form == "xywh" else (x, y, x + w, y + h)
        if self.decimals is None:
            a, b, c, d = settle(numbers)
            angle = round(angle, TURN_DECIMALS) + 0.0
        else:
            a, b, c, d = (round(value, self.decimals) + 0.0 for value in numbers)
            angle = round(angle, self.decimals) + 0.0
        return (a, b, c, d, angle - whole if angle >= self.lowest + whole else angle)

    def read(self, numbers: Sequence[float], angle: float) -> Ring:
        """The corners, in order: what was top left, top right, bottom right, bottom left before the turn."""
        a, b, c, d = numbers
        if self.form == "center":
            a, b = a - c / 2, b - d / 2
        elif self.form == "corners":
            c, d = c - a, d - b
        turn = math.radians(angle % 360) if self.degrees else angle
        turn = turn if self.clockwise else -turn
        if self.pivot == "top_left":
            return corners_from_pivot(a, b, c, d, turn)
        return corners_from_center(a + c / 2, b + d / 2, c, d, turn)


PIXELS = Convention()
PIXELS_XYWH = Convention(form="xywh")
RELATIVE = Convention(unit="relative")
RELATIVE_CENTER = Convention(unit="relative", form="center")
PERCENT_XYWH = Convention(unit="percent", form="xywh")
