"""Import CSV of AutoML Vision and of Vertex AI: the same rows without header, but for the spelling of ``ML_USE``.

Detection: use, image, label, and eight cells for two opposite vertices or all four, as fractions. Classification: use,
image, any number of labels.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, ClassVar, Literal

from labelglot.plugin import (
    AddressOptions,
    AddressReadOptions,
    Annotation,
    Convention,
    Group,
    Holds,
    LabelglotError,
    LabelHolds,
    Match,
    Polygon,
    Problem,
    ReadContext,
    Report,
    Row,
    Sample,
    Source,
    Table,
    Tag,
    TagHolds,
    WriteContext,
)
from labelglot.wire import text
from pydantic import Field

from labelglot_google_cloud.splits import SPLITS, is_use, use_of

CELLS = 8
FRACTIONS = Convention(unit="relative", ordered=True)
DOCUMENT = "annotations.csv"
LEAST = 0.01
"""The smallest side of a box the services take, as fraction of the image's."""
_IMAGE = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".ico", ".webp", ".tif", ".tiff")


class GoogleCsv(Table):
    """Rows for Google's image services. Subclasses say how a use is spelled."""

    uses: ClassVar[Mapping[str | None, str]]
    has_header = False
    holds = Holds(
        geometry=(frozenset({"box"}),),
        boxes=FRACTIONS,
        labels=LabelHolds(unused=False, order="appearance", names=text.LINE),
        size=False,
        uri="location",
        splits=SPLITS,
    )

    class ReadOptions(AddressReadOptions):
        """How images are named."""

    class WriteOptions(AddressOptions):
        """What the rows are for."""

        task: Literal["detection", "classification"] = Field(
            default="detection", title="Task", description="detection: boxes; classification: labels of images"
        )
        vertices: Literal["two", "four"] = Field(
            default="two", title="Vertices", description="two: opposite corners of a box; four: all, clockwise"
        )

    def holds_with(self, options: Any) -> Holds:
        holds: Holds = options.narrowed(self.holds)
        return holds if options.task == "detection" else holds.replace(geometry=(), tags=TagHolds())

    def confidence(self, uses: Sequence[str]) -> float:
        """How sure this format is of rows with these uses, as spelled."""
        raise NotImplementedError

    def detect(self, source: Source) -> Match | None:
        for name in source.match("*.csv")[:20]:
            rows = _first_rows(source, name)
            if rows:
                return Match(self.confidence([row[0].strip() for row in rows if is_use(row[0])]), f"{name}: {','.join(rows[0])}"[:100])
        return None

    def tables(self, context: ReadContext) -> Sequence[str]:
        if context.source.focus is not None:
            return [context.source.focus]
        names = context.source.match("*.csv")
        return [name for name in names if _first_rows(context.source, name)] or names

    def table_path(self, split: str | None, context: WriteContext) -> str:
        return context.document(DOCUMENT)

    def is_header(self, cells: Sequence[str]) -> bool:
        return not (is_use(cells[0]) if cells else True) and not _is_row(cells) and not any(map(_is_number, cells))

    def columns_of(self, cells: Sequence[str]) -> Mapping[str, int]:
        return {}

    def image_of(self, cells: Sequence[str], columns: Mapping[str, int]) -> str | None:
        return _taken_apart(cells)[1] or None

    def decode(self, group: Group, columns: Mapping[str, int], context: ReadContext, report: Report) -> Sample | None:
        where = context.place(group.image, group.table.rpartition("/")[0])
        key, uses = where.path, dict.fromkeys(use_of(_taken_apart(row.cells)[0]) for row in group.rows)
        if len(uses) > 1:
            listed = ", ".join(str(use) for use in uses)
            report.problem(
                f"{self.id}.split", f"the rows of the image have several uses: {listed}",
                f"{group.table}:{group.rows[0].number}", key=key, action="the first is used",
            )  # fmt: skip
        annotations: list[Annotation] = []
        tags: list[Tag] = []
        for row in group.rows:
            rest = _taken_apart(row.cells)[2]
            if _is_boxed(rest):
                annotation = self._box(rest, row, f"{group.table}:{row.number}", key, report)
                annotations += [annotation] if annotation is not None else []
            else:
                tags += [Tag(label=label) for label in rest if label]
        use = next(iter(uses))
        return Sample(
            path=key, uri=where.uri, image=where.image, units="relative", splits=(use,) if use else (),
            tags=tuple(tags), annotations=tuple(annotations),
        )  # fmt: skip

    def _box(self, rest: Sequence[str], row: Row, place: str, key: str, report: Report) -> Annotation | None:
        cells = [*rest[1:], *[""] * CELLS][:CELLS]
        try:
            numbers = [float(cell) for cell in cells if cell]
            if len(numbers) not in (4, CELLS) or any(bool(x) != bool(y) for x, y in zip(cells[::2], cells[1::2], strict=True)):
                raise ValueError("two or four vertices were expected")
            if not all(map(isfinite, numbers)):
                raise ValueError("a coordinate is not finite")
        except ValueError as error:
            report.problem(
                f"{self.id}.box", str(error), place, severity="error", key=key, raw=",".join(row.cells),
                action="skipped",
            )  # fmt: skip
            return None
        xs, ys = numbers[::2], numbers[1::2]
        box = (min(xs), min(ys), max(xs), max(ys))
        shape = None
        if any(x not in box[::2] or y not in box[1::2] for x, y in zip(xs, ys, strict=True)):
            shape = Polygon.of(tuple(numbers))
            report.problem(f"{self.id}.turned", "four vertices that are no upright box", place, key=key, action="kept as a polygon, too")
        if not rest[0]:
            report.problem(f"{self.id}.label", "a box without label", place, key=key)
        return Annotation(label=rest[0] or None, box=box, shape=shape)

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[Any]:
        for position, a in enumerate(sample.annotations or ()):
            x0, y0, x1, y1 = _corners(a, sample)
            inside = min(x0, y0) >= 0 and max(x1, y1) <= 1
            if x1 - x0 < LEAST or y1 - y0 < LEAST or not inside:
                message = "the service takes no boxes that leave the image or have a side under 1 %"
                yield Problem(f"{self.id}.refused", message, key=sample.key, object=position, action="written as it is")
        yield from super().encode(sample, context, ordinal)

    def rows(self, sample: Sample, context: WriteContext) -> Iterator[Sequence[object]]:
        start = (self.uses[sample.split], context.options.address(sample))
        if context.options.task == "classification":
            yield (*start, *(context.name(tag.label) for tag in sample.tags))
            return
        if not sample.annotations:
            yield (*start, "", *[""] * CELLS)
        for a in sample.annotations or ():
            x0, y0, x1, y1 = map(text.spell, _corners(a, sample))
            between = ("", "") if context.options.vertices == "two" else (x1, y0)
            last = ("", "") if context.options.vertices == "two" else (x0, y1)
            yield (*start, context.name(a.label), x0, y0, *between, x1, y1, *last)


class AutoMlVisionCsv(GoogleCsv):
    """Cloud AutoML Vision, the predecessor of Vertex AI."""

    id = "automl-vision-csv"
    name = "Google Cloud AutoML Vision CSV"
    aliases = ("automl-csv", "google-automl-csv")
    url = "https://cloud.google.com/vision/automl/object-detection/docs/csv-format"
    uses = {"train": "TRAIN", "val": "VALIDATION", "test": "TEST", None: "UNASSIGNED"}

    def confidence(self, uses: Sequence[str]) -> float:
        return 0.95 if uses and all(use.isupper() for use in uses) else 0.8


class VertexAiCsv(GoogleCsv):
    """Vertex AI image datasets."""

    id = "vertex-ai-csv"
    name = "Google Vertex AI CSV"
    aliases = ("vertex-csv",)
    url = "https://cloud.google.com/vertex-ai/docs/image-data/object-detection/prepare-data"
    uses = {"train": "training", "val": "validation", "test": "test", None: ""}

    def confidence(self, uses: Sequence[str]) -> float:
        return 0.8 if uses and all(use.isupper() for use in uses) else 0.95 if any(uses) else 0.85


def _taken_apart(cells: Sequence[str]) -> tuple[str, str, list[str]]:
    """Use, image, and the rest of a row; the column of the use may be missing."""
    first = 1 if len(cells) > 1 and is_use(cells[0]) else 0
    image = cells[first] if len(cells) > first else ""
    image = image.strip() if "://" in image else image
    return cells[0] if first else "", image, [cell.strip() for cell in cells[first + 1 :]]


def _is_boxed(rest: Sequence[str]) -> bool:
    """Whether what follows the image is a label and vertices, not a list of labels."""
    vertices = [*rest[1:], *[""] * CELLS]
    if len(rest) < CELLS - 2 or any(vertices[CELLS:]):
        return False
    return any(vertices) and all(_is_number(cell) for cell in vertices[:CELLS] if cell)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_row(cells: Sequence[str]) -> bool:
    """Whether a row names an image, for telling a header (and other tables) from it."""
    image = _taken_apart(cells)[1]
    return "://" in image or image.lower().endswith(_IMAGE)


def _first_rows(source: Source, name: str) -> list[list[str]]:
    """The first rows of a table, none if they are not of this kind."""
    lines = source.head(name, 8192).decode("utf-8-sig", "replace").replace("\0", "").splitlines()
    try:
        rows = [row for row in csv.reader(lines[:8]) if any(row)]
    except csv.Error:
        return []
    if len(rows) > 1 and not is_use(rows[0][0]) and not _is_row(rows[0]):
        del rows[0]
    rows = rows[:-1] if len(rows) == 7 else rows
    return rows if rows and all(is_use(row[0]) or _is_row(row) for row in rows) and any(map(_is_google, rows)) else []


def _is_google(row: Sequence[str]) -> bool:
    """A row of the right shape: an address in a bucket, or a use in front, and labels or vertices behind."""
    use, image, rest = _taken_apart(row)
    if _is_boxed(rest):
        opposite = len(rest) > CELLS - 2 and not any((*rest[3:5], *rest[7:9]))
        return opposite or bool(use) or all(-0.5 <= float(cell) <= 1.5 for cell in rest[1 : CELLS + 1] if cell)
    if len(rest) >= CELLS and not any(rest):
        return True
    return image.startswith("gs://") or (bool(use) and _is_row(row))


def _corners(a: Annotation, sample: Sample) -> tuple[float, float, float, float]:
    box = FRACTIONS.write_box(a.box or (0.0, 0.0, 0.0, 0.0), sample.size if sample.units == "pixels" else None)
    if not all(map(isfinite, box)):
        raise LabelglotError("a coordinate is not finite")
    return box
