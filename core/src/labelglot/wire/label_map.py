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
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|[xX][0-9a-fA-F]{1,2}|.)", re.DOTALL)
_ESCAPES = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}


class Item(NamedTuple):
    """One class. ``display_name`` is what people read where ``name`` is a code (``/m/01g317``).

    ``keypoints``: (id, name) of its points, in written order.
    """

    id: int
    name: str
    display_name: str | None = None
    keypoints: tuple[tuple[int, str], ...] = ()


def parse_label_map(text: str, place: str) -> list[Item]:
    """The items in written order. Raises :class:`SourceError` where the text is no label map."""
    items: list[Item] = []
    fields: dict[str, str] = {}
    point: dict[str, str] = {}
    points: list[dict[str, str]] = []
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
                fields, points = {}, []
            elif depth == 2 and match["open"].startswith("keypoints"):
                point = {}
                points.append(point)
        elif match["close"]:
            depth -= 1
            if depth == 0:
                items.append(_item(fields, points, f"{place}:{text.count(chr(10), 0, at) + 1}"))
        elif match["key"] and depth == 1:
            fields[match["key"]] = _unquote(match["value"])
        elif match["key"] and depth == 2:
            point[match["key"]] = _unquote(match["value"])
    return items


def _item(fields: dict[str, str], points: list[dict[str, str]], place: str) -> Item:
    try:
        number = int(fields["id"])
        keypoints = tuple((int(point.get("id", i)), point.get("label", "")) for i, point in enumerate(points))
    except (KeyError, ValueError) as error:
        raise SourceError("an item of the label map has no whole number as id", place) from error
    name = fields.get("name", fields.get("display_name"))
    return Item(number, str(number) if name is None else name, fields.get("display_name"), keypoints)


def _unquote(value: str) -> str:
    """The text of a value. Escapes may spell single bytes of UTF-8 (``\\303\\274``)."""
    if value[:1] not in "\"'":
        return value
    return _ESCAPE.sub(_escaped, value[1:-1].encode("utf-8", "replace")).decode("utf-8", "replace")


def _escaped(match: re.Match[bytes]) -> bytes:
    code = match[1]
    if code[:1].isdigit() and code[:1] < b"8":
        return bytes([int(code, 8) & 0xFF])
    if len(code) > 1:
        return bytes([int(code[1:], 16)])
    return _ESCAPES.get(code, code)


def format_label_map(items: Iterable[tuple[Id, str] | Item]) -> str:
    """Text of (id, name) pairs or whole items."""
    return "".join(_format(*item) for item in items)


def _format(id_: Id, name: str, display_name: str | None = None, keypoints: tuple[tuple[int, str], ...] = ()) -> str:
    lines = [f"  id: {id_}", f"  name: {_quote(name)}"]
    if display_name is not None:
        lines.append(f"  display_name: {_quote(display_name)}")
    lines += [f"  keypoints {{\n    id: {number}\n    label: {_quote(text)}\n  }}" for number, text in keypoints]
    return "item {\n" + "\n".join(lines) + "\n}\n"


def _quote(name: str) -> str:
    text = name.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    return f"'{text}'"
