"""Assembles the buildings of a sheet: houses on lots and landmarks, on the ground."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sightline.planet.world.blocks import Blocks
from sightline.planet.world.boxes import Boxes
from sightline.planet.world.contents import BoxKind, Buildings, Use, plain
from sightline.planet.world.ground_raster import ROAD_EDGE, WATER, GroundRaster
from sightline.planet.world.house_boxes import boxes_of, house_keys, house_years
from sightline.planet.world.houses import Houses, houses_of
from sightline.planet.world.interiors import Courts, court_buildings
from sightline.planet.world.landmarks import landmark_buildings
from sightline.planet.world.lots import Lots
from sightline.planet.world.sheet import Sheet

_BOX_KIND, _USE = plain(BoxKind), plain(Use)

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class CellOf:
    """Which cell of its sheet each building belongs to.

    Args:
        row: (n,).
        column: (n,).
    """

    row: NDArray[np.int64]
    column: NDArray[np.int64]


def buildings_of(
    sheet: Sheet, blocks: Blocks, lots: Lots, courts: Courts
) -> tuple[Buildings, CellOf]:
    """Return the buildings of a sheet, at elevation 0, with ``style`` in the sheet's styles."""
    houses = houses_of(lots, sheet.styles)
    boxes = boxes_of(lots, houses, sheet.styles)
    famous, famous_cell = landmark_buildings(sheet, blocks)
    inside, court = court_buildings(sheet, courts)
    parts = [inside, famous]
    rows = [courts.row[court], famous_cell[:, 0]]
    columns = [courts.column[court], famous_cell[:, 1]]
    if boxes is not None:
        parts.append(_placed(lots, houses, boxes))
        rows.append(lots.row[boxes.lot])
        columns.append(lots.column[boxes.lot])
    return Buildings.join(parts), CellOf(np.concatenate(rows), np.concatenate(columns))


def _placed(lots: Lots, houses: Houses, boxes: Boxes) -> Buildings:
    lot = boxes.lot
    along, inward = lots.along[lot], lots.inward[lot]
    centre = lots.foot[lot] + along * boxes.place[:, :1] + inward * boxes.place[:, 1:]
    built, gone = house_years(houses, boxes)
    shed = boxes.kind == _BOX_KIND.SHED
    return Buildings(
        centre=centre,
        axis=np.where(boxes.turned[:, None], inward, along),
        half_length=boxes.half_length,
        half_width=boxes.half_width,
        base_m=np.zeros(len(lot), np.float32),
        eave_m=boxes.eave,
        rise_m=boxes.rise,
        roof=boxes.roof,
        kind=boxes.kind,
        use=np.where(shed, _USE.OUTBUILDING, lots.use[lot]).astype(np.int8),
        wall=boxes.wall.astype(np.float32),
        roof_colour=boxes.roof_colour.astype(np.float32),
        phase=houses.phase[lot],
        floor_m=houses.floor_m[lot],
        bay_m=houses.bay_m[lot],
        window_width=houses.window_width[lot],
        window_height=houses.window_height[lot],
        style=lots.style[lot].astype(np.int16),
        house=house_keys(lots, boxes),
        built_year=built,
        gone_year=gone,
    )


def grounded(buildings: Buildings, ground: GroundRaster, reach_m: float) -> NDArray[np.intp]:
    """Return the buildings that are within reach, on dry land and beside the road."""
    across = np.stack([-buildings.axis[:, 1], buildings.axis[:, 0]], axis=1)
    long = np.abs(buildings.axis) * buildings.half_length[:, None]
    extent = long + np.abs(across) * buildings.half_width[:, None]
    near = (np.abs(buildings.centre) - extent < np.float32(reach_m)).all(axis=1)
    place = np.clip(buildings.centre, np.float32(-reach_m), np.float32(reach_m))
    water, clear = ground.sample_some((WATER, ROAD_EDGE), place[:, 0], place[:, 1])
    slim = np.minimum(buildings.half_width, buildings.half_length)
    near &= (water > slim * np.float32(0.8)) & (clear > np.minimum(slim, np.float32(3.0)) * 0.7)
    return np.flatnonzero(near)


def on_ground(buildings: Buildings, ground: GroundRaster) -> Buildings:
    """Set buildings on the lowest ground under them; walls reach up from the middle's level."""
    across = np.stack([-buildings.axis[:, 1], buildings.axis[:, 0]], axis=1)
    long = buildings.axis * buildings.half_length[:, None]
    wide = across * buildings.half_width[:, None]
    middle = buildings.centre
    places = np.stack([middle, *(middle + s * long + t * wide for s in (-1, 1) for t in (-1, 1))])
    height = ground.elevation(places[..., 0].ravel(), places[..., 1].ravel()).reshape(5, -1)
    lowest = np.minimum(
        np.minimum(height[1], height[2]), np.minimum(np.minimum(height[3], height[4]), height[0])
    )
    return replace(buildings, base_m=lowest, eave_m=buildings.eave_m + (height[0] - lowest))
