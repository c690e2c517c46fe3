"""What stands in a neighbourhood: plain arrays in local metres, one class per sort of thing.

Positions are metres east and north of the neighbourhood's origin, in double precision like the
directions of things, so that every window puts them into the same place to a thousandth of a
millimetre; heights are metres above sea level (``base_m``) or above the base (everything else).
Arrays of one object have the same first dimension. ``key`` is a 32-bit hash of the object's own
place on the planet's lattice: whatever is drawn by chance for an object (leaves, dents, whether a
car stands here today) is drawn from it and never from the object's row, which differs between
windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from sightline.planet.world.rows import Rows

FloatArray = NDArray[np.float32]
PlaceArray = NDArray[np.float64]
KindArray = NDArray[np.int8]
IndexArray = NDArray[np.int16]
KeyArray = NDArray[np.uint32]
YearArray = NDArray[np.int16]

ALWAYS = -32768
"""The year of what has always been there."""
NEVER = 32767
"""The year of what will not happen."""


class Material(IntEnum):
    """What covers a cell's ground away from its streets."""

    LAWN = 0
    PAVED = 1
    PARK = 2
    FOREST = 3
    FIELD = 4
    PARKING = 5
    WILD = 6
    YARD = 7
    SAND = 8
    ROCK = 9
    GARDEN = 10
    PLAZA = 11


class RoofKind(IntEnum):
    """The roof over a box; the ridge of ``GABLE`` and ``HIP`` runs along the box's axis."""

    FLAT = 0
    GABLE = 1
    HIP = 2
    SHED = 3


class BoxKind(IntEnum):
    """What a box is made of."""

    BUILDING = 0
    HEDGE = 1
    FENCE = 2
    WALL = 3
    SHED = 4


class Use(IntEnum):
    """What a building is for; it rules windows and doors."""

    DETACHED = 0
    ROW = 1
    APARTMENT = 2
    TOWER = 3
    WAREHOUSE = 4
    FARM = 5
    LANDMARK = 6
    OUTBUILDING = 7


class Species(IntEnum):
    """The shape of a plant."""

    BROADLEAF = 0
    CONIFER = 1
    SHRUB = 2
    PALM = 3
    SAVANNA = 4
    CYPRESS = 5
    POPLAR = 6


class FurnitureKind(IntEnum):
    """What stands beside a street."""

    POLE = 0
    LAMP = 1
    SIGN = 2
    BOLLARD = 3
    BENCH = 4
    HYDRANT = 5
    SHELTER = 6


def plain(kinds: type[IntEnum]) -> SimpleNamespace:
    """Return the members of an enumeration by name, as plain numbers.

    What is done with whole arrays takes these: numpy asks the class of a member three questions
    each time, which Python before 3.12 answers slowly.
    """
    return SimpleNamespace(**{kind.name: kind.value for kind in kinds})


@dataclass(frozen=True)
class Cells:
    """Per lattice cell of the window, arrays ``[i - i0, j - j0]``.

    Args:
        i0: Lattice index of the first row; what the raster's ``lattice_a`` counts from.
        j0: Lattice index of the first column.
        material: int8 :class:`Material`.
        tint: float32 in [0, 1), one random number per cell (per 2 x 2 cells in the country).
        density: float32, how densely people live: 0 none, 0.16 the edge of a town, 1 a city's core.
        style: int16, row of ``Neighbourhood.styles``.
        climate: int16, row of ``Neighbourhood.climates``.
    """

    i0: int
    j0: int
    material: KindArray
    tint: FloatArray
    density: FloatArray
    style: IndexArray
    climate: IndexArray


@dataclass(frozen=True)
class Buildings(Rows):
    """Boxes with roofs; a house may be several boxes that share ``house``.

    Args:
        centre: (n, 2) metres.
        axis: (n, 2) unit vector of the length.
        half_length: (n,) metres along the axis.
        half_width: (n,) metres across it.
        base_m: (n,) elevation of the foot; may lie a little below the ground on a slope.
        eave_m: (n,) height of the walls above the base.
        rise_m: (n,) height of the ridge above the eave; for ``SHED`` of the high side, which is the
            left of the axis (the side of ``(-axis[1], axis[0])``).
        roof: (n,) int8 :class:`RoofKind`.
        kind: (n,) int8 :class:`BoxKind`.
        use: (n,) int8 :class:`Use`.
        wall: (n, 3) linear shares of red, green, blue in [0, 1].
        roof_colour: (n, 3).
        phase: (n,) in [0, 1), shifts the pattern of windows.
        floor_m: (n,) height of a floor.
        bay_m: (n,) distance between windows.
        window_width: (n,) share of a bay that is window.
        window_height: (n,) share of a floor that is window.
        style: (n,) int16 row of ``Neighbourhood.styles``.
        house: (n,) uint32 key of the house.
        built_year: (n,) first year in which it stands.
        gone_year: (n,) first year in which it stands no more.
    """

    centre: PlaceArray
    axis: PlaceArray
    half_length: FloatArray
    half_width: FloatArray
    base_m: FloatArray
    eave_m: FloatArray
    rise_m: FloatArray
    roof: KindArray
    kind: KindArray
    use: KindArray
    wall: FloatArray
    roof_colour: FloatArray
    phase: FloatArray
    floor_m: FloatArray
    bay_m: FloatArray
    window_width: FloatArray
    window_height: FloatArray
    style: IndexArray
    house: KeyArray
    built_year: YearArray
    gone_year: YearArray


@dataclass(frozen=True)
class Plants(Rows):
    """Trees and shrubs.

    Args:
        position: (n, 2) metres.
        base_m: (n,) elevation of the foot.
        height_m: (n,) when grown.
        radius_m: (n,) of the crown when grown.
        species: (n,) int8 :class:`Species`.
        tint: (n,) in [0, 1).
        climate: (n,) int16 row of ``Neighbourhood.climates``.
        key: (n,) uint32.
        planted_year: (n,) first year in which it stands, small; :data:`ALWAYS` for old trees.
    """

    position: PlaceArray
    base_m: FloatArray
    height_m: FloatArray
    radius_m: FloatArray
    species: KindArray
    tint: FloatArray
    climate: IndexArray
    key: KeyArray
    planted_year: YearArray


@dataclass(frozen=True)
class Furniture(Rows):
    """Poles, lamps, signs and what else stands beside a street.

    Args:
        position: (n, 2) metres.
        base_m: (n,) elevation of the foot.
        height_m: (n,).
        kind: (n,) int8 :class:`FurnitureKind`.
        axis: (n, 2) unit vector along its street; the street lies to the right of it.
        style: (n,) int16 row of ``Neighbourhood.styles``.
        key: (n,) uint32.
    """

    position: PlaceArray
    base_m: FloatArray
    height_m: FloatArray
    kind: KindArray
    axis: PlaceArray
    style: IndexArray
    key: KeyArray


@dataclass(frozen=True)
class ParkingSlots(Rows):
    """Where a vehicle can stand; ``vehicles.parked`` says which are taken at a moment.

    Args:
        position: (n, 2) metres, the middle of the slot.
        base_m: (n,) elevation of the ground.
        axis: (n, 2) unit vector in which a vehicle points.
        key: (n,) uint32.
    """

    position: PlaceArray
    base_m: FloatArray
    axis: PlaceArray
    key: KeyArray


@dataclass(frozen=True)
class Streets(Rows):
    """Straight pieces of street and path.

    Args:
        start: (n, 2) metres.
        end: (n, 2).
        half_width: (n,) metres.
        paved: (n,) bool: a street with pavements, not a track or path.
        major: (n,) bool: a main road.
        path: (n,) bool: a path or lane inside a block.
        key: (n,) uint32.
    """

    start: PlaceArray
    end: PlaceArray
    half_width: FloatArray
    paved: NDArray[np.bool_]
    major: NDArray[np.bool_]
    path: NDArray[np.bool_]
    key: KeyArray
