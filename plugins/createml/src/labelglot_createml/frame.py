"""Which point of a box ``x, y`` names, from where it is measured and in which unit: a Create ML file does not say."""

from __future__ import annotations

from typing import Literal

from labelglot.plugin import Box, Options
from pydantic import Field

Anchor = Literal["center", "top-left", "top-right", "bottom-left", "bottom-right"]

_SHARE: dict[str, tuple[float, float]] = {
    "center": (0.5, 0.5), "top-left": (0.0, 0.0), "top-right": (1.0, 0.0), "bottom-left": (0.0, 1.0),
    "bottom-right": (1.0, 1.0),
}  # fmt: skip
"""What share of width and height lies left of and above the anchor, as seen on screen."""


class Frame(Options):
    """What Create ML must be told when it loads the file; the defaults are its own."""

    anchor: Anchor = Field(default="center", title="Anchor", description="the point of a box that x, y names")
    units: Literal["pixel", "normalized"] = Field(
        default="pixel", title="Units", description="pixel, or normalized: fractions of the image's width and height"
    )
    origin: Literal["top-left", "bottom-left"] = Field(
        default="top-left", title="Origin", description="the corner of the image from which x, y is measured"
    )

    @property
    def plain(self) -> bool:
        """Whether nothing but centre and size in pixels from the top left is meant."""
        return (self.anchor, self.units, self.origin) == ("center", "pixel", "top-left")

    @property
    def needs_height(self) -> bool:
        """Whether pixels cannot be read or written without the image's height."""
        return self.origin == "bottom-left" and self.units == "pixel"

    def read(self, x: float, y: float, width: float, height: float, image_height: float) -> Box:
        """The box of four numbers, in their unit. ``image_height``: in that unit, for a bottom-left origin only."""
        left, above = _SHARE[self.anchor]
        if self.origin == "bottom-left":
            y = image_height - y
        return (x - left * width, y - above * height, x + (1 - left) * width, y + (1 - above) * height)

    def write(self, box: Box, image_height: float) -> tuple[float, float, float, float]:
        """The inverse of :meth:`read`."""
        x0, y0, x1, y1 = box
        left, above = _SHARE[self.anchor]
        x, y = x0 * (1 - left) + x1 * left, y0 * (1 - above) + y1 * above
        return (x, image_height - y if self.origin == "bottom-left" else y, x1 - x0, y1 - y0)
