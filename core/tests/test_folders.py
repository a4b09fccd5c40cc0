import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from labelglot.errors import SourceError
from labelglot.storage import MemorySource, open_source


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
