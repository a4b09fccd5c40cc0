"""GeoJSON over images."""

from labelglot_geojson.geojson import GeoJson

__all__ = ["GeoJson"]
