"""What a conversion loses: told from the declarations of two formats alone, or counted in a dataset without writing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from labelglot.detection import detect
from labelglot.formats.base import Format, WriteContext
from labelglot.formats.registry import Registry, default_registry
from labelglot.holds import Holds
from labelglot.projection.ladder import STEPS
from labelglot.report import Problem, Report
from labelglot.schema import Sample
from labelglot.schema.base import Frozen

if TYPE_CHECKING:
    from labelglot.engine.executor import Cancel


class Predicted(Frozen):
    """One thing the target cannot hold as the source does. ``becomes``: what is left of it, empty if nothing."""

    code: str
    what: str
    becomes: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {self.becomes or 'lost'} [{self.code}]"


_FLAGS = (
    ("score", "scores"), ("text", "text of objects"), ("layer", "layers and annotators"), ("size", "image sizes"),
    ("uri", "original addresses"), ("several_splits", "images in several splits"), ("sequence", "sequences"),
    ("frame", "frame numbers"), ("timestamp", "timestamps"), ("unlabelled", "unlabelled apart from empty"),
    ("empty", "images without objects"), ("polygon_holes", "holes of polygons"),
    ("polygon_parts", "polygons of several parts"),
)  # fmt: skip
_LABEL_FLAGS = (
    ("unused", "classes no object uses"), ("duplicates", "classes of the same name"), ("parent", "parent classes"),
    ("color", "class colours"), ("keypoints", "keypoint names"), ("skeleton", "skeletons"),
    ("keypoint_flip", "left-right pairs of keypoints"), ("attributes", "declared attributes"),
)  # fmt: skip
_IDS = ("ids", "track", "group", "parent", "sample_ids")


def loss(source: str | Format, target: str | Format, registry: Registry | None = None) -> tuple[Predicted, ...]:
    """What ``source`` can hold and ``target`` cannot, by format ids or objects. Nothing is read or written."""
    registry = registry or default_registry()
    a = registry.get(source) if isinstance(source, str) else source
    b = registry.get(target) if isinstance(target, str) else target
    return predict(a.holds, b.holds)


def predict(a: Holds, b: Holds) -> tuple[Predicted, ...]:
    """The same for two declarations."""
    found: list[Predicted] = []
    for kind in sorted(a.kinds - b.kinds):
        step = next((k for k in STEPS[kind] if k in b.kinds), None)
        becomes = f"becomes a {step.replace('_', ' ')}" if step else ""
        found.append(Predicted(code=f"shape.{kind}", what=kind.replace("_", " "), becomes=becomes))
    if len(a.geometry) > len(b.geometry) and b.geometry:
        found.append(
            Predicted(code="shape", what="several geometries of one object", becomes=f"{len(b.geometry)} kept")
        )
    found += [
        Predicted(code=name, what=what)
        for name, what in _FLAGS
        if getattr(a, name)
        and not getattr(b, name)
        and not (name.startswith("polygon") and "polygon" not in a.kinds & b.kinds)
    ]
    found += [
        Predicted(code=f"labels.{name}", what=what)
        for name, what in _LABEL_FLAGS
        if a.labels.table and getattr(a.labels, name) and not getattr(b.labels, name)
    ]
    if a.labels.ids in ("int", "str", "any") and b.labels.ids in ("none", "index"):
        becomes = "numbered from 0" if b.labels.ids == "index" else ""
        found.append(Predicted(code="labels.id", what="ids of classes", becomes=becomes))
    for name in _IDS:
        mine, theirs = getattr(a, name), getattr(b, name)
        if mine != "none" and theirs == "none":
            found.append(
                Predicted(code="id.sample" if name == "sample_ids" else name.rstrip("s"), what=name.replace("_", " "))
            )
    if (a.attributes or a.flags) and not b.attributes:
        kept = sorted(set(b.flags))
        found.append(Predicted(code="attributes", what="attributes", becomes=f"only {', '.join(kept)}" if kept else ""))
    elif a.attributes - b.attributes:
        found.append(
            Predicted(
                code="attributes", what="types of attributes", becomes="kept as text" if "str" in b.attributes else ""
            )
        )
    if a.tags is not None and b.tags is None:
        found.append(Predicted(code="tags", what="image-level labels"))
    if a.splits != "none" and b.splits == "none":
        found.append(Predicted(code="split", what="splits"))
    if not b.naming.folders and a.naming.folders:
        found.append(
            Predicted(code="path.renamed", what="folders of images", becomes="flattened, renamed where names clash")
        )
    gone = sorted(a.extra - b.extra) if a.extra != "any" and b.extra != "any" else []
    found += [Predicted(code=f"extra.{owner}", what=f"fields only {owner} knows") for owner in gone]
    for field in ("boxes", "points"):
        mine, theirs = getattr(a, field), getattr(b, field)
        if mine.exact and not theirs.exact and b.geometry:
            found.append(Predicted(code=f"precision.{field}", what=f"full precision of {field}", becomes="rounded"))
    return tuple(found)


class DryRun(NamedTuple):
    """What a conversion would do: the formats and the report, as if it had been written."""

    source: str
    source_format: str
    target_format: str
    report: Report


def dry_run(
    where: Any,
    to: str | Format,
    *,
    format: str | Format | None = None,
    options: Mapping[str, Any] | None = None,
    read_options: Mapping[str, Any] | None = None,
    image_dir: Any = None,
    images: bool = True,
    workers: int | None = None,
    registry: Registry | None = None,
    cancel: Cancel | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> DryRun:
    """Convert without writing: the losses and problems of exactly this dataset, for a folder as the target.

    ``images``: image files would reach the target. ``progress(done, total)`` is called while samples are read.
    """
    from labelglot.engine.chunk import Receipt, run_chunk
    from labelglot.engine.convert import prepare, read, resolve_source
    from labelglot.engine.executor import Cancel, Watched, local_executor
    from labelglot.engine.output import Job
    from labelglot.options import parse_options

    registry = registry or default_registry()
    source = resolve_source(where, registry)
    writer = registry.get(to) if isinstance(to, str) else to
    chosen = parse_options(writer.WriteOptions, options or {}, f"{writer.id} writer")
    reader = detect(source, registry) if format is None else registry.get(format) if isinstance(format, str) else format
    report = Report()
    dataset = read(source, format=reader, options=read_options, image_dir=image_dir, registry=registry, report=report)
    executor, _ = local_executor(workers, len(dataset))
    executor, cancel = Watched(executor, progress or (lambda done, total: None)), cancel or Cancel()
    mode = "copy" if images else "none"
    prepared = prepare(dataset, writer, chosen, mode, executor, cancel, report)
    mute = cast(Format, _Mute(writer))
    job = Job(mute, prepared.context, prepared.holds, prepared.plan, mode, None, None, prepared.folders)
    for receipt in executor.run(run_chunk, job, prepared.work, cancel):
        if isinstance(receipt, Receipt):
            report.merge(receipt.report)
        else:
            report.problem("worker.died", receipt.message, severity="error", action="skipped")
    return DryRun(source.where, reader.id, writer.id, report)


class _Mute:
    """A writer whose output is thrown away; what it says about its input is kept. Images are not touched."""

    separator = b""
    embeds_images = True
    takes_columns = False

    def __init__(self, writer: Format) -> None:
        self.id, self.writer = writer.id, writer

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[Problem]:
        if self.writer.embeds_images:
            return ()
        return (made for made in self.writer.encode(sample, context, ordinal) if isinstance(made, Problem))
