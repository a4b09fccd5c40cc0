"""Label Studio tasks: an image, and what each annotator or model says about it.

- ``data`` = image and its attributes. ``annotations`` = objects and classes; by whom (``completed_by``) is the layer of
  each where images have several. None at all = nobody looked; an empty one = nothing found.
- ``meta`` holds what a task has no place for: the size of an image without regions, a path its address does not tell.
- Beside the tasks, ``label_config.xml`` has the classes in order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qs, quote, urlsplit

import msgspec
from labelglot.images import is_image
from labelglot.plugin import (
    ANY_VALUE,
    Annotation,
    Content,
    Convention,
    Dataset,
    Document,
    File,
    Holds,
    Info,
    LabelglotError,
    LabelHolds,
    Match,
    Options,
    Piece,
    Pieces,
    Problem,
    ReadContext,
    Report,
    Sample,
    Source,
    Tag,
    TagHolds,
    WriteContext,
    image_size,
    layer_runs,
    seen_from,
)
from labelglot.schema import Attribute
from labelglot.storage import clean_foreign
from labelglot.wire import json
from labelglot.wire.xml import XML_TEXT
from pydantic import Field

from labelglot_label_studio.config import FILE, IMAGE, MADE, OWNER, TEXT, find_config, read_config, write_config
from labelglot_label_studio.minimal import from_table, is_minimal, is_table, tasks_of
from labelglot_label_studio.results import ResultReader, ResultWriter, stated_size
from labelglot_label_studio.video import KIND, by_frame, is_video

DOCUMENT = "tasks.json"
TASK = ("id", "data", "annotations", "completions", "predictions", "meta")
HASH = 8
"""Length of what Label Studio puts, with a dash, before the name of an uploaded file."""


class Record(NamedTuple):
    """One image of a task. ``name``: what it is looked up by; ``page``: which of several images of the task; ``frame``:
    which of a video.
    """

    data: bytes
    place: str
    name: str
    written: str
    key: str
    page: int | None
    frame: int | None = None


class Shared(NamedTuple):
    """``layered``: some image has several annotations; ``sets``: which are read; ``names``: alias -> class."""

    layered: bool
    sets: str
    names: Mapping[str, str]


class _Head(msgspec.Struct):
    data: dict[str, Any] = {}
    annotations: list[Any] | None = None
    completions: list[Any] | None = None
    predictions: list[Any] | None = None
    meta: Any = None


class LabelStudio(Document):
    """Tasks in one JSON array, or one in each file."""

    id = OWNER
    name = "Label Studio JSON"
    aliases = ("labelstudio",)
    url = "https://labelstud.io/guide/export"
    holds = Holds(
        geometry=(frozenset({"box", "rotated_box", "polygon", "mask", "polyline", "points", "ellipse"}),),
        boxes=Convention(unit="percent", form="xywh"),
        points=Convention(unit="percent"),
        turned_needs_size=True,
        polygon_parts=False,
        polygon_holes=False,
        several_points=False,
        labels=LabelHolds(names=rf"(?=.){XML_TEXT}", required=False, color=True),
        attributes=ANY_VALUE - {"null"},
        flags={TEXT: ANY_VALUE - {"null", "str"}},
        score=True,
        text=True,
        ids="str",
        parent="str",
        layer=True,
        tags=TagHolds(captions="many", score=True, layer=True),
        sample_ids="any",
        uri=True,
        sample_attributes=ANY_VALUE,
        unlabelled=True,
        extra=frozenset({OWNER}),
    )
    patterns = ("*.json", "*.csv", "*.tsv")

    class ReadOptions(Options):
        """Whose annotations are read, and where the image is."""

        sets: Literal["auto", "annotations", "predictions", "all"] = Field(
            default="auto",
            title="Sets",
            description="read what people annotated, what models predicted, or both; auto: predictions only if no task "
            "has annotations",
        )
        annotator: str | None = Field(
            default=None, title="Annotator", description="read only annotations of this user (number or e-mail)"
        )
        image_key: str | None = Field(
            default=None,
            title="Key of the image",
            description="key of the task data that holds the image; by default as the labelling configuration says, "
            "else image, else the first that looks like one",
        )

    class WriteOptions(Options):
        """How images are addressed."""

        prefix: str = Field(
            default="",
            title="Prefix",
            description="put before the path of each image, such as /data/local-files/?d= or https://example.com/",
        )

    def holds_alone(self, holds: Holds) -> Holds:
        names = holds.labels.names
        return holds.replace(labels=LabelHolds(names=names, required=False, unused=False, order="appearance"))

    def evidence(self, source: Source, path: str) -> Match | None:
        return _evidence(source, path)

    def read(self, context: ReadContext) -> Dataset:
        return super().read(context).replace(labels_complete=False)

    def parse(self, data: bytes, path: str, context: ReadContext) -> Content:
        data = json.unmark(data)
        parts: Sequence[Any] = [data]
        if not path.lower().endswith(".json"):
            parts = from_table(path, data)
        elif data.lstrip()[:1] != b"{":
            parts = json.load_parts(data, path)
        config = find_config(context.source, path.rpartition("/")[0])
        heads: list[tuple[bytes, str, _Head]] = []
        for position, part in enumerate(tasks_of(parts, path, context.report)):
            place = f"{path}#[{position}]"
            head = json.load_item(part, _Head, place, context.report, f"{OWNER}.task")
            if head is not None:
                heads.append((bytes(part), place, head))
        records = list(_records(heads, config.images if config else (), context))
        people = [len([a for a in h.annotations or h.completions or () if _is_live(a)]) for _, _, h in heads]
        models = [len(h.predictions or ()) for _, _, h in heads]
        sets = context.options.sets
        if sets == "auto":
            sets = "annotations" if any(people) or not any(models) else "predictions"
        counts = {"annotations": people, "predictions": models}.get(sets)
        counts = [sum(pair) for pair in zip(people, models, strict=True)] if counts is None else counts
        if sets == "annotations" and any(models):
            context.report.problem(
                f"{OWNER}.predictions", f"{sum(map(bool, models))} tasks have predictions", path, severity="info",
                action="kept aside for Label Studio; read with sets=all or sets=predictions",
            )  # fmt: skip
        layered = any(count > 1 for count in counts)
        if layered:
            many = sum(count > 1 for count in counts)
            context.report.problem(
                f"{OWNER}.annotators", f"{many} tasks have several annotations", path, severity="info",
                action="all are read, each as a layer; choose with annotator=...",
            )  # fmt: skip
        aliases = {
            label.extra[OWNER]["alias"]: label.name for label in (config.labels if config else ()) if label.extra
        }
        info = Info(extra={OWNER: {"config": config.text}}) if config and MADE not in config.text else None
        records = [each for record in records for each in _frames(record, context.report)]
        names = [record.name for record in records]
        return Content(records, config.labels if config else None, info, Shared(layered, sets, aliases), names)

    def decode(
        self, record: Record, path: str, split: str | None, shared: Shared, context: ReadContext, report: Report
    ) -> Sample | None:
        task: dict[str, Any] = json.load(record.data, record.place, dict)
        where = context.place(record.name, path.rpartition("/")[0])
        meta = dict(json.fields(task.get("meta")))
        sets = list(_sets(task, shared, context.options.annotator))
        results = [_of_page(s["result"], record.page) for s in sets]
        real = None if where.image is None else image_size(where.image)
        stated = next((size for result in results if (size := stated_size(result))), None) or stated_size([meta])
        if real is not None and stated is not None and real != stated:
            report.problem(
                f"{OWNER}.size", f"the image is {real[0]} x {real[1]}, not {stated[0]} x {stated[1]}", record.place,
                key=where.path, action="the size of the image is used",
            )  # fmt: skip
        size = real or stated
        annotations: list[Annotation] = []
        tags: list[Tag] = []
        kept: list[dict[str, Any]] = []
        for found, result in zip(sets, results, strict=True):
            reader = ResultReader(size, found["layer"], shared.names, where.path, report, record.frame is not None)
            said = reader.read(result, f"{record.place}.{found['at']}.result")
            annotations += said.annotations
            tags += said.tags
            kept.append({**_kept(found), **({"other": said.other} if said.other else {})})
        attributes, extra = _task_facts(task, record, meta)
        if any(len(bag) > 1 for bag in kept):
            extra["sets"] = kept
        aside = [a for a in json.items(task.get("annotations", task.get("completions"))) if not _is_live(a)]
        if aside and shared.sets != "predictions":
            extra["skipped"] = aside
            report.problem(
                f"{OWNER}.cancelled", "annotations that were skipped by the annotator", record.place, severity="info",
                key=where.path, action="kept aside for Label Studio",
            )  # fmt: skip
        other = {"annotations": "predictions", "predictions": "annotations"}.get(shared.sets)
        if other is not None and task.get(other):
            extra[other] = task[other]
        unlabelled = not sets or (meta.pop("unlabelled", None) is True and not annotations)
        for name in ("original_width", "original_height", "path"):
            meta.pop(name, None)
        if meta:
            extra["meta"] = meta
        if record.frame is not None:
            return Sample(
                path=f"{where.path}#frame={record.frame}",
                size=size,
                units="pixels" if size else "relative",
                tags=tuple(tags),
                annotations=tuple(annotations),
                sequence=where.path,
                frame=record.frame,
                attributes=attributes,
                extra={OWNER: extra} if extra else {},
            )
        uri = where.uri if where.uri is not None or record.name == record.written else record.written
        return Sample(
            path=where.path, uri=None if uri is None else record.written, image=where.image, size=size,
            units="pixels" if size else "relative", id=task["id"] if isinstance(task.get("id"), int | str) else None,
            tags=tuple(tags), annotations=None if unlabelled else tuple(annotations), attributes=attributes,
            extra={OWNER: extra} if extra else {},
        )  # fmt: skip

    def document_path(self, split: str | None, context: WriteContext) -> str:
        return context.document(DOCUMENT)

    def frame(self, split: str | None, context: WriteContext) -> tuple[bytes, bytes]:
        return b"[\n", b"\n]\n"

    separator = b",\n"

    def encode_record(self, sample: Sample, context: WriteContext, ordinal: int) -> bytes:
        return json.dump(self._task(sample, ResultWriter(sample, context), context))

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece | Problem]:
        writer = ResultWriter(sample, context)
        task = json.dump(self._task(sample, writer, context))
        yield from writer.problems
        yield Piece(self.document_path(None, context), task)
        used = [("kind", kind, "") for kind in writer.kinds] + [("field", *item) for item in writer.controls.items()]
        used += [("tags", "", "")] * any(tag.text is None for tag in sample.tags)
        used += [("captions", "", "")] * any(tag.text is not None for tag in sample.tags)
        for each in used:
            yield Piece(f"{FILE}#{json.dump(each).decode()}", b"1")

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        yield from super().assemble(context, pieces)
        if context.single is None:
            used = [
                json.load(slot.partition("#")[2].encode(), slot, list[str])
                for slot in pieces.slots()
                if slot.startswith(f"{FILE}#")
            ]
            yield File(FILE, _config(context, used).encode())

    def _task(self, sample: Sample, writer: ResultWriter, context: WriteContext) -> dict[str, Any]:
        extra = dict(json.fields(sample.extra.get(OWNER)))
        sets = _entries(sample, writer, [json.fields(bag) for bag in json.items(extra.pop("sets", None))])
        people: list[Any] = [entry for model, entry in sets if not model]
        models: list[Any] = [entry for model, entry in sets if model]
        people += [*json.items(extra.pop("annotations", None)), *json.items(extra.pop("skipped", None))]
        models += json.items(extra.pop("predictions", None))
        key = extra.pop("key", IMAGE)
        written = sample.uri or _addressed(context.options.prefix, sample.path)
        meta = dict(json.fields(extra.pop("meta", None)))
        derived = seen_from("", image_name(written)) or next(iter(clean_foreign(image_name(written))), None)
        if derived != sample.path:
            meta["path"] = sample.path
        if writer.stated and not any(stated_size(entry["result"]) for _, entry in sets):
            meta |= writer.stated
        if sample.annotations is None and sample.tags:
            meta["unlabelled"] = True
        data = {**sample.attributes, **json.fields(extra.pop("data", None))}
        clash = {name: data.pop(name) for name in list(data) if name == key}
        if clash:
            meta["data"] = clash
        return {
            **({} if sample.id is None else {"id": sample.id}), "data": {key: written, **data}, "annotations": people,
            "predictions": models, **({"meta": meta} if meta else {}), **json.fields(extra.get("task")),
        }  # fmt: skip


def _records(heads: Sequence[tuple[bytes, str, _Head]], keys: Sequence[str], context: ReadContext) -> Iterator[Record]:
    """The images of all tasks, each under a name of its own where Label Studio's prefix alone tells them apart."""
    found: list[tuple[bytes, str, str, str, int | None, str | None]] = []
    for data, place, head in heads:
        if context.options.image_key is not None:
            keys = (context.options.image_key,)
        pages = list(_pages(head.data, keys))
        if not pages:
            context.report.problem(f"{OWNER}.image", "the task has no image", place, severity="error", action="skipped")
        if len(pages) > 1:
            context.report.problem(
                f"{OWNER}.pages", f"a task of {len(pages)} images", place, severity="info", action="each is an image"
            )
        given = json.fields(head.meta).get("path")
        for key, page, written in pages:
            found.append((data, place, key, written, page, given if isinstance(given, str) else None))
    counts = Counter(image_name(written) for *_, written, _, given in found if given is None)
    for data, place, key, written, page, given in found:
        name = given or image_name(written)
        uploaded = written.rpartition("/")[2]
        hashed = given is None and name != uploaded and name != written and "?" not in written
        if hashed and (counts[name] > 1 or context.image(uploaded) is not None):
            name = uploaded
        yield Record(data, place, name, written, key, page)


def _frames(record: Record, report: Report) -> Iterator[Record]:
    """The image itself, or the frames of a video that show something."""
    task: dict[str, Any] = json.load(record.data, record.place, dict) if f'"{KIND}"'.encode() in record.data else {}
    sets = {
        key: [json.fields(each) for each in json.items(task.get(key))]
        for key in ("annotations", "completions", "predictions")
    }
    if not any(is_video(json.items(each.get("result"))) for listed in sets.values() for each in listed):
        yield record
        return
    frames: dict[int, dict[str, list[Any]]] = {}
    for key, listed in sets.items():
        for position, each in enumerate(listed):
            for frame, results in by_frame(
                json.items(each.get("result")), f"{record.place}.{key}[{position}].result", report
            ).items():
                frames.setdefault(frame, {}).setdefault(key, []).append({**each, "result": results})
    report.problem(
        f"{OWNER}.frames", f"a video, {len(frames)} of its frames show something", record.place, severity="info",
        action="each of these is an image",
    )  # fmt: skip
    for frame, found in sorted(frames.items()):
        kept = {"data": task.get("data"), "annotations": [], **found}
        yield record._replace(data=json.dump(kept), place=f"{record.place}#frame={frame}", frame=frame)


def _pages(data: Mapping[str, Any], keys: Sequence[str]) -> Iterator[tuple[str, int | None, str]]:
    """Key, number (``None``: the only one) and address of each image of a task."""
    texts = [key for key, value in data.items() if isinstance(value, str) and value]
    likely = [key for key in texts if is_image(data[key].partition("?")[0])]
    for key in (*keys, IMAGE, *likely[:1], *(texts if len(texts) == 1 else ())):
        if key in texts:
            yield key, None, data[key]
            return
    for key, value in data.items():
        urls = (
            [json.fields(v).get("url", json.fields(v).get(IMAGE, v)) for v in value] if isinstance(value, list) else []
        )
        named = [url for url in urls if isinstance(url, str) and url]
        if named and len(named) == len(urls):
            yield from ((key, number, url) for number, url in enumerate(named))
            return


def image_name(written: str) -> str:
    """The name of the file that an address of Label Studio stands for."""
    parts = urlsplit(written) if "/data/" in written else None
    if parts is not None and "/data/local-files" in parts.path:
        return next(iter(parse_qs(parts.query).get("d", ())), written).lstrip("/") or written
    if parts is not None and "/data/upload/" in parts.path:
        name = parts.path.rpartition("/")[2]
        head, dash, rest = name.partition("-")
        return rest if dash and rest and len(head) == HASH and all(c in "0123456789abcdef" for c in head) else name
    return written


def _addressed(prefix: str, path: str) -> str:
    return prefix + quote(path) if prefix else path


def _is_live(annotation: Any) -> bool:
    return isinstance(annotation, dict) and not (annotation.get("was_cancelled") or annotation.get("skipped"))


def _sets(task: Mapping[str, Any], shared: Shared, annotator: str | None) -> Iterator[dict[str, Any]]:
    """The annotations and predictions that are read, with their layer."""
    if shared.sets != "predictions":
        for position, entry in enumerate(json.items(task.get("annotations", task.get("completions")))):
            by = entry.get("completed_by") if isinstance(entry, dict) else None
            names = [by.get("email"), by.get("id")] if isinstance(by, dict) else [by]
            named = [str(name) for name in names if isinstance(name, int | str)]
            if not _is_live(entry) or (annotator is not None and annotator not in named):
                continue
            made = isinstance(by, dict) and by.keys() == {"email"}
            layer = named[0] if named and (shared.layered or made) else None
            if shared.layered and "completed_by" not in entry:
                layer = f"annotation {position + 1}"
            yield {
                "model": False, "layer": layer, "by": by, "entry": entry, "at": f"annotations[{position}]",
                "result": json.items(entry.get("result")),
            }  # fmt: skip
    if shared.sets != "annotations":
        for position, entry in enumerate(json.items(task.get("predictions"))):
            if isinstance(entry, dict):
                version = entry.get("model_version")
                layer = (str(version) if version else f"prediction {position + 1}") if shared.layered else None
                yield {
                    "model": True, "layer": layer, "by": None, "entry": entry, "at": f"predictions[{position}]",
                    "result": json.items(entry.get("result")),
                }  # fmt: skip


def _kept(found: Mapping[str, Any]) -> dict[str, Any]:
    """What an annotation says besides its results and, if that is its layer, by whom."""
    rest = json.rest(found["entry"], ("result", "completed_by", "was_cancelled", "ground_truth"))
    if found["entry"].get("ground_truth"):
        rest["ground_truth"] = found["entry"]["ground_truth"]
    if found["by"] != _by(found["layer"]):
        rest["completed_by"] = found["by"]
    kept = {"layer": found["layer"]}
    return {**kept, **({"model": True} if found["model"] else {}), **({"fields": rest} if rest else {})}


def _by(layer: str | None) -> dict[str, Any] | None:
    """Who made the annotations of a layer; no user of Label Studio is known by an e-mail alone."""
    return None if layer is None else {"email": layer}


def _of_page(result: Sequence[Any], page: int | None) -> Sequence[Any]:
    """The results about one of several images."""
    if page is None:
        return result
    return [r for r in result if isinstance(r, dict) and _page(r) == page]


def _page(item: Mapping[str, Any]) -> int:
    index = item.get("item_index")
    if isinstance(index, int):
        return index
    number = str(item.get("to_name", "")).rpartition("_")[2]
    return int(number) if number.isdecimal() and len(number) < 9 else 0


def _task_facts(
    task: Mapping[str, Any], record: Record, meta: dict[str, Any]
) -> tuple[dict[str, Attribute], dict[str, Any]]:
    """Attributes of the image from the data of a task, and what of the task is kept as it is."""
    data = {k: v for k, v in json.fields(task.get("data")).items() if k != record.key}
    attributes, nested = json.attributes({**data, **json.fields(meta.pop("data", None))})
    extra: dict[str, Any] = {"data": nested} if nested else {}
    if record.key != IMAGE and record.page is None:
        extra["key"] = record.key
    further = json.rest(task, TASK)
    if further:
        extra["task"] = further
    return attributes, extra


def _entries(sample: Sample, writer: ResultWriter, sets: list[dict[str, Any]]) -> list[tuple[bool, dict[str, Any]]]:
    """The annotations of a task, and whether each is a model's."""
    runs: list[tuple[str | None, list[Any]]] = []
    number = 0
    for layer, objects, tags in layer_runs(sample):
        result = list(writer.objects(objects))
        for alike in _alike(tags):
            result.append(writer.tag(alike, number))
            number += 1
        runs.append((layer, result))
    left = list(sets)
    entries: list[tuple[bool, dict[str, Any]]] = []
    for layer, result in runs:
        own = next((bag for bag in left if bag.get("layer") == layer), None)
        if own is not None:
            left.remove(own)
        entries.append(_entry(layer, result, own or {}))
    entries += [_entry(bag.get("layer"), [], bag) for bag in left if sample.annotations is not None]
    if not entries and sample.annotations is not None:
        entries.append(_entry(None, [], {}))
    return entries


def _entry(layer: str | None, result: list[Any], own: Mapping[str, Any]) -> tuple[bool, dict[str, Any]]:
    model = own.get("model") is True
    usual = {} if model else {"completed_by": _by(layer), "was_cancelled": False, "ground_truth": False}
    return model, {**usual, **json.fields(own.get("fields")), "result": [*result, *json.items(own.get("other"))]}


def _alike(tags: Sequence[Tag]) -> Iterator[list[Tag]]:
    """Runs of tags that differ in their class or text only."""
    for _, run in groupby(tags, key=lambda t: (t.text is None, t.score, json.dump(t.extra))):
        found = list(run)
        yield from [found] if found[0].text is None else [[tag] for tag in found]


def _config(context: WriteContext, used: Sequence[Sequence[str]]) -> str:
    """The configuration that was read, if it still has all classes and controls; else one made of what is in use."""
    fields = {name: kind for what, name, kind in used if what == "field"}
    kept = json.fields(context.info.extra.get(OWNER)).get("config")
    if isinstance(kept, str):
        try:
            config = read_config(kept.encode(), FILE)
        except LabelglotError:
            config = None
        names = [(label.name, label.color) for label in config.labels] if config else []
        if names == [(label.name, label.color) for label in context.labels]:
            return kept
    kinds = [name for what, name, _ in used if what == "kind"]
    flat = {what for what, _, _ in used}
    return write_config(context.labels, kinds, "tags" in flat, "captions" in flat, fields)


def _evidence(source: Source, name: str) -> Match | None:
    if not name.lower().endswith(".json"):
        found = is_table(name, source.head(name, 1 << 12))
        return Match(0.9, f"{name} is a table of annotations of Label Studio") if found else None
    value = json.peek(source.head(name, 1 << 15))
    items = [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict)]
    if not items:
        return None
    if any(is_minimal(item) for item in items):
        return Match(0.9, f"{name} lists annotations of Label Studio (JSON-MIN)")
    tasks = [item for item in items if isinstance(item.get("data"), dict)]
    sets = [s for t in tasks for key in ("annotations", "completions", "predictions") for s in json.items(t.get(key))]
    results = [r for s in sets if isinstance(s, dict) for r in json.items(s.get("result")) if isinstance(r, dict)]
    if any("from_name" in result and "to_name" in result for result in results):
        return Match(0.95, f"{name} has tasks with results from_name, to_name")
    if any(isinstance(s, dict) and "result" in s for s in sets):
        return Match(0.95, f"{name} has tasks with data and results")
    if any("annotations" in task or "completions" in task or "predictions" in task for task in tasks):
        return Match(0.6, f"{name} has tasks with data, but without results")
    return None


__all__ = ["LabelStudio"]
