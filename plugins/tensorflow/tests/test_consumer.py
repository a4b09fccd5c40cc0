"""The classic job: VOC XML in a zip becomes sharded records, which the independent PyPI ``tfrecord`` reader parses."""

import hashlib
import zipfile

import labelglot as lg
import pytest
from labelglot.testing.strategies import png

reader = pytest.importorskip("tfrecord.reader")

XML = """<annotation><folder>JPEGImages</folder><filename>{name}.png</filename>
<size><width>64</width><height>48</height><depth>3</depth></size>
<object><name>cat</name><pose>Left</pose><truncated>0</truncated><difficult>1</difficult>
<bndbox><xmin>16</xmin><ymin>12</ymin><xmax>32</xmax><ymax>{bottom}</ymax></bndbox></object>
<object><name>dog</name><bndbox><xmin>0</xmin><ymin>0</ymin><xmax>64</xmax><ymax>48</ymax></bndbox></object>
</annotation>"""
NUMBER = 11


@pytest.fixture
def voc_zip(tmp_path):
    path = tmp_path / "voc.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(NUMBER):
            archive.writestr(f"Annotations/{i:03d}.xml", XML.format(name=f"{i:03d}", bottom=24 + i))
            archive.writestr(f"JPEGImages/{i:03d}.png", png(64, 48) + bytes([i]))
        archive.writestr("ImageSets/Main/train.txt", "".join(f"{i:03d}\n" for i in range(8)))
        archive.writestr("ImageSets/Main/val.txt", "".join(f"{i:03d}\n" for i in range(8, NUMBER)))
    return path


def records_of(folder, pattern):
    return [r for path in sorted(folder.glob(pattern)) for r in reader.tfrecord_loader(str(path), None, None)]


@pytest.mark.parametrize("workers", [1, 2])
def test_voc_zip_to_sharded_records(voc_zip, tmp_path, workers):
    outcome = lg.convert(voc_zip, tmp_path / "out", to="tfrecord", format="voc", options={"shards": 3}, workers=workers)
    assert not outcome.report.skipped
    out = tmp_path / "out"
    shards = sorted(p.name for p in out.iterdir())
    assert shards == ["label_map.pbtxt", *(f"{s}-{i:05d}-of-00003.tfrecord" for s in ("train", "val") for i in range(3))]
    found = {split: records_of(out, f"{split}-*") for split in ("train", "val")}
    assert {split: len(records) for split, records in found.items()} == {"train": 8, "val": 3}
    for i, record in enumerate(found["train"] + found["val"]):
        image = png(64, 48) + bytes([i])
        assert bytes(record["image/filename"]) == f"{i:03d}.png".encode()
        assert bytes(record["image/encoded"]) == image
        assert bytes(record["image/key/sha256"]).decode() == hashlib.sha256(image).hexdigest()
        assert bytes(record["image/format"]) == b"png"
        assert (record["image/width"].tolist(), record["image/height"].tolist()) == ([64], [48])
        corners = [record[f"image/object/bbox/{c}"].tolist() for c in ("xmin", "ymin", "xmax", "ymax")]
        assert corners == [[0.25, 0.0], [0.25, 0.0], [0.5, 1.0], [pytest.approx((24 + i) / 48), 1.0]]
        numbers, texts = record["image/object/class/label"].tolist(), record["image/object/class/text"].tolist()
        assert (numbers, texts) == ([1, 2], [b"cat", b"dog"])
        assert record["image/object/difficult"].tolist() == [1, 0]
        assert record["image/object/view"].tolist() == [b"Left", b""]
    ids = [bytes(r["image/source_id"]) for r in found["train"] + found["val"]]
    assert len(set(ids)) == NUMBER, "evaluation tells images apart by their id"


def test_empty_images_parse(tmp_path):
    (tmp_path / "a").mkdir()
    sample = lg.Sample(path="a.jpg", size=(8, 8), annotations=())
    lg.write(lg.Dataset([sample], ["cat"]), tmp_path / "out", format="tfrecord")
    (record,) = records_of(tmp_path / "out", "*.tfrecord")
    assert record["image/object/bbox/xmin"].tolist() == []


def test_records_return_to_voc(voc_zip, tmp_path):
    lg.convert(voc_zip, tmp_path / "records.zip", to="tfrecord", format="voc")
    lg.convert(tmp_path / "records.zip", tmp_path / "voc", to="voc")
    before = {s.key: s for s in lg.read(voc_zip, format="voc")}
    after = {s.key: s for s in lg.read(tmp_path / "voc", format="voc")}
    assert before.keys() == after.keys()
    for key, old in before.items():
        new = after[key]
        assert new.image.read() == old.image.read()
        for a, b in zip(old.annotations, new.annotations, strict=True):
            assert b.box == pytest.approx(a.box, abs=1e-5)
            assert (a.label, a.attributes) == (b.label, b.attributes)
