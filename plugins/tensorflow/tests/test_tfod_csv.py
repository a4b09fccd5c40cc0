"""CSV of the TensorFlow object detection tutorials."""

import csv
import io
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.detection import candidates
from labelglot.engine.convert import read, write
from labelglot.errors import LabelglotError
from labelglot.images import BytesImage
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Label, Sample
from labelglot.storage import MemorySource
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, store, travel
from labelglot_tensorflow import TfodCsv

HERE = Path(__file__).parent
DATA = HERE / "data" / "tfod-csv"
SAMPLES = HERE.parents[2].parent / "shared" / "samples" / "tfod-csv"
FORMAT = TfodCsv()
HEADER = "filename,width,height,class,xmin,ymin,xmax,ymax\n"
ROW = "a.jpg,64,48,cat,1,2,3,4\n"


def opened(files, **options):
    report = Report()
    files = {name: data.encode() if isinstance(data, str) else data for name, data in files.items()}
    dataset = read(MemorySource(files), format=FORMAT, options=options, report=report)
    return list(dataset.read(report)), report, dataset


def of_rows(*rows, header=HEADER, **files):
    return opened({"labels.csv": header + "".join(row + "\n" for row in rows), **files})


def codes(report):
    return {line.code: line.count for line in report.problems()}


def sample(path="a.jpg", *boxes, split=None, **more):
    made = tuple(Annotation(label="cat", box=box) for box in boxes or ((1.0, 2.0, 3.5, 4.0),))
    return Sample(path=path, size=(64, 48), splits=(split,) if split else (), annotations=made, **more)


def test_the_example_reads_with_exact_values():
    dataset = lg.read(DATA)
    one, two = dataset
    assert (one.key, one.size, one.image.read()) == ("train:img 1.png", (20, 10), png(20, 10))
    assert [(a.label, a.box) for a in one.annotations] == [("cat", (1.0, 2.0, 11.0, 8.0)), ("dog", (0.0, 0.0, 20.0, 10.0))]
    assert (two.path, two.annotations[0].label) == ("a,b.jpg", "dog, big")
    assert two.annotations[0].box == (10.0, 20.5, 110.0, 220.0)
    assert [(x.name, x.id) for x in dataset.complete().labels] == [("cat", 1), ("unused", 3), ("dog", 2), ("dog, big", None)]


def test_the_example_returns_row_by_row():
    before = (DATA / "train_labels.csv").read_text().splitlines()
    after = store(read(DATA, format=FORMAT), FORMAT)[0]["train_labels.csv"].decode().splitlines()
    assert after == [before[0], before[1], before[3], before[2]], "rows of one image are put together"


@pytest.mark.parametrize(
    "table",
    [
        "\ufeff" + HEADER + ROW, (HEADER + ROW).replace("\n", "\r\n"), (HEADER + ROW).replace(",", ";"),
        (HEADER + ROW).replace(",", "\t"), HEADER.upper() + ROW, HEADER.replace("class", "label") + ROW,
        HEADER.replace("class", "class_name") + ROW, "xmin,ymin,xmax,ymax,class,filename,height,width\n1,2,3,4,cat,a.jpg,48,64\n",
        HEADER + "\n" + ROW + "\n",
    ],
)  # fmt: skip
def test_spellings_of_a_table(table):
    (one,), report, _ = opened({"train_labels.csv": table})
    assert (one.key, one.size) == ("train:a.jpg", (64, 48))
    assert [(a.label, a.box) for a in one.annotations] == [("cat", (1.0, 2.0, 3.0, 4.0))]
    assert not codes(report)
    assert FORMAT.detect(MemorySource({"x.csv": table.encode()})) is not None


def test_other_columns_return_to_the_file():
    table = "Unnamed: 0,filename,width,height,class,xmin,ymin,xmax,ymax,confidence,confidence\n0,a.jpg,64,48,cat,1,2,3,4.5,0.9,\n"
    (one,), _, dataset = opened({"labels.csv": table})
    assert one.annotations[0].extra == {"tfod-csv": {"Unnamed: 0": "0", "confidence": "0.9"}}
    files, _ = store(dataset, FORMAT)
    assert files["labels.csv"].decode() == table.replace("confidence,confidence", "confidence,confidence.10")


def test_bad_rows_among_good_ones():
    samples, report, _ = of_rows("a.jpg,64,48,cat,1,2,3,4", "a.jpg,64,48,cat,1,x,3,4", "b.jpg,64,48,cat,1,2,3",
                                 "c.jpg,64,48,cat,1,2,nan,4", ",64,48,cat,1,2,3,4", "d.jpg,64,48,,1,2,3,4")  # fmt: skip
    assert [s.path for s in samples] == ["a.jpg", "d.jpg"]
    assert [len(s.annotations) for s in samples] == [1, 1]
    assert samples[1].annotations[0].label is None
    assert codes(report) == {"tfod-csv.number": 3, "tfod-csv.row": 1}
    assert [e["place"] for line in report.problems() for e in line.examples] == [f"labels.csv:{n}" for n in (6, 3, 4, 5)]


def test_shifted_columns_are_doubted_not_changed():
    (one,), report, _ = of_rows("a.jpg,64,48,cat,30,2,3,4")
    assert one.annotations[0].box == (30, 2, 3, 4) and codes(report) == {"tfod-csv.inverted": 1}


def test_images_are_found_beside_and_in_folders():
    files = {
        "train_labels.csv": HEADER + ROW, "images/train/a.jpg": png(64, 48), "images/val/a.jpg": png(1, 1),
        "val_labels.csv": HEADER + ROW.replace("64,48", "1,1"), "test_labels.csv": HEADER + ROW,
    }  # fmt: skip
    samples, report, _ = opened(files)
    assert {s.split: s.image and s.image.path for s in samples} == {
        "train": "images/train/a.jpg", "val": "images/val/a.jpg", "test": None,
    }  # fmt: skip
    assert not codes(report)
    (one,), _, _ = opened({"train/_annotations.csv": HEADER + ROW, "train/a.jpg": png(64, 48)})
    assert (one.key, one.image.path) == ("train:a.jpg", "train/a.jpg")


def test_one_file_listed_in_two_splits_is_in_both():
    files = {"train_labels.csv": HEADER + ROW, "test_labels.csv": HEADER + ROW, "images/a.jpg": png(64, 48)}
    assert {s.key: s.image.path for s in opened(files)[0]} == dict.fromkeys(("test:a.jpg", "train:a.jpg"), "images/a.jpg")


def test_a_name_with_another_ending_is_matched_and_told():
    (one,), report, _ = of_rows("x/a.jpg,64,48,cat,1,2,3,4", **{"images/a.jpeg": png(64, 48)})
    assert (one.path, one.image.path, codes(report)) == ("x/a.jpg", "images/a.jpeg", {"tfod-csv.image": 1})
    files = {"images/a.jpeg": png(64, 48)}
    samples, _, _ = of_rows("a.jpg,64,48,cat,1,2,3,4", "a.jpeg,64,48,cat,1,2,3,4", **files)
    assert [s.image and s.image.path for s in samples] == [None, "images/a.jpeg"]


@pytest.mark.parametrize(
    ("declared", "actual", "size", "problem"),
    [
        ("64,48", (64, 48), (64, 48), None), ("0,0", (64, 48), (64, 48), None), (",", (64, 48), (64, 48), None),
        ("48,64", (64, 48), (64, 48), "tfod-csv.size"), ("128,96", (64, 48), (128, 96), "tfod-csv.size"),
        ("0,0", None, None, None), ("64.0,48.0", None, (64, 48), None),
    ],
)  # fmt: skip
def test_which_size_counts(declared, actual, size, problem):
    (one,), report, _ = of_rows(f"a.png,{declared},cat,1,2,3,4", **({"a.png": png(*actual)} if actual else {}))
    assert (one.size, one.annotations[0].box) == (size, (1, 2, 3, 4))
    assert codes(report) == ({problem: 1} if problem else {})


def test_images_without_rows_only_if_asked_for():
    files = {"train_labels.csv": HEADER + ROW, "train/a.jpg": png(64, 48), "train/b.png": png(5, 6)}
    assert [s.key for s in opened(files)[0]] == ["train:a.jpg"]
    samples, _, _ = opened(files, empty_images=True)
    assert [(s.key, s.size, len(s.annotations)) for s in samples] == [("train:a.jpg", (64, 48), 1), ("train:b.png", (5, 6), 0)]


def test_images_without_objects_are_reported_when_written():
    """PAINS 33: an image without a row is gone, and that is said."""
    files, report = store(Dataset([sample(), Sample(path="b.jpg", annotations=())], ["cat"]), FORMAT)
    assert files["labels.csv"].decode().count("\n") == 2
    assert {line.code: line.count for line in report.losses()}["sample.empty"] == 1


def test_rows_are_what_pandas_scripts_expect():
    given = sample('x "1", a.jpg', (0.0, 1.5, 64.0, 48.0), split="train")
    files, _ = store(Dataset([given], ["cat"]), FORMAT)
    (row,) = csv.DictReader(io.StringIO(files["train_labels.csv"].decode()))
    assert row == {"filename": 'x "1", a.jpg', "width": "64", "height": "48", "class": "cat", "xmin": "0", "ymin": "1.5",
                   "xmax": "64", "ymax": "48"}  # fmt: skip
    assert files["label_map.pbtxt"] == b"item {\n  id: 1\n  name: 'cat'\n}\n"


def test_floats_return_exactly():
    box = (0.1 + 0.2, 1e-7, 1 / 3, 123456789.123)
    trip = travel(Dataset([sample("a.jpg", box)], ["cat"]), FORMAT)
    assert next(iter(trip.dataset)).annotations[0].box == box


def test_images_of_splits_are_written_apart(tmp_path):
    samples = [sample(split=s, image=BytesImage("a.jpg", png(64, 48) + s.encode())) for s in ("train", "val")]
    write(Dataset(samples, ["cat"]), tmp_path / "out", format="tfod-csv")
    assert sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.*")) == [
        "images/train/a.jpg", "images/val/a.jpg", "label_map.pbtxt", "train_labels.csv", "val_labels.csv",
    ]  # fmt: skip
    assert [s.image.read()[-3:] for s in lg.read(tmp_path / "out")] == [b"ain", b"val"]


def test_one_file_alone_tells_that_it_has_no_label_map(tmp_path):
    labels = [Label(key="unused", name="unused", id=4), Label(key="cat", name="cat", id=7)]
    outcome = write(Dataset([sample()], labels), tmp_path / "out.csv", format="tfod-csv")
    assert (tmp_path / "out.csv").read_text() == HEADER + "a.jpg,64,48,cat,1,2,3.5,4\n"
    assert {"labels.unused", "labels.id"} <= {line.code for line in outcome.report.losses()}


def test_detection():
    def best(table):
        return {m.format.id: m.confidence for m in candidates(MemorySource({"x.csv": table.encode()}), lg.registry)}

    assert best(HEADER + ROW)["tfod-csv"] == 0.95
    assert "tfod-csv" not in best('"image","xmin","ymin","xmax","ymax","label"\n"a.jpg",1,2,3,4,"cat"\n')
    assert "tfod-csv" not in best("a.jpg,1,2,3,4,cat\n")
    with pytest.raises(LabelglotError, match="no table with the columns"):
        opened({"x.csv": "a,b\n1,2\n"})


def test_reading_again_settles():
    first = travel(load({"labels.csv": (HEADER + ROW).encode()}, FORMAT)[0], FORMAT)
    assert travel(first.dataset, FORMAT).files == first.files


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
def test_sample():
    found = {s.path: s for s in lg.read(SAMPLES)}
    assert len(found) == 40 and sum(len(s.annotations) for s in found.values()) == 44
    twice = {path for path, s in found.items() if len(s.annotations) == 2}
    assert twice == {f"raccoon-{n}.jpg" for n in (72, 145, 168, 176)}
    assert {path for path, s in found.items() if s.image is not None} == {f"raccoon-{n}.jpg" for n in (125, 127, 143)}
    one = found["raccoon-127.jpg"]
    assert (one.split, one.size, one.annotations[0].box) == ("test", (253, 199), (125, 59, 212, 165))
    assert {a.label for s in found.values() for a in s.annotations} == {"raccoon"}
