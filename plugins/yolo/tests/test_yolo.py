"""Ultralytics detection, and what all formats with data.yaml share."""

import os
from collections.abc import Sequence
from typing import Any

import labelglot as lg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelglot.engine.convert import write
from labelglot.errors import LabelglotError
from labelglot.formats import per_image
from labelglot.formats.registry import default_registry
from labelglot.images import BytesImage
from labelglot.plugin import Annotation, Dataset, Info, Label, Report, Sample, in_pixels
from labelglot.storage import MemorySource
from labelglot.testing.strategies import png
from labelglot.testing.travel import projected, store, travel
from labelglot.wire import yaml
from labelglot_yolo import Yolo, lines
from labelglot_yolo.family import Chosen
from labelglot_yolo.lines import Rules, detection

SIZE = (64, 48)
NAMES = "names: {0: cat, 1: dog}\n"
CARD = "train: images/train\nval: images/val\n" + NAMES
LINE = "0 0.5 0.5 0.25 0.5\n"


def image() -> bytes:
    return png(*SIZE)


def sample(path: str, *splits: str, boxes: tuple[Any, ...] = ((1.0, 2.0, 33.5, 40.25),), with_image: bool = True) -> Sample:
    annotations = tuple(Annotation(label="cat", box=box) for box in boxes)
    handle = BytesImage(path, image()) if with_image else None
    return Sample(path=path, splits=splits, size=SIZE, image=handle, annotations=annotations)


def card(files: dict[str, bytes]) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load(files["data.yaml"], "data.yaml")
    return found


def test_the_example(load: Any, example: Any) -> None:
    found = load("yolo", example("yolo"))
    assert [(label.id, label.name) for label in found.dataset.labels] == [(0, "cat"), (2, "no"), (7, "0001")]
    assert list(found.by_key) == ["train:a.b.png", "train:nothing.png", "train:sub dir/é.png", "val:unseen.png"]
    first = found.by_key["train:a.b.png"]
    assert first.size == SIZE and first.units == "pixels"
    assert [(a.label, a.box, a.score, a.track) for a in first.annotations] == [
        ("cat", (24.0, 12.0, 40.0, 36.0), None, None),
        ("0001", (0.0, 0.0, 16.0, 24.0), None, None),
        ("no", (44.0, 18.0, 52.0, 30.0), 0.875, 3),
    ]
    assert [a.box for a in found.by_key["train:sub dir/é.png"].annotations] == [(0.0, 0.0, 64.0, 48.0)]
    assert found.by_key["train:nothing.png"].annotations == ()
    assert found.by_key["val:unseen.png"].annotations == ()
    assert found.dataset.info == Info(extra={"yolo": {"channels": 3}})
    assert found.codes == {}


def test_an_image_without_label_file_may_be_read_as_unlabelled(load: Any, example: Any) -> None:
    """Pain 33: empty and unlabelled are two things, though trainers take them for one."""
    found = load("yolo", example("yolo"), missing="unlabelled")
    assert found.by_key["val:unseen.png"].annotations is None
    assert found.by_key["train:nothing.png"].annotations == ()


VARIANTS = [
    "yolov8_detection", "yolov8_detection_with_list_of_names", "yolov8_detection_with_list_of_imgs",
    "yolov8_detection_with_subset_txt",
]  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS)
def test_four_ways_to_name_the_same_images(load: Any, real: Any, variant: str) -> None:
    found = load("yolo", real(f"yolo/{variant}"))
    (only,) = found.samples
    assert (only.key, only.size, len(found.names)) == ("train:1.jpg", (15, 10), 10)
    assert [a.label for a in only.annotations] == ["label_2", "label_4"]
    assert only.annotations[0].box == pytest.approx((0, 2, 4, 4), abs=1e-4)
    assert only.annotations[1].box == pytest.approx((3, 3, 5, 6), abs=1e-4)


def test_roboflow_with_a_dot_too_many_and_another_folder_name(load: Any, real: Any) -> None:
    found = load("yolo", real("yolo/roboflow"))
    boxes = {s.key: [(a.label, a.box) for a in s.annotations] for s in found.samples}
    assert {key: [label for label, _ in value] for key, value in boxes.items()} == {
        "train:train_001.jpg": ["label_0"], "train:train_002.jpg": ["label_1"], "val:val_001.jpg": ["label_0", "label_1"],
    }  # fmt: skip
    assert boxes["train:train_001.jpg"][0][1] == pytest.approx((2, 1, 5, 2))
    assert boxes["train:train_002.jpg"][0][1] == pytest.approx((0, 0, 2, 4))
    assert boxes["val:val_001.jpg"][1][1] == pytest.approx((0, 0, 9, 1))
    assert found.codes == {"yolo.place": 2}


def test_labels_without_images(load: Any, real: Any) -> None:
    """Pain 28: names keep their dots."""
    found = load("yolo", real("yolo/labelformat"))
    assert [s.path for s in found.samples] == ["a-weird Filename.asdf", "aNother-weird__ filename.with.many.characters"]
    assert [(s.units, s.size, s.splits, len(s.annotations)) for s in found.samples] == [("relative", None, ("train",), 8)] * 2
    assert len(found.names) == 32 and found.names[1] == "bicycle with space"
    assert found.samples[0].annotations[0].box == (0.861211 - 0.0357969 / 2, 0.73232 - 0.0442067 / 2, 0.861211 + 0.0357969 / 2, 0.73232 + 0.0442067 / 2)  # fmt: skip


def test_the_same_boxes_in_kitti_text(load: Any, real: Any) -> None:
    """There corner and size were rounded to whole pixels each."""
    sizes = {"a-weird Filename.asdf": (640, 416), "aNother-weird__ filename.with.many.characters": (640, 428)}
    folder = real("kitti/labelformat") / "labels"
    for s in load("yolo", real("yolo/labelformat")).samples:
        rows = (folder / f"{s.path}.txt").read_text().splitlines()
        width, height = sizes[s.path]
        for row, a in zip(rows, s.annotations, strict=True):
            name, numbers = row.split(" -1 -1 -10 ")
            assert name == a.label
            pixels = (a.box[0] * width, a.box[1] * height, a.box[2] * width, a.box[3] * height)
            assert [float(cell) for cell in numbers.split()[:4]] == pytest.approx(pixels, abs=1)


@pytest.mark.parametrize(
    ("files", "keys"),
    [
        ({"images/train/a.png": "", "labels/train/a.txt": LINE, "images/val/b.png": ""}, ["train:a.png", "val:b.png"]),
        ({"train/images/a.png": "", "train/labels/a.txt": LINE, "valid/images/b.png": ""}, ["train:a.png", "valid:b.png"]),
        ({"images/a.png": "", "labels/a.txt": LINE}, ["a.png"]),
        ({"labels/train/a.txt": LINE, "labels/val/b.txt": LINE}, ["train:a", "val:b"]),
        ({"labels/a.txt": LINE, "labels/notes.txt": "five words of plain text", "labels/classes.txt": "cat\n"}, ["a"]),
    ],
    ids=["by split", "roboflow", "no split", "labels only", "decoys"],
)
def test_without_yaml(load: Any, files: dict[str, str], keys: list[str]) -> None:
    found = load("yolo", files)
    assert [s.key for s in found.samples] == keys
    classes = "cat" if any(path.endswith("classes.txt") for path in files) else "class_0"
    assert found.names == [classes]
    assert {a.label for s in found.samples for a in s.annotations} == {classes}


def test_class_names_of_label_studio(load: Any) -> None:
    files = {"labels/a.txt": LINE, "notes.json": '{"categories": [{"id": 0, "name": "cat"}, {"id": 1, "name": "x y"}]}'}
    assert load("yolo", files).names == ["cat", "x y"]
    assert load("yolo", {**files, "notes.json": "{"}).codes == {"yolo.notes": 1}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("names: [yes, no, on, 1, 0001, ~, 1.0]", ["yes", "no", "on", "1", "0001", "~", "1.0"]),
        ("names: {'0': a, \"2\": b}", ["a", "b"]),
        ("nc: 2", ["class_0", "class_1"]),
        ("names:\n- a\nnc: 3", ["a"]),
        ("names: {0: [x], 1: b}", ["class_0", "b"]),
        ("names: {zero: a, 1: b}", ["b"]),
    ],
)
def test_class_names(load: Any, names: str, expected: list[str]) -> None:
    """Pain 11: order and spelling are data."""
    found = load("yolo", {"data.yaml": f"train: images\nval: images\n{names}\n", "labels/a.txt": ""})
    assert found.names == expected


def test_numbers_with_gaps_mean_the_classes_they_name(load: Any) -> None:
    """Pain 9: a number is no index."""
    files = {"data.yaml": "train: images\nval: images\nnames: {1: one, 5: five}\n", "labels/a.txt": "5 0.5 0.5 1 1\n0 0.5 0.5 1 1\n"}
    found = load("yolo", files)
    assert [a.label for a in found.samples[0].annotations] == ["five", None]
    assert found.example("yolo.class")["place"] == "labels/a.txt:2"
    named = load("yolo", files, unknown_classes="placeholder")
    assert [a.label for a in named.samples[0].annotations] == ["five", "class_0"]
    assert named.names == ["one", "five", "class_0"]


LISTED = {
    "images/train/a.png": "", "labels/train/a.txt": LINE, "images/val/a.png": "", "images/all/c.png": "",
}  # fmt: skip


@pytest.mark.parametrize(
    ("yaml_text", "lists", "keys"),
    [
        ("train: images/train\nval: images/train\n", {}, ["train+val:a.png"]),
        ("train: [images/train, images/all]\nval: images/val\n", {}, ["train:train/a.png", "train:all/c.png", "val:a.png"]),
        ("train: train.txt\nval: val.txt\n", {"train.txt": "\ufeff./images/train/a.png\n", "val.txt": "images/val/a.png"}, ["train:a.png", "val:a.png"]),
        ("train: sub/train.txt\nval: images/val\n", {"sub/train.txt": "../images/train/a.png"}, ["train:a.png", "val:a.png"]),
        ("train: train.txt\nval: images/val\n", {"train.txt": "/home/me/set/images/train/a.png\r\nC:\\x\\images\\all\\c.png\n"}, ["train:a.png", "train:all/c.png", "val:a.png"]),
        ("path: /home/me/set\ntrain: /home/me/set/images/train\nval: images/val\n", {}, ["train:a.png", "val:a.png"]),
        ("path: ../datasets/set\ntrain: images/train\nvalidation: images/val\n", {}, ["train:a.png", "validation:a.png"]),
        ("train: images/train\nval: images/valid\nminival: images/all\ntest: images/test\n", {}, ["train:a.png", "val:a.png", "minival:c.png"]),
        ("train: images/train\nfold_1: images/all\ndownload: images/val\n", {}, ["train:a.png", "fold_1:c.png"]),
    ],
    ids=["one folder twice", "folders", "lists", "list elsewhere", "foreign lists", "foreign root", "tool root", "minival", "folds"],
)  # fmt: skip
def test_splits(load: Any, yaml_text: str, lists: dict[str, str], keys: list[str]) -> None:
    found = load("yolo", {**LISTED, **lists, "data.yaml": yaml_text + NAMES})
    assert sorted(s.key for s in found.samples) == sorted(keys)
    assert "fold_1" not in str(found.dataset.info.extra)


def test_a_listed_image_that_is_not_there_is_said_and_kept(load: Any) -> None:
    found = load("yolo", {**LISTED, "data.yaml": "train: t.txt\nval: images/val\n" + NAMES, "t.txt": "images/train/gone.png\n"})
    assert found.by_key["train:gone.png"].image is None
    assert found.example("yolo.missing")["place"] == "t.txt:1"


def test_the_last_images_folder_counts(load: Any) -> None:
    """Pain 32."""
    files = {"data.yaml": "train: images/train\nval: images/train\n" + NAMES}
    files |= {"images/train/images/a.png": "", "images/train/labels/a.txt": LINE, "labels/train/images/a.txt": ""}
    found = load("yolo", files)
    assert {s.path: len(s.annotations) for s in found.samples} == {"images/a.png": 1, "images/a": 0}
    del files["images/train/labels/a.txt"]
    beside = load("yolo", {"data.yaml": "train: images\nval: images\n" + NAMES, "images/a.png": "", "images/a.txt": LINE})
    assert len(beside.samples[0].annotations) == 1
    assert beside.example("yolo.label-place")["message"] == "trainers look for it at labels/a.txt"


def test_two_images_of_one_stem_share_a_label_file(load: Any) -> None:
    files = {"data.yaml": "train: images\nval: images\n" + NAMES, "images/a.jpg": "", "images/a.png": "", "labels/a.txt": LINE}
    found = load("yolo", files)
    assert [len(s.annotations) for s in found.samples] == [1, 1]
    assert found.codes == {"yolo.label-shared": 1}


def test_two_cards_in_one_folder(load: Any) -> None:
    files = {"coco.yaml": CARD, "labels/train/a.txt": LINE}
    assert load("yolo", {**files, "data.yaml": CARD.replace("cat", "fox")}).names == ["fox", "dog"]
    with pytest.raises(LabelglotError, match=r"coco\.yaml, other\.yaml"):
        load("yolo", {**files, "other.yaml": CARD})


BAD = [
    ("x 0.5 0.5 1 1", "number"), ("-1 0.5 0.5 1 1", "number"), ("0.5 0.5 0.5 1 1", "number"), ("0 nan 0.5 1 1", "number"),
    ("0 0.5 1e999 1 1", "number"), ("0 1_0 0.5 1 1", "number"), ("0 0.5 0.5 1", "tokens"), ("0", "tokens"), ("9 0.5 0.5 1 1", "class"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "code"), BAD)
def test_one_bad_line_among_good_ones(load: Any, line: str, code: str) -> None:
    found = load("yolo", {"data.yaml": CARD, "labels/train/a.txt": f"{LINE}{line}\n1 0.5 0.5 1 1\n"})
    labels = [a.label for a in found.samples[0].annotations]
    assert labels == (["cat", None, "dog"] if code == "class" else ["cat", "dog"])
    assert found.example(f"yolo.{code}")["place"] == "labels/train/a.txt:2"
    assert found.example(f"yolo.{code}")["raw"] == line


def test_doubtful_lines_are_kept_and_said(load: Any) -> None:
    lines = f"{LINE}{LINE}0 -0.02 0.5 0.1 0.1\n0 320 240 50 60\n0 1.005 0.5 0.1 0.1\n"
    found = load("yolo", {"data.yaml": CARD, "labels/train/a.txt": lines, "images/val/b.png": ""})
    assert len(found.samples[0].annotations) == 5
    assert found.codes == {"yolo.range": 2, "yolo.line-twice": 1}
    ranges = next(line for line in found.report.problems() if line.code == "yolo.range")
    assert [example["place"][-1] for example in ranges.examples] == ["3", "4"]
    assert "pixels" in ranges.examples[1]["message"]


def test_every_line_is_typed_by_itself(load: Any) -> None:
    lines = LINE + "1 0.1 0.1 0.4 0.1 0.4 0.5\n0 0.5 0.5 0.1 0.1 0.75\n1 0 0 1 0 1 1 0 1\n1 0.1 0.1 0.4 0.1 0.4 0.5 0.25\n0 0.5 0.5 0.1 0.1 0.5 12\n"
    objects = load("yolo", {"data.yaml": CARD, "labels/train/a.txt": lines}).samples[0].annotations
    assert [("box" if a.box else a.shape.kind, a.score, a.track) for a in objects] == [
        ("box", None, None), ("polygon", None, None), ("box", 0.75, None), ("polygon", None, None), ("polygon", 0.25, None), ("box", 0.5, 12),
    ]  # fmt: skip


def test_unreadable_yaml_is_an_error_with_its_place(load: Any) -> None:
    with pytest.raises(LabelglotError) as caught:
        load("yolo", {"data.yaml": "train: images\nnames: [a\n", "labels/a.txt": LINE})
    assert str(caught.value).startswith("data.yaml:")


def test_licence_and_roboflow_block(load: Any) -> None:
    block = "roboflow:\n  workspace: me\n  version: 3\n  license: CC BY 4.0\n  url: https://example.org/3\n"
    found = load("yolo", {"data.yaml": CARD + block, "labels/train/a.txt": LINE})
    assert (found.dataset.info.licenses, found.dataset.info.url) == (("CC BY 4.0",), "https://example.org/3")
    files, report = store(found.dataset, Yolo())
    assert card(files)["roboflow"] == {"workspace": "me", "version": 3, "license": "CC BY 4.0", "url": "https://example.org/3"}
    assert [line.code for line in report.losses()] == []


def consumers_label(image: str) -> str:
    """Ultralytics' own rule, written down apart from ours."""
    inner = f"{os.sep}images{os.sep}", f"{os.sep}labels{os.sep}"
    return inner[1].join(f"/root/{image}".rsplit(inner[0], 1)).rsplit(".", 1)[0][len("/root/") :] + ".txt"


@pytest.mark.parametrize("layout", ["ultralytics", "roboflow"])
def test_each_label_file_is_where_the_consumer_looks(layout: str) -> None:
    """Pain 32, and 26: the same base name in two folders, 28: dots, 29: odd characters."""
    paths = ["a.png", "x/a.png", "images/a.png", "x/images/labels/a.png", "labels/a.png", "été ü.v1.0.png"]
    dataset = Dataset([sample(path, split) for path in paths for split in ("train", "val")], ["cat"])
    files, _ = store(dataset, Yolo(), {"layout": layout})
    images = [path for path in files if path.endswith(".png")]
    assert len(images) == 2 * len(paths)
    assert {consumers_label(path) for path in images} == {path for path in files if path.endswith(".txt")}
    assert images[0] == ("images/train/a.png" if layout == "ultralytics" else "train/images/a.png")
    assert travel(dataset, Yolo(), {"layout": layout}).dataset.complete().labels
    assert {s.key for s in travel(dataset, Yolo(), {"layout": layout}).dataset} == {s.key for s in dataset}


SPLITS = [
    ([()], {"train": "images", "val": "images"}),
    ([("train",)], {"train": "images/train", "val": "images/train"}),
    ([("val",)], {"train": "images/val", "val": "images/val"}),
    ([("train",), ("valid",)], {"train": "images/train", "val": "images/valid", "valid": "images/valid"}),
    ([("fold 1",), ("fold 2",)], {"train": ["images/fold 1", "images/fold 2"], "val": ["images/fold 1", "images/fold 2"]}),
    ([("train",), ()], {"train": "images/train", "val": "images/train", "unsplit": "images/unsplit"}),
]


@pytest.mark.parametrize(("splits", "keys"), SPLITS, ids=str)
def test_train_and_val_are_always_there(splits: list[tuple[str, ...]], keys: dict[str, Any]) -> None:
    """The loader demands both; what stands in for a split that the dataset has not is not taken for one again."""
    dataset = Dataset([sample("a.png", *each) for each in splits], ["cat"])
    trip = travel(dataset, Yolo())
    assert keys.items() <= card(trip.files).items()
    assert [s.splits for s in trip.dataset] == [tuple(each) for each in splits]


def test_a_stand_in_that_someone_changed_is_a_split(load: Any) -> None:
    files, _ = store(Dataset([sample("a.png", "train")], ["cat"]), Yolo())
    text = files["data.yaml"].decode().replace("val: images/train", "val: images/val", 1)
    found = load("yolo", {**files, "data.yaml": text, "images/val/b.png": b""})
    assert [s.key for s in found.samples] == ["train:a.png", "val:b.png"]


def test_the_card(load: Any) -> None:
    labels = [Label(key=n, name=n, id=i) for i, n in ((5, "cat"), (0, "no"), (9, "a: b"))]
    files, report = store(Dataset([sample("a.png", "train"), sample("b.png", "val", boxes=())], labels), Yolo())
    text = files["data.yaml"].decode()
    assert text.startswith("# labelglot (yolo)\npath: ''\ntrain: images/train\nval: images/val\nnc: 3\nnames:\n  0: cat\n  1: 'no'\n")
    assert card(files)["names"] == {0: "cat", 1: "no", 2: "a: b"}
    assert files["labels/val/b.txt"] == b""
    assert files["labels/train/a.txt"] == b"0 0.26953125 0.440104166667 0.5078125 0.796875\n"
    assert "labels.id" in [line.code for line in report.losses()]


def test_coordinates_keep_what_arithmetic_blurs() -> None:
    """Pain 24: a file of six decimals comes back as it was, digit for digit."""
    text = "0 0.133333 0.3 0.266667 0.2\n0 0.266667 0.45 0.133333 0.3\n0 0.861211 0.73232 0.0357969 0.0442067\n"
    files = {"data.yaml": b"train: images/train\nval: images/train\nnames: {0: cat}\n", "images/train/a.png": png(15, 10), "labels/train/a.txt": text.encode()}
    from labelglot.testing.travel import load as read_back

    dataset, _ = read_back(files, Yolo())
    assert store(dataset, Yolo())[0]["labels/train/a.txt"].decode() == text


def test_a_box_outside_is_never_clipped_in_silence() -> None:
    """Pain 7: trainers drop the whole image for one box."""
    boxes = ((-10.0, 5.0, 20.0, 30.0), (-60.0, 0.0, 20.0, 10.0), (80.0, 0.0, 90.0, 10.0), (5.0, 5.0, 1.0, 9.0))
    dataset = Dataset([sample("a.png", "train", boxes=boxes)], ["cat"])
    files, report = store(dataset, Yolo())
    assert len(files["labels/train/a.txt"].splitlines()) == 4
    (outside,) = [line for line in report.problems() if line.code == "yolo.outside"]
    assert outside.examples[0]["message"].startswith("3 objects") and outside.examples[0]["key"] == "train:a.png"
    clipped, report = store(dataset, Yolo(), {"clip": True})
    assert len(clipped["labels/train/a.txt"].splitlines()) == 3
    lost = {line.code: line.count for line in report.losses()}
    assert (lost["box.clipped"], lost["annotation.outside"]) == (2, 1)
    assert [line.examples[0]["message"][:9] for line in report.problems()] == ["1 objects"]


def test_scores_are_written_if_asked() -> None:
    object = Annotation(label="cat", box=(0.0, 0.0, 32.0, 24.0), score=0.1)
    dataset = Dataset([Sample(path="a.png", splits=("train",), size=SIZE, annotations=(object,))], ["cat"])
    files, report = store(dataset, Yolo())
    assert files["labels/train/a.txt"] == b"0 0.25 0.25 0.5 0.5\n"
    assert "score" in [line.code for line in report.losses()]
    trip = travel(dataset, Yolo(), {"scores": True})
    assert trip.files["labels/train/a.txt"] == b"0 0.25 0.25 0.5 0.5 0.1\n"
    assert [a.score for s in trip.dataset for a in s.annotations or ()] == [0.1]


def test_unlabelled_images_become_empty_and_that_is_said() -> None:
    dataset = Dataset([Sample(path="a.png", size=SIZE, splits=("train",))], ["cat"])
    files, report = store(dataset, Yolo())
    assert files["labels/train/a.txt"] == b""
    assert "sample.unlabelled" in [line.code for line in report.losses()]


def test_listing_needs_no_label_file(load: Any, example: Any) -> None:
    found = load("yolo", example("yolo"))
    listed = list(found.lazy.index())
    assert [(entry.key, entry.path, entry.splits) for entry in listed] == [(s.key, s.path, s.splits) for s in found.samples]
    assert {entry.annotations for entry in listed} == {None}
    assert [s.key for s in found.lazy.fetch(["val:unseen.png"])] == ["val:unseen.png"]


def test_objects_get_numbers_of_their_own_in_coco(load: Any, example: Any) -> None:
    """The listing does not know how many objects an image has, yet no two may share a number."""
    from labelglot.engine.executor import InProcess
    from labelglot.formats.registry import Registry
    from labelglot.storage import MemoryTarget

    class Numbered(Yolo):
        id = "numbered"
        holds = Yolo.holds.replace(ids="int", ids_required=True)

        def spell(self, annotations: Sequence[Annotation], numbers: Any, context: Any) -> list[str]:
            return [str(annotation.id) for annotation in annotations]

    target = MemoryTarget()
    write(load("yolo", example("yolo")).lazy, target, format=Numbered(), registry=Registry(), executor=InProcess(), chunk=1)
    ids = [line.split()[1] for path, data in target.content.items() if path.endswith(".txt") for line in data.decode().splitlines()]
    assert len(ids) == len(set(ids)) == 4


def match(files: dict[str, Any], format: str = "yolo") -> float:
    found = default_registry().get(format).detect(MemorySource({k: v if isinstance(v, bytes) else v.encode() for k, v in files.items()}))
    return 0.0 if found is None else found.confidence


def test_detection() -> None:
    """Pain 35: the reason is told, a sibling never claims the same."""
    boxes = {"data.yaml": CARD, "labels/train/a.txt": LINE}
    assert match(boxes) == 0.9 > match(boxes, "yolo-seg") + 0.3
    polygons = {"data.yaml": CARD, "labels/train/a.txt": "0 0 0 1 0 1 1\n0 0 0 1 0 1 1 0 1 0.5 0.5\n"}
    assert match(polygons, "yolo-seg") == 0.9 > match(polygons) + 0.3
    assert match({"labels/train/a.txt": LINE}) == 0.63
    assert match({"config.yaml": "model: x\n", "a.txt": "hello"}) == 0
    pose = {"data.yaml": CARD + "kpt_shape: [1, 2]\n", "labels/train/a.txt": LINE}
    assert match(pose, "yolo-pose") == 0.95 > match(pose) + 0.3
    reason = default_registry().get("yolo").detect(MemorySource({k: v.encode() for k, v in boxes.items()}))
    assert reason is not None and reason.reason == "data.yaml: lines of 5 numbers"


def test_names_that_clash_stay_apart() -> None:
    """Pain 26: a.jpg and a.png would share one label file."""
    dataset = Dataset([sample("a.jpg", "train"), sample("a.png", "train"), sample("A.png", "train")], ["cat"])
    done = projected(dataset, Yolo())
    assert len({path for path in store(dataset, Yolo())[0] if path.endswith(".txt")}) == 3
    assert len({s.path for s in done.dataset}) == 3


def test_a_yaml_with_classes_and_no_splits_names_them(tmp_path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("1 0.5 0.5 0.1 0.1\n")
    (tmp_path / "data.yaml").write_text("names: [cat, dog]\n")
    dataset = lg.read(tmp_path, format="yolo")
    assert [label.name for label in dataset.labels] == ["cat", "dog"]
    assert [a.label for sample in dataset for a in sample.annotations] == ["dog"]


CELLS = st.one_of(
    st.integers(0, 1000).map(lambda i: repr(i / 1000)), st.floats(-0.02, 1.02).map(repr),
    st.sampled_from(["0", "1", "2", "7", "-1", "0.50", ".5", "1e-1", "nan", "1_0", "0,5", "[1", "00", "+1", "", " "]),
)  # fmt: skip
ROWS = st.one_of(
    st.tuples(st.sampled_from(["0", "1", "2", "7", "1.0"]), *[st.integers(0, 1000).map(lambda i: repr(i / 1000))] * 4),
    st.lists(CELLS, max_size=7),
)  # fmt: skip


@given(st.lists(ROWS, max_size=4), st.sampled_from(["\n", "\r\n", "\n\n"]), st.booleans(), st.sampled_from([None, (640, 480), (3, 7)]))
def test_lines_read_together_are_those_read_one_by_one(rows, end, last, size):
    data = (end.join(" ".join(row) for row in rows) + end * last).encode()
    rules = Rules("yolo", {0: "a", 1: "b", 2: "c"}, Chosen(detection))
    together = lines.boxes(data, rules, size) if data else None
    if together is None:
        return
    report = Report()
    one_by_one = lines.read(data, "a.txt", rules, report)
    image = None if size is None else BytesImage("a.png", png(*size))
    sample = in_pixels(Sample(path="a.png", image=image, units="relative", annotations=one_by_one))
    assert tuple(together) == sample.annotations and report.problems() == ()


def test_lines_as_usual_are_read_together():
    rules = Rules("yolo", {0: "a"}, Chosen(detection))
    assert len(lines.boxes(b"0 0.5 0.5 0.25 0.125\n0 0.5 0.5 0.25 1\n", rules, (640, 480))) == 2


def test_many_pairs_are_read_like_a_few(tmp_path: Any, monkeypatch: Any) -> None:
    files = {"data.yaml": b"names: [a, b]\ntrain: images/train\nval: images/val\n"}
    for number in range(60):
        split = "val" if number % 3 else "train"
        if number % 7:
            files[f"images/{split}/{number}.png"] = png(8 + number, 6)
        if number % 5:
            files[f"labels/{split}/{number}.txt"] = b"1 0.5 0.5 0.25 0.25\n" * (number % 2) + b"0 0.5 0.5 0.5 0.5\n"
    for path, content in files.items():
        (tmp_path / "set" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / path).write_bytes(content)
    few = lg.read(tmp_path / "set")
    lg.convert(tmp_path / "set", tmp_path / "few.zip", to="coco")
    monkeypatch.setattr(per_image, "_BLOCK", 2)
    many = lg.read(tmp_path / "set")
    assert isinstance(many.samples.records, per_image.PairTable) and not isinstance(few.samples.records, per_image.PairTable)
    assert list(many) == list(few) and list(many.index()) == list(few.index())
    assert list(many.fetch([sample.key for sample in few][5:9])) == list(few)[5:9]
    for workers in (1, 2):
        lg.convert(tmp_path / "set", tmp_path / "many.zip", to="coco", workers=workers, overwrite=True)
        assert (tmp_path / "many.zip").read_bytes() == (tmp_path / "few.zip").read_bytes()
