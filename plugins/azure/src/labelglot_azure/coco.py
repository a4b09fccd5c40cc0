"""Export of Azure Machine Learning labelling projects: COCO whose coordinates are fractions of the image.

Classes of whole images are annotations without geometry. Files with pixels, which Azure AI Vision takes as well, are
told by their numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, Literal, NamedTuple

import msgspec
from labelglot.plugin import (
    PIXELS_XYWH,
    RELATIVE,
    Annotation,
    Content,
    Convention,
    Document,
    File,
    Holds,
    Info,
    Label,
    LabelglotError,
    LabelHolds,
    Match,
    Options,
    Piece,
    Pieces,
    Polygon,
    ReadContext,
    Report,
    Sample,
    Source,
    Tag,
    TagHolds,
    WriteContext,
    label_keys,
    numbers,
)
from labelglot.wire import json
from pydantic import Field

HEAD = 1 << 15
STORE = "AmlDatastore://"
FRACTIONS = Convention(unit="relative", form="xywh", ordered=True)
_IMAGE = ("id", "width", "height", "file_name", "absolute_url")
_OBJECT = ("id", "category_id", "image_id", "area", "bbox", "segmentation")


class _Image(msgspec.Struct):
    id: int | str
    file_name: str
    width: float | None = None
    height: float | None = None
    absolute_url: str | None = None
    coco_url: str | None = None


class _Object(msgspec.Struct):
    image_id: int | str
    category_id: int | str
    id: int | str | None = None
    bbox: list[float] | None = None
    segmentation: list[list[float]] | None = None
    area: float | None = None


class _Category(msgspec.Struct):
    id: int | str
    name: str


class Record(NamedTuple):
    """An image with its annotations, encoded, and their positions in the document."""

    image: bytes
    position: int
    name: str
    objects: tuple[tuple[int, bytes], ...]


class Shared(NamedTuple):
    """``keys``: label key by category id. ``fractions``: whether the coordinates of the document are such."""

    keys: Mapping[int | str, str]
    fractions: bool


class AzureMlCoco(Document):
    """Boxes, polygons, and classes of images."""

    id = "azureml-coco"
    name = "Azure ML labelling export (COCO with fractions)"
    aliases = ("azure-coco", "azure-vision-coco")
    url = "https://learn.microsoft.com/azure/machine-learning/how-to-manage-labeling-projects"
    holds = Holds(
        geometry=(frozenset({"box"}), frozenset({"polygon"})),
        required=frozenset({"box"}),
        boxes=FRACTIONS,
        points=RELATIVE,
        polygon_holes=False,
        inside=True,
        labels=LabelHolds(ids="int", ids_required=True, first_id=1, duplicates=True),
        ids="int",
        ids_required=True,
        tags=TagHolds(),
        sample_ids="int",
        sample_ids_required=True,
        uri=True,
        extra=frozenset({"azureml-coco"}),
    )

    geometry_bound_extra = frozenset({("azureml-coco", "area")})

    class ReadOptions(Options):
        """What the numbers mean."""

        units: Literal["auto", "fractions", "pixels"] = Field(
            default="auto", title="Units", description="auto: fractions if no box of a file has a number over 1"
        )

    def detect(self, source: Source) -> Match | None:
        for name in source.match("*.json")[:20]:
            match = _evidence(json.peek(source.head(name, HEAD)))
            if match is not None:
                return Match(match.confidence, f"{name} {match.reason}")
        return None

    def inputs(self, context: ReadContext) -> Sequence[tuple[str, str | None]]:
        names = context.source.match("*.json")
        found = [name for name in names if _evidence(json.peek(context.source.head(name, HEAD)))]
        return [(name, None) for name in found or names]

    def parse(self, data: bytes, path: str, context: ReadContext) -> Content:
        fields, report = json.load_fields(data, path), context.report
        if "images" not in fields:
            raise LabelglotError("it has no images", path)
        raws = json.load_parts(bytes(fields["images"]), f"{path}#images")
        listed = json.load_items(fields["images"], _Image, f"{path}#images", report, f"{self.id}.image")
        members: dict[int | str, list[tuple[int, bytes]]] = {}
        images: list[tuple[int, _Image]] = []
        for position, image in enumerate(listed):
            if image is None:
                continue
            if image.id in members:
                report.problem(
                    f"{self.id}.image", f"image id {image.id!r} is given twice", f"{path}#images[{position}]",
                    severity="error", action="skipped",
                )  # fmt: skip
                continue
            members[image.id] = []
            images.append((position, image))
        objects: list[_Object] = []
        for position, raw in enumerate(json.load_parts(bytes(fields.get("annotations", b"[]")), f"{path}#annotations")):
            place = f"{path}#annotations[{position}]"
            found = json.load_item(raw, _Object, place, report, f"{self.id}.annotation")
            if found is None:
                continue
            if found.image_id not in members:
                report.problem(
                    f"{self.id}.image-id", f"image {found.image_id!r} is not in images", place, severity="error",
                    action="skipped",
                )  # fmt: skip
                continue
            objects.append(found)
            members[found.image_id].append((position, bytes(raw)))
        labels = self._labels(fields.get("categories"), path, report)
        units = context.options.units
        fractions = are_fractions(found.bbox for found in objects) if units == "auto" else units == "fractions"
        records = [Record(bytes(raws[p]), p, image.file_name, tuple(members[image.id])) for p, image in images]
        keys = {label.id: label.key for label in labels if label.id is not None}
        rest = json.rest(fields, ("images", "annotations", "categories"))
        info = Info(extra={self.id: rest} if rest else {})
        return Content(records, labels, info, shared=Shared(keys, fractions), names=[record.name for record in records])

    def _labels(self, raw: msgspec.Raw | None, path: str, report: Report) -> Sequence[Label]:
        place = f"{path}#categories"
        found = json.load_items(raw, dict[str, Any], place, report, f"{self.id}.category")
        kept: dict[int | str, tuple[str, dict[str, Any]]] = {}
        for position, fields in enumerate(found):
            if fields is None:
                continue
            one = json.load_item(fields, _Category, f"{place}[{position}]", report, f"{self.id}.category")
            if one is not None:
                kept.setdefault(one.id, (one.name, json.rest(fields, ("id", "name"))))
        keys = label_keys([name for name, _ in kept.values()], list(kept))
        return [
            Label(key=key, name=name, id=id_, extra={self.id: rest} if rest else {})
            for key, (id_, (name, rest)) in zip(keys, kept.items(), strict=True)
        ]

    def decode(
        self, record: Record, path: str, split: str | None, shared: Shared, context: ReadContext, report: Report
    ) -> Sample | None:
        values: dict[str, Any] = json.load(record.image, path)
        image = msgspec.convert(values, _Image)
        where = context.place(record.name, path.rpartition("/")[0])
        size = _size(image)
        extra = json.rest(values, _IMAGE if size else [name for name in _IMAGE if name not in ("width", "height")])
        uri = image.absolute_url
        if uri is None and image.coco_url is not None:
            uri = extra.pop("coco_url")
            extra |= {} if uri.startswith(STORE) else {"address": "coco_url"}
        annotations: list[Annotation] = []
        tags: list[Tag] = []
        units = (size if shared.fractions else None, FRACTIONS if shared.fractions else PIXELS_XYWH)
        for position, raw in record.objects:
            place = f"{path}#annotations[{position}]"
            try:
                made = self._object(json.load(raw, place, dict[str, Any]), shared, *units)
            except LabelglotError as error:
                report.problem(
                    f"{self.id}.annotation", error.message, place, severity="error", key=where.path, action="skipped"
                )
                continue
            if isinstance(made, Tag):
                tags.append(made)
            else:
                annotations.append(made)
        return Sample(
            path=where.path, id=image.id, uri=uri or where.uri, image=where.image, size=size,
            units="relative" if shared.fractions and size is None else "pixels", tags=tuple(tags),
            annotations=tuple(annotations), extra={self.id: extra} if extra else {},
        )  # fmt: skip

    def _object(
        self, values: dict[str, Any], shared: Shared, size: tuple[int, int] | None, convention: Convention
    ) -> Annotation | Tag:
        found = msgspec.convert(values, _Object)
        label = shared.keys.get(found.category_id)
        if label is None:
            raise LabelglotError(f"category {found.category_id!r} is not declared in categories")
        extra = json.rest(values, _OBJECT)
        if found.area:
            extra["area"] = found.area
        if found.bbox is None and not found.segmentation:
            if found.id is not None and not (isinstance(found.id, int) and found.id < 0):
                extra["id"] = found.id
            return Tag(label=label, extra={self.id: extra} if extra else {})
        box = shape = None
        if found.bbox is not None:
            x, y, w, h = numbers(found.bbox, 4)
            box = convention.read_box((x, y, w, h), size)
        if found.segmentation:
            rings = [numbers(ring) for ring in found.segmentation]
            if any(len(ring) < 6 or len(ring) % 2 for ring in rings):
                raise LabelglotError("a polygon is x, y of at least 3 points")
            shape = Polygon.of(*(convention.read_points(ring, size) for ring in rings))
        return Annotation(label=label, box=box, shape=shape, id=found.id, extra={self.id: extra} if extra else {})

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[Piece]:
        path = self.document_path(sample.split, context)
        extra = dict(sample.extra.get(self.id, {}))
        image: dict[str, Any] = {"id": sample.id}
        if sample.size is not None:
            image["width"], image["height"] = sample.size
        image["file_name"] = sample.path
        address = extra.pop("address", None)
        if sample.uri is not None:
            image[address or ("coco_url" if sample.uri.startswith(STORE) else "absolute_url")] = sample.uri
        yield Piece(f"{path}#images", json.dump({**image, **{k: v for k, v in extra.items() if k not in image}}))
        objects = [self._encode(a, sample, context) for a in sample.annotations or ()]
        for number, tag in enumerate(sample.tags):
            # Labels of images have no ids of their own; a negative number is one that no object has.
            own = {"id": -((ordinal << 10) + number + 1), "category_id": self._category(tag.label, context)}
            objects.append({**own, "image_id": sample.id, "area": 0.0, **tag.extra.get(self.id, {})})
        if objects:
            yield Piece(f"{path}#annotations", self.separator.join(map(json.dump, objects)))

    def _encode(self, a: Annotation, sample: Sample, context: WriteContext) -> dict[str, Any]:
        size = sample.size if sample.units == "pixels" else None
        box = FRACTIONS.write_box(a.box or (0.0, 0.0, 0.0, 0.0), size)
        if not all(map(isfinite, box)):
            raise LabelglotError("a coordinate is not finite")
        made: dict[str, Any] = {"id": a.id, "category_id": self._category(a.label, context), "image_id": sample.id}
        made |= {"area": 0.0, "bbox": box}
        if isinstance(a.shape, Polygon):
            made["segmentation"] = [numbers(RELATIVE.write_points(part[0], size)) for part in a.shape.parts]
        return {**made, **a.extra.get(self.id, {})}

    def _category(self, key: str | None, context: WriteContext) -> int | str | None:
        return context.by_key[key or ""].id

    def encode_record(self, sample: Sample, context: WriteContext, ordinal: int) -> bytes:
        raise NotImplementedError("images and annotations are separate lists")

    def frame(self, split: str | None, context: WriteContext) -> tuple[bytes, bytes]:
        categories = [
            {"id": label.id, "name": label.name, **label.extra.get(self.id, {})} for label in context.labels
        ]  # fmt: skip
        rest = context.info.extra.get(self.id, {})
        before = b"".join(json.dump(name) + b":" + json.dump(value) + b"," for name, value in rest.items())
        return b"{" + before + b'"images":[', b'],"categories":' + json.dump(categories) + b"}\n"

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        for path in dict.fromkeys(self.document_path(split, context) for split in context.splits or (None,)):
            yield File(path, self._lists(path, context, pieces))

    def _lists(self, path: str, context: WriteContext, pieces: Pieces) -> Iterator[bytes]:
        before, after = self.frame(None, context)
        yield before
        yield from pieces.stream(f"{path}#images")
        yield b'],"annotations":['
        yield from pieces.stream(f"{path}#annotations")
        yield after

    def document_path(self, split: str | None, context: WriteContext) -> str:
        return context.document("annotations.json")


def are_fractions(boxes: Iterable[Sequence[float] | None]) -> bool:
    """Whether no number of a box is over 1, however it is turned. Files without boxes have fractions, as they come from Azure."""
    return all(abs(value) <= 1 + 1e-6 for box in boxes if box is not None for value in box)


def _size(image: _Image) -> tuple[int, int] | None:
    width, height = image.width or 0, image.height or 0
    return (int(width), int(height)) if 1 <= width < 1 << 31 and 1 <= height < 1 << 31 else None


def _evidence(value: Any) -> Match | None:
    """How much the beginning of a document looks like an export of Azure."""
    if not isinstance(value, dict) or not isinstance(value.get("images"), list):
        return None
    images = [image for image in value["images"] if isinstance(image, dict)]
    objects = [item for item in value.get("annotations", ()) if isinstance(item, dict)] if isinstance(value.get("annotations", ()), list) else []
    if images and not ("file_name" in images[0] and "id" in images[0]):
        return None
    boxes = [box for item in objects if isinstance(box := item.get("bbox"), list) and all(isinstance(v, float) for v in box)]
    if any("absolute_url" in image or str(image.get("coco_url", "")).startswith(STORE) for image in images):
        return Match(0.95, "has images with addresses of Azure")
    if any(box and max(box) > 0 for box in boxes) and are_fractions(boxes):
        return Match(0.95, "has boxes as fractions")
    if {"images", "annotations"} <= value.keys() and "info" not in value and are_fractions(boxes):
        return Match(0.5, "is COCO without info, and without boxes that have an extent")
    return None
