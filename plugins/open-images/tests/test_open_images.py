"""Open Images: boxes, image labels and masks in CSV files."""

from pathlib import Path

import labelglot as lg
import numpy as np
import pytest
from labelglot.detection import detect
from labelglot.engine.convert import read
from labelglot.geometry import decode_string, to_bitmap
from labelglot.images import decode_gray, encode_gray
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Sample, Tag
from labelglot.storage import MemorySource, open_source
from labelglot.testing.strategies import png
from labelglot.testing.travel import travel
from labelglot_open_images import OpenImages

DATA = Path(__file__).parent / "data" / "open-images"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "open-images"
FORMAT = OpenImages()
BOXES = (
    "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside\n"
)
LABELS = "ImageID,Source,LabelName,Confidence\n"
MASKS = "MaskPath,ImageID,LabelName,BoxID,BoxXMin,BoxXMax,BoxYMin,BoxYMax,PredictedIoU,Clicks\n"


def opened(files):
    report = Report()
    content = {k: v.encode() if isinstance(v, str) else v for k, v in files.items()}
    dataset = read(MemorySource(content), format=FORMAT, report=report)
    return list(dataset.read(report)), dataset, {line.code: line.count for line in report.problems()}


def source_of(item):
    return item.extra.get("open-images", {}).get("Source")


def test_the_example_reads_with_exact_values():
    dataset = lg.read(DATA)
    full, empty = dataset
    assert [(x.id, x.name, x.parent) for x in dataset.labels] == [
        ("/m/0k4j", "Car", "Vehicle"), ("/m/01g317", "Person", None), ("/m/07yv9", "Vehicle", None),
    ]  # fmt: skip
    assert (full.path, full.splits, full.size, full.uri) == (
        "000a1b2c3d4e5f60",
        ("train",),
        (200, 100),
        "https://example.org/a.jpg",
    )
    assert full.extra["open-images"]["Title"] == "One, two" and full.extra["open-images"]["Author"] == "Anna"
    car, person = full.annotations
    assert (car.label, car.box, car.score, source_of(car)) == ("Car", (20, 20, 110, 80), None, "xclick")
    assert car.attributes == {"occluded": False, "truncated": True, "depiction": False, "inside": False}
    assert car.extra["open-images"] == {
        "Source": "xclick",
        "BoxID": "12ab34cd",
        "PredictedIoU": "0.87",
        "Clicks": "0.3 0.4 1;0.2 0.2 0",
    }
    assert to_bitmap(decode_string(car.shape.rle), 100, 200).sum() == 60 * 90 - 100
    assert (person.box, person.score, person.attributes) == ((100, 0, 150, 100), 0.75, {"crowd": True})
    assert [(t.label, t.negative, t.score, source_of(t)) for t in full.tags] == [
        ("Car", False, None, "verification"), ("Person", True, None, "verification"), ("Vehicle", False, 0.7, "machine"),
    ]  # fmt: skip
    assert (empty.path, empty.splits, empty.annotations) == ("000a1b2c3d4e5f61", ("validation",), ())


def test_the_example_is_written_as_it_was_without_loss():
    trip = travel(lg.read(DATA), FORMAT)
    files = {str(p.relative_to(DATA)): p.read_bytes() for p in DATA.rglob("*.*")}
    assert set(trip.files) == set(files) and not trip.written.losses()
    for name, data in files.items():
        same = (lambda x: decode_gray(x).tolist()) if name.endswith(".png") else (lambda x: x)
        assert (same(trip.files[name]) == same(data)) or (np.array(same(trip.files[name])) > 0).tolist() == (
            np.array(same(data)) > 0
        ).tolist()


def test_confidence_1_is_no_score_but_1_0_is():
    objects = tuple(Annotation(label="c", box=(1, 2, 3, 4), score=score) for score in (None, 1.0, 0.0))
    tags = tuple(
        Tag(label="c", negative=n, score=s)
        for n, s in ((False, None), (False, 1.0), (False, 0.0), (True, None), (True, 0.5))
    )
    dataset = Dataset([Sample(path="a", size=(10, 10), annotations=objects, tags=tags)], ["c"])
    (sample,) = travel(dataset, FORMAT).dataset
    assert [a.score for a in sample.annotations] == [None, 1.0, 0.0]
    assert [(t.negative, t.score) for t in sample.tags] == [(t.negative, t.score) for t in tags]


def test_unknown_flags_are_no_flags_and_columns_go_by_name():
    text = (
        "ImageID,LabelName,Source,Confidence,YMin,YMax,XMin,XMax,IsOccluded,XClick1X\na,/m/1,x,,0.25,0.5,0,1,-1,0.1\n"
    )
    (sample,), dataset, _ = opened({"train-annotations-bbox.csv": text})
    (found,) = sample.annotations
    assert (found.box, found.attributes, found.score) == ((0, 0.25, 1, 0.5), {}, None) and sample.units == "relative"
    assert [(x.name, x.id) for x in dataset.labels] == [("/m/1", "/m/1")]


def test_names_of_files_of_all_versions():
    for name, split in (
        ("oidv6-train-annotations-bbox.csv", "train"), ("validation-annotations-bbox.csv", "validation"),
        ("test/labels/detections.csv", "test"), ("annotations/default-annotations-bbox.csv", None),
    ):  # fmt: skip
        (sample,), _, _ = opened({name: BOXES + "a,,/m/1,1,0,1,0,1,0,0,0,0,0\n"})
        assert sample.split == split


def test_two_classes_of_one_name():
    files = {
        "class-descriptions.csv": "/m/1,Bat\n/m/2,Bat\n",
        "train-annotations-bbox.csv": BOXES + "a,,/m/2,1,0,1,0,1,0,0,0,0,0\n",
    }
    (sample,), dataset, _ = opened(files)
    assert [x.key for x in dataset.labels] == ["Bat", "Bat#/m/2"] and sample.annotations[0].label == "Bat#/m/2"


def test_masks_are_stretched_and_find_their_box():
    rows = BOXES + "a,,/m/1,1,0,1,0,1,0,0,0,0,0\na,,/m/1,1,0,0.5,0,1,0,0,0,0,0\n"
    masks = MASKS + "m.png,a,/m/1,ff,0,0.5,0,1,,\nn.png,a,/m/1,fe,0.1,0.2,0,1,,\nx.png,a,/m/1,fd,0,1,0,1,,\n"
    bits = encode_gray(np.array([[1, 0], [1, 0]], dtype=np.uint8))
    files = {"train-annotations-bbox.csv": rows, "train-annotations-object-segmentation.csv": masks}
    (sample,), _, problems = opened(
        {**files, "masks/m.png": bits, "masks/train/n.png": bits, "images/train/a.png": png(8, 4)}
    )
    one, two, three = sample.annotations
    assert one.shape is None and problems == {"open-images.mask": 1}
    assert to_bitmap(decode_string(two.shape.rle), 4, 8).tolist() == [[1] * 4 + [0] * 4] * 4
    assert three.box == pytest.approx((0.8, 0, 1.6, 4)) and three.shape is not None


def test_bad_rows_among_good_ones():
    good = "a,,/m/1,1,0,1,0,1,0,0,0,0,0\n"
    text = BOXES + good + ",,/m/1,1,0,1,0,1\na,,/m/1,1,x,1,0,1\na,,/m/1,1,nan,1,0,1\na,,/m/1,1,0,1\n" + good
    (sample,), _, problems = opened(
        {"train-annotations-bbox.csv": text, "train-annotations-human-imagelabels.csv": LABELS + "a,,/m/1,maybe\n"}
    )
    assert len(sample.annotations) == 2 and sample.tags == () and problems == {"open-images.row": 5}


def test_ids_of_any_shape():
    box = (Annotation(label="c", box=(1, 2, 3, 4)),)
    dataset = Dataset([Sample(path=p, size=(10, 20), annotations=box) for p in ('d/a "b",c.jpg', "é.png", "x")], ["c"])
    assert sorted(s.path for s in travel(dataset, FORMAT).dataset) == sorted(['d/a "b",c', "é", "x"])


def test_detection():
    assert detect(open_source(DATA), lg.registry).id == "open-images"
    other = b"image_id,x_min,x_max\n"
    assert FORMAT.detect(MemorySource({"train.csv": other, "x.csv": b"ImageID,Subset\n"})) is None


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
def test_the_shared_samples():
    report = Report()
    dataset = lg.read(SAMPLES / "v6", format="open-images", report=report)
    found = {s.path: s for s in dataset.read(report)}
    assert set(found) == {"a.jpg", "b.jpg", "c.jpg", "d.png"}
    assert [(x.id, x.parent) for x in dataset.labels] == [
        ("/m/0", "/m/x"),
        ("/m/1", "Generic label #0"),
        ("/m/2", None),
        ("/m/3", None),
    ]
    b, c, d = found["b.jpg"], found["c.jpg"], found["d.png"]
    assert [(t.label, t.negative) for t in found["a.jpg"].tags] == [("Generic label #0", False)]
    assert [(t.label, t.negative) for t in b.tags] == [("Generic label #0", True)]
    assert (
        b.size == (8, 2)
        and b.annotations[0].box == pytest.approx((1.6, 0.6, 8, 1))
        and b.annotations[0].attributes == {}
    )
    assert to_bitmap(decode_string(b.annotations[0].shape.rle), 2, 8).tolist() == [[1, 1, 0, 0, 0, 0, 0, 0]] * 2
    assert b.annotations[0].extra["open-images"]["BoxID"] == "01234567"
    assert c.size == (5, 10) and c.annotations[0].box == pytest.approx((3.5, 0, 4, 5)) and c.annotations[0].score == 0.7
    assert c.annotations[0].attributes == {
        "occluded": True,
        "truncated": False,
        "crowd": True,
        "depiction": False,
        "inside": False,
    }
    assert (d.splits, d.annotations, len(c.tags)) == (("validation",), (), 2)
    assert [(line.code, line.count) for line in report.problems()] == [("open-images.columns", 1)]
    v5 = lg.read(SAMPLES / "v5", format="open-images")
    assert sorted(s.key for s in v5) == ["test:cc.jpg", "train:aa.jpg"] and len(v5.labels) == 2
