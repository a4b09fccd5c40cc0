"""Masks and colours as JSON formats write them."""

import pytest
from labelglot.errors import LabelglotError
from labelglot.geometry import encode_string
from labelglot.schema import Mask
from labelglot.wire.rle import read_color, read_mask, write_color, write_mask

MASK = Mask(width=3, height=2, rle=encode_string((1, 2, 3)))


def test_a_mask_of_text_or_of_runs():
    assert read_mask(write_mask(MASK)) == read_mask({"size": [2, 3], "counts": [1, 2, 3]}) == MASK


@pytest.mark.parametrize(
    "value",
    [
        None, [], {}, {"size": [2], "counts": []}, {"size": [2, -3], "counts": []}, {"size": [2, True], "counts": []},
        {"size": [2, 3]}, {"size": [2, 3], "counts": [1, 2]}, {"size": [2, 3], "counts": [7, -1]}, {"size": [2, 4], "counts": MASK.rle},
    ],
)  # fmt: skip
def test_what_is_no_mask(value):
    with pytest.raises(LabelglotError):
        read_mask(value)


@pytest.mark.parametrize(("color", "written"), [("#12ab34", [18, 171, 52]), ("#12AB34", "#12AB34"), ("red", "red"), ("#12345g", "#12345g")])
def test_colours_come_back(color, written):
    assert write_color(color) == written and read_color(written) == color


@pytest.mark.parametrize("value", [None, "", [1, 2], [1, 2, 256], [1, 2, 3.0], 5])
def test_what_is_no_colour(value):
    assert read_color(value) is None
