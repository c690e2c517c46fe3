"""Answers for people and for other programs: HTML, JSON, GeoJSON, KML, notebooks, place names."""

from sightline.report.document import SCHEMA, json_schema, locate_document
from sightline.report.geojson import feature_collection, write_geojson
from sightline.report.html import report_html, write_report
from sightline.report.kml import kml_text, write_kml
from sightline.report.notebook import Located, estimate_html, photo_html
from sightline.report.places import PlaceName, place_name, place_names
from sightline.report.provenance import Provenance

__all__ = [
    "SCHEMA",
    "Located",
    "PlaceName",
    "Provenance",
    "estimate_html",
    "feature_collection",
    "json_schema",
    "kml_text",
    "locate_document",
    "photo_html",
    "place_name",
    "place_names",
    "report_html",
    "write_geojson",
    "write_kml",
    "write_report",
]
