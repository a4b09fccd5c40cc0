"""Oriented boxes of Ultralytics."""

import math
from typing import Any

import pytest
from labelglot import geometry as g
from labelglot.formats.registry import default_registry
from labelglot.plugin import Annotation, Dataset, Polygon, RotatedBox, Sample
from labelglot.storage import MemorySource
from labelglot.testing.travel import store, travel
from labelglot_yolo import YoloObb

CARD = "train: images/train\nval: images/train\nnames: {0: plane, 1: ship}\n"
TURNED = "0 0.25 0.25 0.5 0.5 0.375 0.75 0.125 0.5"


def test_the_example(load: Any, example: Any) -> None:
    found = load("yolo-obb", example("yolo-obb"))
    assert (list(found.by_key), found.names) == (["train:a.png", "val:b.png"], ["plane", "storage tank"])
    turned, box, predicted = found.by_key["train:a.png"].annotations
    assert (turned.label, turned.shape) == ("plane", RotatedBox(corners=(16.0, 12.0, 32.0, 24.0, 24.0, 36.0, 8.0, 24.0)))
    assert (box.shape, box.box) == (None, (24.0, 12.0, 40.0, 36.0))
    assert (predicted.shape.corners[0], predicted.score) == (-0.576, 0.5)
    assert found.codes == {}


def test_samples_of_cvat(load: Any, real: Any) -> None:
    """Pain 18: the corners are the truth; the angle follows from them, in pixels."""
    (only,) = load("yolo-obb", real("yolo-obb/cvat")).samples
    expected = [("label_2", (1, 2, 3, 4), 30), ("label_4", (3, 2, 6, 2), 120)]
    for a, (label, (x, y, w, h), degrees) in zip(only.annotations, expected, strict=True):
        assert (a.label, a.shape.angle) == (label, None)
        turned = g.corners_from_center(x + w / 2, y + h / 2, w, h, math.radians(degrees))
        assert a.shape.corners == pytest.approx(turned, abs=1e-4)
    assert min(only.annotations[1].shape.corners) < 0


@pytest.mark.parametrize(
    ("line", "kind", "score", "track"),
    [
        (TURNED, "rotated_box", None, None),
        (TURNED + " 0.5", "rotated_box", 0.5, None),
        (TURNED + " 0.5 3", "rotated_box", 0.5, 3),
        (TURNED + " 0.5 0.5", "polygon", None, None),
        ("0 0 0 1 0 1 1", "polygon", None, None),
        ("0 0.5 0.5 0.25 0.25", "box", None, None),
    ],
)
def test_the_number_of_tokens_tells(load: Any, line: str, kind: str, score: Any, track: Any) -> None:
    (only,) = load("yolo-obb", {"data.yaml": CARD, "labels/train/a.txt": line}).samples[0].annotations
    assert ("box" if only.box else only.shape.kind, only.score, only.track) == (kind, score, track)


def test_an_angle_of_unknown_unit_is_refused_with_a_hint(load: Any) -> None:
    found = load("yolo-obb", {"data.yaml": CARD, "labels/train/a.txt": f"0 0.5 0.5 0.25 0.25 45\n{TURNED}\n"})
    assert len(found.samples[0].annotations) == 1
    assert "four corners" in found.example("yolo-obb.tokens")["message"]


def test_two_equal_corners_are_kept(load: Any) -> None:
    found = load("yolo-obb", {"data.yaml": CARD, "labels/train/a.txt": "0 0.5 0.5 0.5 0.5 0.7 0.7 0.5 0.7"})
    assert found.samples[0].annotations[0].shape.corners == (0.5, 0.5, 0.5, 0.5, 0.7, 0.7, 0.5, 0.7)


def sample(**fields: Any) -> Dataset:
    return Dataset([Sample(path="a", splits=("train",), size=(64, 48), annotations=(Annotation(label="x", **fields),))], ["x"])


def test_corners_keep_their_order() -> None:
    """Pain 16: tested by the corners, whatever one starts with and however they run."""
    corners = (20.0, 10.0, 15.0, 20.0, 35.0, 30.0, 40.0, 20.0)
    for start in range(0, 8, 2):
        moved = corners[start:] + corners[:start]
        trip = travel(sample(shape=RotatedBox(corners=moved, angle=1.1)), YoloObb())
        (only,) = next(iter(trip.dataset)).annotations or ()
        assert [v * (64, 48)[i % 2] for i, v in enumerate(only.shape.corners)] == pytest.approx(moved)
        assert {"shape.angle": "info"}.items() <= {line.code: line.severity for line in trip.written.losses()}.items()


def test_boxes_and_polygons_become_oriented_boxes() -> None:
    assert store(sample(box=(0.0, 0.0, 32.0, 24.0)), YoloObb())[0]["labels/train/a.txt"] == b"0 0.0 0.0 0.5 0.0 0.5 0.5 0.0 0.5\n"
    files, report = store(sample(shape=Polygon.of((0.0, 0.0, 32.0, 0.0, 32.0, 24.0))), YoloObb())
    assert len(files["labels/train/a.txt"].split()) == 9
    assert "shape.polygon" in [line.code for line in report.losses()]


def confidence(format: str, label: str, card: str = CARD, folder: str = "") -> float:
    files = {f"{folder}data.yaml": card.encode(), f"{folder}labels/train/a.txt": label.encode()}
    found = default_registry().get(format).detect(MemorySource(files))
    return 0 if found is None else found.confidence


def test_detection_tells_quads_from_polygons_of_four_points() -> None:
    """A rotated box is a parallelogram at any scale."""
    assert confidence("yolo-obb", TURNED) == 0.85 > confidence("yolo-seg", TURNED) + 0.3
    loose = "0 0.1 0.1 0.5 0.2 0.6 0.7 0.2 0.5"
    assert confidence("yolo-seg", loose) == 0.85 > confidence("yolo-obb", loose) + 0.3
    upright = "0 0.1 0.1 0.5 0.1 0.5 0.7 0.1 0.7"
    assert confidence("yolo-obb", upright) == confidence("yolo-seg", upright) == 0.6
    assert confidence("yolo-obb", upright, folder="my-obb-set/") == 0.85
    assert confidence("yolo-seg", upright, "# labelglot (yolo-seg)\n" + CARD) == 0.97
