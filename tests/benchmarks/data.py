"""The data of the benchmarks, made the same every time: COCO with boxes and polygons, and trees of image files.

``python data.py coco FOLDER --images 118000`` writes ``annotations/instances_train.json`` with about 6.8 objects per image
and 80 categories, as COCO 2017 has. :class:`Inputs` makes all inputs of the benchmarks in a cache folder, each once; those
in VOC and YOLO by converting with labelglot, so that every converter reads the same files.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import math
import random
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

CATEGORIES = 80
OBJECTS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 15)
"""Numbers of objects per image, each as likely: 6.86 in the mean."""


def category_name(number: int) -> str:
    """Names of one and of two words, as COCO has."""
    return f"class {number}" if number % 5 == 0 else f"class{number}"


def images(number: int, seed: int = 7) -> Iterator[tuple[dict[str, object], list[dict[str, object]]]]:
    """Each image with its objects."""
    chance = random.Random(seed)
    id_ = 1
    for ordinal in range(1, number + 1):
        width, height = chance.choice(((640, 480), (480, 640), (640, 427), (500, 375)))
        image = {"id": ordinal, "file_name": f"{ordinal:012}.jpg", "width": width, "height": height}
        objects = []
        for _ in range(chance.choice(OBJECTS)):
            objects.append(_object(id_, ordinal, width, height, chance))
            id_ += 1
        yield image, objects


def _object(id_: int, image: int, width: int, height: int, chance: random.Random) -> dict[str, object]:
    w, h = chance.uniform(8, width * 0.5), chance.uniform(8, height * 0.5)
    x, y = chance.uniform(0, width - w), chance.uniform(0, height - h)
    corners = chance.randint(6, 22)
    ring: list[float] = []
    for corner in range(corners):
        turn, reach = math.tau * corner / corners, chance.uniform(0.6, 1.0)
        ring += [round(x + w / 2 * (1 + reach * math.cos(turn)), 2), round(y + h / 2 * (1 + reach * math.sin(turn)), 2)]
    xs, ys = ring[::2], ring[1::2]
    box = [min(xs), min(ys), round(max(xs) - min(xs), 2), round(max(ys) - min(ys), 2)]
    return {
        "id": id_, "image_id": image, "category_id": chance.randint(1, CATEGORIES), "bbox": box,
        "area": round(box[2] * box[3] * 0.7, 4), "segmentation": [ring], "iscrowd": 0,
    }  # fmt: skip


def write_coco(folder: Path, number: int, *, polygons: bool = True) -> Path:
    """The document of so many images; kept if it is there already. Without polygons the boxes are the same."""
    path = folder / "annotations" / "instances_train.json"
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    work = path.with_suffix(".part")
    objects_file = path.with_suffix(".objects")
    dump = json.JSONEncoder(separators=(",", ":")).encode
    categories = [{"id": n, "name": category_name(n), "supercategory": f"group{n % 8}"} for n in range(1, CATEGORIES + 1)]
    with work.open("w") as out, objects_file.open("w") as later:
        out.write(f'{{"info":{{"description":"benchmark"}},"licenses":[],"categories":{dump(categories)},"images":[')
        comma = ""
        first = True
        for image, objects in images(number):
            out.write(comma + dump(image))
            comma = ","
            for each in objects:
                if not polygons:
                    del each["segmentation"]
                later.write(("" if first else ",") + dump(each))
                first = False
        out.write('],"annotations":[')
    with work.open("a") as out, objects_file.open() as later:
        while block := later.read(1 << 22):
            out.write(block)
        out.write("]}")
    objects_file.unlink()
    work.rename(path)
    return path


def write_images(folder: Path, number: int, *, linked: bool = False) -> Path:
    """Small JPEG files of the sizes the images have, some 10 kB each: files of their own, or hard links where only the size
    in the header is read."""
    folder.mkdir(parents=True, exist_ok=True)
    made: dict[tuple[int, int], bytes] = {}
    first: dict[tuple[int, int], Path] = {}
    for image, _ in images(number):
        size = (int(str(image["width"])), int(str(image["height"])))
        if size not in made:
            made[size] = jpeg(size)
        path = folder / str(image["file_name"])
        if linked and size in first:
            try:
                path.hardlink_to(first[size])
                continue
            except OSError:  # as many links as the file system allows, or it has none
                pass
        path.write_bytes(made[size])
        first[size] = path
    return folder


def jpeg(size: tuple[int, int], seed: int = 7) -> bytes:
    """A picture of clouds: it neither compresses to nothing nor is as large as pure noise."""
    from PIL import Image

    small = (max(1, size[0] // 8), max(1, size[1] // 8))
    clouds = Image.frombytes("L", small, random.Random(seed).randbytes(small[0] * small[1])).resize(size).convert("RGB")
    stream = io.BytesIO()
    clouds.save(stream, "JPEG", quality=60)
    return stream.getvalue()


Kind = Literal["coco", "voc", "yolo", "voc-images"]


@dataclass(frozen=True)
class Inputs:
    """Makes the inputs of the benchmarks below ``cache``, once; ``labelglot`` is its command."""

    cache: Path
    labelglot: Sequence[str]

    @property
    def home(self) -> Path:
        """Another one after each change of this file."""
        return self.cache / f"data-{hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]}"

    def folder(self, kind: Kind, number: int) -> Path:
        """The dataset of so many images; for COCO the folder above ``annotations``."""
        folder = self.home / f"{kind}-{number}"
        if folder.exists():
            return folder
        work = folder.with_name(folder.name + ".part")
        shutil.rmtree(work, ignore_errors=True)
        if kind == "coco":
            write_coco(work, number)
            (work / "images").mkdir()  # empty; one reader takes the folder for COCO only if it is there
        else:
            self._convert(kind, number, work)
        work.rename(folder)
        return folder

    def names(self) -> Path:
        """A file with a line for each class, in order, which some converters ask for."""
        path = self.home / "names.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text("".join(f"{category_name(n)}\n" for n in range(1, CATEGORIES + 1)))
        return path

    def _convert(self, kind: Kind, number: int, work: Path) -> None:
        # Boxes only: polygons in VOC are an extension that few read, and here all are to do the same work.
        source = work.with_name(work.name + "-boxes")
        try:
            write_coco(source, number, polygons=False)
            target = "yolo" if kind == "yolo" else "voc"
            command = [*self.labelglot, "convert", str(source), str(work), "--to", target, "--images", "none", "-q"]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        finally:
            shutil.rmtree(source, ignore_errors=True)
        if kind == "yolo":
            write_images(work / "images" / "train", number, linked=True)
        elif kind == "voc-images":
            write_images(work / "JPEGImages", number)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("coco", "images"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=20_000)
    options = parser.parse_args()
    made = write_coco(options.folder, options.images) if options.kind == "coco" else write_images(options.folder, options.images)
    print(made)


if __name__ == "__main__":
    main()
