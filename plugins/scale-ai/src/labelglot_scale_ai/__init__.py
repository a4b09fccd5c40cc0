"""Scale AI (``scale-ai``)."""

from labelglot_scale_ai.scale_ai import ScaleAi

__all__ = ["ScaleAi"]
