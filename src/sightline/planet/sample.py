"""Photos as people take them: a plan of :mod:`photographers`, taken where one can stand.

A photo of a sight is taken from a street on the side that the plan wants and looks at the sight;
others look along a street or anywhere; and a share says nothing about the place, and is labelled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.planet.draws import Draws
from sightline.planet.photographers import PhotoPlan
from sightline.planet.planet import Planet
from sightline.planet.shots import Shot, bearing_degrees, moved
from sightline.planet.unlocatable import Subject, picture
from sightline.planet.world.contents import Buildings
from sightline.planet.world.ground_raster import WATER
from sightline.planet.world.lattice import vectors_of_latlng
from sightline.planet.world.standpoints import Standpoint

Image = NDArray[np.uint8]

_STREAM = 0x5A3B1E
_SEARCHED_M = 90.0
_LANDMARK_M = 34.0
_STEPS = 40
_TRIES = 8
_BANK_M = 1.0


@dataclass(frozen=True)
class Taken:
    """Where and how a planned photo is really taken.

    Args:
        plan: The plan.
        latlng: Where the camera stands, degrees.
        heading_degrees: Where it looks; None for a picture that says nothing about the place.
        shot: The photo; None for such a picture.
    """

    plan: PhotoPlan
    latlng: tuple[float, float]
    heading_degrees: float | None
    shot: Shot | None

    @property
    def subject(self) -> Subject | None:
        """What it shows if it says nothing about a place."""
        return self.plan.subject

    def take(self, planet: Planet, size: tuple[int, int]) -> Image:
        """Take it; ``size`` is (width, height) in pixels. Returns uint8 (height, width, 3)."""
        if self.shot is not None:
            return self.shot.take(planet, size)
        assert self.subject is not None  # noqa: S101 - one of the two is there
        return picture(self.subject, planet.seed, self.plan.key, size=(size[1], size[0]))


def stand(planet: Planet, plan: PhotoPlan) -> Taken:
    """Find where a planned photo is taken: on a street where there is one, else in the open."""
    if plan.subject is not None:
        return Taken(plan, plan.latlng, None, None)
    draws = Draws(_STREAM, planet.seed, plan.key, plan.number)
    street = _street(planet, plan)
    if street is None:
        place, along = _open_ground(planet, plan.latlng, draws), 360.0 * draws.unit()
    else:
        place, along = _rounded(street.latlng), street.heading_degrees
    heading = _heading(plan, place, along, draws)
    shot = Shot(
        place,
        heading,
        plan.fov_degrees,
        plan.when,
        None,
        plan.key,
        tilt_degrees=plan.tilt_degrees + (3.0 if plan.sight else 0.0),
        camera_height_m=round(1.6 + 0.12 * draws.normal(), 2),
    )
    return Taken(plan, place, heading, shot)


def _street(planet: Planet, plan: PhotoPlan) -> Standpoint | None:
    """A place on a street; of a sight, one from which it is seen, if there is one nearby."""
    if plan.sight is None:
        return planet.street_near(plan.latlng, plan.key, _SEARCHED_M)
    first = None
    for attempt in range(_TRIES):
        street = planet.street_near(plan.latlng, plan.key + attempt, _SEARCHED_M)
        first = first or street
        if street is not None and is_seen(planet, street.latlng, plan.sight):
            return street
    return first


def is_seen(planet: Planet, latlng: tuple[float, float], sight: tuple[float, float]) -> bool:
    """Whether no building stands between a place and a landmark a few hundred metres away."""
    around, (east, north) = planet.neighbourhood(latlng)
    to = around.frame.metres(vectors_of_latlng(np.array([sight])))[0]
    here = np.array([east, north])
    away = float(np.hypot(*(to - here)))
    # The landmark itself, which fills its cell, is no obstacle.
    shares = np.linspace(0.0, max(1.0 - _LANDMARK_M / max(away, 1.0), 0.0), _STEPS)
    points = (here + shares[:, None] * (to - here)).astype(np.float32)
    return not bool(_inside(around.buildings, points, 0.0).any())


def _heading(plan: PhotoPlan, place: tuple[float, float], along: float, draws: Draws) -> float:
    if plan.sight is not None:
        return round((bearing_degrees(place, plan.sight) + 7.0 * draws.normal()) % 360.0, 2)
    if draws.chance(0.3):
        return round(360.0 * draws.unit(), 2)
    back = 180.0 if draws.chance(0.5) else 0.0
    return round((along + back + 22.0 * draws.normal()) % 360.0, 2)


def _open_ground(planet: Planet, place: tuple[float, float], draws: Draws) -> tuple[float, float]:
    """A place near ``place`` that is neither in a building nor in water, if there is one."""
    spot = place
    for attempt in range(_TRIES):
        if is_open(planet, spot):
            return spot
        reach = 30.0 + 45.0 * attempt
        spot = moved(place, draws.between(-reach, reach), draws.between(-reach, reach))
    return spot


def is_open(planet: Planet, latlng: tuple[float, float]) -> bool:
    """Whether a person can stand there: on dry land, outside all buildings."""
    around, (east, north) = planet.neighbourhood(latlng)
    here = np.array([east], np.float32), np.array([north], np.float32)
    if around.ground.sample(*here)[WATER, 0] < _BANK_M:
        return False
    return not bool(_inside(around.buildings, np.stack(here, axis=1), _BANK_M).any())


def _inside(boxes: Buildings, points: NDArray[np.float32], margin_m: float) -> NDArray[np.bool_]:
    """Which of the points (n, 2) lie in a box, or nearer to it than the margin, (n,)."""
    offset = points[:, None] - boxes.centre
    along = np.abs(offset[..., 0] * boxes.axis[:, 0] + offset[..., 1] * boxes.axis[:, 1])
    across = np.abs(offset[..., 1] * boxes.axis[:, 0] - offset[..., 0] * boxes.axis[:, 1])
    inside = (along < boxes.half_length + margin_m) & (across < boxes.half_width + margin_m)
    return np.asarray(inside.any(axis=1))


def _rounded(latlng: tuple[float, float]) -> tuple[float, float]:
    return round(latlng[0], 7), round(latlng[1], 7)
