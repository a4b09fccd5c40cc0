"""Plain tables and lists that training scripts read: one row per box, per image, or per class."""

from labelglot_csv_trainers.keras_lines import YoloKeras, Yolov4Pytorch
from labelglot_csv_trainers.multiclass import MulticlassCsv
from labelglot_csv_trainers.multilabel import MultilabelCsv
from labelglot_csv_trainers.retinanet import RetinanetCsv
from labelglot_csv_trainers.udacity import Udacity
from labelglot_csv_trainers.wheat import KaggleWheat

__all__ = ["KaggleWheat", "MulticlassCsv", "MultilabelCsv", "RetinanetCsv", "Udacity", "YoloKeras", "Yolov4Pytorch"]
