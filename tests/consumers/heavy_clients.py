"""Loads a dataset with a large consumer (torchvision, TensorFlow) and writes what that sees as JSON.

usage: heavy_clients.py CLIENT FOLDER RESULT, as light_clients.py. Where a consumer demands a folder of its own around the
dataset, that is made beside it, with a link to the unchanged output.
"""

import json
import os
import sys
from pathlib import Path

os.environ.update(CUDA_VISIBLE_DEVICES="-1", TF_CPP_MIN_LOG_LEVEL="2")
SIZE = (64, 48)


def below(root, *place):
    """A folder that holds the output at a place the loader demands."""
    top = root.parent / f"around-{root.name}"
    link = top.joinpath(*place)
    link.parent.mkdir(parents=True)
    link.symlink_to(root)
    return str(top)


def coco(root):
    from torchvision.datasets import CocoDetection, wrap_dataset_for_transforms_v2

    (document,) = root.glob("annotations/*.json")
    (images,) = {place.parent for place in root.rglob("*.png")}
    plain = CocoDetection(str(images), str(document))
    wrapped = wrap_dataset_for_transforms_v2(plain, target_keys=["boxes", "labels", "masks"])
    seen, areas = {}, []
    for number, (image, target) in zip(plain.ids, wrapped, strict=True):
        assert image.size == SIZE
        names = [plain.coco.cats[int(label)]["name"] for label in target.get("labels", ())]
        boxes = [list(map(float, box)) for box in target.get("boxes", ())]
        areas += [int(mask.sum()) for mask in target.get("masks", ())]
        seen[plain.coco.imgs[number]["file_name"]] = [[n, *b] for n, b in zip(names, boxes, strict=True)]
    return {"boxes": seen, "areas": sorted(areas)}


def voc(root):
    from torchvision.datasets import VOCDetection

    seen = {}
    for image, target in VOCDetection(below(root, "VOCdevkit", "VOC2012"), year="2012", image_set="train", download=False):
        assert image.size == SIZE
        found = target["annotation"]
        rows = seen[found["filename"]] = []
        for one in found.get("object", ()):
            rows.append([one["name"], *(float(one["bndbox"][side]) for side in ("xmin", "ymin", "xmax", "ymax"))])
    return {"boxes": seen}


def kitti(root):
    from torchvision.datasets import Kitti

    made = Kitti(below(root, "Kitti", "raw"), train=True, download=False)
    seen = {}
    for place, (image, target) in zip(made.images, made, strict=True):
        assert image.size == SIZE
        seen[Path(place).name] = [[one["type"], *one["bbox"]] for one in target]
    return {"boxes": seen}


def cityscapes(root):
    from torchvision.datasets import Cityscapes

    made = Cityscapes(str(root), split="train", mode="fine", target_type="polygon")
    seen = {}
    for place, (image, target) in zip(made.images, made, strict=True):
        assert image.size == SIZE == (target["imgWidth"], target["imgHeight"])
        rows = seen[Path(place).name.replace("_leftImg8bit", "")] = []
        for one in target["objects"]:
            xs, ys = zip(*one["polygon"], strict=True)
            rows.append([one["label"], min(xs), min(ys), max(xs), max(ys)])
    return {"boxes": seen}


def folders(root):
    from torchvision.datasets import ImageFolder

    splits = {}
    for split in sorted(p for p in root.iterdir() if p.is_dir()):
        made = ImageFolder(str(split))
        splits[split.name] = sorted([made.classes[label], *image.size] for image, label in made)
    return {"splits": splits}


def tensorflow(root):
    import tensorflow as tf

    def many(kind):
        return tf.io.VarLenFeature(kind)

    fields = {f"image/object/bbox/{side}": many(tf.float32) for side in ("xmin", "ymin", "xmax", "ymax")}
    fields |= {"image/object/class/text": many(tf.string), "image/object/class/label": many(tf.int64)}
    fields |= {name: tf.io.FixedLenFeature([], tf.string) for name in ("image/filename", "image/encoded")}
    fields |= {name: tf.io.FixedLenFeature([], tf.int64) for name in ("image/width", "image/height")}
    seen, ids = {}, {}
    for record in tf.data.TFRecordDataset(sorted(str(p) for p in root.rglob("*.tfrecord*"))):
        found = tf.io.parse_single_example(record, fields)
        width, height = int(found["image/width"]), int(found["image/height"])
        assert tuple(tf.io.decode_image(found["image/encoded"], channels=3).shape) == (height, width, 3) == (*SIZE[::-1], 3)
        lists = {name: value.values.numpy().tolist() for name, value in found.items() if name.startswith("image/object")}
        names = [text.decode() for text in lists["image/object/class/text"]]
        ids.update(zip(names, lists["image/object/class/label"], strict=True))
        corners = zip(*(lists[f"image/object/bbox/{side}"] for side in ("xmin", "ymin", "xmax", "ymax")), strict=True)
        rows = [[n, x0 * width, y0 * height, x1 * width, y1 * height] for n, (x0, y0, x1, y1) in zip(names, corners, strict=True)]
        seen[found["image/filename"].numpy().decode()] = rows
    return {"boxes": seen, "ids": ids}


if __name__ == "__main__":
    client, folder, result = sys.argv[1:]
    Path(result).write_text(json.dumps(globals()[client](Path(folder).resolve())))
