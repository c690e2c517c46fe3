"""The boxes of large buildings: apartments, towers, warehouses and farms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightline.planet.world.boxes import Collector
from sightline.planet.world.contents import BoxKind, RoofKind, plain
from sightline.planet.world.houses import METAL, TARRED, Houses, eave_of
from sightline.planet.world.lots import Lots

_BOX_KIND, _ROOF_KIND = plain(BoxKind), plain(RoofKind)

Float32 = NDArray[np.float32]
IntArray = NDArray[np.int64]


def add_apartment(
    collector: Collector, chosen: IntArray, lots: Lots, houses: Houses, draws: Float32
) -> None:
    """A wing into the block, or a box for the lift on the roof."""
    eave = eave_of(lots, houses, draws)
    wing = chosen[(draws[3][chosen] < 0.4) & (lots.closed[chosen] | (draws[3][chosen] < 0.25))]
    reach = np.float32(3.5) + np.float32(2.0) * draws[4][wing]
    left = np.where(draws[2][wing] < 0.5, np.float32(-1.0), np.float32(1.0))
    half = np.minimum(houses.half_front[wing] * np.float32(0.36), np.float32(5.0))
    collector.add(
        wing,
        left * (houses.half_front[wing] - half),
        lots.front[wing] + lots.depth[wing] + reach,
        reach,
        half,
        eave[wing] - houses.floor_m[wing] * (draws[6][wing] < 0.5),
        0.0,
        _ROOF_KIND.FLAT,
        houses.wall[wing] * np.float32(0.97),
        houses.roof[wing] * np.float32(0.9),
        turned=True,
    )
    top = chosen[houses.flat[chosen] & (draws[7][chosen] < 0.7)]
    collector.add(
        top,
        houses.half_front[top] * (draws[8][top] - np.float32(0.5)),
        lots.front[top] + lots.depth[top] * np.float32(0.5),
        np.float32(2.2),
        np.float32(1.8),
        eave[top] + np.float32(2.6),
        0.0,
        _ROOF_KIND.FLAT,
        houses.wall[top] * np.float32(0.85),
        houses.roof[top],
    )


def add_tower(
    collector: Collector, chosen: IntArray, lots: Lots, houses: Houses, draws: Float32
) -> None:
    """A podium, the tower on it, sometimes a narrower top, and the plant room."""
    eave = eave_of(lots, houses, draws)
    depth, front = lots.depth[chosen], lots.front[chosen]
    podium = houses.floor_m[chosen] * (np.float32(1.0) + np.floor(draws[2][chosen] * 3.0)) + 0.8
    grey = TARRED[1]
    collector.add(
        chosen,
        0.0,
        front + depth * np.float32(0.5),
        houses.half_front[chosen] * np.float32(1.12),
        depth * np.float32(0.5),
        podium,
        0.0,
        _ROOF_KIND.FLAT,
        houses.wall[chosen] * np.float32(0.85),
        grey,
    )
    half = houses.half_front[chosen] * (np.float32(0.62) + np.float32(0.3) * draws[3][chosen])
    deep = depth * (np.float32(0.36) + np.float32(0.1) * draws[4][chosen])
    shift = (houses.half_front[chosen] - half) * (draws[5][chosen] * 2.0 - 1.0)
    stepped = draws[6][chosen] < 0.4
    body = np.where(stepped, eave[chosen] * np.float32(0.72), eave[chosen])
    collector.add(chosen, shift, front + depth * 0.5, half, deep, body, 0.0, _ROOF_KIND.FLAT,
                  houses.wall[chosen], houses.roof[chosen])  # fmt: skip
    top = chosen[stepped]
    collector.add(top, shift[stepped], (front + depth * 0.5)[stepped], half[stepped] * 0.7,
                  deep[stepped] * 0.75, eave[top], 0.0, _ROOF_KIND.FLAT, houses.wall[top],
                  houses.roof[top])  # fmt: skip
    narrow = np.where(stepped, np.float32(0.4), np.float32(0.5))
    collector.add(chosen, shift, front + depth * 0.5, half * narrow, deep * narrow,
                  eave[chosen] + np.float32(3.2), 0.0, _ROOF_KIND.FLAT,
                  houses.wall[chosen] * np.float32(0.75), grey)  # fmt: skip


def add_warehouse(
    collector: Collector, chosen: IntArray, lots: Lots, houses: Houses, draws: Float32
) -> None:
    """An office at the front corner, lower and with windows of its own."""
    office = chosen[draws[3][chosen] < 0.6]
    left = np.where(draws[2][office] < 0.5, np.float32(-1.0), np.float32(1.0))
    collector.add(
        office,
        left * (houses.half_front[office] - np.float32(4.0)),
        lots.front[office] - np.float32(1.8),
        np.float32(4.5),
        np.float32(2.6),
        houses.floor_m[office] + np.float32(0.6),
        0.0,
        _ROOF_KIND.FLAT,
        np.minimum(houses.wall[office] * np.float32(1.15), np.float32(1.0)),
        TARRED[1],
    )


def add_farm(
    collector: Collector, chosen: IntArray, lots: Lots, houses: Houses, draws: Float32
) -> None:
    """A barn across the yard, a shed beside it and a silo."""
    back = lots.front[chosen] + lots.depth[chosen] + np.float32(14.0)
    length = np.float32(8.0) + np.float32(6.0) * draws[2][chosen]
    red = np.array([0.46, 0.20, 0.16], np.float32)
    plain = np.where((draws[3][chosen] < 0.4)[:, None], red, houses.wall[chosen] * np.float32(0.8))
    collector.add(chosen, 0.0, back, length, np.float32(5.5), np.float32(4.6), np.float32(3.4),
                  _ROOF_KIND.GABLE, plain, houses.roof[chosen])  # fmt: skip
    shed = chosen[draws[4][chosen] < 0.7]
    side = lots.front[shed] + lots.depth[shed] + np.float32(4.0)
    collector.add(shed, np.float32(15.0), side, np.float32(6.0), np.float32(3.4), np.float32(3.4),
                  np.float32(1.2), _ROOF_KIND.SHED, METAL * np.float32(0.8), METAL,
                  turned=True)  # fmt: skip
    silo = chosen[draws[5][chosen] < 0.45]
    collector.add(silo, np.float32(-16.0), lots.front[silo] + np.float32(24.0), np.float32(1.9),
                  np.float32(1.9), np.float32(9.0), np.float32(1.5), _ROOF_KIND.HIP,
                  METAL * np.float32(0.9), METAL, kind=_BOX_KIND.BUILDING)  # fmt: skip
