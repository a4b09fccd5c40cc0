"""CrowdHuman ODGT: a JSON object per line and image, with up to three boxes for each person.

The full body, what is visible of it, and the head. One of them is the object's box, the others ride along. The size of
the images stands in a file beside it (``id_hw_train.json``), as [height, width].
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import msgspec
from labelglot.plugin import (
    PIXELS_XYWH,
    Annotation,
    Box,
    Content,
    Document,
    File,
    Holds,
    LabelglotError,
    LabelHolds,
    Match,
    Naming,
    Options,
    Piece,
    Pieces,
    Problem,
    ReadContext,
    Report,
    Sample,
    Source,
    WriteContext,
    decode_objects,
    numbers,
    split_role,
    with_suffix,
)
from labelglot.schema import Attribute
from labelglot.storage import clean_foreign
from labelglot.wire import json
from pydantic import Field

OWNER = "crowdhuman"
BOXES = {"full": "fbox", "visible": "vbox", "head": "hbox"}
IGNORED, PERSON, HEAD = "mask", "person", "head"
FLAGS = {"occ": "occluded", "ignore": "ignore"}
_FIELDS = ("ID", "gtboxes", "file_name")
_OBJECT = ("tag", "fbox", "vbox", "hbox", "extra")
_SPLIT = re.compile(r"^annotations?_(.+)$")


class _Key(msgspec.Struct):
    """What must be known of a line before it is decoded. ``file_name`` is no part of the data set, see the writer."""

    ID: str | int
    file_name: str | None = None


class Lines(NamedTuple):
    """The lines about one image, still encoded, with their numbers. ``stated``: the image's name is written in full."""

    id: str
    name: str
    stated: bool
    lines: tuple[tuple[int, bytes], ...]


class CrowdHuman(Document):
    """Persons in crowds, with full, visible and head boxes."""

    id = "crowdhuman"
    name = "CrowdHuman ODGT"
    aliases = ("odgt",)
    url = "https://www.crowdhuman.org/"
    documents: ClassVar[tuple[str, ...]] = (".odgt",)
    separator = b"\n"
    geometry_bound_extra = frozenset({(OWNER, "boxes")})
    holds = Holds(
        geometry=(frozenset({"box"}),),
        boxes=PIXELS_XYWH,
        labels=LabelHolds(unused=False, order="appearance", names=rf"(?s)(?!{IGNORED}$).+"),
        flags={"occluded": frozenset({"bool"}), "ignore": frozenset({"bool"})},
        splits="any",
        unlabelled=True,
        naming=Naming(unique="stem"),
        extra=frozenset({OWNER}),
    )

    class ReadOptions(Options):
        """Which of the boxes are read."""

        box: Literal["full", "visible", "head"] = Field(
            "full", title="Box", description="which box of a person is the object's; the others ride along"
        )
        heads: bool = Field(
            False, title="Heads", description="read heads as objects of their own as well, in one group with the person"
        )

    class WriteOptions(Options):
        """Which of the boxes are written."""

        box: Literal["full", "visible", "head"] = Field(
            "full", title="Box", description="which box of a person the object's is; the others are those that were read"
        )

    def holds_alone(self, holds: Holds) -> Holds:
        return holds.replace(size=False)

    def detect(self, source: Source) -> Match | None:
        for path in source.match("*.odgt")[:5]:
            first = json.peek(source.head(path, 1 << 14))
            if isinstance(first, dict) and "ID" in first:
                return Match(0.95, f"{path} has a line per image with ID and gtboxes")
            return Match(0.5, f"{path} is called as files of this format are")
        for path in source.match("*.jsonl")[:5] + source.match("*.json")[:5]:
            first = json.peek(source.head(path, 1 << 14))
            if isinstance(first, dict) and {"ID", "gtboxes"} <= first.keys():
                return Match(0.9, f"{path} has a line per image with ID and gtboxes")
        return None

    def inputs(self, context: ReadContext) -> Sequence[tuple[str, str | None]]:
        source = context.source
        found = [source.focus] if source.focus is not None else source.match("*.odgt")
        if not found:
            paths = [*source.match("*.jsonl"), *source.match("*.json")]
            found = [p for p in paths if isinstance(v := json.peek(source.head(p, 1 << 14)), dict) and "gtboxes" in v]
        return [(path, split_of(path)) for path in found]

    def folders(self, path: str, split: str | None) -> Sequence[str]:
        return ("Images", f"Images/{split}", f"CrowdHuman_{split}") if split else ("Images",)

    def parse(self, data: bytes, path: str, context: ReadContext) -> Content:
        found: dict[str, Lines] = {}
        for number, line in enumerate(json.unmark(data).split(b"\n"), 1):
            if not line.strip():
                continue
            place = f"{path}:{number}"
            key = json.load_item(line, _Key, place, context.report, "crowdhuman.line")
            if key is None:
                continue
            name = next(iter(clean_foreign(key.file_name or f"{key.ID}.jpg")), None)
            if name is None:
                context.report.problem(
                    "crowdhuman.line", f"{key.ID!r} names no image", place, severity="error", action="skipped"
                )
                continue
            known = found.get(name)
            if known is not None:
                context.report.problem("crowdhuman.duplicate", f"a second line about {key.ID!r}", place, action="merged")
            lines = (*(known.lines if known is not None else ()), (number, line))
            found[name] = Lines(str(key.ID), name, key.file_name is not None, lines)
        sizes = _sizes(path, context)
        return Content(list(found.values()), shared=sizes, names=list(found))

    def decode(
        self, record: Lines, path: str, split: str | None, shared: Any, context: ReadContext, report: Report
    ) -> Sample | None:
        found = context.place(record.name, path.rpartition("/")[0], self.folders(path, split))
        name = record.name
        if found.image is not None and not record.stated:
            ending = found.image.path[len(with_suffix(found.image.path, "")) :]
            name = with_suffix(name, ending)
        reader = _Reader(context.options, name, report)
        extra: dict[str, Any] = {}
        annotations: list[Annotation] | None = None
        for number, line in record.lines:
            place = f"{path}:{number}"
            entry: dict[str, Any] = json.load(line, place, dict)
            extra.update(json.rest(entry, _FIELDS))
            items = entry.get("gtboxes")
            if isinstance(items, list):
                listed = [(f"{place}.gtboxes[{i}]", item) for i, item in enumerate(items)]
                annotations = [*(annotations or ()), *decode_objects(listed, reader.person, report, "crowdhuman.object", name)]
                if context.options.heads:
                    annotations = reader.with_heads(annotations)
            elif items is not None:
                report.problem("crowdhuman.gtboxes", "the boxes are no list", place, severity="error", key=name, action="skipped")
        return Sample(
            path=name, image=found.image, size=shared.get(record.id), splits=(split,) if split is not None else (),
            annotations=None if annotations is None else tuple(annotations), extra={OWNER: extra} if extra else {},
        )  # fmt: skip

    def document_path(self, split: str | None, context: WriteContext) -> str:
        return context.document(f"annotation_{split}.odgt" if split else "annotation.odgt", per_split=True)

    def image_path(self, sample: Sample, context: WriteContext) -> str | None:
        return f"Images/{sample.path}"

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece | Problem]:
        main = BOXES[context.options.box]
        bags = [a.extra.get(OWNER, {}) for a in sample.annotations or ()]
        if any("main" not in bag and main in bag.get("boxes", {}) for bag in bags):
            message = f"{main} of the source is not written, the box that was read stands in its place"
            yield Problem("crowdhuman.boxes", message, key=sample.key, action="write with the box that was read: -o box=NAME")
        yield from super().encode(sample, context, ordinal)
        if sample.size is not None:
            id_, (width, height) = with_suffix(sample.path, ""), sample.size
            yield Piece(f"{self.document_path(sample.split, context)}#size", json.dump(id_) + b": " + json.dump([height, width]))

    def encode_record(self, sample: Sample, context: WriteContext, ordinal: int) -> bytes:
        """A line. Readers take the image to be ``<ID>.jpg``; where it is not, its name is added."""
        record: dict[str, Any] = {"ID": with_suffix(sample.path, "")}
        if sample.path != f"{record['ID']}.jpg":
            record["file_name"] = sample.path
        if sample.annotations is not None:
            main = BOXES[context.options.box]
            record["gtboxes"] = [_encode(a, context.name(a.label), main) for a in sample.annotations]
        return json.dump({**record, **sample.extra.get(OWNER, {})})

    def frame(self, split: str | None, context: WriteContext) -> tuple[bytes, bytes]:
        return b"", b"\n"

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        yield from super().assemble(context, pieces)
        if context.single is None:
            for split in context.splits or (None,):
                path = self.document_path(split, context)
                if f"{path}#size" in pieces:
                    yield File(_size_path(path), _size_document(pieces.stream(f"{path}#size")))


class _Reader:
    """Takes the boxes of one image."""

    def __init__(self, options: Any, key: str, report: Report) -> None:
        self.main, self.key, self.report = BOXES[options.box], key, report

    def person(self, item: Any) -> Annotation:
        if not isinstance(item, dict):
            raise LabelglotError(f"an object was expected, found {item!r:.40}")
        boxes = {name: numbers(item[name], 4) for name in BOXES.values() if isinstance(item.get(name), list)}
        main = next((name for name in (self.main, *BOXES.values()) if name in boxes), None)
        if main is None:
            raise LabelglotError("it has none of fbox, vbox and hbox")
        if boxes[main][2] <= 0 or boxes[main][3] <= 0:
            self.report.problem("crowdhuman.box-empty", f"{main} {list(boxes[main])} has no area", key=self.key)
        said = item.get("extra")
        if said is not None and not isinstance(said, dict):
            self.report.problem("crowdhuman.extra", "extra is no object", key=self.key, raw=said, action="left out")
            said = None
        attributes = _flags(said)
        extra = json.rest(item, _OBJECT)
        rest = {name: value for name, value in (said or {}).items() if FLAGS.get(name) not in attributes}
        if rest or said == {}:
            extra["extra"] = rest
        tag = item.get("tag", PERSON)
        if tag == IGNORED:
            attributes["ignore"], extra["tag"] = True, IGNORED
        others = {name: item[name] for name in boxes if name != main and (name, boxes[name]) != ("vbox", boxes.get("fbox"))}
        if others:
            extra["boxes"] = others
        if main != self.main:
            extra["main"] = main
        return Annotation(
            label=PERSON if tag == IGNORED else str(tag), box=PIXELS_XYWH.read_box(boxes[main], None),
            attributes=attributes, extra={OWNER: extra} if extra else {},
        )  # fmt: skip

    def with_heads(self, annotations: Sequence[Annotation]) -> list[Annotation]:
        """The persons, each followed by its head."""
        found: list[Annotation] = []
        for number, a in enumerate(annotations):
            bag = a.extra.get(OWNER, {})
            head = bag.get("boxes", {}).get("hbox")
            found.append(a if head is None else a.replace(group=number))
            if head is not None and bag.get("tag") != IGNORED:
                box: Box = PIXELS_XYWH.read_box(numbers(head, 4), None)
                found.append(Annotation(label=HEAD, box=box, group=number, attributes=_flags(bag.get("head_attr"))))
        return found


def _flags(said: Any) -> dict[str, Attribute]:
    """Those of what is said that are a plain yes or no."""
    listed = said.items() if isinstance(said, dict) else ()
    return {FLAGS[name]: bool(value) for name, value in listed if name in FLAGS and type(value) is int and value in (0, 1)}


def _encode(a: Annotation, label: str, main: str) -> dict[str, Any]:
    bag = a.extra.get(OWNER, {})
    main = bag.get("main", main)
    ignored = bag.get("tag") == IGNORED and a.attributes.get("ignore") is True
    boxes = {**bag.get("boxes", {}), main: PIXELS_XYWH.write_box(a.box or (0.0, 0.0, 0.0, 0.0), None)}
    full = boxes.setdefault("fbox", boxes[main])
    boxes.setdefault("vbox", full)
    flags = {key: int(bool(a.attributes[name])) for key, name in FLAGS.items() if name in a.attributes}
    said = bag.get("extra")
    record: dict[str, Any] = {"tag": IGNORED if ignored else label, **boxes}
    if flags or said is not None:
        record["extra"] = {**(said or {}), **flags}
    return {**record, **{key: value for key, value in bag.items() if key not in ("boxes", "main", "tag", "extra")}}


def split_of(path: str) -> str | None:
    """The split in the name of a file (``annotation_train.odgt``)."""
    stem = path.rpartition("/")[2].rpartition(".")[0]
    found = _SPLIT.match(stem)
    return found[1] if found else stem if split_role(stem) is not None else None


def _size_path(path: str) -> str:
    """Where the sizes of a split's images are: ``id_hw_train.json``."""
    split = split_of(path)
    return f"{path.rpartition('/')[0]}/".lstrip("/") + (f"id_hw_{split}.json" if split else "id_hw.json")


def _size_document(stream: Iterator[bytes]) -> Iterator[bytes]:
    yield b"{"
    for block in stream:
        yield block.replace(b"\n", b",\n")
    yield b"}\n"


def _sizes(path: str, context: ReadContext) -> dict[str, tuple[int, int]]:
    """(width, height) by ID, from the file beside the annotations; none if there is no such file."""
    beside = _size_path(path)
    if not context.source.exists(beside):
        return {}
    try:
        listed = json.load(context.source.read(beside), beside, dict[str, Any])
    except LabelglotError as error:
        context.report.problem("crowdhuman.sizes", error.message, error.place or beside, action="sizes left out")
        return {}
    good = {id_: v for id_, v in listed.items() if isinstance(v, list) and len(v) == 2 and all(type(n) is int and 0 < n < 1 << 31 for n in v)}
    if len(good) != len(listed):
        context.report.problem("crowdhuman.sizes", f"{len(listed) - len(good)} sizes are not [height, width]", beside, action="left out")
    return {id_: (width, height) for id_, (height, width) in good.items()}
