"""Polygons of Ultralytics."""

from typing import Any

import pytest
from labelglot import geometry as g
from labelglot.plugin import Annotation, Dataset, Polygon, Sample
from labelglot.testing.travel import store, travel
from labelglot_yolo import YoloSeg

CARD = "train: images/train\nval: images/train\nnames: {0: cat, 1: dog}\n"
SQUARE = (0.0, 0.0, 16.0, 0.0, 16.0, 12.0, 0.0, 12.0)
FAR = (32.0, 0.0, 48.0, 0.0, 48.0, 12.0)
HOLE = (4.0, 4.0, 8.0, 4.0, 8.0, 8.0)


def dataset(*shapes: Any, box: Any = None) -> Dataset:
    objects = tuple(Annotation(label="cat", shape=shape, box=box) for shape in shapes)
    return Dataset([Sample(path="a", splits=("train",), size=(64, 48), annotations=objects)], ["cat"])


def written(data: Dataset, **options: Any) -> tuple[list[list[float]], list[str]]:
    files, report = store(data, YoloSeg(), options)
    rows = [[float(cell) for cell in line.split()] for line in files["labels/train/a.txt"].decode().splitlines()]
    return rows, [line.code for line in report.losses()]


def test_the_example(load: Any, example: Any) -> None:
    """A box line among polygons is a box, an even number of tokens has a score at its end, points may repeat."""
    found = load("yolo-seg", example("yolo-seg"))
    (only,) = found.samples
    assert (only.key, only.size, found.names, found.codes) == ("train:a.png", (64, 48), ["leaf", "root"], {})
    first, second, box, scored = only.annotations
    assert (first.label, first.shape) == ("leaf", Polygon.of((8.0, 12.0, 32.0, 12.0, 32.0, 36.0)))
    assert (second.label, len(second.shape.parts[0][0])) == ("root", 10)
    assert (box.shape, box.box) == (None, (24.0, 18.0, 40.0, 30.0))
    assert (scored.shape, scored.score) == (Polygon.of((16.0, 12.0, 32.0, 12.0, 32.0, 24.0)), 0.75)


def test_box_lines_as_polygons(load: Any, example: Any) -> None:
    third = load("yolo-seg", example("yolo-seg"), boxes_as_polygons=True).samples[0].annotations[2]
    assert (third.box, third.shape) == (None, Polygon.of((24.0, 18.0, 40.0, 18.0, 40.0, 30.0, 24.0, 30.0)))


def test_samples_of_cvat(load: Any, real: Any) -> None:
    found = load("yolo-seg", real("yolo-seg/cvat"))
    (only,) = found.samples
    assert (only.key, only.size, len(found.names)) == ("train:1.jpg", (15, 10), 10)
    assert [(a.label, a.shape.parts[0][0]) for a in only.annotations] == [
        ("label_2", pytest.approx((1.5, 1, 6, 1, 6, 5))), ("label_4", pytest.approx((3, 1.5, 6, 1.5, 6, 7.5, 4.5, 7.5, 3.75, 3))),
    ]  # fmt: skip


def test_samples_of_coco(load: Any, real: Any) -> None:
    found = load("yolo-seg", real("yolo-seg/labelformat"))
    assert {s.path: [a.label for a in s.annotations] for s in found.samples} == {
        "000000036086": ["sports ball", "person"], "000000109005": ["elephant"],
    }  # fmt: skip
    assert found.names == ["kite", "person", "elephant", "sports ball"]
    assert {a.shape.kind for s in found.samples for a in s.annotations} == {"polygon"}


@pytest.mark.parametrize("line", ["0 0.1 0.1", "0 0.1 0.1 0.2", "0", "0 0.1 0.1 x 0.2 0.3 0.4"])
def test_a_line_of_too_few_points_is_skipped_and_said(load: Any, line: str) -> None:
    found = load("yolo-seg", {"data.yaml": CARD, "labels/train/a.txt": f"{line}\n1 0 0 1 0 1 1\n"})
    assert [a.label for a in found.samples[0].annotations] == ["dog"]
    assert found.report.skipped == 1


def test_points_on_and_past_the_edge_are_kept(load: Any) -> None:
    found = load("yolo-seg", {"data.yaml": CARD, "labels/train/a.txt": "1 -0.0001 0 1.0000001 0 1 1\n"})
    assert found.samples[0].annotations[0].shape.parts[0][0] == (-0.0001, 0, 1.0000001, 0, 1, 1)
    assert found.codes == {}


def test_a_track_behind_the_score(load: Any) -> None:
    found = load("yolo-seg", {"data.yaml": CARD, "labels/train/a.txt": "1 0 0 1 0 1 1 0.5 17\n"})
    (only,) = found.samples[0].annotations
    assert (only.shape, only.score, only.track) == (Polygon.of((0, 0, 1, 0, 1, 1)), 0.5, 17)


def test_parts_are_joined_by_bridges_of_no_width() -> None:
    """Pain 20: what is done to several parts is said, and encloses nothing new."""
    (row,), codes = written(dataset(Polygon.of(SQUARE, FAR)))
    ring = tuple(v * (64, 48)[i % 2] for i, v in enumerate(row[1:]))
    assert g.ring_area(ring) == pytest.approx(g.ring_area(SQUARE) + g.ring_area(FAR))
    assert len(ring) // 2 == 4 + 3 + 2
    assert "shape.parts" in codes


def test_parts_become_objects_if_asked() -> None:
    rows, codes = written(dataset(Polygon.of(SQUARE, FAR)), parts="split")
    assert [len(row) for row in rows] == [9, 7]
    assert "shape.parts" in codes


def test_holes_are_filled_and_said() -> None:
    """Pain 19."""
    (row,), codes = written(dataset(Polygon(parts=((SQUARE, HOLE),))))
    assert len(row) == 9 and "shape.holes" in codes


def test_a_box_becomes_four_points_because_trainers_refuse_both_in_one_file() -> None:
    (row,), codes = written(dataset(None, box=(0.0, 0.0, 16.0, 12.0)))
    assert row == [0, 0, 0, 0.25, 0, 0.25, 0.25, 0, 0.25]
    assert "shape.lifted" in codes


@pytest.mark.parametrize(("ring", "count"), [((1.0, 1.0), 7), ((1.0, 1.0, 2.0, 2.0), 7), ((), 7)])
def test_no_polygon_is_written_as_a_box_line(ring: tuple[float, ...], count: int) -> None:
    (row,), _ = written(dataset(Polygon.of(ring)))
    assert len(row) == count


def test_polygons_are_cut_at_the_edge_only_if_asked() -> None:
    wide = Polygon.of((-16.0, 0.0, 16.0, 0.0, 16.0, 24.0, -16.0, 24.0))
    (row,), codes = written(dataset(wide))
    assert min(row) == -0.25 and "shape.clipped" not in codes
    (row,), codes = written(dataset(wide), clip=True)
    assert min(row) == 0 and "shape.clipped" in codes


def test_options_return_what_they_declare() -> None:
    data = dataset(Polygon.of(SQUARE, FAR), Polygon.of(FAR))
    for options in ({"parts": "split"}, {"parts": "bridge"}, {"clip": True}, {"scores": True}):
        once = travel(data, YoloSeg(), options)
        twice = travel(once.dataset, YoloSeg(), options)
        assert once.files == twice.files
