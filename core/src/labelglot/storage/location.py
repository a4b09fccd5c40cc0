"""From a location to a source: a folder, a file, an archive, or an fsspec URL."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from labelglot.errors import SourceError, UnsafePath
from labelglot.storage.archive import TarSource, ZipSource
from labelglot.storage.folder import FolderSource
from labelglot.storage.paths import safe_relative
from labelglot.storage.source import ARCHIVES, Kind, Source


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
