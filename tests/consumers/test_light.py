"""What we write is loaded by the libraries that consume it, and they see what was written.

LABELGLOT_CONSUMERS_PYTHON names an interpreter that has them (see README.md here), by default the one that runs the tests; what
is not installed there is skipped.
"""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.images import BytesImage
from labelglot.plugin import Annotation, Dataset, Label, Polygon, Sample, Tag
from labelglot.testing.strategies import png

PYTHON = os.environ.get("LABELGLOT_CONSUMERS_PYTHON", sys.executable)
CLIENT = Path(__file__).with_name("light_clients.py")
LABELS = (Label(key="unused", name="unused", id=3), Label(key="cat", name="cat", id=7), Label(key="big dog", name="big dog", id=90))
BOXES = {
    "one.png": [("cat", (1.0, 2.0, 33.0, 40.0)), ("big dog", (0.0, 0.0, 64.0, 48.0))],
    "été 2.png": [("cat", (10.5, 11.25, 20.0, 30.75))],
    "empty.png": [],
}


@cache
def installed(module):
    return subprocess.run([PYTHON, "-c", f"import {module}"], capture_output=True, check=False).returncode == 0


def dataset(*splits, polygons=False, tracks=False, whole=False, names=tuple(BOXES)):
    samples = []
    for number, name in enumerate(names, 1):
        objects = []
        for i, (label, box) in enumerate(BOXES[name]):
            box = tuple(map(float, map(round, box))) if whole else box
            x0, y0, x1, y1 = box
            shape = Polygon.of((x0, y0, x1, y0, x1, y1, x0, y1)) if polygons else None
            objects.append(Annotation(label=label, box=box, shape=shape, track=i + 1 if tracks else None))
        image = BytesImage(name, png(64, 48))
        more = {"sequence": "seq", "frame": number} if tracks else {}
        samples.append(Sample(path=name, splits=splits, size=(64, 48), annotations=tuple(objects), image=image, **more))
    return Dataset(samples, LABELS)


def see(client, module, format, made, tmp_path, **options):
    if not installed(module):
        pytest.skip(f"{module} is not installed")
    if format not in lg.registry:
        pytest.skip(f"{format} is not installed")
    out, result = tmp_path / "out", tmp_path / "seen.json"
    lg.write(made, out, format=format, options=options, verify=True)
    done = subprocess.run([PYTHON, str(CLIENT), client, str(out), str(result)], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return json.loads(result.read_text())


def assert_boxes(seen, within=1e-4, whole=False, names=tuple(BOXES), last=False):
    """All images, all objects, their classes and boxes. ``last``: only the last part of a name is kept."""
    assert {Path(name).name if last else name for name in seen} == set(names)
    for name, rows in seen.items():
        wanted = [(label, tuple(map(round, box)) if whole else box) for label, box in BOXES[Path(name).name]]
        assert sorted(row[0] for row in rows) == sorted(label for label, _ in wanted)
        for row, (label, box) in zip(sorted(rows), sorted(wanted), strict=True):
            assert row[0] == label and row[1:] == pytest.approx(box, abs=within), name


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
