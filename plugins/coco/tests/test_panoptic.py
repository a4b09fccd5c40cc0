"""COCO panoptic: ids of segments in the colours of a picture, masks exactly those of its pixels."""

import io
import json
import shutil
from pathlib import Path

import labelglot as lg
import numpy as np
import pytest
from labelglot.geometry import decode_string, encode_string, mask_area
from labelglot.images import decode_gray, encode_gray, encode_rgb
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Mask, Sample
from PIL import Image

DATA = Path(__file__).parent / "data" / "coco-panoptic"
SAMPLES = Path(__file__).parents[4] / "shared" / "samples"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the collection of real samples is not here")


def read(where, **more):
    report = Report()
    dataset = lg.read(where, report=report, **more)
    return dataset, list(dataset.read(report)), report


def colours(path):
    with Image.open(path) as image:
        assert image.mode == "RGB"
        return np.asarray(image)


@pytest.fixture
def copy(tmp_path):
    """The example, to be broken. Call with a function that changes the document."""

    def make(change=None):
        folder = tmp_path / "set"
        shutil.copytree(DATA, folder)
        document = folder / "annotations" / "panoptic_val.json"
        content = json.loads(document.read_text())
        if change is not None:
            change(content)
        document.write_text(json.dumps(content))
        return folder

    return make


def codes(report):
    return [line.code for line in report.problems()]


def test_the_example_reads_as_it_is_written():
    dataset, samples, report = read(DATA)
    assert codes(report) == []
    cat, grass = dataset.labels
    assert (cat.color, cat.id, cat.parent, cat.extra) == ("#dc143c", 1, "animal", {})
    assert grass.extra == {"coco-panoptic": {"isthing": 0}}
    assert [(s.path, s.splits, s.size, len(s.annotations)) for s in samples] == [
        ("b.jpg", ("val",), (5, 10), 2), ("void.jpg", ("val",), (4, 3), 0),
    ]  # fmt: skip
    one, two = samples[0].annotations
    assert one.shape == Mask(width=5, height=10, rle=encode_string((0, 20, 30)))
    assert two.shape == Mask(width=5, height=10, rle=encode_string((20, 20, 10)))
    assert (one.attributes, two.attributes) == ({}, {"crowd": True})
    assert two.extra == {"coco-panoptic": {"id": 276, "note": "far"}}


def test_the_same_document_and_pictures_come_back(tmp_path):
    lg.convert(DATA, tmp_path / "out", to="coco-panoptic")
    for name in ("b.png", "void.png"):
        name = f"annotations/panoptic_val/{name}"
        assert (colours(tmp_path / "out" / name) == colours(DATA / name)).all()
    name = "annotations/panoptic_val.json"
    assert json.loads((tmp_path / "out" / name).read_text()) == json.loads((DATA / name).read_text())


def test_numbers_of_segments_are_colours(tmp_path):
    bits = [Mask(width=3, height=1, rle=encode_string(c)) for c in ((0, 1, 2), (1, 1, 1), (2, 1))]
    given = [{"coco-panoptic": {"id": id_}} for id_ in (0x030201, 0x030201, 1)]
    objects = tuple(Annotation(label="x", shape=b, extra=e) for b, e in zip(bits, given, strict=True))
    lg.write(Dataset([Sample(path="d/a.jpg", size=(3, 1), annotations=objects)], ["x"]), tmp_path / "o", format="coco-panoptic")
    assert colours(tmp_path / "o/annotations/panoptic_default/d/a.png").tolist() == [[[1, 2, 3], [2, 0, 0], [1, 0, 0]]]
    (sample,) = lg.read(tmp_path / "o")
    assert [a.extra["coco-panoptic"]["id"] for a in sample.annotations] == [0x030201, 2, 1]


def test_a_document_that_says_less(copy):
    def change(content):
        entry = content["annotations"][0]
        entry["filename"] = entry.pop("file_name").replace(".png", ".jpg")
        entry["segments_info"] = [{"id": s["id"], "category_id": s["category_id"], "score": 0.5} for s in entry["segments_info"]]
        for category in content["categories"]:
            del category["isthing"]

    folder = copy(change)
    dataset, samples, report = read(folder)
    assert codes(report) == [] and [a.score for a in samples[0].annotations] == [0.5, 0.5]
    assert [a.shape.kind for a in samples[0].annotations] == ["mask", "mask"]
    assert {label.extra["coco-panoptic"]["isthing"] for label in dataset.labels} == {None}
    lg.convert(folder, folder / "out", to="coco-panoptic")
    made = json.loads((folder / "out/annotations/panoptic_val.json").read_text())
    assert ["isthing" in c for c in made["categories"]] == [False, False]


def test_ids_that_the_picture_and_the_document_do_not_share(copy):
    def change(content):
        content["annotations"][0]["segments_info"][0]["id"] = 8

    _, samples, report = read(copy(change))
    assert sorted(codes(report)) == ["coco-panoptic.empty", "coco-panoptic.unknown-segment"]
    assert [mask_area(decode_string(a.shape.rle)) for a in samples[0].annotations] == [0, 20]


def test_box_and_area_follow_from_the_pixels(copy):
    def change(content):
        content["annotations"][0]["segments_info"][0].update(bbox=[0, 0, 1, 9], area=11)

    folder = copy(change)
    _, _, report = read(folder)
    assert sorted(codes(report)) == ["coco-panoptic.area", "coco-panoptic.bbox"] and report.skipped == 0
    lg.convert(folder, folder / "out", to="coco-panoptic")
    segment = json.loads((folder / "out/annotations/panoptic_val.json").read_text())["annotations"][0]["segments_info"][0]
    assert (segment["bbox"], segment["area"]) == ([0, 0, 2, 10], 20)


@pytest.mark.parametrize("broken", [None, b"no picture"])
def test_without_picture_the_boxes_are_read(copy, broken):
    folder = copy()
    picture = folder / "annotations/panoptic_val/b.png"
    picture.unlink()
    if broken:
        picture.write_bytes(broken)
    _, samples, report = read(folder)
    assert codes(report) == ["coco-panoptic.picture"]
    assert [(a.box, a.shape) for a in samples[0].annotations] == [((0, 0, 2, 10), None), ((2, 0, 4, 10), None)]


@pytest.mark.parametrize("kind", ["grey", "palette of ids", "palette of colours", "16 bit", "transparent"])
def test_pictures_that_are_not_rgb(copy, kind):
    def change(content):
        content["annotations"][0]["segments_info"][1]["id"] = 9

    folder = copy(change)
    ids = np.zeros((10, 5), np.uint8)
    ids[:, :2], ids[:, 2:4] = 7, 9
    rgb = np.stack([ids, ids * 0, ids * 0], -1)
    if kind == "grey":
        data = encode_gray(ids)
    elif kind == "16 bit":
        data = _png(Image.fromarray(ids.astype(np.uint16)))
    elif kind == "transparent":
        data = _png(Image.fromarray(np.concatenate([rgb, ids[:, :, None] * 0], -1), "RGBA"))
    elif kind == "palette of ids":
        image = Image.fromarray(ids, "P")
        image.putpalette([v for i in range(256) for v in (255 - i, i, 0)])
        data = _png(image)
    else:
        data = _png(Image.open(io.BytesIO(encode_rgb(rgb))).quantize(4))
        assert decode_gray(data).max() < 7
    (folder / "annotations/panoptic_val/b.png").write_bytes(data)
    _, samples, report = read(folder)
    assert [decode_string(a.shape.rle) for a in samples[0].annotations] == [(0, 20, 30), (20, 20, 10)]
    assert codes(report) == ([] if kind == "transparent" else ["coco-panoptic.channels"])


def _png(image):
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def test_bad_segments_are_named(copy):
    def change(content):
        segments = content["annotations"][0]["segments_info"]
        content["annotations"][0]["segments_info"] = [*segments, segments[0], {"id": 3, "category_id": 5}, {"id": 0, "category_id": 1}, 7]

    _, samples, report = read(copy(change))
    assert len(samples[0].annotations) == 2 and report.skipped == 4
    assert set(codes(report)) == {"coco-panoptic.id", "coco-panoptic.category", "coco-panoptic.segment"}


def test_a_picture_of_segments_is_not_the_image():
    assert [s.image for s in lg.read(DATA)] == [None, None]


def test_objects_that_overlap_are_told(tmp_path):
    masks = [Mask(width=4, height=1, rle=encode_string(c)) for c in ((0, 3, 1), (2, 2))]
    sample = Sample(path="a.jpg", size=(4, 1), annotations=tuple(Annotation(label="x", shape=m) for m in masks))
    made = lg.write(Dataset([sample], ["x"]), tmp_path / "out", format="coco-panoptic")
    assert "mask.overlap" in [line.code for line in made.report.losses()]
    segments = json.loads((tmp_path / "out/annotations/panoptic_default.json").read_text())["annotations"][0]["segments_info"]
    assert [(s["area"], s["bbox"]) for s in segments] == [(2, [0, 0, 2, 1]), (2, [2, 0, 2, 1])]


@needs_samples
def test_real_segments_are_those_of_the_detection_format():
    folder = SAMPLES / "coco-panoptic" / "panopticapi"
    dataset, samples, report = read(folder / "panoptic_examples.json")
    assert codes(report) == []
    things = [label.extra.get("coco-panoptic", {}).get("isthing", 1) for label in dataset.labels]
    assert (len(things), sum(things)) == (133, 80)
    crowds = [sum(a.attributes.get("crowd", False) for a in s.annotations) for s in samples]
    assert [(s.id, s.size, len(s.annotations)) for s in samples] == [(142238, (640, 427), 18), (439180, (640, 360), 32)]
    assert crowds == [1, 2]
    void = [s.size[0] * s.size[1] - sum(mask_area(decode_string(a.shape.rle)) for a in s.annotations) for s in samples]
    assert void == [2712, 7189]
    oracle = json.loads((folder / "panoptic_coco_detection_format.json").read_text())["annotations"]
    ours = sorted(a.shape.rle for s in samples for a in s.annotations)
    assert ours == sorted(a["segmentation"]["counts"] for a in oracle) and len(ours) == 50


@needs_samples
def test_real_segments_come_back_the_same(tmp_path):
    folder = SAMPLES / "coco-panoptic" / "panopticapi"
    lg.convert(folder / "panoptic_examples.json", tmp_path / "out", to="coco-panoptic", images="none")
    before = json.loads((folder / "panoptic_examples.json").read_text())
    (document,) = (tmp_path / "out/annotations").glob("*.json")
    after = json.loads(document.read_text())
    for part in ("annotations", "categories", "images"):
        assert after[part] == before[part]
    for entry in before["annotations"]:
        made = document.with_suffix("") / entry["file_name"]
        assert (colours(made) == colours(folder / "panoptic_examples" / entry["file_name"])).all()


@needs_samples
def test_the_fixture_of_a_library():
    _, samples, report = read(SAMPLES / "coco-panoptic/datumaro-fixture")
    assert [(s.split, s.size, s.image is not None) for s in samples] == [("train", (10, 5), True), ("val", (5, 10), True)]
    val = samples[1].annotations
    assert [(a.label, mask_area(decode_string(a.shape.rle)), a.attributes) for a in val] == [("a", 20, {}), ("b", 20, {"crowd": True})]
    assert [a.extra["coco-panoptic"]["id"] for a in val] == [7, 20]
    size, area, bbox = sorted(report.problems(), key=lambda line: line.severity != "warning")
    assert size.code == "coco-panoptic.size" and "5 x 5, the image 10 x 5" in size.sentence
    assert (area.code, area.count, bbox.code, bbox.count) == ("coco-panoptic.area", 1, "coco-panoptic.bbox", 3)
