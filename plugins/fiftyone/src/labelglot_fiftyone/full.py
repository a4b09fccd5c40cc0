"""FiftyOneDataset, the full export: documents of MongoDB with label fields of any name, each object with its ``_cls``."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from labelglot.images import decode_gray
from labelglot.plugin import (
    Annotation,
    Convention,
    Keypoints,
    Label,
    LabelglotError,
    Points,
    Polygon,
    Polyline,
    ReadContext,
    Report,
    Ring,
    Shape,
    Tag,
    numbers,
    seen_from,
)
from labelglot.wire import json

from labelglot_fiftyone.arrays import of_value, on_image, plain, unpack

OWNER = "fiftyone"
BOXES = Convention(unit="relative", form="xywh")
DEFAULT_FIELD, ALL = "ground_truth", "*"
LOOKED_AT = 100
"""Samples looked at to find out which fields there are."""
LISTS = {"Detections": "detections", "Polylines": "polylines", "Keypoints": "keypoints", "Classifications": "classifications"}
KINDS = frozenset({*LISTS, "Detection", "Polyline", "Keypoint", "Classification", "Segmentation"})
_OBJECT = (
    "_id", "_cls", "label", "bounding_box", "confidence", "index", "attributes", "mask", "mask_path", "points", "closed",
    "filled", "tags", "logits",
)  # fmt: skip
_SIMPLE = (bool, int, float, str)


class Facts(NamedTuple):
    """What ``metadata.json`` says that reading samples needs. ``targets``: names of the values of semantic masks, by field
    (``None``: of any). ``skeletons``: names of keypoints, the same way.
    """

    targets: Mapping[str | None, Mapping[int, str]]
    skeletons: Mapping[str | None, tuple[str, ...]]
    edges: Mapping[str | None, tuple[tuple[int, int], ...]]
    classes: tuple[str, ...]
    info: Mapping[str, Any]


def read_facts(path: str, context: ReadContext) -> Facts:
    """What a ``metadata.json`` says; nothing if there is none."""
    if not context.source.exists(path):
        return Facts({}, {}, {}, (), {})
    said = json.fields(plain(json.load(context.source.read(path), path)))
    by_field = _by_field(said, "mask_targets", "default_mask_targets")
    targets = {
        field: {int(n): str(name) for n, name in table.items() if str(n).isdecimal() and len(str(n)) < 10}
        for field, table in by_field.items()
        if isinstance(table, dict)
    }
    skeletons: dict[str | None, tuple[str, ...]] = {}
    edges: dict[str | None, tuple[tuple[int, int], ...]] = {}
    for field, table in _by_field(said, "skeletons", "default_skeleton").items():
        names = json.fields(table).get("labels")
        if isinstance(names, list) and names:
            skeletons[field] = tuple(map(str, names))
            chains = json.fields(table).get("edges")
            edges[field] = tuple(_pairs(chains if isinstance(chains, list) else (), len(names)))
    lists = [*json.fields(said.get("classes")).values(), said.get("default_classes")]
    classes = tuple(dict.fromkeys(str(name) for listed in lists if isinstance(listed, list) for name in listed))
    return Facts(targets, skeletons, edges, classes, said)


def _by_field(said: Mapping[str, Any], own: str, default: str) -> dict[str | None, Any]:
    """What is said of each field, and of any (``None``)."""
    found: dict[str | None, Any] = {None: said.get(default)}
    found.update((str(field), value) for field, value in json.fields(said.get(own)).items())
    return found


def _pairs(chains: Sequence[Any], number: int) -> Iterator[tuple[int, int]]:
    """The edges of lists of points that follow each other."""
    for chain in chains:
        ends = chain if isinstance(chain, list) and all(type(v) is int and 0 <= v < number for v in chain) else []
        yield from itertools.pairwise(ends)


def fields_of(sample: Mapping[str, Any]) -> dict[str, str]:
    """The fields of a sample that hold labels, each with its class."""
    kinds = {name: json.fields(value).get("_cls") for name, value in sample.items()}
    return {name: kind for name, kind in kinds.items() if isinstance(kind, str) and kind in KINDS}


def chosen(samples: Sequence[bytes], facts: Facts, wanted: str) -> tuple[str, ...] | None:
    """The fields to read: the one asked for, else ``ground_truth``, else all there are (``*``, ``None``).

    Which there are is said in the metadata, else by the first samples.
    """
    if wanted:
        return None if wanted == ALL else (wanted,)
    names = {
        each.get("name")
        for each in (*_listed(facts.info.get("sample_fields")), *_listed(facts.info.get("frame_fields")))
        if isinstance(each, dict) and ".labels." in str(each.get("embedded_doc_type"))
    }
    for raw in () if names else samples[:LOOKED_AT]:
        try:
            names |= fields_of(json.fields(json.load(raw, "samples"))).keys()
        except LabelglotError:
            continue
    return (DEFAULT_FIELD,) if DEFAULT_FIELD in names else None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def posed(samples: Sequence[bytes], facts: Facts) -> list[Label]:
    """The classes of objects with keypoints that have a skeleton."""
    found: dict[str, Label] = {}
    for raw in samples if facts.skeletons else ():
        if b'"Keypoint' not in raw:
            continue
        try:
            sample = json.fields(plain(json.load(raw, "samples")))
        except LabelglotError:
            continue
        for field, kind in fields_of(sample).items():
            skeleton = field if field in facts.skeletons else None
            if kind not in ("Keypoint", "Keypoints") or skeleton not in facts.skeletons:
                continue
            for item in _items(sample[field], kind):
                name = item.get("label")
                if isinstance(name, str):
                    names, edges = facts.skeletons[skeleton], facts.edges[skeleton]
                    found.setdefault(name, Label(key=name, name=name, keypoints=names, skeleton=edges))
    return list(found.values())


def _items(value: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    listed = value.get(LISTS[kind]) if kind in LISTS else [value]
    return [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []


class FieldReader:
    """Takes the labels of one sample. ``size``: (width, height) of its image; ``folder``: where its files are."""

    def __init__(
        self, facts: Facts, size: tuple[int, int] | None, folder: str, key: str, context: ReadContext, report: Report
    ) -> None:
        self.facts, self.size, self.folder, self.key, self.context, self.report = facts, size, folder, key, context, report
        self.tags: list[Tag] = []
        self.objects: list[Annotation] = []
        self.looked = False

    def field(self, name: str, value: Mapping[str, Any], kind: str, layer: str | None, place: str) -> None:
        """Take all labels of a field."""
        self.looked |= kind not in ("Classification", "Classifications")
        for number, item in enumerate(_items(value, kind)):
            at = f"{place}.{name}[{number}]" if kind in LISTS else f"{place}.{name}"
            try:
                self._take(name, item, item.get("_cls", kind.removesuffix("s")), layer, at)
            except LabelglotError as error:
                self.report.problem(
                    "fiftyone.label", error.message, at, severity="error", key=self.key, raw=item, action="skipped"
                )

    def _take(self, field: str, item: dict[str, Any], kind: str, layer: str | None, place: str) -> None:
        label = None if item.get("label") is None else str(item["label"])
        attributes, extra = _attributes(item)
        score = item.get("confidence")
        if isinstance(score, list) or score is None:
            if score:
                extra["confidences"] = score
            score = None
        else:
            (score,) = numbers((score,))
        bag = {OWNER: extra} if extra else {}
        if kind == "Classification":
            if label is not None:
                self.tags.append(Tag(label=label, score=score, layer=layer, attributes=attributes, extra=bag))
            return
        if kind == "Segmentation":
            self.objects += self._segments(field, item, layer)
            return
        crowd = attributes.pop("iscrowd", None)
        if crowd is not None:
            attributes["crowd"] = bool(crowd)
        track = item.get("index")
        made = Annotation(
            label=label, score=score, track=track if type(track) is int else None, layer=layer, attributes=attributes, extra=bag
        )
        if kind == "Detection":
            self.objects.append(self._detection(made, item, place))
        elif kind == "Polyline":
            shapes = list(self._polyline(item))
            self.objects += [made.replace(shape=shape) for shape in shapes]
        elif kind == "Keypoint":
            self.objects.append(made.replace(**self._keypoint(field, item)))
        else:
            raise LabelglotError(f"a label of class {kind!r:.40} among others")

    def _detection(self, made: Annotation, item: dict[str, Any], place: str) -> Annotation:
        values = item.get("bounding_box")
        written = numbers(values if isinstance(values, list) else (), 4)
        box = BOXES.read_box(written, self.size)
        bitmap = self._bitmap(item)
        if bitmap is None:
            return made.replace(box=box)
        if self.size is None:
            self.report.problem("fiftyone.size", "a mask needs the size of the image, which is unknown", place, key=self.key, action="box read alone")
            return made.replace(box=box)
        x, y, w, h = written
        return made.replace(box=box, shape=on_image(bitmap, (x, y, w, h), self.size))

    def _bitmap(self, item: Mapping[str, Any]) -> Any:
        if item.get("mask") is not None:
            return unpack(item["mask"])
        path = item.get("mask_path")
        if not isinstance(path, str) or not path:
            return None
        name = path.replace("\\", "/")
        for candidate in (name, f"fields/{name.rpartition('/fields/')[2]}"):
            place = seen_from(self.folder, candidate)
            if place is not None and self.context.source.exists(place):
                return decode_gray(self.context.source.read(place))
        raise LabelglotError(f"the mask {path!r} is not there")

    def _polyline(self, item: Mapping[str, Any]) -> Iterator[Shape]:
        chains = item.get("points")
        if not isinstance(chains, list) or not chains or not all(isinstance(chain, list) for chain in chains):
            raise LabelglotError("the points of a polyline are no lists")
        rings = [self._ring(chain) for chain in chains]
        if not all(rings):
            raise LabelglotError("a polyline without points")
        if item.get("closed"):
            yield Polygon.of(*rings)
        else:
            yield from (Polyline(points=ring) for ring in rings)

    def _ring(self, points: Sequence[Any]) -> Ring:
        flat = [v for point in points for v in numbers(point if isinstance(point, list) else (), 2)]
        return BOXES.read_points(flat, self.size)

    def _keypoint(self, field: str, item: Mapping[str, Any]) -> dict[str, Any]:
        """Keypoints where there are names for them, else loose points. Points that are missing are not numbers."""
        points = item.get("points")
        if not isinstance(points, list) or not points:
            raise LabelglotError("keypoints without points")
        names = self.facts.skeletons.get(field, self.facts.skeletons.get(None))
        here = [isinstance(p, list) and len(p) >= 2 and all(type(v) in (int, float) and v == v for v in p[:2]) for p in points]
        ring = self._ring([p[:2] if known else [0, 0] for p, known in zip(points, here, strict=True)])
        if names is not None:
            return {"keypoints": Keypoints(points=ring, visibility=tuple(2 if known else 0 for known in here))}
        loose = tuple(v for i, known in enumerate(here) if known for v in ring[2 * i : 2 * i + 2])
        if not loose:
            raise LabelglotError("keypoints without points")
        return {"shape": Points(points=loose)}

    def _segments(self, field: str, item: Mapping[str, Any], layer: str | None) -> Iterator[Annotation]:
        """An object for each class of a semantic mask; 0 is background."""
        import numpy as np

        picture = self._bitmap(item)
        if picture is None or picture.ndim != 2 or picture.dtype.kind not in "biu":
            raise LabelglotError("the mask of a segmentation is no picture of numbers")
        names = self.facts.targets.get(field, self.facts.targets.get(None, {}))
        for value in np.unique(picture).tolist():
            if value:
                yield Annotation(label=names.get(int(value), str(int(value))), shape=of_value(picture, value), layer=layer)


def _attributes(item: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is said of an object besides, and what of it has no plain value."""
    said = {name: json.fields(v).get("value", v) for name, v in json.fields(item.get("attributes")).items()}
    said |= {name: value for name, value in item.items() if name not in _OBJECT and not name.startswith("_")}
    extra: dict[str, Any] = {"tags": item["tags"]} if item.get("tags") else {}
    kept: dict[str, Any] = {}
    for name, value in said.items():
        if isinstance(value, _SIMPLE):
            kept[name] = value
        elif isinstance(value, list) and value and all(isinstance(each, str) for each in value):
            kept[name] = tuple(value)
        elif value not in (None, [], {}):
            extra[name] = value
    return kept, extra
