"""Declarations and options of formats in words, for the command line and for generated pages."""

from __future__ import annotations

import types
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

from labelglot.conventions import Convention
from labelglot.formats.base import Format, Options
from labelglot.holds import ANY_VALUE, Holds, LabelHolds, Naming, TagHolds


class OptionFact(NamedTuple):
    """One option of a reader or writer. ``kind``: ``bool``, ``int``... or the values to choose from."""

    name: str
    kind: str
    default: Any
    title: str
    description: str


def option_facts(model: type[Options]) -> tuple[OptionFact, ...]:
    """The options of a reader or writer, in the order they are declared."""
    return tuple(
        OptionFact(
            name,
            kind_name(field.annotation),
            None if field.is_required() else field.get_default(call_default_factory=True),
            field.title or "",
            field.description or "",
        )
        for name, field in model.model_fields.items()
    )


def kind_name(annotation: Any) -> str:
    """A type as a person writes it: ``int``, ``a | b`` for choices, ``float or nothing``."""
    origin = get_origin(annotation)
    if origin is Literal:
        return " | ".join(map(str, get_args(annotation)))
    if origin in (Union, types.UnionType):
        parts = [kind_name(part) for part in get_args(annotation) if part is not type(None)]
        return " | ".join(parts) + (" or nothing" if type(None) in get_args(annotation) else "")
    if origin is not None:
        inner = ", ".join(kind_name(part) for part in get_args(annotation) if part is not Ellipsis)
        return f"{origin.__name__} of {inner}" if inner else str(origin.__name__)
    return str(getattr(annotation, "__name__", annotation))


def directions(format: Format) -> str:
    """``"read, write"`` or the one a format can do."""
    return ", ".join(name for name, can in (("read", format.reads), ("write", format.writes)) if can)


def objects_in_words(holds: Holds) -> str:
    """The geometry of an object, slot by slot: ``box + (polygon | mask) + keypoints``."""
    slots = [" | ".join(kind.replace("_", " ") for kind in _ordered(slot)) for slot in holds.geometry]
    if len(slots) == 1:
        return slots[0]
    return " + ".join(f"({slot})" if "|" in slot else slot for slot in slots) or "none"


_KINDS = ("box", "rotated_box", "polygon", "mask", "polyline", "points", "ellipse", "cuboid", "keypoints")


def _ordered(kinds: Iterable[str]) -> list[str]:
    return sorted(kinds, key=lambda kind: _KINDS.index(kind) if kind in _KINDS else len(_KINDS))


def coordinates_in_words(convention: Convention) -> str:
    """Form, unit, frame and precision of coordinates."""
    forms = {"corners": "two corners", "xywh": "corner and size", "center": "centre and size"}
    units = {"pixels": "pixels", "relative": "fractions of the size", "percent": "percent of the size"}
    words = [forms[convention.form], units[convention.unit]]
    if convention.first:
        words.append(f"first pixel is {convention.first}")
    if convention.inclusive:
        words.append("maximum names the last pixel")
    if convention.y_first:
        words.append("y before x")
    if convention.exact:
        words.append("exact")
    elif convention.integer:
        words.append("whole numbers")
    elif convention.steps is not None:
        words.append(f"{convention.steps} steps")
    elif convention.decimals is not None:
        words.append(f"{convention.decimals} decimals")
    elif convention.single:
        words.append("32-bit floats")
    if convention.ordered:
        words.append("corners in any order")
    low, high = convention.lowest, convention.highest
    if low is not None or high is not None:
        parts = (f"from {low:g}" if low is not None else "", f"up to {high:.10g}" if high is not None else "")
        words.append(" ".join(filter(None, parts)))
    return ", ".join(words)


def facts(holds: Holds) -> tuple[tuple[str, str], ...]:
    """A declaration as (topic, text), topics without anything to say left out."""
    pairs = (
        ("objects", objects_in_words(holds)),
        ("boxes", coordinates_in_words(holds.boxes) if "box" in holds.kinds else ""),
        ("points", coordinates_in_words(holds.points) if holds.kinds - {"box", "mask"} else ""),
        ("geometry", _join(_geometry(holds))),
        ("classes", _join(_classes(holds.labels))),
        ("of an object", _join(_object(holds))),
        ("attributes", _attributes(holds)),
        ("image labels", "" if holds.tags is None else _join(_tags(holds.tags))),
        ("of an image", _join(_image(holds))),
        ("names", _join(_names(holds.naming))),
        ("splits", _join(_splits(holds))),
        ("of the dataset", ", ".join(sorted(holds.info))),
        ("own fields of", holds.extra if isinstance(holds.extra, str) else ", ".join(sorted(holds.extra))),
    )
    return tuple((topic, text) for topic, text in pairs if text)


def _join(words: Iterable[str | None]) -> str:
    return ", ".join(word for word in words if word)


def _flags(holds: object, *names: str) -> list[str]:
    return [name.replace("_", " ") for name in names if getattr(holds, name)]


def _kind(name: str, kind: str) -> str | None:
    return None if kind == "none" else name if kind == "any" else f"{name} ({kind})"


def _values(kinds: Iterable[str]) -> str:
    return "any value" if frozenset(kinds) == ANY_VALUE else " | ".join(sorted(kinds))


def _geometry(holds: Holds) -> Iterable[str | None]:
    if holds.required:
        yield f"every object has a {' and a '.join(_ordered(holds.required))}"
    yield "objects without geometry" if holds.bare else None
    if "polygon" in holds.kinds:
        yield "holes" if holds.polygon_holes else "no holes"
        if holds.polygon_parts:
            yield "polygons of several parts"
        else:
            yield "parts joined into one ring" if holds.join_parts else "one object per part"
    yield "cut at the edge of the image" if holds.inside else None
    yield "no two objects on one pixel" if not holds.overlap else None
    if holds.regions:
        yield "one object for each class" if holds.regions is True else f"one object of {', '.join(sorted(holds.regions))}"
    yield "stated angle of rotated boxes" if holds.rotated_angle else None
    yield "no rotated boxes on images of unknown size" if holds.turned_needs_size else None
    if "keypoints" in holds.kinds and holds.keypoint_visibility != "any":
        yield {
            "none": "no visibility of keypoints",
            "coco": "visibility of keypoints 0, 1, 2",
            "stated": "visibility 0, 1 or 2 for every keypoint",
            "given": "a visibility for every keypoint",
            "labelled": "keypoints are there or not",
        }[holds.keypoint_visibility]
    yield "a hole is a ring inside another" if holds.polygon_nested else None
    yield "no place of absent keypoints" if "keypoints" in holds.kinds and not holds.absent_points else None
    yield "only upright cuboids" if "cuboid" in holds.kinds and holds.cuboids == "faces" else None


def _classes(rules: LabelHolds) -> Iterable[str | None]:
    if not rules.table:
        yield "none"
        return
    if rules.only is not None:
        yield f"only {rules.only}"
        return
    yield {"none": "no ids", "index": "numbered by position"}.get(rules.ids, f"ids ({rules.ids})")
    yield "ids required" if rules.ids_required else None
    yield None if rules.first_id is None else f"numbers from {rules.first_id}"
    yield None if rules.last_id is None else f"numbers up to {rules.last_id}"
    yield {"declared": "declared order", "appearance": "order of appearance", "sorted": "sorted by name"}[rules.order]
    yield None if rules.unused else "only classes in use"
    yield None if rules.names is None else f"names that match {rules.names}"
    yield "names may repeat" if rules.duplicates else None
    yield None if rules.required else "objects without class"
    yield from _flags(rules, "parent", "color")
    most = rules.most_keypoints
    yield None if not rules.keypoints else "keypoints" if most is None else f"up to {most} keypoints, every object has them"
    yield from _flags(rules, "skeleton", "keypoint_flip", "attributes")


def _object(holds: Holds) -> Iterable[str | None]:
    yield _kind("id", holds.ids)
    yield "id required" if holds.ids_required else None
    yield _kind("track", holds.track)
    yield _kind("group", holds.group)
    yield _kind("parent", holds.parent)
    yield from _flags(holds, "score", "text", "layer")


def _attributes(holds: Holds) -> str:
    named = [f"{name} ({_values(kinds)})" for name, kinds in sorted(holds.flags.items())]
    if holds.attributes:
        named.append(f"any name ({_values(holds.attributes)})")
    implied = [f"{name} of {label}" for label, said in sorted(holds.implied.items()) for name in sorted(said)]
    if implied:
        named.append(f"{', '.join(implied)} (said by the class)")
    written = [f"{name} = {value}" for name, value in sorted(holds.defaults.items())]
    return ", ".join(named) + (f"; written where absent: {', '.join(written)}" if written else "")


def _tags(rules: TagHolds) -> Iterable[str | None]:
    yield {"none": None, "one": "one class", "many": "classes"}[rules.labels]
    yield {"none": None, "one": "one caption", "many": "captions"}[rules.captions]
    yield "verified absence" if rules.negative else None
    yield from _flags(rules, "score", "layer")
    yield f"attributes ({_values(rules.attributes)})" if rules.attributes else None


def _image(holds: Holds) -> Iterable[str | None]:
    yield _kind("id", holds.sample_ids)
    yield "id required" if holds.sample_ids_required else None
    yield "size, required" if holds.size and holds.size_required else "size" if holds.size else None
    yield "size required, from the image itself" if holds.size_required and not holds.size else None
    yield from _flags(holds, "sequence", "frame", "timestamp")
    yield {True: "uri", False: None, "location": "uri in place of the path"}[holds.uri]
    yield "fractions while the size is unknown" if holds.relative else None
    yield from (f"{name} ({_values(kinds)})" for name, kinds in sorted(holds.sample_flags.items()))
    yield f"attributes ({_values(holds.sample_attributes)})" if holds.sample_attributes else None
    yield "unlabelled apart from empty" if holds.unlabelled else None
    yield "the image file itself is needed" if holds.images else None
    yield None if holds.empty else "no images without objects"


def _names(naming: Naming) -> Iterable[str | None]:
    yield "folders" if naming.folders else "no folders"
    yield "told apart without suffix" if naming.unique == "stem" else None
    yield "may repeat in another split" if naming.scope == "split" else None
    yield None if naming.pattern is None else f"match {naming.pattern}"
    yield None if naming.suffix else "suffix not kept"
    yield None if naming.class_folder == "none" else "in a folder of their class"


def _splits(holds: Holds) -> Iterable[str | None]:
    if isinstance(holds.splits, frozenset):
        yield " | ".join(sorted(holds.splits))
    else:
        yield {"any": "any name", "none": "one folder per split"}[holds.splits]
    yield "several per image" if holds.several_splits else None
    yield "in the order train, val, test" if holds.split_order == "roles" else None
    yield f"{holds.split_required} if none is given" if holds.split_required else None
