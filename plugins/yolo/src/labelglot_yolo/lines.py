"""Lines of label files: each is typed by the number of its tokens, then by the task of its format.

All coordinates are fractions of the image's width and height.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

import msgspec
from labelglot import native
from labelglot.errors import LabelglotError
from labelglot.geometry import from_center
from labelglot.plugin import Annotation, Boxes, Columns, Keypoints, Polygon, Report, RotatedBox

OUTSIDE = 0.01
"""How far outside the image Ultralytics lets coordinates be, as fraction of the image."""

NO_POINT = "-0"
"""A coordinate that fills a pose line up to the length all lines must have: zero to a trainer, no point to us."""

UNSEEN = "+2"
"""Visibility of a point whose visibility nobody stated: visible to a trainer."""

Numbers = Sequence[float]
Found = dict[str, Any]


class Line(NamedTuple):
    """One line: its tokens, and all of them as numbers."""

    cells: Sequence[str]
    numbers: Numbers


class Misfit(LabelglotError):
    """A line that is no object of its format."""

    code = "tokens"


def box(line: Line) -> Found:
    """``class cx cy w h``, in predictions followed by a score and a track number."""
    numbers = line.numbers
    return {"box": from_center(*numbers[1:5]), **_prediction(line, 5)}


def polygon(line: Line) -> Found:
    """``class x1 y1 ... xn yn``; an even number of tokens means a score at the end."""
    numbers, count = line.numbers, len(line.numbers)
    end = count - 1 if count % 2 == 0 else count
    if count % 2 and count >= 9 and _is_track(line.cells[-1]) and numbers[-1] > 1 and 0 <= numbers[-2] <= 1:
        end = count - 2
    return {"shape": Polygon.of(tuple(numbers[1:end])), **_prediction(line, end)}


def rotated(line: Line) -> Found:
    """``class x1 y1 x2 y2 x3 y3 x4 y4``, in predictions followed by a score and a track number."""
    return {"shape": RotatedBox(corners=tuple(line.numbers[1:9])), **_prediction(line, 9)}


def _prediction(line: Line, start: int) -> Found:
    found: Found = {}
    if len(line.numbers) > start:
        found["score"] = line.numbers[start]
    if len(line.numbers) > start + 1:
        found["track"] = int(line.numbers[start + 1])
    return found


def _is_track(cell: str) -> bool:
    return cell.isdigit()


def pose(line: Line, points: int, dimensions: int, own: int | None) -> Found:
    """A box line followed by K points of D numbers each. ``own``: how many points the class has names for."""
    end = 5 + points * dimensions
    cells, numbers = line.cells[5:end], line.numbers[5:end]
    count = points
    while count and cells[(count - 1) * dimensions] == cells[(count - 1) * dimensions + 1] == NO_POINT:
        count -= 1
    if own is not None and dimensions == 3:
        while count > own and not any(numbers[(count - 1) * 3 : count * 3]):
            count -= 1
    found = {"box": from_center(*line.numbers[1:5]), **_prediction(line, end)}
    if count:
        used = numbers[: count * dimensions]
        flat = tuple(v for i in range(0, len(used), dimensions) for v in used[i : i + 2])
        found["keypoints"] = Keypoints(points=flat, visibility=_visibility(used, cells[: len(used)], dimensions))
    return found


def _visibility(numbers: Numbers, cells: Sequence[str], dimensions: int) -> tuple[int | float, ...] | None:
    """As written; without third number a negative coordinate says that the point is not there."""
    if dimensions == 2:
        gone = [x < 0 or y < 0 for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
        return tuple(0 if missing else 2 for missing in gone) if any(gone) else None
    if all(cell == UNSEEN for cell in cells[2::3]):
        return None
    return tuple(int(v) if v == int(v) else v for v in numbers[2::3])


Kind = Callable[[Line], Found]
Choose = Callable[[Line], Kind]
"""Which kind of line it is. Raises :class:`Misfit`, with a hint, if it is none that the format knows."""


def detection(line: Line) -> Kind:
    """5 tokens are a box, 6 and 7 a predicted box, more a polygon."""
    count = len(line.cells)
    if count in (5, 6) or (count == 7 and _is_track(line.cells[6])):
        return box
    return _polygon(line)


def segmentation(line: Line) -> Kind:
    """5 tokens are a box, 6 a predicted box, more a polygon."""
    return box if len(line.cells) in (5, 6) else _polygon(line)


def oriented(line: Line) -> Kind:
    """9 tokens are a rotated box, 10 and 11 a predicted one, 5 an upright box, other counts a polygon."""
    count = len(line.cells)
    if count == 5:
        return box
    if count == 6:
        raise Misfit("6 tokens may be a box and an angle of a unit nobody states", hint="four corners are needed")
    if count in (9, 10) or (count == 11 and _is_track(line.cells[10]) and 0 <= line.numbers[9] <= 1):
        return rotated
    return _polygon(line)


def _polygon(line: Line) -> Kind:
    if len(line.cells) < 7:
        raise Misfit(f"{len(line.cells)} tokens are neither a box (5) nor at least three points (7 or more)")
    return polygon


def keypoints(line: Line, points: int, dimensions: int) -> bool:
    """Whether a line has K points of D numbers behind its box, in predictions a score and a track number too. Raises
    :class:`Misfit` for other counts than that or 5 to 7.
    """
    count = len(line.cells)
    if 0 <= count - (5 + points * dimensions) <= 2:
        return True
    if count in (5, 6, 7):
        return False
    other = 5 - dimensions
    fits = count == 5 + points * other
    raise Misfit(
        f"{count} tokens, but kpt_shape [{points}, {dimensions}] asks for {5 + points * dimensions}",
        hint=f"they would fit kpt_shape [{points}, {other}]" if fits else None,
    )


class Rules(NamedTuple):
    """How the lines of a dataset are read. Picklable.

    ``keys``: label key of each class number, ``None``: there is no class table. ``decode``: the object on a line.
    ``placeholders``: classes beyond the table get a name instead of none. ``upright``: a line of 5 tokens is a box, as
    in nearly every file, so ``decode`` need not be asked.
    """

    format: str
    keys: Mapping[int, str] | None
    decode: Callable[[Line, int], Found]
    placeholders: bool = False
    upright: bool = True


def read(data: bytes, place: str, rules: Rules, report: Report) -> tuple[Annotation, ...]:
    """The objects of a label file; each line that is none is a problem."""
    text = data.decode("utf-8-sig", "replace")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    rows = text.split("\n")
    found: list[Annotation] = []
    names = rules.keys
    usual = names if rules.upright and "_" not in text else None
    for number, row in enumerate(rows, 1):
        cells = row.split()
        if not cells:
            continue
        if usual is not None and len(cells) == 5:
            annotation = _usual(cells, usual)
            if annotation is not None:
                found.append(annotation)
                continue
        numbers = _numbers(row, cells)
        if numbers is None:
            report.problem(
                f"{rules.format}.number", "it needs a class number and finite coordinates", f"{place}:{number}",
                severity="error", raw=row, action="skipped",
            )  # fmt: skip
            continue
        label = int(numbers[0])
        try:
            made = rules.decode(Line(cells, numbers), label)
        except Misfit as error:
            hint = f"; {error.hint}" if error.hint else ""
            report.problem(
                f"{rules.format}.tokens", error.message + hint, f"{place}:{number}", severity="error", raw=row,
                action="skipped",
            )  # fmt: skip
            continue
        highest = max(numbers[1:5])
        if highest > 1 + OUTSIDE or min(numbers[1:5]) < -OUTSIDE:
            _outside(highest, f"{place}:{number}", row, rules, report)
        key = None if names is None else names.get(label)
        if key is None:
            key = _unknown(label, f"{place}:{number}", row, rules, report)
        found.append(Annotation(label=key, **made))
    if len(found) > 1 and len(set(rows)) < len(rows):
        _report_doubles(rows, place, rules, report)
    return tuple(found)


def boxes(data: bytes, rules: Rules, size: tuple[int, int] | None) -> Columns | None:
    """The objects of a label file of which each line is a box inside the image, of a class in the table, and none stands
    there twice; in pixels of an image of this ``size``, as fractions without one. ``None``: look closer.
    """
    names = rules.keys
    if names is None or not rules.upright:
        return None
    width, height = size or (1, 1)
    body = data[:-1] if data.endswith(b"\n") else data
    scanned = native.scan(body + b"\n", 0, (b"", b" ", b" ", b" ", b" ", b"\n"), "iffff")
    if scanned is not None:
        end, (classes, centres) = scanned
        corners = native.corners(centres, width, height, _LOW, _HIGH) if end > len(body) else None
        keys = list(map(names.get, classes))
        if corners is None or None in keys or len(set(body.split(b"\n"))) < len(keys):
            return None
        return Columns(keys, Boxes(corners))  # type: ignore[arg-type]
    if body.translate(None, b"0123456789.- \n"):
        return None
    try:
        rows = _rows.decode(b"[[" + body.replace(b" ", b",").replace(b"\n", b"],[") + b"]]")
    except msgspec.MsgspecError:
        return None
    found = [
        ((cx - w / 2) * width, (cy - h / 2) * height, (cx + w / 2) * width, (cy + h / 2) * height)
        for _, cx, cy, w, h in rows
        if _LOW <= cx <= _HIGH and _LOW <= cy <= _HIGH and _LOW <= w <= _HIGH and _LOW <= h <= _HIGH
    ]
    labels = [names[row[0]] for row in rows if row[0] in names]
    if not len(found) == len(labels) == len(rows) == len(set(rows)):
        return None
    return Columns(labels, Boxes.of(found))


_rows = msgspec.json.Decoder(list[tuple[int, float, float, float, float]])

_LOW, _HIGH = -OUTSIDE, 1 + OUTSIDE


def _usual(cells: Sequence[str], names: Mapping[int, str]) -> Annotation | None:
    """The object of a line as nearly all are: a box inside the image, of a class in the table. ``None``: look closer."""
    try:
        label, cx, cy, w, h = map(float, cells)
    except ValueError:
        return None
    if _LOW <= cx <= _HIGH and _LOW <= cy <= _HIGH and _LOW <= w <= _HIGH and _LOW <= h <= _HIGH:
        key = names.get(label)  # type: ignore[call-overload]
        if key is not None:
            return Annotation(label=key, box=(cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2))
    return None


def _numbers(row: str, cells: list[str]) -> list[float] | None:
    """A class number and finite numbers; ``None`` for anything else."""
    try:
        numbers = list(map(float, cells))
        label = int(numbers[0])
    except (ValueError, OverflowError):
        return None
    if label != numbers[0] or label < 0 or not all(map(isfinite, numbers)) or "_" in row:
        return None
    return numbers


def _report_doubles(rows: Sequence[str], place: str, rules: Rules, report: Report) -> None:
    seen: set[str] = set()
    for number, row in enumerate(rows, 1):
        if row in seen and row.strip():
            report.problem(f"{rules.format}.line-twice", "the line stands there twice", f"{place}:{number}", raw=row)
        seen.add(row)


def _outside(highest: float, place: str, text: str, rules: Rules, report: Report) -> None:
    if highest > 1 + OUTSIDE:
        message = f"{highest:g} is no fraction of the image: are these pixels?"
        report.problem(f"{rules.format}.range", message, place, severity="error", raw=text)
    else:
        report.problem(f"{rules.format}.range", "it lies outside the image", place, raw=text)


def _unknown(label: int, place: str, text: str, rules: Rules, report: Report) -> str | None:
    """The key of a class that is in no table."""
    if rules.keys is None:
        return f"class_{label}"
    report.problem(
        f"{rules.format}.class", f"there is no class {label}, only {len(rules.keys)} others", place, severity="error",
        raw=text, action="kept, named by its number" if rules.placeholders else "kept without class",
    )  # fmt: skip
    return f"class_{label}" if rules.placeholders else None
