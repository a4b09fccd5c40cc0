"""LVIS: COCO instances in which not every class was looked for in every image.

Each image lists classes that are verified absent (labels of the image, negative) and classes of which some objects are
not marked. A class in neither list and without an object is unknown. Crowds are the exception, so the flag is only
written where it is set. In version 1 images have no ``file_name``; it is the end of ``coco_url``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from labelglot.images import SourceImage
from labelglot.plugin import Annotation, Match, Overview, ReadContext, Report, Sample, Source, Tag, TagHolds

from labelglot_coco.annotation import OWNER
from labelglot_coco.coco import Coco, encode_image
from labelglot_coco.decoder import Boxed, Decoder, Stretch
from labelglot_coco.layout import FEDERATED, Kind, documents, heads, kind_of
from labelglot_coco.records import Opened, Part, PlainImage, Record

ID = "lvis"
NEGATIVE, PARTIAL = FEDERATED
BARE = 16
"""Characters of the name of a COCO image without the prefix of 2014."""


class Lvis(Coco):
    """LVIS instances with federated annotation."""

    reads_plain: ClassVar[bool] = False
    takes_columns: ClassVar[bool] = False
    id = ID
    name = "LVIS JSON"
    aliases: ClassVar[tuple[str, ...]] = ("lvis-v1",)
    url = "https://www.lvisdataset.org/dataset"
    task = "lvis_v1"
    kinds: ClassVar[tuple[Kind, ...]] = ("lvis",)
    without_lists: ClassVar[tuple[Kind, ...]] = ("instances",)
    holds = Coco.holds.replace(
        labels=Coco.holds.labels.replace(first_id=1),
        tags=TagHolds(negative=True, order="labels"),
        extra=frozenset({OWNER, ID}),
    )

    def detect(self, source: Source) -> Match | None:
        for path, seen in heads(source):
            if kind_of(source, path, seen) == "lvis":
                return Match(0.95, f"{path} has {NEGATIVE} or classes with synset and frequency")
        return None

    def _documents(self, context: ReadContext) -> Sequence[tuple[str, str | None]]:
        """Documents of LVIS; if there are none, those of COCO, as of a set whose lists are missing."""
        return documents(context.source, self.kinds) or documents(context.source, self.without_lists)

    def _overview(self, opened: Sequence[Opened]) -> Overview | None:
        """Images have classes of their own: those verified to be absent."""
        return None

    def _decoder(self, context: ReadContext, opened: Sequence[Opened], repeated: frozenset[str], samples: int) -> Decoder:
        return _Decoder(context, opened, False, repeated, OWNER, samples)

    def _encode_image(self, sample: Sample, ids: Mapping[str, int]) -> dict[str, Any]:
        own = sample.extra.get(ID, {})
        record = encode_image(sample, OWNER)
        if own.get("file_name", sample.path) is None and str(record.get("coco_url")).endswith("/" + sample.path):
            del record["file_name"]
        record[NEGATIVE] = [ids[tag.label] for tag in sample.tags if tag.negative and tag.label is not None]
        record[PARTIAL] = [ids[key] for key in own.get("not_exhaustive", ()) if key in ids]
        return record

    def _encode_object(self, a: Annotation, image_id: Any, ids: Mapping[str, int], options: Any) -> dict[str, Any]:
        record = self._encode_odd(a, image_id, ids, options)
        if not record.get("iscrowd") and "iscrowd" not in a.extra.get(OWNER, {}):
            record.pop("iscrowd", None)
        return record


class _Decoder(Decoder):
    leaves_columns: ClassVar[bool] = False

    def sample(
        self, record: Record, image: PlainImage | None, plain: Iterator[Stretch | Boxed], report: Report, columns: bool
    ) -> Sample | None:
        sample = super().sample(record, image, plain, report, columns)
        if sample is None:
            return None
        bag = dict(sample.extra.get(OWNER, {}))
        document = self.opened[record.parts[0].document]
        negative = self._classes(bag.pop(NEGATIVE, ()), NEGATIVE, document, sample.key, report)
        partial = self._classes(bag.pop(PARTIAL, ()), PARTIAL, document, sample.key, report)
        own: dict[str, Any] = {"not_exhaustive": partial} if partial else {}
        if b'"file_name"' not in bytes(record.image):  # type: ignore[arg-type]
            own["file_name"] = None
        place = {key: n for n, key in enumerate(document.classes.keys.values())}
        tags = {tag.label: tag for tag in (*sample.tags, *(Tag(label=key, negative=True) for key in negative))}
        extra = {**({OWNER: bag} if bag else {}), **({ID: own} if own else {})}
        ordered = sorted(tags.values(), key=lambda tag: place.get(tag.label or "", len(place)))
        return sample.replace(tags=tuple(ordered), extra=extra)

    def _classes(self, ids: Any, field: str, document: Opened, key: str, report: Report) -> list[str]:
        """The keys of listed classes, each once."""
        known = document.classes.keys
        listed = ids if isinstance(ids, list | tuple) else [ids]
        wrong = [id_ for id_ in listed if not isinstance(id_, int | str) or id_ not in known]
        if wrong:
            message = f"{field} has {wrong[0]!r:.40}, which is not declared in categories"
            place = f"{document.path}#images"
            report.problem(f"{ID}.category", message, place, severity="error", key=key, raw=wrong[:10], action="left out")
        return list(dict.fromkeys(known[id_] for id_ in listed if isinstance(id_, int | str) and id_ in known))

    def decode(
        self, part: Part, plain: Sequence[Annotation | None], key: str, annotations: list[Annotation], tags: list[Tag],
        report: Report,
    ) -> None:  # fmt: skip
        """Add what a document says of an image; that it has no crowd flag is the rule here."""
        before = len(annotations)
        super().decode(part, plain, key, annotations, tags, report)
        annotations[before:] = map(_without_crowd, annotations[before:])

    def _image(self, name: str, document: Opened) -> SourceImage | None:
        """The image file; version 0.5 calls images as in 2014, and people have those of 2017."""
        found = super()._image(name, document)
        old = name.startswith("COCO_") and len(name) > BARE
        return super()._image(name[-BARE:], document) if found is None and old else found


def _without_crowd(a: Annotation) -> Annotation:
    bag = dict(a.extra.get(OWNER, {}))
    missing = list(bag.pop("without", ()))
    if "iscrowd" in missing:
        missing.remove("iscrowd")
    elif not a.attributes.get("crowd"):
        bag["iscrowd"] = 0
    if missing:
        bag["without"] = missing
    return a.replace(extra={OWNER: bag} if bag else {})
