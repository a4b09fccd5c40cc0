"""Damaged files of every format: data, problems or a LabelglotError, in bounded time and memory - never another exception.

The corpus (``tests/corpus``: one JSON file for each input that once did harm) is tried on every run. LABELGLOT_FUZZ=N looks for more: N
damaged inputs for each format; what does harm is added to the corpus.
"""

import base64
import hashlib
import json
import os
from collections import Counter
from pathlib import Path

import labelglot as lg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from labelglot.images import BytesImage
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Keypoints, Label, Polygon, Sample, Tag
from labelglot.storage import MemorySource, MemoryTarget
from labelglot.testing.mutation import mutations
from labelglot.testing.strategies import png
from limits import bounded

CORPUS = Path(__file__).with_name("corpus")
INPUTS = int(os.environ.get("LABELGLOT_FUZZ", "0"))
FORMATS = [f for f in lg.registry.formats() if f.reads and f.writes]
SECONDS = 10


def seed(format):
    """The files that are going to be damaged."""
    points = Keypoints(points=(6.0, 6.0, 7.0, 7.0), visibility=(2, 1))
    objects = (
        Annotation(label="cat", box=(1.0, 2.0, 30.5, 40.25), shape=Polygon.of((1.0, 2.0, 30.0, 2.0, 30.0, 40.0)), attributes={"crowd": True}, score=0.5),
        Annotation(label="a dog", box=(5.0, 5.0, 20.0, 20.0), keypoints=points, text="text", track=3),
    )
    samples = [
        Sample(path=f"{split}/ü {i}.png", splits=(split,), id=i, size=(64, 48), annotations=objects[: i % 3], tags=(Tag(label="cat"),), image=BytesImage("x.png", png(64, 48)))
        for i, split in enumerate(("train", "train", "val"), 1)
    ]
    target = MemoryTarget()
    lg.write(Dataset(samples, [Label(key="cat", name="cat", id=1, keypoints=("a", "b")), Label(key="a dog", name="a dog", id=5, color="#ff0000")]), target, format=format)
    return target.content


def try_reading(format, files):
    """Read everything there is, and write it again; what came of it."""
    report = Report()
    with bounded(SECONDS):
        try:
            format.detect(MemorySource(files))
            dataset = lg.read(MemorySource(files), format=format, report=report)
            samples = list(dataset.read(report))
            lg.write(dataset.replace(samples=samples).complete(), MemoryTarget(), format="labelglot", verify=True)
        except lg.LabelglotError as error:
            assert str(error)
            return "LabelglotError"
    return "data and problems" if report.problems() else "data"


@pytest.mark.parametrize("place", sorted(CORPUS.glob("*.json")), ids=lambda p: p.stem)
def test_the_corpus(place):
    kept = json.loads(place.read_text())
    if kept["format"] in lg.registry:
        try_reading(lg.registry.get(kept["format"]), {name: base64.b64decode(data) for name, data in kept["files"].items()})


@pytest.mark.heavy
@pytest.mark.skipif(not INPUTS, reason="LABELGLOT_FUZZ is not set")
@pytest.mark.parametrize("format", FORMATS, ids=str)
def test_more(format, record_property):
    files = seed(format)
    outcomes: Counter[str] = Counter()

    @settings(max_examples=INPUTS, deadline=None, database=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(data=st.data())
    def run(data):
        damaged = data.draw(mutations(files))
        try:
            outcomes[try_reading(format, damaged)] += 1
        except Exception:
            outcomes["anything else"] += 1
            text = json.dumps({"format": format.id, "files": {n: base64.b64encode(d).decode() for n, d in sorted(damaged.items())}}, indent=1)
            CORPUS.mkdir(exist_ok=True)
            (CORPUS / f"{format.id}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.json").write_text(text + "\n")
            raise

    try:
        run()
    finally:
        for what, number in outcomes.items():
            record_property(f"fuzz: {what}", number)
