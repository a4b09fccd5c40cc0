"""MOT Challenge: sequences of frames with a row per object."""

from pathlib import Path

import labelglot as lg
import pytest
from labelglot.detection import detect
from labelglot.engine.convert import read, write
from labelglot.images import BytesImage
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Sample
from labelglot.storage import MemorySource, MemoryTarget, open_source
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, travel
from labelglot_mot import Mot

DATA = Path(__file__).parent / "data" / "mot"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "mot"
FORMAT = Mot()


def opened(files, **options):
    report = Report()
    content = {k: v.encode() if isinstance(v, str) else v for k, v in files.items()}
    dataset = read(MemorySource(content), format=FORMAT, options=options, report=report)
    return list(dataset.read(report)), {line.code: line.count for line in report.problems()}


def boxes(text, **options):
    (sample,), problems = opened({"gt/gt.txt": text}, **options)
    return sample.annotations, problems


def test_the_example_reads_with_exact_values():
    dataset = lg.read(DATA)
    one, two, three = dataset
    assert [s.path for s in (one, two, three)] == [f"SEQ-01/img1/00000{i}.jpg" for i in (1, 2, 3)]
    assert {(s.sequence, s.size, s.splits) for s in (one, two, three)} == {("SEQ-01", (1920, 1080), ("train",))}
    assert [s.frame for s in (one, two, three)] == [1, 2, 3] and three.annotations == ()
    assert one.annotations == (
        Annotation(
            label="static person",
            track=1,
            box=(900, 480, 995, 590),
            attributes={"ignore": True, "visible_fraction": 1.0},
        ),
        Annotation(label="pedestrian", track=2, box=(1300.5, 400, 1460.5, 780), attributes={"visible_fraction": 0.85}),
    )
    assert two.annotations == (Annotation(label="pedestrian", track=2, box=(1304, 399, 1465, 780)),)
    assert [(x.id, x.name) for x in dataset.labels][:2] == [(0, "pedestrian"), (1, "person on vehicle")]
    assert len(dataset.labels) == 13


def test_the_example_is_written_as_it_was():
    trip = travel(lg.read(DATA), FORMAT)
    same = ("gt/gt.txt", "seqinfo.ini")
    assert {n: trip.files[f"train/SEQ-01/{n}"] for n in same} == {
        n: (DATA / "train/SEQ-01" / n).read_bytes() for n in same
    }
    assert set(trip.files) == {f"train/SEQ-01/{n}" for n in (*same, "gt/labels.txt")} and not trip.written.losses()


def test_detections():
    (sample, *_), problems = opened(
        {str(p.relative_to(DATA)): p.read_bytes() for p in DATA.rglob("*.*")},
        rows="det",
    )
    (found,) = sample.annotations
    assert (found.score, found.track, found.label) == (2.31, None, None) and problems == {"mot.other": 1}
    target = MemoryTarget()
    write(Dataset([sample]), target, format=FORMAT, options={"rows": "det"})
    assert target.content["train/SEQ-01/det/det.txt"] == (DATA / "train/SEQ-01/det/det.txt").read_bytes()
    done = write(
        Dataset([Sample(path="a.jpg", annotations=(Annotation(label="x", box=(1, 2, 3, 4)),))], ["x"]),
        MemoryTarget(),
        format=FORMAT,
        options={"rows": "det"},
    )
    assert "mot.score" in {line.code for line in done.report.problems()} and "label" in {
        line.code for line in done.report.losses()
    }


def test_rows_of_other_tools():
    for text in ("1.0, 3.0, 1, 2, 3, 4, 1, 2, 0.5\r\n\r\n", "1 3 1 2 3 4 1 2 0.5", "\ufeff1,3,1,2,3,4,1,2,0.5,"):
        assert boxes(text)[0] == (
            Annotation(label="person on vehicle", track=3, box=(1, 2, 4, 6), attributes={"visible_fraction": 0.5}),
        )
    assert boxes("1,3,1,2,3,4,1,-1,-1,-1")[0] == (Annotation(track=3, box=(1, 2, 4, 6)),)
    assert boxes("1,3,1,2,3,4,1,14,1.0")[0][0].label == "class_14"
    found, _ = boxes("1,3,1,2,3,4,1,5.5,6,7.25")
    assert found[0].label is None and found[0].extra == {"mot": {"position": (5.5, 6, 7.25)}}
    assert (
        travel(Dataset([Sample(path="img1/000001.jpg", frame=1, annotations=found)]), FORMAT).files["gt/gt.txt"]
        == b"1,3,1,2,3,4,1,5.5,6,7.25\n"
    )


def test_the_first_pixel_may_be_called_1():
    found, _ = boxes("1,3,11,21,3,4,1,1,1", origin="1-based")
    assert found[0].box == (10, 20, 13, 24)
    target = MemoryTarget()
    write(
        Dataset([Sample(path="img1/000001.jpg", frame=1, annotations=found)], ["pedestrian"]),
        target,
        format=FORMAT,
        options={"origin": "1-based"},
    )
    assert target.content["gt/gt.txt"] == b"1,3,11,21,3,4,1,1,1\n"


def test_bad_and_doubtful_rows():
    found, problems = boxes("1,1,1,2,3,4,1,1,1\nx,1,1\n1,2,1,y,3,4\n1,1,5,6,7,8,0.5,1,1\n1,2,1,2,nan,4,1,1,1\n")
    assert len(found) == 2 and problems == {"mot.row": 3, "mot.twice": 2, "mot.conf": 1}
    assert opened({"seqinfo.ini": "[Sequence]\nseqLength=99999999999\n", "gt/gt.txt": ""})[1] == {"mot.length": 1}


def test_images_called_otherwise_count_from_1():
    files = {"gt/gt.txt": "2,1,1,2,3,4,1,1,1\n", "img1/b.png": png(8, 6), "img1/a.png": png(8, 6)}
    a, b = opened(files)[0]
    assert (a.path, a.annotations, b.path, b.size, len(b.annotations)) == ("img1/a.png", (), "img1/b.png", (8, 6), 1)
    named, _ = opened({"gt/gt.txt": "7,1,1,2,3,4,1,1,1\n", "img1/00000007.png": png(8, 6)})
    assert [(s.path, s.frame) for s in named] == [("img1/00000007.png", 7)]
    info = "[SEQUENCE]\nNAME = S\nIMDIR = pics\nimExt=png\nseqLength=2\n"
    assert [s.path for s in opened({"seqinfo.ini": info, "gt/gt.txt": "", "pics/000001.png": b""})[0]] == [
        "pics/000001.png",
        "pics/000002.png",
    ]


def test_any_images_can_be_frames():
    dataset = Dataset(
        [
            Sample(path="x/a.jpg", sequence="a/b", frame=7, size=(64, 48), image=BytesImage("a", png(64, 48)), annotations=()),
            Sample(path="x/b.jpg", sequence="a/b", frame=7, size=(32, 16), annotations=()),
            Sample(path="c.jpg", annotations=()),
        ]
    )  # fmt: skip
    trip = travel(dataset, FORMAT)
    assert sorted(n for n in trip.files if "img1" in n) == ["a%2Fb/img1/x/a.jpg"]
    assert trip.files["a%2Fb/gt/frames.txt"].splitlines()[1:] == [b"1,7,64,48,x/a.jpg", b"2,7,32,16,x/b.jpg"]
    assert sorted((s.path, s.sequence, s.frame, s.size) for s in trip.dataset)[1:] == [
        ("x/a.jpg", "a/b", 7, (64, 48)),
        ("x/b.jpg", "a/b", 7, (32, 16)),
    ]
    wrapped, _ = load({f"set/{n}": data for n, data in trip.files.items() if "a%2F" in n}, FORMAT)
    assert [(s.path, s.image is not None) for s in wrapped] == [("x/a.jpg", True), ("x/b.jpg", False)]


def test_classes_of_cvat():
    files = {"gt/gt.txt": "1,1,1,2,3,4,1,3,1.0\n1,2,1,2,3,4,1,4,1\n", "gt/labels.txt": "cat\n\ndog\n"}
    dataset = read(MemorySource({k: v.encode() for k, v in files.items()}), format=FORMAT)
    assert [a.label for s in dataset for a in s.annotations] == ["dog", "class_4"]
    assert [x.name for x in dataset.complete().labels] == ["cat", "class_2", "dog", "class_4"]


def test_detection():
    assert detect(open_source(DATA), lg.registry).id == "mot"
    row = b"1,1,1,2,3,4,1,-1,-1,-1\n"
    assert FORMAT.detect(MemorySource({"MOT17-02.txt": row})).confidence == 0.6
    assert FORMAT.detect(MemorySource({"annotations/uav.txt": b"1,1,770,200,40,80,1,1,0,1\n"})) is None
    assert FORMAT.detect(MemorySource({"gt/gt.txt": b"1 2001 2 1080 1920 WSV:2d\n"})) is None
    assert FORMAT.detect(MemorySource({"train/gt.txt": b'word_1.png, "A"\n'})) is None


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
def test_the_shared_samples():
    (sample,) = lg.read(SAMPLES / "mot_seq", format="mot")
    (found,) = sample.annotations
    assert (sample.size, found.box, found.track, found.label) == ((16, 16), (0, 4, 4, 12), None, "label_2")
    assert found.attributes == {"visible_fraction": 1.0}
    (sample,) = lg.read(SAMPLES / "mot_seq_with_seqinfo", format="mot")
    assert (sample.frame, sample.size, sample.image) == (1, (16, 16), None)
    samples = list(lg.read(SAMPLES / "motmetrics", format="mot", options={"origin": "1-based"}))
    found = [a for s in samples for a in s.annotations]
    assert (len(samples), len(found), len({a.track for a in found})) == (2, 5, 4)
    assert [a.box[:2] for a in found] == [(398, 181), (281, 200), (268, 201), (70, 150), (199, 205)]


@pytest.mark.parametrize("name", ["Test", "train", "val2017"])
def test_a_sequence_called_like_a_split_is_none(name):
    trip = travel(Dataset([Sample(path="img1/000001.jpg", frame=1, sequence=name, annotations=())]), FORMAT)
    (sample,) = trip.dataset
    assert (sample.sequence, sample.splits) == (name, ())
