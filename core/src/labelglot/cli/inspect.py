"""``labelglot inspect``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from labelglot.cli.convert import amount, show_lines
from labelglot.cli.options import From, ImageDir, Json, ReadOptions, Source, Workers
from labelglot.cli.session import Session

if TYPE_CHECKING:
    from labelglot.cli.screen import Screen
    from labelglot.inspection import Inspection


def command(
    context: typer.Context,
    source: Source,
    from_: From = None,
    from_option: ReadOptions = None,
    image_dir: ImageDir = None,
    workers: Workers = None,
    json: Json = False,
) -> None:
    """Show what a dataset is and what is in it.

    The format with all candidates and their evidence, counts per split and class, images without labels, image files
    found and missing, problems.
    """
    session: Session = context.obj
    screen = session.speak(json)
    reader = None if from_ is None else session.format(from_)
    options = session.pairs(from_option)

    from labelglot.cli.progress import Bar
    from labelglot.detection import candidates
    from labelglot.engine.convert import resolve_source
    from labelglot.errors import FormatAmbiguous
    from labelglot.inspection import as_data, inspect

    try:
        with Bar(json) as bar:
            found = inspect(
                source, format=reader, options=options, image_dir=image_dir, workers=workers,
                registry=session.registry, cancel=session.cancel, progress=lambda done, total: bar.tell("reading", done, total),
            )  # fmt: skip
    except FormatAmbiguous as error:
        fitting = candidates(resolve_source(source, session.registry), session.registry)
        session.fail(error, source=source, candidates=as_data(fitting))
    if json:
        session.data(found.model_dump(mode="json"))
    _show(screen, found)


def _show(screen: Screen, found: Inspection) -> None:
    screen.line(f"{found.source}: {found.format} ({found.kind}, {amount(found.files, 'file')})")
    for candidate in found.candidates:
        screen.line(f"{candidate.format} {candidate.confidence:.2f}: {candidate.reason}", 1)
    for name, value in found.info.items():
        screen.line(f"{name}: {value}")
    kinds = ", ".join(f"{number:,} {kind.replace('_', ' ')}" for kind, number in found.geometry.items())
    screen.line(f"{amount(found.images, 'image')}, {amount(found.objects, 'object')}{f' ({kinds})' if kinds else ''}")
    for number, text in (
        (found.tags, "image-level labels"),
        (found.unlabelled, "images nobody labelled"),
        (found.empty, "images labelled as empty"),
        (found.unlabelled_objects, "objects without a class"),
        (found.relative, "images of unknown size"),
    ):
        if number:
            screen.line(f"{number:,} {text}")
    screen.line(f"image files: {found.matched:,} matched, {found.unmatched:,} missing, {found.unused:,} not referred to")
    for text, examples in (("missing", found.unmatched_examples), ("not referred to", found.unused_examples)):
        if examples:
            screen.line(f"{text}: {', '.join(examples)}", 1)
    if any(counts.split is not None for counts in found.splits):
        rows = [("(none)" if c.split is None else c.split, c.images, c.objects) for c in found.splits]
        screen.table(("split", "images", "objects"), rows)
    if found.labels:
        named = any(label.id is not None for label in found.labels)
        screen.table(
            ("class", *(("id",) if named else ()), "images", "objects", "tags"),
            [
                (c.name, *(("" if c.id is None else str(c.id),) if named else ()), c.images, c.objects, c.tags)
                for c in found.labels
            ],
        )
    show_lines(screen, "problems", found.problems)
    if found.skipped:
        screen.line(f"skipped {amount(found.skipped, 'record')}")
