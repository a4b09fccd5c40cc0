"""JSON Lines, addresses in place of paths, and each class once."""

import pytest
from labelglot.conventions import Convention, settle
from labelglot.formats.base import AddressReadOptions, ReadContext
from labelglot.holds import Holds, LabelHolds, TagHolds, leads_to
from labelglot.projection import project
from labelglot.projection.labels import project_labels
from labelglot.report import Report
from labelglot.schema import Label, Sample, Tag
from labelglot.storage import MemorySource


@pytest.mark.parametrize(
    ("uri", "path", "image", "expected"),
    [
        ("s3://b/x/a.jpg", "x/a.jpg", False, True),
        ("s3://b/x/a.jpg", "a.jpg", False, False),
        ("s3://b/x/a.jpg", "a.jpg", True, True),
        ("s3://b/x/a.jpg", "b.jpg", True, False),
        ("x/a.jpg", "x/a.jpg", True, False),
        ("/home/x/a.jpg", "home/x/a.jpg", True, False),
    ],
)
def test_addresses_that_lead_to_a_path(uri, path, image, expected):
    assert leads_to(uri, path, image) is expected


def test_an_address_may_have_more_than_a_server_before_the_path():
    holds = Holds(uri="location", uri_root=r"store://.*?/paths/")
    uri = "store://a/b/paths/x/a.jpg"
    assert leads_to(uri, "x/a.jpg", False, holds.uri_root) and not leads_to(uri, "b/paths/x/a.jpg", False, holds.uri_root)
    context = ReadContext(MemorySource({}), None, Report())
    context.reserve([("in", uri), ("in", "s3://one/x/a.jpg")], addresses=holds)
    assert [context.place(n, "in").path for n in (uri, "s3://one/x/a.jpg")] == ["x/a.jpg", "one/x/a.jpg"]


class Prefixed(AddressReadOptions):
    pass


def test_a_prefix_tells_where_the_path_begins():
    context = ReadContext(MemorySource({"in/x/a.jpg": b"", "b.jpg": b""}), Prefixed(prefix="s3://b/root/"), Report())
    names = [("in", "s3://b/root/x/a.jpg"), ("in", "s3://b/root/y/b.jpg"), ("in", "s3://b/other/c.jpg")]
    context.reserve(names, addresses=Holds(uri="location"))
    found = [context.place(name, folder) for folder, name in names]
    assert [(where.path, where.image is not None) for where in found] == [("x/a.jpg", True), ("y/b.jpg", True), ("other/c.jpg", False)]
    assert [where.uri for where in found] == [name for _, name in names]


def test_addresses_in_place_of_paths_are_kept_where_they_lead_there():
    holds = Holds(uri="location")
    assert project(Sample(path="a.jpg", uri="gs://b/a.jpg"), holds).sample.uri == "gs://b/a.jpg"
    other = project(Sample(path="a.jpg", uri="gs://b/c.jpg"), holds)
    assert other.sample.uri is None and [loss.code for loss in other.losses if loss.aspect == "uri"] == ["sample.uri"]


def test_a_file_that_an_address_names_exactly_is_not_taken_for_another():
    context = ReadContext(MemorySource({"dir/a.jpg": b""}), None, Report())
    context.reserve([("", "a.jpg"), ("", "s3://b/deep/dir/a.jpg")])
    assert context.place("a.jpg").image is None
    assert context.place("s3://b/deep/dir/a.jpg").path == "dir/a.jpg"


def test_steps_end_before_the_edge():
    steps = Convention(unit="relative", steps=1000)
    assert steps.write_box((0, 50, 100, 200), (200, 200)) == (0, 0.25, 0.5, 0.999)
    assert steps.read_box(steps.write_box((1, 2, 200, 250), (200, 200)), (200, 200)) == pytest.approx((1, 2, 199.8, 199.8))
    assert not steps.exact


def test_each_class_once():
    tags = (Tag(label="b", score=0.5), Tag(label="a"), Tag(label="b", score=0.25), Tag(text="t"))
    holds = Holds(tags=TagHolds(repeated=False, score=True, captions="many"))
    done = project(Sample(path="a.jpg", tags=tags), holds)
    assert done.sample.tags == (tags[0], tags[1], tags[3])
    assert [loss.code for loss in done.losses if loss.aspect == "tags"] == ["tags.label"]


def test_missing_numbers_start_where_the_format_does():
    holds = Holds(labels=LabelHolds(ids="int", ids_required=True, first_id=0))
    plan = project_labels([Label(key="a", name="a"), Label(key="b", name="b")], holds)
    assert [label.id for label in plan.labels] == [0, 1]


def test_numbers_that_are_none_settle_as_they_are():
    nan = float("nan")
    assert str(settle((0.1, nan, 0.3))) == str((0.1, nan, 0.3)) and settle((0.1 + 0.2,)) == (0.3,)
