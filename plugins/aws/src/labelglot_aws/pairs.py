"""Label attributes of a manifest line: a key, and beside it ``<key>-metadata`` that says how to read its value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from labelglot.plugin import Label, LabelglotError, Lines, Report, make_labels
from labelglot.wire import json

from labelglot_aws.masks import class_of

SUFFIX = "-metadata"
TYPE = "groundtruth/"
BOXES = "groundtruth/object-detection"
CLASS = "groundtruth/image-classification"
CLASSES = "groundtruth/image-classification-multilabel"
SEGMENTATION = "groundtruth/semantic-segmentation"
VERIFICATION = "groundtruth/label-verification"
IMAGE = "source-ref"


class Pair(NamedTuple):
    """A label attribute of a line. ``value`` is ``None`` where the job failed."""

    attribute: str
    value: Any
    metadata: dict[str, Any]

    @property
    def type(self) -> str:
        return str(self.metadata.get("type", ""))


class Chosen(NamedTuple):
    """Which attributes are read: of objects, and of classes of images."""

    objects: str | None
    classes: frozenset[str]


class _Metadata(msgspec.Struct):
    type: str = ""
    names: Any = msgspec.field(default=None, name="class-map")
    name: Any = msgspec.field(default=None, name="class-name")
    colors: Any = msgspec.field(default=None, name="internal-color-map")


def pairs_of(line: Mapping[str, Any]) -> list[Pair]:
    """The label attributes of a line, in its order."""
    return [
        Pair(key[: -len(SUFFIX)], line.get(key[: -len(SUFFIX)]), value)
        for key, value in line.items()
        if key.endswith(SUFFIX) and isinstance(value, dict) and str(value.get("type", "")).startswith(TYPE)
    ]


class Attributes:
    """What a first look at all lines tells: the attributes of each type in order of appearance, and their classes.

    ``unnamed``: what the class of an image is called that has no name, by its attribute and value.
    """

    def __init__(self, unnamed: Callable[[str, msgspec.Raw], str]) -> None:
        self.unnamed = unnamed
        self.types: dict[str, str] = {}
        self.names: dict[str, dict[str, int | None]] = {}

    def look(self, found: Sequence[Lines]) -> Attributes:
        for record in found:
            for line in record.lines:
                try:
                    fields = json.load_fields(line.data, line.place)
                    self._line(fields)
                except LabelglotError:
                    continue  # reported when the line is decoded
        return self

    def _line(self, fields: Mapping[str, msgspec.Raw]) -> None:
        for key, value in fields.items():
            if not key.endswith(SUFFIX):
                continue
            attribute = key[: -len(SUFFIX)]
            try:
                metadata = json.load(bytes(value), key, _Metadata)
            except LabelglotError:
                continue
            if attribute not in fields:
                continue
            self.types[attribute] = metadata.type
            known = self.names.setdefault(attribute, {})
            names = metadata.names if isinstance(metadata.names, dict) else {}
            colors = metadata.colors if isinstance(metadata.colors, dict) else {}
            for number, name in names.items():
                known.setdefault(str(name), _whole(number))
            for number, entry in colors.items():
                if (named := class_of(number, entry)) is not None:
                    known.setdefault(named, _whole(number))
            if metadata.name is not None:
                known.setdefault(str(metadata.name), _index(fields[attribute]))
            elif metadata.type == CLASS:
                known.setdefault(self.unnamed(attribute, fields[attribute]), _index(fields[attribute]))
            for number in _numbers(metadata.type, fields[attribute]):
                if number not in names:
                    known.setdefault(number, _whole(number))

    def last(self, *types: str) -> str | None:
        """The last attribute of one of these types."""
        return next((name for name, type in reversed(self.types.items()) if type in types), None)

    def labels(self, attributes: Iterable[str], place: str, owner: str, report: Report) -> Sequence[Label]:
        """Classes of some attributes. A number that several names have counts for the first of them."""
        given: dict[str, int | None] = {}
        for attribute in attributes:
            for name, number in self.names.get(attribute, {}).items():
                if given.get(name) is None:
                    given[name] = number
        taken: dict[int, str] = {}
        for name, number in given.items():
            if number is not None and taken.setdefault(number, name) != name:
                report.problem(
                    f"{owner}.class-map", f"class {number} is {taken[number]!r} and {name!r}", place,
                    action="told apart by name",
                )  # fmt: skip
                given[name] = None
        return make_labels(Label(key=name, name=name, id=number) for name, number in given.items())


def _numbers(kind: str, value: msgspec.Raw) -> Iterator[str]:
    """The numbers of classes in a value, as texts."""
    if kind not in (BOXES, CLASSES):
        return
    found: Any
    try:
        found = json.load(bytes(value), "")
    except LabelglotError:
        return
    if kind == BOXES:
        boxes = found.get("annotations") if isinstance(found, dict) else None
        found = [box.get("class_id") for box in boxes if isinstance(box, dict)] if isinstance(boxes, list) else []
        found = [number for number in found if number is not None]
    yield from map(str, found if isinstance(found, list) else ())


def class_by_value(attribute: str, value: msgspec.Raw) -> str:
    """A class without name is called like its value."""
    return str(json.load(bytes(value), attribute))


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _index(value: msgspec.Raw) -> int | None:
    """The number of a class as the value of an image's attribute: a number, or text."""
    return _whole(bytes(value).decode("utf-8", "replace").strip('" '))


__all__ = ["BOXES", "CLASS", "CLASSES", "IMAGE", "SEGMENTATION", "SUFFIX", "TYPE", "VERIFICATION", "Attributes", "Chosen", "Pair", "class_by_value", "pairs_of"]
