"""Compares labelglot with other converters and with the floor: one command, which makes and installs all it needs.

    python tests/benchmarks/run.py                     # everything at full size; wants a quiet machine, an hour and 30 GB
    python tests/benchmarks/run.py --quick             # 2,000 images, once: does it all work?
    python tests/benchmarks/run.py --pairs coco-yolo,coco-voc --runs 5 --json out.json
    python tests/benchmarks/run.py --growth            # the same at 20,000, 118,000 and 250,000 images
    python tests/benchmarks/run.py --markdown docs/performance.md

Run it with the Python where labelglot is installed. docs/performance.md says what the numbers mean.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # also where it is run as a file

from benchmarks import measure, outputs
from benchmarks.data import Inputs
from benchmarks.peers import GROWTH, PAIRS, PEERS, NotInstalled, Pair, Peer, Source, environment
from labelglot import native

FULL = 118_000
GROWTH_SIZES = (20_000, FULL, 250_000)
OURS, FLOOR = "labelglot", "floor"
MARKER = "<!-- {name}: {end} -->"
"""Before and after a table in a page; the name is ``benchmarks`` or ``growth``, the end ``begin`` or ``end``."""


@dataclass
class Row:
    """A converter on a pair."""

    pair: str
    images: int
    tool: str
    walls: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)
    memory: measure.Memory | None = None
    counts: outputs.Counts | None = None
    bytes: int = 0
    remarks: list[str] = field(default_factory=list)

    @property
    def wall(self) -> float | None:
        return statistics.median(self.walls) if self.walls else None

    @property
    def cpu(self) -> float | None:
        return statistics.median(self.cpus) if self.cpus else None


Command = Callable[[Path], Sequence[str]]


class Bench:
    """Runs pairs; says on stderr what it does."""

    def __init__(self, cache: Path, runs: int, timeout: float, peers: Sequence[Peer], given: Path | None) -> None:
        self._cache, self._runs, self._timeout = cache, runs, timeout
        self._out = cache / "out"
        self._place = 0
        self._ours = [sys.executable, "-m", "labelglot"]
        self._inputs = Inputs(cache, self._ours)
        self._peers: list[tuple[Peer, Path]] = []
        self.failed: dict[str, str] = {}
        """Peers that could not be installed, and why."""
        for peer in peers:
            try:
                self._peers.append((peer, environment(peer, cache, given)))
            except NotInstalled as error:
                self.failed[peer.name] = str(error)
                say(f"{peer.name}: {error}")

    def rows(self, pair: Pair, images: int) -> list[Row]:
        """A row for each converter that has the pair, labelglot second to last and the floor last."""
        say(f"{pair.id}, {images:,} images: input")
        source = Source(self._inputs.folder(pair.input, images), self._inputs.names())
        commands: dict[str, Command] = {}
        rows: dict[str, Row] = {}
        for peer, bin_ in self._peers:
            if pair.id in peer.pairs:
                commands[peer.name] = lambda out, peer=peer, bin_=bin_: peer.command(pair.id, bin_, source, out)  # type: ignore[misc]
                rows[peer.name] = Row(pair.id, images, peer.name)
                rows[peer.name].remarks += [peer.notes[key] for key in ("", pair.id) if key in peer.notes]
        commands[OURS] = lambda out: [*self._ours, *pair.arguments(source.folder, out)]
        rows[OURS] = Row(pair.id, images, OURS)
        rows[FLOOR] = Row(pair.id, images, FLOOR)
        reference = self._free(pair)
        for tool, command in commands.items():
            self._first(rows[tool], command, pair, keep=reference if tool == OURS else None)
        if reference.exists():
            program = str(Path(__file__).with_name("floor.py"))
            commands[FLOOR] = lambda out: [sys.executable, program, pair.input, str(source.folder), str(reference), str(out)]
            self._first(rows[FLOOR], commands[FLOOR], pair)
        for turn in range(self._runs):
            for tool, command in commands.items():
                if rows[tool].counts is not None:
                    self._timed(rows[tool], command, pair, f"{turn + 1}/{self._runs}")
        compare(rows.values(), outputs.count(pair.input, source.folder))
        return list(rows.values())

    def _first(self, row: Row, command: Command, pair: Pair, keep: Path | None = None) -> None:
        """Not timed: fills the caches of the system, samples memory, looks at the output."""
        out = self._free(pair)
        done = measure.run(command(out), sample=True, timeout=self._timeout)
        row.memory = done.memory
        if not done.ok or not out.exists():
            row.remarks.insert(0, "FAILED: " + reason(done))
        else:
            try:
                row.counts, row.bytes = outputs.count(pair.target, out), size(out)
            except ValueError as error:
                row.remarks.insert(0, f"FAILED: its output cannot be read: {error}")
        say(f"  {row.tool}: {row.remarks[0] if row.counts is None else f'{done.wall:.1f} s with sampling'}")
        if keep is not None and out.exists():
            out.rename(keep)
        remove_file(out)

    def _timed(self, row: Row, command: Command, pair: Pair, turn: str) -> None:
        out = self._free(pair)
        done = measure.run(command(out), timeout=self._timeout)
        if done.ok:
            row.walls.append(done.wall)
            row.cpus.append(done.cpu)
        else:
            row.remarks.insert(0, f"FAILED in run {turn}: " + reason(done))
        say(f"  {turn} {row.tool}: {done.wall:.2f} s")
        remove_file(out)

    def _free(self, pair: Pair) -> Path:
        """Where nobody has written; what others have written is on the disk, so that it is not charged to the next."""
        self._out.mkdir(parents=True, exist_ok=True)
        self._place += 1
        os.sync()
        return self._out / f"{os.getpid()}-{self._place}{pair.suffix}"

    def close(self) -> None:
        """Remove all outputs. Not before the last run: ext4 without a journal passes over inodes that were freed in the last
        minutes, one by one, so that the next to make as many files would take ten times as long.
        """
        remove(self._out)


def compare(rows: Iterable[Row], source: outputs.Counts) -> None:
    """Remark what a converter has dropped that another kept, and what it has that the source has not."""
    best = outputs.Counts.best((row.counts for row in rows if row.counts is not None), source)
    for row in rows:
        if row.counts is None:
            continue
        if extra := source.missing(row.counts):
            row.remarks.insert(0, f"ADDS {extra}")
        if missing := row.counts.missing(best):
            row.remarks.insert(0, f"DROPS {missing}")


def reason(done: measure.Measured) -> str:
    """Why a run failed, in a line."""
    lines = [line.strip() for line in done.output.splitlines() if line.strip()]
    return f"exit {done.status}" + (f", {lines[-1][:160]}" if lines else "")


def markdown(rows: Sequence[Row]) -> str:
    """The table: who took how long, and how many times as long as labelglot."""
    lines = [
        "| pair | images | tool | wall, median s | spread | CPU s | largest process, MB | all processes, MB | output, MB | × labelglot | images / objects / polygons in it | remarks |",
        "|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    ours = {(row.pair, row.images): row.wall for row in rows if row.tool == OURS}
    for row in rows:
        base = ours.get((row.pair, row.images))
        ratio = "" if row.wall is None or not base or row.tool == OURS else f"{row.wall / base:.2f}"
        spread = f"{min(row.walls):.2f}–{max(row.walls):.2f}" if row.walls else ""
        memory = row.memory if row.memory and row.memory.process else None  # it ended before anyone could look
        tree = "" if memory is None else f"{memory.tree / 1e6:,.0f}{'' if memory.pss else ' (RSS)'}"
        cells = [
            row.pair, f"{row.images:,}", f"**{OURS}**" if row.tool == OURS else row.tool, seconds(row.wall), spread, seconds(row.cpu),
            "" if memory is None else f"{memory.process / 1e6:,.0f}", tree, f"{row.bytes / 1e6:,.1f}" if row.bytes else "", ratio,
            str(row.counts or ""), "; ".join(row.remarks).replace("|", "\\|"),
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def growth_table(rows: Sequence[Row]) -> str:
    """Time for each 1,000 images and memory as the dataset grows: both stay level where growth is linear."""
    lines = ["| pair | tool | images | wall, median s | s per 1,000 images | all processes, MB |", "|---|---|--:|--:|--:|--:|"]
    for row in sorted(rows, key=lambda row: (row.pair, row.tool != OURS, row.tool, row.images)):
        each = "" if row.wall is None else f"{row.wall / row.images * 1000:.4f}"
        memory = "" if row.memory is None else f"{row.memory.tree / 1e6:,.0f}"
        lines.append(f"| {row.pair} | {row.tool} | {row.images:,} | {seconds(row.wall)} | {each} | {memory} |")
    return "\n".join(lines)


def seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def machine() -> dict[str, object]:
    """What the numbers were measured on."""
    cpu = memory = ""
    if sys.platform == "linux":
        found = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        cpu = found[0] if found else platform.machine()
        memory = f"{int(Path('/proc/meminfo').read_text().split()[1]) / 1e6:.0f} GB"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "date": date.today().isoformat(), "cpu": cpu or platform.processor(), "cores": cores, "memory": memory,
        "system": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}", "python": platform.python_version(), OURS: version("labelglot-core"),
        "compiled part": "yes" if native.COMPILED else "no",
        "load at the start": f"{os.getloadavg()[0]:.1f}",
    }  # fmt: skip


def fill(page: Path, name: str, text: str) -> None:
    """Put the text between the two markers of that name in the page."""
    begin, end = (MARKER.format(name=name, end=each) for each in ("begin", "end"))
    before, first, rest = page.read_text(encoding="utf-8").partition(begin)
    _, second, after = rest.partition(end)
    if not first or not second:
        raise SystemExit(f"{page}: lacks the lines {begin} and {end}")
    page.write_text(f"{before}{first}\n{text}\n{second}{after}", encoding="utf-8")


def remove_file(path: Path) -> None:
    """Folders stay, see :meth:`Bench.close`."""
    if path.is_file():
        path.unlink()


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else sum(each.stat().st_size for each in path.rglob("*") if each.is_file())


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def chosen(text: str | None, known: Sequence[str], what: str) -> list[str]:
    """The names of a list with commas."""
    names = [name for name in (text or "").split(",") if name]
    if unknown := [name for name in names if name not in known]:
        raise SystemExit(f"no {what} {unknown[0]}; there are {', '.join(known)}")
    return names


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, help=f"of the largest set, by default {FULL:,}; the smaller ones are scaled alike")
    parser.add_argument("--runs", type=int, help="timed runs of each converter, by default 3; one more is not timed")
    parser.add_argument("--pairs", help=f"some of {','.join(pair.id for pair in PAIRS)}")
    parser.add_argument("--peers", help=f"some of {','.join(peer.name for peer in PEERS)}; by default those not optional; '-': none")
    parser.add_argument("--quick", action="store_true", help="2,000 images and 1 run, if not given otherwise")
    parser.add_argument("--growth", action="store_true", help=f"{' and '.join(GROWTH)} at three sizes, instead of the table")
    parser.add_argument("--timeout", type=float, default=1800, help="seconds for one run (default 1800)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all numbers")
    parser.add_argument("--markdown", type=Path, metavar="PAGE", help="also put the table into this page, between its markers")
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "labelglot-benchmarks"
    parser.add_argument("--cache", type=Path, default=default, help="where data, environments and outputs are (default %(default)s)")
    parser.add_argument("--peer-env", type=Path, metavar="DIR", help="use the environments DIR/PEER instead of installing any")
    options = parser.parse_args(arguments)

    largest = options.images or (2000 if options.quick else FULL)
    runs = options.runs or (1 if options.quick else 3)
    wanted = chosen(options.pairs, [pair.id for pair in PAIRS], "pair") or (GROWTH if options.growth else [pair.id for pair in PAIRS])
    pairs = [pair for pair in PAIRS if pair.id in wanted]
    names = [] if options.peers == "-" else chosen(options.peers, [peer.name for peer in PEERS], "peer")
    peers = [] if options.peers == "-" else [peer for peer in PEERS if (peer.name in names if names else not peer.optional)]
    facts = machine()
    # Installed programs have their bytecode beside them; so has what runs from a checkout, after the run that is not timed.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    bench = Bench(options.cache.resolve(), runs, options.timeout, peers, options.peer_env)
    try:
        rows: list[Row] = []
        for pair in pairs:
            for full in GROWTH_SIZES if options.growth else (pair.thousands * 1000,):
                rows += bench.rows(pair, max(1, full * largest // FULL))
        about = "; ".join(f"{key} {value}" for key, value in facts.items() if value != "")
        failed = "".join(f"\n\n{name} could not be installed: {why}" for name, why in bench.failed.items())
        kinds = ", ".join(f"`{peer.requirement}`" for peer in peers if peer.name not in bench.failed)
        text = f"Measured: {about}; {runs} timed runs.{f' Peers: {kinds}.' if kinds else ''}{failed}\n\n"
        text += growth_table(rows) if options.growth else markdown(rows)
        print(text)
        if options.json:
            found = {"machine": facts, "runs": runs, "not_installed": bench.failed, "rows": [{**asdict(row), "wall": row.wall, "cpu": row.cpu} for row in rows]}
            options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        if options.markdown:
            fill(options.markdown, "growth" if options.growth else "benchmarks", text)
    finally:
        bench.close()


if __name__ == "__main__":
    main()
