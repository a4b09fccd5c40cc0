"""Class tables beside masks: which number, and which colour, means what."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from labelglot.plugin import LabelglotError, Report, Source
from labelglot.wire import json, yaml
from labelglot.wire.text import lines

PIXEL_VALUES = "_classes.csv"
BACKGROUND, IGNORE = "background", "ignore"
_NOTHING = frozenset(["background", "_background_", "unlabeled", "unlabelled", "void", "bg", "none", "nothing"])


class Entry(NamedTuple):
    """A class: its number in pictures of numbers, its colour (0xRRGGBB) in pictures of colours if there is one."""

    value: int
    name: str
    color: int | None = None


def find(source: Source, report: Report) -> tuple[Entry, ...] | None:
    """The class table nearest to the top, ``None`` if there is none that can be read."""
    patterns = (
        PIXEL_VALUES, "labelmap.csv", "class_dict.csv", "dataset_meta.json", "labelmap.txt", "label_colors.txt",
        "classes.txt", "labels.txt", "classes.json", "class_id_to_name.json", "data.yaml", "classes.yaml",
    )  # fmt: skip
    for pattern in patterns:
        for path in sorted(source.match(pattern), key=lambda path: (path.count("/"), path)):
            try:
                found = read(source.read(path), path)
            except (LabelglotError, ValueError, csv.Error) as error:
                report.problem("masks.classes", f"no table of classes: {error}", path, action="not used")
                continue
            if found:
                return found
    return None


def read(data: bytes, path: str) -> tuple[Entry, ...]:
    """The classes of a table by its name. Raises ValueError for what is none."""
    name = path.rpartition("/")[2].lower()
    if name.endswith(".csv"):
        found = _csv(data)
    elif name == "dataset_meta.json":
        found = _meta(json.load(data, path, dict[str, Any]))
    elif name.endswith(".json"):
        found = _mapping(json.load(data, path, dict[str, Any]))
    elif name.endswith(".yaml"):
        found = _yaml(data, path)
    elif name in ("labelmap.txt", "label_colors.txt"):
        found = _colors(data, name == "labelmap.txt")
    else:
        found = [Entry(i, text) for i, (_, text) in enumerate(lines(data))]
    unique: dict[int, Entry] = {}
    for entry in found:
        name = entry.name.strip() or f"class_{entry.value}"
        if entry.value == 0 and name.lower() in _NOTHING:
            name = BACKGROUND
        unique.setdefault(entry.value, entry._replace(name=name))
    return tuple(unique.values())


def _csv(data: bytes) -> list[Entry]:
    """``Pixel Value, Class``, or ``name,r,g,b`` where the number of the row is the value."""
    text = data.decode("utf-8-sig", "replace").replace("\0", "")
    rows = [
        [cell.strip() for cell in row]
        for row in csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
        if row
    ]
    head = [cell.lower() for cell in rows[0]] if rows else []
    if head[:2] == ["pixel value", "class"]:
        return [Entry(_number(row[0]), row[1]) for row in rows[1:] if len(row) > 1]
    if len(head) == 4 and head[1:] == ["r", "g", "b"]:
        return [Entry(i, row[0], _color(row[1:4])) for i, row in enumerate(rows[1:]) if len(row) > 3]
    raise ValueError("the header is neither 'Pixel Value, Class' nor 'name,r,g,b'")


def _number(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 0xFFFFFF:
        raise ValueError(f"{value} is no pixel value")
    return value


def _color(cells: Iterable[Any]) -> int:
    r, g, b = (_number(str(cell)) for cell in cells)
    if max(r, g, b) > 255:
        raise ValueError("a colour is above 255")
    return r << 16 | g << 8 | b


def _meta(meta: Mapping[str, Any]) -> list[Entry]:
    """Datumaro's: ``label_map`` or ``labels``, ``segmentation_colors`` in their order, ``background_label``."""
    names = meta.get("label_map")
    if not isinstance(names, dict):
        listed = meta.get("labels")
        names = {str(i): name for i, name in enumerate(listed)} if isinstance(listed, list) else {}
    colors = meta.get("segmentation_colors")
    colors = colors if isinstance(colors, list) else []
    found = []
    for i, (value, name) in enumerate(names.items()):
        color = _color(colors[i]) if i < len(colors) and isinstance(colors[i], list) and len(colors[i]) == 3 else None
        nothing = str(meta.get("background_label")) == value
        found.append(Entry(_number(value), BACKGROUND if nothing and value == "0" else str(name), color))
    return found


def _mapping(table: Mapping[str, Any]) -> list[Entry]:
    """Numbers to names, or names to numbers."""
    if all(re.fullmatch(r"\d+", key) for key in table):
        return [Entry(_number(key), str(name)) for key, name in table.items()]
    if all(isinstance(value, int) and not isinstance(value, bool) for value in table.values()):
        return [Entry(_number(str(value)), name) for name, value in table.items()]
    raise ValueError("neither numbers to names nor names to numbers")


def _yaml(data: bytes, path: str) -> list[Entry]:
    table = yaml.load(data, path)
    names = table.get("names") if isinstance(table, dict) else None
    if isinstance(names, list):
        return [Entry(i, str(name)) for i, name in enumerate(names)]
    if isinstance(names, dict):
        return [Entry(_number(str(key)), str(name)) for key, name in names.items()]
    raise ValueError("it has no names")


def _colors(data: bytes, labelmap: bool) -> list[Entry]:
    """``name:r,g,b:parts:actions``, or ``r g b name``."""
    found: list[Entry] = []
    for _, line in lines(data):
        if line.startswith("#"):
            continue
        if labelmap:
            name, _, rest = line.partition(":")
            cells = rest.partition(":")[0].split(",")
        else:
            *cells, name = line.split(None, 3)
        color = _color(cell.strip() for cell in cells) if len(cells) == 3 else None
        found.append(Entry(len(found), name, color))
    return found
