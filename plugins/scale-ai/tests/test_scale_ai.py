"""Scale AI: tasks and responses, turned boxes, segmentations, choices below choices."""

import json
import math
from pathlib import Path

import labelglot as lg
import numpy as np
import pytest
from labelglot.engine.convert import read
from labelglot.geometry import decode_string, mask_area
from labelglot.images import encode_gray
from labelglot.report import Report
from labelglot.schema import (
    Annotation,
    Dataset,
    Ellipse,
    Label,
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
from labelglot_scale_ai import ScaleAi
from PIL import Image

DATA = Path(__file__).parent / "data" / "scale-ai"
FORMAT = ScaleAi()


def box(left=1, top=2, width=3, height=4, **more):
    return {"type": "box", "label": "c", "left": left, "top": top, "width": width, "height": height} | more


def vertices(*xy):
    return [{"x": x, "y": y} for x, y in zip(xy[::2], xy[1::2], strict=True)]


def task(*annotations, **more):
    made = {
        "task_id": "t",
        "type": "imageannotation",
        "params": {"attachment": "a.jpg"},
        "response": {"annotations": list(annotations)},
    }
    return made | more


def opened(*tasks, name="tasks.json", whole=None, **files):
    report = Report()
    text = json.dumps(tasks if whole is None else whole).encode()
    dataset = read(MemorySource({name: text, **files}), format=FORMAT, report=report)
    return list(dataset.read(report)), report


def codes(report):
    return {line.code: line.count for line in report.problems()}


def test_the_example_reads_with_exact_values():
    dataset = lg.read(DATA)
    first, second, third = dataset
    assert (first.path, first.uri, first.id) == ("street/0001.png", "https://example.com/street/0001.png", "t-001")
    assert first.attributes == {"weather": "rain", "signs": ("stop", "yield")} and [t.label for t in first.tags] == [
        "street",
        "day",
    ]
    bus, road, sign, lane, lamp, car = first.annotations
    assert bus.box == (12, 8.5, 72, 30.5) and bus.attributes == {"moving": "yes"} and bus.id == "u1"
    assert road.shape == Polygon.of((0, 90, 100, 90, 50, 40)) and lane.shape == Polyline(points=(1, 2, 3, 4))
    assert sign.shape == RotatedBox(corners=(25, 15, 25, 35, 15, 35, 15, 15)) and lamp.shape == Points(points=(5, 6))
    assert car.label == "car" and car.shape is car.box is None
    parents = {label.name: label.parent for label in dataset.complete().labels}
    assert parents == {
        "bus": "vehicle",
        "car": "vehicle",
        "sign": None,
        "road": None,
        "lane": None,
        "lamp": None,
        "street": None,
        "day": None,
    }
    assert second.annotations is None and third.annotations == ()


def test_the_example_returns():
    written = json.loads(travel(lg.read(DATA), FORMAT).files["tasks.json"])
    assert written == json.loads((DATA / "tasks.json").read_text())


def test_a_turn_without_vertices_is_about_the_centre_and_clockwise():
    (sample,), _ = opened(task(box(10, 20, 20, 10, rotation=math.pi / 2)))
    assert sample.annotations[0].shape.corners == pytest.approx((25, 15, 25, 35, 15, 35, 15, 15))


def test_types_that_are_not_stated():
    plain = {"label": "c", "vertices": vertices(0, 0, 5, 0, 5, 5, 0, 0)}
    old = {k: v for k, v in box().items() if k != "type"}
    (sample,), _ = opened(
        task(old, plain, {"label": "c", "x": 1, "y": 2}, type="annotation", params={"attachment": "a.jpg"})
        | {"type": None}
    )
    assert [a.shape or a.box for a in sample.annotations] == [
        (1, 2, 4, 6),
        Polygon.of((0, 0, 5, 0, 5, 5)),
        Points(points=(1, 2)),
    ]
    (sample,), _ = opened(task({"label": "c", "vertices": vertices(0, 0, 5, 5)}, type="lineannotation"))
    assert sample.annotations[0].shape == Polyline(points=(0, 0, 5, 5))


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 1, 3)])
def test_ends_of_the_axes_in_either_order(order):
    ends = ((15, 5), (10, 8), (5, 5), (10, 2))
    (sample,), _ = opened(task({"type": "ellipse", "vertices": vertices(*(v for i in order for v in ends[i]))}))
    assert sample.annotations[0].shape == Ellipse(cx=10, cy=5, rx=5, ry=3)


def test_bad_annotations_among_good_ones():
    bad = [
        7,
        box(left="1"),
        {"type": "polygon", "vertices": []},
        {"type": "mystery"},
        {"type": "ellipse", "vertices": vertices(1, 2)},
    ]
    (sample, other), report = opened(
        task(*bad, box(label=None)),
        5,
        {"params": {}},
        task(params={"attachment": "b.jpg"}, response={"annotations": {"url": "x"}}),
    )
    assert [a.label for a in sample.annotations] == [None] and other.annotations is None
    assert codes(report) == {"scale-ai.object": 5, "scale-ai.task": 2, "scale-ai.response": 1}


def test_several_tasks_about_one_image_stay_apart():
    (one, two), report = opened(task(box()), task(box(), task_id="u"), **{"a.jpg": png(20, 10)})
    assert (one.path, two.path, two.size) == ("a.jpg", "a-u.jpg", (20, 10)) and codes(report) == {
        "scale-ai.duplicate": 1
    }
    back = list(load(store(Dataset([one, two], ["c"]), FORMAT)[0], FORMAT)[0])
    assert [s.path for s in back] == ["a.jpg", "a-u.jpg"]


def test_a_response_alone_is_called_like_its_file():
    (sample,), _ = opened(whole={"annotations": [box()]}, name="t-9.json")
    assert sample.path == "t-9" and sample.id == "t-9" and sample.annotations[0].box == (1, 2, 4, 6)


def test_addresses_lead_to_images():
    files = {"images/0001.png": png(20, 10)}
    (sample,), _ = opened(task(box(), params={"attachment": "https://x.example.com/a/0001.png?sig=1"}), **files)
    assert sample.size == (20, 10) and sample.uri.endswith("sig=1")


NUMBERS = np.zeros((4, 6), dtype=np.uint8)
NUMBERS[0, :3], NUMBERS[2, 2:] = 1, 2
MAPPING = {"road": {"index": 1, "color": "#fff"}, "car": [{"index": 2, "color": "#000"}, {"index": 3}], "x": {}}


@pytest.mark.parametrize("extended", [False, True])
def test_segmentations(extended, tmp_path):
    if extended:
        Image.fromarray(np.dstack([NUMBERS, NUMBERS * 0, NUMBERS * 0])).save(tmp_path / "m.png")
        data = (tmp_path / "m.png").read_bytes()
    else:
        data = encode_gray(NUMBERS)
    combined = {
        "image": "https://x/c.png",
        "extendedIndexedImage" if extended else "indexedImage": "https://x.example.com/masks/m.png?s",
    }
    response = {"labelMapping": MAPPING, "annotations": {"combined": combined}}
    (sample,), report = opened(task(type="segmentannotation", response=response), **{"masks/m.png": data})
    assert [(a.label, mask_area(decode_string(a.shape.rle))) for a in sample.annotations] == [
        ("road", 3),
        ("car", 4),
        ("car", 0),
    ]
    assert codes(report) == {"scale-ai.label": 1} and isinstance(sample.annotations[0].shape, Mask)
    (sample,), report = opened(task(type="segmentannotation", response=response))
    assert [a.shape for a in sample.annotations] == [None] * 3 and codes(report) == {
        "scale-ai.mask": 1,
        "scale-ai.label": 1,
    }
    (written,) = json.loads(store(Dataset([sample], ["road", "car"]), FORMAT)[0]["tasks.json"])
    assert written["type"] == "imageannotation" and "labelMapping" not in written["response"]


def test_classes_without_objects():
    sample = Sample(path="a.jpg", tags=(Tag(label="c"),), annotations=None)
    assert next(iter(travel(Dataset([sample], ["c"]), FORMAT).dataset)).annotations is None
    (sample,), _ = opened(task(type="categorization", response={"category": "c"}))
    assert [t.label for t in sample.tags] == ["c"]


def test_what_is_written_asks_for_all_classes():
    labels = [
        Label(key="bus", name="bus", parent="vehicle"),
        Label(key="sign", name="sign"),
        Label(key="car", name="car", parent="vehicle"),
    ]
    objects = tuple(Annotation(label=label.key, box=(0, 0, 1, 1)) for label in labels)
    (written,) = json.loads(
        store(Dataset([Sample(path="a.jpg", annotations=objects)], labels), FORMAT)[0]["tasks.json"]
    )
    assert written["params"]["geometries"] == {
        "box": {"objects_to_annotate": [{"choice": "vehicle", "subchoices": ["bus", "car"]}, "sign"]}
    }


@pytest.mark.parametrize(
    ("value", "confidence"),
    [
        ([task(box())], 0.95), ({"annotations": [box()]}, 0.8), ({"labelMapping": {}, "annotations": {}}, 0.9),
        ({"images": [], "annotations": [box()]}, 0), ({"annotations": [{"type": "box", "label": "c", "coordinates": []}]}, 0),
    ],
)  # fmt: skip
def test_detection(value, confidence):
    match = FORMAT.detect(MemorySource({"a.json": json.dumps(value).encode()}))
    assert (0 if match is None else match.confidence) == confidence


def test_odd_values_anywhere_are_no_exceptions():
    document = json.loads((DATA / "tasks.json").read_text())
    for odd in odd_documents(document, 40):
        survives(FORMAT, {"tasks.json": json.dumps(odd).encode()})
