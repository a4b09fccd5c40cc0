"""WIDER FACE: a list of images with rows of faces per split."""

from pathlib import Path

import labelglot as lg
import pytest
from labelglot.detection import detect
from labelglot.engine.convert import read
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Sample, Tag
from labelglot.storage import MemorySource, open_source
from labelglot.testing.strategies import png
from labelglot.testing.travel import store, travel
from labelglot_wider_face import WiderFace

DATA = Path(__file__).parent / "data" / "wider-face"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "wider-face"
FORMAT = WiderFace()
LIST = "wider_face_split/wider_face_val_bbx_gt.txt"


def opened(text, files=(), name=LIST, **options):
    report = Report()
    content = {name: text.encode(), **dict(files)}
    dataset = read(MemorySource(content), format=FORMAT, options=options, report=report)
    return list(dataset.read(report)), {line.code: line.count for line in report.problems()}


def test_the_example_reads_with_exact_values():
    band, empty, two = lg.read(DATA)
    assert band.path == "0--Parade/0_Parade_marchingband_1_849.jpg" and {s.splits for s in (band, empty, two)} == {
        ("train",)
    }
    assert band.annotations == (Annotation(label="face", box=(400, 300, 520, 450)),) and empty.annotations == ()
    assert two.annotations == (
        Annotation(label="face", box=(80, 220, 87, 228), attributes={"blur": 2}),
        Annotation(
            label="face", box=(500, 250, 575, 360), attributes={"illumination": 1, "ignore": True, "occluded": 2}
        ),
    )


def test_the_example_is_written_as_it_was_without_loss():
    trip = travel(lg.read(DATA), FORMAT)
    assert trip.files == {str(p.relative_to(DATA)): p.read_bytes() for p in DATA.rglob("*.txt")}
    assert not trip.written.losses()


def test_the_order_of_datumaro_and_cvat():
    for row, expected in (
        ("1.0 2.0 2.0 2.0 0 0 1 2 0 1", {"illumination": 1, "occluded": 2, "ignore": True}),
        ("1 2 2 2 - - True 0 1 False", {"illumination": 1, "pose": 1}),
    ):
        (sample,), _ = opened(f"a b/c.jpg\n1\n{row}\n")
        assert (sample.path, sample.annotations[0].attributes) == ("a b/c.jpg", expected)
    (sample,), _ = opened("a.jpg\n1\n1.0 2.0 2.0 2.0 0 0 0 1 0 0\n", columns="readme")
    assert sample.annotations[0].attributes == {"ignore": True}
    (sample,), _ = opened("a.jpg\n1\n1.5 2 2 2 0 0 0 1 0 0\n")
    assert sample.annotations[0].attributes == {"ignore": True}


def test_images_without_count_and_wrong_counts():
    samples, problems = opened("0--A/a.jpg\n1--B/b.jpg\n1\n1 2 3 4 0 0 0 0 0 0\nc.jpg\n3\n1 2 3 4 0 0 0 0 0 0\nd.jpg")
    assert [(s.path, len(s.annotations)) for s in samples] == [
        ("0--A/a.jpg", 0),
        ("1--B/b.jpg", 1),
        ("c.jpg", 1),
        ("d.jpg", 0),
    ]
    assert problems == {"wider-face.count": 1}


def test_other_classes_stand_behind_the_row():
    (sample,), _ = opened("a.jpg\n3\n1 2 3 4 0 0 0 0 0 0 cat\n1 2 3 4 dog\n1 2 3 4 0.75\n")
    assert [(a.label, a.score) for a in sample.annotations] == [("cat", None), ("dog", None), ("face", 0.75)]
    objects = (Annotation(label="a b", box=(1, 2.5, 4, 6)),)
    files, _ = store(Dataset([Sample(path="a.jpg", annotations=objects)], ["a b"]), FORMAT)
    assert files == {"wider_face_split/wider_face_bbx_gt.txt": b"a.jpg\n1\n1 2.5 3 3.5 0 0 0 0 0 0 a_b\n"}


def test_odd_rows_and_names():
    rows = "1 2 0 4 0 0 0 0 0 0\n1 2 3 4 0 0 x 0 0 0\n1 2 nan 4 0 0 0 0 0 0\n"
    (sample, other), problems = opened(f"0--A\\a.jpg\n3\n{rows}../b.jpg\n0\n")
    assert (sample.path, other.path, len(sample.annotations)) == ("0--A/a.jpg", "b.jpg", 1)
    assert problems == {"wider-face.empty": 1, "wider-face.row": 2}


def test_events_on_request():
    (sample,), _ = opened("2--Demonstration/a.jpg\n0\n", events=True)
    assert sample.tags == (Tag(label="Demonstration"),)


def test_lists_of_names_and_images():
    name = "set/wider_face_split/wider_face_test_filelist.txt"
    files = {"set/WIDER_test/images/0--A/a.jpg": png(8, 6), "set/WIDER_train/images/0--A/b.jpg": png(4, 4)}
    a, b = opened("0--A/a.jpg\n0--A/b.jpg\n", files, name)[0]
    assert (a.splits, a.size, a.annotations, b.size) == (("test",), (8, 6), None, None)


def test_detection():
    assert detect(open_source(DATA), lg.registry).id == "wider-face"
    assert FORMAT.detect(MemorySource({"x.txt": b"a.jpg\n1\n1 2 3 4 0 0 0 0 0 0\n"})).confidence == 0.75
    assert FORMAT.detect(MemorySource({"x.txt": b"a.jpg\n1\n1 2 3 4 0.5 1\n"})) is None


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
def test_the_shared_sample():
    samples = {s.key: s for s in lg.read(SAMPLES, format="wider-face")}
    assert {s.size for s in samples.values()} == {(15, 10)} and len(samples) == 3
    shake = samples["train:1--Handshaking/1_Handshaking_image_02.jpg"].annotations
    assert [(a.box, a.attributes) for a in shake] == [
        ((1, 1, 3, 3), {"illumination": 1}),
        ((5, 1, 7, 3), {"illumination": 1}),
    ]
    val = samples["val:0--Parade/0_Parade_image_03.jpg"].annotations
    assert [a.box for a in val] == [(0, 0, 1, 1), (3, 2, 4, 4), (5, 6, 6, 7)]
    assert [a.attributes for a in val] == [{"blur": 2, "occluded": 2}, {"ignore": True}, {"blur": 2, "occluded": 2}]
