"""Documents that are held in memory: their images column by column, records made of them when they are asked for.

The columns are filled by a few looks at all annotations together; a record costs something only in the process that
decodes it.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

import msgspec
from labelglot.plugin import IndexEntry, ReadContext, Report
from labelglot.storage.paths import are_plain
from labelglot.wire import json

from labelglot_coco.annotation import ODD, Boxes, Classes
from labelglot_coco.grouping import BATCH, Grouped, group, joined
from labelglot_coco.records import (
    Image,
    Key,
    Opened,
    Part,
    PlainImage,
    Record,
    dangling,
    given_twice,
    identity,
    image_size_of,
    incomplete,
    plain_images,
    renumbered,
    unsafe,
)


class Document(NamedTuple):
    """A document taken apart: its fields still encoded but for the two long lists, ``None`` for one that is not there."""

    fields: dict[str, msgspec.Raw]
    images: list[msgspec.Raw] | None
    annotations: list[msgspec.Raw] | None


class _Usual(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    info: msgspec.Raw = msgspec.Raw()
    licenses: msgspec.Raw = msgspec.Raw()
    categories: msgspec.Raw = msgspec.Raw()
    images: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET
    annotations: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET


_usual = msgspec.json.Decoder(_Usual)


def take_apart(data: bytes, path: str) -> Document:
    """The parts of a document. Raises :class:`LabelglotError` if it is none."""
    try:
        found = _usual.decode(json.unmark(data))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        top = json.load_fields(data, path)
        images, annotations = (
            json.load_parts(top[name], f"{path}#{name}") if name in top else None for name in ("images", "annotations")
        )
        return Document(top, images, annotations)
    lists = (None if each is msgspec.UNSET else each for each in (found.images, found.annotations))
    fields = {name: raw for name in ("info", "licenses", "categories") if len(memoryview(raw := getattr(found, name)))}
    return Document(fields, *lists)


@dataclass(frozen=True, slots=True)
class Listing:
    """The images of one document, in order. ``order``, ``starts``, ``highest``: see :class:`~labelglot_coco.grouping.Grouped`.

    ``annotations``: all of the document, or what is wanted of them, image by image.
    """

    document: int
    split: str | None
    images: Sequence[msgspec.Raw] | Sequence[PlainImage]
    names: Sequence[str]
    paths: Sequence[str]
    ids: Sequence[int | str]
    sizes: Sequence[tuple[int, int] | None]
    annotations: Sequence[msgspec.Raw] | Boxes
    order: array[int]
    starts: array[int]
    highest: Sequence[int]

    def record(self, place: int) -> Record:
        """An image with its annotations."""
        start, stop = self.starts[place], self.starts[place + 1]
        mine = self.order[start:stop]
        listed = self.annotations
        annotations = listed.part(start, stop) if isinstance(listed, Boxes) else tuple([listed[i] for i in mine])
        return Record(self.images[place], self.names[place], self.paths[place], (Part(self.document, annotations, mine),))

    def keys(self) -> list[str]:
        """What tells the images from all others."""
        return list(self.paths) if self.split is None else [f"{self.split}:{path}" for path in self.paths]

    def entries(self) -> Iterator[IndexEntry]:
        """What is known of the images without decoding them."""
        splits = () if self.split is None else (self.split,)
        numbers = (b - a for a, b in zip(self.starts, self.starts[1:], strict=False))
        rows = zip(self.keys(), self.paths, self.sizes, numbers, self.ids, self.highest, strict=True)
        for key, path, size, number, id_, highest in rows:
            yield IndexEntry(key, path, splits, size, None, number, None, id_, highest)


class Listed(Sequence[Record]):
    """The images of several documents, or a range of them. A pickled one holds its records alone."""

    def __init__(self, listings: Sequence[Listing], start: int, stop: int) -> None:
        self.listings, self.start, self.stop = listings, start, stop
        self._begins = [0, *accumulate(len(listing.paths) for listing in listings)]

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            several = range(self.start, self.stop)[place]
            if several.step == 1:
                return Listed(self.listings, several.start, max(several.start, several.stop))
            return [self._record(i) for i in several]
        return self._record(range(self.start, self.stop)[place])

    def __iter__(self) -> Iterator[Record]:
        return map(self._record, range(self.start, self.stop))

    def _record(self, place: int) -> Record:
        number = bisect_right(self._begins, place) - 1
        return self.listings[number].record(place - self._begins[number])


def list_images(
    parts: Document, path: str, split: str | None, classes: Classes, number: int, context: ReadContext, only_boxes: bool
) -> tuple[Listing, Opened]:
    """The images of the ``number``-th document, with the annotations that name them.

    ``only_boxes``: nothing but class, box and id is wanted of objects. Where all of them are so plain that this can be
    told without a closer look, nothing is kept of the text of the document.
    """
    report = context.report
    raws: Sequence[msgspec.Raw] | Sequence[PlainImage] = parts.images or []
    images = json.load_listed(parts.images or [], Image, f"{path}#images", report, "coco.image")
    places = _usable(images, path, report)
    chosen: list[Image] = [images[place] for place in places]  # type: ignore[misc]
    ids: list[int | str] = [image.id for image in chosen]  # type: ignore[misc]
    names: list[str] = [image.name for image in chosen]  # type: ignore[misc]
    found, repeated = _annotations(parts.annotations or (), ids, path, context, only_boxes)
    annotations: Sequence[msgspec.Raw] | Boxes = parts.annotations or ()
    if found.boxes is not None:
        annotations = _with_odd(found.boxes, found.order, parts.annotations or (), classes)
        raws = _apart(parts.images or [])
    listing = Listing(
        number, split, raws if len(places) == len(raws) else [raws[place] for place in places], names,  # type: ignore[arg-type]
        _paths(names, places, path, report), ids, [image_size_of(image) for image in chosen], annotations, found.order,
        found.starts, found.highest,
    )  # fmt: skip
    return listing, Opened(
        path, split, classes, parts.annotations is not None, frozenset(repeated), found.numbered, len(names), found.categories
    )


def _apart(images: Sequence[msgspec.Raw]) -> Sequence[msgspec.Raw] | Sequence[PlainImage]:
    """Images that hold nothing of their document."""
    try:
        return plain_images(images)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return [image.copy() for image in images]


def _with_odd(boxes: Boxes, order: array[int], annotations: Sequence[msgspec.Raw], classes: Classes) -> Boxes:
    """The boxes with the text of all that need a closer look, those of unknown classes included."""
    unknown = frozenset(boxes.categories) - classes.keys.keys()
    marks = boxes.marks
    if unknown:
        marks = bytes(ODD if c in unknown else mark for c, mark in zip(boxes.categories, marks, strict=True))
    odd = {order[i]: bytes(annotations[order[i]]) for i, mark in enumerate(marks) if mark == ODD} if ODD in marks else {}
    return boxes._replace(marks=marks, odd=odd)


def _usable(images: Sequence[Image | None], path: str, report: Report) -> Sequence[int]:
    """Places of the images that have an id, which no earlier one has, and a name."""
    if (
        all(image is not None and image.file_name and image.id is not None for image in images)
        and len({image.id for image in images}) == len(images)  # type: ignore[union-attr]
    ):
        return range(len(images))
    order: dict[int | str, int] = {}
    for position, image in enumerate(images):
        if image is None:
            continue
        place = f"{path}#images[{position}]"
        if image.id is None or not image.name:
            incomplete(image, place, report)
        elif image.id in order:
            first = images[order[image.id]]
            given_twice(image, first is not None and first.name == image.name, place, report)
        else:
            order[image.id] = position
    return list(order.values())


def _paths(names: list[str], places: Sequence[int], path: str, report: Report) -> list[str]:
    """The paths that the names of images stand for; the names themselves, where nothing is wrong with any."""
    if are_plain(names):
        return names
    found = []
    for name, place in zip(names, places, strict=True):
        inside, foreign = identity(name)
        if foreign is not None:
            unsafe(foreign, inside, f"{path}#images[{place}]", report)
        found.append(inside)
    return found


def _annotations(
    annotations: Sequence[msgspec.Raw], ids: Sequence[int | str], path: str, context: ReadContext, only_boxes: bool
) -> tuple[Grouped, set[int]]:
    """The annotations of each image, and the places of those whose id an earlier one has."""
    plain = group(annotations, ids, context.spread, context.processes, only_boxes)
    return (plain, set()) if plain is not None else _group_closely(annotations, ids, path, context.report)


def _group_closely(
    annotations: Sequence[msgspec.Raw], ids: Collection[int | str], path: str, report: Report
) -> tuple[Grouped, set[int]]:
    """The same one by one, with a problem for each annotation that has none or no good ids."""
    members: dict[int | str, list[int]] = {id_: [] for id_ in ids}
    highest: dict[int | str, int] = {}
    repeated: set[int] = set()
    seen: set[int | str] = set()
    numbered = True
    for start in range(0, len(annotations), BATCH):
        batch = annotations[start : start + BATCH]
        keys = json.load_listed(batch, Key, f"{path}#annotations", report, "coco.annotation", start)
        for position, key in enumerate(keys, start):
            numbered = numbered and key is not None and key.id == position + 1
            if key is None:
                continue
            listed = members.get(key.image_id) if key.image_id is not None else None
            if listed is None:
                dangling(key, f"{path}#annotations[{position}]", report)
                continue
            listed.append(position)
            id_ = key.id
            if id_ is None:
                continue
            if id_ in seen:
                repeated.add(position)
                renumbered(key, f"{path}#annotations[{position}]", report)
            else:
                seen.add(id_)
                if isinstance(id_, int) and id_ > highest.get(key.image_id or 0, 0):
                    highest[key.image_id or 0] = id_
    order, starts = joined(members.values())
    return Grouped(order, starts, [highest.get(id_, 0) for id_ in ids], numbered, None), repeated


def merged(listings: Sequence[Listing]) -> tuple[list[Record], list[IndexEntry]]:
    """Records and index of documents that list images in common: one for each image, with what all of them say of it."""
    records: list[Record] = []
    entries: list[IndexEntry] = []
    by_key: dict[str, int] = {}
    for listing in listings:
        for place, entry in enumerate(listing.entries()):
            record = listing.record(place)
            known = by_key.setdefault(entry.key, len(records))
            if known == len(records):
                records.append(record)
                entries.append(entry)
            else:
                records[known] = records[known]._replace(parts=records[known].parts + record.parts)
                entries[known] = _both(entries[known], entry)
    return records, entries


def _both(a: IndexEntry, b: IndexEntry) -> IndexEntry:
    """The index entry of an image that two documents list."""
    number = None if a.annotations is None or b.annotations is None else a.annotations + b.annotations
    return a._replace(annotations=number, highest_id=max(a.highest_id, b.highest_id))


__all__ = ["Document", "Listed", "Listing", "list_images", "merged", "take_apart"]
