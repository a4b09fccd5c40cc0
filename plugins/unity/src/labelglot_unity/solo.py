"""Unity SOLO: a JSON per frame with its captures (images), and for each what the annotators saw.

- 2D box, instance segmentation and keypoints of one ``instanceId`` are one object: box, mask, keypoints, track.
- The folder of a sequence = sequence, ``step`` = frame. Where the data comes from elsewhere, ``labelglot`` in the capture
  says what path, sequence and frame it had.
- 3D boxes, other annotators, metrics and the camera are kept as they are, in ``extra``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, Literal, NamedTuple

import msgspec
from labelglot.geometry import decode_string, encode_string, from_bitmap, stack
from labelglot.images import SourceImage, decode_color, encode_color
from labelglot.plugin import (
    PIXELS_XYWH,
    Annotation,
    Box,
    Dataset,
    File,
    Holds,
    Keypoints,
    LabelglotError,
    LabelHolds,
    Mask,
    Match,
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
    WriteContext,
    image_size,
    is_finite,
    seen_from,
)
from labelglot.wire import json
from pydantic import Field

from labelglot_unity.definitions import (
    BOXES,
    DEFINITIONS,
    KINDS,
    MASKS,
    OWNER,
    POINTS,
    TYPE,
    Classes,
    read_definitions,
    template_of,
    write_definitions,
)

CAMERA = f"{TYPE}RGBCamera"
_FRAME = re.compile(r"(?:.*/)?sequence\.\d+/step\d+(\..+)?\.frame_data\.json", re.DOTALL)
_NATIVE = re.compile(r"sequence\.(\d{1,9})/step(\d{1,9})\.([\w -]+)(\.\w+)")
_CAPTURE = ("@type", "filename", "imageFormat", "dimension", "annotations", "labelglot")
_USUAL: Mapping[str, Any] = {
    "id": "camera", "description": "", "position": [0.0, 0.0, 0.0], "rotation": [0.0, 0.0, 0.0, 1.0],
    "velocity": [0.0, 0.0, 0.0], "acceleration": [0.0, 0.0, 0.0], "projection": "Perspective",
    "matrix": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
}  # fmt: skip
"""What a capture says of its camera if nothing else is known."""


class Capture(NamedTuple):
    """Which image of a frame, with the classes of the dataset. ``first``: what the frame says besides belongs to it."""

    number: int
    first: bool
    classes: Classes


class _Value(msgspec.Struct, kw_only=True):
    """What all values of annotators have in common."""

    instanceId: int | None = None
    labelId: int | None = None
    labelName: str | None = None


class _Box(_Value, kw_only=True):
    origin: tuple[float, float]
    dimension: tuple[float, float]
    track: Any = msgspec.UNSET


class _Instance(_Value, kw_only=True):
    color: list[int]


class _Semantic(msgspec.Struct):
    labelName: str
    pixelValue: list[int]


class _Point(msgspec.Struct):
    index: int
    location: tuple[float, float]
    state: int = 2


class _Figure(_Value, kw_only=True):
    keypoints: list[_Point]


class _Object:
    """An object while its parts are read."""

    def __init__(self) -> None:
        self.label: str | None = None
        self.box: Box | None = None
        self.mask: Mask | None = None
        self.keypoints: Keypoints | None = None
        self.track: int | None = None
        self.extra: dict[str, Any] = {}

    def made(self) -> Annotation:
        extra = {OWNER: self.extra} if self.extra else {}
        return Annotation(
            label=self.label, box=self.box, shape=self.mask, keypoints=self.keypoints, track=self.track, extra=extra
        )


class UnitySolo(PerImage):
    """``sequence.N/stepK.frame_data.json`` beside its images."""

    id = "unity-solo"
    name = "Unity SOLO"
    aliases = ("solo",)
    url = "https://github.com/Unity-Technologies/com.unity.perception"
    holds = Holds(
        geometry=(frozenset({"box"}), frozenset({"mask"}), frozenset({"keypoints"})),
        required=frozenset({"box"}),
        boxes=PIXELS_XYWH,
        keypoint_visibility="stated",
        labels=LabelHolds(ids="int", ids_required=True, names="(?s).+", keypoints=True, skeleton=True),
        track="int",
        sequence=True,
        frame=True,
        timestamp=True,
        extra=frozenset({OWNER}),
    )

    class ReadOptions(Options):
        """Options of the reader."""

        semantic: Literal["auto", "always", "never"] = Field(
            default="auto",
            title="Semantic segmentation",
            description="auto: read as a mask for each class where there is no instance segmentation",
        )

    def detect(self, source: Source) -> Match | None:
        for name in [n for n in source.match("*.frame_data.json", "*.json")[:40] if not n.endswith(DEFINITIONS)][:20]:
            value = json.peek(source.head(name, 1 << 12))
            captures = value.get("captures") if isinstance(value, dict) else None
            first = captures[0] if isinstance(captures, list) and captures else None
            if isinstance(first, dict) and str(first.get("@type")).startswith(TYPE):
                return Match(0.95, f"{name} lists captures of SOLO")
            if isinstance(captures, list) and _FRAME.fullmatch(name):
                return Match(0.8, f"{name} is called as frames of SOLO are")
        return None

    def read(self, context: ReadContext) -> Dataset:
        names = context.source.match("*.frame_data.json") or [n for n in context.source.match("*.json") if context.source.focus]
        found: list[tuple[str, list[int]]] = []
        seen: dict[tuple[Any, Any], None] = {}
        templates: dict[int, str] = {}
        for name in sorted(names, key=_in_order):
            try:
                document = json.load(context.source.read(name), name, dict)
            except (LabelglotError, OSError):
                found.append((name, [0]))  # said when it is decoded
                continue
            listed = document["captures"] if isinstance(document.get("captures"), list) else []
            captures = [i for i, c in enumerate(listed) if isinstance(c, dict) and c.get("@type") == CAMERA]
            if not captures:
                context.report.problem(f"{self.id}.capture", "no camera has seen anything", name, action="skipped")
            found.append((name, captures))
            for i in captures:
                _survey(listed[i], seen, templates)
        labels, classes, info = read_definitions(context, seen, templates)
        pairs = [Pair(n, more=Capture(i, i == captures[0], classes)) for n, captures in found for i in captures]
        return Dataset(Records(pairs, self.decoder(context)), labels, info)

    def pairs(self, context: ReadContext) -> Sequence[Pair]:
        raise NotImplementedError("a frame can be several images")

    def decode(self, data: bytes | None, pair: Pair, context: ReadContext, report: Report) -> Sample | None:
        name, which = pair.annotation or "", pair.more
        document: dict[str, Any] = json.load(data or b"", name, dict)
        captures = document.get("captures")
        if not isinstance(captures, list) or which.number >= len(captures) or not isinstance(captures[which.number], dict):
            raise LabelglotError("it lists no captures")
        capture, folder = captures[which.number], name.rpartition("/")[0]
        path = seen_from(folder, str(capture.get("filename")))
        if path is None:
            raise LabelglotError(f"{capture.get('filename')!r} names no image")
        image = SourceImage(context.source, path) if path in context.images else None
        size = _size(capture.get("dimension")) or (None if image is None else image_size(image))
        own = capture.get("labelglot")
        known: dict[str, Any] = own if isinstance(own, dict) else {}
        reader = _Reader(name, folder, path, size, which.classes, context, report)
        annotations = reader.all(capture.get("annotations"))
        step, time = document.get("step"), document.get("timestamp")
        said = seen_from("", known["path"]) if isinstance(known.get("path"), str) else None
        frame, sequence = known.get("frame", step), known.get("sequence", folder or None)
        rest = json.rest(capture, _CAPTURE)
        extra: dict[str, Any] = {"capture": {k: v for k, v in rest.items() if k not in _USUAL or v != _USUAL[k]}}
        extra["annotations"] = reader.others
        is_time = isinstance(time, int | float) and not isinstance(time, bool) and isfinite(time)
        if which.first:
            usual = ("captures", "sequence", "step", *(("timestamp",) if is_time else ()))
            extra["frame"] = json.rest(document, usual)
            if extra["frame"].get("metrics") == []:
                del extra["frame"]["metrics"]
            if extra["frame"].get("frame") == step:
                del extra["frame"]["frame"]
            extra["captures"] = [c for c in captures if isinstance(c, dict) and c.get("@type") != CAMERA]
        extra = {key: value for key, value in extra.items() if value}
        return Sample(
            path=said or path, image=image, size=size, annotations=tuple(annotations),
            sequence=sequence if isinstance(sequence, str) else None, frame=frame if type(frame) is int else None,
            timestamp=float(time) if is_time and time is not None else None, extra={OWNER: extra} if extra else {},
        )  # fmt: skip

    def image_path(self, sample: Sample, context: WriteContext) -> str | None:
        return sample.path if _NATIVE.fullmatch(sample.path) else f"sequence.0/{sample.path}"

    def annotation_path(self, sample: Sample, context: WriteContext) -> str:
        raise NotImplementedError("the number of the image is needed too")

    def encode_file(self, sample: Sample, context: WriteContext) -> bytes:
        raise NotImplementedError("encode writes frames")

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece]:
        native = _NATIVE.fullmatch(sample.path)
        sequence, step, sensor = (int(native[1]), int(native[2]), native[3]) if native else (0, ordinal, "camera")
        folder = f"sequence.{sequence}"
        base = f"step{step}.{sensor}"
        bag = sample.extra.get(OWNER)
        extra: Mapping[str, Any] = bag if isinstance(bag, dict) else {}
        own = {
            **({} if native else {"path": sample.path}),
            **({"sequence": sample.sequence} if sample.sequence != folder else {}),
            **({"frame": sample.frame} if sample.frame != step else {}),
        }
        annotations: list[Any] = []
        for number, (layer, png) in enumerate(_write(sample, context)):
            if png is not None:
                suffix = "" if not number else f" {number + 1}"
                layer["filename"] = f"{base}.{MASKS}{suffix}.png"
                yield File(f"{folder}/{layer['filename']}", png)
            annotations.append(layer)
        written = f"{folder}/" if native else ""
        filename = sample.path.removeprefix(written)
        suffix = filename[filename.rfind(".") + 1 :] if "." in filename else ""
        capture = {
            "@type": CAMERA, **_USUAL, "id": sensor, **_dict(extra.get("capture")), "filename": filename,
            "imageFormat": suffix.capitalize(), **({"dimension": list(map(float, sample.size))} if sample.size else {}),
            "annotations": annotations + _list(extra.get("annotations")), **({"labelglot": own} if own else {}),
        }  # fmt: skip
        frame = {
            "frame": step, "sequence": sequence, "step": step, "metrics": [], **_dict(extra.get("frame")),
            **({} if sample.timestamp is None else {"timestamp": sample.timestamp}),
            "captures": [capture, *_list(extra.get("captures"))],
        }  # fmt: skip
        stem = f"step{step}" if sensor == "camera" else base
        yield File(f"{folder}/{stem}.frame_data.json", json.dump_lines(frame))
        yield Piece(folder, b"1")

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        for name, data in write_definitions(context, len(pieces.slots())):
            yield File(name, data)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _in_order(name: str) -> tuple[Any, ...]:
    """By the numbers in a name, so that step 10 comes after step 9."""
    return tuple((int(part), "") if part.isdigit() and len(part) < 10 else (0, part) for part in re.split(r"([0-9]+)", name))


def _size(dimension: Any) -> tuple[int, int] | None:
    numbers = [v for v in dimension if isinstance(v, int | float) and 0 < v < 1 << 31] if isinstance(dimension, list) else []
    return (int(numbers[0]), int(numbers[1])) if len(numbers) == 2 == len(dimension) else None


def _survey(capture: Mapping[str, Any], seen: dict[tuple[Any, Any], None], templates: dict[int, str]) -> None:
    """The classes of the objects, and the template of each class with keypoints."""
    for annotation in _list(capture.get("annotations")):
        for value in (*_list(annotation.get("values")), *_list(annotation.get("instances"))):
            if "labelName" in value:
                seen[value.get("labelId") if type(value.get("labelId")) is int else None, str(value["labelName"])] = None
            if "keypoints" in value and type(value.get("labelId")) is int:
                templates.setdefault(value["labelId"], str(annotation.get("templateId")))


class _Reader:
    """Takes what annotators say of one image. ``others``: annotations that are kept as they are."""

    def __init__(
        self, name: str, folder: str, key: str, size: tuple[int, int] | None, classes: Classes, context: ReadContext,
        report: Report,
    ) -> None:  # fmt: skip
        self.name, self.folder, self.key, self.size, self.classes = name, folder, key, size, classes
        self.context, self.report = context, report
        self.objects: dict[Any, _Object] = {}
        self.further: list[Annotation] = []
        self.others: list[dict[str, Any]] = []

    def all(self, listed: Any) -> list[Annotation]:
        annotations = _list(listed)
        kinds = {kind: [a for a in annotations if a.get("@type") == TYPE + kind] for kind in KINDS.values()}
        masks = kinds[KINDS[MASKS]]
        semantic = self.context.options.semantic
        for annotation in kinds[KINDS[BOXES]]:
            self._each(annotation, "values", _Box, self._box)
        for annotation in masks:
            self._colored(annotation, _Instance, self._instance)
        for annotation in kinds[KINDS[POINTS]]:
            self._each(annotation, "values", _Figure, self._figure)
        for annotation in annotations:
            kind = str(annotation.get("@type")).removeprefix(TYPE)
            if kind == "SemanticSegmentationAnnotation" and (semantic == "always" or (semantic == "auto" and not masks)):
                self._colored(annotation, _Semantic, self._semantic)
            elif kind not in kinds:
                self.report.problem(
                    "unity-solo.kept", f"what a {kind} says is no box, mask or keypoints", self.name, severity="info",
                    key=self.key, action="kept as it is, without its file" if "filename" in annotation else "kept as it is",
                )  # fmt: skip
                self.others.append(annotation)
        return [*(each.made() for each in self.objects.values()), *self.further]

    def _each(self, annotation: Mapping[str, Any], key: str, kind: Any, take: Any) -> None:
        listed = annotation.get(key)
        for i, raw in enumerate(listed if isinstance(listed, list) else ()):
            place = f"{self.name}#{annotation.get('id')}.{key}[{i}]"
            value = json.load_item(raw, kind, place, self.report, "unity-solo.value")
            try:
                if value is not None:
                    take(value, raw)
            except LabelglotError as error:
                self.report.problem(
                    "unity-solo.value", error.message, place, severity="error", key=self.key, raw=raw, action="skipped"
                )

    def _colored(self, annotation: Mapping[str, Any], kind: Any, take: Any) -> None:
        """The values of an annotator that painted a PNG."""
        path = seen_from(self.folder, str(annotation.get("filename")))
        place = f"{self.name}#{annotation.get('id')}"
        try:
            if path is None or not self.context.source.exists(path):
                raise LabelglotError(f"its image {annotation.get('filename')!r} is not there")
            colors = decode_color(self.context.source.read(path))
            if self.size is not None and colors.shape != self.size[::-1]:
                raise LabelglotError(f"its image {annotation.get('filename')!r} is not as large as the photo")
        except (LabelglotError, OSError) as error:
            message = error.message if isinstance(error, LabelglotError) else str(error)
            self.report.problem("unity-solo.mask", message, place, severity="error", key=self.key, action="skipped")
            return
        self._each(annotation, "instances", kind, lambda value, raw: take(value, colors))

    def _object(self, value: _Value) -> _Object:
        """The object of a value; one without number is alone."""
        found = self.objects.setdefault(value.instanceId if value.instanceId is not None else id(value), _Object())
        if found.label is None:
            named = value.labelName or None
            found.label = self.classes.by_name.get(named, named) if named else self.classes.by_id.get(value.labelId or 0)
        found.track = value.instanceId
        return found

    def _box(self, value: _Box, raw: Mapping[str, Any]) -> None:
        box = PIXELS_XYWH.read_box((*value.origin, *value.dimension), None)
        if not is_finite(box):
            raise LabelglotError("a coordinate is not finite")
        found = self._object(value)
        if found.box is not None:
            raise LabelglotError(f"instance {value.instanceId} has two boxes")
        found.box = box
        if value.track is not msgspec.UNSET:
            found.track = value.track if type(value.track) is int else None
        found.extra |= json.rest(raw, _Box.__struct_fields__)

    def _instance(self, value: _Instance, colors: Any) -> None:
        track = self.objects[value.instanceId].track if value.instanceId in self.objects else value.instanceId
        found = self._object(value)
        found.mask, found.track = _mask(value.color, colors), track

    def _semantic(self, value: _Semantic, colors: Any) -> None:
        label = self.classes.by_name.get(value.labelName, value.labelName)
        self.further.append(Annotation(label=label, shape=_mask(value.pixelValue, colors)))

    def _figure(self, value: _Figure, raw: Mapping[str, Any]) -> None:
        number = max((point.index for point in value.keypoints), default=-1) + 1
        if not value.keypoints or min(point.index for point in value.keypoints) < 0 or number > 10 * len(value.keypoints) + 100:
            raise LabelglotError("the indexes of keypoints are no list")
        ring, seen = [0.0] * (2 * number), [0] * number
        for point in value.keypoints:
            ring[2 * point.index : 2 * point.index + 2] = point.location
            seen[point.index] = point.state
        made = Keypoints(points=tuple(ring), visibility=tuple(seen))
        if not is_finite(made):
            raise LabelglotError("a coordinate is not finite")
        track = self.objects[value.instanceId].track if value.instanceId in self.objects else value.instanceId
        found = self._object(value)
        found.keypoints, found.track = made, track
        pose = raw.get("pose")
        found.extra |= {"pose": pose} if pose not in (None, "unset") else {}
        details = [json.rest(point, _Point.__struct_fields__) for point in _list(raw.get("keypoints"))]
        if any(details):
            found.extra["keypoints"] = details


def _mask(color: Sequence[int], colors: Any) -> Mask:
    if len(color) < 3 or not all(0 <= c < 256 for c in color):
        raise LabelglotError(f"{list(color)} is no colour")
    height, width = colors.shape
    bitmap = colors == (color[0] << 16 | color[1] << 8 | color[2])
    return Mask(width=width, height=height, rle=encode_string(from_bitmap(bitmap)))


def _color(number: int) -> int:
    """A colour as 0xRRGGBB for each number from 1 on, neighbours far apart: its bits, the lowest first, red, green and
    blue in turn.
    """
    color = 0
    for bit in range(24):
        if number >> bit & 1:
            color |= 1 << (23 - 8 * (bit % 3) - bit // 3)
    return color


def _write(sample: Sample, context: WriteContext) -> Iterable[tuple[dict[str, Any], bytes | None]]:
    """The annotations of an image: masks in layers with their PNGs first, then boxes and keypoints."""
    objects = sample.annotations or ()
    tracks = [a.track for a in objects if isinstance(a.track, int)]
    free = max([0, *tracks]) + 1
    ids: list[int] = []
    for a in objects:
        fits = isinstance(a.track, int) and a.track not in ids
        ids.append(a.track if fits and isinstance(a.track, int) else free)
        free += not fits
    masks = [(i, decode_string(a.shape.rle)) for i, a in enumerate(objects) if isinstance(a.shape, Mask)]
    size = sample.size or next(((a.shape.width, a.shape.height) for a in objects if isinstance(a.shape, Mask)), (0, 0))
    head = {"sensorId": "camera", "description": ""}
    common = [
        {"instanceId": id_, "labelId": context.by_key[a.label or ""].id, "labelName": context.name(a.label)}
        for id_, a in zip(ids, objects, strict=True)
    ]
    for number, (layer, numbers) in enumerate(stack(masks, size[1], size[0])):
        table = _table(len(numbers) + 1)
        instances = [
            {**common[i], "color": [int(table[n]) >> 16, int(table[n]) >> 8 & 255, int(table[n]) & 255, 255]}
            for i, n in numbers.items()
            if isinstance(i, int)
        ]
        name = MASKS if not number else f"{MASKS} {number + 1}"
        yield (
            {"@type": TYPE + KINDS[MASKS], "id": name, **head, "imageFormat": "Png", "dimension": list(map(float, size)),
             "instances": instances},
            encode_color(table[layer]),
        )  # fmt: skip
    boxes = []
    for value, a in zip(common, objects, strict=True):
        assert a.box is not None
        x, y, w, h = (round(v, 9) + 0.0 for v in PIXELS_XYWH.write_box(a.box, None))
        bag = a.extra.get(OWNER)
        extra = {k: v for k, v in bag.items() if k not in ("pose", "keypoints")} if isinstance(bag, dict) else {}
        own = {} if a.track == value["instanceId"] else {"track": a.track}
        boxes.append({**value, "origin": [x, y], "dimension": [w, h], **own, **extra})
    yield {"@type": TYPE + KINDS[BOXES], "id": BOXES, **head, "values": boxes}, None
    figures: dict[str, list[dict[str, Any]]] = {}
    for value, a in zip(common, objects, strict=True):
        if a.keypoints is not None:
            figures.setdefault(a.label or "", []).append(_figure(value, a, a.keypoints))
    for label, values in figures.items():
        known = context.by_key[label]
        about = {"id": f"{POINTS} {known.id}", **head, "templateId": template_of(known)}
        yield {"@type": TYPE + KINDS[POINTS], **about, "values": values}, None


def _table(number: int) -> Any:
    """Colours of the numbers below."""
    import numpy as np

    return np.array([_color(n) for n in range(number)], dtype=np.int64)


def _figure(value: dict[str, Any], a: Annotation, keypoints: Keypoints) -> dict[str, Any]:
    bag = a.extra.get(OWNER)
    extra: Mapping[str, Any] = bag if isinstance(bag, dict) else {}
    details = extra.get("keypoints")
    seen = keypoints.visibility or (2,) * len(keypoints)
    points = [
        {"index": i, "location": list(keypoints.points[2 * i : 2 * i + 2]), "state": seen[i]} for i in range(len(keypoints))
    ]
    if isinstance(details, list) and len(details) == len(points):
        points = [{**point, **_dict(detail)} for point, detail in zip(points, details, strict=True)]
    return {"instanceId": value["instanceId"], "labelId": value["labelId"], "pose": extra.get("pose", "unset"), "keypoints": points}
