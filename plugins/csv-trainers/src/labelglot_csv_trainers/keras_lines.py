"""keras-yolo3 and pytorch-YOLOv4: a line per image, ``path x1,y1,x2,y2,class x1,y1,...``, and a list of classes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, ClassVar, NamedTuple

from labelglot.images import is_image
from labelglot.plugin import (
    Annotation,
    Content,
    Document,
    File,
    Holds,
    Label,
    LabelHolds,
    Match,
    Naming,
    Options,
    Pieces,
    Problem,
    ReadContext,
    Report,
    Sample,
    Source,
    WriteContext,
    make_labels,
    split_of_path,
)
from labelglot.wire.text import LINE, lines
from pydantic import Field

from labelglot_csv_trainers.boxes import SPLITS, VOC, WHOLE, check, corners, whole

_NUMBER = r"[-+]?(?:\d[\d.]*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?i:nan|inf)"
_BOX = re.compile(rf"(?:{_NUMBER})(?:,(?:{_NUMBER})){{4}}")
_PATH = rf"(?!.*\s{_BOX.pattern}$){LINE}"
"""Names that no reader takes for the beginning of the boxes."""

CLASS_LISTS = ("_classes.txt", "classes.txt", "*_classes.txt", "*.names")


class Line(NamedTuple):
    """One image: the name, and for each box its line and its five numbers."""

    name: str
    boxes: tuple[tuple[int, str], ...]


class _Lines(Document):
    """What both formats share. ``stem``: name of the document of images without split."""

    documents = (".txt",)
    separator = b""
    stem: ClassVar[str]
    class_list: ClassVar[str]
    confidence: ClassVar[float]

    class ReadOptions(Options):
        """How the numbers are meant."""

        voc: bool = Field(
            default=False, title="VOC's numbers",
            description="corners copied from Pascal VOC: the first pixel is 1, the second corner is the last pixel inside",
        )  # fmt: skip

    class WriteOptions(Options):
        """How images without objects are treated."""

        empty_images: bool = Field(
            default=True, title="Empty images",
            description="write a line for each image without objects; false leaves these images out",
        )  # fmt: skip

    def holds_with(self, options: Any) -> Holds:
        return self.holds if options.empty_images else self.holds.replace(empty=False)

    def holds_alone(self, holds: Holds) -> Holds:
        """Without the list of classes only their numbers are left."""
        return holds.replace(labels=holds.labels.replace(names=r"class_\d+"))

    def detect(self, source: Source) -> Match | None:
        found = [name for name in source.match("*.txt")[:50] if _is_lines(source.head(name))]
        if not found:
            return None
        return Match(self.confidence, f"{found[0]} has lines of an image and its boxes (x1,y1,x2,y2,class)")

    def inputs(self, context: ReadContext) -> Sequence[tuple[str, str | None]]:
        source = context.source
        names = [n for n in source.match("*.txt") if source.focus or not (_is_list(n) or _is_readme(n))]
        splits = {name: split_of_path(name, ends=("_annotations",)) for name in names}
        usual = ("annotations.txt", "_annotations.txt")
        found = [
            name for name in names
            if splits[name] is not None or name.rpartition("/")[2] in usual or _is_lines(source.head(name), least=0)
        ]  # fmt: skip
        return [(name, splits[name]) for name in found or names]

    def parse(self, data: bytes, path: str, context: ReadContext) -> Content:
        found: dict[str, list[tuple[int, str]]] = {}
        for number, line in lines(data):
            name, boxes = _taken_apart(line)
            if not name:
                message = "the line names no image"
                context.report.problem(f"{self.id}.line", message, f"{path}:{number}", raw=line, action="skipped")
                continue
            if name in found:
                message = "the image has a line already; pytorch-YOLOv4 knows the last line only"
                context.report.problem(f"{self.id}.repeated", message, f"{path}:{number}", raw=name, action="joined")
            found.setdefault(name, []).extend((number, box) for box in boxes)
        records = [Line(name, tuple(boxes)) for name, boxes in found.items()]
        listed = self._listed(path, context)
        labels = self._classes(listed, {box.rpartition(",")[2] for line in records for _, box in line.boxes}, path, context)
        keys = {label.id: label.key for label in labels}
        return Content(records, labels, shared=keys, names=list(found))

    def _classes(self, listed: list[str], used: set[str], path: str, context: ReadContext) -> tuple[Label, ...]:
        """The classes of the list and those that only boxes know."""
        numbers = {number for text in used if (number := _class_number(text)) is not None}
        further = sorted(number for number in numbers if number >= len(listed))
        if further:
            message = f"class {further[0]} is not in the list of {len(listed)} classes" if listed else "no list of classes"
            context.report.problem(f"{self.id}.class", message, path, action="called by their numbers, like class_0")
        named = [*enumerate(listed), *((number, f"class_{number}") for number in further)]
        return make_labels(Label(key=name, name=name, id=number) for number, name in named)

    def _listed(self, path: str, context: ReadContext) -> list[str]:
        """The names in the list nearest to a document: in its folder, else further up, else the only one there is."""
        folder = path.rpartition("/")[0]
        found = [name for name in context.source.companions() if _is_list(name)]
        for name in sorted(found, key=lambda name: (*_apart(folder, name.rpartition("/")[0]), _rank(name))):
            listed = context.source.read(name).decode("utf-8-sig", "replace").splitlines()
            while listed and not listed[-1].strip():
                listed.pop()
            return [line.strip() or f"class_{i}" for i, line in enumerate(listed)]
        return []

    def decode(
        self, record: Any, path: str, split: str | None, shared: Mapping[int, str], context: ReadContext, report: Report
    ) -> Sample | None:
        line: Line = record
        where = context.place(line.name, path.rpartition("/")[0])
        annotations = []
        for number, box in line.boxes:
            annotation = self._annotation(box, shared, f"{path}:{number}", where.path, context.options.voc, report)
            if annotation is not None:
                annotations.append(annotation)
        return Sample(
            path=where.path, uri=where.uri, image=where.image, splits=(split,) if split else (),
            annotations=tuple(annotations),
        )  # fmt: skip

    def _annotation(
        self, written: str, names: Mapping[int, str], place: str, key: str, voc: bool, report: Report
    ) -> Annotation | None:
        cells = written.split(",")
        box = corners(cells[:4])
        number = _class_number(cells[4])
        if box is None or number is None:
            report.problem(
                f"{self.id}.number", "four corners and the number of a class were expected", place, severity="error",
                key=key, raw=written, action="skipped",
            )  # fmt: skip
            return None
        box = VOC.read_box(box, None) if voc else box
        check(box, place, key, report, self.id)
        return Annotation(label=names[number], box=box)

    def document_path(self, split: str | None, context: WriteContext) -> str:
        return context.document(f"{split or self.stem}.txt", per_split=True)

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[Any]:
        yield from super().encode(sample, context, ordinal)
        if " " in sample.path:
            yield Problem(f"{self.id}.path", "trainers cut the path at its first blank", raw=sample.path)

    def encode_record(self, sample: Sample, context: WriteContext, ordinal: int) -> bytes:
        boxes = (
            ",".join(map(str, (*whole(a.box), context.index.get(a.label or "", 0)))) for a in sample.annotations or ()
        )
        return f"{' '.join((sample.path, *boxes))}\n".encode()

    def frame(self, split: str | None, context: WriteContext) -> tuple[bytes, bytes]:
        return b"", b""

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        yield from super().assemble(context, pieces)
        if context.single is None:
            yield File(self.class_list, "".join(f"{label.name}\n" for label in context.labels).encode())


_HOLDS = Holds(
    geometry=(frozenset({"box"}),), boxes=WHOLE, size=False, labels=LabelHolds(ids="index", names=LINE),
    naming=Naming(pattern=_PATH),
)  # fmt: skip


class YoloKeras(_Lines):
    """One list per split (``train.txt``), classes in ``classes.txt``."""

    id = "yolo-keras"
    name = "YOLOv3 Keras TXT"
    url = "https://github.com/qqwweee/keras-yolo3"
    stem = "annotations"
    class_list = "classes.txt"
    confidence = 0.8
    holds = _HOLDS.replace(splits=SPLITS)


class Yolov4Pytorch(_Lines):
    """One folder per split with ``_annotations.txt`` and ``_classes.txt``, as Roboflow exports it. The lines are those
    of ``yolo-keras``, which is taken for it where no format is named.
    """

    id = "yolov4-pytorch"
    name = "YOLOv4 PyTorch TXT"
    url = "https://github.com/Tianxiaomo/pytorch-YOLOv4"
    stem = "_annotations"
    class_list = "_classes.txt"
    confidence = 0.6
    taken_for = frozenset({"yolo-keras"})
    holds = _HOLDS


def _class_number(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 19 else None


def _taken_apart(line: str) -> tuple[str, list[str]]:
    """The path and the boxes behind it; blanks in the path are its own."""
    boxes: list[str] = []
    rest = line
    while True:
        before, _, last = rest.rpartition(" ")
        if not before or not _BOX.fullmatch(last):
            if _BOX.fullmatch(rest):
                return "", []
            return rest, boxes[::-1]
        boxes.append(last)
        rest = before.rstrip()


def _is_lines(head: bytes, least: int = 1) -> bool:
    """Whether every line begins with an image, and at least so many have boxes."""
    found = list(lines(head))
    if len(found) > 1 and not head.endswith(b"\n"):
        found.pop()
    parts = [_taken_apart(line) for _, line in found[:50]]
    return sum(bool(boxes) for _, boxes in parts) >= least and all(boxes or is_image(name) for name, boxes in parts)


def _is_readme(name: str) -> bool:
    return name.rpartition("/")[2].lower().startswith(("readme", "license"))


def _rank(name: str) -> int:
    """Which of the usual names of a class list a file has; one more than there are if it is none."""
    base = name.rpartition("/")[2].lower()
    return next((i for i, pattern in enumerate(CLASS_LISTS) if fnmatchcase(base, pattern)), len(CLASS_LISTS))


def _is_list(name: str) -> bool:
    return _rank(name) < len(CLASS_LISTS)


def _apart(folder: str, other: str) -> tuple[bool, int]:
    """How far a folder is from another: first those on the way up, the nearest first."""
    above = other == folder or other == "" or folder.startswith(f"{other}/")
    return not above, -len(other) if above else len(other)


__all__ = ["YoloKeras", "Yolov4Pytorch"]
