"""A conversion that is killed goes on with ``--resume`` and ends with the bytes of one that was not."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.engine.journal import LEAST
from labelglot.plugin import Annotation, Dataset, Sample

IMAGES = 500 * LEAST + 700
BAIT = """
import os, sys, time
from labelglot.engine import chunk
real, left = chunk.record, [int(sys.argv.pop(1))]
def slow(*arguments):
    real(*arguments)
    left[0] -= 1
    if left[0] == 0:
        open(sys.argv[-1], "w").close()
        time.sleep(60)
chunk.record = slow
from labelglot.cli import main
sys.exit(main(sys.argv[1:-1]))
"""
"""Converts until so many chunks are done, says so by making a file, and waits to be killed."""


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    where = tmp_path_factory.mktemp("source") / "in.labelglot.jsonl"
    samples = [
        Sample(
            path=f"{i % 7}/{i}.jpg", size=(640, 480), splits=("train" if i % 5 else "val",),
            annotations=tuple(Annotation(label=f"c{(i + k) % 9}", box=(k + 0.5, 1.0, k + 20.25, 30.0 + i % 13)) for k in range(i % 4)),
        )
        for i in range(IMAGES)
    ]  # fmt: skip
    lg.write(Dataset(samples, [f"c{i}" for i in range(9)]), where, format="labelglot")
    return where


def contents(place: Path) -> dict[str, bytes]:
    if place.is_file():
        return {"": place.read_bytes()}
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def kill_after(chunks: int, source: Path, target: Path, to: str) -> None:
    """Start a conversion and kill it when so many chunks are done."""
    bait, told = target.parent / "bait.py", target.parent / "told"
    bait.write_text(BAIT)
    command = [sys.executable, str(bait), str(chunks), "convert", str(source), str(target), "--to", to, "--workers", "1", "-q"]
    process = subprocess.Popen([*command[:3], *command[3:], str(told)], start_new_session=True)
    try:
        for _ in range(600):
            if told.exists() or process.poll() is not None:
                break
            time.sleep(0.1)
        assert told.exists(), "it ended before it could be killed"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    bait.unlink()
    told.unlink()


def resumed(source: Path, target: Path, to: str, **more) -> lg.Conversion:
    return lg.convert(source, target, to=to, resume=True, workers=1, **more)


@pytest.mark.parametrize(("to", "name"), [("yolo", "out"), ("yolo", "out.zip"), ("coco", "out"), ("labelglot", "out.labelglot.jsonl")])
def test_it_goes_on_and_ends_with_the_same_bytes(source, tmp_path, to, name):
    whole = tmp_path / "whole" / name
    lg.convert(source, whole, to=to, workers=1)
    target = tmp_path / "killed" / name
    target.parent.mkdir()
    kill_after(3, source, target, to)
    left = [path.suffix for path in target.parent.iterdir()]
    assert not target.exists() and ".job" in left and set(left) <= {".job", ".part"}
    done = resumed(source, target, to)
    assert done.report.counts["samples.resumed"] == 3 * 500 - 3 * (500 - -(-IMAGES // -(-IMAGES // 500)))
    assert contents(target) == contents(whole)
    assert list(target.parent.iterdir()) == [target]


def test_a_damaged_part_is_done_again(source, tmp_path):
    whole, target = tmp_path / "whole", tmp_path / "out"
    lg.convert(source, whole, to="yolo", workers=1)
    kill_after(2, source, target, "yolo")
    (part,) = tmp_path.glob(".out.*.part")
    victim = next(path for path in sorted(part.rglob("*.txt")) if path.read_bytes())
    victim.write_bytes(victim.read_bytes()[:-1] + b"0")
    (part / "labels" / "stray.txt").write_text("nobody wrote this")
    done = resumed(source, target, "yolo")
    assert 0 < done.report.counts["samples.resumed"] < 1000
    assert contents(target) == contents(whole)


def test_another_source_or_other_options_start_anew(source, tmp_path):
    target = tmp_path / "out"
    kill_after(2, source, target, "yolo")
    done = resumed(source, target, "yolo", options={"layout": "roboflow"})
    assert "samples.resumed" not in done.report.counts
    assert [line.code for line in done.report.problems()] == ["resume.none"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"], "what was left behind is swept away"


def test_nothing_is_left_after_an_error(source, tmp_path):
    with pytest.raises(lg.LabelglotError):
        lg.convert(source, tmp_path / "out", to="yolo", lossless=True)
    assert list(tmp_path.iterdir()) == []
