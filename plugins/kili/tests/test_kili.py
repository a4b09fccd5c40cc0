"""Kili: fractions, polygons of several parts, poses by code, nested questions, turned images, videos."""

import json
from collections import Counter
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.engine.convert import read
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Keypoints, Label, Points, Polygon, Polyline, Sample
from labelglot.storage import MemorySource
from labelglot.testing.odd_json import odd_documents, survives
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, store, travel
from labelglot_kili import Kili

DATA = Path(__file__).parent / "data" / "kili"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "kili"
FORMAT = Kili()
real = pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")


def ring(*xy):
    return [{"normalizedVertices": [{"x": x, "y": y} for x, y in zip(xy[::2], xy[1::2], strict=True)]}]


def rectangle(*box, name="CAR", **more):
    x0, y0, x1, y1 = box or (0, 0, 0.5, 0.5)
    return {
        "type": "rectangle",
        "categories": [{"name": name}],
        "boundingPoly": ring(x0, y1, x0, y0, x1, y0, x1, y1),
        **more,
    }


def asset(*annotations, key="a.jpg", **more):
    label = {"labelType": "DEFAULT", "jsonResponse": {"OBJECT_DETECTION_JOB": {"annotations": list(annotations)}}}
    return {"externalId": key, "resolution": {"width": 200, "height": 100}, "latestLabel": label} | more


def label(response, by=None, **more):
    return {
        "author": {"email": by, "id": by},
        "createdAt": "t",
        "labelType": "DEFAULT",
        "jsonResponse": response,
        **more,
    }


def opened(*assets, files=None, **options):
    report = Report()
    dataset = read(
        MemorySource({"d.json": json.dumps(assets).encode(), **(files or {})}),
        format=FORMAT,
        options=options,
        report=report,
    )
    return list(dataset.read(report)), report


def codes(report):
    return {line.code: line.count for line in report.problems()}


def test_the_example_reads_with_exact_values():
    dataset = lg.read(DATA)
    first, second, third = dataset
    assert (first.path, first.uri, first.size, first.id) == (
        "street/a.jpg",
        "https://example.com/a.jpg",
        (640, 480),
        "a1",
    )
    assert first.attributes == {"camera": "front"} and [(t.label, t.text) for t in first.tags] == [
        ("SUNNY", None),
        (None, "a street"),
    ]
    car, road, lane, lamp, head = first.annotations
    assert car.box == (64, 96, 320, 288) and car.attributes == {"COLOUR": "RED", "SHADE": "dark"} and car.score is None
    assert road.shape == Polygon(
        parts=(((0, 0, 640, 0, 640, 480), (320, 120, 480, 120, 480, 240)), ((0, 240, 160, 480, 0, 480),))
    )
    assert (
        lane.shape == Polyline(points=(0, 0, 320, 240))
        and lamp.shape == Points(points=(160, 360))
        and lamp.score == 0.5
    )
    assert head.keypoints == Keypoints(points=(320, 240, 160, 120), visibility=(2, 2))
    labels = {label.name: label.keypoints for label in dataset.complete().labels}
    assert labels["HEAD"] == ("NOSE", "EYE") and labels["CAR"] is None
    assert second.annotations is None and third.annotations == ()


def test_the_example_returns():
    written = json.loads(travel(lg.read(DATA), FORMAT).files["data.json"])
    wanted = json.loads((DATA / "data.json").read_text())
    lamp = written[0]["latestLabel"]["jsonResponse"]["LANES"]["annotations"][1]["categories"][0]
    assert lamp.pop("score") == 0.5
    assert written == wanted


def test_any_order_of_corners_and_two_corners_make_a_box():
    five = {"type": "rectangle", "categories": [], "boundingPoly": ring(0.5, 0.5, 0, 0.5, 0, 0, 0.5, 0, 0.5, 0.5)}
    two = {"type": "rectangle", "categories": [], "boundingPoly": ring(0.5, 0.5, 0, 0)}
    (sample,), _ = opened(asset(five, two))
    assert [a.box for a in sample.annotations] == [(0, 0, 100, 50)] * 2


@pytest.mark.parametrize(("rotation", "point"), [(90, (150, 90)), (180, (180, 25)), (270, (50, 10))])
def test_a_turned_image_is_turned_back(rotation, point):
    marker = {"type": "marker", "categories": [{"name": "A"}], "point": {"x": 0.1, "y": 0.75}}
    response = {"JOB": {"annotations": [marker]}, "ROTATION_JOB": {"rotation": rotation}}
    (sample,), _ = opened(asset(latestLabel=label(response)))
    assert sample.annotations[0].shape.points == pytest.approx(point)
    written = json.loads(store(Dataset([sample], ["A"]), FORMAT)[0]["data.json"])
    assert "ROTATION_JOB" not in written[0]["latestLabel"]["jsonResponse"]


def test_a_size_that_is_missing_comes_from_the_image():
    (sample,), _ = opened(asset(rectangle(), resolution=None))
    assert sample.units == "relative" and sample.annotations[0].box == (0, 0, 0.5, 0.5)
    (sample,), _ = opened(asset(rectangle(), resolution=None), files={"a.jpg": png(64, 48)})
    assert sample.size == (64, 48) and sample.annotations[0].box == (0, 0, 32, 24)


def test_vertices_in_pixels():
    item = {
        "type": "polygon",
        "categories": [],
        "boundingPoly": [{"vertices": [{"x": 0, "y": 0}, {"x": 9, "y": 0}, {"x": 9, "y": 9}]}],
    }
    nested = {"type": "semantic", "categories": [], "boundingPoly": [ring(0, 0, 1, 0, 1, 1), ring(0, 0, 0.5, 0, 0, 1)]}
    (sample,), _ = opened(asset(item, nested))
    assert sample.annotations[0].shape == Polygon.of((0, 0, 9, 0, 9, 9)) and len(sample.annotations[1].shape.parts) == 2


def test_bad_annotations_among_good_ones():
    bad = [7, {"type": "rectangle", "boundingPoly": [{}]}, {"type": "vector"}, {"type": "pose", "points": []}, {"type": "mystery"},
           {"type": "marker", "point": {"x": "1", "y": 0}}, {"type": "polygon", "boundingPoly": 3}]  # fmt: skip
    (sample, other), report = opened(asset(*bad, rectangle()), 5, {"id": "x"}, asset(key="b.jpg", latestLabel=3))
    assert len(sample.annotations) == 1 and other.annotations is None
    assert codes(report) == {"kili.object": 7, "kili.asset": 2}


def test_responses_as_text_and_alone():
    (sample,), _ = opened(asset(latestLabel={"jsonResponse": json.dumps({"J": {"annotations": [rectangle()]}})}))
    assert len(sample.annotations) == 1
    source = MemorySource({"a.json": json.dumps({"J": {"annotations": [rectangle(mid="1")]}}).encode()})
    assert FORMAT.detect(source).confidence == 0.7
    (sample,) = read(source, format=FORMAT)
    assert sample.path == "a" and sample.annotations[0].box == (0, 0, 0.5, 0.5)


def test_labels_of_several_people_and_models():
    made = [label({"J": {"annotations": [rectangle(name=by)]}}, by) for by in ("anna", "bert")]
    model = label({"J": {"annotations": [rectangle(name="m")]}}, labelType="PREDICTION", modelName="net") | {
        "author": None
    }
    both = asset(latestLabel=made[0], labels=[*made, model])
    (sample,), report = opened(both)
    assert [(a.label, a.layer) for a in sample.annotations] == [("anna", None)] and not report.problems()
    (sample,), report = opened(both, labels="all")
    assert [(a.label, a.layer) for a in sample.annotations] == [("anna", "anna"), ("bert", "bert")]
    assert codes(report) == {"kili.labels": 1}
    (sample,), _ = opened(both, labels="all", predictions=True)
    assert sample.annotations[2].layer == "net"
    written = json.loads(store(Dataset([sample], ["anna", "bert", "m"]), FORMAT)[0]["data.json"])[0]
    assert [one["labelType"] for one in written["labels"]] == ["DEFAULT", "DEFAULT", "PREDICTION"]
    (sample,), _ = opened(asset(latestLabel=None, labels=[model]))
    assert [a.label for a in sample.annotations] == ["m"]


def test_several_categories_are_several_objects():
    (sample,), report = opened(asset(rectangle(categories=[{"name": "A"}, {"name": "B"}])))
    assert [a.label for a in sample.annotations] == ["A", "B"] and codes(report) == {"kili.classes": 1}


def test_poses_keep_their_codes_and_points_that_are_missing():
    names = ("NOSE", "EYE", "EAR")
    keypoints = Keypoints(points=(1, 2, 0, 0, 5, 5), visibility=(2, 0, 1))
    sample = Sample(path="a.jpg", size=(10, 10), annotations=(Annotation(label="h", keypoints=keypoints),))
    files, _ = store(Dataset([sample], [Label(key="h", name="h", keypoints=names)]), FORMAT)
    points = json.loads(files["data.json"])[0]["latestLabel"]["jsonResponse"]["OBJECT_DETECTION_JOB"]["annotations"][0][
        "points"
    ]
    assert [(p["code"], p.get("visibility")) for p in points] == [("NOSE", None), ("EAR", 1)]
    back = load(files, FORMAT)[0]
    assert back.labels[0].keypoints == names and next(iter(back)).annotations[0].keypoints == keypoints


def test_the_interface_gives_order_and_colours():
    categories = {"DOG": {"name": "Dog", "color": "#aabbcc"}, "CAR": {"name": "CAR"}}
    interface = {"jsonInterface": {"jobs": {"J": {"content": {"categories": categories}}}}}
    dataset, _ = load(
        {"data.json": json.dumps([asset(rectangle())]).encode(), "i.json": json.dumps(interface).encode()}, FORMAT
    )
    assert [(x.name, x.color) for x in dataset.labels] == [("DOG", "#aabbcc"), ("CAR", None)]
    written = json.loads(travel(dataset, FORMAT).files["json_interface.json"])
    assert written["jobs"]["OBJECT_DETECTION_JOB"]["content"]["categories"]["DOG"]["name"] == "Dog"


def test_two_polygons_of_one_id_stay_two():
    objects = tuple(Annotation(label="c", id="x", shape=Polygon.of((0, 0, n, 0, n, n))) for n in (4, 8))
    dataset = Dataset([Sample(path="a.jpg", size=(8, 8), annotations=objects)], ["c"])
    files, report = store(dataset, FORMAT)
    (sample,) = load(files, FORMAT)[0]
    assert [a.id for a in sample.annotations] == ["x", None] and codes(report) == {"kili.id": 1}


def test_one_file_for_each_asset():
    files = {f"labels/{n}.json": json.dumps(asset(rectangle(), key=f"{n}.jpg")).encode() for n in "ab"}
    assert [s.path for s in load(files, FORMAT)[0]] == ["labels/a.jpg", "labels/b.jpg"]


@real
def test_real_shapes_of_every_type():
    dataset = lg.read(SAMPLES / "image_project_assets.json")
    (sample,) = dataset
    assert sample.path == "42015077eed072c50d59232dcc0ad0b1.jpg" and sample.size == (474, 842)
    found = {a.label: a for a in sample.annotations}
    assert list(found) == ["A", "B", "C", "D", "E", "HEAD"]
    x = 0.7412807669633257 * 474
    assert found["A"].box == pytest.approx((x, 0.07455291056382807 * 842, x, 0.11831185681407619 * 842))
    assert isinstance(found["B"].shape, Points) and isinstance(found["D"].shape, Polyline)
    assert found["E"].extra["kili"]["type"] == "semantic" and len(found["HEAD"].keypoints) == 5
    assert {x.name: len(x.keypoints) for x in dataset.complete().labels if x.keypoints} == {"HEAD": 5}


@real
def test_real_semantic_objects():
    samples = list(lg.read(SAMPLES / "image_project_assets_for_coco.json"))
    assert [s.size for s in samples] == [(7980, 5532), (9600, 5400), (2205, 3920)]
    parts = [[len(a.shape.parts) for a in s.annotations] for s in samples]
    assert parts == [[2, 2], [2, 2], [3]]  # 4, 4, 3 annotations; those of one mid are one object
    found = Counter()
    for a in (a for s in samples for a in s.annotations):
        found[a.label] += len(a.shape.parts)
    assert found == {"OBJECT_A": 6, "OBJECT_B": 5}


@real
def test_real_video():
    samples = list(lg.read(SAMPLES / "video_project_assets.json"))
    assert len(samples) == 13 and all(s.size == (1920, 1080) and s.sequence == "Click here to start" for s in samples)
    assert [s.frame for s in samples if s.annotations] == [11, 12]
    assert {a.track for s in samples for a in s.annotations} == {"20230719103804051-62814"}
    assert samples[11].annotations[0].box == pytest.approx(
        (0.311841531097634 * 1920, 0.5449016956222676 * 1080, 0.40148639384560253 * 1920, 0.6538423037514713 * 1080)
    )


@real
def test_a_real_bare_response():
    (sample,) = lg.read(SAMPLES / "json_response_image.json")
    (a,) = sample.annotations
    assert a.label == "B" and a.score is None and a.box[:2] == (0.04709242068694344, 0.48665603996150586)


@real
def test_real_assets_return():
    given = json.loads((SAMPLES / "image_project_assets_for_coco.json").read_text())
    written = json.loads(travel(lg.read(SAMPLES / "image_project_assets_for_coco.json"), FORMAT).files["data.json"])
    assert [set(a) - set(b) for a, b in zip(given, written, strict=True)] == [set()] * 3


def test_odd_values_anywhere_are_no_exceptions():
    document = json.loads((DATA / "data.json").read_text())
    for odd in odd_documents(document, 40):
        survives(FORMAT, {"data.json": json.dumps(odd).encode()}, {"labels": "all", "predictions": True})
