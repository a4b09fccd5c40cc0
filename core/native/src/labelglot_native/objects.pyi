"""See :mod:`labelglot.native`."""

from array import array

def index(
    data: bytes, start: int, stop: int, numbers: tuple[bytes, ...], required: int, expected: int, box: bytes,
    others: tuple[bytes, ...],
) -> tuple[array[int], array[int], list[array[int]], array[float], list[bytes], bool] | None: ...
