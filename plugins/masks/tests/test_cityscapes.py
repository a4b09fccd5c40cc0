"""Cityscapes: polygons in JSON files, pictures of instances and classes."""

import json
from pathlib import Path

import labelglot as lg
import numpy as np
import pytest
from labelglot.detection import detect
from labelglot.engine.convert import read
from labelglot.geometry import decode_string, to_bitmap
from labelglot.images import BytesImage, encode_gray
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Polygon, Sample
from labelglot.storage import MemorySource, open_source
from labelglot.testing.strategies import png
from labelglot.testing.travel import store, travel
from labelglot_masks import Cityscapes

DATA = Path(__file__).parent / "data" / "cityscapes"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "cityscapes"
FORMAT = Cityscapes()
TREE = "gtFine/val/bonn/bonn_000000_000001_gtFine_"


def opened(files):
    report = Report()
    content = {k: v if isinstance(v, bytes) else json.dumps(v).encode() for k, v in files.items()}
    dataset = read(MemorySource(content), format=FORMAT, report=report)
    return list(dataset.read(report)), {line.code: line.count for line in report.problems()}


def document(*objects, **more):
    return {"imgHeight": 4, "imgWidth": 8, "objects": list(objects), **more}


def picture(*values):
    return encode_gray(np.array([values], dtype=np.uint16))


def columns(a):
    return np.flatnonzero(to_bitmap(decode_string(a.shape.rle), a.shape.height, a.shape.width)[0]).tolist()


def test_the_example_reads_with_exact_values():
    (sample,) = lg.read(DATA)
    assert (sample.path, sample.splits, sample.size) == ("aachen/aachen_000000_000019", ("train",), (2048, 1024))
    assert sample.annotations == (
        Annotation(label="road", shape=Polygon.of((0, 769, 290, 574, 2048, 600, 2048, 1024))),
        Annotation(
            label="car", shape=Polygon.of((900, 480, 960.5, 480, 960, 520)), attributes={"crowd": True},
            extra={"cityscapes": {"user": "anna"}},
        ),
    )  # fmt: skip


def test_the_example_is_written_as_it_was_without_loss():
    trip = travel(lg.read(DATA), FORMAT)
    assert trip.files == {str(p.relative_to(DATA)): p.read_bytes() for p in DATA.rglob("*.json")}
    assert not trip.written.losses()


def test_images_are_called_as_cityscapes_calls_them():
    image = BytesImage("a", png(8, 4))
    dataset = Dataset(
        [Sample(path="bonn/a.png", splits=s, size=(8, 4), image=image, annotations=()) for s in ((), ("val",))]
    )
    files, _ = store(dataset, FORMAT)
    assert set(files) == {
        f"{folder}/{split}/bonn/a_{end}" for split in ("default", "val")
        for folder, end in (("gtFine", "gtFine_polygons.json"), ("leftImg8bit", "leftImg8bit.png"))
    }  # fmt: skip
    samples, _ = opened({"leftImg8bit/test/bonn/b_leftImg8bit.png": png(8, 4)})
    assert [(s.path, s.splits, s.annotations) for s in samples] == [("bonn/b.png", ("test",), None)]


def test_polygons_come_before_pictures():
    files = {
        f"{TREE}polygons.json": document({"label": "sky", "polygon": [[0, 0], [1, 0], [1, 1]]}),
        f"{TREE}labelIds.png": picture(7),
    }
    files["gtCoarse/val/bonn/bonn_000000_000001_gtCoarse_polygons.json"] = document()
    (sample,), _ = opened(files)
    assert [a.label for a in sample.annotations] == ["sky"] and sample.path == "bonn/bonn_000000_000001"


def test_pictures_of_instances():
    (sample,), problems = opened({f"{TREE}instanceIds.png": picture(0, 7, 26, 26000, 26001, 1024, 40)})
    assert [(a.label, columns(a), a.attributes) for a in sample.annotations] == [
        ("road", [1], {}), ("car", [2], {"crowd": True}), ("car", [3], {}), ("car", [4], {}), ("ego vehicle", [5], {}),
        ("class_40", [6], {}),
    ]  # fmt: skip
    assert problems == {"cityscapes.value": 2} and sample.size == (7, 1)


def test_pictures_of_classes():
    (sample,), _ = opened({f"{TREE}labelIds.png": picture(0, 26, 33)})
    assert [(a.label, a.attributes) for a in sample.annotations] == [("car", {}), ("bicycle", {})]
    (sample,), problems = opened({f"{TREE}labelTrainIds.png": picture(0, 13, 255, 19)})
    assert [a.label for a in sample.annotations] == ["road", "car", "class_19"] and problems == {"cityscapes.value": 1}


def test_odd_objects():
    ring = [[0, 0], [1, 0], [1, 1]]
    objects = [
        {"label": "polegroup", "polygon": ring}, {"label": "cat", "polygon": ring, "deleted": 1}, {"label": "cat"},
        {"label": "cat", "polygon": []}, {"label": "cat", "polygon": [[0, 1e999]]}, {"label": "group", "polygon": ring},
    ]  # fmt: skip
    (sample,), problems = opened({"x_polygons.json": document(*objects, comment="hi")})
    assert (sample.path, [a.label for a in sample.annotations]) == ("x", ["polegroup", "group"])
    assert problems == {"cityscapes.deleted": 1, "cityscapes.object": 1, "cityscapes.polygon": 2}
    assert sample.extra == {"cityscapes": {"comment": "hi"}}


def test_parts_and_holes():
    shape = Polygon(parts=(((0, 0, 9, 0, 9, 9), (1, 1, 2, 1, 2, 2)), ((20, 0, 29, 0, 29, 9),)))
    dataset = Dataset([Sample(path="a", size=(40, 40), annotations=(Annotation(label="c", shape=shape),))], ["c"])
    trip = travel(dataset, FORMAT)
    (sample,) = trip.dataset
    assert [a.shape.parts[0][0] for a in sample.annotations] == [(0, 0, 9, 0, 9, 9), (20, 0, 29, 0, 29, 9)]
    assert "shape.parts" in {line.code for line in trip.written.losses()}


def test_detection():
    assert detect(open_source(DATA), lg.registry).id == "cityscapes"
    assert FORMAT.detect(MemorySource({"a.json": json.dumps(document()).encode()})).confidence == 0.8
    assert FORMAT.detect(MemorySource({"a.json": b'{"shapes": [], "imageHeight": 1}'})) is None


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
def test_the_shared_samples():
    samples = {s.path: s for s in lg.read(SAMPLES / "dataset", format="cityscapes")}
    assert sorted(s.splits[0] for s in samples.values()) == ["test", "test", "train", "val"]
    assert {s.size for s in samples.values()} == {(5, 1)}
    one = samples["defaultcity/defaultcity_000001_000031.png"]
    assert [(a.label, columns(a)) for a in one.annotations] == [("out of roi", [0, 1]), ("truck", [2, 3, 4])]
    samples = {s.path[-10:-4]: s for s in lg.read(SAMPLES / "train_dataset", format="cityscapes")}
    assert [(a.label, a.attributes) for a in samples["000031"].annotations] == [
        ("out of roi", {}),
        ("truck", {}),
        ("truck", {}),
    ]
