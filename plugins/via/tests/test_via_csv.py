"""VIA CSV: JSON in the cells of a table, as VIA, spreadsheets and people write it."""

from pathlib import Path

import labelglot as lg
import pytest
from labelglot.engine.convert import read
from labelglot.report import Report
from labelglot.schema import Annotation, Polygon, Tag
from labelglot.storage import MemorySource
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, travel
from labelglot_via import ViaCsv

DATA = Path(__file__).parent / "data" / "via-csv"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "via-csv"
FORMAT = ViaCsv()
HEADER = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes\n"
RECT = '"{""name"":""rect"",""x"":1,""y"":2,""width"":3,""height"":4}"'


def opened(text, files=(), **options):
    report = Report()
    source = MemorySource({"v.csv": text.encode(), **dict(files)})
    return list(read(source, format=FORMAT, options=options, report=report).read(report)), report


def codes(report):
    return {line.code: line.count for line in report.problems()}


def test_the_example_reads_with_exact_values():
    dataset = lg.read(DATA)
    a, b = dataset
    assert a.annotations == (
        Annotation(label="cat", box=(10, 20, 40, 60), attributes={"age": 3}),
        Annotation(label='a "dog", big', shape=Polygon.of((1, 1, 9, 1, 5, 8))),
    )
    assert a.tags == (Tag(text="two pets"),) and b.annotations == () and b.path == "b.jpg"
    assert [label.name for label in dataset.complete().labels] == ["cat", 'a "dog", big']


def test_the_example_is_written_as_it_was():
    data = (DATA / "via_export_csv.csv").read_bytes()
    assert travel(load({"x.csv": data}, FORMAT)[0], FORMAT).files == {"via_region_data.csv": data}


def test_sizes_of_files_that_are_there():
    (sample,), _ = opened(HEADER + f'a.jpg,{len(png(64, 48))},"{{}}",1,0,{RECT},"{{}}"\n', {"a.jpg": png(64, 48)})
    assert not sample.extra and sample.size == (64, 48)


def test_odd_line_ends_and_blank_lines():
    row = f'a.jpg,1,"{{}}",1,0,{RECT},"{{}}"'
    for text in (f"{HEADER}\n{row}\n\n{row}", HEADER.replace("\n", "\r\n") + f"{row}\r\n{row}\n", "\ufeff" + HEADER + f"{row}\n{row}\n"):
        (sample,), report = opened(text)
        assert len(sample.annotations) == 2 and not report.problems()


def test_file_names_with_commas():
    (sample,), report = opened(HEADER + f'a, b, c.jpg,12,"{{}}",1,0,{RECT},"{{""label"":""x""}}"\n')
    assert sample.path == "a, b, c.jpg" and sample.annotations == (Annotation(label="x", box=(1, 2, 4, 6)),) and not report.problems()


def test_files_saved_by_a_spreadsheet():
    (sample,), _ = opened((HEADER + f'a.jpg,1,"{{}}",1,0,{RECT},"{{}}"\n').replace(",", ";").replace(";\"\"", ",\"\""))
    assert sample.annotations[0].box == (1, 2, 4, 6)


def test_rows_count_not_what_they_say_of_their_number():
    (sample,), _ = opened(HEADER + f'a.jpg,1,"{{}}",9,0,{RECT},"{{}}"\na.jpg,1,"{{}}",9,0,{RECT},"{{}}"\n')
    assert len(sample.annotations) == 2


def test_version_1_closes_polygons():
    polygon = '"{""name"":""polygon"",""all_points_x"":[1,9,5,1],""all_points_y"":[1,1,8,1]}"'
    text = HEADER + f'a.jpg,1,"{{}}",1,0,{polygon},"{{}}"\n'
    assert len(opened(text)[0][0].annotations[0].shape.parts[0][0]) == 8
    assert len(opened("#" + text)[0][0].annotations[0].shape.parts[0][0]) == 6


def test_bad_rows_among_good_ones():
    rows = [
        f'a.jpg,1,"{{}}",1,0,{RECT},"{{""label"":""x""}}"', "a.jpg,1", f'a.jpg,1,"{{}}",1,0,"{{""name"":",{RECT}', f',1,"{{}}",1,0,{RECT},"{{}}"',
        f'b.jpg,1,"{{",1,0,{RECT},"{{"', 'b.jpg,1,"{}",1,0,"{""name"":""rect"",""x"":""q""}","{}"',
    ]  # fmt: skip
    (one, two), report = opened(HEADER + "\n".join(rows))
    assert len(one.annotations) == len(two.annotations) == 1
    assert codes(report) == {"via-csv.row": 2, "via-csv.region": 2, "via-csv.attributes": 2} and report.skipped == 4
    assert "v.csv:3" in {e["place"] for line in report.problems() for e in line.examples}


def test_detection():
    def confidence(text):
        match = FORMAT.detect(MemorySource({"a.csv": text.encode()}))
        return match and match.confidence

    assert confidence(HEADER) == confidence("#" + HEADER) == confidence("\ufeff" + HEADER.replace(",", ";")) == 0.95
    assert confidence("filename,width,height,class\n") is None and confidence("") is None


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
def test_the_shared_version_1_file():
    report = Report()
    dataset = lg.read(SAMPLES / "unit_test_annotation1.csv", format="via-csv", report=report)
    samples = list(dataset.read(report))
    assert [len(s.annotations) for s in samples] == [8, 1, 3] and not report.problems()
    kinds = [type(a.shape).__name__ for a in samples[0].annotations]
    assert {k: kinds.count(k) for k in set(kinds)} == {"Points": 4, "Ellipse": 3, "NoneType": 1}
    assert 'red "dot"' in {a.label for a in samples[0].annotations}
    assert samples[1].tags == (Tag(text='a swan in geneve lake"'),)
    twin = SAMPLES.parent / "via" / "via1_regions_as_object.json"
    if twin.exists():
        other = list(lg.read(twin, format="via"))
        assert [s.annotations for s in samples] == [s.annotations for s in other] and [s.tags for s in samples] == [s.tags for s in other]


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
def test_the_shared_tracks():
    samples = list(lg.read(SAMPLES / "sherlock_tracks_first40rows.csv", format="via-csv"))
    assert len(samples) == 40 and all(len(s.annotations) == 1 and s.annotations[0].box for s in samples)
    assert samples[0].annotations[0].attributes == {"track": 320}
