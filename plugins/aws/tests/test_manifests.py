"""Manifests of SageMaker Ground Truth and Rekognition Custom Labels."""

import json
from pathlib import Path

import labelglot as lg
import numpy as np
import pytest
from labelglot.detection import candidates
from labelglot.engine.convert import read, write
from labelglot.formats.registry import Registry
from labelglot.geometry import decode_string, mask_bounds
from labelglot.images import encode_color
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Label, Sample, Tag
from labelglot.storage import MemorySource, MemoryTarget
from labelglot.testing import conformance
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, travel
from labelglot_aws import Rekognition, SageMaker

DATA = Path(__file__).parent / "data"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "sagemaker"
SAGEMAKER, REKOGNITION = SageMaker(), Rekognition()


def metadata(type, **more):
    about = {"type": f"groundtruth/{type}", "human-annotated": "yes", "creation-date": "2024-01-01T00:00:00", "job-name": "j"}
    return {**about, **more}


def boxes(*items, names=None, objects=(), size=(64, 48)):
    value = {"image_size": [{"width": size[0], "height": size[1], "depth": 3}] if size else [], "annotations": list(items)}
    return {"bb": value, "bb-metadata": metadata("object-detection", objects=list(objects), **{"class-map": names or {"0": "cat"}})}


def box(left=1, top=2, width=3, height=4, class_id=0, **more):
    return {"class_id": class_id, "left": left, "top": top, "width": width, "height": height, **more}


def opened(*lines, format=SAGEMAKER, files=None, **options):
    text = "\n".join(line if isinstance(line, str) else json.dumps({"source-ref": "s3://b/d/a.jpg", **line}) for line in lines)
    report = Report()
    dataset = read(MemorySource({"a.manifest": text.encode(), **(files or {})}), format=format, options=options, report=report)
    return list(dataset.read(report)), report


def codes(report):
    return {line.code: line.count for line in report.problems()}


def parsed(data):
    return [json.loads(line) for line in data.splitlines()]


def test_the_example_reads_with_exact_values():
    dataset = lg.read(DATA / "sagemaker", format="sagemaker")
    a, b, c = dataset
    assert (a.path, a.uri, a.size, a.splits) == ("set/a.jpg", "s3://bucket/set/a.jpg", (640, 480), ("train",))
    assert [(x.label, x.box, x.score) for x in a.annotations] == [("owl", (10, 20.5, 110, 70.5), 0.9), ("jay", (1.25, 2, 4.25, 6), None)]
    assert a.tags == (Tag(label="rain", score=0.5),) and a.extra["sagemaker"]["other"] == {"sku": 17}
    assert b.annotations == () and c.annotations is None
    assert [(label.name, label.id) for label in dataset.labels] == [("owl", 5), ("jay", 0), ("rain", 2)]


@pytest.mark.parametrize("format", [SAGEMAKER, REKOGNITION], ids=str)
def test_the_examples_are_written_as_they_were(format):
    files = {"train.manifest": (DATA / format.id / "train.manifest").read_bytes()}
    written = travel(load(files, format)[0], format).files
    assert parsed(written["train.manifest"]) == parsed(files["train.manifest"])


def test_rekognition_writes_presence_and_absence():
    _, b = lg.read(DATA / "rekognition", format="rekognition")
    assert [(t.label, t.negative, t.score) for t in b.tags] == [("sunrise", False, None), ("fog", True, None)]
    assert b.annotations is None
    a, _ = lg.read(DATA / "rekognition", format="rekognition")
    assert a.annotations[0].score is None and a.annotations[0].box == (86, 65, 306, 399)


def test_what_is_written_without_anything_known():
    sample = Sample(path="x/a.jpg", size=(64, 48), annotations=(Annotation(label="c", box=(1, 2, 4, 6.5)),))
    dataset = Dataset([sample], [Label(key="c", name="c", id=3)])
    write(dataset, target := MemoryTarget(), format=SAGEMAKER, options={"prefix": "s3://bucket/set/", "date": "D", "job": "J"})
    (line,) = parsed(target.content["annotations.manifest"])
    assert line == {
        "source-ref": "s3://bucket/set/x/a.jpg",
        "bounding-box": {
            "image_size": [{"width": 64, "height": 48, "depth": 3}],
            "annotations": [{"class_id": 3, "left": 1, "top": 2, "width": 3, "height": 4.5}],
        },
        "bounding-box-metadata": {
            "objects": [{}], "class-map": {"3": "c"}, "type": "groundtruth/object-detection", "human-annotated": "yes",
            "creation-date": "D", "job-name": "J",
        },
    }  # fmt: skip


def test_classes_without_numbers_count_from_zero():
    dataset = Dataset([Sample(path="a.jpg", annotations=tuple(Annotation(label=n, box=(0, 0, 1, 1)) for n in "ab"))], ["a", "b"])
    (line,) = parsed(travel(dataset, SAGEMAKER).files["annotations.manifest"])
    assert line["bounding-box-metadata"]["class-map"] == {"0": "a", "1": "b"}


def test_one_class_of_an_image():
    about = {"class-name": "dog", "confidence": 0.25}
    (sample,), report = opened({"species": "3", "species-metadata": metadata("image-classification", **about)})
    assert sample.tags == (Tag(label="dog", score=0.25),) and sample.annotations is None and not report.problems()
    write(Dataset([sample], ["dog"]), target := MemoryTarget(), format=SAGEMAKER, options={"classes": "single"})
    (line,) = parsed(target.content["annotations.manifest"])
    assert line["species"] == "0" and line["species-metadata"] == metadata("image-classification", **about)


def test_of_several_label_sets_the_last_is_read_and_the_others_stay():
    other = {key.replace("bb", "adjusted-bb"): value for key, value in boxes(box(9)).items()}
    line = {**boxes(box(1)), **other}
    line["adjusted-bb-metadata"]["objects"] = [{"confidence": 0.5}]
    (sample,), report = opened(line)
    assert [a.box[0] for a in sample.annotations] == [9] and codes(report) == {"sagemaker.attribute": 1}
    assert set(sample.extra["sagemaker"]["other"]) == {"bb", "bb-metadata"}
    (sample,), _ = opened(line, objects="bb")
    assert [a.box[0] for a in sample.annotations] == [1]
    assert codes(opened(line, objects="none")[1]) == {"sagemaker.option": 1, "sagemaker.attribute": 2}
    files = {"a.manifest": json.dumps({"source-ref": "a.jpg", **line}).encode()}
    trip = travel(load(files, SAGEMAKER)[0], SAGEMAKER)
    assert parsed(trip.files["annotations.manifest"]) == [{"source-ref": "a.jpg", **line}]
    assert [a.box[0] for s in trip.dataset for a in s.annotations] == [9]


def test_a_failed_job_keeps_the_image():
    (sample,), report = opened({"bb-metadata": {**metadata("object-detection"), "failure-reason": "no consensus"}})
    assert sample.annotations is None and codes(report) == {"sagemaker.failed": 1}
    assert "no consensus" in report.problems()[0].sentence


class Segmentation(SageMaker):
    class WriteOptions(SageMaker.WriteOptions):
        task: str = "segmentation"


TestSegmentation = conformance(Segmentation(), max_examples=10)


def test_masks_are_the_colours_of_a_picture():
    picture = np.full((4, 6), 0xFFFFFF)
    picture[1:3, 2:5], picture[3, :] = 0x2CA02C, 0x112233
    about = {
        "0": {"class-name": "BACKGROUND", "hex-color": "#ffffff", "confidence": 0.25}, "2": {"class-name": "tree", "hex-color": "#2ca02c", "confidence": 0.25},
        "7": {"class-name": "not there", "hex-color": "#000000", "confidence": 0.25},
    }  # fmt: skip
    line = {"seg-ref": "s3://out/m.png", "seg-ref-metadata": metadata("semantic-segmentation", **{"internal-color-map": about})}
    (sample,), report = opened(line, files={"m.png": encode_color(picture), "d/a.jpg": png(6, 4)})
    (a,) = sample.annotations
    assert a.label == "tree" and a.score == 0.25 and mask_bounds(decode_string(a.shape.rle), 4) == (2, 1, 5, 3)
    assert sample.size == (6, 4) and not report.problems()
    write(Dataset([sample], [Label(key="tree", name="tree", id=2)]), target := MemoryTarget(), format=SAGEMAKER, options={"task": "segmentation"})
    (again,) = parsed(target.content["annotations.manifest"])
    assert set(again["seg-ref-metadata"]["internal-color-map"]) == {"0", "2"} and again["seg-ref"] in target.content
    assert [s.annotations for s in load(target.content, SAGEMAKER)[0]] == [(a,)]


def test_other_kinds_of_labels_stay_as_they_are():
    line = {"seg-ref": "s3://b/m.png", "seg-ref-metadata": metadata("semantic-segmentation", **{"internal-color-map": {}})}
    line |= {"verify": "1", "verify-metadata": metadata("label-verification", **{"class-name": "good"})}
    (sample,), report = opened(line)
    assert sample.extra["sagemaker"]["other"] == line and codes(report) == {"sagemaker.mask": 1}
    (sample,), report = opened(line, files={"m.jpg": png(6, 4)})
    assert sample.annotations is None and codes(report) == {"sagemaker.mask": 1}
    video = {"v-ref": "s3://b/SeqLabel.json", "v-ref-metadata": metadata("video-object-tracking")}
    (sample,), report = opened(video)
    assert sample.extra["sagemaker"]["other"] == video and codes(report) == {"sagemaker.attribute": 1}


def test_scores_may_be_missing_and_classes_unnamed():
    (sample,), report = opened(boxes(box(), box(class_id=7), objects=[{"confidence": 0.5}]))
    assert [(a.label, a.score) for a in sample.annotations] == [("cat", 0.5), ("7", None)]
    assert codes(report) == {"sagemaker.class": 1}
    (sample,), report = opened(boxes({k: v for k, v in box().items() if k != "class_id"}))
    assert sample.annotations[0].label is None and codes(report) == {"sagemaker.class": 1}


def test_one_number_for_two_names():
    samples, report = opened(boxes(box()), {"source-ref": "b.jpg", **boxes(box(), names={"0": "dog"})})
    assert [s.annotations[0].label for s in samples] == ["cat", "dog"] and codes(report) == {"sagemaker.class-map": 1}


def test_the_same_image_twice_is_merged():
    (sample,), report = opened(boxes(box(1)), boxes(box(5)))
    assert [a.box[0] for a in sample.annotations] == [1, 5] and codes(report) == {"sagemaker.duplicate": 1}


def test_addresses_that_end_alike_are_two_images():
    samples, _ = opened({"source-ref": "s3://one/a.jpg"}, {"source-ref": "s3://two/a.jpg"})
    assert [s.path for s in samples] == ["a.jpg", "two/a.jpg"]


def test_images_at_hand_give_their_size():
    (sample,), report = opened(boxes(box(), size=(640, 480)), files={"d/a.jpg": png(64, 48)})
    assert sample.size == (64, 48) and sample.image is not None and codes(report) == {"sagemaker.size": 1}
    (sample,), _ = opened(boxes(box()), files={"a.jpg": png(64, 48)})
    assert (sample.path, sample.uri) == ("a.jpg", "s3://b/d/a.jpg")
    again = travel(Dataset([sample], ["cat"]), SAGEMAKER)
    assert parsed(again.files["annotations.manifest"])[0]["source-ref"] == "s3://b/d/a.jpg"
    assert [s.path for s in again.dataset] == ["a.jpg"]


def test_bad_lines_and_boxes_among_good_ones():
    bad = boxes(box(left="x"), box(), 7, box(left=float("nan")))
    samples, report = opened('{"source-ref": ', {"bb": 1, "bb-metadata": metadata("object-detection")}, {"source-ref": "b.jpg", **bad}, "[]", '{"a": 1}')
    assert [(s.path, len(s.annotations)) for s in samples] == [("d/a.jpg", 0), ("b.jpg", 1)]
    assert codes(report) == {
        "sagemaker.line": 2, "sagemaker.image": 1, "sagemaker.annotations": 1, "sagemaker.annotation": 2, "sagemaker.number": 1,
    }  # fmt: skip
    places = {e["place"] for line in report.problems() for e in line.examples}
    assert {"a.manifest:1", "a.manifest:3#bb.annotations[0]"} <= places


def test_unknown_fields_of_validation_results_return():
    line = {"source-ref": "a.jpg", "errors": [1], **boxes(box(error={"code": "ERROR_INVALID_BOUNDING_BOX"}))}
    files = {"a.manifest": json.dumps(line).encode()}
    for format in (SAGEMAKER, REKOGNITION):
        trip = travel(load(files, format)[0], format).files["annotations.manifest"]
        got = parsed(trip)[0]
        assert got["errors"] == [1] and got["bb"]["annotations"] == line["bb"]["annotations"]


def test_rekognition_says_what_the_service_refuses():
    a = Annotation(label="c", box=(-1.0, 0.0, 5.0, 5.0))
    dataset = Dataset([Sample(path="a.tif", annotations=(a,)), Sample(path="b.png", annotations=())], ["c"])
    done = write(dataset, MemoryTarget(), format=REKOGNITION)
    assert {line.code for line in done.report.problems()} == {"rekognition.image", "rekognition.size", "rekognition.box", "rekognition.empty"}


def test_splits_are_files():
    samples = [Sample(path="a.jpg", splits=("train",), annotations=()), Sample(path="b.jpg", splits=("validation",), annotations=())]
    files = travel(Dataset(samples, []), SAGEMAKER).files
    assert {"train.manifest", "validation.manifest"} <= set(files)


def test_detection():
    registry = Registry()
    registry.register(SAGEMAKER)
    registry.register(REKOGNITION)

    def found(*lines):
        text = "\n".join(json.dumps(line) for line in lines).encode()
        return [(c.format.id, c.confidence) for c in candidates(MemorySource({"x.manifest": text}), registry)]

    line = {"source-ref": "a.jpg"}
    pairs = {f"{n}{e}": v for n in "ab" for e, v in (("", 1), ("-metadata", metadata("image-classification")))}
    assert found({**line, **boxes(box())}) == [("sagemaker", 0.95), ("rekognition", 0.6)]
    assert found({**line, **pairs}) == [("rekognition", 0.95), ("sagemaker", 0.85)]
    assert found({"source": "a.jpg", "annotation": []}) == []


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
def test_real_manifests():
    dataset = lg.read(SAMPLES / "output.manifest", format="sagemaker", report=(report := Report()))
    samples = list(dataset.read(report))
    objects = [a for s in samples for a in s.annotations]
    assert len(samples) == 6 and len(objects) == 12 and not report.problems()
    assert [(label.name, label.id) for label in dataset.labels] == [("Bird", 0)]
    assert min(a.score for a in objects) == 0.75 and max(a.score for a in objects) == 0.93
    assert samples[0].size == (680, 1024) and samples[0].annotations[0].box == pytest.approx((138.8, 164.6, 582.6, 1023.6))
    files = {"output.manifest": (SAMPLES / "output.manifest").read_bytes()}
    assert parsed(travel(load(files, SAGEMAKER)[0], SAGEMAKER).files["annotations.manifest"])[0]["category-metadata"] == parsed(files["output.manifest"])[0]["category-metadata"]
    report = Report()
    dataset = lg.read(SAMPLES / "classification.manifest", format="sagemaker", report=report)
    (sample,) = dataset.read(report)
    assert sample.tags == (Tag(label="dog", score=0.0),) and codes(report) == {"sagemaker.text": 1}


def test_a_prefix_is_understood_both_ways(tmp_path):
    lg.convert(DATA / "sagemaker", tmp_path / "out", to="sagemaker", options={"prefix": "s3://new/deep/"}, verify=True)
    written = parsed((tmp_path / "out" / "train.manifest").read_bytes())
    assert [line["source-ref"] for line in written] == [f"s3://new/deep/set/{n}.jpg" for n in "abc"]
    again = lg.read(tmp_path / "out", format="sagemaker", options={"prefix": "s3://new/deep/"})
    assert [s.path for s in again] == ["set/a.jpg", "set/b.jpg", "set/c.jpg"]


def test_classes_without_a_name_are_classes_too():
    about = {"type": "groundtruth/image-classification", "confidence": 1}
    several = {"type": "groundtruth/image-classification-multilabel", "class-map": {"2": "rain"}}
    line = {"source-ref": "s3://b/a.jpg", "fog": 1, "fog-metadata": about, "sky": [2, 5], "sky-metadata": several}
    files = {"train.manifest": json.dumps(line).encode()}
    for format, names in ((SageMaker(), {"rain", "5"}), (Rekognition(), {"fog", "rain", "5"})):
        dataset, _ = load(files, format)
        (sample,) = dataset
        assert {tag.label for tag in sample.tags} == {label.key for label in dataset.labels} == names
        assert travel(dataset, format).files
