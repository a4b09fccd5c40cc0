"""Hugging Face datasets as Parquet: images inside, objects in lists side by side."""

from labelglot_hf_parquet.hf_parquet import HfParquet

__all__ = ["HfParquet"]
