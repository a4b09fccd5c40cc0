"""Florence-2: the class, then tokens, x first, 1000 steps."""

import json
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.engine.convert import read, write
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Polygon, Sample, Tag
from labelglot.storage import MemorySource, MemoryTarget
from labelglot.testing import conformance
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, travel
from labelglot_vlm import Florence2Jsonl

DATA = Path(__file__).parent / "data" / "florence2-jsonl"
FORMAT = Florence2Jsonl()


class Polygons(Florence2Jsonl):
    class WriteOptions(Florence2Jsonl.WriteOptions):
        task: str = "polygons"


TestPolygons = conformance(Polygons(), max_examples=10)


def opened(*suffixes, prefix="<OD>", size=None):
    report = Report()
    text = "\n".join(json.dumps({"image": "a.png", "prefix": prefix, "suffix": suffix}) for suffix in suffixes)
    files = {"annotations.jsonl": text.encode()} | ({"a.png": png(*size)} if size else {})
    return list(read(MemorySource(files), format=FORMAT, report=report).read(report)), report


def codes(report):
    return {line.code: line.count for line in report.problems()}


def test_the_example_reads_with_exact_values():
    one, two, three = lg.read(DATA)
    assert [(a.label, a.box) for a in one.annotations] == [("cat", (0.125, 0.25, 0.375, 0.5)), ("dog", (0.5, 0, 0.999, 0.999))]
    assert two.annotations == () and three.annotations is None
    assert [t.text for t in three.tags] == ["a red car on a road", "a red car <fast> on a road"]


def test_the_example_is_written_as_it_was():
    files = {"annotations.jsonl": (DATA / "annotations.jsonl").read_bytes()}
    after = [json.loads(x) for x in travel(load(files, FORMAT)[0], FORMAT).files["annotations.jsonl"].splitlines()]
    before = [json.loads(x) for x in files["annotations.jsonl"].splitlines()]
    before[2]["id"] = 7  # further fields are those of the image
    assert after == before


def test_the_vectors_of_other_tools():
    (sample,), report = opened("cat<loc_100><loc_200><loc_400><loc_300>", size=(640, 480))
    assert sample.annotations[0].box == pytest.approx((64, 96, 256, 144)) and not report.problems()
    boxes = ((50.0, 50.0, 100.0, 100.0), (0.0, 0.0, 200.0, 200.0))
    sample = Sample(path="a.png", size=(200, 200), annotations=tuple(Annotation(label="c", box=box) for box in boxes))
    line = json.loads(travel(Dataset([sample], ["c"]), FORMAT).files["annotations.jsonl"])
    assert line["suffix"] == "c<loc_250><loc_250><loc_500><loc_500>c<loc_0><loc_0><loc_999><loc_999>"


def test_a_token_that_does_not_exist_is_the_edge():
    (sample,), _ = opened("c<loc_0><loc_0><loc_1000><loc_1000>", size=(64, 48))
    assert sample.annotations[0].box == (0, 0, 64, 48)


def test_several_boxes_of_a_class_and_what_models_put_around():
    box = "<loc_0><loc_0><loc_500><loc_500>"
    (sample,), report = opened(f"</s><s>lot 7{box}{box}<od>dog{box}</s><pad>")
    assert [a.label for a in sample.annotations] == ["lot 7", "lot 7", "dog"] and not report.problems()


def test_a_malformed_object_does_not_end_the_answer():
    (sample,), report = opened("cat<loc_1><loc_2><loc_3>dog<loc_0><loc_0><loc_500><loc_500><loc_0><loc_0><loc_1><loc_1>bird")
    assert [a.label for a in sample.annotations] == ["dog", "dog"] and codes(report) == {"florence2-jsonl.object": 2}
    (sample,), report = opened("<loc_0><loc_0><loc_500><loc_500>", prefix="<REGION_PROPOSAL>")
    assert sample.annotations[0].label is None and codes(report) == {"florence2-jsonl.class": 1}


def test_polygons():
    suffix = "cat<poly><loc_0><loc_0><loc_500><loc_0><loc_500><loc_500><loc_7><sep><loc_100><loc_0><loc_0><loc_0><loc_0><loc_200></poly>"
    (sample,), report = opened(suffix, prefix="<REFERRING_EXPRESSION_SEGMENTATION>cat")
    shape = Polygon.of((0, 0, 0.5, 0, 0.5, 0.5), (0.1, 0, 0, 0, 0, 0.2))
    assert sample.annotations == (Annotation(label="cat", shape=shape),) and not report.problems()
    write(Dataset([sample], ["cat"]), target := MemoryTarget(), format=FORMAT, options={"task": "polygons"})
    line = json.loads(target.content["annotations.jsonl"])
    assert line == {"image": "a.png", "prefix": "<REFERRING_EXPRESSION_SEGMENTATION>cat", "suffix": suffix.replace("<loc_7>", "")}
    (sample,), _ = opened("cat<loc_0><loc_0><loc_500><loc_0><loc_500><loc_500>", prefix="<REFERRING_EXPRESSION_SEGMENTATION>cat")
    assert sample.annotations[0].shape == Polygon.of((0, 0, 0.5, 0, 0.5, 0.5))


def test_text_in_a_quadrilateral():
    (sample,), _ = opened("EXIT 7<loc_0><loc_0><loc_500><loc_0><loc_500><loc_100><loc_0><loc_100>", prefix="<OCR_WITH_REGION>")
    assert sample.annotations == (Annotation(text="EXIT 7", shape=Polygon.of((0, 0, 0.5, 0, 0.5, 0.1, 0, 0.1))),)


def test_prompts_in_plain_words_return():
    prefix = "Locate the objects with category name in the image."
    (sample,), _ = opened("c<loc_0><loc_0><loc_500><loc_500>", prefix=prefix)
    assert len(sample.annotations) == 1
    assert json.loads(travel(Dataset([sample], ["c"]), FORMAT).files["annotations.jsonl"])["prefix"] == prefix
    (sample,), _ = opened("a sign", prefix="<REGION_TO_DESCRIPTION><loc_0><loc_0><loc_9><loc_9>")
    assert sample.tags == (Tag(text="a sign", extra={"florence2-jsonl": {"prefix": "<REGION_TO_DESCRIPTION><loc_0><loc_0><loc_9><loc_9>"}}),)


def test_names_the_model_cannot_parse_are_mentioned():
    sample = Sample(path="a.png", size=(64, 48), annotations=(Annotation(label="Straße", box=(0.0, 0.0, 9.0, 9.0)),))
    assert codes(write(Dataset([sample], ["Straße"]), MemoryTarget(), format=FORMAT).report) == {"florence2-jsonl.name": 1}


def test_detection():
    def confidence(prefix, suffix):
        match = FORMAT.detect(MemorySource({"a.jsonl": json.dumps({"image": "a", "prefix": prefix, "suffix": suffix}).encode()}))
        return match and match.confidence

    assert confidence("<OD>", "") == confidence("find it", "c<loc_1><loc_1><loc_1><loc_1>") == 0.95
    assert confidence("how many?", "2") == 0.3
    assert confidence("detect c", "<loc0000><loc0000><loc0512><loc0512> c") is None
