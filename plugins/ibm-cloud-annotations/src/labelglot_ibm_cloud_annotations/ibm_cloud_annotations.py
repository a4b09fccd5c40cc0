"""IBM Cloud Annotations: one JSON beside the images, with corners as fractions, or with classes of whole images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, Literal, NamedTuple

import msgspec
from labelglot.plugin import (
    Annotation,
    Content,
    Convention,
    Dataset,
    Document,
    Holds,
    Info,
    LabelglotError,
    LabelHolds,
    Match,
    Naming,
    Options,
    ReadContext,
    Records,
    Report,
    Sample,
    Source,
    Tag,
    TagHolds,
    WriteContext,
    make_labels,
)
from labelglot.wire import json
from pydantic import Field

DOCUMENT = "_annotations.json"
VERSION = "1.0"
KINDS = ("localization", "classification")
NO_LABEL = ("unlabeled", "Untitled Label")
"""What the tool calls a box whose class was not chosen."""
BOX = ("x", "y", "x2", "y2")
GRID = 1e12
"""Steps per image size in which fractions are written: free of the noise of dividing."""


class _Box(msgspec.Struct):
    x: float
    y: float
    x2: float
    y2: float
    label: str | None = None
    id: str | int | None = None


class Record(NamedTuple):
    """One image with its entries, encoded. Without entries at all: an image beside the document that is not listed."""

    name: str
    folder: str
    data: bytes | None


class IbmCloudAnnotations(Document):
    """Boxes with a class, or classes of images; one file is about one of the two."""

    id = "ibm-cloud-annotations"
    name = "IBM Cloud Annotations"
    aliases = ("cacli",)
    url = "https://github.com/cloud-annotations/cloud-annotations"
    holds = Holds(
        geometry=(frozenset({"box"}),),
        boxes=Convention(unit="relative", ordered=True),
        labels=LabelHolds(required=False, names=rf"(?!(?:{'|'.join(NO_LABEL)})$)(?s:.+)"),
        ids="str",
        size=False,
        naming=Naming(folders=False),
        extra=frozenset({"ibm-cloud-annotations"}),
    )

    class WriteOptions(Options):
        """What the file is about."""

        type: Literal["localization", "classification"] = Field(
            default="localization",
            title="Type",
            description="localization: boxes; classification: the classes of each image",
        )

    def holds_with(self, options: Any) -> Holds:
        if options.type == "classification":
            return self.holds.replace(geometry=(), tags=TagHolds())
        return self.holds

    def detect(self, source: Source) -> Match | None:
        for name in source.match("*.json")[:20]:
            confidence = _confidence(json.peek(source.head(name, 1 << 14)))
            if confidence:
                return Match(confidence, f"{name} maps images to boxes in fractions, or to labels")
        return None

    def inputs(self, context: ReadContext) -> Sequence[tuple[str, str | None]]:
        names = context.source.match("*.json")
        found = [name for name in names if _confidence(json.peek(context.source.head(name, 1 << 14)))]
        return [(name, None) for name in found or names]

    def parse(self, data: bytes, path: str, context: ReadContext) -> Content:
        fields = json.load_fields(data, path)
        if "annotations" not in fields:
            raise LabelglotError("it has no annotations", path)
        images = json.load_fields(bytes(fields["annotations"]), f"{path}#annotations")
        folder = path.rpartition("/")[0]
        records = [Record(name, folder, bytes(raw)) for name, raw in images.items()]
        names = json.load_items(fields.get("labels"), str, f"{path}#labels", context.report, f"{self.id}.label")
        labels = dict.fromkeys(name for name in names if name is not None and name not in NO_LABEL)
        extra = json.rest(fields, ("labels", "annotations", "type"))
        if extra.get("version") == VERSION:
            del extra["version"]
        info = Info(extra={self.id: extra} if extra else {})
        return Content(records, make_labels(labels), info, names=[record.name for record in records])

    def read(self, context: ReadContext) -> Dataset:
        dataset = super().read(context).replace(labels_complete=False)
        listed = dataset.samples
        if context.source.focus is not None or not isinstance(listed, Records):
            return dataset
        records = [record for _, record in listed.records]
        known = {context.place(record.name, record.folder).image for record in records if record.name}
        folders = {path.rpartition("/")[0] for path, _ in self.inputs(context)}
        further = [
            (0, Record(path, "", None))
            for path in context.images.paths
            if path.rpartition("/")[0] in folders and context.image(path) not in known
        ]
        return dataset.replace(samples=Records([*listed.records, *further], listed.decode))

    def decode(
        self, record: Record, path: str, split: str | None, shared: Any, context: ReadContext, report: Report
    ) -> Sample | None:
        if record.data is None:
            return Sample(path=record.name, image=context.image(record.name))
        place = f"{path}#annotations.{record.name}"
        where = context.place(record.name, record.folder)
        if where.image is None and context.images.paths:
            report.problem(f"{self.id}.missing", f"{record.name} is not among the images", place, key=where.path)
        entries: Any = json.load(record.data, place)
        if entries is not None and not isinstance(entries, list):
            report.problem(
                f"{self.id}.entries", "the entries are no list", place, severity="error", key=where.path, raw=entries,
                action="skipped",
            )  # fmt: skip
        tags: list[Tag] = []
        annotations: list[Annotation] = []
        for position, entry in enumerate(entries if isinstance(entries, list) else ()):
            if isinstance(entry, dict) and "label" in entry and not any(name in entry for name in BOX):
                tags.append(Tag(label=str(entry["label"])))
                continue
            annotation = _annotation(entry, f"{place}[{position}]", where.path, report)
            if annotation is not None:
                annotations.append(annotation)
        return Sample(
            path=where.path, uri=where.uri, image=where.image, units="relative", tags=tuple(tags),
            annotations=tuple(annotations),
        )  # fmt: skip

    def document_path(self, split: str | None, context: WriteContext) -> str:
        return context.document(DOCUMENT)

    def frame(self, split: str | None, context: WriteContext) -> tuple[bytes, bytes]:
        head = {
            "version": VERSION, "type": context.options.type, "labels": [label.name for label in context.labels],
            **context.info.extra.get(self.id, {}),
        }  # fmt: skip
        return json.dump(head)[:-1] + b',"annotations":{', b"}}\n"

    def encode_record(self, sample: Sample, context: WriteContext, ordinal: int) -> bytes:
        entries: list[dict[str, Any]]
        if context.options.type == "classification":
            entries = [{"label": context.name(tag.label)} for tag in sample.tags]
        else:
            width, height = sample.size if sample.units == "pixels" and sample.size is not None else (1, 1)
            entries = [_entry(a, width, height, context) for a in sample.annotations or ()]
        return json.dump(sample.path) + b":" + json.dump(entries)


def _annotation(entry: Any, place: str, key: str, report: Report) -> Annotation | None:
    owner = IbmCloudAnnotations.id
    found = json.load_item(entry, _Box, place, report, f"{owner}.entry")
    if found is None:
        return None
    box = (min(found.x, found.x2), min(found.y, found.y2), max(found.x, found.x2), max(found.y, found.y2))
    if not all(map(isfinite, box)):
        report.problem(
            f"{owner}.number", "a coordinate is not finite", place, severity="error", key=key, raw=entry,
            action="skipped",
        )  # fmt: skip
        return None
    extra = json.rest(entry, (*BOX, "label", "id"))
    label = found.label
    if label in NO_LABEL:
        extra |= {"label": label} if label != NO_LABEL[0] else {}
        label = None
    return Annotation(
        label=label, box=box, id=None if found.id is None else str(found.id), extra={owner: extra} if extra else {}
    )


def _entry(annotation: Annotation, width: int, height: int, context: WriteContext) -> dict[str, Any]:
    x0, y0, x1, y1 = annotation.box or (0.0, 0.0, 0.0, 0.0)
    corners = (x0 / width, y0 / height, x1 / width, y1 / height)
    if not all(isfinite(v * GRID) for v in corners):
        raise LabelglotError("a coordinate is not finite")
    extra: Mapping[str, Any] = annotation.extra.get(IbmCloudAnnotations.id, {})
    return {
        **({} if annotation.id is None else {"id": annotation.id}),
        **dict(zip(BOX, (round(v * GRID) / GRID for v in corners), strict=True)),
        "label": context.name(annotation.label, NO_LABEL[0]),
        **(extra if annotation.label is None else {k: v for k, v in extra.items() if k != "label"}),
    }


def _confidence(value: Any) -> float:
    """How much the beginning of a document looks like this format."""
    images = value.get("annotations") if isinstance(value, dict) else None
    if not isinstance(value, dict) or (images is not None and not isinstance(images, dict)):
        return 0.0
    if value.get("type") in KINDS and "labels" in value:
        return 0.95
    entries = [entry for listed in (images or {}).values() if isinstance(listed, list) for entry in listed]
    return 0.8 if any(isinstance(entry, dict) and {"x", "x2"} <= entry.keys() for entry in entries) else 0.0
