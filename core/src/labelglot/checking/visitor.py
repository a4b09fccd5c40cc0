"""The checks: what is wrong with one sample, and what only the whole dataset can tell. They serve every format."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from labelglot.checking.catalogue import BY_CODE
from labelglot.errors import LabelglotError
from labelglot.formats.base import in_pixels
from labelglot.geometry import decode_string, is_rotated_box, is_self_crossing, ring_area
from labelglot.images import SourceImage
from labelglot.images.probe import decode
from labelglot.report import Problem, Report
from labelglot.schema import Annotation, Id, Label, Mask, Points, Polygon, Polyline, RotatedBox, Sample
from labelglot.schema.shape import Box, Ring

EDGE = 1e-3
"""Pixels a coordinate may be beyond the edge: what is left of arithmetic in single precision."""
TINY = 1.0
"""Area in square pixels below which a polygon encloses nothing."""
MOST_POINTS = 1000
"""Of longer outlines nobody is told whether they cross themselves: it takes the square of their length."""
FEW = 10
"""Objects from which on a statement about all of them means something."""


def _problem(code: str, message: str, sample: Sample, position: int | None = None, raw: object = None) -> Problem:
    id_ = None if position is None else (sample.annotations or ())[position].id
    named = message if id_ is None else f"{message} (id {id_!r})"
    shown = None if raw is None else str(raw)[:200]
    return Problem(code, named, BY_CODE[code].severity, None, sample.key, position, shown)


def look(sample: Sample, labels: Mapping[str, int | None] | None = None) -> Iterator[Problem]:
    """What is wrong with the objects of one sample.

    ``labels``: number of keypoints of each declared class (``None``: none declared); no mapping: classes are unknown.
    """
    frame = _frame(sample)
    for position, a in enumerate(sample.annotations or ()):
        for code, message, raw in _object(a, frame, sample, labels):
            yield _problem(code, message, sample, position, raw)
    for position, first in duplicates(sample.annotations or ()):
        yield _problem("object.duplicate", f"the same object as object {first}", sample, position)


def _frame(sample: Sample) -> tuple[float, float, float] | None:
    """Width, height and slack of the frame; ``None`` if the size is unknown."""
    if sample.units == "relative":
        return 1.0, 1.0, 1e-6
    return None if sample.size is None else (float(sample.size[0]), float(sample.size[1]), EDGE)


Found = tuple[str, str, Any]


def _object(
    a: Annotation, frame: tuple[float, float, float] | None, sample: Sample, labels: Mapping[str, int | None] | None
) -> Iterator[Found]:
    if a.box is not None:
        yield from _box(a.box, frame)
    rings = _rings(a)
    if not all(math.isfinite(v) for ring in rings for v in ring):
        yield "box.not-finite", "a point is NaN or infinite", None
    elif frame is not None:
        width, height, slack = frame
        outside = sum(
            not (-slack <= x <= width + slack and -slack <= y <= height + slack)
            for ring in rings
            for x, y in zip(ring[::2], ring[1::2], strict=False)
        )
        if outside:
            yield "point.outside", f"{outside} of {sum(map(len, rings)) // 2} points are outside the image", None
    if isinstance(a.shape, RotatedBox) and sample.units == "pixels" and not is_rotated_box(a.shape.corners, 1.0):
        yield "box.skewed", "its corners form no rectangle", None
    if isinstance(a.shape, Polygon):
        yield from _polygon(a.shape, sample.units == "relative")
    elif isinstance(a.shape, Mask):
        yield from _mask(a.shape, sample)
    if labels is not None and a.label is not None and a.label not in labels:
        yield "class.undeclared", f"its class {a.label!r} is not declared", a.label
    if a.keypoints is not None:
        declared = None if labels is None or a.label is None else labels.get(a.label)
        number, seen = len(a.keypoints), a.keypoints.visibility
        if declared is not None and number != declared:
            yield "keypoints.count", f"it has {number} keypoints, its class {a.label!r} has {declared}", None
        elif seen is not None and len(seen) != number:
            yield "keypoints.count", f"it has {number} keypoints, but {len(seen)} marks of visibility", None


def _box(box: Box, frame: tuple[float, float, float] | None) -> Iterator[Found]:
    x0, y0, x1, y1 = box
    if not all(map(math.isfinite, box)):
        yield "box.not-finite", "a coordinate of the box is NaN or infinite", box
    elif x1 < x0 or y1 < y0:
        yield "box.inverted", f"the box has width {x1 - x0:g} and height {y1 - y0:g}", box
    elif x1 == x0 or y1 == y0:
        yield "box.empty", f"the box has width {x1 - x0:g} and height {y1 - y0:g}", box
    elif frame is not None:
        width, height, slack = frame
        if x1 <= 0 or y1 <= 0 or x0 >= width or y0 >= height:
            yield "box.outside", f"the box lies outside the image of {width:g} x {height:g}", box
        elif x0 < -slack or y0 < -slack or x1 > width + slack or y1 > height + slack:
            over = max(-x0, -y0, x1 - width, y1 - height)
            yield "box.outside", f"the box leaves the image of {width:g} x {height:g} by {over:g}", box


def _rings(a: Annotation) -> list[Ring]:
    shape = a.shape
    rings: list[Ring] = []
    if isinstance(shape, Polygon):
        rings += [ring for part in shape.parts for ring in part]
    elif isinstance(shape, Polyline | Points):
        rings.append(shape.points)
    elif isinstance(shape, RotatedBox):
        rings.append(shape.corners)
    if a.keypoints is not None:
        seen = a.keypoints.visibility
        points = a.keypoints.points
        if seen is None:
            rings.append(points)
        else:
            rings.append(tuple(v for i, mark in enumerate(seen) if mark for v in points[2 * i : 2 * i + 2]))
    return rings


def is_degenerate(ring: Ring, relative: bool) -> bool:
    """Whether a ring encloses nothing: fewer than three points, or (in pixels) less area than one."""
    return len(ring) < 6 or not ring_area(ring) > (0.0 if relative else TINY - 1e-6)


def _polygon(shape: Polygon, relative: bool) -> Iterator[Found]:
    rings = [part[0] for part in shape.parts if part]
    small = sum(is_degenerate(ring, relative) for ring in rings)
    if small or not rings:
        number = f"{small} of {len(rings)} parts enclose" if len(rings) > 1 else "the polygon encloses"
        yield "polygon.degenerate", f"{number} nothing", [len(ring) // 2 for ring in rings]
    if any(6 < len(ring) <= 2 * MOST_POINTS and _crosses(ring) for part in shape.parts for ring in part):
        yield "polygon.crossing", "the polygon crosses itself", None


def _crosses(ring: Ring) -> bool:
    return all(map(math.isfinite, ring)) and is_self_crossing(ring)


def _mask(mask: Mask, sample: Sample) -> Iterator[Found]:
    if sample.size is not None and (mask.width, mask.height) != sample.size:
        size = f"{sample.size[0]} x {sample.size[1]}"
        yield "mask.length", f"the mask is {mask.width} x {mask.height}, the image {size}", None
        return
    try:
        decode_string(mask.rle, mask.width * mask.height)
    except LabelglotError as error:
        yield "mask.length", error.message, None


def duplicates(annotations: Sequence[Annotation]) -> Iterator[tuple[int, int]]:
    """Position of each object that has class and geometry of an earlier one, and the position of that."""
    seen: dict[Any, int] = {}
    for position, a in enumerate(annotations):
        geometry = (a.box, a.shape and _values(a.shape), a.keypoints and _values(a.keypoints))
        if geometry == (None, None, None):
            continue
        first = seen.setdefault((a.label, a.track, a.layer, a.text, *geometry), position)
        if first != position:
            yield position, first


def _values(record: Any) -> tuple[Any, ...]:
    return (type(record).__name__, *msgspec.structs.astuple(record))


class State(NamedTuple):
    """What the whole dataset has to tell. Numbers by name; ids with the first place of each; examples of the rest."""

    numbers: dict[str, int]
    ids: dict[Id, tuple[str, int]]
    repeated: list[tuple[Id, str, int]]
    parents: list[tuple[Id, str, int]]
    keys: set[str]
    again: list[str]
    missing: list[str]
    largest: list[float]
    used: set[str]


class CheckVisitor:
    """Checks all samples of a dataset; see :func:`labelglot.engine.scan.scan`. ``finish`` gives problems of the whole.

    ``labels``: the declared classes, ``None`` if the format declares none. ``decode``: look at every pixel, not only at
    the headers of images.
    """

    def __init__(self, labels: Sequence[Label] | None, decode: bool = False) -> None:
        self.labels = None if labels is None else {
            label.key: None if label.keypoints is None else len(label.keypoints) for label in labels
        }
        self.decode = decode

    def start(self) -> State:
        return State({}, {}, [], [], set(), [], [], [0.0], set())

    def update(self, state: State, sample: Sample, ordinal: int, report: Report) -> None:
        add = state.numbers
        _add(add, "samples", 1)
        _add(add, "objects", len(sample.annotations or ()))
        if sample.key in state.keys:
            state.again.append(sample.key)
        state.keys.add(sample.key)
        for problem in self._image(state, sample):
            report.add_problem(problem)
        sized = in_pixels(sample)
        for problem in look(sized, self.labels):
            report.add_problem(problem)
        for position, a in enumerate(sized.annotations or ()):
            self._count(state, sized, a, position)

    def _image(self, state: State, sample: Sample) -> Iterator[Problem]:
        image = sample.image
        if image is None:
            state.missing.append(sample.key)
            return
        if isinstance(image, SourceImage):
            state.used.add(f"{image.source.where}/{image.path}")
        try:
            info = image.info()
            if self.decode:
                decode(image.read())
        except (LabelglotError, OSError) as error:
            place = getattr(error, "place", None)
            message = error.message if isinstance(error, LabelglotError) else str(error)
            yield _problem("image.corrupt", message, sample)._replace(place=place)
            return
        if sample.size is None or sample.size == (info.width, info.height):
            return
        declared = f"{sample.size[0]} x {sample.size[1]}"
        if sample.size == (info.stored_width, info.stored_height):
            message = f"{declared} is declared, but it is shown as {info.width} x {info.height} (EXIF {info.orientation})"
            yield _problem("size.exif", message, sample)
        else:
            yield _problem("size.wrong", f"{declared} is declared, the image is {info.width} x {info.height}", sample)

    def _count(self, state: State, sample: Sample, a: Annotation, position: int) -> None:
        if a.id is not None and a.track is None:
            _add(state.numbers, "ids", 1)
            if a.id in state.ids:
                state.repeated.append((a.id, sample.key, position))
            else:
                state.ids[a.id] = (sample.key, position)
        if a.parent is not None:
            state.parents.append((a.parent, sample.key, position))
        _add(state.numbers, "crowds", int(bool(a.attributes.get("crowd"))))
        if a.box is None or not all(map(math.isfinite, a.box)):
            return
        x0, y0, x1, y1 = a.box
        if sample.units == "pixels":
            _add(state.numbers, "boxes", 1)
            state.largest[0] = max(state.largest[0], abs(x0), abs(y0), abs(x1), abs(y1))
            _add(state.numbers, "minus", int(x0 == -1 or y0 == -1))
            _add(state.numbers, "beyond", int(x0 < -1 or y0 < -1))
            _add(state.numbers, "one", int(x0 == 1 or y0 == 1))
            _add(state.numbers, "zero", int(x0 < 1 or y0 < 1))
            _add(state.numbers, "fractions", int(not all(v.is_integer() for v in map(float, a.box))))

    def merge(self, state: State, later: State) -> State:
        for name, number in later.numbers.items():
            _add(state.numbers, name, number)
        for id_, place in later.ids.items():
            if id_ in state.ids:
                state.repeated.append((id_, *place))
            else:
                state.ids[id_] = place
        state.again.extend(sorted(state.keys & later.keys))
        state.keys.update(later.keys)
        state.largest[0] = max(state.largest[0], later.largest[0])
        state.used.update(later.used)
        for mine, theirs in (
            (state.repeated, later.repeated), (state.parents, later.parents), (state.again, later.again),
            (state.missing, later.missing),
        ):  # fmt: skip
            mine.extend(theirs)  # type: ignore[arg-type]
        return state

    def finish(self, state: State) -> tuple[State, list[Problem]]:
        return state, list(self._whole(state))

    def _whole(self, state: State) -> Iterator[Problem]:
        number = {name: state.numbers.get(name, 0) for name in _NAMES}
        # Ids that start anew in every image are repeated everywhere; that is how some formats number.
        if len(state.repeated) * 10 <= number["ids"] or number["samples"] == 1:
            for id_, key, position in state.repeated:
                message = f"id {id_!r} is that of object {state.ids[id_][1]} of {state.ids[id_][0]} as well"
                yield _of("id.duplicate", message, key, position)
        for parent, key, position in state.parents:
            if parent not in state.ids:
                yield _of("id.dangling", f"its parent {parent!r} is not there", key, position)
        for key in state.again:
            yield _of("image.listed-twice", "there is another entry for this image", key)
        if len(state.missing) < number["samples"] or state.used:
            for key in state.missing:
                yield _of("image.missing", "there is no file for this image", key)
        elif state.missing:
            message = f"there is no image file at all, for {len(state.missing):,} images; sizes are not checked"
            yield _of("image.missing", message)._replace(severity="info")
        if number["objects"] >= 2 and number["crowds"] == number["objects"]:
            yield _of("crowd.all", f"all {number['crowds']:,} objects are marked as crowd")
        if number["boxes"] and 0 < state.largest[0] <= 1:
            yield _of("suspicious.unit", f"no coordinate of {number['boxes']:,} boxes is above 1 pixel")
        elif number["minus"] and not number["beyond"]:
            message = f"{number['minus']:,} boxes begin at exactly -1 and none before it, as if 1 had been taken off a 0"
            yield _of("suspicious.origin", message)
        elif number["one"] >= FEW and not number["zero"] and not number["fractions"]:
            message = f"{number['one']:,} boxes begin at exactly 1, none of {number['boxes']:,} before it: is it 1-based?"
            yield _of("suspicious.origin", message)._replace(severity="info")


_NAMES = ("samples", "objects", "ids", "crowds", "boxes", "minus", "beyond", "one", "zero", "fractions")


def _of(code: str, message: str, key: str | None = None, position: int | None = None) -> Problem:
    return Problem(code, message, BY_CODE[code].severity, None, key, position)


def _add(counts: dict[str, int], name: str, number: int) -> None:
    counts[name] = counts.get(name, 0) + number
