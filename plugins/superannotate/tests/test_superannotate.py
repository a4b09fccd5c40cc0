"""SuperAnnotate JSON: every type of instance, pixel projects, classes with groups of attributes."""

import json
import math
from pathlib import Path

import labelglot as lg
import numpy as np
import pytest
from labelglot.engine.convert import read
from labelglot.geometry import decode_string, encode_string, mask_area, to_bitmap
from labelglot.images import BytesImage, decode_color
from labelglot.report import Report
from labelglot.schema import (
    Annotation,
    Cuboid,
    Dataset,
    Ellipse,
    Label,
    Mask,
    Points,
    Polygon,
    Polyline,
    RotatedBox,
    Sample,
    Tag,
)
from labelglot.storage import MemorySource
from labelglot.testing.conformance import conformance
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, store, travel
from labelglot_superannotate import SuperAnnotate

DATA = Path(__file__).parent / "data" / "superannotate"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "superannotate"
FORMAT = SuperAnnotate()
OWNER = "superannotate"
BOX = {"type": "bbox", "className": "car", "points": {"x1": 1, "y1": 2, "x2": 3, "y2": 4}}


class PixelProject(SuperAnnotate):
    """What the option ``project=pixel`` writes, as a format of its own."""

    holds = FORMAT.holds_with(FORMAT.WriteOptions(project="pixel"))

    class WriteOptions(SuperAnnotate.WriteOptions):
        project: str = "pixel"


TestPixelProjects = conformance(PixelProject(), max_examples=10)


def document(*instances, **more):
    metadata = {"name": "a.jpg", "width": 64, "height": 48}
    return json.dumps({"metadata": metadata, "instances": instances, "tags": [], "comments": [], **more}).encode()


def opened(files):
    report = Report()
    dataset = read(MemorySource(files), format=FORMAT, report=report)
    return list(dataset.read(report)), report


def codes(report):
    return {line.code: line.count for line in report.problems()}


def files_of(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_example_reads_with_exact_values():
    report = Report()
    dataset = lg.read(DATA, report=report)
    a, b, c = dataset.read(report)
    assert not report.problems()
    assert (a.path, a.size, b.path, b.size) == ("a.jpg", (640, 480), "b.jpg", None)
    box, turned, lake, line, point, ellipse, cuboid, hand = a.annotations
    assert box.box == (10.5, 20, 60, 50.25) and (box.group, box.track, box.score) == (3, "t7", None)
    assert box.attributes == {"doors": "4", "state": ("dirty",)}
    assert box.extra == {OWNER: {"visible": False, "attributes": [{"id": 11, "groupId": 5}, {"id": 13, "groupId": 6}]}}
    assert turned.shape == RotatedBox(corners=(0, 10, 10, 0, 20, 10, 10, 20)) and turned.score == 0.625
    assert lake.shape == Polygon(parts=(((0, 0, 40, 0, 40, 40), (30, 5, 35, 5, 35, 10)),))
    assert line.shape == Polyline(points=(0, 0, 5, 5.5, 9, 1)) and point.shape == Points(points=(3.5, 4.5))
    assert ellipse.shape == Ellipse(cx=30, cy=20, rx=10, ry=5, angle=math.pi / 2)
    assert cuboid.shape == Cuboid(corners=(10, 20, 30, 20, 30, 40, 10, 40, 15, 15, 35, 15, 35, 35, 15, 35))
    assert hand.keypoints.points == (1, 2, 3, 4) and hand.keypoints.visibility is None
    assert [(tag.label, tag.extra) for tag in a.tags] == [("night", {}), ("outdoor", {OWNER: {"text": True}})]
    assert [x.label for x in b.annotations] == [None, "car"] and b.annotations[1].attributes == {"doors": "2"}
    masks = [to_bitmap(decode_string(x.shape.rle), 2, 4).astype(int).tolist() for x in c.annotations]
    assert masks == [[[0, 1, 1, 1], [0, 0, 0, 1]], [[0, 0, 0, 1], [0, 0, 0, 1]]]
    assert c.path == "pixel/c.png" and c.extra[OWNER]["metadata"] == {"name": "other name.png"}
    labels = {label.name: label for label in dataset.complete().labels}
    assert [(n, x.id, x.color) for n, x in labels.items()] == [
        ("car", 1, "#ff0000"), ("lake", 2, "#0000ff"), ("unused", 9, "#00ff00"), ("night", 4, "#000000"), ("hand", None, None),
        ("outdoor", None, None),
    ]  # fmt: skip
    assert [(s.name, s.kind, s.values) for s in labels["car"].attributes] == [
        ("doors", "choice", ("4", "2")), ("state", "choices", ("dirty",)),
    ]  # fmt: skip
    assert labels["hand"].keypoints == ("wrist", "tip") and labels["hand"].skeleton == ((0, 1),)


def test_the_example_is_written_as_it_was():
    files = files_of(DATA)
    written = travel(load(files, FORMAT)[0], FORMAT).files
    before, after = (json.loads(f["a.jpg.json"]) for f in (files, written))
    # Classes without a number are given one; all else is the same.
    for one, two in zip(before["instances"], after["instances"], strict=True):
        assert two == {**one, **({"classId": two["classId"]} if one["className"] == "hand" else {})}
    assert {**before, "instances": 0} == {**after, "instances": 0}
    car, lake = json.loads(written["classes/classes.json"])[:2]
    assert car["attribute_groups"][0] == {
        "id": 5, "name": "doors", "is_multiselect": 0, "group_type": "radio",
        "attributes": [{"id": 11, "name": "4"}, {"id": 12, "name": "2"}],
    }  # fmt: skip
    assert car["count"] == 3 and lake["color"] == "#0000ff"


def mask(bitmap):
    from labelglot.geometry import from_bitmap

    rows = np.array(bitmap)
    return Mask(width=rows.shape[1], height=rows.shape[0], rle=encode_string(from_bitmap(rows)))


def test_pixel_projects_share_colours_where_masks_overlap():
    shapes = [mask([[1, 1, 0, 0]]), mask([[0, 1, 1, 0]]), mask([[0, 0, 0, 0]])]
    objects = tuple(Annotation(label="c", shape=shape) for shape in shapes)
    dataset = Dataset([Sample(path="a.jpg", size=(4, 1), annotations=objects)], [Label(key="c", name="c", id=1)])
    files, _ = store(dataset, FORMAT, {"project": "pixel"})
    assert decode_color(files["a.jpg___save.png"]).tolist() == [[15, 30, 45, 0]]
    parts = [[p["color"] for p in i["parts"]] for i in json.loads(files["a.jpg.json"])["instances"]]
    assert parts == [["#00000f", "#00001e"], ["#00001e", "#00002d"], []]
    assert next(iter(load(files, FORMAT)[0])).annotations == objects
    (polygon, *_), report = next(iter(travel(dataset, FORMAT).dataset)).annotations, store(dataset, FORMAT)[1]
    assert polygon.shape == Polygon.of((0, 0, 2, 0, 2, 1, 0, 1)) and report.losses()


@pytest.mark.parametrize("name", ["d/a.jpg.json", "d/a.jpg___objects.json", "d/a.json"])
def test_names_of_files(name):
    for images in ({}, {"d/a.jpg": png(64, 48), "d/a.jpg___fuse.png": png(64, 48)}):
        (sample,), report = opened({name: document(BOX), **images})
        assert sample.path == "d/a.jpg" and (sample.image is not None) == bool(images) and not report.problems()


def test_names_that_differ_in_their_suffix_stay_apart():
    samples, _ = opened({"b.json": document(BOX), "b.jpg.json": document(BOX), "b.jpg": png(64, 48)})
    assert {(s.path, s.image is not None) for s in samples} == {("b", False), ("b.jpg", True)}


def test_a_missing_size_comes_from_the_image():
    files = {"a.jpg.json": document(BOX, metadata={"name": "a.jpg", "width": None, "height": None}), "a.jpg": png(9, 7)}
    assert opened(files)[0][0].size == (9, 7)


def test_what_cannot_be_read_is_skipped_and_said():
    bad = [
        {**BOX, "points": {"x1": float("nan"), "y1": 0, "x2": 1, "y2": 1}}, {**BOX, "type": "polygon", "points": [1, 2, 3]},
        {**BOX, "type": "template", "points": []}, {"parts": [{"color": "#00000f"}]}, {**BOX, "points": 3}, {"type": 3},
    ]  # fmt: skip
    (sample,), report = opened({"a.jpg.json": document(BOX, *bad)})
    assert len(sample.annotations) == 1 and report.skipped == 6
    assert codes(report) == {"superannotate.geometry": 5, "superannotate.instance": 1}


def test_unknown_types_return():
    odd = {"type": "magic", "className": "car", "spell": [1, 2]}
    files = {"a.jpg.json": document(odd, BOX, {**BOX, "className": "", "classId": 77})}
    (sample,), report = opened(files)
    assert codes(report) == {"superannotate.type": 1, "superannotate.class": 1}
    assert sample.annotations[1].label is None and sample.annotations[1].extra == {OWNER: {"classId": 77}}
    written = json.loads(travel(load(files, FORMAT)[0], FORMAT).files["a.jpg.json"])["instances"]
    assert odd in written and written[1]["classId"] == 77


def test_probability_is_a_score_unless_a_person_drew_it():
    instances = [{**BOX, "probability": p, "creationType": c} for p, c in [(100, "Manual"), (100, "Prediction"), (50, None), (None, None)]]
    (sample,), _ = opened({"a.jpg.json": document(*instances)})
    assert [a.score for a in sample.annotations] == [None, 1.0, 0.5, None]


def test_tags_with_attributes_are_instances():
    tag = Tag(label="c", score=0.5, attributes={"g": "x", "many": ("y",)})
    dataset = Dataset([Sample(path="a.jpg", tags=(tag,), annotations=())], [Label(key="c", name="c", id=4)])
    trip = travel(dataset, FORMAT)
    (instance,) = json.loads(trip.files["a.jpg.json"])["instances"]
    assert instance["type"] == "tag" and instance["probability"] == 50
    assert instance["attributes"][1] == {"name": "y", "groupName": "many", "multiple": True}
    assert next(iter(trip.dataset)).tags == (tag,)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the collection of real samples is not here")
def test_real_files():
    report = Report()
    dataset = lg.read(SAMPLES / "vector", report=report)
    three, four = dataset.read(report)
    assert (three.path, three.size, four.size) == ("example_image_3.jpg", (1200, 675), (680, 382))
    assert [t.label for t in three.tags] == ["tag2", "tag3"] and [t.label for t in four.tags] == ["tag1"]
    assert [a.label for a in three.annotations] == ["Personal vehicle"] * 9
    assert sorted(a.label for a in four.annotations) == ["Large vehicle"] * 4 + ["Personal vehicle"] * 10
    assert all(a.shape.kind == "polygon" for s in (three, four) for a in s.annotations)
    assert [label.name for label in dataset.labels] == ["Personal vehicle", "Large vehicle", "Human", "Plant"]
    (pixel,) = lg.read(SAMPLES / "pixel", report=report)
    assert (pixel.path, pixel.size) == ("file_example.jpg", (1440, 560))
    areas = {a.label: mask_area(decode_string(a.shape.rle)) for a in pixel.annotations}
    assert areas == {"cat2": 48392, "cat 1": 86400 + 49283 + 48480 + 83421}
    assert not report.problems()


def test_an_image_takes_no_file_of_another():
    pair = [Sample(path="1", annotations=()), Sample(path="1.jpg", annotations=(), image=BytesImage("1.jpg", png(8, 6)))]
    found = {sample.path: sample.image is not None for sample in travel(Dataset(pair), FORMAT).dataset}
    assert found == {"1": False, "1.jpg": True}
