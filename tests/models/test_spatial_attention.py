"""Spatial attention against loops over places."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sightline.errors import UsageError
from sightline.models.spatial_attention import SpatialAttention


def test_it_equals_the_loop() -> None:
    layer = SpatialAttention(5, (3, 4), masks=2).double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    features = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 5, 3, 4)))
    found = layer(features).detach().numpy()
    weights = {n: p.detach().numpy() for n, p in layer.named_parameters()}
    for image in range(2):
        flat = features[image].reshape(5, 12).numpy()
        strength = flat.max(axis=0)
        for mask in range(2):
            hidden = strength @ weights["weight_in"][mask] + weights["bias_in"][mask]
            attention = hidden @ weights["weight_out"][mask] + weights["bias_out"][mask]
            expected = sum(attention[place] * flat[:, place] for place in range(12))
            np.testing.assert_allclose(found[image, mask * 5 : mask * 5 + 5], expected)


def test_the_start_is_the_published_one() -> None:
    layer = SpatialAttention(5, (8, 8))
    assert layer.dimension == 8 * 5
    for weight in (layer.weight_in, layer.weight_out):
        assert weight.abs().max() <= 0.01
        assert weight.std().item() == pytest.approx(0.0044, rel=0.05)
    # Masks begin alike everywhere: the vector is close to a multiple of the sum over the map.
    assert layer.attention(torch.zeros(1, 5, 8, 8)).std() < 0.02


def test_refusals() -> None:
    with pytest.raises(UsageError, match="Got 1 x 1 places"):
        SpatialAttention(5, (1, 1))
    with pytest.raises(UsageError, match="0 masks"):
        SpatialAttention(5, (2, 2), masks=0)
    with pytest.raises(UsageError, match="Got 3 x 4"):
        SpatialAttention(5, (4, 3))(torch.zeros(1, 5, 3, 4))
