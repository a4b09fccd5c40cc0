"""Apple Create ML JSON (``createml``)."""

from labelglot_createml.createml import CreateMl

__all__ = ["CreateMl"]
