"""Edge Impulse: both files, and what becomes of them where they disagree."""

import json
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.detection import detect
from labelglot.engine.convert import read, write
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Sample, Tag
from labelglot.storage import MemorySource, open_source
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, travel
from labelglot_edge_impulse import EdgeImpulse

DATA = Path(__file__).parent / "data" / "edge-impulse"
FORMAT = EdgeImpulse()
PNG = png(4, 3)
FACE = {"label": "face", "x": 1, "y": 2, "width": 3, "height": 4}


def opened(files, **options):
    report = Report()
    content = {n: d if isinstance(d, bytes) else (d if isinstance(d, str) else json.dumps(d)).encode() for n, d in files.items()}
    dataset = read(MemorySource(content), format=FORMAT, options=options, report=report)
    return list(dataset.read(report)), report


def codes(report):
    return {line.code.partition(".")[2]: line.count for line in report.problems()}


def boxes(*found, **more):
    return {"version": 1, "type": "bounding-box-labels", "boundingBoxes": {"a.png": list(found), **more}}


def test_the_example_reads_with_exact_values_and_is_written_as_it_was():
    files = {p.relative_to(DATA).as_posix(): p.read_bytes() for p in DATA.rglob("*.labels")}
    dataset, report = load(files, FORMAT)
    one, two, cat = dataset
    assert one == Sample(path="img1.jpg", splits=("train",), annotations=(Annotation(label="face", box=(119, 64, 325, 355)),))
    assert two == Sample(path="img2.jpg", splits=("train",), annotations=())
    assert cat == Sample(path="cat1.jpg", splits=("test",), tags=(Tag(label="cat"),), annotations=(), attributes={"site": "a"})
    assert travel(dataset, FORMAT).files == files and not report.problems()
    assert detect(open_source(DATA), lg.registry).id == "edge-impulse"


def test_boxes_alone():
    files = {"x/training/bounding_boxes.labels": boxes(FACE), "x/training/a.png": PNG, "x/training/b.png": PNG}
    (a, b), report = opened({n.removeprefix("x/"): d for n, d in files.items()})
    assert (a.key, a.size, b.key, b.annotations) == ("train:a.png", (4, 3), "train:b.png", ()) and not report.problems()
    assert a.annotations == (Annotation(label="face", box=(1, 2, 4, 6)),)
    (flat,), _ = opened({"bounding_boxes.labels": boxes({**FACE, "x": 1.5, "z": 1})})
    assert flat.path == "a.png" and flat.splits == ()
    assert flat.annotations == (Annotation(label="face", box=(1.5, 2, 4.5, 6), extra={"edge-impulse": {"z": 1}}),)


def test_the_two_files_disagree():
    entry = {"path": "training/a.png", "category": "testing", "label": {"type": "unlabeled"}}
    info = {"version": 1, "files": [{**entry, "boundingBoxes": []}, {**entry, "path": "training/b.png"}]}
    files = {"info.labels": info, "training/bounding_boxes.labels": boxes(FACE, **{"b.png": [FACE]}), "training/a.png": PNG}
    (a, b), report = opened(files)
    assert (a.key, a.annotations, a.size) == ("test:training/a.png", (), (4, 3))
    assert len(b.annotations) == 1 and codes(report) == {"differ": 1}


def test_files_of_the_wild():
    info = {"version": 2, "files": [
        {"path": "split/cat.01.jpg", "category": "split", "name": "x"}, {"path": "v.jpg", "category": "validation"}, {"category": "training"},
        {"path": "training/m.jpg", "category": "training", "label": {"type": "multi-label", "labels": [{"label": "a", "startIndex": 0}, {"label": "b"}]},
         "metadata": {"n": 3}, "boundingBoxes": [{**FACE, "x": "1"}, {**FACE, "label": 7}]},
    ]}  # fmt: skip
    (cat, v, m), report = opened({"info.labels": info}, name_labels=True)
    assert (cat.path, cat.splits, cat.tags, cat.extra) == ("cat.01.jpg", (), (Tag(label="cat"),), {"edge-impulse": {"name": "x"}})
    assert v.path == "v.jpg" and v.splits == ()
    assert m.tags == (Tag(label="a"), Tag(label="b")) and m.attributes == {"n": "3"}
    assert m.annotations == (Annotation(label="7", box=(1, 2, 4, 6)),)
    assert codes(report) == {"version": 1, "file": 1, "category": 1, "metadata": 1, "box": 1}
    with pytest.raises(lg.LabelglotError):
        opened({"info.labels": '{"version": 1, "files": [],}'})


def test_boxes_are_whole_and_there_is_no_validation(tmp_path):
    objects = (Annotation(label="a", box=(1.4, 2.6, 1.5, 9.4)),)
    dataset = Dataset([Sample(path="a.jpg", splits=("val",), annotations=objects), Sample(path="b.jpg", splits=("train",), annotations=())], ["a"])
    done = travel(dataset, FORMAT)
    assert done.dataset.samples.samples[0] == Sample(path="a.jpg", annotations=(Annotation(label="a", box=(1, 3, 2, 10)),))
    assert "split" in {line.code for line in done.written.losses()}
    assert set(done.files) == {"info.labels", "split/bounding_boxes.labels", "training/bounding_boxes.labels"}
    write(dataset, tmp_path / "info.labels", format=FORMAT)
    assert [s.key for s in lg.read(tmp_path / "info.labels")] == ["a.jpg", "train:b.jpg"]
