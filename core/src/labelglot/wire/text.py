"""Numbers and lines of plain text files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from labelglot.errors import LabelglotError

LINE = r"(?![\s\ufeff])[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+(?<!\s)"
"""Names that survive as a line of text: no control characters, no blanks at either end."""

WORD = r"[^\s\x00-\x1f\x7f-\x9f\ufeff\ud800-\udfff]+"
"""Names that survive as one of several words in a line: no blanks at all."""


def spell(value: float) -> str:
    """The shortest text that reads back as the same number; whole numbers without point."""
    if value == int(value) if -1e15 < value < 1e15 else False:
        return str(int(value))
    return repr(float(value))


def spell_all(numbers: Sequence[float]) -> list[str]:
    """:func:`spell` for many numbers at once, which is several times faster."""
    spelled = _encode(numbers)[1:-1].decode()
    if "n" in spelled:
        return [spell(number) for number in numbers]
    return (spelled + ",").replace(".0,", ",").split(",")[:-1]


def spell_rows(rows: Sequence[Sequence[float]]) -> list[str]:
    """:func:`spell_all` for several rows of numbers, those of a row with a comma between. No row may be empty."""
    spelled = _encode(rows).decode()
    if "n" in spelled:
        return [",".join(spell_all(row)) for row in rows]
    return spelled.replace(".0,", ",").replace(".0]", "]")[2:-2].split("],[") if rows else []


def spell_row(numbers: Sequence[float]) -> str:
    """Numbers with a blank between, each as short as it reads back. Raises LabelglotError if one is not finite."""
    spelled = _encode(numbers)[1:-1].replace(b",", b" ").decode()
    if "n" in spelled:
        raise LabelglotError("a coordinate is no finite number")
    return spelled


def spell_lines(rows: Sequence[Sequence[float]]) -> list[str]:
    """:func:`spell_row` for several rows at once. No row may be empty."""
    spelled = _encode(rows).decode()
    if "n" in spelled:
        raise LabelglotError("a coordinate is no finite number")
    return spelled[2:-2].replace(",", " ").split("] [") if rows else []


_encode = msgspec.json.Encoder(enc_hook=list).encode


def lines(data: bytes) -> Iterator[tuple[int, str]]:
    """(line number from 1, text without blanks at its ends) of each line that is not empty. Tolerates any encoding
    and byte order marks."""
    for number, line in enumerate(data.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        text = line.strip()
        if text:
            yield number, text
