"""The ``categories`` of a Datumaro document: labels, colours and the points of skeletons, each by position of the label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from labelglot.plugin import Label, make_labels
from labelglot.wire import json
from labelglot.wire.rle import read_color, write_color

OWNER = "datumaro"
_LABEL = ("name", "parent", "color")


def read_labels(categories: Mapping[str, Any]) -> tuple[Label, ...]:
    """The classes in order. What is not understood rides along: names of attributes, positions of points."""
    found = []
    colours, skeletons = dict(_colours(categories)), dict(_skeletons(categories))
    for number, each in enumerate(_objects(json.fields(categories.get("label")), "labels")):
        name = str(each.get("name", f"class_{number}"))
        extra = {key: value for key, value in each.items() if key not in _LABEL and value != []}
        names, joints, more = skeletons.get(number, ((), (), {}))
        if more:
            extra["points"] = more
        parent = each.get("parent")
        found.append(
            Label(
                key=name, name=name, id=number, parent=parent if isinstance(parent, str) and parent else None,
                color=colours.get(number, read_color(each.get("color"))), keypoints=names or None, skeleton=joints, extra={OWNER: extra} if extra else {},
            )
        )  # fmt: skip
    return make_labels(found)


def rest_of(categories: Mapping[str, Any]) -> dict[str, Any]:
    """What categories say besides the classes: groups of labels, attributes of all, other kinds."""
    label = json.fields(categories.get("label"))
    more = {key: value for key, value in label.items() if key != "labels" and value not in ([], None)}
    others = {key: value for key, value in categories.items() if key not in ("label", "mask", "points")}
    return {**others, **({"label": more} if more else {})}


def write_categories(labels: Sequence[Label], stored: Mapping[str, Any]) -> dict[str, Any]:
    """The categories of these classes, with what was read besides."""
    listed: list[dict[str, Any]] = []
    colours: list[dict[str, Any]] = []
    points: list[dict[str, Any]] = []
    for number, label in enumerate(labels):
        extra = dict(label.extra.get(OWNER, {}))
        more = extra.pop("points", {})
        listed.append({"name": label.name, "parent": label.parent or "", "attributes": [], **extra})
        color = None if label.color is None else write_color(label.color)
        if isinstance(color, list):
            colours.append({"label_id": number, **dict(zip("rgb", color, strict=True))})
        elif color is not None:
            listed[-1]["color"] = color
        if label.keypoints:
            points.append({"label_id": number, "labels": label.keypoints, "joints": label.skeleton, **more})
    known = {"label_groups": [], "attributes": [], **json.fields(stored.get("label"))}
    made: dict[str, Any] = {**stored, "label": {"labels": listed, **known}}
    if colours:
        made["mask"] = {"colormap": colours}
    if points:
        made["points"] = {"items": points}
    return made


def _objects(value: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    listed = value.get(key)
    return [json.fields(each) for each in listed] if isinstance(listed, list) else []


def _colours(categories: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    for each in _objects(json.fields(categories.get("mask")), "colormap"):
        number: Any = each.get("label_id")
        colour: list[Any] = [each.get(channel) for channel in "rgb"]
        if type(number) is int and (color := read_color(colour)) is not None:
            yield number, color


def _skeletons(categories: Mapping[str, Any]) -> Iterator[tuple[int, tuple[tuple[str, ...], tuple[tuple[int, int], ...], dict[str, Any]]]]:
    """By number of the class: names of the points, edges, and what else is said of them.

    Edges count from 0; those that came from COCO count from 1, and as a rule name the last point by a number too high.
    """
    for each in _objects(json.fields(categories.get("points")), "items"):
        number, names, joints = each.get("label_id"), each.get("labels"), each.get("joints")
        if type(number) is not int or not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            continue
        listed = joints if isinstance(joints, list) else []
        pairs = [tuple(p) for p in listed if isinstance(p, list) and len(p) == 2 and all(type(v) is int for v in p)]
        base = 1 if any(len(names) in p for p in pairs) and not any(0 in p for p in pairs) else 0
        kept = tuple((a - base, b - base) for a, b in pairs if 0 <= a - base < len(names) and 0 <= b - base < len(names))
        more = {key: value for key, value in each.items() if key not in ("label_id", "labels", "joints") and value not in ([], None)}
        if base or len(kept) != len(listed):
            more["joints"] = joints
        yield number, (tuple(names), kept, more)
