"""Class folders of Ultralytics."""

from pathlib import Path
from typing import Any

import pytest
from labelglot.formats.registry import default_registry
from labelglot.images import BytesImage
from labelglot.plugin import Dataset, Sample, Tag
from labelglot.storage import MemorySource
from labelglot.testing.strategies import png
from labelglot.testing.travel import store, travel
from labelglot_yolo import YoloCls


def tags(found: Any) -> dict[str, list[str]]:
    return {s.key: [tag.label for tag in s.tags] for s in found.samples}


def test_the_example(load: Any, example: Any) -> None:
    """The class folder stays in the path: two classes may have a file of one name."""
    found = load("yolo-cls", example("yolo-cls"))
    assert tags(found) == {
        "train:cat/a.png": ["cat"], "train:cat/more/b.png": ["cat"], "train:dog/a.png": ["dog"], "valid:cat/a.png": ["cat"],
        "valid:no_label/c.png": [],
    }  # fmt: skip
    assert found.names == ["cat", "dog"]
    assert {s.size for s in found.samples} == {(64, 48)}
    files, report = store(found.dataset, YoloCls())
    assert sorted(files) == sorted(s.key.replace(":", "/") for s in found.samples)
    assert report.losses() == ()


def test_samples_of_cvat(load: Any, real: Any) -> None:
    found = load("yolo-cls", real("yolo-cls/cvat"))
    assert tags(found) == {"train:label_0/1.jpg": ["label_0"], "train:label_0/2.jpg": ["label_0"], "train:label_1/3.jpg": ["label_1"]}
    assert (found.names, {s.size for s in found.samples}) == (["label_0", "label_1"], {(15, 10)})


def test_an_empty_folder_is_a_class(load: Any, tmp_path: Path) -> None:
    for folder in ("train/zebra", "train/cat", "train/.hidden", "val/ant", "__MACOSX/x"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "train/cat/a.png").write_bytes(png(2, 2))
    (tmp_path / "train/cat/Thumbs.db").write_bytes(b"x")
    found = load("yolo-cls", tmp_path)
    assert (found.names, tags(found), found.codes) == (["ant", "cat", "zebra"], {"train:cat/a.png": ["cat"]}, {})


def test_no_split_folders(load: Any) -> None:
    found = load("yolo-cls", {"cat/a.png": "", "train/b.png": "", "c.png": ""})
    assert tags(found) == {"cat/a.png": ["cat"], "train/b.png": ["train"], "c.png": []}
    assert found.codes == {"yolo-cls.unfiled": 1}


def test_folders_of_other_datasets_are_no_classes(load: Any) -> None:
    found = load("yolo-cls", {"train/cat/a.png": "", "train/images/b.png": "", "spare/x/c.png": ""})
    assert tags(found) == {"train:cat/a.png": ["cat"]}
    assert found.codes == {"yolo-cls.folder": 2}


def test_names_that_ultralytics_keeps_beside(load: Any) -> None:
    found = load("yolo-cls", {"train/b/x.png": "", "train/a/y.png": "", ".ndjson.yaml": "names: {0: b, 1: no}\n"})
    assert found.names == ["b", "no", "a"]


MANIFEST = """{"a": {"labels": ["dog", "cat"], "path": "dog/a.png"}, "sub/b": {"labels": [], "path": "no_label/sub/b.png"},
"bad": {"labels": "x", "path": 1}, "c": {"labels": ["cat"], "path": "cat/c.0.png"}}"""


def test_the_list_of_cvat(load: Any) -> None:
    """Copies of an image in the folder of each of its classes are one image."""
    files = {f"train/{p}": "" for p in ("dog/a.png", "cat/a.png", "no_label/sub/b.png", "cat/d.png")}
    found = load("yolo-cls", {**files, "train/labels.json": MANIFEST})
    assert tags(found) == {"train:a.png": ["dog", "cat"], "train:sub/b.png": [], "train:c.png": ["cat"], "train:cat/d.png": ["cat"]}
    assert found.by_key["train:c.png"].image is None
    assert found.codes == {"yolo-cls.item": 1, "yolo-cls.missing": 1}
    assert found.example("yolo-cls.item")["place"] == "train/labels.json#bad"
    broken = load("yolo-cls", {**files, "train/labels.json": "{"})
    assert (len(broken.samples), broken.codes) == (4, {"yolo-cls.manifest": 1})


def sample(path: str, *labels: str, split: str | None = "train", with_image: bool = True) -> Sample:
    image = BytesImage(path, png(2, 2)) if with_image else None
    return Sample(path=path, splits=() if split is None else (split,), size=(2, 2), image=image, annotations=(), tags=tuple(Tag(label=x) for x in labels))


def written(*samples: Sample) -> list[str]:
    labels = dict.fromkeys(tag.label or "" for s in samples for tag in s.tags)
    trip = travel(Dataset(samples, list(labels)), YoloCls())
    assert {s.key for s in trip.dataset} == {s.key for s in samples}
    return sorted(trip.files)


def test_a_list_is_written_only_where_paths_do_not_say_it_all() -> None:
    assert written(sample("cat/a.png", "cat")) == ["train/cat/a.png"]
    assert written(sample("a.png", "cat")) == ["train/cat/a.png", "train/labels.json"]
    assert written(sample("cat/a.png", "cat", "dog")) == ["train/cat/a.png", "train/labels.json"]
    assert written(sample("a.png")) == ["train/labels.json", "train/no_label/a.png"]
    assert written(sample("cat/a.png", "cat", with_image=False)) == ["train/labels.json"]
    assert written(sample("cat/a.png", "cat", split=None)) == ["cat/a.png"]
    assert written(sample("cat/a.png", "cat", split=None), sample("cat/a.png", "cat", split="val")) == ["unsplit/cat/a.png", "val/cat/a.png"]


@pytest.mark.parametrize(
    ("names", "folders"),
    [
        (["a/b", "a:b"], {"a_b", "a_b_2"}), (["Cat", "cat"], {"Cat", "cat_2"}), (["no_label"], {"class_0"}), (["con", "nul.x"], {"class_0", "nul_x"}),
        (["été 1"], {"été 1"}), (["..", " x "], {"__", "x"}), (["images"], {"class_0"}),
    ],
)  # fmt: skip
def test_class_names_that_are_no_folders(names: list[str], folders: set[str]) -> None:
    files, report = store(Dataset([sample(f"{i}.png", name) for i, name in enumerate(names)], names), YoloCls())
    assert {path.split("/")[1] for path in files if path.endswith(".png")} == folders
    if folders != set(names):
        assert "labels.name" in [line.code for line in report.losses()]


def confidence(*paths: str) -> float:
    found = default_registry().get("yolo-cls").detect(MemorySource(dict.fromkeys(paths, b"")))
    return 0 if found is None else found.confidence


def test_detection() -> None:
    assert confidence("train/cat/a.png", "val/dog/b.png", "README.md") == 0.8
    assert confidence("cat/a.png", "dog/b.png") == 0.4
    assert confidence("train/images/a.png", "train/labels/a.txt") == 0
    assert confidence("train/cat/a.png", "annotations.json") == 0
    assert confidence("a.png") == 0
