"""What a format has no room for: sizes that are unknown, numbers, points and codes beyond its limits."""

import labelglot as lg
import pytest
from labelglot.conventions import Convention
from labelglot.holds import Holds, LabelHolds
from labelglot.images import BytesImage
from labelglot.projection import project_dataset
from labelglot.projection.project import Plan, project
from labelglot.schema import Annotation, Dataset, Keypoints, Label, Polygon, Sample
from labelglot.storage import MemoryTarget
from labelglot.testing.strategies import png

BOX, KEYPOINTS = frozenset({"box"}), frozenset({"keypoints"})
MIXED = Holds(geometry=(BOX, KEYPOINTS, frozenset({"polygon"})), points=Convention(unit="percent"))
POSE = Annotation(label="cat", box=(1.0, 2.0, 30.0, 40.0), keypoints=Keypoints(points=(5.0, 6.0, 7.0, 8.0), visibility=(2, 1)))


def reduced(annotation, holds, plan=None, **sample):
    fields = {"path": "a.jpg", "size": (50, 40), "annotations": (annotation,), **sample}
    done = project(Sample(**fields), holds, plan or Plan({}))
    return done.sample, {loss.code for loss in done.losses}


def test_a_format_that_needs_the_size_leaves_out_images_without():
    holds = Holds(geometry=(BOX,), size_required=True)
    assert reduced(POSE.replace(keypoints=None), holds)[1] == set()
    for size in ({"size": None}, {"size": None, "units": "relative"}):
        sample, losses = reduced(POSE, holds, **size)
        assert sample is None and losses == {"sample.unsized"}


def test_a_format_that_takes_the_size_from_the_image_needs_the_image():
    holds = Holds(geometry=(BOX,), size_required=True, size=False)
    image = BytesImage("a.jpg", png(50, 40))
    assert reduced(POSE, holds, image=image)[0] is not None
    assert reduced(POSE, holds, image=image, plan=Plan({}, images=False))[0] is None
    assert reduced(POSE, holds)[1] == {"sample.unsized"}


def test_points_in_percent_beside_boxes_in_pixels_are_lost_without_the_size():
    sample, losses = reduced(POSE, MIXED, size=None)
    assert losses == {"keypoints"} and sample.units == "pixels"
    assert sample.annotations[0].box == POSE.box and sample.annotations[0].keypoints is None
    assert reduced(POSE, MIXED)[0].annotations == (POSE,)


def test_the_size_goes_where_it_is_not_written_and_with_it_what_needs_it():
    sample, losses = reduced(POSE, MIXED.replace(size=False))
    assert losses == {"size", "keypoints"} and (sample.size, sample.units) == (None, "pixels")
    assert sample.annotations[0].box == POSE.box


def test_boxes_in_percent_beside_points_in_pixels():
    holds = MIXED.replace(boxes=Convention(unit="percent"), points=Convention())
    sample, losses = reduced(POSE, holds, size=None)
    assert losses == {"box"} and sample.annotations[0].keypoints == POSE.keypoints
    sample, losses = reduced(POSE, holds, size=None, units="relative")
    assert sample.annotations == () and "size.unknown" in losses


def test_a_polygon_that_needs_the_size_is_lost_and_an_object_of_it_alone_too():
    polygon = Annotation(label="cat", shape=Polygon.of((0.0, 0.0, 5.0, 0.0, 5.0, 5.0)))
    sample, losses = reduced(polygon, MIXED, size=None)
    assert sample.annotations == () and losses == {"annotation.polygon"}


def test_numbers_without_room():
    holds = Holds(geometry=(BOX, frozenset({"polygon"})), boxes=Convention(lowest=0, highest=99), points=Convention(highest=9))
    assert reduced(POSE.replace(keypoints=None), holds)[1] == set()
    sample, losses = reduced(POSE.replace(keypoints=None, box=(-0.5, 2.0, 30.0, 40.0)), holds)
    assert sample.annotations == () and losses == {"annotation.box"}
    both = Annotation(label="cat", box=(1.0, 2.0, 3.0, 4.0), shape=Polygon.of((0.0, 0.0, 10.0, 0.0, 5.0, 5.0)))
    sample, losses = reduced(both, holds)
    assert sample.annotations == (both.replace(shape=None),) and losses == {"shape.polygon"}
    sample, losses = reduced(both.replace(box=(1.0, 2.0, 3.0, 400.0)), holds.replace(required=BOX))
    assert sample.annotations == () and losses == {"box.missing"}


LABELLED = Holds(
    geometry=(BOX, KEYPOINTS), points=Convention(lowest=0), keypoint_visibility="labelled",
    labels=LabelHolds(keypoints=True, most_keypoints=2),
)  # fmt: skip


@pytest.mark.parametrize(
    ("points", "seen", "left", "visible", "losses"),
    [
        ((5, 6, 7, 8), (2, 2), (5, 6, 7, 8), (2, 2), set()),
        ((5, 6, 0, 0), (2, 0), (5, 6, 0, 0), (2, 0), set()),
        ((5, 6, 7, 8), (2, 0), (5, 6, 0, 0), (2, 0), {"keypoints.visibility"}),
        ((5, 6, 7, 8), (2, 1), (5, 6, 7, 8), (2, 2), {"keypoints.visibility"}),
        ((5, 6, 7, 8), None, (5, 6, 7, 8), (2, 2), {"keypoints.visibility"}),
        ((-1, 6, 7, 8), (2, 2), (0, 0, 7, 8), (0, 2), {"keypoints.range", "keypoints.visibility"}),
        ((5, 6, 7, 8), (0, 0), None, None, {"keypoints"}),
        ((5, 6), (2,), (5, 6, 0, 0), (2, 0), {"keypoints.number"}),
        ((5, 6, 7, 8, 9, 9), (2, 2, 2), (5, 6, 7, 8), (2, 2), {"keypoints.number"}),
    ],
)
def test_keypoints_that_are_there_or_not(points, seen, left, visible, losses):
    annotation = POSE.replace(keypoints=Keypoints(points=points, visibility=seen))
    sample, said = reduced(annotation, LABELLED, Plan({}, points={"cat": 2}))
    assert said == losses
    assert sample.annotations[0].keypoints == (left and Keypoints(points=left, visibility=visible))


def test_points_of_a_class_that_names_none():
    sample, said = reduced(POSE, LABELLED, Plan({}, points={"cat": 0}))
    assert said == {"keypoints"} and sample.annotations[0].keypoints is None


def classes(holds, *labels):
    return project_dataset(Dataset([], labels), Holds(labels=holds))


def test_a_class_has_at_most_so_many_keypoints():
    label = Label(key="cat", name="cat", keypoints=("a", "b", "c"), skeleton=((0, 1), (1, 2)), keypoint_flip=(1, 0, 2))
    holds = LabelHolds(keypoints=True, skeleton=True, keypoint_flip=True, most_keypoints=2)
    done = classes(holds, label)
    (found,) = done.dataset.labels
    assert (found.keypoints, found.skeleton, found.keypoint_flip) == (("a", "b"), ((0, 1),), (1, 0))
    assert done.labels.points == {"cat": 2}
    assert {loss.code for loss in done.losses} == {"labels.keypoints", "labels.skeleton", "labels.keypoint_flip"}
    (found,) = classes(holds, label.replace(keypoint_flip=(2, 1, 0))).dataset.labels
    assert found.keypoint_flip is None


def test_codes_beyond_the_last_are_given_a_free_one():
    holds = LabelHolds(ids="int", ids_required=True, first_id=0, last_id=9)
    done = classes(holds, *(Label(key=str(i), name=str(i), id=i) for i in (0, 9, 10, 7)))
    assert [label.id for label in done.dataset.labels] == [0, 9, 1, 7]
    assert [(loss.code, loss.object) for loss in done.losses] == [("labels.id_assigned", "10")]
    done = classes(LabelHolds(ids="int", last_id=9), Label(key="a", name="a", id=10))
    assert done.dataset.labels[0].id is None and {loss.code for loss in done.losses} == {"labels.id"}


def test_classes_are_written_though_no_image_can_be():
    """A document for a dataset whose images are all left out, although each split would have had its own folder."""
    from labelglot.plugin import Document

    class Sized(Document):
        id = "sized"
        name = "Sized"
        holds = Holds(geometry=(BOX,), size_required=True)

        def frame(self, split, context):
            return ",".join(label.name for label in context.labels).encode(), b""

    target = MemoryTarget()
    sample = Sample(path="a.jpg", splits=("train",), annotations=(Annotation(label="cat", box=(0.0, 0.0, 1.0, 1.0)),))
    outcome = lg.write(Dataset([sample], ["cat"]), target, format=Sized())
    assert b"cat" in next(iter(target.content.values()))
    assert [line.code for line in outcome.report.losses()] == ["sample.unsized"]
