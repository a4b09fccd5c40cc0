"""Tests of the tests: plugins broken in the classic ways, each caught by the suite with a sentence that says what is wrong."""

import json

import pytest
from labelglot.formats.base import Format
from labelglot.plugin import (
    Annotation,
    Convention,
    File,
    Holds,
    LabelHolds,
    Match,
    Naming,
    PerImage,
    Sample,
    pair_by_stem,
    with_suffix,
)
from labelglot.testing import conformance

BOX = frozenset({"box"})
FLAG = frozenset({"bool"})


class Toy(PerImage):
    """One JSON per image: [[label, x, y, width, height, hidden]...]. This one is right."""

    id, name = "toy", "Toy"
    holds = Holds(
        geometry=(BOX,), labels=LabelHolds(unused=False, order="appearance"), flags={"occluded": FLAG}, size=False, empty=True,
        defaults={"occluded": False}, boxes=Convention(form="xywh"), naming=Naming(unique="stem"),
    )  # fmt: skip

    def detect(self, source):
        return Match(0.5, "toys") if source.match("*.toy.json") else None

    def pairs(self, context):
        files = {path[: -len(".toy.json")] + ".json": path for path in context.source.match("*.toy.json")}
        return [p._replace(annotation=files.get(p.annotation)) for p in pair_by_stem(files, context.images.paths)]

    def decode(self, data, pair, context, report):
        try:
            values = json.loads(data or b"{}")
            objects = tuple(self.object(row) for row in values.get("rows", ()))
            path = pair.image or values.get("path") or pair.annotation
        except (ValueError, TypeError, AttributeError, KeyError, IndexError, RecursionError) as error:
            report.problem("toy.file", str(error), pair.annotation, severity="error", action="skipped")
            return None
        image = context.image(path) if pair.image else None
        return Sample(path=str(path), image=image, annotations=objects)

    def object(self, row):
        x, y, w, h = map(float, row[1:5])
        return Annotation(label=str(row[0]), box=(x, y, x + w, y + h), attributes={"occluded": True} if row[5] else {})

    def annotation_path(self, sample, context):
        return with_suffix(sample.path, ".toy.json")

    def row(self, a):
        x0, y0, x1, y1 = a.box
        return [x0, y0, x1 - x0, y1 - y0]

    def encode_file(self, sample, context):
        rows = [[context.name(a.label), *self.row(a), bool(a.attributes.get("occluded"))] for a in sample.annotations]
        return json.dumps({"path": sample.path, "rows": rows}).encode()


class Swapped(Toy):
    def row(self, a):
        x, y, w, h = super().row(a)
        return [x, y, h, w]


class Silent(Toy):
    def encode_file(self, sample, context):
        shown = tuple(a.replace(attributes={}) for a in sample.annotations)
        return super().encode_file(sample.replace(annotations=shown), context)


class OffByOne(Toy):
    def row(self, a):
        x, y, w, h = super().row(a)
        return [x + 1, y + 1, w, h]


class Flat(Toy):
    """Loses the second image of a base name."""

    def annotation_path(self, sample, context):
        return super().annotation_path(sample, context).rpartition("/")[2]

    def encode(self, sample, context, ordinal):
        yield File(self.annotation_path(sample, context), self.encode_file(sample, context))


class Crashing(Toy):
    def decode(self, data, pair, context, report):
        return super().decode(json.dumps(json.loads(data)).encode(), pair, context, report)


class Random(Toy):
    counter = 0

    def encode_file(self, sample, context):
        Random.counter += 1
        return super().encode_file(sample, context) + b" " * (Random.counter % 7)


@pytest.fixture(autouse=True)
def _shrink_for_a_moment(monkeypatch):
    monkeypatch.setattr("hypothesis.internal.conjecture.engine.MAX_SHRINKING_SECONDS", 2, raising=False)


def verdict(format: Format, name: str) -> str:
    """What the suite says of a format; empty if it is content."""
    suite = conformance(format, max_examples=60)()
    try:
        getattr(suite, name)()
    except BaseException as error:
        return str(error)
    return ""


def checks() -> list[str]:
    return [name for name in dir(conformance(Toy(), max_examples=1)) if name.startswith("test_")]


def test_the_sound_toy_passes():
    found = {name: verdict(Toy(), name) for name in checks()}
    assert {name: text for name, text in found.items() if text} == {}


@pytest.mark.parametrize(
    ("broken", "check", "says"),
    [
        (Swapped, "test_returns_what_it_holds", "Width and height are swapped"),
        (Silent, "test_returns_what_it_holds", "occluded"),
        (OffByOne, "test_returns_what_it_holds", "off by one pixel"),
        (Flat, "test_odd_one_base_name_in_two_folders", "written twice"),
        (Crashing, "test_survives_damage", "a damaged file raises"),
        (Random, "test_settles", "gives other bytes"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_one_is_caught_and_told_why(broken, check, says):
    assert says in verdict(broken(), check)
