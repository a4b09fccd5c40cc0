"""The benchmarks measure what they say, and their data is the same every time. No test here asserts how long anything takes."""

import json
import sys
import time

import pytest
from benchmarks import data, measure, outputs, run
from benchmarks.outputs import Counts
from benchmarks.peers import GROWTH, PAIRS, PEERS, NotInstalled, Source, environment

linux = pytest.mark.skipif(not measure.PROC.joinpath("self/smaps_rollup").exists(), reason="memory is read from /proc")


def python(code, **options):
    return measure.run([sys.executable, "-c", code], **options)


def running(pid):
    try:
        return (measure.PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_data_is_the_same_every_time(tmp_path):
    first, second = (data.write_coco(tmp_path / name, 50) for name in "ab")
    assert first.read_bytes() == second.read_bytes()
    found = json.loads(first.read_bytes())
    assert len(found["images"]) == 50 and len(found["categories"]) == 80
    assert [each["id"] for each in found["annotations"]] == list(range(1, len(found["annotations"]) + 1))
    sizes = {each["id"]: (each["width"], each["height"]) for each in found["images"]}
    for each in found["annotations"]:
        x, y, w, h = each["bbox"]
        width, height = sizes[each["image_id"]]
        assert 0 <= x <= x + w <= width + 0.01 and 0 <= y <= y + h <= height + 0.01


def test_a_smaller_set_is_the_start_of_a_larger_one():
    assert list(data.images(20)) == list(data.images(60))[:20]


def test_the_mean_number_of_objects_is_that_of_coco():
    assert sum(len(objects) for _, objects in data.images(3000)) / 3000 == pytest.approx(6.8, abs=0.2)


def test_without_polygons_the_boxes_are_the_same(tmp_path):
    plain, full = (json.loads(data.write_coco(tmp_path / str(kept), 20, polygons=kept).read_bytes()) for kept in (False, True))
    for each in full["annotations"]:
        assert each.pop("segmentation")
    assert plain == full


def test_images_have_their_sizes(tmp_path):
    image = pytest.importorskip("PIL.Image")
    data.write_images(tmp_path / "own", 12)
    data.write_images(tmp_path / "linked", 12, linked=True)
    for each, _ in data.images(12):
        own, linked = (tmp_path / kind / each["file_name"] for kind in ("own", "linked"))
        assert own.read_bytes() == linked.read_bytes()
        with image.open(own) as opened:
            assert opened.size == (each["width"], each["height"])
    assert data.jpeg((64, 48)) == data.jpeg((64, 48))


def test_a_run():
    done = python("print('hello'); raise SystemExit(3)")
    assert (done.status, done.ok, done.output, done.memory) == (3, False, "hello\n", None)
    assert done.wall > 0 and done.cpu > 0


def test_only_the_end_of_what_it_prints_is_kept():
    assert len(python("print('x' * 100_000)").output) == 4000


def test_cpu_of_children_counts():
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    done = python(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}])")
    assert done.cpu >= 0.3


def test_a_run_that_takes_too_long_is_ended_with_its_children(tmp_path):
    mark = tmp_path / "pid"
    child = f"import os, pathlib, time; pathlib.Path({str(mark)!r}).write_text(str(os.getpid())); time.sleep(600)"
    done = python(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])", timeout=3)
    assert done.status == "timeout" and not done.ok
    for _ in range(600):
        if not mark.exists() or not running(int(mark.read_text())):
            return
        time.sleep(0.05)
    raise AssertionError("it still runs")


@linux
def test_memory_of_a_process():
    done = python("import time; held = b'x' * 100_000_000; time.sleep(0.5)", sample=True)
    assert 100e6 < done.memory.process < 180e6
    assert done.memory.looks > 1
    assert done.memory.tree >= 100e6


@linux
def test_memory_that_is_held_between_two_looks_is_seen():
    done = python("held = b'x' * 300_000_000; del held; import time; time.sleep(0.3)", sample=True)
    assert done.memory.process > 300e6


@linux
def test_the_tree_adds_up_processes_and_counts_shared_pages_once():
    code = "import os, time\nheld = b'x' * 80_000_000\nfor _ in range(3):\n  if not os.fork():\n    own = b'y' * 40_000_000; time.sleep(1); os._exit(0)\ntime.sleep(1)\nfor _ in range(3): os.wait()"
    done = python(code, sample=True)
    if not done.memory.pss:
        pytest.skip("PSS cannot be read here")
    assert 200e6 < done.memory.tree < 270e6  # 80 + 3 × 40 and the interpreter; RSS would add up to 440
    assert 120e6 < done.memory.process < 180e6


@linux
def test_without_pss_resident_memory_is_summed(monkeypatch):
    monkeypatch.setattr(measure, "memory_of", lambda pid: (7, 5, False))
    watch = measure._Watch(1)
    monkeypatch.setattr(measure, "members", lambda root: [1, 2])
    watch.look()
    assert watch.memory(0) == measure.Memory(7, 10, False, 1)


@linux
def test_a_process_that_is_gone_has_no_memory():
    assert measure.memory_of(2**22 + 1) == (0, 0, True)


def test_what_is_dropped_is_said():
    best = Counts(10, 50, 40, 10)
    assert Counts(10, 50, 40, 10).missing(best) == ""
    assert Counts(8, 50, 0, 10).missing(best) == "2 images, all polygons"
    rows = [run.Row("p", 10, name, counts=counts) for name, counts in (("a", best), ("b", Counts(10, 50, 0, 0)), ("c", None))]
    run.compare(rows, Counts(12, 50, 40, 10))  # two images that no output has
    assert [row.remarks for row in rows] == [[], ["DROPS all polygons, all image bytes"], []]


def test_outputs_are_counted(tmp_path):
    path = tmp_path / "a.json"
    shapes = [{"segmentation": []}, {"segmentation": [[1, 2, 3, 4, 5, 6]]}, {}, {"segmentation": None}, {"segmentation": {"counts": "a"}}]
    path.write_text(json.dumps({"images": [{"id": 1}], "annotations": shapes}, indent=1))
    assert outputs.count("coco", path) == Counts(1, 5, 2)
    path.write_text("{")
    with pytest.raises(ValueError):
        outputs.count("coco", path)


def test_more_than_there_was_is_said_and_is_no_measure_for_the_others():
    rows = [run.Row("p", 10, name, counts=counts) for name, counts in (("a", Counts(10, 100, 50)), ("b", Counts(10, 50, 50)))]
    run.compare(rows, Counts(10, 50, 50))
    assert [row.remarks for row in rows] == [["ADDS 50 objects"], []]


def test_every_peer_has_pairs_and_commands(tmp_path):
    names = tmp_path / "names.txt"
    names.write_text("a\nb\n")
    source = Source(tmp_path / "in", names)
    known = {pair.id for pair in PAIRS}
    assert set(GROWTH) <= known
    for peer in PEERS:
        assert set(peer.pairs) <= known and set(peer.notes) <= known | {""}
        for pair in peer.pairs:
            command = peer.command(pair, tmp_path, source, tmp_path / "out")
            assert str(tmp_path / "in") in " ".join(command) and str(tmp_path / "out") in " ".join(command)
    with pytest.raises(NotInstalled):
        environment(PEERS[0], tmp_path, given=tmp_path)


def test_the_table_goes_between_the_markers(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- growth: begin -->\n<!-- growth: end -->\n<!-- benchmarks: begin -->\nold\n<!-- benchmarks: end -->\nb\n")
    run.fill(page, "benchmarks", "new")
    assert page.read_text() == "a\n<!-- growth: begin -->\n<!-- growth: end -->\n<!-- benchmarks: begin -->\nnew\n<!-- benchmarks: end -->\nb\n"
    page.write_text("nothing")
    with pytest.raises(SystemExit):
        run.fill(page, "benchmarks", "new")


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if pair.id in ("coco-yolo-zip", "voc-tfrecord", "yolo-coco")], ids=lambda pair: pair.id)
def test_a_pair_runs_with_its_floor(pair, tmp_path):
    bench = run.Bench(tmp_path, 1, 300, (), None)
    ours, floor = bench.rows(pair, 6)
    objects = sum(len(objects) for _, objects in data.images(6))
    assert (ours.remarks, floor.remarks) == ([], [])
    assert ours.counts == floor.counts
    assert ours.bytes == floor.bytes or pair.suffix == ".zip"  # the entries of an archive can be written in several ways
    assert ours.counts.objects == objects
    assert ours.counts.image_bytes == (6 if pair.images else 0)
    assert {each.target for each in PAIRS} <= set(outputs.COUNTERS)
    assert run.markdown([ours, floor]).count("\n") == 3
