"""Answers and evaluations for people and for other programs: HTML, JSON, GeoJSON, KML, figures."""

from sightline.report.document import SCHEMA, json_schema, locate_document
from sightline.report.evaluation_document import evaluation_json_schema
from sightline.report.evaluation_html import evaluation_report_html, write_evaluation_report
from sightline.report.figures import save_figures
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
    "evaluation_json_schema",
    "evaluation_report_html",
    "feature_collection",
    "json_schema",
    "kml_text",
    "locate_document",
    "photo_html",
    "place_name",
    "place_names",
    "report_html",
    "save_figures",
    "write_evaluation_report",
    "write_geojson",
    "write_kml",
    "write_report",
]
