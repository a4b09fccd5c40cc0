"""Azure Machine Learning (``azureml-jsonl``, ``azureml-coco``) and Azure Custom Vision (``azure-custom-vision``)."""

from labelglot_azure.coco import AzureMlCoco
from labelglot_azure.custom_vision import AzureCustomVision
from labelglot_azure.jsonl import AzureMlJsonl

__all__ = ["AzureCustomVision", "AzureMlCoco", "AzureMlJsonl"]
