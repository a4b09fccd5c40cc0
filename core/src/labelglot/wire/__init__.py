"""Bytes to plain values and back, safely: JSON, XML, YAML, label maps. What every format needs before it begins."""
