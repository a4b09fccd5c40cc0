"""Reduce a sample to what a target holds. The one place where anything is dropped, and each drop is a loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from msgspec.structs import replace

from labelglot.holds import Holds, value_kind
from labelglot.projection.alike import without
from labelglot.projection.facts import fit_id, reduce_attributes
from labelglot.projection.labels import LabelPlan, project_labels, reduce_extra
from labelglot.projection.losses import HeldLosses, LossList, LossSink
from labelglot.projection.naming import Entries, image_stem, plan_names, target_splits
from labelglot.projection.objects import REMEMBERED, Frame, ObjectReducer, Reduced
from labelglot.projection.pixels import joined_last, one_per_class, one_per_pixel
from labelglot.report import Loss, Severity
from labelglot.schema.annotation import Annotation, Tag
from labelglot.schema.columns import as_columns
from labelglot.schema.dataset import Dataset, Info
from labelglot.schema.sample import Sample


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
    ``bound``: extras tied to geometry (see ``Format.geometry_bound_extra``). ``points``: old label key -> number of keypoints
    in the target, ``None`` while that is not known.
    """

    labels: Mapping[str, str]
    paths: Mapping[str, str] = {}
    images: bool = True
    id_base: int = 0
    sample_id_base: int = 0
    renumber: bool = False
    bound: frozenset[tuple[str, str]] = frozenset()
    points: Mapping[str, int] | None = None


NO_PLAN = Plan({})


def project(sample: Sample, holds: Holds, plan: Plan = NO_PLAN, ordinal: int = 0, number: int = 0) -> Projected:
    """Reduce a sample. Pure. ``ordinal``: its position in the dataset, ``number``: annotations before it."""
    losses = LossList(sample.key)
    result, trace = SampleReducer(holds, plan).reduce(sample, ordinal, number, losses)
    return Projected(result, tuple(losses.losses), tuple(trace))


class Outer(NamedTuple):
    """What becomes of a sample besides its objects. ``changes``: fields that change, ``None``: it is dropped.

    ``frame``: coordinates are fractions in the target, boxes can be expressed at all, points can.
    """

    changes: dict[str, object] | None
    frame: tuple[bool, bool, bool] = (False, True, True)
    losses: tuple[tuple[str, str, int | None, str, Severity], ...] = ()


DROPPED = Outer(None)


class SampleReducer:
    """Reduces one sample after the other to what a target holds; the engine's form of :func:`project`."""

    def __init__(self, holds: Holds, plan: Plan) -> None:
        self.holds, self.plan = holds, plan
        self.objects = ObjectReducer(holds, plan.labels, plan.id_base, plan.bound, plan.points)
        self.remembered: dict[tuple[object, ...], Outer] = {}

    def foresee(self, samples: Sequence[Sample]) -> Sequence[Reduced | None]:
        """For each sample what becomes of all its objects, if it is the same for all of them; for :meth:`reduce`."""
        columns = [as_columns(sample.annotations) for sample in samples]
        several = [found for found in columns if found is not None]
        if not several:
            return self._foresee(samples)
        known = iter(self.objects.foresee_columns(several))
        others = iter(self._foresee([sample for sample, found in zip(samples, columns, strict=True) if found is None]))
        return [next(others if found is None else known) for found in columns]

    def _foresee(self, samples: Sequence[Sample]) -> Sequence[Reduced | None]:
        listed = [sample.annotations or () for sample in samples]
        found = self.objects.foresee(list(chain.from_iterable(listed)))
        if found is None:
            return [None] * len(samples)
        reduced, different = found
        if not different:
            return [reduced] * len(samples)
        return [reduced if alike else None for alike in without(different, list(map(len, listed)))]

    def reduce(
        self, sample: Sample, ordinal: int, number: int, lose: LossSink, alike: Reduced | None = None
    ) -> tuple[Sample | None, Sequence[int]]:
        """The sample as the target holds it (``None``: not at all), and the source position of each annotation.

        ``alike``: what :meth:`foresee` told of it.
        """
        empty = not sample.annotations
        outer = self._outer(sample, empty, lose)
        if outer.changes is None:
            return None, ()
        changes = dict(outer.changes)
        _identity(sample, self.holds, self.plan, ordinal, changes, lose)
        if sample.uri is not None:
            _uri(sample, self.holds, self.plan, changes, lose)
        trace: Sequence[int] = ()
        if not empty:
            relative, boxes, points = outer.frame
            from_fractions = sample.units == "relative"
            frame = Frame(sample.size, from_fractions, relative and not from_fractions, boxes, points)
            changes["annotations"], trace = self._objects(sample, frame, number, lose, alike)
            if not self.holds.empty and not (changes["annotations"] or changes.get("tags", sample.tags)):
                lose("sample.empty", "sample", None, "nothing of it can be written", "warning")
                return None, ()
        return (replace(sample, **changes) if changes else sample), trace

    def _outer(self, sample: Sample, empty: bool, lose: LossSink) -> Outer:
        """What becomes of a sample besides its objects and its name: remembered, since most are alike in that.

        ``empty``: it has no objects.
        """
        if sample.tags or sample.attributes:
            return self._work_out(sample, lose)
        key = (
            sample.splits, sample.units, sample.size is None, sample.image is None, sample.sequence is None,
            sample.frame is None, sample.timestamp is None, sample.annotations is None, empty,
            tuple(sample.extra) if sample.extra else None,
        )  # fmt: skip
        outer = self.remembered.get(key)
        if outer is None:
            losses = HeldLosses()
            outer = self._work_out(sample, losses)._replace(losses=tuple(losses.held))
            if len(self.remembered) < REMEMBERED:
                self.remembered[key] = outer
        for code, aspect, _, detail, severity in outer.losses:
            lose(code, aspect, None, detail, severity)
        return outer

    def _work_out(self, sample: Sample, lose: LossSink) -> Outer:
        holds, plan = self.holds, self.plan
        if not sample.annotations and not sample.tags and not holds.empty:
            lose("sample.empty", "sample", None, "images without objects cannot be written", "warning")
            return DROPPED
        if holds.images and not (plan.images and sample.image is not None):
            lose("sample.image", "sample", None, "its image file is what is written, and that is not at hand", "warning")
            return DROPPED
        if holds.size_required and not _survives(sample, holds, plan):
            lose("sample.unsized", "sample", None, "the target needs the size of the image, which is unknown", "error")
            return DROPPED
        changes: dict[str, object] = {}
        frame = _frame(sample, holds, plan, changes, lose)
        _sample_fields(sample, holds, plan, changes, lose)
        if sample.annotations is None and not holds.unlabelled:
            lose("sample.unlabelled", "annotations", None, "becomes an image without objects", "warning")
            changes["annotations"] = ()
        if not sample.annotations and not changes.get("tags", sample.tags) and not holds.empty:
            lose("sample.empty", "sample", None, "nothing of it can be written", "warning")
            return DROPPED
        return Outer(changes, frame)

    def _objects(
        self, sample: Sample, frame: Frame, number: int, lose: LossSink, alike: Reduced | None
    ) -> tuple[Sequence[Annotation], Sequence[int]]:
        annotations = sample.annotations or ()
        if self.holds.overlap:
            return self.objects.reduce(annotations, frame, number, lose, alike)
        held = HeldLosses()
        kept, trace = self.objects.reduce(tuple(annotations), frame, number, held)
        regions = self.holds.regions
        if regions is True and sample.size is not None:
            kept, trace = one_per_class(kept, trace, sample.size, held)
        else:
            if regions and regions is not True:
                kept, trace = joined_last(kept, trace, regions, held)
            kept, trace = one_per_pixel(kept, trace, sample.size, held, self.plan.bound)
        held.release(lose, trace)
        return kept, trace


def _identity(sample: Sample, holds: Holds, plan: Plan, ordinal: int, changes: dict[str, object], lose: LossSink) -> None:
    path = plan.paths.get(sample.key, sample.path) if plan.paths else sample.path
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


def _uri(sample: Sample, holds: Holds, plan: Plan, changes: dict[str, object], lose: LossSink) -> None:
    path = str(changes.get("path", sample.path))
    if not holds.keeps_uri(sample.uri or "", path, plan.images and sample.image is not None):
        lose("sample.uri", "uri", None, "not kept", "info")
        changes["uri"] = None


def _survives(sample: Sample, holds: Holds, plan: Plan) -> bool:
    """Whether a reader of the target will know the size of the image."""
    return sample.size is not None and (holds.size or (plan.images and sample.image is not None))


def _frame(
    sample: Sample, holds: Holds, plan: Plan, changes: dict[str, object], lose: LossSink
) -> tuple[bool, bool, bool]:
    """(coordinates are fractions in the target, boxes can be expressed at all, points can)."""
    mixed = holds.mixed_units
    boxes, points = not (mixed and holds.boxes.needs_size), not (mixed and holds.points.needs_size)
    relative_target = (holds.boxes.needs_size or holds.points.needs_size) and not mixed
    if sample.size is None:
        kept = sample.units if holds.relative and not mixed else "relative" if relative_target else "pixels"
        if kept != sample.units:
            lose("units", "units", None, f"{sample.units}, which needs the size, becomes {kept}", "info")
            changes["units"] = kept
        same = kept == sample.units
        return kept == "relative", boxes and same, points and same
    if not _survives(sample, holds, plan):
        lose("size", "size", None, "not written, and the image itself is not at hand", "info")
        changes["size"] = None
        if relative_target:
            lose("size", "units", None, "coordinates are kept as fractions", "info")
            changes["units"] = "relative"
            return True, True, True
        return False, boxes, points
    return False, True, True


def _sample_fields(sample: Sample, holds: Holds, plan: Plan, changes: dict[str, object], lose: LossSink) -> None:
    splits = target_splits(sample.splits, holds)
    if splits != sample.splits:
        shown = "+".join(sample.splits) or "no split"
        lose("split", "splits", None, f"{shown} becomes {'+'.join(splits) or 'no split'}", "warning")
        changes["splits"] = splits
    for field in ("sequence", "frame", "timestamp"):
        if getattr(sample, field) is not None and not getattr(holds, field):
            lose(f"sample.{field}", field, None, "not kept", "warning")
            changes[field] = None
    if sample.attributes:
        changed = reduce_attributes(sample.attributes, holds.sample_attributes, holds.sample_flags, {}, None, lose)
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


def _tags(tags: tuple[Tag, ...], holds: Holds, plan: Plan, lose: LossSink) -> tuple[Tag, ...]:
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
    if len(kept) < 2 or (rules.order == "given" and rules.repeated):
        return tuple(kept)
    once = _once(kept, lose)
    return tuple(once) if rules.order == "given" else _in_order(once, plan, lose)


def _once(tags: list[Tag], lose: LossSink) -> list[Tag]:
    """Each class once, and all captions."""
    found: dict[str | None, Tag] = {}
    kept = []
    for tag in tags:
        if tag.text is None and found.setdefault(tag.label, tag) is not tag:
            lose("tags.label", "tags", None, "a second statement about the same class", "warning")
        else:
            kept.append(tag)
    return kept


def _in_order(tags: list[Tag], plan: Plan, lose: LossSink) -> tuple[Tag, ...]:
    """Classes in the order of the table; captions behind."""
    place = {key: i for i, key in enumerate(plan.labels.values())}
    ordered = [tag for tag in tags if tag.text is None]
    ordered.sort(key=lambda tag: place.get(tag.label or "", len(place)))
    ordered += [tag for tag in tags if tag.text is not None]
    if ordered != tags:
        lose("tags.order", "tags", None, "the order of an image's classes", "info")
    return tuple(ordered)


def _tag(tag: Tag, holds: Holds, plan: Plan, lose: LossSink) -> Tag:
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


class ProjectedDataset(NamedTuple):
    """A dataset in memory reduced to a target, with all losses and the trace of each sample by key.

    ``paths``: new paths by key, of those that changed. ``places``: position in the result by key, of those still there.
    """

    dataset: Dataset
    losses: tuple[Loss, ...]
    traces: dict[str, Sequence[int]]
    labels: LabelPlan
    paths: Mapping[str, str]
    places: Mapping[str, int]


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
    reducer = SampleReducer(holds, NO_PLAN)
    for sample in samples:
        reduced, _ = reducer.reduce(sample, 0, 0, LossSink())
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
    labels = project_labels(complete.labels, holds, used_after(samples, holds))
    names = plan_names(Entries.of(samples, holds), holds, labels=labels.names)
    holds = names.holds
    info, info_losses = project_info(dataset.info, holds)
    losses = list(labels.losses) + list(info_losses)
    highest = max((a.id for s in samples for a in s.annotations or () if isinstance(a.id, int)), default=0)
    plan = Plan(
        labels.keys, names.paths, images, max(highest, 0), names.sample_id_base, names.renumber, bound, labels.points
    )  # fmt: skip
    kept: list[Sample] = []
    traces: dict[str, Sequence[int]] = {}
    number = 0
    paths: dict[str, str] = {}
    places: dict[str, int] = {}
    reducer = SampleReducer(holds, plan)
    for ordinal, sample in enumerate(samples):
        sink = LossList(sample.key)
        reduced_sample, traces[sample.key] = reducer.reduce(sample, ordinal, number, sink)
        number += len(sample.annotations or ())
        losses += sink.losses
        if reduced_sample is not None:
            places[sample.key] = len(kept)
            kept.append(reduced_sample)
            if reduced_sample.path != sample.path:
                paths[sample.key] = reduced_sample.path
    reduced = Dataset(kept, labels.labels, info, dataset.provenance)
    return ProjectedDataset(reduced, tuple(losses), traces, labels, paths, places)


__all__ = [
    "NO_PLAN",
    "Plan",
    "Projected",
    "ProjectedDataset",
    "SampleReducer",
    "project",
    "project_dataset",
    "project_info",
]
