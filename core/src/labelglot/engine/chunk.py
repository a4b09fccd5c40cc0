"""One chunk of a conversion: read, reduce, encode. Runs in any process; returns a receipt."""

from __future__ import annotations

import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from labelglot.engine.journal import Written, record
from labelglot.errors import LabelglotError, PluginError, SourceError
from labelglot.formats.base import File, Format, Piece, WriteContext, in_pixels, under
from labelglot.holds import Holds
from labelglot.images import ImageHandle, SourceImage
from labelglot.projection.losses import LossSink, Lost
from labelglot.projection.objects import Reduced
from labelglot.projection.project import Plan, SampleReducer
from labelglot.report import EXAMPLES, Loss, Report, Severity
from labelglot.schema import Partition, Sample
from labelglot.schema.columns import as_columns
from labelglot.schema.dataset import RecordPartition, read_columns
from labelglot.storage import safe_join
from labelglot.storage.paths import safe_text
from labelglot.storage.source import DAMAGED
from labelglot.storage.target import refused

SPOOL_FROM = 1 << 18
"""Pieces of a chunk above this many bytes go through a file instead of the pipe between processes."""

HELD = 8 << 20
"""Bytes of pieces held in memory at the most: a chunk of records with images inside can be gigabytes."""


class Work(NamedTuple):
    """A partition with the number of objects before it, and of all in the dataset."""

    partition: Partition
    first_annotation: int = 0
    all_annotations: int = 0

    @property
    def ordinal(self) -> int:
        return self.partition.ordinal

    def __len__(self) -> int:  # type: ignore[override]
        return len(self.partition)

    def halves(self) -> tuple[Work, Work] | None:
        """The first and the second half.

        How many objects the first one has is not known, since reading it may kill: those of the second are numbered further
        than all numbers there are, by as much as no other half is.
        """
        number = len(self.partition)
        if number < 2:
            return None
        half, partition = number // 2, self.partition
        cut = partition.part if isinstance(partition, RecordPartition) else partial(Sliced, partition)
        beyond = self.first_annotation + half * max(1, self.all_annotations)
        return Work(cut(0, half), self.first_annotation, self.all_annotations), Work(cut(half, number), beyond, self.all_annotations)


class Sliced:
    """A range of a partition."""

    def __init__(self, inner: Partition, start: int, stop: int) -> None:
        self.inner, self.start, self.stop = inner, start, stop
        self.ordinal = inner.ordinal + start

    def __len__(self) -> int:
        return self.stop - self.start

    def read(self, report: Report) -> Iterator[Sample]:
        for number, sample in enumerate(self.inner.read(report)):
            if self.start <= number < self.stop:
                yield sample


class Job(NamedTuple):
    """What all chunks of a conversion share.

    ``staging``: folder to write files into directly. ``folders``: each split is a dataset in a folder of its own.
    ``journal``: folder in which finished chunks are noted, so that a killed conversion can be resumed.
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


class ImageCopy(NamedTuple):
    """An image that still has to be brought into the target."""

    path: str
    image: ImageHandle


class Receipt(NamedTuple):
    """What became of a chunk.

    ``pieces``: bytes by (folder, slot) or, in ``spool``, ``lengths`` in the order of the file. ``folders``: those its
    samples went to.
    """

    ordinal: int
    report: Report
    files: tuple[tuple[str, bytes], ...]
    pieces: tuple[tuple[tuple[str, str], bytes], ...]
    images: tuple[ImageCopy, ...]
    folders: tuple[str, ...]
    spool: str | None = None
    lengths: tuple[tuple[tuple[str, str], int], ...] = ()


class _Losses(LossSink):
    """Counts losses; keeps the first examples only, because millions of objects may lose the same thing."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.counts: dict[str, int] = {}
        self.repeated: dict[int, list[Any]] = {}
        self.sample: Sample | None = None

    def __call__(self, code: str, aspect: str, position: int | None, detail: str, severity: Severity) -> None:
        seen = self.counts.get(code, 0)
        self.counts[code] = seen + 1
        if seen < EXAMPLES:
            key = "" if self.sample is None else self.sample.key
            self.report.lose(Loss(code, aspect, key, position, detail, severity))

    def replay(self, losses: tuple[Lost, ...], position: int) -> None:
        entry = self.repeated.get(id(losses))
        if entry is None:
            entry = self.repeated[id(losses)] = [losses, 0]
        entry[1] += 1
        if entry[1] <= EXAMPLES:
            super().replay(losses, position)

    def replay_all(self, losses: tuple[Lost, ...], number: int) -> None:
        entry = self.repeated.get(id(losses))
        if entry is not None and entry[1] >= EXAMPLES:
            entry[1] += number
        else:
            super().replay_all(losses, number)

    def finish(self) -> None:
        for losses, count in self.repeated.values():
            for loss in losses:
                self.counts[loss.code] += max(0, count - EXAMPLES)
        for code, count in self.counts.items():
            if count > EXAMPLES:
                self.report.recount_loss(code, count)


class _Pieces:
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


def run_chunk(job: Job, work: Work) -> Receipt:
    """Read, reduce and encode one chunk. Raises :class:`PluginError` naming the sample if a writer breaks."""
    report = Report()
    losses = _Losses(report)
    reducer = SampleReducer(job.holds, job.plan)
    files: list[tuple[str, bytes]] = []
    pieces = _Pieces(job, work.ordinal)
    folders: dict[str, None] = {}
    folder = ""
    images: list[ImageCopy] = []
    written: list[Written] = []
    number = work.first_annotation
    seen = kept = objects = missing = 0
    format, context = job.format, job.context
    staging = Path(job.staging) if job.staging else None
    samples = _together(map(in_pixels, read_columns(work.partition, report)), reducer)
    for ordinal, (sample, alike) in enumerate(samples, work.ordinal):
        losses.sample = sample
        before = 0 if sample.annotations is None else len(sample.annotations)
        reduced, _ = reducer.reduce(sample, ordinal, number, losses, alike)
        number += before
        seen += 1
        if reduced is None:
            continue
        kept += 1
        objects += 0 if reduced.annotations is None else len(reduced.annotations)
        columns = None if format.takes_columns else as_columns(reduced.annotations)
        if columns is not None:
            reduced = reduced.replace(annotations=tuple(columns))
        if job.folders:
            folder = reduced.split or ""
            folders.setdefault(folder)
            reduced = reduced.replace(splits=())
        try:
            for made in format.encode(reduced, context, ordinal):
                if isinstance(made, Piece):
                    pieces.add((folder, made.slot), made.data)
                elif isinstance(made, File):
                    data = made.data if isinstance(made.data, bytes) else b"".join(made.data)
                    if staging is None:
                        files.append((under(folder, made.path), data))
                    else:
                        _write(staging, under(folder, made.path), data)
                        if job.journal is not None:
                            written.append(Written(under(folder, made.path), len(data), zlib.crc32(data)))
                else:
                    report.add_problem(made._replace(key=sample.key))
        except LabelglotError as error:
            report.problem(
                f"{format.id}.write", error.message, error.place, severity="error", key=sample.key, action="skipped"
            )
            continue
        except OSError as error:
            raise gone(error, sample.key) from error
        except DAMAGED as error:
            raise SourceError(f"cannot be read: {error}", sample.key, "did the source change meanwhile?") from error
        except Exception as error:
            raise PluginError(
                f"{format.id} failed to write {sample.key}: {error!r}", hint="report it to the plugin's author"
            ) from error
        if reduced.image is None:
            missing += 1
            continue
        copy = _image(job, reduced, reduced.image, folder, report)
        if copy is not None and not (staging is not None and _place(staging, copy, job.images, report)):
            images.append(copy)
        elif copy is not None and staging is not None and job.journal is not None:
            written.append(Written(copy.path, safe_join(staging, copy.path).stat().st_size, -1))
    losses.finish()
    counts = {
        "samples": seen, "annotations": number - work.first_annotation, "samples.written": kept, "annotations.written": objects
    }  # fmt: skip
    if missing:
        counts["images.missing"] = missing
    for name, count in counts.items():
        report.count(name, count)
    joined = pieces.joined()
    receipt = Receipt(
        work.ordinal, report, tuple(files), joined, tuple(images), tuple(folders), pieces.file, tuple(pieces.lengths)
    )
    if job.journal is not None:
        record(Path(job.journal), receipt, len(work), written, pieces.checksum)
    return receipt


TOGETHER = 50
"""Samples whose objects are looked at together. They may carry images, so not too many."""


def _together(samples: Iterator[Sample], reducer: SampleReducer) -> Iterator[tuple[Sample, Reduced | None]]:
    """Samples, and what the reducer foresees for them."""
    while batch := list(islice(samples, TOGETHER)):
        yield from zip(batch, reducer.foresee(batch), strict=True)


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


def _write(staging: Path, path: str, data: bytes) -> None:
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
