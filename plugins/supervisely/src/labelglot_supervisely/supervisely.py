"""Supervisely projects: ``meta.json``, and for each dataset ``img`` and ``ann`` with a JSON per image.

- Datasets are splits; those in ``datasets`` of another are folders. A dataset called ``ds`` is none.
- ``rectangle``, ``oriented_bbox``, ``polygon``/``multipolygon``, ``bitmap``, ``line``, ``point``, ``cuboid``, ``graph``
  = box, rotated box, polygon, mask, polyline, points, cuboid, keypoints.
- Tags of objects are attributes (without value: true); tags of an image are its attributes, those without value its
  classes. ``description`` of an object is its text, of the image a caption; ``instance`` = group.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from labelglot.holds import SPLIT_NAME
from labelglot.plugin import (
    Annotation,
    Dataset,
    File,
    Holds,
    Info,
    Label,
    LabelglotError,
    LabelHolds,
    Match,
    Naming,
    Pair,
    PerImage,
    Piece,
    Pieces,
    Problem,
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
    merge_labels,
    under,
)
from labelglot.schema import Attribute
from labelglot.wire import json

from labelglot_supervisely.meta import (
    META,
    OWNER,
    Graph,
    Meta,
    doubts,
    read_meta,
    read_value,
    write_meta,
    write_tag,
    written,
)
from labelglot_supervisely.shapes import BOXES, FIELDS, KINDS, doubt, draw, kind_of, read_geometry

UNSPLIT = ("ds", "ds0")
"""Names of datasets that say nothing; images without split are in the first."""
VALUES: frozenset[ValueKind] = frozenset({"bool", "int", "float", "str"})
_PLACE = re.compile(r"(?:(?P<around>.*)/)?(?P<kind>ann|img)/(?P<name>[^/]+)", re.DOTALL)
_KNOWN = ("classTitle", "classId", "geometryType", "description", "tags", "id", "instance")
_DOCUMENT = ("description", "tags", "size", "objects", "imageId")


class _Object(msgspec.Struct, kw_only=True):
    """What is read of every object."""

    classTitle: str
    id: int | None = None
    description: str | None = None
    instance: int | str | None = None
    tags: list[Any] = []


class Supervisely(PerImage):
    """A project with one or more datasets of images."""

    id = "supervisely"
    name = "Supervisely project"
    url = "https://docs.supervisely.com/data-organization/00_ann_format_navi"
    survey = "full"
    holds = Holds(
        geometry=(
            frozenset({"box", "rotated_box", "polygon", "mask", "polyline", "points", "cuboid", "keypoints"}),
        ),
        boxes=BOXES,
        several_points=False,
        keypoint_visibility="stated",
        absent_points=False,
        labels=LabelHolds(ids="int", color=True, keypoints=True, skeleton=True),
        attributes=VALUES,
        text=True,
        ids="int",
        group="any",
        tags=TagHolds(captions="one", order="given"),
        sample_ids="int",
        sample_attributes=VALUES,
        splits="any",
        split_names=rf"(?!ds0?$){SPLIT_NAME}",
        naming=Naming(scope="split"),
        extra=frozenset({OWNER}),
    )  # fmt: skip
    computed_extra = frozenset({(OWNER, "shape"), (OWNER, "tags")})

    def detect(self, source: Source) -> Match | None:
        for name in source.match(META)[:20]:
            value = json.peek(source.head(name, 1 << 14))
            classes = value.get("classes") if isinstance(value, dict) else None
            if isinstance(classes, list) and all(isinstance(c, dict) and ("title" in c or c is classes[-1]) for c in classes):
                folders = any("/ann/" in f"/{path}" or "/img/" in f"/{path}" for path in source.files())
                return Match(0.95 if folders and classes else 0.7, f"{name} lists classes by title")
        for name in source.match("*.json")[:5]:
            value = json.peek(source.head(name, 1 << 13))
            objects = value.get("objects") if isinstance(value, dict) else None
            if isinstance(objects, list) and isinstance(value.get("size"), dict):
                said = any(isinstance(o, dict) and "classTitle" in o for o in objects)
                return Match(0.9 if said else 0.5, f"{name} has a size and objects{' with classTitle' * said}")
        return None

    def read(self, context: ReadContext) -> Dataset:
        metas: dict[str, Meta] = {}
        tables: list[Sequence[Label]] = []
        info: Info | None = None
        for path in context.source.companions():
            if path != META and not path.endswith(f"/{META}"):
                continue
            try:
                labels, about, meta = read_meta(context.source.read(path), path)
            except (LabelglotError, OSError) as error:
                context.report.problem(f"{self.id}.meta", str(error), path, severity="error", action="skipped")
                continue
            metas[path.removesuffix(META).rstrip("/")] = meta
            tables.append(labels)
            info = info or about
        return Dataset(Records(_pairs(context, metas), self.decoder(context)), merge_labels(tables), info, labels_complete=False)

    def pairs(self, context: ReadContext) -> Sequence[Pair]:
        raise NotImplementedError("the classes are read first")

    def decode(self, data: bytes | None, pair: Pair, context: ReadContext, report: Report) -> Sample | None:
        image = None if pair.image is None else context.image(pair.image)
        if data is None:
            return Sample(path=pair.path or "", image=image, splits=pair.splits)
        name, meta = pair.annotation or "", pair.more
        document: dict[str, Any] = json.load(data, name, dict)
        listed = document.get("objects")
        if not isinstance(listed, list):
            report.problem(f"{self.id}.document", "it lists no objects", name, severity="error", action="skipped")
            return None
        size = _size(document.get("size")) or (None if image is None else image_size(image))
        reader = _Reader(name, pair.path or "", size, meta, report)
        annotations = [a for i, raw in enumerate(listed) if (a := reader.annotation(raw, f"{name}#objects[{i}]")) is not None]
        extra = json.rest(document, _DOCUMENT)
        tags, attributes = reader.image_tags(document.get("tags"), extra)
        said, id_ = document.get("description"), document.get("imageId")
        if isinstance(said, str) and said:
            tags.append(Tag(text=said))
        if reader.opaque:
            extra["objects"] = reader.opaque
        return Sample(
            path=pair.path or "", id=id_ if type(id_) is int else None, image=image, size=size, splits=pair.splits,
            tags=tuple(tags), annotations=tuple(annotations), attributes=attributes,
            extra={OWNER: extra} if extra else {},
        )  # fmt: skip

    def image_path(self, sample: Sample, context: WriteContext) -> str | None:
        return _path(sample, "img")

    def annotation_path(self, sample: Sample, context: WriteContext) -> str:
        return f"{_path(sample, 'ann')}.json"

    def encode_file(self, sample: Sample, context: WriteContext) -> bytes:
        return self._document(sample, [_write(a, context) for a in sample.annotations or ()], context)

    def _document(self, sample: Sample, objects: list[dict[str, Any]], context: WriteContext) -> bytes:
        bag = sample.extra.get(OWNER)
        extra: dict[str, Any] = dict(bag) if isinstance(bag, dict) else {}
        opaque, known = extra.pop("objects", None), extra.pop("tags", None)
        tables = context.once(written)
        tags = [{"name": context.name(tag.label), "value": None} for tag in sample.tags if tag.text is None]
        tags += [write_tag(name, value, tables) for name, value in sample.attributes.items()]
        document: dict[str, Any] = {
            "description": next((tag.text for tag in sample.tags if tag.text is not None), ""),
            "tags": _with_details(tags, known),
            **({} if sample.size is None else {"size": {"height": sample.size[1], "width": sample.size[0]}}),
            "objects": objects + (opaque if isinstance(opaque, list) else []),
            **({} if sample.id is None else {"imageId": sample.id}),
            **extra,
        }
        return json.dump_lines(document)

    def encode(  # type: ignore[override]
        self, sample: Sample, context: WriteContext, ordinal: int
    ) -> Iterable[File | Piece | Problem]:
        objects = [_write(a, context) for a in sample.annotations or ()]
        yield File(self.annotation_path(sample, context), self._document(sample, objects, context))
        names = {name for a in sample.annotations or () for name in a.attributes}
        yield from doubts(sorted({*names, *sample.attributes}), context.once(written), sample.key)
        for position, a in enumerate(sample.annotations or ()):
            said = doubt(a)
            if said is not None:
                yield Problem(f"{self.id}.rotated_box", said, key=sample.key, object=position, action="written otherwise")
        places = (context.index[a.label or ""] for a in sample.annotations or ())
        kinds = {(i, written_as["geometryType"]) for i, written_as in zip(places, objects, strict=True)}
        kinds |= {(context.index[tag.label], "") for tag in sample.tags if tag.label is not None}
        for index, kind in sorted(kinds):
            yield Piece(f"{index}#{kind}", b"1")

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        used: dict[str, set[str]] = {}
        labels: list[str] = []
        for slot in pieces.slots():
            index, _, kind = slot.partition("#")
            if kind:
                used.setdefault(context.labels[int(index)].key, set()).add(kind)
            else:
                labels.append(context.labels[int(index)].name)
        yield File(META, write_meta(context, used, labels))


def _pairs(context: ReadContext, metas: Mapping[str, Meta]) -> list[Pair]:
    """Annotations with their images, and images without annotations."""
    images = {path for path in context.images.paths if _PLACE.fullmatch(path)}
    taken: set[str] = set()
    pairs: list[Pair] = []
    names = [name for name in context.source.match("*.json") if (f := _PLACE.fullmatch(name)) and f["kind"] == "ann"]
    if not names and not images:  # a single file, apart from its project
        names = [name for name in context.source.match("*.json") if not name.endswith(META)]
    for name in names:
        found = _PLACE.fullmatch(name)
        folder = under(found["around"] or "", "img") if found else name.rpartition("/")[0]
        stem = name.removesuffix(name[-5:]).rpartition("/")[2]
        image = under(folder, stem)
        if image not in context.images and "." not in stem:
            loose = context.images.find(stem, (folder,))
            beside = None if loose is None or loose.rpartition("/")[0] != folder else loose
            own = under(name.rpartition("/")[0], f"{loose}".rpartition("/")[2] + ".json")
            image = beside if beside is not None and not context.source.exists(own) else image
        taken.add(image)
        pairs.append(_pair(name, image, image in context.images, context, metas))
    if context.source.focus is None:
        pairs += [_pair(None, image, True, context, metas) for image in sorted(images - taken) if "/img/" in f"/{image}"]
    return sorted(pairs, key=lambda pair: (pair.splits, pair.path or ""))


def _pair(annotation: str | None, image: str, there: bool, context: ReadContext, metas: Mapping[str, Meta]) -> Pair:
    """Where an image belongs: datasets in datasets are folders, the outermost is the split."""
    found = _PLACE.fullmatch(image)
    around = (found["around"] or "") if found else ""
    roots = [r for r in metas if r in ("", around) or around.startswith(f"{r}/")]
    root = max(roots, key=len, default="")
    inside = around.removeprefix(root).strip("/").split("/")
    nested = inside[1::2]
    plain = all(part == "datasets" for part in nested) and len(inside) % 2
    names = [*inside[:1], *inside[2::2]] if plain else inside
    path = "/".join((*names[1:], image.rpartition("/")[2]))
    split = names[0]
    splits = (split,) if split and split not in UNSPLIT else ()
    return Pair(
        annotation, image if there else None, splits, path if len(metas) < 2 else under(root, path), metas.get(root, Meta())
    )


def _path(sample: Sample, kind: str) -> str:
    """Place of an image or its annotations: its split and folders as datasets in datasets."""
    *folders, name = sample.path.split("/")
    datasets = "/datasets/".join([sample.split or UNSPLIT[0], *folders])
    return f"{datasets}/{kind}/{name}"


def _size(raw: Any) -> tuple[int, int] | None:
    width, height = (raw.get("width"), raw.get("height")) if isinstance(raw, dict) else (None, None)
    return (width, height) if type(width) is int and type(height) is int and min(width, height) > 0 else None


class _Reader:
    """Takes the objects of one image. ``opaque``: those of a kind that says nothing here."""

    def __init__(self, name: str, key: str, size: tuple[int, int] | None, meta: Meta, report: Report) -> None:
        self.name, self.key, self.size, self.meta, self.report = name, key, size, meta, report
        self.opaque: list[Any] = []

    def annotation(self, raw: Any, place: str) -> Annotation | None:
        found = json.load_item(raw, _Object, place, self.report, "supervisely.object")
        if found is None:
            return None
        title = found.classTitle
        kind = kind_of(raw, self.meta.shapes.get(title))
        if kind not in KINDS:
            self.report.problem(
                "supervisely.geometryType", f"an object of kind {kind!r}", place, key=self.key, action="kept as it is"
            )
            self.opaque.append(raw)
            return None
        if kind == "alpha_mask":
            self.report.problem(
                "supervisely.alpha_mask", "a mask with soft edges", place, key=self.key,
                action="read as a mask of all pixels that are covered at all",
            )  # fmt: skip
        try:
            made = read_geometry(kind, raw, self.meta.graphs.get(title, Graph()), self.size)
        except LabelglotError as error:
            self.report.problem(
                "supervisely.geometry", error.message, place, severity="error", key=self.key, raw=raw, action="skipped"
            )
            return None
        extra = json.rest(raw, (*_KNOWN, *FIELDS))
        if raw.get("classId") is not None and raw["classId"] != self.meta.ids.get(title):
            extra["classId"] = raw["classId"]
        attributes, details, odd = self._tags(found.tags, place)
        if any(details) or odd:
            extra["tags"] = [*details, *odd]
        return Annotation(
            label=self.meta.keys.get(title, title), box=made.box, shape=made.shape, keypoints=made.keypoints,
            text=found.description or None, id=found.id, group=found.instance, attributes=attributes,
            extra={OWNER: extra} if extra else {},
        )  # fmt: skip

    def image_tags(self, listed: Any, extra: dict[str, Any]) -> tuple[list[Tag], dict[str, Attribute]]:
        """Classes and attributes of the image."""
        tags = listed if isinstance(listed, list) else []
        plain = [_named(tag) for tag in tags]
        bare = [tag for tag in plain if tag is not None and tag.get("value") is None]
        classes = [Tag(label=self.meta.keys.get(tag["name"], tag["name"])) for tag in bare]
        rest = [tag for tag, known in zip(tags, plain, strict=True) if known is None or known.get("value") is not None]
        attributes, details, odd = self._tags(rest, self.name)
        details = [_detail(tag) for tag in bare] + details
        if any(details) or odd:
            extra["tags"] = [*details, *odd]
        return classes, attributes

    def _tags(self, listed: Sequence[Any], place: str) -> tuple[dict[str, Attribute], list[dict[str, Any]], list[Any]]:
        """Attributes, what else is said of each, and tags that are no attributes."""
        found: dict[str, Attribute] = {}
        details: list[dict[str, Any]] = []
        odd: list[Any] = []
        for raw in listed:
            tag = _named(raw)
            try:
                if tag is None:
                    raise LabelglotError("a tag without name")
                if tag["name"] in found:
                    raise LabelglotError(f"the tag {tag['name']!r} is there again")
                found[tag["name"]] = read_value(tag, self.meta)
                details.append(_detail(tag))
            except LabelglotError as error:
                self.report.problem("supervisely.tag", error.message, place, key=self.key, raw=raw, action="kept as it is")
                odd.append(raw)
        return found, details, odd


def _named(tag: Any) -> dict[str, Any] | None:
    """A tag; very old ones are only names."""
    if isinstance(tag, str):
        return {"name": tag}
    return tag if isinstance(tag, dict) and isinstance(tag.get("name"), str) else None


def _detail(tag: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in tag.items() if key not in ("name", "value")}


def _with_details(tags: list[dict[str, Any]], known: Any) -> list[Any]:
    """Tags with what else was said of each, followed by those that were no attributes."""
    if not isinstance(known, list) or len(known) < len(tags):
        return tags
    details = [detail if isinstance(detail, dict) else {} for detail in known]
    return [{**detail, **tag} for detail, tag in zip(details, tags, strict=False)] + known[len(tags) :]


def _write(a: Annotation, context: WriteContext) -> dict[str, Any]:
    tables = context.once(written)
    label = context.by_key[a.label or ""]
    bag = a.extra.get(OWNER)
    extra: dict[str, Any] = dict(bag) if isinstance(bag, dict) else {}
    kind, fields = draw(a, tables.graphs.get(label.key, ()))
    entry: dict[str, Any] = {"classTitle": label.name, "geometryType": kind, "description": a.text or ""}
    if label.id is not None:
        entry["classId"] = label.id
    if a.id is not None:
        entry["id"] = a.id
    if a.group is not None:
        entry["instance"] = a.group
    tags = [write_tag(name, value, tables) for name, value in a.attributes.items()]
    return {**entry, "tags": _with_details(tags, extra.pop("tags", None)), **fields, **extra}
