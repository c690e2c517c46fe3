"""One row of each group and epoch: uniform over cells, or over photographers.

Photos are taken where people are: drawn row by row, a model sees little but a few towns. Drawn cell
by cell it sees each part of the Earth as often as any other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.datasets.samplers.resumable import ResumableBatches, Rows
from sightline.errors import UsageError
from sightline.geo import cells


class OnePerGroup(ResumableBatches):
    """Each epoch takes one row of every group, in random order.

    A group's rows take turns: none comes again before all others of the group have come, in an
    order that is drawn anew each time round. So two rows of a group are never in one batch.

    Args:
        groups: (n,) group of each row, whole numbers or text.
        batch_size: Rows in a batch of one rank.
        seed: Decides which row stands for its group, and the order of the groups.
        rank: Which rank this is.
        world_size: How many ranks there are.
        drop_last: Leave out a last batch that is not full.

    Raises:
        UsageError: A number is impossible, or there are too few groups for a batch.
    """

    def __init__(
        self,
        groups: ArrayLike,
        batch_size: int,
        *,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        drop_last: bool = True,
    ) -> None:
        given = np.asarray(groups)
        if given.ndim != 1 or given.dtype.kind not in "iuSU":
            raise UsageError(
                f"groups must be whole numbers or text of shape (n,). Got {given.dtype} of shape "
                f"{given.shape}.",
                hint="Give the cell or the photographer of each row.",
            )
        super().__init__(
            len(given),
            batch_size,
            seed=seed,
            rank=rank,
            world_size=world_size,
            drop_last=drop_last,
        )
        _, first, group, sizes = np.unique(
            given, return_index=True, return_inverse=True, return_counts=True
        )
        self._group: NDArray[np.int64] = group.ravel().astype(np.int64)
        self._sizes: NDArray[np.int64] = sizes.astype(np.int64)
        self._starts = np.cumsum(self._sizes) - self._sizes
        self.groups = len(first)
        self._refuse_empty(f"{self.rows} rows in {self.groups} groups")

    def identity(self) -> bytes:
        """Return the group of each row."""
        return self._group.tobytes()

    def chosen_in(self, epoch: int) -> Rows:
        """Return the row that stands for each group in an epoch, (groups,)."""
        turn, place = np.divmod(epoch, self._sizes)
        # Each group is on a round of its own; within it, the rows' draws give their order.
        draws = _draws(np.arange(self.rows), turn[self._group], self.seed)
        order = np.lexsort((draws, self._group))
        return np.asarray(order[self._starts + place], np.int64)

    def batches_of(self, epoch: int) -> Sequence[Rows]:
        """Return all batches of an epoch, of all ranks together."""
        rows = self.chosen_in(epoch)
        np.random.default_rng([self.seed, epoch]).shuffle(rows)
        end = len(rows) - len(rows) % self.batch_size if self.drop_last else len(rows)
        return [
            rows[start : min(start + self.batch_size, end)]
            for start in range(0, end, self.batch_size)
        ]


def uniform_over_cells(
    latlon: ArrayLike,
    batch_size: int,
    *,
    level: int,
    seed: int = 0,
    rank: int = 0,
    world_size: int = 1,
    drop_last: bool = True,
) -> OnePerGroup:
    """Return a sampler that takes one pair of each S2 cell and epoch.

    Args:
        latlon: (n, 2) degrees, latitude first.
        batch_size: Rows in a batch of one rank.
        level: S2 level of the cells.
        seed: Decides which row stands for its cell, and the order.
        rank: Which rank this is.
        world_size: How many ranks there are.
        drop_last: Leave out a last batch that is not full.

    Raises:
        CoordinateError: A place is out of range.
        CellError: There is no such level.
        UsageError: A number is impossible, or there are too few cells for a batch.
    """
    return OnePerGroup(
        cells.cell_ids(latlon, level),
        batch_size,
        seed=seed,
        rank=rank,
        world_size=world_size,
        drop_last=drop_last,
    )


def by_photographer(
    photographers: Sequence[str | None],
    batch_size: int,
    *,
    seed: int = 0,
    rank: int = 0,
    world_size: int = 1,
    drop_last: bool = True,
) -> OnePerGroup:
    """Return a sampler that takes one photo of each photographer and epoch.

    Somebody with ten thousand photos counts no more than somebody with one, and a batch never
    holds two photos of one walk. A photo without a photographer counts as one of its own.

    Args:
        photographers: (n,) names; None or empty where not known.
        batch_size: Rows in a batch of one rank.
        seed: Decides which row stands for its photographer, and the order.
        rank: Which rank this is.
        world_size: How many ranks there are.
        drop_last: Leave out a last batch that is not full.

    Raises:
        UsageError: A number is impossible, or there are too few photographers for a batch.
    """
    numbers: dict[str, int] = {}
    groups = np.empty(len(photographers), np.int64)
    for row, name in enumerate(photographers):
        groups[row] = numbers.setdefault(name, len(numbers)) if name else -1 - row
    return OnePerGroup(
        groups, batch_size, seed=seed, rank=rank, world_size=world_size, drop_last=drop_last
    )


def _draws(rows: Rows, turn: NDArray[np.int64], seed: int) -> NDArray[np.uint64]:
    """Return a random number for each row and round (the finaliser of SplitMix64, twice)."""
    mixed = _mixed(rows.astype(np.uint64) ^ _mixed(np.array([seed], np.uint64)))
    return _mixed(mixed + _mixed(turn.astype(np.uint64)))


def _mixed(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(value ^ (value >> np.uint64(31)))
