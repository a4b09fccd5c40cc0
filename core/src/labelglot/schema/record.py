"""Objects that come in millions: frozen structs with pydantic as their contract.

Building one costs a fifteenth of building a pydantic model (see ``docs/decisions/0002-records.md``). The constructor
checks nothing: readers have checked the types on the wire. Whatever comes from outside is validated by
``labelglot.schema.loads``, :meth:`Record.validate` or ``pydantic.TypeAdapter``, which know these classes and give JSON
Schema and errors with a path.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self, get_type_hints

import msgspec

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, TypeAdapter
    from pydantic_core import CoreSchema

IDENTITY = frozenset({"uid", "origin", "image"})
"""Fields that say which object this is in a process, not what it says: equality ignores them."""


class Record(msgspec.Struct, frozen=True, eq=False, gc=False, kw_only=True):
    """Base of annotations, tags, samples and shapes. Frozen, cheap, picklable."""

    @classmethod
    def trusted(cls, **values: Any) -> Self:
        """Build from values whose types are known to be right. The same as calling the class."""
        return cls(**values)

    def replace(self, **changes: Any) -> Self:
        """Copy with some fields replaced. Nothing is validated."""
        return msgspec.structs.replace(self, **changes)

    @classmethod
    def validate(cls, value: Any) -> Self:
        """An object of plain values (or of a record), all types checked. Raises ``pydantic.ValidationError``."""
        checked: Self = _adapter(cls).validate_python(plain(value))
        return checked

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in _compared(type(self)))

    def __ne__(self, other: object) -> bool:
        """Not left to the base: a struct without ``eq`` compares identities for ``!=``, whatever ``__eq__`` says."""
        return not self == other

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema as cs

        hints = get_type_hints(cls, include_extras=True)
        fields = {
            f.name: cs.typed_dict_field(handler.generate_schema(hints[f.name]), required=f.required)
            for f in msgspec.structs.fields(cls)
        }
        inner = cs.typed_dict_schema(fields, extra_behavior="forbid", cls_name=cls.__name__)
        built = cs.no_info_after_validator_function(lambda values: cls(**values), inner)
        return cs.no_info_before_validator_function(plain, built)


def plain(value: Any) -> Any:
    """Records as dictionaries, all the way down; anything else as it is."""
    if isinstance(value, Record):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if type(value) is tuple:
        return tuple(plain(item) for item in value)
    return value


@lru_cache(maxsize=64)
def _compared(cls: type[Record]) -> tuple[str, ...]:
    return tuple(name for name in cls.__struct_fields__ if name not in IDENTITY)


@lru_cache(maxsize=64)
def _adapter(cls: type[Record]) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(cls)


@lru_cache(maxsize=64)
def defaults(cls: type[Record]) -> Mapping[str, Any]:
    """Default value of each field of a record that has one."""
    return {f.name: f.default if f.default is not msgspec.NODEFAULT else f.default_factory() for f in _optional(cls)}


def _optional(cls: type[Record]) -> list[msgspec.structs.FieldInfo]:
    return [f for f in msgspec.structs.fields(cls) if not f.required]
