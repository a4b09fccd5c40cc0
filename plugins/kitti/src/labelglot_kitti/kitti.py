"""KITTI object detection (``label_2``): a line of 15 fields per object; the 3D box rides along untouched."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from labelglot.plugin import (
    Annotation,
    Holds,
    LabelHolds,
    Match,
    Mirrored,
    Naming,
    Options,
    Pair,
    Report,
    Sample,
    Source,
    ValueKind,
    WriteContext,
)
from labelglot.wire.text import WORD, lines, spell
from pydantic import Field

FIELDS = 14
"""Numbers behind the class: truncated, occluded, alpha, the box, dimensions, location, rotation_y."""
REGION = "DontCare"
NO_ALPHA = (-10, -1, 0)
"""What tools write for objects of which only the box is known."""
UNKNOWN_3D = {"alpha": -10, "dimensions": (-1, -1, -1), "location": (-1000, -1000, -1000), "rotation_y": -10}
NUMBER: frozenset[ValueKind] = frozenset({"int", "float"})


class Kitti(Mirrored):
    """Boxes with their truncation and occlusion.

    ``extra``: ``alpha``, ``dimensions`` (height, width, length in metres), ``location`` (x, y, z of the centre of the
    bottom face, in the camera's frame) and ``rotation_y`` as written, of objects that have a 3D box.
    """

    id = "kitti"
    name = "KITTI object detection"
    url = "https://www.cvlibs.net/datasets/kitti/eval_object.php"
    image_folder = "image_2"
    file_folder = "label_2"
    image_folders = ("images", "image")
    file_folders = ("labels", "label")
    holds = Holds(
        geometry=(frozenset({"box"}),),
        labels=LabelHolds(unused=False, order="appearance", names=WORD),
        flags={"truncated": NUMBER, "occluded": NUMBER},
        defaults={"truncated": -1, "occluded": -1},
        implied={REGION: {"ignore": True}},
        score=True,
        size=False,
        naming=Naming(unique="stem", suffix=False),
        extra=frozenset({"kitti"}),
    )

    class WriteOptions(Options):
        """Options of the writer."""

        scores: bool = Field(
            default=True,
            title="Scores",
            description="write the score of objects that have one as 16th field, as results have it",
        )

    def holds_with(self, options: Any) -> Holds:
        return self.holds if options.scores else self.holds.replace(score=False)

    def detect(self, source: Source) -> Match | None:
        files = self.annotation_files(source)
        folder = any("label_2" in path.lower().split("/") for path in files)
        for path in files[:: max(1, len(files) // 8)][:8]:
            if self.is_annotation(source, path):
                return Match(0.95 if folder else 0.65, f"{path}: a class and 14 or 15 numbers in each line")
        return Match(0.5, "a folder label_2, but no object in it") if folder else None

    def is_annotation(self, source: Source, path: str) -> bool:
        first = next((line.split() for _, line in lines(source.head(path, 1024))), [""])
        return FIELDS <= len(_split(first)[1]) <= FIELDS + 1 and not _is_number(first[0])

    def parse(self, data: bytes, pair: Pair, report: Report) -> Mapping[str, Any]:
        found = (_annotation(line, f"{pair.annotation}:{at}", pair.path or "", report) for at, line in lines(data))
        return {"annotations": tuple(a for a in found if a is not None)}

    def encode_file(self, sample: Sample, context: WriteContext) -> bytes:
        return "".join(_line(a, context) for a in sample.annotations or ()).encode()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _split(tokens: list[str]) -> tuple[str, list[str]]:
    """The class of a line, which may hold blanks, and all numbers behind it. The first token is never a number."""
    end = len(tokens)
    while end > 1 and _is_number(tokens[end - 1]):
        end -= 1
    return " ".join(tokens[:end]), tokens[end:]


def _as_written(text: str) -> int | float:
    """A number as int where it is written as one."""
    return int(text) if text.lstrip("-").isdigit() and text.isascii() and len(text) < 16 else float(text)


def _annotation(line: str, place: str, key: str, report: Report) -> Annotation | None:
    name, tokens = _split(line.split())
    numbers = list(map(float, tokens))
    if len(numbers) < FIELDS or not all(abs(n) < 1e300 and isfinite(n) for n in numbers):
        report.problem(
            "kitti.line", "not a class with 14 or 15 finite numbers behind it", place, severity="error", key=key, raw=line,
            action="skipped",
        )  # fmt: skip
        return None
    if len(numbers) > FIELDS + 1:
        report.problem(
            "kitti.columns", "there are more than 16 fields", place, key=key, raw=line, action="the first 16 are read"
        )
    if numbers[5] < numbers[3] or numbers[6] < numbers[4]:
        report.problem(
            "kitti.inverted", "the right or lower edge comes first", place, severity="info", key=key, raw=line
        )
    attributes: dict[str, Any] = {
        what: value
        for what, value in zip(("truncated", "occluded"), map(_as_written, tokens), strict=False)
        if value != -1
    }
    if name.casefold() == REGION.casefold():
        if name != REGION:
            report.problem(
                "kitti.region", f"the class is {name!r}", place, severity="info", key=key, action=f"read as {REGION}"
            )
        name, attributes["ignore"] = REGION, True
    space = numbers[7:FIELDS]
    solid = all(n > 0 for n in space[:3]) and space[3:6] != [-1000, -1000, -1000]
    given: dict[str, Any] = {
        "alpha": numbers[2],
        "dimensions": tuple(space[:3]),
        "location": tuple(space[3:6]),
        "rotation_y": space[6],
    }
    return Annotation(
        label=name,
        box=(float(numbers[3]), float(numbers[4]), float(numbers[5]), float(numbers[6])),
        score=float(numbers[FIELDS]) if len(numbers) > FIELDS else None,
        attributes=attributes,
        extra={"kitti": given} if solid else {"kitti": {"alpha": numbers[2]}} if numbers[2] not in NO_ALPHA else {},
    )


def _line(annotation: Annotation, context: WriteContext) -> str:
    solid = {**UNKNOWN_3D, **annotation.extra.get("kitti", {})}
    said = annotation.attributes
    numbers = [
        *(repr(said.get(what, -1)) for what in ("truncated", "occluded")),
        *map(
            spell,
            (solid["alpha"], *(annotation.box or ()), *solid["dimensions"], *solid["location"], solid["rotation_y"]),
        ),
        *([] if annotation.score is None else [repr(annotation.score)]),
    ]
    return f"{context.name(annotation.label)} {' '.join(numbers)}\n"
