"""Dataloop (``dataloop``)."""

from labelglot_dataloop.dataloop import Dataloop

__all__ = ["Dataloop"]
