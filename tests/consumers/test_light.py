"""What we write is loaded by the libraries that consume it, and they see what was written.

``install.py`` makes their environment (see README.md here); what is not installed there is skipped.
"""

import pytest
from consumers.seen import BOXES, assert_boxes, dataset
from labelglot.images import BytesImage
from labelglot.plugin import Dataset, Sample, Tag
from labelglot.testing.strategies import png


@pytest.mark.parametrize(("client", "module"), [("pycocotools", "pycocotools"), ("faster_coco_eval", "faster_coco_eval")])
def test_coco(client, module, see):
    seen = see(client, module, "coco", dataset("val", polygons=True))
    assert_boxes(seen["boxes"])
    assert len(seen["areas"]) == 3 and max(seen["areas"]) == 64 * 48


def test_lvis(see):
    names = ("one.png", "été 2.png")
    seen = see("lvis", "lvis", "lvis", dataset("val", polygons=True, names=names))
    assert_boxes(seen["boxes"], names=names, last=True)


def test_tfrecord(see):
    assert_boxes(see("tfrecord", "tfrecord", "tfrecord", dataset("train"))["boxes"], within=1e-3)


def test_supervision_yolo(see):
    assert_boxes(see("supervision_yolo", "supervision", "yolo", dataset("train"))["boxes"], within=1e-3)


def test_supervision_coco(see):
    assert_boxes(see("supervision_coco", "supervision", "coco", dataset("train"))["boxes"], within=1e-3)


def test_supervision_voc(see):
    # supervision takes 1 off the lower corners, because the challenge counts from 1, but not off the upper ones; whole numbers only.
    seen = see("supervision_voc", "supervision", "voc", dataset(whole=True), origin="1-based", integers=True)["boxes"]
    assert_boxes(seen, whole=True)


def test_supervision_createml(see):
    assert_boxes(see("supervision_createml", "supervision", "createml", dataset())["boxes"], within=1e-3)


def test_supervision_labelme(see):
    assert_boxes(see("supervision_labelme", "supervision", "labelme", dataset())["boxes"], within=1e-3)


def test_datasets(see):
    samples = [
        Sample(path=f"{i}.png", splits=(split,), size=(64, 48), tags=(Tag(label=label),), annotations=(), image=BytesImage("a.png", png(64, 48)))
        for i, (split, label) in enumerate([("train", "cat"), ("train", "big dog"), ("test", "cat"), ("test", "big dog")])
    ]
    seen = see("datasets", "datasets", "yolo-cls", Dataset(samples, ["cat", "big dog"]))["splits"]
    assert {split: rows for split, rows in seen.items() if rows} == {
        split: [["big dog", 64, 48], ["cat", 64, 48]] for split in ("train", "test")
    }


def test_motmetrics(see):
    # The loader takes 1 off the corner: the challenge counts from 1.
    seen = see("motmetrics", "motmetrics", "mot", dataset(tracks=True), origin="1-based")["rows"]
    assert seen == sorted(
        [frame, track, x0, y0, x1 - x0, y1 - y0]
        for frame, rows in enumerate(BOXES.values(), 1)
        for track, (_, (x0, y0, x1, y1)) in enumerate(rows, 1)
    )


def test_darwin(see):
    assert_boxes(see("darwin", "darwin", "v7-darwin", dataset())["boxes"])


@pytest.mark.parametrize(("format", "options"), [("coco", {}), ("yolo", {}), ("voc", {"layout": "flat"}), ("createml", {})])
def test_roboflow_pairs_every_image(format, options, see):
    assert set(see("roboflow", "roboflow", format, dataset("train"), **options)["paired"]) >= {"one.png", "été 2.png"}


def test_cityscapesscripts(see):
    seen = see("cityscapesscripts", "cityscapesscripts", "cityscapes", dataset("train", polygons=True))
    assert_boxes(seen["boxes"])
    assert seen["sizes"] == [[64, 48]] * 3


def test_vcd_validates_against_the_schema(see):
    seen = see("vcd", "vcd", "openlabel", dataset())
    assert_boxes(seen["boxes"])


def test_webdataset(see):
    seen = see("webdataset", "webdataset", "webdataset", dataset("train"))
    assert_boxes(seen["boxes"])
    assert seen["images"] == 3
