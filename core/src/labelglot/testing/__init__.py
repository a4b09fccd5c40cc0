"""Proof for formats: strategies from a declaration, round trips, loss exactness - for any format, ours or yours.

``TestAcme = conformance("acme")`` in a test module runs the whole suite for one format.
"""

from labelglot.holds import EVERYTHING
from labelglot.testing.conformance import check_pairs, conformance
from labelglot.testing.strategies import datasets
from labelglot.testing.travel import projected, travel

__all__ = ["EVERYTHING", "check_pairs", "conformance", "datasets", "projected", "travel"]
