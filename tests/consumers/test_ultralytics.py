"""What the YOLO formats write is loaded unchanged by Ultralytics, which runs in an interpreter of its own.

``install.py --heavy`` makes that (see README.md here).
"""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import labelglot as lg
import pytest
from consumers.install import program
from consumers.seen import needs
from labelglot.images import BytesImage
from labelglot.plugin import Annotation, Dataset, Keypoints, Label, Polygon, RotatedBox, Sample, Tag
from labelglot.testing.strategies import png

PYTHON = program("LABELGLOT_ULTRALYTICS_PYTHON")
pytestmark = pytest.mark.heavy

CLIENT = Path(__file__).with_name("ultralytics_client.py")
SIZE = (64, 48)
TASKS = {"yolo": "detect", "yolo-seg": "segment", "yolo-obb": "obb", "yolo-pose": "pose", "yolo-cls": "classify"}


@pytest.fixture(autouse=True)
def judged(record_property: Any) -> None:
    needs("ultralytics", PYTHON, "heavy", record_property)


def sample(path: str, *splits: str, annotations: Any = (), **more: Any) -> Sample:
    return Sample(path=path, splits=splits, size=SIZE, image=BytesImage(path, png(*SIZE)), annotations=annotations, **more)


def load(format: str, dataset: Dataset, tmp_path: Path, **options: Any) -> dict[str, Any]:
    out, seen = tmp_path / "out", tmp_path / "seen.json"
    lg.write(dataset, out, format=format, options=options)
    command = [str(PYTHON), str(CLIENT), TASKS[format], str(out), str(seen)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-3000:]
    assert set(re.findall(r"(\d+) corrupt", said)) <= {"0"}, said
    assert "ignoring" not in said and "duplicate" not in said, said
    found: dict[str, Any] = json.loads(seen.read_text())
    return found


def images(found: dict[str, Any], split: str) -> dict[str, Any]:
    entries: dict[str, Any] = found["splits"][split]
    return entries


LABELS = (Label(key="unused", name="unused"), Label(key="a cat", name="a cat"), Label(key="no", name="no"))
BOXES = (
    Annotation(label="a cat", box=(1.0, 2.0, 33.5, 40.25)),
    Annotation(label="no", box=(0.0, 0.0, 64.0, 48.0)),
)
AWKWARD = ("plain.png", "été ü/with blank.png", "dots.in.name.v1.png", "images/inner.png", "labels/images/deep.png")


@pytest.mark.parametrize("layout", ["ultralytics", "roboflow"])
def test_boxes(tmp_path: Path, layout: str) -> None:
    samples = [sample(path, "train", annotations=BOXES) for path in AWKWARD]
    samples += [sample("empty.png", "val"), sample("plain.png", "val", annotations=BOXES[:1]), sample("t.png", "test")]
    found = load("yolo", Dataset(samples, LABELS), tmp_path, layout=layout)
    assert found["names"] == {"0": "unused", "1": "a cat", "2": "no"}
    train = images(found, "train")
    assert len(train) == len(AWKWARD)
    for entry in train.values():
        assert sorted(entry["cls"]) == [1, 2]
        by_class = dict(zip(entry["cls"], entry["boxes"], strict=True))
        assert by_class[1] == pytest.approx([17.25 / 64, 21.125 / 48, 32.5 / 64, 38.25 / 48], abs=1e-6)
        assert by_class[2] == pytest.approx([0.5, 0.5, 1, 1], abs=1e-6)
        assert entry["shape"] == [48, 64]
    assert sorted(len(entry["cls"]) for entry in images(found, "val").values()) == [0, 1]
    assert [entry["cls"] for entry in images(found, "test").values()] == [[]]


@pytest.mark.parametrize("splits", [(), ("train",), ("valid",), ("fold 1",)], ids=str)
def test_both_splits_that_the_loader_demands_are_there(tmp_path: Path, splits: tuple[str, ...]) -> None:
    found = load("yolo", Dataset([sample("a.png", *splits, annotations=BOXES)], LABELS), tmp_path)
    assert len(images(found, "train")) == len(images(found, "val")) == 1


def test_polygons(tmp_path: Path) -> None:
    triangle = (1.0, 1.0, 30.0, 2.0, 10.0, 30.0)
    parts = Polygon.of(triangle, (40.0, 10.0, 60.0, 10.0, 60.0, 40.0, 40.0, 40.0))
    objects = (Annotation(label="a cat", shape=Polygon.of(triangle)), Annotation(label="no", shape=parts), BOXES[0])
    found = load("yolo-seg", Dataset([sample("a.png", "train", annotations=objects)], LABELS), tmp_path)
    (entry,) = images(found, "train").values()
    assert entry["cls"] == [1, 2, 1]
    assert entry["boxes"][1] == pytest.approx([30.5 / 64, 20.5 / 48, 59 / 64, 39 / 48], abs=1e-6)
    assert [len(segment) for segment in entry["segments"]] == [3, 9, 4]
    split = load("yolo-seg", Dataset([sample("a.png", "train", annotations=objects)], LABELS), tmp_path / "2", parts="split")
    assert [len(segment) for segment in next(iter(images(split, "train").values()))["segments"]] == [3, 3, 4, 4]


def test_oriented_boxes(tmp_path: Path) -> None:
    corners = (20.0, 10.0, 40.0, 20.0, 35.0, 30.0, 15.0, 20.0)
    objects = (Annotation(label="no", shape=RotatedBox(corners=corners)), BOXES[0])
    found = load("yolo-obb", Dataset([sample("a.png", "train", annotations=objects)], LABELS), tmp_path)
    (entry,) = images(found, "train").values()
    assert entry["cls"] == [2, 1]
    flat = [v for point in entry["segments"][0] for v in point]
    assert flat == pytest.approx([v / SIZE[i % 2] for i, v in enumerate(corners)], abs=1e-6)


def test_keypoints(tmp_path: Path) -> None:
    labels = (
        Label(key="face", name="face", keypoints=("nose", "left", "right"), keypoint_flip=(0, 2, 1)),
        Label(key="tip", name="tip", keypoints=("tip",)),
    )
    objects = (
        Annotation(label="face", box=(0.0, 0.0, 20.0, 20.0), keypoints=Keypoints(points=(1.0, 2.0, 3.0, 4.0, 0.0, 0.0), visibility=(2, 1, 0))),
        Annotation(label="tip", box=(5.0, 5.0, 20.0, 20.0), keypoints=Keypoints(points=(9.0, 9.0))),
        Annotation(label="face", box=(8.0, 8.0, 20.0, 20.0)),
    )  # fmt: skip
    found = load("yolo-pose", Dataset([sample("a.png", "train", annotations=objects)], labels), tmp_path)
    (entry,) = images(found, "train").values()
    assert entry["cls"] == [0, 1, 0]
    rows = [[v for point in row for v in point] for row in entry["keypoints"]]
    w, h = SIZE
    assert rows[0] == pytest.approx([1 / w, 2 / h, 2, 3 / w, 4 / h, 1, 0, 0, 0], abs=1e-6)
    assert rows[1] == pytest.approx([9 / w, 9 / h, 2, 0, 0, 0, 0, 0, 0], abs=1e-6)
    assert rows[2] == [0.0] * 9


def test_classes(tmp_path: Path) -> None:
    def tagged(path: str, split: str, label: str) -> Sample:
        return sample(path, split, tags=(Tag(label=label),))

    samples = [tagged("a.png", "train", "dog"), tagged("x/b.png", "train", "a cat"), tagged("a.png", "val", "dog")]
    found = load("yolo-cls", Dataset(samples, ["dog", "a cat"]), tmp_path)
    assert found["names"] == {"0": "a cat", "1": "dog"}
    assert found["splits"] == {"train": ["a cat/x/b.png", "dog/a.png"], "val": ["dog/a.png"]}
