"""Canonical bytes of schema objects: exact, compact, sorted keys, the same on every machine.

Default values are left out, ``None`` annotations are told from ``()``, floats are written so that they read back
exactly, NaN and infinities as the strings ``"NaN"``, ``"Infinity"``, ``"-Infinity"``. Unknown fields of a newer
writer are kept in ``extra[""]`` and written back.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar, cast

import msgspec

from labelglot.errors import LabelglotError
from labelglot.schema.base import Frozen
from labelglot.schema.record import Record, defaults
from labelglot.schema.sample import Sample

VERSION = 1

T = TypeVar("T", bound=Frozen | Record)

_encoder = msgspec.json.Encoder(order="sorted")


_COORDINATES = frozenset({"box", "corners", "parts", "points", "cx", "cy", "rx", "ry", "angle", "score", "timestamp"})


def _floats(value: Any) -> Any:
    """Coordinates as floats: a record built by hand may hold 2 for 2.0, and the bytes must not tell."""
    if isinstance(value, tuple):
        return tuple(map(_floats, value))
    return float(value) if isinstance(value, int) else value


def to_plain(value: Any) -> Any:
    """Plain JSON values of a schema object, defaults left out, ``kind`` of shapes kept."""
    if isinstance(value, Frozen | Record):
        plain: dict[str, Any] = {}
        for name, default in _fields(type(value)).items():
            item = getattr(value, name)
            if name == "image" or (name != "kind" and item == default and type(item) is type(default)):
                continue
            plain[name] = to_plain(_floats(item) if name in _COORDINATES else item)
        newer = plain.get("extra", {}).pop("", None) if isinstance(plain.get("extra"), dict) else None
        if isinstance(newer, dict):
            plain.update(newer)
            if not plain["extra"]:
                del plain["extra"]
        return plain
    if isinstance(value, float):
        if value != value:
            return "NaN"
        if value in (float("inf"), float("-inf")):
            return "Infinity" if value > 0 else "-Infinity"
        return value
    if isinstance(value, dict):
        return {str(k): to_plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(v) for v in value]
    return value


@lru_cache(maxsize=64)
def _fields(model: type[Frozen] | type[Record]) -> dict[str, Any]:
    """All fields of a model with their defaults; ``...`` for a field that must be given."""
    if issubclass(model, Record):
        return {name: defaults(model).get(name, ...) for name in model.__struct_fields__}
    return {name: ... if f.is_required() else f.default for name, f in model.model_fields.items()}


def dumps(value: Frozen | Record) -> bytes:
    """Canonical JSON bytes of a schema object, on one line."""
    return _encoder.encode(to_plain(value))


def loads(data: bytes | str, model: type[T]) -> T:
    """The inverse of :func:`dumps`. Raises :class:`LabelglotError` with the path of the first wrong value."""
    try:
        plain = msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise LabelglotError(f"not JSON: {error}") from error
    return from_plain(plain, model)


def from_plain(plain: Any, model: type[T]) -> T:
    """A validated schema object of plain values; fields this version does not know go to ``extra[""]``."""
    from pydantic import ValidationError

    if isinstance(plain, dict):
        known = _fields(cast(Any, model))
        newer = {k: v for k, v in plain.items() if k not in known}
        if newer and "extra" in known:
            plain = {k: v for k, v in plain.items() if k in known}
            plain["extra"] = {**plain.get("extra", {}), "": newer}
    try:
        checked = model.validate(plain) if issubclass(model, Record) else model.model_validate(plain)
        return cast(T, checked)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        raise LabelglotError(f"{path}: {first['msg']}") from error


def json_schema() -> dict[str, Any]:
    """JSON Schema of the canonical model (samples, with labels and info among its definitions)."""
    from pydantic import TypeAdapter

    from labelglot.schema.dataset import Info, Step
    from labelglot.schema.label import Label

    return TypeAdapter(Sample | Label | Info | Step).json_schema()
