"""One sheet with what is seen of a place of the planet: photo, aerial image, panorama."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.datasets.contact_sheet import save_picture
from sightline.errors import UsageError
from sightline.geo.coordinates import LatLng
from sightline.planet.draws import Draws
from sightline.planet.geography import GlobeGeography
from sightline.planet.looks.moment import Weather
from sightline.planet.photographers import Photographers
from sightline.planet.planet import Planet
from sightline.planet.sample import stand
from sightline.planet.shots import photo_time

Image = NDArray[np.uint8]

_SIDE = 384
_GAP = 6
_YEAR, _DAY = 2024, 196.0
_MOST_FAMOUS = 4096


@dataclass(frozen=True)
class Sheet:
    """A sheet.

    Args:
        pixels: uint8 (h, w, 3).
        caption: Where it is and where the photo looks, one line.
    """

    pixels: Image
    caption: str


def sheet(
    planet: Planet,
    latlng: tuple[float, float] | None = None,
    *,
    heading_degrees: float | None = None,
    number: int = 0,
) -> Sheet:
    """Look at a place: a 90° photo and the aerial image side by side, a panorama below.

    Args:
        planet: The planet.
        latlng: The place, degrees. None: the spot of one of its collection's photos.
        heading_degrees: Where the photo looks; None: along the street, where there is one.
        number: Without a place: which photo of the collection.

    Raises:
        CoordinateError: The place is out of range.
        UsageError: The number is out of range.
    """
    if latlng is None:
        place, looking = _famous(planet, number)
    else:
        checked = LatLng(*latlng)
        place = (checked.lat, checked.lon)
        street = planet.street_near(place, 0, 30.0)
        looking = 0.0 if street is None else street.heading_degrees
    heading = (looking if heading_degrees is None else heading_degrees) % 360.0
    when = photo_time(place, _YEAR, _DAY, Draws(0))
    photo = planet.photo(place, heading, 90.0, (_SIDE, _SIDE), when, Weather.FAIR, key=1)
    wide = 2 * _SIDE + _GAP
    panorama = planet.panorama(
        place, (wide, wide // 4), when, Weather.FAIR, heading_degrees=heading, key=1
    )
    aerial = planet.aerial(place, 112.0 / _SIDE, (_SIDE, _SIDE), when=when, key=1)
    _mark(aerial, heading)
    gap = np.full((_SIDE, _GAP, 3), 255, np.uint8)
    above = np.concatenate([photo, gap, aerial], axis=1)
    between = np.full((_GAP, wide, 3), 255, np.uint8)
    pixels = np.concatenate([above, between, panorama])
    return Sheet(pixels, f"{place[0]:.6f}, {place[1]:.6f}, looking {heading:.0f}°")


def save_sheet(path: str | os.PathLike[str], made: Sheet) -> None:
    """Write a sheet as JPEG or PNG, by the ending.

    Raises:
        UsageError: Another ending.
        OutputError: It cannot be written.
    """
    save_picture(path, made.pixels)


def _famous(planet: Planet, number: int) -> tuple[tuple[float, float], float]:
    """The place and direction of the collection's photo with this number among those of sights."""
    if not 0 <= number < _MOST_FAMOUS:
        raise UsageError(
            f"number must be from 0 to {_MOST_FAMOUS - 1}. Got {number!r}.",
            hint="Or give a place.",
        )
    geography = GlobeGeography(planet.world.globe, planet.world.settlements)
    photographers = Photographers(planet.seed, geography)
    first, left = 0, number
    while True:
        block = photographers.photos(first, 64)
        shown = [plan for plan in block if plan.sight is not None and plan.subject is None]
        if left < len(shown):
            taken = stand(planet, shown[left])
            return taken.latlng, taken.heading_degrees or 0.0
        first, left = first + 64, left - len(shown)


def _mark(aerial: Image, heading: float) -> None:
    """Draw a red dot in the middle and a line to where the photo looks."""
    middle = len(aerial) // 2
    length = np.arange(0, 40, 0.5)
    turn = np.radians(heading)
    right = np.round(middle + length * np.sin(turn)).astype(int)
    down = np.round(middle - length * np.cos(turn)).astype(int)
    for across in (-1, 0, 1):
        for along in (-1, 0, 1):
            aerial[down + along, right + across] = (225, 30, 30)
    aerial[middle - 3 : middle + 4, middle - 3 : middle + 4] = (225, 30, 30)
