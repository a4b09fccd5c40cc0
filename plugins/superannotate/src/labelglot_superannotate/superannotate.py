"""SuperAnnotate JSON: one file per image; vector projects draw shapes, pixel projects have masks in a PNG beside.

- ``bbox``, ``rbbox``, ``polygon`` (holes in ``exclude``), ``polyline``, ``point``, ``ellipse``, ``cuboid``, ``template``
  = box, rotated box, polygon, polyline, points, ellipse, cuboid, keypoints; ``parts`` = mask, the colours of its pixels.
- ``tag`` instances = image-level classes; so are the texts in ``tags``, which are marked as such.
- ``attributes`` by group, ``probability`` = score in percent, ``trackingId`` = track, ``groupId`` = group (0: none).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec
from labelglot.images import is_image
from labelglot.plugin import (
    Annotation,
    Dataset,
    File,
    Holds,
    LabelglotError,
    LabelHolds,
    Mask,
    Match,
    Options,
    Pair,
    PerImage,
    Pieces,
    Place,
    ReadContext,
    Records,
    Report,
    Sample,
    Source,
    Tag,
    TagHolds,
    ValueKind,
    WriteContext,
    image_size,
    under,
)
from labelglot.schema import Attribute
from labelglot.wire import json
from pydantic import Field

from labelglot_superannotate.classes import CLASSES, OWNER, Classes, read_classes, write_classes
from labelglot_superannotate.pixels import ColorImage, paint
from labelglot_superannotate.shapes import FIELDS, Geometry, draw, read_geometry, read_template

SUFFIXES = ("___objects.json", "___pixel.json", ".json")
PIXELS = "___save.png"
VALUES: frozenset[ValueKind] = frozenset({"str", "list"})
USUAL: Mapping[str, Any] = {"visible": True, "locked": False, "pointLabels": {}, "error": None}
"""What every instance says, if nothing else is known."""
KNOWN = ("type", "className", "classId", "attributes", "probability", "groupId", "trackingId", "parts")


class _Instance(msgspec.Struct, kw_only=True):
    """What is read of every instance."""

    type: str | None = None
    className: str | None = None
    classId: int | None = None
    attributes: list[dict[str, Any]] | None = None
    probability: float | None = None
    groupId: int | None = None
    trackingId: int | str | None = None
    creationType: str | None = None
    parts: list[dict[str, Any]] | None = None


class SuperAnnotate(PerImage):
    """``<image>.json`` beside each image, ``<image>___save.png`` for masks, ``classes/classes.json``."""

    id = "superannotate"
    name = "SuperAnnotate JSON"
    url = "https://doc.superannotate.com/docs/vector-project-import-annotation-format"
    holds = Holds(
        geometry=(
            frozenset({"box", "rotated_box", "polygon", "polyline", "points", "ellipse", "cuboid", "keypoints"}),
        ),
        polygon_parts=False,
        several_points=False,
        cuboids="faces",
        keypoint_visibility="none",
        labels=LabelHolds(
            ids="int", ids_required=True, names="(?s).+", required=False, color=True, keypoints=True, skeleton=True,
            attributes=True,
        ),
        attributes=VALUES,
        score=True,
        track="any",
        group="int",
        tags=TagHolds(score=True, attributes=VALUES),
        extra=frozenset({OWNER}),
    )  # fmt: skip
    geometry_bound_extra = frozenset({(OWNER, "pointLabels")})

    class WriteOptions(Options):
        """What kind of project is written."""

        project: Literal["vector", "pixel"] = Field(
            default="vector",
            title="Project",
            description="vector: shapes, masks become polygons; pixel: masks in a PNG beside each JSON, nothing else",
        )

    def holds_with(self, options: Any) -> Holds:
        pixel = options.project == "pixel"
        return self.holds.replace(geometry=(frozenset({"mask"}),)) if pixel else self.holds

    def detect(self, source: Source) -> Match | None:
        for name in source.match("*.json")[:20]:
            value = json.peek(source.head(name, 1 << 14))
            if isinstance(value, dict) and isinstance(value.get("metadata"), dict) and "instances" in value:
                return Match(0.95, f"{name} has metadata and instances")
            own = next((s for s in SUFFIXES[:2] if name.lower().endswith(s)), None)
            if own is not None and isinstance(value, dict | list):
                return Match(0.9, f"{name} is called *{own}")
        return None

    def read(self, context: ReadContext) -> Dataset:
        names = [name for name in context.source.match("*.json") if f"/{name}".rpartition("/")[2] != "classes.json"]
        points: dict[str, Any] = {}
        for name in names:
            for raw in _templates(name, context):
                found = read_template(raw)
                label = raw.get("className")
                if found is not None and isinstance(label, str) and len(found[0]) > len(points.get(label, [()])[0]):
                    points[label] = found
        labels, classes = read_classes(context, points)
        pairs = [Pair(name, more=classes) for name in names]
        return Dataset(Records(pairs, self.decoder(context)), labels, labels_complete=False)

    def pairs(self, context: ReadContext) -> Sequence[Pair]:
        raise NotImplementedError("the classes are read first")

    def decode(self, data: bytes | None, pair: Pair, context: ReadContext, report: Report) -> Sample | None:
        name = pair.annotation or ""
        document: Any = json.load(data or b"", name)
        if isinstance(document, list):  # as files began until 2021
            document = {"instances": document}
        if not isinstance(document, dict) or not isinstance(document.get("instances"), list):
            report.problem(f"{self.id}.document", "it lists no instances", name, severity="error", action="skipped")
            return None
        about = document.get("metadata")
        metadata: dict[str, Any] = about if isinstance(about, dict) else {}
        where = _place(name, metadata.get("name"), context)
        width, height = metadata.get("width"), metadata.get("height")
        size = None if where.image is None else image_size(where.image)
        if isinstance(width, int) and isinstance(height, int) and min(width, height) > 0:
            size = (width, height)
        reader = _Reader(name, where.path, pair.more, context, report)
        reader.all(document["instances"])
        listed = document.get("tags")
        free = [tag for tag in listed if isinstance(tag, str) and tag] if isinstance(listed, list) else []
        reader.tags += [Tag(label=reader.classes.by_name.get(tag, tag), extra={OWNER: {"text": True}}) for tag in free]
        rest = {k: v for k, v in metadata.items() if k not in ("width", "height")}
        if rest.get("name") == where.path.rpartition("/")[2]:
            del rest["name"]
        bag = {
            **json.rest(document, ("metadata", "instances", "tags")), "metadata": rest, "instances": reader.opaque,
        }  # fmt: skip
        if isinstance(listed, list) and len(free) < len(listed):
            bag["tags"] = [tag for tag in listed if not (isinstance(tag, str) and tag)]
        bag = {key: value for key, value in bag.items() if value}
        return Sample(
            path=where.path, image=where.image, size=size, tags=tuple(reader.tags),
            annotations=tuple(reader.annotations), extra={OWNER: bag} if bag else {},
        )  # fmt: skip

    def annotation_path(self, sample: Sample, context: WriteContext) -> str:
        return f"{sample.path}.json"

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File]:
        parts: dict[int, list[str]] = {}
        masks = {i: a.shape for i, a in enumerate(sample.annotations or ()) if isinstance(a.shape, Mask)}
        if masks:
            first = next(iter(masks.values()))
            image, colors = paint(list(masks.values()), sample.size or (first.width, first.height))
            parts = dict(zip(masks, colors, strict=True))
            yield File(f"{sample.path}{PIXELS}", image)
        yield File(self.annotation_path(sample, context), self._document(sample, context, parts))

    def encode_file(self, sample: Sample, context: WriteContext) -> bytes:
        return self._document(sample, context, {})

    def _document(self, sample: Sample, context: WriteContext, parts: Mapping[int, list[str]]) -> bytes:
        bag = sample.extra.get(OWNER)
        extra: dict[str, Any] = dict(bag) if isinstance(bag, dict) else {}
        metadata: dict[str, Any] = {"name": sample.path.rpartition("/")[2]}
        if sample.size is not None:
            metadata |= {"width": sample.size[0], "height": sample.size[1]}
        known, opaque, odd = (extra.pop(key, None) for key in ("metadata", "instances", "tags"))
        metadata |= known if isinstance(known, dict) else {}
        instances = [_write(a, parts.get(i), context) for i, a in enumerate(sample.annotations or ())]
        instances += [_write_tag(tag, context) for tag in sample.tags if not _is_text(tag)]
        tags: list[Any] = [context.name(tag.label) for tag in sample.tags if _is_text(tag)]
        instances += opaque if isinstance(opaque, list) else []
        tags += odd if isinstance(odd, list) else []
        return json.dump_lines({"metadata": metadata, "instances": instances, "tags": tags, "comments": [], **extra})

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        yield File(CLASSES, write_classes(context.labels))


def _templates(name: str, context: ReadContext) -> list[dict[str, Any]]:
    """The templates of a file; nothing if it is damaged, which is said when it is decoded."""
    try:
        data = context.source.read(name)
        document: Any = json.load(data, name) if b'"template"' in data else {}
    except (LabelglotError, OSError):
        return []
    listed = document.get("instances") if isinstance(document, dict) else document
    return [r for r in listed if isinstance(r, dict) and r.get("type") == "template"] if isinstance(listed, list) else []


def _place(name: str, written: Any, context: ReadContext) -> Place:
    """The image of a file: called like it, or, where that says no more than a stem, as the file says."""
    folder, _, base = name.rpartition("/")
    suffix = next(s for s in SUFFIXES if base.lower().endswith(s))
    bare = base[: -len(suffix)]
    if not is_image(bare) and isinstance(written, str) and written.rpartition(".")[0] == bare:
        bare = written
    path = under(folder, bare)
    found = path if path in context.images else None if is_image(bare) else context.images.find(bare, (folder,))
    if found is not None and (found.endswith(PIXELS) or (found != path and _has_own(found, context.source))):
        found = None
    return Place(path if found is None else found, None, None if found is None else context.image(found))


def _has_own(image: str, source: Source) -> bool:
    """Whether there is a file that is called like an image as a whole."""
    return any(source.exists(f"{image}{suffix}") for suffix in SUFFIXES)


class _Reader:
    """Takes the instances of one image. ``opaque``: those of a type that says nothing here."""

    def __init__(self, name: str, key: str, classes: Classes, context: ReadContext, report: Report) -> None:
        self.name, self.key, self.classes, self.context, self.report = name, key, classes, context, report
        self.annotations: list[Annotation] = []
        self.tags: list[Tag] = []
        self.opaque: list[Any] = []
        self.image: ColorImage | None = None

    def all(self, instances: Sequence[Any]) -> None:
        for position, raw in enumerate(instances):
            place = f"{self.name}#instances[{position}]"
            found = json.load_item(raw, _Instance, place, self.report, "superannotate.instance")
            if found is None:
                continue
            try:
                self._one(found, raw, place)
            except LabelglotError as error:
                self.report.problem(
                    "superannotate.geometry", error.message, place, severity="error", key=self.key, raw=raw,
                    action="skipped",
                )  # fmt: skip

    def _one(self, found: _Instance, raw: dict[str, Any], place: str) -> None:
        kind = found.type or ("" if found.parts is None else "mask")
        if kind not in FIELDS and kind not in ("tag", "mask"):
            self.report.problem(
                "superannotate.type", f"an instance of type {found.type!r}", place, key=self.key, action="kept as it is"
            )
            self.opaque.append(raw)
            return
        label, extra = self._label(found, place), json.rest(raw, (*KNOWN, *FIELDS.get(kind, ())))
        attributes = self._attributes(found, label, extra)
        if found.groupId and kind == "tag":
            extra["groupId"] = found.groupId
        if found.trackingId is not None and kind == "tag":
            extra["trackingId"] = found.trackingId
        if found.classId not in (None, -1) and (label is None or self.classes.by_id.get(found.classId) != label):
            extra["classId"] = found.classId
        share = found.probability
        score = None if share is None or (share == 100 and found.creationType != "Prediction") else share / 100
        extra = {k: v for k, v in extra.items() if k not in USUAL or v != USUAL[k]}
        if extra.get("creationType") == _creation(score):
            del extra["creationType"]
        if kind == "template" and read_template(raw) is not None:
            extra.pop("pointLabels", None)
        bag = {OWNER: extra} if extra else {}
        if kind == "tag":
            self.tags.append(Tag(label=label, score=score, attributes=attributes, extra=bag))
            return
        made = self._mask(found, place) if kind == "mask" else read_geometry(kind, raw)
        self.annotations.append(
            Annotation(
                label=label, box=made.box, shape=made.shape, keypoints=made.keypoints, track=found.trackingId,
                group=found.groupId or None, score=score, attributes=attributes, extra=bag,
            )
        )  # fmt: skip

    def _label(self, found: _Instance, place: str) -> str | None:
        if found.className:
            return self.classes.by_name.get(found.className, found.className)
        known = None if found.classId is None else self.classes.by_id.get(found.classId)
        if known is None and found.classId not in (None, -1):
            self.report.problem(
                "superannotate.class", f"class {found.classId} has no name", place, key=self.key,
                action="read without class",
            )  # fmt: skip
        return known

    def _attributes(self, found: _Instance, label: str | None, extra: dict[str, Any]) -> dict[str, Attribute]:
        values: dict[str, list[str]] = {}
        several = set(self.classes.several.get(label or "", ()))
        ids: list[dict[str, Any]] = []
        unknown: list[dict[str, Any]] = []
        for raw in found.attributes or ():
            id_, group_id = raw.get("id"), raw.get("groupId")
            known = self.classes.attributes.get(id_) if type(id_) is int else None
            group = raw.get("groupName") or (known and known[0]) or (type(group_id) is int and self.classes.groups.get(group_id))
            value = raw["name"] if raw.get("name") is not None else known and known[1]
            if not isinstance(group, str) or not isinstance(value, str | int | float):
                unknown.append(raw)
                continue
            values.setdefault(group, []).append(value if isinstance(value, str) else msgspec.json.encode(value).decode())
            ids.append({k: v for k, v in raw.items() if k not in ("name", "groupName", "multiple")})
            if raw.get("multiple") is not None:
                (several.add if raw["multiple"] else several.discard)(group)
        if unknown:
            extra["unknown_attributes"] = unknown
        if any(ids):
            extra["attributes"] = ids
        return {g: tuple(v) if len(v) > 1 or g in several else v[0] for g, v in values.items()}

    def _mask(self, found: _Instance, place: str) -> Geometry:
        if self.image is None:
            base = self.name.rpartition("/")[2]
            suffix = next(s for s in SUFFIXES if base.lower().endswith(s))
            path = self.name[: -len(suffix)] + PIXELS
            if not self.context.source.exists(path):
                raise LabelglotError(f"the mask is in {path}, which is not there", place)
            self.image = ColorImage(self.context.source.read(path))
        return Geometry(shape=self.image.mask(str(part.get("color")) for part in found.parts or ()))


def _creation(score: float | None) -> str:
    return "Manual" if score is None else "Prediction"


def _is_text(tag: Tag) -> bool:
    """Whether a tag is one of the texts of the image, not an instance."""
    bag = tag.extra.get(OWNER)
    return isinstance(bag, dict) and bag.get("text") is True and not tag.attributes and tag.score is None


def _write(a: Annotation, parts: list[str] | None, context: WriteContext) -> dict[str, Any]:
    label = None if a.label is None else context.by_key.get(a.label)
    names, edges = (label.keypoints or (), label.skeleton) if label is not None else ((), ())
    geometry = draw(a, names, edges) if parts is None else {"parts": [{"color": color} for color in parts]}
    more = {"groupId": a.group or 0, **({} if a.track is None else {"trackingId": a.track})}
    return _described(a, geometry, more, context)


def _write_tag(tag: Tag, context: WriteContext) -> dict[str, Any]:
    return _described(tag, {"type": "tag"}, {"groupId": 0}, context)


def _described(a: Annotation | Tag, geometry: Mapping[str, Any], more: Mapping[str, Any], context: WriteContext) -> dict[str, Any]:
    bag = a.extra.get(OWNER)
    extra: dict[str, Any] = dict(bag) if isinstance(bag, dict) else {}
    extra.pop("text", None)
    label = None if a.label is None else context.by_key.get(a.label)
    specs = () if label is None else label.attributes
    several = {spec.name for spec in specs if spec.kind == "choices"}
    entries: list[dict[str, Any]] = []
    for group, value in a.attributes.items():
        listed = value if isinstance(value, tuple) else (value,)
        # Whether one value is a list of one follows from its group; where it does not, it is said.
        many = isinstance(value, tuple)
        mark = {"multiple": many} if len(listed) == 1 and many != (group in several) else {}
        entries += [{"name": each, "groupName": group, **mark} for each in listed]
    ids = extra.pop("attributes", None)
    if isinstance(ids, list) and len(ids) == len(entries) and all(isinstance(i, dict) for i in ids):
        entries = [{**i, **entry} for i, entry in zip(ids, entries, strict=True)]
    unknown = extra.pop("unknown_attributes", None)
    entries += unknown if isinstance(unknown, list) else []
    return {
        "classId": -1 if label is None else label.id,
        "className": "" if label is None else label.name,
        "probability": 100 if a.score is None else a.score * 100,
        "creationType": _creation(a.score),
        **USUAL,
        **geometry,
        **more,
        "attributes": entries,
        **extra,
    }
