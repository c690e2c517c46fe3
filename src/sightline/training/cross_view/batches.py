"""Which pairs make a batch: shuffled, with hard partners, or within clusters.

Each epoch's batches hang on the seed, the epoch and what was found out about the pairs (neighbours,
clusters), which is part of a checkpoint. A batch is that of all processes together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sightline.datasets.samplers import ResumableBatches
from sightline.errors import UsageError

Rows = NDArray[np.int64]

_ROWS_AT_ONCE = 2_048


class Shuffled(ResumableBatches):
    """Every row once in an epoch, in random order.

    Args:
        rows: How many rows there are.
        batch_size: Rows in a batch.
        seed: Decides the order.

    Raises:
        UsageError: There are too few rows for a batch.
    """

    def __init__(self, rows: int, batch_size: int, *, seed: int = 0) -> None:
        super().__init__(rows, batch_size, seed=seed)
        self._refuse_empty(f"{rows} pairs")

    def identity(self) -> bytes:
        """Nothing but the common settings."""
        return b""

    def batches_of(self, epoch: int) -> Sequence[Rows]:
        """Return all batches of an epoch."""
        order = np.random.default_rng([self.seed, epoch]).permutation(self.rows)
        return _cut(order.astype(np.int64), self.batch_size)


class WithHardPartners(ResumableBatches):
    """A part of each batch drawn at random, the rest near them under the current model.

    Zhu, Yang and Chen, VIGOR (CVPR 2021), section 4, as TransGeo's and FRGeo's code has it: half of
    a batch is random rows, and each brings one of its 100 nearest that is not in the batch yet.

    Args:
        neighbours: (n, k) the nearest rows of each, the nearest first; see :func:`nearest_rows`.
        batch_size: Rows in a batch.
        share: Share of a batch that is partners, half of it at most: each drawn row brings one.
        seed: Decides rows and partners.
    """

    def __init__(
        self,
        neighbours: NDArray[np.int32],
        batch_size: int,
        *,
        share: float = 0.5,
        seed: int = 0,
    ) -> None:
        super().__init__(len(neighbours), batch_size, seed=seed)
        self.neighbours = neighbours
        self._partners = int(batch_size * share)
        self._refuse_empty(f"{self.rows} pairs")

    def identity(self) -> bytes:
        """The neighbours, and how many partners a batch has."""
        return f"{self._partners} ".encode() + self.neighbours.tobytes()

    def batches_of(self, epoch: int) -> Sequence[Rows]:
        """Return all batches of an epoch; as many as shuffling would give."""
        generator = np.random.default_rng([self.seed, epoch])
        order = generator.permutation(self.rows)
        first = self.batch_size - self._partners
        return [
            self._filled(order[number * first : (number + 1) * first], generator)
            for number in range(self.rows // self.batch_size)
        ]

    def _filled(self, drawn: NDArray[np.int64], generator: np.random.Generator) -> Rows:
        batch = dict.fromkeys(drawn.tolist())
        for row in drawn[: self._partners].tolist():
            near = [one for one in self.neighbours[row].tolist() if one >= 0 and one not in batch]
            # All neighbours may be in the batch already: then anyone who is not.
            batch[int(generator.choice(near)) if near else self._anyone(batch, generator)] = None
        return np.array(list(batch), np.int64)

    def _anyone(self, batch: dict[int, None], generator: np.random.Generator) -> int:
        while True:
            row = int(generator.integers(self.rows))
            if row not in batch:
                return row


class WithinClusters(ResumableBatches):
    """Super-batches: every row once in an epoch, each batch from one cluster.

    Debnath, "Proportional Search Space Reduction", section 2.4. Rows that are left over in a
    cluster when no full batch remains sit the epoch out; others do in the next, because the order
    is drawn anew. A cluster of fewer rows than a batch is never seen.

    Args:
        clusters: (n,) cluster of each row.
        batch_size: Rows in a batch.
        seed: Decides the order.

    Raises:
        UsageError: No cluster has a batch's worth of rows.
    """

    def __init__(self, clusters: NDArray[np.int32], batch_size: int, *, seed: int = 0) -> None:
        super().__init__(len(clusters), batch_size, seed=seed)
        self.clusters = clusters
        self._refuse_empty(f"{self.rows} pairs in {len(np.unique(clusters))} clusters")

    def identity(self) -> bytes:
        """The clusters."""
        return self.clusters.tobytes()

    def batches_of(self, epoch: int) -> Sequence[Rows]:
        """Return all batches of an epoch, those of different clusters mixed."""
        generator = np.random.default_rng([self.seed, epoch])
        order = generator.permutation(self.rows).astype(np.int64)
        made: list[Rows] = []
        for cluster in np.unique(self.clusters):
            made += _cut(order[self.clusters[order] == cluster], self.batch_size)
        return [made[number] for number in generator.permutation(len(made))]


def nearest_rows(
    queries: NDArray[np.float32],
    references: NDArray[np.float32],
    count: int,
    *,
    same: NDArray[np.int64] | None = None,
) -> NDArray[np.int32]:
    """The rows whose references are nearest to each row's query, its own left out.

    Args:
        queries: (n, d) unit vectors, row by row what the references belong to.
        references: (n, d).
        count: k.
        same: (n,) place of each row; rows of one place are no neighbours. None: all differ.

    Returns:
        int32 (n, k), the nearest first; -1 where there are fewer.

    Raises:
        UsageError: The shapes differ.
    """
    rows = len(queries)
    if queries.shape != references.shape:
        raise UsageError(
            f"queries and references must have one shape. Got {queries.shape} and "
            f"{references.shape}.",
            hint="Give both views of the same pairs.",
        )
    places = np.arange(rows) if same is None else same
    wanted = min(count, rows - 1)
    found = np.full((rows, count), -1, np.int32)
    for start in range(0, rows, _ROWS_AT_ONCE):
        part = slice(start, min(start + _ROWS_AT_ONCE, rows))
        scores = queries[part] @ references.T
        scores[places[part, None] == places[None]] = -np.inf
        if wanted < 1:
            break
        best = np.argpartition(-scores, wanted - 1, axis=1)[:, :wanted]
        own = np.take_along_axis(scores, best, axis=1)
        # Of equals the first: the order must not hang on how they were partitioned.
        order = np.lexsort((best, -own), axis=1)
        best = np.take_along_axis(best, order, axis=1)
        own = np.take_along_axis(own, order, axis=1)
        found[part, :wanted] = np.where(np.isfinite(own), best, -1)
    return found


def _cut(order: Rows, batch_size: int) -> list[Rows]:
    """Full batches of an order; the rest is left out."""
    count = len(order) // batch_size
    return [order[number * batch_size : (number + 1) * batch_size] for number in range(count)]
