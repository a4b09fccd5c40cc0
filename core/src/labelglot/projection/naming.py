"""Names that a target can hold: sanitised by its pattern, made unique, every change on record and reversible."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import islice, pairwise
from operator import lt
from typing import NamedTuple

from labelglot.errors import UnsafePath
from labelglot.holds import Holds, Naming
from labelglot.projection.facts import fit_id
from labelglot.schema.base import Id
from labelglot.schema.sample import Sample, key_of, order_splits, split_role
from labelglot.storage.paths import clean_foreign, safe_relative


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


def image_stem(path: str) -> str:
    """Path without the suffix of an image; ``a.b`` has none."""
    from labelglot.images.suffixes import is_image

    return stem(path) if is_image(path) else path


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
            if not naming.suffix and (bare := image_stem(candidate)) != candidate:
                candidate = fit(bare, naming.pattern, f"image_{ordinal}") + suffix
        for name in self._candidates(candidate, path, ordinal):
            tokens = {(scope, each.casefold()) for each in self._shared(name)}
            if not tokens & self._taken:
                self._taken |= tokens
                return name
        raise AssertionError("candidates are endless")

    def _shared(self, name: str) -> tuple[str, ...]:
        """What two images must not share: a.b.jpg and, if it has no image file, a.b are both a.b to such a format."""
        if self.naming.unique == "path":
            return (name,)
        return (stem(name), image_stem(name)) if self.naming.suffix else (image_stem(name),)

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


def target_splits(splits: tuple[str, ...], holds: Holds) -> tuple[str, ...]:
    """The splits a sample of ``splits`` has in the target."""
    if holds.splits == "none":
        splits = ()
    elif holds.splits == "any":
        if holds.split_names is not None:
            splits = tuple(dict.fromkeys(fit(s, holds.split_names, "split") for s in splits))
    else:
        allowed = holds.splits
        mapped = (s if s in allowed else split_role(s) for s in splits)
        splits = tuple(dict.fromkeys(s for s in mapped if s in allowed))
    if not holds.several_splits:
        splits = splits[:1]
    elif holds.split_order == "roles" and len(splits) > 1:
        splits = order_splits(splits)
    if not splits and holds.split_required is not None:
        splits = (holds.split_required,)
    return splits


class Entries(NamedTuple):
    """What naming needs to know of samples: of each of them, in order, the path and so on.

    ``labels``: key of the class whose folder the image lies in, see :func:`folder_class`.
    """

    paths: list[str]
    splits: list[tuple[str, ...]]
    ids: list[Id | None]
    labels: list[str | None]

    @classmethod
    def of(cls, samples: Iterable[Sample], holds: Holds) -> Entries:
        """Those of samples, for a target."""
        found = cls([], [], [], [])
        for sample in samples:
            found.add(sample, holds)
        return found

    def add(self, sample: Sample, holds: Holds) -> None:
        """Put the one of a sample behind the others."""
        self.paths.append(sample.path)
        self.splits.append(sample.splits)
        self.ids.append(sample.id)
        self.labels.append(folder_class(sample, holds))

    def extend(self, later: Entries) -> None:
        """Put others behind these."""
        self.paths.extend(later.paths)
        self.splits.extend(later.splits)
        self.ids.extend(later.ids)
        self.labels.extend(later.labels)


def folder_class(sample: Sample, holds: Holds) -> str | None:
    """The class whose folder the target puts an image into, if it has such folders."""
    if holds.naming.class_folder == "object":
        return next((a.label for a in sample.annotations or () if a.label is not None), None)
    if holds.naming.class_folder == "tag":
        return next((tag.label for tag in sample.tags if tag.label is not None and not tag.negative), None)
    return None


class Names(NamedTuple):
    """Paths that change (by sample key), splits in use in order of first appearance, and how sample ids are assigned.

    ``holds``: what the target holds once splits are folders (see :func:`with_split_folders`).
    ``folders``: the target gets one folder per split, each a dataset of its own. ``plain``: it has only folders that could
    be taken for splits, and are none.
    """

    paths: dict[str, str]
    splits: tuple[str | None, ...]
    sample_id_base: int
    renumber: bool
    holds: Holds
    folders: bool
    plain: bool


def with_split_folders(holds: Holds) -> Holds:
    """The declaration of a format without splits when the engine writes one folder per split around it."""
    return holds.replace(splits="any", several_splits=False, naming=holds.naming.replace(scope="split"))


def fits_split_folders(written: Collection[tuple[str, ...]], holds: Holds) -> bool:
    """Whether one folder per split can be told from any other folder later: every image has a split that is some kind
    of train, val or test, and the format has no splits of its own. ``written``: the different splits that images have.
    """
    if holds.splits != "none":
        return False
    firsts = [splits[0] if splits else None for splits in written]
    fitting = [split_role(split) is not None and fit(split or "", SPLIT_FOLDER, "") == split for split in firsts]
    return bool(fitting) and all(fitting)


SPLIT_FOLDER = r"[A-Za-z0-9_-]+"


LONGEST = 200
"""Bytes in one part of a path, so that a suffix, a split or a number can still be added (file systems allow 255)."""


def contained(path: str) -> str | None:
    """A path that stays inside its root: itself if it does, else its longest safe suffix; ``None`` if there is none.

    Parts that no file system takes for their length are shortened.
    """
    try:
        safe = safe_relative(path)
    except UnsafePath:
        safe = next(filter(None, map(_safe, clean_foreign(path))), "")
    if len(safe) * 4 <= LONGEST:
        return safe or None
    return "/".join(map(_shortened, safe.split("/")))


def _safe(path: str) -> str | None:
    try:
        return safe_relative(path)
    except UnsafePath:
        return None


def _shortened(part: str) -> str:
    if len(part.encode()) <= LONGEST:
        return part
    base, suffix = split_suffix(part)
    room = LONGEST - len(suffix.encode()[:20])
    return base.encode()[:room].decode("utf-8", "ignore") + suffix[:20]


def plan_names(
    entries: Entries,
    holds: Holds,
    folders: bool = True,
    unsafe: Callable[[str, str, str], None] | None = None,
    labels: Mapping[str, str] | None = None,
) -> Names:
    """Give every sample a path the target can keep apart and that stays inside it.

    ``folders``: the target can have folders. ``unsafe`` is called with key, path and new path of names that leave the
    root. ``labels``: names of the classes in the target, for formats with a folder per class.
    """
    written_splits = dict.fromkeys(entries.splits)
    split_folders = folders and fits_split_folders(written_splits, holds)
    if split_folders:
        holds = with_split_folders(holds)
    usual = _plan_usual(entries, list(written_splits), holds)
    if usual is not None:
        return usual._replace(folders=split_folders)
    names = NamePlan(holds.naming)
    paths: dict[str, str] = {}
    splits: dict[str | None, None] = {}
    seen: set[tuple[str | None, Id]] = set()
    highest, renumber = 0, False
    only_roles = bool(entries.paths)
    lost_splits = holds.splits == "none" and holds.naming.folders
    first: dict[tuple[str, ...], str | None] = {}
    for ordinal, (path, written, id_, label) in enumerate(zip(*entries, strict=True)):
        key = key_of(path, written)
        if written not in first:
            first[written] = next(iter(target_splits(written, holds)), None)
        split = first[written]
        splits.setdefault(split)
        inside = contained(path)
        if inside != path and unsafe is not None:
            unsafe(key, path, inside or f"image_{ordinal}")
        wanted = inside or f"image_{ordinal}"
        if lost_splits and written:
            wanted = f"{fit(written[0], holds.split_names or SPLIT_FOLDER, 'split')}/{wanted}"
        if holds.naming.class_folder != "none":
            top = (labels or {}).get(label or "", holds.naming.no_class)
            there = "/" in wanted if holds.naming.class_folder == "object" else wanted.startswith(f"{top}/")
            wanted = wanted if there else f"{top}/{wanted}"
        given = names.assign(wanted, split, ordinal)
        if given != path:
            paths[key] = given
        top, slash, _ = given.partition("/")
        only_roles &= bool(slash) and split_role(top) is not None
        if id_ is not None:
            fitted = fit_id(id_, holds.sample_ids)
            if fitted is None:
                continue
            renumber |= (split, fitted) in seen
            seen.add((split, fitted))
            highest = max(highest, _number(fitted))
    plain = only_roles and holds.splits == "none" and not split_folders
    return Names(paths, tuple(splits) or (None,), highest, renumber, holds, split_folders, plain)


_SIMPLE = re.compile(r"(?:[A-Za-z0-9_-]{1,40}\.[A-Za-z0-9]{1,6}\n)+")


def _plan_usual(entries: Entries, written: Sequence[tuple[str, ...]], holds: Holds) -> Names | None:
    """The same for images in one folder with simple names that all stay as they are, as in most large datasets: a few
    looks at all of them together. ``None`` if anything needs a closer look. ``written``: the different splits, by first
    appearance.
    """
    naming, paths = holds.naming, entries.paths
    lost_splits = holds.splits == "none" and naming.folders and any(written)
    text = "\n".join([*paths, ""])
    if naming.class_folder != "none" or lost_splits or text.count("\n") > len(paths) or not _SIMPLE.fullmatch(text):
        return None
    if not _have_own_stems(paths, text):
        return None
    if naming.pattern is not None:
        fits = _compiled(naming.pattern).fullmatch
        if not all(map(fits, paths)) or (not naming.suffix and not all(map(fits, map(image_stem, paths)))):
            return None
    given = [] if holds.sample_ids == "none" else [id_ for id_ in entries.ids if id_ is not None]
    ids = [id_ for id_ in given if type(id_) is int]
    if (given and holds.sample_ids == "str") or len(set(ids)) < len(given):
        return None
    splits = dict.fromkeys(next(iter(target_splits(each, holds)), None) for each in written)
    return Names({}, tuple(splits), max([0, *ids]), False, holds, False, False)


def _have_own_stems(paths: Sequence[str], text: str) -> bool:
    """Whether no two names are the same but for suffix and capital letters. ``text``: all of them; each has one point."""
    if text == text.casefold() and all(map(lt, paths, islice(paths, 1, None))):
        # In order, what has one stem stands side by side, and nothing has to be remembered.
        stems = (path.partition(".")[0] for path in paths)
        return all(a != b for a, b in pairwise(stems))
    return len({path.partition(".")[0] for path in map(str.casefold, paths)}) == len(paths)


def _number(id_: Id) -> int:
    """The number an assigned id could be taken for; 0 for a text that is none."""
    if isinstance(id_, int):
        return id_
    return int(id_) if id_.isascii() and id_.isdigit() and len(id_) <= 18 else 0
