"""Under every write option a format returns what it then declares, and says what it loses."""

from typing import Any

import pytest
from hypothesis import given, settings
from labelglot.comparison import compare
from labelglot.formats.base import in_pixels
from labelglot.formats.registry import default_registry
from labelglot.plugin import Dataset
from labelglot.projection.project import project_dataset
from labelglot.testing.strategies import datasets
from labelglot.testing.travel import travel

OPTIONS = [
    ("yolo", {"layout": "roboflow"}), ("yolo", {"clip": True, "scores": True}), ("yolo-seg", {"parts": "split", "scores": True}),
    ("yolo-seg", {"clip": True, "parts": "split"}), ("yolo-obb", {"scores": True, "layout": "roboflow"}),
    ("yolo-pose", {"scores": True}), ("yolo-darknet", {"clip": True, "prefix": ""}), ("yolo-darknet", {"prefix": "/abs/x y/"}),
]  # fmt: skip


@pytest.mark.parametrize(("format", "options"), OPTIONS, ids=str)
@settings(max_examples=25, database=None)
@given(dataset=datasets())
def test_options(format: str, options: dict[str, Any], dataset: Dataset) -> None:
    writer = default_registry().get(format)
    sized = dataset.replace(samples=[in_pixels(sample) for sample in dataset])
    expected = project_dataset(sized, writer.holds_with(writer.WriteOptions(**options)), True, writer.geometry_bound_extra)
    trip = travel(dataset, writer, options)
    assert list(compare(expected.dataset, trip.dataset)) == []
    assert trip.read.skipped == 0
