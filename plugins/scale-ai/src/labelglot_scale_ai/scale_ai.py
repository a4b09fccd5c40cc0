"""Scale AI: tasks with the response to each, or responses alone.

- ``params.attachment`` = address of the image and path; ``task_id`` = id; ``metadata`` is the user's.
- ``response.annotations`` = objects; ``global_attributes`` = attributes of the image, the list ``label`` among them its
  classes. A task without response = nobody looked; no list of annotations = nobody was asked for objects.
- ``objects_to_annotate`` = classes, those below a choice with the choice as parent.
- ``metadata.labelglot`` has what Scale does not say: the size of the image, a path its address does not tell, and
  whether the ``geometries`` were made of what is in use (``made``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from labelglot.plugin import (
    ANY_VALUE,
    PIXELS_XYWH,
    Annotation,
    Content,
    Dataset,
    Document,
    Holds,
    Label,
    LabelglotError,
    LabelHolds,
    Match,
    ReadContext,
    Report,
    Sample,
    Source,
    Tag,
    TagHolds,
    WriteContext,
    decode_objects,
    image_size,
    make_labels,
    seen_from,
    with_suffix,
)
from labelglot.schema import Attribute
from labelglot.storage import clean_foreign
from labelglot.wire import json

from labelglot_scale_ai.segments import OWNER, is_segmentation, read_segments
from labelglot_scale_ai.shapes import FIELDS, read_shape, type_of, write_shape

DOCUMENT = "tasks.json"
TYPES = frozenset({*FIELDS, "cuboid"})
TASK = ("task_id", "params", "metadata", "response")
CLASSES = "label"


class Record(NamedTuple):
    """A task, encoded. ``name``: what its image is looked up by; ``path``: its identity, if that is not enough."""

    name: str
    path: str | None
    place: str
    data: bytes


class ScaleAi(Document):
    """Tasks in one array, or one in each file."""

    id = OWNER
    name = "Scale AI tasks"
    aliases = ("scale",)
    url = "https://scale.com/docs"
    separator = b",\n"
    holds = Holds(
        geometry=(frozenset({"box", "rotated_box", "polygon", "polyline", "points", "ellipse"}),),
        bare=True,
        boxes=PIXELS_XYWH,
        polygon_parts=False,
        polygon_holes=False,
        several_points=False,
        labels=LabelHolds(names=r"(?s:.+)", unused=False, order="appearance", required=False, parent=True),
        attributes=ANY_VALUE,
        ids="str",
        tags=TagHolds(),
        sample_ids="str",
        uri=True,
        sample_attributes=ANY_VALUE,
        unlabelled=True,
        extra=frozenset({OWNER}),
    )

    def evidence(self, source: Source, path: str) -> Match | None:
        return _evidence(source, path)

    def read(self, context: ReadContext) -> Dataset:
        return super().read(context).replace(labels_complete=False)

    def parse(self, data: bytes, path: str, context: ReadContext) -> Content:
        data = json.unmark(data)
        parts: Sequence[Any] = json.load_parts(data, path) if data.lstrip()[:1] == b"[" else [data]
        records: list[Record] = []
        labels: dict[str, Label] = {}
        taken: dict[str, int] = {}
        for position, part in enumerate(parts):
            place = f"{path}#[{position}]"
            task = json.load_item(part, dict[str, Any], place, context.report, f"{OWNER}.task")
            if task is None:
                continue
            if not task.keys() & {"task_id", "response", "params"} and task.keys() & {"annotations", "labelMapping"}:
                task = {"task_id": with_suffix(path.rpartition("/")[2], ""), "response": task}
            params, own = (
                json.fields(task.get("params")),
                json.fields(json.fields(task.get("metadata")).get("labelglot")),
            )
            names = [own.get("path"), params.get("attachment"), task.get("task_id")]
            name = next((n for n in names if isinstance(n, str) and n), None)
            if name is None:
                context.report.problem(
                    f"{OWNER}.task", "the task names no image", place, severity="error", raw=task, action="skipped"
                )
                continue
            for label in _declared(params):
                labels.setdefault(label.name, label)
            again = taken[name] = taken.get(name, -1) + 1
            other = None
            if again:
                derived = _derived(name) or str(position)
                base = with_suffix(derived, "")
                other = f"{base}-{task.get('task_id') or position}{derived[len(base) :]}"
                context.report.problem(
                    f"{OWNER}.duplicate", f"several tasks about {name}", place, action="kept under the name of the task"
                )
            records.append(Record(name, other, place, json.dump(task)))
        return Content(records, make_labels(labels.values()) or None, names=[record.name for record in records])

    def decode(
        self, record: Record, path: str, split: str | None, shared: Any, context: ReadContext, report: Report
    ) -> Sample | None:
        task: dict[str, Any] = json.load(record.data, record.place, dict)
        where = context.place(record.name, path.rpartition("/")[0])
        params, metadata = json.fields(task.get("params")), json.fields(task.get("metadata"))
        own, response = json.fields(metadata.get("labelglot")), json.fields(task.get("response"))
        real = None if where.image is None else image_size(where.image)
        size = real or json.size(own)
        key = record.path or where.path
        annotations: list[Annotation] | None = None
        found = response.get("annotations")
        kind = task.get("type")
        if is_segmentation(response):
            annotations = list(read_segments(response, size, context, record.place, key, report))
        elif isinstance(found, list):
            items = [(f"{record.place}.annotations[{i}]", item) for i, item in enumerate(found)]

            def decode(item: tuple[str, Any]) -> Annotation:
                return _object(item[1], kind, item[0], key, report)

            annotations = list(
                decode_objects([(at, (at, item)) for at, item in items], decode, report, f"{OWNER}.object", key)
            )
        elif found is not None:
            report.problem(
                f"{OWNER}.response",
                f"the response to a task of type {kind!r} is not understood",
                record.place,
                severity="error",
                key=key,
                raw=found,
                action="skipped",
            )
        tags, attributes, nested = _of_image(response, own)
        segmented = is_segmentation(response)
        rest = {
            "task": json.rest(task, (*TASK, *(("type",) if segmented or kind == "imageannotation" else ()))),
            "params": json.rest(params, ("attachment", *(("geometries",) if own.get("made") is True else ()))),
            "metadata": json.rest(metadata, ("labelglot",)),
            "response": json.rest(
                response, ("annotations", "global_attributes", *(("labelMapping",) if segmented else ()))
            ),
            "global_attributes": nested,
        }
        if rest["task"].get("status") == ("pending" if task.get("response") is None else "completed"):
            del rest["task"]["status"]
        if rest["params"].get("attachment_type") == "image":
            del rest["params"]["attachment_type"]
        extra = {name: value for name, value in rest.items() if value}
        address, id_ = params.get("attachment"), task.get("task_id")
        return Sample(
            path=key,
            uri=address if isinstance(address, str) and address not in ("", key) else None,
            image=where.image,
            size=size,
            id=id_ if isinstance(id_, str) else None,
            tags=tuple(tags),
            attributes=attributes,
            annotations=None if annotations is None else tuple(annotations),
            extra={OWNER: extra} if extra else {},
        )

    def document_path(self, split: str | None, context: WriteContext) -> str:
        return context.document(DOCUMENT)

    def frame(self, split: str | None, context: WriteContext) -> tuple[bytes, bytes]:
        return b"[\n", b"\n]\n"

    def encode_record(self, sample: Sample, context: WriteContext, ordinal: int) -> bytes:
        extra = json.fields(sample.extra.get(OWNER))
        objects = [_write_object(a, context) for a in sample.annotations or ()]
        address = sample.uri or sample.path
        own: dict[str, Any] = {} if sample.size is None else dict(zip(("width", "height"), sample.size, strict=True))
        if _derived(address) != sample.path:
            own["path"] = sample.path
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in sample.attributes.items()}
        if CLASSES in plain:
            own["attributes"] = {CLASSES: plain.pop(CLASSES)}
        about = {**plain, **json.fields(extra.get("global_attributes"))}
        if sample.tags:
            about[CLASSES] = [context.name(tag.label) for tag in sample.tags]
        looked = sample.annotations is not None
        response = {
            **({"annotations": objects} if looked else {}), **({"global_attributes": about} if about else {}),
            **json.fields(extra.get("response")),
        }  # fmt: skip
        params = dict(json.fields(extra.get("params")))
        if "geometries" not in params:
            own["made"] = True
        params["geometries"] = _geometries(objects, json.fields(params.get("geometries")), context)
        metadata = {**json.fields(extra.get("metadata")), **({"labelglot": own} if own else {})}
        return json.dump({
            **({} if sample.id is None else {"task_id": sample.id}), "type": "imageannotation",
            "status": "completed" if response else "pending", **json.fields(extra.get("task")),
            "params": {"attachment": address, "attachment_type": "image", **params},
            **({"metadata": metadata} if metadata else {}), "response": response or None,
        })  # fmt: skip


def _object(item: Any, task: Any, place: str, key: str, report: Report) -> Annotation:
    if not isinstance(item, dict):
        raise LabelglotError("the annotation is no object")
    kind = type_of(item, task)
    if kind == "cuboid":
        report.problem(
            f"{OWNER}.cuboid", "the vertices of cuboids are not understood", place, key=key, action="kept without shape"
        )
    elif kind not in FIELDS:
        raise LabelglotError(f"annotations of type {kind!r} are not understood")
    bare = kind == "point" and "type" not in item and "x" not in item
    box, shape = (None, None) if kind == "cuboid" or bare else read_shape(kind, item)
    attributes, nested = json.attributes(item.get("attributes"))
    extra = json.rest(item, ("uuid", "label", "attributes", *(() if kind == "cuboid" else ("type", *FIELDS[kind]))))
    if nested:
        extra["attributes"] = nested
    label, id_ = item.get("label"), item.get("uuid")
    return Annotation(
        label=label if isinstance(label, str) and label else None, box=box, shape=shape, attributes=attributes,
        id=id_ if isinstance(id_, str) else None, extra={OWNER: extra} if extra else {},
    )  # fmt: skip


def _write_object(a: Annotation, context: WriteContext) -> dict[str, Any]:
    extra = dict(json.fields(a.extra.get(OWNER)))
    plain = {k: list(v) if isinstance(v, tuple) else v for k, v in a.attributes.items()}
    plain |= json.fields(extra.pop("attributes", None))
    drawn = write_shape(a)
    if drawn:
        extra = {k: v for k, v in extra.items() if k not in ("type", "vertices", "edges")}
    return {
        **({} if a.id is None else {"uuid": a.id}),
        **({} if a.label is None else {"label": context.name(a.label)}),
        **drawn,
        **({"attributes": plain} if plain else {}),
        **extra,
    }


def _of_image(
    response: Mapping[str, Any], own: Mapping[str, Any]
) -> tuple[list[Tag], dict[str, Attribute], dict[str, Any]]:
    """Classes and attributes of the image, and what is neither."""
    said = dict(json.fields(response.get("global_attributes")))
    classes = said.get(CLASSES)
    tags: list[Tag] = []
    if isinstance(classes, list) and all(isinstance(name, str) and name for name in classes):
        del said[CLASSES]
        tags = [Tag(label=name) for name in classes]
    category = response.get("category")
    listed = [category] if isinstance(category, str) else category if isinstance(category, list) else []
    tags += (
        [Tag(label=name) for name in listed if isinstance(name, str) and name] if "annotations" not in response else []
    )
    attributes, nested = json.attributes({**said, **json.fields(own.get("attributes"))})
    return tags, attributes, nested


def _choices(listed: Any, parent: str | None = None) -> Iterator[tuple[str, str | None, dict[str, Any]]]:
    """Name, parent and further fields of each class; a choice with others below it is none itself."""
    for item in listed if isinstance(listed, list) else ():
        about = {"choice": item} if isinstance(item, str) else json.fields(item)
        name, below = about.get("choice"), about.get("subchoices")
        if not isinstance(name, str) or not name:
            continue
        if isinstance(below, list) and below:
            yield from _choices(below, name)
        else:
            yield name, parent, json.rest(about, ("choice", "subchoices"))


def _declared(params: Mapping[str, Any]) -> Iterator[Label]:
    """The classes that a task asks for."""
    for about in json.fields(params.get("geometries")).values():
        for name, parent, more in _choices(json.fields(about).get("objects_to_annotate")):
            yield Label(key=name, name=name, parent=parent, extra={OWNER: more} if more else {})
    for name, parent, more in _choices(params.get("objects_to_annotate", params.get("labels"))):
        yield Label(key=name, name=name, parent=parent, extra={OWNER: more} if more else {})


def _geometries(objects: Sequence[Mapping[str, Any]], kept: Mapping[str, Any], context: WriteContext) -> dict[str, Any]:
    """What may be annotated: as it was asked for, with what else there is."""
    made = {kind: dict(json.fields(about)) for kind, about in kept.items()}
    known = {kind: {name for name, _, _ in _choices(about.get("objects_to_annotate"))} for kind, about in made.items()}
    everything = context.once(_all_choices)
    for item in objects:
        kind = item.get("type", "box")
        if kind not in made:
            made[kind] = {"objects_to_annotate": everything}
            known[kind] = {label.name for label in context.labels}
        label = item.get("label")
        if label is not None and label not in known[kind]:
            made[kind]["objects_to_annotate"] = [*json.items(made[kind].get("objects_to_annotate")), label]
            known[kind].add(label)
    return made or {"box": {"objects_to_annotate": everything}}


def _all_choices(context: WriteContext) -> list[Any]:
    """All classes, those of one parent together where the first of them stands."""
    made: list[Any] = []
    below: dict[str, list[Any]] = {}
    for label in context.labels:
        more = json.fields(label.extra.get(OWNER))
        item = {"choice": label.name, **more} if more else label.name
        if label.parent is None:
            made.append(item)
            continue
        if label.parent not in below:
            below[label.parent] = []
            made.append({"choice": label.parent, "subchoices": below[label.parent]})
        below[label.parent].append(item)
    return made


def _derived(address: str) -> str | None:
    """The path that an address tells."""
    return seen_from("", address) or next(iter(clean_foreign(address)), None)


def _evidence(source: Source, name: str) -> Match | None:
    value = json.peek(source.head(name, 1 << 15))
    items = [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict)]
    if any("task_id" in item and item.keys() & {"response", "params"} for item in items):
        return Match(0.95, f"{name} has tasks with task_id")
    if any("attachment" in json.fields(item.get("params")) for item in items):
        return Match(0.95, f"{name} has tasks with params.attachment")
    if not isinstance(value, dict) or "images" in value:
        return None
    if "labelMapping" in value:
        return Match(0.9, f"{name} is a response with labelMapping")
    found = value.get("annotations")
    listed = [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
    listed = [item for item in listed if isinstance(item.get("type"), str)]
    if any(item["type"] in TYPES and ("left" in item or "vertices" in item) for item in listed):
        return Match(0.8, f"{name} is a response with annotations")
    return None


__all__ = ["ScaleAi"]
