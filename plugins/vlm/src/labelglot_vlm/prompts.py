"""What both models share: lines of image, prefix (the prompt) and suffix (the answer), one per task.

An image has a line with its objects, and one for each caption. Objects are text, coordinates are tokens.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from labelglot.plugin import (
    Annotation,
    Convention,
    JsonLines,
    LabelglotError,
    LabelHolds,
    Match,
    ReadContext,
    Report,
    Ring,
    Sample,
    Tag,
    WriteContext,
    split_role,
)
from labelglot.wire import json

NAMES = r"(?![\s;,])[^<>;\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]+(?<![\s;,])"
"""Names of classes that cannot be taken for tokens or for what stands between objects."""
LABELS = LabelHolds(unused=False, order="appearance", names=NAMES)
_FIELDS = ("image", "prefix", "suffix")
_FILE = re.compile(r"_?annotations\.([^.]+)\.jsonl$", re.IGNORECASE)


class Place(NamedTuple):
    """Where an answer stands, for problems."""

    place: str
    key: str
    report: Report

    def problem(self, code: str, message: str, raw: str, action: str = "skipped") -> None:
        severity: Any = "error" if action == "skipped" else "warning"
        self.report.problem(code, message, f"{self.place}#suffix", severity=severity, key=self.key, raw=raw, action=action)


class PromptLines(JsonLines):
    """Subclasses state ``grid`` (steps of a side), ``caption`` (prefix of a caption) and read and write answers."""

    image_key = "image"
    several_lines = True
    grid: ClassVar[Convention]
    caption: ClassVar[str]

    @abstractmethod
    def confidence(self, prefix: str, suffix: str) -> float:
        """How sure this format is of such a line."""

    @abstractmethod
    def is_about_objects(self, prefix: str, suffix: str) -> bool:
        """Whether the answer lists objects, if any, and is no caption."""

    @abstractmethod
    def objects(self, prefix: str, suffix: str, where: Place) -> Iterable[Annotation]:
        """The objects of an answer, coordinates as fractions."""

    @abstractmethod
    def prompts(self, sample: Sample, context: WriteContext) -> Iterable[tuple[str, str]]:
        """Prefix and suffix of the lines about the objects of a sample."""

    @abstractmethod
    def is_usual(self, prefix: str, found: Sequence[Annotation], shared: Any) -> bool:
        """Whether this prompt is written for these objects anyway. ``shared``: what :meth:`table` gives."""

    def evidence(self, line: Mapping[str, Any]) -> Match | None:
        prefix, suffix = line.get("prefix"), line.get("suffix")
        if not (isinstance(line.get("image"), str) and isinstance(prefix, str) and isinstance(suffix, str)):
            return None
        sure = self.confidence(prefix, suffix)
        return Match(sure, f"image, prefix {prefix[:30]!r} and suffix {suffix[:40]!r}") if sure else None

    def split_of(self, path: str) -> str | None:
        found = _FILE.search(path)
        return found[1] if found is not None and split_role(found[1]) is not None else super().split_of(path)

    def decode_line(
        self, line: dict[str, Any], sample: Sample, place: str, shared: Any, context: ReadContext, report: Report
    ) -> Sample | None:
        prefix, suffix = line.get("prefix", ""), line.get("suffix")
        if not isinstance(prefix, str) or not isinstance(suffix, str):
            raise LabelglotError("prefix and suffix are not both text", place)
        rest = json.rest(line, _FIELDS)
        extra: dict[str, Any] = {"fields": rest} if rest else {}
        sample = sample.replace(units="relative")
        if not prefix and not suffix:
            return sample.replace(extra={self.id: extra} if extra else {})
        if not self.is_about_objects(prefix, suffix):
            about = {} if prefix == self.caption else {self.id: {"prefix": prefix}}
            return sample.replace(tags=(Tag(text=suffix, extra=about),), extra={self.id: extra} if extra else {})
        found = tuple(self.objects(prefix, suffix, Place(place, sample.key, report)))
        if not self.is_usual(prefix, found, shared):
            extra["prefix"] = prefix
        return sample.replace(annotations=found, extra={self.id: extra} if extra else {})

    def merged(self, said: Sequence[Sample], place: str, report: Report) -> Sample:
        if sum(sample.annotations is not None for sample in said) > 1:
            said = [sample.replace(extra=self._without_prefix(sample)) for sample in said]
        return super().merged(said, place, report)

    def _without_prefix(self, sample: Sample) -> Mapping[str, Any]:
        """Prompts for a part of the objects are no prompt for all of them."""
        bag = {name: value for name, value in sample.extra.get(self.id, {}).items() if name != "prefix"}
        return {self.id: bag} if bag else {}

    def encode_lines(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[Mapping[str, Any]]:
        said = [] if sample.annotations is None else list(self.prompts(sample, context))
        said += [(tag.extra.get(self.id, {}).get("prefix", self.caption), tag.text or "") for tag in sample.tags]
        more = sample.extra.get(self.id, {}).get("fields", {})
        for prefix, suffix in said or [("", "")]:
            yield {"image": sample.path, "prefix": prefix, "suffix": suffix, **more}

    def tokens(self, flat: Sequence[float]) -> list[int]:
        """Numbers of the tokens of fractions that are on the grid."""
        steps = self.grid.steps or 1
        if not all(0 <= value <= 1 for value in flat):
            raise LabelglotError("a coordinate lies outside the image")
        return [min(round(value * steps), steps - 1) for value in flat]

    def fractions(self, tokens: Sequence[int]) -> Ring:
        """The inverse of :meth:`tokens`: the beginning of each step."""
        steps = self.grid.steps or 1
        return tuple(token / steps for token in tokens)


def frame_of(sample: Sample) -> tuple[int, int] | None:
    """The size coordinates are to be divided by."""
    return sample.size if sample.units == "pixels" else None
