"""What the formats of Hugging Face write is loaded unchanged by ``datasets``, and what that writes is read.

It belongs to the light consumers: see README.md here.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import labelglot as lg
import pytest
from consumers.seen import PYTHON, needs
from labelglot.images import BytesImage
from labelglot.plugin import Annotation, Dataset, Sample, Tag
from labelglot.testing.strategies import png

CLIENT = Path(__file__).with_name("datasets_client.py")
SIZE = (64, 48)


@pytest.fixture(autouse=True)
def judged(record_property: Any) -> None:
    needs("datasets", PYTHON, "light", record_property)


def client(*args: str) -> None:
    done = subprocess.run([PYTHON, str(CLIENT), *args], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]


def sample(path: str, split: str, *annotations: Annotation, tags: tuple[Tag, ...] = ()) -> Sample:
    image = BytesImage(path, png(*SIZE))
    return Sample(path=path, splits=(split,), size=SIZE, image=image, annotations=annotations, tags=tags)


def load(format: str, dataset: Dataset, tmp_path: Path) -> dict[str, Any]:
    lg.write(dataset, tmp_path / "out", format=format)
    client("load", format, str(tmp_path / "out"), str(tmp_path / "seen.json"))
    found: dict[str, Any] = json.loads((tmp_path / "seen.json").read_text())
    return found


DETECTION = Dataset(
    [
        sample("a.png", "train"),
        sample("b.png", "train", Annotation(label="cat", box=(1, 2, 3.5, 4.25))),
        sample("dir/c.png", "val", Annotation(label="dog", box=(1, 2, 9, 9))),
    ],
    ["bird", "cat", "dog"],
)
CLASSES = Dataset(
    [sample("a.png", "train", tags=(Tag(label="cat"), Tag(text="x"))), sample("b.png", "train", tags=(Tag(label="bird"), Tag(text="y")))],
    ["bird", "cat"],
)


@pytest.mark.parametrize("format", ["hf-imagefolder", "hf-parquet"])
def test_boxes(format: str, tmp_path: Path) -> None:
    found = load(format, DETECTION, tmp_path)
    train, val = found["train"], found.get("val") or found["validation"]
    assert [row["image"] for row in train["rows"]] == [[64, 48]] * 2
    assert [row["objects"] for row in (*train["rows"], *val["rows"])] == [
        {"bbox": [], "area": [], "category": []},
        {"bbox": [[1, 2, 2.5, 2.25]], "area": [5.625], "category": [1]},
        {"bbox": [[1, 2, 8, 7]], "area": [56], "category": [2]},
    ]
    if format == "hf-parquet":
        assert train["names"] == {"objects": ["bird", "cat", "dog"]}


@pytest.mark.parametrize("format", ["hf-imagefolder", "hf-parquet", "webdataset", "folder-classification"])
def test_classes(format: str, tmp_path: Path) -> None:
    train = load(format, CLASSES, tmp_path)["train"]
    column = "cls" if format == "webdataset" else "label"
    found = sorted((row[column], row.get("text", row.get("txt"))) for row in train["rows"])
    assert found == ([(0, None), (1, None)] if format == "folder-classification" else [(0, "y"), (1, "x")])
    if format in ("hf-parquet", "folder-classification"):
        assert train["names"] == {"label": ["bird", "cat"]}


@pytest.mark.parametrize("kind", ["lists", "structs"])
def test_what_it_writes_is_read(kind: str, tmp_path: Path) -> None:
    client("make", str(tmp_path))
    dataset = lg.read(tmp_path / kind)
    one, two = dataset
    assert one.annotations == (
        Annotation(label="dog", box=(2, 1, 5, 3), id=5), Annotation(label="cat", box=(0.5, 0, 1.5, 1), id=6),
    )
    assert (one.id, one.size, one.splits, two.annotations) == (7, (6, 4), ("train",), ())
    assert [(label.name, label.id) for label in dataset.labels] == [("cat", 0), ("dog", 1)]
