"""What a search returns: a typed batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

SearchMode = Literal["exact", "approximate", "tree", "lsh"]
"""How the candidates of an answer were found."""

SearchWay = Literal["auto", "exact", "approximate", "tree", "lsh"]
"""How one may ask for them to be found."""


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """The best k references of each of q queries, best first.

    Attributes:
        ids: int64 (q, k), row ids of the store; -1 where there are fewer than k.
        scores: float32 (q, k), in [-1, 1], what ordered them; NaN where there is none.
        coordinates: float64 (q, k, 2), degrees; NaN where there is none.
        uris: object (q, k), the reference's first name; None where there is none.
        views: int16 (q, k), which view of the reference photo; -1 where there is none.
        headings: float32 (q, k), degrees; NaN where unknown.
        mode: How the candidates were found.
        recall_estimate: Share of the exact candidates that this search finds, as measured when
            the accelerator or the structure was built; 1 for an exact search; None where so many
            were never measured.
    """

    ids: NDArray[np.int64]
    scores: NDArray[np.float32]
    coordinates: NDArray[np.float64]
    uris: NDArray[Any]
    views: NDArray[np.int16]
    headings: NDArray[np.float32]
    mode: SearchMode
    recall_estimate: float | None

    @property
    def distances(self) -> NDArray[np.float32]:
        """2 − 2 · score: the squared Euclidean distance of unit vectors, float32 (q, k)."""
        return np.asarray(2.0 - 2.0 * self.scores, np.float32)

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many references each query got, int64 (q,)."""
        return np.asarray((self.ids >= 0).sum(axis=1), np.int64)

    def __len__(self) -> int:
        return len(self.ids)
