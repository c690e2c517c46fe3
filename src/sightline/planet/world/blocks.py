"""What each cell of the lattice is used for: houses of some kind, a park, a field, a wood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.planet.world.contents import Material, Use, plain
from sightline.planet.world.hashing import KeyArray, number, place_keys, units
from sightline.planet.world.settlements import URBAN_DENSITY
from sightline.planet.world.sheet import Sheet
from sightline.planet.world.streets import Edges, Segments

_MATERIAL, _USE = plain(Material), plain(Use)

Float32 = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

# By biome: share of the country that is wood, and of the rest that nobody tills.
_WOODS = np.array([0.06, 0.62, 0.55, 0.36, 0.24, 0.02, 0.20, 0.60, 0.07], np.float32)
_WILD = np.array([0.95, 0.12, 0.12, 0.12, 0.12, 0.85, 0.50, 0.12, 0.60], np.float32)


@dataclass(frozen=True)
class Blocks:
    """The cells of a sheet, ``[i - i0, j - j0]`` by their lowest vertex.

    Args:
        use: (m, n) int8 :class:`Use` of the buildings, -1 where there are none.
        material: (m, n) int8 :class:`Material`.
        district: (m, n) float32 in [0, 1), one number for 4 x 4 cells.
        chance: (m, n) float32 in [0, 1), the cell's own.
        tint: (m, n) float32 in [0, 1).
        path: (m, n) int8: 0 no path inside, 1 and 2 from corner to corner, 3 and 4 a lane inwards
            from the street along a or b.
        landmark_cell: (n, 2) rows and columns of the sheet's landmarks.
    """

    use: NDArray[np.int8]
    material: NDArray[np.int8]
    district: Float32
    chance: Float32
    tint: Float32
    path: NDArray[np.int8]
    landmark_cell: NDArray[np.int64]


def blocks_of(sheet: Sheet, edges: tuple[Edges, Edges], seed: int) -> Blocks:
    """Decide what the cells of a sheet are used for."""
    layer = number(seed, 50, sheet.face)
    district = units(place_keys(layer, sheet.i >> 2, sheet.j >> 2), 1)
    pair = units(place_keys(layer + 1, sheet.i >> 1, sheet.j >> 1), 1)
    chance, second = units(sheet.key, 20), units(sheet.key, 21)
    wooded, wild = _WOODS[sheet.biome], _WILD[sheet.biome]
    urban = sheet.density > URBAN_DENSITY
    use = _uses(sheet, urban, district, chance)
    park = urban & (second < 0.065)
    park |= urban & ~_reached(edges) & (second < 0.6)
    use[park] = -1
    material = _materials(sheet, urban, use, second)
    material[park] = np.where(chance < 0.3, _MATERIAL.GARDEN, _MATERIAL.PARK)[park]
    wood = ~urban & (sheet.wood * 0.42 + 0.5 + 0.3 * (pair - 0.5) < wooded)
    material[wood] = _MATERIAL.FOREST
    material[~urban & ~wood & (district < wild)] = _MATERIAL.WILD
    material[~urban & (sheet.ruggedness > 1.35) & (material != _MATERIAL.FOREST)] = _MATERIAL.ROCK
    farm = ~urban & (material == _MATERIAL.FIELD) & (sheet.habitability > 0.08)
    use[farm & (chance < 0.10)] = _USE.FARM
    _flood(sheet, use, material)
    cells = np.stack([sheet.landmarks.i - sheet.i0, sheet.landmarks.j - sheet.j0], axis=1)
    use[cells[:, 0], cells[:, 1]] = _USE.LANDMARK
    material[cells[:, 0], cells[:, 1]] = np.where(
        sheet.landmarks.key % 3 > 0, _MATERIAL.PLAZA, _MATERIAL.PARK
    )
    parcel = units(place_keys(layer + 2, sheet.i >> 1, sheet.j >> 1), 2)
    tint = np.where(urban, units(sheet.key, 22), parcel)
    path = _paths(sheet, edges, use, material, chance)
    return Blocks(use, material, district, chance, tint, path, cells)


def _reached(edges: tuple[Edges, Edges]) -> BoolArray:
    """Say which cells have a street on one side at least."""
    reached = edges[0].kept | edges[1].kept
    reached[:-1] |= edges[1].kept[1:]
    reached[:, :-1] |= edges[0].kept[:, 1:]
    return reached


def _uses(sheet: Sheet, urban: BoolArray, district: Float32, chance: Float32) -> NDArray[np.int8]:
    """Denser means closer and taller; countries differ in how soon, districts in what."""
    rows = sheet.column("row_houses")
    dense = sheet.density + 0.25 * (district - 0.5)
    use = np.full(sheet.i.shape, -1, np.int8)
    use[urban] = _USE.DETACHED
    use[urban & (((dense > 0.32) & (rows > 0.35)) | (dense > 0.52))] = _USE.ROW
    use[urban & (rows <= 0.35) & (dense > 0.40) & (dense <= 0.55) & (chance > 0.5)] = _USE.APARTMENT
    use[urban & (dense > 0.58) & (chance > 0.42)] = _USE.APARTMENT
    use[urban & (dense > 0.95) & (chance > 0.62)] = _USE.TOWER
    use[urban & (district < 0.085) & (dense < 0.7)] = _USE.WAREHOUSE
    return use


def _materials(
    sheet: Sheet, urban: BoolArray, use: NDArray[np.int8], second: Float32
) -> NDArray[np.int8]:
    material = np.full(sheet.i.shape, _MATERIAL.FIELD, np.int8)
    built = np.where(second > 0.45, _MATERIAL.YARD, _MATERIAL.PAVED)
    built = np.where((use == _USE.APARTMENT) & (second < 0.40), _MATERIAL.GARDEN, built)
    by_use = np.where(use == _USE.DETACHED, _MATERIAL.LAWN, built)
    by_use = np.where((use == _USE.DETACHED) & (sheet.humidity < 0.3), _MATERIAL.YARD, by_use)
    by_use = np.where(use == _USE.WAREHOUSE, _MATERIAL.PAVED, by_use)
    parking = (second > 0.94) & (use != _USE.DETACHED)
    material[urban] = np.where(parking, _MATERIAL.PARKING, by_use)[urban]
    use[urban & parking] = -1
    return material


def _flood(sheet: Sheet, use: NDArray[np.int8], material: NDArray[np.int8]) -> None:
    """Nobody builds in water; beside a sea or lake lies sand."""
    wet = sheet.water < 4.0
    shore = wet.copy()
    shore[:-1] |= wet[1:]
    shore[:, :-1] |= wet[:, 1:]
    drowned = wet.copy()
    drowned[:-1, :-1] &= wet[1:, 1:]
    use[drowned] = -1
    open_ground = (material == _MATERIAL.FIELD) | (material == _MATERIAL.WILD)
    material[shore & open_ground] = _MATERIAL.SAND


def _paths(
    sheet: Sheet,
    edges: tuple[Edges, Edges],
    use: NDArray[np.int8],
    material: NDArray[np.int8],
    chance: Float32,
) -> NDArray[np.int8]:
    path = np.zeros(sheet.i.shape, np.int8)
    which = (1 + (units(sheet.key, 23) > 0.5)).astype(np.int8)
    path[material == _MATERIAL.PARK] = which[material == _MATERIAL.PARK]
    lane = np.where(edges[0].kept, 3, np.where(edges[1].kept, 4, 0)).astype(np.int8)
    inner = ((use == _USE.ROW) | (use == _USE.APARTMENT)) & (chance < 0.72) & (chance > 0.30)
    inner |= (use == _USE.FARM) | (use == _USE.WAREHOUSE)
    path[inner] = lane[inner]
    path[_near_water(sheet)] = 0
    return path


def _near_water(sheet: Sheet) -> BoolArray:
    near = sheet.water < 8.0
    near[:-1] |= near[1:]
    near[:, :-1] |= near[:, 1:]
    return near


def path_segments(sheet: Sheet, blocks: Blocks) -> Segments:
    """Return the paths and lanes inside cells as segments."""
    row, column = np.nonzero(blocks.path[:-1, :-1])
    kind = blocks.path[row, column]
    corner = sheet.metres
    low, right = corner[row, column], corner[row + 1, column]
    up, far = corner[row, column + 1], corner[row + 1, column + 1]
    half = np.float32(0.5)
    middle = (low + far + right + up) * np.float32(0.25)
    chosen = kind[:, None]
    start = np.where(chosen == 1, low, np.where(chosen == 2, right, (low + right) * half))
    start = np.where(chosen == 4, (low + up) * half, start)
    end = np.where(chosen == 1, far, np.where(chosen == 2, up, middle))
    width = np.where(kind <= 2, np.float32(1.3), np.float32(1.9)).astype(np.float32)
    no = np.zeros(len(row), bool)
    key: KeyArray = sheet.key[row, column] ^ np.uint32(0x5A5A5A5A)
    return Segments(start, end, width, no, no, ~no, ~no, row, column, key, ~no, ~no)
