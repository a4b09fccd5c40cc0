"""CrowdHuman: three boxes for a person, regions to ignore, sizes in a file beside."""

import json
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Sample
from labelglot.testing.strategies import png

DATA = Path(__file__).parent / "data" / "crowdhuman"
SAMPLES = Path(__file__).parents[4] / "shared" / "samples"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the collection of real samples is not here")
FULL, VISIBLE, HEAD = [133, -31, 42, 134], [135, 32, 38, 103], [148, 38, 15, 18]


def read(where, **more):
    report = Report()
    dataset = lg.read(where, report=report, **more)
    return dataset, list(dataset.read(report)), report


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def odgt(tmp_path, *entries, name="annotation_val.odgt"):
    path = tmp_path / name
    path.write_text("".join(e if isinstance(e, str) else json.dumps(e) + "\n" for e in entries))
    return path


def codes(report):
    return [line.code for line in report.problems()]


def test_the_example_reads_as_it_is_written():
    _, samples, report = read(DATA)
    assert codes(report) == []
    assert [(s.path, s.splits, s.size) for s in samples] == [
        ("1,aa00.jpg", ("train",), (200, 100)), ("2,bb11.jpg", ("train",), (64, 48)), ("3,cc22.jpg", ("train",), None),
    ]  # fmt: skip
    person, region = samples[0].annotations
    assert (person.label, person.box, person.attributes) == ("person", (133, -31, 175, 103), {"occluded": True})
    assert person.extra["crowdhuman"]["boxes"] == {"hbox": HEAD, "vbox": VISIBLE}
    assert (region.label, region.box, region.attributes) == ("person", (10, 10, 40, 40), {"ignore": True})
    assert (samples[1].annotations, samples[2].annotations) == ((), None)


@pytest.mark.parametrize("box", ["full", "visible", "head"])
def test_the_same_lines_come_back_whichever_box_is_read(tmp_path, box):
    lg.convert(DATA, tmp_path / "out", to="crowdhuman", read_options={"box": box}, options={"box": box})
    assert lines(tmp_path / "out/annotation_train.odgt") == lines(DATA / "annotation_train.odgt")
    assert json.loads((tmp_path / "out/id_hw_train.json").read_text()) == {"1,aa00": [100, 200], "2,bb11": [48, 64]}


def test_a_box_that_is_replaced_is_said(tmp_path):
    made = lg.convert(DATA, tmp_path / "out", to="crowdhuman", read_options={"box": "visible"})
    assert codes(made.report) == ["crowdhuman.boxes"]
    person = lines(tmp_path / "out/annotation_train.odgt")[0]["gtboxes"][0]
    assert (person["fbox"], person["vbox"], person["hbox"]) == (VISIBLE, VISIBLE, HEAD)


@pytest.mark.parametrize(("box", "number"), [("full", FULL), ("visible", VISIBLE), ("head", HEAD)])
def test_the_box_that_is_asked_for(box, number):
    _, samples, _ = read(DATA, options={"box": box})
    x, y, w, h = number
    assert samples[0].annotations[0].box == (x, y, x + w, y + h)


def test_heads_as_objects():
    _, samples, _ = read(DATA, options={"heads": True})
    assert [(a.label, a.group, a.box) for a in samples[0].annotations] == [
        ("person", 0, (133, -31, 175, 103)), ("head", 0, (148, 38, 163, 56)), ("person", 1, (10, 10, 40, 40)),
    ]  # fmt: skip
    assert samples[0].annotations[1].attributes == {"occluded": True, "ignore": False}


def test_what_other_formats_give(tmp_path):
    objects = (
        Annotation(label="person", box=(1.5, 2, 4, 8), attributes={"ignore": True}),
        Annotation(label="mask", box=(0, 0, 1, 1)),
    )
    samples = [Sample(path="a.b.jpg", size=(9, 8), annotations=objects), Sample(path="d/c.png", annotations=None)]
    made = lg.write(Dataset(samples, ["person", "mask"]), tmp_path / "out", format="crowdhuman")
    box = [1.5, 2, 2.5, 6]
    first, second = lines(tmp_path / "out/annotation.odgt")
    assert first["ID"] == "a.b" and "file_name" not in first
    assert first["gtboxes"][0] == {"tag": "person", "fbox": box, "vbox": box, "extra": {"ignore": 1}}
    assert first["gtboxes"][1]["tag"] != "mask" and "labels.name" in [line.code for line in made.report.losses()]
    assert second == {"ID": "d/c", "file_name": "d/c.png"}
    assert json.loads((tmp_path / "out/id_hw.json").read_text()) == {"a.b": [8, 9]}


def test_other_boxes_go_when_the_box_changes(tmp_path):
    lg.convert(DATA, tmp_path / "voc", to="voc", format="crowdhuman", images="none")
    lg.convert(DATA, tmp_path / "out.odgt", to="crowdhuman")
    assert lines(tmp_path / "out.odgt") == lines(DATA / "annotation_train.odgt")
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".json"] == []


def test_images_are_found_by_their_id(tmp_path):
    path = odgt(tmp_path, {"ID": "1,a.b", "gtboxes": []}, {"ID": "2", "gtboxes": []})
    (tmp_path / "Images").mkdir()
    (tmp_path / "Images/1,a.b.jpg").write_bytes(png(5, 4))
    (tmp_path / "Images/2.png").write_bytes(png(7, 6))
    _, samples, _ = read(path.parent)
    assert [(s.path, s.image.path, s.size) for s in samples] == [
        ("1,a.b.jpg", "Images/1,a.b.jpg", (5, 4)), ("2.png", "Images/2.png", (7, 6)),
    ]  # fmt: skip


def test_derived_files_with_less(tmp_path):
    boxes = [{"tag": "person", "fbox": [1, 2, 3, 4]}, {"tag": "person", "vbox": [1, 2, 3, 4]}, {"tag": "mask", "fbox": [1, 2, 3, 4]}]
    path = odgt(tmp_path, "\ufeff", {"ID": "1", "gtboxes": boxes}, "\n", {"ID": 2, "gtboxes": []}, {"ID": "1", "gtboxes": boxes[:1]})
    _, samples, report = read(path)
    assert [(s.path, len(s.annotations)) for s in samples] == [("1.jpg", 4), ("2.jpg", 0)]
    assert {a.box for a in samples[0].annotations} == {(1, 2, 4, 6)} and codes(report) == ["crowdhuman.duplicate"]
    assert samples[0].annotations[2].attributes == {"ignore": True}


@pytest.mark.parametrize(
    ("box", "code"),
    [
        ({"tag": "person"}, "crowdhuman.object"), ({"tag": "person", "fbox": [1, 2, 3]}, "crowdhuman.object"),
        ({"tag": "person", "fbox": [1, 2, "x", 4]}, "crowdhuman.object"), (7, "crowdhuman.object"),
        ({"tag": "person", "fbox": [1, 2, [], float("nan")]}, "crowdhuman.object"),
    ],
)  # fmt: skip
def test_one_bad_box_is_named(tmp_path, box, code):
    good = {"tag": "person", "fbox": [1, 2, 3, 4]}
    _, samples, report = read(odgt(tmp_path, {"ID": "1", "gtboxes": [good, box]}))
    (line,) = report.problems()
    assert (len(samples[0].annotations), line.code) == (1, code)
    assert line.examples[0]["place"] == "annotation_val.odgt:1.gtboxes[1]"


def test_bad_lines_and_sizes(tmp_path):
    (tmp_path / "id_hw_val.json").write_text('{"1": [4, 5], "2": "x"}')
    path = odgt(tmp_path, "{\n", {"gtboxes": []}, {"ID": "1", "gtboxes": 5}, {"ID": "2", "gtboxes": [{"fbox": [1, 2, 0, 4], "extra": 3}]})
    _, samples, report = read(path.parent)
    assert [(s.path, s.size) for s in samples] == [("1.jpg", (5, 4)), ("2.jpg", None)]
    assert {line.code: line.count for line in report.problems()} == {
        "crowdhuman.line": 2, "crowdhuman.gtboxes": 1, "crowdhuman.sizes": 1, "crowdhuman.box-empty": 1, "crowdhuman.extra": 1,
    }  # fmt: skip


@needs_samples
def test_a_real_line(tmp_path):
    path = SAMPLES / "crowdhuman" / "annotation_train.odgt"
    _, (sample,), report = read(path)
    assert (sample.path, len(sample.annotations)) == ("283554,35288000868e92d4.jpg", 7) and codes(report) == []
    ignored = [a.extra["crowdhuman"].get("tag") for a in sample.annotations if a.attributes.get("ignore")]
    assert ignored == ["mask"] and {a.label for a in sample.annotations} == {"person"}
    outside = [a.box[3] > 1356 for a in sample.annotations]
    assert outside[:2] == [True, True] and sample.annotations[0].box == (1330, 317, 1748, 1655)
    lg.convert(path, tmp_path / "out.odgt", to="crowdhuman")
    assert lines(tmp_path / "out.odgt") == lines(path)
