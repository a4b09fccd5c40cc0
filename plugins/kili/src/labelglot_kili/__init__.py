"""Kili (``kili``)."""

from labelglot_kili.kili import Kili

__all__ = ["Kili"]
