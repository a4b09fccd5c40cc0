"""OpenMMLab 2.0: one document per split with ``metainfo`` and ``data_list``, an entry per image with ``instances``.

Boxes are two corners in pixels; classes are positions in ``metainfo.classes``. Where images are, a training
configuration says, not the file. The list form of MMDetection 1 and 2, and the keys before release, are read too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from labelglot.geometry import corners_from_center
from labelglot.plugin import (
    ANY_VALUE,
    PIXELS,
    Annotation,
    Box,
    Content,
    Document,
    Holds,
    Info,
    Keypoints,
    Label,
    LabelglotError,
    LabelHolds,
    Mask,
    Match,
    Naming,
    Options,
    Polygon,
    ReadContext,
    Report,
    Ring,
    RotatedBox,
    Sample,
    Shape,
    Source,
    Tag,
    TagHolds,
    WriteContext,
    make_labels,
    numbers,
    set_apart,
    split_role,
    under,
)
from labelglot.storage import clean_foreign
from labelglot.wire import json, yaml
from labelglot.wire.rle import read_color, read_mask, write_color, write_mask
from pydantic import Field

OWNER = "openmmlab"
HEAD = 1 << 15
LISTS, ABOUT = ("data_list", "data_infos"), ("metainfo", "metadata")
_TASK = r"(?:instances|textdet|textrecog|textspotting)_"
_INFO = ("name", "description", "version", "url")
_IMAGE = ("img_path", "img_id", "height", "width", "instances", "gt_label")
_INSTANCE = (
    "bbox", "bbox_label", "ignore_flag", "bbox_score", "text", "instance_id", "mask", "polygon", "keypoints",
    "keypoints_visible", "attributes",
)  # fmt: skip
MOST_CLASSES = 1 << 16


class _Instance(msgspec.Struct, gc=False):
    """What must be right about an instance for it to be read."""

    bbox: list[float] | None = None
    bbox_label: int | None = None
    ignore_flag: int | bool | None = None
    bbox_score: float | None = None
    text: str | None = None
    instance_id: int | str | None = None
    attributes: dict[str, Any] | None = None


class _Key(msgspec.Struct, gc=False):
    """What must be known of an entry before it is decoded."""

    img_path: str | None = None
    filename: str | None = None
    gt_label: Any = None
    instances: Any = None
    ann: Any = None


class Entry(NamedTuple):
    """An image's entry, still encoded. ``path``: its identity."""

    position: int
    name: str
    path: str
    raw: bytes


class OpenMmLab(Document):
    """Instances with box, mask, keypoints and text; classes of images."""

    id = "openmmlab"
    name = "OpenMMLab 2.0 dataset file"
    aliases = ("mmengine", "mmdetection")
    url = "https://mmengine.readthedocs.io/en/latest/advanced_tutorials/basedataset.html"
    separator = b",\n"
    geometry_bound_extra = frozenset((OWNER, key) for key in ("mask", "polygon", "keypoints"))
    holds = Holds(
        geometry=(frozenset({"box"}), frozenset({"polygon", "mask"}), frozenset({"keypoints"})),
        required=frozenset({"box"}),
        polygon_holes=False,
        labels=LabelHolds(ids="index", required=False, color=True, duplicates=True),
        attributes=ANY_VALUE,
        flags={"ignore": frozenset({"bool"})},
        defaults={"ignore": False},
        score=True,
        text=True,
        track="any",
        tags=TagHolds(),
        sample_ids="any",
        splits="any",
        split_names=rf"(?!{_TASK}|annotations$|default$){Holds().split_names}",
        unlabelled=True,
        naming=Naming(scope="split"),
        info=frozenset({"name", "description", "version", "url"}),
        extra=frozenset({OWNER}),
    )

    class ReadOptions(Options):
        """What a file does not say."""

        classes: str = Field(
            "", title="Classes", description="names of the classes in order, with commas between, where the file has none"
        )

    def detect(self, source: Source) -> Match | None:
        for path in source.match("*.json", "*.yaml", "*.yml", "*.pkl", "*.pickle")[:20]:
            head = source.head(path, HEAD)
            if path.endswith((".yaml", ".yml")):
                keys = set(re.findall(rb"^(\w+):", head, re.MULTILINE))
                if {b"metainfo", b"data_list"} <= keys:
                    return Match(0.95, f"{path} has metainfo and data_list")
                continue
            if path.endswith((".pkl", ".pickle")):
                if head[:1] == b"\x80" and _is_ours(head):
                    return Match(0.6, f"{path} is a pickle that speaks of metainfo or data_list")
                continue
            value = json.peek(head)
            if isinstance(value, dict) and (known := [key for key in (*ABOUT, *LISTS) if key in value]):
                about = any(key in known for key in ABOUT)
                listed = any(isinstance(value.get(key), list) for key in LISTS)
                if about and (listed or "classes" in json.fields(value[known[0]])):
                    return Match(0.95, f"{path} has {' and '.join(known)}")
            first = value[0] if isinstance(value, list) and value else None
            if isinstance(first, dict) and {"filename", "ann"} <= first.keys():
                return Match(0.9, f"{path} lists images with filename and ann")
        return None

    def inputs(self, context: ReadContext) -> Sequence[tuple[str, str | None]]:
        source = context.source
        if source.focus is not None:
            return [(source.focus, split_of(source.focus))]
        names = source.match("*.json", "*.yaml", "*.yml", "*.pkl", "*.pickle")
        found = [path for path in names if _is_ours(source.head(path, HEAD))]
        return [(path, split_of(path)) for path in found or names]

    def folders(self, path: str, split: str | None) -> Sequence[str]:
        return (under("images", split or ""),)

    def parse(self, data: bytes, path: str, context: ReadContext) -> Content:
        parts, about = _open(data, path)
        names, colours = _classes(about, context.options.classes)
        entries: list[Entry] = []
        taken: set[str] = set()
        highest = -1
        for position, part in enumerate(parts):
            place = f"{path}#data_list[{position}]"
            key = json.load_item(part, _Key, place, context.report, "openmmlab.entry")
            if key is None:
                continue
            name = key.img_path or key.filename or ""
            image = next(iter(clean_foreign(name)), None)
            if image is None:
                context.report.problem(
                    "openmmlab.entry", f"img_path {name!r} names no image", place, severity="error", action="skipped"
                )
                continue
            identity = set_apart(image, taken)
            if identity != image:
                context.report.problem("openmmlab.name", f"a second image is called {name!r}", place, action=f"called {identity}")
            entries.append(Entry(position, name, identity, part))
            highest = max(highest, *_numbers(key.gt_label), *_labels_of(key), -1)
        if not names:
            names = [f"class_{i}" for i in range(min(highest + 1, MOST_CLASSES))]
            if names:
                context.report.problem(
                    "openmmlab.classes", f"the {len(names)} classes have no names", path, severity="info",
                    action="called class_0, class_1...; name them with --from-option classes=NAMES",
                )  # fmt: skip
        labels = make_labels(
            Label(key=name, name=name, id=i, color=colours.get(i)) for i, name in enumerate(names)
        )
        keys = tuple(label.key for label in labels)
        return Content(entries, labels, _info(about), shared=keys, names=[entry.name for entry in entries])

    def decode(
        self, record: Entry, path: str, split: str | None, shared: Any, context: ReadContext, report: Report
    ) -> Sample | None:
        place = f"{path}#data_list[{record.position}]"
        values: dict[str, Any] = json.load(record.raw, place, dict)
        if "ann" in values and "instances" not in values:
            values = _modern(values, place, record.path, report)
        found = context.place(record.name, path.rpartition("/")[0], self.folders(path, split))
        reader = _Reader(shared, record.path, report)
        extra = json.rest(values, _IMAGE)
        if record.name != record.path:
            extra["img_path"] = record.name
        id_ = values.get("img_id")
        if not isinstance(id_, int | str) or isinstance(id_, bool):
            id_ = None
        return Sample(
            path=record.path, id=id_, uri=found.uri, image=found.image, size=json.size(values),
            splits=(split,) if split is not None else (), tags=reader.tags(values.get("gt_label"), extra, place),
            annotations=reader.objects(values.get("instances"), place), extra={OWNER: extra} if extra else {},
        )  # fmt: skip

    def document_path(self, split: str | None, context: WriteContext) -> str:
        return context.document(f"annotations/{split}.json" if split else "annotations.json", per_split=True)

    def image_path(self, sample: Sample, context: WriteContext) -> str | None:
        return under(under("images", sample.split or ""), sample.path)

    def frame(self, split: str | None, context: WriteContext) -> tuple[bytes, bytes]:
        info = context.info
        about: dict[str, Any] = {"classes": [label.name for label in context.labels]}
        if any(label.color for label in context.labels):
            about["palette"] = [label.color and write_color(label.color) for label in context.labels]
        about |= {name: value for name in _INFO if (value := getattr(info, name)) is not None}
        about |= {name: value for name, value in info.extra.get(OWNER, {}).items() if name not in about}
        return b'{"metainfo":' + json.dump(about) + b',\n"data_list":[\n', b"\n]}\n"

    def encode_record(self, sample: Sample, context: WriteContext, ordinal: int) -> bytes:
        extra = dict(sample.extra.get(OWNER, {}))
        name = str(extra.pop("img_path", ""))
        record: dict[str, Any] = {"img_path": name if name.endswith(f"/{sample.path}") else sample.path}
        if sample.id is not None:
            record["img_id"] = sample.id
        if sample.size is not None:
            record["width"], record["height"] = sample.size
        listed = extra.pop("gt_label", None)
        if sample.tags or listed == "list":
            classes = [context.index[tag.label or ""] for tag in sample.tags]
            record["gt_label"] = classes if len(classes) != 1 or listed == "list" else classes[0]
        if sample.annotations is not None:
            record["instances"] = [_encode(a, context) for a in sample.annotations]
        return json.dump({**record, **{name: value for name, value in extra.items() if name not in record}})


class _Reader:
    """Takes the instances and classes of one image. ``keys``: those of the classes, in order."""

    def __init__(self, keys: Sequence[str], key: str, report: Report) -> None:
        self.keys, self.key, self.report = keys, key, report

    def tags(self, value: Any, extra: dict[str, Any], place: str) -> tuple[Tag, ...]:
        if value is None:
            return ()
        found = _numbers(value)
        if isinstance(value, list) and len(found) < 2:
            extra["gt_label"] = "list"
        tags = [(number, self._label(number, place)) for number in found]
        return tuple(Tag(label=label) for _, label in tags if label is not None)

    def _label(self, number: int | None, place: str) -> str | None:
        if number is None or number == -1:
            return None
        if 0 <= number < len(self.keys):
            return self.keys[number]
        self.report.problem("openmmlab.label", f"there is no class {number}", place, key=self.key, action="read as no class")
        return None

    def objects(self, items: Any, place: str) -> tuple[Annotation, ...] | None:
        if not isinstance(items, list):
            if items is not None:
                self._skip("the instances are no list", place, items)
            return None if items is None else ()
        made: list[Annotation] = []
        for number, item in enumerate(items):
            at = f"{place}.instances[{number}]"
            found = json.load_item(item, _Instance, at, self.report, "openmmlab.instance")
            if found is None:
                continue
            try:
                made.append(self._object(found, item, at))
            except LabelglotError as error:
                self._skip(error.message, at, item)
        return tuple(made)

    def _object(self, found: _Instance, item: dict[str, Any], place: str) -> Annotation:
        extra = json.rest(item, _INSTANCE)
        box, shape = None, None
        if found.bbox:
            box, shape = self._box(found.bbox, place)
        outline = _shape(item, extra)
        if isinstance(outline, Polygon) and any(len(part[0]) < 6 for part in outline.parts):
            self.report.problem("openmmlab.polygon-short", "a polygon of less than 3 points", place, key=self.key)
        points = _keypoints(item, extra)
        attributes, nested = json.attributes(found.attributes)
        if nested:
            extra["attributes"] = nested
        if found.ignore_flag:
            attributes["ignore"] = True
        return Annotation(
            label=self._label(found.bbox_label, place), box=box, shape=outline or shape, keypoints=points, text=found.text,
            track=found.instance_id, score=found.bbox_score, attributes=attributes, extra={OWNER: extra} if extra else {},
        )  # fmt: skip

    def _box(self, values: Sequence[float], place: str) -> tuple[Box | None, Shape | None]:
        """Two corners; by custom five numbers are a turned box by centre, size and angle, and eight its corners."""
        v = numbers(values)
        if len(v) == 5:
            return None, RotatedBox(corners=corners_from_center(*v), angle=v[4])
        if len(v) == 8:
            return None, RotatedBox(corners=v)
        if len(v) != 4:
            raise LabelglotError(f"bbox has {len(v)} numbers, expected x1, y1, x2, y2")
        if v[2] <= v[0] or v[3] <= v[1]:
            self.report.problem(
                "openmmlab.box-empty", f"bbox {list(values)} has no area; is the file's order x, y, width, height?", place,
                key=self.key, action="read as two corners",
            )  # fmt: skip
        return PIXELS.read_box(v, None), None

    def _skip(self, message: str, place: str, raw: Any) -> None:
        self.report.problem(
            "openmmlab.instance", message, place, severity="error", key=self.key, raw=raw, action="skipped"
        )


def _shape(item: Mapping[str, Any], extra: dict[str, Any]) -> Shape | None:
    """The mask: run lengths, polygons, or the points of one; else MMOCR's flat polygon. How it was written rides along."""
    mask, flat = item.get("mask"), item.get("polygon")
    if mask is None and flat is not None:
        extra["polygon"] = flat
        return Polygon.of(_ring(flat))
    if not mask:
        if mask is not None:
            extra["mask"] = mask
        return None
    if isinstance(mask, dict):
        shape: Shape = read_mask(mask)
    elif isinstance(mask, list) and all(isinstance(part, list) and len(part) == 2 for part in mask):
        shape = Polygon.of(_ring([v for point in mask for v in point]))
    elif isinstance(mask, list) and all(isinstance(part, list) for part in mask):
        shape = Polygon.of(*map(_ring, mask))
    else:
        raise LabelglotError(f"a mask is run lengths or polygons, found {mask!r:.40}")
    if mask != _write_shape(shape):
        extra["mask"] = mask
    if flat is not None:
        extra["polygon"] = flat
    return shape


def _ring(values: Any) -> Ring:
    ring = numbers(values) if isinstance(values, list) else ()
    if not ring or len(ring) % 2:
        raise LabelglotError(f"a polygon of {len(ring)} numbers, expected x, y of each point")
    return ring


def _write_shape(shape: Shape | None) -> Any:
    if isinstance(shape, Polygon):
        return [list(part[0]) for part in shape.parts]
    return write_mask(shape) if isinstance(shape, Mask) else None


def _keypoints(item: Mapping[str, Any], extra: dict[str, Any]) -> Keypoints | None:
    """A list of points, or one in a list of its own; without ``keypoints_visible`` also flat x, y, visibility."""
    given, seen = item.get("keypoints"), item.get("keypoints_visible")
    if given is None:
        if seen is not None:
            extra["keypoints_visible"] = seen
        return None
    points = given[0] if _depth(given) == 3 and len(given) == 1 else given
    visible = seen[0] if isinstance(seen, list) and _depth(seen) == 2 and len(seen) == 1 else seen
    if _depth(points) == 2:
        ring = tuple(v for point in points for v in numbers(point if isinstance(point, list) else (), 2))
        visibility = None if visible is None else numbers(visible if isinstance(visible, list) else (), len(points))
    elif _depth(points) == 1 and len(points) % 3 == 0 and seen is None:
        flat = numbers(points)
        ring, visibility = tuple(v for i in range(0, len(flat), 3) for v in flat[i : i + 2]), flat[2::3]
    else:
        raise LabelglotError("the keypoints are no list of points")
    whole = None if visibility is None else tuple(int(v) if v == int(v) else v for v in visibility)
    keypoints = Keypoints(points=ring, visibility=whole)
    if (given, seen) != _write_keypoints(keypoints):
        extra["keypoints"] = [given, seen]
    return keypoints


def _write_keypoints(keypoints: Keypoints) -> tuple[list[list[float]], list[int | float] | None]:
    points = keypoints.points
    visible = None if keypoints.visibility is None else list(keypoints.visibility)
    return [[x, y] for x, y in zip(points[::2], points[1::2], strict=True)], visible


def _depth(value: Any) -> int:
    depth = 0
    while isinstance(value, list) and depth < 4:
        depth, value = depth + 1, value[0] if value else None
    return depth


def _encode(a: Annotation, context: WriteContext) -> dict[str, Any]:
    extra = dict(a.extra.get(OWNER, {}))
    record: dict[str, Any] = {
        "bbox": PIXELS.write_box(a.box or (0.0, 0.0, 0.0, 0.0), None),
        "bbox_label": -1 if a.label is None else context.index[a.label],
        "ignore_flag": int(bool(a.attributes.get("ignore"))),
    }
    if "mask" not in extra and "polygon" not in extra and a.shape is not None:
        record["mask"] = _write_shape(a.shape)
    if a.keypoints is not None:
        points, visible = extra.pop("keypoints", None) or _write_keypoints(a.keypoints)
        record["keypoints"] = points
        if visible is not None:
            record["keypoints_visible"] = visible
    further = {"bbox_score": a.score, "text": a.text, "instance_id": a.track}
    record |= {name: value for name, value in further.items() if value is not None}
    attributes = {name: value for name, value in a.attributes.items() if name != "ignore"}
    if attributes or "attributes" in extra:
        record["attributes"] = {**attributes, **extra.get("attributes", {})}
    return {**record, **{name: value for name, value in extra.items() if name not in record}}


def _modern(values: dict[str, Any], place: str, key: str, report: Report) -> dict[str, Any]:
    """An entry of MMDetection 1 or 2 as one of today: arrays become instances."""
    ann = json.fields(values["ann"])
    instances: list[Any] = []
    for suffix, ignored in (("", 0), ("_ignore", 1)):
        boxes, labels = ann.get(f"bboxes{suffix}") or [], ann.get(f"labels{suffix}") or []
        if not isinstance(boxes, list) or not isinstance(labels, list) or (labels and len(labels) != len(boxes)):
            report.problem(
                "openmmlab.instance", f"bboxes{suffix} and labels{suffix} are no lists of one length", f"{place}.ann",
                severity="error", key=key, action="skipped",
            )  # fmt: skip
            continue
        numbers_ = labels or [-1] * len(boxes)
        instances += [
            {"bbox": box, "bbox_label": label, "ignore_flag": ignored} for box, label in zip(boxes, numbers_, strict=True)
        ]
    known = {f"{name}{suffix}" for name in ("bboxes", "labels") for suffix in ("", "_ignore")}
    rest = {name: value for name, value in ann.items() if name not in known}
    more = {name: value for name, value in values.items() if name not in ("filename", "ann")}
    return {**more, **({"ann": rest} if rest else {}), "instances": instances}


def _open(data: bytes, path: str) -> tuple[list[bytes], dict[str, Any]]:
    """The entries of a document, encoded, and its ``metainfo``."""
    if data[:1] == b"\x80":
        raise LabelglotError(
            "a pickle can run any program when it is opened, so it is not read", path, "save the same values as JSON first"
        )
    if path.lower().endswith((".yaml", ".yml")):
        try:
            data = json.dump(yaml.load(data, path))
        except (TypeError, ValueError, RecursionError) as error:
            raise LabelglotError(f"it holds values that JSON does not have: {error}", path) from error
    data = json.unmark(data)
    if data.lstrip()[:1] == b"[":
        return [bytes(part) for part in json.load_parts(data, path)], {}
    top = json.load_fields(data, path)
    listed = next((key for key in LISTS if key in top), None)
    if listed is None:
        raise LabelglotError("it has no data_list", path)
    about = next((json.load(bytes(top[key]), f"{path}#{key}") for key in ABOUT if key in top), None)
    parts = [bytes(part) for part in json.load_parts(bytes(top[listed]), f"{path}#{listed}")]
    return parts, json.fields(about)


def _classes(about: Mapping[str, Any], option: str) -> tuple[list[str], dict[int, str]]:
    """Names of the classes, by ``classes`` or by MMOCR's ``category``, and their colours by number."""
    listed = about.get("classes", about.get("CLASSES"))
    if isinstance(listed, str):
        listed = [listed]
    names = [str(name) for name in listed] if isinstance(listed, list) else []
    categories = [c for c in about.get("category") or () if isinstance(c, dict)] if isinstance(about.get("category"), list) else []
    numbered = {c["id"]: str(c.get("name", c["id"])) for c in categories if type(c.get("id")) is int and 0 <= c["id"] < MOST_CLASSES}
    if not names and numbered:
        names = [numbered.get(i, f"class_{i}") for i in range(max(numbered) + 1)]
    names = names or [name.strip() for name in option.split(",") if name.strip()]
    palette = about.get("palette", about.get("PALETTE"))
    colours = {}
    for number, each in enumerate(palette if isinstance(palette, list) else ()):
        if (color := read_color(each)) is not None:
            colours[number] = color
    return names, colours


def _info(about: Mapping[str, Any]) -> Info:
    said: dict[str, Any] = {name: value for name in _INFO if isinstance(value := about.get(name), str)}
    rest = {name: value for name, value in about.items() if name not in said and name not in ("classes", "palette")}
    return Info(**said, extra={OWNER: rest} if rest else {})


def _numbers(value: Any) -> list[int]:
    return [v for v in (value if isinstance(value, list) else [value]) if type(v) is int]


def _labels_of(key: _Key) -> list[int]:
    """Numbers of the classes of an entry's instances."""
    listed = key.instances if isinstance(key.instances, list) else []
    ann = json.fields(key.ann)
    arrays = [v for name in ("labels", "labels_ignore") for v in _numbers(ann.get(name))]
    return _numbers([item.get("bbox_label") for item in listed if isinstance(item, dict)]) + arrays


def _is_ours(head: bytes) -> bool:
    if head[:1] == b"\x80":
        return b"metainfo" in head or b"data_list" in head
    return any(b'"%s"' % key.encode() in head or b"\n%s:" % key.encode() in b"\n" + head for key in (*ABOUT, *LISTS, "ann"))


_NAMED: re.Pattern[str] = re.compile(rf"^{_TASK}(.+)$")


def split_of(path: str) -> str | None:
    """The split in the name of a document: ``annotations/train.json``, ``instances_train.json``."""
    folder, _, name = path.rpartition("/")
    stem = name.rpartition(".")[0]
    found = _NAMED.match(stem)
    if found:
        return found[1]
    plain = folder.rpartition("/")[2] == "annotations" and stem not in ("annotations", "default")
    return stem if plain or split_role(stem) is not None else None

