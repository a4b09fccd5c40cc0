"""What a writer asks of the projection: joined parts, geometry cut at the edge, most keypoints, and its own warnings."""

from collections.abc import Iterable
from typing import Any

from labelglot import geometry as g
from labelglot.holds import Holds, LabelHolds
from labelglot.plugin import (
    Annotation,
    Dataset,
    File,
    Format,
    Keypoints,
    Label,
    Mask,
    Piece,
    Polygon,
    Problem,
    Sample,
    WriteContext,
)
from labelglot.projection import project
from labelglot.projection.labels import project_labels
from labelglot.projection.project import NO_PLAN
from labelglot.testing.travel import store

SQUARE = (0.0, 0.0, 10.0, 0.0, 10.0, 10.0, 0.0, 10.0)
FAR = (30.0, 2.0, 40.0, 2.0, 40.0, 8.0, 30.0, 8.0)


def test_a_bridge_encloses_nothing() -> None:
    ring = g.bridge([SQUARE, FAR])
    assert g.ring_area(ring) == g.ring_area(SQUARE) + g.ring_area(FAR)
    assert set(g.points(ring)) == {*g.points(SQUARE), *g.points(FAR)}
    assert g.bridge([SQUARE]) == SQUARE


def _polygons(holds: dict[str, Any], *rings: tuple[float, ...]) -> tuple[Any, list[str]]:
    sample = Sample(path="a", size=(20, 20), annotations=(Annotation(label="x", shape=Polygon.of(*rings)),))
    done = project(sample, Holds(geometry=(frozenset({"polygon"}),), polygon_parts=False, **holds))
    assert done.sample is not None
    return done.sample.annotations, [loss.code for loss in done.losses]


def test_parts_are_split_or_joined() -> None:
    split, codes = _polygons({}, SQUARE, FAR)
    assert [a.shape for a in split] == [Polygon.of(SQUARE), Polygon.of(FAR)]
    assert "shape.parts" in codes
    joined, codes = _polygons({"join_parts": True}, SQUARE, FAR)
    assert [a.shape for a in joined] == [Polygon.of(g.bridge([SQUARE, FAR]))]
    assert codes == ["shape.parts"]


def test_polygons_are_cut_at_the_edge_only_if_asked() -> None:
    wide = (-5.0, 0.0, 30.0, 0.0, 30.0, 10.0, -5.0, 10.0)
    kept, codes = _polygons({}, wide)
    assert (kept[0].shape, codes) == (Polygon.of(wide), [])
    cut, codes = _polygons({"inside": True}, wide)
    assert g.ring_bounds(cut[0].shape.parts[0][0]) == (0.0, 0.0, 20.0, 10.0)
    assert codes == ["shape.clipped"]
    assert _polygons({"inside": True}, FAR) == ((), ["annotation.outside"])
    half = tuple(v - 5 for v in SQUARE)
    both, codes = _polygons({"inside": True}, FAR, half, SQUARE)
    bounds = [g.ring_bounds(a.shape.parts[0][0]) for a in both]
    assert (bounds, set(codes)) == ([(0, 0, 5, 5), (0, 0, 10, 10)], {"shape.parts", "shape.clipped"})


def test_boxes_are_cut_at_the_edge_only_if_asked() -> None:
    boxes = [(-1.0, 2.0, 5.0, 25.0), (30.0, 0.0, 40.0, 5.0), (1.0, 1.0, 2.0, 2.0)]
    sample = Sample(path="a", size=(20, 20), annotations=tuple(Annotation(label="x", box=b) for b in boxes))
    holds = Holds(geometry=(frozenset({"box"}),), inside=True)
    done = project(sample, holds)
    assert done.sample is not None and done.sample.annotations is not None
    assert [a.box for a in done.sample.annotations] == [(0.0, 2.0, 5.0, 20.0), boxes[2]]
    assert [(loss.code, loss.object) for loss in done.losses] == [("box.clipped", 0), ("annotation.outside", 1)]


def test_a_pixel_of_two_masks_goes_to_the_later_one() -> None:
    def mask(*counts: int, size: int = 4) -> Annotation:
        shape = Mask(width=size, height=1, rle=g.encode_string(counts))
        return Annotation(label="x", shape=shape, extra={"x": {"area": 3, "note": "n"}})

    first, covered, last = mask(0, 3, 1), mask(2, 1, 1), mask(1, 3)
    sample = Sample(path="a", size=(4, 1), annotations=(first, covered, last, mask(4), mask(0, 5, size=5)))
    holds = Holds(geometry=(frozenset({"mask"}),), overlap=False, extra=frozenset({"x"}))
    done = project(sample, holds, NO_PLAN._replace(bound=frozenset({("x", "area")})))
    assert done.sample is not None and done.sample.annotations is not None
    left, kept = done.sample.annotations
    assert (g.decode_string(left.shape.rle), left.extra, kept) == ((0, 1, 3), {"x": {"note": "n"}}, last)
    assert done.trace == (0, 2)
    assert [(loss.code, loss.object) for loss in done.losses] == [
        ("mask.unfit", 4), ("mask.overlap", 0), ("extra.x", 0), ("mask.covered", 1), ("mask.empty", 3),
    ]  # fmt: skip


class _Wary(Format):
    id, name, survey = "wary", "wary", "full"
    holds = Holds(geometry=(frozenset({"keypoints"}),))

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece | Problem]:
        yield File(sample.path, repr(dict(context.keypoints)).encode())
        yield Problem("wary.said", "the consumer refuses it")


def test_a_writer_warns_and_knows_the_most_keypoints() -> None:
    def points(label: str, number: int) -> Annotation:
        return Annotation(label=label, keypoints=Keypoints(points=(1.0,) * (2 * number)))

    samples = [
        Sample(path="a", size=(9, 9), annotations=(points("x", 2), points("y", 1))),
        Sample(path="b", size=(9, 9), annotations=(points("x", 3),)),
    ]
    files, report = store(Dataset(samples, ["x", "y"]), _Wary(), chunk=1)
    assert files["a"] == files["b"] == b"{'x': 3, 'y': 1}"
    assert [(line.code, line.count, line.examples[0]["key"]) for line in report.problems()] == [("wary.said", 2, "a")]


def test_classes_that_are_folders() -> None:
    rules = LabelHolds(order="sorted", names=r"\w+", caseless=True)
    plan = project_labels([Label(key=n, name=n) for n in ("<tag>", "Cat", "cat")], Holds(labels=rules))
    assert [label.name for label in plan.labels] == ["Cat", "_tag_", "cat_2"]
    assert plan.keys == {"<tag>": "_tag_", "Cat": "Cat", "cat": "cat_2"}
    assert {loss.code for loss in plan.losses} == {"labels.name", "labels.order"}


def test_the_text_of_ignored_objects() -> None:
    holds = Holds(
        bare=True,
        labels=LabelHolds(required=False),
        text=True,
        ignored_text=False,
        flags={"ignore": frozenset({"bool"})},
    )
    said = ({"ignore": True}, {"ignore": False}, {}, {"ignore": 1})
    done = project(Sample(path="a", annotations=tuple(Annotation(text="t", attributes=each) for each in said)), holds)
    assert done.sample is not None
    assert [a.text for a in done.sample.annotations or ()] == [None, "t", "t", None]
    assert [(loss.aspect, loss.object) for loss in done.losses if loss.aspect == "text"] == [("text", 0), ("text", 3)]
