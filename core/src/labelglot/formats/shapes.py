"""Base of formats with one JSON file per image that lists shapes by their points, as LabelMe made it common.

``{"shapes": [{"label", "points": [[x, y], ...], "shape_type", "group_id", "flags", "description"}, ...],
"imagePath", "imageData", "imageHeight", "imageWidth"}``; what a tool adds to it, subclasses read and write.
"""

from __future__ import annotations

import base64
import binascii
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from math import hypot, isfinite
from typing import Any, ClassVar, NamedTuple

import msgspec
from labelglot.errors import LabelglotError
from labelglot.formats.base import (
    File,
    Options,
    Pieces,
    Place,
    ReadContext,
    WriteContext,
    image_size,
    seen_from,
    with_suffix,
)
from labelglot.formats.per_image import Pair, PerImage
from labelglot.images import ImageHandle, LazyImage, SourceImage, is_image
from labelglot.report import Report
from labelglot.schema import (
    Annotation,
    Attribute,
    Box,
    Dataset,
    Ellipse,
    Label,
    Points,
    Polygon,
    Polyline,
    Ring,
    Sample,
    Shape,
    make_labels,
)
from labelglot.storage import Source
from labelglot.wire import json, text
from pydantic import Field

COMMON = ("version", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth")
COMMON_OF_SHAPE = ("label", "points", "group_id", "description", "shape_type", "flags")


class Listed(msgspec.Struct):
    """What must be right about a shape for it to be read."""

    points: list[tuple[float, float]]
    label: str | int | float | None = None
    shape_type: str | None = None


class Frame(NamedTuple):
    """Where a shape stands, for reading it. ``size`` is (width, height), ``None`` if unknown."""

    size: tuple[int, int] | None
    place: str
    key: str
    report: Report


class Spelled(NamedTuple):
    """How the geometry of an object is written. ``more``: fields of the shape besides those all formats have."""

    kind: str
    ring: Ring
    more: Mapping[str, Any] = {}


class ShapesPerImage(PerImage):
    """One JSON file per image with a list of shapes.

    Subclasses state ``version`` (what is written if nothing else is known), ``fields`` and ``shape_fields`` (keys they
    read besides the common ones), and write ``facts``, ``about``, ``head`` and ``spell``. The classes are listed in
    ``class_list``, after the lines ``no_classes``.
    """

    version: ClassVar[str]
    fields: ClassVar[tuple[str, ...]] = ()
    shape_fields: ClassVar[tuple[str, ...]] = ()
    class_list: ClassVar[str]
    no_classes: ClassVar[tuple[str, ...]] = ()

    class WriteOptions(Options):
        """What becomes of the image."""

        image_data: bool = Field(
            default=False, title="Embedded images", description="put the bytes of each image into its JSON file too"
        )

    def geometry(
        self, kind: str, ring: Ring, shape: Mapping[str, Any], frame: Frame
    ) -> tuple[Box | None, Shape | None]:
        """Box or shape of the points of a shape type. Raises :class:`LabelglotError` if they do not make one."""
        if kind == "rectangle":
            if len(ring) < 4:
                raise LabelglotError("a rectangle of one point")
            return (min(ring[::2]), min(ring[1::2]), max(ring[::2]), max(ring[1::2])), None
        if kind == "circle":
            if len(ring) != 4:
                raise LabelglotError("a circle needs its centre and a point on its rim")
            radius = hypot(ring[2] - ring[0], ring[3] - ring[1])
            return None, Ellipse(cx=ring[0], cy=ring[1], rx=radius, ry=radius)
        if kind in ("line", "linestrip"):
            return None, Polyline(points=ring)
        if kind in ("point", "points"):
            return None, Points(points=ring)
        if kind != "polygon":
            frame.report.problem(
                f"{self.id}.shape_type", f"unknown shape type {kind!r}", frame.place, key=frame.key,
                action="read as a polygon",
            )  # fmt: skip
        return None, Polygon.of(ring)

    def facts(self, shape: Mapping[str, Any], frame: Frame, extra: dict[str, Any]) -> dict[str, Any]:
        """Fields of the annotation from the keys ``shape_fields``; what is not understood goes to ``extra``."""
        return {}

    @abstractmethod
    def about(self, document: Mapping[str, Any], place: str, report: Report, extra: dict[str, Any]) -> dict[str, Any]:
        """Fields of the sample from the keys ``fields``; what is not understood goes to ``extra``."""

    @abstractmethod
    def head(self, sample: Sample, context: WriteContext) -> dict[str, Any]:
        """Top-level fields written before the shapes."""

    def spell(self, annotation: Annotation) -> Spelled:
        """How an object is written."""
        shape = annotation.shape
        if isinstance(shape, Polygon):
            return Spelled("polygon", shape.parts[0][0])
        if isinstance(shape, Polyline):
            return Spelled("line" if len(shape.points) == 4 else "linestrip", shape.points)
        if isinstance(shape, Points):
            return Spelled("point" if len(shape.points) == 2 else "points", shape.points)
        if isinstance(shape, Ellipse):
            return Spelled("circle", (shape.cx, shape.cy, shape.cx + shape.rx, shape.cy))
        return Spelled("rectangle", annotation.box or ())

    def read(self, context: ReadContext) -> Dataset:
        return super().read(context).replace(labels=self._classes(context.source), labels_complete=False)

    def _classes(self, source: Source) -> tuple[Label, ...]:
        """The classes of the list, none if there is no list at the top."""
        if not source.exists(self.class_list):
            return ()
        names = [line for _, line in text.lines(source.read(self.class_list))]
        for name in self.no_classes:
            if names and names[0] == name:
                del names[0]
        return make_labels(dict.fromkeys(names))

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        lines = (*self.no_classes, *(label.name for label in context.labels))
        yield File(self.class_list, "".join(f"{line}\n" for line in lines).encode())

    def pairs(self, context: ReadContext) -> Sequence[Pair]:
        documents = context.source.match("*.json")
        if not context.images.paths:
            return [Pair(name) for name in documents]
        beside: dict[str, list[str]] = {}
        for image in context.images.paths:
            beside.setdefault(with_suffix(image, ""), []).append(image)
        found = {name: beside.get(with_suffix(name, ""), []) for name in documents}
        pairs = [Pair(name, images[0] if len(images) == 1 else None) for name, images in found.items()]
        if context.source.focus is None:
            pairs += [Pair(None, image) for image in _unclaimed(found, context)]
        return sorted(pairs, key=lambda pair: pair.image or pair.annotation or "")

    def decode(self, data: bytes | None, pair: Pair, context: ReadContext, report: Report) -> Sample | None:
        if data is None or pair.annotation is None:
            lone = pair.image or ""
            return Sample(path=lone, image=SourceImage(context.source, lone))
        name = pair.annotation
        raw = json.load_fields(self._readable(data, name, report), name)
        if "shapes" not in raw:
            report.problem(f"{self.id}.document", "it lists no shapes", name, action="skipped")
            return None
        embedded = "imageData" in raw and bytes(raw["imageData"]).strip()[:1] == b'"'
        document: dict[str, Any] = {
            key: json.load(bytes(value), f"{name}#{key}") for key, value in raw.items() if key != "imageData"
        }
        where = self._locate(document.get("imagePath"), pair, context, report)
        image: ImageHandle | None = where.image
        if image is None and embedded:
            image = LazyImage(where.path, partial(_embedded, context.source, name))
        size = self._size(document, where, name, report)
        if size is None and image is not None:
            size = image_size(image)
        extra = json.rest(document, (*COMMON, *self.fields))
        if document.get("version", self.version) != self.version:
            extra["version"] = document["version"]
        about = self.about(document, name, report, extra)
        return Sample(
            path=where.path, uri=where.uri, image=image, size=size,
            annotations=tuple(self._annotations(document["shapes"], name, size, where.path, report)),
            extra={self.id: extra} if extra else {}, **about,
        )  # fmt: skip

    def _readable(self, data: bytes, name: str, report: Report) -> bytes:
        """UTF-8; tools on Windows write their own encoding."""
        data = json.unmark(data)
        try:
            data.decode()
        except UnicodeDecodeError:
            report.problem(f"{self.id}.encoding", "the text is not UTF-8", name, action="read as Windows-1252")
            return data.decode("cp1252", "replace").encode()
        return data

    def _locate(self, written: Any, pair: Pair, context: ReadContext, report: Report) -> Place:
        """The image a file means: by its path, else by the name of the file itself."""
        annotation = pair.annotation or ""
        folder = annotation.rpartition("/")[0]
        named = isinstance(written, str) and written != "" and not written.lower().endswith(".json")
        if not named:
            report.problem(
                f"{self.id}.imagePath", f"{written!r} names no image", f"{annotation}#imagePath", severity="info",
                action="named like the file",
            )  # fmt: skip
        posix = written.replace("\\", "/") if named else ""
        seen = seen_from(folder, posix) if named else None
        uri = written if named and (seen is None or posix != written) else None
        if seen is not None and seen in context.images:
            return Place(seen, uri, SourceImage(context.source, seen))
        if pair.image is not None:
            return Place(pair.image, uri, SourceImage(context.source, pair.image))
        loose = context.images.find(posix, (folder,)) if named else None
        if loose is not None and not _has_own(loose, annotation, context.source):
            return Place(loose, uri, SourceImage(context.source, loose))
        suffix = posix[posix.rfind(".") :] if is_image(posix) else ""
        return Place(seen if seen is not None else with_suffix(annotation, suffix), uri)

    def _size(self, document: Mapping[str, Any], where: Place, name: str, report: Report) -> tuple[int, int] | None:
        width, height = _whole(document.get("imageWidth")), _whole(document.get("imageHeight"))
        stated = (width, height) if width is not None and height is not None else None
        real = None if where.image is None else image_size(where.image)
        if real is None or stated is None or real == stated:
            return stated if real is None else real
        report.problem(
            f"{self.id}.size", f"the image is {real[0]} x {real[1]}, not {stated[0]} x {stated[1]}", name,
            key=where.path, action="the size of the image is used",
        )  # fmt: skip
        return real

    def _annotations(
        self, shapes: Any, name: str, size: tuple[int, int] | None, key: str, report: Report
    ) -> Iterator[Annotation]:
        if isinstance(shapes, dict):
            shapes = [shapes]
        if not isinstance(shapes, list):
            if shapes is not None:
                report.problem(
                    f"{self.id}.shapes", "the shapes are no list", f"{name}#shapes", severity="error", key=key,
                    raw=shapes, action="skipped",
                )  # fmt: skip
            return
        for position, shape in enumerate(shapes):
            frame = Frame(size, f"{name}#shapes[{position}]", key, report)
            listed = json.load_item(shape, Listed, frame.place, report, f"{self.id}.shape")
            if listed is not None:
                annotation = self._annotation(listed, shape, frame)
                if annotation is not None:
                    yield annotation

    def _annotation(self, listed: Listed, shape: Mapping[str, Any], frame: Frame) -> Annotation | None:
        ring = tuple(v for point in listed.points for v in point)
        code = f"{self.id}.shape"
        try:
            if not ring:
                raise LabelglotError("a shape without points")
            if not all(map(isfinite, ring)):
                code = f"{self.id}.number"
                raise LabelglotError("a coordinate is not finite")
            box, outline = self.geometry(listed.shape_type or "polygon", ring, shape, frame)
        except LabelglotError as error:
            frame.report.problem(
                code, error.message, frame.place, severity="error", key=frame.key, raw=shape, action="skipped"
            )
            return None
        if listed.label is None:
            frame.report.problem(f"{self.id}.label", "a shape without label", frame.place, key=frame.key)
        extra = json.rest(shape, (*COMMON_OF_SHAPE, *self.shape_fields))
        said = shape.get("description")
        if said is not None and not isinstance(said, str):
            extra["description"] = said
        facts = self.facts(shape, frame, extra)
        flags, further = self._flags(shape.get("flags"), frame, extra), facts.pop("attributes", {})
        twice = {name: value for name, value in flags.items() if name in further}
        if twice:
            extra["flags"] = {**extra.get("flags", {}), **twice}
        attributes = {**flags, **further}
        annotation = Annotation(
            label=None if listed.label is None else str(listed.label), box=box, shape=outline,
            group=self._group(shape.get("group_id"), frame), attributes=attributes,
            text=said if isinstance(said, str) and said else None, **facts,
        )  # fmt: skip
        if listed.shape_type not in (None, self.spell(annotation).kind):
            extra["shape_type"] = listed.shape_type
        return annotation.replace(extra={self.id: extra}) if extra else annotation

    def _group(self, value: Any, frame: Frame) -> int | str | None:
        if value is None or value == "":
            return None
        if isinstance(value, int | str) and not isinstance(value, bool):
            return value
        if isinstance(value, float) and value.is_integer():
            return int(value)
        frame.report.problem(
            f"{self.id}.group_id", f"{value!r} is no group", frame.place, key=frame.key, action="read as no group"
        )
        return None

    def _flags(self, flags: Any, frame: Frame, extra: dict[str, Any]) -> dict[str, Attribute]:
        """Flags as attributes; what is no plain value stays in ``extra``."""
        if flags in (None, ""):
            return {}
        if not isinstance(flags, dict):
            frame.report.problem(f"{self.id}.flags", "the flags are no object", frame.place, key=frame.key, raw=flags)
            extra["flags"] = flags
            return {}
        nested = {name: value for name, value in flags.items() if isinstance(value, dict | list)}
        if nested:
            extra["flags"] = nested
        return {name: value for name, value in flags.items() if name not in nested}

    def annotation_path(self, sample: Sample, context: WriteContext) -> str:
        return with_suffix(sample.path, ".json")

    def encode_file(self, sample: Sample, context: WriteContext) -> bytes:
        width, height = sample.size or (None, None)
        data = None
        if context.options.image_data and sample.image is not None:
            data = base64.b64encode(sample.image.read()).decode("ascii")
        document = {
            "version": self.version,
            **self.head(sample, context),
            "shapes": [self._shape(a, context) for a in sample.annotations or ()],
            "imagePath": sample.path.rpartition("/")[2],
            "imageData": data,
            "imageHeight": height,
            "imageWidth": width,
        }
        return json.dump_lines(_with(document, sample.extra.get(self.id, {})))

    def _shape(self, annotation: Annotation, context: WriteContext) -> dict[str, Any]:
        kind, ring, more = self.spell(annotation)
        if not all(map(isfinite, ring)):
            raise LabelglotError(f"a coordinate of a {kind} is not finite")
        flags = {k: v for k, v in annotation.attributes.items() if isinstance(v, bool) and k not in self.shape_fields}
        shape = {
            "label": context.name(annotation.label),
            "points": [[x, y] for x, y in zip(ring[::2], ring[1::2], strict=True)],
            "group_id": annotation.group,
            "description": annotation.text or "",
            "shape_type": kind,
            "flags": flags,
            **more,
        }
        return _with(shape, annotation.extra.get(self.id, {}))


def _with(made: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """What is written with what was not understood; where both are objects, their fields side by side."""
    result = {**made, **extra}
    for name in made.keys() & extra.keys():
        if isinstance(made[name], dict) and isinstance(extra[name], dict):
            result[name] = {**made[name], **extra[name]}
    return result


def _unclaimed(found: Mapping[str, Sequence[str]], context: ReadContext) -> list[str]:
    """Images that belong to no document: nobody has looked at them.

    By the stem of the document; documents that have no image, or several, of their stem beside them are asked.
    """
    stems = {with_suffix(name, "").rpartition("/")[2] for name in found}
    claimed = {image for images in found.values() if len(images) == 1 for image in images}
    asked = {_named_image(name, context.source) for name, images in found.items() if len(images) != 1}
    several = {image for images in found.values() if len(images) > 1 for image in images}

    def is_claimed(image: str) -> bool:
        name = image.rpartition("/")[2]
        return image in claimed or name in asked or (image not in several and with_suffix(name, "") in stems)

    return [image for image in context.images.paths if not is_claimed(image)]


def _named_image(name: str, source: Source) -> str:
    """The bare name of the image a document means, empty if it says none."""
    try:
        path = json.load(bytes(json.load_fields(source.read(name), name)["imagePath"]), name, str)
    except (LabelglotError, KeyError, OSError):
        return ""
    return path.replace("\\", "/").rpartition("/")[2]


def _has_own(image: str, annotation: str, source: Source) -> bool:
    """Whether another document lies beside an image and is called like it."""
    own = with_suffix(image, ".json")
    return own != annotation and source.exists(own)


def _embedded(source: Source, name: str) -> bytes:
    """The bytes of the image inside a document."""
    raw = json.load_fields(source.read(name), name).get("imageData", b"null")
    try:
        return base64.b64decode(json.load(bytes(raw), f"{name}#imageData", str), validate=False)
    except binascii.Error as error:
        raise LabelglotError(f"the embedded image is not base64: {error}", f"{name}#imageData") from error


def _whole(value: Any) -> int | None:
    """A positive whole number, however it is written; templates hold -1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or value < 1:
        return None
    return int(value) if value == int(value) else None


def shape_kinds(value: Any) -> tuple[set[str], set[str]] | None:
    """Keys of the first shapes, and their types, if a document looks like a list of shapes at all; for detection."""
    shapes = value.get("shapes") if isinstance(value, dict) else None
    if isinstance(shapes, dict):
        shapes = [shapes]
    if not isinstance(shapes, list) or not all(isinstance(s, dict) for s in shapes):
        return None
    if shapes and not all("points" in s or s is shapes[-1] for s in shapes):
        return None
    if not shapes and "imagePath" not in value:
        return None
    keys = {key for shape in shapes for key in shape}
    return keys, {s["shape_type"] for s in shapes if isinstance(s.get("shape_type"), str)}


__all__ = ["Frame", "Listed", "ShapesPerImage", "Spelled", "shape_kinds"]
