"""CVAT's shape elements, the same in both flavours.

- ``box`` = box, with ``rotation`` (degrees clockwise about its centre) = rotated box; a full turn, which CVAT takes as
  well, keeps a rotated box that stands upright apart from a box.
- ``polygon`` = polygon of one ring, ``polyline``, ``points``, ``ellipse``, ``cuboid``.
- ``mask`` = mask: runs row by row inside a window, whole pixels.
- ``skeleton`` = keypoints: one ``points`` element each, by name; ``outside`` = not labelled, ``occluded`` = hidden.
- ``occluded``, ``group_id``, ``attribute`` = attributes and group; all else rides in ``extra["cvat"]``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from labelglot.errors import LabelglotError
from labelglot.geometry import (
    decode_string,
    encode_string,
    from_bitmap,
    is_rotated_box,
    mask_bounds,
    paste,
    to_bitmap,
    window,
)
from labelglot.plugin import (
    Annotation,
    AttributeSpec,
    Box,
    Cuboid,
    Ellipse,
    Keypoints,
    Mask,
    Points,
    Polygon,
    Polyline,
    Report,
    Ring,
    RotatedBox,
    Rotation,
)
from labelglot.schema import Attribute
from labelglot.schema.shape import Shape
from labelglot.wire.xml import Element, escape, line_number, outer, quote

from labelglot_cvat.meta import OWNER, is_name

CORNERS = (
    "xtl1", "ytl1", "xtr1", "ytr1", "xbr1", "ybr1", "xbl1", "ybl1",
    "xtl2", "ytl2", "xtr2", "ytr2", "xbr2", "ybr2", "xbl2", "ybl2",
)  # fmt: skip
"""A cuboid's numbers face by face, clockwise from the top left. CVAT writes left before right."""
WRITTEN_CORNERS = (
    "xtl1", "ytl1", "xbl1", "ybl1", "xtr1", "ytr1", "xbr1", "ybr1",
    "xtl2", "ytl2", "xbl2", "ybl2", "xtr2", "ytr2", "xbr2", "ybr2",
)  # fmt: skip
LEAST = {"polygon": 3, "polyline": 2, "points": 1}
RESERVED = frozenset({"z_order", "source", "points", "shapes", "track"})
"""Keys of ``extra["cvat"]`` that are no further attributes of the element."""
UNKNOWN = "unknown"
"""Value of ``visibility``, an attribute only labelglot writes: the points of a skeleton say nothing about it."""


ROTATION = Rotation(form="corners", decimals=9)
"""Degrees clockwise about the centre."""

NOT_FINITE = "a coordinate is not finite"

_encode = msgspec.json.Encoder(enc_hook=list).encode
"""Writes numbers as short as they read back exactly, and what is not finite as ``null``."""


class Misfit(LabelglotError):
    """A shape of which nothing can be made, or that cannot be written; ``what`` ends the code of the problem."""

    def __init__(self, what: str, message: str) -> None:
        super().__init__(message)
        self.args = (what, message)
        self.what = what


class Scene(NamedTuple):
    """What reading the shapes of one image needs besides them.

    ``first``: line of the document at which the elements were cut out. ``specs``: declared attributes by class and
    name, where their values are to be converted.
    """

    format: str
    path: str
    first: int
    key: str
    size: tuple[int, int] | None
    points: Mapping[str, tuple[str, ...]]
    specs: Mapping[tuple[str | None, str], AttributeSpec]
    report: Report

    def place(self, element: Element) -> str:
        return f"{self.path}:{line_number(element, self.first)}"

    def problem(self, what: str, message: str, element: Element, action: str = "kept", **more: Any) -> None:
        self.report.problem(
            f"{self.format}.{what}", message, self.place(element), key=self.key, raw=outer(element), action=action, **more
        )

    def skip(self, what: str, message: str, element: Element) -> None:
        self.problem(what, message, element, "skipped", severity="error")


class Geometry(NamedTuple):
    """What an element shows."""

    box: Box | None = None
    shape: Shape | None = None
    keypoints: Keypoints | None = None


Values = dict[str, str]
"""Attributes of an element; what is understood is taken out."""


def values_of(element: Element) -> Values:
    """The attributes of an element."""
    return {str(name): str(value) for name, value in element.attrib.items()}


def read_annotation(
    element: Element, values: Values, label: str | None, scene: Scene, extra: dict[str, Any], track: int | None = None
) -> Annotation | None:
    """The object an element shows; ``None`` and a problem if nothing can be made of it."""
    reader = READERS.get(str(element.tag))
    if reader is None:
        scene.skip("shape", f"<{element.tag}> is no shape that is known", element)
        return None
    attributes: dict[str, Attribute] = {}
    occluded = values.pop("occluded", "0")
    if occluded != "0":
        read_occluded(occluded, attributes, element, scene)
    try:
        geometry = reader(values, element, label, scene, extra)
    except Misfit as error:
        scene.skip(error.what, error.message, element)
        return None
    group = read_group(values, element, scene)
    if len(element):
        read_attributes(element, label, scene, attributes)
    read_rest(values, extra, element, scene)
    return Annotation(
        label=label, box=geometry.box, shape=geometry.shape, keypoints=geometry.keypoints, track=track, group=group,
        attributes=attributes, extra={OWNER: extra} if extra else {},
    )  # fmt: skip


def read_occluded(text: str, attributes: dict[str, Attribute], element: Element, scene: Scene) -> None:
    """Take what is said about being hidden."""
    if text.lower() in ("1", "true"):
        attributes["occluded"] = True
    elif text.lower() not in ("", "false"):
        scene.problem("occluded", f"occluded is {text!r}, expected 0 or 1", element, "left out")


def read_group(values: Values, element: Element, scene: Scene) -> int | None:
    """The group, ``None`` for 0, which means none."""
    text = values.pop("group_id", None)
    if text is None:
        return None
    try:
        return int(text) or None
    except ValueError:
        scene.problem("group", f"group_id is {text!r}, not a whole number", element, "left out")
        return None


def read_rest(values: Values, extra: dict[str, Any], element: Element, scene: Scene) -> None:
    """Keep what is not understood. What the writer says of every object anyway is not kept."""
    z_order = values.pop("z_order", "0")
    if z_order != "0":
        try:
            extra["z_order"] = int(z_order)
        except ValueError:
            scene.problem("z_order", f"z_order is {z_order!r}, not a whole number", element, "left out")
    source = values.pop("source", "manual")
    if source != "manual":
        extra["source"] = source
    for name, value in values.items():
        if name in RESERVED:
            scene.problem("attribute", f"the attribute {name} has no place on <{element.tag}>", element, "left out")
        else:
            extra[name] = value


def read_attributes(element: Element, label: str | None, scene: Scene, attributes: dict[str, Attribute]) -> None:
    """The values of declared attributes among the children of an element."""
    skeleton = element.tag == "skeleton"
    for child in element:
        if child.tag == "attribute":
            name = child.get("name")
            if not name:
                scene.skip("attribute", "an attribute without name", child)
                continue
            if name in attributes:
                scene.problem("attribute", f"the attribute {name!r} comes twice", child, "the last counts")
            spec = scene.specs.get((label, name)) if scene.specs else None
            text = child.text or ""
            attributes[name] = text if spec is None else typed(text, spec)
        elif not (skeleton and child.tag == "points"):
            scene.skip("element", f"<{child.tag}> has no place in <{element.tag}>", child)


def typed(text: str, spec: AttributeSpec) -> Attribute:
    """A value as its declaration means it, if it can be read so."""
    if spec.kind == "boolean" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if spec.kind == "number":
        for number in (int, float):
            try:
                value = number(text)
            except ValueError:
                continue
            return value if math.isfinite(value) else text
    return text


def number(values: Values, name: str, missing: str | None = None) -> float:
    """A finite number of an attribute. Raises :class:`Misfit`."""
    text = values.pop(name, missing)
    if text is None:
        raise Misfit("number", f"{name} is missing")
    try:
        value = float(text)
    except ValueError:
        raise Misfit("number", f"{name} is {text!r}, not a number") from None
    if not math.isfinite(value):
        raise Misfit("number", f"{name} is {text!r}, not a finite number")
    return value


def whole(values: Values, name: str) -> int:
    """A whole number of an attribute. Raises :class:`Misfit`."""
    value = number(values, name)
    if value != int(value):
        raise Misfit("number", f"{name} is {value}, not a whole number")
    return int(value)


_floats = msgspec.json.Decoder(list[float])


def read_ring(text: str | None) -> Ring:
    """Points written ``x,y;x,y``. Raises :class:`Misfit`."""
    if text is None:
        raise Misfit("number", "points are missing")
    text = text.strip().rstrip(";")
    if not text:
        return ()
    if text.count(",") != text.count(";") + 1:
        raise Misfit("points", "points are not written as x,y;x,y")
    try:
        ring = tuple(_floats.decode("[" + text.replace(";", ",") + "]"))
    except msgspec.MsgspecError:
        try:
            ring = tuple(float(part) for pair in text.split(";") for part in pair.split(","))
        except ValueError as error:
            raise Misfit("number", f"points hold something that is no number: {error}") from None
    if len(ring) % 2 or not all(map(math.isfinite, ring)):
        raise Misfit("number", "points are not finite numbers in pairs")
    return ring


def _read_box(values: Values, element: Element, label: str | None, scene: Scene, extra: dict[str, Any]) -> Geometry:
    x0, y0, x1, y1 = (number(values, name) for name in ("xtl", "ytl", "xbr", "ybr"))
    turn = number(values, "rotation", "0") if "rotation" in values else 0.0
    if not turn:
        return Geometry(box=(x0, y0, x1, y1))
    return Geometry(shape=RotatedBox(corners=ROTATION.read((x0, y0, x1, y1), turn)))


def _read_points(values: Values, element: Element, label: str | None, scene: Scene, extra: dict[str, Any]) -> Geometry:
    ring = read_ring(values.pop("points", None))
    least = LEAST[element.tag]
    if len(ring) < 2 * least:
        scene.problem("points", f"a {element.tag} of {len(ring) // 2} points, expected {least} or more", element)
    if element.tag == "polygon":
        return Geometry(shape=Polygon(parts=((ring,),)))
    return Geometry(shape=Polyline(points=ring) if element.tag == "polyline" else Points(points=ring))


def _read_ellipse(values: Values, element: Element, label: str | None, scene: Scene, extra: dict[str, Any]) -> Geometry:
    cx, cy, rx, ry = (number(values, name) for name in ("cx", "cy", "rx", "ry"))
    turn = number(values, "rotation", "0") % 360
    angle = math.radians(turn - 360 if turn > 180 else turn)
    return Geometry(shape=Ellipse(cx=cx, cy=cy, rx=rx, ry=ry, angle=angle))


def _read_cuboid(values: Values, element: Element, label: str | None, scene: Scene, extra: dict[str, Any]) -> Geometry:
    return Geometry(shape=Cuboid(corners=tuple(number(values, name) for name in CORNERS)))


def _read_mask(values: Values, element: Element, label: str | None, scene: Scene, extra: dict[str, Any]) -> Geometry:
    left, top, width, height = (whole(values, name) for name in ("left", "top", "width", "height"))
    try:
        counts = [int(part) for part in values.pop("rle", "").split(",") if part.strip()]
    except ValueError:
        raise Misfit("rle", "the runs of a mask are not whole numbers") from None
    if min(counts, default=0) < 0 or width < 0 or height < 0 or sum(counts) != width * height:
        raise Misfit("rle", f"the runs of a mask add up to {sum(counts)}, its window {width} x {height} asks for {width * height}")
    if scene.size is None:
        raise Misfit("size", "a mask needs the size of the image, which is unknown")
    if left < 0 or top < 0 or left + width > scene.size[0] or top + height > scene.size[1]:
        scene.problem("mask", "a mask reaches out of the image", element, "cut at the edge of the image")
    try:
        full = paste(to_bitmap(counts, width, height).T, left, top, scene.size[1], scene.size[0])
    except LabelglotError as error:
        raise Misfit("rle", error.message) from error
    return Geometry(shape=Mask(width=scene.size[0], height=scene.size[1], rle=encode_string(full)))


def _read_skeleton(values: Values, element: Element, label: str | None, scene: Scene, extra: dict[str, Any]) -> Geometry:
    names = list(scene.points.get(label or "", ()))
    ring = [0.0] * (2 * len(names))
    seen = [0] * len(names)
    details: dict[str, Any] = {}
    taken: set[int] = set()
    for child in element.iterfind("points"):
        inner = values_of(child)
        name = inner.pop("label", "")
        at = _read_ring_of_one(inner)
        place = next((i for i, known in enumerate(names) if known == name and i not in taken), None)
        if place is None:
            place = len(names)
            names.append(name)
            ring += at
            seen.append(0)
        taken.add(place)
        ring[2 * place : 2 * place + 2] = at
        outside, occluded = inner.pop("outside", "0") == "1", inner.pop("occluded", "0") == "1"
        seen[place] = 0 if outside else 1 if occluded else 2
        rest: dict[str, Any] = {"occluded": "1"} if outside and occluded else {}
        if inner.get("source") == "manual":
            del inner["source"]
        rest.update(inner)
        if len(child):
            spoken: dict[str, Attribute] = {}
            read_attributes(child, None, scene, spoken)
            rest["attributes"] = spoken
        if rest:
            details[name] = rest
    if details:
        extra["points"] = details
    visible = values.pop("visibility", None) != UNKNOWN
    return Geometry(keypoints=Keypoints(points=tuple(ring), visibility=tuple(seen) if visible else None))


def _read_ring_of_one(values: Values) -> Ring:
    ring = read_ring(values.pop("points", None))
    if len(ring) != 2:
        raise Misfit("points", f"an element of a skeleton has {len(ring) // 2} points, expected one")
    return ring


Reader = Callable[[Values, Element, "str | None", Scene, "dict[str, Any]"], Geometry]

READERS: Mapping[str, Reader] = {
    "box": _read_box, "polygon": _read_points, "polyline": _read_points, "points": _read_points,
    "ellipse": _read_ellipse, "cuboid": _read_cuboid, "mask": _read_mask, "skeleton": _read_skeleton,
}  # fmt: skip


class Drawn(NamedTuple):
    """An object ready to be written: the element, its geometry as attributes, lines of elements inside."""

    tag: str
    geometry: str
    inside: tuple[str, ...] = ()


def draw(a: Annotation, names: tuple[str, ...], flags: str = "") -> Drawn:
    """The geometry of an object as an element. ``names``: of its keypoints; ``flags``: attributes every point of a
    skeleton gets besides. Raises :class:`Misfit` for numbers that cannot be written.
    """
    box, shape = a.box, a.shape
    if box is not None:
        return Drawn("box", write_boxes([box])[0])
    if type(shape) is Polygon:
        return Drawn("polygon", f'points="{write_ring(shape.parts[0][0] if shape.parts else ())}"')
    if type(shape) is RotatedBox:
        return _draw_rotated(shape.corners)
    if type(shape) is Mask:
        return Drawn("mask", _draw_mask(shape))
    if a.keypoints is not None:
        return _draw_skeleton(a, names, flags)
    if type(shape) is Ellipse:
        return Drawn("ellipse", _draw_ellipse(shape))
    if type(shape) is Cuboid:
        at = dict(zip(CORNERS, shape.corners, strict=True))
        _finite(sum(shape.corners))
        return Drawn("cuboid", " ".join(f'{name}="{at[name]}"' for name in WRITTEN_CORNERS))
    if isinstance(shape, Polyline | Points):
        return Drawn(shape.kind, f'points="{write_ring(shape.points)}"')
    raise Misfit("shape", "an object without geometry cannot be written")


def _finite(total: float) -> None:
    if not math.isfinite(total):
        raise Misfit("number", NOT_FINITE)


def write_ring(ring: Ring) -> str:
    """Points as ``x,y;x,y``, each number as short as reads back exactly."""
    text = _encode(list(zip(ring[::2], ring[1::2], strict=True))).decode()
    if "n" in text:
        raise Misfit("number", NOT_FINITE)
    return text[2:-2].replace("],[", ";")


def write_rings(rings: Sequence[Ring]) -> list[str]:
    """:func:`write_ring` for several at once. Raises :class:`Misfit` also if one is empty."""
    text = _encode([list(zip(ring[::2], ring[1::2], strict=True)) for ring in rings]).decode()
    if "n" in text or not all(rings):
        raise Misfit("number", NOT_FINITE)
    return text[3:-3].replace("],[", ";").split("];[") if rings else []


def write_boxes(boxes: Sequence[Box]) -> list[str]:
    """The corners of boxes as attributes of their elements."""
    text = _encode(boxes).decode()
    if "n" in text:
        raise Misfit("number", NOT_FINITE)
    corners = (row.split(",") for row in text[2:-2].split("],[")) if boxes else ()
    return [f'xtl="{x0}" ytl="{y0}" xbr="{x1}" ybr="{y1}"' for x0, y0, x1, y1 in corners]


def _tidy(value: float) -> float:
    """A computed number without the noise of its computation, finer than any tolerance."""
    return round(value, 9) + 0.0


def _draw_rotated(corners: Ring) -> Drawn:
    _finite(sum(corners))
    if not is_rotated_box(corners, 1e-3):
        return Drawn("polygon", f'points="{write_ring(corners)}"')
    x0, y0, x1, y1, turn = ROTATION.write(corners)
    return Drawn("box", f'xtl="{x0}" ytl="{y0}" xbr="{x1}" ybr="{y1}" rotation="{turn or 360.0}"')


def _draw_ellipse(shape: Ellipse) -> str:
    _finite(shape.cx + shape.cy + shape.rx + shape.ry + shape.angle)
    turn = _tidy(math.degrees(shape.angle) % 360)
    rotation = f' rotation="{turn}"' if turn and turn != 360 else ""
    return f'cx="{shape.cx}" cy="{shape.cy}" rx="{shape.rx}" ry="{shape.ry}"{rotation}'


def _draw_mask(shape: Mask) -> str:
    counts = decode_string(shape.rle)
    bounds = mask_bounds(counts, shape.height)
    if bounds is None:
        return 'rle="1" left="0" top="0" width="1" height="1"'
    left, top, right, bottom = map(int, bounds)
    width, height = right - left, bottom - top
    part = window(counts, shape.height, shape.width, left, top, width, height)
    rle = ", ".join(map(str, from_bitmap(part.T)))
    return f'rle="{rle}" left="{left}" top="{top}" width="{width}" height="{height}"'


def _draw_skeleton(a: Annotation, names: tuple[str, ...], flags: str) -> Drawn:
    assert a.keypoints is not None
    points, visibility = a.keypoints.points, a.keypoints.visibility
    bag = a.extra.get(OWNER)
    details = bag.get("points", {}) if isinstance(bag, dict) else {}
    lines = []
    for i in range(len(points) // 2):
        name = names[i] if i < len(names) else str(i + 1)
        at = write_ring(points[2 * i : 2 * i + 2])
        seen = 2 if visibility is None else visibility[i]
        known = details.get(name)
        detail: dict[str, Any] = dict(known) if isinstance(known, dict) else {}
        hidden = int(seen == 1 or (not seen and detail.pop("occluded", "0") == "1"))
        spoken = detail.pop("attributes", {})
        rest = further(detail, ("label", "source", "outside", "occluded", "points"))
        head = (
            f"<points label={quoted(name)}{flags} source={quoted(str(detail.get('source', 'manual')))} "
            f'outside="{int(not seen)}" occluded="{hidden}" points="{at}"{rest}'
        )
        if spoken:
            lines += [f"{head}>", *(f"  {line}" for line in write_attributes(spoken)), "</points>"]
        else:
            lines.append(f"{head}/>")
    return Drawn("skeleton", f'visibility="{UNKNOWN}"' if visibility is None else "", tuple(lines))


def further(extra: Mapping[str, Any], known: tuple[str, ...] = ()) -> str:
    """Attributes of an element that were not understood when it was read."""
    return "".join(
        f" {name}={quote(value)}" for name, value in extra.items() if name not in RESERVED and name not in known and is_name(name)
    )


def write_attributes(attributes: Mapping[str, Attribute]) -> Iterator[str]:
    """Lines of the attributes of an object."""
    for name, value in attributes.items():
        yield f"<attribute name={quoted(name)}>{escape(value)}</attribute>"


@lru_cache(maxsize=8192)
def quoted(text: str) -> str:
    """A text that comes again and again, with its quotation marks."""
    return quote(text)
