"""Round trips in memory, and what they must return."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from labelglot.comparison import Change, compare
from labelglot.engine.convert import read, write
from labelglot.engine.executor import InProcess
from labelglot.formats.base import Format, in_pixels
from labelglot.formats.registry import Registry
from labelglot.projection.project import ProjectedDataset, project_dataset
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Sample
from labelglot.storage import MemorySource, MemoryTarget


class Trip(NamedTuple):
    """What was written, what was read back, and both reports."""

    files: dict[str, bytes]
    dataset: Dataset
    written: Report
    read: Report


_EMPTY = Registry()


def store(
    dataset: Dataset, format: Format, options: Mapping[str, Any] | None = None, chunk: int | None = None
) -> tuple[dict[str, bytes], Report]:
    """The files a format makes of a dataset. ``chunk``: samples per chunk, for proving that it does not matter."""
    target = MemoryTarget()
    outcome = write(
        dataset, target, format=format, options=options, registry=_EMPTY, executor=InProcess(), chunk=chunk
    )
    return target.content, outcome.report


def load_lazily(files: Mapping[str, bytes], format: Format, report: Report | None = None) -> Dataset:
    """The dataset in some files, as the reader gives it."""
    return read(MemorySource(files), format=format, registry=_EMPTY, report=report)


def load(files: Mapping[str, bytes], format: Format) -> tuple[Dataset, Report]:
    """The dataset in some files, with every sample decoded and all labels known."""
    report = Report()
    lazy = load_lazily(files, format, report)
    complete = lazy.replace(samples=list(lazy.read(report))).complete()
    return complete, report


def travel(dataset: Dataset, format: Format, options: Mapping[str, Any] | None = None) -> Trip:
    """Write a dataset in a format and read it back."""
    files, written = store(dataset, format, options)
    returned, report = load(files, format)
    return Trip(files, returned, written, report)


def projected(dataset: Dataset, format: Format) -> ProjectedDataset:
    """What a round trip through the format must return, by its declaration."""
    sized = dataset.replace(samples=[in_pixels(sample) for sample in dataset])
    return project_dataset(sized, format.holds_with(format.WriteOptions()), True, format.geometry_bound_extra)


def reported(done: ProjectedDataset) -> set[tuple[str | None, int | str | None, str]]:
    """Where a projection says that it lost something; of a sample that is gone, only that it is gone."""
    gone = {loss.key for loss in done.losses if loss.aspect == "sample"}
    return {(loss.key, loss.object, loss.aspect) for loss in done.losses if loss.key not in gone or loss.aspect == "sample"}


def differences(dataset: Dataset, done: ProjectedDataset) -> set[tuple[str | None, int | str | None, str]]:
    """Where a dataset and its projection really differ, as (sample key, object, aspect)."""
    sized = dataset.replace(samples=[in_pixels(sample) for sample in dataset])
    changes = compare(sized, done.dataset, labels=done.labels.keys, traces=done.traces, places=done.places)
    return {(c.key, c.object, c.aspect) for c in changes}


def unexpected(expected: Dataset, got: Dataset, format: Format | None = None) -> list[Change]:
    """Differences between what a round trip must return and what it did return.

    Where a format keeps no order of classes, they appear in the order of its documents, which may be any.
    Entries of ``extra`` that the writer computes (:attr:`Format.computed_extra`) may come back though nobody wrote them.
    """
    if format is None:
        return list(compare(expected, got))
    free = {"labels.order"} if format.holds.labels.order == "appearance" else set[str]()
    if format.computed_extra:
        without = _Without(format.computed_extra)
        expected, got = without.everywhere(expected), without.everywhere(got)
    return [change for change in compare(expected, got) if change.aspect not in free]


class _Without:
    """Takes entries out of the extras of annotations, classes and the dataset."""

    def __init__(self, entries: frozenset[tuple[str, str]]) -> None:
        self.entries = entries

    def everywhere(self, dataset: Dataset) -> Dataset:
        labels = [label.replace(extra=self._bag(label.extra)) for label in dataset.labels]
        info = dataset.info.replace(extra=self._bag(dataset.info.extra))
        return dataset.map(self).replace(labels=labels, info=info)

    def __call__(self, sample: Sample) -> Sample:
        return sample.replace(annotations=sample.annotations and tuple(map(self._annotation, sample.annotations)))

    def _annotation(self, a: Annotation) -> Annotation:
        return a.replace(extra=self._bag(a.extra))

    def _bag(self, extra: Mapping[str, Any]) -> dict[str, Any]:
        left = {
            owner: {k: v for k, v in bag.items() if (owner, k) not in self.entries} if isinstance(bag, dict) else bag
            for owner, bag in extra.items()
        }
        return {owner: bag for owner, bag in left.items() if bag != {}}


__all__ = ["Trip", "differences", "load", "load_lazily", "projected", "reported", "store", "travel", "unexpected"]
