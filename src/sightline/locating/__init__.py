"""From matches to a place on the map: three methods, their uncertainty, and the locator."""

from sightline.locating.aerial_queries import AerialQuery, HeadingChoice, prepare_aerial_query
from sightline.locating.cell_beliefs import Beliefs, believe
from sightline.locating.cell_locator import CellLocator
from sightline.locating.choosing import default_method, locator_for
from sightline.locating.classification import (
    ChosenCells,
    LevelAnswers,
    answers_by_level,
    choose_cells,
    classify,
)
from sightline.locating.clusters import cluster_labels, largest_cluster
from sightline.locating.comparing import ComparingLocator
from sightline.locating.cross_view import CrossViewLocator
from sightline.locating.density import density_mode
from sightline.locating.estimate import Candidate, CellBelief, Estimate, LevelAnswer
from sightline.locating.evidence import Placement, evidence_weights
from sightline.locating.im2gps_grid import GridMode, im2gps_grid
from sightline.locating.locator import AnyLocator, LocatedPhoto, Locator
from sightline.locating.methods import (
    DEFAULT_K,
    AnyMethod,
    CellMethod,
    Method,
    MethodSettings,
    place,
)
from sightline.locating.nearest import nearest_match
from sightline.locating.paths import locate_paths
from sightline.locating.queries import Query, prepare_query
from sightline.locating.searchable import AerialAtlas, SearchableAtlas
from sightline.locating.spread import evidence_radii_m, place_margins
from sightline.locating.within_cell import (
    WithinCellAnswers,
    WithinCellSettings,
    search_within_cells,
)

__all__ = [
    "DEFAULT_K",
    "AerialAtlas",
    "AerialQuery",
    "AnyLocator",
    "AnyMethod",
    "Beliefs",
    "Candidate",
    "CellBelief",
    "CellLocator",
    "CellMethod",
    "ChosenCells",
    "ComparingLocator",
    "CrossViewLocator",
    "Estimate",
    "GridMode",
    "HeadingChoice",
    "LevelAnswer",
    "LevelAnswers",
    "LocatedPhoto",
    "Locator",
    "Method",
    "MethodSettings",
    "Placement",
    "Query",
    "SearchableAtlas",
    "WithinCellAnswers",
    "WithinCellSettings",
    "answers_by_level",
    "believe",
    "choose_cells",
    "classify",
    "cluster_labels",
    "default_method",
    "density_mode",
    "evidence_radii_m",
    "evidence_weights",
    "im2gps_grid",
    "largest_cluster",
    "locate_paths",
    "locator_for",
    "nearest_match",
    "place",
    "place_margins",
    "prepare_aerial_query",
    "prepare_query",
    "search_within_cells",
]
