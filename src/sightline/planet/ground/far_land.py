"""The land beyond a neighbourhood: its heights out to the horizon, and what covers it.

Heights come from the planet's own elevation, at three grids of growing spacing whose points are
lattice points, so that a hill stands where the aerial image and the elevation say, and two windows
agree on it. What covers far land (woods, fields, roofs) is only suggested, by noise on the lattice.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sightline.planet.looks import noise
from sightline.planet.world.globe import Globe
from sightline.planet.world.ground_raster import FacetedRaster
from sightline.planet.world.lattice import faces_of, vectors_of_grid

if TYPE_CHECKING:
    from sightline.planet.world.neighbourhood import Neighbourhood

Floats = NDArray[np.float32]

RANGE_M = 128.0
"""How far from a camera a neighbourhood is asked for what stands in it."""

_BLEND_FROM_M = 84.0
# Cells between points, points along a side. Each reaches beyond its end, and the last beyond the
# horizon, from any camera in the window: at its border a grid would show each window another land.
_GRIDS = ((4, 15), (20, 13), (96, 16))
_GRID_ENDS_M = (1200.0, 5000.0)
_EARTH_DROP = np.float32(0.87 / (2 * 6_371_008.8))  # of the horizon, with mean refraction
_NOISE_CELLS = 256  # after which the noise repeats at a quarter of its scale, too
_NOISE_TEXELS = 8.0


@dataclass(frozen=True)
class _Grid:
    first_a: int
    first_b: int
    spacing: int
    side: int
    elevation: Floats
    water: Floats


@lru_cache(maxsize=8)
def _globe(seed: int) -> Globe:
    return Globe(seed)


@lru_cache(maxsize=128)
def _grids(seed: int, face: int, firsts: tuple[tuple[int, int], ...]) -> tuple[_Grid, ...]:
    """Return the grids that begin at some lattice points; the globe is asked once for all."""
    places = []
    for (spacing, side), (first_a, first_b) in zip(_GRIDS, firsts, strict=True):
        steps = np.arange(side) * float(spacing)
        places.append(vectors_of_grid(face, first_a + steps, first_b + steps).reshape(-1, 3))
    relief = _globe(seed).relief(np.concatenate(places))
    elevation, water = relief.elevation_m.astype(np.float32), relief.water.astype(np.float32)
    grids, start = [], 0
    for (spacing, side), (first_a, first_b) in zip(_GRIDS, firsts, strict=True):
        part = slice(start, start + side * side)
        grids.append(_Grid(first_a, first_b, spacing, side, elevation[part], water[part]))
        start += side * side
    return tuple(grids)


class FarLand:
    """Heights and covers around one neighbourhood.

    Args:
        neighbourhood: Whose origin and raster.
        face: On whose chart the grids are laid out.
    """

    def __init__(self, neighbourhood: Neighbourhood, face: int) -> None:
        self._ground = neighbourhood.ground
        frame = neighbourhood.frame
        frame = frame if face == frame.face else frame.on(face)
        to_a, to_b = frame.to_lattice()
        self._to_a = tuple(np.float32(cells) for cells in to_a)
        self._to_b = tuple(np.float32(cells) for cells in to_b)
        firsts = tuple(
            (
                (int(frame.a // spacing) - side // 2) * spacing,
                (int(frame.b // spacing) - side // 2) * spacing,
            )
            for spacing, side in _GRIDS
        )
        self._grids = _grids(neighbourhood.seed, face, firsts)
        self._origin = (frame.a, frame.b)
        self._noise_origin = (
            np.float32(frame.a % _NOISE_CELLS + 4 * _NOISE_CELLS),
            np.float32(frame.b % _NOISE_CELLS + 4 * _NOISE_CELLS),
        )

    @classmethod
    def seen_from(cls, neighbourhood: Neighbourhood, east: float, north: float) -> FarLand:
        """Return the land around a camera's place, laid out on the face that it stands on.

        Windows on both sides of a cube edge so agree; the neighbourhood keeps what was made.
        """
        face = neighbourhood.face
        if isinstance(neighbourhood.ground, FacetedRaster):
            place = neighbourhood.frame.vectors(np.array([[east, north]], np.float64))
            face = int(faces_of(place)[0])
        kept: dict[str, object] = neighbourhood.__dict__
        name = f"_far_land_{face}"
        made = kept.get(name)
        if not isinstance(made, FarLand):
            made = kept[name] = cls(neighbourhood, face)
        return made

    def cells(self, east: Floats, north: Floats) -> tuple[Floats, Floats]:
        """Return cells along both lattice axes from the origin."""
        a = east * self._to_a[0]
        a += north * self._to_a[1]
        b = east * self._to_b[0]
        b += north * self._to_b[1]
        return a, b

    def heights(self, cover_m: float) -> _Heights:
        """Return what `relief.march` asks for, with a cover of woods or roofs on far land."""
        return _Heights(self, cover_m)

    def texture(self, a: Floats, b: Floats, scale: float = 1.0) -> Floats:
        """Return noise, about -1 to 1, at cells from the origin; blotches of about 50 m."""
        return noise.sample(
            noise.medium(),
            a + self._noise_origin[0],
            b + self._noise_origin[1],
            _NOISE_TEXELS * scale,
        )

    def near(self, east: Floats, north: Floats) -> Floats:
        """Return elevations inside the neighbourhood."""
        return self._ground.elevation(east, north)

    def far(self, level: int, a: Floats, b: Floats, *, water: bool = False) -> Floats:
        """Return elevation, or metres to water (negative in it), from a grid at cells."""
        grid = self._grids[level]
        table = grid.water if water else grid.elevation
        place_a = a + np.float32(self._origin[0] - grid.first_a)
        place_a *= np.float32(1 / grid.spacing)
        np.maximum(place_a, 0, out=place_a)
        np.minimum(place_a, np.float32(grid.side - 1.001), out=place_a)
        place_b = b + np.float32(self._origin[1] - grid.first_b)
        place_b *= np.float32(1 / grid.spacing)
        np.maximum(place_b, 0, out=place_b)
        np.minimum(place_b, np.float32(grid.side - 1.001), out=place_b)
        whole_a, whole_b = place_a.astype(np.int32), place_b.astype(np.int32)
        place_a -= whole_a
        place_b -= whole_b
        whole_a *= np.int32(grid.side)
        whole_a += whole_b
        low = table.take(whole_a)
        low += (table.take(whole_a + 1) - low) * place_b
        whole_a += np.int32(grid.side)
        high = table.take(whole_a)
        high += (table.take(whole_a + 1) - high) * place_b
        high -= low
        high *= place_a
        high += low
        return high


class _Heights:
    def __init__(self, land: FarLand, cover_m: float) -> None:
        self._land, self._cover_m = land, np.float32(cover_m)

    def __call__(self, east: Floats, north: Floats, distance: Floats) -> Floats:
        land, steps = self._land, distance[:, 0]
        elevation = np.empty(east.shape, np.float32)
        inside = int(np.searchsorted(steps, RANGE_M))
        blend = int(np.searchsorted(steps, _BLEND_FROM_M))
        elevation[:inside] = land.near(east[:inside], north[:inside])
        ends = [blend, *(int(np.searchsorted(steps, end)) for end in _GRID_ENDS_M), len(steps)]
        for level, (start, stop) in enumerate(pairwise(ends)):
            rows = slice(start, stop)
            a, b = land.cells(east[rows], north[rows])
            far = land.far(level, a, b)
            covered = max(inside - start, 0)
            cover = land.texture(a[covered:], b[covered:])
            cover += np.float32(0.12)
            np.maximum(cover, 0, out=cover)
            np.minimum(cover, np.float32(0.4), out=cover)
            # Nothing grows on the sea.
            cover *= np.minimum(far[covered:], 1) * (self._cover_m / np.float32(0.4))
            far[covered:] += cover
            if level == 0 and inside > blend:
                mixed = inside - blend
                share = (steps[blend:inside, None] - np.float32(_BLEND_FROM_M)) / np.float32(
                    RANGE_M - _BLEND_FROM_M
                )
                far[:mixed] = elevation[blend:inside] * (1 - share) + far[:mixed] * share
            elevation[rows] = far
        elevation -= distance * distance * _EARTH_DROP
        return elevation
