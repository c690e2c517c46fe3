"""How two vectors are compared, and when two comparisons are a tie.

What is a tie: two scores of one query that rounding alone could have made different. A stored
component carries two roundings, of its value and of the division by the length, so it is off by at
most 2u (u = 2^-24 for float32); a dot product of two such vectors by at most 4u ‖q‖ ‖r‖ (Higham,
*Accuracy and Stability of Numerical Algorithms*, 2002, section 3.1, with sums in float64), and the
difference of two of them by 8u ‖q‖ ‖r‖. Identical vectors have, in float64, scores that differ by
less, whatever block they fall in: they are always tied. Numbers of float16 are taken as they stand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.evaluation.retrieval.block_arithmetic import pair_products
from sightline.evaluation.retrieval.relevance import Indices
from sightline.evaluation.retrieval.vectors import Measured, Vectors

Distance: TypeAlias = Literal["euclidean", "cosine", "dot"]

UNIT_ROUNDOFF_32 = 2.0**-24
UNIT_ROUNDOFF_64 = 2.0**-53
ROUNDINGS = 8
"""How many unit roundoffs two scores of one query may differ by and still be tied."""

PAIRS_BYTES = 64 * 2**20
"""Memory for pairs of vectors that are compared one by one."""


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """How two vectors are compared: ``score = q . (w r) + b``, the larger the closer.

    For squared Euclidean distance, w = 1 and b = -‖r‖² / 2: ‖q‖² - 2 score is the distance. Among
    vectors of length 1, b is the same for all and is left out. For cosine, w = 1 / ‖r‖.

    Attributes:
        queries: (n, d).
        references: (m, d).
        weights: float64 (m,), w; None for 1.
        biases: float64 (m,), b; None for 0.
        query_norms: float64 (n,), ‖q‖.
        score_norms: float64 (m,), what the error of a score grows with beside ‖q‖: ‖w r‖.
        tolerance: Relative tie tolerance: scores of query q that differ by no more than this times
            ‖q‖ ‖w r‖ (and the size of b) are tied.
    """

    queries: Vectors
    references: Vectors
    weights: NDArray[np.float64] | None
    biases: NDArray[np.float64] | None
    query_norms: NDArray[np.float64]
    score_norms: NDArray[np.float64]
    tolerance: float

    @classmethod
    def of(
        cls,
        queries: Vectors,
        references: Vectors,
        measured: tuple[Measured, Measured],
        distance: Distance,
    ) -> Space:
        """Choose weights and biases for a distance.

        Args:
            queries: (n, d).
            references: (m, d).
            measured: Lengths of both; no reference of length 0 for cosine.
            distance: What is compared.
        """
        asked, given = measured
        weights = biases = None
        norms = given.norms
        if distance == "cosine":
            weights, norms = 1.0 / given.norms, np.ones_like(given.norms)
        elif distance == "euclidean" and not given.unit:
            biases = -(given.norms**2) / 2.0
        roundoff = UNIT_ROUNDOFF_32 if asked.single and given.single else UNIT_ROUNDOFF_64
        dimension = queries.shape[1]
        tolerance = ROUNDINGS * roundoff + 4 * dimension * UNIT_ROUNDOFF_64
        return cls(queries, references, weights, biases, asked.norms, norms, tolerance)

    def slack(self, owners: Indices, members: Indices) -> NDArray[np.float64]:
        """Absolute tie tolerance (p,) around the scores of pairs (query, reference)."""
        size = self.query_norms[owners] * self.score_norms[members]
        if self.biases is not None:
            size = size + np.abs(self.biases[members])
        return np.asarray(self.tolerance * size)

    def pair_scores(self, owners: Indices, members: Indices) -> NDArray[np.float64]:
        """Return the scores (p,) of pairs (query, reference), in float64."""
        out = np.empty(len(owners))
        step = max(1, PAIRS_BYTES // (16 * self.queries.shape[1]))
        for start in range(0, len(owners), step):
            part = slice(start, start + step)
            asked = torch.from_numpy(self.queries.take(owners[part]))
            given = torch.from_numpy(self.references.take(members[part]))
            each = torch.arange(len(asked))
            out[part] = pair_products(asked, each, given, each).numpy()
        if self.weights is not None:
            out *= self.weights[members]
        if self.biases is not None:
            out += self.biases[members]
        return out

    @property
    def scale(self) -> float:
        """A power of two that brings long and short vectors to where float32 has room."""
        longest = max(float(self.query_norms.max()), float(self.score_norms.max()), 1e-300)
        exponent = int(np.round(np.log2(longest)))
        return 1.0 if abs(exponent) <= 20 else 2.0**-exponent
