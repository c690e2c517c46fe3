"""What lies in the cells: how many places, and where their middle is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.geo.coordinates import FloatArray, from_unit_vectors, unit_vectors
from sightline.geo.partition.cells import Rows
from sightline.geo.partition.chunks import Places, in_chunks

# Below this length the mean direction is made of rounding errors.
_SHORTEST_MEAN = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Members:
    """Sums over the members of m cells.

    Attributes:
        counts: int64 (m,).
        vectors: float64 (m, 3), the sum of their unit vectors.
    """

    counts: NDArray[np.int64]
    vectors: FloatArray

    def means(self, otherwise: FloatArray) -> FloatArray:
        """Return the spherical means, (m, 2) degrees.

        Args:
            otherwise: (m, 2), for cells without members, or whose members cancel out.
        """
        length = np.linalg.norm(self.vectors, axis=1) / np.maximum(self.counts, 1)
        found = length > _SHORTEST_MEAN
        means = np.array(otherwise)
        means[found] = from_unit_vectors(self.vectors[found])
        return means


def gather_members(
    cells: int, places: Places, locate: Callable[[slice, FloatArray], Rows]
) -> Members:
    """Sum places cell by cell, in bounded memory; those in no cell count nowhere.

    Args:
        cells: m of them.
        places: n.
        locate: Returns the rows of the cells of some of the places, -1 for none.
    """

    def part(some: slice) -> FloatArray:
        here = places.part(some)
        # Row 0 takes what is outside.
        rows = locate(some, here) + 1
        vectors = unit_vectors(here)
        weights = (None, vectors[:, 0], vectors[:, 1], vectors[:, 2])
        return np.stack([np.bincount(rows, w, minlength=cells + 1) for w in weights])

    total = np.zeros((4, cells + 1))
    # In order, so that sums are rounded alike however many threads there are.
    for sums in in_chunks(part, len(places)):
        total += sums
    counts = total[0].astype(np.int64)
    return Members(counts[1:], np.ascontiguousarray(total[1:, 1:].T))
