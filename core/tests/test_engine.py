"""What tools that embed labelglot rely on: identity, streams, workers, reports, hooks, atomic output."""

import io
import json
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import types
from contextlib import closing
from functools import partial
from pathlib import Path

import labelglot as lg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelglot import errors
from labelglot.engine import executor
from labelglot.engine.chunk import run_chunk
from labelglot.engine.executor import Aside, Cancel, InProcess, Poisoned, ProcessPool
from labelglot.engine.numbering import Numbering
from labelglot.images import BytesImage, SourceImage, probe
from labelglot.report import Loss, Problem, Report
from labelglot.schema import Annotation, Dataset, Label, Records, Sample, Tag, dumps, loads, slices
from labelglot.storage import MemorySource, MemoryTarget, open_source
from labelglot.testing.strategies import png
from PIL import Image
from worker_formats import Counting, Decode, Lines, Listed, Numbered


def dataset(number=40, names="{}.jpg", **more):
    objects = (Annotation(label="cat", box=(1.0, 2.0, 3.0, 4.0), score=0.5), Annotation(label="dog", box=(0.0, 0.0, 1.0, 1.0)))
    samples = [Sample(path=names.format(i), size=(10, 10), annotations=objects, **more) for i in range(number)]
    return Dataset(samples, ["cat", "dog"])


def write(data, target, **more):
    return lg.write(data, target, format=Lines(), registry=lg.Registry(), **more)


def test_keys_are_stable_and_tell_splits_apart():
    a, b = Sample(path="x/a.jpg", splits=("train",)), Sample(path="x/a.jpg", splits=("val",))
    assert (a.key, b.key, Sample(path="x/a.jpg").key) == ("train:x/a.jpg", "val:x/a.jpg", "x/a.jpg")


def test_uid_survives_and_does_not_count():
    a = Annotation(label="cat", box=(0.0, 0.0, 1.0, 1.0), shape=None, uid="u1")
    assert a == a.replace(uid="u2")
    done = lg.project(Sample(path="a", size=(4, 4), annotations=(a.replace(score=0.5),)), Lines.holds)
    assert done.sample.annotations[0].uid == "u1" and [loss.code for loss in done.losses] == ["score"]
    assert done.trace == (0,)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 100])
def test_partitions_add_up_for_any_number(n):
    data = dataset(23).filter(lambda s: s.path != "3.jpg")
    parts = data.partitions(n)
    assert len(parts) <= n
    assert [s.path for p in parts for s in p.read(Report())] == [s.path for s in data]
    assert list(slices(5, 2)) == [(0, 2), (2, 5)]


def test_everything_pickles():
    sample = next(iter(dataset(1, image=BytesImage("a", png(10, 10)))))
    things = [sample, Label(key="a", name="a"), Report(), Problem("c", "m"), Loss("c", "a"), Lines.holds, dataset(3).partitions(2)[0]]
    things += [getattr(errors, name)("what", "where:1", "do this") for name in dir(errors) if name[0].isupper() and name != "annotations"]
    for thing in things:
        again = pickle.loads(pickle.dumps(thing))
        assert type(again) is type(thing)
        if isinstance(thing, Exception):
            assert str(again) == str(thing) == "where:1: what.  do this"


def test_canonical_bytes():
    a = Sample(path="a", annotations=(Annotation(label="x", box=(0.1, 2.0, 3.0, 1e-7)),), tags=(Tag(label="x"),))
    assert dumps(a) == b'{"annotations":[{"box":[0.1,2.0,3.0,1e-7],"label":"x"}],"path":"a","tags":[{"label":"x"}]}'
    assert loads(dumps(a), Sample) == a
    assert loads(b'{"path":"a","annotations":[]}', Sample).annotations == ()
    assert loads(b'{"path":"a"}', Sample).annotations is None
    newer = loads(b'{"path":"a","mood":"good"}', Sample)
    assert dumps(newer) == b'{"mood":"good","path":"a"}'
    with pytest.raises(lg.LabelglotError, match=r"annotations\.0\.box\.2"):
        loads(b'{"path":"a","annotations":[{"box":[1,2,"x",4]}]}', Sample)


def test_fingerprint_ignores_order():
    data = list(dataset(5))
    assert Dataset(data, ["cat", "dog"]).fingerprint() == Dataset(data[::-1], ["cat", "dog"]).fingerprint()
    assert Dataset(data, ["cat", "dog"]).fingerprint() != Dataset(data[1:], ["cat", "dog"]).fingerprint()


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_bytes_and_report_are_the_same_for_any_workers(tmp_path, workers):
    data = dataset(60, image=BytesImage("a", png(10, 10)))
    made = write(data, tmp_path / "out", executor=ProcessPool(workers), chunk=7)
    plain = write(data, tmp_path / "plain", executor=InProcess())
    for name in ("all.txt", "images/59.jpg"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()
    assert made.report.to_dict() == plain.report.to_dict()
    assert made.report.losses()[0].count == 60


def test_the_pool_survives_its_workers_and_names_the_poison(tmp_path):
    data = Dataset([*dataset(20), Sample(path="killer.jpg", annotations=()), *dataset(20, "b{}.jpg")], ["cat", "dog"])
    made = write(data, tmp_path / "out", executor=ProcessPool(2), chunk=4)
    (problem,) = made.report.problems()
    assert problem.code == "worker.died" and "sample 20" in problem.sentence
    assert len((tmp_path / "out" / "all.txt").read_text().splitlines()) == 40
    outcomes = list(ProcessPool(2).run(run_chunk, None, [], Cancel()))
    assert outcomes == [] and Poisoned(1, "x").ordinal == 1


def counted(records):
    """A dataset whose objects are numbered as they are read."""
    return Dataset(Records(records, Counting(), Listed(len(records))), ["cat"])


def surveyed(records):
    """A dataset that is read once to number its objects."""
    return Dataset(Records(records, Decode()), ["cat"])


@given(st.lists(st.sampled_from([None, 0, 1, 2, 30]), max_size=12), st.integers(1, 4), st.sampled_from([counted, surveyed]))
def test_numbers_are_given_once_though_records_are_dropped(records, chunk, made):
    target = MemoryTarget()
    lg.write(made(records), target, format=Numbered(), executor=InProcess(), chunk=chunk)
    assert target.content["all.txt"].split() == [b"%d" % n for n in range(1, sum(filter(None, records)) + 1)]


@pytest.fixture
def second_thread():
    """While another thread lives, workers are spawned instead of forked."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    yield
    end.set()
    thread.join()


@pytest.fixture
def forked(monkeypatch):
    """Workers are forked although the test runner may have threads."""
    monkeypatch.setattr(executor, "_context", lambda: multiprocessing.get_context("fork"))


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("chunk", [1, 2, 4, 8])
def test_a_record_that_kills_is_named_once_though_it_is_read_twice(tmp_path, chunk, forked):
    for made in (surveyed, counted):
        written = lg.write(
            made([9, 9, -1, 1, 2, 1, 1, 1, 5]), tmp_path / made.__name__, format=Numbered(), executor=ProcessPool(2), chunk=chunk
        )
        (problem,) = written.report.problems()
        assert problem.code == "worker.died" and "sample 2" in problem.sentence
    assert len(set((tmp_path / "surveyed" / "all.txt").read_text().split())) == 29
    assert (tmp_path / "counted" / "all.txt").read_text().split() == [str(n) for n in range(1, 30)]


@pytest.mark.parametrize("chunk", [2, 4, 8])
def test_numbers_stay_apart_where_a_record_kills_a_spawned_worker(tmp_path, chunk, second_thread):
    records = [9, 9, -1, 1, 2, 1, 1, 1, 5]
    lg.write(counted(records), tmp_path / "out", format=Numbered(), executor=ProcessPool(2), chunk=chunk)
    assert len(set((tmp_path / "out" / "all.txt").read_text().split())) == 29


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_objects_are_numbered_as_they_are_read(tmp_path, workers, forked):
    records = [n % 7 for n in range(200)]
    lg.write(counted(records), tmp_path / "out", format=Numbered(), executor=ProcessPool(workers), chunk=3)
    assert (tmp_path / "out" / "all.txt").read_text().split() == [str(n) for n in range(1, sum(records) + 1)]


def test_a_piece_done_before_is_counted_though_it_is_not_read():
    numbering = Numbering([2, 2, 2])
    numbering.know(0, 5)
    numbering.know(2, 1)
    assert numbering.first(4, [7, 7]) == 6
    assert numbering.first(5, [7]) == 13
    numbering = Numbering([2, 2])
    assert [numbering.first(0, [1]), numbering.first(1, [2]), numbering.first(0, [1, 2]), numbering.first(2, [1])] == [0, 1, 0, 3]


def test_spawned_workers_write_the_same_bytes(tmp_path, second_thread):
    for name, workers in (("one", 1), ("two", 2)):
        write(dataset(60), tmp_path / name, workers=workers, chunk=7)
    assert (tmp_path / "one" / "all.txt").read_bytes() == (tmp_path / "two" / "all.txt").read_bytes() != b""


def test_workers_that_cannot_start_are_an_error_not_a_loss(tmp_path, second_thread, monkeypatch):
    module = types.ModuleType("nowhere_to_be_imported")
    module.Gone = type("Gone", (Lines,), {"__module__": module.__name__})
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with pytest.raises(lg.LabelglotError, match="end before they begin"):
        lg.write(dataset(9), tmp_path / "out", format=module.Gone(), registry=lg.Registry(), executor=ProcessPool(1))
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_breaks_names_the_sample_and_leaves_nothing(tmp_path):
    data = Dataset([*dataset(3), Sample(path="breaker.jpg", annotations=())], ["cat", "dog"])
    with pytest.raises(errors.PluginError, match=r"breaker\.jpg"):
        write(data, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


class OneImage(Lines):
    """Gives all images the same name."""

    id = "one-image"

    def image_path(self, sample, context):
        return "images/same.png"


@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_two_images_of_one_name_are_told(tmp_path, name):
    for number, size in enumerate((10, 20)):
        (tmp_path / f"{number}.png").write_bytes(png(size, size))
    source = open_source(tmp_path)
    samples = [Sample(path=f"{i}.png", image=SourceImage(source, f"{i}.png"), annotations=()) for i in range(2)]
    done = lg.write(Dataset(samples, []), tmp_path / name, format=OneImage(), registry=lg.Registry())
    assert [line.code for line in done.report.problems()] == ["image.collision"]


def test_output_is_complete_or_absent(tmp_path):
    write(dataset(3), tmp_path / "out")
    with pytest.raises(errors.TargetError, match="exists already"):
        write(dataset(3), tmp_path / "out")
    token = Cancel()
    token.set()
    with pytest.raises(errors.Cancelled):
        write(dataset(9), tmp_path / "out", overwrite=True, cancel=token)
    assert len((tmp_path / "out" / "all.txt").read_text().splitlines()) == 3
    with pytest.raises(errors.LossRefused, match="score"):
        write(dataset(9), tmp_path / "other", lossless=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    write(dataset(9), tmp_path / "out", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_two_conversions_at_once_say_nothing(tmp_path, capsys):
    before = (Path.cwd(), signal.getsignal(signal.SIGINT))
    threads = [threading.Thread(target=write, args=(dataset(50), tmp_path / str(i))) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({(tmp_path / str(i) / "all.txt").read_text() for i in range(4)}) == 1
    assert capsys.readouterr() == ("", "")
    assert before == (Path.cwd(), signal.getsignal(signal.SIGINT))


def test_observers_hear_plain_values_and_resolvers_are_asked_first():
    class Listener:
        heard: list = []

        @lg.hookimpl
        def conversion_started(self, conversion, event):
            self.heard.append(("started", json.dumps(event)))

        @lg.hookimpl
        def loss(self, conversion, loss, count):
            self.heard.append((loss.code, count))

        @lg.hookimpl
        def conversion_finished(self, conversion, event):
            self.heard.append(("finished", json.dumps(event)))

        @lg.hookimpl
        def resolve_source(self, where):
            return MemorySource({"a.txt": b""}) if where == "mydb://set" else None

        @lg.hookimpl
        def resolve_target(self, where, overwrite):
            return target if where == "mydb://out" else None

    target = MemoryTarget()
    registry = lg.Registry()
    registry.register(Listener())
    lg.write(dataset(4), "mydb://out", format=Lines(), registry=registry)
    assert list(target.content) == ["all.txt"]
    assert [name for name, _ in Listener.heard] == ["started", "score", "finished"]
    assert dict(Listener.heard)["score"] == 4
    from labelglot.engine.convert import resolve_source

    assert resolve_source("mydb://set", registry).files() == ("a.txt",)


def test_images_are_linked_copied_or_left(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(png(10, 10))
    from labelglot.images import SourceImage
    from labelglot.storage import open_source

    data = Dataset([Sample(path="a.jpg", image=SourceImage(open_source(tmp_path / "in"), "a.jpg"), annotations=())])
    write(data, tmp_path / "copy")
    write(data, tmp_path / "link", images="link")
    write(data, tmp_path / "none", images="none")
    original = (tmp_path / "in" / "a.jpg").stat()
    assert (tmp_path / "link/images/a.jpg").stat().st_ino == original.st_ino
    assert (tmp_path / "copy/images/a.jpg").stat().st_ino != original.st_ino
    assert not (tmp_path / "none/images").exists()


def test_orientation_is_known():
    """label-studio#6608: width and height are those of the image as displayed."""
    stream = io.BytesIO()
    image = Image.new("RGB", (8, 3))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(stream, "JPEG", exif=exif)
    stream.seek(0)
    found = probe(stream)
    assert (found.width, found.height, found.stored_width, found.stored_height, found.orientation) == (3, 8, 8, 3, 6)


def test_registries_do_not_know_each_other():
    one, two = lg.Registry(), lg.Registry()
    one.register(Lines())
    assert one.ids() == ("lines",) and two.ids() == ()
    with pytest.raises(errors.FormatUnknown, match="did you mean 'lines'"):
        one.get("linse")
    with pytest.raises(errors.PluginError, match="registered already"):
        one.register(Lines())


def test_compare_streams_changes():
    a = dataset(2)
    b = Dataset([s.replace(annotations=s.annotations[:1]) for s in a], a.labels)
    assert [(c.aspect, c.key, c.object) for c in lg.compare(a, b)] == [
        ("annotation", "0.jpg", 1), ("annotation", "1.jpg", 1),
    ]  # fmt: skip
    assert list(lg.compare(a, a)) == []


def test_names_with_their_case_are_kept_apart(tmp_path):
    data = Dataset([Sample(path="A.jpg", annotations=()), Sample(path="a.jpg", annotations=())])
    made = write(data, tmp_path / "out")
    assert made.report.renamed == {"a.jpg": "a_2.jpg"}
    assert Path(tmp_path / "out" / "all.txt").read_text() == "0 A.jpg 0\n1 a_2.jpg 0\n"


def _own_pid():
    return os.getpid()


def _ends_elsewhere(here):
    """What it is called with where it was made, but in another process the end of that."""
    if os.getpid() != here:
        os._exit(3)
    return "here"


def _breaks():
    raise ZeroDivisionError("a bug")


def test_work_aside_runs_elsewhere_and_fails_here():
    with closing(Aside(_own_pid)) as aside:
        assert aside.result() != os.getpid()
    with closing(Aside(_own_pid, worth=False)) as aside:
        assert aside.result() == os.getpid()
    with closing(Aside(partial(_ends_elsewhere, os.getpid()))) as aside:
        assert aside.result() == "here"
    with closing(Aside(_breaks)) as aside, pytest.raises(ZeroDivisionError):
        aside.result()
    with closing(Aside(partial(time.sleep, 60))):
        assert multiprocessing.active_children() != []
    assert multiprocessing.active_children() == []


def test_a_jpeg_out_of_the_ordinary_is_left_to_pillow_as_a_whole():
    """Bytes between two segments are no JPEG to us; the comment before them is longer than the first look."""
    stream = io.BytesIO()
    Image.new("L", (6, 5)).save(stream, "JPEG")
    plain = stream.getvalue()
    odd = plain[:2] + b"\xff\xfe" + (20_002).to_bytes(2, "big") + bytes(20_000) + b"\0\0" + plain[2:]
    assert (probe(io.BytesIO(odd)).width, probe(io.BytesIO(odd)).height) == (6, 5)
