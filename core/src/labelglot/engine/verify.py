"""Read what was written and compare it with what was promised, before it appears at the target."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, get_origin

from labelglot.comparison import Change, Pairs, by_likeness, by_position, compare
from labelglot.engine.chunk import Work
from labelglot.engine.output import Job
from labelglot.errors import LabelglotError, OptionError, VerifyError
from labelglot.formats.base import COMPARED, Format, in_pixels
from labelglot.geometry import is_rotated_box, points
from labelglot.options import parse_options
from labelglot.projection.losses import LossSink
from labelglot.projection.project import SampleReducer
from labelglot.report import Loss, Report
from labelglot.schema import Dataset, Label, Mask, Partition, Polygon, Record, Ring, RotatedBox, Sample, Tag
from labelglot.schema.dataset import IndexEntry

SMALL_SAMPLES, SMALL_OBJECTS = COMPARED, 20_000
"""Up to this many, reading everything again takes a moment: conversions do it unless told not to."""

GEOMETRY = frozenset({"box", "shape", "keypoints"})
JUDGED = GEOMETRY | {"sample", "annotation", "label", "splits", "tags"}
"""Differences that are errors. All else is held by the formats' own tests."""

PRECISION = 0.01, 1e-5
"""Pixels, or share of the image, by which a coordinate may differ: what turning a box into an angle and back costs."""

SHOWN = 3

Count = Counter[tuple[str, str]]
"""Objects by (split, class); images by (split, "")."""


class Promised:
    """The samples of a conversion as its projection left them: what the target must say."""

    def __init__(self, job: Job, work: Sequence[Work]) -> None:
        self.job, self.work, self.ordinal = job, work, 0
        self.misfits: set[tuple[str, int]] = set()
        """Objects whose mask is not as large as their image, by sample key and position."""
        self.relative: set[str] = set()
        """Keys of samples whose coordinates are shares of an image of unknown size."""

    def __len__(self) -> int:
        return sum(map(len, self.work))

    def partitions(self, n: int) -> Sequence[Partition]:
        return [self]

    def index(self) -> Iterator[IndexEntry] | None:
        return None

    def read(self, report: Report) -> Iterator[Sample]:
        reducer, sink = SampleReducer(self.job.holds, self.job.plan), LossSink()
        for work in self.work:
            number = work.first_annotation
            for ordinal, sample in enumerate(work.partition.read(report), work.ordinal):
                reduced, _ = reducer.reduce(in_pixels(sample), ordinal, number, sink)
                number += len(sample.annotations or ())
                if reduced is not None:
                    if reduced.units == "relative":
                        self.relative.add(reduced.key)
                    for i, a in enumerate(reduced.annotations or ()):
                        if reduced.size and isinstance(a.shape, Mask) and (a.shape.width, a.shape.height) != reduced.size:
                            self.misfits.add((reduced.key, i))
                    yield reduced


class _Counting:
    """Counts what passes; ``alone``: without regard to splits."""

    def __init__(self, labels: Sequence[Label], alone: bool) -> None:
        self.alone = alone
        self.names = {label.key: label.name for label in labels}
        self.count: Count = Counter()

    def __call__(self, sample: Sample) -> Sample:
        split = "" if self.alone else sample.split or ""
        self.count[split, ""] += 1
        for a in sample.annotations or ():
            self.count[split, self.names.get(a.label or "", a.label or "no class")] += 1
        return sample


def verify(job: Job, work: Sequence[Work], reread: Callable[[], Dataset], report: Report, failed: int) -> None:
    """Raise :class:`VerifyError` unless the dataset that ``reread`` opens is what was promised.

    ``failed``: samples that could not be written, which the report says already. A split that one file cannot say by its
    name is a loss, not a fault.
    """
    alone = job.context.single is not None
    if not report.counts.get("samples.written"):
        return
    stream = Promised(job, work)
    promised = Dataset(stream, job.context.labels, job.context.info)
    missing, wrong, number = 0, 0, Counter[str]()
    first: list[Change] = []
    mine = _Counting(job.context.labels, alone)
    try:
        written = reread()
        theirs = _Counting(written.labels, alone)
        for change in compare(promised.map(mine), written.map(theirs), pairing=_pairs):
            within = PRECISION[change.key in stream.relative]
            if change.aspect not in JUDGED or (change.aspect in GEOMETRY and _near(change.before, change.after, within)):
                continue
            broken = _broken(change, stream)
            if broken is not None:
                code, message = broken
                report.problem(code, message, key=change.key, object=change.object, action="not what the target returns")
                continue
            if change.aspect == "tags" and _said(change.before) == _said(change.after):
                continue
            if change.aspect == "splits" and alone:
                detail = f"{'+'.join(change.before) or 'no split'}, which the name of the file does not tell"
                report.lose(Loss("split", "splits", change.key, None, detail))
                continue
            if change.aspect == "sample" and change.after is None and missing < failed:
                missing += 1
                continue
            wrong += 1
            number[change.aspect] += 1
            if len(first) < SHOWN:
                first.append(change)
    except LabelglotError as error:
        raise _error(f"what was written cannot be read again: {error}") from error
    if wrong:
        raise _error("; ".join([*_counts(mine.count, theirs.count, failed), *map(_sentence, first)]))
    report.count("samples.verified", sum(n for (_, label), n in theirs.count.items() if not label))
    report.count("annotations.verified", sum(n for (_, label), n in theirs.count.items() if label))


def _pairs(a: Sample, b: Sample) -> Pairs:
    """By position, or by likeness where objects are missing, so that one does not look like all behind it."""
    same = len(a.annotations or ()) == len(b.annotations or ())
    return by_position(a, b) if same else by_likeness(a, b)


def _broken(change: Change, stream: Promised) -> tuple[str, str] | None:
    """Code and words for a geometry that was broken already, so that no reader need return it."""
    before = change.before
    if change.aspect == "annotation" and change.after is None:
        before = before.shape
    elif change.aspect not in GEOMETRY:
        return None
    if isinstance(before, Polygon) and any(len(ring) < 6 for part in before.parts for ring in part):
        return "polygon.degenerate", "the polygon has fewer than three points"
    if isinstance(before, RotatedBox) and not is_rotated_box(before.corners, PRECISION[0]):
        return "box.skewed", "the rotated box is no rectangle"
    if (change.key, change.object) in stream.misfits:
        return "mask.length", f"the mask of {before.width} x {before.height} pixels is not as large as the image"
    numbers = before if isinstance(before, tuple) else ()
    if not all(map(math.isfinite, numbers)):
        return "box.not-finite", "a coordinate of the box is NaN or infinite"
    return None


def _said(tags: Sequence[Tag]) -> list[tuple[str | None, str | None, bool]]:
    """What tags say of an image, without who said it and how sure."""
    return [(tag.label, tag.text, tag.negative) for tag in tags]


def _near(a: Any, b: Any, within: float) -> bool:
    """Whether two geometries are of one kind and their numbers close."""
    if isinstance(a, float | int) and isinstance(b, float | int):
        return abs(a - b) <= within or a == b or (a != a and b != b)
    if type(a) is not type(b):
        return False
    if isinstance(a, RotatedBox):
        mine, theirs = points(a.corners), points(b.corners)
        return len(mine) == len(theirs) and all(any(_near(p, q, within) for q in theirs) for p in mine)
    if isinstance(a, Polygon):
        first, second = (tuple(tuple(map(_open, part)) for part in each.parts) for each in (a, b))
        return _near(first, second, within)
    if isinstance(a, tuple):
        return len(a) == len(b) and all(_near(x, y, within) for x, y in zip(a, b, strict=True))
    if isinstance(a, Record):
        return all(_near(getattr(a, name), getattr(b, name), within) for name in a.__struct_fields__)
    return bool(a == b)


def _open(ring: Ring) -> Ring:
    """A ring without its first point at its end."""
    while len(ring) > 2 and ring[-2:] == ring[:2]:
        ring = ring[:-2]
    return ring


def _error(what: str) -> VerifyError:
    return VerifyError(
        f"the output is not what was promised, and was not kept: {what}",
        hint="if the source did not change meanwhile, please report it; --no-verify keeps the output as it is",
    )


def _counts(mine: Count, theirs: Count, failed: int) -> Iterator[str]:
    for split, label in sorted({*mine, *theirs}):
        promised, found = mine[split, label], theirs[split, label]
        if promised != found and not (failed and not label and 0 < promised - found <= failed):
            what = f"objects of class {label!r}" if label else "images"
            yield f"{found:,} {what}{f' in {split}' if split else ''} instead of {promised:,}"


def _sentence(change: Change) -> str:
    place = change.key if change.object is None else f"{change.key}, object {change.object}"
    if change.aspect in ("sample", "annotation"):
        return f"{place} is {'gone' if change.after is None else 'new'}"
    return f"{place}: {change.aspect} {_short(change.before)} became {_short(change.after)}"


def _short(value: Any, length: int = 80) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= length else text[: length - 1] + "…"


def _both_choices(a: Any, b: Any) -> bool:
    return get_origin(a) is Literal and get_origin(b) is Literal


def options_to_read(writer: Format, chosen: Any) -> Mapping[str, Any]:
    """Options with which the reader understands what these write options made: those of the same name and kind."""
    found: dict[str, Any] = {}
    for name, field in type(chosen).model_fields.items():
        other = writer.ReadOptions.model_fields.get(name)
        if other is None or name not in chosen.model_fields_set:
            continue
        if field.annotation != other.annotation and not _both_choices(field.annotation, other.annotation):
            continue
        value = {name: getattr(chosen, name)}
        try:
            parse_options(writer.ReadOptions, value, writer.id)
        except OptionError:
            continue
        found |= value
    return found
