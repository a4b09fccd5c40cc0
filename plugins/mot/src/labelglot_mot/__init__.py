"""MOT Challenge sequences."""

from labelglot_mot.mot import Mot

__all__ = ["Mot"]
