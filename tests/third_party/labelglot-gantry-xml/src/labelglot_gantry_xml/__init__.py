"""Gantry Xml for labelglot."""

from labelglot_gantry_xml.gantry_xml import GantryXml

__all__ = ["GantryXml"]
