"""Where output goes. It is complete or absent: written under a hidden name beside the target, renamed at the end."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import shutil
import sys
import tarfile
import tempfile
import uuid
import zipfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from labelglot.errors import TargetError
from labelglot.storage.archive import TarSource, ZipSource
from labelglot.storage.folder import FolderSource
from labelglot.storage.location import is_url
from labelglot.storage.paths import safe_join, safe_relative
from labelglot.storage.source import MemorySource, Source

STORED = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".png",
        ".webp",
        ".gif",
        ".avif",
        ".heic",
        ".zip",
        ".gz",
        ".mp4",
        ".tfrecord",
        ".record",
        ".parquet",
    ]
)
"""Suffixes of files that are compressed already and are stored as they are in a zip."""


class Target:
    """Write access to a tree of files. Used as a context manager: commits on success, aborts on an exception.

    Nothing is touched before it is entered, so that there is no moment at which an interrupt leaves something behind.
    """

    staging: Path | None = None
    single: str | None = None

    def __init__(self, where: str) -> None:
        self.where = where
        self._names: set[str] = set()

    def _write(self, path: str, blocks: Iterable[bytes]) -> None:
        raise NotImplementedError

    def begin(self) -> None:
        """Make the place to work in."""

    def commit(self) -> None:
        """Make the output appear."""

    def abort(self) -> None:
        """Leave nothing behind."""

    def written(self) -> Source | None:
        """What has been written so far, to be read before it appears; nothing can be written after. ``None``: no way."""
        return None

    def has(self, path: str) -> bool:
        """Whether a file of this name was written already."""
        return safe_relative(path).casefold() in self._names

    def _claim(self, path: str) -> str:
        relative = safe_relative(path)
        if relative.casefold() in self._names:
            raise TargetError(f"{relative} would be written twice (names are compared without case)", self.where)
        self._names.add(relative.casefold())
        return relative

    def write(self, path: str, data: bytes | Iterable[bytes]) -> None:
        """Write a file. Raises :class:`TargetError` if the name was used before or the disk refuses."""
        relative = self._claim(path)
        try:
            self._write(relative, (data,) if isinstance(data, bytes) else data)
        except OSError as error:
            raise refused(error, f"{self.where}/{relative}") from error

    def copy_from(self, path: str, source: Source, source_path: str) -> None:
        """Copy a file of a source."""
        with source.open(source_path) as stream:
            self.write(path, iter(lambda: stream.read(1 << 20), b""))

    def __enter__(self) -> Self:
        try:
            self.begin()
        except OSError as failed:
            self.abort()
            raise refused(failed, self.where) from failed
        except BaseException:
            self.abort()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.abort()
            return
        try:
            self.commit()
        except OSError as failed:
            self.abort()
            raise refused(failed, self.where) from failed
        except BaseException:
            self.abort()
            raise


def refused(error: OSError, place: str) -> TargetError:
    """What to say if the system does not let us write."""
    return TargetError(f"cannot be written: {error.strerror or error}", place, "check free space and permissions")


def _temporary() -> Path:
    """A name of our own for a temporary folder."""
    return Path(tempfile.gettempdir()) / f"labelglot-out-{uuid.uuid4().hex}"


def _remove(path: Path) -> None:
    """Clean up as far as the system lets us: what went wrong before matters more than what is left."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def _move(work: Path, path: Path) -> bool:
    """Give ``work`` the name ``path``; false if something has that name by now."""
    try:
        if work.is_dir():
            work.rename(path)
        else:
            # Unlike a rename, a link fails if the name is taken.
            path.hardlink_to(work)
            work.unlink()
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno == errno.ENOTEMPTY:
            return False
        if work.is_dir() or path.exists():
            raise
        work.rename(path)
    return True


def _swap(work: Path, path: Path) -> None:
    """Put ``work`` in the place of ``path`` and remove what was there: at every moment one of them has the name."""
    if not work.is_dir() and not path.is_dir():
        work.replace(path)
        return
    if _exchange(work, path):
        _remove(work)
        return
    aside = work.with_suffix(".old")
    path.rename(aside)
    try:
        work.rename(path)
    except OSError:
        aside.rename(path)
        raise
    _remove(aside)


def _exchange(a: Path, b: Path) -> bool:
    """Exchange the names of two files or folders in one step; false where the system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    import ctypes

    here, exchange = -100, 2
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    return bool(call(here, os.fsencode(a), here, os.fsencode(b), exchange) == 0)


class LocalTarget(Target):
    """A target on disk with a hidden working name beside it."""

    def __init__(self, path: Path, overwrite: bool) -> None:
        super().__init__(str(path))
        self.path, self.overwrite = path, overwrite
        self.work = path.absolute().parent / f".{path.name}.{uuid.uuid4().hex[:12]}.part"

    def begin(self) -> None:
        self.work.parent.mkdir(parents=True, exist_ok=True)

    def adopt(self, work: Path) -> None:
        """Take the place of a conversion that was killed, before this one is entered. What it wrote is kept if it is a
        folder; an archive or a file is written anew.
        """
        if not work.is_dir():
            work.unlink(missing_ok=True)
        self.work = work

    def commit(self) -> None:
        if self.overwrite and self.path.exists():
            _swap(self.work, self.path)
            return
        if self.path.is_dir() and _is_empty(self.path):
            self.path.rmdir()
        if self.path.exists() or not _move(self.work, self.path):
            raise TargetError("appeared while this conversion ran", self.where, "use --overwrite")

    def abort(self) -> None:
        _remove(self.work)


class _Draft(FolderSource):
    """A folder that is not yet called what it will be called."""

    def __init__(self, root: Path, where: str) -> None:
        super().__init__(root)
        self.where = where


class _DraftFile(Source):
    """A file that is not yet called what it will be called."""

    kind = "file"

    def __init__(self, place: Path, final: Path) -> None:
        super().__init__(str(final), final.name)
        self.place = place

    def _pickled(self) -> tuple[str, ...]:
        return ("place",)

    def _list(self) -> Iterable[str]:
        return (str(self.focus),)

    def _open(self, path: str) -> BinaryIO:
        if path != self.focus:
            raise FileNotFoundError(path)
        return self.place.open("rb")

    def fingerprint_token(self, path: str) -> str:
        stat = self.place.stat()
        return f"{stat.st_size}:{stat.st_mtime_ns}"


class FolderTarget(LocalTarget):
    """A folder."""

    def __init__(self, path: Path, overwrite: bool) -> None:
        super().__init__(path, overwrite)
        self.staging = self.work

    def adopt(self, work: Path) -> None:
        super().adopt(work)
        self.staging = work

    def begin(self) -> None:
        super().begin()
        self.work.mkdir(exist_ok=True)

    def written(self) -> Source | None:
        return _Draft(self.work, self.where)

    def has(self, path: str) -> bool:
        return super().has(path) or safe_join(self.work, path).exists()

    def _write(self, path: str, blocks: Iterable[bytes]) -> None:
        place = safe_join(self.work, path)
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("xb") as stream:
            for block in blocks:
                stream.write(block)


class FileTarget(LocalTarget):
    """A single file; a second one is an error."""

    def __init__(self, path: Path, overwrite: bool) -> None:
        super().__init__(path, overwrite)
        self.single = path.name

    def written(self) -> Source | None:
        return _DraftFile(self.work, self.path) if self.work.exists() else None

    def has(self, path: str) -> bool:
        return super().has(path) or path != self.single

    def _write(self, path: str, blocks: Iterable[bytes]) -> None:
        if path != self.single:
            raise TargetError(f"the output has more than one file ({path})", self.where, "name a folder as the target")
        with self.work.open("xb") as stream:
            for block in blocks:
                stream.write(block)


class ZipTarget(LocalTarget):
    """A zip archive with fixed timestamps: the same content gives the same bytes."""

    _zip: Any = None

    def begin(self) -> None:
        super().begin()
        self._zip = zipfile.ZipFile(self.work, "w", zipfile.ZIP_DEFLATED, allowZip64=True)

    def _write(self, path: str, blocks: Iterable[bytes]) -> None:
        info = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))
        info.external_attr = 0o644 << 16
        stored = os.path.splitext(path)[1].lower() in STORED  # noqa: PTH122
        info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
        with self._zip.open(info, "w", force_zip64=True) as stream:
            for block in blocks:
                stream.write(block)

    def written(self) -> Source | None:
        self._zip.close()
        return ZipSource(self.where, self.work)

    def commit(self) -> None:
        self._zip.close()
        super().commit()

    def abort(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            if self._zip is not None:
                self._zip.close()
        super().abort()


class TarTarget(LocalTarget):
    """A tar archive, gzipped if its name says so, with fixed headers."""

    _raw: Any = None

    def begin(self) -> None:
        super().begin()
        import gzip

        self._raw = self.work.open("xb")
        packed = self.path.name.lower().endswith((".gz", ".tgz"))
        self._packed: Any = gzip.GzipFile("", "wb", 6, self._raw, mtime=0) if packed else self._raw
        self._tar = tarfile.open(fileobj=self._packed, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115

    def _write(self, path: str, blocks: Iterable[bytes]) -> None:
        info = tarfile.TarInfo(path)
        with tempfile.SpooledTemporaryFile(1 << 22) as spool:
            for block in blocks:
                spool.write(block)
            info.size = spool.tell()
            spool.seek(0)
            self._tar.addfile(info, spool)
        # They are only kept for those who ask what is in it.
        self._tar.members.clear()  # type: ignore[attr-defined]

    def written(self) -> Source | None:
        self._close()
        return TarSource(self.where, self.work)

    def commit(self) -> None:
        self._close()
        super().commit()

    def _close(self) -> None:
        self._tar.close()
        if self._packed is not self._raw:
            self._packed.close()
        self._raw.close()

    def abort(self) -> None:
        if self._raw is not None:
            with contextlib.suppress(OSError):
                self._raw.close()
        super().abort()


class UrlTarget(Target):
    """A folder behind an fsspec URL. Files are sent at the end, after everything was made locally."""

    def __init__(self, url: str, overwrite: bool) -> None:
        super().__init__(url)
        import fsspec

        self._fs, self._root = fsspec.url_to_fs(url.rstrip("/"))
        if self._fs.exists(self._root) and self._fs.find(self._root) and not overwrite:
            raise TargetError("exists already", url, "use --overwrite to replace it")
        self._overwrite = overwrite
        self._local = self.staging = _temporary()

    def begin(self) -> None:
        self._local.mkdir(mode=0o700)

    def written(self) -> Source | None:
        return _Draft(self._local, self.where)

    def has(self, path: str) -> bool:
        return super().has(path) or safe_join(self._local, path).exists()

    def _write(self, path: str, blocks: Iterable[bytes]) -> None:
        place = safe_join(self._local, path)
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("xb") as stream:
            for block in blocks:
                stream.write(block)

    def commit(self) -> None:
        sent: list[str] = []
        try:
            if self._overwrite and self._fs.exists(self._root):
                self._fs.rm(self._root, recursive=True)
            for place in sorted(self._local.rglob("*")):
                if place.is_file():
                    remote = f"{self._root}/{place.relative_to(self._local).as_posix()}"
                    self._fs.makedirs(remote.rpartition("/")[0], exist_ok=True)
                    self._fs.put_file(str(place), remote)
                    sent.append(remote)
        except BaseException:
            for remote in sent:
                self._fs.rm_file(remote)
            raise
        finally:
            shutil.rmtree(self._local, ignore_errors=True)

    def abort(self) -> None:
        shutil.rmtree(self._local, ignore_errors=True)


class UrlArchiveTarget(Target):
    """A zip or tar behind an fsspec URL, made locally and sent at the end."""

    def __init__(self, url: str, overwrite: bool, single: bool = False) -> None:
        super().__init__(url)
        import fsspec

        self._fs, self._remote = fsspec.url_to_fs(url)
        if self._fs.exists(self._remote) and not overwrite:
            raise TargetError("exists already", url, "use --overwrite to replace it")
        self._folder = _temporary()
        name = url.rstrip("/").rpartition("/")[2]
        self._inner = FileTarget(self._folder / name, False) if single else _archive(self._folder / name, False)
        self.single = self._inner.single

    def begin(self) -> None:
        self._folder.mkdir(mode=0o700)
        self._inner.begin()

    def written(self) -> Source | None:
        return self._inner.written()

    def has(self, path: str) -> bool:
        return self._inner.has(path)

    def write(self, path: str, data: bytes | Iterable[bytes]) -> None:
        self._inner.write(path, data)

    def commit(self) -> None:
        try:
            self._inner.commit()
            parent = self._remote.rpartition("/")[0]
            if parent:
                self._fs.makedirs(parent, exist_ok=True)
            self._fs.put_file(str(self._inner.path), self._remote)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def abort(self) -> None:
        self._inner.abort()
        shutil.rmtree(self._folder, ignore_errors=True)


class MemoryTarget(Target):
    """Files in a dictionary, for tests and for tools that embed labelglot."""

    def __init__(self) -> None:
        super().__init__("memory")
        self.content: dict[str, bytes] = {}

    def written(self) -> Source | None:
        return MemorySource(self.content)

    def _write(self, path: str, blocks: Iterable[bytes]) -> None:
        stream = io.BytesIO()
        for block in blocks:
            stream.write(block)
        self.content[path] = stream.getvalue()


def _is_empty(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _archive(path: Path, overwrite: bool) -> LocalTarget:
    return ZipTarget(path, overwrite) if path.name.lower().endswith(".zip") else TarTarget(path, overwrite)


def open_target(
    where: str | os.PathLike[str], *, overwrite: bool = False, single_suffixes: tuple[str, ...] = ()
) -> Target:
    """A target for a folder, archive, single file (by suffix, before archives) or URL. An existing one needs ``overwrite``."""
    text = os.fspath(where)
    if text == "-":
        raise TargetError('"-" is not supported as a target', hint="name a folder, file or archive")
    low = text.lower()
    archive = low.endswith((".zip", ".tar", ".tar.gz", ".tgz"))
    single = bool(single_suffixes) and low.endswith(single_suffixes)
    if is_url(text):
        return UrlArchiveTarget(text, overwrite, single) if archive or single else UrlTarget(text, overwrite)
    path = Path(text)
    if path.resolve() in (Path("/").resolve(), Path.home().resolve(), Path.cwd().resolve()):
        raise TargetError("is not a folder to replace", text, "name a new folder")
    if path.exists() and not overwrite and not _is_empty(path):
        raise TargetError("exists already", text, "use --overwrite to replace it")
    if archive and not single:
        return _archive(path, overwrite)
    if single:
        return FileTarget(path, overwrite)
    return FolderTarget(path, overwrite)
