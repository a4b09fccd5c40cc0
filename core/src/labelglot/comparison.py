"""What differs between two samples or datasets, in the vocabulary of losses.

Coordinates are compared with a tolerance (``labelglot.tolerance``). Which annotations belong together is a strategy:
by position (default), or any function that yields pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from labelglot.schema.annotation import Annotation
from labelglot.schema.dataset import Dataset
from labelglot.schema.label import Label
from labelglot.schema.sample import Sample
from labelglot.schema.shape import Keypoints, Polygon
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
    scale = (1.0, 1.0)
    if a.units == "pixels" and b.units == "relative" and a.size is not None:
        scale = (float(a.size[0]), float(a.size[1]))
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
    order = [mapped[label.key] for label in a if mapped[label.key] in theirs]
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
    pairing: Pairing = by_position,
) -> Iterator[Change]:
    """Differences of two datasets: info, classes, then samples.

    Samples are matched by key, then by path. ``labels`` and ``paths`` say what became of label keys (all that are still
    there) and sample keys (those that changed);
    with ``traces`` annotations are paired by what a projection did instead of by ``pairing``.
    """
    keys = labels or {}
    yield from compare_info(a.info, b.info)
    yield from compare_labels(a.labels, b.labels, labels)
    theirs = list(b)
    by_key = {sample.key: i for i, sample in enumerate(theirs)}
    by_path: dict[str, list[int]] = {}
    for i, sample in enumerate(theirs):
        by_path.setdefault(sample.path, []).append(i)
    used: set[int] = set()
    for sample in a:
        path = (paths or {}).get(sample.key, sample.path)
        place = by_key.get(sample.key) if path == sample.path else None
        if place is None or place in used:
            found = [i for i in by_path.get(path, ()) if i not in used]
            place = next((i for i in found if theirs[i].splits == sample.splits), found[0] if found else None)
        if place is None:
            yield Change("sample", sample.key, None, sample, None)
            continue
        used.add(place)
        how = pairing if traces is None else by_trace(traces.get(sample.key, ()))
        renamed = _renamed(sample, keys)
        yield from compare_samples(renamed, theirs[place], how)
    for i, sample in enumerate(theirs):
        if i not in used:
            yield Change("sample", sample.key, None, None, sample)


def _renamed(sample: Sample, keys: Mapping[str, str]) -> Sample:
    """The sample with its labels under their new keys, so that a renamed class is one change, not one per object."""
    if not any(k != v for k, v in keys.items()):
        return sample
    annotations = sample.annotations and tuple(
        a if a.label is None else a.replace(label=keys.get(a.label, a.label)) for a in sample.annotations
    )
    tags = tuple(t if t.label is None else t.replace(label=keys.get(t.label, t.label)) for t in sample.tags)
    return sample.replace(annotations=annotations, tags=tags)
