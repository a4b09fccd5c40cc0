"""Many things looked at together come out as each of them alone."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelglot.errors import LabelglotError
from labelglot.holds import Holds
from labelglot.plugin import Annotation, Keypoints, LabelHolds, Mask, Naming, Polygon, RotatedBox, Sample
from labelglot.projection import alike, naming
from labelglot.projection.losses import LossList
from labelglot.projection.naming import Entries, plan_names
from labelglot.projection.objects import outline
from labelglot.projection.project import NO_PLAN, SampleReducer
from labelglot.storage import paths
from labelglot.storage.paths import are_plain, safe_relative
from labelglot.wire.text import spell_all, spell_lines, spell_row, spell_rows
from test_conventions import convention

SQUARE = Polygon.of((1.0, 1.0, 5.0, 1.0, 5.0, 5.0, 1.0, 5.0))
SHAPES = st.sampled_from([
    None, None, SQUARE, SQUARE, Polygon.of((0.0, 0.0, 9.0, 0.0, 9.0, 9.0)), Polygon.of(SQUARE.parts[0][0], SQUARE.parts[0][0]),
    Polygon(parts=()), Mask(width=4, height=4, rle="04"), RotatedBox(corners=(0.0, 0.0, 2.0, 0.0, 2.0, 1.0, 0.0, 1.0)),
])  # fmt: skip
OBJECTS = st.builds(
    Annotation,
    label=st.sampled_from(["a", "a", "b", None]), box=st.sampled_from([(1.0, 1.0, 5.0, 5.0), (1.0, 1.0, 5.0, 6.0), None]),
    shape=SHAPES, id=st.sampled_from([1, 2, "x", None]), score=st.sampled_from([None, None, None, 0.5]),
    attributes=st.sampled_from([{}, {}, {"crowd": True}, {"crowd": 1}, {"size": "large"}]),
    extra=st.sampled_from([{}, {"coco": {"area": 1}}, {"coco": {"area": 2}}, {"voc": 1}]),
    keypoints=st.sampled_from([None, None, None, Keypoints(points=(1.0, 1.0))]),
)  # fmt: skip
ROWS = st.one_of(st.lists(OBJECTS, min_size=2, max_size=6), OBJECTS.flatmap(lambda a: st.lists(st.just(a), min_size=2, max_size=6)))
SLOTS = st.sampled_from([
    (frozenset({"box"}),), (frozenset({"box"}), frozenset({"polygon", "mask"})), (frozenset({"box", "polygon", "mask", "rotated_box"}),),
    (frozenset({"polygon"}),),
])  # fmt: skip


@given(ROWS)
def test_what_does_not_deviate_has_the_same_outline(objects):
    found = alike.deviating(objects)
    if found is not None:
        assert len({outline(a) for i, a in enumerate(objects) if i not in found}) == 1
        assert outline(objects[0]) is not None and 0 not in found


@given(st.lists(ROWS, min_size=1, max_size=4), SLOTS, st.sampled_from(["none", "int", "str"]), st.booleans())
def test_what_is_foreseen_happens(rows, slots, ids, required):
    holds = Holds(geometry=slots, labels=LabelHolds(), ids=ids, ids_required=required and ids != "none")
    samples = [Sample(path=f"{i}.png", size=(9, 9), annotations=tuple(row)) for i, row in enumerate(rows)]
    together = SampleReducer(holds, NO_PLAN).foresee(samples)
    for ordinal, (sample, foreseen) in enumerate(zip(samples, together, strict=True)):
        results = []
        for known in (None, foreseen):
            losses = LossList(sample.key)
            kept, trace = SampleReducer(holds, NO_PLAN).reduce(sample, ordinal, 7, losses, known)
            results.append(((kept, tuple(trace)), losses.losses))
        assert results[0][0] == results[1][0]
        assert sorted(map(repr, results[0][1])) == sorted(map(repr, results[1][1]))


@given(st.lists(st.tuples(st.sampled_from([(1.0, 1.0, 5.0, 5.0), (1.0, 1.0, 5.0, 5.0 + 1e-8), (1.0, 2.0, 5.0, 5.0)]), SHAPES.filter(lambda s: (s is not None and not isinstance(s, Polygon)) or bool(s and s.parts))), min_size=1, max_size=8))
def test_boxes_follow_from_shapes(pairs):
    boxes, shapes = zip(*pairs, strict=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alike, "MANY", 1)
        assert alike.follow(boxes, shapes) == [alike.follows(box, shape) for box, shape in pairs]


@given(st.sets(st.integers(0, 11)), st.lists(st.integers(0, 4), max_size=6))
def test_without(numbers, lengths):
    starts = [sum(lengths[:i]) for i in range(len(lengths))]
    expected = [not numbers & set(range(start, start + length)) for start, length in zip(starts, lengths, strict=True)]
    assert alike.without(numbers, lengths) == expected


PATHS = st.sampled_from(["a.jpg", "A.jpg", "b.jpg", "b.png", "c.d.jpg", "x/a.jpg", "../a.jpg", "e f.jpg", "g", "h.txt", "a.jpg\nb.jpg", "é.jpg"])
ENTRIES = st.lists(
    st.tuples(
        PATHS, st.sampled_from([(), ("train",), ("val",), ("other",)]),
        st.sampled_from([None, 1, 2, 3, "4"]), st.none(),
    ), max_size=4,
).map(lambda rows: Entries(*(map(list, zip(*rows, strict=True)) if rows else [[]] * 4)))  # fmt: skip


@given(
    ENTRIES, st.sampled_from(["none", "any"]), st.sampled_from(["none", "int", "str", "any"]),
    st.sampled_from([Naming(), Naming(scope="split", unique="stem", suffix=False), Naming(folders=False), Naming(pattern=r"[a-z.]+")]),
)  # fmt: skip
def test_usual_names_are_planned_as_others_are(entries, splits, ids, rules):
    holds = Holds(splits=splits, sample_ids=ids, naming=rules)
    usual = plan_names(entries, holds)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(naming, "_plan_usual", lambda *_: None)
        assert plan_names(entries, holds) == usual


BOXES = st.lists(st.tuples(*[st.floats(-500, 500) | st.sampled_from([0.0, 1e17, math.nan, math.inf, 0.1 + 0.2])] * 4), max_size=4)


@given(convention, BOXES)
def test_boxes_are_written_together_as_alone(spelling, boxes):
    assert repr(spelling.write_boxes(boxes, (200, 100))) == repr([spelling.write_box(box, (200, 100)) for box in boxes])


@given(BOXES)
def test_rows_are_spelled_together_as_alone(rows):
    assert spell_rows(rows) == [",".join(spell_all(row)) for row in rows]
    try:
        alone = [spell_row(row) for row in rows]
    except LabelglotError:
        with pytest.raises(LabelglotError):
            spell_lines(rows)
    else:
        assert spell_lines(rows) == alone


NAMES = st.lists(
    st.one_of(
        st.text(alphabet="ab.-_/ é\n\\:", max_size=8),
        st.sampled_from(["a.jpg", "x/a.b.jpg", "../a", "a/..", "a//b", "/a", "a/", ".a", "a.", "a/./b", "a b.jpg", "C:/a", ""]),
    ),
    max_size=4,
)  # fmt: skip


@given(NAMES)
def test_plain_names_are_paths_as_they_are(names):
    for name in names if are_plain(names) else ():
        assert safe_relative(name) == name
    one_by_one = all(paths._PLAIN.fullmatch(name) for name in names)
    assert are_plain(names) == one_by_one
