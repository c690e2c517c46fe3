from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import EvaluationError
from sightline.evaluation import Relevance, RetrievalSettings, evaluate_retrieval
from sightline.evaluation.retrieval.relevance import Lists
from sightline.models.region_shifts import best_shifts
from sightline.training.cross_view.shift_ranks import (
    TIE_TOLERANCE,
    as_regions,
    relevance_of,
    shift_ranks,
)


@settings(deadline=None, max_examples=30)
@given(
    photos=st.integers(1, 6),
    patches=st.integers(1, 7),
    seed=st.integers(0, 999),
    copies=st.booleans(),
)
def test_ranks_are_those_of_a_slow_count(
    photos: int, patches: int, seed: int, copies: bool
) -> None:
    rng = np.random.default_rng(seed)
    ground = torch.from_numpy(rng.normal(size=(photos, 4, 3)).astype(np.float32))
    aerial = torch.from_numpy(rng.normal(size=(patches, 2, 4, 3)).astype(np.float32))
    if copies:
        aerial[:] = aerial[rng.integers(0, patches, patches)]
    every = np.array([(p, a) for p in range(photos) for a in range(patches)])
    chosen = every[rng.random(len(every)) < 0.3].reshape(-1, 2)
    semi = every[rng.random(len(every)) < 0.3].reshape(-1, 2)
    numbers = np.arange(photos), np.arange(patches)
    relevance = relevance_of(chosen, semi, *numbers)
    ranks = shift_ranks(ground, aerial, relevance)
    scores = best_shifts(ground, aerial)[0].numpy()
    for photo in range(photos):
        right = set(relevance.positives.of(photo).tolist())
        others = [a for a in range(patches) if a not in right]
        assert ranks.positives[photo] == len(right)
        if not right:
            assert ranks.better[photo] == len(others)
            continue
        best = max(scores[photo, a] for a in right)
        better = [a for a in others if scores[photo, a] > best + TIE_TOLERANCE]
        tied = [a for a in others if abs(scores[photo, a] - best) <= TIE_TOLERANCE]
        assert (ranks.better[photo], ranks.tied[photo]) == (len(better), len(tied))
        half = set(relevance.semi_positives.of(photo).tolist())
        assert ranks.semi_better[photo] == len(half & set(better))
        assert ranks.semi_tied[photo] == len(half & set(tied))
        beside = sum(abs(scores[photo, a] - best) <= TIE_TOLERANCE for a in right) - 1
        assert ranks.positives_tied[photo] == beside


def test_what_is_ignored_or_nearly_as_good_is_counted_as_such() -> None:
    """One region in one channel more than shown: the second channel sets the cosine."""

    def patch(cosine: float) -> list[list[list[float]]]:
        return [[[cosine, (1 - cosine**2) ** 0.5]]]

    ground = torch.tensor([[[1.0, 0.0]], [[1.0, 0.0]]])
    # The truth, a little better, clearly better, clearly better, a little worse, clearly worse.
    cosines = (0.9, 0.900001, 0.95, 0.97, 0.899999, 0.8)
    aerial = torch.tensor([patch(cosine) for cosine in cosines])
    relevance = relevance_of(
        np.array([[0, 0], [1, 0]]), np.empty((0, 2), np.int64), np.arange(2), np.arange(6)
    )
    ranks = shift_ranks(ground, aerial, relevance)
    assert (ranks.better.tolist(), ranks.tied.tolist()) == ([2, 2], [2, 2])
    # Both photos have one patch.
    assert not ranks.distinct
    ignoring = replace(relevance, ignored=Lists.of_pairs(np.array([0, 0]), np.array([3, 4]), 2))
    fewer = shift_ranks(ground, aerial, ignoring)
    assert (fewer.better.tolist(), fewer.tied.tolist()) == ([1, 2], [1, 2])
    assert fewer.candidates.tolist() == [4, 6]


def test_what_is_right_speaks_of_the_images_that_are_there() -> None:
    pairs = np.array([[7, 20], [9, 20], [9, 30], [11, 40]])
    semi = np.array([[7, 30], [9, 30], [9, 99]])
    found = relevance_of(pairs, semi, np.array([7, 9]), np.array([20, 30, 50]))
    assert (found.queries, found.references) == (2, 3)
    assert [found.positives.of(n).tolist() for n in range(2)] == [[0], [0, 1]]
    assert [found.semi_positives.of(n).tolist() for n in range(2)] == [[1], []]


def test_vectors_are_regions_one_after_another() -> None:
    vectors = torch.arange(12.0).reshape(2, 6)
    assert as_regions(vectors, 3).shape == (2, 3, 2)
    assert as_regions(vectors, 3)[1, 2].tolist() == [10.0, 11.0]
    assert pytest.approx(2e-6) == TIE_TOLERANCE


def test_an_evaluation_takes_ranks_that_were_made_otherwise() -> None:
    generator = torch.Generator().manual_seed(0)
    ground = torch.randn(6, 4, 3, generator=generator)
    aerial = torch.randn(6, 2, 4, 3, generator=generator)
    relevance = Relevance.paired(6)
    ranks = shift_ranks(ground, aerial, relevance)
    vectors = ground.flatten(1).numpy(), aerial[:, 0].flatten(1).numpy()
    one_way = RetrievalSettings(both_ways=False, resamples=50)
    found = evaluate_retrieval(*vectors, relevance, one_way, ranks=ranks)
    assert found.ranks is ranks
    assert found.backward is None
    assert found.to_json()["metrics"]["recall@1"]["value"] == np.mean(ranks.better == 0)
    with pytest.raises(EvaluationError, match="nothing of references that ask"):
        evaluate_retrieval(*vectors, relevance, ranks=ranks)
    fewer = shift_ranks(ground[:5], aerial, relevance.of_queries(np.arange(5)))
    with pytest.raises(EvaluationError, match="5 queries and 6 references"):
        evaluate_retrieval(*vectors, relevance, one_way, ranks=fewer)
