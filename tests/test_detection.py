"""Which format is it? The right one is first, or the user is told that several fit - for every sample and every output."""

from pathlib import Path

import labelglot as lg
import pytest
from labelglot.detection import MARGIN, candidates
from labelglot.images import BytesImage
from labelglot.plugin import Annotation, Dataset, Keypoints, Label, Polygon, Sample, Tag
from labelglot.storage import MemorySource, open_source
from labelglot.testing.strategies import png
from labelglot.testing.travel import store
from real_samples import CASES

FORMATS = {format.id: format for format in lg.registry.formats()}
WRITERS = [id_ for id_, format in FORMATS.items() if format.reads and format.writes]


def confused_with(source, right: str, required: bool = True) -> list[str]:
    """Other formats that fit as well as the right one; fails if another one is taken for it.

    ``required``: also if none fits, which is what the user is told then.
    """
    found = [c for c in candidates(source, lg.registry) if c.confidence > 0]
    assert found or not required, f"{right} is not recognised"
    if not found:
        return []
    best = {c.format.id: c for c in found if c.confidence > found[0].confidence - MARGIN}
    told = ", ".join(f"{c.format.id} {c.confidence} ({c.reason})" for c in found[:4])
    right_too = FORMATS[right].taken_for & best.keys()
    assert right in best or right_too, f"{right} is taken for another: {told}"
    return sorted(set(best) - {right})


def example() -> Dataset:
    """A little of everything, with images."""
    ring = (4.0, 5.0, 20.0, 5.0, 20.0, 25.0, 4.0, 25.0)
    label = Label(key="car", name="car", id=3, keypoints=("front", "rear"), skeleton=((0, 1),))
    objects = (
        Annotation(label="car", box=(4.0, 5.0, 20.0, 25.0), shape=Polygon.of(ring), id=7, track=1),
        Annotation(label="dog", box=(10.0, 6.0, 30.0, 40.0), id=8, track=2, attributes={"occluded": True}),
        Annotation(
            label="car", box=(1.0, 1.0, 9.0, 9.0), keypoints=Keypoints(points=(2.0, 3.0, 7.0, 8.0), visibility=(2, 1)), id=9
        ),
    )
    samples = [
        Sample(
            path=f"{split}{i}.png", size=(64, 48), splits=(split,), id=10 * i + (split == "val"), annotations=objects,
            tags=(Tag(label="dog"), Tag(text="a street")), image=BytesImage(f"{split}{i}.png", png(64, 48)),
            sequence="s", frame=i,
        )
        for split in ("train", "val")
        for i in range(1, 4)
    ]  # fmt: skip
    return Dataset(samples, [label, Label(key="dog", name="dog", id=4)])


@pytest.mark.parametrize("id_", WRITERS)
def test_every_output_is_recognised_or_told_to_be_ambiguous(id_):
    files = store(example(), FORMATS[id_])[0]
    confused_with(MemorySource(files), id_)


@pytest.mark.skipif(not CASES, reason="the collection of real samples is not here")
@pytest.mark.parametrize(("id_", "where"), CASES, ids=lambda v: v if isinstance(v, str) else v.name)
def test_every_sample_is_recognised_or_told_to_be_ambiguous(id_: str, where: Path):
    report = lg.Report()
    try:
        samples = list(lg.read(where, format=id_, report=report).read(report))
    except lg.LabelglotError as error:
        pytest.skip(f"not a dataset of its own: {error}")
    if not any(s.annotations or s.tags for s in samples):
        pytest.skip("nothing of this format in it")
    confused_with(open_source(where), id_, required=len(samples) > 3)
