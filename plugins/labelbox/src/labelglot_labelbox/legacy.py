"""Labelbox's export before version 2, as JSON or CSV: a record per label. Turned into rows of version 2; read only."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from labelglot.plugin import LabelglotError, Report
from labelglot.wire import json

OWNER = "labelbox"
RECORD = (
    "ID", "DataRow ID", "Labeled Data", "Label", "Created By", "Project Name", "External ID", "Global Key",
)  # fmt: skip
SHAPES = {"bbox": "bounding_box", "polygon": "polygon", "line": "line", "point": "point"}


def is_legacy(item: Mapping[str, Any]) -> bool:
    """Whether a record is one of the legacy export."""
    return "DataRow ID" in item and "Label" in item


def from_csv(data: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line and record of each row."""
    reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig", "replace"), newline=""))
    try:
        for row in reader:
            yield reader.line_num, {key: value for key, value in row.items() if key}
    except csv.Error as error:
        raise LabelglotError(str(error)) from error


def rows_of(records: Sequence[tuple[str, Mapping[str, Any]]], report: Report) -> list[tuple[str, dict[str, Any]]]:
    """A row for each image, with one label for each record about it."""
    rows: dict[str, tuple[str, dict[str, Any]]] = {}
    for place, record in records:
        key = str(record.get("DataRow ID") or record.get("Labeled Data") or place)
        if key not in rows:
            row = {"id": record.get("DataRow ID"), "row_data": record.get("Labeled Data")}
            row |= {
                new: record[old]
                for new, old in (("external_id", "External ID"), ("global_key", "Global Key"))
                if record.get(old)
            }
            project: dict[str, Any] = {"name": record.get("Project Name"), "labels": []}
            rows[key] = place, {"data_row": row, "media_attributes": {}, "projects": {"legacy": project}}
        try:
            said = _said(record.get("Label"))
        except LabelglotError as error:
            report.problem(
                f"{OWNER}.label", error.message, place, severity="error", raw=record.get("Label"), action="skipped"
            )
            continue
        if said is None:
            continue
        label: dict[str, Any] = {"id": record.get("ID"), "annotations": said}
        if record.get("Created By"):
            label["label_details"] = {"created_by": record["Created By"]}
        label |= {k: v for k, v in record.items() if k not in RECORD}
        rows[key][1]["projects"]["legacy"]["labels"].append(label)
    return list(rows.values())


def _said(label: Any) -> dict[str, Any] | None:
    """The annotations of a label as version 2 writes them; ``None``: the image was skipped."""
    if isinstance(label, str):
        text = label.strip()
        if text.lower() in ("skip", ""):
            return None
        label = json.load(text.encode(), "")
    if not isinstance(label, dict):
        raise LabelglotError("the label is no object")
    if not label.keys() & {"objects", "classifications"}:
        objects = [_oldest(name, part) for name, parts in label.items() if isinstance(parts, list) for part in parts]
        return {"objects": objects, "classifications": []}
    rest = {k: v for k, v in label.items() if k not in ("objects", "classifications")}
    objects = [_object(item) for item in json.items(label.get("objects")) if isinstance(item, dict)]
    further = [_classification(item) for item in json.items(label.get("classifications")) if isinstance(item, dict)]
    return {"objects": objects, "classifications": further, **rest}


def _oldest(name: str, part: Any) -> dict[str, Any]:
    """An object of 2018: a class, and the points of a polygon."""
    found = json.fields(part).get("geometry", part)
    if isinstance(found, dict):
        return {"name": name, "point": found}
    return {"name": name, "polygon": found}


def _object(item: Mapping[str, Any]) -> dict[str, Any]:
    made = {"feature_id": item.get("featureId"), "feature_schema_id": item.get("schemaId"), "name": item.get("title")}
    known = {"featureId", "schemaId", "title", "classifications", "instanceURI", *SHAPES}
    made |= {SHAPES[old]: item[old] for old in SHAPES if item.get(old) is not None}
    if not made.keys() & set(SHAPES.values()) and item.get("instanceURI"):
        made["mask"] = {"url": item["instanceURI"]}
    nested = [_classification(each) for each in json.items(item.get("classifications")) if isinstance(each, dict)]
    return {**made, **{k: v for k, v in item.items() if k not in known}, "classifications": nested}


def _classification(item: Mapping[str, Any]) -> dict[str, Any]:
    made = {"feature_id": item.get("featureId"), "name": item.get("title"), "value": item.get("value")}
    answer = item.get("answers", item.get("answer"))
    if isinstance(answer, str):
        return {**made, "text_answer": {"content": answer}}
    if isinstance(answer, list):
        return {**made, "checklist_answers": [_answer(each) for each in answer if isinstance(each, dict)]}
    return {**made, "radio_answer": _answer(json.fields(answer))}


def _answer(item: Mapping[str, Any]) -> dict[str, Any]:
    nested = [_classification(each) for each in json.items(item.get("classifications")) if isinstance(each, dict)]
    return {
        "feature_id": item.get("featureId"),
        "name": item.get("title"),
        "value": item.get("value"),
        "classifications": nested,
    }
