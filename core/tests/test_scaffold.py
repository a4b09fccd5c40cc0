"""New plugins: every variant of the template passes the suite from the start, and a sample file tells what it can."""

import importlib.util
import json
import sys
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.cli import main
from labelglot.scaffold import guess, plan, render
from labelglot.testing import conformance

VARIANTS = [(shape, syntax) for shape in ("per-image", "document") for syntax in ("text", "json", "xml")] + [("table", "text")]


@pytest.fixture(params=VARIANTS, ids="-".join)
def made(request, tmp_path, monkeypatch):
    shape, syntax = request.param
    render(plan("acme", shape, syntax, year=2026), tmp_path)
    place = tmp_path / "src" / "labelglot_acme"
    name = f"labelglot_acme_{shape}_{syntax}".replace("-", "_")
    spec = importlib.util.spec_from_file_location(name, place / "acme.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module.Acme(), tmp_path


def test_a_new_plugin_passes_the_suite(made):
    format, _ = made
    suite = conformance(format, max_examples=15)()
    for name in dir(suite):
        if name.startswith("test_"):
            getattr(suite, name)()


def test_its_example_is_what_its_test_says(made):
    format, folder = made
    registry = lg.Registry()
    registry.register(format)
    report = lg.Report()
    samples = list(lg.read(folder / "tests" / "data", registry=registry, report=report).read(report))
    assert [(a.label, a.box) for a in samples[0].annotations] == [("car", (20.0, 10.0, 60.0, 40.0)), ("person", (5.5, 0.0, 15.5, 30.25))]
    assert f"== {json.dumps([s.path for s in samples])}" in (folder / "tests" / "test_acme.py").read_text()
    assert samples[1].annotations == () and report.problems() == ()
    lines = [line for line in (folder / "src" / "labelglot_acme" / "acme.py").read_text().splitlines() if line.strip()]
    assert len(lines) < 125
    assert max(map(len, lines)) <= 125


def test_what_cannot_be_is_refused(tmp_path):
    with pytest.raises(lg.LabelglotError, match="small letters"):
        plan("Acme XML")
    with pytest.raises(lg.LabelglotError, match="a table is text"):
        plan("acme", "table", "json")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(lg.LabelglotError, match="not an empty folder"):
        render(plan("acme"), tmp_path / "full")


SAMPLES = {
    "rows.csv": ("image;x1;y1;x2;y2;class\na.jpg;1;2;30;40;car\nb.jpg;5;6;70;80;dog\n", "table", "text",
                 ["semicolons", "with a header", "column 2 'x1': 2 x whole numbers 1 to 5", "counted from 1", "two corners"]),
    "a.txt": ("car 0.5 0.25 0.125 0.5\ndog 0.1 0.2 0.3 0.4\n", "per-image", "text", ["2 rows of 5 cells between blanks", "fractions"]),
    "a.crd": ("   7   11  50.00\n  12    1 100.00\n", "per-image", "text",
              ["all end in the same columns (4, 9, 16): is their width fixed?", "2 x whole numbers 50 to 100 with 2 decimals",
               "files end in .crd"]),
    "list.txt": ("a.jpg 1,2,3,4,0 5,6,7,8,1\nb.jpg 1,2,3,4,0\n", "document", "text", []),
    "all.json": ('[{"file": "a.jpg", "theta": 0.5, "box": {"cx": 1.5, "cy": 220}}, {"file": "b.jpg"}]', "document", "json",
                 ["JSON: a list of 2", "[].box.cx", "a centre is named", "an angle is named"]),
    "one.json": ('{"image": "a.jpg", "objects": [{"bbox": [10.5, 20, 99.5, 40]}]}', "per-image", "json", ["objects[].bbox[0]", "percent"]),
    "one.xml": ("<image name='a.jpg'><box xmin='1' label='car'/></image>", "per-image", "xml", ["image/box@xmin", "<image>"]),
    "all.xml": ("<set><i name='a.jpg'/><i name='b.jpg'/></set>", "document", "xml", ["set/i@name"]),
}  # fmt: skip


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_file_tells_what_it_can(name, tmp_path):
    text, shape, syntax, said = SAMPLES[name]
    (tmp_path / name).write_text(text)
    found = guess(tmp_path / name)
    assert (found.shape, found.syntax) == (shape, syntax)
    for part in said:
        assert part in "\n".join(found.notes)


def test_new_writes_the_notes_into_the_plugin(tmp_path, capsys):
    (tmp_path / "rows.csv").write_text(SAMPLES["rows.csv"][0] + "c.jpg;1;1;2;2;{{ evil }}\n")
    assert main(["new", "acme", "--like", str(tmp_path / "rows.csv"), "--into", str(tmp_path / "out"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["shape"] == "table"
    text = (tmp_path / "out" / "src" / "labelglot_acme" / "acme.py").read_text()
    assert "# - column 1 'image': 3 x image names 'a.jpg', 'b.jpg', 'c.jpg'" in text and "{{ evil }}" in text
    compile(text, "acme.py", "exec")
    assert main(["new", "acme", "--like", str(tmp_path / "missing.csv"), "--into", str(tmp_path / "other")]) == 1
    assert not (tmp_path / "other").exists()


TEMPLATE = Path(__file__).parents[2] / "plugin_template"


@pytest.mark.parametrize(("shape", "syntax"), [("per-image", "xml"), ("per-image", "text"), ("table", "text"), ("document", "json")])
@pytest.mark.skipif(not TEMPLATE.is_dir(), reason="not in the repository")
def test_copier_renders_the_same(shape, syntax, tmp_path):
    copier = pytest.importorskip("copier")
    render(plan("acme-two", shape, syntax, author="Ann", year=2026), tmp_path / "ours")
    data = {"name": "acme-two", "shape": shape, "syntax": syntax, "author": "Ann", "year": "2026"}
    copier.run_copy(str(TEMPLATE), tmp_path / "theirs", data=data, defaults=True, quiet=True)
    ours = {p.relative_to(tmp_path / "ours"): p.read_bytes() for p in (tmp_path / "ours").rglob("*") if p.is_file()}
    theirs = {p.relative_to(tmp_path / "theirs"): p.read_bytes() for p in (tmp_path / "theirs").rglob("*") if p.is_file()}
    assert ours == theirs
