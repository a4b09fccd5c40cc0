"""The interface of a Kili project: jobs, and the categories of each with their colours and points."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from labelglot.plugin import Label, make_labels
from labelglot.wire import json

OWNER = "kili"
FILE = "json_interface.json"
DETECTION, CLASSES, TEXTS = "OBJECT_DETECTION_JOB", "CLASSIFICATION_JOB", "TRANSCRIPTION_JOB"


def is_interface(value: Any) -> bool:
    """Whether a document is the interface of a project."""
    jobs = json.fields(json.fields(value).get("jsonInterface", value)).get("jobs")
    return isinstance(jobs, dict)


def read_interface(value: Any) -> tuple[Label, ...]:
    """The categories of all jobs for objects and images, each once; those of nested questions are attributes."""
    jobs = json.fields(json.fields(value).get("jsonInterface", value)).get("jobs")
    found: dict[str, Label] = {}
    for job in json.fields(jobs).values():
        about = json.fields(job)
        if about.get("isChild") is True:
            continue
        for code, said in json.fields(json.fields(about.get("content")).get("categories")).items():
            more = json.fields(said)
            color, name = more.get("color"), more.get("name")
            points = [json.fields(point).get("code") for point in json.items(more.get("points"))]
            keypoints = tuple(point for point in points if isinstance(point, str)) or None
            extra = {OWNER: {"name": name}} if name not in (None, code) else {}
            label = Label(
                key=code, name=code, color=color if isinstance(color, str) else None, keypoints=keypoints, extra=extra
            )
            known = found.setdefault(code, label)
            if known.keypoints is None and keypoints is not None:
                found[code] = known.replace(keypoints=keypoints)
    return make_labels(found.values())


def write_interface(labels: Sequence[Label], tools: Iterable[str], tags: bool) -> bytes:
    """An interface with one job for objects and, if there are any, one for classes of images."""
    categories = {label.name: _category(label) for label in labels}
    jobs = {
        DETECTION: {
            "content": {"categories": categories, "input": "radio"}, "mlTask": "OBJECT_DETECTION", "required": 0,
            "tools": sorted(tools) or ["rectangle"], "isChild": False,
        }
    }  # fmt: skip
    if tags:
        jobs[CLASSES] = {
            "content": {"categories": categories, "input": "checkbox"},
            "mlTask": "CLASSIFICATION",
            "required": 0,
            "isChild": False,
        }
    return json.dump_lines({"jobs": jobs})


def _category(label: Label) -> dict[str, Any]:
    name = json.fields(label.extra.get(OWNER)).get("name", label.name)
    made: dict[str, Any] = {"name": name, "children": []}
    if label.color is not None:
        made["color"] = label.color
    if label.keypoints:
        made["points"] = [{"code": code, "name": code} for code in label.keypoints]
    return made


def seen_points(response: Any) -> Iterator[tuple[str, list[str]]]:
    """Each category of an object, and the codes of its points if it is a pose; for projects without interface."""
    for job in json.fields(response).values():
        listed = json.fields(job).get("annotations")
        for item in listed if isinstance(listed, list) else ():
            points = json.fields(item).get("points")
            names = [json.fields(c).get("name") for c in json.items(json.fields(item).get("categories"))]
            codes = [json.fields(p).get("code") for p in points] if isinstance(points, list) else []
            for name in names:
                if isinstance(name, str):
                    yield name, [code for code in codes if isinstance(code, str)]
