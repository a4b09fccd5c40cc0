"""Regions of VIA 1 and 2, in JSON or in the cells of a CSV: a shape, and attributes of which one is the class.

- ``rect``, ``polygon``, ``polyline``, ``point``, ``circle``, ``ellipse`` (``theta`` in radians, clockwise on screen) =
  box, polygon, polyline, points, ellipse.
- Text, numbers and true/false = attributes; a checkbox, ``{"option": true}``, is a list of texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

from labelglot.geometry import from_xywh, to_xywh
from labelglot.images import ImageHandle, SourceImage
from labelglot.plugin import (
    ANY_VALUE,
    NO_VALUE,
    PIXELS_XYWH,
    Annotation,
    Box,
    Ellipse,
    Holds,
    LabelglotError,
    LabelHolds,
    Options,
    Points,
    Polygon,
    Polyline,
    Report,
    Ring,
    Shape,
    Tag,
    TagHolds,
    WriteContext,
)
from labelglot.schema import Attribute
from pydantic import Field

CLASS_KEYS = ("label", "class", "class_name", "name", "type", "category", "object")
"""Names that people give the attribute with the class, the likeliest first."""
SHAPE_FIELDS: Mapping[str, tuple[str, ...]] = {
    "rect": ("x", "y", "width", "height"),
    "circle": ("cx", "cy", "r"),
    "ellipse": ("cx", "cy", "rx", "ry", "theta"),
    "point": ("cx", "cy"),
    "polygon": ("all_points_x", "all_points_y"),
    "polyline": ("all_points_x", "all_points_y"),
}
HOLDS = Holds(
    geometry=(frozenset({"box", "polygon", "polyline", "points", "ellipse"}),),
    boxes=PIXELS_XYWH,
    polygon_parts=False,
    polygon_holes=False,
    several_points=False,
    labels=LabelHolds(names=r"(?s:.+)", required=False),
    attributes=ANY_VALUE,
    flags={"label": NO_VALUE},
    tags=TagHolds(captions="one"),
    size=False,
    sample_attributes=ANY_VALUE,
)


class ViaReadOptions(Options):
    """Which of the attributes is the class."""

    label_key: str | None = Field(
        default=None,
        title="Attribute with the class",
        description="name of the region attribute that is the class; by default the only one that holds text, else "
        f"the first of {', '.join(CLASS_KEYS)}, else the first dropdown or radio",
    )


class ViaWriteOptions(Options):
    """Which attribute is the class."""

    label_key: str = Field(
        default="label", title="Attribute with the class", description="name of the region attribute for the class"
    )


def choose_class(regions: Iterable[Mapping[str, Any]], declared: Mapping[str, Any]) -> str | None:
    """The attribute that is the class. ``declared``: the region attributes of a project."""
    texts: dict[str, bool] = dict.fromkeys(declared, True)
    for attributes in regions:
        for name, value in attributes.items():
            texts[name] = texts.get(name, False) or isinstance(value, str | dict)
    if len(texts) == 1:
        return next((name for name, text in texts.items() if text), None)
    listed = next((name for name in CLASS_KEYS if name in texts), None)
    if listed is not None:
        return listed
    chosen = (n for n, d in declared.items() if isinstance(d, dict) and d.get("type") in ("dropdown", "radio"))
    return next(chosen, None)


class RegionReader:
    """Reads the regions of one image. ``names``: option of the class attribute -> name of the class."""

    def __init__(
        self,
        owner: str,
        label_key: str | None,
        names: Mapping[str, str],
        key: str,
        report: Report,
        closed: bool = False,
    ) -> None:
        self.owner, self.label_key, self.names = owner, label_key, names
        self.key, self.report, self.closed = key, report, closed

    def region(self, shape: Any, attributes: Any, place: str) -> Iterator[Annotation]:
        """The objects of a region: one, or one for each class that is ticked."""
        try:
            if not isinstance(shape, dict):
                raise LabelglotError("the shape is no object")
            box, outline = _geometry(shape, self.closed)
        except LabelglotError as error:
            code = f"{self.owner}.number" if "finite" in error.message else f"{self.owner}.region"
            self.report.problem(
                code, error.message, place, severity="error", key=self.key, raw=shape, action="skipped"
            )  # fmt: skip
            return
        extra: dict[str, Any] = {}
        kind = shape["name"]
        further = {k: v for k, v in shape.items() if k != "name" and k not in SHAPE_FIELDS[kind]}
        annotation = Annotation(box=box, shape=outline)
        if spell_shape(annotation)["name"] != kind:
            further["name"] = kind
        if further:
            extra["shape_attributes"] = further
        if not isinstance(attributes, dict):
            if attributes is not None:
                self.report.problem(
                    f"{self.owner}.attributes", "the attributes are no object", place, key=self.key, raw=attributes
                )
            attributes = {}
        labels = self._labels(attributes)
        plain, nested = plain_attributes({k: v for k, v in attributes.items() if k != self.label_key})
        if nested:
            extra["region_attributes"] = nested
        annotation = annotation.replace(attributes=plain, extra={self.owner: extra} if extra else {})
        if len(labels) > 1:
            self.report.problem(
                f"{self.owner}.classes", f"a region of {len(labels)} classes", place, severity="info", key=self.key,
                action="one object for each",
            )  # fmt: skip
        for label in labels or [None]:  # type: ignore[list-item]
            yield annotation.replace(label=label)

    def _labels(self, attributes: Mapping[str, Any]) -> list[str]:
        value = attributes.get(self.label_key) if self.label_key is not None else None
        if value is None or value == "":
            return []
        chosen = [name for name, on in value.items() if on] if isinstance(value, dict) else [_text(value)]
        return [self.names.get(name, name) for name in chosen]

    def tags(self, attributes: Mapping[str, Any]) -> tuple[tuple[Tag, ...], dict[str, Attribute], dict[str, Any]]:
        """Classes (``label``) and caption of the image, its other attributes, and those that are no plain values."""
        rest = dict(attributes)
        tags: list[Tag] = []
        classes = rest.get("label")
        if isinstance(classes, dict) and classes and all(on is True for on in classes.values()):
            tags += [Tag(label=self.names.get(name, name)) for name in rest.pop("label")]
        elif isinstance(classes, str) and classes:
            tags.append(Tag(label=self.names.get(classes, classes)))
            del rest["label"]
        if isinstance(rest.get("caption"), str) and rest["caption"]:
            tags.append(Tag(text=rest.pop("caption")))
        return (tuple(tags), *plain_attributes(rest))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def plain_attributes(attributes: Mapping[str, Any]) -> tuple[dict[str, Attribute], dict[str, Any]]:
    """Attributes as plain values, and those that are none."""
    plain: dict[str, Attribute] = {}
    nested: dict[str, Any] = {}
    for name, value in attributes.items():
        if value is None or isinstance(value, bool | int | float | str):
            plain[name] = value
        elif isinstance(value, dict) and all(on is True for on in value.values()):
            plain[name] = tuple(value)
        else:
            nested[name] = value
    return plain, nested


def spell_attributes(attributes: Mapping[str, Attribute]) -> dict[str, Any]:
    """The inverse of :func:`plain_attributes`."""
    return {k: dict.fromkeys(v, True) if isinstance(v, tuple) else v for k, v in attributes.items()}


def _geometry(shape: Mapping[str, Any], closed: bool) -> tuple[Box | None, Shape | None]:
    kind = shape.get("name")
    if kind == "rect":
        x, y, width, height = _numbers(shape, ("x", "y", "width", "height"))
        return from_xywh(x, y, width, height), None
    if kind == "circle":
        cx, cy, r = _numbers(shape, ("cx", "cy", "r"))
        return None, Ellipse(cx=cx, cy=cy, rx=r, ry=r)
    if kind == "ellipse":
        cx, cy, rx, ry = _numbers(shape, ("cx", "cy", "rx", "ry"))
        (theta,) = _numbers(shape, ("theta",)) if shape.get("theta") is not None else (0.0,)
        return None, Ellipse(cx=cx, cy=cy, rx=rx, ry=ry, angle=theta)
    if kind == "point":
        return None, Points(points=_numbers(shape, ("cx", "cy")))
    if kind not in ("polygon", "polyline"):
        raise LabelglotError(f"unknown shape {kind!r}")
    xs, ys = shape.get("all_points_x"), shape.get("all_points_y")
    if not isinstance(xs, list) or not isinstance(ys, list) or len(xs) != len(ys) or not xs:
        raise LabelglotError(f"the points of a {kind} are not as many x as y")
    ring = tuple(_number(v) for pair in zip(xs, ys, strict=True) for v in pair)
    if kind == "polyline":
        return None, Polyline(points=ring)
    if closed and len(ring) > 6 and ring[:2] == ring[-2:]:
        ring = ring[:-2]
    return None, Polygon.of(ring)


def _numbers(shape: Mapping[str, Any], names: Sequence[str]) -> Ring:
    return tuple(_number(shape.get(name)) for name in names)


def _number(value: Any) -> float:
    """A coordinate, also one written as text."""
    try:
        number = float(value) if not isinstance(value, bool) else float("nan")
    except (TypeError, ValueError, OverflowError) as error:
        raise LabelglotError(f"{value!r} is no number") from error
    if not isfinite(number):
        raise LabelglotError(f"{value!r} is no finite number")
    return number


def spell_shape(annotation: Annotation) -> dict[str, Any]:
    """The shape of an object as VIA writes it."""
    shape = annotation.shape
    if isinstance(shape, Polygon | Polyline):
        ring = shape.parts[0][0] if isinstance(shape, Polygon) else shape.points
        name = "polygon" if isinstance(shape, Polygon) else "polyline"
        return {
            "name": name,
            "all_points_x": [_plain(x) for x in ring[::2]],
            "all_points_y": [_plain(y) for y in ring[1::2]],
        }
    if isinstance(shape, Points):
        return {"name": "point", "cx": _plain(shape.points[0]), "cy": _plain(shape.points[1])}
    if isinstance(shape, Ellipse):
        made = {"cx": _plain(shape.cx), "cy": _plain(shape.cy)}
        if shape.rx == shape.ry and not shape.angle:
            return {"name": "circle", **made, "r": _plain(shape.rx)}
        turn = {"theta": _plain(shape.angle)} if shape.angle else {}
        return {"name": "ellipse", **made, "rx": _plain(shape.rx), "ry": _plain(shape.ry), **turn}
    x, y, width, height = map(_plain, to_xywh(annotation.box or (0.0, 0.0, 0.0, 0.0)))
    return {"name": "rect", "x": x, "y": y, "width": width, "height": height}


def _plain(value: float) -> float:
    """Whole numbers without point, as VIA writes them."""
    if not isfinite(value):
        raise LabelglotError("a coordinate is not finite")
    return int(value) if abs(value) < 1e15 and value == int(value) else value


def spell_region(
    annotation: Annotation, context: WriteContext, owner: str, label_key: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Shape and attributes of an object. A missing class is written as empty text, so that the attribute is there."""
    extra = annotation.extra.get(owner, {})
    shape = {**spell_shape(annotation), **extra.get("shape_attributes", {})}
    attributes = {
        label_key: option(annotation.label, context, owner),
        **spell_attributes(annotation.attributes),
        **extra.get("region_attributes", {}),
    }
    return shape, attributes


def option(key: str | None, context: WriteContext, owner: str) -> str:
    """The value that stands for a class: its option in the project it was read from, else its name."""
    if key is None:
        return ""
    label = context.by_key[key]
    return str(label.extra.get(owner, {}).get("option", label.name))


def spell_file(
    tags: Sequence[Tag], attributes: Mapping[str, Attribute], nested: Any, context: WriteContext, owner: str
) -> dict[str, Any]:
    """The attributes of an image: its classes as a checkbox, its caption, and the rest."""
    classes = {option(tag.label, context, owner): True for tag in tags if tag.text is None}
    captions = [tag.text for tag in tags if tag.text is not None]
    return {
        **({"label": classes} if classes else {}),
        **({"caption": captions[0]} if captions else {}),
        **spell_attributes(attributes),
        **(nested or {}),
    }


def file_size(image: ImageHandle) -> int:
    """Bytes of an image file; VIA knows images by name and size."""
    if isinstance(image, SourceImage):
        return image.source.size(image.path)
    return len(image.read())
