"""WebDataset shards: our record, the files of other tools, the quirks, and real data."""

import gzip
import io
import json
import tarfile
from collections import Counter
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.engine.convert import read, write
from labelglot.images import BytesImage
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Label, Polygon, Sample, Tag
from labelglot.storage import MemorySource, MemoryTarget, open_source
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, travel
from labelglot_webdataset import Webdataset

DATA = Path(__file__).parent / "data" / "webdataset"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "webdataset"
FORMAT = Webdataset()
PNG = png(4, 3)


def tar(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files:
            data = data if isinstance(data, bytes) else data.encode()
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def opened(files, **options):
    report = Report()
    dataset = read(MemorySource(files), format=FORMAT, options=options, report=report)
    return list(dataset.read(report)), report


def codes(report):
    return {line.code.partition(".")[2]: line.count for line in report.problems()}


def test_the_example_is_written_as_it_was():
    files = {p.name: p.read_bytes() for p in DATA.iterdir()}
    dataset, report = load(files, FORMAT)
    assert travel(dataset, FORMAT).files == files and not report.problems()
    a, b = dataset
    assert a == Sample(
        path="dir/a.b.png", size=(4, 3), splits=("train",), tags=(Tag(label="pet"), Tag(text="two pets")),
        annotations=(Annotation(label="cat", box=(1, 2, 3.5, 3)), Annotation(label="cat", shape=Polygon.of((0, 0, 1, 0, 1, 1)))),
    )
    assert a.image.read() == PNG and b.annotations is None
    assert dataset.labels == (Label(key="cat", name="cat", id=7), Label(key="pet", name="pet", color="#ff0000"))
    assert FORMAT.detect(MemorySource(files)).confidence == 0.97


def test_what_others_see():
    files = {p.name: p.read_bytes() for p in DATA.iterdir()}
    with tarfile.open(fileobj=io.BytesIO(files["train-000000.tar"])) as archive:
        assert archive.getnames() == [".labelglot.json", *(f"000000000.{e}" for e in ("cls", "json", "png", "txt"))]
        assert archive.extractfile("000000000.cls").read() == b"1"
        assert archive.extractfile("000000000.txt").read() == b"two pets"


def test_shards_are_cut_and_one_file_is_one_shard(tmp_path):
    dataset = Dataset([Sample(path=f"{i}.png", image=BytesImage("x", PNG), annotations=()) for i in range(5)])
    target = MemoryTarget()
    write(dataset, target, format=FORMAT, options={"shard_size": 2})
    assert list(target.content) == [f"data-{i:06d}.tar" for i in range(3)]
    assert [s.path for s in load(target.content, FORMAT)[0]] == [f"{i}.png" for i in range(5)]
    write(dataset, tmp_path / "x.tar", format=FORMAT, options={"shard_size": 2})
    assert [s.path for s in lg.read(tmp_path / "x.tar")] == [f"{i}.png" for i in range(5)]


def test_files_of_other_tools():
    row = {"caption": "a cat", "width": 9, "url": "http://x/y.jpg", "objects": [{"bbox": [1, 1, 2, 1], "category": "cat"}]}
    shard = tar([
        ("./a.cls", "3\n"), ("./a.png", PNG), ("./a.seg.png", PNG), ("b.v2.JPG", b"?"), ("b.png", PNG), ("b.json.gz", gzip.compress(json.dumps(row).encode())),
        ("c.pyd", b"\x80\x04N."), ("c.cls", "tabby"), ("c.txt", "one"), ("a.txt", "late"), ("c.txt", "again"), (".hidden", "x"), ("nodot", "x"),
    ])  # fmt: skip
    (a, b, c), report = opened({"x/train-0001.tar": shard, "x/train-0002.tar.gz": gzip.compress(tar([]))})
    assert (a.key, a.tags, a.size, a.image.read()) == ("train:a.png", (Tag(label="3"), Tag(text="late")), (4, 3), PNG)
    assert b.tags == (Tag(text="a cat"),) and b.annotations == (Annotation(label="cat", box=(1, 1, 3, 2)),)
    assert b.extra == {"webdataset": {"url": "http://x/y.jpg"}} and b.size == (4, 3)
    assert c.tags == (Tag(label="tabby"), Tag(text="one")) and c.path == "c" and c.image is None
    assert codes(report) == {"order": 1, "repeated": 1, "member": 3}


def test_keys_that_repeat_and_names_of_classes():
    shard = tar([("000000.png", PNG), ("000000.cls", "1")])
    samples, _ = opened({"train-0.tar": shard, "train-1.tar": shard, "val-0.tar": shard, "classes.txt": b"cat\ndog\n"})
    assert [s.key for s in samples] == ["train:000000.png", "train:train-1/000000.png", "val:000000.png"]
    assert {t.label for s in samples for t in s.tags} == {"dog"}


def test_boxes_of_any_name():
    row = {"width": 640, "height": 480, "boxes": [{"label": "cat", "xywh": [10, 20, 100, 50]}]}
    (one,), _ = opened({"a.tar": tar([("0.json", json.dumps(row)), ("0.txt", "x")])})
    assert one.size == (640, 480) and one.annotations == (Annotation(label="cat", box=(10, 20, 110, 70)),)
    row = {"dets": {"boxes": [[0.1, 0.2, 0.3, 0.4]], "labels": ["cat"]}}
    files = {"a.tar": tar([("0.json", json.dumps(row)), ("0.txt", "x")])}
    (one,), _ = opened(files, objects_field="dets", bbox_format="xyxy", bbox_units="fractions")
    assert one.units == "relative" and one.annotations[0].box == (0.1, 0.2, 0.3, 0.4)


def test_damage_costs_only_what_it_hits():
    shard = tar([("0.cls", "1"), ("0.txt", "x"), ("1.cls", "2"), ("1.txt", "y")])
    samples, report = opened({"a.tar": shard[:2048] + b"junk" * 128 + shard[2560:]})
    assert [s.path for s in samples] == ["0"] and codes(report) == {"shard": 1}
    samples, report = opened({"a.tar.gz": gzip.compress(shard)[:-40]})
    assert codes(report)["shard"] == 1


def test_other_tars_are_not_shards():
    for names in (["images/a.png", "labels/a.txt"], ["a.png", "b.png", "c.png"]):
        assert FORMAT.detect(MemorySource({"a.tar": tar([(name, PNG) for name in names])})) is None


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
@pytest.mark.parametrize("where", [SAMPLES, SAMPLES / "sample.tgz"], ids=["folder", "archive"])
def test_the_shared_sample(where):
    assert FORMAT.detect(open_source(where)).confidence == 0.8
    samples = list(lg.read(where, format="webdataset"))
    assert len(samples) == 90 and [s.path for s in samples[:3]] == ["10.png", "11.png", "12.png"]
    counts = Counter(t.label for s in samples for t in s.tags)
    assert counts == {"7": 14, "1": 12, "4": 12, "3": 11, "6": 10, "9": 9, "0": 7, "2": 7, "5": 6, "8": 2}
    assert all(s.size == (28, 28) for s in samples)
