"""Numbers for objects that nobody has counted: each piece of work tells those behind it how many it has."""

from __future__ import annotations

import os
import time
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

_PAUSE = 0.0002
"""Seconds to wait for the piece before: another process is reading it, or has read it already."""

_PATIENCE = 60.0
"""Seconds after which whoever has the piece before must be dead, or nobody can wait for it."""


class Numbering:
    """How many objects are before each piece of work. Lies in memory that processes on one machine share.

    Pieces must be begun in order, as a queue does, so that whatever is waited for is at work or done. A piece that is read
    again, as a whole or in halves, is numbered as before.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        """``sizes``: the number of samples of each piece, in order."""
        from multiprocessing.sharedctypes import RawArray  # with ctypes, which few conversions need

        self.starts = [0, *accumulate(sizes)]
        self._objects: Any = RawArray("i", self.starts[-1] + 1)
        self._ends: Any = RawArray("q", [-1] * (len(sizes) + 1))
        self._known: Any = RawArray("q", [-1] * (len(sizes) + 1))

    def first(self, ordinal: int, objects: Sequence[int]) -> int:
        """How many objects are before a piece, or a part of one, that begins with this sample. ``objects``: of each sample
        in it.
        """
        piece = bisect_right(self.starts, ordinal) - 1
        earlier: list[int] = self._objects[self.starts[piece] : ordinal]
        before = self._end(piece - 1) + sum(earlier)
        self._objects[ordinal : ordinal + len(objects)] = list(objects)
        end = before + sum(objects)
        if end > self._ends[piece]:
            self._ends[piece] = end
        return before

    def know(self, ordinal: int, objects: int) -> None:
        """Take note of a piece that was done earlier, and is not read again."""
        self._known[bisect_right(self.starts, ordinal) - 1] = objects

    def _end(self, piece: int) -> int:
        """How many objects there are up to the end of a piece; waits until that is known."""
        later = 0
        while piece >= 0 and self._known[piece] >= 0:
            later += self._known[piece]
            piece -= 1
        if piece < 0:
            return later
        patient = time.monotonic() + _PATIENCE
        while self._ends[piece] < 0:
            if time.monotonic() > patient:
                os._exit(1)  # a worker that dies is noticed, and its piece is done again, alone
            time.sleep(_PAUSE)
        return int(self._ends[piece]) + later


__all__ = ["Numbering"]
