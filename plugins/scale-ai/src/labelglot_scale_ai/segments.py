"""Masks of Scale's segmentation tasks: an image of numbers, and which label has which number. Read only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from labelglot.geometry import encode_string, from_bitmap
from labelglot.images import decode, from_data_url, is_data_url
from labelglot.plugin import Annotation, LabelglotError, Mask, ReadContext, Report
from labelglot.wire import json

OWNER = "scale-ai"
IMAGES = ("extendedIndexedImage", "indexedImage")
"""Images of numbers: in three channels, and in one."""


def is_segmentation(response: Mapping[str, Any]) -> bool:
    """Whether a response is one of a segmentation task."""
    return isinstance(response.get("labelMapping"), dict)


def read_segments(
    response: Mapping[str, Any],
    size: tuple[int, int] | None,
    context: ReadContext,
    place: str,
    key: str,
    report: Report,
) -> Iterator[Annotation]:
    """An object for each label, or for each of its instances; without shape if the image of numbers is not at hand."""
    values = _values(json.fields(json.fields(response.get("annotations")).get("combined")), context)
    if values is None:
        report.problem(
            f"{OWNER}.mask", "the image of numbers is not at hand", place, key=key, action="kept without shapes"
        )
    elif size is not None and values.shape != (size[1], size[0]):
        height, width = values.shape
        raise LabelglotError(f"masks of {width} x {height} pixels on an image of {size[0]} x {size[1]}", place)
    for label, said in json.fields(response.get("labelMapping")).items():
        for entry in said if isinstance(said, list) else [said]:
            about = json.fields(entry)
            index = about.get("index")
            if isinstance(index, bool) or not isinstance(index, int):
                report.problem(
                    f"{OWNER}.label",
                    f"{label!r} has no number",
                    place,
                    severity="error",
                    key=key,
                    raw=entry,
                    action="skipped",
                )
                continue
            extra = json.rest(about, ("index", "numPixels"))
            shape = None
            if values is not None:
                height, width = values.shape
                shape = Mask(width=width, height=height, rle=encode_string(from_bitmap(values == index)))
            yield Annotation(label=label, shape=shape, extra={OWNER: extra} if extra else {})


def _values(combined: Mapping[str, Any], context: ReadContext) -> Any:
    """The numbers of the pixels, ``None`` if no image has them."""
    import numpy as np

    for name in IMAGES:
        address = combined.get(name)
        if not isinstance(address, str) or not address:
            continue
        image = None if is_data_url(address) else context.image(address)
        if image is None and not is_data_url(address):
            continue
        picture = decode(from_data_url(address) if image is None else image.read())
        values = np.asarray(picture).astype(np.uint32)
        if values.ndim == 2:
            return values
        if name == IMAGES[0] and values.shape[2] > 2:
            return values[:, :, 0] + 256 * values[:, :, 1] + 65536 * values[:, :, 2]
    return None
