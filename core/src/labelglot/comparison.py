"""What differs between two samples or datasets, in the vocabulary of losses.

Coordinates are compared with a tolerance (``labelglot.tolerance``). Which annotations belong together is a strategy:
by position (default), by likeness, or any function that yields pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from labelglot.geometry import box_iou
from labelglot.schema.annotation import Annotation
from labelglot.schema.dataset import Dataset
from labelglot.schema.label import Label
from labelglot.schema.sample import Sample
from labelglot.schema.shape import Box, Keypoints, Polygon
from labelglot.tolerance import close, close_numbers

Pairs = Iterable[tuple[int | None, int | None]]
Pairing = Callable[[Sample, Sample], Pairs]


class Change(NamedTuple):
    """One difference. ``key``: sample (``None``: dataset), ``object``: position of the annotation or label key."""

    aspect: str
    key: str | None
    object: int | str | None
    before: Any
    after: Any


def by_position(a: Sample, b: Sample) -> Pairs:
    """Pair annotations by their place in the tuple."""
    x, y = len(a.annotations or ()), len(b.annotations or ())
    return ((i if i < x else None, i if i < y else None) for i in range(max(x, y)))


def by_trace(trace: Sequence[int]) -> Pairing:
    """Pair by the trace of a projection: output j came from input ``trace[j]``; further pieces are additions."""

    def pairs(a: Sample, b: Sample) -> Pairs:
        first: dict[int, int] = {}
        for j, i in enumerate(trace):
            first.setdefault(i, j)
        yield from ((i, first.get(i)) for i in range(len(a.annotations or ())))
        yield from ((None, j) for j, i in enumerate(trace) if first[i] != j)

    return pairs


ALIKE = 0.5
"""Two objects whose bounds overlap less than this (intersection over union) are not the same object."""


def by_likeness(a: Sample, b: Sample) -> Pairs:
    """Pair annotations that look like the same object, wherever they stand: those that overlap most, of the same class
    first. Objects without extent are paired by class and order.
    """
    scale = _scale(a, b)
    mine = [_outline(annotation, (1.0, 1.0)) for annotation in a.annotations or ()]
    theirs = [_outline(annotation, scale) for annotation in b.annotations or ()]
    pairs: dict[int, int] = {i: i for i, outline in enumerate(mine[: len(theirs)]) if _same(outline, theirs[i])}
    left = [j for j in range(len(theirs)) if j not in pairs]
    scored = []
    for i, (label, box) in enumerate(mine):
        if i in pairs:
            continue
        for j in left:
            score = _likeness(label, box, *theirs[j])
            if score > 0:
                scored.append((-score, i, j))
    taken: set[int] = set()
    for _, i, j in sorted(scored):
        if i not in pairs and j not in taken:
            pairs[i] = j
            taken.add(j)
    yield from ((i, pairs.get(i)) for i in range(len(mine)))
    yield from ((None, j) for j in left if j not in taken)


Outline = tuple[str | None, Box | None]


def _outline(annotation: Annotation, scale: tuple[float, float]) -> Outline:
    from labelglot.projection.ladder import bounds

    for geometry in (annotation.box, annotation.shape, annotation.keypoints):
        box = None if geometry is None else bounds(geometry)
        if box is not None:
            return annotation.label, (box[0] * scale[0], box[1] * scale[1], box[2] * scale[0], box[3] * scale[1])
    return annotation.label, None


def _likeness(label: str | None, box: Box | None, other_label: str | None, other: Box | None) -> float:
    """0: not the same object; else the overlap, one more if the class is the same."""
    if box is None or other is None:
        return 1.0 if box is other and label == other_label else 0.0
    overlap = 1.0 if close_numbers(box, other) else box_iou(box, other)
    return 0.0 if overlap < ALIKE else overlap + (label == other_label)


def _scale(a: Sample, b: Sample) -> tuple[float, float]:
    """What brings coordinates of ``b`` into the frame of ``a``."""
    if a.units == "pixels" and b.units == "relative" and a.size is not None:
        return float(a.size[0]), float(a.size[1])
    if a.units == "relative" and b.units == "pixels" and b.size is not None and all(b.size):
        return 1 / b.size[0], 1 / b.size[1]
    return 1.0, 1.0


_SAMPLE_FIELDS = ("path", "id", "uri", "size", "units", "splits", "sequence", "frame", "timestamp", "tags")
_FACTS = ("label", "text", "id", "track", "group", "parent", "score", "layer")


def compare_samples(a: Sample, b: Sample, pairing: Pairing = by_position) -> Iterator[Change]:
    """Differences of two samples that show the same image."""
    key = a.key
    for field in _SAMPLE_FIELDS:
        before, after = getattr(a, field), getattr(b, field)
        if not _same(before, after):
            yield Change(field, key, None, before, after)
    yield from _bags("attributes", key, None, a.attributes, b.attributes)
    yield from _bags("extra", key, None, a.extra, b.extra)
    if (a.annotations is None) != (b.annotations is None):
        yield Change("annotations", key, None, a.annotations, b.annotations)
    scale = _scale(a, b)
    for i, j in pairing(a, b):
        before = None if i is None else (a.annotations or ())[i]
        after = None if j is None else (b.annotations or ())[j]
        if before is None or after is None:
            yield Change("annotation", key, i, before, after)
        else:
            yield from compare_annotations(before, after, key, i, scale)


def compare_annotations(
    a: Annotation, b: Annotation, key: str | None, position: int | None, scale: tuple[float, float] = (1.0, 1.0)
) -> Iterator[Change]:
    """Differences of two objects. ``scale`` brings the coordinates of ``b`` into the frame of ``a``."""
    if a is b:
        return
    if scale != (1.0, 1.0):
        from labelglot.projection.coordinates import map_points

        b = b.replace(
            box=b.box and map_points(b.box, *scale),
            shape=b.shape and map_points(b.shape, *scale),
            keypoints=b.keypoints and map_points(b.keypoints, *scale),
        )
    for name in ("box", "shape", "keypoints"):
        if not same_geometry(getattr(a, name), getattr(b, name)):
            yield Change(name, key, position, getattr(a, name), getattr(b, name))
    for name in _FACTS:
        before, after = getattr(a, name), getattr(b, name)
        if not _same(before, after):
            yield Change(name, key, position, before, after)
    yield from _bags("attributes", key, position, a.attributes, b.attributes)
    yield from _bags("extra", key, position, a.extra, b.extra)


def same_geometry(a: Any, b: Any) -> bool:
    """Whether two geometries are of the same kind and equal up to the tolerance."""
    if a is b:
        return True
    if a is None or b is None or type(a) is not type(b):
        return False
    if isinstance(a, tuple):
        return close_numbers(a, b)
    if isinstance(a, Polygon):
        return len(a.parts) == len(b.parts) and all(
            len(p) == len(q) and all(map(close_numbers, p, q)) for p, q in zip(a.parts, b.parts, strict=True)
        )
    if isinstance(a, Keypoints):
        return close_numbers(a.points, b.points) and a.visibility == b.visibility
    return all(_same(getattr(a, name), getattr(b, name)) for name in a.__struct_fields__)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return close(a, b)
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    return type(a) is type(b) and bool(a == b)


def _bags(
    name: str, key: str | None, position: int | None, a: Mapping[str, Any], b: Mapping[str, Any]
) -> Iterator[Change]:
    if a is b:
        return
    for entry in dict.fromkeys((*a, *b)):
        before, after = a.get(entry), b.get(entry)
        if entry not in a or entry not in b or not _same(before, after):
            yield Change(f"{name}.{entry}", key, position, before, after)


def compare_labels(a: Sequence[Label], b: Sequence[Label], keys: Mapping[str, str] | None = None) -> Iterator[Change]:
    """Differences of two class tables. ``keys``: the key in ``b`` of each key in ``a`` that is still there."""
    mapped = {label.key: label.key if keys is None else keys.get(label.key) for label in a}
    theirs: dict[str | None, Label] = {label.key: label for label in b}
    for label in a:
        other = theirs.get(mapped[label.key])
        if other is None:
            yield Change("labels", None, label.key, label, None)
            continue
        for field in ("name", "id", "parent", "color", "keypoints", "skeleton", "keypoint_flip", "attributes"):
            if getattr(label, field) != getattr(other, field):
                yield Change(f"labels.{field}", None, label.key, getattr(label, field), getattr(other, field))
        for change in _bags("labels.extra", None, None, label.extra, other.extra):
            yield change._replace(object=label.key)
    known = set(mapped.values())
    for label in b:
        if label.key not in known:
            yield Change("labels", None, label.key, None, label)
    order = list(dict.fromkeys(mapped[label.key] for label in a if mapped[label.key] in theirs))
    if order != [label.key for label in b if label.key in known]:
        yield Change("labels.order", None, None, order, [label.key for label in b])


def compare_info(a: Any, b: Any) -> Iterator[Change]:
    """Differences of what two datasets say about themselves."""
    for field in ("name", "description", "version", "licenses", "url"):
        if getattr(a, field) != getattr(b, field):
            yield Change(f"info.{field}", None, None, getattr(a, field), getattr(b, field))
    yield from _bags("info.extra", None, None, a.extra, b.extra)


def compare(
    a: Dataset,
    b: Dataset,
    *,
    labels: Mapping[str, str] | None = None,
    paths: Mapping[str, str] | None = None,
    traces: Mapping[str, Sequence[int]] | None = None,
    places: Mapping[str, int] | None = None,
    pairing: Pairing = by_position,
) -> Iterator[Change]:
    """Differences of two datasets: info, classes, then samples.

    Samples are matched by key, then by path. ``labels`` and ``paths`` say what became of label keys (all that are still
    there) and sample keys (those that changed);
    with ``traces`` annotations are paired by what a projection did instead of by ``pairing``; with ``places`` samples are
    matched by what it did: position in ``b`` by key in ``a``, for those that are still there.
    """
    keys = labels or {}
    yield from compare_info(a.info, b.info)
    yield from compare_labels(a.labels, b.labels, labels)
    theirs = _Waiting(iter(b))
    for sample in a:
        path = (paths or {}).get(sample.key, sample.path)
        if places is not None:
            other = theirs.by_place(places[sample.key]) if sample.key in places else None
        else:
            other = theirs.by_key(sample.key) if path == sample.path else None
            other = other or theirs.by_path(path, sample.splits)
        if other is None:
            yield Change("sample", sample.key, None, sample, None)
            continue
        how = pairing if traces is None else by_trace(traces.get(sample.key, ()))
        yield from compare_samples(_renamed(sample, keys), other, how)
    for other in theirs.rest():
        yield Change("sample", other.key, None, None, other)


class _Waiting:
    """Samples that have no partner yet. They are read on as far as needed, so that two datasets in the same order never
    have to fit in memory.
    """

    def __init__(self, samples: Iterator[Sample]) -> None:
        self._samples = samples
        self._waiting: dict[int, Sample] = {}
        self._keys: dict[str, list[int]] = {}
        self._paths: dict[str, list[int]] | None = None
        self._number = 0

    def by_key(self, key: str) -> Sample | None:
        while key not in self._keys:
            if self._read() is None:
                return None
        return self._take(self._keys[key][0])

    def by_place(self, place: int) -> Sample | None:
        while self._number <= place:
            if self._read() is None:
                return None
        return self._take(place) if place in self._waiting else None

    def by_path(self, path: str, splits: tuple[str, ...]) -> Sample | None:
        """One with this path, best one of the same splits. Everything has to be read to tell."""
        if self._paths is None:
            while self._read() is not None:
                pass
            self._paths = {}
            for number, sample in self._waiting.items():
                self._paths.setdefault(sample.path, []).append(number)
        found = [number for number in self._paths.get(path, ()) if number in self._waiting]
        same = [number for number in found if self._waiting[number].splits == splits]
        return self._take((same or found)[0]) if found else None

    def rest(self) -> Iterator[Sample]:
        yield from self._waiting.values()
        yield from self._samples

    def _read(self) -> Sample | None:
        sample = next(self._samples, None)
        if sample is not None:
            self._waiting[self._number] = sample
            self._keys.setdefault(sample.key, []).append(self._number)
            self._number += 1
        return sample

    def _take(self, number: int) -> Sample:
        sample = self._waiting.pop(number)
        numbers = self._keys[sample.key]
        numbers.remove(number)
        if not numbers:
            del self._keys[sample.key]
        return sample


def _renamed(sample: Sample, keys: Mapping[str, str]) -> Sample:
    """The sample with its labels under their new keys, so that a renamed class is one change, not one per object."""
    if not any(k != v for k, v in keys.items()):
        return sample
    annotations = sample.annotations and tuple(
        a if a.label is None else a.replace(label=keys.get(a.label, a.label)) for a in sample.annotations
    )
    tags = tuple(t if t.label is None else t.replace(label=keys.get(t.label, t.label)) for t in sample.tags)
    return sample.replace(annotations=annotations, tags=tags)
