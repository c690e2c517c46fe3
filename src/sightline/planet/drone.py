"""Pictures of a building from a drone and from the street, as University-1652 has them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from sightline.planet.draws import Draws
from sightline.planet.planet import Planet
from sightline.planet.shots import Shot, bearing_degrees, moved
from sightline.planet.world.contents import BoxKind
from sightline.planet.world.lattice import latlng_of_vectors

DRONE_SHOTS = 9
"""The original has 54 of each building, six times as many, on the same kind of spiral."""
STREET_SHOTS = 2
_STREAM = 0xD20E
_SEARCHED_M = 70.0
_LEAST_AREA_M2 = 90.0


def building_near(planet: Planet, latlng: tuple[float, float]) -> tuple[float, float] | None:
    """The middle of the nearest building of some size, or None where there is none."""
    around, (east, north) = planet.neighbourhood(latlng)
    boxes = around.buildings
    offset = boxes.centre - np.array([east, north])
    away = offset[:, 0] * offset[:, 0] + offset[:, 1] * offset[:, 1]
    large = boxes.half_length * boxes.half_width * 4.0 >= _LEAST_AREA_M2
    fit = (boxes.kind == BoxKind.BUILDING) & large & (away <= _SEARCHED_M * _SEARCHED_M)
    if not fit.any():
        return None
    # The key of the house decides between equals, so that windows agree.
    rows = np.flatnonzero(fit)
    best = rows[np.lexsort((boxes.house[rows], np.round(away[rows], 2)))[0]]
    middle = boxes.centre[best : best + 1]
    lat, lon = latlng_of_vectors(around.frame.vectors(middle))[0]
    return round(float(lat), 6), round(float(lon), 6)


def drone_shots(shot: Shot, target: tuple[float, float], count: int = DRONE_SHOTS) -> list[Shot]:
    """Shots on a spiral around a target, descending, each looking at it.

    Args:
        shot: Gives time and sky.
        target: What is looked at, degrees.
        count: How many.
    """
    draws = Draws(_STREAM, shot.key)
    start = 360.0 * draws.unit()
    shots = []
    for nth in range(count):
        share = nth / max(count - 1, 1)
        height, away = 115.0 - 55.0 * share, 62.0 - 12.0 * share
        bearing = (start + 1080.0 * nth / count) % 360.0
        east = away * math.sin(math.radians(bearing))
        north = away * math.cos(math.radians(bearing))
        shots.append(
            replace(
                shot,
                latlng=moved(target, east, north),
                heading_degrees=round((bearing + 180.0) % 360.0, 2),
                fov_degrees=62.0,
                tilt_degrees=round(-math.degrees(math.atan2(height - 6.0, away)), 2),
                camera_height_m=height,
                panorama=False,
                key=shot.key + nth + 1,
            )
        )
    return shots


def street_shots(
    planet: Planet, shot: Shot, target: tuple[float, float], count: int = STREET_SHOTS
) -> list[Shot]:
    """Shots of a target from streets around it; one from beside it where there is no street."""
    places: dict[tuple[float, float], None] = {}
    for attempt in range(8 * count):
        street = planet.street_near(target, shot.key + attempt, 80.0)
        if street is not None:
            places[round(street.latlng[0], 7), round(street.latlng[1], 7)] = None
        if len(places) == count:
            break
    spots = list(places) or [moved(target, 0.0, -45.0)]
    return [
        replace(
            shot,
            latlng=spot,
            heading_degrees=round(bearing_degrees(spot, target), 2),
            fov_degrees=74.0,
            tilt_degrees=6.0,
            camera_height_m=1.6,
            panorama=False,
            key=shot.key + 100 + nth,
        )
        for nth, spot in enumerate(spots)
    ]
