"""Keypoints of Ultralytics."""

from typing import Any

import pytest
from labelglot.errors import LabelglotError
from labelglot.plugin import Annotation, Dataset, Keypoints, Label, Sample
from labelglot.testing.travel import store, travel
from labelglot.wire import yaml
from labelglot_yolo import YoloPose

CARD = "train: images/train\nval: images/train\nnames: {0: face}\n"
FACE = "0 0.5 0.5 0.5 0.5 "


def files(line: str, shape: str = "kpt_shape: [2, 3]\n") -> dict[str, str]:
    return {"data.yaml": CARD + shape, "labels/train/a.txt": line}


def objects(load: Any, line: str, shape: str = "kpt_shape: [2, 3]\n", **options: Any) -> Any:
    return load("yolo-pose", files(line, shape), **options).samples[0].annotations


def test_the_example(load: Any, example: Any) -> None:
    found = load("yolo-pose", example("yolo-pose"))
    face, tip = found.dataset.labels
    assert (face.keypoints, face.keypoint_flip) == (("nose", "left", "right"), (0, 2, 1))
    assert (tip.keypoints, tip.keypoint_flip) == (("tip",), (0,))
    first, padded, boxed = found.samples[0].annotations
    assert first.box == (16.0, 12.0, 48.0, 36.0)
    assert first.keypoints == Keypoints(points=(32.0, 12.0, 16.0, 24.0, 0.0, 0.0), visibility=(2, 1, 0))
    assert padded.keypoints == Keypoints(points=(32.0, 24.0), visibility=(2,))
    assert boxed.keypoints == Keypoints(points=(0.0,) * 6, visibility=(0, 0, 0))
    assert (found.samples[0].splits, found.codes) == (("train", "val"), {})


@pytest.mark.parametrize(("variant", "seen"), [("kpt3", (2, 2, 2)), ("kpt2", None)])
def test_samples_of_cvat(load: Any, real: Any, variant: str, seen: Any) -> None:
    """The box is as written, though it does not hold the points."""
    found = load("yolo-pose", real(f"yolo-pose/{variant}"))
    ((only,),) = [s.annotations for s in found.samples]
    assert (only.label, found.samples[0].size) == ("skeleton_label", (15, 10))
    assert only.keypoints.points == pytest.approx((1.5, 2, 4.5, 4, 7.5, 6))
    assert only.keypoints.visibility == seen
    assert only.box == pytest.approx((0, 2, 4, 4), abs=1e-4)


def test_without_visibility_a_negative_place_is_no_point(load: Any) -> None:
    (only,) = objects(load, FACE + "0.5 0.25 -0.001 -0.001", "kpt_shape: [2, 2]\n")
    assert only.keypoints.visibility == (2, 0)
    (only,) = objects(load, FACE + "0.5 0.25 0 0", "kpt_shape: [2, 2]\n")
    assert only.keypoints.visibility is None


def test_predictions(load: Any) -> None:
    (only,) = objects(load, FACE + "0.5 0.25 0.875 0.25 0.5 0.125 0.75 9")
    assert (only.keypoints.visibility, only.score, only.track) == ((0.875, 0.125), 0.75, 9)


def test_a_count_that_fits_the_other_shape_is_said(load: Any) -> None:
    found = load("yolo-pose", files(FACE + "0.5 0.25 0.25 0.5\n" + FACE + "1 1 2 0 0 0"))
    assert len(found.samples[0].annotations) == 1
    assert "they would fit kpt_shape [2, 2]" in found.example("yolo-pose.tokens")["message"]


def test_points_are_never_guessed(load: Any) -> None:
    with pytest.raises(LabelglotError, match="kpt_shape"):
        objects(load, FACE + "1 1 2", "")
    with pytest.raises(LabelglotError, match="kpt_shape"):
        objects(load, FACE + "1 1 2", "kpt_shape: [[1, 3]]\n")
    assert objects(load, FACE + "1 1 2", "", kpt_shape="1,3")[0].keypoints.visibility == (2,)


def test_pose_lines_read_as_boxes_keep_their_points(load: Any) -> None:
    (only,) = load("yolo", files(FACE + "1 1 2 0 0 0")).samples[0].annotations
    assert only.keypoints is not None and only.box is not None


def dataset(labels: list[Label], *annotations: Annotation) -> Dataset:
    return Dataset([Sample(path="a", splits=("train",), size=(100, 100), annotations=annotations)], labels)


def face(points: Any, seen: Any = None, label: str = "face") -> Annotation:
    keypoints = None if points is None else Keypoints(points=points, visibility=seen)
    return Annotation(label=label, box=(0.0, 0.0, 50.0, 50.0), keypoints=keypoints)


BOX = "0.25 0.25 0.5 0.5"
LABELS = [Label(key="tip", name="tip"), Label(key="face", name="face", keypoints=("a", "b"), keypoint_flip=(1, 0))]


def test_all_lines_have_one_length() -> None:
    """Absent points are spelled so that trainers see zeros and we see nothing."""
    objects = [
        face((10.0, 20.0, 0.0, 0.0), (2, 0)), face((10.0, 20.0, 30.0, 40.0)), face((10.0, 20.0), (1,), "tip"), face(None),
        face((0.0,) * 4, (0, 0)),
    ]  # fmt: skip
    trip = travel(dataset(LABELS, *objects), YoloPose())
    assert trip.files["labels/train/a.txt"].decode().splitlines() == [
        f"1 {BOX} 0.1 0.2 2 0.0 0.0 0",
        f"1 {BOX} 0.1 0.2 +2 0.3 0.4 +2",
        f"0 {BOX} 0.1 0.2 1 -0 -0 0",
        f"1 {BOX} -0 -0 0 -0 -0 0",
        f"1 {BOX} 0.0 0.0 0 0.0 0.0 0",
    ]
    back = next(iter(trip.dataset)).annotations or ()
    shown = [a.keypoints and (len(a.keypoints), a.keypoints.visibility) for a in back]
    assert shown == [(2, (2, 0)), (2, None), (1, (1,)), None, (2, (0, 0))]
    for cells in map(str.split, trip.files["labels/train/a.txt"].decode().splitlines()):
        assert [float(cell) for cell in cells] and len(cells) == 5 + 2 * 3


def test_the_longest_object_sets_the_length_if_no_class_has_names() -> None:
    card = yaml.load(store(dataset(LABELS[:1], face((1.0,) * 10, label="tip")), YoloPose())[0]["data.yaml"], "")
    assert card["kpt_shape"] == [5, 3] and "kpt_names" not in card and "flip_idx" not in card


def test_names_and_flips() -> None:
    """Pain 23: points have names and an order."""
    labels = [
        Label(key="tip", name="tip", keypoints=("t",)),
        Label(key="face", name="face", keypoints=("a", "b", "c"), keypoint_flip=(0, 2, 1)),
        Label(key="odd", name="odd", keypoints=("x", "y"), keypoint_flip=(1, 0)),
    ]
    trip = travel(dataset(labels, face(None)), YoloPose())
    card = yaml.load(trip.files["data.yaml"], "")
    assert (card["kpt_shape"], card["flip_idx"]) == ([3, 3], [0, 2, 1])
    assert card["kpt_names"] == {0: ["t"], 1: ["a", "b", "c"], 2: ["x", "y"]}
    assert [(x.keypoints, x.keypoint_flip) for x in trip.dataset.labels] == [(x.keypoints, x.keypoint_flip) for x in labels]


def test_scores_stand_behind_the_points() -> None:
    scored = face((10.0, 20.0, 30.0, 40.0), (2, 2)).replace(score=0.5)
    trip = travel(dataset(LABELS, scored), YoloPose(), {"scores": True})
    assert trip.files["labels/train/a.txt"].decode() == f"1 {BOX} 0.1 0.2 2 0.3 0.4 2 0.5\n"
    assert [a.score for a in next(iter(trip.dataset)).annotations or ()] == [0.5]


def test_a_box_is_made_for_points_that_have_none() -> None:
    only = Annotation(label="face", keypoints=Keypoints(points=(10.0, 20.0, 30.0, 40.0)))
    files, report = store(dataset(LABELS, only), YoloPose())
    assert files["labels/train/a.txt"].decode().startswith("1 0.2 0.3 0.2 0.2 ")
    assert "box.derived" in [line.code for line in report.losses()]
