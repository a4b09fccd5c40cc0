"""One annotation: its geometry under the key of its kind, and what is said about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from labelglot.geometry import corners, nest
from labelglot.plugin import (
    Annotation,
    Box,
    Cuboid,
    Ellipse,
    Keypoints,
    LabelglotError,
    Mask,
    Points,
    Polygon,
    Polyline,
    Ring,
    Shape,
    is_finite,
    place_keypoints,
)
from labelglot.projection.ladder import bounds
from labelglot.schema import Attribute
from labelglot.tolerance import close

OWNER = "v7-darwin"


class XY(msgspec.Struct, gc=False):
    x: float
    y: float


class XYWH(msgspec.Struct, gc=False):
    x: float
    y: float
    w: float
    h: float

    @property
    def box(self) -> Box:
        return (self.x, self.y, self.x + self.w, self.y + self.h)


class Paths(msgspec.Struct):
    """Outlines; older files have the first under ``path``, the others under ``additional_paths``."""

    paths: list[list[XY]] | None = None
    path: list[XY] | None = None
    additional_paths: list[list[XY]] = []

    def rings(self) -> list[Ring]:
        paths = self.paths if self.paths is not None else [self.path or [], *self.additional_paths]
        return [_ring(path) for path in paths]


class Round(msgspec.Struct):
    center: XY
    radius: XY
    angle: float = 0.0


class Faces(msgspec.Struct):
    front: XYWH
    back: XYWH


class Node(msgspec.Struct):
    x: float
    y: float
    name: str = ""
    occluded: bool = False


class Skeleton(msgspec.Struct):
    nodes: list[Node]


class Drawn(msgspec.Struct, kw_only=True):
    """The geometry of an annotation, or of one frame of it. Polygons carry their bounding box too."""

    polygon: Paths | None = None
    bounding_box: XYWH | None = None
    line: Paths | None = None
    keypoint: XY | None = None
    ellipse: Round | None = None
    cuboid: Faces | None = None
    skeleton: Skeleton | None = None
    mask: dict[str, Any] | None = None
    tag: dict[str, Any] | None = None


KINDS = Drawn.__struct_fields__


class Text(msgspec.Struct):
    text: str


class Track(msgspec.Struct):
    value: int | str


class Inference(msgspec.Struct):
    confidence: float


class Property(msgspec.Struct):
    name: str
    value: str | int | float | bool | None
    type: str | None = None
    frame_index: int | None = None


class Said(msgspec.Struct, kw_only=True):
    """What is known of every annotation."""

    name: str
    id: str | int | None = None
    slot_names: list[str] = []
    properties: list[Property] = []
    attributes: list[str] = []
    instance_id: Track | None = None
    text: Text | None = None
    inference: Inference | None = None


class Nodes(NamedTuple):
    """The nodes of the skeletons of a class: names, or only how many there are."""

    names: tuple[str, ...] = ()
    number: int = 0


class Geometry(NamedTuple):
    """What an annotation draws; one of the three."""

    box: Box | None = None
    shape: Shape | None = None
    keypoints: Keypoints | None = None


def _ring(path: Sequence[XY]) -> Ring:
    return tuple(v for p in path for v in (p.x, p.y))


def read_geometry(drawn: Drawn, nodes: Nodes) -> Geometry:
    """Raises :class:`LabelglotError` for what is no geometry. Masks and tags are none of its business."""
    made = _read(drawn, nodes)
    if not is_finite(made.box or made.shape or made.keypoints):
        raise LabelglotError("a coordinate is not finite")
    return made


def _read(drawn: Drawn, nodes: Nodes) -> Geometry:
    if drawn.polygon is not None:
        rings = [ring for ring in drawn.polygon.rings() if ring]
        if not rings:
            raise LabelglotError("a polygon without points")
        return Geometry(shape=Polygon(parts=nest(rings)))
    if drawn.bounding_box is not None:
        return Geometry(box=drawn.bounding_box.box)
    if drawn.line is not None:
        return Geometry(shape=Polyline(points=tuple(v for ring in drawn.line.rings() for v in ring)))
    if drawn.keypoint is not None:
        return Geometry(shape=Points(points=(drawn.keypoint.x, drawn.keypoint.y)))
    if drawn.ellipse is not None:
        e = drawn.ellipse
        return Geometry(shape=Ellipse(cx=e.center.x, cy=e.center.y, rx=e.radius.x, ry=e.radius.y, angle=e.angle))
    if drawn.cuboid is not None:
        return Geometry(shape=Cuboid(corners=corners(drawn.cuboid.front.box) + corners(drawn.cuboid.back.box)))
    assert drawn.skeleton is not None
    return Geometry(keypoints=_keypoints(drawn.skeleton.nodes, nodes))


def _keypoints(found: Sequence[Node], nodes: Nodes) -> Keypoints:
    names = nodes.names or [str(i + 1) for i in range(nodes.number)]
    return place_keypoints(names, [(node.name, node.x, node.y, 1 if node.occluded else 2) for node in found])


def _path(ring: Ring) -> list[dict[str, float]]:
    return [{"x": x, "y": y} for x, y in zip(ring[::2], ring[1::2], strict=True)]


def xywh(box: Box) -> dict[str, float]:
    """A box by its top-left corner and size."""
    return {"x": box[0], "y": box[1], "w": _tidy(box[2] - box[0]), "h": _tidy(box[3] - box[1])}


def _tidy(value: float) -> float:
    """A difference without the noise of subtracting."""
    return round(value, 9) + 0.0


def draw(a: Annotation, names: Sequence[str]) -> dict[str, Any]:
    """The geometry of an object under the key of its kind. ``names``: of its keypoints."""
    shape = a.shape
    if isinstance(shape, Polygon):
        around = bounds(shape)
        paths = {"polygon": {"paths": [_path(ring) for part in shape.parts for ring in part]}}
        return paths if around is None else {"bounding_box": xywh(around), **paths}
    if isinstance(shape, Polyline):
        return {"line": {"path": _path(shape.points)}}
    if isinstance(shape, Points):
        return {"keypoint": {"x": shape.points[0], "y": shape.points[1]}}
    if isinstance(shape, Ellipse):
        return {
            "ellipse": {
                "angle": shape.angle, "center": {"x": shape.cx, "y": shape.cy}, "radius": {"x": shape.rx, "y": shape.ry},
            }
        }  # fmt: skip
    if isinstance(shape, Cuboid):
        c = shape.corners
        return {"cuboid": {"front": xywh((c[0], c[1], c[4], c[5])), "back": xywh((c[8], c[9], c[12], c[13]))}}
    if isinstance(shape, Mask):
        return {"mask": {}}
    if a.keypoints is not None:
        return {"skeleton": {"nodes": _nodes(a.keypoints, names)}}
    assert a.box is not None
    return {"bounding_box": xywh(a.box)}


def _nodes(keypoints: Keypoints, names: Sequence[str]) -> list[dict[str, Any]]:
    seen = keypoints.visibility or (2,) * len(keypoints)
    return [
        {"name": names[i] if i < len(names) else str(i + 1), "occluded": v == 1, "x": x, "y": y}
        for i, (x, y, v) in enumerate(zip(keypoints.points[::2], keypoints.points[1::2], seen, strict=True))
        if v
    ]


def differs(drawn: Drawn) -> bool:
    """Whether the box beside a polygon is not the one around it."""
    assert drawn.polygon is not None and drawn.bounding_box is not None
    around = bounds(Polygon.of(tuple(v for ring in drawn.polygon.rings() for v in ring)))
    # V7 rounds to four decimals, corner and size each by themselves.
    return around is not None and not all(
        abs(a - b) < 2e-3 or close(a, b) for a, b in zip(around, drawn.bounding_box.box, strict=True)
    )


def read_properties(said: Said) -> tuple[dict[str, Any], dict[str, Any]]:
    """Attributes, and what else the properties say of them: by name, type and frame where they are not the usual."""
    values: dict[str, list[str]] = {}
    more: dict[str, Any] = {}
    several: set[str] = set()
    for p in said.properties:
        value = p.value if isinstance(p.value, str) else msgspec.json.encode(p.value).decode()
        values.setdefault(p.name, []).append(value)
        if p.type == MANY:
            several.add(p.name)
        elif p.type not in (ONE, None):
            more.setdefault(p.name, {})["type"] = p.type
        if p.frame_index:
            more.setdefault(p.name, {})["frame_index"] = p.frame_index
    found: dict[str, Any] = {
        name: tuple(v) if len(v) > 1 or name in several else v[0] for name, v in values.items()
    }
    if said.attributes:
        found["attributes"] = tuple(said.attributes)
    return found, more


ONE, MANY = "text", "multi_select"


def write_properties(attributes: Mapping[str, Attribute], more: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One entry for each value."""
    entries = []
    for name, value in attributes.items():
        if name == "attributes" and isinstance(value, tuple):
            continue
        known = more.get(name)
        detail = known if isinstance(known, dict) else {}
        usual = MANY if isinstance(value, tuple) else ONE
        for each in value if isinstance(value, tuple) else (value,):
            entries.append({"frame_index": 0, "name": name, "type": usual, "value": each, **detail})
    return entries


__all__ = [
    "KINDS", "OWNER", "Drawn", "Geometry", "Nodes", "Said", "differs", "draw", "read_geometry", "read_properties",
    "write_properties", "xywh",
]  # fmt: skip
