"""``labelglot new``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from labelglot.cli.options import Json
from labelglot.cli.session import Session


class ShapeName(str, Enum):
    """How the annotations lie there."""

    per_image = "per-image"
    table = "table"
    document = "document"


class SyntaxName(str, Enum):
    """What the files are written in."""

    text = "text"
    json = "json"
    xml = "xml"


def command(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False, help="Id of the format, e.g. acme-xml.")],
    shape: Annotated[
        ShapeName | None, typer.Option(show_default=False, help="One file per image (the default), a table, or one document.")
    ] = None,
    syntax: Annotated[
        SyntaxName | None, typer.Option(show_default=False, help="What the files are written in; a word in NAME may say it.")
    ] = None,
    like: Annotated[
        Path | None, typer.Option(metavar="FILE", show_default=False, help="Look at a sample file and note what can be seen.")
    ] = None,
    into: Annotated[
        Path | None, typer.Option(metavar="DIR", show_default=False, help="Folder to make; by default labelglot-NAME.")
    ] = None,
    author: Annotated[str, typer.Option(metavar="NAME", show_default=False, help="Who the licence names.")] = "",
    json: Json = False,
) -> None:
    """Start a plugin for a format: a complete distribution whose tests pass, to be filled in."""
    from datetime import date

    from labelglot.scaffold import guess, plan, render

    session: Session = context.obj
    screen = session.speak(json)
    seen = None if like is None else guess(like)
    made = plan(
        name,
        shape.value if shape else seen.shape if seen and (syntax is None or syntax.value == seen.syntax) else None,
        syntax.value if syntax else seen.syntax if seen and (shape is None or shape.value == seen.shape) else None,
        author,
        date.today().year,
        seen.notes if seen else (),
    )
    target = into or Path(f"labelglot-{name}")
    written = render(made, target)
    if json:
        session.data({"name": name, "shape": made.shape, "syntax": made.syntax, "files": [str(path) for path in written]})
    for note in made.notes:
        screen.line(note)
    screen.line(f"{made.shape}, {made.syntax}: {len(written)} files in {target}")
    screen.line(f'next: cd {target} && pip install -e ".[test]" && pytest')
