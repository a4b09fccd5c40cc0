"""LVIS: what is absent and what is not all marked; images by their address; no crowds."""

import json
import shutil
from collections import Counter
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Label, Sample, Tag
from labelglot.testing.strategies import png

DATA = Path(__file__).parent / "data" / "lvis" / "lvis_v1_val.json"
SAMPLES = Path(__file__).parents[4] / "shared" / "samples"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the collection of real samples is not here")


def read(where, **more):
    report = Report()
    dataset = lg.read(where, report=report, **more)
    return dataset, list(dataset.read(report)), report


def changed(tmp_path, change):
    content = json.loads(DATA.read_text())
    change(content)
    path = tmp_path / "lvis_v1_val.json"
    path.write_text(json.dumps(content))
    return path


def test_the_example_reads_as_it_is_written():
    dataset, samples, report = read(DATA)
    assert report.problems() == ()
    assert [(label.name, label.id, label.extra["coco"]["frequency"]) for label in dataset.labels] == [
        ("acorn", 1, "r"), ("kite", 2, "c"), ("bun", 5, "f"),
    ]  # fmt: skip
    first, second = samples
    assert (first.path, first.splits, first.id) == ("val2017/000000017905.jpg", ("val",), 17905)
    assert first.tags == (Tag(label="kite", negative=True), Tag(label="bun", negative=True))
    assert first.extra["lvis"] == {"not_exhaustive": ["acorn"], "file_name": None}
    assert len(first.annotations[0].shape.parts) == 2 and first.annotations[0].extra == {"coco": {"area": 200.0}}
    assert (second.path, second.tags) == ("a.jpg", ())


def test_lvis_to_lvis_is_the_same_document(tmp_path):
    lg.convert(DATA, tmp_path / "out", to="lvis")
    made = json.loads((tmp_path / "out/annotations/lvis_v1_val.json").read_text())
    assert made == json.loads(DATA.read_text())


def test_lists_of_another_order_or_with_unknown_classes(tmp_path):
    path = changed(tmp_path, lambda c: c["images"][0].update(neg_category_ids=[5, 2, 77, 5], not_exhaustive_category_ids=None))
    _, samples, report = read(path)
    assert [tag.label for tag in samples[0].tags] == ["kite", "bun"]
    assert {line.code: line.count for line in report.problems()} == {"lvis.category": 2}


def test_lists_that_are_missing_are_empty(tmp_path):
    def change(content):
        for image in content["images"]:
            del image["neg_category_ids"], image["not_exhaustive_category_ids"]
        for category in content["categories"]:
            del category["synset"]

    changed(tmp_path, change)
    _, samples, report = read(tmp_path, format="lvis")
    assert report.problems() == () and samples[0].tags == () and len(samples[0].annotations) == 1


def test_crowds_are_said_only_where_they_are(tmp_path):
    sets = {None: {}, True: {"crowd": True}, False: {"crowd": False}}
    objects = tuple(Annotation(label="x", box=(0, 0, 2, 2), attributes=a) for a in sets.values())
    lg.write(Dataset([Sample(path="a.jpg", size=(9, 9), annotations=objects)], ["x"]), tmp_path / "o", format="lvis")
    made = json.loads((tmp_path / "o/annotations/lvis_v1_default.json").read_text())
    assert [a.get("iscrowd") for a in made["annotations"]] == [None, 1, None]
    assert made["images"][0]["neg_category_ids"] == made["images"][0]["not_exhaustive_category_ids"] == []


def test_present_and_absent_classes_and_numbers_from_1(tmp_path):
    labels = [Label(key=name, name=name, id=number) for number, name in enumerate("abc")]
    tags = (Tag(label="c"), Tag(label="b", negative=True), Tag(label="a", negative=True))
    made = lg.write(Dataset([Sample(path="a.jpg", size=(9, 9), tags=tags)], labels), tmp_path / "o", format="lvis")
    assert "tags.order" in [line.code for line in made.report.losses()]
    document = json.loads((tmp_path / "o/annotations/lvis_v1_default.json").read_text())
    assert [c["id"] for c in document["categories"]] == [1, 2, 3] and document["images"][0]["neg_category_ids"] == [1, 2]
    _, (sample,), _ = read(tmp_path / "o")
    assert sample.tags == (Tag(label="a", negative=True), Tag(label="b", negative=True), Tag(label="c"))


def test_to_coco_the_federated_part_is_reported(tmp_path):
    made = lg.convert(DATA, tmp_path / "out.json", to="coco", images="none")
    assert {"tags.negative", "extra.lvis"} <= {line.code for line in made.report.losses()}
    images = json.loads((tmp_path / "out.json").read_text())["images"]
    assert [image["file_name"] for image in images] == ["val2017/000000017905.jpg", "a.jpg"]


def test_images_are_found_by_their_name_of_2017(tmp_path):
    path = changed(tmp_path, lambda c: c["images"][0].update(file_name="COCO_val2014_000000017905.jpg"))
    (tmp_path / "val2017").mkdir()
    (tmp_path / "val2017/000000017905.jpg").write_bytes(png(640, 480))
    _, samples, _ = read(tmp_path, format="lvis")
    assert samples[0].image.path == "val2017/000000017905.jpg" and samples[0].path == "COCO_val2014_000000017905.jpg"
    shutil.copy(DATA, path)
    _, samples, _ = read(tmp_path)
    assert samples[0].image.path == samples[0].path == "val2017/000000017905.jpg"


@needs_samples
def test_counts_of_a_real_document():
    path = SAMPLES / "lvis" / "lvis_val_12_of_100.json"
    dataset, samples, report = read(path)
    objects = [a for s in samples for a in s.annotations]
    assert (len(samples), len(objects), len({a.label for a in objects}), len(dataset.labels)) == (12, 57, 29, 124)
    assert Counter(len(a.shape.parts) for a in objects) == {1: 48, 2: 7, 3: 2}
    by_id = {s.id: s for s in samples}
    assert by_id[252776].annotations == ()
    names = {label.id: label.key for label in dataset.labels}
    partial = {s.id: s.extra["lvis"]["not_exhaustive"] for s in samples if "not_exhaustive" in s.extra.get("lvis", {})}
    assert partial == {89648: [names[998]]} and report.problems() == ()


@needs_samples
def test_a_real_document_comes_back_the_same(tmp_path):
    path = SAMPLES / "lvis" / "lvis_val_12_of_100.json"
    lg.convert(path, tmp_path / "out.json", to="lvis", images="none")
    before, after = json.loads(path.read_text()), json.loads((tmp_path / "out.json").read_text())
    for image in (*before["images"], *after["images"]):
        image["neg_category_ids"] = sorted(image["neg_category_ids"])
    for part in ("info", "licenses", "categories", "images"):
        assert after[part] == before[part]
    key = lambda a: a["id"]  # noqa: E731
    assert sorted(after["annotations"], key=key) == sorted(before["annotations"], key=key)
