"""What turns photos into vectors for retrieval, as the loop trains it, and its loss."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.losses import (
    CrossBatchMemory,
    HardestNegatives,
    InfoNCELoss,
    MaxMarginTripletLoss,
    PairLoss,
    SemiHardNegatives,
    all_negatives,
)
from sightline.models.cell_classifiers import CellClassifier
from sightline.training.retrieval.recipe import RetrievalRecipe


class PooledVectors(nn.Module):
    """A classifier's pooled vectors of photos, of unit length; its head takes no part.

    Args:
        classifier: Is trained in place.
        channels_last: Order of pixels in memory.
    """

    def __init__(self, classifier: CellClassifier, *, channels_last: bool) -> None:
        super().__init__()
        self.trunk, self.pooling = classifier.trunk, classifier.pooling
        self._format = torch.channels_last if channels_last else torch.contiguous_format
        self.trunk.to(memory_format=self._format)

    def forward(self, pixels: Tensor) -> Tensor:
        """Photos (n, 3, h, w) -> (n, d)."""
        features, _ = self.trunk(pixels.contiguous(memory_format=self._format))
        return functional.normalize(self.pooling(features), dim=1)


class PairOfVectors(nn.Module):
    """Both photos of each pair in one call, as processes that share gradients need it.

    Args:
        encode: From pixels (n, 3, h, w) or stored vectors (n, d) to vectors (n, d) of unit length.
    """

    def __init__(self, encode: nn.Module) -> None:
        super().__init__()
        self.encode = encode

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """What ``encode`` takes of both photos of n pairs -> (n, d) and (n, d)."""
        found: tuple[Tensor, Tensor] = self.encode(torch.cat([first, second])).chunk(2)
        return found


class RetrievalObjective(nn.Module):
    """A recipe's loss with its memory.

    Args:
        recipe: Names them.
        dimension: Of the vectors, for the memory.
    """

    def __init__(self, recipe: RetrievalRecipe, dimension: int) -> None:
        super().__init__()
        self.loss = _loss(recipe)
        pairs = recipe.memory // 2
        self.memory = CrossBatchMemory(pairs, dimension) if pairs else None

    def forward(
        self, first: Tensor, second: Tensor, *, labels: Tensor | None, neither: Tensor | None
    ) -> Tensor:
        """The loss of a whole batch, a scalar.

        Args:
            first: (n, d), of all processes.
            second: (n, d).
            labels: (n,) cell of each pair; None where places decide.
            neither: (n, n) first and second photos that are too near to be negatives.
        """
        memory = None if self.memory is None else self.memory.rows(copy=False)
        found: Tensor = self.loss(first, second, labels=labels, neither=neither, memory=memory)
        return found


def _loss(recipe: RetrievalRecipe) -> PairLoss:
    miners = {
        "all": all_negatives,
        "semi-hard": SemiHardNegatives(recipe.margin),
        "hardest": HardestNegatives(1),
    }
    settings: dict[str, Any] = {
        "miner": miners[recipe.mining],
        # Of two photos of a cell either may ask, and the others of both are negatives; which pairs
        # are too near by place is known across alone.
        "views": "both" if recipe.positives == "cell" else "other",
    }
    if recipe.loss == "triplet":
        return MaxMarginTripletLoss(recipe.margin, **settings)
    return InfoNCELoss(recipe.temperature, learned=False, **settings)
