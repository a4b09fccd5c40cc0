"""The class table in ``meta``: classes, skeletons with their sub-labels, declared attributes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from labelglot.errors import LabelglotError
from labelglot.plugin import AttributeSpec, Label, Report
from labelglot.schema import Attribute
from labelglot.wire.text import spell
from labelglot.wire.xml import Element, escape, parse, quote

from labelglot_cvat.meta import OWNER, Tree, render, text_of, tree_of

Kind = Literal["text", "number", "boolean", "choice", "choices"]

INPUTS: Mapping[str, Kind] = {
    "text": "text", "number": "number", "checkbox": "boolean", "select": "choice", "radio": "choice",
}  # fmt: skip
USUAL: Mapping[Kind, str] = {
    "text": "text", "number": "number", "boolean": "checkbox", "choice": "select", "choices": "select",
}  # fmt: skip
DECLARES = ("default_value", "values", "multiple")
"""An attribute with none of these is only known by its name: objects use it, nobody declared it."""


class _Entry:
    """A class while the table is read. ``points``: names of its sub-labels; ``None``: no skeleton."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.points: list[str] | None = None
        self.skeleton: tuple[tuple[int, int], ...] = ()
        self.color: str | None = None
        self.attributes: list[AttributeSpec] = []
        self.extra: dict[str, Any] = {}
        self.sublabels: dict[str, list[list[Any]]] = {}
        self.declared = False

    def label(self) -> Label:
        """The class. What the writer would write anyway is not kept apart."""
        extra = {**self.extra, **({"sublabels": self.sublabels} if self.sublabels else {})}
        if extra.get("type") == ("skeleton" if self.points else "any"):
            del extra["type"]
        if self.points and extra.get("svg") == template(self.points, self.skeleton):
            del extra["svg"]
        return Label(
            key=self.name, name=self.name, color=self.color, keypoints=tuple(self.points) if self.points else None,
            skeleton=self.skeleton, attributes=tuple(self.attributes), extra={OWNER: extra} if extra else {},
        )  # fmt: skip


class Table:
    """The classes of a document: those declared, then those that objects use without declaration."""

    def __init__(self, format: str, path: str, report: Report) -> None:
        self.format, self.path, self.report = format, path, report
        self.entries: dict[str, _Entry] = {}

    def __contains__(self, name: str) -> bool:
        return name in self.entries

    def declare(self, meta: Element | None) -> None:
        """Take the classes of ``meta``."""
        for element in [] if meta is None else meta.iter("label"):
            name, parent = text_of(element.find("name")), text_of(element.find("parent"))
            if not name:
                self._problem("label", "a class without name", element, "skipped", "error")
            elif parent:
                self._sublabel(element, name, parent)
            elif name in self.entries and self.entries[name].declared:
                self._problem("label", f"the class {name!r} is declared twice", element, "the first counts")
            else:
                self._declare(element, name)
        for entry in self.entries.values():
            if not entry.declared:
                message = f"the class {entry.name!r} is not declared, only points of it"
                self.report.problem(f"{self.format}.label", message, self.path, action="added to the classes")
            if "svg" in entry.extra and entry.points:
                try:
                    entry.skeleton = edges_of(entry.extra["svg"], entry.points)
                except LabelglotError as error:
                    self.report.problem(f"{self.format}.svg", f"the template of {entry.name!r}: {error}", self.path)

    def _declare(self, element: Element, name: str) -> None:
        entry = self.entries.setdefault(name, _Entry(name))
        entry.declared = True
        fields = []
        for child in element:
            if child.tag == "color":
                entry.color = text_of(child) or None
            elif child.tag == "attributes":
                entry.attributes = [spec for spec in map(self._attribute, child) if spec is not None]
            elif child.tag in ("type", "svg"):
                entry.extra[child.tag] = text_of(child)
            elif child.tag not in ("name", "parent"):
                fields.append([child.tag, tree_of(child)])
        if fields:
            entry.extra["fields"] = fields
        if not entry.extra.get("type", "any"):
            del entry.extra["type"]

    def _sublabel(self, element: Element, name: str, parent: str) -> None:
        entry = self.entries.setdefault(parent, _Entry(parent))
        entry.points = entry.points or []
        if name in entry.points:
            self._problem("label", f"{parent!r} has two points called {name!r}", element, "the first counts")
            return
        entry.points.append(name)
        usual = {"type": "points", "attributes": ""}
        rest: list[list[Any]] = []
        for child in element:
            tree: Tree = tree_of(child)
            if child.tag not in ("name", "parent") and usual.get(child.tag) != tree:
                rest.append([child.tag, tree])
        if rest:
            entry.sublabels[name] = rest

    def _attribute(self, element: Element) -> AttributeSpec | None:
        fields = {child.tag: child for child in element}
        name = text_of(fields.get("name"))
        if not name:
            self._problem("attribute", "an attribute without name", element, "skipped", "error")
            return None
        if not any(tag in fields for tag in DECLARES):
            return None
        written = text_of(fields.get("input_type"))
        kind: Kind = INPUTS.get(written, "text")
        if kind == "choice" and text_of(fields.get("multiple")) == "True":
            kind = "choices"
        extra: dict[str, Any] = {}
        if written and written != USUAL[kind]:
            extra["input_type"] = written
        known = ("name", "mutable", "input_type", *DECLARES)
        rest = [[child.tag, tree_of(child)] for child in element if child.tag not in known]
        if rest:
            extra["fields"] = rest
        values = fields["values"].text if "values" in fields else None
        return AttributeSpec(
            name=name,
            kind=kind,
            values=tuple((values or "").strip("\n").split("\n")) if (values or "").strip() else (),
            default=_default(text_of(fields.get("default_value")), kind),
            mutable=text_of(fields.get("mutable")) in ("True", "true", "1"),
            extra={OWNER: extra} if extra else {},
        )

    def use(self, name: str, place: str) -> None:
        """Note that an object has this class."""
        if name not in self.entries:
            self.entries[name] = _Entry(name)
            self.report.problem(
                f"{self.format}.label", f"the class {name!r} is not declared in meta", place, action="added to the classes"
            )

    def use_points(self, name: str, points: Sequence[str], place: str) -> None:
        """Note that a skeleton of this class has these points. Numbers of points without names are no names."""
        entry = self.entries.get(name)
        if entry is None or (not entry.points and list(points) == [str(i + 1) for i in range(len(points))]):
            return
        entry.points = entry.points or []
        for point in points:
            if point not in entry.points and point != str(len(entry.points) + 1):
                entry.points.append(point)
                self.report.problem(
                    f"{self.format}.label", f"the point {point!r} of {name!r} is not declared in meta", place,
                    action="added to the points",
                )  # fmt: skip

    def labels(self) -> list[Label]:
        """All classes in order."""
        return [entry.label() for entry in self.entries.values()]

    def _problem(self, what: str, message: str, element: Element, action: str, severity: Any = "warning") -> None:
        place = f"{self.path}:{element.sourceline}"
        self.report.problem(f"{self.format}.{what}", message, place, severity=severity, action=action)


def _default(text: str, kind: Kind) -> Attribute:
    if not text:
        return None
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    if kind == "number":
        for number in (int, float):
            try:
                value = number(text)
            except ValueError:
                continue
            return value if str(value) == text else text
    return text


def edges_of(svg: str, points: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """The edges of a skeleton's template as pairs of places in ``points``. Raises LabelglotError if it is unreadable."""
    root = parse(b"<svg>" + svg.encode("utf-8", "replace") + b"</svg>", "svg")
    place: dict[str | None, int] = {name: i for i, name in enumerate(points)}
    nodes: dict[str | None, int] = {}
    for circle in root.iter("circle"):
        number, name = circle.get("data-node-id"), circle.get("data-label-name")
        found = place.get(name)
        if found is None and name is None and number is not None and number.isdigit():
            found = int(number) - 1
        if found is not None and 0 <= found < len(points):
            nodes[number] = found
    edges = []
    for line in root.iter("line"):
        a, b = nodes.get(line.get("data-node-from")), nodes.get(line.get("data-node-to"))
        if a is None or b is None:
            raise LabelglotError("an edge has an end that is no point")
        edges.append((a, b))
    return tuple(edges)


def template(points: Sequence[str], edges: Sequence[tuple[int, int]]) -> str:
    """A template with the points on a circle, in per cent as CVAT draws it."""
    turn = 2 * math.pi / max(1, len(points))
    at = [(spell(round(50 + 40 * math.sin(turn * i), 2)), spell(round(50 - 40 * math.cos(turn * i), 2))) for i in range(len(points))]
    lines = [
        f'<line x1="{at[a][0]}" y1="{at[a][1]}" x2="{at[b][0]}" y2="{at[b][1]}" stroke="black" data-type="edge" '
        f'data-node-from="{a + 1}" stroke-width="0.5" data-node-to="{b + 1}"></line>'
        for a, b in edges
    ]
    circles = [
        f'<circle r="1.5" stroke="black" fill="#b3b3b3" cx="{x}" cy="{y}" stroke-width="0.1" data-type="element node" '
        f'data-element-id="{i}" data-node-id="{i}" data-label-name={quote(name)}></circle>'
        for i, (name, (x, y)) in enumerate(zip(points, at, strict=True), 1)
    ]
    return "".join(lines + circles)


def write_labels(labels: Sequence[Label], used: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Lines of the class table. ``used``: names of attributes that objects of a class have without declaration."""
    yield "      <labels>"
    for label in labels:
        bag = label.extra.get(OWNER)
        extra: Mapping[str, Any] = bag if isinstance(bag, dict) else {}
        points = label.keypoints or ()
        yield "        <label>"
        yield f"          <name>{escape(label.name)}</name>"
        if label.color is not None:
            yield f"          <color>{escape(label.color)}</color>"
        yield f"          <type>{'skeleton' if points else escape(extra.get('type', 'any'))}</type>"
        yield "          <attributes>"
        for spec in label.attributes:
            yield from _write_attribute(spec)
        for name in used.get(label.key, ()):
            yield (
                f"            <attribute><name>{escape(name)}</name><mutable>False</mutable>"
                "<input_type>text</input_type></attribute>"
            )
        yield "          </attributes>"
        for tag, tree in extra.get("fields", ()):
            yield from render(tag, tree, 5)
        if points:
            yield f"          <svg>{escape(_template(label, extra.get('svg')))}</svg>"
        yield "        </label>"
        sublabels = extra.get("sublabels", {})
        for point in points:
            fields = {"type": "points", "attributes": "", **dict(sublabels.get(point, ()))}
            yield "        <label>"
            yield f"          <name>{escape(point)}</name>"
            for tag, tree in fields.items():
                yield from render(tag, tree, 5)
            yield f"          <parent>{escape(label.name)}</parent>"
            yield "        </label>"
    yield "      </labels>"


def _template(label: Label, written: Any) -> str:
    """The template as it was read if it still fits, else a new one."""
    points = label.keypoints or ()
    if isinstance(written, str):
        try:
            if edges_of(written, points) == tuple(label.skeleton):
                return written
        except LabelglotError:
            pass
    return template(points, label.skeleton)


def _write_attribute(spec: AttributeSpec) -> Iterator[str]:
    bag = spec.extra.get(OWNER)
    extra: Mapping[str, Any] = bag if isinstance(bag, dict) else {}
    default = spec.default
    shown = "" if default is None else str(default).lower() if isinstance(default, bool) else str(default)
    yield "            <attribute>"
    yield f"              <name>{escape(spec.name)}</name>"
    yield f"              <mutable>{spec.mutable}</mutable>"
    yield f"              <input_type>{escape(extra.get('input_type', USUAL[spec.kind]))}</input_type>"
    if spec.kind == "choices":
        yield "              <multiple>True</multiple>"
    yield f"              <default_value>{escape(shown)}</default_value>"
    yield f"              <values>{escape(chr(10).join(spec.values))}</values>"
    for tag, tree in extra.get("fields", ()):
        yield from render(tag, tree, 7)
    yield "            </attribute>"
