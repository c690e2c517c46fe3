"""What is famous: each town has landmarks, which take a whole cell of the lattice."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from sightline.geo.coordinates import EARTH_RADIUS_M
from sightline.planet.world.hashing import KeyArray, child_keys, many_units
from sightline.planet.world.lattice import FACES, lattice_of, vectors_of
from sightline.planet.world.rows import Rows
from sightline.planet.world.towns import TIERS, Towns

FloatArray = NDArray[np.float64]

_LANDMARKS = 8


class LandmarkKind(IntEnum):
    """What a famous place is."""

    CHURCH = 0
    TEMPLE = 1
    OBELISK = 2
    MOSQUE = 3
    ARENA = 4
    PALACE = 5
    MAST = 6
    SKYSCRAPER = 7
    FORTRESS = 8
    ARCH = 9


@dataclass(frozen=True)
class Landmarks(Rows):
    """Famous places: a landmark takes a whole cell of the lattice.

    Args:
        face: (n,) int64.
        i: (n,) int64, cell.
        j: (n,) int64.
        fame: (n,) in (0, 1]: how often it is photographed, beside the most famous one.
        kind: (n,) int8 :class:`LandmarkKind`.
        key: (n,) uint32.
    """

    face: NDArray[np.int64]
    i: NDArray[np.int64]
    j: NDArray[np.int64]
    fame: FloatArray
    kind: NDArray[np.int8]
    key: KeyArray

    def centres(self) -> FloatArray:
        """Return the unit vectors ``(n, 3)`` of the middles of the cells."""
        centres = np.empty((len(self), 3))
        for face in range(FACES):
            here = np.flatnonzero(self.face == face)
            if len(here):
                centres[here] = vectors_of(face, self.i[here] + 0.5, self.j[here] + 0.5)
        return centres


def landmarks_of(
    towns: Towns, middle: FloatArray | None = None, within_m: float = 0.0
) -> Landmarks:
    """Return where towns would have famous places; :meth:`Settlements.standing` says which do.

    Args:
        towns: The towns.
        middle: A unit vector (3,); None for all places, else those near it.
        within_m: How near.
    """
    count = len(towns)
    rank = np.tile(np.arange(_LANDMARKS), count)
    row = np.repeat(np.arange(count), _LANDMARKS)
    tier = towns.tier[row]
    keep = rank < _LIMIT[tier]
    rank, row, tier = rank[keep], row[keep], tier[keep]
    key = child_keys(towns.key[row], rank + 1)
    draws = many_units(key, 4)
    spread = np.where(rank == 0, 0.05, 0.45) * towns.radius_m[row] / EARTH_RADIUS_M
    point = _shifted(
        towns.centre[row], (draws[0] * 2.0 - 1.0) * spread, (draws[1] * 2.0 - 1.0) * spread
    )
    if middle is not None:
        offset = (point - middle) * EARTH_RADIUS_M
        square = offset * offset
        near = square[:, 0] + square[:, 1] + square[:, 2] <= within_m * within_m
        chosen = np.flatnonzero(near)
        point, key, draws = point[chosen], key[chosen], draws[:, chosen]
        rank, tier = rank[chosen], tier[chosen]
    face, a, b = lattice_of(point)
    skewed = draws[2].astype(np.float64)
    skewed = 0.12 + 0.88 * skewed * skewed * skewed
    fame = _FAME[tier] * skewed / (1.0 + rank)
    kind = _KINDS[tier, np.floor(draws[3] * np.float32(10.0)).astype(np.int64)]
    i, j = np.floor(a).astype(np.int64), np.floor(b).astype(np.int64)
    return Landmarks(face, i, j, fame, kind, key)


_LIMIT = np.array([shape.landmarks for shape in TIERS.values()])
_FAME = np.array([shape.fame for shape in TIERS.values()])
_GREAT = (2, 3, 4, 5, 6, 7, 8, 9, 1, 0)
_MIDDLING = (0, 1, 3, 5, 8, 2)
_SMALL = (0, 1, 3)


def _cycled(kinds: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(kinds[n % len(kinds)] for n in range(10))


_KINDS = np.array([_GREAT, _cycled(_MIDDLING), _cycled(_SMALL)], np.int8)


def _shifted(centre: FloatArray, first: FloatArray, second: FloatArray) -> FloatArray:
    """Move unit vectors sideways along two directions made from the axis they are farthest from."""
    axis = np.where((np.abs(centre[:, 2]) < 0.8)[:, None], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0])
    east = _unit(_cross(axis, centre))
    north = _cross(centre, east)
    return _unit(centre + east * first[:, None] + north * second[:, None])


def _cross(p: FloatArray, q: FloatArray) -> FloatArray:
    return np.stack(
        [
            p[:, 1] * q[:, 2] - p[:, 2] * q[:, 1],
            p[:, 2] * q[:, 0] - p[:, 0] * q[:, 2],
            p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0],
        ],
        axis=1,
    )


def _unit(vectors: FloatArray) -> FloatArray:
    x, y, z = vectors[:, 0], vectors[:, 1], vectors[:, 2]
    return vectors / np.sqrt(x * x + y * y + z * z)[:, None]
