"""Classes of Open Images: codes (MIDs) with names to show, and a tree of codes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from labelglot.plugin import Label, LabelglotError, ReadContext, make_labels
from labelglot.wire import json

from labelglot_open_images.tables import row_of

FILE = "annotations/class-descriptions.csv"
HIERARCHY = "annotations/bbox_labels_600_hierarchy.json"
ROOT = "/m/0bl9f"
"""The code of "Entity", which is above everything and no class."""


def read_classes(context: ReadContext, seen: Iterable[str]) -> tuple[Label, ...]:
    """The classes of all lists, then those that occur without being listed."""
    names: dict[str, str] = {}
    for path in context.source.match("*class-descriptions*.csv", "classes.csv"):
        text = context.source.read(path).decode("utf-8-sig", "replace").replace("\0", "")
        try:
            for cells in csv.reader(io.StringIO(text, newline="")):
                if len(cells) > 1 and cells[:2] != ["LabelName", "DisplayName"] and cells[0]:
                    names.setdefault(cells[0], cells[1])
        except csv.Error as error:
            context.report.problem("open-images.classes", str(error), path, action="the rows before count")
    for code in seen:
        names.setdefault(code, code)
    above = _parents(context)
    labels = []
    for code, name in names.items():
        parent = above.get(code)
        shown = None if parent is None else names.get(parent, parent)
        labels.append(Label(key=name, name=name, id=code, parent=shown))
    return make_labels(labels)


def _parents(context: ReadContext) -> dict[str, str]:
    """The code above each code."""
    found: dict[str, str] = {}
    for path in context.source.match("*hierarchy*.json"):
        try:
            stack: list[Any] = [json.load(context.source.read(path), path)]
        except LabelglotError as error:
            context.report.problem("open-images.hierarchy", error.message, path, action="not used")
            continue
        while stack:
            node = stack.pop()
            below = node.get("Subcategory") if isinstance(node, dict) else None
            for child in below if isinstance(below, list) else ():
                if isinstance(child, dict) and isinstance(child.get("LabelName"), str):
                    if isinstance(node.get("LabelName"), str) and node["LabelName"] != ROOT:
                        found.setdefault(child["LabelName"], node["LabelName"])
                    stack.append(child)
    return found


def write_classes(labels: Sequence[Label]) -> bytes:
    """A code and a name per line."""
    return "".join(row_of((label.id, label.name)) for label in labels).encode()


def write_hierarchy(labels: Sequence[Label]) -> bytes | None:
    """The tree, ``None`` if no class has another above it."""
    codes: Mapping[str, str] = {label.name: str(label.id) for label in reversed(labels)}
    below: dict[str, list[dict[str, str]]] = {}
    for label in labels:
        if label.parent is not None:
            below.setdefault(codes.get(label.parent, label.parent), []).append({"LabelName": str(label.id)})
    if not below:
        return None
    nodes = [{"LabelName": code, "Subcategory": children} for code, children in below.items()]
    return json.dump_lines({"LabelName": ROOT, "Subcategory": nodes})
