"""Cityscapes: polygons in painter's order, one JSON file per image; pictures of instances or classes are read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

import msgspec
from labelglot.images import SourceImage, is_image
from labelglot.plugin import (
    Annotation,
    Holds,
    LabelglotError,
    LabelHolds,
    Match,
    Naming,
    Pair,
    PerImage,
    Polygon,
    ReadContext,
    Report,
    Sample,
    Source,
    WriteContext,
    image_size,
    with_suffix,
)
from labelglot.wire import json

from labelglot_masks.pictures import open_picture, regions

OWNER = "cityscapes"
CLASSES = (
    "unlabeled", "ego vehicle", "rectification border", "out of roi", "static", "dynamic", "ground", "road", "sidewalk",
    "parking", "rail track", "building", "wall", "fence", "guard rail", "bridge", "tunnel", "pole", "polegroup",
    "traffic light", "traffic sign", "vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus", "caravan",
    "trailer", "train", "motorcycle", "bicycle",
)  # fmt: skip
"""What the numbers in pictures of labels mean."""
TRAIN = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
"""The classes that are trained, by their number in pictures of train ids."""
THINGS = range(24, 34)
GROUP, NO_SPLIT = "group", "default"
IMAGES, END = "leftImg8bit", "_leftImg8bit"
KINDS = ("polygons.json", "instanceIds.png", "labelIds.png", "labelTrainIds.png")
"""What is read of an image, the best first."""
_FILE = re.compile(
    r"(?:(?P<head>.*)/)?(?P<type>gtFine|gtCoarse)/(?P<split>[^/]+)/(?P<rest>.+)_(?P=type)_"
    r"(?P<kind>polygons\.json|instanceIds\.png|labelIds\.png|labelTrainIds\.png)"
)
_IMAGE = re.compile(rf"(?:.*/)?{IMAGES}/(?P<split>[^/]+)/(?P<rest>.+){END}(?P<suffix>\.\w+)")


class _Object(msgspec.Struct):
    label: str
    polygon: list[tuple[float, float]]
    deleted: int | bool = 0


class Cityscapes(PerImage):
    """Polygons, later ones on top. A class with ``group`` behind its name is a crowd of it."""

    id = OWNER
    name = "Cityscapes"
    url = "https://www.cityscapes-dataset.com"
    holds = Holds(
        geometry=(frozenset({"polygon"}),),
        polygon_parts=False,
        polygon_holes=False,
        labels=LabelHolds(unused=False, order="appearance", names=rf"(?s:polegroup|(?!.*{GROUP}\Z).+)"),
        flags={"crowd": frozenset({"bool"})},
        defaults={"crowd": False},
        splits="any",
        split_names=rf"(?!{NO_SPLIT}$)\w(?:[\w .+()-]*[\w+()-])?",
        naming=Naming(unique="stem", suffix=False, scope="split"),
        extra=frozenset({OWNER}),
    )

    def detect(self, source: Source) -> Match | None:
        found = next((path for path in source.match("*.json", "*.png") if _FILE.fullmatch(path)), None)
        if found is not None:
            return Match(0.95, f"{found} is called as Cityscapes calls its files")
        for path in source.match("*.json")[:20]:
            value = json.peek(source.head(path, 1 << 12))
            if isinstance(value, dict) and {"imgHeight", "imgWidth"} <= value.keys():
                return Match(0.8, f"{path} has imgHeight and imgWidth")
        return None

    def pairs(self, context: ReadContext) -> Sequence[Pair]:
        best: dict[tuple[str, str], tuple[int, str]] = {}
        loose: list[str] = []
        for path in context.source.match("*.json", "*.png"):
            found = _FILE.fullmatch(path)
            if found:
                key = (found["split"], found["rest"])
                rank = KINDS.index(found["kind"]) + 10 * (found["type"] == "gtCoarse")
                best[key] = min(best.get(key, (rank, path)), (rank, path))
            elif path.endswith(".json"):
                loose.append(path)
        images = {
            (found["split"], found["rest"]): (path, found["suffix"])
            for path in context.images.paths
            if (found := _IMAGE.fullmatch(path))
        }
        pairs = []
        for split, rest in sorted(best.keys() | (images.keys() if context.source.focus is None else set())):
            image, suffix = images.get((split, rest), (None, ""))
            splits = () if split == NO_SPLIT else (split,)
            annotation = best[split, rest][1] if (split, rest) in best else None
            pairs.append(Pair(annotation, image, splits, rest + suffix))
        if not best:
            pairs += [Pair(path, None, (), re.sub(r"(_gt\w+)?_polygons$", "", with_suffix(path, ""))) for path in loose]
        return pairs

    def decode(self, data: bytes | None, pair: Pair, context: ReadContext, report: Report) -> Sample | None:
        image = None if pair.image is None else SourceImage(context.source, pair.image)
        path, place = pair.path or "", pair.annotation or ""
        if data is None:
            return Sample(path=path, splits=pair.splits, image=image)
        size: tuple[int, int] | None
        extra: dict[str, Any] = {}
        if place.endswith(".json"):
            raw = json.load_fields(data, place)
            if "objects" not in raw:
                raise LabelglotError("it lists no objects", place)
            objects = json.load_parts(bytes(raw["objects"]), f"{place}#objects")
            found = tuple(_objects(objects, f"{place}#objects", path, report))
            width, height = (_side(raw.get(name), f"{place}#{name}") for name in ("imgWidth", "imgHeight"))
            size = (width, height) if width and height else None
            extra = json.rest(raw, ("imgWidth", "imgHeight", "objects"))
        else:
            picture = open_picture(data)
            if picture.colors:
                raise LabelglotError("it is a picture of colours, not of numbers", place)
            found = tuple(_regions(picture.values, place, path, report))
            size = (picture.values.shape[1], picture.values.shape[0])
        if size is None and image is not None:
            size = image_size(image)
        return Sample(
            path=path, splits=pair.splits, image=image, size=size, annotations=found,
            extra={OWNER: extra} if extra else {},
        )  # fmt: skip

    def annotation_path(self, sample: Sample, context: WriteContext) -> str:
        return f"gtFine/{sample.split or NO_SPLIT}/{_base(sample, context)}_gtFine_polygons.json"

    def image_path(self, sample: Sample, context: WriteContext) -> str:
        base = with_suffix(sample.path, "") if is_image(sample.path) else sample.path
        return f"{IMAGES}/{sample.split or NO_SPLIT}/{base}{END}{sample.path[len(base) :]}"

    def encode_file(self, sample: Sample, context: WriteContext) -> bytes:
        width, height = sample.size or (None, None)
        document = {"imgHeight": height, "imgWidth": width, **sample.extra.get(OWNER, {})}
        document["objects"] = [_spell(a, context) for a in sample.annotations or ()]
        return json.dump_lines(document, 1)


def _base(sample: Sample, context: WriteContext) -> str:
    stored = context.images and sample.image is not None and is_image(sample.path)
    return with_suffix(sample.path, "") if stored else sample.path


def _side(raw: Any, place: str) -> int | None:
    value = None if raw is None else json.load(bytes(raw), place)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _objects(objects: Iterable[Any], place: str, key: str, report: Report) -> Iterator[Annotation]:
    for position, raw in enumerate(objects):
        at = f"{place}[{position}]"
        found = json.load_item(raw, _Object, at, report, f"{OWNER}.object")
        if found is None:
            continue
        if found.deleted:
            report.problem(
                f"{OWNER}.deleted", "the object is marked as deleted", at, severity="info", key=key, action="skipped"
            )
            continue
        ring = tuple(v for point in found.polygon for v in point)
        if len(ring) < 2 or not all(map(isfinite, ring)):
            report.problem(
                f"{OWNER}.polygon",
                "no point, or one that is not finite",
                at,
                severity="error",
                key=key,
                action="skipped",
            )
            continue
        name, crowd = _class(found.label)
        extra = json.rest(json.load_fields(bytes(raw), at), ("label", "polygon", "deleted"))
        yield Annotation(
            label=name, shape=Polygon.of(ring), attributes={"crowd": True} if crowd else {},
            extra={OWNER: extra} if extra else {},
        )  # fmt: skip


def _class(label: str) -> tuple[str, bool]:
    """The class of a label, and whether it means a crowd."""
    if label.endswith(GROUP) and label not in (GROUP, "polegroup"):
        return label.removesuffix(GROUP), True
    return label, False


def _regions(values: Any, place: str, key: str, report: Report) -> Iterator[Annotation]:
    """The objects of a picture: a number above 1000 is class and instance, others are classes; groups of things are crowds."""
    train = place.endswith("labelTrainIds.png")
    instances = place.endswith("instanceIds.png")
    for value, mask in regions(values):
        number = value // 1000 if value >= 1000 else value
        if train:
            if value == 255:
                continue
            number = TRAIN[value] if value < len(TRAIN) else len(CLASSES)
        if number == 0:
            continue
        if number >= len(CLASSES) or (value >= 1000 and number not in THINGS):
            report.problem(f"{OWNER}.value", f"{value} is no class or instance", place, key=key)
        name = CLASSES[number] if number < len(CLASSES) else f"class_{value if train else number}"
        crowd = instances and value < 1000 and number in THINGS
        yield Annotation(label=name, shape=mask, attributes={"crowd": True} if crowd else {})


def _spell(annotation: Annotation, context: WriteContext) -> Mapping[str, Any]:
    shape = annotation.shape
    ring = shape.parts[0][0] if isinstance(shape, Polygon) else ()
    if not all(map(isfinite, ring)):
        raise LabelglotError("a coordinate is not finite")
    whole = [int(v) if v == int(v) and abs(v) < 1e15 else v for v in ring]
    crowd = GROUP if annotation.attributes.get("crowd") is True else ""
    points = [[x, y] for x, y in zip(whole[::2], whole[1::2], strict=True)]
    return {"label": f"{context.name(annotation.label)}{crowd}", "polygon": points, **annotation.extra.get(OWNER, {})}


__all__ = ["Cityscapes"]
