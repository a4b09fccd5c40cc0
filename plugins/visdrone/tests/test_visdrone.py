"""VisDrone: rows of eight numbers per image, of ten per sequence."""

from pathlib import Path

import labelglot as lg
from labelglot.detection import detect
from labelglot.engine.convert import read
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Sample
from labelglot.storage import MemorySource, open_source
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, store, travel
from labelglot_visdrone import VisDrone

DATA = Path(__file__).parent / "data" / "visdrone"
VIDEO = Path(__file__).parent / "data" / "video"
FORMAT = VisDrone()


def opened(files):
    report = Report()
    content = {k: v.encode() if isinstance(v, str) else v for k, v in files.items()}
    dataset = read(MemorySource(content), format=FORMAT, report=report)
    return list(dataset.read(report)), {line.code: line.count for line in report.problems()}


def test_the_example_reads_with_exact_values():
    (sample,) = lg.read(DATA)
    assert (sample.path, sample.splits) == ("0000002_00005_d_0000014", ("train",))
    assert sample.annotations == (
        Annotation(label="ignored regions", box=(600, 10, 800, 110), attributes={"ignore": True}),
        Annotation(label="car", box=(400, 120, 450, 150)),
        Annotation(label="car", box=(710, 470, 780, 505), attributes={"truncated": 1, "occluded": 1}),
        Annotation(label="pedestrian", box=(640, 425, 652, 455), attributes={"occluded": 2}),
    )


def test_the_example_is_written_as_it_was():
    trip = travel(lg.read(DATA), FORMAT)
    (source,) = DATA.rglob("*.txt")
    assert trip.files == {f"train/annotations/{source.name}": source.read_bytes().replace(b",2,\n", b",2\n")}
    assert not trip.written.losses()


def test_videos_are_frames_of_sequences():
    one, two = lg.read(VIDEO)
    assert (one.path, one.sequence, one.frame, one.splits) == (
        "uav0000013_00000_v/0000001",
        "uav0000013_00000_v",
        1,
        ("val",),
    )
    assert one.annotations == (
        Annotation(label="ignored regions", box=(500, 40, 650, 220), track=0, attributes={"ignore": True}),
        Annotation(label="pedestrian", box=(770, 200, 810, 280), track=1, attributes={"occluded": 1}),
    )
    assert (two.frame, two.annotations[0].attributes, two.annotations[0].track) == (2, {"occluded": 2}, 1)


def test_videos_with_images():
    row = "2,-1,1,2,3,4,1,9,0,0\n"
    files = {"annotations/s.txt": row, **{f"sequences/{s}/000000{i}.png": png(8, 6) for s in "st" for i in (1, 2)}}
    samples, _ = opened(files)
    assert [(s.path, s.size, s.frame, s.annotations) for s in samples] == [
        ("s/0000001.png", (8, 6), 1, ()),
        ("s/0000002.png", (8, 6), 2, (Annotation(label="bus", box=(1, 2, 4, 6)),)),
        ("t/0000001.png", (8, 6), 1, None),
        ("t/0000002.png", (8, 6), 2, None),
    ]


def test_tracks_are_reported_as_lost():
    files, report = store(lg.read(VIDEO), FORMAT)
    assert sorted(files) == [f"val/annotations/uav0000013_00000_v/000000{i}.txt" for i in (1, 2)]
    assert {"track", "sample.sequence", "sample.frame"} <= {line.code for line in report.losses()}


def test_classes_the_benchmark_does_not_know():
    objects = tuple(Annotation(label=x, box=(1, 2, 3, 4)) for x in ("dog", "car", "cat"))
    files, _ = store(Dataset([Sample(path="a.jpg", annotations=objects)], ["cat", "dog", "car"]), FORMAT)
    assert [line.split(b",")[5] for line in files["annotations/a.txt"].splitlines()] == [b"12", b"4", b"13"]
    assert files["classes.txt"].split()[-2:] == [b"dog", b"cat"]
    (sample,) = load(files, FORMAT)[0]
    assert [a.label for a in sample.annotations] == ["dog", "car", "cat"]
    assert "classes.txt" not in store(Dataset([Sample(path="a", annotations=objects[1:2])], ["car"]), FORMAT)[0]


def test_odd_rows():
    text = "1,2,3,0,1,1,0,0\n1,2,3,4,0.75,12,-1,-1\n1,2,3,4,1,1,0\n1,2,x,4,1,1,0,0\n1,2,3,4,1,1,0,0,9\n"
    (sample,), problems = opened({"annotations/a.txt": text})
    flat, scored = sample.annotations
    assert flat.box == (1, 2, 4, 2)
    assert (scored.label, scored.score, scored.attributes) == ("class_12", 0.75, {})
    assert problems == {"visdrone.empty": 1, "visdrone.row": 3}


def test_detection():
    assert detect(open_source(DATA), lg.registry).id == detect(open_source(VIDEO), lg.registry).id == "visdrone"
    assert FORMAT.detect(MemorySource({"annotations/a.txt": b"1,2,3,4,1,1,0,0\n"})).confidence == 0.8
    for name, row in (("gt/gt.txt", b"1,1,900,480,95,110,0,7,1\n"), ("annotations/a.txt", b"1,2,3,4,5,6,7,8,text\n")):
        assert FORMAT.detect(MemorySource({name: row})) is None
