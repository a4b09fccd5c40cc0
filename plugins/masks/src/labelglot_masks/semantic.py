"""Images with a picture of the same size each, whose pixels are classes; and a table of the classes."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from labelglot.geometry import decode_string, to_bitmap
from labelglot.images import encode_gray, is_image
from labelglot.plugin import (
    Annotation,
    Dataset,
    File,
    Holds,
    Label,
    LabelglotError,
    LabelHolds,
    Mask,
    Match,
    Mirrored,
    Naming,
    Pair,
    Pieces,
    ReadContext,
    Report,
    Sample,
    Source,
    WriteContext,
    make_labels,
    with_suffix,
)
from labelglot.wire.text import LINE

from labelglot_masks import tables
from labelglot_masks.pictures import VOID, interpret, open_picture, regions
from labelglot_masks.tables import IGNORE, PIXEL_VALUES

FOLDERS = (
    "mask", "annotations", "annotation", "labels", "label", "gt", "groundtruth", "segmentation", "segmentations",
    "ann_dir", "labelmaps", "semantic",
)  # fmt: skip
IMAGE_FOLDERS = ("image", "imgs", "img", "img_dir", "jpegimages", "rgb")
_AFFIX = re.compile(r"^(?:gt|mask|image|img|label)_|[_-](?:mask|masks|label|labels|seg|gt|L|labelIds|labelTrainIds)$")
_BESIDE = re.compile(r"(.+)[_-](?:mask|label|seg|gt)", re.IGNORECASE)
LOOKED_AT = 16
"""Pictures in which a table without the value 255 is checked for it."""


class SemanticMasks(Mirrored):
    """One region per class and image. 255 without class is the class ``ignore``, whose objects are to be ignored."""

    id = "semantic-masks"
    name = "Semantic masks"
    aliases = ("png-masks",)
    url = "https://roboflow.com/formats/semantic-segmentation-masks"
    image_folder = "images"
    file_folder = "masks"
    image_folders = IMAGE_FOLDERS
    file_folders = FOLDERS
    suffix = ".png"
    holds = Holds(
        geometry=(frozenset({"mask"}),),
        overlap=False,
        regions=True,
        labels=LabelHolds(ids="int", ids_required=True, first_id=1, last_id=0xFFFF, names=LINE),
        implied={IGNORE: {"ignore": True}},
        size_required=True,
        naming=Naming(unique="stem", suffix=False),
    )

    def detect(self, source: Source) -> Match | None:
        for path in source.match(PIXEL_VALUES):
            if re.match(rb"\s*\"?pixel value", source.head(path, 100), re.IGNORECASE):
                return Match(0.95, f"{path} names pixel values")
        files = self.annotation_files(source)
        parts = {part.lower() for path in files for part in path.split("/")[:-1]}
        if not files or parts & {"segmentationclass", "segmentationobject", "gtfine", "gtcoarse"}:
            return None
        stems = {self._bare(path) for path in files}
        images = {self._bare(path) for path in source.companions() if is_image(path) and path not in set(files)}
        if len(stems & images) * 2 < len(stems):
            return None
        table = tables.find(source, Report())
        return Match(0.5 if table else 0.3, "images and pictures of the same names in another folder")

    def annotation_files(self, source: Source) -> list[str]:
        pictures = [path for path in source.files() if is_image(path)]
        inside = [path for path in pictures if self._in_folder(path)]
        if inside:
            return inside
        known = {with_suffix(path, "") for path in pictures}
        return [p for p in pictures if (m := _BESIDE.fullmatch(with_suffix(p, ""))) and m[1] in known]

    def _in_folder(self, path: str) -> bool:
        folders = [part.lower() for part in path.split("/")[:-1]]
        first = next((part for part in folders if part in (*self._file_folders, "images", *IMAGE_FOLDERS)), None)
        return first in self._file_folders

    def _bare(self, path: str) -> str:
        return _AFFIX.sub("", with_suffix(path.rpartition("/")[2], ""))

    def stem_of(self, name: str) -> str:
        return with_suffix(name, "")

    def _cut_file(self, path: str, heads: set[str]) -> tuple[str, str, int]:
        if self._in_folder(path):
            return super()._cut_file(path, heads)
        beside = _BESIDE.fullmatch(with_suffix(path, ""))
        return "", beside[1] if beside else with_suffix(path, ""), 0

    def _loose(
        self,
        alone: Sequence[tuple[str, str, str]],
        images: dict[tuple[str, str], list[str]],
        cuts: Mapping[str, tuple[str, str, int]],
    ) -> list[tuple[str, str, Pair]]:
        """Pictures whose names differ from those of their images by a known prefix or suffix."""
        bare = {
            (head, with_suffix(rest, "").rpartition("/")[0], self._bare(rest)): (head, rest) for head, rest in images
        }
        found, left = [], []
        for head, rest, path in alone:
            key = bare.get((head, rest.rpartition("/")[0], self._bare(path)))
            if key in images and len(images[key]) == 1 and self._bare(path) != with_suffix(path.rpartition("/")[2], ""):
                (image,) = images.pop(key)
                found.append((*cuts[image][:2], Pair(path, image)))
            else:
                left.append((head, rest, path))
        return found + super()._loose(left, images, cuts)

    def pairs(self, context: ReadContext) -> Sequence[Pair]:
        table = tables.find(context.source, context.report) or ()
        found = super().pairs(context)
        if not found and not table and not context.source.match(PIXEL_VALUES):
            raise LabelglotError("no images and no pictures of classes in it", context.source.where)
        return [pair._replace(more=table) for pair in found]

    def read(self, context: ReadContext) -> Dataset:
        dataset = super().read(context)
        table = tables.find(context.source, Report()) or ()
        labels = [Label(key=entry.name, name=entry.name, id=entry.value) for entry in table]
        if not any(entry.value == VOID or entry.name == IGNORE for entry in table) and self._has_void(context):
            labels.append(Label(key=IGNORE, name=IGNORE, id=VOID))
        return dataset.replace(labels=make_labels(labels), labels_complete=False)

    def _has_void(self, context: ReadContext) -> bool:
        for path in self.annotation_files(context.source)[:LOOKED_AT]:
            try:
                picture = open_picture(context.source.read(path))
            except LabelglotError:
                continue
            if bool((picture.values == (0xFFFFFF if picture.colors else VOID)).any()):
                return True
        return False

    def parse(self, data: bytes, pair: Pair, report: Report) -> Mapping[str, Any]:
        picture = open_picture(data)
        meaning = interpret(picture, pair.more)
        place, key = pair.annotation or "", pair.path or ""
        if meaning.unknown and pair.more:
            import numpy as np

            share = float(np.isin(meaning.picture.values, list(meaning.unknown)).mean())
            shown = ", ".join(meaning.names[v] for v in sorted(meaning.unknown)[:5])
            report.problem(
                "semantic-masks.value", f"{share:.1%} of its pixels are of no known class ({shown})", place, key=key
            )
        found = [
            Annotation(label=name, shape=mask, attributes={"ignore": True} if name == IGNORE else {})
            for value, mask in regions(meaning.picture.values, meaning.picture.nothing)
            if (name := meaning.names.get(value)) is not None
        ]
        height, width = picture.values.shape
        return {"annotations": tuple(found), "size": (width, height)}

    def encode_file(self, sample: Sample, context: WriteContext) -> bytes:
        import numpy as np

        width, height = sample.size or (1, 1)
        picture = np.zeros((height, width), dtype=np.uint16)
        for a in sample.annotations or ():
            if isinstance(a.shape, Mask):
                picture[to_bitmap(decode_string(a.shape.rle), height, width)] = int(
                    context.by_key[a.label or ""].id or 0
                )
        return encode_gray(picture)

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        text = io.StringIO()
        text.write("Pixel Value, Class\n")
        for label in context.labels:
            text.write(f"{label.id}, ")
            csv.writer(text, lineterminator="\n").writerow([label.name])
        yield File(PIXEL_VALUES, text.getvalue().encode())
