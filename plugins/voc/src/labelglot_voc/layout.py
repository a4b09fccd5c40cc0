"""Where the files of a VOC tree are: the devkit's folders, images beside their XML, or anything between.

An annotation file and its image share their path once the folder that tells them apart (``Annotations``,
``JPEGImages``, ``images``...) is taken out of it. What is left, without suffix, is the *id* of the image.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple
from urllib.parse import unquote

from labelglot.images import is_image
from labelglot.plugin import Pair, ReadContext, order_splits, split_role, under, with_suffix

MASKS = frozenset({"SegmentationClass", "SegmentationObject"})
"""Folders whose images are annotations."""

DEVKIT = frozenset({"Annotations", "JPEGImages", *MASKS})
OF_LABELS = frozenset(["annotations", "annotation", "annots", "xmls", "xml", "labels"])
LOOSE = OF_LABELS | {"jpegimages", "images", "image", "imgs", "img"}
NO_LABELS = rf"(?!(?:.*/)?(?i:{'|'.join(sorted(OF_LABELS | {each.lower() for each in MASKS}))})/)"
"""Begins the pattern of names that no reader takes for those of annotation files or masks."""

NO_SPLIT = "default"
"""The list that CVAT and Datumaro write for images of no split."""

_VALUE = re.compile(r"(.*\S)\s+(-1|0|1)\s*")
_FILENAME = re.compile(rb"<filename>([^<]*)</filename>")


class Listed(NamedTuple):
    """What the lists of a tree say of an image.

    ``tags``: (class, "1" present | "0" only difficult objects | "-1" absent) from ``CLASS_SPLIT.txt``; ``sets``: lists
    of other tasks it is in.
    """

    tags: tuple[tuple[str, str], ...] = ()
    sets: Mapping[str, tuple[str, ...]] = {}


UNLISTED = Listed()


class Tree(NamedTuple):
    """All images of a tree in order of their ids, and the classes that lists are named after."""

    pairs: list[Pair]
    classes: tuple[str, ...] = ()

    def sort_tags(self, classes: Sequence[str]) -> None:
        """Bring what lists say of each image into the order of a class table."""
        place = {name: i for i, name in enumerate(classes)}
        for i, pair in enumerate(self.pairs):
            if pair.more is not None and len(pair.more.tags) > 1:
                tags = tuple(sorted(pair.more.tags, key=lambda tag: place.get(tag[0], len(place))))
                self.pairs[i] = pair._replace(more=pair.more._replace(tags=tags))


class Lists:
    """The lists of a tree, gathered per id."""

    def __init__(self) -> None:
        self.splits: dict[str, list[str]] = {}
        self.tags: dict[str, list[tuple[str, str]]] = {}
        self.sets: dict[str, dict[str, list[str]]] = {}
        self.classes: dict[str, None] = {}
        self.roots: set[str] = set()
        self.found = False

    def listed(self, id_: str) -> Listed | None:
        """What is said of an id besides its splits; ``None`` for nothing."""
        tags, sets = self.tags.get(id_, ()), self.sets.get(id_, {})
        if not tags and not sets:
            return None
        return Listed(tuple(tags), {task: order_splits(splits) for task, splits in sets.items()})


def survey(
    context: ReadContext,
    files: Sequence[str],
    tasks: Sequence[str],
    folder_splits: bool,
    code: str,
    beside: bool = False,
) -> Tree:
    """Pair annotation files with images, and read the lists.

    ``tasks``: folders in ``ImageSets`` of which the first one present gives the splits. ``folder_splits``: without
    lists, a folder called train, val or test is a split. ``code``: of the format, for problems. ``beside``: each file
    lies beside its image, so that no folder tells them apart: all folders are part of names.
    """
    images = [path for path in context.images.paths if beside or not MASKS & set(path.split("/"))]
    by_id: dict[str, list[str]] = {}
    for id_, path in zip(_ids(images, beside), images, strict=True):
        by_id.setdefault(id_, []).append(path)
    annotations: dict[str, str] = {}
    for id_, path in zip(_ids(files, beside), files, strict=True):
        first = annotations.setdefault(id_, path)
        if first != path:
            message = f"there is {first} for the same image"
            context.report.problem(f"{code}.duplicate", message, path, severity="error", action="skipped")
    lists = read_lists(context, tasks, annotations.keys() | by_id.keys(), code)
    chosen = _match(context, annotations, by_id) if by_id else {}
    taken = set(chosen.values())
    found: list[_Found] = [(id_, path, chosen.get(id_)) for id_, path in annotations.items()]
    if context.source.focus is None:
        stored = [path for path in images if "JPEGImages" in path.split("/")] or images
        free = [path for path in stored if path not in taken]
        found += [(id_, None, path) for id_, path in zip(_ids(free, beside), free, strict=True)]
        present = {id_ for id_, _, _ in found}
        found += [(id_, None, None) for id_ in lists.splits if id_ not in present]
    return Tree(_identified(found, lists, folder_splits and not lists.found, beside), tuple(lists.classes))


_Found = tuple[str, str | None, str | None]
"""An id, its annotation file and its image."""


def _ids(paths: Iterable[str], beside: bool) -> list[str]:
    """The id of each path."""
    ids = []
    for path in paths:
        folder, _, name = path.rpartition("/")
        dot = name.rfind(".")
        ids.append((f"{folder}/" if beside and folder else _prefix(folder)) + (name if dot <= 0 else name[:dot]))
    return ids


@lru_cache(maxsize=1 << 16)
def _prefix(folder: str) -> str:
    """What ids of files in a folder begin with."""
    return under(_without(folder)[1], "")


@lru_cache(maxsize=1 << 16)
def _without(folder: str) -> tuple[str | None, str]:
    """A folder's part before the component that tells annotations from images (``None``: no such), and without it."""
    parts = folder.split("/") if folder else []
    for known in (DEVKIT, LOOSE):
        for i, part in enumerate(parts):
            if part in known or (known is LOOSE and part.lower() in known):
                return "/".join(parts[:i]), "/".join(parts[:i] + parts[i + 1 :])
    return None, folder


def is_of_labels(path: str) -> bool:
    """Whether a file lies in a folder whose name says that it has annotations."""
    return not OF_LABELS.isdisjoint(path.lower().split("/")[:-1])


def _whole(path: str) -> str:
    return path


def id_of(path: str) -> str:
    """A path without the folder that tells annotations from images."""
    folder, _, name = path.rpartition("/")
    return _prefix(folder) + name


def _match(context: ReadContext, annotations: Mapping[str, str], by_id: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The image of each annotation file: of the same id, else the one it names."""
    chosen: dict[str, str] = {}
    alone = []
    for id_, path in annotations.items():
        same = by_id.get(id_, ())
        if len(same) == 1:
            chosen[id_] = same[0]
        elif same:
            name = _file_name(context, path).rpartition("/")[2]
            chosen[id_] = next((image for image in same if image.endswith("/" + name) or image == name), same[0])
        else:
            alone.append((id_, path))
    free = {path for paths in by_id.values() for path in paths} - set(chosen.values())
    if not free:
        return chosen
    for id_, path in alone:
        name = _file_name(context, path)
        found = context.images.find(name, (path.rpartition("/")[0],)) if name else None
        if found in free:
            free.discard(found)
            chosen[id_] = str(found)
    return chosen


def _file_name(context: ReadContext, path: str) -> str:
    """What an annotation file calls its image, from its first bytes."""
    found = _FILENAME.search(context.source.head(path, 1 << 12))
    return html.unescape(found[1].decode("utf-8", "replace")).strip() if found else ""


def _identified(found: Sequence[_Found], lists: Lists, folder_splits: bool, beside: bool) -> list[Pair]:
    """Give each image its splits and its path below the part of the tree all of them share."""
    identify = _whole if beside else id_of
    folders = {(_folder(id_), _folder(annotation or image)) for id_, annotation, image in found}
    heads = {_head(id_, file, folder_splits, beside) for id_, file in folders}
    wrapper = _common((heads - {None}) | lists.roots)
    start = f"{wrapper}/" if wrapper else ""
    seen: set[tuple[tuple[str, ...], str]] = set()
    known: dict[tuple[str, ...], tuple[str, ...]] = {}
    result = []
    for id_, annotation, image in sorted(found, key=itemgetter(0)):
        splits = order_splits(lists.splits.get(id_, ()))
        path = (id_ if image is None else identify(image)).removeprefix(start)
        if folder_splits:
            splits, path = _split_of(path)
        if image is not None and (splits, path) in seen:
            path = image
        seen.add((splits, path))
        # The same object for the same splits, since pairs travel between processes.
        result.append(Pair(annotation, image, known.setdefault(splits, splits), path, lists.listed(id_)))
    return result


def _folder(path: str | None) -> str | None:
    return None if path is None else path.rpartition("/")[0]


def _head(id_folder: str | None, folder: str | None, folder_splits: bool, beside: bool) -> str | None:
    """The part of an id that may be the way to the dataset rather than part of the image's name: of one in ``id_folder`` whose
    file is in ``folder``.
    """
    if folder is None:
        return None
    if folder_splits:
        parts = id_folder.split("/") if id_folder else []
        at = next((i for i, part in enumerate(parts) if split_role(part)), None)
        if at is not None:
            return "/".join(parts[:at])
    return "" if beside else _without(folder)[0] or ""


def _common(heads: Iterable[str | None]) -> str:
    """The folders all heads begin with."""
    shared: list[str] | None = None
    for head in heads:
        parts = head.split("/") if head else []
        if shared is None:
            shared = parts
        while shared and shared != parts[: len(shared)]:
            shared.pop()
    return "/".join(shared or ())


def _split_of(path: str) -> tuple[tuple[str, ...], str]:
    folders = path.split("/")
    for i, part in enumerate(folders[:-1]):
        if split_role(part):
            return (part,), "/".join(folders[:i] + folders[i + 1 :])
    return (), path


def read_lists(context: ReadContext, tasks: Sequence[str], known: Iterable[str], code: str) -> Lists:
    """The lists below ``ImageSets``: of the chosen task splits and classes, of all others only who is in them."""
    lists = Lists()
    documents: dict[str, list[_List]] = {}
    ids = frozenset(known)
    for path in context.source.match("*.txt"):
        folders = path.split("/")
        if "ImageSets" in folders[:-1]:
            at = folders.index("ImageSets")
            root, task = "/".join(folders[:at]), "/".join(folders[at + 1 : -1])
            documents.setdefault(task, []).append(_List(path, root, folders[-1][:-4], _lines(context, path), ids))
    chosen = next((task for task in tasks if task in documents), None)
    lists.found = chosen is not None
    for task, found in documents.items():
        titles = {each.title for each in found if not each.may_be_of_class()}
        for each in found:
            if task == chosen:
                lists.roots.add(each.root)
            if not each.is_of_class(titles):
                _add(lists, each, task if task != chosen else None)
            elif task == chosen:
                _add_class(lists, each, titles)
            else:
                message = f"a list of the {task} task is not read"
                context.report.problem(f"{code}.list", message, each.path, severity="info", action="left out")
    return lists


class _List(NamedTuple):
    """One list: its path, the folder of its tree, its name without suffix, its lines, and all ids of the tree."""

    path: str
    root: str
    title: str
    lines: Sequence[str]
    ids: frozenset[str]

    def may_be_of_class(self) -> bool:
        """Whether it looks like ``CLASS_SPLIT.txt``: two names in one, a value after each id."""
        if not self.lines or "_" not in self.title or all(under(self.root, line) in self.ids for line in self.lines):
            return False
        return all(_VALUE.fullmatch(line) for line in self.lines)

    def is_of_class(self, splits: Iterable[str]) -> bool:
        """Whether it is ``CLASS_SPLIT.txt`` for one of the splits, if there are any."""
        named = not splits or any(self.title.endswith("_" + split) for split in (*splits, NO_SPLIT))
        return named and self.may_be_of_class()

    def resolve(self, line: str) -> str:
        """The id a line means: as written, without blanks, with other slashes, without suffix; else as written."""
        for text in (line, line.strip(), line.strip().replace("\\", "/")):
            id_ = under(self.root, text)
            if id_ in self.ids:
                return id_
        stem = with_suffix(id_, "")
        return stem if stem in self.ids and (is_image(id_) or id_.endswith(".xml")) else id_


def _lines(context: ReadContext, path: str) -> list[str]:
    text = context.source.read(path).decode("utf-8-sig", "replace")
    return [line for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n") if line.strip()]


def _add(lists: Lists, each: _List, other_task: str | None) -> None:
    for line in each.lines:
        id_ = line if not each.root and line in each.ids else each.resolve(line)
        if other_task is not None:
            found = lists.sets.setdefault(id_, {}).setdefault(other_task, [])
        else:
            found = lists.splits.setdefault(id_, [])
        if each.title not in found and (each.title != NO_SPLIT or other_task is not None):
            found.append(each.title)


def _add_class(lists: Lists, each: _List, splits: Iterable[str]) -> None:
    known = [split for split in (*splits, NO_SPLIT) if each.title.endswith("_" + split)]
    split = max(known, key=len) if known else each.title.rpartition("_")[2]
    name = unquote(each.title[: -len(split) - 1])
    lists.classes.setdefault(name)
    for line in each.lines:
        found = _VALUE.fullmatch(line)
        if found is not None:
            tags = lists.tags.setdefault(each.resolve(found[1]), [])
            if (name, found[2]) not in tags:
                tags.append((name, found[2]))
