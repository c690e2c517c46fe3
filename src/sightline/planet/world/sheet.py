"""A sheet: the part of one face's lattice that a window needs, with what is known at its vertices.

A window that crosses a cube edge is made of two or three sheets, each generated in its own face's
lattice; the displacement of vertices fades to nothing at an edge, and there is a street along it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.planet.world.countries import Countries, CountryStyle, StreetPattern, style_of
from sightline.planet.world.globe import Globe, biomes, climate_steps
from sightline.planet.world.hashing import KeyArray, many_units, number, place_keys
from sightline.planet.world.lattice import (
    CELL_M,
    CELLS,
    Frame,
    on_chart,
    vectors_of,
    vectors_of_grid,
)
from sightline.planet.world.scatter import Octaves
from sightline.planet.world.settlements import Landmarks, Settlements, Tier, Towns, landmarks_of

FloatArray = NDArray[np.float64]
Float32 = NDArray[np.float32]
IntArray = NDArray[np.int64]

MOST_DISPLACED = 1.25
"""No vertex strays farther than this from its place in the lattice, in cells."""
_BEYOND_M = 14.0
_FADE_CELLS = 6.0
_RADIAL_CELLS = 11.0


@dataclass
class Sheet:
    """Vertices ``[i - i0, j - j0]`` of one face; a cell has the index of its lowest vertex.

    Args:
        face: The face.
        i0: First vertex index along a.
        j0: First vertex index along b.
        i: (m, n) int64 vertex indices.
        j: (m, n).
        key: (m, n) uint32 hash of face and vertex.
        styles: The styles that occur.
        style: (m, n) rows of ``styles``.
        climate_step: (m, n) numbers of climates.
        biome: (m, n) int8.
        shift: (m, n, 2) displacement in cells.
        metres: (m, n, 2) place of the displaced vertex in the window's frame.
        elevation: (m, n) metres.
        water: (m, n) metres to water.
        density: (m, n).
        ruggedness: (m, n).
        humidity: (m, n).
        habitability: (m, n).
        wood: (m, n) smooth noise in [-1, 1] that rules forests.
        landmarks: The landmarks that stand on cells of the sheet.
    """

    face: int
    i0: int
    j0: int
    i: IntArray
    j: IntArray
    key: KeyArray
    styles: tuple[CountryStyle, ...]
    style: IntArray
    climate_step: IntArray
    biome: NDArray[np.int8]
    shift: FloatArray
    metres: FloatArray
    elevation: FloatArray
    water: FloatArray
    density: Float32
    ruggedness: FloatArray
    humidity: FloatArray
    habitability: FloatArray
    wood: FloatArray
    landmarks: Landmarks

    def near(self, reach_m: float) -> NDArray[np.bool_]:
        """Return which cells may reach into the square of the window, (m - 1, n - 1)."""
        metres = self.metres
        corners = np.stack([metres[:-1, :-1], metres[1:, :-1], metres[:-1, 1:], metres[1:, 1:]])
        far = np.float32(reach_m + _BEYOND_M)
        inside: NDArray[np.bool_] = (
            (corners.min(axis=0) < far) & (corners.max(axis=0) > -far)
        ).all(axis=-1)
        return inside

    def column(self, name: str) -> Float32:
        """Return a number of the style at each vertex, (m, n)."""
        values = np.array([float(getattr(style, name)) for style in self.styles], np.float32)
        return values.take(self.style)


class Surveyor:
    """Makes sheets of one planet.

    Args:
        seed: The planet's seed.
        globe: Its fields.
        countries: Its countries.
        settlements: Its settlements.
    """

    def __init__(
        self, seed: int, globe: Globe, countries: Countries, settlements: Settlements
    ) -> None:
        self._seed = seed
        self._globe, self._countries, self._settlements = globe, countries, settlements
        self._local = Octaves.of(seed, 900, [8300.0, 8300.0, 12500.0, 9800.0])

    def sheets(self, frame: Frame, reach_m: float) -> list[Sheet]:
        """Return the sheets of a window, that of the origin's face first."""
        (a_east, a_north), (b_east, b_north) = frame.to_lattice()
        reach_a = (abs(a_east) + abs(a_north)) * reach_m + MOST_DISPLACED + 0.6
        reach_b = (abs(b_east) + abs(b_north)) * reach_m + MOST_DISPLACED + 0.6
        span = (frame.a - reach_a, frame.a + reach_a, frame.b - reach_b, frame.b + reach_b)
        own = self._sheet(frame, frame.face, span)
        if min(span) >= 0.0 and max(span) <= CELLS:
            return [own]
        found = [own]
        for face in range(6):
            there = _span_on(face, frame, span) if face != frame.face else None
            if there is not None:
                found.append(self._sheet(frame, face, there))
        return found

    def _sheet(self, frame: Frame, face: int, span: tuple[float, float, float, float]) -> Sheet:
        first_i, last_i = _whole(span[0], span[1])
        first_j, last_j = _whole(span[2], span[3])
        i, j = np.meshgrid(
            np.arange(first_i, last_i + 1), np.arange(first_j, last_j + 1), indexing="ij"
        )
        size = i.shape
        points = vectors_of_grid(face, i[:, 0], j[0])
        flat = points.reshape(-1, 3)
        styles, style, bends = self._styles(face, i[:, 0], j[0])
        towns = self._settlements.around(
            points[:: size[0] - 1, :: size[1] - 1].reshape(-1, 3), 200.0
        )
        local = self._local.at(flat).reshape(4, *size)
        key = place_keys(number(self._seed, 30 + face), i, j)
        shift = _shift(face, i, j, key, bends, local, towns)
        moved = vectors_of(face, i + shift[..., 0], j + shift[..., 1])
        relief, weather = self._globe.fields(moved.reshape(-1, 3))
        density = self._settlements.density(flat, weather.habitability, towns).reshape(size)
        density = density + 0.10 * local[2] * (density > 0.02)
        climate = climate_steps(weather.temperature, weather.humidity).reshape(size)
        return Sheet(
            face,
            first_i,
            first_j,
            i,
            j,
            key,
            styles,
            style,
            climate,
            biomes(climate),
            shift,
            frame.metres(moved),
            relief.elevation_m.reshape(size),
            relief.water.reshape(size),
            density.astype(np.float32),
            relief.ruggedness.reshape(size),
            weather.humidity.reshape(size),
            weather.habitability.reshape(size),
            local[3],
            self._landmarks(face, i, j, towns),
        )

    def _landmarks(self, face: int, i: IntArray, j: IntArray, towns: Towns) -> Landmarks:
        middle = vectors_of(face, (i[0, 0] + i[-1, 0]) / 2.0, (j[0, 0] + j[0, -1]) / 2.0)
        # Landmarks lie within 0.64 of the radius, a sheet within its diagonal.
        span = float(i.shape[0] + i.shape[1]) * CELL_M
        near = towns.rows(towns.within(middle, 0.7 * towns.radius_m + span))
        found = landmarks_of(near, middle, span)
        here = (found.face == face) & (found.i >= i[0, 0]) & (found.i < i[-1, 0])
        here &= (found.j >= j[0, 0]) & (found.j < j[0, -1])
        return self._settlements.standing(found.rows(here))

    def _styles(
        self, face: int, i: IntArray, j: IntArray
    ) -> tuple[tuple[CountryStyle, ...], IntArray, FloatArray]:
        """Look styles up per block of 4 x 4 cells.

        Returns:
            The styles, the row of each vertex (m, n), and how streets bend there, (3, m, n):
            jitter, warp and rings, which change smoothly from block to block.
        """
        first_i, first_j = (int(i[0]) >> 2) - 1, (int(j[0]) >> 2) - 1
        block_i = np.arange(first_i, (int(i[-1]) >> 2) + 2)
        block_j = np.arange(first_j, (int(j[-1]) >> 2) + 2)
        points = vectors_of_grid(face, 4 * block_i + 2, 4 * block_j + 2)
        country, region = self._countries.pairs(points.reshape(-1, 3))
        pair = (country.astype(np.uint64) << np.uint64(32)) | region.astype(np.uint64)
        shape = points.shape[:2]
        if (pair == pair[0]).all():
            styles: tuple[CountryStyle, ...] = (style_of(int(country[0]), int(region[0])),)
            block = np.zeros(shape, np.int64)
        else:
            distinct, row = np.unique(pair, return_inverse=True)
            pairs = [(int(p) >> 32, int(p) & 0xFFFFFFFF) for p in distinct]
            styles = tuple(style_of(*p) for p in pairs)
            block = row.reshape(shape).astype(np.int64)
        style = block[np.ix_((i >> 2) - first_i, (j >> 2) - first_j)]
        return (
            styles,
            style,
            _bends(styles, block, (i - 2) / 4.0 - first_i, (j - 2) / 4.0 - first_j),
        )


def _bends(
    styles: tuple[CountryStyle, ...], block: IntArray, i: FloatArray, j: FloatArray
) -> FloatArray:
    """Interpolate how streets bend from the middles of blocks to vertices, (3, m, n)."""
    table = np.array(
        [
            [s.street_jitter, 0.55 * s.street_warp, float(s.pattern is StreetPattern.RADIAL)]
            for s in styles
        ]
    ).T
    if len(styles) == 1:
        return np.broadcast_to(table[:, :, None], (3, len(i), len(j)))
    blocks = table[:, block]
    low_i, low_j = np.floor(i).astype(np.int64), np.floor(j).astype(np.int64)
    share_i, share_j = (i - low_i)[:, None], j - low_j
    rows = blocks[:, low_i] * (1.0 - share_i) + blocks[:, low_i + 1] * share_i
    bends: FloatArray = rows[:, :, low_j] * (1.0 - share_j) + rows[:, :, low_j + 1] * share_j
    return bends


def _whole(low: float, high: float) -> tuple[int, int]:
    """Return the first and last vertex of a span, kept on the face, at least one cell apart."""
    first = min(max(int(np.floor(low)), 0), CELLS - 1)
    last = max(min(int(np.ceil(high)), CELLS), first + 1)
    return first, last


def _span_on(
    face: int, frame: Frame, span: tuple[float, float, float, float]
) -> tuple[float, float, float, float] | None:
    """Return the part of a window that lies on another face, in that face's lattice."""
    a, b = np.meshgrid(np.linspace(span[0], span[1], 9), np.linspace(span[2], span[3], 9))
    points = vectors_of(frame.face, a, b).reshape(-1, 3)
    normal = vectors_of(face, CELLS / 2.0, CELLS / 2.0)
    before = points[:, 0] * normal[0] + points[:, 1] * normal[1] + points[:, 2] * normal[2]
    if (before <= 0.3).any():
        return None
    there_a, there_b = on_chart(face, points)
    low_a, high_a = float(there_a.min()) - 0.5, float(there_a.max()) + 0.5
    low_b, high_b = float(there_b.min()) - 0.5, float(there_b.max()) + 0.5
    if high_a <= 0.0 or high_b <= 0.0 or low_a >= CELLS or low_b >= CELLS:
        return None
    return low_a, high_a, low_b, high_b


def _shift(
    face: int,
    i: IntArray,
    j: IntArray,
    key: KeyArray,
    bends: FloatArray,
    local: FloatArray,
    towns: Towns,
) -> FloatArray:
    """Displace vertices: jitter, a slow warp, and rings around the centres of radial towns."""
    jitter, warp, radial = bends
    draws = many_units(key, 2).astype(np.float64) * 2.0 - 1.0
    shift = np.stack([draws[0] * jitter + warp * local[0], draws[1] * jitter + warp * local[1]], -1)
    if len(towns) and radial.any():
        shift += _rings(face, i, j, towns) * radial[..., None]
    np.clip(shift, -MOST_DISPLACED, MOST_DISPLACED, out=shift)
    border = np.minimum(np.minimum(i, CELLS - i), np.minimum(j, CELLS - j))
    return shift * np.clip(border / _FADE_CELLS, 0.0, 1.0)[..., None]


def _rings(face: int, i: IntArray, j: IntArray, towns: Towns) -> FloatArray:
    """Draw squares around a town's centre together to circles, fading out from it."""
    total = np.zeros((*i.shape, 2))
    normal = vectors_of(face, CELLS / 2.0, CELLS / 2.0)
    for centre, tier in zip(towns.centre, towns.tier, strict=True):
        if centre[0] * normal[0] + centre[1] * normal[1] + centre[2] * normal[2] < 0.3:
            continue
        a, b = on_chart(face, centre)
        x, y = i - np.floor(a), j - np.floor(b)
        reach = _RADIAL_CELLS if tier < Tier.VILLAGE else 0.5 * _RADIAL_CELLS
        round_ = np.sqrt(x * x + y * y)
        square = np.maximum(np.abs(x), np.abs(y))
        fade = 0.85 * np.clip(1.0 - round_ / reach, 0.0, 1.0)
        pull = (square / np.maximum(round_, 1.0) - 1.0) * fade
        total[..., 0] += x * pull
        total[..., 1] += y * pull
    return np.clip(total, -0.9, 0.9)
