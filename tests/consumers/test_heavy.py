"""What we write is loaded by torchvision and TensorFlow, and they see what was written.

LABELGLOT_TORCHVISION_PYTHON and LABELGLOT_TENSORFLOW_PYTHON name interpreters that have them (see README.md here).
"""

import io
import os
from pathlib import Path

import pytest
from consumers.seen import BOXES, assert_boxes, dataset, see
from labelglot.images import BytesImage
from labelglot.plugin import Dataset, Sample, Tag
from labelglot.testing.strategies import png
from PIL import Image

TORCHVISION = os.environ.get("LABELGLOT_TORCHVISION_PYTHON")
TENSORFLOW = os.environ.get("LABELGLOT_TENSORFLOW_PYTHON")
pytestmark = pytest.mark.heavy
needs_torchvision = pytest.mark.skipif(not TORCHVISION, reason="LABELGLOT_TORCHVISION_PYTHON is not set")
needs_tensorflow = pytest.mark.skipif(not TENSORFLOW, reason="LABELGLOT_TENSORFLOW_PYTHON is not set")


def torchvision(client, format, made, tmp_path, **options):
    return see(client, "torchvision", format, made, tmp_path, python=TORCHVISION, clients="heavy_clients.py", **options)


@needs_torchvision
def test_coco(tmp_path):
    seen = torchvision("coco", "coco", dataset("train", polygons=True), tmp_path)
    assert_boxes(seen["boxes"])
    assert len(seen["areas"]) == 3 and max(seen["areas"]) == 64 * 48


@needs_torchvision
def test_voc(tmp_path):
    # The loader looks for NAME.jpg whatever the document says, as the challenge has nothing else.
    stream = io.BytesIO()
    Image.new("RGB", (64, 48)).save(stream, "JPEG")
    samples = [
        s.replace(path=s.path.replace(".png", ".jpg"), image=BytesImage(s.path.replace(".png", ".jpg"), stream.getvalue())) for s in dataset("train")
    ]
    seen = torchvision("voc", "voc", Dataset(samples, dataset().labels), tmp_path)["boxes"]
    assert_boxes({name.replace(".jpg", ".png"): rows for name, rows in seen.items()})


@needs_torchvision
def test_kitti(tmp_path):
    seen = torchvision("kitti", "kitti", dataset("training"), tmp_path)["boxes"]
    spelled = {name: [[row[0].replace("_", " "), *row[1:]] for row in rows] for name, rows in seen.items()}
    assert_boxes(spelled)  # the format has no blanks in names of classes
    assert {row[0] for rows in seen.values() for row in rows} == {"cat", "big_dog"}


@needs_torchvision
def test_cityscapes(tmp_path):
    made = dataset("train", polygons=True)
    in_a_city = Dataset([s.replace(path=f"aachen/{s.path}") for s in made], made.labels)
    assert_boxes(torchvision("cityscapes", "cityscapes", in_a_city, tmp_path)["boxes"])


@needs_torchvision
@pytest.mark.parametrize("format", ["yolo-cls", "folder-classification"])
def test_folders_of_classes(format, tmp_path):
    samples = [
        Sample(path=f"{i}.png", splits=(split,), size=(64, 48), tags=(Tag(label=label),), annotations=(), image=BytesImage("a.png", png(64, 48)))
        for i, (split, label) in enumerate([("train", "cat"), ("train", "big dog"), ("test", "cat"), ("test", "big dog")])
    ]
    seen = torchvision("folders", format, Dataset(samples, ["cat", "big dog"]), tmp_path)["splits"]
    assert seen == {split: [["big dog", 64, 48], ["cat", 64, 48]] for split in ("train", "test")}


@needs_tensorflow
def test_tensorflow(tmp_path):
    made = dataset("train")
    seen = see("tensorflow", "tensorflow", "tfrecord", made, tmp_path, python=TENSORFLOW, clients="heavy_clients.py")
    assert_boxes(seen["boxes"], within=1e-3)
    assert seen["ids"] == {"cat": 7, "big dog": 90}
    assert set(seen["boxes"]) == {Path(name).name for name in BOXES}
