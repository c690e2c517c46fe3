"""Batches of places near each other on the ground: hard for a model that is still at its start.

Neighbours share climate, country and style, so that only the layout of a place tells them apart.
Drawing negatives by GPS in the first epochs is due to Deuser et al. (Sample4Geo, ICCV 2023).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from sightline.datasets.samplers.resumable import ResumableBatches, Rows
from sightline.errors import UsageError
from sightline.geo.coordinates import EARTH_RADIUS_M, as_coordinates, unit_vectors

# Rows whose neighbours are looked up at once: bounds the memory.
_BATCH = 1 << 16


class NearOnGround(ResumableBatches):
    """Each epoch takes every row once, in batches made of clusters of near places.

    A cluster is a random row with the nearest rows that have not come yet. Its rows are among the
    ``neighbours`` nearest of the first; where those are used up, clusters are smaller.

    Args:
        latlon: (n, 2) degrees, latitude first.
        batch_size: Rows in a batch of one rank.
        cluster: Rows in a cluster; ``batch_size`` or less.
        neighbours: How many nearest rows to choose among; four clusters' worth by default.
        apart_m: Two rows nearer than this are never in one batch: they would show one place and
            be told apart all the same. A row for which no batch is left is left out.
        seed: Decides the order.
        rank: Which rank this is.
        world_size: How many ranks there are.
        drop_last: Leave out batches that are not full.

    Raises:
        CoordinateError: A place is out of range.
        UsageError: A number is impossible, or there are too few rows for a batch.
    """

    def __init__(
        self,
        latlon: ArrayLike,
        batch_size: int,
        *,
        cluster: int = 8,
        neighbours: int | None = None,
        apart_m: float = 0.0,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        drop_last: bool = True,
    ) -> None:
        places = as_coordinates(latlon)
        super().__init__(
            len(places),
            batch_size,
            seed=seed,
            rank=rank,
            world_size=world_size,
            drop_last=drop_last,
        )
        if neighbours is None:
            neighbours = 4 * cluster
        if not 1 <= cluster <= batch_size or neighbours < cluster - 1:
            raise UsageError(
                "cluster must be between 1 and batch_size and neighbours at least cluster - 1. Got "
                f"{cluster!r}, {batch_size!r} and {neighbours!r}.",
                hint="8 rows in a cluster of a batch of 64 is a start.",
            )
        if not (math.isfinite(apart_m) and apart_m >= 0):
            raise UsageError(
                f"apart_m must be a number of metres, 0 or more. Got {apart_m!r}.",
                hint="25 m keeps photos of one spot out of one batch.",
            )
        self._vectors = unit_vectors(places)
        self._cluster, self._neighbours, self._apart_m = cluster, neighbours, apart_m
        self._refuse_empty(f"{self.rows} rows")

    def identity(self) -> bytes:
        """Return the places and how clusters are made."""
        settings = f"{self._cluster} {self._neighbours} {self._apart_m!r} "
        return settings.encode() + self._vectors.tobytes()

    @cached_property
    def _nearest(self) -> NDArray[np.int32]:
        """The nearest rows of each row, itself left out, (n, k); -1 where there are none."""
        wanted = min(self._neighbours + 1, self.rows)
        tree = cKDTree(self._vectors, balanced_tree=False)
        found = np.empty((self.rows, wanted), np.int32)
        for start in range(0, self.rows, _BATCH):
            part = slice(start, start + _BATCH)
            # k as a list keeps the second axis where only one neighbour is asked for.
            _, found[part] = tree.query(self._vectors[part], k=list(range(1, wanted + 1)))
        # A row is its own nearest, unless others stand on its very spot.
        found[found == np.arange(self.rows, dtype=np.int32)[:, None]] = -1
        return found

    def batches_of(self, epoch: int) -> Sequence[Rows]:
        """Return all batches of an epoch, of all ranks together."""
        generator = np.random.default_rng([self.seed, epoch])
        batches = _Batching(self, self._vectors, self._nearest, generator).batches()
        order = generator.permutation(len(batches)).tolist()
        return [batches[number] for number in order]

    @property
    def cluster(self) -> int:
        """Rows in a cluster."""
        return self._cluster

    @property
    def apart_chord(self) -> float:
        """The least straight distance on the unit sphere between rows of a batch."""
        return 2.0 * math.sin(min(self._apart_m / EARTH_RADIUS_M, math.pi) / 2.0)


class _Batching:
    """One epoch's batches while they are made."""

    def __init__(
        self,
        sampler: NearOnGround,
        vectors: NDArray[np.float64],
        nearest: NDArray[np.int32],
        generator: np.random.Generator,
    ) -> None:
        self._size, self._cluster = sampler.batch_size, sampler.cluster
        self._drop_last = sampler.drop_last
        self._least = sampler.apart_chord**2
        self._vectors, self._nearest = vectors, nearest
        self._waiting = deque(generator.permutation(len(vectors)).tolist())
        self._too_near: deque[int] = deque()
        self._used = np.zeros(len(vectors), bool)
        self._batch: list[int] = []

    def batches(self) -> list[Rows]:
        made = []
        while self._waiting or self._too_near:
            self._fill()
            if len(self._batch) == self._size or (self._batch and not self._drop_last):
                made.append(np.array(self._batch, np.int64))
            elif self._too_near:
                break  # what remains stands on a few spots, and would be tried for ever
            self._batch = []
        return made

    def _fill(self) -> None:
        """Fill a batch, with rows that stood too near to an earlier one first."""
        # A few of them at a time: all photos of a landmark, tried for every batch, would take
        # longer than everything else.
        self._draw(self._too_near, self._size)
        self._draw(self._waiting, len(self._waiting))
        self._draw(self._too_near, len(self._too_near))

    def _draw(self, source: deque[int], tries: int) -> None:
        too_near = []
        while source and tries and len(self._batch) < self._size:
            row = source.popleft()
            if self._used[row]:
                continue
            tries -= 1
            if not self._take(row):
                too_near.append(row)
                continue
            room = min(self._size - len(self._batch), self._cluster - 1)
            for near in self._nearest[row].tolist():
                if room == 0:
                    break
                if near >= 0 and not self._used[near] and self._take(near):
                    room -= 1
        self._too_near.extend(too_near)

    def _take(self, row: int) -> bool:
        if self._least > 0 and self._batch:
            apart = self._vectors[self._batch] - self._vectors[row]
            if ((apart * apart).sum(axis=1) < self._least).any():
                return False
        self._used[row] = True
        self._batch.append(row)
        return True
