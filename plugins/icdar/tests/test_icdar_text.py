"""ICDAR: regions with texts, texts of cut-out words, characters by colour."""

from pathlib import Path

import labelglot as lg
import numpy as np
import pytest
from labelglot.detection import detect
from labelglot.engine.convert import read, write
from labelglot.geometry import decode_string, to_bitmap
from labelglot.images import encode_rgb
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Polygon, Sample, Tag
from labelglot.storage import MemorySource, MemoryTarget, open_source
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, store, travel
from labelglot_icdar import IcdarText

DATA = Path(__file__).parent / "data" / "icdar-text"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "icdar-text"
FORMAT = IcdarText()
QUAD = "1,2,3,2,3,4,1,4"
RING = (1, 2, 3, 2, 3, 4, 1, 4)


def opened(files):
    report = Report()
    content = {k: v.encode() if isinstance(v, str) else v for k, v in files.items()}
    dataset = read(MemorySource(content), format=FORMAT, report=report)
    return list(dataset.read(report)), {line.code: line.count for line in report.problems()}


def region(line):
    (sample,), problems = opened({"gt_a.txt": line})
    assert not problems
    (found,) = sample.annotations
    return found


def written(*objects):
    return store(Dataset([Sample(path="a", annotations=objects)]), FORMAT)[0]["gt_a.txt"].decode()


def test_the_example_reads_with_exact_values():
    one, two = lg.read(DATA)
    assert (one.path, one.splits) == ("img_1", ("train",))
    assert [a.text for a in one.annotations] == ["City Hall", "[06]", None, "Hello, world"]
    assert [a.attributes for a in one.annotations] == [{}, {}, {"ignore": True}, {}]
    assert one.annotations[0].shape == Polygon.of((100, 50, 180, 52, 181, 70, 101, 68))
    assert two.annotations == (Annotation(text="Slowly", box=(40, 45, 900, 210)),)


def test_the_example_is_written_as_it_was_without_loss():
    trip = travel(lg.read(DATA), FORMAT)
    assert (
        trip.files == {str(p.relative_to(DATA)): p.read_bytes() for p in DATA.rglob("*.txt")}
        and not trip.written.losses()
    )


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (f'\ufeff{QUAD},say "hi", you\r\n', 'say "hi", you'), (f'{QUAD},"quoted, \\"so\\""', 'quoted, "so"'), (f"{QUAD},", ""),
        (QUAD, None), (f"{QUAD},9", "9"), (f'{QUAD},"###"', None), ('1 2 3 4 "a b"', "a b"), ('1, 2, 3, 4, "a"', "a"),
        ("1 2 3 4 word", "word"), (f'{QUAD},"C:\\\\x"', "C:\\x"),
    ],
)  # fmt: skip
def test_texts_however_written(line, text):
    found = region(line)
    assert found.text == text and (found.box == (1, 2, 3, 4) or found.shape == Polygon.of(RING))
    assert found.attributes == ({"ignore": True} if "###" in line else {})


def test_script_and_difficulty_ride_along():
    for line, bag, text in (
        (f"{QUAD},Latin,abc, d", {"script": "Latin"}, "abc, d"),
        (f'{QUAD},1,"abc"', {"difficult": "1"}, "abc"),
    ):
        found = region(line)
        assert (found.extra, found.text) == ({"icdar-text": bag}, text) and written(found) == line + "\n"
    assert region(f"{QUAD},Latin").text == "Latin"


def test_regions_of_any_number_of_points():
    hexagon = "0,0,2,0,3,1,2,2,0,2,-1,1"
    assert region(hexagon).shape == Polygon.of((0, 0, 2, 0, 3, 1, 2, 2, 0, 2, -1, 1))
    assert region(f'{hexagon},"abc"').text == "abc"
    assert written(Annotation(text="abc", shape=Polygon.of((0, 0, 2, 0, 3, 1)))) == '0,0,2,0,3,1,"abc"\n'


def test_texts_that_would_be_misread_are_quoted():
    for text in ("9,10", '"a"', "Latin,abc", "two\nlines", " blank", "back\\slash", ""):
        (sample,) = travel(
            Dataset([Sample(path="a", annotations=(Annotation(text=text, shape=Polygon.of(RING)),))]), FORMAT
        ).dataset
        assert sample.annotations[0].text == text
    assert written(Annotation(text="9", shape=Polygon.of(RING))) == f"{QUAD},9\n"


def test_the_text_of_ignored_regions_is_reported_as_lost():
    objects = (
        Annotation(text="abc", box=(1, 2, 3, 4), attributes={"ignore": True}),
        Annotation(text="###", box=(1, 2, 3, 4)),
    )
    files, report = store(Dataset([Sample(path="a", annotations=objects)]), FORMAT)
    assert files["gt_a.txt"] == b'1,2,3,4,"###"\n' * 2
    assert [x.code for x in report.losses()] == ["text"] and [x.code for x in report.problems()] == [
        "icdar-text.careless"
    ]


def test_bad_lines_among_good_ones():
    (sample,), problems = opened({"gt_a.txt": f"{QUAD},a\n1,2,x\n\n1,2,3\n{QUAD},b\n"})
    assert [a.text for a in sample.annotations] == ["a", "b"] and problems == {"icdar-text.line": 2}


def test_trees():
    for image, label, path in (
        ("images/s/a.png", "s/gt_a.txt", "s/a.png"), ("ch4_images/a.png", "ch4_gt/gt_a.txt", "ch4_images/a.png"), ("a.png", "gt_a.txt", "a.png"),
    ):  # fmt: skip
        (sample,), _ = opened({image: png(8, 6), label: QUAD})
        assert (sample.path, sample.size) == (path, (8, 6))


def test_words_are_captions():
    text = 'word_1.png, "PROPER"\nword_2.png, "say \\"hi\\""\nword_3.png\n'
    (one, two), problems = opened({"train/gt.txt": text, "train/images/word_1.png": png(8, 6)})
    assert (one.path, one.tags, one.size, one.splits) == ("word_1.png", (Tag(text="PROPER"),), (8, 6), ("train",))
    assert two.tags == (Tag(text='say "hi"'),) and problems == {"icdar-text.word": 1}
    target = MemoryTarget()
    done = write(Dataset([one, two, Sample(path="c.png")]), target, format=FORMAT, options={"task": "recognition"})
    assert b'word_2.png, "say \\"hi\\""\n' in target.content["gt.txt" if "gt.txt" in target.content else "train/gt.txt"]
    assert "sample.empty" in {line.code for line in done.report.losses()}
    again, _ = load({"gt.txt": b'word_2.png, "say \\"hi\\""\n'}, FORMAT)
    assert [s.tags for s in again] == [two.tags]


def test_characters_are_masks_in_groups():
    picture = encode_rgb(np.array([[[9, 8, 7], [9, 8, 7], [1, 2, 3], [255, 255, 255]]], dtype=np.uint8))
    text = '9 8 7 0 1 0 0 1 0 "F"\n\n\n#1 2 3 - - 2 0 2 0 "x"\nbad\n5 5 5 0 0 0 0 0 0 "y"\n'
    (sample,), problems = opened({"1_GT.txt": text, "1_GT.png": picture, "images/1.png": png(4, 1)})
    f, x, y = sample.annotations
    assert (sample.path, sample.size) == ("1.png", (4, 1)) and (f.text, f.group, f.box) == ("F", 1, (0, 0, 1, 0))
    assert to_bitmap(decode_string(f.shape.rle), 1, 4).tolist() == [[1, 1, 0, 0]]
    assert (x.group, x.attributes, y.shape, y.group) == (2, {"ignore": True}, None, 2) and problems == {
        "icdar-text.character": 1
    }


def test_detection():
    assert detect(open_source(DATA), lg.registry).id == "icdar-text"
    assert FORMAT.detect(MemorySource({"gt.txt": b'a.png, "x"\n'})).confidence == 0.85
    for name, data in (
        ("gt/gt.txt", b"1,1,2,3,4,5,1,1,1\n"),
        ("labels/a.txt", b"1,2,3,4,5,6,7,8,x\n"),
        ("gt_a.txt", b"hello\n"),
    ):
        assert FORMAT.detect(MemorySource({name: data})) is None


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
def test_the_shared_samples():
    one, two = lg.read(SAMPLES / "text_localization", format="icdar-text")
    assert (one.size, one.splits) == ((15, 10), ("train",))
    assert one.annotations == (Annotation(text="FOOD", shape=Polygon.of((0, 0, 3, 1, 4, 6, 1, 7))),)
    assert two.annotations == (Annotation(text="RED", box=(0, 0, 2, 3)), Annotation(text="LION", box=(3, 3, 5, 6)))
    words = list(lg.read(SAMPLES / "word_recognition", format="icdar-text"))
    assert [(s.path, s.tags[0].text, s.image is not None) for s in words] == [
        ("word_1.png", "PROPER", True),
        ("word_2.png", "Canon", True),
    ]
    (page,) = lg.read(SAMPLES / "text_segmentation", format="icdar-text")
    assert [(a.text, a.group, a.box) for a in page.annotations] == [
        ("F", 1, (0, 0, 1, 3)),
        ("T", 2, (0, 2, 1, 4)),
        ("h", 2, (0, 3, 1, 4)),
    ]
    assert page.size == (5, 2) and any(a.shape is not None for a in page.annotations)
    five, seven = lg.read(SAMPLES / "mmocr", format="icdar-text")
    assert [len(five.annotations), len(seven.annotations)] == [2, 15]
    assert sorted(a.text for a in seven.annotations if a.text) == ["citi", "smrt"]
    assert sum(a.attributes.get("ignore", False) for a in (*five.annotations, *seven.annotations)) == 15
