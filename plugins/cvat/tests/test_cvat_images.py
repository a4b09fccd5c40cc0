"""CVAT for images: every shape, classes and attributes, subsets, and files of other tools and times."""

import math
from pathlib import Path

import labelglot as lg
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelglot.engine.convert import read
from labelglot.geometry import decode_string, mask_area, mask_bounds, to_bitmap
from labelglot.projection.project import project_dataset
from labelglot.report import Report
from labelglot.schema import Annotation, Cuboid, Dataset, Ellipse, Points, Polygon, Polyline, RotatedBox, Sample
from labelglot.storage import MemorySource
from labelglot.testing.strategies import datasets, png
from labelglot.testing.travel import load, store, travel
from labelglot.wire.xml import parse
from labelglot_cvat import CvatImages, images

DATA = Path(__file__).parent / "data" / "cvat-images"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "cvat-images"
FORMAT = CvatImages()


def document(*shapes, head='<image id="0" name="a.jpg" width="64" height="48">', meta="", labels=("car",)):
    classes = "".join(f"<label><name>{name}</name><attributes></attributes></label>" for name in labels)
    about = meta or f"<meta><task><name>t</name><mode>annotation</mode><labels>{classes}</labels></task></meta>"
    text = f"<annotations><version>1.1</version>{about}{head}{''.join(shapes)}</image></annotations>"
    return {"annotations.xml": text.encode()}


def box(**more):
    values = {"label": "car", "occluded": "0", "xtl": "1", "ytl": "2", "xbr": "3", "ybr": "4", **more}
    return "<box " + " ".join(f'{name}="{value}"' for name, value in values.items()) + "/>"


def opened(files, **options):
    report = Report()
    dataset = read(MemorySource(files), format=FORMAT, options=options, report=report)
    return list(dataset.read(report)), report


def codes(report):
    return {line.code: line.count for line in report.problems()}


def files_of(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def elements(data, path):
    return [{**e.attrib, "": [(c.get("name"), c.text) for c in e.iter("attribute")]} for e in parse(data, "x").iterfind(path)]


def test_the_example_reads_with_exact_values():
    report = Report()
    dataset = lg.read(DATA, report=report)
    a, b = dataset.read(report)
    assert codes(report) == {"cvat-images.label": 1}  # lane is not declared
    assert (a.path, a.id, a.splits, a.size, a.image is not None) == ("a.png", 0, ("train",), (8, 4), True)
    assert (b.path, b.id, b.splits, b.annotations) == ("dir/b.png", 0, ("val",), ())
    assert a.extra == {"cvat": {"task_id": "9"}}
    plain, turned, none, polygon, line, points, ellipse, cuboid, mask, hand = a.annotations
    assert (plain.box, plain.group, plain.extra) == ((1, 1, 5.5, 3.25), 4, {"cvat": {"z_order": 2}})
    assert plain.attributes == {"parked": "true", "plate": "0001"}
    assert isinstance(turned.shape, RotatedBox) and turned.shape.corners == pytest.approx((40, 10, 40, 50, 20, 50, 20, 10))
    assert turned.attributes == {"occluded": True} and turned.extra == {"cvat": {"source": "auto"}}
    assert (none.label, none.box) == (None, (1, 1, 2, 2))
    assert polygon.shape == Polygon.of((1, 1, 9, 1, 5, 8)) and line.shape == Polyline(points=(1, 1, 9, 1))
    assert points.shape == Points(points=(1.5, 1.25, 2, 2))
    assert ellipse.shape == Ellipse(cx=4, cy=2, rx=2, ry=1, angle=math.radians(30))
    assert cuboid.shape == Cuboid(corners=(0, 1, 4, 5, 6, 7, 2, 3, 8, 9, 12, 13, 14, 15, 10, 11))
    assert np.argwhere(to_bitmap(decode_string(mask.shape.rle), 4, 8)).tolist() == [[1, 6], [1, 7]]
    assert hand.keypoints.points == (3, 2, 0, 0) and hand.keypoints.visibility == (1, 0)
    assert [(t.label, t.attributes) for t in a.tags] == [("car", {"colour": "blue"})]
    labels = {label.name: label for label in dataset.labels}
    assert list(labels) == ["car", "hand", "unused", "lane"] and dataset.info.name == "street"
    assert labels["car"].color == "#ff0000" and labels["hand"].skeleton == ((0, 1),)
    assert [(s.name, s.kind, s.values, s.default, s.mutable) for s in labels["car"].attributes] == [
        ("parked", "boolean", ("false",), False, False), ("plate", "text", (), None, True),
        ("colour", "choice", ("red", "blue"), "red", False),
    ]  # fmt: skip


def test_typed_values_on_demand():
    a, _ = lg.read(DATA, format="cvat-images", options={"typed": True})
    assert a.annotations[0].attributes == {"parked": True, "plate": "0001"}


def test_the_example_is_written_as_it_was():
    files = files_of(DATA)
    written = travel(load(files, FORMAT)[0], FORMAT).files
    before, after = (parse(f["annotations.xml"], "x") for f in (files, written))
    tags = [[e.tag for e in root.iter("image", "box", "polygon", "mask", "tag", "skeleton", "cuboid")] for root in (before, after)]
    assert tags[0] == tags[1]
    for one, two in zip(before.iterfind("image/box"), after.iterfind("image/box"), strict=True):
        numbers = [{k: float(v) for k, v in e.attrib.items() if k in ("xtl", "ytl", "xbr", "ybr")} for e in (one, two)]
        assert numbers[0] == numbers[1]
        assert [(c.get("name"), c.text) for c in one] == [(c.get("name"), c.text) for c in two]
    for path in ("meta/project/id", "meta/dumped", "meta/project/subsets"):
        assert before.findtext(path) == after.findtext(path)
    assert after.findtext("meta/project/labels/label/svg") == before.findtext("meta/project/labels/label/svg")
    assert "images/train/a.png" in written


def test_a_mask_is_written_row_by_row_in_its_window():
    a, _ = lg.read(DATA)
    dataset = Dataset([a.replace(annotations=(a.annotations[8],), tags=())], ["car"])
    (mask,) = elements(store(dataset, FORMAT)[0]["annotations.xml"], "image/mask")
    assert {k: mask[k] for k in ("rle", "left", "top", "width", "height")} == {
        "rle": "0, 2", "left": "6", "top": "1", "width": "2", "height": "1",
    }  # fmt: skip


def test_numbers_are_written_so_that_they_return():
    objects = (Annotation(label="c", box=(0.1, 1 / 3, 2.0, 3.75)),)
    trip = travel(Dataset([Sample(path="a.jpg", size=(8, 4), annotations=objects)], ["c"]), FORMAT)
    assert next(iter(trip.dataset)).annotations == objects and b'xtl="0.1" ytl="0.3333333333333333"' in trip.files["annotations.xml"]


def test_objects_can_be_sorted_by_depth():
    files = document(box(z_order="5"), box(z_order="1", xtl="0"))
    assert [a.box[0] for a in opened(files)[0][0].annotations] == [1, 0]
    assert [a.box[0] for a in opened(files, sort=True)[0][0].annotations] == [0, 1]


def test_classes_without_declaration_and_without_meta():
    (sample,), report = opened(document(box(), box(label="van"), meta="<meta></meta>"))
    assert [a.label for a in sample.annotations] == ["car", "van"] and codes(report)["cvat-images.label"] == 2
    files = {"annotations.xml": f'<annotations><version>1.1</version><image id="0" name="a.jpg">{box()}</image></annotations>'.encode()}
    (sample,), report = opened(files)
    assert sample.annotations[0].label == "car" and "cvat-images.meta" in codes(report)


def test_a_missing_size_comes_from_the_image():
    files = document(box(), head='<image id="0" name="a.jpg">')
    assert opened(files)[0][0].size is None
    assert opened({**files, "images/a.jpg": png(9, 7)})[0][0].size == (9, 7)


def test_blanks_in_runs_and_full_frame_masks():
    for runs in ("0, 3072", "0,3072"):
        (sample,), report = opened(document(f'<mask label="car" rle="{runs}" left="0" top="0" width="64" height="48"/>'))
        assert mask_area(decode_string(sample.annotations[0].shape.rle)) == 3072 and not report.problems()


@pytest.mark.parametrize(
    ("shape", "code"),
    [
        ('<mask label="car" rle="1, 2" left="0" top="0" width="2" height="2"/>', "rle"),
        ('<mask label="car" rle="x" left="0" top="0" width="2" height="2"/>', "rle"),
        ('<polygon label="car" points="1,2;3"/>', "points"),
        ('<polygon label="car" points="1,nan;3,4"/>', "number"),
        (box(xtl="wide"), "number"),
        ('<star label="car"/>', "shape"),
        ('<skeleton label="car"><points label="a" points="1,2;3,4"/></skeleton>', "points"),
    ],
)
def test_what_cannot_be_read_is_skipped_and_said(shape, code):
    (sample,), report = opened(document(shape, box()))
    assert len(sample.annotations) == 1 and report.skipped == 1 and f"cvat-images.{code}" in codes(report)


def test_what_is_odd_is_kept_and_said():
    (sample,), report = opened(document('<polygon label="car" points="1,2;3,4"/>', box(group_id="x"), box(occluded="maybe")))
    assert sample.annotations[0].shape == Polygon.of((1, 2, 3, 4))
    assert codes(report) == {"cvat-images.points": 1, "cvat-images.group": 1, "cvat-images.occluded": 1}


def test_the_same_image_twice_stays_two():
    text = document(box())["annotations.xml"].replace(b"</annotations>", b'<image id="1" name="a.jpg"></image></annotations>')
    samples, report = opened({"annotations.xml": text})
    assert [s.path for s in samples] == ["a.jpg", "2/a.jpg"] and codes(report) == {"cvat-images.duplicate": 1}


def test_an_unfinished_document_is_read_as_far_as_it_goes():
    text = document(box())["annotations.xml"].replace(b"</annotations>", b'<image id="1" name="b.jpg"><box lab')
    samples, report = opened({"annotations.xml": text})
    assert samples[0].path == "a.jpg" and len(samples[0].annotations) == 1 and report.problems()


def test_corners_that_are_no_turned_rectangle():
    quad = RotatedBox(corners=(0, 0, 5, 1, 4, 4, 0, 3))
    dataset = Dataset([Sample(path="a.jpg", size=(8, 4), annotations=(Annotation(label="c", shape=quad),))], ["c"])
    trip = travel(dataset, FORMAT)
    assert codes(trip.written) == {"cvat-images.corners": 1}
    assert next(iter(trip.dataset)).annotations[0].shape == Polygon.of(quad.corners)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the collection of real samples is not here")
def test_real_files():
    report = Report()
    (sample,) = lg.read(SAMPLES / "docs_example.xml", report=report).read(report)
    assert (sample.path, sample.size) == ("filename000.jpg", (1600, 1200))
    shapes = [(a.label, a.shape.kind if a.shape else "keypoints" if a.keypoints else "box") for a in sample.annotations]
    assert sorted(shapes) == [
        ("car", "mask"), ("car", "polygon"), ("plate", "box"), ("s1", "keypoints"), ("traffic_line", "polyline"),
        ("traffic_line", "polyline"), ("wheel", "points"),
    ]  # fmt: skip
    by_kind = {kind: a for (_, kind), a in zip(shapes, sample.annotations, strict=True)}
    assert len(by_kind["polygon"].shape.parts[0][0]) == 2 * 69 and len(by_kind["points"].shape.points) == 8
    assert len(by_kind["keypoints"].keypoints) == 3 and [t.label for t in sample.tags] == ["good_frame"]
    counts = decode_string(by_kind["mask"].shape.rle)
    assert mask_area(counts) == 149 and mask_bounds(counts, 1200) == (707, 888, 720, 903)
    assert codes(report) == {"cvat-images.label": 1}
    labels = [label.name for label in lg.read(SAMPLES / "docs_example.xml").labels]
    assert sorted(labels) == ["car", "good_frame", "plate", "s1", "traffic_line", "wheel"]

    project = list(lg.read(SAMPLES / "export_project"))
    assert sorted((s.split, s.path, s.size) for s in project) == [
        (split, f"img{i}.jpg", ((8, 8), (10, 10))[i]) for split in ("Test", "Train", "Validation") for i in (0, 1)
    ]  # fmt: skip
    assert all(s.image is not None for s in project)
    objects = [a for s in project if s.split == "Train" for a in s.annotations]
    assert sorted(a.shape.kind if a.shape else "box" for a in objects) == ["box", "points", "polygon", "polyline"]
    first = next(a for a in objects if a.box)
    assert first.box == (0, 2, 4, 4) and first.attributes == {"occluded": True, "a1": "true", "a2": "v3", "a3": "0003", "a4": "2.4"}
    assert first.extra == {"cvat": {"z_order": 1}}

    task = list(lg.read(SAMPLES / "export_task"))
    assert len(task) == 2 and {s.split for s in task} == {"train"}
    unlabelled = [a.shape.kind for s in task for a in s.annotations if a.label is None]
    assert sorted(unlabelled) == ["polygon", "polyline"] and sum(len(s.annotations) for s in task) == 4


@settings(max_examples=200)
@given(datasets(FORMAT.holds), st.booleans())
def test_objects_written_together_are_as_each_alone(dataset, boxes):
    """Plain objects take a quicker way; nobody can tell."""
    holds = FORMAT.holds.replace(geometry=(frozenset({"box" if boxes else "polygon"}),), attributes=frozenset(), flags={}, group="none", extra=frozenset())
    plain = project_dataset(dataset, holds).dataset
    together = store(plain, FORMAT)[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(images, "_write_plain", lambda annotations, names: None)
        assert store(plain, FORMAT)[0] == together
