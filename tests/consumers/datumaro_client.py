"""Reads a dataset with datumaro and writes ``{image: [[class, x, y, w, h], ...]}`` as JSON, or has it write one.

usage: datumaro_client.py read FORMAT FOLDER RESULT | write FORMAT FOLDER INPUT, where INPUT is such a JSON and every image is
64 x 48 in the split train (but for YOLO, where the last one is in val, because it demands both). Runs in an interpreter that has datumaro.
"""

import json
import sys
from pathlib import Path

import numpy
from datumaro import AnnotationType, Bbox, Dataset, DatasetItem, Image


def read(format, folder, result):
    found = Dataset.import_from(folder, format)
    names = found.categories()[AnnotationType.label]
    seen = {}
    for item in found:
        rows = seen.setdefault(item.id, [])
        for a in item.annotations:
            if a.type == AnnotationType.bbox:
                rows.append([names[a.label].name if a.label is not None else None, a.x, a.y, a.x + a.w, a.y + a.h])
    Path(result).write_text(json.dumps(seen))


def write(format, folder, given):
    wanted = json.loads(Path(given).read_text())
    classes = sorted({label for rows in wanted.values() for label, *_ in rows})
    items = [
        DatasetItem(
            id=name.removesuffix(".png"),
            subset="val" if format == "yolo_ultralytics" and number == len(wanted) else "train",
            media=Image.from_numpy(data=numpy.zeros((48, 64, 3), dtype=numpy.uint8)),
            attributes={"frame": number},
            annotations=[
                Bbox(x0, y0, x1 - x0, y1 - y0, label=classes.index(label), id=number * 10 + i, group=number * 10 + i, attributes={"track_id": i})
                for i, (label, x0, y0, x1, y1) in enumerate(rows, 1)
            ],
        )
        for number, (name, rows) in enumerate(wanted.items(), 1)
    ]
    Dataset.from_iterable(items, categories=classes).export(folder, format, save_media=True, image_ext=".png")


if __name__ == "__main__":
    {"read": read, "write": write}[sys.argv[1]](*sys.argv[2:])
