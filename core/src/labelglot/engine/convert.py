"""A conversion from end to end: resolve, detect, survey, plan, encode in chunks, assemble, commit."""

from __future__ import annotations

import itertools
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from labelglot.engine.chunk import Job, Receipt, Work, run_chunk
from labelglot.engine.executor import Cancel, Executor, Poisoned, local_executor
from labelglot.engine.scan import Surveyed, SurveyVisitor, scan
from labelglot.errors import LossRefused, StrictError
from labelglot.formats.base import Format, Pieces, WriteContext
from labelglot.formats.registry import Registry, default_registry
from labelglot.holds import Holds
from labelglot.images import ImageIndex, SourceImage
from labelglot.options import parse_options
from labelglot.projection.labels import LabelPlan, project_labels
from labelglot.projection.naming import NamePlan
from labelglot.projection.project import Plan, project_info
from labelglot.report import Problem, Report
from labelglot.schema import Dataset, Sample, Step
from labelglot.schema.base import Id
from labelglot.storage import Source, Target, clean_foreign, open_source, open_target, safe_relative

ImageMode = Literal["copy", "link", "none"]
CHUNK = 500
"""Samples per chunk: small enough to report progress, large enough that overhead does not show."""


class Conversion(NamedTuple):
    """The outcome: formats, the report, and where the output is. ``report.skipped`` > 0 means records were skipped."""

    source: str
    target: str
    source_format: str
    target_format: str
    report: Report

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "source": self.source,
            "target": self.target,
            "from": self.source_format,
            "to": self.target_format,
            **self.report.to_dict(),
        }


class AttachImages:
    """Gives samples without image the one another folder has for their path."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._index: ImageIndex | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"source": self.source, "_index": None}

    def __call__(self, sample: Sample) -> Sample:
        if sample.image is not None:
            return sample
        if self._index is None:
            self._index = ImageIndex(self.source)
        found = self._index.find(sample.path)
        return sample if found is None else sample.replace(image=SourceImage(self.source, found))


def resolve_source(where: Any, registry: Registry) -> Source:
    """A source for whatever the user gave; plugins are asked before path handling."""
    if isinstance(where, str):
        found = registry.hook.resolve_source(where=where)
        if found is not None:
            return found  # type: ignore[no-any-return]
    return open_source(where)


def read(
    where: Any,
    *,
    format: str | Format | None = None,
    options: Mapping[str, Any] | None = None,
    image_dir: Any = None,
    registry: Registry | None = None,
    report: Report | None = None,
) -> Dataset:
    """Open a dataset in any format, lazily. Problems that are seen at once go to ``report``."""
    registry = registry or default_registry()
    source = resolve_source(where, registry)
    return _read(source, _format(source, format, registry), options, image_dir, registry, report or Report())


def _format(source: Source, format: str | Format | None, registry: Registry) -> Format:
    if isinstance(format, Format):
        return format
    if format is not None:
        return registry.get(format)
    from labelglot.detection import detect

    return detect(source, registry)


def _read(
    source: Source,
    format: Format,
    options: Mapping[str, Any] | None,
    image_dir: Any,
    registry: Registry,
    report: Report,
) -> Dataset:
    from labelglot.formats.base import ReadContext

    chosen = parse_options(format.ReadOptions, options or {}, f"{format.id} reader")
    dataset = format.read(ReadContext(source, chosen, report))
    for name, reason in source.refused:
        report.problem(
            "path.unsafe", f"{name!r} is not read: {reason}", source.where, severity="error", action="skipped"
        )
    step = Step(name=f"read:{format.id}", options=chosen.model_dump(mode="json", exclude_defaults=True))
    dataset = dataset.replace(provenance=(*dataset.provenance, step))
    if image_dir is not None:
        dataset = dataset.map(AttachImages(resolve_source(image_dir, registry)))
    return dataset


def convert(
    source: Any,
    target: Any,
    *,
    to: str | Format,
    format: str | Format | None = None,
    options: Mapping[str, Any] | None = None,
    read_options: Mapping[str, Any] | None = None,
    images: ImageMode = "copy",
    image_dir: Any = None,
    strict: bool = False,
    lossless: bool = False,
    overwrite: bool = False,
    workers: int | None = None,
    registry: Registry | None = None,
    executor: Executor | None = None,
    cancel: Cancel | None = None,
) -> Conversion:
    """Convert ``source`` (anything :func:`read` takes) into ``target`` and return what happened.

    Prints nothing and changes no process-wide state, so several conversions can run at once. ``lossless`` raises
    :class:`LossRefused` and ``strict`` :class:`StrictError` before anything appears at the target.
    """
    registry = registry or default_registry()
    opened = resolve_source(source, registry)
    read_format = _format(opened, format, registry)
    report = Report()
    dataset = _read(opened, read_format, read_options, image_dir, registry, report)
    return write(
        dataset, target, format=to, options=options, images=images, strict=strict, lossless=lossless,
        overwrite=overwrite, workers=workers, registry=registry, executor=executor, cancel=cancel, report=report,
        source=opened.where, source_format=read_format.id,
    )  # fmt: skip


def write(
    dataset: Dataset,
    target: Any,
    *,
    format: str | Format,
    options: Mapping[str, Any] | None = None,
    images: ImageMode = "copy",
    strict: bool = False,
    lossless: bool = False,
    overwrite: bool = False,
    workers: int | None = None,
    registry: Registry | None = None,
    executor: Executor | None = None,
    cancel: Cancel | None = None,
    report: Report | None = None,
    source: str = "",
    source_format: str = "",
) -> Conversion:
    """Write a dataset in a format: reduced to what it holds, every reduction in the report."""
    registry = registry or default_registry()
    writer = registry.get(format) if isinstance(format, str) else format
    report = report or Report()
    cancel = cancel or Cancel()
    chosen = parse_options(writer.WriteOptions, options or {}, f"{writer.id} writer")
    events = _Events(registry, f"{source} -> {target}")
    if executor is None:
        executor, workers = local_executor(workers, len(dataset))
    total = len(dataset)
    events.started(source, str(target), source_format, writer.id, total)
    prepared = prepare(dataset, writer, chosen, images, executor, cancel, report)
    with _target(target, overwrite, writer, registry) as place:
        context = prepared.context
        context.single = place.single
        with tempfile.TemporaryDirectory(prefix="labelglot-") as spool:
            job = Job(
                writer, context, prepared.holds, prepared.plan, images,
                str(place.staging) if place.staging else None, spool,
            )  # fmt: skip
            spooled = _Spool()
            run = executor.run(run_chunk, job, prepared.work, cancel)
            for receipt, done in zip(run, itertools.accumulate(len(w) for w in prepared.work), strict=False):
                _take(receipt, place, spooled, report, writer)
                events.progress("samples", done, total)
            _decide(report, strict, lossless, source_format, writer.id)
            for file in writer.assemble(context, Pieces(spooled.streams())):
                place.write(file.path, file.data)
        report.counts.pop("", None)
    events.finished(report)
    return Conversion(source, str(target), source_format, writer.id, report)


def _target(target: Any, overwrite: bool, writer: Format, registry: Registry) -> Target:
    if isinstance(target, Target):
        return target
    if isinstance(target, str):
        found = registry.hook.resolve_target(where=target, overwrite=overwrite)
        if found is not None:
            return found  # type: ignore[no-any-return]
    return open_target(target, overwrite=overwrite, single_suffixes=writer.documents)


class Prepared(NamedTuple):
    """Everything decided before the first sample is encoded."""

    context: WriteContext
    holds: Holds
    plan: Plan
    work: list[Work]
    labels: LabelPlan


def prepare(
    dataset: Dataset, writer: Format, options: Any, images: str, executor: Executor, cancel: Cancel, report: Report
) -> Prepared:
    """Survey the dataset and decide labels, names, numbers and chunks for a writer."""
    holds = writer.holds_with(options)
    dataset = dataset.complete()
    chunks = max(1, -(-len(dataset) // CHUNK))
    survey = _survey(dataset, writer, holds, executor, cancel, chunks)
    used = None if survey.used is None else tuple(survey.used)
    labels = project_labels(dataset.labels, holds, used)
    info, info_losses = project_info(dataset.info, holds)
    for loss in (*labels.losses, *info_losses):
        report.lose(loss)
    names = plan_names(survey.entries, holds, report)
    plan = Plan(
        labels.keys, names.paths, images != "none" or writer.embeds_images, survey.id_base, names.sample_id_base,
        names.renumber, writer.geometry_bound_extra,
    )  # fmt: skip
    attributes = {
        labels.keys.get(label, label): {name: tuple(sorted(kinds)) for name, kinds in found.items()}
        for label, found in survey.attributes.items()
    }
    context = WriteContext(labels.labels, info, options, names.splits, images != "none", len(dataset), None, attributes)
    work = []
    place = number = 0
    for part in dataset.partitions(chunks):
        work.append(Work(part, number))
        if survey.numbers:
            number += sum(survey.numbers[place : place + len(part)])
            place += len(part)
    return Prepared(context, holds, plan, work, labels)


class _Survey(NamedTuple):
    entries: Iterable[tuple[str, str, tuple[str, ...], Id | None]]
    numbers: Sequence[int]
    used: Sequence[str] | None
    attributes: Mapping[str, Mapping[str, set[str]]]
    id_base: int


def _survey(dataset: Dataset, writer: Format, holds: Holds, executor: Executor, cancel: Cancel, chunks: int) -> _Survey:
    """From the cheap index if it tells enough, else by reading everything once."""
    rules = holds.labels
    full = writer.survey == "full" or (rules.table and (not rules.unused or rules.order == "appearance"))
    index = dataset.samples.index()
    if index is not None and not full:
        entries = list(index)
        numbers = [entry.annotations or 0 for entry in entries]
        return _Survey([(e.key, e.path, e.splits, None) for e in entries], numbers, None, {}, 0)
    found: Surveyed = scan(dataset, [SurveyVisitor(holds)], Report(), executor, chunks, cancel)[0]
    rows = [(*entry, id_) for entry, id_ in zip(found.entries, found.sample_ids, strict=True)]
    return _Survey(rows, found.numbers, list(found.used), found.attributes, found.id_base[0])


class Names(NamedTuple):
    """Paths that change (by sample key), splits in use, and how sample ids are assigned."""

    paths: dict[str, str]
    splits: tuple[str | None, ...]
    sample_id_base: int
    renumber: bool


def plan_names(entries: Iterable[tuple[str, str, tuple[str, ...], Id | None]], holds: Holds, report: Report) -> Names:
    """Give every sample a path the target can keep apart and that stays inside it; note the renamed ones."""
    from labelglot.projection.project import target_splits

    names = NamePlan(holds.naming)
    paths: dict[str, str] = {}
    splits: dict[str | None, None] = {}
    seen: set[tuple[str | None, Id]] = set()
    highest, renumber = 0, False
    for ordinal, (key, path, listed, id_) in enumerate(entries):
        split = next(iter(target_splits(listed, holds)), None)
        splits.setdefault(split)
        inside = contained(path)
        if inside != path and inside is not None and path.startswith(("/", "..", "\\")) | (".." in path):
            report.problem(
                "path.unsafe",
                f"the image is called {path!r}",
                key=key,
                severity="warning",
                raw=path,
                action=f"written as {inside}",
            )
        given = names.assign(inside or f"image_{ordinal}", split, ordinal)
        if given != path:
            paths[key] = given
            report.renamed[key] = given
        if id_ is not None:
            renumber |= (split, id_) in seen
            seen.add((split, id_))
            if isinstance(id_, int):
                highest = max(highest, id_)
    return Names(paths, tuple(splits) or (None,), highest, renumber)


def contained(path: str) -> str | None:
    """A path that stays inside its root: itself if it does, else its longest safe suffix."""
    from labelglot.errors import UnsafePath

    try:
        return safe_relative(path)
    except UnsafePath:
        return next(iter(clean_foreign(path)), None)


class _Spool:
    """Pieces of documents in chunk order, in memory or in files."""

    def __init__(self) -> None:
        self.parts: dict[str, list[bytes | tuple[str, int, int]]] = {}
        self.separator = b""

    def add(self, receipt: Receipt, separator: bytes) -> None:
        self.separator = separator
        for slot, data in receipt.pieces:
            self.parts.setdefault(slot, []).append(data)
        offset = 0
        for slot, length in receipt.lengths:
            self.parts.setdefault(slot, []).append((str(receipt.spool), offset, length))
            offset += length

    def streams(self) -> dict[str, Iterable[bytes]]:
        return {slot: _Stream(parts, self.separator) for slot, parts in self.parts.items()}


class _Stream:
    def __init__(self, parts: Sequence[bytes | tuple[str, int, int]], separator: bytes) -> None:
        self.parts, self.separator = parts, separator

    def __iter__(self) -> Iterator[bytes]:
        first = True
        for part in self.parts:
            if not (part if isinstance(part, bytes) else part[2]):
                continue
            if not first and self.separator:
                yield self.separator
            first = False
            if isinstance(part, bytes):
                yield part
                continue
            name, offset, length = part
            with Path(name).open("rb") as stream:
                stream.seek(offset)
                while length:
                    block = stream.read(min(length, 1 << 20))
                    length -= len(block)
                    yield block


def _take(receipt: Any, place: Target, spooled: _Spool, report: Report, writer: Format) -> None:
    if isinstance(receipt, Poisoned):
        report.add_problem(
            Problem(
                "worker.died",
                f"sample {receipt.ordinal} (counted from 0): {receipt.message}",
                "error",
                action="skipped",
            )
        )
        return
    report.merge(receipt.report)
    for path, data in receipt.files:
        place.write(path, data)
    for copy in receipt.images:
        if place.has(copy.path):
            continue
        if isinstance(copy.image, SourceImage):
            place.copy_from(copy.path, copy.image.source, copy.image.path)
        else:
            with copy.image.open() as stream:
                place.write(copy.path, iter(lambda: stream.read(1 << 20), b""))
    spooled.add(receipt, writer.separator)


def _decide(report: Report, strict: bool, lossless: bool, source: str, target: str) -> None:
    if strict:
        for line in report.problems():
            if line.severity != "info":
                raise StrictError(
                    f"{line.sentence} [{line.code}]", hint="go on without --strict to keep the good records"
                )
    if lossless:
        lost = [line for line in report.losses() if line.severity != "info"] or list(report.losses())
        if lost:
            shown = "; ".join(f"{line.sentence} [{line.code}]" for line in lost[:5])
            raise LossRefused(f"{source} -> {target} loses: {shown}", hint="go on without --lossless")


class _Events:
    """Tells observers what happens, as plain values with a running number."""

    def __init__(self, registry: Registry, conversion: str) -> None:
        self.hook, self.conversion = registry.hook, f"{conversion}#{uuid.uuid4().hex[:8]}"
        self.sequence = 0

    def started(self, source: str, target: str, source_format: str, target_format: str, total: int) -> None:
        event = {"source": source, "target": target, "from": source_format, "to": target_format, "total": total}
        self.hook.conversion_started(conversion=self.conversion, event=event)

    def progress(self, phase: str, done: int, total: int) -> None:
        self.sequence += 1
        event = {"phase": phase, "done": done, "total": total, "sequence": self.sequence}
        self.hook.progress(conversion=self.conversion, event=event)

    def finished(self, report: Report) -> None:
        for count, problem in report.first_problems():
            self.hook.problem(conversion=self.conversion, problem=problem, count=count)
        for count, loss in report.first_losses():
            self.hook.loss(conversion=self.conversion, loss=loss, count=count)
        self.hook.conversion_finished(conversion=self.conversion, event={"status": "done", "report": report.to_dict()})


__all__ = ["AttachImages", "Conversion", "Prepared", "convert", "prepare", "read", "write"]
