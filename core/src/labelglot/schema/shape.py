"""Shapes an object can have besides its box.

Frame of all coordinates: continuous pixels, origin at the top-left corner of the first pixel, x right, y down,
maximum exclusive - or fractions of the image's width and height when the sample's ``units`` are ``"relative"``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from labelglot.schema.record import Record

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1. May be inverted, empty or outside the image: it is data as written."""

Ring = tuple[float, ...]
"""x0, y0, x1, y1, ... in written order, not closed (the first point is not repeated)."""


class RotatedBox(Record, frozen=True, eq=False, gc=False, kw_only=True):
    """A rectangle turned in the plane: its four corners in written order are the truth.

    ``angle`` (radians, clockwise on screen, as the source stated it) is kept where known.
    """

    kind: Literal["rotated_box"] = "rotated_box"
    corners: Ring
    angle: float | None = None


class Polygon(Record, frozen=True, eq=False, gc=False, kw_only=True):
    """An area bounded by rings. Each part is an outer ring followed by its holes; parts are united."""

    kind: Literal["polygon"] = "polygon"
    parts: tuple[tuple[Ring, ...], ...]

    @property
    def has_holes(self) -> bool:
        return any(len(part) > 1 for part in self.parts)

    @classmethod
    def of(cls, *rings: Ring) -> Polygon:
        """Polygon of outer rings only."""
        return cls(parts=tuple((ring,) for ring in rings))


class Mask(Record, frozen=True, eq=False, gc=False, kw_only=True):
    """A bitmap over the full image as a COCO compressed run-length string (column-major, first run zeros).

    An empty mask (no pixel set) is a statement; no mask is ``shape=None``.
    """

    kind: Literal["mask"] = "mask"
    width: int
    height: int
    rle: str


class Polyline(Record, frozen=True, eq=False, gc=False, kw_only=True):
    """An open chain of points."""

    kind: Literal["polyline"] = "polyline"
    points: Ring


class Points(Record, frozen=True, eq=False, gc=False, kw_only=True):
    """Loose points without names. Named points of a skeleton are ``Annotation.keypoints``."""

    kind: Literal["points"] = "points"
    points: Ring


class Ellipse(Record, frozen=True, eq=False, gc=False, kw_only=True):
    """Centre, half axes, and the turn of the first axis in radians clockwise on screen. A circle has rx == ry."""

    kind: Literal["ellipse"] = "ellipse"
    cx: float
    cy: float
    rx: float
    ry: float
    angle: float = 0.0


class Cuboid(Record, frozen=True, eq=False, gc=False, kw_only=True):
    """A box in space as seen in the image: eight projected corners, front face then back face."""

    kind: Literal["cuboid"] = "cuboid"
    corners: Ring


Shape = Annotated[RotatedBox | Polygon | Mask | Polyline | Points | Ellipse | Cuboid, Field(discriminator="kind")]

ShapeKind = Literal["rotated_box", "polygon", "mask", "polyline", "points", "ellipse", "cuboid"]


class Keypoints(Record, frozen=True, eq=False, gc=False, kw_only=True):
    """Points in the order of the label's ``keypoints`` names.

    ``visibility`` per point: 0 not labelled, 1 labelled but hidden, 2 visible (COCO's meaning);
    ``None`` where the source has no such notion.
    """

    points: Ring
    visibility: tuple[int | float, ...] | None = None

    def __len__(self) -> int:
        return len(self.points) // 2
