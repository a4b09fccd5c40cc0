"""X-AnyLabeling JSON (``x-anylabeling``)."""

from labelglot_x_anylabeling.x_anylabeling import XAnyLabeling

__all__ = ["XAnyLabeling"]
