"""CVAT for images 1.1: one ``annotations.xml`` with an element per image, the images in ``images/``.

- ``meta`` = name, classes, skeletons, declared attributes; the rest is kept in ``extra["cvat"]``.
- ``image`` = image: ``id``, ``name``, ``width``, ``height``; ``subset`` = split. One that holds nothing is an empty image.
- ``tag`` = image-level label; all other elements: see ``shapes``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from labelglot import native
from labelglot.geometry import signed_area
from labelglot.images import is_image
from labelglot.plugin import (
    TEXT,
    Annotation,
    AttributeSpec,
    Box,
    Boxes,
    Columns,
    Content,
    Dataset,
    Document,
    File,
    Holds,
    IndexEntry,
    Label,
    LabelglotError,
    LabelHolds,
    Match,
    Naming,
    Options,
    Piece,
    Pieces,
    Polygon,
    Problem,
    ReadContext,
    Records,
    Report,
    RotatedBox,
    Sample,
    Shape,
    Source,
    Tag,
    TagHolds,
    WriteContext,
    as_columns,
    under,
)
from labelglot.schema import Attribute
from labelglot.wire.xml import XML_TEXT, Element, parse, quote, start_tag
from pydantic import Field

from labelglot_cvat.labels import write_labels
from labelglot_cvat.meta import OWNER, write_meta
from labelglot_cvat.scan import USUAL, documents, evidence, take_apart, with_splits
from labelglot_cvat.shapes import (
    RESERVED,
    Misfit,
    Scene,
    draw,
    further,
    quoted,
    read_annotation,
    read_attributes,
    read_group,
    values_of,
    write_attributes,
    write_boxes,
    write_rings,
)

DOCUMENT = "annotations.xml"
NAMES = rf"(?=.){XML_TEXT}"
UNSPLIT = "(none)"
"""Folder of images without subset where others have one; no subset can be called like this."""
COMMON = Holds(
    geometry=(
        frozenset({"box", "rotated_box", "polygon", "mask", "polyline", "points", "ellipse", "cuboid", "keypoints"}),
    ),
    polygon_parts=False,
    polygon_holes=False,
    keypoint_visibility="coco",
    labels=LabelHolds(names=NAMES, required=False, color=True, keypoints=True, skeleton=True, attributes=True),
    attributes=TEXT,
    flags={"occluded": frozenset({"bool"})},
    defaults={"occluded": False},
    group="int",
    info=frozenset({"name"}),
    extra=frozenset({OWNER}),
)


class CvatReadOptions(Options):
    """Options of the readers."""

    typed: bool = Field(
        default=False,
        title="Typed attributes",
        description="read checkboxes as true or false and numbers as numbers; otherwise values are text, as written",
    )


class Record(NamedTuple):
    """An image element, not parsed. ``again``: number of earlier images with the same name and subset."""

    line: int
    data: bytes
    name: str
    subset: str | None
    again: int = 0


class Shared(NamedTuple):
    """What the images of a document have in common."""

    points: Mapping[str, tuple[str, ...]]
    specs: Mapping[tuple[str | None, str], AttributeSpec]


class CvatImages(Document):
    """Every shape CVAT draws, on images."""

    id = "cvat-images"
    name = "CVAT for images 1.1"
    aliases = ("cvat",)
    url = "https://docs.cvat.ai/docs/manual/advanced/formats/format-cvat/"
    documents = (".xml",)
    takes_columns = True
    holds = COMMON.replace(
        tags=TagHolds(labels="many", attributes=TEXT),
        sample_ids="int",
        sample_ids_required=True,
        splits="any",
        naming=Naming(scope="split"),
    )
    separator = b""

    class ReadOptions(CvatReadOptions):
        """Options of the reader."""

        sort: bool = Field(
            default=False,
            title="Sort by z_order",
            description="order the objects of an image from back to front; otherwise they stay as in the file",
        )

    def detect(self, source: Source) -> Match | None:
        return recognise(source, "images")

    def inputs(self, context: ReadContext) -> Sequence[tuple[str, str | None]]:
        names = [name for name, _ in documents(context.source, "images")]
        return with_splits(names or context.source.match("*.xml"))

    def load(self, path: str, context: ReadContext) -> Content:
        parts = take_apart(path, "images", context)
        records = []
        for element in parts.elements:
            attributes = start_tag(element.data)
            subset = attributes.get("subset") or parts.meta.subset
            records.append(Record(element.line, element.data, attributes.get("name", ""), subset))
        return Content(records, parts.labels, parts.meta.info, Shared(parts.points, specs_of(parts.labels, context)))

    def parse(self, data: bytes, path: str, context: ReadContext) -> Content:
        raise NotImplementedError("the document is read as a stream")

    def read(self, context: ReadContext) -> Dataset:
        dataset = super().read(context)
        assert isinstance(dataset.samples, Records)
        decode: Any = dataset.samples.decode
        opened = [(path, split) for path, split, _ in decode.opened]
        records: list[tuple[int, Record]] = []
        taken: dict[tuple[str, str | None, str], int] = {}
        for number, record in dataset.samples.records:
            path, split = opened[number]
            key = (path.rpartition("/")[0], record.subset or split, record.name)
            again = taken[key] = taken.get(key, -1) + 1
            if again and record.name:
                context.report.problem(
                    f"{self.id}.duplicate", f"the image {record.name!r} is there {again + 1} times", f"{path}:{record.line}",
                    action="kept under another name",
                )  # fmt: skip
                record = record._replace(again=again)
            records.append((number, record))
        context.reserve((_folder(opened[n][0]), r.name, _folders(opened[n][0], r.subset)) for n, r in records)

        def index() -> Iterator[IndexEntry]:
            for number, record in records:
                entry = _entry(record, *opened[number], context)
                if entry is not None:
                    yield entry

        return dataset.replace(samples=Records(records, dataset.samples.decode, index))

    def decode(
        self, record: Record, path: str, split: str | None, shared: Shared, context: ReadContext, report: Report
    ) -> Sample | None:
        root = parse(record.data, path, first=record.line)
        values = values_of(root)
        where = _place(record, path, context)
        scene = Scene(self.id, path, record.line, where.path, _size(values), shared.points, shared.specs, report)
        id_ = values.pop("id", None)
        if id_ is not None and not _is_whole(id_):
            scene.problem("id", f"the id {id_!r} of an image is no whole number", root, "left out")
            id_ = None
        for known in ("name", "subset", "width", "height"):
            values.pop(known, None)
        annotations, tags = self._objects(root, scene)
        if context.options.sort:
            annotations.sort(key=lambda a: a.extra.get(OWNER, {}).get("z_order", 0))
        subset = record.subset or split
        return Sample(
            path=where.path, id=None if id_ is None else int(id_), image=where.image, uri=where.uri, size=scene.size,
            splits=() if subset is None else (subset,), tags=tuple(tags), annotations=tuple(annotations),
            extra={OWNER: values} if values else {},
        )  # fmt: skip

    def _objects(self, root: Element, scene: Scene) -> tuple[list[Annotation], list[Tag]]:
        annotations: list[Annotation] = []
        tags: list[Tag] = []
        for element in root:
            values = values_of(element)
            label = values.pop("label", None)
            if label is None and element.tag in ("tag", *_SHAPES):
                scene.problem("label", f"a {element.tag} says nothing about its class", element, "kept without class")
            if element.tag == "tag":
                if label:
                    tags.append(_tag(element, values, label, scene))
                else:
                    scene.skip("tag", "a tag without class says nothing", element)
                continue
            annotation = read_annotation(element, values, label or None, scene, {})
            if annotation is not None:
                annotations.append(annotation)
        return annotations, tags

    def image_path(self, sample: Sample, context: WriteContext) -> str | None:
        mixed = any(split is not None for split in context.splits)
        return under("images", under(sample.split or (UNSPLIT if mixed else ""), sample.path))

    def document_path(self, split: str | None, context: WriteContext) -> str:
        return context.document(DOCUMENT)

    def frame(self, split: str | None, context: WriteContext) -> tuple[bytes, bytes]:
        return b'<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n', b"</annotations>\n"

    def encode_record(self, sample: Sample, context: WriteContext, ordinal: int) -> bytes:
        raise NotImplementedError("encode writes images")

    def encode_many(self, samples: Sequence[Sample], context: WriteContext) -> Iterable[Piece] | None:
        several: list[Columns] = []
        before: list[bytes] = []
        waiting = b""
        for sample in samples:
            columns = as_columns(sample.annotations)
            if sample.tags or (columns is None and sample.annotations):
                return None
            start = _head(sample)
            if columns is None:
                waiting += start + b"></image>\n"
                continue
            several.append(columns)
            before.append(waiting + start + b">\n")
            before += [b""] * (len(columns) - 1)
            waiting = _END
        objects = _spell_columns(several, before, context.once(_names)) if several else b""
        return None if objects is None else (Piece(DOCUMENT, objects + waiting),)

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece | Problem]:
        annotations = sample.annotations or ()
        names = context.once(_names)
        columns = as_columns(annotations)
        objects = None if columns is None else _spell_columns([columns], [b""] * len(columns), names)
        lines = _write_plain(annotations, names) if objects is None else []
        named = False
        labels = context.by_key
        closely = annotations if lines is None else ()
        lines = lines or []
        for position, a in enumerate(closely):
            try:
                lines.append(_write(a, labels))
            except Misfit as error:
                yield unwritten(self.id, error, position)
                continue
            if type(a.shape) is RotatedBox:
                yield from doubts(self.id, a.shape, lines[-1], position)
            named = named or bool(a.attributes)
        lines += [_write_tag(tag, context) for tag in sample.tags]
        body = (objects or b"") + "".join(lines).encode("utf-8", "replace")
        start = _head(sample)
        yield Piece(DOCUMENT, b"%b>\n%b%b" % (start, body, _END) if body else start + b"></image>\n")
        if named or any(tag.attributes for tag in sample.tags):
            yield from undeclared([*annotations, *sample.tags], context)

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        yield File(self.document_path(None, context), self._parts(context, pieces))

    def _parts(self, context: WriteContext, pieces: Pieces) -> Iterator[bytes]:
        before, after = self.frame(None, context)
        yield before
        labels = list(write_labels(context.labels, collected(pieces)))
        meta = write_meta(context.info, labels, context.splits, USUAL["images"], context.total)
        yield "".join(f"{line}\n" for line in meta).encode("utf-8", "replace")
        yield from pieces.stream(DOCUMENT)
        yield after


_SHAPES = frozenset({"box", "polygon", "polyline", "points", "ellipse", "cuboid", "mask", "skeleton"})
IMAGE = ("id", "name", "subset", "width", "height")
SHAPE = (
    "label", "occluded", "group_id", "points", "xtl", "ytl", "xbr", "ybr", "rotation", "cx", "cy", "rx", "ry", "rle", "left",
    "top", "width", "height", "visibility", "frame", "keyframe", "outside",
)  # fmt: skip


def recognise(source: Source, flavour: str) -> Match | None:
    """Whether there is a document of this flavour among the first XML files."""
    best: Match | None = None
    for name in source.match("*.xml")[:20]:
        seen = evidence(source.head(name, 1 << 12)) and evidence(source.head(name, 1 << 18))
        if not seen:
            continue
        if seen.certain and seen.flavour == flavour:
            what = "images" if flavour == "images" else "tracks"
            return Match(0.95, f"{name} has <annotations> with {what} in it")
        if not seen.certain:
            likely = 0.7 if seen.flavour == flavour else 0.3
            best = best or Match(likely, f"{name} has <annotations> with meta, but neither image nor track")
    return best


def specs_of(labels: Sequence[Any], context: ReadContext) -> dict[tuple[str | None, str], AttributeSpec]:
    """Declared attributes whose values the user wants converted."""
    if not context.options.typed:
        return {}
    return {(label.key, spec.name): spec for label in labels for spec in label.attributes}


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _folders(path: str, subset: str | None) -> tuple[str, ...]:
    """Where the images of a document may be."""
    images = under(_folder(path), "images")
    return (under(images, subset or UNSPLIT), images)


def _place(record: Record, path: str, context: ReadContext) -> Any:
    """Identity and file of an image. Frames of videos are listed without the suffix their files have."""
    if not record.name:
        raise LabelglotError("an image without name", f"{path}:{record.line}")
    where = context.place(record.name, _folder(path), _folders(path, record.subset))
    if where.image is not None and not is_image(where.path):
        suffix = where.image.path[where.image.path.rfind(".") :]
        where = where._replace(path=where.path + suffix)
    return where._replace(path=f"{record.again + 1}/{where.path}") if record.again else where


def _entry(record: Record, path: str, split: str | None, context: ReadContext) -> IndexEntry | None:
    """What the start tag of an image says. It stands for the image even if it cannot be decoded."""
    attributes = start_tag(record.data)
    try:
        place = _place(record, path, context).path
    except LabelglotError:
        place = record.name
    subset = record.subset or split
    splits = () if subset is None else (subset,)
    id_ = attributes.get("id", "")
    return IndexEntry(place, splits, _size(attributes), None, None, None, int(id_) if _is_whole(id_) else None)


def _is_whole(text: str) -> bool:
    return text.removeprefix("-").isdigit() and text.isascii() and len(text) < 19


def _size(values: Mapping[str, str]) -> tuple[int, int] | None:
    """Width and height of an image, ``None`` if they are not stated or make no sense."""
    try:
        width, height = (int(float(values.get(name, "0"))) for name in ("width", "height"))
    except (ValueError, OverflowError):
        return None
    return (width, height) if 0 < width < 1 << 31 and 0 < height < 1 << 31 else None


def _tag(element: Element, values: dict[str, str], label: str, scene: Scene) -> Tag:
    extra: dict[str, Any] = {}
    group = read_group(values, element, scene)
    if group is not None:
        extra["group_id"] = str(group)
    attributes: dict[str, Attribute] = {}
    read_attributes(element, label, scene, attributes)
    if values.get("source") == "manual":
        del values["source"]
    extra.update({key: value for key, value in values.items() if key == "source" or key not in RESERVED})
    return Tag(label=label, attributes=attributes, extra={OWNER: extra} if extra else {})


def _write_tag(tag: Tag, context: WriteContext) -> str:
    bag = tag.extra.get(OWNER)
    extra: Mapping[str, Any] = bag if isinstance(bag, dict) else {}
    source = quoted(str(extra.get("source", "manual")))
    head = f"    <tag label={quoted(context.name(tag.label))} source={source}{further(extra, ('label',))}"
    return closed(head, "tag", tuple(write_attributes(tag.attributes)))


@lru_cache(maxsize=8192)
def _said(name: str, source: str) -> str:
    return f"label={quote(name)} source={quote(source)}"


def _names(context: WriteContext) -> Mapping[str, str]:
    """What an element says besides its geometry, by the key of its class."""
    return {"": _said("", "manual"), **{label.key: _said(label.name, "manual") for label in context.labels}}


def _head(sample: Sample) -> bytes:
    """The start of the element of an image, up to the bracket that ends its tag."""
    bag = sample.extra.get(OWNER)
    size = "" if sample.size is None else f' width="{sample.size[0]}" height="{sample.size[1]}"'
    subset = "" if sample.split is None else f" subset={quoted(sample.split)}"
    rest = further(bag, IMAGE) if isinstance(bag, dict) else ""
    return f'  <image id="{sample.id}" name={quote(sample.path)}{subset}{rest}{size}'.encode("utf-8", "replace")


_END = b"  </image>\n"


def _spell_columns(several: Sequence[Columns], before: list[bytes], names: Mapping[str, str]) -> bytes | None:
    """The elements of objects that are all boxes, or all polygons, and nothing besides; ``None`` for others, or if that is not
    compiled. ``before``: what stands before each of them.
    """
    said = [names.get(label) for columns in several for label in columns.labels]
    if None in said or not all(columns.plain for columns in several):
        return None
    boxes = [columns.boxes for columns in several if columns.boxes is not None]
    shapes = [shape for columns in several for shape in columns.shapes or ()]
    if not boxes and len(shapes) == len(said) and type(shapes[0]) is Polygon:
        rings = [shape.parts[0][0] for shape in shapes]  # type: ignore[union-attr]
        outlined = (b"", b"    <polygon ", b' occluded="0" points="', b'" z_order="0"/>\n')
        return native.fill(outlined, (before, said, rings), len(said), b",", b";")
    if len(boxes) == len(several) and not shapes:
        numbers = Boxes.joined(boxes).numbers
        edges = [numbers[edge::4] for edge in range(4)]
        boxed = (b"", b"    <box ", b' occluded="0" xtl="', b'" ytl="', b'" xbr="', b'" ybr="', b'" z_order="0"/>\n')
        return native.fill(boxed, (before, said, *edges), len(said))
    return None


def _write_plain(annotations: Sequence[Annotation], names: Mapping[str, str]) -> list[str] | None:
    """The elements of objects that are all boxes, or all polygons, and nothing besides; ``None`` for any others.

    The numbers of all of them are spelled together.
    """
    boxes: Sequence[Box | None] | None
    shapes: Sequence[Shape | None] | None
    columns = as_columns(annotations)
    if columns is None:
        if any(a.attributes or a.extra or a.group is not None or a.keypoints is not None for a in annotations):
            return None
        boxes, shapes = [a.box for a in annotations], [a.shape for a in annotations]
        boxes, shapes = boxes if any(boxes) else None, shapes if any(shapes) else None
        said = [names.get(a.label or "") for a in annotations]
    elif columns.plain:
        boxes, shapes = columns.boxes, columns.shapes
        said = list(map(names.get, columns.labels))
    else:
        return None
    if None in said:
        return None
    try:
        if shapes is not None and boxes is None and set(map(type, shapes)) == {Polygon}:
            rings = write_rings([shape.parts[0][0] for shape in shapes])  # type: ignore[union-attr]
            drawn = zip(said, rings, strict=True)
            return [f'    <polygon {about} occluded="0" points="{ring}" z_order="0"/>\n' for about, ring in drawn]
        if boxes is not None and shapes is None and all(boxes):
            drawn = zip(said, write_boxes(boxes), strict=True)  # type: ignore[arg-type]
            return [f'    <box {about} occluded="0" {corners} z_order="0"/>\n' for about, corners in drawn]
    except (Misfit, IndexError):
        pass
    return None


def _write(a: Annotation, labels: Mapping[str, Label]) -> str:
    """The element of an object."""
    label = None if a.label is None else labels[a.label]
    name = "" if label is None else label.name
    points = label.keypoints if label is not None and a.keypoints is not None else None
    tag, geometry, inside = draw(a, points or ())
    attributes = a.attributes
    if not attributes and not a.extra and a.group is None and not inside:
        return f'    <{tag} {_said(name, "manual")} occluded="0" {geometry} z_order="0"/>\n'
    bag = a.extra.get(OWNER)
    extra: Mapping[str, Any] = bag if isinstance(bag, dict) else {}
    group = f' group_id="{a.group}"' if a.group is not None else ""
    occluded = "" if tag == "skeleton" else ' occluded="0"'
    if "occluded" in attributes:
        occluded = f' occluded="{int(attributes["occluded"] is True)}"'
        attributes = {key: value for key, value in attributes.items() if key != "occluded"}
    said = _said(name, str(extra.get("source", "manual")))
    drawn = f" {geometry}" if geometry else ""
    z_order = quote(extra.get("z_order", 0))
    head = f"    <{tag} {said}{occluded}{drawn} z_order={z_order}{group}{further(extra, SHAPE)}"
    return closed(head, tag, (*inside, *write_attributes(attributes)))


def closed(head: str, tag: str, lines: Sequence[str], depth: int = 2) -> str:
    """An element with lines inside, or none."""
    if not lines:
        return f"{head}/>\n"
    blanks = "  " * depth
    return f"{head}>\n" + "".join(f"{blanks}  {line}\n" for line in lines) + f"{blanks}</{tag}>\n"


def unwritten(format: str, error: Misfit, position: int) -> Problem:
    """The problem of an object that cannot be written."""
    return Problem(f"{format}.write", error.message, "error", object=position, action="skipped")


def doubts(format: str, shape: RotatedBox, element: str, position: int) -> Iterator[Problem]:
    """What CVAT's way to write a rotated box cannot say of its corners."""
    if element.lstrip().startswith("<polygon"):
        yield Problem(f"{format}.corners", "its corners form no rectangle", object=position, action="written as polygon")
    elif signed_area(shape.corners) < 0:
        message = "its corners run anticlockwise, which cannot be told from the other way round"
        yield Problem(f"{format}.corners", message, "info", object=position, action="written")


def undeclared(items: Sequence[Annotation | Tag], context: WriteContext) -> Iterator[Piece]:
    """Names of attributes of classes that do not declare them; ``meta`` lists them all the same."""
    found: dict[tuple[str, str], None] = {}
    for item in items:
        if item.label is None or not item.attributes:
            continue
        declared = {spec.name for spec in context.by_key[item.label].attributes}
        for name in item.attributes:
            if name not in declared and not (name == "occluded" and isinstance(item, Annotation)):
                found.setdefault((item.label, name))
    if found:
        yield Piece("attributes", b"".join(msgspec.json.encode(pair) + b"\n" for pair in found))


def collected(pieces: Pieces) -> dict[str, list[str]]:
    """All such names by class, in order of appearance."""
    found: dict[str, dict[str, None]] = {}
    for line in b"".join(pieces.stream("attributes")).splitlines():
        label, name = msgspec.json.decode(line, type=tuple[str, str])
        found.setdefault(label, {}).setdefault(name)
    return {label: list(names) for label, names in found.items()}
