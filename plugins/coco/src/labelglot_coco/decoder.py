"""From the records of a document to samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any, ClassVar, NamedTuple

import msgspec
from labelglot.errors import LabelglotError
from labelglot.images import SourceImage
from labelglot.plugin import Annotation, Columns, ReadContext, Report, Sample, Tag, in_pixels, under
from labelglot.wire import json

from labelglot_coco.annotation import Misfit, decode
from labelglot_coco.layout import image_folders
from labelglot_coco.plain import BoxColumns, Outlines, Plain, decode_plain
from labelglot_coco.records import Image, Opened, Part, PlainImage, Record, image_size_of, plain_images
from labelglot_coco.runs import Texts

_IMAGE = ("id", "file_name", "width", "height", "uri")

BATCH_RECORDS = 50
"""Images whose annotations are decoded together."""

BATCH_BYTES = 1 << 18
"""Bytes of annotations from which on they are decoded without waiting for more."""


class Stretch(NamedTuple):
    """The annotations of one image among those decoded together; ``plain`` is ``None`` if all need a closer look."""

    plain: Plain | None
    start: int
    stop: int

    def objects(self) -> list[Annotation | None]:
        """The objects, ``None`` for each that needs a closer look."""
        return [None] * (self.stop - self.start) if self.plain is None else self.plain.objects(self.start, self.stop)

    def columns(self) -> Columns | None:
        """The same in columns; ``None`` if the objects are not alike."""
        return None if self.plain is None else self.plain.columns(self.start, self.stop)


class Boxed(NamedTuple):
    """The same of annotations of which only class, box and id are known."""

    found: BoxColumns
    keys: Mapping[int | str, str]

    def objects(self) -> list[Annotation | None]:
        return self.found.plain(self.keys).objects(0, len(self.found.marks))

    def columns(self) -> Columns | None:
        return self.found.columns(self.keys)


class Decoder:
    """Turns a record into a sample. ``samples``: how many there are in all.

    ``reads_plain``: annotations are those of plain COCO, so that several can be decoded together; ``leaves_columns``:
    :meth:`decode` adds nothing to objects that are plain.
    """

    reads_plain: ClassVar[bool] = True
    leaves_columns: ClassVar[bool] = True

    def __init__(
        self,
        context: ReadContext,
        opened: Sequence[Opened],
        keypoints: bool,
        repeated: frozenset[str],
        owner: str,
        samples: int,
    ) -> None:
        self.context, self.opened, self.keypoints, self.repeated = context, opened, keypoints, repeated
        self.owner = owner
        self.extras = context.wants_extra(owner)
        self.outlines: Outlines = "read" if context.wants_outlines() else "noted"
        if self.outlines == "read" and self.extras and context.keeps_encoded(owner, samples):
            self.outlines = "kept"

    def __call__(self, record: Record, ordinal: int, report: Report) -> Sample | None:
        return next(self.many([record], ordinal, report))

    def many(self, records: Iterable[Record], ordinal: int, report: Report) -> Iterator[Sample | None]:
        """The samples of several records, some at a time: their annotations are decoded together."""
        return self._samples(records, report, False)

    def in_columns(self, records: Iterable[Record], ordinal: int, report: Report) -> Iterator[Sample | None]:
        """The same, with the objects of an image in columns where they are alike."""
        return self._samples(records, report, self.leaves_columns)

    def _samples(self, records: Iterable[Record], report: Report, columns: bool) -> Iterator[Sample | None]:
        batch: list[Record] = []
        texts: list[bytes] = []
        size = 0
        for record in records:
            mine = [_text(part.annotations) for part in record.parts]
            batch.append(record)
            texts += mine
            size += sum(map(len, mine))
            if size > BATCH_BYTES or len(batch) == BATCH_RECORDS:
                yield from self._batch(batch, texts, report, columns)
                batch, texts, size = [], [], 0
        yield from self._batch(batch, texts, report, columns)

    def _batch(
        self, records: Sequence[Record], texts: Sequence[bytes], report: Report, columns: bool
    ) -> Iterator[Sample | None]:
        plain = self.plain([part for record in records for part in record.parts], texts)
        for record, image in zip(records, _plain_images(records), strict=True):
            yield self.sample(record, image, plain, report, columns)

    def plain(self, parts: Sequence[Part], texts: Sequence[bytes]) -> Iterator[Stretch | Boxed]:
        """For each part the objects of its annotations, as far as they are plain (see :func:`decode_plain`).

        ``texts``: the annotations of each part with commas between them, where they are encoded.
        """
        if not self.reads_plain:
            yield from (Stretch(None, 0, len(part.annotations)) for part in parts)
            return
        made: Plain | None = None
        filled = [part for part, text in zip(parts, texts, strict=True) if text]
        if len({part.document for part in filled}) == 1:
            made = self._plain(b",".join(filter(None, texts)), filled[0].document)
        start = 0
        for part, text in zip(parts, texts, strict=True):
            if isinstance(part.annotations, BoxColumns):
                yield Boxed(part.annotations, self.opened[part.document].classes.keys)
            elif made is None:
                yield Stretch(self._plain(text, part.document), 0, len(part.annotations))
            else:
                stop = start + len(part.annotations)
                yield Stretch(made, start, stop)
                start = stop

    def _plain(self, text: bytes, document: int) -> Plain | None:
        return decode_plain(text, self.opened[document].classes.keys, self.outlines, self.extras)

    def sample(
        self, record: Record, image: PlainImage | None, plain: Iterator[Stretch | Boxed], report: Report, columns: bool
    ) -> Sample | None:
        """The sample of a record. ``image``: its image, if it is plain; ``plain``: for each of its parts what is;
        ``columns``: its objects are left in columns if they are alike.
        """
        document = self.opened[record.parts[0].document]
        path, written = record.path, record.name
        key = path if document.split is None else f"{document.split}:{path}"
        annotations: list[Annotation] = []
        tags: list[Tag] = []
        alike: Columns | None = None
        for part in record.parts:
            found = next(plain)
            if columns and len(record.parts) == 1 and not document.repeated:
                alike = found.columns()
            if alike is None:
                self.decode(part, found.objects(), key, annotations, tags, report)
        size: tuple[int, int] | None
        if image is not None:
            id_, size, uri, extra = image.id, (image.width, image.height), None, image.usual()
        else:
            values: dict[str, Any] = json.load(bytes(record.image), f"{document.path}#images")  # type: ignore[arg-type]
            id_, uri = values["id"], values.get("uri")
            extra = {name: value for name, value in values.items() if name not in _IMAGE}
            size = image_size_of(Image(width=_number(values.get("width")), height=_number(values.get("height"))))
            if size is None and ("width" in values or "height" in values):
                extra["size"] = [values.get("width"), values.get("height")]
        labelled = document.labelled if len(record.parts) == 1 else any(self.opened[p.document].labelled for p in record.parts)
        sample = Sample(
            path=path,
            id=id_,
            image=self._image(written, document),
            uri=uri or (written if written != path else None),
            size=size,
            splits=(document.split,) if document.split is not None else (),
            tags=tuple(tags),
            annotations=(tuple(annotations) if alike is None else alike.as_annotations()) if labelled else None,
            extra={self.owner: extra} if extra else {},
        )
        return in_pixels(sample)

    def decode(
        self, part: Part, plain: Sequence[Annotation | None], key: str, annotations: list[Annotation], tags: list[Tag],
        report: Report,
    ) -> None:  # fmt: skip
        """Add what a document says of an image. ``plain``: its objects, ``None`` for each that needs a closer look."""
        document = self.opened[part.document]
        if not document.repeated and all(plain):
            annotations += plain  # type: ignore[arg-type]
            return
        raws: Sequence[msgspec.Raw | bytes] | Texts
        if isinstance(part.annotations, BoxColumns):
            raws = [part.annotations.odd.get(position, b"") for position in part.places]
        else:
            raws = part.annotations
        for raw, position, quick in zip(raws, part.places, plain, strict=True):
            if quick is not None and not (document.repeated and position in document.repeated):
                annotations.append(quick)
                continue
            place = f"{document.path}#annotations[{position}]"
            try:
                keep = position not in document.repeated
                made = decode(raw, document.classes, self.keypoints, keep, place, report, key)
            except LabelglotError as error:
                code = error.code if isinstance(error, Misfit) else "coco.annotation"
                shown = bytes(raw)[:200].decode("utf-8", "replace")
                report.problem(code, error.message, place, severity="error", key=key, raw=shown, action="skipped")
                continue
            if isinstance(made, Tag):
                tags.append(made)
            else:
                annotations.append(made)

    def _image(self, name: str, document: Opened) -> SourceImage | None:
        images = self.context.images
        if not images.paths:
            return None
        folders = image_folders(document.path, document.split)
        if name in self.repeated:
            # Two splits list this name: a file that lies with no split, or with another one, may be the other's.
            own = folders if document.split is None else [f for f in folders if f.endswith(document.split)]
            found = next((path for f in own if (path := under(f, name)) in images), None)
            return None if found is None else SourceImage(self.context.source, found)
        return self.context.place(name, document.path.rpartition("/")[0], folders).image


def _text(annotations: tuple[msgspec.Raw, ...] | Texts | BoxColumns) -> bytes:
    """Encoded annotations with commas between."""
    if isinstance(annotations, Texts):
        return annotations.joined()
    return b"" if isinstance(annotations, BoxColumns) else b",".join(annotations)


def _plain_images(records: Sequence[Record]) -> Sequence[PlainImage | None]:
    """The images of records; ``None`` for all that are encoded unless all of these are plain, since those of one document
    are alike.
    """
    raws = [record.image for record in records if not isinstance(record.image, PlainImage)]
    found: Iterator[PlainImage | None]
    try:
        found = iter(plain_images(raws))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        found = repeat(None)
    return [record.image if isinstance(record.image, PlainImage) else next(found) for record in records]


def _number(value: Any) -> int | float | None:
    return value if isinstance(value, int | float) and value == value and abs(value) < 1 << 31 else None
