"""Reduce a sample to what a target holds. The one place where anything is dropped, and each drop is a loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, cast

from labelglot.holds import GeometryKind, Holds, IdKind, ValueKind, value_kind
from labelglot.projection import ladder
from labelglot.projection.labels import LabelPlan, project_labels, reduce_extra
from labelglot.projection.naming import Entry, image_stem, plan_names, target_splits
from labelglot.report import Loss, Severity
from labelglot.schema.annotation import Annotation, Tag
from labelglot.schema.base import Attribute, Id
from labelglot.schema.dataset import Dataset, Info
from labelglot.schema.sample import Sample
from labelglot.schema.shape import Ellipse, Keypoints, Mask, Polygon, RotatedBox, Shape
from labelglot.tolerance import close_numbers

Lose = Callable[[str, str, int | None, str, Severity], None]
"""Called for each loss with code, aspect, position of the annotation, detail, severity."""


class Projected(NamedTuple):
    """A reduced sample (``None``: dropped as a whole), the losses, and for each annotation its source position."""

    sample: Sample | None
    losses: tuple[Loss, ...]
    trace: tuple[int, ...]


class Plan(NamedTuple):
    """What the projection of one sample must know of the whole dataset. Picklable.

    ``labels``: old label key -> new. ``paths``: sample key -> path in the target, for those that change.
    ``images``: image files reach the target, so a size that the target does not write survives in them.
    ``id_base``/``sample_id_base``: numbers above which ids are assigned. ``renumber``: sample ids repeat.
    ``bound``: extras tied to geometry (see ``Format.geometry_bound_extra``).
    """

    labels: Mapping[str, str]
    paths: Mapping[str, str] = {}
    images: bool = True
    id_base: int = 0
    sample_id_base: int = 0
    renumber: bool = False
    bound: frozenset[tuple[str, str]] = frozenset()


NO_PLAN = Plan({})


def project(sample: Sample, holds: Holds, plan: Plan = NO_PLAN, ordinal: int = 0, number: int = 0) -> Projected:
    """Reduce a sample. Pure. ``ordinal``: its position in the dataset, ``number``: annotations before it."""
    losses: list[Loss] = []

    def lose(code: str, aspect: str, position: int | None, detail: str, severity: Severity) -> None:
        losses.append(Loss(code, aspect, sample.key, position, detail, severity))

    result, trace = reduce_sample(sample, holds, plan, ordinal, number, lose)
    return Projected(result, tuple(losses), trace)


def reduce_sample(
    sample: Sample, holds: Holds, plan: Plan, ordinal: int, number: int, lose: Lose
) -> tuple[Sample | None, tuple[int, ...]]:
    """The engine's form of :func:`project`: losses go to a callback, which may merely count them."""
    if not sample.annotations and not sample.tags and not holds.empty:
        lose("sample.empty", "sample", None, "images without objects cannot be written", "warning")
        return None, ()
    changes: dict[str, object] = {}
    _identity(sample, holds, plan, ordinal, changes, lose)
    relative, reachable = _frame(sample, holds, plan, changes, lose)
    _sample_fields(sample, holds, plan, changes, lose)
    trace: tuple[int, ...] = ()
    if sample.annotations is None:
        if not holds.unlabelled:
            lose("sample.unlabelled", "annotations", None, "becomes an image without objects", "warning")
            changes["annotations"] = ()
    elif sample.annotations:
        worker = _Objects(sample, holds, plan, relative, reachable, number, lose)
        changes["annotations"], trace = worker.reduce(sample.annotations)
        if not changes["annotations"] and not holds.empty and not changes.get("tags", sample.tags):
            lose("sample.empty", "sample", None, "nothing of it can be written", "warning")
            return None, ()
    return (sample.replace(**changes) if changes else sample), trace


def _identity(sample: Sample, holds: Holds, plan: Plan, ordinal: int, changes: dict[str, object], lose: Lose) -> None:
    path = plan.paths.get(sample.key, sample.path)
    if not holds.naming.suffix and not (plan.images and sample.image is not None):
        path = image_stem(path)
    if path != sample.path:
        lose("path.renamed", "path", None, f"written as {path}", "warning")
        changes["path"] = path
    given = sample.id
    kept = None if plan.renumber and holds.sample_ids_required else fit_id(given, holds.sample_ids)
    if kept is None and holds.sample_ids_required:
        kept = plan.sample_id_base + ordinal + 1
        if holds.sample_ids == "str":
            kept = str(kept)
    if kept != given:
        code = "id.sample_assigned" if given is None else "id.sample"
        lose(code, "id", None, f"becomes {kept!r}" if kept is not None else "not kept", "info")
        changes["id"] = kept


def fit_id(value: Id | None, kind: IdKind) -> Id | None:
    """``value`` if a target with ids of ``kind`` can keep it as it is, else ``None``."""
    if value is None or kind == "none":
        return None
    if kind == "any":
        return value
    if kind == "int":
        return value if isinstance(value, int) else None
    return str(value)


def _frame(sample: Sample, holds: Holds, plan: Plan, changes: dict[str, object], lose: Lose) -> tuple[bool, bool]:
    """(coordinates are fractions in the target, boxes and points can be expressed at all)."""
    survives = holds.size or (plan.images and sample.image is not None)
    relative_target = holds.boxes.needs_size or holds.points.needs_size
    if sample.size is None:
        kept = sample.units if holds.relative else "relative" if relative_target else "pixels"
        if kept != sample.units:
            lose("units", "units", None, f"{sample.units}, which needs the size, becomes {kept}", "info")
            changes["units"] = kept
        return kept == "relative", kept == sample.units
    if not survives:
        lose("size", "size", None, "not written, and the image itself is not at hand", "info")
        changes["size"] = None
        if relative_target:
            changes["units"] = "relative"
            return True, True
    return False, True


def _sample_fields(sample: Sample, holds: Holds, plan: Plan, changes: dict[str, object], lose: Lose) -> None:
    splits = target_splits(sample.splits, holds)
    if splits != sample.splits:
        shown = "+".join(sample.splits) or "no split"
        lose("split", "splits", None, f"{shown} becomes {'+'.join(splits) or 'no split'}", "warning")
        changes["splits"] = splits
    for field in ("uri", "sequence", "frame", "timestamp"):
        if getattr(sample, field) is not None and not getattr(holds, field):
            lose(f"sample.{field}", field, None, "not kept", "info" if field == "uri" else "warning")
            changes[field] = None
    if sample.attributes:
        changed = _attributes(sample.attributes, holds.sample_attributes, {}, {}, None, lose)
        if changed is not None:
            changes["attributes"] = changed
    if sample.extra:
        extra, gone = reduce_extra(sample.extra, holds)
        for owner in gone:
            lose(f"extra.{owner}", f"extra.{owner}", None, f"fields only {owner} knows", "info")
        if gone:
            changes["extra"] = extra
    if sample.tags:
        changes["tags"] = _tags(sample.tags, holds, plan, lose)


def _attributes(
    attributes: Mapping[str, Attribute],
    free: frozenset[ValueKind],
    named: Mapping[str, frozenset[ValueKind]],
    defaults: Mapping[str, Attribute],
    position: int | None,
    lose: Lose,
) -> dict[str, Attribute] | None:
    """The attributes that can stay, or ``None`` if all can."""
    changed: dict[str, Attribute] | None = None
    for key, value in attributes.items():
        allowed = named.get(key, free)
        kind = value_kind(value)
        if kind in allowed and key not in defaults:
            continue
        kept, detail = _fitted(value, kind, allowed)
        if key in defaults and kept is not _GONE and (kept, type(kept)) == (defaults[key], type(defaults[key])):
            kept, detail = _GONE, "the same as nothing said"
        if kept is value:
            continue
        if changed is None:
            changed = dict(attributes)
        code = f"attributes.{key}"
        if kept is _GONE:
            del changed[key]
            lose(code, code, position, detail, "info" if key in defaults and detail != "not kept" else "warning")
        else:
            changed[key] = cast(Attribute, kept)
            lose(code, code, position, detail, "info")
    return changed


_GONE = object()


def _fitted(value: Attribute, kind: ValueKind, allowed: frozenset[ValueKind]) -> tuple[object, str]:
    """The value as the target can hold it, and what that did to it."""
    if kind in allowed:
        return value, ""
    if "bool" in allowed and kind in ("int", "float") and value in (0, 1):
        return bool(value), "kept as yes or no"
    if "str" in allowed and kind != "null":
        return as_text(value), "kept as text"
    return _GONE, "not kept"


def as_text(value: Attribute) -> str:
    """An attribute value as text: ``true``/``false``, shortest exact numbers, lists joined by commas."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value)


def _tags(tags: tuple[Tag, ...], holds: Holds, plan: Plan, lose: Lose) -> tuple[Tag, ...]:
    rules = holds.tags
    if rules is None:
        lose("tags", "tags", None, "image-level labels cannot be written", "warning")
        return ()
    kept: list[Tag] = []
    labels = captions = 0
    for tag in tags:
        limit = rules.captions if tag.text is not None else rules.labels
        number = captions if tag.text is not None else labels
        if limit == "none" or (limit == "one" and number) or (tag.negative and not rules.negative):
            what = "caption" if tag.text is not None else "negative" if tag.negative else "label"
            lose(f"tags.{what}", "tags", None, f"a {what} of an image cannot be written", "warning")
            continue
        captions += tag.text is not None
        labels += tag.text is None
        kept.append(_tag(tag, holds, plan, lose))
    return tuple(kept)


def _tag(tag: Tag, holds: Holds, plan: Plan, lose: Lose) -> Tag:
    rules = holds.tags
    assert rules is not None
    changes: dict[str, object] = {}
    if tag.label is not None and plan.labels.get(tag.label, tag.label) != tag.label:
        changes["label"] = plan.labels[tag.label]
    if tag.score is not None and not rules.score:
        lose("tags.score", "tags", None, "scores of image labels are not kept", "warning")
        changes["score"] = None
    if tag.layer is not None and not rules.layer:
        lose("tags.layer", "tags", None, "who made an image label is not kept", "info")
        changes["layer"] = None
    attributes = {k: v for k, v in tag.attributes.items() if value_kind(v) in rules.attributes}
    if len(attributes) != len(tag.attributes):
        lose("tags.attributes", "tags", None, "attributes of image labels are not kept", "warning")
        changes["attributes"] = attributes
    extra, gone = reduce_extra(tag.extra, holds)
    if gone:
        lose("tags.extra", "tags", None, "fields only the source format knows", "info")
        changes["extra"] = extra
    return tag.replace(**changes) if changes else tag


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


class _Objects:
    """Reduces the annotations of one sample."""

    def __init__(
        self, sample: Sample, holds: Holds, plan: Plan, relative: bool, reachable: bool, number: int, lose: Lose
    ) -> None:
        self.holds, self.plan, self.lose = holds, plan, lose
        self.source_relative = sample.units == "relative"
        self.to_relative = relative and not self.source_relative
        self.size = sample.size
        self.reachable = reachable
        self.number = number
        self.slots = holds.geometry
        self.relative = relative
        self.exact = holds.boxes.exact and holds.points.exact

    def reduce(self, annotations: Sequence[Annotation]) -> tuple[tuple[Annotation, ...], tuple[int, ...]]:
        kept: list[Annotation] = []
        trace: list[int] = []
        for position, annotation in enumerate(annotations):
            pieces = self._annotation(annotation, position)
            for piece in pieces:
                kept.append(piece)
                trace.append(position)
            for _ in pieces[1:]:
                self.lose("shape.parts", "annotation", position, "further parts become objects of their own", "warning")
        return tuple(kept), tuple(trace)

    def _annotation(self, a: Annotation, position: int) -> list[Annotation]:
        holds, lose = self.holds, self.lose
        changes: dict[str, Any] = {}
        if a.label is None:
            if holds.labels.required and holds.labels.table:
                lose("label.missing", "annotation", position, "an object without class cannot be written", "warning")
                return []
        elif not holds.labels.table:
            lose("label", "label", position, "the target has no classes", "warning")
            changes["label"] = None
        else:
            key = self.plan.labels.get(a.label, a.label)
            if key != a.label:
                changes["label"] = key
        shapes = self._geometry(a, position, changes)
        if shapes is None:
            return []
        self._facts(a, position, changes)
        if not changes:
            return [a]
        first = a.replace(**changes)
        return [first, *(first.replace(shape=shape, id=None) for shape in shapes[1:])]

    def _geometry(self, a: Annotation, position: int, changes: dict[str, Any]) -> list[Shape] | None:
        """Fill ``changes`` with the geometry that stays; ``None`` if the object cannot be written at all."""
        lose, holds = self.lose, self.holds
        shape, keypoints, box = a.shape, a.keypoints, a.box
        if shape is None and keypoints is None and box is None:
            if holds.bare:
                return []
            lose("geometry.none", "annotation", position, "an object without geometry cannot be written", "warning")
            return None
        if not self.reachable:
            lose(
                "size.unknown", "annotation", position, "its coordinates need the image size, which is unknown", "error"
            )
            return None
        result: dict[str, Any] = {"box": None, "shape": None, "keypoints": None}
        pieces: list[Shape] = []
        signature = (box is not None, None if shape is None else shape.kind, keypoints is not None)
        details: dict[str, str] = {}
        for part, slot, native in allocate(self.slots, signature):
            value = getattr(a, part)
            found = value if native else self._step(value, self.slots[slot])
            if found is None:
                continue
            if isinstance(found, Polygon):
                fitted = self._fit_polygon(found, self.slots[slot])
                if not fitted:
                    continue
                if fitted[0] is not found and native:
                    details[part] = "holes" if found.has_holes else "parts"
                found, pieces = fitted[0], fitted
            kind = ladder.kind_of(found)
            if not native:
                details[part] = f"becomes a {kind.replace('_', ' ')}"
            result[kind if kind in ("box", "keypoints") else "shape"] = found
        for kind in holds.required:
            if kind == "box" and result["box"] is None:
                result["box"] = self._derived_box(a, result)
                if result["box"] is None:
                    lose("box.missing", "annotation", position, "has no extent a box could have", "warning")
                    return None
            elif kind != "box" and not any(v is not None and ladder.kind_of(v) == kind for v in result.values()):
                lose(f"{kind}.missing", "annotation", position, f"the target needs {kind}", "warning")
                return None
        if all(value is None for value in result.values()) and not holds.bare:
            self._lost_whole(a, position)
            return None
        self._note(a, position, result, details)
        self._spell(a, position, result, pieces)
        moved = False
        for name, value in result.items():
            if value is not getattr(a, name):
                changes[name] = value
                moved = True
        if moved and self.plan.bound and a.extra:
            changes["extra"] = self._unbound(a, position)
        return pieces

    def _step(self, value: ladder.Geometry, slot: frozenset[GeometryKind]) -> ladder.Geometry | None:
        for kind in ladder.STEPS[ladder.kind_of(value)]:
            if kind in slot:
                found = ladder.convert(value, kind, self.size, self.source_relative)
                if found is not None:
                    return found
        return None

    def _fit_polygon(self, polygon: Polygon, slot: frozenset[GeometryKind]) -> list[Shape]:
        """The polygon in the pieces the target can write; a mask where it has holes and a mask can be written."""
        if polygon.has_holes and not self.holds.polygon_holes:
            if "mask" in slot:
                mask = ladder.convert(polygon, "mask", self.size, self.source_relative)
                if mask is not None:
                    return [cast(Mask, mask)]
            polygon = Polygon.trusted(parts=tuple(part[:1] for part in polygon.parts))
        if len(polygon.parts) > 1 and not self.holds.polygon_parts:
            return [Polygon.trusted(parts=(part,)) for part in polygon.parts]
        return [polygon]

    def _derived_box(self, a: Annotation, result: Mapping[str, Any]) -> Any:
        for value in (a.shape, a.keypoints, *result.values()):
            box = None if value is None else ladder.bounds(value)
            if box is not None:
                return box
        return None

    def _lost_whole(self, a: Annotation, position: int) -> None:
        kind = a.shape.kind if a.shape is not None else "keypoints" if a.keypoints is not None else "box"
        self.lose(
            f"annotation.{kind}", "annotation", position, f"a {kind.replace('_', ' ')} cannot be written", "warning"
        )

    def _note(self, a: Annotation, position: int, result: Mapping[str, Any], details: Mapping[str, str]) -> None:
        """Losses of the parts that went away or changed kind."""
        lose = self.lose
        if a.shape is not None and result["shape"] is not a.shape:
            detail = details.get("shape", "not kept")
            code = f"shape.{detail}" if detail in ("holes", "parts") else f"shape.{a.shape.kind}"
            sentences = {"holes": "holes are filled or become a mask", "parts": "each part becomes an object"}
            lose(code, "shape", position, sentences.get(detail, detail), "warning")
        elif a.shape is None and result["shape"] is not None:
            lose("shape.lifted", "shape", position, f"{result['shape'].kind} made of what was there", "info")
        if a.keypoints is not None and result["keypoints"] is None:
            lose("keypoints", "keypoints", position, details.get("keypoints", "not kept"), "warning")
        if a.box is not None and result["box"] is None:
            same = a.shape is not None and _near(ladder.bounds(a.shape), a.box)
            text = "follows from the shape" if same else details.get("box", "not kept")
            lose("box.derivable" if same else "box", "box", position, text, "info" if same else "warning")
        elif a.box is None and result["box"] is not None:
            lose("box.derived", "box", position, "box made around what was there", "info")

    def _spell(self, a: Annotation, position: int, result: dict[str, Any], pieces: list[Shape]) -> None:
        """Bring what stays into the frame and precision the target writes."""
        holds = self.holds
        shape, keypoints = result["shape"], result["keypoints"]
        if isinstance(shape, RotatedBox) and shape.angle is not None and not holds.rotated_angle:
            result["shape"] = shape = shape.replace(angle=None)
            if isinstance(a.shape, RotatedBox):
                self.lose("shape.angle", "shape", position, "the stated angle; the corners are kept", "info")
        if keypoints is not None and keypoints.visibility is not None:
            result["keypoints"] = keypoints = self._visibility(keypoints, position)
        if self.exact and not self.to_relative:
            return
        size = self.size
        spelled_size = None if self.relative and self.source_relative else size
        for name, value in result.items():
            if value is None or isinstance(value, Mask):
                continue
            moved = self._respell(value, spelled_size)
            if not _near(_numbers(moved), _numbers(value)):
                self.lose(f"precision.{name}", name, position, "rounded to what the target writes", "info")
                if name == "shape" and pieces:
                    pieces[:] = [cast(Shape, self._respell(piece, spelled_size)) for piece in pieces]
                result[name] = moved
            if self.to_relative and size is not None:
                result[name] = map_points(result[name], 1 / size[0], 1 / size[1])
        if self.to_relative and size is not None and len(pieces) > 1:
            pieces[:] = [cast(Shape, map_points(p, 1 / size[0], 1 / size[1])) for p in pieces]

    def _respell(self, value: Any, size: tuple[int, int] | None) -> Any:
        boxes, points = self.holds.boxes, self.holds.points
        if isinstance(value, tuple):
            return boxes.read_box(boxes.write_box(cast(Any, value), size), size)
        if isinstance(value, Ellipse):
            x, y = points.read_points(points.write_points((value.cx, value.cy), size), size)
            return value.replace(cx=x, cy=y, rx=points.quantise(value.rx), ry=points.quantise(value.ry))
        return _map_rings(value, lambda ring: points.read_points(points.write_points(ring, size), size))

    def _visibility(self, keypoints: Keypoints, position: int) -> Keypoints:
        rule = self.holds.keypoint_visibility
        seen = keypoints.visibility
        assert seen is not None
        if rule == "any" or (rule == "coco" and all(v in (0, 1, 2) for v in seen)):
            return keypoints
        self.lose("keypoints.visibility", "keypoints", position, "visibility is not kept as it was", "warning")
        new = None if rule == "none" else tuple(v if v in (0, 1, 2) else int(v > 0) * 2 for v in seen)
        return keypoints.replace(visibility=new)

    def _unbound(self, a: Annotation, position: int) -> dict[str, Any]:
        extra = {}
        for owner, bag in a.extra.items():
            if isinstance(bag, dict) and any((owner, k) in self.plan.bound for k in bag):
                bag = {k: v for k, v in bag.items() if (owner, k) not in self.plan.bound}
                self.lose(f"extra.{owner}", f"extra.{owner}", position, "facts about the old geometry", "info")
            extra[owner] = bag
        return extra

    def _facts(self, a: Annotation, position: int, changes: dict[str, Any]) -> None:
        holds, lose = self.holds, self.lose
        if a.attributes:
            changed = _attributes(a.attributes, holds.attributes, holds.flags, holds.defaults, position, lose)
            if changed is not None:
                changes["attributes"] = changed
        extra = changes.get("extra", a.extra)
        if extra:
            reduced, gone = reduce_extra(extra, holds)
            for owner in gone:
                lose(f"extra.{owner}", f"extra.{owner}", position, f"fields only {owner} knows", "info")
            if gone:
                changes["extra"] = reduced
        for field in ("score", "text", "layer"):
            if getattr(a, field) is not None and not getattr(holds, field):
                lose(field, field, position, "not kept", "warning")
                changes[field] = None
        for field, kind in (("track", holds.track), ("group", holds.group), ("parent", holds.parent)):
            value = getattr(a, field)
            if value is not None:
                kept = fit_id(value, kind)
                if kept != value or type(kept) is not type(value):
                    lose(field, field, position, "not kept" if kept is None else "kept as text", "warning")
                    changes[field] = kept
        kept = fit_id(a.id, holds.ids)
        if kept is None and holds.ids_required:
            kept = self.plan.id_base + self.number + position + 1
            if holds.ids == "str":
                kept = str(kept)
        if kept != a.id:
            lose("id.assigned" if a.id is None else "id", "id", position, "numbered" if kept else "not kept", "info")
            changes["id"] = kept


def map_points(value: Any, sx: float, sy: float) -> Any:
    """A geometry with x and y scaled. Masks stay as they are."""
    if isinstance(value, tuple):
        return (value[0] * sx, value[1] * sy, value[2] * sx, value[3] * sy)
    if isinstance(value, Ellipse):
        return value.replace(cx=value.cx * sx, cy=value.cy * sy, rx=value.rx * sx, ry=value.ry * sy)
    if isinstance(value, Mask):
        return value
    return _map_rings(value, lambda ring: tuple(v * (sy if i % 2 else sx) for i, v in enumerate(ring)))


def _map_rings(value: Any, function: Callable[[tuple[float, ...]], tuple[float, ...]]) -> Any:
    if isinstance(value, Polygon):
        return value.replace(parts=tuple(tuple(function(ring) for ring in part) for part in value.parts))
    if hasattr(value, "corners"):
        return value.replace(corners=function(value.corners))
    return value.replace(points=function(value.points))


def _numbers(value: Any) -> tuple[float, ...]:
    if isinstance(value, tuple):
        return value
    if isinstance(value, Polygon):
        return tuple(v for part in value.parts for ring in part for v in ring)
    if isinstance(value, Ellipse):
        return (value.cx, value.cy, value.rx, value.ry, value.angle)
    return tuple(value.corners if hasattr(value, "corners") else value.points)


def _near(a: Sequence[float] | None, b: Sequence[float] | None) -> bool:
    return a is not None and b is not None and close_numbers(a, b)


class ProjectedDataset(NamedTuple):
    """A dataset in memory reduced to a target, with all losses and the trace of each sample by key."""

    dataset: Dataset
    losses: tuple[Loss, ...]
    traces: dict[str, tuple[int, ...]]
    labels: LabelPlan
    paths: Mapping[str, str]


def project_info(info: Info, holds: Holds) -> tuple[Info, tuple[Loss, ...]]:
    """Reduce what a dataset says about itself."""
    losses = []
    changes: dict[str, object] = {}
    for field in ("name", "description", "version", "licenses", "url"):
        if getattr(info, field) not in (None, ()) and field not in holds.info:
            losses.append(Loss(f"info.{field}", f"info.{field}", None, None, "not kept", "info"))
            changes[field] = Info.model_fields[field].default
    extra, gone = reduce_extra(info.extra, holds)
    for owner in gone:
        losses.append(Loss(f"info.extra.{owner}", f"info.extra.{owner}", None, None, "not kept", "info"))
    if gone:
        changes["extra"] = extra
    return (info.replace(**changes) if changes else info), tuple(losses)


def used_after(samples: Iterable[Sample], holds: Holds) -> tuple[str, ...]:
    """Keys of labels that still occur once the samples are reduced, in order of appearance."""
    used: dict[str, None] = {}
    for sample in samples:
        reduced = project(sample, holds).sample
        if reduced is None:
            continue
        items: list[Tag | Annotation] = [*reduced.tags, *(reduced.annotations or ())]
        for item in items:
            if item.label is not None:
                used.setdefault(item.label)
    return tuple(used)


def project_dataset(
    dataset: Dataset, holds: Holds, images: bool = True, bound: frozenset[tuple[str, str]] = frozenset()
) -> ProjectedDataset:
    """Reduce a whole dataset in memory: what a round trip through a format that holds ``holds`` must return."""
    samples = tuple(dataset)
    complete = dataset.complete()
    names = plan_names((Entry(s.key, s.path, s.splits, s.id) for s in samples), holds)
    holds = names.holds
    labels = project_labels(complete.labels, holds, used_after(samples, holds))
    info, info_losses = project_info(dataset.info, holds)
    losses = list(labels.losses) + list(info_losses)
    highest = max((a.id for s in samples for a in s.annotations or () if isinstance(a.id, int)), default=0)
    plan = Plan(labels.keys, names.paths, images, max(highest, 0), names.sample_id_base, names.renumber, bound)
    kept: list[Sample] = []
    traces: dict[str, tuple[int, ...]] = {}
    number = 0
    for ordinal, sample in enumerate(samples):
        done = project(sample, holds, plan, ordinal, number)
        number += len(sample.annotations or ())
        losses += done.losses
        traces[sample.key] = done.trace
        if done.sample is not None:
            kept.append(done.sample)
    reduced = Dataset(kept, labels.labels, info, dataset.provenance)
    return ProjectedDataset(reduced, tuple(losses), traces, labels, names.paths)


__all__ = [
    "NO_PLAN",
    "Lose",
    "Plan",
    "Projected",
    "ProjectedDataset",
    "allocate",
    "as_text",
    "fit_id",
    "map_points",
    "project",
    "project_dataset",
    "project_info",
    "reduce_sample",
]
