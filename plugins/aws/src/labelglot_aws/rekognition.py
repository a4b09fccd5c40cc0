"""Rekognition Custom Labels: the same manifest, strict, and one label attribute for each class of an image."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from labelglot.plugin import (
    AddressReadOptions,
    Holds,
    Label,
    LabelHolds,
    Lines,
    Match,
    Problem,
    ReadContext,
    Report,
    Sample,
    Tag,
    TagHolds,
    WriteContext,
    make_labels,
)
from pydantic import Field

from labelglot_aws.pairs import BOXES, CLASS, CLASSES, SUFFIX, Attributes, Chosen, Pair, pairs_of
from labelglot_aws.sagemaker import BOX_ATTRIBUTE, ManifestOptions, SageMaker, spelling

MODERATION = "content-moderation-groundtruth"
IMAGES = (".png", ".jpg", ".jpeg")


class Rekognition(SageMaker):
    """Boxes, and presence or absence of classes in an image."""

    id = "rekognition"
    name = "Amazon Rekognition Custom Labels manifest"
    aliases = ("rekognition-custom-labels",)
    url = "https://docs.aws.amazon.com/rekognition/latest/customlabels-dg/md-manifest-files.html"
    holds = SageMaker.holds.replace(
        labels=LabelHolds(unused=False, order="appearance"),
        tags=TagHolds(repeated=False, negative=True), extra=frozenset({"rekognition"})
    )

    taken_for = frozenset({"sagemaker"})

    class ReadOptions(AddressReadOptions):
        """Every class of an image is read; of boxes the last label attribute."""

        objects: str = Field(default="", title="Objects", description="label attribute of boxes; default: the last one")

    class WriteOptions(ManifestOptions):
        """What the lines say besides the labels."""

    def holds_with(self, options: Any) -> Holds:
        holds: Holds = options.narrowed(self.holds)
        return holds

    def evidence(self, line: Mapping[str, Any]) -> Match | None:
        match = super().evidence(line)
        if match is None:
            return None
        several = sum(pair.type == CLASS for pair in pairs_of(line)) > 1
        if MODERATION in line or several:
            return Match(0.95, "source-ref and a label attribute for each class")
        return Match(0.6, match.reason)

    def table(self, found: Sequence[Lines], context: ReadContext) -> tuple[Sequence[Label], Chosen]:
        labels, chosen = super().table(found, context)
        return make_labels(label.name for label in labels), chosen

    def unnamed(self, attribute: str, value: msgspec.Raw) -> str:
        return attribute

    def choose(self, seen: Attributes, options: Any) -> Chosen:
        return Chosen(options.objects or seen.last(BOXES), frozenset(n for n, type in seen.types.items() if type in (CLASS, CLASSES)))

    def score(self, value: Any) -> float | None:
        """The whole number 1 is what everybody writes who has no score."""
        return None if type(value) is int else super().score(value)

    def confidence(self, score: float | None) -> Mapping[str, Any]:
        return {"confidence": 1 if score is None else float(score)}

    def tags(self, pair: Pair, place: str, key: str, report: Report) -> tuple[list[Tag], dict[str, Any]]:
        if pair.type != CLASS:
            return super().tags(pair, place, key, report)[0], {}
        named = pair.metadata.get("class-name")
        name = pair.attribute if named is None else str(named)
        extra = spelling(pair, attribute_of(name))
        confidence = pair.metadata.get("confidence")
        absent = pair.value == 0 and confidence == 0
        if pair.value != (0 if absent else 1):
            extra["value"] = pair.value
        tag = Tag(label=name, negative=absent, score=None if absent or confidence == 1 else self.score(confidence))
        return [tag.replace(extra={self.id: extra}) if extra else tag], {}

    def encode_tags(
        self, tags: Sequence[Tag], about: Mapping[str, Any], context: WriteContext
    ) -> Iterator[tuple[str, Any]]:
        names = context.once(_attributes)
        for tag in tags:
            own = tag.extra.get(self.id, {})
            attribute = own.get("attribute", names[tag.label or ""])
            yield attribute, own.get("value", 0 if tag.negative else 1)
            about = {"confidence": int(not tag.negative), "class-name": context.name(tag.label), "type": CLASS}
            yield attribute + SUFFIX, {**about, **self.job(own, context)}

    def warnings(self, sample: Sample, context: WriteContext) -> Iterable[Problem]:
        def refused(code: str, message: str, position: int | None = None) -> Problem:
            return Problem(f"rekognition.{code}", message, key=sample.key, object=position, action="written as it is")

        if not sample.path.lower().endswith(IMAGES):
            yield refused("image", "the service takes PNG and JPEG only")
        if sample.annotations and sample.size is None:
            yield refused("size", "the service refuses boxes without the size of the image")
        if not sample.annotations and not sample.tags:
            yield refused("empty", "the service leaves out images without labels")
        for position, a in enumerate(sample.annotations or ()):
            x0, y0, x1, y1 = a.box or (0.0, 0.0, 0.0, 0.0)
            inside = sample.size is None or (x1 <= sample.size[0] and y1 <= sample.size[1])
            if not (0 <= x0 < x1 and 0 <= y0 < y1 and inside):
                yield refused("box", "the service drops boxes that are empty or leave the image", position)


def attribute_of(name: str) -> str:
    """The label attribute of a class: its name as far as the characters may stand in one."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-") or "class"
    reserved = plain.lower().endswith("-ref") or "-metadata" in plain.lower() or plain in (BOX_ATTRIBUTE, "source-ref")
    return f"{plain}-class" if reserved else plain


def _attributes(context: WriteContext) -> Mapping[str, str]:
    """The label attribute of each class, unique."""
    taken: set[str] = set()
    found = {}
    for label in context.labels:
        name, number = attribute_of(label.name), 1
        while name in taken:
            number += 1
            name = f"{attribute_of(label.name)}-{number}"
        taken.add(name)
        found[label.key] = name
    return found
