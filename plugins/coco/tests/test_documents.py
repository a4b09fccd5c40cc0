"""Generated documents. Those larger than memory are read as small ones are; what a target does not want is not decoded, and
what it writes as it was is handed on, and nobody can tell that from the result.
"""

import json
import multiprocessing
import os
import pickle
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import labelglot as lg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from labelglot.engine.reading import open_dataset
from labelglot.errors import LabelglotError
from labelglot.formats import base
from labelglot.formats.base import UNREAD
from labelglot.formats.registry import default_registry
from labelglot.holds import Holds
from labelglot.plugin import LabelHolds, Polygon, ReadContext
from labelglot.projection.project import project
from labelglot.report import Report
from labelglot.storage import MemorySource, MemoryTarget
from labelglot.testing.mutation import mutations
from labelglot.wire import json_large
from labelglot.wire.json import dump
from labelglot_coco import Coco, grouping, runs
from labelglot_coco.annotation import Classes, decode, encode, encode_plain
from labelglot_coco.plain import BoxColumns, decode_plain

DATA = Path(__file__).parent / "data"


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch):
    monkeypatch.setattr(json_large, "BLOCK", 7)
    monkeypatch.setattr(json_large, "ITEMS", 2)
    monkeypatch.setattr(grouping, "FEW", 3)


def seen(source, memory=None, **more):
    """Everything that can be seen of a dataset."""
    report = Report(1000)
    try:
        dataset = lg.read(source, report=report, memory=memory, **more)
    except LabelglotError as error:
        return type(error).__name__, str(error), report.problems()
    samples = list(dataset.read(report))
    overview = getattr(dataset.samples, "overview", None)
    return dataset.labels, dataset.info, samples, list(dataset.index()), overview, report.problems(), report.skipped


def same(source, **more):
    few, many = seen(source, 1, **more), seen(source, **more)
    for a, b in zip(few, many, strict=True):
        assert shown(a) == shown(b)


def shown(value):
    """NaN is not equal to itself, and images have addresses."""
    return re.sub(" at 0x[0-9a-f]+", "", repr(value))


IDS = st.one_of(st.integers(0, 4), st.sampled_from([1, 2, "1", "x", 1 << 64, (1 << 64) + 1, -(1 << 70), 1.0, None, True, [1]]))
NUMBERS = st.sampled_from([0, 1, 2.5, 1e300, float("nan"), float("inf"), -3, "4"])


def objects(**fields):
    usual = list(fields)[:3]
    rest = {name: value for name, value in fields.items() if name not in usual}
    full = st.fixed_dictionaries({name: fields[name] for name in usual}, optional=rest)
    return st.one_of(full, st.fixed_dictionaries({}, optional=fields))


GOOD = st.fixed_dictionaries(
    {"id": st.integers(1, 30), "image_id": st.integers(0, 3), "category_id": st.integers(1, 2),
     "bbox": st.tuples(*[st.integers(1, 9)] * 4), "iscrowd": st.integers(0, 1)}
)  # fmt: skip
IMAGES = st.one_of(
    st.just([{"id": i, "file_name": f"{i}.jpg", "width": 9, "height": 9} for i in range(4)]),
    st.lists(
        objects(id=IDS, file_name=st.sampled_from(["a.jpg", "b.jpg", "../c.jpg", "C:\\d.jpg", "", None, 'q"{[\\', "ü"]),
                width=NUMBERS, height=NUMBERS, more=st.sampled_from([None, [1, {"a": "]"}], float("nan")])), max_size=5),
)  # fmt: skip
ANNOTATIONS = st.one_of(
    st.lists(GOOD, max_size=6),
    st.lists(GOOD, max_size=6).map(lambda each: [{**a, "id": n} for n, a in enumerate(each, 1)]),
    st.lists(
        st.one_of(
            GOOD,
            objects(id=IDS, image_id=IDS, category_id=IDS, bbox=st.lists(NUMBERS, max_size=5),
                    segmentation=st.sampled_from([[], [[1, 2, 3, 4, 5, 6]], {"size": [2, 2], "counts": "04"}, {"counts": "\\\"}"}]),
                    more=st.sampled_from(["},{", '"', "\\", {"a": [{}, {}]}, float("nan")])),
            st.sampled_from([None, 1, "x", [], {}, ["},{"]]),
        ), max_size=8),
)  # fmt: skip
DOCUMENTS = st.fixed_dictionaries(
    {"images": IMAGES, "annotations": ANNOTATIONS},
    optional={"categories": st.just([{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}, {"name": "x"}]),
              "info": st.sampled_from([{"version": "1"}, None, [1]]), "other": st.sampled_from([{}, [1, [2]], "x", float("nan")])},
)  # fmt: skip
TEXTS = st.tuples(
    DOCUMENTS, st.permutations(["images", "annotations", "categories", "info", "other"]), st.sampled_from([None, 1]), st.booleans(),
    st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16"]),
).map(lambda d: json.dumps({k: d[0][k] for k in d[1] if k in d[0]}, indent=d[2], ensure_ascii=d[3]).encode(d[4]))
SLOW = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=int(os.environ.get("LABELGLOT_EXAMPLES", "60")))


@SLOW
@given(TEXTS, st.sampled_from(["coco", "coco-keypoints", "lvis", "coco-captions"]))
def test_generated_documents(text, format):
    same(MemorySource({"instances_train.json": text}), format=format)


@SLOW
@given(TEXTS, TEXTS, st.sampled_from(["train/a_train.json", "instances_val.json"]))
def test_several_documents(one, other, name):
    same(MemorySource({"instances_train.json": one, name: other}), format="coco")


@SLOW
@given(st.data(), TEXTS)
def test_damaged_documents(data, text):
    files = {"instances_train.json": text}
    same(MemorySource(data.draw(mutations(files))), format="coco")


@pytest.mark.parametrize("format", ["coco", "coco-captions", "coco-panoptic", "lvis"])
def test_the_examples(format):
    same(DATA / format, format=format)


def many(number=1200):
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 99, "height": 99} for n in range(number)]
    boxes = [{"id": n, "image_id": (n * 7) % number, "category_id": 1, "bbox": [1, 2, 3, 4], "area": 12, "iscrowd": 0} for n in range(2 * number)]
    return json.dumps({"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "cat"}]}).encode()


@pytest.fixture
def archive(tmp_path, request):
    path = tmp_path / request.param
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("instances_train.json", many(30))
    else:
        (tmp_path / "instances_train.json").write_bytes(many(30))
        with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as made:
            made.add(tmp_path / "instances_train.json", "instances_train.json")
    return path


@pytest.mark.parametrize("archive", ["a.zip", "a.tar", "a.tar.gz"], indirect=True)
def test_inside_archives(archive):
    same(archive, format="coco")
    dataset = lg.read(archive, memory=1)
    parts = pickle.loads(pickle.dumps(dataset.partitions(3)))
    assert [len(list(part.read(Report()))) for part in parts] == [10, 10, 10]
    later = pickle.dumps(dataset.partitions(1))
    del dataset, parts
    with pytest.raises(LabelglotError, match="keep the dataset"):
        list(pickle.loads(later)[0].read(Report()))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers(tmp_path, monkeypatch, method):
    monkeypatch.setattr(json_large, "BLOCK", 1 << 12)
    monkeypatch.setattr("labelglot.engine.executor._context", lambda: multiprocessing.get_context(method))
    (tmp_path / "instances_train.json").write_bytes(many())
    lg.convert(tmp_path, tmp_path / "a.json", to="coco", images="none")
    lg.convert(tmp_path / "instances_train.json", tmp_path / "b.json", to="coco", images="none", memory=1, workers=2)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dataset = lg.read(MemorySource({"a.json": many(5)}), format="coco", memory=1)
    assert len(list(dataset)) == len(list(dataset.fetch(["1.jpg", "3.jpg"]))) + 3
    assert list(tmp_path.iterdir())
    del dataset
    assert not list(tmp_path.iterdir())


def test_a_document_that_changes_is_said(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(many(20))
    dataset = lg.read(path, memory=1)
    path.write_bytes(b"{}")
    with pytest.raises(LabelglotError, match="shorter"):
        list(dataset)


PEAK = """
import resource, sys, labelglot as lg
from labelglot.memory import parse_size
dataset = lg.read(sys.argv[1], format="coco", memory=parse_size("8M"))
assert sum(len(sample.annotations) for sample in dataset) == int(sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> (10 if sys.platform == "linux" else 20))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no resource module")
def test_memory_does_not_grow_with_the_document(tmp_path):
    ring = ",".join(["12.5"] * 6000)
    peaks = []
    for number in (400, 3200):
        path = tmp_path / f"{number}.json"
        with path.open("w") as out:
            out.write('{"categories":[{"id":1,"name":"cat"}],"annotations":[')
            for n in range(number):
                out.write(("," if n else "") + f'{{"id":{n},"image_id":{n % 50},"category_id":1,"bbox":[1,2,3,4],"segmentation":[[{ring}]]}}')
            out.write('],"images":[' + ",".join(f'{{"id":{n},"file_name":"{n}.jpg","width":9,"height":9}}' for n in range(50)) + "]}")
        done = subprocess.run([sys.executable, "-c", PEAK, path, str(number)], capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout))
    assert path.stat().st_size > 90 << 20
    assert peaks[1] < peaks[0] + 40, "64 annotations of an image are 2 MB of text and 12 MB as numbers"


BOXES = Holds(geometry=(frozenset({"box"}),), labels=LabelHolds(ids="int"), ids="int")


def reduced(source, wanted):
    """What a target with boxes gets, what is lost on the way, and what was wrong (but for how it was spelled)."""
    report = Report(1000)
    try:
        dataset = open_dataset(source, default_registry().get("coco"), None, None, default_registry(), report, wanted)
    except LabelglotError as error:
        return type(error).__name__, str(error)
    samples = list(dataset.read(report))
    problems = [p._replace(raw=None) for _, found in report.to_state().problems.values() for p in found if p.code != "coco.polygon"]
    return dataset.labels, dataset.info, [project(sample, BOXES) for sample in samples], list(dataset.index()), problems


@SLOW
@given(st.one_of(TEXTS, st.lists(GOOD, min_size=3, max_size=9).map(lambda each: json.dumps(boxed(each)).encode())), st.sampled_from([1, 60, 1 << 19]))
def test_boxes_alone(text, run):
    source = MemorySource({"instances_train.json": text})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "LARGE", 0)
        patch.setattr(runs, "RUN", run)
        assert shown(reduced(source, BOXES)) == shown(reduced(source, None))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(json.dumps({"info": boxed_info, "images": [], "annotations": []}), id="the list of another object")
        for boxed_info in [{"annotations": [{"id": 5, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "area": 1, "iscrowd": 0}]}]
    ]
    + [pytest.param('{"images":[],"annotations":[{"id":1,"image_id":1,"category_id":1,"bbox":[1,1,1,1],"segmentation":{"a":' + "[" * 100_000 + "]" * 100_000 + "}}]}", id="deep")]
    + [pytest.param('{"images":[],"annotations":[{"id":1,"image_id":1}],"videos":[]}', id="another list behind it")],
)
def test_what_is_no_list_of_annotations_is_not_taken_for_one(monkeypatch, text):
    source = MemorySource({"instances_train.json": text.encode()})
    usual = reduced(source, BOXES)
    monkeypatch.setattr(runs, "LARGE", 0)
    assert shown(reduced(source, BOXES)) == shown(usual)


def boxed(annotations, **fields):
    """A document of plain objects, with ids that differ."""
    images = [{"id": i, "file_name": f"{i}.jpg", "width": 9, "height": 9} for i in range(4)]
    numbered = [{**a, "id": n, "area": 1} for n, a in enumerate(annotations, 5)]
    return {"images": images, "annotations": numbered, "categories": [{"id": 1, "name": "cat"}], **fields}


@pytest.mark.parametrize(
    "odd",
    [
        {}, {"bbox": [1, 1, 0, 4]}, {"category_id": 9}, {"iscrowd": 1, "segmentation": {"size": [9, 9], "counts": [81]}},
        {"segmentation": [[1, 1, 5, 1, 5, 5]]}, {"segmentation": []}, {"area": None}, {"note": "},{"}, {"id": "x"}, {"image_id": 77},
    ],
)  # fmt: skip
@pytest.mark.parametrize("processes", [1, 2])
def test_runs_of_a_document(monkeypatch, odd, processes):
    """Cut by guess and proven: the columns are used where everything is plain, and nobody can tell."""
    plain = {"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "iscrowd": 0}
    document = boxed([plain, {**plain, "image_id": 3}, plain, {**plain, "bbox": [0.5, 0, 2, 2]}], info={"version": '"annotations":[{"'})
    document["annotations"][2].update(odd)
    source = MemorySource({"instances_train.json": json.dumps(document).encode()})
    monkeypatch.setattr(runs, "LARGE", 0)
    monkeypatch.setattr(runs, "RUN", 10)
    report = Report()
    context = ReadContext(source, Coco.ReadOptions(), report, BOXES, None, processes)
    records = Coco().read(context).samples.records
    taken = not {"area", "note", "id", "image_id"} & odd.keys()
    assert isinstance(records[1].parts[0].annotations, BoxColumns) == taken
    assert isinstance(pickle.loads(pickle.dumps(records[1:3]))[0].parts[0].annotations, BoxColumns) == taken
    assert shown(reduced(source, BOXES)) == shown(reduced(source, None))


@SLOW
@given(TEXTS)
def test_outlines_are_handed_on(text):
    source = MemorySource({"instances_train.json": text})
    written = []
    for compared in (-1, 1 << 30):
        target = MemoryTarget()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(base, "COMPARED", compared)
            try:
                lg.convert(source, target, to="coco", format="coco", verify=False)
            except LabelglotError as error:
                written.append(str(error))
                continue
        found = lg.read(MemorySource(target.content), format="coco")
        written.append((found.labels, found.info, list(found)))
    assert shown(written[0]) == shown(written[1])


def test_the_text_of_a_polygon_stays(monkeypatch):
    document = b"""{"images": [{"id": 1, "file_name": "a.jpg", "width": 90, "height": 90}], "categories": [{"id": 1, "name": "a"}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2.50, 8, 5], "area": 20, "iscrowd": 0,
                     "segmentation": [[1, 2.50, 9.0, 2.5, 9e0, 7.5]]}]}"""
    monkeypatch.setattr(base, "COMPARED", 0)
    target = MemoryTarget()
    report = lg.convert(MemorySource({"instances_val.json": document}), target, to="coco", format="coco", verify=False).report
    written = target.content["annotations/instances_val.json"]
    assert b"[[1, 2.50, 9.0, 2.5, 9e0, 7.5]]" in written and b'"bbox":[1.0,2.5,8.0,5.0],"area":20' in written
    assert not report.losses() and not report.problems()
    before, after = (list(lg.read(MemorySource(files), format="coco")) for files in ({"instances_val.json": document}, target.content))
    assert before == after


@SLOW
@given(TEXTS)
def test_plain_objects_are_written_as_others_are(text):
    try:
        dataset = lg.read(MemorySource({"instances_train.json": text}), format="coco")
    except LabelglotError:
        return
    ids = {label.key: 1 for label in dataset.labels}
    for a in (a for sample in dataset for a in sample.annotations or ()):
        plain = encode_plain(a, 7, ids)
        if plain is not None:
            assert dump(plain) == dump(encode(a, 7, 1, False, True))


RLE = {"size": [4, 4], "counts": [3, 2, 11]}
SEGMENTATIONS = st.sampled_from([
    [[0, 0, 2, 0, 2, 2]], [[0.5, 0, 2.25, 0, 2, 2, 1, 1]], [[0, 0, 2, 0, 2, 2], [1, 1, 2, 1, 2, 2]], [], [[0, 0]], [[]], RLE,
    {"size": [4, 4], "counts": "32;"}, {}, None, [[0, 0, 1, 1, 2]],
])  # fmt: skip
PLAIN = st.fixed_dictionaries(
    {"image_id": st.just(1), "category_id": st.sampled_from([1, 1, 1, 2]), "bbox": st.sampled_from([[0, 0, 2, 2], [0.1, 0.2, 1.3, 2], [0, 0, -1, 2]])},
    optional={"id": st.sampled_from([5, "a"]), "segmentation": SEGMENTATIONS, "area": st.sampled_from([2, 1.5]), "iscrowd": st.sampled_from([0, 0, 1])},
)  # fmt: skip


@given(st.lists(PLAIN, min_size=1, max_size=4), st.sampled_from(["read", "kept", "noted"]), st.booleans())
def test_what_is_plain_is_what_it_is_alone(records, outlines, extras):
    """One by one or in columns; where the texts of polygons are kept, they are the ones that were read."""
    extras = extras or outlines == "kept"
    found = decode_plain(b",".join(map(dump, records)), {1: "cat"}, outlines, extras)
    if found is None:
        return
    objects = found.objects(0, len(records))
    columns = found.columns(0, len(records))
    assert columns is None or list(columns) == objects
    for made, record in zip(objects, records, strict=True):
        if made is None:
            continue
        alone = decode(dump(record), Classes({1: "cat"}, {}), False, True, "a.json", Report(), "a.jpg")
        assert (made.label, made.box, made.id) == (alone.label, alone.box, alone.id)
        assert isinstance(alone.shape, Polygon if made.shape is not None else type(None))
        if outlines == "read":
            assert made.shape == alone.shape
        if extras and outlines == "read":
            assert made.extra == alone.extra
        if made.shape is UNREAD and outlines == "kept":
            assert json.loads(made.extra["coco"]["segmentation"]) == record["segmentation"]
            assert made.extra["coco"]["area"] == record["area"]


@pytest.mark.parametrize("outlines", ["read", "kept", "noted"])
def test_a_mask_that_is_no_crowd_needs_a_closer_look(outlines):
    """Where polygons were kept as text it counted as an object without outline, and was written without its mask."""
    record = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 2, 2], "id": 1, "segmentation": RLE, "area": 2, "iscrowd": 0}
    found = decode_plain(dump(record), {1: "cat"}, outlines, True)
    assert found is None or found.objects(0, 1) == [None]
