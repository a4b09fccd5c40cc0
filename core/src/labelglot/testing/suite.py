"""The generated proof: every format alone, and every ordered pair. No format is named here.

Collected by the pytest plugin (``labelglot.pytest_plugin``), so that an installed format is tested without a
test being written for it.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings

from labelglot.formats.base import Format
from labelglot.formats.registry import default_registry
from labelglot.holds import EVERYTHING
from labelglot.schema import Dataset
from labelglot.testing.conformance import SEARCH, check_pairs, conformance
from labelglot.testing.strategies import datasets

ONLY = frozenset(filter(None, os.environ.get("LABELGLOT_ONLY", "").split(",")))
REGISTRY = default_registry()
FORMATS = tuple(f for f in REGISTRY.formats() if f.reads and f.writes)
CHOSEN = tuple(f for f in FORMATS if not ONLY or f.id in ONLY)
PAIR_EXAMPLES = int(os.environ.get("LABELGLOT_PAIR_EXAMPLES", "2"))
ALONE_EXAMPLES = int(os.environ.get("LABELGLOT_EXAMPLES", "30"))

for _format in CHOSEN:
    _class = conformance(_format, max_examples=ALONE_EXAMPLES)
    globals()[f"Test_{_format.id}"] = _class


@pytest.mark.parametrize("source", FORMATS, ids=str)
def test_pairs(source: Format) -> None:
    """From one format to every other, or from one that was not chosen to those that were: what arrives is what the
    projection says.
    """
    targets = FORMATS if source in CHOSEN else CHOSEN

    @settings(
        max_examples=PAIR_EXAMPLES, suppress_health_check=list(HealthCheck), deadline=None, database=None, phases=SEARCH
    )
    @given(dataset=datasets(EVERYTHING))
    def run(dataset: Dataset) -> None:
        check_pairs(source, targets, dataset)

    run()


def test_every_installed_plugin_loads() -> None:
    """A plugin that cannot be imported is a failure here, not a format less."""
    broken = {name: part for name, part in REGISTRY.broken().items() if not ONLY or name in ONLY}
    assert not broken, "\n".join(part.traceback for part in broken.values())
