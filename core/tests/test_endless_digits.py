"""Numbers of thousands of digits: ``int`` refuses them with a ValueError of its own."""

import math

import pytest
from labelglot.plugin import whole
from labelglot.wire import json

ENDLESS = "9" * 5000


@pytest.mark.parametrize("data", [f'{{"a": {ENDLESS}}}', f'[{{"a": {ENDLESS}}}]'])
def test_json_takes_them_for_infinite(data):
    value = json.load(data.encode(), "a.json")
    assert (value[0] if isinstance(value, list) else value)["a"] == math.inf
    for _, record in json.load_records(f'{{"a":\n1}}\n{{"b":\n{ENDLESS}}}'.encode(), "a.json"):
        json.load(bytes(record), "a.json")
    assert json.peek(f'{{"a": {ENDLESS}, "b": 2}}'.encode())["b"] == 2


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), (" 12 ", 12), ("007", 7), ("-1", None), ("1.0", None), ("", None), (None, None), ("٣", None), (ENDLESS, None),
     ("2147483647", 2147483647), ("2147483648", None)],
)  # fmt: skip
def test_whole_numbers_in_plain_digits(text, number):
    assert whole(text) == number


def test_a_limit_of_ones_own():
    assert whole("9999", 9999) == 9999 and whole("10000", 9999) is None
