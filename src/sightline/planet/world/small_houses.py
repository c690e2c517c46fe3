"""The boxes of small houses: main bodies, wings, garages, sheds, extensions and chimneys."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightline.planet.world.boxes import Collector
from sightline.planet.world.contents import BoxKind, RoofKind, Use, plain
from sightline.planet.world.houses import Houses, eave_of
from sightline.planet.world.lots import Lots

_USE, _BOX_KIND, _ROOF_KIND = plain(Use), plain(BoxKind), plain(RoofKind)

Float32 = NDArray[np.float32]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


def add_bodies(collector: Collector, lots: Lots, houses: Houses, draws: Float32) -> None:
    """Add the main body of every house but towers, whose podium comes with them."""
    chosen = np.flatnonzero(lots.use != _USE.TOWER)
    half_depth = lots.depth[chosen] * np.float32(0.5)
    half_front = houses.half_front[chosen]
    flat = houses.flat[chosen]
    rise = np.minimum(half_depth, half_front) * houses.pitch[chosen]
    hall = lots.use[chosen] == _USE.WAREHOUSE
    rise = np.where(hall, half_depth * np.float32(0.16), rise)
    roof = np.where(houses.hip[chosen], _ROOF_KIND.HIP, _ROOF_KIND.GABLE)
    roof = np.where(lots.closed[chosen] | hall, _ROOF_KIND.GABLE, roof)
    # A gable roof turns its gable to the street now and then.
    turned = ~lots.closed[chosen] & ~hall & (draws[1][chosen] < 0.22)
    collector.add(
        chosen,
        0.0,
        lots.front[chosen] + half_depth,
        np.where(turned, half_depth, half_front),
        np.where(turned, half_front, half_depth),
        eave_of(lots, houses, draws)[chosen],
        np.where(flat, np.float32(0.0), np.where(turned, np.minimum(rise, 4.0), rise)),
        np.where(flat, _ROOF_KIND.FLAT, roof),
        houses.wall[chosen],
        houses.roof[chosen],
        turned=turned,
    )


def add_detached(
    collector: Collector, chosen: IntArray, lots: Lots, houses: Houses, draws: Float32
) -> None:
    """A wing behind, a garage beside, a shed in the garden, a porch to the street."""
    eave = eave_of(lots, houses, draws)
    left = np.where(draws[2] < 0.5, np.float32(-1.0), np.float32(1.0))
    wing = chosen[(draws[3][chosen] < 0.42)]
    half_wing = houses.half_front[wing] * np.float32(0.42)
    reach = lots.depth[wing] * np.float32(0.28)
    flat = houses.flat[wing]
    collector.add(
        wing,
        left[wing] * (houses.half_front[wing] - half_wing),
        lots.front[wing] + lots.depth[wing] + reach - np.float32(0.6),
        reach + np.float32(0.6),
        half_wing,
        eave[wing]
        - np.where(houses.floors[wing] > 1, houses.floor_m[wing] * (draws[4][wing] < 0.4), 0),
        np.where(flat, np.float32(0.0), half_wing * houses.pitch[wing]),
        np.where(flat, _ROOF_KIND.FLAT, _ROOF_KIND.GABLE),
        houses.wall[wing],
        houses.roof[wing],
        turned=True,
    )
    room = lots.width * np.float32(0.5) - houses.half_front
    garage = chosen[(draws[5][chosen] < 0.38) & (room[chosen] > 2.2)]
    half_garage = np.minimum(room[garage] - np.float32(0.3), np.float32(2.6)) * np.float32(0.98)
    collector.add(
        garage,
        -left[garage] * (houses.half_front[garage] + np.float32(1.5)),
        lots.front[garage] + np.float32(4.6),
        np.float32(2.9),
        np.minimum(half_garage, np.float32(1.6)),
        np.float32(2.6),
        np.where(draws[6][garage] < 0.5, np.float32(0.0), np.float32(1.0)),
        np.where(draws[6][garage] < 0.5, _ROOF_KIND.FLAT, _ROOF_KIND.GABLE),
        houses.wall[garage] * np.float32(0.93),
        houses.roof[garage],
        turned=True,
    )
    shed = chosen[draws[7][chosen] < 0.33]
    brown = np.array([0.42, 0.34, 0.26], np.float32)
    collector.add(
        shed,
        left[shed] * (lots.width[shed] * np.float32(0.5) - np.float32(2.4)),
        lots.front[shed] + lots.depth[shed] + np.float32(5.5) + np.float32(3.0) * draws[8][shed],
        np.float32(1.6),
        np.float32(1.2),
        np.float32(2.0),
        np.float32(0.6),
        np.where(draws[9][shed] < 0.5, _ROOF_KIND.SHED, _ROOF_KIND.GABLE),
        brown * (np.float32(0.8) + np.float32(0.6) * draws[9][shed])[:, None],
        houses.roof[shed],
        kind=_BOX_KIND.SHED,
    )
    _chimneys(collector, chosen[draws[10][chosen] < 0.22], lots, houses, eave)


def _chimneys(
    collector: Collector, chosen: IntArray, lots: Lots, houses: Houses, eave: Float32
) -> None:
    ridge = np.minimum(lots.depth[chosen] * np.float32(0.5), houses.half_front[chosen])
    ridge = np.where(houses.flat[chosen], np.float32(0.0), ridge * houses.pitch[chosen])
    collector.add(
        chosen,
        houses.half_front[chosen] * np.float32(0.45),
        lots.front[chosen] + lots.depth[chosen] * np.float32(0.5),
        np.float32(0.5),
        np.float32(0.4),
        eave[chosen] + ridge + np.float32(0.7),
        0.0,
        _ROOF_KIND.FLAT,
        houses.wall[chosen] * np.float32(0.8),
        houses.wall[chosen] * np.float32(0.5),
    )


def add_row(
    collector: Collector, chosen: IntArray, lots: Lots, houses: Houses, draws: Float32
) -> None:
    """An extension into the yard, lower and narrower than the house; none at corners."""
    eave = eave_of(lots, houses, draws)
    back = chosen[(draws[3][chosen] < 0.75) & ~lots.end[chosen]]
    reach = np.float32(1.6) + np.float32(1.8) * draws[4][back]
    left = np.where(draws[2][back] < 0.5, np.float32(-1.0), np.float32(1.0))
    half = houses.half_front[back] * np.float32(0.52)
    collector.add(
        back,
        left * (houses.half_front[back] - half),
        lots.front[back] + lots.depth[back] + reach - np.float32(0.4),
        reach + np.float32(0.4),
        half,
        np.maximum(eave[back] - houses.floor_m[back] * np.ceil(houses.floors[back] * 0.5), 2.6),
        np.where(draws[5][back] < 0.5, np.float32(0.0), np.float32(1.1)),
        np.where(draws[5][back] < 0.5, _ROOF_KIND.FLAT, _ROOF_KIND.SHED),
        houses.wall[back] * np.float32(0.95),
        houses.roof[back],
        turned=True,
    )
    _chimneys(collector, chosen[draws[10][chosen] < 0.3], lots, houses, eave)
