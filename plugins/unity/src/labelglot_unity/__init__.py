"""Unity Perception datasets: SOLO (``unity-solo``)."""

from labelglot_unity.solo import UnitySolo

__all__ = ["UnitySolo"]
