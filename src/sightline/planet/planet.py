"""The planet: one function of a seed that answers with photos and aerial images of any place."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import UsageError
from sightline.geo.coordinates import EARTH_RADIUS_M, as_coordinates
from sightline.planet.world.assembly import World
from sightline.planet.world.globe import Climate, climate_steps
from sightline.planet.world.hashing import number
from sightline.planet.world.lattice import (
    CELLS,
    Frame,
    latlng_of_vectors,
    lattice_of,
    vectors_of_latlng,
)
from sightline.planet.world.neighbourhood import Neighbourhood
from sightline.planet.world.settlements import Towns, people_per_km2
from sightline.planet.world.standpoints import Landmark, Standpoint, street_near

if TYPE_CHECKING:
    from sightline.planet.looks.moment import Moment, Season, Weather

FloatArray = NDArray[np.float64]
Image = NDArray[np.uint8]

VIEW_M = 128.0
"""How far a photo shows things one by one; beyond are hills and sky."""
_FARTHEST_M = 2000.0
_CORES = (0.5, 1, 2, 4, 8)
_SHADOWS_M = 48.0
_POLAR_DEGREES = 85.0


class Planet:
    """A deterministic synthetic planet.

    Args:
        seed: Any integer; another seed is another planet.
        cached: How many neighbourhoods are kept in memory (1 to 10 MB each). It changes speed
            only, never an answer.
        core_cells: Places in one square of so many cells of 64 m share a neighbourhood: 0.5, the
            default, is best for places far apart, 4 for many places in one town. Pictures of two
            settings show the same place and agree but for rounding.

    Raises:
        UsageError: An argument is out of range.
    """

    def __init__(self, seed: int = 0, *, cached: int = 48, core_cells: float = 0.5) -> None:
        if not isinstance(seed, int) or isinstance(seed, bool):
            raise UsageError(
                f"seed must be an integer. Got {seed!r}.", hint="0 is the usual planet."
            )
        if cached < 1:
            raise UsageError(
                f"cached must be at least 1. Got {cached!r}.", hint="48 is the default."
            )
        if core_cells not in _CORES:
            raise UsageError(
                f"core_cells must be one of {', '.join(map(str, _CORES))}. Got {core_cells!r}.",
                hint="0.5 is the default.",
            )
        self.seed = seed
        self._core_cells = float(core_cells)
        self.world = World(seed)
        self._cached = cached
        self._cache: OrderedDict[tuple[int, float, float, float], Neighbourhood] = OrderedDict()

    def neighbourhood(
        self, latlng: Sequence[float], reach_m: float = VIEW_M
    ) -> tuple[Neighbourhood, tuple[float, float]]:
        """Return a neighbourhood that holds a place and all around it.

        Neighbourhoods are laid out around the middles of squares of the lattice, so places in one
        square share one. Which one a place gets depends on the place and the reach alone.

        Args:
            latlng: Degrees.
            reach_m: How far around the place everything has to be there.

        Returns:
            The neighbourhood, and the place in its metres east and north.

        Raises:
            CoordinateError: The place is out of range.
            UsageError: ``reach_m`` is not in (0, 2000].
        """
        if not 0 < reach_m <= _FARTHEST_M:
            raise UsageError(
                f"reach_m must be in (0, {_FARTHEST_M:g}]. Got {reach_m!r}.",
                hint="Ask for several smaller pictures.",
            )
        place = as_coordinates([latlng[0], latlng[1]], name="latlng")
        vector = vectors_of_latlng(place)
        faces, all_a, all_b = lattice_of(vector)
        face, a, b = int(faces[0]), float(all_a[0]), float(all_b[0])
        half = 0.0
        if abs(float(place[0, 0])) < _POLAR_DEGREES:
            # At the poles north turns within a cell; there each place gets its own.
            a, b = self._core_middle(a), self._core_middle(b)
            half = self._core_cells / 2.0
        frame = Frame.at(face, a, b)
        east, north = (float(part) for part in frame.metres(vector)[0])
        wanted = math.ceil((reach_m + half * _widest(frame)) / 8.0) * 8.0
        return self._window(face, a, b, wanted), (east, north)

    def _core_middle(self, coordinate: float) -> float:
        """Return the middle of the square of cells that share a neighbourhood, along one axis."""
        last = int(CELLS / self._core_cells) - 1
        return (min(math.floor(coordinate / self._core_cells), last) + 0.5) * self._core_cells

    def _window(self, face: int, a: float, b: float, reach_m: float) -> Neighbourhood:
        key = (face, a, b, reach_m)
        found = self._cache.get(key)
        if found is None:
            found = self.world.neighbourhood(face, a, b, reach_m)
            self._cache[key] = found
            if len(self._cache) > self._cached:
                self._cache.popitem(last=False)
        else:
            self._cache.move_to_end(key)
        return found

    def photo(
        self,
        latlng: Sequence[float],
        heading_degrees: float = 0.0,
        fov_degrees: float = 90.0,
        size: tuple[int, int] = (224, 224),
        when: datetime | None = None,
        weather: Weather | None = None,
        *,
        camera_height_m: float = 2.2,
        tilt_degrees: float = 0.0,
        roll_degrees: float = 0.0,
        distortion: float = 0.0,
        panorama: bool = False,
        key: int | None = None,
    ) -> Image:
        """Return a photo taken from the ground.

        Args:
            latlng: Where the camera stands, degrees.
            heading_degrees: Where its centre looks, clockwise from north.
            fov_degrees: Horizontal angle of view.
            size: (width, height) in pixels.
            when: A time that knows its zone; None draws one by ``key``.
            weather: None draws it from the climate by ``key``.
            camera_height_m: Of the lens above the ground.
            tilt_degrees: Upward tilt.
            roll_degrees: Clockwise roll.
            distortion: First radial coefficient of the lens.
            panorama: Equirectangular over 360°, in place of ``fov_degrees``.
            key: Decides what is left to chance; by default the place does.

        Returns:
            uint8 (height, width, 3), RGB.

        Raises:
            CoordinateError: The place is out of range.
            UsageError: An argument is.
        """
        from sightline.planet.ground import photo as ground
        from sightline.planet.ground.camera import Camera

        camera = Camera(
            size,
            fov_degrees,
            heading_degrees,
            camera_height_m,
            tilt_degrees,
            roll_degrees,
            distortion,
            panorama,
        )
        around, standpoint = self.neighbourhood(latlng)
        moment = self.moment(latlng, when, weather, key=key)
        return ground.render(around, standpoint, camera, moment)

    def panorama(
        self,
        latlng: Sequence[float],
        size: tuple[int, int] = (512, 128),
        when: datetime | None = None,
        weather: Weather | None = None,
        *,
        heading_degrees: float = 0.0,
        camera_height_m: float = 2.2,
        key: int | None = None,
    ) -> Image:
        """Return an equirectangular photo over 360°; arguments as in :meth:`photo`."""
        return self.photo(
            latlng,
            heading_degrees,
            size=size,
            when=when,
            weather=weather,
            camera_height_m=camera_height_m,
            panorama=True,
            key=key,
        )

    def aerial(
        self,
        latlng: Sequence[float],
        metres_per_pixel: float = 0.5,
        size: tuple[int, int] = (224, 224),
        season: Season | str | None = None,
        *,
        when: datetime | None = None,
        year: int | None = None,
        key: int | None = None,
        misregistration_m: float | None = None,
    ) -> Image:
        """Return an orthophoto, north up, centred on a place.

        Args:
            latlng: Its middle, degrees.
            metres_per_pixel: Side of a pixel on the ground.
            size: (width, height) in pixels.
            season: In which it was taken, in place of ``when``.
            when: A time that knows its zone; None draws one by ``key``.
            year: The year of ``season``.
            key: Decides what is left to chance; by default the place does.
            misregistration_m: The most by which it lies off its place.

        Returns:
            uint8 (height, width, 3), RGB.

        Raises:
            CoordinateError: The place is out of range.
            UsageError: An argument is.
        """
        from sightline.planet.looks.moment import Weather
        from sightline.planet.overhead import aerial

        if not (metres_per_pixel > 0 and min(size) >= 1):
            raise UsageError(
                f"metres_per_pixel and size must be positive. Got {metres_per_pixel!r}, {size!r}.",
                hint="0.5 m and (224, 224) are usual.",
            )
        half_m = 0.5 * metres_per_pixel * max(size)
        around, centre = self.neighbourhood(latlng, max(half_m + _SHADOWS_M, VIEW_M))
        if season is not None:
            moment = self._in_season(latlng, season, year, key)
        else:
            moment = self.moment(latlng, when, Weather.CLEAR if when is None else None, key=key)
        if misregistration_m is None:
            misregistration_m = aerial.MISREGISTRATION_M
        return aerial.render(
            around, centre, metres_per_pixel, size, moment, misregistration_m=misregistration_m
        )

    def moment(
        self,
        latlng: Sequence[float],
        when: datetime | None = None,
        weather: Weather | None = None,
        *,
        key: int | None = None,
    ) -> Moment:
        """Return light, season and weather at a place; what is not given is drawn by ``key``."""
        from sightline.planet.looks.moment import Moment

        place, climate, drawn = self._at(latlng, key)
        return Moment.of(
            place, when, weather, drawn, temperature=climate.temperature, humidity=climate.humidity
        )

    def _in_season(
        self, latlng: Sequence[float], season: Season | str, year: int | None, key: int | None
    ) -> Moment:
        from sightline.planet.looks.moment import Moment, Weather

        place, climate, drawn = self._at(latlng, key)
        return Moment.in_season(
            place,
            season,
            year=year,
            weather=Weather.CLEAR,
            key=drawn,
            temperature=climate.temperature,
            humidity=climate.humidity,
        )

    def _at(
        self, latlng: Sequence[float], key: int | None
    ) -> tuple[tuple[float, float], Climate, int]:
        """Return the checked place, its climate, and the key given or made from the place."""
        place = as_coordinates([latlng[0], latlng[1]], name="latlng")
        where = (float(place[0, 0]), float(place[0, 1]))
        if key is None:
            scaled = (round(where[0] * 1e7), round(where[1] * 1e7))
            key = number(self.seed, *scaled)
        return where, self.climate(where), key

    def climate(self, latlng: Sequence[float]) -> Climate:
        """Return the climate of a place."""
        weather = self.world.globe.weather(_vectors([latlng[0], latlng[1]]))
        return Climate.of_step(int(climate_steps(weather.temperature, weather.humidity)[0]))

    def elevation(self, latlng: ArrayLike) -> FloatArray:
        """Return metres above sea level of places ``(n, 2)``, ``(n,)``."""
        return self.world.globe.elevation(_vectors(latlng))

    def people_per_km2(self, latlng: ArrayLike) -> FloatArray:
        """Return how densely people live at places ``(n, 2)``: ``(n,)``, 0 on the sea."""
        vectors = _vectors(latlng)
        relief, weather = self.world.globe.fields(vectors)
        density = self.world.settlements.density(vectors, weather.habitability)
        return np.where(relief.coast_m > 0.0, people_per_km2(density), 0.0)

    def towns_near(self, latlng: Sequence[float], within_m: float = 20_000.0) -> Towns:
        """Return the settlements whose built-up land reaches to within a distance of a place."""
        return self.world.settlements.around(_vectors([latlng[0], latlng[1]]), within_m)

    def landmarks_near(self, latlng: Sequence[float], within_m: float = 2_000.0) -> list[Landmark]:
        """Return the famous places within a distance, the most famous first."""
        vector = _vectors([latlng[0], latlng[1]])
        found = self.world.settlements.landmarks(vector, within_m)
        centres = found.centres()
        offset = centres - vector
        square = offset * offset
        away = np.sqrt(square[:, 0] + square[:, 1] + square[:, 2]) * EARTH_RADIUS_M
        places = latlng_of_vectors(centres)
        near = sorted(range(len(found)), key=lambda n: (-float(found.fame[n]), int(found.key[n])))
        return [
            Landmark(
                (float(places[n, 0]), float(places[n, 1])),
                float(found.fame[n]),
                int(found.kind[n]),
                int(found.key[n]),
                float(away[n]),
            )
            for n in near
        ]

    def street_near(
        self, latlng: Sequence[float], key: int = 0, within_m: float = 80.0
    ) -> Standpoint | None:
        """Return a place on a street near a place, or None where there is no street.

        Args:
            latlng: Degrees.
            key: Which of the possible places; the same key gives the same.
            within_m: How far the street may be, at most 128 m.

        Raises:
            CoordinateError: The place is out of range.
            UsageError: ``within_m`` is.
        """
        if not 0 < within_m <= VIEW_M:
            raise UsageError(
                f"within_m must be in (0, {VIEW_M:g}]. Got {within_m!r}.",
                hint="Ask around several places to look farther.",
            )
        around, here = self.neighbourhood(latlng)
        return street_near(around, here, key, within_m)


def _vectors(latlng: ArrayLike) -> FloatArray:
    return vectors_of_latlng(as_coordinates(latlng, name="latlng"))


def _widest(frame: Frame) -> float:
    """Return how far apart a cell's corners lie east or north, metres."""
    (east_a, east_b), (north_a, north_b) = frame.cell_m
    return max(abs(east_a) + abs(east_b), abs(north_a) + abs(north_b))
