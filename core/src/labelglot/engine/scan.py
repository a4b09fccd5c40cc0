"""Visit every sample of a dataset, chunk by chunk, with states that merge. The survey before writing is one visitor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple, Protocol

from labelglot.engine.chunk import Work
from labelglot.engine.executor import Cancel, Executor, InProcess, Poisoned
from labelglot.formats.base import in_pixels
from labelglot.holds import Holds, value_kind
from labelglot.projection.losses import LossSink
from labelglot.projection.naming import Entries
from labelglot.projection.project import NO_PLAN, SampleReducer
from labelglot.report import Report
from labelglot.schema import Dataset, IndexEntry, Records, Sample, labels_of
from labelglot.schema.dataset import CountingDecoder, RecordIndex, RecordPartition


class Visitor(Protocol):
    """Looks at samples. ``start`` makes a state, ``update`` changes it, ``merge`` joins a later one, ``finish`` ends."""

    def start(self) -> Any: ...
    def update(self, state: Any, sample: Sample, ordinal: int, report: Report) -> None: ...
    def merge(self, state: Any, later: Any) -> Any: ...
    def finish(self, state: Any) -> Any: ...


def _visit(job: tuple[Sequence[Visitor], int], work: Work) -> tuple[list[Any], Report]:
    visitors, examples = job
    report = Report(examples)
    states = [visitor.start() for visitor in visitors]
    for ordinal, sample in enumerate(work.partition.read(report), work.ordinal):
        for visitor, state in zip(visitors, states, strict=True):
            visitor.update(state, sample, ordinal, report)
    return states, report


def scan(
    dataset: Dataset,
    visitors: Sequence[Visitor],
    report: Report,
    executor: Executor | None = None,
    chunks: int = 1,
    cancel: Cancel | None = None,
) -> list[Any]:
    """Run visitors over all samples; their results in the order given. Problems of reading go to ``report``."""
    states = [visitor.start() for visitor in visitors]
    parts = list(map(Work, dataset.partitions(chunks)))
    for outcome in (executor or InProcess()).run(_visit, (tuple(visitors), report.examples), parts, cancel or Cancel()):
        if isinstance(outcome, Poisoned):
            report.problem(
                "worker.died", f"sample {outcome.ordinal} (counted from 0): {outcome.message}", severity="error", action="skipped"
            )
            continue
        found, partial = outcome
        states = [v.merge(a, b) for v, a, b in zip(visitors, states, found, strict=True)]
        report.merge(partial)
    return [visitor.finish(state) for visitor, state in zip(visitors, states, strict=True)]


class Listed(NamedTuple):
    """What a cheap index says of a dataset or a piece of it.

    ``entries``: every sample in order. ``seen``: keys of classes by first appearance, ``None`` if an entry does not tell.
    ``highest``: number among the ids of annotations. ``numbers``: of pieces of the dataset, in order, the ordinal of the
    first sample and how many objects there are, ``None`` if an entry does not tell.
    """

    entries: Entries
    seen: dict[str, None] | None
    highest: int
    numbers: list[tuple[int, int]] | None


def listed(dataset: Dataset, executor: Executor, chunks: int, cancel: Cancel) -> Listed | None:
    """The cheap index of a dataset, if it has one."""
    index = dataset.samples.record_index if isinstance(dataset.samples, Records) else None
    parts = list(dataset.partitions(chunks))
    if index is not None:
        pieces = []
        for outcome in executor.run(_list, index, list(map(Work, parts)), cancel):
            if isinstance(outcome, Poisoned):
                return None
            pieces.append(outcome)
        return _joined(pieces)
    found = dataset.samples.index()
    if found is None:
        return None
    whole = _joined(_summary(list(islice(found, len(part))), part.ordinal) for part in parts)
    further = list(found)
    if len(whole.entries.paths) + len(further) == len(dataset):
        return whole
    return _joined([whole, _summary(further, len(dataset))])._replace(numbers=None)


def _summary(entries: Sequence[IndexEntry], ordinal: int) -> Listed:
    """What there is to know of some entries. ``ordinal``: of the first."""
    columns = map(list, zip(*entries, strict=True)) if entries else [[] for _ in IndexEntry._fields]
    paths, splits, _, _, numbers, labels, ids, highest = columns
    return Listed(
        Entries(paths, splits, ids, [None] * len(entries)),
        None if None in labels else dict.fromkeys(chain.from_iterable(labels)),
        max(highest, default=0),
        None if None in numbers else [(ordinal, sum(numbers))],
    )


def _joined(pieces: Iterable[Listed]) -> Listed:
    """What there is to know of all pieces."""
    entries = Entries([], [], [], [])
    seen: dict[str, None] | None = {}
    numbers: list[tuple[int, int]] | None = []
    highest = 0
    for piece in pieces:
        entries.extend(piece.entries)
        seen = None if seen is None or piece.seen is None else seen | piece.seen
        numbers = None if numbers is None or piece.numbers is None else numbers + piece.numbers
        highest = max(highest, piece.highest)
    return Listed(entries, seen, highest, numbers)


def _list(index: RecordIndex, work: Work) -> Listed:
    assert isinstance(work.partition, RecordPartition)
    return _summary(list(index.entries_of(work.partition.records, work.ordinal)), work.ordinal)


def counts(dataset: Dataset, chunks: int) -> bool:
    """Whether the decoder can count objects, so that its samples are light and there is no need to decode them for that."""
    parts = dataset.partitions(chunks)
    return all(isinstance(part, RecordPartition) and isinstance(part.decode, CountingDecoder) for part in parts)


def count(dataset: Dataset, executor: Executor, chunks: int, cancel: Cancel) -> list[tuple[int, int]] | None:
    """Of pieces of a dataset, in order, the ordinal of the first sample and how many objects there are at the most;
    ``None`` if only decoding can tell.
    """
    if not counts(dataset, chunks):
        return None
    parts = list(dataset.partitions(chunks))
    found = list(executor.run(_count, None, list(map(Work, parts)), cancel))
    return None if any(isinstance(outcome, Poisoned) for outcome in found) else found


def _count(job: None, work: Work) -> tuple[int, int]:
    part = work.partition
    assert isinstance(part, RecordPartition) and isinstance(part.decode, CountingDecoder)
    return work.ordinal, sum(map(part.decode.count_objects, part.records))


class Surveyed(NamedTuple):
    """What a target needs to know before the first sample is written.

    ``entries``: every sample in order. ``numbers``: of pieces of the dataset, in order, the ordinal of the first sample and
    how many annotations there are. ``seen``: label keys in use, by first
    appearance. ``used``: those that remain after projection; ``attributes``: label -> name -> kinds;
    ``keypoints``: label -> most points of one object; ``sample_attributes``: name -> kinds.
    """

    entries: Entries
    numbers: list[tuple[int, int]]
    seen: dict[str, None]
    used: dict[str, int]
    attributes: dict[str, dict[str, set[str]]]
    keypoints: dict[str, int]
    id_base: list[int]
    sample_attributes: dict[str, set[str]]


class SurveyVisitor:
    """Collects names, numbers, labels and attribute kinds as they will be after projection.

    ``closely``: false if names and numbers are all that is asked for, so that nothing has to be projected.
    """

    def __init__(self, holds: Holds, closely: bool = True) -> None:
        self.holds, self.closely = holds, closely
        self.reducer = SampleReducer(holds, NO_PLAN)
        self.sink = LossSink()

    def start(self) -> Surveyed:
        return Surveyed(Entries([], [], [], []), [], {}, {}, {}, {}, [0], {})

    def update(self, state: Surveyed, sample: Sample, ordinal: int, report: Report) -> None:
        annotations = sample.annotations or ()
        state.entries.add(sample, self.holds)
        first, before = state.numbers.pop() if state.numbers else (ordinal, 0)
        state.numbers.append((first, before + len(annotations)))
        for key in labels_of(sample):
            state.seen.setdefault(key)
        for a in annotations:
            if isinstance(a.id, int) and a.id > state.id_base[0]:
                state.id_base[0] = a.id
        if not self.closely:
            return
        reduced, _ = self.reducer.reduce(in_pixels(sample), ordinal, 0, self.sink)
        if reduced is None:
            return
        for name, value in reduced.attributes.items():
            state.sample_attributes.setdefault(name, set()).add(value_kind(value))
        for tag in reduced.tags:
            if tag.label is not None:
                state.used[tag.label] = state.used.get(tag.label, 0) + 1
        for a in reduced.annotations or ():
            label = a.label or ""
            if a.label is not None:
                state.used[label] = state.used.get(label, 0) + 1
            if a.keypoints is not None and len(a.keypoints) > state.keypoints.get(label, 0):
                state.keypoints[label] = len(a.keypoints)
            for name, value in a.attributes.items():
                state.attributes.setdefault(label, {}).setdefault(name, set()).add(value_kind(value))

    def merge(self, state: Surveyed, later: Surveyed) -> Surveyed:
        state.entries.extend(later.entries)
        state.numbers.extend(later.numbers)
        state.seen.update(later.seen)
        state.id_base[0] = max(state.id_base[0], later.id_base[0])
        for label, count in later.used.items():
            state.used[label] = state.used.get(label, 0) + count
        for label, number in later.keypoints.items():
            state.keypoints[label] = max(state.keypoints.get(label, 0), number)
        for label, names in later.attributes.items():
            mine = state.attributes.setdefault(label, {})
            for name, kinds in names.items():
                mine.setdefault(name, set()).update(kinds)
        for name, kinds in later.sample_attributes.items():
            state.sample_attributes.setdefault(name, set()).update(kinds)
        return state

    def finish(self, state: Surveyed) -> Surveyed:
        return state
