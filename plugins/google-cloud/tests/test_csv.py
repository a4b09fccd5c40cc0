"""Import CSV of AutoML Vision and Vertex AI."""

from pathlib import Path

import labelglot as lg
import pytest
from labelglot.detection import candidates
from labelglot.engine.convert import read, write
from labelglot.formats.registry import Registry
from labelglot.images import BytesImage
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Polygon, Sample, Tag
from labelglot.storage import MemorySource, MemoryTarget
from labelglot.testing import conformance
from labelglot.testing.strategies import png
from labelglot.testing.travel import travel
from labelglot_google_cloud import AutoMlVisionCsv, VertexAiCsv

DATA = Path(__file__).parent / "data"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "automl-vision-csv"
AUTOML, VERTEX = AutoMlVisionCsv(), VertexAiCsv()


class Classification(AutoMlVisionCsv):
    """Labels of images by default."""

    class WriteOptions(AutoMlVisionCsv.WriteOptions):
        task: str = "classification"


TestClassification = conformance(Classification(), max_examples=10)


def opened(*rows, format=AUTOML, **files):
    report = Report()
    text = "\n".join(rows) + "\n"
    files = {name.replace("__", "."): data for name, data in files.items()}
    dataset = read(MemorySource({"a.csv": text.encode(), **files}), format=format, report=report)
    return list(dataset.read(report)), report


def codes(report):
    return {line.code: line.count for line in report.problems()}


def written(dataset, format, **options):
    write(dataset, target := MemoryTarget(), format=format, options=options)
    return target.content["annotations.csv"].decode().splitlines()


def test_automl_reads_with_exact_values():
    dataset = lg.read(DATA / "automl-vision-csv", format="automl-vision-csv")
    a, b, c = dataset
    assert (a.path, a.uri, a.splits, a.units) == ("p/a.png", "gs://b/p/a.png", ("train",), "relative")
    assert [(x.label, x.box) for x in a.annotations] == [("bus", (0.05, 0.2, 0.45, 0.75)), ("tram, old", (0.5, 0.1, 0.95, 0.6))]
    assert b.splits == () and b.annotations[0].box == (0.2, 0.2, 0.6, 0.5) and b.annotations[0].shape is None
    assert c.annotations == () and c.splits == ("test",)


def test_both_spell_uses_their_own_way():
    dataset = lg.read(DATA / "automl-vision-csv", format="automl-vision-csv")
    assert written(dataset, AUTOML) == [
        "TRAIN,gs://b/p/a.png,bus,0.05,0.2,,,0.45,0.75,,",
        'TRAIN,gs://b/p/a.png,"tram, old",0.5,0.1,,,0.95,0.6,,',
        "UNASSIGNED,gs://b/p/b.png,bus,0.2,0.2,,,0.6,0.5,,",
        "TEST,gs://b/p/c.png,,,,,,,,,",
    ]
    assert written(dataset, VERTEX, vertices="four")[2] == ",gs://b/p/b.png,bus,0.2,0.2,0.6,0.2,0.6,0.5,0.2,0.5"
    assert [line.split(",")[0] for line in written(lg.read(DATA / "vertex-ai-csv", format="vertex-ai-csv"), VERTEX)] == [
        "training", "training", "validation", "",
    ]  # fmt: skip


def test_pixels_come_from_the_image():
    (sample,), report = opened("TRAIN,gs://b/x/a.png,cat,0.25,0.5,,,0.5,1,,", a__png=png(64, 48))
    assert sample.annotations[0].box == (16, 24, 32, 48) and sample.size == (64, 48) and not report.problems()
    assert written(Dataset([sample], ["cat"]), AUTOML) == ["TRAIN,gs://b/x/a.png,cat,0.25,0.5,,,0.5,1,,"]
    assert written(Dataset([sample], ["cat"]), AUTOML, prefix="gs://c/") == ["TRAIN,gs://c/a.png,cat,0.25,0.5,,,0.5,1,,"]


@pytest.mark.parametrize(
    ("spelled", "split"),
    [("TRAIN", "train"), ("TRAINING", "train"), ("VALIDATE", "val"), ("validation", "val"), ("Test", "test"), ("UNASSIGNED", None), ("", None)],
)
def test_spellings_of_uses(spelled, split):
    (sample,), report = opened(f"{spelled},gs://b/a.png,c,0,0,,,1,1,,")
    assert sample.split == split and not report.problems()


def test_rows_may_lack_cells_or_have_blanks():
    rows = ["gs://b/a.png,c,.1,.2,,,.3,.4", "TRAIN, gs://b/b.png, c, .1, .2, , , .3, .4,,,", "TRAIN,gs://b/c.png", "gs://b/d.png,\r"]
    samples, report = opened(*rows)
    assert [(s.path, len(s.annotations)) for s in samples] == [("a.png", 1), ("b.png", 1), ("c.png", 0), ("d.png", 0)]
    assert samples[1].annotations[0] == Annotation(label="c", box=(0.1, 0.2, 0.3, 0.4)) and not report.problems()


def test_a_header_made_by_users_is_left_out():
    samples, report = opened("set,path,label,x1,y1,,,x2,y2,,", "TRAIN,a.png,c,0,0,,,1,1,,")
    assert [s.path for s in samples] == ["a.png"] and not report.problems()
    samples, _ = opened("TRAIN,no suffix,c,0,0,,,1,1,,", "no suffix either,c,0,0,,,1,1,,")
    assert [s.path for s in samples] == ["no suffix", "no suffix either"]


def test_turned_boxes_and_bad_numbers():
    rows = ["TRAIN,gs://b/a.png,c,0.1,0.2,0.3,0.1,0.4,0.3,0.2,0.4", "TRAIN,gs://b/a.png,c,0.1,,,,0.4,0.5,,", "TRAIN,gs://b/a.png,c,nan,0,,,1,1,,"]
    (sample,), report = opened(*rows)
    (a,) = sample.annotations
    assert a.box == (0.1, 0.1, 0.4, 0.4) and a.shape == Polygon.of((0.1, 0.2, 0.3, 0.1, 0.4, 0.3, 0.2, 0.4))
    assert codes(report) == {"automl-vision-csv.turned": 1, "automl-vision-csv.box": 2}


def test_labels_of_images():
    (a, b), report = opened("TRAIN,gs://f/a.jpg,cirrus", "TEST,gs://f/b.jpg,cirrus,cumulus", "TEST,gs://f/b.jpg,0001")
    assert a.tags == (Tag(label="cirrus"),) and [t.label for t in b.tags] == ["cirrus", "cumulus", "0001"]
    assert not report.problems()
    assert written(Dataset([b], ["cirrus", "cumulus", "0001"]), AUTOML, task="classification") == ["TEST,gs://f/b.jpg,cirrus,cumulus,0001"]


def test_what_the_service_refuses():
    a = (Annotation(label="c", box=(0.0, 0.0, 0.5, 20.0)), Annotation(label="c", box=(0.0, 0.0, 65.0, 20.0)), Annotation(label="c", box=(0.0, 0.0, 9.0, 9.0)))
    dataset = Dataset([Sample(path="a.png", size=(64, 48), annotations=a)], ["c"])
    done = write(dataset, MemoryTarget(), format=VERTEX)
    assert codes(done.report) == {"vertex-ai-csv.refused": 2}


def test_detection():
    registry = Registry()
    registry.register(AUTOML)
    registry.register(VERTEX)

    def found(*rows):
        return {c.format.id: c.confidence for c in candidates(MemorySource({"x.csv": "\n".join(rows).encode()}), registry)}

    assert found("TRAIN,gs://b/a.png,c,0,0,,,1,1,,") == {"automl-vision-csv": 0.95, "vertex-ai-csv": 0.8}
    assert found("training,gs://b/a.png,c,0,0,,,1,1,,") == {"automl-vision-csv": 0.8, "vertex-ai-csv": 0.95}
    assert found("gs://b/a.png,c") == {"automl-vision-csv": 0.8, "vertex-ai-csv": 0.85}
    assert found("a.png,1,2,3,4,cat") == found("filename,width,height,class,xmin,ymin,xmax,ymax", "a.png,1,1,c,1,2,3,4") == {}
    assert found("a.png,cat,1,2,3,4,5,6,7,8") == found("image,xmin,ymin,xmax,ymax,label") == {}


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
def test_real_rows():
    docs, salads = (lg.read(SAMPLES / name, format="automl-vision-csv", report=Report()) for name in ("docs_sample.csv", "salads_ml_use_excerpt.csv"))
    assert [(s.path, s.split, len(s.annotations)) for s in docs] == [
        ("image1.png", "train", 2), ("im2.png", None, 1), ("im3.png", "test", 0),
    ]  # fmt: skip
    (sample,) = salads.read(report := Report())
    assert sample.split == "train" and [a.label for a in sample.annotations] == ["Salad", "Seafood", "Tomato"]
    assert codes(report) == {"automl-vision-csv.split": 1}


def test_images_of_one_name_stay_apart_where_one_file_is_missing():
    tags = (Tag(label="x"),)
    for names in (("a.png", "deep/a.png"), ("deep/a.png", "a.png"), ("a.png", "x/deep/a.png", "deep/a.png")):
        for here in names:
            samples = [Sample(path=n, tags=tags, image=BytesImage(n, png(8, 6)) if n == here else None) for n in names]
            found = travel(Dataset(samples, ["x"]), VertexAiCsv(), {"task": "classification"}).dataset
            assert {s.path: s.image is not None for s in found} == {name: name == here for name in names}
