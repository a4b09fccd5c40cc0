"""EfficientDet's YAML of training settings: the part of it that tells the classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labelglot.plugin import Label, LabelglotError, Source
from labelglot.wire import yaml

_LARGEST = 1 << 20


def settings_files(source: Source) -> list[str]:
    """YAML files that may be settings, the outermost first."""
    found = [path for path in source.companions() if path.lower().endswith((".yaml", ".yml"))]
    return sorted(found, key=lambda path: (path.count("/"), path))[:20]


def load_settings(source: Source, path: str) -> dict[Any, Any]:
    """The settings, scalars as texts. Raises :class:`LabelglotError` if it is no YAML."""
    found = yaml.load_texts(source.read(path, _LARGEST), path)
    return found if isinstance(found, dict) else {}


def find_settings(source: Source) -> str | None:
    """The first file that has what EfficientDet's settings have, unless there is a label map, which they replace."""
    if any(path.lower().endswith(".pbtxt") for path in source.companions()):
        return None
    return next((path for path in settings_files(source) if _is_settings(source, path)), None)


def _is_settings(source: Source, path: str) -> bool:
    try:
        found = load_settings(source, path)
    except (LabelglotError, OSError):
        return False
    return "label_map" in found and not {"train", "names"} & found.keys()


def labels_of(classes: Mapping[Any, Any]) -> list[Label]:
    """The classes of a ``label_map``; entries that are none are left out."""
    found = []
    for number, name in classes.items():
        if isinstance(number, str) and isinstance(name, str) and number.isascii() and number.isdigit() and len(number) < 10:
            found.append(Label(key=name, name=name, id=int(number)))
    return found
