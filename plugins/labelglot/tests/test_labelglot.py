"""The canonical format keeps everything."""

import labelglot as lg
from labelglot.formats.registry import Registry
from labelglot.schema import Annotation, Dataset, Label, Polygon, Sample, Tag
from labelglot_labelglot import Labelglot


def registry():
    made = Registry()
    made.register(Labelglot())
    return made


def dataset():
    objects = (
        Annotation(label="cat", box=(0.1, 2, 3, 4), score=0.5, id=0, attributes={"crowd": True, "code": "0001"}),
        Annotation(shape=Polygon(parts=(((0.0, 0.0, 1.0, 0.0, 1.0, 1.0),),)), extra={"x": {"y": [1]}}),
    )
    return Dataset(
        [
            Sample(
                path="a b/ü.jpg", id=7, size=(10, 20), splits=("train",), annotations=objects, tags=(Tag(label="cat"),)
            ),
            Sample(path="a b/ü.jpg", splits=("val",), annotations=()),
            Sample(path="c.jpg"),
        ],
        [Label(key="cat", name="cat", id=90), "unused"],
    )


def test_everything_returns(tmp_path):
    made = lg.write(dataset(), tmp_path / "out", format="labelglot", registry=registry())
    assert made.report.losses() == ()
    back = lg.read(tmp_path / "out", registry=registry())
    assert list(lg.compare(dataset(), back)) == []
    again = lg.write(back, tmp_path / "again", format="labelglot", registry=registry())
    name = "dataset.labelglot.jsonl"
    assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()
    assert again.report.counts["samples"] == 3


def test_bad_line_is_a_problem_with_its_place(tmp_path):
    lg.write(dataset(), tmp_path / "d.jsonl", format="labelglot", registry=registry())
    with (tmp_path / "d.jsonl").open("a") as stream:
        stream.write('{"path": 3}\n')
    made = lg.convert(tmp_path / "d.jsonl", tmp_path / "o.zip", to="labelglot", registry=registry())
    (line,) = made.report.problems()
    assert "d.jsonl:5" in line.sentence
    assert made.report.counts["samples"] == 3
