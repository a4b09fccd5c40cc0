"""VIA 1.x/2.x JSON: a project, or the exported map of image records alone."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from labelglot.images import BytesImage, ImageHandle
from labelglot.plugin import (
    NO_VALUE,
    Annotation,
    Content,
    Dataset,
    Document,
    File,
    Holds,
    Info,
    Label,
    LabelglotError,
    LabelHolds,
    Match,
    Piece,
    Pieces,
    ReadContext,
    Report,
    Sample,
    Source,
    WriteContext,
    make_labels,
)
from labelglot.storage import clean_foreign
from labelglot.wire import json
from pydantic import Field

from labelglot_via.regions import (
    HOLDS,
    RegionReader,
    ViaReadOptions,
    ViaWriteOptions,
    choose_class,
    file_size,
    option,
    spell_file,
    spell_region,
)

PROJECT, EXPORT = "via_project.json", "via_region_data.json"
VERSION = "2.0.12"
HEAD = 1 << 15
RECORD = ("filename", "size", "regions", "file_attributes")


class Record(NamedTuple):
    """One image, encoded; ``place``: where it stands."""

    name: str
    place: str
    data: bytes


class Shared(NamedTuple):
    """What all records of a document need. ``names``: option -> name of the class; ``folder``: where images lie."""

    label_key: str | None
    names: Mapping[str, str]
    folder: str


class Via(Document):
    """Regions with free attributes; one of them is the class."""

    id = "via"
    name = "VIA 2 JSON (VGG Image Annotator)"
    aliases = ("vgg", "via2")
    url = "https://www.robots.ox.ac.uk/~vgg/software/via/"
    holds = HOLDS.replace(info=frozenset({"name"}), extra=frozenset({"via"}))
    geometry_bound_extra = frozenset({("via", "shape_attributes")})
    survey = "full"

    class ReadOptions(ViaReadOptions):
        """Which of the attributes is the class."""

    class WriteOptions(ViaWriteOptions):
        """Which attribute is the class, and which of the two files is written."""

        layout: Literal["project", "annotations"] = Field(
            default="project",
            title="Layout",
            description="project: can be opened in VIA, lists classes and attributes; annotations: the map of images "
            "alone, as VIA exports it and training scripts read it",
        )

    def holds_with(self, options: Any) -> Holds:
        holds = self.holds.replace(flags={options.label_key: NO_VALUE})
        if options.layout == "project":
            return holds
        labels = LabelHolds(names=holds.labels.names, required=False, unused=False, order="appearance")
        return holds.replace(labels=labels, info=frozenset())

    def evidence(self, source: Source, path: str) -> Match | None:
        return _evidence(path, json.peek(source.head(path, HEAD)))

    def read(self, context: ReadContext) -> Dataset:
        return super().read(context).replace(labels_complete=False)

    def parse(self, data: bytes, path: str, context: ReadContext) -> Content:
        raw = json.load_fields(data, path)
        project = "_via_img_metadata" in raw
        images = json.load_fields(bytes(raw["_via_img_metadata"]), path) if project else raw
        where = f"{path}#_via_img_metadata" if project else f"{path}#"
        found: list[tuple[str, Any]] = []
        records: list[Record] = []
        for key, value in images.items():
            place = f"{where}.{key}"
            fields = json.load_item(value, dict[str, Any], place, context.report, "via.image")
            if fields is None:
                continue
            if not isinstance(fields.get("filename"), str) or not fields["filename"]:
                context.report.problem(
                    "via.image", "the record names no image", place, severity="error", action="skipped"
                )
                continue
            found.append((fields["filename"], fields.get("regions")))
            records.append(Record(fields["filename"], place, bytes(value)))
        if images and not records:
            raise LabelglotError("no record of it names an image", path)
        _report_twice(records, context.report)
        plain: dict[str, Any] = {}
        if project:
            plain = {key: json.load(bytes(value), path) for key, value in raw.items() if key != "_via_img_metadata"}
        declared = _object(_object(plain.get("_via_attributes")).get("region"))
        attributes = (
            _object(r.get("region_attributes"))
            for _, regions in found
            for _, r in listed(regions)
            if isinstance(r, dict)
        )
        label_key = context.options.label_key or choose_class(attributes, declared)
        labels = _classes(declared.get(label_key or ""))
        names = {label.extra["via"]["option"]: label.name for label in labels if label.extra}
        settings = _object(plain.get("_via_settings"))
        folder = _object(settings.get("core")).get("default_filepath")
        shared = Shared(label_key, names, folder.strip("/") if isinstance(folder, str) else "")
        return Content(records, labels, _info(plain, label_key), shared, names=[record.name for record in records])

    def decode(
        self, record: Record, path: str, split: str | None, shared: Shared, context: ReadContext, report: Report
    ) -> Sample | None:
        fields: dict[str, Any] = json.load(record.data, record.place, dict)
        where = context.place(record.name, path.rpartition("/")[0], (shared.folder,) if shared.folder else ())
        regions = fields.get("regions")
        old = isinstance(regions, dict) or "fileref" in fields
        reader = RegionReader(self.id, shared.label_key, shared.names, where.path, report, closed=old)
        extra = json.rest(fields, RECORD)
        embedded = _embedded(extra.get("base64_img_data"), where.path)
        image: ImageHandle | None = where.image or embedded
        if embedded is not None or not extra.get("base64_img_data"):
            extra.pop("base64_img_data", None)
        tags, attributes, nested = reader.tags(_object(fields.get("file_attributes")))
        if nested:
            extra["file_attributes"] = nested
        if where.uri is not None:
            extra["filename"] = record.name
        size = fields.get("size", -1)
        if str(size) != "-1" and (image is None or str(size) != str(file_size(image))):
            extra["size"] = size
        return Sample(
            path=where.path,
            uri=where.uri,
            image=image,
            tags=tags,
            attributes=attributes,
            annotations=tuple(_annotations(regions, reader, record.place)),
            extra={self.id: extra} if extra else {},
        )

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece]:
        path = self.document_path(None, context)
        record = self._record(sample, context)
        name = f"{record['filename']}{record['size']}"
        yield Piece(path, json.dump(name) + b":" + json.dump(record))
        yield Piece(f"{path}#ids", json.dump(name))

    def encode_record(self, sample: Sample, context: WriteContext, ordinal: int) -> bytes:
        return json.dump(self._record(sample, context))

    def _record(self, sample: Sample, context: WriteContext) -> dict[str, Any]:
        extra = dict(sample.extra.get(self.id, {}))
        written = extra.pop("filename", None)
        nested = extra.pop("file_attributes", None)
        key = _label_key(context)
        spelled = [spell_region(a, context, self.id, key) for a in sample.annotations or ()]
        return {
            "filename": written if written is not None and sample.path in clean_foreign(written) else sample.path,
            "size": -1 if sample.image is None else file_size(sample.image),
            "regions": [{"shape_attributes": shape, "region_attributes": values} for shape, values in spelled],
            "file_attributes": spell_file(sample.tags, sample.attributes, nested, context, self.id),
            **extra,
        }

    def document_path(self, split: str | None, context: WriteContext) -> str:
        return context.document(PROJECT if context.options.layout == "project" else EXPORT)

    def frame(self, split: str | None, context: WriteContext) -> tuple[bytes, bytes]:
        if context.options.layout == "annotations":
            return b"{", b"}\n"
        extra = context.info.extra.get(self.id, {})
        settings = dict(extra.get("_via_settings", {}))
        settings["project"] = {**_object(settings.get("project")), "name": context.info.name or ""}
        head = {
            "_via_settings": settings,
            "_via_attributes": _attributes(context, self.id),
            "_via_data_format_version": VERSION,
            **{k: v for k, v in extra.items() if k not in ("_via_settings", "_via_attributes", "label_key")},
        }
        return json.dump(head)[:-1] + b',"_via_img_metadata":{', b"}\n"

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        path = self.document_path(None, context)
        yield File(path, self._whole(path, context, pieces))

    def _whole(self, path: str, context: WriteContext, pieces: Pieces) -> Iterator[bytes]:
        before, after = self.frame(None, context)
        yield before
        yield from pieces.stream(path)
        if context.options.layout == "project":
            yield b'},"_via_image_id_list":['
            yield from pieces.stream(f"{path}#ids")
            yield b"]"
        yield after


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def listed(regions: Any) -> Iterable[tuple[Any, Any]]:
    """Key and value of each region, whether they are a list or (1.x) an object."""
    if isinstance(regions, dict):
        return regions.items()
    return enumerate(regions) if isinstance(regions, list) else ()


def _annotations(regions: Any, reader: RegionReader, place: str) -> Iterator[Annotation]:
    if regions is not None and not isinstance(regions, dict | list):
        reader.report.problem(
            "via.regions", "the regions are no list", f"{place}.regions", severity="error", key=reader.key, raw=regions,
            action="skipped",
        )  # fmt: skip
    for key, region in listed(regions):
        fields = _object(region)
        yield from reader.region(
            fields.get("shape_attributes"), fields.get("region_attributes"), f"{place}.regions[{key}]"
        )


def _report_twice(records: Sequence[Record], report: Report) -> None:
    seen: set[str] = set()
    for record in records:
        if record.name in seen:
            report.problem("via.duplicate", f"{record.name} is there more than once", record.place, key=record.name)
        seen.add(record.name)


def _classes(declared: Any) -> tuple[Label, ...]:
    """The options of the class attribute; where an option is not called like its text, it is kept."""
    options = _object(_object(declared).get("options"))
    texts = [(key, value if isinstance(value, str) and value else key) for key, value in options.items()]
    return make_labels(
        Label(key=text, name=text, extra={} if key == text else {"via": {"option": key}}) for key, text in texts
    )


def _info(plain: Mapping[str, Any], label_key: str | None) -> Info:
    """What a project says of itself; what the writer makes by itself is left out."""
    settings = dict(_object(plain.get("_via_settings")))
    project = dict(_object(settings.pop("project", None)))
    name = project.pop("name", None)
    core = dict(_object(settings.pop("core", None)))
    core.pop("default_filepath", None)
    settings |= {k: v for k, v in (("project", project), ("core", core)) if v}
    known = ("_via_settings", "_via_attributes", "_via_image_id_list", "_via_data_format_version")
    extra: dict[str, Any] = {k: v for k, v in plain.items() if k not in known}
    declared = {
        scope: {name: d for name, d in _object(specs).items() if not _is_plain(name, d, scope, label_key)}
        for scope, specs in _object(plain.get("_via_attributes")).items()
    }
    declared = {scope: specs for scope, specs in declared.items() if specs}
    extra |= {k: v for k, v in (("_via_settings", settings), ("_via_attributes", declared)) if v}
    if label_key not in (None, "label"):
        extra["label_key"] = label_key
    return Info(name=name if isinstance(name, str) and name else None, extra={"via": extra} if extra else {})


TEXT_FIELD = {"type": "text", "description": "", "default_value": ""}
CHECKBOX = {"type": "checkbox", "description": "", "options": {}, "default_options": {}}


def _dropdown(options: Mapping[str, str], kind: str) -> dict[str, Any]:
    return {"type": kind, "description": "", "options": dict(options), "default_options": {}}


def _is_plain(name: str, declared: Any, scope: str, label_key: str | None) -> bool:
    """Whether the writer would declare an attribute so by itself."""
    if declared in (TEXT_FIELD, CHECKBOX):
        return True
    options = _object(_object(declared).get("options"))
    if scope == "region" and name == label_key:
        return bool(declared == _dropdown(options, "dropdown"))
    return scope == "file" and name == "label" and bool(declared == _dropdown(options, "checkbox"))


def _label_key(context: WriteContext) -> str:
    chosen: str = context.options.label_key
    kept = context.info.extra.get("via", {}).get("label_key")
    return kept if chosen == "label" and isinstance(kept, str) else chosen


def _attributes(context: WriteContext, owner: str) -> dict[str, Any]:
    """Declarations of all attributes in use: as they were read, with the classes there are now, else by their kind."""
    kept = _object(context.info.extra.get(owner, {}).get("_via_attributes"))
    options = {option(label.key, context, owner): label.name for label in context.labels}
    used: dict[str, set[str]] = {}
    for names in context.attributes.values():
        for name, kinds in names.items():
            used.setdefault(name, set()).update(kinds)
    key, listed = _label_key(context), {scope: dict(_object(specs)) for scope, specs in kept.items()}
    region = {key: _dropdown(options, "dropdown")}
    region |= {name: CHECKBOX if "list" in kinds else TEXT_FIELD for name, kinds in sorted(used.items())}
    made = {"region": region, "file": {"label": _dropdown(options, "checkbox"), "caption": TEXT_FIELD}}
    for scope, name in (("region", key), ("file", "label")):
        if isinstance(listed.get(scope, {}).get(name), dict):
            listed[scope][name] = {**listed[scope][name], "options": options}
    return {scope: {**made.get(scope, {}), **listed.get(scope, {})} for scope in dict.fromkeys((*made, *listed))}


def _embedded(data: Any, path: str) -> BytesImage | None:
    if not isinstance(data, str) or not data:
        return None
    try:
        return BytesImage(path, base64.b64decode(data.rpartition(",")[2], validate=False))
    except (binascii.Error, ValueError):
        return None


def _evidence(name: str, value: Any) -> Match | None:
    if not isinstance(value, dict):
        return None
    if "_via_img_metadata" in value or "_via_settings" in value:
        return Match(0.95, f"{name} is a VIA project")
    records = list(value.values())
    if not records or not all(isinstance(record, dict) and "filename" in record for record in records[:-1] or records):
        return None
    regions = [r for record in records if isinstance(record, dict) for _, r in listed(record.get("regions"))]
    if any(isinstance(region, dict) and "shape_attributes" in region for region in regions):
        return Match(0.95, f"{name} maps images to regions with shape_attributes")
    if any(isinstance(record, dict) and "regions" in record for record in records) and not regions:
        return Match(0.6, f"{name} maps images to empty lists of regions")
    return None
