"""Open Images V4 to V7: CSV files of boxes, image labels and masks, with fractions of the image's size."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

from labelglot.geometry import decode_string, encode_string, from_bitmap, to_bitmap
from labelglot.images import SourceImage, decode_gray, encode_gray, is_image
from labelglot.plugin import (
    RELATIVE,
    Annotation,
    Dataset,
    File,
    Format,
    Holds,
    LabelglotError,
    LabelHolds,
    Mask,
    Match,
    Naming,
    Piece,
    Pieces,
    ReadContext,
    Records,
    Report,
    Sample,
    Source,
    Tag,
    TagHolds,
    WriteContext,
    image_size,
    in_pixels,
    with_suffix,
)
from labelglot.tolerance import close_numbers

from labelglot_open_images.classes import FILE, HIERARCHY, read_classes, write_classes, write_hierarchy
from labelglot_open_images.tables import COLUMNS, FILES, MACHINE, NO_SPLIT, Stretch, Table, row_of, rows, scan, table_of

OWNER = "open-images"
LIST, META = "annotations/image_ids_and_rotation.csv", "annotations/images.meta"
FLAGS = {
    "IsOccluded": "occluded",
    "IsTruncated": "truncated",
    "IsGroupOf": "crowd",
    "IsDepiction": "depiction",
    "IsInside": "inside",
}
CORNERS = ("XMin", "YMin", "XMax", "YMax")
LARGEST = 1 << 30
"""Pixels of a mask."""
TEXT = r"[^\x00-\x1f\x7f\x85\u2028\u2029\ufeff\ud800-\udfff]*"


class Record(NamedTuple):
    """One image: its id, split and size, its file, and where its rows are."""

    id: str
    split: str | None
    size: tuple[int, int] | None
    image: str | None
    stretches: tuple[Stretch, ...]


class OpenImages(Format):
    """Boxes with five yes-no flags, masks of objects, and image labels that may state verified absence.

    Confidence 1 says nothing, 1.0 is a score; 0 is verified absence. ``extra``: ``Source``, ``BoxID``, ``PredictedIoU``,
    ``Clicks``; of images what the list says of them.
    """

    id = OWNER
    name = "Open Images"
    aliases = ("oid", "openimages")
    url = "https://storage.googleapis.com/openimages/web/index.html"
    holds = Holds(
        geometry=(frozenset({"box"}), frozenset({"mask"})),
        required=frozenset({"box"}),
        boxes=RELATIVE,
        labels=LabelHolds(ids="str", ids_required=True, names=TEXT, duplicates=True, parent=True),
        flags={name: frozenset({"bool"}) for name in FLAGS.values()},
        score=True,
        tags=TagHolds(negative=True, score=True),
        uri=True,
        splits="any",
        split_names=rf"(?!{NO_SPLIT}$)\w(?:[\w .+()-]*[\w+()-])?",
        naming=Naming(unique="stem", pattern=r"(?!(?:.*/)?masks/)(?s:.+)", suffix=False),
        extra=frozenset({OWNER}),
    )

    def detect(self, source: Source) -> Match | None:
        found = [table for path in source.match("*.csv")[:40] if (table := table_of(source, path)) is not None]
        for table in found:
            if table.kind in ("boxes", "masks"):
                return Match(0.95, f"{table.path} has the header of Open Images' {table.kind}")
        for table in found:
            if table.kind == "labels" or {"OriginalURL", "Rotation"} <= table.columns.keys():
                return Match(0.9, f"{table.path} has the header of Open Images' list of {table.kind}")
        return None

    def read(self, context: ReadContext) -> Dataset:
        source, report = context.source, context.report
        tables = [table for path in source.match("*.csv") if (table := table_of(source, path)) is not None]
        tables.sort(key=lambda table: table.kind != "images")
        if not tables:
            raise LabelglotError("no CSV file of Open Images in it", source.where)
        for path in source.match("*-vrd.csv", "*relationships.csv", "*point-labels.csv", "points.csv"):
            report.problem("open-images.file", "relationships and points", path, severity="info", action="not read")
        found, seen = scan(source, tables, report)
        labels = read_classes(context, seen)
        sizes = _sizes(context)
        images = _Images(context)
        records = []
        for id_, stretches in found.items():
            first = tables[stretches[0].table]
            split = first.split
            if first.kind == "images":
                row = next(rows(source, first, stretches[0]), None)
                split = (row[1].get("Subset") if row else None) or split
            split = None if split == NO_SPLIT else split
            records.append(Record(id_, split, sizes.get(id_), images.find(id_, split), tuple(stretches)))
        keys = {str(label.id): label.key for label in labels}
        return Dataset(Records(records, _Decode(source, tables, keys)), labels)

    def image_path(self, sample: Sample, context: WriteContext) -> str:
        return f"images/{sample.split or NO_SPLIT}/{sample.path}"

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece]:
        split = sample.split or NO_SPLIT
        stored = context.images and sample.image is not None and is_image(sample.path)
        id_ = with_suffix(sample.path, "") if stored else sample.path
        size = sample.size if sample.units == "pixels" else None
        own = sample.extra.get(OWNER, {})
        more = {**own, "ImageID": id_, "Subset": split, "OriginalURL": sample.uri or ""}
        yield Piece(LIST, row_of([more.get(name, "") for name in COLUMNS["images"]]).encode())
        if size is not None:
            yield Piece(META, f"{_quoted(id_)} {size[1]} {size[0]}\n".encode())
        boxes: list[str] = []
        masks: list[str] = []
        for position, a in enumerate(sample.annotations or ()):
            bag = a.extra.get(OWNER, {})
            code = context.by_key[a.label or ""].id
            x0, y0, x1, y1 = map(repr, map(float, RELATIVE.write_box(a.box or (0, 0, 0, 0), size)))
            score = "1" if a.score is None else repr(float(a.score))
            flags = [_flag(a.attributes.get(name)) for name in FLAGS.values()]
            boxes.append(row_of([id_, bag.get("Source", ""), code, score, x0, x1, y0, y1, *flags]))
            if isinstance(a.shape, Mask):
                box = str(bag.get("BoxID", f"{position:08x}"))
                name = _mask_name(id_, str(code), box, ordinal, position)
                cells = (name, id_, code, box, x0, x1, y0, y1, bag.get("PredictedIoU", ""), bag.get("Clicks", ""))
                masks.append(row_of(cells))
                bitmap = to_bitmap(decode_string(a.shape.rle), a.shape.height, a.shape.width)
                yield File(f"masks/{split}/{name}", encode_gray(bitmap))
        yield Piece(_file(FILES["boxes"], split), "".join(boxes).encode())
        yield Piece(_file(FILES["masks"], split), "".join(masks).encode())
        for tag in sample.tags:
            source = tag.extra.get(OWNER, {}).get("Source", "")
            row = row_of((id_, source, context.by_key[tag.label or ""].id, _confidence(tag)))
            yield Piece(_file(MACHINE if source == "machine" else FILES["labels"], split), row.encode())

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        yield File(FILE, write_classes(context.labels))
        tree = write_hierarchy(context.labels)
        if tree is not None:
            yield File(HIERARCHY, tree)
        yield File(LIST, _document("images", pieces, LIST))
        if META in pieces:
            yield File(META, pieces.stream(META))
        for split in context.splits:
            for kind in ("boxes", "labels", "masks"):
                for pattern in (FILES[kind], *([MACHINE] if kind == "labels" else [])):
                    path = _file(pattern, split or NO_SPLIT)
                    if any(pieces.stream(path)):
                        yield File(path, _document(kind, pieces, path))


def _document(kind: Any, pieces: Pieces, path: str) -> Iterator[bytes]:
    yield row_of(COLUMNS[kind]).encode()
    yield from pieces.stream(path)


def _file(pattern: str, split: str) -> str:
    return f"annotations/{pattern.format(split)}"


def _flag(value: Any) -> str:
    return "-1" if not isinstance(value, bool) else str(int(value))


def _confidence(tag: Tag) -> str:
    if tag.negative:
        return "0" if tag.score is None else f"-{abs(float(tag.score))!r}"
    return "1" if tag.score is None else repr(float(tag.score))


def _quoted(id_: str) -> str:
    escaped = id_.replace("\\", "\\\\").replace('"', '\\"')
    return id_ if re.fullmatch(r"[\w./-]+", id_) else f'"{escaped}"'


def _mask_name(id_: str, code: str, box: str, ordinal: int, position: int) -> str:
    """A name without folders, of its own for each object."""
    plain = re.sub(r"[^\w.-]", "_", id_)
    own = "" if plain == id_ else f"-{ordinal}-{position}"
    return f"{plain[:80]}_{re.sub(r'[^A-Za-z0-9]', '', code)[:40]}_{re.sub(r'[^A-Za-z0-9-]', '', box)[:40]}{own}.png"


def _sizes(context: ReadContext) -> dict[str, tuple[int, int]]:
    """Sizes that ``images.meta`` states: id, height and width in each line, the id quoted if need be."""
    found: dict[str, tuple[int, int]] = {}
    for path in context.source.match("images.meta"):
        for at, line in enumerate(context.source.read(path).decode("utf-8-sig", "replace").splitlines(), 1):
            try:
                cells = shlex.split(line, comments=True)
                if not cells:
                    continue
                id_, height, width = cells
                size = (int(width), int(height))
                if min(size) < 1:
                    raise ValueError
                found[id_] = size
            except ValueError:
                context.report.problem(
                    "open-images.meta", "not an id, a height and a width", f"{path}:{at}", raw=line, action="skipped"
                )
    return found


class _Images:
    """The image files by id."""

    def __init__(self, context: ReadContext) -> None:
        self.known: dict[str, str] = {}
        self.names: dict[str, list[str]] = {}
        self.prefixes: dict[str, None] = {}
        for path in context.images.paths:
            folders = path.split("/")[:-1]
            if "masks" in folders:
                continue
            self.known.setdefault(with_suffix(path, ""), path)
            self.names.setdefault(with_suffix(path.rpartition("/")[2], ""), []).append(path)
            for name in ("images", "data"):
                if name in folders:
                    self.prefixes.setdefault("/".join(folders[: folders.index(name) + 1]) + "/")

    def find(self, id_: str, split: str | None) -> str | None:
        """The file of an image; where there is no folder for images, the only file of its name."""
        for prefix in self.prefixes:
            for folder in (f"{split or NO_SPLIT}/", ""):
                found = self.known.get(f"{prefix}{folder}{id_}")
                if found is not None:
                    return found
        same = self.names.get(id_, ())
        return same[0] if not self.prefixes and len(same) == 1 else None


class _Decode:
    """Turns the rows of an image into a sample."""

    def __init__(self, source: Source, tables: Sequence[Table], keys: Mapping[str, str]) -> None:
        self.source, self.tables, self.keys = source, tables, keys

    def __call__(self, record: Record, ordinal: int, report: Report) -> Sample | None:
        image = None if record.image is None else SourceImage(self.source, record.image)
        path = record.id if record.image is None else f"{record.id}{record.image[len(with_suffix(record.image, '')) :]}"
        if "\0" in path or path.startswith("/") or ".." in path.split("/"):
            report.problem("open-images.id", f"{path!r} names no image", action="skipped")
            return None
        size = record.size or (None if image is None else image_size(image))
        about: dict[str, str] = {}
        tags: list[Tag] = []
        objects: list[tuple[str, tuple[float, ...], Annotation]] = []
        masks: list[tuple[str, dict[str, str]]] = []
        for stretch in record.stretches:
            table = self.tables[stretch.table]
            try:
                for number, row, line in rows(self.source, table, stretch):
                    place = f"{table.path}:{number}"
                    if table.kind == "images":
                        about.update(self._about(row, table, place, line, path, report))
                    elif table.kind == "labels":
                        tags += self._tag(row, place, line, path, report)
                    elif table.kind == "boxes":
                        objects += self._box(row, size, place, line, path, report)
                    else:
                        masks.append((place, row))
            except LabelglotError as error:
                report.problem("open-images.row", error.message, error.place, severity="error", action="skipped")
        for place, row in masks:
            self._add_mask(row, record.split, size, objects, place, path, report)
        uri = about.pop("OriginalURL", None)
        return in_pixels(
            Sample(
                path=path, uri=uri, image=image, size=size, units="pixels" if size else "relative",
                splits=() if record.split is None else (record.split,), tags=tuple(tags),
                annotations=tuple(annotation for _, _, annotation in objects), extra={OWNER: about} if about else {},
            )
        )  # fmt: skip

    def _about(
        self, row: Mapping[str, str], table: Table, place: str, line: str, key: str, report: Report
    ) -> dict[str, str]:
        if len(row) < len(table.columns):
            report.problem(
                "open-images.columns", "cells are missing", place, severity="info", key=key, raw=line,
                action="only id and subset are read",
            )  # fmt: skip
            return {}
        return {name: value for name, value in row.items() if value and name not in ("ImageID", "Subset")}

    def _bad(self, what: str, place: str, line: str, key: str, report: Report) -> list[Any]:
        report.problem("open-images.row", what, place, severity="error", key=key, raw=line, action="skipped")
        return []

    def _tag(self, row: Mapping[str, str], place: str, line: str, key: str, report: Report) -> list[Tag]:
        label = self.keys.get(row.get("LabelName", ""))
        text = row.get("Confidence", "").strip() or "1"
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if label is None or not isfinite(value):
            return self._bad("no class, or no confidence", place, line, key, report)
        negative = text == "0" or text.startswith("-")
        extra = {OWNER: {"Source": row["Source"]}} if row.get("Source") else {}
        return [Tag(label=label, negative=negative, score=None if text in ("0", "1") else abs(value), extra=extra)]

    def _box(
        self, row: Mapping[str, str], size: tuple[int, int] | None, place: str, line: str, key: str, report: Report
    ) -> list[tuple[str, tuple[float, ...], Annotation]]:
        code = row.get("LabelName", "")
        text = row.get("Confidence", "").strip() or "1"
        try:
            corners = tuple(float(row[name]) for name in CORNERS)
            score = float(text)
        except (KeyError, ValueError):
            corners, score = (float("nan"),), 0.0
        if code not in self.keys or not all(map(isfinite, (*corners, score))):
            return self._bad("no class, or not four finite numbers", place, line, key, report)
        flags = {name: row.get(column, "").strip() for column, name in FLAGS.items()}
        annotation = Annotation(
            label=self.keys[code],
            box=RELATIVE.read_box(corners, size),
            score=None if text == "1" else score,
            attributes={name: value == "1" for name, value in flags.items() if value in ("0", "1")},
            extra={OWNER: {"Source": row["Source"]}} if row.get("Source") else {},
        )
        return [(code, corners, annotation)]

    def _add_mask(
        self, row: Mapping[str, str], split: str | None, size: tuple[int, int] | None,
        objects: list[tuple[str, tuple[float, ...], Annotation]], place: str, key: str, report: Report,
    ) -> None:  # fmt: skip
        """Give a mask to its object: of the same class and box; of several such the one whose number is the box's id."""
        code = row.get("LabelName", "")
        try:
            corners = tuple(float(row[f"Box{name}"]) for name in CORNERS)
            mask = self._mask(row.get("MaskPath", ""), split, size)
            if code not in self.keys or not all(map(isfinite, corners)):
                raise LabelglotError("no class, or not four finite numbers")
        except (KeyError, ValueError, LabelglotError) as error:
            report.problem(
                "open-images.mask", f"the mask cannot be read: {error}", place, severity="error", key=key, raw=str(dict(row)),
                action="skipped",
            )  # fmt: skip
            return
        same = [
            i for i, (c, box, a) in enumerate(objects) if c == code and a.shape is None and close_numbers(box, corners)
        ]
        box_id = row.get("BoxID", "")
        chosen = next((i for i in same if f"{i:08x}" == box_id), same[0] if same else None)
        more = {name: row[name] for name in ("PredictedIoU", "Clicks") if row.get(name)}
        if box_id and f"{chosen if chosen is not None else len(objects):08x}" != box_id:
            more["BoxID"] = box_id
        if chosen is None:
            box = RELATIVE.read_box(corners, size)
            objects.append((code, corners, Annotation(label=self.keys[code], box=box)))
            chosen = len(objects) - 1
        _, _, annotation = objects[chosen]
        bag = {**annotation.extra.get(OWNER, {}), **more}
        objects[chosen] = (code, corners, annotation.replace(shape=mask, extra={OWNER: bag} if bag else {}))

    def _mask(self, name: str, split: str | None, size: tuple[int, int] | None) -> Mask:
        """The bitmap of a mask file, stretched to the size of the image."""
        places = (
            f"masks/{split or NO_SPLIT}/{name}",
            f"masks/{name}",
            f"labels/masks/{name[:1].upper()}/{name}",
            f"masks/{name[:1]}/{name}",
        )
        path = next((place for place in places if self.source.exists(place)), None)
        if path is None:
            path = next((p for p in self.source.companions() if p.endswith(f"/{name}") and "mask" in p.lower()), None)
        if path is None or not name:
            raise LabelglotError(f"there is no file {name!r}")
        if size is not None and size[0] * size[1] > LARGEST:
            raise LabelglotError(f"an image of {size[0]} x {size[1]} pixels is too large for a mask")
        bitmap = decode_gray(self.source.read(path)) != 0
        height, width = bitmap.shape
        if size is not None and size != (width, height):
            import numpy as np

            down = np.arange(size[1]) * height // size[1]
            across = np.arange(size[0]) * width // size[0]
            bitmap = bitmap[down][:, across]
            width, height = size
        return Mask(width=width, height=height, rle=encode_string(from_bitmap(bitmap)))
