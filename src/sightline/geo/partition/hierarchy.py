"""Partitions of several granularities at once: which coarse cell each fine cell lies in."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from sightline.errors import PartitionError
from sightline.geo.coordinates import FloatArray
from sightline.geo.partition.cells import Rows
from sightline.geo.partition.partition import Partition


def parent_rows(fine: Partition, coarse: Partition) -> Rows:
    """Return for each cell of ``fine`` the row of the cell of ``coarse`` that its middle lies in.

    That is the whole cell's parent wherever cells nest, as those of one
    :func:`~sightline.geo.partition.adaptive_s2_family` do. A middle in no cell goes to the nearest
    one.

    Returns:
        int64 (m,).
    """
    return coarse.assign(fine.cells.middles(), outside="nearest")


class Hierarchy:
    """Partitions from coarse to fine, and every fine cell's ancestors.

    Args:
        partitions: Two or more, each of more cells than the one before.

    Raises:
        PartitionError: Fewer than two, or not from coarse to fine.
    """

    def __init__(self, partitions: Sequence[Partition]) -> None:
        self.partitions = tuple(partitions)
        sizes = [len(partition) for partition in self.partitions]
        if len(sizes) < 2 or any(a >= b for a, b in itertools.pairwise(sizes)):
            raise PartitionError(
                f"A hierarchy needs two or more partitions from coarse to fine. Got {sizes} cells.",
                hint="Give them in order, each with more cells than the one before.",
            )
        self.ancestors = tuple(parent_rows(self.finest, coarse) for coarse in self.partitions[:-1])
        """For each partition but the finest, the row of each fine cell's ancestor: int64 (m,)."""

    @property
    def finest(self) -> Partition:
        """The partition that answers."""
        return self.partitions[-1]

    def combine(self, log_probabilities: Sequence[ArrayLike]) -> FloatArray:
        """Multiply each fine cell's probability with those of its ancestors.

        Kordopatis-Zilos et al. (2021), section 3.2.2, after Müller-Budack et al., *Geolocation
        Estimation of Photos Using a Hierarchical Model* (2018); here brought back to sum to 1.

        Args:
            log_probabilities: One (n, cells) array for each partition, from coarse to fine.

        Returns:
            Log-probabilities over the finest cells, float64 (n, m).

        Raises:
            PartitionError: Another number of arrays, arrays that are not of the same photos, or
                classes that are not the partition's.
        """
        if len(log_probabilities) != len(self.partitions):
            raise PartitionError(
                f"There must be one classifier for each of the {len(self.partitions)} partitions. "
                f"Got {len(log_probabilities)}.",
                hint="Give their outputs from coarse to fine.",
            )
        arrays = [np.asarray(one, np.float64) for one in log_probabilities]
        shapes = [array.shape for array in arrays]
        if any(len(shape) != 2 or shape[0] != shapes[-1][0] for shape in shapes):
            raise PartitionError(
                f"The classifiers' outputs must be (n, cells) for the same n photos. Got {shapes}.",
                hint="Give one row for each photo.",
            )
        for array, partition in zip(arrays, self.partitions, strict=True):
            partition.require_classes(array.shape[1])
        total = arrays[-1].copy()
        for array, rows in zip(arrays, self.ancestors, strict=False):
            total += array[:, rows]
        best = total.max(axis=1, keepdims=True)
        # Where every product is zero there is nothing to share out.
        best = np.where(np.isfinite(best), best, 0.0)
        shares = np.exp(total - best).sum(axis=1, keepdims=True)
        return np.asarray(total - best - np.log(np.where(shares > 0, shares, 1.0)))
