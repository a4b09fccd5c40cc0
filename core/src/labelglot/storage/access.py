"""Reading here and there in a file of any source, for formats that keep many records or images in one file."""

from __future__ import annotations

import io
import os
import tempfile
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, BinaryIO, Literal, NamedTuple

from labelglot.errors import SourceError, UnsafeInput
from labelglot.storage.archive import MAX_RATIO, RATIO_FROM, _Range
from labelglot.storage.source import Source

Packed = Literal["", "gzip", "zlib"]

OPEN = 8
"""Unpacked files a process keeps at most."""

IN_MEMORY = 16 << 20
_BLOCK = 1 << 20


class Access(NamedTuple):
    """A stream in which seeking is cheap, its length, and what is wrong with its packing (``None``: nothing).

    What could be unpacked before the damage is there.
    """

    stream: BinaryIO
    size: int
    damage: str | None = None


def random_access(source: Source, path: str, packed: Packed = "") -> Access:
    """A file for reading here and there; ``packed``: it is compressed as a whole, see :func:`packing`.

    Compressed files, and files inside zip archives, are unpacked once per process into a temporary file without name.
    Raises :class:`SourceError` if it cannot be read, :class:`UnsafeInput` if it unpacks to far more than it occupies.
    """
    if not packed and source.kind != "zip":
        return Access(source.open(path), source.size(path))
    try:
        key = (os.getpid(), source.where, path, packed, source.fingerprint_token(path))
    except (OSError, KeyError) as error:
        raise SourceError(f"cannot be opened: {error}", f"{source.where}/{path}") from error
    with _lock:
        found = _unpacked.get(key)
        if found is None:
            found = _unpacked[key] = _Unpacked(source, path, packed)
            if len(_unpacked) > OPEN:
                _unpacked.popitem(last=False)
        else:
            _unpacked.move_to_end(key)
    window = _Range(found, 0, found.size, found.lock)  # type: ignore[arg-type]
    return Access(io.BufferedReader(window, 1 << 13), found.size, found.damage)


def packing(head: bytes) -> Packed:
    """How a file that begins with these bytes is compressed as a whole, if it is."""
    if head[:2] == b"\x1f\x8b":
        return "gzip"
    if len(head) > 1 and head[0] == 0x78 and (head[0] << 8 | head[1]) % 31 == 0:
        return "zlib"
    return ""


class _Unpacked:
    """The content of a file, in memory or in a temporary file that goes away with the last stream over it."""

    def __init__(self, source: Source, path: str, packed: Packed) -> None:
        self.lock = threading.Lock()
        self.damage: str | None = None
        self._file: Any = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115
        with source.open(path) as stream:
            blocks = _inflated(self, stream, f"{source.where}/{path}") if packed else _blocks(stream)
            for block in blocks:
                self._file.write(block)
        self.size: int = self._file.tell()

    def seek(self, place: int) -> int:
        self._file.seek(place)
        return place

    def read(self, n: int) -> bytes:
        return self._file.read(n)  # type: ignore[no-any-return]

    def __del__(self) -> None:
        file = getattr(self, "_file", None)
        if file is not None:
            file.close()


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    while block := stream.read(_BLOCK):
        yield block


def _inflated(owner: _Unpacked, stream: BinaryIO, place: str) -> Iterator[bytes]:
    """The content of gzip (several in a row are one) or zlib data."""
    inflate = zlib.decompressobj(47)
    taken = given = 0
    for block in _blocks(stream):
        taken += len(block)
        while block:
            if inflate.eof:
                inflate = zlib.decompressobj(47)
            before = inflate.copy()
            try:
                out = inflate.decompress(block, _BLOCK)
            except zlib.error as error:
                owner.damage = f"its compression is damaged: {error}"
                yield _salvaged(before, block)
                return
            given += len(out)
            if given > max(RATIO_FROM, taken * MAX_RATIO):
                raise UnsafeInput("it unpacks to far more than it occupies (a compression bomb?)", place)
            yield out
            block = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
    if not inflate.eof:
        owner.damage = "its compressed data ends too early"


def _salvaged(inflate: Any, block: bytes) -> bytes:
    """What comes before the byte at which a block turns out to be damaged."""
    found = b""
    try:
        for i in range(len(block)):
            found += inflate.decompress(block[i : i + 1])
            if len(found) > _BLOCK:
                break
    except zlib.error:
        pass
    return found


_lock = threading.Lock()
_unpacked: OrderedDict[tuple[int, str, str, str, str], _Unpacked] = OrderedDict()
