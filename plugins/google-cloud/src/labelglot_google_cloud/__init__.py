"""Google Cloud: AutoML Vision CSV (``automl-vision-csv``), Vertex AI CSV and JSON Lines (``vertex-ai-csv``, ``vertex-ai-jsonl``)."""

from labelglot_google_cloud.csv_rows import AutoMlVisionCsv, VertexAiCsv
from labelglot_google_cloud.jsonl import VertexAiJsonl

__all__ = ["AutoMlVisionCsv", "VertexAiCsv", "VertexAiJsonl"]
