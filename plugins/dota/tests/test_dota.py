"""DOTA: four corners, a class and a difficulty in each line."""

from pathlib import Path

import labelglot as lg
import pytest
from labelglot.detection import detect
from labelglot.engine.convert import read
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, RotatedBox, Sample
from labelglot.storage import MemorySource, open_source
from labelglot.testing.strategies import png
from labelglot.testing.travel import store, travel
from labelglot_dota import Dota

DATA = Path(__file__).parent / "data" / "dota"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "dota"
FORMAT = Dota()


def opened(files, **options):
    report = Report()
    content = {k: v.encode() if isinstance(v, str) else v for k, v in files.items()}
    dataset = read(MemorySource(content), format=FORMAT, options=options, report=report)
    return list(dataset.read(report)), {line.code: line.count for line in report.problems()}


def objects(text):
    (sample,), problems = opened({"labelTxt/a.txt": text})
    return sample.annotations, problems


def test_the_example_reads_with_exact_values():
    full, empty = lg.read(DATA)
    assert (full.path, full.splits, full.extra) == (
        "P0001",
        ("train",),
        {"dota": {"imagesource": "GoogleEarth", "gsd": "0.255589"}},
    )
    assert full.annotations == (
        Annotation(label="ship", shape=RotatedBox(corners=(1054, 1028, 1063, 1011, 1111, 1040, 1112, 1062)), attributes={"difficult": True}),
        Annotation(label="ship", shape=RotatedBox(corners=(807, 331, 800.5, 324, 817, 309, 823, 316))),
        Annotation(
            label="small-vehicle", shape=RotatedBox(corners=(226, 738, 225, 756, 191, 756, 191, 739)),
            attributes={"difficult": True}, extra={"dota": {"difficult": "2"}},
        ),
    )  # fmt: skip
    assert empty.annotations == () and empty.extra["dota"]["gsd"] == "1"


def test_the_example_is_written_as_it_was_without_loss():
    trip = travel(lg.read(DATA), FORMAT)
    assert trip.files == {str(p.relative_to(DATA)): p.read_bytes() for p in DATA.rglob("*.txt")}
    assert not trip.written.losses()


def test_lines_of_home_made_files():
    assert objects("0 0 1 0 1 1 0 1 ship")[0][0].attributes == {}
    (found,), problems = objects("\ufeff0 0 1 0 1 1 0 1 small vehicle 1\r\n")
    assert found.label == "small vehicle" and found.attributes == {"difficult": True} and not problems
    assert objects("-5 0 1 0 1 1 0 1e2 7 0")[0][0] == Annotation(
        label="7", shape=RotatedBox(corners=(-5, 0, 1, 0, 1, 1, 0, 100))
    )
    (sample,), _ = opened({"labelTxt/a.txt": "gsd:null\n0 0 1 1 1 0 0 1 ship easy\n"})
    assert sample.extra == {"dota": {"gsd": "null"}} and sample.annotations[0].extra == {"dota": {"difficult": "easy"}}


def test_bad_lines_among_good_ones():
    good = "0 0 1 0 1 1 0 1 ship 0\n"
    found, problems = objects(f"{good}0 0 1 0 1 1 0 ship 0\n{good}0 0 nan 0 1 1 0 1 ship 0\n")
    assert len(found) == 2 and problems == {"dota.line": 2}


def test_two_versions_of_the_labels_are_not_merged():
    line = "0 0 1 0 1 1 0 1 ship 0\n"
    (sample,), problems = opened({"images/a.png": png(4, 3), "labelTxt/a.txt": line, "labelTxt-v1.5/a.txt": line * 2})
    assert len(sample.annotations) == 1 and sample.size == (4, 3) and problems == {"dota.duplicate": 1}
    both = {"images/a.png": png(4, 3), "labelTxt/a.txt": line, "labelTxt-v1.5/a.txt": line * 2}
    (sample,), problems = opened(both, labels="labelTxt-v1.5")
    assert len(sample.annotations) == 2 and sample.path == "a.png" and not problems
    (sample,), _ = opened({"images/a.png": png(4, 3), "labelTxt-v1.5/a.txt": line * 2})
    assert len(sample.annotations) == 2 and sample.path == "a.png"


def test_blanks_in_names_and_other_shapes():
    a = Annotation(label="a b", box=(1, 2, 3, 4))
    files, report = store(Dataset([Sample(path="a.jpg", annotations=(a,))], ["a b"]), FORMAT)
    assert files == {"labelTxt/a.txt": b"1 2 3 2 3 4 1 4 a_b 0\n"}
    assert {"labels.name", "shape.lifted"} <= {line.code for line in report.losses()}


def test_detection():
    assert detect(open_source(DATA), lg.registry).id == "dota"
    assert FORMAT.detect(MemorySource({"x/a.txt": b"0 0 1 0 1 1 0 1 ship 0\n"})).confidence == 0.75
    for other in (
        b"0 0.1 0.1 0.2 0.1 0.2 0.2 0.1 0.2\n",
        b"1,2,3,4,5,6,7,8,text\n",
        b"Car 0 0 -1 1 2 3 4 1 1 1 1 1 1 1\n",
        b"P1 0.5 0 0 1 0 1 1 0 1\n",
    ):
        assert FORMAT.detect(MemorySource({"labels/a.txt": other})) is None


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
def test_the_shared_samples():
    for name in ("datumaro", "roboflow-yolov5-obb"):
        samples = {s.key: s for s in lg.read(SAMPLES / name, format="dota")}
        assert set(samples) == {"train:train_001.jpg", "train:train_002.jpg", "val:val_001.jpg"}
        assert {s.size for s in samples.values()} == {(10, 5)}
        assert [(a.label, a.shape.corners) for a in samples["val:val_001.jpg"].annotations] == [
            ("label_0", (0, 0, 0, 1, 1, 1, 1, 0)), ("label_1", (1, 2, 1, 5, 10, 5, 10, 2)),
        ]  # fmt: skip
    (tile,) = lg.read(SAMPLES / "mmrotate", format="dota")
    assert [a.label for a in tile.annotations] == ["plane"] * 4
    assert [bool(a.attributes) for a in tile.annotations] == [False, False, True, False]
    assert tile.annotations[0].shape.corners == (398, 716, 398, 694, 464, 698, 465, 718)
