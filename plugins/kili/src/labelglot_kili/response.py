"""What one label of Kili says: a ``jsonResponse`` of jobs with annotations, categories or a text.

- ``rectangle`` = box by the extent of its vertices; ``polygon``, ``semantic`` = polygon with holes, its parts are
  annotations of one ``mid``; ``polyline``, ``vector`` = polyline; ``marker`` = point; ``pose`` = keypoints by code.
- ``children`` = attributes. Coordinates are fractions of the image; ``ROTATION_JOB`` says that it was turned.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from labelglot.plugin import (
    RELATIVE,
    Annotation,
    Keypoints,
    LabelglotError,
    Points,
    Polygon,
    Polyline,
    Problem,
    Report,
    Ring,
    Sample,
    Tag,
    WriteContext,
    decode_objects,
)
from labelglot.schema import Attribute
from labelglot.wire import json

from labelglot_kili.interface import CLASSES, DETECTION, OWNER, TEXTS

ROTATION = "ROTATION_JOB"
ANNOTATION = ("mid", "type", "categories", "children", "score", "boundingPoly", "point", "polyline", "points")
POINT = ("code", "point", "visibility", "type", "mid", "children")
MADE = "labelglot-"
"""Begins the ids of objects of several parts that had none."""
WHOLE = 100
"""Confidence of what people annotated."""
NUMBERED = "#"
"""Begins the codes of points that have no names."""


class Reader:
    """Reads the labels of one image. ``points``: codes of the points of each category, in order."""

    def __init__(
        self, size: tuple[int, int] | None, key: str, points: Mapping[str, Sequence[str]], report: Report
    ) -> None:
        self.size, self.key, self.points, self.report = size, key, points, report
        self.rotation = 0
        self.job = DETECTION
        self.layer: str | None = None
        self.is_track = False

    def read(
        self, response: Mapping[str, Any], layer: str | None, place: str, is_track: bool = False
    ) -> tuple[list[Annotation] | None, list[Tag], dict[str, Any]]:
        """Objects (``None``: no job asked for them), tags, and jobs that are kept as they are."""
        self.layer, self.is_track = layer, is_track
        self.rotation = self._rotation(json.fields(response.get(ROTATION)), place)
        objects: list[Annotation] | None = None
        tags: list[Tag] = []
        other: dict[str, Any] = {}
        counts = {CLASSES: 0, TEXTS: 0}
        for name, said in response.items():
            job, at = json.fields(said), f"{place}.{name}"
            if name == ROTATION:
                continue
            if isinstance(job.get("annotations"), list):
                self.job = name
                places = [(f"{at}.annotations[{i}]", item) for i, item in enumerate(job["annotations"])]
                found = decode_objects(places, self._object, self.report, f"{OWNER}.object", self.key)
                objects = [*(objects or ()), *(each for a in _joined(found) for each in self._by_class(a, at))]
            elif isinstance(job.get("categories"), list):
                tags += self._classes(job["categories"], name, counts, at)
            elif isinstance(job.get("text"), str):
                usual = _numbered(TEXTS, counts)
                tags.append(Tag(text=job["text"], layer=layer, extra=_bag({} if name == usual else {"job": name})))
            else:
                other[name] = said
        if not response or (objects is None and not tags):
            objects = []
        return objects, tags, other

    def _rotation(self, job: Mapping[str, Any], place: str) -> int:
        turn = job.get("rotation", 0)
        if turn not in (0, 90, 180, 270):
            self.report.problem(
                f"{OWNER}.rotation", f"the image is turned by {turn!r}", place, key=self.key, action="ignored"
            )
            return 0
        return int(turn)

    def _classes(self, items: Sequence[Any], name: str, counts: dict[str, int], place: str) -> Iterator[Tag]:
        usual = _numbered(CLASSES, counts)
        for item in items:
            code, more = json.fields(item).get("name"), json.rest(json.fields(item), ("name", "confidence", "score"))
            if not isinstance(code, str):
                self.report.problem(f"{OWNER}.category", "a category without name", place, raw=item, action="skipped")
                continue
            extra = {**({} if name == usual else {"job": name}), **({"category": more} if more else {})}
            yield Tag(label=code, score=_score(item), layer=self.layer, extra=_bag(extra))

    def _object(self, item: Any) -> Annotation:
        if not isinstance(item, dict):
            raise LabelglotError("the annotation is no object")
        kind = item.get("type")
        if kind is None:
            kind = next(
                (k for f, k in (("points", "pose"), ("point", "marker"), ("polyline", "polyline")) if f in item),
                "rectangle",
            )
        categories = [c for c in json.items(item.get("categories")) if isinstance(json.fields(c).get("name"), str)]
        names = [c["name"] for c in categories]
        extra = json.rest(item, ANNOTATION)
        geometry = self._geometry(kind, item, names, extra)
        attributes, text, raw = read_children(item.get("children"))
        if raw:
            extra["children"] = raw
        if self.job != DETECTION:
            extra["job"] = self.job
        if len(names) > 1:
            extra["classes"] = names
        if any(json.rest(c, ("name", "confidence", "score")) for c in categories):
            extra["categories"] = categories
        mid, score = item.get("mid"), item.get("score")
        given = isinstance(mid, str) and not mid.startswith(MADE)
        made = Annotation(
            label=names[0] if names else None,
            id=mid if given and not self.is_track else None,
            track=mid if given and self.is_track else None,
            score=_score(categories[0])
            if score is None and categories
            else None
            if score is None
            else json.finite(score, "score"),
            attributes=attributes,
            text=text,
            layer=self.layer,
            **geometry,
        )
        if kind != spell_type(made):
            extra["type"] = kind
        if not given and isinstance(mid, str):
            extra["mid"] = mid
        return made.replace(extra=_bag(extra))

    def _geometry(
        self, kind: Any, item: Mapping[str, Any], names: Sequence[str], extra: dict[str, Any]
    ) -> dict[str, Any]:
        if kind == "pose":
            return {"keypoints": self._pose(item.get("points"), names, extra)}
        if kind == "marker":
            return {"shape": Points(points=self._ring([item.get("point")]))}
        if kind in ("polyline", "vector"):
            ring = self._ring(item.get("polyline"))
            if not ring:
                raise LabelglotError("a line without points")
            return {"shape": Polyline(points=ring)}
        if kind not in ("rectangle", "polygon", "semantic"):
            raise LabelglotError(f"annotations of type {kind!r} are not understood")
        listed = item.get("boundingPoly")
        polys = [json.fields(poly) for poly in listed if not isinstance(poly, list)] if isinstance(listed, list) else []
        parts = [p for p in listed if isinstance(p, list)] if isinstance(listed, list) else []
        found = tuple(self._rings(part) for part in ([polys] if polys else []) + parts)
        if not found or not all(found):
            raise LabelglotError("the annotation has no vertices")
        if kind == "rectangle":
            ring = found[0][0]
            if len(ring) < 4:
                raise LabelglotError("a rectangle of one vertex")
            return {"box": (min(ring[::2]), min(ring[1::2]), max(ring[::2]), max(ring[1::2]))}
        return {"shape": Polygon(parts=found)}

    def _rings(self, polys: Sequence[Any]) -> tuple[Ring, ...]:
        rings = []
        for poly in polys:
            vertices = json.fields(poly).get("normalizedVertices")
            if vertices is None and self.size is not None and json.fields(poly).get("vertices") is not None:
                ring = json.read_points(poly["vertices"])
                vertices = json.write_points(RELATIVE.write_points(ring, self.size))
            rings.append(self._ring(vertices))
        return tuple(ring for ring in rings if ring)

    def _ring(self, points: Any) -> Ring:
        """Pixels, or fractions if the size is unknown, of the image as it is when nobody has turned it."""
        ring = json.read_points(points)
        if self.rotation:
            ring = tuple(v for x, y in zip(ring[::2], ring[1::2], strict=True) for v in _unturned(x, y, self.rotation))
        return RELATIVE.read_points(ring, self.size)

    def _pose(self, points: Any, names: Sequence[str], extra: dict[str, Any]) -> Keypoints:
        found: dict[str, tuple[Ring, int]] = {}
        further: dict[str, Any] = {}
        for number, point in enumerate(points if isinstance(points, list) else (), 1):
            about = json.fields(point)
            code = about.get("code")
            code = code if isinstance(code, str) else f"{NUMBERED}{number}"
            seen = about.get("visibility", 2)
            found[code] = self._ring([about.get("point")]), seen if seen in (0, 1, 2) else 2
            more = json.rest(about, ("code", "point", "visibility", "type"))
            if more.get("children") == {}:
                del more["children"]
            if more:
                further[code] = more
        if not found:
            raise LabelglotError("a pose without points")
        order = (self.points.get(names[0]) if names else None) or list(found)
        nowhere = ((0.0, 0.0), 0)
        listed = [found.get(code, nowhere) for code in order]
        if not set(found) <= set(order):
            raise LabelglotError(f"points {sorted(set(found) - set(order))} do not belong to {names[0]}")
        if further:
            extra["points"] = further
        return Keypoints(
            points=tuple(v for ring, _ in listed for v in ring), visibility=tuple(seen for _, seen in listed)
        )

    def _by_class(self, a: Annotation, place: str) -> Iterator[Annotation]:
        """The object itself, or one for each of its categories."""
        extra = dict(json.fields(a.extra.get(OWNER)))
        names = extra.pop("classes", None)
        if names is None:
            yield a
            return
        self.report.problem(
            f"{OWNER}.classes", f"an object of {len(names)} categories", place, severity="info", key=self.key,
            action="one object for each",
        )  # fmt: skip
        extra.pop("categories", None)
        for name in names:
            yield a.replace(label=name, extra=_bag(extra))


def _unturned(x: float, y: float, rotation: int) -> tuple[float, float]:
    """A point of the turned image in the image as it is; fractions both."""
    return {90: (y, 1 - x), 180: (1 - x, 1 - y), 270: (1 - y, x)}[rotation]


def _joined(found: Iterable[Annotation]) -> Iterator[Annotation]:
    """Polygons that follow each other and are one object, as one."""
    last: Annotation | None = None
    for a in found:
        if last is not None and isinstance(a.shape, Polygon) and isinstance(last.shape, Polygon):
            mid, before = (x.id or x.track or json.fields(x.extra.get(OWNER)).get("mid") for x in (a, last))
            if mid is not None and mid == before and a.label == last.label:
                last = last.replace(shape=Polygon(parts=last.shape.parts + a.shape.parts))
                continue
        if last is not None:
            yield _settled(last)
        last = a
    if last is not None:
        yield _settled(last)


def _settled(a: Annotation) -> Annotation:
    """Without what joining parts needed."""
    extra = dict(json.fields(a.extra.get(OWNER)))
    extra.pop("mid", None)
    if extra.get("type") in ("polygon", "semantic") and isinstance(a.shape, Polygon) and extra["type"] == spell_type(a):
        del extra["type"]
    return a.replace(extra=_bag(extra))


def _bag(extra: dict[str, Any]) -> dict[str, Any]:
    return {OWNER: extra} if extra else {}


def _numbered(name: str, counts: dict[str, int]) -> str:
    """What the next job of a kind is called by default."""
    number = counts[name]
    counts[name] += 1
    return f"{name}_{number}" if number else name


def _score(category: Any) -> float | None:
    about = json.fields(category)
    score, confidence = about.get("score"), about.get("confidence")
    if isinstance(score, int | float) and not isinstance(score, bool):
        return float(score)
    if isinstance(confidence, bool) or not isinstance(confidence, int | float) or confidence == WHOLE:
        return None
    return confidence / WHOLE


def _category(name: str, score: float | None) -> dict[str, Any]:
    if score is None:
        return {"name": name, "confidence": WHOLE}
    return {"name": name, "confidence": score * WHOLE, "score": score}


def read_children(children: Any) -> tuple[dict[str, Attribute], str | None, dict[str, Any]]:
    """Attributes of an object, those of nested questions among them, its text, and the answers as written if they say
    more.
    """
    found: dict[str, Attribute] = {}
    texts: list[str] = []

    def take(jobs: Any) -> None:
        for name, said in json.fields(jobs).items():
            job = json.fields(said)
            text, categories = job.get("text"), job.get("categories")
            if isinstance(text, str):
                if name == TEXTS and not texts:
                    texts.append(text)
                else:
                    found.setdefault(name, text)
            elif isinstance(categories, list):
                names = [json.fields(c).get("name") for c in categories]
                codes = tuple(code for code in names if isinstance(code, str))
                found.setdefault(name, codes[0] if len(codes) == 1 and job.get("multiple") is not True else codes)
                for category in categories:
                    take(json.fields(category).get("children"))

    take(children)
    text = texts[0] if texts else None
    return found, text, {} if json.fields(children) == spell_children(found, text) else json.fields(children)


def spell_children(attributes: Mapping[str, Attribute], text: str | None) -> dict[str, Any]:
    """The answers to nested questions."""
    made: dict[str, Any] = {}
    for name, said in attributes.items():
        if isinstance(said, tuple):
            made[name] = {
                "categories": [{"name": each} for each in said],
                **({} if len(said) > 1 else {"multiple": True}),
            }
        else:
            made[name] = {"categories": [{"name": str(said)}]}
    if text is not None:
        made[TEXTS] = {"text": text}
    return made


def spell_type(a: Annotation) -> str:
    """The type in which an object is written."""
    if a.keypoints is not None:
        return "pose"
    if isinstance(a.shape, Points):
        return "marker"
    if isinstance(a.shape, Polyline):
        return "polyline"
    if isinstance(a.shape, Polygon):
        return "polygon" if len(a.shape.parts) == 1 and not a.shape.has_holes else "semantic"
    return "rectangle"


class Writer:
    """Writes the labels of one sample. ``tools``: types of annotations that were used."""

    def __init__(self, sample: Sample, context: WriteContext) -> None:
        self.sample, self.context = sample, context
        self.tools: dict[str, None] = {}
        self.problems: list[Problem] = []
        self.before: int | str | None = None

    def response(
        self, objects: Sequence[tuple[int, Annotation]], tags: Sequence[Tag], other: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The jobs of one label."""
        made: dict[str, Any] = {}
        last: tuple[str, str] | None = None
        key = ""
        counts = {CLASSES: 0, TEXTS: 0}
        for tag in tags:
            extra = json.fields(tag.extra.get(OWNER))
            kind = CLASSES if tag.text is None else TEXTS
            name = extra.get("job")
            if kind == CLASSES and last == (kind, name or ""):
                made[key]["categories"].append(self._tag(tag, extra))
                continue
            last = (kind, name or "")
            key = _numbered(kind, counts) if name is None else name
            while key in made:
                key += "_"
            made[key] = {"text": tag.text} if kind == TEXTS else {"categories": [self._tag(tag, extra)]}
        if self.sample.annotations is not None and (objects or tags):
            for _, a in objects:
                made.setdefault(json.fields(a.extra.get(OWNER)).get("job", DETECTION), {"annotations": []})
            if not objects:
                made[DETECTION] = {"annotations": []}
            for position, a in objects:
                job = json.fields(a.extra.get(OWNER)).get("job", DETECTION)
                made[job].setdefault("annotations", []).extend(self._object(a, position))
        return {**made, **other}

    def _tag(self, tag: Tag, extra: Mapping[str, Any]) -> dict[str, Any]:
        return {**_category(self.context.name(tag.label), tag.score), **json.fields(extra.get("category"))}

    def _object(self, a: Annotation, position: int) -> Iterator[dict[str, Any]]:
        """An object, or one annotation for each of its parts."""
        extra = dict(json.fields(a.extra.get(OWNER)))
        extra.pop("job", None)
        kind = extra.pop("type", None)
        usual = spell_type(a)
        kind = kind if {kind, usual} <= {"polygon", "semantic"} or {kind, usual} <= {"polyline", "vector"} else usual
        self.tools.setdefault(kind)
        listed = extra.pop("categories", None)
        name = None if a.label is None else self.context.name(a.label)
        categories = [] if name is None else [_category(name, a.score)]
        if isinstance(listed, list) and [json.fields(c).get("name") for c in listed] == [name]:
            categories = listed
        raw = extra.pop("children", None)
        read, text, _ = read_children(raw)
        kept = bool(raw) and text == a.text and all(a.attributes.get(key) == said for key, said in read.items())
        further = {key: said for key, said in a.attributes.items() if not kept or key not in read}
        children = {**(raw or {}), **spell_children(further, None)} if kept else spell_children(further, a.text)
        points = extra.pop("points", None)
        shape = a.shape
        parts = shape.parts if isinstance(shape, Polygon) else (None,)
        mid = a.id or (f"{MADE}{position + 1}" if len(parts) > 1 else None)
        if a.id is not None and a.id == self.before:
            message = f"the object before it has the id {a.id!r}, too; as parts of one object they would be read as one"
            self.problems.append(Problem(f"{OWNER}.id", message, object=position, action="written under another id"))
            mid = f"{MADE}{position + 1}"
        self.before = a.id
        for part in parts:
            yield {
                **({} if mid is None else {"mid": mid}),
                "type": kind,
                "categories": categories,
                "children": children,
                **({"score": a.score} if name is None and a.score is not None else {}),
                **self._draw(a, part, points),
                **extra,
            }

    def _draw(self, a: Annotation, part: tuple[Ring, ...] | None, points: Any) -> dict[str, Any]:
        if part is not None:
            return {"boundingPoly": [{"normalizedVertices": self._vertices(ring)} for ring in part]}
        if a.keypoints is not None:
            return {"points": list(self._points(a, json.fields(points)))}
        if isinstance(a.shape, Points):
            return {"point": self._vertices(a.shape.points)[0]}
        if isinstance(a.shape, Polyline):
            return {"polyline": self._vertices(a.shape.points)}
        x0, y0, x1, y1 = a.box or (0.0, 0.0, 0.0, 0.0)
        x0, y0, x1, y1 = min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)
        return {"boundingPoly": [{"normalizedVertices": self._vertices((x0, y1, x0, y0, x1, y0, x1, y1))}]}

    def _vertices(self, ring: Ring) -> list[dict[str, float]]:
        return json.write_points(RELATIVE.write_points(ring, self.sample.size))

    def _points(self, a: Annotation, further: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The points of a pose. Those without label are left out if they are nowhere and are missed by their name."""
        assert a.keypoints is not None
        label = None if a.label is None else self.context.by_key.get(a.label)
        names = (label.keypoints if label is not None else None) or ()
        seen = a.keypoints.visibility or (2,) * len(a.keypoints)
        codes = [names[i] if i < len(names) else f"{NUMBERED}{i + 1}" for i in range(len(seen))]
        missing = [
            not v and not any(a.keypoints.points[2 * i : 2 * i + 2]) and i < len(names) for i, v in enumerate(seen)
        ]
        for i, code in enumerate(codes):
            if missing[i] and not all(missing):
                continue
            point = self._vertices(a.keypoints.points[2 * i : 2 * i + 2])[0]
            visibility = {} if seen[i] == 2 else {"visibility": seen[i]}
            yield {
                "code": code,
                "point": point,
                "type": "marker",
                "children": {},
                **visibility,
                **json.fields(further.get(code)),
            }
