"""Create ML JSON: centre boxes in pixels, and everything a file of it leaves open."""

import json
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.detection import candidates
from labelglot.engine.convert import read, write
from labelglot.formats.registry import Registry
from labelglot.images import BytesImage
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Sample, Tag
from labelglot.storage import MemorySource, MemoryTarget
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, store, travel
from labelglot_createml import CreateMl

DATA = Path(__file__).parent / "data" / "createml"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "createml"
FORMAT = CreateMl()


def document(*entries, images=(), name="_annotations.createml.json"):
    files = {name: json.dumps(entries).encode()}
    return files | {path: png(*size) for path, size in images}


def entry(*boxes, image="a.jpg", **more):
    objects = [{"label": "cat", "coordinates": dict(zip(("x", "y", "width", "height"), b, strict=True))} for b in boxes]
    return {"image": image, "annotations": objects, **more}


def opened(files, **options):
    report = Report()
    dataset = read(MemorySource(files), format=FORMAT, options=options, report=report)
    return list(dataset.read(report)), report


def codes(report):
    return {line.code: line.count for line in report.problems()}


def test_the_example_reads_with_exact_values():
    dataset = lg.read(DATA)
    one, two = dataset
    assert one.path == "img 1.jpg" and one.size is None and one.units == "pixels"
    assert [a.box for a in one.annotations] == [(245.0, 250.0, 350.0, 365.0), (80.0, 40.0, 120.0, 60.0)]
    assert [a.label for a in one.annotations] == ["cat", "dog, big"]
    assert two.annotations == ()
    assert [label.name for label in dataset.complete().labels] == ["cat", "dog, big"]


def test_unknown_fields_return_to_the_file():
    files = {"x.json": (DATA / "_annotations.createml.json").read_bytes()}
    files["x.json"] = files["x.json"].replace(b'"height": 20', b'"height": 20, "z": 7')
    written = json.loads(travel(load(files, FORMAT)[0], FORMAT).files["_annotations.createml.json"])
    assert written == json.loads(files["x.json"])


def test_what_is_written_is_what_the_app_reads():
    dataset = Dataset([Sample(path="a.jpg", annotations=(Annotation(label="c", box=(1.1, 2.2, 3.3, 7.7)),))], ["c"])
    text = store(dataset, FORMAT)[0]["_annotations.createml.json"]
    assert json.loads(text) == [
        {"image": "a.jpg", "annotations": [{"label": "c", "coordinates": {"x": 2.2, "y": 4.95, "width": 2.2, "height": 5.5}}]}
    ]


@pytest.mark.parametrize("key", ["image", "imagefilename", "filename", "imageURL"])
@pytest.mark.parametrize("many", ["annotations", "annotation"])
def test_all_names_of_the_keys_are_known(key, many):
    made = entry((5, 5, 2, 2))
    (sample,), report = opened(document({key: made["image"], many: made["annotations"]}))
    assert sample.path == "a.jpg" and sample.annotations[0].box == (4, 4, 6, 6)
    assert not report.problems()


def test_the_same_image_twice_is_merged():
    (one, two), report = opened(document(entry((5, 5, 2, 2)), entry(image="b.jpg"), entry((7, 7, 2, 2))))
    assert [a.box for a in one.annotations] == [(4, 4, 6, 6), (6, 6, 8, 8)]
    assert two.path == "b.jpg"
    assert codes(report) == {"createml.duplicate": 1} and not report.skipped


def test_images_in_two_folders_stay_apart():  # pain 26
    files = {"x/a.json": document(entry((5, 5, 2, 2)))["_annotations.createml.json"], "x/a.jpg": png(64, 48)}
    files |= {f"y/{name[2:]}": data for name, data in files.items()}
    samples, _ = opened(files)
    assert [s.path for s in samples] == ["x/a.jpg", "y/a.jpg"] and all(s.size == (64, 48) for s in samples)


def test_a_list_that_is_missing_is_told_from_an_empty_one():  # pain 33
    (no, empty), _ = opened(document({"image": "a.jpg"}, {"image": "b.jpg", "annotations": []}))
    assert no.annotations is None and empty.annotations == ()


def test_unlisted_images_come_on_demand():
    files = document(entry((5, 5, 2, 2)), images=[("a.jpg", (64, 48)), ("b.jpg", (64, 48)), ("other/c.jpg", (64, 48))])
    assert [s.path for s in opened(files)[0]] == ["a.jpg"]
    _, further = opened(files, unlisted=True)[0]
    assert further.path == "b.jpg" and further.annotations is None and further.size == (64, 48)


def test_corner_coordinates_are_suspected_and_not_changed():
    files = document(entry((0, 0, 30, 40), (10, 10, 54, 38)), entry((9, 9, 4, 4), image="b.jpg"), images=[("a.jpg", (64, 48))])
    (one, _), report = opened(files)
    assert one.annotations[0].box == (-15, -20, 15, 20)
    (line,) = report.problems()
    assert line.code == "createml.anchor" and line.count == 1 and line.severity == "warning"
    assert "2 of 2 boxes" in line.sentence and "anchor=top-left" in line.sentence
    (one, _), report = opened(files, anchor="top-left")
    assert one.annotations[0].box == (0, 0, 30, 40) and not report.problems()


def test_boxes_that_leave_the_image_either_way_raise_no_suspicion():
    files = document(entry((60, 40, 30, 40), (1, 1, 30, 40)), images=[("a.jpg", (64, 48))])
    assert not opened(files)[1].problems()


def test_fractions_are_suspected_and_read_on_demand():
    files = document(entry((0.5, 0.5, 0.25, 0.5)), images=[("a.jpg", (64, 48))])
    assert codes(opened(files)[1]) == {"createml.units": 1}
    (sample,), report = opened(files, units="normalized")
    assert sample.annotations[0].box == (24, 12, 40, 36) and sample.units == "pixels" and not report.problems()
    del files["a.jpg"]
    (sample,), _ = opened(files, units="normalized")
    assert sample.annotations[0].box == (0.375, 0.25, 0.625, 0.75) and sample.units == "relative"


@pytest.mark.parametrize("origin", ["top-left", "bottom-left"])
@pytest.mark.parametrize("units", ["pixel", "normalized"])
@pytest.mark.parametrize("anchor", ["center", "top-left", "top-right", "bottom-left", "bottom-right"])
def test_every_frame_returns(anchor, units, origin):
    options = {"anchor": anchor, "units": units, "origin": origin}
    box = (10.0, 5.0, 30.0, 45.5)
    image = BytesImage("a.jpg", png(64, 48))
    dataset = Dataset([Sample(path="a.jpg", size=(64, 48), image=image, annotations=(Annotation(label="c", box=box),))], ["c"])
    target = MemoryTarget()
    write(dataset, target, format=FORMAT, options=options)
    (sample,), report = opened(target.content, **options)
    assert sample.annotations[0].box == pytest.approx(box, abs=1e-9) and not report.problems()


def test_frames_mean_what_they_say():
    written = document(entry((10, 8, 20, 6)), images=[("a.jpg", (64, 48))])
    boxes = {
        (anchor, origin): opened(written, anchor=anchor, origin=origin)[0][0].annotations[0].box
        for anchor, origin in [("top-left", "bottom-left"), ("bottom-left", "bottom-left"), ("bottom-right", "top-left")]
    }
    assert boxes["top-left", "bottom-left"] == (10, 40, 30, 46)
    assert boxes["bottom-left", "bottom-left"] == (10, 34, 30, 40)
    assert boxes["bottom-right", "top-left"] == (-10, 2, 10, 8)


def test_pixels_from_the_bottom_need_the_height():
    (sample,), report = opened(document(entry((10, 8, 20, 6))), origin="bottom-left")
    assert sample.annotations == () and codes(report) == {"createml.height": 1} and report.skipped == 1


def test_labels_of_whole_images():
    (sample,), report = opened(document({"imagefilename": "a.jpg", "annotations": ["cat", "0001"]}))
    assert sample.tags == (Tag(label="cat"), Tag(label="0001")) and not report.problems()
    made = write(Dataset([sample], ["cat", "0001"]), target := MemoryTarget(), format=FORMAT, options={"task": "classification"})
    assert json.loads(target.content["_annotations.createml.json"]) == [{"image": "a.jpg", "annotations": ["cat", "0001"]}]
    assert [line.code for line in made.report.losses()] == []
    assert [line.code for line in store(Dataset([sample], ["cat"]), FORMAT)[1].losses() if line.severity != "info"] == [
        "labels.unused", "tags",
    ]  # fmt: skip


def test_bad_records_among_good_ones():
    good = entry((5, 5, 2, 2))
    bad = {"image": "b.jpg", "annotations": [{"label": "x"}, 7, *good["annotations"], {"label": "y", "coordinates": {"x": "1"}}]}
    text = json.dumps([good, 5, {"annotations": []}, bad, {"image": "c.jpg", "annotations": {}}])
    text = text[:-1] + ', {"image": "d.jpg", "annotations": [{"label": "n", "coordinates": {"x": NaN, "y": 1, "width": 1, "height": 1}}]}]'
    samples, report = opened({"a.json": text.encode()})
    assert [(s.path, len(s.annotations)) for s in samples] == [("a.jpg", 1), ("b.jpg", 1), ("c.jpg", 0), ("d.jpg", 0)]
    assert codes(report) == {"createml.image": 2, "createml.object": 3, "createml.annotations": 1, "createml.number": 1}
    places = {e["place"] for line in report.problems() for e in line.examples}
    assert {"a.json#[1]", "a.json#[3].annotations[0]", "a.json#[5].annotations[0]"} <= places
    assert report.skipped == 7


def test_foreign_names_stay_as_uri():  # pain 30
    (sample,), _ = opened(document(entry((5, 5, 2, 2), image="C:\\pics\\a.jpg"), images=[("a.jpg", (64, 48))]))
    assert sample.path == "a.jpg" and sample.uri == "C:\\pics\\a.jpg" and sample.size == (64, 48)


def test_detection():
    registry = Registry()
    registry.register(FORMAT)

    def confidence(files):
        return max((c.confidence for c in candidates(MemorySource(files), registry)), default=0)

    assert confidence(document(entry((5, 5, 2, 2)), name="any.json")) == 0.95
    assert confidence(document({"image": "a.jpg", "annotations": ["cat"]}, name="any.json")) < 0.8
    assert confidence({"a.json": b'[{"image": "a.jpg", "annotations": [{"result": []}]}]'}) == 0
    assert confidence({"a.json": b'{"images": [], "annotations": []}'}) == 0


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
def test_the_roboflow_layout():
    report = Report()
    files = {str(p.relative_to(SAMPLES)): p.read_bytes() for p in SAMPLES.rglob("*") if p.suffix in (".jpg", ".json")}
    dataset = lg.read(MemorySource(files), format="createml", report=report)
    samples = {s.key: s for s in dataset.read(report)}
    assert list(samples) == ["train:train_001.jpg", "train:train_002.jpg", "val:val_001.jpg"]
    assert all(s.size == (10, 5) and s.image for s in samples.values())
    boxes = [a.box for s in samples.values() for a in s.annotations]
    assert sorted(boxes) == sorted([(0.5, 0.5, 3.5, 1.5), (-1, -2, 1, 2), (-0.5, -1, 0.5, 1), (-4.5, -0.5, 4.5, 0.5)])
    assert [label.name for label in dataset.complete().labels] == ["label_0", "label_1"]
    assert codes(report)["createml.anchor"] == 2  # made with another meaning of x, y: all but one box leave the image
    corner = lg.read(MemorySource(files), format="createml", options={"anchor": "top-left"})
    assert sorted(a.box for s in corner for a in s.annotations) == [(0, 0, 1, 2), (0, 0, 2, 4), (0, 0, 9, 1), (2, 1, 5, 2)]
