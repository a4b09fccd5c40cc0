"""LabelMe JSON: every shape type, and files as other tools and other systems leave them."""

import base64
import json
import math
from pathlib import Path

import labelglot as lg
import numpy as np
import pytest
from labelglot.engine.convert import read, write
from labelglot.geometry import decode_string, encode_string, to_bitmap
from labelglot.images import BytesImage, decode_gray, encode_gray
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Ellipse, Mask, Points, Polygon, Polyline, RotatedBox, Sample, Tag
from labelglot.storage import MemorySource, MemoryTarget
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, store, travel
from labelglot_labelme import LabelMe

DATA = Path(__file__).parent / "data" / "labelme"
FORMAT = LabelMe()
BOX = [[1, 2], [3, 4]]


def files_of(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def shape(**more):
    return {"label": "cat", "points": BOX, "shape_type": "rectangle", "flags": {}, "group_id": None, **more}


def document(*shapes, **more):
    fields = {"version": "5.5.0", "flags": {}, "shapes": list(shapes), "imagePath": "a.jpg", "imageData": None}
    return json.dumps({**fields, "imageHeight": 48, "imageWidth": 64, **more}).encode()


def opened(files):
    report = Report()
    dataset = read(MemorySource(files), format=FORMAT, report=report)
    return list(dataset.read(report)), report


def one(*shapes, **more):
    samples, report = opened({"a.json": document(*shapes, **more)})
    return samples[0], report


def codes(report):
    return {line.code: line.count for line in report.problems()}


def rounded_trip(files):
    return travel(load(files, FORMAT)[0], FORMAT).files


def test_the_example_reads_with_exact_values():
    report = Report()
    dataset = lg.read(DATA, format="labelme", report=report)
    samples = {s.path: s for s in dataset.read(report)}
    assert list(samples) == ["img001.png", "inside.png", "tall.png", "nobody looked.png"]
    img = samples["img001.png"]
    assert img.size == (64, 48) and img.tags == (Tag(label="night"), Tag(label="rain", negative=True))
    assert [a.label for a in img.annotations] == ["car", "dog", "nose", "car", "wheel", "lane", "lane", "prompt", "puddle", "Straße"]
    assert img.annotations[0] == Annotation(
        label="car", box=(20.5, 30.0, 50.0, 40.25), text="the blue one", attributes={"occluded": False, "parked": True}
    )
    shapes = [a.shape for a in img.annotations]
    assert shapes[1:8] == [
        Polygon.of((2.0, 4.0, 24.0, 4.4, 23.0, 8.0)),
        Points(points=(3.0, 5.0)),
        RotatedBox(corners=(10.0, 10.0, 20.0, 20.0, 15.0, 25.0, 5.0, 15.0)),
        Ellipse(cx=30.0, cy=20.0, rx=5.0, ry=5.0),
        Polyline(points=(0.0, 1.0, 2.0, 3.0)),
        Polyline(points=(0.0, 1.0, 2.0, 3.0, 4.5, 5.0)),
        Points(points=(0.0, 1.0, 2.0, 3.0)),
    ]
    assert [a.group for a in img.annotations[:4]] == [None, 1, 1, 0]
    bitmap = to_bitmap(decode_string(shapes[8].rle), 48, 64)
    assert bitmap[46:48, 61:64].tolist() == [[True, False, True], [True, True, True]] and bitmap.sum() == 5
    assert shapes[9].parts[0][0][:2] == (-1.5, 250.8142292490119)
    assert samples["nobody looked.png"].annotations is None  # pain 33
    assert samples["inside.png"].annotations == ()
    assert [label.name for label in dataset.complete().labels] == [
        "unused", "car", "Straße", "night", "rain", "dog", "nose", "wheel", "lane", "prompt", "puddle", "tree",
    ]  # fmt: skip


def test_the_example_is_written_as_it_was():
    files = {n: d for n, d in files_of(DATA).items() if n.startswith("img001")}
    files["labels.txt"] = b"__ignore__\n_background_\n" + "".join(
        f"{n}\n" for n in ["night", "rain", "car", "dog", "nose", "wheel", "lane", "prompt", "puddle", "Straße"]
    ).encode()
    written = rounded_trip(files)
    before, after = (json.loads(f["img001.json"]) for f in (files, written))
    before["shapes"][0]["points"].reverse()
    before["shapes"][0]["points"] = [[20.5, 30.0], [50.0, 40.25]]
    before["shapes"][4]["points"][1] = [35.0, 20.0]
    for doc in (before, after):
        del doc["shapes"][8]["mask"]
    assert after == before
    assert written["img001.png"] == files["img001.png"] and written["labels.txt"] == files["labels.txt"]
    text = written["img001.json"].decode()
    assert text.startswith('{\n  "version": "5.5.0",\n  "flags": {\n') and "Straße" in text and text.endswith("}\n")


def test_embedded_images_are_images():
    (sample,), _ = opened({"inside.json": (DATA / "inside.json").read_bytes()})
    assert sample.image.read() == png(7, 5) and sample.size == (7, 5)
    assert rounded_trip({"inside.json": (DATA / "inside.json").read_bytes()})["inside.png"] == png(7, 5)
    target = MemoryTarget()
    image = BytesImage("a.png", png(7, 5))
    write(Dataset([Sample(path="a.png", image=image, annotations=())]), target, format=FORMAT, options={"image_data": True})
    assert base64.b64decode(json.loads(target.content["a.json"])["imageData"]) == png(7, 5)


def test_backslashes_and_a_size_that_contradicts_the_image():  # pains 30, 25
    report = Report()
    tall = {s.path: s for s in lg.read(DATA, format="labelme", report=report).read(report)}["tall.png"]
    assert tall.uri == "..\\tall.png" and tall.image is not None and tall.size == (48, 64)
    assert codes(report) == {"labelme.size": 1}
    assert tall.annotations == (Annotation(label="tree", shape=Polygon.of((1, 2, 3, 4, 5, 0)), extra={"labelme": {"line_color": None}}),)


@pytest.mark.parametrize(
    ("written", "path", "uri"),
    [
        ("a.json", "a.png", None),
        ("", "a.png", None),
        (None, "a.png", None),
        ("a.jpg", "a.png", None),
        ("/home/me/a.png", "a.png", "/home/me/a.png"),
        ("C:\\Users\\me\\a.png", "a.png", "C:\\Users\\me\\a.png"),
    ],
)
def test_image_paths_that_lead_nowhere(written, path, uri):
    (sample,), _ = opened({"a.json": document(imagePath=written), "a.png": png(64, 48)})
    assert (sample.path, sample.uri, sample.image.name) == (path, uri, "a.png")


@pytest.mark.parametrize(
    ("written", "path", "uri"),
    [("x.json", "f/a", None), ("C:\\me\\b.png", "f/a.png", "C:\\me\\b.png"), ("../b.jpg", "b.jpg", None), ("..\\b.jpg", "b.jpg", "..\\b.jpg")],
)
def test_image_paths_without_the_image(written, path, uri):
    (sample,), _ = opened({"f/a.json": document(imagePath=written)})
    assert (sample.path, sample.uri, sample.image) == (path, uri, None)


def test_labels_in_a_folder_of_their_own():
    files = {"labels/a.json": document(shape(), imagePath="../images/a.jpg"), "images/a.jpg": png(64, 48)}
    (sample,), _ = opened(files)
    assert sample.path == "images/a.jpg" and sample.image is not None
    files = {"x/1.json": document(shape(), imagePath="../images/a.jpg"), "images/a.jpg": png(64, 48), "images/b.jpg": png(1, 1)}
    samples, _ = opened(files)
    assert [(s.path, s.annotations is None) for s in samples] == [("images/b.jpg", True), ("images/a.jpg", False)]


def test_a_file_never_takes_the_image_of_another():  # pain 26
    files = {f"{f}/a.json": document(shape()) for f in "xy"} | {"y/a.jpg": png(64, 48), "z/a.png": png(1, 1)}
    samples, _ = opened(files)
    assert {s.path: s.image and s.image.name for s in samples} == {"x/a.jpg": None, "y/a.jpg": "y/a.jpg"}


def test_one_stem_with_two_suffixes():  # pain 28
    samples, _ = opened({"a.json": document(shape(), imagePath="a.png"), "a.png": png(1, 1), "a.jpg": png(2, 2)})
    assert {s.path: s.annotations is None for s in samples} == {"a.png": False, "a.jpg": True}


def test_rectangles_of_any_corners():
    for points in ([[3, 4], [1, 2]], [[1, 4], [3, 2]], [[1, 2], [3, 2], [3, 4], [1, 4]]):
        assert one(shape(points=points))[0].annotations[0].box == (1, 2, 3, 4)


def test_what_old_and_hand_made_files_leave_out():
    odd = {"label": "x", "points": [[1, 2], [3, 4]], "flags": None, "shape_type": None}
    sample, report = one(odd, version=None, flags=None)
    assert sample.annotations[0].shape == Polygon.of((1, 2, 3, 4)) and not report.problems()
    assert one(shape(), imageHeight=None)[0].size is None
    assert one(shape(), imageHeight=-1)[0].size is None
    groups = [one(shape(group_id=g)) for g in ("", 1.0, True, 1.5, 0, "0001")]
    assert [s.annotations[0].group for s, _ in groups] == [None, 1, None, None, 0, "0001"]
    assert [codes(r) for _, r in groups] == [{}, {}, {"labelme.group_id": 1}, {"labelme.group_id": 1}, {}, {}]


def test_text_of_windows():
    text = document(shape(label="Stra\u00dfe")).decode().replace("\\u00df", "ß")
    (sample,), report = opened({"a.json": text.encode("cp1252")})
    assert sample.annotations[0].label == "Straße" and codes(report) == {"labelme.encoding": 1}
    for data in (b"\xef\xbb\xbf" + text.encode(), b"\xff\xfe" + text.encode("utf-16-le")):
        (sample,), report = opened({"a.json": data})
        assert sample.annotations[0].label == "Straße" and not report.problems()


def mask(bitmap, points, **more):
    data = base64.b64encode(encode_gray(np.array(bitmap))).decode()
    return shape(shape_type="mask", points=points, mask=data, **more)


def bitmap_of(annotation):
    m = annotation.shape
    return to_bitmap(decode_string(m.rle), m.height, m.width)


def test_masks_are_pasted_by_their_first_corner_and_own_size():
    sample, _ = one(mask([[1, 1], [0, 1]], [[1.4, 2.6], [99, 99]]), mask([[1, 1], [1, 1]], [[-1, -1], [0, 0]]))
    first, second = map(bitmap_of, sample.annotations)
    assert np.argwhere(first).tolist() == [[3, 1], [3, 2], [4, 2]]
    assert np.argwhere(second).tolist() == [[0, 0]]


def test_masks_return():
    empty = Mask(width=64, height=48, rle=encode_string((48 * 64,)))
    full = np.zeros((48, 64), bool)
    full[5:9, 60:64] = True
    full[5, 60] = False
    sample, _ = one(mask(full[5:9, 60:64], [[60, 5], [63, 8]]))
    dataset = Dataset([sample.replace(annotations=(*sample.annotations, Annotation(label="cat", shape=empty)))], ["cat"])
    files = store(dataset, FORMAT)[0]
    shapes = json.loads(files["a.json"])["shapes"]
    assert shapes[0]["points"] == [[60, 5], [63, 8]] and shapes[1]["points"] == [[0, 0], [0, 0]]
    assert decode_gray(base64.b64decode(shapes[0]["mask"])).tolist() == full[5:9, 60:64].astype(int).tolist()
    back = load(files, FORMAT)[0]
    (again,) = back
    assert (bitmap_of(again.annotations[0]) == full).all() and not bitmap_of(again.annotations[1]).any()


def test_masks_of_unknown_place_are_reported():
    sample, report = one(mask([[1]], [[0, 0], [0, 0]]), shape(), imageHeight=None)
    assert len(sample.annotations) == 1 and "unknown size" in report.problems()[0].sentence


def test_holes_become_a_mask_and_parts_objects():  # pain 19
    ring, hole = (0.0, 0, 10, 0, 10, 10, 0, 10), (2.0, 2, 4, 2, 4, 4, 2, 4)
    shapes = [Polygon(parts=((ring, hole),)), Polygon(parts=((ring,), (hole,)))]
    dataset = Dataset([Sample(path="a.jpg", size=(64, 48), annotations=tuple(Annotation(label="c", shape=s) for s in shapes))], ["c"])
    files, report = store(dataset, FORMAT)
    assert [s["shape_type"] for s in json.loads(files["a.json"])["shapes"]] == ["mask", "polygon", "polygon"]
    assert {"shape.holes", "shape.parts"} <= {line.code for line in report.losses()}


def test_unknown_fields_return_to_the_file():
    known = {"label": "cat", "flags": {"ok": True, "nested": {"a": 1}}, "group_id": 3, "description": {"en": "x"}, "mask": None}
    doc = document(shape(**known, line_color=[1, 2], shape_type="polygon"), fillColor=[1], version="3.16.1", chat=[{"q": "?"}], flags={"night": True, "mood": "good"})
    after = json.loads(rounded_trip({"a.json": doc})["a.json"])
    assert after == json.loads(doc)


def test_shape_types_return_even_where_the_shape_does_not_tell():
    kinds = [shape(shape_type="linestrip"), shape(shape_type="points", points=[[1, 2]]), shape(shape_type="star")]
    files = {"a.json": document(*kinds)}
    _, report = opened(files)
    assert codes(report) == {"labelme.shape_type": 1}
    assert [s["shape_type"] for s in json.loads(rounded_trip(files)["a.json"])["shapes"]] == ["linestrip", "points", "star"]


def test_bad_shapes_among_good_ones():
    bad = [7, {"label": "x"}, shape(points=[]), shape(points=[[1]]), shape(points=[[1, 2]]), shape(points=[["1", "2"], [3, 4]]),
           shape(shape_type="circle", points=[[1, 2]]), shape(points=[[1, math.nan], [2, 3]]), shape(shape_type="mask"),
           shape(shape_type="mask", mask="####"), shape(shape_type="mask", mask="aGVsbG8="), shape(label=None), shape(label=5)]  # fmt: skip
    sample, report = one(*bad, shape())
    assert [a.label for a in sample.annotations] == [None, "5", "cat"]
    assert codes(report) == {"labelme.shape": 10, "labelme.number": 1, "labelme.label": 1} and report.skipped == 11
    assert report.problems()[0].examples[0]["place"] == "a.json#shapes[0]"


def test_bad_files_among_good_ones():
    files = {"a.json": document(shape()), "b.json": b"{", "c.json": b'{"images": []}', "d.json": document(shapes=5), "e.json": b"[1]"}
    samples, report = opened(files)
    assert [s.path for s in samples] == ["a.jpg", "a.jpg"]
    assert codes(report) == {"labelme.record": 2, "labelme.document": 1, "labelme.shapes": 1} and report.skipped == 4


def test_a_single_file_brings_only_its_image(tmp_path):
    for name, data in {"a.json": document(shape()), "a.jpg": png(64, 48), "b.jpg": png(1, 1), "b.json": document()}.items():
        (tmp_path / name).write_bytes(data)
    (sample,) = lg.read(tmp_path / "a.json", format="labelme")
    assert sample.path == "a.jpg" and sample.image is not None


def test_ellipses_that_are_no_circles_become_polygons():
    shapes = (Ellipse(cx=5, cy=5, rx=2, ry=2), Ellipse(cx=5, cy=5, rx=2, ry=3))
    dataset = Dataset([Sample(path="a.jpg", size=(64, 48), annotations=tuple(Annotation(label="c", shape=s) for s in shapes))], ["c"])
    files, report = store(dataset, FORMAT)
    first, second = json.loads(files["a.json"])["shapes"]
    assert (first["shape_type"], first["points"], second["shape_type"]) == ("circle", [[5, 5], [7, 5]], "polygon")
    assert [line.code for line in report.losses()] == ["shape.ellipse"]


def test_detection():
    def confidence(data):
        match = FORMAT.detect(MemorySource({"a.json": data}))
        return match and match.confidence

    assert confidence(document(shape())) == 0.9
    assert confidence(document(*[shape(points=[[0.123456, i] for i in range(5000)], shape_type="polygon")] * 3)) == 0.9
    assert confidence(document()) == 0.9
    for theirs in (document(shape(), checked=False), document(shape(difficult=False)), document(shape(shape_type="rotation"))):
        assert confidence(theirs) == 0.5
    assert confidence(b'{"images": [], "annotations": []}') is None
    assert confidence(b'{"shapes": 5, "imagePath": "a"}') is None
