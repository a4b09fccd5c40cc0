"""TensorFlow's label maps (``label_map.pbtxt``): one ``item { id: 1 name: 'cat' }`` per class, ids from 1."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from labelglot.errors import SourceError
from labelglot.schema.base import Id

_TOKEN = re.compile(
    r"""\s*(?:(?P<comment>\#[^\n]*)|(?P<open>[A-Za-z_]\w*\s*:?\s*\{)|(?P<close>\})|(?P<key>[A-Za-z_]\w*)\s*:\s*"""
    r"""(?P<value>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^\s,;{}]+)|(?P<skip>[,;]))""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}


class Item(NamedTuple):
    """One class. ``display_name`` is what people read where ``name`` is a code (``/m/01g317``)."""

    id: int
    name: str
    display_name: str | None = None


def parse_label_map(text: str, place: str) -> list[Item]:
    """The items in written order. Raises :class:`SourceError` where the text is no label map."""
    items: list[Item] = []
    fields: dict[str, str] = {}
    depth = at = 0
    text = text.lstrip("\ufeff").rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            line = text.count("\n", 0, at) + 1
            raise SourceError(f"no label map: {text[at : at + 20].strip()!r} is not understood", f"{place}:{line}")
        at = match.end()
        if match["open"]:
            depth += 1
            if depth == 1:
                fields = {}
        elif match["close"]:
            depth -= 1
            if depth == 0:
                items.append(_item(fields, f"{place}:{text.count(chr(10), 0, at) + 1}"))
        elif match["key"] and depth == 1:
            fields[match["key"]] = _unquote(match["value"])
    return items


def _item(fields: dict[str, str], place: str) -> Item:
    try:
        number = int(fields["id"])
    except (KeyError, ValueError) as error:
        raise SourceError("an item of the label map has no whole number as id", place) from error
    name = fields.get("name", fields.get("display_name"))
    return Item(number, str(number) if name is None else name, fields.get("display_name"))


def _unquote(value: str) -> str:
    if value[:1] not in "\"'":
        return value
    return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), value[1:-1], flags=re.DOTALL)


def format_label_map(items: Iterable[tuple[Id, str]]) -> str:
    """Text of (id, name) pairs."""
    return "".join(f"item {{\n  id: {id_}\n  name: {_quote(name)}\n}}\n" for id_, name in items)


def _quote(name: str) -> str:
    text = name.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    return f"'{text}'"
