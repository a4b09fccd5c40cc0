import pytest
from labelglot.errors import LabelglotError
from labelglot.wire.label_map import Item, format_label_map, parse_label_map


def test_spellings_found_in_the_wild() -> None:
    text = """\ufeff# classes
item{name: "a, \\"b\\"", id: 2}
item {
  id: 1  # first
  name: 'it\\'s'
  display_name: "Stra\\303\\237e",
  keypoints { id: 1 label: "left eye" }
  keypoints: {id: 0, label: 'nose'}
}
"""
    assert parse_label_map(text, "map") == [
        Item(2, 'a, "b"'),
        Item(1, "it's", "Straße", ((1, "left eye"), (0, "nose"))),
    ]


def test_written_items_read_back() -> None:
    items = [Item(1, "a\\b 'c'", "d\ne", ((0, "nose"),)), Item(90, "\\101 汽车")]
    assert parse_label_map(format_label_map(items), "map") == items
    assert format_label_map([(1, "cat")]) == "item {\n  id: 1\n  name: 'cat'\n}\n"


@pytest.mark.parametrize("text", ["item { id: x name: 'a' }", "item { name: 'a' }", "[1, 2]"])
def test_what_is_no_label_map_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(LabelglotError, match=r"map:1: "):
        parse_label_map(text, "map")
