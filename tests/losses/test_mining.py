"""Miners beside their definitions, one candidate at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sightline.errors import UsageError
from sightline.losses import (
    DistanceWeightedNegatives,
    HardestNegatives,
    HardestShare,
    SemiHardNegatives,
    SoftMarginTripletLoss,
    all_negatives,
)
from sightline.losses.comparison import Batch, Comparison
from sightline.losses.distances import Distance

from .examples import arguments, some_case

MINERS = {
    "all": all_negatives,
    "hardest": HardestNegatives(2),
    "share": HardestShare(0.4),
    "semi-hard": SemiHardNegatives(5.0),
    "nearest semi-hard": SemiHardNegatives(5.0, nearest=True),
    "distance-weighted": DistanceWeightedNegatives(2),
}


def comparison(distance: Distance = "squared_euclidean", **changes: Any) -> Comparison:
    """Of a batch in which places occur twice and a memory that holds them again."""
    batch = Batch(**arguments(some_case(seed=2, rows=9, old=7)) | changes)
    return batch.comparisons(distance, views="both")[0]


def by_hand(positive: list[float], negative: list[list[float]]) -> Comparison:
    table = torch.tensor(negative, dtype=torch.float64)
    allowed = torch.ones(table.shape, dtype=torch.bool)
    return Comparison(torch.tensor(positive).double(), table, allowed, "squared_euclidean", 16)


@pytest.mark.parametrize("name", MINERS)
class TestEveryMiner:
    def test_takes_only_what_is_allowed(self, name: str) -> None:
        found = comparison()
        chosen = MINERS[name](found)
        assert chosen.shape == found.allowed.shape
        assert chosen.dtype == torch.bool
        assert not (chosen & ~found.allowed).any()
        assert chosen.any()

    def test_an_anchor_without_negatives_has_none(self, name: str) -> None:
        found = comparison(labels=torch.full((9,), 12), neither=None)
        assert not found.allowed[:, :18].any()
        chosen = MINERS[name](found)
        assert not (chosen & ~found.allowed).any()
        nothing = Comparison(
            found.positive, found.negative, found.allowed & False, found.distance, 4
        )
        assert not MINERS[name](nothing).any()

    def test_no_gradient_passes_through_the_choice(self, name: str) -> None:
        given = arguments(some_case(seed=3))
        inputs = [given[view].requires_grad_() for view in ("queries", "references")]
        draws = torch.Generator().manual_seed(0)
        miner = MINERS[name]
        if name == "distance-weighted":
            miner = DistanceWeightedNegatives(2, generator=draws)
        loss = SoftMarginTripletLoss(1.0, miner=miner).double()

        def of(queries: Tensor, references: Tensor) -> Tensor:
            draws.manual_seed(0)
            return loss(**given | {"queries": queries, "references": references})

        assert torch.autograd.gradcheck(of, inputs)


@pytest.mark.parametrize("count", [1, 3, 100])
def test_hardest(count: int) -> None:
    found = comparison()
    chosen = HardestNegatives(count)(found)
    for i in range(len(found.positive)):
        allowed = [j for j in range(found.negative.shape[1]) if found.allowed[i, j]]
        nearest = sorted(allowed, key=lambda j, i=i: float(found.negative[i, j]))[:count]
        assert set(chosen[i].nonzero().flatten().tolist()) == set(nearest)


def test_hardest_across_a_memory() -> None:
    found = by_hand([1.0], [[4.0, 3.0, 0.5]])
    assert HardestNegatives()(found).tolist() == [[False, False, True]]
    case = some_case(old=3)
    case.old_references[0] = case.old_references[1] = case.queries[2]
    # Row 0 of the memory is of the place of query 2, row 1 is not.
    assert case.old_labels[:2].tolist() == [case.labels[2], case.labels[2] + 1]
    batch = Batch(**arguments(case))
    chosen = HardestNegatives()(batch.comparisons("squared_euclidean")[0])
    assert chosen[2].nonzero().item() == len(case.labels) + 1


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_hardest_share(share: float) -> None:
    found = comparison()
    chosen = HardestShare(share)(found)
    triplets = sorted(
        (
            (float(found.positive[i] - found.negative[i, j]), i, j)
            for i, j in found.allowed.nonzero().tolist()
        ),
        reverse=True,
    )
    taken = {(i, j) for _, i, j in triplets[: int(share * len(triplets))]}
    assert {tuple(place) for place in chosen.nonzero().tolist()} == taken


class TestSemiHard:
    def test_as_the_words_of_the_text_define(self) -> None:
        # Nearer than the positive; as near; within the margin; at the margin; beyond.
        found = by_hand([2.0], [[1.999, 2.0, 2.25, 2.5, 3.0]])
        assert SemiHardNegatives(0.5)(found).tolist() == [[False, True, True, False, False]]
        nearest = SemiHardNegatives(0.5, nearest=True)(found)
        assert nearest.tolist() == [[False, True, False, False, False]]

    @pytest.mark.parametrize("distance", ["squared_euclidean", "euclidean", "cosine"])
    def test_one_by_one(self, distance: Distance) -> None:
        found = comparison(distance)
        margin = 0.4 if distance == "cosine" else 2.0
        chosen = SemiHardNegatives(margin)(found)
        for i in range(len(found.positive)):
            for j in range(found.negative.shape[1]):
                pos, neg = float(found.positive[i]), float(found.negative[i, j])
                semi_hard = bool(found.allowed[i, j]) and pos <= neg and neg < pos + margin
                assert bool(chosen[i, j]) == semi_hard

    def test_an_anchor_may_have_none(self) -> None:
        found = by_hand([2.0, 2.0], [[1.0, 9.0], [2.1, 9.0]])
        assert SemiHardNegatives(0.5)(found).tolist() == [[False, False], [True, False]]


class TestDistanceWeighted:
    def test_weights_are_the_inverse_of_the_density(self) -> None:
        apart = [0.1, 0.5, 0.8, 1.2, 1.39]
        found = by_hand([0.0], [[value**2 for value in apart]])
        weights = DistanceWeightedNegatives().log_weights(found)[0].exp()

        def inverse(distance: float) -> float:
            distance = max(distance, 0.5)
            return distance ** (2 - 16) * (1 - distance**2 / 4) ** ((3 - 16) / 2)

        expected = np.array([inverse(distance) for distance in apart])
        np.testing.assert_allclose(weights / weights[0], expected / expected[0], rtol=1e-9)

    def test_draws_follow_the_weights(self) -> None:
        generator = torch.Generator().manual_seed(0)
        miner = DistanceWeightedNegatives(generator=generator)
        rows = 20_000
        apart = [0.9, 1.0, 1.1, 1.3]
        found = by_hand([0.0] * rows, [[value**2 for value in apart]] * rows)
        chosen = miner(found)
        assert (chosen.sum(dim=1) == 1).all()
        weights = miner.log_weights(found)[0].softmax(dim=0)
        shares = chosen.double().mean(dim=0)
        deviation = (weights * (1 - weights) / rows).sqrt()
        assert ((shares - weights).abs() < 5 * deviation).all()

    def test_far_ones_only_where_there_are_no_others(self) -> None:
        found = by_hand([0.0, 0.0], [[1.0, 1.9**2], [1.8**2, 1.9**2]])
        chosen = DistanceWeightedNegatives()(found)
        assert chosen[0].tolist() == [True, False]
        assert chosen[1].sum() == 1

    @pytest.mark.parametrize("dimension", [2, 3, 512, 4096])
    def test_many_dimensions_do_not_underflow(self, dimension: int) -> None:
        generator = torch.Generator().manual_seed(1)
        rows = torch.randn(32, dimension, generator=generator)
        batch = Batch(rows, rows + torch.randn(32, dimension, generator=generator))
        for distance in ("cosine", "squared_euclidean"):
            chosen = DistanceWeightedNegatives(3, generator=generator)(
                batch.comparisons(distance)[0]
            )
            assert (chosen.sum(dim=1) == 3).all()

    def test_one_seed_one_draw(self) -> None:
        def draw(seed: int) -> Tensor:
            generator = torch.Generator().manual_seed(seed)
            return DistanceWeightedNegatives(generator=generator)(comparison("cosine"))

        assert torch.equal(draw(4), draw(4))
        assert any(not torch.equal(draw(4), draw(seed)) for seed in range(5, 10))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: HardestNegatives(0), "count must be a whole number of at least 1. Got 0"),
        (lambda: HardestNegatives(True), "count must be .* Got True"),
        (lambda: HardestShare(0.0), "share must be above 0 and at most 1. Got 0.0"),
        (lambda: SemiHardNegatives(-0.5), "margin must be .* Got -0.5"),
        (lambda: SemiHardNegatives(math.nan), "margin must be .* Got nan"),
        (lambda: DistanceWeightedNegatives(0), "count must be .* Got 0"),
        (lambda: DistanceWeightedNegatives(shortest=1.5), "Got 1.5 and 1.4"),
    ],
)
def test_bad_settings(build: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build()
