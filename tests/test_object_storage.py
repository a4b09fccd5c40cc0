"""S3 as source and target, against a real server on this machine."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import labelglot as lg
import pytest

pytest.importorskip("s3fs")
pytest.importorskip("moto")
DATA = Path(__file__).parents[1] / "plugins" / "coco" / "tests" / "data" / "coco"


@pytest.fixture(scope="module")
def server():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(150):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def bucket(server, monkeypatch):
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": server, "FSSPEC_S3_ENDPOINT_URL": server,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    name = f"set-{os.getpid()}-{time.monotonic_ns()}"
    files = s3fs.S3FileSystem(client_kwargs={"endpoint_url": server})
    files.mkdir(name)
    return name


@pytest.mark.filterwarnings("ignore")
def test_there_and_back(bucket, tmp_path):
    made = lg.convert(DATA, f"s3://{bucket}/voc", to="voc")
    assert made.report.counts["images.written"] == 3
    back = lg.convert(f"s3://{bucket}/voc", tmp_path / "coco", to="coco", format="voc")
    assert back.report.counts["annotations.written"] == 5
    assert len(list((tmp_path / "coco").rglob("*.png"))) == 3


@pytest.mark.filterwarnings("ignore")
def test_archives_there(bucket, tmp_path):
    lg.convert(DATA, f"s3://{bucket}/set.zip", to="yolo")
    with pytest.raises(lg.LabelglotError, match="exists already"):
        lg.convert(DATA, f"s3://{bucket}/set.zip", to="yolo")
    back = lg.convert(f"s3://{bucket}/set.zip", tmp_path / "out", to="voc", format="yolo")
    assert back.report.counts["annotations.written"] == 5
