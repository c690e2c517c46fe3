"""Losses of an anchor, its positive and one negative at a time."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from sightline.losses.arguments import positive_number
from sightline.losses.comparison import Comparison
from sightline.losses.distances import Distance
from sightline.losses.pair_loss import PairLoss, softplus


class MaxMarginTripletLoss(PairLoss):
    """max(d_pos - d_neg + margin, 0).

    Debnath, "Proportional Search Space Reduction", equations 1 and 2: squared L2 distance, margin
    0.5; Schroff et al., FaceNet, 2015, equation 2. A batch of equal embeddings costs the margin.

    Args:
        margin: In the units of ``distance``.
        distance: See :data:`~sightline.losses.distances.Distance`.
        settings: Those of :class:`~sightline.losses.pair_loss.PairLoss`.

    Raises:
        UsageError: A margin that is not above 0, or an unknown distance.
    """

    def __init__(
        self, margin: float = 0.5, *, distance: Distance = "squared_euclidean", **settings: Any
    ) -> None:
        super().__init__(distance=distance, **settings)
        self.margin = positive_number("margin", margin)

    def reduced(self, comparison: Comparison, chosen: Tensor) -> Tensor:
        """Return one direction's loss."""
        return self.reducer((comparison.violation + self.margin).clamp(min=0), chosen)


class SoftMarginTripletLoss(PairLoss):
    """log(1 + exp(λ (d_pos - d_neg))), the weighted soft-margin ranking loss.

    Hu et al., "CVM-Net", 2018, equation 5, and Debnath, "Proportional Search Space Reduction",
    equation 3: λ = 10 on squared L2 distances. A batch of equal embeddings costs log 2.

    Args:
        weight: λ. On ``cosine`` twice as much makes the same loss, ``|a - b|²`` being 2 (1 - cos).
        distance: See :data:`~sightline.losses.distances.Distance`.
        settings: Those of :class:`~sightline.losses.pair_loss.PairLoss`.

    Raises:
        UsageError: A weight that is not above 0, or an unknown distance.
    """

    def __init__(
        self, weight: float = 10.0, *, distance: Distance = "squared_euclidean", **settings: Any
    ) -> None:
        super().__init__(distance=distance, **settings)
        self.weight = positive_number("weight", weight)

    def reduced(self, comparison: Comparison, chosen: Tensor) -> Tensor:
        """Return one direction's loss."""
        return self.reducer(softplus(self.weight * comparison.violation), chosen)
