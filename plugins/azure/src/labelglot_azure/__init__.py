"""Azure Machine Learning JSON Lines (``azureml-jsonl``) and COCO export (``azureml-coco``)."""

from labelglot_azure.coco import AzureMlCoco
from labelglot_azure.jsonl import AzureMlJsonl

__all__ = ["AzureMlCoco", "AzureMlJsonl"]
