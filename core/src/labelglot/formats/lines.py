"""Base of formats that are JSON Lines: one object per line, one line per image."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import msgspec
from labelglot.errors import LabelglotError
from labelglot.formats.base import (
    File,
    Format,
    Match,
    Piece,
    Pieces,
    ReadContext,
    WriteContext,
    image_size,
    in_pixels,
    seen_from,
)
from labelglot.report import Problem, Report
from labelglot.schema import Dataset, Label, Records, Sample, split_role
from labelglot.storage import Source
from labelglot.wire import json

ROLES = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})
"""Names of splits that a file can have so that its name is that of a split."""
HEAD = 1 << 16
PEEKED = 5
"""Lines that detection looks at."""


class Line(NamedTuple):
    """A line, encoded. ``place``: its file and number, counted from 1."""

    place: str
    data: bytes


class Lines(NamedTuple):
    """All lines that name one image, in files of one folder."""

    name: str
    folder: str
    split: str | None
    lines: list[Line]


class JsonLines(Format):
    """One object per line. Subclasses state ``image_key`` and write ``evidence``, ``decode_line``, ``encode_line``.

    ``image_key``: the field with the name of the image. A file is one split, named by :meth:`split_of`; lines of the
    same image in the same split are merged. ``several_lines``: it is usual that an image has several.
    """

    documents: ClassVar[tuple[str, ...]] = (".jsonl",)
    image_key: ClassVar[str]
    several_lines: ClassVar[bool] = False

    @abstractmethod
    def evidence(self, line: Mapping[str, Any]) -> Match | None:
        """How much a line looks like this format. Numbers may come as floats, and its end may be missing."""

    @abstractmethod
    def decode_line(
        self, line: dict[str, Any], sample: Sample, place: str, shared: Any, context: ReadContext, report: Report
    ) -> Sample | None:
        """``sample`` (path, uri, image, split of the file) with all that a line says."""

    def encode_line(self, sample: Sample, context: WriteContext, ordinal: int) -> Mapping[str, Any]:
        """The line of one sample."""
        raise NotImplementedError(f"{self.id} cannot be written")

    def encode_lines(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[Mapping[str, Any]]:
        """All lines of one sample, at least one."""
        yield self.encode_line(sample, context, ordinal)

    def merged(self, said: Sequence[Sample], place: str, report: Report) -> Sample:
        """One sample of what several lines say about the same image."""
        if not self.several_lines:
            report.problem(
                f"{self.id}.duplicate", f"{said[0].path} is on {len(said)} lines", place, severity="info",
                key=said[0].key, action="merged",
            )  # fmt: skip
        return _merged(said, place, self.id, report)

    def warnings(self, sample: Sample, context: WriteContext) -> Iterable[Problem]:
        """What a consumer will refuse of a sample."""
        return ()

    def split_of(self, path: str) -> str | None:
        """The split a file stands for: its name says it, or that of its folder."""
        folder, _, name = path.rpartition("/")
        stem = name.rpartition(".")[0]
        last = folder.rpartition("/")[2]
        return next((word for word in (stem, last) if split_role(word) is not None), None)

    def nameless(self, line: msgspec.Raw, place: str, report: Report) -> None:
        """A line that names no image: say so in ``report``."""
        report.problem(
            f"{self.id}.image", f'the line has no "{self.image_key}"', place, severity="error",
            raw=bytes(line).decode("utf-8", "replace"), action="skipped",
        )  # fmt: skip

    def table(self, found: Sequence[Lines], context: ReadContext) -> tuple[Sequence[Label | str] | None, Any]:
        """The class table (``None``: collected from the objects), and what decoding any line needs besides."""
        return None, None

    def document_path(self, split: str | None, context: WriteContext) -> str:
        """File that holds a split."""
        return context.document(f"{split or 'annotations'}{self.documents[0]}", per_split=True)

    def detect(self, source: Source) -> Match | None:
        best: Match | None = None
        for path in self._files(source)[:20]:
            for line in peek_lines(source, path):
                match = self.evidence(line)
                if match is not None and (best is None or match.confidence > best.confidence):
                    best = Match(match.confidence, f"{path}: {match.reason}")
        return best

    def _files(self, source: Source) -> Sequence[str]:
        return source.match(*(f"*{suffix}" for suffix in self.documents))

    def inputs(self, source: Source) -> Sequence[str]:
        """The files to read: those that look like this format, else all that might."""
        if source.focus is not None:
            return [source.focus]
        files = self._files(source)
        return [f for f in files if any(self.evidence(line) for line in peek_lines(source, f))] or files

    def read(self, context: ReadContext) -> Dataset:
        merged: dict[tuple[str | None, str], Lines] = {}
        opened = 0
        for path in self.inputs(context.source):
            try:
                data = context.source.read(path)
            except LabelglotError as error:
                context.report.problem(
                    f"{self.id}.document", str(error), path, severity="error", action="skipped"
                )  # fmt: skip
                continue
            opened += 1
            split, folder = self.split_of(path), path.rpartition("/")[0]
            for line, name in self._lines(data, path, context.report):
                path_of = seen_from(folder, name)
                merged.setdefault((split, path_of or name), Lines(name, folder, split, [])).lines.append(line)
        if not opened:
            raise LabelglotError(f"no {self.name} file in it can be read", context.source.where)
        found = list(merged.values())
        context.reserve(((record.folder, record.name) for record in found), addresses=self.holds)
        labels, shared = self.table(found, context)
        dataset = Dataset(Records(found, _Decoder(self, context, shared)), labels or ())
        return dataset if labels is not None else dataset.replace(labels_complete=False)

    def _lines(self, data: bytes, path: str, report: Report) -> Iterator[tuple[Line, str]]:
        named = msgspec.defstruct("Named", [("name", str | None, msgspec.field(default=None, name=self.image_key))])
        decode = msgspec.json.Decoder(named).decode
        for number, text in enumerate(json.unmark(data).split(b"\n"), 1):
            text = text.strip()
            if not text:
                continue
            place = f"{path}:{number}"
            try:
                found: Any = decode(text)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                found = json.load_item(msgspec.Raw(text), named, place, report, f"{self.id}.line")
            if found is None:
                continue
            if found.name:
                yield Line(place, text), found.name
            else:
                self.nameless(msgspec.Raw(text), place, report)

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece | Problem]:
        yield from self.warnings(sample, context)
        lines = b"".join(json.dump(line) + b"\n" for line in self.encode_lines(sample, context, ordinal))
        yield Piece(self.document_path(sample.split, context), lines)

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        paths = [self.document_path(split, context) for split in context.splits or (None,)]
        for path in dict.fromkeys([*paths, *pieces.slots()]):
            yield File(path, pieces.stream(path))

    def fitting_size(self, stated: tuple[int, int] | None, sample: Sample, place: str, report: Report) -> tuple[int, int] | None:
        """The size of the image itself if it is at hand, else the stated one; a difference is a problem."""
        real = None if sample.image is None else image_size(sample.image)
        if real is not None and stated is not None and real != stated:
            report.problem(
                f"{self.id}.size", f"the image is {real[0]} x {real[1]}, not {stated[0]} x {stated[1]}", place,
                key=sample.key, action="the size of the image is used",
            )  # fmt: skip
        return real or stated


class _Decoder:
    def __init__(self, format: JsonLines, context: ReadContext, shared: Any) -> None:
        self.format, self.context, self.shared = format, context, shared

    def __call__(self, record: Lines, ordinal: int, report: Report) -> Sample | None:
        said: list[Sample] = []
        for line in record.lines:
            try:
                sample = self._decode(record, line, report)
            except LabelglotError as error:
                report.problem(
                    f"{self.format.id}.line", error.message, error.place or line.place, severity="error",
                    action="skipped",
                )  # fmt: skip
                continue
            if sample is not None:
                said.append(sample)
        if not said:
            return None
        return in_pixels(said[0] if len(said) == 1 else self.format.merged(said, record.lines[1].place, report))

    def _decode(self, record: Lines, line: Line, report: Report) -> Sample | None:
        where = self.context.place(record.name, record.folder)
        splits = () if record.split is None else (record.split,)
        sample = Sample(path=where.path, uri=where.uri, image=where.image, splits=splits)
        value = json.load(line.data, line.place, dict[str, Any])
        return self.format.decode_line(value, sample, line.place, self.shared, self.context, report)


def _merged(said: Sequence[Sample], place: str, owner: str, report: Report) -> Sample:
    first = said[0]
    if any(other.splits != first.splits for other in said):
        listed = ", ".join(dict.fromkeys("+".join(s.splits) or "none" for s in said))
        report.problem(
            f"{owner}.split", f"{first.path} is in several splits: {listed}", place, key=first.key,
            action="the first is used",
        )  # fmt: skip
    bags: dict[str, Any] = {}
    for sample in said:
        for name, bag in sample.extra.items():
            bags[name] = {**bags.get(name, {}), **bag}
    looked = [a for sample in said for a in sample.annotations or ()]
    return first.replace(
        size=next((s.size for s in said if s.size is not None), None),
        tags=tuple(tag for sample in said for tag in sample.tags),
        annotations=None if all(s.annotations is None for s in said) else tuple(looked),
        attributes={name: value for sample in reversed(said) for name, value in sample.attributes.items()},
        extra=bags,
    )


def peek_lines(source: Source, path: str) -> Iterator[Mapping[str, Any]]:
    """The objects on the first lines of a file, as far as they are in its first bytes; for detection."""
    texts = json.unmark(source.head(path, HEAD)).split(b"\n")
    for text in [text for text in texts if text.strip()][:PEEKED]:
        value = json.peek(text)
        if not isinstance(value, dict):
            return
        yield value


__all__ = ["ROLES", "JsonLines", "Line", "Lines", "peek_lines"]
