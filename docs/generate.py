"""Writes what follows from the code: a page per installed format, their table, the command line; copies the template.

``python docs/generate.py`` writes them; a test compares them with what this would write.
"""

from __future__ import annotations

import inspect
import io
import os
import runpy
import shutil
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from unittest import mock

from labelglot.checking import CATALOGUE
from labelglot.cli.app import COMMANDS, main
from labelglot.description import directions, facts, objects_in_words, option_facts
from labelglot.formats.base import Format, Options
from labelglot.formats.registry import Registry, default_registry

DOCS = Path(__file__).parent
TEMPLATE = DOCS.parent / "core/src/labelglot/scaffold/template"
COPY = DOCS.parent / "plugin_template/template"
"""Where copier looks: it refuses links that lead out of the template."""


def pages() -> Iterator[tuple[str, str]]:
    """Path below ``docs/`` and text of every generated page."""
    registry = default_registry()
    found = registry.formats()
    yield "formats/README.md", _table(found)
    for each in found:
        yield f"formats/{each.id}.md", _page(each, registry)
    yield "cli.md", _command_line()
    yield "reference.md", runpy.run_path(str(DOCS / "reference.py"))["page"]()
    yield "problems.md", _problems()


def _table(found: tuple[Format, ...]) -> str:
    rows = [f"| [{each.id}]({each.id}.md) | {each.name} | {directions(each)} | {_cell(objects_in_words(each.holds))} |" for each in found]
    head = ["# Formats", "", "| format | name | can | objects |", "|---|---|---|---|"]
    return "\n".join([*head, *rows]) + "\n"


def _page(format: Format, registry: Registry) -> str:
    about = inspect.getdoc(type(format)) or format.name
    known = [
        ("can", directions(format)), ("also called", ", ".join(format.aliases)), ("from", registry.origin(format.id)[0]),
        ("as one file", ", ".join(format.documents)), *facts(format.holds),
    ]  # fmt: skip
    lines = [f"# `{format.id}`: {format.name}", "", about, ""]
    lines += [f"See <{format.url}>.", ""] if format.url else []
    lines += ["| it holds | |", "|---|---|"]
    lines += [f"| {topic} | {_cell(text)} |" for topic, text in known if text]
    lines += _options("Options for writing (`-o name=value`)", format.WriteOptions if format.writes else None)
    lines += _options("Options for reading (`--from-option name=value`)", format.ReadOptions if format.reads else None)
    return "\n".join(lines) + "\n"


def _options(title: str, model: type[Options] | None) -> list[str]:
    listed = option_facts(model) if model is not None else ()
    if not listed:
        return []
    lines = ["", f"## {title}", "", "| option | values | default | meaning |", "|---|---|---|---|"]
    for option in listed:
        text = ". ".join(part for part in (option.title, option.description) if part)
        default = "" if option.default is None else f"`{str(option.default).lower() if isinstance(option.default, bool) else option.default}`"
        lines.append(f"| `{option.name}` | {_cell(option.kind)} | {_cell(default)} | {_cell(text)} |")
    return lines


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _command_line() -> str:
    lines = ["# Command line", "", "What each command prints with `--help`.", "", "```text", _help(), "```"]
    for name in COMMANDS:
        lines += ["", f"## labelglot {name}", "", "```text", _help(name), "```"]
    return "\n".join(lines) + "\n"


def _problems() -> str:
    lines = [
        "# Problems", "",
        "Everything `labelglot check` can find, in any format. A code never changes its meaning. Readers report what they",
        "see as `<format>.<what>`; such a code belongs to the entry that names its last part under *readers say*.", "",
        "`labelglot convert --fix` applies the safe fixes and lists each one; `--fix-log FILE` writes them down, and",
        "`labelglot convert FIXED DST --to FORMAT --unfix FILE` takes them back.", "",
        "| code | severity | problem | fix |", "|---|---|---|---|",
    ]  # fmt: skip
    lines += [
        f"| [{e.code}](#{e.code.replace('.', '')}) | {e.severity} | {e.title} | {'yes' if e.fix else ''} |" for e in CATALOGUE
    ]
    for e in CATALOGUE:
        lines += ["", f"## {e.code}", "", f"{e.title} ({e.severity}).", "", e.why, "", f"*What to do*: {e.remedy}"]
        lines += ["", f"*`--fix`*: {e.fix}"] if e.fix else []
        lines += ["", f"*Readers say*: {', '.join(f'`{tail}`' for tail in e.tails)}."] if e.tails else []
    return "\n".join(lines) + "\n"


def _help(*command: str) -> str:
    text = io.StringIO()
    with mock.patch.dict(os.environ, {"COLUMNS": "100"}), redirect_stdout(text):
        main([*command, "--help"])
    return "\n".join(line.rstrip() for line in text.getvalue().strip().splitlines())


if __name__ == "__main__":
    made = dict(pages())
    for stale in (DOCS / "formats").glob("*.md"):
        if f"formats/{stale.name}" not in made:
            stale.unlink()
    for path, text in made.items():
        (DOCS / path).parent.mkdir(exist_ok=True)
        (DOCS / path).write_text(text, encoding="utf-8")
    shutil.rmtree(COPY, ignore_errors=True)
    shutil.copytree(TEMPLATE, COPY, ignore=shutil.ignore_patterns("__pycache__"))
