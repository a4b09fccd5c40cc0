"""A conversion from end to end: resolve, detect, survey, plan, encode in chunks, assemble, commit."""

from __future__ import annotations

import heapq
import os
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal, NamedTuple

from labelglot.engine.chunk import Job, Receipt, Work, collision, gone, run_chunk
from labelglot.engine.executor import Cancel, Executor, Poisoned, Watched, local_executor
from labelglot.engine.journal import LEAST, Journal, leftovers, signature, sweep
from labelglot.engine.scan import Surveyed, SurveyVisitor, scan
from labelglot.errors import LossRefused, SourceError, StrictError
from labelglot.formats.base import COMPARED, Format, Pieces, WriteContext, under
from labelglot.formats.registry import Registry, default_registry
from labelglot.holds import Holds, value_kind
from labelglot.images import ImageIndex, SourceImage
from labelglot.options import parse_options
from labelglot.projection.facts import reduce_attributes
from labelglot.projection.labels import LabelPlan, project_labels
from labelglot.projection.losses import LossSink
from labelglot.projection.naming import Entry, plan_names
from labelglot.projection.project import Plan, project_info
from labelglot.report import Fix, Problem, Report
from labelglot.schema import Attribute, Dataset, Label, Records, Sample, Step, join_splits, split_role, with_seen
from labelglot.storage import LocalTarget, Source, Target, open_source, open_target
from labelglot.storage.source import DAMAGED
from labelglot.storage.target import refused

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
    memory: int | None = None,
) -> Dataset:
    """Open a dataset in any format, lazily. Problems that are seen at once go to ``report``.

    ``memory``: bytes that reading may take, ``None`` for what the machine has free. Readers that can read a large
    document piece by piece do so if it does not fit.
    """
    registry = registry or default_registry()
    source = resolve_source(where, registry)
    return _read(source, _format(source, format, registry), options, image_dir, registry, report or Report(), memory=memory)


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
    wanted: Holds | None = None,
    memory: int | None = None,
    processes: int = 1,
    takes_encoded: frozenset[str] = frozenset(),
) -> Dataset:
    from labelglot.formats.base import ReadContext

    chosen = parse_options(format.ReadOptions, options or {}, f"{format.id} reader")

    def read(part: Source) -> Dataset:
        return format.read(ReadContext(part, chosen, report, wanted, memory, processes, takes_encoded))

    folders = split_folders(source) if format.holds.splits == "none" else ()
    if folders:
        parts = [(split, read(source.below(split))) for split in folders]
        dataset = join_splits(parts)
        if format.holds.labels.order == "sorted":
            dataset = dataset.replace(labels=sorted(dataset.labels, key=lambda label: label.name))
    else:
        dataset = read(source)
    for name, reason in source.refused:
        report.problem(
            "path.unsafe", f"{name!r} is not read: {reason}", source.where, severity="error", action="skipped"
        )
    step = Step(name=f"read:{format.id}", options=chosen.model_dump(mode="json", exclude_defaults=True))
    dataset = dataset.replace(provenance=(*dataset.provenance, step))
    if image_dir is not None:
        dataset = dataset.map(AttachImages(resolve_source(image_dir, registry)))
    return dataset


NO_SPLITS = "no-splits"
"""Mark in a target whose folders only look like splits."""


def split_folders(source: Source) -> tuple[str, ...]:
    """The folders at the top of a source if they are splits: each one some kind of train, val or test, nothing beside
    them but a README. Formats without splits are written and read this way, one dataset per folder.
    """
    if source.focus is not None or source.marked(NO_SPLITS):
        return ()
    tops: dict[str, None] = {}
    for path in source.files():
        top, slash, _ = path.partition("/")
        if not slash and not top.upper().startswith(("README", "LICENSE")):
            return ()
        if slash:
            tops.setdefault(top)
    roles = {"train": 0, "val": 1, "test": 2}
    if not tops or any(split_role(top) is None for top in tops):
        return ()
    return tuple(sorted(tops, key=lambda top: (roles[split_role(top) or "test"], top)))


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
    report: Report | None = None,
    fix: bool = False,
    unfix: Sequence[Fix] | None = None,
    verify: bool | None = None,
    resume: bool = False,
    memory: int | None = None,
) -> Conversion:
    """Convert ``source`` (anything :func:`read` takes) into ``target`` and return what happened.

    Prints nothing and changes no process-wide state, so several conversions can run at once. ``lossless`` raises
    :class:`LossRefused` and ``strict`` :class:`StrictError` before anything appears at the target; what was found
    until then is in ``report``, if one is given. ``fix`` applies the safe fixes (see :mod:`labelglot.checking`), each of
    which is in ``report.fixes``; ``unfix`` takes those of an earlier conversion back. ``verify``: see :func:`write`.
    ``resume``: go on where the same conversion was killed, if it was (see :mod:`labelglot.engine.journal`). ``memory``:
    see :func:`read`.
    """
    registry = registry or default_registry()
    opened = resolve_source(source, registry)
    read_format = _format(opened, format, registry)
    report = report or Report()
    writer = registry.get(to) if isinstance(to, str) else to
    wanted = None
    if not fix and unfix is None:
        wanted = writer.holds_with(parse_options(writer.WriteOptions, options or {}, f"{writer.id} writer"))
    processes = (workers or os.cpu_count() or 1) if executor is None else 1
    takes_encoded = frozenset[str]() if verify or wanted is None else writer.takes_encoded
    dataset = _read(
        opened, read_format, read_options, image_dir, registry, report, wanted, memory, processes, takes_encoded
    )
    if verify is None and takes_encoded and len(dataset) > COMPARED:
        verify = False  # what stayed encoded cannot be compared
    if unfix is not None:
        from labelglot.checking.fixes import undo_fixes

        dataset = undo_fixes(dataset, unfix)
    if fix:
        from labelglot.checking.fixes import Fixer

        dataset = dataset.map(Fixer(read_format.geometry_bound_extra), reports=True)
    return write(
        dataset, target, format=writer, options=options, images=images, strict=strict, lossless=lossless,
        overwrite=overwrite, workers=workers, registry=registry, executor=executor, cancel=cancel, report=report,
        source=opened.where, source_format=read_format.id, verify=verify, resume=resume,
        origin=Origin(opened, (read_format.id, dict(read_options or {}), str(image_dir), fix, unfix)),
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
    chunk: int | None = None,
    report: Report | None = None,
    source: str = "",
    source_format: str = "",
    origin: Origin | None = None,
    resume: bool = False,
    verify: bool | None = False,
) -> Conversion:
    """Write a dataset in a format: reduced to what it holds, every reduction in the report.

    ``chunk``: samples per chunk of work; the output does not depend on it. ``verify``: read the output before it appears
    and compare images, classes and geometry with what was promised, :class:`VerifyError` if they differ; ``None``: if
    the dataset is small.
    """
    registry = registry or default_registry()
    writer = registry.get(format) if isinstance(format, str) else format
    report = report or Report()
    cancel = cancel or Cancel()
    chosen = parse_options(writer.WriteOptions, options or {}, f"{writer.id} writer")
    events = _Events(registry, f"{source} -> {target}")
    if executor is None:
        executor, workers = local_executor(workers, len(dataset))
    events.started(source, str(target), source_format, writer.id, len(dataset))
    place = _target(target, overwrite, writer, registry)
    with _journal(place, origin, resume, report, writer, chosen, images, len(dataset), chunk or CHUNK) as journal, place, _reading(source):
        prepared = prepare(
            dataset, writer, chosen, images, events.watch(executor, "survey"), cancel, report, place.single,
            chunk or CHUNK,
        )  # fmt: skip
        context = prepared.context
        with _spool(journal) as spool:
            job = Job(
                writer, context, prepared.holds, prepared.plan, images,
                str(place.staging) if place.staging else None, spool, prepared.folders,
                None if journal is None else str(journal.folder),
            )  # fmt: skip
            spooled = _Spool()
            done: Mapping[int, Receipt] = {}
            if journal is not None and origin is not None:
                chunks = {work.ordinal: len(work) for work in prepared.work}
                done = journal.receipts(origin.source, place.staging, chunks)
            waiting = [work for work in prepared.work if work.ordinal not in done]
            with closing(events.watch(executor, "samples").run(run_chunk, job, waiting, cancel)) as receipts:
                for receipt in heapq.merge(done.values(), receipts, key=attrgetter("ordinal")):
                    _take(receipt, place, spooled, report, writer)
            _decide(report, strict, lossless, source_format, writer.id)
            for folder, streams in spooled.folders(prepared.folders):
                for file in writer.assemble(context, Pieces(streams)):
                    place.write(under(folder, file.path), file.data)
            if prepared.plain and place.single is None:
                place.write(f".labelglot/{NO_SPLITS}", b"The folders here are parts of names of images, not splits.\n")
            if verify or (verify is None and _is_small(report)):
                _verify(place, job, prepared.work, chosen, report, registry)
    events.finished(report)
    return Conversion(source, str(target), source_format, writer.id, report)


class Origin(NamedTuple):
    """Where a dataset comes from, and what was done to it on the way: by this a killed conversion is known again."""

    source: Source
    facts: tuple[object, ...]


@contextmanager
def _journal(
    place: Target, origin: Origin | None, resume: bool, report: Report, writer: Format, options: Any, images: str,
    samples: int, chunk: int,
) -> Iterator[Journal | None]:  # fmt: skip
    """The journal of a conversion that is long enough to be worth one; with ``resume`` that of a killed one, if any."""
    if not isinstance(place, LocalTarget):
        if resume:
            report.problem("resume.none", "only conversions into local files can be resumed", severity="info")
        yield None
        return
    journal: Journal | None = None
    try:
        if origin is not None and samples >= LEAST * chunk:
            from labelglot import __version__

            facts = (__version__, writer.id, options.model_dump_json(), images, samples, chunk, *origin.facts)
            sign = signature(origin.source, *facts)
            for work in leftovers(place.path) if resume else ():
                journal = Journal(work, sign)
                if journal.take_over():
                    place.adopt(work)
                    break
            if journal is None or not journal.resumed:
                journal = Journal(place.work, sign)
                try:
                    place.work.parent.mkdir(parents=True, exist_ok=True)
                    usable = journal.begin()
                except OSError as error:
                    raise refused(error, place.where) from error
                if not usable:
                    journal.close()
                    journal = None
        if resume and (journal is None or not journal.resumed):
            report.problem(
                "resume.none", "there is no conversion to resume that did the same with the same source", severity="info",
                action="started from the beginning",
            )  # fmt: skip
        yield journal
    finally:
        if journal is not None:
            journal.close()
    sweep(place.path)


@contextmanager
def _spool(journal: Journal | None) -> Iterator[str]:
    """Where pieces of documents go that are too large for memory."""
    if journal is not None:
        yield str(journal.spool)
        return
    with tempfile.TemporaryDirectory(prefix="labelglot-") as folder:
        yield folder


@contextmanager
def _reading(source: str) -> Iterator[None]:
    """Whatever the system or an archive still refuses to give in the middle is told as what it is."""
    try:
        yield
    except OSError as error:
        raise gone(error, source) from error
    except DAMAGED as error:
        raise SourceError(f"cannot be read: {error}", source, "did the source change meanwhile?") from error


def _is_small(report: Report) -> bool:
    from labelglot.engine.verify import SMALL_OBJECTS, SMALL_SAMPLES

    written, objects = report.counts.get("samples.written", 0), report.counts.get("annotations.written", 0)
    return written <= SMALL_SAMPLES and objects <= SMALL_OBJECTS


def _verify(place: Target, job: Job, work: Sequence[Work], options: Any, report: Report, registry: Registry) -> None:
    from labelglot.engine.verify import options_to_read, verify

    failed = report.number(f"{job.format.id}.write")
    if not job.format.reads or report.number("worker.died"):
        return
    source = place.written()
    if source is None:
        return
    try:
        if source.files():
            chosen = options_to_read(job.format, options)
            verify(job, work, lambda: _read(source, job.format, chosen, None, registry, Report()), report, failed)
    finally:
        source.close()


def _target(target: Any, overwrite: bool, writer: Format, registry: Registry) -> Target:
    if isinstance(target, Target):
        return target
    if isinstance(target, str):
        found = registry.hook.resolve_target(where=target, overwrite=overwrite)
        if found is not None:
            return found  # type: ignore[no-any-return]
    return open_target(target, overwrite=overwrite, single_suffixes=writer.documents)


class Prepared(NamedTuple):
    """Everything decided before the first sample is encoded. ``folders``, ``plain``: see ``Names``."""

    context: WriteContext
    holds: Holds
    plan: Plan
    work: list[Work]
    labels: LabelPlan
    folders: bool
    plain: bool


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
        written = names.paths
        paths = [written.get(e.key, e.path) for e in survey.entries] if written else [e.path for e in survey.entries]
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
    work = []
    place = number = 0
    for part in dataset.partitions(chunks):
        work.append(Work(part, number))
        if survey.numbers:
            number += sum(survey.numbers[place : place + len(part)])
            place += len(part)
    return Prepared(context, names.holds, plan, work, labels, names.folders, names.plain)


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
    entries: Sequence[Entry]
    labels: Sequence[Label]
    numbers: Sequence[int]
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
    index = None if full and overview is None else dataset.samples.index()
    listed = None if index is None else list(index)
    if listed is not None and holds.ids_required and any(entry.annotations is None for entry in listed):
        listed = None
    if listed is not None and not dataset.labels_complete and any(entry.labels is None for entry in listed):
        listed = None
    if listed is not None:
        labels = dataset.labels
        if not dataset.labels_complete:
            labels = with_seen(labels, (key for entry in listed for key in entry.labels or ()))
        numbers = [entry.annotations or 0 for entry in listed]
        entries = [Entry(e.key, e.path, e.splits, e.id) for e in listed]
        highest = max((entry.highest_id for entry in listed), default=0)
        if overview is not None and all(entry.annotations is not None for entry in listed):
            attributes = {label: _kinds(found, holds) for label, found in overview.attributes.items()}
            return _Survey(entries, labels, numbers, overview.labels, attributes, {}, highest, {})
        if not full:
            return _Survey(entries, labels, numbers, None, {}, {}, highest, {})
    found: Surveyed = scan(dataset, [SurveyVisitor(holds)], Report(), executor, chunks, cancel)[0]
    labels = dataset.labels if dataset.labels_complete else with_seen(dataset.labels, found.seen)
    return _Survey(
        found.entries, labels, found.numbers, list(found.used), found.attributes, found.keypoints, found.id_base[0],
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


class _Spool:
    """Pieces of documents in chunk order, in memory or in files. ``seen``: folders of splits in order of appearance;
    ``images``: where the images written come from.
    """

    def __init__(self) -> None:
        self.parts: dict[tuple[str, str], list[bytes | tuple[str, int, int]]] = {}
        self.seen: dict[str, None] = {}
        self.images: dict[str, str] = {}
        self.separator = b""

    def add(self, receipt: Receipt, separator: bytes) -> None:
        self.separator = separator
        for folder in receipt.folders:
            self.seen.setdefault(folder)
        for slot, data in receipt.pieces:
            self.parts.setdefault(slot, []).append(data)
        offset = 0
        for slot, length in receipt.lengths:
            self.parts.setdefault(slot, []).append((str(receipt.spool), offset, length))
            offset += length

    def folders(self, split: bool) -> Iterator[tuple[str, dict[str, Iterable[bytes]]]]:
        """Each folder that is a dataset of its own, with the streams of its slots; one, the root, unless ``split``.

        The root, too, if no image could be written at all: classes may be left, and an empty dataset can be read.
        """
        for folder in (self.seen or ("",)) if split else ("",):
            yield folder, {
                slot: _Stream(parts, self.separator) for (place, slot), parts in self.parts.items() if place == folder
            }


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
        image = copy.image
        origin = f"{image.source.where}/{image.path}" if isinstance(image, SourceImage) else None
        if place.has(copy.path):
            if origin is not None and spooled.images.get(copy.path, origin) != origin:
                collision(copy, report)
            continue
        if origin is not None:
            spooled.images[copy.path] = origin
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

    def watch(self, executor: Executor, phase: str) -> Watched:
        """The executor, telling observers how far it is."""
        return Watched(executor, lambda done, total: self.progress(phase, done, total))

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
