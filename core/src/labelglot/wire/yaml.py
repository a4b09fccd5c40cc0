"""YAML without tags that build objects."""

from __future__ import annotations

from typing import Any

from labelglot.errors import SourceError, UnsafeInput
from labelglot.wire.json import unmark

MOST_VALUES = 1_000_000
"""Values in a document, those behind aliases counted each time: a short document can unfold to billions."""


def load(data: bytes, place: str) -> Any:
    """Plain values. Raises :class:`SourceError` with line and column; any tag but the standard ones is refused."""
    import yaml

    return _load(data, place, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def load_texts(data: bytes, place: str) -> Any:
    """The document with every scalar as the text that is written: ``no`` is not false, ``0001`` not 1."""
    import yaml

    return _load(data, place, getattr(yaml, "CBaseLoader", yaml.BaseLoader))


def _load(data: bytes, place: str, loader: Any) -> Any:
    import yaml

    try:
        value = yaml.load(unmark(data).decode("utf-8", "replace"), Loader=loader)
    except (yaml.YAMLError, ValueError, TypeError, LookupError, ArithmeticError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{place}:{mark.line + 1}" if mark is not None else place
        raise SourceError(f"not valid YAML: {getattr(error, 'problem', None) or error}", where) from error
    _limit(value, place)
    return value


def _limit(value: Any, place: str) -> None:
    waiting, seen = [value], 0
    while waiting:
        item = waiting.pop()
        seen += 1
        if seen > MOST_VALUES:
            raise UnsafeInput(f"it unfolds to more than {MOST_VALUES:,} values (aliases?)", place)
        if isinstance(item, dict):
            waiting += [*item, *item.values()]
        elif isinstance(item, list | tuple | set):
            waiting += item


def dump(value: Any, block: bool = False) -> bytes:
    """Block style, keys in the order given, unicode as it is; the innermost lists on one line unless ``block``."""
    import yaml

    flow = False if block else None
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, default_flow_style=flow, width=1000)
    return text.encode()
