"""Every retrieval convention against what the published function returned, to the last bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sightline.evaluation.conventions import (
    PEERS,
    PUBLISHED,
    conventions,
    published,
    published_results,
)
from sightline.evaluation.retrieval.per_query import hit_rate, recall
from sightline.evaluation.retrieval.ranks import Ranks
from sightline.evaluation.retrieval.reduction import pssr

from .retrieval_files import UNIVERSITY, Case, read_cases

# How the fixtures call the order that a sort leaves ties in.
ORDERS = {"stable": "descending", "reversed_stable": "ascending"}


@pytest.fixture(scope="module")
def cases(conformance: Path) -> list[Case]:
    return read_cases(conformance)


def ours(case: Case, function: str, **settings: object) -> object:
    ranks = case.sorted_ranks if function in UNIVERSITY else case.ranks
    return published(function, ranks, case.reverse, pair_distances=case.pair_distances, **settings)


def test_every_result_is_what_the_published_function_returned(cases: list[Case]) -> None:
    compared = set()
    for case in cases:
        for function, result in case.meta["results"].items():
            if function in UNIVERSITY and case.meta["university_tie_order_dependent"]:
                continue
            assert ours(case, function) == result, (case.name, function)
            compared.add(function)
    present = {name for case in cases for name in case.meta["results"]}
    assert compared >= present - set(UNIVERSITY)


def test_the_fixtures_leave_no_function_out(cases: list[Case]) -> None:
    layouts = {"labels" in case.arrays for case in cases}
    if layouts != {True, False}:
        pytest.skip("only one layout is here")
    assert {name for case in cases for name in case.meta["results"]} == set(PUBLISHED)


def test_a_sort_leaves_ties_in_either_order(cases: list[Case]) -> None:
    compared = 0
    for case in cases:
        for order, result in (case.meta["university_other_tie_orders"] or {}).items():
            for function in UNIVERSITY:
                found = ours(case, function, order=ORDERS[order])
                assert found == result, (case.name, function, order)
                compared += 1
    assert compared


def test_without_ties_no_order_is_asked_for(cases: list[Case]) -> None:
    for case in cases:
        if not case.meta["university_tie_order_dependent"]:
            for function in UNIVERSITY:
                both = [ours(case, function, order=order) for order in ORDERS.values()]
                assert both == [case.meta["results"][function]] * 2, (case.name, function)


def test_an_unstable_sort_stays_between_the_kindest_and_the_hardest_order(
    cases: list[Case],
) -> None:
    for case in cases:
        if not case.meta["university_tie_order_dependent"]:
            continue
        every = case.sorted_ranks.every
        assert every is not None
        first = with_ties_before(case.sorted_ranks, np.zeros_like(every.tied))
        last = with_ties_before(case.sorted_ranks, every.tied)
        for function in UNIVERSITY:
            best = published(function, first, order="ascending")
            worst = published(function, last, order="ascending")
            for key, value in case.meta["results"][function].items():
                # A sum of the same numbers in another order may differ in its last bits.
                assert worst[key] - 1e-9 <= value <= best[key] + 1e-9, (case.name, function, key)


def with_ties_before(ranks: Ranks, before: np.ndarray) -> Ranks:
    return replace(ranks, every=replace(ranks.every, tied_before=before))


def test_the_counts_are_those_of_exact_arithmetic(cases: list[Case]) -> None:
    compared = set()
    for case in cases:
        ranks = case.ranks
        inclusive = ranks.better + ranks.tied + 1
        expected = {
            "n_strictly_better_g2s": ranks.better,
            "n_strictly_better_q2r": ranks.better,
            "n_better_or_equal_g2s": inclusive,
            "n_better_or_equal_q2r": inclusive,
            "witw_ranks": inclusive,
            "hit": ranks.better == ranks.semi_better,
        }
        if case.reverse is not None:
            kept = (case.reverse.better + case.reverse.tied + 1) / case.reverse.references
            expected["pssr"] = kept
        for name, counts in expected.items():
            if name in case.arrays:
                np.testing.assert_array_equal(case.arrays[name], counts, f"{case.name} {name}")
                compared.add(name)
    present = {name for case in cases for name in case.arrays} & {
        "pssr",
        "hit",
        "witw_ranks",
        *(f"n_{kind}_{way}" for kind in COUNTED for way in ("g2s", "q2r")),
    }
    assert compared == present


COUNTED = ("strictly_better", "better_or_equal")


def test_our_own_metrics_agree_with_published_ones_in_their_tie_policy(cases: list[Case]) -> None:
    for case in cases:
        results = case.meta["results"]
        optimistic = 100 * recall(case.ranks, 1, "optimistic").mean()
        assert results["transgeo_accuracy"][0] == pytest.approx(optimistic, abs=1e-10)
        if "witw_fov" in results:
            pessimistic = 100 * recall(case.ranks, 5, "pessimistic").mean()
            assert results["witw_fov"]["R5"] == pytest.approx(pessimistic, abs=1e-10)
        if "sample4geo_vigor" in results:
            hits = hit_rate(case.ranks, "optimistic").sum()
            assert results["sample4geo_vigor"]["counts"]["Hit_Rate"] == hits


def test_a_collapsed_model_is_perfect_in_print_and_at_chance_here(cases: list[Case]) -> None:
    checked = 0
    for case in cases:
        if "collapsed" not in case.meta["kind"]:
            continue
        checked += 1
        table = conventions(case.ranks, case.reverse, semi_positives=case.reverse is None)
        for peer in ("transgeo", "frgeo", "sample4geo"):
            assert table[peer]["recall@1"] == 1.0
        m = case.ranks.references
        for k in (1, 5, 10):
            honest = recall(case.ranks, k).mean()
            assert honest == pytest.approx(min(k, m) / m, rel=1e-12), case.name
        assert (pssr(case.ranks) == 0.0).all()
        if case.reverse is not None:
            assert table["witw"]["recall@1"] == 0.0
            assert table["image-locate"]["pssr"] == 1.0
    assert checked or pytest.skip("no collapsed file is here")


def test_shares_are_the_published_numbers_under_our_names(cases: list[Case]) -> None:
    for case in cases:
        results = case.meta["results"]
        several = case.reverse is None
        table = conventions(case.ranks, case.reverse, semi_positives=several)
        for peer in ("transgeo", "frgeo"):
            shares = [100 * share for share in table[peer].values()]
            assert shares == pytest.approx(results[f"{peer}_accuracy"], rel=1e-15)
        if several:
            assert list(table["vigor"].values()) == results["vigor_validate_top"]
            assert list(table["geodtr"].values()) == results["geodtr_test_vigor_validate_top"]
            assert table["sample4geo"]["hit_rate"] == table["vigor"]["hit_rate"]
        else:
            assert table["cvm-net"] == {"recall@1%": results["cvmnet_validate"]}
            series = results["safa_test_validate"]
            assert table["safa"]["recall@1%"] == series[-1]
            for k in (1, 5, 10):
                assert table["safa"].get(f"recall@{k}") == (series[k] if k < len(series) else None)
            assert table["witw"]["median_rank"] == results["witw_fov"]["median_rank"]
            assert table["image-locate"]["pssr"] == results["imagelocate_pssr"][0]
            if "university" in results:
                precision = 100 * table["university1652"]["map"]
                assert precision == pytest.approx(ours(case, "university")["AP"], rel=1e-15)
        # A file of several positives is ranked apart for the functions that know them.
        functions = set(results) - (set(UNIVERSITY) if several else set())
        spoken = {PUBLISHED[function].peer for function in functions}
        assert list(table) == [peer for peer in PEERS if peer in spoken]


def test_all_functions_that_fit_are_run_at_once(cases: list[Case]) -> None:
    for case in cases:
        table = published_results(
            case.ranks,
            case.reverse,
            semi_positives=case.reverse is None,
            pair_distances=case.pair_distances,
        )
        names = {PUBLISHED[name].peer: {} for name in PUBLISHED}
        for name, row in PUBLISHED.items():
            names[row.peer][row.function] = name
        for peer, functions in table.items():
            for function, result in functions.items():
                name = names[peer][function]
                if name not in UNIVERSITY:
                    assert result == case.meta["results"].get(name, result)
        found = {names[peer][function] for peer in table for function in table[peer]}
        assert found >= set(case.meta["results"]) - set(UNIVERSITY)
