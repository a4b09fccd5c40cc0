"""CIFAR-10 and CIFAR-100 as pickles for Python. They are read without running them."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from labelglot.errors import LabelglotError
from labelglot.images import LazyImage
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
from labelglot.storage import clean_foreign, safe_relative
from labelglot.wire.text import LINE

from labelglot_arrays import pickles
from labelglot_arrays.pixels import PixelImage, length, needed, pixels_of

METAS = ("batches.meta", "meta")
TEN = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIDE = 32
PARENTS = "fine_label_parents"
"""Our own field of CIFAR-100's meta: the number of the coarse class of each fine one, also of those without image."""

_FOLDERS = ("cifar-10-batches-py", "cifar-100-python")
_ORIGINAL = ("train", "test")


class Item(NamedTuple):
    """An image: its name, its pixels in the file, its size, fine and coarse number, split."""

    name: str
    file: str
    offset: int | None
    size: tuple[int, int]
    fine: int | None
    coarse: int | None
    split: str | None
    label: str | None = None
    pixels: bytes | None = None


class Cifar(Format):
    """One class, with the class above it if there are such, and one picture per image."""

    id = "cifar"
    name = "CIFAR-10 / CIFAR-100 (Python)"
    aliases = ("cifar10", "cifar100")
    url = "https://www.cs.toronto.edu/~kriz/cifar.html"
    embeds_images = True
    holds = Holds(
        labels=LabelHolds(ids="index", names=LINE, parent=True), tags=TagHolds(labels="one"), images=True,
        splits=frozenset({"train", "val", "test"}), naming=Naming(scope="split"),
    )  # fmt: skip

    def detect(self, source: Source) -> Match | None:
        for name in source.files():
            base = name.rpartition("/")[2]
            if base in METAS and _is_pickle(source, name) and b"label_names" in source.head(name):
                return Match(0.95, f"{name} is a pickle of CIFAR's names")
            if base.startswith("data_batch_") and _is_pickle(source, name):
                return Match(0.8, f"{name} is a pickle called like a batch of CIFAR-10")
        return None

    def read(self, context: ReadContext) -> Dataset:
        source, report = context.source, context.report
        batches = [name for name in source.files() if _is_batch(source, name)]
        meta = _meta(context)
        items: list[Item] = []
        for name in batches:
            try:
                items += _items(name, source, report)
            except LabelglotError as error:
                report.problem(f"{self.id}.batch", error.message, error.place or name, severity="error", action="skipped")
        if not batches:
            raise LabelglotError("no batch of CIFAR in it", source.where)
        labels = _labels(meta, items, report)
        keys = {label.id: label.key for label in labels}
        named = [item._replace(label=keys.get(item.fine)) for item in _unique(items)]
        return Dataset(Records(named, _Decode(source), _Listing(named)), labels)

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[Piece | Problem]:
        data, (width, height), lost = pixels_of(needed(sample.image), "planes", self.id)
        label = next((tag.label for tag in sample.tags if tag.label is not None), None)
        file = _file(sample.split, context)
        yield Piece(f"{file}#data", data)
        yield Piece(f"{file}#sizes", struct.pack(">II", width, height))
        yield Piece(f"{file}#names", pickles.text(sample.path))
        yield Piece(f"{file}#labels", pickles.number(None if label is None else context.index[label]))
        if _coarse(context):
            parent = None if label is None else context.by_key[label].parent
            yield Piece(f"{file}#coarse", pickles.number(None if parent is None else _coarse(context).index(parent)))
        if lost is not None:
            yield lost

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        for split in context.splits or (None,):
            yield File(_file(split, context), _batch(_file(split, context), split, context, pieces))
        names = pickles.sequence([pickles.text(label.name) for label in context.labels])
        coarse = _coarse(context)
        if not coarse:
            values = {"label_names": names, "num_vis": pickles.number(3 * SIDE * SIDE)}
            yield File(f"{_FOLDERS[0]}/{METAS[0]}", b"".join(_dictionary(values)))
            return
        above = [pickles.number(None if p is None else coarse.index(p)) for p in (label.parent for label in context.labels)]
        listed = pickles.sequence(list(map(pickles.text, coarse)))
        values = {"fine_label_names": names, "coarse_label_names": listed, PARENTS: pickles.sequence(above)}
        yield File(f"{_FOLDERS[1]}/{METAS[1]}", b"".join(_dictionary(values)))


class _Decode:
    def __init__(self, source: Source) -> None:
        self.source = source

    def __call__(self, record: Item, ordinal: int, report: Report) -> Sample:
        image: Any = None
        if record.offset is not None:
            image = PixelImage(self.source, record.file, record.offset, record.size, record.name, "planes")
        elif record.pixels is not None:
            image = LazyImage(record.name, partial(_png, record.pixels, record.size))
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
            yield IndexEntry(item.name, splits, item.size, None, 0, counts)


def _png(pixels: bytes, size: tuple[int, int]) -> bytes:
    import io

    import numpy as np
    from PIL import Image

    out = io.BytesIO()
    planes = np.frombuffer(pixels, dtype=np.uint8).reshape(3, size[1], size[0]).transpose(1, 2, 0)
    Image.fromarray(np.ascontiguousarray(planes)).save(out, "PNG")
    return out.getvalue()


def _coarse(context: WriteContext) -> list[str]:
    """The classes above the classes, in order of first appearance."""
    return context.once(_coarse_names)


def _coarse_names(context: WriteContext) -> list[str]:
    return list(dict.fromkeys(label.parent for label in context.labels if label.parent is not None))


def _file(split: str | None, context: WriteContext) -> str:
    name = split or "unsplit"
    if _coarse(context):
        return f"{_FOLDERS[1]}/{name}"
    return f"{_FOLDERS[0]}/{'data_batch_1' if name == 'train' else f'{name}_batch'}"


def _batch(file: str, split: str | None, context: WriteContext, pieces: Pieces) -> Iterator[bytes]:
    """A batch as a dictionary; the pixels are not held in memory."""
    sizes = list(struct.iter_unpack(">II", b"".join(pieces.stream(f"{file}#sizes"))))
    fine = b"](" + b"".join(pieces.stream(f"{file}#labels")) + b"e"
    values: dict[str, bytes] = {"batch_label": pickles.text(f"{split or 'unsplit'} batch 1 of 1")}
    if _coarse(context):
        values |= {"fine_labels": fine, "coarse_labels": b"](" + b"".join(pieces.stream(f"{file}#coarse")) + b"e"}
    else:
        values["labels"] = fine
    values["filenames"] = b"](" + b"".join(pieces.stream(f"{file}#names")) + b"e"
    if any(size != (SIDE, SIDE) for size in sizes):
        values["image_sizes"] = pickles.sequence([pickles.number(h) + pickles.number(w) + b"\x86" for w, h in sizes])
    yield from _dictionary(values, end=b"")
    yield pickles.text("data")
    stream = pieces.stream(f"{file}#data")
    if all(size == (SIDE, SIDE) for size in sizes):
        step = length((SIDE, SIDE), "planes")
        yield pickles.array_head((len(sizes), step), len(sizes) * step)
        yield from stream
        yield pickles.ARRAY_END
    else:
        yield pickles.objects_head(len(sizes))
        rest = b""
        for width, height in sizes:
            step = length((width, height), "planes")
            while len(rest) < step:
                rest += next(stream)
            yield pickles.array_head((step,), step) + rest[:step] + pickles.ARRAY_END
            rest = rest[step:]
        yield pickles.OBJECTS_END
    yield b"u."


def _dictionary(values: Mapping[str, bytes], end: bytes = b"u.") -> Iterator[bytes]:
    yield b"\x80\x02}("
    for name, value in values.items():
        yield pickles.text(name) + value
    yield end


def _is_pickle(source: Source, name: str) -> bool:
    head = source.head(name, 2)
    return len(head) == 2 and head[0] == 0x80 and 2 <= head[1] <= 5


def _is_batch(source: Source, name: str) -> bool:
    base = name.rpartition("/")[2]
    return "." not in base and base not in METAS and _is_pickle(source, name)


def _split(file: str) -> str | None:
    base = file.rpartition("/")[2]
    base = base.removesuffix("_batch")
    if base.startswith("data_batch"):
        return "train"
    return base if split_role(base) is not None else None


def _meta(context: ReadContext) -> dict[str, Any]:
    """The names of the classes, by field; empty if they cannot be read."""
    for name in context.source.companions():
        if name.rpartition("/")[2] in METAS and _is_pickle(context.source, name):
            try:
                found = pickles.load(context.source.read(name), name)
            except LabelglotError as error:
                context.report.problem("cifar.meta", error.message, error.place, severity="error", action="not used")
                continue
            if isinstance(found, dict):
                return found
    return {}


def _texts(value: Any) -> list[str]:
    """A list of texts; what is none is called by its number."""
    listed = value if isinstance(value, list | tuple) else ()
    return [pickles.as_text(each) or f"class_{i}" for i, each in enumerate(listed)]


def _numbers(value: Any, number: int) -> list[int | None]:
    """Labels of so many images; ``None`` where there is none."""
    listed = value if isinstance(value, list | tuple) else []
    found = [n if isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 1 << 31 else None for n in listed]
    return [*found[:number], *[None] * (number - len(found))]


def _items(file: str, source: Source, report: Report) -> list[Item]:
    """The images of a batch."""
    batch = pickles.load(source.read(file), file)
    if not isinstance(batch, dict):
        raise LabelglotError("the pickle is no batch", file)
    names = batch.get("filenames")
    pixels = pickles.array(batch.get("data"))
    fine = batch.get("labels", batch.get("fine_labels"))
    lengths = {len(v) for v in (names, fine, batch.get("coarse_labels")) if isinstance(v, list)}
    places = list(_places(pixels, batch.get("image_sizes"), file, report))
    lengths.add(len(places))
    if len(lengths) > 1:
        message = f"it lists {', '.join(map(str, sorted(lengths)))} names, labels or images"
        report.problem("cifar.count", message, file, severity="error", action="missing ones are left out")
    number = len(places)
    texts = names if isinstance(names, list) else []
    fines, coarses = _numbers(fine, number), _numbers(batch.get("coarse_labels"), number)
    split = _split(file)
    items = []
    for i, (offset, size, raw) in enumerate(places):
        name = _name(pickles.as_text(texts[i]) if i < len(texts) else None) or f"{file.rpartition('/')[2]}_{i:05d}.png"
        items.append(Item(name, file, offset, size, fines[i], coarses[i], split, None, raw))
    return items


def _name(text: str | None) -> str | None:
    if not text:
        return None
    try:
        return safe_relative(text)
    except LabelglotError:
        return next(iter(clean_foreign(text)), None)


Found = tuple[int | None, tuple[int, int], bytes | None]


def _places(pixels: pickles.Array | None, sizes: Any, file: str, report: Report) -> Iterator[Found]:
    """Offset, size and, if they do not stand in the file as they are, pixels of each image."""
    if pixels is None:
        report.problem("cifar.data", "it has no array of pixels", file, severity="error", action="skipped")
        return
    given = [_size(size) for size in sizes] if isinstance(sizes, list | tuple) else []
    if isinstance(pixels.data, list):
        rows = pixels.shape[0] if len(pixels.shape) == 1 else 0
        data = pixels.data
        if len(pixels.shape) == 2 and pixels.shape[0] and len(data) == pixels.shape[0] * pixels.shape[1]:
            step = pixels.shape[1]
            chunks: list[Any] = [data[i : i + step] for i in range(0, len(data), step)] if step else []
        else:
            chunks = data[: rows or len(data)]
        for i, chunk in enumerate(chunks):
            yield _ragged(chunk, given[i] if i < len(given) else None, f"{file}#data[{i}]", report)
        return
    raw = pixels.data.data if isinstance(pixels.data, pickles.Blob) else pixels.data
    start = pixels.data.offset if isinstance(pixels.data, pickles.Blob) else None
    if len(pixels.shape) != 2 or pixels.type not in ("u1", "uint8", "|u1") or not pixels.shape[1]:
        message = f"an array of {pixels.type} of shape {pixels.shape} is no list of pictures"
        report.problem("cifar.data", message, file, severity="error", action="skipped")
        return
    step = pixels.shape[1]
    number = len(raw) // step
    if step != length((SIDE, SIDE), "planes") and number > len(given):
        message = f"rows of {step} bytes are no pictures of {SIDE} x {SIDE}"
        report.problem("cifar.data", message, file, severity="error", action="read as far as sizes are given")
        number = len(given)
    for i in range(number):
        size = (given[i] if i < len(given) else None) or (SIDE, SIDE)
        if length(size, "planes") != step:
            report.problem(
                "cifar.data", f"{step} bytes are no picture of {size[0]} x {size[1]}", f"{file}#data[{i}]",
                severity="error", action="kept without image",
            )  # fmt: skip
            yield None, size, None
        elif start is not None:
            yield start + i * step, size, None
        else:
            yield None, size, raw[i * step : (i + 1) * step]


def _ragged(value: Any, size: tuple[int, int] | None, place: str, report: Report) -> Found:
    """An image of its own, in an array of objects."""
    size = size or (SIDE, SIDE)
    inner = pickles.array(value)
    data: Any = inner.data if inner is not None else None
    if isinstance(value, list) and all(isinstance(v, int) and 0 <= v < 256 for v in value):
        data = bytes(value)
    wanted = length(size, "planes")
    if isinstance(data, pickles.Blob) and len(data.data) == wanted:
        return data.offset, size, None
    if isinstance(data, bytes) and len(data) == wanted:
        return None, size, data
    if value is not None:
        message = f"it is no picture of {size[0]} x {size[1]}"
        report.problem("cifar.data", message, place, severity="error", action="kept without image")
    return None, size, None


def _size(value: Any) -> tuple[int, int] | None:
    """(width, height) of the (height, width) that is written."""
    if not isinstance(value, list | tuple) or len(value) < 2:
        return None
    height, width = value[0], value[1]
    fine = isinstance(height, int) and isinstance(width, int) and 0 < height < 1 << 15 and 0 < width < 1 << 15
    return (width, height) if fine else None


def _labels(meta: Mapping[str, Any], items: Sequence[Item], report: Report) -> tuple[Label, ...]:
    """The classes of the meta file, each with the one above it, and those that only images know."""
    names = _texts(meta.get("label_names", meta.get("fine_label_names")))
    coarse = _texts(meta.get("coarse_label_names"))
    hundred = any(item.coarse is not None for item in items)
    if not names and not meta and not hundred:
        names = list(TEN)
    above: dict[int, int] = {}
    for item in items:
        if item.fine is not None and item.coarse is not None:
            above.setdefault(item.fine, item.coarse)
    above |= {i: n for i, n in enumerate(_numbers(meta.get(PARENTS), len(names))) if n is not None}
    used = {item.fine for item in items if item.fine is not None}
    further = sorted(number for number in used if number >= len(names))
    if further:
        message = f"class {further[0]} is not among the {len(names)} names"
        report.problem("cifar.label", message, action="called by their numbers, like class_0")

    def parent(number: int) -> str | None:
        at = above.get(number)
        return None if at is None else coarse[at] if at < len(coarse) else f"coarse_{at}"

    named = [*enumerate(names), *((number, f"class_{number}") for number in further)]
    return make_labels(Label(key=name, name=name, id=i, parent=parent(i)) for i, name in named)


def _unique(items: Iterable[Item]) -> Iterator[Item]:
    """Images of one name in a split are told apart by the batch they come from."""
    taken: set[tuple[str | None, str]] = set()
    for item in items:
        name, number = item.name, 1
        while (item.split, name) in taken:
            name = under(item.file.rpartition("/")[2] + ("" if number == 1 else f"_{number}"), item.name)
            number += 1
        taken.add((item.split, name))
        yield item._replace(name=name)


__all__ = ["Cifar"]
