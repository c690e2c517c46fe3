"""Gardens: fences and hedges around them, and drives where a car stands."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightline.planet.world.boxes import Collector
from sightline.planet.world.contents import BoxKind, ParkingSlots, RoofKind, Use, plain
from sightline.planet.world.hashing import child_keys, units
from sightline.planet.world.lots import Lots
from sightline.planet.world.styles import CountryStyle, FenceKind

_BOX_KIND, _ROOF_KIND = plain(BoxKind), plain(RoofKind)
_USE, _FENCE = plain(Use), plain(FenceKind)

Float32 = NDArray[np.float32]

_FENCE_KIND = np.array(
    [0, _BOX_KIND.HEDGE, _BOX_KIND.FENCE, _BOX_KIND.WALL, _BOX_KIND.FENCE], np.int8
)
_FENCE_HALF_M = np.array([0.0, 0.45, 0.06, 0.14, 0.05], np.float32)
_FENCE_HIGH_M = np.array([0.0, 1.1, 0.9, 1.0, 1.3], np.float32)
_LEAF = np.array([0.20, 0.32, 0.15], np.float32)


def add_fences(
    collector: Collector, lots: Lots, draws: Float32, styles: tuple[CountryStyle, ...]
) -> None:
    """Fences of gardens: along the street with a gap for the gate, and between neighbours."""
    kind = np.array([style.fence for style in styles])[lots.style]
    share = np.array([style.fenced for style in styles], np.float32)[lots.style]
    paved = np.array([style.pavement_width_m for style in styles], np.float32)[lots.style]
    colour = np.array([style.fence_colour for style in styles], np.float32)[lots.style]
    colour = np.where((kind == _FENCE.HEDGE)[:, None], _LEAF, colour)
    has = (lots.use == _USE.DETACHED) & (draws[11] < share) & ~lots.successor
    high = _FENCE_HIGH_M[kind] * (np.float32(0.85) + np.float32(0.5) * draws[9])
    front = np.flatnonzero(has & (lots.front - lots.kerb - paved > 1.6))
    half = lots.width * np.float32(0.5)
    gate = np.float32(3.2)
    collector.add(
        front,
        np.where(draws[2][front] < 0.5, gate, -gate) * np.float32(0.5),
        lots.kerb[front] + paved[front] + np.float32(0.3),
        half[front] - gate * np.float32(0.5) - np.float32(0.2),
        _FENCE_HALF_M[kind[front]],
        high[front],
        0.0,
        _ROOF_KIND.FLAT,
        colour[front],
        colour[front],
        kind=_FENCE_KIND[kind[front]],
    )
    side = np.flatnonzero(has & (draws[8] < 0.75))
    start = lots.front[side] + np.float32(2.0)
    reach = (lots.depth[side] + np.float32(7.0)) * np.float32(0.5)
    collector.add(
        side,
        half[side] - np.float32(0.2),
        start + reach,
        reach,
        _FENCE_HALF_M[kind[side]],
        high[side] * np.float32(1.25),
        0.0,
        _ROOF_KIND.FLAT,
        colour[side],
        colour[side],
        turned=True,
        kind=_FENCE_KIND[kind[side]],
    )


def drive_slots(lots: Lots) -> ParkingSlots:
    """Return the slots on the drives of detached houses: beside the house, across the street."""
    chosen = np.flatnonzero(
        (lots.use == _USE.DETACHED)
        & ~lots.successor
        & (lots.front - lots.kerb > np.float32(3.4))
        & (units(lots.key, 34) < np.float32(0.45))
    )
    side = np.where(units(lots.key[chosen], 35) < 0.5, np.float32(-1.0), np.float32(1.0))
    along = side * (lots.width[chosen] * np.float32(0.5) - np.float32(1.6))
    inward = lots.front[chosen] + np.float32(1.2)
    place = lots.foot[chosen] + lots.along[chosen] * along[:, None]
    return ParkingSlots(
        place + lots.inward[chosen] * inward[:, None],
        np.zeros(len(chosen), np.float32),
        lots.inward[chosen],
        child_keys(lots.key[chosen], 7),
    )
