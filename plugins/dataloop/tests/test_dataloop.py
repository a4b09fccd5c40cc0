"""Dataloop: shapes by type, rings that are holes or parts, turned boxes, masks in the text, attributes of two ages."""

import json
from collections import Counter
from pathlib import Path

import labelglot as lg
import numpy as np
import pytest
from labelglot.engine.convert import read
from labelglot.geometry import decode_string, encode_string, from_bitmap, mask_area
from labelglot.images import encode_alpha, to_data_url
from labelglot.report import Report
from labelglot.schema import (
    Annotation,
    Cuboid,
    Dataset,
    Ellipse,
    Mask,
    Points,
    Polygon,
    Polyline,
    RotatedBox,
    Sample,
    Tag,
)
from labelglot.storage import MemorySource
from labelglot.testing.odd_json import odd_documents, survives
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, store, travel
from labelglot_dataloop import Dataloop

DATA = Path(__file__).parent / "data" / "dataloop"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "dataloop"
FORMAT = Dataloop()
real = pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")


def points(*xy):
    return [{"x": x, "y": y} for x, y in zip(xy[::2], xy[1::2], strict=True)]


def item(*annotations, **more):
    return {
        "filename": "/a.jpg",
        "annotations": list(annotations),
        "itemMetadata": {"system": {"width": 20, "height": 10}},
    } | more


def made(kind, coordinates, **more):
    return {"type": kind, "label": "c", "coordinates": coordinates, "metadata": {"system": {}}} | more


def opened(document, name="json/a.json", **files):
    report = Report()
    dataset = read(MemorySource({name: json.dumps(document).encode(), **files}), format=FORMAT, report=report)
    return list(dataset.read(report)), report


def shapes(*annotations, **more):
    (sample,), report = opened(item(*annotations, **more))
    return [a.shape or a.box for a in sample.annotations], report


def codes(report):
    return {line.code: line.count for line in report.problems()}


def test_the_example_reads_with_exact_values():
    (sample,) = lg.read(DATA)
    assert (sample.path, sample.id, sample.size, sample.splits) == ("street/a.jpg", "65a", (640, 480), ("train",))
    assert [(t.label, t.text) for t in sample.tags] == [("outdoor", None), (None, "a street")]
    car, road, sign, wheel, person, nose, lane = sample.annotations
    assert car.box == (10, 20, 60, 50) and car.score == 0.5 and car.id == "1"
    assert car.attributes == {"red": True, "1": "big", "2": ("a", "b"), "3": True}
    outer, hole, part = (0, 0, 90, 0, 90, 90, 0, 90), (10, 10, 20, 10, 20, 20), (100, 0, 120, 0, 120, 20)
    assert road.shape == Polygon(parts=((outer, hole), (part,)))
    assert sign.shape.corners == pytest.approx((25, 15, 25, 35, 15, 35, 15, 15))
    assert wheel.shape == Ellipse(cx=50, cy=60, rx=7, ry=5) and lane.shape == Polyline(points=(1, 2, 3, 4))
    assert person.shape is person.box is None and nose.shape == Points(points=(3, 4)) and nose.parent == "6"


def test_the_example_returns():
    files = travel(lg.read(DATA), FORMAT).files
    assert list(files) == ["json/street/a.json"]
    written, wanted = json.loads(files["json/street/a.json"]), json.loads((DATA / "json/street/a.json").read_text())
    assert written["annotations"] == wanted["annotations"] and written == wanted


def test_corners_in_any_order_and_four_of_them():
    upright = points(5, 1, 5, 3, 1, 3, 1, 1)
    turned = points(5, 0, 10, 5, 5, 10, 0, 5)
    odd = points(5, 0, 10, 5, 5, 9, 0, 5)
    found, _ = shapes(made("box", points(5, 3, 1, 1)), made("box", upright), made("box", turned), made("box", odd))
    assert found[:2] == [(1, 1, 5, 3)] * 2
    assert found[2:] == [RotatedBox(corners=(5, 0, 10, 5, 5, 10, 0, 5)), Polygon.of((5, 0, 10, 5, 5, 9, 0, 5))]


def test_rings_without_list_and_closed_ones():
    flat, closed = points(0, 0, 5, 0, 5, 5), [points(0, 0, 5, 0, 5, 5, 0, 0)]
    found, _ = shapes(made("segment", flat), made("segment", closed))
    assert found == [Polygon.of((0, 0, 5, 0, 5, 5))] * 2


def test_rings_whose_places_would_not_tell_are_counted():
    inner, outer = (2, 2, 4, 2, 4, 4), (0, 0, 9, 0, 9, 9, 0, 9)
    shape = Polygon(parts=((outer,), (inner,)))
    dataset = Dataset([Sample(path="a.jpg", size=(20, 20), annotations=(Annotation(label="c", shape=shape),))], ["c"])
    files, _ = store(dataset, FORMAT)
    assert json.loads(files["json/a.json"])["annotations"][0]["metadata"]["user"] == {"labelglot": {"rings": [1, 1]}}
    assert next(iter(load(files, FORMAT)[0])).annotations[0].shape == shape


def test_masks_are_images_in_the_text():
    bitmap = np.zeros((10, 20), dtype=bool)
    bitmap[2:4, 5:9] = True
    url = to_data_url(encode_alpha(bitmap))
    small = to_data_url(encode_alpha(bitmap[:5]))
    found, report = shapes(
        made("binary", url), made("binary", {"data": url}), made("binary", small), made("binary", "data:x")
    )
    assert found == [Mask(width=20, height=10, rle=encode_string(from_bitmap(bitmap)))] * 2
    assert codes(report) == {"dataloop.object": 2}


def test_cubes():
    names = ("front_tl", "front_tr", "front_br", "front_bl", "back_tl", "back_tr", "back_br", "back_bl")
    cube = {name: {"x": i, "y": i + 1} for i, name in enumerate(names)} | {"angle": 5}
    (sample,), _ = opened(item(made("cube", cube)))
    assert sample.annotations[0].shape == Cuboid(corners=tuple(v for i in range(8) for v in (i, i + 1)))
    assert (
        json.loads(store(Dataset([sample], ["c"]), FORMAT)[0]["json/a.json"])["annotations"][0]["coordinates"]["angle"]
        == 5
    )


def test_tracks_are_of_videos():
    def said(**system):
        return made("point", {"x": 1, "y": 2}, metadata={"system": system})

    (sample,), report = opened(
        item(said(objectId="2", snapshots_=[]), said(objectId=3), said(objectId="4", snapshots_=[1, 2]))
    )
    assert [a.track for a in sample.annotations] == [None, "3", "4"] and codes(report) == {"dataloop.video": 1}


def test_other_types_are_kept_aside_and_bad_ones_skipped():
    note, bad = (
        made("note", {"box": []}),
        [7, made("box", points(1, 1)), made("point", {"x": "1"}), made("ellipse", None), made("segment", [])],
    )
    (sample,), report = opened(item(note, *bad, made("box", points(0, 0, 1, 1))))
    assert len(sample.annotations) == 1 and codes(report) == {"dataloop.type": 1, "dataloop.object": 5}
    assert json.loads(store(Dataset([sample], ["c"]), FORMAT)[0]["json/a.json"])["annotations"][-1] == note


def test_items_nobody_looked_at():
    files = {"items/b.jpg": png(4, 3), "items/a.jpg": png(20, 10)}
    (a, b), _ = opened({"filename": "/a.jpg", "itemMetadata": {}}, **files)
    assert a.annotations is None and a.size == (20, 10) and b.path == "b.jpg" and b.annotations is None
    tagged = Dataset([Sample(path="a.jpg", size=(9, 9), tags=(Tag(label="c"),), annotations=None)], ["c"])
    assert next(iter(travel(tagged, FORMAT).dataset)).annotations is None


def test_a_file_without_name_is_called_like_its_json():
    (sample,), _ = opened(
        {"annotations": [made("box", points(0, 0, 1, 1))]}, "json/x/b.json", **{"items/x/b.png": png(4, 3)}
    )
    assert sample.path == "x/b.png" and sample.size == (4, 3)
    (sample,), _ = opened({"annotations": [], "itemMetadata": []}, "json/x/b.json")
    assert sample.path == "x/b" and sample.annotations == ()


def test_a_download_inside_a_folder():
    files = {"set/items/x/a.jpg": png(20, 10)}
    (sample,), _ = opened(item(filename="/x/a.jpg"), "set/json/x/a.json", **files)
    assert sample.size == (20, 10) and sample.image.path == "set/items/x/a.jpg"


def test_a_size_that_contradicts_the_image():
    (sample,), report = opened(item(), **{"items/a.jpg": png(4, 3)})
    assert sample.size == (4, 3) and codes(report) == {"dataloop.size": 1}


def test_detection():
    def confidence(document):
        match = FORMAT.detect(MemorySource({"a.json": json.dumps(document).encode()}))
        return 0 if match is None else match.confidence

    assert confidence(item(made("box", points(0, 0, 1, 1)))) == 0.95
    assert confidence({"annotations": [made("class", None, datasetId="x")]}) == 0.9
    assert confidence({"images": [], "annotations": [{"id": 1, "bbox": []}]}) == 0
    assert confidence({"annotations": [{"type": "box", "label": "c", "left": 1, "top": 2}]}) == 0


@real
def test_real_items():
    one, two = (next(iter(lg.read(SAMPLES / name))) for name in ("1(7).json", "1(3).json"))
    assert one.path == "1(7).jpeg" and one.size == (1350, 900) and two.size == (1349, 901)
    assert [t.label for t in one.tags if t.label] == ["discarded", "tag 1", "tag 2"] and [
        t.text for t in one.tags if t.text
    ] == ["Item description"]
    kinds = Counter("box" if a.shape is None else a.shape.kind for a in one.annotations)
    assert kinds == {"polygon": 3, "mask": 2, "points": 2, "box": 1, "ellipse": 1}
    masks = [
        mask_area(decode_string(a.shape.rle)) for a in (*one.annotations, *two.annotations) if isinstance(a.shape, Mask)
    ]
    assert masks == [17137, 69563, 2758]
    (box,) = [a.box for a in one.annotations if a.box]
    assert box == pytest.approx((385.8, 56.8, 596.9, 230.8), abs=0.05)
    (ellipse,) = [a.shape for a in one.annotations if isinstance(a.shape, Ellipse)]
    assert (ellipse.cx, ellipse.cy, ellipse.rx, ellipse.ry) == pytest.approx((1188.87, 139.51, 94.43, 50.71), abs=0.005)
    assert sorted(len(a.shape.parts[0][0]) // 2 for a in one.annotations if isinstance(a.shape, Polygon)) == [
        8,
        20,
        231,
    ]


@real
def test_a_real_list_of_annotations():
    report = Report()
    (sample,) = lg.read(SAMPLES / "dataloop.example.json", report=report).read(report)
    assert [a.label for a in sample.annotations] == ["box_class", "segment_class", "segment_class"]
    assert sample.annotations[0].box == (288.81, 845.49, 2221.32, 3528.24) and sample.tags[0].label == "class_class"
    assert codes(report) == {"dataloop.type": 1}


@real
@pytest.mark.parametrize("name", ["1(7).json", "1(3).json"])
def test_real_items_return(name):
    given = json.loads((SAMPLES / name).read_text())
    (written,) = (json.loads(data) for data in travel(lg.read(SAMPLES / name), FORMAT).files.values())
    assert written["itemMetadata"] == given["itemMetadata"]

    def plain(found):
        return sorted(
            ({k: v for k, v in a.items() if k not in ("coordinates", "metadata")} for a in found["annotations"]),
            key=lambda a: a["id"],
        )

    assert plain(written) == plain(given)


def test_odd_values_anywhere_are_no_exceptions():
    document = json.loads((DATA / "json/street/a.json").read_text())
    for odd in odd_documents(document, 40):
        survives(FORMAT, {"json/street/a.json": json.dumps(odd).encode()})
