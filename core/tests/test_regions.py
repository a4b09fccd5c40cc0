"""Formats that keep one region for each class."""

import numpy as np
from labelglot.geometry import decode_string, encode_string, from_bitmap, to_bitmap
from labelglot.holds import Holds, LabelHolds
from labelglot.projection import project
from labelglot.projection.labels import project_labels
from labelglot.schema import Annotation, Label, Mask, Sample

HOLDS = Holds(geometry=(frozenset({"mask"}),), overlap=False, regions=True, size_required=True)


def mask(*columns: int) -> Mask:
    bitmap = np.zeros((2, 4), dtype=bool)
    bitmap[:, list(columns)] = True
    return Mask(width=4, height=2, rle=encode_string(from_bitmap(bitmap)))


def columns(a: Annotation) -> list[int]:
    assert isinstance(a.shape, Mask)
    return np.flatnonzero(to_bitmap(decode_string(a.shape.rle), 2, 4)[0]).tolist()


def reduce(*objects: tuple[str, Mask], size: tuple[int, int] | None = (4, 2)):
    sample = Sample(path="a", size=size, annotations=tuple(Annotation(label=name, shape=m) for name, m in objects))
    done = project(sample, HOLDS)
    found = [(a.label, columns(a)) for a in done.sample.annotations or ()] if done.sample else None
    return found, [(loss.code, loss.object) for loss in done.losses], done.trace


def test_objects_of_a_class_are_joined_and_later_ones_cover_earlier() -> None:
    found, losses, trace = reduce(("cat", mask(2, 3)), ("dog", mask(1, 2)), ("cat", mask(0)))
    assert found == [("cat", [0, 3]), ("dog", [1, 2])] and trace == (0, 1)
    assert losses == [("mask.joined", 0), ("mask.joined", 2)]


def test_an_object_inside_another_of_its_class_changes_nothing_of_it() -> None:
    found, losses, _ = reduce(("cat", mask(0, 1)), ("cat", mask(1)))
    assert found == [("cat", [0, 1])] and losses == [("mask.joined", 1)]


def test_covered_empty_and_background_objects_go() -> None:
    found, losses, _ = reduce(
        ("cat", mask(0)), ("dog", mask(0)), ("cow", mask()), ("background", mask(1)), ("dog", mask(1))
    )
    assert found == [("dog", [0, 1])]
    assert sorted(losses) == [
        ("mask.covered", 0),
        ("mask.covered", 3),
        ("mask.empty", 2),
        ("mask.joined", 1),
        ("mask.joined", 4),
    ]


def test_images_of_unknown_size_cannot_be_written() -> None:
    assert reduce(size=None)[0] is None and reduce(size=None)[1] == [("sample.unsized", None)]


def test_numbers_that_do_not_fit_are_replaced_by_free_ones() -> None:
    rules = LabelHolds(ids="int", ids_required=True, first_id=1, last_id=9)
    labels = [Label(key=k, name=k, id=i) for k, i in (("a", 1), ("b", 300), ("c", 2), ("d", None))]
    plan = project_labels(labels, Holds(labels=rules))
    assert [label.id for label in plan.labels] == [1, 3, 2, 4]
    assert {(loss.aspect, loss.object) for loss in plan.losses} == {("labels.id", "b"), ("labels.id", "d")}


def test_classes_of_one_region_lie_on_top() -> None:
    holds = HOLDS.replace(regions=frozenset({"void"}))
    objects = [("void", mask(0)), ("cat", mask(0, 1)), ("void", mask(1, 2)), ("cat", mask(2, 3))]
    sample = Sample(path="a", size=(4, 2), annotations=tuple(Annotation(label=name, shape=m) for name, m in objects))
    done = project(sample, holds)
    assert done.sample is not None
    assert [(a.label, columns(a)) for a in done.sample.annotations or ()] == [("cat", [3]), ("void", [0, 1, 2])]
    assert {(loss.code, loss.aspect, loss.object) for loss in done.losses} == {
        ("mask.joined", "shape", 0), ("mask.covered", "annotation", 1), ("mask.joined", "annotation", 2), ("mask.overlap", "shape", 3),
    }  # fmt: skip
