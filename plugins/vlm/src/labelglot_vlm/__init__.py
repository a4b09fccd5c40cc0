"""Prompt and answer lines of language models that see: PaliGemma (``paligemma-jsonl``), Florence-2 (``florence2-jsonl``)."""

from labelglot_vlm.florence import Florence2Jsonl
from labelglot_vlm.paligemma import PaliGemmaJsonl

__all__ = ["Florence2Jsonl", "PaliGemmaJsonl"]
