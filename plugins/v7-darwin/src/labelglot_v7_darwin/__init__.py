"""V7 Darwin JSON 2.0 (``v7-darwin``)."""

from labelglot_v7_darwin.darwin import V7Darwin

__all__ = ["V7Darwin"]
