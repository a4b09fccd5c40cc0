"""SageMaker Ground Truth: boxes in pixels and classes of images, as label attributes of the lines of a manifest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, ClassVar, Literal

import msgspec
from labelglot.plugin import (
    PIXELS_XYWH,
    ROLES,
    AddressOptions,
    AddressReadOptions,
    Annotation,
    File,
    Holds,
    JsonLines,
    Label,
    LabelglotError,
    LabelHolds,
    Lines,
    Mask,
    Match,
    Piece,
    Problem,
    ReadContext,
    Report,
    Sample,
    Tag,
    TagHolds,
    WriteContext,
)
from labelglot.wire import json
from pydantic import Field

from labelglot_aws.masks import BACKGROUND, color_of, paint, read_masks
from labelglot_aws.pairs import (
    BOXES,
    CLASS,
    CLASSES,
    IMAGE,
    SEGMENTATION,
    SUFFIX,
    TYPE,
    VERIFICATION,
    Attributes,
    Chosen,
    Pair,
    class_by_value,
    pairs_of,
)

_BOX = ("class_id", "left", "top", "width", "height")
_OWN = frozenset({"type", "objects", "class-map", "class-name", "confidence", "confidence-map", "internal-color-map"})
"""Fields of metadata that follow from the labels themselves."""


class _Box(msgspec.Struct):
    left: float
    top: float
    width: float
    height: float
    class_id: int | str | None = None


class _Size(msgspec.Struct):
    width: float
    height: float
    depth: float = 3


DATE, JOB = "2000-01-01T00:00:00.000000", "labeling-job/labelglot"
BOX_ATTRIBUTE, CLASS_ATTRIBUTE, MASK_ATTRIBUTE = "bounding-box", "image-classes", "segmentation-ref"


class ManifestOptions(AddressOptions):
    """What the lines say besides the labels."""

    date: str = Field(
        default=DATE, title="Date", description="creation date of labels that have none"
    )
    job: str = Field(default=JOB, title="Job", description="job name of labels that have none")


class SageMaker(JsonLines):
    """Boxes with a class and a score, and classes of whole images, of one label attribute each."""

    id = "sagemaker"
    name = "Amazon SageMaker Ground Truth manifest"
    aliases: ClassVar[tuple[str, ...]] = ("ground-truth", "sagemaker-ground-truth", "augmented-manifest")
    url = "https://docs.aws.amazon.com/sagemaker/latest/dg/sms-data-output.html"
    documents = (".manifest", ".jsonl")
    image_key = IMAGE
    holds = Holds(
        geometry=(frozenset({"box"}),),
        boxes=PIXELS_XYWH,
        labels=LabelHolds(ids="int", ids_required=True, first_id=0, unused=False, order="appearance"),
        score=True,
        tags=TagHolds(repeated=False, score=True),
        uri="location",
        splits=ROLES,
        unlabelled=True,
        extra=frozenset({"sagemaker"}),
    )

    class ReadOptions(AddressReadOptions):
        """Which of several labels is read."""

        objects: str = Field(
            default="", title="Objects", description="label attribute of boxes or masks; default: the last one"
        )
        classes: str = Field(
            default="", title="Classes", description="label attribute of classes of images; default: the last one"
        )

    class WriteOptions(ManifestOptions):
        """How objects and classes of images are written."""

        task: Literal["detection", "segmentation"] = Field(
            default="detection", title="Task", description="detection: boxes; segmentation: a picture of masks per image"
        )
        classes: Literal["multilabel", "single"] = Field(
            default="multilabel",
            title="Classes of images",
            description="multilabel: a list of classes; single: one class, for image classification",
        )

    def holds_with(self, options: Any) -> Holds:
        holds: Holds = options.narrowed(self.holds)
        if options.classes == "single":
            holds = holds.replace(tags=TagHolds(labels="one", score=True))
        if options.task == "segmentation":
            holds = holds.replace(
                geometry=(frozenset({"mask"}),), overlap=False, labels=holds.labels.replace(first_id=1)
            )  # fmt: skip
        return holds

    def evidence(self, line: Mapping[str, Any]) -> Match | None:
        if not isinstance(line.get(IMAGE), str):
            return None
        found = pairs_of(line)
        if not found:
            return Match(0.7, "lines with source-ref")
        several = sum(pair.type == CLASS for pair in found) > 1 or "content-moderation-groundtruth" in line
        return Match(0.85 if several else 0.95, f"source-ref and labels of type {found[0].type}")

    def nameless(self, line: msgspec.Raw, place: str, report: Report) -> None:
        if "source" in json.load_fields(bytes(line), place):
            report.problem(f"{self.id}.text", "a line about a text, not an image", place, severity="info", action="skipped")
        else:
            super().nameless(line, place, report)

    def table(self, found: Sequence[Lines], context: ReadContext) -> tuple[Sequence[Label], Chosen]:
        seen = Attributes(self.unnamed).look(found)
        chosen = self.choose(seen, context.options)
        read = [name for name in seen.types if name == chosen.objects or name in chosen.classes]
        for name in {chosen.objects, *chosen.classes} - {None, *read}:
            context.report.problem(f"{self.id}.option", f"no line has a label {name}")
        return seen.labels(read, found[0].lines[0].place if found else "", self.id, context.report), chosen

    def unnamed(self, attribute: str, value: msgspec.Raw) -> str:
        """What the class of an image is called that has no name."""
        return class_by_value(attribute, value)

    def choose(self, seen: Attributes, options: Any) -> Chosen:
        """The attributes that are read."""
        classes = options.classes or seen.last(CLASS, CLASSES)
        objects = options.objects or seen.last(BOXES, SEGMENTATION)
        return Chosen(objects, frozenset() if classes is None else frozenset({classes}))

    def decode_line(
        self, line: dict[str, Any], sample: Sample, place: str, shared: Chosen, context: ReadContext, report: Report
    ) -> Sample | None:
        bag: dict[str, Any] = {}
        other = {name: value for name, value in line.items() if name != IMAGE}
        size, annotations = None, None
        tags: list[Tag] = []
        for pair in pairs_of(line):
            if pair.value is None:
                why = pair.metadata.get("failure-reason", "the job gave no label")
                report.problem(f"{self.id}.failed", f"{pair.attribute}: {why}", place, key=sample.key)
                continue
            if pair.type == BOXES and pair.attribute == shared.objects:
                size, annotations, about = self._boxes(pair, place, sample.key, report)
                bag |= {"boxes": about} if about else {}
            elif pair.type == SEGMENTATION and pair.attribute == shared.objects:
                masks = self._masks(pair, place, sample.key, context, report)
                if masks is None:
                    continue
                annotations, about = masks, spelling(pair, MASK_ATTRIBUTE)
                bag |= {"masks": about} if about else {}
            elif pair.type in (CLASS, CLASSES) and pair.attribute in shared.classes:
                made, about = self.tags(pair, place, sample.key, report)
                tags += made
                bag |= {"classes": about} if about else {}
            else:
                if pair.type != VERIFICATION:
                    report.problem(
                        f"{self.id}.attribute", f"label {pair.attribute} ({pair.type}) is not read", place,
                        severity="info", key=sample.key, action="kept as it is",
                    )  # fmt: skip
                continue
            for name in (pair.attribute, pair.attribute + SUFFIX):
                other.pop(name, None)
        if size is None and "image_size" in other:
            size = _size(other["image_size"])
            if size is not None:
                del other["image_size"]
        if other:
            bag["other"] = other
        return sample.replace(
            size=self.fitting_size(size, sample, place, report), tags=tuple(tags), annotations=annotations,
            extra={self.id: bag} if bag else {},
        )  # fmt: skip

    def _masks(
        self, pair: Pair, place: str, key: str, context: ReadContext, report: Report
    ) -> tuple[Annotation, ...] | None:
        """The masks in the picture of an image; ``None`` if it cannot be had."""
        meaning = pair.metadata.get("internal-color-map")
        folder = place.rpartition(":")[0].rpartition("/")[0]
        found = context.image(str(pair.value), (folder,))
        try:
            if found is None or found.path.rpartition("/")[2] != str(pair.value).rpartition("/")[2]:
                raise LabelglotError(f"the picture of masks {pair.value} is not at hand")
            read = list(read_masks(found.read(), meaning if isinstance(meaning, dict) else {}))
        except (LabelglotError, OSError) as error:
            report.problem(f"{self.id}.mask", str(error), f"{place}#{pair.attribute}", key=key, action="kept as it is")
            return None
        return tuple(Annotation(label=name, shape=mask, score=self.score(score)) for name, score, mask in read)

    def _boxes(
        self, pair: Pair, place: str, key: str, report: Report
    ) -> tuple[tuple[int, int] | None, tuple[Annotation, ...], dict[str, Any]]:
        value = pair.value if isinstance(pair.value, dict) else {}
        place = f"{place}#{pair.attribute}"
        items = value.get("annotations", [])
        if not isinstance(pair.value, dict) or not isinstance(items, list):
            report.problem(
                f"{self.id}.annotations", "it has no list of annotations", place, severity="error", key=key,
                raw=pair.value, action="skipped",
            )  # fmt: skip
            items = []
        names, objects = pair.metadata.get("class-map"), pair.metadata.get("objects")
        names = names if isinstance(names, dict) else {}
        objects = objects if isinstance(objects, list) else []
        made = []
        for position, item in enumerate(items):
            about = objects[position] if position < len(objects) and isinstance(objects[position], dict) else {}
            annotation = self._box(item, about, names, f"{place}.annotations[{position}]", key, report)
            if annotation is not None:
                made.append(annotation)
        sizes = value.get("image_size")
        about = spelling(pair, BOX_ATTRIBUTE)
        more = json.rest(value, ("image_size", "annotations"))
        if more:
            about["value"] = more
        depth = sizes[0].get("depth", 3) if isinstance(sizes, list) and sizes and isinstance(sizes[0], dict) else 3
        if depth != 3:
            about["depth"] = depth
        return _size(sizes), tuple(made), about

    def _box(
        self, item: Any, about: Mapping[str, Any], names: Mapping[str, Any], place: str, key: str, report: Report
    ) -> Annotation | None:
        found = json.load_item(item, _Box, place, report, f"{self.id}.annotation")
        if found is None:
            return None
        box = PIXELS_XYWH.read_box((found.left, found.top, found.width, found.height), None)
        if not all(map(isfinite, box)):
            report.problem(
                f"{self.id}.number", "a coordinate is not finite", place, severity="error", key=key, raw=item,
                action="skipped",
            )  # fmt: skip
            return None
        if found.class_id is None:
            report.problem(f"{self.id}.class", "a box without class", place, key=key)
        elif str(found.class_id) not in names:
            report.problem(
                f"{self.id}.class", f"class {found.class_id} has no name", place, key=key, action="called by its number"
            )
        extra = json.rest(item, _BOX)
        more = json.rest(about, ("confidence",))
        if more:
            extra["object"] = more
        number = None if found.class_id is None else str(found.class_id)
        return Annotation(
            label=None if number is None else str(names.get(number, number)), box=box,
            score=self.score(about.get("confidence")), extra={self.id: extra} if extra else {},
        )  # fmt: skip

    def score(self, value: Any) -> float | None:
        """A confidence as score."""
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) else None

    def confidence(self, score: float | None) -> Mapping[str, Any]:
        """The entry of an object with this score."""
        return {} if score is None else {"confidence": score}

    def tags(self, pair: Pair, place: str, key: str, report: Report) -> tuple[list[Tag], dict[str, Any]]:
        """Classes of an image, and how they are written."""
        metadata, value = pair.metadata, pair.value
        about = spelling(pair, CLASS_ATTRIBUTE)
        if pair.type == CLASS:
            named = metadata.get("class-name")
            name = value if named is None else named
            return [Tag(label=str(name), score=self.score(metadata.get("confidence")))], {**about, "single": True}
        names, scores = metadata.get("class-map"), metadata.get("confidence-map")
        names = names if isinstance(names, dict) else {}
        scores = scores if isinstance(scores, dict) else {}
        if not isinstance(value, list):
            report.problem(
                f"{self.id}.classes", "the classes are no list", f"{place}#{pair.attribute}", severity="error", key=key,
                raw=value, action="skipped",
            )  # fmt: skip
            value = []
        numbers = [str(number) for number in value]
        return [Tag(label=str(names.get(n, n)), score=self.score(scores.get(n))) for n in numbers], about

    def encode_line(self, sample: Sample, context: WriteContext, ordinal: int) -> Mapping[str, Any]:
        bag = sample.extra.get(self.id, {})
        name = context.options.address(sample)
        # What was not read comes first: of several label attributes the last counts.
        line: dict[str, Any] = {IMAGE: name, **bag.get("other", {})}
        masks = getattr(context.options, "task", "") == "segmentation"
        if sample.annotations is not None and masks:
            line |= self._encode_masks(sample, sample.annotations, ordinal, bag.get("masks", {}), context)
        elif sample.annotations is not None:
            line |= self._encode_boxes(sample, sample.annotations, bag.get("boxes", {}), context)
        if sample.size is not None and (masks or sample.annotations is None):
            line["image_size"] = _spell_size(sample.size, 3)
        if sample.tags:
            line |= dict(self.encode_tags(sample.tags, bag.get("classes", {}), context))
        return line

    def _encode_boxes(
        self, sample: Sample, annotations: Sequence[Annotation], about: Mapping[str, Any], context: WriteContext
    ) -> Mapping[str, Any]:
        items, objects, names = [], [], {}
        for a in annotations:
            number = self.number(a.label, context)
            names[str(number)] = context.name(a.label)
            left, top, width, height = PIXELS_XYWH.write_box(a.box or (0.0, 0.0, 0.0, 0.0), None)
            if not isfinite(left + top + width + height):
                raise LabelglotError("a coordinate is not finite")
            extra = a.extra.get(self.id, {})
            numbers = map(_tidy, (left, top, width, height))
            items.append({"class_id": number, **dict(zip(_BOX[1:], numbers, strict=True)), **{k: v for k, v in extra.items() if k != "object"}})
            objects.append({**self.confidence(a.score), **extra.get("object", {})})
        value = {"annotations": items, **about.get("value", {})}
        if sample.size is not None:
            value = {"image_size": _spell_size(sample.size, about.get("depth", 3)), **value}
        attribute = about.get("attribute", "bounding-box")
        metadata = {"objects": objects, "class-map": names, "type": BOXES, **self.job(about, context)}
        return {attribute: value, attribute + SUFFIX: metadata}

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece | Problem]:
        yield from super().encode(sample, context, ordinal)
        if sample.annotations is not None and getattr(context.options, "task", "") == "segmentation":
            masks = [a.shape for a in sample.annotations if isinstance(a.shape, Mask)]
            size = (masks[0].width, masks[0].height) if masks else sample.size or (1, 1)
            colors = [color_of(number) for number in self._numbers(sample.annotations, context)]
            yield File(_picture(sample, ordinal), paint(masks, colors, size))

    def _numbers(self, annotations: Sequence[Annotation], context: WriteContext) -> list[int]:
        """A number for each mask: that of its class, or one that no class has for a further mask of a class."""
        numbers: list[int] = []
        free = max((self.number(label.key, context) for label in context.labels), default=0)
        for a in annotations:
            own = self.number(a.label, context)
            free += own in numbers
            numbers.append(free if own in numbers else own)
        return numbers

    def _encode_masks(
        self, sample: Sample, annotations: Sequence[Annotation], ordinal: int, about: Mapping[str, Any], context: WriteContext
    ) -> Mapping[str, Any]:
        meaning: dict[str, Any] = {"0": BACKGROUND}
        for number, a in zip(self._numbers(annotations, context), annotations, strict=True):
            color = f"#{color_of(number):06x}"
            meaning[str(number)] = {"class-name": context.name(a.label), "hex-color": color, **self.confidence(a.score)}
        attribute = about.get("attribute", MASK_ATTRIBUTE)
        metadata = {"internal-color-map": meaning, "type": SEGMENTATION, **self.job(about, context)}
        return {attribute: context.options.prefix + _picture(sample, ordinal), attribute + SUFFIX: metadata}

    def encode_tags(
        self, tags: Sequence[Tag], about: Mapping[str, Any], context: WriteContext
    ) -> Iterator[tuple[str, Any]]:
        """The label attributes of the classes of an image."""
        attribute = about.get("attribute", "image-classes")
        single = len(tags) == 1 and (context.options.classes == "single" or about.get("single", False))
        numbers = [self.number(tag.label, context) for tag in tags]
        if single:
            metadata: dict[str, Any] = {"class-name": context.name(tags[0].label), **self.confidence(tags[0].score)}
            yield attribute, str(numbers[0])
        else:
            metadata = {
                "class-map": {str(n): context.name(tag.label) for n, tag in zip(numbers, tags, strict=True)},
                "confidence-map": {str(n): tag.score for n, tag in zip(numbers, tags, strict=True) if tag.score is not None},
            }  # fmt: skip
            yield attribute, numbers
        yield attribute + SUFFIX, {**metadata, "type": CLASS if single else CLASSES, **self.job(about, context)}

    def number(self, key: str | None, context: WriteContext) -> int:
        """The number of a class in the file."""
        id_ = context.by_key[key or ""].id
        return id_ if isinstance(id_, int) else context.index[key or ""]

    def job(self, about: Mapping[str, Any], context: WriteContext) -> Mapping[str, Any]:
        """Who made a label and when, as it was read or as the options say."""
        read: Mapping[str, Any] = about.get("metadata", _job(context.options.date, context.options.job))
        return read


def _job(date: str, job: str) -> dict[str, Any]:
    return {"human-annotated": "yes", "creation-date": date, "job-name": job}


def spelling(pair: Pair, usual: str) -> dict[str, Any]:
    """What a label attribute says besides the labels, and its name, as far as they are not what is written anyway."""
    metadata = json.rest(pair.metadata, tuple(_OWN))
    named = {} if pair.attribute == usual else {"attribute": pair.attribute}
    return named if metadata == _job(DATE, JOB) else {**named, "metadata": metadata}


def _size(value: Any) -> tuple[int, int] | None:
    try:
        found = msgspec.convert(value, list[_Size])
    except msgspec.ValidationError:
        return None
    if not found or not (1 <= found[0].width < 1 << 31 and 1 <= found[0].height < 1 << 31):
        return None
    return int(found[0].width), int(found[0].height)


def _picture(sample: Sample, ordinal: int) -> str:
    """Where the masks of an image are written: a name no reader takes for that of the image."""
    return f"masks/{sample.path}.{ordinal}.mask.png"


def _spell_size(size: tuple[int, int], depth: Any) -> list[dict[str, Any]]:
    return [{"width": size[0], "height": size[1], "depth": depth}]


def _tidy(value: float) -> float:
    """Without the noise of a subtraction, and whole where it is."""
    value = round(value, 9)
    return int(value) if value == int(value) and abs(value) < 1e15 else value


__all__ = ["TYPE", "ManifestOptions", "SageMaker"]
