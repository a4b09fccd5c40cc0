"""AutoML for Images of Azure Machine Learning: JSON Lines, the type of ``label`` tells the task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
from labelglot.plugin import (
    RELATIVE,
    ROLES,
    AddressOptions,
    AddressReadOptions,
    Annotation,
    Box,
    Holds,
    JsonLines,
    LabelglotError,
    LabelHolds,
    Match,
    Polygon,
    ReadContext,
    Report,
    Sample,
    Tag,
    TagHolds,
    WriteContext,
    decode_objects,
    numbers,
    split_role,
)
from labelglot.wire import json
from pydantic import Field

URI_ROOT = r"azureml://.*?/paths/"
"""Before the path in an address of the second version of the SDK; the first has ``AmlDatastore://store/path``."""
ENDING = "annotations"
CORNERS = ("topX", "topY", "bottomX", "bottomY")
FORMATS = ("jpg", "jpeg", "png", "jpe", "jfif", "bmp", "tif", "tiff")
SLACK = 1e-6
_YES = (True, 1, "1", "true", "True")

Number = float | str


class _Object(msgspec.Struct):
    label: str | None = None
    topX: Number | None = None
    topY: Number | None = None
    bottomX: Number | None = None
    bottomY: Number | None = None
    polygon: list[list[Number]] | None = None
    isCrowd: bool | int | str | None = None


class AzureMlJsonl(JsonLines):
    """Boxes or polygons of several parts, as fractions, or classes of whole images."""

    id = "azureml-jsonl"
    name = "Azure AutoML for Images JSONL"
    aliases = ("azure-automl-jsonl", "azureml-automl")
    url = "https://learn.microsoft.com/azure/machine-learning/reference-automl-images-schema"
    image_key = "image_url"
    holds = Holds(
        geometry=(frozenset({"box", "polygon"}),),
        boxes=RELATIVE,
        points=RELATIVE,
        polygon_holes=False,
        labels=LabelHolds(unused=False, order="appearance"),
        flags={"crowd": frozenset({"bool"})},
        defaults={"crowd": False},
        uri="location",
        uri_root=URI_ROOT,
        splits=ROLES,
        unlabelled=True,
        extra=frozenset({"azureml-jsonl"}),
    )

    class ReadOptions(AddressReadOptions):
        """How images are named."""

    class WriteOptions(AddressOptions):
        """What the lines are for."""

        task: Literal["objects", "detection", "segmentation", "multiclass", "multilabel"] = Field(
            default="objects",
            title="Task",
            description="objects: each as it is, box or polygon; detection: boxes; segmentation: polygons; multiclass: "
            "one class of the image; multilabel: its classes",
        )

    def holds_with(self, options: Any) -> Holds:
        holds: Holds = options.narrowed(self.holds)
        if options.task in ("multiclass", "multilabel"):
            many: Literal["one", "many"] = "one" if options.task == "multiclass" else "many"
            return holds.replace(geometry=(), tags=TagHolds(labels=many), unlabelled=False)
        kinds = {"detection": frozenset({"box"}), "segmentation": frozenset({"polygon"})}
        return holds.replace(geometry=(kinds[options.task],)) if options.task in kinds else holds

    def evidence(self, line: Mapping[str, Any]) -> Match | None:
        if not isinstance(line.get("image_url"), str) or "messages" in line:
            return None
        if isinstance(line.get("image_details"), dict) or line["image_url"].startswith(("azureml://", "AmlDatastore://")):
            return Match(0.95, "lines with image_url and the size of the image or a datastore")
        label = line.get("label")
        item = label[0] if isinstance(label, list) and label else label
        typed = isinstance(item, dict) and ("polygon" in item or "topX" in item)
        return Match(0.9, "image_url and label with fractions") if typed else Match(0.5, "image_url and label") if "label" in line else None

    def split_of(self, path: str) -> str | None:
        stem = path.rpartition("/")[2].rpartition(".")[0].removesuffix(f"_{ENDING}")
        return stem if split_role(stem) is not None else super().split_of(path)

    def document_path(self, split: str | None, context: WriteContext) -> str:
        return context.document(f"{split}_{ENDING}.jsonl" if split else f"{ENDING}.jsonl", per_split=True)

    def decode_line(
        self, line: dict[str, Any], sample: Sample, place: str, shared: Any, context: ReadContext, report: Report
    ) -> Sample | None:
        details, label = line.get("image_details"), line.get("label")
        known = [self.image_key, "label"]
        extra: dict[str, Any] = {}
        stated = None
        if isinstance(details, dict):
            known.append("image_details")
            stated = _size(details.get("width"), details.get("height"))
            more = json.rest(details, ("width", "height") if stated else ())
            if "format" in more and more["format"] == _format(sample.path):
                del more["format"]
            extra |= {"details": more} if more else {}
        elif details is not None:
            report.problem(f"{self.id}.details", "image_details is no object", place, key=sample.key, raw=details)
        size = self.fitting_size(stated, sample, place, report)
        listed = [label] if isinstance(label, str | dict) else label
        if listed is not None and not isinstance(listed, list):
            report.problem(
                f"{self.id}.label", "the label is neither text nor a list", place, severity="error", key=sample.key,
                raw=label, action="skipped",
            )  # fmt: skip
            listed = []
        items = [(f"{place}#label[{i}]", item) for i, item in enumerate(listed or ())]
        objects = [(where, item) for where, item in items if not isinstance(item, str)]
        if objects and len(objects) < len(items):
            report.problem(f"{self.id}.mixed", "classes of the image among objects", place, key=sample.key)

        def decode(item: tuple[str, Any]) -> Annotation:
            return self._object(item[1], size, item[0], sample.key, report)

        annotations = decode_objects(((p, (p, i)) for p, i in objects), decode, report, f"{self.id}.object", sample.key)
        rest = json.rest(line, known)
        extra |= {"fields": rest} if rest else {}
        return sample.replace(
            size=size, units="pixels" if size else "relative", extra={self.id: extra} if extra else {},
            tags=tuple(Tag(label=item) for _, item in items if isinstance(item, str)),
            annotations=None if listed is None else annotations,
        )  # fmt: skip

    def _object(self, item: Any, size: tuple[int, int] | None, place: str, key: str, report: Report) -> Annotation:
        try:
            found = msgspec.convert(item, _Object)
        except (msgspec.ValidationError, RecursionError) as error:
            raise LabelglotError(str(error)) from error
        box: Box | None = None
        shape = None
        corners = (found.topX, found.topY, found.bottomX, found.bottomY)
        seen: list[float] = []
        if any(corner is not None for corner in corners):
            x0, y0, x1, y1 = numbers(corners)
            seen += (x0, y0, x1, y1)
            box = RELATIVE.read_box((x0, y0, x1, y1), size)
        if found.polygon is not None:
            parts = []
            for number, ring in enumerate(found.polygon):
                flat = numbers(ring)
                if len(flat) < 6 or len(flat) % 2:
                    message = f"a polygon of {len(flat)} numbers, expected x, y of at least 3 points"
                    report.problem(f"{self.id}.polygon", message, f"{place}.polygon[{number}]", key=key, raw=ring, action="part left out")
                    continue
                seen += flat
                parts.append((RELATIVE.read_points(flat, size),))
            shape = Polygon(parts=tuple(parts)) if parts else None
        if box is None and shape is None:
            raise LabelglotError("it has neither corners nor a polygon")
        if min(seen) < -SLACK or max(seen) > 1 + SLACK:
            report.problem(f"{self.id}.outside", "an object leaves the image", place, key=key)
        if found.label is None:
            report.problem(f"{self.id}.class", "an object without label", place, key=key)
        extra = json.rest(item, ("label", "polygon", "isCrowd", *CORNERS))
        return Annotation(
            label=found.label, box=box, shape=shape, attributes={"crowd": True} if found.isCrowd in _YES else {},
            extra={self.id: extra} if extra else {},
        )  # fmt: skip

    def encode_line(self, sample: Sample, context: WriteContext, ordinal: int) -> Mapping[str, Any]:
        bag = sample.extra.get(self.id, {})
        line: dict[str, Any] = {self.image_key: context.options.address(sample)}
        details: dict[str, Any] = {}
        if (kind := _format(sample.path)) is not None:
            details["format"] = kind
        details |= bag.get("details", {})
        if sample.size is not None:
            details |= {"width": f"{sample.size[0]}px", "height": f"{sample.size[1]}px"}
        if details:
            line["image_details"] = details
        if context.options.task in ("multiclass", "multilabel"):
            names = [context.name(tag.label) for tag in sample.tags]
            line["label"] = names[0] if context.options.task == "multiclass" and names else names
        elif sample.annotations is not None:
            line["label"] = [self._encode(a, sample, context) for a in sample.annotations]
        return {**line, **bag.get("fields", {})}

    def _encode(self, a: Annotation, sample: Sample, context: WriteContext) -> Mapping[str, Any]:
        size = sample.size if sample.units == "pixels" else None
        made: dict[str, Any] = {"label": context.name(a.label)}
        if isinstance(a.shape, Polygon):
            made["polygon"] = [numbers(RELATIVE.write_points(part[0], size)) for part in a.shape.parts]
        elif a.box is not None:
            made |= zip(CORNERS, numbers(RELATIVE.write_box(a.box, size)), strict=True)
        return {**made, "isCrowd": int(a.attributes.get("crowd") is True), **a.extra.get(self.id, {})}


def _format(path: str) -> str | None:
    suffix = path.rpartition(".")[2].lower()
    return suffix if suffix in FORMATS else None


def _size(width: Any, height: Any) -> tuple[int, int] | None:
    """Sides as 400, 400.0, "400" or "400px"."""
    found: Sequence[float] = ()
    try:
        found = numbers(v.strip().removesuffix("px") if isinstance(v, str) else v for v in (width, height))
    except (LabelglotError, TypeError):
        return None
    return (int(found[0]), int(found[1])) if all(1 <= v < 1 << 31 for v in found) else None

