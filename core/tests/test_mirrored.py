"""Images in one folder, annotation files in another; and attributes that a class says by itself."""

from labelglot.formats.base import Options, ReadContext
from labelglot.formats.mirrored import Mirrored
from labelglot.holds import Holds, LabelHolds
from labelglot.projection import project
from labelglot.report import Report
from labelglot.schema import Annotation, Sample
from labelglot.storage import MemorySource


class Plain(Mirrored):
    id, name = "plain", "Plain"
    file_folders = ("ann",)

    def parse(self, data, pair, report):
        return {"annotations": ()}

    def encode_file(self, sample, context):
        return b""


def pairs(*paths, format=Plain):
    report = Report()
    context = ReadContext(MemorySource(dict.fromkeys(paths, b"")), Options(), report)
    found = [(p.path, p.splits, p.annotation, p.image) for p in format().pairs(context)]
    return found, {line.code for line in report.problems()}


def test_the_same_path_below_both_folders():
    found, _ = pairs("images/x/a.b.jpg", "labels/x/a.b.txt", "images/y/a.b.jpg", "labels/c.txt", "notes/d.txt")
    assert found == [
        ("c", (), "labels/c.txt", None),
        ("x/a.b.jpg", (), "labels/x/a.b.txt", "images/x/a.b.jpg"),
        ("y/a.b.jpg", (), None, "images/y/a.b.jpg"),
    ]


def test_splits_are_folders_around_both():
    found, _ = pairs(
        "set/train/images/a.jpg", "set/train/labels/a.txt", "set/fold 1/labels/a.txt", "set/val/images/a.jpg"
    )
    assert [(path, splits) for path, splits, _, _ in found] == [
        ("fold 1/a", ()),
        ("a.jpg", ("train",)),
        ("a.jpg", ("val",)),
    ]


def test_other_names_of_folders_and_files_beside():
    assert pairs("Images/a.jpg", "ANN/a.txt")[0] == [("a.jpg", (), "ANN/a.txt", "Images/a.jpg")]
    assert pairs("a.jpg", "a.txt")[0] == [("a.jpg", (), "a.txt", "a.jpg")]
    assert pairs("pics/a.jpg", "labels/a.txt")[0] == [("pics/a.jpg", (), "labels/a.txt", "pics/a.jpg")]


def test_two_files_for_one_image():
    found, problems = pairs("images/a.jpg", "ann/a.txt", "labels/a.txt")
    assert found == [("a.jpg", (), "labels/a.txt", "images/a.jpg")] and problems == {"plain.duplicate"}


def test_files_in_the_folder_around_the_images():
    class Around(Plain):
        file_folder, file_folders, prefix = "", (), "gt_"

    found, _ = pairs("train/images/s/a.jpg", "train/s/gt_a.txt", "train/s/other.txt", format=Around)
    assert found == [("s/a.jpg", ("train",), "train/s/gt_a.txt", "train/images/s/a.jpg")]


def test_attributes_that_the_class_says():
    holds = Holds(geometry=(frozenset({"box"}),), labels=LabelHolds(names=r"\w+"), implied={"region": {"ignore": True}})
    objects = tuple(
        Annotation(label=label, box=(1, 2, 3, 4), attributes=said)
        for label, said in (("region", {"ignore": True}), ("region", {}), ("cat", {"ignore": True}), ("cat", {}))
    )
    done = project(Sample(path="a", annotations=objects), holds)
    assert [a.attributes for a in done.sample.annotations] == [{"ignore": True}, {"ignore": True}, {}, {}]
    assert [(loss.aspect, loss.object) for loss in done.losses] == [("attributes.ignore", 1), ("attributes.ignore", 2)]
