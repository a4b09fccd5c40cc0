"""Lists and label files of Darknet."""

from typing import Any

import pytest
from labelglot.formats.registry import default_registry
from labelglot.images import BytesImage
from labelglot.plugin import Annotation, Dataset, Info, Sample
from labelglot.storage import MemorySource
from labelglot.testing.strategies import png
from labelglot.testing.travel import store, travel
from labelglot_yolo import YoloDarknet

DATA = "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\n"
LINE = "0 0.5 0.5 0.25 0.5\n"
FILES = {"obj.data": DATA, "obj.names": "cat\ndog\n"}


def test_the_example(load: Any, example: Any) -> None:
    found = load("yolo-darknet", example("yolo-darknet"))
    assert list(found.by_key) == ["train+valid:a.png", "train:sub dir/b.png", "valid:a.png"]
    assert found.names == ["cat", "traffic light"]
    first = found.by_key["train+valid:a.png"]
    assert [(a.label, a.box) for a in first.annotations] == [("cat", (24.0, 12.0, 40.0, 36.0)), ("traffic light", (0.0, 0.0, 16.0, 24.0))]
    assert found.by_key["train:sub dir/b.png"].annotations == ()
    assert found.by_key["valid:a.png"].annotations is None
    assert found.codes == {}


def test_samples_of_cvat(load: Any, real: Any) -> None:
    found = load("yolo-darknet", real("yolo-darknet/cvat"))
    (only,) = found.samples
    assert (only.key, only.size, len(found.names)) == ("train:1.jpg", (15, 10), 10)
    assert [a.label for a in only.annotations] == ["label_2", "label_4"]
    assert only.annotations[0].box == pytest.approx((0, 2, 4, 4), abs=1e-4)


def test_samples_of_yolo_mark(load: Any, real: Any) -> None:
    """A list may name an image that is not there, and two splits may be one list."""
    found = load("yolo-darknet", real("yolo-darknet/yolo-mark"))
    counts = {s.path.removeprefix("img/").removesuffix(".jpg"): len(s.annotations or ()) for s in found.samples}
    assert counts == {
        "air1": 1, "air2": 1, "air3": 1, "air4": 9, "air5": 1, "air6": 15, "bird1": 1, "bird2": 2, "bird3": 3, "bird4": 1, "air7": 0,
    }  # fmt: skip
    assert {s.splits for s in found.samples} == {("train", "valid")}
    assert [s.path for s in found.samples if s.annotations is None] == ["img/air7.jpg"]
    assert (found.names, found.codes) == (["air", "bird"], {"yolo-darknet.missing": 1})


@pytest.mark.parametrize(
    ("variant", "keys"), [("obj-names-and-labels", ["train:1.jpg", "val:1.jpg"]), ("obj-names-and-annotations", ["Images/1.jpg"])]
)
def test_samples_without_obj_data(load: Any, real: Any, variant: str, keys: list[str]) -> None:
    found = load("yolo-darknet", real(f"yolo-darknet/{variant}"))
    assert list(found.by_key) == keys
    assert {tuple(a.label for a in s.annotations) for s in found.samples} == {("label_2", "label_4")}


def test_labelimg_keeps_all_in_one_folder(load: Any) -> None:
    files = {"a.jpg": "", "a.txt": LINE, "b.jpg": "", "classes.txt": "cat\n", "README.txt": "not a label", "notes.txt": "1 2 3"}
    found = load("yolo-darknet", files)
    assert {s.path: s.annotations and len(s.annotations) for s in found.samples} == {"a.jpg": 1, "b.jpg": None}
    assert found.names == ["cat"]


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("data/img/a.jpg", "train:img/a.jpg"), ("img/a.jpg", "train:img/a.jpg"), ("./img/a.jpg", "train:img/a.jpg"),
        ("C:\\me\\img\\a.jpg", "train:img/a.jpg"), ("/home/me/x/a.jpg", "train:img/a.jpg"), ("data/img/b c.jpg", "train:img/b c.jpg"),
    ],
)  # fmt: skip
def test_lines_of_lists(load: Any, line: str, key: str) -> None:
    """Pains 27 and 30: whole path, then its end; backslashes are separators, blanks are not."""
    found = load("yolo-darknet", {**FILES, "img/a.jpg": "", "img/b c.jpg": "", "train.txt": line + "\r\n"})
    assert [s.key for s in found.samples] == [key]
    assert found.samples[0].image is not None


def test_a_listed_name_never_takes_the_image_of_another(load: Any) -> None:
    files = {**FILES, "img/a.jpg": "", "train.txt": "img/a.jpg\nother/a.png\n"}
    found = load("yolo-darknet", files)
    assert {s.path: s.image is not None for s in found.samples} == {"img/a.jpg": True, "other/a.png": False}


def test_labelled_images_in_no_list_are_kept_and_said(load: Any) -> None:
    files = {**FILES, "img/a.jpg": "", "img/a.txt": LINE, "img/b.jpg": "", "img/b.txt": LINE, "train.txt": "img/a.jpg\n"}
    found = load("yolo-darknet", files)
    assert list(found.by_key) == ["train:img/a.jpg", "img/b.jpg"]
    assert found.codes == {"yolo-darknet.unlisted": 1}


@pytest.mark.parametrize(
    ("text", "names", "codes"),
    [
        ("cat\r\ntraffic light\r\n\r\n", ["cat", "traffic light"], {}),
        ("\ufeffcat\n\ndog", ["cat", "class_1", "dog"], {"yolo-darknet.name": 1, "yolo-darknet.classes": 1}),
        ("cat\n", ["cat"], {"yolo-darknet.classes": 1}),
    ],
)
def test_names(load: Any, text: str, names: list[str], codes: dict[str, int]) -> None:
    """Pain 10: a blank line keeps its number, or all after it would change their class."""
    found = load("yolo-darknet", {**FILES, "obj.names": text, "train.txt": "a.jpg\n", "a.jpg": "", "a.txt": ""})
    assert (found.names, found.codes) == (names, codes)


@pytest.mark.parametrize(("score", "box", "value"), [("second", (0.25, 0.5, 0.75, 1.0), 0.875), ("last", (0.6875, 0.25, 1.0625, 0.75), 0.5)])
def test_where_the_score_stands_must_be_said(load: Any, score: str, box: Any, value: float) -> None:
    files = {**FILES, "train.txt": "a.jpg\n", "a.txt": f"{LINE}1 0.875 0.5 0.375 0.5 0.5\n" if score == "last" else f"{LINE}1 0.875 0.5 0.75 0.5 0.5\n"}
    refused = load("yolo-darknet", files)
    assert len(refused.samples[0].annotations) == 1
    assert "score=second" in refused.example("yolo-darknet.tokens")["message"]
    (_, only) = load("yolo-darknet", files, score=score).samples[0].annotations
    assert (only.box, only.score) == (box, value)


def test_one_bad_line_among_good_ones(load: Any) -> None:
    text = f"{LINE}0.0  0.5\t0.5 1 1 \n1 x 0.5 1 1\n1 0.1 0.1 0.4 0.1 0.4 0.5\n7 0.5 0.5 1 1\n"
    found = load("yolo-darknet", {**FILES, "train.txt": "a.jpg\n", "a.txt": text})
    assert [a.label for a in found.samples[0].annotations] == ["cat", "cat", None]
    assert found.codes == {"yolo-darknet.number": 1, "yolo-darknet.tokens": 1, "yolo-darknet.class": 1}


CAT = (Annotation(label="cat", box=(0.0, 0.0, 1.0, 1.0)),)


def sample(path: str, *splits: str, annotations: Any = CAT) -> Sample:
    return Sample(path=path, splits=splits, size=(2, 2), image=BytesImage(path, png(2, 2)), annotations=annotations)


def test_what_is_written() -> None:
    samples = [sample("x/a.png", "train", "valid"), sample("b.png", "valid", annotations=()), sample("c.png", "test", annotations=None)]
    trip = travel(Dataset(samples, ["cat", "dog"]), YoloDarknet())
    text = {path: data.decode() for path, data in trip.files.items() if not path.endswith(".png")}
    assert text == {
        "obj.data": "classes = 2\ntrain = data/train.txt\ntest = data/test.txt\nvalid = data/valid.txt\nnames = data/obj.names\nbackup = backup/\n",
        "obj.names": "cat\ndog\n",
        "train.txt": "data/obj_train_data/x/a.png\n",
        "valid.txt": "data/obj_train_data/x/a.png\ndata/obj_valid_data/b.png\n",
        "test.txt": "data/obj_test_data/c.png\n",
        "obj_train_data/x/a.txt": "0 0.25 0.25 0.5 0.5\n",
        "obj_valid_data/b.txt": "",
    }
    read = {s.key: s.annotations is None for s in trip.dataset}
    assert read == {"train+valid:x/a.png": False, "valid:b.png": False, "test:c.png": True}


@pytest.mark.parametrize(
    ("splits", "keys"),
    [
        ([()], ["train = data/unsplit.txt"]),
        ([("train",), ("val",)], ["train = data/train.txt", "val = data/val.txt", "valid = data/val.txt"]),
        ([("fold 1",), ("fold 2",)], ["train = data/train.txt", "fold 1 = data/fold 1.txt"]),
    ],
)
def test_darknet_needs_train_and_calls_val_valid(splits: list[tuple[str, ...]], keys: list[str]) -> None:
    trip = travel(Dataset([sample("a.png", *each) for each in splits], ["cat"]), YoloDarknet())
    assert set(keys) <= set(trip.files["obj.data"].decode().splitlines())
    assert [s.splits for s in trip.dataset] == splits
    listed = trip.files["train.txt" if "train.txt" in trip.files else "unsplit.txt"].decode().splitlines()
    assert len(listed) == (2 if splits[0] == ("fold 1",) else 1)


def test_other_keys_and_the_prefix(load: Any) -> None:
    found = load("yolo-darknet", {**FILES, "obj.data": DATA + "# note\neval=coco\nbackup = /b\n", "train.txt": "a.jpg\n", "a.txt": ""})
    assert found.dataset.info == Info(extra={"yolo-darknet": {"eval": "coco", "backup": "/b"}})
    files, report = store(found.dataset, YoloDarknet(), {"prefix": ""})
    assert files["obj.data"] == b"classes = 2\ntrain = train.txt\nnames = obj.names\nbackup = /b\neval = coco\n"
    assert files["train.txt"] == b"obj_train_data/a.jpg\n"
    assert report.losses() == ()


def test_boxes_are_cut_only_if_asked() -> None:
    """Pain 7."""
    data = Dataset([sample("a.png", "train", annotations=(Annotation(label="cat", box=(-1.0, 0.0, 1.0, 1.0)),))], ["cat"])
    assert store(data, YoloDarknet())[0]["obj_train_data/a.txt"] == b"0 0.0 0.25 1.0 0.5\n"
    assert store(data, YoloDarknet(), {"clip": True})[0]["obj_train_data/a.txt"] == b"0 0.25 0.25 0.5 0.5\n"


def confidence(files: dict[str, str], format: str = "yolo-darknet") -> float:
    found = default_registry().get(format).detect(MemorySource({k: v.encode() for k, v in files.items()}))
    return 0 if found is None else found.confidence


def test_detection() -> None:
    assert confidence(FILES) == 0.95
    loose = {"obj.names": "cat\n", "labels/a.txt": LINE}
    assert confidence(loose) == 0.75 > confidence(loose, "yolo") + 0.1
    studio = {"classes.txt": "cat\n", "labels/a.txt": LINE}
    assert confidence(studio, "yolo") == 0.63 > confidence(studio) + 0.1
    flat = {"a.jpg": "", "a.txt": LINE}
    assert confidence(flat) == 0.4 and confidence({**flat, "classes.txt": "cat"}) == 0.75
    assert confidence({"data.yaml": "train: x\nnames: [a]\n", "a.txt": LINE}) == 0
    assert confidence({"a.txt": "hello"}) == 0
