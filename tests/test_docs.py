"""The code in the documentation runs and does what the text around it says."""

import re
import runpy
import sys
import types
from pathlib import Path

import labelglot
import pytest

DOCS = Path(__file__).parents[1] / "docs"


def run(name, change=("", "")):
    """The names that the code on a page defines, as in a module, with a bit of it changed."""
    blocks = re.findall(r"^```python\n(.*?)^```", (DOCS / name).read_text(encoding="utf-8"), re.M | re.S)
    module = types.ModuleType("docs_" + name.removesuffix(".md"))
    sys.modules[module.__name__] = module  # worker processes and pickle look classes up there
    exec("\n".join(blocks).replace(*change), module.__dict__)
    return module.__dict__


def test_embedding():
    found = run("embedding.md")
    assert "labelglot" in dict(found["choices"])
    assert found["schema"]["type"] == "object"
    assert len(found["observer"].finished) == 1
    assert [sample.path for sample in found["back"]] == ["a.jpg"]
    assert found["outcome"].report.losses() == ()
    assert found["size"] > 100
    assert [outcome.report.counts["samples.written"] for outcome in found["outcomes"]] == [1, 1, 1]
    assert sorted(found["progress"].done.values()) == [(1, 1)] * 3


def test_generated_pages_are_in_step():
    made = dict(runpy.run_path(str(DOCS / "generate.py"))["pages"]())
    cli = made.pop("cli.md")
    stale = [path for path, text in made.items() if not (DOCS / path).exists() or (DOCS / path).read_text(encoding="utf-8") != text]
    stale += [f"formats/{path.name}" for path in (DOCS / "formats").iterdir() if f"formats/{path.name}" not in made]
    if set(re.findall(r"--[a-z-]+|^  [a-z]+ ", cli, re.M)) != set(re.findall(r"--[a-z-]+|^  [a-z]+ ", (DOCS / "cli.md").read_text(), re.M)):
        stale.append("cli.md")  # the rest of the text depends on the version of the library that prints it
    assert stale == [], "run: python docs/generate.py"


def test_the_template_of_copier_is_in_step():
    found = runpy.run_path(str(DOCS / "generate.py"))
    ours, theirs = ({p.relative_to(top): p.read_bytes() for p in top.rglob("*") if p.is_file() and "__pycache__" not in p.parts} for top in (found["TEMPLATE"], found["COPY"]))
    assert ours == theirs, "run: python docs/generate.py"


def test_the_tutorial_makes_a_format_that_passes(tmp_path):
    found = run("authoring.md")
    suite = found["TestConformance"]()
    for name in dir(suite):
        if name.startswith("test_"):
            getattr(suite, name)()
    found["test_numbers_by_hand"]()
    assert "street-gt" in found["registry"].ids()
    shown = re.search(r"```text\n(image .*?)```", (DOCS / "authoring.md").read_text(), re.S)[1]
    (tmp_path / "crossing 1.gt").write_text(shown)
    (tmp_path / "classes.tbl").write_text("7 car\n3 person\n9 nobody has seen\nbroken\n")
    registry = labelglot.Registry()
    registry.register(found["StreetGt"])
    report = labelglot.Report()
    dataset = labelglot.read(tmp_path, registry=registry, report=report)
    (sample,) = dataset.read(report)
    assert [label.id for label in dataset.labels] == [7, 3, 9]
    assert [(a.label, a.box, dict(a.attributes)) for a in sample.annotations] == [
        ("person", (128.0, 192.0, 192.0, 288.0), {}),
        ("car", (472.0, 180.0, 552.0, 300.0), {"occluded": True}),
    ]
    assert [line.code for line in report.problems()] == ["street-gt.class"]


def broken(change):
    """What the suite says of the tutorial's format when one thing in it is wrong."""
    suite = run("authoring.md", change)["TestConformance"]()
    with pytest.raises(AssertionError) as caught:
        suite.test_returns_what_it_holds()
    return str(caught.value)


def test_the_messages_in_the_tutorial_are_the_real_ones(monkeypatch):
    monkeypatch.setattr("hypothesis.internal.conjecture.engine.MAX_SHRINKING_SECONDS", 2, raising=False)
    page = (DOCS / "authoring.md").read_text(encoding="utf-8")
    flag = broken(("int(a.attributes.get('occluded') is True)", "0"))
    said = "`holds` declares `attributes.occluded`, but True was gone: does `encode` write it and `decode` read it?"
    assert said in flag and said in page
    box = broken(("BOXES.write_box(a.box, sample.size)", "Convention(unit='percent', form='xywh').write_box(a.box, sample.size)"))
    said = "One side takes the centre for the corner: state `form` in a `Convention`"
    assert said in box and said in page
