"""What we write is loaded by the libraries that consume it, and they see what was written.

LABELGLOT_CONSUMERS_PYTHON names an interpreter that has them (see README.md here), by default the one that runs the tests; what
is not installed there is skipped.
"""

import pytest
from consumers.seen import BOXES, assert_boxes, dataset, see
from labelglot.images import BytesImage
from labelglot.plugin import Dataset, Sample, Tag
from labelglot.testing.strategies import png


@pytest.mark.parametrize(("client", "module"), [("pycocotools", "pycocotools"), ("faster_coco_eval", "faster_coco_eval")])
def test_coco(client, module, tmp_path):
    seen = see(client, module, "coco", dataset("val", polygons=True), tmp_path)
    assert_boxes(seen["boxes"])
    assert len(seen["areas"]) == 3 and max(seen["areas"]) == 64 * 48


def test_lvis(tmp_path):
    names = ("one.png", "été 2.png")
    seen = see("lvis", "lvis", "lvis", dataset("val", polygons=True, names=names), tmp_path)
    assert_boxes(seen["boxes"], names=names, last=True)


def test_tfrecord(tmp_path):
    assert_boxes(see("tfrecord", "tfrecord", "tfrecord", dataset("train"), tmp_path)["boxes"], within=1e-3)


def test_supervision_yolo(tmp_path):
    assert_boxes(see("supervision_yolo", "supervision", "yolo", dataset("train"), tmp_path)["boxes"], within=1e-3)


def test_supervision_coco(tmp_path):
    assert_boxes(see("supervision_coco", "supervision", "coco", dataset("train"), tmp_path)["boxes"], within=1e-3)


def test_supervision_voc(tmp_path):
    # supervision takes 1 off the lower corners, because the challenge counts from 1, but not off the upper ones; whole numbers only.
    made = dataset(whole=True)
    seen = see("supervision_voc", "supervision", "voc", made, tmp_path, origin="1-based", integers=True)["boxes"]
    assert set(seen) == set(BOXES)
    for name, rows in seen.items():
        assert sorted(row[0] for row in rows) == sorted(label for label, _ in BOXES[name])
        for row, (_, box) in zip(sorted(rows), sorted(BOXES[name]), strict=True):
            assert row[1:] == pytest.approx(tuple(map(round, box)), abs=1)


def test_supervision_createml(tmp_path):
    assert_boxes(see("supervision_createml", "supervision", "createml", dataset(), tmp_path)["boxes"], within=1e-3)


def test_supervision_labelme(tmp_path):
    assert_boxes(see("supervision_labelme", "supervision", "labelme", dataset(), tmp_path)["boxes"], within=1e-3)


def test_datasets(tmp_path):
    samples = [
        Sample(path=f"{i}.png", splits=(split,), size=(64, 48), tags=(Tag(label=label),), annotations=(), image=BytesImage("a.png", png(64, 48)))
        for i, (split, label) in enumerate([("train", "cat"), ("train", "big dog"), ("test", "cat"), ("test", "big dog")])
    ]
    seen = see("datasets", "datasets", "yolo-cls", Dataset(samples, ["cat", "big dog"]), tmp_path)["splits"]
    assert {split: rows for split, rows in seen.items() if rows} == {
        split: [["big dog", 64, 48], ["cat", 64, 48]] for split in ("train", "test")
    }


def test_motmetrics(tmp_path):
    seen = see("motmetrics", "motmetrics", "mot", dataset(tracks=True), tmp_path)["rows"]
    wanted = sorted(
        [frame, track, x0, y0, x1 - x0, y1 - y0]
        for frame, rows in enumerate(BOXES.values(), 1)
        for track, (_, (x0, y0, x1, y1)) in enumerate(rows, 1)
    )
    assert len(seen) == len(wanted)
    for row, expected in zip(seen, wanted, strict=True):
        assert row == pytest.approx(expected, abs=1.001)  # the loader takes 1 off the corner, MOT counts from 1


def test_darwin(tmp_path):
    assert_boxes(see("darwin", "darwin", "v7-darwin", dataset(), tmp_path)["boxes"])


@pytest.mark.parametrize(("format", "options"), [("coco", {}), ("yolo", {}), ("voc", {"layout": "flat"}), ("createml", {})])
def test_roboflow_pairs_every_image(format, options, tmp_path):
    assert set(see("roboflow", "roboflow", format, dataset("train"), tmp_path, **options)["paired"]) >= {"one.png", "été 2.png"}


def test_cityscapesscripts(tmp_path):
    seen = see("cityscapesscripts", "cityscapesscripts", "cityscapes", dataset("train", polygons=True), tmp_path)
    assert_boxes(seen["boxes"])
    assert seen["sizes"] == [[64, 48]] * 3


def test_vcd_validates_against_the_schema(tmp_path):
    seen = see("vcd", "vcd", "openlabel", dataset(), tmp_path)
    assert_boxes(seen["boxes"])


def test_webdataset(tmp_path):
    seen = see("webdataset", "webdataset", "webdataset", dataset("train"), tmp_path)
    assert_boxes(seen["boxes"])
    assert seen["images"] == 3
