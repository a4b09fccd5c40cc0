"""labelglot's own lossless format: JSON Lines, one header line, then one canonical line per sample.

The header is ``{"labelglot": 1, "labels": [...], "info": {...}, "provenance": [...]}``, with ``"images": "by-split"`` if
images lie beside the document, those of a split in a folder of its name: two splits may share a file name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
from labelglot.errors import LabelglotError
from labelglot.images import SourceImage
from labelglot.plugin import (
    EVERYTHING,
    Dataset,
    File,
    Format,
    IndexEntry,
    Info,
    Label,
    Match,
    Piece,
    Pieces,
    ReadContext,
    Report,
    Sample,
    Source,
    WriteContext,
    under,
)
from labelglot.schema import Step, from_plain, slices, to_plain
from labelglot.schema.canonical import VERSION, dumps

DOCUMENT = "dataset.labelglot.jsonl"
BY_SPLIT = "by-split"


class Labelglot(Format):
    """The canonical schema as a file."""

    id = "labelglot"
    name = "labelglot (canonical, lossless)"
    url = "https://pypi.org/project/labelglot/"
    documents = (".jsonl",)
    holds = EVERYTHING.replace(split_names=None)

    def detect(self, source: Source) -> Match | None:
        for name in source.match("*.jsonl"):
            if source.head(name, 64).lstrip(b"\xef\xbb\xbf").startswith(b'{"labelglot":'):
                return Match(0.99, f"{name} starts with a labelglot header")
        return None

    def read(self, context: ReadContext) -> Dataset:
        source = context.source
        names = [
            n
            for n in source.match("*.jsonl")
            if source.head(n, 64).lstrip(b"\xef\xbb\xbf").startswith(b'{"labelglot":')
        ]
        if not names:
            raise LabelglotError("no labelglot document in it", source.where)
        name = names[0]
        with source.open(name) as stream:
            header = _header(stream.readline(), name)
            offsets, place = [], stream.tell() if stream.seekable() else 0
            number = 1
            for line in stream:
                number += 1
                if line.strip():
                    offsets.append((number, place))
                place += len(line)
        labels = [from_plain(label, Label) for label in header.get("labels", [])]
        info = from_plain(header.get("info", {}), Info)
        provenance = [from_plain(step, Step) for step in header.get("provenance", [])]
        by_split = header.get("images") == BY_SPLIT
        return Dataset(_Lines(context, name, offsets, by_split=by_split), labels, info, provenance)

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece]:
        yield Piece("samples", dumps(sample) + b"\n")
        if sample.image is not None and context.images:
            yield Piece("images", b"")

    def image_path(self, sample: Sample, context: WriteContext) -> str | None:
        return _place(sample)

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        yield File(context.document(DOCUMENT), self._document(context, pieces))

    def _document(self, context: WriteContext, pieces: Pieces) -> Iterator[bytes]:
        header = {
            "labelglot": VERSION,
            "info": to_plain(context.info),
            "labels": [to_plain(label) for label in context.labels],
        }
        if "images" in pieces and context.single is None:
            header["images"] = BY_SPLIT
        yield msgspec.json.encode(header) + b"\n"
        yield from pieces.stream("samples")


def _place(sample: Sample) -> str:
    """Where the image of a sample lies."""
    if not sample.splits:
        return sample.path
    folder = quote("+".join(sample.splits), safe="+ ").replace(".", "%2E")
    if len(folder) > 100:
        folder = hashlib.sha256(folder.encode()).hexdigest()
    return under(folder, sample.path)


def _header(line: bytes, name: str) -> dict[str, Any]:
    try:
        header: dict[str, Any] = msgspec.json.decode(line.lstrip(b"\xef\xbb\xbf"), type=dict)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise LabelglotError(f"the header is not JSON: {error}", f"{name}:1") from error
    if not isinstance(header.get("labelglot"), int) or header["labelglot"] > VERSION:
        raise LabelglotError(
            f"written by a newer labelglot (version {header.get('labelglot')})", name, "upgrade labelglot"
        )
    return header


class _Lines:
    """The sample lines of a document: (line number, offset) of each, read consecutively."""

    def __init__(
        self, context: ReadContext, name: str, lines: Sequence[tuple[int, int]], ordinal: int = 0, by_split: bool = False
    ) -> None:
        self.context, self.name, self.lines, self.ordinal, self.by_split = context, name, lines, ordinal, by_split

    def __len__(self) -> int:
        return len(self.lines)

    def partitions(self, n: int) -> Sequence[_Lines]:
        return [_Lines(self.context, self.name, self.lines[a:b], a, self.by_split) for a, b in slices(len(self.lines), n)]

    def index(self) -> Iterator[IndexEntry] | None:
        return None

    def read(self, report: Report) -> Iterator[Sample]:
        with self.context.source.open(self.name) as stream:
            stream.seek(self.lines[0][1])
            for number, line in enumerate(stream, self.lines[0][0]):
                if number > self.lines[-1][0]:
                    break
                if line.strip():
                    sample = self._decode(line, number, report)
                    if sample is not None:
                        yield sample

    def _decode(self, line: bytes, number: int, report: Report) -> Sample | None:
        try:
            sample = from_plain(msgspec.json.decode(line), Sample)
        except (msgspec.MsgspecError, LabelglotError, UnicodeDecodeError, RecursionError) as error:
            report.problem("labelglot.line", str(error), f"{self.name}:{number}", severity="error", action="skipped")
            return None
        image: SourceImage | None
        if self.by_split:
            place = under(self.name.rpartition("/")[0], _place(sample))
            image = SourceImage(self.context.source, place) if place in self.context.images else None
        else:
            image = self.context.image(sample.path, ("images",))
        return sample if image is None else sample.replace(image=image)
