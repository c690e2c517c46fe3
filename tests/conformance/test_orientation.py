"""Photos of unknown heading against what WITW's own functions returned."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from evaluation.oracle import ranks_of_scores
from sightline.evaluation.conventions import published
from sightline.evaluation.retrieval.orientation import best_orientations
from sightline.evaluation.retrieval.relevance import Relevance

from .retrieval_files import ORIENTED, read_files

# The distances are float32, and sums of products of length 1.
ROUNDING = 16 * np.finfo(np.float32).eps


@pytest.fixture(scope="module")
def files(conformance: Path) -> dict[str, dict[str, np.ndarray]]:
    found = read_files(conformance, ORIENTED)
    return found or pytest.skip("no file of feature maps is here")


def test_orientations_distances_and_ranks(files: dict[str, dict[str, np.ndarray]]) -> None:
    for name, arrays in files.items():
        found = best_orientations(arrays["overhead"], arrays["surface"])
        np.testing.assert_array_equal(found.shift, arrays["orientation"], name)
        apart = np.abs(found.distance - arrays["distance"])
        assert apart.max() <= ROUNDING, name
        ranks = (found.distance <= np.diagonal(found.distance)).sum(axis=0)
        np.testing.assert_array_equal(ranks, arrays["ranks"], name)


def test_the_score_is_what_the_published_function_printed(
    files: dict[str, dict[str, np.ndarray]],
) -> None:
    for name, arrays in files.items():
        distance = best_orientations(arrays["overhead"], arrays["surface"]).distance
        ranks = ranks_of_scores(-distance.T, Relevance.paired(len(distance)))
        results = json.loads(str(arrays["meta"]))["results"]
        assert published("witw_fov", ranks) == results, name
