"""A document taken apart block by block gives what it gives as a whole, or is refused in the same words."""

import json as plain
import random

import pytest
from labelglot.errors import LabelglotError
from labelglot.storage import MemorySource
from labelglot.wire import json, json_large
from labelglot.wire.json_large import Parts, Scratch, scan_fields

LISTS = ("a", "b")


def whole(data):
    found = json.load_fields(data, "d")
    return {k: list(map(bytes, json.load_parts(v, "d"))) if k in LISTS and bytes(v)[:1] == b"[" else bytes(v) for k, v in found.items()}


def apart(data, block):
    found = scan_fields(MemorySource({"d": data}), "d", LISTS, Scratch(), block)
    return {k: list(map(bytes, v)) if isinstance(v, Parts) else bytes(v) for k, v in found.items()}


def outcome(function, *arguments):
    try:
        return function(*arguments)
    except LabelglotError as error:
        return type(error), str(error)


def value(chance, depth):
    kind = chance.random()
    if kind < 0.2:
        return chance.choice([1, 2.5, -3e5, True, None, float("nan")])
    if kind < 0.5:
        return chance.choice(["x", 'q"uo', "b\\", '\\\\"', "[{,", "ü\n", "a,]}"])
    if depth == 0:
        return 0
    if kind < 0.75:
        return [value(chance, depth - 1) for _ in range(chance.randint(0, 4))]
    return {chance.choice("abcd"): value(chance, depth - 1) for _ in range(chance.randint(0, 4))}


def document(chance):
    fields = {
        key: [value(chance, 3) for _ in range(chance.randint(0, 5))] if chance.random() < 0.7 else value(chance, 3)
        for key in chance.sample("abcx", chance.randint(0, 4))
    }
    separators = chance.choice([None, (",", ":"), (" ,", " : ")])
    text = plain.dumps(fields, ensure_ascii=chance.random() < 0.5, indent=chance.choice([None, 1]), separators=separators)
    return chance.choice([b"", b"\xef\xbb\xbf", b" \n"]) + text.encode() + chance.choice([b"", b"", b"\n", b" x"])


def damage(chance, data):
    broken = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        place, kind = chance.randrange(len(broken) + 1), chance.random()
        if kind < 0.3:
            broken[place : place + 1] = bytes([chance.choice(b'[]{},":x\\ \xff\n0')])
        elif kind < 0.6:
            del broken[place : place + chance.randint(1, 4)]
        elif kind < 0.8:
            broken[place:place] = bytes([chance.choice(b'[]{},":\\ \xff1')])
        else:
            del broken[place:]
    return bytes(broken)


@pytest.mark.parametrize("seed", range(150))
def test_the_same_as_the_whole(seed):
    chance = random.Random(seed)
    good = document(chance)
    for data in (good, damage(chance, good)):
        for block in (1, 3, 64, 10_000):
            assert outcome(apart, data, block) == outcome(whole, data)


@pytest.mark.parametrize(
    "data",
    [b"", b" ", b"[1]", b"7", b'"x', b'{"a":[1,2],"a":[3]}', b'{"a":[1],"a":5}', b'{"a":[]}', b'{"a":[1,]}', b'{"a":[1]1}', b'{"a":1[]}',
     b'{"a":[1][2]}', b'{"a":[1}', b'{"a":[1]]', b'{"a":[1]}}', '{"a":["ü"]}'.encode("utf-16"), b'{"a":[' + b"[" * 5000 + b"]}"],
    ids=lambda data: data[:20].decode("latin-1"),
)  # fmt: skip
def test_odd_documents(data):
    for block in (1, 5, 10_000):
        assert outcome(apart, data, block) == outcome(whole, data)


def test_an_item_that_never_ends_is_noticed(monkeypatch):
    monkeypatch.setattr(json_large, "SUSPECT", 1000)
    data = b'{"a":[{"b":[1,2},' + b'{"b":[1,2]},' * 10_000 + b"{}]}"
    with pytest.raises(LabelglotError, match="Expecting ',' delimiter at line 1, column 16"):
        apart(data, 100)
    long = b'{"a":["' + b"x" * 10_000 + b'"],"c":"' + b"x" * 10_000 + b'"}'
    assert apart(long, 100) == whole(long)


def test_items_here_and_there():
    data = b'{"a":[' + b",".join(b'{"n":%d}' % n for n in range(100)) + b"]}"
    parts = scan_fields(MemorySource({"d": data}), "d", LISTS, Scratch())["a"]
    assert isinstance(parts, Parts) and len(parts) == 100
    assert bytes(parts[-1]) == bytes(parts[99]) == b'{"n":99}'
    assert [bytes(each) for each in parts[2:9:3]] == [b'{"n":2}', b'{"n":5}', b'{"n":8}']
    with pytest.raises(IndexError):
        parts[100]
