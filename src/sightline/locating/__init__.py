"""From matches to a place on the map: three methods, their uncertainty, and the locator."""

from sightline.locating.clusters import cluster_labels, largest_cluster
from sightline.locating.density import density_mode
from sightline.locating.estimate import Candidate, Estimate
from sightline.locating.evidence import Placement, evidence_weights
from sightline.locating.im2gps_grid import GridMode, im2gps_grid
from sightline.locating.locator import LocatedPhoto, Locator
from sightline.locating.methods import DEFAULT_K, Method, MethodSettings, place
from sightline.locating.nearest import nearest_match
from sightline.locating.paths import locate_paths
from sightline.locating.queries import Query, prepare_query
from sightline.locating.searchable import SearchableAtlas
from sightline.locating.spread import evidence_radii_m, place_margins

__all__ = [
    "DEFAULT_K",
    "Candidate",
    "Estimate",
    "GridMode",
    "LocatedPhoto",
    "Locator",
    "Method",
    "MethodSettings",
    "Placement",
    "Query",
    "SearchableAtlas",
    "cluster_labels",
    "density_mode",
    "evidence_radii_m",
    "evidence_weights",
    "im2gps_grid",
    "largest_cluster",
    "locate_paths",
    "nearest_match",
    "place",
    "place_margins",
    "prepare_query",
]
