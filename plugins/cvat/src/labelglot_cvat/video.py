"""CVAT for video 1.1: one ``annotations.xml`` per video with an element per track, the frames in ``images/``.

- A shape of a ``track`` = an object in the frame of that number; ``outside`` = 1 ends the object until it is seen again.
- An object without track is a track of its own that says ``tracked="0"``.
- ``frames``, an element only labelglot writes, lists the frames where they are not called ``frame_000000.PNG`` and so on
  without gap; ``order`` on a shape is its place in the frame where that is not the order of the tracks. CVAT looks for
  neither.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import isfinite
from typing import Any, Literal, NamedTuple

import msgspec
from labelglot.images import SourceImage
from labelglot.plugin import (
    Annotation,
    Box,
    Content,
    Dataset,
    Document,
    File,
    Info,
    LabelglotError,
    Match,
    Piece,
    Pieces,
    Problem,
    ReadContext,
    Records,
    Report,
    RotatedBox,
    Sample,
    Source,
    WriteContext,
    from_folder_name,
    image_size,
    seen_from,
    sequence_folder,
    under,
    with_suffix,
)
from labelglot.wire.xml import Element, outer, parse, quote, start_tag
from pydantic import Field

from labelglot_cvat.images import (
    COMMON,
    DOCUMENT,
    SHAPE,
    CvatReadOptions,
    Shared,
    closed,
    collected,
    doubts,
    recognise,
    specs_of,
    undeclared,
    unwritten,
)
from labelglot_cvat.labels import write_labels
from labelglot_cvat.meta import OWNER, Meta, without_frames, write_meta
from labelglot_cvat.scan import USUAL, documents, take_apart, with_splits
from labelglot_cvat.shapes import (
    Misfit,
    Scene,
    draw,
    further,
    quoted,
    read_annotation,
    read_group,
    values_of,
    write_attributes,
)

FRAMES = range(1_000_000)
"""Numbers a frame may have."""
_FRAME = re.compile(r"frame_\d{6,}\.\w+")
_DIGITS = re.compile(r"(\d{1,9})\D*$")
_LISTED = ("number", "frame", "sequence", "name", "width", "height")
_TRACK = ("id", "label", "source", "group_id", "subset", "task_id", "tracked")


class Track(NamedTuple):
    """What a track says of all its shapes."""

    id: int | None
    label: str | None
    group: int | None
    extra: Mapping[str, Any]


class Shape(NamedTuple):
    """A shape, not parsed: position of its track, its place in the frame, its line and text. ``made_up``: it lies
    between two others, in ``box`` if it is one.
    """

    track: int
    order: int
    line: int
    text: str
    made_up: bool = False
    box: Box | None = None


Entries = dict[int, Shape | None]
"""The shapes of a track by frame; ``None``: the object is outside."""


class Record(NamedTuple):
    """A frame."""

    path: str
    image: str | None
    frame: int | None
    sequence: str | None
    size: tuple[int, int] | None
    splits: tuple[str, ...]
    extra: Mapping[str, Any]
    shapes: tuple[Shape, ...]


class CvatVideo(Document):
    """Every shape CVAT draws, in tracks through the frames of videos."""

    id = "cvat-video"
    name = "CVAT for video 1.1"
    url = "https://docs.cvat.ai/docs/manual/advanced/formats/format-cvat/"
    documents = (".xml",)
    separator = b""
    holds = COMMON.replace(track="int", sequence=True, frame=True)

    class ReadOptions(CvatReadOptions):
        """Options of the reader."""

        gaps: Literal["keep", "interpolate"] = Field(
            default="keep",
            title="Gaps in tracks",
            description="keep: objects are in the frames that say so; interpolate: also between these and up to the end, "
            "unless the object is outside; boxes move evenly, other shapes stay",
        )
        empty: bool = Field(
            default=True, title="Empty frames", description="also frames without objects that the task announces"
        )

    def detect(self, source: Source) -> Match | None:
        return recognise(source, "video")

    def inputs(self, context: ReadContext) -> Sequence[tuple[str, str | None]]:
        return with_splits([name for name, _ in documents(context.source, "video")] or context.source.match("*.xml"))

    def parse(self, data: bytes, path: str, context: ReadContext) -> Content:
        raise NotImplementedError("the document is read as a stream")

    def load(self, path: str, context: ReadContext) -> Content:
        parts = take_apart(path, "video", context)
        tracks: list[Track] = []
        videos: dict[tuple[str, str], list[Entries]] = {}
        for element in parts.elements:
            try:
                root = parse(element.data, path, first=element.line)
            except LabelglotError as error:
                context.report.problem(f"{self.id}.track", error.message, error.place, severity="error", action="skipped")
                continue
            scene = Scene(self.id, path, element.line, path, None, {}, {}, context.report)
            video = (root.get("subset", parts.meta.subset or ""), root.get("task_id", ""))
            videos.setdefault(video, []).append(_shapes(root, len(tracks), scene))
            tracks.append(_track(root, scene))
        records: list[Record] = []
        for (subset, task), entries in (videos or {(parts.meta.subset or "", ""): []}).items():
            splits = (subset,) if subset else ()
            records += _records(entries, task, splits, parts.meta, parts.head, path, context)
        info = without_frames(parts.meta.info)
        return Content(records, parts.labels, info, (tracks, Shared(parts.points, specs_of(parts.labels, context))))

    def read(self, context: ReadContext) -> Dataset:
        dataset = super().read(context)
        assert isinstance(dataset.samples, Records)
        records: list[tuple[int, Record]] = []
        taken: dict[tuple[str, tuple[str, ...]], int] = {}
        opened: Any = dataset.samples.decode
        for number, record in dataset.samples.records:
            split = opened.opened[number][1]
            splits = record.splits or (() if split is None else (split,))
            again = taken[record.path, splits] = taken.get((record.path, splits), -1) + 1
            path = f"{again + 1}/{record.path}" if again else record.path
            records.append((number, record._replace(path=path, splits=splits)))
        return dataset.replace(samples=Records(records, dataset.samples.decode))

    def decode(
        self, record: Record, path: str, split: str | None, shared: Any, context: ReadContext, report: Report
    ) -> Sample | None:
        tracks, common = shared
        image = None if record.image is None else SourceImage(context.source, record.image)
        size = record.size if record.size or image is None else image_size(image)
        annotations = []
        for shape in sorted(record.shapes, key=lambda s: (s.order, s.track)):
            root = parse(shape.text.encode(), path, first=shape.line)
            scene = Scene(self.id, path, shape.line, record.path, size, common.points, common.specs, report)
            annotation = _read_shape(root, tracks[shape.track], scene)
            if annotation is not None and shape.made_up:
                extra = {**annotation.extra, OWNER: {**annotation.extra.get(OWNER, {}), "keyframe": "0"}}
                annotation = annotation.replace(box=shape.box or annotation.box, extra=extra)
            if annotation is not None:
                annotations.append(annotation)
        return Sample(
            path=record.path, image=image, size=size, splits=record.splits, sequence=record.sequence, frame=record.frame,
            annotations=tuple(annotations), extra={OWNER: dict(record.extra)} if record.extra else {},
        )  # fmt: skip

    def image_path(self, sample: Sample, context: WriteContext) -> str | None:
        root = _root(sample.sequence, context)
        name = sample.path.removeprefix(root)
        return f"{root}images/{name if _FRAME.fullmatch(name) else sample.path}"

    def document_path(self, split: str | None, context: WriteContext) -> str:
        return context.document(DOCUMENT)

    def frame(self, split: str | None, context: WriteContext) -> tuple[bytes, bytes]:
        return b'<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n', b"</annotations>\n"

    def encode_record(self, sample: Sample, context: WriteContext, ordinal: int) -> bytes:
        raise NotImplementedError("encode writes frames")

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece | Problem]:
        drawn: list[Written] = []
        for position, a in enumerate(sample.annotations or ()):
            try:
                drawn.append(_write(a, context))
            except Misfit as error:
                yield unwritten(self.id, error, position)
                continue
            if type(a.shape) is RotatedBox:
                yield from doubts(self.id, a.shape, f"<{drawn[-1].tag}", position)
        bag = sample.extra.get(OWNER)
        rest = further(bag, _LISTED) if isinstance(bag, dict) else ""
        listed = Listed(sample.path, sample.frame, sample.sequence, sample.size, rest, drawn)
        yield Piece(_root(sample.sequence, context), msgspec.json.encode(listed) + b"\n")
        yield from undeclared(sample.annotations or (), context)

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        labels = list(write_labels(context.labels, collected(pieces)))
        for root in [slot for slot in pieces.slots() if slot != "attributes"] or [""]:
            path = root + DOCUMENT if context.single is None else context.single
            yield File(path, self._video(root, labels, context, pieces))

    def _video(self, root: str, labels: Sequence[str], context: WriteContext, pieces: Pieces) -> Iterator[bytes]:
        lines = b"".join(pieces.stream(root)).splitlines()
        frames = [msgspec.json.decode(line, type=Listed) for line in lines]
        given = [f.frame for f in frames]
        own = len(set(given)) == len(given) and all(g is not None and g in FRAMES for g in given)
        numbers = [g for g in given if g is not None] if own else list(range(len(frames)))
        info = without_frames(context.info)
        sizes = {f.size for f in frames}
        step = _step(sorted(numbers))
        usual: dict[str, Any] = {**USUAL["video"], **_of_frames(numbers, step or 1)}
        if len(sizes) == 1 and (size := next(iter(sizes))) is not None:
            usual["original_size"] = [["width", str(size[0])], ["height", str(size[1])]]
        before, after = self.frame(None, context)
        yield before
        meta = "".join(f"{line}\n" for line in write_meta(info, labels, (None,), usual, len(frames)))
        yield meta.encode("utf-8", "replace")
        sequence = _sequence(root[:-1], _source(info))
        plain = all(
            (f.frame, f.sequence, f.path, f.rest) == (n, sequence, f"{root}frame_{n:06d}.PNG", "")
            for f, n in zip(frames, numbers, strict=True)
        )
        if frames and (step is None or len(sizes) > 1 or not plain):
            yield _list(frames, numbers).encode("utf-8", "replace")
        order = sorted(range(len(frames)), key=numbers.__getitem__)
        yield from _tracks([frames[i] for i in order], [numbers[i] for i in order])
        yield after


class Written(msgspec.Struct, array_like=True):
    """An object ready to be written: what stands on its track, the track's id, and its shape in parts: as it is, and as
    it is written once more where the object is gone.
    """

    track: str
    id: int | None
    tag: str
    visible: str
    outside: str
    inside: list[str]
    gone: list[str]


class Listed(msgspec.Struct, array_like=True):
    """A frame ready to be written. ``rest``: attributes that are not understood."""

    path: str
    frame: int | None
    sequence: str | None
    size: tuple[int, int] | None
    rest: str
    objects: list[Written]


def _track(root: Element, scene: Scene) -> Track:
    values = values_of(root)
    text = values.get("id", "")
    id_ = int(text) if text.removeprefix("-").isdigit() and text.isascii() and len(text) < 19 else None
    if id_ is None and text:
        scene.problem("track", f"the id {text!r} of a track is no whole number", root, "left out")
    extra: dict[str, Any] = {} if values.get("source", "manual") == "manual" else {"source": values["source"]}
    rest = {name: value for name, value in values.items() if name not in _TRACK}
    if rest:
        extra["track"] = rest
    tracked = values.get("tracked") != "0"
    return Track(id_ if tracked else None, values.get("label") or None, read_group(values, root, scene), extra)


def _shapes(root: Element, number: int, scene: Scene) -> Entries:
    """The shapes of a track by frame; ``None`` where it is outside."""
    found: Entries = {}
    for child in root:
        frame = _whole(child.get("frame"))
        if frame is None or frame not in FRAMES:
            scene.skip("frame", f"the frame {child.get('frame')!r} of a shape is no number", child)
            continue
        if frame in found:
            scene.problem("twice", f"a track has two shapes in frame {frame}", child, "the last counts")
        order = _whole(child.get("order"))
        line = int(scene.place(child).rpartition(":")[2])
        shape = Shape(number, number if order is None else order, line, outer(child))
        found[frame] = None if _is_outside(child) else shape
    return found


def _is_outside(child: Element) -> bool:
    """A skeleton says it of its points."""
    stated = child.get("outside")
    points = child.findall("points") if child.tag == "skeleton" and stated is None else []
    return stated == "1" or (bool(points) and all(point.get("outside") == "1" for point in points))


def _read_shape(root: Element, track: Track, scene: Scene) -> Annotation | None:
    values = values_of(root)
    for name in ("frame", "outside", "order"):
        values.pop(name, None)
    if values.get("keyframe") == "1":
        del values["keyframe"]
    for point in root.findall("points") if root.tag == "skeleton" else ():
        if point.get("keyframe") == "1":
            del point.attrib["keyframe"]
    made = read_annotation(root, values, track.label, scene, dict(track.extra), track.id)
    return made if made is None or track.group is None else made.replace(group=track.group)


def _records(
    tracks: Sequence[Entries], task: str, splits: tuple[str, ...], meta: Meta, head: Element | None, path: str,
    context: ReadContext,
) -> list[Record]:  # fmt: skip
    """The frames of a video: those listed, else those announced, those with an image, those with shapes."""
    folder = path.rpartition("/")[0]
    named = [] if head is None else head.findall("frames/frame")
    listed = [r for element in named if (r := _listed(element, splits, folder, path, context)) is not None]
    start, stop, step = meta.frames or (0, -1, 1)
    stop = min(stop, FRAMES[-1])
    if listed:
        shapes = _by_frame(tracks, sorted(n for n, _ in listed), 1, path, context)
        return [record._replace(shapes=tuple(shapes.get(n, ()))) for n, record in listed]
    shapes = _by_frame(tracks, range(start, stop + 1, step), step, path, context)
    images = {} if task else _images(folder, start, step, context)
    numbers = {*shapes, *images, *(() if task else range(start, stop + 1, step))}
    if not context.options.empty:
        numbers = {number for number in numbers if shapes.get(number)}
    sequence = _sequence(folder, meta.source)
    around = under(folder, f"task {task}") if task else folder
    return [
        Record(
            images[n].removeprefix(under(folder, "images/")) if n in images and not folder
            else under(around, images[n].rpartition("/")[2] if n in images else f"frame_{n:06d}.PNG"),
            images.get(n), n, f"{sequence or 'task'} {task}" if task else sequence, meta.size, splits, {},
            tuple(shapes.get(n, ())),
        )
        for n in sorted(numbers)
    ]  # fmt: skip


def _sequence(folder: str, source: str | None) -> str | None:
    """The name of a video: that of its folder, else of its file."""
    return from_folder_name(folder.rpartition("/")[2]) if folder else source or None


def _images(folder: str, start: int, step: int, context: ReadContext) -> dict[int, str]:
    """The images of a video by frame: by the number in their names, else by their order."""
    inside = under(folder, "images/")
    found = [path for path in context.images.paths if path.startswith(inside)]
    digits = [_DIGITS.search(with_suffix(path.rpartition("/")[2], "")) for path in found]
    numbers = [int(d[1]) for d in digits if d is not None and int(d[1]) in FRAMES]
    if len(set(numbers)) == len(found):
        return dict(zip(numbers, found, strict=True))
    return {start + i * step: path for i, path in enumerate(found)}


def _listed(
    element: Element, splits: tuple[str, ...], folder: str, path: str, context: ReadContext
) -> tuple[int, Record] | None:
    values = values_of(element)
    number, frame, width, height = (_whole(values.get(key)) for key in ("number", "frame", "width", "height"))
    name = seen_from("", values.get("name", ""))
    if number is None or name is None:
        context.report.problem(
            "cvat-video.frame", "a frame without number, or without the name of an image", path, severity="error",
            raw=outer(element), action="skipped",
        )  # fmt: skip
        return None
    extra = {key: value for key, value in values.items() if key not in _LISTED}
    short = name.removeprefix(under(folder, ""))
    place = under(folder, f"images/{short if _FRAME.fullmatch(short) else name}")
    image = next((path for path in (place, name) if path in context.images), None)
    size = (width, height) if width and height else None
    return number, Record(name, image, frame, values.get("sequence"), size, splits, extra, ())


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None


def _by_frame(
    tracks: Sequence[Entries], known: Sequence[int], step: int, path: str, context: ReadContext
) -> dict[int, list[Shape]]:
    """The shapes of each frame, with those between the shapes of a track if that is wanted; if not, it is said.

    ``known``: all frames in order, so far as they are; ``step``: between those beyond.
    """
    fill = context.options.gaps == "interpolate"
    shapes: dict[int, list[Shape]] = {}
    gaps = 0
    for entries in tracks:
        order = sorted(entries)
        for frame, following in zip(order, (*order[1:], None), strict=True):
            shape = entries[frame]
            here = shapes.setdefault(frame, [])
            if shape is None:
                continue
            here.append(shape)
            missing = _missing(frame, following, known, step)
            if not fill:
                gaps += len(missing) if following is not None else 0
                continue
            other = None if following is None else entries[following]
            for n in missing:
                share = 0.0 if following is None else (n - frame) / (following - frame)
                shapes.setdefault(n, []).append(_between(shape, other, share))
    if gaps:
        context.report.problem(
            "cvat-video.gaps", f"tracks leave out {gaps} frames without saying that the object is gone", path,
            action="read as they are; gaps=interpolate fills them",
        )  # fmt: skip
    return shapes


def _missing(frame: int, following: int | None, known: Sequence[int], step: int) -> Sequence[int]:
    """The frames after a shape and before the next of its track."""
    if known and known[0] <= frame <= known[-1]:
        stop = len(known) if following is None else bisect_left(known, following)
        return known[bisect_right(known, frame) : stop]
    return range(frame + step, following, step) if following is not None else ()


def _between(one: Shape, other: Shape | None, share: float) -> Shape:
    """A shape that nobody drew: a box on its way to another, anything else as it was."""
    boxes = [_upright(shape) for shape in (one, other) if shape is not None]
    if len(boxes) < 2 or boxes[0] is None or boxes[1] is None:
        return one._replace(made_up=True)
    x0, y0, x1, y1 = (a + (b - a) * share for a, b in zip(boxes[0], boxes[1], strict=True))
    return one._replace(made_up=True, box=(x0, y0, x1, y1))


def _upright(shape: Shape) -> tuple[float, ...] | None:
    values = start_tag(shape.text.encode())
    try:
        box = tuple(float(values[name]) for name in ("xtl", "ytl", "xbr", "ybr"))
        return box if all(map(isfinite, box)) and not float(values.get("rotation", "0")) else None
    except (KeyError, ValueError):
        return None


def _root(sequence: str | None, context: WriteContext) -> str:
    """The folder of a video with its slash; all videos are in one document where the user named it."""
    return "" if sequence is None or context.single is not None else f"{sequence_folder(sequence)}/"


def _write(a: Annotation, context: WriteContext) -> Written:
    """Raises :class:`Misfit` for what cannot be written."""
    label = None if a.label is None else context.by_key[a.label]
    names = (label.keypoints or ()) if label is not None else ()
    drawn = draw(a, names, ' keyframe="1"')
    gone = drawn.inside
    if a.keypoints is not None and drawn.tag == "skeleton":
        away = a.replace(keypoints=a.keypoints.replace(visibility=(0,) * len(a.keypoints)))
        gone = draw(away, names, ' keyframe="1"').inside
    bag = a.extra.get(OWNER)
    extra: Mapping[str, Any] = bag if isinstance(bag, dict) else {}
    on_track = extra.get("track")
    group = f' group_id="{a.group}"' if a.group is not None else ""
    source = quoted(str(extra.get("source", "manual")))
    rest = further(on_track, _TRACK) if isinstance(on_track, dict) else ""
    track = f"label={quote(label.name if label is not None else '')} source={source}{group}{rest}"
    skeleton = drawn.tag == "skeleton"
    hidden = int(a.attributes.get("occluded") is True)
    # Skeletons say of their points whether they are there; one whose points are all missing is there all the same.
    nowhere = a.keypoints is not None and a.keypoints.visibility is not None and not any(a.keypoints.visibility)
    stated = (' outside="0"' * nowhere + ' occluded="1"' * hidden) if skeleton else f' outside="0" occluded="{hidden}"'
    ended = "" if skeleton else ' outside="1" occluded="0"'
    geometry = f" {drawn.geometry}" if drawn.geometry else ""
    behind = f"{geometry} z_order={quote(extra.get('z_order', 0))}{further(extra, SHAPE)}"
    lines = list(write_attributes({name: value for name, value in a.attributes.items() if name != "occluded"}))
    made_up = extra.get("keyframe") == "0"
    return Written(
        track, a.track if isinstance(a.track, int) else None, drawn.tag, f' keyframe="{int(not made_up)}"{stated}{behind}', f' keyframe="1"{ended}{behind}',
        [*drawn.inside, *lines], [*gone, *lines],
    )  # fmt: skip


def _tracks(frames: Sequence[Listed], numbers: Sequence[int]) -> Iterator[bytes]:
    """The tracks of a video, in order of first appearance."""
    tracks: dict[tuple[Any, ...], list[tuple[int, int, Written]]] = {}
    place: dict[tuple[Any, ...], int] = {}
    ordered: list[bool] = []
    for at, frame in enumerate(frames):
        places = []
        taken: dict[tuple[Any, ...], int] = {}
        for position, each in enumerate(frame.objects):
            key: tuple[Any, ...] = (each.track, each.id, frame.sequence)
            # An object without track is alone; two of one track in one frame are two elements.
            again = taken[key] = taken.get(key, -1) + 1
            key = (*key, again) if each.id is not None else (*key, at, position)
            tracks.setdefault(key, []).append((at, position, each))
            places.append(place.setdefault(key, len(place)))
        ordered.append(all(a < b for a, b in pairwise(places)))
    free = max((key[1] for key in tracks if key[1] is not None), default=-1) + 1
    for key, shapes in tracks.items():
        about, id_ = key[0], key[1]
        alone = ""
        if id_ is None:
            id_, free, alone = free, free + 1, ' tracked="0"'
        lines = [f'  <track id="{id_}" {about}{alone}>\n']
        for (at, position, each), following in zip(shapes, (*shapes[1:], None), strict=True):
            order = "" if ordered[at] else f' order="{position}"'
            lines.append(closed(f'    <{each.tag} frame="{numbers[at]}"{order}{each.visible}', each.tag, each.inside))
            if at + 1 < len(frames) and (following is None or following[0] > at + 1):
                lines.append(closed(f'    <{each.tag} frame="{numbers[at + 1]}"{each.outside}', each.tag, each.gone))
        yield "".join((*lines, "  </track>\n")).encode("utf-8", "replace")


def _source(info: Info) -> str | None:
    """The video's file as ``meta`` names it."""
    bag = info.extra.get(OWNER)
    kept = bag.get("meta") if isinstance(bag, dict) else None
    pairs = [p for p in kept if isinstance(p, list | tuple) and len(p) == 2] if isinstance(kept, list | tuple) else []
    return next((tree or None for tag, tree in pairs if tag == "source" and isinstance(tree, str)), None)


def _step(numbers: Sequence[int]) -> int | None:
    """What lies between two frames, ``None`` if it is not always the same."""
    steps = {b - a for a, b in pairwise(numbers)} or {1}
    return next(iter(steps)) if len(steps) == 1 else None


def _of_frames(numbers: Sequence[int], step: int) -> dict[str, str]:
    if not numbers:
        return {}
    filtered = {"frame_filter": f"step={step}"} if step > 1 else {"frame_filter": ""}
    return {"start_frame": str(min(numbers)), "stop_frame": str(max(numbers)), **filtered}


def _list(frames: Sequence[Listed], numbers: Sequence[int]) -> str:
    lines = []
    for f, number in zip(frames, numbers, strict=True):
        size = (None, None) if f.size is None else f.size
        values = {"frame": f.frame, "sequence": f.sequence, "name": f.path, "width": size[0], "height": size[1]}
        said = "".join(f" {name}={quote(value)}" for name, value in values.items() if value is not None)
        lines.append(f'    <frame number="{number}"{said}{f.rest}/>\n')
    return "  <frames>\n" + "".join(lines) + "  </frames>\n"
