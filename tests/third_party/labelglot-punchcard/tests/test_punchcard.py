"""The generated suite, and the conventions with numbers worked out by hand."""

from pathlib import Path

import labelglot as lg
import pytest
from labelglot.schema import Keypoints
from labelglot.testing import conformance

TestConformance = conformance("punchcard")
EXAMPLE = Path(__file__).parent / "data"


def read(where, report=None):
    data = lg.read(where, format="punchcard", report=report)
    return {sample.path: sample for sample in data.read(report or lg.Report())}, data


def test_numbers_by_hand():
    found, data = read(EXAMPLE)
    assert [(c.id, c.name, c.keypoints) for c in data.labels] == [(7, "gull", ("beak", "tail")), (12, "nest box", None)]
    gull, box = found["plate 1.png"].annotations
    # Pixels 11 to 40 with both inside, from 1: the edges are 10 and 40. Rows 21 to 50: 20 and 50.
    assert gull.box == (10, 20, 40, 50)
    # Half of 200 and a quarter of 50; the second point is missing.
    assert gull.keypoints == Keypoints(points=(100, 12.5, 0, 0), visibility=(2, 0))
    assert gull.attributes == {"occluded": True}
    # The first pixel alone.
    assert (box.label, box.box, box.keypoints, box.attributes) == ("nest box", (0, 0, 1, 1), None, {})


def test_everything_that_is_skipped_is_reported():
    report = lg.Report()
    found, _ = read(EXAMPLE, report)
    assert {line.code: line.count for line in report.problems()} == {
        "punchcard.card": 2, "punchcard.class": 2, "punchcard.keypoints": 1,
    }  # fmt: skip
    assert found["plate 2"].size is None and found["plate 2"].annotations[0].keypoints is None


def test_writes_the_same_columns(tmp_path):
    lg.convert(EXAMPLE, tmp_path / "out", to="punchcard", format="punchcard")
    cards = (EXAMPLE / "plate 1.crd").read_text().splitlines()[:2]
    assert (tmp_path / "out" / "plate 1.crd").read_text().splitlines() == cards
    assert all(len(card) == 79 for card in cards)
    assert (tmp_path / "out" / "codes.dat").read_text() == "   7\tgull\tbeak\ttail\n  12\tnest box\n"


def test_detection_is_quick_whatever_the_file_holds():
    from labelglot.storage import MemorySource

    found = lg.Registry.installed().get("punchcard")
    good = (EXAMPLE / "plate 1.crd").read_bytes()
    assert found.detect(MemorySource({"a.crd": good})) is not None
    assert found.detect(MemorySource({"a.crd": b"9" * 5000})) is None


def losses(tmp_path, label, *annotations, **more):
    sample = lg.Sample(path="plate 1.png", size=(200, 50), annotations=annotations, **more)
    outcome = lg.write(lg.Dataset([sample], [label]), tmp_path, format="punchcard")
    return {line.code for line in outcome.report.losses()}


LABEL = lg.Label(key="gull", name="gull", id=3, keypoints=("beak", "tail"))


def points(*numbers, **more):
    return lg.Annotation(label="gull", box=(10, 20, 40, 50), keypoints=Keypoints(points=numbers, **more))


@pytest.fixture
def image():
    from labelglot.images import BytesImage

    return BytesImage("plate 1.png", (EXAMPLE / "plate 1.png").read_bytes())


def test_what_has_no_room_is_lost_and_reported(tmp_path, image):
    fits = points(100, 12.5, 50, 25, visibility=(2, 2))
    assert losses(tmp_path / "a", LABEL, fits, image=image) == set()
    # -2 pixels of 200 are -1 percent, which stands for a missing point.
    assert "keypoints.range" in losses(tmp_path / "b", LABEL, points(-2, 12.5, 50, 25), image=image)
    # 0.667 of 200 pixels are 0.3335 percent, 0.33 are written.
    assert "precision.keypoints" in losses(tmp_path / "c", LABEL, points(0.667, 12.5, 50, 25), image=image)
    many = LABEL.replace(keypoints=("a", "b", "c", "d"))
    assert {"labels.keypoints", "keypoints.number"} <= losses(
        tmp_path / "d", many, points(1, 1, 2, 2, 3, 3, 4, 4), image=image
    )
    assert losses(tmp_path / "e", LABEL.replace(id=10_000), image=image) == {"labels.id_assigned"}
    # Without the file nobody could turn percent into pixels again.
    assert losses(tmp_path / "f", LABEL, fits) == {"size", "keypoints", "path.renamed"}
