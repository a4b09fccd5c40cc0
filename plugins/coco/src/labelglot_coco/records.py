"""What a document lists: images, and the annotations of each, still encoded; and what can be wrong with the list."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Annotated, Any, NamedTuple

import msgspec
from labelglot.errors import LabelglotError
from labelglot.plugin import Report
from labelglot.storage import clean_foreign, safe_relative

from labelglot_coco.annotation import Classes
from labelglot_coco.plain import BoxColumns
from labelglot_coco.runs import Texts


class Image(msgspec.Struct, gc=False):
    """What names an image, and its size."""

    id: int | str | None = None
    file_name: str | None = None
    width: int | float | None = None
    height: int | float | None = None
    uri: str | None = None
    coco_url: str | None = None

    @property
    def name(self) -> str | None:
        """``file_name``, or else what of it is in the address of an image of COCO (``val2017/000000017905.jpg``)."""
        if self.file_name or not self.coco_url:
            return self.file_name
        return "/".join(self.coco_url.rsplit("/", 2)[-2:]) if "://" in self.coco_url else None


class PlainImage(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """An image of which nothing needs a closer look, with the fields that COCO itself has."""

    id: int | str
    file_name: str
    width: Annotated[int, msgspec.Meta(gt=0)]
    height: Annotated[int, msgspec.Meta(gt=0)]
    license: int | msgspec.UnsetType = msgspec.UNSET
    flickr_url: str | msgspec.UnsetType = msgspec.UNSET
    coco_url: str | msgspec.UnsetType = msgspec.UNSET
    date_captured: str | msgspec.UnsetType = msgspec.UNSET

    def usual(self) -> dict[str, Any]:
        """The fields of COCO that are set."""
        values = _usual(self)
        if values == _NONE_SET:
            return {}
        return {name: value for name, value in zip(_USUAL, values, strict=True) if value is not msgspec.UNSET}


_USUAL = ("license", "flickr_url", "coco_url", "date_captured")
_NONE_SET = (msgspec.UNSET,) * len(_USUAL)
_usual = attrgetter(*_USUAL)


_plain_images = msgspec.json.Decoder(list[PlainImage])


def plain_images(raws: Sequence[msgspec.Raw]) -> list[PlainImage]:
    """Encoded images that are plain. Raises MsgspecError or UnicodeDecodeError if one is not."""
    return _plain_images.decode(b"[" + b",".join(raws) + b"]")


class Key(msgspec.Struct, gc=False):
    """What an annotation belongs to."""

    image_id: int | str | None = None
    id: int | str | None = None


class Part(NamedTuple):
    """The annotations one document has of an image: encoded, or what is wanted of them. ``places``: their positions in the
    document.
    """

    document: int
    annotations: tuple[msgspec.Raw, ...] | Texts | BoxColumns
    places: array[int]


class Record(NamedTuple):
    """An image as a document describes it, and what this and other documents of the same split say of it."""

    image: msgspec.Raw | PlainImage
    name: str
    path: str
    parts: tuple[Part, ...]


class Opened(NamedTuple):
    """What decoding the records of one document needs. ``repeated``: annotations whose id an earlier one has.

    ``numbered``: the ids of annotations are 1, 2, 3... in the order of the document. ``images``: how many it lists.
    ``categories``: see :class:`~labelglot_coco.grouping.Grouped`.
    """

    path: str
    split: str | None
    classes: Classes
    labelled: bool
    repeated: frozenset[int]
    numbered: bool = False
    images: int = 0
    categories: Mapping[int, bool] | None = None


def incomplete(image: Image, place: str, report: Report) -> None:
    """Report an image that nothing can be made of."""
    missing = "id" if image.id is None else "file_name"
    report.problem("coco.image", f"an image without {missing}", place, severity="error", action="skipped")


def given_twice(image: Image, same: bool, place: str, report: Report) -> None:
    """Report an image whose id an earlier one has; ``same``: and its name."""
    message = f"image id {image.id!r} is given twice"
    if same:
        report.problem("coco.image-id", message, f"{place}.id", severity="info", action="taken for one image")
    else:
        report.problem("coco.image-id", message, f"{place}.id", severity="error", action="skipped")


def renumbered(key: Key, place: str, report: Report) -> None:
    """Report an annotation whose id an earlier one has."""
    message = f"annotation id {key.id!r} is given twice"
    report.problem("coco.annotation-id", message, f"{place}.id", object=key.id, action="renumbered")


def unsafe(foreign: str, name: str, place: str, report: Report) -> None:
    """Report the name of an image that leads out of the dataset."""
    report.problem(
        "path.unsafe", f"the image is called {foreign!r}, which is no path inside the dataset", f"{place}.file_name",
        raw=foreign, action=f"called {name}, its own name kept",
    )  # fmt: skip


def dangling(key: Key, place: str, report: Report) -> None:
    """Report an annotation of an image that is not listed."""
    message = "an annotation without image_id" if key.image_id is None else f"image {key.image_id!r} is not in images"
    report.problem("coco.image-id", message, place, severity="error", object=key.id, action="skipped")


def identity(file_name: str) -> tuple[str, str | None]:
    """Path of an image inside the dataset, and the name as written if that is no such path."""
    try:
        if safe_relative(file_name) == file_name:
            return file_name, None
    except LabelglotError:
        pass
    return next(iter(clean_foreign(file_name)), file_name), file_name


def image_size_of(image: Image) -> tuple[int, int] | None:
    """Width and height, ``None`` if they are missing or make no sense."""
    width, height = image.width, image.height
    if type(width) is int and type(height) is int:
        return (width, height) if width > 0 and height > 0 else None
    if any(isinstance(size, float) and not math.isfinite(size) for size in (width, height)):
        return None
    if not width or not height or width != int(width) or height != int(height) or width < 0 or height < 0:
        return None
    return int(width), int(height)
