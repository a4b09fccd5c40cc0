"""What starting costs: large libraries are imported where they are needed, and nowhere else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("numpy", "PIL", "lxml", "pyarrow", "hypothesis", "pytest", "fsspec", "h5py", "google.protobuf", "yaml", "rich", "asyncio", "sqlite3")
SCRIPT = """
import sys
from labelglot.cli import main
code = main(sys.argv[2:])
print(code, len(sys.modules), *(name for name in sys.argv[1].split(",") if name in sys.modules), file=sys.stderr)
"""


def start(*words: object) -> tuple[int, set[str]]:
    """How many modules a command imports, and which of the large ones."""
    command = [sys.executable, "-c", SCRIPT, ",".join(HEAVY), *map(str, words)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LABELGLOT", "COV_", "COVERAGE", "PYTEST"))}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    code, number, *found = done.stderr.splitlines()[-1].split()
    assert (done.returncode, code) == (0, "0"), done.stderr
    return int(number), set(found)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    image = {"id": 1, "file_name": "a.jpg", "width": 9, "height": 9}
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "area": 12, "iscrowd": 0}
    text = json.dumps({"images": [image], "annotations": [box], "categories": [{"id": 1, "name": "cat"}]})
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "instances_train.json").write_text(text)
    return tmp_path / "source"


def test_help() -> None:
    number, heavy = start("--help")
    assert heavy == set() and number < 300


def test_list_of_formats() -> None:
    number, heavy = start("formats")
    assert heavy <= {"lxml", "rich"} and number < 900


def test_one_format() -> None:
    number, heavy = start("formats", "coco")
    assert heavy == set() and number < 450


NEEDS = {"coco": set(), "yolo": {"yaml"}, "voc": {"lxml"}, "tfod-csv": set(), "createml": set(), "labelme": set()}


@pytest.mark.parametrize("format", NEEDS)
def test_converting_a_tiny_set(tiny: Path, tmp_path: Path, format: str) -> None:
    number, heavy = start("convert", tiny, tmp_path / "there", "--from", "coco", "--to", format, "--quiet")
    assert heavy <= NEEDS[format] and number < 560
    number, heavy = start("convert", tmp_path / "there", tmp_path / "back", "--from", format, "--to", "coco", "--quiet")
    assert heavy <= NEEDS[format] and number < 560
