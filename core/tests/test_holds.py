"""Declarations that change what the projection does."""

from labelglot.holds import Holds
from labelglot.projection import project
from labelglot.schema import Annotation, Sample, order_splits

BOX = frozenset({"box"})


def reduced(attributes, holds):
    sample = Sample(path="a.jpg", annotations=(Annotation(label="x", box=(0, 0, 1, 1), attributes=attributes),))
    done = project(sample, holds)
    return done.sample.annotations[0].attributes, [(loss.code, loss.severity) for loss in done.losses]


def test_a_value_the_format_writes_anyway_says_the_same_as_nothing():
    holds = Holds(geometry=(BOX,), flags={"difficult": frozenset({"bool"})}, defaults={"difficult": False})
    assert reduced({"difficult": True}, holds) == ({"difficult": True}, [])
    assert reduced({"difficult": False}, holds) == ({}, [("attributes.difficult", "info")])
    assert reduced({"difficult": 0}, holds) == ({}, [("attributes.difficult", "info")])
    assert reduced({"difficult": 1}, holds) == ({"difficult": True}, [("attributes.difficult", "info")])
    assert reduced({"difficult": 2}, holds) == ({}, [("attributes.difficult", "warning")])


def test_splits_without_order_come_in_the_order_of_their_roles():
    assert order_splits(("trainval", "val", "test2012", "train", "a")) == ("train", "val", "test2012", "a", "trainval")
    holds = Holds(splits="any", several_splits=True, split_order="roles")
    assert project(Sample(path="a.jpg", splits=("val", "train")), holds).sample.splits == ("train", "val")
    assert project(Sample(path="a.jpg", splits=("val", "train")), holds.replace(split_order="given")).losses[0].code != "split"
