"""Pascal VOC segmentation: two pictures per image, of classes and of objects.

- ``SegmentationClass/ID.png`` = classes by their row in ``labelmap.txt`` (or the challenge's list), ``SegmentationObject/
  ID.png`` = objects from 1. 255 in both = ``ignore``: nobody says what is there.
- ``ImageSets/Segmentation/SPLIT.txt`` = splits. No picture = nobody has looked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from labelglot.geometry import decode_string, encode_string, from_bitmap, to_bitmap
from labelglot.images import SourceImage, decode, encode_gray, encode_palette, is_image
from labelglot.plugin import (
    Annotation,
    Dataset,
    File,
    Holds,
    LabelHolds,
    Mask,
    Match,
    Naming,
    Pair,
    PerImage,
    Piece,
    Pieces,
    ReadContext,
    Report,
    Sample,
    Source,
    WriteContext,
    image_size,
    with_suffix,
)
from labelglot.wire.text import LINE

from labelglot_voc import labelmap, layout

if TYPE_CHECKING:
    import numpy.typing as npt

CODE = "voc-seg"
CLASS, OBJECT = "SegmentationClass", "SegmentationObject"
IGNORE, VOID = "ignore", 255
NAMES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog", "horse",
    "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip


@lru_cache(maxsize=1)
def palette() -> tuple[tuple[int, int, int], ...]:
    """The 256 colours of the challenge: the bits of a number dealt to red, green and blue, from the highest down."""
    found = []
    for number in range(256):
        r = g = b = 0
        for shift in range(8):
            bits = number >> 3 * shift
            r, g, b = r | (bits & 1) << 7 - shift, g | (bits >> 1 & 1) << 7 - shift, b | (bits >> 2 & 1) << 7 - shift
        found.append((r, g, b))
    return tuple(found)


def value_of(position: int) -> int:
    """The pixel value of the class or object at a position from 1: 255 is left out."""
    return position if position < VOID else position + 1


Color = tuple[int, int, int]


class Table(NamedTuple):
    """What pixel values and colours mean. ``own``: the colour that the table gives to a value."""

    names: Mapping[int, str]
    colors: Mapping[Color, int]
    own: Mapping[int, Color]


class VocSeg(PerImage):
    """Masks of objects, each pixel in one at the most; regions of class ``ignore`` are one, on top of all others."""

    id = CODE
    name = "Pascal VOC segmentation"
    aliases = ("voc-segmentation", "segmentation-mask")
    url = "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/"
    holds = Holds(
        geometry=(frozenset({"mask"}),),
        overlap=False,
        regions=frozenset({IGNORE}),
        labels=LabelHolds(required=False, names=rf"(?!#){LINE}", color=True),
        implied={IGNORE: {"ignore": True}},
        size_required=True,
        splits="any",
        several_splits=True,
        split_order="roles",
        split_names=rf"(?!{layout.NO_SPLIT}$)\w(?:[\w .+()-]*[\w+()-])?",
        naming=Naming(unique="stem", pattern=rf"(?!(?:.*/)?(?:{CLASS}|{OBJECT})/)(?s:.+)", suffix=False),
        extra=frozenset({CODE}),
    )

    def detect(self, source: Source) -> Match | None:
        folders = {part for path in source.match("*.png") for part in path.split("/")[:-1]} & {CLASS, OBJECT}
        lists = [path for path in source.match("*.txt") if "/ImageSets/Segmentation/" in f"/{path}"]
        boxes = any("Annotations" in path.split("/")[:-1] for path in source.match("*.xml"))
        if folders:
            return Match(0.7 if boxes else 0.95, f"pictures in {' and '.join(sorted(folders))}")
        return Match(0.3 if boxes else 0.7, f"{lists[0]} lists images to segment") if lists else None

    def pairs(self, context: ReadContext) -> Sequence[Pair]:
        files = [path for path in context.source.match("*.png") if {CLASS, OBJECT} & set(path.split("/")[:-1])]
        inside = [path for path in files if CLASS in path.split("/")[:-1]]
        known = {layout.id_of(path) for path in inside}
        files = inside + [path for path in files if path not in set(inside) and layout.id_of(path) not in known]
        _, table = _table(context, context.report)
        found = layout.survey(context, files, ("Segmentation",), False, CODE).pairs
        return [pair._replace(more=(table, pair.more or layout.UNLISTED)) for pair in found]

    def read(self, context: ReadContext) -> Dataset:
        rows, _ = _table(context, Report())
        return super().read(context).replace(labels=tuple(labelmap.labels_of(rows, CODE)), labels_complete=False)

    def decode(self, data: bytes | None, pair: Pair, context: ReadContext, report: Report) -> Sample | None:
        table, listed = pair.more
        image = None if pair.image is None else SourceImage(context.source, pair.image)
        sets = {task: list(splits) for task, splits in listed.sets.items()}
        sample = Sample(
            path=pair.path or "", image=image, splits=pair.splits, extra={CODE: {"sets": sets}} if sets else {}
        )
        if data is None or pair.annotation is None:
            return sample
        place = pair.annotation
        classes = objects = None
        if CLASS in place.split("/"):
            classes = _numbers(data, table, place, sample.path, report)
            other = "/".join(OBJECT if part == CLASS else part for part in place.split("/"))
            if context.source.exists(other):
                objects = _objects(context.source.read(other), other)
        else:
            objects = _objects(data, place)
        if classes is not None and objects is not None and classes.shape != objects.shape:
            report.problem(f"{CODE}.size", "the two pictures differ in size", place, action="that of classes is read")
            objects = None
        shown = classes if classes is not None else objects
        assert shown is not None
        height, width = shown.shape
        if image is not None and image_size(image) not in (None, (width, height)):
            report.problem(f"{CODE}.size", "image and picture differ in size", place, key=sample.path)
        found = tuple(_annotations(classes, objects, table, place, sample.path, report))
        return sample.replace(size=(width, height), annotations=found)

    def annotation_path(self, sample: Sample, context: WriteContext) -> str:
        return f"{CLASS}/{_id(sample, context)}.png"

    def image_path(self, sample: Sample, context: WriteContext) -> str:
        return f"JPEGImages/{sample.path}"

    def encode_file(self, sample: Sample, context: WriteContext) -> bytes:
        return self._pictures(sample, context)[0]

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece]:
        id_ = _id(sample, context)
        classes, objects = self._pictures(sample, context)
        yield File(f"{CLASS}/{id_}.png", classes)
        yield File(f"{OBJECT}/{id_}.png", objects)
        for split in sample.splits or (layout.NO_SPLIT,):
            yield Piece(f"ImageSets/Segmentation/{split}.txt", f"{id_}\n".encode())

    def _pictures(self, sample: Sample, context: WriteContext) -> tuple[bytes, bytes]:
        import numpy as np

        width, height = sample.size or (1, 1)
        classes = np.zeros((height, width), dtype=np.uint16)
        objects = np.zeros((height, width), dtype=np.uint16)
        number = 0
        for a in sample.annotations or ():
            if not isinstance(a.shape, Mask):
                continue
            bitmap = to_bitmap(decode_string(a.shape.rle), height, width)
            if a.label is not None and context.name(a.label) == IGNORE:
                classes[bitmap] = objects[bitmap] = VOID
                continue
            number += 1
            objects[bitmap] = value_of(number)
            classes[bitmap] = 0 if a.label is None else value_of(context.index[a.label] + 1)
        return _png(classes, context.once(_colors)), _png(objects, palette())

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        yield File(labelmap.NAME, labelmap.write(context.labels, CODE))
        for slot in pieces.slots():
            yield File(slot, pieces.stream(slot))


def _id(sample: Sample, context: WriteContext) -> str:
    stored = context.images and sample.image is not None and is_image(sample.path)
    return with_suffix(sample.path, "") if stored else sample.path


def _png(values: npt.NDArray[Any], colors: Sequence[tuple[int, int, int]]) -> bytes:
    """A palette picture, or a grey one of 16 bits where there are too many values."""
    return encode_gray(values) if values.max(initial=0) > 255 else encode_palette(values, colors)


def _colors(context: WriteContext) -> tuple[tuple[int, int, int], ...]:
    """The palette of pictures of classes: their own colours where they have one."""
    colors = list(palette())
    for position, label in enumerate(context.labels, 1):
        own = labelmap.rgb(label.color)
        if own is not None and position < VOID:
            colors[position] = own
    return tuple(colors)


def _table(context: ReadContext, report: Report) -> tuple[tuple[labelmap.Row, ...], Table]:
    """The classes, and what values and colours mean: by the class table, else by the challenge's list."""
    found = labelmap.find(context.source, report, CODE)
    rows = found.classes if found else tuple(labelmap.Row(name, None) for name in NAMES)
    rows = tuple(row for row in rows if (row.name, row.color) != ("ignored", palette()[VOID]))
    names = {value_of(i): row.name for i, row in enumerate(rows, 1)} | {VOID: IGNORE}
    background = found.rows[0].color if found and found.rows and found.rows[0].name == labelmap.BACKGROUND else None
    colors: dict[Color, int] = {background or (0, 0, 0): 0, palette()[VOID]: VOID}
    own: dict[int, Color] = {}
    for i, row in enumerate(rows, 1):
        value = value_of(i)
        color = row.color or (palette()[value] if value < VOID else None)
        if color is not None:
            colors.setdefault(color, value)
            own[value] = color
    return rows, Table(names, colors, own)


def _numbers(data: bytes, table: Table, place: str, key: str, report: Report) -> npt.NDArray[Any]:
    """A picture of classes as numbers: colours are looked up; colours without class count down from -1."""
    import numpy as np

    image = decode(data)
    values = np.asarray(image)
    if values.ndim == 2 and image.mode != "P":
        return values.astype(np.int64)
    if values.ndim == 2:
        return _by_palette(values.astype(np.int64), image.getpalette() or [], table)
    rgb = np.asarray(image.convert("RGB")).astype(np.int64)
    flat = rgb[:, :, 0] << 16 | rgb[:, :, 1] << 8 | rgb[:, :, 2]
    numbers = np.zeros(flat.shape, dtype=np.int64)
    strange = 0
    for color in np.unique(flat):
        r, g, b = int(color) >> 16, int(color) >> 8 & 255, int(color) & 255
        value = table.colors.get((r, g, b))
        where = flat == color
        strange += 0 if value is not None else int(where.sum())
        numbers[where] = -1 - int(color) if value is None else value
    if strange:
        report.problem(f"{CODE}.color", f"{strange} pixels are of a colour without class", place, key=key)
    return numbers


def _by_palette(values: npt.NDArray[Any], colors: Sequence[int], table: Table) -> npt.NDArray[Any]:
    """Numbers of a palette picture: its own, unless its colours are those of other classes of the table."""
    import numpy as np

    result = values
    for value in (v for v in map(int, np.unique(values)) if v < 256):
        r, g, b = (*colors[3 * value : 3 * value + 3], 0, 0, 0)[:3]
        color = (r, g, b)
        if value in (0, VOID) or color in (palette()[value], table.own.get(value)):
            continue
        meant = table.colors.get(color)
        if meant is not None:
            result = np.where(values == value, meant, result)
    return result


def _objects(data: bytes, place: str) -> npt.NDArray[Any]:
    """A picture of objects as numbers; colours count as they stand in the challenge's palette, others from 256."""
    import numpy as np

    image = decode(data)
    values = np.asarray(image)
    if values.ndim == 2:
        return values.astype(np.int64)
    rgb = np.asarray(image.convert("RGB")).astype(np.int64)
    flat = rgb[:, :, 0] << 16 | rgb[:, :, 1] << 8 | rgb[:, :, 2]
    known = {r << 16 | g << 8 | b: i for i, (r, g, b) in enumerate(palette())}
    numbers = np.zeros(flat.shape, dtype=np.int64)
    further = VOID
    for color in map(int, np.unique(flat)):
        if color not in known:
            further += 1
        numbers[flat == color] = known.get(color, further)
    return numbers


def _annotations(
    classes: npt.NDArray[Any] | None,
    objects: npt.NDArray[Any] | None,
    table: Table,
    place: str,
    key: str,
    report: Report,
) -> Iterator[Annotation]:
    """Objects by number, then regions of classes that belong to no object, then what is to be ignored."""
    import numpy as np

    void = np.zeros((classes if classes is not None else objects).shape, dtype=bool)  # type: ignore[union-attr]
    for picture in (classes, objects):
        if picture is not None:
            void |= picture == VOID
    if objects is not None:
        for number in map(int, np.unique(objects[~void])):
            region = (objects == number) & ~void
            if number == 0:
                continue
            label = None
            if classes is not None:
                found, counts = np.unique(classes[region], return_counts=True)
                if len(found) > 1:
                    report.problem(
                        f"{CODE}.classes", f"object {number} is of {len(found)} classes", place, key=key,
                        action="the one of most pixels counts",
                    )  # fmt: skip
                label = _name(int(found[np.argmax(counts)]), table)
            yield Annotation(label=label, shape=_mask(region))
    if classes is not None:
        rest = np.where(void | (objects != 0 if objects is not None else False), 0, classes)
        found, first = np.unique(rest, return_index=True)
        for value in map(int, found[np.argsort(first)]):
            if value != 0:
                yield Annotation(label=_name(value, table), shape=_mask(rest == value))
    if void.any():
        yield Annotation(label=IGNORE, shape=_mask(void), attributes={"ignore": True})


def _name(value: int, table: Table) -> str | None:
    if value == 0:
        return None
    return f"color_{-1 - value:06x}" if value < 0 else table.names.get(value, f"class_{value}")


def _mask(region: npt.NDArray[Any]) -> Mask:
    height, width = region.shape
    return Mask(width=width, height=height, rle=encode_string(from_bitmap(region)))
