"""``labelglot check``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from labelglot.cli.convert import amount
from labelglot.cli.options import From, ImageDir, Json, ReadOptions, Source, Workers
from labelglot.cli.session import DONE, GATE, USAGE, Session

if TYPE_CHECKING:
    from labelglot.checking import Checked
    from labelglot.cli.screen import Screen

Codes = list[str] | None


def command(
    context: typer.Context,
    source: Source,
    from_: From = None,
    from_option: ReadOptions = None,
    image_dir: ImageDir = None,
    select: Annotated[
        Codes, typer.Option("--select", metavar="CODES", help="Only these codes, by comma: box, size.wrong; can be repeated.")
    ] = None,
    ignore: Annotated[
        Codes, typer.Option("--ignore", metavar="CODES", help="All codes but these, by comma; can be repeated.")
    ] = None,
    decode: Annotated[bool, typer.Option("--decode", help="Decode every image; without it, headers are read.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="Examples of each problem.")] = 5,
    workers: Workers = None,
    json: Json = False,
) -> None:
    """Find what is wrong with a dataset: damaged records, boxes, classes, sizes, images.

    Exits with 0 if there is nothing worse than a remark, with 6 if there is. docs/problems.md explains every code.
    """
    session: Session = context.obj
    screen = session.speak(json)
    reader = None if from_ is None else session.format(from_)
    options, chosen, left_out = session.pairs(from_option), _codes(session, select), _codes(session, ignore)

    from labelglot.checking import check
    from labelglot.cli.progress import Bar

    with Bar(json) as bar:
        found = check(
            source, format=reader, options=options, image_dir=image_dir, select=chosen, ignore=left_out, decode=decode,
            examples=limit, workers=workers, registry=session.registry, cancel=session.cancel,
            progress=lambda done, total: bar.tell("reading", done, total),
        )  # fmt: skip
    code = DONE if found.clean else GATE
    if json:
        session.data({"exit_code": code, **found.model_dump(mode="json")})
    _show(screen, found)
    raise typer.Exit(code)


def _codes(session: Session, texts: Codes) -> tuple[str, ...]:
    """Codes of the command line. One that neither the catalogue nor a format can mean is a wrong command line."""
    from difflib import get_close_matches

    from labelglot.checking.catalogue import BY_CODE, CATALOGUE
    from labelglot.errors import OptionError

    codes = tuple(code for text in texts or () for code in text.replace(",", " ").split())
    known = {*BY_CODE, *(entry.group for entry in CATALOGUE)}
    for code in codes:
        if code not in known and code.partition(".")[0] not in session.registry:
            near = get_close_matches(code, known, 1)
            error = OptionError(f'no problem has the code "{code}"', hint=f'did you mean "{near[0]}"?' if near else None)
            session.fail(error, USAGE)
    return codes


def _show(screen: Screen, found: Checked) -> None:
    screen.line(f"{found.source}: {found.format}, {amount(found.images, 'image')}, {amount(found.objects, 'object')}")
    for finding in found.findings:
        named = f" as {finding.reported_as}" if finding.reported_as else ""
        fix = "; --fix helps" if finding.fix else ""
        screen.line(f"{finding.severity}: {finding.title}, {amount(finding.count, 'time')} [{finding.code}{named}]{fix}")
        for example in finding.examples:
            screen.line(_sentence(example), 1)
        if finding.count > len(finding.examples):
            screen.line(f"and {finding.count - len(finding.examples):,} more; --limit shows more of them", 1)
    shown = [amount(number, severity) for severity, number in found.counts.items() if number and severity != "info"]
    remarks = [amount(found.counts["info"], "remark")] if found.counts["info"] else []
    screen.line(", ".join(shown + remarks) or "nothing wrong")


def _sentence(example: dict[str, Any]) -> str:
    """Where it is, what it is, and what became of the record."""
    key, position, place = example.get("key"), example.get("object"), example.get("place")
    where = place or (key if position is None else f"{key}, object {position}") or ""
    action = "" if example.get("action", "kept") == "kept" else f"; {example['action']}"
    return f"{where}: {example['message']}{action}" if where else f"{example['message']}{action}"
