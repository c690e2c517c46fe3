"""Generates a neighbourhood: sheets, streets, blocks, buildings, ground, and what stands on it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sightline.planet.world.blocks import Blocks, blocks_of, path_segments
from sightline.planet.world.buildings import CellOf, buildings_of, grounded, on_ground
from sightline.planet.world.contents import (
    Buildings,
    Cells,
    Furniture,
    Material,
    ParkingSlots,
    Plants,
    Streets,
)
from sightline.planet.world.countries import Countries, CountryStyle
from sightline.planet.world.furniture import furniture_of
from sightline.planet.world.gardens import drive_slots
from sightline.planet.world.globe import Climate, Globe
from sightline.planet.world.ground_fields import ground_raster
from sightline.planet.world.ground_raster import GroundRaster
from sightline.planet.world.interiors import court_slots, courts_of
from sightline.planet.world.lattice import Frame, latlng_of
from sightline.planet.world.lots import lots_of
from sightline.planet.world.neighbourhood import Neighbourhood
from sightline.planet.world.plants import plants_of
from sightline.planet.world.settlements import Settlements
from sightline.planet.world.sheet import Sheet, Surveyor
from sightline.planet.world.streets import Segments, edges_of, segments_of
from sightline.planet.world.vehicles import slots_of

_TABLE_PERIOD = 64
"""Other faces' cells are called what they are called at home, modulo this: textures agree."""
_MARGIN_M = 12.0


class World:
    """What stands where on one planet.

    Args:
        seed: The planet's seed.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.globe = Globe(seed)
        self.countries = Countries(seed)
        self.settlements = Settlements(seed, self.globe)
        self._surveyor = Surveyor(seed, self.globe, self.countries, self.settlements)

    def neighbourhood(self, face: int, a: float, b: float, reach_m: float) -> Neighbourhood:
        """Generate everything within reach of a lattice point."""
        frame = Frame.at(face, a, b)
        sheets = self._surveyor.sheets(frame, reach_m + _MARGIN_M)
        parts = [_Part(sheet, self.seed, reach_m) for sheet in sheets]
        starts = _table_starts(sheets)
        # Of two things that are as near or as high the first wins: in every window the same one.
        by_face = sorted(range(len(sheets)), key=lambda number: sheets[number].face)
        segments = Segments.join([parts[number].segments for number in by_face])
        ground = ground_raster(frame, reach_m, sheets, segments, starts)
        styles, style_rows = _merged([sheet.styles for sheet in sheets])
        climates, climate_rows = _climates(sheets)
        finished = [part.finish(ground, reach_m) for part in parts]
        objects = [
            _renumbered(part, rows, climate_rows)
            for part, rows in zip(finished, style_rows, strict=True)
        ]
        cells = _cells(sheets, [part.blocks for part in parts], starts, style_rows, climate_rows)
        place = latlng_of(face, a, b)[0]
        buildings, plants, furniture, slots = zip(*(objects[n] for n in by_face), strict=True)
        return Neighbourhood(
            face,
            a,
            b,
            (float(place[0]), float(place[1])),
            reach_m,
            self.seed,
            styles,
            climates,
            ground,
            cells,
            Buildings.join(list(buildings)),
            Plants.join(list(plants)),
            Furniture.join(list(furniture)),
            ParkingSlots.join(list(slots)),
            _streets(segments, reach_m),
        )


Objects = tuple[Buildings, Plants, Furniture, ParkingSlots]


class _Part:
    """One sheet with what is built on it."""

    def __init__(self, sheet: Sheet, seed: int, reach_m: float) -> None:
        self.sheet = sheet
        self._near = sheet.near(reach_m)
        edges = edges_of(sheet, seed)
        self.blocks = blocks_of(sheet, edges, seed)
        self.streets = segments_of(sheet, edges).near(reach_m)
        # The street along a cube edge comes from one of its two faces only.
        self.streets = self.streets.rows(np.flatnonzero(self.streets.owned))
        self.segments = Segments.join(
            [self.streets, path_segments(sheet, self.blocks).near(reach_m)]
        )
        lots = lots_of(sheet, edges, self.blocks, self._near)
        courts = courts_of(sheet, self.blocks, self._near)
        self._yard_slots = ParkingSlots.join([court_slots(courts), drive_slots(lots)])
        self._buildings, self._cell_of = buildings_of(sheet, self.blocks, lots, courts)

    def finish(self, ground: GroundRaster, reach_m: float) -> Objects:
        """Set everything on the ground; styles and climates are still the sheet's."""
        chosen = grounded(self._buildings, ground, reach_m)
        buildings = on_ground(self._buildings.rows(chosen), ground)
        cell_of = CellOf(self._cell_of.row[chosen], self._cell_of.column[chosen])
        plants = plants_of(
            self.sheet, self.blocks, self.streets, buildings, cell_of, ground, reach_m, self._near
        )
        furniture = furniture_of(self.sheet, self.streets, ground, reach_m)
        slots = slots_of(self.sheet, self.blocks, self.streets, self._yard_slots, ground, reach_m)
        return buildings, plants, furniture, slots


def _table_starts(sheets: list[Sheet]) -> list[tuple[int, int]]:
    """Lay the sheets' cells out in one table, each at a place of its own."""
    starts = [(0, 0)]
    first = sheets[0]
    row = first.i.shape[0]
    for sheet in sheets[1:]:
        row += (sheet.i0 - first.i0 - row) % _TABLE_PERIOD
        column = (sheet.j0 - first.j0) % _TABLE_PERIOD
        starts.append((row, column))
        row += sheet.i.shape[0]
    return starts


def _streets(segments: Segments, reach_m: float) -> Streets:
    low = np.minimum(segments.start, segments.end)
    high = np.maximum(segments.start, segments.end)
    near = (low < np.float32(reach_m)).all(axis=1) & (high > np.float32(-reach_m)).all(axis=1)
    chosen = segments.rows(np.flatnonzero(near))
    return Streets(
        chosen.start,
        chosen.end,
        chosen.half_width,
        chosen.paved,
        chosen.major,
        chosen.path,
        chosen.key,
    )


def _merged(
    lists: list[tuple[CountryStyle, ...]],
) -> tuple[tuple[CountryStyle, ...], list[NDArray[np.int16]]]:
    every = sorted({style for styles in lists for style in styles}, key=lambda style: style.key)
    row = {style.key: number for number, style in enumerate(every)}
    return tuple(every), [np.array([row[s.key] for s in styles], np.int16) for styles in lists]


def _climates(sheets: list[Sheet]) -> tuple[tuple[Climate, ...], dict[int, int]]:
    steps = sorted({step for sheet in sheets for step in np.unique(sheet.climate_step).tolist()})
    return tuple(Climate.of_step(step) for step in steps), {s: n for n, s in enumerate(steps)}


def _climate_rows(steps: NDArray[np.integer], rows: dict[int, int]) -> NDArray[np.int16]:
    known = np.array(list(rows), np.int64)
    return np.searchsorted(known, steps).astype(np.int16)


def _renumbered(
    objects: Objects, style_rows: NDArray[np.int16], climate_rows: dict[int, int]
) -> Objects:
    buildings, plants, furniture, slots = objects
    return (
        replace(buildings, style=style_rows[buildings.style]),
        replace(plants, climate=_climate_rows(plants.climate, climate_rows)),
        replace(furniture, style=style_rows[furniture.style]),
        slots,
    )


def _cells(
    sheets: list[Sheet],
    blocks: list[Blocks],
    starts: list[tuple[int, int]],
    style_rows: list[NDArray[np.int16]],
    climate_rows: dict[int, int],
) -> Cells:
    height = max(row + sheet.i.shape[0] for (row, _), sheet in zip(starts, sheets, strict=True))
    width = max(col + sheet.i.shape[1] for (_, col), sheet in zip(starts, sheets, strict=True))
    material = np.full((height, width), Material.FIELD, np.int8)
    tint = np.zeros((height, width), np.float32)
    density = np.zeros((height, width), np.float32)
    style = np.full((height, width), style_rows[0][sheets[0].style[0, 0]], np.int16)
    climate = np.full(
        (height, width), _climate_rows(sheets[0].climate_step[:1, :1], climate_rows)[0, 0], np.int16
    )
    for sheet, block, start, rows in zip(sheets, blocks, starts, style_rows, strict=True):
        m, n = sheet.i.shape
        here = (slice(start[0], start[0] + m), slice(start[1], start[1] + n))
        material[here], tint[here], density[here] = block.material, block.tint, sheet.density
        style[here] = rows[sheet.style]
        climate[here] = _climate_rows(sheet.climate_step, climate_rows)
    return Cells(sheets[0].i0, sheets[0].j0, material, tint, density, style, climate)
