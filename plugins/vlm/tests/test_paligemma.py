"""PaliGemma: four tokens of four digits, y first, then the class."""

import json
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.engine.convert import read
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Sample, Tag
from labelglot.storage import MemorySource
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, travel
from labelglot_vlm import PaliGemmaJsonl

DATA = Path(__file__).parent / "data" / "paligemma-jsonl"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "paligemma-jsonl"
FORMAT = PaliGemmaJsonl()


def opened(*suffixes, prefix="detect c", name="annotations.jsonl", **files):
    report = Report()
    text = "\n".join(json.dumps({"image": "a.png", "prefix": prefix, "suffix": suffix}) for suffix in suffixes)
    files = {key.replace("__", "."): data for key, data in files.items()}
    dataset = read(MemorySource({name: text.encode(), **files}), format=FORMAT, report=report)
    return list(dataset.read(report)), report


def codes(report):
    return {line.code: line.count for line in report.problems()}


def test_the_example_reads_with_exact_values():
    dataset = lg.read(DATA)
    one, two, three = dataset
    assert [(a.label, a.box) for a in one.annotations] == [("cat", (0.125, 0.25, 0.375, 0.5)), ("dog", (0.5, 0, 1023 / 1024, 1023 / 1024))]
    assert one.tags == (Tag(text="a cat before a dog"),) and two.annotations == ()
    assert three.annotations is None and three.tags == (Tag(text="2", extra={"paligemma-jsonl": {"prefix": "how many birds?"}}),)
    assert [label.name for label in dataset.labels] == ["cat", "dog"]


def test_the_example_is_written_as_it_was():
    files = {"annotations.jsonl": (DATA / "annotations.jsonl").read_bytes()}
    after = travel(load(files, FORMAT)[0], FORMAT).files["annotations.jsonl"]
    assert [json.loads(x) for x in after.splitlines()] == [json.loads(x) for x in files["annotations.jsonl"].splitlines()]


def test_pixels_come_from_the_image():
    (sample,), report = opened("<loc0256><loc0128><loc0512><loc0384> c", a__png=png(640, 480))
    assert sample.annotations[0].box == (80, 120, 240, 240) and not report.problems()


def test_boxes_are_cut_and_rounded_to_the_next_step():
    boxes = ((0.4, 10.0, 64.0, 60.0), (-5.0, -5.0, -1.0, -1.0))
    sample = Sample(path="a.png", size=(64, 48), annotations=tuple(Annotation(label="c", box=box) for box in boxes))
    trip = travel(Dataset([sample], ["c"]), FORMAT)
    assert json.loads(trip.files["annotations.jsonl"])["suffix"] == "<loc0213><loc0006><loc1023><loc1023> c"
    assert {"precision.box", "box.clipped", "annotation.outside"} <= {line.code for line in trip.written.losses()}


@pytest.mark.parametrize("between", [" ; ", ";", "\n", ", "])
def test_what_may_stand_between_objects(between):
    one = "<loc0000><loc0000><loc0512><loc0512> traffic-light 2"
    (sample,), report = opened(f"{one}{between}{one}<eos>")
    assert [a.label for a in sample.annotations] == ["traffic-light 2"] * 2 and not report.problems()


def test_objects_that_are_cut_or_foreign():
    good = "<loc0000><loc0000><loc0512><loc0512> c"
    bad = ["<loc_12><loc_1><loc_2><loc_3> c", "<loc012><loc0001><loc0002><loc0003> c", "<loc0000><loc0000><loc0512> c",
           "<loc1024><loc0000><loc0512><loc0512> c", "<loc0512><loc0000><loc0256><loc0512> c", "<loc0000><loc0000><loc0512><loc0512>"]  # fmt: skip
    (sample,), report = opened("words " + " ; ".join([*bad, good]))
    assert [a.label for a in sample.annotations] == ["c", None, "c"]
    assert codes(report) == {f"paligemma-jsonl.{code}": n for code, n in {"object": 2, "token": 3, "order": 1, "class": 1}.items()}
    assert "florence2-jsonl" in report.problems()[1].sentence


def test_masks_stay_tokens():
    suffix = "<loc0000><loc0000><loc0512><loc0512>" + "".join(f"<seg{n:03}>" for n in range(16)) + " c"
    (sample,), report = opened(suffix, prefix="segment c")
    (a,) = sample.annotations
    assert a.box == (0, 0, 0.5, 0.5) and a.extra["paligemma-jsonl"]["seg"].endswith("<seg015>") and not report.problems()
    line = json.loads(travel(Dataset([sample], ["c"]), FORMAT).files["annotations.jsonl"])
    assert (line["prefix"], line["suffix"]) == ("segment c", suffix)


def test_several_lines_about_objects_are_one_image():
    one = "<loc0000><loc0000><loc0512><loc0512> c"
    (sample,), report = opened(one, one, prefix="detect c please")
    assert len(sample.annotations) == 2 and sample.extra == {} and not report.problems()


def test_splits_are_in_the_name_of_the_file():
    (sample,), _ = opened("", name="dataset/_annotations.valid.jsonl", **{"dataset/a__png": png(64, 48)})
    assert sample.splits == ("valid",) and sample.path == "dataset/a.png" and sample.image is not None


def test_lines_that_are_none():
    files = {"a.jsonl": b'{"image":"a.png","prefix":"detect c"}\n{"image":"b.png","prefix":1,"suffix":""}\n{"prefix":"","suffix":""}\n{"image":"c.png","prefix":"detect c","suffix":""}'}
    dataset = read(MemorySource(files), format=FORMAT, report=(report := Report()))
    assert [s.path for s in dataset.read(report)] == ["c.png"]
    assert codes(report) == {"paligemma-jsonl.line": 2, "paligemma-jsonl.image": 1}


def test_detection():
    def confidence(prefix, suffix):
        match = FORMAT.detect(MemorySource({"a.jsonl": json.dumps({"image": "a", "prefix": prefix, "suffix": suffix}).encode()}))
        return match and match.confidence

    assert confidence("detect c", "<loc0000><loc0000><loc0512><loc0512> c") == 0.95
    assert confidence("detect c", "") == 0.85 and confidence("how many?", "2") == 0.4
    assert confidence("<OD>", "c<loc_1><loc_1><loc_1><loc_1>") is None


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
def test_real_lines():
    dataset = lg.read(SAMPLES, report=(report := Report()))
    samples = list(dataset.read(report))
    assert [[a.label for a in s.annotations] for s in samples] == [
        ["figure", "text", "text", "text"], ["text", "figure", "text"], ["text", "table", "figure", "figure", "text"],
    ]  # fmt: skip
    assert samples[0].annotations[0].box == (102 / 1024, 412 / 1024, 920 / 1024, 734 / 1024) and not report.problems()
    assert [label.name for label in dataset.labels] == ["figure", "table", "text"]
