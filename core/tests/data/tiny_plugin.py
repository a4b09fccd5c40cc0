"""A plugin in one file: small formats and a command, for tests of the command line."""

import time
from typing import Annotated

import typer
from labelglot.plugin import (
    Annotation,
    Dataset,
    File,
    Format,
    Holds,
    LabelHolds,
    Match,
    Options,
    Piece,
    Sample,
    hookimpl,
)
from pydantic import Field


class Boxes(Format):
    """Lines ``path,label,x0,y0,x1,y1``, or ``path`` alone, after a line ``#boxes``; nothing but boxes."""

    id = "boxes"
    name = "Boxes [bold]in[/bold] a text file"
    aliases = ("bx",)
    documents = (".boxes",)
    holds = Holds(geometry=(frozenset({"box"}),), labels=LabelHolds(unused=False, order="appearance"), size=False)

    class ReadOptions(Options):
        """How numbers are read."""

        shift: int = Field(default=0, title="Shift", description="added to every number", ge=0, le=9)

    class WriteOptions(Options):
        """How text is written."""

        upper: bool = Field(default=False, title="Capitals", description="write classes in capitals")

    def detect(self, source):
        names = [name for name in source.match("*.boxes", "*.txt") if source.head(name, 6) == b"#boxes"]
        return Match(0.8, f"{names[0]} starts with #boxes") if names else None

    def read(self, context):
        samples = {}
        for name in context.source.match("*.boxes", "*.txt"):
            for number, line in enumerate(context.source.read(name).decode().splitlines(), 1):
                if line.startswith("#"):
                    continue
                path, *rest = line.split(",")
                if not rest:
                    samples.setdefault(path, [])
                    continue
                label, *numbers = rest
                try:
                    box = tuple(float(n) + context.options.shift for n in numbers)
                    x0, y0, x1, y1 = box
                except ValueError as error:
                    context.report.problem(
                        "boxes.number", str(error), f"{name}:{number}", severity="error", action="skipped"
                    )
                    continue
                samples.setdefault(path, []).append(Annotation(label=label, box=(x0, y0, x1, y1)))
        made = []
        for path, found in samples.items():
            made.append(Sample(path=path, image=context.image(path), annotations=tuple(found)))
        return Dataset(made, list(dict.fromkeys(a.label for found in samples.values() for a in found)))

    def encode(self, sample, context, ordinal):
        if not sample.annotations:
            yield Piece("lines", sample.path.encode() + b"\n")
        for a in sample.annotations or ():
            label = context.name(a.label)
            cells = [sample.path, label.upper() if context.options.upper else label, *map(repr, a.box)]
            yield Piece("lines", ",".join(cells).encode() + b"\n")

    def assemble(self, context, pieces):
        yield File(context.document("all.boxes"), b"#boxes\n" + b"".join(pieces.stream("lines")))


class Twin(Boxes):
    """Recognises what ``boxes`` recognises."""

    id = "twin"
    name = "Twin"
    aliases = ()


class Slow(Boxes):
    """Takes its time for each image."""

    id = "slow"
    name = "Slow"
    aliases = ()

    def detect(self, source):
        return None

    def encode(self, sample, context, ordinal):
        time.sleep(0.005)
        return super().encode(sample, context, ordinal)


class Bomb(Boxes):
    """A writer with a bug, a reader with another."""

    id = "bomb"
    name = "Bomb"
    aliases = ()

    def detect(self, source):
        return None

    def read(self, context):
        raise KeyError("boom")

    def encode(self, sample, context, ordinal):
        raise ZeroDivisionError("boom")


@hookimpl
def labelglot_commands(app):
    @app.command("greet")
    def greet(name: Annotated[str, typer.Argument()]) -> None:
        """Say hello."""
        typer.echo(f"hello {name}")
