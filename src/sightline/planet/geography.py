"""What drawing places has to know of a planet: where people live, how densely, what is famous."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightline.geo.coordinates import EARTH_RADIUS_M
from sightline.planet.places import Sights
from sightline.planet.world.globe import Globe
from sightline.planet.world.lattice import latlng_of_vectors
from sightline.planet.world.settlements import Settlements, Towns, people_per_km2
from sightline.planet.world.trigonometry import sine_cosine

Floats = NDArray[np.float64]

WILD_PEOPLE_PER_KM2 = 0.6
"""Photos are taken where nobody lives too: this many people's worth, times habitability."""
COUNTRY_PEOPLE_PER_KM2 = 11.0
"""Villages and the wild together, times habitability."""
_LEAST_HABITABLE = 0.01
_POINTS_OF_METROPOLIS, _POINTS_OF_TOWN = 96, 12
_GOLDEN_ANGLE_DEGREES = 137.50776405003785
_EDGE = 1.25


class GlobeGeography:
    """The geography of a globe with its settlements.

    Args:
        globe: Its fields.
        settlements: Its towns.
    """

    def __init__(self, globe: Globe, settlements: Settlements) -> None:
        self._globe = globe
        self._settlements = settlements

    @classmethod
    def of_seed(cls, seed: int) -> GlobeGeography:
        """The geography of the planet with this seed."""
        globe = Globe(seed)
        return cls(globe, Settlements(seed, globe))

    def townspeople(self) -> tuple[Floats, Floats]:
        """People of metropolises and towns, spread over points of a disc around each centre."""
        known = self._settlements
        parts = [
            _spread(towns, points)
            for towns, points in (
                (known.metropolises, _POINTS_OF_METROPOLIS),
                (known.towns, _POINTS_OF_TOWN),
            )
        ]
        return np.concatenate([p for p, _ in parts]), np.concatenate([n for _, n in parts])

    def countrypeople(self, directions: Floats) -> Floats:
        """People per km² in villages and the wild at unit vectors ``(n, 3)``, 0 on the sea."""
        relief, weather = self._globe.fields(directions)
        people = COUNTRY_PEOPLE_PER_KM2 * np.maximum(weather.habitability, _LEAST_HABITABLE)
        return np.where(relief.coast_m > 0, people, 0.0)

    def density(self, directions: Floats) -> Floats:
        """People per km² at unit vectors ``(n, 3)``, with a few for the wild, 0 on the sea."""
        relief, weather = self._globe.fields(directions)
        settled = self._settlements.density(directions, weather.habitability)
        wild = WILD_PEOPLE_PER_KM2 * np.maximum(weather.habitability, _LEAST_HABITABLE)
        return np.where(relief.coast_m > 0, people_per_km2(settled) + wild, 0.0)

    def sights(self, direction: Floats, within_m: float) -> Sights:
        """The landmarks of the towns within a distance of a unit vector ``(3,)``."""
        found = self._settlements.landmarks(direction[None, :], within_m)
        return Sights(latlng_of_vectors(found.centres()), found.fame)


def _spread(towns: Towns, points: int) -> tuple[Floats, Floats]:
    """Points of a sunflower's head around each town, and how many people live at each."""
    share = np.sqrt((np.arange(points) + 0.5) / points)
    sine, cosine = sine_cosine(_GOLDEN_ANGLE_DEGREES * np.arange(points))
    # Density falls linearly to nothing at 1.25 radii; people go with its square.
    people = (1.0 - share) ** 2
    people = people / people.sum()
    centre = towns.centre
    axis = np.where((np.abs(centre[:, 2]) < 0.8)[:, None], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0])
    east = np.cross(axis, centre)
    east /= np.sqrt((east * east).sum(axis=1, keepdims=True))
    north = np.cross(centre, east)
    reach = (_EDGE / EARTH_RADIUS_M) * towns.radius_m[:, None] * share
    spot = (
        centre[:, None]
        + east[:, None] * (reach * sine)[..., None]
        + north[:, None] * (reach * cosine)[..., None]
    ).reshape(-1, 3)
    spot /= np.sqrt((spot * spot).sum(axis=1, keepdims=True))
    return spot, (towns.population[:, None] * people).ravel()
