"""The compiled part: the few things that take most of the time of a large conversion and decide nothing.

Rows of text from columns of numbers and back, boxes side by side in an array, where the objects of a JSON array are, small files.
Each function answers ``None`` where it is not compiled (``labelglot-native`` could not be built) or where something is out
of the ordinary: then whoever asks does it in Python. So nothing is decided here, and nothing looks different with it: the
suites compare both ways. ``LABELGLOT_PURE=1`` in the environment does without.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from array import array

    Numbers = array[float]

MISSING, NUMBER, EMPTY, NESTED, OBJECT, OTHER = range(6)
"""What a field of a JSON object is, see :func:`index`."""


def _none(*_: Any, **__: Any) -> None:
    return None


if TYPE_CHECKING:
    COMPILED: bool
    """Whether the functions here ever answer."""

    def fill(
        pieces: tuple[bytes, ...], columns: tuple[list[Any] | Numbers, ...], rows: int, between: bytes = b",", after: bytes = b",",
        shorter: bool = False,
    ) -> bytes | None:
        """The text of so many ``rows``: the first piece, an item of the first column, the second piece, and so on to the last
        piece.

        Items: floats from 1e-4 to 1e15 as :func:`repr` spells them, whole numbers, text, bytes, or several floats, with
        ``between`` after each number at an even place and ``after`` behind the others. The last are a list of tuples or, where
        there are as many in each row, an array. ``shorter``: whole floats without decimals.
        """

    def weave(pieces: tuple[bytes, ...], numbers: tuple[float, ...], shorter: bool = False) -> bytes | None:
        """The first piece, a number, the second piece, and so on to the last piece; see :func:`fill`."""

    def scan(text: bytes, start: int, pieces: tuple[bytes, ...], kinds: str) -> tuple[int, list[Any]] | None:
        """The inverse of :func:`fill` for as many rows as there are from ``start`` on: where they end, and the columns.

        ``kinds``: a letter for each value. ``i``: a whole number, ``s``: text without markup, ``f``: a number without
        exponent; the last of all are one array, the others a list each.
        """

    def alike(
        text: bytes, start: int, tags: tuple[bytes, ...], end: bytes, kinds: str
    ) -> tuple[int, list[Any], tuple[bytes, ...]] | None:
        """What :func:`scan` makes of rows of XML that are spelled like the first one, and the pieces it is made of: its values
        stand behind the ``tags``, it ends with the first ``end``.
        """

    def first_children(text: bytes, outer: bytes, inner: bytes, end: bytes) -> list[str] | None:
        """The text of the first child of each XML element that begins with ``outer`` and a bracket: from the tag ``inner`` to the
        tag ``end``, without markup. ``None`` also if the first child of one is another, or another element begins like that.
        """

    def corners(centres: Numbers, width: float, height: float, low: float, high: float) -> Numbers | None:
        """Corners of boxes from centre and size, times the size they are a fraction of; each number is from ``low`` to
        ``high``.
        """

    def centres(boxes: Numbers, grid: float) -> Numbers | None:
        """Centre and size of boxes from their corners, each number on a ``grid`` of so many steps per pixel."""

    def edges(sizes: list[tuple[float, float, float, float]], limit: float) -> tuple[Numbers, list[bool]] | None:
        """Corners of boxes from corner and size, and of each box whether it has a width and a height, and no number of it is
        ``limit`` or more.
        """

    def spans(boxes: Numbers) -> tuple[Numbers, Numbers] | None:
        """Corner and size of boxes from their corners, without the noise of the subtraction: corner and size add up to the
        other corner. And their areas.
        """

    def extent(boxes: Numbers) -> tuple[float, float, float, float] | None:
        """The smallest box around all of them; ``None`` also if there is none, or one without width or height."""

    def enclose(boxes: Numbers, rings: list[tuple[float, ...]], tolerance: float) -> list[bool] | None:
        """For each box whether it is the extent of the ring beside it."""

    def read(path: str, limit: int) -> bytes | None:
        """The first ``limit`` bytes of a file, 64 KB at the most; also ``None`` for a link or what cannot be read."""

    def read_many(root: str, paths: tuple[str, ...], limit: int, whole: bool) -> list[bytes | None] | None:
        """What :func:`read` tells of each of some files below a folder; ``whole``: ``None`` for one that is not shorter than
        ``limit``.
        """

    def create(path: str, data: bytes) -> bool | None:
        """Write a new file; ``None`` also if it could not be written, or one is there: then nothing has changed."""

    def entries(folder: str) -> tuple[list[str], list[str]] | None:
        """Names in a folder: those that are known to be plain files, and all others. ``None`` also if one is not in UTF-8."""

    def stamps(root: str, paths: tuple[str, ...]) -> bytes | None:
        """Of files below a folder: path, a NUL, length and time of change (in nanoseconds) with a colon between, a NUL;
        ``None`` also if one cannot be looked at.
        """

    def index(
        data: bytes, start: int, stop: int, numbers: tuple[bytes, ...], required: int, expected: int, box: bytes,
        others: tuple[bytes, ...],
    ) -> tuple[array[int], array[int], list[array[int]], array[float], list[bytes], bool] | None:  # fmt: skip
        """Of the encoded JSON objects from ``start`` to ``stop``, with commas between them: where each begins and ends; the
        whole numbers in the fields ``numbers``, 0 where one is not there; the four numbers of the field ``box``; of each of the
        ``others`` what it is (one of ``MISSING, NUMBER, EMPTY, NESTED, OBJECT, OTHER``, where empty and nested are an array,
        of arrays); and whether all of them have a box and the first ``expected`` numbers, and no field besides. The first
        ``required`` numbers are in all of them.
        """

    def jpeg(head: bytes) -> tuple[int, int] | None:
        """Width and height of a JPEG without EXIF, as its first bytes tell."""
else:
    try:
        if os.environ.get("LABELGLOT_PURE"):
            raise ImportError
        from labelglot_native.boxes import centres, corners, edges, enclose, extent, spans
        from labelglot_native.files import create, entries, jpeg, read, read_many, stamps
        from labelglot_native.objects import index
        from labelglot_native.rows import alike, fill, first_children, scan, weave

        COMPILED = True
    except ImportError:
        COMPILED = False
        alike = centres = corners = create = edges = enclose = entries = extent = fill = first_children = _none
        index = jpeg = read = read_many = scan = spans = stamps = weave = _none

__all__ = [
    "COMPILED", "alike", "centres", "corners", "create", "edges", "enclose", "entries", "extent", "fill", "first_children", "index", "jpeg",
    "read", "read_many", "scan", "spans", "stamps", "weave",
]  # fmt: skip
