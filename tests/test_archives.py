"""Archives are read and written as they are: never unpacked, never in memory, images never compressed a second time.

The large one is run by ``uv run pytest -m heavy tests/test_archives.py``; it takes 12 GB of disk for a minute.
"""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.storage import open_source, open_target

PICTURE = b"\xff\xd8\xff" + random.Random(1).randbytes(20_000) + b"\xff\xd9"
ARCHIVES = ["out.zip", "out.tar", "out.tar.gz", "out.tgz"]
MB = 1 << 20


def dataset(folder: Path, images: int, size: int = 0) -> Path:
    """COCO with so many images: small ones, or files with nothing in them of ``size`` bytes, which take no disk."""
    (folder / "images").mkdir(parents=True)
    listed = [{"id": n, "file_name": f"{n}.jpg", "width": 64, "height": 48} for n in range(1, images + 1)]
    boxes = [{"id": n, "image_id": n, "category_id": 1, "bbox": [1, 2, 3, 4], "area": 12, "iscrowd": 0} for n in range(1, images + 1)]
    text = json.dumps({"images": listed, "annotations": boxes, "categories": [{"id": 1, "name": "cat"}]})
    (folder / "instances_train.json").write_text(text)
    for image in listed:
        with (folder / "images" / image["file_name"]).open("wb") as out:
            if size:
                out.truncate(size)
            else:
                out.write(PICTURE)
    return folder


def pack(folder: Path, place: Path) -> Path:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if place.suffix == ".zip":
        with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as made:
            for path in files:
                info = zipfile.ZipInfo(path.relative_to(folder).as_posix())
                with made.open(info, "w", force_zip64=True) as out:
                    out.write(path.read_bytes())
    else:
        with tarfile.open(place, "w:gz" if place.suffix in (".gz", ".tgz") else "w") as made:
            for path in files:
                made.add(path, path.relative_to(folder).as_posix())
    return place


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return dataset(tmp_path / "small", 3)


@pytest.mark.parametrize("source", ARCHIVES)
@pytest.mark.parametrize("target", ARCHIVES)
def test_from_archive_to_archive(small: Path, tmp_path: Path, source: str, target: str) -> None:
    packed = pack(small, tmp_path / f"source-{source}")
    lg.convert(packed, tmp_path / target, to="coco", verify=True)
    found, wanted = lg.read(tmp_path / target), lg.read(small)
    assert not list(lg.compare(wanted, found))
    assert [sample.image.open().read() for sample in found if sample.image] == [PICTURE] * 3


@pytest.mark.parametrize("name", ["a.zip", "a.tar"])
def test_nothing_is_unpacked(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    packed = pack(small, tmp_path / name)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a temporary file")

    for maker in ("TemporaryFile", "SpooledTemporaryFile", "NamedTemporaryFile", "mkstemp"):
        monkeypatch.setattr(tempfile, maker, refuse)
    found = lg.read(packed)
    assert [sample.image.open().read() for sample in found if sample.image] == [PICTURE] * 3
    lg.convert(packed, tmp_path / "out.zip", to="coco")


def test_images_are_stored_and_the_rest_is_packed(small: Path, tmp_path: Path) -> None:
    lg.convert(small, tmp_path / "out.zip", to="voc")
    with zipfile.ZipFile(tmp_path / "out.zip") as made:
        kinds = {Path(info.filename).suffix: (info.compress_type, info.compress_size == info.file_size) for info in made.infolist()}
        pictures = [made.read(name) for name in made.namelist() if name.endswith(".jpg")]
    assert kinds[".jpg"] == (zipfile.ZIP_STORED, True) and kinds[".xml"][0] == zipfile.ZIP_DEFLATED
    assert pictures == [PICTURE] * 3


def test_more_members_than_a_plain_zip_counts(tmp_path: Path) -> None:
    number = (1 << 16) + 10
    with open_target(tmp_path / "many.zip") as target:
        for n in range(number):
            target.write(f"{n}.txt", b"%d" % n)
    source = open_source(tmp_path / "many.zip")
    assert len(source.files()) == number
    assert source.read(f"{number - 1}.txt") == b"%d" % (number - 1)


def test_many_members_of_a_tar_take_no_memory(tmp_path: Path) -> None:
    with open_target(tmp_path / "many.tar") as target:
        for n in range(100):
            target.write(f"{n}.txt", b"%d" % n)
        assert len(target._tar.members) <= 1  # type: ignore[attr-defined]
    assert len(open_source(tmp_path / "many.tar").files()) == 100


CONVERT = """
import resource, sys, labelglot as lg
source, target, to, workers = sys.argv[1:]
lg.convert(source, target, to=to, workers=int(workers))
found = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
if sys.platform == "linux":  # the other number counts what this process was forked from
    found[0] = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
print(*(each >> (10 if sys.platform == "linux" else 20) for each in found))
"""


def peak(source: Path, target: Path, to: str = "coco", workers: int = 1) -> int:
    """Megabytes that converting took at the most, of all processes together."""
    command = [sys.executable, "-c", CONVERT, source, target, to, str(workers)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    main, worker = map(int, done.stdout.split())
    return main + workers * worker


linux = pytest.mark.skipif(sys.platform == "win32", reason="no resource module")


@linux
@pytest.mark.parametrize("name", ["out.zip", "out.tar", "out.tar.gz"])
def test_memory_of_writing_and_reading(tmp_path: Path, name: str) -> None:
    source = dataset(tmp_path / "source", 5, 40 * MB)
    for image in (source / "images").iterdir():
        # An archive that grows more than two hundredfold would not be believed.
        with image.open("r+b") as out:
            for place in range(0, 40 * MB, 100_000):
                out.seek(place)
                out.write(PICTURE[:2000])
    assert peak(source, tmp_path / name) < 160, "the content is 200 MB"
    assert peak(tmp_path / name, tmp_path / "again.zip", "voc") < 160
    assert open_source(tmp_path / "again.zip").size("JPEGImages/5.jpg") == 40 * MB


@linux
@pytest.mark.heavy
@pytest.mark.parametrize("workers", [1, 2])
def test_ten_gigabytes_within_one(tmp_path: Path, workers: int) -> None:
    source = dataset(tmp_path / "source", 100, 103 * MB)
    target = tmp_path / "out.zip"
    try:
        used = peak(source, target, workers=workers)
        assert target.stat().st_size > 10 << 30
        assert used < 1024
        written = open_source(target)
        last = written.files()[-1]
        with written.open(last) as stream:
            stream.seek(102 * MB)
            assert stream.read() == bytes(MB)
        print(f"{target.stat().st_size:,} bytes within {used} MB")
    finally:
        target.unlink(missing_ok=True)


def test_large_stored_members_can_be_read_here_and_there(tmp_path: Path) -> None:
    with open_target(tmp_path / "a.zip") as target:
        target.write("a.jpg", (bytes(MB) for _ in range(101)))
    with open_source(tmp_path / "a.zip").open("a.jpg") as stream:
        assert stream.read(10) == bytes(10)
        assert stream.seek(0, io.SEEK_END) == 101 * MB
