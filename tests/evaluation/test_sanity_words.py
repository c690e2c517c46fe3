from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.evaluation.retrieval.per_query import TIES, hit_rate, recall
from sightline.evaluation.retrieval.relevance import Relevance
from sightline.evaluation.sanity import (
    Leak,
    chance,
    collapse_of,
    collapse_warnings,
    constant_ranks,
    leakage_warnings,
    length_warnings,
    percent,
    swapped_warnings,
    tie_warnings,
    unanswerable_warnings,
)

RNG = np.random.default_rng(0)
KS = {"recall@1": 1, "recall@5": 5, "recall@10": 10}


def policies_of(ranks, *, hits: bool = False) -> dict[str, dict[str, float]]:
    found = {
        ties: {name: float(recall(ranks, k, ties).mean()) for name, k in KS.items()}
        for ties in TIES
    }
    if hits:
        for ties in TIES:
            found[ties]["hit_rate"] = float(hit_rate(ranks, ties).mean())
    return found


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (1.0, "100 %"),
        (0.99999, "over 99.9 %"),
        (0.9994, "99.9 %"),
        (0.475, "47.5 %"),
        (0.001, "0.1 %"),
        (1 / 8884, "0.0113 %"),
        (1e-7, "under 0.0001 %"),
        (0.0, "0 %"),
    ],
)
def test_percentages_have_three_digits_and_never_round_up_to_all(share, text) -> None:
    assert percent(share) == text


@given(st.floats(0, 1))
def test_only_all_is_written_as_a_hundred_per_cent(share) -> None:
    assert (percent(share) == "100 %") == (share == 1.0)
    assert "e" not in percent(share).replace("under", "").replace("over", "")


def test_a_collapsed_model_is_called_out() -> None:
    relevance = Relevance.paired(1000)
    policies = policies_of(constant_ranks(relevance))
    (sentence,) = tie_warnings(policies, chance(relevance, KS), 1000)
    assert sentence == (
        "Recall@1 is 100 % only if every tie is broken in the model's favour; under a random order "
        "of ties it is 0.1 %, no better than chance (0.1 %). The same holds for Recall@5, "
        "Recall@10."
    )


def test_a_hit_rate_made_by_ties_is_called_out_too() -> None:
    relevance = Relevance.from_indices([[0]] * 50, 200, semi_positives=[[1, 2, 3]] * 50)
    policies = policies_of(constant_ranks(relevance), hits=True)
    level = chance(relevance, KS)
    (sentence,) = tie_warnings(policies, level, 50)
    assert sentence.endswith("The same holds for Recall@5, Recall@10, the hit rate.")
    alone = {ties: {"hit_rate": scores["hit_rate"]} for ties, scores in policies.items()}
    (sentence,) = tie_warnings(alone, level, 50)
    assert sentence.startswith("The hit rate is 100 % only if")


def test_a_score_that_ties_move_and_do_not_make_is_said_to_move() -> None:
    # The dup30 conformance file of 2003 rows: 47.53 % by strict code, 31.60 % by inclusive code.
    policies = {
        "optimistic": {"recall@1": 0.4753, "recall@5": 0.66},
        "pessimistic": {"recall@1": 0.3160, "recall@5": 0.61},
        "expected": {"recall@1": 0.39, "recall@5": 0.64},
    }
    level = {"recall@1": 1 / 2003, "recall@5": 5 / 2003}
    (sentence,) = tie_warnings(policies, level, 2003)
    assert sentence == (
        "The order of ties alone moves Recall@1 between 31.6 % and 47.5 %; under a random order it "
        "is 39 %."
    )


def test_a_model_without_ties_needs_no_warning() -> None:
    score = {"recall@1": 0.64, "recall@10": 0.9, "mrr": 0.7}
    policies = dict.fromkeys(TIES, score)
    assert tie_warnings(policies, {"recall@1": 0.01, "recall@10": 0.1, "mrr": 0.02}, 100) == []
    slightly = policies | {"pessimistic": {"recall@1": 0.636, "recall@10": 0.899, "mrr": 0.1}}
    assert tie_warnings(slightly, {"recall@1": 0.01, "recall@10": 0.1}, 100) == []
    # Where all is found anyway, the order of ties takes nothing away from chance.
    everything = {ties: {"recall@10": 1.0} for ties in TIES}
    assert tie_warnings(everything, {"recall@10": 1.0}, 5) == []


def test_luck_within_two_standard_errors_is_chance_and_more_is_not() -> None:
    policies = {
        "optimistic": {"recall@1": 0.9},
        "pessimistic": {"recall@1": 0.0},
        "expected": {"recall@1": 0.1189},
    }
    (lucky,) = tie_warnings(policies, {"recall@1": 0.1}, 1000)
    assert "no better than chance" in lucky
    policies["expected"] = {"recall@1": 0.1191}
    (moved,) = tie_warnings(policies, {"recall@1": 0.1}, 1000)
    assert "The order of ties alone moves Recall@1 between 0 % and 90 %" in moved


def looked_at(vectors: np.ndarray):
    return collapse_of(vectors, rng=np.random.default_rng(0))


def test_collapse_is_said_once_with_its_reasons() -> None:
    fine = looked_at(RNG.standard_normal((100, 16)))
    (sentence,) = collapse_warnings(looked_at(np.ones((100, 16))), fine)
    assert sentence.startswith("The model has collapsed. 99 % of the queries are copies")
    assert collapse_warnings(fine, fine) == []


def test_copies_short_of_collapse_are_said_by_side() -> None:
    vectors = RNG.standard_normal((1000, 16))
    fine = looked_at(vectors)
    vectors[700:] = vectors[:300]
    (sentence,) = collapse_warnings(fine, looked_at(vectors))
    assert sentence.startswith("30 % of the references are copies of an earlier one")
    vectors[700:] *= 3.0
    # Of other lengths they are other vectors; of length 1 they would be the same.
    assert collapse_warnings(looked_at(vectors), fine) == []
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[700:] = vectors[700:].astype(np.float32)
    (sentence,) = collapse_warnings(looked_at(vectors), fine)
    assert sentence.startswith("About 30 % of the queries differ from an earlier one")


def test_leaks_are_said_with_two_examples() -> None:
    leak = Leak(12, ((3, 7), (4, 7), (9, 1)))
    (sentence,) = leakage_warnings(100, content=leak)
    assert sentence.startswith("12 of 100 queries are themselves among the references (query 3 and")
    assert "query 4 and reference 7, ...)" in sentence
    (sentence,) = leakage_warnings(100, vectors=Leak(1, ((3, 7),)))
    assert (
        "1 of 100 queries have the very vector of a reference (query 3 and reference 7)" in sentence
    )
    # Known content says all that equal vectors could hint at.
    assert leakage_warnings(100, content=Leak(0, ()), vectors=leak) == []
    (sentence,) = leakage_warnings(100, place=leak, radius_m=5.0)
    assert "within 5 m of a reference" in sentence
    assert leakage_warnings(100, place=Leak(0, ()), radius_m=5.0) == []
    assert leakage_warnings(100) == []


def test_queries_with_nothing_to_find_are_counted() -> None:
    assert unanswerable_warnings(Relevance.paired(3)) == []
    relevance = Relevance.from_indices([[0], [-1], [1], [-1]], 2)
    assert unanswerable_warnings(relevance) == [
        "2 of 4 queries have no positive (the first is row 1): they count as misses."
    ]


def test_lengths_matter_only_where_they_differ() -> None:
    assert length_warnings(7.0, 7.0, "references", "euclidean") == []
    units = RNG.standard_normal((50, 64))
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    halves = np.linalg.norm(units.astype(np.float16).astype(np.float64), axis=1)
    assert length_warnings(halves.min(), halves.max(), "references", "euclidean") == []
    (sentence,) = length_warnings(0.931, 12.1, "references", "euclidean")
    assert sentence == (
        "The references differ in length (0.931 to 12.1), so that dot product, cosine and "
        "Euclidean distance rank them differently; euclidean was used."
    )
    assert length_warnings(0.0, 0.0, "references", "cosine") == []


def test_exchanged_axes_are_said() -> None:
    assert swapped_warnings(False) == []
    (sentence,) = swapped_warnings(True)
    assert "exchanged" in sentence
