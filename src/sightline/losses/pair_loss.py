"""What all losses on pairs share: both directions, the miner, the reducer, the checks."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from sightline.errors import UsageError
from sightline.losses.arguments import check_finite, check_mask, check_rows, check_same_shape
from sightline.losses.comparison import Batch, Comparison, Views, compare
from sightline.losses.distances import Distance, check_distance
from sightline.losses.memory import MemoryRows
from sightline.losses.mining import Miner, all_negatives
from sightline.losses.reducing import Reducer, mean_of_chosen


class PairLoss(nn.Module, ABC):
    """A loss on pairs of embeddings, row i of both views one place.

    It computes in float32 (float64 for float64 rows), under autocast and with half-precision rows
    too, and returns a scalar of that type.

    Args:
        distance: How far two embeddings are apart.
        miner: Which negatives take part.
        reducer: How the terms of one direction become one number.
        bidirectional: Whether references are anchors too; the mean of both directions is returned.
        views: Whether negatives are of the ``other`` view alone, or of ``both``.
        finite_check: Whether NaN and infinity in the batch are errors. It reads one truth value
            from the device in every step; without it they pass into the loss.
    """

    def __init__(
        self,
        *,
        distance: Distance,
        miner: Miner = all_negatives,
        reducer: Reducer = mean_of_chosen,
        bidirectional: bool = True,
        views: Views = "other",
        finite_check: bool = True,
    ) -> None:
        super().__init__()
        if views not in ("other", "both"):
            raise UsageError(
                f"views must be other or both. Got {views!r}.",
                hint="`both` takes negatives from the anchor's own view as well.",
            )
        self.distance = check_distance(distance)
        self.miner = miner
        self.reducer = reducer
        self.bidirectional = bidirectional
        self.views: Views = views
        self.finite_check = finite_check

    def forward(
        self,
        queries: Tensor,
        references: Tensor,
        *,
        labels: Tensor | None = None,
        neither: Tensor | None = None,
        memory: MemoryRows | None = None,
    ) -> Tensor:
        """Return the loss of a batch.

        Args:
            queries: (n, d) of any floating type, photos or whatever asks.
            references: (n, d), the positive of each query in the same row.
            labels: (n,) whole numbers: rows of one place or cell are no negatives of each other.
                None: every row is a place of its own.
            neither: (n, n) truth values: query i and reference j are neither a pair nor negatives.
            memory: Rows of earlier batches, further candidates; needs ``labels``.

        Returns:
            A scalar.

        Raises:
            VectorError: Shapes or types that do not fit, one pair alone, NaN or infinity.
            UsageError: A memory without labels.
        """
        batch = Batch(queries, references, labels, neither, memory)
        if self.finite_check:
            check_finite(queries=queries, references=references)
        with torch.autocast(queries.device.type, enabled=False):
            sides = batch.comparisons(
                self.distance, views=self.views, bidirectional=self.bidirectional
            )
            losses = [self.reduced(side, self.miner(side)) for side in sides]
        return losses[0] if len(losses) == 1 else (losses[0] + losses[1]) / 2

    def of_candidates(
        self, anchors: Tensor, positives: Tensor, candidates: Tensor, allowed: Tensor | None = None
    ) -> Tensor:
        """Return the loss of one direction with negatives from a set of their own.

        Args:
            anchors: (n, d).
            positives: (n, d), row by row.
            candidates: (m, d).
            allowed: (n, m) truth values, which candidate is a negative of which anchor. None: all.

        Raises:
            VectorError: Shapes or types that do not fit, NaN or infinity.
        """
        check_rows("anchors", anchors)
        check_rows("candidates", candidates)
        check_same_shape("positives", positives, "anchors", anchors)
        check_same_shape("candidates", candidates[:1], "a row of anchors", anchors[:1])
        shape = (len(anchors), len(candidates))
        if allowed is None:
            allowed = torch.ones(shape, dtype=torch.bool, device=anchors.device)
        check_mask("allowed", allowed, shape)
        if self.finite_check:
            check_finite(anchors=anchors, positives=positives, candidates=candidates)
        with torch.autocast(anchors.device.type, enabled=False):
            side = compare(anchors, positives, candidates, allowed, self.distance)
            return self.reduced(side, self.miner(side))

    @abstractmethod
    def reduced(self, comparison: Comparison, chosen: Tensor) -> Tensor:
        """Return one direction's loss, of the distances and of the negatives that were chosen."""


def softplus(values: Tensor) -> Tensor:
    """Return log(1 + exp(x)) without overflow.

    torch takes x itself beyond a threshold; from 40 on that is exact in float64, from its own 20 on
    it is not.
    """
    return nn.functional.softplus(values, threshold=40.0)
