"""VoTT CSV: a row per tag, corners in pixels."""

from pathlib import Path

import labelglot as lg
import pytest
from labelglot.engine.convert import read, write
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Sample
from labelglot.storage import MemorySource, MemoryTarget
from labelglot.testing.travel import load, store, travel
from labelglot_vott import VottCsv

DATA = Path(__file__).parent / "data" / "vott-csv"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "vott-csv"
FORMAT = VottCsv()
HEADER = "image,xmin,ymin,xmax,ymax,label\n"


def opened(text, name="x-export.csv"):
    report = Report()
    dataset = read(MemorySource({name: text.encode()}), format=FORMAT, report=report)
    return list(dataset.read(report)), report


def test_the_example_reads_with_exact_values():
    a, b, c, clip = samples = list(lg.read(DATA))
    assert [s.path for s in samples] == ["a.jpg", "b.jpg", "c.jpg", "clip.mp4#t=5.066667"]
    assert all(s.splits == ("train",) for s in samples)
    assert a.annotations == tuple(Annotation(label=x, box=(10.25, 20, 50.25, 50.5)) for x in ("cat", "pet, tame"))
    assert b.annotations == clip.annotations == (Annotation(label="dog", box=(1, 2, 2, 4)),)
    assert c.annotations == ()


def test_the_example_is_written_as_it_was():
    files = {p.name: p.read_bytes() for p in DATA.iterdir()}
    assert travel(load(files, FORMAT)[0], FORMAT).files == files


def test_a_project_is_no_split():
    (sample,), _ = opened(HEADER + "a.jpg,1,2,3,4,cat", "my-project-export.csv")
    assert sample.splits == ()


def test_headers_resaved_by_other_tools():
    for text in (
        HEADER + "a.jpg,1,2,3,4,cat\r\n",
        '\ufeff"image","xmin","ymin","xmax","ymax","label"\n"a.jpg",1,2,3,4,"cat"',
        ",image,xmin,ymin,xmax,ymax,label\n0,a.jpg,1,2,3,4,cat\n",
    ):
        (sample,), report = opened(text)
        assert sample.annotations == (Annotation(label="cat", box=(1, 2, 3, 4)),) and not report.problems()
        assert FORMAT.detect(MemorySource({"any.csv": text.encode()})).confidence == 0.85


def test_values_outside_the_image_and_inverted_ones_are_data():
    (sample,), _ = opened(HEADER + "a.jpg,-5,2.5,3,1,cat")
    assert sample.annotations[0].box == (-5, 2.5, 3, 1)


def test_bad_rows_among_good_ones():
    text = HEADER + "a.jpg,1,2,3,4,cat\na.jpg,1,x,3,4,cat\na.jpg,1,2,nan,4,cat\na.jpg,1,2\n,1,2,3,4,cat\na.jpg,5,6,7,8,dog\n"
    (sample,), report = opened(text)
    assert [a.box for a in sample.annotations] == [(1, 2, 3, 4), (5, 6, 7, 8)]
    found = {line.code: (line.count, line.examples[0]["place"]) for line in report.problems()}
    assert found == {"vott-csv.number": (3, "x-export.csv:3"), "vott-csv.row": (1, "x-export.csv:6")}
    assert report.skipped == 4


def test_empty_images_can_be_left_out():  # pain 33
    dataset = Dataset([Sample(path="a.jpg", annotations=()), Sample(path="b.jpg", annotations=(Annotation(label="c", box=(1, 2, 3, 4)),))], ["c"])
    assert [s.path for s in travel(dataset, FORMAT).dataset] == ["a.jpg", "b.jpg"]
    made = write(dataset, target := MemoryTarget(), format=FORMAT, options={"empty_rows": False})
    assert b"a.jpg" not in target.content["vott-export.csv"]
    assert [line.code for line in made.report.losses()] == ["sample.empty"]


def test_labels_in_order_of_appearance_and_splits_in_files():
    box = (1, 2, 3, 4)
    samples = [Sample(path=f"{i}.jpg", splits=(s,), annotations=(Annotation(label=x, box=box),)) for i, (s, x) in enumerate([("train", "b"), ("valid", "a")])]
    files, report = store(Dataset(samples, ["a", "b", "unused"]), FORMAT)
    assert set(files) == {"train-export.csv", "val-export.csv"}
    assert "labels.unused" in {line.code for line in report.losses()}
    assert [label.name for label in load(files, FORMAT)[0].labels] == ["b", "a"]


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
def test_the_shared_sample():
    dataset = lg.read(SAMPLES, format="vott-csv")
    samples = {s.key: s for s in dataset}
    assert set(samples) == {"test:img0001.jpg", "test:img0002.jpg", "train:img0003.jpg", "train:img0004.jpg"}
    assert all(s.image is not None for s in samples.values())
    assert samples["test:img0002.jpg"].annotations == (Annotation(label="person", box=(11.5, 12, 21.7, 32.5)),)
    found = [a.label for s in samples.values() for a in s.annotations]
    assert sorted(found) == ["helmet"] * 3 + ["person"] * 2
    assert FORMAT.detect(lg.storage.open_source(SAMPLES)).confidence == 0.95
