"""The command line: each command in words and in JSON, each exit code."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.cli import main
from labelglot.cli.app import COMMANDS
from labelglot.cli.screen import safe
from labelglot.formats.registry import Registry
from labelglot.hooks import hookimpl
from labelglot.plugin_file import import_file
from labelglot.schema import Annotation, Dataset, Label, Polygon, Sample, Tag
from labelglot_labelglot import Labelglot

PLUGIN = Path(__file__).parent / "data" / "tiny_plugin.py"
tiny = import_file(PLUGIN)


def registry(*parts):
    made = Registry()
    for part in parts or (Labelglot, tiny.Boxes):
        made.register(part)
    return made


class Run:
    """What a run of the command line gave."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(*argv, registry=registry):
        capsys.readouterr()
        code = main([str(word) for word in argv], registry())
        captured = capsys.readouterr()
        return Run(code, captured.out, captured.err)

    return call


def rich_dataset():
    polygon = Polygon(parts=(((0.0, 0.0, 4.0, 0.0, 4.0, 4.0),),))
    return Dataset(
        [
            Sample(path="a.jpg", size=(10, 10), splits=("train",), annotations=(
                Annotation(label="cat", box=(1.0, 2.0, 3.0, 4.0), score=0.5),
                Annotation(label="dog", box=(0.0, 0.0, 4.0, 4.0), shape=polygon, attributes={"crowd": True}),
            )),
            Sample(path="b.jpg", size=(10, 10), splits=("val",), annotations=(), tags=(Tag(label="cat"),)),
            Sample(path="c.jpg", splits=("train",)),
        ],
        [Label(key="cat", name="cat", id=7), Label(key="dog", name="dog"), "unused"],
    )  # fmt: skip


@pytest.fixture
def source(tmp_path):
    place = tmp_path / "in" / "data.jsonl"
    place.parent.mkdir()
    lg.write(rich_dataset(), place, format="labelglot", registry=registry())
    return place


def test_convert_in_words(run, source, tmp_path):
    done = run("convert", source, "out", "--to", "boxes")
    assert (done.code, done.out) == (0, "")
    assert "labelglot -> boxes: 3 images, 2 objects in out" in done.err
    assert "polygon of 1 object" in done.err and "[shape.polygon]" in done.err
    assert 'attribute "crowd" of 1 object' in done.err
    assert "0 of 3 image files found; name their folder with --image-dir" in done.err
    assert [p.name for p in (tmp_path / "out").rglob("*.boxes")]


def test_convert_as_json_says_the_same_as_the_report(run, source):
    done = run("convert", source, "o.boxes", "--to", "boxes", "--json", "--report", "r.json")
    assert (done.code, done.err) == (0, "")
    assert done.json == json.loads(Path("r.json").read_text())
    assert (done.json["status"], done.json["from"], done.json["to"]) == ("done", "labelglot", "boxes")
    assert done.json["counts"]["samples"] == 3
    assert "score" in {line["code"] for line in done.json["losses"]}


def test_quiet_says_nothing(run, source):
    done = run("convert", source, "o.boxes", "--to", "boxes", "-q")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_options_reach_writer_and_reader(run, source):
    assert run("convert", source, "o.boxes", "--to", "boxes", "-o", "upper=yes", "--no-verify").code == 0
    assert "CAT,1.0,2.0,3.0,4.0" in Path("o.boxes").read_text()
    assert run("convert", "o.boxes", "p.boxes", "--from", "bx", "--to", "boxes", "--from-option", "shift=5").code == 0
    assert "CAT,6.0,7.0,8.0,9.0" in Path("p.boxes").read_text()


def test_an_existing_target_needs_overwrite(run, source):
    run("convert", source, "o.boxes", "--to", "boxes")
    before = Path("o.boxes").read_bytes()
    again = run("convert", source, "o.boxes", "--to", "boxes", "-o", "upper=1")
    assert again.code == 1
    assert again.err == "error: o.boxes: exists already\nhint: use --overwrite to replace it\n"
    assert Path("o.boxes").read_bytes() == before
    assert run("convert", source, "o.boxes", "--to", "boxes", "-o", "upper=1", "--overwrite", "--no-verify").code == 0
    assert Path("o.boxes").read_bytes() != before


def test_lossless_refuses_with_3_and_leaves_nothing_but_the_report(run, source):
    done = run("convert", source, "o.boxes", "--to", "boxes", "--lossless", "--report", "r.json", "--json")
    assert done.code == 3
    assert "hint: go on without --lossless" in done.err
    assert not Path("o.boxes").exists() and not list(Path().glob(".o.boxes*"))
    report = json.loads(Path("r.json").read_text())
    assert report == done.json
    assert (report["status"], report["exit_code"], report["error"]["code"]) == ("failed", 3, "lossless")
    assert "shape.polygon" in {line["code"] for line in report["losses"]}
    assert run("convert", source, "o", "--to", "labelglot", "--lossless").code == 0


def bad_boxes(place):
    place.write_text("#boxes\na.jpg,cat,1,2,3,4\na.jpg,cat,1,2,x,4\n")
    return place


def test_skipped_records_give_4_and_strict_fails(run, tmp_path):
    place = bad_boxes(tmp_path / "bad.boxes")
    done = run("convert", place, "o", "--to", "labelglot")
    assert done.code == 4
    assert "bad.boxes:3" in done.err and "[boxes.number]" in done.err
    assert "skipped 1 record" in done.err
    strict = run("convert", place, "p", "--to", "labelglot", "--strict")
    assert strict.code == 1 and "bad.boxes:3" in strict.err and "without --strict" in strict.err
    assert not Path("p").exists()
    assert run("convert", place, "q", "--to", "labelglot", "--json").json["status"] == "skipped"


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("convert", "in", "o", "--to", "boxs"), 'no format "boxs"; did you mean \'boxes\''),
        (("convert", "in", "o", "--to", "boxes", "--from", "nothing"), 'no format "nothing"'),
        (("convert", "in", "o", "--to", "boxes", "-o", "uper=1"), 'did you mean "upper"?'),
        (("convert", "in", "o", "--to", "boxes", "-o", "upper"), '"upper" is not key=value'),
        (("convert", "in", "o", "--to", "boxes", "-o", "upper=perhaps"), 'option "upper"'),
        (("convert", "in", "o"), "--to"),
        (("convert", "in", "o", "--to", "boxes", "--images", "move"), "--images"),
        (("convert", "in", "o", "--to", "boxes", "--workers", "0"), "--workers"),
        (("convert", "in", "o", "--to", "boxes", "--frobnicate"), "--frobnicate"),
        (("formats", "boxs"), 'no format "boxs"'),
        (("loss", "labelglot"), "two formats"),
        (("loss", "labelglot", "boxes", "--to", "boxes"), "two formats"),
        (("loss", "in", "boxes"), "labelglot loss in --to boxes"),
        (("konvert",), "konvert"),
    ],
)
def test_wrong_usage_gives_2_and_what_to_do(run, source, argv, says):
    done = run(*argv)
    assert done.code == 2
    assert says in done.err and done.out == ""
    assert "Traceback" not in done.err


def test_no_arguments_shows_the_help(run):
    done = run()
    assert done.code == 2
    assert all(name in done.out + done.err for name in COMMANDS)


def test_version(run):
    done = run("--version")
    assert (done.code, done.out) == (0, f"labelglot {lg.__version__}\n")


@pytest.mark.parametrize("command", ["convert", "inspect", "loss"])
def test_ambiguous_sources_show_the_candidates(run, tmp_path, command):
    bad_boxes(tmp_path / "x.boxes")
    argv = {"convert": ("x.boxes", "o", "--to", "labelglot"), "inspect": ("x.boxes",)}
    argv["loss"] = ("x.boxes", "--to", "labelglot")

    def twins():
        return registry(Labelglot, tiny.Boxes, tiny.Twin)

    done = run(command, *argv[command], registry=twins)
    assert done.code == 1
    assert "2 formats match: boxes (x.boxes starts with #boxes); twin" in done.err
    assert "choose with --from" in done.err
    assert run(command, *argv[command], "--from", "twin", registry=twins).code in (0, 4)


def test_a_source_that_is_not_there(run, tmp_path):
    (tmp_path / "data").mkdir()
    done = run("convert", "dat", "o", "--to", "boxes", "--json")
    assert done.code == 1
    assert "dat: does not exist" in done.err and "near it: data" in done.err
    assert done.json["error"] == {
        "code": "source", "message": "does not exist", "place": "dat", "hint": "near it: data",
    }  # fmt: skip


def test_unknown_content_says_what_was_seen(run, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "notes.md").write_text("x")
    done = run("inspect", "d")
    assert done.code == 1
    assert "no format recognises it (files: notes.md)" in done.err and "--from" in done.err


def test_a_report_that_cannot_be_written_is_told_before_the_work(run, source):
    done = run("convert", source, "o", "--to", "boxes", "--report", "no/such/r.json")
    assert done.code == 1 and "no such folder" in done.err
    assert not Path("o").exists()


@pytest.mark.parametrize("argv", [("in", "o", "--to", "bomb"), ("x.boxes", "o", "--to", "labelglot", "--from", "bomb")])
def test_a_bug_in_a_plugin_is_one_line_without_traceback(run, source, tmp_path, argv, monkeypatch):
    bad_boxes(tmp_path / "x.boxes")

    def bombs():
        return registry(Labelglot, tiny.Bomb)

    done = run("convert", *argv, registry=bombs)
    assert done.code == 1
    assert "Traceback" not in done.err and len(done.err.splitlines()) == 2
    assert "boom" in done.err and "report it" in done.err
    assert not Path("o").exists()
    monkeypatch.setenv("LABELGLOT_DEBUG", "1")
    assert "Traceback" in run("convert", *argv, registry=bombs).err


def test_a_crash_names_the_plugin_it_happened_in(run, tmp_path):
    bad_boxes(tmp_path / "x.boxes")
    done = run("inspect", "x.boxes", "--from", "bomb", "--json", registry=lambda: registry(tiny.Bomb))
    assert "KeyError" in done.err and "tiny_plugin.py" in done.err
    assert done.json["error"]["code"] == "internal"


def test_inspect(run, tmp_path):
    from PIL import Image

    lg.write(rich_dataset(), tmp_path / "d", format="labelglot", registry=registry())
    (tmp_path / "d" / "images").mkdir()
    for name in ("a.jpg", "other.jpg"):
        Image.new("RGB", (10, 10)).save(tmp_path / "d" / "images" / name)
    found = run("inspect", "d", "--json").json
    assert found["format"] == "labelglot"
    assert found["candidates"][0]["reason"].endswith("labelglot header")
    numbers = ("images", "objects", "tags", "unlabelled", "empty", "matched", "unmatched", "unused", "image_files")
    assert {n: found[n] for n in numbers} == {
        "images": 3, "objects": 2, "tags": 1, "unlabelled": 1, "empty": 1, "matched": 1, "unmatched": 2, "unused": 1,
        "image_files": 2,
    }  # fmt: skip
    assert found["unused_examples"] == ["images/other.jpg"]
    assert found["geometry"] == {"box": 2, "polygon": 1}
    assert {(s["split"], s["images"], s["objects"]) for s in found["splits"]} == {("train", 2, 2), ("val", 1, 0)}
    assert [(c["name"], c["id"], c["images"], c["objects"], c["tags"]) for c in found["labels"]] == [
        ("cat", 7, 2, 1, 1), ("dog", None, 1, 1, 0), ("unused", None, 0, 0, 0),
    ]  # fmt: skip
    shown = run("inspect", "d")
    assert (shown.code, shown.out) == (0, "")
    for text in (
        "d: labelglot (folder, 3 files)", "3 images, 2 objects (2 box, 1 polygon)", "1 images nobody labelled",
        "image files: 1 matched, 2 missing, 1 not referred to", "unused",
    ):  # fmt: skip
        assert text in shown.err


def test_inspect_is_the_same_for_any_number_of_workers(tmp_path):
    from labelglot.inspection import CountVisitor, inspect

    objects = (Annotation(label="b", box=(0.0, 0.0, 1.0, 1.0)),)
    samples = [Sample(path=f"{i}.jpg", annotations=None if i % 3 else objects) for i in range(1200)]
    lg.write(Dataset(samples, ["a"]), tmp_path / "d.jsonl", format="labelglot", registry=registry())
    told = []
    one = inspect(tmp_path / "d.jsonl", workers=1, registry=registry(), progress=lambda *at: told.append(at))
    two = inspect(tmp_path / "d.jsonl", workers=2, registry=registry())
    assert one == two
    assert told[-1] == (1200, 1200) and len(told) > 1
    assert (one.images, one.objects, one.unlabelled) == (1200, 400, 800)
    visitor = pickle.loads(pickle.dumps(CountVisitor("x")))
    assert visitor.start() == CountVisitor("x").start()


def test_inspect_tells_problems(run, tmp_path):
    bad_boxes(tmp_path / "x.boxes")
    assert "x.boxes:3" in run("inspect", "x.boxes").err
    found = run("inspect", "x.boxes", "--json").json
    assert found["skipped"] == 1 and found["problems"][0]["code"] == "boxes.number"


def test_formats(run):
    listed = run("formats")
    assert (listed.code, listed.out) == (0, "")
    assert "boxes" in listed.err and "[bold]in[/bold]" in listed.err
    data = {each["id"]: each for each in run("formats", "--json").json}
    assert set(data) == {"boxes", "labelglot"}
    assert data["boxes"]["holds"]["geometry"] == [["box"]]
    assert data["boxes"]["read_options"] == [
        {"name": "shift", "kind": "int", "default": 0, "title": "Shift", "description": "added to every number"}
    ]
    one = run("formats", "bx")
    assert "boxes: Boxes" in one.err
    assert "upper=false (bool): Capitals. write classes in capitals" in one.err
    assert "classes: no ids, order of appearance, only classes in use" in one.err
    assert run("formats", "bx", "--json").json == data["boxes"]


def test_loss_of_two_formats(run):
    told = run("loss", "labelglot", "boxes")
    assert (told.code, told.out) == (0, "")
    assert "polygon: becomes a box [shape.polygon]" in told.err
    codes = {each["code"] for each in run("loss", "labelglot", "boxes", "--json").json["losses"]}
    assert {"shape.polygon", "score", "attributes"} <= codes
    assert "loses nothing" in run("loss", "boxes", "labelglot").err


def test_loss_of_a_dataset_is_what_converting_reports(run, source):
    told = run("loss", source, "--to", "boxes", "--json").json
    done = run("convert", source, "o", "--to", "boxes", "--json").json
    assert told["losses"] == done["losses"] and told["losses"]
    assert told["problems"] == done["problems"]
    assert told["counts"]["annotations.written"] == done["counts"]["annotations.written"]
    words = run("loss", source, "--to", "boxes")
    assert "labelglot -> boxes of" in words.err and "[shape.polygon]" in words.err
    nothing = run("loss", source, "--to", "labelglot")
    assert "loses nothing" in nothing.err
    assert sorted(p.name for p in Path().iterdir()) == ["in", "o"]


def test_diff(run, tmp_path):
    source = tmp_path / "d.jsonl"
    flat = rich_dataset().map(lambda sample: sample.replace(splits=()))
    lg.write(flat, source, format="labelglot", registry=registry())
    run("convert", source, "same", "--to", "labelglot")
    run("convert", source, "o.boxes", "--to", "boxes")
    same = run("diff", source, "same")
    assert (same.code, same.out) == (0, "")
    assert "they say the same" in same.err
    other = run("diff", source, "o.boxes")
    assert other.code == 1
    assert "shape: 1 difference" in other.err and "they differ" in other.err
    data = run("diff", source, "o.boxes", "--json").json
    assert data["same"] is False
    aspects = {each["aspect"]: each for each in data["differences"]}
    assert aspects["score"]["examples"] == [{"key": "a.jpg", "object": 0, "before": 0.5, "after": None}]
    ignored = [word for aspect in aspects for word in ("--ignore", aspect.partition(".")[0])]
    assert run("diff", source, "o.boxes", *ignored).code == 0
    assert run("diff", source, "nowhere").code == 1


def test_diff_asks_for_the_format_with_its_own_option(run, tmp_path):
    bad_boxes(tmp_path / "x.boxes")

    def twins():
        return registry(Labelglot, tiny.Boxes, tiny.Twin)

    assert "name the format with --format-b" in run("diff", "x.boxes", "x.boxes", "--format-a", "twin", registry=twins).err
    named = ("--format-a", "twin", "--format-b", "boxes")
    assert run("diff", "x.boxes", "x.boxes", *named, registry=twins).code == 0


def test_diff_matches_objects_wherever_they_stand(run, tmp_path):
    (tmp_path / "a.boxes").write_text("#boxes\ni.jpg,cat,0,0,10,10\ni.jpg,dog,20,20,40,40\ni.jpg,cat,1,1,3,3\n")
    (tmp_path / "b.boxes").write_text("#boxes\ni.jpg,dog,20,20,41,40\ni.jpg,cat,0,0,10,10\ni.jpg,cat,50,50,60,60\n")
    found = run("diff", "a.boxes", "b.boxes", "--json", "--ignore", "labels").json["differences"]
    assert {each["aspect"]: each["count"] for each in found} == {"box": 1, "annotation": 2}


def test_doctor(run):
    well = run("doctor")
    assert (well.code, well.out) == (0, "")
    assert "all is well" in well.err and "hook API" in well.err
    assert run("doctor", "--json").json["formats"] == 2


def test_doctor_names_what_is_broken(run, tmp_path):
    (tmp_path / "broken_plugin.py").write_text("import no_such_module\n")
    (tmp_path / "old_plugin.py").write_text("LABELGLOT_HOOK_API = 0\n")

    class Claims(tiny.Boxes):
        id = "claims"
        aliases = ("bx", "labelglot")

    class Unheard:
        @hookimpl
        def no_such_hook(self):
            pass

    def ill():
        made = registry(Labelglot, tiny.Boxes, Claims, Unheard())
        made.load_file(tmp_path / "broken_plugin.py")
        made.load_file(tmp_path / "old_plugin.py")
        made.load_file(tmp_path / "missing.py")
        return made

    found = run("doctor", registry=ill)
    assert found.code == 1
    for text in (
        "No module named 'no_such_module'", "Traceback", "built for hook API 0", 'alias "bx" is claimed by boxes and claims',
        'alias "labelglot" of claims is the id of another format', "no_such_hook", "missing.py", "something is broken",
    ):  # fmt: skip
        assert text in found.err, text
    data = run("doctor", "--json", registry=ill).json
    assert data["exit_code"] == 1 and len(data["broken"]) == 3 and len(data["conflicts"]) == 2


def test_a_plugin_brings_a_command(run):
    def greeting():
        made = registry()
        made.register(tiny)
        return made

    assert run("greet", "you", registry=greeting).out == "hello you\n"
    assert "greet" in run("--help", registry=greeting).out
    assert run("greet", "you").code == 2


def test_a_broken_plugin_command_does_not_take_the_others_away(run):
    class Bad:
        @hookimpl
        def labelglot_commands(self, app):
            raise RuntimeError("oh")

    done = run("--help", registry=lambda: registry(Labelglot, Bad()))
    assert done.code == 0
    assert "convert" in done.out and "RuntimeError: oh" in done.err


@pytest.mark.parametrize("bad", ["\x1b[31mred", "a\nb", "\x9b2J", "\u202egpj", "[bold]x[/bold]", "\udcff", "\r\x00"])
def test_names_cannot_command_the_terminal(run, tmp_path, bad):
    shown = safe(bad)
    assert shown.isprintable() and safe(shown) == shown
    samples = [Sample(path="i.jpg", annotations=(Annotation(label=bad, box=(0.0, 0.0, 1.0, 1.0), attributes={bad: 1}),))]
    broken = bad.encode("utf-8", "surrogatepass") != bad.encode("utf-8", "ignore")
    if not broken:
        lg.write(Dataset(samples, [bad]), tmp_path / "d.jsonl", format="labelglot", registry=registry())
        for argv in (("inspect", "d.jsonl"), ("loss", "d.jsonl", "--to", "boxes"), ("diff", "d.jsonl", "e.boxes")):
            (tmp_path / "e.boxes").write_text("#boxes\ni.jpg,x,0,0,1,1\n")
            err = run(*argv).err
            assert all(c.isprintable() or c == "\n" for c in err)
            assert shown[:5] in err
    missing = run("convert", f"no{bad}", "o", "--to", "boxes")
    assert missing.code == 1
    assert all(c.isprintable() or c == "\n" for c in missing.err)


def test_the_bar_follows_long_work_only_on_a_terminal(monkeypatch, capsys):
    from labelglot.cli import progress

    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    with progress.Bar() as bar:
        bar.tell("survey", 1, 10)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with progress.Bar() as bar:
        bar.progress("c", {"phase": "samples", "done": 5, "total": 10})
    shown = capsys.readouterr().err
    assert "converting" in shown and "5/10" in shown
    with progress.Bar(quiet=True) as bar:
        bar.tell("survey", 1, 10)
    assert capsys.readouterr().err == ""


def spawn(*argv, warnings="error", **more):
    environment = {**os.environ, "LABELGLOT_PLUGINS": str(PLUGIN), "PYTHONWARNINGS": warnings}
    words = [sys.executable, "-m", "labelglot", *map(str, argv)]
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)


def test_as_a_process_with_a_plugin_file(source, tmp_path):
    process = spawn("convert", source, tmp_path / "o.boxes", "--from", "labelglot", "--to", "boxes", "--json")
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert json.loads(out)["to"] == "boxes"
    process = spawn("greet", "there")
    assert process.communicate()[0] == "hello there\n"


@pytest.fixture
def interrupts():
    """Ctrl-C arrives, also where the tests themselves were started in the background, which turns it off."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_ctrl_c_leaves_nothing_behind(tmp_path, interrupts):
    lines = (f"{i}.jpg,cat,1,2,3,4\n" for i in range(2500))
    (tmp_path / "many.boxes").write_text("#boxes\n" + "".join(lines))
    place = tmp_path / "made"
    place.mkdir()
    argv = ("convert", tmp_path / "many.boxes", place / "out", "--from", "boxes", "--to", "slow", "--workers", "2")
    # Python's own import can be interrupted between opening a file and promising to close it.
    process = spawn(*argv, warnings="error,ignore::ResourceWarning")
    started = time.monotonic()
    while process.poll() is None and not list(place.iterdir()) and time.monotonic() - started < 60:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    time.sleep(0.3)
    assert list(place.iterdir()) == []


def test_an_interrupt_that_gets_lost_still_ends_the_work(run, tmp_path, interrupts):
    """Python drops exceptions raised while it forks or collects garbage."""
    from labelglot.cli.session import Session
    from labelglot.errors import Cancelled

    session = Session(registry())
    with session.interruptible():
        token = session.cancel
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(Cancelled) as caught:
            token.check()
    assert session.code(caught.value) == 130
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


HEAVY = ("numpy", "PIL", "lxml", "fsspec", "rich", "yaml", "asyncio", "multiprocessing.pool")
NOT_FOR = {
    ("--help",): (*HEAVY, "pydantic", "msgspec", "pluggy", "labelglot.formats.registry"),
    ("--version",): (*HEAVY, "pydantic", "msgspec", "pluggy", "labelglot.formats.registry"),
    ("convert", "--help"): (*HEAVY, "msgspec", "pluggy", "labelglot.formats.registry"),
    ("loss", "labelglot", "labelglot"): HEAVY,
    ("formats", "labelglot"): HEAVY,
    ("convert", "SRC", "DST", "--from", "labelglot", "--to", "labelglot"): HEAVY,
    ("formats",): ("numpy", "PIL", "fsspec", "asyncio"),
}


@pytest.mark.parametrize("argv", NOT_FOR, ids=" ".join)
def test_starting_imports_nothing_heavy(argv, source, tmp_path):
    words = [{"SRC": str(source), "DST": str(tmp_path / "out")}.get(word, word) for word in argv]
    script = (
        "import sys; from labelglot.cli import main; code = main(sys.argv[2:]);"
        "bad = [m for m in sys.argv[1].split(',') if m in sys.modules]; print(bad, code, file=sys.stderr); sys.exit(bool(bad))"
    )
    command = [sys.executable, "-c", script, ",".join(NOT_FOR[argv]), *words]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LABELGLOT", "COV_", "COVERAGE"))}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
