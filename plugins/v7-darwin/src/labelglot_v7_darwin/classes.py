"""The registry of classes, ``.v7/metadata.json``: an entry for each class and kind of annotation it is used for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from labelglot.plugin import Label, LabelglotError, ReadContext
from labelglot.schema import color_rgb
from labelglot.wire import json

from labelglot_v7_darwin.shapes import OWNER, Nodes

REGISTRY = ".v7/metadata.json"
RASTER = "__raster_layer__"
UNKNOWN_KIND = "bounding_box"
"""Kind written for a class that nothing uses."""
_SCHEMA = "https://darwin-public.s3.eu-west-1.amazonaws.com/darwin_json/metadata/1.0/schema.json"
_PLAIN: Mapping[str, Any] = {"description": None, "sub_types": [], "properties": []}
_KNOWN = ("name", "type", "color", "skeleton")
_RGBA = re.compile(r"rgba\((\d{1,3}),(\d{1,3}),(\d{1,3}),1(?:\.0)?\)")


class _Entry:
    """A class while the registry is read."""

    def __init__(self) -> None:
        self.color: str | None = None
        self.nodes: Nodes | None = None
        self.edges: tuple[tuple[int, int], ...] = ()
        self.types: dict[str, Any] = {}

    def add(self, raw: Mapping[str, Any]) -> None:
        rest = {k: v for k, v in json.rest(raw, _KNOWN).items() if k not in _PLAIN or v != _PLAIN[k]}
        color = raw.get("color")
        parsed = _RGBA.fullmatch(color) if isinstance(color, str) else None
        if parsed and all(int(c) < 256 for c in parsed.groups()):
            self.color = self.color or "#{:02x}{:02x}{:02x}".format(*map(int, parsed.groups()))
        elif color is not None:
            rest["color"] = color
        self.types.setdefault(str(raw.get("type")), rest)
        if isinstance(raw.get("skeleton"), dict):
            self.nodes, self.edges = _skeleton(raw["skeleton"])

    def label(self, name: str, found: Sequence[str]) -> Label:
        """``found``: names of nodes seen on objects, which count where the registry says nothing of nodes."""
        names = self.nodes.names if self.nodes is not None else tuple(found)
        return Label(
            key=name, name=name, color=self.color, keypoints=names or None, skeleton=self.edges if names else (),
            extra={OWNER: {"types": self.types}} if self.types else {},
        )  # fmt: skip


def _skeleton(raw: Mapping[str, Any]) -> tuple[Nodes, tuple[tuple[int, int], ...]]:
    listed = raw.get("nodes")
    nodes = [node for node in listed if isinstance(node, dict)] if isinstance(listed, list) else []
    names = tuple(node["name"] for node in nodes if isinstance(node.get("name"), str))
    if len(names) < len(nodes):
        return Nodes((), len(nodes)), ()
    place = {name: i for i, name in enumerate(names)}
    edges = raw.get("edges")
    pairs = [(e.get("from"), e.get("to")) for e in edges if isinstance(e, dict)] if isinstance(edges, list) else []
    known = [(a, b) for a, b in pairs if isinstance(a, str) and isinstance(b, str)]
    return Nodes(names), tuple((place[a], place[b]) for a, b in known if a in place and b in place)


def read_classes(
    context: ReadContext, items: Sequence[str], seen: Mapping[str, Sequence[str]]
) -> tuple[list[Label], dict[str, Nodes]]:
    """The classes, and the nodes of their skeletons. ``items``: files whose folder, or one around it, has the registry;
    ``seen``: classes of the objects, each with names of nodes.
    """
    entries: dict[str, _Entry] = {}
    for path in context.source.companions():
        beside = path.removesuffix(REGISTRY)
        if beside == path or (items and not any(item.startswith(beside) for item in items)):
            continue
        try:
            document = json.load(context.source.read(path), path, dict)
            listed = document.get("classes")
            if not isinstance(listed, list):
                raise LabelglotError("it lists no classes", path)
        except LabelglotError as error:
            context.report.problem("v7-darwin.classes", error.message, error.place or path, action="skipped")
            continue
        for position, raw in enumerate(listed):
            name = raw.get("name") if isinstance(raw, dict) else None
            if not isinstance(name, str) or not name.strip():
                context.report.problem(
                    "v7-darwin.classes", "a class without name", f"{path}#classes[{position}]", raw=raw, action="skipped"
                )
            elif name != RASTER:
                entries.setdefault(name.strip(), _Entry()).add(raw)
    for name in seen:
        entries.setdefault(name, _Entry())
    labels = [entry.label(name, seen.get(name, ())) for name, entry in entries.items()]
    nodes = {n: e.nodes if e.nodes is not None else Nodes(tuple(seen.get(n, ()))) for n, e in entries.items()}
    return labels, nodes


def write_classes(labels: Sequence[Label], used: Mapping[str, Iterable[str]], points: Mapping[str, int]) -> bytes:
    """``used``: kinds of annotations by key of the class; ``points``: number of keypoints of its objects."""
    classes: list[dict[str, Any]] = []
    kinds_in_all = {kind for kinds in used.values() for kind in kinds}
    if "mask" in kinds_in_all:
        classes.append({"name": RASTER, "type": "raster_layer", **_PLAIN})
    for label in labels:
        bag = label.extra.get(OWNER)
        known = bag.get("types") if isinstance(bag, dict) else None
        types: dict[str, Any] = dict(known) if isinstance(known, dict) else {}
        for kind in sorted(used.get(label.key, ())):
            types.setdefault(kind, {})
        if label.keypoints:
            types.setdefault("skeleton", {})
        if not types:
            types = {UNKNOWN_KIND: {}}
        for kind, rest in types.items():
            entry: dict[str, Any] = {"name": label.name, "type": kind, **_PLAIN}
            color = color_rgb(label.color)
            if color is not None:
                red, green, blue = color
                entry["color"] = f"rgba({red},{green},{blue},1.0)"
            if isinstance(rest, dict):
                entry |= rest
            if kind == "skeleton":
                entry["skeleton"] = _write_skeleton(label, points.get(label.key, 0))
            classes.append(entry)
    return json.dump_lines({"version": "1.0", "schema_ref": _SCHEMA, "classes": classes, "properties": []})


def _write_skeleton(label: Label, number: int) -> dict[str, Any]:
    """Nodes by name; without names, so that it is known how many there are, by number."""
    if not label.keypoints:
        return {"nodes": [{"id": i + 1} for i in range(number)], "edges": []}
    names = label.keypoints
    return {
        "nodes": [{"name": name} for name in names],
        "edges": [{"from": names[a], "to": names[b]} for a, b in label.skeleton],
    }


__all__ = ["RASTER", "REGISTRY", "read_classes", "write_classes"]
