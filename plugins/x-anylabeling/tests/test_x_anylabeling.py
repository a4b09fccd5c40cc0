"""X-AnyLabeling JSON: what it adds to LabelMe's list of shapes."""

import json
import math
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.engine.convert import read
from labelglot.report import Report
from labelglot.schema import Annotation, Cuboid, Dataset, Polygon, RotatedBox, Sample, Tag
from labelglot.storage import MemorySource
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, store, travel
from labelglot_x_anylabeling import XAnyLabeling

DATA = Path(__file__).parent / "data" / "x-anylabeling"
FORMAT = XAnyLabeling()
CORNERS = [[40.0, 20.0], [80.0, 40.0], [70.0, 60.0], [30.0, 40.0]]


def shape(**more):
    return {"label": "cat", "points": [[1, 2], [3, 4]], "shape_type": "rectangle", **more}


def document(*shapes, **more):
    fields = {"version": "4.2.1", "flags": {}, "checked": False, "shapes": list(shapes), "imagePath": "a.jpg"}
    return json.dumps({**fields, "imageData": None, "imageHeight": 48, "imageWidth": 64, **more}).encode()


def one(*shapes, **more):
    report = Report()
    (sample,) = read(MemorySource({"a.json": document(*shapes, **more)}), format=FORMAT, report=report).read(report)
    return sample, report


def codes(report):
    return {line.code: line.count for line in report.problems()}


def test_the_example_reads_with_exact_values():
    report = Report()
    (sample,) = lg.read(DATA, report=report).read(report)
    assert not report.problems()
    assert sample.size == (120, 100) and sample.attributes == {"sharp": True}
    assert sample.tags == (Tag(label="harbour"), Tag(text="a ship"))
    ship, port, quay, crate = sample.annotations
    assert ship == Annotation(
        label="ship", shape=RotatedBox(corners=tuple(v for p in CORNERS for v in p)), score=0.91, group=7,
        attributes={"colour": "red"}, extra={"x-anylabeling": {"kie_linking": [[1, 2]]}},
    )  # fmt: skip
    assert port == Annotation(label="port", box=(5, 5, 25, 15), text="KIEL", attributes={"new": False, "difficult": True})
    assert quay.shape == Polygon.of((0, 0, 9, 1, 8, 5, 1, 4))
    assert crate.shape == Cuboid(corners=(0, 0, 4, 0, 4, 4, 0, 4, 2, 1, 6, 1, 6, 5, 2, 5))


def test_the_example_is_written_as_it_was():
    data = (DATA / "a.json").read_bytes()
    written = travel(load({"a.json": data}, FORMAT)[0], FORMAT).files
    assert json.loads(written["a.json"]) == json.loads(data)
    assert written["classes.txt"] == b"harbour\nship\nport\nquay\ncrate\n"


@pytest.mark.parametrize("turn", range(4))
def test_direction_follows_the_first_edge(turn):
    corners = CORNERS[turn:] + CORNERS[:turn]
    ring = tuple(v for p in corners for v in p)
    dataset = Dataset([Sample(path="a.jpg", annotations=(Annotation(label="c", shape=RotatedBox(corners=ring, angle=9.0)),))], ["c"])
    files, report = store(dataset, FORMAT)
    (made,) = json.loads(files["a.json"])["shapes"]
    assert made["points"] == corners and 0 <= made["direction"] < math.tau
    assert made["direction"] == pytest.approx(math.atan2(1, 2) + turn * math.pi / 2)
    assert "shape.angle" in {line.code for line in report.losses()}


def test_rectangles_of_old_and_new_versions():
    for points in ([[3, 4], [1, 2]], [[1, 2], [3, 2], [3, 4], [1, 4]]):
        assert one(shape(points=points))[0].annotations[0].box == (1, 2, 3, 4)


def test_rotations_whose_points_are_no_corners_in_order():
    crossed = [CORNERS[0], CORNERS[2], CORNERS[1], CORNERS[3]]
    for points in (CORNERS[:3], crossed):
        sample, report = one(shape(shape_type="rotation", points=points))
        ring = sample.annotations[0].shape.corners
        assert codes(report) == {"x-anylabeling.rotation": 1} and len(ring) == 8
    found = {(round(x, 6), round(y, 6)) for x, y in zip(ring[::2], ring[1::2], strict=True)}
    assert found == {tuple(p) for p in CORNERS}


def test_what_older_files_leave_out():
    sample, report = one(shape(flags=None), checked=None)
    assert sample.annotations == (Annotation(label="cat", box=(1, 2, 3, 4)),) and not report.problems() and not sample.extra


def test_links_of_texts_are_left_out():
    sample, report = one(shape(kie_linking=[[1, 2], ["1", "2"], [True, 1]]))
    assert sample.annotations[0].extra == {"x-anylabeling": {"kie_linking": [[1, 2]]}}
    assert codes(report) == {"x-anylabeling.kie_linking": 1}


def test_odd_values_return_to_the_file():
    odd = shape(score="high", difficult=1, attributes={"a": "b", "n": [1]}, direction=1.5, flags={"a": True}, description=None)
    sample, report = one(odd, tags=[1], flags={"x": {}}, description={"en": "x"}, checked="failed")
    assert codes(report) == {f"x-anylabeling.{name}": 1 for name in ("score", "difficult", "tags", "flags")}
    assert sample.annotations[0].attributes == {"a": "b"}
    back = json.loads(store(Dataset([sample], ["cat"]), FORMAT)[0]["a.json"])
    made = back["shapes"][0]
    assert {k: v for k, v in made.items() if odd.get(k, v) != v} == {"points": [[1, 2], [3, 2], [3, 4], [1, 4]], "description": ""}
    assert (back["tags"], back["flags"], back["description"], back["checked"]) == ([1], {"x": {}}, {"en": "x"}, "failed")


def test_attributes_by_their_kind():
    values = {"colour": "red", "ok": True, "age": 3, "difficult": False}
    dataset = Dataset([Sample(path="a.jpg", annotations=(Annotation(label="c", box=(1, 2, 3, 4), attributes=values),))], ["c"])
    files, report = store(dataset, FORMAT)
    (made,) = json.loads(files["a.json"])["shapes"]
    assert (made["attributes"], made["flags"], made["difficult"]) == ({"colour": "red", "age": "3"}, {"ok": True}, False)
    assert {"attributes.age", "attributes.difficult"} == {line.code for line in report.losses()}


def test_bad_shapes_among_good_ones():
    bad = [shape(shape_type="cuboid"), shape(points=[[math.inf, 1], [2, 3]]), 5]
    sample, report = one(*bad, shape())
    assert len(sample.annotations) == 1 and report.skipped == 3
    assert codes(report) == {"x-anylabeling.shape": 2, "x-anylabeling.number": 1}


def test_the_image_is_found_beside_the_file():  # pain 30
    files = {"l/a.json": document(imagePath="..\\i\\a.jpg"), "i/a.jpg": png(64, 48)}
    (sample,) = read(MemorySource(files), format=FORMAT)
    assert sample.path == "i/a.jpg" and sample.image is not None


def test_detection():
    def confidence(data):
        match = FORMAT.detect(MemorySource({"a.json": data}))
        return match and match.confidence

    plain = json.loads(document(shape()))
    del plain["checked"]
    assert confidence(document(shape())) == 0.95
    assert confidence(json.dumps(plain).encode()) is None
    for more in ({"difficult": False}, {"kie_linking": []}, {"score": None}, {"shape_type": "rotation", "points": CORNERS}):
        assert confidence(json.dumps({**plain, "shapes": [shape(**more)]}).encode()) == 0.95


def test_a_rotated_box_whose_sides_cross_is_written_as_it_is():
    ring = (0.0, 0.0, 10.0, 10.0, 10.0, 0.0, 0.0, 10.0)
    sample = Sample(path="a.jpg", size=(20, 20), annotations=(Annotation(label="x", shape=RotatedBox(corners=ring)),))
    trip = travel(Dataset([sample], ["x"]), FORMAT)
    assert [s.annotations[0].shape for s in trip.dataset] == [Polygon.of(ring)]
    assert codes(trip.written) == {"x-anylabeling.corners": 1} and not codes(trip.read)
    skewed = sample.replace(annotations=(Annotation(label="x", shape=RotatedBox(corners=(0, 0, 9, 1, 12, 8, 1, 9))),))
    assert list(travel(Dataset([skewed], ["x"]), FORMAT).dataset) == [skewed]
