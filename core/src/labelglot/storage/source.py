"""Where data comes from: a folder, a file, a zip or tar, memory, or an fsspec URL - read without unpacking.

A source is picklable and reopens itself in a worker process.
"""

from __future__ import annotations

import contextlib
import fnmatch
import io
import os
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Literal, cast

from labelglot.errors import SourceError, UnsafeInput, UnsafePath
from labelglot.storage.paths import safe_join, safe_relative, safe_text

Kind = Literal["folder", "file", "zip", "tar", "url", "memory"]

MAX_MEMBERS = 5_000_000
MAX_RATIO = 200
RATIO_FROM = 100 << 20
"""A member that unpacks to more than ``RATIO_FROM`` bytes at more than ``MAX_RATIO``:1 is refused."""

_IGNORED_NAMES = frozenset([".DS_Store", "Thumbs.db", "desktop.ini"])
DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError)
"""What reading a damaged archive raises besides OSError."""
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")


def is_noise(path: str) -> bool:
    """Files no reader should see: labelglot's own folder, and what operating systems leave behind."""
    name = path.rpartition("/")[2]
    return (
        path.startswith((".labelglot/", "__MACOSX/")) or "/__MACOSX/" in path or name in _IGNORED_NAMES
        or name.startswith("._")
    )  # fmt: skip


class Source:
    """Read access to a tree of files by posix relative path."""

    kind: Kind = "memory"

    def __init__(self, where: str, focus: str | None = None) -> None:
        self.where = where
        self.focus = focus

    @property
    def name(self) -> str:
        """Last part of the location, without the suffix of an archive."""
        last = self.where.rstrip("/\\").replace("\\", "/").rpartition("/")[2]
        for suffix in sorted(ARCHIVES, key=len, reverse=True):
            if last.lower().endswith(suffix):
                return last[: -len(suffix)]
        return last

    def __getstate__(self) -> dict[str, Any]:
        keep = ("where", "focus", *self._pickled())
        return {key: value for key, value in self.__dict__.items() if key in keep}

    def _pickled(self) -> tuple[str, ...]:
        return ()

    def _list(self) -> Iterable[str]:
        raise NotImplementedError

    def _open(self, path: str) -> BinaryIO:
        raise NotImplementedError

    @cached_property
    def _everything(self) -> tuple[str, ...]:
        return tuple(sorted(path for path in self._list() if not is_noise(path)))

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self._everything)

    @property
    def refused(self) -> tuple[tuple[str, str], ...]:
        """Members that are never opened, with the reason (names that leave the root, links...)."""
        return ()

    def files(self) -> tuple[str, ...]:
        """All files in path order; only the named one if the user gave a single file."""
        return (self.focus,) if self.focus is not None else self._everything

    def companions(self) -> tuple[str, ...]:
        """All files, also those beside the single file the user named; for finding images."""
        return self._everything

    def _bare_folders(self) -> Iterable[str]:
        """Folders that the source lists by themselves, whether there is a file in them or not."""
        return ()

    def folders(self) -> tuple[str, ...]:
        """All folders in path order, also those without a file where the source keeps such."""
        found: set[str] = set()
        for path in (*(f"{folder}/" for folder in self._bare_folders() if not is_noise(f"{folder}/")), *self._everything):
            folder = path.rpartition("/")[0]
            while folder and folder not in found:
                found.add(folder)
                folder = folder.rpartition("/")[0]
        return tuple(sorted(found))

    def exists(self, path: str) -> bool:
        return path in self._known

    def marked(self, mark: str) -> bool:
        """Whether labelglot left a mark here: a file in its own folder, which no reader sees."""
        try:
            self._open(f".labelglot/{mark}").close()
        except (OSError, KeyError, RuntimeError, NotImplementedError, SourceError, UnsafePath, *DAMAGED):
            return False
        return True

    def open(self, path: str) -> BinaryIO:
        """The bytes of a file. Raises :class:`SourceError` if it is not there."""
        try:
            return self._open(path)
        except (OSError, KeyError, RuntimeError, NotImplementedError, *DAMAGED) as error:
            raise SourceError(f"cannot be opened: {error}", f"{self.where}/{path}") from error

    def read(self, path: str, limit: int | None = None) -> bytes:
        """The first ``limit`` bytes of a file, or all of it."""
        with self.open(path) as stream:
            try:
                return stream.read() if limit is None else stream.read(limit)
            except (OSError, *DAMAGED) as error:
                raise SourceError(f"cannot be read: {error}", f"{self.where}/{path}") from error

    def head(self, path: str, n: int = 4096) -> bytes:
        """The first bytes of a file; empty if it cannot be read."""
        try:
            return self.read(path, n)
        except SourceError:
            return b""

    def size(self, path: str) -> int:
        """Length of a file in bytes."""
        with self.open(path) as stream:
            return stream.seek(0, io.SEEK_END)

    def match(self, *patterns: str) -> tuple[str, ...]:
        """Files whose path or name matches one of the patterns, without regard to case."""
        wanted = [pattern.lower() for pattern in patterns]
        suffixes = tuple(p[1:] for p in wanted if p.startswith("*") and not set(p[1:]) & set("*?["))
        others = [p for p in wanted if not (p.startswith("*") and not set(p[1:]) & set("*?["))]
        if not others:
            return tuple([path for path in self.files() if path.lower().endswith(suffixes)])

        def fits(path: str) -> bool:
            low = path.lower()
            if suffixes and low.endswith(suffixes):
                return True
            name = low.rpartition("/")[2]
            return any(fnmatch.fnmatchcase(low, p) or fnmatch.fnmatchcase(name, p) for p in others)

        return tuple(path for path in self.files() if fits(path))

    def local_path(self, path: str) -> Path | None:
        """The file on this machine's disk, if it is one."""
        return None

    def close(self) -> None:
        """Let go of what is open; reading again opens it again."""

    def below(self, prefix: str) -> Source:
        """The tree under a folder as a source of its own."""
        return Below(self, prefix.strip("/"))

    def fingerprint_token(self, path: str) -> str:
        """Something cheap that changes when the file does."""
        return str(self.size(path))

    def fingerprint_tokens(self, files: Sequence[str]) -> Iterable[str]:
        """The token of each of some of :meth:`files`."""
        return map(self.fingerprint_token, files)


class MemorySource(Source):
    """Files in a mapping."""

    def __init__(self, content: Mapping[str, bytes], where: str = "memory") -> None:
        super().__init__(where)
        self.content = dict(content)

    def _pickled(self) -> tuple[str, ...]:
        return ("content",)

    def _list(self) -> Iterable[str]:
        return self.content

    def _open(self, path: str) -> BinaryIO:
        return io.BytesIO(self.content[path])

    def fingerprint_token(self, path: str) -> str:
        return f"{zlib.crc32(self.content[path]):08x}"


class Below(Source):
    """A folder of another source."""

    def __init__(self, inner: Source, prefix: str) -> None:
        super().__init__(f"{inner.where}/{prefix}")
        self.inner, self.prefix = inner, prefix
        self.kind = inner.kind

    def _pickled(self) -> tuple[str, ...]:
        return ("inner", "prefix", "kind")

    def _list(self) -> Iterable[str]:
        start = self.prefix + "/"
        return (path[len(start) :] for path in self.inner.files() if path.startswith(start))

    def _bare_folders(self) -> Iterable[str]:
        start = self.prefix + "/"
        return (path[len(start) :] for path in self.inner.folders() if path.startswith(start))

    def _open(self, path: str) -> BinaryIO:
        return self.inner.open(f"{self.prefix}/{path}")

    def size(self, path: str) -> int:
        return self.inner.size(f"{self.prefix}/{path}")

    def fingerprint_token(self, path: str) -> str:
        return self.inner.fingerprint_token(f"{self.prefix}/{path}")

    def local_path(self, path: str) -> Path | None:
        return self.inner.local_path(f"{self.prefix}/{path}")


class FolderSource(Source):
    """A folder on disk. Links that lead out of it are not followed."""

    kind: Kind = "folder"

    def __init__(self, root: Path, focus: str | None = None) -> None:
        super().__init__(str(root if focus is None else root / focus), focus)
        self.root = root
        if focus is not None:
            self.kind = "file"

    def _pickled(self) -> tuple[str, ...]:
        return ("root", "kind")

    @cached_property
    def _root_text(self) -> str:
        return os.fspath(self.root)

    def _bare_folders(self) -> Iterable[str]:
        return (path[:-1] for path in self._walk() if path.endswith("/"))

    def _list(self) -> Iterable[str]:
        return (path for path in self._walk() if not path.endswith("/"))

    def _walk(self) -> Iterable[str]:
        """All files, and all folders with a slash behind their names."""
        root = os.fspath(self.root)
        real = os.path.realpath(root)
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            try:
                entries = os.scandir(f"{root}/{folder}")
            except OSError:
                continue
            with entries:
                for entry in entries:
                    path = f"{folder}/{entry.name}" if folder else entry.name
                    if entry.is_symlink() and not (os.path.realpath(entry.path) + "/").startswith(real + "/"):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(path)
                        yield path + "/"
                    elif entry.is_file():
                        yield path

    def exists(self, path: str) -> bool:
        try:
            return safe_join(self.root, path).is_file()
        except UnsafePath:
            return False

    @cached_property
    def _seen_folders(self) -> set[str]:
        """Folders of files opened before: where these lead was looked at, and is not for each file again."""
        return set()

    def _open(self, path: str) -> BinaryIO:
        folder = path.rpartition("/")[0]
        if folder in self._seen_folders and safe_relative(path) == path:
            place = f"{self._root_text}/{path}"
            if not os.path.islink(place):  # noqa: PTH114
                return open(place, "rb")  # noqa: PTH123
        place = safe_text(self._root_text, path)
        self._seen_folders.add(folder)
        return open(place, "rb")  # noqa: PTH123

    def read(self, path: str, limit: int | None = None) -> bytes:
        """The first ``limit`` bytes of a file, or all of it."""
        # Small files are read by the hundred thousand, and a stream for each costs more than its bytes.
        if path[: max(0, path.rfind("/"))] in self._seen_folders and safe_relative(path) == path:
            try:
                found = _read_small(f"{self._root_text}/{path}", SMALL_FILE if limit is None else limit)
            except OSError:
                return super().read(path, limit)
            if limit is not None or len(found) < SMALL_FILE:
                return found
        return super().read(path, limit)

    def size(self, path: str) -> int:
        return safe_join(self.root, path).stat().st_size

    def local_path(self, path: str) -> Path | None:
        return safe_join(self.root, path)

    def fingerprint_token(self, path: str) -> str:
        return _token(os.stat(safe_text(self._root_text, path)))  # noqa: PTH116

    def fingerprint_tokens(self, files: Sequence[str]) -> Iterable[str]:
        if self.focus is not None:
            return super().fingerprint_tokens(files)
        # None of them leads out of the folder: the walk left those out.
        return [_token(os.stat(f"{self._root_text}/{path}")) for path in files]  # noqa: PTH116


def _token(stat: os.stat_result) -> str:
    return f"{stat.st_size}:{stat.st_mtime_ns}"


SMALL_FILE = 1 << 16
"""Bytes of a file up to which it is read without a stream."""

_KNOWS_LINKS = hasattr(os, "O_NOFOLLOW")
_NO_LINK = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def _read_small(place: str, limit: int) -> bytes:
    """The first ``limit`` bytes of a file. Raises OSError, also for a link."""
    if not _KNOWS_LINKS and os.path.islink(place):  # noqa: PTH114
        raise OSError(f"{place} is a link")
    handle = os.open(place, _NO_LINK)
    try:
        found = os.read(handle, limit)
        while 0 < len(found) < limit and (more := os.read(handle, limit - len(found))):
            found += more
        return found
    finally:
        os.close(handle)


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


class UrlSource(Source):
    """A folder or file behind an fsspec URL (``s3://``, ``memory://``, ...)."""

    kind: Kind = "url"

    def __init__(self, url: str, focus: str | None = None) -> None:
        super().__init__(url if focus is None else f"{url}/{focus}", focus)
        self.url = url

    def _pickled(self) -> tuple[str, ...]:
        return ("url",)

    @cached_property
    def _fs(self) -> tuple[Any, str]:
        import fsspec

        fs, root = fsspec.url_to_fs(self.url)
        return fs, root.rstrip("/")

    def _list(self) -> Iterable[str]:
        fs, root = self._fs
        for path in fs.find(root):
            relative = path[len(root) :].lstrip("/") if path.startswith(root) else PurePosixPath(path).name
            try:
                yield safe_relative(relative)
            except UnsafePath:
                continue

    def _open(self, path: str) -> BinaryIO:
        fs, root = self._fs
        return fs.open(f"{root}/{safe_relative(path)}", "rb")  # type: ignore[no-any-return]

    def size(self, path: str) -> int:
        fs, root = self._fs
        return int(fs.size(f"{root}/{safe_relative(path)}"))


def is_url(where: str) -> bool:
    """Whether a location is an fsspec URL rather than a path."""
    head, separator, _ = where.partition("://")
    return bool(separator) and len(head) > 1 and head.replace("+", "").replace("-", "").isalnum()


def open_source(where: str | os.PathLike[str] | Source) -> Source:
    """A source for a folder, file, archive or URL. Raises :class:`SourceError` with near names if it is not there."""
    if isinstance(where, Source):
        return where
    text = os.fspath(where)
    if is_url(text):
        return _open_url(text)
    path = Path(text)
    if path.is_dir():
        return FolderSource(path)
    if path.is_file():
        low = path.name.lower()
        if low.endswith(".zip"):
            return ZipSource(text, path)
        if low.endswith(ARCHIVES):
            return TarSource(text, path)
        return FolderSource(path.parent, path.name)
    import difflib

    parent = path.parent if path.parent.is_dir() else Path()
    near = difflib.get_close_matches(path.name, [p.name for p in parent.iterdir()], n=3, cutoff=0.4)
    raise SourceError("does not exist", text, f"near it: {', '.join(near)}" if near else "check the path")


def _open_url(url: str) -> Source:
    low = url.lower()
    try:
        if low.endswith(".zip"):
            return ZipSource(url, None, url)
        if low.endswith(ARCHIVES):
            return TarSource(url, None, url)
        import fsspec

        fs, root = fsspec.url_to_fs(url)
        if fs.isfile(root):
            parent, _, name = url.rstrip("/").rpartition("/")
            return UrlSource(parent, name)
        if not fs.exists(root):
            raise SourceError("does not exist", url, "check the address and your credentials")
    except (ImportError, ValueError, OSError) as error:
        raise SourceError(f"cannot be opened: {error}", url) from error
    return UrlSource(url.rstrip("/"))
