"""InfoNCE, N-pair and the contrastive loss with a margin."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from sightline.losses.arguments import fraction, positive_number
from sightline.losses.comparison import Comparison
from sightline.losses.distances import Distance, as_euclidean, full_precision
from sightline.losses.memory import MemoryRows
from sightline.losses.pair_loss import PairLoss
from sightline.losses.tuple_loss import tuple_terms

# CLIP's bound (Radford et al., 2021, section 2.5): logits are scaled by no more than 100.
LARGEST_SCALE = 100.0


class InfoNCELoss(PairLoss):
    """Cross-entropy of finding the positive among all chosen negatives.

    van den Oord et al., 2018, equation 4; symmetric as in CLIP (Radford et al., 2021, figure 3) and
    Sample4Geo (Deuser et al., 2023, equation 1, with label smoothing 0.1). With ``views="both"`` it
    is equation 3 of Kordopatis-Zilos et al., 2021: τ = 0.05 and fixed, the N - 2 other images of
    the batch as negatives, whichever half of a pair they are, and ``labels`` the cells. A batch of
    B equal embeddings costs log B, for ``both`` log(2 B - 1), smoothed or not.

    Written with distances, log(1 + Σ_j exp((s_j - s_pos) / τ)): masked rows are not in the sum, and
    smoothing spreads over those that are.

    Args:
        temperature: τ, at the start where it is learned.
        learned: Whether log 1/τ is a parameter, ``log_scale``; 1/τ is held at or below 100.
        label_smoothing: The share of the target that is spread evenly over the positive and the
            chosen negatives.
        settings: Those of :class:`~sightline.losses.pair_loss.PairLoss`; similarities are cosines
            unless ``distance`` says otherwise; the reducer gets one term for each anchor.

    Raises:
        UsageError: A temperature that is not above 0 or a smoothing outside [0, 1).
    """

    def __init__(
        self,
        temperature: float = 0.07,
        *,
        learned: bool = True,
        label_smoothing: float = 0.0,
        distance: Distance = "cosine",
        **settings: Any,
    ) -> None:
        super().__init__(distance=distance, **settings)
        start = -math.log(positive_number("temperature", temperature))
        self.label_smoothing = fraction("label_smoothing", label_smoothing)
        self.log_scale: nn.Parameter | float = (
            nn.Parameter(torch.tensor(start, dtype=torch.float32)) if learned else start
        )

    def scale(self, dtype: torch.dtype = torch.float32) -> Tensor | float:
        """Return 1/τ as it is used, a Tensor of this type where it is learned."""
        if not isinstance(self.log_scale, Tensor):
            return math.exp(self.log_scale)
        logarithm = self.log_scale.to(dtype)
        # Held by value alone: a parameter beyond the bound still gets the gradient to come back.
        excess = (logarithm - math.log(LARGEST_SCALE)).clamp(min=0).detach()
        return (logarithm - excess).exp()

    def reduced(self, comparison: Comparison, chosen: Tensor) -> Tensor:
        """Return one direction's loss."""
        logits = self.scale(comparison.positive.dtype) * comparison.violation
        terms = tuple_terms(logits, chosen)
        if self.label_smoothing:
            classes = chosen.sum(dim=1) + 1
            spread = logits.masked_fill(~chosen, 0.0).sum(dim=1) / classes
            terms = terms - self.label_smoothing * spread
        return self.reducer(terms, torch.ones_like(terms, dtype=torch.bool))


class NPairLoss(PairLoss):
    """log(1 + Σ_j exp(a·n_j - a·p)) on embeddings of any length.

    Sohn, "Improved deep metric learning with multi-class N-pair loss objective", 2016, equation 7,
    whose section 3.2.2 holds down the squared length instead of fixing it.

    Args:
        length_weight: How much the mean squared length of the batch's embeddings adds.
        settings: Those of :class:`~sightline.losses.pair_loss.PairLoss`, without ``distance``.

    Raises:
        UsageError: A weight below 0, or 1 and more.
    """

    def __init__(self, length_weight: float = 0.0, **settings: Any) -> None:
        super().__init__(distance="dot", **settings)
        self.length_weight = fraction("length_weight", length_weight)

    def forward(
        self,
        queries: Tensor,
        references: Tensor,
        *,
        labels: Tensor | None = None,
        neither: Tensor | None = None,
        memory: MemoryRows | None = None,
    ) -> Tensor:
        """Return the loss of a batch; arguments and errors are those of ``PairLoss.forward``."""
        loss = super().forward(queries, references, labels=labels, neither=neither, memory=memory)
        if self.length_weight:
            rows = full_precision(torch.cat([queries, references]))
            loss = loss + self.length_weight * rows.square().sum(dim=1).mean()
        return loss

    def reduced(self, comparison: Comparison, chosen: Tensor) -> Tensor:
        """Return one direction's loss, without the lengths."""
        # A `dot` distance is 2 - 2 a·b.
        terms = tuple_terms(comparison.violation / 2, chosen)
        return self.reducer(terms, torch.ones_like(terms, dtype=torch.bool))


class ContrastiveLoss(PairLoss):
    """½ d_pos² + ½ max(0, margin - d_neg)², d Euclidean.

    Hadsell, Chopra and LeCun, "Dimensionality reduction by learning an invariant mapping", 2006,
    equation 4. The mean over the pairs is added to the reduced negatives, so that their number does
    not outweigh the pairs'. A batch of equal embeddings costs ½ margin².

    Args:
        margin: In Euclidean distance.
        distance: ``euclidean``, or ``cosine`` to bring the rows to unit length before.
        settings: Those of :class:`~sightline.losses.pair_loss.PairLoss`.

    Raises:
        UsageError: A margin that is not above 0, or an unknown distance.
    """

    def __init__(
        self, margin: float = 1.0, *, distance: Distance = "euclidean", **settings: Any
    ) -> None:
        super().__init__(distance=distance, **settings)
        self.margin = positive_number("margin", margin)

    def reduced(self, comparison: Comparison, chosen: Tensor) -> Tensor:
        """Return one direction's loss."""
        positive = as_euclidean(comparison.positive, comparison.distance)
        negative = as_euclidean(comparison.negative, comparison.distance)
        pushed = (self.margin - negative).clamp(min=0).square()
        return (positive.square().mean() + self.reducer(pushed, chosen)) / 2
