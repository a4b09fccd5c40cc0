"""Import and export JSON Lines of Vertex AI."""

import json
from pathlib import Path

import labelglot as lg
from labelglot.engine.convert import read, write
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Sample, Tag
from labelglot.storage import MemorySource, MemoryTarget
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, travel
from labelglot_google_cloud import VertexAiJsonl

DATA = Path(__file__).parent / "data" / "vertex-ai-jsonl"
FORMAT = VertexAiJsonl()
USE = "aiplatform.googleapis.com/ml_use"


def opened(*lines, **files):
    report = Report()
    text = "\n".join(json.dumps({"imageGcsUri": "gs://b/a.png", **line}) for line in lines)
    files = {name.replace("__", "."): data for name, data in files.items()}
    dataset = read(MemorySource({"x.jsonl": text.encode(), **files}), format=FORMAT, report=report)
    return list(dataset.read(report)), report


def codes(report):
    return {line.code: line.count for line in report.problems()}


def box(*corners, **more):
    return {"displayName": "c", **dict(zip(("xMin", "yMin", "xMax", "yMax"), corners, strict=True)), **more}


def test_the_example_reads_with_exact_values():
    dataset = lg.read(DATA)
    a, b, c = dataset
    assert (a.path, a.uri, a.splits, a.units, a.attributes) == ("img1.jpg", "gs://b/img1.jpg", ("train",), "relative", {"camera": "3"})
    assert a.annotations == (
        Annotation(label="Tomato", box=(0.3, 0.3, 0.7, 0.6)),
        Annotation(label="Salad", box=(0, 0.1, 1, 0.9), attributes={"src": "human"}),
    )
    assert b.tags == (Tag(label="daisy"),) and b.annotations is None and b.splits == ("test",)
    assert c.tags == (Tag(label="daisy"), Tag(label="rose", attributes={"by": "ann"}))


def test_the_example_is_written_as_it_was():
    files = {"data.jsonl": (DATA / "data.jsonl").read_bytes()}
    after = travel(load(files, FORMAT)[0], FORMAT).files["annotations.jsonl"].splitlines()
    before = [json.loads(line) for line in files["data.jsonl"].splitlines()]
    for one in before[0]["boundingBoxAnnotations"]:
        one |= {name: float(one.get(name, 0)) for name in ("xMin", "yMin", "xMax", "yMax")}
    assert [json.loads(line) for line in after] == before


def test_pixels_come_from_the_image_and_return_as_fractions():
    (sample,), report = opened({"boundingBoxAnnotations": [box(0.25, 0.5, 0.5, 1)]}, a__png=png(64, 48))
    assert sample.annotations[0].box == (16, 24, 32, 48) and not report.problems()
    line = json.loads(travel(Dataset([sample], ["c"]), FORMAT).files["annotations.jsonl"])
    assert line == {"imageGcsUri": "gs://b/a.png", "boundingBoxAnnotations": [box(0.25, 0.5, 0.5, 1.0)]}


def test_spellings_of_uses():
    for spelled, split in (("train", "train"), ("Validate", "val"), ("UNASSIGNED", None), ("test", "test")):
        (sample,), report = opened({"dataItemResourceLabels": {USE: spelled}})
        assert sample.split == split and not report.problems()
    (sample,), report = opened({"dataItemResourceLabels": {USE: "fold1"}})
    assert sample.splits == () and sample.attributes == {USE: "fold1"} and codes(report) == {"vertex-ai-jsonl.split": 1}


def test_two_uses_of_one_image():
    uses = [{"dataItemResourceLabels": {USE: use}, "boundingBoxAnnotations": [box(0, 0, 1, 1)]} for use in ("training", "test")]
    (sample,), report = opened(*uses)
    assert sample.splits == ("train",) and len(sample.annotations) == 2
    assert codes(report) == {"vertex-ai-jsonl.duplicate": 1, "vertex-ai-jsonl.split": 1}


def test_bad_annotations_among_good_ones():
    bad = [box("x", 0, 1, 1), 5, box(0, 0, 1, 1), box(0, 0, 1, float("nan")), {**box(0, 0, 1, 1), "displayName": 7}]
    (sample,), report = opened({"boundingBoxAnnotations": bad, "classificationAnnotations": {"displayName": "x"}})
    assert len(sample.annotations) == 1
    assert codes(report) == {"vertex-ai-jsonl.number": 2, "vertex-ai-jsonl.annotation": 2, "vertex-ai-jsonl.list": 1}
    assert sample.extra["vertex-ai-jsonl"]["fields"] == {"classificationAnnotations": {"displayName": "x"}}


def test_unknown_fields_return():
    line = {
        "imageGcsUri": "a.png", "more": 1, "dataItemResourceLabels": {"n": 1},
        "boundingBoxAnnotations": [box(0.0, 0.0, 1.0, 1.0, annotationSpecId="7")],
        "classificationAnnotations": [{"displayName": "d", "x": 2}],
    }  # fmt: skip
    files = {"x.jsonl": json.dumps(line).encode()}
    assert json.loads(travel(load(files, FORMAT)[0], FORMAT).files["annotations.jsonl"]) == line


def test_what_the_service_refuses():
    boxes = ((0.0, 0.0, 5.0, 40.0), (0.0, 0.0, 9.0, 9.0))
    sample = Sample(path="a.png", size=(640, 480), annotations=tuple(Annotation(label="c", box=b) for b in boxes))
    assert codes(write(Dataset([sample], ["c"]), MemoryTarget(), format=FORMAT).report) == {"vertex-ai-jsonl.refused": 1}


def test_detection():
    assert FORMAT.detect(MemorySource({"a.jsonl": b'{"imageGcsUri":"gs://b/a.png"}'})).confidence == 0.95
    assert FORMAT.detect(MemorySource({"a.jsonl": b'{"textGcsUri":"gs://b/a.txt"}'})) is None
    assert FORMAT.detect(MemorySource({"a.jsonl": b'{"instance":{},"prediction":{}}'})) is None
