"""From a recipe's words to a loss with its miner, and the memory that goes with it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sightline.losses import (
    ContrastiveLoss,
    CrossBatchMemory,
    DistanceWeightedNegatives,
    HardestNegatives,
    HardestShare,
    InfoNCELoss,
    MaxMarginTripletLoss,
    Miner,
    NPairLoss,
    PairLoss,
    SemiHardNegatives,
    SoftMarginTripletLoss,
    WeightedTupleLoss,
    all_negatives,
    mean_of_active,
    mean_of_anchors,
    mean_of_chosen,
)
from sightline.training.cross_view.recipe import CrossViewRecipe, LossName, MiningName

_REDUCERS = {
    "chosen": mean_of_chosen,
    "active": mean_of_active,
    "anchors": mean_of_anchors,
}


class PairObjective(nn.Module):
    """A loss on pairs with its randomness and its memory.

    Args:
        recipe: Names them.
        stage: 0 or 1.
        dimension: Of the vectors, for the memory.
        device: Where distances are, for what is drawn.
    """

    def __init__(
        self, recipe: CrossViewRecipe, stage: int, dimension: int, device: torch.device
    ) -> None:
        super().__init__()
        self._generator = torch.Generator(device)
        self.names = loss_names(recipe, stage)
        self.loss = _loss(recipe, *self.names, self._generator)
        self.memory = CrossBatchMemory(recipe.memory, dimension) if recipe.memory else None

    def forward(
        self,
        ground: Tensor,
        aerial: Tensor,
        *,
        labels: Tensor,
        neither: Tensor | None,
        seed: int,
    ) -> Tensor:
        """The loss of a whole batch, a scalar.

        Args:
            ground: (n, d), of all processes.
            aerial: (n, d).
            labels: (n,) patch of each row.
            neither: (n, n) pairs of a photo and a patch that are neither right nor wrong.
            seed: Of what the miner draws, the same in all processes.
        """
        self._generator.manual_seed(seed)
        memory = None if self.memory is None else self.memory.rows(copy=False)
        found: Tensor = self.loss(ground, aerial, labels=labels, neither=neither, memory=memory)
        return found


def loss_names(recipe: CrossViewRecipe, stage: int) -> tuple[LossName, MiningName]:
    """Which loss and which negatives a stage has."""
    loss, mining = recipe.loss, recipe.mining
    if stage and recipe.second_loss != "same":
        loss = recipe.second_loss
    if stage and recipe.second_mining != "same":
        mining = recipe.second_mining
    return loss, mining


def _loss(
    recipe: CrossViewRecipe,
    name: LossName,
    mining: MiningName,
    generator: torch.Generator,
) -> PairLoss:
    settings: dict[str, Any] = {
        "miner": _miner(recipe, mining, generator),
        "reducer": _REDUCERS[recipe.reduce],
        "bidirectional": recipe.bidirectional,
        "views": recipe.negatives,
    }
    if recipe.loss_distance != "default" and name != "n-pair":
        settings["distance"] = recipe.loss_distance
    if name == "max-margin":
        return MaxMarginTripletLoss(recipe.margin, **settings)
    if name == "soft-margin":
        return SoftMarginTripletLoss(recipe.loss_weight, **settings)
    if name == "tuple":
        return WeightedTupleLoss(recipe.loss_weight, **settings)
    if name == "infonce":
        return InfoNCELoss(
            recipe.temperature,
            learned=recipe.temperature_learned,
            label_smoothing=recipe.label_smoothing,
            **settings,
        )
    if name == "n-pair":
        return NPairLoss(**settings)
    return ContrastiveLoss(recipe.margin, **settings)


def _miner(recipe: CrossViewRecipe, name: MiningName, generator: torch.Generator) -> Miner:
    if name == "hardest":
        return HardestNegatives(recipe.mining_count)
    if name == "semi-hard":
        return SemiHardNegatives(recipe.margin, nearest=recipe.mining_nearest)
    if name == "hardest-share":
        return HardestShare(recipe.mining_share)
    if name == "distance-weighted":
        return DistanceWeightedNegatives(recipe.mining_count, generator=generator)
    return all_negatives
