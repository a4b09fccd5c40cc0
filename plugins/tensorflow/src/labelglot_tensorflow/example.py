"""``tf.train.Example`` on the wire: named lists of byte strings, 32-bit floats or 64-bit integers.

A protobuf message: Example {1: Features {1: entries {1: key, 2: Feature {1: bytes | 2: floats | 3: integers}}}}, where
each list is again a message with its values in field 1, packed or one by one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Literal, NamedTuple

from labelglot.plugin import LabelglotError

Kind = Literal["bytes", "float", "int"]
_KINDS: Mapping[int, Kind] = {0x0A: "bytes", 0x12: "float", 0x1A: "int"}
_TAGS: Mapping[Kind, int] = {kind: tag for tag, kind in _KINDS.items()}
_FIRST, _SECOND = 0x0A, 0x12
_SMALL = 1 << 16
_WINDOW = 1 << 12


class Feature(NamedTuple):
    """A list of values of one kind."""

    kind: Kind
    values: Sequence[Any]


Span = tuple[int, int]


def encode(features: Mapping[str, Feature]) -> bytes:
    """The message, features in the order given. Raises :class:`LabelglotError` for a number that does not fit."""
    entries = []
    for key, feature in features.items():
        entries.append(_delimited(_FIRST, _delimited(_FIRST, key.encode()) + _delimited(_SECOND, _list(key, feature))))
    return _delimited(_FIRST, b"".join(entries))


def _list(key: str, feature: Feature) -> bytes:
    kind, values = feature
    if kind == "bytes":
        body = b"".join(_delimited(_FIRST, value) for value in values)
    elif not values:
        body = b""
    else:
        try:
            packed = struct.pack(f"<{len(values)}f", *values) if kind == "float" else b"".join(map(_signed, values))
        except (OverflowError, struct.error) as error:
            raise LabelglotError(f"{key} holds a number that {kind} values cannot have: {error}") from error
        body = _delimited(_FIRST, packed)
    return _delimited(_TAGS[kind], body)


def _delimited(tag: int, data: bytes) -> bytes:
    return b"".join((bytes((tag,)), _unsigned(len(data)), data))


def _unsigned(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _signed(value: int) -> bytes:
    if not -(1 << 63) <= value < 1 << 63:
        raise OverflowError(f"{value} has more than 64 bits")
    return _unsigned(value & 0xFFFFFFFFFFFFFFFF)


def spans(data: bytes) -> dict[str, Span]:
    """Where in an Example the Feature of each key is; of a key that is there twice, the last.

    Raises :class:`LabelglotError` if it is no such message.
    """
    found: dict[str, Span] = {}
    for tag, start, stop in _fields(data, 0, len(data)):
        if tag != _FIRST:
            continue
        for inner, entry, end in _fields(data, start, stop):
            if inner == _FIRST:
                key, span = "", (entry, entry)
                for part, a, b in _fields(data, entry, end):
                    if part == _FIRST:
                        key = data[a:b].decode("utf-8", "replace")
                    elif part == _SECOND:
                        span = (a, b)
                found[key] = span
    return found


def skim(stream: BinaryIO, offset: int, length: int, wanted: frozenset[str]) -> dict[str, Feature]:
    """Some features of the Example at a place of a file, without reading long ones between them.

    The caller has made sure that the file is that long.
    """
    if length <= _SMALL:
        stream.seek(offset)
        data = stream.read(length)
        return {key: decode(data, span) for key, span in spans(data).items() if key in wanted}
    window = _Window(stream, offset)
    found: dict[str, Feature] = {}
    for key, span in window.entries(length):
        if key in wanted:
            data = window.take(*span)
            found[key] = decode(data, (0, len(data)))
    return found


def keys(stream: BinaryIO, offset: int, length: int) -> frozenset[str]:
    """The keys of the Example at a place of a file."""
    return frozenset(key for key, _ in _Window(stream, offset).entries(length))


class _Window:
    """A moving piece of a file."""

    def __init__(self, stream: BinaryIO, offset: int) -> None:
        self.stream, self.offset = stream, offset
        self.start, self.data = 0, b""

    def take(self, start: int, stop: int) -> bytes:
        at = start - self.start
        if at < 0 or stop - self.start > len(self.data):
            self.stream.seek(self.offset + start)
            self.start, self.data = start, self.stream.read(max(_WINDOW, stop - start))
            at = 0
        return self.data[at : at + stop - start]

    def entries(self, length: int) -> Iterator[tuple[str, Span]]:
        for tag, start, stop in self.fields(0, length):
            for inner, entry, end in self.fields(start, stop) if tag == _FIRST else ():
                key, span = "", (entry, entry)
                for part, a, b in self.fields(entry, end) if inner == _FIRST else ():
                    if part == _FIRST:
                        key = self.take(a, b).decode("utf-8", "replace")
                    elif part == _SECOND:
                        span = (a, b)
                if inner == _FIRST:
                    yield key, span

    def fields(self, at: int, end: int) -> Iterator[tuple[int, int, int]]:
        while at < end:
            head = self.take(at, min(at + 20, end))
            if len(head) < min(20, end - at):
                raise LabelglotError("the file became shorter while it was read")
            tag, start, stop = _field(head, 0, end - at)
            yield tag, at + start, at + stop
            at += stop


def decode(data: bytes, span: Span) -> Feature:
    """The values of a Feature. Raises :class:`LabelglotError` if they cannot be read."""
    kind: Kind = "bytes"
    values: list[Any] = []
    current = 0
    for tag, start, stop in _fields(data, *span):
        if tag not in _KINDS:
            continue
        if tag != current:
            current, kind, values = tag, _KINDS[tag], []
        if kind == "bytes":
            values += [data[a:b] for part, a, b in _fields(data, start, stop) if part == _FIRST]
        elif kind == "float":
            values += _floats(data, start, stop)
        else:
            values += _integers(data, start, stop)
    return Feature(kind, values)


def blobs(data: bytes, span: Span) -> list[Span]:
    """Where the byte strings of a Feature are; nothing if it holds numbers."""
    found: list[Span] = []
    for tag, start, stop in _fields(data, *span):
        if tag == _TAGS["bytes"]:
            found += [(a, b) for part, a, b in _fields(data, start, stop) if part == _FIRST]
        elif tag in _KINDS:
            found = []
    return found


def _floats(data: bytes, start: int, stop: int) -> Iterator[float]:
    for tag, a, b in _fields(data, start, stop):
        if tag in (0x0A, 0x0D):
            if (b - a) % 4:
                raise LabelglotError(f"{b - a} bytes are no list of 32-bit numbers")
            yield from struct.unpack_from(f"<{(b - a) // 4}f", data, a)


def _integers(data: bytes, start: int, stop: int) -> Iterator[int]:
    for tag, a, b in _fields(data, start, stop):
        if tag in (0x0A, 0x08):
            if max(data[a:b], default=0) < 0x80:
                yield from data[a:b]
                continue
            while a < b:
                value, a = _varint(data, a, b)
                yield value - (1 << 64) if value >> 63 else value


def _fields(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The fields of a message: tag, and where its content is."""
    while at < end:
        tag, start, at = _field(data, at, end)
        yield tag, start, at


def _field(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Tag of the field at a place, where its content begins, and where it ends. Numbers of one byte are the most."""
    tag = data[at]
    if tag < 0x80:
        at += 1
    else:
        tag, at = _varint(data, at, end)
    wire = tag & 7
    if wire == 2:
        length = data[at] if at < end else 0x80
        if length < 0x80:
            at += 1
        else:
            length, at = _varint(data, at, end)
        stop = at + length
    elif wire == 0:
        _, stop = _varint(data, at, end)
    elif wire in (1, 5):
        stop = at + (8 if wire == 1 else 4)
    else:
        raise LabelglotError("it is no tf.train.Example")
    if stop > end:
        raise LabelglotError("it is no tf.train.Example: a field ends after the message it is in")
    return tag, at, stop


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A number of 7 bits a byte, lowest first, and the place after it."""
    value = shift = 0
    while at < end and at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
    raise LabelglotError("it is no tf.train.Example: a number in it does not end")


__all__ = ["Feature", "Kind", "Span", "blobs", "decode", "encode", "keys", "skim", "spans"]
