"""YAML without tags that build objects."""

from __future__ import annotations

from typing import Any

from labelglot.errors import SourceError


def load(data: bytes, place: str) -> Any:
    """Plain values. Raises :class:`SourceError` with line and column; any tag but the standard ones is refused."""
    import yaml

    try:
        return yaml.load(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{place}:{mark.line + 1}" if mark is not None else place
        raise SourceError(f"not valid YAML: {getattr(error, 'problem', None) or error}", where) from error


def dump(value: Any) -> bytes:
    """Block style, keys in the order given, unicode as it is."""
    import yaml

    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, default_flow_style=None, width=1000)
    return text.encode()
