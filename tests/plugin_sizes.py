"""Prints the lines of code of each plugin per format it brings, with median and worst: ``python tests/plugin_sizes.py``.

Counted are lines of the package that are neither blank nor a comment; docstrings count.
"""

import statistics
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def lines_of_code(file: Path) -> int:
    texts = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    return sum(1 for text in texts if text and not text.startswith("#"))


def sizes(root: Path = ROOT) -> dict[str, tuple[int, int]]:
    """For each plugin: lines of code, and number of formats."""
    found = {}
    for project in sorted(root.glob("plugins/*/pyproject.toml")):
        entries = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["entry-points"]["labelglot"]
        code = sum(map(lines_of_code, (project.parent / "src").rglob("*.py")))
        found[project.parent.name] = (code, len(entries))
    return found


if __name__ == "__main__":
    per_format = {}
    for name, (code, formats) in sizes().items():
        per_format[name] = code / formats
        print(f"{name:<20} {code:>5} lines, {formats:>2} formats, {per_format[name]:>6.0f} lines per format")
    worst = max(per_format, key=per_format.__getitem__)
    print(f"median {statistics.median(per_format.values()):.0f}, worst {per_format[worst]:.0f} ({worst})")
