"""Dataloop: a JSON file for each item, below ``json/`` as the images are below ``items/``.

- ``filename`` = path; ``itemMetadata.system`` = size, and splits among its ``tags``.
- ``annotations``: objects; ``class`` = class of the image, ``item_description`` = its caption.
- ``attributes`` that are listed are true; those of newer recipes have values in ``metadata.system.attributes``.
- A file without ``annotations``, or an image without file, is one nobody looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from labelglot.images import SourceImage
from labelglot.plugin import (
    ANY_VALUE,
    LOOKED_AT,
    Annotation,
    Convention,
    File,
    Holds,
    LabelglotError,
    LabelHolds,
    Match,
    Naming,
    Pair,
    PerImage,
    Piece,
    Place,
    Problem,
    ReadContext,
    Report,
    Sample,
    Source,
    Tag,
    TagHolds,
    WriteContext,
    best_match,
    image_size,
    order_splits,
    with_suffix,
)
from labelglot.schema import Attribute
from labelglot.wire import json

from labelglot_dataloop.shapes import Drawn, draw, read_shape

OWNER = "dataloop"
JSON, ITEMS = "json", "items"
SPLITS = frozenset({"train", "validation", "test"})
OBJECTS = ("box", "segment", "polyline", "point", "ellipse", "cube", "binary", "pose")
TYPES = frozenset({*OBJECTS, "class", "item_description", "note", "subtitle", "text"})
DESCRIPTION = "item.description"
ANNOTATION = ("id", "type", "label", "attributes", "coordinates", "metadata", "description")


class Dataloop(PerImage):
    """Items with their annotations, as the platform's tools download them."""

    id = OWNER
    name = "Dataloop items"
    url = "https://developers.dataloop.ai/"
    holds = Holds(
        geometry=(frozenset({"box", "rotated_box", "polygon", "polyline", "points", "ellipse", "cuboid", "mask"}),),
        bare=True,
        boxes=Convention(ordered=True),
        several_points=False,
        labels=LabelHolds(names=r"(?s:.+)", required=False, unused=False, order="appearance"),
        attributes=ANY_VALUE,
        score=True,
        text=True,
        ids="str",
        track="str",
        parent="str",
        tags=TagHolds(captions="many"),
        sample_ids="str",
        splits=SPLITS,
        several_splits=True,
        split_order="roles",
        unlabelled=True,
        naming=Naming(unique="stem"),
        extra=frozenset({OWNER}),
    )

    def detect(self, source: Source) -> Match | None:
        return best_match(_evidence(source, name) for name in source.match("*.json")[:LOOKED_AT])

    def pairs(self, context: ReadContext) -> Sequence[Pair]:
        images: dict[str, list[str]] = {}
        for image in context.images.paths:
            images.setdefault(with_suffix(_below(image, ITEMS), ""), []).append(image)
        pairs = []
        for name in context.source.match("*.json"):
            found = images.pop(with_suffix(_below(name, JSON), ""), [])
            pairs += [Pair(name, found[0] if len(found) == 1 else None, more=True)]
            pairs += [Pair(None, image) for image in found] if len(found) > 1 else []
        if context.source.focus is None:
            pairs += [Pair(None, image) for left in images.values() for image in left]
        return sorted(
            pairs,
            key=lambda pair: _below(pair.annotation, JSON) if pair.annotation else _below(pair.image or "", ITEMS),
        )

    def decode(self, data: bytes | None, pair: Pair, context: ReadContext, report: Report) -> Sample | None:
        if data is None or pair.annotation is None:
            image = pair.image or ""
            return Sample(path=_below(image, ITEMS), image=SourceImage(context.source, image))
        name = pair.annotation
        item = json.load(data, name, dict[str, Any])
        where = _place(item.get("filename"), pair, context)
        about = json.fields(item.get("itemMetadata") or item.get("metadata"))
        system = json.fields(about.get("system"))
        real = None if where.image is None else image_size(where.image)
        stated = json.size(system)
        if real is not None and stated is not None and real != stated:
            report.problem(
                f"{OWNER}.size",
                f"the image is {real[0]} x {real[1]}, not {stated[0]} x {stated[1]}",
                name,
                key=where.path,
                action="the size of the image is used",
            )
        reader = _Reader(real or stated, where.path, report)
        listed = item.get("annotations")
        for position, each in enumerate(listed if isinstance(listed, list) else ()):
            reader.take(each, f"{name}#annotations[{position}]")
        splits, tags = _splits(system.get("tags"))
        left = {
            "system": {**json.rest(system, ("width", "height", "tags")), **({"tags": tags} if tags else {})},
            "metadata": json.rest(about, ("system",)),
            "item": json.rest(item, ("_id", "id", "filename", "annotations", "itemMetadata", "metadata", "annotated")),
            "other": reader.other,
        }  # fmt: skip
        extra = {key: value for key, value in left.items() if value}
        unlabelled = not isinstance(listed, list) or (item.get("annotated") is False and not reader.annotations)
        id_ = item.get("_id", item.get("id"))
        return Sample(
            path=where.path,
            uri=where.uri,
            image=where.image,
            size=real or stated,
            id=id_ if isinstance(id_, str) else None,
            splits=splits,
            tags=tuple(reader.tags),
            annotations=None if unlabelled else tuple(reader.annotations),
            extra={OWNER: extra} if extra else {},
        )

    def image_path(self, sample: Sample, context: WriteContext) -> str | None:
        return f"{ITEMS}/{sample.path}"

    def annotation_path(self, sample: Sample, context: WriteContext) -> str:
        return f"{JSON}/{with_suffix(sample.path, '.json')}"

    def encode_file(self, sample: Sample, context: WriteContext) -> bytes:
        return json.dump_lines(self._item(sample, context, []))

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece | Problem]:
        problems: list[Problem] = []
        yield File(self.annotation_path(sample, context), json.dump_lines(self._item(sample, context, problems)))
        yield from problems

    def _item(self, sample: Sample, context: WriteContext, problems: list[Problem]) -> dict[str, Any]:
        extra = json.fields(sample.extra.get(OWNER))
        system = dict(json.fields(extra.get("system")))
        tags = {**json.fields(system.pop("tags", None)), **dict.fromkeys(sample.splits, True)}
        size = {} if sample.size is None else dict(zip(("width", "height"), sample.size, strict=True))
        made = [_write_tag(tag, context) for tag in sample.tags]
        for position, a in enumerate(sample.annotations or ()):
            drawn = draw(a, json.fields(json.fields(a.extra.get(OWNER)).get("coordinates")))
            if drawn.doubt is not None:
                as_polygon = drawn.type == "segment"
                problems.append(
                    Problem(
                        f"{OWNER}.corners", drawn.doubt, "warning" if as_polygon else "info", object=position,
                        action="written as polygon" if as_polygon else "written",
                    )
                )  # fmt: skip
            made.append(_write_object(a, drawn, context))
        made += json.items(extra.get("other"))
        about = {"system": {**size, **({"tags": tags} if tags else {}), **system}, **json.fields(extra.get("metadata"))}
        looked = sample.annotations is not None
        return {
            **({} if sample.id is None else {"_id": sample.id}), "filename": f"/{sample.path}",
            **({} if looked else {"annotated": False}), **({"annotations": made} if looked or made else {}),
            "itemMetadata": about, **json.fields(extra.get("item")),
        }  # fmt: skip


class _Reader:
    """Takes the annotations of one item. ``other``: those that are kept as they are."""

    def __init__(self, size: tuple[int, int] | None, key: str, report: Report) -> None:
        self.size, self.key, self.report = size, key, report
        self.annotations: list[Annotation] = []
        self.tags: list[Tag] = []
        self.other: list[Any] = []

    def take(self, item: Any, place: str) -> None:
        """Read one annotation."""
        if not isinstance(item, dict):
            self.report.problem(
                f"{OWNER}.object",
                "the annotation is no object",
                place,
                severity="error",
                key=self.key,
                raw=item,
                action="skipped",
            )
            return
        kind = item.get("type")
        text = json.fields(item.get("coordinates")).get("text")
        if kind == "class" and isinstance(item.get("label"), str) and item["label"]:
            self.tags.append(Tag(label=item["label"], extra=_bag(json.rest(_trimmed(item), ("type", "label")))))
        elif kind == "item_description" and isinstance(text, str):
            rest = json.rest(
                _trimmed(item), ("type", "coordinates", *(("label",) if item.get("label") == DESCRIPTION else ()))
            )
            self.tags.append(Tag(text=text, extra=_bag(rest)))
        elif kind in OBJECTS:
            try:
                self.annotations.append(self._object(kind, item, place))
            except LabelglotError as error:
                self.report.problem(
                    f"{OWNER}.object", error.message, place, severity="error", key=self.key, raw=item, action="skipped"
                )
        else:
            self.other.append(item)
            self.report.problem(
                f"{OWNER}.type", f"annotations of type {kind!r} are not understood", place, key=self.key,
                action="kept aside for Dataloop",
            )  # fmt: skip

    def _object(self, kind: str, item: dict[str, Any], place: str) -> Annotation:
        about = json.fields(item.get("metadata"))
        system, user = dict(json.fields(about.get("system"))), dict(json.fields(about.get("user")))
        own = json.fields(user.get("labelglot"))
        box, shape, coordinates = read_shape(kind, item.get("coordinates"), own.get("rings"), self.size)
        extra = json.rest(item, ANNOTATION)
        if coordinates:
            extra["coordinates"] = coordinates
        snapshots = system.get("snapshots_")
        if isinstance(snapshots, list) and len(snapshots) > 1:
            self.report.problem(
                f"{OWNER}.video",
                f"an object with {len(snapshots)} snapshots",
                place,
                key=self.key,
                action="read as on its first frame",
            )
        track = system.get("objectId")
        still = isinstance(snapshots, list) and len(snapshots) < 2
        track = str(system.pop("objectId")) if isinstance(track, int | str) and not still else None
        parent = system.pop("parentId") if isinstance(system.get("parentId"), str) else None
        attributes = self._attributes(item.get("attributes"), system, extra)
        model = dict(json.fields(user.pop("model", None)))
        score = model.pop("confidence", None)
        user.pop("labelglot", None)
        for name, rest in (
            ("system", system),
            ("user", user),
            ("model", model),
            ("metadata", json.rest(about, ("system", "user"))),
        ):
            if rest:
                extra[name] = rest
        label, text, id_ = item.get("label"), item.get("description"), item.get("id")
        return Annotation(
            label=label if isinstance(label, str) and label else None,
            box=box,
            shape=shape,
            attributes=attributes,
            text=text if isinstance(text, str) and text else None,
            id=id_ if isinstance(id_, str) else None,
            track=track,
            parent=parent,
            score=None if score is None else json.finite(score, "confidence"),
            extra=_bag(extra),
        )

    def _attributes(self, listed: Any, system: dict[str, Any], extra: dict[str, Any]) -> dict[str, Attribute]:
        """Those that are listed, and those with values. True ones among the latter are remembered as such."""
        found: dict[str, Attribute] = (
            {name: True for name in listed if isinstance(name, str)} if isinstance(listed, list) else {}
        )
        plain, nested = json.attributes(listed if isinstance(listed, dict) else system.pop("attributes", None))
        if nested:
            extra["attributes"] = nested
        true = [name for name, value in plain.items() if value is True]
        if true:
            extra["true"] = true
        return {**found, **plain}


def _bag(extra: Mapping[str, Any]) -> dict[str, Any]:
    return {OWNER: extra} if extra else {}


def _trimmed(item: Mapping[str, Any]) -> dict[str, Any]:
    """An annotation without the empty fields that the writer adds."""
    return {
        k: v
        for k, v in item.items()
        if not (k == "attributes" and v == []) and not (k == "metadata" and v == {"system": {}})
    }


def _write_tag(tag: Tag, context: WriteContext) -> dict[str, Any]:
    what = (
        {"type": "class", "label": context.name(tag.label)}
        if tag.text is None
        else {"type": "item_description", "label": DESCRIPTION, "coordinates": {"text": tag.text}}
    )
    return {**what, "attributes": [], "metadata": {"system": {}}, **json.fields(tag.extra.get(OWNER))}


def _write_object(a: Annotation, drawn: Drawn, context: WriteContext) -> dict[str, Any]:
    extra = dict(json.fields(a.extra.get(OWNER)))
    true = json.items(extra.pop("true", None))
    listed = [name for name, value in a.attributes.items() if value is True and name not in true]
    valued = {k: list(v) if isinstance(v, tuple) else v for k, v in a.attributes.items() if k not in listed}
    valued |= json.fields(extra.pop("attributes", None))
    system = {**({"attributes": valued} if valued else {}), **json.fields(extra.pop("system", None))}
    system |= {k: v for k, v in (("objectId", a.track), ("parentId", a.parent)) if v is not None}
    model = {**json.fields(extra.pop("model", None)), **({} if a.score is None else {"confidence": a.score})}
    user = {**json.fields(extra.pop("user", None)), **({"model": model} if model else {})}
    if drawn.rings is not None:
        user["labelglot"] = {"rings": drawn.rings}
    extra.pop("coordinates", None)
    return {
        **({} if a.id is None else {"id": a.id}),
        "type": drawn.type,
        "label": context.name(a.label),
        "attributes": listed,
        **({} if drawn.coordinates is None else {"coordinates": drawn.coordinates}),
        **({} if a.text is None else {"description": a.text}),
        "metadata": {"system": system, **({"user": user} if user else {}), **json.fields(extra.pop("metadata", None))},
        **extra,
    }


def _below(path: str, folder: str) -> str:
    """A path as it is named below one of the two folders of a download."""
    before, found, rest = f"/{path}".partition(f"/{folder}/")
    return f"{before}/{rest}".lstrip("/") if found else path


def _place(filename: Any, pair: Pair, context: ReadContext) -> Place:
    """Identity and file of an item: by its name, else that of its JSON."""
    if isinstance(filename, str) and filename.lstrip("/"):
        before = f"/{pair.annotation}".rpartition(f"/{JSON}/")[0].strip("/")
        where = context.place(filename.lstrip("/"), before, (f"{before}/{ITEMS}".lstrip("/"), before))
        if pair.image is not None:
            return where._replace(image=SourceImage(context.source, pair.image))
        if where.image is not None and _is_of_another(where.image.path, pair.annotation or "", context.source):
            return where._replace(image=None)
        return where
    if pair.image is not None:
        return Place(_below(pair.image, ITEMS), None, SourceImage(context.source, pair.image))
    return Place(with_suffix(_below(pair.annotation or "", JSON), ""))


def _is_of_another(image: str, annotation: str, source: Source) -> bool:
    """Whether an image that was found loosely has a JSON of its own."""
    own = with_suffix(_below(image, ITEMS), ".json")
    before = f"/{annotation}".rpartition(f"/{JSON}/")[0].strip("/")
    names = (f"{before}/{JSON}/{own}".lstrip("/"), own)
    return annotation not in names and any(map(source.exists, names))


def _splits(tags: Any) -> tuple[tuple[str, ...], Any]:
    """The splits among the tags of an item, and all other tags."""
    listed = (
        tags
        if isinstance(tags, dict)
        else dict.fromkeys((t for t in tags if isinstance(t, str)), True)
        if isinstance(tags, list)
        else {}
    )
    found = [name for name, on in listed.items() if name in SPLITS and on]
    return order_splits(found), {name: on for name, on in listed.items() if name not in found}


def _is_own(item: Mapping[str, Any]) -> bool:
    """Whether an annotation has more of Dataloop than type and label; its coordinates may be cut off."""
    return "coordinates" in item or "metadata" in item or isinstance(item.get("attributes"), list)


def _evidence(source: Source, name: str) -> Match | None:
    value = json.peek(source.head(name, 1 << 15))
    if not isinstance(value, dict):
        return None
    found = value.get("annotations")
    listed = [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
    typed = [item for item in listed if isinstance(item.get("type"), str) and item["type"] in TYPES]
    known = [item for item in typed if "label" in item and _is_own(item)]
    named = "filename" in value and ("itemMetadata" in value or "metadata" in value or "_id" in value)
    if known and (named or "itemMetadata" in value):
        return Match(0.95, f"{name} is an item with annotations")
    if any("datasetId" in item or "system" in json.fields(item.get("metadata")) for item in known):
        return Match(0.9, f"{name} has annotations of Dataloop")
    if known:
        return Match(0.5, f"{name} has annotations with type and label")
    return (
        Match(0.8, f"{name} is an item without annotations")
        if named and not listed and "itemMetadata" in value
        else None
    )


__all__ = ["Dataloop"]
