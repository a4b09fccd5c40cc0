"""VoTT JSON: exports and working folders."""

import json
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.engine.convert import read
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Points, Polygon, Polyline, Sample
from labelglot.storage import MemorySource, open_source
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, store, travel
from labelglot_vott import VottJson

DATA = Path(__file__).parent / "data" / "vott-json"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "vott-json"
FORMAT = VottJson()


def region(**more):
    box = {"left": 1, "top": 2, "width": 3, "height": 4}
    return {"id": "r", "type": "RECTANGLE", "tags": ["cat"], "boundingBox": box, **more}


def asset(*regions, name="a.jpg", path="file:C:/x/a.jpg", **more):
    fields = {"id": "1", "name": name, "path": path, "size": {"width": 64, "height": 48}, "state": 2, "type": 1, **more}
    return {"asset": fields, "regions": list(regions), "version": "2.2.0"}


def export(*records, tags=("cat",)):
    assets = {f"k{i}": record for i, record in enumerate(records)}
    return {"p-export.json": json.dumps({"name": "p", "tags": [{"name": t} for t in tags], "assets": assets}).encode()}


def opened(files):
    report = Report()
    dataset = read(MemorySource(files), format=FORMAT, report=report)
    return list(dataset.read(report)), report


def codes(report):
    return {line.code: line.count for line in report.problems()}


def test_the_example_reads_with_exact_values():
    report = Report()
    dataset = lg.read(DATA, report=report)
    a, b, c, clip = dataset.read(report)
    assert not report.problems()
    assert [(label.name, label.color) for label in dataset.labels] == [
        ("cat", "#5db300"), ("pet", "#e81123"), ("never used", "#000000"),
    ]  # fmt: skip
    assert dataset.info.name == "demo"
    assert (a.path, a.uri, a.size, a.id) == ("my a.jpg", "file:C:/data/my%20a.jpg", (640, 480), "a1")
    box = (10.25, 20.0, 50.25, 50.5)
    assert [(x.label, x.box, x.id) for x in a.annotations[:2]] == [("cat", box, "r1"), ("pet", box, "r1")]
    assert a.annotations[2].label is None and a.annotations[2].shape == Polygon.of((1, 2, 9, 2, 5, 10))
    assert b.annotations == () and c.annotations is None
    assert (clip.path, clip.timestamp, clip.sequence) == ("clip.mp4#t=5.067", 5.067, "clip.mp4")
    assert [x.shape or x.box for x in clip.annotations] == [Points(points=(3, 4)), Polyline(points=(3, 4, 5, 6)), (1, 1, 3, 3)]


def test_unknown_fields_return_to_the_file():
    data = (DATA / "demo-export.json").read_bytes()
    files = travel(load({"demo-export.json": data}, FORMAT)[0], FORMAT).files
    before, after = json.loads(data), json.loads(files["vott-export.json"])
    assert before["assets"]["a3"]["asset"] == after["assets"]["a3"]["asset"]
    assert before["assets"]["a4"]["asset"] == after["assets"]["a4"]["asset"]
    assert before["assets"]["a1"]["regions"] == after["assets"]["a1"]["regions"]
    assert after["assets"]["a1"]["asset"] == {**before["assets"]["a1"]["asset"], "name": "my a.jpg"}
    assert after["assets"]["a4"]["regions"][2]["type"] == "SQUARE"
    assert {k: v for k, v in before.items() if k != "assets"} == {k: v for k, v in after.items() if k != "assets"}


def test_a_box_without_bounds_comes_from_its_points():
    points = [{"x": 1, "y": 2}, {"x": 4, "y": 2}, {"x": 4, "y": 6}, {"x": 1, "y": 6}]
    (sample,), _ = opened(export(asset(region(boundingBox=None, points=points))))
    assert sample.annotations[0].box == (1, 2, 4, 6)


def test_points_that_are_not_the_corners_are_kept_and_return():
    points = [{"x": 1, "y": 2}, {"x": 4, "y": 2}, {"x": 4, "y": 6}, {"x": 1, "y": 7}]
    files = export(asset(region(points=points)))
    made = travel(load(files, FORMAT)[0], FORMAT).files["vott-export.json"]
    assert json.loads(made)["assets"]["1"]["regions"][0]["points"] == points
    moved = [s.replace(annotations=tuple(a.with_geometry(box=(0, 0, 1, 1), bound=FORMAT.geometry_bound_extra) for a in s.annotations)) for s in opened(files)[0]]
    again = json.loads(store(Dataset(moved, ["cat"]), FORMAT)[0]["vott-export.json"])["assets"]["1"]["regions"][0]
    assert again["points"][2] == {"x": 1, "y": 1}


def test_boxes_larger_than_the_declared_size_are_not_cut():
    (sample,), report = opened(export(asset(region(boundingBox={"left": 60, "top": 2, "width": 30, "height": 4}))))
    assert sample.annotations[0].box == (60, 2, 90, 6) and sample.size == (64, 48) and not report.problems()


def test_one_name_in_two_folders_of_another_machine():  # pain 26
    records = [asset(region(), path=f"file:C:/data/{f}/a.jpg") for f in "xy"] + [asset(region(), name="b.jpg", path="file:/q/b.jpg")]
    samples, _ = opened(export(*records))
    assert [s.path for s in samples] == ["data/x/a.jpg", "data/y/a.jpg", "b.jpg"]
    samples, _ = opened(export(*records) | {"y/a.jpg": png(1, 1), "x/a.jpg": png(1, 1)})
    assert [s.path for s in samples] == ["x/a.jpg", "y/a.jpg", "b.jpg"]
    assert [s.image.name for s in samples[:2]] == ["x/a.jpg", "y/a.jpg"]


def test_one_region_with_several_tags_is_one_region_again():
    (sample,), _ = opened(export(asset(region(tags=["cat", "pet"]), region(id="s"), region(id="s", tags=[])), tags=("cat", "pet")))
    assert [a.label for a in sample.annotations] == ["cat", "pet", "cat", None]
    written = json.loads(store(Dataset([sample], ["cat", "pet"]), FORMAT)[0]["vott-export.json"])
    assert [r["tags"] for r in written["assets"]["1"]["regions"]] == [["cat", "pet"], ["cat"], []]


def test_videos_are_no_images():
    samples, report = opened(export(asset(name="v.mp4", type=2), asset(region())))
    assert [s.path for s in samples] == ["a.jpg"] and codes(report) == {"vott-json.media": 1}


def test_states_differ():  # pain 33
    samples = [Sample(path=f"{i}.jpg", annotations=a) for i, a in enumerate([None, (), (Annotation(box=(0, 0, 1, 1)),)])]
    files, _ = store(Dataset(samples), FORMAT)
    assert [r["asset"]["state"] for r in json.loads(files["vott-export.json"])["assets"].values()] == [0, 1, 2]
    assert [s.annotations is None for s in load(files, FORMAT)[0]] == [True, False, False]


def test_bad_records_among_good_ones():
    bad = [region(boundingBox={"left": 1}), 7, region(boundingBox=None), region(boundingBox={"left": 1e999, "top": 0, "width": 1, "height": 1})]
    files = export(asset(region(), *bad, region(type="STAR")), {"asset": 5}, asset(size={"width": 0.5, "height": "x"}, name="b.jpg", timestamp="x"))
    files["p-export.json"] = files["p-export.json"].replace(b'"regions": []', b'"regions": {}')
    (one, two), report = opened(files)
    assert len(one.annotations) == 2 and one.annotations[1].extra == {"vott-json": {"type": "STAR"}}
    assert two.annotations == () and two.size is None
    assert codes(report) == {
        "vott-json.asset": 1, "vott-json.region": 3, "vott-json.number": 1, "vott-json.type": 1, "vott-json.size": 1,
        "vott-json.timestamp": 1, "vott-json.regions": 1,
    }  # fmt: skip
    assert report.skipped == 6
    places = {e["place"] for line in report.problems() for e in line.examples}
    assert {"p-export.json#assets.k1", "p-export.json#assets.k0.regions[2]"} <= places


def test_splits_are_file_names():
    samples = [Sample(path=f"{s}.jpg", splits=(s,), annotations=()) for s in ("train", "test")]
    files, _ = store(Dataset(samples), FORMAT)
    assert set(files) == {"train-export.json", "test-export.json"}
    assert {s.key for s in load(files, FORMAT)[0]} == {"train:train.jpg", "test:test.jpg"}


def test_detection():
    def confidence(value, name="any.json"):
        match = FORMAT.detect(MemorySource({name: json.dumps(value).encode()}))
        return match and match.confidence

    assert confidence(json.loads(export(asset(region()))["p-export.json"])) == 0.95
    assert confidence(asset(region())) == 0.95
    assert confidence({"frames": {}, "visitedFrames": []}) is None  # VoTT 1.x is another format
    assert confidence({"images": [], "annotations": [], "categories": []}) is None


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
def test_the_shared_export():
    report = Report()
    samples = {s.path: s for s in lg.read(SAMPLES / "datumaro", format="vott-json", report=report).read(report)}
    assert list(samples) == ["img0001.jpg", "img0002.jpg", "img0003.jpg"] and not report.problems()
    assert all(s.splits == ("train",) and s.size == (5, 5) and s.image for s in samples.values())
    found = [(a.label, a.box) for s in samples.values() for a in s.annotations]
    assert [label for label, _ in found] == ["animal", "animal", "dog", None, "person"]
    assert found[0][1] == (5, 10, 15, 12)
    assert found[1][1] == found[2][1] == pytest.approx((11.5, 12, 21.7, 32.5))
    assert found[4][1] == pytest.approx((13.7, 20.2, 45.6, 63.6))


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
def test_the_shared_working_folder():
    source = open_source(SAMPLES / "superannotate-assets")
    assert FORMAT.detect(source).confidence == 0.95
    samples = {s.path: s for s in lg.read(SAMPLES / "superannotate-assets", format="vott-json")}
    assert set(samples) == {f"{x}{i}.jpg" for x in ("cat", "dog") for i in (1, 2, 3)}
    assert samples["dog2.jpg"].uri == "file:/home/user/dog2.jpg" and samples["dog2.jpg"].size == (640, 480)
    assert samples["dog2.jpg"].annotations[0].box == pytest.approx((110.77977720651243, 17.005714285714287, 406.83804627249356, 460.8))
    vertices = {p: len(s.annotations[0].shape.parts[0][0]) // 2 for p, s in samples.items() if s.annotations[0].shape}
    assert vertices == {"cat2.jpg": 13, "cat3.jpg": 22, "dog3.jpg": 14}
    assert sorted(s.annotations[0].label for s in samples.values()) == ["Cat"] * 3 + ["Dog"] * 3


def test_assigned_ids_are_none_that_are_there():
    samples = [Sample(path=f"{i}.jpg", id=id_) for i, id_ in enumerate(["3", None, None, "x", "1"])]
    ids = [sample.id for sample in travel(Dataset(samples), VottJson()).dataset]
    assert ids == ["3", "5", "6", "x", "1"]


def test_a_number_and_a_text_may_not_be_one_id():
    samples = [Sample(path="a.jpg", id=1), Sample(path="b.jpg", id="1")]
    found = list(travel(Dataset(samples), VottJson()).dataset)
    assert [sample.path for sample in found] == ["a.jpg", "b.jpg"] and len({sample.id for sample in found}) == 2
