"""Lines of ICDAR text localisation: numbers, perhaps a script or a difficulty, and the text of the word."""

from __future__ import annotations

import re
from typing import NamedTuple

from labelglot.wire.text import spell

CARELESS = "###"
"""Stands in place of a text that cannot be read: the region is to be ignored."""
SCRIPTS = frozenset(
    ["Arabic", "Latin", "Chinese", "Japanese", "Korean", "Bangla", "Hindi", "Symbols", "Mixed", "None", "Devanagari"]
)
_NUMBER = re.compile(r"\s*[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?\s*")
_QUOTED = re.compile(r'([^"]*?)[,\s]\s*"(.*)"\s*')
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_SPECIAL = re.compile(r'[\\"\n\r\t]')
_BACK = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


class Row(NamedTuple):
    """A region: 4 numbers are the corners of a box, more are points. ``text`` is ``None`` where none is given."""

    numbers: tuple[float, ...]
    text: str | None = None
    script: str | None = None
    difficult: str | None = None


def parse(line: str) -> Row | None:
    """The region of a line, ``None`` if it does not begin with the numbers of one."""
    quoted = _QUOTED.fullmatch(line)
    if quoted:
        head = re.split(r"\s*,\s*|\s+", quoted[1].strip())
        count = _leading(head)
        rest = head[count:]
        text = _ESCAPE.sub(lambda m: _ESCAPES.get(m[1], m[1]), quoted[2])
        if not rest and count % 2 and count > 8 and head[-1] in ("0", "1"):
            return Row(_floats(head[:-1]), text, None, head[-1])
        if count >= 4 and count % 2 == 0 and (not rest or (len(rest) == 1 and rest[0] in SCRIPTS)):
            return Row(_floats(head[:count]), text, rest[0] if rest else None)
    cells = line.split(",") if "," in line else line.split(None, 4)
    count = _leading(cells)
    if count >= 6 and count % 2 == 0 and count == len(cells):
        return Row(_floats(cells))
    if count < 4:
        return None
    used = 8 if count >= 8 else 4
    if len(cells) == used:
        return Row(_floats(cells))
    rest = cells[used:]
    if rest[0].strip() in SCRIPTS and len(rest) > 1:
        return Row(_floats(cells[:used]), ",".join(rest[1:]), rest[0].strip())
    return Row(_floats(cells[:used]), ",".join(rest))


def _leading(cells: list[str]) -> int:
    return next((i for i, cell in enumerate(cells) if not _NUMBER.fullmatch(cell)), len(cells))


def _floats(cells: list[str]) -> tuple[float, ...]:
    return tuple(map(float, cells))


def write(row: Row) -> str:
    """The line of a region: the text as it is behind the eighth comma if it reads back so, else in quotation marks."""
    head = ",".join(map(spell, row.numbers))
    if row.script in SCRIPTS:
        head += f",{row.script}"
    elif row.difficult in ("0", "1"):
        head += f",{row.difficult}"
    if row.text is None:
        return head
    plain = f"{head},{row.text}"
    if (
        len(row.numbers) == 8
        and not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]", row.text)
        and parse(plain) == row
    ):
        return plain
    return f'{head},"{_SPECIAL.sub(lambda m: _BACK.get(m[0], chr(92) + m[0]), row.text)}"'
