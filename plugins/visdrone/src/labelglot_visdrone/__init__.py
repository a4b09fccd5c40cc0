"""VisDrone detection and video annotations."""

from labelglot_visdrone.visdrone import VisDrone

__all__ = ["VisDrone"]
