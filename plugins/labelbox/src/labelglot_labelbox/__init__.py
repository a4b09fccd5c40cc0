"""Labelbox (``labelbox``)."""

from labelglot_labelbox.labelbox import Labelbox

__all__ = ["Labelbox"]
