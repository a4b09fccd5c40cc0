"""The projection keeps its word for any declaration: what it reports is what differs, and reducing twice is reducing once."""

import pytest
from hypothesis import Phase, given, settings
from labelglot.conventions import PIXELS, RELATIVE_CENTER, Convention
from labelglot.formats.base import in_pixels
from labelglot.holds import ANY_VALUE, EVERYTHING, TEXT, Holds, LabelHolds, Naming, TagHolds
from labelglot.projection.project import project_dataset
from labelglot.testing.strategies import datasets
from labelglot.testing.travel import differences, reported, unexpected

BOX, AREA, POINTS = frozenset({"box"}), frozenset({"polygon", "mask"}), frozenset({"keypoints"})
SHAPES = frozenset({"rotated_box", "polygon", "polyline", "points", "ellipse", "mask", "cuboid"})

DECLARATIONS = {
    "everything": EVERYTHING,
    "relative boxes": Holds(geometry=(BOX,), boxes=RELATIVE_CENTER, size=False, labels=LabelHolds(ids="index")),
    "pixel boxes": Holds(geometry=(BOX,), empty=False),
    "whole pixels, 1-based": Holds(
        geometry=(BOX,), boxes=Convention(first=1, inclusive=True, integer=True), flags={"crowd": frozenset({"bool"})}
    ),
    "boxes and areas with ids": Holds(
        geometry=(BOX, AREA), required=BOX, ids="int", ids_required=True, sample_ids="int", sample_ids_required=True,
        labels=LabelHolds(ids="int", ids_required=True, duplicates=True), extra=frozenset({"x"}), polygon_holes=False,
    ),
    "single polygons": Holds(geometry=(frozenset({"polygon"}),), polygon_parts=False, polygon_holes=False),
    "one shape of any kind": Holds(
        geometry=(SHAPES | BOX,), labels=LabelHolds(order="appearance", unused=False), unlabelled=True
    ),
    "joined polygons inside": Holds(
        geometry=(frozenset({"polygon"}),), polygon_parts=False, polygon_holes=False, join_parts=True, inside=True
    ),
    "boxes inside": Holds(geometry=(BOX,), inside=True),
    "one mask per pixel": Holds(geometry=(frozenset({"mask"}), frozenset({"keypoints"})), overlap=False),
    "rotated boxes": Holds(geometry=(frozenset({"rotated_box"}),), points=Convention(decimals=1)),
    "masks alone": Holds(geometry=(frozenset({"mask"}),), labels=LabelHolds(order="sorted"), attributes=TEXT),
    "keypoints": Holds(
        geometry=(BOX, POINTS), required=BOX, keypoint_visibility="coco", labels=LabelHolds(keypoints=True),
        boxes=RELATIVE_CENTER.replace(decimals=6), points=Convention(unit="relative", single=True),
    ),
    "tags alone": Holds(tags=TagHolds(labels="one"), splits=frozenset({"train", "val", "test"}), split_required="train"),
    "no classes": Holds(geometry=(BOX,), labels=LabelHolds(table=False, required=False), bare=True, text=True),
    "flat names": Holds(
        geometry=(BOX,), naming=Naming(folders=False, unique="stem", pattern=r"[\w./-]+"), attributes=ANY_VALUE,
        splits="any", score=True, track="int", group="str",
    ),
    "single floats": Holds(geometry=(BOX, SHAPES), boxes=PIXELS.replace(single=True), points=PIXELS.replace(single=True)),
}


@pytest.mark.parametrize("holds", DECLARATIONS.values(), ids=DECLARATIONS)
@settings(max_examples=25, phases=(Phase.generate,))
@given(dataset=datasets(EVERYTHING))
def test_reported_losses_are_the_differences(holds, dataset):
    sized = dataset.replace(samples=[in_pixels(sample) for sample in dataset])
    done = project_dataset(sized, holds)
    assert reported(done) == differences(sized, done)


@pytest.mark.parametrize("holds", DECLARATIONS.values(), ids=DECLARATIONS)
@settings(max_examples=12, phases=(Phase.generate,))
@given(dataset=datasets(EVERYTHING))
def test_reducing_twice_is_reducing_once(holds, dataset):
    sized = dataset.replace(samples=[in_pixels(sample) for sample in dataset])
    once = project_dataset(sized, holds).dataset
    twice = project_dataset(once, holds).dataset
    assert unexpected(once, twice) == []
