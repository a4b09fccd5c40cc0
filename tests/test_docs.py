"""The code in the documentation runs and does what the text around it says."""

import re
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
