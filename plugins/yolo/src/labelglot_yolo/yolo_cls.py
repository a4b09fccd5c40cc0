"""Ultralytics classification: one folder per class below one folder per split. The path is the label.

CVAT's ``labels.json`` beside the class folders holds what a path cannot: several classes, other paths, images not at
hand. It is written where a split needs it; trainers pass over it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from labelglot.errors import LabelglotError
from labelglot.images import SourceImage, is_image
from labelglot.plugin import (
    Dataset,
    File,
    Format,
    Holds,
    IndexEntry,
    LabelHolds,
    Match,
    Naming,
    Piece,
    Pieces,
    ReadContext,
    Records,
    Report,
    Sample,
    Source,
    Tag,
    TagHolds,
    WriteContext,
    in_pixels,
    with_suffix,
)
from labelglot.wire import json, yaml

SPLITS = ("train", "val", "valid", "validation", "test")
UNSPLIT = "unsplit"
"""Folder for images of no split, in a dataset that has splits besides."""

NO_LABEL = "no_label"
MANIFEST = "labels.json"
NDJSON_NAMES = ".ndjson.yaml"
NO_CLASSES = frozenset(["images", "labels"])
"""Folders of detection datasets."""

FOLDER_NAME = (
    r"(?!(?:no_label|images|labels|labels\.json)$)(?!(?i:con|prn|aux|nul|com\d|lpt\d)(?:\.|$))(?![.\s])"
    r'[^/\\:*?"<>|\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,60}(?<![.\s])'
)
"""Class names that are folders on any system."""


class Item(msgspec.Struct):
    """An image in ``labels.json``; ``path`` is relative to the file."""

    labels: list[str]
    path: str


class Entry(NamedTuple):
    """An image: its identity, its file, its classes."""

    path: str
    image: str | None
    labels: tuple[str, ...]
    splits: tuple[str, ...]


class YoloCls(Format):
    """Classes of images."""

    id = "yolo-cls"
    name = "YOLO classification (Ultralytics)"
    aliases = ("yolov8-cls", "yolo11-cls")
    url = "https://docs.ultralytics.com/datasets/classify/"
    separator = b",\n"
    holds = Holds(
        labels=LabelHolds(names=FOLDER_NAME, unused=False, order="sorted", caseless=True),
        tags=TagHolds(labels="many"), size=False, splits=frozenset(SPLITS),
        naming=Naming(scope="split", unique="stem"),
    )  # fmt: skip

    def detect(self, source: Source) -> Match | None:
        paths = source.files()
        manifest = next((path for path in paths if path.rpartition("/")[2] == MANIFEST and path.count("/") <= 1), None)
        if manifest is not None and _is_manifest(source.head(manifest)):
            return Match(0.95, f"{manifest} names the classes and paths of images")
        images = [path for path in paths if is_image(path)]
        tops = {path.partition("/")[0] for path in images if "/" in path}
        if not images or not tops or any(_annotates(path) for path in paths):
            return None
        if tops <= {*SPLITS, UNSPLIT}:
            if all(path.count("/") >= 2 and path.split("/")[1] not in NO_CLASSES for path in images):
                return Match(0.8, f"folders of images in {', '.join(sorted(tops))}, and no annotation files")
            return None
        if NO_CLASSES & tops or any("/" not in path for path in images):
            return None
        return Match(0.4, "one folder of images per class, no splits and no annotation files")

    def read(self, context: ReadContext) -> Dataset:
        source, report = context.source, context.report
        entries: list[Entry] = []
        classes: set[str] = set()
        for tree in _trees(source, report):
            listed = list(_listed(source, tree, report))
            entries += listed
            entries += _filed(tree, {copy for entry in listed for copy in _copies(entry, tree.prefix)}, report)
            classes |= tree.classes | {label for entry in listed for label in entry.labels}
        labels = _in_order(source, classes, report)
        return Dataset(Records(entries, Decode(source), Listing(entries)), labels)

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece]:
        top = folder(sample.split, context)
        labels = [context.name(tag.label) for tag in sample.tags if tag.label is not None]
        place = _place(sample.path, labels)
        item = json.dump(with_suffix(sample.path, "")) + b": " + json.dump(Item(labels, place))
        yield Piece(top + MANIFEST, item)
        at_hand = context.images and sample.image is not None
        if place != sample.path or len(labels) > 1 or not at_hand:
            yield Piece(top + NEEDED, b"1")

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        for top in dict.fromkeys(folder(split, context) for split in context.splits):
            if top + NEEDED in pieces:
                yield File(top + MANIFEST, _framed(pieces.stream(top + MANIFEST)))

    def image_path(self, sample: Sample, context: WriteContext) -> str:
        labels = [context.name(tag.label) for tag in sample.tags if tag.label is not None]
        return folder(sample.split, context) + _place(sample.path, labels)


NEEDED = "#needed"


def _framed(items: Iterable[bytes]) -> Iterator[bytes]:
    yield b"{"
    yield from items
    yield b"}\n"


def folder(split: str | None, context: WriteContext) -> str:
    """What stands before the class folder. A dataset without any splits needs nothing there."""
    if split is not None:
        return f"{split}/"
    return "" if context.splits == (None,) else f"{UNSPLIT}/"


def _place(path: str, labels: Sequence[str]) -> str:
    """Where an image lies below its split: in the folder of its first class, once."""
    top = labels[0] if labels else NO_LABEL
    return path if path.startswith(f"{top}/") else f"{top}/{path}"


class Tree(NamedTuple):
    """The class folders of one split. ``prefix``: what stands before them, ``paths``: all files."""

    prefix: str
    splits: tuple[str, ...]
    classes: set[str]
    paths: Sequence[str]


def _trees(source: Source, report: Report) -> Iterator[Tree]:
    """One tree per split folder, or the source itself if its folders are classes."""
    folders, paths = source.folders(), source.files()
    tops = [folder for folder in folders if "/" not in folder]
    inner = {folder.partition("/")[0] for folder in folders if "/" in folder}
    manifests = {path.partition("/")[0] for path in paths if path.count("/") == 1 and path.endswith("/" + MANIFEST)}
    splits = [top for top in tops if top in (*SPLITS, UNSPLIT) and top in inner | manifests]
    if MANIFEST in paths or not any(split in SPLITS for split in splits):
        yield _tree("", (), folders, paths, report)
        return
    for top in tops:
        if top in splits:
            yield _tree(f"{top}/", () if top == UNSPLIT else (top,), folders, paths, report)
        elif any(is_image(path) for path in paths if path.startswith(top + "/")):
            report.problem("yolo-cls.folder", "it is no split", top, severity="error", action="skipped")


def _tree(
    prefix: str, splits: tuple[str, ...], folders: Sequence[str], paths: Sequence[str], report: Report
) -> Tree:
    inside = {folder[len(prefix) :] for folder in folders if folder.startswith(prefix)}
    classes = {name for name in inside if "/" not in name and not name.startswith(".")}
    for name in sorted(classes & NO_CLASSES):
        message = "a folder of this name belongs to a dataset with boxes"
        report.problem("yolo-cls.folder", message, prefix + name, severity="error", action="skipped")
    return Tree(prefix, splits, classes - NO_CLASSES - {NO_LABEL}, [path for path in paths if path.startswith(prefix)])


def _listed(source: Source, tree: Tree, report: Report) -> Iterator[Entry]:
    """The images that CVAT's ``labels.json`` names."""
    place = tree.prefix + MANIFEST
    if place not in tree.paths:
        return
    try:
        items = json.load_fields(source.read(place), place)
    except LabelglotError as error:
        report.problem("yolo-cls.manifest", error.message, error.place or place, severity="error", action="skipped")
        return
    known = frozenset(tree.paths)
    for key, raw in items.items():
        item = json.load_item(raw, Item, f"{place}#{key}", report, "yolo-cls.item")
        if item is None:
            continue
        file = tree.prefix + item.path
        if file not in known and any(map(is_image, tree.paths)):
            report.problem("yolo-cls.missing", "the image is not there", f"{place}#{key}", raw=item.path, action="kept without image")
        path = key + item.path[len(with_suffix(item.path, "")) :]
        labels = tuple(dict.fromkeys(item.labels))
        yield Entry(path, file if file in known else None, labels, tree.splits)


def _copies(entry: Entry, prefix: str) -> Iterator[str]:
    """All places of an image: CVAT copies it into the folder of each of its classes."""
    if entry.image is not None:
        yield entry.image
        inner = entry.image[len(prefix) :].partition("/")[2]
        yield from (f"{prefix}{label}/{inner}" for label in entry.labels)


def _filed(tree: Tree, covered: set[str], report: Report) -> Iterator[Entry]:
    """The images that are not listed: their class is the first folder on their path."""
    for file in tree.paths:
        path = file[len(tree.prefix) :]
        top, slash, _ = path.partition("/")
        if not is_image(path) or file in covered or top in NO_CLASSES or (slash and top.startswith(".")):
            continue
        if not slash:
            report.problem("yolo-cls.unfiled", "it lies in no class folder", file, action="kept without class")
        yield Entry(path, file, (top,) if slash and top != NO_LABEL else (), tree.splits)


def _in_order(source: Source, classes: set[str], report: Report) -> list[str]:
    """Sorted, as trainers number them, unless Ultralytics left a table of its own beside the splits."""
    names: list[str] = []
    if source.exists(NDJSON_NAMES):
        try:
            given = yaml.load_texts(source.read(NDJSON_NAMES), NDJSON_NAMES)
            listed = given.get("names") if isinstance(given, Mapping) else None
            names = [str(name) for name in (listed.values() if isinstance(listed, Mapping) else listed or ())]
        except LabelglotError as error:
            report.problem("yolo-cls.names", error.message, error.place, action="not used")
    return list(dict.fromkeys([*names, *sorted(classes)]))


class Decode:
    """Makes a sample of an entry."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def __call__(self, record: Entry, ordinal: int, report: Report) -> Sample:
        image = None if record.image is None else SourceImage(self.source, record.image)
        tags = tuple(Tag(label=label) for label in record.labels)
        return in_pixels(Sample(path=record.path, image=image, splits=record.splits, tags=tags, annotations=()))


class Listing:
    """What is known without opening an image: everything but its size."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries

    def __call__(self) -> Iterator[IndexEntry]:
        for path, _, labels, splits in self.entries:
            yield IndexEntry(path, splits, None, None, 0, dict.fromkeys(labels, 1))


def _annotates(path: str) -> bool:
    """Whether a file is likely to hold annotations of images."""
    name = path.rpartition("/")[2].lower()
    return name.endswith((".txt", ".xml", ".json", ".csv")) and not name.startswith(("readme", "license", MANIFEST))


def _is_manifest(head: bytes) -> bool:
    found = json.peek(head)
    first: Any = next(iter(found.values()), None) if isinstance(found, dict) else None
    return isinstance(first, dict) and "labels" in first
