"""One image (or video frame) and all that is said about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import SkipValidation

from labelglot.schema.annotation import Annotation, Origin, Tag
from labelglot.schema.base import Attribute, Extra, Id
from labelglot.schema.record import Record

Role = Literal["train", "val", "test"]

_ROLES: dict[str, Role] = {
    "train": "train", "training": "train", "trn": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val", "minival": "val",
    "test": "test", "testing": "test", "eval": "test",
}  # fmt: skip


def split_role(split: str | None) -> Role | None:
    """The canonical role of a split name: ``"valid"`` and ``"validation"`` are ``"val"``; ``None`` if it has none.

    A year or other number behind the name is looked through (``train2017``).
    """
    if split is None:
        return None
    return _ROLES.get(split.strip().lower().rstrip("0123456789_-"))


def order_splits(splits: Iterable[str]) -> tuple[str, ...]:
    """The splits of one image where the source gives them no order: train, val, test, then all others, by name."""
    listed = tuple(splits)
    if len(listed) < 2:
        return listed
    rank = {"train": 0, "val": 1, "test": 2}
    return tuple(sorted(listed, key=lambda split: (rank.get(split_role(split) or "", 3), split)))


def key_of(path: str, splits: tuple[str, ...]) -> str:
    """The key of a sample of this path in these splits."""
    return f"{'+'.join(splits)}:{path}" if splits else path


class Sample(Record, frozen=True, eq=False, gc=False, kw_only=True):
    """An image with its annotations.

    ``path``: posix path relative to the dataset's image root, the image's identity. ``size``: (width, height) of the
    frame the coordinates live in, as displayed (after EXIF rotation), ``None`` if unknown. ``units``: ``"relative"``
    only while the size is unknown and the source wrote fractions. ``annotations``: ``None`` = nobody looked, ``()`` =
    reviewed and empty. ``splits``: every split the image is listed in, as written. ``image``: a handle to the file's
    bytes (see ``labelglot.images``), ``None`` if not at hand; ignored by equality.
    """

    path: str
    id: Id | None = None
    image: SkipValidation[Any] = None
    uri: str | None = None
    size: tuple[int, int] | None = None
    units: Literal["pixels", "relative"] = "pixels"
    splits: tuple[str, ...] = ()
    sequence: str | None = None
    frame: int | None = None
    timestamp: float | None = None
    tags: tuple[Tag, ...] = ()
    annotations: tuple[Annotation, ...] | None = None
    attributes: dict[str, Attribute] = {}
    extra: Extra = {}
    uid: str | None = None
    origin: Origin | None = None

    @property
    def split(self) -> str | None:
        """The first split, if any."""
        return self.splits[0] if self.splits else None

    @property
    def key(self) -> str:
        """Unique and stable in its dataset: the path, led by the splits because two splits may share a file name."""
        return key_of(self.path, self.splits)
