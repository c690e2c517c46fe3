"""Houses on lots: their size, age and colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.planet.world.contents import NEVER, Use, plain
from sightline.planet.world.countries import CountryStyle
from sightline.planet.world.hashing import many_units
from sightline.planet.world.lots import Lots

_USE = plain(Use)

Float32 = NDArray[np.float32]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Years = NDArray[np.int16]

TARRED = np.array([[0.36, 0.36, 0.37], [0.52, 0.52, 0.52], [0.66, 0.66, 0.65]], np.float32)
METAL = np.array([0.70, 0.72, 0.74], np.float32)


@dataclass(frozen=True)
class Houses:
    """What the boxes of one lot share, one row per lot."""

    floor_m: Float32
    bay_m: Float32
    window_width: Float32
    window_height: Float32
    phase: Float32
    wall: Float32
    roof: Float32
    flat: BoolArray
    hip: BoolArray
    floors: Float32
    half_front: Float32
    pitch: Float32
    built_year: NDArray[np.int16]
    gone_year: NDArray[np.int16]


def houses_of(lots: Lots, styles: tuple[CountryStyle, ...]) -> Houses:
    """Decide what each lot's house looks like."""
    draws = many_units(lots.key, 14, first=40)
    floors = _floors(lots, draws[0], draws[1])

    def style(name: str) -> Float32:
        return np.array([float(getattr(s, name)) for s in styles], np.float32)[lots.style]

    large = lots.use >= _USE.APARTMENT
    flat = (draws[2] < style("flat_roof")) | (large & (draws[2] < 0.75)) | (lots.use == _USE.TOWER)
    flat &= lots.use != _USE.FARM
    walls = np.array([s.walls for s in styles], np.float32)
    roofs = np.array([s.roofs for s in styles], np.float32)
    wall = walls[lots.style, np.minimum((draws[3] * 5).astype(np.int64), 4)]
    wall = wall * (np.float32(0.88) + np.float32(0.2) * draws[4])[:, None]
    metal = (lots.use == _USE.WAREHOUSE)[:, None]
    wall = np.where(metal, METAL * (np.float32(0.75) + np.float32(0.4) * draws[3])[:, None], wall)
    roof = roofs[lots.style, np.minimum((draws[5] * 3).astype(np.int64), 2)]
    roof = roof * (np.float32(0.72) + np.float32(0.3) * draws[6])[:, None]
    tarred = TARRED[np.minimum((draws[5] * 3).astype(np.int64), 2)]
    tarred = tarred * (np.float32(0.85) + np.float32(0.25) * draws[6])[:, None]
    roof = np.where((flat | (lots.use == _USE.WAREHOUSE))[:, None], tarred, roof)
    full = np.where(lots.closed, np.float32(0.5), 0.30 + 0.10 * draws[7])
    tall = lots.use == _USE.TOWER
    built, gone = _years(lots, draws[8], draws[9])
    return Houses(
        style("floor_height_m"),
        style("bay_m") * (np.float32(0.85) + np.float32(0.35) * draws[11]),
        np.minimum(style("window_width") + np.where(tall, np.float32(0.2), np.float32(0.0)), 0.85),
        np.minimum(style("window_height") + np.where(tall, np.float32(0.15), np.float32(0.0)), 0.8),
        draws[12],
        np.minimum(wall, np.float32(1.0)),
        roof,
        flat,
        draws[13] < style("hip_roof"),
        floors,
        (lots.width * full).astype(np.float32),
        style("roof_pitch"),
        built,
        gone,
    )


def _floors(lots: Lots, draw: Float32, other: Float32) -> Float32:
    dense = np.maximum(lots.density - np.float32(0.4), np.float32(0.0))
    one = np.float32(1.0)
    choices = [
        one + (draw > 0.45) + (draw > 0.93),
        2 + np.floor(draw * np.float32(2.2) + dense * np.float32(4.0)),
        3 + np.floor(draw * np.float32(4.0) + dense * np.float32(3.0)),
        8 + np.floor(draw * draw * np.float32(18.0) + other * np.float32(4.0)),
        np.full(len(draw), one),
        one + (draw > 0.3),
    ]
    return np.choose(np.clip(lots.use, 0, 5), choices).astype(np.float32)


def _years(lots: Lots, draw: Float32, fresh: Float32) -> tuple[Years, Years]:
    """Return first and last years: most houses are old, one in sixteen was built after 2004."""
    old = 1880 + np.floor(draw * np.float32(124.0))
    new = 2005 + np.floor(draw * np.float32(30.0))
    replaced = lots.replaced_year > 0
    built = np.where((fresh < 0.0625) & ~replaced, new, old).astype(np.int16)
    built = np.where(lots.successor, lots.replaced_year, built)
    gone = np.where(replaced & ~lots.successor, lots.replaced_year, np.int16(NEVER))
    return built.astype(np.int16), gone.astype(np.int16)


def eave_of(lots: Lots, houses: Houses, draws: Float32) -> Float32:
    """Return the height of the walls of each lot's main body."""
    eave = houses.floors * houses.floor_m + np.float32(0.4)
    hall = lots.use == _USE.WAREHOUSE
    return np.where(hall, np.float32(5.5) + np.float32(5.0) * draws[0], eave).astype(np.float32)
