"""OpenMMLab 2.0: corners, masks in three spellings, classes by position, and older forms of the file."""

import json
import pickle
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Keypoints, Label, Polygon, RotatedBox, Sample, Tag
from labelglot.storage import MemorySource
from labelglot_openmmlab import OpenMmLab

DATA = Path(__file__).parent / "data" / "openmmlab"
EXAMPLE = DATA / "annotations" / "train.json"
SAMPLES = Path(__file__).parents[4] / "shared" / "samples"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the collection of real samples is not here")


def read(where, **more):
    report = Report()
    dataset = lg.read(where, report=report, **more)
    return dataset, list(dataset.read(report)), report


def codes(report):
    return [line.code for line in report.problems()]


def document(tmp_path, *instances, name="train.json", **about):
    entry = {"img_path": "a.jpg", "width": 9, "height": 8, "instances": list(instances)}
    path = tmp_path / name
    path.write_text(json.dumps({"metainfo": {"classes": ["x", "y"], **about}, "data_list": [entry]}))
    return path


def test_the_example_reads_as_it_is_written():
    dataset, samples, report = read(DATA)
    assert codes(report) == []
    assert [(x.name, x.id, x.color) for x in dataset.labels] == [("person", 0, "#dc143c"), ("car", 1, "#010203")]
    a, empty, unseen = samples
    assert (a.path, a.id, a.size, a.splits, a.tags) == ("a.jpg", 0, (640, 604), ("train",), (Tag(label="car"),))
    person, car, text = a.annotations
    assert (person.box, person.shape, person.track) == ((0, 0, 10, 20), Polygon.of((0, 0, 10, 0, 10, 20)), 4)
    assert (car.box, car.score, car.attributes) == ((10.5, 10, 110, 120), 0.5, {"ignore": True})
    assert car.keypoints == Keypoints(points=(1, 2, 3, 4), visibility=(1, 0))
    assert (text.label, text.text, text.shape) == (None, "EXIT", Polygon.of((1, 1, 3, 1, 3, 3)))
    assert (empty.path, empty.uri, empty.id, empty.annotations) == ("data/set/empty.jpg", "/data/set/empty.jpg", "e", ())
    assert (unseen.annotations, unseen.size) == (None, None)


def test_the_same_document_comes_back(tmp_path):
    lg.convert(DATA, tmp_path / "out", to="openmmlab")
    assert json.loads((tmp_path / "out/annotations/train.json").read_text()) == json.loads(EXAMPLE.read_text())


def test_a_mask_is_written_anew_if_it_changed(tmp_path):
    lg.convert(EXAMPLE, tmp_path / "coco.json", to="coco", format="openmmlab", images="none")
    lg.convert(tmp_path / "coco.json", tmp_path / "out.json", to="openmmlab", images="none")
    entry = json.loads((tmp_path / "out.json").read_text())["data_list"][0]
    assert [i["mask"] for i in entry["instances"]] == [
        [[0, 0, 10, 0, 10, 20]], [[10.5, 10, 110, 10, 110, 120]], [[1, 1, 3, 1, 3, 3]],
    ]  # fmt: skip


def test_what_the_frameworks_require_is_always_there(tmp_path):
    samples = [Sample(path="a.jpg", size=(9, 8), annotations=(Annotation(label="b", shape=Polygon.of((0, 0, 4, 0, 4, 3))), Annotation(box=(1, 1, 2, 2))))]
    lg.write(Dataset(samples, [Label(key="a", name="a", id=7), Label(key="b", name="b", id=9)]), tmp_path / "o.json", format="openmmlab")
    content = json.loads((tmp_path / "o.json").read_text())
    assert content["metainfo"] == {"classes": ["a", "b"]}
    first, second = content["data_list"][0]["instances"]
    assert first == {"bbox": [0, 0, 4, 3], "bbox_label": 1, "ignore_flag": 0, "mask": [[0, 0, 4, 0, 4, 3]]}
    assert second == {"bbox": [1, 1, 2, 2], "bbox_label": -1, "ignore_flag": 0}


def test_classes_without_names(tmp_path):
    path = document(tmp_path, {"bbox": [0, 0, 1, 1], "bbox_label": 2}, classes=[])
    dataset, samples, report = read(path)
    assert [x.name for x in dataset.labels] == ["class_0", "class_1", "class_2"] and codes(report) == ["openmmlab.classes"]
    dataset, samples, report = read(path, options={"classes": "cat, dog,cow"})
    assert samples[0].annotations[0].label == "cow" and codes(report) == []


def test_classes_in_other_places(tmp_path):
    box = {"bbox": [0, 0, 1, 1], "bbox_label": 1}
    for about in ({"CLASSES": ["p", "q"]}, {"category": [{"id": 1, "name": "q"}]}):
        path = tmp_path / "train.json"
        path.write_text(json.dumps({"metainfo": about, "data_list": [{"img_path": "a.jpg", "instances": [box]}]}))
        _, samples, report = read(path)
        assert samples[0].annotations[0].label == "q" and codes(report) == []


def test_numbers_that_are_no_class(tmp_path):
    boxes = [{"bbox": [0, 0, 1, 1], "bbox_label": n} for n in (2, -1, 0)]
    _, samples, report = read(document(tmp_path, *boxes))
    assert [a.label for a in samples[0].annotations] == [None, None, "x"] and codes(report) == ["openmmlab.label"]


def test_boxes_that_may_be_of_another_order(tmp_path):
    _, samples, report = read(document(tmp_path, {"bbox": [50, 60, 10, 20], "bbox_label": 0}))
    assert samples[0].annotations[0].box == (50, 60, 10, 20) and codes(report) == ["openmmlab.box-empty"]


def test_polygons_that_are_too_short_are_kept_and_said(tmp_path):
    _, samples, report = read(document(tmp_path, {"bbox": [0, 0, 1, 1], "bbox_label": 0, "mask": [[0, 0, 1, 1]]}))
    assert samples[0].annotations[0].shape == Polygon.of((0, 0, 1, 1)) and codes(report) == ["openmmlab.polygon-short"]


def test_turned_boxes(tmp_path):
    five, eight = {"bbox": [5, 5, 4, 2, 0], "bbox_label": 0}, {"bbox": [0, 0, 2, 0, 2, 1, 0, 1], "bbox_label": 0}
    _, samples, _ = read(document(tmp_path, five, eight))
    assert [a.shape for a in samples[0].annotations] == [
        RotatedBox(corners=(3, 4, 7, 4, 7, 6, 3, 6), angle=0), RotatedBox(corners=(0, 0, 2, 0, 2, 1, 0, 1)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "keypoints",
    [
        {"keypoints": [[1, 2], [3, 4]], "keypoints_visible": [2, 0]}, {"keypoints": [1, 2, 2, 3, 4, 0]},
        {"keypoints": [[[1, 2], [3, 4]]], "keypoints_visible": [[2, 0]]},
    ],
)  # fmt: skip
def test_keypoints_in_three_spellings(tmp_path, keypoints):
    path = document(tmp_path, {"bbox": [0, 0, 5, 5], "bbox_label": 0, **keypoints})
    _, samples, _ = read(path)
    assert samples[0].annotations[0].keypoints == Keypoints(points=(1, 2, 3, 4), visibility=(2, 0))
    lg.convert(path, tmp_path / "out.json", to="openmmlab", images="none")
    made = json.loads((tmp_path / "out.json").read_text())["data_list"][0]["instances"][0]
    assert {key: made[key] for key in keypoints} == keypoints


def test_the_list_of_mmdetection_2(tmp_path):
    ann = {"bboxes": [[0, 0, 4, 5], [1, 1, 2, 2]], "labels": [1, 0], "bboxes_ignore": [[3, 3, 4, 4]], "more": 1}
    entries = [{"filename": "a.jpg", "width": 9, "height": 8, "ann": ann}, {"filename": "b.jpg", "width": 1, "height": 1, "ann": {"bboxes": [1], "labels": []}}]
    (tmp_path / "train.json").write_text(json.dumps(entries))
    _, samples, report = read(tmp_path)
    assert [(a.label, a.box, a.attributes) for a in samples[0].annotations] == [
        ("class_1", (0, 0, 4, 5), {}), ("class_0", (1, 1, 2, 2), {}), (None, (3, 3, 4, 4), {"ignore": True}),
    ]  # fmt: skip
    assert samples[0].extra == {"openmmlab": {"ann": {"more": 1}}} and samples[1].annotations == ()
    assert set(codes(report)) == {"openmmlab.classes", "openmmlab.instance"}


def test_yaml_is_read_and_pickles_are_not(tmp_path):
    (tmp_path / "train.yaml").write_text(
        "metainfo:\n  classes: [x]\n  made: 2020-01-01\ndata_list:\n- img_path: a.jpg\n  instances:\n  - {bbox: [0, 0, 1, 2], bbox_label: 0}\n"
    )
    _, samples, report = read(tmp_path)
    assert samples[0].annotations[0].box == (0, 0, 1, 2) and codes(report) == []
    (tmp_path / "val.pkl").write_bytes(pickle.dumps({"metainfo": {}, "data_list": []}))
    _, samples, report = read(tmp_path)
    (line,) = report.problems()
    assert (len(samples), line.code) == (1, "openmmlab.document") and "val.pkl" in line.sentence
    with pytest.raises(lg.LabelglotError):
        read(tmp_path / "val.pkl")


BROKEN = {
    "three numbers": {"bbox": [1, 2, 3]}, "text": {"bbox": "1 2"}, "not finite": {"bbox": [1, 2, 3, float("inf")]},
    "an odd ring": {"bbox": [0, 0, 1, 1], "mask": [[0, 0, 1, 1, 2]]}, "a ring of text": {"bbox": [0, 0, 1, 1], "mask": [["a"] * 6]},
    "a mask that does not add up": {"bbox": [0, 0, 1, 1], "mask": {"size": [2, 2], "counts": [1]}},
    "a mask of text": {"bbox": [0, 0, 1, 1], "mask": "x"}, "odd keypoints": {"keypoints": [1, 2]},
    "visible and points differ": {"keypoints": [[1, 2]], "keypoints_visible": [1, 2]}, "a class of text": {"bbox_label": "car"},
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_one_bad_instance_is_named_and_the_rest_goes_on(tmp_path, case):
    good = {"bbox": [0, 0, 4, 4], "bbox_label": 1}
    _, samples, report = read(document(tmp_path, good, {**good, **BROKEN[case]}, good))
    assert len(samples[0].annotations) == 2
    (line,) = report.problems()
    assert (line.code, line.examples[0]["place"]) == ("openmmlab.instance", "train.json#data_list[0].instances[1]")


def test_what_is_and_is_not_of_this_format():
    def confidence(name, data):
        match = OpenMmLab().detect(MemorySource({name: data if isinstance(data, bytes) else json.dumps(data).encode()}))
        return match and match.confidence

    assert confidence("a.json", {"metainfo": {}, "data_list": []}) == 0.95
    assert confidence("a.json", {"metadata": {}, "data_infos": []}) == 0.95
    assert confidence("a.json", [{"filename": "a.jpg", "ann": {}}]) == 0.9
    assert confidence("a.yml", b"metainfo: {}\ndata_list: []\n") == 0.95
    for other in ({"images": [], "annotations": []}, {"metadata": 1}, [], {"data_list": []}):
        assert confidence("a.json", other) is None
    assert confidence("a.pkl", pickle.dumps([1, 2])) is None


@needs_samples
def test_a_real_document(tmp_path):
    path = SAMPLES / "openmmlab" / "dummy_annotation.json"
    dataset, samples, report = read(path)
    assert [(s.path, s.size, len(s.annotations)) for s in samples] == [
        ("test_img.jpg", (640, 604), 2), ("gray.jpg", (512, 288), 2), ("2_gray.jpg", (512, 512), 2),
    ]  # fmt: skip
    assert sorted(codes(report)) == ["openmmlab.classes", "openmmlab.name"] and len(dataset.labels) == 3
    assert [(a.label, a.box) for a in samples[0].annotations] == [("class_1", (0, 0, 10, 20)), ("class_2", (10, 10, 110, 120))]
    assert samples[0].annotations[0].shape == Polygon.of((0, 0, 0, 10, 10, 20, 20, 0))
    lg.convert(path, tmp_path / "out.json", to="openmmlab", images="none")
    before, after = json.loads(path.read_text()), json.loads((tmp_path / "out.json").read_text())
    for entry in before["data_list"]:
        for instance in entry["instances"]:
            instance["ignore_flag"] = 0
    before["data_list"][2]["img_path"] = "2_gray.jpg"
    assert after["data_list"] == before["data_list"]


@needs_samples
def test_a_real_document_of_before_release():
    _, samples, _ = read(SAMPLES / "openmmlab" / "dummy_annotation_prerelease_keys.json")
    assert [len(s.annotations) for s in samples] == [2, 2]
