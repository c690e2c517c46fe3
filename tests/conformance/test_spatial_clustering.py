"""Clusters against what the code of the search-within-cell paper returns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sightline.geo.distance import great_circle_m
from sightline.locating.clusters import cluster_labels, largest_cluster

from .files import CLUSTERS, cases

# The fixtures' arithmetic has the rounding of asin near a pole; a millimetre is far above it.
ROUNDING_M = 1e-3


@pytest.mark.parametrize("convention", [None, "visloc"])
def test_labels_are_equal(conformance: Path, convention: str | None) -> None:
    for case in cases(conformance, CLUSTERS):
        labels = cluster_labels(
            case.arrays["candidates"][None],
            epsilon_m=case.facts["eps_km"] * 1000,
            convention=convention,
        )
        np.testing.assert_array_equal(labels[0], case.arrays["labels"], case.name)


def test_the_published_code_is_repeated(conformance: Path) -> None:
    for case in cases(conformance, CLUSTERS):
        found = largest_cluster(
            case.arrays["candidates"][None],
            case.arrays["similarities"][None],
            epsilon_m=case.facts["eps_km"] * 1000,
            mean_exponent=case.facts["a"],
            convention="visloc",
        )
        assert great_circle_m(found.points[0], case.arrays["pred"]) < ROUNDING_M, case.name


def test_ours_is_the_mean_on_the_sphere(conformance: Path) -> None:
    for case in cases(conformance, CLUSTERS):
        found = largest_cluster(
            case.arrays["candidates"][None],
            case.arrays["similarities"][None],
            epsilon_m=case.facts["eps_km"] * 1000,
            mean_exponent=case.facts["a"],
        )
        normalised = case.facts["normalised_alternative"]
        assert great_circle_m(found.points[0], normalised) < ROUNDING_M, case.name
        off_m = great_circle_m(found.points[0], case.arrays["pred"])
        stated_m = case.facts["km_between_peer_and_normalised"] * 1000
        assert off_m == pytest.approx(stated_m, abs=50), case.name


def test_the_published_mean_is_wrong_somewhere(whole: Path) -> None:
    """Or the two tests above would test one thing."""
    apart = [case.facts["km_between_peer_and_normalised"] for case in cases(whole, CLUSTERS)]
    assert max(apart) > 1
