from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from labelglot.engine.convert import read
from labelglot.formats.registry import Registry, default_registry
from labelglot.report import Report
from labelglot.schema import Dataset, Sample
from labelglot.storage import MemorySource

DATA = Path(__file__).with_name("data")
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples"


class Loaded:
    """A dataset with all its samples, and what was said about it."""

    def __init__(self, dataset: Dataset, report: Report) -> None:
        self.report, self.lazy = report, dataset
        self.samples = list(dataset.read(report))
        self.dataset = dataset.replace(samples=self.samples).complete()

    @property
    def by_key(self) -> dict[str, Sample]:
        return {sample.key: sample for sample in self.samples}

    @property
    def codes(self) -> dict[str, int]:
        return {line.code: line.count for line in self.report.problems()}

    def example(self, code: str) -> dict[str, Any]:
        return next(line.examples[0] for line in self.report.problems() if line.code == code)

    @property
    def names(self) -> list[str]:
        return [label.name for label in self.dataset.labels]


@pytest.fixture
def load() -> Callable[..., Loaded]:
    """Read a folder, or files in memory, as one format."""

    def load(format: str, where: Path | Mapping[str, str | bytes], **options: Any) -> Loaded:
        report = Report()
        source: Any = where
        if not isinstance(where, Path):
            source = MemorySource({k: v.encode() if isinstance(v, str) else v for k, v in where.items()})
        chosen = default_registry().get(format)
        return Loaded(read(source, format=chosen, options=options, registry=Registry(), report=report), report)

    return load


@pytest.fixture
def example() -> Callable[[str], Path]:
    """The example dataset of a format."""
    return lambda format: DATA / format


@pytest.fixture
def real() -> Callable[[str], Path]:
    """A folder of real samples; skips where they are not at hand."""

    def real(name: str) -> Path:
        if not (SAMPLES / name).exists():
            pytest.skip(f"no sample {name}")
        return SAMPLES / name

    return real
