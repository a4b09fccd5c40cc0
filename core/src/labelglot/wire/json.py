"""JSON as found in the wild: byte order marks, UTF-16, NaN, one bad record among a million good ones.

Typed decoding with msgspec first; where a list as a whole does not fit its type, item by item, each misfit reported
with its index.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, TypeVar

import msgspec

from labelglot.errors import LabelglotError, SourceError, UnsafeInput
from labelglot.report import Report
from labelglot.schema.base import Attribute

T = TypeVar("T")

_encoder = msgspec.json.Encoder()
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
PEEK_DEPTH = 30
TOO_DEEP = "it is nested too deeply"


def dump(value: object) -> bytes:
    """Compact JSON bytes. Floats are written so that they read back exactly."""
    return _encoder.encode(value)


def dump_lines(value: object, indent: int = 2) -> bytes:
    """Indented JSON bytes with a final newline, for documents that people read."""
    return msgspec.json.format(_encoder.encode(value), indent=indent) + b"\n"


def unmark(data: bytes) -> bytes:
    """UTF-8 without byte order mark."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            rest = data[len(mark) :]
            return rest if encoding == "utf-8" else rest.decode(encoding, "replace").encode()
    return data


def load(data: bytes, place: str, type: type[T] = Any) -> T:  # type: ignore[assignment]
    """The value of a document as ``type``. Raises :class:`SourceError` with the place of the first error."""
    data = unmark(data)
    try:
        return msgspec.json.decode(data, type=type)
    except msgspec.ValidationError as error:
        if "out of range" not in str(error):
            raise SourceError(f"not what this format looks like: {error}", place) from error
    except RecursionError as error:
        raise UnsafeInput(TOO_DEEP, place) from error
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        return msgspec.convert(_lenient(data, place), type)
    except msgspec.ValidationError as error:
        raise SourceError(f"not what this format looks like: {error}", place) from error


def _lenient(data: bytes, place: str) -> Any:
    """What the standard library reads and msgspec refuses: NaN, Infinity, 1e999, endless digits, broken UTF-8."""
    try:
        return _without_surrogates(json.loads(data.decode("utf-8", "replace"), parse_int=_integer))
    except json.JSONDecodeError as error:
        raise SourceError(
            f"not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}", place, "is the file complete?"
        ) from error
    except RecursionError as error:
        raise UnsafeInput(TOO_DEEP, place) from error


def _integer(digits: str) -> int | float:
    """A whole number; one of thousands of digits is infinite, as it would be with a point (``int`` raises for it)."""
    return int(digits) if len(digits) < 1000 else float(digits)


def _without_surrogates(value: Any) -> Any:
    """Half characters (``"\\ud800"``) replaced, because no text that holds one can be written."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


_TOKEN = re.compile(
    r"""\s*(?:(?P<mark>[\[\]{},:])|(?P<text>"(?:[^"\\]|\\.)*")|(?P<word>-?\w[\w.+-]*)(?=[\s,\]}])|(?P<cut>.))""", re.DOTALL
)
_WORDS = {"true": True, "false": False, "null": None}


def peek(head: bytes) -> Any:
    """The value a document begins with, from its first bytes: whatever is cut off is missing. ``None`` if it is no
    JSON. For :meth:`Format.detect`; numbers come as floats.
    """
    root: list[Any] = []
    stack: list[list[Any] | dict[str, Any]] = [root]
    keys: list[str | None] = [None]
    for token in _TOKEN.finditer(unmark(head).decode("utf-8", "ignore")):
        mark = token["mark"]
        if mark in ("]", "}"):
            if len(stack) == 1:
                break
            stack.pop()
            keys.pop()
            continue
        if mark in (",", ":"):
            continue
        if token["cut"] is not None or len(stack) > PEEK_DEPTH:
            break
        try:
            value = {"[": [], "{": {}}[mark] if mark else _scalar(token)
        except ValueError:
            break
        inside = stack[-1]
        if isinstance(inside, list):
            inside.append(value)
        elif keys[-1] is None:
            if not isinstance(value, str):
                break
            keys[-1] = value
            continue
        else:
            inside[keys[-1]] = value
            keys[-1] = None
        if mark:
            stack.append(value)
            keys.append(None)
    return root[0] if root else None


def _scalar(token: re.Match[str]) -> Any:
    text = token["text"]
    if text is not None:
        return json.loads(text, strict=False) if "\\" in text else text[1:-1]
    word = token["word"]
    return _WORDS[word] if word in _WORDS else float(word)


def load_fields(data: bytes, place: str) -> dict[str, msgspec.Raw]:
    """The top-level object of a document with its values still encoded."""
    data = unmark(data)
    try:
        return msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except RecursionError as error:
        raise UnsafeInput(TOO_DEEP, place) from error
    except msgspec.ValidationError as error:
        raise SourceError(f"not what this format looks like: {error}", place) from error
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    plain = _lenient(data, place)
    if not isinstance(plain, dict):
        raise SourceError(f"an object was expected, found {type(plain).__name__}", place)
    return {key: msgspec.Raw(json.dumps(value).encode()) for key, value in plain.items()}


def load_parts(data: bytes | msgspec.Raw, place: str) -> list[msgspec.Raw]:
    """A list, e.g. that of a whole document, with its items still encoded. They share the memory of ``data``."""
    data = unmark(data) if isinstance(data, bytes) else data
    try:
        return msgspec.json.decode(data, type=list[msgspec.Raw])
    except RecursionError as error:
        raise UnsafeInput(TOO_DEEP, place) from error
    except msgspec.ValidationError as error:
        raise SourceError(f"not what this format looks like: {error}", place) from error
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    plain = _lenient(bytes(data), place)
    if not isinstance(plain, list):
        raise SourceError(f"a list was expected, found {type(plain).__name__}", place)
    return [msgspec.Raw(json.dumps(value).encode()) for value in plain]


def stretch(data: bytes, first: msgspec.Raw, last: msgspec.Raw) -> memoryview | None:
    """The text of a document from one of its encoded values to another; ``None`` if they are not part of ``data``.

    Items that follow each other can so be decoded together without being copied one by one.
    """
    import numpy as np

    whole = np.frombuffer(data, np.uint8)
    begin, end = np.frombuffer(first, np.uint8), np.frombuffer(last, np.uint8)
    start, stop = (each.ctypes.data - whole.ctypes.data for each in (begin, end))
    return memoryview(data)[start : stop + len(end)] if 0 <= start <= stop and stop + len(end) <= len(whole) else None


def load_records(data: bytes, place: str) -> list[tuple[str, msgspec.Raw]]:
    """Records still encoded, each with its place: of a JSON array, of JSON lines, or of objects one after the other."""
    data = unmark(data)
    if data.lstrip()[:1] == b"[":
        return [(f"{place}#[{i}]", part) for i, part in enumerate(load_parts(data, place))]
    lines = [(number, line) for number, line in enumerate(data.splitlines(), 1) if line.strip()]
    if not lines or _is_json(lines[0][1]):
        return [(f"{place}:{number}", msgspec.Raw(line)) for number, line in lines]
    text, at, found = data.decode("utf-8", "replace"), 0, []
    decoder = json.JSONDecoder(parse_int=_integer)
    try:
        while at < len(text):
            if text[at].isspace():
                at += 1
                continue
            _, end = decoder.raw_decode(text, at)
            found.append((f"{place}:{text.count(chr(10), 0, at) + 1}", msgspec.Raw(text[at:end].encode())))
            at = end
    except json.JSONDecodeError as error:
        if not found:
            raise SourceError(f"not valid JSON: {error.msg} at line {error.lineno}", place, "is the file complete?") from error
        found.append((f"{place}:{error.lineno}", msgspec.Raw(text[at:].encode())))
    except RecursionError as error:
        raise UnsafeInput(TOO_DEEP, place) from error
    return found


def _is_json(line: bytes) -> bool:
    try:
        _lenient(line, "")
    except LabelglotError as error:
        return isinstance(error, UnsafeInput)
    return True


def load_items(
    raw: bytes | msgspec.Raw | None, item: type[T], place: str, report: Report, code: str
) -> list[T | None]:
    """The items of an encoded list; ``None`` in place of each that does not fit, reported under ``code``.

    Raises :class:`SourceError` if it is no list at all.
    """
    if raw is None:
        return []
    data = bytes(raw)
    try:
        return list(msgspec.json.decode(data, type=list[item]))  # type: ignore[valid-type]
    except RecursionError as error:
        raise UnsafeInput(TOO_DEEP, place) from error
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        parts: Sequence[Any] = msgspec.json.decode(data, type=list[msgspec.Raw])
    except msgspec.DecodeError:
        parts = _lenient(data, place)
        if not isinstance(parts, list):
            raise SourceError(f"a list was expected, found {type(parts).__name__}", place) from None
    found: list[T | None] = []
    for position, part in enumerate(parts):
        found.append(load_item(part, item, f"{place}[{position}]", report, code))
    return found


def load_listed(
    parts: Sequence[msgspec.Raw], item: type[T], place: str, report: Report, code: str, first: int = 0
) -> list[T | None]:
    """:func:`load_items` of a list whose items are taken apart already. ``first``: the index of the first of them."""
    try:
        return list(msgspec.json.decode(b"[" + b",".join(parts) + b"]", type=list[item]))  # type: ignore[valid-type]
    except RecursionError as error:
        raise UnsafeInput(TOO_DEEP, place) from error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return [load_item(part, item, f"{place}[{first + i}]", report, code) for i, part in enumerate(parts)]


def load_item(part: Any, item: type[T], place: str, report: Report, code: str) -> T | None:
    """One item (encoded or plain), or ``None`` and a problem under ``code``."""
    try:
        if isinstance(part, msgspec.Raw | bytes):
            return _decode(bytes(part), place, item)
        return msgspec.convert(part, item)
    except msgspec.MsgspecError as error:
        shown = bytes(part).decode("utf-8", "replace") if isinstance(part, msgspec.Raw | bytes) else part
        report.problem(code, str(error), place, severity="error", raw=shown, action="skipped")
    except RecursionError as error:
        raise UnsafeInput(TOO_DEEP, place) from error
    return None


def _decode(data: bytes, place: str, type: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=type)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        try:
            plain = _lenient(data, place)
        except SourceError:
            raise msgspec.DecodeError(str(error)) from error
        return msgspec.convert(plain, type)


def rest(raw: Mapping[str, Any], known: Sequence[str]) -> dict[str, Any]:
    """The fields of an object that a reader does not know, decoded; for ``extra``."""
    names = frozenset(known)
    return {
        key: load(bytes(value), key) if isinstance(value, msgspec.Raw) else value
        for key, value in raw.items()
        if key not in names
    }


def fields(value: object) -> dict[str, Any]:
    """The fields of an object; none of anything else. For parts of a document that may be missing or wrong."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """The items of a list; none of anything else."""
    return value if isinstance(value, list) else []


def finite(value: object, what: str = "a coordinate") -> float:
    """A number of a decoded document. Raises :class:`LabelglotError` for anything else, also for NaN and infinity."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise LabelglotError(f"{what} is {value!r}, not a number")
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if not isfinite(number):
        raise LabelglotError(f"{what} is not finite")
    return number


FARTHEST = 1e15
"""No image reaches so far; whatever is computed of smaller numbers stays finite."""


def coordinate(value: object, what: str = "a coordinate") -> float:
    """A number that can be a place in an image. Raises :class:`LabelglotError` for anything else."""
    number = finite(value, what)
    if abs(number) > FARTHEST:
        raise LabelglotError(f"{what} is {number}, which is no place in an image")
    return number


def read_points(points: object) -> tuple[float, ...]:
    """Flat x, y of a list of ``{"x": ..., "y": ...}``. Raises :class:`LabelglotError` if it is none."""
    if not isinstance(points, list):
        raise LabelglotError("the points are no list")
    found: list[float] = []
    for point in points:
        xy = fields(point)
        found += (coordinate(xy.get("x"), "x"), coordinate(xy.get("y"), "y"))
    return tuple(found)


def write_points(ring: Iterable[float], **further: float) -> list[dict[str, float]]:
    """A list of ``{"x": ..., "y": ...}`` of flat x, y; ``further``: fields that every point has besides."""
    flat = tuple(finite(value) for value in ring)
    return [{"x": x, "y": y, **further} for x, y in zip(flat[::2], flat[1::2], strict=True)]


def opened(ring: tuple[float, ...]) -> tuple[float, ...]:
    """A ring without the last point if it repeats the first; a triangle keeps its three points."""
    return ring[:-2] if len(ring) > 6 and ring[:2] == ring[-2:] else ring


def closed_again(ring: tuple[float, ...]) -> tuple[float, ...]:
    """A ring as :func:`opened` returns it: only one whose last point really is its first must be written closed."""
    return (*ring, *ring[:2]) if len(ring) > 4 and ring[:2] == ring[-2:] else ring


def size(value: object, width: str = "width", height: str = "height") -> tuple[int, int] | None:
    """Width and height in an object, ``None`` if they are missing or make no sense."""
    found = [fields(value).get(name) for name in (width, height)]
    if not all(isinstance(v, int | float) and 0 < v < 1 << 31 and v == int(v) for v in found):
        return None
    return int(found[0]), int(found[1])  # type: ignore[arg-type]


def attributes(value: object) -> tuple[dict[str, Attribute], dict[str, Any]]:
    """The fields of an object that can be attributes (lists of texts as tuples), and all others."""
    plain: dict[str, Attribute] = {}
    nested: dict[str, Any] = {}
    for name, said in fields(value).items():
        if said is None or isinstance(said, bool | int | float | str):
            plain[name] = said
        elif isinstance(said, list) and all(isinstance(each, str) for each in said):
            plain[name] = tuple(said)
        else:
            nested[name] = said
    return plain, nested
