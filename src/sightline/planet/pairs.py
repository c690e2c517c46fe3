"""Cross-view pairs: photos, and aerial tiles of the same places, in named difficulties.

Pairs are numbered; four stand in each area of :mod:`sightline.planet.regions`, and ten areas in a
row are seven for training, one for validation and two for tests. The pair with a number is the
same however many are made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.errors import UsageError
from sightline.planet.difficulty import Difficulty
from sightline.planet.draws import Draws
from sightline.planet.looks.moment import Weather
from sightline.planet.planet import Planet
from sightline.planet.regions import Area, PairRegion, Split, split_of_area
from sightline.planet.shots import Shot, Tile, flight_time, local_time, moved
from sightline.planet.shots import photo_time as daylight
from sightline.planet.world.lattice import (
    Frame,
    latlng_of,
    latlng_of_vectors,
    vectors_of,
    vectors_of_latlng,
)
from sightline.planet.world.standpoints import Standpoint, street_near

PAIRS_PER_AREA = 4
_TRIES = 24
_TRIES_IN_AREA = 10
_NEAREST_M = 32.0
_STREET_M = 50.0
_TILES_PER_AREA = 8
_PLACE, _FLIGHT, _DISTRACTOR, _DETAIL = range(0x9A1600, 0x9A1604)
_FIRST_YEAR, _LAST_YEAR = 2018, 2025


@dataclass(frozen=True)
class PairPlan:
    """One pair.

    Args:
        number: Its number.
        split: ``train``, ``val`` or ``test``.
        country: Key of its country.
        shot: The photo.
        heading_known: Whether the photo's heading may be told.
        tile: The tile that the photo belongs to.
        east_m: How far the photo stands east of the tile's centre.
        north_m: The same to the north.
        neighbours: For :meth:`CrossViewPairs.gridded`: three more tiles that show the place.
        distractors: Tiles without a photo that go with it into the gallery.
    """

    number: int
    split: Split
    country: int
    shot: Shot
    heading_known: bool
    tile: Tile
    east_m: float
    north_m: float
    neighbours: tuple[Tile, ...] = ()
    distractors: tuple[Tile, ...] = ()


@dataclass(frozen=True)
class _Place:
    """Where a pair stands: a point of a street."""

    latlng: tuple[float, float]
    street_degrees: float
    area: Area


class CrossViewPairs:
    """The pairs of one data set.

    Args:
        planet: The planet.
        difficulty: What the pairs are like; see :func:`sightline.planet.difficulty.difficulty`.
        collection: Seed of the data set: which towns and countries, and all that is chance.
        tile_m: Side of the aerial tiles in metres.
        gridded: The tiles lie on a grid of half their side, as in VIGOR: each photo stands in the
            middle quarter of one tile and in three more. Otherwise each photo has its own tile.

    Raises:
        UsageError: The tiles are too large, or offsets are asked for on a grid that has its own.
    """

    def __init__(
        self,
        planet: Planet,
        difficulty: Difficulty,
        collection: int = 0,
        *,
        tile_m: float = 112.0,
        gridded: bool = False,
    ) -> None:
        self._planet = planet
        self._difficulty = difficulty
        self._collection = collection
        self._tile_m = tile_m
        self._gridded = gridded
        extra = 0.75 * tile_m if gridded else 0.0
        self._region = PairRegion(planet.seed, difficulty, collection, tile_m + 2.0 * extra)

    def plan(self, number: int) -> PairPlan:
        """The pair with a number; its area is planned as a whole, see :meth:`area`."""
        return self.area(number // PAIRS_PER_AREA)[number % PAIRS_PER_AREA]

    def area(self, number: int) -> list[PairPlan]:
        """The four pairs of the area with a number.

        Raises:
            UsageError: The number is negative, or the span has no more land for pairs.
        """
        if number < 0:
            raise UsageError(
                f"Numbers of areas must not be negative. Got {number!r}.", hint="They begin at 0."
            )
        split, index = split_of_area(number)
        places = self._places(split, index)
        distractors = self._distractors(split, index)
        share = self._difficulty.distractors if split == "test" else 0
        return [
            self._pair(
                number * PAIRS_PER_AREA + nth,
                split,
                place,
                tuple(distractors[nth * share : (nth + 1) * share]),
            )
            for nth, place in enumerate(places)
        ]

    def _stride(self, split: Split) -> int:
        """How many areas of the land one area of pairs takes: its own and its distractors'."""
        wanted = PAIRS_PER_AREA * self._difficulty.distractors if split == "test" else 0
        return 1 + -(-wanted // _TILES_PER_AREA)

    def _area(self, split: Split, index: int, nth: int = 0) -> Area:
        # Every eighth area is kept back, for those in which no street is found.
        row = index * self._stride(split) + nth
        return self._region.area(split, row + row // 7)

    def _reserve(self, split: Split, index: int, attempt: int) -> Area:
        return self._region.area(split, 8 * (index * self._stride(split) // 7 + attempt) + 7)

    def _places(self, split: Split, index: int) -> list[_Place]:
        """Four points on streets, apart from each other."""
        found: list[_Place] = []
        area = self._area(split, index)
        for attempt in range(_TRIES * PAIRS_PER_AREA):
            if attempt and attempt % _TRIES_IN_AREA == 0:
                area = self._reserve(split, index, attempt // _TRIES_IN_AREA - 1)
            place = self._candidate(area, index, attempt)
            if place is not None and all(_apart(place, other) for other in found):
                found.append(place)
            if len(found) == PAIRS_PER_AREA:
                return found
        raise UsageError(
            f"Too few streets were found for the pairs of area {index} of {split!r}.",
            hint="Choose another seed or difficulty.",
        )

    def _candidate(self, area: Area, index: int, attempt: int) -> _Place | None:
        draws = Draws(
            _PLACE, self._planet.seed, self._collection, area.face, area.i, area.j, index, attempt
        )
        face, a, b = area.point(draws.unit(), draws.unit())
        key = int(draws.unit() * 2**31)
        street = self._street(area, vectors_of(face, a, b), key)
        if street is None:
            return None
        aside = draws.between(-1.6, 1.6)
        turn = np.radians(street.heading_degrees)
        stand = moved(street.latlng, aside * float(np.cos(turn)), -aside * float(np.sin(turn)))
        return _Place(stand, street.heading_degrees, area)

    def _street(self, area: Area, vector: NDArray[np.float64], key: int) -> Standpoint | None:
        """A street near a direction: one neighbourhood, the middle's, serves the whole area."""
        face, a, b = area.point(0.5, 0.5)
        lat, lon = latlng_of(face, np.array([a]), np.array([b]))[0]
        around, _ = self._planet.neighbourhood((float(lat), float(lon)))
        east, north = around.frame.metres(vector[None])[0]
        return street_near(around, (float(east), float(north)), key, _STREET_M)

    def _pair(
        self, number: int, split: Split, place: _Place, distractors: tuple[Tile, ...]
    ) -> PairPlan:
        draws = Draws(_DETAIL, self._planet.seed, self._collection, number)
        wanted = self._difficulty
        shot = self._shot(place, draws)
        if self._gridded:
            tile, *neighbours = self._grid_tiles(place)
            east, north = _metres(place.area, place.latlng, tile.latlng)
        else:
            east = wanted.offset_m * (2.0 * draws.unit() - 1.0)
            north = wanted.offset_m * (2.0 * draws.unit() - 1.0)
            tile = self._tile(f"{number:07d}", moved(place.latlng, -east, -north), place.area)
            neighbours = []
        known = wanted.heading != "unknown"
        return PairPlan(
            number,
            split,
            place.area.country,
            shot,
            known,
            tile,
            round(east, 2),
            round(north, 2),
            tuple(neighbours),
            distractors,
        )

    def _shot(self, place: _Place, draws: Draws) -> Shot:
        wanted = self._difficulty
        if wanted.heading == "north":
            heading = 0.0
        elif wanted.heading == "known":
            back = 180.0 if draws.chance(0.5) else 0.0
            heading = place.street_degrees + back + draws.between(-35.0, 35.0)
        else:
            heading = 360.0 * draws.unit()
        year, day, _ = self._flight(place.area)
        day += draws.between(-40.0, 40.0) + (182.0 if wanted.season_gap else 0.0)
        year += wanted.year_gap + draws.index(3)
        key = int(draws.unit() * 2**31)
        when, weather = daylight(place.latlng, year, day, draws), _fair(draws)
        if wanted.bad_weather and draws.chance(0.75):
            weather = draws.pick((Weather.RAIN, Weather.FOG, Weather.SNOWFALL, Weather.CLEAR))
            if weather is Weather.CLEAR:
                hour = (draws.between(19.0, 29.0)) % 24.0
                when = local_time(year, day, hour, place.latlng[1])
        return Shot(
            place.latlng,
            round(heading % 360.0, 2),
            360.0 if wanted.panorama else wanted.fov_degrees,
            when,
            weather,
            key,
            camera_height_m=round(2.2 + 0.3 * draws.normal() if wanted.panorama else 1.7, 2),
            tilt_degrees=0.0 if wanted.panorama else round(1.5 * draws.normal(), 2),
            panorama=wanted.panorama,
        )

    def _flight(self, area: Area) -> tuple[int, float, Draws]:
        """Year and day of the flight over a superblock: neighbours are seen by one light."""
        draws = Draws(_FLIGHT, self._planet.seed, self._collection, area.superblock)
        gap = self._difficulty.year_gap
        year = _FIRST_YEAR - gap + draws.index(_LAST_YEAR - _FIRST_YEAR - 2)
        return year, 365.0 * draws.unit(), draws

    def _tile(self, name: str, latlng: tuple[float, float], area: Area) -> Tile:
        year, day, draws = self._flight(area)
        middle = latlng_of(area.face, np.array([area.i + 0.0]), np.array([area.j + 0.0]))[0]
        when = flight_time((float(middle[0]), float(middle[1])), year, day, draws)
        key = Draws(_FLIGHT, round(latlng[0] * 1e7), round(latlng[1] * 1e7)).unit()
        return Tile(name, latlng, when, int(key * 2**31))

    def _grid_tiles(self, place: _Place) -> list[Tile]:
        """The tile that a place belongs to, and its neighbours on the place's side."""
        area, step = place.area, self._tile_m / 2.0
        frame = Frame.at(area.face, float(area.i), float(area.j))
        east, north = (
            float(x) for x in frame.metres(vectors_of_latlng(np.array([place.latlng])))[0]
        )
        column, row = round(east / step), round(north / step)
        right = 1 if east >= column * step else -1
        up = 1 if north >= row * step else -1
        tiles = []
        for across, along in ((0, 0), (right, 0), (0, up), (right, up)):
            spot = np.array([[(column + across) * step, (row + along) * step]])
            lat, lon = latlng_of_vectors(frame.vectors(spot))[0]
            name = f"{area.face}-{area.i}-{area.j}_{column + across}_{row + along}"
            tiles.append(self._tile(name, (round(float(lat), 7), round(float(lon), 7)), area))
        return tiles

    def _distractors(self, split: Split, index: int) -> list[Tile]:
        wanted = PAIRS_PER_AREA * self._difficulty.distractors if split == "test" else 0
        tiles = []
        for nth in range(wanted):
            area = self._area(split, index, 1 + nth // _TILES_PER_AREA)
            draws = Draws(_DISTRACTOR, self._planet.seed, self._collection, index, nth)
            face, a, b = area.point(draws.unit(), draws.unit())
            # On a street, as all tiles are: otherwise what is no street would give it away.
            street = self._street(area, vectors_of(face, a, b), nth)
            lat, lon = latlng_of(face, np.array([a]), np.array([b]))[0]
            spot = (float(lat), float(lon)) if street is None else street.latlng
            spot = (round(spot[0], 7), round(spot[1], 7))
            tiles.append(self._tile(f"d{index:06d}-{nth:03d}", spot, area))
        return tiles


def _fair(draws: Draws) -> Weather:
    return draws.pick((Weather.CLEAR, Weather.CLEAR, Weather.FAIR, Weather.FAIR, Weather.OVERCAST))


def _apart(place: _Place, other: _Place) -> bool:
    east, north = _metres(place.area, place.latlng, other.latlng)
    return east * east + north * north >= _NEAREST_M * _NEAREST_M


def _metres(
    area: Area, place: tuple[float, float], origin: tuple[float, float]
) -> tuple[float, float]:
    """Metres east and north of ``origin`` at which ``place`` lies, both in or near an area."""
    frame = Frame.at(area.face, float(area.i), float(area.j))
    found = frame.metres(vectors_of_latlng(np.array([place, origin])))
    return float(found[0, 0] - found[1, 0]), float(found[0, 1] - found[1, 1])


__all__ = ["PAIRS_PER_AREA", "CrossViewPairs", "PairPlan"]
