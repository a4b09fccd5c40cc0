"""What a source is and what is in it, as data: format and evidence, counts per split and class, images, problems."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from labelglot.detection import Candidate, candidates, choose
from labelglot.engine.executor import Cancel, Watched, local_executor
from labelglot.engine.reading import read, resolve_source
from labelglot.engine.scan import scan
from labelglot.engine.survey import CHUNK
from labelglot.formats.base import Format
from labelglot.formats.registry import Registry, default_registry
from labelglot.images import ImageIndex, SourceImage
from labelglot.report import Line, Report
from labelglot.schema import Id, Sample, with_seen
from labelglot.schema.base import Frozen
from labelglot.storage import Source


class SplitCounts(Frozen):
    """One split (``None``: images in none). An image in two splits counts in both."""

    split: str | None
    images: int
    objects: int


class LabelCounts(Frozen):
    """One class: in how many images it occurs, how many objects and image-level tags carry it."""

    key: str
    name: str
    id: Id | None
    images: int
    objects: int
    tags: int


class CandidateFormat(Frozen):
    """A format that recognises the source, how sure it is (0..1) and why."""

    format: str
    confidence: float
    reason: str


class Inspection(Frozen):
    """What was found. Samples with ``annotations=None`` are ``unlabelled``, with ``()`` ``empty``.

    ``image_files``: image files in the source; ``matched``: samples whose image was found; ``unmatched``: samples
    without one; ``unused``: image files no sample refers to (the first few are in ``unused_examples``).
    ``relative``: samples of unknown size, with coordinates as fractions.
    """

    source: str
    kind: str
    files: int
    format: str
    candidates: tuple[CandidateFormat, ...]
    images: int = 0
    objects: int = 0
    tags: int = 0
    unlabelled: int = 0
    empty: int = 0
    unlabelled_objects: int = 0
    relative: int = 0
    image_files: int = 0
    matched: int = 0
    unmatched: int = 0
    unmatched_examples: tuple[str, ...] = ()
    unused: int = 0
    unused_examples: tuple[str, ...] = ()
    splits: tuple[SplitCounts, ...] = ()
    labels: tuple[LabelCounts, ...] = ()
    geometry: dict[str, int] = {}
    info: dict[str, Any] = {}
    problems: tuple[Line, ...] = ()
    skipped: int = 0


EXAMPLES = 5


class _Counts(NamedTuple):
    numbers: dict[str, int]
    splits: dict[str | None, list[int]]
    labels: dict[str, list[int]]
    geometry: dict[str, int]
    used: set[str]
    missing: list[str]


class CountVisitor:
    """Counts what is in the samples of one source; see :func:`labelglot.engine.scan.scan`."""

    def __init__(self, where: str) -> None:
        self.where = where

    def start(self) -> _Counts:
        return _Counts({}, {}, {}, {}, set(), [])

    def update(self, state: _Counts, sample: Sample, ordinal: int, report: Report) -> None:
        annotations = sample.annotations or ()
        numbers = state.numbers
        _add(numbers, "images", 1)
        _add(numbers, "objects", len(annotations))
        _add(numbers, "tags", len(sample.tags))
        if sample.annotations is None:
            _add(numbers, "unlabelled", 1)
        elif not annotations:
            _add(numbers, "empty", 1)
        if sample.units == "relative":
            _add(numbers, "relative", 1)
        if sample.image is None:
            _add(numbers, "unmatched", 1)
            if len(state.missing) < EXAMPLES:
                state.missing.append(sample.key)
        else:
            _add(numbers, "matched", 1)
            if isinstance(sample.image, SourceImage):
                state.used.add(f"{sample.image.source.where}/{sample.image.path}")
        for split in sample.splits or (None,):
            counts = state.splits.setdefault(split, [0, 0])
            counts[0] += 1
            counts[1] += len(annotations)
        here: set[str] = set()
        for place, items in ((1, annotations), (2, sample.tags)):
            for item in items:
                if item.label is None:
                    _add(numbers, "unlabelled_objects", int(place == 1))
                    continue
                counts = state.labels.setdefault(item.label, [0, 0, 0])
                counts[place] += 1
                here.add(item.label)
        for label in here:
            state.labels[label][0] += 1
        for a in annotations:
            if a.box is not None:
                _add(state.geometry, "box", 1)
            if a.shape is not None:
                _add(state.geometry, a.shape.kind, 1)
            if a.keypoints is not None:
                _add(state.geometry, "keypoints", 1)
            if a.box is None and a.shape is None and a.keypoints is None:
                _add(state.geometry, "none", 1)

    def merge(self, state: _Counts, later: _Counts) -> _Counts:
        for mine, theirs in ((state.numbers, later.numbers), (state.geometry, later.geometry)):
            for name, number in theirs.items():
                _add(mine, name, number)
        for split, counts in later.splits.items():
            state.splits[split] = [a + b for a, b in zip(state.splits.get(split, [0, 0]), counts, strict=True)]
        for label, counts in later.labels.items():
            state.labels[label] = [a + b for a, b in zip(state.labels.get(label, [0, 0, 0]), counts, strict=True)]
        state.used.update(later.used)
        del later.missing[EXAMPLES - len(state.missing) :]
        state.missing.extend(later.missing)
        return state

    def finish(self, state: _Counts) -> _Counts:
        return state


def _add(counts: dict[str, int], name: str, number: int) -> None:
    counts[name] = counts.get(name, 0) + number


def inspect(
    where: Any,
    *,
    format: str | Format | None = None,
    options: Mapping[str, Any] | None = None,
    image_dir: Any = None,
    workers: int | None = None,
    registry: Registry | None = None,
    cancel: Cancel | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Inspection:
    """Look at everything in a source. Raises with the candidates if its format cannot be told.

    ``progress(done, total)`` is called while samples are read.
    """
    registry = registry or default_registry()
    source = resolve_source(where, registry)
    found = candidates(source, registry)
    chosen = choose(found, source) if format is None else registry.get(format) if isinstance(format, str) else format
    report = Report()
    dataset = read(source, format=chosen, options=options, image_dir=image_dir, registry=registry, report=report)
    executor, _ = local_executor(workers, len(dataset))
    watched = Watched(executor, progress or _ignore)
    chunks = max(1, -(-len(dataset) // CHUNK))
    counts: _Counts = scan(dataset, [CountVisitor(source.where)], report, watched, chunks, cancel)[0]
    files = _image_files(source, image_dir, registry)
    unused = [path for path in files if path not in counts.used]
    labels = with_seen(dataset.labels, counts.labels)
    return Inspection(
        source=source.where,
        kind=source.kind,
        files=len(source.files()),
        format=chosen.id,
        candidates=as_data(found),
        **counts.numbers,  # type: ignore[arg-type]
        image_files=len(files),
        unmatched_examples=tuple(counts.missing),
        unused=len(unused),
        unused_examples=tuple(path.removeprefix(f"{source.where}/") for path in unused[:EXAMPLES]),
        splits=tuple(SplitCounts(split=s, images=a, objects=b) for s, (a, b) in counts.splits.items()),
        labels=tuple(_label(label, counts.labels.get(label.key, [0, 0, 0])) for label in labels),
        geometry=counts.geometry,
        info={k: v for k, v in dataset.info.model_dump(mode="json").items() if v and k != "extra"},
        problems=report.problems(),
        skipped=report.skipped,
    )


def as_data(found: Iterable[Candidate]) -> tuple[CandidateFormat, ...]:
    """Candidates with the ids of their formats instead of the formats."""
    return tuple(CandidateFormat(format=c.format.id, confidence=c.confidence, reason=c.reason) for c in found)


def _label(label: Any, counts: list[int]) -> LabelCounts:
    images, objects, tags = counts
    return LabelCounts(key=label.key, name=label.name, id=label.id, images=images, objects=objects, tags=tags)


def _image_files(source: Source, image_dir: Any, registry: Registry) -> list[str]:
    """All image files there are, as ``<where>/<path>``."""
    places = [source] if image_dir is None else [source, resolve_source(image_dir, registry)]
    return list(dict.fromkeys(f"{place.where}/{path}" for place in places for path in ImageIndex(place).paths))


def _ignore(done: int, total: int) -> None:
    return None
