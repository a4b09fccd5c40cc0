"""Where images and their label files lie: ``images/<split>`` mirrored by ``labels/<split>``, and what deviates from it."""

from __future__ import annotations

import posixpath
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import repeat

from labelglot.images import images_of, is_image
from labelglot.plugin import Pair, Report, Source, image_stem, split_role, under
from labelglot.projection.naming import stem
from labelglot.storage import clean_foreign
from labelglot.wire.text import lines

IMAGES, LABELS = "images", "labels"


def mirrored(path: str) -> str:
    """A path with its last folder called ``images`` replaced by ``labels``: the rule of Ultralytics' loader."""
    return _swap(path, -1)


def _swap(path: str, which: int) -> str:
    parts = path.split("/")
    places = [i for i, part in enumerate(parts[:-1]) if part == IMAGES]
    if places:
        parts[places[which]] = LABELS
    return "/".join(parts)


@lru_cache(maxsize=1024)
def _mirrored_folder(folder: str) -> str:
    return mirrored(folder + "/")[:-1]


def label_path(image: str, has_suffix: bool = True) -> str:
    """The label file of an image. ``has_suffix=False``: the name of the image is known without its suffix."""
    folder, _, name = image.rpartition("/")
    bare = stem(name) if has_suffix and is_image(name) else name
    return under(_mirrored_folder(folder), bare + ".txt")


def beside(image: str) -> str:
    """The label file in the folder of its image."""
    return image_stem(image) + ".txt"


_OTHER_FOLDERS = (("JPEGImages", "labels"), ("Images", "Annotations"), ("images", "annotations"))


class Tree:
    """The files of a source, asked by folder. Built once by the reader; workers get what was found.

    ``labels_beside``: label files lie beside their images (Darknet) rather than in the mirrored folder.
    """

    def __init__(self, source: Source, labels_beside: bool = False) -> None:
        self.source, self.labels_beside = source, labels_beside
        self.paths = source.companions()

    def has(self, path: str) -> bool:
        """Whether there is a file at this path. Looked up in the list: a set of hundreds of thousands takes as much memory."""
        place = bisect_left(self.paths, path)
        return place < len(self.paths) and self.paths[place] == path

    @cached_property
    def folders(self) -> frozenset[str]:
        found: set[str] = set()
        for folder in {path.rpartition("/")[0] for path in self.paths}:
            while folder not in found:
                found.add(folder)
                folder = folder.rpartition("/")[0]
        return frozenset(found)

    def below(self, folder: str) -> Sequence[str]:
        """All files in a folder and its sub-folders."""
        if not folder:
            return self.paths
        start = bisect_left(self.paths, folder + "/")
        return self.paths[start : bisect_left(self.paths, folder + "0", start)]

    def has_folder(self, folder: str) -> bool:
        """Whether a folder of images is there, or at least that of their labels."""
        return self._is_folder(folder) or self._is_folder(mirrored(folder + "/")[:-1])

    def _is_folder(self, folder: str) -> bool:
        inside = f"{folder}/" if folder else ""
        first = bisect_left(self.paths, inside)
        return first < len(self.paths) and self.paths[first].startswith(inside)

    def label_of(self, image: str) -> tuple[str | None, bool]:
        """The label file of an image, and whether it lies where trainers look for it."""
        right = beside(image) if self.labels_beside else label_path(image)
        if self.has(right):
            return right, True
        places = [label_path(image) if self.labels_beside else beside(image)]
        if "/" in image:
            places += [beside(_swap(image, 0)), *(beside(f"/{image}".replace(f"/{a}/", f"/{b}/")[1:]) for a, b in _OTHER_FOLDERS)]
        return next((place for place in places if self.has(place)), None), self.labels_beside

    def usual_labels(self, images: Sequence[str]) -> tuple[list[str], bool]:
        """Where the label files of image files should be, and whether each of them is there for one image alone."""
        folders = {image.rpartition("/")[0] for image in images}
        places = {folder: under(folder if self.labels_beside else _mirrored_folder(folder), "") for folder in folders}
        parts = (image.rpartition("/") for image in images)
        labels = [f"{places[folder]}{name.rpartition('.')[0] or name}.txt" for folder, _, name in parts]
        there = self.below(posixpath.commonpath(places.values()) if len(places) > 1 else next(iter(places.values()), "")[:-1])
        if len(there) == len(labels) and list(there) == labels:
            return list(there), True  # the same texts once more would be a tenth of all memory
        return labels, len(set(labels)) == len(labels) and all(map(self.has, labels))

    def orphans(self, folder: str, claimed: set[str]) -> Iterator[tuple[str, str]]:
        """Label files of a folder's images that are not there: (label file, path of the image without suffix)."""
        root = mirrored(folder + "/")[:-1]
        for label in self.below(root):
            if label not in claimed and label.endswith(".txt") and self.holds_labels(label, beside=root == folder):
                yield label, _below(label, root)[:-4]
        if root == folder:
            return
        for label in [path for path in self.below(folder) if path.endswith(".txt")]:
            if label in claimed:
                continue
            inner = _below(label, folder).split("/")
            if LABELS in inner[:-1]:
                inner[inner.index(LABELS)] = IMAGES
                if mirrored(under(folder, "/".join(inner))) == label:
                    yield label, "/".join(inner)[:-4]

    def holds_labels(self, path: str, beside: bool) -> bool:
        """Whether a text file without image is a label file: notes, class names and lists lie among them too."""
        if not beside and path.rpartition("/")[2].lower() not in NO_LABELS:
            return True
        first = next((line for _, line in lines(self.source.head(path))), None)
        return not beside if first is None else is_label_line(first)

    def resolve(self, value: str, bases: Sequence[str], loose: bool = True) -> tuple[str, bool] | None:
        """The folder or list file (true) that a split's value means, ``None`` if there is nothing of the kind.

        ``loose``: the value is known to mean one, so what is not there as written is looked for under other names.
        """
        written = [path for base in bases if (path := posixpath.normpath(under(base, value))) not in (".", base)]
        for tried in _renamed(_candidates(value, bases)) if loose else written:
            if self.has(tried) and tried.endswith(".txt"):
                return tried, True
            if self.has_folder(tried):
                return tried, False
        return None

    def resolve_file(self, value: str, bases: Sequence[str]) -> str | None:
        """The file that a path in a YAML or data file means."""
        return next((path for path in _candidates(value, bases) if self.has(path)), None)

    def resolve_image(self, value: str, bases: Sequence[str]) -> str | None:
        """The image file that a line of a list means; a path without file if at least its label file is there."""
        for base in bases:
            path = under(base, value.removeprefix("./"))
            if self.has(path):
                return path
        tried = list(_candidates(value, bases))
        return next((path for path in tried if self.has(path)), None) or next(
            (path for path in tried if self.label_of(path)[0] is not None), None
        )


NO_LABELS = frozenset(["classes.txt", "readme.txt", "notes.txt", "train.txt", "val.txt", "valid.txt", "test.txt"])
"""Text files that people keep among label files: only their content tells."""


def is_label_line(line: str) -> bool:
    """Whether a line consists of at least five numbers."""
    cells = line.split()
    try:
        return len(cells) >= 5 and all(float(cell) is not None for cell in cells)
    except ValueError:
        return False


def _below(path: str, folder: str) -> str:
    return path[len(folder) + 1 :] if folder else path


def _candidates(value: str, bases: Sequence[str]) -> Iterator[str]:
    """What a path in a YAML or list file may mean here, best first: as written, without leading ``../`` (Roboflow
    writes one too many), without leading ``data/`` (CVAT), and any end of a path of another machine.
    """
    text = value.strip().replace("\\", "/")
    found: dict[str, None] = {}
    shorter = [text]
    while shorter[-1].startswith("../"):
        shorter.append(shorter[-1][3:])
    if shorter[-1].startswith("data/"):
        shorter.append(shorter[-1][5:])
    for base in bases:
        for each in shorter:
            path = posixpath.normpath(under(base, each)) if not each.startswith("/") else ""
            if path and not path.startswith("..") and path != "/":
                found.setdefault("" if path == "." else path)
    for each in clean_foreign(text) if text not in (".", "") else ():
        for base in bases:
            found.setdefault(posixpath.normpath(under(base, each)))
    yield from found


_OTHER_NAMES = {"val": ("valid", "validation"), "valid": ("val", "validation"), "validation": ("val", "valid")}


def _renamed(paths: Iterator[str]) -> Iterator[str]:
    """The paths, then the same with ``val`` for ``valid`` and the reverse."""
    listed = list(paths)
    yield from listed
    for path in listed:
        parts = path.split("/")
        for i, part in enumerate(parts):
            for other in _OTHER_NAMES.get(part, ()):
                yield "/".join([*parts[:i], other, *parts[i + 1 :]])


def discover(tree: Tree, base: str) -> dict[str | None, list[str]]:
    """The image folders of each split where no YAML names them: ``images/<split>``, ``<split>/images``, ``images``, or
    the folder itself.
    """
    roots = {f for f in tree.folders if f.rpartition("/")[2] == IMAGES}
    roots |= {with_last(f, IMAGES) for f in tree.folders if f.rpartition("/")[2] == LABELS}
    roots = {f for f in roots if not base or f.startswith(base + "/")}
    found: dict[str | None, list[str]] = {}
    for root in sorted(roots):
        if any(root.startswith(other + "/") for other in roots):
            continue
        above = root.rpartition("/")[0].rpartition("/")[2]
        inner = _split_folders(tree, root)
        if split_role(above) is not None:
            found.setdefault(above, []).append(root)
        elif inner:
            for split in inner:
                found.setdefault(split, []).append(f"{root}/{split}")
        else:
            found.setdefault(None, []).append(root)
    return found or {None: [base]}


def with_last(path: str, name: str) -> str:
    """A path with its last part replaced."""
    return under(path.rpartition("/")[0], name)


def _split_folders(tree: Tree, root: str) -> list[str]:
    """The sub-folders of an image folder if each of them is some kind of train, val or test."""
    found: set[str] = set()
    for folder in (root, mirrored(root + "/")[:-1]):
        for path in tree.below(folder):
            top, slash, _ = _below(path, folder).partition("/")
            if slash:
                found.add(top)
            elif is_image(path) or (path.endswith(".txt") and tree.holds_labels(path, beside=False)):
                return []
    return sorted(found) if all(split_role(name) is not None for name in found) else []


class Gatherer:
    """Collects the images of all splits: each file once, with every split it is in."""

    def __init__(self, tree: Tree, source: Source, report: Report, format: str, base: str) -> None:
        self.tree, self.source, self.report, self.format, self.base = tree, source, report, format, base
        self.found: dict[str, Pair] = {}
        self._claimed: set[str] = set()
        self._gathered: set[str] = set()

    def add(self, key: str | None, values: Sequence[str], bases: Sequence[str], split: str | None) -> bool:
        """The images that the values of a key of ``data.yaml`` mean; false if none of them leads anywhere."""
        places = [self.tree.resolve(value, bases) for value in values]
        found = any(place is not None for place in places)
        folders = [place[0] for place in places if place is not None and not place[1]]
        for value, place in zip(values, places, strict=True):
            if place is not None and self.tree.resolve(value, bases, loose=False) is None and place[0]:
                self.report.problem(
                    f"{self.format}.place", f"{key} is {value!r}, found as {place[0]}", raw=value, severity="info", action="read"
                )
            if place is None:
                image = self.tree.resolve_image(value, bases)
                if image is None:
                    self.missing(f"{key}: {value!r} is not there", None, value)
                else:
                    found = True
                    self.add_image(image, self.identity(image, key), split)
            elif place[1]:
                self.add_list(place[0], bases, key, split)
        self.add_folders(folders, split)
        return found

    def add_folders(self, folders: Sequence[str], split: str | None) -> None:
        """The images in some folders, named by their path below what the folders have in common."""
        common = posixpath.commonpath(folders) if len(folders) > 1 and all(folders) else folders[0] if folders else ""
        if split is None and self._gathered.issuperset(folders):
            return  # a split stands in for another one, and nothing new can be said of its images
        self._gathered.update(folders)
        for folder in folders:
            self.add_images(images_of(self.tree.below(folder)), common, split)
        for folder in folders:
            inner = _below(folder, common) if folder != common else ""
            for label, name in self.tree.orphans(folder, self._claimed):
                self.put(label, under(inner, name), Pair(label, None), split)

    def add_list(self, place: str, bases: Sequence[str], key: str | None, split: str | None) -> None:
        folder = place.rpartition("/")[0]
        for number, line in lines(self.source.read(place)):
            image = self.tree.resolve_image(line, (folder, *bases))
            if image is None:
                name = next(iter(clean_foreign(line)), None)
                self.missing(f"the image {line!r} is not there", f"{place}:{number}", line)
                if name is not None:
                    self.put(name, self.identity(name, key), Pair(None, None), split)
            else:
                self.add_image(image, self.identity(image, key), split)

    def add_images(self, images: Sequence[str], common: str, split: str | None) -> None:
        """:meth:`add_image` for image files named by their path below ``common``: most have a label file of their own, where
        it should be.
        """
        start = len(common) + 1 if common else 0
        splits = () if split is None else (split,)
        claimed, found = self._claimed, self.found
        labels, all_there = self.tree.usual_labels(images)
        if all_there and claimed.isdisjoint(labels) and found.keys().isdisjoint(images):
            claimed.update(labels)
            names = [image[start:] for image in images]
            found.update(zip(images, map(Pair, labels, images, repeat(splits), names), strict=True))
            return
        for image, label in zip(images, labels, strict=True):
            if label not in claimed and self.tree.has(label) and image not in found:
                claimed.add(label)
                found[image] = Pair(label, image, splits, image[start:])
            else:
                self.add_image(image, image[start:], split)

    def add_image(self, image: str, path: str, split: str | None) -> None:
        """An image, or a place where one should be, with its label file if there is one."""
        if image in self.found:
            self.put(image, path, self.found[image], split)
            return
        label, right = self.tree.label_of(image)
        if label is not None:
            if not right:
                self.report.problem(
                    f"{self.format}.label-place", f"trainers look for it at {label_path(image)}", label, action="read"
                )
            elif label in self._claimed:
                self.report.problem(f"{self.format}.label-shared", "two images share it", label, action="read for both")
            self._claimed.add(label)
        self.put(image, path, Pair(label, image if self.tree.has(image) else None), split)

    def put(self, file: str, path: str, pair: Pair, split: str | None) -> None:
        known = self.found.get(file)
        if known is None:
            self.found[file] = Pair(pair.annotation, pair.image, () if split is None else (split,), path)
        elif split is not None and split not in known.splits:
            self.found[file] = known._replace(splits=(*known.splits, split))

    def identity(self, image: str, key: str | None) -> str:
        """The path of a listed image without the folders that only say that it is an image of its split."""
        inside = _below(image, self.base) if image.startswith(self.base + "/") or not self.base else image
        for prefix in (f"{IMAGES}/{key}/", f"{key}/{IMAGES}/", f"{IMAGES}/"):
            if inside.startswith(prefix):
                return inside[len(prefix) :]
        return inside

    def missing(self, message: str, place: str | None, raw: str) -> None:
        self.report.problem(f"{self.format}.missing", message, place, raw=raw, action="kept without image")

    def pairs(self) -> list[Pair]:
        """All images, each with an identity of its own: where two would share one, the whole path tells them apart."""
        if len({pair.path for pair in self.found.values()}) == len(self.found):
            return list(self.found.values())
        count = Counter((pair.splits, pair.path) for pair in self.found.values())
        if len(count) == len(self.found):
            return list(self.found.values())
        return [
            pair if count[pair.splits, pair.path] == 1 else pair._replace(path=file if pair.image else _no_txt(file))
            for file, pair in self.found.items()
        ]


def _no_txt(path: str) -> str:
    return path[:-4] if path.endswith(".txt") else path
