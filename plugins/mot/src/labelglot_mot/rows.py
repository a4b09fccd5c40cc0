"""Rows of MOT files: a frame number, a track, a box, and what the kind of file adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, Literal

from labelglot.plugin import Annotation, Convention, Report, WriteContext
from labelglot.wire.text import spell

Kind = Literal["gt", "det"]

CLASSES = (
    "pedestrian", "person on vehicle", "car", "bicycle", "motorbike", "non-motorised vehicle", "static person",
    "distractor", "occluder", "occluder on the ground", "occluder full", "reflection", "crowd",
)  # fmt: skip
"""What the class numbers of the benchmark mean, from 1."""
LAST_FRAME = 10**8
"""Numbers above are taken for damage."""
ORIGINS = {"raw": Convention(form="xywh"), "1-based": Convention(form="xywh", first=1)}


def values(line: str) -> list[float] | None:
    """The numbers of a row, between commas or blanks; ``None`` if it is none: fewer than six, or something else among
    them.
    """
    try:
        found = list(map(float, line.rstrip(", \t").split(",") if "," in line else line.split()))
    except ValueError:
        return None
    return found if len(found) >= 6 and all(map(isfinite, found)) else None


def head_of(line: str) -> tuple[int | None, str]:
    """The frame number of a row, ``None`` if it has none, and the text of its track."""
    frame, track, *_ = (*(line.split(",", 2) if "," in line else line.split(None, 2)), "", "")
    try:
        number = float(frame)
    except ValueError:
        return None, track
    return (int(number) if 0 <= number <= LAST_FRAME else None), track.strip()


def read_row(
    line: str, kind: Kind, classes: Sequence[str], origin: str, place: str, key: str, report: Report
) -> Annotation | None:
    """The object of a row; ``None`` and a problem if it cannot be read."""
    row = values(line)
    if row is None:
        report.problem(
            "mot.row", "not six numbers or more", place, severity="error", key=key, raw=line, action="skipped"
        )
        return None
    track = int(row[1]) if row[1] != -1 else None
    fields: dict[str, Any] = {}
    attributes: dict[str, Any] = {}
    conf = row[6] if len(row) > 6 else 1.0
    if kind == "det":
        fields["score"] = conf
    elif conf == 0:
        attributes["ignore"] = True
    elif conf != 1:
        report.problem("mot.conf", f"{conf:g} is no flag", place, severity="info", key=key, action="the object counts")
    if len(row) >= 10:
        if any(value != -1 for value in row[7:10]):
            fields["extra"] = {"mot": {"position": tuple(row[7:10])}}
    elif len(row) > 7 and kind == "gt":
        number = int(row[7])
        if number > 0:
            fields["label"] = classes[number - 1] if number <= len(classes) else f"class_{number}"
        if len(row) > 8 and row[8] != -1:
            attributes["visible_fraction"] = row[8]
    return Annotation(track=track, box=ORIGINS[origin].read_box(row[2:6], None), attributes=attributes, **fields)


def write_row(annotation: Annotation, context: WriteContext, kind: Kind, origin: str) -> str:
    """The row of an object without its frame number."""
    box = ORIGINS[origin].write_box(annotation.box or (0, 0, 0, 0), None)
    said: Mapping[str, Any] = annotation.attributes
    bag = annotation.extra.get("mot", {})
    position = bag.get("position", (-1, -1, -1))
    if kind == "det":
        rest = [1 if annotation.score is None else annotation.score, *position]
    else:
        flag = 0 if said.get("ignore") is True else 1
        number = -1 if annotation.label is None else context.index[annotation.label] + 1
        seen = said.get("visible_fraction", -1)
        rest = [flag, *position] if "position" in bag and number == seen == -1 else [flag, number, seen]
    track = -1 if annotation.track is None else annotation.track
    return f"{track},{','.join(map(spell, (*box, *rest)))}\n"
