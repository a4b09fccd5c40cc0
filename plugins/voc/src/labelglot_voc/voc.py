"""Pascal VOC detection: one XML file per image, lists of images per split, class lists for whole images.

- ``object/name`` = class, ``bndbox`` = box, ``polygon`` = polygon (one ring per element).
- ``pose``, ``truncated``, ``difficult``, ``occluded``, ``attributes/attribute`` and ``actions`` = attributes; flags
  are yes or no, all else is text. 0 and ``Unspecified`` say the same as nothing.
- ``ImageSets/Main/SPLIT.txt`` = splits, ``CLASS_SPLIT.txt`` = classes of the image, present or absent.
- ``path`` = uri. No XML = nobody has looked; XML without object = nothing there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

from labelglot.images import SourceImage, is_image
from labelglot.plugin import (
    PIXELS,
    TEXT,
    Annotation,
    Boxes,
    Dataset,
    File,
    Holds,
    IndexEntry,
    Info,
    LabelglotError,
    LabelHolds,
    Match,
    Naming,
    Options,
    Pair,
    PerImage,
    Piece,
    Pieces,
    ReadContext,
    Records,
    Report,
    Sample,
    Source,
    Tag,
    TagHolds,
    ValueKind,
    WriteContext,
    as_columns,
    image_size,
    labels_and_boxes,
    with_contents,
    with_suffix,
)
from labelglot.schema import Attribute, entry_of
from labelglot.schema.dataset import Decoder
from labelglot.wire.xml import XML_TEXT
from pydantic import Field

from labelglot_voc import labelmap, layout, quick
from labelglot_voc.annotation import (
    CONVENTIONS,
    Reading,
    annotation_of,
    escaped,
    parse_root,
    read_contents,
    write_columns,
    write_file,
    write_object,
)

YES_NO: frozenset[ValueKind] = frozenset({"bool", "str"})
VOC_FLAGS: dict[str, frozenset[ValueKind]] = {"truncated": YES_NO, "difficult": YES_NO, "occluded": YES_NO, "pose": TEXT}
VOC_DEFAULTS: dict[str, Attribute] = {"truncated": False, "difficult": False, "occluded": False, "pose": "Unspecified"}
PATH = r"[^\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]+"
SPLITS = rf"(?!{layout.NO_SPLIT}$)\w(?:[\w .+()-]*[\w+()-])?"
_TASK = re.compile(r"\w[\w .-]*")


class OriginOptions(Options):
    """The 1-based question, for readers."""

    origin: Literal["stated", "raw", "1-based"] = Field(
        default="stated",
        title="Origin of coordinates",
        description="raw: the numbers as they stand; 1-based: pixels counted from 1, the last one inside, as the "
        "challenge counts them; stated: what the dataset says of itself, raw where it says nothing",
    )


class VocWriteOptions(Options):
    """The 1-based question and whole numbers, for writers."""

    origin: Literal["as-read", "raw", "1-based"] = Field(
        default="as-read",
        title="Origin of coordinates",
        description="as-read: as the dataset was read if it was in this format, else raw; raw and 1-based: see the reader",
    )
    integers: bool = Field(
        default=False, title="Whole numbers", description="round coordinates, for tools that read them with int()"
    )


class Voc(PerImage):
    """Pascal VOC detection XML, as a devkit tree or beside the images."""

    id = "voc"
    name = "Pascal VOC detection XML"
    aliases = ("pascal-voc", "pascalvoc")
    url = "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/index.html"
    holds = Holds(
        geometry=(frozenset({"box"}), frozenset({"polygon"})),
        required=frozenset({"box"}),
        polygon_holes=False,
        labels=LabelHolds(names=XML_TEXT, color=True),
        attributes=TEXT,
        flags=VOC_FLAGS,
        defaults=VOC_DEFAULTS,
        tags=TagHolds(negative=True, order="labels"),
        uri=True,
        splits="any",
        several_splits=True,
        split_order="roles",
        split_names=SPLITS,
        unlabelled=True,
        naming=Naming(unique="stem", pattern=PATH),
        extra=frozenset({"voc"}),
    )
    geometry_bound_extra = frozenset({("voc", "part"), ("voc", "point")})
    takes_columns = True

    class ReadOptions(OriginOptions):
        """Options of the reader."""

    class WriteOptions(VocWriteOptions):
        """Options of the writer."""

        layout: Literal["devkit", "flat"] = Field(
            default="devkit",
            title="Folders",
            description="devkit: Annotations, JPEGImages and ImageSets; flat: each XML beside its image, one folder per split",
        )

    def holds_with(self, options: Any) -> Holds:
        holds = with_whole_numbers(self.holds, options.integers)
        if options.layout == "flat":
            naming = holds.naming.replace(scope="split")
            holds = holds.replace(splits="none", several_splits=False, tags=None, naming=naming)
        return holds

    def detect(self, source: Source) -> Match | None:
        return recognise(source)

    def read(self, context: ReadContext) -> Dataset:
        table = labelmap.find(context.source, context.report, self.id)
        context, info = with_origin(context, table, self.id)
        tree = self._tree(context, table)
        labels = labelmap.labels_of(table.classes, self.id) if table else list(tree.classes)
        tree.sort_tags([label if isinstance(label, str) else label.key for label in labels])
        decoder = self.decoder(context)
        records = Records(tree.pairs, decoder, Index(context.source, tree.pairs, decoder))
        return Dataset(records, labels, info, labels_complete=False)

    def pairs(self, context: ReadContext) -> Sequence[Pair]:
        return self._tree(context, labelmap.find(context.source, Report(), self.id)).pairs

    def _tree(self, context: ReadContext, table: labelmap.LabelMap | None) -> layout.Tree:
        beside = table is not None and table.beside
        files = list(context.source.match("*.xml")) if beside else annotation_files(context, self.id)
        tasks = ("Main", "", "Detection")
        return layout.survey(context, files, tasks, not (table and table.plain), self.id, beside)

    def decode(self, data: bytes | None, pair: Pair, context: ReadContext, report: Report) -> Sample | None:
        listed: layout.Listed = pair.more or layout.UNLISTED
        image = None if pair.image is None else SourceImage(context.source, pair.image)
        path, uri, size, annotations = pair.path or "", None, None, None
        extra: dict[str, Any] = {}
        if data is not None:
            boxes = CONVENTIONS[context.options.origin]
            read = quick.read(data, boxes) or read_file(data, Reading(self.id, pair.annotation or "", report, boxes))
            if read is None:
                return None
            contents, annotations = read
            path, other = identify(pair, contents.filename)
            uri, size, extra = contents.uri, contents.size, contents.extra
            if other is not None:
                extra["filename"] = other
            if image is not None:
                size = checked_size(size, annotations, image, Reading(self.id, pair.annotation or "", report))
        if listed.sets:
            extra["sets"] = {task: list(splits) for task, splits in listed.sets.items()}
        return Sample(
            path=path, image=image, uri=uri, size=size, splits=pair.splits, annotations=annotations,
            tags=tuple([_tag(name, value, self.id) for name, value in listed.tags]), extra={self.id: extra} if extra else {},
        )  # fmt: skip

    def annotation_path(self, sample: Sample, context: WriteContext) -> str:
        path = with_suffix(sample.path, ".xml")
        return path if context.options.layout == "flat" else f"Annotations/{path}"

    def image_path(self, sample: Sample, context: WriteContext) -> str | None:
        return sample.path if context.options.layout == "flat" else f"JPEGImages/{sample.path}"

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece]:
        if sample.annotations is not None or not is_stored(sample, context) or says_more(sample, self.id):
            yield File(self.annotation_path(sample, context), self.encode_file(sample, context))
        if context.options.layout == "devkit":
            yield from self._lists(sample, context)

    def encode_file(self, sample: Sample, context: WriteContext) -> bytes:
        boxes = CONVENTIONS[written_origin(context, self.id)]
        columns = as_columns(sample.annotations)
        objects = write_columns(columns, context.once(_names)) if columns is not None and boxes is PIXELS else None
        if objects is None:
            written = (
                write_object(a, escaped(context.name(a.label)), boxes, bag_of(a.extra, self.id))
                for a in sample.annotations or ()
            )
            objects = "".join(written).encode()
        bag = bag_of(sample.extra, self.id)
        return write_file(sample, str(bag.get("filename", sample.path)), objects, bag)

    def _lists(self, sample: Sample, context: WriteContext) -> Iterable[Piece]:
        id_ = with_suffix(sample.path, "")
        splits = sample.splits or (layout.NO_SPLIT,)
        line = f"{id_}\n".encode()
        for split in splits:
            yield Piece(f"ImageSets/Main/{split}.txt", line)
        if sample.tags:
            yield from self._class_lists(sample, context, id_, splits)
        for task, names in _sets(bag_of(sample.extra, self.id)):
            for title in names:
                yield Piece(f"ImageSets/{task}/{title}.txt", line)

    def _class_lists(self, sample: Sample, context: WriteContext, id_: str, splits: Sequence[str]) -> Iterable[Piece]:
        titles = context.once(_titles)
        for tag in sample.tags:
            value = "-1" if tag.negative else "0" if bag_of(tag.extra, self.id).get("value") == "0" else "1"
            title = titles[context.name(tag.label)]
            for split in splits:
                yield Piece(f"ImageSets/Main/{title}_{split}.txt", f"{id_} {value:>2}\n".encode())

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        origin = written_origin(context, self.id)
        stated, plain = None if origin == "raw" else origin, context.options.layout == "flat"
        yield File(labelmap.NAME, labelmap.write(context.labels, self.id, stated, plain=plain))
        for slot in pieces.slots():
            yield File(slot, pieces.stream(slot))


def _names(context: WriteContext) -> dict[str, bytes]:
    """Names of classes as XML text, by key."""
    return {label.key: escaped(label.name).encode() for label in context.labels}


_UNSAFE = re.compile(r'[%/\\:*?"<>|\x00-\x1f]')


def _titles(context: WriteContext) -> dict[str, str]:
    """Each class name as it stands in the names of lists: apart from all others without regard to case, and from the
    lists of splits. ``unquote`` gives the name back.
    """
    lists = [str(split).casefold() for split in context.splits]
    taken: set[str] = set()
    titles: dict[str, str] = {}
    for name in (label.name for label in context.labels):
        title = _UNSAFE.sub(_percent, name)
        if title.casefold() in taken or any(each.startswith(title.casefold() + "_") for each in lists):
            title = re.sub(r".", _percent, name)
        taken.add(title.casefold())
        titles[name] = title
    return titles


def _percent(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode())


def with_whole_numbers(holds: Holds, integers: bool) -> Holds:
    """The declaration where the writer rounds."""
    if not integers:
        return holds
    whole = PIXELS.replace(integer=True)
    return holds.replace(boxes=whole, points=whole)


def with_origin(context: ReadContext, table: labelmap.LabelMap | None, code: str) -> tuple[ReadContext, Info]:
    """The context with the origin settled, and the info that remembers it for a writer of this format."""
    origin = context.options.origin
    if origin == "stated":
        origin = (table.origin if table else None) or "raw"
    settled = ReadContext(context.source, context.options.model_copy(update={"origin": origin}), context.report)
    return settled, Info(extra={code: {"origin": origin}} if origin != "raw" else {})


def written_origin(context: WriteContext, code: str) -> str:
    """The origin a writer uses: the one chosen, else the one the dataset was read with."""
    origin = context.options.origin
    if origin != "as-read":
        return str(origin)
    return "1-based" if bag_of(context.info.extra, code).get("origin") == "1-based" else "raw"


def bag_of(extra: Mapping[str, Any], code: str) -> Mapping[str, Any]:
    """The part of an extra that belongs to a format; empty if it is not what this format would have put there."""
    bag = extra.get(code) if extra else None
    return bag if isinstance(bag, dict) else {}


def is_stored(sample: Sample, context: WriteContext) -> bool:
    """Whether the image file in the target will tell a reader the name and size of the image."""
    return context.images and sample.image is not None and is_image(sample.path)


def says_more(sample: Sample, code: str) -> bool:
    """Whether an image nobody has looked at has something to say that only an annotation file can hold."""
    return sample.uri is not None or any(key != "sets" for key in bag_of(sample.extra, code))


def annotation_files(context: ReadContext, code: str) -> list[str]:
    """The XML files of a source: those in ``Annotations`` if there is such a folder, else all."""
    files = list(context.source.match("*.xml"))
    inside = [path for path in files if path.startswith("Annotations/") or "/Annotations/" in path]
    if inside and len(inside) < len(files):
        for path in set(files) - set(inside):
            message = "an XML file outside of Annotations is not read"
            context.report.problem(f"{code}.stray", message, path, severity="info", action="left out")
    return inside or files


def read_file(data: bytes, how: Reading) -> quick.Read | None:
    """A whole annotation file with all its surprises; ``None`` if it is XML of another kind."""
    root = parse_root(data, how)
    if root is None:
        return None
    contents = read_contents(root, how)
    found = (annotation_of(element, how) for element in contents.objects)
    return quick.Read(contents, tuple(a for a in found if a is not None) if contents.labelled else None)


class Index:
    """Names and classes of a tree at a glance; only files out of the ordinary are read in full."""

    def __init__(self, source: Source, pairs: Sequence[Pair], decoder: Decoder) -> None:
        self.source, self.pairs, self.decoder = source, pairs, decoder

    def __call__(self) -> Iterator[IndexEntry]:
        return self.entries_of(self.pairs, 0)

    def entries_of(self, records: Sequence[Pair], ordinal: int) -> Iterator[IndexEntry]:
        """The entries of some pairs."""
        unheard = Report()
        for place, (pair, data) in enumerate(with_contents(self.source, records), ordinal):
            try:
                if data is None and pair.annotation is not None:
                    data = self.source.read(pair.annotation)
                entry = self.entry(pair, data)
            except LabelglotError:
                entry = None
            if entry is not None:
                yield entry
                continue
            sample = self.decoder(pair, place, unheard)
            if sample is not None:
                yield entry_of(sample)

    def entry(self, pair: Pair, data: bytes | None) -> IndexEntry | None:
        """What a look at a file tells; ``None`` if it has to be read."""
        seen = quick.Glance(None, {}) if data is None else quick.glance(data)
        return None if seen is None else glanced(identify(pair, seen.filename)[0], pair.splits, seen.classes)


def glanced(path: str, splits: tuple[str, ...], classes: Mapping[str | None, int]) -> IndexEntry:
    """An index entry of what was seen at a glance."""
    labels = {name: number for name, number in classes.items() if name is not None} if None in classes else classes
    return IndexEntry(path, splits, None, None, sum(classes.values()), labels)  # type: ignore[arg-type]


def identify(pair: Pair, filename: str | None) -> tuple[str, str | None]:
    """The path of the image - that of its file, else the path of the XML with the suffix of the name in it - and the
    name where it says something else.
    """
    path = pair.path or ""
    if filename is None:
        return path, None
    short = path.rpartition("/")[2]
    suffix = filename[len(short) :]
    if pair.image is None and short and filename.startswith(short) and _SUFFIX.fullmatch(suffix):
        return path + suffix, None
    for name in (filename, filename.strip()):
        full = path if pair.image is not None else with_suffix_of(path, name)
        short = full.rpartition("/")[2]
        if name in (full, short) or (pair.image is not None and name == with_suffix(short, "")):
            return full, None
    return full, name


_SUFFIX = re.compile(r"\.\w+")


def with_suffix_of(path: str, name: str) -> str:
    """A path that lacks its suffix, with that of a file name, if the name is the path's or that of an image."""
    short, base = path.rpartition("/")[2], name.replace("\\", "/").rpartition("/")[2]
    stem = with_suffix(base, "")
    return path + base[len(stem) :] if base != short and (stem == short or is_image(base)) else path


def checked_size(
    size: tuple[int, int] | None, annotations: Sequence[Annotation] | None, image: SourceImage, how: Reading, always: bool = False
) -> tuple[int, int] | None:
    """The size stated; where a box is far outside of it (or ``always``), it is in doubt, and the image itself decides."""
    if size is None or not (always or _far(annotations, size[0] + 1, size[1] + 1)):
        return size
    real = image_size(image)
    if real is None or real == size:
        return size
    message = f"the size is stated as {size[0]} x {size[1]}, the image has {real[0]} x {real[1]}"
    how.problem("size", message, action="the image's size is used")
    return real


def _far(annotations: Sequence[Annotation] | None, right: float, bottom: float) -> bool:
    """Whether a box goes beyond."""
    boxes = labels_and_boxes(annotations)[1]
    extent = boxes.extent if isinstance(boxes, Boxes) else None
    if extent is not None:
        return extent[2] > right or extent[3] > bottom
    return any(box[2] > right or box[3] > bottom for box in boxes)


@lru_cache(maxsize=4096)
def _tag(name: str, value: str, code: str) -> Tag:
    """What a line of a class list says. The same few occur for every image, so each is made once."""
    return Tag(label=name, negative=value == "-1", extra={code: {"value": value}} if value == "0" else {})


def _sets(bag: Mapping[str, Any]) -> Iterable[tuple[str, list[str]]]:
    """Lists of other tasks an image is in. They become paths, so only plain names count."""
    sets = bag.get("sets")
    for task, titles in sets.items() if isinstance(sets, dict) else ():
        if isinstance(titles, list | tuple) and isinstance(task, str) and _TASK.fullmatch(task):
            yield task, [title for title in titles if isinstance(title, str) and _TASK.fullmatch(title)]


LOOKED_AT = 8
"""XML files that detection opens."""


def recognise(source: Source) -> Match | None:
    """What a few of the XML files, and the folders, say."""
    files = source.match("*.xml")
    lists = [path for path in source.match("*.txt") if "ImageSets" in path.split("/")[:-1]]
    main = any("/Main/" in f"/{path}" for path in lists)
    step = max(1, len(files) // LOOKED_AT)
    best: Match | None = None
    for path in files[::step][:LOOKED_AT]:
        found = _look(source.head(path, 1 << 15), path)
        if found is not None and (best is None or found.confidence > best.confidence):
            best = found
    if best is not None and best.confidence == 0.3 and main:
        return Match(0.7, "XML files with root annotation, and lists in ImageSets/Main")
    if best is None and main:
        return Match(0.6, "lists of images in ImageSets/Main")
    return best


_SIBLINGS = (
    (re.compile(rb"<robndbox>|<type>bndbox<"), "rotated boxes as roLabelImg writes them"),
    (re.compile(rb"<trackid>"), "tracks as in ImageNet VID"),
    (re.compile(rb"<database>ILSVRC_"), "an ImageNet annotation"),
    (re.compile(rb"<polygon>\s*<pt>|<polygon>\s*<username>|<imagesize>|<segm>"), "an annotation of LabelMe's web tool"),
)


def _look(head: bytes, path: str) -> Match | None:
    if b"<annotation" not in head or b"<annotations" in head:
        return None
    for pattern, what in _SIBLINGS:
        if pattern.search(head):
            return Match(0.2, f"{path} is {what}")
    if b"<bndbox>" in head:
        return Match(0.85, f"{path} has root annotation and object/bndbox")
    return Match(0.3, f"{path} has root annotation, but no object")
