"""Label Studio: percent, turns about a corner, brush strokes, several annotators, and how images are addressed."""

import csv
import io
import json
import math
from collections import Counter
from pathlib import Path

import labelglot as lg
import numpy as np
import pytest
from labelglot.engine.convert import read, write
from labelglot.geometry import decode_string, encode_string, mask_area
from labelglot.images import encode_alpha, to_data_url
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Ellipse, Mask, Points, Polygon, Polyline, RotatedBox, Sample, Tag
from labelglot.storage import MemorySource, MemoryTarget
from labelglot.testing.odd_json import odd_documents, survives
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, store, travel
from labelglot_label_studio import LabelStudio
from labelglot_label_studio.brush import decode, read_mask, write_mask

DATA = Path(__file__).parent / "data" / "label-studio"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "label-studio"
FORMAT = LabelStudio()
real = pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")


def rectangle(*box, id="r", label="cat", size=(200, 100), **more):
    value = dict(zip(("x", "y", "width", "height", "rotation"), (*box, 0), strict=False)) | {"rectanglelabels": [label]}
    value |= more.pop("value", {})
    stated = dict(zip(("original_width", "original_height"), size, strict=False)) if size else {}
    return {
        "id": id,
        "from_name": "label",
        "to_name": "image",
        "type": "rectanglelabels",
        **stated,
        "value": value,
    } | more


def task(*results, image="a.jpg", **more):
    return {"data": {"image": image}, "annotations": [{"completed_by": 1, "result": list(results)}]} | more


def opened(*tasks, files=(), **options):
    report = Report()
    source = MemorySource({"t.json": json.dumps(tasks).encode(), **dict(files)})
    dataset = read(source, format=FORMAT, options=options, report=report)
    return list(dataset.read(report)), report


def codes(report):
    return {line.code: line.count for line in report.problems()}


def test_the_example_reads_with_exact_values():
    first, second, third = lg.read(DATA)
    assert first.path == "street/a.jpg" and first.size == (640, 480) and first.id == 7
    assert first.attributes == {"camera": "front"} and first.tags[0].label == "sunny"
    box, turned, polygon, ellipse, point = first.annotations
    assert box.box == (64, 96, 224, 240) and box.label == "car" and box.attributes == {"colour": "red"}
    assert turned.shape.corners == pytest.approx((320, 240, 320, 304, 272, 304, 272, 240))
    assert polygon.shape == Polygon.of((0, 0, 320, 0, 0, 240))
    assert (ellipse.shape, ellipse.score) == (Ellipse(cx=320, cy=240, rx=64, ry=24), 0.5)
    assert point.shape == Points(points=(160, 360)) and point.parent == "r1"
    assert all(a.layer is None for a in first.annotations)
    assert second.annotations is None and third.annotations == ()


def test_the_example_returns():
    written = json.loads(travel(lg.read(DATA), FORMAT).files["tasks.json"])
    wanted = json.loads((DATA / "tasks.json").read_text())
    wanted[2]["annotations"][0]["completed_by"] = None

    def rounded(value):
        if isinstance(value, dict):
            return {k: rounded(v) for k, v in value.items() if k != "id" or v != "c1"}
        return (
            [rounded(v) for v in value]
            if isinstance(value, list)
            else round(value, 9)
            if isinstance(value, float)
            else value
        )

    written[0]["annotations"][0]["result"] = [
        {k: v for k, v in r.items() if r["type"] != "choices" or r.get("from_name") != "choice" or k != "id"}
        for r in written[0]["annotations"][0]["result"]
    ]
    got, expected = rounded(written), rounded(wanted)
    for tasks in (got, expected):
        for each in tasks:
            for annotation in each["annotations"]:
                annotation["result"].sort(key=lambda r: json.dumps(r, sort_keys=True))
    assert got == expected


def test_a_rectangle_turns_about_its_top_left_corner_in_pixels():
    (sample,), _ = opened(task(rectangle(50, 50, 10, 10, value={"rotation": 30})))
    ring, c, s = sample.annotations[0].shape.corners, math.cos(math.pi / 6), math.sin(math.pi / 6)
    assert ring == pytest.approx(
        (100, 50, 100 + 20 * c, 50 + 20 * s, 100 + 20 * c - 10 * s, 50 + 20 * s + 10 * c, 100 - 10 * s, 50 + 10 * c)
    )


def test_corners_that_are_no_rectangle_become_a_polygon_and_anticlockwise_ones_are_turned_round():
    odd = RotatedBox(corners=(0, 0, 10, 1, 9, 9, 0, 8))
    back = RotatedBox(corners=(10, 10, 10, 20, 30, 20, 30, 10))
    dataset = Dataset(
        [
            Sample(
                path="a.jpg",
                size=(100, 100),
                annotations=(Annotation(label="c", shape=odd), Annotation(label="c", shape=back)),
            )
        ],
        ["c"],
    )
    files, report = store(dataset, FORMAT)
    assert codes(report) == {"label-studio.corners": 2}
    one, two = next(iter(load(files, FORMAT)[0])).annotations
    assert one.shape == Polygon.of(odd.corners)
    assert two.shape.corners == pytest.approx((10, 10, 30, 10, 30, 20, 10, 20))


def test_a_turned_rectangle_on_an_image_of_unknown_size_is_refused():
    (sample,), report = opened(
        task(rectangle(50, 50, 10, 10, size=None, value={"rotation": 30}), rectangle(0, 0, 50, 50, size=None))
    )
    assert codes(report) == {"label-studio.region": 1}
    assert sample.units == "relative" and sample.annotations[0].box == (0, 0, 0.5, 0.5)
    (sample,), _ = opened(task(rectangle(0, 0, 50, 50, size=None)), files={"a.jpg": png(64, 48)}.items())
    assert sample.size == (64, 48) and sample.annotations[0].box == (0, 0, 32, 24)


def test_brush_strokes_follow_the_published_vector():
    packed = bytes([0, 0, 0, 18, 57, 27, 252, 96, 32, 1, 0, 6, 0, 40, 0, 192, 3, 128, 17, 56, 32])
    assert decode(packed, 18).tolist() == [1, 1, 1, 1, 2, 3, 5, 6, 7, 8, 4, 4, 4, 4, 4, 4, 4, 4]


def test_brush_strokes_return_and_only_alpha_counts():
    for counts in ((12,), (0, 12), (2, 3, 1, 6)):
        mask = Mask(width=4, height=3, rle=encode_string(counts))
        assert read_mask(write_mask(mask), 4, 3) == mask
    large = Mask(width=700, height=300, rle=encode_string((1000, 200000, 9000)))
    assert read_mask(write_mask(large), 700, 300) == large
    with pytest.raises(lg.LabelglotError, match="values"):
        read_mask(write_mask(Mask(width=4, height=3, rle="<")), 4, 4)
    with pytest.raises(lg.LabelglotError, match="too early"):
        read_mask([0, 0, 0, 48, 57], 4, 3)
    with pytest.raises(lg.LabelglotError, match="bytes"):
        read_mask([300], 4, 3)


def test_brush_strokes_of_old_exports_are_images():
    bitmap = np.zeros((100, 200), dtype=bool)
    bitmap[2:4, 5:9] = True
    stroke = {
        **rectangle(0, 0, 1, 1),
        "type": "brushlabels",
        "value": {"maskDataURL": to_data_url(encode_alpha(bitmap)), "brushlabels": ["cat"]},
    }
    small = {**stroke, "value": {"maskDataURL": to_data_url(encode_alpha(bitmap[:50]))}}
    (sample,), report = opened(task(stroke, small))
    assert [mask_area(decode_string(a.shape.rle)) for a in sample.annotations] == [8] and codes(report) == {
        "label-studio.region": 1
    }


def test_an_open_polygon_is_a_line():
    line = {"id": "p", "from_name": "polygon", "to_name": "image", "type": "polygonlabels", "original_width": 100,
            "original_height": 100, "value": {"points": [[1, 2], [3, 4]], "closed": False, "polygonlabels": ["c"]}}  # fmt: skip
    (sample,), _ = opened(task(line))
    assert sample.annotations[0].shape == Polyline(points=(1, 2, 3, 4))


def test_several_annotators_are_layers():
    two = {"completed_by": {"id": 2, "email": "b@example.com"}, "result": []}
    cancelled = {"completed_by": 3, "was_cancelled": True, "result": [rectangle(1, 1, 1, 1)]}
    first = task(rectangle(0, 0, 50, 50))
    first["annotations"] += [two, cancelled]
    (a, b), report = opened(first, task(rectangle(0, 0, 10, 10), image="b.jpg"))
    assert [x.layer for x in (*a.annotations, *b.annotations)] == ["1", "1"]
    assert codes(report) == {"label-studio.annotators": 1, "label-studio.cancelled": 1}
    written = json.loads(store(Dataset([a, b], ["cat"]), FORMAT)[0]["tasks.json"])
    assert [(s["completed_by"], len(s["result"])) for s in written[0]["annotations"]] == [
        (1, 1),
        (two["completed_by"], 0),
        (3, 1),
    ]
    (a, _), _ = opened(first, task(rectangle(0, 0, 10, 10), image="b.jpg"), annotator="b@example.com")
    assert a.annotations == ()


def test_layers_of_other_formats_become_annotators():
    objects = tuple(Annotation(label="c", box=(0, 0, 1, 1), layer=layer) for layer in ("anna", "bert"))
    dataset = Dataset([Sample(path="a.jpg", size=(10, 10), annotations=objects)], ["c"])
    (written,) = json.loads(store(dataset, FORMAT)[0]["tasks.json"])
    assert [s["completed_by"] for s in written["annotations"]] == [{"email": "anna"}, {"email": "bert"}]


def test_predictions_are_kept_aside_or_read():
    first = task(
        rectangle(0, 0, 50, 50),
        predictions=[{"model_version": "m", "score": 0.5, "result": [rectangle(1, 1, 2, 2, score=0.25)]}],
    )
    (a,), report = opened(first)
    assert len(a.annotations) == 1 and codes(report) == {"label-studio.predictions": 1}
    assert json.loads(store(Dataset([a], ["cat"]), FORMAT)[0]["tasks.json"])[0]["predictions"] == first["predictions"]
    (a,), _ = opened(first, sets="all")
    assert [(x.layer, x.score) for x in a.annotations] == [("1", None), ("m", 0.25)]
    written = json.loads(store(Dataset([a], ["cat"]), FORMAT)[0]["tasks.json"])[0]
    assert len(written["annotations"]) == 1 and written["predictions"][0]["score"] == 0.5
    (a,), _ = opened({**first, "annotations": []})
    assert [(x.layer, x.score) for x in a.annotations] == [(None, 0.25)]


def test_classes_of_a_region():
    several = rectangle(0, 0, 50, 50, value={"rectanglelabels": ["cat", "dog"]})
    plain = {**rectangle(0, 0, 50, 50, id="s"), "type": "rectangle"}
    del plain["value"]["rectanglelabels"]
    named = {"id": "s", "from_name": "l", "to_name": "image", "type": "labels", "value": {"labels": ["cow"]}}
    bare = rectangle(1, 1, 1, 1, id="t", value={"rectanglelabels": []})
    (sample,), report = opened(task(several, plain, named, bare))
    assert [a.label for a in sample.annotations] == ["cat", "dog", "cow", None] and codes(report) == {
        "label-studio.labels": 1
    }
    (written,) = json.loads(store(Dataset([sample], ["cat", "dog", "cow"]), FORMAT)[0]["tasks.json"])
    results = written["annotations"][0]["result"]
    assert [r["value"].get("rectanglelabels") for r in results] == [["cat", "dog"], ["cow"], None]
    (again,) = load({"t.json": json.dumps([written]).encode()}, FORMAT)[0]
    assert [a.label for a in again.annotations] == ["cat", "dog", "cow", None]


def test_what_is_said_about_a_region_is_its_attributes():
    def said(kind, name, value):
        return {
            "id": "r",
            "from_name": name,
            "to_name": "image",
            "type": kind,
            "value": {"text" if kind == "textarea" else kind: value},
        }

    results = (
        said("choices", "colour", ["red", "blue"]), said("choices", "new", ["true"]), said("number", "age", 3), said("rating", "stars", 4),
        said("textarea", "transcription", ["hello"]), said("textarea", "note", ["x"]), said("taxonomy", "kind", [["a", "b"]]),
    )  # fmt: skip
    (sample,), report = opened(task(rectangle(0, 0, 50, 50), *results))
    (a,) = sample.annotations
    assert a.text == "hello" and not report.problems()
    assert a.attributes == {"colour": ("red", "blue"), "new": True, "age": 3, "stars": 4, "note": "x", "kind": ("a/b",)}
    files, _ = store(Dataset([sample], ["cat"]), FORMAT)
    back = json.loads(files["tasks.json"])[0]["annotations"][0]["result"]
    kinds = {r["from_name"]: r["type"] for r in back}
    assert kinds == {r["from_name"]: r["type"] for r in results} | {"label": "rectanglelabels"}
    assert next(r for r in back if r["from_name"] == "kind")["value"]["taxonomy"] == [["a", "b"]]
    assert b'<Rating name="stars" toName="image" perRegion="true"/>' in files["label_config.xml"]


def test_classes_and_captions_of_the_image():
    weather = {
        "id": "x",
        "from_name": "weather",
        "to_name": "image",
        "type": "choices",
        "value": {"choices": ["sunny", "warm"]},
    }
    caption = {"id": "y", "from_name": "caption", "to_name": "image", "type": "textarea", "value": {"text": ["a cat"]}}
    (sample,), _ = opened(task(weather, caption))
    assert [(t.label, t.text) for t in sample.tags] == [("sunny", None), ("warm", None), (None, "a cat")]
    assert sample.annotations == ()
    (written,) = json.loads(store(Dataset([sample], ["sunny", "warm"]), FORMAT)[0]["tasks.json"])
    first, second = written["annotations"][0]["result"]
    assert (first["from_name"], first["value"]) == ("weather", weather["value"]) and second["value"] == caption["value"]
    unlooked = Dataset([Sample(path="a.jpg", size=(9, 9), tags=(Tag(label="c"),), annotations=None)], ["c"])
    assert next(iter(travel(unlooked, FORMAT).dataset)).annotations is None


@pytest.mark.parametrize(
    ("address", "path", "uri"),
    [
        ("/data/upload/3/1a2b3c4d-my-cat.jpg", "my-cat.jpg", True),
        ("/data/upload/3/cat.jpg", "cat.jpg", True),
        ("/data/local-files/?d=set%201/cat.jpg", "set 1/cat.jpg", True),
        ("s3://bucket/set/cat.jpg", "set/cat.jpg", True),
        ("https://example.com/x/cat.jpg?sig=1", "x/cat.jpg", True),
        ("set/cat.jpg", "set/cat.jpg", False),
    ],
)  # fmt: skip
def test_addresses_of_images(address, path, uri):
    (sample,), _ = opened(task(image=address))
    assert (sample.path, sample.uri) == (path, address if uri else None)
    (written,) = json.loads(store(Dataset([sample], []), FORMAT)[0]["tasks.json"])
    assert written["data"]["image"] == address and "path" not in written.get("meta", {})


def test_uploads_of_one_name_stay_apart():
    one, two = "/data/upload/1/11111111-cat.jpg", "/data/upload/1/22222222-cat.jpg"
    samples, _ = opened(task(image=one), task(image=two))
    assert [s.path for s in samples] == ["11111111-cat.jpg", "22222222-cat.jpg"]
    (sample,), _ = opened(task(image=one), files={"images/11111111-cat.jpg": png(64, 48)}.items())
    assert sample.path == "11111111-cat.jpg" and sample.size == (64, 48)


def test_a_prefix_makes_addresses():
    target = MemoryTarget()
    write(
        Dataset([Sample(path="set 1/a.jpg", annotations=())], ["c"]),
        target,
        format=FORMAT,
        options={"prefix": "/data/local-files/?d="},
    )
    (written,) = json.loads(target.content["tasks.json"])
    assert written["data"]["image"] == "/data/local-files/?d=set%201/a.jpg"
    assert next(iter(load(target.content, FORMAT)[0])).path == "set 1/a.jpg"


def test_the_image_is_found_in_the_data():
    other = {"data": {"text": "t", "photo": "x.jpg"}, "annotations": []}
    (a, b), report = opened(other, {"data": {"text": "only"}, "annotations": []}, {"data": {}, "annotations": []})
    assert (a.path, a.attributes, b.path) == ("x.jpg", {"text": "t"}, "only")
    assert codes(report) == {"label-studio.image": 1}
    (a,), _ = opened(other, image_key="text")
    assert a.path == "t"
    written = json.loads(store(Dataset([opened(other)[0][0]], []), FORMAT)[0]["tasks.json"])
    assert written[0]["data"] == {"photo": "x.jpg", "text": "t"}


def test_odd_entries_are_reported_and_the_rest_goes_on():
    bad = [7, {**rectangle(0, 0, 1, 1), "value": {"x": "1"}}, {**rectangle(0, 0, 1, 1), "value": None}]
    other = {"id": "v", "from_name": "t", "to_name": "audio", "type": "timeserieslabels", "value": {}}
    (sample,), report = opened(
        task(*bad, other, rectangle(0, 0, 50, 50)), 5, {"data": {"image": "b.jpg"}, "annotations": 3}
    )
    assert len(sample.annotations) == 1
    assert codes(report) == {
        "label-studio.result": 1,
        "label-studio.region": 2,
        "label-studio.type": 1,
        "label-studio.task": 2,
    }
    assert sample.extra["label-studio"]["sets"][0]["other"] == [other]


def video(*sequence, id="v", **value):
    keys = [
        dict(zip(("frame", "x", "enabled"), key, strict=True)) | {"y": 10, "width": 20, "height": 30, "rotation": 0}
        for key in sequence
    ]
    return {
        "id": id,
        "from_name": "box",
        "to_name": "video",
        "type": "videorectangle",
        "value": {"sequence": keys, "labels": ["cat"], **value},
    }


def test_frames_of_videos_between_key_frames():
    colour = {"id": "v", "from_name": "colour", "to_name": "video", "type": "choices", "value": {"choices": ["red"]}}
    made = video((1, 0, True), (3, 10, False), (6, 50, True), framesCount=7)
    samples, report = opened(task(made, colour, video((2, 5, False), id="w"), image="a.mp4"))
    assert [(s.frame, s.sequence, len(s.annotations)) for s in samples] == [
        (0, "a.mp4", 1), (1, "a.mp4", 2), (2, "a.mp4", 1), (5, "a.mp4", 1), (6, "a.mp4", 1),
    ]  # fmt: skip
    xs = [s.annotations[0].box[0] for s in samples]
    assert xs == pytest.approx([0, 0.05, 0.1, 0.5, 0.5]) and all(s.units == "relative" for s in samples)
    assert {a.track for s in samples for a in s.annotations} == {"v", "w"}
    assert samples[0].annotations[0].attributes == {"colour": "red"} and samples[1].annotations[1].attributes == {}
    assert codes(report) == {"label-studio.frames": 1}


def test_tracks_that_make_no_sense_are_skipped():
    endless, none, odd = video((1, 0, True), (10**9, 0, True)), video(), video((0, 0, True))
    samples, report = opened(task(endless, none, odd, video((2, 0, False)), image="a.mp4"))
    assert [s.frame for s in samples] == [1] and codes(report) == {"label-studio.video": 3, "label-studio.frames": 1}


def test_a_turned_image_is_reported():
    (sample,), report = opened(task(rectangle(0, 0, 50, 50, image_rotation=90)))
    assert codes(report) == {"label-studio.image_rotation": 1}
    assert sample.annotations[0].extra == {"label-studio": {"image_rotation": 90}}


def test_the_configuration_gives_order_and_colours():
    config = b'<View><Image name="image" value="$image"/><RectangleLabels name="label" toName="image">' \
        b'<Label value="dog" background="red"/><Label value="cat"/></RectangleLabels></View>'  # fmt: skip
    files = {"t.json": json.dumps([task(rectangle(0, 0, 50, 50))]).encode(), "config.xml": config}
    dataset = load(files, FORMAT)[0]
    assert [(label.name, label.color) for label in dataset.labels] == [("dog", "red"), ("cat", None)]
    assert travel(dataset, FORMAT).files["label_config.xml"] == config


def test_one_file_per_task_and_json_min():
    files = {"1": json.dumps(task(rectangle(0, 0, 50, 50))).encode(), "2": json.dumps(task(image="b.jpg")).encode()}
    dataset, _ = load({f"{k}.json": v for k, v in files.items()}, FORMAT)
    assert [s.path for s in dataset] == ["a.jpg", "b.jpg"]
    flat = {
        "x": 0,
        "y": 0,
        "width": 50,
        "height": 50,
        "rotation": 0,
        "rectanglelabels": ["cat"],
        "original_width": 20,
        "original_height": 10,
    }
    record = {
        "image": "a.jpg",
        "id": 4,
        "label": [flat],
        "weather": {"choices": ["sunny", "warm"]},
        "annotator": 1,
        "annotation_id": 9,
        "lead_time": 3.5,
    }
    (sample,), _ = opened(record)
    assert sample.annotations[0].box == (0, 0, 10, 5) and [t.label for t in sample.tags] == ["sunny", "warm"]
    (sample,), report = opened(record, {**record, "annotator": 2, "annotation_id": 10})
    assert [a.layer for a in sample.annotations] == ["1", "2"] and codes(report) == {"label-studio.annotators": 1}


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_tables(suffix):
    flat = {
        "x": 0,
        "y": 0,
        "width": 50,
        "height": 50,
        "rotation": 0,
        "rectanglelabels": ["cat"],
        "original_width": 20,
        "original_height": 10,
    }
    record = {
        "image": "a.jpg",
        "id": 4,
        "label": json.dumps([flat]),
        "note": "[x",
        "annotator": 1,
        "annotation_id": 9,
        "lead_time": 3.5,
    }
    text = io.StringIO()
    writer = csv.DictWriter(text, record, delimiter="," if suffix == "csv" else "\t")
    writer.writeheader()
    writer.writerow(record)
    source = MemorySource({f"export.{suffix}": text.getvalue().encode()})
    assert FORMAT.detect(source).confidence == 0.9
    (sample,) = read(source, format=FORMAT)
    assert sample.annotations[0].box == (0, 0, 10, 5) and sample.id == 4 and sample.attributes == {"note": "[x"}


@real
def test_real_boxes_of_two_annotators():
    one, two = lg.read(SAMPLES / "rect" / "data.json")
    assert Counter(a.layer for a in one.annotations) == {"2": 2, "1": 2} and len(two.annotations) == 2
    assert Counter(a.label for s in (one, two) for a in s.annotations) == {"parasites": 2, "white": 4}
    x0, y0, x1, y1 = one.annotations[0].box
    wanted = (0.39253187613843354, 0.7304189435336975, 0.04189435336976321, 0.04735883424408015)
    assert ((x0 + x1) / 5600, (y0 + y1) / 5600, (x1 - x0) / 2800, (y1 - y0) / 2800) == pytest.approx(wanted)


@real
def test_real_rotated_boxes():
    samples = list(lg.read(SAMPLES / "obb" / "data_obb.json"))
    assert [len(s.annotations) for s in samples] == [23, 1, 1] and samples[0].size == (597, 768)
    assert Counter(a.label for s in samples for a in s.annotations) == {"Butterfly": 24, "butterfly": 1}
    turned = [a.shape for s in samples for a in s.annotations if isinstance(a.shape, RotatedBox)]
    x, y, width, height, turn = (
        10.537066764905694,
        79.55767690059092,
        19.045470024656687,
        8.132522043893882,
        328.33240366032834,
    )
    a = math.radians(turn)
    x, y, w, h = x * 5.97, y * 7.68, width * 5.97, height * 7.68
    assert turned[0].corners[:4] == pytest.approx((x, y, x + w * math.cos(a), y + w * math.sin(a)))
    assert turned[0].corners[6:] == pytest.approx((x - h * math.sin(a), y + h * math.cos(a)))


@real
def test_real_polygons_and_mixed_tasks():
    (sample,) = lg.read(SAMPLES / "polygon" / "data_polygons.json")
    assert sample.size == (640, 426) and sample.annotations[0].label == "Airplane"
    assert sample.annotations[0].shape.parts[0][0][:2] == pytest.approx((384, 83.3223140495868))
    (sample,) = lg.read(SAMPLES / "mixed" / "data.json")
    assert len(sample.annotations[0].shape.parts[0][0]) == 6 and sample.path == "example.png"
    report = Report()
    pages = list(lg.read(SAMPLES / "mixed" / "data_repeater.json", report=report).read(report))
    assert [len(s.annotations or ()) for s in pages] == [1, 0, 0] and codes(report) == {"label-studio.pages": 1}
    assert pages[0].annotations[0].attributes == {"categories_0": ("Archaea",)}
    samples = list(lg.read(SAMPLES / "mixed" / "prediction_changed_and_rejected.json"))
    assert [s.size for s in samples] == [(768, 576), (768, 510)]
    assert all(a.label == "Car" for s in samples for a in s.annotations)
    assert samples[0].annotations[0].score == 0.23053804129850775


@real
@pytest.mark.parametrize(
    "name",
    ["rect/data.json", "obb/data_obb.json", "polygon/data_polygons.json", "mixed/prediction_changed_and_rejected.json"],
)
def test_real_tasks_return(name):
    given = json.loads((SAMPLES / name).read_text())
    dataset = lg.read(SAMPLES / name)
    written = json.loads(travel(dataset, FORMAT).files["tasks.json"])
    assert [{**t, "meta": {}}.keys() for t in written] == [t.keys() for t in given]
    for got, wanted in zip(written, given, strict=True):
        assert [set(a) for a in got["annotations"]] == [set(a) for a in wanted["annotations"]]
        assert got["predictions"] == wanted["predictions"] and got["data"] == wanted["data"]


def test_odd_values_anywhere_are_no_exceptions():
    document = json.loads((DATA / "tasks.json").read_text())
    for odd in odd_documents(document, 40):
        survives(FORMAT, {"tasks.json": json.dumps(odd).encode()}, {"sets": "all"})
