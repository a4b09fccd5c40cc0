"""``annotation_definitions.json`` and its neighbours: classes, templates of keypoints, and what else a dataset says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from labelglot.plugin import Info, Label, LabelglotError, ReadContext, WriteContext, make_labels
from labelglot.wire import json

OWNER = "unity-solo"
TYPE = "type.unity.com/unity.solo."
DEFINITIONS, METADATA = "annotation_definitions.json", "metadata.json"
OTHERS = {"metric_definitions.json": "metricDefinitions", "sensor_definitions.json": "sensorDefinitions"}
BOXES, MASKS, POINTS = "bounding box", "instance segmentation", "keypoints"
"""Ids of the annotators that are written."""
KINDS = {BOXES: "BoundingBox2DAnnotation", MASKS: "InstanceSegmentationAnnotation", POINTS: "KeypointAnnotation"}
_OWN = frozenset(TYPE + kind for kind in KINDS.values())
_SENSOR = {"@type": f"{TYPE}RGBCamera", "id": "camera", "modality": "camera", "definition": ""}


class Classes(NamedTuple):
    """Keys of classes by name and by number."""

    by_name: Mapping[str, str]
    by_id: Mapping[int, str]


Template = tuple[tuple[str, ...], tuple[tuple[int, int], ...]]
"""Names of keypoints, and edges between them."""


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _documents(name: str, context: ReadContext) -> Iterable[dict[str, Any]]:
    for path in context.source.companions():
        if path != name and not path.endswith(f"/{name}"):
            continue
        try:
            yield json.load(context.source.read(path), path, dict)
        except (LabelglotError, OSError) as error:
            context.report.problem("unity-solo.definitions", str(error), path, action="skipped")


def read_definitions(
    context: ReadContext, seen: Iterable[tuple[Any, Any]], templates: Mapping[int, str]
) -> tuple[tuple[Label, ...], Classes, Info]:
    """Classes and facts of a dataset. ``seen``: (number, name) of classes of objects; ``templates``: id of the template of
    each class whose objects have keypoints.
    """
    classes: dict[str, int | None] = {}
    points: dict[str, Template] = {}
    of_class: dict[str, str] = {}
    others: list[dict[str, Any]] = []
    for document in _documents(DEFINITIONS, context):
        for definition in _list(document.get("annotationDefinitions")):
            spec = [(e.get("label_id"), e.get("label_name")) for e in _list(definition.get("spec"))]
            if definition.get("@type") == TYPE + KINDS[POINTS]:
                template = _dict(definition.get("template"))
                points[str(template.get("templateId"))] = _template(template)
                of_class |= {name: str(template.get("templateId")) for _, name in spec if isinstance(name, str)}
            elif str(definition.get("@type")) not in _OWN:
                others.append(definition)
            _add(classes, spec)
    _add(classes, seen)
    names = {id_: name for name, id_ in classes.items() if id_ is not None}
    of_class = {**{names[id_]: template for id_, template in templates.items() if id_ in names}, **of_class}
    labels = []
    for name, id_ in classes.items():
        known, edges = points.get(of_class.get(name, ""), ((), ()))
        labels.append(Label(key=name, name=name, id=id_, keypoints=known or None, skeleton=edges))
    made = make_labels(labels)
    extra: dict[str, Any] = {"definitions": others} if others else {}
    for file, key in OTHERS.items():
        listed = [each for document in _documents(file, context) for each in _list(document.get(key)) if each != _SENSOR]
        extra |= {key: listed} if listed else {}
    known_facts = ("totalFrames", "totalSequences", "sensors", "annotators")
    facts = {key: value for d in _documents(METADATA, context) for key, value in json.rest(d, known_facts).items()}
    extra |= {"metadata": facts} if facts else {}
    by_id = {label.id: label.key for label in reversed(made) if isinstance(label.id, int)}
    info = Info(extra={OWNER: extra} if extra else {})
    return made, Classes({label.name: label.key for label in reversed(made)}, by_id), info


def _add(classes: dict[str, int | None], spec: Iterable[tuple[Any, Any]]) -> None:
    for id_, name in spec:
        if isinstance(name, str) and name:
            whole = id_ if type(id_) is int else None
            classes[name] = classes.get(name) if classes.get(name) is not None else whole


def _template(raw: Mapping[str, Any]) -> Template:
    listed = sorted(_list(raw.get("keypoints")), key=lambda point: point["index"] if type(point.get("index")) is int else 0)
    names = tuple(str(point.get("label", i)) for i, point in enumerate(listed))
    ends = [(edge.get("joint1"), edge.get("joint2")) for edge in _list(raw.get("skeleton"))]
    inside = range(len(names))
    return names, tuple((a, b) for a, b in ends if type(a) is type(b) is int and a in inside and b in inside)


def write_definitions(context: WriteContext, sequences: int) -> Iterable[tuple[str, bytes]]:
    """The files of a dataset as a whole, by name."""
    bag = context.info.extra.get(OWNER)
    extra: Mapping[str, Any] = bag if isinstance(bag, dict) else {}
    spec = [_spec(label) for label in context.labels]
    definitions: list[dict[str, Any]] = [
        {"@type": TYPE + KINDS[id_], "id": id_, "description": "", "spec": spec} for id_ in (BOXES, MASKS)
    ]
    for label in context.labels:
        if label.keypoints:
            definitions.append(_keypoints(label))
    others = _list(extra.get("definitions"))
    yield DEFINITIONS, json.dump_lines({"annotationDefinitions": definitions + others})
    yield "sensor_definitions.json", json.dump_lines({"sensorDefinitions": _list(extra.get("sensorDefinitions")) or [_SENSOR]})
    yield "metric_definitions.json", json.dump_lines({"metricDefinitions": _list(extra.get("metricDefinitions"))})
    annotators = [{"name": d.get("id"), "type": d.get("@type")} for d in definitions + others]
    facts = {"totalFrames": context.total, "totalSequences": sequences, "sensors": ["camera"], "annotators": annotators}
    yield METADATA, json.dump_lines({**_dict(extra.get("metadata")), **facts})


def _spec(label: Label) -> dict[str, Any]:
    return {"label_id": label.id, "label_name": label.name}


def _keypoints(label: Label) -> dict[str, Any]:
    names: Sequence[str] = label.keypoints or ()
    white = [255, 255, 255, 255]
    return {
        "@type": TYPE + KINDS[POINTS], "id": f"{POINTS} {label.id}", "description": "", "spec": [_spec(label)],
        "template": {
            "templateId": template_of(label), "templateName": label.name,
            "keypoints": [{"label": name, "index": i, "color": white} for i, name in enumerate(names)],
            "skeleton": [{"joint1": a, "joint2": b, "color": white} for a, b in label.skeleton],
        },
    }  # fmt: skip


def template_of(label: Label) -> str:
    """Id of the template of a class."""
    return f"template {label.id}"


__all__ = [
    "BOXES", "DEFINITIONS", "KINDS", "MASKS", "OWNER", "POINTS", "TYPE", "Classes", "read_definitions", "template_of",
    "write_definitions",
]  # fmt: skip
