from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.evaluation.retrieval.per_query import (
    TIES,
    average_precision,
    hit_rate,
    rank_of_best,
    recall,
    reciprocal_rank,
)
from sightline.evaluation.retrieval.ranks import Ranks
from sightline.evaluation.retrieval.reduction import pssr, search_space_at_recall
from sightline.evaluation.retrieval.relevance import Relevance
from sightline.evaluation.sanity import chance, constant_ranks


@st.composite
def relevances(draw: st.DrawFn, most: int = 6) -> Relevance:
    """Every reference of a query is right, neither, junk or plainly wrong."""
    references, queries = draw(st.integers(1, most)), draw(st.integers(1, 4))
    role = st.sampled_from(["right", "semi", "junk", "wrong", "wrong"])
    roles = [[draw(role) for _ in range(references)] for _ in range(queries)]
    for row in roles:  # something to rank
        if all(part == "junk" for part in row):
            row[0] = "wrong"

    def numbers(wanted: str) -> np.ndarray:
        return np.array(
            [[j if row[j] == wanted else -1 for j in range(references)] for row in roles]
        )

    return Relevance.from_indices(
        numbers("right"), references, semi_positives=numbers("semi"), ignore=numbers("junk")
    )


def by_enumeration(relevance: Relevance, k: int) -> dict[str, Fraction]:
    """Mean scores over all orders of the references, from the metrics' plain definitions."""
    names = ("recall", "hit_rate", "mrr", "map", "mean_rank", "pssr")
    totals = dict.fromkeys(names, Fraction(0))
    for query in range(relevance.queries):
        right = set(relevance.positives.of(query).tolist())
        semi = set(relevance.semi_positives.of(query).tolist())
        junk = set(relevance.ignored.of(query).tolist())
        candidates = [j for j in range(relevance.references) if j not in junk]
        orders = list(itertools.permutations(candidates))
        for order in orders:
            ranks = [rank for rank, j in enumerate(order, 1) if j in right]
            first = ranks[0] if ranks else len(order) + 1
            ahead = set(order[: first - 1]) - semi
            scores = {
                "recall": Fraction(bool(ranks) and first <= k),
                "hit_rate": Fraction(bool(ranks) and not ahead),
                "mrr": Fraction(1, first) if ranks else Fraction(0),
                "map": sum((Fraction(n, r) for n, r in enumerate(ranks, 1)), Fraction(0))
                / max(len(ranks), 1),
                "mean_rank": Fraction(first),
                "pssr": Fraction(len(order) - min(first, len(order)), len(order)),
            }
            for name in names:
                totals[name] += scores[name] / len(orders) / relevance.queries
    return totals


@settings(deadline=None, max_examples=50)
@given(relevance=relevances(), k=st.integers(1, 7))
def test_closed_forms_are_the_mean_over_all_orders(relevance, k) -> None:
    expected = by_enumeration(relevance, k)
    found = chance(relevance, {"recall": k})
    several = (relevance.positives.lengths > 1).any()
    assert ("map" in found) == several
    assert ("hit_rate" in found) == bool(len(relevance.semi_positives.members))
    for name, value in expected.items():
        if name in found:
            assert found[name] == pytest.approx(float(value), abs=1e-12), name


def drawn_ranks(relevance: Relevance, rng: np.random.Generator, rounds: int) -> np.ndarray:
    """Ranks of the first positive in random orders, (rounds, n)."""
    ranks = np.empty((rounds, relevance.queries))
    for query in range(relevance.queries):
        count = relevance.references - int(relevance.ignored.lengths[query])
        right = int(relevance.positives.lengths[query])
        for turn in range(rounds):
            first = rng.permutation(count)[:right]
            ranks[turn, query] = first.min(initial=count) + 1
    return ranks


def test_simulated_orders_agree_on_a_larger_set() -> None:
    rng = np.random.default_rng(0)
    positives = np.full((40, 12), -1)
    for row in range(39):  # the last query has nothing to find
        some = rng.choice(300, 1 + row % 12, replace=False)
        positives[row, : len(some)] = some
    ignore = np.full((40, 100), -1)
    for row in range(0, 40, 3):
        left = np.setdiff1d(np.arange(300), positives[row])
        ignore[row] = rng.choice(left, 100, replace=False)
    relevance = Relevance.from_indices(positives, 300, ignore=ignore)
    ks = {"recall@1": 1, "recall@10": 10, "recall@50": 50}
    found = chance(relevance, ks, {"search_space@90%": 0.9})
    ranks = drawn_ranks(relevance, rng, 4000)
    answerable = relevance.positives.lengths > 0
    for name, k in ks.items():
        assert found[name] == pytest.approx(((ranks <= k) & answerable).mean(), abs=0.005)
    assert found["mrr"] == pytest.approx((answerable / ranks).mean(), abs=0.005)
    assert found["mean_rank"] == pytest.approx(ranks.mean(), rel=0.01)
    assert found["median_rank"] == pytest.approx(np.median(ranks), abs=1.0)
    candidates = 300 - relevance.ignored.lengths
    kept = np.minimum(ranks, candidates) / candidates
    assert found["pssr"] == pytest.approx((1 - kept).mean(), abs=0.005)
    assert found["search_space@90%"] == pytest.approx(np.quantile(kept, 0.9), abs=0.01)


@pytest.mark.parametrize("count", [1, 2, 9, 10, 8884, 92_802])
def test_paired_sets_have_the_chance_that_everyone_knows(count) -> None:
    ks = {"recall@1": 1, "recall@10": min(10, count), "all": count, "more": count + 5}
    shares = {"half": 0.5, "most": 0.95, "all of it": 1.0}
    found = chance(Relevance.paired(count), ks, shares)
    assert found["recall@1"] == pytest.approx(1 / count, rel=1e-9)
    assert found["recall@10"] == pytest.approx(min(10, count) / count, rel=1e-9)
    assert found["all"] == found["more"] == 1.0
    assert found["mean_rank"] == pytest.approx((count + 1) / 2)
    assert found["median_rank"] == (count + 1) / 2
    assert found["mrr"] == pytest.approx(math.fsum(1 / r for r in range(1, count + 1)) / count)
    assert found["pssr"] == pytest.approx((count - 1) / (2 * count), abs=1e-12)
    for name, share in shares.items():
        assert found[name] == pytest.approx(math.ceil(round(share * count, 6)) / count, abs=1e-12)
    assert "map" not in found
    assert "hit_rate" not in found


def test_vigor_s_neighbours_make_a_hit_no_likelier_than_one_among_the_others() -> None:
    relevance = Relevance.from_indices([[5]], 100, semi_positives=[[6, 7, 8]])
    found = chance(relevance, {"recall@1": 1})
    assert found["recall@1"] == pytest.approx(1 / 100)
    assert found["hit_rate"] == pytest.approx(1 / 97)


def test_queries_without_a_positive_are_misses_at_the_last_rank() -> None:
    relevance = Relevance.from_indices([[-1, -1], [0, 1]], 4)
    found = chance(relevance, {"recall@4": 4}, {"all": 1.0, "half": 0.5})
    assert found["recall@4"] == 0.5
    assert found["mean_rank"] == pytest.approx((5 + 5 / 3) / 2)
    # Ranks of the second: 1, 2, 3 with 1/2, 1/3, 1/6. Half of all queries lie at 3 and below.
    assert found["median_rank"] == (3 + 5) / 2
    assert found["half"] == 3 / 4
    assert found["all"] == 1.0
    nothing = chance(Relevance.from_indices([[-1]], 4), {"recall@1": 1})
    assert nothing == {
        "recall@1": 0.0,
        "mrr": 0.0,
        "mean_rank": 5.0,
        "median_rank": 5.0,
        "pssr": 0.0,
    }


def test_a_query_without_any_candidate_is_a_miss_and_no_error() -> None:
    relevance = Relevance.from_indices([[-1, -1]], 2, ignore=[[0, 1]])
    found = chance(relevance, {"recall@1": 1}, {"all": 1.0})
    assert found["recall@1"] == found["mrr"] == found["pssr"] == 0.0
    assert found["mean_rank"] == 1.0
    assert found["all"] == 1.0


def test_many_positives_among_many_references_stay_probabilities() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 40, 20_000)
    relevance = Relevance.from_labels(np.arange(40), labels)
    found = chance(relevance, {"recall@1": 1, "recall@200": 200})
    assert found["recall@1"] == pytest.approx(1 / 40, rel=1e-9)
    assert found["map"] == pytest.approx(1 / 40, rel=0.02)
    assert 0.99 < found["recall@200"] < 1.0
    assert found["mrr"] > found["recall@1"]


# --- a model that maps everything to one point -----------------------------------------------


def scores(ranks: Ranks, k: int, ties: str) -> dict[str, float]:
    return {
        "recall": float(recall(ranks, k, ties).mean()),
        "hit_rate": float(hit_rate(ranks, ties).mean()),
        "mrr": float(reciprocal_rank(ranks, ties).mean()),
        "map": float(average_precision(ranks, ties).mean()),
        "mean_rank": float(rank_of_best(ranks, ties).mean()),
    }


@settings(deadline=None, max_examples=80)
@given(relevance=relevances(most=40), k=st.integers(1, 45))
def test_a_constant_model_scores_as_chance_does_under_the_expected_order_of_ties(
    relevance, k
) -> None:
    ranks = constant_ranks(relevance, every_positive=True)
    expected = chance(relevance, {"recall": k})
    for name, value in scores(ranks, k, "expected").items():
        if name in expected:
            assert value == pytest.approx(expected[name], abs=1e-9), name
    answerable = float((relevance.positives.lengths > 0).mean())
    best = scores(ranks, k, "optimistic")
    assert best["recall"] == best["hit_rate"] == best["mrr"] == pytest.approx(answerable)
    assert best["map"] == pytest.approx(answerable)
    worst = scores(ranks, k, "pessimistic")
    for name in ("recall", "hit_rate", "mrr", "map"):
        assert worst[name] <= expected.get(name, worst[name]) + 1e-12
    assert pssr(ranks).tolist() == [0.0] * relevance.queries
    assert search_space_at_recall(ranks, [0.5, 1.0]) == [1.0, 1.0]


def test_a_constant_model_s_counts_are_those_of_its_lists() -> None:
    relevance = Relevance.from_indices(
        [[4, 1], [0, -1], [-1, -1]], 6, semi_positives=[[2], [5], [0]], ignore=[[3], [-1], [1]]
    )
    ranks = constant_ranks(relevance, every_positive=True)
    assert ranks.candidates.tolist() == [5, 6, 5]
    assert ranks.better.tolist() == [0, 0, 5]
    assert ranks.tied.tolist() == [3, 5, 0]
    assert ranks.positives_tied.tolist() == [1, 0, 0]
    assert ranks.semi_better.tolist() == [0, 0, 1]
    assert ranks.semi_tied.tolist() == [1, 1, 0]
    assert ranks.every.member.tolist() == [1, 4, 0]
    assert ranks.every.tied.tolist() == [3, 3, 5]
    # Smaller numbers that are neither right nor junk: 0; then 0 and 2 (1 is right, 3 is junk).
    assert ranks.every.tied_before.tolist() == [1, 2, 0]
    assert constant_ranks(relevance).every is None
    assert all(len(scores(ranks, 1, ties)) == 5 for ties in TIES)
