"""A conversion from end to end: resolve, detect, survey, plan, encode in chunks, assemble, commit."""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cache
from operator import attrgetter
from typing import Any, Literal, NamedTuple

from labelglot.engine.chunk import Receipt, Work, run_chunk
from labelglot.engine.events import Events
from labelglot.engine.executor import Aside, Cancel, Executor, Poisoned, local_executor, processors
from labelglot.engine.journal import LEAST, Journal, leftovers, signature, state_aside, sweep
from labelglot.engine.output import Job, gone
from labelglot.engine.pieces import PieceStore, take
from labelglot.engine.reading import NO_SPLITS, format_of, open_dataset, read, resolve_source
from labelglot.engine.survey import CHUNK, prepare
from labelglot.errors import LossRefused, SourceError, StrictError
from labelglot.formats.base import COMPARED, Format, Pieces, under
from labelglot.formats.registry import Registry, default_registry
from labelglot.options import parse_options
from labelglot.report import Fix, Report
from labelglot.schema import Dataset
from labelglot.storage import LocalTarget, Source, Target, open_target
from labelglot.storage.source import DAMAGED
from labelglot.storage.target import refused

ImageMode = Literal["copy", "link", "none"]
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
    read_format = format_of(opened, format, registry)
    report = report or Report()
    writer = registry.get(to) if isinstance(to, str) else to
    wanted = None
    if not fix and unfix is None:
        wanted = writer.holds_with(parse_options(writer.WriteOptions, options or {}, f"{writer.id} writer"))
    processes = (workers or processors()) if executor is None else 1
    takes_encoded = frozenset[str]() if verify or wanted is None else writer.takes_encoded
    with closing(state_aside(opened, processes)) as state:
        dataset = open_dataset(
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
            origin=Origin(opened, state, (read_format.id, dict(read_options or {}), str(image_dir), fix, unfix)),
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
    events = Events(registry, f"{source} -> {target}")
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
        if journal is not None:
            journal.sign()
        with _spool(journal) as spool:
            job = Job(
                writer, context, prepared.holds, prepared.plan, images,
                str(place.staging) if place.staging else None, spool, prepared.folders,
                None if journal is None else str(journal.folder), prepared.numbering,
            )  # fmt: skip
            spooled = PieceStore()
            done: Mapping[int, Receipt] = {}
            if journal is not None and origin is not None:
                chunks = {work.ordinal: len(work) for work in prepared.work}
                done = journal.receipts(origin.source, place.staging, chunks)
            if prepared.numbering is not None:
                for ordinal, receipt in done.items():
                    prepared.numbering.know(ordinal, receipt.report.counts.get("annotations", 0))
            waiting = [work for work in prepared.work if work.ordinal not in done]
            with closing(events.watch(executor, "samples").run(run_chunk, job, waiting, cancel)) as receipts:
                for receipt in heapq.merge(done.values(), receipts, key=attrgetter("ordinal")):
                    if prepared.numbering is not None and isinstance(receipt, Poisoned):
                        prepared.numbering.first(receipt.ordinal, [0])  # nobody else tells those behind it
                    take(receipt, place, spooled, report, writer)
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
    """Where a dataset comes from, in which state, and what was done to it on the way: by this a killed conversion is known
    again.
    """

    source: Source
    state: Aside[bytes]
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

            @cache
            def sign() -> str:
                return signature(origin.state.result(), *facts)

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
            verify(job, work, lambda: open_dataset(source, job.format, chosen, None, registry, Report()), report, failed)
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


__all__ = ["Conversion", "convert", "prepare", "read", "resolve_source", "write"]
