"""Proof for formats: strategies from a declaration, round trips, loss exactness - for any format, ours or yours.

``TestAcme = conformance("acme")`` in a test module runs the whole suite for one format. The names are loaded on first
use: the pytest plugin in this package is imported by every run of pytest where labelglot is installed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labelglot.holds import EVERYTHING
    from labelglot.testing.conformance import check_pairs, conformance
    from labelglot.testing.strategies import datasets
    from labelglot.testing.travel import projected, travel

_HOMES = {
    "EVERYTHING": "holds", "check_pairs": "testing.conformance", "conformance": "testing.conformance",
    "datasets": "testing.strategies", "projected": "testing.travel", "travel": "testing.travel",
}  # fmt: skip

__all__ = ["EVERYTHING", "check_pairs", "conformance", "datasets", "projected", "travel"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'labelglot.testing' has no attribute {name!r}")
    return getattr(importlib.import_module(f"labelglot.{home}"), name)
