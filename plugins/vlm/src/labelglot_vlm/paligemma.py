"""PaliGemma: ``detect cat ; dog`` and ``<loc0256><loc0128><loc0512><loc0384> cat ; ...``, y first, 1024 steps."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from labelglot.errors import LabelglotError
from labelglot.plugin import (
    Annotation,
    Convention,
    Holds,
    Label,
    Lines,
    ReadContext,
    Sample,
    TagHolds,
    WriteContext,
    make_labels,
)
from labelglot.wire import json

from labelglot_vlm.prompts import LABELS, Place, PromptLines, frame_of

GRID = Convention(unit="relative", y_first=True, steps=1024)
BETWEEN = " ; "
_TASK = re.compile(r"\s*(detect|segment)\s+(?P<classes>.*)", re.DOTALL)
_TEXT = re.compile(r"\s*(?:caption|cap|describe|ocr|answer|question)\b")
_OBJECT = re.compile(r"(?P<locs>(?:<loc[^<>]*>\s*)+)(?P<segs>(?:<seg\d+>\s*)*)(?P<label>[^<]*)")
_LOC = re.compile(r"<loc([^<>]*)>")
_DIGITS = re.compile(r"[0-9]{4}")
_SPECIAL = re.compile(r"<(?:eos|bos|pad)>")
_EDGES = " \t\r\n;,"


class Classes(NamedTuple):
    """The prompt that names all classes of the data."""

    prefix: str


class PaliGemmaJsonl(PromptLines):
    """Boxes with a class, and captions. Masks stay the tokens they are."""

    id = "paligemma-jsonl"
    name = "PaliGemma JSONL"
    aliases = ("paligemma",)
    url = "https://github.com/google-research/big_vision/tree/main/big_vision/configs/proj/paligemma"
    grid = GRID
    caption = "caption en"
    holds = Holds(
        geometry=(frozenset({"box"}),),
        boxes=GRID,
        inside=True,
        labels=LABELS,
        tags=TagHolds(labels="none", captions="many"),
        size=False,
        unlabelled=True,
        extra=frozenset({"paligemma-jsonl"}),
    )
    geometry_bound_extra = frozenset({("paligemma-jsonl", "seg")})

    def confidence(self, prefix: str, suffix: str) -> float:
        if re.search(r"<loc\d{4}>", suffix):
            return 0.95
        if prefix.startswith("<") or "<loc_" in suffix:
            return 0.0
        return 0.85 if _TASK.match(prefix) else 0.4

    def table(self, found: Sequence[Lines], context: ReadContext) -> tuple[Sequence[Label], Classes]:
        names: dict[str, None] = {}
        for record in found:
            for line in record.lines:
                try:
                    fields: Any = json.load(line.data, line.place)
                except LabelglotError:
                    continue  # reported when the line is decoded
                prefix, suffix = (fields.get(name) if isinstance(fields, dict) else None for name in ("prefix", "suffix"))
                task = _TASK.match(prefix) if isinstance(prefix, str) else None
                if task is not None:
                    names |= dict.fromkeys(filter(None, (part.strip(_EDGES) for part in task["classes"].split(";"))))
                if isinstance(suffix, str) and "<loc" in suffix:
                    names |= dict.fromkeys(filter(None, (one["label"].strip(_EDGES) for one in _objects(suffix))))
        labels = make_labels(names)
        return labels, Classes(_prompt(labels))

    def is_usual(self, prefix: str, found: Sequence[Annotation], shared: Classes) -> bool:
        return prefix == shared.prefix

    def is_about_objects(self, prefix: str, suffix: str) -> bool:
        if _TASK.match(prefix) is not None or prefix.strip() == "detect":
            return True
        return "<loc" in suffix and _TEXT.match(prefix) is None

    def objects(self, prefix: str, suffix: str, where: Place) -> Iterator[Annotation]:
        code = f"{self.id}.object"
        before = _SPECIAL.sub("", suffix).partition("<loc")[0].strip(_EDGES)
        if before:
            where.problem(code, f"{before[:40]!r} belongs to no object", suffix, "left out")
        for found in _objects(suffix):
            written, tokens = found[0].strip(), _LOC.findall(found["locs"])
            odd = next((token for token in tokens if not _DIGITS.fullmatch(token)), None)
            if odd is not None:
                other = ", is it for --from florence2-jsonl?" if odd.startswith("_") else ""
                where.problem(f"{self.id}.token", f"<loc{odd}> has not four digits{other}", written)
            elif len(tokens) != 4:
                where.problem(code, f"{len(tokens)} of 4 coordinates", written)
            elif max(numbers := [int(token) for token in tokens]) >= (GRID.steps or 0):
                where.problem(f"{self.id}.token", f"{max(numbers)} is over 1023", written)
            else:
                yield self._object(found, numbers, where)

    def _object(self, found: re.Match[str], numbers: Sequence[int], where: Place) -> Annotation:
        y0, x0, y1, x1 = self.fractions(numbers)
        label = found["label"].strip(_EDGES) or None
        if label is None:
            where.problem(f"{self.id}.class", "a box without class", found[0], "kept")
        if x1 < x0 or y1 < y0:
            where.problem(f"{self.id}.order", "a box ends before it begins; are its tokens x first?", found[0], "kept")
        segments = found["segs"].strip()
        return Annotation(label=label, box=(x0, y0, x1, y1), extra={self.id: {"seg": segments}} if segments else {})

    def prompts(self, sample: Sample, context: WriteContext) -> Iterable[tuple[str, str]]:
        said = []
        for a in sample.annotations or ():
            box = GRID.write_box(a.box or (0.0, 0.0, 0.0, 0.0), frame_of(sample))
            locs = "".join(f"<loc{number:04}>" for number in self.tokens(box))
            said.append(f"{locs}{a.extra.get(self.id, {}).get('seg', '')} {context.name(a.label)}")
        usual = context.once(_usual)
        yield sample.extra.get(self.id, {}).get("prefix", usual), BETWEEN.join(said)


def _objects(suffix: str) -> Iterator[re.Match[str]]:
    return _OBJECT.finditer(_SPECIAL.sub("", suffix))


def _prompt(labels: Iterable[Label]) -> str:
    return "detect " + BETWEEN.join(label.name for label in labels)


def _usual(context: WriteContext) -> str:
    return _prompt(context.labels)
