"""Pascal VOC: any tree, any order of elements, every unknown element comes back, the 1-based question is symmetric."""

from pathlib import Path

import labelglot as lg
import pytest
from labelglot.formats.registry import Registry
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Polygon, Sample, Tag
from labelglot.storage import MemorySource
from labelglot.testing.travel import load, store
from labelglot_voc import Voc, quick
from labelglot_voc.annotation import CONVENTIONS, Reading
from labelglot_voc.voc import read_file

DATA = Path(__file__).parent / "data" / "voc"
SAMPLES = Path(__file__).parents[4] / "shared" / "samples" / "voc"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the collection of real samples is not here")
BOX = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox>"


def read(where, **options):
    report = Report()
    source = MemorySource(where) if isinstance(where, dict) else where
    dataset = lg.read(source, format=Voc(), options=options, registry=Registry(), report=report)
    return dataset.replace(samples=list(dataset.read(report))).complete(), report


def one(objects="", head="<filename>a.jpg</filename><size><width>9</width><height>8</height></size>", **options):
    """The only sample of a file with these objects, and the report."""
    dataset, report = read({"a.xml": f"<annotation>{head}{objects}</annotation>".encode()}, **options)
    return next(iter(dataset)), report


def thing(inner=BOX, name="cat"):
    return f"<object><name>{name}</name>{inner}</object>"


def codes(report):
    return [line.code for line in report.problems()]


def test_the_example_reads_as_it_is_written():
    dataset, report = read(DATA)
    assert report.problems() == ()
    by_path = {sample.path: sample for sample in dataset}
    assert list(by_path) == ["street_1.png", "street_2.png", "street_3.png", "street_4.png"]
    first = by_path["street_1.png"]
    assert (first.size, first.uri, first.splits) == ((12, 8), "C:\\pictures\\street_1.png", ("train", "trainval"))
    assert first.tags == (
        Tag(label="person"), Tag(label="traffic light", extra={"voc": {"value": "0"}}),
    )  # fmt: skip
    assert first.extra["voc"] == {
        "folder": "street", "source": {"database": "Example", "camera": "front"}, "weather": "rain & fog",
        "root": {"verified": "yes"}, "sets": {"Layout": ["train"]},
    }  # fmt: skip
    light, person = first.annotations
    assert light == Annotation(
        label="traffic light", box=(1.0, 2.5, 4.0, 8.0),
        attributes={"pose": "Left", "truncated": True, "state": "0001"},
        extra={"voc": {"xml": ['<height unit="m">3</height>']}},
    )  # fmt: skip
    assert person.box == (6.0, 1.0, 12.0, 7.0)
    assert person.shape == Polygon.of((6.0, 1.0, 12.0, 1.0, 9.0, 7.0))
    assert person.attributes == {"difficult": True, "walking": "1", "reading": "0"}
    assert person.extra["voc"]["part"][0]["bndbox"]["xmin"] == "6.5"


def test_three_kinds_of_negatives():
    """33: reviewed and empty, never looked at, not listed at all."""
    by_path = {sample.path: sample for sample in read(DATA)[0]}
    assert by_path["street_2.png"].annotations == ()
    assert by_path["street_2.png"].size == (12, 8)
    assert by_path["street_3.png"].annotations is None
    assert by_path["street_3.png"].tags == (Tag(label="person", negative=True),)
    assert by_path["street_4.png"].splits == ()


def test_the_same_format_returns_everything(tmp_path):
    made = lg.convert(DATA, tmp_path / "out", to="voc", format="voc")
    assert made.report.losses() == ()
    before, after = read(DATA)[0], read(tmp_path / "out")[0]
    assert list(lg.compare(before, after)) == []
    again = lg.convert(tmp_path / "out", tmp_path / "again", to="voc", format="voc")
    assert again.report.losses() == ()
    files = sorted(p.relative_to(tmp_path / "out") for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert [p for p in files if (tmp_path / "out" / p).read_bytes() != (tmp_path / "again" / p).read_bytes()] == []


def test_lists_of_a_class_are_no_splits():
    splits = {split for sample in read(DATA)[0] for split in sample.splits}
    assert splits == {"train", "val", "trainval"}


def test_one_based_numbers_are_shifted_on_request_and_shifted_back():
    """15: the shift is an option of the reader, on record, and undone by the writer."""
    files = {"a.xml": f"<annotation><filename>a.jpg</filename>{thing()}</annotation>".encode()}
    raw, shifted = read(files)[0], read(files, origin="1-based")[0]
    assert next(iter(raw)).annotations[0].box == (1.0, 2.0, 3.0, 4.0)
    assert next(iter(shifted)).annotations[0].box == (0.0, 1.0, 3.0, 4.0)
    assert shifted.info.extra == {"voc": {"origin": "1-based"}}
    written = store(shifted, Voc())[0]
    assert b"<xmin>1</xmin>" in written["Annotations/a.xml"]
    assert b"# origin: 1-based" in written["labelmap.txt"]
    assert next(iter(load(written, Voc())[0])).annotations[0].box == (0.0, 1.0, 3.0, 4.0)
    assert b"<xmin>0</xmin>" in store(shifted, Voc(), {"origin": "raw"})[0]["Annotations/a.xml"]


@pytest.mark.parametrize("quickly", [True, False])
def test_a_zero_proves_that_a_file_is_not_one_based(quickly):
    """15: evidence against the option is said."""
    inner = BOX.replace("<xmin>1", "<xmin>0") + ("" if quickly else "<!-- x -->")
    sample, report = one(thing(inner), origin="1-based")
    assert codes(report) == ["voc.origin"]
    assert "a.xml:1" in report.problems()[0].sentence
    assert sample.annotations[0].box == (-1.0, 1.0, 3.0, 4.0)
    assert codes(one(thing(inner))[1]) == []


def test_polygons_are_shifted_like_boxes():
    inner = BOX + "<polygon><x1>1</x1><y1>1</y1><x2>3</x2><y2>1</y2><x3>3</x3><y3>4</y3></polygon>"
    assert one(thing(inner), origin="1-based")[0].annotations[0].shape == Polygon.of((0.0, 0.0, 2.0, 0.0, 2.0, 3.0))


def test_several_polygons_are_parts_of_one_object():
    ring = "<polygon><x1>1</x1><y1>1</y1><x2>3</x2><y2>1</y2><x3>3</x3><y3>4</y3></polygon>"
    (annotation,) = one(thing(BOX + ring + ring))[0].annotations
    assert len(annotation.shape.parts) == 2


def test_whole_numbers_on_request():
    sample = Sample(path="a.jpg", annotations=(Annotation(label="x", box=(0.4, 1.6, 2.25, 3.5)),))
    files, report = store(Dataset([sample], ["x"]), Voc(), {"integers": True})
    assert b"<xmin>0</xmin>" in files["Annotations/a.xml"]
    assert b"<ymin>2</ymin>" in files["Annotations/a.xml"]
    assert [line.code for line in report.losses()] == ["precision.box"]


def test_flat_layout_has_a_folder_per_split(tmp_path):
    box = (Annotation(label="x", box=(0.0, 1.0, 2.0, 3.0)),)
    dataset = Dataset([Sample(path="a.jpg", splits=(s,), annotations=box) for s in ("train", "valid")], ["x"])
    files = store(dataset, Voc(), {"layout": "flat"})[0]
    assert {"train/a.xml", "valid/a.xml"} <= set(files)
    assert [sample.key for sample in load(files, Voc())[0]] == ["train:a.jpg", "valid:a.jpg"]


@pytest.mark.parametrize("value", ["a.jpg", "x/a.jpg", "a.b.jpg", "b.png", "b c.jpg"])
def test_trees_of_any_shape(value):
    """28: the stem ends at the last dot. An image is found beside its XML or in a folder of images, split or not."""
    name = value.rpartition("/")[2]
    stem = name.rpartition(".")[0]
    body = f"<annotation><filename>{name}</filename></annotation>".encode()
    trees = (
        (f"{value.rpartition('.')[0]}.xml", value),
        (f"annotations/{stem}.xml", f"images/{name}"),
        (f"VOCdevkit/VOC2012/Annotations/{stem}.xml", f"VOCdevkit/VOC2012/JPEGImages/{name}"),
        (f"export/train/{stem}.xml", f"export/train/{name}"),
        (f"train/annotations/{stem}.xml", f"train/images/{name}"),
        (f"annotations/train/{stem}.xml", f"images/train/{name}"),
    )
    for number, (xml, image) in enumerate(trees):
        (sample,) = read({xml: body, image: b"no image"})[0]
        assert sample.image is not None and sample.image.path == image
        assert sample.path == (value if not number else name)
        assert sample.splits == (("train",) if number > 2 else ())


def test_an_image_is_found_by_the_name_in_the_file():
    """30: Windows paths too."""
    body = b"<annotation><filename>D:\\x\\photo 7.JPG</filename></annotation>"
    (sample,) = read({"Annotations/0001.xml": body, "JPEGImages/photo 7.JPG": b""})[0]
    assert (sample.path, sample.image.path) == ("photo 7.JPG", "JPEGImages/photo 7.JPG")


def test_a_wrong_name_in_every_file_does_not_merge_images():
    """26: the path of the XML is the identity."""
    body = b"<annotation><filename>frame.png</filename></annotation>"
    dataset = read({"Annotations/1.xml": body, "Annotations/2.xml": body})[0]
    assert [sample.path for sample in dataset] == ["1.png", "2.png"]
    assert b"<filename>frame.png</filename>" in store(dataset, Voc())[0]["Annotations/1.xml"]


def test_two_years_of_a_devkit_stay_apart():
    body = b"<annotation><filename>1.jpg</filename></annotation>"
    files = {f"VOCdevkit/{year}/{name}": data for year in ("VOC2007", "VOC2012")
             for name, data in (("Annotations/1.xml", body), ("ImageSets/Main/train.txt", b"1\n"))}  # fmt: skip
    assert [sample.key for sample in read(files)[0]] == ["train:VOC2007/1.jpg", "train:VOC2012/1.jpg"]


def test_ids_in_lists_may_have_suffix_slashes_and_be_unknown():
    body = b"<annotation><filename>1.jpg</filename></annotation>"
    files = {"Annotations/d/1.xml": body, "ImageSets/Main/train.txt": b"d\\1.jpg\r\n2\r\n"}
    by_path = {sample.path: sample for sample in read(files)[0]}
    assert by_path["d/1.jpg"].splits == ("train",)
    assert by_path["2"].annotations is None


@pytest.mark.parametrize(
    ("text", "value", "said"),
    [("1", True, []), ("0", None, []), ("true", True, []), ("Yes", True, []), ("false", None, []),
     ("Unspecified", None, ["voc.flag"]), ("", None, ["voc.flag"])],
)  # fmt: skip
def test_flags(text, value, said):
    sample, report = one(thing(f"<difficult>{text}</difficult>{BOX}"))
    assert sample.annotations[0].attributes.get("difficult") is value
    assert codes(report) == said


@pytest.mark.parametrize("flag", ["truncated", "difficult", "occluded"])
def test_every_flag_survives(flag):
    """6: flip each."""
    sample = Sample(path="a.jpg", annotations=(Annotation(label="x", box=(0, 1, 2, 3), attributes={flag: True}),))
    back = next(iter(load(store(Dataset([sample], ["x"]), Voc())[0], Voc())[0]))
    assert back.annotations[0].attributes == {flag: True}


def test_consumers_find_the_elements_they_ask_for():
    """Evaluation scripts of the challenge read pose, truncated and difficult of every object."""
    sample = Sample(path="a.jpg", annotations=(Annotation(label="x", box=(0, 1, 2, 3)),))
    text = store(Dataset([sample], ["x"]), Voc())[0]["Annotations/a.xml"].decode()
    for element in ("<pose>Unspecified</pose>", "<truncated>0</truncated>", "<difficult>0</difficult>"):
        assert element in text


@pytest.mark.parametrize(
    ("inner", "said"),
    [("", "voc.box"), ("<bndbox><xmin>1</xmin></bndbox>", "voc.box"),
     (BOX.replace(">3<", ">three<"), "voc.number"), (BOX.replace(">3<", ">nan<"), "voc.number"),
     (BOX.replace(">3<", ">1e999<"), "voc.number")],
)  # fmt: skip
def test_one_bad_object_among_good_ones(inner, said):
    sample, report = one(thing() + "\n" + thing(inner) + thing(name="dog"))
    assert [a.label for a in sample.annotations] == ["cat", "dog"]
    assert codes(report) == [said]
    assert report.skipped == 1
    assert "a.xml:2" in report.problems()[0].sentence


def test_swapped_corners_are_data():
    sample, report = one(thing(BOX.replace(">3<", ">0.5<")))
    assert sample.annotations[0].box == (1.0, 2.0, 0.5, 4.0)
    assert codes(report) == ["voc.extent"]


def test_numbers_in_any_spelling():
    assert one(thing(BOX.replace(">3<", "> 3.5E+1 <")))[0].annotations[0].box == (1.0, 2.0, 35.0, 4.0)


def test_names_keep_inner_blanks():
    assert one(thing(name="  traffic  light\n"))[0].annotations[0].label == "traffic  light"


def test_a_file_that_is_no_xml_costs_one_image():
    good = f"<annotation>{thing()}</annotation>".encode()
    dataset, report = read({"a.xml": good, "b.xml": b"<annotation>\n<name>A & B</name></annotation>", "c.xml": good})
    assert [sample.path for sample in dataset] == ["a", "c"]
    assert codes(report) == ["voc.record"]
    assert "b.xml:2" in report.problems()[0].sentence


def test_encodings():
    """29: what the declaration says, what it should have said, byte order marks."""
    text = f"<annotation><filename>é.jpg</filename>{thing(name='Straße')}</annotation>"
    declared = '<?xml version="1.0" encoding="{}"?>'
    cases = [
        (text.encode(), []), (text.encode("utf-8-sig"), []), (text.encode("utf-16"), []),
        (declared.format("latin-1").encode() + text.encode("latin-1"), []),
        (declared.format("utf-8").encode() + text.encode("latin-1"), ["voc.encoding"]),
        (declared.format("utf-16").encode() + text.encode(), ["voc.encoding"]),
        (b"\n " + declared.format("utf-8").encode() + text.encode(), []),
    ]  # fmt: skip
    for data, said in cases:
        dataset, report = read({"é.xml": data})
        sample = next(iter(dataset))
        assert (sample.path, sample.annotations[0].label) == ("é.jpg", "Straße"), data
        assert codes(report) == said, data


def test_entities_are_refused():
    bomb = b'<!DOCTYPE a [<!ENTITY x "xxx">]><annotation><filename>&x;</filename></annotation>'
    dataset, report = read({"a.xml": bomb})
    assert list(dataset) == []
    assert codes(report) == ["voc.record"]


def test_other_xml_is_left_alone():
    dataset, report = read({"a.xml": b"<annotations/>", "b.xml": f"<annotation>{thing()}</annotation>".encode()})
    assert [sample.path for sample in dataset] == ["b"]
    assert codes(report) == ["voc.root"]


def test_class_table_of_cvat():
    """5: background is no class, and no object becomes background; a class not in the table is added to it."""
    table = b"# label:color_rgb:parts:actions\nbackground:0,0,0::\nb:1,2,3:head,hand:\na:::\nbroken line\n"
    files = {"labelmap.txt": table, "Annotations/1.xml": f"<annotation>{thing()}</annotation>".encode()}
    dataset, report = read(files)
    assert [(label.name, label.color) for label in dataset.labels] == [("b", "#010203"), ("a", None), ("cat", None)]
    assert dataset.labels[0].extra == {"voc": {"parts": "head,hand"}}
    assert codes(report) == ["voc.labelmap"]
    assert "labelmap.txt:5" in report.problems()[0].sentence


def test_a_class_called_background_stays():
    sample = Sample(path="a.jpg", annotations=(Annotation(label="background", box=(0, 1, 2, 3)),))
    labels = load(store(Dataset([sample], ["background", "x"]), Voc())[0], Voc())[0].labels
    assert [label.name for label in labels] == ["background", "x"]


def test_a_size_far_too_small_is_checked_against_the_image():
    from labelglot.testing.strategies import png

    files = {
        "a.png": png(40, 30),
        "a.xml": b"<annotation><size><width>4</width><height>3</height></size>"
        + thing(BOX.replace(">3<", ">39<")).encode() + b"</annotation>",
    }  # fmt: skip
    dataset, report = read(files)
    assert next(iter(dataset)).size == (40, 30)
    assert codes(report) == ["voc.size"]


@pytest.mark.parametrize("size", ["", "<size/>", "<size><width>x</width><height>7</height></size>"])
def test_a_size_that_is_not_there(size):
    sample, report = one(thing(), head=f"<filename>a.jpg</filename>{size}")
    assert sample.size is None
    assert codes(report) == (["voc.size"] if "x" in size else [])


@pytest.mark.parametrize(
    "text",
    [
        f"<annotation><folder> f</folder><filename>a.jpg</filename><path>p</path>{thing()}</annotation>",
        f"<annotation>\r\n<filename> a.jpg</filename>\r\n{thing('<pose>Rear</pose><occluded>1</occluded>' + BOX)}</annotation>",
        "<annotation><size><width>5</width><height>6</height><depth>1</depth><x>2</x></size><y>z</y></annotation>",
        f"<annotation><source><database>d</database><v>1</v></source>{thing(BOX + '<difficult>1</difficult>')}</annotation>",
        f'<?xml version="1.0" encoding="utf-8"?>\n<annotation>{thing(name="ß")}<segmented>1</segmented></annotation>',
        f"<annotation>{thing()} {thing(name=' y ')}<segmented>1</segmented>{thing()}</annotation>",
        f"<annotation>{thing('<difficult>1</difficult>' + BOX) * 2}</annotation>",
        f"<annotation>{thing('<difficult>1</difficult>' + BOX)}{thing()}</annotation>",
        f"<annotation><folder>x</folder>\n<filename> é.jpg</filename>\n<path>p</path>\n{thing()}\n{thing(name=' ß ')}\n</annotation>\n",
        f"<annotation>\r\n<filename>a.jpg</filename>\r\n<x>a\rb</x>{thing()}\r\n{thing()}\r\n</annotation>",
        f"<annotation><filename></filename>{thing()}{thing()}</annotation>",
    ],
)
def test_the_quick_reader_reads_the_same(text):
    data = text.encode()
    for boxes in CONVENTIONS.values():
        how = Reading("voc", "a.xml", Report(), boxes)
        fast, slow = quick.read(data, boxes), read_file(data, how)
        assert fast is not None and how.report.problems() == ()
        assert (fast.contents._replace(objects=()), fast.annotations) == (
            slow.contents._replace(objects=()), slow.annotations,
        )  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        f"<annotation><x>a\x00</x>{thing()}</annotation>", f"<annotation>{thing()}", f"<annotation>{thing()}</annotation><b/>",
        f"<annotation><x>a]]></x>{thing()}</annotation>", f"<annotation>{thing(BOX + '<bndbox/>')}</annotation>",
        f"<annotation>{thing(BOX + '<difficult>1</difficult><difficult>0</difficult>')}</annotation>",
        f"<annotation><folder>a</folder><folder>b</folder>{thing()}</annotation>", f"<annotation>stray{thing()}</annotation>",
        f'<?xml version="1.0" encoding="latin-1"?><annotation>{thing()}</annotation>',
        f"<annotation>{thing('<pose>a</difficult>' + BOX)}</annotation>", f"<annotation>{thing()}x{thing()}</annotation>",
        f"<annotation><x>{thing()}</x></annotation>", f"<annotation>{thing()}{thing(BOX.replace('3<', '0<'))}</annotation>",
        f"<annotation><filename/>{thing()}{thing()}</annotation>",
        f"<annotation><filename>a</filename>{thing()}<filename>b</filename></annotation>",
        f"<annotation>{thing(name='')}</annotation>", f"<annotation>{thing(BOX.replace('1<', 'inf<'))}</annotation>",
    ],
)  # fmt: skip
def test_the_quick_reader_leaves_the_rest_to_the_parser(text):
    assert quick.read(text.encode(), CONVENTIONS["raw"]) is None


@pytest.mark.parametrize(
    "old, new",
    [
        ("a.jpg", "a\x07.jpg"), ("a.jpg", "a&lt;.jpg"), ("VOC", "V\x01C"), ("cat", "c\x02at"), (">1<", ">1\x1f<"), ("\n\n", "\x0b\n"),
        ("</annotation>", "</annotation>\x0c"), ("</object>\n<object>", "</object>\ufffe<object>"),
    ],
)  # fmt: skip
def test_characters_that_xml_does_not_have_are_left_to_the_parser(old, new):
    text = f"<annotation><folder>VOC</folder><filename>a.jpg</filename>\n\n{thing()}\n{thing()}</annotation>"
    assert old in text and quick.read(text.encode(), CONVENTIONS["raw"]) is not None
    assert quick.read(text.replace(old, new).encode(), CONVENTIONS["raw"]) is None


def test_the_index_tells_what_reading_tells():
    dataset = lg.read(DATA, format="voc")
    index = {entry.key: entry for entry in dataset.index()}
    for sample in dataset:
        entry = index.pop(sample.key)
        assert (entry.path, entry.splits, entry.annotations) == (sample.path, sample.splits, len(sample.annotations or ()))
    assert index == {}


def test_detection():
    assert Voc().detect(MemorySource({"a.xml": f"<annotation>{thing()}</annotation>".encode()})).confidence > 0.8
    rotated = "<object><type>robndbox</type><name>x</name><robndbox/></object>"
    for inner in (rotated, "<object><trackid>0</trackid></object>", "<object><polygon><pt/></polygon></object>"):
        match = Voc().detect(MemorySource({"a.xml": f"<annotation>{inner}</annotation>".encode()}))
        assert match is None or match.confidence < 0.5
    assert Voc().detect(MemorySource({"a.xml": b"<annotations><image/></annotations>"})) is None
    assert Voc().detect(MemorySource({"ImageSets/Main/train.txt": b"a\n"})).confidence > 0.5


def test_names_in_extra_cannot_leave_the_target():
    bag = {"sets": {"../../x": ["y"], "Layout": ["../z"]}, "a b": "1", "xml": ["<open>"], "b": {"<": "1"}}
    sample = Sample(path="a.jpg", annotations=(), extra={"voc": bag})
    files = store(Dataset([sample], []), Voc())[0]
    assert all(".." not in name for name in files)
    assert next(iter(load(files, Voc())[0])).annotations == ()


@needs_samples
def test_sample_devkit():
    dataset, report = read(SAMPLES / "datumaro_voc1")
    first, second = dataset
    assert (first.path, first.splits, first.size) == ("2007_000001.jpg", ("train",), (20, 10))
    cat, person = first.annotations
    assert (cat.label, cat.box, cat.attributes) == ("cat", (1.0, 2.0, 3.0, 4.0), {"truncated": True})
    assert (person.label, person.box) == ("person", (4.0, 5.0, 6.0, 7.0))
    assert person.extra["voc"]["part"] == [
        {"name": "head", "bndbox": {"xmin": "5.5", "ymin": "6", "xmax": "7.5", "ymax": "8"}}
    ]
    assert sorted(k for k, v in person.attributes.items() if v == "1") == [
        "other", "phoning", "reading", "ridinghorse", "takingphoto", "walking",
    ]  # fmt: skip
    assert len(person.attributes) == 11
    assert (second.path, second.splits, second.annotations) == ("2007_000002.jpg", ("test",), None)
    assert {t.label for t in first.tags if not t.negative} >= {"aeroplane", "bird", "train"}
    assert {t.label for t in first.tags if t.negative} >= {"cat", "background", "tvmonitor"}
    assert report.problems() == ()


@needs_samples
def test_sample_roboflow():
    dataset, report = read(SAMPLES / "roboflow_flat")
    found = {s.key: [(a.label, a.box) for a in s.annotations] for s in dataset}
    assert found["train:train_001.jpg"] == [("label_0", (2.0, 1.0, 5.0, 2.0))]
    assert [label for label, _ in found["train:train_002.jpg"]] == ["label_1"]
    assert found["val:val_001.jpg"] == [("label_0", (0.0, 0.0, 1.0, 2.0)), ("label_1", (0.0, 0.0, 9.0, 1.0))]
    assert report.problems() == ()


@needs_samples
def test_sample_lightly():
    dataset, _ = read(SAMPLES / "lightly_fixture")
    names = [a.label for s in dataset for a in s.annotations]
    assert {n: names.count(n) for n in names} == {
        "dog": 1, "person": 5, "bench": 2, "bicycle with space": 2, "snowboard": 6,
    }  # fmt: skip
    assert [s.size for s in dataset] == [(640, 416), (640, 428)]
