"""OpenLABEL: objects over frames, all kinds of items, cameras, and what tools write against the standard."""

import json
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.engine.convert import read
from labelglot.geometry import decode_string, encode_string, mask_area
from labelglot.report import Report
from labelglot.schema import (
    Annotation,
    Dataset,
    Keypoints,
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
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, travel
from labelglot_openlabel import OpenLabel

DATA = Path(__file__).parent / "data" / "openlabel"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "openlabel"
FORMAT = OpenLabel()
OWNER = "openlabel"
LAKE = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"


def document(root="openlabel", **parts):
    return {"a.json": json.dumps({root: {"metadata": {"schema_version": "1.0.0"}, **parts}}).encode()}


def scene(*data, **more):
    objects = {str(i): {"name": "", "type": "Car", "object_data": each} for i, each in enumerate(data)}
    return document(objects=objects, **more)


def opened(files, **options):
    report = Report()
    dataset = read(MemorySource(files), format=FORMAT, options=options, report=report)
    return list(dataset.read(report)), report


def codes(report):
    return {line.code: line.count for line in report.problems()}


def sample_of(name):
    report = Report()
    return list(lg.read(SAMPLES / f"openlabel100_test_{name}.json", report=report).read(report)), report


def test_the_example_reads_with_exact_values():
    report = Report()
    dataset = lg.read(DATA, report=report)
    zero, one = dataset.read(report)
    assert codes(report) == {"openlabel.kept": 1}
    assert (zero.path, zero.frame, zero.size, zero.timestamp) == ("video.mp4/000000.png", 0, (1280, 720), 12.5)
    assert (one.path, one.frame, one.timestamp) == ("video.mp4/000001.png", 1, None)
    assert [(t.label, t.attributes) for t in zero.tags] == [("Rain", {"mm": 3})]
    assert [(t.label, t.attributes) for t in one.tags] == [("Noisy", {})]
    car, lake, sky = zero.annotations
    assert (car.box, car.score, car.track) == ((410, 280, 462, 327), 0.99, 0)
    assert car.attributes == {"plate": "0001", "truncated": True, "signs": ("a", "b")}
    assert car.extra[OWNER]["object"] == {"name": "car1", "ontology_uid": "0"}
    assert lake.shape == Polygon(parts=(((0, 0, 40, 0, 40, 40), (30, 5, 35, 5, 35, 10)), ((50, 0, 60, 0, 60, 10),)))
    assert lake.keypoints == Keypoints(points=(1, 2, 3, 4), visibility=(1, 2)) and lake.track == LAKE
    assert (sky.label, sky.shape, sky.track) == ("Sky", Polygon.of((0, 0, 10, 0, 10, 10)), 3)
    again, still = one.annotations
    assert isinstance(again.shape, RotatedBox) and again.track == 0 and again.box is None
    assert again.shape.corners[:2] == pytest.approx((413.475, 277.52), abs=0.01)
    assert again.attributes == {"plate": "0001"} and still.shape == sky.shape
    assert again.extra[OWNER]["object_data"]["cuboid"][0]["coordinate_system"] == "odom"
    assert [label.name for label in dataset.labels] == ["Rain", "Car", "Lake", "Sky", "Noisy"]
    assert next(label for label in dataset.labels if label.name == "Lake").keypoints == ("a", "b")
    assert zero.extra[OWNER]["document"]["ontologies"] == {"0": "https://example.org/cars"}


def test_a_second_trip_says_the_same():
    first = travel(load({"scene.json": (DATA / "scene.json").read_bytes()}, FORMAT)[0], FORMAT)
    root = json.loads(first.files["openlabel.json"])["openlabel"]
    assert root["metadata"]["annotator"] == "me" and root["ontologies"] == {"0": "https://example.org/cars"}
    assert root["streams"]["lidar0"] == {"type": "lidar", "uri": "points"}
    assert set(root["objects"]) == {"0", LAKE, "3"}
    assert root["objects"]["0"]["frame_intervals"] == [{"frame_start": 0, "frame_end": 1}]
    items = root["frames"]["0"]["objects"]["0"]["object_data"]
    assert items["bbox"] == [
        {"name": "shape", "val": [436, 303.5, 52, 47], "coordinate_system": "cam0",
         "attributes": {"num": [{"name": "confidence", "val": 0.99}], "boolean": [{"name": "interpolated", "val": False}]}}
    ]  # fmt: skip
    rings = root["frames"]["0"]["objects"][LAKE]["object_data"]["poly2d"]
    assert [ring["hierarchy"] for ring in rings] == [[2, -1, 1, -1], [-1, -1, -1, 0], [-1, 0, -1, -1]]
    assert root["frames"]["1"]["objects"]["0"]["object_data"]["cuboid"][0]["name"] == "box3d"
    back = [s.replace(extra={}) for s in first.dataset]
    assert back == [s.replace(extra={}) for s in load({"scene.json": (DATA / "scene.json").read_bytes()}, FORMAT)[0]]


def test_tracks_that_are_no_uids_say_so():
    tracks = (None, 5, "5", "id-1", LAKE, 5)
    objects = tuple(Annotation(label="c", box=(0, 0, i + 1, 1), track=t) for i, t in enumerate(tracks))
    trip = travel(Dataset([Sample(path="a.jpg", annotations=objects)], ["c"]), FORMAT)
    root = json.loads(trip.files["openlabel.json"])["openlabel"]
    assert set(root["objects"]) == {"5", LAKE, "6", "7", "8", "9"}
    assert root["objects"]["6"]["object_data"] == {"boolean": [{"name": "labelglot.track", "val": False}]}
    assert [a.track for a in next(iter(trip.dataset)).annotations] == list(tracks)


def test_a_document_per_sequence():
    samples = [Sample(path=f"{s}{i}.jpg", sequence=s, frame=i, annotations=()) for s in ("x/y", "z") for i in (4, 5)]
    trip = travel(Dataset(samples, ["c"]), FORMAT)
    assert set(trip.files) == {"x%2Fy.openlabel.json", "z.openlabel.json"}
    assert {(s.sequence, s.frame, s.path) for s in trip.dataset} == {(s.sequence, s.frame, s.path) for s in samples}
    assert list(json.loads(trip.files["z.openlabel.json"])["openlabel"]["frames"]) == ["4", "5"]


def test_masks_points_and_lines():
    mask = Mask(width=8, height=4, rle=encode_string((3, 5, 24)))
    shapes = (mask, Points(points=(1, 2, 3, 4)), Polyline(points=(0, 0, 5, 5)))
    objects = tuple(Annotation(label="c", track=i, shape=s) for i, s in enumerate(shapes))
    trip = travel(Dataset([Sample(path="a.jpg", size=(8, 4), annotations=objects)], ["c"]), FORMAT)
    assert next(iter(trip.dataset)).annotations == objects and not trip.read.problems()


def test_corners_instead_of_centres_are_suspected_and_read_on_demand():
    files = scene({"bbox": [{"name": "shape", "val": [10, 20, 100, 50]}]})
    (sample,), report = opened(files)
    assert sample.annotations[0].box == (-40, -5, 60, 45) and codes(report) == {"openlabel.bbox": 1}
    (sample,), report = opened(files, bbox="left-top")
    assert sample.annotations[0].box == (10, 20, 110, 70) and not report.problems()
    (sample,), report = opened(document("vcd", **json.loads(files["a.json"])["openlabel"]))
    assert sample.annotations[0].box == (10, 20, 110, 70) and not report.problems()
    assert opened(document("vcd", **json.loads(files["a.json"])["openlabel"]), bbox="center")[0][0].annotations[0].box[0] == -40


def test_every_camera_is_an_image_with_its_items():
    streams = {n: {"type": "camera", "stream_properties": {"width": 8, "height": 4}} for n in ("left", "right")}
    own = {n: {"uri": f"{n}/7.jpg"} for n in ("left", "right")}

    def box(x, **more):
        return {"name": "shape", "val": [x, 1, 2, 2], **more}

    items = {"0": {"object_data": {"bbox": [box(1), box(5, coordinate_system="right")]}}, "1": {"object_data": {"num": [{"name": "n", "val": 1}]}}}
    frames = {"7": {"frame_properties": {"streams": own}, "objects": items}}
    objects = {"0": {"name": "", "type": "Car"}, "1": {"name": "", "type": "Bus"}}
    files = document(streams=streams, objects=objects, frames=frames) | {"left/7.jpg": png(8, 4)}
    left, right = opened(files)[0]
    assert (left.path, left.image is not None, right.path, right.image, right.size) == ("left/7.jpg", True, "right/7.jpg", None, (8, 4))
    assert [a.box for a in left.annotations] == [(0, 0, 2, 2), None] and [a.box for a in right.annotations] == [(4, 0, 6, 2), None]
    trip = travel(load(files, FORMAT)[0], FORMAT)
    assert [(s.path, s.frame, [a.box for a in s.annotations]) for s in trip.dataset] == [
        (s.path, 7, [a.box for a in s.annotations]) for s in (left, right)
    ]  # fmt: skip


def test_several_geometries_of_a_kind_are_the_object_again():
    (sample,), _ = opened(scene({"bbox": [{"name": "a", "val": [5, 5, 2, 2]}, {"name": "b", "val": [8, 8, 2, 2]}]}))
    assert [(a.box, a.track) for a in sample.annotations] == [((4, 4, 6, 6), 0), ((7, 7, 9, 9), 0)]


def test_what_cannot_be_read_is_said():
    bad = [
        {"bbox": [{"name": "shape", "val": [1, 2]}]}, {"bbox": ["x"]}, {"image": [{"name": "m", "val": "????", "mime_type": "image/png"}]},
        {"poly2d": [{"name": "p", "val": [1, 2, 3], "mode": "MODE_POLY2D_ABSOLUTE", "closed": True}]},
        {"rbbox": [{"name": "r", "val": [1, 2, 3, 4, float("inf")]}]}, {"cuboid": [{"name": "c", "val": None}]},
    ]  # fmt: skip
    (sample,), report = opened(scene(*bad))
    assert codes(report) == {"openlabel.item": 5, "openlabel.kept": 1} and len(sample.annotations) == 6
    with pytest.raises(lg.LabelglotError):
        opened({"a.json": b'{"openlabel": 3}'})
    samples, report = opened(document(frames={"x": {}, "1": {}}))
    assert [s.frame for s in samples] == [1] and codes(report) == {"openlabel.frame": 1}


def test_classes_and_scores_of_objects_without_geometry_return():
    labels = [
        Label(key="a", name="a", id=7, color="#112233", parent="p", keypoints=("k", "l"), skeleton=((0, 1),)), Label(key="b", name="b", id="x"),
    ]  # fmt: skip
    objects = (Annotation(label="a", score=0.5, track=1), Annotation(track=2))
    tags = (Tag(label="b", attributes={"n": 1.5, "yes": True}),)
    back = travel(Dataset([Sample(path="a.jpg", annotations=objects, tags=tags)], labels), FORMAT).dataset
    assert list(back.labels) == labels
    assert next(iter(back)).annotations == objects and next(iter(back)).tags == tags


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the collection of real samples is not here")
def test_real_documents():
    (simple,), report = sample_of("bbox_simple")
    assert [a.label for a in simple.annotations] == ["Car"] * 3 + ["Bus", "ZebraCross", "Semaphore", "Semaphore"]
    assert simple.annotations[0].box == (410, 280, 462, 327) and not report.problems()
    (simple,), report = sample_of("bbox_simple_attributes")
    assert [a.score for a in simple.annotations][:3] == [0.99, 0.75, 0.81] and len(simple.annotations) == 7
    assert simple.annotations[0].attributes == {"color": "white", "model": "unknown"} and not report.problems()
    (contours,), report = sample_of("contours")
    kept = [a.extra[OWNER]["object_data"]["poly2d"] for a in contours.annotations]
    assert len(kept) == 3 and sum(map(len, kept)) == 5 and codes(report) == {"openlabel.kept": 3}
    (poly,), report = sample_of("polygon2D")
    assert len(poly.annotations[0].shape.points) == 18 and codes(report) == {"openlabel.kept": 1}
    (points,), report = sample_of("openlabel_bounding_box_points")
    assert codes(report) == {"openlabel.bbox": 1} and points.annotations[0].box == (-157, -83, 521, 383)
    (image,), report = sample_of("create_image_png")
    assert (image.annotations[0].shape.width, image.annotations[0].shape.height) == (480, 640)
    assert mask_area(decode_string(image.annotations[0].shape.rle)) > 0
    moving, report = sample_of("static_dynamic_object_1_1")
    assert [s.frame for s in moving] == [5, 6, 7, 8, 9, 10] and {s.annotations[0].attributes["type"] for s in moving} == {"dashed"}
    assert len(sample_of("create_streams_simple")[0]) == 20
    semantics, _ = sample_of("semantics")
    assert [s.frame for s in semantics] == list(range(3, 12)) and all("Noisy" in [t.label for t in s.tags] for s in semantics)
    assert [t["type"] for t in sample_of("openlabel_tags_complex")[0][0].extra[OWNER]["document"]["tags"].values()] == [
        "double_roundabout", "t_intersection",
    ]  # fmt: skip
    assert [a.label for a in sample_of("openlabel_external_data_resource")[0][0].annotations] == ["road", "lane"]


def test_a_skewed_rotated_box_becomes_a_polygon_and_is_reported():
    ring = (0.0, 0.0, 9.0, 1.0, 12.0, 8.0, 1.0, 9.0)
    sample = Sample(path="a.jpg", size=(20, 20), annotations=(Annotation(label="x", shape=RotatedBox(corners=ring)),))
    trip = travel(Dataset([sample], ["x"]), OpenLabel())
    assert [s.annotations[0].shape for s in trip.dataset] == [Polygon.of(ring)]
    assert "openlabel.corners" in {line.code for line in trip.written.problems()}
