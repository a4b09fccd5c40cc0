"""Datumaro JSON."""

from labelglot_datumaro.datumaro import Datumaro

__all__ = ["Datumaro"]
