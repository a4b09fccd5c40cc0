"""TFRecord: one Example per image, the image inside; what the files of others look like."""

import gzip
import io
import pickle
import zipfile
import zlib
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.detection import candidates
from labelglot.engine.convert import read, write
from labelglot.errors import LabelglotError, OptionError
from labelglot.geometry import decode_string, encode_string
from labelglot.images import BytesImage
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Keypoints, Label, Mask, Sample, Tag
from labelglot.storage import MemorySource, MemoryTarget
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, store, travel
from labelglot_tensorflow import EfficientDet, TfRecord, example, records
from labelglot_tensorflow.example import Feature
from labelglot_tensorflow.splits import split_of, stem_for

HERE = Path(__file__).parent
DATA = HERE / "data" / "tfrecord"
SAMPLES = HERE.parents[2].parent / "shared" / "samples" / "tfrecord"
FORMAT = TfRecord()
OBJECT = "image/object/"
MAP = b"item { id: 1 name: 'cat' }\nitem { id: 2 name: 'dog' }\n"


def ints(*values):
    return Feature("int", values)


def floats(*values):
    return Feature("float", values)


def texts(*values):
    return Feature("bytes", [v.encode() if isinstance(v, str) else v for v in values])


def record(name="a.jpg", boxes=((0.25, 0.5, 0.5, 1.0),), size=(64, 48), **more):
    """A record of an image with boxes (xmin, ymin, xmax, ymax); further features with ``__`` for ``/``."""
    features = {}
    if name is not None:
        features["image/filename"] = texts(name)
    if size is not None:
        features |= {"image/width": ints(size[0]), "image/height": ints(size[1])}
    for i, corner in enumerate(("xmin", "ymin", "xmax", "ymax")):
        features[f"{OBJECT}bbox/{corner}"] = floats(*(box[i] for box in boxes))
    features[OBJECT + "class/label"] = ints(*[1] * len(boxes))
    features |= {key.replace("__", "/"): value for key, value in more.items()}
    return records.framed(example.encode({key: value for key, value in features.items() if value is not None}))


def opened(files, **options):
    report = Report()
    dataset = read(MemorySource(files), format=FORMAT, options=options, report=report)
    return list(dataset.read(report)), report, dataset


def of_records(*made, **options):
    return opened({"train.tfrecord": b"".join(made), "label_map.pbtxt": MAP}, **options)


def codes(report):
    return {line.code: line.count for line in report.problems()}


def places(report):
    return [example["place"] for line in report.problems() for example in line.examples]


def written(files, name="data.tfrecord"):
    """The features of the records of a file that was written."""
    data = files[name]
    found = []
    for frame in records.frames(io.BytesIO(data), len(data), True, pytest.fail):
        message = data[frame.offset : frame.offset + frame.length]
        found.append({key: example.decode(message, span) for key, span in example.spans(message).items()})
    return found


def test_the_example_reads_with_exact_values():
    dataset = lg.read(DATA)
    assert [(x.name, x.id, x.keypoints) for x in dataset.labels] == [
        ("dog", 1, None), ("Cat", 2, None), ("bird", 5, ("beak", "tail")),
    ]  # fmt: skip
    one, two = dataset
    assert (one.key, one.id, one.size) == ("train:img 1.png", "0007", (20, 10))
    cat, dog = one.annotations
    assert (cat.label, cat.box, cat.attributes) == ("Cat", (5.0, 2.5, 10.0, 7.5), {"crowd": True, "age": 3})
    assert (dog.label, dog.box) == ("dog", (10.0, 0.0, 20.0, 5.0))
    assert dog.attributes == {"difficult": True, "pose": "Left", "age": 0}
    assert dog.extra["tfrecord"][OBJECT + "class/multiclass_scores"] == [0.5, 0.75, 0.25]
    assert cat.extra["tfrecord"][OBJECT + "area"] == 25.0
    assert one.tags == (Tag(label="dog"), Tag(text="a cat"))
    assert (two.key, two.annotations, two.size) == ("train:dir/ü.png", (), (5, 5))
    assert [s.image.read() for s in dataset] == [png(20, 10), png(5, 5)]


def test_the_example_returns_to_the_same_features():
    before = [f for i in range(2) for f in written(
        {path.name: path.read_bytes() for path in DATA.iterdir()}, f"coco_train.record-0000{i}-of-00002")]  # fmt: skip
    files, _ = store(read(DATA, format=FORMAT), FORMAT)
    after = written(files, "train.tfrecord")
    for old, new in zip(before, after, strict=True):
        new = {key: Feature(f.kind, list(f.values)) for key, f in new.items()}
        added = new.keys() - old.keys()
        assert added <= {"image/key/sha256", *(f"{OBJECT}bbox/{c}min" for c in "xy"), *(f"{OBJECT}bbox/{c}max" for c in "xy"),
                         OBJECT + "class/label", OBJECT + "class/text"}  # fmt: skip
        assert {key: new[key] for key in old} == old
    assert b"name: '/m/01yrx'\n  display_name: 'Cat'" in files["label_map.pbtxt"]


def test_the_smallest_record_of_the_format_description():
    made = record(
        "a.jpg", [(0.2, 0.2, 0.5, 0.4)], (10, 5), image__source_id=texts("1"), image__format=texts("jpeg"),
        image__encoded=texts(b"\xff\xd8"), image__object__class__text=texts("label_0"),
    )  # fmt: skip
    (sample,), _, dataset = opened({"x.record": made, "label_map.pbtxt": b"item {\n  id: 1\n  name: 'label_0'\n}"})
    assert sample.annotations[0].box == pytest.approx((2, 1, 5, 2), abs=1e-6)
    assert (sample.annotations[0].label, sample.splits, sample.id) == ("label_0", (), "1")
    assert [label.id for label in dataset.labels] == [1]


def test_images_are_read_from_the_file_when_asked_and_pickle_small():
    image = png(640, 480) + bytes(200_000)
    samples, _, _ = of_records(record(image__encoded=texts(image)), record("b.jpg", image__encoded=texts(image)))
    source = MemorySource({})
    for sample in samples:
        handle = sample.image
        assert handle.info()[:2] == (640, 480)
        content, handle.source = handle.source, source
        assert len(pickle.dumps(handle)) < 2000
        handle.source = content
        assert pickle.loads(pickle.dumps(handle)).read() == image


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_compressed_files_are_read(pack):
    data = record(image__encoded=texts(png(64, 48))) + record("b.jpg", image__encoded=texts(png(3, 2)))
    (a, b), report, _ = opened({"val.tfrecord": pack(data)})
    assert (a.image.read(), b.image.read()) == (png(64, 48), png(3, 2))
    assert not codes(report)
    assert FORMAT.detect(MemorySource({"val.tfrecord": pack(data)})).confidence > 0.9
    (kept,), report, _ = opened({"val.tfrecord": pack(data)[:-20]})
    assert kept.path == "a.jpg" and codes(report).keys() == {"tfrecord.truncated", "tfrecord.file"}


@pytest.mark.parametrize("length", [0x0178, 0x9C78, 0x8B1F])
def test_a_length_that_looks_like_the_sign_of_a_packed_file(length):
    free = length - len(record(image__encoded=texts(b""))) - 16
    made = next(m for n in range(free, free + 40) if len(m := record(image__encoded=texts(bytes(n)))) == length + 16)
    (s,), report, _ = opened({"val.tfrecord": made})
    assert s.path == "a.jpg" and not codes(report)
    assert FORMAT.detect(MemorySource({"val.tfrecord": made})).confidence > 0.9


def test_a_truncated_last_record_is_reported_and_the_others_kept():
    data = record("a.jpg") + record("b.jpg")
    samples, report, _ = of_records(data[:-3])
    assert [s.path for s in samples] == ["a.jpg"]
    assert codes(report) == {"tfrecord.truncated": 1}
    assert places(report) == ["train.tfrecord#record 2"]
    assert report.skipped == 1


def test_a_record_that_changed_is_skipped_unless_the_check_is_off():
    data = bytearray(record("a.jpg") + record("b.jpg") + record("c.jpg"))
    at = bytes(data).index(b"b.jpg")
    data[at] = ord("x")
    samples, report, _ = of_records(bytes(data))
    assert [s.path for s in samples] == ["a.jpg", "c.jpg"]
    assert (codes(report), places(report)) == ({"tfrecord.record": 1}, ["train.tfrecord#record 2"])
    samples, report, _ = of_records(bytes(data), verify=False)
    assert [s.path for s in samples] == ["a.jpg", "x.jpg", "c.jpg"] and not codes(report)


def test_one_bad_record_among_good_ones():
    uneven = record("b.jpg", image__object__class__label=ints(1, 1))
    garbage = records.framed(b"\xff" * 40)
    samples, report, _ = of_records(record("a.jpg"), uneven, garbage, record("d.jpg"))
    assert [s.path for s in samples] == ["a.jpg", "d.jpg"]
    assert places(report) == ["train.tfrecord#record 2", "train.tfrecord#record 3"]
    assert all(line.severity == "error" for line in report.problems())


def test_text_counts_more_than_the_number():
    (s,), report, dataset = of_records(
        record(
            boxes=[(0, 0, 1, 1)] * 6, image__object__class__label=ints(1, 1, 2, 0, 7, 8),
            image__object__class__text=texts("cat", "dog", "", "", "bird", ""),
        )
    )  # fmt: skip
    assert [a.label for a in s.annotations] == ["cat", "dog", "dog", None, "bird", "8"]
    assert [(x.name, x.id) for x in dataset.labels] == [("cat", 1), ("dog", 2), ("bird", 7), ("8", 8)]
    assert dataset.labels_complete
    assert codes(report) == {"tfrecord.class": 1}


def test_names_in_any_encoding():
    (s,), _, _ = of_records(record(image__object__class__text=texts("Stra\xdfe".encode("latin-1"))))
    assert s.annotations[0].label == "Straße"


def test_without_label_map_the_records_tell_the_classes():
    _, _, dataset = opened({"train.record": record(image__object__class__text=texts("raccoon"))})
    assert [(x.name, x.id) for x in dataset.labels] == [("raccoon", 1)]


def test_each_file_has_the_nearest_label_map():
    files = {
        "train/x.tfrecord": record(), "train/x_label_map.pbtxt": b"item { name: 'cat' id: 1 }",
        "valid/x.tfrecord": record(), "valid/x_label_map.pbtxt": b"item { name: 'dog' id: 1 }",
    }  # fmt: skip
    samples, _, dataset = opened(files)
    assert [(s.split, s.annotations[0].label) for s in samples] == [("train", "cat"), ("valid", "dog")]
    assert [x.name for x in dataset.labels] == ["cat", "dog"]
    files = {"data/a.record": record(), "training/object-detection.pbtxt": b"item{ id: 1 name: 'far' }"}
    assert opened(files)[0][0].annotations[0].label == "far"


def test_a_broken_label_map_is_reported_and_the_records_still_read():
    (s,), report, _ = opened({"a.record": record(image__object__class__text=texts("x")), "label_map.pbtxt": b"item {"})
    assert s.annotations[0].label == "x" and not codes(report)
    (s,), report, _ = opened({"a.record": record(), "label_map.pbtxt": b"item { id: x }"})
    assert (s.annotations[0].label, codes(report)) == ("1", {"tfrecord.label_map": 1})


@pytest.mark.parametrize("declared", [None, (1, 1), (0, 0)])
def test_an_undeclared_size_is_that_of_the_image(declared):
    (s,), _, _ = of_records(record(size=declared, image__encoded=texts(png(40, 20))))
    assert (s.size, s.annotations[0].box) == ((40, 20), (10.0, 10.0, 20.0, 20.0))


def test_a_declared_size_counts_more_than_that_of_the_image():
    (s,), _, _ = of_records(record(size=(80, 40), image__encoded=texts(png(40, 20))))
    assert (s.size, s.annotations[0].box) == ((80, 40), (20.0, 20.0, 40.0, 40.0))


def test_without_any_size_coordinates_stay_fractions():
    (s,), _, _ = of_records(record(size=None))
    assert (s.size, s.units, s.annotations[0].box) == (None, "relative", (0.25, 0.5, 0.5, 1.0))


def test_images_beside_the_records_are_found():
    """Datumaro writes records without media beside a folder of images."""
    files = {"train.tfrecord": record(image__encoded=texts("")), "images/a.jpg": png(64, 48), "images/b.jpg": b""}
    (s,), _, _ = opened(files)
    assert (s.path, s.image.path) == ("a.jpg", "images/a.jpg")


def test_records_of_one_name_are_kept_apart():
    """PAINS 26: two records of one split with the same file name are two images."""
    files = {"train-00000-of-00002.tfrecord": record() + record(), "train-00001-of-00002.tfrecord": record(),
             "val.tfrecord": record()}  # fmt: skip
    samples, report, dataset = opened(files)
    assert [s.key for s in samples] == ["train:a.jpg", "train:a_2.jpg", "train:a_3.jpg", "val:a.jpg"]
    assert [e.key for e in dataset.index()] == [s.key for s in samples]
    assert codes(report) == {"tfrecord.duplicate": 2}


def test_images_without_name_get_one():
    samples, _, _ = of_records(
        record(None, image__source_id=texts("139"), image__format=texts("png")), record(None), record("../../up/x.jpg"),
        record("C:\\data\\y.jpg"),
    )  # fmt: skip
    assert [s.path for s in samples] == ["139.png", "train_000002.jpg", "up/x.jpg", "data/y.jpg"]
    assert [s.uri for s in samples] == [None, None, "../../up/x.jpg", "C:\\data\\y.jpg"]


def test_odd_numbers():
    nan, inf = float("nan"), float("inf")
    boxes = [(0.5, 0, 0.25, 1), (0, 0, 1.01, 1), (nan, 0, 1, 1), (0, 0, inf, 1), (0, 0, 1, 1)]
    (s,), report, _ = of_records(record(boxes=boxes, size=(4, 4)))
    assert [a.box for a in s.annotations] == [(2, 0, 1, 4), (0, 0, pytest.approx(4.04), 4), (0, 0, 4, 4)]
    assert codes(report) == {"tfrecord.inverted": 1, "tfrecord.outside": 1, "tfrecord.number": 2}


def test_lists_of_another_length_are_not_used():
    (s,), report, _ = of_records(record(image__object__is_crowd=ints(1, 0, 1), image__object__mask=texts("", "")))
    assert (s.annotations[0].attributes, s.annotations[0].shape) == ({}, None)
    assert codes(report) == {"tfrecord.lists": 2}


def test_values_of_another_kind_are_not_used():
    (s,), report, _ = of_records(record(image__object__difficult=texts("1")))
    assert s.annotations[0].attributes == {} and "tfrecord.type" in codes(report)


def test_masks_as_images_and_as_numbers():
    mask = Mask(width=3, height=2, rle=encode_string([2, 1, 3]))
    given = Sample(path="a.jpg", size=(3, 2), annotations=(
        Annotation(label="cat", box=(0, 0, 1, 1), shape=mask), Annotation(label="cat", box=(0, 0, 1, 1)),
        Annotation(label="cat", box=(0, 0, 1, 1), shape=Mask(width=3, height=2, rle=encode_string([6]))),
    ))  # fmt: skip
    trip = travel(Dataset([given], ["cat"]), FORMAT)
    assert [a.shape for a in trip.dataset.samples.samples[0].annotations] == [a.shape for a in given.annotations]
    (features,) = written(trip.files)
    assert len(features[OBJECT + "mask"].values) == 3, "a reader that stacks masks needs one for each object"
    assert features[OBJECT + "mask/given"].values == [1, 0, 1]
    numbers = [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    (s,), _, _ = of_records(record(boxes=[(0, 0, 1, 1)] * 2, size=(3, 2), image__object__mask=floats(*numbers)))
    assert [decode_string(a.shape.rle) for a in s.annotations] == [(2, 1, 3), (5, 1)]


def test_masks_of_other_tools_with_colours():
    from PIL import Image

    image = Image.new("RGBA", (3, 2), (0, 0, 0, 255))
    image.putpixel((1, 0), (0, 9, 0, 255))
    out = io.BytesIO()
    image.save(out, "PNG")
    made = record(size=(3, 2), boxes=[(0, 0, 1, 1)] * 2, image__object__mask=texts(out.getvalue(), b"no image"))
    (s,), report, _ = of_records(made)
    assert decode_string(s.annotations[0].shape.rle) == (2, 1, 3)
    assert s.annotations[1].shape is None and codes(report) == {"tfrecord.mask": 1}


def test_keypoints_of_objects_with_different_numbers():
    labels = [Label(key="person", name="person", keypoints=("nose", "neck")), Label(key="car", name="car")]
    box = (0.0, 0.0, 1.0, 1.0)
    given = Sample(path="a.jpg", size=(8, 8), annotations=(
        Annotation(label="person", box=box, keypoints=Keypoints(points=(1.0, 2.0, 3.0, 4.0), visibility=(2, 1))),
        Annotation(label="car", box=box),
        Annotation(label="car", box=box, keypoints=Keypoints(points=(5.0, 6.0, 1.0, 1.0, 0.0, 0.0), visibility=(1, 2, 0))),
        Annotation(label="person", box=box, keypoints=Keypoints(points=(7.0, 7.0, 0.0, 0.0))),
    ))  # fmt: skip
    trip = travel(Dataset([given], labels), FORMAT)
    assert [a.keypoints for a in trip.dataset.samples.samples[0].annotations] == [a.keypoints for a in given.annotations]
    (features,) = written(trip.files)
    assert len(features[OBJECT + "keypoint/x"].values) == 4 * 3
    assert [label.keypoints for label in trip.dataset.labels] == [("nose", "neck"), None]


def test_regular_keypoints_need_no_list_of_their_own():
    made = record(
        boxes=[(0, 0, 1, 1)] * 2, size=(8, 8), image__object__keypoint__x=floats(0.5, 0.25, 0, 1),
        image__object__keypoint__y=floats(0, 0.5, 0, 1), image__object__keypoint__visibility=ints(2, 1, 0, 2),
        image__object__keypoint__num=ints(2, 1),
    )  # fmt: skip
    (s,), _, dataset = of_records(made)
    assert [a.keypoints.points for a in s.annotations] == [(4.0, 0.0, 2.0, 4.0), (0.0, 0.0, 8.0, 8.0)]
    (features,) = written(store(dataset, FORMAT)[0], "train.tfrecord")
    assert OBJECT + "keypoint/given" not in features
    assert features[OBJECT + "keypoint/num"].values == [2, 1]


def test_tags_keep_scores_order_and_absence():
    tags = (Tag(text="first"), Tag(label="dog", negative=True, score=0.5), Tag(label="cat"), Tag(label="cat", score=0.25))
    trip = travel(Dataset([Sample(path="a.jpg", tags=tags, annotations=())], ["cat", "dog"]), FORMAT)
    assert trip.dataset.samples.samples[0].tags == tags
    (features,) = written(trip.files)
    assert features["image/neg_category_ids"].values == [2]
    assert features["image/class/label"].values == [1, 1]


def test_unknown_features_return_unchanged():
    more = {
        "image__object__densepose__num": ints(2), "image__object__weird": texts(b"\xff\x00"),
        "image__additional_channels__encoded": texts(b"\x89\xff"), "image__object__densepose__x": floats(0.5, 0.25),
        "image__numbers": ints(-1, 2), "image__object__track__label": ints(7),
    }  # fmt: skip
    files = {"train.tfrecord": record(**more), "label_map.pbtxt": MAP}
    once, _ = store(load(files, FORMAT)[0], FORMAT)
    (features,) = written(once, "train.tfrecord")
    for key, value in more.items():
        found = features[key.replace("__", "/")]
        assert (found.kind, list(found.values)) == (value.kind, list(value.values))
    text = travel(load(files, FORMAT)[0], lg.registry.get("labelglot")).dataset
    assert store(text, FORMAT)[0] == once, "extras survive as JSON"


def test_classes_that_count_from_0_are_raised():
    """0 is TensorFlow's background: a table from 0 would lose its first class in training."""
    labels = [Label(key=name, name=name, id=i) for i, name in enumerate(("cat", "dog"))]
    sample = Sample(path="a.jpg", size=(8, 8), annotations=(Annotation(label="cat", box=(0, 0, 1, 1)),))
    files, report = store(Dataset([sample], labels), FORMAT)
    assert b"id: 1\n  name: 'cat'" in files["label_map.pbtxt"] and b"id: 0" not in files["label_map.pbtxt"]
    assert written(files)[0][OBJECT + "class/label"].values == [1]
    assert [line.code for line in report.losses() if line.code.startswith("labels")] == ["labels.id"]


def many(number=23, split=None, **more):
    return [
        Sample(path=f"{i:03d}.jpg", size=(8, 8), splits=(split,) if split else (), id=str(i), annotations=(), **more)
        for i in range(number)
    ]


def names_in(files, stem):
    return {name: [f["image/filename"].values[0].decode() for f in written(files, name)] for name in sorted(files)
            if name.startswith(stem)}  # fmt: skip


@pytest.mark.parametrize("chunk", [1, 7, 500])
def test_shards_do_not_depend_on_how_work_is_cut(chunk):
    samples = many(23, "train") + many(2, "val")
    files, _ = store(Dataset(samples), FORMAT, {"shards": 4}, chunk)
    found = names_in(files, "train")
    assert [len(v) for v in found.values()] == [5, 6, 6, 6]
    assert list(found) == [f"train-{i:05d}-of-00004.tfrecord" for i in range(4)]
    assert [name for names in found.values() for name in names] == [s.path for s in samples[:23]]
    assert [len(v) for v in names_in(files, "val").values()] == [0, 1, 0, 1]
    assert files == store(Dataset(samples), FORMAT, {"shards": 4})[0]
    back, report = load(files, FORMAT)
    assert [s.key for s in back] == [s.key for s in samples] and not report.skipped


def test_shards_of_a_size():
    files, _ = store(Dataset(many(23)), FORMAT, {"shard_size": 10})
    assert [len(v) for v in names_in(files, "data").values()] == [10, 10, 3]
    with pytest.raises(OptionError, match="either shards or shard_size"):
        store(Dataset(many(1)), FORMAT, {"shard_size": 10, "shards": 2})


def test_without_images_the_records_hold_names_only(tmp_path):
    samples = [Sample(path="a.png", size=(8, 8), annotations=(), image=BytesImage("a.png", png(8, 8)))]
    target = MemoryTarget()
    write(Dataset(samples), target, format=FORMAT, images="none", registry=lg.registry)
    (features,) = written(target.content)
    assert features["image/encoded"].values == [b""] and features["image/format"].values == [b""]
    (features,) = written(store(Dataset(samples), FORMAT)[0])
    assert features["image/encoded"].values == [png(8, 8)] and features["image/format"].values == [b"png"]


def test_numbers_too_large_for_the_format_are_reported_not_written():
    samples = [Sample(path="a.png", annotations=(Annotation(box=(0, 0, 1e300, 1)),), size=(1, 1)), *many(1)]
    files, report = store(Dataset(samples), FORMAT)
    assert len(written(files)) == 1
    assert "tfrecord.write" in {line.code for line in report.problems()}


@pytest.mark.parametrize(
    ("folder", "stem", "split"),
    [
        ("", "train", "train"), ("", "valid", "valid"), ("", "coco_train2017", "train2017"), ("", "pascal-val", "val"),
        ("train", "cats", "train"), ("a/test", "x", "test"), ("train", "val", "val"), ("", "raccoon", None),
        ("", "split_fold 1", "fold 1"), ("", "train_val", None), ("data", "data", None), ("", "", None),
    ],
)  # fmt: skip
def test_what_split_a_file_stands_for(folder, stem, split):
    assert split_of(folder, stem) == split


@pytest.mark.parametrize("split", ["train", "Val", "fold 1", "split_x", "test-2", "7"])
def test_any_split_returns_from_its_file_name(split):
    assert split_of("", stem_for(split, "data")) == split


def test_detection():
    def best(files):
        return {m.format.id: m.confidence for m in candidates(MemorySource(files), lg.registry)}

    files = {"x.record": record(), "label_map.pbtxt": MAP}
    assert best(files)["tfrecord"] == 0.95
    assert best({"a.tfrecord": record(boxes=())[:0]}).get("tfrecord", 0) < 0.5
    tfds = {"d/1.0.0/x-train.tfrecord-00000-of-00001": record(), "d/1.0.0/features.json": b"{}",
            "d/1.0.0/dataset_info.json": b"{}"}  # fmt: skip
    assert best(tfds)["tfrecord"] < 0.5
    assert "tfrecord" not in best({"x.record": b"no record at all"})
    yaml = {"train-00000-of-00001.tfrecord": record(), "voc_config.yaml": b"num_classes: 3\nlabel_map: {1: cat, 2: dog}"}
    found = best(yaml)
    assert found["efficientdet"] > found["tfrecord"]
    assert "efficientdet" not in best({**yaml, "label_map.pbtxt": MAP})


def test_a_file_of_any_name_is_read_when_named(tmp_path):
    (tmp_path / "records.bin").write_bytes(record("é.jpg"))
    (tmp_path / "label_map.pbtxt").write_bytes(MAP)
    assert [s.path for s in lg.read(tmp_path / "records.bin")] == ["é.jpg"]
    with pytest.raises(LabelglotError):
        lg.read(tmp_path / "label_map.pbtxt", format="tfrecord")


def test_from_a_packed_zip_images_come_out_as_files(tmp_path):
    """tfrecord -> yolo writes the embedded images under their names, also from a compressed archive with workers."""
    with zipfile.ZipFile(tmp_path / "in.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train.tfrecord", b"".join(
            record(f"d/{i}.png", image__encoded=texts(png(64, 48) + bytes([i]))) for i in range(9)
        ))  # fmt: skip
        archive.writestr("label_map.pbtxt", MAP)
    lg.convert(tmp_path / "in.zip", tmp_path / "out", to="tfod-csv", workers=2)
    found = {p.name: p.read_bytes() for p in (tmp_path / "out").rglob("*.png")}
    assert found == {f"{i}.png": png(64, 48) + bytes([i]) for i in range(9)}


def test_efficientdet_reads_its_example():
    dataset = lg.read(HERE / "data" / "efficientdet")
    assert [(x.name, x.id) for x in dataset.labels] == [("cat", 1), ("no", 90)]
    (sample,) = dataset
    assert (sample.id, sample.key, sample.annotations[0].label) == (3, "val:a.png", "no")
    assert sample.annotations[0].attributes == {"crowd": True}
    assert sample.annotations[0].box == pytest.approx((1, 0, 2, 5), abs=1e-6)


def test_efficientdet_writes_its_settings():
    labels = [Label(key="cat", name="cat", id=1), Label(key="no", name="no", id=90)]
    samples = [Sample(path="a.jpg", size=(8, 8), id="x", annotations=(), splits=("val",))]
    files, _ = store(Dataset(samples, labels), EfficientDet(), {"shards": 2})
    assert files["efficientdet.yaml"] == b"num_classes: 91\nlabel_map: {1: cat, 90: 'no'}\n"
    assert sorted(files) == ["efficientdet.yaml", *(f"val-0000{i}-of-00002.tfrecord" for i in range(2))]
    (features,) = written(files, "val-00001-of-00002.tfrecord")
    assert features["image/source_id"].values == [b"1"], "evaluation needs a number"


def test_efficientdet_tells_ids_that_are_no_numbers_and_classes_known_to_the_trainer_only():
    report = Report()
    files = {"val-00000-of-00001.tfrecord": record(image__source_id=texts("a.jpg")), "c.yaml": b"label_map: coco"}
    dataset = read(MemorySource(files), format=EfficientDet(), report=report)
    assert [s.id for s in dataset.read(report)] == [None]
    assert codes(report) == {"efficientdet.label_map": 1, "efficientdet.source_id": 1}


needs_samples = pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")


@needs_samples
def test_raccoon_sample():
    dataset = lg.read(SAMPLES / "raccoon")
    samples = list(dataset)
    assert [s.path.removesuffix(".jpg") for s in samples] == [f"raccoon-{n}" for n in (127, 128, 106, 125, 143)]
    assert [s.size for s in samples] == [(253, 199), (259, 194), (269, 187), (259, 195), (259, 194)]
    assert [(x.name, x.id) for x in dataset.labels] == [("raccoon", 1)]
    assert all(len(s.annotations) == 1 and s.split == "test" and s.image.info()[:2] == s.size for s in samples)
    expected = [
        (0.494071, 0.296482, 0.837945, 0.829146), (0.293436, 0.448454, 0.733591, 0.762887),
        (0.115242, 0.112299, 0.840149, 0.780749), (0.050193, 0.030769, 0.972973, 0.974359),
        (0.065637, 0.149485, 0.918919, 0.835052),
    ]  # fmt: skip
    for sample, box in zip(samples, expected, strict=True):
        x0, y0, x1, y1 = sample.annotations[0].box
        w, h = sample.size
        assert (x0 / w, y0 / h, x1 / w, y1 / h) == pytest.approx(box, abs=1e-6)


@needs_samples
def test_raccoon_sample_returns_with_the_same_features():
    before = written({"t": (SAMPLES / "raccoon" / "test.record").read_bytes()}, "t")
    after = written(store(read(SAMPLES / "raccoon", format=FORMAT), FORMAT)[0], "test.tfrecord")
    for old, new in zip(before, after, strict=True):
        changed = {k for k in old if (old[k].kind, list(old[k].values)) != (new[k].kind, list(new[k].values))}
        assert changed <= {"image/format"}, "jpg is written as jpeg"


@needs_samples
def test_datumaro_sample():
    dataset = lg.read(SAMPLES / "datumaro")
    assert [x.name for x in dataset.labels] == [f"label_{i}" for i in range(10)]
    found = {s.split: s for s in dataset}
    boxes = {split: [(a.label, *a.box) for a in s.annotations] for split, s in found.items()}
    assert boxes == {
        "train": [("label_2", 0, 4, 4, 12), ("label_3", 0, 4, 4, 8), (None, 2, 4, 6, 8)],
        "val": [("label_3", 1, 2, 5, 4)], "test": [],
    }  # fmt: skip
    assert {split: s.size for split, s in found.items()} == {"train": (16, 16), "val": (8, 8), "test": (4, 5)}


@needs_samples
def test_roboflow_sample():
    found = {s.key: s for s in lg.read(SAMPLES / "datumaro-roboflow")}
    boxes = {key: [(a.label, *(round(v, 5) for v in a.box)) for a in s.annotations] for key, s in found.items()}
    assert boxes == {
        "train:train_001.jpg": [("label_0", 2, 1, 5, 2)], "train:train_002.jpg": [("label_1", 0, 0, 2, 4)],
        "val:val_001.jpg": [("label_0", 0, 0, 1, 2), ("label_1", 0, 0, 9, 1)],
    }  # fmt: skip
    assert all(s.id is None and s.image is None for s in found.values())
