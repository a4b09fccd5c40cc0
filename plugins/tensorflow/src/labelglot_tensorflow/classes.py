"""Classes of records: their text and number, and the label map that lists them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from labelglot.plugin import Label, LabelglotError, ReadContext, make_labels
from labelglot.wire.label_map import Item, format_label_map, parse_label_map

OWNER = "tfrecord"
"""Owner of the extras of the whole family of record formats."""

LABEL_MAP = "label_map.pbtxt"
_LARGEST = 4 << 20


class Classes:
    """Finds the class that text and number of an object mean, in one label map. Picklable."""

    def __init__(self, labels: Iterable[Label] = ()) -> None:
        self.labels = make_labels(labels)
        self.by_number: dict[int, str] = {}
        self.by_text: dict[str, str] = {}
        self.texts: dict[str, frozenset[str]] = {}
        for label in self.labels:
            texts = frozenset({label.name, text_of(label)})
            self.texts[label.key] = texts
            if isinstance(label.id, int):
                self.by_number.setdefault(label.id, label.key)
            for text in texts:
                self.by_text.setdefault(text, label.key)

    def find(self, text: str, number: int) -> str | None:
        """Key of the class; the text counts more than the number, 0 without text is no class.

        What the map does not list is a class of its own, called by its text, or else by its number.
        """
        numbered = self.by_number.get(number)
        if not text:
            return None if number == 0 else str(number) if numbered is None else numbered
        if numbered is not None and text in self.texts[numbered]:
            return numbered
        return self.by_text.get(text, text)

    def disagree(self, text: str, number: int) -> bool:
        """Whether the map has another number for this text."""
        key = self.by_text.get(text)
        return bool(text and number and key is not None) and self.by_number.get(number) != self.find(text, number)


def own(extra: Mapping[str, Any]) -> Mapping[str, Any]:
    """What this family keeps in an extra bag."""
    found = extra.get(OWNER)
    return found if isinstance(found, dict) else {}


def text_of(label: Label) -> str:
    """The text that stands for a class in records: its code where it has one besides its readable name."""
    code = own(label.extra).get("name")
    return code if isinstance(code, str) else label.name


def number_of(label: Label) -> int:
    """The number that stands for a class in records."""
    return label.id if isinstance(label.id, int) else 0


def labels_of(items: Iterable[Item]) -> list[Label]:
    """The classes of a label map."""
    return [_label(item) for item in items]


def _label(item: Item) -> Label:
    extra: dict[str, object] = {}
    if item.display_name:
        extra["display_name"] = True
        if item.display_name != item.name:
            extra["name"] = item.name
    points = sorted(item.keypoints, key=lambda point: point[0])
    numbers = [number for number, _ in points]
    if numbers != list(range(len(numbers))):
        extra["keypoint_ids"] = numbers
    return Label(
        key=item.name, name=item.display_name or item.name, id=item.id, extra={OWNER: extra} if extra else {},
        keypoints=tuple(name for _, name in points) if points else None,
    )  # fmt: skip


def label_map(labels: Sequence[Label]) -> bytes:
    """The label map of some classes."""
    return format_label_map(map(_item, labels)).encode()


def _item(label: Label) -> Item:
    bag = own(label.extra)
    numbers = bag.get("keypoint_ids")
    points = label.keypoints or ()
    if not isinstance(numbers, list | tuple) or len(numbers) != len(points):
        numbers = range(len(points))
    shown = label.name if bag.get("display_name") else None
    return Item(number_of(label), text_of(label), shown, tuple(zip(map(int, numbers), points, strict=True)))


class LabelMaps:
    """The label maps of a source; each record file has the one that is nearest to it."""

    def __init__(self, context: ReadContext, owner: str) -> None:
        self.found: dict[str, list[Label]] = {}
        for path in context.source.companions():
            if not path.lower().endswith(".pbtxt"):
                continue
            try:
                if context.source.size(path) > _LARGEST:
                    raise LabelglotError("it is too large for a label map")
                labels = labels_of(parse_label_map(context.source.read(path).decode("utf-8", "replace"), path))
            except (LabelglotError, OSError) as error:
                context.report.problem(f"{owner}.label_map", str(error), path, action="not used")
                continue
            if labels:
                self.found[path] = labels

    def near(self, path: str) -> str | None:
        """The label map for a record file: in its folder, else below one of the folders around it."""
        folder = path.rpartition("/")[0]
        while True:
            start = f"{folder}/" if folder else ""
            inside = [p for p in self.found if p.startswith(start)]
            if inside:
                return min(inside, key=lambda p: (p.count("/"), "label" not in p.lower(), p))
            if not folder:
                return None
            folder = folder.rpartition("/")[0]


