"""Reduce a table of classes to what a target holds."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from labelglot.holds import Holds, LabelHolds
from labelglot.projection.naming import fit, unique
from labelglot.report import Loss
from labelglot.schema.label import Label, label_keys


class LabelPlan(NamedTuple):
    """The classes as the target will have them, old key -> new key, and what was lost."""

    labels: tuple[Label, ...]
    keys: dict[str, str]
    losses: tuple[Loss, ...]

    @property
    def names(self) -> dict[str, str]:
        """The name in the target of each label key of the source that is still there."""
        by_key = {label.key: label.name for label in self.labels}
        return {old: by_key[new] for old, new in self.keys.items()}

    @property
    def points(self) -> dict[str, int]:
        """Old key -> number of keypoints that the class has in the target."""
        numbers = {label.key: len(label.keypoints or ()) for label in self.labels}
        return {old: numbers[new] for old, new in self.keys.items()}


def project_labels(labels: Sequence[Label], holds: Holds, used: Sequence[str] | None = None) -> LabelPlan:
    """Reduce ``labels`` to what ``holds`` declares.

    ``used``: keys of the classes that occur, in order of first appearance; ``None`` if that is not known.
    """
    rules = holds.labels
    losses: list[Loss] = []
    kept = list(labels)
    if not rules.table:
        losses += [Loss("labels", "labels", None, label.key, "the target has no classes") for label in kept]
        return LabelPlan((), {}, tuple(losses))
    if rules.only is not None:
        return _only(kept, rules.only, holds, used)
    if used is not None and not rules.unused:
        present = set(used)
        for label in kept:
            if label.key not in present:
                losses.append(Loss("labels.unused", "labels", None, label.key, "no object uses it, so it is not kept"))
        kept = [label for label in kept if label.key in present]
    ordered = _by_appearance(kept, used) if rules.order == "appearance" and used is not None else kept
    names = _names(ordered, rules, losses)
    if rules.order == "sorted":
        both = sorted(zip(names, ordered, strict=True), key=lambda pair: pair[0])
        names, ordered = [name for name, _ in both], [label for _, label in both]
    if [label.key for label in ordered] != [label.key for label in kept]:
        losses.append(Loss("labels.order", "labels.order", None, None, f"the target keeps {rules.order} order", "info"))
    ids: list[int | str | None] = []
    raised = 0 if rules.ids == "index" else _raise(ordered, rules.first_id)
    for position, label in enumerate(ordered):
        ids.append(_id(label, position + (rules.first_id or 0), rules, raised, losses))
    if rules.ids_required:
        _assign_missing(ids, rules, ordered, losses)
    keys = label_keys(names, ids)
    mapping = {label.key: key for label, key in zip(ordered, keys, strict=True)}
    result = tuple(
        _fields(label, key, name, id_, holds, losses)
        for label, key, name, id_ in zip(ordered, keys, names, ids, strict=True)
    )
    return LabelPlan(result, mapping, tuple(losses))


def _only(labels: Sequence[Label], only: str, holds: Holds, used: Sequence[str] | None) -> LabelPlan:
    """All classes become the one the format is about."""
    losses = [] if labels else [Loss("labels.added", "labels", None, only, "the class of all objects", "info")]
    first: Label | None = None
    for label in labels:
        if label.name != only:
            detail = f"all objects are of the class {only!r}"
            losses.append(Loss("labels.only", "labels.name", None, label.key, detail, "warning"))
        if label.id is not None:
            losses.append(Loss("labels.id", "labels.id", None, label.key, "ids of classes are not kept", "info"))
        reduced = _fields(label, only, only, None, holds, losses)
        first = first or reduced
    table = (first or Label(key=only, name=only),)
    return LabelPlan(table, {label.key: only for label in labels}, tuple(losses))


def _by_appearance(labels: list[Label], used: Sequence[str]) -> list[Label]:
    place = {key: i for i, key in enumerate(used)}
    return sorted(labels, key=lambda label: place.get(label.key, len(place)))


def _names(labels: Sequence[Label], rules: LabelHolds, losses: list[Loss]) -> list[str]:
    taken: set[str] = set()
    names = []
    for position, label in enumerate(labels):
        name = fit(label.name, rules.names, f"class_{position}")
        if not rules.duplicates:
            clash = name.casefold() in taken and (rules.caseless or name in names)
            name = unique(name, taken) if clash else name
            taken.add(name.casefold())
        if name != label.name:
            losses.append(Loss("labels.name", "labels.name", None, label.key, f"written as {name!r}"))
        names.append(name)
    return names


def _raise(labels: Sequence[Label], first: int | None) -> int:
    """By how much all numbers must be raised so that none is below ``first``."""
    numbers = [label.id for label in labels if isinstance(label.id, int) and not _is_background(label)]
    return 0 if first is None or not numbers else max(0, first - min(numbers))


def _is_background(label: Label) -> bool:
    return label.id == 0 and label.name == "background"


def _id(label: Label, position: int, rules: LabelHolds, raised: int, losses: list[Loss]) -> int | str | None:
    """``position``: the number of the class where it is its place in the table."""
    given, rule = label.id, rules.ids
    kept: int | str | None = given
    if raised and isinstance(given, int) and not _is_background(label):
        kept = given + raised
    if rule == "none":
        kept = None
    elif rule == "index":
        kept = position
    elif rule == "int" and not isinstance(given, int):
        kept = None
    elif rule == "str" and given is not None:
        kept = str(given)
    if rules.last_id is not None and isinstance(kept, int) and kept > rules.last_id:
        kept = None
    assigned = rules.ids_required and rule == "int" and kept is None
    if given is not None and kept != given and not assigned:
        detail = "numbered in order" if rule == "index" else "ids of classes are not kept"
        detail = f"raised by {raised}" if raised and rule in ("int", "any") else detail
        losses.append(Loss("labels.id", "labels.id", None, label.key, detail, "info"))
    elif rule == "index" and given is None:
        losses.append(Loss("labels.id_assigned", "labels.id", None, label.key, "numbered in order", "info"))
    return kept


def _assign_missing(
    ids: list[int | str | None], rules: LabelHolds, labels: Sequence[Label], losses: list[Loss]
) -> None:
    """Give ids to classes that have none (or a repeated one) where the target needs one each, above those in use."""
    if rules.ids not in ("int", "str", "any"):
        return
    first = 1 if rules.first_id is None else rules.first_id
    seen: set[int | str] = set()
    taken = {str(i) for i in ids if i is not None}
    highest = first - 1
    if rules.last_id is None:
        highest = max((i for i in ids if isinstance(i, int)), default=highest)
    for position, value in enumerate(ids):
        if value is None or value in seen:
            highest += 1
            while str(highest) in taken:
                highest += 1
            number = highest
            if rules.last_id is not None and number > rules.last_id:
                number = next(n for n in itertools.count(first) if n not in ids and n not in seen)
            new: int | str = str(number) if rules.ids == "str" else number
            losses.append(
                Loss("labels.id_assigned", "labels.id", None, labels[position].key, "given a free number", "info")
            )
            ids[position] = value = new
        seen.add(value)


_OPTIONAL = ("parent", "color", "keypoints", "skeleton", "keypoint_flip", "attributes")


def _fields(label: Label, key: str, name: str, id_: int | str | None, holds: Holds, losses: list[Loss]) -> Label:
    changes: dict[str, object] = {}
    if (key, name, id_) != (label.key, label.name, label.id):
        changes.update(key=key, name=name, id=id_)
    for field in _OPTIONAL:
        value = getattr(label, field)
        if value in (None, ()) or getattr(holds.labels, field):
            continue
        changes[field] = Label.model_fields[field].default
        losses.append(Loss(f"labels.{field}", f"labels.{field}", None, label.key, "not kept"))
    most = holds.labels.most_keypoints
    if holds.labels.keypoints and most is not None and len(label.keypoints or ()) > most:
        changes.update(_first_keypoints(label.replace(**changes), most, losses, label.key))
    extra, gone = reduce_extra(label.extra, holds)
    for owner in gone:
        losses.append(Loss(f"labels.extra.{owner}", f"labels.extra.{owner}", None, label.key, "not kept", "info"))
    if gone:
        changes["extra"] = extra
    return label.replace(**changes) if changes else label


def _first_keypoints(label: Label, most: int, losses: list[Loss], key: str) -> dict[str, object]:
    """The first ``most`` keypoints of a class, and what of its skeleton and mirror is between these."""
    skeleton = tuple(edge for edge in label.skeleton if max(edge) < most)
    flip = label.keypoint_flip and label.keypoint_flip[:most]
    flip = flip if flip is None or sorted(flip) == list(range(most)) else None
    found: dict[str, object] = {"keypoints": (label.keypoints or ())[:most], "skeleton": skeleton, "keypoint_flip": flip}
    for field, value in found.items():
        if value != getattr(label, field):
            losses.append(Loss(f"labels.{field}", f"labels.{field}", None, key, f"only the first {most} keypoints are kept"))
    return found


def reduce_extra(extra: Mapping[str, object], holds: Holds) -> tuple[Mapping[str, object], list[str]]:
    """The part of an extra bag the target writes back, and the owners of the rest."""
    if not extra or holds.extra == "any":
        return extra, []
    gone = [owner for owner in extra if owner not in holds.extra]
    return ({k: v for k, v in extra.items() if k in holds.extra} if gone else extra), gone
