"""What nearly every reader does with the objects of an image: numbers that are numbers, and one bad object is one problem."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TypeVar

from labelglot.errors import LabelglotError
from labelglot.report import Report
from labelglot.schema import Annotation

T = TypeVar("T")


def numbers(values: Iterable[str | float | None], count: int | None = None) -> tuple[float, ...]:
    """Cells, attributes or JSON values as finite numbers. Raises LabelglotError if one is none, or ``count`` is wrong."""
    found = []
    for value in values:
        try:
            number = math.nan if value is None else float(value)
        except (ValueError, TypeError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise LabelglotError(f"{value!r:.40} is not a finite number")
        found.append(number)
    if count is not None and len(found) != count:
        raise LabelglotError(f"there are {len(found)} numbers, not {count}")
    return tuple(found)


def whole(text: str | None, highest: int = 2**31 - 1) -> int | None:
    """The whole number from 0 to ``highest`` that a text is in plain digits; ``None`` if it is something else.

    For sizes and codes out of files: ``int`` raises for five thousand digits, and takes a million of them for a width.
    """
    digits = "" if text is None else text.strip()
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 40:
        return None
    number = int(digits)
    return number if number <= highest else None


def decode_objects(
    items: Iterable[tuple[str, T]],
    decode: Callable[[T], Annotation | None],
    report: Report,
    code: str,
    key: str | None = None,
) -> tuple[Annotation, ...]:
    """The objects of an image, from (place, item). An item that raises LabelglotError is skipped with a problem.

    ``code``: code of the problem, by custom ``<format>.object``; ``key``: path of the image. ``decode`` may return
    ``None`` for an item that is no object.
    """
    found = []
    for place, item in items:
        try:
            annotation = decode(item)
        except LabelglotError as error:
            report.problem(
                code, error.message, error.place or place, severity="error", key=key, raw=item, action="skipped"
            )
            continue
        if annotation is not None:
            found.append(annotation)
    return tuple(found)


__all__ = ["decode_objects", "numbers", "whole"]
