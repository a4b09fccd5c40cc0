"""The CSV files of Open Images: which they are, and where in them the rows of each image lie."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from labelglot.plugin import LabelglotError, Report, Source, split_role
from labelglot.storage.access import random_access

Kind = Literal["boxes", "labels", "masks", "images"]

COLUMNS: dict[Kind, tuple[str, ...]] = {
    "boxes": (
        "ImageID", "Source", "LabelName", "Confidence", "XMin", "XMax", "YMin", "YMax",
        "IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside",
    ),
    "labels": ("ImageID", "Source", "LabelName", "Confidence"),
    "masks": (
        "MaskPath", "ImageID", "LabelName", "BoxID", "BoxXMin", "BoxXMax", "BoxYMin", "BoxYMax", "PredictedIoU", "Clicks",
    ),
    "images": (
        "ImageID", "Subset", "OriginalURL", "OriginalLandingURL", "License", "AuthorProfileURL", "Author", "Title",
        "OriginalSize", "OriginalMD5", "Thumbnail300KURL", "Rotation",
    ),
}  # fmt: skip
FILES: dict[Kind, str] = {
    "boxes": "{}-annotations-bbox.csv",
    "labels": "{}-annotations-human-imagelabels.csv",
    "masks": "{}-annotations-object-segmentation.csv",
}
MACHINE = "{}-annotations-machine-imagelabels.csv"
NO_SPLIT = "default"
_SPLIT = re.compile(r"(?:oidv\d+-)?(.+?)-(?:annotations|images)-.*", re.IGNORECASE)


class Table(NamedTuple):
    """A CSV file: what it is about, the split its name says, and the position of each of its columns."""

    path: str
    kind: Kind
    split: str | None
    columns: Mapping[str, int]


class Stretch(NamedTuple):
    """Consecutive rows of one image: position of their table, offset and length in bytes, number of the first line."""

    table: int
    start: int
    length: int
    line: int


def cells_of(line: str) -> list[str]:
    """The cells of one line."""
    if '"' not in line:
        return line.split(",") if line else []
    return next(csv.reader([line]), [])


def row_of(values: Sequence[object]) -> str:
    """One line of the cells."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()


def table_of(source: Source, path: str) -> Table | None:
    """What a CSV file is by its header; ``None`` if it is none of ours."""
    first = source.head(path, 2048).decode("utf-8-sig", "replace").splitlines()[:1]
    try:
        header = [cell.strip() for cell in cells_of(first[0])] if first else []
    except csv.Error:
        return None
    names = {name.lower(): i for i, name in enumerate(header)}
    for kind in ("masks", "boxes", "labels", "images"):
        wanted = {
            "masks": ("MaskPath", "ImageID", "LabelName"),
            "boxes": COLUMNS["boxes"][:8],
            "labels": COLUMNS["labels"],
        }
        if all(name.lower() in names for name in wanted.get(kind, ("ImageID", "Subset"))):
            known = {name: names[name.lower()] for name in COLUMNS[kind] if name.lower() in names}
            return Table(path, kind, split_in(path), known)
    return None


def split_in(path: str) -> str | None:
    """The split that a file's name says, else the folder it lies in."""
    folders, _, name = path.rpartition("/")
    found = _SPLIT.fullmatch(name)
    if found:
        return None if found[1] == NO_SPLIT else found[1]
    return next((part for part in reversed(folders.split("/")) if split_role(part) is not None), None)


def scan(source: Source, tables: Sequence[Table], report: Report) -> tuple[dict[str, list[Stretch]], dict[str, None]]:
    """Where the rows of each image are, images in order of appearance; and all class names that occur."""
    found: dict[str, list[Stretch]] = {}
    classes: dict[str, None] = {}
    for position, table in enumerate(tables):
        at, number = 0, 0
        place, label = table.columns["ImageID"], table.columns.get("LabelName")
        with source.open(table.path) as stream:
            for raw in stream:
                number += 1
                start, at = at, at + len(raw)
                line = raw.decode("utf-8", "replace").rstrip("\r\n")
                if number == 1 or not line:
                    continue
                try:
                    cells = cells_of(line)
                    image = cells[place]
                    if not image:
                        raise IndexError
                except (IndexError, csv.Error):
                    report.problem(
                        "open-images.row", "the row names no image", f"{table.path}:{number}", severity="error", raw=line,
                        action="skipped",
                    )  # fmt: skip
                    continue
                if label is not None and label < len(cells) and cells[label]:
                    classes.setdefault(cells[label])
                stretches = found.setdefault(image, [])
                last = stretches[-1] if stretches else None
                if last is not None and last.table == position and last.start + last.length == start:
                    stretches[-1] = last._replace(length=last.length + len(raw))
                else:
                    stretches.append(Stretch(position, start, len(raw), number))
    return found, classes


def rows(source: Source, table: Table, stretch: Stretch) -> Iterator[tuple[int, dict[str, str], str]]:
    """The rows of a stretch: number of the line, cells by column, and the line."""
    stream = random_access(source, table.path).stream
    with stream:
        stream.seek(stretch.start)
        text = stream.read(stretch.length).decode("utf-8", "replace")
    for number, line in enumerate(text.split("\n"), stretch.line):
        line = line.rstrip("\r")
        if not line:
            continue
        try:
            cells = cells_of(line)
        except csv.Error as error:
            raise LabelglotError(str(error), f"{table.path}:{number}") from error
        yield number, {name: cells[i] for name, i in table.columns.items() if i < len(cells)}, line
