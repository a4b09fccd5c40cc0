"""What a person sees: text for people on stderr, data on stdout. Names from data are shown, never interpreted."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

_HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
"""Control characters, marks that turn the direction of text, line separators, and bytes that are no text."""


def safe(text: object) -> str:
    """``text`` on one line, with everything a terminal would obey instead of show written as an escape."""
    return _HIDDEN.sub(lambda found: ascii(found.group())[1:-1], str(text))


class Screen:
    """Writes lines and tables for people, unless ``quiet``."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet

    def line(self, text: object = "", indent: int = 0) -> None:
        """One line, whatever is in ``text``."""
        if not self.quiet:
            sys.stderr.write("  " * indent + safe(text) + "\n")

    def error(self, text: object) -> None:
        """One line that is shown even if all else is quiet."""
        sys.stderr.write(safe(text) + "\n")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Rows under headings, as wide as the terminal, or as wide as needed if stderr is none."""
        if self.quiet:
            return
        from rich.box import SIMPLE_HEAD
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        listed = [tuple(row) for row in rows]
        numeric = [bool(listed) and all(isinstance(row[i], int) for row in listed) for i in range(len(columns))]
        made = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for name, right in zip(columns, numeric, strict=True):
            made.add_column(Text(name), justify="right" if right else "left", overflow="fold")
        for row in listed:
            made.add_row(*(Text(f"{cell:,}" if isinstance(cell, int) else safe(cell)) for cell in row))
        width = None if sys.stderr.isatty() else 10_000
        console = Console(stderr=True, width=width, markup=False, emoji=False, highlight=False)
        console.print(made)


def as_json(value: Any) -> str:
    """JSON text in ASCII: it survives every terminal, pipe and code page."""
    return json.dumps(value, indent=2, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return sorted(value)
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else str(value)
