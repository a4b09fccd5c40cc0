"""Spellings of coordinates: exact numbers of each convention, and every spelling read back."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelglot.plugin import Convention, Rotation

SIZE = (200, 100)
BOX = (20.0, 10.0, 60.0, 40.0)

value = st.floats(-500, 500)
convention = st.builds(
    Convention,
    form=st.sampled_from(["corners", "xywh", "center"]), unit=st.sampled_from(["pixels", "relative", "percent"]),
    first=st.sampled_from([0, 1]), inclusive=st.booleans(), y_first=st.booleans(),
)  # fmt: skip
rotation = st.builds(
    Rotation,
    form=st.sampled_from(["center", "xywh", "corners"]), pivot=st.sampled_from(["center", "top_left"]),
    degrees=st.booleans(), clockwise=st.booleans(), lowest=st.sampled_from([0.0, -90.0, -math.pi]),
)  # fmt: skip


@pytest.mark.parametrize(
    ("spelling", "numbers"),
    [
        ({}, (20, 10, 60, 40)),
        ({"form": "xywh"}, (20, 10, 40, 30)),
        ({"form": "center"}, (40, 25, 40, 30)),
        ({"first": 1}, (21, 11, 61, 41)),
        ({"inclusive": True}, (20, 10, 59, 39)),
        ({"first": 1, "inclusive": True}, (21, 11, 60, 40)),
        ({"form": "xywh", "first": 1, "inclusive": True}, (21, 11, 40, 30)),
        ({"unit": "relative"}, (0.1, 0.1, 0.3, 0.4)),
        ({"unit": "percent", "form": "xywh"}, (10, 10, 20, 30)),
        ({"y_first": True}, (10, 20, 40, 60)),
    ],
)
def test_a_box_in_each_spelling(spelling, numbers):
    assert Convention(**spelling).write_box(BOX, SIZE) == pytest.approx(numbers)
    assert Convention(**spelling).read_box(numbers, SIZE) == pytest.approx(BOX)


def test_a_copy_forgets_what_followed_from_the_old_fields():
    exact = Convention()
    assert exact.write_box((0.4, 1.6, 2.25, 3.5), None) == (0.4, 1.6, 2.25, 3.5)
    assert exact.replace(integer=True).write_box((0.4, 1.6, 2.25, 3.5), None) == (0, 2, 2, 4)


@given(convention, st.tuples(value, value, value, value))
def test_every_box_reads_back(spelling, box):
    assert spelling.read_box(spelling.write_box(box, SIZE), SIZE) == pytest.approx(box, abs=1e-9)


@given(convention, st.lists(value, max_size=8).filter(lambda ring: len(ring) % 2 == 0))
def test_every_ring_reads_back(spelling, ring):
    assert spelling.read_points(spelling.write_points(tuple(ring), SIZE), SIZE) == pytest.approx(ring, abs=1e-9)


@pytest.mark.parametrize(
    ("spelling", "numbers"),
    [
        ({}, (40, 25, 40, 20, 90)),
        ({"clockwise": False}, (40, 25, 40, 20, 270)),
        ({"clockwise": False, "lowest": -180.0}, (40, 25, 40, 20, -90)),
        ({"degrees": False}, (40, 25, 40, 20, math.pi / 2)),
        ({"form": "corners"}, (20, 15, 60, 35, 90)),
        ({"form": "xywh"}, (20, 15, 40, 20, 90)),
        ({"form": "xywh", "pivot": "top_left"}, (50, 5, 40, 20, 90)),
    ],
)
def test_a_box_turned_by_a_quarter(spelling, numbers):
    corners = (50.0, 5.0, 50.0, 45.0, 30.0, 45.0, 30.0, 5.0)
    assert Rotation(**spelling).write(corners) == pytest.approx(numbers)
    assert Rotation(**spelling).read(numbers[:4], numbers[4]) == pytest.approx(corners)


@given(rotation, value, value, st.floats(0.1, 300), st.one_of(st.floats(0.1, 300), st.floats(-300, -0.1)), st.floats(-10, 10))
def test_every_turned_box_reads_back(spelling, x, y, w, h, angle):
    corners = Rotation(degrees=False).read((x, y, w, h), angle)
    *numbers, turn = spelling.write(corners)
    whole = 360.0 if spelling.degrees else math.tau
    assert spelling.lowest <= turn <= spelling.lowest + whole
    assert spelling.read(numbers, turn) == pytest.approx(corners, abs=1e-6)
