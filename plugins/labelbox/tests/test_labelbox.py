"""Labelbox: rows of version 2, labels of several people, masks, and the legacy export."""

import csv
import io
import json
from collections import Counter
from pathlib import Path

import labelglot as lg
import numpy as np
import pytest
from labelglot.engine.convert import read
from labelglot.geometry import encode_string, from_bitmap
from labelglot.images import encode_gray, to_data_url
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Mask, Points, Polygon, Polyline, Sample
from labelglot.storage import MemorySource
from labelglot.testing.odd_json import odd_documents, survives
from labelglot.testing.strategies import png
from labelglot.testing.travel import store, travel
from labelglot_labelbox import Labelbox

DATA = Path(__file__).parent / "data" / "labelbox"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "labelbox"
FORMAT = Labelbox()
real = pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")


def box(name="dog", left=1, top=2, **more):
    return {"name": name, "bounding_box": {"left": left, "top": top, "width": 3, "height": 4}, **more}


def row(*objects, key="a.jpg", **more):
    label = {"id": "l1", "annotations": {"objects": list(objects)}}
    return {
        "data_row": {"global_key": key},
        "media_attributes": {"width": 20, "height": 10},
        "projects": {"p": {"labels": [label]}},
    } | more


def opened(*rows, files=None, **options):
    report = Report()
    text = "\n".join(json.dumps(r) for r in rows).encode()
    dataset = read(MemorySource({"x.ndjson": text, **(files or {})}), format=FORMAT, options=options, report=report)
    return list(dataset.read(report)), report


def codes(report):
    return {line.code: line.count for line in report.problems()}


def test_the_example_reads_with_exact_values():
    first, second, third = lg.read(DATA)
    assert (first.path, first.id, first.size, first.splits) == ("street/a.jpg", "row1", (640, 480), ("train",))
    assert first.uri == "https://example.com/street/a.jpg"
    dog, road, lane, nose = first.annotations
    assert dog.box == (20, 10, 60, 40) and dog.attributes == {"colour": "brown", "shade": "dark"} and dog.id == "f1"
    assert road.shape == Polygon.of((0, 0, 10, 0, 10, 10)) and lane.shape == Polyline(points=(1.5, 2.5, 3.5, 4.5))
    assert nose.shape == Points(points=(7, 8)) and nose.layer is None
    assert [(t.label, t.text) for t in first.tags] == [("sunny", None), ("warm", None), (None, "a dog")]
    assert second.annotations is None and third.annotations == ()


def test_the_example_returns():
    written = travel(lg.read(DATA), FORMAT).files["export.ndjson"].splitlines()
    wanted = (DATA / "export.ndjson").read_bytes().splitlines()
    assert [json.loads(line) for line in written] == [json.loads(line) for line in wanted]


def test_questions_with_another_answer_are_written_anew():
    first = next(iter(lg.read(DATA)))
    changed = first.replace(
        annotations=(first.annotations[0].replace(attributes={"colour": "black", "tags": ("a", "b")}),)
    )
    (line,) = travel(Dataset([changed], ["dog"]), FORMAT).files["export.ndjson"].splitlines()
    objects = json.loads(line)["projects"]["p1"]["labels"][0]["annotations"]["objects"]
    said = objects[0]["classifications"]
    assert said[0] == {
        "name": "colour",
        "value": "colour",
        "radio_answer": {"name": "black", "value": "black", "classifications": []},
    }
    assert [a["name"] for a in said[1]["checklist_answers"]] == ["a", "b"]


def test_several_labels_are_layers_or_chosen():
    def label(by):
        return {"id": by, "label_details": {"created_by": by}, "annotations": {"objects": [box(name=by)]}}

    rows = row(
        projects={
            "p": {"name": "one", "labels": [label("anna"), label("bert")]},
            "q": {"name": "two", "labels": [label("carl")]},
        }
    )
    (sample,), report = opened(rows)
    assert [a.layer for a in sample.annotations] == ["anna", "bert", "carl"] and codes(report) == {"labelbox.labels": 1}
    (line,) = store(Dataset([sample], ["anna", "bert", "carl"]), FORMAT)[0]["export.ndjson"].splitlines()
    assert {k: len(v["labels"]) for k, v in json.loads(line)["projects"].items()} == {"p": 2, "q": 1}
    (sample,), report = opened(rows, project="two")
    assert [(a.label, a.layer) for a in sample.annotations] == [("carl", None)] and not report.problems()
    (sample,), _ = opened(rows, annotator="bert")
    assert [a.label for a in sample.annotations] == ["bert"]


def test_masks_are_taken_from_inside_or_from_files_beside():
    bitmap = np.zeros((10, 20), dtype=np.uint8)
    bitmap[2:4, 5:9] = 255
    wanted = Mask(width=20, height=10, rle=encode_string(from_bitmap(bitmap)))

    def mask(url, **more):
        return {"name": "dog", "mask": {"url": url}, **more}

    inside = mask(to_data_url(encode_gray(bitmap)))
    beside = mask("https://api.example.com/masks/feature/f7?token=x", feature_id="f7")
    gone = mask("https://api.example.com/masks/f8", feature_id="f8")
    wrong = mask(to_data_url(png(3, 3)))
    (sample,), report = opened(row(inside, beside, gone, wrong), files={"bitmasks/f7.png": encode_gray(bitmap)})
    one, two, three = sample.annotations
    assert one.shape == two.shape == wanted and three.shape is None and three.label == "dog"
    assert codes(report) == {"labelbox.mask": 1, "labelbox.object": 1}
    (line,) = store(Dataset([sample], ["dog"]), FORMAT)[0]["export.ndjson"].splitlines()
    objects = json.loads(line)["projects"]["p"]["labels"][0]["annotations"]["objects"]
    assert objects[2]["mask"] == gone["mask"] and objects[0]["mask"]["url"].startswith("data:image/png")


def test_a_polygon_that_repeats_its_first_point():
    ring = [{"x": x, "y": y} for x, y in ((0, 0), (5, 0), (5, 5), (0, 0))]
    (sample,), _ = opened(row({"name": "dog", "polygon": ring}))
    assert sample.annotations[0].shape == Polygon.of((0, 0, 5, 0, 5, 5))


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("array", [False, True])
def test_rows_in_any_spelling(indent, array):
    rows = [row(box()), row(box(), key="b.jpg")]
    text = json.dumps(rows, indent=indent) if array else "\n".join(json.dumps(r, indent=indent) for r in rows)
    source = MemorySource({"export.json": text.encode()})
    assert FORMAT.detect(source).confidence == 0.95
    assert [s.path for s in read(source, format=FORMAT)] == ["a.jpg", "b.jpg"]


def test_bad_objects_among_good_ones():
    bad = [7, box(left="1"), {"name": "x", "line": []}, {"name": "x", "polygon": [1]}, box(confidence="high")]
    (sample, other), report = opened(row(*bad, box(left=-3)), 5, {"data_row": {}}, row(key="b.jpg", projects=3))
    assert [a.box for a in sample.annotations] == [(-3, 2, 0, 6)] and other.annotations is None
    assert codes(report) == {"labelbox.object": 5, "labelbox.row": 2}


def test_the_global_key_need_not_be_a_file():
    files = {"images/a.jpg": png(20, 10)}
    (sample,), _ = opened(row(box(), data_row={"global_key": "proj:12345", "external_id": "a.jpg"}), files=files)
    assert sample.path == "a.jpg" and sample.image is not None
    (sample,), _ = opened(row(box(), data_row={"row_data": "https://example.com/x/a.jpg?sig=1"}))
    assert sample.path == "x/a.jpg" and sample.uri == "https://example.com/x/a.jpg?sig=1"


def test_frames_of_videos():
    def shown(left):
        return {"objects": {"f1": box(left=left, annotation_kind="VideoBoundingBox")}, "classifications": []}

    label = {
        "id": "l",
        "annotations": {"frames": {"2": shown(5), "1": shown(1), "9": {"objects": {}}, "x": {}}, "segments": {}},
    }
    samples, report = opened(row(projects={"p": {"name": "n", "labels": [label]}}, key="a.mp4"))
    assert [(s.path, s.sequence, s.frame) for s in samples] == [
        ("a.mp4#frame=0", "a.mp4", 0),
        ("a.mp4#frame=1", "a.mp4", 1),
    ]
    assert [(a.track, a.id, a.box) for s in samples for a in s.annotations] == [
        ("f1", None, (1, 2, 4, 6)),
        ("f1", None, (5, 2, 8, 6)),
    ]
    assert codes(report) == {"labelbox.frames": 1} and all(s.size == (20, 10) for s in samples)
    assert "annotation_kind" not in str(samples[0].annotations[0].extra)


def test_layers_of_other_formats_become_labels():
    objects = tuple(Annotation(label="c", box=(0, 0, 1, 1), layer=layer) for layer in ("anna", None))
    (line,) = store(Dataset([Sample(path="a.jpg", annotations=objects)], ["c"]), FORMAT)[0][
        "export.ndjson"
    ].splitlines()
    labels = json.loads(line)["projects"]["labelbox"]["labels"]
    assert [label.get("label_details") for label in labels] == [{"created_by": "anna"}, None]


LEGACY = {
    "ID": "l1", "DataRow ID": "r1", "Labeled Data": "https://example.com/a.jpg", "External ID": "a.jpg", "Created By": "a@example.com",
    "Label": {"objects": [{"featureId": "f", "title": "dog", "bbox": {"left": 1, "top": 2, "width": 3, "height": 4}}], "classifications": []},
}  # fmt: skip


def test_legacy_records_in_a_table():
    text = io.StringIO()
    writer = csv.DictWriter(text, LEGACY)
    writer.writeheader()
    writer.writerow({**LEGACY, "Label": json.dumps(LEGACY["Label"])})
    writer.writerow({**LEGACY, "DataRow ID": "r2", "External ID": "b.jpg", "Label": "Skip"})
    source = MemorySource({"export.csv": text.getvalue().encode()})
    assert FORMAT.detect(source).confidence == 0.95
    one, two = read(source, format=FORMAT)
    assert one.annotations[0].box == (1, 2, 4, 6) and one.size is None and two.annotations is None


def test_legacy_records_of_two_people_and_of_2018():
    oldest = {"Car": [{"geometry": [{"x": 0, "y": 0}, {"x": 5, "y": 0}, {"x": 5, "y": 5}]}]}
    second = {**LEGACY, "ID": "l2", "Created By": "b@example.com", "Label": oldest}
    broken = {**LEGACY, "ID": "l3", "Label": "{"}
    (sample,), report = opened(LEGACY, second, broken)
    assert [(a.label, a.layer) for a in sample.annotations] == [("dog", "a@example.com"), ("Car", "b@example.com")]
    assert codes(report) == {"labelbox.labels": 1, "labelbox.label": 1}


@real
def test_real_rows():
    one, two = lg.read(SAMPLES / "v2-ndjson")
    assert one.path == "a-weird Filename.asdf.jpg" and one.size == (640, 416)
    assert Counter(a.label for a in one.annotations) == {"person": 4, "bench": 2, "dog": 1, "bicycle with space": 1}
    assert one.annotations[0].box == (540, 295, 563, 313)
    assert two.path == "aNother-weird__ filename.with.many.characters.jpg" and two.size == (640, 426)
    assert Counter(a.label for a in two.annotations) == {"snowboard": 6, "person": 1, "bicycle with space": 1}


@real
def test_real_legacy_vectors():
    samples = list(lg.read(SAMPLES / "legacy-vector"))
    found = [a for s in samples for a in s.annotations]
    assert len(samples) == 6 and len(found) == 12
    assert Counter("box" if a.shape is None else a.shape.kind for a in found) == {
        "box": 3,
        "polygon": 3,
        "points": 5,
        "polyline": 1,
    }
    first = samples[0].annotations[0]
    assert samples[0].path == "cat1.jpg" and first.label == "cat" and first.box == (495, 7, 1578, 1848)
    assert first.attributes == {"color": "brown"} and samples[0].annotations[1].attributes == {"animal": ("cat",)}
    assert all(s.size is None for s in samples)


@real
def test_real_legacy_masks():
    report = Report()
    samples = list(lg.read(SAMPLES / "legacy-mask", format="labelbox", report=report).read(report))
    found = [a for s in samples for a in s.annotations]
    assert len(samples) == 6 and len(found) == 9
    assert sum(isinstance(a.shape, Mask) for a in found) == 8 and codes(report) == {"labelbox.mask": 1}
    (gone,) = [(s.path, a.label) for s in samples for a in s.annotations if a.shape is None]
    assert gone == ("dog1.jpg", "cat")


def test_odd_values_anywhere_are_no_exceptions():
    document = [json.loads(each) for each in (DATA / "export.ndjson").read_text().splitlines()] + [LEGACY]
    for odd in odd_documents(document, 40):
        survives(FORMAT, {"export.json": json.dumps(odd).encode()})
