"""COCO: what is written comes back as it was, and what is broken is said with its place."""

import json
import shutil
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.report import Report
from labelglot.schema import Mask, Polygon
from labelglot.storage import MemorySource
from labelglot_coco import Coco

DATA = Path(__file__).parent / "data" / "coco"
SAMPLES = Path(__file__).parents[4] / "shared" / "samples"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the collection of real samples is not here")


def read(where, **more):
    report = Report()
    dataset = lg.read(where, report=report, **more)
    samples = list(dataset.read(report))
    return dataset.replace(samples=samples), samples, report


def document(tmp_path, **parts):
    base = {"images": [{"id": 1, "file_name": "a.jpg", "width": 10, "height": 10}], "annotations": [],
            "categories": [{"id": 1, "name": "cat"}]}  # fmt: skip
    path = tmp_path / "instances_train.json"
    path.write_text(json.dumps({**base, **parts}))
    return path


def annotation(**parts):
    return {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "area": 12, "iscrowd": 0, **parts}


def test_the_example_reads_as_it_is_written():
    dataset, samples, report = read(DATA)
    assert report.problems() == ()
    assert [(label.name, label.id, label.parent) for label in dataset.labels] == [
        ("dog", 3, "animal"), ("cat", 0, "animal"), ("never seen", 7, "animal"),
    ]  # fmt: skip
    assert [(s.path, s.id, s.splits, s.size, s.image is not None) for s in samples] == [
        ("a.png", 0, ("train",), (6, 4), True),
        ("empty.png", 11, ("train",), (6, 4), True),
        ("b c.png", 2, ("val",), (8, 8), True),
    ]
    cat, crowd, dog, box = samples[0].annotations
    assert (cat.box, cat.shape) == ((1.0, 1.0, 4.0, 3.0), Polygon.of((1.0, 1.0, 4.0, 1.0, 4.0, 3.0, 1.0, 3.0)))
    assert crowd.attributes == {"crowd": True} and crowd.shape == Mask(width=6, height=4, rle="9220003")
    assert dog.attributes == {"occluded": False, "plate": "0001"}
    assert dog.extra["coco"]["reviewer"] == {"name": "anna"}
    assert (box.shape, box.score, box.id) == (None, 0.75, 8)
    assert samples[1].annotations == ()
    assert len(samples[2].annotations[0].shape.parts) == 2


@pytest.mark.parametrize("split", ["train", "val"])
def test_coco_to_coco_is_the_same_document(tmp_path, split):
    lg.convert(DATA, tmp_path / "out", to="coco")
    name = f"annotations/instances_{split}.json"
    assert json.loads((tmp_path / "out" / name).read_text()) == json.loads((DATA / name).read_text())
    assert (tmp_path / "out" / split).is_dir()


@needs_samples
@pytest.mark.parametrize(
    "name",
    [
        "coco/labelformat-fixtures/instances.json",
        "coco/labelformat-fixtures/instances_with_binary_mask.json",
        "coco/labelformat-fixtures/train.json",
        "coco/default-layout/annotations/instances_val.json",
        "coco/roboflow-layout/train/_annotations.coco.json",
        "coco-keypoints/person_keypoints_mmpose_test_coco.json",
    ],
)
def test_real_documents_come_back_the_same(tmp_path, name):
    to = "coco-keypoints" if "keypoints" in name else "coco"
    made = lg.convert(SAMPLES / name, tmp_path / "out.json", to=to, format=to, images="none")
    before, after = json.loads((SAMPLES / name).read_text()), json.loads((tmp_path / "out.json").read_text())
    assert made.report.skipped == 0
    for part in before:
        if part in ("images", "annotations"):
            assert sorted(before[part], key=str) == sorted(after[part], key=str) or all(
                x == {k: v for k, v in y.items() if k in x}
                for x, y in zip(
                    sorted(before[part], key=lambda r: str(r["id"])), sorted(after[part], key=lambda r: str(r["id"])), strict=True
                )
            )  # fmt: skip
        elif before[part]:
            assert after[part] == before[part]


@needs_samples
def test_counts_of_real_documents():
    _, samples, _ = read(SAMPLES / "coco/labelformat-fixtures/instances_with_binary_mask.json")
    shapes = [a.shape.kind for s in samples for a in s.annotations]
    assert (len(samples), sorted(shapes)) == (3, ["mask", "polygon", "polygon", "polygon"])
    crowd = next(a for s in samples for a in s.annotations if a.attributes.get("crowd"))
    assert (crowd.id, crowd.box) == (900100374545, (12.0, 524.0, 393.0, 557.0))
    dataset, samples, _ = read(SAMPLES / "coco/roboflow-layout")
    assert [(s.split, len(s.annotations), s.image is not None) for s in samples] == [
        ("train", 1, True), ("train", 1, True), ("val", 2, True),
    ]  # fmt: skip
    dataset, samples, _ = read(SAMPLES / "coco/labelformat-fixtures/train.json")
    assert (len(samples), [len(s.annotations) for s in samples], len(dataset.labels)) == (2, [8, 8], 32)
    _, samples, _ = read(SAMPLES / "coco/datumaro-labels-task")
    assert [(s.split, len(s.tags)) for s in samples] == [("train", 1), ("val", 2)]


@needs_samples
def test_keypoints_of_real_persons():
    dataset, samples, report = read(SAMPLES / "coco-keypoints/person_keypoints_mmpose_test_coco.json")
    (person,) = dataset.labels
    assert (len(person.keypoints), len(person.skeleton), person.skeleton[0]) == (17, 19, (15, 13))
    objects = {a.id: a for s in samples for a in s.annotations}
    document = json.loads((SAMPLES / "coco-keypoints/person_keypoints_mmpose_test_coco.json").read_text())
    seen = [sum(1 for v in objects[a["id"]].keypoints.visibility if v) for a in document["annotations"]]
    assert seen == [17, 14, 15, 0, 15, 15, 0, 12, 17, 16, 16, 15, 16, 13]
    assert len(samples) == 4 and report.skipped == 0


@needs_samples
def test_results_of_real_detectors():
    folder = SAMPLES / "coco-results"
    _, samples, _ = read(folder / "instances_val2014_fakebbox100_results.json")
    first = next(s for s in samples if s.id == 42).annotations[0]
    assert (len(samples), sum(len(s.annotations) for s in samples), first.score) == (10, 100, 0.236)
    _, samples, _ = read(folder / "instances_val2014_fakesegm100_results.json")
    assert (len(samples), sum(len(s.annotations) for s in samples)) == (7, 40)
    _, samples, _ = read(folder / "person_keypoints_val2014_fakekeypoints100_results.json")
    assert (len(samples), {len(a.keypoints) for s in samples for a in s.annotations}) == (16, {17})
    _, samples, _ = read(folder / "captions_val2014_fakecap_results.json")
    assert sum(len(s.tags) for s in samples) == 100


BROKEN = {
    "an empty box": (annotation(bbox=[]), "coco.bbox"),
    "three numbers": (annotation(bbox=[1, 2, 3]), "coco.bbox"),
    "not a number": (annotation(bbox=[float("nan"), 1, 2, 3]), "coco.number"),
    "an undeclared class": (annotation(category_id=9), "coco.category"),
    "an unknown image": (annotation(image_id=77), "coco.image-id"),
    "text for a box": (annotation(bbox="1 2 3 4"), "coco.annotation"),
    "runs that do not add up": (annotation(segmentation={"size": [10, 10], "counts": [5, 5]}), "coco.rle"),
    "no object at all": ("hello", "coco.annotation"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_one_bad_record_is_named_and_the_rest_goes_on(tmp_path, case):
    bad, code = BROKEN[case]
    path = document(tmp_path, annotations=[annotation(id=5), bad, annotation(id=6, segmentation=[])])
    _, samples, report = read(path, format="coco")
    assert [a.id for a in samples[0].annotations] == [5, 6]
    (line,) = (line for line in report.problems() if line.severity == "error")
    assert line.code == code
    assert line.examples[0]["place"].startswith("instances_train.json#annotations[1]")


def test_a_bad_ring_leaves_the_others(tmp_path):
    square = [0, 0, 4, 0, 4, 4]
    path = document(tmp_path, annotations=[annotation(segmentation=[square, [1, 2, 3], square])])
    _, samples, report = read(path, format="coco")
    assert len(samples[0].annotations[0].shape.parts) == 2
    assert [line.code for line in report.problems()] == ["coco.polygon"]


def test_equal_ids_are_renumbered_and_said(tmp_path):
    path = document(tmp_path, annotations=[annotation(), annotation(bbox=[5, 5, 1, 1])])
    made = lg.convert(path, tmp_path / "out.json", to="coco", images="none")
    ids = [a["id"] for a in json.loads((tmp_path / "out.json").read_text())["annotations"]]
    assert len(set(ids)) == 2
    assert "coco.annotation-id" in [line.code for line in made.report.problems()]


def test_rle_is_not_a_crowd_and_zero_is_a_class(tmp_path):
    """cvat#7030: masks are not crowds. datumaro drops labels with id 0."""
    mask = annotation(category_id=0, segmentation={"size": [10, 10], "counts": [0, 20, 80]})
    _, samples, _ = read(document(tmp_path, categories=[{"id": 0, "name": "zero"}], annotations=[mask]))
    (made,) = samples[0].annotations
    assert made.attributes == {} and made.label == "zero" and made.shape.kind == "mask"


def test_two_classes_of_one_name_stay_two(tmp_path):
    """datumaro#1160: Roboflow's placeholder root has the name of a class."""
    categories = [{"id": 0, "name": "Onion", "supercategory": "none"}, {"id": 1, "name": "Onion", "supercategory": "Onion"}]
    path = document(tmp_path, categories=categories, annotations=[annotation()])
    dataset, samples, _ = read(path)
    assert [label.key for label in dataset.labels] == ["Onion", "Onion#1"]
    assert samples[0].annotations[0].label == "Onion#1"
    without, _, _ = read(path, options={"drop_unused_roots": True})
    assert [label.id for label in without.labels] == [1]


def test_a_file_beside_others_and_an_archive(tmp_path):
    shutil.make_archive(str(tmp_path / "set"), "zip", DATA)
    assert [s.path for s in lg.read(tmp_path / "set.zip")] == ["a.png", "empty.png", "b c.png"]
    (only, _) = lg.read(DATA / "annotations" / "instances_train.json")
    assert only.path == "a.png"


@pytest.mark.filterwarnings("ignore")
def test_pycocotools_loads_what_is_written(tmp_path):
    coco = pytest.importorskip("pycocotools.coco")
    lg.convert(DATA, tmp_path / "out", to="coco")
    loaded = coco.COCO(str(tmp_path / "out/annotations/instances_train.json"))
    assert (len(loaded.imgs), len(loaded.anns), len(loaded.cats)) == (2, 4, 3)
    areas = {i: int(loaded.annToMask(a).sum()) for i, a in loaded.anns.items() if a["segmentation"]}
    assert areas == {1: 6, 5: 6, 6: 6}


def test_fractions_are_no_pixels_and_leave_the_file_to_another_format():
    def confidence(bbox, **image):
        document = {"images": [{"id": 1, "file_name": "a.jpg", **image}], "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": bbox}], "categories": []}
        return Coco().detect(MemorySource({"instances_a.json": json.dumps(document).encode()})).confidence

    assert confidence([1, 2, 3, 4]) == 0.95
    assert confidence([0.25, 0.5, 0.5, 0.5]) == confidence([1, 2, 3, 4], absolute_url="https://x/a.jpg") == 0.6
