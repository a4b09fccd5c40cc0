"""FiftyOne: both exports read, the simple one written."""

import base64
import io
import json
import shutil
import zlib
from pathlib import Path

import labelglot as lg
import numpy as np
import pytest
from labelglot.geometry import decode_string
from labelglot.images import encode_gray
from labelglot.report import Report
from labelglot.schema import Dataset, Keypoints, Points, Polygon, Polyline, Sample, Tag
from labelglot.storage import MemorySource
from labelglot.testing.strategies import png
from labelglot_fiftyone import FiftyOne
from labelglot_fiftyone.arrays import LabelglotError, on_image, plain, unpack

DATA = Path(__file__).parent / "data"


def read(where, **more):
    report = Report()
    dataset = lg.read(where, report=report, **more)
    samples = list(dataset.read(report))
    return dataset.replace(samples=samples).complete(), samples, report


def codes(report):
    return [line.code for line in report.problems()]


def simple(tmp_path, labels, classes=("x", "y"), images=()):
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "labels.json").write_text(json.dumps({"classes": classes, "labels": labels}))
    for name in images:
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_bytes(png(20, 10))
    return tmp_path


def full(tmp_path, *samples, **metadata):
    (tmp_path / "samples.json").write_text(json.dumps({"samples": samples}))
    (tmp_path / "metadata.json").write_text(json.dumps({"sample_fields": [], **metadata}))
    return tmp_path


def packed(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return {"$binary": {"base64": base64.b64encode(zlib.compress(stream.getvalue())).decode(), "subType": "00"}}


BOX = {"label": 0, "bounding_box": [0.1, 0.2, 0.5, 0.5]}


def test_the_simple_example_reads_as_it_is_written():
    dataset, samples, report = read(DATA / "detection")
    assert codes(report) == [] and [(x.name, x.id) for x in dataset.labels] == [("cat", 0), ("dog", 1)]
    one, two, three = samples
    assert (one.path, one.size, one.units) == ("000001", None, "relative")
    dog, cat = one.annotations
    assert dog.box == pytest.approx((0.1, 0.25, 0.6, 0.55)) and (dog.label, dog.score) == ("dog", 0.9)
    assert dog.attributes == {"occluded": True, "parts": ("ear", "tail")}
    assert cat.extra == {"fiftyone": {"reviewer": {"name": "anna"}}}
    assert (two.path, two.annotations, three.annotations) == ("sub/000002", (), None)


def test_the_same_document_comes_back(tmp_path):
    lg.convert(DATA / "detection", tmp_path / "out", to="fiftyone")
    before = json.loads((DATA / "detection/labels.json").read_text())
    assert json.loads((tmp_path / "out/labels.json").read_text()) == before


def test_images_are_found_by_their_stem(tmp_path):
    simple(tmp_path, {"a": [BOX], "d/b": [], "c": [], "e.png": []}, images=["a.jpg", "d/b.png", "c.jpg", "c.png", "e.png", "e.jpg", "new.jpg"])
    _, samples, report = read(tmp_path)
    assert [(s.path, s.size, s.annotations is None) for s in samples] == [
        ("a.jpg", (20, 10), False), ("d/b.png", (20, 10), False), ("c", None, False), ("e.png", (20, 10), False),
        ("new.jpg", (20, 10), True),
    ]  # fmt: skip
    assert samples[0].annotations[0].box == pytest.approx((2, 2, 12, 7)) and codes(report) == ["fiftyone.image"]


def test_classes_that_are_names_and_names_of_files_elsewhere(tmp_path):
    (tmp_path / "data.json").write_text('{"a": "/there/a.jpeg"}')
    labels = {"a": [{"label": "cat", "bounding_box": [0, 0, 1, 1]}], "/there/b.png": []}
    dataset, samples, _ = read(simple(tmp_path, labels, None))
    assert [label.name for label in dataset.labels] == ["cat"]
    assert [(s.path, s.uri) for s in samples] == [("a.jpeg", "/there/a.jpeg"), ("there/b.png", "/there/b.png")]


def test_classes_of_images(tmp_path):
    labels = {"a": 1, "b": [0, {"label": 1, "confidence": 0.5}], "c": {"label": "y", "attributes": {"k": 2}}, "d": None}
    path = simple(tmp_path, labels)
    _, samples, report = read(path)
    assert [s.tags for s in samples] == [
        (Tag(label="y"),), (Tag(label="x"), Tag(label="y", score=0.5)), (Tag(label="y", attributes={"k": 2}),), (),
    ]  # fmt: skip
    assert codes(report) == []
    lg.convert(path, tmp_path / "out", to="fiftyone", options={"task": "classification"})
    made = json.loads((tmp_path / "out/labels.json").read_text())["labels"]
    assert made == {"a": 1, "b": [0, {"label": 1, "confidence": 0.5}], "c": {"label": 1, "attributes": {"k": 2}}, "d": None}


def test_stretches_of_video_are_carried_along(tmp_path):
    stretch = {"label": 0, "support": [1, 20]}
    path = simple(tmp_path, {"a": [stretch, BOX]})
    _, (sample,), report = read(path)
    assert len(sample.annotations) == 1 and codes(report) == ["fiftyone.temporal"]
    lg.convert(path, tmp_path / "out", to="fiftyone")
    assert json.loads((tmp_path / "out/labels.json").read_text())["labels"] == {"a": [BOX, stretch]}


def test_images_and_names_of_the_writer(tmp_path):
    from labelglot.images import BytesImage

    image = BytesImage("x", png(20, 10))
    samples = [Sample(path="a.jpg", size=(20, 10), image=image, annotations=()), Sample(path="a.png", size=(20, 10), annotations=())]
    lg.write(Dataset(samples, ["x"]), tmp_path / "o", format="fiftyone")
    assert json.loads((tmp_path / "o/labels.json").read_text())["labels"] == {"a": [], "a_png": []}
    assert [p.name for p in (tmp_path / "o/data").iterdir()] == ["a.jpg"]


BROKEN = {
    "three numbers": {"label": 0, "bounding_box": [1, 2, 3]}, "not finite": {"label": 0, "bounding_box": [0, 0, 1, float("inf")]},
    "no such class": {"label": 7, "bounding_box": [0, 0, 1, 1]}, "no label": {"bounding_box": [0, 0, 1, 1]},
    "text for a score": {**BOX, "confidence": "high"}, "a list": [],
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_one_bad_detection_is_named_and_the_rest_goes_on(tmp_path, case):
    _, (sample,), report = read(simple(tmp_path, {"a": [BOX, BROKEN[case], BOX]}))
    assert len(sample.annotations) == 2
    (line,) = report.problems()
    assert (line.code, line.examples[0]["place"]) == ("fiftyone.label", "labels.json#labels.a[1]")


@pytest.fixture
def example(tmp_path):
    folder = tmp_path / "full"
    shutil.copytree(DATA / "full", folder)
    (folder / "fields/masks").mkdir(parents=True)
    (folder / "fields/masks/m.png").write_bytes(encode_gray(np.array([[255, 0], [0, 255]])))
    return folder


def test_the_full_export_reads_ground_truth(example):
    dataset, samples, report = read(example)
    assert codes(report) == ["fiftyone.field"] and [label.name for label in dataset.labels] == ["cat", "dog"]
    x, y = samples
    assert (x.path, x.id, x.size, x.splits) == ("x.jpg", "a1", (20, 10), ("validation",))
    assert x.attributes == {"uniqueness": 0.25, "tags": ("night",)} and dataset.info.name == "a set"
    cat, dog = x.annotations
    assert cat.box == pytest.approx((2, 2, 12, 7)) and (cat.track, cat.score, cat.layer) == (3, 0.5, None)
    assert cat.attributes == {"pose": "left", "crowd": True, "supercategory": "animal"}
    assert cat.extra == {"fiftyone": {"tags": ["ok"]}}
    rows = np.zeros((10, 20), bool)
    rows[5:7, 10:12] = rows[7:9, 12:14] = True
    assert dog.box == pytest.approx((10, 5, 14, 9)) and decode_string(dog.shape.rle) == _counts(rows)
    assert (y.path, y.uri, y.annotations) == ("set/y.jpg", "C:\\set\\y.jpg", None)


def _counts(bitmap):
    from labelglot.geometry import from_bitmap

    return from_bitmap(bitmap)


def test_the_full_export_reads_the_field_that_is_asked_for(example):
    _, (x, _), _ = read(example, options={"label_field": "predictions"})
    assert [(a.label, a.box) for a in x.annotations] == [("dog", (0, 0, 20, 10))]
    dataset, (x, _), _ = read(example, options={"label_field": "*"})
    assert [(a.label, a.layer) for a in x.annotations] == [
        ("dog", "predictions"), ("cat", "ground_truth"), ("dog", "ground_truth"), ("area", "shapes"), ("line", "shapes"),
        ("line", "shapes"), ("cat", "pose"),
    ]  # fmt: skip
    assert x.tags == (Tag(label="rain", score=0.75, layer="weather"),)
    assert [a.shape for a in x.annotations[3:6]] == [
        Polygon.of((0, 0, 10, 0, 10, 10)), Polyline(points=(0, 0, 10, 0)), Polyline(points=(0, 10, 20, 10)),
    ]  # fmt: skip
    assert x.annotations[6].keypoints == Keypoints(points=(10, 5, 0, 0, 20, 5), visibility=(2, 0, 2))
    cat = next(label for label in dataset.labels if label.name == "cat")
    assert (cat.keypoints, cat.skeleton) == (("nose", "eye", "ear"), ((0, 1), (1, 2)))


def test_what_has_no_place_in_the_simple_export_is_reported(example, tmp_path):
    made = lg.convert(example, tmp_path / "out", to="fiftyone", read_options={"label_field": "*"})
    assert {"layer", "keypoints", "tags", "split"} & {line.code for line in made.report.losses()}
    labels = json.loads((tmp_path / "out/labels.json").read_text())["labels"]
    assert all(len(each["bounding_box"]) == 4 for entry in labels.values() for each in entry or ())


def test_masks_of_classes(tmp_path):
    picture = np.array([[0, 1, 2], [5, 1, 0]], np.uint8)
    sample = {"filepath": "a.jpg", "_id": "1", "seg": {"_cls": "Segmentation", "mask": packed(picture)}}
    _, (made,), _ = read(full(tmp_path, sample, mask_targets={"seg": {"1": "road", "2": "sky"}}))
    assert [(a.label, decode_string(a.shape.rle)) for a in made.annotations] == [
        ("road", (2, 2, 2)), ("sky", (4, 1, 1)), ("5", (1, 1, 4)),
    ]  # fmt: skip


def test_points_without_names(tmp_path):
    points = {"_cls": "Keypoint", "label": "x", "points": [[0.5, 0.5], [None, None]]}
    sample = {"filepath": "a.jpg", "_id": "1", "metadata": {"width": 20, "height": 10}, "kp": points}
    _, (made,), _ = read(full(tmp_path, sample))
    assert made.annotations[0].shape == Points(points=(10, 5))


def test_frames_of_videos(tmp_path):
    video = {"_id": {"$oid": "v"}, "filepath": "data/v.mp4", "tags": ["train"], "metadata": {"frame_width": 20, "frame_height": 10}}
    detections = {"_cls": "Detections", "detections": [{"_cls": "Detection", "label": "x", "bounding_box": [0, 0, 0.5, 1], "index": 2}]}
    frames = [{"_id": {"$oid": str(n)}, "_sample_id": {"$oid": "v"}, "frame_number": n, "detections": detections} for n in (1, 2)]
    full(tmp_path, video)
    (tmp_path / "frames.json").write_text(json.dumps({"frames": frames}))
    _, samples, _ = read(tmp_path)
    assert [(s.path, s.sequence, s.frame, s.size, s.splits) for s in samples] == [
        ("v/000001.jpg", "v.mp4", 0, (20, 10), ("train",)), ("v/000002.jpg", "v.mp4", 1, (20, 10), ("train",)),
    ]  # fmt: skip
    assert samples[1].annotations[0].box == (0, 0, 10, 10) and samples[1].annotations[0].track == 2


def test_a_file_for_each_sample(tmp_path):
    full(tmp_path)
    (tmp_path / "samples.json").unlink()
    (tmp_path / "samples").mkdir()
    for n in (0, 1):
        (tmp_path / f"samples/00000{n}-x.json").write_text(json.dumps({"_id": str(n), "filepath": f"data/{n}.jpg", "tags": []}))
    _, samples, _ = read(tmp_path)
    assert [s.path for s in samples] == ["0.jpg", "1.jpg"]


@pytest.mark.parametrize(
    "value",
    [
        "x", {"$binary": {"base64": "!!"}}, {"$binary": {"base64": base64.b64encode(b"no zlib").decode()}},
        {"$binary": {"base64": base64.b64encode(zlib.compress(b"no numpy")).decode()}},
        {"$binary": {"base64": base64.b64encode(zlib.compress(b"\x93NUMPY\x01\x00v\x00{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999,), }" + b" " * 49 + b"\n")).decode()}},
        packed(np.array(["text"])),
    ],
)  # fmt: skip
def test_packed_arrays_that_are_none(value):
    with pytest.raises(LabelglotError):
        unpack(value)


def test_packed_arrays_and_wrapped_values():
    array = np.asfortranarray([[1, 2, 3], [4, 5, 6]])
    assert (unpack(packed(array)) == array).all()
    assert plain({"a": {"$numberLong": "5"}, "b": [{"$numberDouble": "NaN"}], "c": {"$date": {"$numberLong": "3"}}, "d": {"$numberInt": "x"}})["c"] == 3
    mask = on_image(np.ones((1, 1)), (-0.5, 0, 1, 1), (4, 2))
    assert decode_string(mask.rle) == (0, 4, 4)
    with pytest.raises(LabelglotError):
        on_image(np.ones((1, 1)), (0, 0, 1e9, 1), (4, 2))


def test_bad_labels_of_the_full_export_are_named(tmp_path):
    bad = [{"_cls": "Detection", "label": "x"}, {"_cls": "Detection", "bounding_box": [0, 0, 1, 1], "mask_path": "gone.png"}, {"_cls": "Odd"}]
    lines = {"_cls": "Polyline", "points": [[]]}
    sample = {"filepath": "a.jpg", "_id": "1", "d": {"_cls": "Detections", "detections": bad}, "l": lines, "k": {"_cls": "Keypoint", "points": []}}
    _, (made,), report = read(full(tmp_path, sample, {"filepath": ""}, 5))
    assert made.annotations == () and {line.code: line.count for line in report.problems()} == {"fiftyone.label": 5, "fiftyone.sample": 2}


def test_what_is_and_is_not_of_this_format():
    def confidence(value, name="labels.json"):
        match = FiftyOne().detect(MemorySource({name: json.dumps(value).encode()}))
        return match and match.confidence

    assert confidence({"classes": ["x"], "labels": {"a": [BOX]}}) == 0.95
    assert confidence({"classes": None, "labels": {"a": None}}) == 0.8
    assert confidence({"samples": [{"_id": "1", "filepath": "a.jpg"}]}, "samples.json") == 0.95
    assert confidence({"sample_fields": []}, "metadata.json") == 0.95
    for other in ({"images": [], "annotations": [], "labels": {}}, {"labels": {"a": []}}, {"labels": []}, [], {"classes": [], "labels": [1]}):
        assert confidence(other) is None
