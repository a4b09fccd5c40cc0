"""Azure Custom Vision: responses, requests and the files of courses."""

import base64
import json
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.engine.convert import read
from labelglot.report import Report
from labelglot.schema import Annotation, Tag
from labelglot.storage import MemorySource
from labelglot.testing import conformance
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, travel
from labelglot_azure import AzureCustomVision

DATA = Path(__file__).parent / "data" / "azure-custom-vision"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "azure-custom-vision"
FORMAT = AzureCustomVision()
REGION = {"left": 0.25, "top": 0.5, "width": 0.25, "height": 0.5}


class Classification(AzureCustomVision):
    class WriteOptions(AzureCustomVision.WriteOptions):
        task: str = "classification"


TestClassification = conformance(Classification(), max_examples=10)


def opened(document, **files):
    report = Report()
    files = {name.replace("__", "."): data for name, data in files.items()}
    dataset = read(MemorySource({"x.json": json.dumps(document).encode(), **files}), format=FORMAT, report=report)
    return list(dataset.read(report)), report, dataset


def codes(report):
    return {line.code: line.count for line in report.problems()}


def test_the_example_reads_with_exact_values():
    dataset = lg.read(DATA)
    one, two = dataset
    assert (one.path, one.id, one.size, one.uri, one.attributes) == ("set/img1.jpg", "b0a6", (640, 480), "https://x/set/img1.jpg", {"camera": "left"})
    assert one.annotations == (Annotation(label="fork", box=(160, 180, 480, 240), id="r1"),) and one.tags == ()
    assert two.annotations == () and [(label.name, label.id) for label in dataset.labels] == [("fork", "t1")]


def test_the_example_is_written_as_it_was():
    files = {"tagged-images.json": (DATA / "tagged-images.json").read_bytes()}
    after = travel(load(files, FORMAT)[0], FORMAT).files["tagged-images.json"]
    assert json.loads(after) == json.loads(files["tagged-images.json"])


def test_the_names_of_the_python_sdk():
    image = {"original_image_uri": "https://x/a.png", "width": 64, "height": 48, "tags": None, "regions": [{"tag_name": "c", "tag_id": "t", "region_id": "r", **REGION}]}
    (sample,), report, dataset = opened([image])
    assert sample.annotations == (Annotation(label="c", box=(16, 24, 32, 48), id="r"),) and not report.problems()
    assert dataset.labels[0].id == "t"


def test_a_request_with_tags_by_number():
    images = [
        {"name": "a.png", "contents": base64.b64encode(png(64, 48)).decode(), "tagIds": ["1"]},
        {"url": "https://x/b.png", "regions": [{"tagId": "2", **REGION}]},
    ]  # fmt: skip
    (a, b), report, dataset = opened({"images": images, "tagIds": ["2"], "metadata": {"k": "v"}, "tags": [{"id": "1", "name": "cat"}, {"id": "2", "name": "dog"}]})
    assert a.size == (64, 48) and a.tags == (Tag(label="dog"), Tag(label="cat")) and a.attributes == {"k": "v"}
    assert b.path == "b.png" and [x.label for x in b.annotations] == ["dog"] and b.tags == ()
    assert [(label.name, label.id) for label in dataset.labels] == [("cat", "1"), ("dog", "2")] and not report.problems()


def test_tags_of_images_and_predictions():
    predictions = [{"tagName": "c", "probability": 0.75, "boundingBox": REGION}]
    (one, two), report, _ = opened([
        {"name": "a.png", "tags": [{"tagName": "c", "created": "d"}], "regions": None}, {"name": "b.png", "predictions": predictions},
    ])  # fmt: skip
    assert one.tags == (Tag(label="c", extra={"azure-custom-vision": {"created": "d"}}),) and one.annotations == ()
    assert two.annotations == (Annotation(label="c", box=(0.25, 0.5, 0.5, 1), score=0.75),) and not report.problems()


def test_the_size_of_the_image_at_hand_counts():
    (sample,), report, _ = opened([{"name": "a.png", "width": 640, "height": 480, "regions": [{"tagName": "c", **REGION}]}], a__png=png(64, 48))
    assert sample.size == (64, 48) and sample.annotations[0].box == (16, 24, 32, 48) and not report.problems()
    (sample,), _, _ = opened([{"name": "a.png", "regions": [{"tagName": "c", **REGION}]}])
    assert sample.units == "relative" and sample.annotations[0].box == (0.25, 0.5, 0.5, 1)


def test_bad_records_among_good_ones():
    regions = [5, {"tagName": "c"}, REGION, {"tagName": "c", **REGION, "left": float("nan")}, {"tagName": "c", **REGION}]
    samples, report, _ = opened([{"id": "x"}, 7, {"name": "a.png", "regions": regions, "tags": [{}]}, {"name": "b.png", "regions": 1, "tagIds": 1}])
    assert [(s.path, len(s.annotations)) for s in samples] == [("a.png", 1), ("b.png", 0)]
    assert codes(report) == {f"azure-custom-vision.{code}": n for code, n in {"image": 2, "region": 4, "tag": 1, "regions": 1, "tagIds": 1}.items()}


def test_the_same_image_twice_is_merged():
    image = {"name": "a.png", "regions": [{"tagName": "c", **REGION}]}
    (sample,), report, _ = opened([image, image])
    assert len(sample.annotations) == 2 and codes(report) == {"azure-custom-vision.duplicate": 1}


def test_unknown_fields_return():
    image = {"name": "a.png", "tags": [{"tagName": "c", "x": 1}], "regions": [{"tagName": "c", **REGION, "y": {"z": 2}}], "thumbnailUri": "u"}
    files = {"x.json": json.dumps([image]).encode()}
    assert json.loads(travel(load(files, FORMAT)[0], FORMAT).files["tagged-images.json"]) == [image]


def test_detection():
    def confidence(document):
        match = FORMAT.detect(MemorySource({"a.json": json.dumps(document).encode()}))
        return match and match.confidence

    assert confidence([{"regions": [{"tagName": "c", "left": 0}]}]) == 0.95
    assert confidence({"files": [{"filename": "a", "tags": [{"tag": "c", "left": 0}]}]}) == 0.95
    assert confidence([{"name": "a", "tags": [{"tagName": "c"}]}]) == 0.9
    assert confidence([{"image": "a.jpg", "annotations": []}]) is confidence({"images": [], "annotations": []}) is None


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
def test_the_file_of_a_course():
    dataset = lg.read(SAMPLES, report=(report := Report()))
    samples = list(dataset.read(report))
    assert len(samples) == 5 and sum(len(s.annotations) for s in samples) == 9 and not report.problems()
    assert [(label.name, label.id) for label in dataset.labels] == [("orange", "1"), ("banana", "2"), ("apple", "3")]
    assert samples[0].path == "image11.jpg" and samples[0].annotations[0].box == pytest.approx((0.501782656, 0.141307935, 0.801926136, 0.562571868))
