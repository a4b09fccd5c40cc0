"""What the suite says when a plugin is wrong: the field, and a guess at the cause."""

from typing import ClassVar

import pytest
from labelglot.comparison import Change
from labelglot.plugin import Format, Holds, LabelHolds
from labelglot.schema import Dataset, Keypoints, RotatedBox, Sample
from labelglot.testing.conformance import conformance
from labelglot.testing.explain import other_bytes, sentence

BOX = (0.0, 0.0, 40.0, 0.0, 40.0, 10.0, 0.0, 10.0)


class Acme(Format):
    id = "acme"
    name = "Acme"
    holds = Holds(labels=LabelHolds(table=False))

    def read(self, context):
        return Dataset([])

    def encode(self, sample, context, ordinal):
        assert sample.size is not None
        return ()

    def assemble(self, context, pieces):
        return ()


def said(before, after, aspect="shape"):
    return sentence(Change(aspect, "a.jpg", 0, before, after), Acme())


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (RotatedBox(corners=BOX, angle=-0.0), "`shape.angle` was None and came back as -0.0. Nobody stated one"),
        (RotatedBox(corners=BOX[2:] + BOX[:2]), "the same points in another order"),
        (RotatedBox(corners=(0.0, 10.0, 40.0, 10.0, 40.0, 0.0, 0.0, 0.0)), "the same points in another order"),
        (RotatedBox(corners=(0, 0, 0, 40, 10, 40, 10, 0)), "x and y are swapped"),
        (RotatedBox(corners=tuple(v + 1 for v in BOX)), "off by one pixel"),
        (RotatedBox(corners=(0, 90, 40, 90, 40, 80, 0, 80)), "does one side count it from the lower edge"),
        (RotatedBox(corners=tuple(v * 7 for v in BOX)), "and came back as (0.0, 0.0, 280.0"),
    ],
)
def test_a_turned_box_that_comes_back_otherwise(after, words):
    assert words in said(RotatedBox(corners=BOX), after)


def test_keypoints_that_come_back_otherwise():
    before = Keypoints(points=(1.25, 2.75), visibility=(2,))
    assert "`keypoints.visibility` was (2,) and came back as (1,)" in said(before, before.replace(visibility=(1,)), "keypoints")
    assert "declare that as precision" in said(before, before.replace(points=(1.0, 3.0)), "keypoints")


def test_noise_in_written_numbers_is_told_from_other_differences():
    noise = other_bytes({"a": b'<b w="1.7500000000000004"/>'}, {"a": b'<b w="1.75"/>'})
    assert noise.startswith("a:1 is") and "arithmetic leaves noise" in noise
    assert other_bytes({"a": b"x\ny 1"}, {"a": b"x\ny 2"}) == "a:2 is 'y 1', then 'y 2'"
    assert other_bytes({"a": b"1"}, {}) == "a is only there the first time"


class Suite:
    found: ClassVar = conformance(Acme(), max_examples=20)


def test_a_writer_that_fails_is_shown_with_the_dataset():
    with pytest.raises(AssertionError, match=r"(?s)it fails: acme failed to write .*the dataset that shows it:\n.*sample"):
        Suite.found().test_returns_what_it_holds()


def test_a_reader_that_refuses_what_was_written_is_shown_with_the_files():
    class Refuses(Acme):
        def read(self, context):
            from labelglot.errors import LabelglotError

            raise LabelglotError("nothing here")

        def encode(self, sample, context, ordinal):
            return ()

    with pytest.raises(AssertionError, match=r"(?s)the reader refuses what the writer wrote: nothing here.*what was written:"):
        conformance(Refuses(), max_examples=3)().test_returns_what_it_holds()


def test_a_reader_that_loses_an_image_says_so():
    assert "the image was gone" in said(Sample(path="a.jpg"), None, "sample")
