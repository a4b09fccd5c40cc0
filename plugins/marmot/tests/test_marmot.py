"""Marmot: boxes of tables in points, as digits of doubles."""

import struct
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.detection import detect
from labelglot.engine.convert import read
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Sample
from labelglot.storage import MemorySource, open_source
from labelglot.testing.strategies import png
from labelglot.testing.travel import store, travel
from labelglot_marmot import Marmot

DATA = Path(__file__).parent / "data" / "marmot"
FORMAT = Marmot()


def digits(*numbers):
    return " ".join(struct.pack(">d", n).hex() for n in numbers)


def composite(*numbers, label="TableBody"):
    return f'<Composite Label="{label}" BBox="{digits(*numbers)}"/>'


def opened(text, more=(), name="Labeled/a.xml"):
    report = Report()
    content = {name: text if isinstance(text, bytes) else text.encode(), **dict(more)}
    dataset = read(MemorySource(content), format=FORMAT, report=report)
    return list(dataset.read(report)), {line.code: line.count for line in report.problems()}


def page(*composites, crop=(0.0, 72.0, 144.0, 0.0)):
    return f'<Page CropBox="{digits(*crop)}">{"".join(composites)}</Page>'


def test_the_example_reads_with_exact_values():
    (sample,) = lg.read(DATA)
    assert (sample.path, sample.size, sample.extra) == ("10.1.1", (816, 1056), {"marmot": {"page": {"PageNum": "3"}}})
    body, caption = sample.annotations
    assert (body.label, body.extra) == ("TableBody", {"marmot": {"CLIDs": "1 2 3"}})
    assert body.box == pytest.approx((96, 96, 720, 576)) and caption.box == pytest.approx(
        (96, 1056 - 736 / 72 * 96, 720, 96)
    )


def test_the_example_is_written_as_it_was_without_loss():
    trip = travel(lg.read(DATA), FORMAT)
    (path,) = DATA.rglob("*.xml")
    assert trip.files == {"Labeled/10.1.1.xml": path.read_bytes()} and not trip.written.losses()


def test_the_picture_gives_the_scale_and_the_crop_box_the_origin():
    (sample,), _ = opened(page(composite(10, 70, 20, 60), crop=(5, 72, 149, 0)), {"Raw/a.png": png(288, 144)})
    assert sample.size == (288, 144) and sample.annotations[0].box == pytest.approx((10, 4, 30, 24))


def test_corners_in_any_order():
    for numbers in ((9, 63, 18, 54), (18, 54, 9, 63), (9, 54, 18, 63)):
        (sample,), _ = opened(page(composite(*numbers)))
        assert sample.annotations[0].box == pytest.approx((12, 12, 24, 24))


def test_nested_composites_are_both_read():
    inner = composite(9, 63, 18, 54)
    text = page(f'<Composite Label="Table" BBox="{digits(0, 72, 72, 0)}"><Items>{inner}</Items></Composite>')
    assert [a.label for a in opened(text)[0][0].annotations] == ["Table", "TableBody"]


def test_files_that_are_no_xml_and_other_encodings():
    (sample,), problems = opened(page(composite(9, 63, 18, 54)).replace("</Page>", "<Char>&</Page>"))
    assert len(sample.annotations) == 1 and problems == {"marmot.xml": 1}
    text = page(composite(9, 63, 18, 54, label="表")).replace("<Page", '<?xml version="1.0" encoding="utf-16"?><Page')
    assert opened(text.encode("utf-16"))[0][0].annotations[0].label == "表"
    (sample,), problems = opened(page(composite(9, 63, 18, 54, label="表")).encode("gbk"))
    assert sample.annotations[0].label == "表" and problems == {"marmot.xml": 1}


def test_bad_composites_among_good_ones():
    bad = (
        '<Composite Label="a" BBox="12"/>',
        f'<Composite BBox="{digits(1, 2, 3, 4)}"/>',
        composite(float("nan"), 1, 2, 3),
    )
    (sample,), problems = opened(page(*bad, composite(9, 63, 18, 54)))
    assert len(sample.annotations) == 1 and problems == {"marmot.composite": 3}
    samples, problems = opened("<Page><Contents/></Page>")
    assert samples == [] and problems == {"marmot.record": 1}


def test_trees_and_images_without_size():
    files = {"data/English/Negative/Raw/b.bmp.png": png(8, 6), "data/Chinese/Positive/raw/a.png": png(8, 6)}
    samples, _ = opened(page(), files, "data/Chinese/Positive/labeled/a.xml")
    assert [(s.path, s.annotations) for s in samples] == [
        ("Chinese/Positive/a.png", ()),
        ("English/Negative/b.bmp.png", None),
    ]
    box = (Annotation(label="c", box=(1, 2, 3, 4)),)
    files, report = store(Dataset([Sample(path="a", annotations=box)], ["c"]), FORMAT)
    assert files == {} and "sample.unsized" in {line.code for line in report.losses()}


def test_detection():
    assert detect(open_source(DATA), lg.registry).id == "marmot"
    assert (
        FORMAT.detect(MemorySource({"a.xml": b"<annotation><object><bndbox></bndbox></object></annotation>"})) is None
    )
