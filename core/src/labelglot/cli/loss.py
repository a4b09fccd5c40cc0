"""``labelglot loss``."""

from __future__ import annotations

from typing import Annotated

import typer

from labelglot.cli.convert import Images, amount, show_lines
from labelglot.cli.options import From, ImageDir, Json, ReadOptions, Workers, WriteOptions
from labelglot.cli.session import Session


def command(
    context: typer.Context,
    first: Annotated[str, typer.Argument(metavar="FROM|SRC", help="A format, or with --to a dataset.")],
    second: Annotated[
        str | None, typer.Argument(metavar="[TO]", show_default=False, help="The format to compare FROM with.")
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="FORMAT", help="Count the losses of the dataset SRC in this format.")
    ] = None,
    from_: From = None,
    option: WriteOptions = None,
    from_option: ReadOptions = None,
    images: Annotated[Images, typer.Option(help="As for convert: without image files, more is lost.")] = Images.copy,
    image_dir: ImageDir = None,
    workers: Workers = None,
    json: Json = False,
) -> None:
    """Tell what a conversion loses before doing it.

    With two formats, from what they declare; with a dataset and --to, counted in the dataset. Nothing is written.
    """
    session: Session = context.obj
    session.speak(json)
    if (second is None) == (to is None):
        raise typer.BadParameter("give two formats (labelglot loss FROM TO), or a dataset and --to FORMAT")
    if second is not None:
        _declared(session, first, second)
        return
    assert to is not None
    writer = session.format(to)
    reader = None if from_ is None else session.format(from_)
    options, read_options = session.pairs(option), session.pairs(from_option)

    from labelglot.cli.progress import Bar
    from labelglot.prediction import dry_run

    with Bar(json) as bar:
        done = dry_run(
            first, writer, format=reader, options=options, read_options=read_options, image_dir=image_dir,
            images=images is not Images.none, workers=workers, registry=session.registry, cancel=session.cancel,
            progress=lambda finished, total: bar.tell("reading", finished, total),
        )  # fmt: skip
    report = done.report
    if json:
        session.data({"source": done.source, "from": done.source_format, "to": done.target_format, **report.to_dict()})
    screen = session.screen
    counted = f"{amount(report.counts.get('samples', 0), 'image')}, {amount(report.counts.get('annotations', 0), 'object')}"
    screen.line(f"{done.source_format} -> {done.target_format} of {done.source}: {counted}")
    show_lines(screen, "loses", report.losses())
    if not report.losses():
        screen.line("loses nothing")
    show_lines(screen, "problems", report.problems())


def _declared(session: Session, first: str, second: str) -> None:
    from labelglot.errors import FormatUnknown
    from labelglot.prediction import predict

    if first not in session.registry and _is_place(first):
        hint = f"to count the losses of a dataset: labelglot loss {first} --to {second}"
        session.fail(FormatUnknown(f'"{first}" is no format', hint=hint), 2)
    source, target = session.format(first), session.format(second)
    found = predict(source.holds, target.holds)
    if session.json:
        session.data({"from": source.id, "to": target.id, "losses": [each.model_dump() for each in found]})
    session.screen.line(f"{source.id} -> {target.id} {'can lose:' if found else 'loses nothing'}")
    for each in found:
        session.screen.line(each, 1)


def _is_place(text: str) -> bool:
    from pathlib import Path

    from labelglot.storage import is_url

    return is_url(text) or Path(text).exists()
