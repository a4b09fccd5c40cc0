"""The floor of a conversion: what any program must do that reads this input and writes this output, and nothing else.

``python floor.py coco INPUT REFERENCE OUT`` decodes every number and name of the input into objects with the fastest decoder
at hand (msgspec with types for JSON, lxml for XML), keeps nothing but what is needed, then writes the bytes of REFERENCE, an
output made before, to OUT: file by file, and member by member with the same compression if it is a zip. Reading REFERENCE, from the
cache of the system, is in the time. One process, no checks, no reports, and no output that depends on the input.
"""

from __future__ import annotations

import gc
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec


class _Image(msgspec.Struct, gc=False):
    id: int
    file_name: str
    width: int
    height: int


class _Object(msgspec.Struct, gc=False):
    id: int
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    segmentation: list[list[float]] = []
    iscrowd: int = 0
    area: float = 0


class _Category(msgspec.Struct):
    id: int
    name: str


class _Coco(msgspec.Struct):
    images: list[_Image]
    annotations: list[_Object]
    categories: list[_Category]


def decode_coco(folder: Path) -> int:
    """Number of objects of the document."""
    path = folder / "annotations" / "instances_train.json"
    return len(msgspec.json.decode(path.read_bytes(), type=_Coco).annotations)


def decode_voc(folder: Path, *, images: bool = False) -> int:
    """Number of objects of all documents, with all corners as numbers."""
    from lxml import etree

    found = 0
    for path in sorted((folder / "Annotations").iterdir()):
        root = etree.fromstring(path.read_bytes())
        for each in root.iterfind("object"):
            found += len(("", *(float(corner.text or "") for corner in each.find("bndbox")))) > 4  # type: ignore[union-attr]
        if images:
            (folder / "JPEGImages" / path.with_suffix(".jpg").name).read_bytes()
    return found


def decode_voc_images(folder: Path) -> int:
    """As :func:`decode_voc`, with the bytes of the images read."""
    return decode_voc(folder, images=True)


def decode_yolo(folder: Path) -> int:
    """Number of lines of all files, with all numbers decoded, and the start of each image read, which has its size."""
    found = 0
    for path in sorted((folder / "labels" / "train").iterdir()):
        with (folder / "images" / "train" / path.with_suffix(".jpg").name).open("rb") as image:
            image.read(1024)
        for line in path.read_bytes().splitlines():
            label, *box = line.split()
            found += bool([int(label), *map(float, box)])
    return found


DECODERS: Mapping[str, Callable[[Path], int]] = {
    "coco": decode_coco, "voc": decode_voc, "voc-images": decode_voc_images, "yolo": decode_yolo,
}  # fmt: skip


def write_again(reference: Path, out: Path) -> None:
    """The same bytes in the same files."""
    if reference.suffix == ".zip":
        with zipfile.ZipFile(reference) as old, zipfile.ZipFile(out, "w") as new:
            for info in old.infolist():
                new.writestr(info.filename, old.read(info), info.compress_type)
    elif reference.is_file():
        with reference.open("rb") as old_file, out.open("wb") as new_file:
            while block := old_file.read(1 << 20):
                new_file.write(block)
    else:
        out.mkdir()
        for path in reference.iterdir():
            write_again(path, out / path.name)


def main() -> None:
    kind, source, reference, out = sys.argv[1:]
    gc.disable()
    print(DECODERS[kind](Path(source)))
    write_again(Path(reference), Path(out))


if __name__ == "__main__":
    main()
