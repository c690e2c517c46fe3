"""What stands beside streets: poles, lamps, signs, bollards, benches, hydrants and shelters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightline.planet.world.contents import Furniture, FurnitureKind, plain
from sightline.planet.world.countries import PoleKind
from sightline.planet.world.ground_raster import ELEVATION, WATER, GroundRaster
from sightline.planet.world.hashing import child_keys, units
from sightline.planet.world.sheet import Sheet
from sightline.planet.world.streets import Segments

_FURNITURE_KIND = plain(FurnitureKind)

Float32 = NDArray[np.float32]

_HEIGHT_M = np.array([7.8, 0.0, 2.6, 0.9, 0.85, 0.75, 2.5], np.float32)
# Places along a street: share of its length, side of it (left +1), metres from the kerb.
_PLACES: tuple[tuple[float, float, float], ...] = (
    (0.10, -1.0, 0.5),
    (0.30, 1.0, 0.5),
    (0.50, -1.0, 0.5),
    (0.70, 1.0, 0.5),
    (0.90, -1.0, 0.5),
)


def furniture_of(
    sheet: Sheet, segments: Segments, ground: GroundRaster, reach_m: float
) -> Furniture:
    """Return the furniture along the streets of a sheet, ``style`` in the sheet's styles."""
    chosen = np.arange(len(segments))
    row, column = segments.row[chosen], segments.column[chosen]
    start, delta = segments.start[chosen], segments.end[chosen] - segments.start[chosen]
    length = np.sqrt(delta[:, 0] * delta[:, 0] + delta[:, 1] * delta[:, 1])
    along = delta / length[:, None]
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    keys = child_keys(segments.key[chosen][:, None], np.arange(len(_PLACES))[None] + 50)
    chance = units(keys, 7)
    kind = _kinds(sheet, segments, chosen, chance, units(segments.key[chosen], 8))
    which, place = np.nonzero(kind >= 0)
    table = np.array(_PLACES, np.float32)[place]
    distance = np.float32(8.0) + (length[which] - np.float32(16.0)) * table[:, 0]
    out = table[:, 1] * (segments.half_width[chosen][which] + table[:, 2])
    position = start[which] + along[which] * distance[:, None] + across[which] * out[:, None]
    kind = kind[which, place].astype(np.int8)
    # The street lies to the right of the axis: turn it for what stands on the right-hand side.
    axis = np.where(table[:, 1:2] > 0, along[which], -along[which])
    lamp = sheet.column("lamp_height_m")[row, column][which]
    inside = (np.abs(position) < np.float32(reach_m)).all(axis=1)
    x = np.clip(position[:, 0], np.float32(-reach_m), np.float32(reach_m))
    y = np.clip(position[:, 1], np.float32(-reach_m), np.float32(reach_m))
    water, elevation = ground.sample_some((WATER, ELEVATION), x, y)
    inside &= water > 0.0
    height = np.where(kind == _FURNITURE_KIND.LAMP, lamp, _HEIGHT_M[kind])
    return Furniture(
        position,
        elevation,
        height.astype(np.float32),
        kind.astype(np.int8),
        axis,
        sheet.style[row, column][which].astype(np.int16),
        keys[which, place],
    ).rows(inside)


def _kinds(
    sheet: Sheet, segments: Segments, chosen: NDArray[np.intp], chance: Float32, street: Float32
) -> NDArray[np.int64]:
    """Decide what stands at each place, -1 for nothing."""
    row, column = segments.row[chosen], segments.column[chosen]
    pole = np.array([style.pole != PoleKind.NONE for style in sheet.styles])[
        sheet.style[row, column]
    ]
    paved, major = segments.paved[chosen], segments.major[chosen]
    kind = np.full(chance.shape, -1, np.int64)
    # Poles and lamps keep to one side of a street, which is the even places.
    poles = pole & (street < 0.75) & (paved | (major & (street < 0.5)))
    kind[:, 0::2] = np.where(poles[:, None], _FURNITURE_KIND.POLE, -1)
    lamps = paved & ~poles & (major | (street < 0.6))
    kind[:, 0::2] = np.where(lamps[:, None], _FURNITURE_KIND.LAMP, kind[:, 0::2])
    other = np.full((len(chosen), 2), -1, np.int64)
    odd = chance[:, 1::2]
    other[odd < 0.34] = _FURNITURE_KIND.SIGN
    other[(odd >= 0.34) & (odd < 0.40)] = _FURNITURE_KIND.HYDRANT
    other[(odd >= 0.40) & (odd < 0.48)] = _FURNITURE_KIND.BENCH
    other[(odd >= 0.48) & (odd < 0.56)] = _FURNITURE_KIND.BOLLARD
    other[(odd >= 0.56) & (odd < 0.64) & major[:, None]] = _FURNITURE_KIND.SHELTER
    rural = ~paved[:, None]
    other = np.where(rural & (other != _FURNITURE_KIND.SIGN), -1, other)
    kind[:, 1::2] = np.where(rural & ~major[:, None], -1, other)
    return kind
