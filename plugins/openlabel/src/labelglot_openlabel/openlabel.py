"""ASAM OpenLABEL 1.0.0: a document per scene; its frames are images, or there is one image and no frames.

- ``bbox`` (centre), ``rbbox``, ``poly2d``, ``image``, ``point2d`` = box, rotated box, polygon or polyline, mask,
  keypoints; all that an object has in a frame are one object.
- ``type`` = class, the uid of an object = track; ``boolean``, ``num``, ``text``, ``vec`` = attributes.
- ``contexts`` = image-level classes; ``frame_properties`` = image, size, time.
- All else (3D, chain codes, actions, events, relations, ontologies...) is kept as it is, in ``extra``.
- Names that begin with ``labelglot.`` say what OpenLABEL has no words for; the classes are listed in ``metadata``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, Literal, NamedTuple

from labelglot.plugin import (
    Annotation,
    Content,
    Document,
    File,
    Holds,
    Label,
    LabelglotError,
    LabelHolds,
    Match,
    Options,
    Piece,
    Pieces,
    Place,
    Problem,
    ReadContext,
    Report,
    Sample,
    Source,
    Tag,
    TagHolds,
    ValueKind,
    WriteContext,
    folder_name,
    image_size,
    make_labels,
    skewed_boxes,
    under,
    with_suffix,
)
from labelglot.wire import json
from pydantic import Field

from labelglot_openlabel.items import BARE_SCORE, CENTRED, CORNER, OWNER, PLAIN, Camera, Read, read_items, write_items

DOCUMENT = "openlabel.json"
VALUES: frozenset[ValueKind] = frozenset({"bool", "int", "float", "str", "list"})
CAMERA = "camera"
CLASSES, TRACK, FRAME, SEQUENCE = "labelglot.classes", "labelglot.track", "labelglot.frame", "labelglot.sequence"
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_FRAME = re.compile(r"[0-9]{1,9}")
_OBJECT = ("type", "object_data", "object_data_pointers", "frame_intervals")
_ROOT = ("objects", "frames", "contexts", "streams", "metadata", "frame_intervals")
SLACK = 0.5
"""Pixels by which a box may leave the image before its anchor is doubted."""


class Record(NamedTuple):
    """An image: what its frame says, and its objects and contexts as (uid, what is said of it once, what in the frame)."""

    uri: str | None
    number: int | None
    camera: Camera
    name: str | None
    properties: Mapping[str, Any]
    stream: Mapping[str, Any]
    objects: tuple[tuple[str, Mapping[str, Any], Mapping[str, Any]], ...]
    contexts: tuple[tuple[str, Mapping[str, Any], Mapping[str, Any]], ...]
    frame: Mapping[str, Any]
    document: Mapping[str, Any]
    corner: bool


class OpenLabel(Document):
    """Objects of scenes, as far as they are seen in images."""

    id = "openlabel"
    name = "ASAM OpenLABEL 1.0.0"
    aliases = ("asam-openlabel", "vcd")
    url = "https://www.asam.net/standards/detail/openlabel/"
    separator = b""
    holds = Holds(
        geometry=(
            frozenset({"box"}),
            frozenset({"rotated_box", "polygon", "mask", "polyline"}),
            frozenset({"keypoints", "points"}),
        ),
        bare=True,
        boxes=CENTRED,
        labels=LabelHolds(ids="any", names="(?s).+", required=False, parent=True, color=True, keypoints=True, skeleton=True),
        attributes=VALUES,
        score=True,
        track="any",
        tags=TagHolds(attributes=VALUES),
        sequence=True,
        frame=True,
        timestamp=True,
        extra=frozenset({OWNER}),
    )

    class ReadOptions(Options):
        """How boxes are meant."""

        bbox: Literal["auto", "center", "left-top"] = Field(
            default="auto",
            title="Anchor of boxes",
            description="what the first two numbers of a bbox are; auto: the centre, as the standard says, or the corner in "
            "documents of its ancestor VCD",
        )

    def detect(self, source: Source) -> Match | None:
        for name in source.match("*.json")[:20]:
            value = json.peek(source.head(name, 1 << 12))
            if isinstance(value, dict) and isinstance(value.get("openlabel"), dict):
                return Match(0.95, f"{name} has openlabel at its root")
            if isinstance(value, dict) and isinstance(value.get("vcd"), dict):
                return Match(0.8, f"{name} has vcd at its root, the ancestor of OpenLABEL")
        return None

    def inputs(self, context: ReadContext) -> Sequence[tuple[str, str | None]]:
        names = context.source.match("*.json")
        found = [n for n in names if re.search(rb'"(openlabel|vcd)"\s*:\s*\{', context.source.head(n, 1 << 12))]
        return [(name, None) for name in found or names]

    def parse(self, data: bytes, path: str, context: ReadContext) -> Content:
        document: dict[str, Any] = json.load(data, path, dict)
        root = document.get("openlabel", document.get("vcd"))
        if not isinstance(root, dict):
            raise LabelglotError("it has no openlabel at its root", path)
        metadata = _dict(root.get("metadata"))
        corner = context.options.bbox == "left-top" or (context.options.bbox == "auto" and "openlabel" not in document)
        odd = [key for key in _dict(root.get("frames")) if not _FRAME.fullmatch(key)]
        if odd:
            context.report.problem(
                f"{self.id}.frame", f"{len(odd)} frames have no number", f"{path}#frames", severity="error", raw=odd, action="skipped"
            )
        records = list(_records(root, corner))
        names = [record.uri for record in records if record.uri is not None]
        return Content(records, _labels(metadata, records), names=names)

    def decode(
        self, record: Record, path: str, split: str | None, shared: Any, context: ReadContext, report: Report
    ) -> Sample | None:
        where = _place(record, path, context)
        size = _size(record.stream) or (None if where.image is None else image_size(where.image))
        annotations: list[Annotation] = []
        for uid, once, now in record.objects:
            annotations += _objects(uid, once, now, record, size, f"{path}#objects.{uid}", where.path, report)
        if not record.corner and context.options.bbox == "auto":
            _doubt(annotations, path, where.path, report)
        tags: list[Tag] = []
        for uid, once, now in record.contexts:
            if _class(once) is None:
                report.problem(
                    "openlabel.context", "a context without type and name", f"{path}#contexts.{uid}", severity="error",
                    key=where.path, raw=once, action="skipped",
                )  # fmt: skip
            else:
                tags.append(_tag(once, now))
        properties = dict(record.properties)
        frame, sequence = properties.pop(FRAME, record.number), properties.pop(SEQUENCE, record.name)
        time = properties.get("timestamp")
        is_number = isinstance(time, int | float) and not isinstance(time, bool) and isfinite(time)
        timestamp = float(time) if is_number and time is not None else None
        if timestamp is not None:
            del properties["timestamp"]
        rest = {
            "document": record.document, "frame": record.frame, "properties": properties, "camera": record.camera.name if record.camera.name != CAMERA else None,
            "stream": {k: v for k, v in record.stream.items() if k not in ("uri", "stream_properties")},
            "stream_properties": json.rest(_dict(record.stream.get("stream_properties")), ("width", "height")),
        }  # fmt: skip
        extra = {key: value for key, value in rest.items() if value}
        return Sample(
            path=where.path, uri=None, image=where.image, size=size, tags=tuple(tags), annotations=tuple(annotations),
            frame=frame if type(frame) is int else None, sequence=sequence if isinstance(sequence, str) else None,
            timestamp=timestamp, extra={OWNER: extra} if extra else {},
        )  # fmt: skip

    def document_path(self, split: str | None, context: WriteContext) -> str:
        return context.document(DOCUMENT)

    def frame(self, split: str | None, context: WriteContext) -> tuple[bytes, bytes]:
        return b"", b""

    def encode_record(self, sample: Sample, context: WriteContext, ordinal: int) -> bytes:
        bag = sample.extra.get(OWNER)
        extra: Mapping[str, Any] = bag if isinstance(bag, dict) else {}
        record = {
            "path": sample.path, "frame": sample.frame, "sequence": sample.sequence, "size": sample.size,
            "timestamp": sample.timestamp, "extra": extra,
            "objects": [_write(a, context) for a in sample.annotations or ()],
            "tags": [_write_tag(tag, context) for tag in sample.tags],
        }  # fmt: skip
        return json.dump(record) + b"\n"

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece | Problem]:
        yield from skewed_boxes(sample, self.id)
        sequence = sample.sequence
        own = DOCUMENT if sequence is None else f"{folder_name(sequence)}.{DOCUMENT}"
        yield Piece(context.document(own), self.encode_record(sample, context, ordinal))

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        for path in pieces.slots() or [context.document(DOCUMENT)]:
            yield File(path, _document(path, context, pieces))


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _records(root: Mapping[str, Any], corner: bool) -> Iterator[Record]:
    """The images of a document: one for each frame and camera, or one if there are no frames."""
    objects, contexts = ({k: _dict(v) for k, v in _dict(root.get(key)).items()} for key in ("objects", "contexts"))
    frames = {int(key): _dict(value) for key, value in _dict(root.get("frames")).items() if _FRAME.fullmatch(key)}
    streams = {name: _dict(value) for name, value in _dict(root.get("streams")).items()}
    metadata = _dict(root.get("metadata"))
    name = metadata.get("name")
    document = json.rest(root, _ROOT)
    document["metadata"] = json.rest(metadata, ("schema_version", "name", CLASSES))
    document["streams"] = {n: s for n, s in streams.items() if n != CAMERA or s != {"type": "camera"}}
    document = {key: value for key, value in document.items() if value}
    in_frames = [{uid for f in frames.values() for uid in _dict(f.get(kind))} for kind in ("objects", "contexts")]
    listed: list[tuple[int | None, dict[str, Any]]] = [*sorted(frames.items())]
    if not listed and (objects or "frames" not in root):
        listed.append((None, {}))
    for number, frame in listed:
        properties = _dict(frame.get("frame_properties"))
        own = {n: _dict(s) for n, s in _dict(properties.get("streams")).items()}
        named = [n for n, s in own.items() if isinstance(s.get("uri"), str)] or [*own, *streams]
        cameras = [n for n in dict.fromkeys(named) if {**streams.get(n, {}), **own.get(n, {})}.get("type", "camera") == "camera"]
        here = [
            tuple(_present(said, _dict(frame.get(kind)), number, known))
            for said, kind, known in ((objects, "objects", in_frames[0]), (contexts, "contexts", in_frames[1]))
        ]
        rest = json.rest(frame, ("frame_properties", "objects", "contexts"))
        for position, camera in enumerate([*cameras] or [None]):
            stream = {**streams.get(camera or "", {}), **own.get(camera or "", {})}
            stream["stream_properties"] = {
                **_dict(streams.get(camera or "", {}).get("stream_properties")),
                **_dict(own.get(camera or "", {}).get("stream_properties")),
            }
            once = streams.get(camera or "", {}).get("uri")
            uri = own.get(camera or "", {}).get("uri")
            if not isinstance(uri, str) and isinstance(once, str):
                uri = once if number is None else f"{once}/{number:06d}.png"
            others = frozenset(n for n in cameras if n is not None and n != camera)
            yield Record(
                uri if isinstance(uri, str) and uri else None, number, Camera(camera, not position, others), name if isinstance(name, str) else None, json.rest(properties, ("streams",)),
                {k: v for k, v in stream.items() if (k, v) != ("type", "camera")}, here[0], here[1], rest if not position else {},
                document if not position else {}, corner,
            )  # fmt: skip
            document = {}


def _present(
    said: Mapping[str, Any], now: Mapping[str, Any], number: int | None, known: set[str]
) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """Objects (or contexts) that are there in a frame: those it lists, and those that no frame lists but that last."""
    for uid, data in now.items():
        yield uid, said.get(uid, {}), _dict(data)
    for uid, once in said.items():
        if uid not in known and (number is None or _lasts(once.get("frame_intervals"), number)):
            yield uid, once, {}


def _lasts(intervals: Any, number: int) -> bool:
    """Whether a frame is in one of the intervals, both ends included; no intervals at all are all frames."""
    if not isinstance(intervals, list) or not intervals:
        return True
    ends = [(i.get("frame_start"), i.get("frame_end")) for i in intervals if isinstance(i, dict)]
    return any(isinstance(a, int) and isinstance(b, int) and a <= number <= b for a, b in ends)


def _labels(metadata: Mapping[str, Any], records: Sequence[Record]) -> tuple[Label, ...]:
    """The classes: those listed, then those of objects and contexts as they appear, with the names of their points."""
    listed = metadata.get(CLASSES)
    found: dict[str, Label] = {}
    given = []
    for raw in listed if isinstance(listed, list) else ():
        if isinstance(raw, dict) and isinstance(raw.get("name"), str):
            given.append(_label(raw))
    labels = make_labels(given)
    for label in labels:
        found[label.key] = label
    for record in records:
        for name, once, now in (
            *((_class(once), once, now) for _, once, now in record.contexts),
            *((once.get("type"), once, now) for _, once, now in record.objects),
        ):
            if isinstance(name, str) and name and name not in found:
                found[name] = Label(key=name, name=name)
            points = _dict(_dict(now.get("object_data")) or once.get("object_data")).get("point2d")
            if isinstance(name, str) and name in found and isinstance(points, list) and points and not given:
                names = tuple(str(p.get("name", "")) for p in points if isinstance(p, dict))
                if len(set(names)) == len(names) > len(found[name].keypoints or ()) and names != tuple(
                    str(i + 1) for i in range(len(names))
                ):
                    found[name] = found[name].replace(keypoints=names)
    return tuple(found.values())


def _label(raw: Mapping[str, Any]) -> Label:
    id_, parent, color, points, edges = map(raw.get, ("id", "parent", "color", "keypoints", "skeleton"))
    names = tuple(map(str, points)) if isinstance(points, list) and points else None
    pairs = [e for e in edges if isinstance(e, list) and len(e) == 2] if isinstance(edges, list) else []
    inside = range(len(names or ()))
    return Label(
        key=raw["name"], name=raw["name"], id=id_ if type(id_) in (int, str) else None, keypoints=names,
        parent=parent if isinstance(parent, str) else None, color=color if isinstance(color, str) else None,
        skeleton=tuple((a, b) for a, b in pairs if type(a) is type(b) is int and a in inside and b in inside),
    )  # fmt: skip


def _place(record: Record, path: str, context: ReadContext) -> Place:
    """The image of a frame; without a name, it is called like the document."""
    if record.uri is not None:
        return context.place(record.uri, path.rpartition("/")[0])
    stem = with_suffix(path.rpartition("/")[2], "")
    if record.number is not None:
        return Place(under(stem, f"{record.number:06d}.png"))
    image = context.image(stem, (path.rpartition("/")[0],))
    return Place(stem if image is None else image.path, None, image)


def _size(stream: Mapping[str, Any]) -> tuple[int, int] | None:
    properties = _dict(stream.get("stream_properties"))
    pinhole = _dict(properties.get("intrinsics_pinhole"))
    for width, height in (
        (properties.get("width"), properties.get("height")), (pinhole.get("width_px"), pinhole.get("height_px")),
    ):  # fmt: skip
        if isinstance(width, int | float) and isinstance(height, int | float) and 0 < width < 1 << 31 and 0 < height < 1 << 31:
            return (int(width), int(height))
    return None


def _objects(
    uid: str, once: Mapping[str, Any], now: Mapping[str, Any], record: Record, size: tuple[int, int] | None, place: str,
    key: str, report: Report,
) -> list[Annotation]:  # fmt: skip
    """What an object is in an image. Nothing if all its geometry belongs to other cameras."""
    static, moving = _dict(once.get("object_data")), _dict(now.get("object_data"))
    data = {kind: [*_list(static.get(kind)), *_list(moving.get(kind))] for kind in dict.fromkeys((*static, *moving))}
    track: int | str | None = int(uid) if re.fullmatch(r"-?(0|[1-9]\d{0,17})", uid) and uid != "-0" else uid
    for kind in ("num", "text", "boolean"):
        for item in data.get(kind, []):
            if isinstance(item, dict) and item.get("name") == TRACK:
                track = None if kind == "boolean" else item.get("val")
                data[kind] = [i for i in data[kind] if i is not item]
    read = read_items(data, record.camera, CORNER if record.corner else CENTRED, size)
    for message, raw in read.wrong:
        report.problem("openlabel.item", message, place, severity="error", key=key, raw=raw, action="skipped")
    for kind, items in read.left.items():
        report.problem(
            "openlabel.kept", f"{kind} is no geometry of an image, or not written as numbers", place, severity="info",
            key=key, raw=items, action="kept as it is",
        )  # fmt: skip
    if record.camera.others and set(data) - set(PLAIN) and not read.shapes and not read.left and not read.wrong:
        return []
    about = {k: v for k, v in json.rest(once, _OBJECT).items() if (k, v) != ("name", "")}
    extra = {
        **({"object": about} if about else {}), **({"details": read.details} if read.details else {}),
        **({"object_data": read.left} if read.left else {}),
        **({"now": rest} if (rest := json.rest(now, ("object_data", "object_data_pointers"))) else {}),
    }  # fmt: skip
    label = once.get("type")
    return [
        Annotation(
            label=label if isinstance(label, str) and label else None, **shape, track=track, score=_score(read),
            attributes=dict(read.attributes), extra={OWNER: extra} if extra and not i else {},
        )
        for i, shape in enumerate(read.shapes or [{}])
    ]  # fmt: skip


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _score(read: Read) -> float | None:
    bare = read.attributes.pop(BARE_SCORE, None)
    return float(bare) if isinstance(bare, int | float) else read.score


def _doubt(annotations: Sequence[Annotation], path: str, key: str, report: Report) -> None:
    """Say so if boxes look as if their first two numbers were a corner; nothing is changed."""
    boxes = [a.box for a in annotations if a.box is not None]
    outside = [box for box in boxes if box[0] < -SLACK or box[1] < -SLACK]
    if outside and all(x0 + x1 >= 0 and y0 + y1 >= 0 for x0, y0, x1, y1 in boxes):
        report.problem(
            "openlabel.bbox", f"{len(outside)} of {len(boxes)} boxes leave the image, none would if x, y were their corner",
            path, key=key, action="read as centre; choose with bbox=left-top",
        )  # fmt: skip


def _class(once: Mapping[str, Any]) -> str | None:
    """The class of a context: its type, or its name where it has none."""
    return next((once[key] for key in ("type", "name") if isinstance(once.get(key), str) and once[key]), None)


def _tag(once: Mapping[str, Any], now: Mapping[str, Any]) -> Tag:
    data = [_dict(said.get("context_data")) for said in (once, now)]
    found = {
        item["name"]: tuple(item["val"]) if kind == "vec" else item["val"]
        for said in data
        for kind in PLAIN
        for item in _list(said.get(kind))
        if isinstance(item, dict) and isinstance(item.get("name"), str) and isinstance(item.get("val"), PLAIN[kind])
    }
    extra = {k: v for k, v in json.rest(once, ("type", "context_data", "frame_intervals")).items() if (k, v) != ("name", "")}
    return Tag(label=_class(once), attributes=found, extra={OWNER: extra} if extra else {})


def _write(a: Annotation, context: WriteContext) -> dict[str, Any]:
    """An object of a frame: what tells it from others in the document, and its data."""
    label = None if a.label is None else context.by_key[a.label]
    bag = a.extra.get(OWNER)
    extra: Mapping[str, Any] = bag if isinstance(bag, dict) else {}
    data = write_items(a, (label.keypoints or ()) if label is not None else (), _dict(extra.get("details")), _dict(extra.get("object_data")))
    about = {"name": "", **_dict(extra.get("object")), "type": "" if label is None else label.name}
    return {"track": a.track, "about": about, "data": {**_dict(extra.get("now")), "object_data": data}}


def _write_tag(tag: Tag, context: WriteContext) -> dict[str, Any]:
    data: dict[str, list[Any]] = {}
    for name, value in tag.attributes.items():
        kind = "boolean" if isinstance(value, bool) else "vec" if isinstance(value, tuple) else "text" if isinstance(value, str) else "num"
        data.setdefault(kind, []).append({"name": name, "val": value})
    bag = tag.extra.get(OWNER)
    about = {"name": "", **(bag if isinstance(bag, dict) else {}), "type": context.name(tag.label)}
    return {"about": about, "data": {"context_data": data} if data else {}}


def _lines(stream: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    rest = b""
    for block in stream:
        *whole, rest = (rest + block).split(b"\n")
        for line in whole:
            yield json.load(line, "", dict)
    if rest:
        yield json.load(rest, "", dict)


class _Uids:
    """Gives objects their uids: that of their track if it can be one, else numbers that no track has."""

    def __init__(self, free: int) -> None:
        self.free = free
        self.known: dict[str, str] = {}
        self.written: dict[str, tuple[dict[str, Any], list[list[int]]]] = {}

    def __call__(self, track: Any, about: Mapping[str, Any], again: int, number: int) -> str:
        key = json.dump([track, about, again]).decode()
        uid = None if track is None else self.known.get(key)
        if uid is None:
            fits = isinstance(track, int) or (isinstance(track, str) and _UUID.fullmatch(track))
            uid = str(track)
            said: dict[str, list[Any]] = {}
            if not fits or uid in self.written:
                uid, self.free = str(self.free), self.free + 1
                kind = "boolean" if track is None else "num" if isinstance(track, int) else "text"
                said = {kind: [{"name": TRACK, "val": False if track is None else track}]}
            self.known[key] = uid
            self.written[uid] = ({**about, **({"object_data": said} if said else {})}, [])
        spans = self.written[uid][1]
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
        return uid

    def table(self) -> dict[str, Any]:
        return {
            uid: {**about, "frame_intervals": [{"frame_start": a, "frame_end": b} for a, b in spans]}
            for uid, (about, spans) in self.written.items()
        }


def _document(path: str, context: WriteContext, pieces: Pieces) -> Iterator[bytes]:
    """A document, frame by frame; the table of objects stands behind them."""
    given: list[Any] = []
    names: dict[str | None, None] = {}
    highest = -1
    rest: dict[str, Any] = {}
    plain = False
    for record in _lines(pieces.stream(path)):
        given.append(record["frame"])
        names[record["sequence"]] = None
        highest = max([highest, *(o["track"] for o in record["objects"] if isinstance(o["track"], int))])
        plain = plain or not isinstance(_dict(record["extra"]).get("camera"), str)
        rest = {**_dict(_dict(record["extra"]).get("document")), **rest}
    own = len(set(given)) == len(given) and all(type(g) is int and 0 <= g < 10**9 for g in given)
    name = next(iter(names)) if len(names) == 1 else None
    classes = [_write_label(label) for label in context.labels]
    metadata = {"schema_version": "1.0.0", **({} if name is None else {"name": name}), **_dict(rest.pop("metadata", None)), CLASSES: classes}
    streams = {**({CAMERA: {"type": "camera"}} if plain else {}), **_dict(rest.pop("streams", None))}
    yield b'{"openlabel":{"metadata":' + json.dump(metadata) + b',"streams":' + json.dump(streams) + b',"frames":{'
    objects, contexts = _Uids(highest + 1), _Uids(0)
    for i, record in enumerate(_lines(pieces.stream(path))):
        number = given[i] if own else i
        frame = _frame(record, number, own, name, objects, contexts)
        yield b"%s\n%s:%s" % (b"," * bool(i), json.dump(str(number)), json.dump(frame))
    more = {"objects": objects.table(), **({"contexts": table} if (table := contexts.table()) else {}), **rest}
    yield b"\n}," + json.dump(more)[1:-1] + b"}}\n"


def _frame(record: dict[str, Any], number: int, own: bool, name: str | None, objects: _Uids, contexts: _Uids) -> dict[str, Any]:
    extra = _dict(record["extra"])
    properties = dict(_dict(extra.get("properties")))
    if record["timestamp"] is not None:
        properties["timestamp"] = record["timestamp"]
    if not own:
        properties[FRAME] = record["frame"]
    if record["sequence"] != name:
        properties[SEQUENCE] = record["sequence"]
    camera = extra.get("camera")
    stream: dict[str, Any] = {**_dict(extra.get("stream")), "uri": record["path"]}
    sizes = {"width": record["size"][0], "height": record["size"][1]} if record["size"] else {}
    stream["stream_properties"] = {**_dict(extra.get("stream_properties")), **sizes}
    properties["streams"] = {camera if isinstance(camera, str) else CAMERA: stream}
    frame: dict[str, Any] = {"frame_properties": properties, **_dict(extra.get("frame"))}
    taken: dict[str, int] = {}
    for kind, table, listed in (("objects", objects, record["objects"]), ("contexts", contexts, record["tags"])):
        here = {}
        for each in listed:
            track = each.get("track")
            key = json.dump([kind, track, each["about"]]).decode()
            again = taken[key] = taken.get(key, -1) + 1
            if kind == "contexts":
                track = None
            here[_uid(table, kind, track, each, again, number)] = each["data"]
        if here:
            frame[kind] = here
    return frame


def _uid(table: _Uids, kind: str, track: Any, each: Mapping[str, Any], again: int, number: int) -> str:
    """Contexts of one kind are the same through all frames; objects only if they have the same track."""
    if kind == "objects":
        return table(track, each["about"], again, number)
    key = json.dump([each["about"], again]).decode()
    uid = table.known.setdefault(key, str(len(table.known)))
    spans = table.written.setdefault(uid, (dict(each["about"]), []))[1]
    if spans and spans[-1][1] >= number - 1:
        spans[-1][1] = max(number, spans[-1][1])
    else:
        spans.append([number, number])
    return uid


def _write_label(label: Label) -> dict[str, Any]:
    fields = {
        "id": label.id, "parent": label.parent, "color": label.color, "keypoints": label.keypoints,
        "skeleton": label.skeleton or None,
    }  # fmt: skip
    return {"name": label.name, **{key: value for key, value in fields.items() if value is not None}}
