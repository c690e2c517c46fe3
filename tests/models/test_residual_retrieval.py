"""The retrieval module apart from the published weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sightline.errors import BundleError, UsageError
from sightline.models.residual_retrieval import ResidualRetrieval, from_published


def features(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(size=shape)).float()


def test_it_is_its_definition_in_numpy() -> None:
    module = ResidualRetrieval(6, 10)
    given = features(4, 6)

    def normalise(x: np.ndarray) -> np.ndarray:
        return (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)

    weight = {name: p.detach().numpy() for name, p in module.named_parameters()}
    centred = normalise(given.numpy())
    hidden = np.maximum(centred @ weight["hidden.weight"].T + weight["hidden.bias"], 0)
    expected = normalise(centred + hidden @ weight["output.weight"].T + weight["output.bias"])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(module(given).detach(), expected, atol=1e-6)


def test_the_start() -> None:
    module = ResidualRetrieval(6)
    assert module.hidden.weight.shape == (4096, 6)
    assert not module.hidden.bias.any()
    bound = (6 / (6 + 4096)) ** 0.5
    assert bound * 0.99 < module.hidden.weight.abs().max() <= bound


def test_without_the_residual_the_input_is_not_added() -> None:
    module = ResidualRetrieval(6, 10, residual=False)
    torch.nn.init.zeros_(module.output.weight)
    assert not module(features(4, 6)).any()
    module.residual = True
    assert module(features(4, 6)).norm(dim=1).min() > 0.99


def test_refusals() -> None:
    with pytest.raises(UsageError, match="Got 0 and 4096"):
        ResidualRetrieval(0)
    with pytest.raises(UsageError, match=r"Got \(4, 5\)"):
        ResidualRetrieval(6)(features(4, 5))
    with pytest.raises(BundleError, match=r"res\.fc1\.weight"):
        from_published({"fc1.weight": features(3, 2)})
    with pytest.raises(BundleError, match="missing"):
        from_published({"res.fc1.weight": features(3, 2)})
