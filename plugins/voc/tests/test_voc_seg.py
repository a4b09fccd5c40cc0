"""VOC segmentation: pictures of classes and of objects."""

import io
from pathlib import Path

import labelglot as lg
import numpy as np
import pytest
from labelglot.detection import detect
from labelglot.engine.convert import read
from labelglot.geometry import decode_string, encode_string, from_bitmap, to_bitmap
from labelglot.images import decode, decode_gray, encode_gray, encode_rgb
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Mask, Sample
from labelglot.storage import MemorySource, open_source
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, store, travel
from labelglot_voc import VocSeg
from labelglot_voc.voc_seg import palette
from PIL import Image

DATA = Path(__file__).parent / "data" / "voc-seg"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "voc-seg"
FORMAT = VocSeg()
CLASS, OBJECT = "SegmentationClass/a.png", "SegmentationObject/a.png"


def opened(files):
    report = Report()
    content = {k: v.encode() if isinstance(v, str) else v for k, v in files.items()}
    dataset = read(MemorySource(content), format=FORMAT, report=report)
    return list(dataset.read(report)), {line.code: line.count for line in report.problems()}


def grey(*values):
    return encode_gray(np.array([values], dtype=np.uint16))


def rgb(*values):
    return encode_rgb(np.array([values], dtype=np.uint8))


def pixels(a):
    return np.argwhere(to_bitmap(decode_string(a.shape.rle), a.shape.height, a.shape.width)).tolist()


def columns(sample):
    return [(a.label, [x for _, x in pixels(a)]) for a in sample.annotations]


def strip(*columns, width=4):
    bits = np.zeros((1, width), dtype=bool)
    bits[0, list(columns)] = True
    return Mask(width=width, height=1, rle=encode_string(from_bitmap(bits)))


def test_the_palette_of_the_challenge():
    known = {
        0: (0, 0, 0),
        1: (128, 0, 0),
        2: (0, 128, 0),
        3: (128, 128, 0),
        4: (0, 0, 128),
        15: (192, 128, 128),
        255: (224, 224, 192),
    }
    assert {i: palette()[i] for i in known} == known and len(set(palette())) == 256


def test_the_example_reads_with_exact_values():
    dataset = lg.read(DATA)
    (sample,) = dataset
    assert (sample.path, sample.size, sample.splits) == ("0001", (4, 3), ("train",))
    plane, person, void = sample.annotations
    assert (plane.label, pixels(plane)) == ("aeroplane", [[0, 2], [0, 3], [1, 2], [1, 3]])
    assert (person.label, pixels(person)) == ("person", [[2, 0], [2, 1]])
    assert (void.label, pixels(void), void.attributes) == ("ignore", [[1, 1]], {"ignore": True})
    assert [(x.name, x.color) for x in dataset.labels] == [("aeroplane", "#800000"), ("person", "#008000")]


def test_the_example_is_written_as_it_was():
    trip = travel(lg.read(DATA), FORMAT)
    for name in ("SegmentationClass/0001.png", "SegmentationObject/0001.png"):
        mine, given = decode(trip.files[name]), decode((DATA / name).read_bytes())
        assert (
            mine.mode == given.mode == "P" and np.array_equal(mine, given) and mine.getpalette() == given.getpalette()
        )
    assert trip.files["ImageSets/Segmentation/train.txt"] == b"0001\n"
    assert trip.files["labelmap.txt"] == (DATA / "labelmap.txt").read_bytes() + b"ignore:::\n"
    assert {line.code for line in trip.written.losses()} == set()


def test_colours_are_looked_up():
    table = "background:5,5,5::\ncat:9,8,7::\ndog:9,8,7::\n"
    (sample,), problems = opened({CLASS: rgb((5, 5, 5), (9, 8, 7), (224, 224, 192), (1, 2, 3)), "labelmap.txt": table})
    assert columns(sample) == [("cat", [1]), ("color_010203", [3]), ("ignore", [2])] and problems == {
        "voc-seg.color": 1
    }
    (sample,), _ = opened({CLASS: rgb((0, 0, 0), (0, 128, 0)), OBJECT: rgb((0, 0, 0), (128, 0, 0))})
    assert columns(sample) == [("bicycle", [1])]


def test_a_palette_that_is_not_that_of_the_challenge_counts_by_colour():
    image = Image.fromarray(np.array([[0, 1, 2]], dtype=np.uint8), "P")
    image.putpalette([0, 0, 0, 0, 0, 9, 9, 0, 0])
    image.save(out := io.BytesIO(), "PNG")
    (sample,), _ = opened({CLASS: out.getvalue(), "labelmap.txt": "background:0,0,0::\ncat:9,0,0::\ndog:0,0,9::\n"})
    assert columns(sample) == [("dog", [1]), ("cat", [2])]
    (sample,), _ = opened({CLASS: out.getvalue()})
    assert columns(sample) == [("aeroplane", [1]), ("bicycle", [2])]


def test_one_picture_alone():
    (sample,), _ = opened({CLASS: grey(1, 0, 1, 30)})
    assert columns(sample) == [("aeroplane", [0, 2]), ("class_30", [3])]
    (sample,), _ = opened({OBJECT: grey(2, 0, 1, 255)})
    assert columns(sample) == [(None, [2]), (None, [0]), ("ignore", [3])]


def test_pictures_that_disagree():
    (sample,), problems = opened({CLASS: grey(1, 1, 2, 3), OBJECT: grey(1, 1, 1, 0)})
    assert columns(sample) == [("aeroplane", [0, 1, 2]), ("bird", [3])] and problems == {"voc-seg.classes": 1}
    (sample,), problems = opened({CLASS: grey(1, 1), OBJECT: grey(1, 1, 1), "JPEGImages/a.png": png(5, 1)})
    assert columns(sample) == [("aeroplane", [0, 1])] and problems == {"voc-seg.size": 2}


def test_a_listed_image_without_picture_is_unlabelled():
    samples, _ = opened(
        {CLASS: grey(0, 0), "ImageSets/Segmentation/val.txt": "a\nb\n", "ImageSets/Main/train.txt": "a\n"}
    )
    assert [(s.path, s.annotations, s.splits) for s in samples] == [("a", (), ("val",)), ("b", None, ("val",))]


def test_overlaps_and_void():
    objects = [("cat", strip(0, 1)), ("ignore", strip(1, 3)), (None, strip(2, 3)), ("ignore", strip(0))]
    dataset = Dataset(
        [Sample(path="a", size=(4, 1), annotations=tuple(Annotation(label=x, shape=m) for x, m in objects))],
        ["cat", "ignore"],
    )
    files, report = store(dataset, FORMAT)
    assert np.asarray(decode(files[OBJECT])).tolist() == [[255, 255, 1, 255]]
    assert np.asarray(decode(files[CLASS])).tolist() == [[255, 255, 0, 255]]
    assert {"mask.covered", "mask.overlap", "mask.joined"} <= {line.code for line in report.losses()}


def test_more_than_254_objects_and_classes():
    names = [f"c{i}" for i in range(300)]
    objects = tuple(Annotation(label=x, shape=strip(i, width=300)) for i, x in enumerate(names))
    files, report = store(Dataset([Sample(path="a", size=(300, 1), annotations=objects)], names), FORMAT)
    assert decode_gray(files[CLASS])[0, 253:256].tolist() == [254, 256, 257] and not report.losses()
    (sample,) = load(files, FORMAT)[0]
    assert [a.label for a in sample.annotations] == names


def test_detection():
    assert detect(open_source(DATA), lg.registry).id == "voc-seg"
    assert FORMAT.detect(MemorySource({CLASS: grey(1), "Annotations/a.xml": b"<annotation/>"})).confidence == 0.7
    assert FORMAT.detect(MemorySource({"ImageSets/Segmentation/train.txt": b"a\n"})).confidence == 0.7
    assert FORMAT.detect(MemorySource({"masks/a.png": grey(1), "ImageSets/Main/train.txt": b"a\n"})) is None


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
def test_the_shared_samples():
    samples = {s.path: s for s in lg.read(SAMPLES / "voc2007_real", format="voc-seg")}
    assert {p: s.size for p, s in samples.items()} == {
        "2007_000032.jpg": (500, 281),
        "subdir/2007_000033.jpg": (500, 366),
    }
    assert [(a.label, len(pixels(a))) for a in samples["2007_000032.jpg"].annotations] == [
        ("aeroplane", 4734),
        ("person", 866),
        ("ignore", 5355),
    ]
    assert [(a.label, len(pixels(a))) for a in samples["subdir/2007_000033.jpg"].annotations] == [
        ("aeroplane", 30937),
        ("ignore", 8195),
    ]
    one, two = lg.read(SAMPLES / "datumaro_voc1", format="voc-seg")
    assert [(a.label, len(pixels(a))) for a in one.annotations] == [("bicycle", 200)] and (one.splits, two.splits) == (
        ("train",),
        ("test",),
    )
    assert two.annotations is None
