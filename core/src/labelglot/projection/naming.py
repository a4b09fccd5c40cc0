"""Names that a target can hold: sanitised by its pattern, made unique, every change on record and reversible."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from labelglot.holds import Naming


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def fit(text: str, pattern: str | None, fallback: str) -> str:
    """``text`` with every character the pattern refuses replaced by ``_``; ``fallback`` if that is not enough."""
    if pattern is None or _compiled(pattern).fullmatch(text):
        return text
    allowed = _compiled(pattern)
    tried = "".join(c if allowed.fullmatch(c) else "_" for c in text.strip())
    return tried if allowed.fullmatch(tried) else fallback


def split_suffix(path: str) -> tuple[str, str]:
    """Path without its last suffix, and the suffix with its dot (``"a.b/c"`` has none)."""
    name = path.rpartition("/")[2]
    dot = name.rfind(".")
    if dot <= 0:
        return path, ""
    cut = len(path) - len(name) + dot
    return path[:cut], path[cut:]


def stem(path: str) -> str:
    """Path without its last suffix."""
    return split_suffix(path)[0]


def unique(name: str, taken: set[str]) -> str:
    """``name``, or the name with ``_2``, ``_3``... before its suffix, so that it is new to ``taken`` (caseless)."""
    if name.casefold() not in taken:
        taken.add(name.casefold())
        return name
    base, suffix = split_suffix(name)
    number = 2
    while f"{base}_{number}{suffix}".casefold() in taken:
        number += 1
    return unique(f"{base}_{number}{suffix}", taken)


class NamePlan:
    """Assigns target paths in source order; depends on the names alone, not on workers."""

    def __init__(self, naming: Naming) -> None:
        self.naming = naming
        self._taken: set[tuple[str | None, str]] = set()

    def assign(self, path: str, split: str | None, ordinal: int) -> str:
        """The path under which the target can keep this image apart from all earlier ones."""
        naming = self.naming
        scope = split if naming.scope == "split" else None
        candidate = path
        if not naming.folders and "/" in path:
            candidate = path.rpartition("/")[2]
        if naming.pattern:
            suffix = split_suffix(candidate)[1]
            candidate = fit(candidate, naming.pattern, f"image_{ordinal}{fit(suffix, naming.pattern, '')}")
        for name in self._candidates(candidate, path, ordinal):
            token = (scope, (stem(name) if naming.unique == "stem" else name).casefold())
            if token not in self._taken:
                self._taken.add(token)
                return name
        raise AssertionError("candidates are endless")

    def _candidates(self, candidate: str, path: str, ordinal: int) -> Iterable[str]:
        yield candidate
        base, suffix = split_suffix(candidate)
        if not self.naming.folders and "/" in path:
            flat = path.replace("/", "__")
            yield fit(flat, self.naming.pattern, candidate)
        if self.naming.unique == "stem" and suffix:
            yield f"{base}_{suffix[1:]}{suffix}"
        number = 2
        while True:
            yield f"{base}_{number}{suffix}"
            number += 1
