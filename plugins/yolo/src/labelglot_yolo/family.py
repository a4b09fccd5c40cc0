"""What the Ultralytics formats share: one tree, one ``data.yaml``, one label file per image. They differ in a line."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, repeat
from typing import Any, ClassVar, Literal, NamedTuple

from labelglot.errors import LabelglotError
from labelglot.images import SourceImage, look_at
from labelglot.plugin import (
    READ_TOGETHER,
    RELATIVE,
    RELATIVE_CENTER,
    Annotation,
    Dataset,
    File,
    Format,
    Holds,
    IndexEntry,
    Info,
    Label,
    LabelHolds,
    Match,
    Naming,
    Options,
    Pair,
    PairTable,
    Piece,
    Pieces,
    Problem,
    ReadContext,
    Records,
    Report,
    Sample,
    Source,
    WriteContext,
    as_columns,
    image_size,
    in_pixels,
    make_labels,
    packed,
    with_contents,
)
from labelglot.wire import json
from labelglot.wire.text import lines as text_lines
from labelglot.wire.text import spell_lines
from pydantic import Field

from labelglot_yolo import card, evidence, lines
from labelglot_yolo.card import Card
from labelglot_yolo.lines import Found, Line, Rules
from labelglot_yolo.tree import Gatherer, Tree, discover, label_path

COMMON = Holds(
    boxes=RELATIVE_CENTER,
    points=RELATIVE,
    labels=LabelHolds(ids="index", duplicates=True),
    size=False,
    splits="any",
    split_names=card.SPLIT_KEYS,
    naming=Naming(scope="split", unique="stem", suffix=False),
    info=frozenset({"licenses", "url"}),
    extra=frozenset({card.OWNER}),
)
"""Of the image only its name, without suffix unless the file itself is there. An image without label file and one with
an empty label file are the same to every trainer, so ``unlabelled`` cannot be held.
"""


class Ultralytics(Format):
    """Base of the formats with ``data.yaml``. Subclasses state the task and write ``choose`` and ``numbers``."""

    url = "https://docs.ultralytics.com/datasets/"
    task: ClassVar[str]

    class ReadOptions(Options):
        """Options of the reader."""

        missing: Literal["empty", "unlabelled"] = Field(
            "empty", title="No label file", description="what an image without label file is: empty, as trainers take it, or unlabelled"
        )  # fmt: skip
        unknown_classes: Literal["none", "placeholder"] = Field(
            "none",
            title="Unknown classes",
            description="class numbers beyond the table: objects without class, or classes named class_N (reads everything twice)",
        )

    class WriteOptions(Options):
        """Options of the writer."""

        layout: Literal["ultralytics", "roboflow"] = Field(
            "ultralytics", title="Layout", description="images/<split> and labels/<split>, or <split>/images and <split>/labels"
        )  # fmt: skip
        scores: bool = Field(
            False, title="Scores", description="write scores at the end of the line, as predictions have them; not fit for training"
        )  # fmt: skip

    def holds_with(self, options: Any) -> Holds:
        changes: dict[str, Any] = {}
        if options.scores:
            changes["score"] = True
        if getattr(options, "clip", False):
            changes["inside"] = True
        return self.holds.replace(**changes) if changes else self.holds

    @abstractmethod
    def decoder(self, given: Card | None, keys: Sequence[Label] | None, options: Any) -> Any:
        """A picklable function from a line and its class number to the fields of an annotation."""

    @abstractmethod
    def numbers(self, annotation: Annotation, size: tuple[int, int] | None, context: WriteContext) -> tuple[float, ...]:
        """The coordinates of an object as fractions, in the order of the line."""

    def all_numbers(
        self, annotations: Sequence[Annotation], size: tuple[int, int] | None, context: WriteContext
    ) -> Sequence[tuple[float, ...]]:
        """:meth:`numbers` of all objects of an image; override where that is faster together."""
        return [self.numbers(annotation, size, context) for annotation in annotations]

    def spell(
        self, annotations: Sequence[Annotation], numbers: Sequence[tuple[float, ...]], context: WriteContext
    ) -> Sequence[str]:
        """The line of each object behind its class number."""
        return spell_lines(numbers)

    def task_keys(self, context: WriteContext) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """What the task adds to ``data.yaml``, and to our block in it."""
        return {}, {}

    def describe(self, label: Label, given: Card | None) -> Label:
        """A class with what the YAML says about it besides its name."""
        return label

    def detect(self, source: Source) -> Match | None:
        return evidence.match(evidence.look(source), self.id, self.task)

    def read(self, context: ReadContext) -> Dataset:
        tree, report = Tree(context.source), context.report
        place = evidence.card_of(context.source)
        given = None if place is None else card.parse(context.source.read(place), place, self.id, report)
        found, info = self._pairs(tree, given, context)
        pairs = packed(found)
        labels = self._labels(tree, given, context)
        keys = None if labels is None else {int(label.id or 0): label.key for label in labels}
        growing = context.options.unknown_classes == "placeholder"
        decoder = self.decoder(given, labels, context.options)
        rules = Rules(self.id, keys, decoder, growing, isinstance(decoder, Chosen))
        decode = Decode(context.source, rules, None if context.options.missing == "unlabelled" else ())
        complete = labels is not None and not growing
        records = Records(pairs, decode, Listing(pairs) if complete else None)
        if isinstance(pairs, PairTable):
            context.source.forget_files()
        return Dataset(records, labels or (), info, labels_complete=complete)

    def _pairs(self, tree: Tree, given: Card | None, context: ReadContext) -> tuple[list[Pair], Info]:
        if given is None:
            base = ""
            gatherer = Gatherer(tree, context.source, context.report, self.id, base)
            found, info = False, Info()
        else:
            base = given.place.rpartition("/")[0]
            gatherer = Gatherer(tree, context.source, context.report, self.id, base)
            found, info = _add_splits(tree, given, base, gatherer)
        if not found:
            for split, folders in discover(tree, base).items():
                gatherer.add_folders(folders, split)
        pairs = gatherer.pairs()
        if given is None and not pairs:
            raise LabelglotError("no data.yaml, no images and no label files in it", context.source.where)
        return pairs, info

    def _labels(self, tree: Tree, given: Card | None, context: ReadContext) -> tuple[Label, ...] | None:
        names = given.names if given is not None else None
        if names is None:
            names = _loose_names(tree, context, self.id)
        if names is None:
            return None
        return make_labels([
            self.describe(Label(key=name, name=name, id=number), given) for number, name in card.table(names)
        ])  # fmt: skip

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece | Problem]:
        image = self.image_path(sample, context)
        size = None if sample.units == "relative" else sample.size
        index = context.index
        annotations = sample.annotations or ()
        numbers = self.all_numbers(annotations, size, context)
        spelled = self.spell(annotations, numbers, context)
        columns = as_columns(annotations)
        if columns is not None and columns.only_boxes:
            written = [f"{index[label]} {line}\n" for label, line in zip(columns.labels, spelled, strict=True)]
        else:
            written = [
                f"{index[annotation.label or '']} {line}{'' if annotation.score is None else f' {annotation.score!r}'}\n"
                for annotation, line in zip(annotations, spelled, strict=True)
            ]
        yield File(label_path(image, context.images and sample.image is not None), "".join(written).encode())
        doubtful = annotations and (min(map(min, numbers)) < 0 or max(map(max, numbers)) > 1)
        outside = sum(map(self.refused, numbers)) if doubtful else 0
        if outside:
            yield Problem(
                f"{self.id}.outside",
                f"{outside} objects for which trainers leave the whole image out: they reach too far outside, or their "
                "size is negative" + ("; -o clip=true cuts them" if "clip" in self.WriteOptions.model_fields else ""),
            )

    def refused(self, numbers: Sequence[float]) -> bool:
        """Whether Ultralytics drops the whole image because of this object; asked where a number is no fraction."""
        return max(numbers) > 1 + lines.OUTSIDE or min(numbers) < -lines.OUTSIDE

    def image_path(self, sample: Sample, context: WriteContext) -> str:
        return f"{folder(sample.split, context)}/{sample.path}"

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        more, own = self.task_keys(context)
        folders = {split: folder(split, context) for split in context.splits}
        names = [label.name for label in context.labels]
        yield File("data.yaml", evidence.signature(self.id) + card.write(folders, names, context.info, more, own))


def folder(split: str | None, context: WriteContext) -> str:
    """Where the images of a split lie. A dataset without any splits needs no folder for them."""
    if split is None and context.splits == (None,):
        return "images"
    name = card.UNSPLIT if split is None else split
    return f"images/{name}" if context.options.layout == "ultralytics" else f"{name}/images"


def _add_splits(tree: Tree, given: Card, base: str, gatherer: Gatherer) -> tuple[bool, Info]:
    """Gather what the keys of the YAML name; keys that turned out to be splits leave the extras."""
    from posixpath import normpath

    root = normpath(f"{base}/{given.root}" if base else given.root) if given.root else base
    bases = list(dict.fromkeys([root if root not in (".", "/") and not root.startswith("..") else base, base]))
    others = {key: values for key, values in given.maybe.items() if any(tree.resolve(v, bases, loose=False) for v in values)}
    keys = {**given.splits, **others}
    found = False
    for key in sorted(keys, key=lambda key: (key in given.stand_in, len(keys[key]))):
        split = None if key in given.stand_in else key
        found |= gatherer.add(key, keys[key], bases, split)
    rest = {key: value for key, value in given.info.extra.get(card.OWNER, {}).items() if key not in others}
    return found, given.info.replace(extra={card.OWNER: rest} if rest else {})


_CLASS_LISTS = ("classes.txt", "obj.names", "classes.names")


def _loose_names(tree: Tree, context: ReadContext, format: str) -> dict[int, str] | None:
    """Class names where no YAML has them: ``classes.txt`` (Label Studio, labelImg) or Label Studio's ``notes.json``."""
    found = [path for path in tree.paths if path.rpartition("/")[2] in _CLASS_LISTS]
    if found:
        listed = text_lines(context.source.read(min(found, key=lambda path: (path.count("/"), path))))
        return {number - 1: name for number, name in listed}
    notes = [path for path in tree.paths if path.rpartition("/")[2] == "notes.json"]
    if not notes:
        return None
    try:
        categories = json.load(context.source.read(notes[0]), notes[0], dict[str, Any]).get("categories")
    except LabelglotError as error:
        context.report.problem(f"{format}.notes", error.message, notes[0], action="not used")
        return None
    names = {
        number: item["name"]
        for item in (categories if isinstance(categories, list) else [])
        if isinstance(item, dict) and isinstance(item.get("name"), str) and (number := card.whole(item.get("id"))) is not None
    }
    return names or None


class Decode:
    """Turns an image with its label file into a sample. Carries all it needs to another process."""

    def __init__(self, source: Source, rules: Rules, missing: tuple[Annotation, ...] | None) -> None:
        self.source, self.rules, self.missing = source, rules, missing

    def __call__(self, record: Pair, ordinal: int, report: Report) -> Sample | None:
        data = self._read(record, report)
        return None if data is None else self._decode(record, data, report)

    def in_columns(self, records: Iterable[Pair], ordinal: int, report: Report) -> Iterator[Sample | None]:
        """The same, with the objects in columns where all of them are boxes as usual."""
        filed = with_contents(self.source, records)
        while some := list(islice(filed, READ_TOGETHER)):
            looked_at = iter(look_at(self.source, [pair.image for pair, data in some if data and pair.image is not None]))
            for pair, data in some:
                yield self._columns(pair, data, next(looked_at) if data and pair.image is not None else None, report)

    def _columns(self, pair: Pair, data: bytes | None, image: SourceImage | None, report: Report) -> Sample | None:
        if data is None:
            data = self._read(pair, report)
        if not data:
            return None if data is None else self._decode(pair, data, report)
        if image is None and pair.image is not None:
            image = SourceImage(self.source, pair.image)
        size = None if image is None else image_size(image)
        boxes = lines.boxes(data, self.rules, size)
        if boxes is None:
            return self._decode(pair, data, report)
        return Sample(
            path=pair.path or "", image=image, size=size, units="relative" if size is None else "pixels", splits=pair.splits,
            annotations=boxes.as_annotations(),
        )  # fmt: skip

    def count_objects(self, record: Pair) -> int:
        """How many lines of the label file are not blank."""
        data = None if record.annotation is None else self._read(record, Report())
        return len(list(filter(bytes.strip, data.splitlines()))) if data else 0

    def _decode(self, pair: Pair, data: bytes, report: Report) -> Sample:
        annotations = self.missing if pair.annotation is None else lines.read(data, pair.annotation, self.rules, report)
        return in_pixels(self._sample(pair, annotations))

    def _read(self, pair: Pair, report: Report) -> bytes | None:
        """The label file, ``None`` if it cannot be read."""
        if pair.annotation is None:
            return b""
        try:
            return self.source.read(pair.annotation)
        except LabelglotError as error:
            report.problem("file.unreadable", str(error), pair.annotation, severity="error", action="skipped")
            return None

    def _sample(self, pair: Pair, annotations: tuple[Annotation, ...] | None) -> Sample:
        image = None if pair.image is None else SourceImage(self.source, pair.image)
        return Sample(path=pair.path or "", image=image, units="relative", splits=pair.splits, annotations=annotations)


class Listing:
    """What is known of the images without reading a label file."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self.pairs = pairs

    def __call__(self) -> Iterator[IndexEntry]:
        if isinstance(self.pairs, PairTable):
            paths, splits = self.pairs.identities()
        else:
            paths, splits = [pair.path or "" for pair in self.pairs], [pair.splits for pair in self.pairs]
        none = repeat(None)
        return map(IndexEntry, paths, splits, none, none, none, none)


class Chosen(NamedTuple):
    """A decoder of lines that only needs to look at the line."""

    choose: lines.Choose
    points: tuple[int, int] | None = None

    def __call__(self, line: Line, label: int) -> Found:
        if self.points is not None and lines.keypoints(line, *self.points):
            return lines.pose(line, *self.points, None)
        return self.choose(line)(line)


def fractions(points: Sequence[float], size: tuple[int, int] | None) -> tuple[float, ...]:
    """Points as fractions of the image; they are that already if the size is unknown."""
    return RELATIVE.write_points(tuple(points), size)


def clip_option() -> Any:
    """The write option that cuts objects at the edge of the image."""
    return Field(
        False,
        title="Clip",
        description="cut boxes and polygons at the edge of the image, and leave out what lies outside; each cut is reported",
    )

