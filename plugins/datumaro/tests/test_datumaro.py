"""Datumaro: parts of an object by group, what attributes mean by convention, sizes as [height, width]."""

import json
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.report import Report
from labelglot.schema import (
    Annotation,
    Dataset,
    Ellipse,
    Keypoints,
    Label,
    Mask,
    Points,
    Polygon,
    Polyline,
    RotatedBox,
    Sample,
    Tag,
)
from labelglot.storage import MemorySource
from labelglot.testing.strategies import png
from labelglot.testing.travel import travel
from labelglot_datumaro import Datumaro

DATA = Path(__file__).parent / "data" / "datumaro"
EXAMPLE = DATA / "annotations" / "default.json"
SAMPLES = Path(__file__).parents[4] / "shared" / "samples"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the collection of real samples is not here")


def read(where, **more):
    report = Report()
    dataset = lg.read(where, report=report, **more)
    return dataset, list(dataset.read(report)), report


def codes(report):
    return [line.code for line in report.problems()]


def document(tmp_path, *annotations, points=(), **item):
    categories = {"label": {"labels": [{"name": n, "parent": ""} for n in ("x", "y")]}, "points": {"items": list(points)}}
    items = [{"id": "a", "image": {"path": "a.jpg", "size": [8, 9]}, "annotations": list(annotations), **item}]
    path = tmp_path / "train.json"
    path.write_text(json.dumps({"categories": categories, "items": items}))
    return path


def part(kind, group=0, label_id=0, attributes=None, **more):
    return {"id": 0, "type": kind, "group": group, "label_id": label_id, "attributes": attributes or {}, **more}


def written(tmp_path, *objects, labels=("x", "y")):
    lg.write(Dataset([Sample(path="a.jpg", annotations=objects)], labels), tmp_path / "o.json", format="datumaro")
    return json.loads((tmp_path / "o.json").read_text())["items"][0]["annotations"]


BOX, RING = [1, 2, 3, 4], [0, 0, 4, 0, 4, 4]


def test_the_example_reads_as_it_is_written():
    dataset, samples, report = read(DATA)
    assert codes(report) == ["datumaro.type"] and report.skipped == 0
    car, person = dataset.labels
    assert (car.name, car.parent, car.color, car.keypoints) == ("car", "vehicle", "#dc143c", None)
    assert (person.keypoints, person.skeleton) == (("head", "neck", "hip"), ((0, 1), (1, 2)))
    assert dataset.info.description == "an example"
    a, empty = samples
    assert (a.path, a.size, a.frame, a.id, a.attributes, a.splits) == ("d/a.jpg", (6, 4), 3, 7, {"weather": "clear"}, ())
    assert [(t.label, t.text, t.score) for t in a.tags] == [("car", None, 0.5), (None, "a car", None)]
    one, crowd, pose, turned, round_, cuboid = a.annotations
    assert (one.box, one.shape) == ((2, 1, 5, 3), Polygon.of((2, 1, 5, 1, 5, 3), (0, 0, 1, 0, 1, 1)))
    assert one.attributes == {"occluded": False} and one.extra["datumaro"]["z_order"] == 2
    assert (crowd.shape, crowd.attributes) == (Mask(width=6, height=4, rle="9220003"), {"crowd": True})
    assert (pose.box, pose.track) == ((1, 2, 3, 4), 4)
    assert pose.keypoints == Keypoints(points=(1, 2, 3, 4, 0, 0), visibility=(2, 1, 0))
    assert turned.shape.corners == pytest.approx((3, -1, 3, 3, 1, 3, 1, -1)) and turned.label is None
    assert round_.shape == Ellipse(cx=2, cy=1, rx=2, ry=1) and len(cuboid.shape.corners) == 16
    assert (empty.path, empty.annotations) == ("empty.png", ())


def test_the_same_document_comes_back(tmp_path):
    lg.convert(DATA, tmp_path / "out", to="datumaro")
    before, after = json.loads(EXAMPLE.read_text()), json.loads((tmp_path / "out/annotations/default.json").read_text())
    item = before["items"][0]
    item["image"]["path"] = "d/a.jpg"
    item["annotations"][4]["attributes"] = item["annotations"][3]["attributes"]
    item["annotations"][6], item["annotations"][7] = item["annotations"][7], item["annotations"][6]
    for number, each in enumerate(item["annotations"]):
        each["id"] = number
    assert after == before


def test_joints_that_count_from_1(tmp_path):
    """As datasets that came from COCO have them: the last point has the highest number."""
    names = ["a", "b", "c"]
    for joints, expected in (([[1, 2], [2, 3]], ((0, 1), (1, 2))), ([[0, 1], [1, 2]], ((0, 1), (1, 2))), ([[1, 2]], ((1, 2),))):
        path = document(tmp_path, points=[{"label_id": 0, "labels": names, "joints": joints, "positions": []}])
        dataset, _, _ = read(path)
        assert dataset.labels[0].skeleton == expected
        lg.convert(path, tmp_path / "out.json", to="datumaro", overwrite=True)
        made = json.loads((tmp_path / "out.json").read_text())["categories"]["points"]["items"]
        assert made == [{"label_id": 0, "labels": names, "joints": joints}]


@pytest.mark.parametrize(
    ("second", "number"),
    [
        (part("polygon", 1, points=RING), 1), (part("polygon", 1, 1, points=RING), 2), (part("polygon", 0, points=RING), 2),
        (part("polygon", 2, points=RING), 2), (part("bbox", 1, bbox=BOX), 2),
        (part("polygon", 1, attributes={"a": 2}, points=RING), 2), (part("polygon", 1, attributes={"b": 2}, points=RING), 1),
        (part("polygon", 1, points=RING, z_order=3), 2), (part("points", 1, points=[1, 2], visibility=[2]), 1),
        (part("bbox", 1, bbox=BOX, attributes={"rotation": 5}), 2),
    ],
)  # fmt: skip
def test_which_parts_are_one_object(tmp_path, second, number):
    path = document(tmp_path, part("bbox", 1, bbox=BOX, attributes={"a": 1}), second)
    _, samples, report = read(path)
    assert len(samples[0].annotations) == number and codes(report) == []
    lg.convert(path, tmp_path / "out.json", to="datumaro", images="none")
    groups = [a["group"] for a in json.loads((tmp_path / "out.json").read_text())["items"][0]["annotations"]]
    assert groups == [1, second["group"]]


def test_objects_of_several_parts_get_a_group(tmp_path):
    both = Annotation(label="x", box=(0, 0, 4, 4), shape=Polygon.of((0, 0, 4, 0, 4, 4), (5, 5, 6, 5, 6, 6)))
    kept = both.replace(extra={"datumaro": {"group": 1}})
    made = written(tmp_path, both, Annotation(label="x", box=(0, 0, 1, 1)), kept, both)
    assert [(a["type"], a["group"]) for a in made] == [
        ("bbox", 2), ("polygon", 2), ("polygon", 2), ("bbox", 0), ("bbox", 1), ("polygon", 1), ("polygon", 1),
        ("bbox", 3), ("polygon", 3), ("polygon", 3),
    ]  # fmt: skip
    assert [a["id"] for a in made] == list(range(10))


def test_points_and_keypoints_are_told_apart(tmp_path):
    labels = [Label(key="x", name="x", keypoints=("p",)), Label(key="y", name="y")]
    keypoints, points = Keypoints(points=(1, 2), visibility=(2,)), Points(points=(1, 2))
    objects = [Annotation(label=key, **what) for key in "xy" for what in ({"keypoints": keypoints}, {"shape": points})]
    made = written(tmp_path, *objects, labels=labels)
    assert [a["attributes"] for a in made] == [{}, {"keypoints": False}, {"keypoints": True}, {}]
    _, (sample,), _ = read(tmp_path / "o.json")
    assert [(a.keypoints, a.shape, a.attributes) for a in sample.annotations] == [(keypoints, None, {}), (None, points, {})] * 2


def test_turned_boxes(tmp_path):
    upright, skewed = RotatedBox(corners=(0, 0, 4, 0, 4, 2, 0, 2)), RotatedBox(corners=(0, 0, 4, 0, 5, 2, 0, 2))
    made = written(tmp_path, Annotation(label="x", shape=upright), Annotation(label="x", shape=skewed))
    assert [(a["type"], a["attributes"]) for a in made] == [("bbox", {"rotation": 360.0}), ("polygon", {})]
    _, (sample,), _ = read(tmp_path / "o.json")
    assert sample.annotations[0].shape.corners == pytest.approx(upright.corners)


def test_tracks_scores_and_objects(tmp_path):
    path = document(
        tmp_path, part("bbox", bbox=BOX, attributes={"track_id": "t", "score": 0.5}), part("bbox", bbox=BOX, object_id=4),
        part("bbox", bbox=BOX, object_id=-1, attributes={"score": "high", "coords": [[1, 2]]}),
    )  # fmt: skip
    _, (sample,), _ = read(path)
    assert [(a.track, a.score, a.attributes) for a in sample.annotations] == [
        ("t", 0.5, {}), (4, None, {}), (None, None, {"score": "high"}),
    ]  # fmt: skip
    lg.convert(path, tmp_path / "out.json", to="datumaro", images="none")
    made = json.loads((tmp_path / "out.json").read_text())["items"][0]["annotations"]
    assert [a.get("object_id") for a in made] == [None, 4, None]
    assert [a["attributes"] for a in made] == [{"score": 0.5, "track_id": "t"}, {}, {"score": "high", "coords": [[1, 2]]}]


def test_legacy_items(tmp_path):
    (tmp_path / "images/train").mkdir(parents=True)
    (tmp_path / "annotations").mkdir()
    (tmp_path / "images/train/a.jpg").write_bytes(png(9, 8))
    (tmp_path / "images/b.png").write_bytes(png(7, 6))
    items = [
        {"id": "a", "annotations": [{"type": "polyline", "points": [0, 0, 1, 1], "label_id": None}], "image": {"path": ""}},
        {"id": "b", "annotations": None, "media": {"path": "b.png"}},
        {"id": "v/1", "attr": {}, "annotations": [], "video_frame": {"video_path": "v.mp4", "frame_index": 5}},
    ]
    document = {"infos": {}, "categories": {"label": {"labels": [{"name": "x", "parent": ""}]}}, "items": items}
    (tmp_path / "annotations/train.json").write_text(json.dumps(document))
    _, samples, report = read(tmp_path)
    assert codes(report) == []
    assert [(s.path, s.size, s.image is not None) for s in samples] == [("a.jpg", (9, 8), True), ("b.png", (7, 6), True), ("v/1.jpg", None, False)]
    assert samples[0].annotations[0].shape == Polyline(points=(0, 0, 1, 1)) and samples[0].annotations[0].label is None
    assert (samples[2].sequence, samples[2].frame) == ("v.mp4", 5)
    lg.convert(tmp_path, tmp_path / "out", to="datumaro", format="datumaro")
    made = json.loads((tmp_path / "out/annotations/train.json").read_text())["items"][2]
    assert made["video_frame"] == items[2]["video_frame"] and "attr" not in made


BROKEN = {
    "three numbers": part("bbox", bbox=[1, 2, 3]), "no bbox": part("bbox"), "not finite": part("bbox", bbox=[1, 2, 3, float("nan")]),
    "no such class": part("bbox", label_id=9, bbox=BOX), "text for points": part("polygon", points="1 2"),
    "no corners": part("polygon", points=[]), "odd numbers": part("polyline", points=[1, 2, 3, 4, 5]),
    "runs that do not add up": part("mask", rle={"counts": "1", "size": [4, 4]}), "no mask": part("mask"),
    "a label of nothing": part("label", label_id=None), "a caption of nothing": part("caption"),
    "seven corners": part("cuboid_2d", points=[[1, 2]] * 7), "no type": {"id": 0},
    "visibility 5": part("points", attributes={"keypoints": True}, points=[1, 2], visibility=[5]), "a number": 5,
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_one_bad_annotation_is_named_and_the_rest_goes_on(tmp_path, case):
    good = part("bbox", bbox=BOX)
    _, (sample,), report = read(document(tmp_path, good, BROKEN[case], good))
    assert len(sample.annotations) == 2
    (line,) = report.problems()
    assert (line.code, line.examples[0]["place"]) == ("datumaro.annotation", "train.json#items[0].annotations[1]")


def test_polygons_that_are_too_short_are_kept_and_said(tmp_path):
    _, (sample,), report = read(document(tmp_path, part("polygon", points=[1, 2, 3, 4])))
    assert sample.annotations[0].shape == Polygon.of((1, 2, 3, 4)) and codes(report) == ["datumaro.short"]


def test_what_is_and_is_not_of_this_format():
    def confidence(value):
        match = Datumaro().detect(MemorySource({"a.json": json.dumps(value).encode()}))
        return match and match.confidence

    assert confidence({"dm_format_version": "1.0"}) == 0.95
    assert confidence({"categories": {}, "items": [{"id": "a", "annotations": []}]}) == 0.95
    assert confidence({"infos": {}, "categories": {"label": {}}}) == 0.8
    for other in ({"images": [], "categories": []}, {"items": [{"id": 1}]}, {"categories": [], "items": [{"id": 1}]}, []):
        assert confidence(other) is None


def test_tags_alone(tmp_path):
    tags = (Tag(label="y", score=0.25, attributes={"a": "b"}), Tag(text="so"))
    lg.write(Dataset([Sample(path="a.jpg", tags=tags)], ["x", "y"]), tmp_path / "o.json", format="datumaro")
    made = json.loads((tmp_path / "o.json").read_text())["items"][0]["annotations"]
    assert made == [
        {"id": 0, "type": "label", "attributes": {"a": "b", "score": 0.25}, "group": 0, "label_id": 1},
        {"id": 1, "type": "caption", "attributes": {}, "group": 0, "caption": "so"},
    ]


@needs_samples
def test_a_real_legacy_dataset(tmp_path):
    folder = SAMPLES / "datumaro" / "legacy"
    dataset, samples, report = read(folder)
    assert codes(report) == [] and [label.name for label in dataset.labels] == ["car", "bicycle", "tom", "mary"]
    assert {(s.split, s.path): [t.label for t in s.tags] for s in samples} == {
        ("train", "a.jpg"): ["car"], ("train", "b.jpg"): ["car", "bicycle", "tom", "mary"],
        ("test", "c.jpg"): [t.label for t in next(s for s in samples if s.split == "test").tags], ("validation", "d.jpg"): [],
    }  # fmt: skip
    assert samples[1].split == "train" and all(s.image is not None for s in samples)
    assert next(s for s in samples if s.path == "a.jpg").tags[0].score == 1.0
    lg.convert(folder, tmp_path / "out", to="datumaro")
    made = json.loads((tmp_path / "out/annotations/train.json").read_text())
    assert made["categories"]["label"]["label_groups"][0]["labels"] == ["car", "bicycle"]
    assert made["infos"] == {"task": "classification", "author": "anonymous"}
    assert sorted(p.name for p in (tmp_path / "out/images").iterdir()) == ["test", "train", "validation"]


def test_a_skewed_rotated_box_becomes_a_polygon_and_is_reported():
    ring = (0.0, 0.0, 9.0, 1.0, 12.0, 8.0, 1.0, 9.0)
    sample = Sample(path="a.jpg", size=(20, 20), annotations=(Annotation(label="x", shape=RotatedBox(corners=ring)),))
    trip = travel(Dataset([sample], ["x"]), Datumaro())
    assert [s.annotations[0].shape for s in trip.dataset] == [Polygon.of(ring)]
    assert "datumaro.corners" in {line.code for line in trip.written.problems()}
