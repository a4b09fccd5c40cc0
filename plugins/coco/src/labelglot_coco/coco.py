"""COCO instances and keypoints: one JSON document per split with ``images``, ``annotations`` and ``categories``.

The split is in the name of the document. Reading keeps what was written: ids with gaps and 0, order of categories,
stored areas, unknown fields. Annotations stay encoded until a sample is asked for.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Annotated, Any, ClassVar, NamedTuple

import msgspec
from labelglot.errors import LabelglotError
from labelglot.images import SourceImage
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
    in_pixels,
    label_keys,
    merge_labels,
    under,
)
from labelglot.schema import Attribute
from labelglot.storage import clean_foreign, safe_relative
from labelglot.wire import json
from pydantic import Field

from labelglot_coco.annotation import BOUND, OWNER, Classes, Misfit, decode, decode_plain, encode
from labelglot_coco.grouping import group
from labelglot_coco.layout import Kind, documents, heads, image_folders, in_fractions, kind_of

_IMAGE = ("id", "file_name", "width", "height", "uri")
_CATEGORY = ("id", "name")


class Image(msgspec.Struct, gc=False):
    """What names an image, and its size."""

    id: int | str | None = None
    file_name: str | None = None
    width: int | float | None = None
    height: int | float | None = None
    uri: str | None = None
    coco_url: str | None = None

    @property
    def name(self) -> str | None:
        """``file_name``, or else what of it is in the address of an image of COCO (``val2017/000000017905.jpg``)."""
        if self.file_name or not self.coco_url:
            return self.file_name
        return "/".join(self.coco_url.rsplit("/", 2)[-2:]) if "://" in self.coco_url else None


class PlainImage(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """An image of which nothing needs a closer look, with the fields that COCO itself has."""

    id: int | str
    file_name: str
    width: Annotated[int, msgspec.Meta(gt=0)]
    height: Annotated[int, msgspec.Meta(gt=0)]
    license: int | msgspec.UnsetType = msgspec.UNSET
    flickr_url: str | msgspec.UnsetType = msgspec.UNSET
    coco_url: str | msgspec.UnsetType = msgspec.UNSET
    date_captured: str | msgspec.UnsetType = msgspec.UNSET

    def usual(self) -> dict[str, Any]:
        """The fields of COCO that are set."""
        values = zip(_USUAL, _usual(self), strict=True)
        return {name: value for name, value in values if value is not msgspec.UNSET}


_USUAL = ("license", "flickr_url", "coco_url", "date_captured")
_usual = attrgetter(*_USUAL)
_plain_images_decoder = msgspec.json.Decoder(list[PlainImage])


class Key(msgspec.Struct, gc=False):
    """What an annotation belongs to."""

    image_id: int | str | None = None
    id: int | str | None = None


class Part(NamedTuple):
    """The annotations one document has of an image, still encoded. ``places``: their positions in the document."""

    document: int
    annotations: tuple[msgspec.Raw, ...]
    places: array[int]


class Record(NamedTuple):
    """An image as a document describes it, and what this and other documents of the same split say of it."""

    image: msgspec.Raw
    name: str
    path: str
    parts: tuple[Part, ...]


class Opened(NamedTuple):
    """What decoding the records of one document needs. ``repeated``: annotations whose id an earlier one has.

    ``numbered``: the ids of annotations are 1, 2, 3... in the order of the document. ``images``: how many it lists.
    ``categories``: see :class:`~labelglot_coco.grouping.Grouped`.
    """

    path: str
    split: str | None
    classes: Classes
    labelled: bool
    repeated: frozenset[int]
    numbered: bool = False
    images: int = 0
    categories: Mapping[int, bool] | None = None


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
    owner: ClassVar[str] = OWNER
    task: ClassVar[str] = "instances"
    kinds: ClassVar[Collection[Kind]] = ("instances", "keypoints", "lvis")
    reads_keypoints: ClassVar[bool] = False
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
                    path, split, _classes(labels), labelled, grouped.repeated, grouped.numbered, grouped.images,
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
        decoder = self._decoder(context, opened, index.repeated())
        merged = len(records) < sum(document.images for document in opened)
        entries = _Entries(self, index)
        return Dataset(Records(records, decoder, entries, None if merged else self._overview(opened)), table, info)

    def _read_small(self, context: ReadContext, listed: Sequence[tuple[str, str | None]]) -> Dataset:
        opened: list[Opened] = []
        records: list[Record] = []
        entries: list[IndexEntry] = []
        tables: list[Sequence[Label]] = []
        info: Info | None = None
        by_key: dict[str, int] = {}
        named: list[tuple[str, str, Sequence[str]]] = []
        for path, split in listed:
            try:
                top = json.load_fields(context.source.read(path), path)
                if "images" not in top and "annotations" not in top:
                    raise LabelglotError("it has neither images nor annotations", path)
                labels = self._labels(top.get("categories"), path, context.report)
                found, document = _group(top, path, split, labels, len(opened), context.report)
            except LabelglotError as error:
                _unreadable(error, path, context.report)
                continue
            opened.append(document)
            tables.append(labels)
            folder, around = path.rpartition("/")[0], image_folders(path, split)
            named += ((folder, record.name, around) for record, _ in found)
            for record, seen in found:
                entry = self._entry(seen)
                known = by_key.setdefault(entry.key, len(records))
                if known == len(records):
                    records.append(record)
                    entries.append(entry)
                else:
                    records[known] = records[known]._replace(parts=records[known].parts + record.parts)
                    entries[known] = _both(entries[known], entry)
            info = info or self._info(top, path)
        if not opened:
            raise LabelglotError("no COCO document in it can be read", context.source.where)
        context.reserve(named)
        table = self._table(merge_labels(tables), records, context)
        decoder = self._decoder(context, opened, _repeated(records))
        merged = len(records) < sum(document.images for document in opened)
        overview = None if merged else self._overview(opened)
        return Dataset(Records(records, decoder, _Index(entries), overview), table, info)

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

    def _decoder(self, context: ReadContext, opened: Sequence[Opened], repeated: frozenset[str]) -> Decoder:
        return Decoder(context, opened, self.reads_keypoints, repeated, self.owner)

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
        separator = b",\n" if context.options.indent else b","
        ids = category_ids(context)
        image = json.dump(self._encode_image(sample, ids))
        yield Piece(f"{path}#images", image)
        objects = [json.dump(self._encode_object(a, sample.id, ids, context.options)) for a in sample.annotations or ()]
        if objects:
            yield Piece(f"{path}#annotations", separator.join(objects))
        present = [tag for tag in sample.tags if not tag.negative]
        if present:
            labels = self.document_path(sample.split, context, "labels")
            tags = [_encode_tag(tag, sample, ids, number, ordinal) for number, tag in enumerate(present)]
            if labels != path:
                yield Piece(f"{labels}#images", image)
            yield Piece(f"{labels}#annotations", separator.join(map(json.dump, tags)))

    def _encode_image(self, sample: Sample, ids: Mapping[str, int]) -> dict[str, Any]:
        return encode_image(sample, self.owner)

    def _encode_object(self, a: Annotation, image_id: Any, ids: Mapping[str, int], options: Any) -> dict[str, Any]:
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
        ids = category_ids(context)
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


def _classes(labels: Sequence[Label]) -> Classes:
    ids = {label.id: label.key for label in labels if label.id is not None}
    counts = {label.id: len(label.keypoints or ()) for label in labels if label.id is not None and label.keypoints}
    return Classes(ids, counts)


def _unreadable(error: LabelglotError, path: str, report: Report) -> None:
    report.problem("coco.document", str(error), error.place or path, severity="error", action="skipped")


def _length(source: Source, path: str) -> int:
    try:
        return source.size(path)
    except (LabelglotError, OSError, KeyError):
        return 0


def _named(path: str, task: str) -> bool:
    return path.rpartition("/")[2].startswith(f"{task}_")


def _group(
    top: Mapping[str, msgspec.Raw], path: str, split: str | None, labels: Sequence[Label], number: int, report: Report
) -> tuple[list[tuple[Record, IndexEntry]], Opened]:
    """One record per image, with the annotations that name it, in document order."""
    raws = json.load_parts(top["images"], f"{path}#images") if "images" in top else []
    images = json.load_items(top.get("images"), Image, f"{path}#images", report, "coco.image")
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
    members: dict[int | str, Sequence[int]] = {id_: [] for id_ in order}
    highest: dict[int | str, int] = {}
    repeated: set[int] = set()
    numbered = True
    parts = json.load_parts(top["annotations"], f"{path}#annotations") if "annotations" in top else []
    plain = group(parts, tuple(order))
    if plain is not None:
        members = dict(zip(order, plain.places, strict=True))
        highest = dict(zip(order, plain.highest, strict=True))
        numbered = plain.numbered
    elif "annotations" in top:
        members, repeated, highest, numbered = _group_closely(top["annotations"], path, order, report)
    found = []
    prefix = f"{split}:" if split is not None else ""
    splits = (split,) if split is not None else ()
    for id_, position in order.items():
        image = images[position]
        assert image is not None and image.name is not None
        name, foreign = identity(image.name)
        if foreign is not None:
            unsafe(foreign, name, f"{path}#images[{position}]", report)
        mine = members[id_]
        part = Part(number, tuple([parts[i] for i in mine]), mine if type(mine) is array else array("I", mine))
        record = Record(raws[position], image.name, name, (part,))
        entry = IndexEntry(
            prefix + name, name, splits, image_size_of(image), None, len(mine), None, id_, highest.get(id_, 0)
        )  # fmt: skip
        found.append((record, entry))
    return found, Opened(
        path, split, _classes(labels), "annotations" in top, frozenset(repeated), numbered, len(found),
        None if plain is None else plain.categories,
    )  # fmt: skip


def _group_closely(
    annotations: msgspec.Raw, path: str, order: Collection[int | str], report: Report
) -> tuple[dict[int | str, Sequence[int]], set[int], dict[int | str, int], bool]:
    """The same one by one, with a problem for each annotation that has none or no good ids."""
    members: dict[int | str, list[int]] = {id_: [] for id_ in order}
    highest: dict[int | str, int] = {}
    repeated: set[int] = set()
    keys = json.load_items(annotations, Key, f"{path}#annotations", report, "coco.annotation")
    seen: set[int | str] = set()
    numbered = all(key is not None and key.id == position for position, key in enumerate(keys, 1))
    for position, key in enumerate(keys):
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
    return dict(members), repeated, highest, numbered


def _repeated(records: Sequence[Record]) -> frozenset[str]:
    """Names of images that documents of different splits list (one split lists a name once)."""
    seen: set[str] = set()
    return frozenset(record.name for record in records if record.name in seen or seen.add(record.name))  # type: ignore[func-returns-value]


def _both(a: IndexEntry, b: IndexEntry) -> IndexEntry:
    """The index entry of an image that two documents list."""
    number = None if a.annotations is None or b.annotations is None else a.annotations + b.annotations
    return a._replace(annotations=number, highest_id=max(a.highest_id, b.highest_id))


def incomplete(image: Image, place: str, report: Report) -> None:
    """Report an image that nothing can be made of."""
    missing = "id" if image.id is None else "file_name"
    report.problem("coco.image", f"an image without {missing}", place, severity="error", action="skipped")


def given_twice(image: Image, same: bool, place: str, report: Report) -> None:
    """Report an image whose id an earlier one has; ``same``: and its name."""
    message = f"image id {image.id!r} is given twice"
    if same:
        report.problem("coco.image-id", message, f"{place}.id", severity="info", action="taken for one image")
    else:
        report.problem("coco.image-id", message, f"{place}.id", severity="error", action="skipped")


def renumbered(key: Key, place: str, report: Report) -> None:
    """Report an annotation whose id an earlier one has."""
    message = f"annotation id {key.id!r} is given twice"
    report.problem("coco.annotation-id", message, f"{place}.id", object=key.id, action="renumbered")


def unsafe(foreign: str, name: str, place: str, report: Report) -> None:
    """Report the name of an image that leads out of the dataset."""
    report.problem(
        "path.unsafe", f"the image is called {foreign!r}, which is no path inside the dataset", f"{place}.file_name",
        raw=foreign, action=f"called {name}, its own name kept",
    )  # fmt: skip


def dangling(key: Key, place: str, report: Report) -> None:
    """Report an annotation of an image that is not listed."""
    message = "an annotation without image_id" if key.image_id is None else f"image {key.image_id!r} is not in images"
    report.problem("coco.image-id", message, place, severity="error", object=key.id, action="skipped")


def identity(file_name: str) -> tuple[str, str | None]:
    """Path of an image inside the dataset, and the name as written if that is no such path."""
    try:
        if safe_relative(file_name) == file_name:
            return file_name, None
    except LabelglotError:
        pass
    return next(iter(clean_foreign(file_name)), file_name), file_name


def image_size_of(image: Image) -> tuple[int, int] | None:
    """Width and height, ``None`` if they are missing or make no sense."""
    width, height = image.width, image.height
    if type(width) is int and type(height) is int:
        return (width, height) if width > 0 and height > 0 else None
    if any(isinstance(size, float) and not math.isfinite(size) for size in (width, height)):
        return None
    if not width or not height or width != int(width) or height != int(height) or width < 0 or height < 0:
        return None
    return int(width), int(height)


class _Entries:
    """The cheap index of documents that are not in memory."""

    def __init__(self, format: Coco, index: Callable[[], Iterator[IndexEntry]]) -> None:
        self.format, self.index = format, index

    def __call__(self) -> Iterator[IndexEntry]:
        return map(self.format._entry, self.index())


class _Index:
    """The cheap index of a document, as a picklable function."""

    def __init__(self, entries: Sequence[IndexEntry]) -> None:
        self.entries = entries

    def __call__(self) -> Iterator[IndexEntry]:
        return iter(self.entries)


BATCH_RECORDS = 100
"""Images whose annotations are decoded together."""

BATCH_BYTES = 1 << 18
"""Bytes of annotations from which on they are decoded without waiting for more."""


class Decoder:
    """Turns a record into a sample."""

    def __init__(
        self,
        context: ReadContext,
        opened: Sequence[Opened],
        keypoints: bool,
        repeated: frozenset[str],
        owner: str,
    ) -> None:
        self.context, self.opened, self.keypoints, self.repeated = context, opened, keypoints, repeated
        self.owner = owner
        self.outlines, self.extras = context.wants_outlines(), context.wants_extra(owner)

    def __call__(self, record: Record, ordinal: int, report: Report) -> Sample | None:
        return next(self.many([record], ordinal, report))

    def many(self, records: Iterable[Record], ordinal: int, report: Report) -> Iterator[Sample | None]:
        """The samples of several records, some at a time: their annotations are decoded together."""
        batch: list[Record] = []
        texts: list[bytes] = []
        size = 0
        for record in records:
            mine = [b",".join(part.annotations) for part in record.parts]
            batch.append(record)
            texts += mine
            size += sum(map(len, mine))
            if size > BATCH_BYTES or len(batch) == BATCH_RECORDS:
                yield from self._batch(batch, texts, report)
                batch, texts, size = [], [], 0
        yield from self._batch(batch, texts, report)

    def _batch(self, records: Sequence[Record], texts: Sequence[bytes], report: Report) -> Iterator[Sample | None]:
        plain = self.plain([part for record in records for part in record.parts], texts)
        for record, image in zip(records, _plain_images(records), strict=True):
            yield self.sample(record, image, plain, report)

    def plain(self, parts: Sequence[Part], texts: Sequence[bytes]) -> Iterator[Sequence[Annotation | None]]:
        """For each part the objects of its annotations, as far as they are plain (see :func:`decode_plain`).

        ``texts``: the annotations of each part with commas between them.
        """
        made: list[Annotation | None] | None = None
        if len({part.document for part in parts}) == 1:
            made = self._plain(b",".join(filter(None, texts)), parts[0].document)
        start = 0
        for part, text in zip(parts, texts, strict=True):
            number = len(part.annotations)
            if made is None:
                yield self._plain(text, part.document) or [None] * number
            else:
                yield made[start : start + number]
                start += number

    def _plain(self, text: bytes, document: int) -> list[Annotation | None] | None:
        return decode_plain(text, self.opened[document].classes.keys, self.outlines, self.extras)

    def sample(
        self, record: Record, image: PlainImage | None, plain: Iterator[Sequence[Annotation | None]], report: Report
    ) -> Sample | None:
        """The sample of a record. ``image``: its image, if it is plain; ``plain``: for each of its parts what is."""
        document = self.opened[record.parts[0].document]
        path, written = record.path, record.name
        key = path if document.split is None else f"{document.split}:{path}"
        annotations: list[Annotation] = []
        tags: list[Tag] = []
        for part in record.parts:
            self.decode(part, next(plain), key, annotations, tags, report)
        if image is not None:
            id_, size, uri, extra = image.id, (image.width, image.height), None, image.usual()
        else:
            values: dict[str, Any] = json.load(bytes(record.image), f"{document.path}#images")
            id_, uri = values["id"], values.get("uri")
            extra = {name: value for name, value in values.items() if name not in _IMAGE}
            size = image_size_of(Image(width=_number(values.get("width")), height=_number(values.get("height"))))
            if size is None and ("width" in values or "height" in values):
                extra["size"] = [values.get("width"), values.get("height")]
        labelled = document.labelled if len(record.parts) == 1 else any(self.opened[p.document].labelled for p in record.parts)
        sample = Sample(
            path=path,
            id=id_,
            image=self._image(written, document),
            uri=uri or (written if written != path else None),
            size=size,
            splits=(document.split,) if document.split is not None else (),
            tags=tuple(tags),
            annotations=tuple(annotations) if labelled else None,
            extra={self.owner: extra} if extra else {},
        )
        return in_pixels(sample)

    def decode(
        self, part: Part, plain: Sequence[Annotation | None], key: str, annotations: list[Annotation], tags: list[Tag],
        report: Report,
    ) -> None:  # fmt: skip
        """Add what a document says of an image. ``plain``: its objects, ``None`` for each that needs a closer look."""
        document = self.opened[part.document]
        if not document.repeated and all(plain):
            annotations += plain  # type: ignore[arg-type]
            return
        for raw, position, quick in zip(part.annotations, part.places, plain, strict=True):
            if quick is not None and not (document.repeated and position in document.repeated):
                annotations.append(quick)
                continue
            place = f"{document.path}#annotations[{position}]"
            try:
                keep = position not in document.repeated
                made = decode(raw, document.classes, self.keypoints, keep, place, report, key)
            except LabelglotError as error:
                code = error.code if isinstance(error, Misfit) else "coco.annotation"
                shown = bytes(raw)[:200].decode("utf-8", "replace")
                report.problem(code, error.message, place, severity="error", key=key, raw=shown, action="skipped")
                continue
            if isinstance(made, Tag):
                tags.append(made)
            else:
                annotations.append(made)

    def _image(self, name: str, document: Opened) -> SourceImage | None:
        images = self.context.images
        if not images.paths:
            return None
        folders = image_folders(document.path, document.split)
        if name in self.repeated:
            # Two splits list this name: a file that lies with no split, or with another one, may be the other's.
            own = folders if document.split is None else [f for f in folders if f.endswith(document.split)]
            found = next((path for f in own if (path := under(f, name)) in images), None)
            return None if found is None else SourceImage(self.context.source, found)
        return self.context.place(name, document.path.rpartition("/")[0], folders).image


def _plain_images(records: Sequence[Record]) -> Sequence[PlainImage | None]:
    """The images of records; ``None`` for all of them unless all are plain, since those of one document are alike."""
    try:
        return _plain_images_decoder.decode(b"[" + b",".join([record.image for record in records]) + b"]")
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return [None] * len(records)


def _number(value: Any) -> int | float | None:
    return value if isinstance(value, int | float) and value == value and abs(value) < 1 << 31 else None


def _without_roots(labels: Sequence[Label], records: Sequence[Record]) -> tuple[Label, ...]:
    """Without the placeholder class that Roboflow puts first: the parent of others, and on no object."""
    used: set[int | str | None] = set()
    for record in records:
        for raw in (raw for part in record.parts for raw in part.annotations):
            used.add(json.load(bytes(raw), "annotations", dict[str, Any]).get("category_id"))
    parents = {label.parent for label in labels}
    roots = [x for x in labels if x.id not in used and (x.name in parents or x.parent == "none")]
    return tuple(label for label in labels if label not in roots)


def read_info(top: Mapping[str, msgspec.Raw], path: str, owner: str) -> Info:
    """What a document says about itself; what has no field of its own rides along."""
    info: Any = json.load(bytes(top["info"]), path) if "info" in top else {}
    licenses: Any = json.load(bytes(top["licenses"]), path) if "licenses" in top else []
    root = json.rest(top, ("info", "licenses", "images", "annotations", "categories"))
    said = info if isinstance(info, dict) else {}
    texts = {name: text for name in _INFO if isinstance(text := said.get(name), str) and text}
    listed = [x for x in licenses if isinstance(x, dict)] if isinstance(licenses, list) else []
    names = tuple(str(x["name"]) for x in listed if x.get("name"))
    bag: dict[str, Any] = {}
    rest = {name: value for name, value in said.items() if name not in texts}
    if rest or not isinstance(info, dict):
        bag["info"] = rest if isinstance(info, dict) else info
    if licenses != _plain_licenses(names):
        bag["licenses"] = licenses
    if root:
        bag["root"] = root
    return Info(**texts, licenses=names, extra={owner: bag} if bag else {})


_INFO = ("description", "version", "url")


def encode_head(info: Info, owner: str) -> dict[str, Any]:
    """Fields of a document besides the three lists."""
    bag = info.extra.get(owner, {})
    return {"info": _encode_info(info, bag), "licenses": _encode_licenses(info, bag), **bag.get("root", {})}


def _encode_info(info: Info, bag: Mapping[str, Any]) -> Any:
    stored = bag.get("info", {})
    said = {name: text for name in _INFO if (text := getattr(info, name)) is not None}
    return {**stored, **said} if isinstance(stored, dict) else said or stored


def _encode_licenses(info: Info, bag: Mapping[str, Any]) -> Any:
    stored = bag.get("licenses")
    listed = [x for x in stored if isinstance(x, dict) and x.get("name")] if isinstance(stored, list) else []
    unchanged = "licenses" in bag and tuple(str(x["name"]) for x in listed) == info.licenses
    return stored if unchanged else _plain_licenses(info.licenses)


def _plain_licenses(names: Sequence[str]) -> list[dict[str, Any]]:
    return [{"id": number, "name": name, "url": ""} for number, name in enumerate(names, 1)]


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
    return {**record, **{k: v for k, v in extra.items() if k not in record and k != "size"}}


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
