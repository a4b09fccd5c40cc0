"""DOTA rotated boxes."""

from labelglot_dota.dota import Dota

__all__ = ["Dota"]
