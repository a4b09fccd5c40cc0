"""Edge Impulse: all images with their boxes in ``info.labels``, and again in ``bounding_boxes.labels`` of each folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

import msgspec
from labelglot.errors import LabelglotError
from labelglot.plugin import (
    PIXELS_XYWH,
    TEXT,
    Annotation,
    Box,
    Content,
    Document,
    File,
    Holds,
    LabelHolds,
    Match,
    Naming,
    Options,
    Piece,
    Pieces,
    ReadContext,
    Report,
    Sample,
    Source,
    Tag,
    TagHolds,
    WriteContext,
    under,
)
from labelglot.wire import json
from pydantic import Field

INFO = "info.labels"
BOXES = "bounding_boxes.labels"
TYPE = "bounding-box-labels"
CATEGORIES = {"train": "training", "test": "testing", None: "split"}
SPLITS = {category: split for split, category in CATEGORIES.items()}
_WHOLE = PIXELS_XYWH.replace(integer=True, nonempty=True)
_KNOWN = ("path", "category", "label", "metadata", "boundingBoxes")
_BOX = ("label", "x", "y", "width", "height")


class _Box(msgspec.Struct):
    label: str | int | float
    x: float
    y: float
    width: float
    height: float


class Record(NamedTuple):
    """An image: its name, category if it has one, what ``info.labels`` says of it, and its boxes in the folder's file."""

    name: str
    category: str | None
    place: str
    entry: bytes | None
    boxes: bytes | None


class EdgeImpulse(Document):
    """Boxes in whole pixels, one class and texts per image; training and testing data."""

    id = "edge-impulse"
    name = "Edge Impulse labels"
    url = "https://docs.edgeimpulse.com/tools/specifications/data-annotation/object-detection"
    documents = (".labels",)
    separator = b",\n"
    holds = Holds(
        geometry=(frozenset({"box"}),), boxes=_WHOLE, size=False, splits=frozenset({"train", "test"}),
        labels=LabelHolds(names=r"(?s:.+)", unused=False, order="appearance"), tags=TagHolds(labels="one"),
        sample_attributes=TEXT, naming=Naming(scope="split"), extra=frozenset({"edge-impulse"}),
    )  # fmt: skip

    class ReadOptions(Options):
        """Where the class of an image is."""

        name_labels: bool = Field(
            False, title="Labels in names",
            description="the name of an image up to its first dot is its class, where nothing else is said",
        )  # fmt: skip

    def detect(self, source: Source) -> Match | None:
        for name in source.match("*.labels", "*.json")[:20]:
            head = json.peek(source.head(name, 1 << 14))
            if not isinstance(head, Mapping):
                continue
            if head.get("type") == TYPE or "boundingBoxes" in head:
                return Match(0.95, f"{name} holds boxes of Edge Impulse")
            files = head.get("files")
            first = files[0] if isinstance(files, list) and files else None
            if head.get("version") == 1 and isinstance(first, Mapping) and {"path", "category"} <= set(first):
                return Match(0.95, f"{name} lists files of Edge Impulse")
        return None

    def inputs(self, context: ReadContext) -> Sequence[tuple[str, str | None]]:
        source = context.source
        if source.focus is not None:
            return [(source.focus, None)]
        found = source.match(INFO) or source.match(BOXES)
        if not found:
            heads = ((name, json.peek(source.head(name, 1 << 14))) for name in source.match("*.labels", "*.json"))
            found = tuple(name for name, head in heads if isinstance(head, Mapping) and {"boundingBoxes", "files"} & set(head))
        return [(name, None) for name in found]

    def parse(self, data: bytes, path: str, context: ReadContext) -> Content:
        fields = json.load_fields(data, path)
        version = fields.get("version")
        if version is not None and bytes(version).strip() != b"1":
            message = f"version {bytes(version).decode('utf-8', 'replace')} is not known"
            context.report.problem(f"{self.id}.version", message, path, action="read like version 1")
        if "files" in fields:
            records = list(self._files(fields["files"], path, context))
        elif "boundingBoxes" in fields:
            records = list(self._boxes(fields["boundingBoxes"], path, context))
        else:
            raise LabelglotError("it lists neither files nor boundingBoxes", path)
        return Content(records, names=[record.name for record in records])

    def _files(self, data: msgspec.Raw, path: str, context: ReadContext) -> Iterator[Record]:
        """The images of ``info.labels``, each with what the file of its folder says."""
        folders: dict[str, Mapping[str, msgspec.Raw]] = {}
        base = path.rpartition("/")[0]
        for position, part in enumerate(json.load_parts(bytes(data), f"{path}#files")):
            place = f"{path}#files[{position}]"
            try:
                entry = json.load_fields(bytes(part), place)
                name = json.load(bytes(entry["path"]), place, str) if "path" in entry else ""
                category = json.load(bytes(entry["category"]), place) if "category" in entry else None
            except LabelglotError as error:
                self._skip(error.message, place, bytes(part), context.report)
                continue
            if not name:
                self._skip("the file has no path", place, bytes(part), context.report)
                continue
            folder, _, last = name.replace("\\", "/").rpartition("/")
            if context.source.focus is None and folder not in folders:
                folders[folder] = _of_folder(under(under(base, folder) if folder else base, BOXES), context)
            boxes = folders.get(folder, {}).get(last)
            if boxes is None and "/" in folder:
                top, _, inner = name.partition("/")
                if top not in folders:
                    folders[top] = _of_folder(under(under(base, top), BOXES), context)
                boxes = folders[top].get(inner)
            known = category if isinstance(category, str) else None
            yield Record(name, known, place, bytes(part), None if boxes is None else bytes(boxes))

    def _boxes(self, data: msgspec.Raw, path: str, context: ReadContext) -> Iterator[Record]:
        """The images of ``bounding_boxes.labels``, and those beside it that it does not name."""
        folder = path.rpartition("/")[0]
        last = folder.rpartition("/")[2]
        category = last if last in SPLITS else None
        names = json.load_fields(bytes(data), f"{path}#boundingBoxes")
        for name, boxes in names.items():
            if not name:
                self._skip("the image has no name", f"{path}#boundingBoxes", bytes(boxes), context.report)
                continue
            yield Record(name, category, f"{path}#boundingBoxes.{name}", None, bytes(boxes))
        if context.source.focus is None:
            bases = {name.replace("\\", "/").rpartition("/")[2] for name in names}
            start = under(folder, "")
            for image in context.images.paths:
                if image.startswith(start) and image.rpartition("/")[2] not in bases:
                    yield Record(image[len(start) :], category, path, None, None)

    def _skip(self, message: str, place: str, raw: bytes, report: Report) -> None:
        report.problem(
            f"{self.id}.file", message, place, severity="error", raw=raw.decode("utf-8", "replace"), action="skipped"
        )

    def decode(
        self, record: Record, path: str, split: str | None, shared: Any, context: ReadContext, report: Report
    ) -> Sample | None:
        folder = path.rpartition("/")[0]
        where = context.place(record.name, folder)
        in_category = record.category in SPLITS
        key = where.path
        if in_category:
            top = folder if folder.rpartition("/")[2] == record.category else under(folder, record.category or "")
            key = key.removeprefix(f"{top}/")
        found = SPLITS[record.category or "split"] if in_category else None
        entry: dict[str, Any] = {} if record.entry is None else json.load(record.entry, record.place, dict)
        annotations = self._annotations(entry, record, key, report)
        tags = self._tags(entry.get("label"), record, context.options)
        extra = json.rest(entry, _KNOWN)
        if record.category is not None and not in_category:
            message = f"the category {record.category!r} is neither training nor testing"
            report.problem(f"{self.id}.category", message, record.place, key=key, action="read as no split")
        return Sample(
            path=key, uri=where.uri, image=where.image, splits=(found,) if found else (), tags=tags,
            annotations=annotations, attributes=self._metadata(entry.get("metadata"), record, report),
            extra={self.id: extra} if extra else {},
        )  # fmt: skip

    def _annotations(self, entry: Mapping[str, Any], record: Record, key: str, report: Report) -> tuple[Annotation, ...]:
        own = entry.get("boundingBoxes")
        beside: Any = None if record.boxes is None else json.load(record.boxes, record.place)
        if own is not None and beside is not None and own != beside:
            message = f"{BOXES} has other boxes than {INFO}"
            report.problem(f"{self.id}.differ", message, record.place, key=key, action=f"those of {INFO} are taken")
        boxes = beside if own is None else own
        if boxes is None:
            return ()
        if not isinstance(boxes, list):
            report.problem(
                f"{self.id}.boxes", "the boxes are no list", record.place, severity="error", key=key, raw=boxes,
                action="skipped",
            )  # fmt: skip
            return ()
        found = []
        for position, item in enumerate(boxes):
            place = f"{record.place}.boundingBoxes[{position}]"
            box = json.load_item(item, _Box, place, report, f"{self.id}.box")
            if box is None:
                continue
            if not isfinite(box.x + box.y + box.width + box.height):
                report.problem(f"{self.id}.box", "a number is not finite", place, severity="error", key=key, action="skipped")
                continue
            extra = json.rest(item, _BOX)
            corners: Box = PIXELS_XYWH.read_box((box.x, box.y, box.width, box.height), None)
            label = str(box.label) or None
            found.append(Annotation(label=label, box=corners, extra={self.id: extra} if extra else {}))
        return tuple(found)

    def _tags(self, label: Any, record: Record, options: ReadOptions) -> tuple[Tag, ...]:
        names: list[Any] = []
        if isinstance(label, Mapping):
            listed = label.get("labels")
            names = [label.get("label")]
            names += [each.get("label") if isinstance(each, Mapping) else each for each in listed or ()] if isinstance(listed, list) else []
        elif options.name_labels:
            names = [record.name.rpartition("/")[2].partition(".")[0]]
        texts = (str(name) for name in names if isinstance(name, str | int | float) and name != "")
        return tuple(Tag(label=name) for name in dict.fromkeys(texts))

    def _metadata(self, metadata: Any, record: Record, report: Report) -> dict[str, Any]:
        if not isinstance(metadata, Mapping):
            return {}
        odd = [name for name, value in metadata.items() if not isinstance(value, str)]
        if odd:
            report.problem(f"{self.id}.metadata", f"{odd[0]} is no text", record.place, key=record.name, action="read as text")
        return {name: value if isinstance(value, str) else json.dump(value).decode() for name, value in metadata.items()}

    def document_path(self, split: str | None, context: WriteContext) -> str:
        return context.document(INFO)

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[Piece]:
        yield Piece(self.document_path(sample.split, context), self.encode_record(sample, context, ordinal))
        if context.single is None:
            yield Piece(_folder(sample), json.dump(sample.path) + b":" + json.dump(_spelled(sample, context)))

    def encode_record(self, sample: Sample, context: WriteContext, ordinal: int) -> bytes:
        label = next((context.name(tag.label) for tag in sample.tags if tag.label is not None), None)
        entry: dict[str, Any] = {
            "path": f"{_folder(sample)}/{sample.path}", "category": _folder(sample),
            "label": {"type": "unlabeled"} if label is None else {"type": "label", "label": label},
        }  # fmt: skip
        if sample.attributes:
            entry["metadata"] = sample.attributes
        return json.dump({**sample.extra.get(self.id, {}), **entry, "boundingBoxes": _spelled(sample, context)})

    def frame(self, split: str | None, context: WriteContext) -> tuple[bytes, bytes]:
        return b'{"version":1,"files":[\n', b"\n]}\n"

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        yield from super().assemble(context, pieces)
        if context.single is None:
            for folder in dict.fromkeys(CATEGORIES.get(split, "split") for split in context.splits or (None,)):
                yield File(under(folder, BOXES), _framed(pieces.stream(folder)))

    def image_path(self, sample: Sample, context: WriteContext) -> str | None:
        return under(_folder(sample), sample.path)


def _folder(sample: Sample) -> str:
    return CATEGORIES.get(sample.split, "split")


def _spelled(sample: Sample, context: WriteContext) -> list[dict[str, Any]]:
    """The boxes of a sample."""
    found = []
    for a in sample.annotations or ():
        numbers = map(int, _WHOLE.write_box(a.box, None)) if a.box is not None else ()
        box = dict(zip(_BOX, (context.name(a.label), *numbers), strict=False))
        found.append({**a.extra.get("edge-impulse", {}), **box})
    return found


def _framed(stream: Iterator[bytes]) -> Iterator[bytes]:
    yield b'{"version":1,"type":"' + TYPE.encode() + b'","boundingBoxes":{\n'
    yield from stream
    yield b"\n}}\n"


def _of_folder(path: str, context: ReadContext) -> Mapping[str, msgspec.Raw]:
    """The boxes by image in the file of a folder; none if there is no such file."""
    if not context.source.exists(path):
        return {}
    try:
        fields = json.load_fields(context.source.read(path), path)
        return json.load_fields(bytes(fields.get("boundingBoxes", b"{}")), f"{path}#boundingBoxes")
    except LabelglotError as error:
        context.report.problem("edge-impulse.document", error.message, error.place or path, severity="error", action="skipped")
        return {}


__all__ = ["EdgeImpulse"]
