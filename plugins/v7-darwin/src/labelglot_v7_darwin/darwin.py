"""V7 Darwin JSON 2.0: one file per item; an item is an image, several at once (slots), or a video.

- ``bounding_box``, ``polygon``, ``mask`` (in a raster layer), ``line``, ``keypoint``, ``ellipse``, ``cuboid``,
  ``skeleton`` = box, polygon, mask, polyline, points, ellipse, cuboid, keypoints; ``tag`` = image-level class.
- ``properties`` = attributes by name, ``attributes`` = the attribute of that name, ``text``, ``instance_id`` = track,
  ``inference`` = score.
- Kinds that are no geometry (``string``, ``table``, ``link``, ``graph``...) are kept as they are, in ``extra``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from labelglot.plugin import (
    Annotation,
    Dataset,
    File,
    Holds,
    LabelglotError,
    LabelHolds,
    Mask,
    Match,
    Naming,
    Pair,
    PerImage,
    Piece,
    Pieces,
    Place,
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
    under,
    with_suffix,
)
from labelglot.wire import json, text

from labelglot_v7_darwin.classes import RASTER, REGISTRY, read_classes, write_classes
from labelglot_v7_darwin.raster import Layer, layers
from labelglot_v7_darwin.shapes import (
    KINDS,
    OWNER,
    Drawn,
    Nodes,
    Said,
    differs,
    draw,
    read_geometry,
    read_properties,
    write_properties,
)

SCHEMA = "https://darwin-public.s3.eu-west-1.amazonaws.com/darwin_json/2.0/schema.json"
KNOWN = (*KINDS, *Said.__struct_fields__, "frames")
VALUES: frozenset[ValueKind] = frozenset({"str", "list"})


class Part(NamedTuple):
    """Which image of an item. ``slot``: its number; ``several``: whether there are others; ``frame``: of a video."""

    slot: int
    several: bool
    frame: int | None
    nodes: Mapping[str, Nodes]


class _Slot(msgspec.Struct):
    slot_name: str = "0"
    width: int | None = None
    height: int | None = None
    file_name: str | None = None
    source_files: list[dict[str, Any]] = []


class V7Darwin(PerImage):
    """Darwin JSON in ``annotations``, images in ``images``, classes in ``annotations/.v7/metadata.json``."""

    id = "v7-darwin"
    name = "V7 Darwin JSON 2.0"
    aliases = ("darwin", "v7")
    url = "https://docs.v7labs.com/docs/darwin-json"
    survey = "full"
    holds = Holds(
        geometry=(frozenset({"box", "polygon", "mask", "polyline", "points", "ellipse", "cuboid", "keypoints"}),),
        polygon_nested=True,
        several_points=False,
        cuboids="faces",
        keypoint_visibility="stated",
        absent_points=False,
        labels=LabelHolds(names=rf"(?!{RASTER}$){text.LINE}", color=True, keypoints=True, skeleton=True),
        attributes=VALUES,
        flags={"attributes": frozenset({"list"})},
        score=True,
        text=True,
        ids="str",
        ids_required=True,
        track="any",
        tags=TagHolds(score=True, attributes=VALUES),
        uri=True,
        naming=Naming(unique="stem"),
        extra=frozenset({OWNER}),
    )
    geometry_bound_extra = frozenset({(OWNER, "bounding_box")})
    computed_extra = frozenset({(OWNER, "types")})

    def detect(self, source: Source) -> Match | None:
        for name in source.match("*.json")[:20]:
            value = json.peek(source.head(name, 1 << 13))
            if not isinstance(value, dict):
                continue
            schema = value.get("schema_ref")
            if isinstance(value.get("item"), dict) and (value.get("version") == "2.0" or "slots" in value["item"]):
                return Match(0.95, f"{name} is about an item with slots")
            if isinstance(schema, str) and "darwin_json/2" in schema:
                return Match(0.95, f"{name} names the schema of Darwin JSON")
        return None

    def read(self, context: ReadContext) -> Dataset:
        names = [name for name in context.source.match("*.json") if not name.endswith(REGISTRY)]
        seen: dict[str, list[str]] = {}
        found: list[tuple[str, list[Part], str | None]] = []
        for name in names:
            try:
                document = json.load(context.source.read(name), name, dict)
            except (LabelglotError, OSError):
                found.append((name, [Part(0, False, None, {})], None))
                continue
            found.append((name, _parts(document, seen), _named(document.get("item"))))
        labels, nodes = read_classes(context, names, seen)
        context.reserve(("", path, _around(name)) for name, _, path in found if path)
        pairs = [Pair(name, more=part._replace(nodes=nodes)) for name, parts, _ in found for part in parts]
        return Dataset(Records(pairs, self.decoder(context)), labels)

    def pairs(self, context: ReadContext) -> Sequence[Pair]:
        raise NotImplementedError("an item can be several images")

    def decode(self, data: bytes | None, pair: Pair, context: ReadContext, report: Report) -> Sample | None:
        name, part = pair.annotation or "", pair.more
        document: dict[str, Any] = json.load(data or b"", name, dict)
        item, listed = document.get("item"), document.get("annotations", [])
        if not isinstance(item, dict):
            old = " Darwin JSON 1.0 is not read; export it again." if "image" in document else ""
            report.problem(f"{self.id}.document", f"it is about no item.{old}", name, severity="error", action="skipped")
            return None
        slots = item.get("slots")
        raw: Any = slots[part.slot] if isinstance(slots, list) and part.slot < len(slots) else {}
        slot = json.load_item(raw, _Slot, f"{name}#item.slots[{part.slot}]", report, f"{self.id}.slot") or _Slot()
        where = _place(item, slot, part, name, context)
        size = (slot.width, slot.height) if slot.width and slot.height and min(slot.width, slot.height) > 0 else None
        if size is None and where.image is not None:
            size = image_size(where.image)
        reader = _Reader(self.id, name, where.path, size, part, slot.slot_name, report)
        if not isinstance(listed, list):
            report.problem(f"{self.id}.annotations", "the annotations are no list", name, raw=listed, action="skipped")
            listed = []
        annotations, tags = reader.all(listed)
        bag: dict[str, Any] = {
            "item": json.rest(item, ("name", "path", "slots")),
            "slot": json.rest(raw, ("width", "height", "source_files")) if isinstance(raw, dict) else {},
            "annotations": reader.opaque,
            **json.rest(document, ("item", "annotations")),
        }
        uri = next((f["url"] for f in slot.source_files[:1] if isinstance(f.get("url"), str)), None)
        if slot.source_files not in ([], _files(where.path, uri)):
            bag["slot"]["source_files"] = slot.source_files
        usual = {"version": "2.0", "schema_ref": SCHEMA}
        bag["slot"] = {k: v for k, v in bag["slot"].items() if v != SLOT.get(k)}
        bag = {k: v for k, v in bag.items() if v and v != usual.get(k)}
        video = part.frame is not None
        return Sample(
            path=where.path, uri=uri, image=where.image, size=size, tags=tuple(tags), annotations=tuple(annotations),
            sequence=_named(item) if video else None, frame=part.frame, extra={OWNER: bag} if bag else {},
        )  # fmt: skip

    def image_path(self, sample: Sample, context: WriteContext) -> str | None:
        return under("images", sample.path)

    def annotation_path(self, sample: Sample, context: WriteContext) -> str:
        return under("annotations", with_suffix(sample.path, ".json"))

    def encode_file(self, sample: Sample, context: WriteContext) -> bytes:
        raise NotImplementedError("encode writes items")

    def encode(  # type: ignore[override]
        self, sample: Sample, context: WriteContext, ordinal: int
    ) -> Iterable[File | Piece | Problem]:
        bag = sample.extra.get(OWNER)
        extra: Mapping[str, Any] = bag if isinstance(bag, dict) else {}
        objects = [_write(a, context) for a in sample.annotations or ()]
        entries = [_write_tag(tag, context) for tag in sample.tags] + objects
        masks = [(str(a.id), a.shape) for a in sample.annotations or () if isinstance(a.shape, Mask)]
        for number, layer in enumerate(_layers(masks, sample)):
            entries.append({"id": f"{RASTER}{number}", "name": RASTER, "raster_layer": layer, "properties": []})
        if len(masks) > 1 and sum(e["name"] == RASTER for e in entries) > 1:
            yield Problem(
                f"{self.id}.overlap", "masks overlap, and V7 knows one raster layer per image", key=sample.path,
                action="written in several layers",
            )  # fmt: skip
        opaque = extra.get("annotations")
        entries += opaque if isinstance(opaque, list) else []
        for entry in entries:
            if isinstance(entry, dict):
                entry.setdefault("slot_names", [_text(extra.get("slot"), "slot_name", "0")])
        document = {
            "version": "2.0",
            "schema_ref": SCHEMA,
            "properties": [],
            **{k: v for k, v in extra.items() if k not in ("item", "slot", "annotations")},
            "item": _write_item(sample, extra),
            "annotations": entries,
        }
        yield File(self.annotation_path(sample, context), json.dump(document) + b"\n")
        places = (context.index[a.label or ""] for a in sample.annotations or ())
        kinds = {(i, next(kind for kind in KINDS if kind in entry)) for i, entry in zip(places, objects, strict=True)}
        kinds |= {(context.index[tag.label or ""], "tag") for tag in sample.tags}
        for index, kind in sorted(kinds):
            yield Piece(f"{index}#{kind}", b"1")

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        used: dict[str, list[str]] = {}
        for slot in pieces.slots():
            index, _, kind = slot.partition("#")
            used.setdefault(context.labels[int(index)].key, []).append(kind)
        yield File(f"annotations/{REGISTRY}", write_classes(context.labels, used, context.keypoints))


SLOT: Mapping[str, Any] = {"type": "image", "slot_name": "0"}


def _text(value: Any, key: str, default: str) -> str:
    found = value.get(key, default) if isinstance(value, dict) else default
    return found if isinstance(found, str) else default


def _named(item: Any) -> str | None:
    """Path of an item: its folder and name; ``None`` if it has no name."""
    if not isinstance(item, dict) or not isinstance(item.get("name"), str) or not item["name"]:
        return None
    return under(_text(item, "path", "/").strip("/"), item["name"])


def _around(name: str) -> tuple[str, ...]:
    """Where the image of an item may be: in ``images`` beside any of the folders the item is in, or there itself."""
    folders = [name]
    while folders[-1]:
        folders.append(folders[-1].rpartition("/")[0])
    return tuple(f for folder in folders[1:] for f in (under(folder, "images"), folder))


def _parts(document: Mapping[str, Any], seen: dict[str, list[str]]) -> list[Part]:
    """The images of an item; its classes and the nodes of their skeletons go to ``seen``."""
    item, listed = document.get("item"), document.get("annotations")
    frames: set[int] = set()
    for entry in listed if isinstance(listed, list) else ():
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or entry["name"] == RASTER:
            continue
        nodes = seen.setdefault(entry["name"].strip(), [])
        drawn = [entry]
        if isinstance(entry.get("frames"), dict):
            drawn = list(entry["frames"].values())
            frames.update(int(key) for key in entry["frames"] if key.isdecimal() and len(key) < 10)
        for each in drawn:
            skeleton = each.get("skeleton") if isinstance(each, dict) else None
            points = skeleton.get("nodes") if isinstance(skeleton, dict) else None
            for point in points if isinstance(points, list) else ():
                name = point.get("name") if isinstance(point, dict) else None
                if isinstance(name, str) and name not in nodes:
                    nodes.append(name)
    slots = item.get("slots") if isinstance(item, dict) else None
    number = max(1, len(slots)) if isinstance(slots, list) else 1
    found: list[int | None] = [*sorted(frames)] or [None]
    return [Part(i, number > 1, frame, {}) for i in range(number) for frame in found]


def _place(item: Mapping[str, Any], slot: _Slot, part: Part, name: str, context: ReadContext) -> Place:
    path = _named(item)
    if path is None:
        stem = with_suffix(name, "").rpartition("/")[2]
        image = context.image(stem, _around(name))
        return Place(stem if image is None else image.path, None, image)
    if part.several:
        own = next((f["file_name"] for f in slot.source_files[:1] if isinstance(f.get("file_name"), str)), slot.file_name)
        path = under(path, own or slot.slot_name)
    if part.frame is not None:
        path = under(path, f"{part.frame:07d}.png")
    return context.place(path, "", _around(name))


class _Reader:
    """Takes the annotations of one image. ``opaque``: those of a kind that says nothing here."""

    def __init__(
        self, format: str, name: str, key: str, size: tuple[int, int] | None, part: Part, slot: str, report: Report
    ) -> None:
        self.format, self.name, self.key, self.size = format, name, key, size
        self.part, self.slot, self.report = part, slot, report
        self.opaque: list[Any] = []
        self.layers: list[Layer] = []
        self.masks: dict[Any, int] = {}

    def problem(self, code: str, message: str, place: str, action: str, raw: Any = None) -> None:
        severity: Any = "error" if action == "skipped" else "warning"
        self.report.problem(
            f"{self.format}.{code}", message, place, severity=severity, key=self.key, raw=raw, action=action
        )

    def all(self, listed: Sequence[Any]) -> tuple[list[Annotation], list[Tag]]:
        annotations: list[Annotation] = []
        tags: list[Tag] = []
        here = [(i, entry) for i, entry in enumerate(listed) if self._is_here(entry)]
        for i, entry in here:
            if isinstance(entry, dict) and entry.get("name") == RASTER:
                self._layer(entry, f"{self.name}#annotations[{i}]")
        for i, entry in here:
            if not isinstance(entry, dict) or entry.get("name") != RASTER:
                self._one(entry, f"{self.name}#annotations[{i}]", annotations, tags)
        for layer in self.layers:
            known = {str(a.id) for a in annotations}
            lost = [name for name in layer.numbers if name not in known]
            if lost:
                self.problem("raster_layer", f"{len(lost)} of its masks belong to no annotation", self.name, "left out", lost)
        return annotations, tags

    def _is_here(self, entry: Any) -> bool:
        names = entry.get("slot_names") if isinstance(entry, dict) else None
        if not isinstance(names, list) or not names:
            return self.part.slot == 0
        return not self.part.several or self.slot in names

    def _layer(self, entry: Mapping[str, Any], place: str) -> None:
        raw = entry.get("raster_layer")
        frames = entry.get("frames")
        if isinstance(frames, dict) and isinstance(frames.get(str(self.part.frame)), dict):
            raw = frames[str(self.part.frame)].get("raster_layer")
        try:
            if self.size is None:
                raise LabelglotError("a raster layer in an image of unknown size")
            runs = msgspec.convert(raw.get("dense_rle") if isinstance(raw, dict) else None, list[int])
            numbers = msgspec.convert(raw.get("mask_annotation_ids_mapping") if isinstance(raw, dict) else None, dict[str, int])
            self.layers.append(Layer(runs, numbers, self.size))
        except (LabelglotError, msgspec.ValidationError, OverflowError) as error:
            self.problem("raster_layer", str(error), place, "skipped")

    def _one(self, entry: Any, place: str, annotations: list[Annotation], tags: list[Tag]) -> None:
        drawn: Any = entry
        if isinstance(entry, dict) and isinstance(entry.get("frames"), dict):
            drawn = entry["frames"].get(str(self.part.frame))
            if drawn is None:
                return
        said = json.load_item(entry, Said, place, self.report, f"{self.format}.annotation")
        shown = None if said is None else json.load_item(drawn, Drawn, place, self.report, f"{self.format}.annotation")
        if said is None or shown is None:
            return
        if all(getattr(shown, kind) is None for kind in KINDS):
            self.problem("kind", "an annotation of a kind that has no geometry", place, "kept as it is", sorted(entry))
            self.opaque.append(entry)
            return
        label, extra = said.name.strip(), json.rest(entry, KNOWN)
        attributes, more = read_properties(said)
        if more:
            extra["properties"] = more
        if said.inference is not None and len(entry["inference"]) > 1:
            extra["inference"] = json.rest(entry["inference"], ("confidence",))
        score = None if said.inference is None else said.inference.confidence
        if shown.tag is not None:
            if said.text or said.instance_id:
                extra |= {k: entry[k] for k in ("text", "instance_id") if entry.get(k)}
            extra |= {"id": said.id} if said.id is not None else {}
            tags.append(Tag(label=label, score=score, attributes=attributes, extra={OWNER: extra} if extra else {}))
            return
        made = self._geometry(shown, said, place)
        if made is None:
            return
        if shown.polygon is not None and shown.bounding_box is not None and differs(shown):
            extra["bounding_box"] = drawn["bounding_box"]
        annotations.append(
            Annotation(
                label=label, box=made[0], shape=made[1], keypoints=made[2], text=said.text.text if said.text else None,
                id=None if said.id is None else str(said.id), track=said.instance_id.value if said.instance_id else None,
                score=score, attributes=attributes, extra={OWNER: extra} if extra else {},
            )
        )  # fmt: skip

    def _geometry(self, shown: Drawn, said: Said, place: str) -> tuple[Any, Any, Any] | None:
        if shown.mask is not None:
            masks = [m for m in (layer.mask(str(said.id)) for layer in self.layers) if m is not None]
            again = self.masks[said.id] = self.masks.get(said.id, -1) + 1
            mask = masks[min(again, len(masks) - 1)] if masks else None
            if mask is None:
                self.problem("mask", "a mask that is in no raster layer", place, "skipped", said.id)
            return None if mask is None else (None, mask, None)
        try:
            return read_geometry(shown, self.part.nodes.get(said.name.strip(), Nodes()))
        except LabelglotError as error:
            self.problem("geometry", error.message, place, "skipped")
        return None


def _files(path: str, uri: str | None) -> list[dict[str, Any]]:
    name = path.rpartition("/")[2]
    return [{"file_name": name} if uri is None else {"file_name": name, "url": uri}]


def _write_item(sample: Sample, extra: Mapping[str, Any]) -> dict[str, Any]:
    folder, _, name = sample.path.rpartition("/")
    slot: dict[str, Any] = {**SLOT}
    masks = (a.shape for a in sample.annotations or () if isinstance(a.shape, Mask))
    size = sample.size or next(((m.width, m.height) for m in masks), None)
    if size is not None:
        slot |= {"width": size[0], "height": size[1]}
    slot["source_files"] = _files(sample.path, sample.uri)
    known, more = extra.get("slot"), extra.get("item")
    slot |= known if isinstance(known, dict) else {}
    return {"name": name, "path": f"/{folder}", **(more if isinstance(more, dict) else {}), "slots": [slot]}


def _write(a: Annotation, context: WriteContext) -> dict[str, Any]:
    label = context.by_key[a.label or ""]
    bag = a.extra.get(OWNER)
    extra: Mapping[str, Any] = bag if isinstance(bag, dict) else {}
    entry = {"id": a.id, "name": label.name, **draw(a, label.keypoints or ())}
    if a.text is not None:
        entry["text"] = {"text": a.text}
    if a.track is not None:
        entry["instance_id"] = {"value": a.track}
    return _described(entry, a, extra)


def _write_tag(tag: Tag, context: WriteContext) -> dict[str, Any]:
    bag = tag.extra.get(OWNER)
    return _described({"name": context.name(tag.label), "tag": {}}, tag, bag if isinstance(bag, dict) else {})


def _described(entry: dict[str, Any], a: Annotation | Tag, extra: Mapping[str, Any]) -> dict[str, Any]:
    more = extra.get("properties")
    entry["properties"] = write_properties(a.attributes, more if isinstance(more, dict) else {})
    listed = a.attributes.get("attributes")
    if isinstance(listed, tuple):
        entry["attributes"] = list(listed)
    if a.score is not None:
        known = extra.get("inference")
        entry["inference"] = {"confidence": a.score, **(known if isinstance(known, dict) else {})}
    return entry | {k: v for k, v in extra.items() if k not in ("properties", "inference")}


def _layers(masks: Sequence[tuple[str, Mask]], sample: Sample) -> list[dict[str, Any]]:
    if not masks:
        return []
    size = sample.size or (masks[0][1].width, masks[0][1].height)
    if any((mask.width, mask.height) != size for _, mask in masks):
        raise LabelglotError(f"a mask of {sample.path} is not as large as the image")
    return layers(masks, size)
