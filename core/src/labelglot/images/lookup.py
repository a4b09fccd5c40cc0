"""Find the image an annotation means: full path, then path suffix, then stem. Never a silent guess."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from labelglot.images.suffixes import images_of
from labelglot.projection.naming import stem
from labelglot.storage.paths import clean_foreign
from labelglot.storage.source import Source


class ImageIndex:
    """All images of a source, by path, name and stem. Counts what was found: ``matched``, ``unmatched``, ``ambiguous``."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.matched = self.unmatched = self.ambiguous = 0

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """All image files, in path order."""
        return tuple(images_of(self.source.companions()))

    @cached_property
    def _all(self) -> frozenset[str]:
        return frozenset(self.paths)

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for path in self.paths:
            found.setdefault(path.rpartition("/")[2], []).append(path)
        return found

    @cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for path in self.paths:
            found.setdefault(stem(path.rpartition("/")[2]), []).append(path)
        return found

    def __contains__(self, path: str) -> bool:
        """Whether there is an image at exactly this path."""
        return path in self._all

    def find(self, name: str, folders: Sequence[str] = ()) -> str | None:
        """The image called ``name``, looked up in each of ``folders`` first; ``None`` if there is none or several."""
        found = self._find(name, folders)
        if found is None:
            self.unmatched += 1
        else:
            self.matched += 1
        return found

    def _find(self, name: str, folders: Sequence[str]) -> str | None:
        if not self.paths:
            return None
        for candidate in clean_foreign(name):
            for folder in (*folders, ""):
                path = f"{folder.strip('/')}/{candidate}" if folder.strip("/") else candidate
                if path in self._all:
                    return path
            same = [p for p in self._by_name.get(candidate.rpartition("/")[2], ()) if p.endswith("/" + candidate)]
            chosen = self._choose(same, folders)
            if chosen is not None:
                return chosen
        base = name.replace("\\", "/").rpartition("/")[2]
        return self._choose(self._by_stem.get(stem(base)) or self._by_stem.get(base, []), folders)

    def _choose(self, paths: Sequence[str], folders: Sequence[str]) -> str | None:
        if len(paths) <= 1:
            return paths[0] if paths else None
        for folder in folders:
            inside = [p for p in paths if p.startswith(folder.strip("/") + "/")]
            if len(inside) == 1:
                return inside[0]
        self.ambiguous += 1
        return None
