"""IBM Cloud Annotations: corners as fractions, or labels of images."""

import json
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.engine.convert import read, write
from labelglot.images import BytesImage
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Sample, Tag
from labelglot.storage import MemorySource, MemoryTarget
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, store, travel
from labelglot_ibm_cloud_annotations import IbmCloudAnnotations

DATA = Path(__file__).parent / "data" / "ibm-cloud-annotations"
FORMAT = IbmCloudAnnotations()
OWNER = "ibm-cloud-annotations"


def document(annotations, **more):
    return {"_annotations.json": json.dumps({"version": "1.0", "type": "localization", "labels": ["cat"], "annotations": annotations, **more}).encode()}


def opened(files):
    report = Report()
    dataset = read(MemorySource(files), format=FORMAT, report=report)
    return list(dataset.read(report)), report


def codes(report):
    return {line.code: line.count for line in report.problems()}


def test_the_example_reads_with_exact_values():
    dataset = lg.read(DATA)
    a, b = dataset
    assert (a.path, a.units, a.size) == ("a b.jpg", "relative", None)
    assert a.annotations == (
        Annotation(label="Cat", box=(0.125, 0.2, 0.5, 0.75), id="0f8e", extra={OWNER: {"type": "box"}}),
        Annotation(label="Bird", box=(0.55, 0.1, 0.9, 1)),
        Annotation(box=(0.1, 0.2, 0.3, 0.4), extra={OWNER: {"label": "Untitled Label"}}),
    )
    assert b.annotations == ()
    assert [label.name for label in dataset.complete().labels] == ["Cat", "Dog", "never used", "Bird"]


def test_the_example_is_written_as_it_was():
    files = {"_annotations.json": (DATA / "_annotations.json").read_bytes()}
    before, after = (json.loads(f["_annotations.json"]) for f in (files, travel(load(files, FORMAT)[0], FORMAT).files))
    assert after == {**before, "labels": [*before["labels"], "Bird"]}


def test_pixels_come_from_the_image():
    entry = {"x": 0.25, "y": 0.5, "x2": 0.5, "y2": 1, "label": "cat"}
    (sample,), report = opened(document({"a.png": [entry]}) | {"a.png": png(64, 48)})
    assert sample.size == (64, 48) and sample.annotations[0].box == (16, 24, 32, 48) and not report.problems()


def test_pixels_are_written_as_clean_fractions():
    image = BytesImage("a.png", png(333, 500))
    box = (33.3, 50.0, 99.9, 125.0)
    dataset = Dataset([Sample(path="a.png", size=(333, 500), image=image, annotations=(Annotation(label="c", box=box),))], ["c"])
    files, _ = store(dataset, FORMAT)
    assert json.loads(files["_annotations.json"])["annotations"]["a.png"] == [{"x": 0.1, "y": 0.1, "x2": 0.3, "y2": 0.25, "label": "c"}]
    assert next(iter(load(files, FORMAT)[0])).annotations[0].box == pytest.approx(box)


def test_boxes_drawn_leftwards_are_turned_and_none_is_cut():
    (sample,), report = opened(document({"a.jpg": [{"x": 0.5, "y": 1.01, "x2": 0.25, "y2": -0.01, "label": "cat"}]}))
    assert sample.annotations[0].box == (0.25, -0.01, 0.5, 1.01) and not report.problems()


def test_labels_of_images():
    (sample,), _ = opened(document({"a.jpg": [{"label": "cat"}, {"label": "new"}]}, type="classification"))
    assert sample.tags == (Tag(label="cat"), Tag(label="new")) and sample.annotations == ()
    write(Dataset([sample], ["cat", "new"]), target := MemoryTarget(), format=FORMAT, options={"type": "classification"})
    made = json.loads(target.content["_annotations.json"])
    assert made["type"] == "classification" and made["annotations"] == {"a.jpg": [{"label": "cat"}, {"label": "new"}]}
    assert "tags" in {line.code for line in store(Dataset([sample], ["cat", "new"]), FORMAT)[1].losses()}


def test_images_that_are_not_listed_or_not_there():  # pain 33
    samples, report = opened(document({"a.png": [], "gone.png": []}) | {"a.png": png(1, 1), "b.png": png(1, 1), "other/c.png": png(1, 1)})
    assert {s.path: s.annotations for s in samples} == {"a.png": (), "gone.png": (), "b.png": None}
    assert codes(report) == {f"{OWNER}.missing": 1} and not report.skipped


def test_very_old_files_have_no_type():
    files = document({"a.jpg": [{"x": 0, "y": 0, "x2": 1, "y2": 1, "label": "cat"}]})
    value = json.loads(files["_annotations.json"])
    del value["type"], value["version"]
    files = {"_annotations.json": json.dumps(value).encode()}
    assert FORMAT.detect(MemorySource(files)).confidence == 0.8
    assert opened(files)[0][0].annotations[0].box == (0, 0, 1, 1)


def test_bad_entries_among_good_ones():
    good = {"x": 0, "y": 0, "x2": 1, "y2": 1, "label": "cat"}
    bad = [5, {"x": 0, "label": "cat"}, {**good, "x": "0"}, {**good, "x": float("inf")}]
    (one, two), report = opened(document({"a.jpg": [*bad, good], "b.jpg": 7, }, labels=["cat", 5]))
    assert len(one.annotations) == 1 and two.annotations == ()
    assert codes(report) == {f"{OWNER}.{name}": n for name, n in (("entry", 3), ("number", 1), ("entries", 1), ("label", 1))}
    assert "_annotations.json#annotations.a.jpg[0]" in {e["place"] for line in report.problems() for e in line.examples}


def test_detection():
    def confidence(value):
        match = FORMAT.detect(MemorySource({"_annotations.json": json.dumps(value).encode()}))
        return match and match.confidence

    assert confidence(json.loads(document({})["_annotations.json"])) == 0.95
    assert confidence({"images": [], "annotations": [], "categories": []}) is None
    assert confidence({"type": "localization", "labels": [], "annotations": []}) is None
