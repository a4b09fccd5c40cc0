"""Loads a dataset with the library that will consume it and writes what that sees as JSON.

usage: light_clients.py CLIENT FOLDER RESULT. Each client gives ``{image: [[class, x0, y0, x1, y1], ...]}``, boxes in pixels,
or what else there is to see. Runs in an interpreter that has the library.
"""

import json
import os
import sys
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")


def coco_api(api, root):
    seen, areas = {}, []
    for document in sorted(root.glob("annotations/*.json")):
        coco = api(str(document))
        for image in coco.loadImgs(coco.getImgIds()):
            rows = seen.setdefault(image["file_name"], [])
            for a in coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]])):
                x, y, w, h = a["bbox"]
                rows.append([coco.loadCats([a["category_id"]])[0]["name"], x, y, x + w, y + h])
                if a.get("segmentation"):
                    areas.append(int(coco.annToMask(a).sum()))
    return {"boxes": seen, "areas": sorted(areas)}


def pycocotools(root):
    from pycocotools.coco import COCO

    return coco_api(COCO, root)


def faster_coco_eval(root):
    from faster_coco_eval import COCO

    return coco_api(COCO, root)


def lvis(root):
    from lvis import LVIS

    seen = {}
    for document in sorted(root.rglob("*.json")):
        found = LVIS(str(document))
        for image in found.load_imgs(found.get_img_ids()):
            name = image.get("file_name") or image["coco_url"].rpartition("/")[2]
            rows = seen.setdefault(name, [])
            for a in found.load_anns(found.get_ann_ids(img_ids=[image["id"]])):
                x, y, w, h = a["bbox"]
                rows.append([found.load_cats([a["category_id"]])[0]["name"], x, y, x + w, y + h])
    return {"boxes": seen}


def tfrecord(root):
    from tfrecord.reader import tfrecord_loader

    seen = {}
    for file in sorted(root.rglob("*.tfrecord*")):
        for record in tfrecord_loader(str(file), None, None):
            name = bytes(record["image/filename"]).decode()
            width, height = int(record["image/width"][0]), int(record["image/height"][0])
            corners = [[float(v) for v in record.get(f"image/object/bbox/{k}", [])] for k in ("xmin", "ymin", "xmax", "ymax")]
            texts = record.get("image/object/class/text", [])
            texts = [texts] if isinstance(texts, bytes) else [bytes(t) for t in texts] if len(corners[0]) != 1 else [bytes(texts)]
            seen[name] = [
                [text.decode(), x0 * width, y0 * height, x1 * width, y1 * height]
                for text, x0, y0, x1, y1 in zip(texts, *corners, strict=True)
            ]
    return {"boxes": seen}


def supervision_boxes(dataset, root):
    return {
        Path(path).name: [
            [dataset.classes[int(c)], *map(float, box)] for c, box in zip(found.class_id, found.xyxy, strict=True)
        ]
        for path, _, found in dataset
    }


def supervision_yolo(root):
    import supervision as sv

    made = sv.DetectionDataset.from_yolo(str(root / "images" / "train"), str(root / "labels" / "train"), str(root / "data.yaml"))
    return {"boxes": supervision_boxes(made, root)}


def supervision_coco(root):
    import supervision as sv

    (document,) = map(str, root.glob("annotations/*.json"))
    images = {place.parent for place in root.rglob("*.png")}
    made = sv.DetectionDataset.from_coco(str(next(iter(images))), document)
    return {"boxes": supervision_boxes(made, root)}


def supervision_voc(root):
    import supervision as sv

    made = sv.DetectionDataset.from_pascal_voc(str(root / "JPEGImages"), str(root / "Annotations"))
    return {"boxes": supervision_boxes(made, root)}


def supervision_createml(root):
    import supervision as sv

    (document,) = map(str, root.rglob("*.json"))
    made = sv.DetectionDataset.from_createml(str(Path(document).parent), document)
    return {"boxes": supervision_boxes(made, root)}


def supervision_labelme(root):
    import supervision as sv

    made = sv.DetectionDataset.from_labelme(str(root), str(root))
    return {"boxes": supervision_boxes(made, root)}


def datasets(root):
    from datasets import load_dataset

    loaded = load_dataset("imagefolder", data_dir=str(root), cache_dir=str(root.parent / "cache"))
    return {
        "splits": {
            split: sorted([rows.features["label"].names[row["label"]], *row["image"].size] for row in rows)
            for split, rows in loaded.items()
        }
    }


def motmetrics(root):
    import motmetrics as mm

    (file,) = root.rglob("gt.txt")
    found = mm.io.loadtxt(str(file), fmt=mm.io.Format.MOT16)
    return {"rows": sorted([int(f), int(i), float(r.X), float(r.Y), float(r.Width), float(r.Height)] for (f, i), r in found.iterrows())}


def darwin(root):
    from darwin.utils import parse_darwin_json

    seen = {}
    for document in sorted(root.rglob("*.json")):
        found = parse_darwin_json(document)
        if found is None:
            continue
        rows = seen[found.filename] = []
        for a in found.annotations:
            box = a.data if a.annotation_class.annotation_type == "bounding_box" else a.data["bounding_box"]
            rows.append([a.annotation_class.name, box["x"], box["y"], box["x"] + box["w"], box["y"] + box["h"]])
    return {"boxes": seen}


def cityscapesscripts(root):
    from cityscapesscripts.helpers.annotation import Annotation

    seen, sizes = {}, []
    for document in sorted(root.glob("gtFine/*/**/*_polygons.json")):
        found = Annotation()
        found.fromJsonFile(str(document))
        stem = document.name.removesuffix("_gtFine_polygons.json")
        (image,) = root.glob(f"leftImg8bit/**/{stem}_leftImg8bit.png")
        rows = seen[image.name.replace("_leftImg8bit", "")] = []
        sizes.append([found.imgWidth, found.imgHeight])
        for one in found.objects:
            xs, ys = [p.x for p in one.polygon], [p.y for p in one.polygon]
            rows.append([one.label, min(xs), min(ys), max(xs), max(ys)])
    return {"boxes": seen, "sizes": sizes}


def vcd(root):
    from vcd.core import OpenLABEL

    seen = {}
    (document,) = root.rglob("*.json")
    found = OpenLABEL()
    found.load_from_file(str(document), validation=True)
    for frame in found.data["openlabel"]["frames"].values():
        (stream,) = frame["frame_properties"]["streams"].values()
        rows = seen[stream["uri"]] = []
        for key, here in frame.get("objects", {}).items():
            for box in here["object_data"]["bbox"]:
                x, y, w, h = box["val"]
                rows.append([found.get_object(key)["type"], x - w / 2, y - h / 2, x + w / 2, y + h / 2])
    return {"boxes": seen}


def webdataset(root):
    from webdataset import WebDataset

    seen, images = {}, 0
    for shard in sorted(root.glob("*.tar")):
        for item in WebDataset(str(shard), shardshuffle=False).decode("pil"):
            images += item["png"].size == (64, 48)
            found = item["json"]
            seen[found["path"]] = [[o["label"], *o["box"]] for o in found.get("annotations", ())]
    return {"boxes": seen, "images": images}


def roboflow(root):
    from roboflow.util.folderparser import parsefolder

    found = parsefolder(str(root))
    return {"paired": sorted(Path(image["file"]).name for image in found["images"] if image.get("annotationfile"))}


if __name__ == "__main__":
    client, folder, result = sys.argv[1:]
    Path(result).write_text(json.dumps(globals()[client](Path(folder).resolve())))
