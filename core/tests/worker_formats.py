"""Formats for tests of worker processes: spawned workers must be able to import them."""

import os
import signal

from labelglot.formats.base import File, Format, Piece
from labelglot.holds import ANY_VALUE, Holds, LabelHolds


class Lines(Format):
    """One line per object; kills the worker that meets a sample called ``killer``, breaks at ``breaker``."""

    id, name, documents = "lines", "Lines", (".txt",)
    holds = Holds(geometry=(frozenset({"box"}),), labels=LabelHolds(required=False), empty=True, attributes=ANY_VALUE)

    def encode(self, sample, context, ordinal):
        if "killer" in sample.path:
            os.kill(os.getpid(), signal.SIGKILL)
        if "breaker" in sample.path:
            raise ZeroDivisionError("a bug")
        yield Piece("all", f"{ordinal} {sample.path} {len(sample.annotations or ())}\n".encode())

    def assemble(self, context, pieces):
        yield File(context.document("all.txt"), pieces.stream("all"))

    def image_path(self, sample, context):
        return f"images/{sample.path}"
