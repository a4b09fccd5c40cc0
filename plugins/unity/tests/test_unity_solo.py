"""Unity SOLO: objects put together from their annotators, several cameras, and what is not understood."""

import json
from pathlib import Path

import labelglot as lg
import numpy as np
import pytest
from labelglot.engine.convert import read
from labelglot.geometry import decode_string, encode_string, from_bitmap, mask_area, to_bitmap
from labelglot.images import BytesImage, decode_color, encode_color
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Keypoints, Label, Mask, Sample
from labelglot.storage import MemorySource
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, store, travel
from labelglot_unity import UnitySolo

DATA = Path(__file__).parent / "data" / "unity-solo"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "unity-solo"
FORMAT = UnitySolo()
OWNER = "unity-solo"
TYPE = "type.unity.com/unity.solo."
FRAME = "sequence.0/step0.frame_data.json"


def frame(*annotations, **more):
    capture = {"@type": f"{TYPE}RGBCamera", "id": "camera", "filename": "step0.camera.png", "dimension": [4.0, 2.0]}
    listed = [{"@type": TYPE + kind, "id": kind, **fields} for kind, fields in annotations]
    document = {"frame": 0, "sequence": 0, "step": 0, "captures": [{**capture, "annotations": listed, **more}], "metrics": []}
    return {FRAME: json.dumps(document).encode()}


def box(number, **more):
    return {"instanceId": number, "labelId": 1, "labelName": "Crate", "origin": [1, 0], "dimension": [2, 2], **more}


def opened(files, **options):
    report = Report()
    dataset = read(MemorySource(files), format=FORMAT, options=options, report=report)
    return list(dataset.read(report)), report


def codes(report):
    return {line.code: line.count for line in report.problems()}


def files_of(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def mask(*rows):
    bitmap = np.array(rows)
    return Mask(width=bitmap.shape[1], height=bitmap.shape[0], rle=encode_string(from_bitmap(bitmap)))


def test_the_example_reads_with_exact_values():
    report = Report()
    dataset = lg.read(DATA, report=report)
    front, rear = dataset.read(report)
    assert codes(report) == {"unity-solo.kept": 2}
    assert (front.path, front.size, front.sequence, front.frame, front.timestamp) == (
        "sequence.3/step0.camera.png", (4, 2), "sequence.3", 0, 0.25,
    )  # fmt: skip
    assert (rear.path, rear.annotations, rear.image, front.image is not None) == ("sequence.3/step0.rear.png", (), None, True)
    crate, person = front.annotations
    assert (crate.label, crate.track, crate.box) == ("Crate", 3, (1, 0, 3, 2))
    assert crate.shape == mask([0, 1, 1, 0], [0, 1, 0, 0])  # a colour of no instance is nobody's
    assert (person.track, person.box, person.shape) == (1, (2.5, 1, 3.75, 2), mask([0, 0, 0, 0], [0, 0, 1, 1]))
    assert person.keypoints == Keypoints(points=(0, 0, 3, 1.5, 3.5, 1.5), visibility=(0, 1, 2))
    assert person.extra == {OWNER: {"pose": "sitting", "keypoints": [{}, {"cameraCartesianLocation": [0, 0, 1]}, {}]}}
    assert [(x.name, x.id, x.keypoints, x.skeleton) for x in dataset.labels] == [
        ("Crate", 1, None, ()), ("Cube", 2, None, ()), ("Person", 5, ("nose", "neck", "hip"), ((0, 1),)),
    ]  # fmt: skip
    assert [a["id"] for a in front.extra[OWNER]["annotations"]] == ["bounding box 3D", "depth"]


def test_the_example_is_written_with_all_it_said():
    files = files_of(DATA)
    written = travel(load(files, FORMAT)[0], FORMAT).files
    before, after = (json.loads(f["sequence.3/step0.frame_data.json"]) for f in (files, written))
    rear = json.loads(written["sequence.3/step0.rear.frame_data.json"])
    assert {k: after[k] for k in before if k != "captures"} == {k: before[k] for k in before if k != "captures"}
    for one, two in zip(before["captures"], (after["captures"][0], rear["captures"][0]), strict=True):
        assert {k: v for k, v in two.items() if k != "annotations"} == {k: v for k, v in one.items() if k != "annotations"}
    by_id = [{a["@type"]: a for a in d["captures"][0]["annotations"]} for d in (before, after)]
    assert set(by_id[0]) == set(by_id[1])
    for kind in ("BoundingBox2DAnnotation", "KeypointAnnotation"):
        assert by_id[1][TYPE + kind]["values"] == by_id[0][TYPE + kind]["values"]
    for kind in ("BoundingBox3DAnnotation", "DepthAnnotation"):
        assert by_id[1][TYPE + kind] == by_id[0][TYPE + kind]
    definitions = json.loads(written["annotation_definitions.json"])["annotationDefinitions"]
    assert [d["id"] for d in definitions] == ["bounding box", "instance segmentation", "keypoints 5", "depth"]
    metadata = json.loads(written["metadata.json"])
    assert (metadata["unityVersion"], metadata["totalFrames"], metadata["totalSequences"]) == ("2022.1", 2, 1)


def test_images_from_elsewhere_keep_their_names():
    samples = [
        Sample(path=p, sequence=s, frame=f, size=(4, 2), annotations=(), image=BytesImage(p, png(4, 2)))
        for p, s, f in (("dir/a b.jpg", None, None), ("c.png", "clip", 9))
    ]
    trip = travel(Dataset(samples, ["c"]), FORMAT)
    assert {n for n in trip.files if n.startswith("sequence")} == {
        "sequence.0/step0.frame_data.json", "sequence.0/step1.frame_data.json", "sequence.0/dir/a b.jpg", "sequence.0/c.png",
    }  # fmt: skip
    assert [(s.path, s.sequence, s.frame) for s in trip.dataset] == [(s.path, s.sequence, s.frame) for s in samples]
    assert all(s.image is not None for s in trip.dataset)


def test_tracks_and_instance_ids():
    objects = tuple(Annotation(label="c", box=(0, 0, 1, 1), track=t) for t in (4, None, 4, 0))
    trip = travel(Dataset([Sample(path="a.jpg", size=(4, 2), annotations=objects)], [Label(key="c", name="c", id=1)]), FORMAT)
    (capture,) = json.loads(trip.files[FRAME])["captures"]
    values = capture["annotations"][0]["values"]
    assert [(v["instanceId"], v.get("track", "same")) for v in values] == [(4, "same"), (5, None), (6, 4), (0, "same")]
    assert next(iter(trip.dataset)).annotations == objects


def test_masks_that_overlap_take_a_png_each():
    shapes = (mask([1, 1, 0, 0], [0, 0, 0, 0]), mask([0, 1, 1, 0], [0, 0, 0, 0]), mask([0, 0, 0, 1], [0, 0, 0, 0]))
    objects = tuple(Annotation(label="c", box=(0, 0, 4, 2), shape=s, track=i) for i, s in enumerate(shapes))
    files = store(Dataset([Sample(path="a.jpg", size=(4, 2), annotations=objects)], [Label(key="c", name="c", id=1)]), FORMAT)[0]
    first = decode_color(files["sequence.0/step0.camera.instance segmentation.png"])
    second = decode_color(files["sequence.0/step0.camera.instance segmentation 2.png"])
    assert first.tolist() == [[0x800000, 0x800000, 0, 0x008000], [0] * 4] and second.tolist() == [[0, 0x800000, 0x800000, 0], [0] * 4]
    assert next(iter(load(files, FORMAT)[0])).annotations == objects


def test_objects_without_a_box_are_given_one():
    shape = mask([0, 1, 1, 0], [0, 0, 0, 0])
    trip = travel(Dataset([Sample(path="a.jpg", size=(4, 2), annotations=(Annotation(label="c", shape=shape),))], ["c"]), FORMAT)
    assert next(iter(trip.dataset)).annotations[0].box == (1, 0, 3, 1)
    assert "box.derived" in {line.code for line in trip.written.losses()}


def test_semantic_segmentation_where_there_is_nothing_better():
    fields = {"filename": "s.png", "instances": [{"labelName": "Sky", "pixelValue": [0, 0, 255, 255]}]}
    files = {"sequence.0/s.png": encode_color(np.array([[255, 255, 0, 0], [0, 0, 0, 0]]))}
    files |= frame(("SemanticSegmentationAnnotation", fields), ("BoundingBox2DAnnotation", {"values": [box(1)]}))
    (sample,), report = opened(files)
    assert [(a.label, a.box) for a in sample.annotations] == [("Crate", (1, 0, 3, 2)), ("Sky", None)]
    assert mask_area(decode_string(sample.annotations[1].shape.rle)) == 2 and not report.problems()
    (sample,), report = opened(files, semantic="never")
    assert len(sample.annotations) == 1 and codes(report) == {"unity-solo.kept": 1}


def test_what_cannot_be_read_is_skipped_and_said():
    masks = {"filename": "gone.png", "instances": [{"instanceId": 1, "labelId": 1, "color": [1, 2, 3, 255]}]}
    points = [{"instanceId": 2, "labelId": 1, "keypoints": [{"index": 10**9, "location": [1, 2]}]}]
    files = frame(
        ("BoundingBox2DAnnotation", {"values": [box(1), box(1), box(2, origin=[1]), box(3, origin=[float("inf"), 1])]}),
        ("InstanceSegmentationAnnotation", masks), ("KeypointAnnotation", {"templateId": "x", "values": points}),
    )  # fmt: skip
    (sample,), report = opened(files)
    assert [a.box for a in sample.annotations] == [(1, 0, 3, 2)]
    assert codes(report) == {"unity-solo.value": 4, "unity-solo.mask": 1} and report.skipped == 5
    samples, report = opened({FRAME: b'{"captures": []}'})
    assert not samples and codes(report) == {"unity-solo.capture": 1}
    samples, report = opened(frame(filename="../../etc/passwd"))
    assert not samples and codes(report) == {"unity-solo.record": 1}


def test_frames_come_in_the_order_of_their_numbers():
    data = frame()[FRAME]
    files = {f"sequence.{n}/step{k}.frame_data.json": data for n, k in ((10, 0), (9, 11), (9, 2))}
    assert [s.sequence for s in opened(files)[0]] == ["sequence.9", "sequence.9", "sequence.10"]


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the collection of real samples is not here")
def test_real_dataset():
    report = Report()
    dataset = lg.read(SAMPLES, report=report)
    first, second = dataset.read(report)
    assert (first.path, first.size, first.sequence) == ("sequence.0/step0.camera.png", (1024, 768), "sequence.0")
    areas = {a.track: (a.label, a.box, mask_area(decode_string(a.shape.rle))) for a in first.annotations}
    assert areas == {
        3: ("Crate", (167, 308, 395, 500), 35950), 1: ("Character", (418, 243, 546, 579), 16777),
        2: ("Crate", (669, 400, 903, 666), 47768),
    }  # fmt: skip
    (person,) = [a for a in first.annotations if a.keypoints is not None]
    assert person.label == "Character" and len(person.keypoints) == 18 and set(person.keypoints.visibility) == {0, 1, 2}
    assert len(second.annotations) == 3
    kept = [a["@type"].removeprefix(TYPE) for a in second.extra[OWNER]["annotations"]]
    assert {"PixelValueAnnotation", "ExtraAnnotation"} <= set(kept)
    assert [(x.id, x.name) for x in dataset.labels] == [(1, "Crate"), (2, "Cube"), (3, "Box"), (4, "Terrain"), (5, "Character")]
    assert len(dataset.labels[4].keypoints) == 18 and dataset.labels[4].keypoints[0] == "nose"
    assert set(codes(report)) == {"unity-solo.kept"}
    (crates,) = [a for a in next(iter(lg.read(SAMPLES, options={"semantic": "always"}))).annotations if a.box is None]
    assert crates.label == "Crate" and to_bitmap(decode_string(crates.shape.rle), 768, 1024).sum() == 83718
