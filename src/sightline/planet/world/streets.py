"""Streets: which edges of the lattice carry one, how wide it is, and the paths inside cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.planet.world.hashing import KeyArray, child_keys, number, place_keys, units
from sightline.planet.world.lattice import CELLS
from sightline.planet.world.rows import Rows
from sightline.planet.world.settlements import URBAN_DENSITY
from sightline.planet.world.sheet import Sheet

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

_BEYOND_M = 24.0
MAJOR_LINES = 8
"""Every eighth line of the lattice is a main road; cube edges are such lines."""


@dataclass(frozen=True)
class Edges:
    """Edges of one direction, indexed by their lower vertex.

    Args:
        kept: (m, n) whether there is a street.
        half_width: (m, n) metres.
        major: (m, n) whether it is a main road.
    """

    kept: BoolArray
    half_width: Float32
    major: BoolArray


@dataclass(frozen=True)
class Segments(Rows):
    """Straight pieces of street.

    Args:
        start: (n, 2) metres.
        end: (n, 2).
        half_width: (n,) metres.
        major: (n,) bool.
        paved: (n,) bool: a street with pavements, not a track or path.
        open_start: (n,) bool: no junction at the start, the street only bends there.
        open_end: (n,) bool.
        row: (n,) int64 index of the lower vertex in its sheet.
        column: (n,).
        key: (n,) uint32.
        owned: (n,) bool: whether things along it belong to this sheet.
        path: (n,) bool: it lies inside a cell.
    """

    start: Float64
    end: Float64
    half_width: Float32
    major: BoolArray
    paved: BoolArray
    open_start: BoolArray
    open_end: BoolArray
    row: IntArray
    column: IntArray
    key: KeyArray
    owned: BoolArray
    path: BoolArray

    def near(self, reach_m: float) -> Segments:
        """Return the segments that may reach into the square of the window."""
        far = np.float32(reach_m + _BEYOND_M)
        low, high = np.minimum(self.start, self.end), np.maximum(self.start, self.end)
        return self.rows(np.flatnonzero(((low < far) & (high > -far)).all(axis=1)))


def edges_of(sheet: Sheet, seed: int) -> tuple[Edges, Edges]:
    """Return the streets along a and along b."""
    return _edges(sheet, seed, 0), _edges(sheet, seed, 1)


def _edges(sheet: Sheet, seed: int, direction: int) -> Edges:
    line, along = (sheet.j, sheet.i) if direction == 0 else (sheet.i, sheet.j)
    density = sheet.density
    major = (line & (MAJOR_LINES - 1)) == 0
    middle = (line & 3) == 0
    kept = units(sheet.key, 10 + direction) > sheet.column("dropped_along")
    if direction == 1:
        run = units(_line_keys(sheet, seed, 40, sheet.i, sheet.j >> 3), 1)
        kept &= run > sheet.column("dropped_across")
    kept &= density > URBAN_DENSITY
    kept |= middle & (density > 0.30)
    country_road = units(_line_keys(sheet, seed, 42 + direction, line >> 3, along >> 4), 1) < 0.72
    lived_in = sheet.habitability > 0.015
    kept |= major & ((density > 0.05) | (country_road & lived_in))
    border = (line == 0) | (line == CELLS)
    kept |= border
    ordinary = sheet.column("road_half_width_m")
    width = ordinary * np.where(major, 1.5, np.where(middle, 1.2, 0.95)).astype(np.float32)
    rural = density < 0.13
    width = np.where(rural, np.where(major, np.float32(3.2), np.float32(2.1)), width)
    width = np.where(border, np.maximum(width, np.float32(3.2)), width)
    return Edges(
        kept & _dry(sheet, direction, major | middle), width.astype(np.float32), major | border
    )


def _line_keys(sheet: Sheet, seed: int, layer: int, i: IntArray, j: IntArray) -> KeyArray:
    return place_keys(number(seed, layer, sheet.face), i, j)


def _dry(sheet: Sheet, direction: int, bridged: BoolArray) -> BoolArray:
    """Streets keep out of water, but larger ones cross a river that a bridge of two cells spans."""
    wet = sheet.water < 5.0
    here, there = ~wet, _moved(~wet, direction, 1, filling=True)
    before, beyond = (
        _moved(here, direction, -1, filling=False),
        _moved(here, direction, 2, filling=False),
    )
    return (here & there) | (bridged & (here | before) & (there | beyond))


def _moved(values: BoolArray, direction: int, by: int, *, filling: bool) -> BoolArray:
    """Return each vertex's neighbour ``by`` steps on along a or b, ``filling`` beyond the sheet."""
    result = np.full(values.shape, filling)
    if direction == 1:
        result[:, max(-by, 0) : values.shape[1] - max(by, 0)] = values[:, max(by, 0) :][
            :, : values.shape[1] - abs(by)
        ]
    else:
        result[max(-by, 0) : values.shape[0] - max(by, 0)] = values[max(by, 0) :][
            : values.shape[0] - abs(by)
        ]
    return result


def segments_of(sheet: Sheet, edges: tuple[Edges, Edges]) -> Segments:
    """Return the streets of a sheet as segments, those along a first."""
    along_a, along_b = edges[0].kept.copy(), edges[1].kept.copy()
    along_a[-1] = False
    along_b[:, -1] = False
    degree = along_a.astype(np.int8) + along_b
    degree[1:] += along_a[:-1]
    degree[:, 1:] += along_b[:, :-1]
    parts = []
    for direction, kept in enumerate((along_a, along_b)):
        row, column = np.nonzero(kept)
        end_row, end_column = row + (direction == 0), column + (direction == 1)
        width = edges[direction].half_width[row, column]
        line = sheet.j[row, column] if direction == 0 else sheet.i[row, column]
        parts.append(
            Segments(
                sheet.metres[row, column],
                sheet.metres[end_row, end_column],
                width,
                edges[direction].major[row, column],
                (width > 2.3) & (sheet.density[row, column] > 0.13),
                degree[row, column] < 3,
                degree[end_row, end_column] < 3,
                row,
                column,
                child_keys(sheet.key[row, column], 100 + direction),
                ~_owned_elsewhere(sheet.face, direction, line),
                np.zeros(len(row), bool),
            )
        )
    return Segments.join(parts)


def _owned_elsewhere(face: int, direction: int, line: IntArray) -> BoolArray:
    """Say which segments lie on a cube edge whose other face has the lower number."""
    if face == 0:
        return np.zeros(len(line), bool)
    lower_at_start = _NEIGHBOURS[face][direction][0] < face
    lower_at_end = _NEIGHBOURS[face][direction][1] < face
    result: BoolArray = ((line == 0) & lower_at_start) | ((line == CELLS) & lower_at_end)
    return result


# Per face, for edges along a (b at its first, last line) and along b (a at its first, last line):
# the face on the other side.
_NEIGHBOURS = (
    ((5, 4), (3, 2)),
    ((5, 4), (2, 3)),
    ((5, 4), (0, 1)),
    ((5, 4), (1, 0)),
    ((0, 1), (3, 2)),
    ((1, 0), (3, 2)),
)
