"""OpenMMLab 2.0 dataset files."""

from labelglot_openmmlab.openmmlab import OpenMmLab

__all__ = ["OpenMmLab"]
