"""A row per image with its objects in parallel lists, as libraries of dataset hubs load them from JSON lines or Parquet.

``{"image_id", "width", "height", "label", "text", "objects": {"id", "bbox", "area", "category", "score", "iscrowd"}}``.
Every row has the same columns, so those that no row uses are taken out at the end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, Literal, TypeGuard

from labelglot.conventions import PIXELS_XYWH
from labelglot.errors import LabelglotError
from labelglot.formats.base import Options, ReadContext, WriteContext
from labelglot.holds import Holds, LabelHolds, Naming, TagHolds
from labelglot.report import Report
from labelglot.schema import Annotation, Box, Label, Sample, Tag, make_labels
from labelglot.tolerance import close
from labelglot.wire import yaml
from labelglot.wire.text import LINE
from pydantic import Field

BOXES = ("bbox", "bboxes", "boxes", "xywh")
CATEGORIES = ("category", "categories", "category_id", "labels", "label", "class", "class_id")
IDS = ("id", "bbox_id", "ids")
CAPTIONS = ("text", "caption", "captions")
LABELS = ("label", "labels")
OBJECTS = ("id", "bbox", "area", "category", "score", "iscrowd")
UNKNOWN = -1


def rows_holds(owner: str) -> Holds:
    """What rows of this kind hold. ``owner``: the format whose unknown columns are written back."""
    return Holds(
        geometry=(frozenset({"box"}),), boxes=PIXELS_XYWH, score=True, ids="int", sample_ids="int",
        labels=LabelHolds(ids="index", names=LINE, required=False), flags={"crowd": frozenset({"bool"})},
        defaults={"crowd": False}, tags=TagHolds(labels="one", captions="one", order="labels"),
        splits=frozenset({"train", "val", "valid", "validation", "test"}), naming=Naming(scope="split"),
        extra=frozenset({owner}),
    )  # fmt: skip


class RowOptions(Options):
    """How the numbers of boxes are meant."""

    bbox_format: Literal["xywh", "xyxy"] = Field(
        "xywh", title="Boxes", description="xywh: corner and size; xyxy: two corners"
    )
    bbox_units: Literal["pixels", "fractions"] = Field(
        "pixels", title="Units", description="pixels, or fractions of the size of the image"
    )


class Classes:
    """Names of the classes that numbers stand for."""

    def __init__(self, names: Mapping[int, str]) -> None:
        self.labels = make_labels(Label(key=name, name=name, id=number) for number, name in names.items())
        self.keys = {label.id: label.key for label in self.labels}

    def key(self, value: Any) -> str | None:
        """The class a cell means; ``None`` for the number of no class."""
        if isinstance(value, str):
            return value.strip() or None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or value == UNKNOWN:
            return None
        return self.keys.get(value, f"class_{value}")


class RowReader:
    """Makes the fields of a sample of a row. ``owner``: id of the format, for codes of problems and unknown columns;
    ``classes``: of objects; ``tags``: of images, the same if they have none of their own.
    """

    def __init__(
        self, owner: str, classes: Classes, options: RowOptions, known: Collection[str] = (), tags: Classes | None = None
    ) -> None:
        self.owner, self.classes, self.options, self.tags = owner, classes, options, tags or classes
        self.known = frozenset({"image_id", "width", "height", "objects", *CAPTIONS, *LABELS, *known})

    def fields(self, row: Mapping[str, Any], size: tuple[int, int] | None, place: str, key: str, report: Report) -> dict[str, Any]:
        """All of a sample but its path and image. ``size``: of the image file, if it is known."""
        written = _whole(row.get("width")), _whole(row.get("height"))
        stated = (written[0], written[1]) if written[0] and written[1] else None
        if size is not None and stated is not None and size != stated:
            message = f"the image is {size[0]} x {size[1]}, not {stated[0]} x {stated[1]}"
            report.problem(f"{self.owner}.size", message, place, key=key, action="the size of the image is used")
        size = size or stated
        extra = {name: value for name, value in row.items() if name not in self.known and value is not None}
        tags = [Tag(label=name) for value in _each(row, LABELS) if (name := self.tags.key(value)) is not None]
        tags += [Tag(text=value) for value in _each(row, CAPTIONS) if isinstance(value, str) and value]
        id_ = row.get("image_id")
        if not isinstance(id_, int | str) or isinstance(id_, bool):
            id_ = None
        relative = self.options.bbox_units == "fractions"
        return {
            "id": id_, "size": None if relative else size, "units": "relative" if relative else "pixels",
            "tags": tuple(tags), "annotations": tuple(self._objects(row.get("objects"), size, place, key, report)),
            "extra": {self.owner: extra} if extra else {},
        }  # fmt: skip

    def _objects(
        self, objects: Any, size: tuple[int, int] | None, place: str, key: str, report: Report
    ) -> Iterator[Annotation]:
        listed = list(self._items(objects, f"{place}#objects", key, report))
        if listed and size is not None and self.options.bbox_format == "xywh":
            found = [box for item in listed if (box := _box(_first(item, BOXES))) is not None]
            if found and all(x + w > size[0] + 1 and y + h > size[1] + 1 and x < w <= size[0] and y < h for x, y, w, h in found):
                message = "all boxes end outside the image; are they two corners?"
                report.problem(f"{self.owner}.bbox_format", message, place, key=key, action="read as corner and size")
        for position, item in enumerate(listed):
            box = _box(_first(item, BOXES))
            if box is None:
                report.problem(
                    f"{self.owner}.bbox", "the box is no four finite numbers", f"{place}#objects[{position}]",
                    severity="error", key=key, object=position, raw=item, action="skipped",
                )  # fmt: skip
                continue
            yield self._annotation(item, box if self.options.bbox_format == "xyxy" else PIXELS_XYWH.read_box(box, None))

    def _items(self, objects: Any, place: str, key: str, report: Report) -> Iterator[Mapping[str, Any]]:
        """Objects one by one, from lists side by side or a list of structs."""
        if objects is None:
            return
        if isinstance(objects, list) and all(isinstance(item, Mapping) for item in objects):
            yield from objects
            return
        lists = {k: v for k, v in objects.items() if isinstance(v, list)} if isinstance(objects, Mapping) else {}
        number = len(_first(lists, BOXES) or ())
        if not isinstance(objects, Mapping) or any(len(values) != number for values in lists.values()):
            report.problem(
                f"{self.owner}.objects", "the objects are no lists of one length", place, severity="error", key=key,
                raw=objects, action="skipped",
            )  # fmt: skip
            return
        for i in range(number):
            yield {name: values[i] for name, values in lists.items()}

    def _annotation(self, item: Mapping[str, Any], box: Box) -> Annotation:
        known = {*BOXES, *CATEGORIES, *IDS, "area", "score", "iscrowd"}
        extra = {name: value for name, value in item.items() if name not in known and value is not None}
        area, score, crowd, id_ = item.get("area"), item.get("score"), item.get("iscrowd"), _first(item, IDS)
        if _is_number(area) and not close(float(area), _area(box)):
            extra["area"] = area
        return Annotation(
            label=self.classes.key(_first(item, CATEGORIES)), box=box, score=float(score) if _is_number(score) else None,
            id=id_ if isinstance(id_, int) and not isinstance(id_, bool) else None,
            attributes={"crowd": True} if crowd in (1, True) else {}, extra={self.owner: extra} if extra else {},
        )  # fmt: skip


def row_of(sample: Sample, context: WriteContext, owner: str, names: bool = False) -> dict[str, Any]:
    """A sample as a row, with every column there may be. Classes are numbers, or ``names``."""
    objects: dict[str, list[Any]] = {name: [] for name in (*OBJECTS, *columns(context, owner, "object_columns"))}
    for a in sample.annotations or ():
        bag = a.extra.get(owner, {})
        box = a.box or (0.0, 0.0, 0.0, 0.0)
        values = {
            **bag, "id": a.id, "bbox": list(map(float, PIXELS_XYWH.write_box(box, None))), "area": float(bag.get("area", _area(box))),
            "category": _class(a.label, context, names), "score": a.score, "iscrowd": int(bool(a.attributes.get("crowd"))),
        }  # fmt: skip
        for name, listed in objects.items():
            listed.append(values.get(name))
    label = next((tag.label for tag in sample.tags if tag.label is not None), None)
    text = next((tag.text for tag in sample.tags if tag.text is not None), None)
    width, height = sample.size or (None, None)
    more = sample.extra.get(owner, {})
    return {
        "image_id": sample.id, "width": width, "height": height, "label": _class(label, context, names), "text": text,
        "objects": objects, **{name: more.get(name) for name in columns(context, owner, "columns")},
    }  # fmt: skip


def used(row: Mapping[str, Any]) -> Iterator[str]:
    """Which of the optional columns of a row say something; those of objects as ``objects.score``."""
    yield from (name for name in ("image_id", "width", "height", "text") if row[name] is not None)
    if row["label"] not in (None, UNKNOWN):
        yield "label"
    objects = row["objects"]
    if objects["bbox"]:
        yield "objects"
    yield from (f"objects.{name}" for name in ("id", "score") if any(value is not None for value in objects[name]))
    if any(objects["iscrowd"]):
        yield "objects.iscrowd"


OPTIONAL = ("image_id", "width", "height", "label", "text", "objects", *(f"objects.{n}" for n in ("id", "score", "iscrowd")))


def without(row: dict[str, Any], unused: Iterable[str]) -> dict[str, Any]:
    """A row without the columns that no row uses."""
    for name in unused:
        outer, _, inner = name.partition(".")
        inside = row.get(outer) if inner else row
        if isinstance(inside, dict):
            inside.pop(inner or outer, None)
    return row


def columns(context: WriteContext, owner: str, which: str) -> Sequence[str]:
    """Columns of the data read that no one here knows."""
    found = context.info.extra.get(owner, {}).get(which, ())
    return [name for name in found if isinstance(name, str)]


def unknown_columns(row: Mapping[str, Any], reader: RowReader) -> dict[str, list[str]]:
    """What :func:`columns` is told, by the first row of a table: all rows have the same columns."""
    objects = row.get("objects")
    first = objects[0] if isinstance(objects, list) and objects else objects
    known = {*BOXES, *CATEGORIES, *IDS, "area", "score", "iscrowd"}
    inner = [name for name in first if name not in known] if isinstance(first, Mapping) else []
    found = {"columns": [name for name in row if name not in reader.known], "object_columns": inner}
    return {name: listed for name, listed in found.items() if listed}


CARD = "README.md"


def read_card(context: ReadContext, owner: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What a dataset card says in front of its text: the features by column, and the licences."""
    if not context.source.exists(CARD):
        return {}, ()
    _, mark, rest = context.source.read(CARD).decode("utf-8-sig", "replace").replace("\r\n", "\n").partition("---\n")
    try:
        given = yaml.load(rest.partition("\n---")[0].encode(), CARD) if mark else None
    except LabelglotError as error:
        context.report.problem(f"{owner}.card", error.message, error.place or CARD, action="not used")
        given = None
    if not isinstance(given, Mapping):
        return {}, ()
    said = given.get("license")
    licenses = tuple(str(each) for each in (said if isinstance(said, list) else [said]) if each is not None)
    about = given.get("dataset_info")
    about = about[0] if isinstance(about, list) and about else about
    return features_of(about), licenses


def features_of(about: Any) -> dict[str, Any]:
    """The features of a description of a dataset by column, whether they are listed or mapped."""
    found = about.get("features") if isinstance(about, Mapping) else None
    if isinstance(found, list):
        return {str(each.get("name")): each for each in found if isinstance(each, Mapping)}
    return {str(name): each for name, each in found.items()} if isinstance(found, Mapping) else {}


def classes_of(features: Mapping[str, Any]) -> tuple[Classes, Classes]:
    """The classes of objects and those of images; each is the other where only one is named."""
    objects = class_names(features.get("objects"))
    images = class_names([features[name] for name in LABELS if name in features])
    return Classes(objects or images), Classes(images or objects)


def written_card(context: WriteContext, classes_in: Literal["objects", "label", ""] = "") -> bytes:
    """A dataset card with the licences that names the classes in a column, or not at all: there ``datasets`` takes the
    features it names for all there are.
    """
    names = {str(i): label.name for i, label in enumerate(context.labels)} if classes_in else {}
    table = {"class_label": {"names": names}}
    card: dict[str, Any] = {}
    if context.info.licenses:
        card["license"] = list(context.info.licenses) if len(context.info.licenses) > 1 else context.info.licenses[0]
    if names:
        boxes = [{"name": "bbox", "sequence": "float64", "length": 4}, {"name": "category", "dtype": table}]
        feature = {"name": "objects", "sequence": boxes} if classes_in == "objects" else {"name": "label", "dtype": table}
        card["dataset_info"] = {"features": [feature]}
    return b"---\n" + (yaml.dump(card, block=True) if card else b"") + b"---\n"


def class_names(features: Any) -> dict[int, str]:
    """The names of the first class table in a description of columns (``class_label: names`` or ``_type: ClassLabel``)."""
    waiting = [features]
    while waiting:
        item = waiting.pop(0)
        if isinstance(item, Mapping):
            listed = item.get("class_label", item if item.get("_type") == "ClassLabel" else None)
            names = listed.get("names") if isinstance(listed, Mapping) else None
            if isinstance(names, Mapping):
                pairs = [(int(k), str(v)) for k, v in names.items() if str(k).isdecimal() and len(str(k)) < 10]
                if pairs:
                    return dict(sorted(pairs))
            elif isinstance(names, list) and names:
                return {i: str(name) for i, name in enumerate(names)}
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
    return {}


def _class(key: str | None, context: WriteContext, names: bool) -> int | str | None:
    if names:
        return None if key is None else context.name(key)
    return UNKNOWN if key is None else context.index[key]


def _first(item: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((item[name] for name in names if name in item), None)


def _each(row: Mapping[str, Any], names: Sequence[str]) -> list[Any]:
    value = _first(row, names)
    return value if isinstance(value, list) else [value]


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _whole(value: Any) -> int | None:
    return int(value) if _is_number(value) and isfinite(value) and 0 < value < 1 << 31 else None


def _area(box: Box) -> float:
    return float((box[2] - box[0]) * (box[3] - box[1]))


def _box(value: Any) -> Box | None:
    if not isinstance(value, list | tuple) or len(value) != 4 or not all(map(_is_number, value)):
        return None
    x, y, w, h = map(float, value)
    return x, y, w, h


__all__ = [
    "CARD", "OPTIONAL", "Classes", "RowOptions", "RowReader", "classes_of", "columns", "features_of", "read_card", "row_of",
    "rows_holds", "unknown_columns", "used", "without", "written_card",
]  # fmt: skip
