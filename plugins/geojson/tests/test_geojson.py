"""GeoJSON over images, as QuPath writes it."""

import json
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.detection import detect
from labelglot.engine.convert import read
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Ellipse, Points, Polygon, Polyline, Sample
from labelglot.storage import MemorySource, open_source
from labelglot.testing.strategies import png
from labelglot.testing.travel import store, travel
from labelglot_geojson import GeoJson

DATA = Path(__file__).parent / "data" / "geojson"
FORMAT = GeoJson()
SQUARE = [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]
RING = (0, 0, 4, 0, 4, 4, 0, 4)


def opened(value, more=(), name="a.geojson", **options):
    report = Report()
    text = value if isinstance(value, str) else json.dumps(value)
    dataset = read(MemorySource({name: text.encode(), **dict(more)}), format=FORMAT, options=options, report=report)
    return list(dataset.read(report)), {line.code: line.count for line in report.problems()}


def feature(kind="Polygon", coordinates=(SQUARE,), properties=None, **more):
    geometry = {"type": kind, "coordinates": coordinates, **more.pop("geometry", {})}
    return {"type": "Feature", "geometry": geometry, "properties": properties or {}, **more}


def one(value, **options):
    (sample,), problems = opened(value, **options)
    (found,) = sample.annotations
    return found, problems


def test_the_example_reads_with_exact_values():
    (sample,) = lg.read(DATA)
    tumor, cell, line = sample.annotations
    assert sample.path == "slide" and tumor == Annotation(
        label="Tumor", id="0b5e8f6a-1d2c-4c55-9a51-6a3a3a1b0001",
        shape=Polygon(parts=(((10, 10, 60, 10, 60, 50, 10, 50), (20, 20, 30, 20, 30, 30)),)),
        attributes={"Area px^2": 1950.0, "locked": True}, extra={"geojson": {"classification": {"color": [200, 0, 0]}}},
    )  # fmt: skip
    assert (cell.shape, cell.attributes) == (Points(points=(5.5, 7.25)), {"by": "anna", "name": "first"})
    assert cell.extra["geojson"]["geometry"] == {"plane": {"c": -1, "z": 0, "t": 1}}
    assert cell.extra["geojson"]["properties"] == {"objectType": "detection"}
    assert (line.label, line.shape, line.id) == (None, Polyline(points=(1, 2, 3, 4)), None)


def test_the_example_is_written_without_loss():
    trip = travel(lg.read(DATA), FORMAT)
    assert json.loads(trip.files["slide.geojson"]) == json.loads((DATA / "slide.geojson").read_bytes())
    assert not trip.written.losses()


def test_documents_of_every_form():
    for value in ({"type": "FeatureCollection", "features": [feature()]}, [feature()], feature()):
        assert one(value)[0].shape == Polygon.of(RING)
    (sample,), problems = opened({"type": "FeatureCollection", "features": [], "crs": {}, "name": "x"})
    assert (
        sample.annotations == ()
        and problems == {"geojson.map": 1}
        and sample.extra == {"geojson": {"crs": {}, "name": "x"}}
    )


def test_every_geometry():
    two = [[SQUARE], [[[9, 9], [10, 9], [10, 10]]]]
    assert one(feature("MultiPolygon", two))[0].shape == Polygon(parts=((RING,), ((9, 9, 10, 9, 10, 10),)))
    assert one(feature("MultiPoint", [[1, 2], [3, 4, 5]]))[0].shape == Points(points=(1, 2, 3, 4))
    assert one(feature(geometry={"isEllipse": True}))[0].shape == Ellipse(cx=2, cy=2, rx=2, ry=2)
    (sample,), problems = opened(feature("MultiLineString", [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]))
    assert [a.shape.points for a in sample.annotations] == [(1, 2, 3, 4), (5, 6, 7, 8)] and problems == {
        "geojson.parts": 1
    }
    inner = {
        "type": "GeometryCollection",
        "geometries": [{"type": "Point", "coordinates": [1, 2]}, {"type": "Polygon", "coordinates": [SQUARE]}],
    }
    assert len(opened({"type": "Feature", "geometry": inner, "properties": None})[0][0].annotations) == 2


def test_ellipses_are_upright_and_their_outline_is_exact():
    shape = Ellipse(cx=10.5, cy=20.25, rx=3, ry=7)
    (sample,) = travel(Dataset([Sample(path="a", annotations=(Annotation(shape=shape),))]), FORMAT).dataset
    back = sample.annotations[0].shape
    assert (back.cx, back.cy, back.rx, back.ry) == pytest.approx((10.5, 20.25, 3, 7))
    _, report = store(Dataset([Sample(path="a", annotations=(Annotation(shape=shape.replace(angle=0.5)),))]), FORMAT)
    assert "shape.ellipse" in {line.code for line in report.losses()}


def test_boxes_become_polygons():
    files, report = store(
        Dataset([Sample(path="a", annotations=(Annotation(label="c", box=(1, 2, 3, 4)),))], ["c"]), FORMAT
    )
    (made,) = json.loads(files["a.geojson"])["features"]
    assert made["geometry"]["coordinates"] == [[[1, 2], [3, 2], [3, 4], [1, 4], [1, 2]]]
    assert "shape.lifted" in {line.code for line in report.losses()}


def test_classes_wherever_they_are():
    for about, label in (
        ({"classification": {"names": ["A", "B"]}}, "A: B"), ({"classification": "C"}, "C"), ({"label": "D"}, "D"),
        ({"class": 3}, "3"), ({"classification": {}}, None), ({}, None),
    ):  # fmt: skip
        assert one(feature(properties=about))[0].label == label
    assert one(feature(properties={"kind": "E", "label": "x"}), label="kind")[0].label == "E"


def test_old_files_of_qupath():
    about = {
        "measurements": [{"name": "Area", "value": 3}, {"name": "x", "value": None}],
        "isLocked": "false",
        "object_type": "tile",
    }
    found, _ = one(feature(properties=about, id="PathCellObject", nucleusGeometry={"type": "Point"}))
    assert (found.id, found.attributes) == (None, {"Area": 3})
    assert found.extra["geojson"]["feature"] == {"id": "PathCellObject", "nucleusGeometry": {"type": "Point"}}
    found, problems = one(
        '{"type":"Feature","geometry":{"type":"Point","coordinates":[1,2]},"properties":{"measurements":{"a":NaN,"b":1.5}}}'
    )
    assert found.attributes == {"b": 1.5} and problems == {"geojson.number": 1}


def test_children_know_their_parent():
    root = {"type": "Feature", "id": "r", "geometry": None, "properties": {"childObjects": [feature(id="c")]}}
    found, _ = one(root)
    assert (found.id, found.parent) == ("c", "r")
    _, report = store(Dataset([Sample(path="a", annotations=(found,))]), FORMAT)
    assert "parent" in {line.code for line in report.losses()}


def test_bad_features_among_good_ones():
    bad = [
        5,
        feature("Circle"),
        feature("Point", ["x", 1]),
        feature("Polygon", []),
        feature("LineString", [[1]]),
        feature("Point", [1e999, 2]),
    ]
    found, problems = one({"type": "FeatureCollection", "features": [*bad, feature()]})
    assert found.shape == Polygon.of(RING) and problems == {"geojson.feature": 1, "geojson.geometry": 5}
    assert opened({"type": "Topology"}) == ([], {"geojson.record": 1})


def test_trees():
    (sample,), _ = opened(feature(), {"x/a.png": png(8, 6)}, "x/a.geojson")
    assert (sample.path, sample.size) == ("x/a.png", (8, 6))
    (sample,), _ = opened(feature(), {"images/a.png": png(8, 6)}, "labels/a.json")
    assert (sample.path, sample.size) == ("images/a.png", (8, 6))


def test_detection():
    assert detect(open_source(DATA), lg.registry).id == "geojson"
    plain = json.dumps({"type": "FeatureCollection", "features": [feature()]}).encode()
    assert FORMAT.detect(MemorySource({"a.json": plain})).confidence == 0.75
    assert (
        FORMAT.detect(MemorySource({"a.geojson": plain.replace(b'"features"', b'"crs": {}, "features"')})).confidence
        == 0.3
    )
    assert FORMAT.detect(MemorySource({"a.json": b'{"images": [], "annotations": []}'})) is None
