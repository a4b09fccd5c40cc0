"""Import and export files of Vertex AI image datasets, JSON Lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any, Literal

import msgspec
from labelglot.plugin import (
    RELATIVE,
    TEXT,
    AddressOptions,
    AddressReadOptions,
    Annotation,
    Holds,
    JsonLines,
    LabelglotError,
    LabelHolds,
    Match,
    Problem,
    ReadContext,
    Report,
    Sample,
    Tag,
    TagHolds,
    WriteContext,
)
from labelglot.wire import json
from pydantic import Field

from labelglot_google_cloud.splits import SPLITS, is_use, use_of

USE = "aiplatform.googleapis.com/ml_use"
USES = {"train": "training", "val": "validation", "test": "test"}
SINGLE, MANY, BOXES = "classificationAnnotation", "classificationAnnotations", "boundingBoxAnnotations"
LISTS = (SINGLE, MANY, BOXES)
CORNERS = ("xMin", "yMin", "xMax", "yMax")
LEAST, LEAST_PIXELS, MOST = 0.01, 8, 500


class _Box(msgspec.Struct):
    """Corners may be text, and are left out where they are 0."""

    displayName: str | None = None
    xMin: float | str = 0.0
    yMin: float | str = 0.0
    xMax: float | str = 0.0
    yMax: float | str = 0.0
    annotationResourceLabels: dict[str, str] | None = None


class _Class(msgspec.Struct):
    displayName: str
    annotationResourceLabels: dict[str, str] | None = None


class VertexAiJsonl(JsonLines):
    """Boxes as fractions or classes of images, each with labels of their own (``annotationResourceLabels``)."""

    id = "vertex-ai-jsonl"
    name = "Google Vertex AI JSON Lines"
    aliases = ("vertex-jsonl",)
    url = "https://cloud.google.com/vertex-ai/docs/image-data/object-detection/prepare-data"
    image_key = "imageGcsUri"
    holds = Holds(
        geometry=(frozenset({"box"}),),
        boxes=RELATIVE,
        labels=LabelHolds(unused=False, order="appearance"),
        attributes=TEXT,
        tags=TagHolds(attributes=TEXT),
        size=False,
        uri="location",
        splits=SPLITS,
        sample_attributes=TEXT,
        unlabelled=True,
        extra=frozenset({"vertex-ai-jsonl"}),
    )

    class ReadOptions(AddressReadOptions):
        """How images are named."""

    class WriteOptions(AddressOptions):
        """How classes of images are written."""

        classes: Literal["multi", "single"] = Field(
            default="multi", title="Classes of images", description="multi: a list of classes; single: one class"
        )

    def holds_with(self, options: Any) -> Holds:
        one = TagHolds(labels="one", attributes=TEXT)
        holds: Holds = options.narrowed(self.holds)
        return holds if options.classes == "multi" else holds.replace(tags=one)

    def split_of(self, path: str) -> str | None:
        return None

    def document_path(self, split: str | None, context: WriteContext) -> str:
        return context.document("annotations.jsonl")

    def evidence(self, line: Mapping[str, Any]) -> Match | None:
        return Match(0.95, "lines with imageGcsUri") if isinstance(line.get(self.image_key), str) else None

    def decode_line(
        self, line: dict[str, Any], sample: Sample, place: str, shared: Any, context: ReadContext, report: Report
    ) -> Sample | None:
        tags: list[Tag] = []
        annotations: list[Annotation] | None = None
        extra: dict[str, Any] = {}
        known = [self.image_key]
        for field in LISTS:
            if field not in line:
                continue
            single = isinstance(line[field], dict) and field == SINGLE
            items = [line[field]] if single else line[field]
            if not isinstance(items, list):
                report.problem(
                    f"{self.id}.list", f"{field} is no list", f"{place}#{field}", severity="error", key=sample.key,
                    raw=items, action="skipped",
                )  # fmt: skip
                continue
            known.append(field)
            extra |= {"single": True} if single else {}
            places = [f"{place}#{field}" if single else f"{place}#{field}[{i}]" for i in range(len(items))]
            if field == BOXES:
                boxes = (self._box(item, p, sample.key, report) for item, p in zip(items, places, strict=True))
                annotations = [a for a in boxes if a is not None]
            else:
                classes = (self._class(item, p, report) for item, p in zip(items, places, strict=True))
                tags += [tag for tag in classes if tag is not None]
        labels = line.get("dataItemResourceLabels")
        attributes: dict[str, Any] = {}
        splits = sample.splits
        if isinstance(labels, dict):
            known.append("dataItemResourceLabels")
            attributes = {name: value for name, value in labels.items() if isinstance(value, str)}
            use = attributes.pop(USE, "")
            splits = (known_use,) if (known_use := use_of(use)) else splits
            if not is_use(use):
                report.problem(f"{self.id}.split", f"{use!r} is no use of an image", place, key=sample.key)
                attributes[USE] = use
            rest = {name: value for name, value in labels.items() if not isinstance(value, str)}
            extra |= {"resources": rest} if rest else {}
        rest = json.rest(line, known)
        extra |= {"fields": rest} if rest else {}
        return sample.replace(
            units="relative", tags=tuple(tags), annotations=None if annotations is None else tuple(annotations),
            attributes=attributes, splits=splits, extra={self.id: extra} if extra else {},
        )  # fmt: skip

    def _class(self, item: Any, place: str, report: Report) -> Tag | None:
        found = json.load_item(item, _Class, place, report, f"{self.id}.annotation")
        if found is None:
            return None
        extra = json.rest(item, ("displayName", "annotationResourceLabels"))
        attributes: dict[str, Any] = dict(found.annotationResourceLabels or {})
        return Tag(label=found.displayName, attributes=attributes, extra={self.id: extra} if extra else {})

    def _box(self, item: Any, place: str, key: str, report: Report) -> Annotation | None:
        found = json.load_item(item, _Box, place, report, f"{self.id}.annotation")
        if found is None:
            return None
        try:
            box = (float(found.xMin), float(found.yMin), float(found.xMax), float(found.yMax))
        except ValueError:
            box = (float("nan"),) * 4
        if not all(map(isfinite, box)):
            report.problem(
                f"{self.id}.number", "a coordinate is no finite number", place, severity="error", key=key, raw=item,
                action="skipped",
            )  # fmt: skip
            return None
        if found.displayName is None:
            report.problem(f"{self.id}.class", "a box without displayName", place, key=key)
        extra = json.rest(item, ("displayName", "annotationResourceLabels", *CORNERS))
        return Annotation(
            label=found.displayName, box=box, attributes=dict(found.annotationResourceLabels or {}),
            extra={self.id: extra} if extra else {},
        )  # fmt: skip

    def warnings(self, sample: Sample, context: WriteContext) -> Iterable[Problem]:
        def refused(message: str, position: int | None = None) -> Problem:
            return Problem(f"{self.id}.refused", message, key=sample.key, object=position, action="written as it is")

        if len(sample.annotations or ()) > MOST:
            yield refused(f"the service takes {MOST} boxes of an image")
        width, height = sample.size or (None, None)
        for position, a in enumerate(sample.annotations or ()):
            x0, y0, x1, y1 = _fractions(a, sample)
            pixels = min((x1 - x0) * (width or 1e9), (y1 - y0) * (height or 1e9))
            if min(x1 - x0, y1 - y0) < LEAST or pixels < LEAST_PIXELS:
                yield refused(f"the service drops boxes under {LEAST_PIXELS} pixels or 1 % of a side", position)

    def encode_line(self, sample: Sample, context: WriteContext, ordinal: int) -> Mapping[str, Any]:
        line: dict[str, Any] = {self.image_key: context.options.address(sample)}
        bag = sample.extra.get(self.id, {})
        if sample.tags:
            classes = [
                {**t.extra.get(self.id, {}), **_resources(t.attributes), "displayName": context.name(t.label)} for t in sample.tags
            ]
            if len(classes) == 1 and (bag.get("single") or context.options.classes == "single"):
                line[SINGLE] = classes[0]
            else:
                line[MANY] = classes
        if sample.annotations is not None:
            line[BOXES] = [self._encode_box(a, sample, context) for a in sample.annotations]
        resources = {**bag.get("resources", {}), **sample.attributes, **({USE: USES[sample.split]} if sample.split else {})}
        if resources:
            line["dataItemResourceLabels"] = resources
        return {**bag.get("fields", {}), **line}

    def _encode_box(self, a: Annotation, sample: Sample, context: WriteContext) -> Mapping[str, Any]:
        named = {"displayName": context.name(a.label), **dict(zip(CORNERS, _fractions(a, sample), strict=True))}
        return {**a.extra.get(self.id, {}), **named, **_resources(a.attributes)}


def _resources(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"annotationResourceLabels": attributes} if attributes else {}


def _fractions(a: Annotation, sample: Sample) -> tuple[float, float, float, float]:
    box = RELATIVE.write_box(a.box or (0.0, 0.0, 0.0, 0.0), sample.size if sample.units == "pixels" else None)
    if not all(map(isfinite, box)):
        raise LabelglotError("a coordinate is not finite")
    return box
