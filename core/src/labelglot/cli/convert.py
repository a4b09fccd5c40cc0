"""``labelglot convert``."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labelglot.cli.options import From, ImageDir, Json, Memory, ReadOptions, Source, To, Workers, WriteOptions
from labelglot.cli.session import DONE, SKIPPED, Session, failure

if TYPE_CHECKING:
    from labelglot.cli.screen import Screen
    from labelglot.engine.convert import Conversion
    from labelglot.report import Line, Report

SHOWN = 20
"""Kinds of losses or problems shown on screen; the report has them all."""


class Images(StrEnum):
    """What becomes of image files."""

    copy = "copy"
    link = "link"
    none = "none"


def command(
    context: typer.Context,
    source: Source,
    target: Annotated[
        str, typer.Argument(metavar="DST", help="A folder, a file, a .zip or .tar(.gz), or an fsspec URL.")
    ],
    to: To,
    from_: From = None,
    option: WriteOptions = None,
    from_option: ReadOptions = None,
    images: Annotated[
        Images, typer.Option(help="Copy image files, hard-link them where the disk allows it, or leave them out.")
    ] = Images.copy,
    image_dir: ImageDir = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail if a record of SRC has a problem.")] = False,
    lossless: Annotated[bool, typer.Option("--lossless", help="Refuse if DST cannot hold everything.")] = False,
    verify: Annotated[
        bool | None,
        typer.Option(
            "--verify/--no-verify", show_default=False,
            help="Read the output again before it appears and compare it with what was promised; by default if SRC is small.",
        ),
    ] = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Set right what is safe to set right, and list it; see labelglot check.")
    ] = False,
    fix_log: Annotated[
        str | None, typer.Option("--fix-log", metavar="FILE.jsonl", help="As --fix, and write down how to take it back.")
    ] = None,
    unfix: Annotated[
        str | None, typer.Option("--unfix", metavar="FILE.jsonl", help="Take back the fixes of a log that --fix-log wrote.")
    ] = None,
    report: Annotated[
        str | None, typer.Option(metavar="FILE.json", help="Write the report with all losses and problems.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace DST if it exists.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where the same conversion was killed; finished parts are checked, not redone.")
    ] = False,
    workers: Workers = None,
    memory: Memory = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Show nothing but errors.")] = False,
    json: Json = False,
) -> None:
    """Convert a dataset into another format and report what is lost.

    DST is complete or absent: it appears when everything is written, and an existing one needs --overwrite.
    """
    from labelglot.memory import parse_size

    session: Session = context.obj
    screen = session.speak(json, quiet)
    writer = session.format(to)
    reader = None if from_ is None else session.format(from_)
    limit = None if memory is None else parse_size(memory)
    options, read_options = session.pairs(option), session.pairs(from_option)
    place, log = _report_place(report), _report_place(fix_log)

    from labelglot.cli.progress import Bar
    from labelglot.engine.convert import convert
    from labelglot.errors import LabelglotError
    from labelglot.report import Report

    undo = None
    if unfix is not None:
        from labelglot.checking.fixes import load_fixes

        undo = load_fixes(unfix)
    collected = Report()
    try:
        with Bar(quiet) as bar, session.observing(bar):
            done = convert(
                source, target, to=writer, format=reader, options=options, read_options=read_options,
                images=images.value, image_dir=image_dir, strict=strict, lossless=lossless, overwrite=overwrite,
                workers=workers, registry=session.registry, report=collected, cancel=session.cancel,
                fix=fix or fix_log is not None, unfix=undo, verify=verify, resume=resume, memory=limit,
            )  # fmt: skip
    except LabelglotError as error:
        facts = {"source": source, "target": target, "to": writer.id, **collected.to_dict()}
        _save(place, failure(error, session.code(error), **facts))
        session.fail(error, **facts)
    code = SKIPPED if collected.skipped else DONE
    facts = {"status": "skipped" if collected.skipped else "done", "exit_code": code, **done.to_dict()}
    _save(place, facts)
    if log is not None:
        from labelglot.checking.fixes import save_fixes

        save_fixes(collected.fixes, log)
    if json:
        session.data(facts)
    _summary(screen, done, image_hint=image_dir is None, saved=report)
    raise typer.Exit(code)


def _report_place(report: str | None) -> Path | None:
    """Where the report goes, seen to be writable before any work is done."""
    if report is None:
        return None
    from labelglot.errors import TargetError

    place = Path(report)
    if not place.absolute().parent.is_dir():
        raise TargetError("there is no such folder for the report", str(place.parent), "make it first")
    return place


def _save(place: Path | None, facts: dict[str, Any]) -> None:
    if place is not None:
        from labelglot.cli.screen import as_json

        place.write_text(as_json(facts) + "\n", encoding="utf-8")


def _summary(screen: Screen, done: Conversion, image_hint: bool, saved: str | None) -> None:
    report = done.report
    counts = report.counts
    written = counts.get("samples.written", 0), counts.get("annotations.written", 0)
    screen.line(
        f"{done.source_format} -> {done.target_format}: {amount(written[0], 'image')}, "
        f"{amount(written[1], 'object')} in {done.target}"
    )
    if "samples.verified" in counts:
        screen.line("read back and compared: it is what was promised")
    show_lines(screen, "lost", report.losses())
    _fixes(screen, report)
    show_lines(screen, "problems", [line for line in report.problems() if line.examples[0].get("action") != "fixed"])
    found, missing = counts.get("images.found", 0), counts.get("images.missing", 0)
    if missing:
        hint = "; name their folder with --image-dir" if image_hint else ""
        screen.line(f"{found:,} of {amount(found + missing, 'image file')} found{hint}")
    if report.renamed:
        examples = [f"{old} -> {new}" for old, new in list(report.renamed.items())[:3]]
        screen.line(f"renamed {amount(len(report.renamed), 'image')}: {', '.join(examples)}")
    if report.skipped:
        screen.line(f"skipped {amount(report.skipped, 'record')}")
    if saved is not None:
        screen.line(f"report: {saved}")


def _fixes(screen: Screen, report: Report) -> None:
    if not report.fixes:
        return
    screen.line(f"fixed {amount(len(report.fixes), 'problem')}:")
    for fix in report.fixes[:SHOWN]:
        screen.line(f"{fix.key}, object {fix.object}: {fix.message} [{fix.code}]", 1)
    if len(report.fixes) > SHOWN:
        screen.line(f"and {len(report.fixes) - SHOWN} more; --json and --fix-log have them all", 1)


_WORST_FIRST = ("error", "warning", "info")


def show_lines(screen: Screen, title: str, lines: Sequence[Line]) -> None:
    """Losses or problems, what matters most first."""
    if not lines:
        return
    screen.line(f"{title}:")
    for line in sorted(lines, key=lambda line: _WORST_FIRST.index(line.severity))[:SHOWN]:
        screen.line(f"{line.sentence} [{line.code}]", 1)
    if len(lines) > SHOWN:
        screen.line(f"and {len(lines) - SHOWN} more kinds; --json has them all", 1)


def amount(number: int, thing: str) -> str:
    """``"1 image"``, ``"2,000 images"``."""
    return f"{number:,} {thing if number == 1 else thing + 's'}"
