"""Scalabel family: Scalabel JSON and BDD100K."""

from labelglot_scalabel.bdd100k import Bdd100k
from labelglot_scalabel.scalabel import Scalabel

__all__ = ["Bdd100k", "Scalabel"]
