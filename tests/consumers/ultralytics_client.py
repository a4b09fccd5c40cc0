"""Loads a dataset as Ultralytics' trainers do and prints what they see as JSON. Runs in an interpreter that has it.

usage: ultralytics_client.py TASK FOLDER
"""

import json
import os
import sys
import tempfile
from pathlib import Path

os.environ.update(YOLO_OFFLINE="1", YOLO_CONFIG_DIR=tempfile.mkdtemp(), YOLO_VERBOSE="true")


def detection(task: str, root: Path) -> dict[str, object]:
    from ultralytics.data.dataset import YOLODataset
    from ultralytics.data.utils import check_det_dataset

    data = check_det_dataset(str(root / "data.yaml"), autodownload=False)
    seen: dict[str, object] = {"names": data["names"], "splits": {}}
    for split in ("train", "val", "test"):
        if not data.get(split):
            continue
        dataset = YOLODataset(img_path=data[split], data=data, task=task, augment=False, batch_size=1)
        first = dataset[0]
        assert first["img"].ndim == 3
        seen["splits"][split] = {
            str(Path(label["im_file"]).resolve().relative_to(root.resolve())): {
                "cls": label["cls"].ravel().astype(int).tolist(),
                "boxes": label["bboxes"].tolist(),
                "segments": [segment.tolist() for segment in label["segments"]],
                "keypoints": None if label["keypoints"] is None else label["keypoints"].tolist(),
                "shape": list(label["shape"]),
            }
            for label in dataset.labels
        }
    return seen


def classification(root: Path) -> dict[str, object]:
    from ultralytics.data.utils import check_cls_dataset

    data = check_cls_dataset(str(root))
    names = data["names"]
    splits = {
        split: sorted(str(path.relative_to(data[split])) for path in data[split].rglob("*.png"))
        for split in ("train", "val", "test")
        if data[split]
    }
    return {"names": names, "splits": splits}


if __name__ == "__main__":
    task, folder = sys.argv[1], Path(sys.argv[2])
    found = classification(folder) if task == "classify" else detection(task, folder)
    Path(sys.argv[3]).write_text(json.dumps(found))
