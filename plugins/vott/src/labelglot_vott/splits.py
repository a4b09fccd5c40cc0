"""Splits by file name: ``train-export.json`` is a split, ``my-project-export.json`` a project."""

from __future__ import annotations

from labelglot.plugin import split_role

SPLITS = frozenset({"train", "val", "test"})


def split_of(path: str, ending: str) -> str | None:
    """The split a document stands for. ``ending``: what follows the name of the split."""
    name = path.rpartition("/")[2]
    if not name.lower().endswith(ending):
        return None
    start = name[: -len(ending)]
    return start if split_role(start) is not None else None
