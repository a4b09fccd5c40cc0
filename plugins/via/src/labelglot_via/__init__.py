"""VGG Image Annotator (``via``, ``via-csv``, ``via3``)."""

from labelglot_via.via import Via
from labelglot_via.via3 import Via3
from labelglot_via.via_csv import ViaCsv

__all__ = ["Via", "Via3", "ViaCsv"]
