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

from .retrieval_files import LAYOUTS, UNIVERSITY, Case, read_cases

# How the fixtures call the order that a sort leaves ties in.
ORDERS = {"stable": "descending", "reversed_stable": "ascending"}
COUNTED = ("strictly_better", "better_or_equal")


@pytest.fixture(scope="module")
def cases(conformance: Path) -> list[Case]:
    return read_cases(conformance)


def ours(case: Case, function: str, **settings: object) -> object:
    ranks = case.sorted_ranks if function in UNIVERSITY else case.ranks
    return published(function, ranks, case.reverse, pair_distances=case.pair_distances, **settings)


def test_every_result_is_what_the_published_function_returned(cases: list[Case]) -> None:
    for case in cases:
        for function, result in case.results.items():
            if function not in UNIVERSITY or not case.ties_matter:
                assert ours(case, function) == result, (case.name, function)


def test_a_sort_leaves_ties_in_either_order(cases: list[Case]) -> None:
    some = [case for case in cases if case.other_orders]
    for case in some or pytest.skip("no file says what other orders of ties give"):
        for order, result in case.other_orders.items():
            for function in UNIVERSITY:
                found = ours(case, function, order=ORDERS[order])
                assert found == result, (case.name, function, order)


def test_without_ties_no_order_is_asked_for(cases: list[Case]) -> None:
    for case in cases:
        for function in case.results.keys() & UNIVERSITY:
            if not case.ties_matter:
                both = [ours(case, function, order=order) for order in ORDERS.values()]
                assert both == [case.results[function]] * 2, (case.name, function)


def test_an_unstable_sort_stays_between_the_kindest_and_the_hardest_order(
    cases: list[Case],
) -> None:
    for case in cases:
        if not case.ties_matter:
            continue
        every = case.sorted_ranks.every
        assert every is not None
        first = with_ties_before(case.sorted_ranks, np.zeros_like(every.tied))
        last = with_ties_before(case.sorted_ranks, every.tied)
        for function in case.results.keys() & UNIVERSITY:
            best = published(function, first, order="ascending")
            worst = published(function, last, order="ascending")
            for key, value in case.results[function].items():
                # A sum of the same numbers in another order may differ in its last bits.
                assert worst[key] - 1e-9 <= value <= best[key] + 1e-9, (case.name, function, key)


def with_ties_before(ranks: Ranks, before: np.ndarray) -> Ranks:
    return replace(ranks, every=replace(ranks.every, tied_before=before))


def test_the_counts_are_those_of_exact_arithmetic(cases: list[Case]) -> None:
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


def test_our_own_metrics_agree_with_published_ones_in_their_tie_policy(cases: list[Case]) -> None:
    for case in cases:
        results = case.results
        if "transgeo_accuracy" in results:
            optimistic = 100 * recall(case.ranks, 1, "optimistic").mean()
            assert results["transgeo_accuracy"][0] == pytest.approx(optimistic, abs=1e-10)
        if "witw_fov" in results:
            pessimistic = 100 * recall(case.ranks, 5, "pessimistic").mean()
            assert results["witw_fov"]["R5"] == pytest.approx(pessimistic, abs=1e-10)
        if "sample4geo_vigor" in results:
            hits = hit_rate(case.ranks, "optimistic").sum()
            assert results["sample4geo_vigor"]["counts"]["Hit_Rate"] == hits


def test_a_collapsed_model_is_perfect_in_print_and_at_chance_here(cases: list[Case]) -> None:
    some = [case for case in cases if "collapsed" in case.kind]
    for case in some or pytest.skip("no collapsed file is here"):
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


def test_shares_are_the_published_numbers_under_our_names(cases: list[Case]) -> None:
    for case in cases:
        results = case.results
        table = conventions(case.ranks, case.reverse, semi_positives=case.reverse is None)
        for peer in ("transgeo", "frgeo"):
            if f"{peer}_accuracy" in results:
                shares = [100 * share for share in table[peer].values()]
                assert shares == pytest.approx(results[f"{peer}_accuracy"], rel=1e-15)
        if "vigor_validate_top" in results:
            assert list(table["vigor"].values()) == results["vigor_validate_top"]
            assert table["sample4geo"]["hit_rate"] == table["vigor"]["hit_rate"]
        if "geodtr_test_vigor_validate_top" in results:
            assert list(table["geodtr"].values()) == results["geodtr_test_vigor_validate_top"]
        if "cvmnet_validate" in results:
            assert table["cvm-net"] == {"recall@1%": results["cvmnet_validate"]}
        if "safa_test_validate" in results:
            series = results["safa_test_validate"]
            assert table["safa"]["recall@1%"] == series[-1]
            for k in (1, 5, 10):
                assert table["safa"].get(f"recall@{k}") == (series[k] if k < len(series) else None)
        if "witw_fov" in results:
            assert table["witw"]["median_rank"] == results["witw_fov"]["median_rank"]
        if "imagelocate_pssr" in results:
            assert table["image-locate"]["pssr"] == results["imagelocate_pssr"][0]
        # A file of several positives is ranked apart for the functions that know them.
        if "university" in results and case.reverse is not None:
            precision = 100 * table["university1652"]["map"]
            assert precision == pytest.approx(ours(case, "university")["AP"], rel=1e-15)


def test_all_functions_that_fit_are_run_at_once(cases: list[Case]) -> None:
    for case in cases:
        for name, result in run_at_once(case).items():
            if name not in UNIVERSITY:
                assert result == case.results.get(name, result), (case.name, name)
        assert run_at_once(case).keys() >= case.results.keys() - set(UNIVERSITY)


def run_at_once(case: Case) -> dict[str, object]:
    """Results of every function that fits, by its name in our table."""
    table = published_results(
        case.ranks,
        case.reverse,
        semi_positives=case.reverse is None,
        pair_distances=case.pair_distances,
    )
    return {
        name: table[row.peer][row.function]
        for name, row in PUBLISHED.items()
        if row.function in table.get(row.peer, {})
    }


# The shared files hold everything, so that nothing above is left untested.


def test_the_shared_files_are_all_read(whole: Path) -> None:
    for path in sorted((whole / "retrieval").glob("*.npz")):
        with np.load(path, allow_pickle=False) as file:
            names = set(file.files)
        assert any(names >= layout for layout in LAYOUTS), (path.name, sorted(names))


def test_the_shared_files_leave_no_function_out(whole: Path, cases: list[Case]) -> None:
    assert {name for case in cases for name in case.results} == set(PUBLISHED)
    comparable = {name for case in cases if not case.ties_matter for name in case.results}
    assert comparable == set(PUBLISHED)


def test_the_shared_files_have_every_kind_of_trouble(whole: Path, cases: list[Case]) -> None:
    for paired in (True, False):
        some = [case for case in cases if (case.reverse is not None) == paired]
        assert any(case.other_orders.keys() == ORDERS.keys() for case in some)
        assert any("collapsed" in case.kind for case in some)
        assert {case.ties_matter for case in some} == {True, False}
    names = {name for case in cases for name in case.arrays}
    counted = {f"n_{kind}_{way}" for kind in COUNTED for way in ("g2s", "q2r")}
    assert names >= {"pssr", "hit", "witw_ranks", *counted}


def test_on_the_shared_files_the_peers_that_spoke_are_those_of_the_table(
    whole: Path, cases: list[Case]
) -> None:
    for case in cases:
        several = case.reverse is None
        table = conventions(case.ranks, case.reverse, semi_positives=several)
        functions = case.results.keys() - (set(UNIVERSITY) if several else set())
        spoken = {PUBLISHED[function].peer for function in functions}
        assert list(table) == [peer for peer in PEERS if peer in spoken]
