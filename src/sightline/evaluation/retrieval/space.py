"""How two vectors are compared, and when two comparisons are a tie.

What is a tie: two scores of one query that rounding alone could have made different. A stored
component carries two roundings, of its value and of the division by the length, so it is off by at
most 2u (u = 2^-24 for float32); a dot product of two such vectors by at most 4u ‖q‖ ‖r‖ (Higham,
*Accuracy and Stability of Numerical Algorithms*, 2002, section 3.1, with sums in float64), and the
difference of two of them by 8u ‖q‖ ‖r‖. To that comes what the sums in float64 may err, 4d 2^-53
for d dimensions, so that identical vectors are tied whatever block they fall in. Where lengths
differ, 8u times the size of ‖r‖² / 2 is added. u is that of the references' numbers (2^-53 for
float64 that float32 cannot hold), and r the positive. Numbers of float16 are taken as they stand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.errors import VectorError
from sightline.evaluation.retrieval.block_arithmetic import pair_products
from sightline.evaluation.retrieval.relevance import Indices
from sightline.evaluation.retrieval.vectors import Measured, Vectors

Distance: TypeAlias = Literal["euclidean", "cosine", "dot"]

UNIT_ROUNDOFF_32 = 2.0**-24
UNIT_ROUNDOFF_64 = 2.0**-53
ROUNDINGS = 8
"""How many unit roundoffs two scores of one query may differ by and still be tied."""

# Rounding parts vectors of one length by no more; with twice the tolerance to spare, leaving out
# their differences inverts no order.
_ONE_LENGTH = 4

PAIRS_BYTES = 64 * 2**20
"""Memory for pairs of vectors that are compared one by one."""


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """How two vectors are compared: ``score = (s q) . (w r) + b``, the larger the closer.

    For squared Euclidean distance, w = t and b = -s t ‖r‖² / 2: the distance is ‖q‖² - 2 score / (s
    t). Among vectors of one length, b is the same for all and is left out. For cosine,
    w = 1 / ‖r‖. The powers of two s and t bring the longest vector of either side to a length
    near 1, so that neither float32 nor float64 runs out of range; they change no order.

    Attributes:
        queries: (n, d).
        references: (m, d).
        query_scale: s.
        weights: float64 (m,), w.
        plain: All weights are 1: references can be compared as they stand.
        biases: float64 (m,), b; None for 0.
        query_norms: float64 (n,), ‖s q‖.
        score_norms: float64 (m,), ‖w r‖.
        reference_norms: Lengths of the shortest and the longest reference.
        tolerance: Relative tie tolerance: scores of query q that differ by no more than this times
            ‖s q‖ ‖w r‖ (and the size of b) are tied, r being the positive.
    """

    queries: Vectors
    references: Vectors
    query_scale: float
    weights: NDArray[np.float64]
    plain: bool
    biases: NDArray[np.float64] | None
    query_norms: NDArray[np.float64]
    score_norms: NDArray[np.float64]
    reference_norms: tuple[float, float]
    tolerance: float

    @classmethod
    def of(
        cls,
        queries: Vectors,
        references: Vectors,
        measured: tuple[Measured, Measured],
        distance: Distance,
    ) -> Space:
        """Choose scales, weights and biases for a distance.

        Args:
            queries: (n, d).
            references: (m, d).
            measured: Lengths of both; no reference of length 0 for cosine.
            distance: What is compared.

        Raises:
            VectorError: The lengths lie so far apart that float64 cannot hold their scores.
        """
        asked, given = measured
        shortest, longest = float(given.norms.min()), float(given.norms.max())
        # What parts two references of a query is their rounding, whatever the query's type.
        roundoff = UNIT_ROUNDOFF_32 if given.single else UNIT_ROUNDOFF_64
        query_scale, scale = _scale(asked.norms), _scale(given.norms)
        biases = None
        if distance == "cosine":
            weights = 1.0 / given.norms
        else:
            weights = np.full(len(given.norms), scale)
            if distance == "euclidean" and longest - shortest > _ONE_LENGTH * roundoff * longest:
                # In this order, because the squares of lengths may be out of range.
                with np.errstate(over="ignore"):
                    biases = -(given.norms * scale) * (given.norms * query_scale) / 2.0
        dimension = queries.shape[1]
        space = cls(
            queries,
            references,
            query_scale,
            weights,
            bool((weights == 1.0).all()),
            biases,
            asked.norms * query_scale,
            given.norms * weights,
            (shortest, longest),
            ROUNDINGS * roundoff + 4 * dimension * UNIT_ROUNDOFF_64,
        )
        space._require_range()
        return space

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
            weights = torch.from_numpy(self.weights[members[part]])
            scores = pair_products(asked, each, given, each, self.query_scale, weights)
            out[part] = scores.numpy()
        if self.biases is not None:
            out += self.biases[members]
        return out

    def _require_range(self) -> None:
        for values in (self.weights, self.score_norms, self.query_norms, self.biases):
            if values is not None and not np.isfinite(values).all():
                raise VectorError(
                    "queries are up to "
                    f"{self.query_norms.max() / self.query_scale:.3g} long and references "
                    f"{self.reference_norms[0]:.3g} to {self.reference_norms[1]:.3g}: too far "
                    "apart to be compared.",
                    hint="Find out what made such vectors, or normalise them.",
                )


def _scale(norms: NDArray[np.float64]) -> float:
    """A power of two that brings the longest vector to about 1; 1 if it is not far from that."""
    longest = float(norms.max())
    if not 0.0 < longest < np.inf:
        return 1.0
    exponent = int(np.round(np.log2(longest)))
    # Its reciprocal must be a number, too.
    return 1.0 if abs(exponent) <= 20 else 2.0 ** -min(max(exponent, -1020), 1020)
