"""COCO instances and keypoints: one JSON document per split with ``images``, ``annotations`` and ``categories``.

The split is in the name of the document. Reading keeps what was written: ids with gaps and 0, order of categories,
stored areas, unknown fields. Annotations stay encoded until a sample is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from itertools import chain
from typing import Any, ClassVar

import msgspec
from labelglot.errors import LabelglotError
from labelglot.plugin import (
    ANY_VALUE,
    Annotation,
    Dataset,
    File,
    Format,
    Holds,
    IndexEntry,
    Info,
    Label,
    LabelHolds,
    Match,
    Naming,
    Options,
    Overview,
    Piece,
    Pieces,
    ReadContext,
    Records,
    Report,
    Sample,
    Source,
    Tag,
    TagHolds,
    WriteContext,
    as_columns,
    label_keys,
    merge_labels,
    under,
)
from labelglot.schema import Attribute
from labelglot.wire import json
from pydantic import Field

from labelglot_coco.annotation import (
    BOUND,
    OWNER,
    Classes,
    classes_of,
    encode,
    encode_columns,
    encode_plain,
    spell_columns,
)
from labelglot_coco.decoder import Decoder
from labelglot_coco.held import Listed, Listing, list_images, list_large, merged, take_apart
from labelglot_coco.info import encode_head, read_info
from labelglot_coco.layout import Kind, documents, heads, image_folders, in_fractions, kind_of
from labelglot_coco.records import Opened, Record
from labelglot_coco.runs import LARGE

_CATEGORY = ("id", "name")


class Coco(Format):
    """COCO instances."""

    id = "coco"
    name = "COCO instances JSON"
    aliases: ClassVar[tuple[str, ...]] = ("coco-instances", "ms-coco", "coco-json")
    url = "https://cocodataset.org/#format-data"
    documents: ClassVar[tuple[str, ...]] = (".json",)
    separator = b","
    geometry_bound_extra = BOUND
    computed_extra = frozenset({(OWNER, "area")})
    takes_encoded = frozenset({OWNER})
    takes_columns: ClassVar[bool] = True
    owner: ClassVar[str] = OWNER
    task: ClassVar[str] = "instances"
    kinds: ClassVar[Collection[Kind]] = ("instances", "keypoints", "lvis")
    reads_keypoints: ClassVar[bool] = False
    reads_plain: ClassVar[bool] = True
    """Whether an annotation may be read without what a target does not want."""
    holds = Holds(
        geometry=(frozenset({"box"}), frozenset({"polygon", "mask"})),
        required=frozenset({"box"}),
        polygon_holes=False,
        labels=LabelHolds(ids="int", ids_required=True, duplicates=True, required=False, parent=True),
        attributes=ANY_VALUE,
        flags={"crowd": frozenset({"bool"})},
        defaults={"crowd": False},
        score=True,
        text=True,
        ids="int",
        ids_required=True,
        track="any",
        tags=TagHolds(score=True, attributes=ANY_VALUE),
        sample_ids="int",
        sample_ids_required=True,
        uri=True,
        splits="any",
        naming=Naming(scope="split"),
        info=frozenset({"description", "version", "url", "licenses"}),
        extra=frozenset({OWNER}),
    )

    class ReadOptions(Options):
        """Options of the COCO reader."""

        drop_unused_roots: bool = Field(
            False, description="leave out categories that no annotation uses and whose name another's supercategory is"
        )

    class WriteOptions(Options):
        """Options of the COCO writer."""

        contiguous: bool = Field(False, description="number categories 1, 2, 3... instead of keeping their ids")
        compressed: bool = Field(True, description="write masks as compressed strings; false: as lists of counts")
        indent: bool = Field(False, description="one record per line, for people who read the file")

    def holds_with(self, options: Any) -> Holds:
        if not getattr(options, "contiguous", False):
            return self.holds
        return self.holds.replace(labels=self.holds.labels.replace(ids="index", ids_required=False, first_id=1))

    def detect(self, source: Source) -> Match | None:
        best: Match | None = None
        for path, seen in heads(source):
            kind = kind_of(source, path, seen)
            if kind in ("instances", "keypoints") and (kind == "keypoints") == self.reads_keypoints:
                if in_fractions(seen):
                    best = best or Match(0.6, f"{path} has coordinates that look like fractions of the image")
                elif not _named(path, "labels"):
                    what = "categories with keypoints" if self.reads_keypoints else "images, annotations and categories"
                    return Match(0.95, f"{path} has {what}")
                best = best or Match(0.9, f"{path} has annotations that are labels of images")
            elif kind in ("keypoints", "lvis") and not self.reads_keypoints:
                best = best or Match(0.6, f"{path} is COCO with {'keypoints' if kind == 'keypoints' else 'fields of LVIS'}")
        return best

    def read(self, context: ReadContext) -> Dataset:
        found = self._documents(context)
        if context.fits(sum(_length(context.source, path) for path, _ in found)):
            return self._read_small(context, found)
        import sqlite3

        try:
            return self._read_large(context, found)
        except (OSError, sqlite3.Error) as error:
            message = f"its index cannot be written: {error}"
            raise LabelglotError(message, context.source.where, "check free space for temporary files") from error

    def _read_large(self, context: ReadContext, listed: Sequence[tuple[str, str | None]]) -> Dataset:
        """The same without holding the documents: see :mod:`labelglot_coco.large`."""
        from labelglot.wire.json_large import Parts, scan_fields

        from labelglot_coco.large import Index, Stored

        index = Index()
        opened: list[Opened] = []
        tables: list[Sequence[Label]] = []
        info: Info | None = None
        for path, split in listed:
            try:
                top = scan_fields(context.source, path, ("images", "annotations"), index.scratch)
                fields = {name: value for name, value in top.items() if not isinstance(value, Parts)}
                images, annotations = top.get("images"), top.get("annotations")
                if images is None and annotations is None:
                    raise LabelglotError("it has neither images nor annotations", path)
                labels = self._labels(fields.get("categories"), path, context.report)
                for name in ("images", "annotations"):
                    if name in fields:
                        json.load_parts(fields[name], f"{path}#{name}")
                lists = [value if isinstance(value, Parts) else None for value in (images, annotations)]
                grouped = index.group(path, split, lists[0], lists[1], context.report)
            except LabelglotError as error:
                _unreadable(error, path, context.report)
                continue
            tables.append(labels)
            labelled = annotations is not None
            opened.append(
                Opened(
                    path, split, classes_of(labels), labelled, grouped.repeated, grouped.numbered, grouped.images,
                    grouped.categories,
                )
            )
            info = info or self._info(fields, path)
        if not opened:
            raise LabelglotError("no COCO document in it can be read", context.source.where)
        index.close()
        around = [(document.path.rpartition("/")[0], image_folders(document.path, document.split)) for document in opened]
        context.reserve((around[number][0], name, around[number][1]) for number, name in index.names())
        records = Stored(index, 0, index.length)
        table = self._table(merge_labels(tables), records, context)
        decoder = self._decoder(context, opened, index.repeated(), len(records))
        merged = len(records) < sum(document.images for document in opened)
        entries = _Entries(self, index)
        return Dataset(Records(records, decoder, entries, None if merged else self._overview(opened)), table, info)

    def _read_small(self, context: ReadContext, listed: Sequence[tuple[str, str | None]]) -> Dataset:
        opened: list[Opened] = []
        listings: list[Listing] = []
        tables: list[Sequence[Label]] = []
        info: Info | None = None
        only_boxes = self.reads_plain and not (context.wants_outlines() or context.wants_extra(self.owner))
        only_boxes = only_boxes and not context.options.drop_unused_roots
        for path, split in listed:
            try:
                fields, labels, listing, document = self._open(path, split, len(opened), only_boxes, context)
            except LabelglotError as error:
                _unreadable(error, path, context.report)
                continue
            opened.append(document)
            listings.append(listing)
            tables.append(labels)
            info = info or self._info(fields, path)
        if not opened:
            raise LabelglotError("no COCO document in it can be read", context.source.where)
        context.reserve(
            (document.path.rpartition("/")[0], name, around)
            for document, listing in zip(opened, listings, strict=True)
            for around in (image_folders(document.path, document.split),)
            for name in listing.names
        )
        number = sum(document.images for document in opened)
        records: Sequence[Record] = Listed(listings, 0, number)
        entries: Callable[[], Iterator[IndexEntry]] = _Joined(listings)
        overview = None
        if len(set(chain.from_iterable(listing.keys() for listing in listings))) < number:
            records, common = merged(listings)
            entries = _Index(common)
        else:
            overview = self._overview(opened)
        table = self._table(merge_labels(tables), records, context)
        decoder = self._decoder(context, opened, _repeated([name for listing in listings for name in listing.names]), len(records))
        return Dataset(Records(records, decoder, _Entries(self, entries), overview), table, info)

    def _open(
        self, path: str, split: str | None, number: int, only_boxes: bool, context: ReadContext
    ) -> tuple[Mapping[str, msgspec.Raw], tuple[Label, ...], Listing, Opened]:
        """A document's fields but for the two lists, its classes, and its images. Raises LabelglotError if it is none.

        ``only_boxes``: nothing but class, box and id is wanted of objects.
        """
        data = _read_whole(context.source, path)

        def classes(fields: Mapping[str, msgspec.Raw]) -> Classes:
            return classes_of(self._labels(fields.get("categories"), path, Report()))

        large = list_large(data, path, split, classes, number, context, only_boxes)
        if large is not None:
            labels = self._labels(large.fields.get("categories"), path, context.report)
            context.report.merge(large.report)
            return large.fields, labels, large.listing, large.opened
        parts = take_apart(data, path)
        if parts.images is None and parts.annotations is None:
            raise LabelglotError("it has neither images nor annotations", path)
        labels = self._labels(parts.fields.get("categories"), path, context.report)
        return parts.fields, labels, *list_images(parts, path, split, classes_of(labels), number, context)

    def _overview(self, opened: Sequence[Opened]) -> Overview | None:
        """What is known of all annotations without decoding them."""
        labels: dict[str, dict[str, Attribute]] = {}
        for document in opened:
            if document.categories is None or not document.classes.keys.keys() >= document.categories.keys():
                return None
            for id_, crowded in document.categories.items():
                labels.setdefault(document.classes.keys[id_], {}).update({"crowd": True} if crowded else {})
        return Overview(tuple(labels), {key: found for key, found in labels.items() if found})

    def _table(self, labels: tuple[Label, ...], records: Sequence[Record], context: ReadContext) -> tuple[Label, ...]:
        """The classes of all documents."""
        return _without_roots(labels, records) if context.options.drop_unused_roots else labels

    def _entry(self, entry: IndexEntry) -> IndexEntry:
        """What is known of an image without decoding it."""
        return entry

    def _info(self, top: Mapping[str, msgspec.Raw], path: str) -> Info:
        """What a document says about itself."""
        return read_info(top, path, self.owner)

    def _decoder(self, context: ReadContext, opened: Sequence[Opened], repeated: frozenset[str], samples: int) -> Decoder:
        return Decoder(context, opened, self.reads_keypoints, repeated, self.owner, samples)

    def _documents(self, context: ReadContext) -> Sequence[tuple[str, str | None]]:
        """Documents to read. Where some are named after this format's task, those of the other task are left alone."""
        found = documents(context.source, self.kinds)
        other = "instances" if self.reads_keypoints else "person_keypoints"
        if not any(_named(path, self.task) for path, _ in found):
            return found
        for path, _ in found:
            if _named(path, other):
                id_ = "coco" if self.reads_keypoints else "coco-keypoints"
                context.report.problem("coco.task", f"not read: it is for --from {id_}", path, severity="info")
        return [each for each in found if not _named(each[0], other)]

    def _labels(self, raw: msgspec.Raw | None, path: str, report: Report) -> tuple[Label, ...]:
        found = json.load_items(raw, dict[str, Any], f"{path}#categories", report, "coco.category")
        categories = []
        for position, category in enumerate(found):
            if category is None:
                continue
            id_ = category.get("id")
            if not isinstance(id_, int | str) or isinstance(id_, bool):
                place = f"{path}#categories[{position}].id"
                report.problem("coco.category", f"the id is {id_!r:.40}", place, severity="error", action="skipped")
                continue
            categories.append(category)
        names = [str(category.get("name", category["id"])) for category in categories]
        keys = label_keys(names, [category["id"] for category in categories])
        return tuple(
            self._label(key, name, category, f"{path}#categories", report)
            for key, name, category in zip(keys, names, categories, strict=True)
        )

    def _label(self, key: str, name: str, category: dict[str, Any], place: str, report: Report) -> Label:
        extra = {field: value for field, value in category.items() if field not in _CATEGORY}
        parent = extra.get("supercategory")
        if isinstance(parent, str) and parent:
            del extra["supercategory"]
        else:
            parent = None
        more = self._skeleton(extra, place, report) if self.reads_keypoints else {}
        return Label(
            key=key, name=name, id=category["id"], parent=parent, extra={self.owner: extra} if extra else {}, **more
        )

    def _skeleton(self, extra: dict[str, Any], place: str, report: Report) -> dict[str, Any]:
        """Keypoint names and edges; edges count from 1 unless one of them is 0."""
        names, edges = extra.get("keypoints"), extra.get("skeleton")
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            return {}
        del extra["keypoints"]
        if edges is None:
            return {"keypoints": tuple(names)}
        pairs = [e for e in edges if isinstance(e, list) and len(e) == 2 and all(type(v) is int for v in e)] if isinstance(edges, list) else []
        base = 0 if any(0 in pair for pair in pairs) else 1
        kept = [(a - base, b - base) for a, b in pairs if base <= a < len(names) + base and base <= b < len(names) + base]
        if not isinstance(edges, list) or len(kept) != len(edges):
            report.problem("coco.skeleton", "some edges of the skeleton lead nowhere", place, raw=edges)
        elif base == 1 and (kept or not edges):
            del extra["skeleton"]
        return {"keypoints": tuple(names), "skeleton": tuple(kept)}

    def document_path(self, split: str | None, context: WriteContext, task: str | None = None) -> str:
        """``annotations/instances_train.json``; the file the user named if there is only one."""
        return context.document(f"annotations/{task or self.task}_{split or 'default'}.json", per_split=True)

    def image_path(self, sample: Sample, context: WriteContext) -> str | None:
        return under(sample.split or "images", sample.path)

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece]:
        path = self.document_path(sample.split, context)
        indent = context.options.indent
        ids = context.once(category_ids)
        image = json.dump(self._encode_image(sample, ids))
        yield Piece(f"{path}#images", image)
        annotations, separator = sample.annotations, b",\n" if indent else b","
        if annotations:
            columns = None if indent else as_columns(annotations)
            text = None if columns is None else spell_columns([(sample.id, columns)], ids)
            if text is None:
                objects = self._encode_objects(sample, ids, context.options)
                text = separator.join(map(json.dump, objects)) if indent else json.dump(objects)[1:-1]
            yield Piece(f"{path}#annotations", text)
        present = [tag for tag in sample.tags if not tag.negative] if sample.tags else ()
        if present:
            labels = self.document_path(sample.split, context, "labels")
            tags = [_encode_tag(tag, sample, ids, number, ordinal) for number, tag in enumerate(present)]
            if labels != path:
                yield Piece(f"{labels}#images", image)
            yield Piece(f"{labels}#annotations", separator.join(map(json.dump, tags)))

    def encode_many(self, samples: Sequence[Sample], context: WriteContext) -> Iterable[Piece] | None:
        split = samples[0].splits
        if not self.takes_columns or context.options.indent or any(sample.tags or sample.splits != split for sample in samples):
            return None
        several = [(sample.id, as_columns(sample.annotations)) for sample in samples if sample.annotations]
        if any(columns is None for _, columns in several):
            return None
        ids = context.once(category_ids)
        text = spell_columns(several, ids)  # type: ignore[arg-type]
        if text is None:
            return None
        path = self.document_path(samples[0].split, context)
        images = json.dump([self._encode_image(sample, ids) for sample in samples])[1:-1]
        return Piece(f"{path}#images", images), Piece(f"{path}#annotations", text)

    def _encode_image(self, sample: Sample, ids: Mapping[str, int]) -> dict[str, Any]:
        return encode_image(sample, self.owner)

    def _encode_objects(self, sample: Sample, ids: Mapping[str, int], options: Any) -> list[Any]:
        columns = as_columns(sample.annotations)
        plain = None if columns is None else encode_columns(columns, sample.id, ids)
        if plain is not None:
            return plain
        return [self._encode_object(a, sample.id, ids, options) for a in sample.annotations or ()]

    def _encode_object(self, a: Annotation, image_id: Any, ids: Mapping[str, int], options: Any) -> object:
        plain = encode_plain(a, image_id, ids)
        return self._encode_odd(a, image_id, ids, options) if plain is None else plain

    def _encode_odd(self, a: Annotation, image_id: Any, ids: Mapping[str, int], options: Any) -> dict[str, Any]:
        category_id = None if a.label is None else ids[a.label]
        return encode(a, image_id, category_id, self.reads_keypoints, options.compressed)

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        splits = context.splits or (None,)
        paths = [self.document_path(split, context) for split in splits]
        labels = [self.document_path(split, context, "labels") for split in splits]
        tagged = [path for path in labels if f"{path}#images" in pieces]
        for path in dict.fromkeys([*paths, *tagged]):
            yield File(path, self._document(path, context, pieces))

    def _document(self, path: str, context: WriteContext, pieces: Pieces) -> Iterator[bytes]:
        line = b"\n" if context.options.indent else b""
        ids = context.once(category_ids)
        categories = [self._encode_label(label, ids[label.key]) for label in context.labels]
        separator = b"{"
        for name, value in {**encode_head(context.info, self.owner), "categories": categories}.items():
            yield separator + json.dump(name) + b":" + json.dump(value)
            separator = b"," + line
        for part in ("images", "annotations"):
            yield b"," + line + b'"' + part.encode() + b'":['
            yield from pieces.stream(f"{path}#{part}")
            yield b"]"
        yield b"}\n"

    def _encode_label(self, label: Label, id_: int) -> dict[str, Any]:
        record: dict[str, Any] = {"id": id_, "name": label.name}
        if label.parent is not None:
            record["supercategory"] = label.parent
        if self.reads_keypoints and label.keypoints:
            record["keypoints"] = label.keypoints
            record["skeleton"] = [(a + 1, b + 1) for a, b in label.skeleton]
        return {**record, **{k: v for k, v in label.extra.get(self.owner, {}).items() if k not in record}}


class CocoKeypoints(Coco):
    """COCO person keypoints: instances with ``keypoints`` of x, y, visibility, and a skeleton per category."""

    id = "coco-keypoints"
    name = "COCO keypoints JSON"
    aliases: ClassVar[tuple[str, ...]] = ("coco-person-keypoints", "coco-pose")
    url = "https://cocodataset.org/#keypoints-2020"
    task = "person_keypoints"
    reads_keypoints = True
    holds = Coco.holds.replace(
        geometry=(frozenset({"box"}), frozenset({"polygon", "mask"}), frozenset({"keypoints"})),
        keypoint_visibility="given",
        labels=Coco.holds.labels.replace(keypoints=True, skeleton=True),
    )


def _unreadable(error: LabelglotError, path: str, report: Report) -> None:
    report.problem("coco.document", str(error), error.place or path, severity="error", action="skipped")


def _read_whole(source: Source, path: str) -> bytes:
    """A document; numpy, which is needed for a large one, is loaded meanwhile."""
    if _length(source, path) < LARGE:
        return source.read(path)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as meanwhile:
        meanwhile.submit(import_module, "numpy")
        return source.read(path)


def _length(source: Source, path: str) -> int:
    try:
        return source.size(path)
    except (LabelglotError, OSError, KeyError):
        return 0


def _named(path: str, task: str) -> bool:
    return path.rpartition("/")[2].startswith(f"{task}_")



def _repeated(names: Sequence[str]) -> frozenset[str]:
    """Names of images that documents of different splits list (one split lists a name once)."""
    seen: set[str] = set()
    if len(set(names)) == len(names):
        return frozenset()
    return frozenset(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]


class _Entries:
    """The cheap index of documents, as a format sees it; picklable."""

    def __init__(self, format: Coco, index: Callable[[], Iterator[IndexEntry]]) -> None:
        self.format, self.index = format, index

    def __call__(self) -> Iterator[IndexEntry]:
        return map(self.format._entry, self.index())


class _Joined:
    """The index of documents one after the other."""

    def __init__(self, listings: Sequence[Listing]) -> None:
        self.listings = listings

    def __call__(self) -> Iterator[IndexEntry]:
        return chain.from_iterable(listing.entries() for listing in self.listings)


class _Index:
    """An index at hand."""

    def __init__(self, entries: Sequence[IndexEntry]) -> None:
        self.entries = entries

    def __call__(self) -> Iterator[IndexEntry]:
        return iter(self.entries)



def _without_roots(labels: Sequence[Label], records: Sequence[Record]) -> tuple[Label, ...]:
    """Without the placeholder class that Roboflow puts first: the parent of others, and on no object."""
    used: set[int | str | None] = set()
    for record in records:
        for raw in (raw for part in record.parts for raw in part.annotations):
            used.add(json.load(bytes(raw), "annotations", dict[str, Any]).get("category_id"))
    parents = {label.parent for label in labels}
    roots = [x for x in labels if x.id not in used and (x.name in parents or x.parent == "none")]
    return tuple(label for label in labels if label not in roots)



def category_ids(context: WriteContext) -> Mapping[str, int]:
    """The number of each class, by key."""
    return {label.key: label.id for label in context.labels}  # type: ignore[misc]


def encode_image(sample: Sample, owner: str) -> dict[str, Any]:
    """The entry of an image."""
    extra = sample.extra.get(owner, {})
    record: dict[str, Any] = {"id": sample.id, "file_name": sample.path}
    if sample.size is not None:
        record["width"], record["height"] = sample.size
    elif "size" in extra:
        record["width"], record["height"] = extra["size"]
    if sample.uri is not None:
        record["uri"] = sample.uri
    if extra:
        record.update({k: v for k, v in extra.items() if k not in record and k != "size"})
    return record


def _encode_tag(tag: Tag, sample: Sample, ids: Mapping[str, int], number: int, ordinal: int) -> dict[str, Any]:
    extra = tag.extra.get(OWNER, {})
    record: dict[str, Any] = {"id": extra.get("id", -((ordinal << 10) + number + 1)), "image_id": sample.id}
    if tag.label is not None:
        record["category_id"] = ids[tag.label]
    if tag.score is not None:
        record["score"] = tag.score
    if tag.attributes:
        record["attributes"] = {**tag.attributes, **extra.get("attributes", {})}
    return {**record, **{k: v for k, v in extra.items() if k not in record}}
