"""What comes out of a chunk: pieces of documents, files, and images that go where they belong or wait for it."""

from __future__ import annotations

import os
import shutil
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from labelglot import native
from labelglot.engine.journal import Written
from labelglot.engine.numbering import Numbering
from labelglot.errors import LabelglotError, PluginError, SourceError
from labelglot.formats.base import File, Format, Piece, WriteContext, under
from labelglot.holds import Holds
from labelglot.images import ImageHandle, SourceImage
from labelglot.projection.project import Plan
from labelglot.report import Problem, Report
from labelglot.schema import Sample
from labelglot.schema.columns import as_columns
from labelglot.storage import safe_join
from labelglot.storage.paths import safe_relative, safe_text
from labelglot.storage.source import DAMAGED
from labelglot.storage.target import refused

SPOOL_FROM = 1 << 18
"""Pieces of a chunk above this many bytes go through a file instead of the pipe between processes."""

HELD = 8 << 20
"""Bytes of pieces held in memory at the most: a chunk of records with images inside can be gigabytes."""


class Job(NamedTuple):
    """What all chunks of a conversion share.

    ``staging``: folder to write files into directly. ``folders``: each split is a dataset in a folder of its own.
    ``journal``: folder in which finished chunks are noted, so that a killed conversion can be resumed. ``numbering``: where
    nobody has counted objects beforehand.
    """

    format: Format
    context: WriteContext
    holds: Holds
    plan: Plan
    images: str
    staging: str | None
    spool: str | None
    folders: bool = False
    journal: str | None = None
    numbering: Numbering | None = None


class ImageCopy(NamedTuple):
    """An image that still has to be brought into the target."""

    path: str
    image: ImageHandle


class Encoded(NamedTuple):
    """A sample that is written: its place in the dataset, as it was read, and as the target holds it."""

    ordinal: int
    sample: Sample
    reduced: Sample


class Output:
    """Takes the samples of a chunk that are written, and what the format makes of them."""

    def __init__(self, job: Job, ordinal: int, report: Report) -> None:
        self.job, self.report = job, report
        self.pieces = PieceBuffer(job, ordinal)
        self.files: list[tuple[str, bytes]] = []
        self.images: list[ImageCopy] = []
        self.folders: dict[str, None] = {}
        self.written: list[Written] = []
        self.staging = Path(job.staging) if job.staging else None
        self.missing = 0
        self._looked_at: set[str] = set()

    def take(self, samples: Sequence[Encoded]) -> None:
        """Encode consecutive samples, and put their images where they belong.

        Raises :class:`PluginError` naming the sample if a writer breaks.
        """
        if not self.job.format.takes_columns:
            samples = [_in_objects(encoded) for encoded in samples]
        together = None if self.job.folders or not samples else self._encode_many(samples)
        for piece in together or ():
            self.pieces.add(("", piece.slot), piece.data)
        for encoded in samples:
            folder = ""
            if self.job.folders:
                folder = encoded.reduced.split or ""
                self.folders.setdefault(folder)
            if together is not None or self._encode(encoded, folder):
                self._take_image(encoded.reduced, folder)

    def _encode_many(self, samples: Sequence[Encoded]) -> Sequence[Piece] | None:
        """What the format makes of all of them, ``None`` if each is to be encoded by itself. What breaks will break there, too,
        where it is known which sample it was.
        """
        try:
            found = self.job.format.encode_many([encoded.reduced for encoded in samples], self.job.context)
            return None if found is None else list(found)
        except Exception:
            return None

    def _encode(self, encoded: Encoded, folder: str) -> bool:
        """Encode one sample; false if it cannot be written."""
        job, (ordinal, sample, reduced) = self.job, encoded
        if job.folders:
            reduced = reduced.replace(splits=())
        try:
            for made in job.format.encode(reduced, job.context, ordinal):
                self._add(made, folder, sample.key)
        except LabelglotError as error:
            self.report.problem(
                f"{job.format.id}.write", error.message, error.place, severity="error", key=sample.key, action="skipped"
            )
            return False
        except OSError as error:
            raise gone(error, sample.key) from error
        except DAMAGED as error:
            raise SourceError(f"cannot be read: {error}", sample.key, "did the source change meanwhile?") from error
        except Exception as error:
            raise PluginError(
                f"{job.format.id} failed to write {sample.key}: {error!r}", hint="report it to the plugin's author"
            ) from error
        return True

    def _add(self, made: File | Piece | Problem, folder: str, key: str) -> None:
        if isinstance(made, Piece):
            self.pieces.add((folder, made.slot), made.data)
        elif isinstance(made, File):
            data = made.data if isinstance(made.data, bytes) else b"".join(made.data)
            if self.staging is None:
                self.files.append((under(folder, made.path), data))
                return
            self._write(self.staging, under(folder, made.path), data)
            if self.job.journal is not None:
                self.written.append(Written(under(folder, made.path), len(data), zlib.crc32(data)))
        else:
            self.report.add_problem(made._replace(key=key))

    def _write(self, staging: Path, path: str, data: bytes) -> None:
        folder = path.rpartition("/")[0]
        # A new file cannot lead elsewhere; the way to its folder is looked at once.
        if folder in self._looked_at and safe_relative(path) == path and native.create(f"{staging}/{path}", data):
            return
        place = safe_text(os.fspath(staging), path)
        try:
            try:
                stream = open(place, "xb")  # noqa: PTH123, SIM115
            except FileNotFoundError:
                Path(place).parent.mkdir(parents=True, exist_ok=True)
                stream = open(place, "xb")  # noqa: PTH123, SIM115
            with stream:
                stream.write(data)
        except OSError as error:
            raise refused(error, path) from error
        self._looked_at.add(folder)

    def _take_image(self, reduced: Sample, folder: str) -> None:
        if reduced.image is None:
            self.missing += 1
            return
        copy = _image(self.job, reduced, reduced.image, folder, self.report)
        if copy is None:
            return
        if self.staging is None or not _place(self.staging, copy, self.job.images, self.report):
            self.images.append(copy)
        elif self.job.journal is not None:
            self.written.append(Written(copy.path, safe_join(self.staging, copy.path).stat().st_size, -1))


def _in_objects(encoded: Encoded) -> Encoded:
    """The sample with its objects one by one, if they are in columns."""
    columns = as_columns(encoded.reduced.annotations)
    if columns is None:
        return encoded
    return encoded._replace(reduced=encoded.reduced.replace(annotations=tuple(columns)))


class PieceBuffer:
    """Pieces by (folder, slot), in memory until they are too many, then in a file."""

    def __init__(self, job: Job, ordinal: int) -> None:
        self.folder, self.ordinal, self.separator = job.spool, ordinal, job.format.separator
        self.parts: dict[tuple[str, str], list[bytes]] = {}
        self.size = 0
        self.file: str | None = None
        self.lengths: list[tuple[tuple[str, str], int]] = []
        self.checksum = 0

    def add(self, slot: tuple[str, str], data: bytes) -> None:
        self.parts.setdefault(slot, []).append(data)
        self.size += len(data)
        if self.size > HELD and self.folder is not None:
            self._spill_or_refuse()

    def joined(self) -> tuple[tuple[tuple[str, str], bytes], ...]:
        """What is in memory, one piece for each slot; empty if all is in the file."""
        if self.folder is not None and (self.file is not None or self.size > SPOOL_FROM):
            self._spill_or_refuse()
        return tuple((slot, self.separator.join(filter(None, parts))) for slot, parts in self.parts.items())

    def _spill(self) -> None:
        if self.file is None:
            handle, self.file = tempfile.mkstemp(prefix=f"{self.ordinal:012d}-", dir=self.folder)
            os.close(handle)
        with Path(self.file).open("ab") as stream:
            for slot, parts in self.parts.items():
                data = self.separator.join(filter(None, parts))
                stream.write(data)
                self.checksum = zlib.crc32(data, self.checksum)
                self.lengths.append((slot, len(data)))
        self.parts, self.size = {}, 0

    def _spill_or_refuse(self) -> None:
        try:
            self._spill()
        except OSError as error:
            raise refused(error, str(self.folder)) from error


def _image(job: Job, sample: Sample, image: ImageHandle, folder: str, report: Report) -> ImageCopy | None:
    report.count("images.found")
    if job.images == "none" or job.format.embeds_images:
        return None
    path = job.format.image_path(sample, job.context)
    if path is None:
        return None
    report.count("images.written")
    return ImageCopy(under(folder, path), image)


def gone(error: OSError, place: str) -> SourceError:
    """What to say if something that was there cannot be read any more."""
    where = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else place
    return SourceError(f"cannot be read: {error.strerror or error}", where, "did the source change meanwhile?")


def collision(copy: ImageCopy, report: Report) -> None:
    """Say that two images would have the same name, of which the first is kept."""
    message = f"another image is called {copy.path} in the target already, and it is not the same"
    report.problem("image.collision", message, raw=copy.image.name, severity="error", action="left out")


def _place(staging: Path, copy: ImageCopy, how: str, report: Report) -> bool:
    """Copy or link an image into the staging folder; false if the main process has to do it."""
    image: Any = copy.image
    local = image.source.local_path(image.path) if isinstance(image, SourceImage) else None
    place = safe_join(staging, copy.path)
    if place.exists():
        # Several samples may share an image; what is told apart at once are files of different sizes.
        if local is not None and place.stat().st_size != Path(local).stat().st_size:
            collision(copy, report)
        return True
    place.parent.mkdir(parents=True, exist_ok=True)
    if local is not None and how == "link":
        try:
            os.link(local, place)
            return True
        except OSError:
            pass
    try:
        if local is not None:
            shutil.copyfile(local, place)
        else:
            with image.open() as stream, place.open("xb") as out:
                shutil.copyfileobj(stream, out, 1 << 20)
    except OSError as error:
        reading = local is not None and error.filename in (local, os.fspath(local))
        raise gone(error, image.name) if reading else refused(error, copy.path) from error
    except DAMAGED as error:
        raise SourceError(f"cannot be read: {error}", image.name, "did the source change meanwhile?") from error
    return True


__all__ = ["Encoded", "ImageCopy", "Job", "Output", "collision", "gone"]
