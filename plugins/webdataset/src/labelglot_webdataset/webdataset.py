"""WebDataset shards. There is no standard for anything but a class and a text, so ours keep the whole record as JSON.

``KEY.json`` is the canonical record of labelglot with a mark; ``KEY.cls`` (number of the class) and ``KEY.txt`` (caption)
say again what other readers understand. The classes stand in a member that these pass over.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import msgspec
from labelglot.errors import LabelglotError
from labelglot.formats.rows import Classes, RowOptions, RowReader
from labelglot.images import ImageHandle, PartImage, SourceImage, is_image
from labelglot.plugin import (
    EVERYTHING,
    Dataset,
    File,
    Format,
    Info,
    Label,
    Match,
    Options,
    Piece,
    Pieces,
    ReadContext,
    Records,
    Report,
    Sample,
    Source,
    Tag,
    WriteContext,
    image_size,
    split_of_path,
    under,
)
from labelglot.schema import from_plain, to_plain
from labelglot.schema.canonical import VERSION
from labelglot.wire import json
from labelglot.wire.text import lines
from pydantic import Field

from labelglot_webdataset.shards import (
    END,
    HEADER,
    SHARDS,
    Member,
    first_names,
    key_of,
    looks_grouped,
    members,
    packed_member,
    take,
    together,
)

MARK = "labelglot"
CLASSES = ("cls", "cls2", "class")
TEXTS = ("txt", "text", "caption", "transcript")
JSONS = ("json", "jsn")
UNSPLIT = "data"


class Entry(NamedTuple):
    """A sample of a shard: its key, its path if no record says it, its files, its split."""

    key: str
    path: str
    members: tuple[Member, ...]
    split: str | None


class Webdataset(Format):
    """Everything, in the record of each sample."""

    id = "webdataset"
    name = "WebDataset (tar shards)"
    url = "https://github.com/webdataset/webdataset"
    documents = (".tar",)
    embeds_images = True
    holds = EVERYTHING.replace(split_names=None)

    class ReadOptions(RowOptions):
        """What the JSON of other tools means."""

        objects_field: str = Field(
            "", title="Objects", description="field of the JSON with the objects; by default `objects` or `boxes`"
        )
        caption_field: str = Field("caption", title="Caption", description="field of the JSON with a caption")

    class WriteOptions(Options):
        """How samples are cut into shards."""

        shard_size: int = Field(
            10_000, gt=0, title="Shard size", description="images in a shard at the most; a file you name is one shard"
        )

    def detect(self, source: Source) -> Match | None:
        if source.kind == "tar":
            files = source.files()[:60]
            if source.exists(HEADER):
                return Match(0.97, "a shard that labelglot wrote")
            labelled = any((part := key_of(name)) is not None and part[1] in CLASSES for name in files)
            return Match(0.8 if labelled else 0.5, "members come in groups of one name") if looks_grouped(files) else None
        for shard in source.match(*SHARDS)[:5]:
            names = first_names(source, shard)
            if HEADER in names:
                return Match(0.97, f"{shard} is a shard that labelglot wrote")
            if looks_grouped(names):
                return Match(0.8, f"the members of {shard} come in groups of one name")
        return None

    def read(self, context: ReadContext) -> Dataset:
        source, report = context.source, context.report
        header: Mapping[str, Any] = {}
        entries: list[Entry] = []
        taken: set[tuple[str | None, str]] = set()
        for shard, split, found in _shards(source, report):
            for name, member in found:
                if name == HEADER and not header:
                    header = _header(member, source, report)
            samples, apart, repeated = together(found)
            if apart:
                message = f"the files of {len(apart)} samples do not lie together ({apart[0]})"
                report.problem("webdataset.order", message, shard, action="joined; readers of WebDataset see several samples")
            for name in repeated:
                message = "the sample has a file of this kind already"
                report.problem("webdataset.repeated", message, shard, severity="error", raw=name, action="skipped")
            for key, listed in samples.items():
                image = _picture(listed)
                path = key if image is None else f"{key}.{image.extension}"
                if (split, path) in taken:
                    path = under(shard.rpartition("/")[2].partition(".")[0] or "shard", path)
                taken.add((split, path))
                entries.append(Entry(key, path, tuple(listed), split))
        labels = _labels(header, report)
        info = _info(header, report)
        dataset = Dataset(Records(entries, _Decode(source, context.options, _class_names(source))), labels, info)
        return dataset if header else dataset.replace(labels_complete=False)

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[Piece]:
        key = f"{ordinal:09d}"
        record = {MARK: VERSION, **to_plain(sample)}
        files = {"json": msgspec.json.encode(record, order="sorted")}
        label = next((tag.label for tag in sample.tags if tag.label is not None and not tag.negative), None)
        text = next((tag.text for tag in sample.tags if tag.text is not None), None)
        if label is not None and label in context.index:
            files["cls"] = str(context.index[label]).encode()
        if text is not None:
            files["txt"] = text.encode("utf-8", "replace")
        if context.images and sample.image is not None:
            files[_suffix(sample.path)] = sample.image.read()
        data = b"".join(packed_member(f"{key}.{extension}", content) for extension, content in sorted(files.items()))
        stem = _stem(sample.split)
        yield Piece(f"{stem}#files", data)
        yield Piece(f"{stem}#sizes", struct.pack(">Q", len(data)))

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        header = {MARK: VERSION, "info": to_plain(context.info), "labels": [to_plain(each) for each in context.labels]}
        first = packed_member(HEADER, msgspec.json.encode(header))
        stems = list(dict.fromkeys(map(_stem, context.splits))) or [UNSPLIT]
        for stem in stems:
            sizes = [size for (size,) in struct.iter_unpack(">Q", b"".join(pieces.stream(f"{stem}#sizes")))]
            alone = len(stems) == 1 and context.single is not None
            step = max(1, len(sizes)) if alone else context.options.shard_size
            stream, rest = pieces.stream(f"{stem}#files"), list[bytes]()
            for number, start in enumerate(range(0, max(1, len(sizes)), step)):
                name = f"{stem}-{number:06d}.tar"
                path = context.document(name, per_split=True) if alone else name
                yield File(path, _shard(first, take(stream, rest, sum(sizes[start : start + step]))))


class _Decode:
    """Makes a sample of the files of an entry."""

    def __init__(self, source: Source, options: Webdataset.ReadOptions, names: Mapping[int, str]) -> None:
        self.source, self.options, self.names = source, options, names

    @cached_property
    def reader(self) -> RowReader:
        """What understands the JSON of other tools."""
        return RowReader("webdataset", Classes(self.names), self.options, (self.options.caption_field, "objects", "boxes"))

    def __getstate__(self) -> dict[str, Any]:
        return {"source": self.source, "options": self.options, "names": self.names}

    def __call__(self, record: Entry, ordinal: int, report: Report) -> Sample | None:
        picture = _picture(record.members)
        image = None if picture is None else _image(picture, record, self.source)
        place = f"{record.members[0].path}#{record.key}" if record.members[0].offset >= 0 else record.key
        try:
            row = self._json(record, place)
        except LabelglotError as error:
            report.problem("webdataset.json", error.message, error.place or place, severity="error", action="not read")
            row = {}
        if MARK in row:
            try:
                sample = from_plain({name: value for name, value in row.items() if name != MARK}, Sample)
            except (LabelglotError, RecursionError) as error:
                report.problem("webdataset.record", str(error), place, severity="error", action="skipped")
                return None
            return sample.replace(image=image)
        return self._foreign(record, row, image, place, report)

    def _json(self, record: Entry, place: str) -> dict[str, Any]:
        member = next((each for each in record.members if each.extension.removesuffix(".gz") in JSONS), None)
        return {} if member is None else json.load(member.read(self.source), f"{place}.json", dict)

    def _foreign(
        self, record: Entry, row: dict[str, Any], image: ImageHandle | None, place: str, report: Report
    ) -> Sample:
        """A sample of another tool: a class, captions, and JSON of any shape."""
        options = self.options
        name = options.objects_field or next((n for n in ("objects", "boxes") if n in row), "objects")
        objects = row.pop(name, None)
        caption = row.pop(options.caption_field, None)
        size = None if image is None else image_size(image)
        fields = self.reader.fields({**row, "objects": objects}, size, place, record.path, report)
        tags: list[Tag] = list(fields.pop("tags"))
        texts = [caption] if isinstance(caption, str) and caption else []
        unread = []
        for member in record.members:
            kind = member.extension.removesuffix(".gz")
            if kind in CLASSES[:1]:
                tags += self._class(member, place, report)
            elif kind in TEXTS:
                texts.append(self._text(member, place, report))
            elif kind not in JSONS and not (image is not None and member == _picture(record.members)):
                unread.append(member.extension)
        if unread:
            message = f"nothing is made of the files {', '.join(unread)}"
            report.problem("webdataset.member", message, place, key=record.path, action="not read")
        tags += [Tag(text=text) for text in dict.fromkeys(texts) if text]
        if objects is None:
            fields["annotations"] = None if not tags else ()
        return Sample(
            path=record.path, image=image, splits=(record.split,) if record.split else (), tags=tuple(tags),
            **fields,
        )  # fmt: skip

    def _class(self, member: Member, place: str, report: Report) -> Iterator[Tag]:
        text = self._text(member, place, report)
        if text.isdecimal() and len(text) < 10:
            yield Tag(label=self.names.get(int(text), text))
        elif text and text != "-1":
            yield Tag(label=text)

    def _text(self, member: Member, place: str, report: Report) -> str:
        try:
            return member.read(self.source).decode("utf-8-sig", "replace").strip()
        except LabelglotError as error:
            report.problem("webdataset.member", error.message, f"{place}.{member.extension}", action="not read")
            return ""


Shard = tuple[str, str | None, list[tuple[str, Member]]]


def _shards(source: Source, report: Report) -> Iterator[Shard]:
    """Each shard with its split and its members. An archive that was opened as such is one shard."""
    if source.kind == "tar":
        name = source.where.replace("\\", "/").rpartition("/")[2]
        yield name, _split_of(name), [(path, Member("", path)) for path in source.files()]
        return
    shards = source.match(*SHARDS)
    if not shards:
        raise LabelglotError("no tar file in it", source.where)
    for shard in shards:
        found: list[tuple[str, Member]] = []
        try:
            for each in members(source, shard):
                found.append(each)
        except LabelglotError as error:
            report.problem(
                "webdataset.shard", error.message, error.place or shard, severity="error", action="read as far as it goes"
            )
        yield shard, _split_of(shard), found


def _split_of(shard: str) -> str | None:
    folder, _, base = shard.rpartition("/")
    stem = re.sub(r"[-_.]?\d+$", "", base.partition(".")[0])
    return split_of_path(under(folder, stem))


def _picture(listed: Sequence[Member]) -> Member | None:
    """The image of a sample: the first whose extension is that of an image and nothing more (not ``seg.png``)."""
    return next((m for m in listed if "." not in m.extension and is_image(f"x.{m.extension}")), None)


def _image(member: Member, record: Entry, source: Source) -> ImageHandle:
    if member.offset < 0:
        return SourceImage(source, member.path)
    return PartImage(source, member.path, member.offset, member.length, record.path, member.packed)


def _header(member: Member, source: Source, report: Report) -> Mapping[str, Any]:
    try:
        found: dict[str, Any] = json.load(member.read(source), HEADER, dict)
    except LabelglotError as error:
        report.problem("webdataset.header", error.message, error.place, severity="error", action="not used")
        return {}
    return found


def _labels(header: Mapping[str, Any], report: Report) -> list[Label]:
    listed = header.get("labels", [])
    try:
        return [from_plain(each, Label) for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    except LabelglotError as error:
        report.problem("webdataset.header", error.message, HEADER, severity="error", action="not used")
        return []


def _info(header: Mapping[str, Any], report: Report) -> Info:
    try:
        return from_plain(header.get("info", {}), Info)
    except LabelglotError as error:
        report.problem("webdataset.header", error.message, HEADER, severity="error", action="not used")
        return Info()


def _class_names(source: Source) -> dict[int, str]:
    """Names beside the shards, one per line."""
    name = "classes.txt"
    return dict(enumerate(line for _, line in lines(source.read(name)))) if source.exists(name) else {}


def _stem(split: str | None) -> str:
    """Name of the shards of a split; splits whose names come out the same share theirs, the records tell."""
    return UNSPLIT if split is None else re.sub(r"[^\w-]", "_", split)[:60] or UNSPLIT


def _suffix(path: str) -> str:
    suffix = path.rpartition(".")[2].lower() if is_image(path) else "jpg"
    return "jpg" if suffix == "jpeg" else suffix


def _shard(first: bytes, content: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from content
    yield END


__all__ = ["Webdataset"]
