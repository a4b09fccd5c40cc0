"""IDX files and pickles: exact pixels, hostile files that do nothing, the quirks, and real data."""

import gzip
import io
import pickle
import struct
from pathlib import Path

import labelglot as lg
import numpy as np
import pytest
from labelglot.engine.convert import read, write
from labelglot.images import BytesImage, decode
from labelglot.report import Report
from labelglot.schema import Dataset, Label, Sample, Tag
from labelglot.storage import MemorySource, MemoryTarget
from labelglot.testing.travel import load, travel
from labelglot_arrays import Cifar, Mnist
from PIL import Image

DATA = Path(__file__).parent / "data"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples"
FORMATS = {f.id: f() for f in (Mnist, Cifar)}


def opened(id_, files):
    report = Report()
    dataset = read(MemorySource(files), format=FORMATS[id_], report=report)
    samples = list(dataset.read(report))
    return samples, dataset.labels, report


def codes(report):
    return {line.code.partition(".")[2]: line.count for line in report.problems()}


def tagged(samples):
    return {s.key: [t.label for t in s.tags] for s in samples}


def pixels(sample):
    return np.asarray(decode(sample.image.read()))


def image(array):
    out = io.BytesIO()
    Image.fromarray(array).save(out, "PNG")
    return BytesImage("x.png", out.getvalue())


def written(id_, dataset):
    target = MemoryTarget()
    report = write(dataset, target, format=FORMATS[id_]).report
    return target.content, report


GRAY = np.arange(2 * 784, dtype=np.uint8).reshape(2, 28, 28)
IDX = {
    "train-labels-idx1-ubyte": b"\0\0\x08\x01" + struct.pack(">I", 2) + bytes([5, 7]),
    "train-images-idx3-ubyte": b"\0\0\x08\x03" + struct.pack(">3I", 2, 28, 28) + GRAY.tobytes(),
}


@pytest.mark.parametrize("id_", FORMATS)
def test_the_example_is_written_as_it_was(id_):
    files = {p.relative_to(DATA / id_).as_posix(): p.read_bytes() for p in (DATA / id_).rglob("*") if p.is_file()}
    assert travel(load(files, FORMATS[id_])[0], FORMATS[id_]).files == files
    assert FORMATS[id_].detect(MemorySource(files)).confidence == 0.95


def test_mnist_values():
    samples, labels, report = opened("mnist", IDX)
    assert tagged(samples) == {"train:00000.png": ["5"], "train:00001.png": ["7"]} and not report.problems()
    assert [label.name for label in labels] == list("0123456789") and [label.id for label in labels] == list(range(10))
    assert all((pixels(s) == g).all() and s.size == (28, 28) for s, g in zip(samples, GRAY, strict=True))
    files, report = written("mnist", Dataset(samples, labels))
    assert {n.removesuffix(".gz"): gzip.decompress(d) for n, d in files.items() if n != "labels.txt"} == IDX
    assert not report.losses() and not report.problems()


def test_mnist_does_not_believe_counts_and_names():
    names = {
        "t10k-images.idx3-ubyte.gz": IDX["train-images-idx3-ubyte"].replace(struct.pack(">I", 2), struct.pack(">I", 1 << 31), 1),
        "t10k-labels.idx1-ubyte": gzip.compress(IDX["train-labels-idx1-ubyte"]),
    }
    samples, _, report = opened("mnist", names)
    assert tagged(samples) == {"test:00000.png": ["5"], "test:00001.png": ["7"]} and not report.problems()
    short = {**IDX, "train-images-idx3-ubyte": IDX["train-images-idx3-ubyte"][:-1]}
    samples, _, report = opened("mnist", short)
    assert [s.image is None for s in samples] == [False, True] and codes(report) == {"count": 1, "length": 1}
    samples, _, report = opened("mnist", {"train-labels-idx1-ubyte": IDX["train-labels-idx1-ubyte"]})
    assert tagged(samples) == {"train:00000.png": ["5"], "train:00001.png": ["7"]} and not report.problems()
    samples, _, _ = opened("mnist", {"train-images-idx3-ubyte": IDX["train-images-idx3-ubyte"]})
    assert [(s.tags, s.size) for s in samples] == [((), (28, 28))] * 2
    huge = {"train-images-idx3-ubyte": b"\0\0\x08\x03" + struct.pack(">3I", 1, 1 << 31, 1 << 31)}
    assert opened("mnist", huge)[0] == []


def test_emnist_names():
    files = {
        "emnist-letters-train-labels-idx1-ubyte": IDX["train-labels-idx1-ubyte"], "emnist-letters-mapping.txt": b"5 69 101\n6 70 102\n",
    }
    samples, labels, report = opened("mnist", files)
    assert tagged(samples) == {"train:00000.png": ["E"], "train:00001.png": ["class_7"]}
    assert [(label.name, label.id) for label in labels] == [("E", 5), ("F", 6), ("class_7", 7)] and codes(report) == {"label": 1}


def test_mnist_keeps_names_and_sizes_and_says_what_becomes_grey():
    color = np.zeros((3, 5, 3), np.uint8)
    samples = [
        Sample(path="a/one.png", image=image(color), tags=(Tag(label="x"),), annotations=()),
        Sample(path="two.png", image=image(GRAY[0]), annotations=()),
        Sample(path="gone.png", annotations=()),
    ]
    files, report = written("mnist", Dataset(samples, ["x"]))
    assert codes(report) == {"pixels": 1} and [line.code for line in report.losses() if line.severity != "info"] == ["sample.image"]
    back, _, _ = opened("mnist", files)
    assert [(s.path, s.size, [t.label for t in s.tags]) for s in back] == [("a/one.png", (5, 3), ["x"]), ("two.png", (28, 28), [])]
    assert (pixels(back[1]) == GRAY[0]).all()


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
def test_mnist_sample():
    dataset = lg.read(SAMPLES / "mnist")
    found = {(s.split, *[t.label for t in s.tags]) for s in dataset}
    assert found == {("train", "5"), ("train", "7"), ("test", "0"), ("test", "2"), ("test", "1")} and len(dataset) == 5
    assert all(s.size == (28, 28) and (pixels(s) == 1).all() for s in dataset)


RGB = np.arange(2 * 3072, dtype=np.int64).astype(np.uint8).reshape(2, 3072)


def batch(protocol=2, **more):
    return pickle.dumps({"labels": [1, 0], "filenames": ["a.png", "b.png"], "data": RGB, **more}, protocol)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_cifar_values(protocol):
    files = {"x/test_batch": batch(protocol), "x/batches.meta": pickle.dumps({b"label_names": ["cat", "dog"]}, protocol)}
    samples, labels, report = opened("cifar", files)
    assert tagged(samples) == {"test:a.png": ["dog"], "test:b.png": ["cat"]} and not report.problems()
    assert [(label.name, label.id) for label in labels] == [("cat", 0), ("dog", 1)]
    for sample, row in zip(samples, RGB, strict=True):
        assert (pixels(sample) == row.reshape(3, 32, 32).transpose(1, 2, 0)).all() and sample.size == (32, 32)


def test_cifar_writes_what_pickle_and_numpy_read():
    picture = RGB[0].reshape(3, 32, 32).transpose(1, 2, 0)
    samples = [Sample(path="ü.png", splits=("train",), image=image(picture), tags=(Tag(label="dog"),), annotations=())]
    files, report = written("cifar", Dataset(samples, ["cat", "dog"]))
    found = pickle.loads(files["cifar-10-batches-py/data_batch_1"], encoding="latin1")
    assert (found["data"] == RGB[:1]).all() and found["data"].dtype == np.uint8 and found["data"].shape == (1, 3072)
    assert found["labels"] == [1] and found["filenames"] == ["ü.png"] and not report.problems()
    assert pickle.loads(files["cifar-10-batches-py/batches.meta"], encoding="bytes")[b"label_names"] == [b"cat", b"dog"]


def test_cifar_100_has_classes_above_classes():
    labels = [Label(key="cat", name="cat", parent="pet"), Label(key="oak", name="oak", parent="tree"), Label(key="it", name="it")]
    samples = [
        Sample(path=f"{n}.png", splits=("test",), image=image(np.zeros((2, 3, 3), np.uint8)), tags=tags, annotations=())
        for n, tags in (("a", (Tag(label="oak"),)), ("b", ()))
    ]
    files, _ = written("cifar", Dataset(samples, labels))
    found = pickle.loads(files["cifar-100-python/test"], encoding="latin1")
    assert (found["fine_labels"], found["coarse_labels"], found["image_sizes"]) == ([1, None], [1, None], [(2, 3)] * 2)
    assert [len(row) for row in found["data"]] == [18, 18]
    back, again, report = opened("cifar", files)
    assert tagged(back) == {"test:a.png": ["oak"], "test:b.png": []} and not report.problems()
    assert [label.parent for label in again] == ["pet", "tree", None]


class Evil:
    ran = []

    def __reduce__(self):
        return Evil.ran.append, ("ran",)


def test_a_pickle_is_read_and_not_run():
    samples, _, report = opened("cifar", {"data_batch_1": batch(labels=[Evil(), 0], data=Evil())})
    assert Evil.ran == [] and samples == [] and "data" in codes(report)
    for evil in (b"\x80\x02cos\nsystem\nX\x04\0\0\0true\x85R.", b"\x80\x04\x8e" + b"\xff" * 8, b"\x80\x02K\1r\xff\xff\xff\xff0.", b"\x80\x02((."):
        samples, _, report = opened("cifar", {"data_batch_1": evil})
        assert samples == [] and codes(report) == {"batch": 1}


def test_cifar_batches_of_the_wild():
    files = {
        "data_batch_1": batch(labels=[12, None]), "data_batch_2": batch(filenames=[b"/x/a.png"]), "file.txt~": b"\x80\x02junk",
        "test_batch": batch(data=np.zeros((2, 7), np.uint8)), "readme.html": b"",
    }
    samples, labels, report = opened("cifar", files)
    assert list(tagged(samples).items()) == [
        ("train:a.png", ["class_12"]), ("train:b.png", []), ("train:x/a.png", ["automobile"]),
        ("train:data_batch_2_00001.png", ["airplane"]),
    ]
    assert codes(report) == {"count": 2, "data": 1, "label": 1} and len(labels) == 11


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
def test_cifar_samples():
    ten = lg.read(SAMPLES / "cifar" / "cifar10_dataset", format="cifar")
    assert tagged(ten) == {
        "train:image_1.png": ["airplane"], "test:image_2.png": ["automobile"], "test:image_3.png": ["cat"],
        "test:image_4.png": ["bird"], "test:image_5.png": ["cat"],
    }
    assert [label.name for label in ten.labels] == ["airplane", "automobile", "bird", "cat"]
    *ones, last = ten
    assert all(s.size == (32, 32) and (pixels(s) == 1).all() for s in ones)
    assert last.size == (2, 2) and pixels(last).tolist() == [[[1, 2, 3], [4, 5, 6]]] * 2
    hundred = lg.read(SAMPLES / "cifar" / "cifar100_dataset", format="cifar")
    assert [(label.name, label.parent) for label in hundred.labels] == [
        ("airplane", "air_object"), ("automobile", "ground_object"), ("bird", "air_object"),
    ]
    sizes = {s.key: s.size for s in hundred}
    assert [size for key, size in sizes.items() if key.startswith("train")] == [(8, 7), (5, 4), (5, 4)]
    assert [size for key, size in sizes.items() if key.startswith("test")] == [(32, 32), (32, 32), (2, 2)]
