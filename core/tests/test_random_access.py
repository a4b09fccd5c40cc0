import gzip
import pickle
import zipfile
import zlib
from pathlib import Path

import pytest
from labelglot.errors import UnsafeInput
from labelglot.images import PartImage
from labelglot.storage import MemorySource, Packed, open_source, packing, random_access

DATA = bytes(range(256)) * 100


@pytest.mark.parametrize(
    ("data", "packed"),
    [(DATA, ""), (gzip.compress(DATA), "gzip"), (gzip.compress(DATA[:99]) + gzip.compress(DATA[99:]), "gzip"),
     (zlib.compress(DATA), "zlib")],
)  # fmt: skip
def test_any_source_gives_cheap_seeks(tmp_path: Path, data: bytes, packed: Packed) -> None:
    assert packing(data[:4]) == packed
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / "f").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "f.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("dir/f", data)
    sources = [open_source(tmp_path), open_source(tmp_path / "f.zip"), MemorySource({"dir/f": data})]
    sources += [source.below("dir") for source in sources]
    for source in sources:
        path = "f" if source.where.endswith("/dir") else "dir/f"
        access = random_access(source, path, packed)
        assert (access.size, access.damage) == (len(DATA), None)
        with access.stream as stream:
            stream.seek(1000)
            assert stream.read(10) == DATA[1000:1010]
            stream.seek(0)
            assert stream.read() == DATA
        image = pickle.loads(pickle.dumps(PartImage(source, path, 300, 7, "a.png", packed)))
        assert (image.name, image.read(), image.open().read(3)) == ("a.png", DATA[300:307], DATA[300:303])


def test_what_comes_before_the_damage_is_there() -> None:
    whole = zlib.compress(bytes(100_000))
    cut = random_access(MemorySource({"a": whole[:-8]}), "a", "zlib")
    assert cut.damage == "its compressed data ends too early"
    assert 0 < cut.size <= 100_000
    changed = random_access(MemorySource({"a": whole[:-2] + b"!!"}), "a", "zlib")
    assert changed.damage is not None and changed.size == 100_000


def test_a_part_beyond_the_end_allocates_nothing() -> None:
    assert PartImage(MemorySource({"a": b"abc"}), "a", 1, 1 << 60, "x").read() == b"bc"
    assert PartImage(MemorySource({"a": b"abc"}), "a", 9, 9, "x").read() == b""


def test_a_compression_bomb_is_refused() -> None:
    bomb = gzip.compress(bytes(120 << 20))
    with pytest.raises(UnsafeInput):
        random_access(MemorySource({"a": bomb}), "a", "gzip")
