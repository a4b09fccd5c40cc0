"""Trees of images: folders named after classes, with or without files of labels beside the images."""

from labelglot_folders.folder_classification import FolderClassification
from labelglot_folders.hf_imagefolder import HfImagefolder
from labelglot_folders.oidv4 import Oidv4

__all__ = ["FolderClassification", "HfImagefolder", "Oidv4"]
