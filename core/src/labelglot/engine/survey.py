"""Everything that is decided before the first sample is encoded: classes, names, numbers, chunks of work."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from labelglot.engine.chunk import Work
from labelglot.engine.executor import Cancel, Executor, shares_memory
from labelglot.engine.numbering import Numbering
from labelglot.engine.scan import Surveyed, SurveyVisitor, count, counts, listed, scan
from labelglot.formats.base import Format, WriteContext
from labelglot.holds import Holds, value_kind
from labelglot.projection.facts import reduce_attributes
from labelglot.projection.labels import LabelPlan, project_labels
from labelglot.projection.losses import LossSink
from labelglot.projection.naming import Entries, plan_names
from labelglot.projection.project import Plan, project_info
from labelglot.report import Report
from labelglot.schema import Attribute, Dataset, Label, Partition, Records, with_seen
from labelglot.schema.sample import key_of

CHUNK = 500
"""Samples per chunk: small enough to report progress, large enough that overhead does not show."""


class Prepared(NamedTuple):
    """Everything decided before the first sample is encoded. ``folders``, ``plain``: see ``Names``. ``numbering``: if the numbers
    of ``work`` are still to be found out.
    """

    context: WriteContext
    holds: Holds
    plan: Plan
    work: list[Work]
    labels: LabelPlan
    folders: bool
    plain: bool
    numbering: Numbering | None = None


def prepare(
    dataset: Dataset,
    writer: Format,
    options: Any,
    images: str,
    executor: Executor,
    cancel: Cancel,
    report: Report,
    single: str | None = None,
    chunk: int = CHUNK,
) -> Prepared:
    """Survey the dataset and decide labels, names, numbers and chunks for a writer."""
    holds = writer.holds_with(options)
    if single is not None:
        holds = writer.holds_alone(holds)
    chunks = max(1, -(-len(dataset) // chunk))
    survey = _survey(dataset, writer, holds, executor, cancel, chunks)
    labels = project_labels(survey.labels, holds, survey.used)
    info, info_losses = project_info(dataset.info, holds)
    for loss in (*labels.losses, *info_losses):
        report.lose(loss)

    def unsafe(key: str, path: str, inside: str) -> None:
        message = f"the image is called {path!r}"
        report.problem("path.unsafe", message, key=key, raw=path, action=f"written as {inside}")

    names = plan_names(survey.entries, holds, single is None, unsafe, labels.names)
    report.renamed.update(names.paths)
    if TABLES & set(writer.documents):
        paths = survey.entries.paths
        if names.paths:
            paths = list(map(names.paths.get, map(key_of, paths, survey.entries.splits), paths))
        _formulas([*(label.name for label in labels.labels), *paths], report)
    plan = Plan(
        labels.keys, names.paths, images != "none" or writer.embeds_images, survey.id_base, names.sample_id_base,
        names.renumber, writer.geometry_bound_extra, labels.points,
    )  # fmt: skip
    attributes = {
        labels.keys.get(label, label): {name: tuple(sorted(kinds)) for name, kinds in found.items()}
        for label, found in survey.attributes.items()
    }
    keypoints = {labels.keys.get(label, label): number for label, number in survey.keypoints.items()}
    context = WriteContext(
        labels.labels, info, options, (None,) if names.folders else names.splits, images != "none", len(dataset),
        single, attributes, keypoints, {name: tuple(sorted(kinds)) for name, kinds in survey.sample_attributes.items()},
    )  # fmt: skip
    work = _numbered(dataset.partitions(chunks), survey.numbers or ())
    numbering = Numbering(list(map(len, work))) if survey.numbers is None else None
    return Prepared(context, names.holds, plan, work, labels, names.folders, names.plain, numbering)


def _numbered(parts: Iterable[Partition], numbers: Sequence[tuple[int, int]]) -> list[Work]:
    """The pieces, each with the number of objects before it."""
    work = []
    before, total = 0, sum(count for _, count in numbers)
    waiting = deque(numbers)
    for part in parts:
        while waiting and waiting[0][0] < part.ordinal:
            before += waiting.popleft()[1]
        work.append(Work(part, before, total))
    return work


TABLES = frozenset({".csv", ".tsv"})
"""Documents that people open in a spreadsheet program."""


FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a formula begins with."""


def _formulas(texts: Iterable[str], report: Report) -> None:
    """Say which names a spreadsheet program would run. They are written as they are: changing them would lose them."""
    for text in texts:
        if text.startswith(FORMULA):
            report.problem("csv.formula", f"a spreadsheet program takes {text!r} for a formula", raw=text, severity="info")


class _Survey(NamedTuple):
    """``numbers``: of pieces of the dataset the ordinal of the first sample and how many objects there are; ``None`` if that is
    found out as they are read.
    """

    entries: Entries
    labels: Sequence[Label]
    numbers: Sequence[tuple[int, int]] | None
    used: Sequence[str] | None
    attributes: Mapping[str, Mapping[str, set[str]]]
    keypoints: Mapping[str, int]
    id_base: int
    sample_attributes: Mapping[str, set[str]]


def _survey(dataset: Dataset, writer: Format, holds: Holds, executor: Executor, cancel: Cancel, chunks: int) -> _Survey:
    """From the cheap index if it tells enough, else by reading everything once."""
    rules = holds.labels
    full = writer.survey == "full" or (rules.table and (not rules.unused or rules.order == "appearance"))
    full = full or holds.naming.class_folder != "none"
    overview = dataset.samples.overview if full and isinstance(dataset.samples, Records) else None
    if overview is not None and not _keeps_boxes(dataset, holds):
        overview = None
    known = None if full and overview is None else listed(dataset, executor, chunks, cancel)
    if known is not None and not dataset.labels_complete and known.seen is None:
        known = None
    numbers = known.numbers if known is not None else None
    late = False
    if known is not None and numbers is None and holds.ids_required:
        late = shares_memory(executor) and counts(dataset, chunks)
        numbers = None if late else count(dataset, executor, chunks, cancel)
        known = known if late or numbers is not None else None
    if known is not None:
        labels = dataset.labels
        if not dataset.labels_complete:
            labels = with_seen(labels, known.seen or ())
        if overview is not None and known.numbers is not None:
            attributes = {label: _kinds(found, holds) for label, found in overview.attributes.items()}
            return _Survey(known.entries, labels, numbers or (), overview.labels, attributes, {}, known.highest, {})
        if not full:
            return _Survey(known.entries, labels, None if late else numbers or (), None, {}, {}, known.highest, {})
    found: Surveyed = scan(dataset, [SurveyVisitor(holds, full)], Report(), executor, chunks, cancel)[0]
    labels = dataset.labels if dataset.labels_complete else with_seen(dataset.labels, found.seen)
    return _Survey(
        found.entries, labels, found.numbers, list(found.used) if full else None, found.attributes, found.keypoints, found.id_base[0],
        found.sample_attributes,
    )  # fmt: skip


def _keeps_boxes(dataset: Dataset, holds: Holds) -> bool:
    """Whether every object that has a class and a box stays, whatever else there is about it."""
    return (
        any("box" in slot for slot in holds.geometry)
        and holds.required <= {"box"}
        and holds.boxes.unit == "pixels"
        and not (holds.inside or holds.images or holds.size_required or holds.implied)
        and holds.overlap
        and holds.labels.table
        and holds.labels.only is None
        and holds.boxes.lowest is holds.boxes.highest is None
        and holds.naming.class_folder == "none"
    )


def _kinds(attributes: Mapping[str, Attribute], holds: Holds) -> dict[str, set[str]]:
    """The attributes that stay, with the kinds of their values."""
    kept = reduce_attributes(attributes, holds.attributes, holds.flags, holds.defaults, None, LossSink())
    return {name: {value_kind(value)} for name, value in (attributes if kept is None else kept).items()}
