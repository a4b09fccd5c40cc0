"""The compiled part against plain Python: the same answer, or none. Whatever it is given, it reads no further than that."""

import json
import math
import re
import signal
import subprocess
import sys
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelglot import native
from labelglot.images.probe import probe_head
from labelglot.schema.columns import Boxes, _extent

if not native.COMPILED:
    pytest.skip("labelglot-native is not built here", allow_module_level=True)

USUAL = st.one_of(
    st.floats(1e-4, 9e14), st.integers(-(10**14), 10**14).map(lambda n: n / 100), st.just(0.0), st.just(-0.0),
    st.floats(-1e6, -1e-4), st.integers(0, 4000).map(float),
)  # fmt: skip
ANY = st.one_of(USUAL, st.floats())
PIECE = st.binary(max_size=6)
ROWS = st.integers(0, 4)


def shorter(number):
    return repr(number).removesuffix(".0")


@given(st.lists(ANY, max_size=5), st.booleans())
def test_floats_are_spelled_as_python_spells_them(numbers, short):
    text = native.fill((b"<", b">"), (list(numbers),), len(numbers), shorter=short)
    usual = all(n == 0 or 1e-4 <= abs(n) < 1e15 for n in numbers)
    assert (text is not None) == usual
    if usual:
        assert text == "".join(f"<{(shorter if short else repr)(n)}>" for n in numbers).encode()


ITEM = {
    "whole": st.integers(-(2**70), 2**70), "text": st.text(max_size=4), "bytes": st.binary(max_size=4),
    "ring": st.lists(USUAL, max_size=6).map(tuple), "other": st.sampled_from([None, True, [1.0], (1,), (None,), float("nan")]),
}  # fmt: skip


def spelled(item):
    """What an item becomes, ``None`` for one out of the ordinary."""
    if type(item) is int:
        return str(item).encode() if -(2**63) <= item < 2**63 else None
    if type(item) is bytes:
        return item
    if type(item) is str:
        try:
            return item.encode()
        except UnicodeEncodeError:
            return None
    if type(item) is tuple and item and all(type(n) is float for n in item):
        return "".join(f"{n!r}{',;'[i % 2]}" for i, n in enumerate(item))[:-1].encode()
    return None


@given(st.data(), st.lists(st.sampled_from(sorted(ITEM)), min_size=1, max_size=4), ROWS)
def test_rows_are_filled_piece_by_piece(data, kinds, rows):
    columns = tuple(data.draw(st.lists(ITEM[kind], min_size=rows, max_size=rows)) for kind in kinds)
    pieces = tuple(data.draw(st.lists(PIECE, min_size=len(kinds) + 1, max_size=len(kinds) + 1)))
    text = native.fill(pieces, columns, rows, b",", b";")
    expected = []
    for row in range(rows):
        for piece, column in zip(pieces, columns, strict=False):
            expected += [piece, spelled(column[row])]
        expected.append(pieces[-1])
    assert text == (None if None in expected else b"".join(expected))


def test_arguments_that_would_read_too_far_are_refused():
    with pytest.raises(ValueError):
        native.fill((b"",), ([1],), 1)
    with pytest.raises(ValueError):
        native.fill((b"", b""), ([1],), 2)
    with pytest.raises(ValueError):
        native.fill((b"", b""), (array("d", [1.0, 2.0, 3.0]),), 2)
    with pytest.raises(TypeError):
        native.fill((b"", b""), (array("q", [1]),), 1)
    with pytest.raises(ValueError):
        native.scan(b"1", 2, (b"", b" "), "i")
    with pytest.raises(ValueError):
        native.corners(array("d", [1.0]), 1, 1, 0, 1)
    with pytest.raises(ValueError):
        native.enclose(array("d", [1.0]), [], 0.1)
    with pytest.raises(ValueError):
        native.index(b"{}", 0, 5, (b"a",), 1, 1, b"b", ())
    with pytest.raises(ValueError):
        native.alike(b"<a>", 4, (b"<a>",), b"</a>", "s")
    with pytest.raises(ValueError):
        native.alike(b"<a>", 0, (b"<a>",), b"</a>", "sf")
    with pytest.raises(ValueError):
        native.extent(array("d", [1.0]))


NUMBER = st.one_of(USUAL.map(repr), st.integers(-5, 10**6).map(str), st.sampled_from(["1e3", "nan", "inf", "", "-", "1.2.3", ".5", "5.", " 1", "١"]))


DIGITS, DECIMAL = re.compile(r"-?[0-9]{1,9}"), re.compile(r"-?[0-9]+(\.[0-9]+)?")


@given(st.lists(st.tuples(NUMBER, NUMBER, st.text(max_size=3), NUMBER), max_size=4), st.sampled_from(["\n", "\n\n", ""]))
def test_rows_are_scanned_or_refused(rows, end):
    text = "".join(f"{a} {b}<n>{c}</n>{d}{end or chr(10)}" for a, b, c, d in rows).encode("utf-8", "replace")
    found = native.scan(text, 0, (b"", b" ", b"<n>", b"</n>", (end or "\n").encode()), "ifsf")
    try:
        wholes = [int(a) for a, *_ in rows]
        numbers = [float(n) for _, b, _, d in rows for n in (b, d)]
    except ValueError:
        wholes = numbers = []
    if found is not None and found[0] == len(text):
        assert found[1] == [wholes, array("d", numbers), [c for _, _, c, _ in rows]]
    usual = all(DIGITS.fullmatch(a) and DECIMAL.fullmatch(b) and DECIMAL.fullmatch(d) and (not c or c.isalnum()) for a, b, c, d in rows)
    if usual:
        assert found is not None and found[0] == len(text)


TAGS = (b"<a>", b"<b>")


@given(st.lists(st.tuples(st.text(st.characters(codec="utf-8"), max_size=3), NUMBER), min_size=1, max_size=4), st.sampled_from(["", " ", "</row>"]))
def test_rows_that_are_spelled_like_the_first_one(rows, between):
    text = "".join(f"\n<row x='1'><a>{a}</a>{between}<c>1</c><b>{b}</b></row>" for a, b in rows).encode("utf-8", "replace")
    found = native.alike(b"<z>" + text + b" ", 3, TAGS, b"</row>", "sf")
    if found is not None:
        end, columns, pieces = found
        assert pieces == (b"\n<row x='1'><a>", f"</a>{between}<c>1</c><b>".encode(), b"</b></row>")
        assert (end - 3, columns) == native.scan(text, 0, pieces, "sf")
    usual = all(DECIMAL.fullmatch(b) and (not a or a.isalnum()) for a, b in rows) and between != "</row>"
    assert not usual or (found is not None and found[0] == 3 + len(text))
    assert native.alike(text, 0, (b"<a>", b"<d>"), b"</row>", "sf") is None
    assert native.alike(text, 0, TAGS, b"</rows>", "sf") is None


BOX = st.tuples(*[st.floats(-1e5, 1e5)] * 4)


@given(st.lists(st.tuples(*[st.one_of(st.floats(), st.integers(-3, 3).map(float))] * 4), max_size=4))
def test_extent(boxes):
    sound = boxes and all(-math.inf < b[0] < b[2] < math.inf and -math.inf < b[1] < b[3] < math.inf for b in boxes)
    around = (min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes)) if sound else None
    numbers = Boxes.of(boxes).numbers
    assert native.extent(numbers) == _extent(numbers) == around


def span(low, high):
    width = high - low
    tidy = int(width * 1e9 + 0.5) / 1e9
    return tidy if low + tidy == high else width


@given(st.lists(BOX, max_size=5))
def test_spans(boxes):
    found = native.spans(Boxes.of(boxes).numbers)
    if any(not (0 <= b[2] - b[0] < 1e6 and 0 <= b[3] - b[1] < 1e6) for b in boxes):
        assert found is None
    else:
        sizes = [(x, y, span(x, right), span(y, bottom)) for x, y, right, bottom in boxes]
        assert list(Boxes(found[0])) == sizes
        assert found[1].tolist() == [w * h for *_, w, h in sizes]


@given(st.lists(st.tuples(*[st.floats(-0.5, 1.5)] * 4), max_size=5), st.integers(1, 4000), st.integers(1, 4000))
def test_corners(centres, width, height):
    found = native.corners(Boxes.of(centres).numbers, width, height, -0.01, 1.01)
    if any(not -0.01 <= n <= 1.01 for box in centres for n in box):
        assert found is None
    else:
        made = [((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height) for x, y, w, h in centres]
        assert list(Boxes(found)) == made


@given(st.lists(st.tuples(*[st.one_of(st.floats(-1e7, 1e7), st.integers(-99, 99).map(lambda n: n / 2))] * 4), max_size=4))
def test_centres(boxes):
    found = native.centres(Boxes.of(boxes).numbers, 1e9)
    made = [((x0 + x1) * 5e8, (y0 + y1) * 5e8, (x1 - x0) * 1e9, (y1 - y0) * 1e9) for x0, y0, x1, y1 in boxes]
    if any(abs(n) >= 2**53 for box in made for n in box):
        assert found is None
    else:
        assert list(map(repr, found)) == [repr(round(n) / 1e9) for box in made for n in box]


@given(st.lists(st.tuples(*[st.one_of(st.floats(), st.integers(-3, 3).map(float))] * 4), max_size=5))
def test_edges(sizes):
    corners, sound = native.edges(list(sizes), 1e9)
    made = Boxes.of([(x, y, x + w, y + h) for x, y, w, h in sizes]).numbers
    assert corners.tobytes() == made.tobytes() or all(a == b or (math.isnan(a) and math.isnan(b)) for a, b in zip(corners, made, strict=True))
    assert sound == [0 < w < 1e9 and 0 < h < 1e9 and -1e9 < x < 1e9 and -1e9 < y < 1e9 for x, y, w, h in sizes]


RING = st.lists(st.one_of(st.integers(-9, 9).map(float), st.floats(-9, 9)), max_size=9).map(tuple)


@given(st.lists(RING, max_size=4), st.data())
def test_enclose(rings, data):
    boxes = [
        (min(r[::2]), min(r[1::2]), max(r[::2]), max(r[1::2])) if len(r) > 1 and data.draw(st.booleans()) else data.draw(BOX) for r in rings
    ]
    found = native.enclose(Boxes.of(boxes).numbers, list(rings), 1e-6)
    if any(len(ring) < 4 or len(ring) % 2 for ring in rings):
        assert found is None
    else:
        extents = [(min(r[::2]), min(r[1::2]), max(r[::2]), max(r[1::2])) for r in rings]
        assert found == [all(abs(a - b) <= 1e-6 for a, b in zip(e, box, strict=True)) for e, box in zip(extents, boxes, strict=True)]


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**12), 10**12), st.floats(-1e9, 1e9), st.text(max_size=4)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=6,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "image_id": st.one_of(st.integers(0, 99), JSON), "id": st.one_of(st.integers(0, 99), JSON),
        "category_id": st.one_of(st.integers(0, 9), JSON), "iscrowd": st.one_of(st.integers(0, 1), JSON),
        "bbox": st.one_of(st.lists(st.floats(-1e3, 1e3), min_size=4, max_size=4), JSON), "area": JSON,
        "segmentation": st.one_of(st.just([[1.5, 2.5]]), st.just([]), JSON), "more": JSON,
    },
)  # fmt: skip
WANTED = (b"image_id", b"id", b"category_id", b"iscrowd")


def kind_of(item, field):
    if field not in item:
        return native.MISSING
    value = item[field]
    if type(value) in (int, float):
        return native.NUMBER
    if isinstance(value, list):
        return native.EMPTY if not value else native.NESTED if isinstance(value[0], list) else native.OTHER
    return native.OBJECT if isinstance(value, dict) else native.OTHER


@given(st.lists(FIELDS, max_size=4), st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " :\t")]), st.sampled_from([None, 1]))
def test_index(items, separators, indent):
    text = json.dumps(items, separators=separators, indent=indent).encode()
    inside = text[1:-1]
    found = native.index(text, 1, len(text) - 1, WANTED, 2, 3, b"bbox", (b"area", b"segmentation"))
    ints = [type(item.get(name)) is int for item in items for name in ("image_id", "id")]
    if found is None:
        floats = [type(item.get(name.decode())) is float for item in items for name in WANTED]
        assert not all(ints) or any(floats) or b"N" in inside or b"I" in inside or "\\u" in text.decode()
        return
    assert all(ints)
    begins, ends, numbers, boxes, (areas, outlines), usual = found
    assert [json.loads(text[a:b]) for a, b in zip(begins, ends, strict=True)] == items
    for name, column in zip(WANTED, numbers, strict=True):
        assert column.tolist() == [item[name.decode()] if type(item.get(name.decode())) is int else 0 for item in items]
    assert list(areas) == [kind_of(item, "area") for item in items]
    assert list(outlines) == [kind_of(item, "segmentation") for item in items]
    four = [isinstance(b := item.get("bbox"), list) and len(b) == 4 and all(type(n) in (int, float) for n in b) for item in items]
    expected = all(
        good and type(item.get("category_id")) is int and type(item.get("iscrowd", 0)) is int and "more" not in item
        for item, good in zip(items, four, strict=True)
    )
    assert usual == expected
    if usual:
        assert boxes.tolist() == [float(n) for item in items for n in item["bbox"]]


SCRAPS = st.lists(
    st.sampled_from([b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"id", b'"id":1', b'"image_id":2', b"1.5", b"-", b"e", b"true", b"NaN", b" ", b"\0", b"\xff", b"[" * 70])
).map(b"".join)


@given(SCRAPS)
def test_broken_json_is_refused(text):
    found = native.index(text, 0, len(text), WANTED, 2, 3, b"bbox", (b"area",))
    if found is not None:
        for begin, end in zip(found[0], found[1], strict=True):
            assert text[begin : begin + 1] == b"{" and text[end - 1 : end] == b"}"
    native.scan(text, 0, (b"{", b",", b"}"), "is")
    native.first_children(text, b"{", b"[", b"]")
    native.jpeg(b"\xff\xd8" + text)


@given(st.lists(st.tuples(st.sampled_from(["", " ", "\n\t"]), st.text(st.characters(codec="utf-8"), max_size=5)), max_size=4))
def test_first_children(parts):
    text = "".join(f"<a><object>{blank}<name>{name}</name><x/></object></a>" for blank, name in parts)
    found = native.first_children(text.encode(), b"<object", b"<name>", b"</name>")
    names = [name for _, name in parts]
    refused = any(c in "<>&" or ord(c) < 32 for name in names for c in name)
    assert found == (None if refused else names)
    assert native.first_children(b"<objects><name>a</name></objects>", b"<object", b"<name>", b"</name>") is None
    assert native.first_children(b"<object><part><name>a</name></part></object>", b"<object", b"<name>", b"</name>") is None


@given(st.integers(0, 70_000), st.sampled_from([1, 1000, 1 << 16]))
def test_read(tmp_path_factory, size, limit):
    path = tmp_path_factory.getbasetemp() / "read"
    path.write_bytes(bytes(size))
    found = native.read(str(path), limit)
    assert found is None or found == bytes(min(size, limit))


def test_files_out_of_the_ordinary_are_not_read(tmp_path):
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert native.read(str(tmp_path / "link"), 10) is None
    assert native.read(str(tmp_path / "none"), 10) is None
    assert native.read(str(tmp_path), 10) is None
    assert native.read("a\0b", 10) is None
    assert native.read("\udcff", 10) is None
    assert native.stamps(str(tmp_path), ("a", "none")) is None
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "b").write_bytes(b"bb")
    paths = ("a", "folder/b", "a", "link")
    stats = [(tmp_path / path).stat() for path in paths]
    told = [f"{path}\0{stat.st_size}:{stat.st_mtime_ns}\0".encode() for path, stat in zip(paths, stats, strict=True)]
    assert native.stamps(str(tmp_path), paths) in (None, b"".join(told))
    assert native.stamps(str(tmp_path), ()) in (None, b"")
    assert native.stamps(str(tmp_path), ("none/b",)) is None
    assert native.stamps(str(tmp_path), ("a\0b",)) is native.stamps(str(tmp_path), ("\ud800",)) is None


def test_read_many(tmp_path):
    sizes = {"a/b.txt": 3, "a/empty": 0, "c.txt": 999, "a/ü": 1000, "a/d": 1001, "e": 1 << 16}
    for path, size in sizes.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(b"x" * size)
    (tmp_path / "a/link").symlink_to(tmp_path / "c.txt")
    paths = (*sizes, "a/link", "none", "a", "a/b.txt")
    heads = native.read_many(str(tmp_path), paths, 1000, False)
    assert heads == [b"x" * min(size, 1000) for size in sizes.values()] + [None, None, None, b"xxx"]
    whole = native.read_many(str(tmp_path), paths, 1000, True)
    assert whole == [b"x" * size if size < 1000 else None for size in sizes.values()] + [None, None, None, b"xxx"]
    assert native.read_many(str(tmp_path), ("a/b.txt", "none/b.txt"), 1000, True) is None
    assert native.read_many(str(tmp_path), ("a/b.txt\0c",), 1000, True) is None
    assert native.read_many(str(tmp_path), ("a\0/b.txt",), 1000, True) is None
    assert native.read_many(str(tmp_path), ("\ud800",), 1000, True) is None
    assert native.read_many(str(tmp_path), ("e",), (1 << 16) + 1, True) is None
    assert native.read_many(str(tmp_path), (), 1000, True) == []


def test_entries(tmp_path):
    for name in ("a.txt", "ä b", ".hidden"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a.txt")
    found = native.entries(str(tmp_path))
    if found is not None:
        files, others = found
        assert sorted(files + others) == [".hidden", "a.txt", "folder", "link", "ä b"]
        assert not {"folder", "link"} & set(files)
    assert native.entries(str(tmp_path / "none")) is None
    assert native.entries(str(tmp_path / "a.txt")) is None


@given(st.binary(max_size=40), st.integers(1, 65535), st.integers(1, 65535), st.booleans())
def test_jpeg(comment, width, height, exif):
    segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
    if exif:
        segment += b"\xff\xe1\0\x08Exif\0\0"
    frame = b"\xff\xc0\0\x11\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big") + bytes(10)
    head = b"\xff\xd8" + segment + frame
    assert native.jpeg(head) == (None if exif else (width, height))
    found = probe_head(head)
    assert found is not None and (found.width, found.height) == (width, height)
    assert native.jpeg(head[: 2 + len(segment) + 5]) is None


@given(st.lists(ANY, max_size=6), st.booleans(), st.lists(st.binary(max_size=3), min_size=7, max_size=7))
def test_numbers_are_woven_into_pieces(numbers, short, pieces):
    used = tuple(pieces[: len(numbers) + 1])
    woven = native.weave(used, tuple(numbers), short)
    if woven is None:
        assert any(type(n) is not float or not (n == 0 or 1e-4 <= abs(n) < 1e15) for n in numbers)
    else:
        spelled = [shorter(n) if short else repr(n) for n in numbers]
        assert woven == b"".join(piece + text.encode() for piece, text in zip(used, [*spelled, ""], strict=True))
    with pytest.raises(ValueError):
        native.weave((*used, b""), tuple(numbers), short)


def test_create(tmp_path):
    path = str(tmp_path / "ü.txt")
    data = bytes(range(256)) * 1000
    assert native.create(path, data) and (tmp_path / "ü.txt").read_bytes() == data
    assert native.create(path, b"other") is None and (tmp_path / "ü.txt").read_bytes() == data
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for refused in ("link", "none/a", "a\0b", "\ud800"):
        assert native.create(f"{tmp_path}/{refused}", b"") is None
    assert sorted(each.name for each in tmp_path.iterdir()) == ["link", "ü.txt"]
    assert native.create(str(tmp_path / "empty"), b"") and (tmp_path / "empty").read_bytes() == b""


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="files cannot be limited here")
def test_a_file_that_could_not_be_written_to_its_end_is_not_there(tmp_path):
    program = (
        "import resource, sys; from labelglot import native; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "print(native.create(sys.argv[1], b'x' * 1001), native.create(sys.argv[2], b'x' * 1000))"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "long", tmp_path / "fits"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["None", "True"]
    assert [each.name for each in tmp_path.iterdir()] == ["fits"]
