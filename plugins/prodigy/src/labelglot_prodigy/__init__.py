"""Prodigy (``prodigy``)."""

from labelglot_prodigy.prodigy import Prodigy

__all__ = ["Prodigy"]
