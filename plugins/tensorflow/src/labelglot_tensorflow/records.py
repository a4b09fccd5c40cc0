"""Record files: length, check, data, check - over and over, to the end of the file."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from labelglot.plugin import LabelglotError

HEAD = 12
"""Bytes before the data of a record: 8 of its length, 4 of their check."""

TAIL = 4
_MASK_DELTA = 0xA282EAD8


class Frame(NamedTuple):
    """A record: its number, counted from 1, and where its data is in the file."""

    number: int
    offset: int
    length: int


Complain = Callable[[str, str, int], None]
"""Told what is wrong: kind, sentence, number of the record."""


def masked_crc(data: bytes) -> int:
    """The check of some bytes: CRC-32C, turned by 15 bits and shifted, so that it differs from one stored inside."""
    from google_crc32c import value

    crc: int = value(data)
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def framed(data: bytes) -> bytes:
    """The record that holds ``data``."""
    length = struct.pack("<Q", len(data))
    return b"".join((length, struct.pack("<I", masked_crc(length)), data, struct.pack("<I", masked_crc(data))))


def is_record(head: bytes) -> bool:
    """Whether a file that begins with these bytes is a record file: only then the first check fits."""
    return len(head) >= HEAD and masked_crc(head[:8]) == _check(head[8:HEAD])


def frames(stream: BinaryIO, size: int, verify: bool, complain: Complain) -> Iterator[Frame]:
    """Where the records of a file are. Nothing is allocated by a length before the file is known to be that long.

    A record whose length cannot be trusted ends the file, because nothing tells where the next one begins.
    """
    at = number = 0
    while at < size:
        number += 1
        stream.seek(at)
        head = stream.read(HEAD)
        length = int.from_bytes(head[:8], "little")
        if len(head) == HEAD and verify and masked_crc(head[:8]) != _check(head[8:]):
            complain("length", "the check of its length does not fit; where the next record begins is unknown", number)
            return
        if len(head) < HEAD or length > size - at - HEAD - TAIL:
            complain("truncated", f"the file ends inside the record, {size - at} bytes after its beginning", number)
            return
        yield Frame(number, at + HEAD, length)
        at += HEAD + length + TAIL


def read_data(stream: BinaryIO, offset: int, length: int, verify: bool) -> bytes:
    """The data of a record. Raises :class:`LabelglotError` if its check does not fit."""
    stream.seek(offset)
    data = stream.read(length)
    check = stream.read(TAIL)
    if len(data) < length or len(check) < TAIL:
        raise LabelglotError("the file ends inside the record")
    if verify and masked_crc(data) != _check(check):
        raise LabelglotError("the check of its data does not fit: it was changed after it was written")
    return data


def _check(data: bytes) -> int:
    return int.from_bytes(data, "little")
