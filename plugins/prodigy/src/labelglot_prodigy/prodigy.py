"""Prodigy's image tasks: a line of JSON for each answer about an image.

- ``path``, else ``image``, else the name in ``meta`` or ``text`` = path; an ``image`` inside the line is the image
  itself.
- ``spans`` = objects, in the frame of ``width`` and ``height``. ``accept`` of ``options``, or ``label``, = classes; a
  ``label`` that was rejected is known to be absent. ``caption`` = caption. ``meta`` = attributes of the image.
- All lines about an image are one image, each annotator a layer where images have several. A line without answer is an
  image nobody looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from labelglot.images import BytesImage, from_data_url, is_data_url, to_data_url
from labelglot.plugin import (
    ANY_VALUE,
    PIXELS_XYWH,
    Annotation,
    Content,
    Document,
    Holds,
    LabelglotError,
    LabelHolds,
    Match,
    Options,
    ReadContext,
    Report,
    Sample,
    Source,
    Tag,
    TagHolds,
    WriteContext,
    decode_objects,
    image_size,
    layer_runs,
)
from labelglot.wire import json
from pydantic import Field

from labelglot_prodigy.spans import OWNER, read_span, write_span

DOCUMENT = "prodigy.jsonl"
LOOKED_AT = 50
VIEWS = ("image_manual", "image", "classification", "choice", "blocks")
LINE = (
    "image",
    "path",
    "width",
    "height",
    "spans",
    "answer",
    "label",
    "accept",
    "caption",
    "meta",
    "_annotator_id",
    "_view_id",
)


class Record(NamedTuple):
    """All lines about an image: place and encoded line. ``name``: what the image is looked up by."""

    name: str
    lines: tuple[tuple[str, bytes], ...]


class Group(NamedTuple):
    """Tags that one line can state: classes that were chosen, then a caption; or one class that was rejected."""

    chosen: list[Tag]
    rejected: Tag | None = None
    caption: Tag | None = None


class Prodigy(Document):
    """Answers about images, a line for each."""

    id = OWNER
    name = "Prodigy image tasks"
    url = "https://prodi.gy/docs/api-interfaces"
    documents = (".jsonl",)
    patterns = ("*.jsonl", "*.ndjson")
    separator = b""
    holds = Holds(
        geometry=(frozenset({"box", "polygon"}),),
        boxes=PIXELS_XYWH,
        polygon_parts=False,
        polygon_holes=False,
        labels=LabelHolds(names=r"(?s:.+)", required=False, unused=False, order="appearance"),
        ids="str",
        layer=True,
        tags=TagHolds(negative=True, captions="many", layer=True),
        uri=True,
        sample_attributes=ANY_VALUE,
        unlabelled=True,
        extra=frozenset({OWNER}),
    )

    class ReadOptions(Options):
        """Which answers are read."""

        answers: Literal["accept", "all"] = Field(
            default="accept",
            title="Answers",
            description="accept: spans of lines that were rejected or ignored are kept aside; all: they are read, too",
        )

    class WriteOptions(Options):
        """What becomes of the image."""

        image_data: bool = Field(
            default=False,
            title="Embedded images",
            description="put the bytes of each image into its line, as Prodigy does",
        )

    def evidence(self, source: Source, path: str) -> Match | None:
        return _evidence(source, path)

    def parse(self, data: bytes, path: str, context: ReadContext) -> Content:
        lines: dict[str, list[tuple[str, bytes]]] = {}
        people: dict[str, set[str]] = {}
        hashes: dict[str, Any] = {}
        for place, part in json.load_records(data, path):
            line = json.load_item(part, dict[str, Any], place, context.report, f"{OWNER}.line")
            if line is None:
                continue
            name, is_sure = _image_name(line)
            if name is None:
                context.report.problem(
                    f"{OWNER}.line", "the line names no image", place, severity="error", raw=line, action="skipped"
                )
                continue
            code = line.get("_input_hash")
            if not is_sure and hashes.setdefault(name, code) != code:
                name = f"{name}-{code}"
            lines.setdefault(name, []).append((place, bytes(part)))
            by = line.get("_annotator_id")
            if isinstance(by, str) and "answer" in line:
                people.setdefault(name, set()).add(by)
        layered = any(len(found) > 1 for found in people.values())
        if layered:
            context.report.problem(
                f"{OWNER}.annotators",
                "images with answers of several annotators",
                path,
                severity="info",
                action="each is a layer",
            )
        records = [Record(name, tuple(found)) for name, found in lines.items()]
        return Content(records, None, None, layered, list(lines))

    def decode(
        self, record: Record, path: str, split: str | None, shared: bool, context: ReadContext, report: Report
    ) -> Sample | None:
        where = context.place(record.name, path.rpartition("/")[0])
        image: Any = where.image
        annotations: list[Annotation] | None = None
        tags: list[Tag] = []
        kept: list[dict[str, Any]] = []
        aside: list[Any] = []
        first: dict[str, Any] = {}
        uri: str | None = None
        real = None if image is None else image_size(image)
        stated: tuple[int, int] | None = None
        with_spans = 0
        for place, data in record.lines:
            line: dict[str, Any] = json.load(data, place, dict)
            first = first or line
            written = line.get("image")
            if isinstance(written, str) and is_data_url(written) and image is None:
                image = BytesImage(where.path, _embedded(written, place, where.path, report))
                real = image_size(image)
            elif isinstance(written, str) and not is_data_url(written) and written not in ("", where.path):
                uri = uri or written
            stated = stated or json.size(line)
            answer, layer = line.get("answer"), _layer(line, shared)
            plain = isinstance(line.get("label"), str) and "spans" not in line
            if "answer" in line and answer != "accept" and not plain and context.options.answers == "accept":
                aside.append(json.rest(line, ("image",)))
                report.problem(
                    f"{OWNER}.answer", f"a line whose answer is {answer!r}", place, severity="info", key=where.path,
                    action="kept aside for Prodigy",
                )  # fmt: skip
                continue
            tags += _tags(line, layer)
            spans = line.get("spans")
            if isinstance(spans, list) and (spans or "answer" in line):
                with_spans += 1
                found = self._objects(spans, place, layer, real, json.size(line), where.path, report)
                annotations = [*(annotations or ()), *found]
            elif "answer" in line and not plain and "accept" not in line and "caption" not in line:
                annotations = annotations or []
            fields = json.rest(line, LINE)
            if fields.get("options") == [{"id": t[0], "text": t[1]} for t in _accepted(line)]:
                del fields["options"]
            if layer is None and isinstance(line.get("_annotator_id"), str):
                fields["_annotator_id"] = line["_annotator_id"]
            if "answer" in line and answer != "accept" and not plain:
                fields["answer"] = answer
            if line.get("_view_id") not in (None, _view(line)):
                fields["_view_id"] = line["_view_id"]
            kept.append({"layer": layer, **({"fields": fields} if fields else {})})
        if with_spans > 1 and not shared:
            report.problem(
                f"{OWNER}.duplicate",
                f"{with_spans} lines with spans about one image",
                record.lines[0][0],
                key=where.path,
                action="all are read",
            )
        attributes, nested = json.attributes(first.get("meta"))
        extra: dict[str, Any] = {"lines": kept} if any(len(bag) > 1 for bag in kept) else {}
        extra |= {k: v for k, v in (("meta", nested), ("aside", aside)) if v}
        return Sample(
            path=where.path,
            uri=where.uri or uri,
            image=image,
            size=real or stated,
            tags=tuple(tags),
            attributes=attributes,
            annotations=None if annotations is None else tuple(annotations),
            extra={OWNER: extra} if extra else {},
        )

    def _objects(
        self, spans: list[Any], place: str, layer: str | None, real: tuple[int, int] | None,
        stated: tuple[int, int] | None, key: str, report: Report,
    ) -> Iterable[Annotation]:  # fmt: skip
        """The spans of a line, in the frame of the image."""
        scale = (1.0, 1.0)
        if real is not None and stated is not None and real != stated:
            scale = (real[0] / stated[0], real[1] / stated[1])
            report.problem(
                f"{OWNER}.size",
                f"the image is {real[0]} x {real[1]}, it was shown in {stated[0]} x {stated[1]}",
                place,
                key=key,
                action="coordinates are scaled to the image",
            )
        items = [(f"{place}.spans[{i}]", item) for i, item in enumerate(spans)]
        return decode_objects(items, lambda item: read_span(item, scale, layer), report, f"{OWNER}.span", key)

    def document_path(self, split: str | None, context: WriteContext) -> str:
        return context.document(DOCUMENT)

    def frame(self, split: str | None, context: WriteContext) -> tuple[bytes, bytes]:
        return b"", b""

    def encode_record(self, sample: Sample, context: WriteContext, ordinal: int) -> bytes:
        extra = json.fields(sample.extra.get(OWNER))
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in sample.attributes.items()}
        meta = {**plain, **json.fields(extra.get("meta"))}
        image = sample.uri or sample.path
        if context.options.image_data and sample.image is not None:
            image = to_data_url(sample.image.read(), sample.image.info().media_type)
        head = {"image": image, "path": sample.path, **({"meta": meta} if meta else {})}
        size = {} if sample.size is None else dict(zip(("width", "height"), sample.size, strict=True))
        made = list(_answers(sample, context))
        kept = [bag for bag in json.items(extra.get("lines")) if isinstance(bag, dict)]
        lines = []
        for layer, line in made:
            own = next((bag for bag in kept if bag.get("layer") == layer), {})
            if own in kept:
                kept.remove(own)
            fields = dict(json.fields(own.get("fields")))
            listed = json.items(fields.pop("options", None))
            if "options" in line:
                known = [json.fields(option).get("id") for option in listed]
                line["options"] = [*listed, *(option for option in line["options"] if option["id"] not in known)]
            lines.append({**head, **size, **line, **fields})
        if sample.annotations is not None:
            for bag in kept:
                by = {} if bag.get("layer") is None else {"_annotator_id": bag["layer"]}
                empty = {"spans": [], "answer": "accept", "_view_id": "image_manual"}
                lines.append({**head, **size, **empty, **by, **json.fields(bag.get("fields"))})
        lines += [{**head, **line} for line in json.items(extra.get("aside"))]
        if not lines:
            own = kept[0] if kept else {}
            answer = {} if sample.annotations is None else {"spans": [], "answer": "accept", "_view_id": "image_manual"}
            lines = [{**head, **size, **answer, **json.fields(own.get("fields"))}]
        return b"".join(json.dump(line) + b"\n" for line in lines)


def _answers(sample: Sample, context: WriteContext) -> Iterator[tuple[str | None, dict[str, Any]]]:
    """Layer and content of each line with an answer."""
    looked = sample.annotations is not None
    spanned = False
    for layer, objects, tags in layer_runs(sample):
        by = {} if layer is None else {"_annotator_id": layer}
        groups = _groups(tags)
        if objects or (looked and not spanned):
            first = groups.pop(0) if groups and groups[0].rejected is None else Group([])
            spans = [write_span(a, None if a.label is None else context.name(a.label)) for _, a in objects]
            chosen = _chosen(first, context)
            yield layer, {"spans": spans, **chosen, "answer": "accept", "_view_id": "image_manual", **by}
            spanned = True
        for group in groups:
            if group.rejected is not None:
                name = context.name(group.rejected.label)
                yield layer, {"label": name, "answer": "reject", "_view_id": "classification", **by}
                continue
            chosen = _chosen(group, context)
            view = "classification" if "label" in chosen else "choice" if "accept" in chosen else "image"
            yield layer, {**chosen, "answer": "accept", "_view_id": view, **by}


def _groups(tags: Sequence[Tag]) -> list[Group]:
    groups: list[Group] = []
    for tag in tags:
        last = groups[-1] if groups and groups[-1].rejected is None and groups[-1].caption is None else None
        if tag.negative:
            groups.append(Group([], tag))
        elif tag.text is not None:
            if last is not None:
                groups[-1] = last._replace(caption=tag)
            else:
                groups.append(Group([], None, tag))
        elif last is not None and not _is_single(tag) and not any(map(_is_single, last.chosen)):
            last.chosen.append(tag)
        else:
            groups.append(Group([tag]))
    return groups


def _is_single(tag: Tag) -> bool:
    """Whether a class was the question, not one of several options."""
    return json.fields(tag.extra.get(OWNER)).get("single") is True


def _chosen(group: Group, context: WriteContext) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if len(group.chosen) == 1 and _is_single(group.chosen[0]):
        made["label"] = context.name(group.chosen[0].label)
    elif group.chosen:
        options = []
        for tag in group.chosen:
            name = context.name(tag.label)
            options.append({"id": json.fields(tag.extra.get(OWNER)).get("id", name), "text": name})
        made |= {"options": options, "accept": [option["id"] for option in options]}
    if group.caption is not None:
        made["caption"] = group.caption.text
    return made


def _tags(line: Mapping[str, Any], layer: str | None) -> Iterator[Tag]:
    """Classes and caption of the image."""
    label, caption = line.get("label"), line.get("caption")
    if isinstance(line.get("accept"), list):
        for chosen, name in _accepted(line):
            yield Tag(label=name, layer=layer, extra={} if name == chosen else {OWNER: {"id": chosen}})
    elif isinstance(label, str) and label and line.get("answer") in ("accept", "reject"):
        negative = line["answer"] == "reject" and "spans" not in line
        yield Tag(label=label, negative=negative, layer=layer, extra={} if negative else {OWNER: {"single": True}})
    if isinstance(caption, str):
        yield Tag(text=caption, layer=layer)


def _accepted(line: Mapping[str, Any]) -> list[tuple[int | str, str]]:
    """Id and text of each option that was chosen."""
    accept, options = line.get("accept"), line.get("options")
    texts = (
        {str(o.get("id")): o.get("text") for o in options if isinstance(o, dict)} if isinstance(options, list) else {}
    )
    ids = [each for each in accept if isinstance(each, int | str) and each != ""] if isinstance(accept, list) else []
    return [(each, text if isinstance(text := texts.get(str(each)), str) and text else str(each)) for each in ids]


def _layer(line: Mapping[str, Any], layered: bool) -> str | None:
    """Who answered. Without need it is no layer, unless nothing but a name is known of the answer."""
    by = line.get("_annotator_id")
    if not isinstance(by, str) or not by:
        return None
    return by if layered or not line.keys() & {"_session_id", "_timestamp", "_task_hash"} else None


def _view(line: Mapping[str, Any]) -> str:
    """The interface in which the writer says that a line was answered."""
    if "spans" in line:
        return "image_manual"
    return "choice" if "accept" in line else "classification" if "label" in line else "image"


def _image_name(line: Mapping[str, Any]) -> tuple[str | None, bool]:
    """What the image of a line is called, and whether that is an address."""
    image = line.get("image")
    for value in (line.get("path"), None if is_data_url(image) else image):
        if isinstance(value, str) and value:
            return value, True
    for value in (json.fields(line.get("meta")).get("file"), line.get("text")):
        if isinstance(value, str) and value:
            return value, False
    code = line.get("_input_hash")
    return (None if code is None else f"image-{code}"), False


def _embedded(text: str, place: str, key: str, report: Report) -> bytes:
    try:
        return from_data_url(text)
    except LabelglotError as error:
        report.problem(f"{OWNER}.image", error.message, place, key=key, action="read without the image")
        return b""


def _evidence(source: Source, name: str) -> Match | None:
    """What the first lines say that are whole, or the first one if it is longer than what is looked at."""
    head = source.head(name, 1 << 15)
    lines = [line for line in head.splitlines()[:LOOKED_AT] if line.strip()]
    matches = [match for line in (lines[:-1] or lines) if (match := _of_line(name, json.peek(line))) is not None]
    return max(matches, key=lambda match: match.confidence, default=None) or (
        _of_line(name, json.peek(lines[-1])) if lines else None
    )


def _of_line(name: str, value: Any) -> Match | None:
    if not isinstance(value, dict) or not value.keys() & {"image", "path"}:
        return None
    if value.keys() & {"_task_hash", "_input_hash"}:
        return Match(0.95, f"{name} has image tasks with hashes")
    if value.get("_view_id") in VIEWS:
        return Match(0.9, f"{name} has answers in the interface {value['_view_id']}")
    spans = value.get("spans")
    if isinstance(spans, list) and any(isinstance(span, dict) and "points" in span for span in spans):
        return Match(0.8, f"{name} has images with spans")
    return None


__all__ = ["Prodigy"]
