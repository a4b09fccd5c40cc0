"""One chunk of a conversion: read, reduce, encode. Runs in any process; returns a receipt."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from labelglot.engine.journal import record
from labelglot.engine.output import Encoded, ImageCopy, Job, Output
from labelglot.formats.base import in_pixels
from labelglot.projection.losses import LossSink, Lost
from labelglot.projection.project import SampleReducer
from labelglot.report import EXAMPLES, Loss, Report, Severity
from labelglot.schema import Partition, Sample
from labelglot.schema.dataset import RecordPartition, read_columns


class Work(NamedTuple):
    """A partition with the number of objects before it, and of all in the dataset."""

    partition: Partition
    first_annotation: int = 0
    all_annotations: int = 0

    @property
    def ordinal(self) -> int:
        return self.partition.ordinal

    def __len__(self) -> int:  # type: ignore[override]
        return len(self.partition)

    def halves(self) -> tuple[Work, Work] | None:
        """The first and the second half.

        How many objects the first one has is not known, since reading it may kill: those of the second are numbered further
        than all numbers there are, by as much as no other half is.
        """
        number = len(self.partition)
        if number < 2:
            return None
        half, partition = number // 2, self.partition
        cut = partition.part if isinstance(partition, RecordPartition) else partial(Sliced, partition)
        beyond = self.first_annotation + half * max(1, self.all_annotations)
        return Work(cut(0, half), self.first_annotation, self.all_annotations), Work(cut(half, number), beyond, self.all_annotations)


class Sliced:
    """A range of a partition."""

    def __init__(self, inner: Partition, start: int, stop: int) -> None:
        self.inner, self.start, self.stop = inner, start, stop
        self.ordinal = inner.ordinal + start

    def __len__(self) -> int:
        return self.stop - self.start

    def read(self, report: Report) -> Iterator[Sample]:
        for number, sample in enumerate(self.inner.read(report)):
            if self.start <= number < self.stop:
                yield sample


class Receipt(NamedTuple):
    """What became of a chunk.

    ``pieces``: bytes by (folder, slot) or, in ``spool``, ``lengths`` in the order of the file. ``folders``: those its
    samples went to.
    """

    ordinal: int
    report: Report
    files: tuple[tuple[str, bytes], ...]
    pieces: tuple[tuple[tuple[str, str], bytes], ...]
    images: tuple[ImageCopy, ...]
    folders: tuple[str, ...]
    spool: str | None = None
    lengths: tuple[tuple[tuple[str, str], int], ...] = ()


class _Losses(LossSink):
    """Counts losses; keeps the first examples only, because millions of objects may lose the same thing."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.counts: dict[str, int] = {}
        self.repeated: dict[int, list[Any]] = {}
        self.sample: Sample | None = None

    def __call__(self, code: str, aspect: str, position: int | None, detail: str, severity: Severity) -> None:
        seen = self.counts.get(code, 0)
        self.counts[code] = seen + 1
        if seen < EXAMPLES:
            key = "" if self.sample is None else self.sample.key
            self.report.lose(Loss(code, aspect, key, position, detail, severity))

    def replay(self, losses: tuple[Lost, ...], position: int) -> None:
        entry = self.repeated.get(id(losses))
        if entry is None:
            entry = self.repeated[id(losses)] = [losses, 0]
        entry[1] += 1
        if entry[1] <= EXAMPLES:
            super().replay(losses, position)

    def replay_all(self, losses: tuple[Lost, ...], number: int) -> None:
        entry = self.repeated.get(id(losses))
        if entry is not None and entry[1] >= EXAMPLES:
            entry[1] += number
        else:
            super().replay_all(losses, number)

    def finish(self) -> None:
        for losses, count in self.repeated.values():
            for loss in losses:
                self.counts[loss.code] += max(0, count - EXAMPLES)
        for code, count in self.counts.items():
            if count > EXAMPLES:
                self.report.recount_loss(code, count)


def run_chunk(job: Job, work: Work) -> Receipt:
    """Read, reduce and encode one chunk. Raises :class:`PluginError` naming the sample if a writer breaks."""
    report = Report()
    losses = _Losses(report)
    reducer = SampleReducer(job.holds, job.plan)
    output = Output(job, work.ordinal, report)
    samples: Iterator[Sample] = map(in_pixels, read_columns(work.partition, report))
    first = work.first_annotation
    if job.numbering is not None:
        listed = list(samples)
        first = job.numbering.first(work.ordinal, [len(sample.annotations or ()) for sample in listed])
        samples = iter(listed)
    number = first
    seen = kept = objects = 0
    numbered = enumerate(samples, work.ordinal)
    while batch := list(islice(numbered, TOGETHER)):
        found = []
        for (ordinal, sample), alike in zip(batch, reducer.foresee([sample for _, sample in batch]), strict=True):
            losses.sample = sample
            reduced, _ = reducer.reduce(sample, ordinal, number, losses, alike)
            number += 0 if sample.annotations is None else len(sample.annotations)
            if reduced is not None:
                found.append(Encoded(ordinal, sample, reduced))
                objects += 0 if reduced.annotations is None else len(reduced.annotations)
        output.take(found)
        seen += len(batch)
        kept += len(found)
    losses.finish()
    counts = {
        "samples": seen, "annotations": number - first, "samples.written": kept, "annotations.written": objects
    }  # fmt: skip
    if output.missing:
        counts["images.missing"] = output.missing
    for name, count in counts.items():
        report.count(name, count)
    pieces = output.pieces
    joined = pieces.joined()
    receipt = Receipt(
        work.ordinal, report, tuple(output.files), joined, tuple(output.images), tuple(output.folders), pieces.file,
        tuple(pieces.lengths),
    )  # fmt: skip
    if job.journal is not None:
        record(Path(job.journal), receipt, len(work), output.written, pieces.checksum)
    return receipt


TOGETHER = 50
"""Samples that are looked at, and encoded, together. They may carry images, so not too many."""
