"""See :mod:`labelglot.native`."""

from array import array
from typing import Any

def fill(
    pieces: tuple[bytes, ...], columns: tuple[list[Any] | array[float], ...], rows: int, between: bytes = b",", after: bytes = b",",
    shorter: bool = False,
) -> bytes | None: ...
def scan(text: bytes, start: int, pieces: tuple[bytes, ...], kinds: str) -> tuple[int, list[Any]] | None: ...
def first_children(text: bytes, outer: bytes, inner: bytes, end: bytes) -> list[str] | None: ...
def alike(
    text: bytes, start: int, tags: tuple[bytes, ...], end: bytes, kinds: str
) -> tuple[int, list[Any], tuple[bytes, ...]] | None: ...
