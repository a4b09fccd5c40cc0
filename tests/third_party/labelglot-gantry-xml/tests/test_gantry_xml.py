"""The generated suite, and the conventions with numbers worked out by hand."""

from pathlib import Path

import labelglot as lg
import pytest
from labelglot.testing import conformance

TestConformance = conformance("gantry-xml")
EXAMPLE = Path(__file__).parent / "data"

# The image is 200 x 100, so that y up from the lower edge is 100 - y.
# Not turned: (20, 30), 40 wide, 10 high. x from 20 to 60; the lower edge is at 100 - 30 = 70, the upper at 60.
FLAT = (20, 60, 60, 60, 60, 70, 20, 70)
# Turned by 90 degrees, counter-clockwise on the screen, about its lower left corner (100, 100 - 50 = 50): what was right
# (30 wide) is up now, what was up (20 high) is left. The top left corner was 20 above the pivot and is 20 left of it.
QUARTER = (80, 50, 80, 20, 100, 20, 100, 50)
# -450 degrees are 90 clockwise about (0, 100): right is down, up is right.
CLOCKWISE = (5, 100, 5, 110, 0, 110, 0, 100)


def test_corners_by_hand():
    report = lg.Report()
    data = lg.read(EXAMPLE, format="gantry-xml", report=report)
    first, second = list(data.read(report))
    assert (first.path, second.path) == ("bay 1/f<0001>.png", "bay 1/f0002.png")
    assert first.size == (200, 100) and second.annotations == ()
    assert [(label.id, label.name) for label in data.labels] == [(10, "container"), (25, "spreader bar")]
    assert [(a.label, a.score) for a in first.annotations] == [
        ("container", 0.75), ("spreader bar", None), ("container", None),
    ]  # fmt: skip
    for annotation, corners in zip(first.annotations, (FLAT, QUARTER, CLOCKWISE), strict=True):
        assert annotation.shape.corners == pytest.approx(corners, abs=1e-12)


def test_everything_that_is_skipped_is_reported():
    report = lg.Report()
    list(lg.read(EXAMPLE, format="gantry-xml", report=report).read(report))
    assert {line.code: line.count for line in report.problems()} == {
        "gantry-xml.class": 2, "gantry-xml.object": 2, "gantry-xml.record": 1,
    }  # fmt: skip


def test_writes_the_same_numbers(tmp_path):
    lg.convert(EXAMPLE, tmp_path / "out", to="gantry-xml", format="gantry-xml")
    written = next((tmp_path / "out").rglob("*.xml")).read_text()
    assert '<obb class="10" ax="20" ay="30" w="40" h="10" turn="0" certainty="75"/>' in written
    assert '<obb class="25" ax="100" ay="50" w="30" h="20" turn="90"/>' in written
    assert '<obb class="10" ax="0" ay="0" w="10" h="5" turn="270"/>' in written


def test_an_upright_box_becomes_a_box_without_turn(tmp_path):
    sample = lg.Sample(path="a.jpg", size=(50, 40), annotations=(lg.Annotation(label="cat", box=(1, 2, 11, 8)),))
    lg.write(lg.Dataset([sample], ["cat"]), tmp_path, format="gantry-xml")
    assert 'ax="1" ay="32" w="10" h="6" turn="0"' in (tmp_path / "annotations.xml").read_text()


def test_images_of_unknown_size_are_left_out_and_reported(tmp_path):
    sample = lg.Sample(path="a.jpg", annotations=(lg.Annotation(label="cat", box=(1, 2, 11, 8)),))
    outcome = lg.write(lg.Dataset([sample], [lg.Label(key="cat", name="cat", id=3)]), tmp_path, format="gantry-xml")
    assert [line.code for line in outcome.report.losses()] == ["sample.unsized"]


def test_names_that_end_a_cdata_section(tmp_path):
    sample = lg.Sample(path="a]]>b.jpg", size=(50, 40), annotations=())
    lg.write(lg.Dataset([sample], ["cat"]), tmp_path, format="gantry-xml")
    assert [s.path for s in lg.read(tmp_path, format="gantry-xml")] == ["a]]>b.jpg"]
