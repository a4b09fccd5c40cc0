"""Global Wheat: ``train.csv`` of the 2020 competition (a row per box), the tables of 2021 (a row per image)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from labelglot.errors import LabelglotError
from labelglot.images import is_image
from labelglot.plugin import (
    PIXELS_XYWH,
    TEXT,
    Annotation,
    Box,
    Dataset,
    Group,
    Holds,
    LabelHolds,
    Match,
    Naming,
    Options,
    ReadContext,
    Report,
    Row,
    Sample,
    Source,
    Table,
    WriteContext,
    first_rows,
    split_of_path,
    under,
)
from labelglot.wire import json
from labelglot.wire.text import LINE
from pydantic import Field

from labelglot_csv_trainers.boxes import SPLITS, WHOLE, check, corners, whole
from labelglot_csv_trainers.images import Unlisted, with_unlisted

WHEAT = "wheat_head"
OF_2020 = ("image_id", "width", "height", "bbox", "source")
OF_2021 = ("image_name", "BoxesString", "domain")
SUBMISSIONS = (("image_id", "PredictionString"), ("image_name", "PredString", "domain"))
NO_BOX = "no_box"


class KaggleWheat(Table):
    """Boxes of one class, and the place where an image was taken."""

    id = "kaggle-wheat"
    name = "Global Wheat Head CSV (2020, 2021)"
    url = "https://www.global-wheat.com"
    header = OF_2021
    holds = Holds(
        geometry=(frozenset({"box"}),), boxes=WHOLE, labels=LabelHolds(only=WHEAT), size=False, splits=SPLITS,
        sample_flags={"domain": TEXT}, naming=Naming(pattern=LINE),
    )  # fmt: skip

    class ReadOptions(Unlisted):
        """What the columns mean, and which images there are."""

        source_is_label: bool = Field(
            False, title="Source is the label", description="read the column `source` of a re-used 2020 table as the class"
        )

    class WriteOptions(Options):
        """Which of the tables to write."""

        release: Literal["2021", "2020"] = Field(
            "2021", title="Release", description="2021: a row per image; 2020: a row per box, with the image size"
        )

    def holds_with(self, options: Any) -> Holds:
        if options.release == "2021":
            return self.holds
        naming = Naming(folders=False, unique="stem", suffix=False, pattern=LINE)
        return self.holds.replace(
            boxes=PIXELS_XYWH, size=True, empty=False, sample_flags={"source": TEXT}, naming=naming
        )

    def detect(self, source: Source) -> Match | None:
        for name in source.match("*.csv")[:20]:
            header = _header(source, name)
            if header in (OF_2020, OF_2021):
                return Match(0.95, f"{name} has the header of a Global Wheat table")
            if header in SUBMISSIONS:
                return Match(0.6, f"{name} has the header of a Global Wheat submission")
        return None

    def tables(self, context: ReadContext) -> Sequence[str]:
        names = context.source.match("*.csv")
        found = [name for name in names if _header(context.source, name) in (OF_2020, OF_2021)]
        return found or names

    def split_of(self, table: str) -> str | None:
        return split_of_path(table, starts=("competition_",))

    def folders(self, table: str) -> Sequence[str]:
        return ("images", *filter(None, [self.split_of(table)]), "train", "test")

    def image_of(self, cells: Sequence[str], columns: Mapping[str, int]) -> str | None:
        return cells[0] if cells[0].strip() else None

    def finish(self, dataset: Dataset, columns: Mapping[str, Mapping[str, int]], context: ReadContext) -> Dataset:
        dataset = with_unlisted(dataset, columns, self, context)
        if context.options.source_is_label:
            return dataset
        return dataset.replace(labels=(WHEAT,), labels_complete=True)

    def decode(self, group: Group, columns: Mapping[str, int], context: ReadContext, report: Report) -> Sample | None:
        split = self.split_of(group.table)
        where = context.place(group.image, group.table.rpartition("/")[0], self.folders(group.table))
        path = where.path
        if where.image is not None and not is_image(path):
            path += where.image.path[where.image.path.rfind(".") :]
        attributes: dict[str, str] = {}
        sizes: dict[tuple[int, int] | None, None] = {}
        annotations: list[Annotation] = []
        for row in group.rows:
            place = f"{group.table}:{row.number}"
            cells = {name: row.cells[i].strip() for name, i in columns.items() if i < len(row.cells)}
            sizes.setdefault(_size(cells))
            label = WHEAT
            if context.options.source_is_label:
                label = cells.get("source") or WHEAT
            else:
                attributes.update({k: cells[k] for k in ("source", "domain") if cells.get(k)})
            annotations += self._objects(cells, label, row, place, path, report)
        if len(sizes) > 1:
            report.problem(f"{self.id}.size", "the rows of one image give it different sizes", group.table, key=path)
        return Sample(
            path=path, uri=where.uri, image=where.image, size=next(filter(None, sizes), None),
            splits=(split,) if split else (), annotations=tuple(annotations), attributes=dict(attributes),
        )  # fmt: skip

    def _objects(
        self, cells: Mapping[str, str], label: str, row: Row, place: str, key: str, report: Report
    ) -> Iterator[Annotation]:
        for box, score in _boxes(cells, place):
            if box is None:
                report.problem(
                    f"{self.id}.box", "the box is no four numbers", place, severity="error", key=key,
                    raw=",".join(row.cells), action="skipped",
                )  # fmt: skip
                continue
            check(box, place, key, report, self.id)
            yield Annotation(label=label, box=box, score=score)

    def table_path(self, split: str | None, context: WriteContext) -> str:
        if context.options.release == "2020":
            return context.document(f"{split or 'wheat'}.csv", per_split=True)
        return context.document(f"competition_{split}.csv" if split else "competition.csv", per_split=True)

    def header_for(self, context: WriteContext) -> Sequence[str]:
        return OF_2021 if context.options.release == "2021" else OF_2020

    def rows(self, sample: Sample, context: WriteContext) -> Iterable[Sequence[object]]:
        if context.options.release == "2021":
            boxes = ";".join(" ".join(map(str, whole(a.box))) for a in sample.annotations or ())
            yield (sample.path, boxes or NO_BOX, sample.attributes.get("domain", ""))
            return
        name = sample.path[: sample.path.rfind(".")] if is_image(sample.path) else sample.path
        for a in sample.annotations or ():
            spelled = PIXELS_XYWH.write_box(a.box, None) if a.box else ()
            box = f"[{', '.join(repr(float(v)) for v in spelled)}]"
            yield (name, *(sample.size or ("", "")), box, sample.attributes.get("source", ""))

    def image_path(self, sample: Sample, context: WriteContext) -> str | None:
        return under("images" if context.options.release == "2021" else sample.split or "train", sample.path)


def _header(source: Source, name: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in next(iter(first_rows(source.head(name))), ()))


def _size(cells: Mapping[str, str]) -> tuple[int, int] | None:
    try:
        width, height = int(float(cells["width"])), int(float(cells["height"]))
    except (KeyError, ValueError, OverflowError):
        return None
    return (width, height) if width > 0 and height > 0 else None


def _boxes(cells: Mapping[str, str], place: str) -> Iterator[tuple[Box | None, float | None]]:
    """The boxes a row lists, with their scores; ``None`` for one that cannot be read."""
    if "bbox" in cells:
        if cells["bbox"]:
            yield _listed(cells["bbox"], place), None
    elif "BoxesString" in cells:
        text = cells["BoxesString"]
        yield from ((corners(part.split()), None) for part in text.split(";") if part.strip() and text != NO_BOX)
    else:
        scored = "PredictionString" not in cells
        numbers = cells.get("PredictionString" if not scored else "PredString", "").replace(";", " ").split()
        for i in range(0, len(numbers) if numbers != [NO_BOX] else 0, 5):
            yield _predicted(numbers[i : i + 5], corners_first=scored)


def _listed(text: str, place: str) -> Box | None:
    """``[x, y, w, h]``."""
    try:
        values: object = json.load(text.encode(), place)
    except LabelglotError:
        return None
    if not isinstance(values, list):
        return None
    box = corners([str(value) for value in values])
    return None if box is None else PIXELS_XYWH.read_box(box, None)


def _predicted(numbers: Sequence[str], corners_first: bool) -> tuple[Box | None, float | None]:
    """``x1 y1 x2 y2 score`` (2021) or ``score x y w h`` (2020)."""
    if len(numbers) != 5:
        return None, None
    score = corners([numbers[4 if corners_first else 0], "0", "0", "0"])
    box = corners(numbers[:4] if corners_first else numbers[1:])
    if box is None or score is None:
        return None, None
    return (box if corners_first else PIXELS_XYWH.read_box(box, None)), score[0]


__all__ = ["KaggleWheat"]
