"""Losses of an anchor, its positive and all its negatives at once."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from sightline.losses.arguments import positive_number
from sightline.losses.comparison import Comparison
from sightline.losses.distances import Distance
from sightline.losses.pair_loss import PairLoss


def tuple_terms(violation: Tensor, chosen: Tensor) -> Tensor:
    """Return log(1 + Σ exp(x)) (n,) over each row's chosen x (n, m), without overflow."""
    exponents = violation.masked_fill(~chosen, -math.inf)
    one = torch.zeros_like(exponents[:, :1])
    return torch.cat([one, exponents], dim=1).logsumexp(dim=1)


class WeightedTupleLoss(PairLoss):
    """log(1 + Σ_j exp(α (d_pos - d_neg_j))), the weighted (B+1)-tuple loss.

    Zhang and Zhu, "Aligning geometric spatial layout in cross-view geo-localization via feature
    recombination" (FRGeo), 2024, equations 12 and 13, α = 10. The text calls d the L2 distance; the
    published code, which its numbers come from, takes cosine similarities, and that is the default
    here. On unit vectors ``squared_euclidean`` with α is ``cosine`` with 2 α; ``euclidean`` is the
    text to the letter. A batch of B equal embeddings costs log B.

    Args:
        weight: α.
        distance: See :data:`~sightline.losses.distances.Distance`.
        settings: Those of :class:`~sightline.losses.pair_loss.PairLoss`; the reducer gets one term
            for each anchor.

    Raises:
        UsageError: A weight that is not above 0, or an unknown distance.
    """

    def __init__(
        self, weight: float = 10.0, *, distance: Distance = "cosine", **settings: Any
    ) -> None:
        super().__init__(distance=distance, **settings)
        self.weight = positive_number("weight", weight)

    def reduced(self, comparison: Comparison, chosen: Tensor) -> Tensor:
        """Return one direction's loss."""
        terms = tuple_terms(self.weight * comparison.violation, chosen)
        return self.reducer(terms, torch.ones_like(terms, dtype=torch.bool))
