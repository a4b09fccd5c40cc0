"""ASAM OpenLABEL JSON (``openlabel``)."""

from labelglot_openlabel.openlabel import OpenLabel

__all__ = ["OpenLabel"]
