"""One image and its objects as the features of the TensorFlow Object Detection API, and back.

Objects are parallel lists. Where only some objects of an image have a thing that TensorFlow expects of all (a mask,
keypoints, a track...), the others get a blank one, and a list ``<key>/given`` tells them apart.
"""

from __future__ import annotations

import base64
import hashlib
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from labelglot.geometry import decode_string, encode_string, from_bitmap, to_bitmap
from labelglot.images import decode as decode_image
from labelglot.images import probe
from labelglot.plugin import (
    Annotation,
    Convention,
    Keypoints,
    Label,
    LabelglotError,
    Mask,
    Report,
    Sample,
    Tag,
    WriteContext,
)
from labelglot.storage import clean_foreign, safe_relative

from labelglot_tensorflow import example
from labelglot_tensorflow.classes import OWNER, Classes, number_of, own, text_of
from labelglot_tensorflow.example import Feature, Kind, Span

FRACTIONS = Convention(unit="relative", single=True)
"""Coordinates: corners as fractions of the image, 32-bit floats."""

ENCODED, FORMAT, FILENAME, SOURCE_ID = "image/encoded", "image/format", "image/filename", "image/source_id"
HEIGHT, WIDTH, SHA256 = "image/height", "image/width", "image/key/sha256"
CAPTION = "image/caption"
CLASS_LABEL, CLASS_TEXT, CLASS_CONFIDENCE = "image/class/label", "image/class/text", "image/class/confidence"
NEGATIVE, NEGATIVE_CONFIDENCE = "image/neg_category_ids", "image/neg_category_ids/confidence"
TAG_ORDER = "image/class/order"
OBJECT = "image/object/"
CORNERS = tuple(f"{OBJECT}bbox/{name}" for name in ("xmin", "ymin", "xmax", "ymax"))
LABEL, TEXT = OBJECT + "class/label", OBJECT + "class/text"
VIEW, WEIGHT, TRACK, MASK = OBJECT + "view", OBJECT + "weight", OBJECT + "track/label", OBJECT + "mask"
POINT_X, POINT_Y, POINT_SEEN = (f"{OBJECT}keypoint/{name}" for name in ("x", "y", "visibility"))
POINT_GIVEN = OBJECT + "keypoint/given"
AREA = OBJECT + "area"
ATTRIBUTE = OBJECT + "attribute/"
GIVEN = "/given"
UNSEEN = -1
"""Visibility of keypoints whose source has no such notion, where other objects of the image have it."""

FLAGS: Mapping[str, str] = {
    "crowd": OBJECT + "is_crowd",
    "difficult": OBJECT + "difficult",
    "truncated": OBJECT + "truncated",
    "occluded": OBJECT + "occluded",
    "group_of": OBJECT + "group_of",
    "depiction": OBJECT + "depiction",
}
"""Attributes that are yes or no: 0 says the same as nothing."""

INDEXED = frozenset(
    {FILENAME, SOURCE_ID, FORMAT, HEIGHT, WIDTH, CORNERS[0], LABEL, TEXT, CLASS_LABEL, CLASS_TEXT, NEGATIVE}
)
"""What is read of every record before the first sample is asked for."""

_SUFFIXES = {"jpeg": ".jpg", "jpg": ".jpg", "png": ".png", "gif": ".gif", "bmp": ".bmp", "webp": ".webp"}
_CONSUMED = frozenset(
    {ENCODED, FORMAT, FILENAME, SOURCE_ID, HEIGHT, WIDTH, SHA256, CAPTION, CLASS_LABEL, CLASS_TEXT, CLASS_CONFIDENCE}
) | {NEGATIVE, NEGATIVE_CONFIDENCE, TAG_ORDER, *CORNERS, LABEL, TEXT, VIEW, WEIGHT, TRACK, MASK, POINT_X, POINT_Y,
     POINT_SEEN, POINT_GIVEN, *FLAGS.values()}  # fmt: skip


class Name(NamedTuple):
    """What an image is called: its path, and the name as written if that is no path inside a dataset."""

    path: str
    uri: str | None = None


def text(value: bytes) -> str:
    """Text of a byte string, in whatever encoding it is."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def image_name(features: Mapping[str, Feature], missing: str) -> Name:
    """The name of an image: of its file, else its id, else ``missing``, with the suffix of its type."""
    written = first_text(features, FILENAME)
    if written:
        try:
            path = safe_relative(written)
        except LabelglotError:
            path = next(iter(clean_foreign(written)), "")
        if path:
            return Name(path, None if path == written else written)
    suffix = _SUFFIXES.get(first_text(features, FORMAT).lower(), ".jpg")
    for candidate in clean_foreign(first_text(features, SOURCE_ID)):
        return Name(candidate if "." in candidate else candidate + suffix)
    return Name(missing + suffix)


def first_text(features: Mapping[str, Feature], key: str) -> str:
    """The first text of a key, empty if there is none."""
    feature = features.get(key)
    return text(feature.values[0]) if feature is not None and feature.kind == "bytes" and feature.values else ""


Found = tuple[str, str, int]
"""Key, text and number of a class as a record has it."""


def classes_in(features: Mapping[str, Feature], classes: Classes) -> tuple[list[Found], list[Found], int]:
    """The classes of the objects and of the image as a whole, and the number of objects."""
    number = len(_values(features, CORNERS[0]))
    absent = [("", value) for value in _values(features, NEGATIVE) if isinstance(value, int)]
    objects = _found(_pairs(features, LABEL, TEXT)[:number], classes)
    return objects, _found([*_pairs(features, CLASS_LABEL, CLASS_TEXT), *absent], classes), number


def _found(pairs: Iterable[tuple[str, int]], classes: Classes) -> list[Found]:
    triples = ((classes.find(name, number), name, number) for name, number in pairs)
    return [(key, name, number) for key, name, number in triples if key is not None]


def _values(features: Mapping[str, Feature], key: str) -> Sequence[Any]:
    return features[key].values if key in features else ()


def _pairs(features: Mapping[str, Feature], label: str, name: str) -> list[tuple[str, int]]:
    numbers = [value for value in _values(features, label) if isinstance(value, int)]
    names = [text(value) for value in _values(features, name) if isinstance(value, bytes)]
    total = max(len(numbers), len(names))
    return [(names[i] if i < len(names) else "", numbers[i] if i < len(numbers) else 0) for i in range(total)]


class Reading(NamedTuple):
    """Where problems of one record go, and its classes."""

    format: str
    place: str
    report: Report
    classes: Classes

    def problem(self, what: str, message: str, **more: Any) -> None:
        """Note a problem of the record."""
        self.report.problem(f"{self.format}.{what}", message, self.place, **more)


class Record:
    """The features of one record, and what it takes to make a sample of them."""

    def __init__(self, data: bytes, how: Reading) -> None:
        self.data, self.how = data, how
        self.spans = example.spans(data)
        self._used: set[str] = set()

    def feature(self, key: str) -> Feature | None:
        """The values of a key."""
        span = self.spans.get(key)
        return None if span is None else example.decode(self.data, span)

    def values(self, key: str, kind: Kind) -> Sequence[Any]:
        """The values of a key that must be of a kind; nothing, and a problem, if they are of another."""
        feature = self.feature(key)
        if feature is None or not feature.values:
            return ()
        if feature.kind == kind:
            return feature.values
        self.how.problem("type", f"{key} holds {feature.kind} values instead of {kind}", action="not used")
        return ()

    def first(self, key: str, kind: Kind) -> Any:
        """The first value of a key, ``None`` if there is none."""
        return next(iter(self.values(key, kind)), None)

    def name(self, missing: str) -> Name:
        """What the image is called."""
        keys = (FILENAME, FORMAT, SOURCE_ID)
        return image_name({key: f for key in keys if (f := self.feature(key)) is not None}, missing)

    def embedded(self) -> Span | None:
        """Where in the record the image file is; ``None`` if it is not in there."""
        span = self.spans.get(ENCODED)
        found = example.blobs(self.data, span) if span is not None else []
        return found[0] if found and found[0][1] > found[0][0] else None

    def size(self, inside: Span | None) -> tuple[int, int] | None:
        """Declared (width, height); of the image itself where nothing, or the 1 that some tools write, is declared."""
        width, height = self.first(WIDTH, "int"), self.first(HEIGHT, "int")
        if width is not None and height is not None and width > 1 and height > 1:
            return width, height
        own = None
        if inside is not None:
            try:
                info = probe(io.BytesIO(self.data[slice(*inside)]))
                own = (info.width, info.height)
            except LabelglotError as error:
                self.how.problem("image", f"the image in the record cannot be read: {error}")
        if own is not None and min(own) > 0:
            return own
        if width is None and height is None:
            return None
        if width is None or height is None or width < 1 or height < 1:
            self.how.problem("size", "an image has no such size", raw=f"{width} x {height}", action="taken as unknown")
            return None
        return width, height

    def sample(self, name: Name, splits: tuple[str, ...], id_: int | str | None, size: tuple[int, int] | None) -> Sample:
        """The sample, without its image. Raises :class:`LabelglotError` if its lists do not go together."""
        tags, objects = self._tags(), self._objects(size)
        extra = {
            key: bag for key in self.spans if not self._is_consumed(key) and (bag := _plain(self.feature(key))) is not None
        }
        return Sample(
            path=name.path, uri=name.uri, id=id_, size=size, units="pixels" if size else "relative", splits=splits,
            tags=tags, annotations=objects, extra={OWNER: extra} if extra else {},
        )  # fmt: skip

    def _is_consumed(self, key: str) -> bool:
        return key in _CONSUMED or key in self._used

    def _tags(self) -> tuple[Tag, ...]:
        find = self.how.classes.find
        numbers, names = self.values(CLASS_LABEL, "int"), self.values(CLASS_TEXT, "bytes")
        total = max(len(numbers), len(names))
        scores = self._column(CLASS_CONFIDENCE, "float", total)
        tags = []
        for i in range(total):
            key = find(text(names[i]) if i < len(names) else "", numbers[i] if i < len(numbers) else 0)
            if key is not None:
                tags.append(Tag(label=key, score=scores[i]))
        absent = self.values(NEGATIVE, "int")
        scores = self._column(NEGATIVE_CONFIDENCE, "float", len(absent))
        for number, score in zip(absent, scores, strict=True):
            key = find("", number)
            if key is not None:
                tags.append(Tag(label=key, negative=True, score=score))
        tags += [Tag(text=text(caption)) for caption in self.values(CAPTION, "bytes")]
        order = self.values(TAG_ORDER, "int")
        if sorted(order) == list(range(len(tags))):
            tags = [tag for _, tag in sorted(zip(order, tags, strict=True), key=lambda pair: pair[0])]
        return tuple(tags)

    def _objects(self, size: tuple[int, int] | None) -> tuple[Annotation, ...]:
        corners = [self.values(key, "float") for key in CORNERS]
        number = len(corners[0])
        numbers, names = self.values(LABEL, "int"), self.values(TEXT, "bytes")
        lengths = [len(values) for values in corners] + [len(v) for v in (numbers, names) if len(v)]
        if set(lengths) - {number}:
            raise LabelglotError(f"the lists of its objects have different lengths: {lengths}")
        attributes = self._attributes(number)
        masks = self._masks(number, size)
        points = self._keypoints(number, size)
        tracks = self._column(TRACK, "int", number)
        extras = self._extras(number)
        found = []
        for i in range(number):
            box = tuple(values[i] for values in corners)
            if not all(map(math.isfinite, box)):
                self.how.problem(
                    "number", f"a box of {box} is no box", object=i, severity="error", action="skipped the object"
                )
                continue
            self._doubt(box, i)
            name = text(names[i]) if names else ""
            number_ = numbers[i] if numbers else 0
            if self.how.classes.disagree(name, number_):
                self.how.problem("class", f"the label map has another number for {name!r}", object=i, raw=number_)
            found.append(
                Annotation(
                    label=self.how.classes.find(name, number_), box=FRACTIONS.read_box(box, size), shape=masks[i],
                    keypoints=points[i], track=tracks[i], attributes=attributes[i],
                    extra={OWNER: extras[i]} if extras[i] else {},
                )
            )  # fmt: skip
        return tuple(found)

    def _doubt(self, box: Sequence[float], position: int) -> None:
        x0, y0, x1, y1 = box
        if x0 > x1 or y0 > y1:
            self.how.problem("inverted", "the box ends before it begins", object=position, raw=box)
        elif x0 < 0 or y0 < 0 or x1 > 1 or y1 > 1:
            self.how.problem("outside", "the box leaves the image", object=position, raw=box, severity="info")

    def _column(self, key: str, kind: Kind, number: int) -> list[Any]:
        """One value for each of ``number`` objects; ``None`` for those that have none."""
        self._used |= {key, key + GIVEN}
        values = self.values(key, kind)
        if not values:
            return [None] * number
        if len(values) != number:
            self._misfit(key, len(values), number)
            return [None] * number
        given = self.values(key + GIVEN, "int")
        if len(given) != number:
            return list(values)
        return [value if there else None for value, there in zip(values, given, strict=True)]

    def _misfit(self, key: str, length: int, number: int) -> None:
        self.how.problem("lists", f"{key} has {length} values for {number} objects", action="not used")

    def _attributes(self, number: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = [{} for _ in range(number)]
        for name, key in FLAGS.items():
            for position, value in enumerate(self._column(key, "int", number)):
                if value:
                    found[position][name] = True
                    if value != 1:
                        self.how.problem("flag", f"{key} is neither 0 nor 1", object=position, raw=value, action="taken as 1")
        for name, key, kind, blank in (("pose", VIEW, "bytes", b""), ("weight", WEIGHT, "float", 1.0)):
            for position, value in enumerate(self._column(key, kind, number)):  # type: ignore[arg-type]
                if value is not None and value != blank:
                    found[position][name] = text(value) if kind == "bytes" else value
        for key in [key for key in self.spans if key.startswith(ATTRIBUTE)]:
            feature = self.feature(key)
            if key in self._used or feature is None or feature.kind != "int":
                continue
            for position, value in enumerate(self._column(key, "int", number)):
                if value is not None:
                    found[position][key.removeprefix(ATTRIBUTE)] = value
        return found

    def _extras(self, number: int) -> list[dict[str, Any]]:
        """Values of keys that only this format knows, of those lists that have the same number for each object."""
        found: list[dict[str, Any]] = [{} for _ in range(number)]
        for key in self.spans:
            if not key.startswith(OBJECT) or self._is_consumed(key) or number == 0:
                continue
            feature = self.feature(key)
            if feature is None or not feature.values or len(feature.values) % number:
                if feature is not None and feature.values and not key.endswith(GIVEN):
                    message = f"{key} has {len(feature.values)} values for {number} objects"
                    self.how.problem("lists", message, severity="info", action="kept with the image")
                continue
            each = len(feature.values) // number
            given = self.values(key + GIVEN, "int")
            self._used |= {key, key + GIVEN}
            for i in range(number):
                if len(given) != number or given[i]:
                    found[i][key] = _plain(Feature(feature.kind, feature.values[i * each : (i + 1) * each]), each == 1)
        return found

    def _masks(self, number: int, size: tuple[int, int] | None) -> list[Mask | None]:
        feature = self.feature(MASK)
        given = self.values(MASK + GIVEN, "int")
        self._used.add(MASK + GIVEN)
        nothing: list[Mask | None] = [None] * number
        if feature is None or not feature.values or not number:
            return nothing
        if feature.kind == "float" and size is not None and len(feature.values) == number * size[0] * size[1]:
            each = size[0] * size[1]
            return [_from_numbers(feature.values[i * each : (i + 1) * each], size) for i in range(number)]
        if feature.kind != "bytes" or len(feature.values) != number:
            self._misfit(MASK, len(feature.values), number)
            return nothing
        for i, data in enumerate(feature.values):
            if len(given) == number and not given[i]:
                continue
            try:
                mask = _from_png(data)
            except LabelglotError as error:
                self.how.problem("mask", str(error), object=i, action="kept without mask")
                continue
            if size is not None and (mask.width, mask.height) != size:
                message = f"a mask of {mask.width} x {mask.height} pixels does not cover the image"
                self.how.problem("mask", message, object=i, action="kept without mask")
                continue
            nothing[i] = mask
        return nothing

    def _keypoints(self, number: int, size: tuple[int, int] | None) -> list[Keypoints | None]:
        xs, ys = self.values(POINT_X, "float"), self.values(POINT_Y, "float")
        nothing: list[Keypoints | None] = [None] * number
        if not xs or not number:
            return nothing
        seen = self.values(POINT_SEEN, "int")
        if len(xs) != len(ys) or len(xs) % number or (seen and len(seen) != len(xs)):
            self.how.problem("lists", f"{len(xs)} keypoints of {number} objects do not go together", action="not used")
            return nothing
        each = len(xs) // number
        counts = self.values(POINT_GIVEN, "int")
        if len(counts) != number or not all(0 <= count <= each for count in counts):
            counts = [each] * number
        for i, count in enumerate(counts):
            if not count:
                continue
            part = slice(i * each, i * each + count)
            flat = tuple(v for pair in zip(xs[part], ys[part], strict=True) for v in pair)
            if not all(map(math.isfinite, flat)):
                self.how.problem("number", "a keypoint is at no place", object=i, action="kept without keypoints")
                continue
            marks = tuple(seen[part])
            if not marks or set(marks) == {UNSEEN}:
                nothing[i] = Keypoints(points=FRACTIONS.read_points(flat, size))
            else:
                nothing[i] = Keypoints(points=FRACTIONS.read_points(flat, size), visibility=marks)
        return nothing


def _from_png(data: bytes) -> Mask:
    import numpy as np

    image = decode_image(data)
    bitmap: Any = np.asarray(image)
    if bitmap.ndim == 3:
        bitmap = bitmap[:, :, : -1 if image.mode in ("LA", "PA", "RGBA") else None].any(axis=2)
    height, width = bitmap.shape
    return Mask(width=width, height=height, rle=encode_string(from_bitmap(bitmap)))


def _from_numbers(values: Sequence[float], size: tuple[int, int]) -> Mask:
    import numpy as np

    bitmap = np.asarray(values).reshape(size[1], size[0]) > 0
    return Mask(width=size[0], height=size[1], rle=encode_string(from_bitmap(bitmap)))


def _to_png(mask: Mask) -> bytes:
    """One channel, 1 where the object is."""
    from PIL import Image

    bitmap = to_bitmap(decode_string(mask.rle), mask.height, mask.width)
    out = io.BytesIO()
    Image.fromarray(bitmap.astype("uint8")).save(out, "PNG")
    return out.getvalue()


def _plain(feature: Feature | None, single: bool = False) -> Any:
    """Values as JSON has them: numbers, texts, ``{"base64": ...}`` for other bytes; ``None`` if there are none."""
    if feature is None or not feature.values:
        return None
    values = [_readable(value) if isinstance(value, bytes) else value for value in feature.values]
    return values[0] if single else values


def _readable(value: bytes) -> Any:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def _feature(plain: Any) -> Feature | None:
    """The inverse of :func:`_plain`; ``None`` for what no feature can hold."""
    values = plain if isinstance(plain, list | tuple) else [plain]
    if all(isinstance(value, int) for value in values):
        return Feature("int", [int(value) for value in values])
    if all(isinstance(value, int | float) for value in values):
        return Feature("float", [float(value) for value in values])
    try:
        return Feature("bytes", [_written(value) for value in values])
    except (ValueError, TypeError, KeyError):
        return None


def _written(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else base64.b64decode(value["base64"], validate=True)


_BLANKS: Mapping[Kind, Any] = {"bytes": b"", "float": 0.0, "int": 0}


def features_of(sample: Sample, source_id: str, context: WriteContext) -> dict[str, Feature]:
    """The features of a sample, the image itself last. Raises :class:`LabelglotError` if its image cannot be read."""
    found: dict[str, Feature] = {}
    if sample.size is not None:
        found[HEIGHT], found[WIDTH] = Feature("int", [sample.size[1]]), Feature("int", [sample.size[0]])
    found[FILENAME] = Feature("bytes", [sample.path.encode()])
    found[SOURCE_ID] = Feature("bytes", [source_id.encode()])
    _write_tags(found, sample.tags, context)
    _write_objects(found, sample, context)
    for key, value in sorted(own(sample.extra).items()):
        feature = _feature(value)
        if feature is not None:
            found.setdefault(key, feature)
    data = sample.image.read() if sample.image is not None and context.images else b""
    if data:
        found[SHA256] = Feature("bytes", [hashlib.sha256(data).hexdigest().encode()])
    found[FORMAT] = Feature("bytes", [_type_of(data).encode()])
    found[ENCODED] = Feature("bytes", [data])
    return found


def _type_of(data: bytes) -> str:
    """The type of an image file by its first bytes."""
    if not data:
        return ""
    try:
        return probe(io.BytesIO(data)).media_type.removeprefix("image/")
    except LabelglotError:
        return ""


def _write_tags(found: dict[str, Feature], tags: Sequence[Tag], context: WriteContext) -> None:
    there = [tag for tag in tags if tag.label is not None and not tag.negative]
    absent = [tag for tag in tags if tag.label is not None and tag.negative]
    captions = [tag for tag in tags if tag.label is None]
    if there:
        labels = [context.by_key[tag.label or ""] for tag in there]
        found[CLASS_LABEL] = Feature("int", [number_of(label) for label in labels])
        found[CLASS_TEXT] = Feature("bytes", [text_of(label).encode() for label in labels])
        _write_column(found, CLASS_CONFIDENCE, "float", [tag.score for tag in there])
    if absent:
        found[NEGATIVE] = Feature("int", [number_of(context.by_key[tag.label or ""]) for tag in absent])
        _write_column(found, NEGATIVE_CONFIDENCE, "float", [tag.score for tag in absent])
    if captions:
        found[CAPTION] = Feature("bytes", [(tag.text or "").encode() for tag in captions])
    places = [i for group in (there, absent, captions) for i, tag in enumerate(tags) if any(tag is t for t in group)]
    if places != list(range(len(tags))):
        found[TAG_ORDER] = Feature("int", places)


def _write_objects(found: dict[str, Feature], sample: Sample, context: WriteContext) -> None:
    annotations = sample.annotations or ()
    boxes = [FRACTIONS.write_box(a.box or (0.0, 0.0, 0.0, 0.0), sample.size) for a in annotations]
    for i, key in enumerate(CORNERS):
        found[key] = Feature("float", [box[i] for box in boxes])
    labels: list[Label | None] = [None if a.label is None else context.by_key[a.label] for a in annotations]
    found[LABEL] = Feature("int", [0 if label is None else number_of(label) for label in labels])
    found[TEXT] = Feature("bytes", [b"" if label is None else text_of(label).encode() for label in labels])
    named = {name for a in annotations for name in a.attributes}
    for name, key in FLAGS.items():
        if name in named:
            found[key] = Feature("int", [int(bool(a.attributes.get(name))) for a in annotations])
    if "pose" in named:
        found[VIEW] = Feature("bytes", [str(a.attributes.get("pose", "")).encode() for a in annotations])
    if "weight" in named:
        found[WEIGHT] = Feature("float", [a.attributes.get("weight", 1.0) for a in annotations])
    for name in sorted(named - {*FLAGS, "pose", "weight"}):
        _write_column(found, ATTRIBUTE + name, "int", [a.attributes.get(name) for a in annotations])
    _write_column(found, TRACK, "int", [a.track for a in annotations])
    _write_masks(found, sample, annotations)
    _write_keypoints(found, sample, annotations, context)
    bags = [own(a.extra) for a in annotations]
    for key in sorted({key for bag in bags for key in bag}):
        if key not in found:
            _write_extra(found, key, [bag.get(key) for bag in bags])


def _write_column(found: dict[str, Feature], key: str, kind: Kind, values: Sequence[Any]) -> None:
    """A list with a value for each object, and which of them are real if not all are; nothing if none is."""
    there = [value is not None for value in values]
    if any(there):
        found[key] = Feature(kind, [_BLANKS[kind] if value is None else value for value in values])
        if not all(there):
            found[key + GIVEN] = Feature("int", [int(is_there) for is_there in there])


def _write_extra(found: dict[str, Feature], key: str, plains: Sequence[Any]) -> None:
    features = [None if plain is None else _feature(plain) for plain in plains]
    real = [feature for feature in features if feature is not None]
    kinds, lengths = {f.kind for f in real}, {len(f.values) for f in real}
    if kinds == {"int", "float"}:
        kinds = {"float"}
    if len(kinds) != 1 or len(lengths) != 1:
        return
    kind, each = kinds.pop(), lengths.pop()
    values = [[_BLANKS[kind]] * each if feature is None else feature.values for feature in features]
    found[key] = Feature(kind, [value for part in values for value in part])
    if len(real) != len(features):
        found[key + GIVEN] = Feature("int", [int(feature is not None) for feature in features])


def _write_masks(found: dict[str, Feature], sample: Sample, annotations: Iterable[Annotation]) -> None:
    masks = [a.shape if isinstance(a.shape, Mask) else None for a in annotations]
    real = next((mask for mask in masks if mask is not None), None)
    if real is None:
        return
    width, height = sample.size or (real.width, real.height)
    blank = Mask(width=width, height=height, rle=encode_string([width * height]))
    found[MASK] = Feature("bytes", [_to_png(mask or blank) for mask in masks])
    if None in masks:
        found[MASK + GIVEN] = Feature("int", [int(mask is not None) for mask in masks])


def _write_keypoints(
    found: dict[str, Feature], sample: Sample, annotations: Sequence[Annotation], context: WriteContext
) -> None:
    given = [a.keypoints for a in annotations]
    counts = [0 if points is None else len(points) for points in given]
    if not any(counts):
        return
    each = max(*counts, *(len(label.keypoints or ()) for label in context.labels))
    marked = any(points is not None and points.visibility is not None for points in given)
    flat: list[float] = []
    seen: list[int] = []
    for points, count in zip(given, counts, strict=True):
        if points is not None:
            flat += FRACTIONS.write_points(points.points, sample.size)
            seen += [UNSEEN] * count if points.visibility is None else [int(mark) for mark in points.visibility]
        flat += [0.0, 0.0] * (each - count)
        seen += [0] * (each - count)
    found[POINT_X], found[POINT_Y] = Feature("float", flat[::2]), Feature("float", flat[1::2])
    if marked:
        found[POINT_SEEN] = Feature("int", seen)
    if any(count != each for count in counts):
        found[POINT_GIVEN] = Feature("int", counts)


__all__ = ["ENCODED", "FLAGS", "INDEXED", "Name", "Reading", "Record", "classes_in", "features_of", "image_name"]
