"""Counts what is in an output, whoever wrote it, without the converter under test: images, objects, polygons, image bytes."""

from __future__ import annotations

import csv
import json
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import msgspec


@dataclass(frozen=True)
class Counts:
    """What an output holds."""

    images: int = 0
    objects: int = 0
    polygons: int = 0
    image_bytes: int = 0
    """Images whose bytes are inside."""

    def missing(self, best: Counts) -> str:
        """What another has and this has not, in words; empty if nothing."""
        return ", ".join(
            f"{f'{other - have:,}' if have else 'all'} {name.replace('_', ' ')}"
            for (name, have), other in zip(asdict(self).items(), asdict(best).values(), strict=True) if have < other
        )  # fmt: skip

    def __str__(self) -> str:
        return f"{self.images:,} / {self.objects:,} / {self.polygons:,}"

    @classmethod
    def best(cls, outputs: Iterable[Counts], source: Counts) -> Counts:
        """What the target can hold of the source, as far as any of the outputs shows it."""
        columns = zip(*(asdict(each).values() for each in (cls(), *outputs)), strict=True)
        return cls(*(min(most, there) for most, there in zip(map(max, columns), asdict(source).values(), strict=True)))


def count(kind: str, path: Path) -> Counts:
    """``kind``: a key of :data:`COUNTERS`. Counted in a process of its own; ValueError if it cannot be read."""
    done = subprocess.run([sys.executable, __file__, kind, str(path)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(done.stderr.strip().splitlines()[-1])
    return Counts(**json.loads(done.stdout))


def _files(path: Path, suffix: str) -> Iterator[Path]:
    return (each for each in path.rglob(f"*{suffix}") if each.is_file())


def _yolo(path: Path) -> Counts:
    if path.is_file():
        with zipfile.ZipFile(path) as archive:
            texts = [archive.read(name) for name in archive.namelist() if name.endswith(".txt") and "labels/" in name]
    else:  # one of them keeps names of splits or classes in text files beside the labels
        folders = [each for each in path.rglob("*") if each.name in ("labels", "obj_train_data") and each.is_dir()] or [path]
        texts = [each.read_bytes() for folder in folders for each in _files(folder, ".txt")]
    return Counts(len(texts), sum(len(text.splitlines()) for text in texts))


def _voc(path: Path) -> Counts:
    texts = [each.read_bytes() for each in _files(path, ".xml")]
    return Counts(len(texts), sum(text.count(b"<object>") for text in texts), sum(text.count(b"<polygon>") for text in texts))


def _tfod(path: Path) -> Counts:
    with path.open(newline="") as lines:
        rows = [row["filename"] for row in csv.DictReader(lines)]
    return Counts(len(set(rows)), len(rows))


def _cvat(path: Path) -> Counts:
    text = path.read_bytes() if path.is_file() else b"".join(each.read_bytes() for each in _files(path, ".xml"))
    polygons, masks = text.count(b"<polygon "), text.count(b"<mask ")
    return Counts(text.count(b"<image "), text.count(b"<box ") + polygons + masks, polygons)


def _createml(path: Path) -> Counts:
    images = json.loads(path.read_bytes())
    return Counts(len(images), sum(len(each["annotations"]) for each in images))


class _Object(msgspec.Struct, gc=False):
    segmentation: msgspec.Raw = msgspec.Raw(b"")


class _Coco(msgspec.Struct):
    images: list[msgspec.Raw]
    annotations: list[_Object]


def _coco(path: Path) -> Counts:
    """One document, or the largest of a folder."""
    file = path if path.is_file() else max(_files(path, ".json"), key=lambda each: each.stat().st_size)
    found = msgspec.json.decode(file.read_bytes(), type=_Coco)
    empty = (b"", b"[]", b"null")
    return Counts(len(found.images), len(found.annotations), sum(bytes(each.segmentation).strip() not in empty for each in found.annotations))


def _voc_images(path: Path) -> Counts:
    return replace(_voc(path), image_bytes=sum(1 for _ in _files(path, ".jpg")))


def _tfrecord(path: Path) -> Counts:
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file() and ".tfrecord" in each.name]
    images = objects = encoded = masks = 0
    for file in files:
        for record in records(file):
            features = dict(_features(record))
            images += 1
            objects += features.get("image/object/class/text", 0)
            encoded += features.get("image/encoded", 0) > 0
            masks += features.get("image/object/mask", 0)
    return Counts(images, objects, masks, encoded)


def records(path: Path) -> Iterator[bytes]:
    """The payloads of a TFRecord file: length, its check sum, payload, its check sum."""
    with path.open("rb") as stream:
        while head := stream.read(12):
            payload = stream.read(struct.unpack("<Q", head[:8])[0])
            stream.read(4)
            yield payload


def _features(example: bytes) -> Iterator[tuple[str, int]]:
    """Name of each feature of a ``tf.train.Example`` and its number of byte strings that are not empty."""
    for _, features in _fields(example):
        for _, entry in _fields(features):
            parts = dict(_fields(entry))
            values = [value for kind, held in _fields(parts.get(2, b"")) if kind == 1 for _, value in _fields(held)]
            yield parts[1].decode(), sum(bool(value) for value in values)


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Fields of a protocol buffer that have a length; the others are passed over."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        if key & 7 == 2:
            size, at = _varint(message, at)
            yield key >> 3, message[at : at + size]
            at += size
        elif key & 7 == 0:
            _, at = _varint(message, at)
        else:
            at += 8 if key & 7 == 1 else 4


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


COUNTERS: Mapping[str, Callable[[Path], Counts]] = {
    "yolo": _yolo, "voc": _voc, "tfod-csv": _tfod, "cvat-images": _cvat, "createml": _createml, "coco": _coco, "tfrecord": _tfrecord,
    "voc-images": _voc_images,
}  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(asdict(COUNTERS[sys.argv[1]](Path(sys.argv[2])))))
