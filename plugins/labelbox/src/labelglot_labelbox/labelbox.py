"""Labelbox export, version 2: a line of JSON for each data row.

- ``data_row`` = image: ``global_key`` or ``external_id`` its path, ``row_data`` its address; ``media_attributes`` =
  size.
- ``projects``: each label of each project is one annotator's, a layer where images have several. No label = nobody
  looked; a label without objects = nothing found. Without a list of objects, only classes of the image were asked for.
- ``bounding_box``, ``polygon``, ``line``, ``point``, ``mask`` = box, polygon, polyline, point, mask (a PNG).
- ``classifications`` of an object = its attributes; of the image = its classes (radio, checklist) and captions (text).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from labelglot.geometry import decode_string, encode_string, from_bitmap, to_bitmap
from labelglot.images import decode_alpha, encode_gray, from_data_url, is_data_url, to_data_url
from labelglot.plugin import (
    PIXELS_XYWH,
    Annotation,
    Box,
    Content,
    Document,
    Holds,
    LabelglotError,
    LabelHolds,
    Mask,
    Match,
    Options,
    Points,
    Polygon,
    Polyline,
    ReadContext,
    Report,
    Sample,
    Shape,
    Source,
    Tag,
    TagHolds,
    WriteContext,
    decode_objects,
    image_size,
    layer_runs,
    seen_from,
)
from labelglot.schema import Attribute
from labelglot.storage import clean_foreign
from labelglot.wire import json
from pydantic import Field

from labelglot_labelbox.legacy import OWNER, from_csv, is_legacy, rows_of

DOCUMENT = "export.ndjson"
HEAD = 1 << 14
KINDS = {
    "box": "ImageBoundingBox",
    "polygon": "ImagePolygon",
    "polyline": "ImagePolyline",
    "points": "ImagePoint",
    "mask": "ImageSegmentationMask",
}
GEOMETRY = ("bounding_box", "polygon", "line", "point", "mask")
OBJECT = ("feature_id", "name", "value", "annotation_kind", "classifications", "confidence", *GEOMETRY)
ANSWERS = ("radio_answer", "checklist_answers", "text_answer")
CLASS, CAPTION = "class", "caption"


class Record(NamedTuple):
    """A row, encoded; ``name``: what its image is looked up by; ``frame``: of a video, from 0."""

    name: str
    place: str
    data: bytes
    frame: int | None = None


class Labelbox(Document):
    """Data rows with the labels of each project."""

    id = OWNER
    name = "Labelbox export"
    url = "https://docs.labelbox.com/reference/label-export"
    documents = (".ndjson",)
    patterns = ("*.ndjson", "*.jsonl", "*.json", "*.csv")
    separator = b""
    holds = Holds(
        geometry=(frozenset({"box", "polygon", "polyline", "points", "mask"}),),
        bare=True,
        boxes=PIXELS_XYWH,
        polygon_parts=False,
        polygon_holes=False,
        several_points=False,
        labels=LabelHolds(unused=False, order="appearance", required=False),
        attributes=frozenset({"str", "list"}),
        score=True,
        ids="str",
        layer=True,
        tags=TagHolds(captions="many", layer=True),
        sample_ids="str",
        uri=True,
        splits="any",
        unlabelled=True,
        extra=frozenset({OWNER}),
    )

    class ReadOptions(Options):
        """Whose labels are read."""

        project: str | None = Field(
            default=None, title="Project", description="read only the labels of this project (name or id)"
        )
        annotator: str | None = Field(
            default=None, title="Annotator", description="read only labels that this user made (as in created_by)"
        )

    def evidence(self, source: Source, path: str) -> Match | None:
        return _evidence(source, path)

    def parse(self, data: bytes, path: str, context: ReadContext) -> Content:
        rows: list[tuple[str, dict[str, Any]]] = []
        if path.lower().endswith(".csv"):
            rows = [(f"{path}:{line}", row) for line, row in from_csv(data)]
        else:
            for place, part in json.load_records(data, path):
                row = json.load_item(part, dict[str, Any], place, context.report, f"{OWNER}.row")
                if row is not None:
                    rows.append((place, row))
        if any(is_legacy(row) for _, row in rows):
            rows = rows_of(rows, context.report)
        records, most = [], 0
        for place, row in rows:
            name = _image_name(json.fields(row.get("data_row")), context)
            if not name:
                context.report.problem(
                    f"{OWNER}.row", "the row names no image", place, severity="error", raw=row, action="skipped"
                )
                continue
            most = max(most, len(list(_sets(row, context.options))))
            frames = _frames(row)
            if frames is None:
                records.append(Record(name, place, json.dump(row)))
                continue
            context.report.problem(
                f"{OWNER}.frames", f"a video, {len(frames)} of its frames show something", place, severity="info",
                action="each of these is an image",
            )  # fmt: skip
            records += [
                Record(name, f"{place}#frame={frame}", json.dump(said), frame) for frame, said in frames.items()
            ]
        if most > 1:
            context.report.problem(
                f"{OWNER}.labels", f"rows with up to {most} labels", path, severity="info",
                action="all are read, each as a layer; choose with project=... or annotator=...",
            )  # fmt: skip
        return Content(records, None, None, most > 1, [record.name for record in records])

    def decode(
        self, record: Record, path: str, split: str | None, shared: bool, context: ReadContext, report: Report
    ) -> Sample | None:
        row: dict[str, Any] = json.load(record.data, record.place, dict)
        where = context.place(record.name, path.rpartition("/")[0])
        about, media = json.fields(row.get("data_row")), json.fields(row.get("media_attributes"))
        real = None if where.image is None else image_size(where.image)
        size = real or json.size(media)
        reader = _Reader(size, where.path, context, report, record.frame is not None)
        annotations: list[Annotation] | None = None
        tags: list[Tag] = []
        kept: list[dict[str, Any]] = []
        for project, label in _sets(row, context.options):
            layer = _layer(label, shared)
            said = json.fields(label.get("annotations"))
            place = f"{record.place}.projects.{project}"
            tags += reader.tags(said.get("classifications"), layer, place)
            if "objects" in said:
                objects = reader.objects(said["objects"], layer, place)
                annotations = [*(annotations or ()), *objects]
            details = ("label_details",) if label.get("label_details") == _details(layer) else ()
            related = ("relationships",) if said.get("relationships") == [] else ()
            fields = json.rest(label, ("annotations", *details))
            more = json.rest(said, ("objects", "classifications", *related))
            kept.append(
                {
                    "layer": layer,
                    "project": project,
                    **({"fields": fields} if fields else {}),
                    **({"said": more} if more else {}),
                }
            )
        extra = {"sets": kept} if any(len(bag) > 2 or bag["project"] != OWNER for bag in kept) else {}
        split_said, further = _split(about.get("metadata_fields", row.get("metadata_fields")))
        uri = about.get("row_data")
        of_row = json.rest(about, ("id", "global_key", "external_id", "row_data", "metadata_fields"))
        of_row |= {k: about[k] for k in ("global_key", "external_id") if about.get(k) not in (None, where.path)}
        projects = {k: json.rest(json.fields(v), ("labels",)) for k, v in json.fields(row.get("projects")).items()}
        rest: dict[str, Any] = {
            "data_row": of_row,
            "media_attributes": json.rest(media, ("width", "height") if size else ()),
            "projects": {} if projects == {OWNER: {"name": OWNER}} else {k: v for k, v in projects.items() if v},
            "row": json.rest(row, ("data_row", "media_attributes", "projects", "metadata_fields")),
            "metadata_fields": further,
        }
        extra |= {k: v for k, v in rest.items() if v}
        if record.frame is not None:
            return Sample(
                path=f"{where.path}#frame={record.frame}",
                size=size,
                sequence=where.path,
                frame=record.frame,
                tags=tuple(tags),
                splits=() if split_said is None else (split_said,),
                extra={OWNER: extra} if extra else {},
                annotations=None if annotations is None else tuple(annotations),
            )
        return Sample(
            path=where.path,
            id=about["id"] if isinstance(about.get("id"), str) else None,
            image=where.image,
            size=size,
            uri=uri if isinstance(uri, str) and uri != where.path else None,
            splits=() if split_said is None else (split_said,),
            tags=tuple(tags),
            annotations=None if annotations is None else tuple(annotations),
            extra={OWNER: extra} if extra else {},
        )

    def document_path(self, split: str | None, context: WriteContext) -> str:
        return context.document(DOCUMENT)

    def frame(self, split: str | None, context: WriteContext) -> tuple[bytes, bytes]:
        return b"", b""

    def encode_record(self, sample: Sample, context: WriteContext, ordinal: int) -> bytes:
        extra = json.fields(sample.extra.get(OWNER))
        row = {"global_key": sample.path, "external_id": sample.path, **json.fields(extra.get("data_row"))}
        if not any(_stands_for(row[key], sample.path) for key in ("global_key", "external_id")):
            row["global_key"] = sample.path
        metadata = list(json.items(extra.get("metadata_fields")))
        if sample.splits:
            metadata.append({"name": "split", "value": sample.splits[0]})
        media = {} if sample.size is None else dict(zip(("width", "height"), sample.size, strict=True))
        projects = _projects(sample, context, extra)
        made = {
            "data_row": {
                **({} if sample.id is None else {"id": sample.id}),
                **row,
                "row_data": sample.uri or sample.path,
            },
            "media_attributes": {**json.fields(extra.get("media_attributes")), **media},
            **({"metadata_fields": metadata} if metadata else {}),
            "projects": projects,
            **json.fields(extra.get("row")),
        }
        return json.dump(made) + b"\n"


def _projects(sample: Sample, context: WriteContext, extra: Mapping[str, Any]) -> dict[str, Any]:
    """The labels of each project: one for each run of a layer; those that found nothing stay."""
    sets = [bag for bag in json.items(extra.get("sets")) if isinstance(bag, dict)]
    projects = {name: dict(json.fields(about)) for name, about in json.fields(extra.get("projects")).items()}
    usual = next(iter([bag["project"] for bag in sets] or projects), OWNER)
    found: list[tuple[str, dict[str, Any]]] = []
    for layer, objects, tags in layer_runs(sample):
        own = next((bag for bag in sets if bag.get("layer") == layer), {"project": usual})
        if own in sets:
            sets.remove(own)
        made = [_object(a, context) for _, a in objects]
        found.append(
            (own["project"], _label(layer, made if sample.annotations is not None else None, tags, own, context))
        )
    left = sets if sample.annotations is not None else []
    found += [(bag["project"], _label(bag.get("layer"), [], [], bag, context)) for bag in left]
    if not found and sample.annotations is not None:
        found.append((usual, _label(None, [], [], {}, context)))
    for name in dict.fromkeys([*projects, *(project for project, _ in found)]) or (usual,):
        about = projects.setdefault(name, {"name": OWNER} if name == OWNER else {})
        about["labels"] = [label for project, label in found if project == name]
    return projects


def _label(
    layer: str | None, objects: list[Any] | None, tags: Sequence[Tag], own: Mapping[str, Any], context: WriteContext
) -> dict[str, Any]:
    said = {} if objects is None else {"objects": objects}
    said |= {"classifications": _questions(tags, context), "relationships": [], **json.fields(own.get("said"))}
    details = _details(layer)
    return {**({"label_details": details} if details else {}), **json.fields(own.get("fields")), "annotations": said}


def _details(layer: str | None) -> dict[str, Any] | None:
    return None if layer is None else {"created_by": layer}


def _layer(label: Mapping[str, Any], layered: bool) -> str | None:
    """Who made a label. Without need it is no layer, unless nothing but the name of one is said of it."""
    details = json.fields(label.get("label_details"))
    by = details.get("created_by")
    if isinstance(by, str) and by:
        return by if layered or (details.keys() == {"created_by"} and "id" not in label) else None
    id_ = label.get("id")
    return id_ if layered and isinstance(id_, str) else None


def _sets(row: Mapping[str, Any], options: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Project and label of each label that is read."""
    for key, project in json.fields(row.get("projects")).items():
        about = json.fields(project)
        if options.project is not None and options.project not in (key, about.get("name")):
            continue
        labels = about.get("labels")
        for label in labels if isinstance(labels, list) else ():
            by = json.fields(json.fields(label).get("label_details")).get("created_by")
            if isinstance(label, dict) and options.annotator in (None, by):
                yield key, label


def _frames(row: Mapping[str, Any]) -> dict[int, dict[str, Any]] | None:
    """A row for each frame of a video that shows something, ``None`` if the row is no video."""
    found: dict[int, dict[str, list[Any]]] = {}
    is_video = False
    projects = json.fields(row.get("projects"))
    for key, project in projects.items():
        labels = json.fields(project).get("labels")
        for label in labels if isinstance(labels, list) else ():
            frames = json.fields(json.fields(label).get("annotations")).get("frames")
            is_video = is_video or isinstance(frames, dict)
            for number, said in json.fields(frames).items():
                about = json.fields(said)
                if not number.isdecimal() or not number.isascii() or len(number) > 9 or number == "0":
                    continue
                objects = about.get("objects")
                listed = (
                    [{"feature_id": id_, **json.fields(o)} for id_, o in objects.items()]
                    if isinstance(objects, dict)
                    else objects
                )
                now = {"objects": listed or [], "classifications": about.get("classifications") or []}
                if any(now.values()):
                    kept = {k: label[k] for k in ("id", "label_details") if k in label}
                    found.setdefault(int(number) - 1, {}).setdefault(key, []).append({**kept, "annotations": now})
    if not is_video:
        return None
    return {
        frame: {**row, "projects": {key: {"labels": labels} for key, labels in said.items()}}
        for frame, said in sorted(found.items())
    }


def _image_name(about: Mapping[str, Any], context: ReadContext) -> str | None:
    """What the image of a row is called: the first name that leads to a file, else the first that is one."""
    names = [about.get(key) for key in ("global_key", "external_id")]
    found = [name for name in names if isinstance(name, str) and clean_foreign(name)]
    if not found and isinstance(about.get("row_data"), str):
        found = [about["row_data"]]
    seen = next((name for name in found if context.images.paths and context.image(name)), None)
    return seen or next(iter(found), None)


def _stands_for(name: Any, path: str) -> bool:
    """Whether a row is looked up at ``path`` by this name."""
    return isinstance(name, str) and (seen_from("", name) or next(iter(clean_foreign(name)), None)) == path


def _split(fields: Any) -> tuple[str | None, list[Any]]:
    """The split in the metadata of a row, and all other fields."""
    further, split = [], None
    for field in fields if isinstance(fields, list) else ():
        about = json.fields(field)
        value = about.get("value")
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, dict):
            value = value.get("name", value.get("schema_name"))
        if split is None and isinstance(value, str) and "split" in (about.get("name"), about.get("schema_name")):
            split = value
        else:
            further.append(field)
    return split, further


class _Reader:
    """Reads what the labels of one row say. ``tracks``: ids of objects are those of tracks."""

    def __init__(
        self, size: tuple[int, int] | None, key: str, context: ReadContext, report: Report, tracks: bool = False
    ) -> None:
        self.size, self.key, self.context, self.report, self.tracks = size, key, context, report, tracks

    def objects(self, items: Any, layer: str | None, place: str) -> Iterable[Annotation]:
        listed = items if isinstance(items, list) else [items]
        places = [(f"{place}.objects[{i}]", item) for i, item in enumerate(listed)]

        def decode(item: tuple[str, Any]) -> Annotation:
            return self._object(item[1], layer, item[0])

        return decode_objects(
            [(at, (at, item)) for at, item in places], decode, self.report, f"{OWNER}.object", self.key
        )

    def _object(self, item: Any, layer: str | None, place: str) -> Annotation:
        if not isinstance(item, dict):
            raise LabelglotError("the object is none")
        box, shape = self._geometry(item, place)
        extra = json.rest(item, OBJECT)
        name, id_, score = item.get("name"), item.get("feature_id"), item.get("confidence")
        if item.get("value", name) != name:
            extra["value"] = item["value"]
        if "mask" in item and shape is None:
            extra["mask"] = item["mask"]
        attributes, raw = _answers(item.get("classifications"))
        if raw:
            extra["classifications"] = raw
        kind = item.get("annotation_kind")
        kind = kind.replace("Video", "Image", 1) if self.tracks and isinstance(kind, str) else kind
        id_ = id_ if isinstance(id_, str) else None
        if kind not in (None, KINDS.get("box" if shape is None else shape.kind)):
            extra["annotation_kind"] = kind
        return Annotation(
            label=name if isinstance(name, str) and name else None,
            box=box,
            shape=shape,
            layer=layer,
            attributes=attributes,
            id=None if self.tracks else id_,
            track=id_ if self.tracks else None,
            score=None if score is None else json.finite(score, "confidence"),
            extra={OWNER: extra} if extra else {},
        )

    def _geometry(self, item: Mapping[str, Any], place: str) -> tuple[Box | None, Shape | None]:
        kind = next((key for key in GEOMETRY if item.get(key) is not None), None)
        if kind is None:
            return None, None
        value = item[kind]
        if kind == "bounding_box":
            numbers = [json.coordinate(json.fields(value).get(key), key) for key in ("left", "top", "width", "height")]
            return PIXELS_XYWH.read_box(numbers, None), None
        if kind == "mask":
            return None, self._mask(json.fields(value).get("url"), item.get("feature_id"), place)
        ring = json.read_points([value] if kind == "point" else value)
        if not ring:
            raise LabelglotError(f"a {kind} without points")
        if kind == "point":
            return None, Points(points=ring)
        if kind == "line":
            return None, Polyline(points=ring)
        return None, Polygon.of(json.opened(ring))

    def _mask(self, url: Any, id_: Any, place: str) -> Mask | None:
        """The bitmap at an address: inside of it, or a file called like it or like the object."""
        if is_data_url(url):
            data = from_data_url(url)
        else:
            names = [name for name in (url, f"{id_}.png" if id_ else None) if isinstance(name, str) and name]
            image = next(
                (image for name in names if (image := self.context.image(name)) and image.path != self.key), None
            )
            if image is None:
                self.report.problem(
                    f"{OWNER}.mask", "the bitmap of a mask is not at hand", place, key=self.key, raw=url,
                    action="kept without its shape",
                )  # fmt: skip
                return None
            data = image.read()
        bitmap = decode_alpha(data)
        height, width = bitmap.shape
        if self.size not in (None, (width, height)):
            raise LabelglotError(f"a mask of {width} x {height} pixels on an image of {self.size}")
        return Mask(width=width, height=height, rle=encode_string(from_bitmap(bitmap)))

    def tags(self, items: Any, layer: str | None, place: str) -> Iterator[Tag]:
        """Classes and captions of the image, each with what else is said in its question and answer."""
        for item in items if isinstance(items, list) else ():
            if not isinstance(item, dict):
                self.report.problem(f"{OWNER}.classification", "it is no object", place, raw=item, action="skipped")
                continue
            kind = next((key for key in ANSWERS if item.get(key) is not None), None)
            question: dict[str, Any] = {
                **json.rest(item, (*ANSWERS, "value")),
                "value": item.get("value", item.get("name")),
            }
            usual = CAPTION if kind == "text_answer" else CLASS
            asked: dict[str, Any] = {} if question == {"name": usual, "value": usual} else {"question": question}
            listed = item.get(kind) if kind == "checklist_answers" else [item.get(kind or "")]
            answers = listed if isinstance(listed, list) else []
            for answer in answers:
                said = json.fields(answer).get("content" if kind == "text_answer" else "name")
                if not isinstance(said, str) or not said:
                    self.report.problem(
                        f"{OWNER}.classification", "an answer without name", place, raw=item, action="skipped"
                    )
                    continue
                more = json.rest(answer, ("content",) if kind == "text_answer" else ("name",))
                if kind != "text_answer" and more.get("value") == said:
                    del more["value"]
                if more.get("classifications") == []:
                    del more["classifications"]
                extra: dict[str, Any] = {**asked, **({"answer": more} if more else {})}
                if kind == "checklist_answers" and len(answers) == 1:
                    extra["kind"] = kind
                label, text = (None, said) if kind == "text_answer" else (said, None)
                yield Tag(label=label, text=text, layer=layer, extra={OWNER: extra} if extra else {})


def _answers(items: Any) -> tuple[dict[str, Attribute], list[Any]]:
    """Attributes of an object, those of nested questions among them, and the questions as written if they say more."""
    found: dict[str, Attribute] = {}

    def take(questions: Any) -> None:
        for item in questions if isinstance(questions, list) else ():
            about = json.fields(item)
            name = about.get("name")
            if not isinstance(name, str) or name in found:
                continue
            radio, several = about.get("radio_answer"), about.get("checklist_answers")
            if isinstance(several, list):
                names = [json.fields(answer).get("name") for answer in several]
                found[name] = tuple(n for n in names if isinstance(n, str))
            else:
                text = json.fields(about.get("text_answer")).get("content")
                said = json.fields(radio).get("name", text)
                if isinstance(said, str):
                    found[name] = said
            for answer in several if isinstance(several, list) else [radio]:
                take(json.fields(answer).get("classifications"))

    take(items)
    listed = items if isinstance(items, list) else []
    return found, [] if listed == _spelled(found) else listed


def _spelled(attributes: Mapping[str, Attribute]) -> list[dict[str, Any]]:
    return [
        {"name": name, "value": name, **_answer(said)} for name, said in attributes.items()
    ]  # fmt: skip


def _answer(said: Attribute) -> dict[str, Any]:
    if isinstance(said, tuple):
        return {"checklist_answers": [_named(each) for each in said]}
    return {"radio_answer": _named(str(said))}


def _named(name: str) -> dict[str, Any]:
    return {"name": name, "value": name, "classifications": []}


def _questions(tags: Sequence[Tag], context: WriteContext) -> list[dict[str, Any]]:
    """The questions about an image. Classes that answer the same question are one checklist."""
    made: list[tuple[Any, dict[str, Any]]] = []
    for tag in tags:
        extra = json.fields(tag.extra.get(OWNER))
        usual = CLASS if tag.text is None else CAPTION
        question = json.fields(extra.get("question")) or {"name": usual, "value": usual}
        more = json.fields(extra.get("answer"))
        if tag.text is not None:
            made.append((None, {**question, "text_answer": {"content": tag.text, **more}}))
            continue
        answer = {**_named(context.name(tag.label)), **more}
        if made and made[-1][0] == question:
            last = made[-1][1]
            last["checklist_answers"] = [
                *last.pop("checklist_answers", ()),
                *([last.pop("radio_answer")] if "radio_answer" in last else ()),
                answer,
            ]
        elif extra.get("kind") == "checklist_answers":
            made.append((question, {**question, "checklist_answers": [answer]}))
        else:
            made.append((question, {**question, "radio_answer": answer}))
    return [item for _, item in made]


def _object(a: Annotation, context: WriteContext) -> dict[str, Any]:
    """An object. The questions about it are written as they were read while their answers are the same."""
    extra = dict(json.fields(a.extra.get(OWNER)))
    raw = extra.pop("classifications", None)
    read = _answers(raw)[0]
    kept = bool(raw) and all(a.attributes.get(name) == said for name, said in read.items())
    further = {name: said for name, said in a.attributes.items() if not kept or name not in read}
    if a.box is not None or a.shape is not None:
        extra.pop("mask", None)
    kind, geometry = _draw(a)
    name = None if a.label is None else context.name(a.label)
    return {
        **({} if a.id is None else {"feature_id": a.id}), **({} if name is None else {"name": name, "value": name}),
        **({} if kind is None else {"annotation_kind": kind}), **({} if a.score is None else {"confidence": a.score}),
        "classifications": [*(raw if kept else ()), *_spelled(further)], **geometry, **extra,
    }  # fmt: skip


def _draw(a: Annotation) -> tuple[str | None, dict[str, Any]]:
    """Kind and geometry of an object."""
    shape = a.shape
    if isinstance(shape, Mask):
        bitmap = to_bitmap(decode_string(shape.rle, shape.width * shape.height), shape.height, shape.width)
        return KINDS["mask"], {"mask": {"url": to_data_url(encode_gray(bitmap * 255))}}
    if isinstance(shape, Polygon):
        return KINDS["polygon"], {"polygon": json.write_points(json.closed_again(shape.parts[0][0]))}
    if isinstance(shape, Polyline):
        return KINDS["polyline"], {"line": json.write_points(shape.points)}
    if isinstance(shape, Points):
        return KINDS["points"], {"point": json.write_points(shape.points)[0]}
    if a.box is None:
        return None, {}
    left, top, width, height = (json.finite(v) for v in PIXELS_XYWH.write_box(a.box, None))
    return KINDS["box"], {"bounding_box": {"top": top, "left": left, "height": height, "width": width}}


def _evidence(source: Source, name: str) -> Match | None:
    head = source.head(name, HEAD)
    if name.lower().endswith(".csv"):
        line = head.decode("utf-8-sig", "replace").partition("\n")[0]
        return (
            Match(0.95, f"{name} has the header of a Labelbox export")
            if "DataRow ID" in line and "Label" in line
            else None
        )
    value = json.peek(head)
    item = next((item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict)), {})
    if is_legacy(item):
        return Match(0.95, f"{name} has records with DataRow ID and Label")
    if "data_row" in item and ("projects" in item or "media_attributes" in item):
        return Match(0.95, f"{name} has rows with data_row and projects")
    return None


__all__ = ["Labelbox"]
