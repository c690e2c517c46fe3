"""Places to stand and things to look at: streets near a place, and landmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sightline.planet.world.hashing import child_keys, number, units
from sightline.planet.world.lattice import latlng_of_vectors
from sightline.planet.world.neighbourhood import Neighbourhood
from sightline.planet.world.trigonometry import RADIANS, arcus


@dataclass(frozen=True)
class Standpoint:
    """A place on a street.

    Args:
        latlng: Degrees.
        heading_degrees: Along the street, clockwise from north.
    """

    latlng: tuple[float, float]
    heading_degrees: float


@dataclass(frozen=True)
class Landmark:
    """A famous place.

    Args:
        latlng: Degrees, the middle of it.
        fame: (0, 1], how often it is photographed beside the most famous one.
        kind: A ``settlements.LandmarkKind``.
        key: Its name.
        distance_m: From the place it was asked for.
    """

    latlng: tuple[float, float]
    fame: float
    kind: int
    key: int
    distance_m: float


def street_near(
    around: Neighbourhood, here: tuple[float, float], key: int, within_m: float
) -> Standpoint | None:
    """Choose a place on a street, or None where there is none.

    Args:
        around: What is there.
        here: Metres east and north around which to look.
        key: Which of the possible places.
        within_m: How far it may be.
    """
    streets = around.streets
    delta = streets.end - streets.start
    share = 0.15 + 0.7 * units(child_keys(streets.key, key & 0x7FFFFFFF), 1).astype(np.float64)
    at = streets.start + delta * share[:, None]
    offset = at - np.array(here)
    away = offset[:, 0] * offset[:, 0] + offset[:, 1] * offset[:, 1]
    found = np.flatnonzero((away <= within_m * within_m) & ~streets.path)
    if not len(found):
        return None
    # Rows differ between windows; the order of keys does not.
    found = found[np.argsort(streets.key[found], kind="stable")]
    chosen = int(found[number(key, 1) % len(found)])
    place = latlng_of_vectors(around.frame.vectors(at[chosen : chosen + 1]))[0]
    turn = float(arcus(delta[chosen, 0], delta[chosen, 1])) / RADIANS
    return Standpoint((float(place[0]), float(place[1])), turn % 360.0)
