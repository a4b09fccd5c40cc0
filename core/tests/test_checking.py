"""Problems of an input: the catalogue, the checks on canonical samples, fixes that can be taken back, the command."""

import io
import json
import re
import struct
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.checking import CATALOGUE, check, entry_of, fix_sample, load_fixes, look, save_fixes, undo_fixes
from labelglot.cli import main
from labelglot.images import BytesImage
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Keypoints, Label, Mask, Polygon, RotatedBox, Sample
from labelglot.testing.strategies import png
from PIL import Image

NAN, INF = float("nan"), float("inf")
SIZE = (64, 48)
SQUARE = (1.0, 1.0, 9.0, 1.0, 9.0, 9.0, 1.0, 9.0)


def sample(*annotations, path="a.png", **more):
    return Sample(**{"path": path, "size": SIZE, "annotations": annotations, **more})


def codes(*annotations, labels=None, **more):
    return [problem.code for problem in look(sample(*annotations, **more), labels)]


def test_the_catalogue_is_sound():
    names = [entry.code for entry in CATALOGUE]
    tails = [tail for entry in CATALOGUE for tail in entry.tails]
    assert len(set(names)) == len(names) and len(set(tails)) == len(tails)
    for entry in CATALOGUE:
        assert re.fullmatch(r"[a-z]+\.[a-z-]+", entry.code)
        assert all(text.endswith(".") for text in (entry.why, entry.remedy)) and not entry.title.endswith(".")
        assert entry_of(entry.code) is entry


@pytest.mark.parametrize(
    ("reported", "code"),
    [
        ("coco.category", "class.undeclared"), ("coco.box-empty", "box.empty"), ("voc.origin", "suspicious.origin"),
        ("yolo.range", "record.number"), ("x-anylabeling.record", "record.unreadable"), ("coco.image-id", "id.dangling"),
        ("path.unsafe", "path.unsafe"), ("worker.died", "worker.died"), ("acme.what-is-it", "record.other"),
        ("acme.last-row", "record.unreadable"), ("acme", "record.other"),
    ],
)  # fmt: skip
def test_codes_of_readers_belong_to_an_entry(reported, code):
    assert entry_of(reported).code == code


def test_most_codes_in_the_plugins_have_an_entry_of_their_own():
    text = "\n".join(p.read_text() for p in (Path(__file__).parents[2] / "plugins").rglob("src/**/*.py"))
    used = set(re.findall(r'problem\(\s*f?"(?:\{[^}]+\}|[a-z0-9-]+)\.([a-z0-9_-]+)"', text))
    used |= set(re.findall(r'how\.problem\(\s*"([a-z0-9_-]+)"', text))
    other = sorted(tail for tail in used if entry_of(f"acme.{tail}").code == "record.other")
    assert len(used) > 40 and len(other) * 2 <= len(used), other


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (Annotation(box=(1.0, 2.0, 3.0, 4.0)), []),
        (Annotation(box=(0.0, 0.0, 64.0005, 48.0)), []),
        (Annotation(box=(5.0, 2.0, 3.0, 4.0)), ["box.inverted"]),
        (Annotation(box=(3.0, 2.0, 3.0, 4.0)), ["box.empty"]),
        (Annotation(box=(NAN, 2.0, 3.0, 4.0)), ["box.not-finite"]),
        (Annotation(box=(1.0, 2.0, INF, 4.0)), ["box.not-finite"]),
        (Annotation(box=(1.0, 2.0, 64.04, 4.0)), ["box.outside"]),
        (Annotation(box=(-3.0, 2.0, 4.0, 4.0)), ["box.outside"]),
        (Annotation(box=(70.0, 2.0, 80.0, 4.0)), ["box.outside"]),
        (Annotation(shape=Polygon.of((1.0, 1.0, 2.0, 2.0))), ["polygon.degenerate"]),
        (Annotation(shape=Polygon.of((1.0, 1.0, 1.5, 1.0, 1.5, 1.5))), ["polygon.degenerate"]),
        (Annotation(shape=Polygon.of((1.0, 1.0, 9.0, 9.0, 9.0, 1.0, 1.0, 12.0))), ["polygon.crossing"]),
        (Annotation(shape=Polygon.of((1.0, 1.0, 90.0, 9.0, 9.0, 20.0))), ["point.outside"]),
        (Annotation(shape=Polygon.of((1.0, NAN, 9.0, 9.0, 9.0, 20.0))), ["box.not-finite", "polygon.degenerate"]),
        (Annotation(shape=RotatedBox(corners=(1.0, 1.0, 9.0, 1.0, 9.0, 9.0, 1.0, 9.0))), []),
        (Annotation(shape=RotatedBox(corners=(1.0, 1.0, 9.0, 1.0, 9.0, 9.0, 3.0, 20.0))), ["box.skewed"]),
        (Annotation(shape=Mask(width=64, height=48, rle="PQ3")), ["mask.length"]),
        (Annotation(shape=Mask(width=48, height=64, rle="0")), ["mask.length"]),
        (Annotation(keypoints=Keypoints(points=(1.0, 1.0, 2.0, 2.0), visibility=(2,))), ["keypoints.count"]),
        (Annotation(keypoints=Keypoints(points=(-9.0, 1.0, 2.0, 2.0), visibility=(0, 2))), []),
        (Annotation(keypoints=Keypoints(points=(-9.0, 1.0, 2.0, 2.0), visibility=(1, 2))), ["point.outside"]),
    ],
)  # fmt: skip
def test_objects(annotation, expected):
    assert codes(annotation) == expected


def test_fractions_have_an_edge_too():
    assert codes(Annotation(box=(0.0, 0.0, 1.0, 1.0)), size=None, units="relative") == []
    assert codes(Annotation(box=(0.0, 0.0, 1.01, 1.0)), size=None, units="relative") == ["box.outside"]
    assert codes(Annotation(box=(0.0, 0.0, 900.0, 1.0)), size=None) == []


def test_classes():
    face = Annotation(label="face", box=(1.0, 1.0, 5.0, 5.0), keypoints=Keypoints(points=(1.0, 1.0)))
    assert codes(face, labels={"face": 1}) == []
    assert codes(face, labels={"face": 2}) == ["keypoints.count"]
    assert codes(face, labels={"dog": None}) == ["class.undeclared"]
    assert codes(face) == []


def test_the_same_object_twice():
    one = Annotation(label="a", box=(1.0, 2.0, 3.0, 4.0), shape=Polygon.of(SQUARE), id=1)
    assert codes(one, one.replace(id=2)) == ["object.duplicate"]
    assert codes(one, one.replace(label="b"), one.replace(track=4), one.replace(shape=None)) == []
    assert codes(Annotation(label="a"), Annotation(label="a")) == []


def write(tmp_path, *samples, labels=("cat",)):
    place = tmp_path / "in"
    lg.write(Dataset(samples, labels), place, format="labelglot")
    return place


def found(where, **more):
    return {finding.code: finding for finding in check(where, **more).findings}


def cats(number, box, **more):
    return [sample(Annotation(label="cat", box=box, id=i, **more), path=f"{i}.png") for i in range(number)]


def test_what_only_the_whole_can_tell(tmp_path):
    twice = [*cats(3, (5.0, 5.0, 9.0, 9.0)), sample(Annotation(label="cat", id=2, box=(1.5, 1.0, 2.0, 2.0)), path="x.png")]
    many = [sample(*(Annotation(label="cat", id=i, box=(i + 2.0, 5.0, 40.0, 9.0)) for i in range(30))), *twice[3:]]
    assert found(write(tmp_path / "1", *many))["id.duplicate"].examples[0]["key"] == "x.png"
    anew = [sample(*(Annotation(label="cat", id=i, box=(i + 2.0, 5.0, 40.0, 9.0)) for i in range(5)), path=f"{n}.png") for n in range(4)]
    assert "id.duplicate" not in found(write(tmp_path / "2", *anew))
    lost = sample(Annotation(label="cat", id=1, parent=7, box=(2.0, 2.0, 4.0, 4.0)))
    assert found(write(tmp_path / "3", lost))["id.dangling"].severity == "error"
    assert "crowd.all" in found(write(tmp_path / "4", *cats(3, (5.0, 5.0, 9.0, 9.0), attributes={"crowd": True})))
    assert "suspicious.unit" in found(write(tmp_path / "5", *cats(3, (0.1, 0.1, 0.9, 0.5))))
    assert found(write(tmp_path / "6", *cats(3, (-1.0, 2.0, 9.0, 9.0))))["suspicious.origin"].severity == "warning"
    assert found(write(tmp_path / "7", *cats(12, (1.0, 1.0, 9.0, 9.0))))["suspicious.origin"].severity == "info"
    assert "suspicious.origin" not in found(write(tmp_path / "8", *cats(12, (1.5, 1.0, 9.0, 9.0))))
    twice = tmp_path / "twice.jsonl"
    twice.write_text('{"labelglot": 1, "labels": []}\n' + '{"path": "a.png", "annotations": []}\n' * 2)
    assert found(twice)["image.listed-twice"].examples[0]["key"] == "a.png"
    names = (Label(key="cat", name="cat", id=1), Label(key="cat#2", name="cat", id=2))
    assert found(write(tmp_path / "9", *cats(1, (5.0, 5.0, 9.0, 9.0)), labels=names))["class.duplicate"].count == 1


def turned_jpeg():
    made = io.BytesIO()
    tiff = b"MM\0*\0\0\0\x08" + struct.pack(">H", 1) + struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0) + b"\0" * 4
    Image.new("RGB", (20, 10)).save(made, "JPEG", exif=b"Exif\0\0" + tiff)
    return made.getvalue()


def noise():
    made = io.BytesIO()
    Image.effect_noise(SIZE, 90).save(made, "PNG")
    return made.getvalue()


def test_images(tmp_path):
    files = {
        "good.png": png(*SIZE), "wrong.png": png(10, 10), "broken.png": b"no image", "half.png": noise()[:900], "turned.jpg": turned_jpeg(),
    }  # fmt: skip
    samples = [
        sample(Annotation(label="cat", box=(2.0, 2.0, 5.0, 5.0)), path=name, image=BytesImage(name, data))
        for name, data in files.items()
    ]
    samples[-1] = samples[-1].replace(size=(20, 10))
    where = write(tmp_path, *samples, sample(path="gone.png"))
    (where / "images" if (where / "images").is_dir() else where).joinpath("spare.png").write_bytes(png(3, 3))
    seen = found(where)
    assert [e["key"] for e in seen["size.wrong"].examples] == ["wrong.png"]
    assert [e["key"] for e in seen["size.exif"].examples] == ["turned.jpg"]
    assert [e["key"] for e in seen["image.corrupt"].examples] == ["broken.png"]
    assert [e["key"] for e in seen["image.missing"].examples] == ["gone.png"]
    assert seen["image.unused"].examples[0]["place"].endswith("spare.png")
    assert [e["key"] for e in found(where, decode=True)["image.corrupt"].examples] == ["broken.png", "half.png"]


def test_workers_find_the_same(tmp_path):
    samples = [sample(*(Annotation(label="cat", box=(5.0, 5.0, 3.0, 9.0), id=i) for _ in range(2)), path=f"{i}.png") for i in range(1500)]
    where = write(tmp_path, *samples)
    assert check(where, workers=1) == check(where, workers=2)


BROKEN = sample(
    Annotation(label="cat", box=(9.0, 9.0, 5.0, 70.0), extra={"coco": {"area": 3.5, "note": "n"}}, id=1),
    Annotation(label="cat", box=(2.0, 2.0, 2.0, 2.0), shape=Polygon.of(SQUARE), id=2),
    Annotation(label="cat", box=(1.0, 1.0, 4.0, 4.0), id=3),
    Annotation(label="cat", box=(1.0, 1.0, 4.0, 4.0), id=4),
    Annotation(label="cat", box=(1.0, 1.0, 4.0, 4.0), shape=Polygon.of(SQUARE, (3.0, 3.0, 4.0, 4.0)), id=5),
    Annotation(label="cat", box=(NAN, 1.0, 4.0, 4.0), id=6),
    Annotation(label="cat", box=(80.0, 1.0, 90.0, 4.0), id=7),
    Annotation(label="cat", box=(1.0, 1.0, 4.0, 4.0), id=8),
)


def test_fixes():
    fixed, fixes = fix_sample(BROKEN, frozenset({("coco", "area")}))
    assert [f.code for f in fixes] == ["box.inverted", "box.outside", "box.empty", "polygon.degenerate", "object.duplicate", "object.duplicate"]
    boxes = [a.box for a in fixed.annotations]
    assert boxes[:4] == [(5.0, 9.0, 9.0, 48.0), (1.0, 1.0, 9.0, 9.0), (1.0, 1.0, 4.0, 4.0), (1.0, 1.0, 4.0, 4.0)]
    assert fixed.annotations[0].extra == {"coco": {"note": "n"}}
    assert [a.id for a in fixed.annotations] == [1, 2, 3, 5, 6, 7]
    left = [p.code for p in look(fixed)]
    assert left == ["box.not-finite", "box.outside"]
    assert fix_sample(fixed)[1] == ()
    assert fix_sample(sample(Annotation(box=(1.0, 1.0, 2.0, 2.0))))[1] == ()


@pytest.mark.parametrize(("box", "code"), [((NAN, 1.0, 4.0, 4.0), "box.not-finite"), ((2.0, 2.0, 2.0, 2.0), "box.empty")])
def test_a_box_that_says_nothing_is_taken_from_the_outline(box, code):
    given = sample(Annotation(label="cat", box=box, shape=Polygon.of(SQUARE)))
    fixed, (fix,) = fix_sample(given)
    assert fix.code == code and fixed.annotations[0].box == (1.0, 1.0, 9.0, 9.0)
    (back,) = undo_fixes(Dataset([fixed], ["cat"]), (fix,))
    assert repr(back) == repr(given)


def test_fixes_can_be_taken_back(tmp_path):
    fixed, fixes = fix_sample(BROKEN)
    save_fixes(fixes, tmp_path / "log.jsonl")
    log = load_fixes(tmp_path / "log.jsonl")
    assert log == fixes
    (back,) = undo_fixes(Dataset([fixed], ["cat"]), log)
    assert repr(back) == repr(BROKEN)  # NaN is not itself, but reads the same
    changed = fixed.replace(annotations=(fixed.annotations[0].replace(box=(0.0, 0.0, 1.0, 1.0)), *fixed.annotations[1:]))
    report = Report()
    (half,) = undo_fixes(Dataset([changed], ["cat"]), log).read(report)
    assert half.annotations[0].box == (0.0, 0.0, 1.0, 1.0)
    assert {line.code: line.count for line in report.problems()} == {"fix.changed": 2}


def test_a_log_that_is_none(tmp_path):
    (tmp_path / "log").write_text('{"code": 3}\n')
    with pytest.raises(lg.LabelglotError, match="log:1: this is no fix"):
        load_fixes(tmp_path / "log")
    with pytest.raises(lg.LabelglotError, match="cannot be read"):
        load_fixes(tmp_path / "none")


def test_convert_fixes_and_unfixes(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, BROKEN.replace(annotations=tuple(a for a in BROKEN.annotations if a.id != 6)))
    assert main(["convert", "in", "fixed", "--to", "coco", "--fix-log", "log.jsonl"]) == 0
    shown = capsys.readouterr().err
    assert "fixed 6 problems:" in shown
    assert "a.png, object 0: the corners of the box are put in order [box.inverted]" in shown
    assert len(Path("log.jsonl").read_text().splitlines()) == 6
    assert main(["check", "fixed", "--select", "box,object,polygon"]) == 6
    assert main(["convert", "fixed", "back", "--to", "labelglot", "--unfix", "log.jsonl"]) == 0
    assert main(["diff", "in", "back", "--ignore", "extra"]) in (0, 1)
    (was,), (now,) = lg.read("in"), lg.read("back")
    assert [(a.box, a.shape, a.id) for a in was.annotations] == [(a.box, a.shape, a.id) for a in now.annotations]
    assert main(["convert", "in", "json", "--to", "labelglot", "--fix", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert len(said["fixes"]) == 6 and said["fixes"][0]["before"] == {"box": [9.0, 9.0, 5.0, 70.0]}
    assert main(["convert", "in", "x", "--to", "labelglot", "--unfix", "nothing"]) == 1


def test_the_command(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, BROKEN)
    assert main(["check", "in"]) == 6
    shown = capsys.readouterr().err
    assert "error: A box has its corners swapped, 1 time [box.inverted]; --fix helps" in shown
    assert "a.png, object 0: the box has width -4 and height 61 (id 1)" in shown
    assert main(["check", "in", "--json", "--ignore", "box,polygon", "--ignore", "object.duplicate"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["exit_code"], said["counts"]["error"]) == (0, 0)
    assert {f["code"] for f in said["findings"]} == {"image.missing"}
    assert main(["check", "in", "--select", "box.inverted", "--limit", "1", "--json"]) == 6
    assert [f["code"] for f in json.loads(capsys.readouterr().out)["findings"]] == ["box.inverted"]
    assert main(["check", "in", "--select", "box.invertet"]) == 2
    assert 'did you mean "box.inverted"' in capsys.readouterr().err
    assert main(["check", "nowhere"]) == 1


def test_what_a_reader_says_has_its_own_code_and_place(tmp_path):
    document = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 20, "height": 10}], "categories": [{"id": 1, "name": "cat"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 9, "bbox": [1, 2, 3, 4], "area": 12, "iscrowd": 0}],
    }  # fmt: skip
    (tmp_path / "set.json").write_text(json.dumps(document))
    done = check(tmp_path / "set.json", format="coco", select=["class"])
    (finding,) = done.findings
    assert (finding.code, finding.reported_as, done.skipped) == ("class.undeclared", "coco.category", 1)
    assert "annotations[0]" in finding.examples[0]["place"]
    assert check(tmp_path / "set.json", format="coco", ignore=["coco.category", "image"]).clean
