"""``labelglot diff``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labelglot.cli.convert import amount, show_lines
from labelglot.cli.options import Json
from labelglot.cli.session import DONE, FAILED, Session

if TYPE_CHECKING:
    from labelglot.comparison import Change
    from labelglot.report import Report
    from labelglot.schema import Dataset

EXAMPLES = 3
"""Differences of one kind that are shown."""


def command(
    context: typer.Context,
    a: Annotated[str, typer.Argument(metavar="A", help="A dataset: folder, file, archive or fsspec URL.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another one, in the same or another format.")],
    format_a: Annotated[str | None, typer.Option("--format-a", metavar="FORMAT", help="Format of A.")] = None,
    format_b: Annotated[str | None, typer.Option("--format-b", metavar="FORMAT", help="Format of B.")] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", metavar="ASPECT", help="Leave out e.g. extra, id or labels.color; can be repeated."),
    ] = None,
    json: Json = False,
) -> None:
    """Compare what two datasets say, in any formats.

    Exits with 0 if it is the same, with 1 if not.
    Images are matched by path, objects by what they look like, coordinates up to a millionth of a pixel.
    """
    session: Session = context.obj
    screen = session.speak(json)

    from labelglot.comparison import by_likeness, compare
    from labelglot.report import Report

    reports = Report(), Report()
    first = _open(session, a, format_a, "--format-a", reports[0])
    second = _open(session, b, format_b, "--format-b", reports[1])
    changes = compare(first, second, pairing=by_likeness)
    counts, examples = _collect(changes, tuple(ignore or ()))
    if json:
        listed = [
            {"aspect": aspect, "count": count, "examples": [_data(change) for change in examples[aspect]]}
            for aspect, count in counts.items()
        ]
        session.data({"a": a, "b": b, "same": not counts, "differences": listed})
    for aspect, count in counts.items():
        screen.line(f"{aspect}: {amount(count, 'difference')}")
        for change in examples[aspect]:
            screen.line(_sentence(change), 1)
    screen.line("they differ" if counts else "they say the same")
    for name, report in zip((a, b), reports, strict=True):
        show_lines(screen, f"problems of {name}", report.problems())
    raise typer.Exit(FAILED if counts else DONE)


def _open(session: Session, where: str, format: str | None, option: str, report: Report) -> Dataset:
    from labelglot.engine.convert import read
    from labelglot.errors import FormatAmbiguous, FormatUnknown

    chosen = None if format is None else session.format(format)
    try:
        dataset = read(where, format=chosen, registry=session.registry, report=report)
    except (FormatAmbiguous, FormatUnknown) as error:
        session.fail(type(error)(error.message, error.place, f"name the format with {option}"))
    return dataset.complete()


def _collect(changes: Iterable[Change], ignored: tuple[str, ...]) -> tuple[dict[str, int], dict[str, list[Change]]]:
    """Counts and first examples by aspect, in order of appearance."""
    counts: dict[str, int] = {}
    examples: dict[str, list[Change]] = {}
    for change in changes:
        aspect = change.aspect
        if any(aspect == name or aspect.startswith(f"{name}.") for name in ignored):
            continue
        counts[aspect] = counts.get(aspect, 0) + 1
        shown = examples.setdefault(aspect, [])
        if len(shown) < EXAMPLES:
            shown.append(change)
    return counts, examples


def _sentence(change: Change) -> str:
    place = "" if change.key is None else change.key
    if change.object is not None:
        place = f"{place}, object {change.object}" if place else str(change.object)
    if change.before is None and change.after is not None and change.aspect in ("sample", "annotation", "labels"):
        return f"{place}: only in B"
    if change.after is None and change.before is not None and change.aspect in ("sample", "annotation", "labels"):
        return f"{place}: only in A"
    text = f"{_short(change.before)} -> {_short(change.after)}"
    return f"{place}: {text}" if place else text


def _short(value: Any, length: int = 80) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= length else text[: length - 1] + "…"


def _data(change: Change) -> dict[str, Any]:
    from labelglot.schema import to_plain

    return {
        "key": change.key,
        "object": change.object,
        "before": to_plain(change.before),
        "after": to_plain(change.after),
    }
