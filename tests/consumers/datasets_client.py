"""Loads a dataset as Hugging Face's ``datasets`` does and prints what it sees as JSON, or makes one to be read.

usage: datasets_client.py load KIND FOLDER OUT | datasets_client.py make FOLDER
Runs in an interpreter that has ``datasets`` and Pillow.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", HF_HOME=tempfile.mkdtemp())


def load(kind: str, where: str, out: str) -> None:
    from datasets import load_dataset

    if kind == "webdataset":
        found = load_dataset("webdataset", data_files={"train": f"{where}/train-*.tar"})
    elif kind == "folder-classification":
        found = load_dataset("imagefolder", data_dir=where)
    else:
        found = load_dataset(where)
    seen = {}
    for split, rows in found.items():
        listed = [{k: v.size if hasattr(v, "size") else v for k, v in row.items() if not k.startswith("__")} for row in rows]
        names = {k: f.names for k, f in rows.features.items() if hasattr(f, "names")}
        objects = rows.features.get("objects")
        if objects is not None and hasattr(objects["category"].feature, "names"):
            names["objects"] = objects["category"].feature.names
        seen[str(split)] = {"rows": listed, "names": names}
    Path(out).write_text(json.dumps(seen))


def make(where: str) -> None:
    from datasets import ClassLabel, Dataset, Features, Image, List, Value
    from PIL import Image as Pictures

    box = List(Value("float32"), length=4)
    names = ClassLabel(names=["cat", "dog"])
    lists = {"id": List(Value("int64")), "bbox": List(box), "category": List(names)}
    structs = List({"id": Value("int64"), "bbox": box, "category": names})
    picture = Pictures.new("RGB", (6, 4))
    for kind, objects in (("lists", lists), ("structs", structs)):
        features = Features({"image": Image(), "image_id": Value("int64"), "objects": objects})
        items = [{"id": 5, "bbox": [2.0, 1.0, 3.0, 2.0], "category": 1}, {"id": 6, "bbox": [0.5, 0.0, 1.0, 1.0], "category": 0}]
        value = items if kind == "structs" else {name: [item[name] for item in items] for name in items[0]}
        empty = [] if kind == "structs" else {name: [] for name in lists}
        rows = {"image": [picture, picture], "image_id": [7, 8], "objects": [value, empty]}
        Path(where, kind, "data").mkdir(parents=True)
        Dataset.from_dict(rows, features=features).to_parquet(f"{where}/{kind}/data/train-00000-of-00001.parquet")


if __name__ == "__main__":
    {"load": load, "make": make}[sys.argv[1]](*sys.argv[2:])
