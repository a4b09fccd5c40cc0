"""Spans of Prodigy's image tasks, in pixels: ``rect`` = box, ``polygon`` and ``freehand`` = polygon."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labelglot.plugin import PIXELS_XYWH, Annotation, Box, LabelglotError, Polygon, Shape
from labelglot.wire.json import coordinate, finite, rest

OWNER = "prodigy"
SPAN = ("id", "label", "type", "points", "x", "y", "width", "height", "w", "h", "center")


def read_span(item: Any, scale: tuple[float, float], layer: str | None) -> Annotation:
    """One object. ``scale``: by what x and y are multiplied. Raises :class:`LabelglotError` if it is none."""
    if not isinstance(item, dict):
        raise LabelglotError("the span is no object")
    kind = item.get("type")
    box, shape = _geometry(item, kind, scale)
    extra = rest(item, SPAN)
    if kind not in (None, "rect" if shape is None else "polygon"):
        extra["type"] = kind
    label, id_ = item.get("label"), item.get("id")
    return Annotation(
        label=label if isinstance(label, str) and label else None, box=box, shape=shape, layer=layer,
        id=str(id_) if isinstance(id_, int | str) else None, extra={OWNER: extra} if extra else {},
    )  # fmt: skip


def _geometry(item: Mapping[str, Any], kind: Any, scale: tuple[float, float]) -> tuple[Box | None, Shape | None]:
    sides = [item.get("x"), item.get("y"), item.get("width", item.get("w")), item.get("height", item.get("h"))]
    if kind in (None, "rect") and None not in sides:
        x0, y0, x1, y1 = PIXELS_XYWH.read_box([coordinate(side) for side in sides], None)
        return (x0 * scale[0], y0 * scale[1], x1 * scale[0], y1 * scale[1]), None
    points = item.get("points")
    if not isinstance(points, list) or not points or not all(isinstance(p, list) and len(p) == 2 for p in points):
        raise LabelglotError("the span has no points")
    ring = tuple(coordinate(v) * scale[i] for p in points for i, v in enumerate(p))
    if kind == "rect":
        return (min(ring[::2]), min(ring[1::2]), max(ring[::2]), max(ring[1::2])), None
    return None, Polygon.of(ring)


def write_span(a: Annotation, name: str | None) -> dict[str, Any]:
    """An object as Prodigy writes it; corners of a rectangle run top left, bottom left, bottom right, top right."""
    own = a.extra.get(OWNER)
    extra = dict(own) if isinstance(own, dict) else {}
    head = {**({} if a.id is None else {"id": a.id}), **({} if name is None else {"label": name})}
    if isinstance(a.shape, Polygon):
        ring = tuple(finite(v) for v in a.shape.parts[0][0])
        kind = extra.pop("type", "polygon")
        return {**head, "type": kind if kind != "rect" else "polygon", "points": _pairs(ring), **extra}
    extra.pop("type", None)
    x0, y0, x1, y1 = (finite(v) for v in a.box or (0.0, 0.0, 0.0, 0.0))
    x, y, width, height = PIXELS_XYWH.write_box((x0, y0, x1, y1), None)
    return {
        **head,
        "x": x,
        "y": y,
        "width": width,
        "height": height,
        "center": [(x0 + x1) / 2, (y0 + y1) / 2],
        "type": "rect",
        "points": _pairs((x0, y0, x0, y1, x1, y1, x1, y0)),
        **extra,
    }


def _pairs(ring: tuple[float, ...]) -> list[list[float]]:
    return [[x, y] for x, y in zip(ring[::2], ring[1::2], strict=True)]
