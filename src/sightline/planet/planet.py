"""The planet: one function of a seed that answers with photos and aerial images of any place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import UsageError
from sightline.geo.coordinates import EARTH_RADIUS_M, as_coordinates
from sightline.planet.arguments import (
    checked_key,
    checked_number,
    checked_place,
    checked_search,
    checked_season,
    checked_size,
    checked_time,
    checked_weather,
    checked_whole,
)
from sightline.planet.recent import Recent
from sightline.planet.world.assembly import World
from sightline.planet.world.globe import Climate, climate_steps
from sightline.planet.world.hashing import number
from sightline.planet.world.lattice import (
    CELL_M,
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
_FINEST_M, _MOST_MISREGISTERED_M = 0.02, 50.0
_FREE_MISREGISTRATION_M = 3.0  # room that the reach for shadows leaves
_SMALLER = "Ask for several smaller pictures."
_POLAR_DEGREES = 85.0
_PLACES_KEPT = 4096

_Window = tuple[int, float, float, float]
"""Face, both lattice coordinates of the middle, and the reach in metres."""


class Planet:
    """A deterministic synthetic planet.

    Args:
        seed: Any integer; another seed is another planet.
        cached: How many neighbourhoods are kept in memory (1 to 10 MB each); one for a wide aerial
            image counts for as many as its area. It changes speed only, never an answer.
        core_cells: Places in one square of so many cells of 64 m share a neighbourhood: 0.5, the
            default, is best for places far apart, 4 for many places in one town. Pictures of two
            settings show the same place and agree but for rounding.

    Raises:
        UsageError: An argument is out of range.
    """

    def __init__(self, seed: int = 0, *, cached: int = 48, core_cells: float = 0.5) -> None:
        self.seed = checked_whole("seed", seed, hint="0 is the usual planet.")
        kept = checked_whole("cached", cached, 1, hint="48 is the default.")
        if core_cells not in _CORES:
            raise UsageError(
                f"core_cells must be one of {', '.join(map(str, _CORES))}. Got {core_cells!r}.",
                hint="0.5 is the default.",
            )
        self._core_cells = float(core_cells)
        self.world = World(self.seed)
        self._windows: Recent[_Window, Neighbourhood] = Recent(kept, self._size)
        self._located: Recent[tuple[float, float, float], tuple[_Window, tuple[float, float]]] = (
            Recent(_PLACES_KEPT)
        )
        self._climates: Recent[tuple[float, float], Climate] = Recent(_PLACES_KEPT)

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
            UsageError: ``reach_m`` is not from 1 to 2000.
        """
        reach_m = checked_number("reach_m", reach_m, 1.0, _FARTHEST_M, hint=_SMALLER)
        place = checked_place(latlng)
        window, here = self._located.get((*place, reach_m), lambda: self._locate(place, reach_m))
        return self._windows.get(window, lambda: self.world.neighbourhood(*window)), here

    def _locate(
        self, place: tuple[float, float], reach_m: float
    ) -> tuple[_Window, tuple[float, float]]:
        """Return the window that a place gets, and the place in its metres."""
        vector = vectors_of_latlng([place])
        faces, all_a, all_b = lattice_of(vector)
        face, a, b = int(faces[0]), float(all_a[0]), float(all_b[0])
        half = 0.0
        if abs(place[0]) < _POLAR_DEGREES:
            # At the poles north turns within a cell; there each place gets its own.
            a, b = self._core_middle(a), self._core_middle(b)
            half = self._core_cells / 2.0
        frame = Frame.at(face, a, b)
        east, north = (float(part) for part in frame.metres(vector)[0])
        wanted = math.ceil((reach_m + half * _widest(frame)) / 8.0) * 8.0
        return (face, a, b, wanted), (east, north)

    def _size(self, window: _Window) -> float:
        """Return how much memory a window takes, in windows of the usual reach."""
        sides = window[3] / (VIEW_M + self._core_cells * CELL_M)
        return max(1.0, sides * sides)

    def _core_middle(self, coordinate: float) -> float:
        """Return the middle of the square of cells that share a neighbourhood, along one axis."""
        last = int(CELLS / self._core_cells) - 1
        return (min(math.floor(coordinate / self._core_cells), last) + 0.5) * self._core_cells

    def photo(
        self,
        latlng: Sequence[float],
        heading_degrees: float = 0.0,
        fov_degrees: float = 90.0,
        size: tuple[int, int] = (224, 224),
        when: datetime | None = None,
        weather: Weather | str | None = None,
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
            fov_degrees: Horizontal angle of view, more than 0 and less than 175.
            size: (width, height) in pixels.
            when: A time that knows its zone, of the years 1900 to 2100; None draws one by ``key``.
            weather: A `Weather` or its name; None draws it from the climate by ``key``.
            camera_height_m: Of the lens above the ground, 0.2 to 120.
            tilt_degrees: Upward tilt, -90 to 90.
            roll_degrees: Clockwise roll, -180 to 180.
            distortion: First radial coefficient of the lens, -0.3 to 0.3; negative is a barrel.
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
            checked_size(size),
            checked_number("fov_degrees", fov_degrees, hint="90 is usual."),
            checked_number("heading_degrees", heading_degrees, hint="0 is north, 90 east."),
            checked_number("camera_height_m", camera_height_m, 0.2, 120.0, hint="2.2 is usual."),
            checked_number("tilt_degrees", tilt_degrees, hint="0 is level."),
            checked_number("roll_degrees", roll_degrees, hint="0 is level."),
            checked_number("distortion", distortion, hint="0 is a lens without distortion."),
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
        weather: Weather | str | None = None,
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
            metres_per_pixel: Side of a pixel on the ground, at least 0.02; the longer side of the
                picture is at most 3,904 m.
            size: (width, height) in pixels.
            season: In which it was taken, a `Season` or its name, in place of ``when``.
            when: A time that knows its zone, of the years 1900 to 2100; None draws one by ``key``.
            year: The year of ``season``, 1900 to 2100; None draws one by ``key``.
            key: Decides what is left to chance; by default the place does.
            misregistration_m: The most by which it lies off its place in each direction, 0 to 50;
                0.6 by default.

        Returns:
            uint8 (height, width, 3), RGB.

        Raises:
            CoordinateError: The place is out of range.
            UsageError: An argument is.
        """
        from sightline.planet.looks.moment import Weather
        from sightline.planet.overhead import aerial

        size = checked_size(size)
        side = checked_number("metres_per_pixel", metres_per_pixel, hint="0.5 is usual.")
        half_m = 0.5 * side * max(size)
        if not (side >= _FINEST_M and half_m + _SHADOWS_M <= _FARTHEST_M):
            raise UsageError(
                f"metres_per_pixel must be at least {_FINEST_M:g}, and the picture's longer side "
                f"at most {2 * (_FARTHEST_M - _SHADOWS_M):g} m. Got {side:g} and {size!r} pixels.",
                hint=_SMALLER,
            )
        off_m = aerial.MISREGISTRATION_M if misregistration_m is None else misregistration_m
        off_m = checked_number(
            "misregistration_m", off_m, 0.0, _MOST_MISREGISTERED_M, hint="0 is none."
        )
        checked_season(season, when, year)
        reach_m = half_m + _SHADOWS_M + max(0.0, off_m - _FREE_MISREGISTRATION_M)
        around, centre = self.neighbourhood(latlng, min(max(reach_m, VIEW_M), _FARTHEST_M))
        # Nobody flies in bad weather; where no hour is given, nor under a low sun.
        if when is not None:
            moment = self.moment(latlng, when, Weather.CLEAR, key=key)
        else:
            moment = self._of_survey(latlng, season, year, key)
        return aerial.render(around, centre, side, size, moment, misregistration_m=off_m)

    def moment(
        self,
        latlng: Sequence[float],
        when: datetime | None = None,
        weather: Weather | str | None = None,
        *,
        key: int | None = None,
    ) -> Moment:
        """Return light, season and weather at a place; what is not given is drawn by ``key``."""
        from sightline.planet.looks.moment import Moment

        place, climate, drawn = self._at(latlng, key)
        return Moment.of(
            place,
            None if when is None else checked_time(when),
            None if weather is None else checked_weather(weather),
            drawn,
            temperature=climate.temperature,
            humidity=climate.humidity,
        )

    def _of_survey(
        self,
        latlng: Sequence[float],
        season: Season | str | None,
        year: int | None,
        key: int | None,
    ) -> Moment:
        from sightline.planet.looks.moment import Moment

        place, climate, drawn = self._at(latlng, key)
        return Moment.of_survey(
            place,
            None,
            season,
            drawn,
            year=year,
            temperature=climate.temperature,
            humidity=climate.humidity,
        )

    def _at(
        self, latlng: Sequence[float], key: int | None
    ) -> tuple[tuple[float, float], Climate, int]:
        """Return the checked place, its climate, and the key given or made from the place."""
        where = checked_place(latlng)
        if key is None:
            scaled = (round(where[0] * 1e7), round(where[1] * 1e7))
            key = number(self.seed, *scaled)
        return where, self.climate(where), checked_key(key)

    def climate(self, latlng: Sequence[float]) -> Climate:
        """Return the climate of a place."""
        place = checked_place(latlng)
        return self._climates.get(place, lambda: self._climate(place))

    def _climate(self, place: tuple[float, float]) -> Climate:
        weather = self.world.globe.weather(vectors_of_latlng([place]))
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
        """Return the settlements whose built-up land reaches to within a distance of a place.

        Args:
            latlng: Degrees.
            within_m: The distance, 0 to 1,000,000 m.

        Raises:
            CoordinateError: The place is out of range.
            UsageError: ``within_m`` is.
        """
        vector = vectors_of_latlng([checked_place(latlng)])
        return self.world.settlements.around(vector, checked_search(within_m))

    def landmarks_near(self, latlng: Sequence[float], within_m: float = 2_000.0) -> list[Landmark]:
        """Return the famous places within a distance, the most famous first.

        Args:
            latlng: Degrees.
            within_m: The distance, 0 to 1,000,000 m.

        Raises:
            CoordinateError: The place is out of range.
            UsageError: ``within_m`` is.
        """
        vector = vectors_of_latlng([checked_place(latlng)])
        found = self.world.settlements.landmarks(vector, checked_search(within_m))
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
        within_m = checked_number(
            "within_m", within_m, 0.0, VIEW_M, hint="Ask around several places to look farther."
        )
        around, here = self.neighbourhood(latlng)
        return street_near(around, here, checked_key(key), within_m)


def _vectors(latlng: ArrayLike) -> FloatArray:
    return vectors_of_latlng(as_coordinates(latlng, name="latlng"))


def _widest(frame: Frame) -> float:
    """Return how far apart a cell's corners lie east or north, metres."""
    (east_a, east_b), (north_a, north_b) = frame.cell_m
    return max(abs(east_a) + abs(east_b), abs(north_a) + abs(north_b))
