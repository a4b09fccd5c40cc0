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
from labelglot.schema import Dataset
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
    changes = compare(sized, done.dataset, labels=done.labels.keys, paths=done.paths, traces=done.traces)
    return {(c.key, c.object, c.aspect) for c in changes}


def unexpected(expected: Dataset, got: Dataset) -> list[Change]:
    """Differences between what a round trip must return and what it did return."""
    return list(compare(expected, got))


__all__ = ["Trip", "differences", "load", "load_lazily", "projected", "reported", "store", "travel", "unexpected"]
