"""Builds the boxes of all lots, and says when each stands."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightline.planet.world.boxes import Boxes, Collector
from sightline.planet.world.contents import ALWAYS, NEVER, BoxKind, Use, plain
from sightline.planet.world.gardens import add_fences
from sightline.planet.world.hashing import KeyArray, many_units
from sightline.planet.world.houses import Houses
from sightline.planet.world.large_houses import add_apartment, add_farm, add_tower, add_warehouse
from sightline.planet.world.lots import Lots
from sightline.planet.world.small_houses import add_bodies, add_detached, add_row
from sightline.planet.world.styles import CountryStyle

_USE, _BOX_KIND = plain(Use), plain(BoxKind)


def boxes_of(lots: Lots, houses: Houses, styles: tuple[CountryStyle, ...]) -> Boxes | None:
    """Build the boxes of all lots, or None where there is not one."""
    if not len(lots):
        return None
    collector = Collector()
    draws = many_units(lots.key, 12, first=60)
    add_bodies(collector, lots, houses, draws)
    for use, build in (
        (_USE.DETACHED, add_detached),
        (_USE.ROW, add_row),
        (_USE.APARTMENT, add_apartment),
        (_USE.TOWER, add_tower),
        (_USE.WAREHOUSE, add_warehouse),
        (_USE.FARM, add_farm),
    ):
        chosen = np.flatnonzero(lots.use == use)
        if len(chosen):
            build(collector, chosen, lots, houses, draws)
    add_fences(collector, lots, draws, styles)
    return collector.boxes()


def house_years(houses: Houses, boxes: Boxes) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Return when each box was built and when it goes; fences have always been there."""
    fence = (boxes.kind >= _BOX_KIND.HEDGE) & (boxes.kind <= _BOX_KIND.WALL)
    built = np.where(fence, np.int16(ALWAYS), houses.built_year[boxes.lot])
    return built, np.where(fence, np.int16(NEVER), houses.gone_year[boxes.lot])


def house_keys(lots: Lots, boxes: Boxes) -> KeyArray:
    """Return the key of each box's house."""
    return lots.key[boxes.lot]
