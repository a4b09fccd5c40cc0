"""COCO captions: texts verbatim and in their order, ids kept or counted."""

import json
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.report import Report

DATA = Path(__file__).parent / "data" / "coco-captions"
SAMPLES = Path(__file__).parents[4] / "shared" / "samples"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the collection of real samples is not here")


def read(where, **more):
    report = Report()
    dataset = lg.read(where, report=report, **more)
    return dataset, list(dataset.read(report)), report


def document(tmp_path, captions, **parts):
    base = {"images": [{"id": 1, "file_name": "a.jpg", "width": 10, "height": 10}], "annotations": captions}
    path = tmp_path / "captions_train.json"
    path.write_text(json.dumps({**base, **parts}))
    return path


def again(tmp_path, source):
    lg.convert(source, tmp_path / "out.json", to="coco-captions", images="none")
    return json.loads((tmp_path / "out.json").read_text())


def test_texts_are_kept_verbatim_and_in_order():
    _, samples, report = read(DATA)
    assert report.problems() == ()
    assert [(s.path, s.id, s.splits, [t.text for t in s.tags]) for s in samples] == [
        ("a.jpg", 1, ("val",), ["A dog runs on the beach.", "A brown dog near the sea. "]),
        ("b.jpg", 2, ("val",), ['An "empty" street at night.\n']),
        ("none.jpg", 9, ("val",), []),
    ]
    assert samples[1].tags[0].score == 0.5 and samples[0].tags[1].attributes == {"by": "anna"}


def test_the_same_document_comes_back(tmp_path):
    written, made = json.loads((DATA / "annotations/captions_val.json").read_text()), again(tmp_path, DATA)
    assert sorted(made.pop("annotations"), key=lambda a: a["id"]) == sorted(
        written.pop("annotations"), key=lambda a: a["id"]
    )
    assert made == written


def test_captions_without_id_are_counted_behind_those_with_one(tmp_path):
    captions = [{"image_id": 1, "caption": "x"}, {"id": 12, "image_id": 1, "caption": "y"}, {"image_id": 1, "caption": "z"}]
    assert [a["id"] for a in again(tmp_path, document(tmp_path, captions))["annotations"]] == [13, 12, 14]
    none = [{"image_id": 1, "caption": "x"}, {"image_id": 1, "caption": "y"}]
    assert [a["id"] for a in again(tmp_path / "2", document(tmp_path, none))["annotations"]] == [1, 2]


def test_what_says_nothing_is_carried_along(tmp_path):
    path = document(tmp_path, [{"id": 1, "image_id": 1, "category_id": 0, "caption": "x"}], categories=[])
    _, samples, report = read(path)
    assert len(samples[0].tags) == 1 and report.problems() == ()
    made = again(tmp_path, path)
    assert made["categories"] == [] and made["annotations"][0]["category_id"] == 0


def test_an_image_listed_once_per_caption_is_one_image(tmp_path):
    image = {"id": 1, "file_name": "a.jpg", "width": 10, "height": 10}
    path = document(tmp_path, [{"id": i, "image_id": 1, "caption": str(i)} for i in (1, 2)], images=[image, image])
    _, samples, report = read(path)
    assert [[t.text for t in s.tags] for s in samples] == [["1", "2"]] and report.skipped == 0


def test_bad_captions_are_named(tmp_path):
    path = document(tmp_path, [{"id": 1, "image_id": 5, "caption": "x"}, {"id": 2, "image_id": 1, "caption": 7}])
    _, samples, report = read(path)
    assert samples[0].tags == () and report.skipped == 2
    assert {line.code for line in report.problems()} == {"coco.image-id", "coco-captions.annotation"}


def test_documents_of_one_folder_go_to_their_formats(tmp_path):
    images = [{"id": i, "file_name": f"{i:012}.jpg", "width": 10, "height": 10, "pad": "x" * 300} for i in range(1000)]
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "area": 12, "iscrowd": 0}
    document(tmp_path, [{"id": 1, "image_id": 1, "caption": "far from the beginning"}], images=images)
    (tmp_path / "my_texts.json").write_text((tmp_path / "captions_train.json").read_text())
    _, samples, _ = read(tmp_path)
    assert sum(len(s.tags) for s in samples) == 2
    boxes = {"images": images, "annotations": [box], "categories": [{"id": 1, "name": "cat"}]}
    (tmp_path / "instances_train.json").write_text(json.dumps(boxes))
    _, samples, _ = read(tmp_path, format="coco")
    assert sum(len(s.annotations) for s in samples) == 1 and not any(s.tags for s in samples)


def test_a_caption_beside_a_box_is_the_text_of_the_object(tmp_path):
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "area": 12, "iscrowd": 0, "caption": "a red one"}
    path = document(tmp_path, [box], categories=[{"id": 1, "name": "cat"}])
    path = path.rename(tmp_path / "instances_train.json")
    _, samples, _ = read(path)
    assert samples[0].annotations[0].text == "a red one"
    lg.convert(path, tmp_path / "out.json", to="coco", images="none")
    assert json.loads((tmp_path / "out.json").read_text())["annotations"][0]["caption"] == "a red one"


@needs_samples
def test_the_fixture_of_a_library():
    _, samples, report = read(SAMPLES / "coco-captions/datumaro-fixture")
    assert [(s.split, len(s.tags), s.image is not None) for s in samples] == [("train", 1, True), ("val", 2, True)]
    assert [t.text for t in samples[1].tags] == ["world", "text"] and report.problems() == ()


@pytest.mark.filterwarnings("ignore")
def test_pycocotools_loads_what_is_written(tmp_path):
    coco = pytest.importorskip("pycocotools.coco")
    lg.convert(DATA, tmp_path / "out.json", to="coco-captions", images="none")
    loaded = coco.COCO(str(tmp_path / "out.json"))
    assert [a["caption"] for a in loaded.loadAnns(loaded.getAnnIds(imgIds=[1]))] == [
        "A dog runs on the beach.", "A brown dog near the sea. ",
    ]  # fmt: skip
