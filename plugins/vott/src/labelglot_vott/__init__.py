"""VoTT exports (``vott-json``, ``vott-csv``)."""

from labelglot_vott.vott_csv import VottCsv
from labelglot_vott.vott_json import VottJson

__all__ = ["VottCsv", "VottJson"]
