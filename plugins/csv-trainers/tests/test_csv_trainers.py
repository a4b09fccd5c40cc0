"""Tables and lists of training scripts: exact values of hand-made examples, the quirks, and real data."""

from pathlib import Path

import labelglot as lg
import pytest
from labelglot.detection import detect
from labelglot.engine.convert import read, write
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Label, Sample, Tag
from labelglot.storage import MemorySource, MemoryTarget, open_source
from labelglot.testing import conformance
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, travel
from labelglot_csv_trainers import (
    KaggleWheat,
    MulticlassCsv,
    MultilabelCsv,
    RetinanetCsv,
    Udacity,
    YoloKeras,
    Yolov4Pytorch,
)

DATA = Path(__file__).parent / "data"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples"
FORMATS = {f.id: f() for f in (RetinanetCsv, YoloKeras, Yolov4Pytorch, MulticlassCsv, MultilabelCsv, KaggleWheat, Udacity)}


def opened(id_, files, **options):
    if isinstance(files, str):
        files = {"t.txt" if "yolo" in id_ else "t.csv": files}
    report = Report()
    content = {name: text if isinstance(text, bytes) else text.encode() for name, text in files.items()}
    dataset = read(MemorySource(content), format=FORMATS[id_], options=options, report=report)
    samples = list(dataset.read(report))
    return samples, dataset.replace(samples=samples).complete().labels, report


def detected(where):
    return detect(open_source(where), lg.registry).id


def codes(report):
    return {line.code.partition(".")[2]: line.count for line in report.problems()}


def boxes(samples):
    return [[(a.label, a.box) for a in s.annotations] for s in samples]


def tagged(samples):
    return {s.path: [t.label for t in s.tags] for s in samples}


def written(id_, dataset, **options):
    target = MemoryTarget()
    outcome = write(dataset, target, format=FORMATS[id_], options=options)
    return {name: data.decode() for name, data in target.content.items()}, outcome.report


@pytest.mark.parametrize("id_", FORMATS)
def test_the_example_is_written_as_it_was(id_):
    folder = DATA / id_
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}
    assert travel(load(files, FORMATS[id_])[0], FORMATS[id_]).files == files


@pytest.mark.parametrize("id_", FORMATS)
def test_the_example_is_detected(id_):
    wanted = "yolo-keras" if id_ == "yolov4-pytorch" else id_
    assert detected(DATA / id_) == wanted


def test_retinanet_values():
    dataset = lg.read(DATA / "retinanet-csv", format="retinanet-csv")
    samples = list(dataset)
    assert [s.key for s in samples] == ["train:imgs/a.jpg", "train:imgs/b.jpg", "train:imgs/c.jpg"]
    assert boxes(samples) == [
        [("bolt", (10, 20, 110, 220))], [("nut, small", (5, 5, 55, 45)), ("bolt", (60, 0, 90, 30))], [],
    ]
    assert [(label.name, label.id) for label in dataset.labels] == [("bolt", 0), ("nut, small", 3)]


def test_retinanet_rows_of_the_wild():
    text = (
        "path,x1,y1,x2,y2,class\nC:\\data\\a.jpg,1.0,2,3.5,4,cat,more\nb.jpg, 1, 2, 3, 4, cat\nb.jpg,,,,,\nc.jpg,1,2,3\n"
        "c.jpg,5,6,5,8,new\n,1,2,3,4,cat\n"
    )
    samples, labels, report = opened("retinanet-csv", {"t.csv": text, "classes.csv": "0,cat\n1,dog\n1,pup\n2,dog\n"})
    assert boxes(samples) == [[("cat", (1, 2, 3.5, 4))], [("cat", (1, 2, 3, 4))], [("new", (5, 6, 5, 8))]]
    assert (samples[0].path, samples[0].uri) == ("data/a.jpg", "C:\\data\\a.jpg")
    assert [(label.name, label.id) for label in labels] == [("cat", 0), ("dog", 1), ("pup", 1), ("new", None)]
    assert codes(report) == {"number": 1, "row": 1, "box": 1, "classes": 2}


def test_retinanet_writes_what_its_reader_takes():
    thin, odd = Annotation(label="a", box=(1.1, 2, 1.2, 9.6)), Annotation(label="a", box=(5, 5, 3, 6))
    files, report = written("retinanet-csv", Dataset([Sample(path="a.jpg", annotations=(thin, odd))], [Label(key="a", name="a", id=-2)]))
    assert files == {"annotations.csv": "a.jpg,1,2,2,10,a\na.jpg,5,5,3,6,a\n", "classes.csv": "a,0\n"}
    assert codes(report) == {"box": 1} and any("labels.id" in line.code for line in report.losses())


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
def test_retinanet_sample():
    where = SAMPLES / "retinanet-csv"
    assert detected(where) == "retinanet-csv"
    dataset = lg.read(where)
    assert boxes(dataset) == [
        [("cow", (837, 346, 981, 456))], [("cat", (215, 312, 279, 391)), ("bird", (22, 5, 89, 84))], [],
    ]
    assert [(label.name, label.id) for label in dataset.labels] == [("cow", 0), ("cat", 1), ("bird", 2)]
    assert {s.path for s in dataset} == {f"data/imgs/img_00{i}.jpg" for i in (1, 2, 3)}


def test_keras_values():
    dataset = lg.read(DATA / "yolo-keras")
    assert [s.key for s in dataset] == ["train:a.jpg", "train:my image.jpg", "train:c.jpg"]
    assert boxes(dataset) == [
        [("head", (50, 100, 150, 200)), ("person", (30, 50, 200, 120))], [("helmet", (120, 300, 250, 600))], [],
    ]
    assert [(label.name, label.id) for label in dataset.labels] == [("head", 0), ("helmet", 1), ("person", 2)]
    assert [s.key for s in lg.read(DATA / "yolov4-pytorch", format="yolov4-pytorch")] == [
        "train:000049.jpg", "train:000080.jpg", "train:000081.jpg",
    ]


def test_keras_lines_of_the_wild():
    text = (
        "D:\\x\\a b.jpg 1,2,3,4,0  5,6,7,8,1 \r\nb.jpg \r\nb.jpg 12.5,3.0,14,9,0\r\n1,2,3,4,0\r\nc.jpg 9,9,1,1,7\r\n"
        "d.jpg 1,nan,3,4,0\r\n"
    )
    samples, labels, report = opened("yolo-keras", {"2007_train.txt": text, "model_data/voc_classes.txt": "cat\n\ndog\n"})
    assert [s.path for s in samples] == ["x/a b.jpg", "b.jpg", "c.jpg", "d.jpg"]
    assert boxes(samples)[:3] == [
        [("cat", (1, 2, 3, 4)), ("class_1", (5, 6, 7, 8))], [("cat", (12.5, 3, 14, 9))], [("class_7", (9, 9, 1, 1))],
    ]
    assert [(label.name, label.id) for label in labels] == [("cat", 0), ("class_1", 1), ("dog", 2), ("class_7", 7)]
    assert codes(report) == {"repeated": 1, "line": 1, "class": 1, "box": 1, "number": 1}


def test_keras_names_without_suffix():
    files = {"annotations.txt": "a 1,2,3,4,0\nb\n", "train.txt": "c 1,2,3,4,0\n", "classes.txt": "cat\n", "notes.txt": "see below\n"}
    samples, _, _ = opened("yolo-keras", files)
    assert [s.key for s in samples] == ["a", "b", "train:c"]


def test_keras_writes_whole_numbers_and_warns_of_blanks():
    objects = (Annotation(label="a", box=(1.4, 2.6, 3.5, 4.5)),)
    dataset = Dataset([Sample(path="a b.jpg", annotations=objects), Sample(path="c.jpg", annotations=())], ["a"])
    files, report = written("yolov4-pytorch", dataset)
    assert files == {"_annotations.txt": "a b.jpg 1,3,4,4,0\nc.jpg\n", "_classes.txt": "a\n"}
    assert codes(report) == {"path": 1}
    assert "c.jpg" not in written("yolov4-pytorch", dataset, empty_images=False)[0]["_annotations.txt"]


def test_multiclass_values():
    dataset = lg.read(DATA / "multiclass-csv").complete()
    assert tagged(dataset) == {"imgs/1.jpg": ["dog"], "imgs/2.jpg": ["cat"], "imgs/3.jpg": ["dog", "wet"], "imgs/4.jpg": []}
    assert [s.split for s in dataset] == ["train", "train", "val", "test"]
    assert [label.name for label in dataset.labels] == ["dog", "cat", "wet"]


def test_multiclass_tables_of_the_wild():
    files = {"images/0001.png": png(4, 3)}
    samples, _, _ = opened("multiclass-csv", {"t.csv": '\ufeff;Image_ID;Breed;age\r\n0;0001;"cat dog";7\r\n1;0002;nan;\r\n', **files}, label_separator=" ")
    assert tagged(samples) == {"0001.png": ["cat", "dog"], "0002": []}
    assert samples[0].size == (4, 3) and samples[0].tags[0].extra == {"multiclass-csv": {"age": "7"}}
    bare, _, _ = opened("multiclass-csv", "img1.jpg,cat\nimg2.jpg,dog\n")
    assert tagged(bare) == {"img1.jpg": ["cat"], "img2.jpg": ["dog"]}
    numbered, labels, _ = opened("multiclass-csv", {"t.csv": "id,label\na,1\nb,5\n", "classes.txt": "cat\ndog\n"})
    assert tagged(numbered) == {"a": ["dog"], "b": ["5"]} and {label.name for label in labels} == {"dog", "5"}
    named, _, _ = opened("multiclass-csv", "pic,what\na.jpg,x\n", file_column="pic", label_column="what")
    assert tagged(named) == {"a.jpg": ["x"]}


def test_multiclass_keeps_columns_it_does_not_know():
    text = b"filename,label,split,site,score\na.jpg,cat,train,A,0.5\nb.jpg,,,B,\n"
    dataset, _ = load({"t.csv": text}, FORMATS["multiclass-csv"])
    assert [t for s in dataset for t in s.tags] == [Tag(label="cat", score=0.5, extra={"multiclass-csv": {"site": "A"}})]
    files, report = written("multiclass-csv", dataset, scores=True)
    assert files["labels.csv"] == "filename,label,split,score,site\na.jpg,cat,train,0.5,A\nb.jpg,,,,B\n"
    assert report.losses() == ()


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
@pytest.mark.parametrize("table", ["ann.csv", "ann_wo_ext.csv"])
def test_multiclass_sample(table):
    dataset = lg.read(SAMPLES / "multiclass-csv" / table, format="multiclass-csv").complete()
    assert tagged(dataset) == {"1.jpg": ["dog"], "2.jpg": ["cat"], "3.jpg": ["dog"], "4.jpg": ["cat"], "5.jpg": ["cat"]}
    assert [label.name for label in dataset.labels] == ["dog", "cat"]
    assert all(s.image is not None and s.size == (15, 10) for s in dataset)


def test_multilabel_values_and_options():
    dataset = lg.read(DATA / "multilabel-csv")
    assert tagged(dataset) == {"img1.jpg": ["cat"], "img2.jpg": ["cat", "dog"], "img3.jpg": []}
    assert [label.name for label in dataset.labels] == ["cat", "dog", "bird"]
    text = "filename, cat, Unlabeled, sea\na.jpg, 1.0, 0, -1\nb.jpg, True, 1,\nc.jpg, 0.75, 0, x\nd.jpg, 1, 0\n"
    samples, labels, report = opened("multilabel-csv", text, unlabeled="Unlabeled", negatives=True, scores=True)
    assert [s.tags for s in samples] == [
        (Tag(label="cat"), Tag(label="sea", negative=True)), (Tag(label="cat"),), (Tag(label="cat", score=0.75),), (),
    ]
    assert [label.name for label in labels] == ["cat", "sea"] and codes(report) == {"cell": 1, "row": 1}
    with pytest.raises(lg.LabelglotError, match="two columns"):
        opened("multilabel-csv", "filename,cat,cat\na.jpg,1,0\n")
    said = Dataset([Sample(path="a.jpg", tags=(Tag(label="cat", negative=True),), annotations=())], ["cat", "dog"])
    assert written("multilabel-csv", said, negatives=True)[0]["_classes.csv"] == "filename,cat,dog\na.jpg,0,\n"


def test_other_tables_of_that_name_are_not_multilabel():
    for text in ("Pixel Value, Class\n0, background\n1, cat\n", "cat,0\ndog,1\n"):
        assert FORMATS["multilabel-csv"].detect(MemorySource({"_classes.csv": text.encode()})) is None


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")
def test_multilabel_samples():
    where = SAMPLES / "multilabel-csv"
    assert detected(where / "roboflow") == detected(where / "kaggle") == "multilabel-csv"
    found = {s.key: [t.label for t in s.tags] for s in lg.read(where / "roboflow")}
    assert found == {"train:train_001.jpg": ["label_0"], "train:train_002.jpg": ["label_1"], "val:val_001.jpg": ["label_0", "label_1"]}
    for table in ("ann.csv", "ann_wo_ext.csv"):
        dataset = lg.read(where / "kaggle" / table, format="multilabel-csv")
        assert list(tagged(dataset).values()) == [["dog"], ["cat"], ["person"], ["dog", "cat"], ["dog", "person"], ["cat", "person"]]
        assert [s.path for s in dataset] == [f"{i}.jpg" for i in range(1, 7)] and all(s.image for s in dataset)


def test_wheat_values():
    dataset = lg.read(DATA / "kaggle-wheat")
    assert boxes(dataset) == [[("wheat_head", (99, 692, 160, 764)), ("wheat_head", (641, 27, 697, 115))], []]
    assert [s.attributes for s in dataset] == [{"domain": "Arvalis_1"}, {"domain": "NAU_2"}]
    assert [s.key for s in dataset] == ["train:4563856782d1.png", "train:77a2aa01.png"]


OF_2020 = (
    'image_id,width,height,bbox,source\nb6,1024,1024,"[834.0, 222.0, 56.0, 36.0]",usask_1\n'
    'b6,1024,1024,"[226.0,548.0,130.0,58.0]",usask_1\nc7,1024,1024,"[1, 2, x]",usask_1\n'
)


def test_wheat_of_2020():
    files = {"train.csv": OF_2020, "train/b6.jpg": png(1024, 1024)}
    (b6, c7), labels, report = opened("kaggle-wheat", files)
    assert (b6.path, b6.size, b6.attributes, b6.splits) == ("b6.jpg", (1024, 1024), {"source": "usask_1"}, ("train",))
    assert [a.box for a in b6.annotations] == [(834, 222, 890, 258), (226, 548, 356, 606)] and c7.annotations == ()
    assert codes(report) == {"box": 1} and [label.name for label in labels] == ["wheat_head"]
    back, lost = written("kaggle-wheat", Dataset([b6.replace(image=None)], labels), release="2020")
    assert back["train.csv"] == OF_2020.replace("[226.0,548.0,130.0,58.0]", "[226.0, 548.0, 130.0, 58.0]").partition("c7")[0]
    assert [line.code for line in lost.losses()] == ["path.renamed"]
    (again, _), labels, _ = opened("kaggle-wheat", files, source_is_label=True)
    assert {a.label for a in again.annotations} == {"usask_1"}


def test_wheat_submissions():
    (one,), _, _ = opened("kaggle-wheat", "image_id,PredictionString\na,0.9 1 2 3 4 0.5 5 6 7 8\n")
    assert [(a.box, a.score) for a in one.annotations] == [((1, 2, 4, 6), 0.9), ((5, 6, 12, 14), 0.5)]
    (two,), _, report = opened("kaggle-wheat", "image_name,PredString,domain\na.png,1 2 3 4 0.9;5 6 7 8 0.5;1 2,A\n")
    assert [(a.box, a.score) for a in two.annotations] == [((1, 2, 3, 4), 0.9), ((5, 6, 7, 8), 0.5)]
    assert codes(report) == {"box": 1}


def test_wheat_takes_other_classes_for_wheat_and_says_so():
    objects = (Annotation(label="ear", box=(1, 2, 3, 4)),)
    _, report = written("kaggle-wheat", Dataset([Sample(path="a.jpg", annotations=objects)], ["ear"]))
    assert [line.code for line in report.losses()] == ["labels.only"]


CROWDAI = "xmin,xmax,ymin,ymax,Frame,Label,Preview URL\n785,533,905,644,1.jpg,Car,http://crowdai.com/x\n89,551,291,680,1.jpg,Truck,\n"


def test_udacity_values():
    car, light = lg.read(DATA / "udacity")
    assert car.annotations == (Annotation(label="car", box=(950, 574, 1004, 620)),)
    assert light.annotations == (
        Annotation(label="trafficLight", box=(888, 498, 910, 532), attributes={"occluded": True, "state": "Red"}),
    )


def test_udacity_crowdai_with_the_wrong_header():
    assert FORMATS["udacity"].detect(MemorySource({"labels_crowdai.csv": CROWDAI.encode()})).confidence == 0.95
    (frame,), labels, _ = opened("udacity", CROWDAI)
    assert boxes([frame]) == [[("Car", (785, 533, 905, 644)), ("Truck", (89, 551, 291, 680))]]
    files, report = written("udacity", Dataset([frame], labels), table="crowdai")
    right = CROWDAI.replace("xmin,xmax,ymin,ymax", "xmin,ymin,xmax,ymax")
    assert files["labels.csv"] == right and not report.losses()


def test_udacity_autti_saved_again():
    text = '1.jpg,1,2,3,4,1,"traffic light, big",Red\n1.jpg,1,2,x,4,1,car\n"a b.jpg",5,5,4,4,0,car\n'
    (first, second), _, report = opened("udacity", text)
    assert first.annotations[0].attributes == {"occluded": True, "state": "Red"}
    assert boxes([first, second]) == [[("traffic light, big", (1, 2, 3, 4))], [("car", (5, 5, 4, 4))]]
    assert codes(report) == {"number": 1, "box": 1}




def test_unlisted_images():
    files = {"train.csv": OF_2020.partition("c7")[0], "train/b6.jpg": png(4, 3), "train/c8.jpg": png(4, 3), "test/d9.jpg": png(4, 3)}
    samples, _, _ = opened("kaggle-wheat", files, unlisted=True)
    assert {s.key: len(s.annotations) for s in samples} == {"train:b6.jpg": 2, "train:c8.jpg": 0}
    files = {"x/labels.csv": '1.jpg 1 2 3 4 0 "car"\n', "x/1.jpg": png(4, 3), "x/2.jpg": png(4, 3)}
    samples, _, _ = opened("udacity", files, unlisted=True)
    assert {s.key: len(s.annotations) for s in samples} == {"x/1.jpg": 1, "x/2.jpg": 0}


def test_classes_in_order_and_numbers_of_voc():
    _, labels, _ = opened("multiclass-csv", "id,label\na,dog\nb,cat\nc,dog\n", order="sorted")
    assert [label.name for label in labels] == ["cat", "dog"]
    (sample,), _, _ = opened("yolo-keras", "a.jpg 1,1,10,20,0\n", voc=True)
    assert sample.annotations[0].box == (0, 0, 10, 20)


class Wheat2020(KaggleWheat):
    class WriteOptions(KaggleWheat.WriteOptions):
        release: str = "2020"


class Crowdai(Udacity):
    class WriteOptions(Udacity.WriteOptions):
        table: str = "crowdai"


class Scores(MulticlassCsv):
    class WriteOptions(MulticlassCsv.WriteOptions):
        scores: bool = True


class Negatives(MultilabelCsv):
    class ReadOptions(MultilabelCsv.ReadOptions):
        negatives: bool = True

    class WriteOptions(MultilabelCsv.WriteOptions):
        negatives: bool = True


TestWheat2020 = conformance(Wheat2020(), max_examples=15)
TestCrowdai = conformance(Crowdai(), max_examples=15)
TestScores = conformance(Scores(), max_examples=15)
TestNegatives = conformance(Negatives(), max_examples=15)
