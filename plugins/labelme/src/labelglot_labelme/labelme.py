"""LabelMe JSON of the Python tool: one file per image with a list of shapes.

- ``rectangle``, ``polygon``, ``oriented_rectangle``, ``circle``, ``line``/``linestrip``, ``point``/``points``, ``mask``
  = box, polygon, rotated box, circle, polyline, points, mask (a cropped PNG between inclusive bounds).
- ``flags`` of a shape = attributes that are true or false, ``description`` = text, ``group_id`` = group.
- ``flags`` of the image = classes it has (true) or has not (false).
- ``labels.txt`` = the classes in order; ``__ignore__`` and ``_background_`` lead it and are none.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from labelglot.geometry import decode_string, encode_string, mask_bounds, paste, to_bitmap
from labelglot.images import decode_gray, encode_gray
from labelglot.plugin import (
    Annotation,
    Box,
    Convention,
    Frame,
    Holds,
    LabelglotError,
    LabelHolds,
    Mask,
    Match,
    Naming,
    Report,
    Ring,
    RotatedBox,
    Sample,
    Shape,
    ShapesPerImage,
    Source,
    Spelled,
    Tag,
    TagHolds,
    WriteContext,
    shape_kinds,
)
from labelglot.wire import json, text

DESCENDANTS = frozenset({"score", "difficult", "attributes", "kie_linking", "text"})
DESCENDANT_TYPES = frozenset({"rotation", "quadrilateral", "cuboid"})


class LabelMe(ShapesPerImage):
    """LabelMe JSON beside each image."""

    id = "labelme"
    name = "LabelMe JSON"
    url = "https://github.com/wkentaro/labelme"
    version = "5.5.0"
    fields = ("flags",)
    shape_fields = ("mask",)
    class_list = "labels.txt"
    no_classes = ("__ignore__", "_background_")
    holds = Holds(
        geometry=(frozenset({"box", "rotated_box", "polygon", "mask", "polyline", "points", "ellipse"}),),
        boxes=Convention(ordered=True),
        polygon_parts=False,
        polygon_holes=False,
        ellipses="circle",
        labels=LabelHolds(names=text.LINE),
        attributes=frozenset({"bool"}),
        text=True,
        group="int",
        tags=TagHolds(negative=True),
        naming=Naming(unique="stem"),
        extra=frozenset({"labelme"}),
    )
    geometry_bound_extra = frozenset({("labelme", "shape_type")})

    def detect(self, source: Source) -> Match | None:
        for name in source.match("*.json")[:20]:
            value = json.peek(source.head(name, 1 << 15))
            kinds = shape_kinds(value)
            if kinds is None:
                continue
            keys, types = kinds
            if keys & DESCENDANTS or types & DESCENDANT_TYPES or {"checked", "text"} & value.keys():
                return Match(0.5, f"{name} lists shapes, with fields that a descendant of LabelMe adds")
            return Match(0.9, f"{name} lists shapes with points")
        return None

    def geometry(
        self, kind: str, ring: Ring, shape: Mapping[str, Any], frame: Frame
    ) -> tuple[Box | None, Shape | None]:
        if kind == "oriented_rectangle" and len(ring) == 8:
            return None, RotatedBox(corners=ring)
        if kind == "mask":
            return None, _read_mask(ring, shape.get("mask"), frame.size)
        return super().geometry(kind, ring, shape, frame)

    def about(self, document: Mapping[str, Any], place: str, report: Report, extra: dict[str, Any]) -> dict[str, Any]:
        flags = document.get("flags") or {}
        if not isinstance(flags, dict):
            report.problem("labelme.flags", "the flags are no object", f"{place}#flags", raw=flags)
            extra["flags"] = flags
            return {}
        others = {name: value for name, value in flags.items() if not isinstance(value, bool)}
        if others:
            report.problem("labelme.flags", "not all flags are true or false", f"{place}#flags", raw=others)
            extra["flags"] = others
        return {"tags": tuple(Tag(label=k, negative=not v) for k, v in flags.items() if isinstance(v, bool))}

    def head(self, sample: Sample, context: WriteContext) -> dict[str, Any]:
        return {"flags": {context.name(tag.label): not tag.negative for tag in sample.tags}}

    def spell(self, annotation: Annotation) -> Spelled:
        shape = annotation.shape
        if isinstance(shape, Mask):
            ring, data = _write_mask(shape)
            return Spelled("mask", ring, {"mask": data})
        if isinstance(shape, RotatedBox):
            return Spelled("oriented_rectangle", shape.corners, {"mask": None})
        return super().spell(annotation)._replace(more={"mask": None})


def _read_mask(ring: Ring, data: Any, size: tuple[int, int] | None) -> Mask:
    """A crop pasted where its first corner is; the crop's own size counts, not the second corner."""
    if not isinstance(data, str):
        raise LabelglotError("a mask without its image")
    if size is None:
        raise LabelglotError("a mask in an image of unknown size")
    try:
        bitmap = decode_gray(base64.b64decode(data))
    except binascii.Error as error:
        raise LabelglotError(f"the image of a mask is not base64: {error}") from error
    width, height = size
    counts = paste(bitmap, round(min(ring[::2])), round(min(ring[1::2])), height, width)
    return Mask(width=width, height=height, rle=encode_string(counts))


def _write_mask(mask: Mask) -> tuple[Ring, str]:
    """Inclusive bounds and cropped PNG; an empty mask is one pixel that is not set."""
    counts = decode_string(mask.rle)
    x0, y0, x1, y1 = map(int, mask_bounds(counts, mask.height) or (0, 0, 1, 1))
    crop = to_bitmap(counts, mask.height, mask.width)[y0:y1, x0:x1]
    return (float(x0), float(y0), float(x1 - 1), float(y1 - 1)), base64.b64encode(encode_gray(crop)).decode("ascii")
