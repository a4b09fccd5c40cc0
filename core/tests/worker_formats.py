"""Formats for tests of worker processes: spawned workers must be able to import them."""

import os
import signal

from labelglot.formats.base import File, Format, Piece
from labelglot.holds import ANY_VALUE, Holds, LabelHolds
from labelglot.schema import Annotation, IndexEntry, Sample


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


class Numbered(Lines):
    """Its objects have numbers, so that they are counted before anything is written."""

    id = "numbered"
    holds = Lines.holds.replace(ids="int", ids_required=True)

    def encode(self, sample, context, ordinal):
        yield Piece("all", "".join(f"{a.id}\n" for a in sample.annotations or ()).encode())


class Listed:
    """An index that tells nothing but names."""

    def __init__(self, number):
        self.number = number

    def __call__(self):
        return (IndexEntry(f"{i}.jpg", (), None, None, None, None) for i in range(self.number))


class Decode:
    """Makes a sample with so many objects; none of ``None``, and kills its process at -1."""

    def __call__(self, record, ordinal, report):
        if record == -1:
            os.kill(os.getpid(), signal.SIGKILL)
        if record is None:
            return None
        return Sample(path=f"{ordinal}.jpg", annotations=(Annotation(label="cat", box=(1.0, 2.0, 3.0, 4.0)),) * record)


class Counting(Decode):
    """The same; it can count the objects of a record without making them, so that nothing needs to be read beforehand."""

    def count_objects(self, record):
        return max(0, record or 0)
