"""``meta.json``: classes with their graphs of keypoints, and what tags there are with what kind of value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from labelglot.plugin import Info, Label, LabelglotError, Problem, WriteContext
from labelglot.schema import Attribute
from labelglot.wire import json

OWNER = "supervisely"
META = "meta.json"
_CLASS = ("id", "title", "color", "shape", "geometry_config")
_DOCUMENT = ("classes", "tags", "projectType")
WORDS = ("true", "false")
"""Values of tags that are yes or no: Supervisely knows them only as two words to choose from."""


class Graph(NamedTuple):
    """The keypoints of a class: the ids of its nodes and their names. A graph without names is only so many points."""

    ids: tuple[str, ...] = ()
    names: tuple[str, ...] | None = None


class Meta(NamedTuple):
    """What reading an object needs to know: keys of classes by title, their shapes and graphs, and the names of tags
    that are yes or no.
    """

    keys: Mapping[str, str] = {}
    shapes: Mapping[str, str] = {}
    graphs: Mapping[str, Graph] = {}
    yes_no: frozenset[str] = frozenset()
    ids: Mapping[str, int | str | None] = {}


def read_meta(data: bytes, path: str) -> tuple[list[Label], Info, Meta]:
    """Raises LabelglotError if there are no classes in it."""
    document: dict[str, Any] = json.load(data, path, dict)
    listed = document.get("classes")
    if not isinstance(listed, list):
        raise LabelglotError("it lists no classes", path)
    labels: dict[str, Label] = {}
    shapes: dict[str, str] = {}
    graphs: dict[str, Graph] = {}
    for raw in listed:
        title = raw.get("title") if isinstance(raw, dict) else None
        if not isinstance(title, str) or title in labels:
            continue
        shapes[title] = str(raw.get("shape", "any"))
        graph, edges = _graph(raw.get("geometry_config"))
        graphs[title] = graph
        labels[title] = _label(raw, title, graph, edges)
    tags = document.get("tags")
    known = [tag for tag in tags if isinstance(tag, dict) and isinstance(tag.get("name"), str)] if isinstance(tags, list) else []
    yes_no = frozenset(t["name"] for t in known if t.get("value_type") == "oneof_string" and _is_words(t.get("values")))
    extra = {**json.rest(document, _DOCUMENT), **({"tags": known} if known else {})}
    if document.get("projectType", "images") != "images":
        extra["projectType"] = document["projectType"]
    info = Info(extra={OWNER: extra} if extra else {})
    return list(labels.values()), info, Meta(
        {title: title for title in labels}, shapes, graphs, yes_no, {title: label.id for title, label in labels.items()}
    )


def _is_words(values: Any) -> bool:
    return isinstance(values, list) and sorted(map(str, values)) == sorted(WORDS)


def _label(raw: Mapping[str, Any], title: str, graph: Graph, edges: tuple[tuple[int, int], ...]) -> Label:
    extra = json.rest(raw, _CLASS)
    if raw.get("shape") is not None:
        extra["shape"] = raw["shape"]
    made = _config(graph.ids if graph.names is None else graph.names, graph.names is not None, edges)
    config = raw.get("geometry_config")
    if config and config != made:
        extra["geometry_config"] = config
    id_, color = raw.get("id"), raw.get("color")
    return Label(
        key=title, name=title, id=id_ if type(id_) is int else None, color=color if isinstance(color, str) else None,
        keypoints=graph.names, skeleton=edges if graph.names else (), extra={OWNER: extra} if extra else {},
    )  # fmt: skip


def _graph(config: Any) -> tuple[Graph, tuple[tuple[int, int], ...]]:
    nodes = config.get("nodes") if isinstance(config, dict) else None
    if not isinstance(nodes, dict) or not nodes:
        return Graph(), ()
    ids = tuple(nodes)
    labels = [node.get("label") if isinstance(node, dict) else None for node in nodes.values()]
    named = any(isinstance(label, str) and label for label in labels)
    names = [label if isinstance(label, str) and label else id_ for id_, label in zip(ids, labels, strict=True)]
    place = {id_: i for i, id_ in enumerate(ids)}
    listed = config.get("edges")
    ends = [(e.get("src"), e.get("dst")) for e in listed if isinstance(e, dict)] if isinstance(listed, list) else []
    edges = tuple((place[a], place[b]) for a, b in ends if isinstance(a, str) and isinstance(b, str) and a in place and b in place)
    return Graph(ids, tuple(names) if named else None), edges


def _config(ids: Sequence[str], named: bool, edges: Iterable[tuple[int, int]]) -> dict[str, Any]:
    """The graph of a class whose nodes are called by their names."""
    nodes: dict[str, dict[str, Any]] = {id_: {"loc": [0, 0], **({"label": id_} if named else {})} for id_ in ids}
    return {"nodes": nodes, "edges": [{"src": ids[a], "dst": ids[b], "label": ""} for a, b in edges]}


class TagMeta(NamedTuple):
    """How values of a tag are written. ``words``: yes and no as words; ``odd``: other values than the tag may have."""

    entry: Mapping[str, Any]
    words: bool
    odd: bool


class Written(NamedTuple):
    """What writing needs to know: nodes by key of the class, and tags by name."""

    graphs: Mapping[str, Sequence[str]]
    configs: Mapping[str, Mapping[str, Any]]
    tags: Mapping[str, TagMeta]


def written(context: WriteContext) -> Written:
    """Worked out once for all images."""
    graphs: dict[str, Sequence[str]] = {}
    configs: dict[str, Mapping[str, Any]] = {}
    for label in context.labels:
        number = context.keypoints.get(label.key, 0)
        if not label.keypoints and not number:
            continue
        known = _bag(label.extra).get("geometry_config")
        graph, edges = _graph(known)
        if isinstance(known, dict) and graph.names == label.keypoints and edges == label.skeleton and len(graph.ids) >= number:
            graphs[label.key], configs[label.key] = graph.ids, known
            continue
        names = label.keypoints or ()
        # Two nodes of one name need two ids.
        ids = [n if n not in names[:i] else f"{n} {i + 1}" for i, n in enumerate(names)]
        ids += [str(i + 1) for i in range(len(ids), number)]
        graphs[label.key] = ids
        config = _config(ids, bool(names), label.skeleton)
        for id_, name in zip(ids, names, strict=False):
            config["nodes"][id_]["label"] = name
        configs[label.key] = config
    return Written(graphs, configs, _tags(context))


def _tags(context: WriteContext) -> dict[str, TagMeta]:
    kinds: dict[str, set[str]] = {}
    for attributes in (context.sample_attributes, *context.attributes.values()):
        for name, seen in attributes.items():
            kinds.setdefault(name, set()).update(seen)
    listed = _bag(context.info.extra).get("tags")
    known = {t["name"]: t for t in listed if isinstance(t, dict) and isinstance(t.get("name"), str)} if isinstance(listed, list) else {}
    return {name: _tag(name, known.get(name), kinds.get(name, set())) for name in (*known, *(k for k in kinds if k not in known))}


def _tag(name: str, known: Mapping[str, Any] | None, kinds: set[str]) -> TagMeta:
    if known is not None:
        value_type = known.get("value_type")
        words = value_type == "oneof_string" and _is_words(known.get("values"))
        fitting = {"bool"} if words or value_type == "none" else {"int", "float"} if value_type == "any_number" else {"str"}
        if kinds <= fitting:
            return TagMeta(known, words, False)
    words, numbers = kinds == {"bool"}, bool(kinds) and kinds <= {"int", "float"}
    value_type = "oneof_string" if words else "any_number" if numbers else "any_string"
    entry = {"name": name, "value_type": value_type, **({"values": list(WORDS)} if words else {})}
    return TagMeta(entry, words, len(kinds) > 1 and not numbers)


def read_value(tag: Mapping[str, Any], meta: Meta) -> Attribute:
    """The value of a tag of an object; one without value is true. Raises LabelglotError for what is no plain value."""
    value = tag.get("value")
    if value is None:
        return True
    if tag["name"] in meta.yes_no and value in WORDS:
        return bool(value == "true")
    if isinstance(value, bool | int | float | str):
        return value
    raise LabelglotError(f"the value of the tag {tag['name']!r} is {type(value).__name__}")


def write_tag(name: str, value: Attribute, tables: Written) -> dict[str, Any]:
    """A tag with its value, spelled as its declaration says."""
    known = tables.tags.get(name)
    spelled: Any = value
    if isinstance(value, bool) and known is not None:
        if known.words:
            spelled = WORDS[not value]
        elif value and known.entry.get("value_type") == "none":
            spelled = None
    return {"name": name, "value": spelled}


def doubts(names: Iterable[str], tables: Written, key: str) -> Iterable[Problem]:
    """Tags that have values of several kinds, of which Supervisely takes one."""
    for name in names:
        if name in tables.tags and tables.tags[name].odd:
            yield Problem(
                "supervisely.tag", f"the tag {name!r} has values of several kinds, Supervisely takes texts", key=key,
                action="written as they are",
            )  # fmt: skip


def write_meta(context: WriteContext, used: Mapping[str, set[str]], labels: Iterable[str]) -> bytes:
    """``used``: kinds of geometry by key of the class; ``labels``: names of image-level classes, tags without value."""
    tables = context.once(written)
    classes = []
    for label in context.labels:
        extra = dict(_bag(label.extra))
        config, shape = tables.configs.get(label.key) or extra.get("geometry_config"), extra.pop("shape", None)
        extra.pop("geometry_config", None)
        kinds = used.get(label.key, set())
        usual = next(iter(kinds)) if len(kinds) == 1 else "graph" if label.keypoints and not kinds else "any"
        entry: dict[str, Any] = {
            "title": label.name,
            "shape": shape if isinstance(shape, str) and (shape == "any" or kinds <= {shape}) else usual,
        }
        if label.color is not None:
            entry["color"] = label.color
        if label.id is not None:
            entry["id"] = label.id
        entry |= {"geometry_config": config} if config else {}
        classes.append({**entry, **extra})
    tags = [{**tag.entry} for tag in tables.tags.values()]
    tags += [{"name": name, "value_type": "none"} for name in dict.fromkeys(labels) if name not in tables.tags]
    document = {**_bag(context.info.extra), "classes": classes, "tags": tags}
    return json.dump_lines({"projectType": "images", **document})


def _bag(extra: Mapping[str, Any]) -> Mapping[str, Any]:
    bag = extra.get(OWNER)
    return bag if isinstance(bag, dict) else {}


__all__ = ["META", "OWNER", "Graph", "Meta", "Written", "doubts", "read_meta", "read_value", "write_meta", "write_tag", "written"]
