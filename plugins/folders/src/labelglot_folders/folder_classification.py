"""A folder per class, below a folder per split or at the top. The path is the label."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from labelglot.images import SourceImage, is_image
from labelglot.plugin import (
    Dataset,
    File,
    Format,
    Holds,
    IndexEntry,
    Label,
    LabelHolds,
    Match,
    Naming,
    Options,
    Piece,
    ReadContext,
    Records,
    Report,
    Sample,
    Source,
    Tag,
    TagHolds,
    WriteContext,
    in_pixels,
    split_role,
)
from labelglot.storage import FOLDER
from pydantic import Field

UNLABELED = ("unlabeled", "no_label", "__")
"""Folders of images without class; the first is written."""

NO_CLASSES = frozenset({"images", "imgs", "jpegimages", "labels", "masks", "annotations", "label"})
"""Folders, in lower case, that tell of another kind of dataset."""

_SPLITS = r"(?i:train|training|trn|val|valid|validation|dev|minival|test|testing|eval)[0-9_-]*$"
_NAMES = rf"(?!{_SPLITS})(?!(?i:{'|'.join((*UNLABELED, *sorted(NO_CLASSES)))})$){FOLDER}"


class Entry(NamedTuple):
    """An image: its path below its split, its file, its class, its split."""

    path: str
    file: str
    label: str | None
    split: str | None


class FolderClassification(Format):
    """One class per image. An image exists only as a file; there is nothing else."""

    id = "folder-classification"
    name = "Folder per class (ImageFolder)"
    aliases = ("imagefolder",)
    url = "https://docs.pytorch.org/vision/stable/generated/torchvision.datasets.ImageFolder.html"
    holds = Holds(
        labels=LabelHolds(names=_NAMES, unused=False, order="sorted", caseless=True), tags=TagHolds(labels="one"),
        size=False, images=True, naming=Naming(class_folder="tag", no_class=UNLABELED[0]),
    )  # fmt: skip

    class ReadOptions(Options):
        """Where the class is written."""

        nested: Literal["top", "own"] = Field(
            "top", title="Nested folders",
            description="top: a folder in a class folder is part of that class; own: it is a class of its own",
        )  # fmt: skip
        prefix: bool = Field(
            False, title="Prefix", description="the class is the name of the file up to its first dot, not the folder"
        )

    def detect(self, source: Source) -> Match | None:
        paths = source.files()
        images = [path for path in paths if is_image(path)]
        if not images or any(_annotates(path) for path in paths) or any("/" not in path for path in images):
            return None
        splits = {path.partition("/")[0] for path in images}
        split = all(split_role(top) is not None and split_role(top) for top in splits)
        if split and any(path.count("/") < 2 for path in images):
            return None
        tops = {path.split("/")[1 if split else 0].lower() for path in images}
        if tops & NO_CLASSES:
            return None
        where = f"in {', '.join(sorted(splits))}, " if split else ""
        return Match(0.75 if split else 0.4, f"{where}images in one folder per class, and no files of annotations")

    def read(self, context: ReadContext) -> Dataset:
        entries: list[Entry] = []
        names: set[str] = set()
        source, report = context.source, context.report
        split_tops = _split_tops(source)
        for file in source.files():
            if not is_image(file) or any(part.startswith(".") for part in file.split("/")):
                continue
            split, path = None, file
            if split_tops:
                split, _, path = file.partition("/")
                if split not in split_tops or not path:
                    report.problem(f"{self.id}.folder", "it lies in the folder of no split", file, action="skipped")
                    continue
            label = _label(path, context.options)
            if "/" not in path and label is None:
                report.problem(f"{self.id}.unfiled", "it lies in no class folder", file, action="kept without class")
            entries.append(Entry(path, file, label, split))
        for folder in source.folders():
            parts = folder.split("/")[1 if split_tops else 0 :]
            if len(parts) == 1 and not _hidden(parts[0]) and (not split_tops or folder.split("/")[0] in split_tops):
                names.add(parts[0])
        if context.options.prefix:
            names = set()
        names.update(entry.label for entry in entries if entry.label is not None)
        labels = [Label(key=n, name=n, parent=n.rpartition("/")[0] or None) for n in sorted(names)]
        return Dataset(Records(entries, _Decode(source), _Listing(entries)), labels)

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece]:
        return ()


class _Decode:
    def __init__(self, source: Source) -> None:
        self.source = source

    def __call__(self, record: Entry, ordinal: int, report: Report) -> Sample:
        tags = (Tag(label=record.label),) if record.label is not None else ()
        splits = () if record.split is None else (record.split,)
        image = SourceImage(self.source, record.file)
        return in_pixels(Sample(path=record.path, image=image, splits=splits, tags=tags, annotations=()))


class _Listing:
    """What is known without opening an image."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries

    def __call__(self) -> Iterator[IndexEntry]:
        for path, _, label, split in self.entries:
            splits = () if split is None else (split,)
            yield IndexEntry(path, splits, None, None, 0, {} if label is None else {label: 1})


def _label(path: str, options: FolderClassification.ReadOptions) -> str | None:
    folder, _, name = path.rpartition("/")
    if options.prefix:
        return name.partition(".")[0] or None
    top = folder.partition("/")[0]
    if not top or _hidden(top):
        return None
    return folder if options.nested == "own" else top


def _hidden(folder: str) -> bool:
    return folder.startswith(".") or folder.lower() in UNLABELED


def _split_tops(source: Source) -> frozenset[str]:
    """The folders at the top, if images lie in folders of splits only, and in folders below these."""
    tops = {path.partition("/")[0] for path in source.files() if is_image(path) and "/" in path}
    inner = {folder.partition("/")[0] for folder in source.folders() if "/" in folder}
    return frozenset(tops) if tops and all(split_role(top) is not None and top in inner for top in tops) else frozenset()


def _annotates(path: str) -> bool:
    """Whether a file is likely to hold annotations of images."""
    name = path.rpartition("/")[2].lower()
    lists = ("readme", "license", "classes.txt", "labels.txt", "loc_synset_mapping")
    return name.endswith((".txt", ".xml", ".json", ".jsonl", ".csv", ".parquet")) and not name.startswith(lists)


__all__ = ["FolderClassification"]
