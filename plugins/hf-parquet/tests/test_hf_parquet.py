"""Parquet of the Hugging Face hub: both shapes of objects, embedded images, the quirks."""

import io
import json
from pathlib import Path

import labelglot as lg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from labelglot.engine.convert import read, write
from labelglot.images import BytesImage
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Sample, Tag
from labelglot.storage import MemorySource
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, store, travel
from labelglot_hf_parquet import HfParquet

DATA = Path(__file__).parent / "data" / "hf-parquet"
FORMAT = HfParquet()
PNG = png(6, 4)


def parquet(rows, features=None, schema=None, **more):
    table = pa.Table.from_pylist(rows, schema=schema)
    if features is not None:
        table = table.replace_schema_metadata({b"huggingface": json.dumps({"info": {"features": features}}).encode()})
    out = io.BytesIO()
    pq.write_table(table, out, **more)
    return out.getvalue()


def opened(files, **options):
    report = Report()
    dataset = read(MemorySource(files), format=FORMAT, options=options, report=report)
    samples = list(dataset.read(report))
    return samples, dataset.replace(samples=samples).complete().labels, report


def codes(report):
    return {line.code.partition(".")[2]: line.count for line in report.problems()}


def row(path="a.png", data=PNG, **more):
    return {"image": {"bytes": data, "path": path}, **more}


NAMES = {"_type": "ClassLabel", "names": ["cat", "dog"]}


def test_the_example_reads_and_is_written_again():
    files = {p.relative_to(DATA).as_posix(): p.read_bytes() for p in DATA.rglob("*.*")}
    assert list(files) and FORMAT.detect(MemorySource(files)).confidence == 0.9
    dataset, report = load(files, FORMAT)
    a, b = dataset
    assert a.annotations == (
        Annotation(label="dog", box=(2, 1, 5, 3), id=1, extra={"hf-parquet": {"pose": "up"}}),
        Annotation(label=None, box=(0.25, 0, 1, 1), attributes={"crowd": True}),
    )
    assert (a.key, a.id, a.size, a.tags, a.image.read()) == ("train:dir/a.png", 7, (6, 4), (Tag(text="hello"),), PNG)
    assert b.annotations == () and b.extra == {"hf-parquet": {"site": "B"}} and not report.problems()
    assert [(label.name, label.id) for label in dataset.labels] == [("cat", 0), ("dog", 1)]
    again, _ = load(travel(dataset, FORMAT).files, FORMAT)
    assert list(again) == list(dataset) and again.labels == dataset.labels


@pytest.mark.parametrize("shape", ["struct of lists", "list of structs", "text"])
def test_both_shapes_of_objects(shape):
    items = [{"bbox": [2.0, 1.0, 3.0, 2.0], "category": 1, "area": 6.0}, {"bbox": [0.0, 0.0, 1.0, 1.0], "category": -1, "area": 9.0}]
    lists = {name: [item[name] for item in items] for name in items[0]}
    objects = {"struct of lists": lists, "list of structs": items, "text": json.dumps(lists)}[shape]
    features = {"objects": {"feature": {"category": NAMES}, "_type": "List"}}
    (one, two), labels, report = opened({"data/test-00000-of-00001.parquet": parquet([row(objects=objects), row("b.png", objects=None)], features)})
    assert one.annotations == (
        Annotation(label="dog", box=(2, 1, 5, 3)), Annotation(box=(0, 0, 1, 1), extra={"hf-parquet": {"area": 9.0}}),
    )
    assert two.annotations == () and one.split == "test" and [label.name for label in labels] == ["cat", "dog"]
    assert not report.problems()


def test_names_of_images():
    rows = [row(None), row("a.png"), row("a.png"), row("/home/me/b.png"), row("c.jpg", None)]
    samples, _, _ = opened({"cfg/train/0000.parquet": parquet(rows), "cfg/validation/0000.parquet": parquet(rows[1:2]), "x/c.jpg": PNG})
    assert [s.key for s in samples] == [
        "train:train_0.png", "train:a.png", "train:train_2.png", "train:b.png", "train:c.jpg", "validation:a.png",
    ]
    assert all(s.size == (6, 4) for s in samples) and samples[3].uri == "/home/me/b.png"


def test_classes_and_captions_of_images():
    files = {"train.parquet": parquet([row(label=1, text="one", when=None), row("b.png", label=0, text=None)], {"label": NAMES})}
    (one, two), labels, _ = opened(files)
    assert one.tags == (Tag(label="dog"), Tag(text="one")) and two.tags == (Tag(label="cat"),)
    assert [(label.name, label.id) for label in labels] == [("cat", 0), ("dog", 1)]
    card = b"---\ndataset_info:\n  features:\n  - name: label\n    dtype:\n      class_label:\n        names:\n          '1': hound\nlicense: mit\n---\n"
    (one, two), _, _ = opened({"train.parquet": parquet([row(label=1), row("b.png", label=0)]), "README.md": card})
    assert [t.label for s in (one, two) for t in s.tags] == ["hound", "class_0"]


def test_columns_of_the_wild():
    rows = [
        row(mask={"bytes": PNG, "path": "m.png"}, width=4, height=6, objects={"bboxes": [[1.0, 1.0, 3.0, 2.0]], "labels": ["cat"]}),
        row("b.png", objects={"bboxes": [[1.0, 1.0, 3.0, 2.0]], "labels": ["cat", "dog"]}),
    ]
    (one, two), _, report = opened({"train.parquet": parquet(rows)}, bbox_format="xyxy")
    assert one.annotations == (Annotation(label="cat", box=(1, 1, 3, 2)),) and one.size == (6, 4) and two.annotations == ()
    assert codes(report) == {"column": 1, "size": 1, "objects": 1}
    bare = parquet([{"image": PNG, "label": "cat"}])
    (one,), _, _ = opened({"train.parquet": bare})
    assert (one.key, one.size, one.tags) == ("train:train_0.png", (6, 4), (Tag(label="cat"),))
    (one,), _, _ = opened({"train.parquet": parquet([{"image": "https://x.org/y/z.jpg", "label": "cat"}])})
    assert (one.path, one.uri, one.image) == ("z.jpg", "https://x.org/y/z.jpg", None)


def test_row_groups_and_shards():
    rows = [row(f"{i}.png", objects={"bbox": [[float(i), 0.0, 1.0, 1.0]], "category": [0]}) for i in range(7)]
    files = {f"data/train-0000{n}-of-00002.parquet": parquet(rows[n::2], row_group_size=2) for n in (0, 1)}
    samples, _, _ = opened(files)
    assert [s.path for s in samples] == [f"{i}.png" for i in (0, 2, 4, 6, 1, 3, 5)]
    assert [s.annotations[0].box[0] for s in samples] == [0, 2, 4, 6, 1, 3, 5] and all(s.image.read() == PNG for s in samples)


def test_many_rows_and_columns_of_other_types():
    extra = {"hf-parquet": {"n": 1, "t": "x", "m": [1, "two"]}}
    samples = [
        Sample(path=f"{i}.png", image=BytesImage("x", PNG), extra=extra if i % 2 else {}, annotations=()) for i in range(230)
    ]
    from labelglot.schema import Info

    info = Info(extra={"hf-parquet": {"columns": ["n", "t", "m"]}}, licenses=("mit",))
    files, _ = store(Dataset(samples, [], info), FORMAT)
    assert pq.ParquetFile(io.BytesIO(files["data/data-00000-of-00001.parquet"])).num_row_groups == 3
    back, _, report = opened(files)
    assert len(back) == 230 and back[1].extra == {"hf-parquet": {"n": 1, "t": "x", "m": '[1,"two"]'}} and back[0].extra == {}
    assert not report.problems()


def test_one_file_has_its_names(tmp_path):
    samples = [Sample(path="b.jpg", annotations=(Annotation(label="cat", box=(1, 2, 3, 4)),))]
    write(Dataset(samples, ["cat", "dog"]), tmp_path / "x.parquet", format=FORMAT)
    dataset = lg.read(tmp_path / "x.parquet")
    assert [label.name for label in dataset.labels] == ["cat", "dog"]
    assert [a.label for s in dataset for a in s.annotations] == ["cat"]


def test_damaged_files_and_other_tables():
    good = parquet([row()])
    samples, _, report = opened({"train.parquet": good, "val.parquet": good[:-9]})
    assert [s.key for s in samples] == ["train:a.png"] and codes(report) == {"file": 1}
    assert FORMAT.detect(MemorySource({"t.parquet": parquet([{"a": 1}])})) is None
    with pytest.raises(lg.LabelglotError):
        opened({"train.parquet": b"PAR1PAR1"})
