import pytest
from labelglot.holds import Holds, LabelHolds
from labelglot.projection.labels import project_labels
from labelglot.schema import Label

HOLDS = Holds(labels=LabelHolds(ids="int", ids_required=True, first_id=1))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"a": 0, "b": 1, "c": 90}, [1, 2, 91]),
        ({"a": 3, "b": 1}, [3, 1]),
        ({"background": 0, "a": 1}, [0, 1]),
        ({"a": None, "b": None}, [1, 2]),
        ({"a": 0, "b": None, "c": "x"}, [1, 2, 3]),
    ],
)
def test_numbers_below_the_first_are_raised_together(given: dict[str, int | str | None], expected: list[int]) -> None:
    labels = [Label(key=name, name=name, id=number) for name, number in given.items()]
    plan = project_labels(labels, HOLDS)
    assert [label.id for label in plan.labels] == expected
    changed = [key for (key, old), new in zip(given.items(), expected, strict=True) if old != new]
    assert [loss.object for loss in plan.losses] == changed


def test_a_new_number_is_none_that_another_class_has_as_text() -> None:
    labels = [Label(key=name, name=name, id=number) for name, number in {"a": 1, "b": None, "c": "2"}.items()]
    plan = project_labels(labels, Holds(labels=LabelHolds(ids="str", ids_required=True)))
    assert [label.id for label in plan.labels] == ["1", "3", "2"]
