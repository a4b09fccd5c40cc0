"""Prints a table of all formats: ``python tests/format_table.py``.

Format, reads, writes, sets of real data it is tested with (and whether tests of its family assert their counts), lines of
code of its family per format, and the formats its files may be confused with, so that the user is asked.
"""

import labelglot as lg
from labelglot.storage import MemorySource
from labelglot.testing.travel import store
from plugin_sizes import ROOT, sizes
from real_samples import CASES
from test_detection import confused_with, example


def asserted(family: str, id_: str) -> bool:
    """Whether a test of the family reads real samples of the format."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "plugins" / family / "tests").rglob("*.py")]
    return any("samples" in text.lower() and f'"{id_}"' in text for text in texts)


def main() -> None:
    counts = {name: code / formats for name, (code, formats) in sizes().items()}
    samples: dict[str, int] = {}
    for id_, _ in CASES:
        samples[id_] = samples.get(id_, 0) + 1
    print("| format | reads | writes | real samples | counts asserted | lines per format | told apart by the user from |")
    print("|---|---|---|---|---|---|---|")
    for format in lg.registry.formats():
        family = lg.registry.origin(format.id)[0].removeprefix("labelglot-")
        others = []
        if format.reads and format.writes:
            others = confused_with(MemorySource(store(example(), format)[0]), format.id, required=False)
        real = samples.get(format.id, 0)
        known = "yes" if real and asserted(family, format.id) else "no" if real else "no sample"
        ways = f"{'yes' if format.reads else ''} | {'yes' if format.writes else ''}"
        print(f"| {format.id} | {ways} | {real or ''} | {known} | {counts.get(family, 0):.0f} | {', '.join(others)} |")


if __name__ == "__main__":
    main()
