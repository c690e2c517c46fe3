"""A whole evaluation of embeddings: that every part of it says what its parts alone say."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from report.schema import violations
from sightline.errors import CoordinateError, EvaluationError, VectorError
from sightline.evaluation import (
    Context,
    RetrievalResult,
    RetrievalSettings,
    compare_retrieval,
    evaluate_archive,
    evaluate_retrieval,
    rank,
    read_archive,
)
from sightline.evaluation.conventions import PEERS, conventions, published_results
from sightline.evaluation.retrieval.metrics import recall_depths
from sightline.evaluation.retrieval.per_query import recall
from sightline.evaluation.retrieval.reduction import pssr, search_space_at_recall
from sightline.evaluation.retrieval.relevance import Relevance
from sightline.evaluation.sanity import chance
from sightline.report import evaluation_json_schema

from .sets import unit

QUICK = RetrievalSettings(resamples=199)
ALONE = dataclasses.replace(QUICK, both_ways=False)


def vectors(
    count: int = 60, *, noise: float = 1.0, seed: int = 0, dimension: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (count, dimension) of length 1 that are similar."""
    rng = np.random.default_rng(seed)
    references = rng.standard_normal((count, dimension))
    queries = references + noise * rng.standard_normal(references.shape)
    return unit(queries).astype(np.float32), unit(references).astype(np.float32)


def places(count: int, seed: int = 1) -> np.ndarray:
    """Places (count, 2), each kilometres from the next."""
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.uniform(50, 60, count), rng.uniform(10, 20, count)])


def document_of(result: RetrievalResult) -> dict:
    """The document as it is stored; it must be strict JSON and what its schema says."""
    document = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert violations(document, evaluation_json_schema()) == []
    return document


def only(result: RetrievalResult, words: str) -> str:
    found = [warning for warning in result.warnings if words in warning]
    assert len(found) == 1, result.warnings
    return found[0]


def test_a_good_model_is_scored_without_a_warning() -> None:
    queries, references = vectors(noise=0.3)
    result = evaluate_retrieval(queries, references, Relevance.paired(60), QUICK, name="good")
    document = document_of(result)
    assert document["warnings"] == []
    assert document["name"] == "good"
    assert (document["n_queries"], document["n_references"]) == (60, 60)
    assert (document["dimension"], document["n_without_positive"]) == (8, 0)
    assert not document["collapse"]["alarm"]
    assert document["conventions"] == document["published"] == {}
    settings = document["settings"]
    assert (settings["grouped_by"], settings["n_groups"]) == (None, None)
    assert settings["k_of_percent"] == {"1%": 1, "5%": 3, "10%": 6}
    # By hand: who is nearer than the pair.
    scores = queries.astype(float) @ references.astype(float).T
    ranks = (scores > np.diag(scores)[:, None]).sum(axis=1) + 1
    metrics = {name: found["value"] for name, found in document["metrics"].items()}
    for k in (1, 5, 10):
        assert metrics[f"recall@{k}"] == pytest.approx((ranks <= k).mean())
    assert metrics["mean_rank"] == pytest.approx(ranks.mean())
    assert metrics["median_rank"] == np.median(ranks)
    assert metrics["mrr"] == pytest.approx((1 / ranks).mean())
    assert metrics["pssr"] == pytest.approx((1 - ranks / 60).mean())
    assert "map" not in metrics
    assert "hit_rate" not in metrics


def test_the_other_direction_is_that_of_the_reordered_references() -> None:
    queries, references = vectors(noise=1.5)
    partner = np.random.default_rng(3).permutation(60)
    groups = [f"place {i // 5}" for i in range(60)]
    many = RetrievalSettings(resamples=9999)
    # Query i belongs to the reference where partner holds i; reference j to query partner[j].
    result = evaluate_retrieval(
        queries,
        references[partner],
        Relevance.from_indices(np.argsort(partner), 60),
        many,
        context=Context(groups=groups),
    )
    direct = evaluate_retrieval(
        references[partner],
        queries,
        Relevance.from_indices(partner, 60),
        dataclasses.replace(many, both_ways=False, seed=1),
        context=Context(groups=[groups[i] for i in partner]),
    )
    assert result.backward is not None
    assert result.backward.policies == direct.forward.policies
    for name, found in direct.forward.metrics.items():
        ours = result.backward.metrics[name]
        assert ours.value == found.value
        if name in ("recall@1", "recall@10", "mrr", "pssr"):
            # Other draws of the same groups.
            assert ours.high - ours.low == pytest.approx(found.high - found.low, rel=0.1)


def test_groups_of_the_other_direction_are_those_of_the_pairs() -> None:
    # Six places, whose pairs are all found or all lost; the references stand in another order.
    rng = np.random.default_rng(4)
    references = unit(rng.standard_normal((120, 16)))
    queries = references.copy()
    lost = np.repeat(np.arange(6) % 2 == 1, 20)
    queries[lost] = -queries[lost]
    partner = rng.permutation(120)
    result = evaluate_retrieval(
        queries,
        references[partner],
        Relevance.from_indices(np.argsort(partner), 120),
        RetrievalSettings(resamples=999),
        context=Context(groups=np.repeat(np.arange(6), 20)),
    )
    assert result.backward is not None
    there, back = (side.metrics["recall@1"] for side in (result.forward, result.backward))
    assert there.value == back.value == 0.5
    # With the queries' groups in the references' order it would be the width of single queries.
    assert back.high - back.low > 0.6
    assert there.high - there.low > 0.6


@pytest.mark.parametrize(
    "relevance",
    [
        Relevance.from_indices([[i, (i + 1) % 60] for i in range(60)], 60),
        Relevance.from_indices([0, 0, *range(2, 60)], 60),
        Relevance.from_indices([-1, *range(1, 60)], 60),
    ],
)
def test_the_references_that_are_right_ask_too(relevance) -> None:
    queries, references = vectors()
    result = evaluate_retrieval(queries, references, relevance, QUICK, peers="all")
    right = np.unique(relevance.positives.members)
    asked = [
        [query for query in range(60) if reference in relevance.positives.of(query)]
        for reference in right
    ]
    padded = [[*found, *[-1] * (2 - len(found))] for found in asked]
    direct = evaluate_retrieval(
        references[right], queries, Relevance.from_indices(padded, 60), QUICK
    )
    assert result.backward is not None
    assert result.backward.policies == direct.forward.policies
    reverse = result.to_json()["reverse"]
    assert (reverse["n_queries"], reverse["n_references"]) == (len(right), 60)
    assert reverse["k_of_percent"] == {"1%": 1, "5%": 3, "10%": 6}
    # Published code that asks both ways knows pairs only.
    assert "pssr" not in result.conventions.get("image-locate", {})


def test_nothing_right_leaves_nobody_to_ask() -> None:
    relevance = Relevance.from_indices(np.full(60, -1), 60)
    assert evaluate_retrieval(*vectors(), relevance, QUICK).backward is None
    assert evaluate_retrieval(*vectors(), Relevance.paired(60), ALONE).to_json()["reverse"] is None


def test_baselines_are_what_they_are_called() -> None:
    queries, references = vectors(400, noise=0.2)
    relevance = Relevance.paired(400)
    result = evaluate_retrieval(queries, references, relevance, ALONE)
    baselines = result.to_json()["baselines"]
    assert set(baselines) == {"random", "constant", "shuffled"}
    required = {f"search_space@{share}%": share / 100 for share in (90, 95, 99, 100)}
    assert baselines["random"] == chance(relevance, recall_depths(400), required)
    assert set(baselines["random"]) == set(result.forward.metrics)
    for name in ("recall@1", "recall@10%", "mrr", "mean_rank"):
        assert baselines["constant"][name] == pytest.approx(baselines["random"][name])
    assert baselines["constant"]["pssr"] == 0.0
    assert result.forward.metrics["recall@1"].value > 0.9
    assert baselines["shuffled"]["recall@1"] < 0.03
    assert baselines["shuffled"]["recall@10%"] == pytest.approx(0.1, abs=0.06)
    assert baselines["shuffled"]["pssr"] == pytest.approx(0.5, abs=0.06)


def test_curves_and_histogram_are_those_of_the_ranks() -> None:
    queries, references = vectors(noise=1.5)
    references[:20] = references[0]
    queries[:20] = references[0]
    result = evaluate_retrieval(queries, references, Relevance.paired(60), ALONE)
    document = document_of(result)
    curve = document["curves"]["recall"]
    assert curve["k"][0] == 1
    assert curve["k"][-1] == 60
    assert curve["k"] == sorted(set(curve["k"]))
    for policy in ("optimistic", "expected", "pessimistic"):
        for k, share in zip(curve["k"], curve[policy], strict=True):
            assert share == recall(result.ranks, k, policy).mean()
    assert curve["expected"][0] == document["metrics"]["recall@1"]["value"]
    assert curve["optimistic"][0] > curve["expected"][0] > curve["pessimistic"][0]
    space = document["curves"]["search_space"]
    assert space["share"] == search_space_at_recall(result.ranks, space["recall"])
    shares = dict(zip(space["recall"], space["share"], strict=True))
    for percent in (90, 95, 99, 100):
        metric = document["metrics"][f"search_space@{percent}%"]["value"]
        assert shares[percent / 100] == metric
    histogram = document["histograms"]["pssr"]
    assert sum(histogram["counts"]) == 60
    kept = pssr(result.ranks)
    for low, high, count in zip(
        histogram["edges"][:-1], histogram["edges"][1:], histogram["counts"], strict=True
    ):
        assert count == ((kept >= low) & ((kept < high) | (high == 1.0) & (kept == 1.0))).sum()


def test_ties_are_the_distance_of_the_policies() -> None:
    queries, references = vectors()
    references[10:30] = references[10]
    queries[10:20] = references[10]
    document = document_of(evaluate_retrieval(queries, references, Relevance.paired(60), QUICK))
    for part in (document, document["reverse"]):
        for name, found in part["metrics"].items():
            best, worst = (part["tie_policies"][p][name] for p in ("optimistic", "pessimistic"))
            assert found["ties"] == pytest.approx(abs(best - worst))
            own = "pessimistic" if name.startswith(("pssr", "search_space")) else "expected"
            assert found["value"] == pytest.approx(part["tie_policies"][own][name])
    assert document["metrics"]["recall@1"]["ties"] > 0


def test_several_positives_have_a_mean_average_precision() -> None:
    queries, references = vectors()
    relevance = Relevance.from_indices([[i, (i + 7) % 60] for i in range(60)], 60)
    document = document_of(evaluate_retrieval(queries, references, relevance, QUICK))
    scores = queries.astype(float) @ references.astype(float).T
    precisions = []
    for i, row in enumerate(scores):
        right = np.isin(np.argsort(-row), [i, (i + 7) % 60])
        at = np.flatnonzero(right)
        precisions.append(np.mean([(n + 1) / (place + 1) for n, place in enumerate(at)]))
    assert document["metrics"]["map"]["value"] == pytest.approx(np.mean(precisions))
    assert set(document["baselines"]["random"]) == set(document["metrics"])


def test_semi_positives_have_a_hit_rate() -> None:
    queries, references = vectors(noise=1.5)
    nearest = np.argsort(-(queries.astype(float) @ references.astype(float).T), axis=1)
    semi = [[int(j) for j in row if j != i][:3] for i, row in enumerate(nearest)]
    relevance = Relevance.from_indices(np.arange(60), 60, semi_positives=semi)
    document = document_of(evaluate_retrieval(queries, references, relevance, QUICK))
    scores = queries.astype(float) @ references.astype(float).T
    hits = []
    for i, row in enumerate(scores):
        others = [j for j in range(60) if j != i and j not in semi[i]]
        hits.append(row[i] > row[others].max())
    assert document["metrics"]["hit_rate"]["value"] == pytest.approx(np.mean(hits))
    assert document["metrics"]["hit_rate"]["value"] > document["metrics"]["recall@1"]["value"]
    assert document["reverse"] is not None


def test_junk_is_as_if_it_were_not_there() -> None:
    queries, references = vectors(noise=1.5)
    full = evaluate_retrieval(
        queries,
        np.vstack([references, queries]),
        Relevance.from_indices(
            np.arange(60), 120, ignore=np.tile(np.arange(60, 120), (60, 1)).tolist()
        ),
        ALONE,
    )
    bare = evaluate_retrieval(queries, references, Relevance.paired(60), ALONE)
    document_of(full)
    for name in ("recall@1", "recall@5", "mrr", "mean_rank", "pssr"):
        assert full.forward.metrics[name].value == pytest.approx(bare.forward.metrics[name].value)
    assert full.baselines["random"]["recall@1"] == pytest.approx(1 / 60)


def test_queries_without_a_positive_are_misses_and_said() -> None:
    queries, references = vectors(noise=0.1)
    positives = np.arange(60)
    positives[[4, 9]] = -1
    result = evaluate_retrieval(queries, references, Relevance.from_indices(positives, 60), QUICK)
    document = document_of(result)
    assert document["n_without_positive"] == 2
    assert document["metrics"]["recall@10"]["value"] == pytest.approx(58 / 60)
    assert document["metrics"]["search_space@100%"]["value"] == 1.0
    assert only(result, "no positive").startswith("2 of 60 queries have no positive")


def test_conventions_are_those_of_the_ranks() -> None:
    queries, references = vectors(150, noise=1.5)
    relevance = Relevance.paired(150)
    result = evaluate_retrieval(queries, references, relevance, QUICK, peers="all")
    document = document_of(result)
    there = rank(queries, references, relevance, every_positive=True)
    back = rank(references, queries, relevance)
    ours = conventions(there, back)
    apart = np.linalg.norm(queries.astype(float) - references, axis=1)
    theirs = published_results(there, back, pair_distances=apart)
    assert set(ours) <= set(PEERS)
    assert document["conventions"] == json.loads(json.dumps(ours))
    assert document["published"] == json.loads(json.dumps(theirs))
    some = evaluate_retrieval(queries, references, relevance, QUICK, peers=["witw", "transgeo"])
    assert list(some.conventions) == ["witw", "transgeo"]
    assert some.conventions["witw"] == ours["witw"]
    assert dict(some.forward.metrics) == dict(result.forward.metrics)


def test_an_unknown_peer_is_refused_with_the_nearest() -> None:
    with pytest.raises(EvaluationError, match="no retrieval convention 'transgoe'") as caught:
        evaluate_retrieval(*vectors(), Relevance.paired(60), QUICK, peers=["transgoe"])
    assert "Did you mean 'transgeo'?" in caught.value.hint
    with pytest.raises(EvaluationError, match="'zzz'") as caught:
        evaluate_retrieval(*vectors(), Relevance.paired(60), QUICK, peers=["zzz"])
    assert caught.value.hint.startswith("There are ")


def test_the_same_seed_gives_the_same_document_and_another_seed_others_draws() -> None:
    queries, references = vectors(noise=2.0)
    relevance = Relevance.paired(60)
    first, again, other = (
        evaluate_retrieval(
            queries, references, relevance, dataclasses.replace(QUICK, seed=seed)
        ).to_json()
        for seed in (5, 5, 6)
    )
    assert first == again
    assert first["metrics"]["mrr"]["value"] == other["metrics"]["mrr"]["value"]
    assert first["metrics"]["mrr"]["low"] != other["metrics"]["mrr"]["low"]


@pytest.mark.parametrize("distance", ["euclidean", "cosine", "dot"])
def test_distances_are_passed_on_to_every_direction(distance) -> None:
    queries, references = vectors(noise=1.5)
    references = references * np.linspace(1, 3, 60, dtype=np.float32)[:, None]
    settings = dataclasses.replace(QUICK, distance=distance)
    result = evaluate_retrieval(queries, references, Relevance.paired(60), settings)
    assert result.backward is not None
    there = rank(queries, references, Relevance.paired(60), distance=distance)
    back = rank(references, queries, Relevance.paired(60), distance=distance)
    np.testing.assert_array_equal(result.ranks.better, there.better)
    np.testing.assert_array_equal(result.backward.ranks.better, back.better)
    words = only(result, "differ in length (1 to 3)")
    assert words.endswith(f"{distance} was used.")


def test_progress_is_told_of_each_pass() -> None:
    told: list[tuple[int, int | None]] = []
    evaluate_retrieval(
        *vectors(),
        Relevance.paired(60),
        QUICK,
        progress=lambda done, total=None: told.append((done, total)),
    )
    assert told.count((60, 60)) >= 2


# Warnings


def test_a_collapsed_model_is_called_one() -> None:
    same = np.ones((50, 4), np.float32)
    result = evaluate_retrieval(same, same, Relevance.paired(50), QUICK)
    document = document_of(result)
    assert document["collapse"]["alarm"]
    assert only(result, "has collapsed")
    assert only(result, "Recall@1 is 100 % only if every tie is broken in the model's favour")
    # All queries have the one vector; that they are photos of the references is not said.
    assert document["leakage"]["same_content"] == 50
    assert not any("may be the same photos" in warning for warning in result.warnings)


def test_a_common_offset_is_not_called_collapse() -> None:
    rng = np.random.default_rng(2)
    references = 1000.0 + rng.standard_normal((200, 64))
    queries = references + 0.1 * rng.standard_normal(references.shape)
    result = evaluate_retrieval(queries, references, Relevance.paired(200), QUICK)
    assert result.forward.metrics["recall@1"].value == 1.0
    assert not any("collapsed" in warning for warning in result.warnings)


def test_copies_and_ties_are_said() -> None:
    queries, references = vectors(noise=0.1)
    references[:20] = references[20:40]
    result = evaluate_retrieval(queries, references, Relevance.paired(60), QUICK)
    assert only(result, "33.3 % of the references are copies of an earlier one")
    assert only(result, "The order of ties alone moves Recall@1")


def test_leaks_by_vector_hash_and_place_are_said() -> None:
    queries, references = vectors(noise=0.3)
    queries[3] = references[8]
    relevance = Relevance.paired(60)
    result = evaluate_retrieval(queries, references, relevance, QUICK)
    assert only(result, "1 of 60 queries have the very vector of a reference (query 3 and")
    assert document_of(result)["leakage"]["by"] == "vectors"
    hashes = [f"q{i}" for i in range(60)], [f"r{i}" for i in range(60)]
    hashes[0][5] = hashes[1][7]
    context = Context(
        query_latlon=places(60),
        reference_latlon=places(60, seed=2),
        query_hashes=hashes[0],
        reference_hashes=hashes[1],
    )
    result = evaluate_retrieval(queries, references, relevance, QUICK, context=context)
    assert only(result, "1 of 60 queries are themselves among the references (query 5 and")
    leakage = document_of(result)["leakage"]
    assert (leakage["by"], leakage["same_content"], leakage["same_place"]) == ("hashes", 1, 0)
    assert leakage["examples"] == [[5, 7]]
    alone = dataclasses.replace(context, reference_hashes=None)
    result = evaluate_retrieval(queries, references, relevance, QUICK, context=alone)
    assert document_of(result)["leakage"]["by"] == "vectors"


def test_the_same_place_is_counted_always_and_a_warning_where_it_is_asked_for() -> None:
    where = places(60)
    context = Context(query_latlon=where, reference_latlon=where)
    given = *vectors(noise=0.3), Relevance.paired(60)
    silent = evaluate_retrieval(*given, QUICK, context=context)
    leakage = document_of(silent)["leakage"]
    assert (leakage["same_place"], leakage["radius_m"]) == (60, 5.0)
    assert leakage["same_place_examples"][0] == [0, 0]
    assert silent.warnings == []
    asked = dataclasses.replace(QUICK, same_place_m=20.0)
    loud = evaluate_retrieval(*given, asked, context=context)
    assert only(loud, "60 of 60 queries were taken within 20 m of a reference")
    assert document_of(loud)["leakage"]["radius_m"] == 20.0
    without = document_of(evaluate_retrieval(*given, QUICK))
    assert without["leakage"]["same_place"] is None


def test_exchanged_axes_and_notes_are_said() -> None:
    where = places(60)
    context = Context(query_latlon=where[:, ::-1], reference_latlon=where, notes=["As agreed."])
    result = evaluate_retrieval(*vectors(), Relevance.paired(60), QUICK, context=context)
    assert only(result, "look exchanged")
    assert result.warnings[-1] == "As agreed."


# What does not fit


@pytest.mark.parametrize(
    ("name", "value", "rows", "side"),
    [
        ("groups", ["one"], 1, "6 queries"),
        ("groups", np.arange(7), 7, "6 queries"),
        ("query_hashes", ["a"], 1, "6 queries"),
        ("query_hashes", "a", 1, "6 queries"),
        ("reference_hashes", ["a"] * 6, 6, "9 references"),
        ("query_latlon", [57.7, 11.9], 1, "6 queries"),
        ("query_latlon", [[57.7, 11.9]], 1, "6 queries"),
        ("reference_latlon", [[57.7, 11.9]] * 6, 6, "9 references"),
    ],
)
def test_what_has_another_number_of_rows_is_refused(name, value, rows, side) -> None:
    queries, references = vectors(9)
    relevance = Relevance.from_indices(np.arange(6), 9)
    with pytest.raises(EvaluationError) as caught:
        evaluate_retrieval(
            queries[:6], references, relevance, QUICK, context=Context(**{name: value})
        )
    assert caught.value.message == f"{name} has {rows} rows, and there are {side}."


def test_groups_of_one_kind_or_another_are_counted() -> None:
    given = *vectors(6), Relevance.paired(6), QUICK
    for groups, count in (
        ([("a", 1), ("a", 1), ("a", 2), ("b", 1), ("b", 1), ("b", 1)], 3),
        ([1, "1", 1, "1", 2.5, 2.5], 3),
        (np.array([3, 3, 5, 5, 5, 3]), 2),
        (["x"] * 6, 1),
    ):
        result = evaluate_retrieval(*given, context=Context(groups=groups))
        assert document_of(result)["settings"]["n_groups"] == count
        assert document_of(result)["settings"]["grouped_by"] == "group"
        assert compare_retrieval(result, result).settings["n_groups"] == count
    with pytest.raises(EvaluationError, match=r"groups must have shape \(6,\). Got \(6, 2\)"):
        evaluate_retrieval(*given, context=Context(groups=np.zeros((6, 2))))
    with pytest.raises(EvaluationError, match="groups row 2 is None"):
        evaluate_retrieval(*given, context=Context(groups=["a", "b", None, "a", "b", "c"]))


def test_vectors_and_places_that_are_none_are_refused() -> None:
    queries, references = vectors(6)
    relevance = Relevance.paired(6)
    bad = queries.copy()
    bad[2, 1] = np.inf
    with pytest.raises(VectorError, match="queries row 2 is not finite"):
        evaluate_retrieval(bad, references, relevance, QUICK)
    with pytest.raises(EvaluationError, match="dimensions"):
        evaluate_retrieval(queries, references[:, :5], relevance, QUICK)
    nowhere = places(6)
    nowhere[4, 0] = 91.0
    with pytest.raises(CoordinateError, match="query_latlon row 4"):
        evaluate_retrieval(
            queries,
            references,
            relevance,
            QUICK,
            context=Context(query_latlon=nowhere, reference_latlon=places(6)),
        )


# Archives


def test_an_archive_is_scored_with_all_it_knows(tmp_path) -> None:
    queries, references = vectors()
    where, hashes = places(60), np.arange(60)
    path = tmp_path / "model.npz"
    np.savez(
        path,
        queries=queries,
        references=references,
        positives=np.arange(60),
        groups=hashes // 10,
        query_latlon=where,
        reference_latlon=where,
        query_hashes=hashes,
        reference_hashes=hashes + 50,
        unknown=hashes,
    )
    found = document_of(evaluate_archive(read_archive(path), QUICK, peers=["witw"]))
    expected = evaluate_retrieval(
        queries,
        references,
        Relevance.paired(60),
        QUICK,
        name="model",
        peers=["witw"],
        context=Context(hashes // 10, where, where, hashes, hashes + 50, notes=found["warnings"]),
    )
    assert found["metrics"] == document_of(expected)["metrics"]
    assert found["leakage"] == document_of(expected)["leakage"]
    assert found["settings"]["n_groups"] == 6
    assert found["warnings"][-1] == "Not used: 'unknown'."
    assert list(found["conventions"]) == ["witw"]


def test_errors_of_an_archive_name_its_path(tmp_path) -> None:
    queries, references = vectors(6)
    queries[2, 1] = np.nan
    path = tmp_path / "bad.npz"
    np.savez(path, queries=queries, references=references)
    with pytest.raises(VectorError, match="queries row 2 is not finite") as caught:
        evaluate_archive(read_archive(path), QUICK)
    assert caught.value.message.startswith(f"{str(path)!r}: ")
    assert caught.value.path == str(path)
    with pytest.raises(EvaluationError, match="no retrieval convention") as caught:
        evaluate_archive(read_archive(path), QUICK, peers=["nobody"])
    assert caught.value.path is None


# Comparison


def test_a_comparison_is_of_the_values_per_query_and_passes_warnings_on() -> None:
    queries, references = vectors(noise=1.5)
    relevance = Relevance.paired(60)
    good = evaluate_retrieval(queries, references, relevance, ALONE, name="good")
    same = np.ones_like(queries)
    bad = evaluate_retrieval(
        same, same, relevance, ALONE, name="bad", context=Context(notes=["Rows are paired."])
    )
    found = compare_retrieval(good, bad)
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert violations(document, evaluation_json_schema()) == []
    assert found.metrics["recall@1"].a == good.per_query()["recall@1"].mean()
    assert found.metrics["recall@1"].b == pytest.approx(1 / 60)
    assert "median_rank" not in found.metrics
    assert [line for line in found.warnings if line.startswith("bad: ")] == [
        f"bad: {warning}" for warning in bad.warnings
    ]
    assert any(line.startswith("bad: The model has collapsed.") for line in found.warnings)
    assert "bad: Rows are paired." in found.warnings
    assert not any(line.startswith("good: ") for line in found.warnings)


def test_other_sets_are_not_compared() -> None:
    queries, references = vectors()
    a = evaluate_retrieval(queries, references, Relevance.paired(60), ALONE, name="a")
    half = Relevance.from_indices(np.arange(30), 60)
    b = evaluate_retrieval(queries[:30], references, half, ALONE, name="b")
    with pytest.raises(EvaluationError, match="'a' has 60 queries and 'b' 30"):
        compare_retrieval(a, b)
    turned = Relevance.from_indices(np.arange(60)[::-1].copy(), 60)
    c = evaluate_retrieval(queries, references, turned, ALONE, name="c")
    with pytest.raises(EvaluationError, match="'a' and 'c' have other positives"):
        compare_retrieval(a, c)
