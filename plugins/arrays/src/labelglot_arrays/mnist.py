"""MNIST's IDX files: grey pixels in one file, a byte per label in another, names in a list beside them.

Names and sizes of images, where they are not those of MNIST, stand in a third file, as Datumaro writes it.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from labelglot.errors import LabelglotError
from labelglot.images import is_image
from labelglot.plugin import (
    Dataset,
    File,
    Format,
    Holds,
    IndexEntry,
    Label,
    LabelHolds,
    Match,
    Naming,
    Piece,
    Pieces,
    Problem,
    ReadContext,
    Records,
    Report,
    Sample,
    Source,
    Tag,
    TagHolds,
    WriteContext,
    make_labels,
    split_role,
    under,
)
from labelglot.storage import Packed, packing, random_access, safe_relative
from labelglot.wire.text import LINE, lines

from labelglot_arrays.pixels import PixelImage, length, needed, pixels_of

LABELS = "labels.txt"
NO_LABEL = 255
NAME = 32
"""Characters of each of the three texts of an image in the meta file, four bytes each."""

UNSPLIT = "unsplit"
_FILE = re.compile(r"(?P<stem>.*?)[-.](?P<what>images|labels)[-.]idx(?P<dims>[13])[-.]ubyte(?P<gz>\.gz)?")
_MAGIC = {"images": b"\0\0\x08\x03", "labels": b"\0\0\x08\x01"}
_SPLIT_NAMES = r"(?!(?i:t10k|unsplit)$)(?!.*[-.](?:images|labels)[-.])\w(?:[\w .+()-]*[\w+()-])?"


class Part(NamedTuple):
    """The files of one split."""

    folder: str
    stem: str
    images: str | None = None
    labels: str | None = None
    meta: str | None = None


class Item(NamedTuple):
    """An image: its name, its place in the file of its split, its size and label."""

    name: str
    file: str | None
    packed: Packed
    offset: int
    size: tuple[int, int]
    label: str | None
    split: str | None


class Mnist(Format):
    """One class and one grey picture per image."""

    id = "mnist"
    name = "MNIST (IDX)"
    url = "http://yann.lecun.com/exdb/mnist/"
    embeds_images = True
    holds = Holds(
        labels=LabelHolds(ids="index", names=LINE), tags=TagHolds(labels="one"), images=True, splits="any",
        split_names=_SPLIT_NAMES, naming=Naming(scope="split", pattern=r"[^\x00-\x1f\x7f\ud800-\udfff]{1,27}"),
    )  # fmt: skip

    def detect(self, source: Source) -> Match | None:
        for name in source.files():
            what = _FILE.fullmatch(name.rpartition("/")[2])
            if what is not None and _head(source, name) == _MAGIC[what["what"]]:
                return Match(0.95, f"{name} is an IDX file of {what['what']}")
        return None

    def read(self, context: ReadContext) -> Dataset:
        parts = _parts(context.source)
        if not parts:
            raise LabelglotError("no IDX files of images or labels in it", context.source.where)
        given = _names(context.source)
        items: list[Item] = []
        seen: set[int] = set()
        taken: set[tuple[str | None, str]] = set()
        for part in parts:
            try:
                for item, number in _items(part, context):
                    key = (item.split, item.name)
                    if key in taken:
                        item = item._replace(name=under(part.folder or part.stem, item.name))
                    taken.add((item.split, item.name))
                    items.append(item)
                    if number is not None:
                        seen.add(number)
            except LabelglotError as error:
                context.report.problem(
                    f"{self.id}.file", error.message, error.place or part.images, severity="error", action="skipped"
                )
        most = max((*seen, -1))
        if given is None:
            given = {i: str(i) for i in range(max(10, most + 1))}
        elif most > max(given, default=-1):
            message = f"label {most} is not among the {len(given)} names"
            context.report.problem(f"{self.id}.label", message, action="called by their numbers")
        numbers = sorted({*given, *seen})
        labels = make_labels(Label(key=n, name=n, id=i) for i in numbers for n in [given.get(i, f"class_{i}")])
        keys = {str(label.id): label.key for label in labels}
        items = [i._replace(label=keys[i.label]) if i.label is not None else i for i in items]
        return Dataset(Records(items, _Decode(context.source), _Listing(items)), labels)

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[Piece | Problem]:
        data, (width, height), lost = pixels_of(needed(sample.image), "gray", self.id)
        label = next((tag.label for tag in sample.tags if tag.label is not None), None)
        number = NO_LABEL if label is None else context.index[label]
        if label is not None and number >= NO_LABEL:
            raise LabelglotError(f"a byte holds {NO_LABEL} classes, and this is number {number}")
        stem = _stem(sample.split)
        yield Piece(f"{stem}#images", data)
        yield Piece(f"{stem}#labels", bytes([number]))
        yield Piece(f"{stem}#sizes", struct.pack(">II", width, height))
        texts = (sample.path, str(height), str(width))
        yield Piece(f"{stem}#meta", b"".join(text.encode("utf-32-le").ljust(4 * NAME, b"\0") for text in texts))
        if lost is not None:
            yield lost

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        for split in context.splits or (None,):
            stem = _stem(split)
            sizes = {size for chunk in _cut(pieces.stream(f"{stem}#sizes"), 8) for size in [struct.unpack(">II", chunk)]}
            number = sum(map(len, pieces.stream(f"{stem}#labels")))
            width, height = next(iter(sizes)) if len(sizes) == 1 else (28, 28)
            yield File(f"{stem}-images-idx3-ubyte.gz", _gzip(_idx(3, (number, height, width), pieces.stream(f"{stem}#images"))))
            yield File(f"{stem}-labels-idx1-ubyte.gz", _gzip(_idx(1, (number,), pieces.stream(f"{stem}#labels"))))
            named = (_text(meta[: 4 * NAME]) for meta in _cut(pieces.stream(f"{stem}#meta"), 12 * NAME))
            if len(sizes) > 1 or any(name != _default(i) for i, name in enumerate(named)):
                yield File(f"{stem}-meta.gz", _gzip(pieces.stream(f"{stem}#meta")))
        yield File(LABELS, "".join(f"{label.name}\n" for label in context.labels).encode())


class _Decode:
    def __init__(self, source: Source) -> None:
        self.source = source

    def __call__(self, record: Item, ordinal: int, report: Report) -> Sample:
        image = None
        if record.file is not None:
            args = (record.file, record.offset, record.size, record.name)
            image = PixelImage(self.source, *args, "gray", record.packed)
        return Sample(
            path=record.name, image=image, size=record.size if image else None, annotations=(),
            splits=(record.split,) if record.split else (), tags=(Tag(label=record.label),) if record.label else (),
        )  # fmt: skip


class _Listing:
    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items

    def __call__(self) -> Iterator[IndexEntry]:
        for item in self.items:
            splits = (item.split,) if item.split else ()
            counts = {item.label: 1} if item.label else {}
            yield IndexEntry(item.name, splits, item.size if item.file else None, None, 0, counts)


def _stem(split: str | None) -> str:
    return UNSPLIT if split is None else "t10k" if split == "test" else split


def _split(stem: str) -> str | None:
    """``t10k`` is the test split; EMNIST's ``emnist-letters-train`` is a training split."""
    if stem in (UNSPLIT, ""):
        return None
    if stem.endswith("t10k"):
        return "test"
    return next((word for word in (stem, stem.rpartition("-")[2]) if split_role(word) is not None), stem)


def _default(number: int) -> str:
    return f"{number:05d}.png"


def _head(source: Source, name: str) -> bytes:
    head = source.head(name, 512)
    if packing(head) == "gzip":
        try:
            return zlib.decompressobj(31).decompress(head, 4)
        except zlib.error:
            return b""
    return head[:4]


def _parts(source: Source) -> list[Part]:
    """The files of each split. A single file that was named brings the others of its split."""
    found: dict[tuple[str, str], Part] = {}
    for name in source.companions():
        folder, _, base = name.rpartition("/")
        what = _FILE.fullmatch(base)
        if what is not None and _head(source, name) == _MAGIC[what["what"]]:
            key = (folder, what["stem"])
            part = found.setdefault(key, Part(*key))
            found[key] = part._replace(images=name) if what["what"] == "images" else part._replace(labels=name)
    for key, part in found.items():
        meta = under(part.folder, f"{part.stem}-meta.gz")
        found[key] = part._replace(meta=meta if source.exists(meta) else None)
    parts = [found[key] for key in sorted(found)]
    return [p for p in parts if source.focus is None or source.focus in (p.images, p.labels)]


def _content(source: Source, path: str) -> bytes:
    """All of a small file, unpacked if it is packed, whatever its name says."""
    access = random_access(source, path, "gzip" if packing(source.head(path, 2)) == "gzip" else "")
    with access.stream as stream:
        return stream.read()


def _items(part: Part, context: ReadContext) -> Iterator[tuple[Item, int | None]]:
    """The images of a split, each with the number of its label. Counts in headers are not believed."""
    source, report = context.source, context.report
    split = _split(part.stem)
    numbers = b"" if part.labels is None else _content(source, part.labels)[8:]
    metas = [] if part.meta is None else list(_cut(iter([_content(source, part.meta)]), 4 * NAME))
    packed: Packed = ""
    total = rows = columns = 0
    if part.images is not None:
        packed = "gzip" if packing(source.head(part.images, 2)) == "gzip" else ""
        access = random_access(source, part.images, packed)
        with access.stream as stream:
            header = stream.read(16)
        if len(header) < 16:
            raise LabelglotError("the file ends in its header", part.images)
        _, rows, columns = struct.unpack(">III", header[4:])
        total = access.size - 16
        if access.damage:
            report.problem("mnist.file", access.damage, part.images, severity="error", action="read as far as it goes")
    texts = _texts(metas, len(numbers), report, part.meta or "")
    offset, i, pictures = 16, 0, 0
    while True:
        name, size = texts[i] if i < len(texts) else (None, None)
        size = size or (columns, rows)
        step = length(size, "gray")
        whole = part.images is not None and 0 < step <= total + 16 - offset and (part.labels is None or i < len(numbers))
        if not whole and i >= len(numbers):
            break
        number = numbers[i] if i < len(numbers) else NO_LABEL
        item = Item(
            name or _default(i), part.images if whole else None, packed, offset, size,
            None if number == NO_LABEL else str(number), split,
        )  # fmt: skip
        yield item, None if number == NO_LABEL else number
        offset, i, pictures = offset + step if whole else offset, i + 1, pictures + whole
    if pictures < i and part.images is not None:
        message = f"{pictures} images and {i} labels"
        report.problem("mnist.count", message, part.labels, severity="error", action="read without image")
    if part.images is not None and total + 16 - offset:
        message = f"{total + 16 - offset} bytes are more than the images with labels take"
        report.problem("mnist.length", message, part.images, severity="error", action="not read")


def _texts(
    metas: Sequence[bytes], number: int, report: Report, place: str
) -> list[tuple[str | None, tuple[int, int] | None]]:
    """Name and size of each image from the meta file, which has one, two or three texts for each."""
    if not metas or not number:
        return []
    each, rest = divmod(len(metas), number)
    if rest or each not in (1, 2, 3):
        report.problem("mnist.meta", f"{len(metas)} texts for {number} images", place, action="not used")
        return []
    rows = [[_text(meta) for meta in metas[i : i + each]] for i in range(0, len(metas), each)]
    names = [_name(row[0]) if each != 2 else None for row in rows]
    if not any(name and is_image(name) for name in names):
        names = [name and f"{name}.png" for name in names]
    if len(set(names)) != len(names) and any(names):
        report.problem("mnist.meta", "names are missing or repeated in it", place, action="numbered")
        names = [None] * len(names)
    sizes = [(row[-1], row[-2]) if each > 1 else ("", "") for row in rows]
    known = [
        (int(w), int(h)) if w.isdecimal() and h.isdecimal() and len(w + h) < 12 and int(w) and int(h) else None
        for w, h in sizes
    ]  # fmt: skip
    return list(zip(names, known, strict=True))


def _name(text: str) -> str | None:
    try:
        return safe_relative(text)
    except LabelglotError:
        return None


def _text(data: bytes) -> str:
    return data.decode("utf-32-le", "replace").rstrip("\0")


def _names(source: Source) -> dict[int, str] | None:
    """The list of names, or EMNIST's table of numbers and characters."""
    for path in source.companions():
        base = path.rpartition("/")[2].lower()
        if base == LABELS:
            return dict(enumerate(line for _, line in lines(source.read(path, 1 << 20))))
        if base.endswith("mapping.txt"):
            rows = [line.split() for _, line in lines(source.read(path, 1 << 20))]
            if rows and all(len(row) >= 2 and all(cell.isdecimal() and len(cell) < 6 for cell in row) for row in rows):
                return {int(row[0]): chr(int(row[1])) for row in rows}
    return None


def _cut(stream: Iterator[bytes], step: int) -> Iterator[bytes]:
    """A stream in pieces of one length; what is left at the end is dropped."""
    rest = b""
    for block in stream:
        rest += block
        whole = len(rest) - len(rest) % step
        yield from (rest[i : i + step] for i in range(0, whole, step))
        rest = rest[whole:]


def _idx(dims: int, shape: Sequence[int], stream: Iterator[bytes]) -> Iterator[bytes]:
    yield bytes([0, 0, 8, dims]) + struct.pack(f">{dims}I", *shape)
    yield from stream


def _gzip(stream: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes each time: the header holds no name and no time."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    for block in stream:
        yield packer.compress(block)
    yield packer.flush()


__all__ = ["Mnist"]
