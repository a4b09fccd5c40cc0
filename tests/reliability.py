"""Runs what docs/reliability.md tells of and prints its figures as a table.

usage: reliability.py [INPUTS]: so many damaged inputs for each format (200), everything else as LABELGLOT_PROFILE says. What an
environment variable of tests/consumers/README.md does not name is skipped, and the table says so.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from xml.etree import ElementTree

import labelglot as lg

TESTS = Path(__file__).parent
FILES = ("test_fuzz.py", "test_security.py", "test_faults.py", "test_verify.py", "consumers")


def main() -> int:
    inputs = sys.argv[1] if len(sys.argv) > 1 else "200"
    formats = len(lg.registry.ids())
    with tempfile.TemporaryDirectory() as scratch:
        listed = Path(scratch, "tests.xml")
        command = [sys.executable, "-m", "pytest", "-q", "-n", "auto", f"--junitxml={listed}", "-o", "junit_logging=system-out"]
        # One process for each core; the suite is generated elsewhere.
        done = subprocess.run([*command, *(str(TESTS / name) for name in FILES)], env={**os.environ, "LABELGLOT_FUZZ": inputs}, check=False)
        found = ElementTree.parse(listed)
    ends: dict[str, Counter[str]] = defaultdict(Counter)
    seconds: Counter[str] = Counter()
    said = ""
    for case in found.iter("testcase"):
        file = str(case.get("classname")).rpartition(".")[2]
        kinds = {child.tag: child.get("type") or "" for child in case}
        skipped = kinds.get("skipped")
        end = "failed" if {"failure", "error"} & set(kinds) else "explained" if skipped and "xfail" in skipped else "skipped" if skipped is not None else "passed"
        ends[f"{file}: {re.sub(r'[[].*', '', str(case.get('name')))}"][end] += 1
        ends[file][end] += 1
        seconds[file] += float(case.get("time") or 0)
        said += case.findtext("system-out") or ""
    print(f"\n{formats} formats; inputs for each: {inputs}\n\n| tests | passed | differ as explained | skipped | failed | seconds |\n|---|---|---|---|---|---|")
    for name, count in sorted(ends.items()):
        taken = f"{seconds[name]:.0f}" if name in seconds else ""
        print(f"| {name} | {count['passed']} | {count['explained']} | {count['skipped']} | {count['failed']} | {taken} |")
    kills = re.search(r"\d+ kills: .*", said)
    print(f"\n{kills[0] if kills else 'no kills'}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
