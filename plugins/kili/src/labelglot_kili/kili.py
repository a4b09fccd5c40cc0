"""Kili's raw export: assets with the label of an annotator, or of several.

- ``externalId`` = path, ``content`` = address, ``resolution`` = size, ``jsonMetadata`` = attributes of the image.
- ``latestLabel``, or all ``labels``, each a layer where images have several. No label = nobody looked; a label that
  says nothing = nothing found; one that has classes of the image only says nothing about objects.
- A video becomes an image for each frame. The interface of the project beside the assets has the categories in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from labelglot.plugin import (
    ANY_VALUE,
    NO_VALUE,
    RELATIVE,
    Annotation,
    Content,
    Convention,
    Dataset,
    Document,
    File,
    Holds,
    Label,
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
    with_suffix,
)
from labelglot.schema import Attribute
from labelglot.wire import json
from pydantic import Field

from labelglot_kili.interface import FILE, OWNER, TEXTS, is_interface, read_interface, seen_points, write_interface
from labelglot_kili.response import NUMBERED, Reader, Writer

DOCUMENT = "data.json"
HEAD = 1 << 15
ASSET = ("id", "externalId", "content", "jsonMetadata", "resolution", "latestLabel")
MODELS = ("PREDICTION", "INFERENCE")


class Record(NamedTuple):
    """An asset, encoded, or (``frame``) a frame of a video."""

    name: str
    place: str
    data: bytes
    frame: int | None


class Shared(NamedTuple):
    """``points``: codes of the points of each category; ``layered``: some asset has several labels."""

    points: Mapping[str, Sequence[str]]
    layered: bool


class Kili(Document):
    """Assets in one array, or one in each file."""

    id = OWNER
    name = "Kili raw export"
    url = "https://docs.kili-technology.com/docs/exporting-project-data"
    holds = Holds(
        geometry=(frozenset({"box", "polygon", "polyline", "points", "keypoints"}),),
        boxes=Convention(unit="relative", ordered=True),
        points=RELATIVE,
        several_points=False,
        keypoint_visibility="given",
        labels=LabelHolds(required=False, color=True, keypoints=True),
        attributes=frozenset({"str", "list"}),
        flags={TEXTS: NO_VALUE},
        score=True,
        text=True,
        ids="str",
        layer=True,
        tags=TagHolds(captions="many", score=True, layer=True),
        sample_ids="str",
        uri=True,
        sample_attributes=ANY_VALUE,
        unlabelled=True,
        extra=frozenset({OWNER}),
    )

    class ReadOptions(Options):
        """Which labels are read."""

        labels: Literal["latest", "all"] = Field(
            default="latest",
            title="Labels",
            description="latest: the latest label of an asset if the export marks one; all: each as a layer",
        )
        predictions: bool = Field(
            default=False,
            title="Predictions",
            description="also read labels that models made; they are read anyway if an asset has no other",
        )

    def holds_alone(self, holds: Holds) -> Holds:
        return holds.replace(labels=LabelHolds(required=False, unused=False, order="appearance"))

    def evidence(self, source: Source, path: str) -> Match | None:
        return _evidence(source, path)

    def read(self, context: ReadContext) -> Dataset:
        return super().read(context).replace(labels_complete=False)

    def parse(self, data: bytes, path: str, context: ReadContext) -> Content:
        data = json.unmark(data)
        records: list[Record] = []
        points: dict[str, dict[str, None]] = {}
        most = 0
        parts: Sequence[Any] = json.load_parts(data, path) if data.lstrip()[:1] == b"[" else [data]
        for position, part in enumerate(parts):
            place = f"{path}#[{position}]"
            asset = json.load_item(part, dict[str, Any], place, context.report, f"{OWNER}.asset")
            if asset is None or is_interface(asset):
                continue
            if "externalId" not in asset and _is_response(asset):
                asset = {"externalId": with_suffix(path.rpartition("/")[2], ""), "latestLabel": {"jsonResponse": asset}}
            name = asset.get("externalId")
            if not isinstance(name, str) or not name:
                context.report.problem(
                    f"{OWNER}.asset",
                    "the asset has no externalId",
                    place,
                    severity="error",
                    raw=asset,
                    action="skipped",
                )
                continue
            labels = list(_labels(asset, context.options))
            most = max(most, len(labels))
            responses = [_response(label) for label in labels]
            frames = sorted({int(key) for response in responses if _is_video(response) for key in response})
            said = [r for response in responses for r in (response.values() if _is_video(response) else (response,))]
            for category, codes in (pair for response in said for pair in seen_points(response)):
                points.setdefault(category, {}).update(dict.fromkeys(codes))
            encoded = json.dump(asset)
            records += [Record(name, place, encoded, frame) for frame in frames or (None,)]
        declared = _interface(context, path.rpartition("/")[0])
        found = {code: tuple(codes) for code, codes in points.items() if any(not c.startswith(NUMBERED) for c in codes)}
        found |= {
            label.name: (*label.keypoints, *(c for c in found.get(label.name, ()) if c not in label.keypoints))
            for label in declared or ()
            if label.keypoints
        }
        labels_read = [label.replace(keypoints=found.get(label.name)) for label in declared or ()]
        known = {label.name for label in labels_read}
        if found:
            new = (code for code in points if code not in known)
            labels_read += [Label(key=code, name=code, keypoints=found.get(code)) for code in new]
        order = {code: found.get(code, tuple(codes)) for code, codes in points.items() if codes} | found
        if most > 1:
            context.report.problem(
                f"{OWNER}.labels", f"assets with up to {most} labels", path, severity="info", action="each is a layer"
            )
        return Content(records, labels_read or None, None, Shared(order, most > 1), [record.name for record in records])

    def decode(
        self, record: Record, path: str, split: str | None, shared: Shared, context: ReadContext, report: Report
    ) -> Sample | None:
        asset: dict[str, Any] = json.load(record.data, record.place, dict)
        where = context.place(record.name, path.rpartition("/")[0])
        stated = json.size(asset.get("resolution"))
        size = stated or (None if where.image is None else image_size(where.image))
        key = where.path if record.frame is None else f"{where.path}#frame={record.frame}"
        reader = Reader(size, key, shared.points, report)
        annotations: list[Annotation] | None = None
        tags: list[Tag] = []
        kept: list[dict[str, Any]] = []
        for label in _labels(asset, context.options):
            layer, response = _layer(label, shared.layered), _response(label)
            if record.frame is not None:
                response = json.fields(response.get(str(record.frame))) if _is_video(response) else {}
            objects, said, other = reader.read(
                response, layer, f"{record.place}.jsonResponse", record.frame is not None
            )
            annotations = annotations if objects is None else [*(annotations or ()), *objects]
            tags += said
            fields = json.rest(label, ("jsonResponse",))
            if fields == _about(layer):
                fields = {}
            kept.append(
                {"layer": layer, **({"fields": fields} if fields else {}), **({"other": other} if other else {})}
            )
        attributes, extra = _facts(asset)
        if any(len(bag) > 1 for bag in kept):
            extra["sets"] = kept
        if len(kept) == 1 and asset.get("latestLabel") is None:
            extra["listed"] = True
        uri = asset.get("content")
        id_ = asset.get("id")
        return Sample(
            path=key,
            id=id_ if isinstance(id_, str) and record.frame is None else None,
            image=where.image if key == where.path else None,
            uri=uri if isinstance(uri, str) and uri not in ("", where.path) else None,
            size=size,
            units="pixels" if size else "relative",
            sequence=None if record.frame is None else where.path,
            frame=record.frame,
            tags=tuple(tags),
            attributes=attributes,
            annotations=None if annotations is None else tuple(annotations),
            extra={OWNER: extra} if extra else {},
        )

    def document_path(self, split: str | None, context: WriteContext) -> str:
        return context.document(DOCUMENT)

    def frame(self, split: str | None, context: WriteContext) -> tuple[bytes, bytes]:
        return b"[\n", b"\n]\n"

    separator = b",\n"

    def encode_record(self, sample: Sample, context: WriteContext, ordinal: int) -> bytes:
        return json.dump(self._asset(sample, Writer(sample, context)))

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece | Problem]:
        writer = Writer(sample, context)
        yield Piece(self.document_path(None, context), json.dump(self._asset(sample, writer)))
        yield from writer.problems
        for tool in (*writer.tools, *(["classes"] if any(tag.text is None for tag in sample.tags) else ())):
            yield Piece(f"{FILE}#{tool}", b"1")

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        yield from super().assemble(context, pieces)
        if context.single is None:
            used = [slot.partition("#")[2] for slot in pieces.slots() if slot.startswith(f"{FILE}#")]
            tools = [tool for tool in used if tool != "classes"]
            yield File(FILE, write_interface(context.labels, tools, "classes" in used))

    def _asset(self, sample: Sample, writer: Writer) -> dict[str, Any]:
        extra = json.fields(sample.extra.get(OWNER))
        sets = [bag for bag in json.items(extra.get("sets")) if isinstance(bag, dict)]
        labels = []
        for layer, objects, tags in layer_runs(sample):
            own = next((bag for bag in sets if bag.get("layer") == layer), {})
            if own in sets:
                sets.remove(own)
            labels.append(_label(layer, writer.response(objects, tags, json.fields(own.get("other"))), own))
        if sample.annotations is not None:
            labels += [_label(bag.get("layer"), json.fields(bag.get("other")), bag) for bag in sets]
            if not labels:
                labels.append(_label(None, {}, {}))
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in sample.attributes.items()}
        latest = None if not labels or len(labels) > 1 or extra.get("listed") else labels[0]
        return {
            **({} if sample.id is None else {"id": sample.id}),
            "externalId": sample.path,
            "content": sample.uri or sample.path,
            "jsonMetadata": {**plain, **json.fields(extra.get("jsonMetadata"))},
            "resolution": None if sample.size is None else dict(zip(("width", "height"), sample.size, strict=True)),
            "latestLabel": latest,
            **({"labels": labels} if labels and latest is None else {}),
            **json.fields(extra.get("asset")),
        }


def _label(layer: str | None, response: dict[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    return {**(json.fields(own.get("fields")) or _about(layer)), "jsonResponse": response}


def _about(layer: str | None) -> dict[str, Any]:
    return {"labelType": "DEFAULT"} if layer is None else {"author": {"email": layer}, "labelType": "DEFAULT"}


def _layer(label: Mapping[str, Any], layered: bool) -> str | None:
    """Who made a label. Without need it is no layer, unless nothing but an e-mail is said of it."""
    if not layered and json.rest(label, ("jsonResponse",)).keys() != {"author", "labelType"}:
        return None
    author = json.fields(label.get("author"))
    names = [author.get("email"), author.get("id"), label.get("modelName")]
    return next((name for name in names if isinstance(name, str) and name), None)


def _labels(asset: Mapping[str, Any], options: Any) -> Iterator[dict[str, Any]]:
    """The labels of an asset that are read."""
    latest, listed = asset.get("latestLabel"), asset.get("labels")
    if isinstance(latest, dict) and not (options.labels == "all" and isinstance(listed, list)):
        yield latest
        return
    found = [label for label in listed if isinstance(label, dict)] if isinstance(listed, list) else []
    people = [label for label in found if label.get("labelType") not in (*MODELS, "AUTOSAVE")]
    models = [label for label in found if label.get("labelType") in MODELS]
    yield from people
    yield from models if options.predictions or not people else ()


def _response(label: Mapping[str, Any]) -> dict[str, Any]:
    """What a label says; some exports have it as text."""
    response = label.get("jsonResponse")
    if isinstance(response, str):
        try:
            response = json.load(response.encode(), "jsonResponse")
        except LabelglotError:
            response = None
    return json.fields(response)


def _is_video(response: Mapping[str, Any]) -> bool:
    return bool(response) and all(key.isdecimal() and key.isascii() and len(key) < 10 for key in response)


def _is_response(value: Mapping[str, Any]) -> bool:
    """Whether an object is a bare response: jobs, one of them with annotations."""
    jobs = [json.fields(job) for job in value.values()]
    listed = [item for job in jobs if isinstance(job.get("annotations"), list) for item in job["annotations"]]
    return all("annotations" in job or "categories" in job or "text" in job for job in jobs) and any(
        "boundingPoly" in json.fields(item) or "mid" in json.fields(item) for item in listed
    )


def _facts(asset: Mapping[str, Any]) -> tuple[dict[str, Attribute], dict[str, Any]]:
    """Attributes of the image, and what of the asset is kept as it is."""
    attributes, nested = json.attributes(asset.get("jsonMetadata"))
    further = json.rest(asset, (*ASSET, *(() if isinstance(asset.get("latestLabel"), dict) else ("labels",))))
    return attributes, {k: v for k, v in (("jsonMetadata", nested), ("asset", further)) if v}


def _interface(context: ReadContext, folder: str) -> tuple[Label, ...] | None:
    """The categories of the interface in a folder, ``None`` if there is none."""
    for name in context.source.match("*.json"):
        if name.rpartition("/")[0] == folder and is_interface(json.peek(context.source.head(name, HEAD))):
            try:
                return read_interface(json.load(context.source.read(name), name))
            except (LabelglotError, OSError):
                continue
    return None


def _evidence(source: Source, name: str) -> Match | None:
    value = json.peek(source.head(name, HEAD))
    items = [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict)]
    if any("externalId" in item and ("latestLabel" in item or "labels" in item) for item in items):
        return Match(0.95, f"{name} has assets with externalId and labels")
    labels = [label for item in items for label in (item.get("latestLabel"), *json.items(item.get("labels")))]
    if any("jsonResponse" in json.fields(label) for label in labels):
        return Match(0.95, f"{name} has labels with jsonResponse")
    if any("externalId" in item and "jsonMetadata" in item for item in items):
        return Match(0.8, f"{name} has assets with externalId")
    if isinstance(value, dict) and value and _is_response(value):
        return Match(0.7, f"{name} has jobs with annotations")
    return None


__all__ = ["Kili"]
