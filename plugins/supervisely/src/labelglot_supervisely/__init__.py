"""Supervisely projects (``supervisely``)."""

from labelglot_supervisely.supervisely import Supervisely

__all__ = ["Supervisely"]
