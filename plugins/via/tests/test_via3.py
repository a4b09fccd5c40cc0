"""VIA 3: projects, and its CSV for reading."""

import base64
import json
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.engine.convert import read
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Ellipse, Points, Polygon, Polyline, Sample, Tag
from labelglot.storage import MemorySource
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, store, travel
from labelglot_via import Via3

DATA = Path(__file__).parent / "data" / "via3"
FORMAT = Via3()


def project(*metadata, files=None, **more):
    files = files or {"1": {"fname": "a.jpg", "type": 2, "loc": 1, "src": "a.jpg"}}
    attribute = {"1": {"aname": "class", "anchor_id": "FILE1_Z0_XY1", "type": 4, "options": {"1": "cat"}}}
    value = {
        "project": {"pid": "x", "vid_list": ["1"]}, "config": {}, "attribute": attribute, "file": files,
        "view": {"1": {"fid_list": list(files)}}, "metadata": {str(i): m for i, m in enumerate(metadata)}, **more,
    }  # fmt: skip
    return json.dumps(value).encode()


def entry(*xy, **more):
    return {"vid": "1", "flg": 0, "z": [], "xy": list(xy), "av": {}, **more}


def opened(data, name="p.json", files=(), **options):
    report = Report()
    dataset = read(MemorySource({name: data, **dict(files)}), format=FORMAT, options=options, report=report)
    return list(dataset.read(report)), report


def codes(report):
    return {line.code: line.count for line in report.problems()}


def test_the_example_reads_with_exact_values():
    report = Report()
    dataset = lg.read(DATA, report=report)
    a, b, never, clip = dataset.read(report)
    assert [label.name for label in dataset.labels] == ["cat", "dog", "never used"] and dataset.info.name == "demo"
    assert a.path == "pics/a.jpg" and a.tags == (Tag(label="cat"), Tag(label="dog"), Tag(text="two pets"))
    first, second, *rest = a.annotations
    assert first == Annotation(
        label="cat", box=(10, 20, 40, 60), attributes={"note": "a note", "colour": "blue", "seen": ("head", "tail")}
    )
    assert second == Annotation(label="dog", shape=Polygon.of((1, 2, 3, 4, 5, 7)), extra={"via3": {"flg": 4}})
    assert rest[0].box == (2, 1, 9, 8)
    assert [r.shape for r in rest[1:]] == [
        Ellipse(cx=5, cy=5, rx=5, ry=5), Points(points=(3.5, 4)), Ellipse(cx=3, cy=4, rx=2, ry=2),
        Ellipse(cx=3, cy=4, rx=2, ry=1), Polyline(points=(0, 0, 1, 1)), Polyline(points=(0, 0, 1, 1, 2, 0)),
    ]  # fmt: skip
    assert (b.path, b.uri, b.annotations) == ("b.jpg", "https://x.org/q/b.jpg", ())
    assert never.path == "pics/never shown.jpg" and never.annotations == ()  # pain 33
    assert (clip.path, clip.sequence, clip.timestamp) == ("clip.mp4#t=1.25", "clip.mp4", 1.25)
    assert clip.annotations == (Annotation(label="dog", box=(1, 2, 4, 6)),)
    assert codes(report) == {"via3.segment": 1, "via3.view": 1}


def test_what_only_via_knows_returns_to_the_file():
    before = json.loads((DATA / "project.json").read_bytes())
    dataset = load({"p.json": json.dumps(before).encode()}, FORMAT)[0]
    after = json.loads(travel(dataset, FORMAT).files["via3_project.json"])
    del before["project"]["vid_list"], after["project"]["vid_list"]
    assert after["project"] == before["project"] and after["config"]["ui"] == before["config"]["ui"]
    declared = {a["aname"]: a for a in after["attribute"].values() if a["anchor_id"] == "FILE1_Z0_XY1"}
    assert declared["class"] == before["attribute"]["2"] and declared["colour"] == before["attribute"]["3"]
    ids = {a["aname"]: aid for aid, a in after["attribute"].items() if a["anchor_id"] == "FILE1_Z0_XY1"}
    made = [m for m in after["metadata"].values() if m["vid"] == "1" and m["xy"]]
    assert [m["xy"] for m in made] == [m["xy"] for m in before["metadata"].values() if m["vid"] == "1" and m["xy"]]
    assert made[0]["av"] == {ids["class"]: "c", ids["note"]: "a note", ids["colour"]: "1", ids["seen"]: "head,tail"}
    assert made[1]["flg"] == 4
    assert next(iter(load({"p.json": json.dumps(after).encode()}, FORMAT)[0])).annotations[2].box == (2, 1, 9, 8)


def test_options_are_numbered_and_free_of_clashes():
    labels = [lg.Label(key="a", name="a", extra={"via3": {"option": "2"}}), "b", "c"]
    objects = tuple(Annotation(label=x, box=(0, 0, 1, 1)) for x in "abc")
    files, _ = store(Dataset([Sample(path="a.jpg", annotations=objects)], labels), FORMAT)
    options = json.loads(files["via3_project.json"])["attribute"]["1"]["options"]
    assert sorted(options.values()) == ["a", "b", "c"] and options["2"] == "a"
    assert [a.label for s in load(files, FORMAT)[0] for a in s.annotations] == ["a", "b", "c"]


def test_the_class_can_be_named():
    attribute = {str(i): {"aname": n, "anchor_id": "FILE1_Z0_XY1", "type": 4, "options": {"1": n}} for i, n in enumerate(("x", "y"))}
    data = project(entry(2, 1, 2, 3, 4, av={"0": "1", "1": "1"}), attribute=attribute)
    assert opened(data)[0][0].annotations[0].label == "x"
    found = opened(data, label_key="y")[0][0].annotations[0]
    assert found.label == "y" and found.attributes == {"x": "x"}


def test_views_of_several_files_are_about_the_first():
    files = {str(i): {"fname": f"{i}.jpg", "type": 2, "loc": 1, "src": f"{i}.jpg"} for i in (1, 2)}
    samples, _ = opened(project(entry(1, 2, 3), files=files))
    assert [len(s.annotations) for s in samples] == [1, 0]


def test_files_that_lie_elsewhere():
    data = "data:image/png;base64," + base64.b64encode(png(7, 5)).decode()
    files = {"1": {"fname": "in.png", "type": 2, "loc": 4, "src": data}, "2": {"fname": "f.jpg", "type": 2, "loc": 3, "src": "file:///x/f.jpg"}}
    (inside, there), _ = opened(project(files=files))
    assert inside.image.read() == png(7, 5) and inside.size == (7, 5) and not inside.extra
    assert (there.path, there.uri) == ("f.jpg", "file:///x/f.jpg")
    made = json.loads(store(Dataset([there]), FORMAT)[0]["via3_project.json"])["file"]["1"]
    assert made == {"fid": "1", "fname": "f.jpg", "type": 2, "loc": 3, "src": "file:///x/f.jpg"}


def test_the_csv_of_a_project():
    text = (
        "# Exported using VGG Image Annotator (http://www.robots.ox.ac.uk/~vgg/software/via)\n"
        "# SHAPE_ID 0=NONE,1=POINT,2=RECTANGLE\n"
        '# ATTRIBUTE = {"1":{"aname":"class","anchor_id":"FILE1_Z0_XY1","type":4,"options":{"1":"cat"}}}\n'
        "# CSV_HEADER = metadata_id,file_list,flags,temporal_coordinates,spatial_coordinates,metadata\n"
        '"1_a","[""a.jpg""]",0,"[]","[2,1,2,3,4]","{""1"":""1""}"\n'
        '"1_b","[""v.mp4""]",0,"[1.5]","[1,1,2]","{}"\n'
        "broken,row\n"
    )
    (a, clip), report = opened(text.encode(), "x.csv")
    assert a.annotations == (Annotation(label="cat", box=(1, 2, 4, 6)),)
    assert clip.path == "v.mp4#t=1.5" and clip.annotations[0].shape == Points(points=(1, 2))
    assert codes(report) == {"via3.row": 1}
    assert FORMAT.detect(MemorySource({"x.csv": text.encode()})).confidence == 0.95


def test_bad_entries_among_good_ones():
    bad = [entry(2, 1, 2), entry(99, 1), entry(7, 1, 2, 3), entry(1, 1e999, 2), entry(9, 0, 0, 1, 1, 2, 2), entry("x"), 5]
    text = project(*bad, entry(1, 1, 2)).replace(b"Infinity", b"1e999")
    (sample,), report = opened(text)
    assert len(sample.annotations) == 1
    assert codes(report) == {"via3.region": 4, "via3.number": 1, "via3.record": 2} and report.skipped == 7
    assert "p.json#metadata.0" in {e["place"] for line in report.problems() for e in line.examples}


def test_turned_ellipses_become_polygons():
    objects = tuple(Annotation(label="c", shape=Ellipse(cx=5, cy=5, rx=2, ry=3, angle=t)) for t in (0.0, 1.0))
    files, report = store(Dataset([Sample(path="a.jpg", annotations=objects)], ["c"]), FORMAT)
    assert [m["xy"][0] for m in json.loads(files["via3_project.json"])["metadata"].values()] == [4, 7]
    assert [line.code for line in report.losses()] == ["shape.ellipse"]


@pytest.mark.parametrize("value", [{"_via_settings": {}}, {"project": {"id": 1}, "config": {}, "attribute": {}}, []])
def test_other_formats_are_not_taken(value):
    assert FORMAT.detect(MemorySource({"a.json": json.dumps(value).encode()})) is None
