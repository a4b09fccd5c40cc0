"""Where COCO documents lie, which split each stands for, and where their images are."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Literal

from labelglot.plugin import LabelglotError, Source, split_role
from labelglot.wire.json import peek

HEAD = 1 << 16
_TASK = re.compile(
    r"^(?:instances|person_keypoints|keypoints|labels|stuff|image_info|captions|panoptic|lvis_v[\d.]+|lvis)_(.+)$",
    re.IGNORECASE,
)
Kind = Literal["instances", "keypoints", "captions", "panoptic", "lvis"]
_FOLDERS = ("images", "data")


def split_of(path: str) -> str | None:
    """The split in the name of a document (``instances_val2017.json``, ``train.json``) or of its folder (Roboflow)."""
    folder, _, name = path.rpartition("/")
    stem = name[: -len(".json")] if name.lower().endswith(".json") else name
    task = _TASK.match(stem)
    if task:
        return None if task[1] == "default" else task[1].removesuffix("_inserted_image_name")
    if split_role(stem) is not None:
        return stem
    last = folder.rpartition("/")[2]
    return last if split_role(last) is not None else None


def image_folders(path: str, split: str | None) -> tuple[str, ...]:
    """Where the images of a document may lie, best first: beside it, in ``images/<split>``, ``<split>``, ``data``..."""
    folder = path.rpartition("/")[0]
    above = folder.rpartition("/")[0] if folder else ""
    found: list[str] = []
    for base in dict.fromkeys((folder, above)):
        if split is not None:
            found += [_join(base, "images", split), _join(base, split), _join(base, "data", split)]
        found += [_join(base, name) for name in _FOLDERS]
    return (folder, *found)


def _join(*parts: str) -> str:
    return "/".join(part for part in parts if part)


def heads(source: Source) -> Iterator[tuple[str, dict[str, object]]]:
    """JSON documents whose beginning is an object, with what can be seen of it."""
    for path in source.match("*.json"):
        head = source.head(path, HEAD)
        if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"\xff", b"\xfe"):
            seen = peek(head)
            if isinstance(seen, dict):
                yield path, seen


def first(value: object) -> dict[str, object]:
    """The first item of a list if it is an object, else an empty one."""
    return value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else {}


SIBLINGS = ("videos", "tracks", "detection_categories", "samples")


def kind_of(source: Source, path: str, seen: dict[str, object]) -> Kind | None:
    """Which document of the family it is, by its beginning and, if it is long, its end; ``None``: none of them."""
    annotation = first(seen.get("annotations"))
    if any(name in seen for name in SIBLINGS):
        return None
    if "segments_info" in annotation:
        return "panoptic"
    if "caption" in annotation and "bbox" not in annotation:
        return "captions"
    task = path.rpartition("/")[2].lower()
    if not _is_coco(seen, annotation, task):
        return None
    if not annotation:
        if task.startswith("panoptic_") or mentions(source, path, b'"segments_info"'):
            return "panoptic"
        if task.startswith("captions_") or (mentions(source, path, b'"caption"') and not mentions(source, path, b'"bbox"')):
            return "captions"
    image, category = first(seen.get("images")), first(seen.get("categories"))
    negatives = any(name in image for name in FEDERATED) or any(mentions(source, path, b'"%s"' % n.encode()) for n in FEDERATED)
    if negatives or {"synset", "frequency"} <= category.keys():
        return "lvis"
    return "keypoints" if task.startswith("person_keypoints_") or mentions(source, path, b'"keypoints"') else "instances"


def in_fractions(seen: dict[str, object]) -> bool:
    """Whether the beginning of a document looks like COCO whose coordinates are no pixels: an export of Azure."""
    image, listed = first(seen.get("images")), seen.get("annotations")
    if "absolute_url" in image or str(image.get("coco_url", "")).startswith("AmlDatastore://"):
        return True
    found = [item.get("bbox") for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    boxes = [box for box in found if isinstance(box, list) and all(isinstance(value, float) for value in box)]
    numbers = [abs(value) for box in boxes for value in box]
    return any(numbers) and max(numbers) <= 1


FEDERATED = ("neg_category_ids", "not_exhaustive_category_ids")
"""Fields of LVIS images: classes verified absent, classes of which some objects are not marked."""


def mentions(source: Source, path: str, text: bytes) -> bool:
    """Whether ``text`` is near the beginning or the end (where categories often are) of a document."""
    if text in source.head(path, HEAD):
        return True
    try:
        size = source.size(path)
        if size <= HEAD:
            return False
        with source.open(path) as stream:
            if not stream.seekable():
                return False
            stream.seek(max(0, size - HEAD))
            return text in stream.read(HEAD)
    except (LabelglotError, OSError):
        return False


def _is_coco(seen: dict[str, object], annotation: dict[str, object], name: str) -> bool:
    """Whether the beginning of a document is COCO's: a list of images with ``file_name``, or parts of it in any order."""
    if {"images", "annotations"} <= seen.keys() or {"images", "categories"} <= seen.keys():
        return not first(seen["images"]) or "id" in first(seen["images"])
    image = first(seen.get("images"))
    if "id" in image and not {"file_name", "coco_url"}.isdisjoint(image):
        return True
    named = _TASK.match(name) is not None or name.endswith(".coco.json")
    return ("image_id" in annotation and "category_id" in annotation) or (
        named and seen.keys() <= {"info", "licenses", "images", "annotations", "categories", "type"}
    )


def documents(source: Source, kinds: Collection[Kind]) -> Sequence[tuple[str, str | None]]:
    """Documents of these kinds with their splits, in path order. A file named by the user is one, whatever it is."""
    if source.focus is not None:
        return [(source.focus, split_of(source.focus))]
    return [(path, split_of(path)) for path, seen in heads(source) if kind_of(source, path, seen) in kinds]
