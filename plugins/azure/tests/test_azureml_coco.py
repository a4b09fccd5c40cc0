"""Exports of Azure Machine Learning labelling projects."""

import json
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.engine.convert import read
from labelglot.report import Report
from labelglot.schema import Annotation, Polygon, Tag
from labelglot.storage import MemorySource
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, travel
from labelglot_azure import AzureMlCoco

DATA = Path(__file__).parent / "data" / "azureml-coco"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "azureml-coco"
FORMAT = AzureMlCoco()
STORE = {"coco_url": "AmlDatastore://s/a.png"}


def document(*annotations, image=(), **more):
    images = [{"id": 1, "width": 64, "height": 48, "file_name": "a.png", **dict(image)}]
    objects = [{"id": n, "image_id": 1, "category_id": 1, "area": 0.0, **a} for n, a in enumerate(annotations, 1)]
    return {"x.json": json.dumps({"images": images, "annotations": objects, "categories": [{"id": 1, "name": "c"}], **more}).encode()}


def opened(files, **options):
    report = Report()
    dataset = read(MemorySource(files), format=FORMAT, options=options, report=report)
    return list(dataset.read(report)), report


def codes(report):
    return {line.code: line.count for line in report.problems()}


def test_the_example_reads_with_exact_values():
    dataset = lg.read(DATA, format="azureml-coco")
    a, b = dataset
    assert (a.path, a.id, a.size, a.uri) == ("fruit/a.jpg", 1, (1024, 768), "https://acc.blob.core.windows.net/store/fruit/a.jpg")
    assert b.uri == "AmlDatastore://store/fruit/b.jpg"
    box, both = a.annotations
    assert box == Annotation(label="apple", id=1, box=(256, 384, 384, 432))
    assert both.box == (512, 192, 768, 384) and both.shape == Polygon.of((512, 192, 768, 192, 768, 384))
    assert [(t.label, t.extra) for t in b.tags] == [("orange", {"azureml-coco": {"id": 2}})] and b.annotations == ()
    assert [(label.name, label.id) for label in dataset.labels] == [("apple", 1), ("orange", 2)]


def test_the_example_is_written_as_it_was():
    files = {"export.json": (DATA / "export.json").read_bytes()}
    before, after = json.loads(files["export.json"]), json.loads(travel(load(files, FORMAT)[0], FORMAT).files["annotations.json"])
    assert after["images"] == before["images"] and after["categories"] == before["categories"]
    assert sorted(after["annotations"], key=lambda a: a["id"]) == before["annotations"]


def test_pixels_are_told_by_their_numbers():
    (sample,), _ = opened(document({"bbox": [8, 12, 16, 24]}, {"bbox": [0.5, 0.5, 1, 1]}))
    assert [a.box for a in sample.annotations] == [(8, 12, 24, 36), (0.5, 0.5, 1.5, 1.5)]
    (sample,), _ = opened(document({"bbox": [0.125, 0.25, 0.25, 0.5]}))
    assert sample.annotations[0].box == (8, 12, 24, 36)
    (sample,), _ = opened(document({"bbox": [0, 0, 1, 1]}), units="pixels")
    assert sample.annotations[0].box == (0, 0, 1, 1)


def test_sizes_that_are_unknown_come_from_the_image():
    files = document({"bbox": [0.125, 0.25, 0.25, 0.5]}, image={"width": 0, "height": 0})
    (sample,), _ = opened(files)
    assert sample.units == "relative" and sample.size is None and sample.extra["azureml-coco"] == {"width": 0, "height": 0}
    (sample,), _ = opened(files | {"a.png": png(64, 48)})
    assert sample.size == (64, 48) and sample.annotations[0].box == (8, 12, 24, 36)


def test_custom_vision_exports_name_images_by_address():
    files = document({}, image={"coco_url": "https://x/a.png", "file_name": "a"})
    (sample,), _ = opened(files)
    assert sample.uri == "https://x/a.png" and len(sample.tags) == 1
    (image,) = json.loads(travel(load(files, FORMAT)[0], FORMAT).files["annotations.json"])["images"]
    assert image["coco_url"] == "https://x/a.png" and "absolute_url" not in image


def test_bad_records_among_good_ones():
    bad = [{"bbox": [0, 0, 1]}, {"bbox": "x"}, {"category_id": 9, "bbox": [0, 0, 1, 1]}, {"image_id": 7}, {"segmentation": [[0, 0, 1]]}]
    (sample,), report = opened(document(*bad, {"bbox": [0.0, 0.0, 1.0, 1.0]}))
    assert [a.box for a in sample.annotations] == [(0, 0, 64, 48)] and not sample.tags
    assert codes(report) == {"azureml-coco.annotation": 4, "azureml-coco.image-id": 1}


def test_unknown_fields_return():
    files = document({"bbox": [0.25, 0.25, 0.5, 0.5], "x": 1, "area": 0.25}, image={"date_captured": "d"}, info={"year": 1})
    (after,) = (json.loads(travel(load(files, FORMAT)[0], FORMAT).files["annotations.json"]),)
    assert after == json.loads(files["x.json"])


def test_labels_of_images_get_numbers_no_object_has():
    files = document(*[{}, {"bbox": [0.0, 0.0, 1.0, 1.0]}])
    dataset = load(files, FORMAT)[0].map(lambda s: s.replace(tags=(Tag(label="c"),)))
    after = json.loads(travel(dataset, FORMAT).files["annotations.json"])
    assert sorted(a["id"] for a in after["annotations"]) == [-1, 2]


def test_detection():
    def confidence(files):
        match = FORMAT.detect(MemorySource(files))
        return match and match.confidence

    assert confidence(document({}, image=STORE)) == 0.95
    assert confidence(document({"bbox": [0.5, 0.5, 0.25, 0.25]})) == 0.95
    assert confidence(document({"bbox": [5, 5, 2, 2]})) is None
    assert confidence({"a.json": b'[{"images": []}]'}) is None


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
def test_a_real_export():
    dataset = lg.read(SAMPLES, format="azureml-coco", report=(report := Report()))
    samples = list(dataset.read(report))
    assert [s.size for s in samples] == [(1024, 768)] * 5 and not report.problems()
    assert [[t.label for t in s.tags] for s in samples] == [["apple"], ["apple"], ["banana"], ["orange"], ["apple"]]
    files = {"a.json": (SAMPLES / "training_labels.json").read_bytes()}
    assert json.loads(travel(load(files, FORMAT)[0], FORMAT).files["annotations.json"]) == json.loads(files["a.json"])
