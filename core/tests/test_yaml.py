import pytest
from labelglot.errors import SourceError, UnsafeInput
from labelglot.wire import yaml


def test_scalars_as_typed_values_and_as_text() -> None:
    data = b"\xef\xbb\xbfnames: [no, 0001, 1.0, ~]\n"
    assert yaml.load(data, "f") == {"names": [False, 1, 1.0, None]}
    assert yaml.load_texts(data, "f") == {"names": ["no", "0001", "1.0", "~"]}


def test_aliases_cannot_unfold_to_billions() -> None:
    levels = [b"a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [b"a%d: &a%d [%s]" % (i, i, b", ".join([b"*a%d" % (i - 1)] * 10)) for i in range(1, 10)]
    for data in (b"\n".join(levels), b"a: &a [*a]"):
        with pytest.raises(UnsafeInput):
            yaml.load(data, "f")


@pytest.mark.parametrize("data", [b"a: [", b"a: " + b"[" * 5000, b"d: 2020-99-99", b"x: !!python/object:os.x {}", b"\x00"])
def test_what_is_no_yaml_has_a_place(data: bytes) -> None:
    with pytest.raises(SourceError) as caught:
        yaml.load(data, "f.yaml")
    assert str(caught.value.place).startswith("f.yaml")


def test_names_that_look_like_other_types_come_back_as_text() -> None:
    names = {0: "no", 1: "1", 2: "a: b", 3: "tab\tand\nline", 4: "~", 5: "#x"}
    assert yaml.load(yaml.dump({"names": names}), "f") == {"names": names}
