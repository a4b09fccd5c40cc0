"""What chunks hand to the process that assembles: files, images, and pieces of documents in the order of chunks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from labelglot.engine.chunk import Receipt
from labelglot.engine.executor import Poisoned
from labelglot.engine.output import collision
from labelglot.formats.base import Format
from labelglot.images import SourceImage
from labelglot.report import Problem, Report
from labelglot.storage import Target


class PieceStore:
    """Pieces of documents in chunk order, in memory or in files. ``seen``: folders of splits in order of appearance;
    ``images``: where the images written come from.
    """

    def __init__(self) -> None:
        self.parts: dict[tuple[str, str], list[bytes | tuple[str, int, int]]] = {}
        self.seen: dict[str, None] = {}
        self.images: dict[str, str] = {}
        self.separator = b""

    def add(self, receipt: Receipt, separator: bytes) -> None:
        self.separator = separator
        for folder in receipt.folders:
            self.seen.setdefault(folder)
        for slot, data in receipt.pieces:
            self.parts.setdefault(slot, []).append(data)
        offset = 0
        for slot, length in receipt.lengths:
            self.parts.setdefault(slot, []).append((str(receipt.spool), offset, length))
            offset += length

    def folders(self, split: bool) -> Iterator[tuple[str, dict[str, Iterable[bytes]]]]:
        """Each folder that is a dataset of its own, with the streams of its slots; one, the root, unless ``split``.

        The root, too, if no image could be written at all: classes may be left, and an empty dataset can be read.
        """
        for folder in (self.seen or ("",)) if split else ("",):
            yield folder, {
                slot: _Stream(parts, self.separator) for (place, slot), parts in self.parts.items() if place == folder
            }


class _Stream:
    def __init__(self, parts: Sequence[bytes | tuple[str, int, int]], separator: bytes) -> None:
        self.parts, self.separator = parts, separator

    def __iter__(self) -> Iterator[bytes]:
        first = True
        for part in self.parts:
            if not (part if isinstance(part, bytes) else part[2]):
                continue
            if not first and self.separator:
                yield self.separator
            first = False
            if isinstance(part, bytes):
                yield part
                continue
            name, offset, length = part
            with Path(name).open("rb") as stream:
                stream.seek(offset)
                while length:
                    block = stream.read(min(length, 1 << 20))
                    length -= len(block)
                    yield block


def take(receipt: Any, place: Target, store: PieceStore, report: Report, writer: Format) -> None:
    """Bring what came of a chunk into the target, and keep its pieces for later."""
    if isinstance(receipt, Poisoned):
        report.add_problem(
            Problem(
                "worker.died",
                f"sample {receipt.ordinal} (counted from 0): {receipt.message}",
                "error",
                action="skipped",
            )
        )
        return
    report.merge(receipt.report)
    for path, data in receipt.files:
        place.write(path, data)
    for copy in receipt.images:
        image = copy.image
        origin = f"{image.source.where}/{image.path}" if isinstance(image, SourceImage) else None
        if place.has(copy.path):
            if origin is not None and store.images.get(copy.path, origin) != origin:
                collision(copy, report)
            continue
        if origin is not None:
            store.images[copy.path] = origin
        if isinstance(copy.image, SourceImage):
            place.copy_from(copy.path, copy.image.source, copy.image.path)
        else:
            with copy.image.open() as stream:
                place.write(copy.path, iter(lambda: stream.read(1 << 20), b""))
    store.add(receipt, writer.separator)
