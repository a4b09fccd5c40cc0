"""Formats of one class, named attributes of images, and boxes that rounding must not make empty."""

from labelglot.conventions import Convention
from labelglot.holds import Holds, LabelHolds
from labelglot.projection.project import project_dataset
from labelglot.schema import Annotation, Dataset, Label, Sample

HOLDS = Holds(
    geometry=(frozenset({"box"}),), labels=LabelHolds(only="face"), sample_flags={"site": frozenset({"str"})}
)
BOX = (1.0, 2.0, 3.0, 4.0)


def test_all_classes_become_the_one():
    objects = tuple(Annotation(label=label, box=BOX) for label in ("cat", None, "face"))
    done = project_dataset(Dataset([Sample(path="a.jpg", annotations=objects)], ["cat", "face"]), HOLDS)
    assert [label.name for label in done.dataset.labels] == ["face"]
    assert [a.label for s in done.dataset for a in s.annotations] == ["face"] * 3
    said = {(loss.aspect, loss.object) for loss in done.losses}
    assert said == {("labels.name", "cat"), ("label", 1)}


def test_the_class_is_there_though_nothing_is():
    assert project_dataset(Dataset([]), HOLDS).dataset.labels == (Label(key="face", name="face"),)


def test_named_attributes_of_images():
    sample = Sample(path="a.jpg", annotations=(), attributes={"site": "A", "other": "B"})
    (got,) = project_dataset(Dataset([sample]), HOLDS).dataset
    assert got.attributes == {"site": "A"}


def test_a_thin_box_stays_a_pixel_wide():
    for more, written in (
        ({}, (10, 20, 11, 40)), ({"form": "xywh"}, (10, 20, 1, 20)), ({"inclusive": True}, (10, 20, 10, 39)),
    ):
        whole = Convention(integer=True, nonempty=True, **more)
        assert whole.write_box((10.1, 20, 10.3, 40), None) == written
    assert Convention(integer=True, nonempty=True).write_box((3, 4, 3, 2), None) == (3, 4, 3, 2)
