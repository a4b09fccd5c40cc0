import fnmatch
import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from labelglot import native
from labelglot.engine.journal import state
from labelglot.errors import SourceError
from labelglot.images import SourceImage, look_at
from labelglot.plugin import image_size
from labelglot.storage import MemorySource, open_source
from labelglot.testing.strategies import png


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_folders_without_a_file_are_listed_where_the_source_keeps_them(tmp_path: Path) -> None:
    root = tmp_path / "set"
    for folder in ("train/cat", "train/dog", "__MACOSX/x"):
        (root / folder).mkdir(parents=True)
    (root / "train/cat/a.jpg").write_bytes(b"")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in sorted(root.rglob("*")):
            archive.write(path, path.relative_to(root))
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        tar.add(root, ".")
        hostile = tarfile.TarInfo("../up")
        hostile.type = tarfile.DIRTYPE
        tar.addfile(hostile, io.BytesIO())
    for where in (root, tmp_path / "set.zip", tmp_path / "set.tar"):
        source = open_source(where)
        assert source.folders() == ("train", "train/cat", "train/dog"), where
        assert source.below("train").folders() == ("cat", "dog")
        assert source.files() == ("train/cat/a.jpg",)
    assert MemorySource({"a/b/c": b""}).folders() == ("a", "a/b")


def test_a_damaged_header_is_not_the_end_of_a_tar(tmp_path):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in "ab":
            info = tarfile.TarInfo(name)
            info.size = 3
            tar.addfile(info, io.BytesIO(b"xyz"))
    data = bytearray(out.getvalue())
    data[1024:1030] = b"broken"
    (tmp_path / "x.tar").write_bytes(data)
    with pytest.raises(SourceError, match="header is damaged"):
        open_source(tmp_path / "x.tar").files()


def test_files_read_together_are_those_read_one_by_one(tmp_path: Path) -> None:
    root = tmp_path / "set"
    (root / "a").mkdir(parents=True)
    contents = {"a/b.txt": b"b", "a/empty.txt": b"", "a/long.txt": b"x" * (1 << 17), "c.txt": b"c" * 2000, "a/é.txt": b"e"}
    for path, content in contents.items():
        (root / path).write_bytes(content)
    secret = tmp_path / "secret.txt"
    secret.write_bytes(b"not yours")
    (root / "out.txt").symlink_to(secret)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret.txt").write_bytes(b"not yours")
    (root / "away").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    zipped = tmp_path / "set.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        for path, content in contents.items():
            archive.writestr(path, content)
    hostile = ["../secret.txt", "out.txt", "away/secret.txt", "a/../../secret.txt", str(secret), "none.txt", "none/none.txt"]
    for where in (root, zipped):
        source = open_source(where)
        for limit in (None, 1000):
            for paths in ([*contents], [*contents, *hostile], ["a/b.txt", "c.txt"]):
                found = source.read_many(paths, limit)
                assert len(found) == len(paths)
                for path, content in zip(paths, found, strict=True):
                    assert content is None or content == contents[path][:limit]
            for path in contents:
                assert source.read(path, limit) == contents[path][:limit]
    source = open_source(root)
    source.read("c.txt")
    assert source.read_many(["away/secret.txt"]) == source.read_many(["../secret.txt"]) == source.read_many(["out.txt"]) == [None]
    if native.COMPILED:
        assert source.read_many(["c.txt", "out.txt", "none.txt"]) == [contents["c.txt"], None, None]


def test_headers_read_together_say_what_each_says(tmp_path: Path) -> None:
    broken = b"\xff\xd8\xff\xe0\x00\x10JFIF"
    for name, content in {"a.png": png(7, 5), "b.png": png(3, 4), "c.jpg": broken, "d.txt": b"no image"}.items():
        (tmp_path / name).write_bytes(content)
    source = open_source(tmp_path)
    source.read("a.png")
    paths = ["a.png", "b.png", "c.jpg", "d.txt", "none.png"]
    together = [image_size(image) for image in look_at(source, paths)]
    assert together == [image_size(SourceImage(source, path)) for path in paths] == [(7, 5), (3, 4), None, None, None]


def test_a_list_of_files_that_was_forgotten_is_made_again(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_bytes(b"x")
    source = open_source(tmp_path)
    whole = state(source)
    assert source.files() == ("a.txt", "b.txt") and source.exists("b.txt")
    source.forget_files()
    (tmp_path / "c.txt").write_bytes(b"y")
    assert source.files() == ("a.txt", "b.txt", "c.txt")
    assert state(source) != whole
    (tmp_path / "c.txt").unlink()
    assert state(open_source(tmp_path), alone=True) == state(open_source(tmp_path)) == whole
    (tmp_path / "b.txt").write_bytes(b"xx")
    assert state(open_source(tmp_path)) != whole


PATHS = ("a.JPG", "b/a.jpg", "b/c.txt", "b/x[1].txt", "data.yaml", "B/Data.YAML", "b/noext", "images/train/é.Png", "k", "b/k.x")


@pytest.mark.parametrize(
    "patterns",
    [
        ("*",), ("*.jpg",), ("*.jpg", "*.TXT"), ("data.yaml",), ("b/data.yaml", "*.png"), ("b/*",), ("?", "*.jpg"), ("*/a.*",),
        ("x[[]1].txt",), ("*.jpg", "?.jpg"), ("b/k.[xy]", "noext"), (),
    ],
)  # fmt: skip
def test_files_are_matched_by_path_or_name(patterns: tuple[str, ...]) -> None:
    def fits(path: str, pattern: str) -> bool:
        return any(fnmatch.fnmatchcase(text.lower(), pattern.lower()) for text in (path, path.rpartition("/")[2]))

    source = MemorySource(dict.fromkeys(PATHS, b""))
    assert source.match(*patterns) == tuple(sorted(path for path in PATHS if any(fits(path, pattern) for pattern in patterns)))
