"""Retrieval metrics against averaging over every order of the ties."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import EvaluationError
from sightline.evaluation.retrieval.per_query import (
    average_precision,
    hit_rate,
    k_of_percent,
    rank_of_best,
    recall,
    reciprocal_rank,
)
from sightline.evaluation.retrieval.ranks import rank
from sightline.evaluation.retrieval.reduction import kept, pssr, search_space_at_recall
from sightline.evaluation.retrieval.relevance import Relevance

from .oracle import ranks_of_scores
from .sets import random_relevance


def orders(scores: list[float], ignored: set[int]) -> Iterator[list[int]]:
    """Every order in which references may come, the closest first, ties in every order."""
    kept_ = [r for r in range(len(scores)) if r not in ignored]
    groups = [
        [r for r in kept_ if scores[r] == score]
        for score in sorted({scores[r] for r in kept_}, reverse=True)
    ]
    for arranged in itertools.product(*(itertools.permutations(group) for group in groups)):
        yield [r for group in arranged for r in group]


def first_rank(order: list[int], positives: set[int]) -> int:
    places = [place for place, r in enumerate(order, 1) if r in positives]
    return places[0] if places else len(order) + 1


def precision_mean(order: list[int], positives: set[int]) -> float:
    if not positives:
        return 0.0
    found, total = 0, 0.0
    for place, r in enumerate(order, 1):
        if r in positives:
            found += 1
            total += found / place
    return total / len(positives)


@given(st.integers(0, 2**32 - 1), st.integers(1, 7))
@settings(max_examples=60, deadline=None)
def test_expected_is_the_mean_over_all_orders_and_the_others_are_its_ends(
    seed: int, m: int
) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 3, (4, m)).astype(float)
    relevance = random_relevance(rng, 4, m)
    ranks = ranks_of_scores(scores, relevance)
    for query in range(4):
        positives = set(relevance.positives.of(query).tolist())
        semi = set(relevance.semi_positives.of(query).tolist())
        ignored = set(relevance.ignored.of(query).tolist())
        every = list(orders(scores[query].tolist(), ignored))
        firsts = np.array([first_rank(order, positives) for order in every])
        answerable = bool(positives)
        for k in range(1, m + 2):
            hits = (firsts <= k) & answerable
            assert recall(ranks, k)[query] == pytest.approx(hits.mean(), abs=1e-12)
            assert recall(ranks, k, "optimistic")[query] == hits.max()
            assert recall(ranks, k, "pessimistic")[query] == hits.min()
        reciprocal = np.where(answerable, 1 / firsts, 0.0)
        assert reciprocal_rank(ranks)[query] == pytest.approx(reciprocal.mean(), abs=1e-12)
        assert reciprocal_rank(ranks, "optimistic")[query] == pytest.approx(reciprocal.max())
        assert reciprocal_rank(ranks, "pessimistic")[query] == pytest.approx(reciprocal.min())
        assert rank_of_best(ranks)[query] == pytest.approx(firsts.mean())
        assert rank_of_best(ranks, "optimistic")[query] == firsts.min()
        # The worst order of all puts every tied other before the first positive.
        assert rank_of_best(ranks, "pessimistic")[query] == firsts.max()
        precisions = [precision_mean(order, positives) for order in every]
        assert average_precision(ranks)[query] == pytest.approx(np.mean(precisions), abs=1e-12)
        assert average_precision(ranks, "optimistic")[query] == pytest.approx(max(precisions))
        assert average_precision(ranks, "pessimistic")[query] == pytest.approx(min(precisions))
        without = [[r for r in order if r not in semi] for order in every]
        hits = np.array([answerable and first_rank(order, positives) == 1 for order in without])
        assert hit_rate(ranks)[query] == pytest.approx(hits.mean(), abs=1e-12)
        assert hit_rate(ranks, "optimistic")[query] == hits.max()
        assert hit_rate(ranks, "pessimistic")[query] == hits.min()


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_pssr_counts_what_is_as_close(seed: int, m: int) -> None:
    """Equation 2 of paper 001, reference by reference."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, (5, m)).astype(float)
    positives = rng.integers(0, m, 5)
    ranks = ranks_of_scores(scores, Relevance.from_indices(positives, m))
    k = [sum(s >= row[right] for s in row) for row, right in zip(scores, positives, strict=True)]
    np.testing.assert_array_equal(kept(ranks), k)
    np.testing.assert_allclose(pssr(ranks), [(m - k_i) / m for k_i in k])
    for required in (0.2, 0.5, 0.9, 1.0):
        (share,) = search_space_at_recall(ranks, [required])
        enough = [s for s in sorted(k) if np.mean(np.array(k) <= s) >= required - 1e-12]
        assert share == pytest.approx(enough[0] / m)


def test_pssr_of_perfect_collapsed_and_unanswerable() -> None:
    eye = np.eye(8)
    assert pssr(rank(eye, eye, Relevance.paired(8))).tolist() == [7 / 8] * 8
    ones = np.ones((8, 3))
    ranks = rank(ones, ones, Relevance.paired(8))
    assert pssr(ranks).tolist() == [0.0] * 8
    assert pssr(ranks, "optimistic").tolist() == [7 / 8] * 8
    assert pssr(ranks, "expected").tolist() == [(8 - 4.5) / 8] * 8
    several = rank(ones, ones, Relevance.from_indices([[0, 1, 2]] * 8, 8))
    assert pssr(several).tolist() == [0.0] * 8
    none = rank(eye, eye, Relevance.from_indices([[-1]] * 8, 8, ignore=[[0]] * 8))
    assert pssr(none).tolist() == [0.0] * 8
    assert kept(none).tolist() == [7.0] * 8
    nothing = rank(eye, eye, Relevance.from_indices([[-1]] * 8, 8, ignore=[list(range(8))] * 8))
    assert pssr(nothing).tolist() == [0.0] * 8
    assert search_space_at_recall(nothing, [0.5]) == [1.0]


def test_chance_of_the_collapsed_is_exactly_one_in_m() -> None:
    for m in (50, 257, 1000, 2003):
        ones = np.ones((m, 2), np.float32)
        ranks = rank(ones, ones, Relevance.paired(m))
        assert recall(ranks, 1).tolist() == [1 / m] * m
        assert recall(ranks, 1, "optimistic").all()
        assert not recall(ranks, 1, "pessimistic").any()


def test_many_positives_in_one_tie() -> None:
    """The sum for several positives, against drawing orders."""
    scores = np.concatenate([[2.0, 2.0], np.ones(40), np.zeros(10)])[None]
    positives = np.array([[5, 11, 20, 30, 41, 45]])
    ranks = ranks_of_scores(scores, Relevance.from_indices(positives, 52))
    rng = np.random.default_rng(0)
    firsts = []
    for _ in range(20_000):
        order = np.lexsort((rng.random(52), -scores[0]))
        firsts.append(1 + np.flatnonzero(np.isin(order, positives))[0])
    found = np.array(firsts)
    assert reciprocal_rank(ranks)[0] == pytest.approx((1 / found).mean(), abs=3e-3)
    assert rank_of_best(ranks)[0] == pytest.approx(found.mean(), abs=0.1)
    assert recall(ranks, 10)[0] == pytest.approx((found <= 10).mean(), abs=0.015)


@pytest.mark.parametrize(
    ("percent", "m", "k"),
    [(1, 8884, 88), (1, 99, 1), (1, 1, 1), (1, 100, 1), (1, 199, 1), (1, 200, 2), (5, 20, 1),
     (10, 92802, 9280), (0.1, 92802, 92), (7, 100, 7), (29, 100, 29), (100, 57, 57),
     (0.7, 11_000, 77), (2.3, 3000, 69)],
)  # fmt: skip
def test_k_of_a_share_of_the_references(percent: float, m: int, k: int) -> None:
    assert k_of_percent(percent, m) == k


def test_a_depth_beyond_the_references_finds_all() -> None:
    ranks = rank(np.eye(3), np.eye(3)[::-1].copy(), Relevance.paired(3))
    assert recall(ranks, 99).tolist() == [1.0] * 3


def test_what_cannot_be_asked() -> None:
    ranks = rank(np.eye(3), np.eye(3), Relevance.paired(3))
    with pytest.raises(EvaluationError, match="at least 1"):
        recall(ranks, 0)
    with pytest.raises(EvaluationError, match="every_positive=True"):
        average_precision(ranks)
    for share in (0.0, 1.1, float("nan")):
        with pytest.raises(EvaluationError, match=r"\(0, 1\]"):
            search_space_at_recall(ranks, [share])
