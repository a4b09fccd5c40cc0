"""``classes/classes.json``: classes with colours and groups of attributes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from labelglot.plugin import AttributeSpec, Label, LabelglotError, ReadContext, make_labels
from labelglot.wire import json

OWNER = "superannotate"
CLASSES = "classes/classes.json"
Kind = Literal["text", "number", "boolean", "choice", "choices"]
GROUPS: Mapping[Kind, str] = {
    "text": "text", "number": "numeric", "choice": "radio", "choices": "checklist", "boolean": "boolean",
}  # fmt: skip
"""Kinds of attributes as ``group_type``; ``boolean`` is no word of SuperAnnotate's."""
_CLASS = ("id", "name", "color", "attribute_groups", "skeleton")
_GROUP = ("name", "is_multiselect", "group_type", "attributes", "default_value", "mutable")


class Classes(NamedTuple):
    """What reading an object needs to know. Keys of labels by name and by id; attributes and groups by their ids, as
    (group, attribute); the groups of each label that take several values.
    """

    by_name: Mapping[str, str]
    by_id: Mapping[int, str]
    attributes: Mapping[int, tuple[str, str]]
    groups: Mapping[int, str]
    several: Mapping[str, frozenset[str]]


def read_classes(context: ReadContext, points: Mapping[str, Any]) -> tuple[tuple[Label, ...], Classes]:
    """The classes of all lists in the source. ``points``: skeletons seen on objects by name of the class, as (names,
    edges), which count where the list says nothing.
    """
    entries: dict[str, dict[str, Any]] = {}
    for path in context.source.companions():
        if path != CLASSES and not path.endswith(f"/{CLASSES}"):
            continue
        try:
            listed = json.load(context.source.read(path), path, list)
        except LabelglotError as error:
            context.report.problem("superannotate.classes", error.message, error.place or path, action="skipped")
            continue
        for position, raw in enumerate(listed):
            if isinstance(raw, dict) and isinstance(raw.get("name"), str):
                entries.setdefault(raw["name"], raw)
            else:
                context.report.problem(
                    "superannotate.classes", "a class without name", f"{path}#[{position}]", raw=raw, action="skipped"
                )
    for name in points:
        entries.setdefault(name, {"name": name})
    attributes: dict[int, tuple[str, str]] = {}
    groups: dict[int, str] = {}
    labels = make_labels([_label(raw, points.get(name), attributes, groups) for name, raw in entries.items()])
    several = {label.key: frozenset(s.name for s in label.attributes if s.kind == "choices") for label in labels}
    by_id = {label.id: label.key for label in labels if isinstance(label.id, int)}
    return labels, Classes({label.name: label.key for label in labels}, by_id, attributes, groups, several)


def _label(
    raw: Mapping[str, Any], seen: Any, attributes: dict[int, tuple[str, str]], groups: dict[int, str]
) -> Label:
    own = raw.get("skeleton")
    names, edges = seen if seen is not None and not isinstance(own, dict) else _skeleton(own)
    listed = raw.get("attribute_groups")
    found = [g for g in listed if isinstance(g, dict)] if isinstance(listed, list) else []
    specs = [s for group in found if (s := _spec(group, attributes, groups)) is not None]
    id_, color = raw.get("id"), raw.get("color")
    extra = json.rest(raw, _CLASS)
    return Label(
        key=raw["name"], name=raw["name"], id=id_ if type(id_) is int else None,
        color=color if isinstance(color, str) else None, keypoints=names or None, skeleton=edges if names else (),
        attributes=tuple(specs), extra={OWNER: extra} if extra else {},
    )  # fmt: skip


def _skeleton(raw: Any) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...]]:
    """Names of keypoints and edges between them, as the writer puts them beside a class."""
    names = raw.get("points") if isinstance(raw, dict) else None
    edges = raw.get("connections") if isinstance(raw, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return (), ()
    whole = [e for e in edges if isinstance(e, list) and len(e) == 2] if isinstance(edges, list) else []
    inside = range(len(names))
    return tuple(names), tuple((a, b) for a, b in whole if type(a) is type(b) is int and a in inside and b in inside)


def _spec(
    raw: Mapping[str, Any], attributes: dict[int, tuple[str, str]], groups: dict[int, str]
) -> AttributeSpec | None:
    name = raw.get("name")
    if not isinstance(name, str):
        return None
    if type(raw.get("id")) is int:
        groups[raw["id"]] = name
    listed = raw.get("attributes")
    values = [v for v in listed if isinstance(v, dict) and isinstance(v.get("name"), str)] if isinstance(listed, list) else []
    for value in values:
        if type(value.get("id")) is int:
            attributes[value["id"]] = (name, value["name"])
    words = {word: kind for kind, word in GROUPS.items()}
    kind = words.get(str(raw.get("group_type")), "choices" if raw.get("is_multiselect") else "choice")
    default = raw.get("default_value")
    extra = json.rest(raw, _GROUP)
    details = [{k: v for k, v in value.items() if k != "name"} for value in values]
    if any(details):
        extra["attributes"] = details
    return AttributeSpec(
        name=name, kind=kind, values=tuple(v["name"] for v in values), mutable=raw.get("mutable") is True,
        default=tuple(map(str, default)) if isinstance(default, list) else default if not isinstance(default, dict) else None,
        extra={OWNER: extra} if extra else {},
    )  # fmt: skip


def write_classes(labels: Iterable[Label]) -> bytes:
    """The list of classes."""
    return json.dump_lines([_write(label) for label in labels])


def _write(label: Label) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": label.id, "name": label.name}
    if label.color is not None:
        entry["color"] = label.color
    entry["attribute_groups"] = [_write_spec(spec) for spec in label.attributes]
    if label.keypoints:
        entry["skeleton"] = {"points": label.keypoints, "connections": label.skeleton}
    return {**entry, **_bag(label.extra)}


def _write_spec(spec: AttributeSpec) -> dict[str, Any]:
    extra = dict(_bag(spec.extra))
    details = extra.pop("attributes", ())
    known: Sequence[Any] = details if isinstance(details, list) else ()
    values = [{"name": v, **(known[i] if i < len(known) and isinstance(known[i], dict) else {})} for i, v in enumerate(spec.values)]
    entry: dict[str, Any] = {"name": spec.name, "is_multiselect": int(spec.kind == "choices"), "group_type": GROUPS[spec.kind]}
    if spec.default is not None:
        entry["default_value"] = spec.default
    if spec.mutable:
        entry["mutable"] = True
    return {**entry, "attributes": values, **extra}


def _bag(extra: Mapping[str, Any]) -> Mapping[str, Any]:
    bag = extra.get(OWNER)
    return bag if isinstance(bag, dict) else {}


__all__ = ["CLASSES", "OWNER", "Classes", "read_classes", "write_classes"]
