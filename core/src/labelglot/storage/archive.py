"""Archives as sources: zip and tar, read without unpacking; members that lead elsewhere or unpack to bombs are refused."""

from __future__ import annotations

import contextlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, cast

from labelglot.errors import SourceError, UnsafeInput, UnsafePath
from labelglot.storage.paths import safe_relative
from labelglot.storage.source import Kind, Source

MAX_MEMBERS = 5_000_000
MAX_RATIO = 200
RATIO_FROM = 100 << 20
"""A member that unpacks to more than ``RATIO_FROM`` bytes at more than ``MAX_RATIO``:1 is refused."""


class _Archive(Source):
    """Shared by zip and tar: the file (local, or behind an opener) and names that were refused."""

    def __init__(self, where: str, path: Path | None, url: str | None = None) -> None:
        super().__init__(where)
        self.path, self.url = path, url
        self._lock = threading.Lock()
        self._refused: list[tuple[str, str]] = []
        self._folders: list[str] = []

    def _pickled(self) -> tuple[str, ...]:
        return ("path", "url")

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()
        self._refused = []
        self._folders = []

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()

    def _raw(self) -> BinaryIO:
        if self.path is not None:
            return self.path.open("rb")
        import fsspec

        return cast(BinaryIO, fsspec.open(self.url, "rb").open())

    @property
    def refused(self) -> tuple[tuple[str, str], ...]:
        _ = self._everything
        return tuple(self._refused)

    def _bare_folders(self) -> Iterable[str]:
        _ = self._everything
        for name in self._folders:
            with contextlib.suppress(UnsafePath):
                yield safe_relative(name)

    def _admit(self, name: str, number: int) -> str | None:
        if number >= MAX_MEMBERS:
            raise UnsafeInput(f"it has more than {MAX_MEMBERS:,} members", self.where)
        try:
            return safe_relative(name)
        except UnsafePath as error:
            self._refused.append((name, error.message))
            return None


class _Guarded(io.RawIOBase):
    """A member's stream that stops when it unpacks to far more than it occupies."""

    def __init__(self, inner: Any, packed: int, name: str) -> None:
        self._inner, self._limit, self._name = inner, max(RATIO_FROM, packed * MAX_RATIO), name
        self._seen = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._inner.read(len(buffer))
        self._seen += len(data)
        if self._seen > self._limit:
            raise UnsafeInput("it unpacks to far more than it occupies (an archive bomb?)", self._name)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._inner.close()
        super().close()


class ZipSource(_Archive):
    """A zip archive, read by its directory; members are never written to disk."""

    kind: Kind = "zip"

    @cached_property
    def _zip(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self._raw() if self.path is None else self.path)
        except (zipfile.BadZipFile, OSError) as error:
            raise SourceError(f"is no readable zip archive: {error}", self.where) from error

    @cached_property
    def _members(self) -> dict[str, zipfile.ZipInfo]:
        found: dict[str, zipfile.ZipInfo] = {}
        for number, info in enumerate(self._zip.infolist()):
            if info.is_dir():
                self._folders.append(info.filename)
                continue
            if (info.external_attr >> 16) & 0o170000 == 0o120000:
                self._refused.append((info.filename, "it is a symbolic link"))
                continue
            name = self._admit(info.filename, number)
            if name is not None:
                found[name] = info
        return found

    def close(self) -> None:
        opened = self.__dict__.pop("_zip", None)
        if opened is not None:
            opened.close()

    def _list(self) -> Iterable[str]:
        return self._members

    def _open(self, path: str) -> BinaryIO:
        info = self._members[path]
        with self._lock:
            stream = self._zip.open(info)
        # What is stored as it is cannot grow, and stays seekable.
        if info.file_size > RATIO_FROM and info.compress_type != zipfile.ZIP_STORED:
            guarded = _Guarded(stream, info.compress_size, f"{self.where}/{path}")
            return io.BufferedReader(guarded, 1 << 16)
        return stream  # type: ignore[return-value]

    def size(self, path: str) -> int:
        return self._members[path].file_size

    def fingerprint_token(self, path: str) -> str:
        return f"{self._members[path].CRC:08x}"


def tar_members(stream: BinaryIO, where: str) -> Iterator[tarfile.TarInfo]:
    """The members of a tar, in written order. Raises :class:`SourceError` where it is damaged or ends too early; the
    standard library takes a damaged header for the end.
    """
    try:
        stream.seek(0)
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            yield from archive
            stream.seek(archive.offset)
            left = stream.read(tarfile.BLOCKSIZE)
    except (tarfile.TarError, OSError, EOFError, ValueError, OverflowError, LookupError) as error:
        raise SourceError(f"is no readable tar archive: {error}", where) from error
    if any(left):
        raise SourceError("is no readable tar archive: a header is damaged", where)


class TarSource(_Archive):
    """A tar archive. A compressed one is unpacked once into one temporary file, never into its members."""

    kind: Kind = "tar"

    @cached_property
    def _stream(self) -> BinaryIO:
        raw = self._raw()
        if raw.read(2) != b"\x1f\x8b":
            raw.seek(0)
            return raw
        import gzip
        import shutil
        import tempfile

        raw.seek(0)
        plain = tempfile.TemporaryFile()  # noqa: SIM115
        packed = raw.seek(0, io.SEEK_END)
        raw.seek(0)
        guarded = _Guarded(gzip.GzipFile(fileobj=raw), packed, self.where)
        try:
            shutil.copyfileobj(io.BufferedReader(guarded, 1 << 20), plain, 1 << 20)
        except BaseException:
            plain.close()
            raise
        finally:
            raw.close()
        return plain

    def __del__(self) -> None:
        stream = self.__dict__.get("_stream")
        if stream is not None:
            stream.close()

    @cached_property
    def _members(self) -> dict[str, tuple[int, int]]:
        found: dict[str, tuple[int, int]] = {}
        for number, info in enumerate(tar_members(self._stream, self.where)):
            if info.isdir():
                self._folders.append(info.name)
                continue
            if not info.isreg():
                self._refused.append((info.name, "it is no regular file"))
                continue
            name = self._admit(info.name, number)
            if name is not None:
                found[name] = (info.offset_data, info.size)
        return found

    def close(self) -> None:
        opened = self.__dict__.pop("_stream", None)
        if opened is not None:
            opened.close()

    def _list(self) -> Iterable[str]:
        return self._members

    def _open(self, path: str) -> BinaryIO:
        offset, size = self._members[path]
        return io.BufferedReader(_Range(self._stream, offset, size, self._lock, self), 1 << 16)

    def size(self, path: str) -> int:
        return self._members[path][1]


class _Range(io.RawIOBase):
    """A window of a seekable stream that several readers share. ``owner``: what closes the stream, kept alive."""

    def __init__(
        self, stream: BinaryIO, offset: int, size: int, lock: threading.Lock, owner: object = None
    ) -> None:
        self._owner = owner
        self._stream, self._offset, self._size, self._lock, self._at = stream, offset, size, lock, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        want = min(len(buffer), self._size - self._at)
        if want <= 0:
            return 0
        with self._lock:
            self._stream.seek(self._offset + self._at)
            data = self._stream.read(want)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
