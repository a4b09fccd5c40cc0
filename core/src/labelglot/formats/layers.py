"""For formats that keep what each annotator said apart: the objects and tags of a sample, layer by layer."""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

from labelglot.schema import Annotation, Sample, Tag


class LayerRun(NamedTuple):
    """What one layer says in a row. ``objects``: with their positions in the sample."""

    layer: str | None
    objects: list[tuple[int, Annotation]]
    tags: list[Tag]


def layer_runs(sample: Sample) -> list[LayerRun]:
    """One run for each stretch of objects of one layer; tags are in the first run of their layer that keeps them in
    order. Read back run by run, objects and tags stand as before.
    """
    runs: list[LayerRun] = []
    for layer, objects in groupby(enumerate(sample.annotations or ()), key=lambda pair: pair[1].layer):
        runs.append(LayerRun(layer, list(objects), []))
    at = 0
    for tag in sample.tags:
        at = next((i for i in range(at, len(runs)) if runs[i].layer == tag.layer), len(runs))
        if at == len(runs):
            runs.append(LayerRun(tag.layer, [], []))
        runs[at].tags.append(tag)
    return runs
