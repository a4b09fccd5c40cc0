"""Where data comes from: a folder, a file, a zip or tar, memory, or an fsspec URL - read without unpacking.

A source is picklable and reopens itself in a worker process.
"""

from __future__ import annotations

import fnmatch
import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Literal

from labelglot.errors import SourceError, UnsafePath

Kind = Literal["folder", "file", "zip", "tar", "url", "memory"]

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


def without_noise(paths: Iterable[str]) -> list[str]:
    """The paths that readers should see."""
    found = list(paths)
    text = "\n".join(found)
    # Most sources have no noise at all, and one look at all paths is cheaper than one at each.
    if not any(mark in text for mark in ("__MACOSX/", ".labelglot/", "._", *_IGNORED_NAMES)):
        return found
    return [path for path in found if not is_noise(path)]


_WILD = frozenset("*?[]")
"""Characters of patterns that stand for others."""


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
        return tuple(sorted(without_noise(self._list())))

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

    def read_many(self, paths: Sequence[str], limit: int | None = None) -> Sequence[bytes | None]:
        """What :meth:`read` gives for each of some files, at less cost where they are small; ``None`` for those that have to be
        read one by one.
        """
        return [None] * len(paths)

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
        suffixes = tuple(p[1:] for p in wanted if p.startswith("*") and p != "*" and not set(p[1:]) & _WILD)
        exact = {p for p in wanted if not set(p) & _WILD}
        globs = [p for p in wanted if set(p) & _WILD and p[1:] not in suffixes]
        files = self.files()
        if not any(p[-1] in _WILD for p in globs):
            last = {end for p in wanted for end in (p[-1:], p[-1:].upper())}
            files = tuple([path for path in files if path[-1:] in last])  # nearly all others, at little cost

        def fits(path: str) -> bool:
            low = path.lower()
            if suffixes and low.endswith(suffixes):
                return True
            name = low.rpartition("/")[2]
            if name in exact or low in exact:
                return True
            return any(fnmatch.fnmatchcase(low, p) or fnmatch.fnmatchcase(name, p) for p in globs)

        if not exact and not globs:
            return tuple([path for path in files if path.lower().endswith(suffixes)])
        return tuple(path for path in files if fits(path))

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

    def stamps(self, paths: Sequence[str]) -> bytes:
        """Of some of :meth:`files`: path and token, with a NUL behind each."""
        return stamped((path, self.fingerprint_token(path)) for path in paths)

    def forget_files(self) -> None:
        """Let go of the list of files, which is made again when it is asked for. For readers of hundreds of thousands of them that
        have found out what they need.
        """
        for name in ("_everything", "_known"):
            self.__dict__.pop(name, None)


def stamped(told: Iterable[tuple[str, str]]) -> bytes:
    """Paths and tokens of files as one text."""
    return "".join(f"{path}\0{token}\0" for path, token in told).encode("utf-8", "surrogatepass")


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
