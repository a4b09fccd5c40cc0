"""TFRecord files of the TensorFlow Object Detection API: one ``tf.train.Example`` per image, the image inside."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from labelglot.holds import ValueKind
from labelglot.images import PartImage
from labelglot.plugin import (
    Dataset,
    File,
    Format,
    Holds,
    IndexEntry,
    Label,
    LabelglotError,
    LabelHolds,
    Match,
    Naming,
    Options,
    Piece,
    Pieces,
    ReadContext,
    Records,
    Report,
    Sample,
    Source,
    TagHolds,
    WriteContext,
    in_pixels,
    merge_labels,
    under,
)
from labelglot.storage import Packed, packing, random_access
from pydantic import Field, model_validator

from labelglot_tensorflow import example, records
from labelglot_tensorflow.classes import LABEL_MAP, OWNER, Classes, LabelMaps, label_map
from labelglot_tensorflow.features import (
    CORNERS,
    ENCODED,
    FILENAME,
    FLAGS,
    FRACTIONS,
    HEIGHT,
    INDEXED,
    OBJECT,
    SOURCE_ID,
    WIDTH,
    Reading,
    Record,
    classes_in,
    features_of,
    first_text,
    image_name,
    text,
)
from labelglot_tensorflow.settings import find_settings
from labelglot_tensorflow.splits import SHARD, SPLIT_NAMES, split_of, stem_for

SUFFIXES = (".tfrecord", ".tfrecords", ".record")
PATTERNS = tuple(pattern for s in SUFFIXES for pattern in (f"*{s}", f"*{s}-*-of-*", f"*{s}.gz"))
NAMELESS = "data"
"""Name of the file of images without split."""

IMAGE_FOLDERS = ("images", "JPEGImages")
_FLAG: frozenset[ValueKind] = frozenset({"bool"})


class RecordFile(NamedTuple):
    """A file of records. ``classes``: which of the class tables is its own."""

    path: str
    packed: Packed
    split: str | None
    classes: int


class Place(NamedTuple):
    """A record: its file, its number there counted from 1, where its data is, and the image's path if it is not the
    one that follows from the record (names must be unique).
    """

    file: int
    number: int
    offset: int
    length: int
    path: str | None = None


class TfRecord(Format):
    """Records of images with boxes, masks, keypoints and flags; classes in a label map."""

    id = "tfrecord"
    name = "TensorFlow Object Detection API TFRecord"
    aliases: ClassVar[tuple[str, ...]] = ("tf-record", "tf_detection_api")
    url = "https://github.com/tensorflow/models/tree/master/research/object_detection"
    embeds_images = True
    holds = Holds(
        geometry=(frozenset({"box"}), frozenset({"mask"}), frozenset({"keypoints"})),
        required=frozenset({"box"}), boxes=FRACTIONS, points=FRACTIONS, keypoint_visibility="coco",
        labels=LabelHolds(ids="int", ids_required=True, first_id=1, required=False, keypoints=True),
        attributes=frozenset({"int"}),
        flags={**dict.fromkeys(FLAGS, _FLAG), "pose": frozenset({"str"}), "weight": frozenset({"float"})},
        defaults={**dict.fromkeys(FLAGS, False), "pose": "", "weight": 1.0},
        track="int", tags=TagHolds(negative=True, captions="many", score=True),
        sample_ids="str", sample_ids_required=True, splits="any", split_names=SPLIT_NAMES,
        naming=Naming(scope="split"), extra=frozenset({OWNER}),
    )  # fmt: skip
    geometry_bound_extra = frozenset(
        (OWNER, OBJECT + key) for key in ("area", "keypoint/num", "keypoint/z", "keypoint/z/weights", "densepose/num")
    )

    class ReadOptions(Options):
        """Options of the reader."""

        verify: bool = Field(
            True, title="Verify checksums", description="compare the data of each record with its CRC; false: trust it"
        )

    class WriteOptions(Options):
        """Options of the writer."""

        shards: int | None = Field(
            None, ge=1, le=99999, title="Shards", description="number of files for each split, filled evenly in order"
        )
        shard_size: int | None = Field(
            None, ge=1, title="Shard size", description="images in each file of a split, instead of a number of files"
        )

        @model_validator(mode="after")
        def _one_way(self) -> TfRecord.WriteOptions:
            if self.shards is not None and self.shard_size is not None:
                raise ValueError("give either shards or shard_size")
            return self

    def detect(self, source: Source) -> Match | None:
        names = record_files(source)
        seen = first_keys(source, names)
        if seen is None:
            return Match(0.3, f"{names[0]} is an empty record file") if self._all_empty(source, names) else None
        name, keys = seen
        if _is_tfds(source, name):
            return Match(0.3, f"{name} is a record file of TensorFlow Datasets")
        settings = find_settings(source)
        if settings is not None:
            return Match(0.7, f"{name} holds records, but {settings} is for EfficientDet")
        if CORNERS[0] in keys:
            return Match(0.95, f"{name} holds records with {CORNERS[0]}")
        if ENCODED in keys or FILENAME in keys:
            return Match(0.8, f"{name} holds records with {ENCODED if ENCODED in keys else FILENAME}")
        return Match(0.2, f"{name} holds records with other keys ({', '.join(sorted(keys)[:3])})")

    def _all_empty(self, source: Source, names: Sequence[str]) -> bool:
        return bool(names) and not any(source.head(name, 1) for name in names)

    def read(self, context: ReadContext) -> Dataset:
        names = record_files(context.source)
        if not names:
            raise LabelglotError("no record file in it", context.source.where)
        tables, near = self.tables(context, names)
        survey = _Survey([Classes(labels) for labels in tables])
        for name in names:
            self._survey_file(name, near[name], survey, context)
        context.reserve(survey.named(), IMAGE_FOLDERS)
        decoder = _Decoder(self, context, survey.files, survey.classes)
        labels = merge_labels([*tables, list(survey.unlisted.values())])
        return Dataset(Records(survey.places, decoder, lambda: iter(survey.entries)), labels)

    def tables(self, context: ReadContext, names: Sequence[str]) -> tuple[list[Sequence[Label]], Mapping[str, int]]:
        """Class tables, and for each record file which is its own."""
        maps = LabelMaps(context, self.id)
        chosen = {name: maps.near(name) for name in names}
        paths: list[str | None] = list(dict.fromkeys(chosen.values()))
        tables: list[Sequence[Label]] = [() if path is None else maps.found[path] for path in paths]
        return tables, {name: paths.index(path) for name, path in chosen.items()}

    def sample_id(self, written: str) -> int | str | None:
        """The id that ``image/source_id`` stands for, ``None`` if it is none in this format."""
        return written

    def source_id(self, sample: Sample) -> str:
        """The ``image/source_id`` of an image."""
        return str(sample.id)

    def _survey_file(self, name: str, classes: int, survey: _Survey, context: ReadContext) -> None:
        """Find the records of a file, and what the index tells of them."""

        def complain(what: str, message: str, number: int) -> None:
            context.report.problem(
                f"{self.id}.{what}", message, _where(name, number), severity="error", action="skipped with what follows"
            )

        packed = packing_of(context.source, name)
        split = file_split(name)
        survey.files.append(RecordFile(name, packed, split, classes))
        try:
            access = random_access(context.source, name, packed)
        except LabelglotError as error:
            context.report.problem(f"{self.id}.file", str(error), name, severity="error", action="skipped")
            return
        with access.stream as stream:
            for frame in records.frames(stream, access.size, context.options.verify, complain):
                try:
                    features = example.skim(stream, frame.offset, frame.length, INDEXED)
                except LabelglotError:
                    features = {}  # told when the record is decoded
                survey.add(frame, features, missing_name(name, frame.number), split, self, context.report)
        if access.damage:
            context.report.problem(f"{self.id}.file", access.damage, name, severity="error", action="skipped the rest")

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece]:
        record = records.framed(example.encode(features_of(sample, self.source_id(sample), context)))
        stem = stem_for(sample.split, NAMELESS)
        yield Piece(stem, record)
        yield Piece(f"{stem}#lengths", len(record).to_bytes(8, "little"))

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        for split in context.splits or (None,):
            stem = stem_for(split, NAMELESS)
            lengths = b"".join(pieces.stream(f"{stem}#lengths"))
            sizes = [int.from_bytes(lengths[i : i + 8], "little") for i in range(0, len(lengths), 8)]
            yield from self._shards(stem, sizes, pieces.stream(stem), context)
        yield from self.class_files(context)

    def class_files(self, context: WriteContext) -> Iterable[File]:
        """The files that list the classes."""
        yield File(LABEL_MAP, label_map(context.labels))

    def number_of_shards(self, images: int, options: Any) -> int | None:
        """Number of files for a split of so many images; ``None``: one, without number in its name."""
        if options.shard_size is not None:
            return max(1, -(-images // int(options.shard_size)))
        return None if options.shards is None else int(options.shards)

    def _shards(
        self, stem: str, sizes: Sequence[int], stream: Iterator[bytes], context: WriteContext
    ) -> Iterator[File]:
        shards = self.number_of_shards(len(sizes), context.options)
        if shards is None:
            yield File(f"{stem}{SUFFIXES[0]}", stream)
            return
        cut = _Cutter(stream)
        each = context.options.shard_size
        for i in range(shards):
            start, stop = (i * each, (i + 1) * each) if each else (len(sizes) * i // shards, len(sizes) * (i + 1) // shards)
            yield File(f"{stem}-{i:05d}-of-{shards:05d}{SUFFIXES[0]}", cut.take(sum(sizes[start:stop])))

    def image_path(self, sample: Sample, context: WriteContext) -> str | None:
        return None


class _Cutter:
    """Takes a stream of blocks apart, piece after piece, each to be consumed before the next."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self.blocks, self.rest = blocks, b""

    def take(self, size: int) -> Iterator[bytes]:
        while size > 0:
            block = self.rest or next(self.blocks, b"")
            if not block:
                return
            yield block[:size]
            self.rest = block[size:]
            size -= len(block) - len(self.rest)


class _Survey:
    """What the records are, and what their index tells. ``unlisted``: classes that no label map lists, by key."""

    def __init__(self, classes: Sequence[Classes]) -> None:
        self.classes = list(classes)
        self.files: list[RecordFile] = []
        self.places: list[Place] = []
        self.entries: list[IndexEntry] = []
        self.unlisted: dict[str, Label] = {}
        self._taken: set[tuple[str | None, str]] = set()

    def add(
        self, frame: records.Frame, features: Mapping[str, example.Feature], missing: str, split: str | None,
        format: TfRecord, report: Report,
    ) -> None:  # fmt: skip
        """Note a record of the last file."""
        classes = self.classes[self.files[-1].classes]
        objects, others, number = classes_in(features, classes)
        for key, name, value in (*objects, *others):
            if key not in classes.texts and key not in self.unlisted:
                self.unlisted[key] = Label(key=key, name=name or key, id=value or None)
        path = image_name(features, missing).path
        unique = path if (split, path) not in self._taken else self._another(split, path)
        self._taken.add((split, unique))
        if unique != path:
            report.problem(
                f"{format.id}.duplicate", f"another record has an image called {path!r}",
                _where(self.files[-1].path, frame.number), key=path, action=f"called {unique}",
            )  # fmt: skip
        self.places.append(
            Place(len(self.files) - 1, frame.number, frame.offset, frame.length, None if unique == path else unique)
        )
        counts: dict[str, int] = {}
        for key, _, _ in objects:
            counts[key] = counts.get(key, 0) + 1
        splits = () if split is None else (split,)
        size = _declared(features)
        written = first_text(features, SOURCE_ID)
        id_ = format.sample_id(written) if written else None
        self.entries.append(IndexEntry(unique, splits, size, None, number, counts, id_))

    def named(self) -> Iterator[tuple[str, str]]:
        """Folder of the file and path of the image of each record."""
        return (
            (posixpath.dirname(self.files[place.file].path), entry.path)
            for place, entry in zip(self.places, self.entries, strict=True)
        )

    def _another(self, split: str | None, path: str) -> str:
        stem, suffix = posixpath.splitext(path)
        number = 2
        while (split, f"{stem}_{number}{suffix}") in self._taken:
            number += 1
        return f"{stem}_{number}{suffix}"


def _declared(features: Mapping[str, example.Feature]) -> tuple[int, int] | None:
    sides = [features[key].values[0] for key in (WIDTH, HEIGHT) if key in features and features[key].values]
    return (sides[0], sides[1]) if len(sides) == 2 and all(isinstance(s, int) and s > 1 for s in sides) else None


class _Decoder:
    """Makes samples of records. Keeps the file it reads open."""

    def __init__(
        self, format: TfRecord, context: ReadContext, files: Sequence[RecordFile], classes: Sequence[Classes]
    ) -> None:
        self.format, self.context, self.files, self.classes = format, context, files, classes
        self._open: tuple[int, Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": None}

    def __del__(self) -> None:
        if self._open is not None:
            self._open[1].close()

    def _stream(self, file: int) -> Any:
        if self._open is None or self._open[0] != file:
            if self._open is not None:
                self._open[1].close()
                self._open = None
            self._open = (file, random_access(self.context.source, self.files[file].path, self.files[file].packed).stream)
        return self._open[1]

    def __call__(self, record: Place, ordinal: int, report: Report) -> Sample | None:
        file = self.files[record.file]
        how = Reading(self.format.id, _where(file.path, record.number), report, self.classes[file.classes])
        try:
            stream = self._stream(record.file)
            data = records.read_data(stream, record.offset, record.length, self.context.options.verify)
            return self._sample(Record(data, how), record, file, how)
        except (LabelglotError, OSError) as error:
            message = error.message if isinstance(error, LabelglotError) else str(error)
            how.problem("record", message, severity="error", action="skipped")
            return None

    def _sample(self, record: Record, place: Place, file: RecordFile, how: Reading) -> Sample:
        name = record.name(missing_name(file.path, place.number))
        if place.path is not None:
            name = name._replace(path=place.path)
        inside = record.embedded()
        source = self.context.source
        written = record.first(SOURCE_ID, "bytes")
        id_ = self.format.sample_id(text(written)) if written else None
        if written and id_ is None:
            how.problem("source_id", f"{SOURCE_ID} is no whole number", raw=text(written), action="not used")
        sample = record.sample(name, () if file.split is None else (file.split,), id_, record.size(inside))
        if inside is not None:
            start, stop = inside
            image = PartImage(source, file.path, place.offset + start, stop - start, name.path, file.packed)
            return sample.replace(image=image)
        beside = self.context.place(name.uri or name.path, posixpath.dirname(file.path), IMAGE_FOLDERS)
        return in_pixels(sample.replace(image=beside.image))


def record_files(source: Source) -> list[str]:
    """The record files of a source. A file that the user named counts whatever its name."""
    names = list(source.match(*PATTERNS))
    if not names and source.focus is not None:
        names = [source.focus]
    return [name for name in names if _is_ours(source, name)]


def _is_ours(source: Source, name: str) -> bool:
    if name.lower().endswith(SUFFIXES) or SHARD.search(name):
        return True
    return bool(packing_of(source, name)) or records.is_record(source.head(name, records.HEAD))


def packing_of(source: Source, name: str) -> Packed:
    """How a record file is compressed as a whole. The length of a plain record may look like the sign of a packed
    file (376 begins like zlib, 35615 like gzip), so that its check counts first.
    """
    head = source.head(name, records.HEAD)
    return "" if records.is_record(head) else packing(head)


def first_keys(source: Source, names: Sequence[str]) -> tuple[str, frozenset[str]] | None:
    """The first file with a readable record, and the keys of that record; ``None`` if there is no such file."""
    for name in names[:20]:
        try:
            packed = packing_of(source, name)
            if not packed and not records.is_record(source.head(name, records.HEAD)):
                continue
            access = random_access(source, name, packed)
            with access.stream as stream:
                for frame in records.frames(stream, access.size, True, lambda *_: None):
                    return name, example.keys(stream, frame.offset, frame.length)
        except (LabelglotError, OSError):
            continue
    return None


def file_split(name: str) -> str | None:
    """The split a record file stands for: ``train.record``, ``val-00000-of-00032.tfrecord``, ``train/cats.tfrecord``..."""
    folder, _, base = name.rpartition("/")
    base = SHARD.sub("", base.removesuffix(".gz"))
    for suffix in SUFFIXES:
        if base.lower().endswith(suffix):
            base = base[: -len(suffix)]
            break
    return split_of(folder, base)


def missing_name(file: str, number: int) -> str:
    """What an image is called that has neither name nor id."""
    base = SHARD.sub("", posixpath.basename(file)).partition(".")[0] or "image"
    shard = SHARD.search(file)
    return f"{base}_{shard[1]}_{number:06d}" if shard else f"{base}_{number:06d}"


def _where(file: str, number: int) -> str:
    return f"{file}#record {number}"


def _is_tfds(source: Source, name: str) -> bool:
    folder = posixpath.dirname(name)
    return source.exists(under(folder, "dataset_info.json")) and source.exists(under(folder, "features.json"))


