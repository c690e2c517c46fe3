"""Beliefs and vectors of stored pooled ones, beside what the bundle's own encoder says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.models.global_networks import FAMILY, bundle

from sightline.benchmark.model import beliefs_of, predicted_cells, retrieval_vectors
from sightline.errors import VectorError
from sightline.geo.distance import great_circle_m
from sightline.locating import answers_by_level, classify
from sightline.models.global_bundle import GlobalBundle, heads_of

CPU = torch.device("cpu")
PHOTOS = 12


def pooled_of(made: GlobalBundle) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (n, 64, 64, 3), and their pooled vectors in halves."""
    pixels = np.random.default_rng(3).integers(0, 256, (PHOTOS, 64, 64, 3), np.uint8)
    with torch.inference_mode():
        found = made.classifier.vectors(torch.from_numpy(pixels).permute(0, 3, 1, 2))
    return pixels, found.numpy().astype(np.float16)


@pytest.mark.parametrize("head", ["single", "multi", "hierarchical", "mixture"])
def test_beliefs_are_those_of_the_head(head: str) -> None:
    made = bundle(head)
    _, pooled = pooled_of(made)
    found = beliefs_of(pooled, made, CPU, radii_km=(25.0, 2500.0))
    assert [one.partition for one in found] == list(made.partitions)
    with torch.inference_mode():
        given = torch.from_numpy(pooled.astype(np.float32))
        whole = made.classifier.head.log_probabilities(given)
        own = [one.log_probabilities(given).numpy() for one in heads_of(made.classifier.head)]
    finest = (whole if isinstance(whole, torch.Tensor) else whole[-1]).numpy()
    for number, one in enumerate(found):
        values = finest if number == len(found) - 1 else own[number]
        for photo, row in enumerate(values.tolist()):
            assert one.cells[photo, 0] == row.index(max(row))
        if head != "mixture":
            assert np.array_equal(one.points, classify(values, one.partition))
    if head == "mixture":
        encoder = made.encoder()
        modes = encoder.modes(finest)
        assert modes is not None
        assert great_circle_m(found[-1].points, modes).max() < 1.0
        assert np.array_equal(found[-1].representatives, classify(finest, FAMILY[-1]))
    levels = answers_by_level(finest, made.partitions[-1], levels_km={"a": 25.0, "b": 2500.0})
    assert np.array_equal(found[-1].by_radius[25.0], levels.points[:, 0])
    assert np.array_equal(found[-1].by_radius[2500.0], levels.points[:, 1])
    assert all(not one.by_radius for one in found[:-1])
    assert np.array_equal(predicted_cells(pooled, made, CPU), found[-1].cells[:, 0])


@pytest.mark.parametrize("hidden", [0, 8])
def test_vectors_are_those_of_the_encoder_but_for_halves(hidden: int) -> None:
    made = bundle(residual_hidden=hidden)
    pixels, halves = pooled_of(made)
    found = retrieval_vectors(halves, made.residual, CPU, np.float32)
    theirs = made.encoder().encode_prepared(pixels[:, None])[:, 0]
    assert np.einsum("nd,nd->n", found, theirs).min() > 1 - 1e-5
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(PHOTOS), abs=1e-5)
    narrow = retrieval_vectors(halves, made.residual, CPU, np.float16)
    assert narrow.dtype == np.float16
    assert np.abs(narrow.astype(np.float32) - found).max() < 1e-3


def test_a_broken_photo_s_vector_is_zero_and_a_diverged_network_is_refused() -> None:
    made = bundle(residual_hidden=8)
    assert made.residual is not None
    pooled = np.zeros((2, made.classifier.dimension), np.float16)
    pooled[1] = np.linspace(0, 1, pooled.shape[1])
    found = retrieval_vectors(pooled, made.residual, CPU, np.float32)
    assert (found[0] == 0).all()
    assert np.linalg.norm(found[1]) == pytest.approx(1.0)
    with torch.no_grad():
        made.residual.output.bias.fill_(torch.nan)
    with pytest.raises(VectorError, match="must be finite"):
        retrieval_vectors(pooled, made.residual, CPU, np.float32)
