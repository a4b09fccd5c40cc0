"""What we write is loaded by torchvision and TensorFlow, and they see what was written.

``install.py --heavy`` makes their environments (see README.md here).
"""

import io
from pathlib import Path

import pytest
from consumers.install import program
from consumers.seen import BOXES, assert_boxes, dataset
from labelglot.images import BytesImage
from labelglot.plugin import Dataset, Sample, Tag
from labelglot.testing.strategies import png
from PIL import Image

pytestmark = pytest.mark.heavy


@pytest.fixture
def torchvision(see):
    python = program("LABELGLOT_TORCHVISION_PYTHON")
    return lambda client, format, made, **options: see(client, "torchvision", format, made, python=python, clients="heavy_clients.py", group="heavy", **options)


def test_coco(torchvision):
    seen = torchvision("coco", "coco", dataset("train", polygons=True))
    assert_boxes(seen["boxes"])
    assert len(seen["areas"]) == 3 and max(seen["areas"]) == 64 * 48


def test_voc(torchvision):
    # The loader looks for NAME.jpg whatever the document says, as the challenge has nothing else.
    stream = io.BytesIO()
    Image.new("RGB", (64, 48)).save(stream, "JPEG")
    samples = [
        s.replace(path=s.path.replace(".png", ".jpg"), image=BytesImage(s.path.replace(".png", ".jpg"), stream.getvalue())) for s in dataset("train")
    ]
    seen = torchvision("voc", "voc", Dataset(samples, dataset().labels))["boxes"]
    assert_boxes({name.replace(".jpg", ".png"): rows for name, rows in seen.items()})


def test_kitti(torchvision):
    seen = torchvision("kitti", "kitti", dataset("training"))["boxes"]
    spelled = {name: [[row[0].replace("_", " "), *row[1:]] for row in rows] for name, rows in seen.items()}
    assert_boxes(spelled)  # the format has no blanks in names of classes
    assert {row[0] for rows in seen.values() for row in rows} == {"cat", "big_dog"}


def test_cityscapes(torchvision):
    made = dataset("train", polygons=True)
    in_a_city = Dataset([s.replace(path=f"aachen/{s.path}") for s in made], made.labels)
    assert_boxes(torchvision("cityscapes", "cityscapes", in_a_city)["boxes"])


@pytest.mark.parametrize("format", ["yolo-cls", "folder-classification"])
def test_folders_of_classes(format, torchvision):
    samples = [
        Sample(path=f"{i}.png", splits=(split,), size=(64, 48), tags=(Tag(label=label),), annotations=(), image=BytesImage("a.png", png(64, 48)))
        for i, (split, label) in enumerate([("train", "cat"), ("train", "big dog"), ("test", "cat"), ("test", "big dog")])
    ]
    seen = torchvision("folders", format, Dataset(samples, ["cat", "big dog"]))["splits"]
    assert seen == {split: [["big dog", 64, 48], ["cat", 64, 48]] for split in ("train", "test")}


def test_tensorflow(see):
    made = dataset("train")
    seen = see("tensorflow", "tensorflow", "tfrecord", made, python=program("LABELGLOT_TENSORFLOW_PYTHON"), clients="heavy_clients.py", group="heavy")
    assert_boxes(seen["boxes"], within=1e-3)
    assert seen["ids"] == {"cat": 7, "big dog": 90}
    assert set(seen["boxes"]) == {Path(name).name for name in BOXES}
