"""Full disks, killed processes, files that change meanwhile, two writers: the output is complete or absent."""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
import warnings
import zipfile
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.errors import TargetError
from labelglot.formats.registry import Registry
from labelglot.hooks import hookimpl
from labelglot.images import BytesImage
from labelglot.schema import Annotation, Dataset, Sample
from labelglot.storage import MemoryTarget
from labelglot.testing.strategies import png

FORMATS = [f for f in lg.registry.formats() if f.reads and f.writes]
THOROUGH = os.environ.get("LABELGLOT_PROFILE") == "thorough"
KILLS = int(os.environ.get("LABELGLOT_KILLS", "100" if THOROUGH else "24"))


def dataset(number, objects=3):
    boxes = tuple(Annotation(label="cat", box=(1.0 + i, 2.0, 30.0 + i, 40.0)) for i in range(objects))
    return Dataset([Sample(path=f"{i:05}.png", id=i, size=(64, 48), annotations=boxes) for i in range(number)], ["cat"])


def with_images(number):
    return Dataset([s.replace(image=BytesImage(s.path, png(64, 48))) for s in dataset(number)], ["cat"])


def left(folder, *known):
    return sorted(p.name for p in folder.iterdir() if p.name not in known)


def run(*argv, **how):
    command = [sys.executable, "-m", "labelglot", *map(str, argv)]
    # A limit on files must not cut off the byte code that Python keeps of what it imports.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment, **how)


def small_files():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, 8_000))


# No room


@pytest.mark.parametrize("name", ["out", "out.zip", "out.tar.gz", "out.json"])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_file_that_cannot_grow(name, workers, tmp_path, record_property):
    record_property("faults: a file that cannot grow", 1)
    lg.write(dataset(500), tmp_path / "in.json", format="coco")
    done = run("convert", tmp_path / "in.json", tmp_path / name, "--from", "coco", "--to", "coco", "--workers", workers, preexec_fn=small_files)
    assert done.returncode == 1, done.stderr
    assert "error:" in done.stderr and ("cannot be written" in done.stderr or "File too large" in done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert left(tmp_path, "in.json") == []


@pytest.fixture
def tiny_disk(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", place], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("no file system may be mounted here")
    yield place
    subprocess.run(["umount", "-l", place], check=False)


@pytest.mark.parametrize("name", ["out", "out.zip", "out.tar", "out.json"])
def test_a_full_disk(name, tmp_path, tiny_disk, record_property):
    record_property("faults: a full disk", 2)
    lg.write(dataset(1200), tmp_path / "in.json", format="coco")
    source, target = tmp_path / "in.json", tiny_disk / name
    to = "voc" if name != "out.json" else "coco"
    if name == "out.zip":
        (tiny_disk / "filler").write_bytes(os.urandom(180_000))
    with pytest.raises(TargetError, match=r"cannot be written: No space left on device.*check free space"):
        lg.convert(source, target, to=to, workers=1)
    assert left(tiny_disk, "filler") == []
    (tiny_disk / "filler").unlink(missing_ok=True)
    lg.write(dataset(2), target, format=to)
    with pytest.raises(TargetError):
        lg.convert(source, target, to=to, overwrite=True)
    assert len(list(lg.read(target, format=to))) == 2 and left(tiny_disk) == [name]


def test_a_disk_that_may_only_be_read(tmp_path, tiny_disk, record_property):
    record_property("faults: a read-only disk", 2)
    lg.write(dataset(2), tiny_disk / "old", format="coco")
    subprocess.run(["mount", "-o", "remount,ro", tiny_disk], check=True)
    for name, overwrite in (("new", False), ("old", True)):
        with pytest.raises(TargetError, match="Read-only file system"):
            lg.write(dataset(3), tiny_disk / name, format="coco", overwrite=overwrite)
    assert len(list(lg.read(tiny_disk / "old"))) == 2 and left(tiny_disk) == ["old"]


@pytest.mark.parametrize("place", ["/proc/labelglot-out", "/sys/labelglot-out", "FILE/out"])
def test_a_place_where_nothing_can_be_written(place, tmp_path, record_property):
    record_property("faults: a place that refuses", 1)
    (tmp_path / "file").write_text("x")
    target = place.replace("FILE", str(tmp_path / "file"))
    with pytest.raises(TargetError) as error:
        lg.write(dataset(2), target, format="coco")
    assert target in str(error.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_without_permission(tmp_path, record_property):
    record_property("faults: a place that refuses", 1)
    tmp_path.chmod(0o555)
    with pytest.raises(TargetError, match="Permission denied"):
        lg.write(dataset(2), tmp_path / "out", format="coco")
    tmp_path.chmod(0o755)


# Killed


def in_child(work):
    """A fork that does some work and ends without cleaning up; its process id."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    except lg.LabelglotError:
        code = 3
    except BaseException:
        code = 99
    finally:
        os._exit(code)


def ended(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_killed_at_any_moment(tmp_path, record_property):
    """Half of the kills hit a conversion into nothing, half one that replaces an older output."""
    chance = random.Random(7)
    lg.write(with_images(12), tmp_path / "in", format="coco")
    cases = [("coco", "out"), ("voc", "out"), ("coco", "out.zip"), ("tfrecord", "out.tar.gz"), ("labelme", "out"), ("createml", "out.json")]
    seconds = {}
    for to, name in cases:
        began = time.monotonic()
        assert ended(in_child(lambda to=to, name=name: lg.convert(tmp_path / "in", tmp_path / "warm" / name, to=to, overwrite=True))) == 0
        seconds[to, name] = time.monotonic() - began
    completed = absent = old = 0
    for kill in range(KILLS):
        to, name = cases[kill % len(cases)]
        place = tmp_path / str(kill)
        place.mkdir()
        replaces = kill % 2 == 1
        if replaces:
            lg.write(dataset(2), place / name, format=to)
        child = in_child(lambda to=to, place=place, name=name: lg.convert(tmp_path / "in", place / name, to=to, overwrite=True))
        time.sleep(chance.uniform(0, seconds[to, name] * 1.1))
        os.kill(child, signal.SIGKILL)
        ended(child)
        if not (place / name).exists():
            assert not replaces, "the old output is gone and the new one not there"
            absent += 1
        else:
            number = len(list(lg.read(place / name, format=to)))
            assert number in ((12, 2) if replaces else (12,))
            completed, old = completed + (number == 12), old + (number == 2)
        lg.convert(tmp_path / "in", place / name, to=to, overwrite=True)
        assert len(list(lg.read(place / name, format=to))) == 12
        shutil.rmtree(place)
    assert completed + absent + old == KILLS and absent and old
    for what, number in (("nothing", absent), ("the old output", old), ("the new output, complete", completed)):
        record_property(f"kills: {what}", number)


def test_interrupted_workers_leave_nothing(tmp_path, record_property):
    record_property("faults: workers interrupted", 3)
    lg.write(dataset(4000), tmp_path / "in.json", format="coco")
    command = [sys.executable, "-m", "labelglot", "convert", tmp_path / "in.json", tmp_path / "out", "--to", "voc", "--workers", "2"]
    for wait in (0.5, 0.9, 1.3):
        started = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
        time.sleep(wait)
        started.send_signal(signal.SIGTERM if wait == 0.9 else signal.SIGINT)
        started.communicate(timeout=60)
        if started.returncode not in (0, -signal.SIGTERM):
            assert left(tmp_path, "in.json") == []
        assert not (tmp_path / "out").exists() or started.returncode == 0
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        for part in tmp_path.glob(".out*"):
            assert started.returncode == -signal.SIGTERM
            shutil.rmtree(part)


# The source changes meanwhile


class Saboteur:
    """Does something to the source once the survey is done, or as soon as the conversion starts."""

    def __init__(self, harm):
        self.harm, self.done = harm, False

    def strike(self):
        if not self.done:
            self.done = True
            self.harm()

    @hookimpl
    def conversion_started(self, conversion, event):
        self.strike()


HARMS = 6


def harms(root):
    files = [p for p in root.rglob("*") if p.is_file()]

    def truncate(path):
        with path.open("r+b") as stream:
            stream.truncate(path.stat().st_size // 2)

    def each(harm, chosen):
        return lambda: [harm(path) for path in chosen]

    documents = [p for p in files if p.suffix != ".png"]
    images = [p for p in files if p.suffix == ".png"]
    yield "truncated", each(truncate, files)
    yield "deleted", each(Path.unlink, files)
    yield "images deleted", each(Path.unlink, images)
    yield "images truncated", each(truncate, images)
    yield "emptied", each(lambda p: p.write_bytes(b""), documents)
    yield "folder gone", lambda: shutil.rmtree(root)


@pytest.mark.parametrize("format", FORMATS, ids=str)
def test_a_source_that_changes_while_it_is_read(format, tmp_path, record_property):
    record_property("faults: a source cut, emptied or gone while it is read", HARMS)
    source = tmp_path / "in"
    written = MemoryTarget()
    lg.write(with_images(4), written, format=format)
    for number in range(HARMS):
        shutil.rmtree(source, ignore_errors=True)
        for name, data in written.content.items():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes(data)
        what, harm = list(harms(source))[number]
        registry = Registry()
        registry.register(Saboteur(harm))
        target = tmp_path / "out"
        try:
            done = lg.convert(source, target, to=lg.registry.get("labelme"), format=format, registry=registry)
        except lg.LabelglotError as error:
            assert str(error) and not target.exists(), what
        else:
            number_written = done.report.counts.get("samples.written", 0)
            assert not number_written or len(list(lg.read(target, format="labelme"))) == number_written
            shutil.rmtree(target)
        assert left(tmp_path, "in") == [], what


def test_an_archive_that_is_replaced_while_it_is_read(tmp_path, record_property):
    record_property("faults: an archive replaced while it is read", 3)
    source = tmp_path / "in.zip"
    lg.write(with_images(4), source, format="voc")

    def replace():
        source.unlink()
        with zipfile.ZipFile(source, "w") as made:
            made.writestr("other.txt", "x" * 10)

    for harm in (replace, lambda: source.write_bytes(source.read_bytes()[:300]), lambda: os.truncate(source, 0)):
        source.unlink()
        lg.write(with_images(4), source, format="voc")
        registry = Registry()
        registry.register(Saboteur(harm))
        try:
            lg.convert(source, tmp_path / "out", to=lg.registry.get("coco"), format=lg.registry.get("voc"), registry=registry)
        except lg.LabelglotError:
            assert not (tmp_path / "out").exists()
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        assert left(tmp_path, "in.zip") == []


# Two writers


@pytest.mark.parametrize("name", ["out", "out.zip", "out.json"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_two_processes_write_the_same_target(name, overwrite, tmp_path, record_property):
    target = tmp_path / name
    rounds = 8 if THOROUGH else 3
    record_property("faults: three processes write one target", rounds)
    for _ in range(rounds):
        numbers = (20, 30, 40)
        children = [in_child(lambda n=n: lg.write(dataset(n), target, format="coco", overwrite=overwrite)) for n in numbers]
        codes = [ended(child) for child in children]
        assert set(codes) <= {0, 3} and 0 in codes
        if not overwrite:
            assert codes.count(0) == 1
        found = len(list(lg.read(target, format="coco")))
        assert found in [n for n, code in zip(numbers, codes, strict=True) if code == 0]
        assert left(tmp_path) == [name]
        shutil.rmtree(target) if target.is_dir() else target.unlink()


def test_a_broken_report_place_is_told_before_any_work(tmp_path, record_property):
    record_property("faults: a place that refuses", 1)
    lg.write(dataset(2), tmp_path / "in.json", format="coco")
    done = run("convert", tmp_path / "in.json", tmp_path / "out", "--to", "voc", "--report", tmp_path / "no" / "r.json", "--json")
    assert done.returncode == 1 and not (tmp_path / "out").exists()
    assert json.loads(done.stdout)["error"]["code"] == "target"
