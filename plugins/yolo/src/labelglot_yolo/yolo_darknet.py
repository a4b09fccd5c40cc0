"""Darknet: ``class cx cy w h`` in a text file beside each image, lists of images per split, names, ``obj.data``.

Yolo_mark, CVAT "YOLO 1.1", labelImg. Paths in the lists start with ``data/``, the folder Darknet users unpack into.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from labelglot.errors import LabelglotError
from labelglot.plugin import (
    RELATIVE_CENTER,
    Dataset,
    File,
    Format,
    Holds,
    Info,
    Label,
    LabelHolds,
    Match,
    Naming,
    Options,
    Pair,
    Piece,
    Pieces,
    ReadContext,
    Records,
    Report,
    Sample,
    Source,
    WriteContext,
    make_labels,
    order_splits,
    split_role,
)
from labelglot.wire.text import lines as text_lines
from labelglot.wire.text import spell_row
from pydantic import Field

from labelglot_yolo.card import UNSPLIT, borrowed, placeholder, whole
from labelglot_yolo.evidence import look
from labelglot_yolo.family import Decode, Listing
from labelglot_yolo.lines import Found, Line, Misfit, Rules, box
from labelglot_yolo.tree import Gatherer, Tree, beside, discover, is_label_line

OWNER = "yolo-darknet"
RESERVED = ("classes", "names", "backup")
BACKUP = "backup/"
NAME_LINE = r"(?![\s\ufeff])[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+(?<!\s)"
"""Class names that are a line of a file."""

SPLIT_KEY = rf"(?!(?:{'|'.join((*RESERVED, UNSPLIT))})$)\w(?:[\w .+()-]*[\w+()-])?"

_STAND_IN = re.compile(r"#\s*stand-in:(.*)")
_DATA_FOLDER = re.compile(r"(?:^|/)obj_[^/]*_data/")


class YoloDarknet(Format):
    """Boxes. An image that is listed but has no label file was not looked at."""

    id = "yolo-darknet"
    name = "YOLO Darknet TXT"
    aliases = ("darknet", "yolo-mark", "yolov3", "yolov4")
    url = "https://github.com/AlexeyAB/Yolo_mark"
    holds = Holds(
        geometry=(frozenset({"box"}),), boxes=RELATIVE_CENTER, size=False, unlabelled=True,
        labels=LabelHolds(ids="index", names=NAME_LINE, duplicates=True),
        splits="any", several_splits=True, split_order="roles", split_names=SPLIT_KEY,
        naming=Naming(scope="split", unique="stem"), extra=frozenset({OWNER}),
    )  # fmt: skip

    class ReadOptions(Options):
        """Options of the reader."""

        score: Literal["refuse", "second", "last"] = Field(
            "refuse",
            title="Score",
            description="where lines of six numbers have their score: behind the class (Darknet tools) or last (Ultralytics)",
        )
        unknown_classes: Literal["none", "placeholder"] = Field(
            "none",
            title="Unknown classes",
            description="class numbers beyond the table: objects without class, or classes named class_N (reads everything twice)",
        )

    class WriteOptions(Options):
        """Options of the writer."""

        prefix: str = Field(
            "data/", title="Prefix", description="what stands before each path in the lists and in obj.data", pattern=r"^(?:[^\n\r]*/)?$"
        )  # fmt: skip
        clip: bool = Field(
            False, title="Clip", description="cut boxes at the edge of the image, and leave out what lies outside; each cut is reported"
        )  # fmt: skip

    def holds_with(self, options: Any) -> Holds:
        return self.holds.replace(inside=True) if options.clip else self.holds

    def detect(self, source: Source) -> Match | None:
        data = _data_file(source)
        if data is not None:
            return Match(0.95, f"{data} names lists of images and a file of class names")
        seen = look(source)
        if seen is not None and seen.card is not None:
            return None
        paths = source.files()
        names = next((path for path in paths if _is_names(path)), None)
        if seen is not None:
            if names is None or not all(len(row) == 5 for row in seen.lines):
                return None
            return Match(0.75 if names.endswith(".names") else 0.4, f"{names} beside folders of images and labels")
        texts = [path for path in paths if path.endswith(".txt") and not _is_names(path)][:50]
        labelled = [path for path in texts if (first := _first_line(source, path)) and is_label_line(first) and len(first.split()) == 5]
        if not labelled:
            return None
        return Match(0.75 if names else 0.4, f"{names or 'no class names'}, lines of 5 numbers in {labelled[0]}")

    def read(self, context: ReadContext) -> Dataset:
        source, report = context.source, context.report
        place = _data_file(source)
        tree = Tree(source, labels_beside=True)
        given = _parse_data(source.read(place)) if place is not None else Data({}, frozenset())
        base = (place or "").rpartition("/")[0]
        gatherer = Lists(tree, context, base)
        others: dict[str, str] = {}
        for key, value in given.keys.items():
            if key in RESERVED:
                continue
            listed = tree.resolve(value, (base,))
            if listed is not None and listed[1]:
                gatherer.add_list(listed[0], (base,), key, None if key in given.stand_in else key)
            else:
                others[key] = value
                if split_role(key) is not None:
                    gatherer.missing(f"{key} is {value!r}, which is not there", place, value)
        gatherer.add_loosely_listed(context)
        gatherer.add_unlisted(base if place is not None else None)
        names = _names_file(tree, given, base)
        labels = None if names is None else _labels(source.read(names), names, given.keys.get("classes"), report)
        pairs = [pair._replace(splits=order_splits(pair.splits)) for pair in gatherer.pairs()]
        if place is None and names is None and not pairs:
            raise LabelglotError("no obj.data, no class names and no label files in it", source.where)
        growing = context.options.unknown_classes == "placeholder"
        keys = None if labels is None else {int(label.id or 0): label.key for label in labels}
        decode = Decode(source, Rules(self.id, keys, Chosen(context.options.score), growing), None)
        backup = given.keys.get("backup", BACKUP)
        extra = {**others, **({"backup": backup} if backup != BACKUP else {})}
        complete = labels is not None and not growing
        return Dataset(
            Records(pairs, decode, Listing(pairs) if complete else None), labels or (),
            Info(extra={OWNER: extra} if extra else {}), labels_complete=complete,
        )  # fmt: skip

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece]:
        image = self.image_path(sample, context)
        size = None if sample.units == "relative" else sample.size
        if sample.annotations is not None:
            written = [
                f"{context.index[a.label or '']} {spell_row(RELATIVE_CENTER.write_box(a.box, size))}\n"
                for a in sample.annotations
                if a.box is not None
            ]
            yield File(beside(image), "".join(written).encode())
        for split in sample.splits or (UNSPLIT,):
            yield Piece(split, f"{context.options.prefix}{image}\n".encode())

    def image_path(self, sample: Sample, context: WriteContext) -> str:
        return f"obj_{sample.split or UNSPLIT}_data/{sample.path}"

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        prefix = context.options.prefix
        splits: list[str | None] = sorted(pieces.slots(), key=lambda split: (split_role(split) != "train", split))
        keys = {str(split): f"{prefix}{split}.txt" for split in splits}
        stand_in = [UNSPLIT] if UNSPLIT in splits else []
        wanted = ["train"] if splits else []
        wanted += ["valid"] if any(split_role(split) == "val" for split in splits) else []
        for key in wanted:
            if key in keys:
                continue
            same = borrowed(key, splits)
            stand_in.append(key)
            keys[key] = f"{prefix}{same[0] if len(same) == 1 else key}.txt"
            if len(same) > 1:
                yield File(f"{key}.txt", (block for split in same for block in pieces.stream(str(split))))
        extra = context.info.extra.get(OWNER, {})
        rest = {str(k): str(v) for k, v in extra.items()} if isinstance(extra, Mapping) else {}
        rows = {
            "classes": str(len(context.labels)), **keys, "names": f"{prefix}obj.names",
            "backup": rest.pop("backup", BACKUP), **{k: v for k, v in rest.items() if k not in keys},
        }  # fmt: skip
        comment = f"# stand-in: {', '.join(stand_in)}\n" if stand_in else ""
        yield File("obj.data", (comment + "".join(f"{key} = {value}\n" for key, value in rows.items())).encode())
        yield File("obj.names", "".join(f"{label.name}\n" for label in context.labels).encode())
        for split in splits:
            yield File(f"{split}.txt", pieces.stream(str(split)))


class Data(NamedTuple):
    """What ``obj.data`` says; ``stand_in``: keys of lists that are no splits."""

    keys: Mapping[str, str]
    stand_in: frozenset[str]


def _parse_data(data: bytes) -> Data:
    keys: dict[str, str] = {}
    stand_in: set[str] = set()
    for _, line in text_lines(data):
        if line.startswith("#"):
            found = _STAND_IN.match(line)
            stand_in.update(key.strip() for key in found[1].split(",")) if found else None
            continue
        key, equals, value = line.partition("=")
        if equals and key.strip() and value.strip():
            keys[key.strip()] = value.strip()
    return Data(keys, frozenset(stand_in))


def _data_file(source: Source) -> str | None:
    found = [path for path in source.match("*.data") if "names" in _parse_data(source.head(path)).keys]
    return min(found, key=lambda path: (path.count("/"), path), default=None)


def _is_names(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    return name.endswith(".names") or name == "classes.txt"


def _first_line(source: Source, path: str) -> str | None:
    return next((line for _, line in text_lines(source.head(path))), None)


def _names_file(tree: Tree, given: Data, base: str) -> str | None:
    """The file of class names that ``obj.data`` names, else the first that looks like one."""
    value = given.keys.get("names")
    if value is not None:
        named = tree.resolve_file(value, (base,))
        if named is not None:
            return named
    return min((path for path in tree.paths if _is_names(path)), key=lambda p: (p.count("/"), p), default=None)


def _labels(data: bytes, place: str, classes: str | None, report: Report) -> tuple[Label, ...]:
    """One class per line; a blank line between others keeps its number."""
    text = data.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")
    names = [line.strip() for line in text.split("\n")]
    while names and not names[-1]:
        names.pop()
    for number, name in enumerate(names):
        if not name:
            report.problem(f"{OWNER}.name", f"class {number} has no name", f"{place}:{number + 1}", action="a placeholder")
            names[number] = placeholder(number)
    if classes is not None and whole(classes) != len(names):
        report.problem(f"{OWNER}.classes", f"classes is {classes}, but there are {len(names)} names", place, action="names kept")
    return make_labels([Label(key=name, name=name, id=number) for number, name in enumerate(names)])


class Lists(Gatherer):
    """Images of Darknet's lists. Names that are not there as written are looked for once all others are known."""

    def __init__(self, tree: Tree, context: ReadContext, base: str) -> None:
        super().__init__(tree, context.source, context.report, OWNER, base)
        self.loose: list[tuple[str, str, str | None]] = []

    def add_list(self, place: str, bases: Sequence[str], key: str | None, split: str | None) -> None:
        folder = place.rpartition("/")[0]
        for number, line in text_lines(self.source.read(place)):
            image = self.tree.resolve_image(line, (folder, *bases))
            if image is None:
                self.loose.append((line, f"{place}:{number}", split))
            else:
                self.add_image(image, self.identity(image, key), split)

    def add_loosely_listed(self, context: ReadContext) -> None:
        """Listed names that match an image by their end or stem alone, if no other name means the same image."""
        claims: dict[str, set[str]] = {}
        for line, _, _ in self.loose:
            image = context.images.find(line)
            if image is not None and image not in self.found:
                claims.setdefault(image, set()).add(line)
        meant = {next(iter(names)): image for image, names in claims.items() if len(names) == 1}
        said: set[str] = set()
        for line, place, split in self.loose:
            image = meant.get(line)
            if image is not None:
                self.report.problem(f"{OWNER}.place", f"found as {image}", place, raw=line, severity="info", action="read")
                self.add_image(image, self.identity(image, None), split)
                continue
            if line not in said:
                said.add(line)
                severity: Literal["info", "warning"] = "warning" if context.images.paths else "info"
                self.report.problem(
                    f"{OWNER}.missing", "neither the image nor its labels are there", place, raw=line, severity=severity,
                    action="kept without image",
                )  # fmt: skip
            name = line.replace("\\", "/").removeprefix("./").removeprefix("data/").lstrip("/")
            self.put(name, self.identity(name, None), Pair(None, None), split)

    def add_unlisted(self, base: str | None) -> None:
        """Images with labels that no list names; all images, if there are no lists."""
        if base is None:
            for split, folders in discover(self.tree, "").items():
                self.add_folders(folders, split)
            return
        for image in self.tree.below(base):
            if image not in self.found and (label := self.tree.label_of(image)[0]) is not None and label != image:
                self.report.problem(f"{OWNER}.unlisted", "no list names it", image, severity="info")
                self.add_image(image, self.identity(image, None), None)

    def identity(self, image: str, key: str | None) -> str:
        inside = image[len(self.base) + 1 :] if self.base and image.startswith(self.base + "/") else image
        found = _DATA_FOLDER.search(inside)
        return inside[found.end() :] if found and found.end() < len(inside) else inside


class Chosen:
    """A decoder of box lines. ``score``: where predictions have it."""

    def __init__(self, score: str) -> None:
        self.score = score

    def __call__(self, line: Line, label: int) -> Found:
        count = len(line.cells)
        if count == 6 and self.score == "second":
            line = Line([line.cells[0], *line.cells[2:], line.cells[1]], [line.numbers[0], *line.numbers[2:], line.numbers[1]])
        elif count == 6 and self.score == "refuse":
            raise Misfit("6 numbers: one may be a score", hint="say where it stands: score=second or score=last")
        elif count not in (5, 6):
            raise Misfit(f"{count} numbers, where a box has 5", hint="polygons and keypoints are read by other YOLO formats")
        return box(line)

