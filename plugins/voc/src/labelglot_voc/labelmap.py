"""``labelmap.txt`` of CVAT and Datumaro: ``name:r,g,b:parts:actions`` for each class, background first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from labelglot.plugin import Label, Report, Source
from labelglot.wire.text import lines

NAME = "labelmap.txt"
HEADER = "# label:color_rgb:parts:actions"
BACKGROUND = "background"
_ORIGIN = re.compile(r"#\s*origin:\s*(raw|1-based)")
PLAIN = "# folders are no splits"
_COLOR = re.compile(r"(\d{1,3}),\s*(\d{1,3}),\s*(\d{1,3})")
_HEX = re.compile(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")


class Row(NamedTuple):
    """One class: its name, colour and the two last fields as text."""

    name: str
    color: tuple[int, int, int] | None
    parts: str = ""
    actions: str = ""


class LabelMap(NamedTuple):
    """The rows of a class table. What labelglot wrote down beside them: ``origin``, of the numbers of boxes; ``plain``:
    no folder beside the table is a split, whatever its name; ``beside``: nor does one tell
    annotations from images, there or in a table further down.
    """

    path: str
    rows: tuple[Row, ...]
    origin: str | None = None
    plain: bool = False
    beside: bool = False

    @property
    def classes(self) -> tuple[Row, ...]:
        """All rows but the background that stands first."""
        return self.rows[1:] if self.rows and self.rows[0].name == BACKGROUND else self.rows


def find(source: Source, report: Report, code: str) -> LabelMap | None:
    """The class table of a source. Tables of several parts are one; rows that cannot be read are problems."""
    rows: list[Row] = []
    path = origin = None
    plain = beside = False
    for name in source.match(NAME):
        path = path or name
        for number, line in lines(source.read(name)):
            plain |= line == PLAIN and name == NAME
            beside |= line == PLAIN
            stated = _ORIGIN.fullmatch(line)
            if stated is not None:
                origin = stated[1]
                continue
            row = _row(line)
            if isinstance(row, Row):
                # A class may be called background, too: then it stands behind the background that is none.
                if row.name not in {each.name for each in rows[row.name == BACKGROUND :]}:
                    rows.append(row)
            elif row is not None:
                report.problem(f"{code}.labelmap", row, f"{name}:{number}", raw=line, action="left out")
    return None if path is None else LabelMap(path, tuple(rows), origin, plain, beside)


def _row(line: str) -> Row | str | None:
    """A row, what is wrong with it, or ``None`` for a comment."""
    fields = line.rsplit(":", 3)
    color = _COLOR.fullmatch(fields[1].strip()) if len(fields) > 1 else None
    if line.startswith("#") and (len(fields) != 4 or (fields[1] and color is None)):
        return None
    if len(fields) != 4:
        return "a row of the class table has not the four fields name:color:parts:actions"
    name = fields[0].strip()
    if not name:
        return "a row of the class table has no name"
    if color is None and fields[1].strip():
        return f"{fields[1]!r} is no colour r,g,b"
    rgb = None if color is None else (int(color[1]), int(color[2]), int(color[3]))
    if rgb is not None and max(rgb) > 255:
        return f"{fields[1]!r} is no colour r,g,b"
    return Row(name, rgb, fields[2].strip(), fields[3].strip())


def labels_of(rows: Iterable[Row], owner: str) -> list[Label]:
    """Rows as classes; parts and actions stay in the extra of ``owner``."""
    found = []
    for row in rows:
        more = {key: value for key, value in (("parts", row.parts), ("actions", row.actions)) if value}
        found.append(
            Label(
                key=row.name,
                name=row.name,
                color=None if row.color is None else "#{:02x}{:02x}{:02x}".format(*row.color),
                extra={owner: more} if more else {},
            )
        )
    return found


def rgb(color: str | None) -> tuple[int, int, int] | None:
    """The three channels of ``#rrggbb``."""
    found = _HEX.fullmatch(color) if color else None
    return None if found is None else (int(found[1], 16), int(found[2], 16), int(found[3], 16))


def write(
    labels: Sequence[Label], owner: str, origin: str | None = None, colors: Sequence[Any] = (), plain: bool = False
) -> bytes:
    """The class table. ``colors``: of the classes, where their own do not count. ``plain``: no folder is a split."""
    text = [HEADER, *([PLAIN] if plain else [])]
    if origin is not None:
        text.append(f"# origin: {origin}")
    text.append(f"{BACKGROUND}:0,0,0::")
    for i, label in enumerate(labels):
        color = colors[i] if colors else rgb(label.color)
        bag = label.extra.get(owner)
        bag = bag if isinstance(bag, dict) else {}
        spelled = ",".join(map(str, color)) if color else ""
        text.append(f"{label.name}:{spelled}:{_field(bag, 'parts')}:{_field(bag, 'actions')}")
    return "".join(line + "\n" for line in text).encode()


def _field(bag: dict[str, Any], name: str) -> str:
    value = bag.get(name, "")
    return value if isinstance(value, str) and not re.search(r"[:\r\n]", value) else ""
