"""Base of formats that keep a whole split in one document: a record per image between a beginning and an end."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

from labelglot.errors import LabelglotError
from labelglot.formats.base import (
    LOOKED_AT,
    File,
    Format,
    Match,
    Piece,
    Pieces,
    ReadContext,
    WriteContext,
    best_match,
    in_pixels,
)
from labelglot.report import Problem, Report
from labelglot.schema import Dataset, Info, Label, Records, Sample, merge_labels
from labelglot.storage import Source


class Content(NamedTuple):
    """What one document holds. ``records``: one picklable thing per image, decoded later, in a worker if there is one.

    ``labels``: the class table, ``None`` if the document has none (classes are then collected from the objects).
    ``shared``: what decoding any of its records needs besides (a map of class ids, image folders...).
    ``names``: the images its records name, if that is known; see :meth:`ReadContext.reserve`.
    """

    records: Sequence[Any]
    labels: Sequence[Label | str] | None = None
    info: Info | None = None
    shared: Any = None
    names: Sequence[str] = ()


class Document(Format):
    """One document per split. Subclasses write ``evidence``, ``parse``, ``decode``, ``encode_record`` and ``frame``.

    ``patterns``: names of files that may be its documents.
    """

    documents: ClassVar[tuple[str, ...]] = (".json",)
    patterns: ClassVar[tuple[str, ...]] = ("*.json",)
    separator: ClassVar[bytes] = b","

    def evidence(self, source: Source, path: str) -> Match | None:
        """What the beginning of a file says for this format; ``None`` if nothing does. Must not raise."""
        return None

    def detect(self, source: Source) -> Match | None:
        return best_match(self.evidence(source, path) for path in source.match(*self.patterns)[:LOOKED_AT])

    def inputs(self, context: ReadContext) -> Sequence[tuple[str, str | None]]:
        """The documents to read, each with the split it stands for, in a stable order.

        By default those that speak for the format, or all if none does, without a split.
        """
        paths = context.source.match(*self.patterns)
        return [(path, None) for path in [p for p in paths if self.evidence(context.source, p)] or paths]

    @abstractmethod
    def parse(self, data: bytes, path: str, context: ReadContext) -> Content:
        """A document taken apart, without decoding its records. Raises LabelglotError if it is unreadable as a whole."""

    def folders(self, path: str, split: str | None) -> Sequence[str]:
        """Where the images of a document may lie besides its own folder; what ``decode`` gives to ``context.place``."""
        return ()

    def load(self, path: str, context: ReadContext) -> Content:
        """The content of a document. Override to take it in pieces, without holding the whole file."""
        return self.parse(context.source.read(path), path, context)

    @abstractmethod
    def decode(
        self, record: Any, path: str, split: str | None, shared: Any, context: ReadContext, report: Report
    ) -> Sample | None:
        """The sample of one record of the document at ``path``; ``None`` and a problem if nothing can be made of it."""

    def document_path(self, split: str | None, context: WriteContext) -> str:
        """File that holds a split."""
        return context.document(f"{split or 'annotations'}{self.documents[0]}", per_split=True)

    @abstractmethod
    def encode_record(self, sample: Sample, context: WriteContext, ordinal: int) -> bytes:
        """The record of one sample. ``separator`` is put between records."""

    @abstractmethod
    def frame(self, split: str | None, context: WriteContext) -> tuple[bytes, bytes]:
        """What stands before the first and after the last record of a split's document."""

    def read(self, context: ReadContext) -> Dataset:
        records: list[tuple[int, Any]] = []
        opened: list[tuple[str, str | None, Any]] = []
        tables: list[Sequence[Label | str] | None] = []
        info: Info | None = None
        names: list[tuple[str, str, Sequence[str]]] = []
        for path, split in self.inputs(context):
            try:
                content = self.load(path, context)
            except LabelglotError as error:
                context.report.problem(
                    f"{self.id}.document", str(error), error.place or path, severity="error", action="skipped"
                )
                continue
            records += [(len(opened), record) for record in content.records]
            opened.append((path, split, content.shared))
            tables.append(content.labels)
            around = self.folders(path, split)
            names += [(path.rpartition("/")[0], name, around) for name in content.names]
            info = info or content.info
        if not opened:
            raise LabelglotError(f"no {self.name} document in it can be read", context.source.where)
        context.reserve(names)
        labels = merge_labels(table for table in tables if table is not None)
        return Dataset(
            Records(records, _RecordDecoder(self, context, opened)), labels, info, labels_complete=None not in tables
        )

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece | Problem]:
        yield Piece(self.document_path(sample.split, context), self.encode_record(sample, context, ordinal))

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        splits: dict[str, str | None] = {}
        for split in context.splits or (None,):
            splits.setdefault(self.document_path(split, context), split)
        for path, split in splits.items():
            yield File(path, self._document(path, split, context, pieces))

    def _document(self, path: str, split: str | None, context: WriteContext, pieces: Pieces) -> Iterator[bytes]:
        before, after = self.frame(split, context)
        yield before
        yield from pieces.stream(path)
        yield after


class _RecordDecoder:
    def __init__(self, format: Document, context: ReadContext, opened: Sequence[tuple[str, str | None, Any]]) -> None:
        self.format, self.context, self.opened = format, context, opened

    def __call__(self, record: tuple[int, Any], ordinal: int, report: Report) -> Sample | None:
        path, split, shared = self.opened[record[0]]
        try:
            sample = self.format.decode(record[1], path, split, shared, self.context, report)
        except LabelglotError as error:
            report.problem(
                f"{self.format.id}.record", error.message, error.place or path, severity="error", action="skipped"
            )
            return None
        return None if sample is None else in_pixels(sample)


__all__ = ["Content", "Document"]
