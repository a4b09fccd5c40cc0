"""The code in the documentation runs and does what the text around it says."""

import re
import runpy
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def run(name):
    blocks = re.findall(r"^```python\n(.*?)^```", (DOCS / name).read_text(encoding="utf-8"), re.M | re.S)
    values = {"__name__": "docs"}
    exec("\n".join(blocks), values)
    return values


def test_embedding():
    found = run("embedding.md")
    assert "labelglot" in dict(found["choices"])
    assert found["schema"]["type"] == "object"
    assert len(found["observer"].finished) == 1
    assert [sample.path for sample in found["back"]] == ["a.jpg"]
    assert found["outcome"].report.losses() == ()


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
