"""What reading a few kilobytes may take at most, whatever they say."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SECONDS = 20
MEGABYTES = 700
USED = Path("/proc/self/statm")
"""How much address space the process has, on Linux; elsewhere only time is limited."""


@contextlib.contextmanager
def bounded(seconds: int = SECONDS) -> Iterator[None]:
    """What is done meanwhile may take neither much time nor much memory."""
    import resource

    def late(number: int, frame: Any) -> None:
        raise TimeoutError(f"it takes more than {seconds} s")

    before = resource.getrlimit(resource.RLIMIT_AS)
    if USED.exists():
        used = int(USED.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (MEGABYTES << 20), before[1]))
    usual = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, usual)
        resource.setrlimit(resource.RLIMIT_AS, before)
