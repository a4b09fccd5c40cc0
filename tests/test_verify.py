"""What is written is read back and compared with what was promised, before it appears."""

import contextlib
from typing import Any, Literal, get_args, get_origin

import labelglot as lg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from labelglot.cli import main
from labelglot.errors import VerifyError
from labelglot.holds import EVERYTHING
from labelglot.images import BytesImage
from labelglot.schema import Annotation, Dataset, Polygon, Sample, Tag
from labelglot.storage import MemoryTarget
from labelglot.testing.strategies import datasets, png
from labelglot_coco.coco import Coco

FORMATS = [f for f in lg.registry.formats() if f.reads and f.writes]


def variants(model):
    """No option, then each value of each option that has a few."""
    yield {}
    for name, field in model.model_fields.items():
        kind = field.annotation
        values = get_args(kind) if get_origin(kind) is Literal else (True, False) if kind is bool else ()
        yield from ({name: value} for value in values)


CASES = [pytest.param(f, options, id=f"{f}-{options}" if options else str(f)) for f in FORMATS for options in variants(f.WriteOptions)]


@pytest.mark.parametrize(("format", "options"), CASES)
def test_no_format_breaks_its_promise(format, options, record_property):
    number = 0

    @settings(max_examples=8, deadline=None, database=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(datasets(EVERYTHING))
    def run(dataset):
        nonlocal number
        number += 1
        lg.write(dataset, MemoryTarget(), format=format, options=options, verify=True)

    run()
    record_property("verified", number)


@pytest.mark.parametrize("format", FORMATS, ids=str)
def test_images_of_one_name_in_two_splits_stay_two(format):
    objects = (Annotation(label="cat", box=(1.0, 2.0, 3.0, 4.0), shape=Polygon.of((1.0, 2.0, 3.0, 2.0, 3.0, 4.0))),)
    samples = [
        Sample(path="a.png", splits=(split,), size=size, annotations=objects, image=BytesImage("a.png", png(*size)))
        for split, size in (("train", (20, 10)), ("val", (30, 40)))
    ]
    target = MemoryTarget()
    lg.write(Dataset(samples, ["cat"]), target, format=format, verify=True)
    back = list(lg.read(target.written(), format=format))
    images = [sample.image.info() for sample in back if sample.image is not None]
    assert sorted((i.width, i.height) for i in images) in ([(20, 10), (30, 40)], [])


FOLDERS = ("images", "img", "Images", "JPEGImages", "Annotations", "annotations", "labels", "xmls", "masks", "SegmentationClass", "train", "data", "0")
"""Names by which readers tell labels, images and splits apart; images may lie in folders of such names, too."""
FLAT = [(f, {"layout": "flat"}) for f in FORMATS if "flat" in str(f.WriteOptions.model_fields.get("layout"))]


@pytest.mark.parametrize(("format", "options"), [*((f, {}) for f in FORMATS), *FLAT], ids=str)
def test_images_in_folders_of_any_name_stay_there_or_are_renamed(format, options):
    objects = (Annotation(label="cat", box=(1.0, 2.0, 3.0, 4.0), shape=Polygon.of((1.0, 2.0, 3.0, 2.0, 3.0, 4.0)), track=1),)
    for folders in (FOLDERS, *((each,) for each in FOLDERS), *((f"deep/{each}",) for each in FOLDERS)):
        names = [f"{folder}/{number}.png" for number, folder in enumerate(folders)]
        for images in (True, False):
            samples = [
                Sample(path=name, size=(20, 10), image=BytesImage(name, png(20, 10)) if images else None, annotations=objects, tags=(Tag(label="cat"),)) for name in names
            ]
            lg.write(Dataset(samples, ["cat"]), MemoryTarget(), format=format, options=options, verify=True)


def sample(path="a.png", *splits, boxes=2):
    objects = tuple(Annotation(label="cat", box=(i + 1.0, 2.0, i + 3.0, 4.0)) for i in range(boxes))
    return Sample(path=path, splits=splits, size=(64, 48), annotations=objects)


@pytest.mark.parametrize(("size", "step", "close"), [((64, 48), 1e-3, True), (None, 1e-7, True), (None, 1e-3, False)])
def test_what_is_close_depends_on_the_unit_not_on_the_number(size, step, close):
    """A thousandth of a pixel is nothing, even left of the first pixel's edge; a thousandth of an image is not."""

    class Shaky(Coco):
        id = "shaky"
        holds = Coco.holds.replace(relative=True)

        def encode(self, sample, context, ordinal):
            moved = tuple(a.replace(box=tuple(v + step for v in a.box)) for a in sample.annotations)
            return super().encode(sample.replace(annotations=moved), context, ordinal)

    box = Annotation(label="cat", box=(0.2, 0.3, 0.8, 0.9))
    dataset = Dataset([Sample(path="a.png", size=size, units="pixels" if size else "relative", annotations=(box,))], ["cat"])
    with contextlib.nullcontext() if close else pytest.raises(VerifyError, match="became"):
        lg.write(dataset, MemoryTarget(), format=Shaky(), verify=True)


class Liar(Coco):
    """Loses or bends what it was given."""

    id = "liar"
    lie = "drop"

    def encode(self, sample, context, ordinal):
        objects: Any = sample.annotations
        if self.lie == "drop":
            objects = objects[:-1]
        elif self.lie == "shift":
            objects = tuple(a.replace(box=tuple(v + 1 for v in a.box)) for a in objects)
        elif self.lie == "rename":
            objects = tuple(a.replace(label=None) for a in objects)
        elif self.lie == "image" and ordinal:
            return ()
        return super().encode(sample.replace(annotations=objects), context, ordinal)


class Silent(Liar):
    id = "silent"

    def encode(self, sample, context, ordinal):
        return ()

    def assemble(self, context, pieces):
        return ()


LIES = {
    "drop": "3 objects of class 'cat' in train instead of 4",
    "shift": r"train:a.png, object 0: box \(1.0, 2.0, 3.0, 4.0\) became \(2.0, 3.0, 4.0, 5.0\)",
    "rename": "0 objects of class 'cat'",
    "image": "train:b.png is gone",
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("name", ["out", "out.zip", "out.tar", "out.tar.gz", "out.json"])
def test_a_writer_that_lies_is_found_out(lie, name, tmp_path):
    liar = type("Liar", (Liar,), {"lie": lie})()
    dataset = Dataset([sample("a.png", "train", boxes=2), sample("b.png", "train", boxes=2 if lie != "drop" else 3)], ["cat"])
    pattern = LIES[lie] if name != "out.json" else "instead of|became|gone"
    with pytest.raises(VerifyError, match=pattern if lie != "drop" else "objects of class 'cat'") as error:
        lg.write(dataset, tmp_path / name, format=liar, verify=None)
    assert "not kept" in str(error.value) and "--no-verify" in str(error.value)
    assert list(tmp_path.iterdir()) == []
    lg.write(dataset, tmp_path / name, format=liar, verify=False)
    assert (tmp_path / name).exists()


def test_the_old_output_stays_if_the_new_one_is_wrong(tmp_path):
    dataset = Dataset([sample()], ["cat"])
    lg.write(dataset, tmp_path / "out", format="coco")
    with pytest.raises(VerifyError):
        lg.write(dataset, tmp_path / "out", format=Liar(), overwrite=True, verify=True)
    assert len(next(iter(lg.read(tmp_path / "out"))).annotations) == 2


def test_small_sets_are_verified_unless_told_not_to(tmp_path, monkeypatch, capsys):
    lg.write(Dataset([sample(f"{i}.png") for i in range(3)], ["cat"]), tmp_path / "in", format="coco")
    done = lg.convert(tmp_path / "in", tmp_path / "1", to="voc", images="none")
    assert (done.report.counts["samples.verified"], done.report.counts["annotations.verified"]) == (3, 6)
    assert "samples.verified" not in lg.convert(tmp_path / "in", tmp_path / "2", to="voc", verify=False).report.counts
    monkeypatch.setattr("labelglot.engine.verify.SMALL_SAMPLES", 2)
    assert "samples.verified" not in lg.convert(tmp_path / "in", tmp_path / "3", to="voc").report.counts
    assert main(["convert", str(tmp_path / "in"), str(tmp_path / "4"), "--to", "voc", "--verify"]) == 0
    assert "read back and compared: it is what was promised" in capsys.readouterr().err
    assert main(["convert", str(tmp_path / "in"), str(tmp_path / "5"), "--to", "voc", "--no-verify"]) == 0
    assert "read back" not in capsys.readouterr().err


def test_a_split_that_the_name_of_a_file_does_not_tell_is_a_loss(tmp_path):
    dataset = Dataset([sample("a.png", "train")], ["cat"])
    named = lg.write(dataset, tmp_path / "instances_train.json", format="coco", verify=True)
    assert "split" not in {line.code for line in named.report.losses()}
    plain = lg.write(dataset, tmp_path / "labels.json", format="coco", verify=True)
    assert "split" in {line.code for line in plain.report.losses()}
