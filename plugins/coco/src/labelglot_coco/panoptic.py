"""COCO panoptic: per split a document, and beside it a folder of its name with one picture of segment ids per image.

The id of a pixel's segment is red + 256 green + 65536 blue; 0 is void. Masks come from the picture alone: area and box
of a segment follow from it and are only compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from labelglot import geometry as g
from labelglot.images import SourceImage, encode_rgb
from labelglot.images.probe import MAX_PIXELS, decode
from labelglot.plugin import (
    ANY_VALUE,
    Annotation,
    Box,
    File,
    Holds,
    IndexEntry,
    Label,
    LabelglotError,
    Mask,
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
    WriteContext,
    with_suffix,
)
from labelglot.wire import json
from labelglot.wire.rle import read_color, write_color
from pydantic import Field

from labelglot_coco.annotation import plain_attributes
from labelglot_coco.coco import Coco, category_ids, encode_image
from labelglot_coco.decoder import Boxed, Decoder, Stretch
from labelglot_coco.layout import Kind, heads, kind_of
from labelglot_coco.records import Opened, Part, PlainImage, Record

if TYPE_CHECKING:
    import numpy.typing as npt

ID = "coco-panoptic"
HIGHEST = (1 << 24) - 1


class _Entry(msgspec.Struct, gc=False):
    segments_info: list[Any]
    file_name: str | None = None
    filename: str | None = None


class _Segment(msgspec.Struct, gc=False):
    id: int
    category_id: int | str
    area: int | float | None = None
    bbox: tuple[float, float, float, float] | None = None
    iscrowd: int | bool | None = None
    score: float | None = None
    attributes: dict[str, Any] | None = None


_FIELDS = ("category_id", "area", "bbox", "iscrowd", "score", "attributes")


class CocoPanoptic(Coco):
    """COCO panoptic segmentation."""

    reads_plain: ClassVar[bool] = False
    takes_encoded: ClassVar[frozenset[str]] = frozenset()
    takes_columns: ClassVar[bool] = False
    id = ID
    name = "COCO panoptic JSON and PNG"
    aliases: ClassVar[tuple[str, ...]] = ("panoptic",)
    url = "https://cocodataset.org/#panoptic-2020"
    documents = ()
    task = "panoptic"
    owner = ID
    kinds: ClassVar[tuple[Kind, ...]] = ("panoptic",)
    geometry_bound_extra = frozenset()
    computed_extra = frozenset({(ID, "id")})
    holds = Holds(
        geometry=(frozenset({"mask"}),),
        overlap=False,
        labels=Coco.holds.labels.replace(required=True, color=True),
        attributes=ANY_VALUE,
        flags={"crowd": frozenset({"bool"})},
        defaults={"crowd": False},
        score=True,
        sample_ids="int",
        sample_ids_required=True,
        uri=True,
        splits="any",
        naming=Naming(unique="stem", scope="split"),
        info=Coco.holds.info,
        extra=frozenset({ID}),
    )

    class ReadOptions(Options):
        """Options of the panoptic reader."""

    class WriteOptions(Options):
        """Options of the panoptic writer."""

        contiguous: bool = Field(False, description="number categories 1, 2, 3... instead of keeping their ids")
        indent: bool = Field(False, description="one record per line, for people who read the file")

    def detect(self, source: Source) -> Match | None:
        for path, seen in heads(source):
            if kind_of(source, path, seen) == "panoptic":
                return Match(0.95, f"{path} has annotations with segments_info")
        return None

    def _table(self, labels: tuple[Label, ...], records: Sequence[Record], context: ReadContext) -> tuple[Label, ...]:
        return labels

    def _entry(self, entry: IndexEntry) -> IndexEntry:
        return entry._replace(annotations=None)

    def _decoder(self, context: ReadContext, opened: Sequence[Opened], repeated: frozenset[str], samples: int) -> Decoder:
        return _Decoder(context, opened, False, repeated, ID, samples)

    def _label(self, key: str, name: str, category: dict[str, Any], place: str, report: Report) -> Label:
        """Classes are things unless told otherwise; some tools say of all classes that they are not."""
        label = super()._label(key, name, category, place, report)
        extra: dict[str, Any] = {"isthing": None, **label.extra.get(ID, {})}
        if extra["isthing"] == 1:
            del extra["isthing"]
        color = read_color(extra.get("color"))
        if color is not None:
            del extra["color"]
            label = label.replace(color=color)
        return label.replace(extra={ID: extra} if extra else {})

    def _encode_label(self, label: Label, id_: int) -> dict[str, Any]:
        record = {"isthing": 1, **super()._encode_label(label, id_)}
        if record["isthing"] is None:
            del record["isthing"]
        if label.color is not None:
            record["color"] = write_color(label.color)
        return record

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece]:
        path = self.document_path(sample.split, context)
        yield Piece(f"{path}#images", json.dump(encode_image(sample, ID)))
        annotations = sample.annotations or ()
        masks = [a.shape for a in annotations if isinstance(a.shape, Mask)]
        size = sample.size or next(((mask.width, mask.height) for mask in masks), None)
        if size is None:
            return
        name = with_suffix(sample.path, ".png")
        ids = _free_ids(annotations)
        yield File(f"{with_suffix(path, '')}/{name}", _picture(masks, ids, *size))
        labels = category_ids(context)
        segments = [
            _encode(a, mask, id_, labels[a.label or ""]) for a, mask, id_ in zip(annotations, masks, ids, strict=True)
        ]
        record = {"image_id": sample.id, "file_name": name, "segments_info": segments}
        yield Piece(f"{path}#annotations", json.dump(record))

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        for path in dict.fromkeys(self.document_path(split, context) for split in context.splits or (None,)):
            yield File(path, self._document(path, context, pieces))


class _Decoder(Decoder):
    reads_plain: ClassVar[bool] = False

    def sample(
        self, record: Record, image: PlainImage | None, plain: Iterator[Stretch | Boxed], report: Report, columns: bool
    ) -> Sample | None:
        sample = super().sample(record, image, plain, report, columns)
        size = None if sample is None else sample.size
        for a in (sample.annotations if sample is not None else None) or ():
            if size is not None and isinstance(a.shape, Mask) and (a.shape.width, a.shape.height) != size:
                message = f"the picture is {a.shape.width} x {a.shape.height}, the image {size[0]} x {size[1]}"
                report.problem(f"{ID}.size", message, self.opened[record.parts[0].document].path, key=record.path)
                break
        return sample

    def decode(
        self, part: Part, plain: Sequence[Annotation | None], key: str, annotations: list[Annotation], tags: list[Tag],
        report: Report,
    ) -> None:  # fmt: skip
        """Add the segments of an image, which the document describes and the picture shows."""
        document = self.opened[part.document]
        for raw, position in zip(part.annotations, part.places, strict=True):
            place = f"{document.path}#annotations[{position}]"
            entry = json.load_item(raw, _Entry, place, report, f"{ID}.annotation")
            if entry is None:
                continue
            segments: list[tuple[_Segment, dict[str, Any], str]] = []
            for number, values in enumerate(entry.segments_info):
                at = f"{place}.segments_info[{number}]"
                segment = json.load_item(values, _Segment, at, report, f"{ID}.segment")
                if segment is not None:
                    segments.append((segment, values, at))
            picture = self._picture(entry, segments, document, place, key, report)
            annotations += self._segments(segments, picture, document, key, report)

    def _segments(
        self, segments: Sequence[tuple[_Segment, dict[str, Any], str]], picture: Any, document: Opened, key: str,
        report: Report,
    ) -> Iterator[Annotation]:  # fmt: skip
        taken: set[int] = set()
        for segment, values, place in segments:
            label = document.classes.keys.get(segment.category_id)
            wrong = None
            if label is None:
                wrong = "category", f"category {segment.category_id!r} is not declared in categories"
            elif segment.id in taken or not 0 < segment.id <= HIGHEST:
                wrong = "id", f"segment id {segment.id} is " + ("given twice" if segment.id in taken else "no colour")
            if wrong is not None:
                report.problem(
                    f"{ID}.{wrong[0]}", wrong[1], place, severity="error", key=key, raw=values, action="skipped"
                )
                continue
            taken.add(segment.id)
            shape = None if picture is None else _mask(picture, segment, place, key, report)
            extra = json.rest(values, _FIELDS)
            attributes = plain_attributes(segment.attributes or {}, extra)
            if segment.iscrowd:
                attributes["crowd"] = True
            yield Annotation(
                label=label, shape=shape, box=_box(segment) if shape is None else None, score=segment.score,
                attributes=attributes, extra={ID: extra},
            )  # fmt: skip

    def _picture(
        self, entry: _Entry, segments: Sequence[tuple[_Segment, Any, str]], document: Opened, place: str, key: str,
        report: Report,
    ) -> npt.NDArray[Any] | None:  # fmt: skip
        """The segment id of each pixel; ``None`` if the picture is not there or broken."""
        import numpy as np

        name = entry.file_name or entry.filename or ""
        path = self._find(name, document.path)
        if path is None:
            report.problem(
                f"{ID}.picture", f"the picture {name!r} is not there", place, key=key, action="boxes read, without masks"
            )
            return None
        wanted = {segment.id for segment, _, _ in segments}
        try:
            picture, odd = segment_ids(self.context.source.read(path), wanted)
        except LabelglotError as error:
            report.problem(f"{ID}.picture", error.message, path, key=key, action="boxes read, without masks")
            return None
        if odd:
            report.problem(f"{ID}.channels", f"the picture is {odd}, expected RGB", path, key=key, action="ids read from it")
        unknown = sorted(set(np.unique(picture).tolist()) - wanted - {0})
        if unknown:
            message = f"segments {', '.join(map(str, unknown[:5]))} are in the picture but not in segments_info"
            report.problem(f"{ID}.unknown-segment", message, path, key=key, action="taken for void")
        return picture

    def _find(self, name: str, document: str) -> str | None:
        """The picture of a name; some documents name the image instead."""
        source = self.context.source
        folder, masks = document.rpartition("/")[0], with_suffix(document, "")
        for candidate in dict.fromkeys((name, with_suffix(name, ".png"))):
            for place in (masks, folder, f"{folder}/panoptic"):
                path = f"{place}/{candidate}".lstrip("/")
                if candidate.endswith(".png") and source.exists(path):
                    return path
        return None

    def _image(self, name: str, document: Opened) -> SourceImage | None:
        """The image file; never a picture of segments, though it has the same stem."""
        found = super()._image(name, document)
        masks = [with_suffix(each.path, "") + "/" for each in self.opened]
        return None if found is not None and found.path.startswith(tuple(masks)) else found


def segment_ids(data: bytes, wanted: set[int]) -> tuple[npt.NDArray[Any], str | None]:
    """The segment id of each pixel of a picture, and what is odd about the file (``None`` for RGB).

    One channel is taken as ids; so are the indices of a palette, unless its colours are the ids in ``wanted``.
    """
    import numpy as np

    image = decode(data)
    odd = None if image.mode in ("RGB", "RGBA") else f"of mode {image.mode}"
    values: Any = np.asarray(image)
    if image.mode == "P":
        coloured = _from_colours(np.asarray(image.convert("RGB")))
        return (coloured if wanted <= set(np.unique(coloured).tolist()) else values.astype(np.uint32)), odd
    if values.ndim == 2:
        return values.astype(np.uint32), odd
    if values.shape[2] < 3:
        return values[:, :, 0].astype(np.uint32), odd
    return _from_colours(values), odd


def _from_colours(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    import numpy as np

    wide: npt.NDArray[Any] = values.astype(np.uint32)
    picture: npt.NDArray[Any] = wide[:, :, 0] + (wide[:, :, 1] << 8) + (wide[:, :, 2] << 16)
    return picture


def _mask(picture: npt.NDArray[Any], segment: _Segment, place: str, key: str, report: Report) -> Mask:
    height, width = picture.shape
    counts = g.from_bitmap(picture == segment.id)
    area, bounds = g.mask_area(counts), g.mask_bounds(counts, height)
    if not area:
        report.problem(f"{ID}.empty", f"segment {segment.id} has no pixel in the picture", place, key=key)
    elif segment.area is not None and segment.area != area:
        report.problem(f"{ID}.area", f"area is {segment.area}, the picture has {area} pixels", place, severity="info", key=key)
    if bounds is not None and segment.bbox is not None and _box(segment) != bounds:
        report.problem(
            f"{ID}.bbox", "bbox is not that of the pixels", place, severity="info", key=key, action="follows from the pixels"
        )
    return Mask(width=width, height=height, rle=g.encode_string(counts))


def _box(segment: _Segment) -> Box | None:
    if segment.bbox is None:
        return None
    x, y, w, h = segment.bbox
    return (x, y, x + w, y + h)


def _free_ids(annotations: Sequence[Annotation]) -> list[int]:
    """A number for each segment of an image: its own if it has a good one, else the next free one."""
    given = [a.extra.get(ID, {}).get("id") for a in annotations]
    taken: set[int] = set()
    ids: list[int | None] = []
    for id_ in given:
        good = type(id_) is int and 0 < id_ <= HIGHEST and id_ not in taken
        ids.append(id_ if good else None)
        taken.update((id_,) if good else ())
    free = (id_ for id_ in range(1, HIGHEST + 1) if id_ not in taken)
    return [next(free) if id_ is None else id_ for id_ in ids]


def _picture(masks: Sequence[Mask], ids: Sequence[int], width: int, height: int) -> bytes:
    import numpy as np

    if width * height > MAX_PIXELS:
        raise LabelglotError(f"a picture of {width} x {height} pixels is too large")
    values = np.zeros((height, width, 3), dtype=np.uint8)
    for mask, id_ in zip(masks, ids, strict=True):
        values[g.to_bitmap(g.decode_string(mask.rle), height, width)] = (id_ & 255, id_ >> 8 & 255, id_ >> 16)
    return encode_rgb(values)


def _encode(a: Annotation, mask: Mask, id_: int, category: int) -> dict[str, Any]:
    counts = g.decode_string(mask.rle)
    x0, y0, x1, y1 = map(int, g.mask_bounds(counts, mask.height) or (0, 0, 0, 0))
    attributes = {name: value for name, value in a.attributes.items() if name != "crowd"}
    extra = a.extra.get(ID, {})
    record: dict[str, Any] = {
        "id": id_, "category_id": category, "area": g.mask_area(counts), "bbox": [x0, y0, x1 - x0, y1 - y0],
        "iscrowd": int(bool(a.attributes.get("crowd"))),
    }  # fmt: skip
    if a.score is not None:
        record["score"] = a.score
    if attributes or "attributes" in extra:
        record["attributes"] = {**attributes, **extra.get("attributes", {})}
    return {**record, **{name: value for name, value in extra.items() if name not in record}}
