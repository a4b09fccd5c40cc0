"""Prodigy: answers about images, one line each."""

import json
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.engine.convert import read, write
from labelglot.images import BytesImage, to_data_url
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Polygon, Sample, Tag
from labelglot.storage import MemorySource, MemoryTarget
from labelglot.testing.odd_json import odd_documents, survives
from labelglot.testing.strategies import png
from labelglot.testing.travel import store, travel
from labelglot_prodigy import Prodigy

DATA = Path(__file__).parent / "data" / "prodigy"
FORMAT = Prodigy()


def rect(x, y, width, height, label="CAT", **more):
    ring = [[x, y], [x, y + height], [x + width, y + height], [x + width, y]]
    return {"label": label, "type": "rect", "x": x, "y": y, "width": width, "height": height, "points": ring} | more


def line(*spans, image="a.jpg", **more):
    return {"image": image, "width": 20, "height": 10, "spans": list(spans), "answer": "accept", "_task_hash": 1} | more


def opened(*lines, files=None, **options):
    report = Report()
    text = "\n".join(json.dumps(each) for each in lines).encode()
    dataset = read(MemorySource({"x.jsonl": text, **(files or {})}), format=FORMAT, options=options, report=report)
    return list(dataset.read(report)), report


def lines_of(*samples, labels=("CAT",)):
    return [json.loads(each) for each in store(Dataset(samples, labels), FORMAT)[0]["prodigy.jsonl"].splitlines()]


def codes(report):
    return {each.code: each.count for each in report.problems()}


def test_the_example_reads_with_exact_values():
    a, b, c, d, e = lg.read(DATA)
    assert (a.path, a.size, a.attributes) == ("img/a.jpg", (800, 600), {"file": "a.jpg"})
    cat, dog = a.annotations
    assert cat.box == (76.5, 112.5, 135.0, 192.5) and cat.id == "0ef6ccd0" and cat.layer is None
    assert dog.shape == Polygon.of((200, 100, 260, 110, 230, 180)) and dog.extra == {"prodigy": {"color": "cyan"}}
    assert b.uri == "https://example.com/b.jpg" and b.tags[0].label == "sunny" and b.annotations is None
    assert c.annotations is None and d.annotations == ()
    assert e.tags == (Tag(label="CAT", negative=True),) and e.annotations is None


def test_the_example_returns():
    written = travel(lg.read(DATA), FORMAT).files["prodigy.jsonl"].splitlines()
    wanted = (DATA / "tasks.jsonl").read_bytes().splitlines()
    assert [json.loads(each) for each in written] == [json.loads(each) for each in wanted]


def test_corners_run_top_left_bottom_left_bottom_right_top_right():
    (made,) = lines_of(Sample(path="a.jpg", annotations=(Annotation(label="CAT", box=(1, 2, 4, 6)),)))
    (span,) = made["spans"]
    assert span["points"] == [[1, 2], [1, 6], [4, 6], [4, 2]] and span["center"] == [2.5, 4]


def test_spans_of_other_spellings():
    short = {"label": "CAT", "x": 1, "y": 2, "w": 3, "h": 4}
    bare = {"label": "CAT", "type": "rect", "points": [[4, 6], [1, 2]]}
    free = {"label": "CAT", "type": "freehand", "points": [[0, 0], [1, 0], [1, 1]]}
    (sample,), report = opened(line(short, bare, free))
    one, two, three = sample.annotations
    assert one.box == two.box == (1, 2, 4, 6) and isinstance(three.shape, Polygon) and not report.problems()
    assert [s["type"] for s in lines_of(sample)[0]["spans"]] == ["rect", "rect", "freehand"]


def test_rejected_lines_are_kept_aside_or_read():
    bad = line(rect(1, 2, 3, 4), answer="reject")
    (sample,), report = opened(bad)
    assert sample.annotations is None and codes(report) == {"prodigy.answer": 1}
    assert lines_of(sample) == [{**bad, "path": "a.jpg"}]
    (sample,), report = opened(bad, answers="all")
    assert len(sample.annotations) == 1 and not report.problems()
    assert lines_of(sample)[0]["answer"] == "reject"
    (sample,), _ = opened(line(rect(1, 2, 3, 4)), line(answer="ignore"))
    assert len(sample.annotations) == 1


def test_several_annotators_are_layers():
    one, two = (line(rect(1, 2, 3, 4), _annotator_id=by, _session_id=f"s-{by}") for by in ("anna", "bert"))
    (sample,), report = opened(one, two)
    assert [a.layer for a in sample.annotations] == ["anna", "bert"] and codes(report) == {"prodigy.annotators": 1}
    assert [each["_session_id"] for each in lines_of(sample)] == ["s-anna", "s-bert"]
    (sample,), report = opened(one)
    assert sample.annotations[0].layer is None and not report.problems()
    assert lines_of(sample)[0]["_annotator_id"] == "anna"
    (sample,), report = opened(one, one)
    assert len(sample.annotations) == 2 and codes(report) == {"prodigy.duplicate": 1}


def test_a_size_that_is_not_the_images():
    (sample,), report = opened(line(rect(1, 2, 3, 4)), files={"a.jpg": png(40, 30)})
    assert sample.size == (40, 30) and sample.annotations[0].box == (2, 6, 8, 18)
    assert codes(report) == {"prodigy.size": 1}


def test_images_inside_and_images_stripped():
    inside = line(rect(1, 2, 3, 4), image=to_data_url(png(20, 10)), path="x/a.png")
    stripped = line(image=None, text="b", _input_hash=5)
    again = line(image=None, text="b", _input_hash=6)
    hashed = line(image=None, _input_hash=7)
    a, b, c, d = opened(inside, stripped, again, hashed)[0]
    assert (a.path, a.image.read(), a.size) == ("x/a.png", png(20, 10), (20, 10))
    assert [s.path for s in (b, c, d)] == ["b", "b-6", "image-7"]
    broken, report = opened(line(image="data:image/png;base64,x", path="a.png"))
    assert broken[0].size == (20, 10) and codes(report) == {"prodigy.image": 1}


def test_images_can_be_embedded():
    sample = Sample(path="a.png", size=(20, 10), image=BytesImage("a.png", png(20, 10)), annotations=())
    target = MemoryTarget()
    write(Dataset([sample], []), target, format=FORMAT, options={"image_data": True})
    made = json.loads(target.content["prodigy.jsonl"])
    assert made["image"] == to_data_url(png(20, 10)) and made["path"] == "a.png"


def test_classes_and_captions_keep_their_order():
    tags = (Tag(text="first"), Tag(label="a"), Tag(label="b"), Tag(label="c", negative=True), Tag(text="last"))
    sample = Sample(path="a.jpg", size=(9, 9), tags=tags, annotations=())
    made = lines_of(sample, labels=("a", "b", "c"))
    assert [each["_view_id"] for each in made] == ["image_manual", "choice", "classification", "image"]
    assert next(iter(travel(Dataset([sample], ["a", "b", "c"]), FORMAT).dataset)).tags == tags


def test_options_that_were_not_chosen_return():
    choice = {
        "image": "a.jpg",
        "options": [{"id": 1, "text": "x"}, {"id": 2, "text": "y"}],
        "accept": [2],
        "answer": "accept",
        "_task_hash": 1,
    }
    (sample,), _ = opened(choice)
    assert [t.label for t in sample.tags] == ["y"] and lines_of(sample, labels=("y",))[0]["options"] == choice[
        "options"
    ]
    (sample,), _ = opened({"image": "a.jpg", "label": "DOG", "answer": "accept", "_task_hash": 1})
    assert lines_of(sample, labels=("DOG",))[0]["label"] == "DOG"


def test_bad_lines_and_spans_among_good_ones():
    bad = [
        7,
        {"label": "x"},
        {"type": "rect", "points": [[1]]},
        {**rect(1, 2, 3, 4), "x": "1"},
        {"type": "polygon", "points": []},
    ]
    (sample,), report = opened(line(*bad, rect(1, 2, 3, 4)), 5, {"answer": "accept"})
    assert len(sample.annotations) == 1
    assert codes(report) == {"prodigy.span": 5, "prodigy.line": 2}


@pytest.mark.parametrize(
    ("value", "confidence"),
    [
        (line(), 0.95), ({"image": "a.jpg", "spans": [rect(1, 2, 3, 4)]}, 0.8), ({"image": "a.jpg", "_view_id": "choice"}, 0.9),
        ({"text": "a", "_task_hash": 1}, 0), ({"image": "a.jpg", "text": "x"}, 0), ({"data_row": {}}, 0),
    ],
)  # fmt: skip
def test_detection(value, confidence):
    match = FORMAT.detect(MemorySource({"a.jsonl": json.dumps(value).encode()}))
    assert (0 if match is None else match.confidence) == confidence


def test_odd_values_anywhere_are_no_exceptions():
    document = [json.loads(each) for each in (DATA / "tasks.jsonl").read_text().splitlines()]
    for odd in odd_documents(document, 40):
        survives(FORMAT, {"tasks.jsonl": b"\n".join(json.dumps(each).encode() for each in odd)}, {"answers": "all"})
