"""What must hold for every retrieval metric; a new one joins by being listed.

Those of localization are in ``test_localization_invariants.py``.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from sightline.errors import EvaluationError, VectorError
from sightline.evaluation.retrieval.metrics import Metric, metrics_of
from sightline.evaluation.retrieval.per_query import TIES
from sightline.evaluation.retrieval.ranks import Ranks, rank
from sightline.evaluation.retrieval.relevance import Lists, Relevance
from sightline.evaluation.sanity import chance, constant_ranks

from .sets import random_relevance, unit

# Larger is better, or smaller is.
BETTER = {
    "recall@1": 1,
    "recall@5": 1,
    "recall@10": 1,
    "recall@1%": 1,
    "recall@5%": 1,
    "recall@10%": 1,
    "hit_rate": 1,
    "mrr": 1,
    "map": 1,
    "pssr": 1,
    "mean_rank": -1,
    "median_rank": -1,
    "search_space@90%": -1,
    "search_space@95%": -1,
    "search_space@99%": -1,
    "search_space@100%": -1,
}
ranked = partial(rank, every_positive=True)


def made(seed: int = 0, n: int = 60, m: int = 80) -> tuple[np.ndarray, np.ndarray, Relevance]:
    """A model that knows something, with ties, semi-positives, junk and unanswerable queries."""
    rng = np.random.default_rng(seed)
    references = unit(rng.standard_normal((m, 12)))
    references[::7] = references[3]
    relevance = random_relevance(rng, n, m)
    queries = rng.standard_normal((n, 12))
    for query in range(n):
        for reference in relevance.positives.of(query):
            queries[query] += 2 * references[reference]
    return unit(queries), references, relevance


def scores(ranks: Ranks, relevance: Relevance) -> dict[str, dict[str, float]]:
    return {
        metric.name: {ties: metric.value(ranks, ties) for ties in TIES}
        for metric in metrics_of(ranks, relevance)
    }


def assert_close(a: dict[str, dict[str, float]], b: dict[str, dict[str, float]]) -> None:
    assert a.keys() == b.keys()
    for name in a:
        assert a[name] == pytest.approx(b[name], abs=1e-12), name


def test_every_metric_is_in_this_suite() -> None:
    queries, references, relevance = made()
    assert {m.name for m in metrics_of(ranked(queries, references, relevance), relevance)} == set(
        BETTER
    )


def test_the_order_of_queries_and_references_does_not_matter() -> None:
    queries, references, relevance = made()
    plain = scores(ranked(queries, references, relevance), relevance)
    rng = np.random.default_rng(1)
    order, other = rng.permutation(len(queries)), rng.permutation(len(references))
    number = np.argsort(other)
    moved = Relevance(
        len(references),
        *(
            Lists.of_pairs(np.argsort(order)[lists.owners], number[lists.members], len(order))
            for lists in (relevance.positives, relevance.semi_positives, relevance.ignored)
        ),
    )
    assert_close(plain, scores(ranked(queries[order], references[other], moved), moved))


DISTANCES = ("euclidean", "cosine", "dot")


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("factor", [1e-160, 1e-6, 0.5, 3.0, 1e8, 1e160])
def test_scale_of_both_sides_does_not_matter(factor: float, distance: str) -> None:
    queries, references, relevance = made()
    plain = scores(ranked(queries, references, relevance, distance=distance), relevance)
    scaled = ranked(queries * factor, references * factor, relevance, distance=distance)
    assert_close(plain, scores(scaled, relevance))


@pytest.mark.parametrize("distance", ["cosine", "dot"])
@pytest.mark.parametrize("factor", [1e-160, 1e-40, 1e-5, 1e3, 1e160])
@pytest.mark.parametrize("scaled", ["queries", "references"])
def test_scale_of_one_side_does_not_matter_to_angles_and_products(
    scaled: str, factor: float, distance: str
) -> None:
    """The order of the references is the same, and so is every score."""
    queries, references, relevance = made()
    # Of many lengths, so that cosine and dot have orders of their own.
    lengths = np.random.default_rng(4).uniform(0.5, 2.0, (80, 1))
    lengths[::7] = 1.0
    references = references * lengths
    plain = scores(ranked(queries, references, relevance, distance=distance), relevance)
    given = {"queries": queries, "references": references}
    given[scaled] = given[scaled] * factor
    found = ranked(given["queries"], given["references"], relevance, distance=distance)
    assert_close(plain, scores(found, relevance))


def test_scale_of_one_side_matters_to_euclidean_distance() -> None:
    """Or the test above would hold of anything."""
    queries, references, relevance = made()
    references = references * np.random.default_rng(4).uniform(0.5, 2.0, (80, 1))
    plain = scores(ranked(queries, references, relevance), relevance)
    assert scores(ranked(queries * 1e3, references, relevance), relevance) != plain


@pytest.mark.parametrize("length", [1e-40, 1e-5, 1e3])
def test_short_references_of_one_length_are_told_apart_by_distance(length: float) -> None:
    """Of references of one length the closest has the largest product, however short they are."""
    queries, references, relevance = made()
    plain = scores(ranked(queries, references, relevance), relevance)
    assert_close(plain, scores(ranked(queries, references * length, relevance), relevance))


def test_the_policies_are_in_order_and_the_headline_is_one_of_them() -> None:
    queries, references, relevance = made()
    ranks = ranked(queries, references, relevance)
    for metric in metrics_of(ranks, relevance):
        found = {ties: metric.value(ranks, ties) for ties in TIES}
        sign = BETTER[metric.name]
        least, middle, most = (
            sign * found[ties] for ties in ("pessimistic", "expected", "optimistic")
        )
        assert least <= middle + 1e-12, metric.name
        assert middle <= most + 1e-12, metric.name
        assert metric.value(ranks) == found[metric.ties]
    # Ties are there, and they matter.
    assert any(metric.value(ranks, "optimistic") != metric.value(ranks, "pessimistic")
               for metric in metrics_of(ranks, relevance))  # fmt: skip


def test_copies_of_wrong_references_help_nobody() -> None:
    """Counted in ranks, because shares of references change with their number."""
    queries, references, relevance = made()
    wrong = np.setdiff1d(np.arange(len(references)), relevance.positives.members)
    doubled = np.concatenate([references, references[wrong]])
    wider = Relevance(
        len(doubled), relevance.positives, relevance.semi_positives, relevance.ignored
    )
    before, after = ranked(queries, references, relevance), ranked(queries, doubled, wider)
    for name in ("recall@1", "recall@5", "recall@10", "mrr", "map", "mean_rank", "median_rank"):
        metric = by_name(before, relevance)[name]
        for ties in TIES:
            worse = BETTER[name] * metric.value(after, ties)
            assert worse <= BETTER[name] * metric.value(before, ties) + 1e-12, (name, ties)


def by_name(ranks: Ranks, relevance: Relevance) -> dict[str, Metric]:
    return {metric.name: metric for metric in metrics_of(ranks, relevance)}


def test_constant_embeddings_score_chance_and_no_more() -> None:
    _, _, relevance = made()
    queries, references = np.ones((60, 12)), np.ones((80, 12))
    ranks = ranked(queries, references, relevance)
    closed = constant_ranks(relevance, every_positive=True)
    assert_close(scores(ranks, relevance), scores(closed, relevance))
    level = chance(relevance, {"recall@1": 1, "recall@5": 5, "recall@10": 10})
    found = scores(ranks, relevance)
    for name in ("recall@1", "recall@5", "recall@10", "mrr", "map", "mean_rank"):
        assert found[name]["expected"] == pytest.approx(level[name]), name
    assert found["pssr"]["pessimistic"] == 0.0


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("whole", [False, True])
def test_embeddings_that_are_no_numbers_have_no_score(value: float, whole: bool) -> None:
    queries, references, relevance = made()
    broken = references.copy()
    broken[slice(None) if whole else 5] = value
    for arguments in ((queries, broken), (broken[:60], references)):
        with pytest.raises(VectorError, match="not finite"):
            ranked(*arguments, relevance)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 30), (30, 1), (5, 3), (3, 9)])
def test_few_queries_and_fewer_references_than_k(n: int, m: int) -> None:
    rng = np.random.default_rng(2)
    vectors = unit(rng.standard_normal((max(n, m), 4)))
    relevance = Relevance.from_indices(rng.integers(0, m, n), m)
    ranks = ranked(vectors[:n], vectors[:m], relevance)
    for name, found in scores(ranks, relevance).items():
        for value in found.values():
            assert np.isfinite(value), name
            if BETTER[name] > 0 or name.startswith("search_space"):
                assert 0.0 <= value <= 1.0, name
    assert scores(ranks, relevance)["recall@10"]["expected"] == (1.0 if m <= 10 else
        pytest.approx(np.mean([r < 10 for r in ranks.better])))  # fmt: skip


def test_nothing_is_an_error() -> None:
    with pytest.raises(EvaluationError, match="nothing to evaluate"):
        ranked(np.ones((0, 3)), np.ones((4, 3)), Relevance.from_indices(np.ones(0, int), 4))


def test_shuffled_labels_score_near_chance() -> None:
    rng = np.random.default_rng(3)
    references = unit(rng.standard_normal((2000, 16)))
    relevance = Relevance.paired(2000)
    queries = unit(references + 0.1 * rng.standard_normal((2000, 16)))
    assert scores(ranked(queries, references, relevance), relevance)["recall@1"]["expected"] > 0.9
    shuffled = relevance.shuffled(rng)
    found = scores(ranked(queries, references, shuffled), shuffled)
    for k in (1, 5, 10):
        level = k / 2000
        assert abs(found[f"recall@{k}"]["expected"] - level) < 5 * (level / 2000) ** 0.5
    assert found["pssr"]["expected"] == pytest.approx(0.5, abs=0.05)
    assert found["median_rank"]["expected"] == pytest.approx(1000, abs=100)
