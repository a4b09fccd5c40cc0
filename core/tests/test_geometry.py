"""Geometry: what goes in comes out, and COCO's rules hold to the pixel."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelglot import geometry as g
from labelglot.errors import LabelglotError

bitmaps = st.integers(1, 7).flatmap(
    lambda w: st.lists(st.lists(st.booleans(), min_size=w, max_size=w), min_size=1, max_size=7)
)


@given(bitmaps)
def test_masks_survive_string_rows_and_outlines(rows):
    import numpy as np

    bitmap = np.array(rows)
    height, width = bitmap.shape
    counts = g.from_bitmap(bitmap)
    assert g.decode_string(g.encode_string(counts), height * width) == counts
    assert g.from_row_major(g.to_row_major(counts, height, width), height, width) == counts
    assert g.mask_area(counts) == bitmap.sum()
    parts = g.rings_from_counts(counts, height, width)
    filled = [(height * width,)]
    for outer, holes in parts:
        pieces = [g.rasterise([ring], height, width) for ring in (outer, *holes)]
        filled.append(g.merge(pieces, "difference"))
    back = g.merge(filled)
    assert (g.to_bitmap(back, height, width) == bitmap).all()


@given(bitmaps, bitmaps)
def test_merging_runs_is_merging_bitmaps(a, b):
    import numpy as np

    x = np.array(a)
    y = np.resize(np.array(b), x.shape)
    for how, expected in (("union", x | y), ("intersection", x & y), ("difference", x & ~y)):
        merged = g.merge([g.from_bitmap(x), g.from_bitmap(y)], how)
        assert (g.to_bitmap(merged, *x.shape) == expected).all()


def test_coco_documentation_examples():
    assert g.encode_string((9, 2, 2, 2, 2, 2, 5)) == "9220003"
    assert g.rasterise([(1, 1, 4, 1, 4, 3, 1, 3)], 4, 6) == (5, 2, 2, 2, 2, 2, 9)
    assert g.mask_bounds(g.rasterise([(1, 1, 4, 1, 4, 3, 1, 3)], 4, 6), 4) == (1, 1, 4, 3)


@given(st.text(max_size=12))
def test_any_text_is_counts_or_an_error(text):
    try:
        assert all(c >= 0 for c in g.decode_string(text))
    except LabelglotError:
        pass


@given(st.floats(-3, 3), st.floats(1, 50), st.floats(1, 50))
def test_rotated_boxes_return(angle, w, h):
    ring = g.corners_from_center(10, 20, w, h, angle)
    assert g.center_from_corners(ring) == pytest.approx((10, 20, w, h, angle))
    assert g.is_rotated_box(ring)
    assert g.rotated_iou(ring, ring) == pytest.approx(1)
    assert g.ring_area(g.min_area_rect(ring)) == pytest.approx(w * h)


def test_pivot_turns_about_the_top_left_corner():
    ring = g.corners_from_pivot(5, 5, 4, 2, math.pi / 2)
    assert ring == pytest.approx((5, 5, 5, 9, 3, 9, 3, 5))


@given(st.lists(st.tuples(st.floats(-5, 15), st.floats(-5, 15)), min_size=3, max_size=6))
def test_clipping_stays_inside(points):
    ring = tuple(v for p in points for v in p)
    clipped = g.clip_ring(ring, (0, 0, 10, 10))
    assert all(-1e-9 <= v <= 10 + 1e-9 for v in clipped)


def test_paste_and_window_agree_with_whole_bitmaps():
    import numpy as np
    from labelglot.geometry import from_bitmap, paste, window

    random = np.random.default_rng(0)
    for _ in range(300):
        height, width, h, w = (int(v) for v in random.integers(1, 8, 4))
        x, y = (int(v) for v in random.integers(-3, 8, 2))
        small = random.random((h, w)) < random.choice([0, 0.3, 0.8, 1])
        full = np.zeros((height, width), bool)
        for row in range(h):
            for column in range(w):
                if 0 <= y + row < height and 0 <= x + column < width:
                    full[y + row, x + column] = small[row, column]
        counts = paste(small, x, y, height, width)
        assert counts == from_bitmap(full)
        x, y = max(x, 0), max(y, 0)
        assert (window(counts, height, width, x, y, w, h) == full[y : y + h, x : x + w]).all()


def test_upside_down_there_and_back():
    # 40 x 10 at (20, 30) from the lower left corner of an image 100 high, not turned: the lower edge is at 70.
    file = g.corners_from_pivot(20, 30, 40, 10, 0)
    assert g.upside_down(file, 100) == (20, 60, 60, 60, 60, 70, 20, 70)
    assert g.upside_down(g.upside_down(file, 100), 100) == file
