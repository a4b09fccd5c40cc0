"""Reduce what is said about an object besides its geometry: attributes and ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from labelglot.holds import IdKind, ValueKind, value_kind
from labelglot.projection.losses import LossSink
from labelglot.schema.base import Attribute, Id


def fit_id(value: Id | None, kind: IdKind) -> Id | None:
    """``value`` if a target with ids of ``kind`` can keep it as it is, else ``None``."""
    if value is None or kind == "none":
        return None
    if kind == "any":
        return value
    if kind == "int":
        return value if isinstance(value, int) else None
    return str(value)


def reduce_attributes(
    attributes: Mapping[str, Attribute],
    free: frozenset[ValueKind],
    named: Mapping[str, frozenset[ValueKind]],
    defaults: Mapping[str, Attribute],
    position: int | None,
    lose: LossSink,
) -> dict[str, Attribute] | None:
    """The attributes that can stay, or ``None`` if all can."""
    changed: dict[str, Attribute] | None = None
    for key, value in attributes.items():
        allowed = named.get(key, free)
        kind = value_kind(value)
        if kind in allowed and key not in defaults:
            continue
        kept, detail = _fitted(value, kind, allowed)
        if key in defaults and kept is not _GONE and (kept, type(kept)) == (defaults[key], type(defaults[key])):
            kept, detail = _GONE, "the same as nothing said"
        if kept is value:
            continue
        if changed is None:
            changed = dict(attributes)
        code = f"attributes.{key}"
        if kept is _GONE:
            del changed[key]
            lose(code, code, position, detail, "info" if key in defaults and detail != "not kept" else "warning")
        else:
            changed[key] = cast(Attribute, kept)
            lose(code, code, position, detail, "info")
    return changed


_GONE = object()


def _fitted(value: Attribute, kind: ValueKind, allowed: frozenset[ValueKind]) -> tuple[object, str]:
    """The value as the target can hold it, and what that did to it."""
    if kind in allowed:
        return value, ""
    if "bool" in allowed and kind in ("int", "float") and value in (0, 1):
        return bool(value), "kept as yes or no"
    if "str" in allowed and kind != "null":
        return as_text(value), "kept as text"
    if "int" in allowed and kind == "bool":
        return int(bool(value)), "kept as 0 or 1"
    return _GONE, "not kept"


def as_text(value: Attribute) -> str:
    """An attribute value as text: ``true``/``false``, shortest exact numbers, lists joined by commas."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value)


def looks_at_values(
    attributes: Mapping[str, Attribute],
    free: frozenset[ValueKind],
    named: Mapping[str, frozenset[ValueKind]],
    defaults: Mapping[str, Attribute],
) -> bool:
    """Whether reducing these attributes depends on their values, not only on their names and types."""
    return any(
        name in defaults or (named.get(name, free) and value_kind(value) not in named.get(name, free))
        for name, value in attributes.items()
    )


__all__ = ["as_text", "fit_id", "looks_at_values", "reduce_attributes"]
