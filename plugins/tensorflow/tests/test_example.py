"""The wire: tf.train.Example and record framing."""

import io
import struct

import pytest
from labelglot.errors import LabelglotError
from labelglot_tensorflow import example, records
from labelglot_tensorflow.example import Feature


def features_in(data):
    return {key: example.decode(data, span) for key, span in example.spans(data).items()}


def frames_of(data, verify=True):
    heard = []
    found = list(records.frames(io.BytesIO(data), len(data), verify, lambda *what: heard.append(what)))
    return found, heard


def test_checks_are_those_of_the_specification():
    assert records.masked_crc(b"123456789") == 0xC78AB0E5
    assert records.masked_crc(struct.pack("<Q", 5)) == 0x3E04B2EA
    assert records.framed(b"abcde")[:12] == struct.pack("<QI", 5, 0x3E04B2EA)


def test_what_is_encoded_is_decoded():
    features = {
        "image/filename": Feature("bytes", ["ü.jpg".encode(), b"", b"x" * 300]),
        "f": Feature("float", [0.5, -1.25, 0.0]),
        "i": Feature("int", [0, 1, -1, 127, 128, (1 << 63) - 1, -(1 << 63)]),
        "no floats": Feature("float", []),
        "no ints": Feature("int", []),
        "no bytes": Feature("bytes", []),
    }
    assert features_in(example.encode(features)) == features


def test_bytes_written_by_hand_decode():
    """Unpacked numbers, several chunks, a key twice, unknown fields, an empty feature, value before key."""

    def part(tag, data):
        return bytes([tag, len(data)]) + data

    def entry(key, value):
        return part(0x0A, part(0x0A, key) + part(0x12, value))

    floats = part(0x12, b"\x0d" + struct.pack("<f", 1.5) + part(0x0A, struct.pack("<2f", 2.5, 3.5)))
    ints = part(0x1A, b"\x08\x05" + part(0x0A, b"\x81\x01"))
    backwards = part(0x0A, part(0x12, part(0x0A, part(0x0A, b"v"))) + part(0x0A, b"back"))
    body = entry(b"a", part(0x1A, b"\x08\x01")) + entry(b"f", floats) + entry(b"i", ints) + entry(b"e", b"")
    data = part(0x0A, body + entry(b"a", part(0x0A, part(0x0A, b"last")))) + b"\x38\x07" + part(0x0A, backwards)
    assert features_in(data) == {
        "a": Feature("bytes", [b"last"]), "f": Feature("float", [1.5, 2.5, 3.5]), "i": Feature("int", [5, 129]),
        "e": Feature("bytes", []), "back": Feature("bytes", [b"v"]),
    }  # fmt: skip


@pytest.mark.parametrize("data", [b"\x0a", b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x02\x0a\x05", b"\x0b\x00", b"\xff" * 12])
def test_what_is_no_message_is_refused(data):
    with pytest.raises(LabelglotError):
        features_in(data)


def test_numbers_that_do_not_fit_are_refused():
    for feature in (Feature("float", [1e300]), Feature("int", [1 << 63])):
        with pytest.raises(LabelglotError, match="k holds a number"):
            example.encode({"k": feature})


def test_long_values_are_not_read_for_the_index():
    features = {
        "a": Feature("int", [1]), "image/encoded": Feature("bytes", [bytes(500_000)]), "z": Feature("bytes", [b"end"]),
    }  # fmt: skip
    data = b"before" + example.encode(features)

    class Counting(io.BytesIO):
        taken = 0

        def read(self, n=-1):
            found = super().read(n)
            Counting.taken += len(found)
            return found

    found = example.skim(Counting(data), 6, len(data) - 6, frozenset({"a", "z"}))
    assert found == {"a": features["a"], "z": features["z"]}
    assert Counting.taken < 50_000
    assert example.keys(io.BytesIO(data), 6, len(data) - 6) == features.keys()


def test_a_length_is_never_believed():
    huge = struct.pack("<Q", 1 << 60)
    data = records.framed(b"good") + huge + struct.pack("<I", records.masked_crc(huge)) + b"rest"
    found, heard = frames_of(data)
    assert [(f.number, f.offset, f.length) for f in found] == [(1, 12, 4)]
    assert heard == [("truncated", "the file ends inside the record, 16 bytes after its beginning", 2)]


def test_a_damaged_length_ends_the_file_and_unverified_it_counts():
    data = bytearray(records.framed(b"one") + records.framed(b"two"))
    data[19 + 9] ^= 1
    found, heard = frames_of(bytes(data))
    assert len(found) == 1 and heard[0][0] == "length" and heard[0][2] == 2
    assert len(frames_of(bytes(data), verify=False)[0]) == 2


def test_damaged_data_is_told_only_if_verified():
    data = bytearray(records.framed(b"one"))
    data[13] ^= 1
    with pytest.raises(LabelglotError, match="changed after it was written"):
        records.read_data(io.BytesIO(data), 12, 3, True)
    assert len(records.read_data(io.BytesIO(data), 12, 3, False)) == 3
