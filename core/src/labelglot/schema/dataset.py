"""A dataset: labels, and a re-iterable lazy sequence of samples that need not fit in memory."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast, runtime_checkable

from labelglot.schema.base import NOTHING, Attribute, Extra, Frozen, Id
from labelglot.schema.label import Label, make_labels, merge_labels
from labelglot.schema.sample import Sample, key_of

if TYPE_CHECKING:
    from labelglot.report import Report


def _unheard() -> Report:
    """A report nobody reads. Imported late: reports are made of schema models."""
    from labelglot.report import Report

    return Report()


class Info(Frozen):
    """What a dataset says about itself. Fields two formats share are named; the rest rides in ``extra``."""

    name: str | None = None
    description: str | None = None
    version: str | None = None
    licenses: tuple[str, ...] = ()
    url: str | None = None
    extra: Extra = NOTHING


class Step(Frozen):
    """One thing done to the data, without clock or machine: a reader with its options, a transform with its seed."""

    name: str
    version: str = ""
    options: dict[str, Any] = {}
    seed: int | None = None
    inputs: tuple[str, ...] = ()


class IndexEntry(NamedTuple):
    """What a cheap pass knows of a sample. ``annotations`` and ``labels`` are ``None`` where not known cheaply.

    ``labels``: how many objects there are of each class; with it in every entry, a dataset whose classes are not
    complete can be written without reading everything first. Objects that turn out unreadable later may be counted.
    ``id``: of the sample; ``highest_id``: the highest number among the ids of its annotations, 0 if they have none.
    """

    path: str
    splits: tuple[str, ...]
    size: tuple[int, int] | None
    sequence: str | None
    annotations: int | None
    labels: dict[str, int] | None
    id: Id | None = None
    highest_id: int = 0

    @property
    def key(self) -> str:
        """That of the sample, see :attr:`Sample.key`."""
        return key_of(self.path, self.splits)


class Overview(NamedTuple):
    """What is known of all objects without decoding them, if every one has a class, a box, and nothing besides but
    perhaps an outline or attributes; and the samples have neither attributes nor classes of their own.

    ``labels``: keys in use by first appearance. ``attributes``: for each of them, an example of each attribute.
    """

    labels: tuple[str, ...]
    attributes: Mapping[str, Mapping[str, Attribute]]


@runtime_checkable
class Partition(Protocol):
    """A picklable, self-sufficient piece of a dataset: consecutive samples."""

    ordinal: int
    """Position of the first sample in the whole dataset."""

    def __len__(self) -> int: ...

    def read(self, report: Report) -> Iterator[Sample]:
        """The samples in order; what is wrong with them goes to ``report``."""
        ...


class SampleStream(Protocol):
    """Where samples come from. Reading twice gives the same samples and has no side effect."""

    def __len__(self) -> int: ...

    def partitions(self, n: int) -> Sequence[Partition]:
        """At most ``n`` pieces whose concatenation is the whole, for every ``n``."""
        ...

    def index(self) -> Iterator[IndexEntry] | None:
        """A cheap index, or ``None`` if only full reading can tell."""
        ...


def slices(total: int, n: int) -> Iterator[tuple[int, int]]:
    """Split ``range(total)`` into at most ``n`` consecutive, nearly equal (start, stop) pairs."""
    n = max(1, min(n, total))
    for i in range(n):
        start, stop = total * i // n, total * (i + 1) // n
        if stop > start:
            yield start, stop


class SamplePartition:
    """A piece that holds its samples."""

    def __init__(self, samples: Sequence[Sample], ordinal: int) -> None:
        self.samples = tuple(samples)
        self.ordinal = ordinal

    def __len__(self) -> int:
        return len(self.samples)

    def read(self, report: Report) -> Iterator[Sample]:
        return iter(self.samples)


class SampleList:
    """Samples in memory."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self.samples = tuple(samples)

    def __len__(self) -> int:
        return len(self.samples)

    def partitions(self, n: int) -> Sequence[Partition]:
        return [SamplePartition(self.samples[a:b], a) for a, b in slices(len(self.samples), n)]

    def index(self) -> Iterator[IndexEntry] | None:
        return (entry_of(sample) for sample in self.samples)


class Decoder(Protocol):
    """Turns one record of a format (a file name, some raw bytes) into a sample. Must be picklable."""

    def __call__(self, record: Any, ordinal: int, report: Report) -> Sample | None:
        """The sample, or ``None`` if nothing can be made of the record (say why in ``report``)."""
        ...


@runtime_checkable
class BatchDecoder(Protocol):
    """A decoder to which some records together cost less than each for itself. Must be picklable."""

    def many(self, records: Iterable[Any], ordinal: int, report: Report) -> Iterator[Sample | None]:
        """What :class:`Decoder` makes of each of them, in order and lazily. ``ordinal``: of the first."""
        ...


@runtime_checkable
class ColumnDecoder(Protocol):
    """A decoder that can leave alike objects in columns. Must be picklable."""

    def in_columns(self, records: Iterable[Any], ordinal: int, report: Report) -> Iterator[Sample | None]:
        """What :class:`Decoder` makes of each record, with :class:`~labelglot.schema.columns.Columns` as annotations where that
        is possible. ``ordinal``: of the first.
        """
        ...


@runtime_checkable
class CountingDecoder(Protocol):
    """A decoder that can tell how many objects there are without making them. Must be picklable."""

    def count_objects(self, record: Any) -> int:
        """How many objects a record has; those that turn out unreadable may be counted."""
        ...


@runtime_checkable
class RecordIndex(Protocol):
    """A cheap index that can be made of some records alone, by one process or another. Must be picklable."""

    def __call__(self) -> Iterator[IndexEntry]: ...

    def entries_of(self, records: Sequence[Any], ordinal: int) -> Iterator[IndexEntry]:
        """The entries of these records, none for one of which no sample comes. ``ordinal``: of the first."""
        ...


class RecordPartition:
    """A piece that holds raw records and the decoder for them."""

    def __init__(self, decode: Decoder, records: Sequence[Any], ordinal: int) -> None:
        self.decode, self.records, self.ordinal = decode, records, ordinal

    def __len__(self) -> int:
        return len(self.records)

    def read(self, report: Report) -> Iterator[Sample]:
        if isinstance(self.decode, BatchDecoder):
            yield from (s for s in self.decode.many(self.records, self.ordinal, report) if s is not None)
            return
        for ordinal, record in enumerate(self.records, self.ordinal):
            sample = self.decode(record, ordinal, report)
            if sample is not None:
                yield sample

    def columns(self, report: Report) -> Iterator[Sample]:
        """The samples in order, with alike objects in columns where the decoder can leave them so."""
        if isinstance(self.decode, ColumnDecoder):
            return (s for s in self.decode.in_columns(self.records, self.ordinal, report) if s is not None)
        return self.read(report)

    def part(self, start: int, stop: int) -> RecordPartition:
        """Some of its records as a piece of their own."""
        return RecordPartition(self.decode, self.records[start:stop], self.ordinal + start)


class Records:
    """One record per sample, decoded when it is asked for - in a worker process if there is one.

    ``index`` is an optional function that lists entries without decoding everything, ``overview`` what is known of all.
    """

    def __init__(
        self,
        records: Sequence[Any],
        decode: Decoder,
        index: Callable[[], Iterator[IndexEntry]] | None = None,
        overview: Overview | None = None,
    ) -> None:
        self.records, self.decode, self._index, self.overview = records, decode, index, overview

    def __len__(self) -> int:
        return len(self.records)

    def partitions(self, n: int) -> Sequence[Partition]:
        return [RecordPartition(self.decode, self.records[a:b], a) for a, b in slices(len(self.records), n)]

    def index(self) -> Iterator[IndexEntry] | None:
        return self._index() if self._index else None

    @property
    def record_index(self) -> RecordIndex | None:
        """The index, if it can be made in pieces."""
        return self._index if isinstance(self._index, RecordIndex) else None


class MappedPartition:
    """A piece seen through a function that returns a sample, or ``None`` to drop it."""

    def __init__(self, inner: Partition, function: Callable[..., Sample | None], reports: bool = False) -> None:
        self.inner, self.function, self.reports, self.ordinal = inner, function, reports, inner.ordinal

    def __len__(self) -> int:
        return len(self.inner)

    def read(self, report: Report) -> Iterator[Sample]:
        for sample in self.inner.read(report):
            changed = self.function(sample, report) if self.reports else self.function(sample)
            if changed is not None:
                yield changed


class Mapped:
    """A stream seen through a function. Its length is an upper bound."""

    def __init__(self, inner: SampleStream, function: Callable[..., Sample | None], reports: bool = False) -> None:
        self.inner, self.function, self.reports = inner, function, reports

    def __len__(self) -> int:
        return len(self.inner)

    def partitions(self, n: int) -> Sequence[Partition]:
        return [MappedPartition(part, self.function, self.reports) for part in self.inner.partitions(n)]

    def index(self) -> Iterator[IndexEntry] | None:
        return None


class Keep:
    """Picklable filter: keeps samples for which ``wanted`` is true."""

    def __init__(self, wanted: Callable[[Sample], bool]) -> None:
        self.wanted = wanted

    def __call__(self, sample: Sample) -> Sample | None:
        return sample if self.wanted(sample) else None


class Dataset:
    """Labels and samples. Iterating is lazy and can be repeated.

    ``labels_complete`` is false while labels are only known after all samples were read; ``complete()`` reads them.
    """

    def __init__(
        self,
        samples: SampleStream | Iterable[Sample],
        labels: Iterable[Label | str] = (),
        info: Info | None = None,
        provenance: Sequence[Step] = (),
        labels_complete: bool = True,
    ) -> None:
        self.samples: SampleStream = (
            cast(SampleStream, samples) if hasattr(samples, "partitions") else SampleList(samples)
        )
        self.labels = make_labels(labels)
        self.info = info or Info()
        self.provenance = tuple(provenance)
        self.labels_complete = labels_complete

    def __iter__(self) -> Iterator[Sample]:
        return self.read(_unheard())

    def __len__(self) -> int:
        """Number of samples; an upper bound while records have not been read or after ``filter``."""
        return len(self.samples)

    def read(self, report: Report) -> Iterator[Sample]:
        """Iterate, and write what is wrong with the records into ``report``."""
        for part in self.samples.partitions(1):
            yield from part.read(report)

    def partitions(self, n: int) -> Sequence[Partition]:
        """Picklable pieces whose concatenation equals plain iteration."""
        return self.samples.partitions(n)

    def index(self) -> Iterator[IndexEntry]:
        """Key, path, splits, size, sequence and counts per sample, as cheaply as the source allows."""
        cheap = self.samples.index()
        return cheap if cheap is not None else (entry_of(sample) for sample in self)

    def fetch(self, keys: Iterable[str]) -> Iterator[Sample]:
        """The samples of these keys, in dataset order; other records are not decoded where the index is cheap."""
        wanted = set(keys)
        cheap = self.samples.index()
        records = getattr(self.samples, "records", None)
        if cheap is None or records is None:
            yield from (sample for sample in self if sample.key in wanted)
            return
        for ordinal, entry in enumerate(cheap):
            if entry.key in wanted:
                part = RecordPartition(self.samples.decode, records[ordinal : ordinal + 1], ordinal)  # type: ignore[attr-defined]
                yield from part.read(_unheard())

    def complete(self) -> Dataset:
        """This dataset with all its labels known; reads the samples once if they were not."""
        if self.labels_complete:
            return self
        seen = itertools.chain.from_iterable(labels_of(sample) for sample in self)
        return self.replace(labels=with_seen(self.labels, seen), labels_complete=True)

    def filter(self, wanted: Callable[[Sample], bool]) -> Dataset:
        """The samples for which ``wanted`` is true, lazily."""
        return self.map(Keep(wanted))

    def map(self, function: Callable[..., Sample | None], *, reports: bool = False) -> Dataset:
        """Each sample through ``function`` (``None`` drops it), lazily.

        ``reports``: it is called with the report as well, as ``function(sample, report)``.
        """
        return self.replace(samples=Mapped(self.samples, function, reports))

    def replace(self, **changes: Any) -> Dataset:
        """Copy with some of samples, labels, info, provenance, labels_complete replaced."""
        fields = {name: getattr(self, name) for name in ("samples", "labels", "info", "provenance", "labels_complete")}
        return Dataset(**{**fields, **changes})

    def fingerprint(self) -> str:
        """SHA-256 over labels and samples, independent of the order of samples."""
        from labelglot.schema.canonical import dumps

        total = 0
        for sample in self:
            total += int.from_bytes(hashlib.sha256(dumps(sample)).digest(), "big")
        labels = hashlib.sha256(b"\n".join(dumps(label) for label in self.labels)).digest()
        return hashlib.sha256(labels + (total % 2**256).to_bytes(32, "big")).hexdigest()


def labels_of(sample: Sample) -> Iterator[str]:
    """Keys of the classes a sample refers to, tags first, in order."""
    yield from (tag.label for tag in sample.tags if tag.label is not None)
    yield from (a.label for a in sample.annotations or () if a.label is not None)


def with_seen(labels: Sequence[Label], seen: Iterable[str]) -> tuple[Label, ...]:
    """A class table with classes for the keys seen on objects that it lacks, in order of appearance."""
    table = {label.key: label for label in labels}
    for key in seen:
        if key not in table:
            table[key] = Label(key=key, name=key)
    return tuple(table.values())


class _InSplit:
    """Puts samples into a split."""

    def __init__(self, split: str) -> None:
        self.split = split

    def __call__(self, sample: Sample) -> Sample:
        return sample.replace(splits=(self.split,))


class _Chain:
    """Consecutive partitions as one, at a new place in the whole."""

    def __init__(self, parts: Sequence[Partition], ordinal: int) -> None:
        self.parts, self.ordinal = tuple(parts), ordinal

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def read(self, report: Report) -> Iterator[Sample]:
        for part in self.parts:
            yield from part.read(report)

    def columns(self, report: Report) -> Iterator[Sample]:
        """The samples in order, with alike objects in columns where a decoder can leave them so."""
        for part in self.parts:
            yield from read_columns(part, report)


def read_columns(partition: Partition, report: Report) -> Iterator[Sample]:
    """The samples of a piece, with :class:`~labelglot.schema.columns.Columns` as annotations where that is possible."""
    return partition.columns(report) if isinstance(partition, RecordPartition | _Chain) else partition.read(report)


class Joined:
    """Streams one after the other."""

    def __init__(self, streams: Sequence[SampleStream]) -> None:
        self.streams = tuple(streams)

    def __len__(self) -> int:
        return sum(map(len, self.streams))

    def partitions(self, n: int) -> Sequence[Partition]:
        total = max(1, len(self))
        parts = [part for s in self.streams for part in s.partitions(max(1, n * len(s) // total))]
        result: list[Partition] = []
        ordinal = 0
        for start, stop in slices(len(parts), n):
            chain = _Chain(parts[start:stop], ordinal)
            ordinal += len(chain)
            result.append(chain)
        return result

    def index(self) -> Iterator[IndexEntry] | None:
        found = [stream.index() for stream in self.streams]
        listed = [each for each in found if each is not None]
        return itertools.chain.from_iterable(listed) if len(listed) == len(found) else None


def join_splits(parts: Sequence[tuple[str, Dataset]]) -> Dataset:
    """One dataset of several, each a split of its own; classes of the same key are one."""
    first = parts[0][1]
    return first.replace(
        samples=Joined([Mapped(part.samples, _InSplit(split)) for split, part in parts]),
        labels=merge_labels([part.labels for _, part in parts]),
        labels_complete=all(part.labels_complete for _, part in parts),
    )


def entry_of(sample: Sample) -> IndexEntry:
    """The index entry of a sample at hand."""
    counts: dict[str, int] = {}
    for annotation in sample.annotations or ():
        if annotation.label is not None:
            counts[annotation.label] = counts.get(annotation.label, 0) + 1
    number = len(sample.annotations or ())
    highest = max((a.id for a in sample.annotations or () if isinstance(a.id, int)), default=0)
    return IndexEntry(
        sample.path, sample.splits, sample.size, sample.sequence, number, counts, sample.id, max(highest, 0)
    )
