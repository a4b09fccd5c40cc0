"""Florence-2: ``<OD>`` and ``cat<loc_125><loc_250><loc_375><loc_500>dog...``, x first, 1000 steps."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from labelglot.plugin import (
    Annotation,
    Convention,
    Holds,
    Options,
    Polygon,
    Problem,
    Ring,
    Sample,
    TagHolds,
    WriteContext,
)
from pydantic import Field

from labelglot_vlm.prompts import LABELS, Place, PromptLines, frame_of

GRID = Convention(unit="relative", steps=1000)
BOXES, POLYGONS, REGION_TEXT = "<OD>", "<REFERRING_EXPRESSION_SEGMENTATION>", "<OCR_WITH_REGION>"
OBJECTS = ("<OD>", "<DENSE_REGION_CAPTION>", "<REGION_PROPOSAL>", "<CAPTION_TO_PHRASE_GROUNDING>", "<OPEN_VOCABULARY_DETECTION>",
           "<REFERRING_EXPRESSION_SEGMENTATION>", "<REGION_TO_SEGMENTATION>", "<OCR_WITH_REGION>")  # fmt: skip
"""Tasks whose answer lists regions."""
_TASK = re.compile(r"<[A-Z][A-Z_]+>")
_NOISE = re.compile(r"</?s>|<pad>|<ground>|<obj>|<od>|</ground>|</obj>|</od>")
_OBJECT = re.compile(r"(?P<label>[^<]*)(?P<tokens>(?:<loc_\d+>|</?poly>|<sep>)+)")
_RING = re.compile(r"(?:<loc_\d+>)+")
_LOC = re.compile(r"<loc_(\d+)>")


class Florence2Jsonl(PromptLines):
    """Boxes with a class (or polygons), and captions."""

    id = "florence2-jsonl"
    name = "Florence-2 JSONL"
    aliases = ("florence-2", "florence2")
    url = "https://huggingface.co/microsoft/Florence-2-large"
    grid = GRID
    caption = "<CAPTION>"
    holds = Holds(
        geometry=(frozenset({"box"}),),
        boxes=GRID,
        points=GRID,
        inside=True,
        polygon_holes=False,
        labels=LABELS,
        tags=TagHolds(labels="none", captions="many"),
        size=False,
        unlabelled=True,
        extra=frozenset({"florence2-jsonl"}),
    )

    class WriteOptions(Options):
        """What is said of objects."""

        task: Literal["boxes", "polygons"] = Field(
            default="boxes",
            title="Task",
            description="boxes: one line for all objects of an image; polygons: a line for each object, its class in the prompt",
        )

    def holds_with(self, options: Any) -> Holds:
        if options.task == "boxes":
            return self.holds
        return self.holds.replace(geometry=(frozenset({"polygon"}),))

    def confidence(self, prefix: str, suffix: str) -> float:
        if re.search(r"<loc_\d+>", suffix) or _TASK.match(prefix):
            return 0.95
        return 0.3 if "<loc" not in suffix and not prefix.startswith("detect ") else 0.0

    def is_usual(self, prefix: str, found: Sequence[Annotation], shared: Any) -> bool:
        return prefix == BOXES or (len(found) == 1 and prefix == f"{POLYGONS}{found[0].label}")

    def is_about_objects(self, prefix: str, suffix: str) -> bool:
        task = _TASK.match(prefix)
        return "<loc_" in suffix if task is None else task[0] in OBJECTS

    def objects(self, prefix: str, suffix: str, where: Place) -> Iterator[Annotation]:
        text = _NOISE.sub("", suffix)
        end = 0
        polygons = prefix.startswith((POLYGONS, "<REGION_TO_SEGMENTATION>"))
        for found in _OBJECT.finditer(text):
            end = found.end()
            rings = [self._ring(ring) for ring in _RING.findall(found["tokens"])]
            label = found["label"].strip() or None
            try:
                if "<poly>" in found["tokens"] or (polygons and any(len(ring) > 4 for ring in rings)):
                    yield from self._polygons(found["tokens"], label)
                elif prefix.startswith(REGION_TEXT) and len(rings) == 1 and len(rings[0]) == 8:
                    yield Annotation(text=found["label"], shape=Polygon.of(rings[0]))
                else:
                    yield from self._boxes(rings, label)
            except ValueError as error:
                where.problem(f"{self.id}.object", str(error), found[0])
                continue
            if label is None:
                where.problem(f"{self.id}.class", "an object without class", found[0], "kept")
        rest = text[end:].strip()
        if rest:
            where.problem(f"{self.id}.object", f"{rest[:40]!r} has no coordinates", suffix, "left out")

    def _ring(self, tokens: str) -> Ring:
        """The numbers of some tokens; the step after the last one is the edge."""
        return self.fractions([min(int(token[:6]), 1000) for token in _LOC.findall(tokens)])

    def _boxes(self, rings: list[Ring], label: str | None) -> Iterator[Annotation]:
        flat = [value for ring in rings for value in ring]
        if not flat or len(flat) % 4:
            raise ValueError(f"{len(flat)} coordinates are no boxes of 4")
        for i in range(0, len(flat), 4):
            yield Annotation(label=label, box=(flat[i], flat[i + 1], flat[i + 2], flat[i + 3]))

    def _polygons(self, tokens: str, label: str | None) -> Iterator[Annotation]:
        """Each ``<poly>...</poly>`` is an object, ``<sep>`` stands between its parts. A last odd number says nothing."""
        for text in re.split(r"</?poly>", tokens):
            rings = [self._ring(part) for part in text.split("<sep>") if part]
            rings = [ring[: len(ring) // 2 * 2] for ring in rings]
            if any(len(ring) < 6 for ring in rings):
                raise ValueError("a polygon has less than 3 points")
            if rings:
                yield Annotation(label=label, shape=Polygon.of(*rings))

    def prompts(self, sample: Sample, context: WriteContext) -> Iterable[tuple[str, str]]:
        size, own = frame_of(sample), sample.extra.get(self.id, {}).get("prefix")
        if context.options.task == "polygons" and sample.annotations:
            for a in sample.annotations:
                name = context.name(a.label)
                parts = a.shape.parts if isinstance(a.shape, Polygon) else ()
                rings = (self._spell(GRID.write_points(part[0], size)) for part in parts)
                yield POLYGONS + name, f"{name}<poly>{'<sep>'.join(rings)}</poly>"
            return
        boxes = (
            context.name(a.label) + self._spell(GRID.write_box(a.box or (0.0, 0.0, 0.0, 0.0), size))
            for a in sample.annotations or ()
        )
        yield own or BOXES, "".join(boxes)

    def _spell(self, flat: Ring) -> str:
        return "".join(f"<loc_{number}>" for number in self.tokens(flat))

    def warnings(self, sample: Sample, context: WriteContext) -> Iterable[Problem]:
        for name in dict.fromkeys(context.name(a.label) for a in sample.annotations or ()):
            if not name.isascii():
                message = f"the model's own parser drops the letters of {name!r} that are not ASCII"
                yield Problem(f"{self.id}.name", message, key=sample.key, action="written as it is")
