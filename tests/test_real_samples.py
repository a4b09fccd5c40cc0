"""Real data: read without losing a record, converted to the classic targets - for clouds, to all other clouds - and back."""

import labelglot as lg
import pytest
from labelglot.report import Report
from real_samples import CASES

TARGETS = ("yolo", "voc", "coco", "tfrecord", "createml", "labelglot")
CLOUDS = frozenset({
    "sagemaker", "rekognition", "vertex-ai-csv", "vertex-ai-jsonl", "automl-vision-csv", "azureml-jsonl", "azureml-coco",
    "azure-custom-vision",
})  # fmt: skip


@pytest.mark.skipif(not CASES, reason="the collection of real samples is not here")
@pytest.mark.parametrize(("format", "where"), CASES, ids=lambda v: v if isinstance(v, str) else v.name)
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
