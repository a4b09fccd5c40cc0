"""Scalabel JSON: frames with labels, each label with a box, outlines, a mask or a skeleton, or several of these."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, ClassVar, NamedTuple

import msgspec
from labelglot.plugin import (
    Annotation,
    Box,
    Content,
    Convention,
    Dataset,
    Document,
    Holds,
    Info,
    Keypoints,
    Label,
    LabelglotError,
    LabelHolds,
    Mask,
    Match,
    Naming,
    Options,
    ReadContext,
    Records,
    Report,
    Sample,
    Shape,
    Source,
    WriteContext,
    numbers,
    set_apart,
    split_role,
    under,
)
from labelglot.storage import clean_foreign
from labelglot.wire import json
from labelglot.wire.rle import read_mask, write_mask
from pydantic import Field

from labelglot_scalabel.config import OWNER, load_config, read_labels, unlike_ours, write_config
from labelglot_scalabel.geometry import (
    read_keypoints,
    read_outlines,
    skeleton,
    write_keypoints,
    write_outlines,
)

BOXES = Convention(inclusive=True)
CORNERS = ("x1", "y1", "x2", "y2")
SIGNS = ("box2d", "poly2d", "rle", "graph", "box3d")
HEAD = 1 << 16
_FRAME = ("name", "url", "videoName", "frameIndex", "timestamp", "size", "attributes", "labels")
_LABEL = ("id", "category", "score", "attributes", "box2d", "poly2d", "rle", "graph")
_SPLIT = re.compile(r"^(?:labels|frames|det|(?:box|seg)_track|lane|drivable|pose|(?:sem|ins|pan)_seg|bdd100k_labels_images)_(.+)$")
BDD = frozenset({"timeofday", "trafficLightColor", "laneDirection", "laneStyle", "areaType", "Occluded", "Truncated"})
"""Attributes that only BDD100K has."""
_TYPES = (bool, int, float, str)


class _Key(msgspec.Struct, gc=False):
    """What must be known of a frame before it is decoded."""

    name: str | int
    videoName: str | None = None


class _Posed(msgspec.Struct, gc=False):
    category: str | None = None
    graph: Any = None


class _Poses(msgspec.Struct, gc=False):
    labels: list[_Posed] | None = None


class _Label(msgspec.Struct, gc=False):
    """What must be right about a label for it to be read."""

    category: str | None = None
    id: str | int | float | None = None
    score: float | None = None
    attributes: dict[str, Any] | None = None
    box2d: dict[str, Any] | None = None


class Frame(NamedTuple):
    """A frame, still encoded, and those of other documents of the same split about the same image.

    ``path``: identity of the image. ``classes``: those of the document that have keypoints, by name.
    """

    document: str
    position: int
    name: str
    path: str
    raw: bytes
    classes: Mapping[str, Label]
    size: tuple[int, int] | None
    more: tuple[Frame, ...] = ()


class Scalabel(Document):
    """Labels of images and video frames, as the Scalabel tool and package exchange them."""

    id = "scalabel"
    name = "Scalabel JSON"
    url = "https://doc.scalabel.ai/format.html"
    separator = b",\n"
    images: ClassVar[str] = "images"
    taken_for = frozenset({"bdd100k"})
    geometry_bound_extra = frozenset((OWNER, key) for key in ("poly2d", "rle", "graph"))
    holds = Holds(
        geometry=(frozenset({"box"}), frozenset({"polygon", "polyline", "mask"}), frozenset({"keypoints"})),
        bare=True,
        boxes=BOXES,
        polygon_holes=False,
        keypoint_visibility="coco",
        labels=LabelHolds(required=False, parent=True, color=True, keypoints=True, skeleton=True),
        attributes=frozenset({"bool", "int", "float", "str"}),
        score=True,
        track="str",
        uri=True,
        splits="any",
        sequence=True,
        frame=True,
        timestamp=True,
        sample_attributes=frozenset({"bool", "int", "float", "str"}),
        naming=Naming(scope="split"),
        extra=frozenset({OWNER}),
    )

    class ReadOptions(Options):
        """Options of the reader."""

        config: str | None = Field(
            None, title="Configuration", description="TOML or JSON file inside the source that lists the classes"
        )

    def detect(self, source: Source) -> Match | None:
        best: Match | None = None
        for path in source.match("*.json")[:20]:
            match = evidence(path, json.peek(source.head(path, HEAD)))
            if match is not None and (best is None or match.confidence > best.confidence):
                best = match
        return best

    def split_of(self, path: str) -> str | None:
        """The split in the name of a document (``det_train.json``), or of the folder of a video's document."""
        folder, _, name = path.rpartition("/")
        stem = name.removesuffix(".json")
        found = _SPLIT.match(stem)
        if found or split_role(stem) is not None:
            return found[1] if found else stem
        last = folder.rpartition("/")[2]
        return last if split_role(last) is not None else None

    def inputs(self, context: ReadContext) -> Sequence[tuple[str, str | None]]:
        source = context.source
        if source.focus is not None:
            return [(source.focus, self.split_of(source.focus))]
        names = [path for path in source.match("*.json") if path != context.options.config]
        found = [path for path in names if _frames(json.peek(source.head(path, HEAD))) is not None]
        return [(path, self.split_of(path)) for path in found or names]

    def folders(self, path: str, split: str | None) -> Sequence[str]:
        return (under(self.images, split or ""),)

    def frames(self, data: bytes, path: str, context: ReadContext) -> tuple[list[bytes], dict[str, msgspec.Raw]]:
        """The frames of a document, encoded, and what it says besides."""
        if json.unmark(data).lstrip()[:1] != b"{":
            return [bytes(part) for part in json.load_parts(data, path)], {}
        top = json.load_fields(data, path)
        if "frames" not in top:
            raise LabelglotError("it has no frames", path)
        return [bytes(part) for part in json.load_parts(bytes(top.pop("frames")), f"{path}#frames")], top

    def parse(self, data: bytes, path: str, context: ReadContext) -> Content:
        parts, top = self.frames(data, path, context)
        about = {key: value for key, value in json.rest(top, ()).items() if value not in (None, [])}
        config = context.once(load_config) or about.get("config")
        labels = read_labels(config) if isinstance(config, dict) else []
        labels = _with_points(labels, parts)
        posed = {label.name: label for label in labels if label.keypoints}
        size = json.size(config.get("imageSize")) if isinstance(config, dict) else None
        frames: list[Frame] = []
        taken: set[str] = set()
        for position, part in enumerate(parts):
            place = f"{path}#frames[{position}]"
            key = json.load_item(part, _Key, place, context.report, f"{self.id}.frame")
            if key is None:
                continue
            name = str(key.name)
            image = next(iter(clean_foreign(name)), None)
            if image is None:
                context.report.problem(
                    f"{self.id}.frame", f"{name!r} names no image", place, severity="error", action="skipped"
                )
                continue
            unique = set_apart(image, taken)
            if unique != image:
                context.report.problem(f"{self.id}.name", f"two frames are called {name!r}", place, action=f"one called {unique}")
            frames.append(Frame(path, position, name, unique, part, posed, size))
        if isinstance(config, dict):
            about["config"] = unlike_ours(config)
        about = {key: value for key, value in about.items() if value != {}}
        info = Info(extra={OWNER: about}) if about else None
        return Content(frames, labels, info, names=[frame.name for frame in frames])

    def read(self, context: ReadContext) -> Dataset:
        """Frames of one split that several documents list (boxes in one, lanes in another) become one image."""
        context.once(load_config)
        dataset = super().read(context)
        listed = dataset.samples
        assert isinstance(listed, Records)
        merged: dict[tuple[str | None, str], tuple[int, Frame]] = {}
        for number, frame in listed.records:
            key = (self.split_of(frame.document), frame.path)
            if key in merged:
                first = merged[key]
                merged[key] = (first[0], first[1]._replace(more=(*first[1].more, frame)))
            else:
                merged[key] = (number, frame)
        return dataset.replace(samples=Records(list(merged.values()), listed.decode), labels_complete=False)

    def decode(
        self, record: Frame, path: str, split: str | None, shared: Any, context: ReadContext, report: Report
    ) -> Sample | None:
        found = context.place(record.name, path.rpartition("/")[0], self.folders(path, split))
        annotations: list[Annotation] = []
        values: dict[str, Any] = {}
        for frame in (record, *record.more):
            place = f"{frame.document}#frames[{frame.position}]"
            entry: dict[str, Any] = json.load(frame.raw, place, dict)
            values = {**entry, **{key: value for key, value in values.items() if value is not None}}
            annotations += self._labels(entry.get("labels"), frame, bool(entry.get("videoName")), place, report)
        extra = {key: value for key, value in json.rest(values, _FRAME).items() if value is not None}
        if record.name != record.path:
            extra["name"] = record.name
        url = values.get("url")
        if not isinstance(url, str) or url == self._address(split, record.path):
            url = found.uri
        attributes, odd = plain(values.get("attributes"))
        if odd:
            extra["attributes"] = odd
        time, index = values.get("timestamp"), values.get("frameIndex")
        sequence = values.get("videoName")
        return Sample(
            path=record.path, uri=url, image=found.image, size=json.size(values.get("size")) or record.size,
            splits=(split,) if split is not None else (), sequence=str(sequence) if sequence else None,
            frame=index if type(index) is int else None, timestamp=_seconds(time), attributes=attributes,
            annotations=tuple(annotations), extra={OWNER: extra} if extra else {},
        )  # fmt: skip

    def _labels(self, items: Any, frame: Frame, video: bool, place: str, report: Report) -> list[Annotation]:
        if not isinstance(items, list):
            if items is not None:
                report.problem(f"{self.id}.labels", "the labels are no list", place, severity="error", action="skipped")
            return []
        made: list[Annotation] = []
        for position, item in enumerate(items):
            at = f"{place}.labels[{position}]"
            label = json.load_item(item, _Label, at, report, f"{self.id}.label")
            if label is None:
                continue
            try:
                made += self._label(label, item, frame, video, position, at, report)
            except LabelglotError as error:
                report.problem(
                    f"{self.id}.label", error.message, at, severity="error", key=frame.path, raw=item, action="skipped"
                )
        return made

    def attribute(self, name: str) -> str:
        """The name by which an attribute is known."""
        return "ignore" if name == "ignored" else name

    def closed(self, category: str | None) -> bool:
        """Whether outlines that do not say are closed."""
        return True

    def _label(
        self, label: _Label, item: dict[str, Any], frame: Frame, video: bool, position: int, place: str, report: Report
    ) -> list[Annotation]:
        extra = {key: value for key, value in json.rest(item, _LABEL).items() if value is not None}
        attributes, odd = plain(label.attributes)
        attributes = {self.attribute(name): value for name, value in attributes.items()}
        if odd:
            extra["attributes"] = odd
        box = None if label.box2d is None else _box(label.box2d, place, frame.path, report)
        shapes = self._shapes(item, extra, label.category, place, report)
        points: Keypoints | None = None
        if item.get("graph") is not None:
            known = frame.classes.get(label.category or "")
            points = read_keypoints(item["graph"], (known.keypoints if known is not None else None) or ())
            if item["graph"] != write_keypoints(points, known):
                extra["graph"] = item["graph"]
        track = None
        if label.id is not None and str(label.id) != (f"{frame.name}#{position}" if video else str(position)):
            if video:
                track = str(label.id)
            else:
                extra["id"] = label.id
        if not video and isinstance(attributes.get("track_id"), str):
            track = attributes.pop("track_id")
        if len(shapes) > 1:
            report.problem(
                f"{self.id}.outlines", f"{len(shapes)} outlines that are not one area", place, key=frame.path,
                action="each becomes an object of its own",
            )  # fmt: skip
        first = Annotation(
            label=label.category, box=box, shape=shapes[0] if shapes else None, keypoints=points, score=label.score,
            track=track, attributes=attributes, extra={OWNER: extra} if extra else {},
        )  # fmt: skip
        return [first, *(first.replace(shape=shape, box=None, keypoints=None, extra={}) for shape in shapes[1:])]

    def _shapes(
        self, item: dict[str, Any], extra: dict[str, Any], category: str | None, place: str, report: Report
    ) -> list[Shape]:
        """The outlines of a label, else its mask; the other of the two rides along."""
        shapes: list[Shape] = []
        if item.get("poly2d"):
            found = read_outlines(item["poly2d"], self.closed(category))
            if found.short:
                report.problem(f"{self.id}.outline-short", "an outline of too few points", place)
            shapes = [*((found.closed,) if found.closed is not None else ()), *found.open]
            if len(shapes) == 1 and (not found.plain or item["poly2d"] != write_outlines(shapes[0])):
                extra["poly2d"] = item["poly2d"]
        if item.get("rle") is not None:
            mask = read_mask(item["rle"])
            if shapes or item["rle"] != _rle(mask):
                extra["rle"] = item["rle"]
            shapes = shapes or [mask]
        return shapes

    def document_path(self, split: str | None, context: WriteContext) -> str:
        return context.document(f"labels_{split}.json" if split else "labels.json", per_split=True)

    def image_path(self, sample: Sample, context: WriteContext) -> str | None:
        return self._address(sample.split, sample.path)

    def _address(self, split: str | None, path: str) -> str:
        return under(under(self.images, split or ""), path)

    def frame(self, split: str | None, context: WriteContext) -> tuple[bytes, bytes]:
        about = dict(context.info.extra.get(OWNER, {}))
        config = about.pop("config", {})
        head = {**about, "config": write_config(context.labels, config if isinstance(config, dict) else {})}
        return json.dump(head)[:-1] + b',"frames":[\n', b"\n]}\n"

    def encode_record(self, sample: Sample, context: WriteContext, ordinal: int) -> bytes:
        extra = sample.extra.get(OWNER, {})
        name = str(extra.get("name", ""))
        record: dict[str, Any] = {"name": name if name.endswith(f"/{sample.path}") else sample.path}
        if sample.uri is not None:
            record["url"] = sample.uri
        elif sample.sequence is not None and context.images and sample.image is not None:
            record["url"] = self._address(sample.split, sample.path)
        if sample.sequence is not None:
            record["videoName"] = sample.sequence
        if sample.frame is not None:
            record["frameIndex"] = sample.frame
        if sample.timestamp is not None:
            record["timestamp"] = _milliseconds(sample.timestamp)
        if sample.size is not None:
            record["size"] = {"width": sample.size[0], "height": sample.size[1]}
        if sample.attributes or "attributes" in extra:
            record["attributes"] = {**sample.attributes, **extra.get("attributes", {})}
        video = sample.sequence is not None
        record["labels"] = [
            self._encode(a, f"{record['name']}#{i}" if video else str(i), video, context)
            for i, a in enumerate(sample.annotations or ())
        ]
        return json.dump({**record, **{key: value for key, value in extra.items() if key not in (*record, "name")}})

    def _encode(self, a: Annotation, number: str, video: bool, context: WriteContext) -> dict[str, Any]:
        extra = a.extra.get(OWNER, {})
        record: dict[str, Any] = {"id": a.track if video and a.track is not None else extra.get("id", number)}
        if a.label is not None:
            record["category"] = context.name(a.label)
        attributes = {"ignored" if name == "ignore" else name: value for name, value in a.attributes.items()}
        if not video and a.track is not None:
            attributes["track_id"] = a.track
        if attributes or "attributes" in extra:
            record["attributes"] = {**attributes, **extra.get("attributes", {})}
        if a.score is not None:
            record["score"] = a.score
        if a.box is not None:
            record["box2d"] = dict(zip(CORNERS, BOXES.write_box(a.box, None), strict=True))
        outlines = extra.get("poly2d") or write_outlines(a.shape)
        if outlines is not None:
            record["poly2d"] = outlines
        if "rle" in extra:
            record["rle"] = extra["rle"]
        elif (mask := _rle(a.shape)) is not None:
            record["rle"] = mask
        if a.keypoints is not None:
            label = None if a.label is None else context.by_key[a.label]
            record["graph"] = extra.get("graph") or write_keypoints(a.keypoints, label)
        return {**record, **{key: value for key, value in extra.items() if key not in record}}


def _rle(shape: Shape | None) -> dict[str, Any] | None:
    return write_mask(shape) if isinstance(shape, Mask) else None


def _box(value: Mapping[str, Any], place: str, key: str, report: Report) -> Box:
    box = BOXES.read_box(numbers((value.get(corner) for corner in CORNERS), 4), None)
    if box[2] <= box[0] or box[3] <= box[1]:
        report.problem("scalabel.box-empty", f"the box {box} has no area", f"{place}.box2d", key=key)
    return box


def plain(attributes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Attributes with values the format has, and others; ``null`` says nothing."""
    found = {name: value for name, value in attributes.items() if value is not None} if isinstance(attributes, dict) else {}
    kept = {name: value for name, value in found.items() if isinstance(value, _TYPES)}
    return kept, {name: value for name, value in found.items() if name not in kept}


def _seconds(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or abs(value) > 1 << 53:
        return None
    return value / 1000


def _milliseconds(seconds: float) -> int | float:
    value = round(seconds * 1000, 6)
    return int(value) if value == int(value) else value


def _with_points(labels: list[Label], parts: Sequence[bytes]) -> list[Label]:
    """The classes, with the names of their keypoints from the first graph of each that has none declared."""
    table = {label.name: label for label in labels}
    found: dict[str, tuple[tuple[str, ...], tuple[tuple[int, int], ...]]] = {}
    for part in parts:
        if b'"graph"' not in part:
            continue
        try:
            posed = msgspec.json.decode(part, type=_Poses).labels or ()
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
        for each in posed:
            known = table.get(each.category or "")
            if each.category and each.graph and each.category not in found and not (known and known.keypoints):
                try:
                    found[each.category] = skeleton(each.graph)
                except LabelglotError:
                    continue
    for name, (points, edges) in found.items():
        if points:
            table[name] = table.get(name, Label(key=name, name=name)).replace(keypoints=points, skeleton=edges)
    return list(table.values())


def _frames(value: Any) -> list[dict[str, Any]] | None:
    """The frames a document begins with, ``None`` if it is another kind of document."""
    listed = value.get("frames") if isinstance(value, dict) else value
    if isinstance(value, dict) and listed is None and isinstance(value.get("config"), dict):
        return [] if "categories" in value["config"] else None
    if not isinstance(listed, list):
        return None
    frames = [frame for frame in listed if isinstance(frame, dict)]
    named = [f for f in frames if isinstance(f.get("name"), str | float | int) and not isinstance(f.get("labels"), dict)]
    signs = any(key in f for f in named for key in ("labels", "videoName", "frameIndex", "url"))
    if named and (signs or isinstance(value, dict)):
        return named
    return [] if isinstance(value, dict) and not frames and "config" in value else None


def evidence(path: str, value: Any) -> Match | None:
    """What the beginning of a document says about its format."""
    frames = _frames(value)
    if frames is None:
        return None
    listed = [frame["labels"] for frame in frames if isinstance(frame.get("labels"), list)]
    labels = [label for some in listed for label in some if isinstance(label, dict)]
    if any(sign in label for label in labels for sign in SIGNS):
        bdd = next((sign for frame in frames for sign in bdd_signs(frame)), None)
        if bdd is not None:
            return Match(0.6, f"{path} lists frames with labels, and {bdd} of BDD100K")
        return Match(0.95, f"{path} lists frames with labels that have {next(s for s in SIGNS for x in labels if s in x)}")
    if isinstance(value, dict) and isinstance(value.get("config"), dict):
        return Match(0.9, f"{path} has frames and a config")
    return Match(0.5, f"{path} lists frames with names") if any("labels" in frame for frame in frames) else None


def bdd_signs(frame: Mapping[str, Any]) -> list[str]:
    """Attributes that only frames of BDD100K and their labels have."""
    listed = frame.get("labels")
    labels = [label for label in listed if isinstance(label, dict)] if isinstance(listed, list) else []
    attributes = [frame.get("attributes"), *(label.get("attributes") for label in labels)]
    names = [name for bag in attributes if isinstance(bag, dict) for name in bag]
    return [name for name in names if name in BDD]


__all__ = ["Frame", "Scalabel", "evidence"]
