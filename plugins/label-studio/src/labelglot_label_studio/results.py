"""Results of Label Studio: items of which those with one id say things about one region, others about the image.

- ``rectangle``, ``polygon``, ``ellipse``, ``keypoint``, ``brush``, each with or without ``labels`` at the end = box or
  rotated box, polygon or (``closed: false``) polyline, ellipse, point, mask. All numbers are percent of the image.
- A rectangle is turned clockwise about its top-left corner. A full turn keeps a rotated box that stands upright apart
  from a box.
- ``choices``, ``taxonomy``, ``textarea``, ``number``, ``rating`` of a region = its attributes, called like the control
  they come from; of the image = its classes and captions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from labelglot.conventions import Rotation
from labelglot.geometry import encode_string, from_bitmap, is_rotated_box, signed_area
from labelglot.images import decode_alpha, from_data_url
from labelglot.plugin import (
    PERCENT_XYWH,
    Annotation,
    Box,
    Convention,
    Ellipse,
    LabelglotError,
    Mask,
    Points,
    Polygon,
    Polyline,
    Problem,
    Report,
    RotatedBox,
    Sample,
    Shape,
    Tag,
    WriteContext,
)
from labelglot.schema import Attribute
from labelglot.wire.json import coordinate, fields, finite, rest, size

from labelglot_label_studio.brush import read_mask, write_mask
from labelglot_label_studio.config import CAPTION, CHOICE, CONTROLS, IMAGE, OWNER, TEXT

Size = tuple[int, int] | None
PERCENT = Convention(unit="percent")
TURNED = Rotation(form="xywh", pivot="top_left")
COMMON = (
    "id",
    "from_name",
    "to_name",
    "type",
    "value",
    "original_width",
    "original_height",
    "origin",
    "image_rotation",
)
VALUE: Mapping[str, tuple[str, ...]] = {
    "rectangle": ("x", "y", "width", "height", "rotation"),
    "polygon": ("points", "closed"),
    "ellipse": ("x", "y", "radiusX", "radiusY", "rotation"),
    "keypoint": ("x", "y", "width"),
    "brush": ("format", "rle", "maskDataURL"),
}
"""Fields of the value of each kind of region, apart from its labels."""
FIELDS = ("choices", "taxonomy", "textarea", "number", "rating")
DOT = 0.5
"""Size in which a point is drawn, in percent."""
TURN = 360.0
DECIMALS = 10
"""Of turned rectangles: finer than any tolerance, free of the noise of sines."""
MADE = "labelglot-"
"""Begins the ids of regions that had none; Label Studio needs one for each."""


class Found(NamedTuple):
    """What the results of one annotation say. ``other``: items that are kept as they are."""

    annotations: list[Annotation]
    tags: list[Tag]
    other: list[Any]


def stated_size(results: Sequence[Any]) -> Size:
    """Width and height of the image as the regions state it."""
    found = (size(item, "original_width", "original_height") for item in results)
    return next((each for each in found if each is not None), None)


class ResultReader:
    """Reads the results of one image. ``names``: alias -> class; ``tracks``: ids of regions are those of tracks."""

    def __init__(
        self, size: Size, layer: str | None, names: Mapping[str, str], key: str, report: Report, tracks: bool = False
    ) -> None:
        self.size, self.layer, self.names, self.key, self.report = size, layer, names, key, report
        self.tracks = tracks

    def read(self, results: Sequence[Any], place: str) -> Found:
        """Regions first, then what is said about them or about the image."""
        regions: list[tuple[int, Any, dict[str, Any]]] = []
        further: list[tuple[int, dict[str, Any], str]] = []
        found = Found([], [], [])
        for position, item in enumerate(results):
            where = f"{place}[{position}]"
            if not isinstance(item, dict):
                self._skip("result", "the result is no object", where, item)
                continue
            kind = _kind(item)
            if kind in VALUE:
                region = self._region(kind, item, where)
                if region is not None:
                    regions.append((position, item.get("id"), region))
            elif kind == "labels" or kind in FIELDS:
                further.append((position, item, where))
            else:
                found.other.append(item)
                if kind != "relation":
                    self.report.problem(
                        f"{OWNER}.type", f"results of type {kind!r} are not understood", where, key=self.key,
                        action="kept aside for Label Studio",
                    )  # fmt: skip
        for position, item, where in further:
            same = [region for region in regions if item.get("id") is not None and region[1] == item["id"]]
            if same:
                before = [region for at, _, region in same if at < position]
                self._attribute(before[-1] if before else same[0][2], item, where, found)
            else:
                self._of_image(item, where, found)
        for _, _, region in regions:
            found.annotations.extend(self._annotations(region, place))
        return found

    def _region(self, kind: str, item: dict[str, Any], place: str) -> dict[str, Any] | None:
        """Fields of an annotation, with ``labels`` instead of ``label``."""
        value = fields(item.get("value"))
        try:
            box, shape = geometry(kind, value, self.size)
        except LabelglotError as error:
            self._skip("region", error.message, place, item)
            return None
        labels = value.get(f"{kind}labels", value.get("labels"))
        known = (*COMMON, "score", "parentID")
        extra = rest(item, known)
        odd = rest(value, (*VALUE[kind], f"{kind}labels", "labels"))
        if kind == "keypoint" and value.get("width", DOT) != DOT:
            odd["width"] = value["width"]
        for name, usual in (
            ("from_name", CONTROLS[kind][1]), ("to_name", IMAGE), ("origin", "manual"), ("image_rotation", 0),
        ):  # fmt: skip
            if item.get(name, usual) != usual:
                extra[name] = item[name]
        if "image_rotation" in extra:
            self.report.problem(
                f"{OWNER}.image_rotation",
                f"the image was turned by {item['image_rotation']} degrees in the editor",
                place,
                key=self.key,
                action="coordinates are read as they stand",
            )
        if odd:
            extra["value"] = odd
        score, parent, id_ = item.get("score"), item.get("parentID"), item.get("id")
        if score is not None and (isinstance(score, bool) or not isinstance(score, int | float)):
            extra["score"], score = score, None
        return {
            "box": box, "shape": shape, "score": None if score is None else float(score), "extra": extra,
            "labels": [v for v in labels if isinstance(v, str)] if isinstance(labels, list) else [],
            "id": str(id_) if isinstance(id_, int | str) and not str(id_).startswith(MADE) else None, "attributes": {},
            "parent": parent if isinstance(parent, str) else None,
        }  # fmt: skip

    def _attribute(self, region: dict[str, Any], item: dict[str, Any], place: str, found: Found) -> None:
        kind, value = _kind(item), fields(item.get("value"))
        if kind == "labels":
            listed = value.get("labels")
            region["labels"] += [v for v in listed if isinstance(v, str)] if isinstance(listed, list) else []
            return
        name = item.get("from_name")
        name = name if isinstance(name, str) and name else kind
        try:
            said = _said(kind, value)
        except LabelglotError as error:
            self._skip("attribute", error.message, place, item)
            return
        if name in region["attributes"]:
            found.other.append(item)
            return
        more = rest(item, COMMON)
        if item.get("to_name", IMAGE) != IMAGE:
            more["to_name"] = item["to_name"]
        if kind == "textarea" and name == TEXT and isinstance(said, str) and not more and "text" not in region:
            region["text"] = said
            return
        region["attributes"][name] = said
        if kind != usual_type(said):
            more["type"] = kind
        if more:
            region["extra"].setdefault("results", {})[name] = more

    def _of_image(self, item: dict[str, Any], place: str, found: Found) -> None:
        kind, value = _kind(item), fields(item.get("value"))
        usual = CAPTION if kind == "textarea" else CHOICE
        try:
            said = _said(kind, value)
        except LabelglotError as error:
            self._skip("choice", error.message, place, item)
            return
        if kind not in ("choices", "taxonomy", "textarea") or said == ():
            found.other.append(item)
            return
        extra = rest(item, (*COMMON, "score"))
        extra |= {k: item[k] for k, v in (("from_name", usual), ("to_name", IMAGE)) if item.get(k, v) != v}
        if kind == "taxonomy":
            extra["type"] = kind
        score = item.get("score")
        score = float(score) if isinstance(score, int | float) and not isinstance(score, bool) else None
        bag = {OWNER: extra} if extra else {}
        for text in said if isinstance(said, tuple) else (_plain(said),):
            label, caption = (None, text) if kind == "textarea" else (self.names.get(text, text), None)
            found.tags.append(Tag(label=label, text=caption, score=score, layer=self.layer, extra=bag))

    def _annotations(self, region: dict[str, Any], place: str) -> Iterator[Annotation]:
        labels = [self.names.get(label, label) for label in region.pop("labels")]
        extra = region.pop("extra")
        if self.tracks:
            region["track"] = region.pop("id")
        annotation = Annotation(**region, layer=self.layer, extra={OWNER: extra} if extra else {})
        if len(labels) > 1:
            self.report.problem(
                f"{OWNER}.labels", f"a region of {len(labels)} classes", place, severity="info", key=self.key,
                action="one object for each",
            )  # fmt: skip
        for label in labels or [None]:  # type: ignore[list-item]
            yield annotation.replace(label=label)

    def _skip(self, what: str, message: str, place: str, raw: Any) -> None:
        self.report.problem(
            f"{OWNER}.{what}", message, place, severity="error", key=self.key, raw=raw, action="skipped"
        )


def _kind(item: Mapping[str, Any]) -> str:
    """The type of a result, regions without ``labels`` at the end."""
    kind = item.get("type")
    kind = kind.lower() if isinstance(kind, str) else ""
    base = kind.removesuffix("labels")
    return base if base in VALUE else kind


def geometry(kind: str, value: Mapping[str, Any], size: Size) -> tuple[Box | None, Shape | None]:
    """Box or shape of the value of a region; fractions if the size is unknown. Raises :class:`LabelglotError`."""

    def take(*names: str) -> tuple[float, ...]:
        return tuple(coordinate(value.get(name), name) for name in names)

    if kind == "rectangle":
        numbers = take("x", "y", "width", "height")
        box = PERCENT_XYWH.read_box(numbers, size)
        turn = finite(value.get("rotation") or 0, "rotation")
        if not turn:
            return box, None
        if size is None and turn % TURN:
            raise LabelglotError("a turned rectangle cannot be placed on an image of unknown size")
        x0, y0, x1, y1 = box
        return None, RotatedBox(corners=TURNED.read((x0, y0, x1 - x0, y1 - y0), turn))
    if kind == "ellipse":
        cx, cy, rx, ry = PERCENT.read_points(take("x", "y", "radiusX", "radiusY"), size)
        turn = finite(value.get("rotation") or 0, "rotation")
        return None, Ellipse(cx=cx, cy=cy, rx=rx, ry=ry, angle=math.radians(turn))
    if kind == "keypoint":
        return None, Points(points=PERCENT.read_points(take("x", "y"), size))
    if kind == "brush" and isinstance(value.get("maskDataURL"), str):
        bitmap = decode_alpha(from_data_url(value["maskDataURL"]))
        if size not in (None, bitmap.shape[::-1]):
            raise LabelglotError(f"a mask of {bitmap.shape[1]} x {bitmap.shape[0]} pixels on an image of {size}")
        return None, Mask(width=bitmap.shape[1], height=bitmap.shape[0], rle=encode_string(from_bitmap(bitmap)))
    if kind == "brush":
        packed = value.get("rle")
        if not isinstance(packed, list) or size is None:
            raise LabelglotError("brush strokes without run lengths, or on an image of unknown size")
        return None, read_mask(packed, *size)
    points = value.get("points")
    if not isinstance(points, list) or not points or not all(isinstance(p, list) and len(p) == 2 for p in points):
        raise LabelglotError("the points of a polygon are no list of x, y")
    ring = PERCENT.read_points((coordinate(v) for p in points for v in p), size)
    return None, Polyline(points=ring) if value.get("closed") is False else Polygon.of(ring)


def _said(kind: str, value: Mapping[str, Any]) -> Attribute:
    """The value of a choice, text or number."""
    said = value.get("text" if kind == "textarea" else kind)
    if kind in ("number", "rating"):
        if isinstance(said, bool) or not isinstance(said, int | float):
            raise LabelglotError(f"{said!r} is no number")
        return said
    texts = [said] if isinstance(said, str) else said
    if kind == "taxonomy" and isinstance(texts, list):
        texts = ["/".join(map(str, path)) if isinstance(path, list) else path for path in texts]
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise LabelglotError(f"the {kind} are no list of texts")
    if len(texts) != 1 or kind == "taxonomy":
        return tuple(texts)
    text: str = texts[0]
    return text == "true" if kind == "choices" and text in ("true", "false") else text


def _plain(said: Attribute) -> str:
    return said if isinstance(said, str) else "true" if said else "false"


def usual_type(value: Attribute) -> str:
    """The type of result in which a value is written."""
    if isinstance(value, bool):
        return "choices"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, tuple):
        return "taxonomy" if len(value) == 1 else "choices"
    return "textarea"


class ResultWriter:
    """Writes the results of one sample. ``kinds``, ``controls``: what was used, for the configuration."""

    def __init__(self, sample: Sample, context: WriteContext) -> None:
        self.sample, self.context = sample, context
        self.stated = {} if sample.size is None else dict(zip(COMMON[5:7], sample.size, strict=True))
        self.kinds: dict[str, None] = {}
        self.controls: dict[str, str] = {}
        self.problems: list[Problem] = []

    def _label(self, key: str) -> str:
        label = self.context.by_key.get(key)
        alias = None if label is None else label.extra.get(OWNER, {}).get("alias")
        return alias if isinstance(alias, str) else self.context.name(key)

    def objects(self, annotations: Sequence[tuple[int, Annotation]]) -> Iterator[dict[str, Any]]:
        """The results of objects, each with its position in the sample. Those alike but for the class are one region."""
        last: tuple[Annotation, dict[str, Any]] | None = None
        for position, a in annotations:
            if last is not None and None not in (a.id, a.label) and a.replace(label=None) == last[0]:
                last[1]["value"].setdefault(last[1]["type"], []).append(self._label(a.label or ""))
                continue
            region = self._object(a, position)
            last = None if a.label is None else (a.replace(label=None), region)
            yield region
            yield from self._fields(a, region)

    def _object(self, a: Annotation, position: int) -> dict[str, Any]:
        kind, value = self.draw(a, position)
        self.kinds.setdefault(kind)
        extra = a.extra.get(OWNER, {})
        extra = {k: v for k, v in extra.items() if k != "results"} if isinstance(extra, dict) else {}
        value |= fields(extra.pop("value", None))
        if a.label is not None:
            value[f"{kind}labels"] = [self._label(a.label)]
        return {
            "id": a.id or f"{MADE}{position + 1}",
            "from_name": CONTROLS[kind][1],
            "to_name": IMAGE,
            "type": kind if a.label is None else f"{kind}labels",
            "origin": "manual",
            **self.stated,
            "image_rotation": 0,
            "value": value,
            **({} if a.score is None else {"score": a.score}),
            **({} if a.parent is None else {"parentID": a.parent}),
            **extra,
        }

    def draw(self, a: Annotation, position: int) -> tuple[str, dict[str, Any]]:
        """Kind and value of a region."""
        shape, size = a.shape, self.sample.size
        if isinstance(shape, RotatedBox) and not is_rotated_box(shape.corners, 1e-3 if size else 1e-9):
            message = "its corners form no rectangle"
            self.problems.append(Problem(f"{OWNER}.corners", message, object=position, action="written as polygon"))
            shape = Polygon.of(shape.corners)
        if isinstance(shape, RotatedBox):
            return "rectangle", self._turned(shape, position)
        if isinstance(shape, Mask):
            return "brush", {"format": "rle", "rle": write_mask(shape)}
        if isinstance(shape, Ellipse):
            ring = _finite(PERCENT.write_points((shape.cx, shape.cy, shape.rx, shape.ry), size))
            value = dict(zip(VALUE["ellipse"], (*ring, math.degrees(_finite((shape.angle,))[0])), strict=True))
            return "ellipse", value
        if isinstance(shape, Points):
            x, y = _finite(PERCENT.write_points(shape.points[:2], size))
            return "keypoint", {"x": x, "y": y, "width": DOT}
        if isinstance(shape, Polygon | Polyline):
            ring = shape.parts[0][0] if isinstance(shape, Polygon) else shape.points
            flat = _finite(PERCENT.write_points(ring, size))
            points = [list(pair) for pair in zip(flat[::2], flat[1::2], strict=True)]
            return "polygon", {"points": points, "closed": isinstance(shape, Polygon)}
        numbers = _finite(PERCENT_XYWH.write_box(a.box or (0.0, 0.0, 0.0, 0.0), size))
        return "rectangle", dict(zip(VALUE["rectangle"], (*numbers, 0), strict=True))

    def _turned(self, shape: RotatedBox, position: int) -> dict[str, Any]:
        ring, size = _finite(shape.corners), self.sample.size
        if signed_area(ring) < 0:
            ring = (*ring[:2], *ring[6:8], *ring[4:6], *ring[2:4])
            message = "its corners run anticlockwise, which cannot be told from the other way round"
            self.problems.append(Problem(f"{OWNER}.corners", message, "info", object=position, action="written"))
        x, y, w, h, turn = TURNED.write(ring)
        numbers = PERCENT_XYWH.write_box((x, y, x + w, y + h), size)
        rounded = (round(v, DECIMALS) for v in (*numbers, turn or TURN))
        return dict(zip(VALUE["rectangle"], rounded, strict=True))

    def _fields(self, a: Annotation, region: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """A result for each attribute of an object, with the place of its region as Label Studio writes it."""
        kept = fields(fields(a.extra.get(OWNER)).get("results"))
        names = VALUE[str(region["type"]).removesuffix("labels")]
        place = {k: v for k, v in region["value"].items() if k in names and k not in ("rle", "format")}
        listed: list[tuple[str, Attribute]] = [] if a.text is None else [(TEXT, a.text)]
        for name, said in (*listed, *a.attributes.items()):
            more = dict(fields(kept.get(name)))
            kind = more.pop("type", None)
            if kind not in FIELDS or (kind in ("number", "rating")) != (usual_type(said) == "number"):
                kind = usual_type(said)
            value = {**place, "text" if kind == "textarea" else kind: _spelled(kind, said)}
            self.controls.setdefault(name, kind)
            yield {
                "id": region["id"],
                "from_name": name,
                "to_name": region["to_name"],
                "type": kind,
                "origin": "manual",
                **self.stated,
                "image_rotation": 0,
                "value": value,
                **more,
            }

    def tag(self, tags: Sequence[Tag], number: int) -> dict[str, Any]:
        """One result of tags that differ in what they say only."""
        first = tags[0]
        extra = dict(fields(first.extra.get(OWNER)))
        kind = "textarea" if first.text is not None else extra.pop("type", "choices")
        texts = tuple(self._label(t.label or "") if t.text is None else t.text for t in tags)
        return {
            "id": f"image-{number}",
            "from_name": CAPTION if kind == "textarea" else CHOICE,
            "to_name": IMAGE,
            "type": kind,
            "origin": "manual",
            "value": {"text" if kind == "textarea" else kind: _spelled(kind, texts)},
            **({} if first.score is None else {"score": first.score}),
            **extra,
        }


def _spelled(kind: str, said: Attribute) -> Any:
    if kind in ("number", "rating"):
        return said
    texts = list(said) if isinstance(said, tuple) else [_plain(said) if isinstance(said, bool) else str(said)]
    return [text.split("/") for text in texts] if kind == "taxonomy" else texts


def _finite(numbers: Sequence[float]) -> tuple[float, ...]:
    return tuple(finite(number) for number in numbers)
