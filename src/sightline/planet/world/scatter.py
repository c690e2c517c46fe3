"""Smooth noise and scattered sites in space, read on the sphere: no seams and no poles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.planet.world.hashing import KeyArray, many_units, mixed, number, place_keys

FloatArray = NDArray[np.float64]

_I, _J, _K = (np.uint32(factor) for factor in (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D))
_CORNERS = np.array([[x, y, z] for z in (0, 1) for y in (0, 1) for x in (0, 1)], np.uint32)
_CORNER_HASH = (_CORNERS[:, 0] * _I + _CORNERS[:, 1] * _J + _CORNERS[:, 2] * _K)[:, None, None]
_NEIGHBOURS = np.array(
    [[x, y, z] for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1)], np.int64
)


@dataclass(frozen=True)
class Octaves:
    """Several layers of smooth noise that are evaluated together.

    Args:
        frequencies: (m,) cells of noise per radius of the planet.
        salts: (m, 1) uint32, what each layer is hashed with.
        offsets: (m, 3), so that the layers' cells do not line up.
    """

    frequencies: FloatArray
    salts: KeyArray
    offsets: FloatArray

    @classmethod
    def of(cls, seed: int, first_salt: int, frequencies: list[float]) -> Octaves:
        """Name layers by the seed and by running numbers from ``first_salt``."""
        count = len(frequencies)
        salts = [number(seed, first_salt + n) for n in range(count)]
        offsets = [[(salt >> shift & 255) / 256.0 + 0.37 for shift in (0, 8, 16)] for salt in salts]
        return cls(np.array(frequencies), np.array(salts, np.uint32)[:, None], np.array(offsets))

    def at(self, points: FloatArray) -> FloatArray:
        """Return each layer at points, ``(m, n)`` in [-1, 1], from unit vectors ``(n, 3)``.

        Value noise (K. Perlin, "An image synthesizer", 1985, with hashed corner values), faded by
        3 t^2 - 2 t^3 along each axis.
        """
        place = points.T[:, None, :] * self.frequencies[:, None] + self.offsets.T[:, :, None]
        floor = np.floor(place)
        share = place - floor
        share = share * share * (3.0 - 2.0 * share)
        whole = floor.astype(np.int64).astype(np.uint32)
        key = whole[0] * _I + whole[1] * _J + whole[2] * _K + self.salts
        values = mixed(key + _CORNER_HASH) * (2.0**-31)
        x, y, z = share
        values = values[0::2] + (values[1::2] - values[0::2]) * x
        values = values[0::2] + (values[1::2] - values[0::2]) * y
        noise: FloatArray = values[0] + (values[1] - values[0]) * z - 1.0
        return noise


def weighted(layers: FloatArray, weights: tuple[float, ...]) -> FloatArray:
    """Return the weighted sum of the first axis, in its order."""
    total: FloatArray = layers[0] * weights[0]
    for layer, weight in zip(layers[1:], weights[1:], strict=True):
        total = total + layer * weight
    return total


@dataclass(frozen=True)
class Sites:
    """Scattered points, one per cube of a grid in space.

    Args:
        position: (n, 3) in units of the planet's radius, near the sphere or not.
        key: (n,) uint32, the site's name.
    """

    position: FloatArray
    key: KeyArray


def sites_of_cubes(
    seed: int | NDArray[np.int64], frequency: float | FloatArray, cubes: NDArray[np.int64]
) -> Sites:
    """Return the site of each cube ``(n, 3)`` of a grid with ``frequency`` cubes per radius.

    Seed and frequency may be given per cube, ``(n,)`` and ``(n, 1)``.
    """
    key = place_keys(seed, cubes[:, 0], cubes[:, 1], cubes[:, 2])
    jitter = many_units(key, 3, first=9001).T.astype(np.float64)
    return Sites((cubes + jitter) / frequency, key)


def nearest_keys(seed: int, frequency: float, points: FloatArray) -> KeyArray:
    """Return the key of the nearest site per point, among its cube and the 26 around it.

    Args:
        seed: The layer's seed.
        frequency: Cubes per radius.
        points: (n, 3).
    """
    own = np.floor(points * frequency).astype(np.int64)
    found = np.empty(len(points), np.uint32)
    first = own[0]
    alike = (own == first).all(axis=1)
    groups = [first] if alike.all() else list(np.unique(own, axis=0))
    for cube in groups:
        rows = slice(None) if len(groups) == 1 else np.flatnonzero((own == cube).all(axis=1))
        sites = sites_of_cubes(seed, frequency, cube + _NEIGHBOURS)
        offset = points[rows][:, None] - sites.position
        square = offset * offset
        distance = square[..., 0] + square[..., 1] + square[..., 2]
        found[rows] = sites.key[np.argmin(distance, axis=1)]
    return found
