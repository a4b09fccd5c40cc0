"""What every schema model shares: frozen and strict about unknown keys. Objects that come in millions are records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

Attribute = bool | int | float | str | tuple[str, ...] | None
"""A value of a free attribute. Text stays text: ``"0001"`` is not ``1``."""

Id = int | str
"""An identifier as its format wrote it; 0 and gaps are real, never an index."""


class Frozen(BaseModel):
    """A frozen model without unknown fields. NaN and infinities are data here; checks flag them.

    Validators are built on first use: building those of all models and options takes half of their import time.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", defer_build=True, ser_json_inf_nan="strings", ser_json_bytes="base64"
    )

    def replace(self, **changes: object) -> Self:
        """Copy with some fields replaced. Nothing is validated again."""
        copy = self.model_copy(update=changes)
        for cached in copy.__dict__.keys() - type(self).model_fields.keys():
            del copy.__dict__[cached]  # worked out from the old fields
        return copy

    @classmethod
    def trusted(cls, **values: Any) -> Self:
        """Build from values whose types are known to be right: no validation, defaults filled in."""
        return cls.model_construct(**values)


Extra = Mapping[str, Any]
"""Opaque bag keyed by format id; never needed to understand the object it rides on."""

NOTHING: Mapping[str, Any] = {}
