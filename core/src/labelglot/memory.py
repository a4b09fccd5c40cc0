"""How much memory there is: for readers that can do with less if a document is larger than what is left."""

from __future__ import annotations

import os
import re
from pathlib import Path

from labelglot.errors import OptionError

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Bytes of ``"800M"``, ``"1.5 GiB"``, ``"4096"``; units are powers of 1024. Raises :class:`OptionError`."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise OptionError(f"{text!r} is no size", hint="write it as 800M or 1.5G")
    return int(float(found[1]) * _UNITS[found[2].upper()])


def available_memory() -> int | None:
    """Bytes this process may still take without swapping: what the machine has free, and what its container allows.

    ``None`` where the system does not tell.
    """
    found = [size for size in (_machine(), _container()) if size is not None]
    return min(found, default=None)


def _machine() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    except (OSError, ValueError, IndexError):
        pass
    try:
        # Elsewhere only the whole is known; half of it is a fair guess.
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, OSError, ValueError):
        return None


def _container() -> int | None:
    """What the control groups of this process leave it; version 2, then version 1."""
    root = Path("/sys/fs/cgroup")
    for limit, used in (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes")):
        try:
            return max(0, int((root / limit).read_text()) - int((root / used).read_text()))
        except (OSError, ValueError):
            continue
    return None
