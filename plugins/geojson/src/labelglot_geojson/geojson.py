"""GeoJSON over an image, as QuPath writes it: features in pixels, one file per image."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

from labelglot.geometry import ellipse_to_ring
from labelglot.plugin import (
    TEXT,
    Annotation,
    Ellipse,
    Holds,
    LabelglotError,
    LabelHolds,
    Match,
    Mirrored,
    Naming,
    Options,
    Pair,
    Points,
    Polygon,
    Polyline,
    ReadContext,
    Report,
    Ring,
    Sample,
    Shape,
    Source,
    WriteContext,
    with_suffix,
)
from labelglot.wire import json
from pydantic import Field

CODE = "geojson"
COLLECTION, FEATURE = "FeatureCollection", "Feature"
KINDS = ("Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection")
OTHER_KEYS = ("label", "class", "class_name", "annotation_type", "category")
"""Where other tools than QuPath put the class."""
OLD_ID = re.compile(r"Path\w*Object")
ELLIPSE_POINTS = 64
DECIMALS = 9
"""Of the outlines of ellipses: finer is the noise of computing them."""
DEEPEST = 50


class Found(NamedTuple):
    """A feature, where it stands, and the id of the one it is a child of."""

    feature: Mapping[str, Any]
    place: str
    parent: str | None


class GeoJson(Mirrored):
    """Polygons with holes and parts, polylines, points and upright ellipses, in pixels of the full image.

    Numbers among the attributes are measurements, texts metadata; ``name`` and ``locked`` are properties.
    """

    id = CODE
    name = "GeoJSON (QuPath)"
    aliases = ("qupath",)
    url = "https://qupath.readthedocs.io/en/stable/docs/advanced/exporting_annotations.html"
    image_folder = ""
    file_folder = ""
    suffix = ".geojson"
    holds = Holds(
        geometry=(frozenset({"polygon", "polyline", "points", "ellipse"}),),
        ellipses="upright",
        labels=LabelHolds(unused=False, order="appearance", names=r"(?s:.+)", required=False),
        attributes=frozenset({"int", "float", "str"}),
        flags={"name": TEXT, "locked": frozenset({"bool"})},
        defaults={"locked": False},
        ids="str",
        size=False,
        naming=Naming(unique="stem", suffix=False),
        extra=frozenset({CODE}),
    )

    class ReadOptions(Options):
        """Options of the reader."""

        label: str = Field(
            default="", title="Class", description="property that names the class; by default classification, then label, "
            "class, class_name, annotation_type, category",
        )  # fmt: skip

    def detect(self, source: Source) -> Match | None:
        for path in self.annotation_files(source)[:20]:
            value = json.peek(source.head(path, 1 << 14))
            features = list(_features(value, path))
            if not features and not _is_collection(value):
                continue
            properties: set[str] = set()
            for found in features:
                about = found.feature.get("properties")
                properties |= about.keys() if isinstance(about, dict) else set()
            if properties & {"objectType", "object_type", "classification", "isLocked"}:
                return Match(0.95, f"{path}: features as QuPath writes them")
            if isinstance(value, dict) and "crs" in value:
                return Match(0.3, f"{path}: features on a map")
            return Match(0.75, f"{path}: features of GeoJSON")
        return None

    def annotation_files(self, source: Source) -> list[str]:
        return list(source.match("*.geojson")) or [
            path for path in source.match("*.json") if self.is_annotation(source, path)
        ]

    def is_annotation(self, source: Source, path: str) -> bool:
        value = json.peek(source.head(path, 1 << 12))
        return _is_collection(value) or next(_features(value, path), None) is not None

    def stem_of(self, name: str) -> str:
        return with_suffix(name, "") if name.lower().endswith((".geojson", ".json")) else name

    def decode(self, data: bytes | None, pair: Pair, context: ReadContext, report: Report) -> Sample | None:
        return super().decode(data, pair._replace(more=context.options.label), context, report)

    def parse(self, data: bytes, pair: Pair, report: Report) -> Mapping[str, Any]:
        place, key = pair.annotation or "", pair.path or ""
        value: Any = json.load(data, place)
        if (
            not _is_collection(value)
            and not isinstance(value, list)
            and not (isinstance(value, dict) and value.get("type") == FEATURE)
        ):
            raise LabelglotError("neither a collection of features nor a feature", place)
        extra: dict[str, Any] = {}
        if _is_collection(value):
            extra = {name: item for name, item in value.items() if name not in ("type", "features")}
            if "crs" in extra:
                report.problem(
                    f"{CODE}.map", "it names a reference system of maps", place, key=key, action="read as pixels"
                )
        found = [a for each in _features(value, place, report) for a in _annotations(each, pair.more, key, report)]
        return {"annotations": tuple(found), "extra": {CODE: extra} if extra else {}}

    def encode_file(self, sample: Sample, context: WriteContext) -> bytes:
        features = b",\n".join(json.dump(_spell(a, context)) for a in sample.annotations or ())
        more = {name: value for name, value in sample.extra.get(CODE, {}).items() if name not in ("type", "features")}
        head = json.dump({"type": COLLECTION, **more})[:-1]
        return head + b',"features":[' + (b"\n" + features + b"\n" if features else b"") + b"]}\n"


def _is_collection(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") == COLLECTION


def _features(value: Any, place: str, report: Report | None = None) -> Iterator[Found]:
    """All features of a document with those below them, parents first."""
    if _is_collection(value):
        value, place = value.get("features"), f"{place}#features"
    stack: list[tuple[Any, str, str | None, int]] = []
    listed = value if isinstance(value, list) else [value]
    stack += [(item, f"{place}[{i}]", None, 0) for i, item in reversed(list(enumerate(listed)))]
    while stack:
        item, where, parent, depth = stack.pop()
        if not isinstance(item, dict) or item.get("type") != FEATURE or depth > DEEPEST:
            if report is not None and item is not None:
                report.problem(f"{CODE}.feature", "no feature", where, severity="error", raw=item, action="skipped")
            continue
        about = item.get("properties")
        about = about if isinstance(about, dict) else {}
        yield Found(item, where, parent)
        own = _id(item)
        for name in ("childObjects", "children"):
            below = about.get(name)
            if isinstance(below, list):
                inner = f"{where}.properties.{name}"
                stack += [(child, f"{inner}[{i}]", own, depth + 1) for i, child in reversed(list(enumerate(below)))]


def _id(feature: Mapping[str, Any]) -> str | None:
    """The id of a feature; in old files it is the kind of object."""
    value = feature.get("id")
    if (
        isinstance(value, bool)
        or not isinstance(value, int | str)
        or (isinstance(value, str) and OLD_ID.fullmatch(value))
    ):
        return None
    return str(value)


def _annotations(found: Found, chosen: str, key: str, report: Report) -> Iterator[Annotation]:
    """The objects of a feature: one for each shape the schema keeps apart."""
    feature = found.feature
    geometry = feature.get("geometry")
    about = feature.get("properties")
    about = dict(about) if isinstance(about, dict) else {}
    about.pop("childObjects", None)
    about.pop("children", None)
    if geometry is None:
        return
    try:
        shapes = list(_shapes(geometry, 0))
    except LabelglotError as error:
        report.problem(
            f"{CODE}.geometry", error.message, found.place, severity="error", key=key, raw=geometry, action="skipped"
        )
        return
    label, more = _label(about, chosen)
    bag: dict[str, Any] = {"classification": more} if more else {}
    attributes = _attributes(about, found.place, key, report)
    rest = {name: value for name, value in feature.items() if name not in ("type", "id", "geometry", "properties")}
    old = feature.get("id")
    if isinstance(old, str) and OLD_ID.fullmatch(old):
        rest["id"] = old
    if about.get("objectType") == "annotation":
        del about["objectType"]
    plane = {
        name: value
        for name, value in geometry.items()
        if name not in ("type", "coordinates", "geometries", "isEllipse")
    }
    bag |= {name: value for name, value in (("feature", rest), ("properties", about), ("geometry", plane)) if value}
    if len(shapes) > 1:
        report.problem(
            f"{CODE}.parts",
            "a feature of several shapes",
            found.place,
            severity="info",
            key=key,
            action="read as several objects",
        )
    for shape in shapes:
        yield Annotation(
            label=label, shape=shape, id=_id(feature), parent=found.parent, attributes=attributes,
            extra={CODE: bag} if bag else {},
        )  # fmt: skip


def _label(about: dict[str, Any], chosen: str) -> tuple[str | None, dict[str, Any]]:
    """The class, taken out of the properties, and what else the classification says."""
    if not chosen:
        said = about.get("classification")
        if isinstance(said, dict):
            del about["classification"]
            names = said.get("names")
            name = said.get("name")
            if not isinstance(name, str) and isinstance(names, list):
                name = ": ".join(map(str, names))
            more = {k: v for k, v in said.items() if k != "name" and not (k == "names" and name != said.get("name"))}
            return name if isinstance(name, str) and name else None, more
        if isinstance(said, str) and said:
            return str(about.pop("classification")), {}
    for name in (chosen,) if chosen else OTHER_KEYS:
        if isinstance(about.get(name), str | int) and about[name] != "" and not isinstance(about[name], bool):
            return str(about.pop(name)), {}
    return None, {}


def _attributes(about: dict[str, Any], place: str, key: str, report: Report) -> dict[str, Any]:
    """Measurements, metadata, name and lock, taken out of the properties."""
    found: dict[str, Any] = {}
    measured = about.get("measurements")
    if isinstance(measured, list):
        measured = {item.get("name"): item.get("value") for item in measured if isinstance(item, dict)}
    said = about.get("metadata")
    for source, kinds in ((measured, (int, float)), (said, (str,))):
        for name, value in source.items() if isinstance(source, dict) else ():
            if isinstance(name, str) and isinstance(value, kinds) and not isinstance(value, bool) and name not in found:
                if isinstance(value, float) and not isfinite(value):
                    report.problem(
                        f"{CODE}.number",
                        f"the measurement {name!r} is {value}",
                        place,
                        severity="info",
                        key=key,
                        action="left out",
                    )
                    continue
                found[name] = value
    left = {name: value for name, value in said.items() if found.get(name) != value} if isinstance(said, dict) else {}
    about.pop("measurements", None)
    about.pop("metadata", None)
    if left:
        about["metadata"] = left
    if isinstance(about.get("name"), str):
        found["name"] = about.pop("name")
    if "isLocked" in about and str(about.pop("isLocked")).lower() == "true":
        found["locked"] = True
    return found


def _shapes(geometry: Any, depth: int) -> Iterator[Shape]:
    """The shapes of a geometry. Raises :class:`LabelglotError` if it is none."""
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind not in KINDS or depth > DEEPEST:
        raise LabelglotError(f"{kind!r} is no geometry")
    if kind == "GeometryCollection":
        inner = geometry.get("geometries")
        for each in inner if isinstance(inner, list) else ():
            yield from _shapes(each, depth + 1)
        return
    at = geometry.get("coordinates")
    if kind == "Point":
        yield Points(points=_ring([at]))
    elif kind == "MultiPoint":
        yield Points(points=_ring(at))
    elif kind == "LineString":
        yield Polyline(points=_ring(at))
    elif kind == "MultiLineString":
        for line in _list(at):
            yield Polyline(points=_ring(line))
    else:
        parts = tuple(
            tuple(_open(_ring(ring)) for ring in _list(part))
            for part in (_list(at) if kind == "MultiPolygon" else [at])
        )
        parts = tuple(part for part in parts if part)
        if not parts:
            raise LabelglotError("a polygon without ring")
        ring = parts[0][0]
        if geometry.get("isEllipse") is True and len(parts) == 1:
            x0, y0, x1, y1 = min(ring[::2]), min(ring[1::2]), max(ring[::2]), max(ring[1::2])
            yield Ellipse(cx=(x0 + x1) / 2, cy=(y0 + y1) / 2, rx=(x1 - x0) / 2, ry=(y1 - y0) / 2)
        else:
            yield Polygon(parts=parts)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise LabelglotError("the coordinates are no list")
    return value


def _ring(value: Any) -> Ring:
    """Points as flat numbers; a third number of a point is dropped."""
    numbers: list[float] = []
    for point in _list(value):
        pair = point[:2] if isinstance(point, list) else []
        if len(pair) < 2 or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in pair):
            raise LabelglotError("a point is not two numbers")
        try:
            numbers += map(float, pair)
        except OverflowError as error:
            raise LabelglotError("a coordinate is not finite") from error
    if not numbers or not all(map(isfinite, numbers)):
        raise LabelglotError("no point, or a coordinate that is not finite")
    return tuple(numbers)


def _open(ring: Ring) -> Ring:
    """A ring without its first point at the end."""
    return ring[:-2] if len(ring) > 2 and ring[:2] == ring[-2:] else ring


def _pairs(ring: Sequence[float], closed: bool = False) -> list[list[float]]:
    if not all(map(isfinite, ring)):
        raise LabelglotError("a coordinate is not finite")
    points = [[x, y] for x, y in zip(ring[::2], ring[1::2], strict=True)]
    return points + points[:1] if closed else points


def _geometry(shape: Shape | None) -> dict[str, Any]:
    if isinstance(shape, Polygon):
        parts = [[_pairs(ring, closed=True) for ring in part] for part in shape.parts]
        if len(parts) == 1:
            return {"type": "Polygon", "coordinates": parts[0]}
        return {"type": "MultiPolygon", "coordinates": parts}
    if isinstance(shape, Ellipse):
        ring = ellipse_to_ring(shape.cx, shape.cy, shape.rx, shape.ry, 0.0, ELLIPSE_POINTS)
        ring = tuple(round(value, DECIMALS) for value in ring)
        return {"type": "Polygon", "coordinates": [_pairs(ring, closed=True)], "isEllipse": True}
    if isinstance(shape, Polyline):
        return {"type": "LineString", "coordinates": _pairs(shape.points)}
    points = _pairs(shape.points if isinstance(shape, Points) else ())
    if len(points) == 1:
        return {"type": "Point", "coordinates": points[0]}
    return {"type": "MultiPoint", "coordinates": points}


def _spell(annotation: Annotation, context: WriteContext) -> dict[str, Any]:
    bag: Mapping[str, Any] = annotation.extra.get(CODE, {})
    said = {name: value for name, value in annotation.attributes.items() if name not in ("name", "locked")}
    measured = {name: value for name, value in said.items() if not isinstance(value, str)}
    texts = {name: value for name, value in said.items() if isinstance(value, str)}
    properties: dict[str, Any] = {"objectType": "annotation"}
    if annotation.label is not None:
        properties["classification"] = {"name": context.name(annotation.label), **bag.get("classification", {})}
    if "name" in annotation.attributes:
        properties["name"] = annotation.attributes["name"]
    if annotation.attributes.get("locked") is True:
        properties["isLocked"] = True
    if measured:
        properties["measurements"] = measured
    own = dict(bag.get("properties", {}))
    texts = {**own.pop("metadata", {}), **texts}
    if texts:
        properties["metadata"] = texts
    feature: dict[str, Any] = {"type": FEATURE}
    if annotation.id is not None:
        feature["id"] = annotation.id
    feature["geometry"] = {**_geometry(annotation.shape), **bag.get("geometry", {})}
    feature["properties"] = {**properties, **own}
    return {**feature, **{name: value for name, value in bag.get("feature", {}).items() if name not in feature}}
