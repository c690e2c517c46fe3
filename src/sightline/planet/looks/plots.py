"""The materials of a window's ground, as tables with one row per plot of sixteen metres.

A cell of the lattice is 4 x 4 plots. A plot's material comes from its cell; its shade, what grows
or lies there and how rough it looks come from hashes of its own number on the lattice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sightline.planet.looks import noise
from sightline.planet.looks.moment import Moment
from sightline.planet.looks.palette import Palette, palette
from sightline.planet.world.contents import Material
from sightline.planet.world.ground_raster import LATTICE_A, LATTICE_B

if TYPE_CHECKING:
    from sightline.planet.world.countries import CountryStyle
    from sightline.planet.world.neighbourhood import Neighbourhood

Floats = NDArray[np.float32]

PLOTS = 4
"""Plots along each side of a cell."""

VARIANTS = 6
_MATERIALS = len(Material)
_PERIOD = 64 * PLOTS - 1
_PLOT_SALT, _FIELD_SALT = 7101, 7102

# material: grain, blotches, how much snow stays.
_TEXTURE = {
    Material.LAWN: (0.13, 0.10, 0.95),
    Material.PAVED: (0.06, 0.06, 0.70),
    Material.PARK: (0.14, 0.13, 0.95),
    Material.FOREST: (0.30, 0.22, 0.80),
    Material.FIELD: (0.12, 0.10, 0.95),
    Material.PARKING: (0.06, 0.07, 0.60),
    Material.WILD: (0.24, 0.26, 0.92),
    Material.YARD: (0.10, 0.10, 0.80),
    Material.SAND: (0.09, 0.12, 0.90),
    Material.ROCK: (0.26, 0.24, 0.75),
    Material.GARDEN: (0.22, 0.14, 0.90),
    Material.PLAZA: (0.05, 0.04, 0.45),
}


_NATURAL, _BY_PARCEL = np.zeros((2, _MATERIALS), np.bool_)
_NATURAL[[Material.FIELD, Material.WILD, Material.FOREST]] = True
_BY_PARCEL[[Material.FIELD, Material.PARKING, Material.PLAZA]] = True


@dataclass(frozen=True)
class PlotGrid:
    """What does not change with time; arrays are flat, first lattice axis first.

    Attributes:
        shape: Plots along both lattice axes.
        material: int8 (plots,).
        variant: int8 (plots,), which of a material's colours.
        look: intp (plots,), the same among all styles, climates and materials.
        shade: float32 (plots,), lightness, about 1.
        chance: float32 (plots,), a hash in [0, 1).
        parcel: float32 (plots,), the cell's tint.
        style: intp (plots,).
        climate: intp (plots,).
        density: float32 (plots,).
        quay: float32 (plots,), 1 where water is bordered by stone.
        grain: float32 (plots,), how strongly fine noise shows.
        blotch: float32 (plots,), how strongly smooth noise shows.
        snow: float32 (plots,), how much snow stays.
        present: The materials that occur.
    """

    shape: tuple[int, int]
    material: NDArray[np.int8]
    variant: NDArray[np.int8]
    look: NDArray[np.intp]
    shade: Floats
    chance: Floats
    parcel: Floats
    style: NDArray[np.intp]
    climate: NDArray[np.intp]
    density: Floats
    quay: Floats
    grain: Floats
    blotch: Floats
    snow: Floats
    present: frozenset[int]


@dataclass(frozen=True)
class PlotTable:
    """Colours and textures of the plots at one moment.

    Attributes:
        shape: Plots along both lattice axes.
        grid: What does not change.
        palette: Colours of nature, per climate.
        colour: float32 (3, plots).
        water: float32 (3, plots).
        bank: float32 (3, plots).
    """

    shape: tuple[int, int]
    grid: PlotGrid
    palette: Palette
    colour: Floats
    water: Floats
    bank: Floats


def plot_table(neighbourhood: Neighbourhood, moment: Moment) -> PlotTable:
    """Return the plots' colours at a moment; the last moment's table is kept.

    Args:
        neighbourhood: Whose cells.
        moment: Season and weather.
    """
    kept: dict[str, object] = neighbourhood.__dict__
    last = kept.get("_plot_table")
    if isinstance(last, PlotTable) and last.palette.moment == moment:
        return last
    grid = kept.get("_plot_grid")
    if not isinstance(grid, PlotGrid):
        grid = _grid(neighbourhood)
        kept["_plot_grid"] = grid
    table = _table(neighbourhood, grid, moment)
    kept["_plot_table"] = table
    return table


def climate_at(neighbourhood: Neighbourhood, points: Floats) -> NDArray[np.intp]:
    """Return the row of ``neighbourhood.climates`` at points (n, 2), from their cells."""
    if len(neighbourhood.climates) == 1:
        return np.zeros(len(points), dtype=np.intp)
    ground, table = neighbourhood.ground, neighbourhood.cells.climate
    east, north = points[:, 0].copy(), points[:, 1].copy()
    first = ground.sample_one(LATTICE_A, east, north).astype(np.intp)
    second = ground.sample_one(LATTICE_B, east, north).astype(np.intp)
    np.clip(first, 0, table.shape[0] - 1, out=first)
    np.clip(second, 0, table.shape[1] - 1, out=second)
    return table[first, second].astype(np.intp)


def _grid(neighbourhood: Neighbourhood) -> PlotGrid:
    cells = neighbourhood.cells
    rows, columns = cells.material.shape

    def spread(per_cell: NDArray[np.generic]) -> NDArray[np.generic]:
        return np.repeat(np.repeat(per_cell, PLOTS, axis=0), PLOTS, axis=1).ravel()

    # Cells of another face are called what they are called at home modulo 64, beyond a cube edge.
    first = ((np.arange(rows * PLOTS) + cells.i0 * PLOTS) & _PERIOD)[:, None]
    second = ((np.arange(columns * PLOTS) + cells.j0 * PLOTS) & _PERIOD)[None, :]
    salt = _PLOT_SALT + neighbourhood.seed * 16
    chance = noise.fraction(first, second, salt).ravel()
    material = spread(cells.material).astype(np.int8)
    parcel = spread(cells.tint).astype(np.float32)
    style, climate = spread(cells.style).astype(np.int16), spread(cells.climate).astype(np.int16)
    density = spread(cells.density).astype(np.float32)
    variant = _variants(material, chance, parcel, first, second)
    look = style.astype(np.intp) * len(neighbourhood.climates) + climate
    look = (look * _MATERIALS + material) * VARIANTS + variant
    natural = _NATURAL.take(material)
    own = np.float32(0.90) + np.float32(0.20) * chance
    shared = np.float32(0.94) + np.float32(0.12) * parcel
    texture = np.array([_TEXTURE[Material(each)] for each in range(_MATERIALS)], dtype=np.float32)
    grain, blotch, snow = np.ascontiguousarray(texture.T).take(material, axis=1)
    return PlotGrid(
        shape=(rows * PLOTS, columns * PLOTS),
        material=material,
        variant=variant,
        look=look,
        shade=np.where(natural, shared, own).astype(np.float32),
        chance=chance,
        parcel=parcel,
        style=style.astype(np.intp),
        climate=climate.astype(np.intp),
        density=density,
        quay=np.clip((density - np.float32(0.3)) * np.float32(8), 0, 1),
        grain=grain,
        blotch=blotch,
        snow=snow,
        present=frozenset(np.unique(cells.material).tolist()),
    )


def _variants(
    material: NDArray[np.int8],
    chance: Floats,
    parcel: Floats,
    first: NDArray[np.integer],
    second: NDArray[np.integer],
) -> NDArray[np.int8]:
    """Return each plot's variant: a field's from its parcel, some of them parted in two or four."""
    own = (chance * np.float32(VARIANTS)).astype(np.int8)
    whole = np.full(first.size * second.size, 0, dtype=np.int64)
    code = (parcel * np.float32(4096)).astype(np.int64)
    across = whole + np.broadcast_to(first >> 2, (first.size, second.size)).ravel()
    down = whole + np.broadcast_to(second >> 2, (first.size, second.size)).ravel()
    across = np.where(code % 3 == 0, across & 1, 0)
    down = np.where(code % 5 < 2, down & 1, 0)
    crop = noise.hashed(code * 4 + across * 2 + down, 0, _FIELD_SALT) % np.uint32(VARIANTS)
    by_parcel = _BY_PARCEL.take(material)
    return np.where(by_parcel, crop.astype(np.int8), own).astype(np.int8)


def _table(neighbourhood: Neighbourhood, grid: PlotGrid, moment: Moment) -> PlotTable:
    colours = palette(neighbourhood.climates, moment)
    looks = np.concatenate([_looks(colours, style, grid.present) for style in neighbourhood.styles])
    planes = np.ascontiguousarray(looks.T).take(grid.look, axis=1)
    planes *= grid.shade
    earth = colours.soil * np.float32(0.6) + colours.grass * np.float32(0.3)
    stone = np.array([style.pavement for style in neighbourhood.styles], dtype=np.float32)
    bank = np.ascontiguousarray(earth.T).take(grid.climate, axis=1)
    bank += (stone.T.take(grid.style, axis=1) * np.float32(0.85) - bank) * grid.quay
    return PlotTable(
        shape=grid.shape,
        grid=grid,
        palette=colours,
        colour=planes,
        water=np.ascontiguousarray(colours.water.T).take(grid.climate, axis=1),
        bank=bank,
    )


def _looks(colours: Palette, style: CountryStyle, present: frozenset[int]) -> Floats:
    """Return float32 (climates * materials * VARIANTS, 3): what each variant looks like."""
    damp = 1.0 - 0.25 * colours.moment.wetness
    shape = colours.grass.shape
    pave = np.broadcast_to(np.array(style.pavement, dtype=np.float32) * np.float32(damp), shape)
    tar = np.broadcast_to(np.array([1.02, 1.0, 0.98], np.float32) * (style.asphalt * damp), shape)
    looks = np.zeros((shape[0], _MATERIALS, VARIANTS, 3), dtype=np.float32)
    for material in present:
        for variant, look in enumerate(_look(Material(material), colours, pave, tar)):
            looks[:, material, variant] = look
    return looks.reshape(-1, 3)


def _look(material: Material, colours: Palette, pave: Floats, tar: Floats) -> list[Floats]:
    """Return a material's variants, each float32 (climates, 3)."""
    grass, soil = colours.grass, colours.soil
    gravel = soil * np.float32(0.4) + pave * np.float32(0.6)
    if material in (Material.FOREST, Material.PARK, Material.GARDEN):
        litter = colours.leaf * np.float32(0.45) + soil * np.float32(0.35)
        bed = soil * np.float32(0.75) + colours.leaf * np.float32(0.18)
        if material is Material.FOREST:
            return _shades(litter, 1.0, 0.9, 1.08, 0.96, 1.0, 0.86)
        if material is Material.PARK:
            return [*_shades(grass, 1.0, 0.96, 1.04, 0.92, 1.08), _mix(grass, litter)]
        return [grass, bed, _mix(grass, bed), grass * 0.95, bed * 1.1, gravel]
    if material is Material.FIELD:
        return [colours.crops[:, each] for each in range(VARIANTS)]
    if material is Material.WILD:
        scrub = grass * np.float32(0.6) + soil * np.float32(0.42)
        return [grass, scrub, _mix(grass, scrub), scrub * 0.94, _mix(scrub, soil), grass]
    if material is Material.ROCK:
        rock = colours.rock
        return [*_shades(rock, 1.0, 0.88, 1.08, 0.95), _mix(rock, grass), rock * 0.92]
    if material is Material.LAWN:
        return [*_shades(grass, 1.0, 0.92, 1.06, 0.97), _mix(grass, soil), grass * 1.1]
    if material is Material.YARD:
        base = _mix(gravel, pave)
        return [*_shades(base, 1.0, 0.94), _mix(base, tar), grass, _mix(grass, base), base * 1.04]
    if material is Material.PAVED:
        return [*_shades(pave, 1.0, 0.94, 0.97, 0.9), _mix(pave, tar), _mix(pave, gravel)]
    base, factors = {
        Material.PARKING: (tar, (1.0, 1.1, 1.2, 1.05, 1.15, 1.3)),
        Material.SAND: (colours.sand, (1.0, 0.96, 1.03, 0.98, 1.05, 0.93)),
        Material.PLAZA: (pave, (1.06, 1.0, 0.95, 1.1, 0.9, 1.03)),
    }[material]
    return _shades(base, *factors)


def _shades(colour: Floats, *factors: float) -> list[Floats]:
    return [colour * np.float32(factor) for factor in factors]


def _mix(first: Floats, second: Floats) -> Floats:
    return (first + second) * np.float32(0.5)
