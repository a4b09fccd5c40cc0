"""TensorFlow Object Detection API: TFRecord and CSV."""

from labelglot_tensorflow.efficientdet import EfficientDet
from labelglot_tensorflow.tfod_csv import TfodCsv
from labelglot_tensorflow.tfrecord import TfRecord

__all__ = ["EfficientDet", "TfRecord", "TfodCsv"]
