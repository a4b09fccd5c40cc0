"""Runs everything that docs/reliability.md tells of, and writes the figures of this run into it.

usage: uv run python tests/reliability.py [--inputs N] [--kills N] [--seconds N] [--quick]

Damaged inputs, attacks, faults, verification, real samples, consumers and other converters in one run of pytest, then the fuzzing
under coverage. What is not installed is skipped and named: ``python tests/consumers/install.py --all`` installs it. --quick tries
little of everything and prints the figures without keeping them.
"""

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from consumers.install import program

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "reliability.md"
BEGIN, END = "<!-- run: begin -->", "<!-- run: end -->"
FILES = ("test_fuzz.py", "test_security.py", "test_faults.py", "test_verify.py", "test_real_samples.py", "consumers")
LIGHT, HEAVY, ORACLES = ("test_light", "test_datasets"), ("test_heavy", "test_ultralytics"), ("test_oracles",)
COVERED = ("coco", "voc", "yolo", "labelme", "createml", "tfrecord")
"""Fuzzed under coverage: one format for each kind of syntax."""


@dataclass(frozen=True)
class Case:
    """What one test came to, and the figures that it handed over."""

    file: str
    test: str
    parameters: str
    end: str
    reason: str = ""
    said: dict[str, str] = field(default_factory=dict)


def cases(found: ElementTree.ElementTree) -> Iterator[Case]:
    """The tests of a run of pytest, from its XML."""
    for case in found.iter("testcase"):
        test, _, parameters = str(case.get("name")).partition("[")
        children = {child.tag: child for child in case}
        skipped = children.get("skipped")
        end, reason = "passed", ""
        if "failure" in children or "error" in children:
            end = "failed"
        elif skipped is not None:
            end = "explained" if "xfail" in str(skipped.get("type")) else "skipped"
            reason = str(skipped.get("message"))
        said = {str(p.get("name")): str(p.get("value")) for p in case.iter("property")}
        yield Case(str(case.get("classname")).rpartition(".")[2], test, parameters.removesuffix("]"), end, reason, said)


def totals(of: Iterable[Case], subject: str) -> Counter[str]:
    """The sums of the figures ``SUBJECT: WHAT`` that tests handed over, by what they count."""
    found: Counter[str] = Counter()
    for case in of:
        for name, value in case.said.items():
            if name.startswith(f"{subject}: "):
                found[name.removeprefix(f"{subject}: ")] += int(value)
    return found


def listed(counts: Counter[str], sign: str = " ") -> str:
    return ", ".join(f"{what}{sign}{number:,}" for what, number in counts.most_common()) or "none"


def ends(of: Sequence[Case]) -> str:
    counts = Counter(case.end for case in of)
    return ", ".join(f"{counts[end]:,} {end}" for end in ("passed", "failed", "skipped") if counts[end] or end == "passed")


def judges(of: Sequence[Case]) -> str:
    """Who judged with how many tests, and what failed."""
    tests = Counter(case.said["judge"] for case in of if "judge" in case.said and case.end == "passed")
    failed = sum("judge" in case.said and case.end == "failed" for case in of)
    return f"{len(tests)} libraries, {tests.total()} tests passed, {failed} failed: {listed(Counter(dict(sorted(tests.items()))), ': ')}" if tests or failed else "none"


def agreement(of: Sequence[Case]) -> str:
    by_judge: dict[str, Counter[str]] = {}
    for case in of:
        if "judge" in case.said:
            by_judge.setdefault(case.said["judge"], Counter())[case.end] += 1
    lines = (f"{judge}: {sum(n.values())} comparisons, {n['passed']} agree, {n['explained']} differ as explained, {n['failed']} otherwise" for judge, n in by_judge.items())
    return "; ".join(lines) or "none"


def attacks(of: Sequence[Case]) -> str:
    kinds = Counter(case.test.removeprefix("test_").replace("_", " ") for case in of)
    return f"{len(kinds)} kinds, {ends(of)}: {listed(kinds, ': ')}"


def rows(found: Sequence[Case]) -> Iterator[tuple[str, str]]:
    """What a run came to, in the words of the table."""
    def of(*files: str) -> list[Case]:
        return [case for case in found if case.file in files]

    fuzzed = [case for case in found if any(name.startswith("fuzz: ") for name in case.said)]
    outcomes = totals(fuzzed, "fuzz")
    yield "damaged inputs", (
        f"{len(fuzzed)} formats, {outcomes.total():,} inputs: data {outcomes['data']:,}, data and problems {outcomes['data and problems']:,}, "
        f"LabelglotError {outcomes['LabelglotError']:,}, anything else {outcomes['anything else']:,}"
    )
    yield "inputs that once did harm", ends([case for case in found if case.test == "test_the_corpus"])
    yield "attacks", attacks(of("test_security"))
    yield "faults injected", f"{listed(totals(found, 'faults'), ': ')}; {ends(of('test_faults'))}"
    kills = totals(found, "kills")
    yield "kills survived", f"{kills.total()} with SIGKILL at random moments; what was there afterwards: {listed(kills, ': ')}"
    verified = [case for case in found if "verified" in case.said]
    number = sum(int(case.said["verified"]) for case in verified)
    wrong = sum(case.test == "test_no_format_breaks_its_promise" and case.end == "failed" for case in found)
    yield "generated datasets written, read back and compared", f"{number:,}, for {len(verified) + wrong} formats and options; broken promises: {wrong}"
    samples = [case for case in found if any(name.startswith("real samples: ") for name in case.said)]
    yield "real samples to every format, read back and compared", f"{len(samples)} samples, {totals(samples, 'real samples').total():,} conversions: {listed(totals(samples, 'real samples'))}"
    yield "consumers that loaded our output, light", judges(of(*LIGHT))
    yield "consumers that loaded our output, heavy", judges(of(*HEAVY))
    yield "other converters", agreement(of(*ORACLES))
    yield "skipped", listed(Counter(case.reason.partition(":")[0] for case in found if case.end == "skipped"), ": ")
    yield "failed", ", ".join(f"{case.file}: {case.test}[{case.parameters}]" for case in found if case.end == "failed") or "none"


def covered(seconds: int, formats: Sequence[str]) -> str:
    """Fuzzing under coverage, one format after the other."""
    python = program("LABELGLOT_FUZZ_PYTHON")
    if not python:
        return "not installed"
    inputs: Counter[str] = Counter()
    harmful = []
    for format in formats:
        command = [python, str(TESTS / "coverage_fuzz.py"), format, str(seconds)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=TESTS, check=False)
        units = re.search(r"number_of_executed_units:\s*(\d+)", done.stderr)
        inputs[format] += int(units[1]) if units else 0
        if done.returncode or not units:
            harmful.append(format)
            print(done.stderr[-3000:], file=sys.stderr)
    return f"{seconds} s each, {inputs.total():,} inputs: {listed(inputs)}; harm found in: {', '.join(harmful) or 'none'}"


def this_run(seconds: float, arguments: Sequence[str]) -> str:
    revision = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=TESTS, capture_output=True, text=True, check=False).stdout.strip()
    system = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return f"`{' '.join(['reliability.py', *arguments])}` on {datetime.now(UTC):%Y-%m-%d}, revision {revision or 'unknown'}; {system}; {seconds / 60:.0f} minutes"


def table(found: Iterable[tuple[str, str]]) -> str:
    lines = (f"| {what} | {figure.replace('|', '/')} |" for what, figure in found)
    return "\n".join(["| what | figures |", "|---|---|", *lines])


def put_in(page: str, made: str) -> str:
    """The page with another table between its markers."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{made}\n{END}{rest.partition(END)[2]}"


def tested(inputs: int, kills: int, quick: bool) -> tuple[list[Case], int]:
    with tempfile.TemporaryDirectory() as scratch:
        xml = Path(scratch, "tests.xml")
        settings = {"LABELGLOT_FUZZ": str(inputs), "LABELGLOT_KILLS": str(kills), "LABELGLOT_PROFILE": "labelglot" if quick else "thorough", "LABELGLOT_SAMPLES": "5" if quick else "0"}
        command = [sys.executable, "-m", "pytest", "-q", "-n", "auto", "-m", "heavy or not heavy", f"--junitxml={xml}"]
        done = subprocess.run([*command, *(str(TESTS / name) for name in FILES)], env={**os.environ, **settings}, cwd=TESTS.parent, check=False)
        return list(cases(ElementTree.parse(xml))), done.returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, help="damaged inputs for each format (200)")
    parser.add_argument("--kills", type=int, help="processes that are killed (100)")
    parser.add_argument("--seconds", type=int, help="how long each format is fuzzed under coverage (60)")
    parser.add_argument("--quick", action="store_true", help="little of everything, to see whether it works")
    asked = parser.parse_args()
    inputs, kills, seconds = (given if given is not None else few if asked.quick else many
                              for given, few, many in ((asked.inputs, 5, 200), (asked.kills, 12, 100), (asked.seconds, 3, 60)))  # fmt: skip
    began = time.monotonic()
    found, code = tested(inputs, kills, asked.quick)
    under_coverage = covered(seconds, COVERED[:2] if asked.quick else COVERED)
    known = list(rows(found))
    known.insert(1, ("fuzzed under coverage", under_coverage))
    made = table([("run", this_run(time.monotonic() - began, sys.argv[1:])), *known])
    print(f"\n{made}")
    if not asked.quick:
        PAGE.write_text(put_in(PAGE.read_text(encoding="utf-8"), made), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
