"""When two coordinates are the same: a millionth of a pixel, or a billionth of the value."""

from __future__ import annotations

from collections.abc import Sequence

ABSOLUTE = 1e-6
RELATIVE = 1e-9


def close(a: float, b: float) -> bool:
    """Whether two coordinates are the same number up to arithmetic noise. NaN equals NaN."""
    return a == b or abs(a - b) <= max(ABSOLUTE, RELATIVE * max(abs(a), abs(b))) or (a != a and b != b)


def close_numbers(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether two sequences of coordinates are the same."""
    return len(a) == len(b) and all(map(close, a, b))
