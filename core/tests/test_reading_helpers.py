"""What readers and detectors build on, and what formats say of circles and corners in any order."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelglot.conventions import Convention
from labelglot.errors import LabelglotError
from labelglot.formats import per_image
from labelglot.formats.base import ReadContext
from labelglot.formats.per_image import Pair, PairTable, packed
from labelglot.holds import Holds
from labelglot.projection import project
from labelglot.report import Report
from labelglot.schema import Annotation, Ellipse, Points, Polygon, Sample
from labelglot.storage import MemorySource
from labelglot.wire.json import load, load_item, load_parts, peek


@pytest.mark.parametrize(
    ("head", "value"),
    [
        (b'[{"a": 1, "b": [1, 2, {"c": "x\\n", "d": tru', [{"a": 1.0, "b": [1.0, 2.0, {"c": "x\n"}]}]),
        (b'{"shapes": [], "data": "abcdef', {"shapes": []}),
        (b'\xef\xbb\xbf{"a": NaN} tail', None),
        (b"\xff\xfe" + '{"é": null '.encode("utf-16-le"), {"é": None}),
        (b"hello", None),
        (b"", None),
        (b"[[[{{{}}}", [[[{}]]]),
        (b'{"a" "b" 1, 2', {"a": "b"}),
    ],
)
def test_peeking_at_a_document_that_is_cut_off(head, value):
    found = peek(head)
    assert found == value or (value is None and (found is None or found["a"] != found["a"]))


def test_lenient_reading_leaves_nothing_that_cannot_be_written():
    assert load(b'["\\ud800x", NaN]', "p")[0] == "\ufffdx"
    (raw,) = load_parts(b'[{"a": NaN}]', "p")
    assert load_item(raw, dict[str, float], "p", Report(), "x")["a"] != 0
    assert load(b"[1e999]", "p") == [float("inf")]
    report = Report()
    assert load_item(b'{"a": "\xe5"}', dict[str, str], "p", report, "x") == {"a": "\ufffd"}
    assert load_item(b'{"a"', dict[str, str], "p", report, "x") is None and report.skipped == 1


def context(*files):
    return ReadContext(MemorySource(dict.fromkeys(files, b"")), None, Report())


@pytest.mark.parametrize(
    ("name", "folder", "path", "uri", "found"),
    [
        ("a.jpg", "", "a.jpg", None, "a.jpg"),
        ("../images/b.jpg", "labels", "images/b.jpg", None, "images/b.jpg"),
        ("b.jpg", "labels", "images/b.jpg", None, "images/b.jpg"),
        ("b.jpg", "", "b.jpg", None, "images/b.jpg"),
        ("no.jpg", "labels", "labels/no.jpg", None, None),
        ("C:\\pics\\images\\b.jpg", "", "images/b.jpg", "C:\\pics\\images\\b.jpg", "images/b.jpg"),
        ("https://x.org/q/no.jpg", "", "q/no.jpg", "https://x.org/q/no.jpg", None),
        ("/home/me/no.jpg", "f", "f/home/me/no.jpg", "/home/me/no.jpg", None),
        ("../../no.jpg", "f", "f/no.jpg", "../../no.jpg", None),
    ],
)
def test_the_identity_of_a_named_image(name, folder, path, uri, found):
    place = context("a.jpg", "images/b.jpg").place(name, folder)
    assert (place.path, place.uri, place.image and place.image.path) == (path, uri, found)


def test_a_name_that_names_nothing():
    with pytest.raises(LabelglotError):
        context().place("..")


def test_a_listed_image_is_not_taken_for_another():
    files = context("a.png", "x/c.jpg")
    assert files.place("a.jpg").image.path == "a.png"
    files.reserve([("", "a.jpg"), ("", "a.png"), ("", "y/c.jpg"), ("", "z/c.jpg")])
    assert files.place("a.jpg").image is None and files.place("a.png").image.path == "a.png"
    assert files.place("y/c.jpg").image is None


def reduced(holds, **geometry):
    done = project(Sample(path="a.jpg", size=(9, 9), annotations=(Annotation(**geometry),)), holds)
    (a,) = done.sample.annotations
    return a, [loss.code for loss in done.losses]


def test_only_circles():
    slots = (frozenset({"ellipse", "polygon"}),)
    circles = Holds(geometry=slots, ellipses="circle").replace(labels=Holds().labels.replace(required=False))
    upright = circles.replace(ellipses="upright")
    circle, oval = Ellipse(cx=4, cy=4, rx=2, ry=2), Ellipse(cx=4, cy=4, rx=2, ry=3)
    assert reduced(circles, shape=circle) == (Annotation(shape=circle), [])
    assert reduced(circles, shape=circle.replace(angle=1.0)) == (Annotation(shape=circle), ["shape.ellipse"])
    assert reduced(upright, shape=oval) == (Annotation(shape=oval), [])
    for holds, shape in ((circles, oval), (upright, oval.replace(angle=1.0))):
        a, codes = reduced(holds, shape=shape)
        assert isinstance(a.shape, Polygon) and codes == ["shape.ellipse"]


def test_points_one_by_one():
    holds = Holds(geometry=(frozenset({"points"}),), several_points=False, labels=Holds().labels.replace(required=False))
    objects = (Annotation(shape=Points(points=(1, 2))), Annotation(shape=Points(points=(1, 2, 3, 4))))
    done = project(Sample(path="a.jpg", annotations=objects), holds)
    assert [a.shape.points for a in done.sample.annotations] == [(1, 2), (1, 2), (3, 4)] and done.trace == (0, 1, 1)
    assert {(loss.code, loss.object) for loss in done.losses} == {("shape.parts", 1), ("shape.parts", None)}


def test_corners_in_any_order():
    holds = Holds(geometry=(frozenset({"box"}),), boxes=Convention(ordered=True), labels=Holds().labels.replace(required=False))
    assert reduced(holds, box=(5, 6, 1, 2)) == (Annotation(box=(1, 2, 5, 6)), ["precision.box"])
    assert reduced(holds, box=(1, 2, 5, 6)) == (Annotation(box=(1, 2, 5, 6)), [])


def test_a_file_in_its_own_folder_is_named_exactly():
    context = ReadContext(MemorySource({"images/train/a.jpg": b"", "images/b.jpg": b""}), None, Report())
    names = [("", "a.jpg", ["images/train"]), ("", "a.jpg", ["images/val"]), ("", "b.jpg", ["images"]), ("", "x/b.jpg", ["images"])]
    context.reserve(names)
    found = [context.place(name, folder, folders).image for folder, name, folders in names]
    assert [image and image.path for image in found] == ["images/train/a.jpg", None, "images/b.jpg", None]


PAIRS = st.tuples(
    st.sampled_from([None, "a.txt", "b/ü.txt"]), st.sampled_from([None, "a.jpg"]), st.sampled_from([(), ("train",), ("x", "y")]),
    st.sampled_from(["a", "a/b.jpg"]),
).map(lambda fields: Pair(*fields))  # fmt: skip


@given(st.lists(PAIRS, min_size=1, max_size=12), st.integers(1, 4), st.data())
def test_pairs_are_the_same_in_a_table(pairs, block, data):
    pairs *= 20 * block
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(per_image, "_BLOCK", block)
        table = packed(pairs)
        assert isinstance(table, PairTable) and len(table) == len(pairs) and list(table) == pairs
        assert list(zip(*table.identities(), strict=True)) == [(pair.path, pair.splits) for pair in pairs]
        start, stop = sorted(data.draw(st.tuples(*[st.integers(0, len(pairs))] * 2)))
        part = table[start:stop]
        assert list(part) == list(pickle.loads(pickle.dumps(part))) == pairs[start:stop]
        assert list(zip(*part.identities(), strict=True)) == [(pair.path, pair.splits) for pair in pairs[start:stop]]
        assert list(part[1:3]) == pairs[start:stop][1:3] and list(part[::-2]) == pairs[start:stop][::-2]
        assert table[-1] == pairs[-1] and table[start % len(pairs)] == pairs[start % len(pairs)]


@pytest.mark.parametrize("odd", [Pair("a", None, (), "p", 1), Pair("a", None, (), None), Pair("a\0b", None, (), "p")])
def test_pairs_with_more_to_say_stay_objects(odd):
    pairs = [Pair("a", "b", (), "p")] * 5000
    assert isinstance(packed(pairs), PairTable) and packed(pairs[1:]) == pairs[1:]
    assert packed([*pairs, odd]) == [*pairs, odd]
