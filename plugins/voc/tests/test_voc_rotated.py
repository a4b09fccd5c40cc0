"""roLabelImg: upright boxes and boxes turned about their centre."""

import math
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.detection import detect
from labelglot.engine.convert import read
from labelglot.geometry import center_from_corners
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, RotatedBox, Sample
from labelglot.storage import MemorySource, open_source
from labelglot.testing.strategies import png
from labelglot.testing.travel import store, travel
from labelglot_voc import Voc, VocRotated

DATA = Path(__file__).parent / "data" / "voc-rotated"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "voc-rotated"
FORMAT = VocRotated()


def opened(objects, name="a.xml", head="<filename>a</filename>", more=()):
    report = Report()
    content = {name: f"<annotation>{head}{objects}</annotation>".encode(), **dict(more)}
    dataset = read(MemorySource(content), format=FORMAT, report=report)
    return list(dataset.read(report)), {line.code: line.count for line in report.problems()}


def turned(angle, cx=10, more=""):
    numbers = f"<cx>{cx}</cx><cy>20</cy><w>8</w><h>4</h><angle>{angle}</angle>"
    return f"<object><name>ship</name>{more}<robndbox>{numbers}</robndbox></object>"


def test_the_example_reads_with_exact_values():
    (sample,) = lg.read(DATA)
    assert (sample.path, sample.size, sample.uri) == ("ship1.bmp", (800, 600), None)
    ship, boat = sample.annotations
    assert ship.label == "ship" and ship.attributes == {"difficult": True} and ship.box is None
    assert ship.shape.corners == pytest.approx((430, 200, 430, 400, 370, 400, 370, 200), abs=1e-4)
    assert boat == Annotation(
        label="boat",
        box=(1, 2, 30, 40),
        attributes={"pose": "Left", "truncated": True},
        extra={"voc-rotated": {"remark": "old"}},
    )
    assert sample.extra == {"voc-rotated": {"folder": "demo"}}


def test_the_example_survives_writing():
    trip = travel(lg.read(DATA), FORMAT)
    text = trip.files["ship1.xml"].decode()
    for part in (
        'verified="no"',
        "<filename>ship1<",
        "<path>ship1.bmp<",
        "<type>robndbox<",
        "<w>200<",
        "<h>60<",
        "<cx>400<",
        "<remark>old<",
    ):
        assert part in text
    assert "<angle>1.570796<" in text and not trip.written.losses()


def test_the_angle_is_that_of_the_first_side_clockwise():
    (sample,), _ = opened(turned(math.pi / 2))
    assert sample.annotations[0].shape.corners == pytest.approx((12, 16, 12, 24, 8, 24, 8, 16))
    for angle in (-0.5, 4.0, math.tau - 0.1):
        (sample,), problems = opened(turned(angle))
        assert center_from_corners(sample.annotations[0].shape.corners)[4] % math.tau == pytest.approx(angle % math.tau)
        assert not problems


def test_degrees_are_seen_by_their_size():
    (sample,), problems = opened(turned(90))
    assert sample.annotations[0].shape.corners == pytest.approx((12, 16, 12, 24, 8, 24, 8, 16))
    assert problems == {"voc-rotated.angle": 1}


def test_objects_without_type_and_with_both_boxes():
    box = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox>"
    (sample,), problems = opened(
        turned(0, more=box) + f"<object><name>cat</name>{box}</object><object><name>dog</name></object>"
    )
    ship, cat = sample.annotations
    assert (
        ship.shape.corners == pytest.approx((6, 18, 14, 18, 14, 22, 6, 22))
        and ship.box is None
        and cat.box == (1, 2, 3, 4)
    )
    assert problems == {"voc-rotated.box": 2}


def test_numbers_that_are_none():
    (sample,), problems = opened(turned("x") + turned("nan") + turned(0, cx="") + turned(0))
    assert len(sample.annotations) == 1 and problems == {"voc-rotated.number": 3}


def test_names_without_suffix():
    for head, path, uri in (
        ("<filename>a</filename><path>/home/me/a.jpg</path>", "a.jpg", "/home/me/a.jpg"),
        ("<filename>a</filename><path>a.jpg</path>", "a.jpg", None),
        ("<filename>a.jpg</filename>", "a.jpg", None),
        ("<filename>a</filename>", "a", None),
    ):
        (sample,), _ = opened("", head=head)
        assert (sample.path, sample.uri) == (path, uri)
    (sample,), _ = opened("", more={"a.png": png(8, 6)}, head="<filename>a</filename><path>C:\\x\\a.jpg</path>")
    assert (sample.path, sample.size, sample.uri) == ("a.png", None, "C:\\x\\a.jpg") or sample.size == (8, 6)


def test_corners_that_cannot_be_said():
    crooked, back = (0, 0, 9, 0, 9, 9, 0, 5), (0, 0, 0, 4, 9, 4, 9, 0)
    objects = tuple(Annotation(label="c", shape=RotatedBox(corners=ring)) for ring in (crooked, back))
    _, report = store(Dataset([Sample(path="a", annotations=objects)], ["c"]), FORMAT)
    assert [line.count for line in report.problems() if line.code == "voc-rotated.corners"] == [2]


def test_detection():
    assert detect(open_source(DATA), lg.registry).id == "voc-rotated"
    source = MemorySource({"a.xml": f"<annotation>{turned(0)}</annotation>".encode()})
    assert FORMAT.detect(source).confidence == 0.95 and Voc().detect(source).confidence <= 0.3
    assert (
        FORMAT.detect(MemorySource({"a.xml": b"<annotation><object><bndbox></bndbox></object></annotation>"})) is None
    )


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
def test_the_shared_samples():
    dataset = lg.read(SAMPLES, format="voc-rotated")
    samples = {s.path: s for s in dataset}
    assert sorted((s.size) for s in samples.values()) == [(512, 290), (555, 312), (799, 401), (1146, 818)]
    objects = [a for s in samples.values() for a in s.annotations]
    assert (sum(a.box is not None for a in objects), sum(a.shape is not None for a in objects)) == (4, 7)
    assert {a.label for a in objects} == {"dog", "person", "cat", "tv", "ship"}
    person = next(a for a in samples["demo3.jpg"].annotations if a.label == "person")
    assert center_from_corners(person.shape.corners) == pytest.approx((398.245, 137.3459, 48.3577, 226.2906, 1.134448))
    assert detect(open_source(SAMPLES), lg.registry).id == "voc-rotated"


def test_an_image_without_suffix_whose_address_has_one():
    sample = Sample(path="0a1b", uri="gs://b/deep/0a1b.png", annotations=())
    trip = travel(Dataset([sample]), FORMAT)
    assert list(trip.dataset) == [sample.replace(uri=None)]
    assert {line.code for line in trip.written.losses()} == {"sample.uri"}
