"""Labels: what the classes of a dataset are, apart from how often they occur."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from labelglot.schema.base import NOTHING, Attribute, Extra, Frozen, Id


class AttributeSpec(Frozen):
    """An attribute that objects of a label may carry, as a labelling tool declares it."""

    name: str
    kind: Literal["text", "number", "boolean", "choice", "choices"] = "text"
    values: tuple[str, ...] = ()
    default: Attribute = None
    mutable: bool = False
    extra: Extra = NOTHING


class Label(Frozen):
    """One class. ``key`` is unique in its dataset and what annotations refer to; ``name`` may be shared.

    ``id`` is the source's own identifier (gaps and 0 are real), ``skeleton`` holds 0-based index pairs into
    ``keypoints``, ``keypoint_flip`` is the permutation under a left-right mirror (``None``: not declared).
    """

    key: str
    name: str
    id: Id | None = None
    parent: str | None = None
    color: str | None = None
    keypoints: tuple[str, ...] | None = None
    skeleton: tuple[tuple[int, int], ...] = ()
    keypoint_flip: tuple[int, ...] | None = None
    attributes: tuple[AttributeSpec, ...] = ()
    extra: Extra = NOTHING


_HEX = re.compile(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})(?:[0-9a-fA-F]{2})?")


def color_rgb(color: str | None) -> tuple[int, int, int] | None:
    """Red, green and blue (0..255) of ``#rrggbb``; ``None`` for any other text, such as the name of a colour."""
    found = _HEX.fullmatch(color) if color else None
    return None if found is None else (int(found[1], 16), int(found[2], 16), int(found[3], 16))


def label_keys(names: Sequence[str], ids: Sequence[Id | None] = ()) -> tuple[str, ...]:
    """Unique keys for labels in order: the name, or ``name#id`` (``name#position``) where a name repeats.

    Every reader uses this one rule, so that the same classes get the same keys from any format.
    """
    taken: set[str] = set()
    keys = []
    for position, name in enumerate(names):
        key = name
        if key in taken:
            known = ids[position] if position < len(ids) else None
            key = f"{name}#{position if known is None else known}"
            while key in taken:
                key += "'"
        taken.add(key)
        keys.append(key)
    return tuple(keys)


def make_labels(labels: Iterable[Label | str]) -> tuple[Label, ...]:
    """Labels in order with unique keys; a plain string is a label of that name."""
    given = [Label.trusted(key=item, name=item) if isinstance(item, str) else item for item in labels]
    keys = label_keys([label.name for label in given], [label.id for label in given])
    return tuple(label if label.key == key else label.replace(key=key) for label, key in zip(given, keys, strict=True))


def merge_labels(tables: Iterable[Sequence[Label | str]]) -> tuple[Label, ...]:
    """One table of several (one per split): labels of one key are one, the first definition counts; order of first
    appearance. Classes of the same name are the same class, whatever number a split gives them.
    """
    found: dict[str, Label] = {}
    for table in tables:
        for label in make_labels(table):
            found.setdefault(label.key, label)
    return tuple(found.values())
