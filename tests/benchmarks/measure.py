"""Runs a command as a whole process and says what it took: wall time, CPU time, memory of it and of all it starts.

Time and memory are not taken in the same run (``sample``): adding up the pages of a large process costs CPU and holds up
its page faults, which would be charged to the one with the most memory.
"""

from __future__ import annotations

import math
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

INTERVAL = 0.05
"""Seconds between two looks at the memory."""

SHARE = 0.1
"""Of a core, what looking at the memory may take; it looks less often where a look is slow."""

PROC = Path("/proc")


@dataclass(frozen=True)
class Memory:
    """The most that was seen, in bytes."""

    process: int = 0
    """Resident memory of the largest process (``VmHWM``, which the kernel keeps: nothing is missed between two looks)."""
    tree: int = 0
    """The command with all processes below it at one moment; pages that several share count once (PSS)."""
    pss: bool = True
    """False: PSS of some process could not be read, ``tree`` is a sum of RSS and counts shared pages several times."""
    looks: int = 0


@dataclass(frozen=True)
class Measured:
    """What a run took."""

    wall: float
    """Seconds from start to end."""
    cpu: float
    """Seconds of user and system time, of the command and of the processes it waited for."""
    status: int | Literal["timeout"]
    memory: Memory | None
    """Nothing if not sampled."""
    output: str
    """The end of what it printed."""

    @property
    def ok(self) -> bool:
        return self.status == 0


def run(command: Sequence[str], *, sample: bool = False, env: Mapping[str, str] | None = None, timeout: float | None = None) -> Measured:
    """Run to the end, or until ``timeout`` seconds have passed, then end it and what it started."""
    with tempfile.TemporaryFile() as printed:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT, env=env, start_new_session=True
        )  # fmt: skip
        watch = _Watch(process.pid) if sample and PROC.joinpath("self/stat").exists() else None
        late = False
        try:
            with _Ending(process.pid) as ending:
                while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
                    left = math.inf if timeout is None or late else start + timeout - time.perf_counter()
                    if left <= 0:
                        late = True
                        _end(process.pid)
                    ending.wait(min(watch.look() if watch else 10, max(left, 0)))
            wall = time.perf_counter() - start
            _, status, usage = ended
            process.returncode = os.waitstatus_to_exitcode(status)  # reaped here: Popen must not wait for it again
        except BaseException:
            if process.returncode is None:
                _end(process.pid)
                process.wait()
            raise
        size = printed.seek(0, os.SEEK_END)
        printed.seek(max(0, size - 4000))
        output = printed.read().decode(errors="replace")
    return Measured(
        wall, usage.ru_utime + usage.ru_stime, "timeout" if late else process.returncode,
        watch.memory(usage.ru_maxrss) if watch else None, output,
    )  # fmt: skip


def _end(root: int) -> None:
    """The process, which is not yet waited for, and all it started."""
    for pid in members(root) if PROC.joinpath("self/stat").exists() else ():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    os.killpg(root, signal.SIGKILL)


class _Ending:
    """Waits for the end of a child without taking it: to the moment where the system can, else to a millisecond."""

    def __init__(self, pid: int) -> None:
        self._fd: int | None = None
        if hasattr(os, "pidfd_open"):
            try:
                self._fd = os.pidfd_open(pid)
            except OSError:  # forbidden, or an old kernel
                pass

    def wait(self, seconds: float) -> None:
        if self._fd is None:
            time.sleep(min(seconds, 0.001))
        else:
            select.select([self._fd], [], [], seconds)

    def __enter__(self) -> _Ending:
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd is not None:
            os.close(self._fd)


class _Watch:
    """Adds up the memory of a process and of all below it, again and again."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._process = self._tree = self._looks = 0
        self._next = 0.0
        self._pss = True

    def look(self) -> float:
        """Look once, or not yet; gives the seconds to wait before the next."""
        start = time.perf_counter()
        if start < self._next:
            return self._next - start
        total = 0
        for pid in members(self._root):
            peak, resident, exact = memory_of(pid)
            self._process = max(self._process, peak)
            self._pss &= exact
            total += resident
        self._tree = max(self._tree, total)
        self._looks += 1
        # More often at first, for commands that end soon.
        pause = max(min(INTERVAL, 0.002 * self._looks), (time.perf_counter() - start) / SHARE)
        self._next = time.perf_counter() + pause
        return pause

    def memory(self, maxrss: int) -> Memory:
        """``maxrss``: of the command, as the kernel gives it at the end."""
        scale = 1 if sys.platform == "darwin" else 1024
        # A child starts as a copy of this process, and the kernel counts that: only what is more than this one is its own.
        # So this process stays small: outputs are counted in another.
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        process = max(self._process, maxrss * scale if maxrss > own else 0)
        return Memory(process, max(self._tree, process if self._pss else 0), self._pss, self._looks)


def members(root: int) -> list[int]:
    """The process and all below it; also those whose parent has ended, as long as they stay in its session."""
    parents: dict[int, int] = {}
    found = []
    for entry in PROC.iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        pid, parents[int(entry.name)] = int(entry.name), int(fields[1])
        if pid == root or int(fields[3]) == root:
            found.append(pid)
    known = set(found)
    while more := [pid for pid, parent in parents.items() if parent in known and pid not in known]:
        known.update(more)
        found += more
    return found


def memory_of(pid: int) -> tuple[int, int, bool]:
    """Peak of resident memory, memory now, and whether the latter is PSS; zeros for a process that has ended."""
    peak = resident = 0
    try:
        for line in (PROC / str(pid) / "status").read_text(errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                peak = int(line.split()[1]) * 1024
            elif line.startswith("VmRSS:"):
                resident = int(line.split()[1]) * 1024
        if not resident:
            return 0, 0, True  # ended, not yet waited for
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return peak, int(line.split()[1]) * 1024, True
    except ProcessLookupError:
        return peak, 0, True  # ended between two files
    except OSError:  # forbidden, or the kernel has no such file, or the process has ended and was waited for
        if not (PROC / str(pid)).exists():
            return peak, 0, True
    return peak, resident, False
