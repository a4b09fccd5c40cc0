"""Formats whose paths are labels, formats that are nothing but images, and splits by the names of files."""

import pytest
from labelglot.formats.base import split_of_path
from labelglot.formats.table import first_rows
from labelglot.holds import Holds, LabelHolds, Naming, TagHolds
from labelglot.images import BytesImage
from labelglot.projection.project import project_dataset
from labelglot.schema import Annotation, Dataset, Sample, Tag
from labelglot.testing.strategies import png


def paths(holds, *samples):
    return [s.path for s in project_dataset(Dataset(samples, ["x/y", "b"]), holds).dataset]


def tagged(path, *labels):
    return Sample(path=path, tags=tuple(Tag(label=label) for label in labels), annotations=())


def test_images_go_into_the_folder_of_their_class():
    holds = Holds(labels=LabelHolds(names="[a-z_]+"), tags=TagHolds(), naming=Naming(class_folder="tag"))
    found = paths(holds, tagged("0.jpg", "x/y"), tagged("b/1.jpg", "b"), tagged("1.jpg", "b"), tagged("b/2.jpg"))
    assert found == ["x_y/0.jpg", "b/1.jpg", "b/1_2.jpg", "unlabeled/b/2.jpg"]


def test_images_go_into_some_folder():
    holds = Holds(geometry=(frozenset({"box"}),), naming=Naming(class_folder="object", no_class="none"))
    box = (Annotation(label="b", box=(1, 2, 3, 4)),)
    samples = [Sample(path="1.jpg", annotations=box), Sample(path="c/2.jpg", annotations=box), Sample(path="3.jpg", annotations=())]
    assert paths(holds, *samples) == ["b/1.jpg", "c/2.jpg", "none/3.jpg"]


def test_formats_that_are_their_images():
    with_image = Sample(path="a.png", image=BytesImage("a.png", png(4, 3)), annotations=())
    done = project_dataset(Dataset([with_image, Sample(path="b.png", annotations=())]), Holds(images=True))
    assert [s.path for s in done.dataset] == ["a.png"] and [loss.code for loss in done.losses] == ["sample.image"]


@pytest.mark.parametrize(
    ("path", "split"),
    [("train.csv", "train"), ("x/valid/_annotations.txt", "valid"), ("competition_test.csv", "test"), ("a_labels.csv", None), ("val_labels.csv", "val")],
)
def test_splits_by_name(path, split):
    assert split_of_path(path, starts=("competition_",), ends=("_labels",)) == split


def test_first_rows_leave_out_what_is_cut_off():
    assert first_rows(b"a,b\n1,2\n3,") == [["a", "b"], ["1", "2"]]
    assert first_rows(b"a,b") == [["a", "b"]] and first_rows(b"") == []
