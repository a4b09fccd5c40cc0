"""Supervisely projects: every kind of geometry, tags with and without values, datasets, and old exports."""

import base64
import json
import math
from pathlib import Path

import labelglot as lg
import numpy as np
import pytest
from labelglot.engine.convert import read
from labelglot.geometry import decode_string, mask_area, mask_bounds, to_bitmap
from labelglot.images import BytesImage
from labelglot.report import Report
from labelglot.schema import Annotation, Cuboid, Dataset, Label, Points, Polygon, Polyline, RotatedBox, Sample, Tag
from labelglot.storage import MemorySource
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, store, travel
from labelglot_supervisely import Supervisely

DATA = Path(__file__).parent / "data" / "supervisely"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "supervisely"
FORMAT = Supervisely()
OWNER = "supervisely"


def opened(files, **options):
    report = Report()
    dataset = read(MemorySource(files), format=FORMAT, options=options, report=report)
    return list(dataset.read(report)), report


def project(*objects, **more):
    document = {"size": {"height": 4, "width": 8}, "tags": [], "objects": list(objects), **more}
    return {"meta.json": b'{"classes": [{"title": "car", "shape": "any"}]}', "ds/ann/a.jpg.json": json.dumps(document).encode()}


def codes(report):
    return {line.code: line.count for line in report.problems()}


def files_of(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_example_reads_with_exact_values():
    report = Report()
    dataset = lg.read(DATA, report=report)
    old, night, a, lone = sorted(dataset.read(report), key=lambda s: (s.splits, "/" not in s.path, s.path))
    assert codes(report) == {"supervisely.geometryType": 1}
    assert (a.path, a.splits, a.size) == ("a.jpg", ("train",), (640, 480))
    assert (night.path, night.splits, night.annotations) == ("night/b.jpg", ("train",), ())
    assert (lone.path, lone.annotations) == ("lone.png", None) and lone.image.info().width == 8
    assert (old.path, old.splits, old.image is not None) == ("c.png", (), True)
    assert [(t.label, t.text) for t in a.tags] == [("sunny", None), (None, "a street")] and a.attributes == {"city": "Bonn"}
    car, lake, parts, mask, cut, turned, line, point, cuboid, hand = a.annotations
    assert car.box == (10, 20, 110, 80) and (car.id, car.group, car.text) == (7, "g1", "red one")
    assert car.attributes == {"parked": True, "plate": "0001", "doors": 4}
    assert car.extra == {OWNER: {"tags": [{"labelerLogin": "me"}, {}, {}]}}
    assert lake.shape == Polygon(parts=(((0, 0, 100, 0, 100, 100), (60, 20, 80, 20, 80, 40)),))
    assert parts.shape == Polygon.of((0, 0, 10, 0, 10, 10), (20, 20, 30, 20, 30, 30))
    bitmap = to_bitmap(decode_string(mask.shape.rle), 480, 640)
    assert np.argwhere(bitmap).tolist() == [[5, 4], [5, 6], [6, 5]]
    assert np.argwhere(to_bitmap(decode_string(cut.shape.rle), 480, 640)).tolist() == [[0, 638], [1, 639]]
    assert turned.shape.corners == pytest.approx((25, 5, 25, 25, 15, 25, 15, 5))
    assert line.shape == Polyline(points=(0, 0, 5, 5, 9, 1)) and point.shape == Points(points=(3, 4))
    assert cuboid.shape == Cuboid(corners=(0, 0, 4, 0, 4, 3, 0, 3, 2, -1, 6, -1, 6, 2, 2, 2))
    assert hand.keypoints.points == (1, 2, 0, 0, 5, 6) and hand.keypoints.visibility == (2, 0, 1)
    assert [(o.label, o.box, o.attributes) for o in old.annotations] == [("car", (1, 2, 6, 4), {"parked": True}), ("new", None, {})]
    assert old.annotations[1].shape == Points(points=(5, 3)) and old.tags == (Tag(label="old"),)
    labels = {label.name: label for label in dataset.complete().labels}
    assert list(labels) == ["car", "lake", "lane", "hand", "unused", "old", "new", "sunny"]
    assert (labels["car"].id, labels["car"].color) == (11, "#FF0000")
    assert (labels["hand"].keypoints, labels["hand"].skeleton) == (("wrist", "thumb", "tip"), ((0, 2),))


def test_the_example_is_written_as_it_was():
    files = files_of(DATA)
    written = travel(load(files, FORMAT)[0], FORMAT).files
    before, after = (json.loads(f["train/ann/a.jpg.json"]) for f in (files, written))
    masks = [[o.pop("bitmap")["origin"] for o in d["objects"] if "bitmap" in o] for d in (before, after)]
    assert masks == [[[4, 5], [638, 0]], [[4, 5], [638, 0]]]
    assert after["objects"][5].pop("angle") == pytest.approx(before["objects"][5].pop("angle"))
    # The class has a number, so all its objects say it.
    for one, two in zip(before["objects"], after["objects"], strict=True):
        assert two == ({"classId": 11, **one} if one["classTitle"] == "car" and "mesh" not in one else one)
    assert {**before, "objects": 0} == {**after, "objects": 0}
    metas = [json.loads(f["meta.json"]) for f in (files, written)]
    added = [{"title": name, "shape": shape} for name, shape in (("old", "any"), ("new", "point"), ("sunny", "any"))]
    shapes = {"lake": "any", "lane": "any"}  # used for more than they were declared for
    expected = [{**c, "shape": shapes.get(c["title"], c["shape"])} for c in metas[0]["classes"]]
    assert metas[1]["classes"] == expected + added
    assert metas[1]["tags"] == [*metas[0]["tags"], {"name": "old", "value_type": "none"}]
    assert "train/datasets/night/ann/b.jpg.json" in written and "train/img/lone.png" in written


def test_yes_and_no_are_two_words_unless_the_tag_takes_no_value():
    objects = tuple(Annotation(label="c", box=(1, 1, 3, 3), attributes={"ok": v}) for v in (True, False))
    files = store(Dataset([Sample(path="a.jpg", size=(8, 4), annotations=objects)], ["c"]), FORMAT)[0]
    values = [o["tags"][0]["value"] for o in json.loads(files["ds/ann/a.jpg.json"])["objects"]]
    assert values == ["true", "false"]
    assert json.loads(files["meta.json"])["tags"] == [{"name": "ok", "value_type": "oneof_string", "values": ["true", "false"]}]
    assert next(iter(load(files, FORMAT)[0])).annotations == objects


def test_values_of_several_kinds_under_one_name_are_warned_of():
    objects = tuple(Annotation(label="c", box=(1, 1, 3, 3), attributes={"v": v}) for v in ("x", 2))
    trip = travel(Dataset([Sample(path="a.jpg", size=(8, 4), annotations=objects)], ["c"]), FORMAT)
    assert codes(trip.written) == {"supervisely.tag": 1}
    assert next(iter(trip.dataset)).annotations == objects


def test_boxes_thinner_than_a_pixel_and_inverted_ones():
    thin, inverted = Annotation(label="c", box=(1.0, 1.0, 1.25, 3.0)), Annotation(label="c", box=(5.0, 4.0, 2.0, 1.0))
    trip = travel(Dataset([Sample(path="a.jpg", size=(8, 4), annotations=(thin, inverted))], ["c"]), FORMAT)
    assert [a.box for a in next(iter(trip.dataset)).annotations] == [(1, 1, 1.25, 3), (2, 1, 5, 4)]
    assert [line.code for line in trip.written.losses()] == ["precision.box"]


def test_a_graph_without_names_keeps_its_number_of_points():
    from labelglot.schema import Keypoints

    points = Keypoints(points=(1, 2, 0, 0), visibility=(2, 0))
    sample = Sample(path="a.jpg", size=(8, 4), annotations=(Annotation(label="c", keypoints=points),))
    trip = travel(Dataset([sample], ["c"]), FORMAT)
    assert json.loads(trip.files["meta.json"])["classes"][0]["geometry_config"]["nodes"] == {"1": {"loc": [0, 0]}, "2": {"loc": [0, 0]}}
    assert next(iter(trip.dataset)).annotations[0].keypoints == points


def test_names_that_differ_in_their_suffix_stay_apart():
    files = {**project(), "ds/ann/a.json": project()["ds/ann/a.jpg.json"], "ds/img/a.jpg": (DATA / "ds0/img/c.png").read_bytes()}
    assert {(s.path, s.image is not None) for s in opened(files)[0]} == {("a", False), ("a.jpg", True)}


def test_two_nodes_of_one_name():
    from labelglot.schema import Keypoints

    points = Keypoints(points=(1, 2, 3, 4), visibility=(2, 1))
    label = Label(key="c", name="c", keypoints=("eye", "eye"), skeleton=((0, 1),))
    dataset = Dataset([Sample(path="a.jpg", size=(8, 4), annotations=(Annotation(label="c", keypoints=points),))], [label])
    back = travel(dataset, FORMAT).dataset
    assert next(iter(back)).annotations[0].keypoints == points and back.labels[0].keypoints == ("eye", "eye")
    assert back.labels[0].skeleton == ((0, 1),)


def test_an_eighth_corner_that_does_not_follow_is_written():
    corners = (0, 0, 4, 0, 4, 3, 0, 3, 2, -1, 6, -1, 7, 7, 2, 2)
    dataset = Dataset([Sample(path="a.jpg", size=(8, 4), annotations=(Annotation(label="c", shape=Cuboid(corners=corners)),))], ["c"])
    trip = travel(dataset, FORMAT)
    assert len(json.loads(trip.files["ds/ann/a.jpg.json"])["objects"][0]["points"]) == 8
    assert next(iter(trip.dataset)).annotations[0].shape == Cuboid(corners=corners)


def test_corners_that_are_no_turned_rectangle():
    quad = RotatedBox(corners=(0, 0, 5, 1, 4, 4, 0, 3))
    left = RotatedBox(corners=(0, 0, 0, 2, 4, 2, 4, 0))
    objects = tuple(Annotation(label="c", shape=shape) for shape in (quad, left))
    trip = travel(Dataset([Sample(path="a.jpg", size=(8, 4), annotations=objects)], ["c"]), FORMAT)
    assert codes(trip.written) == {"supervisely.rotated_box": 2}
    assert next(iter(trip.dataset)).annotations[0].shape == Polygon.of(quad.corners)


def test_what_cannot_be_read_is_skipped_and_said():
    def thing(kind, **more):
        return {"classTitle": "car", "geometryType": kind, **more}

    bad = [
        thing("rectangle", points={"exterior": [[1, 2]]}), thing("bitmap", bitmap={"data": "?", "origin": [0, 0]}),
        thing("bitmap", bitmap={"data": base64.b64encode(b"x\x9cgarbage").decode(), "origin": [0, 0]}),
        thing("cuboid", points=[[0, 0]], faces=[[0, 1, 2, 3]]), thing("line", points={"exterior": []}), {"geometryType": "line"},
        thing("point", points={"exterior": [[math.inf, 1]]}),
    ]  # fmt: skip
    good = thing("rectangle", points={"exterior": [[1, 1], [2, 2]]}, tags=[{"name": "t", "value": [1]}, {"name": "u"}, {"name": "u"}])
    files = project(*bad, good)
    (sample,), report = opened(files)
    assert report.skipped == 7 and len(sample.annotations) == 1
    assert codes(report) == {"supervisely.geometry": 6, "supervisely.object": 1, "supervisely.tag": 2}
    written = json.loads(travel(load(files, FORMAT)[0], FORMAT).files["ds/ann/a.jpg.json"])
    assert written["objects"][0]["tags"] == [{"name": "u", "value": "true"}, {"name": "t", "value": [1]}, {"name": "u"}]


def test_a_soft_mask_becomes_a_hard_one():
    import zlib

    from labelglot.images import encode_gray

    data = base64.b64encode(zlib.compress(encode_gray(np.array([[0, 9, 255]])))).decode()
    soft = {"classTitle": "car", "geometryType": "alpha_mask", "bitmap": {"data": data, "origin": [1, 1]}}
    (sample,), report = opened(project(soft))
    assert mask_area(decode_string(sample.annotations[0].shape.rle)) == 2 and codes(report) == {"supervisely.alpha_mask": 1}


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the collection of real samples is not here")
def test_real_projects():
    report = Report()
    vector = {s.path: s for s in lg.read(SAMPLES / "vector", report=report).read(report)}
    assert len(vector) == 6 and sum(len(s.annotations) for s in vector.values()) == 9
    assert {n.partition(".")[0]: s.size for n, s in vector.items()} == {
        "cat1": (2000, 2000), "cat2": (1100, 732), "cat3": (700, 933), "dog1": (782, 529), "dog2": (640, 480), "dog3": (968, 681),
    }  # fmt: skip
    cat = vector["cat1.jpg"].annotations[0]
    assert cat.box == (501, 18, 1537, 1869) and cat.attributes == {"cat": True}
    kinds = {n: [a.shape.kind if a.shape else "box" for a in s.annotations] for n, s in vector.items()}
    assert sorted(kinds["cat3.jpg"]) == ["box", "points", "points"] and kinds["dog1.jpg"] == ["polygon"] * 2
    assert kinds["dog2.jpg"] == ["cuboid"] and kinds["dog3.jpg"] == ["polygon"] and kinds["cat2.jpg"] == ["polyline"]
    masks = {}
    for sample in lg.read(SAMPLES / "instance", report=report):
        for a in sample.annotations:
            counts = decode_string(a.shape.rle)
            x0, y0, x1, y1 = mask_bounds(counts, sample.size[1])
            masks.setdefault(sample.path[:4], []).append((a.label, (x1 - x0, y1 - y0), (x0, y0), mask_area(counts)))
    assert masks == {
        "cat2": [("cat", (810, 623), (244, 109), 404403), ("cat", (73, 210), (100, 74), 9284)],
        "dog1": [("dog", (470, 387), (176, 80), 86709)], "dog2": [("dog", (297, 433), (110, 34), 86616)],
        "dog3": [("dog", (378, 591), (172, 90), 177314), ("dog", (50, 133), (532, 159), 6013)],
    }  # fmt: skip
    graphs = list(lg.read(SAMPLES / "keypoints", report=report))
    assert [sum(map(bool, s.annotations[0].keypoints.visibility)) for s in graphs] == [5, 4, 5, 5, 5, 4]
    assert len(lg.read(SAMPLES / "keypoints").labels[0].skeleton) == 4
    assert not report.problems()


def test_an_image_takes_no_file_of_another():
    pair = [Sample(path="1", annotations=()), Sample(path="1.jpg", annotations=(), image=BytesImage("1.jpg", png(8, 6)))]
    found = {sample.path: sample.image is not None for sample in travel(Dataset(pair), FORMAT).dataset}
    assert found == {"1": False, "1.jpg": True}
