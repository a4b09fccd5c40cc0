"""Documents in which something is not what it should be: for tests of readers on real or hand-made examples.

Damage of bytes seldom gets past the parser; a list where a number is expected does.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

from labelglot.engine.convert import read
from labelglot.errors import LabelglotError, PluginError
from labelglot.formats.base import Format
from labelglot.report import Report
from labelglot.schema import Sample
from labelglot.storage import MemorySource
from labelglot.testing.travel import store

ODD: tuple[Any, ...] = (
    None, True, 0, -1, 0.5, 1e308, 10**30, float("nan"), "", "x", "../x", "\0", [], [None], [[]], ["a"], [{}], {}, {"a": 1},
)  # fmt: skip
"""Values that may stand anywhere."""


def odd_documents(document: Any, number: int, seed: int = 0) -> Iterator[Any]:
    """Copies of a decoded JSON document, each with one to three values replaced or taken out."""
    chance = random.Random(seed)
    places = [place for place in _places(document) if place]
    for _ in range(number):
        made = copy.deepcopy(document)
        for place in chance.sample(places, min(len(places), chance.choice((1, 1, 3)))):
            inner = made
            try:
                for step in place[:-1]:
                    inner = inner[step]
                if chance.random() < 0.1:
                    del inner[place[-1]]
                else:
                    inner[place[-1]] = chance.choice(ODD)
            except (KeyError, IndexError, TypeError):
                continue
        yield made


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield place
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _places(inner, (*place, key))


def survives(format: Format, files: dict[str, bytes], options: dict[str, Any] | None = None) -> Report:
    """Detect, read, validate and write again. Raises whatever is no :class:`LabelglotError` made on purpose."""
    report = Report()
    source = MemorySource(files)
    format.detect(source)
    try:
        dataset = read(source, format=format, options=options, report=report)
        samples = list(dataset.read(report))
        for sample in samples:
            Sample.validate(sample.replace(image=None))
        store(dataset.replace(samples=samples).complete(), format)
    except PluginError:
        raise
    except LabelglotError as error:
        report.problem("document", str(error))
    return report


__all__ = ["ODD", "odd_documents", "survives"]
