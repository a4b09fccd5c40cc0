"""V7 Darwin JSON: every kind of annotation, slots and frames, and what real files leave out."""

import json
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.engine.convert import read
from labelglot.geometry import decode_string, encode_string, mask_area, to_bitmap
from labelglot.report import Report
from labelglot.schema import Annotation, Cuboid, Dataset, Ellipse, Mask, Points, Polygon, Polyline, Sample, Tag
from labelglot.storage import MemorySource
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, store, travel
from labelglot_v7_darwin import V7Darwin

DATA = Path(__file__).parent / "data" / "v7-darwin"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "v7-darwin"
FORMAT = V7Darwin()
OWNER = "v7-darwin"
BOX = {"bounding_box": {"x": 1, "y": 1, "w": 2, "h": 2}}


def document(*annotations, slots=None, **item):
    slot = {"type": "image", "slot_name": "0", "width": 8, "height": 4}
    listed = [{"id": str(i), "name": "car", **a} for i, a in enumerate(annotations)]
    about = {"name": "a.jpg", "path": "/", "slots": [slot] if slots is None else slots, **item}
    return json.dumps({"version": "2.0", "item": about, "annotations": listed}).encode()


def opened(files):
    report = Report()
    dataset = read(MemorySource(files), format=FORMAT, report=report)
    return list(dataset.read(report)), report


def codes(report):
    return {line.code: line.count for line in report.problems()}


def files_of(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_example_reads_with_exact_values():
    report = Report()
    dataset = lg.read(DATA, report=report)
    one, empty = dataset.read(report)
    assert not report.problems()
    assert (one.path, one.size, one.uri) == ("a.jpg", (8, 4), "https://example.org/a.jpg")
    assert (empty.path, empty.annotations) == ("night/empty.jpg", ())
    assert [tag.label for tag in one.tags] == ["sunny"]
    by_id = {a.id: a for a in one.annotations}
    car = by_id["b1"]
    assert (car.box, car.track, car.score) == ((1.0, 0.5, 5.0, 3.5), 7, 0.5)
    assert car.attributes == {"colour": "red", "use": ("taxi",), "attributes": ("parked",)}
    assert car.extra[OWNER] == {
        "annotators": [{"email": "a@example.org"}], "properties": {"colour": {"type": "single_select"}},
        "inference": {"model": {"id": "m1"}},
    }  # fmt: skip
    outer, hole, other = (0, 0, 5, 0, 5, 4, 0, 4), (1, 1, 2, 1, 2, 2, 1, 2), (6, 0, 8, 0, 8, 4)
    assert by_id["p1"].shape == Polygon(parts=((outer, hole), (other,))) and by_id["p1"].text == "wet"
    road, car_mask = (to_bitmap(decode_string(by_id[i].shape.rle), 4, 8).tolist() for i in ("m1", "m2"))
    assert road[1] == [False, True, True] + [False] * 5 and sum(map(sum, road)) == 2
    assert car_mask[1][3] and sum(map(sum, car_mask)) == 1
    assert by_id["l1"].shape == Polyline(points=(0, 0, 4, 2, 8, 2)) and by_id["k1"].shape == Points(points=(3.25, 1.5))
    assert by_id["e1"].shape == Ellipse(cx=4, cy=2, rx=2, ry=1, angle=0.5)
    assert by_id["c1"].shape == Cuboid(corners=(0, 1, 3, 1, 3, 3, 0, 3, 2, 0, 5, 0, 5, 2, 2, 2))
    assert by_id["s1"].keypoints.points == (5, 1, 6, 3) and by_id["s1"].keypoints.visibility == (1, 2)
    labels = {label.name: label for label in dataset.labels}
    assert list(labels) == ["car", "unused", "hand", "road", "lane", "wheel", "sunny"]
    assert labels["car"].color == "#ff0000" and labels["hand"].keypoints == ("tip", "wrist")
    assert labels["unused"].color is None  # half transparent: kept as it is
    assert labels["unused"].extra == {OWNER: {"types": {"polygon": {"color": "rgba(0,255,0,0.5)"}}}}


def test_the_example_is_written_as_it_was():
    files = files_of(DATA)
    written = travel(load(files, FORMAT)[0], FORMAT).files
    before, after = (json.loads(f["annotations/a.json"]) for f in (files, written))
    annotations = [
        sorted(d.pop("annotations"), key=lambda a: (a["name"], a.get("id", ""))) for d in (before, after)
    ]
    assert before == after
    for one, two in zip(*annotations, strict=True):
        if one["name"] == "__raster_layer__":
            one, two = ({**a, "id": ""} for a in (one, two))
        assert one == two
    classes = json.loads(written["annotations/.v7/metadata.json"])["classes"]
    assert [(c["name"], c["type"]) for c in classes][:7] == [
        ("__raster_layer__", "raster_layer"), ("car", "bounding_box"), ("car", "mask"), ("car", "cuboid"),
        ("unused", "polygon"), ("hand", "skeleton"), ("road", "mask"),
    ]  # fmt: skip
    assert "annotations/night/empty.json" in written


def test_masks_that_overlap_take_a_layer_each_and_a_warning():
    def mask(*counts):
        return Mask(width=8, height=4, rle=encode_string(counts))

    objects = [Annotation(label="c", id=str(i), shape=m) for i, m in enumerate([mask(0, 8, 24), mask(4, 8, 20), mask(31, 1)])]
    dataset = Dataset([Sample(path="a.jpg", size=(8, 4), annotations=tuple(objects))], ["c"])
    files, report = store(dataset, FORMAT)
    layers = [a["raster_layer"] for a in json.loads(files["annotations/a.json"])["annotations"] if "raster_layer" in a]
    assert [layer["mask_annotation_ids_mapping"] for layer in layers] == [{"0": 1, "2": 2}, {"1": 1}]
    assert codes(report) == {"v7-darwin.overlap": 1}
    assert load(files, FORMAT)[0].samples.samples[0].annotations == tuple(objects)


def test_slots_are_images_of_their_own():
    slots = [
        {"slot_name": n, "width": 8, "height": 4, "source_files": [{"file_name": f"{n}.jpg"}]} for n in ("front", "back")
    ]
    files = {"x.json": document(BOX, {**BOX, "slot_names": ["back"]}, slots=slots), "back.jpg": png(8, 4)}
    front, back = opened(files)[0]
    assert (front.path, [a.id for a in front.annotations]) == ("a.jpg/front.jpg", ["0"])
    assert (back.path, [a.id for a in back.annotations]) == ("a.jpg/back.jpg", ["1"])


def test_frames_of_a_video_are_images_of_a_sequence():
    track = {"frames": {"3": {**BOX, "keyframe": True}, "0": BOX}, "ranges": [[0, 4]], "instance_id": {"value": "t"}}
    first, last = opened({"x.json": document(track, name="clip.mp4", path="/b")})[0]
    assert (first.path, first.frame, first.sequence) == ("b/clip.mp4/0000000.png", 0, "b/clip.mp4")
    assert last.frame == 3 and last.annotations[0].track == "t" and last.annotations[0].box == (1, 1, 3, 3)


def test_what_is_missing_comes_from_elsewhere():
    (sample,), report = opened({"d/x y.json": document(BOX, name="", slots=[{}]), "d/x y.png": png(64, 48)})
    assert (sample.path, sample.size) == ("d/x y.png", (64, 48)) and not report.problems()
    (sample,), _ = opened({"x.json": document({**BOX, "name": " car "}, slots=[])})
    assert sample.size is None and sample.annotations[0].label == "car"


def test_older_polygons():
    path = [{"x": 0, "y": 0}, {"x": 4, "y": 0}, {"x": 4, "y": 4}]
    (sample,), _ = opened({"x.json": document({"polygon": {"path": path, "additional_paths": [path]}, **BOX})})
    a = sample.annotations[0]
    assert a.shape == Polygon.of((0, 0, 4, 0, 4, 4), (0, 0, 4, 0, 4, 4))
    assert a.extra == {OWNER: {"bounding_box": BOX["bounding_box"]}}  # not the box around it: kept


@pytest.mark.parametrize(
    ("layer", "code"),
    [
        ({"dense_rle": [0, 16, 1], "mask_annotation_ids_mapping": {"0": 1}}, "raster_layer"),
        ({"dense_rle": [0, 31], "mask_annotation_ids_mapping": {"0": 1}}, "raster_layer"),
        ({"dense_rle": [0, 10**30], "mask_annotation_ids_mapping": {"0": 1}}, "raster_layer"),
        ({"dense_rle": [0, 32], "mask_annotation_ids_mapping": {}}, "mask"),
        ({"dense_rle": [0, 32], "mask_annotation_ids_mapping": {"0": 1, "9": 2}}, None),
    ],
)
def test_raster_layers_that_are_wrong(layer, code):
    raster = {"name": "__raster_layer__", "raster_layer": layer}
    (sample,), report = opened({"x.json": document({"mask": {}}, raster)})
    assert len(sample.annotations) == (0 if code else 1)
    assert f"v7-darwin.{code or 'raster_layer'}" in codes(report)


def test_kinds_without_geometry_return_and_bad_ones_are_skipped():
    link = {"id": "0", "name": "car", "link": {"from": "a", "to": "b"}, "slot_names": ["0"]}
    bad = [{"bounding_box": {"x": 1}}, {"polygon": {"paths": []}}, {"keypoint": {"x": 1e999, "y": 0}}]
    files = {"x.json": document(link, *bad).replace(b"Infinity", b"1e999")}
    (sample,), report = opened(files)
    assert codes(report) == {"v7-darwin.kind": 1, "v7-darwin.annotation": 1, "v7-darwin.geometry": 2}
    assert report.skipped == 3 and sample.annotations == ()
    assert json.loads(travel(load(files, FORMAT)[0], FORMAT).files["annotations/a.json"])["annotations"] == [link]


def test_files_of_the_old_version_say_so():
    samples, report = opened({"x.json": json.dumps({"dataset": "d", "image": {}, "annotations": []}).encode()})
    assert not samples and "1.0" in report.problems()[0].sentence


def test_tags_carry_score_and_properties():
    tag = Tag(label="c", score=0.25, attributes={"p": "q", "r": ("s", "t")})
    dataset = Dataset([Sample(path="a.jpg", tags=(tag,), annotations=())], ["c"])
    assert next(iter(travel(dataset, FORMAT).dataset)).tags == (tag,)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the collection of real samples is not here")
def test_real_files():
    report = Report()
    dataset = lg.read(SAMPLES / "images", report=report)
    samples = list(dataset.read(report))
    assert [(s.size, len(s.tags), len(s.annotations)) for s in samples] == [((1920, 1080), 1, 8)] * 2
    kinds = [a.shape.kind if a.shape else "skeleton" if a.keypoints else "box" for a in samples[0].annotations]
    assert kinds == ["polyline", "skeleton", "polygon", "points", "ellipse", "box", "mask", "mask"]
    assert all(mask_area(decode_string(a.shape.rle)) for a in samples[0].annotations[-2:])
    assert len(dataset.labels) == 8 and all(label.name.startswith("test_") for label in dataset.labels)
    (base,) = lg.read(SAMPLES / "base_annotation.json")
    assert base.size == (1080, 1920) and base.annotations[0].box == (0, 0, 1, 1)
    assert [len(a.shape.parts) for a in base.annotations[2:]] == [2]
    (yolo,) = lg.read(SAMPLES / "test_input_with_bboxes_and_polys.json")
    assert (yolo.path, yolo.size) == ("test2.png", (500, 500))
    assert [a.label for a in yolo.annotations].count("bbox") == 3 and len(yolo.annotations) == 5
    (props,) = lg.read(SAMPLES / "properties")
    assert props.annotations[0].attributes == {"1.2": ("1.2.2", "1.2.1"), "1.1": ("1.1.2", "1.1.1"), "1.3": "1.3.1"}
    assert props.size == (192, 263) and not any(a.attributes for a in props.annotations[1:])
    assert not report.problems()
