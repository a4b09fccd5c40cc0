"""X-AnyLabeling JSON ("XLABEL"): LabelMe's list of shapes with scores, attributes, turned boxes and cuboids.

- ``rectangle`` (4 corners), ``rotation`` (4 corners; ``direction`` follows from them), ``quadrilateral``, ``polygon``,
  ``circle``, ``line``/``linestrip``, ``point``, ``cuboid`` = box, rotated box, polygon, polygon, circle, polyline,
  points, cuboid.
- ``attributes`` (texts), ``flags`` (true or false) and ``difficult`` = attributes, ``description`` = text,
  ``group_id`` = group, ``score`` = score.
- Of the image: ``tags`` = classes, ``description`` = caption, ``flags`` = attributes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import atan2, isfinite, tau
from typing import Any

from labelglot.geometry import corners, is_self_crossing, min_area_rect
from labelglot.plugin import (
    Annotation,
    Box,
    Convention,
    Cuboid,
    File,
    Frame,
    Holds,
    LabelglotError,
    LabelHolds,
    Match,
    Naming,
    Piece,
    Problem,
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

OWN = frozenset({"score", "difficult", "attributes", "kie_linking"})
OWN_TYPES = frozenset({"rotation", "quadrilateral", "cuboid"})


class XAnyLabeling(ShapesPerImage):
    """X-AnyLabeling JSON beside each image."""

    id = "x-anylabeling"
    name = "X-AnyLabeling JSON"
    aliases = ("xlabel",)
    url = "https://github.com/CVHub520/X-AnyLabeling"
    version = "4.2.1"
    fields = ("flags", "checked", "description", "tags")
    shape_fields = ("score", "difficult", "attributes", "kie_linking", "direction")
    class_list = "classes.txt"
    holds = Holds(
        geometry=(frozenset({"box", "rotated_box", "polygon", "polyline", "points", "ellipse", "cuboid"}),),
        boxes=Convention(ordered=True),
        polygon_parts=False,
        several_points=False,
        polygon_holes=False,
        ellipses="circle",
        labels=LabelHolds(names=text.LINE),
        attributes=frozenset({"bool", "str"}),
        flags={"difficult": frozenset({"bool"})},
        defaults={"difficult": False},
        score=True,
        text=True,
        group="int",
        tags=TagHolds(captions="one"),
        sample_attributes=frozenset({"bool"}),
        naming=Naming(unique="stem"),
        extra=frozenset({"x-anylabeling"}),
    )
    geometry_bound_extra = frozenset({("x-anylabeling", "shape_type"), ("x-anylabeling", "direction")})

    def detect(self, source: Source) -> Match | None:
        for name in source.match("*.json")[:20]:
            value = json.peek(source.head(name, 1 << 15))
            kinds = shape_kinds(value)
            if kinds is None:
                continue
            keys, types = kinds
            own = sorted((keys & OWN) | (types & OWN_TYPES) | ({"checked"} & value.keys()))
            if own:
                return Match(0.95, f"{name} lists shapes, with {', '.join(own)}")
        return None

    def geometry(
        self, kind: str, ring: Ring, shape: Mapping[str, Any], frame: Frame
    ) -> tuple[Box | None, Shape | None]:
        if kind == "rotation":
            if len(ring) != 8 or is_self_crossing(ring):
                frame.report.problem(
                    "x-anylabeling.rotation", "the points are not the corners of a turned box in order", frame.place,
                    key=frame.key, action="read as the smallest box around them",
                )  # fmt: skip
                ring = min_area_rect(ring)
            return None, RotatedBox(corners=ring)
        if kind == "cuboid":
            if len(ring) != 16:
                raise LabelglotError("a cuboid needs eight corners")
            return None, Cuboid(corners=ring)
        return super().geometry("polygon" if kind == "quadrilateral" else kind, ring, shape, frame)

    def facts(self, shape: Mapping[str, Any], frame: Frame, extra: dict[str, Any]) -> dict[str, Any]:
        attributes, score, difficult, links, direction = map(
            shape.get, ("attributes", "score", "difficult", "kie_linking", "direction")
        )
        made: dict[str, Any] = {}
        if isinstance(attributes, dict):
            plain = {name: value for name, value in attributes.items() if isinstance(value, bool | int | float | str)}
            if len(plain) < len(attributes):
                extra["attributes"] = {name: value for name, value in attributes.items() if name not in plain}
            made["attributes"] = plain
        elif attributes is not None:
            self._odd("attributes", attributes, frame, extra)
        if isinstance(score, int | float) and not isinstance(score, bool) and isfinite(score):
            made["score"] = float(score)
        elif score is not None:
            self._odd("score", score, frame, extra)
        if difficult is True:
            made["attributes"] = {**made.get("attributes", {}), "difficult": True}
        elif difficult not in (False, None):
            self._odd("difficult", difficult, frame, extra)
        if links:
            pairs = [link for link in links if _is_link(link)] if isinstance(links, list) else []
            if pairs != links:
                frame.report.problem(
                    "x-anylabeling.kie_linking", "a link is no pair of groups", frame.place, key=frame.key, raw=links,
                    action="left out",
                )  # fmt: skip
            if pairs:
                extra["kie_linking"] = pairs
        if direction is not None and shape.get("shape_type") != "rotation":
            extra["direction"] = direction
        return made

    def _odd(self, name: str, value: Any, frame: Frame, extra: dict[str, Any]) -> None:
        frame.report.problem(f"x-anylabeling.{name}", f"{name} is {value!r}", frame.place, key=frame.key)
        extra[name] = value

    def about(self, document: Mapping[str, Any], place: str, report: Report, extra: dict[str, Any]) -> dict[str, Any]:
        flags, labels, said, checked = map(document.get, ("flags", "tags", "description", "checked"))
        if checked not in (None, False):
            extra["checked"] = checked
        attributes: dict[str, Any] = {}
        if isinstance(flags, dict) and not any(isinstance(value, dict | list) for value in flags.values()):
            attributes = flags
        elif flags:
            report.problem("x-anylabeling.flags", "the flags are no plain values", f"{place}#flags", raw=flags)
            extra["flags"] = flags
        tags = []
        if isinstance(labels, list) and all(isinstance(label, str) for label in labels):
            tags = [Tag(label=label) for label in labels]
        elif labels:
            report.problem("x-anylabeling.tags", "the tags are no list of texts", f"{place}#tags", raw=labels)
            extra["tags"] = labels
        if isinstance(said, str) and said:
            tags.append(Tag(text=said))
        elif said:
            extra["description"] = said
        return {"tags": tuple(tags), "attributes": attributes}

    def head(self, sample: Sample, context: WriteContext) -> dict[str, Any]:
        labels = [context.name(tag.label) for tag in sample.tags if tag.text is None]
        caption = next((tag.text for tag in sample.tags if tag.text is not None), "")
        return {
            "flags": {k: v for k, v in sample.attributes.items() if isinstance(v, bool)},
            "checked": False,
            **({"tags": labels} if labels else {}),
            "description": caption,
        }

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece | Problem]:
        for position, annotation in enumerate(sample.annotations or ()):
            if _is_crossed(annotation.shape):
                yield Problem(
                    f"{self.id}.corners", "the sides of a rotated box cross", key=sample.key, object=position,
                    action="written as a quadrilateral",
                )  # fmt: skip
        yield from super().encode(sample, context, ordinal)

    def spell(self, annotation: Annotation) -> Spelled:
        shape = annotation.shape
        texts = {name: value for name, value in annotation.attributes.items() if isinstance(value, str)}
        more: dict[str, Any] = {
            "score": annotation.score,
            "difficult": annotation.attributes.get("difficult", False),
            "attributes": texts,
            "kie_linking": [],
        }
        if isinstance(shape, Cuboid):
            return Spelled("cuboid", shape.corners, more)
        if isinstance(shape, RotatedBox) and _is_crossed(shape):
            return Spelled("quadrilateral", shape.corners, more)
        if isinstance(shape, RotatedBox):
            return Spelled("rotation", shape.corners, {**more, "direction": _direction(shape.corners)})
        if shape is None and annotation.box is not None:
            return Spelled("rectangle", corners(annotation.box), more)
        return super().spell(annotation)._replace(more=more)


def _is_crossed(shape: Shape | None) -> bool:
    """Whether the corners of a rotated box are in no order, so that a reader would put them right."""
    return isinstance(shape, RotatedBox) and is_self_crossing(shape.corners)


def _is_link(link: Any) -> bool:
    return isinstance(link, list) and len(link) == 2 and all(type(end) is int for end in link)


def _direction(ring: Ring) -> float:
    """Angle of the first edge in radians, clockwise on screen, in [0, 2 pi)."""
    angle = atan2(ring[3] - ring[1], ring[2] - ring[0]) % tau
    return 0.0 if angle == tau else angle
