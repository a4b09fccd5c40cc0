"""Punchcard for labelglot."""

from labelglot_punchcard.punchcard import Punchcard

__all__ = ["Punchcard"]
