"""Polygons whose rings do not say what they are, cuboids of two faces, keypoints that are left out."""

from typing import Any

from labelglot.geometry import is_upright, nest, stack
from labelglot.holds import Holds
from labelglot.plugin import Annotation, Cuboid, Keypoints, Mask, Polygon, Sample
from labelglot.projection import project

OUTER = (0.0, 0.0, 10.0, 0.0, 10.0, 10.0, 0.0, 10.0)
HOLE = (2.0, 2.0, 8.0, 2.0, 8.0, 8.0, 2.0, 8.0)
ISLAND = (4.0, 4.0, 6.0, 4.0, 6.0, 6.0, 4.0, 6.0)
FAR = (12.0, 2.0, 14.0, 2.0, 14.0, 8.0)


def reduced(annotation: Annotation, **holds: Any) -> tuple[list[Annotation], list[str]]:
    done = project(Sample(path="a", size=(20, 20), annotations=(annotation,)), Holds(**holds))
    assert done.sample is not None
    return list(done.sample.annotations or ()), [loss.code for loss in done.losses]


def test_rings_nest_by_the_even_odd_rule() -> None:
    assert nest([HOLE, OUTER, FAR, ISLAND]) == ((OUTER, HOLE), (FAR,), (ISLAND,))
    assert nest([OUTER]) == ((OUTER,),) and nest([]) == ()
    assert nest([OUTER, OUTER]) == ((OUTER,), (OUTER,))


def test_polygons_that_nest_stay_and_others_become_masks_or_pieces() -> None:
    both = frozenset({"polygon", "mask"})
    plain = Annotation(label="x", shape=Polygon(parts=((OUTER, HOLE), (FAR,))))
    assert reduced(plain, geometry=(both,), polygon_nested=True) == ([plain], [])
    united = Annotation(label="x", shape=Polygon.of(OUTER, HOLE))
    (made,), codes = reduced(united, geometry=(both,), polygon_nested=True)
    assert isinstance(made.shape, Mask) and codes == ["shape.nested"]
    pieces, codes = reduced(united, geometry=(frozenset({"polygon"}),), polygon_nested=True)
    assert [a.shape for a in pieces] == [Polygon.of(OUTER), Polygon.of(HOLE)] and "shape.nested" in codes


def test_masks_are_stacked_where_they_overlap() -> None:
    one, two, three = (0, 4, 4), (2, 4, 2), (6, 2)
    layers = stack([("a", one), ("b", two), ("c", three), ("c", (0, 1, 7))], 2, 4)
    assert [numbers for _, numbers in layers] == [{"a": 1, "c": 2}, {"b": 1, "c": 2}]
    assert layers[0][0].tolist() == [[1, 1, 0, 2], [1, 1, 0, 2]] and layers[1][0].tolist() == [[2, 1, 1, 0], [0, 1, 1, 0]]


def test_cuboids_of_two_upright_faces_stay() -> None:
    rules: dict[str, Any] = {"geometry": (frozenset({"cuboid", "box"}),), "cuboids": "faces"}
    faces = Annotation(label="x", shape=Cuboid(corners=OUTER + HOLE))
    assert reduced(faces, **rules) == ([faces], [])
    (made,), codes = reduced(Annotation(label="x", shape=Cuboid(corners=OUTER + FAR + (1.0, 1.0))), **rules)
    assert made.box == (0, 0, 14, 10) and codes == ["shape.cuboid", "box.derived"]
    assert not is_upright(FAR)


def test_points_that_are_not_there_lose_their_place() -> None:
    rules: dict[str, Any] = {
        "geometry": (frozenset({"keypoints"}),), "keypoint_visibility": "stated", "absent_points": False,
    }  # fmt: skip
    points = Keypoints(points=(1.0, 2.0, 3.0, 4.0), visibility=(0, 1))
    (made,), codes = reduced(Annotation(label="x", keypoints=points), **rules)
    assert made.keypoints == Keypoints(points=(0.0, 0.0, 3.0, 4.0), visibility=(0, 1)) and codes == ["keypoints.absent"]
    (made,), codes = reduced(Annotation(label="x", keypoints=points.replace(visibility=None)), **rules)
    assert made.keypoints == points.replace(visibility=(2, 2)) and codes == ["keypoints.visibility"]
