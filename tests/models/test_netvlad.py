"""NetVLAD against loops, and its start against the definition."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
import torch
from torch.nn import functional

from sightline.errors import DependencyError, UsageError, VectorError
from sightline.models.netvlad import NetVLAD, sample_local_features


def slow_vlad(layer: NetVLAD, features: torch.Tensor) -> np.ndarray:
    weight = layer.assignment.weight.detach().numpy()[:, :, 0, 0]
    bias = 0 if layer.assignment.bias is None else layer.assignment.bias.detach().numpy()
    centroids = layer.centroids.detach().numpy()
    rows = []
    for image in features.numpy():
        vlad = np.zeros((layer.clusters, layer.channels))
        for place in image.reshape(layer.channels, -1).T:
            local = place / np.linalg.norm(place) if layer.normalise_input else place
            logits = weight @ local + bias
            shares = np.exp(logits - logits.max())
            shares /= shares.sum()
            vlad += shares[:, None] * (local - centroids)
        vlad /= np.linalg.norm(vlad, axis=1, keepdims=True)
        rows.append(vlad.ravel() / np.linalg.norm(vlad))
    return np.array(rows)


def clustered(count: int = 600, channels: int = 8, groups: int = 4) -> torch.Tensor:
    random = np.random.default_rng(0)
    centres = random.normal(size=(groups, channels))
    spread = random.normal(size=(count, channels))
    return torch.from_numpy(centres[np.arange(count) % groups] + 0.1 * spread).float()


@pytest.mark.parametrize("normalise_input", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_it_equals_the_loop(normalise_input: bool, bias: bool) -> None:
    layer = NetVLAD(6, 5, normalise_input=normalise_input, bias=bias).double()
    features = torch.from_numpy(np.random.default_rng(1).normal(size=(3, 6, 2, 4)))
    found = layer(features)
    assert found.shape == (3, layer.dimension)
    np.testing.assert_allclose(found.detach(), slow_vlad(layer, features), atol=1e-12)


@pytest.mark.parametrize("bias", [True, False])
def test_the_start_makes_the_first_a_hundred_times_the_second(bias: bool) -> None:
    local = functional.normalize(clustered(), dim=1)
    layer = NetVLAD(8, 4, bias=bias)
    alpha = layer.initialise(local)
    assert alpha > 0
    logits = layer.assignment(local.T[None, :, None]).detach()[0, :, 0].T
    two = logits.topk(2, dim=1).values
    assert (two[:, 0] - two[:, 1]).mean().item() == pytest.approx(math.log(100), rel=1e-3)


def test_the_start_assigns_to_the_nearest_centre() -> None:
    local = functional.normalize(clustered(), dim=1)
    layer = NetVLAD(8, 4)
    layer.initialise(local)
    logits = layer.assignment(local.T[None, :, None]).detach()[0, :, 0].T
    distances = torch.cdist(local, layer.centroids.detach())
    np.testing.assert_array_equal(logits.argmax(dim=1), distances.argmin(dim=1))
    # Equation 2: logits are -alpha times squared distances, but for what all clusters share.
    alpha = -(logits - logits[:, :1])[:, 1:] / (distances**2 - distances[:, :1] ** 2)[:, 1:]
    assert alpha.std() / alpha.mean() < 1e-3
    # Four tight groups are found as what they are.
    assert distances.amin(dim=1).max() < 0.5 * torch.pdist(layer.centroids.detach()).min()


def test_the_same_seed_starts_the_same() -> None:
    first, second = NetVLAD(8, 6), NetVLAD(8, 6)
    assert first.initialise(clustered(), seed=3) == second.initialise(clustered(), seed=3)
    assert torch.equal(first.centroids, second.centroids)


def test_sampling() -> None:
    maps = [torch.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5).float() + 1000 * i for i in range(4)]
    found = sample_local_features(iter(maps), per_image=7)
    assert found.shape == (4 * 2 * 7, 3)
    known = {tuple(v) for m in maps for v in m.flatten(2).transpose(1, 2).reshape(-1, 3).tolist()}
    drawn = [tuple(v) for v in found.tolist()]
    assert len(set(drawn)) == len(drawn)
    assert set(drawn) <= known
    assert torch.equal(found, sample_local_features(iter(maps), per_image=7))
    assert not torch.equal(found, sample_local_features(iter(maps), per_image=7, seed=1))
    reading = iter(maps)
    assert len(sample_local_features(reading, per_image=7, limit=20)) == 20
    assert len(list(reading)) == 2
    assert len(sample_local_features(maps[:1], per_image=100)) == 40
    with pytest.raises(UsageError, match="Got none"):
        sample_local_features([])


def test_refusals() -> None:
    with pytest.raises(UsageError, match=r"at least 2 clusters\. Got 1"):
        NetVLAD(8, 1)
    layer = NetVLAD(8, 4)
    with pytest.raises(UsageError, match=r"shape \(m, 8\)"):
        layer.initialise(torch.ones(9, 7))
    with pytest.raises(UsageError, match="Got 3"):
        layer.initialise(clustered(3))
    broken = clustered()
    broken[5, 1] = torch.inf
    with pytest.raises(VectorError, match="finite"):
        layer.initialise(broken)
    with pytest.raises(VectorError, match="fewer distinct"):
        layer.initialise(torch.ones(50, 8))
    with pytest.raises(VectorError, match="as far from one centre"):
        layer.initialise_from(torch.zeros(4, 8), clustered())


def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    with pytest.raises(DependencyError, match="scikit-learn"):
        NetVLAD(8, 4).initialise(clustered())
