"""Which member of the family a source is, told by its YAML and by the number of tokens on its label lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from labelglot.errors import LabelglotError
from labelglot.plugin import Match, Source
from labelglot.wire.text import lines

_KEYS = re.compile(rb"^\s*['\"]?(names|nc)['\"]?\s*:", re.MULTILINE)
_SPLITS = re.compile(rb"^['\"]?(train|val|valid|validation|test)['\"]?\s*:", re.MULTILINE)
_SIGNATURE = re.compile(rb"^#[^\n]*\((yolo[a-z-]*)\)")
_POINTS = re.compile(rb"^['\"]?kpt_shape['\"]?\s*:", re.MULTILINE)

HEAD = 1 << 16
MOST_LABELS = 24
"""Label files that are looked at, from all over the source."""


def signature(format: str) -> bytes:
    """First line of a YAML that we write: it tells the task, which nothing in the YAML itself does."""
    return f"# labelglot ({format})\n".encode()


def cards(source: Source) -> list[str]:
    """YAML files that may be a ``data.yaml``, the likeliest first."""
    found = [path for path in source.match("*.yaml", "*.yml") if _is_card(path, source.head(path, HEAD))]
    return sorted(found, key=lambda path: (path.count("/"), not _is_usual(path), path))


def _is_card(path: str, head: bytes) -> bool:
    """Classes and splits; classes are enough where the file is called as usual (its images are found beside it)."""
    return bool(_KEYS.search(head) and (_is_usual(path) or _SPLITS.search(head)))


def _is_usual(path: str) -> bool:
    return path.rpartition("/")[2] in ("data.yaml", "data.yml")


def card_of(source: Source) -> str | None:
    """The ``data.yaml`` of a source. Raises :class:`LabelglotError` if several have the same right to be it."""
    found = cards(source)
    if not found:
        return None
    first = found[0]
    if _is_usual(first):
        rivals = [path for path in found if path.count("/") == first.count("/") and path.rpartition("/")[2] == first.rpartition("/")[2]]
    else:
        rivals = [path for path in found if path.count("/") == first.count("/")]
    if len(rivals) > 1:
        shown = ", ".join(rivals[:5])
        raise LabelglotError(f"several files describe a dataset: {shown}", source.where, "name the one to read")
    return first


class Evidence(NamedTuple):
    """What was seen. ``lines``: of some label files, as numbers. ``mirror``: there are folders of images and labels."""

    card: str | None
    written_as: str | None
    has_points: bool
    hint: str
    lines: Sequence[Sequence[float]]
    mirror: bool


def look(source: Source) -> Evidence | None:
    """What a source shows at a glance; ``None`` if it has neither a ``data.yaml`` nor folders of labels."""
    found = cards(source)
    place = found[0] if found else None
    base = f"{place.rpartition('/')[0]}/" if place and "/" in place else ""
    texts = [path for path in source.companions() if path.endswith(".txt") and path.startswith(base)]
    labels = [path for path in texts if "labels" in path.split("/")[:-1]]
    if place is None and not labels:
        return None
    chosen = labels or texts
    chosen = chosen[:: max(1, len(chosen) // MOST_LABELS)][:MOST_LABELS]
    head = b"" if place is None else source.head(place, HEAD)
    mark = _SIGNATURE.match(head)
    return Evidence(
        place,
        mark[1].decode() if mark else None,
        bool(_POINTS.search(head)),
        f"{source.name} {place or ''}".lower(),
        [numbers for path in chosen for numbers in _numbers(source.head(path))],
        bool(labels),
    )


def _numbers(head: bytes) -> list[list[float]]:
    found = []
    for _, line in lines(head[: head.rfind(b"\n") + 1] or head):
        try:
            found.append([float(cell) for cell in line.split()])
        except ValueError:
            continue
    return [numbers for numbers in found if len(numbers) >= 5]


def match(seen: Evidence | None, format: str, task: str) -> Match | None:
    """How likely a format of some task is what was seen."""
    if seen is None:
        return None
    where = seen.card or "folders images and labels"
    if seen.written_as is not None:
        own = seen.written_as == format
        return Match(0.97 if own else 0.3, f"{where} says it is {seen.written_as}")
    sure, reason = _of_task(seen, task)
    if seen.card is None:
        sure *= 0.7
    return Match(round(sure, 2), f"{where}: {reason}")


def _of_task(seen: Evidence, task: str) -> tuple[float, str]:
    if seen.has_points:
        return (0.95 if task == "pose" else 0.3), "it has kpt_shape"
    if task == "pose":
        return 0.1, "it has no kpt_shape"
    counts = {len(numbers) for numbers in seen.lines}
    if not counts:
        return (0.6 if task == "detect" else 0.3), "no label lines"
    shown = f"lines of {', '.join(map(str, sorted(counts)[:6]))} numbers"
    if counts <= {5, 6} or (counts <= {5, 6, 7} and 7 in counts and _predicted(seen.lines)):
        return (0.9 if task == "detect" else 0.25), shown
    if counts <= {5, 9, 10, 11} and 9 in counts | ({9} if 10 in counts else set()):
        return _quads(seen, task, shown)
    return {"detect": 0.4, "segment": 0.9, "obb": 0.3}[task], shown


def _predicted(rows: Sequence[Sequence[float]]) -> bool:
    return all(row[6] == int(row[6]) for row in rows if len(row) == 7)


def _quads(seen: Evidence, task: str, shown: str) -> tuple[float, str]:
    """Nine numbers are a rotated box or a polygon of four points: a rotated box is a parallelogram in any scale."""
    if task == "detect":
        return 0.3, shown
    quads = [row[1:9] for row in seen.lines if len(row) >= 9]
    turned = sum(not _is_upright(quad) for quad in quads)
    if not all(map(_is_parallelogram, quads)):
        return (0.85 if task == "segment" else 0.4), f"{shown} that are no rectangles"
    if "obb" in seen.hint or turned:
        return (0.85 if task == "obb" else 0.5), f"{shown} that are {'turned ' if turned else ''}rectangles"
    return 0.6, f"{shown} that are upright rectangles"


def _is_parallelogram(quad: Sequence[float]) -> bool:
    ax, ay, bx, by, cx, cy, dx, dy = quad
    return abs(ax + cx - bx - dx) < 1e-4 and abs(ay + cy - by - dy) < 1e-4


def _is_upright(quad: Sequence[float]) -> bool:
    points = [*zip(quad[::2], quad[1::2], strict=True)]
    return all(a[0] == b[0] or a[1] == b[1] for a, b in pairwise([*points, points[0]]))
