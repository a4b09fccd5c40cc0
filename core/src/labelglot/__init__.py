"""labelglot: the universal converter between computer-vision dataset formats.

The names listed in ``__all__`` are the public surface; they are loaded on first use, so importing is cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labelglot.checking import check
    from labelglot.comparison import Change, compare
    from labelglot.detection import candidates
    from labelglot.engine.convert import Conversion, convert, read, write
    from labelglot.errors import LabelglotError
    from labelglot.formats.base import Format
    from labelglot.formats.registry import Registry
    from labelglot.holds import Holds
    from labelglot.hooks import hookimpl, hookspec
    from labelglot.prediction import loss
    from labelglot.projection.project import project
    from labelglot.report import Report
    from labelglot.schema import Annotation, Dataset, Label, Sample, Tag

    registry: Registry

__version__ = "0.1.0"

_HOMES = {
    "Annotation": "schema", "Change": "comparison", "Conversion": "engine.convert", "Dataset": "schema",
    "Format": "formats.base", "Holds": "holds", "Label": "schema", "LabelglotError": "errors", "Registry": "formats.registry",
    "Report": "report",
    "Sample": "schema", "Tag": "schema", "candidates": "detection", "check": "checking", "compare": "comparison", "convert": "engine.convert",
    "hookimpl": "hooks", "hookspec": "hooks", "loss": "prediction", "project": "projection.project", "read": "engine.convert",
    "write": "engine.convert",
}  # fmt: skip

__all__ = [
    "Annotation", "Change", "Conversion", "Dataset", "Format", "Holds", "Label", "LabelglotError", "Registry", "Report",
    "Sample", "Tag", "candidates", "check", "compare", "convert", "hookimpl", "hookspec", "loss", "project", "read",
    "registry", "write",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "registry":
        from labelglot.formats.registry import default_registry

        return default_registry()
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'labelglot' has no attribute {name!r}")
    return getattr(importlib.import_module(f"labelglot.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
