"""ICDAR scene text."""

from labelglot_icdar.icdar_text import IcdarText

__all__ = ["IcdarText"]
