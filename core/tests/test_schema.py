"""The canonical schema: exact bytes, three states of labelling, stable keys."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelglot.errors import LabelglotError
from labelglot.schema import (
    Annotation,
    Dataset,
    Keypoints,
    Label,
    Polygon,
    Sample,
    dumps,
    label_keys,
    loads,
    split_role,
)

finite = st.floats(allow_nan=False, allow_infinity=False)


@given(st.tuples(finite, finite, finite, finite), st.one_of(st.none(), st.integers(), st.text()))
def test_canonical_bytes_return_the_same_object(box, id_):
    shape = Polygon(parts=((box,),))
    sample = Sample(path="a.jpg", annotations=(Annotation(label="cat", box=box, shape=shape, id=id_),))
    assert loads(dumps(sample), Sample) == sample
    assert dumps(loads(dumps(sample), Sample)) == dumps(sample)


def test_unlabelled_is_not_empty():
    assert dumps(Sample(path="a", annotations=None)) != dumps(Sample(path="a", annotations=()))
    assert loads(dumps(Sample(path="a", annotations=())), Sample).annotations == ()


def test_a_field_of_a_newer_version_is_kept():
    data = b'{"novel":[1],"path":"a.jpg"}'
    assert dumps(loads(data, Sample)) == data


def test_the_first_wrong_value_is_named_with_its_path():
    with pytest.raises(LabelglotError, match=r"annotations\.0\.box"):
        loads(b'{"path":"a","annotations":[{"box":[1,2,"x",4]}]}', Sample)


def test_equal_names_get_keys_of_their_own():
    assert label_keys(["cat", "cat"], [1, 7]) == ("cat", "cat#7")


def test_objects_pickle_and_uid_is_no_part_of_equality():
    one = Annotation(label="cat", uid="1")
    assert pickle.loads(pickle.dumps(one)) == one == Annotation(label="cat", uid="2")
    assert Annotation.trusted(label="cat") == Annotation(label="cat")


@pytest.mark.parametrize(
    ("name", "role"), [("train2017", "train"), ("valid", "val"), ("Test", "test"), ("fold1", None)]
)
def test_split_roles(name, role):
    assert split_role(name) == role


@given(st.integers(1, 9))
def test_partitions_concatenate_to_iteration(n):
    dataset = Dataset([Sample(path=str(i)) for i in range(5)], [Label(key="a", name="a")])
    parts = [s for part in dataset.partitions(n) for s in part.read(None)]
    assert parts == list(dataset)
    assert dataset.fingerprint() == Dataset(parts[::-1], dataset.labels).fingerprint()


def test_records_that_are_equal_are_not_unequal():
    one, other = (Keypoints(points=(1.0, 2.0), visibility=(2,)) for _ in range(2))
    assert one == other and (one != other) is False
    assert one != Keypoints(points=(1.0, 2.0), visibility=(1,)) and one != (1.0, 2.0)
