"""``labelglot formats``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from labelglot.cli.options import Json
from labelglot.cli.session import Session

if TYPE_CHECKING:
    from labelglot.cli.screen import Screen
    from labelglot.formats.base import Format, Options
    from labelglot.formats.registry import Registry


def command(
    context: typer.Context,
    format: Annotated[
        str | None, typer.Argument(metavar="[FORMAT]", show_default=False, help="Id or alias of one format.")
    ] = None,
    json: Json = False,
) -> None:
    """List all formats, or show one with its options."""
    session: Session = context.obj
    screen = session.speak(json)
    registry = session.registry
    if format is not None:
        chosen = session.format(format)
        if json:
            session.data(_data(chosen, registry))
        _show(screen, chosen, registry)
        return
    found = registry.formats()
    if json:
        session.data([_data(each, registry) for each in found])
    _list(screen, found)
    for broken in registry.broken().values():
        screen.line(f"{broken}; labelglot doctor shows why")


def _list(screen: Screen, found: tuple[Format, ...]) -> None:
    if screen.quiet:
        return
    from labelglot.description import directions, objects_in_words

    rows = [(each.id, directions(each), objects_in_words(each.holds), each.name) for each in found]
    screen.table(("format", "can", "objects", "name"), rows)
    screen.line(f"{len(found)} formats; one in full: labelglot formats FORMAT")


def _show(screen: Screen, format: Format, registry: Registry) -> None:
    if screen.quiet:
        return
    from labelglot.description import directions, facts

    package, version = registry.origin(format.id)
    screen.line(f"{format.id}: {format.name}")
    for topic, text in (
        ("can", directions(format)),
        ("also called", ", ".join(format.aliases)),
        ("see", format.url),
        ("from", f"{package} {version}".strip()),
        ("one file", ", ".join(format.documents)),
        *facts(format.holds),
    ):
        if text:
            screen.line(f"{topic}: {text}", 1)
    _options(screen, "options for writing (-o)", format.WriteOptions if format.writes else None)
    _options(screen, "options for reading (--from-option)", format.ReadOptions if format.reads else None)


def _options(screen: Screen, title: str, model: type[Options] | None) -> None:
    from labelglot.description import option_facts

    listed = option_facts(model) if model is not None else ()
    if not listed:
        return
    screen.line(title)
    for option in listed:
        text = ". ".join(part for part in (option.title, option.description) if part)
        screen.line(f"{option.name}={_spelled(option.default)} ({option.kind}): {text}", 1)


def _spelled(value: object) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _data(format: Format, registry: Registry) -> dict[str, Any]:
    from labelglot.description import option_facts

    package, version = registry.origin(format.id)
    return {
        "id": format.id,
        "name": format.name,
        "aliases": format.aliases,
        "url": format.url,
        "reads": format.reads,
        "writes": format.writes,
        "package": package,
        "version": version,
        "documents": format.documents,
        "holds": format.holds.model_dump(),
        "read_options": [option._asdict() for option in option_facts(format.ReadOptions)],
        "write_options": [option._asdict() for option in option_facts(format.WriteOptions)],
    }
