"""Checks a source in any format: what its reader says and what the checks find, by code of the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from labelglot.checking.catalogue import Entry, entry_of, fits
from labelglot.checking.visitor import CheckVisitor
from labelglot.engine.executor import Cancel, Watched, local_executor
from labelglot.engine.reading import read, resolve_source
from labelglot.engine.scan import scan
from labelglot.engine.survey import CHUNK
from labelglot.formats.base import Format
from labelglot.formats.registry import Registry, default_registry
from labelglot.images import ImageIndex
from labelglot.report import EXAMPLES, Line, Problem, Report, Severity
from labelglot.schema import Label
from labelglot.schema.base import Frozen


class Finding(Frozen):
    """All problems of one kind. ``reported_as``: the code of the format's reader, where it is the reader that saw them.

    ``fix``: what ``convert --fix`` does about it, empty if nothing. ``examples``: the first ones, as plain values.
    """

    code: str
    severity: Severity
    title: str
    count: int
    reported_as: str | None = None
    fix: str = ""
    examples: tuple[dict[str, Any], ...] = ()


class Checked(Frozen):
    """What was found in a source. ``counts``: findings by severity, ``skipped``: records the reader left out."""

    source: str
    format: str
    images: int
    objects: int
    skipped: int
    counts: dict[str, int]
    findings: tuple[Finding, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether there is nothing worse than a remark."""
        return not (self.counts["error"] or self.counts["warning"])


def check(
    where: Any,
    *,
    format: str | Format | None = None,
    options: Mapping[str, Any] | None = None,
    image_dir: Any = None,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    decode: bool = False,
    examples: int = EXAMPLES,
    workers: int | None = None,
    registry: Registry | None = None,
    cancel: Cancel | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Checked:
    """Find what is wrong with a source.

    ``select``/``ignore``: codes of the catalogue or of readers, or their beginnings (``box``, ``size.wrong``,
    ``coco.category``); without ``select`` all. ``decode``: decode every image instead of reading headers.
    ``examples``: how many of each kind are kept. ``progress(done, total)`` is called while samples are read.
    """
    registry = registry or default_registry()
    source = resolve_source(where, registry)
    chosen = _format(source, format, registry)
    report = Report(examples)
    dataset = read(source, format=chosen, options=options, image_dir=image_dir, registry=registry, report=report)
    executor, _ = local_executor(workers, len(dataset))
    watched = Watched(executor, progress or _ignore)
    labels = dataset.labels if dataset.labels_complete and dataset.labels else None
    found = Report(examples)
    # Readers and checks report into one stream; the checks' codes are the catalogue's own.
    visitors = [CheckVisitor(labels, decode), *(v for brought in registry.hook.labelglot_checks() for v in brought)]
    state, whole = scan(dataset, visitors, report, watched, max(1, -(-len(dataset) // CHUNK)), cancel)[0]
    for problem in (*_twins(dataset.labels), *whole):
        found.add_problem(problem)
    places = [source] if image_dir is None else [source, resolve_source(image_dir, registry)]
    for path in dict.fromkeys(f"{place.where}/{path}" for place in places for path in ImageIndex(place).paths):
        if path not in state.used and state.used:
            found.problem("image.unused", "no label refers to it", path, severity="info")
    report.merge(found)
    findings = tuple(_findings(report.problems(), select, ignore))
    counts: dict[str, int] = {severity: sum(f.count for f in findings if f.severity == severity) for severity in _WORST}
    return Checked(
        source=source.where, format=chosen.id, images=state.numbers.get("samples", 0),
        objects=state.numbers.get("objects", 0), skipped=report.skipped, counts=counts, findings=findings,
    )  # fmt: skip


_WORST: tuple[Severity, ...] = ("error", "warning", "info")


def _format(source: Any, format: str | Format | None, registry: Registry) -> Format:
    from labelglot.detection import detect

    if format is None:
        return detect(source, registry)
    return registry.get(format) if isinstance(format, str) else format


def _twins(labels: Iterable[Label]) -> Iterator[Problem]:
    """Classes that share a name."""
    seen: dict[str, Label] = {}
    for label in labels:
        first = seen.setdefault(label.name, label)
        if first is not label:
            numbers = f" (ids {first.id!r} and {label.id!r})" if label.id is not None else ""
            yield Problem("class.duplicate", f"two classes are called {label.name!r}{numbers}", "warning")


def _findings(lines: Iterable[Line], select: Sequence[str], ignore: Sequence[str]) -> Iterator[Finding]:
    """One finding for each code, the worst first. What a reader kept and a check found as well is said once."""
    listed = list(lines)
    groups = {entry_of(line.code).group for line in listed if entry_of(line.code).code == line.code}
    made = []
    for line in listed:
        entry = entry_of(line.code)
        own = entry.code == line.code
        kept = all(example.get("action") == "kept" for example in line.examples)
        if not own and kept and entry.group in groups:
            continue
        if _wanted(entry, line.code, select, ignore):
            made.append(
                Finding(
                    code=entry.code, severity=line.severity, title=entry.title, count=line.count,
                    reported_as=None if own else line.code, fix=entry.fix, examples=line.examples,
                )
            )
    yield from sorted(made, key=lambda finding: _WORST.index(finding.severity))


def _wanted(entry: Entry, code: str, select: Sequence[str], ignore: Sequence[str]) -> bool:
    def among(codes: Sequence[str]) -> bool:
        return any(fits(name, wanted) for wanted in codes for name in (entry.code, code))

    return (not select or among(select)) and not among(ignore)


def _ignore(done: int, total: int) -> None:
    return None
