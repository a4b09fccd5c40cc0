"""Documents that are held in memory: their images column by column, records made of them when they are asked for.

The columns are filled by a few looks at all annotations together; a record costs something only in the process that
decodes it.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, repeat
from operator import sub
from typing import Any, NamedTuple

import msgspec
from labelglot import native
from labelglot.errors import LabelglotError
from labelglot.plugin import IndexEntry, ReadContext, Report
from labelglot.storage.paths import are_plain
from labelglot.wire import json

from labelglot_coco.annotation import Classes
from labelglot_coco.grouping import BATCH, BROKEN, Grouped, group, joined, look_at
from labelglot_coco.plain import BoxColumns
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
from labelglot_coco.runs import HOLE, Texts, cut, look


class Document(NamedTuple):
    """A document taken apart: its fields still encoded but for the two long lists, ``None`` for one that is not there.

    ``data``: its text, of which the items of the lists are part unless they had to be written anew.
    """

    data: bytes
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
    data = json.unmark(data)
    try:
        found = _usual.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        top = json.load_fields(data, path)
        images, annotations = (
            json.load_parts(top[name], f"{path}#{name}") if name in top else None for name in ("images", "annotations")
        )
        return Document(data, top, images, annotations)
    lists = (None if each is msgspec.UNSET else each for each in (found.images, found.annotations))
    fields = {name: raw for name in ("info", "licenses", "categories") if len(memoryview(raw := getattr(found, name)))}
    return Document(data, fields, *lists)


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
    annotations: Sequence[msgspec.Raw] | Texts | BoxColumns
    order: array[int]
    starts: array[int]
    highest: Sequence[int]

    def record(self, place: int) -> Record:
        """An image with its annotations."""
        start, stop = self.starts[place], self.starts[place + 1]
        mine = self.order[start:stop]
        listed = self.annotations
        annotations: tuple[msgspec.Raw, ...] | Texts | BoxColumns
        if isinstance(listed, BoxColumns):
            annotations = listed.part(start, stop)
        else:
            annotations = listed.part(mine) if isinstance(listed, Texts) else tuple([listed[i] for i in mine])
        return Record(self.images[place], self.names[place], self.paths[place], (Part(self.document, annotations, mine),))

    def keys(self) -> list[str]:
        """What tells the images from all others."""
        return list(self.paths) if self.split is None else [f"{self.split}:{path}" for path in self.paths]

    def entries(self) -> Iterator[IndexEntry]:
        """What is known of the images without decoding them."""
        splits = () if self.split is None else (self.split,)
        numbers = map(sub, self.starts[1:], self.starts)
        none = repeat(None)
        rows = zip(self.paths, repeat(splits), self.sizes, none, numbers, none, self.ids, self.highest, strict=False)
        return map(IndexEntry._make, rows)


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
        for begin, listing in zip(self._begins, self.listings, strict=False):
            yield from map(listing.record, range(max(0, self.start - begin), min(len(listing.paths), self.stop - begin)))

    def _record(self, place: int) -> Record:
        number = bisect_right(self._begins, place) - 1
        return self.listings[number].record(place - self._begins[number])


def list_images(
    parts: Document, path: str, split: str | None, classes: Classes, number: int, context: ReadContext
) -> tuple[Listing, Opened]:
    """The images of the ``number``-th document, with the annotations that name them."""
    annotations = parts.annotations or []
    images = _Images(parts.images or [], path, context.report)
    seen = look_at(parts.data, annotations, context.spread, context.processes, images.look)
    grouped = None if seen is None else group(seen, images.ids)
    found, repeated = _group_closely(annotations, images.ids, path, context.report) if grouped is None else (grouped, set())
    listing = Listing(
        number, split, [images.raws[place] for place in images.places], images.names, images.paths(), images.ids,
        images.sizes, annotations, found.order, found.starts, found.highest,
    )  # fmt: skip
    return listing, Opened(
        path, split, classes, parts.annotations is not None, frozenset(repeated), found.numbered, len(images.names),
        found.categories,
    )  # fmt: skip


class Large(NamedTuple):
    """A large document of whose annotations is known where they are, or class, box and id if nothing else is wanted.
    ``report``: what is wrong with its images.
    """

    fields: dict[str, msgspec.Raw]
    listing: Listing
    opened: Opened
    report: Report


def list_large(
    data: bytes, path: str, split: str | None, classes_of: Callable[[Mapping[str, msgspec.Raw]], Classes], number: int,
    context: ReadContext, only_boxes: bool,
) -> Large | None:  # fmt: skip
    """:func:`list_images` of a large document; ``None`` if something in it needs a closer look. ``classes_of``: the classes of
    its fields. ``only_boxes``: nothing but class, box and id is wanted of objects, and nothing is kept of its text.
    """
    data = json.unmark(data)
    apart = cut(data) if only_boxes or native.COMPILED else None
    if apart is None:
        return None
    try:
        rest = take_apart(apart.rest, path)
    except LabelglotError:
        return None
    if rest.images is None or list(map(bytes, rest.annotations or ())) != [HOLE]:
        return None
    classes = classes_of(rest.fields)
    quiet = Report(context.report.examples)
    images = _Images(rest.images, path, quiet)
    pieces = max(1, min(context.processes, len(apart.runs)))
    shares = [apart.runs[i * len(apart.runs) // pieces : (i + 1) * len(apart.runs) // pieces] for i in range(pieces)]
    try:
        seen = context.spread(partial(look, data, classes.keys, only_boxes), shares, images.look)
    except BROKEN:
        return None
    whole = [each for each in seen if each is not None]
    found = group(whole, images.ids) if len(whole) == len(seen) else None
    if found is None or (only_boxes and found.boxes is None):
        return None
    annotations: Texts | BoxColumns
    if found.boxes is None:
        begins, ends = array("q"), array("q")
        for each in whole:
            begins += each.begins
            ends += each.ends
        annotations = Texts(data, begins, ends, range(len(begins)))
    else:
        annotations = found.boxes
    listing = Listing(
        number, split, images.apart(), images.names, images.paths(), images.ids, images.sizes, annotations, found.order,
        found.starts, found.highest,
    )  # fmt: skip
    opened = Opened(path, split, classes, True, frozenset(), found.numbered, len(images.names), found.categories)
    return Large({name: raw.copy() for name, raw in rest.fields.items()}, listing, opened, quiet)


class _Images:
    """The images of a document that can be used; there is something to see once :meth:`look` was called.

    ``places``: of these in the document; ``ids``, ``names``, ``sizes``: of each. ``plain``: the names are paths.
    """

    def __init__(self, raws: Sequence[msgspec.Raw], path: str, report: Report) -> None:
        self.raws, self.path, self.report = raws, path, report
        self.places: Sequence[int] = ()
        self.ids: list[int | str] = []
        self.names: list[str] = []
        self.plain = True
        self.sizes: list[tuple[int, int] | None] = []

    def look(self) -> None:
        """Decode them, and report what is wrong."""
        images = json.load_listed(self.raws, Image, f"{self.path}#images", self.report, "coco.image")
        self.places = _usable(images, self.path, self.report)
        chosen: list[Image] = [images[place] for place in self.places]  # type: ignore[misc]
        self.ids = [image.id for image in chosen]  # type: ignore[misc]
        self.names = [image.name for image in chosen]  # type: ignore[misc]
        self.plain = are_plain(self.names)
        self.sizes = [image_size_of(image) for image in chosen]

    def paths(self) -> list[str]:
        """The paths that the names stand for; what is wrong with a name is reported."""
        if self.plain:
            return self.names
        found = []
        for name, place in zip(self.names, self.places, strict=True):
            inside, foreign = identity(name)
            if foreign is not None:
                unsafe(foreign, inside, f"{self.path}#images[{place}]", self.report)
            found.append(inside)
        return found

    def apart(self) -> Sequence[msgspec.Raw] | Sequence[PlainImage]:
        """Each of them, holding nothing of the document."""
        raws = [self.raws[place] for place in self.places]
        try:
            return plain_images(raws)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return [raw.copy() for raw in raws]


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


__all__ = ["Document", "Listed", "Listing", "list_images", "list_large", "merged", "take_apart"]
