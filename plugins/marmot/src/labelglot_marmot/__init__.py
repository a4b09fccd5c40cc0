"""Marmot table recognition XML."""

from labelglot_marmot.marmot import Marmot

__all__ = ["Marmot"]
