"""JSON-MIN, Label Studio's short export: an annotation with its task data in one flat object, or in a row of a table
(CSV, TSV) with JSON in its cells. Read only.

Ids, types and scores of regions are not in it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from labelglot.plugin import LabelglotError, Report
from labelglot.wire import json

from labelglot_label_studio.config import OWNER
from labelglot_label_studio.results import VALUE

SIGNS = frozenset({"annotation_id", "annotator", "lead_time"})
FACTS = ("id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement")


def is_minimal(item: Mapping[str, Any]) -> bool:
    """Whether a record is one of JSON-MIN."""
    return "data" not in item and len(SIGNS & item.keys()) > 1


def is_table(name: str, head: bytes) -> bool:
    """Whether a file begins with the header of such a table."""
    cells = head.decode("utf-8-sig", "replace").partition("\n")[0].strip().replace('"', "")
    return len(SIGNS & set(cells.split(_delimiter(name)))) > 1


def from_table(name: str, data: bytes) -> list[msgspec.Raw]:
    """The records of a table. Raises :class:`LabelglotError` if it is none."""
    reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig", "replace"), newline=""), delimiter=_delimiter(name))
    try:
        return [msgspec.Raw(json.dump({k: _cell(v) for k, v in row.items() if k and v is not None})) for row in reader]
    except csv.Error as error:
        raise LabelglotError(str(error), name) from error


def _delimiter(name: str) -> str:
    return "\t" if name.lower().endswith(".tsv") else ","


def _cell(text: str) -> Any:
    """JSON where there is some, whole numbers; else the text."""
    if text[:1] in ("[", "{"):
        try:
            return json.load(text.encode(), "")
        except LabelglotError:
            return text
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 18 and str(int(text)) == text else text


def tasks_of(parts: Sequence[msgspec.Raw | bytes], path: str, report: Report) -> Iterable[msgspec.Raw | bytes]:
    """The records of a document as tasks: as they are, or, if it is JSON-MIN, put together by their task."""
    try:
        first = json.load(bytes(parts[0]), path) if parts else None
    except LabelglotError:
        first = None
    if not isinstance(first, dict) or not is_minimal(first):
        return parts
    tasks: dict[str, dict[str, Any]] = {}
    for position, part in enumerate(parts):
        item = json.load_item(part, dict[str, Any], f"{path}#[{position}]", report, f"{OWNER}.task")
        if item is None:
            continue
        number = item.get("id")
        key = f"[{position}]" if number is None else str(number)
        task = tasks.setdefault(key, {"id": number, "data": {}, "annotations": []})
        results = list(_results(item))
        task["data"] |= {k: v for k, v in item.items() if k not in FACTS and k not in {r["from_name"] for r in results}}
        facts = {name: item[name] for name in FACTS[3:] if name in item}
        made = {"id": item.get("annotation_id"), "completed_by": item.get("annotator"), "result": results, **facts}
        task["annotations"].append(made)
    return [msgspec.Raw(json.dump(task)) for task in tasks.values()]


def _results(item: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The regions in the lists of a record, and its lists of choices. A bare text cannot be told from task data."""
    number = 0
    for name, listed in item.items():
        if name in FACTS:
            continue
        found = listed.get("choices") if isinstance(listed, dict) else None
        if isinstance(found, list):
            yield {"from_name": name, "type": "choices", "value": {"choices": found}}
        for value in listed if isinstance(listed, list) else ():
            kind = next((kind for kind in VALUE if isinstance(value, dict) and f"{kind}labels" in value), None)
            if kind is not None:
                number += 1
                size = {k: value[k] for k in ("original_width", "original_height") if k in value}
                plain = {k: v for k, v in value.items() if k not in size}
                yield {"id": f"region {number}", "from_name": name, "type": f"{kind}labels", **size, "value": plain}
