"""What of a long conversion is done already, kept beside its target so that a killed one can go on.

Beside ``out`` lies ``.out.<id>.part`` (the output so far) and ``.out.<id>.job``: a lock that the running process holds,
the signature of the conversion, and per finished chunk a record with all that came of it - pieces of documents, names,
sizes and checksums of files, and its part of the report. A chunk counts as done only if everything its record names is
there with the same content; everything else that lies there is removed before work goes on.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from labelglot.engine.executor import Aside
from labelglot.images import SourceImage
from labelglot.report import Report, ReportState

if TYPE_CHECKING:
    from labelglot.engine.chunk import Receipt
    from labelglot.storage import Source

LEAST = 4
"""Chunks from which on a conversion is worth being resumed."""


class Written(msgspec.Struct, frozen=True, array_like=True):
    """A file in the output: path below it, size, and CRC-32 of its content (-1: an image, told by its size alone)."""

    path: str
    size: int
    checksum: int


class Record(msgspec.Struct, array_like=True):
    """What came of a chunk of ``number`` samples. ``files``: contents, for targets that are no folder; ``spool``: name and CRC of its file."""

    ordinal: int
    number: int
    report: ReportState
    written: list[Written]
    files: list[tuple[str, bytes]]
    pieces: list[tuple[tuple[str, str], bytes]]
    folders: list[str]
    images: list[tuple[str, str]]
    spool: tuple[str, int] | None
    lengths: list[tuple[tuple[str, str], int]]


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Record)


def signature(state: bytes, *facts: object) -> str:
    """A text that differs when the :func:`state` of the source or anything else differs."""
    return hashlib.sha256(state + repr(facts).encode()).hexdigest()


def state(source: Source, alone: bool = False) -> bytes:
    """A digest of names, sizes and times of the files of a source. ``alone``: nobody else needs the list of files here, whose
    memory would be copied wherever one of two processes touches it.
    """
    sha = hashlib.sha256()
    files = source.files()
    parts: Iterable[Sequence[str]] = [files[start : start + TOGETHER] for start in range(0, len(files), TOGETHER)]
    if alone:
        texts = ["\0".join(part) for part in parts]
        del files, parts
        source.forget_files()
        parts = (text.split("\0") for text in texts)
    for part in parts:
        sha.update(source.stamps(part))
    return sha.digest()


TOGETHER = 5000
"""Files that are looked at together."""


MANY_FILES = 5000
"""Files from which on it pays to find out their state in a process of its own."""


def state_aside(source: Source, processes: int) -> Aside[bytes]:
    """The :func:`state` of a source; of many files it is found out by a process of its own from now on."""
    worth = processes > 1 and source.kind == "folder" and len(source.files()) >= MANY_FILES
    return Aside(partial(state, source, alone=worth), worth)


class Journal:
    """The folder of one conversion. ``spool``: where pieces of documents go that are too large for memory.

    Nothing is touched before :meth:`begin` or :meth:`take_over`, and :meth:`close` is right at any moment after. What was begun
    can be taken over once it is signed.
    """

    def __init__(self, work: Path, signature: Callable[[], str]) -> None:
        self.folder, self.signature = work.with_suffix(".job"), signature
        self.spool = self.folder / "spool"
        self.resumed = self._owned = False
        self._lock: int | None = None

    def begin(self) -> bool:
        """Start a new one; false where files cannot be locked."""
        self._owned = True
        self.folder.mkdir()
        if not self._take_lock():
            return False
        self.spool.mkdir()
        (self.folder / "chunks").mkdir()
        return True

    def sign(self) -> None:
        """Say what is done here; to be called before any of it is."""
        if not self.resumed:
            (self.folder / "signature").write_text(self.signature())

    def take_over(self) -> bool:
        """Go on with one that a killed conversion left, if that did the same with the same source."""
        try:
            same = (self.folder / "signature").read_text() == self.signature()
        except OSError:
            return False
        self._owned = self.resumed = same and self._take_lock()
        return self.resumed

    def _take_lock(self) -> bool:
        self._lock = _locked(self.folder / "lock")
        return self._lock is not None

    def close(self) -> None:
        """Remove all of it; nothing is left to resume."""
        import shutil

        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        if self._owned:
            shutil.rmtree(self.folder, ignore_errors=True)

    def receipts(self, source: Source, staging: Path | None, chunks: Mapping[int, int]) -> dict[int, Receipt]:
        """Receipts of the chunks that are done, by ordinal. Whatever else is in ``staging`` is removed.

        ``chunks``: ordinal and number of samples of all chunks; what is noted of others is not used.
        """
        found: dict[int, Receipt] = {}
        kept: set[str] = set()
        spooled: set[str] = set()
        for path in sorted((self.folder / "chunks").glob("*.done")):
            record = self._sound(path, staging)
            if record is None or chunks.get(record.ordinal) != record.number:
                path.unlink(missing_ok=True)
                continue
            kept.update(each.path for each in record.written)
            if record.spool is not None:
                spooled.add(record.spool[0])
            found[record.ordinal] = self._receipt(record, source)
        if staging is not None:
            _remove_others(staging, kept)
        _remove_others(self.spool, spooled)
        return found

    def _sound(self, path: Path, staging: Path | None) -> Record | None:
        """The record of a chunk, if all that it names is as it says."""
        try:
            record = _decoder.decode(path.read_bytes())
        except (OSError, msgspec.MsgspecError):
            return None
        for each in record.written:
            if staging is None or not _is_as_written(staging / each.path, each):
                return None
        if record.spool is not None:
            name, checksum = record.spool
            try:
                if checksum_of(self.spool / name) != checksum:
                    return None
            except OSError:
                return None
        return record

    def _receipt(self, record: Record, source: Source) -> Receipt:
        from labelglot.engine.chunk import Receipt
        from labelglot.engine.output import ImageCopy

        report = Report.from_state(record.report)
        report.count("samples.resumed", report.counts.get("samples", 0))
        return Receipt(
            record.ordinal, report, tuple(record.files), tuple(record.pieces),
            tuple(ImageCopy(path, SourceImage(source, name)) for path, name in record.images), tuple(record.folders),
            None if record.spool is None else str(self.spool / record.spool[0]), tuple(record.lengths),
        )  # fmt: skip


def record(folder: Path, receipt: Receipt, number: int, written: Sequence[Written], spooled: int) -> None:
    """Note that a chunk is done. ``spooled``: CRC of its file of pieces. Chunks with images of their own are not noted."""
    images: list[tuple[str, str]] = []
    for copy in receipt.images:
        if not isinstance(copy.image, SourceImage):
            return
        images.append((copy.path, copy.image.path))
    done = Record(
        receipt.ordinal, number, receipt.report.to_state(), list(written), list(receipt.files), list(receipt.pieces),
        list(receipt.folders), images, None if receipt.spool is None else (Path(receipt.spool).name, spooled),
        list(receipt.lengths),
    )  # fmt: skip
    place = folder / "chunks" / f"{receipt.ordinal:012d}.done"
    work = place.with_suffix(f".{os.getpid()}")
    try:
        work.write_bytes(_encode(done))
        work.replace(place)
    except OSError:
        # A chunk that is not noted is done again; where the disk is full, the output itself will say so.
        work.unlink(missing_ok=True)


def checksum_of(path: Path) -> int:
    """CRC-32 of a file."""
    checksum = 0
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            checksum = zlib.crc32(block, checksum)
    return checksum


def _is_as_written(path: Path, file: Written) -> bool:
    try:
        if path.is_symlink() or path.stat().st_size != file.size:
            return False
        return file.checksum < 0 or checksum_of(path) == file.checksum
    except OSError:
        return False


def _remove_others(folder: Path, kept: Iterable[str]) -> None:
    keep = set(kept)
    for place in sorted(folder.rglob("*"), reverse=True):
        if place.is_dir() and not place.is_symlink():
            if not any(place.iterdir()):
                place.rmdir()
        elif place.relative_to(folder).as_posix() not in keep:
            place.unlink()


def _locked(path: Path) -> int | None:
    """A descriptor of the file, locked for as long as it is open; ``None`` if another process has the lock, or files
    cannot be locked here.
    """
    try:
        import fcntl
    except ImportError:
        return None
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def leftovers(target: Path) -> Iterator[Path]:
    """Outputs of conversions into ``target`` that did not end, the latest first."""
    found = [place for place in target.absolute().parent.glob(f".{_escaped(target.name)}.*.job") if place.is_dir()]
    found.sort(key=lambda place: place.stat().st_mtime, reverse=True)
    yield from (place.with_suffix(".part") for place in found)


def sweep(target: Path) -> None:
    """Remove what killed conversions into ``target`` left behind; those that still run are left alone."""
    import shutil

    for work in leftovers(target):
        folder = work.with_suffix(".job")
        lock = _locked(folder / "lock")
        if lock is not None:
            os.close(lock)
            shutil.rmtree(work, ignore_errors=True) if work.is_dir() else work.unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)


def _escaped(name: str) -> str:
    import glob

    return glob.escape(name)


__all__ = ["Journal", "Record", "Written", "checksum_of", "leftovers", "record", "signature", "sweep"]

