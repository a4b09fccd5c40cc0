"""Base of formats with one annotation file per image."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from labelglot.errors import LabelglotError
from labelglot.formats.base import (
    File,
    Format,
    Piece,
    Place,
    ReadContext,
    WriteContext,
    in_pixels,
    seen_from,
    with_suffix,
)
from labelglot.report import Problem, Report
from labelglot.schema import Dataset, Label, Records, Sample
from labelglot.schema.columns import as_columns
from labelglot.schema.dataset import Decoder
from labelglot.storage import Source


class Pair(NamedTuple):
    """An image and its annotation file; either may be missing. ``splits``: where it is listed."""

    annotation: str | None
    image: str | None = None
    splits: tuple[str, ...] = ()
    path: str | None = None
    """Identity of the image if it is known without reading the annotation file."""
    more: Any = None
    """What else the format knows of the image beforehand; picklable."""


class PairTable(Sequence[Pair]):
    """Many pairs as a few long texts: half the memory of as many objects, and processes that are forked share it, while each of
    them would copy the objects it looks at. Made by :func:`packed`; a pickled one holds its own range alone.
    """

    def __init__(self, blocks: Sequence[str], splits: Sequence[tuple[str, ...]], places: range) -> None:
        self.blocks, self.splits, self.places = blocks, splits, places

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            places = self.places[place]
            return PairTable(self.blocks, self.splits, places) if places.step == 1 else list(self)[place]
        at = self.places[place]
        return self._block(at // _BLOCK)[at % _BLOCK]

    def __iter__(self) -> Iterator[Pair]:
        for number, start, stop in self._ranges():
            yield from self._block(number)[start:stop]

    def identities(self) -> tuple[list[str], Sequence[tuple[str, ...]]]:
        """Path and splits of each pair."""
        paths: list[str] = []
        for number, start, stop in self._ranges():
            paths += self.blocks[number].split("\0")[2::3][start:stop]
        return paths, self.splits[self.places.start : self.places.stop]

    def _ranges(self) -> Iterator[tuple[int, int, int]]:
        """Number of a block, and which of it belongs here."""
        first, end = self.places.start, self.places.stop
        for begin in range(first - first % _BLOCK, end, _BLOCK):
            yield begin // _BLOCK, max(first - begin, 0), min(end - begin, _BLOCK)

    def _block(self, number: int) -> list[Pair]:
        texts = [text or None for text in self.blocks[number].split("\0")]
        splits = self.splits[number * _BLOCK : (number + 1) * _BLOCK]
        return list(map(Pair, texts[::3], texts[1::3], splits, texts[2::3]))


_BLOCK = 250
"""Pairs in a text of a :class:`PairTable`."""


def packed(pairs: Sequence[Pair]) -> Sequence[Pair]:
    """The same pairs in little memory, if they are many and have a path each, and nothing besides is known of any."""
    if len(pairs) < 20 * _BLOCK or any(pair.more is not None or not pair.path for pair in pairs):
        return pairs
    blocks = []
    for start in range(0, len(pairs), _BLOCK):
        some = pairs[start : start + _BLOCK]
        text = "\0".join([part or "" for pair in some for part in (pair.annotation, pair.image, pair.path)])
        if text.count("\0") != 3 * len(some) - 1:
            return pairs
        blocks.append(text)
    return PairTable(blocks, [pair.splits for pair in pairs], range(len(pairs)))


class PerImage(Format):
    """One annotation file per image. Subclasses write ``pairs``, ``decode``, ``annotation_path`` and ``encode_file``.

    Labels are unknown until all files were read unless :meth:`labels` returns a table.
    """

    def labels(self, context: ReadContext) -> Sequence[Label | str] | None:
        """The class table if the source has one, else ``None``: classes are then collected from the files."""
        return None

    @abstractmethod
    def pairs(self, context: ReadContext) -> Sequence[Pair]:
        """All images with their annotation files, in a stable order."""

    @abstractmethod
    def decode(self, data: bytes | None, pair: Pair, context: ReadContext, report: Report) -> Sample | None:
        """One sample of the annotation file's bytes (``None``: the image has no annotation file).

        Its objects may be left in :class:`~labelglot.schema.columns.Columns`.
        """

    @abstractmethod
    def annotation_path(self, sample: Sample, context: WriteContext) -> str:
        """Where the annotation file of a sample goes."""

    @abstractmethod
    def encode_file(self, sample: Sample, context: WriteContext) -> bytes:
        """The annotation file of a sample."""

    def read(self, context: ReadContext) -> Dataset:
        labels = self.labels(context)
        dataset = Dataset(Records(self.pairs(context), self.decoder(context)), labels or ())
        return dataset if labels is not None else dataset.replace(labels_complete=False)

    def decoder(self, context: ReadContext) -> Decoder:
        """What turns a pair into a sample, for readers that build their dataset themselves."""
        return _PairDecoder(self, context)

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece | Problem]:
        yield File(self.annotation_path(sample, context), self.encode_file(sample, context))


class _PairDecoder:
    def __init__(self, format: PerImage, context: ReadContext) -> None:
        self.format, self.context = format, context

    def __call__(self, record: Pair, ordinal: int, report: Report) -> Sample | None:
        sample = self._decode(record, report)
        columns = None if sample is None else as_columns(sample.annotations)
        return sample if sample is None or columns is None else sample.replace(annotations=tuple(columns))

    def in_columns(self, records: Iterable[Pair], ordinal: int, report: Report) -> Iterator[Sample | None]:
        return (self._decode(record, report, data) for record, data in with_contents(self.context.source, records))

    def _decode(self, record: Pair, report: Report, data: bytes | None = None) -> Sample | None:
        if data is None and record.annotation is not None:
            try:
                data = self.context.source.read(record.annotation)
            except (LabelglotError, OSError) as error:
                report.problem("file.unreadable", str(error), record.annotation, severity="error", action="skipped")
                return None
        try:
            sample = self.format.decode(data, record, self.context, report)
        except LabelglotError as error:
            place = error.place or record.annotation
            report.problem(f"{self.format.id}.record", error.message, place, severity="error", action="skipped")
            return None
        return None if sample is None else in_pixels(sample)


READ_TOGETHER = 50
"""Files that :func:`with_contents` reads together: small ones, of less than 64 KB."""


def with_contents(source: Source, pairs: Iterable[Pair]) -> Iterator[tuple[Pair, bytes | None]]:
    """Pairs with the bytes of their annotation files, of which some are read together; ``None`` where there is no file, and
    where it has to be read for itself, which tells why.
    """
    waiting = iter(pairs)
    while some := list(islice(waiting, READ_TOGETHER)):
        contents = iter(source.read_many([pair.annotation for pair in some if pair.annotation is not None]))
        for pair in some:
            yield pair, None if pair.annotation is None else next(contents)


def place_of(pair: Pair, stated: str, context: ReadContext) -> Place:
    """Identity and file of the image of a pair, where its annotation file states the name of the image.

    The image that was paired, whatever the file says; else the name as seen from the file's folder. Another image of
    the same name elsewhere is not taken for it. Raises LabelglotError for a name that names nothing.
    """
    if pair.image is not None:
        return Place(pair.image, None, context.image(pair.image))
    folder = (pair.annotation or "").rpartition("/")[0]
    seen = seen_from(folder, stated)
    return context.place(stated, folder) if seen is None else Place(seen)


def pair_by_stem(
    annotations: Iterable[str], images: Iterable[str], splits_of: dict[str, tuple[str, ...]] | None = None
) -> list[Pair]:
    """Pair files that share folder and stem; images without annotation file come as well, in path order."""
    by_stem: dict[str, list[str]] = {}
    for image in images:
        by_stem.setdefault(with_suffix(image, ""), []).append(image)
    result = []
    for annotation in annotations:
        found = by_stem.pop(with_suffix(annotation, ""), [None])  # type: ignore[list-item]
        result += [Pair(annotation, image) for image in found]
    result += [Pair(None, image) for images_left in by_stem.values() for image in images_left]
    result.sort(key=lambda pair: pair.image or pair.annotation or "")
    if splits_of:
        result = [p._replace(splits=splits_of.get(p.image or p.annotation or "", ())) for p in result]
    return result
