"""Options given as text or values become a validated model; an unknown name is refused with the nearest one."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, TypeVar

from labelglot.errors import OptionError
from labelglot.formats.base import Options

M = TypeVar("M", bound=Options)


def parse_options(model: type[M], given: Mapping[str, Any], owner: str) -> M:
    """``model`` from ``given``; strings are converted to the fields' types. Raises :class:`OptionError`."""
    from pydantic import ValidationError

    known = model.model_fields
    for name in given:
        if name.replace("-", "_") not in known:
            near = difflib.get_close_matches(name, known, n=1)
            choice = f'; did you mean "{near[0]}"?' if near else ""
            listed = ", ".join(known) or "none"
            raise OptionError(f'{owner} has no option "{name}"{choice}', hint=f"its options: {listed}")
    try:
        return model(**{name.replace("-", "_"): value for name, value in given.items()})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise OptionError(
            f'{owner}, option "{name}": {first["msg"]}', hint=f"labelglot formats {owner.split()[0]}"
        ) from error


def pairs(texts: list[str]) -> dict[str, str]:
    """``["key=value", ...]`` as a mapping. Raises :class:`OptionError` for text without ``=``."""
    result = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise OptionError(f'"{text}" is not key=value')
        result[name.strip()] = value
    return result
