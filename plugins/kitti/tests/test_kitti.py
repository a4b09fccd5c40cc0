"""KITTI: a line of 15 fields per object."""

from pathlib import Path

import labelglot as lg
import pytest
from labelglot.detection import detect
from labelglot.engine.convert import read, write
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Sample
from labelglot.storage import MemorySource, MemoryTarget, open_source
from labelglot.testing.travel import load, store, travel
from labelglot_kitti import Kitti

DATA = Path(__file__).parent / "data" / "kitti"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "kitti"
FORMAT = Kitti()
NO_3D = "-1 -1 -1 -1000 -1000 -1000 -10"


def opened(files):
    report = Report()
    dataset = read(
        MemorySource({k: v.encode() if isinstance(v, str) else v for k, v in files.items()}),
        format=FORMAT,
        report=report,
    )
    return list(dataset.read(report)), report


def objects(text):
    (sample,), report = opened({"label_2/a.txt": text})
    return sample.annotations, {line.code for line in report.problems()}


def test_the_example_reads_with_exact_values():
    full, empty = list(lg.read(DATA))
    assert (full.path, full.splits, empty.path, empty.annotations) == ("000001", ("training",), "000002", ())
    car, walker, region, dog = full.annotations
    assert car == Annotation(
        label="Car", box=(650.25, 170.5, 720.75, 215), attributes={"truncated": 0.0, "occluded": 0},
        extra={"kitti": {"alpha": 0.4, "dimensions": (1.5, 1.6, 4), "location": (2, 1.6, 20), "rotation_y": 0.5}},
    )  # fmt: skip
    assert walker.attributes == {"truncated": 0.25, "occluded": 1}
    assert region == Annotation(label="DontCare", box=(800, 160, 850, 180), attributes={"ignore": True})
    assert dog == Annotation(label="dog", box=(540, 295, 563, 313))


def test_the_example_is_written_as_it_was_without_loss():
    files = {str(p.relative_to(DATA)): p.read_bytes() for p in DATA.rglob("*.txt")}
    trip = travel(lg.read(DATA), FORMAT)
    assert trip.files == files and not trip.written.losses()


def test_names_with_blanks_are_read_from_the_right():
    found, problems = objects(f"bicycle with space -1 -1 -10 1 2 3 4 {NO_3D}\ncat -1 -1 -10 1 2 3 4 {NO_3D} 0.75\n")
    assert [(a.label, a.score) for a in found] == [("bicycle with space", None), ("cat", 0.75)] and not problems
    files, report = store(Dataset([Sample(path="a", annotations=found)], ["bicycle with space", "cat"]), FORMAT)
    assert files["label_2/a.txt"].startswith(b"bicycle_with_space ") and "labels.name" in {
        x.code for x in report.losses()
    }


def test_ways_to_say_that_there_is_no_3d_box():
    for rest in (NO_3D, "-1 -1 -1 -1 -1 -1 -1 1.0", "0 0 0 0 0 0 0", "-1 -1 -1 0 0 0 0"):
        (found,), _ = objects(f"cat 0.00 0 -1 1 2 3 4 {rest}")
        assert found.extra == {}
    (found,), _ = objects(f"Car 0 0 1.25 1 2 3 4 {NO_3D} 0.5")
    assert found.extra == {"kitti": {"alpha": 1.25}}


def test_odd_values_are_data():
    (found,), problems = objects(f"dontcare -1 -1 -10 9 8 -7 6 {NO_3D}\r\n")
    assert found == Annotation(label="DontCare", box=(9, 8, -7, 6), attributes={"ignore": True})
    assert problems == {"kitti.region", "kitti.inverted"}
    (found,), problems = objects(f"Car 2 0.0 -10 1 2 3 4 {NO_3D} 0.5 7 8")
    assert (found.attributes, found.score, problems) == ({"truncated": 2, "occluded": 0.0}, 0.5, {"kitti.columns"})


def test_bad_lines_among_good_ones():
    good = f"Car 0 0 -10 1 2 3 4 {NO_3D}\n"
    (sample,), report = opened({"label_2/a.txt": f"Car 1 2 3\n{good}Car 0 0 -10 nan 2 3 4 {NO_3D}\n{good}"})
    assert len(sample.annotations) == 2 and report.skipped == 2
    assert [x["place"] for x in report.problems()[0].examples] == ["label_2/a.txt:1", "label_2/a.txt:3"]


def test_trees_of_other_tools():
    line = f"Car 0 0 -10 1 2 3 4 {NO_3D}\n"
    image = lg.testing.strategies.png(8, 6)
    for tree, path, splits in (
        ({"kitti/training/label_2/1.txt": line, "kitti/training/image_2/1.png": image}, "1.png", ("training",)),
        ({"images/x/1.png": image, "labels/x/1.txt": line}, "x/1.png", ()),
        ({"val/labels/1.txt": line, "val/images/1.png": image}, "1.png", ("val",)),
        ({"1.txt": line, "1.png": image, "README.txt": "see 1.txt"}, "1.png", ()),
    ):
        (sample,), _ = opened(tree)
        assert (sample.path, sample.splits, sample.size) == (path, splits, (8, 6))
    unlabelled, full = sorted(
        opened({"image_2/1.png": image, "image_2/2.png": image, "label_2/2.txt": line})[0], key=lambda s: s.path
    )
    assert unlabelled.annotations is None and len(full.annotations) == 1


def test_scores_can_be_left_out():
    dataset = Dataset([Sample(path="a", annotations=(Annotation(label="c", box=(1, 2, 3, 4), score=0.5),))], ["c"])
    assert store(dataset, FORMAT)[0]["label_2/a.txt"].split()[-1] == b"0.5"
    done = write(dataset, target := MemoryTarget(), format=FORMAT, options={"scores": False})
    assert target.content["label_2/a.txt"].split()[-1] == b"-10" and [x.code for x in done.report.losses()] == ["score"]


def test_detection():
    assert detect(open_source(DATA), lg.registry).id == "kitti"
    line = f"Car 0 0 -10 1 2 3 4 {NO_3D}\n"
    assert FORMAT.detect(MemorySource({"labels/a.txt": line.encode()})).confidence == 0.65
    for other in (
        b"0 0.5 0.5 0.1 0.1\n",
        b"1 2 3 4 5 6 7 8 ship 0\n",
        b"0 1 Car 0 0 -10 1 2 3 4 -1 -1 -1 -1000 -1000 -1000 -10\n",
    ):
        assert FORMAT.detect(MemorySource({"labels/a.txt": other})) is None


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
def test_the_shared_samples():
    a, b = list(lg.read(SAMPLES / "kitti_detection", format="kitti"))
    assert (a.path, a.size, a.splits) == ("000030_10.png", (10, 10), ("training",))
    assert [(x.label, x.box) for x in a.annotations] == [("Truck", (0, 1, 2, 3)), ("Van", (0, 5, 1, 8))]
    assert [x.box for x in b.annotations] == [(0, 0, 2, 2), (4, 4, 6, 6), (6, 6, 7, 9)]
    assert [(x.attributes["truncated"], x.attributes["occluded"]) for x in b.annotations] == [
        (1.0, 1),
        (0.0, 0),
        (0.0, 1),
    ]
    (frame,) = lg.read(SAMPLES / "kitti_3d", format="kitti")
    truck, car, region = frame.annotations
    assert truck.extra["kitti"]["dimensions"] == (2.85, 2.63, 12.34) and truck.extra["kitti"]["location"] == (
        0.47,
        1.49,
        69.44,
    )
    assert (
        car.box == (650, 160, 700, 200)
        and car.attributes["occluded"] == 3
        and car.extra["kitti"]["rotation_y"] == -1.55
    )
    assert region.attributes == {"ignore": True} and region.extra == {}
    plain = list(lg.read(SAMPLES / "labelformat", format="kitti"))
    assert (len(plain), sum(len(s.annotations) for s in plain)) == (2, 16)
    assert "bicycle with space" in {a.label for s in plain for a in s.annotations}


def test_files_load_again():
    assert load({"label_2/a.txt": b""}, FORMAT)[0].samples is not None
