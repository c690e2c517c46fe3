from __future__ import annotations

from typing import Any

import pytest
import torch

from sightline import losses
from sightline.training.cross_view.objective import PairObjective, loss_names

from .recipes import tiny

CPU = torch.device("cpu")


def rows() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    ground, aerial = (torch.randn(6, 4, generator=generator) for _ in range(2))
    return ground, aerial, torch.tensor([0, 1, 2, 3, 4, 0])


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"loss": "max-margin", "margin": 0.3}, losses.MaxMarginTripletLoss(0.3)),
        ({"loss": "soft-margin", "loss_weight": 5.0}, losses.SoftMarginTripletLoss(5.0)),
        ({"loss": "tuple"}, losses.WeightedTupleLoss(10.0)),
        (
            {"loss": "infonce", "temperature": 0.1, "label_smoothing": 0.1},
            losses.InfoNCELoss(0.1, label_smoothing=0.1),
        ),
        ({"loss": "n-pair", "loss_distance": "cosine"}, losses.NPairLoss()),
        ({"loss": "contrastive", "margin": 2.0}, losses.ContrastiveLoss(2.0)),
        (
            {"loss": "tuple", "loss_distance": "squared_euclidean", "bidirectional": False},
            losses.WeightedTupleLoss(10.0, distance="squared_euclidean", bidirectional=False),
        ),
        (
            {"loss": "max-margin", "mining": "semi-hard", "margin": 2.0, "reduce": "active"},
            losses.MaxMarginTripletLoss(
                2.0, miner=losses.SemiHardNegatives(2.0), reducer=losses.mean_of_active
            ),
        ),
        (
            {"loss": "tuple", "mining": "hardest", "mining_count": 2, "negatives": "both"},
            losses.WeightedTupleLoss(10.0, miner=losses.HardestNegatives(2), views="both"),
        ),
        (
            {"loss": "max-margin", "mining": "semi-hard", "margin": 8.0, "mining_nearest": True},
            losses.MaxMarginTripletLoss(8.0, miner=losses.SemiHardNegatives(8.0, nearest=True)),
        ),
        (
            {"loss": "max-margin", "reduce": "anchors"},
            losses.MaxMarginTripletLoss(0.5, reducer=losses.mean_of_anchors),
        ),
        (
            {"loss": "soft-margin", "mining": "hardest-share", "mining_share": 0.3},
            losses.SoftMarginTripletLoss(10.0, miner=losses.HardestShare(0.3)),
        ),
    ],
    ids=lambda x: None,
)
def test_words_become_losses(changes: dict[str, Any], wanted: losses.PairLoss) -> None:
    ground, aerial, labels = rows()
    objective = PairObjective(tiny(**changes), 0, 4, CPU)
    neither = torch.zeros(6, 6, dtype=torch.bool)
    neither[1, 3] = True
    found = objective(ground, aerial, labels=labels, neither=neither, seed=0)
    torch.testing.assert_close(found, wanted(ground, aerial, labels=labels, neither=neither))
    assert objective.memory is None


def test_a_temperature_is_learnt_where_it_shall_be() -> None:
    learnt, fixed = (
        PairObjective(tiny(temperature=0.2, temperature_learned=learned), 0, 4, CPU)
        for learned in (True, False)
    )
    assert len(list(learnt.parameters())) == 1
    assert not list(fixed.parameters())
    ground, aerial, labels = rows()
    given = {"labels": labels, "neither": None, "seed": 0}
    torch.testing.assert_close(fixed(ground, aerial, **given), learnt(ground, aerial, **given))


def test_as_many_are_drawn_as_are_asked_for() -> None:
    """Five of five others are all there are."""
    ground, aerial, _ = rows()
    drawing = tiny(mining="distance-weighted", mining_count=5, loss="tuple")
    given = {"labels": torch.arange(6), "neither": None, "seed": 0}
    found = PairObjective(drawing, 0, 4, CPU)(ground, aerial, **given)
    wanted = losses.WeightedTupleLoss(10.0)(ground, aerial, labels=torch.arange(6))
    torch.testing.assert_close(found, wanted)


def test_what_is_drawn_hangs_on_the_seed() -> None:
    ground, aerial, labels = rows()
    objective = PairObjective(tiny(mining="distance-weighted", loss="tuple"), 0, 4, CPU)
    found = {
        seed: float(objective(ground, aerial, labels=labels, neither=None, seed=seed))
        for seed in (0, 1, 2, 3)
    }
    assert len(set(found.values())) > 1
    assert found[0] == float(objective(ground, aerial, labels=labels, neither=None, seed=0))


def test_a_memory_is_part_of_the_state() -> None:
    ground, aerial, labels = rows()
    objective = PairObjective(tiny(memory=9), 0, 4, CPU)
    assert objective.memory is not None
    objective.requires_grad_(requires_grad=False)
    before = objective(ground, aerial, labels=labels, neither=None, seed=0)
    objective.memory.enqueue(ground, aerial, labels=labels + 10)
    after = objective(ground, aerial, labels=labels, neither=None, seed=0)
    assert float(after) > float(before)
    assert {"memory.vectors", "memory.labels", "loss.log_scale"} <= set(objective.state_dict())


def test_a_second_stage_has_its_own_names() -> None:
    recipe = tiny(second_epochs=1, second_loss="tuple", second_mining="hardest")
    assert loss_names(recipe, 0) == ("infonce", "all")
    assert loss_names(recipe, 1) == ("tuple", "hardest")
    assert loss_names(tiny(second_epochs=1), 1) == ("infonce", "all")
