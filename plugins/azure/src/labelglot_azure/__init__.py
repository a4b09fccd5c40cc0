"""Azure Machine Learning JSON Lines (``azureml-jsonl``)."""

from labelglot_azure.jsonl import AzureMlJsonl

__all__ = ["AzureMlJsonl"]
