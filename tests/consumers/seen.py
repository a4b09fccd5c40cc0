"""A small dataset, what a consumer sees of it once it is written, and whether that is all of it."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import labelglot as lg
import pytest
from consumers.install import how, program
from labelglot.images import BytesImage
from labelglot.plugin import Annotation, Dataset, Label, Polygon, Sample
from labelglot.testing.strategies import png

PYTHON = program("LABELGLOT_CONSUMERS_PYTHON") or sys.executable
"""Has the light consumers, or at least those that belong to the project's own tests."""
CLIENTS = Path(__file__).parent
LABELS = (Label(key="unused", name="unused", id=3), Label(key="cat", name="cat", id=7), Label(key="big dog", name="big dog", id=90))
BOXES = {
    "one.png": [("cat", (1.0, 2.0, 33.0, 40.0)), ("big dog", (0.0, 0.0, 64.0, 48.0))],
    "été 2.png": [("cat", (10.5, 11.25, 20.0, 30.75))],
    "empty.png": [],
}


VERSION = """
import sys
from importlib.metadata import packages_distributions, version
for name in packages_distributions().get(sys.argv[1], ())[:1]:
    print(name.replace("_", "-"), version(name))
"""


@cache
def judge(module, python=PYTHON):
    """The distribution that has a module, and its version; empty if there is none. A broken one is there: its tests fail."""
    return subprocess.run([python, "-c", VERSION, module], capture_output=True, text=True, check=True).stdout.strip()


def needs(module, python, group, record_property):
    """Skips what has no judge, saying how to get it, and puts down who judges."""
    found = python and judge(module, python)
    if not found:
        pytest.skip(f"{module} is not installed: {how(group)}")
    record_property("judge", found)


def dataset(*splits, polygons=False, tracks=False, whole=False, names=tuple(BOXES)):
    samples = []
    for number, name in enumerate(names, 1):
        objects = []
        for i, (label, box) in enumerate(BOXES[name]):
            box = tuple(map(float, map(round, box))) if whole else box
            x0, y0, x1, y1 = box
            shape = Polygon.of((x0, y0, x1, y0, x1, y1, x0, y1)) if polygons else None
            objects.append(Annotation(label=label, box=box, shape=shape, track=i + 1 if tracks else None))
        image = BytesImage(name, png(64, 48))
        more = {"sequence": "seq", "frame": number} if tracks else {}
        samples.append(Sample(path=name, splits=splits, size=(64, 48), annotations=tuple(objects), image=image, **more))
    return Dataset(samples, LABELS)


def see(tmp_path, record_property, client, module, format, made, python=PYTHON, clients="light_clients.py", group="light", **options):
    """What a client sees of a dataset that was written as ``format``."""
    needs(module, python, group, record_property)
    if format not in lg.registry:
        pytest.skip(f"{format} is not installed")
    out, result = tmp_path / "out", tmp_path / "seen.json"
    lg.write(made, out, format=format, options=options, verify=True)
    done = subprocess.run([python, str(CLIENTS / clients), client, str(out), str(result)], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return json.loads(result.read_text())


def assert_boxes(seen, within=1e-4, whole=False, names=tuple(BOXES), last=False):
    """All images, all objects, their classes and boxes. ``last``: only the last part of a name is kept."""
    assert {Path(name).name if last else name for name in seen} == set(names)
    for name, rows in seen.items():
        wanted = [(label, tuple(map(round, box)) if whole else box) for label, box in BOXES[Path(name).name]]
        assert sorted(row[0] for row in rows) == sorted(label for label, _ in wanted)
        for row, (label, box) in zip(sorted(rows), sorted(wanted), strict=True):
            assert row[0] == label and row[1:] == pytest.approx(box, abs=within), name
