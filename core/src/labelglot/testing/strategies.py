"""Hypothesis strategies that build datasets from a ``Holds``: dense in what the format can hold, odd where data is odd.

What they build is not yet reduced: names may not fit, numbers may be finer than the format writes. The projection of a
dataset, not the dataset itself, is what a round trip must return.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from functools import lru_cache
from typing import Any

from hypothesis import strategies as st

from labelglot.geometry import corners_from_center, encode_string
from labelglot.holds import EVERYTHING, Holds, ValueKind
from labelglot.images import BytesImage
from labelglot.schema import (
    Annotation,
    AttributeSpec,
    Cuboid,
    Dataset,
    Ellipse,
    Info,
    Keypoints,
    Label,
    Mask,
    Points,
    Polygon,
    Polyline,
    RotatedBox,
    Sample,
    Tag,
    make_labels,
)

Draw = Any

SIZES = ((1, 1), (64, 48), (640, 480), (333, 500), (1, 700))
_NAMES = ("cat", "dog", "traffic light", "a,b", "Straße", "汽车", "it's", 'say "hi"', "0", "0001", "x/y", "<tag>&", "Cat")
_STEMS = ("a", "b", "000001", "with blank", "dir/a", "dir/sub dir/b", "été/ü", "a.b.c", "A", "comma,name", "q'uote")
_SUFFIXES = (".jpg", ".png", ".jpeg")
_SPLITS = ("train", "val", "test", "valid", "odd split")


@lru_cache(maxsize=64)
def png(width: int, height: int) -> bytes:
    """A real, tiny image file of this size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\0" + bytes((width + 7) // 8)
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    body = zlib.compress(row * height, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


_pixel = st.one_of(
    st.integers(-3, 700).map(float),
    st.integers(0, 5600).map(lambda i: i / 8),
    st.floats(-10, 2000, allow_subnormal=False).map(lambda v: v if abs(v) > 1e-3 or v == 0 else 0.25),
)
_fraction = st.one_of(
    st.integers(0, 64).map(lambda i: i / 64), st.floats(0, 1, allow_subnormal=False).map(lambda v: v if v > 1e-6 else 0.5)
)


def _address(path: str) -> st.SearchStrategy[str]:
    """Where an image may come from: elsewhere, or a place that leads to the same path."""
    return st.sampled_from(["https://example.org/x.jpg?a=1&b=2", f"s3://bucket/{path}", f"gs://b/deep/{path}"])


def _coordinate(relative: bool) -> st.SearchStrategy[float]:
    return _fraction if relative else _pixel


def _box(draw: Draw, relative: bool) -> tuple[float, float, float, float]:
    n = _coordinate(relative)
    x0, y0, x1, y1 = draw(st.tuples(n, n, n, n))
    if draw(st.integers(0, 9)) == 0:
        return (x0, y0, x1, y1)
    return (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))


def _ring(draw: Draw, relative: bool, least: int, most: int) -> tuple[float, ...]:
    count = draw(st.integers(least, most))
    return tuple(draw(st.lists(_coordinate(relative), min_size=2 * count, max_size=2 * count)))


def _mask(draw: Draw, size: tuple[int, int]) -> Mask:
    width, height = size
    total = width * height
    cuts = sorted(draw(st.lists(st.integers(0, total), max_size=6, unique=True)))
    edges = [0, *cuts, total]
    counts = [b - a for a, b in itertools.pairwise(edges)]
    while len(counts) > 1 and counts[-1] == 0:
        counts.pop()
    return Mask(width=width, height=height, rle=encode_string(counts))


def _shape(draw: Draw, kind: str, size: tuple[int, int] | None, relative: bool) -> Any:
    if kind == "polygon":
        rings = draw(st.integers(1, 2))
        parts = []
        for _ in range(rings):
            holes = [_ring(draw, relative, 3, 4)] if draw(st.integers(0, 4)) == 0 else []
            parts.append((_ring(draw, relative, 3, 6), *holes))
        return Polygon(parts=tuple(parts))
    if kind == "mask":
        return _mask(draw, size) if size else None
    if kind == "rotated_box":
        n = _coordinate(relative)
        angle = draw(st.floats(-3.1, 3.1)) if not relative else 0.0
        w, h = (draw(st.floats(0.01, 0.5)) if relative else draw(st.floats(1, 300)) for _ in range(2))
        ring = corners_from_center(draw(n), draw(n), w, h, angle)
        return RotatedBox(corners=ring, angle=angle if draw(st.booleans()) else None)
    if kind == "polyline":
        return Polyline(points=_ring(draw, relative, 2, 5))
    if kind == "points":
        return Points(points=_ring(draw, relative, 1, 4))
    if kind == "ellipse":
        n = _coordinate(relative)
        r = st.floats(0.01, 0.5) if relative else st.floats(1, 200)
        angle = draw(st.floats(-1.5, 1.5)) if draw(st.booleans()) and not relative else 0.0
        return Ellipse(cx=draw(n), cy=draw(n), rx=draw(r), ry=draw(r), angle=angle)
    return Cuboid(corners=_ring(draw, relative, 8, 8))


_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "int": st.integers(-5, 1000),
    "float": st.integers(1, 799).map(lambda i: i / 8 + 1 / 16),
    "str": st.sampled_from(["red", "0001", "true", "3.5", "two words", "ünï", "a=b;c", "x, y"]),
    "list": st.lists(st.sampled_from(["p", "q r", "s"]), min_size=1, max_size=3, unique=True).map(tuple),
    "null": st.none(),
}


def _values(kinds: frozenset[ValueKind]) -> st.SearchStrategy[Any]:
    return st.one_of([_VALUES[kind] for kind in sorted(kinds)])


def _attributes(draw: Draw, free: frozenset[ValueKind], named: dict[str, frozenset[ValueKind]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, kinds in named.items():
        if draw(st.integers(0, 2)) == 0:
            found[name] = draw(st.sampled_from([0, 1]) if kinds == {"int"} else _values(kinds))
    if free:
        for name in draw(st.lists(st.sampled_from(["colour", "age", "Hair Style", "ok"]), max_size=2, unique=True)):
            found[name] = draw(_values(free))
    return found


def _id(draw: Draw, kind: str, number: int) -> Any:
    if kind == "none" or draw(st.integers(0, 4)) == 0:
        return None
    if kind == "int" or (kind == "any" and draw(st.booleans())):
        return number
    return f"id-{number}"


def _labels(draw: Draw, holds: Holds) -> tuple[Label, ...]:
    rules = holds.labels
    if not rules.table:
        return ()
    names = draw(st.lists(st.sampled_from((*_NAMES, *holds.implied)), min_size=1, max_size=4, unique=not rules.duplicates))
    gap = draw(st.integers(0, 3))
    ids_kind = {"index": "none"}.get(rules.ids, rules.ids)
    found = []
    for i, name in enumerate(names):
        points = draw(st.integers(1, 3)) if rules.keypoints and draw(st.booleans()) else 0
        keypoints = tuple(f"kp {j}" if j else "nose" for j in range(points)) if points else None
        found.append(
            Label(
                key=name, name=name, id=_id(draw, ids_kind, gap + i * (1 + gap)),
                parent=draw(st.sampled_from(["animal", "vehicle"])) if rules.parent and draw(st.booleans()) else None,
                color="#12ab34" if rules.color and draw(st.booleans()) else None,
                keypoints=keypoints,
                skeleton=((0, points - 1),) if rules.skeleton and points > 1 else (),
                keypoint_flip=tuple(range(points)) if rules.keypoint_flip and points else None,
                attributes=(AttributeSpec(name="colour", kind="choice", values=("red", "blue")),)
                if rules.attributes and draw(st.booleans())
                else (),
            )
        )  # fmt: skip
    return make_labels(found)


def _annotation(draw: Draw, holds: Holds, labels: tuple[Label, ...], sample: dict[str, Any], number: int) -> Annotation:
    label = draw(st.sampled_from(labels)) if labels and (holds.labels.required or draw(st.integers(0, 5))) else None
    fields: dict[str, Any] = {"label": label.key if label else None}
    size, relative = sample["size"], sample["units"] == "relative"
    kinds = sorted(holds.kinds)
    if not kinds and holds.required:
        kinds = sorted(holds.required)
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=2, unique=True)) if kinds else ():
        if kind == "box":
            fields["box"] = _box(draw, relative)
        elif kind == "keypoints":
            count = len(label.keypoints) if label and label.keypoints else 2
            seen = draw(st.lists(st.sampled_from([0, 1, 2]), min_size=count, max_size=count))
            stated = holds.keypoint_visibility == "given" or (holds.keypoint_visibility != "none" and draw(st.integers(0, 3)))
            fields["keypoints"] = Keypoints(
                points=_ring(draw, relative, count, count), visibility=tuple(seen) if stated else None
            )
        else:
            fields["shape"] = _shape(draw, kind, size, relative)
    if holds.score and draw(st.booleans()):
        fields["score"] = draw(st.integers(0, 64)) / 64
    if holds.text and draw(st.booleans()):
        fields["text"] = draw(st.sampled_from(["hello", "a b", "ünï", "123"]))
    if holds.layer and draw(st.booleans()):
        fields["layer"] = draw(st.sampled_from(["anna", "bert"]))
    fields["id"] = _id(draw, holds.ids, number + 7)
    for field, kind in (("track", holds.track), ("group", holds.group), ("parent", holds.parent)):
        if draw(st.booleans()):
            fields[field] = _id(draw, kind, draw(st.integers(1, 3)))
    fields["attributes"] = _attributes(draw, holds.attributes, dict(holds.flags))
    return Annotation(**fields)


def _tags(draw: Draw, holds: Holds, labels: tuple[Label, ...]) -> tuple[Tag, ...]:
    rules = holds.tags
    if rules is None:
        return ()
    found: list[Tag] = []
    if rules.labels != "none" and labels:
        most = 1 if rules.labels == "one" else 2
        for label in draw(st.lists(st.sampled_from(labels), max_size=most, unique_by=lambda x: x.key)):
            found.append(
                Tag(
                    label=label.key, negative=rules.negative and draw(st.booleans()),
                    score=draw(st.integers(0, 64)) / 64 if rules.score and draw(st.booleans()) else None,
                    layer="anna" if rules.layer and draw(st.booleans()) else None,
                    attributes=_attributes(draw, rules.attributes, {}),
                )
            )  # fmt: skip
    if rules.captions != "none":
        most = 1 if rules.captions == "one" else 2
        found += [Tag(text=text) for text in draw(st.lists(st.sampled_from(["a cat", "ein Hund, groß"]), max_size=most))]
    return tuple(found)


@st.composite
def datasets(draw: Draw, holds: Holds = EVERYTHING, max_samples: int = 3) -> Dataset:
    """A dataset that uses what ``holds`` declares. About half of them have real image files."""
    labels = _labels(draw, holds)
    with_images = draw(st.booleans())
    samples: list[Sample] = []
    taken: set[str] = set()
    number = 0
    for ordinal in range(draw(st.integers(0 if draw(st.integers(0, 9)) == 0 else 1, max_samples))):
        path = draw(st.sampled_from(_STEMS)) + draw(st.sampled_from(_SUFFIXES))
        splits: tuple[str, ...] = ()
        if holds.splits != "none" and draw(st.booleans()):
            names = _SPLITS if holds.splits == "any" else sorted(holds.splits)
            most = 2 if holds.several_splits else 1
            splits = tuple(draw(st.lists(st.sampled_from(names), max_size=most, unique=True)))
        known = draw(st.integers(0, 3)) > 0
        size = draw(st.sampled_from(SIZES)) if known else None
        fields: dict[str, Any] = {
            "path": path, "splits": splits, "size": size,
            "units": "relative" if size is None and draw(st.booleans()) else "pixels",
            "id": _id(draw, holds.sample_ids, ordinal * 3),
            "uri": draw(_address(path)) if holds.uri and draw(st.booleans()) else None,
            "sequence": "seq 1" if holds.sequence and draw(st.booleans()) else None,
            "frame": draw(st.integers(0, 99)) if holds.frame and draw(st.booleans()) else None,
            "timestamp": draw(st.integers(0, 800)) / 8 if holds.timestamp and draw(st.booleans()) else None,
            "attributes": _attributes(draw, holds.sample_attributes, holds.sample_flags),
            "tags": _tags(draw, holds, labels),
        }  # fmt: skip
        if with_images and size is not None:
            fields["image"] = BytesImage(path, png(*size))
        how_many = draw(st.integers(-1 if holds.unlabelled else 0, 3))
        annotations = None
        if how_many >= 0:
            annotations = tuple(_annotation(draw, holds, labels, fields, number + i) for i in range(how_many))
            number += how_many
        sample = Sample(**fields, annotations=annotations)
        if sample.key not in taken:
            taken.add(sample.key)
            samples.append(sample)
    info = Info(
        name="my set" if "name" in holds.info else None,
        description="what it is" if "description" in holds.info else None,
        version="1.0" if "version" in holds.info else None,
        url="https://example.org" if "url" in holds.info else None,
        licenses=("CC-BY",) if "licenses" in holds.info else (),
    )
    return Dataset(samples, labels, info)
