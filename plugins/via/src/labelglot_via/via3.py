"""VIA 3 projects (and its CSV, for reading): files, views of them, and metadata with coordinates in time and space.

- ``POINT``, ``RECTANGLE``, ``CIRCLE``, ``ELLIPSE`` (never turned), ``LINE``, ``POLYLINE``, ``POLYGON``, rectangles and
  circles through boundary points = points, box, ellipse, polyline, polygon.
- An attribute of regions with options is the class; others are text attributes.
- Attributes of a whole file: one called like the class, with options = classes of the image, ``caption`` = caption.
- A frame of a video is an image ``NAME#t=SECONDS``.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import hypot, isfinite
from typing import Any, NamedTuple
from zlib import crc32

import msgspec
from labelglot.geometry import from_xywh, ring_bounds, to_xywh
from labelglot.images import BytesImage, ImageHandle
from labelglot.plugin import (
    NO_VALUE,
    PIXELS_XYWH,
    TEXT,
    Annotation,
    Box,
    Content,
    Dataset,
    Document,
    Ellipse,
    File,
    Holds,
    Info,
    Label,
    LabelglotError,
    LabelHolds,
    Match,
    Piece,
    Pieces,
    Points,
    Polygon,
    Polyline,
    ReadContext,
    Report,
    Ring,
    Sample,
    Shape,
    Source,
    Tag,
    TagHolds,
    WriteContext,
    make_labels,
)
from labelglot.wire import json

from labelglot_via.regions import CLASS_KEYS, ViaReadOptions, ViaWriteOptions

POINT, RECTANGLE, CIRCLE, ELLIPSE, LINE, POLYLINE, POLYGON, EXTREME_RECTANGLE, EXTREME_CIRCLE = range(1, 10)
TEXT_FIELD, CHECKBOX, RADIO, SELECT, IMAGE_CHOICE = range(1, 6)
CHOICES = (RADIO, SELECT, IMAGE_CHOICE)
IMAGE, VIDEO = 2, 4
LOCAL, HTTP, FILE_URI, INLINE = 1, 2, 3, 4
OF_FILE, OF_REGION = "FILE1_Z0_XY0", "FILE1_Z0_XY1"
PARTS = ("project", "config", "attribute", "file", "view", "metadata")
PROJECT = {
    "pid": "__VIA_PROJECT_ID__", "rev": "__VIA_PROJECT_REV_ID__", "rev_timestamp": "__VIA_PROJECT_REV_TIMESTAMP__",
    "creator": "VGG Image Annotator (http://www.robots.ox.ac.uk/~vgg/software/via)", "created": 0,
}  # fmt: skip
CONFIG = {"file": {"loc_prefix": {"1": "", "2": "", "3": "", "4": ""}}, "ui": {}}
MARK = b"# Exported using VGG Image Annotator"
CLASS, IMAGE_CLASS, CAPTION = "1", "2", "3"
"""Ids of the attributes the writer always declares."""


class _Attribute(msgspec.Struct):
    aname: str
    anchor_id: str = OF_REGION
    type: int = TEXT_FIELD
    options: dict[str, str] = {}


class _File(msgspec.Struct):
    fname: str = ""
    type: int = IMAGE
    loc: int = LOCAL
    src: str = ""


class _Entry(msgspec.Struct):
    vid: str | int
    z: list[float] = []
    xy: list[float] = []
    av: dict[str, Any] = {}
    flg: int = 0


class Record(NamedTuple):
    """An image or a frame, with its metadata: place and content of each. ``time``: seconds, for a frame."""

    file: _File
    time: float | None
    entries: tuple[tuple[str, _Entry], ...]


class Shared(NamedTuple):
    """``attributes``: by id; ``label``: id of the attribute that is the class; ``prefixes``: before the sources."""

    attributes: Mapping[str, _Attribute]
    label: str | None
    prefixes: Mapping[str, str]


class Via3(Document):
    """Regions with a class and text attributes, without sizes."""

    id = "via3"
    name = "VIA 3 project (VGG Image Annotator)"
    url = "https://www.robots.ox.ac.uk/~vgg/software/via/"
    survey = "full"
    holds = Holds(
        geometry=(frozenset({"box", "polygon", "polyline", "points", "ellipse"}),),
        boxes=PIXELS_XYWH,
        polygon_parts=False,
        polygon_holes=False,
        several_points=False,
        ellipses="upright",
        labels=LabelHolds(required=False),
        attributes=TEXT,
        flags={"label": NO_VALUE},
        tags=TagHolds(captions="one"),
        size=False,
        uri=True,
        sample_attributes=TEXT,
        info=frozenset({"name"}),
        extra=frozenset({"via3"}),
    )
    geometry_bound_extra = frozenset({("via3", "xy")})

    class ReadOptions(ViaReadOptions):
        """Which of the attributes is the class."""

    class WriteOptions(ViaWriteOptions):
        """Which attribute is the class."""

    def holds_with(self, options: Any) -> Holds:
        return self.holds.replace(flags={options.label_key: NO_VALUE})

    def detect(self, source: Source) -> Match | None:
        for name in source.match("*.json", "*.csv")[:20]:
            if _is_project(source, name):
                return Match(0.95, f"{name} is a VIA 3 project")
            if _is_csv(source, name):
                return Match(0.95, f"{name} says that VIA exported it")
        return None

    def inputs(self, context: ReadContext) -> Sequence[tuple[str, str | None]]:
        source = context.source
        names = source.match("*.json")
        found = [name for name in names if _is_project(source, name)]
        found = found or [name for name in source.match("*.csv") if _is_csv(source, name)]
        return [(name, None) for name in found or names]

    def read(self, context: ReadContext) -> Dataset:
        return super().read(context).replace(labels_complete=False)

    def parse(self, data: bytes, path: str, context: ReadContext) -> Content:
        report = context.report
        raw = _from_csv(data, path, report) if path.lower().endswith(".csv") else json.load(data, path, dict[str, Any])
        parts = {name: _object(raw.get(name)) for name in PARTS}
        if not parts["file"] and "file" not in raw:
            raise LabelglotError("it lists no files", path)
        attributes = _items(parts["attribute"], _Attribute, f"{path}#attribute", report)
        files = _items(parts["file"], _File, f"{path}#file", report)
        entries = _items(parts["metadata"], _Entry, f"{path}#metadata", report)
        label = _class_attribute(attributes, context.options.label_key)
        prefixes = _object(_object(parts["config"].get("file")).get("loc_prefix"))
        shared = Shared(attributes, label, {k: v for k, v in prefixes.items() if isinstance(v, str)})
        records = _records(files, parts["view"], entries, path, report)
        names = [_named(record, shared)[0] for record in records]
        return Content(records, _labels(attributes, label), _info(raw, attributes, label), shared, names)

    def decode(
        self, record: Record, path: str, split: str | None, shared: Shared, context: ReadContext, report: Report
    ) -> Sample | None:
        name, uri = _named(record, shared)
        where = context.place(name, path.rpartition("/")[0])
        inline = _inline(record.file) if where.image is None else None
        image: ImageHandle | None = None if record.time is not None else where.image or inline
        reader = _Reader(shared, where.path, report)
        annotations: list[Annotation] = []
        tags: list[Tag] = []
        about: dict[str, Any] = {}
        for place, entry in record.entries:
            if entry.xy:
                annotations += reader.region(entry, place)
            else:
                said, values = reader.of_file(entry, place)
                tags += said
                about |= values
        extra = {} if record.file.loc != INLINE else {"src": record.file.src}
        return Sample(
            path=where.path, uri=uri or where.uri, image=image, tags=tuple(tags), attributes=about,
            sequence=None if record.time is None else record.file.fname, timestamp=record.time,
            annotations=tuple(annotations), extra={self.id: extra} if extra and image is None else {},
        )  # fmt: skip

    def document_path(self, split: str | None, context: WriteContext) -> str:
        return context.document("via3_project.json")

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece]:
        path = self.document_path(None, context)
        number = str(ordinal + 1)
        name = sample.path.rpartition("/")[2] if sample.uri is None else sample.path
        loc = LOCAL if sample.uri is None else FILE_URI if sample.uri.startswith("file:") else HTTP
        file = {"fid": number, "fname": name, "type": IMAGE, "loc": loc, "src": sample.uri or sample.path}
        yield _member(f"{path}#file", number, {**file, **_inline_again(sample)})
        yield _member(f"{path}#view", number, {"fid_list": [number]})
        yield Piece(f"{path}#vid_list", json.dump(number))
        writer = _Writer(context)
        of_file = writer.of_file(sample)
        if of_file:
            yield _member(
                f"{path}#metadata", f"{number}_0", {"vid": number, "flg": 0, "z": [], "xy": [], "av": of_file}
            )
        for position, annotation in enumerate(sample.annotations or (), 1):
            yield _member(f"{path}#metadata", f"{number}_{position}", writer.region(annotation, number))
        if sample.attributes:
            yield Piece(f"{path}#attributes", b",".join(json.dump(name) for name in sample.attributes))

    def encode_record(self, sample: Sample, context: WriteContext, ordinal: int) -> bytes:
        return b""

    def frame(self, split: str | None, context: WriteContext) -> tuple[bytes, bytes]:
        return b"", b""

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        path = self.document_path(None, context)
        yield File(path, self._whole(path, context, pieces))

    def _whole(self, path: str, context: WriteContext, pieces: Pieces) -> Iterator[bytes]:
        extra = context.info.extra.get(self.id, {})
        project = {**PROJECT, **_object(extra.get("project")), "pname": context.info.name or ""}
        yield b'{"project":' + json.dump(project)[:-1] + b',"vid_list":['
        yield from pieces.stream(f"{path}#vid_list")
        yield b']},"config":' + json.dump({**CONFIG, **_object(extra.get("config"))})
        names = json.load(b"[" + b"".join(pieces.stream(f"{path}#attributes")) + b"]", path, list[str])
        yield b',"attribute":' + json.dump(_Writer(context).declarations(sorted(set(names))))
        for part in ("file", "view", "metadata"):
            yield f',"{part}":{{'.encode()
            yield from pieces.stream(f"{path}#{part}")
            yield b"}"
        further = {k: v for k, v in extra.items() if k not in ("project", "config", "attribute", "class")}
        yield (b"," + json.dump(further)[1:-1] if further else b"") + b"}\n"


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _items_of(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _member(slot: str, key: str, value: Any) -> Piece:
    return Piece(slot, json.dump(key) + b":" + json.dump(value))


def _is_project(source: Source, name: str) -> bool:
    value = json.peek(source.head(name, 1 << 14)) if name.lower().endswith(".json") else None
    return (
        isinstance(value, dict)
        and {"project", "config", "attribute"} <= value.keys()
        and "pid" in _object(value["project"])
    )


def _is_csv(source: Source, name: str) -> bool:
    return name.lower().endswith(".csv") and MARK in source.head(name, 1024)


def _items(part: Mapping[str, Any], kind: Any, place: str, report: Report) -> dict[str, Any]:
    """The members of a part that are what they should be, by id."""
    found = {key: json.load_item(value, kind, f"{place}.{key}", report, "via3.record") for key, value in part.items()}
    return {key: value for key, value in found.items() if value is not None}


def _class_attribute(attributes: Mapping[str, _Attribute], wanted: str | None) -> str | None:
    """Id of the attribute that is the class: the one asked for, else the first of regions that has options, else the
    first text of regions with a likely name.
    """
    of_regions = {aid: a for aid, a in attributes.items() if a.anchor_id.endswith("XY1")}
    if wanted is not None:
        return next((aid for aid, a in of_regions.items() if a.aname == wanted), None)
    chosen = [aid for aid, a in of_regions.items() if a.options]
    named = [aid for name in CLASS_KEYS for aid, a in of_regions.items() if a.aname == name]
    return next(iter([*chosen, *named]), None)


def _labels(attributes: Mapping[str, _Attribute], label: str | None) -> tuple[Label, ...]:
    """The options of the class attribute; one whose id is not its position is kept."""
    options = attributes[label].options if label is not None else {}
    return make_labels(
        Label(key=text, name=text, extra={} if oid == str(i) else {"via3": {"option": oid}})
        for i, (oid, text) in enumerate(options.items(), 1)
    )


def _info(raw: Mapping[str, Any], attributes: Mapping[str, _Attribute], label: str | None) -> Info:
    project = _object(raw.get("project"))
    name = project.get("pname")
    further = {k: v for k, v in project.items() if k not in ("pname", "vid_list") and PROJECT.get(k) != v}
    config = {k: v for k, v in _object(raw.get("config")).items() if k != "file" and CONFIG.get(k) != v}
    extra: dict[str, Any] = json.rest(raw, PARTS)
    declared = _object(raw.get("attribute"))
    if label is not None:
        usual = _declared("label", OF_REGION, SELECT, {})
        own = {k: v for k, v in declared[label].items() if k != "options" and usual.get(k) != v}
        extra |= {"class": own} if own else {}
    chosen = {aid: declared[aid] for aid, a in attributes.items() if aid != label and a.type in CHOICES}
    extra |= {k: v for k, v in (("project", further), ("config", config), ("attribute", chosen)) if v}
    return Info(name=name if isinstance(name, str) and name else None, extra={"via3": extra} if extra else {})


def _declared(name: str, anchor: str, kind: int, options: Mapping[str, str]) -> dict[str, Any]:
    return {
        "aname": name, "anchor_id": anchor, "type": kind, "desc": "", "options": dict(options), "default_option_id": "",
    }  # fmt: skip


def _records(
    files: Mapping[str, _File], views: Mapping[str, Any], entries: Mapping[str, _Entry], path: str, report: Report
) -> list[Record]:
    """One record per image, and per frame of a video that has metadata."""
    shown: dict[str, str] = {}
    for vid, view in views.items():
        listed = [str(fid) for fid in _items_of(_object(view).get("fid_list")) if str(fid) in files]
        first = next((fid for fid in listed if files[fid].type == IMAGE), next(iter(listed), None))
        if first is not None:
            shown[vid] = first
    found: dict[tuple[str, float | None], list[tuple[str, _Entry]]] = {
        (fid, None): [] for fid, file in files.items() if file.type == IMAGE
    }
    for mid, entry in entries.items():
        place = f"{path}#metadata.{mid}"
        fid = shown.get(str(entry.vid))
        if fid is None:
            report.problem("via3.view", f"there is no view {entry.vid}", place, severity="error", action="skipped")
        elif files[fid].type == IMAGE:
            found[fid, None].append((place, entry))
        elif files[fid].type == VIDEO and len(entry.z) == 1:
            found.setdefault((fid, entry.z[0]), []).append((place, entry))
        else:
            report.problem(
                "via3.segment", "it is about a stretch of time, not an image", place, severity="error", action="skipped"
            )
    return [Record(files[fid], time, tuple(about)) for (fid, time), about in found.items()]


def _named(record: Record, shared: Shared) -> tuple[str, str | None]:
    """The name of the image, and where it is if that is not beside the project."""
    file = record.file
    if record.time is not None:
        return f"{file.fname}#t={record.time:g}", None
    if file.loc == LOCAL:
        return shared.prefixes.get("1", "") + (file.src or file.fname), None
    if file.loc == INLINE:
        return file.fname, None
    source = shared.prefixes.get(str(file.loc), "") + file.src
    return file.fname or source, source


def _inline(file: _File) -> BytesImage | None:
    if file.loc != INLINE or not file.src.startswith("data:"):
        return None
    try:
        return BytesImage(file.fname, base64.b64decode(file.src.partition(",")[2], validate=True))
    except (binascii.Error, ValueError):
        return None


def _inline_again(sample: Sample) -> dict[str, Any]:
    source = sample.extra.get("via3", {}).get("src")
    return {} if source is None else {"loc": INLINE, "src": source}


class _Reader:
    def __init__(self, shared: Shared, key: str, report: Report) -> None:
        self.shared, self.key, self.report = shared, key, report

    def region(self, entry: _Entry, place: str) -> list[Annotation]:
        """The objects of a region: one, or one for each class that is ticked."""
        try:
            box, shape = _geometry(entry.xy)
        except LabelglotError as error:
            code = "via3.number" if "finite" in error.message else "via3.region"
            self.report.problem(
                code, error.message, place, severity="error", key=self.key, raw=entry.xy, action="skipped"
            )
            return []
        extra: dict[str, Any] = {} if entry.flg == 0 else {"flg": entry.flg}
        if entry.xy[0] in (EXTREME_RECTANGLE, EXTREME_CIRCLE):
            extra["xy"] = entry.xy
        values = dict(entry.av)
        labels = self._chosen(self.shared.label, values.pop(self.shared.label, None)) if self.shared.label else []
        made = Annotation(box=box, shape=shape, attributes=self._values(values), extra={"via3": extra} if extra else {})
        if len(labels) > 1:
            self.report.problem(
                "via3.classes", f"a region of {len(labels)} classes", place, severity="info", key=self.key,
                action="one object for each",
            )  # fmt: skip
        return [made.replace(label=label) for label in labels] or [made]

    def of_file(self, entry: _Entry, place: str) -> tuple[list[Tag], dict[str, Any]]:
        """What is said of the whole image."""
        tags: list[Tag] = []
        rest: dict[str, Any] = {}
        own = self.shared.attributes.get(self.shared.label or "")
        names = {"label", own.aname if own else "label"}
        for aid, value in entry.av.items():
            attribute = self.shared.attributes.get(aid)
            if attribute is not None and attribute.options and attribute.aname in names:
                tags += [Tag(label=name) for name in self._chosen(aid, value)]
            elif attribute is not None and attribute.aname == "caption" and isinstance(value, str) and value:
                tags.append(Tag(text=value))
            else:
                rest[aid] = value
        return tags, self._values(rest)

    def _chosen(self, aid: str, value: Any) -> list[str]:
        """Texts of the options a value names; the value itself if it names none."""
        if value is None or value == "":
            return []
        attribute = self.shared.attributes.get(aid)
        options = attribute.options if attribute is not None else {}
        text = value if isinstance(value, str) else str(value)
        if text in options:
            return [options[text]]
        ticked = text.split(",") if attribute is not None and attribute.type == CHECKBOX else []
        return [options[oid] for oid in ticked] if ticked and all(oid in options for oid in ticked) else [text]

    def _values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for aid, value in values.items():
            attribute = self.shared.attributes.get(aid)
            name = aid if attribute is None else attribute.aname
            if attribute is not None and attribute.type == CHECKBOX:
                found[name] = tuple(self._chosen(aid, value))
            elif attribute is not None and attribute.type != TEXT_FIELD:
                found[name] = next(iter(self._chosen(aid, value)), "")
            else:
                found[name] = value if isinstance(value, str | int | float | bool) or value is None else str(value)
        return found


def _geometry(xy: Sequence[float]) -> tuple[Box | None, Shape | None]:
    kind, ring = xy[0], tuple(xy[1:])
    if not all(map(isfinite, ring)):
        raise LabelglotError("a coordinate is not finite")
    if kind in LENGTHS and len(ring) != LENGTHS[int(kind)]:
        raise LabelglotError(f"shape {kind:g} with {len(ring)} numbers instead of {LENGTHS[int(kind)]}")
    if kind == RECTANGLE:
        return from_xywh(*ring), None
    if kind == POINT:
        return None, Points(points=ring)
    if kind == CIRCLE:
        return None, Ellipse(cx=ring[0], cy=ring[1], rx=ring[2], ry=ring[2])
    if kind == ELLIPSE:
        return None, Ellipse(cx=ring[0], cy=ring[1], rx=ring[2], ry=ring[3])
    if kind == EXTREME_RECTANGLE:
        return ring_bounds(ring), None
    if kind == EXTREME_CIRCLE:
        return None, _circle_through(ring)
    if kind not in (LINE, POLYLINE, POLYGON) or len(ring) % 2 or not ring:
        raise LabelglotError(f"shape {kind:g} with {len(ring)} numbers")
    return None, Polygon.of(ring) if kind == POLYGON else Polyline(points=ring)


LENGTHS = {POINT: 2, RECTANGLE: 4, CIRCLE: 3, ELLIPSE: 4, LINE: 4, EXTREME_RECTANGLE: 8, EXTREME_CIRCLE: 6}


def _circle_through(ring: Ring) -> Ellipse:
    """The circle through three points."""
    ax, ay, bx, by, cx, cy = ring
    d = 2 * (ax * (by - cy) + bx * (cy - ay) + cx * (ay - by))
    if d == 0:
        raise LabelglotError("three points on a line make no circle")
    a, b, c = ax * ax + ay * ay, bx * bx + by * by, cx * cx + cy * cy
    x = (a * (by - cy) + b * (cy - ay) + c * (ay - by)) / d
    y = (a * (cx - bx) + b * (ax - cx) + c * (bx - ax)) / d
    radius = hypot(ax - x, ay - y)
    if not isfinite(radius):
        raise LabelglotError("a coordinate is not finite")
    return Ellipse(cx=x, cy=y, rx=radius, ry=radius)


class _Writer:
    """Numbers attributes and options the same way for every sample."""

    def __init__(self, context: WriteContext) -> None:
        self.context = context
        extra = context.info.extra.get("via3", {})
        self.own_class = _object(extra.get("class"))
        self.choices = {
            (a.get("anchor_id", OF_REGION), a.get("aname")): a for a in _object(extra.get("attribute")).values()
        }
        kept = {label.key: label.extra.get("via3", {}).get("option") for label in context.labels}
        taken = {option for option in kept.values() if option is not None}
        self.options: dict[str, str] = {}
        for position, label in enumerate(context.labels, 1):
            option, number = kept[label.key], position
            while option is None:
                option = str(number) if str(number) not in taken else None
                number += len(context.labels)
            taken.add(option)
            self.options[label.key] = option

    def region(self, annotation: Annotation, vid: str) -> dict[str, Any]:
        extra = annotation.extra.get("via3", {})
        values = {} if annotation.label is None else {CLASS: self.options[annotation.label]}
        values |= self._values(OF_REGION, annotation.attributes)
        return {"vid": vid, "flg": 0, "z": [], "xy": _spell(annotation), "av": values, **extra}

    def of_file(self, sample: Sample) -> dict[str, Any]:
        classes = [self.options[tag.label] for tag in sample.tags if tag.label is not None]
        captions = [tag.text for tag in sample.tags if tag.text is not None]
        return {
            **({IMAGE_CLASS: ",".join(classes)} if classes else {}),
            **({CAPTION: captions[0]} if captions else {}),
            **self._values(OF_FILE, sample.attributes),
        }

    def _values(self, anchor: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """Values by the id of their attribute; the id of the option where there is a choice of texts."""
        found = {}
        for name, value in attributes.items():
            options = _object(self.choices.get((anchor, name), {}).get("options"))
            found[_aid(anchor, name)] = next((oid for oid, text in options.items() if text == value), value)
        return found

    def declarations(self, of_files: Sequence[str]) -> dict[str, Any]:
        """All attributes. ``of_files``: names of those of whole images."""
        options = {self.options[label.key]: label.name for label in self.context.labels}
        of_regions = sorted({name for names in self.context.attributes.values() for name in names})
        label = _declared(self.context.options.label_key, OF_REGION, SELECT, options)
        if label["aname"] == "label":
            label |= self.own_class
        listed = [(OF_REGION, name) for name in of_regions] + [(OF_FILE, name) for name in of_files]
        return {
            CLASS: label,
            IMAGE_CLASS: _declared("label", OF_FILE, CHECKBOX, options),
            CAPTION: _declared("caption", OF_FILE, TEXT_FIELD, {}),
            **{_aid(*key): self.choices.get(key, _declared(key[1], key[0], TEXT_FIELD, {})) for key in listed},
        }


def _aid(anchor: str, name: str) -> str:
    """A number for an attribute that depends on its name alone."""
    return str(10 + crc32(f"{anchor} {name}".encode()))


def _spell(annotation: Annotation) -> list[float]:
    shape = annotation.shape
    if isinstance(shape, Polygon):
        xy = [POLYGON, *shape.parts[0][0]]
    elif isinstance(shape, Polyline):
        xy = [LINE if len(shape.points) == 4 else POLYLINE, *shape.points]
    elif isinstance(shape, Points):
        xy = [POINT, *shape.points]
    elif isinstance(shape, Ellipse):
        xy = (
            [CIRCLE, shape.cx, shape.cy, shape.rx]
            if shape.rx == shape.ry
            else [ELLIPSE, shape.cx, shape.cy, shape.rx, shape.ry]
        )
    else:
        xy = [RECTANGLE, *to_xywh(annotation.box or (0.0, 0.0, 0.0, 0.0))]
    if not all(map(isfinite, xy)):
        raise LabelglotError("a coordinate is not finite")
    return xy


def _from_csv(data: bytes, path: str, report: Report) -> dict[str, Any]:
    """The parts of a project from its CSV: comments with the attributes, then a row per entry."""
    lines = data.decode("utf-8-sig", "replace").splitlines()
    attributes: dict[str, Any] = {}
    for line in lines:
        name, _, value = line.lstrip("# ").partition("=")
        if line.startswith("#") and name.strip() == "ATTRIBUTE":
            attributes = json.load(value.encode(), f"{path}#ATTRIBUTE", dict[str, Any])
    parts: dict[str, dict[str, Any]] = {"attribute": attributes, "file": {}, "view": {}, "metadata": {}}
    start = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    for number, cells in enumerate(csv.reader(io.StringIO("\n".join(lines[start:]))), start + 1):
        try:
            mid, names, flags, z, xy, values = cells[:6]
            listed = json.load(names.encode(), path, list[str])
            entry = {
                "vid": names,
                "flg": int(flags),
                "z": json.load(z.encode(), path),
                "xy": json.load(xy.encode(), path),
            }
            entry["av"] = json.load(values.encode(), path)
        except (ValueError, LabelglotError) as error:
            if cells:
                report.problem(
                    "via3.row", f"the row is no entry: {error}", f"{path}:{number}", severity="error",
                    raw=",".join(cells), action="skipped",
                )  # fmt: skip
            continue
        for name in listed:
            kind = VIDEO if entry["z"] else IMAGE
            parts["file"].setdefault(name, {"fname": name, "src": name, "type": kind})
        parts["view"][names] = {"fid_list": listed}
        parts["metadata"][f"{number}_{mid}"] = entry
    return parts


__all__ = ["Via3"]
