"""Numbers and lines of plain text files."""

from __future__ import annotations

from collections.abc import Iterator

LINE = r"(?![\s\ufeff])[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+(?<!\s)"
"""Names that survive as a line of text: no control characters, no blanks at either end."""

WORD = r"[^\s\x00-\x1f\x7f-\x9f\ufeff\ud800-\udfff]+"
"""Names that survive as one of several words in a line: no blanks at all."""


def spell(value: float) -> str:
    """The shortest text that reads back as the same number; whole numbers without point."""
    if value == int(value) if -1e15 < value < 1e15 else False:
        return str(int(value))
    return repr(float(value))


def lines(data: bytes) -> Iterator[tuple[int, str]]:
    """(line number from 1, text without blanks at its ends) of each line that is not empty. Tolerates any encoding
    and byte order marks."""
    for number, line in enumerate(data.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        text = line.strip()
        if text:
            yield number, text
