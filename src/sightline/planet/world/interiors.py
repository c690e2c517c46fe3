"""The inside of blocks: workshops, halls, rows of garages, sheds, and courts where cars stand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.planet.world.blocks import Blocks
from sightline.planet.world.contents import (
    ALWAYS,
    NEVER,
    BoxKind,
    Buildings,
    Material,
    ParkingSlots,
    RoofKind,
    Use,
    plain,
)
from sightline.planet.world.hashing import KeyArray, child_keys, many_units
from sightline.planet.world.sheet import Sheet

_MATERIAL, _USE = plain(Material), plain(Use)
_BOX_KIND, _ROOF_KIND = plain(BoxKind), plain(RoofKind)

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
IntArray = NDArray[np.int64]

_YARDS = np.array([_MATERIAL.PAVED, _MATERIAL.YARD, _MATERIAL.GARDEN], np.int8)
_TARRED = np.array([0.44, 0.44, 0.45], np.float32)
_SLOT_STEPS_M = np.array([(n % 4 - 1.5) * 2.7 for n in range(8)], np.float32)
_SLOT_SIDES_M = np.array([2.9] * 4 + [-2.9] * 4, np.float32)


@dataclass(frozen=True)
class Courts:
    """The middles of cells whose houses leave room inside, with axes along the cell's sides.

    Args:
        row: (n,) cell.
        column: (n,).
        centre: (n, 2) metres.
        axis: (n, 2) unit vector, roughly along a.
        room: (n,) metres from the centre that are free.
        draws: (12, n) in [0, 1).
        key: (n,) uint32.
    """

    row: IntArray
    column: IntArray
    centre: Float64
    axis: Float64
    room: Float32
    draws: Float32
    key: KeyArray


def courts_of(sheet: Sheet, blocks: Blocks, near: NDArray[np.bool_]) -> Courts:
    """Find the cells (those ``near``) with room inside."""
    use, material = blocks.use[:-1, :-1], blocks.material[:-1, :-1]
    closed = (use == _USE.ROW) | (use == _USE.APARTMENT)
    closed &= (
        (material == _MATERIAL.PAVED)
        | (material == _MATERIAL.YARD)
        | (material == _MATERIAL.GARDEN)
    )
    row, column = np.nonzero(closed & near)
    corner = sheet.metres
    low, right = corner[row, column], corner[row + 1, column]
    up, far = corner[row, column + 1], corner[row + 1, column + 1]
    quarter = np.float32(0.25)
    side = (right - low) + (far - up)
    other = (up - low) + (far - right)
    length = _length(side)
    shorter = np.minimum(length, _length(other)) * np.float32(0.25)
    key = child_keys(sheet.key[row, column], 900)
    return Courts(
        row,
        column,
        (low + right + up + far) * quarter,
        side / length[:, None],
        # Half a cell less street, pavement, house and yard.
        np.maximum(shorter - 19.5, 2.0).astype(np.float32),
        many_units(key, 12),
        key,
    )


def court_buildings(sheet: Sheet, courts: Courts) -> tuple[Buildings, IntArray]:
    """Return the buildings inside blocks and the court of each."""
    draws, room = courts.draws, courts.room
    hall = np.flatnonzero((draws[0] < 0.22) & (room > 6.0))
    garages = np.flatnonzero((draws[0] >= 0.22) & (draws[0] < 0.48))
    sheds = np.flatnonzero((draws[0] >= 0.62) & (draws[0] < 0.85))
    table = [
        _rows(
            hall, 0.0, 0.0, room[hall] * 0.95, room[hall] * 0.62, 4.0 + 4.0 * draws[1][hall], 1.5
        ),
        _rows(garages, 0.0, room[garages] * 0.8, room[garages], 2.8, 2.5, 0.0),
        _rows(garages, 0.0, -room[garages] * 0.8, room[garages] * 0.7, 2.8, 2.5, 0.0),
    ]
    for number in range(4):
        x = np.float32(0.85 if number & 1 else -0.85) * room[sheds]
        y = np.float32(0.9 if number & 2 else -0.9) * room[sheds] * draws[2 + number][sheds]
        table.append(_rows(sheds, x, y, 1.7, 1.3, 2.1, 0.5))
    rows = np.concatenate(table)
    return _built(sheet, courts, rows), rows[:, 0].astype(np.int64)


def court_slots(courts: Courts) -> ParkingSlots:
    """Return the parking slots in courts with a lane or garages: two rows across the middle."""
    used = np.flatnonzero(
        ((courts.draws[0] >= 0.22) & (courts.draws[0] < 0.62))
        & (courts.room > np.where(courts.draws[0] < 0.48, np.float32(10.3), np.float32(5.0)))
    )
    across = np.stack([-courts.axis[used, 1], courts.axis[used, 0]], axis=1)
    slot, court = np.nonzero(courts.draws[3:11, used] < 0.75)
    step, side = _SLOT_STEPS_M.take(slot)[:, None], _SLOT_SIDES_M.take(slot)[:, None]
    here, away = used[court], across[court]
    return ParkingSlots(
        courts.centre[here] + courts.axis[here] * step + away * side,
        np.zeros(len(court), np.float32),
        np.where(side > 0, away, -away),
        child_keys(courts.key[here], 20 + slot),
    )


def _length(vectors: Float64) -> Float64:
    length: Float64 = np.sqrt(vectors[:, 0] * vectors[:, 0] + vectors[:, 1] * vectors[:, 1])
    return length


def _rows(
    court: IntArray,
    along: Float32 | float,
    across: Float32 | float,
    half_length: Float32 | float,
    half_width: Float32 | float,
    eave: Float32 | float,
    rise: float,
) -> Float32:
    """Return one row per box: court, along, across, half length, half width, eave, rise."""
    table = np.empty((len(court), 7), np.float32)
    table[:, 0] = court
    for column, value in enumerate((along, across, half_length, half_width, eave, rise), start=1):
        table[:, column] = value
    return table


def _built(sheet: Sheet, courts: Courts, rows: Float32) -> Buildings:
    court = rows[:, 0].astype(np.int64)
    axis = courts.axis[court]
    across = np.stack([-axis[:, 1], axis[:, 0]], axis=1)
    count = len(rows)
    style = sheet.style[courts.row[court], courts.column[court]]
    walls = np.array([s.walls for s in sheet.styles], np.float32)
    roofs = np.array([s.roofs for s in sheet.styles], np.float32)
    shade = (np.float32(0.72) + np.float32(0.3) * courts.draws[10][court])[:, None]
    flat = rows[:, 6] == 0.0
    small = rows[:, 3] < 2.0
    swapped = rows[:, 4] > rows[:, 3]
    return Buildings(
        centre=courts.centre[court] + axis * rows[:, 1:2] + across * rows[:, 2:3],
        axis=np.where(swapped[:, None], across, axis),
        half_length=np.maximum(rows[:, 3], rows[:, 4]),
        half_width=np.minimum(rows[:, 3], rows[:, 4]),
        base_m=np.zeros(count, np.float32),
        eave_m=rows[:, 5],
        rise_m=rows[:, 6],
        roof=np.where(flat, _ROOF_KIND.FLAT, _ROOF_KIND.GABLE).astype(np.int8),
        kind=np.where(small, _BOX_KIND.SHED, _BOX_KIND.BUILDING).astype(np.int8),
        use=np.where(small, _USE.OUTBUILDING, _USE.WAREHOUSE).astype(np.int8),
        wall=np.minimum(walls[style, 3] * shade, np.float32(1.0)),
        roof_colour=np.where(flat[:, None], _TARRED * shade, roofs[style, 1] * shade),
        phase=courts.draws[11][court],
        floor_m=np.full(count, 3.0, np.float32),
        bay_m=np.full(count, 3.0, np.float32),
        window_width=np.full(count, 0.4, np.float32),
        window_height=np.full(count, 0.4, np.float32),
        style=style.astype(np.int16),
        house=courts.key[court],
        built_year=np.full(count, ALWAYS, np.int16),
        gone_year=np.full(count, NEVER, np.int16),
    )
