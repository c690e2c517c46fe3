"""Partitions of the Earth: the classes of classifiers of places, and where search is confined."""

from sightline.geo.partition.adaptive_boxes import adaptive_boxes, quadtree, uniform_boxes
from sightline.geo.partition.adaptive_s2 import adaptive_s2, adaptive_s2_family, uniform_s2
from sightline.geo.partition.boxes import Boxes
from sightline.geo.partition.cells import OUTSIDE, Cells
from sightline.geo.partition.centres import Centres
from sightline.geo.partition.hierarchy import Hierarchy, parent_rows
from sightline.geo.partition.outlines import feature_collection, outlines
from sightline.geo.partition.partition import Partition
from sightline.geo.partition.s2_cells import S2Cells
from sightline.geo.partition.settings import BoxSettings, QuadtreeSettings, S2Settings
from sightline.geo.partition.summary import (
    LEVELS_KM,
    THRESHOLDS_KM,
    OracleReport,
    oracle_errors_m,
    oracle_report,
    summary,
)

__all__ = [
    "LEVELS_KM",
    "OUTSIDE",
    "THRESHOLDS_KM",
    "BoxSettings",
    "Boxes",
    "Cells",
    "Centres",
    "Hierarchy",
    "OracleReport",
    "Partition",
    "QuadtreeSettings",
    "S2Cells",
    "S2Settings",
    "adaptive_boxes",
    "adaptive_s2",
    "adaptive_s2_family",
    "feature_collection",
    "oracle_errors_m",
    "oracle_report",
    "outlines",
    "parent_rows",
    "quadtree",
    "summary",
    "uniform_boxes",
    "uniform_s2",
]
