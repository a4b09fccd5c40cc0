"""Safe fixes: those that every careful reader of the data would make. Each is written down and can be taken back.

The log is JSON lines, one fix a line: the object, what it was and what it became. Taking it back needs the fixed
dataset, in any format that keeps the order of objects, and the log.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from labelglot.checking.visitor import duplicates, is_degenerate
from labelglot.comparison import same_geometry
from labelglot.errors import LabelglotError, SourceError
from labelglot.formats.base import in_pixels
from labelglot.geometry import clip_box
from labelglot.report import Fix, Report
from labelglot.schema import Annotation, Dataset, Polygon, Sample, from_plain, to_plain, with_seen
from labelglot.schema.shape import Box


class Fixer:
    """Fixes samples on their way; use it as ``dataset.map(Fixer(bound), reports=True)``.

    ``bound``: extras tied to geometry, see ``Format.geometry_bound_extra``.
    """

    def __init__(self, bound: frozenset[tuple[str, str]] = frozenset()) -> None:
        self.bound = bound

    def __call__(self, sample: Sample, report: Report) -> Sample:
        fixed, fixes = fix_sample(sample, self.bound)
        for fix in fixes:
            report.fix(fix)
        return fixed


def fix_sample(sample: Sample, bound: frozenset[tuple[str, str]] = frozenset()) -> tuple[Sample, tuple[Fix, ...]]:
    """The sample with its safe fixes applied, and what they were. One without any is returned as it is."""
    if not sample.annotations:
        return sample, ()
    sized = in_pixels(sample)
    frame = (1.0, 1.0) if sized.units == "relative" else sized.size and (float(sized.size[0]), float(sized.size[1]))
    fixes: list[Fix] = []
    objects: list[Annotation] = []
    for position, a in enumerate(sized.annotations or ()):
        fixed = a
        for code, message, changed in _steps(a, frame, sized.units == "relative"):
            after = changed.with_geometry(changed.box, changed.shape, changed.keypoints, bound)
            fixes.append(_fix(code, message, sample.key, position, fixed, after))
            fixed = after
        objects.append(fixed)
    for position, first in reversed([(p, f) for p, f in duplicates(objects) if _alike(objects[p], objects[f])]):
        before = to_plain(objects[position])
        message = f"the copy of object {first} is removed"
        fixes.append(Fix("object.duplicate", message, sample.key, position, before, None))
        del objects[position]
    return (sized.replace(annotations=tuple(objects)) if fixes else sample), tuple(fixes)


def _alike(a: Annotation, b: Annotation) -> bool:
    """Whether one is a copy of the other: all is the same but the number."""
    return a.replace(id=None) == b.replace(id=None)


_Step = tuple[str, str, Annotation]


def _steps(a: Annotation, frame: tuple[float, float] | None, relative: bool) -> Iterator[_Step]:
    if isinstance(a.shape, Polygon):
        parts = tuple(part for part in a.shape.parts if part and not is_degenerate(part[0], relative))
        gone = len(a.shape.parts) - len(parts)
        if gone and (parts or a.box is not None):
            a = a.replace(shape=Polygon(parts=parts) if parts else None)
            yield "polygon.degenerate", f"{gone} part{'s' * (gone > 1)} without area removed", a
    if a.box is None:
        return
    box = a.box
    if all(map(math.isfinite, box)) and (box[2] < box[0] or box[3] < box[1]):
        box = (min(box[0], box[2]), min(box[1], box[3]), max(box[0], box[2]), max(box[1], box[3]))
        a = a.replace(box=box)
        yield "box.inverted", "the corners of the box are put in order", a
    if not all(map(math.isfinite, box)) or box[2] == box[0] or box[3] == box[1]:
        around = _around(a)
        if around is None:
            return
        code = "box.empty" if all(map(math.isfinite, box)) else "box.not-finite"
        box = around
        a = a.replace(box=box)
        yield code, "the box is taken from the object's outline", a
    if frame is not None:
        cut = clip_box(box, *frame)
        if cut != box and cut[2] > cut[0] and cut[3] > cut[1]:
            yield "box.outside", f"the box is cut at the edge of the image, {_shown(box)} -> {_shown(cut)}", a.replace(box=cut)


def _shown(box: Box) -> str:
    return "(" + ", ".join(f"{v:g}" for v in box) + ")"


def _around(a: Annotation) -> Box | None:
    """The box around an object's outline, if it has a sound one."""
    from labelglot.projection.ladder import bounds

    if a.shape is None:
        return None
    try:
        box = bounds(a.shape)
    except (LabelglotError, ValueError):
        return None
    sound = box is not None and all(map(math.isfinite, box)) and box[2] > box[0] and box[3] > box[1]
    return box if sound else None


def _fix(code: str, message: str, key: str, position: int, before: Annotation, after: Annotation) -> Fix:
    names = [name for name in ("box", "shape", "keypoints", "extra") if getattr(before, name) != getattr(after, name)]
    was, becomes = to_plain(before), to_plain(after)
    return Fix(
        code, message, key, position, {name: was.get(name) for name in names}, {name: becomes.get(name) for name in names}
    )


def save_fixes(fixes: Iterable[Fix], place: str | Path) -> None:
    """Write a log of fixes as JSON lines."""
    with Path(place).open("wb") as stream:
        for fix in fixes:
            stream.write(msgspec.json.encode(fix._asdict()) + b"\n")


def load_fixes(place: str | Path) -> tuple[Fix, ...]:
    """The fixes of a log. Raises :class:`SourceError` with the line that is none."""
    found = []
    try:
        lines = Path(place).read_bytes().splitlines()
    except OSError as error:
        raise SourceError(f"the log of fixes cannot be read: {error.strerror}", str(place)) from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(msgspec.convert(msgspec.json.decode(line), _Line).fix())
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise SourceError(f"this is no fix: {error}", f"{place}:{number}", "name a log that --fix-log wrote") from error
    return tuple(found)


class _Line(msgspec.Struct):
    code: str
    message: str
    key: str
    object: int
    before: dict[str, Any]
    after: dict[str, Any] | None

    def fix(self) -> Fix:
        return Fix(*(getattr(self, name) for name in Fix._fields))


def undo_fixes(dataset: Dataset, fixes: Sequence[Fix]) -> Dataset:
    """The dataset as it was before these fixes, lazily. What has been changed since is left alone, with a problem."""
    removed = [fix.before.get("label") for fix in fixes if fix.after is None]
    seen = [label for label in removed if isinstance(label, str)]
    labels = with_seen(dataset.labels, seen) if dataset.labels_complete else dataset.labels
    return dataset.replace(labels=labels).map(Undo(fixes), reports=True)


class Undo:
    """Takes fixes back, sample by sample, the last one first."""

    def __init__(self, fixes: Iterable[Fix]) -> None:
        self.fixes: dict[str, list[Fix]] = {}
        for fix in fixes:
            self.fixes.setdefault(fix.key, []).append(fix)

    def __call__(self, sample: Sample, report: Report) -> Sample:
        fixes = self.fixes.get(sample.key) or self.fixes.get(sample.path)
        if not fixes:
            return sample
        sample = in_pixels(sample)
        objects = list(sample.annotations or ())
        for fix in reversed(fixes):
            old = from_plain({name: value for name, value in fix.before.items() if value is not None}, Annotation)
            if fix.after is None:
                objects.insert(min(fix.object, len(objects)), old)
                continue
            new = from_plain({name: value for name, value in fix.after.items() if value is not None}, Annotation)
            now = objects[fix.object] if fix.object < len(objects) else None
            if now is None or not all(same_geometry(getattr(now, n), getattr(new, n)) for n in fix.after if n in _GEOMETRY):
                message = f"it is no longer what the fix made of it ({fix.message})"
                report.problem("fix.changed", message, key=sample.key, object=fix.object, action="left as it is")
                continue
            objects[fix.object] = now.replace(**{name: getattr(old, name) for name in fix.before})
        return sample.replace(annotations=tuple(objects))


_GEOMETRY = ("box", "shape", "keypoints")
