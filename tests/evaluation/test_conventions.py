"""Conventions on inputs small enough to count by hand, and on inputs they cannot take."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from sightline.errors import CoordinateError, EvaluationError
from sightline.evaluation.conventions import (
    LOCALIZATION,
    LOCALIZATION_PEERS,
    PEERS,
    PUBLISHED,
    conventions,
    distance_km,
    localization_conventions,
    published,
    published_accuracy,
    published_localizations,
    published_results,
    vigor_accuracy,
    visloc_printed,
)
from sightline.evaluation.retrieval.ranks import PositiveCounts, Ranks, rank
from sightline.evaluation.retrieval.relevance import Relevance

from .oracle import ranks_by_counting, ranks_of_scores

RETRIEVAL = [
    "cvm-net",
    "safa",
    "l2ltr",
    "geodtr",
    "transgeo",
    "frgeo",
    "sample4geo",
    "vigor",
    "university1652",
    "witw",
    "image-locate",
]
LONDON, PARIS = (51.5, -0.12), (48.85, 2.35)


def ranks_of(better: list[int], tied: list[int] | None = None, *, references: int) -> Ranks:
    """One positive per query, this many others before it and beside it."""
    n = len(better)
    zeros = np.zeros(n, np.int64)
    return Ranks(
        references=references,
        candidates=np.full(n, references),
        positives=np.ones(n, np.int64),
        better=np.array(better),
        tied=zeros if tied is None else np.array(tied),
        positives_tied=zeros,
        semi_better=zeros,
        semi_tied=zeros,
        tie_tolerance=0.0,
    )


def pairs(scores: list[list[float]]) -> tuple[Ranks, Ranks]:
    """Both directions of pairs with these similarities."""
    relevance = Relevance.paired(len(scores))
    matrix = np.array(scores)
    return ranks_of_scores(matrix, relevance), ranks_of_scores(matrix.T, relevance.reversed())


def test_every_peer_of_the_field_has_its_row() -> None:
    assert list(PEERS) == RETRIEVAL
    assert list(LOCALIZATION_PEERS) == ["im2gps", "osv5m", "plonk", "pigeon", "geoclip", "visloc"]
    assert sorted(name for names in PEERS.values() for name in names) == sorted(PUBLISHED)


def test_ties_count_for_some_and_against_others() -> None:
    # Three queries: first alone, first among two ties, second.
    ranks = ranks_of([0, 0, 1], [0, 2, 0], references=3)
    assert published("safa_train_validate", ranks) == pytest.approx(2 / 3)
    assert published("transgeo_accuracy", ranks) == [pytest.approx(200 / 3), 100.0, 100.0, 0.0]
    witw = published("witw_fov", ranks)
    assert witw["R1"] == pytest.approx(100 / 3)
    assert (witw["mean_rank"], witw["median_rank"]) == (2.0, 2.0)
    ranks = ranks_of([0, 0, 4, 1, 2], [0, 0, 0, 0, 1], references=5)
    witw = published("witw_baseline", ranks)
    assert (witw["mean_rank"], witw["median_rank"]) == (2.6, 2.0)
    table = conventions(ranks)["witw"]
    assert (table["mean_rank"], table["median_rank"]) == (2.6, 2.0)


def test_image_locate_counts_one_rank_too_many() -> None:
    ranks = ranks_of([0, 1, 2, 5, 6, 10, 11, 12, 0, 0, 0, 0], references=12)
    result = published("imagelocate_recall", ranks)
    shares = [count / 12 * 100 for count in (6, 8, 10, 5, 5, 6)]
    assert result == {"testing": True, "values": shares}
    # 1 % of 12 is place 0, where only rank 1 stands; 10 % is place 1, rank 2.
    assert conventions(ranks)["image-locate"]["recall@1%"] == 5 / 12


@pytest.mark.parametrize(
    ("references", "testing"), [(11, True), (500, True), (501, False), (600, False)]
)
def test_image_locate_asks_for_500_places_where_there_are_more(
    references: int, testing: bool
) -> None:
    ranks = ranks_of([0] * references, references=references)
    result = published("imagelocate_recall", ranks)
    assert result["testing"] is testing
    assert len(result["values"]) == (6 if testing else 9)
    metrics = conventions(ranks)["image-locate"]
    assert ("recall@500" in metrics) is not testing
    assert "pssr" not in metrics


@pytest.mark.parametrize(
    ("references", "cvm", "series", "transgeo", "witw"),
    [
        # The rank that just counts at 1 %: 0 is none.
        (50, 1, 0, 0, 0),
        (99, 1, 0, 0, 0),
        (100, 2, 1, 1, 1),
        (199, 2, 1, 1, 1),
        (200, 3, 2, 2, 2),
        (257, 3, 2, 2, 2),
    ],
)
def test_the_last_rank_of_one_per_cent(
    references: int, cvm: int, series: int, transgeo: int, witw: int
) -> None:
    for place in range(1, 6):
        ranks = ranks_of([place - 1] * references, references=references)
        assert published("cvmnet_validate", ranks) == float(place <= cvm)
        assert published("geodtr_validatenp", ranks)[-1] == float(place <= series)
        assert published("frgeo_accuracy", ranks)[3] == 100.0 * (place <= transgeo)
        assert published("witw_baseline", ranks)["R1pct"] == 100.0 * (place <= witw)


@pytest.mark.parametrize(("references", "last"), [(10, 1), (50, 1), (150, 3), (250, 3), (251, 4)])
def test_university_rounds_half_to_even_and_counts_one_more(references: int, last: int) -> None:
    for place in range(1, 6):
        ranks = everything(ranks_of([place - 1] * 2, references=references))
        result = published("university", ranks)
        assert result["k1pct_index"] == last - 1
        assert result["R1pct"] == 100.0 * (place <= last)


def everything(ranks: Ranks) -> Ranks:
    """The same ranks with counts of every positive: one each, all others of a larger number."""
    zeros = np.zeros(ranks.queries, np.int64)
    return replace(ranks, every=PositiveCounts(zeros, ranks.better, ranks.tied, zeros, zeros))


def test_a_series_ends_at_one_per_cent() -> None:
    ranks = ranks_of([0, 1, 2, 9] * 150, references=600)
    for name in ("safa_test_validate", "l2ltr_test_validate", "geodtr_validatenp"):
        assert published(name, ranks) == [0.0, 0.25, 0.5, 0.75, 0.75, 0.75, 0.75]
    assert conventions(ranks)["safa"] == {"recall@1": 0.25, "recall@5": 0.75, "recall@1%": 0.75}
    few = ranks_of([0, 0], references=2)
    assert published("safa_test_validate", few) == [0.0]
    assert conventions(few)["l2ltr"] == {"recall@1%": 0.0}


def test_sample4geo_prints_four_decimals_and_returns_all() -> None:
    ranks = ranks_of([0, 0, 7], references=9)
    assert published("sample4geo_cv", ranks) == {
        "Recall@1": 66.6667,
        "Recall@5": 66.6667,
        "Recall@10": 100.0,
        "Recall@top1": 0.0,
        "returned_R@1": 2 / 3 * 100,
        "counts": {"Recall@1": 2, "Recall@5": 2, "Recall@10": 3, "Recall@top1": 0},
    }
    assert conventions(ranks)["sample4geo"]["recall@1"] == 2 / 3


def test_hit_rate_forgives_semi_positives_and_recall_does_not() -> None:
    relevance = Relevance.from_indices([0, 0, 0], 4, semi_positives=[[1, 2], [1, 2], [1, 2]])
    scores = [[0.5, 0.9, 0.8, 0.1], [0.5, 0.9, 0.1, 0.8], [0.9, 0.5, 0.5, 0.9]]
    ranks = ranks_of_scores(np.array(scores), relevance)
    third = 1 / 3
    assert published("vigor_validate_top", ranks) == [third, third, 1.0, 2 / 3]
    assert published("geodtr_test_vigor_validate_top", ranks) == [third, 1.0, 1.0, third, 2 / 3]
    assert conventions(ranks, semi_positives=True)["vigor"]["hit_rate"] == 2 / 3


def test_functions_that_forgive_are_left_out_where_nothing_is_to_forgive() -> None:
    ranks = ranks_of([0, 1], references=2)
    assert conventions(ranks)["vigor"] == {"recall@1%": 0.5}
    assert "validate_top" not in published_results(ranks)["vigor"]
    assert "hit_rate" not in conventions(ranks)["sample4geo"]
    assert "hit_rate" in conventions(ranks, semi_positives=True)["sample4geo"]


def test_the_other_direction() -> None:
    # Query 0 prefers its own reference; reference 0 prefers query 1. All tie on query 2.
    forward, reverse = pairs([[0.5, 0.1, 0.2], [0.9, 0.95, 0.2], [0.2, 0.2, 0.2]])
    both = published("geodtr_distancestat", forward, reverse)
    assert both == [[1.0, 1.0, 1.0, 1.0], [2 / 3, 1.0, 1.0, 2 / 3]]
    space = published("imagelocate_pssr", forward, reverse, pair_distances=[3.0, 1.0, 2.0])
    assert space == [pytest.approx(2 / 3), 1.0, 1 / 3, pytest.approx(14 / 3), 9.0, 1.0]
    assert published("imagelocate_pssr", forward, reverse)[3:] == [None, None, None]
    assert conventions(forward, reverse)["image-locate"] == {"pssr": pytest.approx(2 / 3)}


def test_university_by_hand() -> None:
    labels = Relevance.from_labels([7, 8, 9], [7, 8, 7, -1, 6, 6, 6, 6, 6, 6, 6, 8])
    scores = np.zeros((3, 12))
    # Query 0: junk first, then a positive, another place, the other positive.
    scores[0, [3, 0, 4, 2]] = 4, 3, 2, 1
    # Query 1: its positives 1 and 11 tie with all others: rows by number, from either end.
    # Query 2 has no positive.
    ranks = ranks_of_scores(scores, labels)
    assert ranks.every is not None
    descending = published("university", ranks)
    assert descending["skipped"] == 1
    assert descending["R1"] == pytest.approx(200 / 3, rel=1e-6)
    first = 0.5 * (1 + 1) / 2 + 0.5 * (1 / 2 + 2 / 3) / 2
    # Descending: 11 stands in row 0, and 1 in row 9 (11, 10, 9, ... without the junk 3).
    second = 0.5 * (1 + 1) / 2 + 0.5 * (1 / 9 + 2 / 10) / 2
    assert descending["AP"] == pytest.approx((first + second) / 3 * 100, rel=1e-15)
    ascending = published("university", ranks, order="ascending")
    second = 0.5 * (0 + 1 / 2) / 2 + 0.5 * (1 / 10 + 2 / 11) / 2
    assert ascending["AP"] == pytest.approx((first + second) / 3 * 100, rel=1e-15)
    assert ascending["R1"] == pytest.approx(100 / 3, rel=1e-6)
    uniform = conventions(ranks, order="ascending")
    assert list(uniform) == ["sample4geo", "university1652"]
    assert uniform["university1652"]["map"] == pytest.approx((first + second) / 3, rel=1e-15)
    assert uniform["university1652"]["recall@1"] == 1 / 3


def test_university_percentages_are_those_of_float32() -> None:
    ranks = everything(ranks_of([0, 0, 5], references=10))
    result = published("university", ranks)
    assert result["R1"] == float(np.float32(2) / np.float32(3) * np.float32(100)) != 2 / 3 * 100


@given(st.integers(1, 12), st.integers(1, 14), st.integers(0, 2**32 - 1))
def test_university_is_a_sort_and_a_loop(n: int, m: int, seed: int) -> None:
    """Against the sort itself, with the loop written as the published code describes it."""
    m += 9
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, (n, m)).astype(float)
    given_labels, asked_labels = rng.integers(-1, 4, m), rng.integers(0, 5, n)
    ranks = ranks_of_scores(scores, Relevance.from_labels(asked_labels, given_labels))
    places = np.arange(m)
    for order, tie_break in (("descending", -places), ("ascending", places)):
        total, found = 0.0, np.zeros(m)
        for row, label in zip(scores, asked_labels, strict=True):
            listed = [r for r in np.lexsort((tie_break, -row)) if given_labels[r] != -1]
            rows = [place for place, r in enumerate(listed) if given_labels[r] == label]
            if rows:
                found[rows[0] :] += 1
            area = 0.0
            for i, place in enumerate(rows):
                earlier = i / place if place else 1.0
                area = area + 1.0 / len(rows) * (earlier + (i + 1) / (place + 1)) / 2
            total += area
        result = published("university", ranks, order=order)
        assert result["AP"] == total / n * 100
        for key, index in (("R1", 0), ("R5", 4), ("R10", 9), ("R1pct", round(0.01 * m))):
            assert result[key] == float(np.float32(found[index]) / np.float32(n) * np.float32(100))


@given(st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_strict_and_inclusive_peers_agree_where_nothing_ties(n: int, seed: int) -> None:
    scores = np.random.default_rng(seed).permutation(n * n).reshape(n, n).astype(float)
    ranks = ranks_of_scores(scores, Relevance.paired(n))
    strict, inclusive = published("transgeo_accuracy", ranks), published("witw_fov", ranks)
    assert strict == [inclusive[key] for key in ("R1", "R5", "R10", "R1pct")]
    sorted_ = published("university", ranks) if n >= 10 else None
    assert sorted_ is None or sorted_["R1"] == pytest.approx(strict[0], rel=1e-6)


def test_more_references_than_queries() -> None:
    ranks = ranks_of([0, 1], references=300)
    table = conventions(ranks, semi_positives=False)
    assert set(table) == {"geodtr", "transgeo", "frgeo", "sample4geo"}
    assert table["transgeo"] == {
        "recall@1": 0.5,
        "recall@5": 1.0,
        "recall@10": 1.0,
        "recall@1%": 1.0,
    }


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("transgeo_accuracy", {"positives": np.array([1, 2])}, "query 1 has 2"),
        ("frgeo_accuracy", {"positives": np.array([0, 1])}, "query 0 has 0"),
        ("sample4geo_cv", {"candidates": np.array([12, 9])}, "query 1 ignores 3 references"),
        ("cvmnet_validate", {}, "2 queries and 12 references"),
        ("witw_fov", {}, "2 queries and 12 references"),
        ("university", {}, "their counts are missing"),
        ("imagelocate_recall", {"references": 10, "candidates": np.array([10, 10])}, "place 11"),
        ("sample4geo_university", {"references": 9}, "place 10 .* there are 9"),
        ("transgeo_accuracies", {}, "no published function 'transgeo_accuracies'"),
    ],
)
def test_input_that_the_published_code_cannot_take(
    name: str, change: dict[str, object], message: str
) -> None:
    ranks = replace(ranks_of([0, 1], references=12), **change)
    with pytest.raises(EvaluationError, match=message):
        published(name, ranks)


PAIRED = [name for name, row in PUBLISHED.items() if row.pairs]


def test_the_functions_that_take_the_diagonal_are_known() -> None:
    assert {PUBLISHED[name].peer for name in PAIRED} == {
        "cvm-net", "safa", "l2ltr", "geodtr", "vigor", "witw", "image-locate"
    }  # fmt: skip


@pytest.mark.parametrize("name", PAIRED)
def test_positives_that_are_no_pairs_have_no_diagonal(name: str) -> None:
    """As many queries as references, one positive each, and yet no pairs."""
    rng = np.random.default_rng(0)
    queries, references = rng.standard_normal((2, 12, 8))
    for positives in ([0] * 12, [0, 0, *range(2, 12)]):
        relevance = Relevance.from_indices(positives, 12)
        ranks = rank(queries, references, relevance)
        reverse = rank(references, queries, Relevance.paired(12))
        with pytest.raises(EvaluationError, match="pairs, and some reference is the positive of"):
            published(name, ranks, reverse)
    order = rng.permutation(12)
    relevance = Relevance.from_indices(order, 12)
    found = published(
        name, rank(queries, references, relevance), rank(references, queries, relevance.reversed())
    )
    # Pairs in another order are pairs: the published code would be given them sorted.
    relevance = Relevance.paired(12)
    assert found == published(
        name,
        rank(queries, references[order], relevance),
        rank(references[order], queries, relevance),
    )


def test_where_the_positives_are_no_pairs_the_tables_keep_the_peers_that_need_none() -> None:
    rng = np.random.default_rng(0)
    queries, references = rng.standard_normal((2, 12, 8))
    ranks = rank(queries, references, Relevance.from_indices([0] * 12, 12), every_positive=True)
    assert not ranks.distinct
    peers = {"geodtr", "transgeo", "frgeo", "sample4geo", "university1652"}
    assert set(conventions(ranks)) == peers
    native = published_results(ranks, semi_positives=True)
    assert set(native) == peers | {"vigor"}
    assert set(native["vigor"]) == {"validate_top"}
    assert set(native["geodtr"]) == {"test_vigor.validate_top", "validateVIGOR"}


def test_no_query_at_all() -> None:
    with pytest.raises(EvaluationError, match="at least one query"):
        published("transgeo_accuracy", ranks_of([], references=3))
    assert conventions(ranks_of([], references=3)) == {}


def test_the_other_direction_must_be_of_the_same_pairs() -> None:
    forward, reverse = pairs([[1.0, 0.0], [0.0, 1.0]])
    with pytest.raises(EvaluationError, match="reverse is missing"):
        published("geodtr_distancestat", forward)
    with pytest.raises(EvaluationError, match="there 3 references ask 2 queries"):
        published("imagelocate_pssr", forward, ranks_of([0, 0, 0], references=2))
    with pytest.raises(EvaluationError, match="query 0 has 2"):
        shared = replace(reverse, positives=np.array([2, 0]))
        published("geodtr_distancestat", forward, shared)
    assert "image-locate" not in conventions(forward)


@pytest.mark.parametrize("distances", [[1.0], [1.0, np.nan], [[1.0, 1.0]]])
def test_bad_pair_distances(distances: list[float]) -> None:
    forward, reverse = pairs([[1.0, 0.0], [0.0, 1.0]])
    with pytest.raises(EvaluationError, match="pair_distances must be 2 finite numbers"):
        published("imagelocate_pssr", forward, reverse, pair_distances=distances)


def test_bad_order() -> None:
    with pytest.raises(EvaluationError, match="'descending' or 'ascending'"):
        published("university", ranks_of([0], references=1), order="random")  # type: ignore[arg-type]


def test_a_collapsed_model_under_every_convention() -> None:
    vectors = np.tile([0.6, 0.8], (120, 1))
    relevance = Relevance.paired(120)
    ranks = ranks_by_counting(vectors, vectors, relevance)
    table = conventions(ranks, ranks)
    for peer in set(PEERS) - {"witw", "university1652"}:
        assert all(share == 1.0 for share in table[peer].values()), peer
    assert table["witw"] == {
        "recall@1": 0.0,
        "recall@5": 0.0,
        "recall@10": 0.0,
        "recall@1%": 0.0,
        "mean_rank": 120.0,
        "median_rank": 120.0,
    }
    assert table["university1652"]["recall@1"] == 1 / 120
    assert table["image-locate"]["pssr"] == 1.0


# Localization


def test_thresholds_are_strict_for_some_and_inclusive_for_others() -> None:
    at_the_threshold = {
        name: next(iter(published_accuracy(name, [25.0], thresholds_km=[25]).items()))
        if LOCALIZATION[name].score_key is None
        else list(published_accuracy(name, [25.0], thresholds_km=[25]).items())[-1]
        for name in LOCALIZATION
    }
    assert at_the_threshold == {
        "im2gps": ("25", 1.0),
        "osv5m": ("Accuracy_25_km_radius", 0.0),
        "plonk": ("Accuracy_25_km_radius", 0.0),
        "pigeon": ("Under_25_km", 0.0),
        "geoclip": ("acc_25_km", 1.0),
        "visloc_evaluation": ("25", 0.0),
        "visloc_train_calc_acc": ("25km", 1.0),
    }


def test_scores_are_rounded_by_pigeon_and_not_by_osv5m() -> None:
    distances = [0.0, 1492.7]
    exact = 2500 * (1 + np.exp(-1))
    assert published_accuracy("osv5m", distances)["Geoguessr"] == float(np.float32(exact))
    assert published_accuracy("pigeon", distances)["geoguessr"] == (5000 + 1839) / 2
    # 676.7: rounded up, and each photo by itself.
    assert published_accuracy("pigeon", [2 * 1492.7])["geoguessr"] == 677
    assert published_accuracy("pigeon", [2 * 1492.7, 0.0, 0.0])["geoguessr"] == 10_677 / 3
    assert published_accuracy("osv5m", distances)["Haversine"] == float(np.float32(746.35))


def test_shares_are_rounded_to_float32_where_the_peer_rounds() -> None:
    distances = [0.5, 2.0, 3.0]
    assert published_accuracy("plonk", distances)["Accuracy_1_km_radius"] == float(
        np.float32(1) / np.float32(3)
    )
    assert published_accuracy("pigeon", distances)["Under_1_km"] == 1 / 3
    assert published_accuracy("visloc_evaluation", distances)["1"] == 1 / 3 * 100


def test_each_peer_has_its_earth() -> None:
    km = {peer: float(distance_km(peer, LONDON, PARIS)) for peer in (*LOCALIZATION_PEERS, "vigor")}
    assert km["osv5m"] == km["plonk"] == km["im2gps"] == km["visloc"]
    assert km["pigeon"] / km["osv5m"] == pytest.approx(6378.137 / 6371, rel=1e-12)
    assert km["vigor"] / km["osv5m"] == pytest.approx(6371.004 / 6371, rel=1e-12)
    geodesic_m = Geod(ellps="WGS84").inv(LONDON[1], LONDON[0], PARIS[1], PARIS[0])[2]
    assert km["geoclip"] == pytest.approx(geodesic_m / 1000, rel=1e-12)


def test_a_photo_between_two_earths_is_within_reach_for_one_peer_only() -> None:
    # 25.01 km on PIGEON's Earth is 24.98 km on the others'.
    north = (25.01 / 6378.137) * 180 / np.pi
    table = localization_conventions([[north, 0.0]], [[0.0, 0.0]])
    assert table["pigeon"]["accuracy@25km"] == 0.0
    assert table["osv5m"]["accuracy@25km"] == 1.0
    assert table["visloc"]["accuracy@25km"] == 1.0
    assert table["geoclip"]["accuracy@25km"] == 1.0


def test_uniform_names_of_localization() -> None:
    table = localization_conventions([LONDON, LONDON], [LONDON, PARIS])
    assert list(table) == list(LOCALIZATION_PEERS)
    shares = {f"accuracy@{km}km" for km in (1, 25, 200, 750, 2500)}
    extra = {
        "im2gps": set(),
        "osv5m": {"mean_error_km", "score"},
        "plonk": {"mean_error_km", "score"},
        "pigeon": {"mean_error_km", "median_error_km", "score"},
        "geoclip": {"mean_error_km"},
        "visloc": {"median_error_km", "accuracy@0.1km"},
    }
    for peer, numbers in table.items():
        assert set(numbers) == shares | extra[peer]
        assert numbers["accuracy@1km"] == numbers["accuracy@200km"] == 0.5
        assert numbers["accuracy@750km"] == 1.0
    distance = float(distance_km("osv5m", LONDON, PARIS))
    assert table["osv5m"]["mean_error_km"] == pytest.approx(distance / 2)
    assert table["visloc"]["median_error_km"] == pytest.approx(distance / 2)
    assert table["osv5m"]["score"] == pytest.approx(2500 * (1 + np.exp(-distance / 1492.7)))


def test_means_and_medians_of_localization_are_what_they_say() -> None:
    predicted = [LONDON, LONDON, PARIS, (0.0, 0.0)]
    table = localization_conventions(predicted, [LONDON, PARIS, (48.9, 2.4), (0.0, 90.0)])
    far_km = float(distance_km("osv5m", LONDON, PARIS))
    near_km = float(distance_km("osv5m", PARIS, (48.9, 2.4)))
    quarter_km = 6371 * np.pi / 2
    assert table["visloc"]["median_error_km"] == pytest.approx((near_km + far_km) / 2, rel=1e-12)
    assert table["osv5m"]["mean_error_km"] == pytest.approx(
        (near_km + far_km + quarter_km) / 4, rel=1e-12
    )
    scores = 5000 * np.exp(-np.array([0.0, near_km, far_km, quarter_km]) / 1492.7)
    assert table["plonk"]["score"] == pytest.approx(scores.mean(), rel=1e-12)
    earth = 6378.137 / 6371
    pigeon = table["pigeon"]
    assert pigeon["median_error_km"] == pytest.approx(earth * (near_km + far_km) / 2, rel=1e-12)
    scores = 5000 * np.exp(-earth * np.array([0.0, near_km, far_km, quarter_km]) / 1492.7)
    assert pigeon["score"] == np.round(scores).mean()


def test_a_photo_without_an_answer_is_a_miss() -> None:
    predicted = [LONDON, (np.nan, np.nan)]
    for peer, numbers in localization_conventions(predicted, [LONDON, PARIS]).items():
        assert numbers["accuracy@2500km"] == 0.5, peer
        assert "mean_error_km" not in numbers
        assert numbers.get("score", 2500.0) == 2500.0
    native = published_localizations(predicted, [LONDON, PARIS])
    assert native["osv5m"]["HaversineMetrics"]["Geoguessr"] == 2500.0
    assert "Haversine" not in native["osv5m"]["HaversineMetrics"]
    assert native["visloc"]["modules.calc_acc"]["1km"] == 0.5
    assert native["visloc"]["evaluation.pprint_results"]["0.1"] == 50.0


def test_what_visloc_prints() -> None:
    assert visloc_printed([0.05, 0.1, 30.0, 40.0]) == (
        "Acc@100m:\t25.0%\nAcc@1km:\t50.0%\nAcc@25km:\t50.0%\nAcc@200km:\t100.0%\n"
        "Acc@750km:\t100.0%\nAcc@2500km:\t100.0%\nMedian Error: 15.1km\n"
    )


def test_vigors_curve_is_strict() -> None:
    thresholds, accuracy = vigor_accuracy([1.1, 0.0, 1e30])
    assert thresholds[4] == 1.1
    assert accuracy[4] == 1 / 3
    assert accuracy[5] == 2 / 3
    assert accuracy[-1] == 2 / 3


@pytest.mark.parametrize(
    ("distances", "message"),
    [
        ([], r"shape \(n,\), n > 0"),
        ([[1.0]], r"Got \(1, 1\)"),
        ([1.0, np.nan], "row 1 is nan"),
        ([-1.0], "row 0 is -1.0"),
    ],
)
def test_bad_distances(distances: list[float], message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        published_accuracy("geoclip", distances)
    with pytest.raises(EvaluationError, match=message):
        vigor_accuracy(distances)


def test_unknown_localization_names() -> None:
    with pytest.raises(EvaluationError, match="no published function 'visloc'"):
        published_accuracy("visloc", [1.0])
    with pytest.raises(EvaluationError, match="no localization convention 'flat'"):
        distance_km("flat", LONDON, PARIS)


def test_bad_places() -> None:
    with pytest.raises(EvaluationError, match=r"\(1, 2\) and \(2, 2\)"):
        localization_conventions([LONDON], [LONDON, PARIS])
    with pytest.raises(EvaluationError, match="at least one"):
        localization_conventions(np.empty((0, 2)), np.empty((0, 2)))
    with pytest.raises(CoordinateError, match="predicted"):
        localization_conventions([LONDON, (np.nan, 3.0)], [LONDON, PARIS])
    with pytest.raises(CoordinateError, match="true"):
        localization_conventions([LONDON], [(91.0, 0.0)])
