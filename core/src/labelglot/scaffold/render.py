"""Renders the template, offline. The template is one that copier understands too (``plugin_template/`` points at it)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal

from labelglot.errors import LabelglotError

Shape = Literal["per-image", "table", "document"]
Syntax = Literal["text", "json", "xml"]

SHAPES: tuple[Shape, ...] = ("per-image", "table", "document")
SYNTAXES: tuple[Syntax, ...] = ("text", "json", "xml")
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Plan:
    """What a new plugin will be: its format's id and everything that follows from it."""

    name: str
    shape: Shape
    syntax: Syntax
    author: str
    year: int
    notes: Sequence[str] = ()

    @property
    def values(self) -> dict[str, object]:
        """The values the template asks for; ``copier.yml`` works out the same."""
        from labelglot import __version__

        major, minor, *_ = __version__.split(".")
        file = self.name.replace("-", "_")
        suffix = "" if (self.shape, self.syntax) == ("per-image", "text") else ".jpg"
        return {
            "name": self.name,
            "shape": self.shape,
            "syntax": self.syntax,
            "author": self.author,
            "year": str(self.year),
            "notes": list(self.notes),
            "variant": f"{self.shape}-{self.syntax}",
            "distribution": f"labelglot-{self.name}",
            "module": f"labelglot_{file}",
            "file": file,
            "class_name": "".join(word.capitalize() for word in self.name.split("-")),
            "title": " ".join(word.capitalize() for word in self.name.split("-")),
            "example_paths": f'["a{suffix}", "sub/b{suffix}"]',
            "core_version": f"{major}.{minor}",
            "next_version": f"{major}.{int(minor) + 1}",
        }


def plan(
    name: str, shape: Shape | None = None, syntax: Syntax | None = None, author: str = "", year: int = 0,
    notes: Sequence[str] = (),
) -> Plan:  # fmt: skip
    """A plan with what is not said filled in. Raises LabelglotError for a name or a combination that cannot be."""
    if not _NAME.fullmatch(name):
        raise LabelglotError(
            f"{name!r} is no good id of a format", hint="use small letters, digits and single hyphens, e.g. acme-xml"
        )
    chosen = shape or "per-image"
    usual: Syntax = "text" if chosen == "table" else "json"
    named = [each for each in SYNTAXES if each in name.split("-") and (chosen != "table" or each == "text")]
    spelled = syntax or (named[0] if named else usual)
    if chosen == "table" and spelled != "text":
        raise LabelglotError(
            f"a table is text, not {spelled}", hint="use --shape document for one JSON or XML file with everything"
        )
    return Plan(name, chosen, spelled, author or "the authors", year, tuple(notes))


def render(plan: Plan, target: Path) -> list[Path]:
    """Write the plugin to the folder ``target``, which must be new or empty; the files written, in order."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise LabelglotError("it exists already and is not an empty folder", str(target), "choose another --into")
    written = []
    for path, text in rendered(plan):
        place = target / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8", newline="\n")
        written.append(place)
    return written


def rendered(plan: Plan) -> Iterator[tuple[str, str]]:
    """Path and text of every file of the plugin."""
    from jinja2 import Environment, StrictUndefined

    sources = dict(_walk(files("labelglot.scaffold") / "template", ""))
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    for path, text in sorted(sources.items()):
        parts = [environment.from_string(part).render(plan.values) for part in path.split("/")]
        name = parts.pop().removesuffix(".jinja")
        if name and all(parts):
            whole = "/".join([*parts, name])
            yield whole, environment.from_string(text).render(plan.values) if path.endswith(".jinja") else text


def _walk(folder: Traversable, path: str) -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        inner = f"{path}/{entry.name}" if path else entry.name
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _walk(entry, inner)
        else:
            yield inner, entry.read_text(encoding="utf-8")
