"""Semantic masks: pictures whose pixels are classes."""

import io
import json
from pathlib import Path

import labelglot as lg
import numpy as np
import pytest
from labelglot.detection import detect
from labelglot.engine.convert import read
from labelglot.geometry import decode_string, encode_string, from_bitmap, to_bitmap
from labelglot.images import decode_gray, encode_gray, encode_rgb
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Label, Mask, Polygon, Sample
from labelglot.storage import MemorySource, open_source
from labelglot.testing.strategies import png
from labelglot.testing.travel import store, travel
from labelglot_masks import SemanticMasks
from PIL import Image

DATA = Path(__file__).parent / "data" / "semantic-masks"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "semantic-masks"
FORMAT = SemanticMasks()
PICTURE = np.array([[0, 0, 1, 1], [0, 2, 2, 255]], dtype=np.uint8)
TABLE = "Pixel Value, Class\n0, background\n1, cat\n2, dog\n"


def opened(files):
    report = Report()
    content = {k: v.encode() if isinstance(v, str) else v for k, v in files.items()}
    dataset = read(MemorySource(content), format=FORMAT, report=report)
    return list(dataset.read(report)), dataset, {line.code: line.count for line in report.problems()}


def pixels(a):
    return to_bitmap(decode_string(a.shape.rle), a.shape.height, a.shape.width).astype(int).tolist()


def named(sample):
    return {a.label: pixels(a) for a in sample.annotations}


def rgb(*rows):
    return encode_rgb(np.array(rows, dtype=np.uint8))


def test_the_example_reads_with_exact_values():
    dataset = lg.read(DATA)
    (sample,) = dataset
    assert (sample.path, sample.size, sample.splits) == ("a", (4, 2), ("train",))
    assert [(a.label, pixels(a)) for a in sample.annotations] == [
        ("cat", [[0, 0, 1, 1], [0, 0, 0, 0]]), ("dog, big", [[0, 0, 0, 0], [0, 1, 1, 0]]), ("ignore", [[0, 0, 0, 0], [0, 0, 0, 1]]),
    ]  # fmt: skip
    assert [a.attributes for a in sample.annotations] == [{}, {}, {"ignore": True}]
    assert [(x.id, x.name) for x in dataset.labels] == [(0, "background"), (1, "cat"), (2, "dog, big"), (255, "ignore")]


def test_the_example_is_written_as_it_was_without_loss():
    trip = travel(lg.read(DATA), FORMAT)
    assert set(trip.files) == {"train/_classes.csv", "train/masks/a.png"} and not trip.written.losses()
    assert trip.files["train/_classes.csv"] == (DATA / "train/_classes.csv").read_bytes()
    assert decode_gray(trip.files["train/masks/a.png"]).tolist() == PICTURE.tolist()


def test_roboflow_puts_pictures_beside_images():
    (sample,), _, _ = opened(
        {"train/a.png": png(4, 2), "train/a_mask.png": encode_gray(PICTURE), "train/_classes.csv": TABLE}
    )
    assert (sample.path, sample.splits, list(named(sample))) == ("a.png", ("train",), ["cat", "dog", "ignore"])


def test_names_with_prefixes_and_other_folders():
    for image, mask in (
        ("images/x/image_1.png", "labels/x/gt_1.png"),
        ("img/1.png", "annotations/1_labelTrainIds.png"),
        ("images/1.png", "masks/1.png"),
    ):
        (sample,), _, _ = opened({image: png(4, 2), mask: encode_gray(PICTURE)})
        assert sample.image is not None and sample.path == image.partition("/")[2]
        assert list(named(sample)) == ["class_1", "class_2", "ignore"]


def test_an_image_without_picture_is_unlabelled_and_zeros_are_empty():
    a, b = opened({"images/a.png": png(4, 2), "images/b.png": png(4, 2), "masks/b.png": encode_gray(PICTURE * 0)})[0]
    assert a.annotations is None and b.annotations == ()


def test_a_void_that_no_table_names_keeps_its_number():
    dataset = opened({"masks/a.png": encode_gray(PICTURE), "_classes.csv": TABLE})[1]
    assert [(x.id, x.name) for x in dataset.labels][-1] == (255, "ignore")


def test_tables_of_other_tools():
    meta = {
        "label_map": {"0": "Void", "1": "cat", "2": "dog"},
        "segmentation_colors": [[0, 0, 0], [9, 8, 7], [1, 2, 3]],
        "background_label": "0",
    }
    for name, text in (
        ("labelmap.csv", "name,r,g,b\nbackground,0,0,0\ncat,9,8,7\ndog,1,2,3\n"), ("dataset_meta.json", json.dumps(meta)),
        ("labelmap.txt", "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:9,8,7::\ndog:1,2,3::\n"),
        ("label_colors.txt", "0 0 0 background\n9 8 7 cat\n1 2 3 dog\n"),
    ):  # fmt: skip
        colors = rgb([[0, 0, 0], [9, 8, 7], [1, 2, 3]])
        swapped = rgb([[0, 0, 0], [7, 8, 9], [3, 2, 1]])
        index = encode_gray(np.array([[0, 1, 2]], dtype=np.uint8))
        equal = rgb([[0, 0, 0], [1, 1, 1], [2, 2, 2]])
        for picture in (colors, swapped, index, equal):
            (sample,), dataset, problems = opened({"masks/a.png": picture, name: text})
            assert named(sample) == {"cat": [[0, 1, 0]], "dog": [[0, 0, 1]]} and not problems
            assert [x.name for x in dataset.labels] == ["background", "cat", "dog"]
    for name, text in (
        ("classes.txt", "road\ncat\n"),
        ("classes.json", '{"0": "road", "1": "cat"}'),
        ("data.yaml", "names: [road, cat]\n"),
    ):
        (sample,), _, _ = opened({"masks/a.png": encode_gray(np.array([[0, 1]], dtype=np.uint8)), name: text})
        assert named(sample) == {"road": [[1, 0]], "cat": [[0, 1]]}


def test_values_and_colours_without_class():
    (sample,), _, problems = opened(
        {"masks/a.png": encode_gray(np.array([[0, 1, 7, 7]], dtype=np.uint8)), "_classes.csv": TABLE}
    )
    assert named(sample)["class_7"] == [[0, 0, 1, 1]] and problems == {"semantic-masks.value": 1}
    (sample,), _, _ = opened({"masks/a.png": rgb([[0, 0, 0], [1, 2, 3]])})
    assert named(sample) == {"#010203": [[0, 1]]}


def test_palettes_are_numbers_and_transparent_pixels_nothing():
    image = Image.fromarray(np.array([[0, 1, 2]], dtype=np.uint8), "P")
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    image.save(out := io.BytesIO(), "PNG")
    (sample,), _, _ = opened({"masks/a.png": out.getvalue(), "_classes.csv": TABLE})
    assert named(sample) == {"cat": [[0, 1, 0]], "dog": [[0, 0, 1]]}
    Image.fromarray(np.array([[[9, 8, 7, 0], [9, 8, 7, 255]]], dtype=np.uint8), "RGBA").save(out := io.BytesIO(), "PNG")
    (sample,), _, _ = opened({"masks/a.png": out.getvalue(), "labelmap.csv": "name,r,g,b\ncat,9,8,7\n"})
    assert named(sample) == {"cat": [[0, 1]]}


def test_numbers_above_255_make_pictures_of_16_bits():
    mask = Mask(width=2, height=1, rle=encode_string(from_bitmap(np.array([[0, 1]]))))
    dataset = Dataset(
        [Sample(path="a", size=(2, 1), annotations=(Annotation(label="c", shape=mask),))],
        [Label(key="c", name="c", id=300)],
    )
    files, report = store(dataset, FORMAT)
    assert decode_gray(files["masks/a.png"]).tolist() == [[0, 300]] and not report.losses()


def test_polygons_are_painted_and_objects_of_a_class_joined():
    objects = [
        Annotation(label=x, shape=Polygon.of((a, 0, b, 0, b, 2, a, 2)))
        for x, a, b in (("c", 0, 1), ("d", 0, 3), ("c", 3, 4))
    ]
    files, report = store(Dataset([Sample(path="a", size=(4, 2), annotations=tuple(objects))], ["c", "d"]), FORMAT)
    assert decode_gray(files["masks/a.png"]).tolist() == [[2, 2, 2, 1]] * 2
    assert {"mask.joined", "shape.polygon"} <= {line.code for line in report.losses()}


def test_damaged_pictures_are_problems():
    samples, _, problems = opened(
        {"masks/a.png": encode_gray(PICTURE)[:40], "masks/b.png": encode_gray(PICTURE), "_classes.csv": TABLE}
    )
    assert [s.path for s in samples] == ["b"] and problems == {"semantic-masks.record": 1}


def test_detection():
    assert detect(open_source(DATA), lg.registry).id == "semantic-masks"
    pair = {"images/a.png": png(4, 2), "masks/a.png": encode_gray(PICTURE)}
    assert FORMAT.detect(MemorySource(pair)).confidence == 0.3
    assert FORMAT.detect(MemorySource({"images/a.png": png(4, 2), "masks/b.png": encode_gray(PICTURE)})) is None
    assert FORMAT.detect(MemorySource({"images/a.png": png(4, 2)})) is None


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
def test_the_shared_samples():
    one, two = lg.read(SAMPLES / "datumaro_css" / "dataset", format="semantic-masks")
    assert (one.path, one.size, set(named(one)), set(named(two))) == (
        "0001.png",
        (5, 1),
        {"Bicyclist", "Road"},
        {"Animal", "Child"},
    )
    dataset = lg.read(SAMPLES / "datumaro_css" / "non_standard_dataset", format="semantic-masks")
    assert [s.path for s in dataset] == ["image_0001.png", "image_0002.png"] and len(dataset.labels) == 8
    assert all(s.annotations for s in dataset)
    three = list(lg.read(SAMPLES / "kaggle_labelmap", format="semantic-masks"))
    assert len(three) == 3 and {a.label for s in three for a in s.annotations} <= {"cat", "dog"}


def test_a_dataset_of_which_nothing_can_be_written_is_read_as_empty():
    for splits in ((), ("train",)):
        trip = travel(Dataset([Sample(path="a.jpg", splits=splits, annotations=())]), FORMAT)
        assert list(trip.dataset) == [] and "sample.unsized" in {line.code for line in trip.written.losses()}
