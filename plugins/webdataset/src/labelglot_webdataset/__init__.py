"""WebDataset: shards of tar files in which all files of a sample share their name."""

from labelglot_webdataset.webdataset import Webdataset

__all__ = ["Webdataset"]
