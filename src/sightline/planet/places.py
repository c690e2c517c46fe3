"""Where photos are taken: places drawn by how many people live there and by fame.

The Earth is cut into squares of squares, like S2 cells but turned, so that no border of these lies
on a border of those. Going down from the whole sphere, each square takes one of its four parts by
weight: the people who live there times a fame that is drawn for each square once. Such a product of
random factors over the scales (a log-normal cascade) is what makes real photo collections so
uneven: some quarters of some towns of some countries hold most of them, at every scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sightline.errors import UsageError
from sightline.geo.coordinates import as_coordinates, from_unit_vectors, unit_vectors
from sightline.geo.cube import face_uv, face_xyz, st_from_uv, uv_from_st
from sightline.planet.draws import exponential, mixed_keys, normals_of

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

FINEST = 14
"""The last level: squares of about 600 m."""
COUNTED = 11
"""Down to this level (5 km) people are counted, town by town; below, their density is looked up."""
FAME_SPREAD = (1.2, 1.2, 1.25, 1.2, 1.15, 1.1, 1.1, 1.15, 1.15, 1.1, 1.0, 0.95, 0.9, 0.8, 0.8)
"""Standard deviation of the logarithm of fame by level, fitted to 100,000 places of MP16."""
UNITS = FINEST + 4
"""How many random numbers one draw of a place takes."""

_STREAM = 0x504C41
_COARSE = 6
_EARTH_KM2 = 5.1e8
# A rotation in exact thirds, its own inverse: the turned cube shares no border with that of S2.
_TURN = ((1.0, 2.0, 2.0), (2.0, 1.0, -2.0), (2.0, -2.0, 1.0))


@dataclass(frozen=True)
class Sights:
    """Famous things.

    Args:
        places: Where they stand, (n, 2) degrees.
        fame: How often they are photographed beside the most famous one, (n,) in (0, 1].
    """

    places: Floats
    fame: Floats


class Geography(Protocol):
    """What has to be known of a globe to draw places on it."""

    def townspeople(self) -> tuple[Floats, Floats]:
        """Where people live in towns: unit vectors ``(m, 3)``, and how many at each, (m,)."""

    def countrypeople(self, directions: Floats) -> Floats:
        """People per km² outside towns at ``(n, 3)`` unit vectors, 0 on the sea, shape (n,)."""

    def density(self, directions: Floats) -> Floats:
        """People per km² there, towns included, 0 on the sea, shape (n,)."""

    def sights(self, direction: Floats, within_m: float) -> Sights:
        """The famous things within a distance of a unit vector ``(3,)``."""


@dataclass(frozen=True)
class Squares:
    """Squares of the turned cube, one level for all; arrays of shape (n,).

    Args:
        level: 0 (a face) to ``FINEST``.
        face: 0 to 5.
        i: In [0, 2^level).
        j: In [0, 2^level).
    """

    level: int
    face: Integers
    i: Integers
    j: Integers

    def __len__(self) -> int:
        return len(self.face)

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> Squares:
        """Some of them, by index or mask."""
        return Squares(self.level, self.face[rows], self.i[rows], self.j[rows])

    def names(self) -> NDArray[np.int64]:
        """One integer for each square of the level."""
        return (self.face << (2 * self.level)) | (self.i << self.level) | self.j

    def children(self) -> Squares:
        """The four parts of each, in order, shape (4 n,)."""
        i = (2 * self.i[:, None] + np.array([0, 0, 1, 1])).ravel()
        j = (2 * self.j[:, None] + np.array([0, 1, 0, 1])).ravel()
        return Squares(self.level + 1, np.repeat(self.face, 4), i, j)

    def ancestors(self, level: int) -> Squares:
        """The squares of a coarser level that hold these."""
        up = self.level - level
        return Squares(level, self.face, self.i >> up, self.j >> up)

    def directions(self, right: Floats, up: Floats) -> Floats:
        """Unit vectors (n, 3) of points in the squares, ``right`` and ``up`` in [0, 1]."""
        size = float(1 << self.level)
        u, v = uv_from_st((self.i + right) / size), uv_from_st((self.j + up) / size)
        return _turned(face_xyz(self.face, u, v))


def squares_at(coordinates: Floats, level: int) -> Squares:
    """The squares of a level that hold the places, given as ``(n, 2)`` degrees."""
    face, u, v = face_uv(_turned(unit_vectors(as_coordinates(coordinates))))
    size = 1 << level
    i, j = (np.minimum((st_from_uv(x) * size).astype(np.int64), size - 1) for x in (u, v))
    return Squares(level, face.astype(np.int64), i, j)


class Places:
    """Draws places; the same for the same seed, geography and random numbers.

    Args:
        seed: The planet's seed.
        geography: Its land and people.
    """

    def __init__(self, seed: int, geography: Geography) -> None:
        self._seed = seed
        self._geography = geography

    def draw(self, units: Floats, within: Squares | None = None) -> tuple[Squares, Floats]:
        """Draw places.

        Args:
            units: Random numbers in [0, 1), float64 (n, UNITS or more); each row decides one
                place alone.
            within: Squares (n) that shall hold them; None for the whole globe.

        Returns:
            The squares of level ``FINEST``, and a point in each, (n, 2) degrees.

        Raises:
            UsageError: Nobody lives on this globe.
        """
        squares = self._faces(units[:, 0]) if within is None else within
        while squares.level < FINEST:
            column = units[:, squares.level + 1]
            names, first, row = np.unique(squares.names(), return_index=True, return_inverse=True)
            parts = squares.take(first).children()
            weights = self._weights(parts).reshape(len(names), 4)
            # A coast can cut a square so that no part's own samples lie on land: any part then.
            weights[~weights.any(axis=1)] = 1.0
            chosen = _chosen(weights[row], column)
            squares = parts.take(row * 4 + chosen)
        return squares, self.points(squares, units[:, UNITS - 2], units[:, UNITS - 1])

    def points(self, squares: Squares, right: Floats, up: Floats) -> Floats:
        """Points in squares, (n, 2) degrees, rounded to 1e-7: a centimetre, so machines agree."""
        return np.round(from_unit_vectors(squares.directions(right, up)), 7)

    def _faces(self, column: Floats) -> Squares:
        zeros = np.zeros(6, np.int64)
        faces = Squares(0, np.arange(6), zeros, zeros)
        weights = self._weights(faces)
        if not weights.any():
            raise UsageError(
                f"Nobody lives on the planet of seed {self._seed}: it has no land.",
                hint="Choose another seed.",
            )
        return faces.take(_chosen(np.broadcast_to(weights, (len(column), 6)), column))

    def _weights(self, squares: Squares) -> Floats:
        """People times fame, shape (n,)."""
        return self._people(squares) * self.fame(squares)

    def _people(self, squares: Squares) -> Floats:
        """How many people live in each square, (n,)."""
        counted = squares.level <= COUNTED
        side = 4 if squares.level <= _COARSE else 2 if counted else 3
        steps = (np.arange(side) + 0.5) / side
        right, up = (axis.ravel() for axis in np.meshgrid(steps, steps, indexing="ij"))
        count = side * side
        repeated = squares.take(np.repeat(np.arange(len(squares)), count))
        directions = repeated.directions(np.tile(right, len(squares)), np.tile(up, len(squares)))
        known = self._geography.countrypeople if counted else self._geography.density
        density = known(directions).reshape(len(squares), count)
        total = density[:, 0].copy()
        for column in range(1, count):
            total += density[:, column]
        total *= _EARTH_KM2 / (6 << (2 * squares.level)) / count
        if counted:
            names, sums = self._towns[squares.level]
            row = np.minimum(np.searchsorted(names, squares.names()), len(names) - 1)
            total += np.where(names[row] == squares.names(), sums[row], 0.0)
        return total

    @cached_property
    def _towns(self) -> list[tuple[Integers, Floats]]:
        """For each level down to ``COUNTED``: squares with towns, ascending, and their people."""
        directions, people = self._geography.townspeople()
        finest = squares_at(from_unit_vectors(directions), COUNTED)
        found = []
        for level in range(COUNTED + 1):
            names, row = np.unique(finest.ancestors(level).names(), return_inverse=True)
            sums = np.bincount(row, weights=people, minlength=len(names)).astype(np.float64)
            found.append(
                (np.append(names, -1), np.append(sums, 0.0)) if not len(names) else (names, sums)
            )
        return found

    def fame(self, squares: Squares) -> Floats:
        """The factor by which each square draws more photos than its people explain, (n,)."""
        return exponential(FAME_SPREAD[squares.level] * self.fame_normal(squares))

    def fame_normal(self, squares: Squares) -> Floats:
        """The logarithm of fame in units of its standard deviation, (n,)."""
        keys = mixed_keys(_STREAM, self._seed, squares.level, squares.face, squares.i, squares.j)
        return normals_of(keys)


def _chosen(weights: Floats, column: Floats) -> Integers:
    sums = np.cumsum(weights, axis=1)
    chosen = (sums <= (column * sums[:, -1])[:, None]).sum(axis=1)
    last = weights.shape[1] - 1 - (weights[:, ::-1] > 0).argmax(axis=1)
    found: Integers = np.minimum(chosen, last)
    return found


def _turned(xyz: Floats) -> Floats:
    x, y, z = xyz[:, 0], xyz[:, 1], xyz[:, 2]
    turned = np.stack([(x * a + y * b + z * c) / 3.0 for a, b, c in _TURN], axis=1)
    squares = turned * turned
    length = np.sqrt(squares[:, 0] + squares[:, 1] + squares[:, 2])
    unit: Floats = turned / length[:, None]
    return unit
