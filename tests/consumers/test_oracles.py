"""Two other converters as independent judges: what they read in our files, and what we read in theirs.

``install.py --oracles`` makes their environments (see README.md here). Each known difference is written down below with who is
right and why; one that goes away is a failure, too.
"""

import json
import subprocess
from pathlib import Path

import labelglot as lg
import pytest
from consumers.install import how, program
from consumers.seen import needs
from labelglot.images import BytesImage
from labelglot.plugin import Annotation, Dataset, Label, Sample, in_pixels
from labelglot.testing.strategies import png

PANLABEL = program("LABELGLOT_PANLABEL")
DATUMARO = program("LABELGLOT_DATUMARO_PYTHON")
pytestmark = pytest.mark.heavy

BOXES = {
    "one.png": [("cat", (1.0, 2.0, 33.0, 40.0)), ("dog", (4.0, 5.0, 60.0, 44.0))],
    "two.png": [("cat", (10.0, 11.0, 20.0, 30.0))],
}
THEIRS = {
    "coco": "coco", "cvat-images": "cvat", "ibm-cloud-annotations": "ibm-cloud-annotations", "label-studio": "label-studio",
    "labelbox": "labelbox", "tfod-csv": "tfod", "tfrecord": "tfrecord", "vott-csv": "vott-csv", "vott-json": "vott-json",
    "yolo": "yolo", "yolo-keras": "yolo-keras", "yolov4-pytorch": "yolov4-pytorch", "voc": "voc", "sagemaker": "sagemaker",
    "labelme": "labelme", "superannotate": "superannotate", "supervisely": "supervisely", "createml": "create-ml",
    "kitti": "kitti", "via": "via", "via-csv": "via-csv", "retinanet-csv": "retinanet", "open-images": "openimages",
    "wider-face": "wider-face", "v7-darwin": "v7-darwin", "kaggle-wheat": "kaggle-wheat",
    "automl-vision-csv": "automl-vision", "udacity": "udacity",
}  # fmt: skip
"""Our formats that panlabel has too."""

KNOWN = {
    ("panlabel reads", "open-images"): "both: ours has the files of the published set, panlabel takes the boxes alone",
    ("panlabel reads", "kaggle-wheat"): "both: ours is the table of 2021 (image_name, BoxesString, domain), panlabel knows that of 2020",
    ("panlabel reads", "kitti"): "we: the devkit has -1 for what nobody stated, panlabel takes 0 to 255",
    ("panlabel reads", "supervisely"): "we: points.exterior stands at the object, panlabel looks for it below geometry",
    ("panlabel reads", "tfod-csv"): "we: the tables of the TensorFlow tutorials hold pixels, panlabel takes them for fractions",
    ("panlabel reads", "udacity"): "we: the first set has xmin,ymin,xmax,ymax,Frame,Label,Preview URL; panlabel's columns are another set's",
    ("panlabel reads", "wider-face"): "we: the published lists begin with a path, panlabel wants the number of images first",
    ("panlabel reads", "v7-darwin"): "we: an export has one document for each image, panlabel wants all in one list",
    ("panlabel reads", "yolov4-pytorch"): "both: the list has no fixed name; panlabel knows six, ours is not among them",
    ("panlabel writes", "supervisely"): "we: points.exterior stands at the object, panlabel puts it below geometry",
    ("panlabel writes", "udacity"): "we: panlabel's columns are those of TFOD CSV",
    ("panlabel writes", "tfod-csv"): "we: the tables of the TensorFlow tutorials hold pixels, panlabel writes fractions",
    ("panlabel writes", "v7-darwin"): "we: an export has one document for each image, panlabel writes a list of them",
    ("datumaro reads", "coco"): "both: datumaro wants images below images/, ours lie in train/ as the published set's in train2017/",
    ("datumaro reads", "cvat-images"): "we: <subset> is in exports of projects only, datumaro refuses those of tasks",
    ("datumaro reads", "mot"): "both: the challenge's seqinfo.ini has name and frameRate, which nobody stated here; datumaro demands them",
    ("datumaro reads", "open-images"): "we: boxes and class ids agree; datumaro shows the id where class-descriptions.csv has the name",
    ("datumaro reads", "wider-face"): "we: the published lists lie in wider_face_split/; datumaro finds nothing without event folders",
    ("datumaro writes", "coco"): "we: stuff_train.json, of what is no object, repeats all of instances_train.json; labelglot check tells of the copies",
    ("datumaro writes", "mot"): "both: images are numbered, as the challenge does; their names are lost",
}  # fmt: skip
"""(judge and direction, format): who is right and why."""


def dataset():
    return Dataset(
        [
            Sample(path=name, id=i, size=(64, 48), image=BytesImage(name, png(64, 48)), annotations=tuple(Annotation(label=label, box=box) for label, box in rows))
            for i, (name, rows) in enumerate(BOXES.items(), 1)
        ],
        [Label(key="cat", name="cat", id=1), Label(key="dog", name="dog", id=2)],
    )  # fmt: skip


def rows_of(dataset):
    samples = map(in_pixels, dataset)
    return {Path(s.path).name: [[dataset_name(dataset, a.label), *a.box] for a in s.annotations or () if a.box] for s in samples}


def dataset_name(dataset, key):
    return next((label.name for label in dataset.labels if label.key == key), key)


def differences(seen, one_class=False):
    """What is not as it was written, in words."""
    by_stem = {Path(name).stem: rows for name, rows in seen.items()}
    for name, wanted in BOXES.items():
        rows = by_stem.get(Path(name).stem)
        if rows is None:
            yield f"{name} is not there, but {sorted(seen)}"
            continue
        if len(rows) != len(wanted):
            yield f"{name}: {len(rows)} objects instead of {len(wanted)}"
            continue
        for row, (label, box) in zip(sorted(rows, key=lambda r: r[1:]), sorted(wanted, key=lambda w: w[1]), strict=True):
            if not one_class and str(row[0]).lower() != label:
                yield f"{name}: class {row[0]!r} instead of {label!r}"
            if any(abs(a - b) > 0.01 for a, b in zip(row[1:], box, strict=True)):
                yield f"{name}: box {row[1:]} instead of {list(box)}"


def judge(found, key):
    """Agree, or differ in the way that is written down."""
    found = list(found)
    if key in KNOWN:
        assert found, f"{key} agrees by now: take it off the list"
        pytest.xfail(KNOWN[key])
    assert not found, "; ".join(found)


@pytest.fixture
def panlabel(record_property):
    if not PANLABEL:
        pytest.skip(f"panlabel is not installed: {how('oracles')}")
    record_property("judge", subprocess.run([PANLABEL, "--version"], capture_output=True, text=True, check=True).stdout.strip())
    return convert


@pytest.fixture
def datumaro(record_property):
    needs("datumaro", DATUMARO, "oracles", record_property)


def convert(*arguments):
    return subprocess.run([str(PANLABEL), "convert", *map(str, arguments), "--allow-lossy"], capture_output=True, text=True, check=False)


FOLDERS = ("yolo", "voc", "labelme", "kitti", "superannotate", "supervisely", "yolov4-pytorch", "yolo-keras")
SUFFIX = {"tfrecord": ".tfrecord", "cvat": ".xml", "sagemaker": ".manifest", "wider-face": ".txt"}
CSV = ("tfod", "vott-csv", "via-csv", "retinanet", "openimages", "kaggle-wheat", "automl-vision", "udacity")
OPTIONS = {"via": {"layout": "annotations"}}


def single(folder, format):
    """The file or folder that the other program wants to be given."""
    if format in FOLDERS:
        return folder
    documents = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.suffix not in (".png", ".pbtxt", ".md")]
    plain = [p for p in documents if not any(word in p.name for word in ("class", "label_map", "description", "config", "image-ids"))]
    return plain[0] if len(plain) == 1 else folder


@pytest.mark.parametrize("format", sorted(set(THEIRS) & set(lg.registry.ids())))
def test_panlabel_reads_ours(panlabel, format, tmp_path):
    lg.write(dataset(), tmp_path / "ours", format=format, options=OPTIONS.get(format))
    done = panlabel("-f", THEIRS[format], "-t", "coco", "-i", single(tmp_path / "ours", format), "-o", tmp_path / "theirs.json")
    if done.returncode:
        judge([done.stderr[-600:]], ("panlabel reads", format))
    judge(differences(rows_of(lg.read(tmp_path / "theirs.json", format="coco")), format in ("wider-face", "kaggle-wheat")), ("panlabel reads", format))


@pytest.mark.parametrize("format", sorted(set(THEIRS) & set(lg.registry.ids())))
def test_we_read_what_panlabel_writes(panlabel, format, tmp_path):
    lg.write(dataset(), tmp_path / "in.json", format="coco")
    for name in BOXES:
        (tmp_path / name).write_bytes(png(64, 48))
    name = THEIRS[format]
    suffix = "" if name in FOLDERS else ".csv" if name in CSV else SUFFIX.get(name, ".json")
    out = tmp_path / f"theirs{suffix}"
    done = panlabel("-f", "coco", "-t", THEIRS[format], "-i", tmp_path / "in.json", "-o", out)
    if done.returncode:
        judge([done.stderr[-600:]], ("panlabel writes", format))
    try:
        seen = rows_of(lg.read(out, format=format, image_dir=tmp_path).complete())
    except lg.LabelglotError as error:
        judge([str(error)], ("panlabel writes", format))
    judge(differences(seen, format in ("wider-face", "kaggle-wheat")), ("panlabel writes", format))


DATUMARO_HAS = {
    "coco": "coco", "voc": "voc", "cvat-images": "cvat", "kitti": "kitti", "wider-face": "wider_face",
    "open-images": "open_images", "mot": "mot_seq", "yolo-darknet": "yolo",
}  # fmt: skip
DATUMARO_WRITES = {**DATUMARO_HAS, "mot": "mot_seq_gt", "yolo": "yolo_ultralytics", "datumaro": "datumaro"}


def run_datumaro(*arguments):
    client = Path(__file__).with_name("datumaro_client.py")
    done = subprocess.run([str(DATUMARO), str(client), *map(str, arguments)], capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr)[-600:] if done.returncode else ""


@pytest.mark.usefixtures("datumaro")
@pytest.mark.parametrize("format", sorted(set(DATUMARO_HAS) & set(lg.registry.ids())))
def test_datumaro_reads_ours(format, tmp_path):
    out, result = tmp_path / "ours", tmp_path / "seen.json"
    lg.write(dataset().map(InTrain()), out, format=format)
    if said := run_datumaro("read", DATUMARO_HAS[format], out, result):
        judge([said], ("datumaro reads", format))
    judge(differences(json.loads(result.read_text()), format == "wider-face"), ("datumaro reads", format))


@pytest.mark.usefixtures("datumaro")
@pytest.mark.parametrize("format", sorted(set(DATUMARO_WRITES) & set(lg.registry.ids())))
def test_we_read_what_datumaro_writes(format, tmp_path):
    (tmp_path / "in.json").write_text(json.dumps({name: [[label, *box] for label, box in rows] for name, rows in BOXES.items()}))
    if said := run_datumaro("write", DATUMARO_WRITES[format], tmp_path / "theirs", tmp_path / "in.json"):
        judge([said], ("datumaro writes", format))
    try:
        seen = rows_of(lg.read(tmp_path / "theirs", format=format).complete())
    except lg.LabelglotError as error:
        judge([str(error)], ("datumaro writes", format))
    judge(differences(seen, format == "wider-face"), ("datumaro writes", format))


class InTrain:
    """Puts every image into the split train."""

    def __call__(self, sample):
        return sample.replace(splits=("train",))
