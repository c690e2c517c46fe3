"""Plants: woods, parks, gardens, hedgerows and trees along streets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sightline.planet.world.blocks import Blocks
from sightline.planet.world.buildings import CellOf
from sightline.planet.world.contents import (
    ALWAYS,
    BoxKind,
    Buildings,
    Material,
    Plants,
    Species,
    Use,
    plain,
)
from sightline.planet.world.globe import Biome
from sightline.planet.world.ground_raster import ELEVATION, ROAD_EDGE, WATER, GroundRaster
from sightline.planet.world.hashing import child_keys, many_units, units
from sightline.planet.world.sheet import Sheet
from sightline.planet.world.streets import Segments

_MATERIAL, _PLANT, _BIOME = plain(Material), plain(Species), plain(Biome)
_BOX_KIND, _USE = plain(BoxKind), plain(Use)

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

_GRID = 6  # places for plants in a cell: six by six, each moved at random

# How many of a cell's 36 places have a plant, by material.
_COUNT = np.zeros(len(Material), np.float32)
for _material, _count in (
    (_MATERIAL.LAWN, 15.0),
    (_MATERIAL.PAVED, 4.0),
    (_MATERIAL.PARK, 24.0),
    (_MATERIAL.FOREST, 34.0),
    (_MATERIAL.PARKING, 4.0),
    (_MATERIAL.WILD, 9.0),
    (_MATERIAL.YARD, 9.0),
    (_MATERIAL.SAND, 1.5),
    (_MATERIAL.ROCK, 4.0),
    (_MATERIAL.GARDEN, 17.0),
    (_MATERIAL.PLAZA, 5.0),
):
    _COUNT[_material] = _count

# Per biome: three species of the country, one of gardens, and the size of trees.
_B, _C, _S, _P, _A, _Y, _O = (
    _PLANT.BROADLEAF,
    _PLANT.CONIFER,
    _PLANT.SHRUB,
    _PLANT.PALM,
    _PLANT.SAVANNA,
    _PLANT.CYPRESS,
    _PLANT.POPLAR,
)
_SPECIES = np.array(
    [
        [_S, _C, _S, _C],
        [_C, _C, _B, _B],
        [_B, _C, _B, _O],
        [_B, _B, _O, _C],
        [_B, _Y, _A, _P],
        [_S, _S, _A, _P],
        [_A, _A, _S, _P],
        [_B, _P, _B, _P],
        [_S, _O, _B, _O],
    ],
    np.int8,
)
_SIZE = np.array([0.55, 1.0, 1.0, 1.0, 0.8, 0.6, 0.78, 1.15, 0.7], np.float32)
_TREES = np.array([0.35, 0.85, 0.8, 0.65, 0.45, 0.12, 0.35, 0.85, 0.3], np.float32)
# By species: crown radius over height, and height over that of a broad-leaved tree.
_SPREAD = np.array([0.37, 0.20, 0.46, 0.24, 0.50, 0.13, 0.17], np.float32)
_TALL = np.array([1.0, 1.25, 0.26, 1.05, 0.72, 1.0, 1.35], np.float32)
_CLEAR_M = np.float32(1.2)


def plants_of(
    sheet: Sheet,
    blocks: Blocks,
    segments: Segments,
    buildings: Buildings,
    cell_of: CellOf,
    ground: GroundRaster,
    reach_m: float,
    near: BoolArray,
) -> Plants:
    """Return the plants of a sheet (its cells ``near``) within reach.

    Their ``climate`` is still the climate's step number.
    """
    row, column, spot, key = _planted_cells(sheet, blocks, near)
    draws = many_units(key, 5)
    position = _position(sheet, blocks, row, column, spot, draws)
    inside = (np.abs(position) < np.float32(reach_m)).all(axis=1)
    row, column, key, position = row[inside], column[inside], key[inside], position[inside]
    draws = draws[:, inside]
    clear = ground.sample_one(ROAD_EDGE, position[:, 0], position[:, 1]) > np.float32(2.4)
    free = np.flatnonzero(clear)
    free = free[~_in_building(position[free], row[free], column[free], buildings, cell_of, sheet)]
    in_cells = _grown(
        sheet, blocks, row[free], column[free], key[free], position[free], draws[:, free]
    )
    plants = Plants.join([in_cells, _street_trees(sheet, segments, reach_m)])
    x, y = plants.position[:, 0], plants.position[:, 1]
    water, edge, elevation = ground.sample_some((WATER, ROAD_EDGE, ELEVATION), x, y)
    dry = (water > np.float32(1.5)) & (edge > np.float32(0.3))
    return replace(plants, base_m=elevation).rows(np.flatnonzero(dry))


def _planted_cells(
    sheet: Sheet, blocks: Blocks, near: BoolArray
) -> tuple[IntArray, IntArray, IntArray, NDArray[np.uint32]]:
    """Choose which of the places of all cells have a plant."""
    inner = (slice(0, -1), slice(0, -1))
    material = blocks.material[inner]
    biome = sheet.biome[inner]
    trees = _TREES[biome]
    count = _COUNT[material]
    gardens = (
        (material == _MATERIAL.LAWN) | (material == _MATERIAL.YARD) | (material == _MATERIAL.GARDEN)
    )
    count = count * np.where(gardens, sheet.column("greenery")[inner], np.float32(1.0))
    share = np.where(material == _MATERIAL.FOREST, 0.55 + 0.45 * trees, 0.25 + 0.9 * trees)
    share = np.where(material == _MATERIAL.WILD, 0.3 + 1.6 * trees, share)
    hedgerow = (material == _MATERIAL.FIELD) & (units(sheet.key[inner], 70) < trees * 0.8)
    chance = np.where(hedgerow, np.float32(10.0), count * share) / np.float32(_GRID * _GRID)
    row, column = np.nonzero((chance > 0.0) & near)
    spots = np.arange(_GRID * _GRID)
    key = child_keys(sheet.key[row, column][:, None], spots[None] + 1000)
    cell, spot = np.nonzero(units(key, 9) < chance[row, column][:, None])
    return row[cell], column[cell], spot, key[cell, spot]


def _position(
    sheet: Sheet, blocks: Blocks, row: IntArray, column: IntArray, spot: IntArray, draws: Float32
) -> Float64:
    a = ((spot % _GRID) + draws[0]) / np.float32(_GRID)
    b = ((spot // _GRID) + draws[1]) / np.float32(_GRID)
    hedgerow = blocks.material[row, column] == _MATERIAL.FIELD
    # A hedgerow keeps to one border of its field.
    along_a = blocks.chance[row, column] < 0.5
    near = np.float32(0.03) + np.float32(0.03) * draws[2]
    a = np.where(hedgerow & ~along_a, near, a)[:, None].astype(np.float32)
    b = np.where(hedgerow & along_a, near, b)[:, None].astype(np.float32)
    corner = sheet.metres
    low = corner[row, column] + (corner[row + 1, column] - corner[row, column]) * a
    up = corner[row, column + 1] + (corner[row + 1, column + 1] - corner[row, column + 1]) * a
    position: Float64 = low + (up - low) * b
    return position


def _grown(
    sheet: Sheet,
    blocks: Blocks,
    row: IntArray,
    column: IntArray,
    key: NDArray[np.uint32],
    position: Float64,
    draws: Float32,
) -> Plants:
    biome = sheet.biome[row, column]
    exotic = (draws[3] < sheet.column("exotic_trees")[row, column]) & (blocks.use[row, column] >= 0)
    kind = np.where(exotic, 3, np.minimum((draws[4] * np.float32(3.0)).astype(np.int64), 2))
    species = _SPECIES[biome, kind]
    garden = blocks.use[row, column] == _USE.DETACHED
    species = np.where(garden & (draws[2] < 0.3), _PLANT.SHRUB, species)
    return _plants(sheet, row, column, key, position, species.astype(np.int8), draws[3], draws[0])


def _plants(
    sheet: Sheet,
    row: IntArray,
    column: IntArray,
    key: NDArray[np.uint32],
    position: Float64,
    species: NDArray[np.int8],
    size: Float32,
    tint: Float32,
) -> Plants:
    biome_size = _SIZE[sheet.biome[row, column]]
    height = (
        (np.float32(5.0) + np.float32(9.0) * size * np.sqrt(size)) * biome_size * _TALL[species]
    )
    age = units(key, 11)
    young = np.floor(age * np.float32(1000.0)).astype(np.int16)
    planted = np.where(age < 0.12, 1990 + young // 3, ALWAYS).astype(np.int16)
    return Plants(
        position=position,
        base_m=np.zeros(len(key), np.float32),
        height_m=height.astype(np.float32),
        radius_m=(height * _SPREAD[species]).astype(np.float32),
        species=species,
        tint=tint.astype(np.float32),
        climate=sheet.climate_step[row, column].astype(np.int16),
        key=key,
        planted_year=planted,
    )


def _street_trees(sheet: Sheet, segments: Segments, reach_m: float) -> Plants:
    """A street either has trees on a side or not; they stand at even distances."""
    chosen = np.flatnonzero(segments.paved)
    row, column = segments.row[chosen], segments.column[chosen]
    share = sheet.column("street_trees")[row, column] * np.where(
        (sheet.biome[row, column] == _BIOME.TUNDRA) | (sheet.biome[row, column] == _BIOME.DESERT),
        np.float32(0.2),
        np.float32(1.0),
    )
    share = share * (units(segments.key[chosen], 5) < 0.7)
    start, end = segments.start[chosen], segments.end[chosen]
    delta = end - start
    length = np.sqrt(delta[:, 0] * delta[:, 0] + delta[:, 1] * delta[:, 1])
    along = delta / length[:, None]
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    number = 6
    key = child_keys(segments.key[chosen][:, None], np.arange(2 * number)[None] + 20)
    which, place = np.nonzero(units(key, 6) < share[:, None])
    place_along = ((place >> 1) + np.float32(0.5)) / np.float32(number)
    side = np.where(place & 1, np.float32(1.0), np.float32(-1.0))
    pavement = sheet.column("pavement_width_m")[row, column]
    out = side * (segments.half_width[chosen] + pavement * np.float32(0.5))[which]
    inset = np.float32(9.0)
    distance = inset + (length[which] - 2 * inset) * place_along.astype(np.float32)
    position = start[which] + along[which] * distance[:, None] + across[which] * out[:, None]
    near = (np.abs(position) < np.float32(reach_m)).all(axis=1)
    which, place, position = which[near], place[near], position[near]
    found = key[which, place]
    kind = (segments.key[chosen][which] % np.uint32(3)).astype(np.int64)
    species = _SPECIES[sheet.biome[row, column][which], kind]
    species = np.where(species == _PLANT.SHRUB, _PLANT.BROADLEAF, species).astype(np.int8)
    draws = many_units(found, 2)
    return _plants(
        sheet,
        row[which],
        column[which],
        found,
        position,
        species,
        draws[0] * np.float32(0.6),
        draws[1],
    )


def _in_building(
    position: Float64,
    row: IntArray,
    column: IntArray,
    buildings: Buildings,
    cell_of: CellOf,
    sheet: Sheet,
) -> BoolArray:
    """Test plants against the boxes of their own cell."""
    width = sheet.i.shape[1]
    solid = np.flatnonzero(
        (buildings.kind == _BOX_KIND.BUILDING) | (buildings.kind == _BOX_KIND.SHED)
    )
    cell = cell_of.row[solid] * width + cell_of.column[solid]
    order = np.argsort(cell, kind="stable")
    solid, cell = solid[order], cell[order]
    here = row * width + column
    first = np.searchsorted(cell, here, side="left")
    count = np.searchsorted(cell, here, side="right") - first
    plant = np.repeat(np.arange(len(here)), count)
    box = solid[
        np.repeat(first, count) + np.arange(len(plant)) - np.repeat(np.cumsum(count) - count, count)
    ]
    offset = position[plant] - buildings.centre[box]
    axis = buildings.axis[box]
    along = np.abs(offset[:, 0] * axis[:, 0] + offset[:, 1] * axis[:, 1])
    across = np.abs(offset[:, 1] * axis[:, 0] - offset[:, 0] * axis[:, 1])
    hit = (along < buildings.half_length[box] + _CLEAR_M) & (
        across < buildings.half_width[box] + _CLEAR_M
    )
    blocked = np.zeros(len(here), bool)
    blocked[plant[hit]] = True
    return blocked
