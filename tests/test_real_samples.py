"""Real data: read without losing a record, converted to the classic targets - for clouds, to all other clouds - and back.

The heavy part converts every sample to every format, and compares what is read back with what was promised.
"""

import os
import shutil
from collections import Counter

import labelglot as lg
import pytest
from labelglot.errors import VerifyError
from labelglot.report import Report
from real_samples import CASES

TARGETS = ("yolo", "voc", "coco", "tfrecord", "createml", "labelglot")
CLOUDS = frozenset({
    "sagemaker", "rekognition", "vertex-ai-csv", "vertex-ai-jsonl", "automl-vision-csv", "azureml-jsonl", "azureml-coco",
    "azure-custom-vision",
})  # fmt: skip
SAMPLES = int(os.environ.get("LABELGLOT_SAMPLES", "0"))
"""So many samples go to every format, spread over all of them; 0: each."""
EVERY = [f.id for f in lg.registry.formats() if f.reads and f.writes]
needs_samples = pytest.mark.skipif(not CASES, reason="the collection of real samples is not here")


def each(cases):
    return pytest.mark.parametrize(("format", "where"), cases, ids=lambda v: v if isinstance(v, str) else v.name)


@needs_samples
@each(CASES)
def test_reads_whole_and_travels(format, where, tmp_path):
    report = Report()
    try:
        dataset = lg.read(where, format=format, report=report)
    except lg.LabelglotError as error:
        pytest.skip(f"not a dataset of its own: {error}")
    samples = list(dataset.read(report))
    if not samples:
        pytest.skip("nothing of this format in it")
    assert not [line for line in report.problems() if ".document" in line.code]
    objects = sum(len(s.annotations or ()) for s in samples)
    for target in (*TARGETS, *(CLOUDS - {format} if format in CLOUDS else ())):
        made = lg.convert(where, tmp_path / target, to=target, format=format, images="copy")
        counts = made.report.counts
        assert counts.get("annotations", 0) == objects, target
        lost = sum(line.count for line in made.report.losses() if _removes_objects(line.code))
        assert counts.get("annotations.written", 0) >= objects - lost, f"{target}: {made.report.to_dict()}"
        back_report = Report()
        if not counts.get("samples.written"):
            continue
        back = lg.read(tmp_path / target, format=target, report=back_report)
        returned = sum(len(s.annotations or ()) for s in back.read(back_report))
        assert returned == counts.get("annotations.written", 0), target
        assert back_report.skipped == 0, [line.sentence for line in back_report.problems()]


def _removes_objects(code: str) -> bool:
    return code.startswith(("annotation.", "geometry.", "label.missing", "size.unknown", "sample.empty")) or code.endswith(".missing")


@pytest.mark.heavy
@needs_samples
@each(CASES[:: max(1, len(CASES) // (SAMPLES or len(CASES) or 1))])
def test_travels_to_every_format(format, where, tmp_path, record_property):
    try:
        if not len(list(lg.read(where, format=format))):
            pytest.skip("nothing of this format in it")
    except lg.LabelglotError as error:
        pytest.skip(f"not a dataset of its own: {error}")
    seen: Counter[str] = Counter()
    refused = []
    for target in EVERY:
        try:
            made = lg.convert(where, tmp_path / "out", to=target, format=format, images="none", verify=True)
        except VerifyError as error:
            seen["not as promised"] += 1
            refused.append(f"{target}: {error}")
            continue
        verified = "samples.verified" in made.report.counts
        seen["as promised" if verified else "nothing that this format can hold"] += 1
        place = tmp_path / "out"
        shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
    for what, number in seen.items():
        record_property(f"real samples: {what}", number)
    assert not refused, "\n".join(refused)
