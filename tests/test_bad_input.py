"""Bad input, as the issue tracker of any converter shows it: said with its place, kept inside the target, the rest converted."""

import json
import zipfile

import labelglot as lg
import pytest
from labelglot.cli import main

GOOD = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "area": 12, "iscrowd": 0}


def coco(*annotations, images=None):
    listed = images or [{"id": 1, "file_name": "a.jpg", "width": 20, "height": 10}]
    return {"images": listed, "categories": [{"id": 1, "name": "cat"}], "annotations": [GOOD, *annotations]}


def run(tmp_path, document, to="voc", *more):
    source = tmp_path / "instances_train.json"
    source.write_text(document if isinstance(document, str) else json.dumps(document))
    report = tmp_path / "report.json"
    args = ["convert", str(source), str(tmp_path / "out"), "--from", "coco", "--to", to, "--report", str(report), "--images", "none"]
    code = main([*args, *more])
    return code, json.loads(report.read_text()) if report.exists() else None


def outside(tmp_path):
    known = {"instances_train.json", "report.json", "out", "set.zip"}
    return [path for path in tmp_path.iterdir() if path.name not in known]


def test_truncated_json_names_the_place(tmp_path, capsys):
    code, _ = run(tmp_path, json.dumps(coco())[:150])
    assert code == 1
    shown = capsys.readouterr().err
    assert "instances_train.json" in shown and "Traceback" not in shown
    assert not (tmp_path / "out").exists() and outside(tmp_path) == []


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ({**GOOD, "id": 2, "bbox": []}, "coco.bbox"),
        ({**GOOD, "id": 2, "category_id": 99}, "coco.category"),
        ({**GOOD, "id": 2, "bbox": [float("nan"), 1, 2, 3]}, "coco.number"),
    ],
    ids=["empty box", "undeclared class", "NaN"],
)
def test_one_bad_object(tmp_path, bad, code):
    status, report = run(tmp_path, coco(bad))
    assert status == 4
    (problem,) = [line for line in report["problems"] if line["severity"] == "error"]
    assert problem["code"] == code and "annotations[1]" in problem["examples"][0]["place"]
    assert report["counts"]["annotations.written"] == 1


def test_strict_refuses_and_leaves_nothing(tmp_path):
    status, _ = run(tmp_path, coco({**GOOD, "id": 2, "bbox": []}), "voc", "--strict")
    assert status == 1 and not (tmp_path / "out").exists()


@pytest.mark.parametrize("to", ["voc", "yolo", "coco", "createml", "labelme", "tfrecord", "tfod-csv", "vott-json"])
def test_a_name_that_climbs_out_stays_inside(tmp_path, to):
    images = [{"id": 1, "file_name": "../../x.jpg", "width": 20, "height": 10}]
    status, report = run(tmp_path, coco(images=images), to)
    assert status == 0
    assert "path.unsafe" in [line["code"] for line in report["problems"]]
    assert outside(tmp_path) == []
    assert report["counts"]["annotations.written"] == 1


def test_two_images_of_one_base_name_stay_two(tmp_path):
    images = [{"id": i, "file_name": f"{f}/a.jpg", "width": 20, "height": 10} for i, f in ((1, "x"), (2, "y"))]
    document = coco({**GOOD, "id": 2, "image_id": 2}, images=images)
    status, report = run(tmp_path, document, "voc")
    assert status == 0 and report["counts"]["samples.written"] == 2
    back = list(lg.read(tmp_path / "out", format="voc"))
    assert sorted(len(s.annotations) for s in back) == [1, 1]


def test_a_zip_that_slips_is_read_without_its_bad_members(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("annotations/instances_train.json", json.dumps(coco()))
        archive.writestr("../evil.json", "{}")
        archive.writestr("/etc/evil.json", "{}")
    made = lg.convert(tmp_path / "set.zip", tmp_path / "out", to="voc", images="none")
    (problem,) = [line for line in made.report.problems() if line.code == "path.unsafe"]
    assert problem.count == 2
    assert made.report.counts["annotations.written"] == 1
    assert outside(tmp_path) == []


def test_the_report_of_an_entity_bomb_is_one_line(tmp_path, capsys):
    (tmp_path / "set").mkdir()
    bomb = '<!DOCTYPE a [<!ENTITY x "xx"><!ENTITY y "&x;&x;">]><annotation><filename>&y;</filename></annotation>'
    (tmp_path / "set" / "a.xml").write_text(bomb)
    status = main(["convert", str(tmp_path / "set"), str(tmp_path / "out"), "--from", "voc", "--to", "coco"])
    assert status in (1, 4)
    assert "entit" in capsys.readouterr().err.lower()
