"""Scalabel: the last pixel is inside, curves become lines, ids are tracks in a video; real files to the number."""

import json
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.geometry import encode_string, ring_area
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Keypoints, Label, Polygon, Polyline, Sample
from labelglot.storage import MemorySource
from labelglot_scalabel import Bdd100k, Scalabel
from labelglot_scalabel.geometry import flatten

DATA = Path(__file__).parent / "data"
EXAMPLE = DATA / "scalabel" / "labels_train.json"
SAMPLES = Path(__file__).parents[4] / "shared" / "samples"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the collection of real samples is not here")


def read(where, **more):
    report = Report()
    dataset = lg.read(where, report=report, **more)
    samples = list(dataset.read(report))
    return dataset.replace(samples=samples).complete(), samples, report


def frames(tmp_path, *listed, name="labels.json"):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(list(listed)))
    return path


def codes(report):
    return [line.code for line in report.problems()]


def test_the_example_reads_as_it_is_written():
    dataset, samples, report = read(EXAMPLE)
    assert codes(report) == []
    assert [(x.name, x.parent, x.color, x.keypoints, x.skeleton) for x in dataset.labels] == [
        ("car", "vehicle", "#dc143c", None, ()), ("lane", None, None, None, ()),
        ("person", None, None, ("head", "neck"), ((0, 1),)),
    ]  # fmt: skip
    a, b, c = samples
    assert (a.path, a.uri, a.sequence, a.frame, a.timestamp, a.size) == (
        "a.jpg", "https://example.org/images/a.jpg", "v1", 0, 1.5, (1280, 720),
    )  # fmt: skip
    assert a.attributes == {"weather": "clear", "lux": 3.5} and a.extra == {"scalabel": {"sensor": 2}}
    car, lane, person = a.annotations
    assert (car.box, car.track, car.score) == ((10.0, 20.0, 110.0, 70.0), "7", 0.9)
    assert car.attributes == {"occluded": True, "ignore": False} and car.extra == {"scalabel": {"manualShape": True}}
    assert lane.shape.kind == "polyline" and len(lane.shape.points) == 2 * 17
    assert person.keypoints == Keypoints(points=(5, 6, 5, 9), visibility=(2, 1)) and person.track == "9"
    assert (b.annotations, b.size) == ((), (64, 48))
    assert c.annotations[0].box == (0, 0, 1, 1) and c.annotations[0].track is None
    assert c.annotations[0].extra == {"scalabel": {"id": "5"}}


def test_the_same_document_comes_back(tmp_path):
    lg.convert(EXAMPLE, tmp_path / "out.json", to="scalabel", images="none")
    before, after = json.loads(EXAMPLE.read_text()), json.loads((tmp_path / "out.json").read_text())
    first, second, third = before["frames"]
    del first["attributes"]["note"], first["intrinsics"]
    first["labels"][2]["id"] = "9"
    second.update(labels=[], size={"width": 64, "height": 48})
    third["size"] = second["size"]
    assert after["frames"] == before["frames"]
    assert after["config"]["imageSize"] == before["config"]["imageSize"]
    assert after["config"]["categories"][:2] == before["config"]["categories"][:2]


@pytest.mark.parametrize(
    ("types", "closed", "corners"),
    [("LLLL", True, 4), ("LCCL", False, 17), ("LLCC", True, 2 + 15), ("CCCL", True, 16 + 1), ("CLLL", False, 16 + 1), ("LLLC", False, 4), ("", True, 4)],
)  # fmt: skip
def test_a_curve_is_sixteen_lines(types, closed, corners):
    ring = flatten([(0, 0), (0, 3), (3, 3), (3, 0)], types, closed)
    assert len(ring) == 2 * corners


def test_a_curve_passes_through_its_middle():
    ring = flatten([(0, 0), (0, 4), (8, 4), (8, 0)], "LCCL", False)
    assert (ring[:2], ring[16:18], ring[-2:]) == ((0, 0), (4, 3), (8, 0))


def test_outlines_in_older_forms(tmp_path):
    ring, line = [[0, 0], [4, 0], [4, 4]], [[0, 0, "L"], [4, 0, "L"], [4, 4, "L"]]
    path = frames(tmp_path, {"name": "a.jpg", "labels": [{"category": "x", "poly2d": p} for p in (ring, line, [line, line])]})
    _, (sample,), report = read(path)
    one = Polygon.of((0, 0, 4, 0, 4, 4))
    assert [a.shape for a in sample.annotations] == [one, one, Polygon(parts=one.parts * 2)] and codes(report) == []
    lg.convert(path, tmp_path / "out.json", to="scalabel", images="none")
    made = json.loads((tmp_path / "out.json").read_text())["frames"][0]["labels"]
    assert [label["poly2d"] for label in made] == [ring, line, [line, line]]


def test_open_and_closed_outlines_of_one_label_become_objects(tmp_path):
    outlines = [{"vertices": [[0, 0], [4, 0], [4, 4]], "types": "LLL", "closed": c} for c in (True, False, False)]
    _, (sample,), report = read(frames(tmp_path, {"name": "a.jpg", "labels": [{"category": "x", "poly2d": outlines}]}))
    assert [a.shape.kind for a in sample.annotations] == ["polygon", "polyline", "polyline"]
    assert codes(report) == ["scalabel.outlines"]


def test_what_was_read_of_a_shape_goes_when_the_shape_changes(tmp_path):
    lg.convert(EXAMPLE, tmp_path / "coco", to="coco")
    made = json.loads((tmp_path / "coco/annotations/instances_train.json").read_text())
    assert [a["bbox"] for a in made["annotations"]] == [[10, 20, 100, 50], [0, 400, 640, 300], [5, 6, 0, 3], [0, 0, 1, 1]]


def test_ids_are_tracks_in_a_video_only(tmp_path):
    box = {"x1": 1, "y1": 1, "x2": 2, "y2": 2}
    video = [{"name": f"{i}.jpg", "videoName": "v", "frameIndex": i, "labels": [{"id": 4, "category": "x", "box2d": box}]} for i in (0, 1)]
    _, samples, _ = read(frames(tmp_path, *video))
    assert [a.track for s in samples for a in s.annotations] == ["4", "4"]
    plain = [{**frame, "videoName": ""} for frame in video]
    _, samples, _ = read(frames(tmp_path, *plain))
    assert [(s.sequence, s.annotations[0].track) for s in samples] == [(None, None)] * 2


def test_tracks_survive_without_a_video_and_none_is_made_up_in_one(tmp_path):
    objects = (Annotation(label="x", box=(0, 0, 2, 2), track="7"), Annotation(label="x", box=(0, 0, 2, 2)))
    samples = [Sample(path="a.jpg", annotations=objects), Sample(path="b.jpg", sequence="v", annotations=objects)]
    lg.write(Dataset(samples, ["x"]), tmp_path / "out.json", format="scalabel")
    made = json.loads((tmp_path / "out.json").read_text())["frames"]
    assert [label["id"] for frame in made for label in frame["labels"]] == ["0", "1", "7", "b.jpg#1"]
    assert made[0]["labels"][0]["attributes"] == {"track_id": "7"}
    _, back, _ = read(tmp_path / "out.json")
    assert [[a.track for a in s.annotations] for s in back] == [["7", None]] * 2


def test_frames_of_one_name_stay_two(tmp_path):
    _, samples, report = read(frames(tmp_path, *[{"name": "v/a.jpg", "videoName": "v", "frameIndex": i, "labels": []} for i in (0, 1)]))
    assert [(s.path, s.frame) for s in samples] == [("v/a.jpg", 0), ("v/2_a.jpg", 1)] and codes(report) == ["scalabel.name"]


def test_a_name_that_is_an_address(tmp_path):
    url = "https://example.org/data/x.jpg"
    path = frames(tmp_path, {"name": url, "url": url, "labels": [{"category": "x", "box2d": {"x1": 0, "y1": 0, "x2": 1, "y2": 1}}]})
    _, (sample,), _ = read(path)
    assert sample.uri == url and sample.path.endswith("x.jpg")
    lg.convert(path, tmp_path / "out.json", to="scalabel", images="none")
    frame = json.loads((tmp_path / "out.json").read_text())["frames"][0]
    assert (frame["name"], frame["url"]) == (url, url)


def test_classes_of_a_tree(tmp_path):
    names = [("car", "vehicle"), ("truck", "vehicle"), ("lane", None), ("bus", "vehicle"), ("vehicle", None)]
    labels = [Label(key=name, name=name, parent=parent) for name, parent in names]
    lg.write(Dataset([Sample(path="a.jpg")], labels), tmp_path / "out.json", format="scalabel")
    tree = json.loads((tmp_path / "out.json").read_text())["config"]["categories"]
    assert [(node["name"], len(node.get("subcategories", ()))) for node in tree] == [
        ("vehicle", 2), ("lane", 0), ("vehicle", 1), ("vehicle", 0),
    ]  # fmt: skip
    dataset, _, _ = read(tmp_path / "out.json")
    assert [(label.name, label.parent) for label in dataset.labels] == names


BOX = {"x1": 0, "y1": 0, "x2": 1, "y2": 1}
BROKEN = {
    "no number": {"box2d": {**BOX, "x1": None}},
    "not finite": {"box2d": {**BOX, "x1": float("nan")}},
    "text for a box": {"box2d": "1 2 3 4"},
    "no vertices": {"poly2d": [{"vertices": [], "closed": True}]},
    "vertices without y": {"poly2d": [{"vertices": [[0], [1]]}]},
    "a list for a number": {"poly2d": [{"vertices": [[0, []], [1, 1], [2, 2]]}]},
    "no list": {"poly2d": 5},
    "runs that do not add up": {"rle": {"counts": "04", "size": [9, 9]}},
    "mask without size": {"rle": {"counts": "04"}},
    "graph without nodes": {"graph": {"edges": []}},
    "text for a score": {"score": "high"},
}


@pytest.mark.parametrize("case", BROKEN)
def test_one_bad_label_is_named_and_the_rest_goes_on(tmp_path, case):
    good = {"category": "x", "box2d": BOX}
    path = frames(tmp_path, {"name": "a.jpg", "labels": [good, {"category": "x", **BROKEN[case]}, good]})
    _, (sample,), report = read(path, format="scalabel")
    assert len(sample.annotations) == 2
    (line,) = report.problems()
    assert (line.code, line.examples[0]["place"]) == ("scalabel.label", "labels.json#frames[0].labels[1]")


def test_outlines_that_are_too_short_are_kept_and_said(tmp_path):
    path = frames(tmp_path, {"name": "a.jpg", "labels": [{"category": "x", "poly2d": [{"vertices": [[0, 0], [1, 1]], "closed": True}]}]})
    _, (sample,), report = read(path)
    assert sample.annotations[0].shape == Polygon.of((0, 0, 1, 1)) and codes(report) == ["scalabel.outline-short"]


def test_boxes_without_area_are_kept_and_said(tmp_path):
    path = frames(tmp_path, {"name": "a.jpg", "labels": [{"category": "x", "box2d": {"x1": 5, "y1": 5, "x2": 1, "y2": 9}}]})
    _, (sample,), report = read(path)
    assert sample.annotations[0].box == (5, 5, 2, 10) and codes(report) == ["scalabel.box-empty"]


def test_classes_in_a_file_of_their_own(tmp_path):
    (tmp_path / "classes.toml").write_text('[imageSize]\nwidth = 9\nheight = 8\n[[categories]]\nname = "a"\n[[categories.subcategories]]\nname = "b"\n')
    frames(tmp_path, {"name": "a.jpg", "labels": [{"category": "c", "box2d": BOX}]})
    dataset, (sample,), _ = read(tmp_path, options={"config": "classes.toml"})
    assert [(label.name, label.parent) for label in dataset.labels] == [("b", "a"), ("c", None)] and sample.size == (9, 8)
    (tmp_path / "classes.toml").write_text("name = ")
    with pytest.raises(lg.LabelglotError, match=r"classes\.toml"):
        read(tmp_path, options={"config": "classes.toml"}, format="scalabel")


def test_which_of_the_two(tmp_path):
    def confidence(format, name, value):
        match = format.detect(MemorySource({name: json.dumps(value).encode()}))
        return match and match.confidence

    label = {"category": "x", "box2d": BOX}
    plain = [{"name": "a.jpg", "labels": [label]}]
    lit = [{"name": "a.jpg", "labels": [{**label, "attributes": {"trafficLightColor": "red"}}]}]
    assert (confidence(Scalabel(), "a.json", plain), confidence(Bdd100k(), "a.json", plain)) == (0.95, None)
    assert (confidence(Scalabel(), "a.json", lit), confidence(Bdd100k(), "a.json", lit)) == (0.6, 0.95)
    assert confidence(Bdd100k(), "labels/det_20/det_val.json", plain) == 0.95
    for other in ({"images": [], "annotations": []}, [{"image": "a", "annotations": []}], [1], {"frames": 3}, {"frames": {}}):
        assert confidence(Scalabel(), "a.json", other) is None and confidence(Bdd100k(), "a.json", other) is None


def test_bdd_of_2020_and_2018():
    dataset, samples, report = read(DATA / "bdd100k")
    assert codes(report) == [] and {label.name for label in dataset.labels} == {
        "traffic light", "drivable area", "traffic sign", "area/drivable", "lane/single white",
    }  # fmt: skip
    old, new = samples
    assert (old.path, old.splits, old.timestamp, old.attributes["timeofday"]) == ("0000f77c.jpg", ("val",), 10.0, "night")
    sign, area, lane = old.annotations
    assert sign.box == (1000, 281, 1041, 327) and lane.shape == Polyline(points=(0, 0, 9, 9))
    assert area.shape.kind == "polygon" and len(area.shape.parts[0][0]) == 2 * (2 + 16)
    light, drivable = new.annotations
    assert (new.splits, light.attributes["occluded"]) == (("train",), True) and light.box == (1125.9, 133.2, 1157.0, 211.9)
    assert drivable.shape == Polygon.of((0, 719, 500, 400, 900, 719))


def test_bdd_documents_about_one_image_are_one(tmp_path):
    lane = {"category": "lane", "poly2d": [{"vertices": [[0, 0], [9, 9]], "types": "LL", "closed": False}]}
    frames(tmp_path, {"name": "a.jpg", "attributes": {"timeofday": "night"}, "labels": [{"category": "car", "box2d": BOX}]}, name="labels/det_20/det_val.json")
    frames(tmp_path, {"name": "a.jpg", "labels": [lane]}, {"name": "b.jpg", "labels": [lane]}, name="labels/lane/polygons/lane_val.json")
    _, samples, _ = read(tmp_path, format="bdd100k")
    assert [(s.key, [a.label for a in s.annotations]) for s in samples] == [("val:a.jpg", ["car", "lane"]), ("val:b.jpg", ["lane"])]
    assert samples[0].attributes == {"timeofday": "night"}
    lg.convert(tmp_path, tmp_path / "out", to="bdd100k", format="bdd100k")
    assert [p.name for p in (tmp_path / "out/labels/det_20").iterdir()] == ["det_val.json"]


@needs_samples
def test_real_boxes_and_tracks():
    folder = SAMPLES / "scalabel"
    _, (sample,), report = read(folder / "scalabel_det.json", format="scalabel")
    assert [a.label for a in sample.annotations] == ["traffic sign"] * 4 and codes(report) == []
    _, samples, report = read(folder / "scalabel_box_track.json", format="scalabel")
    assert [(s.frame, len(s.annotations)) for s in samples] == [(0, 4), (1, 4)] and codes(report) == ["scalabel.name"]
    assert samples[0].annotations[0].box == pytest.approx((1000.698742, 281.992415, 1041.626872, 327.91156), abs=1e-9)
    assert [a.track for a in samples[1].annotations] == ["0", "1", "2", "3"]


@needs_samples
def test_real_outlines_masks_and_poses():
    folder = SAMPLES / "scalabel"
    _, (sample,), _ = read(folder / "scalabel_ins_seg.json")
    assert [(a.label, a.shape.kind, "rle" in a.extra["scalabel"]) for a in sample.annotations] == [("car", "polygon", True)] * 2
    dataset, (sample,), _ = read(folder / "scalabel_pose.json")
    assert [len(a.keypoints) for a in sample.annotations] == [18, 18] and len(dataset.labels[0].keypoints) == 18
    assert {v for a in sample.annotations for v in a.keypoints.visibility} == {1, 2} and len(dataset.labels[0].skeleton) == 17
    _, (sample,), _ = read(folder / "example_annotation.json")
    assert [(a.label, a.shape.kind) for a in sample.annotations] == [("car", "polygon")] * 4
    _, samples, _ = read(folder / "image_list_with_auto_labels.json", format="scalabel")
    assert (len(samples), sum(len(s.annotations) for s in samples)) == (10, 25)
    assert sum(a.shape is not None for s in samples for a in s.annotations) == 1
    _, samples, _ = read(folder / "sample_export.json")
    assert [len(s.annotations) for s in samples] == [2] + [0] * 98


@needs_samples
def test_the_area_of_real_curves():
    (curves,) = json.loads((SAMPLES / "scalabel/poly2ds.json").read_text())
    (expected,) = json.loads((SAMPLES / "scalabel/poly2ds_to_polygon.json").read_text())
    ring = flatten(curves["vertices"], curves["types"], True)
    drawn = tuple(v for vertex in expected["vertices"] for v in vertex)
    assert "C" in curves["types"] and abs(ring_area(ring) / ring_area(drawn) - 1) < 0.02


@needs_samples
def test_real_bdd():
    folder = SAMPLES / "bdd100k"
    _, samples, report = read(folder / "example_ignore_annotation.json", format="bdd100k")
    assert [[a.label for a in s.annotations] for s in samples] == [["other person", "person"], []] and codes(report) == []
    assert samples[0].annotations[0].attributes == {"occluded": True, "truncated": False, "crowd": False}
    _, (sample,), _ = read(folder / "example_annotation.json", format="bdd100k")
    assert len(sample.annotations) == 4
    _, (sample,), _ = read(folder / "sem_seg_rle.json", format="bdd100k")
    assert len(sample.annotations) == 9 and {(a.shape.width, a.shape.height) for a in sample.annotations} == {(1280, 720)}


@needs_samples
@pytest.mark.parametrize("name", ["scalabel_ins_seg", "scalabel_pose", "example_annotation", "scalabel_det", "image_list_with_auto_labels"])
def test_real_labels_come_back_the_same(tmp_path, name):
    path = SAMPLES / "scalabel" / f"{name}.json"
    lg.convert(path, tmp_path / "out.json", to="scalabel", format="scalabel", images="none")

    def bare(value):
        if isinstance(value, dict):
            return {k: bare(v) if k != "id" else str(v) for k, v in value.items() if v not in (None, "", {})}
        return [bare(v) for v in value] if isinstance(value, list) else round(value, 6) if isinstance(value, float) else value

    after = json.loads((tmp_path / "out.json").read_text())["frames"]
    assert bare(after) == bare(json.loads(path.read_text()))


def test_masks_of_counts(tmp_path):
    path = frames(tmp_path, {"name": "a.jpg", "labels": [{"category": "x", "rle": {"counts": [0, 4, 5], "size": [3, 3]}}]})
    _, (sample,), _ = read(path)
    assert sample.annotations[0].shape.rle == encode_string((0, 4, 5))
