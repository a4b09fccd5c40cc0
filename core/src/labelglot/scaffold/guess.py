"""Looks at a sample file of an unknown format, and notes what can be seen: for the author to check, never to rely on."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from labelglot.errors import LabelglotError
from labelglot.images import is_image

if TYPE_CHECKING:
    from labelglot.scaffold.render import Shape, Syntax

LIMIT = 4 << 20
"""Bytes looked at."""
SHOWN = 40
"""Places (columns, keys, elements) that are noted."""


class Guess(NamedTuple):
    """Shape and syntax a file seems to have, and notes, one line each."""

    shape: Shape
    syntax: Syntax
    notes: tuple[str, ...]


class Values:
    """What stands at one place of the file: a column, a JSON path, an element or attribute."""

    def __init__(self) -> None:
        self.texts: dict[str, None] = {}
        self.numbers: list[float] = []
        self.whole = True
        self.decimals: set[int] = set()
        self.count = 0

    def add(self, value: object) -> None:
        """Take one more value, as JSON has it or as text."""
        self.count += 1
        text = str(value).strip()
        if isinstance(value, bool) or not re.fullmatch(r"[-+]?\d{1,18}(\.\d*)?([eE][-+]?\d{1,2})?|[-+]?\.\d+", text):
            if len(self.texts) < 1000:
                self.texts[text] = None
            return
        self.numbers.append(float(text))
        self.whole &= float(text).is_integer()
        self.decimals.add(len(text.partition(".")[2]) if "." in text and "e" not in text.lower() else 0)

    @property
    def images(self) -> int:
        """How many different names of image files there are."""
        return sum(map(is_image, self.texts))

    def __str__(self) -> str:
        said = []
        if self.numbers:
            low, high = min(self.numbers), max(self.numbers)
            written = min(self.decimals)
            always = f" with {written} decimals" if written and len(self.decimals) == 1 and self.count > 1 else ""
            said.append(f"{'whole numbers' if self.whole else 'numbers'} {low:g} to {high:g}{always}")
        if self.texts:
            few = list(self.texts)[:3]
            more = f" and {len(self.texts) - 3} more" if len(self.texts) > 3 else ""
            kind = "image names" if self.images else "text"
            said.append(f"{kind} {', '.join(repr(text[:30]) for text in few)}{more}")
        return f"{self.count} x {'; '.join(said) or 'nothing'}"


def guess(path: Path) -> Guess:
    """Shape, syntax and notes of a sample file. Raises LabelglotError if it cannot be read as text, JSON or XML."""
    try:
        with path.open("rb") as stream:
            data = stream.read(LIMIT)
    except OSError as error:
        raise LabelglotError(error.strerror or str(error), str(path)) from error
    if b"\x00" in data[:1024]:
        raise LabelglotError("it is no text, JSON or XML; the template has no shape for it", str(path))
    text = data.decode("utf-8-sig", "replace")
    begin = text.lstrip()[:1]
    if begin == "<":
        return _xml(data, path.name)
    if begin in ("{", "[") and path.suffix.lower() != ".txt":
        return _json(data, path.name)
    return _text(text, path.name)


def _json(data: bytes, name: str) -> Guess:
    from labelglot.wire import json

    value: Any
    try:
        value = json.load(data, name)
    except LabelglotError:
        value = json.peek(data)
    found: dict[str, Values] = {}
    for path, leaf in _leaves(value, ""):
        found.setdefault(path, Values()).add(leaf)
    many = any("[]" in path and values.images > 1 for path, values in found.items())
    many |= any(sum(map(is_image, keys)) > 1 for keys in _keys(value))
    top = f"a list of {len(value)}" if isinstance(value, list) else "an object with " + ", ".join(map(repr, list(value)[:12]))
    return Guess("document" if many else "per-image", "json", _notes(name, f"JSON: {top}", found))


def _leaves(value: Any, path: str, depth: int = 0) -> Iterator[tuple[str, object]]:
    """Every value with its path; positions in lists, and keys that are names of images, are not told apart."""
    if depth > 20:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            step = "{image}" if is_image(str(key)) else str(key)
            yield from _leaves(inner, f"{path}.{step}" if path else step, depth + 1)
    elif isinstance(value, list):
        row = 1 < len(value) <= 8 and all(isinstance(v, int | float) and not isinstance(v, bool) for v in value)
        for position, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{position}]" if row else f"{path}[]", depth + 1)
    else:
        yield path, value


def _keys(value: Any) -> Iterator[list[str]]:
    if isinstance(value, dict):
        yield [str(key) for key in value]
        for inner in list(value.values())[:100]:
            yield from _keys(inner)


def _xml(data: bytes, name: str) -> Guess:
    from labelglot.wire import xml

    found: dict[str, Values] = {}
    root = xml.parse(data, name)
    for element in root.iter():
        tags = [_decoded(above.tag) for above in element.iterancestors()][::-1]
        path = "/".join([*tags, _decoded(element.tag)])
        for key, value in element.attrib.items():
            found.setdefault(f"{path}@{_decoded(key)}", Values()).add(_decoded(value))
        if element.text and element.text.strip():
            found.setdefault(path, Values()).add(element.text)
    many = any(values.images > 1 for values in found.values())
    return Guess("document" if many else "per-image", "xml", _notes(name, f"XML: the root is <{_decoded(root.tag)}>", found))


def _decoded(text: str | bytes | object) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)


def _text(text: str, name: str) -> Guess:
    lines = [line for line in text.splitlines() if line.strip()]
    delimiter = _delimiter(lines[:50])
    rows = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter or ",")) if delimiter else [line.split() for line in lines]
    widths = sorted({len(row) for row in rows})
    header = _is_header(rows) if rows else False
    titles = rows[0] if header else []
    found: dict[str, Values] = {}
    for row in rows[1:] if header else rows:
        for i, cell in enumerate(row[:SHOWN]):
            title = f" {titles[i].strip()!r}" if i < len(titles) else ""
            found.setdefault(f"column {i + 1}{title}", Values()).add(cell)
    said = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}.get(delimiter, "blanks")
    cells = f"{widths[0]}" if len(widths) == 1 else f"{widths[0]} to {widths[-1]}" if widths else "no"
    if not delimiter and (columns := _fixed(lines)):
        said = f"blanks, which all end in the same columns ({', '.join(map(str, columns[:12]))}): is their width fixed?"
        cells = f"{widths[0]}"
    top = f"text: {len(rows)} rows of {cells} cells between {said}, {'with' if header else 'without'} a header"
    images = max((values.images for values in found.values()), default=0)
    shape: Shape = "per-image" if images == 0 else "table" if header or len(widths) == 1 else "document"
    return Guess(shape, "text", _notes(name, top, found))


def _fixed(lines: list[str]) -> list[int]:
    """Where the cells of all lines end, if that is the same for all though the cells differ in length."""
    ends = {tuple(match.end() for match in re.finditer(r"\S+", line)) for line in lines[:200]}
    begins = {tuple(match.start() for match in re.finditer(r"\S+", line)) for line in lines[:200]}
    return list(ends.pop()) if len(ends) == 1 and len(begins) > 1 else []


def _delimiter(lines: list[str]) -> str:
    """The sign that is in every line, most often; nothing for blanks."""
    counts = {sign: min((line.count(sign) for line in lines), default=0) for sign in (",", "\t", ";", "|")}
    best = max(counts, key=lambda sign: counts[sign])
    blanks = any(is_image(line.split(" ")[0]) for line in lines)
    return best if counts[best] and not blanks else ""


def _is_header(rows: list[list[str]]) -> bool:
    def numeric(row: list[str]) -> bool:
        return any(re.fullmatch(r"\s*[-+]?\d*\.?\d+\s*", cell) for cell in row)

    return len(rows) > 1 and not numeric(rows[0]) and any(map(numeric, rows[1:20]))


def _notes(name: str, top: str, found: dict[str, Values]) -> tuple[str, ...]:
    lines = [f"Seen in {name}; guesses, to be checked and then removed:", f"- {top}"]
    lines += [f"- {path}: {values}" for path, values in list(found.items())[:SHOWN]]
    if len(found) > SHOWN:
        lines.append(f"- and {len(found) - SHOWN} places more")
    lines += [f"- {remark}" for remark in _remarks(found)]
    suffix = Path(name).suffix.lower()
    if suffix not in (".txt", ".csv", ".json", ".xml"):
        lines.append(f"- files end in {suffix or 'no suffix'}: the code below looks for another, change it wherever it stands")
    return tuple("".join(c if c.isprintable() else "?" for c in line)[:110] for line in lines)


_SIZES = re.compile(r"(width|height|size|depth|id|count|version|year|score|conf|time|frame)$", re.I)


def _remarks(found: dict[str, Values]) -> Iterator[str]:
    """What the ranges of numbers say about units and the first pixel."""
    places = {path: values for path, values in found.items() if values.numbers and not _SIZES.search(path.rstrip("'"))}
    every = [number for values in places.values() for number in values.numbers]
    broken = [number for values in places.values() if not values.whole for number in values.numbers]
    if broken and max(map(abs, broken)) <= 1:
        yield 'coordinates: all between -1 and 1: fractions of the image? Convention(unit="relative")'
    elif broken and 1 < max(broken) <= 100 and min(broken) >= 0:
        yield 'coordinates: all between 0 and 100: percent? Convention(unit="percent")'
    elif every and not broken:
        first = min(every)
        yield "coordinates: whole numbers" + (", none below 1: counted from 1? Convention(first=1)" if first == 1 else "")
    names = " ".join(found).lower()
    if re.search(r"\bc(enter)?_?x|x_?c(enter)?\b", names):
        yield 'boxes: a centre is named: Convention(form="center")'
    elif re.search(r"x_?max|x2|xbr|right", names):
        yield 'boxes: two corners are named: Convention(form="corners"); is the last pixel inside (inclusive=True)?'
    elif "width" in names or re.search(r"\bw\b", names):
        yield 'boxes: a width is named: Convention(form="xywh"), or the size of the image'
    if re.search(r"angle|theta|rotation", names):
        yield "rotation: an angle is named; degrees or radians, which way, about which point? see Rotation"
