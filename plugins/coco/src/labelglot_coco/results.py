"""COCO results: a bare list of detections with scores. Images and classes are numbers of a ground-truth document.

As Ultralytics does, the writer adds the image's ``file_name`` and the category's name to each detection, so that the
list can be read without the ground truth; evaluation tools ignore additional keys. A reader that finds neither names
takes them from the ground truth it is told of, or shows the numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from labelglot.errors import LabelglotError
from labelglot.images import SourceImage
from labelglot.plugin import (
    ANY_VALUE,
    Annotation,
    Dataset,
    File,
    Format,
    Holds,
    Label,
    LabelHolds,
    Match,
    Naming,
    Options,
    Piece,
    Pieces,
    ReadContext,
    Records,
    Report,
    Sample,
    Source,
    Tag,
    TagHolds,
    WriteContext,
    in_pixels,
    make_labels,
    split_role,
)
from labelglot.wire import json
from pydantic import Field

from labelglot_coco.annotation import BOUND, OWNER, Classes, Misfit, decode, encode
from labelglot_coco.layout import HEAD, first

_KINDS = ("bbox", "segmentation", "keypoints", "caption")
_EXTRA = ("file_name", "category_name", "width", "height", "iscrowd", "id", "num_keypoints")


class _Detection(msgspec.Struct, gc=False):
    image_id: int | str | None = None
    category_id: int | str | None = None
    file_name: str | None = None
    category_name: str | None = None
    caption: str | None = None
    width: int | None = None
    height: int | None = None


class _Image(NamedTuple):
    """What is known of an image besides its detections."""

    id: int | str
    path: str
    size: tuple[int, int] | None


class _Record(NamedTuple):
    document: str
    split: str | None
    image: _Image
    parts: tuple[msgspec.Raw, ...]
    places: tuple[int, ...]


class CocoResults(Format):
    """Detections in COCO's results format."""

    id = "coco-results"
    name = "COCO results JSON"
    aliases = ("coco-detections", "coco-predictions")
    url = "https://cocodataset.org/#format-results"
    documents = (".json",)
    separator = b","
    geometry_bound_extra = BOUND
    holds = Holds(
        geometry=(frozenset({"box"}), frozenset({"polygon", "mask"}), frozenset({"keypoints"})),
        keypoint_visibility="given",
        polygon_holes=False,
        labels=LabelHolds(ids="int", ids_required=True, unused=False, order="appearance"),
        attributes=ANY_VALUE,
        flags={"crowd": frozenset({"bool"})},
        defaults={"crowd": False},
        score=True,
        text=True,
        track="any",
        tags=TagHolds(labels="none", captions="many"),
        sample_ids="int",
        sample_ids_required=True,
        splits="any",
        empty=False,
        naming=Naming(scope="split"),
        extra=frozenset({OWNER}),
    )

    class ReadOptions(Options):
        """Options of the results reader."""

        ground_truth: str | None = Field(
            None, description="the COCO document, inside the same source, that names images and categories"
        )

    def detect(self, source: Source) -> Match | None:
        for path in source.match("*.json"):
            head = source.head(path, HEAD)
            if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] != b"[":
                continue
            item = first(json.peek(head))
            if "image_id" in item and any(kind in item for kind in _KINDS):
                return Match(0.95, f"{path} is a list of detections with image_id")
        return None

    def inputs(self, source: Source) -> Sequence[tuple[str, str | None]]:
        """Documents whose beginning is a list, with the split in their name (``results_train.json``)."""
        found = [source.focus] if source.focus is not None else source.match("*.json")
        lists = [p for p in found if source.head(p, 256).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"["]
        return [(path, _split_of(path)) for path in lists]

    def read(self, context: ReadContext) -> Dataset:
        truth = _ground_truth(context)
        records: list[_Record] = []
        names: dict[int | str, str] = {label.id: label.name for label in truth.labels if label.id is not None}
        used: dict[int | str, None] = {}
        inputs = self.inputs(context.source)
        for path, split in inputs:
            try:
                data = context.source.read(path)
                parts = json.load_parts(data, path)
                found = json.load_items(data, _Detection, path, context.report, "coco-results.record")
            except LabelglotError as error:
                context.report.problem(
                    "coco-results.document", str(error), error.place or path, severity="error", action="skipped"
                )
                continue
            images: dict[int | str, list[int]] = {}
            known: dict[int | str, _Image] = {}
            for position, item in enumerate(found):
                if item is None:
                    continue
                if item.image_id is None:
                    context.report.problem(
                        "coco-results.image", "a detection without image_id", f"{path}[{position}]", severity="error",
                        action="skipped",
                    )  # fmt: skip
                    continue
                images.setdefault(item.image_id, []).append(position)
                known.setdefault(item.image_id, _image(item, truth.images))
                if item.category_id is not None:
                    used.setdefault(item.category_id)
                    if item.category_name is not None:
                        names.setdefault(item.category_id, item.category_name)
            records += [
                _Record(path, split, known[id_], tuple(parts[i] for i in places), tuple(places))
                for id_, places in images.items()
            ]
        if not inputs:
            raise LabelglotError("no list of detections in it", context.source.where)
        unknown = [id_ for id_ in used if id_ not in names]
        if unknown:
            context.report.problem(
                "coco-results.category", f"{len(unknown)} categories have no name", raw=unknown[:10], severity="info",
                action="called by their number; name the ground truth with --from-option ground_truth=FILE",
            )  # fmt: skip
        table = make_labels(Label(key=names.get(i, str(i)), name=names.get(i, str(i)), id=i) for i in used)
        keys = {label.id: label.key for label in table if label.id is not None}
        context.reserve(("", record.image.path, _folders(record.split)) for record in records)
        seen: set[str] = set()
        repeated = frozenset(r.image.path for r in records if r.image.path in seen or seen.add(r.image.path))  # type: ignore[func-returns-value]
        return Dataset(Records(records, _Decoder(context, Classes(keys, {}), repeated)), table)

    def image_path(self, sample: Sample, context: WriteContext) -> str | None:
        return f"{sample.split}/{sample.path}" if sample.split else f"images/{sample.path}"

    def path_of(self, split: str | None, context: WriteContext) -> str:
        """``results_train.json``, or ``results.json`` without a split."""
        return context.document(f"results_{split}.json" if split else "results.json", per_split=True)

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece]:
        about: dict[str, Any] = {"file_name": sample.path}
        if sample.size is not None:
            about["width"], about["height"] = sample.size
        made: list[dict[str, Any]] = []
        for a in sample.annotations or ():
            label = context.by_key[a.label or ""]
            record = encode(a, sample.id, label.id, True, True)
            for name in ("id", "num_keypoints"):
                record.pop(name, None)
            if "area" not in a.extra.get(OWNER, {}):
                record.pop("area", None)
            if not record.get("iscrowd"):
                record.pop("iscrowd", None)
            if not record.get("segmentation"):
                record.pop("segmentation", None)
            made.append({**record, "category_name": label.name, **about})
        made += [{"image_id": sample.id, "caption": tag.text, **about} for tag in sample.tags]
        yield Piece(self.path_of(sample.split, context), b",".join(map(json.dump, made)))

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        for path in dict.fromkeys(self.path_of(split, context) for split in context.splits or (None,)):
            yield File(path, self._document(path, pieces))

    def _document(self, path: str, pieces: Pieces) -> Iterator[bytes]:
        yield b"["
        yield from pieces.stream(path)
        yield b"]\n"


class _Truth(NamedTuple):
    images: Mapping[int | str, _Image]
    labels: Sequence[Label]


def _ground_truth(context: ReadContext) -> _Truth:
    path = context.options.ground_truth
    if path is None:
        return _Truth({}, ())
    top = json.load(context.source.read(path), path, dict[str, Any])
    images = {
        image["id"]: _Image(image["id"], image["file_name"], _size(image.get("width"), image.get("height")))
        for image in top.get("images") or ()
        if isinstance(image, dict) and isinstance(image.get("file_name"), str) and isinstance(image.get("id"), int | str)
    }
    labels = [
        Label(key=str(c.get("name")), name=str(c.get("name")), id=c["id"])
        for c in top.get("categories") or ()
        if isinstance(c, dict) and isinstance(c.get("id"), int | str)
    ]
    return _Truth(images, labels)


def _image(item: _Detection, known: Mapping[int | str, _Image]) -> _Image:
    """An image by its number; a number written as text is tried as one, then as the stem of a file name."""
    id_ = item.image_id
    assert id_ is not None
    if item.file_name is not None:
        return _Image(id_, item.file_name, _size(item.width, item.height))
    found = known.get(id_) or (known.get(int(id_)) if isinstance(id_, str) and id_.isdecimal() else None)
    if found is None and isinstance(id_, str):
        found = next((image for image in known.values() if image.path.rpartition(".")[0] == id_), None)
    return found or _Image(id_, str(id_), None)


def _size(width: Any, height: Any) -> tuple[int, int] | None:
    return (width, height) if isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0 else None


def _split_of(path: str) -> str | None:
    stem = path.rpartition("/")[2].removesuffix(".json")
    for start in ("results_", "predictions_", "detections_"):
        if stem.startswith(start):
            return stem[len(start) :]
    return stem if split_role(stem) is not None else None


class _Decoder:
    """Turns the detections of one image into a sample."""

    def __init__(self, context: ReadContext, classes: Classes, repeated: frozenset[str]) -> None:
        self.context, self.classes, self.repeated = context, classes, repeated

    def _image(self, path: str, split: str | None) -> SourceImage | None:
        """The image file; only in the folder of its own split if several splits list the name."""
        if path in self.repeated:
            own = f"{split or 'images'}/{path}"
            return SourceImage(self.context.source, own) if own in self.context.images else None
        return self.context.place(path, "", _folders(split)).image if self.context.images.paths else None

    def __call__(self, record: _Record, ordinal: int, report: Report) -> Sample | None:
        annotations: list[Annotation] = []
        tags: list[Tag] = []
        for raw, position in zip(record.parts, record.places, strict=True):
            place = f"{record.document}[{position}]"
            values: Any = json.load(bytes(raw), place)
            if isinstance(values, dict) and isinstance(values.get("caption"), str):
                tags.append(Tag(text=values["caption"]))
                continue
            try:
                plain = {name: value for name, value in values.items() if name not in _EXTRA or name == "iscrowd"}
                made = decode(json.dump(plain), self.classes, True, False, place, report, record.image.path)
            except LabelglotError as error:
                code = error.code.replace("coco.", "coco-results.") if isinstance(error, Misfit) else "coco-results.record"
                report.problem(code, error.message, place, severity="error", key=record.image.path, action="skipped")
                continue
            if isinstance(made, Tag):
                report.problem(
                    "coco-results.geometry", "a detection without geometry", place, severity="error", action="skipped"
                )
                continue
            annotations.append(_plain(made))
        image = record.image
        handle = self._image(image.path, record.split)
        sample = Sample(
            path=image.path, id=image.id, image=handle, size=image.size,
            splits=(record.split,) if record.split is not None else (), tags=tuple(tags), annotations=tuple(annotations),
        )  # fmt: skip
        return in_pixels(sample)


def _folders(split: str | None) -> tuple[str, ...]:
    """Where the images of a list may be."""
    return (split or "images", "images")


def _plain(a: Annotation) -> Annotation:
    """Without what every detection lacks."""
    bag = {name: value for name, value in a.extra.get(OWNER, {}).items() if name != "without"}
    return a.replace(extra={OWNER: bag} if bag else {})
