"""A folder on disk as a source. Small files are read by the hundred thousand, so opening one costs as little as can be."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from labelglot import native
from labelglot.errors import UnsafePath
from labelglot.storage.paths import are_plain, safe_join, safe_relative, safe_text
from labelglot.storage.source import Kind, Source, stamped


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
        return self._walk()[1]

    def _list(self) -> Iterable[str]:
        return self._walk()[0]

    def _walk(self) -> tuple[list[str], list[str]]:
        """All files, and all folders."""
        files: list[str] = []
        folders: list[str] = []
        root = self._root_text
        real = os.path.realpath(root)
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            start = f"{folder}/" if folder else ""
            plain, others = _entries(f"{root}/{folder}")
            files += [start + name for name in plain] if start else plain
            for name in others:
                path, place = start + name, f"{root}/{start}{name}"
                if os.path.islink(place):  # noqa: PTH114
                    inside = (os.path.realpath(place) + "/").startswith(real + "/")
                    if inside and os.path.isfile(place):  # noqa: PTH113
                        files.append(path)
                elif os.path.isdir(place):  # noqa: PTH112
                    waiting.append(path)
                    folders.append(path)
                elif os.path.isfile(place):  # noqa: PTH113
                    files.append(path)
        return files, folders

    def exists(self, path: str) -> bool:
        try:
            return safe_join(self.root, path).is_file()
        except UnsafePath:
            return False

    @cached_property
    def _seen_folders(self) -> set[str]:
        """Folders of files opened before: where these lead was looked at, and is not for each file again."""
        return set()

    def _seen(self, path: str) -> str | None:
        """Where a file in a folder seen before is; it may still be a link."""
        folder, _, name = path.rpartition("/")
        if folder not in self._seen_folders or not (name.replace(".", "", 1).isalnum() or safe_relative(path) == path):
            return None
        return f"{self._root_text}/{path}"

    def _open(self, path: str) -> BinaryIO:
        place = self._seen(path)
        if place is None or os.path.islink(place):  # noqa: PTH114
            place = safe_text(self._root_text, path)
            self._seen_folders.add(path.rpartition("/")[0])
        return open(place, "rb")  # noqa: PTH123

    def read(self, path: str, limit: int | None = None) -> bytes:
        """The first ``limit`` bytes of a file, or all of it."""
        # Small files are read by the hundred thousand, and a stream for each costs more than its bytes.
        place = self._seen(path) if limit is None or limit <= SMALL_FILE else None
        if place is not None:
            try:
                found = _read_small(place, SMALL_FILE if limit is None else limit)
            except OSError:
                return super().read(path, limit)
            if limit is not None or len(found) < SMALL_FILE:
                return found
        return super().read(path, limit)

    def read_many(self, paths: Sequence[str], limit: int | None = None) -> Sequence[bytes | None]:
        folders = {path.rpartition("/")[0] for path in paths}
        if folders <= self._seen_folders and are_plain(paths):
            found = native.read_many(self._root_text, tuple(paths), SMALL_FILE if limit is None else limit, limit is None)
            if found is not None:
                return found
        return super().read_many(paths, limit)

    def size(self, path: str) -> int:
        return safe_join(self.root, path).stat().st_size

    def local_path(self, path: str) -> Path | None:
        return safe_join(self.root, path)

    def fingerprint_token(self, path: str) -> str:
        return _token(os.stat(safe_text(self._root_text, path)))  # noqa: PTH116

    def stamps(self, paths: Sequence[str]) -> bytes:
        if self.focus is not None:
            return super().stamps(paths)
        # None of them leads out of the folder: the walk left those out.
        root = self._root_text
        told = native.stamps(root, tuple(paths))
        return told if told is not None else stamped((path, _token(os.stat(f"{root}/{path}"))) for path in paths)  # noqa: PTH116


def _entries(folder: str) -> tuple[list[str], list[str]]:
    """Names in a folder: plain files, and all others; none if it cannot be looked into."""
    found = native.entries(folder)
    if found is not None:
        return found
    files: list[str] = []
    others: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                (files if entry.is_file(follow_symlinks=False) else others).append(entry.name)
    except OSError:
        pass
    return files, others


def _token(stat: os.stat_result) -> str:
    return f"{stat.st_size}:{stat.st_mtime_ns}"


SMALL_FILE = 1 << 16
"""Bytes of a file up to which it is read without a stream."""

_KNOWS_LINKS = hasattr(os, "O_NOFOLLOW")
_NO_LINK = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def _read_small(place: str, limit: int) -> bytes:
    """The first ``limit`` bytes of a file. Raises OSError, also for a link."""
    data = native.read(place, limit)
    if data is not None:
        return data
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
