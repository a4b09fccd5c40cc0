"""Open a source as a dataset: resolve what the user named, detect its format, read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labelglot.formats.base import Format, ReadContext
from labelglot.formats.registry import Registry, default_registry
from labelglot.holds import Holds
from labelglot.images import ImageIndex, SourceImage
from labelglot.options import parse_options
from labelglot.report import Report
from labelglot.schema import Dataset, Sample, Step, join_splits, split_role
from labelglot.storage import Source, open_source


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
    return open_dataset(source, format_of(source, format, registry), options, image_dir, registry, report or Report(), memory=memory)


def format_of(source: Source, format: str | Format | None, registry: Registry) -> Format:
    """The format the user named, or the one detected."""
    if isinstance(format, Format):
        return format
    if format is not None:
        return registry.get(format)
    from labelglot.detection import detect

    return detect(source, registry)


def open_dataset(
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
    """A source as a dataset, split by its folders where the format has no splits of its own. See :class:`ReadContext`."""
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
