"""Records of any JSON spelling, files inside of text, masks as PNG, runs of layers."""

import numpy as np
import pytest
from labelglot.errors import LabelglotError
from labelglot.formats.layers import layer_runs
from labelglot.images import decode_alpha, encode_alpha, encode_gray, from_data_url, is_data_url, to_data_url
from labelglot.schema import Annotation, Sample, Tag
from labelglot.wire import json


@pytest.mark.parametrize(
    ("data", "places"),
    [
        (b'[{"a": 1}, {"a": 2}]', ["x#[0]", "x#[1]"]),
        (b'{"a": 1}\n\n{"a": 2}\n', ["x:1", "x:3"]),
        (b'\xef\xbb\xbf{"a": 1}\r\n{"a": 2}', ["x:1", "x:2"]),
        (b'{\n "a": 1\n}\n{\n "a": 2\n}', ["x:1", "x:4"]),
    ],
)
def test_records(data, places):
    found = json.load_records(data, "x")
    assert [place for place, _ in found] == places
    assert [json.load(bytes(part), "x") for _, part in found] == [{"a": 1}, {"a": 2}]


def test_damaged_records_come_as_they_are_and_no_record_at_all_is_refused():
    assert [place for place, _ in json.load_records(b'{"a": 1}\n{"a"\n', "x")] == ["x:1", "x:2"]
    assert len(json.load_records(b'{\n"a": 1}\n{"a', "x")) == 2
    assert json.load_records(b"", "x") == []
    with pytest.raises(LabelglotError, match="not valid JSON"):
        json.load_records(b"{\nx", "x")


def test_points_are_numbers():
    assert json.read_points([{"x": 1, "y": 2.5}]) == (1.0, 2.5)
    assert json.write_points((1.0, 2.5), z=0) == [{"x": 1.0, "y": 2.5, "z": 0}]
    for wrong in (
        3,
        [1],
        [{"x": "1", "y": 1}],
        [{"x": True, "y": 1}],
        [{"x": float("nan"), "y": 1}],
        [{"x": 10**400, "y": 0}],
    ):
        with pytest.raises(LabelglotError):
            json.read_points(wrong)


def test_files_inside_of_text():
    assert from_data_url(to_data_url(b"abc")) == b"abc" and is_data_url("DATA:x") and not is_data_url(None)
    for wrong in ("abc", "data:image/png,abc", "data:image/png;base64,a"):
        with pytest.raises(LabelglotError):
            from_data_url(wrong)


def test_masks_as_png():
    bitmap = np.array([[True, False, True], [False, False, True]])
    assert (decode_alpha(encode_alpha(bitmap)) == bitmap).all()
    assert (decode_alpha(encode_gray(bitmap * 255)) == bitmap).all()
    assert decode_alpha(encode_alpha(np.ones((2, 3), dtype=bool))).all()


def test_runs_of_layers_keep_the_order():
    objects = tuple(Annotation(layer=layer) for layer in ("a", "a", "b", "a"))
    tags = tuple(Tag(label="x", layer=layer) for layer in ("b", "a", "c"))
    runs = layer_runs(Sample(path="x", annotations=objects, tags=tags))
    assert [(r.layer, [p for p, _ in r.objects], len(r.tags)) for r in runs] == [
        ("a", [0, 1], 0), ("b", [2], 1), ("a", [3], 1), ("c", [], 1),
    ]  # fmt: skip


def test_rings_that_are_closed_for_no_reason_and_those_that_are():
    triangle, twice = (0.0, 0.0, 5.0, 0.0, 5.0, 5.0), (0.0, 0.0, 5.0, 0.0, 5.0, 5.0, 0.0, 0.0)
    assert json.opened(twice) == triangle and json.opened(triangle) == triangle
    for ring in (triangle, twice, (1.0, 1.0) * 3):
        assert json.opened(json.closed_again(ring)) == ring


def test_sizes_and_attributes():
    assert json.size({"w": 4.0, "h": 3}, "w", "h") == (4, 3)
    for wrong in (None, {}, {"width": 0, "height": 1}, {"width": 1.5, "height": 1}, {"width": "1", "height": 1}):
        assert json.size(wrong) is None
    said = {"a": None, "b": True, "c": ["x"], "d": [1], "e": {}}
    assert json.attributes(said) == ({"a": None, "b": True, "c": ("x",)}, {"d": [1], "e": {}})
