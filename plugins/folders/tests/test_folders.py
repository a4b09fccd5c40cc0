"""Trees of images: exact values of hand-made examples, the quirks, and real data."""

import json
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.detection import candidates
from labelglot.engine.convert import read, write
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Sample, Tag
from labelglot.storage import MemorySource, MemoryTarget, open_source
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, travel
from labelglot_folders import FolderClassification, HfImagefolder, Oidv4

DATA = Path(__file__).parent / "data"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples"
FORMATS = {f.id: f() for f in (FolderClassification, HfImagefolder, Oidv4)}
PNG = png(4, 3)


def opened(id_, files, **options):
    report = Report()
    content = {name: text if isinstance(text, bytes) else text.encode() for name, text in files.items()}
    dataset = read(MemorySource(content), format=FORMATS[id_], options=options, report=report)
    samples = list(dataset.read(report))
    return samples, dataset.replace(samples=samples).complete().labels, report


def codes(report):
    return {line.code.partition(".")[2]: line.count for line in report.problems()}


def tagged(samples):
    return {s.key: [t.label for t in s.tags] for s in samples}


def boxes(samples):
    return [[(a.label, a.box) for a in s.annotations] for s in samples]


@pytest.mark.parametrize("id_", FORMATS)
def test_the_example_is_written_as_it_was(id_):
    folder = DATA / id_
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}
    assert travel(load(files, FORMATS[id_])[0], FORMATS[id_]).files == files


@pytest.mark.parametrize("id_", ["hf-imagefolder", "oidv4"])
def test_the_example_is_detected(id_):
    first, *others = candidates(open_source(DATA / id_), lg.registry)
    assert first.format.id == id_ and all(c.confidence < first.confidence - 0.1 for c in others)


def test_folders_of_classes():
    dataset = lg.read(DATA / "folder-classification", format="folder-classification")
    assert tagged(dataset) == {
        "train:cat/001.png": ["cat"], "train:cat/002.png": ["cat"], "train:dog/001.png": ["dog"],
        "val:cat/003.png": ["cat"], "val:unlabeled/004.png": [],
    }
    assert [label.name for label in dataset.labels] == ["cat", "dog"]
    assert all(s.size == (4, 3) and s.annotations == () for s in dataset)


def test_trees_of_the_wild():
    files = {"data/classes.txt": "", "x/10/a.png": PNG, "x/2/a.PNG": PNG, "x/2/deep/b.png": PNG, ".ipynb_checkpoints/c.png": PNG, "d.png": PNG}
    samples, labels, report = opened("folder-classification", {k.removeprefix("x/"): v for k, v in files.items()})
    assert tagged(samples) == {"10/a.png": ["10"], "2/a.PNG": ["2"], "2/deep/b.png": ["2"], "d.png": []}
    assert [label.name for label in labels] == ["10", "2", "data"] and codes(report) == {"unfiled": 1}
    own, labels, _ = opened("folder-classification", {"a/b/1.png": PNG, "a/2.png": PNG}, nested="own")
    assert tagged(own) == {"a/2.png": ["a"], "a/b/1.png": ["a/b"]}
    assert [(label.name, label.parent) for label in labels] == [("a", None), ("a/b", "a")]
    prefix, _, _ = opened("folder-classification", {"all/cat.1.png": PNG}, prefix=True)
    assert tagged(prefix) == {"all/cat.1.png": ["cat"]}


def test_classes_of_all_splits_are_sorted_together():
    _, labels, _ = opened("folder-classification", {"train/dog/1.png": PNG, "train/pig/2.png": PNG, "val/cat/3.png": PNG})
    assert [label.name for label in labels] == ["cat", "dog", "pig"]


def test_other_trees_are_not_folders_of_classes():
    for files in ({"images/a.png": PNG}, {"train/images/a.png": PNG}, {"cat/a.png": PNG, "cat/a.json": b"{}"}, {"a.png": PNG}, {"train/a.png": PNG}):
        assert FORMATS["folder-classification"].detect(MemorySource(files)) is None, files


def test_images_are_put_into_the_folder_of_their_class():
    from labelglot.images import BytesImage

    image = BytesImage("x.png", PNG)
    samples = [
        Sample(path="a.png", image=image, tags=(Tag(label="x/y"), Tag(label="b")), annotations=()),
        Sample(path="b/a.png", image=image, tags=(Tag(label="b"),), annotations=()),
        Sample(path="c.png", image=image, annotations=()),
        Sample(path="gone.png", tags=(Tag(label="b"),), annotations=()),
    ]
    target = MemoryTarget()
    report = write(Dataset(samples, ["x/y", "b"]), target, format=FORMATS["folder-classification"]).report
    assert set(target.content) == {"x_y/a.png", "b/a.png", "unlabeled/c.png"}
    assert {"sample.image", "tags.label", "path.renamed", "labels.name"} <= {line.code for line in report.losses()}


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
def test_folder_sample():
    where = SAMPLES / "folder-classification"
    top = lg.read(where, format="folder-classification")
    assert tagged(top) == {
        "label_0/label_0_1.jpg": ["label_0"], "label_0_2.jpg": [], "label_1/label_1_1.jpg": ["label_1"],
        "label_1/label_1_1/label_1_1.jpg": ["label_1"],
    }
    own = lg.read(where, format="folder-classification", options={"nested": "own"})
    assert tagged(own)["label_1/label_1_1/label_1_1.jpg"] == ["label_1/label_1_1"]
    assert [label.parent for label in own.labels] == [None, None, "label_1"]
    assert [s.size for s in top] == [(8, 8), (10, 10), (8, 8), (8, 8)]


def test_imagefolder_values():
    dataset = lg.read(DATA / "hf-imagefolder")
    first, second = dataset
    assert (first.key, first.size, first.tags) == ("train:0001.png", (6, 4), (Tag(text="two things"),))
    assert first.annotations == (
        Annotation(label="mask", box=(1, 1, 4, 3), id=114),
        Annotation(label="coverall", box=(0.5, 0, 2.5, 2), id=115, extra={"hf-imagefolder": {"area": 3.5}}),
    )
    assert first.extra == {"hf-imagefolder": {"site": "A"}}
    assert (second.key, second.size, second.annotations) == ("train:sub/0002.png", (640, 480), ())
    assert [(label.name, label.id) for label in dataset.labels] == [("coverall", 0), ("mask", 1)]
    assert dataset.info.licenses == ("cc-by-4.0",)


def test_imagefolder_rows_of_the_wild():
    rows = [
        {"file_name": "a.png", "objects": [{"bbox": [1, 2, 3, 4], "category": "cat", "iscrowd": 1, "pose": "up"}]},
        {"file_name": "b.png", "label": 3, "caption": ["one", "two"], "objects": {"boxes": [[1, 2, 3, 4]], "labels": [-1]}},
        {"file_name": "c.png", "objects": {"bbox": [[1, 2, 3, 4]], "category": [1, 2]}},
        {"file_name": "d.png", "objects": {"bbox": [[1, 2, "x", 4], [1, 2, 3, 4]], "categories": [0, 1]}},
        {"nothing": 1},
    ]
    files = {"metadata1000.jsonl": "\n".join(map(json.dumps, rows)) + "\n{broken\n", "classes.txt": "cat\ndog\n", "z.png": PNG}
    (a, b, c, d), labels, report = opened("hf-imagefolder", files)
    assert a.annotations == (
        Annotation(label="cat", box=(1, 2, 4, 6), attributes={"crowd": True}, extra={"hf-imagefolder": {"pose": "up"}}),
    )
    assert b.tags == (Tag(label="class_3"), Tag(text="one"), Tag(text="two")) and b.annotations[0].label is None
    assert boxes([c, d]) == [[], [("dog", (1, 2, 4, 6))]]
    assert [label.name for label in labels] == ["cat", "dog", "class_3"]
    assert codes(report) == {"row": 2, "objects": 1, "bbox": 1, "unlisted": 1}


def test_imagefolder_csv_and_other_boxes():
    text = 'file_name,label,objects\na.png,0001,"{\'bbox\': [[10, 10, 30, 20]], \'category\': [0]}"\n"b.png",,\n'
    (a, b), _, _ = opened("hf-imagefolder", {"val/metadata.csv": text})
    assert (a.key, boxes([a])) == ("val:a.png", [[("class_0", (10, 10, 40, 30))]]) and b.annotations == ()
    row = {"file_name": "a.png", "width": 40, "height": 40, "objects": {"bbox": [[20, 25, 40, 40]], "category": [0]}}
    files = {"metadata.jsonl": json.dumps(row)}
    (a,), _, report = opened("hf-imagefolder", files)
    assert codes(report) == {"bbox_format": 1} and a.annotations[0].box == (20, 25, 60, 65)
    (a,), _, report = opened("hf-imagefolder", files, bbox_format="xyxy")
    assert codes(report) == {} and a.annotations[0].box == (20, 25, 40, 40)
    row["objects"]["bbox"] = [[0.25, 0.5, 0.5, 0.25]]
    (a,), _, _ = opened("hf-imagefolder", {"metadata.jsonl": json.dumps(row)}, bbox_units="fractions")
    assert a.units == "relative" and a.annotations[0].box == (0.25, 0.5, 0.75, 0.75)


def test_imagefolder_rows_have_the_same_columns_and_only_those_in_use():
    samples = [
        Sample(path="a.jpg", annotations=()),
        Sample(path="b.jpg", annotations=(Annotation(label="cat", box=(1, 2, 3, 4), score=0.5),)),
    ]
    files = travel(Dataset(samples, ["cat"]), FORMATS["hf-imagefolder"]).files
    rows = [json.loads(line) for line in files["metadata.jsonl"].splitlines()]
    assert rows == [
        {"file_name": "a.jpg", "objects": {"bbox": [], "area": [], "category": [], "score": []}},
        {"file_name": "b.jpg", "objects": {"bbox": [[1, 2, 2, 2]], "area": [4], "category": [0], "score": [0.5]}},
    ]


def test_imagefolder_one_file_has_names(tmp_path):
    samples = [Sample(path="b.jpg", annotations=(Annotation(label="cat", box=(1, 2, 3, 4)),))]
    write(Dataset(samples, ["cat", "dog"]), tmp_path / "m.jsonl", format=FORMATS["hf-imagefolder"])
    row = json.loads((tmp_path / "m.jsonl").read_text())
    assert row["objects"]["category"] == ["cat"]
    assert boxes(lg.read(tmp_path / "m.jsonl", format="hf-imagefolder")) == [[("cat", (1, 2, 3, 4))]]


def test_oidv4_values():
    dataset = lg.read(DATA / "oidv4").complete()
    assert {s.key: boxes([s])[0] for s in dataset} == {
        "train:Apple/0123456789abcdef": [("Apple", (131.884032, 104.819712, 879.562752, 875.342848)), ("Apple", (0, 12.5, 100.25, 99))],
        "train:Vehicle registration plate/fedcba9876543210": [("Vehicle registration plate", (385.28, 445.15, 618.24, 514.225))],
        "validation:Apple_Orange/00aa11bb22cc33dd": [("Apple", (10, 20, 110, 140)), ("Orange", (200, 20, 310, 140))],
    }


def test_oidv4_trees_of_the_wild():
    files = {
        "train/Apple/Labels/1.txt": "Apple 30 40 10 20\nApple 1 2 3 4\nApple 1 2 3 4\nApple 1 2 3\r\n",
        "train/Apple/1.png": PNG, "train/Apple/2.png": PNG, "train/Pear/Label/1.txt": "Pear 5 6 7 8\n", "train/Pear/1.png": PNG,
    }
    samples, _, report = opened("oidv4", files)
    assert {s.key: boxes([s])[0] for s in samples} == {
        "train:Apple/1.png": [("Apple", (10, 20, 30, 40)), ("Apple", (1, 2, 3, 4)), ("Apple", (1, 2, 3, 4))],
        "train:Apple/2.png": [], "train:Pear/1.png": [("Pear", (5, 6, 7, 8))],
    }
    assert codes(report) == {"order": 1, "duplicate": 1, "line": 1} and samples[0].size == (4, 3)
    merged, _, _ = opened("oidv4", files, merge=True, duplicates=False)
    assert [len(s.annotations) for s in merged] == [3, 0]


def test_oidv4_is_not_kitti():
    line = b"Car 0.00 0 -1.57 599.41 156.40 629.75 189.25 2.85 2.63 12.34 0.47 1.49 69.44 -1.56\n"
    assert FORMATS["oidv4"].detect(MemorySource({"train/Label/1.txt": line})) is None


def test_oidv4_puts_images_into_folders():
    samples = [Sample(path=f"{n}.jpg", annotations=(Annotation(label="x/y", box=(3, 4, 1, 2)),) if n == "a" else ()) for n in "ab"]
    files = travel(Dataset(samples, ["x/y"]), FORMATS["oidv4"]).files
    assert files == {"OID/Dataset/unsplit/x_y/Label/a.txt": b"x_y 1 2 3 4\n", "OID/Dataset/unsplit/none/Label/b.txt": b""}
