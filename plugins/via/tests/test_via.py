"""VIA 1 and 2 JSON: projects and exported maps."""

import base64
import json
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.engine.convert import read, write
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Ellipse, Points, Polygon, Polyline, Sample, Tag
from labelglot.storage import MemorySource, MemoryTarget
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, store, travel
from labelglot_via import Via

DATA = Path(__file__).parent / "data" / "via"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "via"
FORMAT = Via()
RECT = {"name": "rect", "x": 1, "y": 2, "width": 3, "height": 4}


def region(shape=None, **attributes):
    return {"shape_attributes": shape or RECT, "region_attributes": attributes}


def record(*regions, filename="a.jpg", size=-1, **more):
    return {"filename": filename, "size": size, "regions": list(regions), "file_attributes": {}, **more}


def opened(value, files=(), **options):
    report = Report()
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    dataset = read(MemorySource({"v.json": data, **dict(files)}), format=FORMAT, options=options, report=report)
    return list(dataset.read(report)), report


def one(*regions, **options):
    (sample,), report = opened({"k": record(*regions)}, **options)
    return sample, report


def codes(report):
    return {line.code: line.count for line in report.problems()}


def test_the_example_reads_with_exact_values():
    report = Report()
    dataset = lg.read(DATA, report=report)
    a, b = dataset.read(report)
    assert not report.problems()
    assert [label.name for label in dataset.labels] == ["cat", "dog", "never used"] and dataset.info.name == "demo"
    assert a.path == "a.jpg" and a.tags == (Tag(label="cat"), Tag(text="two pets")) and a.attributes == {"shot": 123}
    rect, polygon, circle, ellipse, line, point = a.annotations
    assert rect == Annotation(label="cat", box=(10, 20, 40, 60), attributes={"seen": ("head",)})
    assert polygon == Annotation(label="dog", shape=Polygon.of((1, 1, 9, 1, 5, 8)), attributes={"age": 3})
    assert circle == Annotation(shape=Ellipse(cx=5, cy=6, rx=2.5, ry=2.5))
    assert ellipse == Annotation(shape=Ellipse(cx=5, cy=6, rx=3, ry=2, angle=0.5))
    assert line == Annotation(shape=Polyline(points=(1, 1, 9, 1.5)))
    assert (point.label, point.shape) == ("cat", Points(points=(-1, 2.5)))
    assert b.annotations == ()


def test_the_example_is_written_as_it_was():
    data = (DATA / "via_project_demo.json").read_bytes()
    before, after = json.loads(data), json.loads(travel(load({"p.json": data}, FORMAT)[0], FORMAT).files["via_project.json"])
    images = before["_via_img_metadata"]
    assert list(after["_via_img_metadata"]) == ["a.jpg1234", "b.jpg99"] == after["_via_image_id_list"]
    images["a.jpg1234"]["regions"][5]["shape_attributes"]["cy"] = 2.5
    for r in images["a.jpg1234"]["regions"]:
        r["region_attributes"].setdefault("kind", "")
    assert list(after["_via_img_metadata"].values()) == list(images.values())
    region_attributes = after["_via_attributes"]["region"]
    assert region_attributes["kind"] == before["_via_attributes"]["region"]["kind"]
    assert region_attributes["seen"] == before["_via_attributes"]["region"]["seen"]
    assert after["_via_settings"] == {"ui": {"annotation_editor_height": 25}, "core": {"buffer_size": 18}, "project": {"name": "demo"}}


def test_images_lie_where_the_project_says():
    data = (DATA / "via_project_demo.json").read_bytes()
    samples, _ = opened(data, {"pics/a.jpg": png(64, 48)})
    assert samples[0].path == "a.jpg" and samples[0].size == (64, 48) and samples[1].image is None


@pytest.mark.parametrize(
    ("attributes", "label"),
    [
        ([{"what": "x"}, {}], "x"),
        ([{"age": "9", "name": "x", "type": "t"}], "x"),
        ([{"object": "x", "age": "1"}], "x"),
        ([{"age": "9", "mood": "x"}], None),
        ([{"track": 320}], None),
        ([{"label": {"x": True, "y": False}}], "x"),
        ([{"label": ""}], None),
        ([{"label": 5, "b": ""}], "5"),
    ],
)
def test_which_attribute_is_the_class(attributes, label):
    sample, _ = one(*(region(**a) for a in attributes))
    assert sample.annotations[0].label == label


def test_the_class_can_be_named():
    sample, _ = one(region(label="x", kind="y"), label_key="kind")
    assert sample.annotations[0].label == "y" and sample.annotations[0].attributes == {"label": "x"}
    assert one(region(track=320), label_key="track")[0].annotations[0].label == "320"


def test_a_dropdown_is_the_class_if_nothing_else_is():
    data = json.loads((DATA / "via_project_demo.json").read_bytes())
    assert [a.label for a in opened(data)[0][0].annotations[:2]] == ["cat", "dog"]


def test_several_ticked_classes_become_several_objects():
    sample, report = one(region(label={"x": True, "y": True}))
    assert [a.label for a in sample.annotations] == ["x", "y"] and codes(report) == {"via.classes": 1}


def test_version_1_lists_regions_in_an_object_and_closes_polygons():
    polygon = {"name": "polygon", "all_points_x": [1, 9, 5, 1], "all_points_y": [1, 1, 8, 1]}
    old = {"k": {**record(), "regions": {"0": region(polygon), "7": region()}, "fileref": "", "base64_img_data": ""}}
    (sample,), _ = opened(old)
    assert sample.annotations[0].shape == Polygon.of((1, 1, 9, 1, 5, 8)) and sample.annotations[1].box == (1, 2, 4, 6)
    assert one(region(polygon))[0].annotations[0].shape == Polygon.of((1, 1, 9, 1, 5, 8, 1, 1))


def test_images_inside_the_file():
    data = "data:image/png;base64," + base64.b64encode(png(7, 5)).decode()
    (sample,), _ = opened({"k": record(base64_img_data=data, fileref="")})
    assert sample.image.read() == png(7, 5) and sample.size == (7, 5)


def test_sizes_are_those_of_the_files():
    image = png(64, 48)
    for size in (len(image), str(len(image)), -1):
        (sample,), _ = opened({"k": record(size=size)}, {"a.jpg": image})
        assert not sample.extra
    target = MemoryTarget()
    write(Dataset([sample]), target, format=FORMAT)
    (name,) = json.loads(target.content["via_project.json"])["_via_img_metadata"]
    assert name == f"a.jpg{len(image)}"


def test_addresses_return_to_the_file():
    url = "https://x.org/q/a.jpg"
    (sample,), _ = opened({url + "-1": record(filename=url)})
    assert sample.path == "q/a.jpg" and sample.uri == url
    files, _ = store(Dataset([sample]), FORMAT)
    assert list(json.loads(files["via_project.json"])["_via_img_metadata"]) == [url + "-1"]


def test_the_map_alone():
    dataset = Dataset([Sample(path="a.jpg", annotations=(Annotation(label="c", box=(1, 2, 4, 6)),))], ["unused", "c"])
    target = MemoryTarget()
    made = write(dataset, target, format=FORMAT, options={"layout": "annotations", "label_key": "class"})
    assert json.loads(target.content["via_region_data.json"]) == {"a.jpg-1": record(region(**{"class": "c"}))}
    assert "labels.unused" in {line.code for line in made.report.losses()}


def test_the_same_name_twice_is_reported():
    samples, report = opened({"a.jpg1": record(), "a.jpg2": record()})
    assert len(samples) == 2 and codes(report) == {"via.duplicate": 1}


def test_bad_records_among_good_ones():
    shapes = [
        {"name": "star"}, {"name": "rect", "x": None}, {"name": "rect", **dict.fromkeys(("x", "y", "width", "height"), "1e999")},
        {"name": "polygon", "all_points_x": [1], "all_points_y": []}, {"name": "circle", "cx": 1, "cy": True}, {},
    ]  # fmt: skip
    bad = [{"shape_attributes": s, "region_attributes": {}} for s in shapes] + [5, {"region_attributes": {}}]
    value = {"k": record(*bad, region(label="x")), "l": 7, "m": {"regions": []}, "n": record(filename="n.jpg", regions=3)}
    (one, two), report = opened(value)
    assert [a.label for a in one.annotations] == ["x"] and two.annotations == ()
    assert codes(report) == {"via.region": 6, "via.number": 2, "via.image": 2, "via.regions": 1} and report.skipped == 11
    places = {e["place"] for line in report.problems() for e in line.examples}
    assert "v.json#.k.regions[0]" in places


def test_detection():
    def confidence(value):
        match = FORMAT.detect(MemorySource({"a.json": json.dumps(value).encode()}))
        return match and match.confidence

    assert confidence({"_via_settings": {}, "_via_img_metadata": {}}) == 0.95
    assert confidence({"k": record(region())}) == confidence({"k": {**record(), "regions": {"0": region()}}}) == 0.95
    assert confidence({"k": record()}) == 0.6
    assert confidence({"project": {}, "config": {}, "attribute": {}}) is None
    assert confidence({"images": [], "annotations": []}) is None


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
def test_the_shared_export():
    files = {p: (SAMPLES / p).read_bytes() for p in ("vgg_test.json", "images/dog2.jpg")}
    report = Report()
    samples = {s.path: s for s in read(MemorySource(files), format=FORMAT, report=report).read(report)}
    assert list(samples) == ["cat1.jpg", "cat2.jpg", "cat3.jpg", "dog1.jpg", "dog2.jpg", "dog3.jpg"] and not report.problems()
    assert sorted(a.label for s in samples.values() for a in s.annotations) == ["cat"] * 3 + ["dog"] * 3
    assert all(isinstance(s.annotations[0].shape, Polygon) for s in samples.values())
    assert samples["dog2.jpg"].size == (640, 480) and not samples["dog2.jpg"].extra
    assert samples["cat1.jpg"].annotations[0].attributes["dropdown_example"] == ("drop1", "drop2")
    assert samples["cat2.jpg"].annotations[0].attributes["dropdown_example"] == ()


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
def test_the_shared_version_1_file():
    samples = list(lg.read(SAMPLES / "via1_regions_as_object.json", format="via"))
    shapes = [a for s in samples for a in s.annotations]
    assert [len(s.annotations) for s in samples] == [8, 1, 3]
    kinds = [type(a.shape).__name__ for a in shapes]
    assert {k: kinds.count(k) for k in set(kinds)} == {"Points": 5, "Ellipse": 4, "NoneType": 2, "Polygon": 1}
    assert len(samples[1].annotations[0].shape.parts[0][0]) == 2 * 11
    assert 'ellipse "red"' in {a.label for a in shapes}


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
def test_the_shared_tracks():
    samples = list(lg.read(SAMPLES / "tracks", format="via"))
    found = [a for s in samples for a in s.annotations]
    assert len(samples) == 40 and len(found) == 64 and all(a.box for a in found)
    assert len({a.attributes["track"] for a in found}) == 2 and {a.label for a in found} == {None}
    assert samples[0].attributes == {"shot": 123} and samples[0].path == "images/00011384.jpg"
