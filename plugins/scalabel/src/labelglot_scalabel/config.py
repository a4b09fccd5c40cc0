"""The class tree of a Scalabel ``config``: its leaves in order are the classes, what is above a leaf is its parent."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from labelglot.plugin import Label, LabelglotError, ReadContext
from labelglot.wire import json
from labelglot.wire.rle import read_color, write_color

OWNER = "scalabel"
_LEAF = ("name", "color", "keypoints", "skeleton", "subcategories")


def load_config(context: ReadContext) -> dict[str, Any] | None:
    """The configuration in the file that the user named, TOML or JSON."""
    path: str | None = context.options.config
    if path is None:
        return None
    data = context.source.read(path)
    if not path.lower().endswith(".toml"):
        return json.load(data, path, dict[str, Any])
    try:
        return tomllib.loads(json.unmark(data).decode("utf-8", "replace"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise LabelglotError(f"not valid TOML: {error}", path) from error


def read_labels(config: Mapping[str, Any]) -> list[Label]:
    """The classes of a configuration, each name once."""
    found: dict[str, Label] = {}
    for parent, leaf in _leaves(config.get("categories"), None, 0):
        name = leaf["name"]
        extra = {key: value for key, value in leaf.items() if key not in _LEAF}
        points = leaf.get("keypoints")
        names = tuple(points) if isinstance(points, list) and all(isinstance(p, str) for p in points) and points else None
        found.setdefault(
            name,
            Label(
                key=name, name=name, parent=parent, keypoints=names,
                skeleton=_pairs(leaf.get("skeleton"), len(names or ())),
                color=read_color(leaf.get("color")),
                extra={OWNER: extra} if extra else {},
            ),
        )  # fmt: skip
    return list(found.values())


def _leaves(nodes: Any, parent: str | None, depth: int) -> Iterator[tuple[str | None, dict[str, Any]]]:
    for node in nodes if isinstance(nodes, list) and depth < json.PEEK_DEPTH else ():
        if isinstance(node, str):
            yield parent, {"name": node}
        elif isinstance(node, dict) and isinstance(node.get("name"), str):
            if node.get("subcategories"):
                yield from _leaves(node["subcategories"], node["name"], depth + 1)
            else:
                yield parent, {key: value for key, value in node.items() if value is not None}


def _pairs(value: Any, number: int) -> tuple[tuple[int, int], ...]:
    pairs = value if isinstance(value, list) else []
    return tuple(
        (p[0], p[1])
        for p in pairs
        if isinstance(p, list) and len(p) == 2 and all(type(v) is int and 0 <= v < number for v in p)
    )


def unlike_ours(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a configuration has to be kept because it would not be written anew."""
    tree: Any = json.load(json.dump(write_config(read_labels(config), {})["categories"]), "")
    return {key: value for key, value in config.items() if value is not None and (key, value) != ("categories", tree)}


def write_config(labels: Sequence[Label], stored: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration as it was read if it means these classes, else with a new tree."""
    if stored.get("categories") and [label.replace(key=label.name) for label in labels] == read_labels(stored):
        return dict(stored)
    tree: list[dict[str, Any]] = []
    for label in labels:
        leaf: dict[str, Any] = {"name": label.name, **label.extra.get(OWNER, {})}
        if label.color is not None:
            leaf["color"] = write_color(label.color)
        if label.keypoints:
            leaf["keypoints"] = label.keypoints
        if label.skeleton:
            leaf["skeleton"] = label.skeleton
        if label.parent is None:
            tree.append(leaf)
        elif tree and tree[-1]["name"] == label.parent and "subcategories" in tree[-1]:
            tree[-1]["subcategories"].append(leaf)
        else:
            tree.append({"name": label.parent, "subcategories": [leaf]})
    return {**stored, "categories": tree}
