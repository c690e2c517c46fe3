"""Where vehicles can stand, and which stand there at a moment."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from sightline.planet.world.blocks import Blocks
from sightline.planet.world.contents import Material, ParkingSlots, plain
from sightline.planet.world.ground_raster import ELEVATION, WATER, GroundRaster
from sightline.planet.world.hashing import child_keys, many_units, number, units
from sightline.planet.world.sheet import Sheet
from sightline.planet.world.streets import Segments

_MATERIAL = plain(Material)

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_SLOT_M = 6.0
_MOST_SLOTS = 10
_OCCUPIED = 0.42


class VehicleKind(IntEnum):
    """The shape of a vehicle."""

    SMALL = 0
    SALOON = 1
    ESTATE = 2
    VAN = 3
    LORRY = 4


# By kind: half length, half width, height, metres.
_SIZES = np.array(
    [
        [1.85, 0.83, 1.48],
        [2.25, 0.89, 1.45],
        [2.30, 0.92, 1.68],
        [2.60, 0.98, 2.15],
        [3.60, 1.12, 2.90],
    ],
    np.float32,
)
_PAINTS = np.array(
    [
        [0.86, 0.86, 0.87],
        [0.88, 0.88, 0.86],
        [0.10, 0.10, 0.11],
        [0.16, 0.17, 0.18],
        [0.42, 0.43, 0.45],
        [0.62, 0.63, 0.65],
        [0.50, 0.09, 0.09],
        [0.12, 0.20, 0.42],
        [0.22, 0.28, 0.24],
        [0.70, 0.62, 0.46],
        [0.32, 0.20, 0.14],
        [0.24, 0.42, 0.58],
    ],
    np.float32,
)


@dataclass(frozen=True)
class Vehicles:
    """Vehicles that stand somewhere.

    Args:
        position: (n, 2) metres.
        base_m: (n,) elevation of the ground.
        axis: (n, 2) unit vector, forwards.
        colour: (n, 3) in [0, 1].
        half_length: (n,) metres.
        half_width: (n,).
        height: (n,).
        kind: (n,) int8 :class:`VehicleKind`.
        key: (n,) uint32.
    """

    position: Float64
    base_m: Float32
    axis: Float64
    colour: Float32
    half_length: Float32
    half_width: Float32
    height: Float32
    kind: NDArray[np.int8]
    key: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.key)


def parked(slots: ParkingSlots, moment_key: int, occupied: float = _OCCUPIED) -> Vehicles:
    """Return the vehicles that stand in slots at a moment.

    Args:
        slots: Of a neighbourhood.
        moment_key: Names the moment; another moment has other vehicles.
        occupied: Share of slots that are taken.
    """
    salt = number(moment_key, 331)
    here = slots.key ^ np.uint32(salt)
    chosen = np.flatnonzero(units(here, 1) < np.float32(occupied))
    key = here[chosen]
    draws = many_units(key, 5, first=2)
    bounds = np.array([0.26, 0.58, 0.84, 0.96], np.float32)
    kind = np.count_nonzero(draws[0][:, None] >= bounds, axis=1).astype(np.int8)
    size = _SIZES[kind] * (np.float32(0.95) + np.float32(0.1) * draws[1])[:, None]
    paint = np.minimum((draws[2] * len(_PAINTS)).astype(np.int64), len(_PAINTS) - 1)
    colour = _PAINTS[paint] * (np.float32(0.85) + np.float32(0.2) * draws[3])[:, None]
    backwards = (draws[4] < 0.12)[:, None]
    axis = slots.axis[chosen]
    return Vehicles(
        slots.position[chosen],
        slots.base_m[chosen],
        np.where(backwards, -axis, axis),
        np.minimum(colour, np.float32(1.0)),
        size[:, 0],
        size[:, 1],
        size[:, 2],
        kind,
        key,
    )


def slots_of(
    sheet: Sheet,
    blocks: Blocks,
    segments: Segments,
    yards: ParkingSlots,
    ground: GroundRaster,
    reach_m: float,
) -> ParkingSlots:
    """Return the parking slots of a sheet: along kerbs, in car parks and in yards."""
    slots = ParkingSlots.join([_kerb_slots(sheet, segments), _park_slots(sheet, blocks), yards])
    inside = (np.abs(slots.position) < np.float32(reach_m)).all(axis=1)
    slots = slots.rows(np.flatnonzero(inside))
    x, y = slots.position[:, 0], slots.position[:, 1]
    water, elevation = ground.sample_some((WATER, ELEVATION), x, y)
    dry = np.flatnonzero(water > 2.0)
    return ParkingSlots(slots.position, elevation, slots.axis, slots.key).rows(dry)


def _kerb_slots(sheet: Sheet, segments: Segments) -> ParkingSlots:
    chosen = np.flatnonzero(segments.paved & (segments.half_width > 2.4))
    row, column = segments.row[chosen], segments.column[chosen]
    start, delta = segments.start[chosen], segments.end[chosen] - segments.start[chosen]
    length = np.sqrt(delta[:, 0] * delta[:, 0] + delta[:, 1] * delta[:, 1])
    along = delta / length[:, None]
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    inset = np.float32(13.0)
    count = np.clip(np.floor((length - 2 * inset) / np.float32(_SLOT_M)), 0, _MOST_SLOTS)
    side_key = child_keys(segments.key[chosen][:, None], np.arange(2)[None] + 70)
    allowed = units(side_key, 1) < sheet.column("parking")[row, column][:, None]
    slot = np.arange(2 * _MOST_SLOTS)
    usable = (slot[None] >> 1) < count[:, None]
    usable &= np.where(slot[None] & 1, allowed[:, 1:], allowed[:, :1])
    which, place = np.nonzero(usable)
    key = child_keys(segments.key[chosen][which], place + 80)
    nudge = (units(key, 2) - np.float32(0.5)) * np.float32(0.7)
    distance = (
        inset + ((place >> 1) + np.float32(0.5)).astype(np.float32) * np.float32(_SLOT_M) + nudge
    )
    left = (place & 1) == 1
    # On narrow streets cars stand with two wheels on the pavement.
    inside = np.minimum(segments.half_width[chosen] - np.float32(1.15), np.float32(20.0))
    inside = np.maximum(inside, np.float32(1.9))[which]
    out = np.where(left, inside, -inside) + (units(key, 3) - np.float32(0.5)) * np.float32(0.25)
    position = start[which] + along[which] * distance[:, None] + across[which] * out[:, None]
    drives_left = sheet.column("drives_left")[row, column][which] > 0.5
    forwards = np.where(left == drives_left, np.float32(1.0), np.float32(-1.0))
    return ParkingSlots(
        position,
        np.zeros(len(key), np.float32),
        along[which] * forwards[:, None],
        key,
    )


_ROWS = (0.20, 0.36, 0.64, 0.80)
_COLUMNS = 16


def _park_slots(sheet: Sheet, blocks: Blocks) -> ParkingSlots:
    """Four rows of slots in a cell that is a car park, with two aisles between them."""
    row, column = np.nonzero(blocks.material[:-1, :-1] == _MATERIAL.PARKING)
    count = len(_ROWS) * _COLUMNS
    place = np.tile(np.arange(count), len(row))
    row, column = np.repeat(row, count), np.repeat(column, count)
    a = (np.float32(0.16) + np.float32(0.68) * ((place % _COLUMNS) + np.float32(0.5)) / _COLUMNS)[
        :, None
    ]
    b = np.array(_ROWS, np.float32)[place // _COLUMNS][:, None]
    corner = sheet.metres
    low = corner[row, column] + (corner[row + 1, column] - corner[row, column]) * a
    up = corner[row, column + 1] + (corner[row + 1, column + 1] - corner[row, column + 1]) * a
    axis = up - low
    length = np.sqrt(axis[:, 0] * axis[:, 0] + axis[:, 1] * axis[:, 1])
    return ParkingSlots(
        low + axis * b,
        np.zeros(len(row), np.float32),
        axis / length[:, None],
        child_keys(sheet.key[row, column], place + 3000),
    )
