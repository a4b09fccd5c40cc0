"""FiftyOne dataset exports."""

from labelglot_fiftyone.fiftyone import FiftyOne

__all__ = ["FiftyOne"]
