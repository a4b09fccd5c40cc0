"""Tar files as WebDataset uses them: members are grouped by all that stands before the first dot of their name."""

from __future__ import annotations

import io
import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, NamedTuple

from labelglot.errors import SourceError
from labelglot.plugin import Source
from labelglot.storage import Packed, packing, random_access, tar_members

SHARDS = ("*.tar", "*.tar.gz", "*.tgz")
HEADER = ".labelglot.json"
"""Member with the classes. Its name begins with a dot, so readers of WebDataset pass over it."""

_KEY = re.compile(r"((?:.*/|)[^./][^.]*)[.]([^/]*)")
_BLOCK = 512


class Member(NamedTuple):
    """A file of a sample. ``offset`` is -1 where ``path`` is a file of the source by itself."""

    extension: str
    path: str
    offset: int = -1
    length: int = 0
    packed: Packed = ""

    def read(self, source: Source) -> bytes:
        """The bytes; unpacked where the extension says that they are packed."""
        if self.offset < 0:
            data = source.read(self.path)
        else:
            access = random_access(source, self.path, self.packed)
            with access.stream as stream:
                stream.seek(self.offset)
                data = stream.read(max(0, min(self.length, access.size - self.offset)))
        return unpacked(data) if self.extension.endswith(".gz") else data


MOST = 64 << 20


def unpacked(data: bytes) -> bytes:
    """The content of gzip data, as far as it goes."""
    try:
        return zlib.decompressobj(31).decompress(data, MOST)
    except zlib.error as error:
        raise SourceError(f"its compression is damaged: {error}") from error


def key_of(name: str) -> tuple[str, str] | None:
    """(key, extension in lower case) of a member, ``None`` for one that belongs to no sample."""
    found = _KEY.fullmatch(name.removeprefix("./"))
    return None if found is None else (found[1], found[2].lower())


def members(source: Source, shard: str) -> Iterator[tuple[str, Member]]:
    """(name, place) of the regular files in a shard, in written order. Raises :class:`SourceError` where it is damaged."""
    packed: Packed = "gzip" if packing(source.head(shard, 2)) == "gzip" else ""
    access = random_access(source, shard, packed)
    with access.stream as stream:
        for info in _walk(stream, shard):
            yield info.name, Member("", shard, info.offset_data, info.size, packed)
    if access.damage:
        raise SourceError(access.damage, shard)


def _walk(stream: BinaryIO, place: str) -> Iterator[tarfile.TarInfo]:
    return (info for info in tar_members(stream, place) if info.isreg() and not info.issparse())


def first_names(source: Source, shard: str) -> list[str]:
    """Names of the first members, for detection."""
    head = source.head(shard, 1 << 18)
    if packing(head) == "gzip":
        try:
            head = zlib.decompressobj(31).decompress(head, 1 << 20)
        except zlib.error:
            return []
    names = []
    try:
        for info in _walk(io.BytesIO(head), shard):
            names.append(info.name)
    except SourceError:
        pass
    return names


def packed_member(name: str, data: bytes) -> bytes:
    """A member with its header, the same bytes every time."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    return info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % _BLOCK)


END = bytes(2 * _BLOCK)


def take(stream: Iterator[bytes], rest: list[bytes], wanted: int) -> Iterator[bytes]:
    """The next ``wanted`` bytes of a stream; ``rest`` keeps what was read too far."""
    while wanted > 0:
        block = rest.pop() if rest else next(stream)
        if len(block) > wanted:
            rest.append(block[wanted:])
            block = block[:wanted]
        wanted -= len(block)
        yield block


def together(found: Iterable[tuple[str, Member]]) -> tuple[dict[str, list[Member]], list[str], list[str]]:
    """Samples by key in order of first appearance; keys whose members lie apart; names that an extension repeats."""
    samples: dict[str, list[Member]] = {}
    apart: dict[str, None] = {}
    repeated: list[str] = []
    last = None
    for name, member in found:
        parts = key_of(name)
        if parts is None:
            continue
        key, extension = parts
        if key in samples and key != last:
            apart.setdefault(key)
        last = key
        listed = samples.setdefault(key, [])
        if any(each.extension == extension for each in listed):
            repeated.append(name)
        else:
            listed.append(member._replace(extension=extension))
    return samples, list(apart), repeated


def looks_grouped(names: Sequence[str]) -> bool:
    """Whether the first members come in samples of at least two files, one with a picture or a label."""
    parts = [part for name in names if (part := key_of(name)) is not None]
    groups: dict[str, set[str]] = {}
    for key, extension in parts:
        groups.setdefault(key, set()).add(extension.rpartition(".")[2])
    several = [kinds for kinds in groups.values() if len(kinds) > 1]
    return bool(several) and len(several) >= len(groups) - 1
