"""Reduce annotations. What depends only on the kinds of things in an object is worked out once and remembered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, cast

from msgspec.structs import replace

from labelglot.geometry import bridge, is_upright, nest
from labelglot.holds import GeometryKind, Holds
from labelglot.projection import ladder
from labelglot.projection.alike import deviating, follow, follows
from labelglot.projection.columns import changed, following, make_of, with_boxes, with_ids
from labelglot.projection.coordinates import cut_at, has_room, map_points, near, numbers, respell
from labelglot.projection.facts import fit_id, looks_at_values, reduce_attributes
from labelglot.projection.labels import reduce_extra
from labelglot.projection.losses import LossSink, Lost
from labelglot.report import Severity
from labelglot.schema.annotation import Annotation
from labelglot.schema.columns import Boxes, Columns
from labelglot.schema.shape import Box, Cuboid, Ellipse, Keypoints, Mask, Points, Polygon, RotatedBox, Shape
from labelglot.tolerance import close

Signature = tuple[bool, str | None, bool]


@lru_cache(maxsize=1024)
def allocate(slots: tuple[frozenset[GeometryKind], ...], signature: Signature) -> tuple[tuple[str, int, bool], ...]:
    """Which part of an object (``shape``, ``keypoints``, ``box``) goes into which slot, and whether as it is.

    First every part that a free slot takes as it is, the narrowest slot first; then, for the rest, the ladder.
    """
    has_box, shape, has_keypoints = signature
    parts = [("shape", shape)] if shape else []
    parts += [("keypoints", "keypoints")] if has_keypoints else []
    parts += [("box", "box")] if has_box else []
    free = sorted(range(len(slots)), key=lambda i: (len(slots[i]), i))
    result: list[tuple[str, int, bool]] = []
    rest = []
    for part, kind in parts:
        slot = next((i for i in free if kind in slots[i]), None)
        if slot is None:
            rest.append((part, kind))
        else:
            free.remove(slot)
            result.append((part, slot, True))
    placed_area = any(part != "keypoints" for part, _, _ in result)
    for part, kind in rest:
        if part == "box" and placed_area:
            continue
        slot = next((i for step in ladder.STEPS[kind] for i in free if step in slots[i]), None)
        if slot is not None and not (part == "keypoints" and has_box):
            free.remove(slot)
            result.append((part, slot, False))
            placed_area = True
    return tuple(result)


class Frame(NamedTuple):
    """The coordinates of one sample: before and after. ``boxes``, ``points``: these can be expressed at all."""

    size: tuple[int, int] | None
    source_relative: bool
    to_relative: bool
    boxes: bool = True
    points: bool = True

    def reaches(self, kind: str) -> bool:
        """Whether the target can express a geometry of this kind without knowing more."""
        return self.boxes if kind == "box" else self.points or kind == "mask"


class Reduced(NamedTuple):
    """What becomes of an object. ``changes``: fields that change, ``None``: it is dropped. ``pieces``: its shape in
    several objects. ``moved``: its geometry is another. ``numbered``: it is given an id.
    """

    changes: dict[str, Any] | None
    losses: tuple[Lost, ...]
    pieces: tuple[Shape, ...] = ()
    moved: bool = False
    numbered: bool = False


REMEMBERED = 4096
"""Outlines remembered at the most; data with more different ones gains nothing by it."""

_DROPPED_VALUES: tuple[object, ...] = (None, {}, ())


def outline(a: Annotation) -> tuple[Any, ...] | None:
    """Which things an object has, and of what kind; ``None`` if its reduction needs a closer look anyway."""
    shape = a.shape
    if shape is None:
        kind: Any = None
    elif type(shape) is Polygon:
        parts = shape.parts
        if len(parts) != 1 or len(parts[0]) != 1:
            return None
        kind = "polygon"
    elif type(shape) is RotatedBox:
        kind = ("rotated_box", shape.angle is None)
    else:
        kind = shape.kind
    keypoints = a.keypoints
    points = None if keypoints is None else keypoints.visibility is None
    attributes, extra = a.attributes, a.extra
    return (
        a.label is None, a.box is None, kind, points, type(a.id), type(a.track), type(a.group), type(a.parent),
        a.score is None, a.text is None, a.layer is None, tuple(extra) if extra else None,
        (tuple(attributes), tuple(map(type, attributes.values()))) if attributes else None,
    )  # fmt: skip


class ObjectReducer:
    """Reduces the annotations of one sample after the other to what a target holds.

    ``labels``: old label key -> new. ``id_base``: number above which ids are assigned. ``bound``: extras tied to
    geometry. ``points``: old label key -> number of keypoints, ``None`` while that is not known.
    """

    def __init__(
        self,
        holds: Holds,
        labels: Mapping[str, str],
        id_base: int,
        bound: frozenset[tuple[str, str]],
        points: Mapping[str, int] | None = None,
    ) -> None:
        self.holds, self.id_base, self.bound, self.points = holds, id_base, bound, points
        self.bounded = any(c.lowest is not None or c.highest is not None for c in (holds.boxes, holds.points))
        self.labels = {old: new for old, new in labels.items() if old != new}
        self.exact = holds.boxes.exact and holds.points.exact
        self._may_drop_boxes = {"box"} not in holds.geometry
        self._without_box: dict[Signature, bool] = {}
        self.remembered: dict[tuple[Any, ...], Reduced] = {}
        self._losses: list[Lost] = []
        self._looked = False

    def foresee(self, annotations: Sequence[Annotation]) -> tuple[Reduced, set[int]] | None:
        """What becomes of all of these objects but those at some positions; ``None`` if they are too different.

        They must be of samples whose :class:`Frame` reaches boxes and points.
        """
        different = deviating(annotations) if len(annotations) > 1 else None
        if different is None:
            return None
        first = annotations[0]
        key: Any = outline(first)
        if self._may_drop_boxes and first.box is not None and first.shape is not None and self._drops_box(first):
            same = [i for i in range(len(annotations)) if i not in different] if different else range(len(annotations))
            told = follow([annotations[i].box for i in same], [annotations[i].shape for i in same])  # type: ignore[misc]
            different.update(i for i, follows_ in zip(same, told, strict=True) if follows_ is not told[0])
            key = (*key, told[0])
        if 2 * len(different) > len(annotations):
            return None
        reduced = self._of_outline(key, first)
        return None if reduced is None else (reduced, different)

    def foresee_columns(self, several: Sequence[Columns]) -> list[Reduced | None]:
        """For each of some objects in columns what becomes of all of them, ``None`` if each has to be looked at."""
        found: list[Reduced | None] = [None] * len(several)
        makes = list(map(make_of, several))
        for make in dict.fromkeys(makes):
            places = [place for place, other in enumerate(makes) if other == make]
            first = several[places[0]][0]
            key = outline(first)
            if key is None:
                continue
            if not (self._may_drop_boxes and make.boxes and first.shape is not None and self._drops_box(first)):
                for place in places:
                    found[place] = self._of_outline(key, first)
            elif make.shapes:
                told = following([several[place] for place in places])
                for follows_ in {True, False}.intersection(told):
                    reduced = self._of_outline((*key, follows_), several[places[told.index(follows_)]][0])
                    for place, other in zip(places, told, strict=True):
                        if other is follows_:
                            found[place] = reduced
        return found

    def _of_outline(self, key: tuple[Any, ...], first: Annotation) -> Reduced | None:
        """What becomes of all objects of an outline, ``None`` if that depends on more. ``first``: one of them."""
        reduced = self.remembered.get(key)
        if reduced is None:
            reduced = self._work_out(first, Frame(None, False, False))
            if not self._remember(key, reduced):
                return None
        return reduced

    def _remember(self, key: tuple[Any, ...], reduced: Reduced) -> bool:
        """Keep what was just worked out for others of the outline; false if these may fare otherwise."""
        if not self._looked and len(self.remembered) < REMEMBERED:
            self.remembered[key] = reduced
        return not self._looked

    def reduce(
        self, annotations: Sequence[Annotation], frame: Frame, number: int, lose: LossSink, alike: Reduced | None = None
    ) -> tuple[Sequence[Annotation], Sequence[int]]:
        """The annotations that stay, and for each the position it came from. ``number``: annotations before these.

        ``alike``: what becomes of all of them, where :meth:`foresee` told it.
        """
        spells = frame.to_relative or not self.exact
        # Boxes alone, exact, with no shape beside them: the one thing left to do is to divide them by the size.
        boxes_only = frame.to_relative and self.exact and self.holds.kinds == {"box"} and not self.bound
        if alike is not None and frame.boxes and frame.points:
            count = len(annotations)
            if alike.changes is None:
                lose.replay_all(alike.losses, count)
                return (), ()
            if (boxes_only or not spells) and not alike.pieces and not (alike.moved and self.bound):
                lose.replay_all(alike.losses, count)
                every = self._change_all(annotations, alike, number, count)
                return _divided(every, frame.size or (1, 1)) if boxes_only else every, range(count)
        kept: list[Annotation] = []
        trace: list[int] = []
        remembered, labels = self.remembered, self.labels
        remembers = frame.boxes and frame.points
        size = frame.size or (1, 1)
        for position, a in enumerate(annotations):
            key = outline(a) if remembers else None
            if key is not None and self._may_drop_boxes and a.box is not None and a.shape is not None and self._drops_box(a):
                key = (*key, follows(a.box, a.shape))
            reduced = remembered.get(key) if key is not None else None
            if reduced is None:
                reduced = self._work_out(a, frame)
                if key is not None:
                    self._remember(key, reduced)
            changes, losses, pieces, moved, numbered = reduced
            if losses:
                lose.replay(losses, position)
            if changes is None:
                continue
            made = replace(a, **changes) if changes else a
            if numbered:
                made = replace(made, id=self._numbers(number + position, 1)[0])
            if labels and a.label in labels:
                made = replace(made, label=labels[a.label])
            if boxes_only and made.box is not None:
                kept.append(replace(made, box=_fractions([made.box], size)[0]))
                trace.append(position)
                continue
            if spells:
                made, pieces, shifted = self._spell(made, pieces, frame, position, lose)
                moved = moved or shifted
            if moved and self.bound and made.extra:
                made = self._unbind(made, position, lose)
            kept.append(made)
            trace.append(position)
            for further, shape in enumerate(pieces[1:], 2):
                # Texts can be told apart for ever; numbers would run into those of other images.
                named = f"{made.id}.{further}" if self.holds.ids_required and isinstance(made.id, str) else None
                kept.append(made.replace(shape=shape, id=named))
                trace.append(position)
                lose("shape.parts", "annotation", None, "further parts become objects of their own", "warning")
        return tuple(kept), tuple(trace)

    def _change_all(
        self, annotations: Sequence[Annotation], alike: Reduced, number: int, count: int
    ) -> Sequence[Annotation]:
        """Objects with the same changes, each with its own id and class."""
        changes, labels = alike.changes, self.labels
        if isinstance(annotations, Columns):
            columns = changed(annotations, changes or {}, labels)
            if columns is not None:
                return with_ids(columns, self._numbers(number, count)) if alike.numbered else columns
        made = [replace(a, **changes) for a in annotations] if changes else annotations
        if alike.numbered:
            made = [replace(a, id=id_) for id_, a in zip(self._numbers(number, count), made, strict=True)]
        if labels:
            made = [replace(a, label=labels.get(a.label, a.label)) for a in made]  # type: ignore[arg-type]
        return tuple(made)

    def _numbers(self, place: int, count: int) -> Sequence[int | str]:
        """The ids of so many objects that are given one. ``place``: how many objects are before them."""
        first = self.id_base + place + 1
        assigned = range(first, first + count)
        return list(map(str, assigned)) if self.holds.ids == "str" else assigned

    def _drops_box(self, a: Annotation) -> bool:
        """Whether an object with a box and this shape has no slot left for the box.

        What is said about it then depends on whether the box follows from the shape, so that is part of the outline.
        """
        signature = (True, None if a.shape is None else a.shape.kind, a.keypoints is not None)
        known = self._without_box.get(signature)
        if known is None:
            known = all(part != "box" for part, _, _ in allocate(self.holds.geometry, signature))
            self._without_box[signature] = known
        return known

    def _lose(self, code: str, aspect: str, detail: str, severity: Severity) -> None:
        self._losses.append(Lost(code, aspect, detail, severity))

    def _work_out(self, a: Annotation, frame: Frame) -> Reduced:
        """What becomes of an object; ``self._looked`` tells whether another of the same outline may fare otherwise."""
        self._losses, self._looked = [], False
        holds = self.holds
        changes: dict[str, Any] = {}
        if a.label is None:
            if holds.labels.only is not None:
                self._lose("label.only", "label", f"all objects are of the class {holds.labels.only!r}", "info")
                changes["label"] = holds.labels.only
            elif holds.labels.required and holds.labels.table:
                self._lose("label.missing", "annotation", "an object without class cannot be written", "warning")
                return Reduced(None, tuple(self._losses))
        elif not holds.labels.table:
            self._lose("label", "label", "the target has no classes", "warning")
            changes["label"] = None
        found = self._geometry(a, frame)
        if found is None:
            return Reduced(None, tuple(loss for loss in self._losses if loss.aspect == "annotation"))
        result, pieces = found
        geometry = {name: value for name, value in result.items() if value is not getattr(a, name)}
        changes.update(geometry)
        numbered = self._facts(a, changes)
        self._looked |= any(value not in _DROPPED_VALUES for value in changes.values())
        return Reduced(changes, tuple(self._losses), tuple(pieces), bool(geometry), numbered)

    def _geometry(self, a: Annotation, frame: Frame) -> tuple[dict[str, Any], list[Shape]] | None:
        """The geometry that stays, and its pieces; ``None`` if the object cannot be written at all."""
        holds = self.holds
        shape, keypoints, box = a.shape, a.keypoints, a.box
        result: dict[str, Any] = {"box": None, "shape": None, "keypoints": None}
        pieces: list[Shape] = []
        if shape is None and keypoints is None and box is None:
            if holds.bare:
                return result, pieces
            self._lose("geometry.none", "annotation", "an object without geometry cannot be written", "warning")
            return None
        if not (frame.boxes or frame.points):
            self._lose("size.unknown", "annotation", "its coordinates need the image size, which is unknown", "error")
            return None
        details: dict[str, str] = {}
        if isinstance(shape, Ellipse) and holds.ellipses != "any":
            shape = self._fit_ellipse(shape, details, frame)
        slots = holds.geometry
        if isinstance(shape, RotatedBox) and holds.turned_needs_size and frame.size is None:
            self._looked = True
            slots = tuple(slot - {"rotated_box"} for slot in slots)
        if isinstance(shape, Cuboid) and holds.cuboids == "faces":
            self._looked = True
            if not all(map(is_upright, (shape.corners[:8], shape.corners[8:]))):
                slots = tuple(slot - {"cuboid"} for slot in slots)
        parts: Mapping[str, Any] = {"box": box, "shape": shape, "keypoints": keypoints}
        signature = (box is not None, None if shape is None else shape.kind, keypoints is not None)
        for part, slot, native in allocate(slots, signature):
            value = parts[part]
            found = value if native else self._step(value, slots[slot], frame)
            if found is None:
                continue
            if not frame.reaches(ladder.kind_of(found)):
                details[part] = "it needs the image size, which is unknown"
                continue
            if isinstance(found, Polygon):
                fitted = self._fit_polygon(found, slots[slot], frame)
                if fitted[0] is not found and native:
                    details[part] = "nested" if holds.polygon_nested else "holes" if found.has_holes else "parts"
                found = fitted[0]
                pieces = fitted if len(fitted) > 1 else []
            elif isinstance(found, Keypoints):
                found = self._fit_keypoints(found, a.label, frame, details)
            elif isinstance(found, Points) and not holds.several_points:
                self._looked = True
                if len(xy := found.points) > 2:
                    details[part] = "parts"
                    pieces = [Points(points=xy[i : i + 2]) for i in range(0, len(xy), 2)]
                    found = pieces[0]
            if found is None:
                continue
            kind = ladder.kind_of(found)
            if not native:
                details[part] = f"becomes a {kind.replace('_', ' ')}"
            result[kind if kind in ("box", "keypoints") else "shape"] = found
        if not self._complete(a, result):
            return None
        if self.bounded and not self._has_room(result, frame, details):
            return None
        if all(value is None for value in result.values()) and not holds.bare:
            kind = shape.kind if shape is not None else "keypoints" if keypoints is not None else "box"
            self._lose(f"annotation.{kind}", "annotation", f"a {kind.replace('_', ' ')} cannot be written", "warning")
            return None
        self._note(a, result, details)
        self._trim(a, result)
        if holds.inside and not self._cut(result, pieces, frame):
            return None
        return result, pieces

    def _step(self, value: ladder.Geometry, slot: frozenset[GeometryKind], frame: Frame) -> ladder.Geometry | None:
        self._looked = True
        for kind in ladder.STEPS[ladder.kind_of(value)]:
            if kind in slot:
                found = ladder.convert(value, kind, frame.size, frame.source_relative)
                if found is not None:
                    return found
        return None

    def _fit_ellipse(self, ellipse: Ellipse, details: dict[str, str], frame: Frame) -> Shape:
        """The ellipse itself if the target can write it, else its outline."""
        self._looked = True
        round_ = close(ellipse.rx, ellipse.ry)
        if ellipse.angle and round_:
            details["shape"] = "a circle without turn"
            ellipse = ellipse.replace(angle=0.0)
        if round_ or (self.holds.ellipses == "upright" and not ellipse.angle):
            return ellipse
        details["shape"] = "becomes a polygon"
        return cast(Polygon, ladder.convert(ellipse, "polygon", frame.size, frame.source_relative))

    def _fit_polygon(self, polygon: Polygon, slot: frozenset[GeometryKind], frame: Frame) -> list[Shape]:
        """The polygon in the pieces the target can write; a mask where it has holes and a mask can be written."""
        nested = self.holds.polygon_nested
        if nested and nest([ring for part in polygon.parts for ring in part]) == polygon.parts:
            return [polygon]
        if nested or (polygon.has_holes and not self.holds.polygon_holes):
            if "mask" in slot:
                mask = ladder.convert(polygon, "mask", frame.size, frame.source_relative)
                if mask is not None:
                    return [cast(Mask, mask)]
            polygon = Polygon(parts=tuple(part if nested and nest(part) == (part,) else part[:1] for part in polygon.parts))
        if len(polygon.parts) > 1 and (nested or not self.holds.polygon_parts):
            if self.holds.join_parts:
                return [Polygon(parts=((bridge([part[0] for part in polygon.parts]),),))]
            return [Polygon(parts=(part,)) for part in polygon.parts]
        return [polygon]

    def _fit_keypoints(
        self, keypoints: Keypoints, label: str | None, frame: Frame, details: dict[str, str]
    ) -> Keypoints | None:
        """As many points as the class has, each with a place or not labelled, where the target has it so."""
        holds, lose = self.holds, self._lose
        number = None if holds.labels.most_keypoints is None or self.points is None else self.points.get(label or "", 0)
        if number is None and holds.keypoint_visibility != "labelled":
            return keypoints
        self._looked = True
        if number == 0:
            details["keypoints"] = "the target names no keypoints for its class"
            return None
        if number is not None and number != len(keypoints):
            lose("keypoints.number", "keypoints", f"{len(keypoints)} points become the {number} of the class", "warning")
            seen = keypoints.visibility or (2,) * len(keypoints)
            more = max(0, number - len(keypoints))
            points = (*keypoints.points[: 2 * number], *[0.0] * (2 * more))
            keypoints = Keypoints(points=points, visibility=(*seen[:number], *[0] * more))
        return self._labelled(keypoints, frame, details) if holds.keypoint_visibility == "labelled" else keypoints

    def _labelled(self, keypoints: Keypoints, frame: Frame, details: dict[str, str]) -> Keypoints | None:
        """Every point visible, or not labelled and without place; nothing if no point is left."""
        xy, lose = keypoints.points, self._lose
        size = None if frame.source_relative else frame.size
        seen: list[int] = []
        points: list[float] = []
        for i, visibility in enumerate(keypoints.visibility or (2,) * len(keypoints)):
            place = xy[2 * i : 2 * i + 2]
            room = not visibility > 0 or has_room(Points(points=place), self.holds, size)
            if not room:
                lose("keypoints.range", "keypoints", "the target has no room for a number of it: not labelled", "warning")
            labelled = visibility > 0 and room
            seen.append(2 if labelled else 0)
            points += place if labelled else (0.0, 0.0)
        if not any(seen):
            details["keypoints"] = "no point of it is labelled"
            return None
        found = Keypoints(points=tuple(points), visibility=tuple(seen))
        if found != keypoints:
            lose("keypoints.visibility", "keypoints", "points are labelled, or have no place", "info")
        return found

    def _has_room(self, result: dict[str, Any], frame: Frame, details: dict[str, str]) -> bool:
        """Take out what has numbers that the target has no room for; false if it needs that."""
        self._looked = True
        size = None if frame.source_relative else frame.size
        for name, value in result.items():
            if value is not None and not has_room(value, self.holds, size):
                if ladder.kind_of(value) in self.holds.required:
                    self._lose(f"{ladder.kind_of(value)}.missing", "annotation", "a number of it has no room", "warning")
                    return False
                result[name] = None
                details[name] = "the target has no room for a number of it"
        return True

    def _complete(self, a: Annotation, result: dict[str, Any]) -> bool:
        """Add the geometry the target requires; false if it cannot be had."""
        for kind in self.holds.required:
            if kind == "box" and result["box"] is None:
                self._looked = True
                values = (a.shape, a.keypoints, *result.values())
                boxes = (ladder.bounds(value) for value in values if value is not None)
                result["box"] = next((box for box in boxes if box is not None), None)
                if result["box"] is None:
                    self._lose("box.missing", "annotation", "has no extent a box could have", "warning")
                    return False
            elif kind != "box" and not any(v is not None and ladder.kind_of(v) == kind for v in result.values()):
                self._lose(f"{kind}.missing", "annotation", f"the target needs {kind}", "warning")
                return False
        return True

    def _note(self, a: Annotation, result: Mapping[str, Any], details: Mapping[str, str]) -> None:
        """Losses of the parts that went away or changed kind."""
        lose = self._lose
        if a.shape is not None and result["shape"] is not a.shape:
            detail = details.get("shape", "not kept")
            code = f"shape.{detail}" if detail in ("holes", "parts", "nested") else f"shape.{a.shape.kind}"
            parts = "parts are joined by bridges" if self.holds.join_parts else "each part becomes an object"
            sentences = {
                "holes": "holes are filled or become a mask", "parts": parts,
                "nested": "rings that are no plain parts and holes become a mask, or objects of their own",
            }  # fmt: skip
            lose(code, "shape", sentences.get(detail, detail), "warning")
        elif a.shape is None and result["shape"] is not None:
            lose("shape.lifted", "shape", f"{result['shape'].kind} made of what was there", "info")
        if a.keypoints is not None and result["keypoints"] is None:
            lose("keypoints", "keypoints", details.get("keypoints", "not kept"), "warning")
        if a.box is not None and result["box"] is None:
            same = False
            if a.shape is not None:
                self._looked |= not self._drops_box(a)
                same = follows(a.box, a.shape)
            text = "follows from the shape" if same else details.get("box", "not kept")
            lose("box.derivable" if same else "box", "box", text, "info" if same else "warning")
        elif a.box is None and result["box"] is not None:
            lose("box.derived", "box", "box made around what was there", "info")

    def _trim(self, a: Annotation, result: dict[str, Any]) -> None:
        """Drop the stated angle and the visibility a target cannot write."""
        shape, keypoints = result["shape"], result["keypoints"]
        if isinstance(shape, RotatedBox) and shape.angle is not None and not self.holds.rotated_angle:
            self._looked = True
            result["shape"] = shape.replace(angle=None)
            if isinstance(a.shape, RotatedBox):
                self._lose("shape.angle", "shape", "the stated angle; the corners are kept", "info")
        rule = self.holds.keypoint_visibility
        seen = keypoints is not None and keypoints.visibility is not None
        if keypoints is not None and (rule == "stated" or (rule not in ("any", "labelled") and seen == (rule != "given"))):
            self._looked = True
            result["keypoints"] = keypoints = self._visibility(keypoints)
        if keypoints is not None and keypoints.visibility is not None and not self.holds.absent_points:
            self._looked = True
            result["keypoints"] = self._without_absent(keypoints, keypoints.visibility)

    def _cut(self, result: dict[str, Any], pieces: list[Shape], frame: Frame) -> bool:
        """Cut boxes and polygons at the edge of the image; false if nothing is left of the object."""
        self._looked = True
        if frame.size is None and not frame.source_relative:
            return True
        width, height = (1, 1) if frame.source_relative else frame.size or (1, 1)
        edge = (0.0, 0.0, float(width), float(height))
        kept = [cut for cut in (cut_at(piece, edge) for piece in pieces) if cut is not None]
        for name in ("box", "shape"):
            cut = None if result[name] is None else cut_at(result[name], edge)
            if name == "shape" and pieces:
                cut = kept[0] if kept else None
            if cut is None and result[name] is not None:
                self._lose("annotation.outside", "annotation", "it lies outside the image", "warning")
                return False
            if cut is not result[name]:
                self._lose(f"{name}.clipped", name, "cut at the edge of the image", "warning")
                result[name] = cut
        pieces[:] = kept
        return True

    def _visibility(self, keypoints: Keypoints) -> Keypoints:
        if keypoints.visibility is None:
            self._lose("keypoints.visibility", "keypoints", "points of unknown visibility become visible", "info")
            return keypoints.replace(visibility=(2,) * len(keypoints))
        seen = keypoints.visibility
        if self.holds.keypoint_visibility in ("coco", "stated") and all(v in (0, 1, 2) for v in seen):
            return keypoints
        self._lose("keypoints.visibility", "keypoints", "visibility is not kept as it was", "warning")
        none = self.holds.keypoint_visibility == "none"
        new = None if none else tuple(v if v in (0, 1, 2) else int(v > 0) * 2 for v in seen)
        return keypoints.replace(visibility=new)

    def _without_absent(self, keypoints: Keypoints, seen: Sequence[float]) -> Keypoints:
        """Points that are not there at 0, 0."""
        places = tuple(v if seen[i // 2] else 0.0 for i, v in enumerate(keypoints.points))
        if places == keypoints.points:
            return keypoints
        self._lose("keypoints.absent", "keypoints", "places of points that are not labelled are not kept", "info")
        return keypoints.replace(points=places)

    def _spell(
        self, a: Annotation, pieces: tuple[Shape, ...], frame: Frame, position: int, lose: LossSink
    ) -> tuple[Annotation, tuple[Shape, ...], bool]:
        """Bring what stays into the frame and precision the target writes. The last: whether anything was rounded."""
        holds, size = self.holds, frame.size
        spelled_size = None if frame.source_relative else size
        changes: dict[str, Any] = {}
        for name, exact in (("box", holds.boxes.exact), ("shape", holds.points.exact), ("keypoints", holds.points.exact)):
            value = getattr(a, name)
            if value is None or exact or type(value) is Mask:
                continue
            moved = respell(value, holds, spelled_size)
            if moved != value and not near(numbers(moved), numbers(value)):
                lose(f"precision.{name}", name, position, "rounded to what the target writes", "info")
                changes[name] = moved
                if name == "shape":
                    pieces = tuple(respell(piece, holds, spelled_size) for piece in pieces)
        rounded = bool(changes)
        if frame.to_relative and size is not None:
            sx, sy = 1 / size[0], 1 / size[1]
            for name in ("box", "shape", "keypoints"):
                value = changes.get(name, getattr(a, name))
                if value is not None and type(value) is not Mask:
                    changes[name] = map_points(value, sx, sy)
            pieces = tuple(map_points(piece, sx, sy) for piece in pieces)
        return (a.replace(**changes) if changes else a), pieces, rounded

    def _unbind(self, a: Annotation, position: int, lose: LossSink) -> Annotation:
        """Without the facts about a geometry that is no longer there."""
        extra = {}
        for owner, bag in a.extra.items():
            if isinstance(bag, dict) and any((owner, k) in self.bound for k in bag):
                bag = {k: v for k, v in bag.items() if (owner, k) not in self.bound}
                lose(f"extra.{owner}", f"extra.{owner}", position, "facts about the old geometry", "info")
                if not bag:
                    continue
            extra[owner] = bag
        return a.replace(extra=extra)

    def _facts(self, a: Annotation, changes: dict[str, Any]) -> bool:
        """Everything but geometry and class. Returns whether the object needs an id."""
        holds, lose = self.holds, self._lose
        if holds.implied and a.label is not None:
            self._looked = True
        implied = holds.implied.get(self.labels.get(a.label, a.label), {}) if holds.implied and a.label else {}
        if a.attributes or implied:
            said = {name: value for name, value in a.attributes.items() if name not in implied} if implied else a.attributes
            self._looked |= looks_at_values(said, holds.attributes, holds.flags, holds.defaults)
            sink = _Unplaced(self._losses)
            changed = reduce_attributes(said, holds.attributes, holds.flags, holds.defaults, None, sink)
            for name, value in implied.items():
                if name not in a.attributes or (a.attributes[name], type(a.attributes[name])) != (value, type(value)):
                    lose(f"attributes.{name}", f"attributes.{name}", f"{value!r}, which the class says", "info")
            if changed is not None or len(said) < len(a.attributes) or implied:
                changes["attributes"] = {**(said if changed is None else changed), **implied}
        if a.extra:
            reduced, gone = reduce_extra(a.extra, holds)
            for owner in gone:
                lose(f"extra.{owner}", f"extra.{owner}", f"fields only {owner} knows", "info")
            if gone:
                changes["extra"] = reduced
        if a.text is not None and holds.text and not holds.ignored_text and "ignore" in a.attributes:
            self._looked = True
            if changes.get("attributes", a.attributes).get("ignore") is True:
                lose("text", "text", "a mark for what is to be ignored stands in its place", "warning")
                changes["text"] = None
        for field in ("score", "text", "layer"):
            if getattr(a, field) is not None and not getattr(holds, field):
                lose(field, field, "not kept", "warning")
                changes[field] = None
        for field, kind in (("track", holds.track), ("group", holds.group), ("parent", holds.parent)):
            value = getattr(a, field)
            if value is not None:
                kept = fit_id(value, kind)
                if kept != value or type(kept) is not type(value):
                    lose(field, field, "not kept" if kept is None else "kept as text", "warning")
                    changes[field] = kept
        kept = fit_id(a.id, holds.ids)
        numbered = kept is None and holds.ids_required
        if kept != a.id or numbered:
            text = "numbered" if numbered or kept is not None else "not kept"
            lose("id.assigned" if a.id is None else "id", "id", text, "info")
            changes["id"] = kept
        return numbered


def _divided(annotations: Sequence[Annotation], size: tuple[int, int]) -> Sequence[Annotation]:
    """Objects with their boxes as fractions of the size; each has one."""
    if isinstance(annotations, Columns) and annotations.boxes is not None:
        return with_boxes(annotations, Boxes.of(_fractions(annotations.boxes, size)))
    boxes = _fractions([a.box for a in annotations], size)  # type: ignore[misc]
    return tuple([replace(a, box=box) for a, box in zip(annotations, boxes, strict=True)])


def _fractions(boxes: Iterable[Box], size: tuple[int, int]) -> list[Box]:
    width, height = size
    return [(x0 / width, y0 / height, x1 / width, y1 / height) for x0, y0, x1, y1 in boxes]


class _Unplaced(LossSink):
    """Collects losses of one object without its position."""

    def __init__(self, losses: list[Lost]) -> None:
        self.losses = losses

    def __call__(self, code: str, aspect: str, position: int | None, detail: str, severity: Severity) -> None:
        self.losses.append(Lost(code, aspect, detail, severity))


__all__ = ["Frame", "ObjectReducer", "allocate"]
