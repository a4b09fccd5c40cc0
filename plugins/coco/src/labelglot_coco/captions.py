"""COCO captions: a document of images and of free texts about them, several for each image, in the order given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, ClassVar

import msgspec
from labelglot.plugin import (
    ANY_VALUE,
    Annotation,
    File,
    Holds,
    IndexEntry,
    Info,
    Label,
    LabelHolds,
    Match,
    Naming,
    Options,
    Piece,
    Pieces,
    ReadContext,
    Report,
    Sample,
    Source,
    Tag,
    TagHolds,
    WriteContext,
)
from labelglot.wire import json
from pydantic import Field

from labelglot_coco.annotation import OWNER, plain_attributes
from labelglot_coco.coco import Coco, encode_image
from labelglot_coco.decoder import Decoder
from labelglot_coco.info import encode_head
from labelglot_coco.layout import Kind, heads, kind_of
from labelglot_coco.records import Opened, Part, Record

ID = "coco-captions"
NUMBER = b"\0"
"""Stands for the id of a caption that has none, until all captions are counted; JSON holds no such byte."""


class _Caption(msgspec.Struct, gc=False):
    caption: str
    score: float | None = None
    attributes: dict[str, Any] | None = None


_FIELDS = ("image_id", "caption", "score", "attributes")


class CocoCaptions(Coco):
    """COCO captions."""

    reads_plain: ClassVar[bool] = False
    takes_encoded: ClassVar[frozenset[str]] = frozenset()
    takes_columns: ClassVar[bool] = False
    id = ID
    name = "COCO captions JSON"
    aliases: ClassVar[tuple[str, ...]] = ("captions",)
    url = "https://cocodataset.org/#captions-2015"
    task = "captions"
    kinds: ClassVar[tuple[Kind, ...]] = ("captions",)
    geometry_bound_extra = frozenset()
    computed_extra = frozenset()
    holds = Holds(
        labels=LabelHolds(table=False),
        tags=TagHolds(labels="none", captions="many", score=True, attributes=ANY_VALUE),
        sample_ids="int",
        sample_ids_required=True,
        uri=True,
        splits="any",
        naming=Naming(scope="split"),
        info=Coco.holds.info,
        extra=frozenset({OWNER, ID}),
    )

    class ReadOptions(Options):
        """Options of the captions reader."""

    class WriteOptions(Options):
        """Options of the captions writer."""

        indent: bool = Field(False, description="one record per line, for people who read the file")

    def detect(self, source: Source) -> Match | None:
        for path, seen in heads(source):
            if kind_of(source, path, seen) == "captions":
                return Match(0.95, f"{path} has images and annotations with captions")
        return None

    def _labels(self, raw: msgspec.Raw | None, path: str, report: Report) -> tuple[Label, ...]:
        return ()

    def _table(self, labels: tuple[Label, ...], records: Sequence[Record], context: ReadContext) -> tuple[Label, ...]:
        return ()

    def _info(self, top: Mapping[str, msgspec.Raw], path: str) -> Info:
        """With the categories, which say nothing here: some tools write an empty list."""
        info = super()._info(top, path)
        if "categories" not in top:
            return info
        return info.replace(extra={**info.extra, ID: {"categories": json.load(bytes(top["categories"]), path)}})

    def _entry(self, entry: IndexEntry) -> IndexEntry:
        return entry._replace(annotations=0)

    def _decoder(self, context: ReadContext, opened: Sequence[Opened], repeated: frozenset[str], samples: int) -> Decoder:
        return _Decoder(context, opened, False, repeated, OWNER, samples)

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece]:
        path = self.document_path(sample.split, context)
        yield Piece(f"{path}#images", json.dump(encode_image(sample, OWNER)))
        separator = b",\n" if context.options.indent else b","
        yield Piece(f"{path}#annotations", separator.join(_encode(tag, sample.id) for tag in sample.tags))
        ids = [tag.extra[ID]["id"] for tag in sample.tags if "id" in tag.extra.get(ID, {})]
        yield Piece(f"{path}#ids", b",".join(b"%d" % id_ for id_ in ids if type(id_) is int))

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        for path in dict.fromkeys(self.document_path(split, context) for split in context.splits or (None,)):
            yield File(path, self._document(path, context, pieces))

    def _document(self, path: str, context: WriteContext, pieces: Pieces) -> Iterator[bytes]:
        line = b"\n" if context.options.indent else b""
        fields = {**encode_head(context.info, OWNER), **context.info.extra.get(ID, {})}
        yield b"{" + b"".join(json.dump(name) + b":" + json.dump(value) + b"," + line for name, value in fields.items())
        yield b'"images":[' + line
        yield from pieces.stream(f"{path}#images")
        yield b"]," + line + b'"annotations":[' + line
        given = b"".join(pieces.stream(f"{path}#ids"))
        free = count(1 + max(map(int, given.split(b",")), default=0) if given else 1)
        for block in pieces.stream(f"{path}#annotations"):
            start, *rest = block.split(NUMBER)
            yield start + b"".join(b"%d" % next(free) + part for part in rest)
        yield b"]}\n"


class _Decoder(Decoder):
    reads_plain: ClassVar[bool] = False

    def decode(
        self, part: Part, plain: Sequence[Annotation | None], key: str, annotations: list[Annotation], tags: list[Tag],
        report: Report,
    ) -> None:  # fmt: skip
        """Add the captions a document has of an image."""
        document = self.opened[part.document]
        raws: Iterable[Any] = part.annotations
        for raw, position in zip(raws, part.places, strict=True):
            place = f"{document.path}#annotations[{position}]"
            found = json.load_item(raw, _Caption, place, report, f"{ID}.annotation")
            if found is None:
                continue
            values: dict[str, Any] = json.load(bytes(raw), place)
            extra = json.rest(values, _FIELDS)
            if document.numbered:
                extra.pop("id", None)
            attributes = plain_attributes(found.attributes or {}, extra)
            if found.attributes == {}:
                extra["attributes"] = {}
            tags.append(
                Tag(text=found.caption, score=found.score, attributes=attributes, extra={ID: extra} if extra else {})
            )


def _encode(tag: Tag, image_id: Any) -> bytes:
    extra = tag.extra.get(ID, {})
    record: dict[str, Any] = {"image_id": image_id, "caption": tag.text}
    if tag.score is not None:
        record["score"] = tag.score
    if tag.attributes or "attributes" in extra:
        record["attributes"] = {**tag.attributes, **extra.get("attributes", {})}
    rest = json.dump({**record, **{name: value for name, value in extra.items() if name not in (*record, "id")}})
    id_ = json.dump(extra["id"]) if "id" in extra else NUMBER
    return b'{"id":' + id_ + b"," + rest[1:]
