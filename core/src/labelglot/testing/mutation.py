"""Damage to files, as it happens on disks, in transfers and in editors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st

_INSERTS = (b"\0", b"\xff\xfe", b"\xe2\x80\xae", b"\xf0\x9f\x90\x88", b"e\xcc\x81", b'"', b"}", b"[", b"<", b"&", b"-", b"NaN", b"1e999", b"null", b"\xed\xa0\x80", b"9" * 25, b",,", b"\n")


def _truncate(draw: Any, data: bytes) -> bytes:
    return data[: draw(st.integers(0, max(0, len(data) - 1)))]


def _flip(draw: Any, data: bytes) -> bytes:
    if not data:
        return data
    place = draw(st.integers(0, len(data) - 1))
    return data[:place] + bytes([data[place] ^ (1 << draw(st.integers(0, 7)))]) + data[place + 1 :]


def _insert(draw: Any, data: bytes) -> bytes:
    place = draw(st.integers(0, len(data)))
    return data[:place] + bytes(draw(st.sampled_from(_INSERTS))) + data[place:]


def _delete(draw: Any, data: bytes) -> bytes:
    place = draw(st.integers(0, len(data)))
    return data[:place] + data[place + draw(st.integers(1, 12)) :]


def _double(draw: Any, data: bytes) -> bytes:
    place = draw(st.integers(0, len(data)))
    end = place + draw(st.integers(1, 40))
    return data[:end] + data[place:end] + data[end:]


def _retype(draw: Any, data: bytes) -> bytes:
    """Another value in place of a number, string or keyword."""
    import re

    found = list(re.finditer(rb'-?\d+(?:\.\d+)?|"[^"\n]{0,40}"|true|false|null', data))
    if not found:
        return _insert(draw, data)
    hit = draw(st.sampled_from(found))
    new = draw(st.sampled_from([b"null", b'"x"', b"-1", b"[]", b"{}", b"1e308", b"true", b"", b"0.5", b'""', b"99999999999999999999", b"9" * 5000]))
    return data[: hit.start()] + bytes(new) + data[hit.end() :]


_FIELD = rb"""
    "[^"\n]{1,40}"\s*:\s*(?:"[^"\n]*"|-?[\d.eE+-]+|true|false|null|\[[^\[\]{}]*\]|\{[^\[\]{}]*\})\s*,?  # JSON
    | \s[\w:-]+="[^"\n<]*"                                                                           # XML, attribute
    | <([\w:-]+)>[^<>]*</\1>                                                                         # XML, element
    | ^[\w ]+:[^\n]*\n                                                                               # YAML
    | (?<=[,;\t ])[^,;\t\s]+(?=[,;\t\s])                                                             # tables and lines
"""


def _leave_out(draw: Any, data: bytes) -> bytes:
    """Without one field: a key and its value, an attribute, an element, a cell."""
    import re

    found = list(re.finditer(_FIELD, data, re.VERBOSE | re.MULTILINE))
    if not found:
        return _delete(draw, data)
    hit = draw(st.sampled_from(found))
    return data[: hit.start()] + data[hit.end() :]


_DAMAGE: tuple[Callable[[Any, bytes], bytes], ...] = (_truncate, _flip, _insert, _delete, _double, _retype, _leave_out)


@st.composite
def mutations(draw: Any, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files with one of them damaged, emptied or gone."""
    damaged = dict(files)
    if not files:
        return damaged
    names = sorted(files)
    texts = [name for name in names if not name.lower().endswith((".png", ".jpg", ".jpeg"))]
    name = draw(st.sampled_from(texts or names))
    how = draw(st.integers(0, 19))
    if how == 0:
        del damaged[name]
    elif how == 1:
        damaged[name] = b""
    else:
        data = damaged[name]
        for _ in range(draw(st.integers(1, 3))):
            data = draw(st.sampled_from(_DAMAGE))(draw, data)
        damaged[name] = data
    return damaged


__all__ = ["mutations"]
