"""The reference page: the schema, what a format declares, its bases, and the codes of losses, from their docstrings."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import msgspec
from labelglot import geometry, plugin, testing
from labelglot.report import Line, Loss, Problem, Report
from labelglot.schema import dataset as dataset_module
from labelglot.wire import json, text, xml, yaml
from pydantic import BaseModel

CORE = Path(inspect.getfile(plugin)).parent

SECTIONS: tuple[tuple[str, str, tuple[type, ...]], ...] = (
    (
        "Schema",
        "What a reader makes and a writer gets. Coordinates are continuous pixels from the top-left corner of the image as "
        "displayed, the right and lower edge outside; or fractions of the image where `units` says `relative`.",
        (
            plugin.Dataset, plugin.Label, plugin.AttributeSpec, plugin.Info, plugin.Sample, plugin.Annotation, plugin.Tag,
            plugin.RotatedBox, plugin.Polygon, plugin.Mask, plugin.Polyline, plugin.Points, plugin.Ellipse, plugin.Cuboid,
            plugin.Keypoints, dataset_module.Records, plugin.IndexEntry,
        ),
    ),
    (
        "Declarations",
        "What a format can hold, as data.",
        (plugin.Holds, plugin.LabelHolds, plugin.TagHolds, plugin.Naming),
    ),
    ("Conventions", "How coordinates are spelled.", (plugin.Convention, plugin.Rotation)),
    (
        "Formats",
        "Bases to derive from, and what their methods are handed.",
        (
            plugin.Format, plugin.PerImage, plugin.Pair, plugin.Table, plugin.Group, plugin.Document, plugin.Content,
            plugin.ReadContext, plugin.WriteContext, plugin.Source, plugin.Match, plugin.File, plugin.Piece, plugin.Pieces,
        ),
    ),
    ("Reports", "What was wrong, and what was lost.", (Report, Problem, Loss, Line)),
)  # fmt: skip


MODULES: tuple[tuple[ModuleType, str], ...] = (
    (json, "JSON, strictly read and exactly written; damaged input raises `SourceError` with its place."),
    (xml, ""),
    (yaml, ""),
    (text, ""),
    (geometry, "Pure functions over flat tuples of pixels; y points down, so that clockwise is as seen on the screen."),
    (testing, "What proves a format."),
)


def page() -> str:
    """The whole page."""
    lines = ["# Reference for authors of formats", "", "Everything here comes from `labelglot.plugin`, but for what is under [Modules](#modules)."]
    for title, about, classes in SECTIONS:
        lines += ["", f"## {title}", "", about]
        for each in classes:
            lines += ["", f"### {each.__name__}", "", _text(each), *_fields(each), *_methods(each)]
    lines += ["", "### Helpers", "", "| | |", "|---|---|"]
    for name in plugin.__all__:
        value = getattr(plugin, name)
        if inspect.isfunction(value):
            lines.append(f"| `{name}{_signature(value)}` | {_first(value)} |")
    lines += ["", "## Modules", "", "Beside `labelglot.plugin`, imported by their own names."]
    for module, about in MODULES:
        lines += ["", f"### {module.__name__}", "", about or _first(module), "", "| | |", "|---|---|", *_contents(module)]
    lines += ["", "## Codes of losses", "", "`*` stands for a name. The part before the first dot says what it is about.", ""]
    lines += ["| code | what is lost |", "|---|---|", *(f"| `{code}` | {text} |" for code, text in sorted(loss_codes().items()))]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _contents(module: ModuleType) -> Iterator[str]:
    """The functions of a module and its constants that have a text, as rows."""
    for name, about in _constants(module).items():
        yield f"| `{name}` | {about} |"
    for name in getattr(module, "__all__", None) or vars(module):
        value = getattr(module, name)
        own = inspect.isfunction(value) and value.__module__.startswith(module.__name__)
        if own and not name.startswith("_") and inspect.getdoc(value):
            yield f"| `{name}{_signature(value)}` | {_first(value)} |"


def _constants(module: ModuleType) -> dict[str, str]:
    body = ast.parse(inspect.getsource(module)).body
    found = {}
    for node, after in pairwise(body):
        if isinstance(node, ast.Assign) and isinstance(after, ast.Expr) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if not name.startswith("_") and isinstance(getattr(module, name), str):
                found[name] = _literal(after.value).replace("``", "`").replace("\n", " ")
    return found


def _text(each: object) -> str:
    """The docstring, with the double backticks of its markup made single."""
    return re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", (inspect.getdoc(each) or "").replace("``", "`"))


def _first(each: object) -> str:
    return _text(each).partition("\n\n")[0].replace("\n", " ").replace("|", "\\|")


def _fields(each: type) -> Iterator[str]:
    rows: list[tuple[str, object, object]] = []
    if issubclass(each, msgspec.Struct):
        rows = [(f.name, f.type, "" if f.default is msgspec.NODEFAULT else repr(f.default)) for f in msgspec.structs.fields(each)]
    elif issubclass(each, BaseModel):
        rows = [
            (name, field.annotation, "" if field.is_required() else repr(field.get_default(call_default_factory=True)))
            for name, field in each.model_fields.items()
        ]
    elif issubclass(each, tuple):
        defaults = getattr(each, "_field_defaults", {})
        rows = [(n, t, repr(defaults[n]) if n in defaults else "") for n, t in inspect.get_annotations(each).items()]
    if rows:
        yield from ("", "| field | type | default |", "|---|---|---|")
        for name, kind, default in rows:
            shown = default if len(default) < 60 else "..."
            yield f"| `{name}` | {_cell(_kind(kind))} | {_cell(f'`{shown}`') if shown else ''} |"


def _kind(kind: object) -> str:
    plain = isinstance(kind, type) and not hasattr(kind, "__args__")
    text = kind.__name__ if plain and isinstance(kind, type) else str(kind)
    return re.sub(r"\b(?:labelglot|typing|collections\.abc|pathlib|msgspec)(?:\.\w+)*\.(\w+)", r"\1", text)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _methods(each: type) -> Iterator[str]:
    found = [
        (name, value)
        for name, value in vars(each).items()
        if not name.startswith("_") and inspect.isfunction(value) and inspect.getdoc(value)
    ]
    if issubclass(each, msgspec.Struct | BaseModel) and len(found) > 12:
        found = found[:12]
    if found:
        yield ""
        for name, value in found:
            yield f"- `{name}{_signature(value)}`: {_first(value)}"


def _signature(value: object) -> str:
    signature = inspect.signature(value)  # type: ignore[arg-type]
    short = [p.replace(default=...) if len(repr(p.default)) > 60 else p for p in signature.parameters.values()]
    text = str(signature.replace(parameters=short)).replace("Ellipsis", "...")
    text = re.sub(r"(: |-> )(['\"])(.*?)\2(?=[,)]| = |$)", r"\1\3", text)
    text = re.sub(r"\b(?:labelglot|typing|collections\.abc)(?:\.\w+)*\.(\w+)", r"\1", text)
    return text.replace("(self, ", "(").replace("(self)", "()").replace("|", "\\|")


def loss_codes() -> dict[str, str]:
    """Every code that the projection can give, with what it says about it."""
    found: dict[str, str] = {}
    for path in sorted((CORE / "projection").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _called(node.func) in ("lose", "_lose", "Loss") and node.args:
                texts = [_literal(argument) for argument in node.args[1:]]
                detail = next((text for text in texts if text and " " in text), "")
                for code in _codes(node.args[0]):
                    found.setdefault(code, detail)
    return found


def _called(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""


def _codes(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from (*_codes(node.body), *_codes(node.orelse))
    elif text := _literal(node):
        yield text


def _literal(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in node.values)
    return ""
