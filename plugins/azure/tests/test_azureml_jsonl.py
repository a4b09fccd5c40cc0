"""Azure AutoML for Images, JSON Lines."""

import json
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.engine.convert import read, write
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Polygon, Sample, Tag
from labelglot.storage import MemorySource, MemoryTarget
from labelglot.testing import conformance
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, travel
from labelglot_azure import AzureMlJsonl

DATA = Path(__file__).parent / "data" / "azureml-jsonl"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "azureml-jsonl"
FORMAT = AzureMlJsonl()
BOX = {"label": "c", "topX": 0.25, "topY": 0.5, "bottomX": 0.5, "bottomY": 1.0}


class MultiLabel(AzureMlJsonl):
    class WriteOptions(AzureMlJsonl.WriteOptions):
        task: str = "multilabel"


class Segmentation(AzureMlJsonl):
    class WriteOptions(AzureMlJsonl.WriteOptions):
        task: str = "segmentation"


TestMultiLabel = conformance(MultiLabel(), max_examples=10)
TestSegmentation = conformance(Segmentation(), max_examples=10)


def opened(*lines, **files):
    report = Report()
    text = "\n".join(json.dumps({"image_url": "AmlDatastore://s/a.png", **line}) for line in lines)
    files = {name.replace("__", "."): data for name, data in files.items()}
    dataset = read(MemorySource({"x.jsonl": text.encode(), **files}), format=FORMAT, report=report)
    return list(dataset.read(report)), report


def codes(report):
    return {line.code: line.count for line in report.problems()}


def test_the_example_reads_with_exact_values():
    one, two, three, four = lg.read(DATA)
    assert (one.path, one.size, one.splits) == ("img/1.jpg", (400, 200), ("train",))
    assert one.uri.endswith("/paths/img/1.jpg") and three.path == "img/3.jpg"
    assert one.annotations == (Annotation(label="can", box=(50, 50, 200, 150), attributes={"crowd": True}),)
    ring, other = (50, 50, 200, 50, 200, 100), (200, 100, 300, 100, 300, 150)
    assert two.annotations == (Annotation(label="can", shape=Polygon.of(ring, other)),)
    assert three.annotations == () and four.annotations is None and four.size is None


def test_the_example_is_written_as_it_was():
    files = {"train_annotations.jsonl": (DATA / "train_annotations.jsonl").read_bytes()}
    after = travel(load(files, FORMAT)[0], FORMAT).files["train_annotations.jsonl"]
    assert [json.loads(x) for x in after.splitlines()] == [json.loads(x) for x in files["train_annotations.jsonl"].splitlines()]


@pytest.mark.parametrize("side", ["400px", "400", 400, 400.0, " 400px "])
def test_spellings_of_sides(side):
    (sample,), report = opened({"image_details": {"width": side, "height": 200}, "label": [BOX]})
    assert sample.size == (400, 200) and sample.annotations[0].box == (100, 100, 200, 200) and not report.problems()


def test_without_a_size_fractions_stay():
    (sample,), _ = opened({"label": [{**BOX, "topX": "0.25"}]})
    assert sample.units == "relative" and sample.annotations[0].box == (0.25, 0.5, 0.5, 1)
    (sample,), _ = opened({"label": [BOX]}, a__png=png(64, 48))
    assert sample.size == (64, 48) and sample.annotations[0].box == (16, 24, 32, 48)
    (sample,), report = opened({"image_details": {"width": 10, "height": 10}, "label": [BOX]}, a__png=png(64, 48))
    assert sample.annotations[0].box == (16, 24, 32, 48) and codes(report) == {"azureml-jsonl.size": 1}


def test_the_type_of_the_label_is_the_task():
    (one, many, mixed), report = opened(
        {"label": "can"}, {"image_url": "b.png", "label": ["can", "box"]}, {"image_url": "c.png", "label": ["can", BOX]}
    )
    assert one.tags == (Tag(label="can"),) and one.annotations == ()
    assert many.tags == (Tag(label="can"), Tag(label="box"))
    assert len(mixed.tags) == 1 == len(mixed.annotations) and codes(report) == {"azureml-jsonl.mixed": 1}
    write(Dataset([one], ["can"]), target := MemoryTarget(), format=FORMAT, options={"task": "multiclass"})
    assert json.loads(target.content["annotations.jsonl"])["label"] == "can"


def test_tasks_of_objects():
    sample = Sample(path="a.jpg", size=(400, 200), annotations=(Annotation(label="c", box=(100.0, 100.0, 200.0, 200.0)),))
    write(Dataset([sample], ["c"]), target := MemoryTarget(), format=FORMAT, options={"task": "segmentation", "prefix": "AmlDatastore://s/"})
    line = json.loads(target.content["annotations.jsonl"])
    assert line["image_url"] == "AmlDatastore://s/a.jpg"
    assert line["label"] == [{"label": "c", "polygon": [[0.25, 0.5, 0.5, 0.5, 0.5, 1.0, 0.25, 1.0]], "isCrowd": 0}]
    shape = Polygon.of((100.0, 100.0, 200.0, 100.0, 200.0, 200.0))
    sample = sample.replace(annotations=(Annotation(label="c", shape=shape),))
    write(Dataset([sample], ["c"]), target := MemoryTarget(), format=FORMAT, options={"task": "detection"})
    assert json.loads(target.content["annotations.jsonl"])["label"] == [{**BOX, "isCrowd": 0}]


def test_bad_objects_among_good_ones():
    bad = [5, {"label": "c"}, {**BOX, "topX": "xmin/width"}, {"label": "c", "polygon": [[0, 0, 1, 1]]}, {**BOX, "topX": 1.5}, BOX]
    (sample,), report = opened({"label": bad})
    assert [a.box[0] for a in sample.annotations] == [1.5, 0.25]
    assert codes(report) == {"azureml-jsonl.object": 4, "azureml-jsonl.polygon": 1, "azureml-jsonl.outside": 1}
    (sample,), report = opened({"label": 7})
    assert sample.annotations == () and codes(report) == {"azureml-jsonl.label": 1}


def test_unknown_fields_return():
    line = {"image_url": "a.png", "image_details": {"format": "jpg", "dpi": 7}, "label": [{**BOX, "isCrowd": 0, "x": 1}], "y": 2}
    files = {"x.jsonl": json.dumps(line).encode()}
    assert json.loads(travel(load(files, FORMAT)[0], FORMAT).files["annotations.jsonl"]) == line


def test_detection():
    def confidence(line):
        match = FORMAT.detect(MemorySource({"a.jsonl": json.dumps(line).encode()}))
        return match and match.confidence

    assert confidence({"image_url": "a.png", "image_details": {}, "label": "x"}) == 0.95
    assert confidence({"image_url": "a.png", "label": [BOX]}) == 0.9
    assert confidence({"image_url": "a.png", "label": "x"}) == 0.5
    assert confidence({"messages": [{"image_url": "a.png"}]}) is None and confidence({"image_url": "a.png"}) is None


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
@pytest.mark.parametrize(
    ("name", "counts", "labels"),
    [
        ("multiclass", [1, 1, 1], ["can", "milk_bottle", "water_bottle"]),
        ("multilabel", [1, 2, 3], ["can", "milk_bottle", "carton", "water_bottle"]),
        ("detection", [1, 2, 3], ["can", "carton", "milk_bottle", "water_bottle"]),
    ],
)
def test_real_lines(name, counts, labels):
    dataset = lg.read(SAMPLES / f"{name}.jsonl", format="azureml-jsonl", report=(report := Report()))
    samples = list(dataset.read(report))
    assert [len(s.tags) + len(s.annotations) for s in samples] == counts and not report.problems()
    assert [label.name for label in dataset.complete().labels] == labels
    assert samples[0].path == "image_data/Image_01.jpg"
