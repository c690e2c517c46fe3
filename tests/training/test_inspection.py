"""What figures show of a scored run, against what one computes row by row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sightline.training import train
from sightline.training.evaluating import ScoredRun, score_run
from sightline.training.inspection import (
    heat_of_pairs,
    paired_vectors,
    some_queries,
    top_matches,
)

from .recipes import tiny

KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "known": {
        "architecture": "frgeo",
        "ground": "crop:90",
        "heading": "known",
        "ground_size": (32, 32),
        "model_args": {"output_stride": 8},
    },
    "unknown": {
        "architecture": "frgeo",
        "heading": "unknown",
        "phases": 2,
        "aerial_size": (64, 64),
        "ground_size": (32, 128),
        "model_args": {"output_stride": 8},
    },
}


@pytest.fixture(scope="module", params=KINDS)
def scored(request, planet_pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> ScoredRun:
    out = tmp_path_factory.mktemp("runs") / "run"
    torch.set_num_threads(1)
    recipe = tiny(epochs=1, **KINDS[request.param])
    train(recipe, out, data=planet_pairs / "manifest", device="cpu")
    return score_run(out, data=planet_pairs / "manifest", device="cpu", resamples=50)


def slow_scores(scored: ScoredRun, query: int) -> np.ndarray:
    """Mean cosines of regions under every turn, or one cosine, patch by patch."""
    found = scored.found
    if found.turning is None:
        return np.array([found.queries[query] @ patch for patch in found.references])
    ground, aerial = (part.numpy().astype(np.float64) for part in found.turning)
    regions = len(ground[query])
    weight = np.linalg.norm(ground[query], axis=1).sum()
    best = []
    for phases in aerial:
        turns = [
            sum(ground[query][k] @ phase[(k + shift) % regions] for k in range(regions)) / weight
            for phase in phases
            for shift in range(regions)
        ]
        best.append(max(turns))
    return np.array(best)


def test_the_top_is_that_of_a_slow_scan_and_ranks_are_those_of_the_evaluation(
    scored: ScoredRun,
) -> None:
    queries = some_queries(scored, 6)
    found = top_matches(scored, queries)
    assert found.top.shape == found.scores.shape == (6, 5)
    for row, query in enumerate(queries.tolist()):
        scores = slow_scores(scored, query)
        np.testing.assert_allclose(found.scores[row], np.sort(scores)[::-1][:5], atol=1e-5)
        np.testing.assert_allclose(scores[found.top[row]], found.scores[row], atol=1e-5)
        (true,) = found.truth[row]
        assert found.ranks[row] == 1 + (np.delete(scores, true) > scores[true] - 2e-6).sum()
        photo = scored.asked.photos.paths.index(found.photos[row])
        pair = scored.asked.splits["test"].pairs
        patch = pair[pair[:, 0] == photo, 1]
        assert found.patches[true] == scored.asked.patches.paths[int(patch[0])]
    recalled = np.mean(top_matches(scored, some_queries(scored, 99)).ranks == 1)
    assert recalled == pytest.approx(scored.result.to_json()["metrics"]["recall@1"]["value"])


def test_queries_are_taken_evenly_or_from_the_worst(scored: ScoredRun) -> None:
    assert some_queries(scored, 4).tolist() == [0, 5, 10, 15]
    assert some_queries(scored, 99).tolist() == list(range(16))
    ranks = top_matches(scored, some_queries(scored, 99)).ranks
    worst = some_queries(scored, 5, worst=True)
    assert ranks[worst].tolist() == sorted(ranks.tolist(), reverse=True)[:5]


def test_both_views_of_pairs_as_vectors(scored: ScoredRun) -> None:
    queries = some_queries(scored, 16)
    ground, aerial = paired_vectors(scored, queries)
    assert ground.shape == aerial.shape == (16, scored.network.dimension)
    for side in (ground, aerial):
        np.testing.assert_allclose(np.linalg.norm(side, axis=1), 1, atol=1e-5)
    found = top_matches(scored, queries, k=16)
    for row in range(16):
        cosine = float(ground[row] @ aerial[row])
        score = float(found.scores[row][found.top[row] == found.truth[row][0]][0])
        if scored.found.turning is not None:
            # The score divides by the lengths of the photo's regions, the cosine by their norm.
            lengths = torch.linalg.norm(scored.found.turning[0][queries[row]], dim=1)
            score *= float(lengths.sum() / lengths.norm()) / np.sqrt(len(lengths))
        assert cosine == pytest.approx(score, abs=1e-5)


def test_heat_is_of_what_the_network_saw(scored: ScoredRun) -> None:
    queries = some_queries(scored, 3)
    first, second, found = heat_of_pairs(scored, queries)
    recipe = scored.recipe
    assert first.shape == (3, *recipe.ground_size, 3)
    assert second.shape == (3, *recipe.aerial_size, 3)
    assert found.first.shape == first.shape[:3]
    assert found.second.shape == second.shape[:3]
    # The similarity that is explained is the one that ranked.
    matches = top_matches(scored, queries, k=16)
    for row in range(3):
        ranked = matches.scores[row][matches.top[row] == matches.truth[row][0]][0]
        assert found.similarities[row] == pytest.approx(float(ranked), abs=1e-5)
