"""FiftyOne exports. Written is the simple one, ``labels.json`` beside ``data/``; the full one (``samples.json``) is read too.

Simple: ``{"classes": [...], "labels": {"<image without suffix>": [detections]}}``, boxes as fractions of the image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec
from labelglot.images import SourceImage, is_image
from labelglot.plugin import (
    ANY_VALUE,
    Annotation,
    Content,
    Dataset,
    Document,
    Holds,
    Info,
    Label,
    LabelglotError,
    LabelHolds,
    Match,
    Naming,
    Options,
    ReadContext,
    Report,
    Sample,
    Source,
    Tag,
    TagHolds,
    WriteContext,
    image_size,
    image_stem,
    make_labels,
    numbers,
    set_apart,
    split_role,
    under,
    with_suffix,
)
from labelglot.storage import clean_foreign
from labelglot.wire import json
from pydantic import Field

from labelglot_fiftyone.arrays import plain
from labelglot_fiftyone.full import BOXES, OWNER, Facts, FieldReader, chosen, fields_of, posed, read_facts

HEAD = 1 << 16
FULL = "fiftyone-full"
"""Owner of what only the full export has a place for."""
DATA, DOCUMENT = "data", "labels.json"
_DETECTION = ("label", "bounding_box", "confidence", "attributes")
_SAMPLE = ("_id", "filepath", "tags", "metadata", "_media_type", "_rand", "_dataset_id", "id", "created_at", "last_modified_at", "_cls")


class _Item(msgspec.Struct, gc=False):
    """What must be right about an object of the simple export for it to be read."""

    label: int | str | None = None
    bounding_box: list[float] | None = None
    confidence: float | None = None
    attributes: dict[str, Any] | None = None


class _File(msgspec.Struct):
    filepath: str


class Record(NamedTuple):
    """An image. ``raw``: what is said of it, encoded (``None``: nothing); ``image``: its file in the source, in a full
    export the name it is given.
    """

    key: str
    path: str
    raw: bytes | None
    image: str | None = None
    uri: str | None = None
    sequence: str | None = None


class Full(NamedTuple):
    """What decoding the samples of a full export needs. ``fields``: those to read, ``None``: all."""

    facts: Facts
    fields: tuple[str, ...] | None


class FiftyOne(Document):
    """Detections or classes of images; of the full export also polygons, masks, keypoints and semantic masks."""

    id = "fiftyone"
    name = "FiftyOne dataset export"
    aliases = ("fiftyone-dataset", "fiftyone-image-detection")
    url = "https://docs.voxel51.com/user_guide/export_datasets.html"
    holds = Holds(
        geometry=(frozenset({"box"}),),
        boxes=BOXES,
        labels=LabelHolds(ids="index", duplicates=True),
        attributes=ANY_VALUE,
        score=True,
        size=False,
        unlabelled=True,
        naming=Naming(unique="stem", suffix=False),
        extra=frozenset({OWNER}),
    )

    class ReadOptions(Options):
        """Which label sets are read."""

        label_field: str = Field(
            "", title="Label field",
            description="which field of a full export to read; default: ground_truth, else all; *: all (several: as layers)",
        )  # fmt: skip

    class WriteOptions(Options):
        """For which task."""

        task: Literal["detection", "classification"] = Field(
            "detection", title="Task", description="detection: boxes; classification: the classes of the image as a whole"
        )

    def holds_with(self, options: Any) -> Holds:
        if options.task == "detection":
            return self.holds
        return self.holds.replace(geometry=(), tags=TagHolds(score=True, attributes=ANY_VALUE))

    def detect(self, source: Source) -> Match | None:
        for path in source.match("*.json")[:20]:
            match = _evidence(path, json.peek(source.head(path, HEAD)))
            if match is not None:
                return match
        return None

    def inputs(self, context: ReadContext) -> Sequence[tuple[str, str | None]]:
        source = context.source
        names = [source.focus] if source.focus is not None else source.match("*.json")
        found = [p for p in names if p.rpartition("/")[2] != "metadata.json" and _evidence(p, json.peek(source.head(p, HEAD)))]
        named = [path for path in names if path.rpartition("/")[2] in (DOCUMENT, "samples.json")]
        return [(path, None) for path in found or named or names]

    def read(self, context: ReadContext) -> Dataset:
        return super().read(context).replace(labels_complete=False)

    def folders(self, path: str, split: str | None) -> Sequence[str]:
        return (under(_root(path), DATA),)

    def parse(self, data: bytes, path: str, context: ReadContext) -> Content:
        top = json.load_fields(data, path)
        if "samples" in top or "filepath" in top:
            return self._full(top, data, path, context)
        if "labels" not in top:
            raise LabelglotError("it has neither labels nor samples", path)
        listed = json.load_fields(bytes(top["labels"]), f"{path}#labels")
        classes = json.load(bytes(top["classes"]), f"{path}#classes") if "classes" in top else None
        names = [str(name) for name in classes] if isinstance(classes, list) else None
        labels = None if names is None else [Label(key=name, name=name, id=i) for i, name in enumerate(names)]
        images = _Images(_root(path), context)
        records = [images.record(key, bytes(raw), path, context) for key, raw in listed.items()]
        records += images.unlisted() if context.source.focus is None else []
        rest = {name: value for name, value in json.rest(top, ("classes", "labels")).items() if value is not None}
        info = Info(extra={OWNER: rest}) if rest else None
        table = None if labels is None else make_labels(labels)
        keys = None if table is None else tuple(label.key for label in table)
        return Content([r for r in records if r is not None], table, info, shared=keys)

    def _full(self, top: dict[str, msgspec.Raw], data: bytes, path: str, context: ReadContext) -> Content:
        listed = [bytes(part) for part in json.load_parts(bytes(top["samples"]), f"{path}#samples")] if "samples" in top else [data]
        root = _root(path)
        facts = read_facts(under(root, "metadata.json"), context)
        records: list[Record] = []
        taken: set[str] = set()
        frames = _frames(under(root, "frames.json"), context)
        for position, raw in enumerate(listed):
            place = f"{path}#samples[{position}]"
            if frames and (moments := _moments(raw, place, frames)):
                records += (r._replace(path=set_apart(r.path, taken)) for r in moments)
                continue
            found = json.load_item(raw, _File, place, context.report, "fiftyone.sample")
            name = next(iter(clean_foreign(found.filepath.removeprefix(f"{DATA}/"))), None) if found is not None else None
            if found is None or name is None:
                if found is not None:
                    message = f"{found.filepath!r} names no image"
                    context.report.problem("fiftyone.sample", message, place, severity="error", action="skipped")
                continue
            records.append(Record(place, set_apart(name, taken), raw, found.filepath))
        poses = {label.name: label for label in posed([r.raw or b"" for r in records], facts)}
        labels = [poses.get(name, Label(key=name, name=name)) for name in dict.fromkeys((*facts.classes, *poses))]
        said: dict[str, Any] = {n: text for n in ("name", "description") if isinstance(text := facts.info.get(n), str)}
        shared = Full(facts, chosen([r.raw or b"" for r in records], facts, context.options.label_field))
        names = [str(r.image) for r in records]
        return Content(records, labels, Info(**said) if said else None, shared=shared, names=names)

    def decode(
        self, record: Record, path: str, split: str | None, shared: Any, context: ReadContext, report: Report
    ) -> Sample | None:
        if isinstance(shared, Full):
            return self._sample(record, path, shared, context, report)
        image = None if record.image is None else SourceImage(context.source, record.image)
        size = None if image is None else image_size(image)
        reader = _Reader(shared, size, record.path, report)
        place = f"{path}#labels.{record.key}"
        if record.raw is not None:
            reader.entry(json.load(record.raw, place), place)
        return Sample(
            path=record.path, image=image, uri=record.uri, size=size, units="pixels" if size is not None else "relative",
            tags=tuple(reader.tags), annotations=None if reader.objects is None else tuple(reader.objects),
            extra={OWNER: {"temporal": reader.temporal}} if reader.temporal else {},
        )  # fmt: skip

    def _sample(self, record: Record, path: str, shared: Full, context: ReadContext, report: Report) -> Sample:
        values: dict[str, Any] = plain(json.load(record.raw or b"{}", record.key, dict))
        found = context.place(str(record.image), path.rpartition("/")[0], self.folders(path, None))
        about = json.fields(values.get("metadata"))
        size = json.size(about) or (image_size(found.image) if found.image is not None else None)
        reader = FieldReader(shared.facts, size, _root(path), record.path, context, report)
        fields = fields_of(values)
        wanted = tuple(fields) if shared.fields is None else shared.fields
        left = [name for name in fields if name not in wanted]
        if left:
            report.problem(
                "fiftyone.field", f"the fields {', '.join(sorted(left))} are not read", record.key, severity="info", key=record.path,
                action="choose with --from-option label_field=NAME, or * for all",
            )  # fmt: skip
        for name in wanted:
            if name in fields:
                layer = name if shared.fields is None and len(fields) > 1 else None
                reader.field(name, values[name], fields[name], layer, record.key)
        attributes: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        for name, value in values.items():
            if name in _SAMPLE or name in fields or name.startswith("_") or value in (None, [], {}):
                continue
            if isinstance(value, bool | int | float | str):
                attributes[name] = value
            elif isinstance(value, list) and all(isinstance(each, str) for each in value):
                attributes[name] = tuple(value)
            else:
                extra[name] = value
        tags = [str(tag) for tag in values.get("tags") or ()] if isinstance(values.get("tags"), list) else []
        splits = tuple(dict.fromkeys(tag for tag in tags if split_role(tag) is not None))
        others = tuple(tag for tag in tags if tag not in splits)
        if others:
            attributes["tags"] = others
        id_, number = values.get("_id"), attributes.pop("frame_number", None) if record.sequence is not None else None
        return Sample(
            path=record.path, id=id_ if isinstance(id_, str) else None, uri=found.uri, image=found.image, size=size,
            units="pixels" if size is not None else "relative", splits=splits, tags=tuple(reader.tags),
            annotations=tuple(reader.objects) if reader.looked else None, attributes=attributes,
            sequence=record.sequence, frame=number - 1 if type(number) is int else None,
            extra={FULL: extra} if extra else {},
        )  # fmt: skip

    def document_path(self, split: str | None, context: WriteContext) -> str:
        return context.document(DOCUMENT)

    def image_path(self, sample: Sample, context: WriteContext) -> str | None:
        return f"{DATA}/{sample.path}"

    def frame(self, split: str | None, context: WriteContext) -> tuple[bytes, bytes]:
        about = {"classes": [label.name for label in context.labels], **context.info.extra.get(OWNER, {})}
        return json.dump(about)[:-1] + b',"labels":{\n', b"\n}}\n"

    separator = b",\n"

    def encode_record(self, sample: Sample, context: WriteContext, ordinal: int) -> bytes:
        stored = context.images and sample.image is not None and is_image(sample.path)
        key = image_stem(sample.path) if stored else sample.path
        items: Any
        if context.options.task == "classification":
            items = [_write_tag(tag, context) for tag in sample.tags]
            items = items[0] if len(items) == 1 else items or None
        else:
            size = sample.size if sample.units == "pixels" else None
            items = None if sample.annotations is None else [_write(a, size, context) for a in sample.annotations]
        temporal = sample.extra.get(OWNER, {}).get("temporal")
        if temporal:
            items = [*(items if isinstance(items, list) else [] if items is None else [items]), *temporal]
        return json.dump(key) + b":" + json.dump(items)


class _Images:
    """The images of the simple export by their names without suffix, and those that nothing is said of."""

    def __init__(self, root: str, context: ReadContext) -> None:
        folder = under(root, f"{DATA}/")
        self.paths = {path: None for path in context.images.paths if path.startswith(folder)}
        self.folder, self.used, self.taken = folder, set[str](), set[str]()
        self.stems: dict[str, list[str]] = {}
        for path in self.paths:
            self.stems.setdefault(image_stem(path[len(folder) :]), []).append(path)
        manifest = under(root, "data.json")
        listed = json.load(context.source.read(manifest), manifest) if context.source.exists(manifest) else None
        self.manifest = {name: place for name, place in json.fields(listed).items() if isinstance(place, str)}

    def record(self, key: str, raw: bytes, path: str, context: ReadContext) -> Record | None:
        """What is said of the image called ``key``; ``None`` if that names nothing."""
        name = next(iter(clean_foreign(key)), None)
        if name is None:
            context.report.problem(
                "fiftyone.image", f"{key!r} names no image", f"{path}#labels", severity="error", action="skipped"
            )
            return None
        found = [f"{self.folder}{name}"] if f"{self.folder}{name}" in self.paths else self.stems.get(name, [])
        if len(found) == 1 and found[0] not in self.used:
            self.used.add(found[0])
            identity = set_apart(found[0][len(self.folder) :], self.taken)
            return Record(key, identity, raw, found[0], key if name != key else None)
        if len(found) > 1:
            context.report.problem("fiftyone.image", f"several images are called {name!r}", f"{path}#labels", action="read without image")
        uri = self.manifest.get(key, key if name != key else None)
        ending = "" if uri is None or is_image(name) or not is_image(uri) else uri[len(with_suffix(uri, "")) :]
        return Record(key, set_apart(name + ending, self.taken), raw, None, uri)

    def unlisted(self) -> list[Record]:
        """The images that have no entry: nobody looked at them."""
        ambiguous = {path for paths in self.stems.values() if len(paths) > 1 for path in paths}
        left = (path for path in self.paths if path not in self.used and path not in ambiguous)
        return [Record(path, set_apart(path[len(self.folder) :], self.taken), None, path) for path in left]


class _Reader:
    """Takes what the simple export says of one image. ``keys``: those of the classes, in order."""

    def __init__(self, keys: Sequence[str] | None, size: tuple[int, int] | None, key: str, report: Report) -> None:
        self.keys, self.size, self.key, self.report = keys, size, key, report
        self.objects: list[Annotation] | None = None
        self.tags: list[Tag] = []
        self.temporal: list[Any] = []

    def entry(self, value: Any, place: str) -> None:
        """Take a list of detections or classes, or one class."""
        if isinstance(value, list):
            for number, item in enumerate(value):
                self._item(item, f"{place}[{number}]")
            if not self.tags and not self.temporal:
                self.objects = self.objects or []
        elif value is not None:
            self._item(value, place)

    def _item(self, item: Any, place: str) -> None:
        if isinstance(item, int | str) and not isinstance(item, bool):
            item = {"label": item}
        found = json.load_item(item, _Item, place, self.report, "fiftyone.label")
        if found is None:
            return
        try:
            self._take(found, item, place)
        except LabelglotError as error:
            self.report.problem(
                "fiftyone.label", error.message, place, severity="error", key=self.key, raw=item, action="skipped"
            )

    def _take(self, found: _Item, item: dict[str, Any], place: str) -> None:
        if "support" in item or "timestamps" in item:
            self.temporal.append(item)
            self.report.problem(
                "fiftyone.temporal", "stretches of a video are not understood", place, severity="info", action="kept, unread"
            )
            return
        label = self._label(found.label)
        extra = json.rest(item, _DETECTION)
        attributes, nested = json.attributes(found.attributes)
        if nested:
            extra["attributes"] = nested
        bag = {OWNER: extra} if extra else {}
        if found.confidence is not None:
            numbers((found.confidence,))
        if found.bounding_box is None:
            self.tags.append(Tag(label=label, score=found.confidence, attributes=attributes, extra=bag))
            return
        box = BOXES.read_box(numbers(found.bounding_box, 4), self.size)
        self.objects = self.objects or []
        self.objects.append(Annotation(label=label, box=box, score=found.confidence, attributes=attributes, extra=bag))

    def _label(self, value: int | str | None) -> str:
        if value is None:
            raise LabelglotError("it has no label")
        if self.keys is None or isinstance(value, str):
            return str(value)
        if not 0 <= value < len(self.keys):
            raise LabelglotError(f"there is no class {value}")
        return self.keys[value]


def _write(a: Annotation, size: tuple[int, int] | None, context: WriteContext) -> dict[str, Any]:
    record: dict[str, Any] = {
        "label": context.index[a.label or ""], "bounding_box": BOXES.write_box(a.box or (0.0, 0.0, 0.0, 0.0), size),
    }  # fmt: skip
    return _with_rest(record, a.score, a.attributes, a.extra.get(OWNER, {}))


def _write_tag(tag: Tag, context: WriteContext) -> Any:
    number = context.index[tag.label or ""]
    record = _with_rest({"label": number}, tag.score, tag.attributes, tag.extra.get(OWNER, {}))
    return record if len(record) > 1 else number


def _with_rest(record: dict[str, Any], score: float | None, attributes: Any, extra: Any) -> dict[str, Any]:
    if score is not None:
        record["confidence"] = score
    if attributes or "attributes" in extra:
        record["attributes"] = {**attributes, **json.fields(extra.get("attributes"))}
    return {**record, **{name: value for name, value in extra.items() if name not in record}}


def _frames(path: str, context: ReadContext) -> dict[str, list[dict[str, Any]]]:
    """The frames of videos in ``frames.json`` by the sample they belong to; none if there is no such file."""
    if not context.source.exists(path):
        return {}
    found: dict[str, list[dict[str, Any]]] = {}
    listed = json.fields(json.load(context.source.read(path), path)).get("frames")
    for frame in listed if isinstance(listed, list) else ():
        values = json.fields(plain(frame))
        if type(values.get("frame_number")) is int:
            found.setdefault(str(values.get("_sample_id")), []).append(values)
    return found


def _moments(raw: bytes, place: str, frames: Mapping[str, Sequence[dict[str, Any]]]) -> list[Record]:
    """The frames of a sample as images of their own, called by their number."""
    sample = json.fields(plain(json.load(raw, place)))
    video = next(iter(clean_foreign(str(sample.get("filepath") or "").removeprefix(f"{DATA}/"))), None)
    about = json.fields(sample.get("metadata"))
    size = {"width": about.get("frame_width"), "height": about.get("frame_height")}
    made = []
    for frame in frames.get(str(sample.get("_id")), ()) if video is not None else ():
        path = f"{with_suffix(str(video), '')}/{frame['frame_number']:06d}.jpg"
        values = {"tags": sample.get("tags"), "metadata": size, **frame}
        made.append(Record(place, path, json.dump(values), path, None, video))
    return made


def _root(path: str) -> str:
    """The folder of the export; of a full one with a file for each sample, the folder above."""
    folder = path.rpartition("/")[0]
    return folder.rpartition("/")[0] if folder.rpartition("/")[2] == "samples" else folder


def _evidence(path: str, value: Any) -> Match | None:
    """What the beginning of a document says about its format."""
    if not isinstance(value, dict) or "images" in value or "annotations" in value:
        return None
    if "sample_fields" in value and path.endswith("metadata.json"):
        return Match(0.95, f"{path} has sample_fields")
    listed = value.get("samples")
    first = listed[0] if isinstance(listed, list) and listed else value
    if isinstance(first, dict) and "filepath" in first and ("_id" in first or "_media_type" in first or "samples" in value):
        return Match(0.95, f"{path} has samples with filepath")
    labels = value.get("labels")
    if not isinstance(labels, dict):
        return None
    entries = [item for entry in labels.values() for item in (entry if isinstance(entry, list) else [entry])]
    objects = [item for item in entries if isinstance(item, dict)]
    if any({"bounding_box", "label"} <= item.keys() for item in objects):
        return Match(0.95, f"{path} has labels by image, with bounding_box")
    classes = value.get("classes")
    if "classes" in value and (isinstance(classes, list) or classes is None) and all("label" in item for item in objects[:-1]):
        return Match(0.8, f"{path} has classes, and labels by image")
    return None
